use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}


#[node(Ticket)]
async fn triage() {}

#[derive(AgentGraph)]
struct WithoutItsAttribute {
    #[route(_ => end)]
    triage: Triage,
}

#[derive(AgentGraph)]
#[graph(start = triage)]
struct WithoutAState {
    #[route(_ => end)]
    triage: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket)]
struct WithoutAStart {
    #[route(_ => end)]
    triage: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct WithoutNodes {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct WithoutNames(Triage);

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
enum AnEnum {
    Triage,
}

fn main() {}
