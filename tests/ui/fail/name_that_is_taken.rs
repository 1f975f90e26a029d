use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}


#[node(Ticket)]
async fn triage() {}

#[node(Ticket)]
async fn billing() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = end)]
struct Reserved {
    #[route(_ => back)]
    end: Triage,
    #[route(_ => end)]
    back: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = billing)]
struct OneVariant {
    #[route(_ => billing_)]
    billing: Billing,
    #[route(_ => end)]
    billing_: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Duplicate {
    #[route(_ => billing)]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
    #[route(_ => end)]
    billing: Billing,
}

fn main() {}
