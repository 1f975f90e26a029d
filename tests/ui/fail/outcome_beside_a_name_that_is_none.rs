//! H007: in an or-pattern with a binding or a constant, no variant's promise counts.

use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    account: Option<String>,
}

#[derive(Outcome, PartialEq, Eq)]
enum Triaged {
    #[outcome(gives(account))]
    Known,
    Unknown,
}

impl Triaged {
    const FALLBACK: Self = Self::Unknown;
}

#[node(Ticket)]
fn triage(account: &mut Option<String>) -> Triaged {
    if account.is_some() { Triaged::Known } else { Triaged::Unknown }
}

#[node(Ticket)]
fn billing(account: &str) {
    let _ = account;
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct WithAConstant {
    #[route(Triaged::Known | Triaged::FALLBACK => billing)]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct WithABinding {
    #[route(any @ Triaged::Known | any => billing)]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

fn main() {}
