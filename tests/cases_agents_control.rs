//! Cases from the field, part A, of who stops and who goes on: a person before a handoff, a predicate behind
//! a reply, and what a listener is told on either side.
//!
//! The numbers are those of the project's collection of cases; what does not apply, and why, stands
//! in `COMPATIBILITY.md`.
#![cfg(feature = "agents")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use handoffs::agent::{Agent, Message, Script, ScriptedModel};
use handoffs::prelude::*;
use handoffs::{Approval, Event, RunError};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Talk {
    #[state(messages)]
    messages: Log<Message>,
}

#[derive(Outcome, Debug, PartialEq)]
enum Said {
    Next,
    #[outcome(answer)]
    Text(String),
}

fn asked(text: &str) -> Talk {
    Talk {
        messages: Log::from(vec![Message::user(text)]),
    }
}

fn texts(talk: &Talk) -> Vec<&str> {
    talk.messages.iter().map(Message::text).collect()
}

fn hands_over(text: &str) -> Script {
    Script::call("transfer_to_next", json!({})).text(text)
}

fn says(text: &str) -> Script {
    Script::say(text)
}

// ---- A person before a handoff.

#[derive(AgentGraph)]
#[graph(state = Talk, start = first)]
struct Approved {
    #[route(Said::Next => second, Said::Text(_) => end)]
    first: Agent<Talk, Said>,
    #[route(Said::Next => third(approve = how_long, else = stopped), Said::Text(_) => end)]
    second: Agent<Talk, Said>,
    #[route(_ => end)]
    third: Agent<Talk, Said>,
    #[route(_ => end)]
    stopped: Stopped,
}

fn how_long(talk: &Talk) -> usize {
    talk.messages.len()
}

#[node(Talk)]
fn stopped(messages: &mut Log<Message>, cx: &mut Context<'_>) {
    let why = cx.refusal().unwrap_or_default().to_owned();
    messages.push(Message::note(why));
}

fn approved() -> (Runtime<Approved, Memory>, ScriptedModel) {
    let third = ScriptedModel::new([says("done")]);
    let graph = Approved {
        first: Agent::new(ScriptedModel::new([hands_over("m1")])),
        second: Agent::new(ScriptedModel::new([hands_over("m2")])),
        third: Agent::new(third.clone()),
        stopped: Stopped,
    };
    (Runtime::new(graph).journal(Memory::default()), third)
}

/// A42: who stops at a handoff says from whom it comes; a new task is no answer to it.
#[tokio::test]
async fn a42_a_run_that_stops_at_a_handoff_takes_no_new_task_and_goes_on_with_the_handoff_alone() {
    let (runtime, _) = approved();
    let thread = runtime.thread("t");
    let ask = thread.run(asked("task")).await.unwrap().paused().unwrap();
    assert_eq!(ask.node, "second");

    let again = thread.run(asked("new task")).await;
    assert!(matches!(again, Err(RunError::Waiting { .. })), "{again:?}");
    let nothing = thread.recover().await.unwrap().paused().unwrap();
    assert_eq!(nothing.id, ask.id, "with nothing, it still waits");

    let end = thread.resume(ask.id, Approval::Approved).await.unwrap();
    let talk = end.finished().unwrap();
    assert_eq!(texts(&talk), ["task", "m1", "m2", "done"]);
}

/// A44: the answer leads to the receiver whose turn it was.
#[tokio::test]
async fn a44_an_approved_handoff_leads_to_the_node_before_which_the_run_was_stopped() {
    let (runtime, third) = approved();
    let thread = runtime.thread("t");
    let ask = thread.run(asked("task")).await.unwrap().paused().unwrap();
    assert_eq!(third.requests().len(), 0);
    let mut events = thread.resume_stream(ask.id, Approval::Approved).unwrap();
    let mut entered = Vec::new();
    while let Some(event) = events.next().await {
        if let Event::Entered { node, .. } = event.unwrap() {
            entered.push(node);
        }
    }
    assert_eq!(entered, [ApprovedNode::Third]);
    assert_eq!(third.requests().len(), 1);
}

