//! What an agent asks of its model: how handoffs are shown, when a busy one is asked again, and how real
//! exchanges become tests.
#![cfg(feature = "agents")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod common;

use std::fs;
use std::time::Duration;

use futures::StreamExt;
use handoffs::agent::{
    Agent, AgentEvent, Given, HandoffStyle, Message, Model, ModelError, Recording, Replay,
    ReplayError, Reply, Request, Said, Script, ScriptedModel,
};
use handoffs::prelude::*;
use handoffs::{NodeError, async_trait};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

#[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
struct Ticket {
    #[state(messages)]
    messages: Log<Message>,
    #[state(progress)]
    steps: u32,
}

/// What triage can conclude.
#[derive(Outcome, Debug, PartialEq)]
enum Triaged {
    /// Charges, invoices and refunds.
    Billing {
        /// What it is about.
        reason: String,
    },
    /// Passwords.
    Access,
    #[outcome(answer)]
    Answered(String),
}

#[derive(Outcome, Debug, PartialEq)]
enum Billed {
    #[outcome(answer)]
    Done(String),
    Back,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Desk {
    #[route(
        Triaged::Billing { .. } => billing,
        Triaged::Access | Triaged::Answered(_) => end,
    )]
    #[retry(times = 3, backoff = "1s", jitter = false, on = ModelError::is_transient)]
    triage: Agent<Ticket, Triaged>,
    #[route(
        Billed::Done(_) => end,
        Billed::Back => triage(limit = 1, else = end),
    )]
    billing: Agent<Ticket, Billed>,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = desk)]
struct House {
    #[route(_ => end)]
    #[retry(times = 2, backoff = "1s", jitter = false)]
    desk: Plain,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Plain {
    #[route(_ => end)]
    triage: Agent<Ticket, Triaged>,
}

fn asked() -> Ticket {
    Ticket {
        messages: Log::from(vec![Message::user("hello")]),
        steps: 0,
    }
}

fn desk(triage: impl Model, billing: impl Model) -> Desk {
    Desk {
        triage: Agent::new(triage).instructions("You find the desk."),
        billing: Agent::new(billing).instructions("You handle money."),
    }
}

async fn finish(desk: Desk) -> Ticket {
    let run = Runtime::new(desk).thread("t").run(asked()).await.unwrap();
    run.finished().unwrap()
}

fn calls(ticket: &Ticket) -> Vec<(&str, &str, &Given)> {
    let turns = ticket.messages.iter().filter_map(|message| match message {
        Message::Agent(turn) => Some(turn),
        _ => None,
    });
    let calls = turns.flat_map(|turn| &turn.calls);
    calls
        .map(|call| (&*call.tool, &*call.arguments, &call.given))
        .collect()
}

/// A model to which handoffs are shown as one tool.
#[derive(Debug, Clone)]
struct OneTool(ScriptedModel);

#[async_trait]
impl Model for OneTool {
    async fn turn(
        &self,
        request: &Request,
        said: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        self.0.turn(request, said).await
    }

    fn handoff_style(&self) -> HandoffStyle {
        HandoffStyle::OneTool
    }
}

#[tokio::test]
async fn a16_the_one_tool_names_exactly_the_targets_that_are_enabled() {
    let over = || {
        Script::call(
            "transfer",
            json!({ "to": "billing", "billing": { "reason": "money" } }),
        )
    };
    let triage = ScriptedModel::new([over(), over(), Script::say("Then not.")]);
    let back = || Script::call("transfer_to_back", json!({}));
    let billing = ScriptedModel::new([back(), back(), Script::say("Done.")]);
    let ticket = finish(desk(OneTool(triage.clone()), billing)).await;

    let tools = &triage.requests()[0].tools;
    assert_eq!(tools.len(), 1);
    assert_eq!(tools[0].name, "transfer");
    assert_eq!(
        tools[0].description,
        "Hands over to one of these:\n- billing: Charges, invoices and refunds.\n- access: Passwords."
    );
    let expected = json!({
        "type": "object",
        "properties": {
            "to": { "type": "string", "enum": ["billing", "access"] },
            "billing": {
                "description": "What billing is told; null for any other.",
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {
                            "reason": { "type": "string", "description": "What it is about." },
                        },
                        "required": ["reason"],
                        "additionalProperties": false,
                    },
                    { "type": "null" },
                ],
            },
        },
        "required": ["billing", "to"],
        "additionalProperties": false,
    });
    assert_eq!(tools[0].parameters, expected);
    // The conversation holds what was meant, and the model is shown what it did.
    let made = Given::Handoff("billing".into());
    assert_eq!(
        calls(&ticket)[0],
        ("transfer_to_billing", r#"{"reason":"money"}"#, &made)
    );
    let again = &triage.requests()[1];
    let shown = again.messages.iter().find_map(|said| match said {
        Said::Assistant { calls, .. } => Some(&calls[0]),
        _ => None,
    });
    let shown = shown.unwrap();
    assert_eq!(shown.tool, "transfer");
    let arguments: Value = serde_json::from_str(&shown.arguments).unwrap();
    assert_eq!(
        arguments,
        json!({ "to": "billing", "billing": { "reason": "money" } })
    );
}

