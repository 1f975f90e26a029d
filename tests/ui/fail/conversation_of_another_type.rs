use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    #[state(messages)]
    messages: Log<String>,
}

fn main() {}
