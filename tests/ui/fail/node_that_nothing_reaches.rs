use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}


#[node(Ticket)]
async fn triage() {}

#[node(Ticket)]
async fn billing() {}

#[node(Ticket)]
async fn human() {}

#[node(Ticket)]
async fn archive() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct One {
    #[route(_ => end)]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct OneWithOthersBehind {
    #[route(_ => end)]
    triage: Triage,
    #[route(_ => human)]
    billing: Billing,
    #[route(_ => archive)]
    human: Human,
    #[route(_ => end)]
    archive: Archive,
}

fn main() {}
