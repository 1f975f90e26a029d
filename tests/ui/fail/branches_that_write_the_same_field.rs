use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
    facts: Log<String>,
    summary: String,
}

fn messages(ticket: &Ticket) -> Vec<String> {
    ticket.messages.iter().cloned().collect()
}

#[node(Ticket)]
async fn plan() {}

#[node(Ticket)]
async fn web(summary: &mut String, facts: &mut Log<String>) {
    facts.push(summary.clone());
}

#[node(Ticket)]
async fn papers(facts: &mut Log<String>) {
    facts.push("a fact".to_owned());
}

#[node(Ticket)]
async fn note(summary: &mut String) {
    summary.clear();
}

#[node(Ticket)]
async fn ask(question: String, summary: &mut String) {
    *summary = question;
}

#[node(Ticket)]
async fn start_over(mut facts: Replace<'_, Log<String>>) {
    facts.set(Log::new());
}

#[node(Ticket)]
async fn sum() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct InTwoBranches {
    #[route(_ => all(web, papers) join sum)]
    plan: Plan,
    #[route(_ => sum)]
    web: Web,
    #[route(_ => note)]
    papers: Papers,
    #[route(_ => sum)]
    note: Note,
    #[route(_ => end)]
    sum: Sum,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct InEachBranch {
    #[route(_ => each(messages) ask join sum)]
    plan: Plan,
    #[route(_ => sum)]
    ask: Ask,
    #[route(_ => end)]
    sum: Sum,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct Replaced {
    #[route(_ => all(one, two, papers) join sum)]
    plan: Plan,
    #[route(_ => sum)]
    one: StartOver,
    #[route(_ => sum)]
    two: StartOver,
    #[route(_ => sum)]
    papers: Papers,
    #[route(_ => end)]
    sum: Sum,
}

fn main() {}
