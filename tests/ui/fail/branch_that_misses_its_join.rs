use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

fn messages(ticket: &Ticket) -> Vec<String> {
    ticket.messages.iter().cloned().collect()
}

#[derive(Outcome)]
enum Found {
    Something,
    Nothing,
}

#[node(Ticket)]
async fn plan() {}

#[node(Ticket)]
async fn web() -> Found {
    Found::Nothing
}

#[node(Ticket)]
async fn ask(message: String) {
    drop(message);
}

#[node(Ticket)]
async fn sum() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct EndsTheRun {
    #[route(_ => all(web, papers) join sum)]
    plan: Plan,
    #[route(Found::Something => sum, Found::Nothing => end)]
    web: Web,
    #[route(_ => sum)]
    #[on_error(then = end)]
    papers: Sum,
    #[route(_ => end)]
    sum: Sum,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct GoesElsewhere {
    #[route(_ => all(web, papers) join sum)]
    plan: Plan,
    #[route(Found::Something => sum, Found::Nothing => clerk)]
    web: Web,
    #[route(_ => sum)]
    papers: Sum,
    #[route(_ => clerk)]
    sum: Sum,
    #[route(_ => end)]
    clerk: Sum,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct Starves {
    #[route(_ => all(web, papers) join sum)]
    plan: Plan,
    #[route(_ => papers)]
    web: Web,
    #[route(_ => papers(limit = 2))]
    papers: Sum,
    #[route(_ => end)]
    sum: Sum,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct BranchesOfOneNode {
    #[route(_ => all(web, web, sum) join sum)]
    plan: Plan,
    #[route(_ => sum)]
    web: Web,
    #[route(_ => end)]
    sum: Sum,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct WithoutAnItem {
    #[route(_ => all(ask, papers) join sum)]
    plan: Plan,
    #[route(_ => sum)]
    ask: Ask,
    #[route(_ => sum)]
    papers: Sum,
    #[route(_ => end)]
    sum: Sum,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct OfAnotherWorker {
    #[route(_ => each(messages) ask join sum)]
    plan: Plan,
    #[route(_ => other)]
    ask: Ask,
    #[route(_ => sum)]
    other: Ask,
    #[route(_ => end)]
    sum: Sum,
}

fn main() {}
