//! Which threads are removed, and which never are.
#![allow(unused_must_use, reason = "a run is made for what it leaves behind")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use common::Place;
use handoffs::prelude::*;
use handoffs::{
    Approval, Durability, Hash, Journal, JournalError, Layer, NodeError, Record, Retention,
    RunError, ThreadId,
};
use tokio::sync::Notify;

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Job {
    kind: String,
}

#[derive(Outcome)]
enum Does {
    End,
    Ask,
    Fail,
    FailAndEnd,
    Fork,
    Approve,
}

#[node(Job)]
fn first(kind: &String) -> Does {
    match kind.as_str() {
        "ask" => Does::Ask,
        "fail" => Does::Fail,
        "caught" => Does::FailAndEnd,
        "fork" => Does::Fork,
        "approve" => Does::Approve,
        _ => Does::End,
    }
}

#[node(Job)]
async fn inquire(kind: &mut String, cx: &mut Context<'_>) -> Result<(), NodeError> {
    *kind = cx.ask("what", "?").await?;
    Ok(())
}

#[node(Job)]
fn failing() -> Result<(), io::Error> {
    Err(io::Error::other("as told"))
}

#[node(Job)]
fn pass() {}

fn question(job: &Job) -> String {
    job.kind.clone()
}

#[derive(AgentGraph)]
#[graph(state = Job, start = first)]
struct Works {
    #[route(
        Does::End => end,
        Does::Ask => ask,
        Does::Fail => fail,
        Does::FailAndEnd => caught,
        Does::Fork => all(left, right) join meet,
        Does::Approve => meet(approve = question, else = end),
    )]
    #[timeout(answer = "1h")]
    first: First,
    #[route(_ => end)]
    ask: Inquire,
    #[route(_ => end)]
    fail: Failing,
    #[route(_ => end)]
    #[on_error(then = end)]
    caught: Failing,
    #[route(_ => meet)]
    left: Inquire,
    #[route(_ => meet)]
    right: Pass,
    #[route(_ => end)]
    meet: Pass,
}

const HOUR: Duration = Duration::from_hours(1);

/// A clock that stands where it is put, in hours since 1970.
#[derive(Clone, Debug, Default)]
struct Hours(Arc<AtomicU64>);

impl Hours {
    fn put(&self, hours: u64) {
        self.0.store(hours, Ordering::Relaxed);
    }
}

fn works<J: Journal>(journal: J, hours: &Hours) -> Runtime<Works, J> {
    let works = Works {
        first: First,
        ask: Inquire,
        fail: Failing,
        caught: Failing,
        left: Inquire,
        right: Pass,
        meet: Pass,
    };
    let hours = hours.0.clone();
    let now = move || UNIX_EPOCH + HOUR * u32::try_from(hours.load(Ordering::Relaxed)).unwrap();
    Runtime::new(works).journal(journal).clock(now)
}

fn job(kind: &str) -> Job {
    Job {
        kind: kind.to_owned(),
    }
}

fn names(threads: &[ThreadId]) -> Vec<&str> {
    threads.iter().map(ThreadId::as_str).collect()
}

async fn left<J: Journal>(runtime: &Runtime<Works, J>) -> Vec<String> {
    let threads = runtime.threads().await.unwrap();
    threads.iter().map(ToString::to_string).collect()
}

