use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

#[node(Ticket)]
async fn triage() {}

#[node(Ticket)]
async fn billing() {}

#[derive(Scope)]
enum Scopes {
    Refund,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage, scopes = Scopes)]
struct Desk {
    #[route(_ => billing)]
    triage: Triage,
    #[route(_ => end)]
    #[may(use(Refund))]
    billing: Billing,
}

fn main() {}
