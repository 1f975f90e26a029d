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

#[derive(Outcome)]
enum Billed {
    Done,
}

#[node(Ticket)]
async fn billing() -> Billed {
    Billed::Done
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct AnotherEnum {
    #[route(
        Triaged::Billing => billing,
        Billed::Done => end,
        _ => end,
    )]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct NoSuchVariant {
    #[route(
        Triaged::Biling => billing,
        _ => end,
    )]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

fn main() {}
