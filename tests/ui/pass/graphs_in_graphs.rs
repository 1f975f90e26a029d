//! A graph as a node: of the same state and of another, generic, in a branch, in a loop, in itself as
//! deep as one likes; and what its bound comes to.
#![deny(warnings)]

use handoffs::prelude::*;
use handoffs::{Execute, Node, NodeKind};
use serde::{Deserialize, Serialize};

#[derive(State, Clone, Default)]
struct Ticket {
    count: u32,
    account: Option<String>,
}

#[derive(State, Clone, Default, Serialize, Deserialize)]
struct Small {
    count: u32,
}

#[derive(Outcome, Debug, PartialEq)]
enum Verdict {
    Yes,
    No { why: String },
}

#[node(Small)]
async fn add(count: &mut u32) -> Verdict {
    *count += 1;
    Verdict::Yes
}

fn too_small(small: &Small) -> bool {
    small.count < 2
}

#[derive(AgentGraph)]
#[graph(state = Small, start = add, outcome = Verdict)]
struct Adder {
    #[route(
        Verdict::Yes if too_small => add(limit = 3, else = end(Verdict::No { why: String::new() })),
        Verdict::Yes => end(Verdict::Yes),
        Verdict::No { .. } => end(Verdict::No { why: "no".to_owned() }),
    )]
    add: Add,
}

mod ways {
    use super::{Small, Ticket};
    use handoffs::node;

    pub(super) fn enter(ticket: &Ticket) -> Small {
        Small {
            count: ticket.count,
        }
    }

    #[node(Ticket)]
    pub(super) async fn leave_it(small: Small, count: &mut u32) {
        *count = small.count;
    }
}

#[node(Ticket)]
async fn greet(account: &mut Option<String>) {
    *account = None;
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = first, given(account))]
struct Direct<N: Execute<Ticket, Outcome = ()>> {
    #[route(_ => second)]
    first: N,
    #[route(_ => end)]
    second: Greet,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = adder, given(account))]
struct Outer {
    #[route(
        Verdict::Yes => all(direct, other) join last,
        Verdict::No { .. } => adder(limit = 2, else = last),
    )]
    #[subgraph(enter = ways::enter, leave = ways::leave_it)]
    adder: Adder,
    #[route(_ => last)]
    direct: Direct<Direct<Greet>>,
    #[route(_ => last)]
    other: Idle,
    #[route(_ => end)]
    last: Idle,
}

#[node(Ticket)]
async fn idle() {}

fn main() {
    assert_eq!(<Outer as Node<Ticket>>::KIND, NodeKind::Graph);
    assert_eq!(Adder::MAX_HANDOFFS, 3);
    assert_eq!(Direct::<Direct<Greet>>::MAX_HANDOFFS, 2);
    // Of its own it is 4; the adder is visited three times.
    assert_eq!(Outer::MAX_HANDOFFS, 4 + 3 * 3 + 2);
    let topology = Outer::topology();
    let inner: Vec<_> = topology
        .nodes()
        .map(|(_, node)| node.inner.as_ref().map(|inner| inner.name().to_owned()))
        .collect();
    assert_eq!(inner[0].as_deref(), Some("Adder"));
    assert_eq!(inner[1].as_deref(), Some("Direct"));
    assert_eq!(inner[2..], [None, None]);
    let direct = Direct {
        first: Direct {
            first: Greet,
            second: Greet,
        },
        second: Greet,
    };
    let _ = Runtime::new(Outer {
        adder: Adder { add: Add },
        direct,
        other: Idle,
        last: Idle,
    });
}
