//! What a handoff that looks for what its node needs can look like.

use handoffs::prelude::*;
use handoffs::Execute;
use serde::{Deserialize, Serialize};

/// Names that generated code uses as well.
#[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
struct Ticket {
    state: Option<u32>,
    outcome: Option<String>,
}

#[derive(Outcome, Clone)]
enum Verdict {
    Paid(u32),
    Unpaid,
}

#[derive(Outcome)]
enum Judged {
    Due { missing: u32 },
    Small(u32),
    NotDue,
}

fn missing(ticket: &Ticket) -> u32 {
    ticket.state.unwrap_or(0)
}

fn is_small(ticket: &Ticket) -> bool {
    missing(ticket) < 100
}

#[node(Ticket)]
async fn judge() -> Judged {
    Judged::NotDue
}

#[node(Ticket)]
async fn pay(_state: &u32, _outcome: &mut String) {}

/// A graph that its caller has to bring something is asked for it as a node is.
#[derive(AgentGraph)]
#[graph(state = Ticket, start = pay, given(state, outcome))]
struct Inner {
    #[route(_ => end)]
    pay: Pay,
}

fn enter(_: &Ticket) -> Ticket {
    Ticket::default()
}

#[node(Ticket)]
async fn leave(ticket: Ticket, state: &mut u32) {
    *state = ticket.state.unwrap_or_default();
}

#[node(Ticket)]
async fn work() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = judge, outcome = Verdict)]
struct Desk<N: Execute<Ticket, Outcome = ()>> {
    #[route(
        Judged::Due { missing: 0 } | Judged::NotDue => pay(missing = end(Verdict::Unpaid)),
        Judged::Due { missing: _much } if is_small => pay(missing = missing, limit = 2, else = missing),
        Judged::Due { .. } => pay(approve = missing, else = missing, missing = missing,),
        Judged::Small(_) => other(missing = r#else),
    )]
    judge: Judge,
    #[route(_ => end(Verdict::Paid(1)))]
    pay: Pay,
    #[subgraph(enter = enter, leave = leave)]
    #[route(_ => inner(missing = missing))]
    other: Inner,
    #[route(_ => pay)]
    inner: Inner,
    // One that needs something could stand in its place.
    #[route(_ => r#else(missing = end(Verdict::Unpaid)))]
    missing: Work,
    #[route(_ => end(Verdict::Unpaid))]
    r#else: N,
}

fn main() {
    let desk = || Desk {
        judge: Judge,
        pay: Pay,
        other: Inner { pay: Pay },
        inner: Inner { pay: Pay },
        missing: Work,
        r#else: Work,
    };
    let _ = Runtime::new(desk()).journal(Memory::default());
    let after = |state, outcome: Option<&str>, judged| {
        let ticket = Ticket {
            state,
            outcome: outcome.map(str::to_owned),
        };
        Desk::<Work>::after_judge(&ticket, &judged).to_string()
    };
    assert_eq!(after(Some(1), None, Judged::NotDue), "end");
    assert_eq!(after(Some(1), Some(""), Judged::NotDue), "pay");
    assert_eq!(after(Some(1), None, Judged::Due { missing: 1 }), "missing");
    assert_eq!(after(Some(500), Some(""), Judged::Due { missing: 1 }), "pay(approve = missing, else = missing)");
    assert_eq!(after(Some(1), None, Judged::Small(1)), "other");
    assert_eq!(after(None, None, Judged::Small(1)), "else");
}
