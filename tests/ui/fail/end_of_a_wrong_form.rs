use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

#[derive(Outcome)]
enum Verdict {
    Yes,
    No,
}

#[node(Ticket)]
async fn judge() -> Verdict {
    Verdict::Yes
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = judge, outcome = Verdict)]
struct EndsWithout {
    #[route(
        Verdict::Yes => end,
        Verdict::No => judge(limit = 2, else = end),
    )]
    #[on_error(then = end)]
    judge: Judge,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = judge)]
struct EndsWith {
    #[route(
        Verdict::Yes => end(Verdict::Yes),
        Verdict::No => judge(limit = 2, else = end(Verdict::No)),
    )]
    judge: Judge,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = judge, outcome = Verdict)]
struct OfAnotherType {
    #[route(
        Verdict::Yes => end(true),
        Verdict::No => end(Verdict::Perhaps),
    )]
    judge: Judge,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = judge, outcome = Verdict)]
struct OfAWrongForm {
    #[route(
        Verdict::Yes => end(),
        Verdict::No => end(Verdict::Yes, Verdict::No),
    )]
    judge: Judge,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = judge, outcome = bool)]
struct NoOutcome {
    #[route(_ => end(true))]
    judge: Judge,
}

fn main() {}
