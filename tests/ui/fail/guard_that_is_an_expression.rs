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
async fn billing() {}

fn is_long(ticket: &Ticket) -> bool {
    ticket.messages.len() > 9
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct ACall {
    #[route(Triaged::Billing if is_long(state) => billing, _ => end)]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct ANegation {
    #[route(Triaged::Billing if !is_long => billing, _ => end)]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct AMethodAndAComparison {
    #[route(Triaged::Billing if state.messages.len() > 9 => billing, _ => end)]
    triage: Triage,
    #[route(Triaged::Billing if is_long && is_long => end, _ => end)]
    billing: Triage,
}

fn main() {}
