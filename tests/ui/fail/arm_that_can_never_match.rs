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

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct TwiceTheSame {
    #[route(
        Triaged::Billing => billing,
        Triaged::Billing => end,
        Triaged::Access | Triaged::Unclear => end,
    )]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct BehindACatchAll {
    #[route(
        _ => billing,
        Triaged::Access => end,
    )]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct AVariantThatIsABinding {
    #[route(
        Billing => billing,
        Triaged::Access => end,
        Triaged::Unclear => end,
    )]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

fn main() {}
