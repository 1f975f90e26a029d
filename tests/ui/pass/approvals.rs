//! What a handoff that a person approves can look like.

use handoffs::prelude::*;
use handoffs::{AgentGraph, Execute};
use serde::Serialize;

#[derive(State, Clone, Debug, Default)]
struct Ticket {
    state: u32,
    edge: Option<String>,
}

mod of_desks {
    use serde::Serialize;

    /// A question may have any type, and borrow nothing.
    #[derive(Serialize)]
    pub enum Question {
        Large { refund: u32 },
        Nobody,
    }

    pub fn large(ticket: &super::Ticket) -> Question {
        match ticket.edge {
            None => Question::Large { refund: ticket.state },
            Some(_) => Question::Nobody,
        }
    }
}

/// A name that generated code uses as well.
fn state(_: &Ticket) {}

fn question<T: Serialize + From<u8>>(_: &Ticket) -> T {
    T::from(0)
}

fn number(ticket: &Ticket) -> u64 {
    question(ticket)
}

fn is_large(ticket: &Ticket) -> bool {
    ticket.state > 100
}

#[node(Ticket)]
async fn work() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = first)]
struct Desk<N: Execute<Ticket, Outcome = ()>> {
    #[route(
        _ if is_large => second(approve = of_desks::large, else = end),
        _ => third(approve = crate::of_desks::large, else = fourth, limit = 2,),
    )]
    #[timeout(answer = "1d")]
    first: N,
    #[route(_ => third(else = fourth, approve = state))]
    second: Work,
    /// On a loop, so the `else` is for two.
    #[route(_ => first(limit = 3, approve = number, else = fourth))]
    third: N,
    #[route(_ => all(left, right) join last)]
    fourth: Work,
    #[route(_ => last(approve = number, else = right_too))]
    left: Work,
    #[route(_ => last)]
    right: Work,
    #[route(_ => last)]
    right_too: Work,
    #[route(_ => end)]
    last: Work,
}

fn main() {
    let approved: Vec<_> = Desk::<Work>::edges()
        .iter()
        .filter_map(|edge| Some(format!("{}: {}", edge.route, edge.route.approval()?)))
        .collect();
    assert_eq!(
        approved,
        [
            "second(approve = of_desks::large, else = end): of_desks::large",
            "third(limit = 2, approve = crate::of_desks::large, else = fourth): crate::of_desks::large",
            "third(approve = state, else = fourth): state",
            "first(limit = 3, approve = number, else = fourth): number",
            "last(approve = number, else = right_too): number",
        ]
    );
    let _ = Runtime::new(Desk {
        first: Work,
        second: Work,
        third: Work,
        fourth: Work,
        left: Work,
        right: Work,
        right_too: Work,
        last: Work,
    })
    .journal(Memory::default());
}