#[tokio::test]
async fn an_edge_that_is_masked_is_no_target_of_the_one_tool() {
    let billing = ScriptedModel::new([
        Script::call("transfer", json!({ "to": "back" })),
        Script::call("transfer", json!({ "to": "back" })),
        Script::say("Then I do it."),
    ]);
    let over = || Script::call("transfer_to_billing", json!({ "reason": "money" }));
    let graph = Desk {
        triage: Agent::new(ScriptedModel::new([over(), over()])),
        billing: Agent::new(billing.clone()).handoff_style(HandoffStyle::OneTool),
    };
    let ticket = finish(graph).await;
    let requests = billing.requests();
    assert_eq!(
        requests[0].tools[0].parameters["properties"]["to"]["enum"],
        json!(["back"])
    );
    assert_eq!(requests[1].tools, []);
    let calls = calls(&ticket);
    let Given::Error(refused) = calls[3].2 else {
        panic!("{calls:?}")
    };
    assert!(refused.contains("not possible any more"), "{refused}");
}

#[tokio::test]
async fn a_transfer_that_means_nobody_is_a_mistake() {
    for wrong in [
        json!({ "to": "marketing" }),
        json!({}),
        json!({ "to": "access", "billing": { "reason": "money" } }),
        json!({ "to": "billing" }),
        json!({ "to": "billing", "billing": { "reason": 12 } }),
    ] {
        let triage = ScriptedModel::new([
            Script::call("transfer", wrong.clone()),
            Script::call("transfer", json!({ "to": "access", "billing": null })),
        ]);
        let ticket = finish(desk(OneTool(triage), ScriptedModel::new([]))).await;
        let calls = calls(&ticket);
        assert!(matches!(calls[0].2, Given::Error(_)), "{wrong}: {calls:?}");
        assert_eq!(*calls[1].2, Given::Handoff("access".into()));
    }
}