async fn only_threads_that_are_over_are_removed(place: &impl Place) {
    let hours = Hours::default();
    let runtime = works(place.open().await, &hours);
    for kind in ["end", "ask", "fail", "caught", "fork", "approve"] {
        let _ = runtime.thread(kind).run(job(kind)).await;
    }
    // One that is cut off in its first step.
    runtime
        .thread("failed twice")
        .run(job("fail"))
        .await
        .unwrap_err();
    runtime.thread("failed twice").recover().await.unwrap_err();
    // Ended, and changed by hand since.
    runtime.thread("edited").run(job("end")).await.unwrap();
    runtime
        .thread("edited")
        .edit("why", |job| job.kind.push('!'))
        .await
        .unwrap();
    // Given up in the middle of a fork.
    runtime.thread("given up").run(job("fork")).await.unwrap();
    runtime.thread("given up").abandon("why").await.unwrap();
    // A copy of what was over, and one of what was not.
    let end = runtime.thread("end").history().await.unwrap().len() as u64;
    runtime.thread("end").fork(end, "copy").await.unwrap();
    runtime
        .thread("end")
        .fork(1, "copy of the beginning")
        .await
        .unwrap();
    // Handoffs that were refused: by a person, and by nobody in time.
    for late in [false, true] {
        let thread = runtime.thread(if late { "late" } else { "refused" });
        let ask = thread.run(job("approve")).await.unwrap().paused().unwrap();
        if late {
            hours.put(2);
            thread.recover().await.unwrap();
        } else {
            thread
                .resume(ask.id, Approval::refused("no"))
                .await
                .unwrap();
        }
    }
    // A question of a node that expired: the run has failed, and can be recovered.
    hours.put(0);
    runtime
        .thread("unanswered")
        .run(job("approve"))
        .await
        .unwrap();

    hours.put(3);
    let removed = runtime.retain(Retention::new().keep_last(0)).await.unwrap();
    let over = [
        "caught", "copy", "edited", "end", "given up", "late", "refused",
    ];
    assert_eq!(names(&removed), over);
    let alive = [
        "approve",
        "ask",
        "copy of the beginning",
        "fail",
        "failed twice",
        "fork",
        "unanswered",
    ];
    assert_eq!(left(&runtime).await, alive);
    // Each of them goes on.
    let ask = runtime.thread("ask").asks().await.unwrap();
    runtime
        .thread("ask")
        .resume(ask[0].id, "end")
        .await
        .unwrap();
    let recovered = runtime.thread("copy of the beginning").recover().await;
    recovered.unwrap().finished().unwrap();
    let removed = runtime.retain(Retention::new().keep_last(0)).await.unwrap();
    assert_eq!(names(&removed), ["ask", "copy of the beginning"]);
    // What was removed begins anew.
    runtime.thread("end").run(job("end")).await.unwrap();
}

async fn what_is_young_or_among_the_last_is_kept(place: &impl Place) {
    let hours = Hours::default();
    let runtime = works(place.open().await, &hours);
    // Written in an order that is not that of their names.
    for (hour, name) in [(1, "d"), (2, "a"), (3, "c"), (4, "e"), (5, "b")] {
        hours.put(hour);
        runtime.thread(name).run(job("end")).await.unwrap();
    }
    hours.put(6);
    let nothing = runtime.retain(Retention::new()).await.unwrap();
    assert_eq!(names(&nothing), [""; 0]);
    // The first is five hours old.
    let retention = Retention::new().older_than(HOUR * 5);
    assert_eq!(names(&runtime.retain(retention).await.unwrap()), [""; 0]);
    let retention = Retention::new().older_than(HOUR * 4).keep_last(5);
    assert_eq!(names(&runtime.retain(retention).await.unwrap()), [""; 0]);
    let retention = Retention::new().older_than(HOUR * 4).keep_last(3);
    assert_eq!(names(&runtime.retain(retention).await.unwrap()), ["d"]);
    let retention = Retention::new().older_than(HOUR).keep_last(2);
    assert_eq!(names(&runtime.retain(retention).await.unwrap()), ["a", "c"]);
    // One that waits counts among the last.
    hours.put(7);
    runtime.thread("f").run(job("ask")).await.unwrap();
    let retention = Retention::new().keep_last(2);
    assert_eq!(names(&runtime.retain(retention).await.unwrap()), ["e"]);
    let day = UNIX_EPOCH + 24 * HOUR;
    let journal = place.open().await;
    let retention = Retention::new().older_than(HOUR);
    assert_eq!(names(&retention.apply(&journal, day).await.unwrap()), ["b"]);
    assert_eq!(left(&runtime).await, ["f"]);
    // A clock that stands before all entries finds all of them young.
    assert_eq!(
        retention
            .apply(&journal, SystemTime::UNIX_EPOCH)
            .await
            .unwrap(),
        []
    );
}

/// A journal in which a thread goes on while it is looked at.
#[derive(Debug)]
struct Meddled<J> {
    kept: J,
    looked: Notify,
    go_on: Notify,
}

#[async_trait]
impl<J: Journal> Layer for Meddled<J> {
    type Within = J;

    fn within(&self) -> &J {
        &self.kept
    }

    async fn delete(&self, thread: &ThreadId, head: Option<u64>) -> Result<(), JournalError> {
        self.looked.notify_one();
        self.go_on.notified().await;
        self.kept.delete(thread, head).await
    }
}

