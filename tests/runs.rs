//! How a run goes: where it leads, when it is stopped, what it leaves behind when it fails.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

mod common;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex};

use common::{chain, drain, lines, path, timeless, writes};
use handoffs::prelude::*;
use handoffs::{Masked, Recorded, RunError, ThreadId};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

// ---- A tour that goes round: a -> b -> c, and again.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Tour {
    /// What is still to be said by the last node: how often again.
    rounds: u32,
    /// Whether a round finds something.
    finds: bool,
    visited: Log<String>,
    #[state(progress)]
    found: u32,
}

#[derive(Outcome)]
enum Toured {
    Again,
    Done,
}

#[node(Tour)]
fn a(visited: &mut Log<String>) {
    visited.push("a".to_owned());
}

#[node(Tour)]
fn b(visited: &mut Log<String>) {
    visited.push("b".to_owned());
}

#[node(Tour)]
fn c(rounds: &mut u32, finds: &bool, found: &mut u32, visited: &mut Log<String>) -> Toured {
    visited.push("c".to_owned());
    *found += u32::from(*finds);
    match rounds.checked_sub(1) {
        None => Toured::Done,
        Some(left) => {
            *rounds = left;
            Toured::Again
        }
    }
}

#[derive(AgentGraph)]
#[graph(state = Tour, start = a)]
struct Ring {
    #[route(_ => b)]
    a: A,
    #[route(_ => c)]
    b: B,
    #[route(
        Toured::Again => a(limit = 3),
        Toured::Done => end,
    )]
    c: C,
}

const RING: Ring = Ring { a: A, b: B, c: C };

/// The same ring, which says where to go instead.
#[derive(AgentGraph)]
#[graph(state = Tour, start = a)]
struct Escape {
    #[route(_ => b)]
    a: A,
    #[route(_ => c)]
    b: B,
    #[route(
        Toured::Again => a(limit = 3, else = exit),
        Toured::Done => end,
    )]
    c: C,
    #[route(_ => end)]
    exit: Exit,
}

const ESCAPE: Escape = Escape {
    a: A,
    b: B,
    c: C,
    exit: Exit,
};

#[node(Tour)]
fn exit(visited: &mut Log<String>) {
    visited.push("exit".to_owned());
}

fn tour(rounds: u32, finds: bool) -> Tour {
    Tour {
        rounds,
        finds,
        ..Tour::default()
    }
}

