//! H011: an old name is a text.

use handoffs::prelude::*;

#[derive(State, Clone, Debug, Default)]
struct Ticket {}

#[node(Ticket)]
fn work() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = a, renamed_from = Help)]
struct Desk {
    #[node(renamed_from = front)]
    #[route(_ => b)]
    a: Work,
    #[node(was = "entrance")]
    #[route(_ => c)]
    b: Work,
    #[node]
    #[route(_ => d)]
    c: Work,
    #[node(renamed_from)]
    #[route(_ => end)]
    d: Work,
}

fn main() {}
