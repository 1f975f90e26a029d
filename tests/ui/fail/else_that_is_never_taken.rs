//! H011: an `else` of an edge that is never masked, beside one that is.

use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    count: u32,
}

#[derive(Outcome)]
enum Done {
    Yes,
    No,
}

#[node(Ticket)]
fn triage() {}

#[node(Ticket)]
fn billing() -> Done {
    Done::Yes
}

#[node(Ticket)]
fn human() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Desk {
    #[route(_ => billing(else = human))]
    triage: Triage,
    #[route(Done::Yes => human(else = end), Done::No => triage(limit = 2, else = human))]
    billing: Billing,
    #[route(_ => end)]
    human: Human,
}

fn main() {}
