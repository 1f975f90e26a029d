use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}


#[node(Ticket)]
async fn triage() {}

struct NotDerived {
    messages: Log<String>,
}

#[node(NotDerived)]
async fn billing(_messages: &Log<String>) {}

#[derive(AgentGraph)]
#[graph(state = NotDerived, start = billing)]
struct Desk {
    #[route(_ => end)]
    billing: Billing,
}

fn main() {}
