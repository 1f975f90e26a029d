use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

#[derive(Outcome)]
enum Done {
    Yes,
    No,
}

#[node(Ticket)]
async fn triage() -> Done {
    Done::Yes
}

#[node(Ticket)]
async fn billing() {}

#[node(Ticket)]
async fn human() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct OneLimitedEdge {
    #[route(_ => billing(limit = 2))]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct AllEdgesLimited {
    #[route(Done::Yes => billing(limit = 2), Done::No => human(limit = 3))]
    triage: Triage,
    #[route(_ => triage)]
    billing: Billing,
    #[route(_ => end)]
    human: Human,
}

fn main() {}
