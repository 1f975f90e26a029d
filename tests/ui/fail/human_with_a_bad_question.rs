//! H011: a question that is not made from the state, and an answer that is no node of it.

use handoffs::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(State, Clone)]
struct Ticket {
    note: String,
}

#[derive(Serialize)]
struct Question(String);

#[derive(Serialize)]
struct Asked(String);

impl From<&Ticket> for Asked {
    fn from(ticket: &Ticket) -> Self {
        Self(ticket.note.clone())
    }
}

#[derive(Deserialize)]
struct Answer;

#[node(Ticket)]
impl Answer {
    fn run(&self) {}
}

#[derive(Deserialize)]
struct Silence;

#[derive(AgentGraph)]
#[graph(state = Ticket, start = asks)]
struct NotFromTheState {
    #[route(_ => end)]
    asks: Human<Question, Answer>,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = asks)]
struct AnswerIsNoNode {
    #[route(_ => end)]
    asks: Human<Asked, Silence>,
}

fn main() {}
