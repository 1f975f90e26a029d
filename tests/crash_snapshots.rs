//! Processes that are killed while a thread's snapshot is written or its first entries are trimmed.
//!
//! The children are this same test binary: `child` is a test that does nothing unless it is told to.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

mod common;

use std::env;
use std::path::{Path, PathBuf};

use common::children::{Deadly, KILL, Kill, When, child as command, ended, quick_folder};
use common::timeless;
use handoffs::prelude::*;
use handoffs::{Durability, Journal};

// ---- A run of which a snapshot is taken when it pauses, and another when it ends.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Count {
    notes: Log<u64>,
    #[state(progress)]
    sum: u64,
}

#[derive(Outcome)]
enum Next {
    More,
    Ask,
    Enough,
}

/// The steps after which the run pauses, and ends. A snapshot takes 512 entries.
const PAUSE: u64 = 600;
const END: u64 = 2_000;

#[node(Count)]
fn add(sum: &mut u64, notes: &mut Log<u64>) -> Next {
    *sum += 1;
    notes.push(*sum);
    match *sum {
        PAUSE => Next::Ask,
        END => Next::Enough,
        _ => Next::More,
    }
}

#[node(Count)]
async fn ask(notes: &mut Log<u64>, cx: &mut Context<'_>) -> Result<(), handoffs::NodeError> {
    notes.push(cx.ask("number", "Which?").await?);
    Ok(())
}

#[derive(AgentGraph)]
#[graph(state = Count, start = add)]
struct Counter {
    #[route(
        Next::More => add(limit = 5000, else = end),
        Next::Ask => ask,
        Next::Enough => end,
    )]
    add: Add,
    #[route(_ => add(limit = 10, else = end))]
    ask: Ask,
}

fn counter<J: Journal>(journal: J) -> Runtime<Counter, J> {
    let runtime = Runtime::new(Counter { add: Add, ask: Ask }).journal(journal);
    runtime.durability(Durability::Step)
}

const THREAD: &str = "counts";
const KEEP: u64 = 100;

/// Brings the thread to its end, and trims it.
async fn work<J: Journal>(journal: J) {
    let thread = counter(journal).thread(THREAD);
    let mut run = thread.run_once(Count::default()).await.unwrap();
    while let Run::Paused(ask) = run {
        run = thread.resume(ask.id, 42).await.unwrap();
    }
    thread.trim(KEEP).await.unwrap();
}

const FOLDER: &str = "HANDOFFS_SNAPSHOTS_FOLDER";
const FILE: &str = "counts.db";

#[test]
fn child() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let tokio = tokio::runtime::Runtime::new().unwrap();
    tokio.block_on(async {
        let journal = Sqlite::open(folder.join(FILE)).await.unwrap();
        work(Deadly::new(journal, Kill::told())).await;
    });
}

/// Runs a child, and returns whether it was killed.
fn killed(folder: &Path, kill: Option<Kill>) -> bool {
    let mut child = command();
    child.env(FOLDER, folder);
    if let Some(kill) = kill {
        child.env(KILL, kill.to_string());
    }
    let (killed, said) = ended(child.spawn().unwrap());
    assert_eq!(said, "");
    killed
}

async fn snapshot_of(folder: &Path) -> Option<u64> {
    let journal = Sqlite::open(folder.join(FILE)).await.unwrap();
    let snapshot = journal.snapshot(&THREAD.into()).await.unwrap();
    snapshot.map(|snapshot| snapshot.seq)
}

/// What is appended until the run pauses, and from there to the end; behind each stands a snapshot.
const BEFORE_PAUSE: u64 = 1 + PAUSE + 1;
/// The answer and the step that it leads to are one append.
const AFTER_PAUSE: u64 = 1 + (END - PAUSE);

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_at_a_snapshot_or_as_it_trims_loses_nothing() {
    let undisturbed = Memory::default();
    let thread = counter(undisturbed.clone()).thread(THREAD);
    let ask = thread
        .run(Count::default())
        .await
        .unwrap()
        .paused()
        .unwrap();
    let _ = thread.resume(ask.id, 42).await.unwrap();
    let (state, history) = (
        thread.state().await.unwrap(),
        timeless(&thread.history().await.unwrap()),
    );

    let first = BEFORE_PAUSE + 1;
    let second = first + AFTER_PAUSE + 1;
    let trim = second + 1;
    let mut kills = 0;
    let mut snapshots = Vec::new();
    for write in [first, second, trim] {
        for when in [When::Before, When::During, When::After] {
            let kill = Kill(when, write);
            let folder = quick_folder();
            let folder = folder.path();
            assert!(killed(folder, Some(kill)), "{kill}");
            kills += 1;
            if when != When::During {
                snapshots.push(snapshot_of(folder).await);
            }
            // What is left is a beginning, or the end of the whole once it is trimmed.
            let journal = Sqlite::open(folder.join(FILE)).await.unwrap();
            let thread = counter(journal).thread(THREAD);
            thread.verify(None).await.unwrap();
            let left = timeless(&thread.history().await.unwrap());
            let is_trimmed = history.ends_with(&left) && left.len() as u64 == KEEP;
            assert!(history.starts_with(&left) || is_trimmed, "{kill}");

            assert!(!killed(folder, None), "{kill}");
            let journal = Sqlite::open(folder.join(FILE)).await.unwrap();
            let thread = counter(journal).thread(THREAD);
            assert_eq!(thread.state().await.unwrap(), state, "{kill}");
            thread.verify(None).await.unwrap();
            let left = timeless(&thread.history().await.unwrap());
            assert_eq!(left[..], history[history.len() - left.len()..], "{kill}");
            assert_eq!(left.len() as u64, KEEP, "{kill}");
        }
    }
    assert_eq!(kills, 9);
    let (paused, ended) = (Some(BEFORE_PAUSE), Some(history.len() as u64));
    let expected = [None, paused, paused, ended, ended, ended];
    assert_eq!(snapshots, expected);
}
