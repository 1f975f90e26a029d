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

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use common::timeless;
use futures::StreamExt;
use handoffs::Durability;
use handoffs::Layer;
use handoffs::prelude::*;
use handoffs::{Journal, JournalError, Record, ThreadId};
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

/// Where each execution of a node is written down, beyond the reach of journal and state.
#[derive(Clone, Debug)]
struct Effects(PathBuf);

impl Effects {
    fn note(&self, cx: &Context<'_>) {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).open(&self.0).unwrap();
        let line = format!("{}\t{}\n", cx.thread(), cx.idempotency_key());
        file.write_all(line.as_bytes()).unwrap();
    }

    /// Returns the steps that were executed, in their order, by thread.
    fn read(&self) -> BTreeMap<String, Vec<String>> {
        let mut steps = BTreeMap::<_, Vec<_>>::new();
        for line in fs::read_to_string(&self.0).unwrap_or_default().lines() {
            let (thread, key) = line.split_once('\t').unwrap();
            steps
                .entry(thread.to_owned())
                .or_default()
                .push(key.to_owned());
        }
        steps
    }
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
    let steps = effects.read().remove(thread.id().as_str()).unwrap();
    assert_eq!(steps.len() as u64, STEPS);
    assert_eq!(entries.len() as u64, APPENDS);
    Undisturbed {
        state,
        entries,
        steps,
    }
}

// ---- The child.

/// A journal that kills its own process before or after an append.
#[derive(Debug)]
struct Deadly {
    kept: Sqlite,
    appends: AtomicU64,
    kill: Option<(When, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Before,
    After,
}

impl Deadly {
    fn pass(&self, when: When, append: u64) {
        if self.kill == Some((when, append)) {
            let pid = std::process::id().to_string();
            drop(Command::new("kill").args(["-9", &pid]).status());
            loop {
                thread::park();
            }
        }
    }
}

#[async_trait]
impl Layer for Deadly {
    type Within = Sqlite;

    fn within(&self) -> &Sqlite {
        &self.kept
    }

    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        let append = self.appends.fetch_add(1, Ordering::Relaxed) + 1;
        self.pass(When::Before, append);
        self.kept.append(thread, head, records, durability).await?;
        self.pass(When::After, append);
        Ok(())
    }
}

const FOLDER: &str = "HANDOFFS_CRASH_FOLDER";
const THREADS: &str = "HANDOFFS_CRASH_THREADS";
const KILL: &str = "HANDOFFS_CRASH_KILL";
/// How many threads a child advances at once.
const AT_ONCE: usize = 12;

#[test]
fn child() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let threads: usize = env::var(THREADS).unwrap().parse().unwrap();
    let kill = env::var(KILL).ok().map(|kill| {
        let (when, append) = kill.split_once(' ').unwrap();
        let when = if when == "before" {
            When::Before
        } else {
            When::After
        };
        (when, append.parse().unwrap())
    });
    let tokio = tokio::runtime::Runtime::new().unwrap();
    tokio.block_on(async {
        let journal = Deadly {
            kept: Sqlite::open(folder.join(FILE)).await.unwrap(),
            appends: AtomicU64::new(0),
            kill,
        };
        let effects = Effects(folder.join("effects"));
        let runtime = Runtime::new(library(&effects)).journal(journal);
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

fn start_child(folder: &Path, threads: usize, kill: Option<(When, u64)>) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]);
    command
        .env(FOLDER, folder)
        .env(THREADS, threads.to_string());
    if let Some((when, append)) = kill {
        let when = format!("{when:?}").to_lowercase();
        command.env(KILL, format!("{when} {append}"));
    }
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn killed(child: Child) -> bool {
    let output = child.wait_with_output().unwrap();
    if output.status.signal() == Some(9) {
        return true;
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    false
}

// ---- The parents.

async fn runtime_at(folder: &Path) -> Runtime<Library, Sqlite> {
    let effects = Effects(folder.join("effects"));
    let journal = Sqlite::open(folder.join(FILE)).await.unwrap();
    Runtime::new(library(&effects)).journal(journal)
}

async fn check_killed_at(when: When, append: u64, expected: &Undisturbed) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let case = format!("{when:?} append {append}");
    assert!(
        killed(start_child(folder, 1, Some((when, append)))),
        "{case}"
    );
    assert!(!killed(start_child(folder, 1, None)), "{case}");

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
    if let (When::Before, Some(step)) = (when, append.checked_sub(2)) {
        let step = usize::try_from(step).unwrap();
        steps.insert(step, steps[step].clone());
    }
    let effects = Effects(folder.join("effects")).read();
    assert_eq!(effects[&name(0)], steps, "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_at_any_append_loses_nothing_and_repeats_one_step_at_most() {
    let expected = undisturbed(&name(0)).await;
    let cases = (1..=APPENDS).flat_map(|append| [(When::Before, append), (When::After, append)]);
    let checks = cases.map(|(when, append)| check_killed_at(when, append, &expected));
    let mut checks = futures::stream::iter(checks).buffer_unordered(4);
    let mut checked = 0;
    while let Some(()) = checks.next().await {
        checked += 1;
    }
    assert_eq!(checked, 2 * APPENDS);
}

/// A source of numbers that are the same in each run of the test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
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

const KILLS: usize = 25;
const THREADS_A_ROUND: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_killed_at_random_under_load_finish_each_run_as_if_nothing_had_been() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut dice = Dice(42);
    let (mut kills, mut threads) = (0, 0);
    while kills < KILLS {
        threads += THREADS_A_ROUND;
        assert!(threads <= 40 * THREADS_A_ROUND, "only {kills} kills");
        loop {
            let enough = entries(folder) + 1 + dice.below(60);
            let mut child = start_child(folder, threads, None);
            // It is the journal's growth that is waited for, however long it takes.
            while entries(folder) < enough && child.try_wait().unwrap().is_none() {
                thread::sleep(Duration::from_millis(1));
            }
            // The child may be through already; then there is nothing to kill.
            let _ = child.kill();
            if !killed(child) {
                break;
            }
            kills += 1;
        }
    }
    println!("{kills} kills, {threads} threads");

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
    assert!(
        executed - written <= kills * AT_ONCE,
        "{executed} executions of {written} steps in {kills} kills"
    );
}
