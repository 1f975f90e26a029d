use handoffs::agent::Message;
use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    #[state(messages)]
    messages: Log<Message>,
    #[state(messages)]
    whispers: Log<Message>,
}

fn main() {}
