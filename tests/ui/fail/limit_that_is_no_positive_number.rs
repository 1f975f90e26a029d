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

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Zero {
    #[route(Done::Yes => end, Done::No => triage(limit = 0, else = end))]
    triage: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct TooLarge {
    #[route(Done::Yes => end, Done::No => triage(limit = 4294967296, else = end))]
    triage: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct NoNumber {
    #[route(Done::Yes => end, Done::No => triage(limit = MANY, else = end))]
    triage: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Negative {
    #[route(Done::Yes => end, Done::No => triage(limit = -1, else = end))]
    triage: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct ElseWithoutALimit {
    #[route(Done::Yes => end, Done::No => triage(else = end))]
    triage: Triage,
}

fn main() {}
