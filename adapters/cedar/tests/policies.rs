//! Agents whose tools are called by Cedar's leave.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use handoffs::agent::schemars::JsonSchema;
use handoffs::agent::{Agent, Given, Message, Script, ScriptedModel, tool};
use handoffs::prelude::*;
use handoffs::{Approval, Recorded};
use handoffs_cedar::{CedarError, CedarPolicy};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const RULES: &str = r#"
    permit (principal, action, resource);

    @id("no-tools-by-night")
    forbid (principal, action == Action::"refund", resource == Thread::"night");

    @id("four-eyes")
    @approval("it is more than fifty")
    forbid (principal == Agent::"billing", action == Action::"refund", resource)
    when { context has arguments && context.arguments has pence && context.arguments.pence > 5000 };
"#;

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Ticket {
    #[state(messages)]
    messages: Log<Message>,
}

#[derive(Outcome)]
enum Billed {
    #[outcome(answer)]
    Done(String),
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = billing)]
struct Desk {
    #[route(_ => end)]
    billing: Agent<Ticket, Billed>,
}

#[derive(Deserialize, JsonSchema)]
struct Refund {
    pence: Option<f64>,
}

/// A desk whose model refunds once, and how often that was really done.
fn desk(rules: &str, arguments: Value) -> (Desk, Arc<AtomicU32>) {
    let model = ScriptedModel::new([Script::call("refund", arguments), Script::say("Done.")]);
    let paid = Arc::new(AtomicU32::new(0));
    let till = Arc::clone(&paid);
    let refund = tool("refund", "Gives money back.", move |refund: Refund| {
        assert!(refund.pence.is_none_or(|pence| pence > 0.0));
        till.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, std::io::Error>("paid") }
    });
    let policy = CedarPolicy::new(rules).unwrap();
    let billing = Agent::new(model).tool(refund).policy(policy);
    (Desk { billing }, paid)
}

fn asked() -> Ticket {
    Ticket {
        messages: Log::from(vec![Message::user("I want my money back.")]),
    }
}

fn given(ticket: &Ticket) -> Given {
    let turns = ticket.messages.iter().filter_map(|message| match message {
        Message::Agent(turn) => turn.calls.first(),
        _ => None,
    });
    turns.last().unwrap().given.clone()
}

#[tokio::test]
async fn what_is_permitted_is_called() {
    let (desk, paid) = desk(RULES, json!({ "pence": 340 }));
    let run = Runtime::new(desk).thread("day").run(asked()).await.unwrap();
    assert_eq!(
        given(&run.finished().unwrap()),
        Given::Result("paid".into())
    );
    assert_eq!(paid.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_is_forbidden_is_not_called_and_the_rule_is_named_to_the_model_and_in_the_journal() {
    let (desk, paid) = desk(RULES, json!({ "pence": 9_000 }));
    let thread = Runtime::new(desk)
        .journal(Memory::default())
        .thread("night");
    // Two rules forbid it; that one of them would ask a person is not enough.
    let ticket = thread.run(asked()).await.unwrap().finished().unwrap();
    let Given::Error(told) = given(&ticket) else {
        panic!("{ticket:?}")
    };
    assert!(
        told.contains("no-tools-by-night") && !told.contains("four-eyes"),
        "{told}"
    );
    assert_eq!(paid.load(Ordering::Relaxed), 0);
    let kept = thread.history().await.unwrap().into_iter().any(|entry| {
        let text = serde_json::to_string(&entry).unwrap();
        matches!(entry.event, Recorded::Once { .. }) && text.contains("no-tools-by-night")
    });
    assert!(kept);
}

#[tokio::test]
async fn a_rule_with_an_approval_asks_a_person() {
    for approved in [true, false] {
        let (desk, paid) = desk(RULES, json!({ "pence": 9_000 }));
        let thread = Runtime::new(desk).journal(Memory::default()).thread("day");
        let ask = thread.run(asked()).await.unwrap().paused().unwrap();
        assert!(ask.question.as_str().contains("it is more than fifty"));
        assert_eq!(paid.load(Ordering::Relaxed), 0);
        let answer = if approved {
            Approval::Approved
        } else {
            Approval::Refused("no".to_owned())
        };
        let run = thread.resume(ask.id, answer).await.unwrap();
        assert!(run.finished().is_some());
        assert_eq!(paid.load(Ordering::Relaxed), u32::from(approved));
    }
}

#[tokio::test]
async fn what_no_rule_permits_and_what_breaks_a_rule_is_denied() {
    let broken = r#"
        permit (principal, action, resource);
        @id("broken")
        forbid (principal, action, resource) when { context.arguments.euros > 1 };
    "#;
    for (rules, expected) in [("", "no rule permits it"), (broken, "broken")] {
        let (desk, paid) = desk(rules, json!({ "pence": 340 }));
        let run = Runtime::new(desk).thread("day").run(asked()).await.unwrap();
        let Given::Error(told) = given(&run.finished().unwrap()) else {
            panic!("{rules}")
        };
        assert!(told.contains(expected), "{told}");
        assert_eq!(paid.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test]
async fn arguments_that_cedar_cannot_read_are_left_out_as_a_whole() {
    let careful = r#"
        permit (principal, action, resource) when { context has arguments };
    "#;
    let (desk, paid) = desk(careful, json!({ "pence": 1.5 }));
    Runtime::new(desk).thread("day").run(asked()).await.unwrap();
    assert_eq!(paid.load(Ordering::Relaxed), 0);
}

#[test]
fn rules_are_checked_when_they_are_read() {
    assert!(matches!(
        CedarPolicy::new("permit ("),
        Err(CedarError::Rules(_))
    ));
    let same = r#"
        @id("a") permit (principal, action, resource);
        @id("a") forbid (principal, action, resource);
    "#;
    assert!(matches!(CedarPolicy::new(same), Err(CedarError::SameId(id)) if id == "a"));
    let schema = r#"
        entity Agent; entity Thread;
        action refund appliesTo { principal: Agent, resource: Thread, context: { arguments?: { pence?: Long } } };
    "#;
    CedarPolicy::with_schema(RULES, schema).unwrap();
    let typo = r#"permit (principal == Agnt::"billing", action, resource);"#;
    let error = CedarPolicy::with_schema(typo, schema).unwrap_err();
    assert!(error.to_string().contains("Agnt"), "{error}");
    assert!(matches!(
        CedarPolicy::with_schema(RULES, "entity"),
        Err(CedarError::Schema(_))
    ));
}
