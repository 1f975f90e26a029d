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

fn takes_nothing() -> bool {
    true
}

fn takes_the_messages(_: &Log<String>) -> bool {
    true
}

fn returns_a_number(_: &Ticket) -> u8 {
    0
}

const NO_FUNCTION: bool = true;

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Desk {
    #[route(
        Triaged::Billing if takes_nothing => billing,
        Triaged::Billing if takes_the_messages => billing,
        Triaged::Billing if returns_a_number => billing,
        Triaged::Billing if NO_FUNCTION => billing,
        Triaged::Billing if no_such_function => billing,
        _ => end,
    )]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

fn main() {}
