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
struct OneForgotten {
    #[route(
        Triaged::Billing => billing,
        Triaged::Access => end,
    )]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct OnlyUnderAGuard {
    #[route(
        Triaged::Billing => billing,
        _ if is_long => end,
    )]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

fn is_long(ticket: &Ticket) -> bool {
    ticket.messages.len() > 9
}

fn main() {}
