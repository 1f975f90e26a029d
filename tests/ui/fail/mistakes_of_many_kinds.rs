use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

#[derive(Outcome)]
enum Triaged {
    Billing,
    Access,
}

#[node(Ticket)]
async fn triage() -> Triaged {
    Triaged::Access
}

#[node(Ticket)]
async fn billing(_count: &u32) {}

#[node(Ticket)]
async fn human(_messages: &impl Clone) {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Desk {
    #[route(Triaged::Billing => biling, Triaged::Acces => human)]
    triage: Triage,
    #[route(_ => triage)]
    billing: Billing,
    #[route(_ => end(limit = 1))]
    human: Human,
    #[route(_ => end)]
    archive: String,
}

fn main() {}
