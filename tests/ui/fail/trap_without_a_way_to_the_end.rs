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
struct WithoutRoute {
    #[route(_ => billing)]
    triage: Triage,
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct WithAnEmptyRoute {
    #[route()]
    triage: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Component {
    #[route(_ => billing)]
    triage: Triage,
    #[route(_ => human(limit = 2, else = archive))]
    billing: Billing,
    #[route(_ => billing(limit = 2, else = archive))]
    human: Human,
    #[route(_ => human(limit = 1))]
    archive: Archive,
}

fn main() {}
