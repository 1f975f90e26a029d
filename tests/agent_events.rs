//! What an agent tells while it is at work, as events of the run.
#![cfg(feature = "agents")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::StreamExt;
use handoffs::agent::{
    Agent, AgentEvent, Given, Message, Model, ModelError, Reply, Request, Script, ScriptedModel,
    Tool, tool,
};
use handoffs::prelude::*;
use handoffs::{Inner, async_trait};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
struct Talk {
    #[state(messages)]
    messages: Log<Message>,
}

#[derive(Outcome, Debug)]
enum Said {
    Billing {
        sum: u32,
    },
    Access,
    #[outcome(answer)]
    Answer(String),
}

#[derive(Outcome, Debug)]
enum Done {
    #[outcome(answer)]
    Done(String),
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = triage)]
struct Desk {
    #[route(Said::Billing { .. } => billing, Said::Access | Said::Answer(_) => end)]
    #[retry(times = 2, backoff = "1s", jitter = false)]
    #[timeout(idle = "10s")]
    triage: Agent<Talk, Said>,
    #[route(_ => end)]
    billing: Agent<Talk, Done>,
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = desk)]
struct House {
    #[route(_ => end)]
    desk: Desk,
}

fn asked() -> Talk {
    Talk {
        messages: Log::from(vec![Message::user("hello")]),
    }
}

fn look() -> impl Tool {
    #[derive(Deserialize, JsonSchema)]
    struct Look {
        number: u32,
    }
    tool("look", "Looks an invoice up.", async |look: Look| {
        Ok::<_, std::io::Error>(format!("invoice {}", look.number))
    })
}

fn desk(triage: impl Model) -> Desk {
    Desk {
        triage: Agent::new(triage).tool(look()),
        billing: Agent::new(ScriptedModel::new([Script::say("Paid back.")])),
    }
}

fn line(node: &str, event: &AgentEvent) -> String {
    match event {
        AgentEvent::Said(piece) => format!("{node} says {piece:?}"),
        AgentEvent::Called(call) => format!("{node} calls {} {}", call.tool, call.arguments),
        AgentEvent::Returned { call, given, .. } => {
            format!("{node}: {} gave {}", call.tool, given.text())
        }
        AgentEvent::Passed(call) => format!("{node} passes over {}", call.tool),
        AgentEvent::Mistake { call, told, .. } => {
            let of = call.as_ref().map_or("the text", |call| &call.tool);
            format!("{node} was wrong about {of}: {told}")
        }
        other => panic!("{other:?}"),
    }
}

/// What a listener hears, line by line.
fn heard<G>(event: &Event<G>) -> Option<String>
where
    G: handoffs::Runnable<State = Talk>,
{
    Some(match event {
        Event::Agent { node, event, .. } => line(&node.to_string(), event),
        Event::Stepped { node, outcome, .. } => format!("{node} concludes {}", outcome.variant),
        Event::Attempted { node, error, .. } => format!("{node} fails: {error}"),
        Event::Within {
            event: Inner::Agent { node, event, .. },
            ..
        } => format!("within, {}", line(node, event)),
        _ => return None,
    })
}

async fn listen<G, K>(runtime: &Runtime<G, K>) -> Vec<String>
where
    G: handoffs::Runnable<State = Talk>,
    K: handoffs::Keep,
{
    let mut events = runtime.thread("t").stream(asked());
    let mut lines = Vec::new();
    while let Some(event) = events.next().await {
        lines.extend(heard(&event.unwrap()));
    }
    lines
}