fn visited(tour: &Tour) -> String {
    tour.visited.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn a_run_goes_from_node_to_node_to_the_end() {
    let thread = Runtime::new(RING).journal(Memory::default()).thread("t");
    let state = thread.run(tour(1, true)).await.unwrap().finished().unwrap();
    assert_eq!(visited(&state), "abcabc");
    assert_eq!(
        lines(&thread.history().await.unwrap()),
        [
            "started",
            "a: _ => b",
            "b: _ => c",
            "c: Toured::Again => a",
            "a: _ => b",
            "b: _ => c",
            "c: Toured::Done => end",
        ]
    );
    assert!(matches!(thread.status().await.unwrap(), Status::Finished));
    assert_eq!(thread.state().await.unwrap(), state);
}

#[tokio::test]
async fn run_and_stream_are_the_same_run() {
    let runtime = Runtime::new(ESCAPE).journal(Memory::default());
    for (n, input) in [tour(0, false), tour(2, true), tour(2, false), tour(9, true)]
        .into_iter()
        .enumerate()
    {
        let ran = runtime.thread(format!("ran {n}"));
        let state = ran.run(input.clone()).await.unwrap().finished().unwrap();
        let streamed = runtime.thread(format!("streamed {n}"));
        let (steps, last) = drain(streamed.stream(input.clone())).await;
        let Some(Ok(Event::Finished(other))) = last else {
            panic!("{last:?}");
        };
        assert_eq!(other, state);

        let history = ran.history().await.unwrap();
        assert_eq!(steps, lines(&history)[1..]);
        assert_eq!(
            timeless(&streamed.history().await.unwrap()),
            timeless(&history)
        );
        // Without a journal the runtime runs ahead over several nodes, and comes out the same.
        let ephemeral = Runtime::new(ESCAPE).thread("t");
        let unkept = ephemeral.run(input.clone()).await.unwrap().finished();
        assert_eq!(unkept.as_ref(), Some(&state));
        assert_eq!(drain(ephemeral.stream(input)).await.0, steps);
    }
}

#[tokio::test]
async fn an_error_is_the_last_item_of_a_stream() {
    let (steps, last) = drain(Runtime::new(RING).thread("t").stream(tour(9, false))).await;
    assert_eq!(steps.len(), 5);
    assert!(
        matches!(last, Some(Err(RunError::HandoffLoop { .. }))),
        "{last:?}"
    );
}

#[tokio::test]
async fn an_edge_is_taken_as_often_as_its_limit_allows_and_then_its_else_is() {
    let thread = Runtime::new(ESCAPE).journal(Memory::default()).thread("t");
    for _ in 0..2 {
        // Each run has its limits anew.
        let state = thread.run(tour(9, true)).await.unwrap().finished().unwrap();
        assert_eq!(visited(&state), "abcabcabcabcexit");
        let history = thread.history().await.unwrap();
        let turn = "c: Toured::Again => exit, as its limit is used up";
        assert_eq!(lines(&history[history.len() - 2..])[0], turn);
    }
    assert_eq!(Escape::MAX_HANDOFFS, ESCAPE_HANDOFFS);
}

/// Three rounds of three handoffs, the last round, and the exit.
const ESCAPE_HANDOFFS: u64 = 3 * 3 + 2 + 1;

#[tokio::test]
async fn a_ring_without_progress_is_stopped_after_one_lap() {
    let thread = Runtime::new(RING).journal(Memory::default()).thread("t-7");
    let error = thread.run(tour(9, false)).await.unwrap_err();
    let RunError::HandoffLoop {
        thread: id,
        node,
        cycle,
        laps,
        edge,
        why,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (id, node.as_str(), &**cycle, *laps, *why),
        (
            &ThreadId::new("t-7"),
            "c",
            "a -> b -> c -> a",
            1,
            Masked::NoProgress
        )
    );
    assert_eq!(edge, "Toured::Again => a(limit = 3)");
    let text = error.to_string();
    for part in [
        "`a -> b -> c -> a`",
        "thread `t-7`",
        "node `c`",
        "`Toured::Again => a(limit = 3)`, taken once already",
        "nothing has changed",
        "make progress",
        "an `else`",
    ] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }

    // The step that insisted left no trace in the state.
    assert_eq!(visited(&thread.state().await.unwrap()), "abcab");
    let last = lines(&thread.history().await.unwrap()).pop().unwrap();
    assert!(last.starts_with("c failed: handoff loop `a"), "{last}");
    let status = thread.status().await.unwrap();
    let Status::Failed { node, error, .. } = status else {
        panic!("{status:?}");
    };
    assert_eq!((node, error), (RingNode::C, text));
}

