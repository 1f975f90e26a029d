//! A hub and its spokes: each loop is bounded on the way back, none on the way out.
#![deny(warnings, missing_docs, unused, unreachable_pub, non_camel_case_types, unused_qualifications)]

use handoffs::prelude::*;

/// The state.
#[derive(State, Clone, Debug, Default)]
pub struct Ticket {
    /// What was said.
    pub messages: Log<String>,
}

/// Where to go from the hub.
#[derive(Outcome)]
pub enum Triaged {
    /// Money.
    Billing,
    /// Keys.
    Access,
    /// Done.
    Solved,
}

/// What a spoke concludes.
#[derive(Outcome)]
pub enum Worked {
    /// It is done.
    Done,
    /// It belongs elsewhere.
    WrongDesk,
}

/// The hub.
#[node(Ticket)]
pub async fn triage(messages: &Log<String>) -> Triaged {
    match messages.len() {
        0 => Triaged::Billing,
        1 => Triaged::Access,
        _ => Triaged::Solved,
    }
}

/// A spoke.
#[node(Ticket)]
pub async fn billing(messages: &mut Log<String>) -> Worked {
    messages.push("billing".to_owned());
    Worked::WrongDesk
}

/// A spoke that may also repeat itself.
#[node(Ticket)]
pub async fn access(messages: &mut Log<String>) -> Worked {
    messages.push("access".to_owned());
    Worked::Done
}

/// The graph.
#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
pub struct Hub {
    /// The hub.
    #[route(Triaged::Billing => billing, Triaged::Access => access, Triaged::Solved => end)]
    pub triage: Triage,
    /// A spoke.
    #[route(Worked::Done => end, Worked::WrongDesk => triage(limit = 2, else = end))]
    pub billing: Billing,
    /// A spoke that may also repeat itself.
    #[route(Worked::Done => end, Worked::WrongDesk => access(limit = 3, else = end))]
    pub access: Access,
}

/// A graph of one node, with a limited edge to itself.
#[derive(AgentGraph)]
#[graph(state = Ticket, start = only)]
pub struct One {
    /// The node.
    #[route(Worked::Done => end, _ => only(limit = 1, else = end))]
    pub only: Access,
}

fn main() {
    let route = Hub::after_billing(&Ticket::default(), &Worked::WrongDesk);
    assert_eq!(route, Route::to(HubNode::Triage).limit(2).or_end());
    assert_eq!(One::MAX_HANDOFFS, 1);
    let _ = Hub { triage: Triage, billing: Billing, access: Access };
    let _ = One { only: Access };
}
