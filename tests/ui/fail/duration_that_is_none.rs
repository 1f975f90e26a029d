use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

fn key(_: &Ticket) -> u32 {
    0
}

#[node(Ticket)]
async fn work() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = first)]
struct Desk {
    #[route(_ => second)]
    #[timeout("30")]
    #[retry(backoff = "1.5s", cap = "0s")]
    first: Work,
    #[route(_ => third)]
    #[timeout(idle = 5)]
    #[retry(backoff = "0ms")]
    second: Work,
    #[route(_ => fourth)]
    #[timeout("30s 1m")]
    third: Work,
    #[route(_ => end)]
    #[timeout("0s", idle = "213503982335d", answer = "2 days")]
    #[cache(key = key, ttl = "an hour")]
    fourth: Work,
}

fn main() {}