#[tokio::test]
async fn a_ring_that_uses_up_its_limit_is_told_of_the_limit() {
    let thread = Runtime::new(RING).thread("t");
    let error = thread.run(tour(9, true)).await.unwrap_err();
    let RunError::HandoffLoop { laps, why, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((*laps, *why), (3, Masked::Limit));
    let text = error.to_string();
    assert!(text.contains("taken 3 times already"), "{text}");
    assert!(text.contains("its limit is used up"), "{text}");
    assert!(
        !text.contains("make progress"),
        "progress is of no help here: {text}"
    );
}

#[tokio::test]
async fn a_productive_pair_is_not_taken_for_a_loop() {
    let thread = Runtime::new(RING).thread("t");
    let state = thread.run(tour(3, true)).await.unwrap().finished().unwrap();
    assert_eq!(visited(&state), "abcabcabcabc");
}

#[tokio::test]
async fn without_the_watch_only_the_limit_bounds_a_ring() {
    let runtime = Runtime::new(ESCAPE).journal(Memory::default());
    let watched = runtime.thread("watched");
    let state = watched
        .run(tour(9, false))
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(visited(&state), "abcabcexit");

    let unwatched = runtime.watch_loops(false).thread("unwatched");
    let state = unwatched
        .run(tour(9, false))
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(visited(&state), "abcabcabcabcexit");
    let turn = "c: Toured::Again => exit, as its limit is used up";
    assert!(lines(&unwatched.history().await.unwrap()).contains(&turn.to_owned()));
}

// ---- A state that marks nothing: any change is progress.

#[derive(State, Clone, Debug, Default)]
struct Unmarked {
    busy: bool,
    touched: u32,
}

#[derive(Outcome)]
enum Insists {
    Again,
}

#[node(Unmarked)]
fn ponder(busy: &bool, touched: &mut u32) -> Insists {
    *touched += u32::from(*busy);
    Insists::Again
}

#[derive(AgentGraph)]
#[graph(state = Unmarked, start = ponder)]
struct Pondering {
    #[route(Insists::Again => ponder(limit = 4, else = end))]
    ponder: Ponder,
}

#[tokio::test]
async fn with_no_field_marked_any_change_is_progress() {
    let runtime = Runtime::new(Pondering { ponder: Ponder }).journal(Memory::default());
    for (busy, taken, why) in [
        (true, 4, "its limit is used up"),
        (false, 1, "nothing has changed since it was last taken"),
    ] {
        let thread = runtime.thread(format!("{busy}"));
        let input = Unmarked { busy, touched: 0 };
        let _ = thread.run(input).await.unwrap();
        let mut expected = vec!["started".to_owned()];
        expected.extend((0..taken).map(|_| "ponder: Insists::Again => ponder".to_owned()));
        expected.push(format!("ponder: Insists::Again => end, as {why}"));
        assert_eq!(lines(&thread.history().await.unwrap()), expected);
    }
}

// ---- One node that can do anything, between two that are harmless.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Job {
    notes: Log<String>,
    count: u32,
    part: Option<String>,
    extra: Option<String>,
}

/// What the worker is to do.
enum Act {
    Work,
    WorkWithExtra,
    Fail,
    Panic,
    CurseTheGuard,
    /// Forget the `Out`.
    NoPart,
    /// Forget what the outcome gives.
    NoExtra,
    /// Say that it has begun, and never end.
    Hang(Arc<Notify>),
}

#[derive(Outcome)]
enum Worked {
    #[outcome(gives(extra))]
    WithExtra,
    Plain,
}

#[derive(Debug)]
struct OutOfOrder;

impl fmt::Display for OutOfOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the machine is out of order")
    }
}

impl std::error::Error for OutOfOrder {}

#[node(Job)]
fn before(notes: &mut Log<String>) {
    notes.push("before".to_owned());
}

#[derive(Clone, Default)]
struct Worker {
    acts: Arc<Mutex<VecDeque<Act>>>,
    keys: Arc<Mutex<Vec<String>>>,
}

#[node(Job)]
impl Worker {
    async fn run(
        &self,
        notes: &mut Log<String>,
        count: &mut u32,
        mut part: Out<'_, String>,
        extra: &mut Option<String>,
        cx: &mut Context<'_>,
    ) -> Result<Worked, OutOfOrder> {
        self.keys.lock().unwrap().push(cx.idempotency_key());
        let act = self.acts.lock().unwrap().pop_front().unwrap_or(Act::Work);
        notes.push("worker".to_owned());
        *count += 1;
        if !matches!(act, Act::NoPart) {
            part.set("a wheel".to_owned());
        }
        match act {
            Act::Work | Act::NoPart => Ok(Worked::Plain),
            Act::WorkWithExtra => {
                *extra = Some("a bell".to_owned());
                Ok(Worked::WithExtra)
            }
            Act::CurseTheGuard => {
                *extra = Some("cursed".to_owned());
                Ok(Worked::WithExtra)
            }
            Act::NoExtra => Ok(Worked::WithExtra),
            Act::Fail => Err(OutOfOrder),
            Act::Panic => panic!("the machine explodes"),
            Act::Hang(began) => {
                began.notify_one();
                pending().await
            }
        }
    }
}

/// Needs what only one outcome of the worker gives.
#[node(Job)]
fn fit(extra: &String, part: &String, notes: &mut Log<String>) {
    notes.push(format!("{part} with {extra}"));
}

