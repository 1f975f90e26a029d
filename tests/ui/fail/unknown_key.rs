use handoffs::prelude::*;

#[derive(State, Clone)]
#[state(name = "ticket")]
struct Ticket {
    #[state(progres)]
    messages: Log<String>,
    #[state(progress = true)]
    account: Option<String>,
}

#[derive(Outcome)]
#[outcome(tool = "triage")]
enum Triaged {
    #[outcome(give(account))]
    Billing,
    #[outcome(gives = account)]
    Access,
}

#[node(Ticket, name = "triage")]
async fn triage() -> Triaged {
    Triaged::Access
}

#[node]
async fn billing() {}

#[node(Ticket)]
async fn human() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = human, begin = human)]
struct OnTheGraph {
    #[route(_ => end)]
    human: Human,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = human)]
struct OnAnEdge {
    #[route(_ => human(limits = 2, else = end))]
    human: Human,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = human)]
struct OnTheEnd {
    #[route(_ => end(limit = 2))]
    human: Human,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = human, start = human)]
struct Twice {
    #[route(_ => human(limit = 2, limit = 3, else = end))]
    human: Human,
}

fn main() {}
