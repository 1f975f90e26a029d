use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

#[derive(Outcome)]
enum Done {
    Yes,
    No,
}

#[node(Ticket)]
async fn triage() -> Done {
    Done::Yes
}

#[node(Ticket)]
async fn billing() -> Done {
    Done::Yes
}

#[node(Ticket)]
async fn access() -> Done {
    Done::Yes
}

#[node(Ticket)]
async fn human() -> Done {
    Done::Yes
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct OfTwo {
    #[route(_ => billing)]
    triage: Triage,
    #[route(Done::Yes => end, Done::No => triage)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct RingOfThree {
    #[route(_ => billing)]
    triage: Triage,
    #[route(_ => human)]
    billing: Billing,
    #[route(Done::Yes => end, Done::No => triage)]
    human: Human,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct ToItself {
    #[route(Done::Yes => end, Done::No => triage)]
    triage: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct ThroughAnElse {
    #[route(_ => billing)]
    triage: Triage,
    #[route(Done::Yes => end, Done::No => human(limit = 2, else = triage))]
    billing: Billing,
    #[route(_ => end)]
    human: Human,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Independent {
    #[route(Done::Yes => billing, Done::No => access)]
    triage: Triage,
    #[route(Done::Yes => human, Done::No => triage)]
    billing: Billing,
    #[route(Done::Yes => human, Done::No => access)]
    access: Access,
    #[route(Done::Yes => end, Done::No => billing)]
    human: Human,
}

fn main() {}
