use handoffs::prelude::*;

#[derive(State, Clone)]
enum AnEnum {
    Open,
}

#[derive(State, Clone, Copy)]
union AUnion {
    number: u32,
}

#[derive(State, Clone)]
struct WithoutNames(u32);

#[derive(State, Clone)]
struct AUnit;

#[derive(State)]
struct WithoutClone {
    count: u32,
}

#[derive(State, Clone)]
struct WithReferences {
    list: Log<&'static str>,
    text: &'static str,
    fits: String,
}

fn main() {}