#[tokio::test]
async fn no_tool_may_be_named_like_the_one_that_hands_over() {
    let transfer = handoffs::agent::tool("transfer", "Sends money.", async |_: Value| {
        Ok::<_, std::io::Error>("sent")
    });
    let mut graph = desk(OneTool(ScriptedModel::new([])), ScriptedModel::new([]));
    graph.triage = graph.triage.tool(transfer);
    let run = Runtime::new(graph).thread("t").run(asked()).await;
    let error = run.unwrap_err();
    assert!(
        common::chain(&error).contains("two tools named `transfer`"),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_busy_model_is_asked_again_when_it_said_so() {
    let busy = || {
        ScriptedModel::with_errors([
            Err(ModelError::busy(Some(Duration::from_secs(30)))),
            Ok(Script::say("Yes.")),
        ])
    };
    let begun = Instant::now();
    finish(desk(busy(), ScriptedModel::new([]))).await;
    assert_eq!(
        begun.elapsed(),
        Duration::from_secs(31),
        "the backoff is on top"
    );

    // The retry of the node around the graph knows it as well.
    let begun = Instant::now();
    let house = House {
        desk: Plain {
            triage: Agent::new(busy()),
        },
    };
    let thread = Runtime::new(house).thread("t");
    let mut events = thread.stream(asked());
    let mut delays = Vec::new();
    while let Some(event) = events.next().await {
        if let Event::Attempted { delay, .. } = event.unwrap() {
            delays.push(delay);
        }
    }
    assert_eq!(delays, [Duration::from_secs(31)]);
    assert_eq!(begun.elapsed(), Duration::from_secs(31));
}

#[test]
fn a_node_by_hand_says_as_well_when_to_try_again() {
    let later = NodeError::later(Duration::from_secs(7), "slow down");
    assert_eq!(later.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(
        common::chain(&later),
        "the node returned an error: slow down"
    );
    assert_eq!(NodeError::new("no").retry_after(), None);
}

/// A conversation of two agents, in which one mistake and one error is made.
fn real() -> (ScriptedModel, ScriptedModel) {
    let triage = ScriptedModel::with_errors([
        Err(ModelError::busy(Some(Duration::from_millis(1500)))),
        Ok(Script::call("transfer_to_billing", json!({ "reason": 12 })).text("Let me see.")),
        Ok(
            Script::call("transfer_to_billing", json!({ "reason": "money" }))
                .usage(handoffs::Usage::tokens(12, 3)),
        ),
    ]);
    (triage, ScriptedModel::new([Script::say("Paid back.")]))
}

async fn tell(desk: Desk) -> Result<(Vec<String>, String), RunError> {
    let runtime = Runtime::new(desk).journal(Memory::default());
    let thread = runtime.thread("t");
    let mut events = thread.stream(asked());
    let mut pieces = Vec::new();
    let mut last = None;
    while let Some(event) = events.next().await {
        match event? {
            Event::Agent {
                event: AgentEvent::Said(piece),
                ..
            } => pieces.push(piece),
            Event::Finished(state) => last = Some(state),
            _ => {}
        }
    }
    Ok((pieces, serde_json::to_string(&last.unwrap()).unwrap()))
}

#[tokio::test(start_paused = true)]
async fn a_real_conversation_becomes_a_test() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk.jsonl");
    let (triage, billing) = real();
    let recorded = desk(
        Recording::new(triage, &path).unwrap(),
        Recording::new(billing, &path).unwrap(),
    );
    let real = tell(recorded).await.unwrap();
    assert_eq!(real.0, ["Let ", "me ", "see.", "Paid ", "back."]);

    let begun = Instant::now();
    let replay = Replay::open(&path).unwrap();
    assert_eq!(replay.left(), 4);
    let again = tell(desk(replay.clone(), replay.clone())).await.unwrap();
    assert_eq!(again, real);
    assert_eq!(replay.left(), 0);
    assert_eq!(
        begun.elapsed(),
        Duration::from_millis(2500),
        "it is busy as long"
    );

    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["busy"], json!({ "retry_after_ms": 1500 }));
    assert_eq!(lines[1]["said"], json!(["Let ", "me ", "see."]));
    assert_eq!(lines[3]["reply"]["text"], "Paid back.");
}

#[tokio::test]
async fn a_replay_refuses_what_differs_and_says_in_which_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk.jsonl");
    let say = || ScriptedModel::new([Script::say("Hello.")]);
    let recorded = desk(
        Recording::new(say(), &path).unwrap(),
        ScriptedModel::new([]),
    );
    finish(recorded).await;

    let refused = async |desk: Desk, state| {
        let run = Runtime::new(desk).thread("t").run(state).await;
        common::chain(&run.unwrap_err())
    };
    let replay = || Replay::open(&path).unwrap();
    let mut other = asked();
    other.messages.push(Message::user("Are you there?"));
    let error = refused(desk(replay(), say()), other).await;
    let expected = "talk.jsonl was asked otherwise: on line 1, `messages[1]` was not there, and is \
                    {\"user\":\"Are you there?\"}";
    assert!(error.ends_with(expected), "{error}");

    let mut changed = desk(replay(), say());
    changed.triage = changed.triage.instructions("You guess the desk.");
    let error = refused(changed, asked()).await;
    let expected = "`instructions` was \"You find the desk.\", and is \"You guess the desk.\"";
    assert!(error.ends_with(expected), "{error}");

    let replay = replay();
    finish(desk(replay.clone(), say())).await;
    let error = refused(desk(replay, say()), asked()).await;
    assert!(
        error.ends_with("talk.jsonl has no exchange left"),
        "{error}"
    );
}

#[tokio::test]
async fn a_recording_is_shown_handoffs_as_its_model_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk.jsonl");
    let over = || ScriptedModel::new([Script::call("transfer", json!({ "to": "access" }))]);
    let recording = Recording::new(OneTool(over()), &path).unwrap();
    finish(desk(recording, over())).await;
    finish(desk(Replay::open(&path).unwrap(), over())).await;
}

#[test]
fn a_file_that_is_no_recording_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk.jsonl");
    let error = Replay::open(&path).unwrap_err();
    assert!(matches!(error, ReplayError::Read { .. }), "{error}");
    fs::write(&path, "{\"request\":").unwrap();
    let error = Replay::open(&path).unwrap_err();
    assert!(
        matches!(error, ReplayError::Line { line: 1, .. }),
        "{error}"
    );
    // What was cut off is not written on.
    let error = Recording::new(ScriptedModel::new([]), &path).unwrap_err();
    assert!(
        error.to_string().ends_with("ends in the middle of a line"),
        "{error}"
    );
}

#[tokio::test]
async fn what_cannot_be_recorded_is_no_turn() {
    let full = "/dev/full";
    if !std::path::Path::new(full).exists() {
        return;
    }
    let recording = Recording::new(ScriptedModel::new([Script::say("Hello.")]), full).unwrap();
    let run = Runtime::new(desk(recording, ScriptedModel::new([])));
    let error = run.thread("t").run(asked()).await.unwrap_err();
    assert!(common::chain(&error).contains("cannot be recorded in /dev/full"));
}
