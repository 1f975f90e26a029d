//! Processes that are killed, at every append and at random, and what becomes of their runs.
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

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::Duration;

use common::children::{
    Deadly, Dice, Effects, KILL, Kill, When, child as command, ended, level, quick_folder,
};
use common::timeless;
use futures::StreamExt;
use handoffs::Durability;
use handoffs::prelude::*;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

// ---- A run of thirty steps, each with a side effect that can be counted.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Study {
    seed: u64,
    notes: Log<String>,
    #[state(progress)]
    sum: u64,
    summary: Option<String>,
}

#[derive(Outcome)]
enum Judged {
    Again { so_far: u64 },
    Enough,
}

struct Plan(Effects);
struct Read(Effects);
struct Judge(Effects);
struct Report(Effects);

#[node(Study)]
impl Plan {
    async fn run(&self, notes: &mut Log<String>, cx: &mut Context<'_>) {
        self.0.note(cx);
        notes.push("planned".to_owned());
    }
}

#[node(Study)]
impl Read {
    async fn run(&self, seed: &u64, sum: &mut u64, notes: &mut Log<String>, cx: &mut Context<'_>) {
        self.0.note(cx);
        *sum = (*sum * 31 + seed + 1) % 1_000_003;
        notes.push(format!("read, {sum}"));
    }
}

#[node(Study)]
impl Judge {
    async fn run(&self, sum: &u64, cx: &mut Context<'_>) -> Judged {
        self.0.note(cx);
        if *sum == u64::MAX {
            return Judged::Enough;
        }
        Judged::Again { so_far: *sum }
    }
}

#[node(Study)]
impl Report {
    async fn run(&self, sum: &u64, mut summary: Out<'_, String>, cx: &mut Context<'_>) {
        self.0.note(cx);
        summary.set(format!("it is {sum}"));
    }
}

#[derive(AgentGraph)]
#[graph(state = Study, start = plan)]
struct Library {
    #[route(_ => read)]
    plan: Plan,
    #[route(_ => judge)]
    read: Read,
    #[route(
        Judged::Again { .. } => read(limit = 13, else = report),
        Judged::Enough => report,
    )]
    judge: Judge,
    #[route(_ => end)]
    report: Report,
}

/// One to plan, fourteen times read and judge, one to report.
const STEPS: u64 = 30;
/// And one append for the start.
const APPENDS: u64 = STEPS + 1;

fn library(effects: &Effects) -> Library {
    let effects = || effects.clone();
    Library {
        plan: Plan(effects()),
        read: Read(effects()),
        judge: Judge(effects()),
        report: Report(effects()),
    }
}

fn input(thread: &str) -> Study {
    Study {
        seed: thread.bytes().map(u64::from).sum::<u64>() % 7,
        ..Study::default()
    }
}

/// What an undisturbed run leaves: the state, the entries and the steps.
struct Undisturbed {
    state: Study,
    entries: Vec<Value>,
    steps: Vec<String>,
}

async fn undisturbed(thread: &str) -> Undisturbed {
    let folder = tempfile::tempdir().unwrap();
    let effects = Effects(folder.path().join("effects"));
    let runtime = Runtime::new(library(&effects)).journal(Memory::default());
    let thread = runtime.thread(thread);
    let state = thread.run(input(thread.id().as_str())).await;
    let state = state.unwrap().finished().unwrap();
    let entries = timeless(&thread.history().await.unwrap());
    let steps = effects.of(thread.id().as_str());
    assert_eq!(steps.len() as u64, STEPS);
    assert_eq!(entries.len() as u64, APPENDS);
    Undisturbed {
        state,
        entries,
        steps,
    }
}

// ---- The child.

const FOLDER: &str = "HANDOFFS_CRASH_FOLDER";
const THREADS: &str = "HANDOFFS_CRASH_THREADS";
const LEVEL: &str = "HANDOFFS_CRASH_LEVEL";
/// How many threads a child advances at once.
const AT_ONCE: usize = 12;

#[test]
fn child() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let threads: usize = env::var(THREADS).unwrap().parse().unwrap();
    let durability = level(&env::var(LEVEL).unwrap());
    let tokio = tokio::runtime::Runtime::new().unwrap();
    tokio.block_on(async {
        let journal = Sqlite::open(folder.join(FILE)).await.unwrap();
        let effects = Effects(folder.join("effects"));
        let runtime = Runtime::new(library(&effects))
            .journal(Deadly::new(journal, Kill::told()))
            .durability(durability);
        let threads = futures::stream::iter(0..threads).map(|number| {
            let thread = runtime.thread(name(number));
            tokio::spawn(async move {
                // What a worker does that knows nothing of what was before.
                let _ = match thread.status().await.unwrap() {
                    Status::New => thread.run(input(thread.id().as_str())).await.unwrap(),
                    _ => thread.recover().await.unwrap(),
                };
            })
        });
        let mut done = threads.buffer_unordered(AT_ONCE);
        while let Some(done) = done.next().await {
            done.unwrap();
        }
    });
}

const FILE: &str = "library.db";

fn name(number: usize) -> String {
    format!("reader {number}")
}

fn start_child(folder: &Path, threads: usize, level: Durability, kill: Option<Kill>) -> Child {
    let mut command = command();
    command
        .env(FOLDER, folder)
        .env(THREADS, threads.to_string())
        .env(LEVEL, format!("{level:?}"));
    if let Some(kill) = kill {
        command.env(KILL, kill.to_string());
    }
    command.spawn().unwrap()
}

