//! The command line, page by page: `tests/cli/*.trycmd` say what is typed and what is printed.
//! `TRYCMD=overwrite cargo test --features cli --test cli` writes them anew.
#![cfg(all(feature = "cli", feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[path = "common/example.rs"]
mod example;
#[path = "../examples/desk/graph.rs"]
mod graph;
#[cfg(all(unix, feature = "postgres"))]
#[path = "../graph-runtime/src/journal/postgres/tests/server.rs"]
mod server;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use graph::{Ticket, desk, report};
use handoffs::prelude::*;
use handoffs::{Approval, Journal};
use tempfile::TempDir;
use trycmd::TestCases;
use trycmd::schema::Bin;

/// A clock that goes on by a second with each look at it, from the 21st of November 2026 on.
fn clock() -> impl Fn() -> SystemTime + Send + Sync + 'static {
    let seconds = AtomicU64::new(1_795_262_400);
    move || {
        let seconds = seconds.fetch_add(1, Ordering::Relaxed);
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }
}

/// Writes a journal in which threads stand wherever a thread can.
async fn fill(journal: impl Journal + Clone) {
    let desk = Runtime::new(desk()).journal(journal.clone()).clock(clock());
    let run = async |name: &str, question: &str| {
        let thread = desk.thread(name);
        let run = thread.run(Ticket::from(question)).await;
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

/// The desk as it was: nobody helped who was not sure.
mod then {
    use handoffs::prelude::*;

    use crate::graph::{Access, Billed, Billing, Pay, Ticket, Triage, Triaged};

    #[derive(AgentGraph)]
    #[graph(state = Ticket, start = triage)]
    pub(crate) struct Desk {
        #[route(Triaged::Billing => billing, _ => access)]
        triage: Triage,
        #[route(Billed::Refund { .. } => pay, Billed::NotOurs => access)]
        billing: Billing,
        #[route(_ => end)]
        access: Access,
        #[route(_ => end)]
        pay: Pay,
    }

    pub(crate) fn desk() -> Desk {
        Desk {
            triage: Triage,
            billing: Billing,
            access: Access,
            pay: Pay,
        }
    }
}

/// A journal with threads in it, which is gone with this value.
struct Filled {
    _place: TempDir,
    path: PathBuf,
}

impl Filled {
    fn new() -> Self {
        Self::with(fill)
    }

    /// With threads of the desk as it was.
    fn then() -> Self {
        Self::with(async |journal| {
            let desk = Runtime::new(then::desk()).journal(journal).clock(clock());
            for (name, question) in [("old", "Hello?"), ("older", "I was charged twice")] {
                let ticket = Ticket::from(question);
                let run = desk.thread(name).run(ticket).await.unwrap();
                assert!(run.finished().is_some());
            }
        })
    }

    fn with(fill: impl AsyncFnOnce(Sqlite)) -> Self {
        let place = TempDir::new().unwrap();
        let path = place.path().join("desk.db");
        // Time stands still but for the nodes' own.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let journal = Sqlite::open(&path).await.unwrap();
            fill(journal).await;
        });
        Self {
            _place: place,
            path,
        }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Returns the command line on this journal.
    fn handoffs(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_handoffs"));
        command.env("HANDOFFS_JOURNAL", &self.path);
        command.args(args);
        command
    }
}

/// Runs a page, with a journal of its own.
fn page(name: &str) {
    let filled = Filled::new();
    run_page(name, filled.path());
}

/// Returns where the program of the example `desk` is.
fn desk_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| example::program("desk"))
}

fn run_page(name: &str, journal: &str) {
    let cases = TestCases::new();
    cases.env("HANDOFFS_JOURNAL", journal);
    cases.env("COLUMNS", "100");
    cases.insert_var("[JOURNAL]", journal.to_owned()).unwrap();
    cases.register_bin("desk", Bin::Path(desk_program().to_owned()));
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

/// It reads and writes no journal.
#[cfg(feature = "eval")]
#[test]
fn a_node_is_judged_by_cases() {
    run_page("eval", "none.db");
}

#[test]
fn decisions_of_an_older_graph_are_asked_again() {
    run_page("replay", Filled::then().path());
}

/// Runs a program with a terminal for what it says beside its output, and returns what comes there.
#[cfg(unix)]
fn on_a_terminal(mut program: Command) -> String {
    use std::fs::File;
    use std::io::Read;
    use std::process::Stdio;

    use rustix::fs::{Mode, OFlags, open};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let theirs = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    program.env("TERM", "xterm").stderr(theirs);
    let mut child = program.stdout(Stdio::null()).spawn().unwrap();
    // Our own end of theirs is closed, so that reading ends when the program does: with an error.
    drop(program);
    let mut said = Vec::new();
    let _ = File::from(terminal).read_to_end(&mut said);
    child.wait().unwrap();
    String::from_utf8_lossy(&said).into_owned()
}

#[cfg(unix)]
#[test]
fn on_a_terminal_a_bar_says_how_far_a_replay_is() {
    let filled = Filled::then();
    let replay = |format: &str| {
        let mut replay = Command::new(desk_program());
        replay.env("HANDOFFS_JOURNAL", filled.path());
        replay.args(["replay", "--format", format]);
        on_a_terminal(replay)
    };
    let said = replay("text");
    assert!(said.contains("2/2 threads"), "{said:?}");
    // Nothing of it is left beside what is said last.
    let (_, rest) = said.split_once("2 lead elsewhere today").unwrap();
    assert!(!rest.contains("threads"), "{said:?}");
    let said = replay("json");
    assert!(!said.contains("2/2 threads"), "{said:?}");
}

#[cfg(all(unix, feature = "postgres"))]
#[test]
fn a_journal_on_a_server_is_a_journal() {
    let server = server::Server::shared();
    let address = server.address();
    let (host, _) = address["host=".len()..].split_once(' ').unwrap();
    let address = format!("postgres://handoffs@{}/postgres", host.replace('/', "%2F"));
    // Its pool waits on real clocks.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let journal = handoffs::Postgres::connect(&*address).await.unwrap();
        fill(journal).await;
    });
    run_page("server", &address);
}

