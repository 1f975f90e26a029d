use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    account: Option<String>,
}

#[derive(Outcome)]
enum Triaged {
    #[outcome(gives(acount))]
    Known,
    Unknown,
}

#[node(Ticket)]
async fn triage() -> Triaged {
    Triaged::Unknown
}

#[node(Ticket)]
async fn billing(_account: &String) {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = billing, given(account, acount))]
struct ByTheGraph {
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct ByAVariant {
    #[route(Triaged::Known => end, Triaged::Unknown => end)]
    triage: Triage,
}

fn main() {}
