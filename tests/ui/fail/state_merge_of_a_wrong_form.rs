use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    #[state(merge)]
    without: u32,
    #[state(merge = |merged, _, branch| *merged += branch)]
    closure: u32,
    #[state(merge = add, merge = add)]
    twice: u32,
}

fn add(merged: &mut u32, base: &u32, branch: &u32) {
    *merged += branch - base;
}

fn main() {}