#[test]
fn mistakes_are_told() {
    page("mistakes");
    if cfg!(not(feature = "postgres")) {
        page("no_server");
    }
    if cfg!(not(feature = "seal")) {
        page("no_seal");
    }
}

/// Whether its entries are compressed nobody has to say.
#[cfg(all(feature = "seal", feature = "zstd"))]
#[test]
fn a_sealed_journal_is_opened_with_its_keys() {
    use handoffs::{ChaCha, Compressed, SealKey, Sealed};

    // As in `tests/cli/sealed.in/keys`.
    let key = SealKey::new("2026", &[7; 32]);
    let filled = Filled::with(async |store| {
        let sealed = Sealed::new(store, ChaCha::new(key)).context("desk");
        fill(Compressed::new(sealed).threshold(0)).await;
    });
    run_page("sealed", filled.path());
}

#[test]
fn there_is_help() {
    page("help");
}

#[test]
fn one_damaged_thread_is_named_and_the_others_are_told() {
    let filled = Filled::new();
    let store = rusqlite::Connection::open(&filled.path).unwrap();
    let changed = "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), 'twice', 'thrice') AS BLOB) WHERE thread = 'bo'";
    assert!(store.execute(changed, []).unwrap() > 0);
    drop(store);
    run_page("damaged", filled.path());
}

#[test]
fn colours_are_for_terminals_or_for_who_asks() {
    let filled = Filled::new();
    let printed = |color: &str, no_color: bool| {
        let mut threads = filled.handoffs(&["threads", "--color", color]);
        if no_color {
            threads.env("NO_COLOR", "1");
        } else {
            threads.env_remove("NO_COLOR");
        }
        String::from_utf8(threads.output().unwrap().stdout).unwrap()
    };
    let escape = '\u{1b}';
    assert!(printed("always", false).starts_with(escape));
    assert!(
        printed("always", true).starts_with(escape),
        "as it was asked for"
    );
    for (color, no_color) in [("auto", false), ("auto", true), ("never", false)] {
        let printed = printed(color, no_color);
        assert!(!printed.contains(escape), "{color}: {printed:?}");
        assert!(printed.starts_with("THREAD"));
    }
}

#[test]
fn whoever_reads_may_stop_when_he_likes() {
    let filled = Filled::new();
    for args in [
        &["stats"][..],
        &["audit", "export", "ada"],
        &["completions", "bash"],
        &["threads"],
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut command = filled.handoffs(args);
        let done = command.stdout(writer).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{args:?}: {said}");
        assert!(
            !said.contains("panic") && !said.contains("error"),
            "{args:?}: {said}"
        );
    }
}

#[test]
fn shells_complete_what_the_program_can_do() {
    let filled = Filled::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = filled.handoffs(&["completions", shell]).output().unwrap();
        let script = String::from_utf8(done.stdout).unwrap();
        assert!(
            script.contains("handoffs") && script.contains("inbox"),
            "{shell}: {script}"
        );
    }
}

/// What programs build on: each line by itself is JSON.
#[test]
fn json_is_json() {
    let filled = Filled::new();
    for args in [
        &["threads"][..],
        &["history", "today"],
        &["show", "bo"],
        &["inbox"],
        &["audit", "verify"],
        &["stats"],
        &[
            "check",
            "docs/support_desk.dot",
            "--against",
            "docs/support_desk.dot",
        ],
        &["prune", "--keep-last", "0"],
    ] {
        let mut command = filled.handoffs(args);
        let done = command.args(["--format", "json"]).output().unwrap();
        let printed = String::from_utf8(done.stdout).unwrap();
        assert!(!printed.is_empty(), "{args:?}");
        for line in printed.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(value.is_object(), "{args:?}: {line}");
        }
    }
}