fn rings(job: &Job) -> bool {
    let extra = job.extra.as_deref();
    assert_ne!(extra, Some("cursed"), "the guard is cursed");
    extra == Some("a bell")
}

#[derive(AgentGraph)]
#[graph(state = Job, start = before)]
struct Workshop {
    #[route(_ => worker)]
    before: Before,
    #[route(
        Worked::WithExtra if rings => fit,
        Worked::WithExtra | Worked::Plain => end,
    )]
    worker: Worker,
    #[route(_ => end)]
    fit: Fit,
}

/// A workshop whose worker does these things in turn, and its worker.
fn workshop(acts: impl IntoIterator<Item = Act>) -> (Runtime<Workshop, Memory>, Worker) {
    let worker = Worker::default();
    worker.acts.lock().unwrap().extend(acts);
    let graph = Workshop {
        before: Before,
        worker: worker.clone(),
        fit: Fit,
    };
    (Runtime::new(graph).journal(Memory::default()), worker)
}

/// The state after the first node: what every failure of the second must leave.
fn after_before() -> Job {
    Job {
        notes: vec!["before".to_owned()].into(),
        ..Job::default()
    }
}

#[tokio::test]
async fn a_guard_decides_between_arms_of_one_outcome() {
    let (runtime, _) = workshop([Act::WorkWithExtra, Act::Work]);
    let fitted = runtime.thread("fitted");
    let _ = fitted.run(Job::default()).await.unwrap();
    let plain = runtime.thread("plain");
    let _ = plain.run(Job::default()).await.unwrap();
    assert_eq!(
        path(&fitted.history().await.unwrap()),
        ["before", "worker", "fit"]
    );
    assert_eq!(path(&plain.history().await.unwrap()), ["before", "worker"]);
    let notes = fitted.state().await.unwrap().notes;
    assert_eq!(
        notes.last().map(String::as_str),
        Some("a wheel with a bell")
    );
}

