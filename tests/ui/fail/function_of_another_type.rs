use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
    count: u32,
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Question(String);

struct Kept;

fn texts(ticket: &Ticket) -> Vec<String> {
    ticket.messages.iter().cloned().collect()
}

fn first(ticket: &Ticket) -> Option<Question> {
    ticket.messages.iter().next().cloned().map(Question)
}

fn takes_no_error(count: u32) -> bool {
    count > 1
}

fn takes_a_count(count: &u32) -> bool {
    *count > 1
}

fn returns_a_number(_: &std::io::Error) -> u32 {
    1
}

fn takes_the_count(count: &u32) -> u32 {
    *count
}

fn keeps_nothing(_: &Ticket) -> Kept {
    Kept
}

#[node(Ticket)]
async fn plan() {}

#[node(Ticket)]
async fn ask(question: Question) {
    drop(question.0);
}

#[node(Ticket)]
async fn web() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct ItemsOfAnotherType {
    #[route(_ => each(texts) ask join more)]
    plan: Plan,
    #[route(_ => more)]
    ask: Ask,
    #[route(_ => each(first) other join last)]
    more: Plan,
    #[route(_ => last)]
    other: Ask,
    #[route(_ => end)]
    last: Plan,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct AWorkerWithoutAnItem {
    #[route(_ => each(texts) web join last)]
    plan: Plan,
    #[route(_ => last)]
    web: Web,
    #[route(_ => end)]
    last: Plan,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct Predicates {
    #[route(_ => end)]
    #[retry(on = takes_no_error)]
    #[retry(on = takes_a_count)]
    #[retry(on = returns_a_number)]
    #[retry(on = no_such_function)]
    plan: Plan,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct Keys {
    #[route(_ => web)]
    #[cache(key = takes_the_count, ttl = "1h")]
    plan: Plan,
    #[route(_ => end)]
    #[cache(key = keeps_nothing, ttl = "1h")]
    web: Web,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct Approvals {
    #[route(_ => web(approve = takes_the_count, else = end))]
    plan: Plan,
    #[route(_ => last(approve = keeps_nothing, else = end))]
    web: Web,
    #[route(_ => more(approve = no_such_function, else = end))]
    last: Plan,
    #[route(_ => end)]
    more: Plan,
}

fn main() {}
