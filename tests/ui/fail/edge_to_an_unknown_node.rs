use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

#[derive(Outcome)]
enum Triaged {
    Billing,
    Access,
    Unclear,
}

#[node(Ticket)]
async fn triage() -> Triaged {
    Triaged::Unclear
}


#[node(Ticket)]
async fn billing() {}

#[node(Ticket)]
async fn human() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct NearMisses {
    #[route(
        Triaged::Billing => biling,
        Triaged::Access => End,
        Triaged::Unclear => human(limit = 2, else = bill),
    )]
    triage: Triage,
    #[route(_ => ende)]
    billing: Billing,
    #[route(_ => triage(limit = 1, else = humann))]
    human: Human,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct FarMiss {
    #[route(Triaged::Billing => refund_department, _ => billing)]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = traige)]
struct UnknownStart {
    #[route(_ => billing)]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = begin)]
struct FarUnknownStart {
    #[route(_ => billing)]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

fn main() {}
