//! Or-patterns, nested patterns, bindings, guards and outcomes imported by a glob.
#![deny(warnings, missing_docs, unused, unreachable_pub, unused_qualifications)]

use handoffs::prelude::*;
use serde::Serialize;

#[derive(State, Clone, Debug, Default)]
struct Ticket {
    count: u32,
}

#[derive(Serialize)]
enum Kind {
    Card(u8),
    Transfer { to: Option<String> },
}

#[derive(Outcome)]
enum Triaged {
    Billing { kind: Kind, urgent: bool },
    Access(Kind, u32),
    Unclear,
}

use Triaged::*;

#[node(Ticket)]
async fn triage(count: &u32) -> Triaged {
    match count {
        0 => Unclear,
        1 => Access(Kind::Card(1), 2),
        _ => Billing { kind: Kind::Transfer { to: None }, urgent: true },
    }
}

#[node(Ticket)]
async fn desk() {}

fn is_new(ticket: &Ticket) -> bool {
    ticket.count == 0
}

mod rules {
    pub(crate) fn is_old(ticket: &super::Ticket) -> bool {
        ticket.count > 9
    }
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Service {
    #[route(
        | Billing { kind: Kind::Card(1..=3), .. } | Access(Kind::Card(0), _) => desk,
        Billing { kind: Kind::Transfer { to: Some(name) }, urgent: true } if is_new => desk,
        Billing { urgent, kind: _ } if rules::is_old => end,
        Billing { .. } => end,
        Access(_, count @ 1..) if is_new => desk,
        Access(..) | Unclear => end,
    )]
    triage: Triage,
    #[route(anything => end)]
    desk: Desk,
}

fn main() {
    let _ = Service { triage: Triage, desk: Desk };
    let route = Service::after_triage(&Ticket::default(), &Access(Kind::Card(0), 1));
    assert_eq!(route.to_string(), "desk");
}
