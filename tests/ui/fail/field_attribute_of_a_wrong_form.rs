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

#[node(Ticket)]
async fn mend() {}

macro_rules! graph {
    ($name:ident, $(#[$attr:meta])*) => {
        #[derive(AgentGraph)]
        #[graph(state = Ticket, start = work)]
        struct $name {
            #[route(_ => mend)]
            $(#[$attr])*
            work: Work,
            #[route(_ => end)]
            mend: Mend,
        }
    };
}

graph!(RetryKeys, #[retry(often = 3, times = 3, times = 4)]);
graph!(RetryNumbers, #[retry(times = 0, jitter = "no")]);
graph!(RetryExpression, #[retry(on = |error| true)]);
graph!(NoTimeout, #[timeout]);
graph!(TwoTimeouts, #[timeout("1s", "2s")]);
graph!(TimeoutTwice, #[timeout("1s")] #[timeout(idle = "2s")]);
graph!(TimeoutKeys, #[timeout(hard = "1s")]);
graph!(NoCache, #[cache(key = key)]);
graph!(CacheKeys, #[cache(key = key, ttl = "1h", size = 7)]);
graph!(NoThen, #[on_error(retry)]);
graph!(ErrorKeys, #[on_error(go = mend)]);
graph!(ErrorOptions, #[on_error(then = mend(times = 2))]);
graph!(ErrorFork, #[on_error(then = all(mend) join work)]);
graph!(ErrorRetry, #[on_error(retry(times = 3), then = mend)]);
graph!(ErrorTwice, #[on_error(then = mend)] #[on_error(then = end)]);
graph!(ErrorUnknown, #[on_error(then = ment)]);
graph!(NothingToGoBackTo, #[on_error(then = back)]);
graph!(NoWayOut, #[subgraph(enter = key)]);
graph!(SubgraphKeys, #[subgraph(enter = key, exit = mend)]);

#[derive(AgentGraph)]
#[graph(state = Ticket, start = work)]
struct BackInALoop {
    #[route(_ => mend)]
    work: Work,
    #[route(_ => end)]
    #[on_error(then = back)]
    mend: Mend,
}

fn main() {}
