//! The desk with scripted models, so that each run of it is the same.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::sync::Arc;

use handoffs::agent::{Message, Model, Script, ScriptedModel};
use handoffs::prelude::*;
use serde_json::json;

use crate::bank::Bank;
use crate::graph::{SupportDesk, Ticket};
use crate::models::{Models, QUESTION};

fn ticket(question: &str) -> Ticket {
    let ticket = Ticket {
        customer: "customer-42".to_owned(),
        ..Ticket::default()
    };
    ticket.ask(question)
}

fn agents(ticket: &Ticket) -> Vec<&str> {
    let agents = ticket.messages.iter().filter_map(|message| match message {
        Message::Agent(turn) => Some(&*turn.agent),
        _ => None,
    });
    agents.collect()
}

#[tokio::test]
async fn the_wrong_desk_hands_back_and_the_right_one_refunds_once() {
    let bank = Bank::default();
    let desk = SupportDesk::new(Models::scripted(), &bank);
    let runtime = Runtime::new(desk).journal(Memory::default());
    let run = runtime.thread("t").run(ticket(QUESTION)).await.unwrap();
    let ticket = run.finished().unwrap();
    let path = [
        "triage", "access", "triage", "billing", "billing", "billing",
    ];
    assert_eq!(agents(&ticket), path);
    let refunded = bank.charges("customer-42");
    assert_eq!(refunded.iter().filter(|charge| charge.refunded).count(), 1);
    assert!(ticket.answer().contains("£3.40"));
}

#[tokio::test]
async fn a_desk_that_hands_back_and_back_ends_at_a_person() {
    let model = |name: &str, arguments, times| -> Arc<dyn Model> {
        let call = Script::call(format!("transfer_to_{name}"), arguments);
        Arc::new(ScriptedModel::new(vec![call; times]))
    };
    let models = Models {
        triage: model("access", json!({ "reason": "?" }), 3),
        access: model("wrong_desk", json!({ "note": "?" }), 3),
        billing: model("wrong_desk", json!({ "note": "?" }), 0),
    };
    let desk = SupportDesk::new(models, &Bank::default());
    let thread = Runtime::new(desk).journal(Memory::default()).thread("t");
    let ask = thread.run(ticket("?")).await.unwrap().paused().unwrap();
    assert_eq!(ask.node, "person");
    let run = thread
        .resume(ask.id, json!({ "text": "I look into it." }))
        .await;
    assert_eq!(run.unwrap().finished().unwrap().answer(), "I look into it.");
}

#[test]
fn the_drawing_is_up_to_date() {
    let drawing = concat!(env!("CARGO_MANIFEST_DIR"), "/desk.dot");
    handoffs::testing::assert_dot::<SupportDesk>(drawing);
}
