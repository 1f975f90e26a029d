//! Every form of the attributes beside a route.
#![deny(warnings)]

use std::time::Duration;

use handoffs::prelude::*;
use handoffs::{NodeError, Runnable as _};

#[derive(State, Clone, Default)]
struct Ticket {
    count: u32,
    account: Option<String>,
}

#[node(Ticket)]
async fn work() -> Result<(), std::io::Error> {
    Ok(())
}

#[node(Ticket)]
async fn mend() {}

fn is_transient(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::TimedOut
}

mod of_nodes {
    pub(super) fn any(_: &super::NodeError) -> bool {
        true
    }
}

fn key(ticket: &Ticket) -> (u32, Option<String>) {
    (ticket.count, ticket.account.clone())
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plain)]
struct Desk {
    #[route(_ => hard)]
    plain: Work,
    #[route(_ => idle)]
    #[timeout("1m 30s")]
    #[retry]
    hard: Work,
    #[route(_ => both)]
    #[timeout(idle = "5s")]
    #[retry(times = 5, backoff = "0s", cap = "1d", jitter = true, on = is_transient)]
    #[retry(times = 1, jitter = false, on = of_nodes::any,)]
    idle: Work,
    #[route(_ => kept)]
    #[timeout("1h", idle = "200ms", answer = "2d 1h")]
    #[on_error(retry, then = mend)]
    both: Work,
    #[route(_ => mend)]
    #[cache(key = key, ttl = "1h")]
    #[on_error(then = back(limit = 2, else = end))]
    kept: Work,
    #[route(_ => last)]
    #[on_error(then = end)]
    mend: Mend,
    #[route(_ => end)]
    #[on_error(then = plain(limit = 1, else = end), retry)]
    #[retry(times = 7)]
    last: Work,
}

fn main() {
    let desk = Desk {
        plain: Work,
        hard: Work,
        idle: Work,
        both: Work,
        kept: Work,
        mend: Mend,
        last: Work,
    };
    let policies = desk.policies();
    assert!(policies[0].is_plain());
    assert_eq!(policies[1].hard_timeout(), Some(Duration::from_secs(90)));
    assert_eq!(policies[1].retries()[0].attempts(), 3);
    assert_eq!(policies[2].idle_timeout(), Some(Duration::from_secs(5)));
    assert_eq!(policies[2].retries()[0].bound(0), Duration::ZERO);
    let timed_out = NodeError::new(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let broken = NodeError::new(std::io::Error::other("broken"));
    let fits = |error| policies[2].retries().iter().position(|retry| retry.fits(error));
    assert_eq!((fits(&timed_out), fits(&broken)), (Some(0), Some(1)));
    assert_eq!(policies[3].retries()[0].attempts(), 3);
    assert_eq!(policies[3].answer_timeout(), Some(Duration::from_secs(49 * 3600)));
    assert_eq!(policies[4].cache_ttl(), Some(Duration::from_secs(3600)));
    assert_eq!(policies[6].retries()[0].attempts(), 7);
    let key = desk.cache_key(4, &Ticket::default());
    assert_eq!(key.and_then(Result::ok).map(|key| key.as_str().to_owned()).as_deref(), Some("[0,null]"));
    let errors: Vec<_> = Desk::edges()
        .iter()
        .filter(|edge| edge.on_error)
        .map(|edge| format!("{} -> {}", edge.from, edge.route))
        .collect();
    assert_eq!(
        errors,
        [
            "both -> mend",
            "kept -> back(limit = 2, else = end)",
            "mend -> end",
            "last -> plain(limit = 1, else = end)",
        ]
    );
    let _ = Runtime::new(desk);
}
