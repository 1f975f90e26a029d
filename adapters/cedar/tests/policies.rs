//! Agents whose tools are called by Cedar's leave.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use handoffs::agent::schemars::{self, JsonSchema};
use handoffs::agent::{Agent, Given, Message, Script, ScriptedModel, tool};
use handoffs::prelude::*;
use handoffs::{Approval, Recorded};
use handoffs_cedar::CedarPolicy;
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
#[schemars(crate = "schemars")]
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
    let mut turns = ticket.messages.iter().filter_map(|message| match message {
        Message::Agent(turn) => turn.calls.first(),
        _ => None,
    });
    turns.next_back().unwrap().given.clone()
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
    let careful = "permit (principal, action, resource) when { context has arguments };";
    let (desk, paid) = desk(careful, json!({ "pence": 1.5 }));
    let run = Runtime::new(desk).thread("day").run(asked()).await.unwrap();
    assert!(run.finished().is_some());
    assert_eq!(paid.load(Ordering::Relaxed), 0);
}

const SCHEMA: &str = "entity Agent, Thread;
action refund appliesTo {
    principal: Agent,
    resource: Thread,
    context: { arguments?: { pence?: Long } },
};";

fn wrong(rules: &str) -> String {
    CedarPolicy::new(rules).unwrap_err().to_string()
}

#[test]
fn rules_that_cannot_be_read_are_an_error_that_names_line_and_reason() {
    let rules = "permit (principal, action, resource);\n\nforbid (principal, action);\n";
    assert_eq!(
        wrong(rules),
        "the rules cannot be read\n  line 3: this policy is missing the `resource` variable in the scope; \
         policy scopes must contain a `principal`, `action`, and `resource` element in that order"
    );
    let rules = "permit (principal, action, resource)\nwhen { true ];\n";
    assert_eq!(
        wrong(rules),
        "the rules cannot be read\n  line 2: unexpected token `]` (expected `}`)"
    );
    let same = r#"
        @id("a") permit (principal, action, resource);
        @id("a") forbid (principal, action, resource);
    "#;
    assert_eq!(
        wrong(same),
        "two rules are named `a`: give each an `@id` of its own"
    );
}

#[test]
fn rules_that_do_not_fit_a_schema_are_an_error_that_names_line_and_reason() {
    CedarPolicy::with_schema(RULES, SCHEMA).unwrap();
    let wrong = |rules, schema| {
        let error = CedarPolicy::with_schema(rules, schema).unwrap_err();
        error.to_string()
    };
    let typo = "\npermit (principal == Agnt::\"billing\", action, resource);";
    assert_eq!(
        wrong(typo, SCHEMA),
        "the rules do not fit the schema\n  line 2: for policy `policy0`, unrecognized entity type `Agnt`; \
         did you mean `Agent`?"
    );
    let typo = "permit (principal, action, resource)\nwhen { context has arguments && context.arguments.pens > 1 };";
    assert_eq!(
        wrong(typo, SCHEMA),
        "the rules do not fit the schema\n  line 2: for policy `policy0`, attribute `arguments.pens` in context \
         for Action::\"refund\" not found; did you mean `pence`?"
    );
    assert_eq!(
        wrong(RULES, "entity Agent;\nentity;"),
        "the schema cannot be read\n  line 2: error parsing schema: unexpected token `;` (expected identifier)"
    );
}