#[tokio::test]
async fn pieces_calls_mistakes_and_dropped_transfers_are_told_as_they_happen() {
    let triage = ScriptedModel::new([
        Script::call("look", json!({ "number": 7 })).text("Let me see."),
        Script::call("transfer_to_billing", json!({ "sum": "much" })),
        Script::call("transfer_to_billing", json!({ "sum": 12 }))
            .and_call("transfer_to_access", json!({})),
    ]);
    let lines = listen(&Runtime::new(desk(triage))).await;
    let expected = [
        r#"triage says "Let ""#,
        r#"triage says "me ""#,
        r#"triage says "see.""#,
        r#"triage calls look {"number":7}"#,
        "triage: look gave invoice 7",
        "triage was wrong about transfer_to_billing: the arguments of transfer_to_billing do not fit: \
         invalid type: string \"much\", expected u32",
        "triage passes over transfer_to_access",
        "triage concludes Billing",
        r#"billing says "Paid ""#,
        r#"billing says "back.""#,
        "billing concludes Done",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn agents_of_a_graph_within_are_heard() {
    let house = House {
        desk: desk(ScriptedModel::new([Script::say("No.")])),
    };
    let lines = listen(&Runtime::new(house)).await;
    assert_eq!(lines, [r#"within, triage says "No.""#, "desk concludes ()"]);
}

/// A model that says a number of pieces, with a while between them, and then fails or not.
#[derive(Debug, Clone, Default)]
struct Slow {
    said: Arc<AtomicU32>,
    asked: Arc<AtomicU32>,
    dropped: Arc<AtomicU32>,
    fails: u32,
    pause: Duration,
}

struct Dropped(Arc<AtomicU32>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Model for Slow {
    async fn turn(
        &self,
        _: &Request,
        said: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        let times = self.asked.fetch_add(1, Ordering::Relaxed);
        let _dropped = Dropped(Arc::clone(&self.dropped));
        for piece in ["one ", "two ", "three"] {
            tokio::time::sleep(self.pause).await;
            self.said.fetch_add(1, Ordering::Relaxed);
            said(piece);
        }
        if times < self.fails {
            return Err(ModelError::Unreachable("cut".into()));
        }
        Ok(Reply::text("one two three"))
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_said_of_a_failed_attempt_is_followed_by_its_failure_and_said_anew() {
    let model = Slow {
        fails: 1,
        ..Slow::default()
    };
    let store = Memory::default();
    let runtime = Runtime::new(desk(model.clone())).journal(store);
    let lines = listen(&runtime).await;
    let turn = [
        r#"triage says "one ""#,
        r#"triage says "two ""#,
        r#"triage says "three""#,
    ];
    let failed = [
        "triage fails: the node returned an error: the model could not be reached, or was cut off: cut",
    ];
    let expected = [&turn[..], &failed, &turn, &["triage concludes Answer"]].concat();
    assert_eq!(lines, expected);
    let talk = runtime.thread("t").state().await.unwrap();
    assert_eq!(talk.messages.len(), 2, "what was cut off is in no log");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_speaks_is_alive_however_long_it_takes() {
    let model = Slow {
        pause: Duration::from_secs(9),
        ..Slow::default()
    };
    let lines = listen(&Runtime::new(desk(model.clone()))).await;
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(model.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_model_waits_for_a_slow_listener_and_nothing_is_lost() {
    let model = Slow {
        pause: Duration::from_millis(1),
        ..Slow::default()
    };
    let runtime = Runtime::new(desk(model.clone()));
    let mut events = runtime.thread("t").stream(asked());
    let mut pieces = 0;
    while let Some(event) = events.next().await {
        if let Event::Agent { .. } = event.unwrap() {
            pieces += 1;
            assert_eq!(
                model.said.load(Ordering::Relaxed),
                pieces,
                "it did not run ahead"
            );
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(pieces, 3);
}

#[tokio::test(start_paused = true)]
async fn who_stops_listening_stops_the_model() {
    let model = Slow {
        pause: Duration::from_millis(1),
        ..Slow::default()
    };
    let runtime = Runtime::new(desk(model.clone()));
    let mut events = runtime.thread("t").stream(asked());
    while let Some(event) = events.next().await {
        if let Event::Agent { .. } = event.unwrap() {
            break;
        }
    }
    assert_eq!(model.dropped.load(Ordering::Relaxed), 0);
    drop(events);
    assert_eq!(model.dropped.load(Ordering::Relaxed), 1);
    assert_eq!(model.said.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_visit_had_done_before_it_was_taken_up_again_is_not_told_again() {
    let triage = ScriptedModel::with_errors([
        Ok(Script::call("look", json!({ "number": 7 }))
            .and_call("unknown", json!({}))
            .text("Hm.")),
        Err(ModelError::busy(None)),
        Ok(Script::say("Yes.")),
    ]);
    let runtime = Runtime::new(desk(triage)).journal(Memory::default());
    let lines = listen(&runtime).await;
    let expected = [
        r#"triage says "Hm.""#,
        r#"triage calls look {"number":7}"#,
        "triage: look gave invoice 7",
        "triage was wrong about unknown: unknown is not a valid tool, try one of [look, \
         transfer_to_billing, transfer_to_access].",
        "triage fails: the node returned an error: the model is busy or the caller is over its limit",
        r#"triage says "Yes.""#,
        "triage concludes Answer",
    ];
    assert_eq!(lines, expected);
    let talk = runtime.thread("t").state().await.unwrap();
    let Some(Message::Agent(turn)) = talk.messages.get(1) else {
        panic!("{talk:?}")
    };
    assert_eq!(turn.calls[0].given, Given::Result("invoice 7".into()));
}
