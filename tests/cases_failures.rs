//! Cases from the field: retries, error handlers and timeouts.
//!
//! The numbers are those of the project's collection of cases; what does not apply, and why, stands
//! in `COMPATIBILITY.md`.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Place, Tally, chain, path};
use futures::{FutureExt, StreamExt};
use handoffs::prelude::*;
use handoffs::{Entry, Masked, NodeError, Recorded, TimeoutKind};
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Memo {
    said: Log<String>,
    paid: u32,
}

fn said(memo: &Memo) -> Vec<&str> {
    memo.said.iter().map(String::as_str).collect()
}

#[derive(Debug)]
struct ValueError;

#[derive(Debug)]
struct KeyError;

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("value error")
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("key error")
    }
}

impl std::error::Error for ValueError {}
impl std::error::Error for KeyError {}

const fn is_value(_: &ValueError) -> bool {
    true
}

const fn is_key(_: &KeyError) -> bool {
    true
}

/// What a node does each time it is executed; what comes after that succeeds.
#[derive(Clone, Copy)]
enum Turn {
    Value,
    Key,
    Sleep(u64),
    Ask,
}

#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<Call>>>);

/// Which node was executed, when, and with which idempotency key.
type Call = (&'static str, Instant, String);

impl Calls {
    fn calls(&self, name: &str) -> usize {
        let calls = self.0.lock().unwrap();
        calls.iter().filter(|(node, ..)| *node == name).count()
    }
}

struct Act {
    name: &'static str,
    turns: Vec<Turn>,
    log: Calls,
    dropped: Tally,
}

fn act(name: &'static str, turns: &[Turn], log: &Calls) -> Act {
    Act {
        name,
        turns: turns.to_vec(),
        log: log.clone(),
        dropped: Tally::default(),
    }
}

struct Guest<'a>(&'a Act);

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.0.dropped.count(self.0.name);
    }
}