/// A44: a handoff that is cancelled is told with the reason, and what follows is what the graph declares.
#[tokio::test]
async fn a44_a_cancelled_handoff_is_an_event_with_its_reason_and_the_receiver_is_never_asked() {
    let (runtime, third) = approved();
    let thread = runtime.thread("t");
    let ask = thread.run(asked("task")).await.unwrap().paused().unwrap();
    let no = Approval::Refused("not on a Sunday".to_owned());
    let mut events = thread.resume_stream(ask.id, no.clone()).unwrap();
    let (mut decided, mut end) = (None, None);
    while let Some(event) = events.next().await {
        match event.unwrap() {
            Event::Decided { approval, to, .. } => decided = Some((approval, to)),
            Event::Finished(talk) => end = Some(talk),
            _ => {}
        }
    }
    assert_eq!(decided, Some((no, Target::Node(ApprovedNode::Stopped))));
    let end = end.unwrap();
    assert_eq!(*texts(&end).last().unwrap(), "not on a Sunday");
    assert_eq!(third.requests().len(), 0);
}

// ---- An agent that goes on by itself.

/// How often the predicate was asked.
static ASKED: AtomicUsize = AtomicUsize::new(0);

fn says_response_2(talk: &Talk) -> bool {
    ASKED.fetch_add(1, Ordering::Relaxed);
    talk.messages.iter().next_back().unwrap().text() == "response 2"
}

/// A49: twice more, which is three calls.
#[tokio::test]
async fn a49_an_agent_that_may_go_on_twice_is_asked_three_times() {
    #[derive(AgentGraph)]
    #[graph(state = Talk, start = alone)]
    struct Autonomous {
        #[route(Said::Text(_) => alone(limit = 2, else = end), Said::Next => end)]
        alone: Agent<Talk, Said>,
    }

    let model = ScriptedModel::new((1..10).map(|n| says(&format!("response {n}"))));
    let graph = Autonomous {
        alone: Agent::new(model.clone()),
    };
    let run = Runtime::new(graph).thread("t").run(asked("go")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!(
        texts(&talk),
        ["go", "response 1", "response 2", "response 3"]
    );
    assert_eq!(model.requests().len(), 3);
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = alone)]
struct Stoppable {
    #[route(
        Said::Text(_) if says_response_2 => end,
        Said::Text(_) => alone(limit = 8, else = end),
        Said::Next => last,
    )]
    alone: Agent<Talk, Said>,
    #[route(_ => end)]
    last: Agent<Talk, Said>,
}

/// A49: with a predicate on the reply it is asked twice; of a handoff the predicate is not asked.
#[tokio::test]
async fn a49_a_predicate_stops_on_a_reply_and_is_not_asked_about_a_handoff() {
    let run = async |script: Vec<Script>| {
        let model = ScriptedModel::new(script);
        let graph = Stoppable {
            alone: Agent::new(model.clone()),
            last: Agent::new(ScriptedModel::new([says("done")])),
        };
        ASKED.store(0, Ordering::Relaxed);
        let run = Runtime::new(graph).thread("t").run(asked("go")).await;
        let talk = run.unwrap().finished().unwrap();
        let end = (*texts(&talk).last().unwrap()).to_owned();
        (model.requests().len(), ASKED.load(Ordering::Relaxed), end)
    };
    let texts = (1..10).map(|n| says(&format!("response {n}"))).collect();
    assert_eq!(run(texts).await, (2, 2, "response 2".to_owned()));
    let handoff = vec![hands_over("response 2")];
    assert_eq!(run(handoff).await, (1, 0, "done".to_owned()));
}

// ---- What a listener is told.

/// A58: a handoff is one event that names both sides, so nobody can mistake one for the other.
#[tokio::test]
async fn a58_a_handoff_is_told_with_who_hands_over_and_who_gets_it() {
    let (runtime, _) = approved();
    let mut events = runtime.thread("t").stream(asked("task"));
    let mut handoffs = Vec::new();
    while let Some(event) = events.next().await {
        if let Event::Stepped {
            node,
            to: Target::Node(to),
            ..
        } = event.unwrap()
        {
            handoffs.push((node, to));
        }
    }
    assert_eq!(
        handoffs,
        [
            (ApprovedNode::First, ApprovedNode::Second),
            (ApprovedNode::Second, ApprovedNode::Third)
        ]
    );
}
