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
#[graph(state = Ticket, start = triage)]
struct Arrow {
    #[route(_ -> end)]
    triage: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct NoTarget {
    #[route(_ => )]
    triage: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct NoComma {
    #[route(_ => billing _ => end)]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Text {
    #[route(_ => "end")]
    triage: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Bare {
    #[route]
    triage: Triage,
}

fn main() {}