#[node(Memo)]
impl Act {
    async fn run(
        &self,
        said: &mut Log<String>,
        paid: &mut u32,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        let _guest = Guest(self);
        let call = self.log.calls(self.name);
        let entry = (self.name, Instant::now(), cx.idempotency_key());
        self.log.0.lock().unwrap().push(entry);
        *paid += 1;
        match cx.failure() {
            Some(failure) => said.push(format!("{} for {}", self.name, failure.error)),
            None => said.push(self.name.to_owned()),
        }
        match self.turns.get(call) {
            Some(Turn::Value) => Err(NodeError::new(ValueError)),
            Some(Turn::Key) => Err(NodeError::new(KeyError)),
            Some(Turn::Sleep(millis)) => {
                sleep(Duration::from_millis(*millis)).await;
                Ok(())
            }
            Some(Turn::Ask) => {
                let answer: String = cx.ask("go", "go on?").await?;
                said.push(answer);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn attempted(history: &[Entry]) -> usize {
    let attempted = |entry: &&Entry| matches!(entry.event, Recorded::Attempted { .. });
    history.iter().filter(attempted).count()
}

// ---- B58: one retry policy.

#[derive(AgentGraph)]
#[graph(state = Memo, start = work)]
struct OnePolicy {
    #[route(_ => end)]
    #[retry(times = 3, backoff = "10ms", jitter = false, on = is_value)]
    work: Act,
}

// B58.
async fn b58_a_node_that_fails_twice_succeeds_the_third_time_after_10_and_20_ms(at: &impl Place) {
    let log = Calls::default();
    let work = act("work", &[Turn::Value, Turn::Value], &log);
    let thread = Runtime::new(OnePolicy { work })
        .journal(at.open().await)
        .thread("t");
    let memo = thread.run(Memo::default()).await.unwrap().finished();
    assert_eq!(said(&memo.unwrap()), ["work"]);
    let calls = log.0.lock().unwrap().clone();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[1].1 - calls[0].1, 10 * MS);
    assert_eq!(calls[2].1 - calls[1].1, 20 * MS);
    // What stays the same over the attempts.
    assert!(calls[0].2 == calls[1].2 && calls[1].2 == calls[2].2);
    assert_eq!(attempted(&thread.history().await.unwrap()), 2);
}

// ---- B59: several retry policies.

#[derive(AgentGraph)]
#[graph(state = Memo, start = work)]
struct TwoPolicies {
    #[route(_ => end)]
    #[retry(times = 2, backoff = "10ms", jitter = false, on = is_value)]
    #[retry(times = 3, backoff = "20ms", jitter = false, on = is_key)]
    work: Act,
}

// B59.
async fn b59_each_kind_of_error_has_the_attempts_of_its_own_policy(at: &impl Place) {
    for (name, turns, attempts, is_ok) in [
        ("value", &[Turn::Value][..], 2, true),
        ("key", &[Turn::Key, Turn::Key], 3, true),
        ("values", &[Turn::Value, Turn::Value], 2, false),
        ("keys", &[Turn::Key, Turn::Key, Turn::Key], 3, false),
    ] {
        let log = Calls::default();
        let work = act("work", turns, &log);
        let runtime = Runtime::new(TwoPolicies { work }).journal(at.open().await);
        let run = runtime.thread(name).run(Memo::default()).await;
        assert_eq!(run.is_ok(), is_ok, "{name}");
        assert_eq!(log.calls("work"), attempts, "{name}");
    }
}

// ---- B60: error handlers.

#[derive(AgentGraph)]
#[graph(state = Memo, start = work)]
struct Handled {
    #[route(_ => never)]
    #[retry(times = 2, backoff = "10ms", jitter = false)]
    #[on_error(then = handler)]
    work: Act,
    #[route(_ => end)]
    never: Act,
    #[route(_ => after)]
    handler: Act,
    #[route(_ => end)]
    after: Act,
}

fn handled(work: &[Turn], handler: &[Turn], log: &Calls) -> Handled {
    Handled {
        work: act("work", work, log),
        never: act("never", &[], log),
        handler: act("handler", handler, log),
        after: act("handled_after", &[], log),
    }
}

// B60.
async fn b60_an_error_handler_runs_once_the_attempts_are_used_up_and_routes_on(at: &impl Place) {
    let log = Calls::default();
    let thread = Runtime::new(handled(&[Turn::Value; 9], &[], &log))
        .journal(at.open().await)
        .thread("t");
    let memo = thread.run(Memo::default()).await.unwrap().finished();
    let handler = "handler for the node returned an error: value error";
    assert_eq!(said(&memo.unwrap()), [handler, "handled_after"]);
    assert_eq!((log.calls("work"), log.calls("never")), (2, 0));
    let path = path(&thread.history().await.unwrap());
    assert_eq!(path, ["handler", "after"]);
}

#[derive(AgentGraph)]
#[graph(state = Memo, start = work)]
struct Crashed {
    #[route(_ => end)]
    #[on_error(then = handler)]
    work: Act,
    #[route(_ => end)]
    handler: Act,
}

// B60.
async fn b60_after_a_crash_in_the_handler_the_handler_alone_runs_again_with_the_kept_error(
    at: &impl Place,
) {
    let log = Calls::default();
    let open = async || {
        let graph = Crashed {
            work: act("work", &[Turn::Value], &log),
            handler: act("handler", &[Turn::Sleep(1000)], &log),
        };
        Runtime::new(graph).journal(at.open().await).thread("t")
    };
    let mut stream = open().await.stream(Memo::default());
    while let Some(event) = stream.next().await {
        let event = event.unwrap();
        if matches!(&event, Event::Entered { node, .. } if node.to_string() == "handler") {
            // One more poll, and it is at work.
            assert!(stream.next().now_or_never().is_none());
            break;
        }
    }
    assert_eq!((log.calls("work"), log.calls("handler")), (1, 1));
    drop(stream);
    let memo = open().await.recover().await.unwrap().finished().unwrap();
    let handler = "handler for the node returned an error: value error";
    assert_eq!(said(&memo), [handler]);
    assert_eq!((log.calls("work"), log.calls("handler")), (1, 2));
}

#[derive(AgentGraph)]
#[graph(state = Memo, start = begin)]
struct Concurrent {
    #[route(_ => all(asks, fails) join done)]
    begin: Start,
    #[route(_ => done)]
    #[on_error(then = handler)]
    asks: Say,
    #[route(_ => done)]
    #[on_error(then = handler)]
    fails: Say,
    #[route(_ => done)]
    handler: Say,
    #[route(_ => end)]
    done: Start,
}

#[node(Memo)]
fn start() {}

/// As an [`Act`], but it writes only what merges.
struct Say(Act);

#[node(Memo)]
impl Say {
    async fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        self.0.run(said, &mut 0, cx).await
    }
}

// B60.
async fn b60_an_error_handler_beside_a_pause_does_not_swallow_it(at: &impl Place) {
    let log = Calls::default();
    let open = async || {
        let graph = Concurrent {
            begin: Start,
            asks: Say(act("asks", &[Turn::Ask, Turn::Ask], &log)),
            fails: Say(act("fails", &[Turn::Value], &log)),
            handler: Say(act("handler", &[], &log)),
            done: Start,
        };
        Runtime::new(graph).journal(at.open().await).thread("t")
    };
    let ask = open().await.run(Memo::default()).await.unwrap().paused();
    let ask = ask.unwrap();
    assert_eq!(ask.node, "asks");
    assert_eq!((log.calls("fails"), log.calls("handler")), (1, 1));
    let memo = open().await.resume(ask.id, "yes").await.unwrap();
    let handler = "handler for the node returned an error: value error";
    let memo = memo.finished().unwrap();
    assert_eq!(said(&memo), ["asks", "yes", handler]);
    assert_eq!((log.calls("fails"), log.calls("handler")), (1, 1));
}

// ---- B61: a timeout of the place, not of the node.

#[derive(AgentGraph)]
#[graph(state = Memo, start = begin)]
struct Sent {
    #[route(_ => all(slow, patient) join done)]
    begin: Start,
    #[route(_ => done)]
    #[timeout(idle = "50ms")]
    slow: Say,
    #[route(_ => done)]
    #[timeout(idle = "1s")]
    patient: Say,
    #[route(_ => end)]
    done: Start,
}

#[derive(AgentGraph)]
#[graph(state = Memo, start = slow)]
struct Both {
    #[route(_ => end)]
    #[timeout("50ms", idle = "500ms")]
    slow: Act,
}

// B61.
#[tokio::test(start_paused = true)]
async fn b61_the_timeout_is_that_of_the_place_where_the_node_stands() {
    let log = Calls::default();
    let sleeps = |name| Say(act(name, &[Turn::Sleep(200); 2], &log));
    let graph = Sent {
        begin: Start,
        slow: sleeps("slow"),
        patient: sleeps("patient"),
        done: Start,
    };
    let journal = Memory::default();
    let thread = Runtime::new(graph).journal(journal).thread("t");
    let error = thread.run(Memo::default()).await.unwrap_err();
    let RunError::TimedOut {
        node, kind, after, ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!(
        (node.as_str(), *kind, *after),
        ("slow", TimeoutKind::Idle, 50 * MS)
    );
    assert_eq!(said(&thread.state().await.unwrap()), [""; 0]);
}

// B61.
async fn b61_of_two_timeouts_the_first_to_be_over_is_told(at: &impl Place) {
    let log = Calls::default();
    let slow = act("slow", &[Turn::Sleep(200)], &log);
    let thread = Runtime::new(Both { slow })
        .journal(at.open().await)
        .thread("t");
    let begun = Instant::now();
    let error = thread.run(Memo::default()).await.unwrap_err();
    assert_eq!(begun.elapsed(), 50 * MS);
    let RunError::TimedOut {
        node, kind, after, ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!(
        (node.as_str(), *kind, *after),
        ("slow", TimeoutKind::Hard, 50 * MS)
    );
}

// ---- B32: a timeout while a stream is read.

#[derive(AgentGraph)]
#[graph(state = Memo, start = begin)]
struct Streamed {
    #[route(_ => all(quick, slow) join done)]
    begin: Start,
    #[route(_ => done)]
    #[timeout("1s")]
    quick: Say,
    #[route(_ => done)]
    #[timeout("1s")]
    slow: Say,
    #[route(_ => end)]
    done: Start,
}

// B32.
#[tokio::test(start_paused = true)]
async fn b32_the_first_update_is_delivered_before_the_slow_node_is_stopped() {
    for pause in [0, 10] {
        let log = Calls::default();
        let slow = act("slow", &[Turn::Sleep(1500)], &log);
        let dropped = slow.dropped.clone();
        let graph = Streamed {
            begin: Start,
            quick: Say(act("quick", &[Turn::Sleep(600)], &log)),
            slow: Say(slow),
            done: Start,
        };
        let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
        let mut stream = thread.stream(Memo::default());
        // A consumer that takes its time reads from a task that does not.
        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        let begun = Instant::now();
        let reader = tokio::spawn(async move {
            while let Some(event) = stream.next().await {
                sender.send((event, begun.elapsed())).unwrap();
            }
        });
        let (mut stepped, mut last) = (Vec::new(), None);
        while let Some((event, at)) = events.recv().await {
            sleep(pause * Duration::from_secs(1)).await;
            if let Ok(Event::Stepped { node, .. }) = &event {
                stepped.push((node.to_string(), at));
            }
            last = Some((event, at));
        }
        reader.await.unwrap();
        assert_eq!(stepped[1], ("quick".to_owned(), 600 * MS));
        let Some((Err(RunError::TimedOut { node, after, .. }), at)) = last else {
            panic!("{last:?}")
        };
        assert_eq!((node.as_str(), after, at), ("slow", 1000 * MS, 1000 * MS));
        assert_eq!(dropped.of("slow"), 1);
    }
}

// ---- A55: each policy has an error of its own.

#[derive(Outcome)]
enum Passed {
    On,
    Out,
}

struct Last(Act);

#[node(Memo)]
impl Last {
    async fn run(
        &self,
        said: &mut Log<String>,
        paid: &mut u32,
        cx: &mut Context<'_>,
    ) -> Result<Passed, NodeError> {
        self.0.run(said, paid, cx).await?;
        Ok(if *paid > 99 { Passed::Out } else { Passed::On })
    }
}

#[derive(AgentGraph)]
#[graph(state = Memo, start = a)]
struct RoundRobin {
    #[route(_ => b)]
    a: Act,
    #[route(_ => c)]
    #[timeout("1s")]
    b: Act,
    #[route(Passed::On => a(limit = 2), Passed::Out => end)]
    c: Last,
}

// A55.
async fn a55_a_cycle_a_limit_and_a_timeout_are_told_apart(at: &impl Place) {
    let log = Calls::default();
    let ring = |turns: &[Turn]| RoundRobin {
        a: act("a", &[], &log),
        b: act("b", turns, &log),
        c: Last(act("c", &[], &log)),
    };
    let thread = Runtime::new(ring(&[])).journal(at.open().await).thread("t");
    let error = thread.run(Memo::default()).await.unwrap_err();
    let RunError::HandoffLoop {
        cycle,
        laps,
        edge,
        why,
        ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!(&**cycle, "a -> b -> c -> a");
    assert_eq!((*laps, *why), (2, Masked::Limit));
    assert!(edge.contains("limit = 2"), "{edge}");
    let hangs = Runtime::new(ring(&[Turn::Sleep(9000); 9]));
    let hangs = hangs.journal(at.open().await).thread("u");
    let error = hangs.run(Memo::default()).await.unwrap_err();
    assert!(matches!(&error, RunError::TimedOut { node, .. } if node == "b"));
    let slow = Runtime::new(ring(&[])).deadline(Duration::ZERO);
    let error = slow.thread("v").run(Memo::default()).await.unwrap_err();
    assert!(matches!(&error, RunError::Deadline { .. }), "{error:?}");
}

// ---- A56: the target of a handoff fails.

#[derive(AgentGraph)]
#[graph(state = Memo, start = caller)]
struct Hop {
    #[route(_ => target)]
    caller: Act,
    #[route(_ => end)]
    #[retry(times = 3, backoff = "10ms", jitter = false)]
    #[on_error(then = back(limit = 1, else = boss))]
    target: Act,
    #[route(_ => end)]
    boss: Act,
}

// A56.
async fn a56_a_target_that_fails_is_tried_again_then_its_caller_knows_then_the_boss(
    at: &impl Place,
) {
    let why = "the node returned an error: key error";
    for (failures, expected) in [
        (0, vec!["caller".to_owned(), "target".to_owned()]),
        (2, vec!["caller".to_owned(), "target".to_owned()]),
        (
            3,
            vec![
                "caller".to_owned(),
                format!("caller for {why}"),
                "target".to_owned(),
            ],
        ),
        (
            6,
            vec![
                "caller".to_owned(),
                format!("caller for {why}"),
                format!("boss for {why}"),
            ],
        ),
    ] {
        let log = Calls::default();
        let graph = Hop {
            caller: act("caller", &[], &log),
            target: act("target", &[Turn::Key; 6][..failures], &log),
            boss: act("boss", &[], &log),
        };
        let thread = Runtime::new(graph)
            .journal(at.open().await)
            .thread(format!("t{failures}"));
        let memo = thread.run(Memo::default()).await.unwrap().finished();
        let memo = memo.unwrap();
        assert_eq!(said(&memo), expected, "{failures}");
        // The state is as before the hop: nothing of the attempts that failed is left.
        assert_eq!(memo.paid as usize, expected.len(), "{failures}");
        assert_eq!(thread.state().await.unwrap(), memo);
        let history = thread.history().await.unwrap();
        assert_eq!(path(&history).len(), expected.len());
    }
}

// A56.
async fn a56_where_nobody_stands_in_the_error_reaches_whoever_called(at: &impl Place) {
    let log = Calls::default();
    let graph = OnePolicy {
        work: act("work", &[Turn::Key], &log),
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    let error = thread.run(Memo::default()).await.unwrap_err();
    assert!(chain(&error).ends_with("key error"), "{error}");
    assert_eq!(thread.state().await.unwrap(), Memo::default());
    let memo = thread.recover().await.unwrap().finished().unwrap();
    assert_eq!(memo.paid, 1);
}

on_every_journal! { paused:
    b58_a_node_that_fails_twice_succeeds_the_third_time_after_10_and_20_ms
    b59_each_kind_of_error_has_the_attempts_of_its_own_policy
    b60_an_error_handler_runs_once_the_attempts_are_used_up_and_routes_on
    b60_after_a_crash_in_the_handler_the_handler_alone_runs_again_with_the_kept_error
    b60_an_error_handler_beside_a_pause_does_not_swallow_it
    b61_of_two_timeouts_the_first_to_be_over_is_told
    a55_a_cycle_a_limit_and_a_timeout_are_told_apart
    a56_a_target_that_fails_is_tried_again_then_its_caller_knows_then_the_boss
    a56_where_nobody_stands_in_the_error_reaches_whoever_called
}
