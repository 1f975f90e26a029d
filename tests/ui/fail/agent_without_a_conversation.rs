use handoffs::agent::{Agent, Message};
use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<Message>,
}

#[derive(Outcome)]
enum Told {
    #[outcome(answer)]
    Done(String),
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = desk)]
struct Desk {
    #[route(_ => end)]
    desk: Agent<Ticket, Told>,
}

fn main() {}