// ---- The parents.

async fn runtime_at(folder: &Path) -> Runtime<Library, Sqlite> {
    let effects = Effects(folder.join("effects"));
    let journal = Sqlite::open(folder.join(FILE)).await.unwrap();
    Runtime::new(library(&effects)).journal(journal)
}

async fn check_killed_at(level: Durability, kill: Kill, expected: &Undisturbed) {
    let folder = quick_folder();
    let folder = folder.path();
    let case = format!("{level:?}, {kill}");
    let killed = |kill| ended(start_child(folder, 1, level, kill)).0;
    assert!(killed(Some(kill)), "{case}");
    assert!(!killed(None), "{case}");

    let thread = runtime_at(folder).await.thread(name(0));
    assert!(
        matches!(thread.status().await.unwrap(), Status::Finished),
        "{case}"
    );
    assert_eq!(thread.state().await.unwrap(), expected.state, "{case}");
    let entries = timeless(&thread.history().await.unwrap());
    assert_eq!(entries, expected.entries, "{case}");

    // Only the step of which nothing was written is executed again.
    let mut steps = expected.steps.clone();
    let Kill(when, append) = kill;
    if let (When::Before, Some(step)) = (when, append.checked_sub(2)) {
        let step = usize::try_from(step).unwrap();
        steps.insert(step, steps[step].clone());
    }
    let effects = Effects(folder.join("effects")).of(&name(0));
    assert_eq!(effects, steps, "{case}");
}

/// The levels at which the death of a process loses nothing.
const LEVELS: [Durability; 2] = [Durability::Sync, Durability::Step];
/// How often a process is killed before or after an append, at each level.
const KILLS_AT_APPENDS: u64 = 2 * APPENDS;
/// How often one is killed at random, at each level.
const KILLS_AT_RANDOM: u64 = 45;
const _: () = assert!(LEVELS.len() as u64 * (KILLS_AT_APPENDS + KILLS_AT_RANDOM) >= 200);

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_at_any_append_loses_nothing_and_repeats_one_step_at_most() {
    let expected = undisturbed(&name(0)).await;
    for level in LEVELS {
        let moments = |append| [When::Before, When::After].map(|when| Kill(when, append));
        let cases = (1..=APPENDS).flat_map(moments);
        let checks = cases.map(|kill| check_killed_at(level, kill, &expected));
        let checks = futures::stream::iter(checks).buffer_unordered(4);
        assert_eq!(checks.count().await as u64, KILLS_AT_APPENDS);
    }
}

/// Returns how many entries the journal has, as any other process sees them.
fn entries(folder: &Path) -> u64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let count = || -> rusqlite::Result<i64> {
        let file = Connection::open_with_flags(folder.join(FILE), flags)?;
        file.query_row("SELECT count(*) FROM entry", [], |row| row.get(0))
    };
    // As long as there is no file, or it is being recovered, there is nothing to see.
    count().map_or(0, |count| u64::try_from(count).unwrap())
}

const THREADS_A_ROUND: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_killed_at_random_under_load_finish_each_run_as_if_nothing_had_been() {
    for level in LEVELS {
        check_killed_at_random(level).await;
    }
}

async fn check_killed_at_random(level: Durability) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut dice = Dice(42);
    let (mut kills, mut threads) = (0, 0);
    while kills < KILLS_AT_RANDOM {
        threads += THREADS_A_ROUND;
        assert!(threads <= 40 * THREADS_A_ROUND, "only {kills} kills");
        loop {
            let enough = entries(folder) + 1 + dice.below(60);
            let mut child = start_child(folder, threads, level, None);
            // It is the journal's growth that is waited for, however long it takes.
            while entries(folder) < enough && child.try_wait().unwrap().is_none() {
                thread::sleep(Duration::from_millis(1));
            }
            // The child may be through already; then there is nothing to kill.
            let _ = child.kill();
            if !ended(child).0 {
                break;
            }
            kills += 1;
        }
    }
    println!("{level:?}: {kills} kills, {threads} threads");

    let runtime = runtime_at(folder).await;
    assert_eq!(runtime.threads().await.unwrap().len(), threads);
    let effects = Effects(folder.join("effects")).read();
    let (mut executed, mut written) = (0, 0);
    for number in 0..threads {
        let name = name(number);
        let expected = undisturbed(&name).await;
        let thread = runtime.thread(&*name);
        assert!(matches!(thread.status().await.unwrap(), Status::Finished));
        assert_eq!(thread.state().await.unwrap(), expected.state, "{name}");
        let entries = timeless(&thread.history().await.unwrap());
        assert_eq!(entries, expected.entries, "{name}");

        // A step may have been executed again as long as none had followed it, and never later.
        let mut steps = effects[&name].clone();
        executed += steps.len();
        steps.dedup();
        assert_eq!(steps, expected.steps, "{name}");
        written += steps.len();
        assert_eq!(steps.iter().collect::<BTreeSet<_>>().len(), steps.len());
    }
    // Of what a kill interrupts, each thread that was under way repeats one step.
    let repeats = (executed - written) as u64;
    assert!(
        repeats <= kills * AT_ONCE as u64,
        "{executed} executions of {written} steps in {kills} kills"
    );
}