async fn a_thread_that_goes_on_meanwhile_loses_nothing(place: &impl Place) {
    let hours = Hours::default();
    let runtime = works(place.open().await, &hours);
    let thread = runtime.thread("t");
    thread.run(job("end")).await.unwrap();
    let journal = Meddled {
        kept: place.open().await,
        looked: Notify::new(),
        go_on: Notify::new(),
    };
    let retention = Retention::new().keep_last(0);
    let retained = retention.apply(&journal, SystemTime::now());
    let meddle = async {
        journal.looked.notified().await;
        thread.run(job("ask")).await.unwrap();
        let entries = thread.history().await.unwrap().len();
        journal.go_on.notify_one();
        entries
    };
    let (removed, entries) = futures::future::join(retained, meddle).await;
    assert_eq!(removed.unwrap(), []);
    assert_eq!(thread.history().await.unwrap().len(), entries);
    let asks = thread.asks().await.unwrap();
    thread.resume(asks[0].id, "end").await.unwrap();
}

async fn a_thread_can_be_deleted_however_it_stands(place: &impl Place) {
    let hours = Hours::default();
    let runtime = works(place.open().await, &hours);
    for kind in ["end", "ask", "fail", "fork"] {
        let thread = runtime.thread(kind);
        let _ = thread.run(job(kind)).await;
        thread.delete().await.unwrap();
        assert_eq!(thread.status().await.unwrap(), Status::New);
        assert!(thread.history().await.unwrap().is_empty());
        // It is gone already.
        thread.delete().await.unwrap();
        thread.run(job("end")).await.unwrap();
    }
    runtime.thread("trimmed").run(job("fork")).await.unwrap();
    runtime.thread("trimmed").trim(1).await.unwrap();
    runtime.thread("trimmed").delete().await.unwrap();
    let unknown = runtime.thread("trimmed").state().await.unwrap_err();
    assert!(
        matches!(unknown, RunError::UnknownThread { .. }),
        "{unknown}"
    );
    assert_eq!(left(&runtime).await, ["ask", "end", "fail", "fork"]);
}

/// A journal whose threads are deleted right before they are written to.
#[derive(Debug)]
struct Deleted<J>(J);

#[async_trait]
impl<J: Journal> Layer for Deleted<J> {
    type Within = J;

    fn within(&self) -> &J {
        &self.0
    }

    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        self.0.delete(thread, None).await?;
        self.0.append(thread, head, records, durability).await
    }
}

async fn a_run_whose_thread_is_deleted_meanwhile_ends_with_a_conflict(place: &impl Place) {
    let hours = Hours::default();
    let runtime = works(place.open().await, &hours);
    let thread = runtime.thread("t");
    let ask = thread.run(job("ask")).await.unwrap().paused().unwrap();
    // The node is at work when the thread is deleted.
    let other = works(place.open().await, &hours).thread("t");
    let cut = {
        let deleted = Deleted(place.open().await);
        works(deleted, &hours)
            .thread("t")
            .resume(ask.id, "end")
            .await
            .unwrap_err()
    };
    assert!(cut.is_conflict(), "{cut}");
    let late = other.resume(ask.id, "end").await.unwrap_err();
    assert!(matches!(late, RunError::UnknownThread { .. }), "{late}");
    assert_eq!(left(&runtime).await, [""; 0]);
}

on_every_journal! {
    only_threads_that_are_over_are_removed
    what_is_young_or_among_the_last_is_kept
    a_thread_that_goes_on_meanwhile_loses_nothing
    a_thread_can_be_deleted_however_it_stands
    a_run_whose_thread_is_deleted_meanwhile_ends_with_a_conflict
}

#[tokio::test]
async fn a_thread_that_cannot_be_read_stays() {
    let (journal, hours) = (Memory::default(), Hours::default());
    let runtime = works(journal.clone(), &hours);
    for name in ["a", "c"] {
        runtime.thread(name).run(job("end")).await.unwrap();
    }
    let body = b"{}".to_vec();
    let broken = Record::new(1, Hash::of(&body), body);
    let thread = ThreadId::new("b");
    let append = journal.append(&thread, 0, vec![broken], Durability::Sync);
    append.await.unwrap();
    let removed = runtime.retain(Retention::new().keep_last(0)).await.unwrap();
    assert_eq!(names(&removed), ["a", "c"]);
    assert_eq!(left(&runtime).await, ["b"]);
}