#[tokio::test]
async fn an_out_that_is_not_set_leaves_what_was_there_and_writes_nothing() {
    let (runtime, _) = workshop([Act::NoPart]);
    let thread = runtime.thread("t");
    let job = Job {
        part: Some("an axle".to_owned()),
        ..Job::default()
    };
    let job = thread.run(job).await.unwrap().finished().unwrap();
    assert_eq!(job.part.as_deref(), Some("an axle"));
    let history = thread.history().await.unwrap();
    let worked = history.iter().map(writes).next_back().unwrap();
    assert_eq!(worked, [r#"notes += ["worker"]"#, "count = 1"]);
}

#[tokio::test]
async fn a_guard_sees_what_the_node_wrote_and_can_be_asked_by_itself() {
    let bell = Job {
        extra: Some("a bell".to_owned()),
        ..Job::default()
    };
    let after = |job: &Job| Workshop::after_worker(job, &Worked::WithExtra);
    assert_eq!(after(&bell), Route::to(WorkshopNode::Fit));
    assert_eq!(after(&Job::default()), Route::end());
}

#[tokio::test]
async fn whatever_fails_leaves_the_state_as_before_it_and_can_be_recovered() {
    let cases = [
        (Act::Fail, "failed", "the machine is out of order"),
        (Act::Panic, "panicked", "the machine explodes"),
        (Act::CurseTheGuard, "panicked", "the guard is cursed"),
        (Act::NoPart, "failed", "the node promised to set `part`"),
        (Act::NoExtra, "failed", "the node promised to set `extra`"),
    ];
    for (act, how, said) in cases {
        let (runtime, worker) = workshop([act]);
        let thread = runtime.thread("t");
        let error = thread.run(Job::default()).await.unwrap_err();
        let text = chain(&error);
        for part in ["node `worker`", "thread `t`", how, said, "`recover`"] {
            assert!(text.contains(part), "`{part}` is missing in: {text}");
        }
        assert!(
            matches!(&error, RunError::Node { .. } | RunError::Panicked { .. }),
            "{error:?}"
        );
        assert_eq!(error.thread(), Some(&ThreadId::new("t")));
        assert_eq!(error.node(), Some("worker"));

        assert_eq!(thread.state().await.unwrap(), after_before(), "{said}");
        let status = thread.status().await.unwrap();
        let Status::Failed { node, error, .. } = status else {
            panic!("{status:?}");
        };
        assert_eq!((node, &error), (WorkshopNode::Worker, &text));
        let history = thread.history().await.unwrap();
        assert_eq!(lines(&history)[..2], ["started", "before: _ => worker"]);
        assert_eq!(lines(&history)[2], format!("worker failed: {text}"));

        let state = thread.recover().await.unwrap().finished().unwrap();
        assert_eq!(state.count, 1);
        assert_eq!(path(&thread.history().await.unwrap()), ["before", "worker"]);
        assert_eq!(worker.keys.lock().unwrap().len(), 2, "tried twice: {said}");
    }
}

#[tokio::test]
async fn without_a_journal_nobody_is_told_to_recover() {
    for act in [Act::Fail, Act::Panic] {
        let worker = Worker::default();
        worker.acts.lock().unwrap().push_back(act);
        let graph = Workshop {
            before: Before,
            worker,
            fit: Fit,
        };
        let thread = Runtime::new(graph).thread("t");
        let error = thread.run(Job::default()).await.unwrap_err();
        let text = chain(&error);
        for part in ["node `worker`", "thread `t`", "no journal", "begin it anew"] {
            assert!(text.contains(part), "`{part}` is missing in: {text}");
        }
        assert!(!text.contains("recover"), "{text}");
    }
}

#[tokio::test]
async fn what_a_thread_failed_on_is_forgotten_as_it_goes_on() {
    let (runtime, _) = workshop([Act::Fail, Act::Panic, Act::Work]);
    let thread = runtime.thread("t");
    for said in ["out of order", "explodes"] {
        let error = match thread.status().await.unwrap() {
            Status::New => thread.run(Job::default()).await.unwrap_err(),
            _ => thread.recover().await.unwrap_err(),
        };
        assert!(chain(&error).contains(said), "{error}");
        let status = thread.status().await.unwrap();
        assert!(
            matches!(&status, Status::Failed { error, .. } if error.contains(said)),
            "{status:?}"
        );
    }
    let _ = thread.recover().await.unwrap();
    assert_eq!(thread.status().await.unwrap(), Status::Finished);
}

#[tokio::test]
async fn a_step_that_is_repeated_has_the_same_idempotency_key() {
    let (runtime, worker) = workshop([Act::Fail, Act::Panic, Act::Work]);
    let thread = runtime.thread("t");
    thread.run(Job::default()).await.unwrap_err();
    thread.recover().await.unwrap_err();
    let _ = thread.recover().await.unwrap();
    let _ = thread.run(Job::default()).await.unwrap();
    let keys = worker.keys.lock().unwrap().clone();
    assert_eq!(keys[0], keys[1], "after an error");
    assert_eq!(keys[0], keys[2], "after a panic");
    assert_ne!(keys[0], keys[3], "in another run");
}

#[tokio::test]
async fn after_a_failure_a_new_run_may_begin_instead() {
    let (runtime, _) = workshop([Act::Fail]);
    let thread = runtime.thread("t");
    thread.run(Job::default()).await.unwrap_err();
    let state = thread
        .run(Job::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(state.count, 1);
    assert_eq!(
        path(&thread.history().await.unwrap()),
        ["before", "before", "worker"]
    );
}

#[tokio::test]
async fn a_run_that_is_dropped_within_a_node_can_be_recovered() {
    let began = Arc::new(Notify::new());
    let (runtime, worker) = workshop([Act::Hang(began.clone())]);
    let thread = runtime.thread("t");
    tokio::select! {
        ended = thread.run(Job::default()) => panic!("{ended:?}"),
        () = began.notified() => {}
    }
    // `select!` has dropped the run.
    assert!(matches!(
        thread.status().await.unwrap(),
        Status::Unfinished(WorkshopNode::Worker)
    ));
    assert_eq!(thread.state().await.unwrap(), after_before());

    let error = thread.run(Job::default()).await.unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, RunError::Unfinished { .. }),
        "a run is under way: {text}"
    );
    assert!(
        text.contains("`t`") && text.contains("`worker`") && text.contains("recover"),
        "{text}"
    );

    let state = thread.recover().await.unwrap().finished().unwrap();
    assert_eq!(state.count, 1);
    let keys = worker.keys.lock().unwrap().clone();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    assert_eq!(
        lines(&thread.history().await.unwrap()),
        [
            "started",
            "before: _ => worker",
            "worker: Worked::WithExtra | Worked::Plain => end"
        ]
    );
}

#[tokio::test]
async fn a_stream_that_is_dropped_within_a_node_can_be_recovered() {
    let began = Arc::new(Notify::new());
    let (runtime, _) = workshop([Act::Hang(began.clone())]);
    let thread = runtime.thread("t");
    tokio::select! {
        (steps, _) = drain(thread.stream(Job::default())) => panic!("{steps:?}"),
        () = began.notified() => {}
    }
    let (steps, last) = drain(thread.recover_stream()).await;
    assert_eq!(steps, ["worker: Worked::WithExtra | Worked::Plain => end"]);
    assert!(matches!(last, Some(Ok(Event::Finished(job))) if job.count == 1));
}

#[tokio::test]
async fn a_run_that_is_over_is_recovered_by_doing_nothing() {
    let (runtime, worker) = workshop([]);
    let thread = runtime.thread("t");
    let state = thread.run(Job::default()).await.unwrap().finished();
    let written = thread.history().await.unwrap().len();
    assert_eq!(thread.recover().await.unwrap().finished(), state);
    assert_eq!(thread.history().await.unwrap().len(), written);
    assert_eq!(worker.keys.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_thread_that_nobody_began_is_unknown() {
    let (runtime, _) = workshop([]);
    let thread = runtime.thread("nobody");
    assert!(matches!(thread.status().await.unwrap(), Status::New));
    assert!(thread.history().await.unwrap().is_empty());
    for error in [
        thread.state().await.map(drop).unwrap_err(),
        thread.recover().await.map(drop).unwrap_err(),
        thread
            .resume("1".parse().unwrap(), "yes")
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        assert!(matches!(error, RunError::UnknownThread { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            "no thread is named `nobody`; begin it with `run`"
        );
    }
    assert!(runtime.threads().await.unwrap().is_empty());
}

#[tokio::test]
async fn to_run_once_is_to_run_to_go_on_or_to_look_up_as_the_thread_stands() {
    let began = Arc::new(Notify::new());
    let (runtime, worker) = workshop([Act::Hang(began.clone()), Act::Fail, Act::Work]);
    let thread = runtime.thread("t");
    let input = |note: &str| Job {
        notes: vec![note.to_owned()].into(),
        ..Job::default()
    };
    tokio::select! {
        ended = thread.run_once(input("first")) => panic!("{ended:?}"),
        () = began.notified() => {}
    }
    // Cut off, failed, finished: what was brought the first time is what counts.
    thread.run_once(input("second")).await.unwrap_err();
    let job = thread.run_once(input("third")).await.unwrap();
    let written = thread.history().await.unwrap().len();
    let again = thread.run_once(input("fourth")).await.unwrap();
    let (job, again) = (job.finished().unwrap(), again.finished().unwrap());
    assert_eq!(job.notes, ["first", "before", "worker"]);
    assert_eq!(again, job);
    assert_eq!(thread.history().await.unwrap().len(), written);
    assert_eq!(worker.keys.lock().unwrap().len(), 3);
}

// ---- What is kept of it.

#[tokio::test]
async fn an_entry_holds_only_what_its_step_changed_and_of_a_log_the_new_items() {
    let (runtime, _) = workshop([Act::WorkWithExtra]);
    let thread = runtime.thread("t");
    let input = Job {
        notes: vec!["hello".to_owned()].into(),
        ..Job::default()
    };
    let _ = thread.run(input).await.unwrap();
    let history = thread.history().await.unwrap();
    let written: Vec<_> = history.iter().map(writes).collect();
    assert_eq!(
        written,
        [
            vec![
                r#"notes = ["hello"]"#,
                "count = 0",
                "part = null",
                "extra = null"
            ],
            vec![r#"notes += ["before"]"#],
            vec![
                r#"notes += ["worker"]"#,
                "count = 1",
                r#"part = "a wheel""#,
                r#"extra = "a bell""#
            ],
            vec![r#"notes += ["a wheel with a bell"]"#],
        ]
    );
    let Recorded::Stepped { outcome, .. } = &history[2].event else {
        panic!("{history:?}");
    };
    assert_eq!(outcome.variant, "WithExtra");
}

#[tokio::test]
async fn the_second_run_of_a_thread_stores_only_what_is_new() {
    let (runtime, _) = workshop([]);
    let thread = runtime.thread("t");
    let mut state = thread
        .run(Job::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    let first = thread.history().await.unwrap().len();
    state.notes.push("once more".to_owned());
    let state = thread.run(state).await.unwrap().finished().unwrap();
    let history = thread.history().await.unwrap();
    assert_eq!(writes(&history[first]), [r#"notes += ["once more"]"#]);
    assert_eq!(
        state.notes,
        ["before", "worker", "once more", "before", "worker"]
    );
    assert_eq!(thread.state().await.unwrap(), state);

    // The same state once more, and then one that has nothing to do with it.
    let _ = thread.run(state).await.unwrap();
    let third = thread.history().await.unwrap();
    assert!(writes(&third[history.len()]).is_empty());
    let _ = thread.run(Job::default()).await.unwrap();
    let fourth = thread.history().await.unwrap();
    assert_eq!(
        writes(&fourth[third.len()]),
        ["notes = []", "count = 0", "part = null"]
    );
    assert_eq!(thread.state().await.unwrap().count, 1);
}

#[tokio::test]
async fn a_log_takes_room_in_proportion_to_its_length_and_not_to_its_square() {
    let size = async |runs: usize| {
        let (runtime, _) = workshop([]);
        let thread = runtime.thread("t");
        let mut state = Job::default();
        for _ in 0..runs {
            state.notes.push("x".repeat(100));
            state = thread.run(state).await.unwrap().finished().unwrap();
        }
        let history = thread.history().await.unwrap();
        serde_json::to_string(&history).unwrap().len()
    };
    let (ten, hundred) = (size(10).await, size(100).await);
    assert!(
        hundred < 11 * ten,
        "ten times the runs take {ten} -> {hundred} bytes"
    );
}

/// A board whose keys are no strings, so that JSON has no word for it once it is not empty.
#[derive(State, Clone, Debug, Default)]
struct Game {
    moves: u32,
    board: BTreeMap<(u8, u8), char>,
}

#[node(Game)]
fn open_up(moves: &mut u32) {
    *moves += 1;
}

#[node(Game)]
fn put(moves: &mut u32, board: &mut BTreeMap<(u8, u8), char>) {
    *moves += 1;
    board.insert((1, 1), 'x');
}

#[derive(AgentGraph)]
#[graph(state = Game, start = open_up)]
struct Board {
    #[route(_ => put)]
    open_up: OpenUp,
    #[route(_ => end)]
    put: Put,
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_done() {
    let board = Board {
        open_up: OpenUp,
        put: Put,
    };
    let thread = Runtime::new(board).journal(Memory::default()).thread("t");
    let error = thread.run(Game::default()).await.unwrap_err();
    assert!(matches!(&error, RunError::Encode { .. }), "{error:?}");
    assert_eq!(error.node(), Some("put"));
    let text = chain(&error);
    let parts = [
        "thread `t`",
        "node `put`",
        "field `board`",
        "text for keys",
        "key must be a string",
    ];
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    assert_eq!(thread.state().await.unwrap().moves, 1);
    assert!(matches!(
        thread.status().await.unwrap(),
        Status::Failed {
            node: BoardNode::Put,
            ..
        }
    ));
}

#[derive(State, Clone, Debug, Default)]
struct Measured {
    ratio: f64,
    seen: Option<()>,
}

#[node(Measured)]
fn divide(ratio: &mut f64, seen: &mut Option<()>) {
    *seen = Some(());
    *ratio /= 0.0;
}

#[derive(AgentGraph)]
#[graph(state = Measured, start = divide)]
struct Measuring {
    #[route(_ => end)]
    divide: Divide,
}

/// JSON has `null` for all of these, which reads back as something else.
#[tokio::test]
async fn what_json_writes_as_null_is_refused_and_not_lost() {
    let thread = Runtime::new(Measuring { divide: Divide })
        .journal(Memory::default())
        .thread("t");
    let error = thread.run(Measured::default()).await.unwrap_err();
    assert!(matches!(error, RunError::Encode { .. }), "{error:?}");
    assert!(thread.state().await.is_ok());
}

// ---- What must be there before anything runs.

#[derive(State, Clone, Debug, Default)]
struct Order {
    customer: Option<String>,
    answer: Option<u32>,
}

#[node(Order)]
fn greet(customer: &String) {
    drop(customer.clone());
}

#[derive(AgentGraph)]
#[graph(state = Order, start = greet, given(customer))]
struct Shop {
    #[route(_ => end)]
    greet: Greet,
}

#[tokio::test]
async fn what_the_caller_is_to_bring_is_checked_before_anything_runs() {
    let thread = Runtime::new(Shop { greet: Greet })
        .journal(Memory::default())
        .thread("t");
    let error = thread.run(Order::default()).await.unwrap_err();
    assert!(
        matches!(
            error,
            RunError::NotGiven {
                field: "customer",
                ..
            }
        ),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains("`t`") && text.contains("given(customer)") && text.contains("set it"),
        "{text}"
    );
    assert!(thread.history().await.unwrap().is_empty());

    let order = Order {
        customer: Some("Ada".to_owned()),
        ..Order::default()
    };
    assert!(thread.run(order).await.unwrap().finished().is_some());
}

#[derive(Serialize)]
struct HowMany(Option<String>);

impl From<&Order> for HowMany {
    fn from(order: &Order) -> Self {
        Self(order.customer.clone())
    }
}

#[derive(Deserialize)]
struct ThisMany(u32);

#[node(Order)]
impl ThisMany {
    fn run(&self, answer: &mut Option<u32>) {
        *answer = Some(self.0);
    }
}

#[derive(Clone, Default)]
struct Count(Arc<Mutex<u32>>);

#[node(Order)]
impl Count {
    fn run(&self) {
        *self.0.lock().unwrap() += 1;
    }
}

#[derive(AgentGraph)]
#[graph(state = Order, start = count)]
struct Asking {
    #[route(_ => person)]
    count: Count,
    #[route(_ => end)]
    person: Human<HowMany, ThisMany>,
}

#[tokio::test]
async fn a_graph_that_asks_a_person_does_not_start_without_a_journal() {
    let count = Count::default();
    let graph = Asking {
        count: count.clone(),
        person: Human::new(),
    };
    let error = Runtime::new(graph)
        .thread("t")
        .run(Order::default())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, RunError::NoJournal { node, .. } if node == "person"),
        "{error}"
    );
    let text = error.to_string();
    assert!(text.contains("add `.journal(..)`"), "{text}");
    assert_eq!(*count.0.lock().unwrap(), 0, "nothing ran");
}

// ---- A self-edge.

#[derive(State, Clone, Debug, Default)]
struct Countdown {
    left: u32,
}

#[derive(Outcome)]
enum Counted {
    More,
    Zero,
}

#[node(Countdown)]
fn down(left: &mut u32) -> Counted {
    *left = left.saturating_sub(1);
    if *left == 0 {
        Counted::Zero
    } else {
        Counted::More
    }
}

#[derive(AgentGraph)]
#[graph(state = Countdown, start = down)]
struct Counter {
    #[route(Counted::More => down(limit = 1_000), Counted::Zero => end)]
    down: Down,
}

#[tokio::test]
async fn a_node_hands_over_to_itself() {
    let runtime = Runtime::new(Counter { down: Down });
    let run = async |left| runtime.thread("t").run(Countdown { left }).await;
    let state = run(1_001).await.unwrap().finished().unwrap();
    assert_eq!(state.left, 0);
    let error = run(1_002).await.unwrap_err();
    let RunError::HandoffLoop { cycle, laps, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((&**cycle, *laps), ("down -> down", 1_000));
    assert_eq!(Counter::MAX_HANDOFFS, 1_000);
}
