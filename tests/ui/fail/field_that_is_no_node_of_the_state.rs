use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}


#[node(Ticket)]
async fn triage() {}

#[derive(State, Clone)]
struct Invoice {
    total: u32,
}

#[node(Invoice)]
async fn billing(_total: &u32) {}

struct Plain;

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct NodeOfAnotherState {
    #[route(_ => billing)]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct NoNodeAtAll {
    #[route(_ => plain)]
    triage: Triage,
    #[route(_ => boxed)]
    plain: Plain,
    #[route(_ => end)]
    boxed: Option<Plain>,
}

fn main() {}
