//! Handoffs that fail, case A56: the target is tried again, or the one who handed over gets the conversation
//! back and knows why, or a person does, as the graph says. The state is as before the handoff, and
//! nothing is left over.
#![cfg(feature = "agents")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(clippy::ptr_arg, reason = "so routes and nodes are written")]

mod common;

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use common::{Counting, Stopping, Tally, path};
use handoffs::agent::{
    Agent, Message, Model, ModelError, Reply, Request, Said, Script, ScriptedModel, ToolCall, tool,
};
use handoffs::prelude::*;
use handoffs::{Journal, NodeError, Thread};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Talk {
    #[state(messages)]
    messages: Log<Message>,
    lines: Log<String>,
    paid: u32,
}

fn asked(text: &str) -> Talk {
    Talk {
        messages: vec![Message::user(text)].into(),
        ..Talk::default()
    }
}

fn texts(talk: &Talk) -> Vec<String> {
    let text = |message: &Message| match message {
        Message::User(text) => format!("user: {text}"),
        Message::Note(text) => format!("note: {text}"),
        Message::Agent(turn) if turn.text.is_empty() => {
            let calls: Vec<_> = turn.calls.iter().map(|call| call.tool.as_str()).collect();
            format!("{}: [{}]", turn.agent, calls.join(", "))
        }
        Message::Agent(turn) => format!("{}: {}", turn.agent, turn.text),
        _ => "?".to_owned(),
    };
    talk.messages.iter().map(text).collect()
}

#[derive(Outcome)]
enum Triaged {
    Billing,
    #[outcome(answer)]
    Done(String),
}

#[derive(Outcome)]
enum Billed {
    #[outcome(answer)]
    Done(String),
}

#[derive(Serialize, Deserialize)]
struct Complaint {
    lines: usize,
}

