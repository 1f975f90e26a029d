//! The command line, page by page: `tests/cli/*.trycmd` say what is typed and what is printed.
//! `TRYCMD=overwrite cargo test --features cli --test cli` writes them anew.
#![cfg(all(feature = "cli", feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[path = "../examples/desk/graph.rs"]
mod graph;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use graph::{Ticket, desk, report};
use handoffs::Approval;
use handoffs::prelude::*;
use tempfile::TempDir;
use trycmd::TestCases;

/// A clock that goes on by a second with each look at it, from the 21st of November 2026 on.
fn clock() -> impl Fn() -> SystemTime + Send + Sync + 'static {
    let seconds = AtomicU64::new(1_795_262_400);
    move || {
        let seconds = seconds.fetch_add(1, Ordering::Relaxed);
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }
}

/// Writes a journal in which threads stand wherever a thread can.
async fn fill(path: &Path) {
    let journal = Sqlite::open(path).await.unwrap();
    let desk = Runtime::new(desk()).journal(journal.clone()).clock(clock());
    let run = async |name: &str, question: &str| {
        let thread = desk.thread(name);
        let run = thread.run(Ticket::new(question)).await;
        (thread, run)
    };
    // Finished, after an approval by somebody.
    let (ada, paused) = run("ada", "I was charged twice").await;
    let ask = paused.unwrap().paused().unwrap();
    let finished = ada.by("eve").resume(ask.id, Approval::Approved).await;
    assert!(finished.unwrap().finished().is_some());
    // Waits for an approval.
    let (_, paused) = run("bo", "I was charged twice, too").await;
    assert!(paused.unwrap().paused().is_some());
    // Waits for a person, after a lap.
    let (_, paused) = run("cy", "Why was I charged?").await;
    assert!(paused.unwrap().paused().is_some());
    // Failed.
    let (_, failed) = run("di", "locked out, and no password").await;
    failed.unwrap_err();
    // Given up.
    let (ed, paused) = run("ed", "Hello?").await;
    assert!(paused.unwrap().paused().is_some());
    ed.abandon("he has left").await.unwrap();
    // Finished without further ado.
    let (_, finished) = run("flo", "I lost my password").await;
    assert!(finished.unwrap().finished().is_some());
    // Of which not all is kept.
    let (gus, finished) = run("gus", "My password, please").await;
    assert!(finished.unwrap().finished().is_some());
    gus.trim(1).await.unwrap();
    // A fork, of which one branch asks.
    let report = Runtime::new(report()).journal(journal).clock(clock());
    let today = report.thread("today");
    let paused = today.run(Ticket::default()).await.unwrap();
    assert!(paused.paused().is_some());
}

/// Runs a page, with a journal of its own.
fn page(name: &str) {
    let place = TempDir::new().unwrap();
    let journal = place.path().join("desk.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(fill(&journal));
    drop(runtime);
    run_page(name, journal.to_str().unwrap());
}

fn run_page(name: &str, journal: &str) {
    let cases = TestCases::new();
    cases.env("HANDOFFS_JOURNAL", journal);
    cases.env("COLUMNS", "100");
    cases.insert_var("[JOURNAL]", journal.to_owned()).unwrap();
    let features = if cfg!(feature = "postgres") {
        "cli,postgres"
    } else {
        "cli"
    };
    let desk = trycmd::cargo::compile_example("desk", ["--features", features]);
    cases.register_bin("desk", desk);
    cases.case(format!("tests/cli/{name}.trycmd"));
}

#[test]
fn threads_are_listed() {
    page("threads");
}

#[test]
fn the_history_of_a_thread_is_told() {
    page("history");
}

#[test]
fn the_state_of_a_thread_is_shown() {
    page("show");
}

#[test]
fn questions_are_listed_and_answered() {
    page("inbox");
}

#[test]
fn a_journal_is_audited() {
    page("audit");
}

#[test]
fn threads_are_forked_and_removed() {
    page("keep");
}

#[test]
fn a_journal_is_counted() {
    page("stats");
}

#[test]
fn graphs_are_drawn_compared_and_checked() {
    page("graphs");
}

#[test]
fn a_program_with_graphs_runs_them() {
    page("desk");
}

#[test]
fn mistakes_are_told() {
    page("mistakes");
}

#[test]
fn there_is_help() {
    page("help");
}
