use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    #[state(merge = of_numbers)]
    text: String,
    #[state(merge = by_value)]
    count: u32,
    #[state(merge = no_such_function)]
    other: u32,
    #[state(merge = returning)]
    returned: u32,
    #[state(merge = NO_FUNCTION)]
    none: u32,
    #[state(merge = add)]
    fits: u32,
}

fn of_numbers(_: &mut u32, _: &u32, _: &u32) {}

fn by_value(left: u32, right: u32) -> u32 {
    left + right
}

fn returning(merged: &mut u32, base: &u32, branch: &u32) -> u32 {
    *merged + branch - base
}

const NO_FUNCTION: bool = true;

fn add(merged: &mut u32, base: &u32, branch: &u32) {
    *merged += branch - base;
}

fn main() {}