impl From<&Talk> for Complaint {
    fn from(talk: &Talk) -> Self {
        Self {
            lines: talk.messages.len(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Advice(String);

#[node(Talk)]
impl Advice {
    fn run(&self, lines: &mut Log<String>) {
        lines.push(self.0.clone());
    }
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = triage)]
struct Desk {
    #[route(Triaged::Billing => billing(limit = 3), Triaged::Done(_) => end)]
    #[on_error(then = person)]
    triage: Agent<Talk, Triaged>,
    #[route(_ => end)]
    #[retry(times = 2, backoff = "1ms")]
    #[on_error(then = back)]
    billing: Agent<Talk, Billed>,
    #[route(_ => end)]
    person: Human<Complaint, Advice>,
}

fn over() -> Script {
    Script::call("transfer_to_billing", json!({}))
}

fn desk(triage: impl Model, billing: impl Model) -> Desk {
    Desk {
        triage: Agent::new(triage),
        billing: Agent::new(billing),
        person: Human::new(),
    }
}

const NOTE: &str = "billing could not do its part: the node returned an error: the model is busy or the \
                    caller is over its limit.";

#[tokio::test]
async fn a56_a_target_that_fails_is_tried_again_and_then_the_sender_is_told_and_goes_on() {
    let triage = ScriptedModel::new([over(), Script::say("Billing is closed.")]);
    let billing =
        ScriptedModel::with_errors([Err(ModelError::busy(None)), Err(ModelError::busy(None))]);
    let runtime = Runtime::new(desk(triage.clone(), billing.clone())).journal(Memory::default());
    let thread = runtime.thread("t");
    let talk = thread.run(asked("refund")).await.unwrap();
    let talk = talk.finished().unwrap();
    assert_eq!(billing.requests().len(), 2, "it was tried again");
    let note = format!("note: {NOTE}");
    let expected = [
        "user: refund",
        "triage: [transfer_to_billing]",
        &note,
        "triage: Billing is closed.",
    ];
    assert_eq!(texts(&talk), expected);
    let last = triage.requests()[1].messages.last().unwrap().clone();
    assert_eq!(last, Said::User(NOTE.to_owned()), "the model was told");
    assert!(thread.asks().await.unwrap().is_empty());
    assert_eq!(thread.status().await.unwrap(), Status::Finished);
    assert_eq!(thread.state().await.unwrap(), talk);
}

#[tokio::test]
async fn a56_a_target_that_recovers_leaves_no_word_of_it() {
    let triage = ScriptedModel::new([over()]);
    let billing =
        ScriptedModel::with_errors([Err(ModelError::busy(None)), Ok(Script::say("Paid."))]);
    let run = Runtime::new(desk(triage, billing)).journal(Memory::default());
    let talk = run.thread("t").run(asked("refund")).await.unwrap();
    let expected = [
        "user: refund",
        "triage: [transfer_to_billing]",
        "billing: Paid.",
    ];
    assert_eq!(texts(&talk.finished().unwrap()), expected);
}

#[tokio::test]
async fn a56_where_the_sender_cannot_go_on_either_a_person_is_asked() {
    let triage = ScriptedModel::with_errors([Ok(over()), Err(ModelError::busy(None))]);
    let billing =
        ScriptedModel::with_errors([Err(ModelError::busy(None)), Err(ModelError::busy(None))]);
    let runtime = Runtime::new(desk(triage, billing)).journal(Memory::default());
    let thread = runtime.thread("t");
    let ask = thread.run(asked("refund")).await.unwrap().paused().unwrap();
    assert_eq!(
        (
            ask.node.as_ref(),
            ask.question.to::<Complaint>().unwrap().lines
        ),
        ("person", 2)
    );
    let before = thread.state().await.unwrap();
    assert_eq!(
        texts(&before),
        ["user: refund", "triage: [transfer_to_billing]"]
    );
    let talk = thread
        .resume(ask.id, Advice("Call them.".into()))
        .await
        .unwrap();
    assert_eq!(
        talk.finished().unwrap().lines.iter().collect::<Vec<_>>(),
        ["Call them."]
    );
}

/// Hands over, and answers when it is told that this failed.
#[derive(Debug)]
struct Resigned;

#[async_trait]
impl Model for Resigned {
    async fn turn(
        &self,
        request: &Request,
        _: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        Ok(match request.messages.last() {
            Some(Said::User(text)) if text == NOTE => Reply::text("Billing is closed."),
            _ => Reply::default().call(ToolCall::new("1", "transfer_to_billing", "{}")),
        })
    }
}

#[derive(Debug)]
struct Busy;

#[async_trait]
impl Model for Busy {
    async fn turn(
        &self,
        _: &Request,
        _: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        Err(ModelError::busy(None))
    }
}

async fn finish(journal: impl Journal) -> Result<(Talk, Vec<String>), RunError> {
    let thread = Runtime::new(desk(Resigned, Busy))
        .journal(journal)
        .thread("t");
    let run = thread.run_once(asked("refund")).await?;
    Ok((run.finished().unwrap(), path(&thread.history().await?)))
}

#[tokio::test]
async fn a56_wherever_a_crash_cuts_it_off_the_sender_gets_the_same_conversation_back() {
    let counting = Counting::<Memory>::default();
    let undisturbed = finish(counting.clone()).await.unwrap();
    assert_eq!(undisturbed.1, ["triage", "triage"]);
    assert_eq!(texts(&undisturbed.0).len(), 4);
    for last in 0..counting.appends() {
        for keeps_last in [false, true] {
            let disk = Memory::default();
            let cut = finish(Stopping::after(disk.clone(), last, keeps_last)).await;
            assert!(cut.is_err(), "append {last}");
            assert_eq!(
                finish(disk).await.unwrap(),
                undisturbed,
                "append {last}, {keeps_last}"
            );
        }
    }
}

// ---- Side effects.

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[tokio::test(start_paused = true)]
async fn what_a_target_has_done_is_not_done_again_and_what_nobody_knows_is_said() {
    #[derive(AgentGraph)]
    #[graph(state = Talk, start = triage)]
    struct Paying {
        #[route(Triaged::Billing => billing(limit = 3), Triaged::Done(_) => end)]
        triage: Agent<Talk, Triaged>,
        #[route(_ => end)]
        #[timeout("10s")]
        #[retry(times = 2, backoff = "1ms")]
        #[on_error(then = back)]
        billing: Agent<Talk, Billed>,
    }

    let tally = Tally::default();
    let of = tally.clone();
    let look = tool("look", "", move |_: Nothing| {
        of.count("look");
        async { Ok::<_, io::Error>("7") }
    });
    let of = tally.clone();
    let pay = tool("pay", "", move |_: Nothing| {
        of.count("pay");
        async {
            tokio::time::sleep(Duration::from_mins(1)).await;
            Ok::<_, io::Error>("paid")
        }
    });
    let triage = ScriptedModel::new([over(), Script::say("I do not know whether it was paid.")]);
    let billing = ScriptedModel::new([
        Script::call("look", json!({})),
        Script::call("pay", json!({})),
    ]);
    let paying = Paying {
        triage: Agent::new(triage),
        billing: Agent::new(billing.clone()).tool(look).tool(pay),
    };
    let runtime = Runtime::new(paying).journal(Memory::default());
    let talk = runtime.thread("t").run(asked("refund")).await.unwrap();
    let texts = texts(&talk.finished().unwrap());
    assert_eq!((tally.of("look"), tally.of("pay")), (1, 1));
    assert_eq!(billing.left(), 0, "no turn was made twice");
    assert!(
        texts[2].ends_with("Nobody knows whether `turn 2, call 1` was done."),
        "{texts:?}"
    );
}

// ---- Nodes that are no agents.

/// Hands over at first, and then says what it was told.
#[node(Talk)]
fn hand_over(lines: &mut Log<String>, cx: &mut Context<'_>) -> Sent {
    match cx.failure() {
        None => Sent::Off,
        Some(failure) => {
            lines.push(format!(
                "{} after {} attempts",
                failure.error, failure.attempts
            ));
            Sent::Done
        }
    }
}

#[derive(Outcome)]
enum Sent {
    Off,
    Done,
}

/// Pays once, writes, and fails.
struct Pay(Tally);

#[node(Talk)]
impl Pay {
    async fn run(
        &self,
        lines: &mut Log<String>,
        paid: &mut u32,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        let charge = async || {
            self.0.count("charge");
            Ok::<_, io::Error>(7)
        };
        *paid = cx.once("charge", charge).await?;
        lines.push("paid".to_owned());
        Err(NodeError::new(io::Error::other("no receipt")))
    }
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = send)]
struct Plain {
    #[route(Sent::Off => pay(limit = 2), Sent::Done => end)]
    send: HandOver,
    #[route(_ => end)]
    #[retry(times = 3, backoff = "1ms")]
    #[on_error(then = back)]
    pay: Pay,
}

async fn plain<J: Journal>(tally: &Tally, journal: J) -> Result<Thread<Plain, J>, RunError> {
    let plain = Plain {
        send: HandOver,
        pay: Pay(tally.clone()),
    };
    let thread = Runtime::new(plain).journal(journal).thread("t");
    thread.run_once(Talk::default()).await.map(|_| thread)
}

#[tokio::test]
async fn a56_without_agents_the_state_is_as_before_the_handoff_and_an_effect_is_done_once() {
    let counting = Counting::<Memory>::default();
    let tally = Tally::default();
    let whole = plain(&tally, counting.clone()).await.unwrap();
    let whole = whole.state().await.unwrap();
    let told = "the node returned an error: no receipt after 3 attempts";
    assert_eq!(whole.lines.iter().collect::<Vec<_>>(), [told]);
    assert_eq!((whole.paid, tally.of("charge")), (0, 1));
    for last in 0..counting.appends() {
        let disk = Memory::default();
        let tally = Tally::default();
        let cut = plain(&tally, Stopping::after(disk.clone(), last, true)).await;
        assert!(cut.is_err());
        let thread = plain(&tally, disk).await.unwrap();
        let state = thread.state().await.unwrap();
        assert_eq!(state.paid, 0, "append {last}");
        assert!(tally.of("charge") <= 1, "append {last}");
        assert_eq!(state.lines.len(), 1);
        assert!(thread.asks().await.unwrap().is_empty());
    }
}
