//! H011: nobody could tell whose an old entry is.

#![allow(unreachable_patterns)]

use handoffs::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
struct Ticket {
    #[serde(alias = "price")]
    cost: u32,
    price: u32,
    #[serde(alias = "said", alias = "lines")]
    messages: Log<String>,
    #[serde(alias = "said")]
    notes: Log<String>,
}

#[node(Ticket)]
fn work() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = intake, renamed_from = "Desk", renamed_from = "Help", renamed_from = "Help")]
struct Desk {
    #[node(renamed_from = "triage")]
    #[route(_ => triage)]
    intake: Work,
    #[route(_ => human)]
    #[node(renamed_from = "front", renamed_from = "entrance")]
    triage: Work,
    #[route(_ => end)]
    #[node(renamed_from = "front")]
    human: Work,
}

fn main() {}
