use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    #[state(merge = of_numbers)]
    text: String,
    #[state(merge = by_value)]
    count: u32,
    #[state(merge = no_such_function)]
    other: u32,
    #[state(merge)]
    without: u32,
    #[state(merge = |merged, _, branch| *merged += branch)]
    closure: u32,
    #[state(merge = add, merge = add)]
    twice: u32,
    #[state(merge = add)]
    fits: u32,
}

fn of_numbers(_: &mut u32, _: &u32, _: &u32) {}

fn by_value(left: u32, right: u32) -> u32 {
    left + right
}

fn add(merged: &mut u32, base: &u32, branch: &u32) {
    *merged += branch - base;
}

fn main() {}
