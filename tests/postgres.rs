//! Processes and servers that are killed, with the journal on a server.
//!
//! The children are this same test binary: `child` is a test that does nothing unless it is told to.
#![cfg(all(unix, feature = "postgres"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use common::children::{Deadly, Effects, KILL, Kill, When, child as command, ended};
use common::server::{self, Server};
use common::timeless;
use futures::StreamExt;
use handoffs::prelude::*;
use handoffs::{Durability, Journal, JournalError, Layer, Record, RunError, ThreadId};
use serde_json::Value;

// ---- A run of which each step has a side effect that can be counted.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Count {
    goal: u32,
    notes: Log<String>,
    #[state(progress)]
    sum: u32,
}

#[derive(Outcome)]
enum Judged {
    Again { so_far: u32 },
    Enough,
}

/// Where each execution of a node is written down.
#[derive(Clone, Debug)]
struct Folder(PathBuf);

impl Folder {
    fn effects(&self) -> Effects {
        Effects(self.0.join("effects"))
    }

    fn note(&self, cx: &Context<'_>) {
        self.effects().note(cx);
    }

    /// Returns the steps of a thread that were executed, in their order.
    fn steps(&self, thread: &str) -> Vec<String> {
        self.effects().of(thread)
    }
}

struct Add(Folder);
struct Judge(Folder);

#[node(Count)]
impl Add {
    async fn run(&self, sum: &mut u32, notes: &mut Log<String>, cx: &mut Context<'_>) {
        self.0.note(cx);
        *sum += 1;
        notes.push(format!("it is {sum}"));
    }
}

#[node(Count)]
impl Judge {
    async fn run(&self, sum: &u32, goal: &u32, cx: &mut Context<'_>) -> Judged {
        self.0.note(cx);
        if *sum < *goal {
            Judged::Again { so_far: *sum }
        } else {
            Judged::Enough
        }
    }
}

#[derive(AgentGraph)]
#[graph(state = Count, start = add)]
struct Counter {
    #[route(_ => judge)]
    add: Add,
    #[route(
        Judged::Again { .. } => add(limit = 1000, else = end),
        Judged::Enough => end,
    )]
    judge: Judge,
}

fn counter(folder: &Path) -> Counter {
    let folder = || Folder(folder.to_owned());
    Counter {
        add: Add(folder()),
        judge: Judge(folder()),
    }
}

const GOAL: u32 = 5;
/// One for the start, and two a lap.
const APPENDS: u64 = 1 + 2 * GOAL as u64;

fn input(goal: u32) -> Count {
    Count {
        goal,
        ..Count::default()
    }
}

/// What an undisturbed run leaves: the state, the entries and the steps.
struct Undisturbed {
    state: Count,
    entries: Vec<Value>,
    steps: Vec<String>,
}

async fn undisturbed(thread: &str, goal: u32) -> Undisturbed {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new(counter(folder.path())).journal(Memory::default());
    let run = runtime.thread(thread);
    let state = run.run(input(goal)).await.unwrap().finished().unwrap();
    Undisturbed {
        state,
        entries: timeless(&run.history().await.unwrap()),
        steps: Folder(folder.path().to_owned()).steps(thread),
    }
}

/// Returns how a worker ends that knows nothing of what was before.
async fn work<J: Journal>(
    thread: &handoffs::Thread<Counter, J>,
    goal: u32,
) -> Result<Run<Count>, RunError> {
    thread.run_once(input(goal)).await
}

// ---- The child.

const SERVER: &str = "HANDOFFS_POSTGRES_SERVER";
const SCHEMA: &str = "HANDOFFS_POSTGRES_SCHEMA";
const FOLDER: &str = "HANDOFFS_POSTGRES_FOLDER";

#[test]
fn child() {
    let Ok(server) = env::var(SERVER) else {
        return;
    };
    let schema = env::var(SCHEMA).unwrap();
    let tokio = tokio::runtime::Runtime::new().unwrap();
    tokio.block_on(async {
        let kept = Postgres::options().schema(schema).connect(server).await;
        let journal = Deadly::new(kept.unwrap(), Kill::told());
        let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
            // It was to open the journal, and no more.
            return;
        };
        let runtime = Runtime::new(counter(&folder)).journal(journal);
        if let Err(error) = work(&runtime.thread("t"), GOAL).await {
            assert!(error.is_conflict(), "{error:?}");
            eprintln!("conflict: {error}");
        }
    });
}

struct Place {
    schema: String,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            schema: server::schema(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn child(&self) -> Command {
        let mut command = command();
        command
            .env(SERVER, Server::shared().address())
            .env(SCHEMA, &self.schema)
            .env(FOLDER, self.folder.path());
        command
    }

    async fn open(&self) -> Postgres {
        let options = Postgres::options().schema(&self.schema);
        options.connect(Server::shared().address()).await.unwrap()
    }

    fn steps(&self) -> Vec<String> {
        Folder(self.folder.path().to_owned()).steps("t")
    }

    /// Checks that the thread is what it would be if nothing had been.
    async fn check(&self, expected: &Undisturbed, case: &str) {
        let runtime = Runtime::new(counter(self.folder.path())).journal(self.open().await);
        let thread = runtime.thread("t");
        let status = thread.status().await.unwrap();
        assert!(matches!(status, Status::Finished), "{case}: {status:?}");
        assert_eq!(thread.state().await.unwrap(), expected.state, "{case}");
        let entries = timeless(&thread.history().await.unwrap());
        assert_eq!(entries, expected.entries, "{case}");
    }
}

// ---- The parents.

async fn check_killed_at(kill: Kill, expected: &Undisturbed) {
    let place = Place::new();
    let case = kill.to_string();
    let child = place.child().env(KILL, &case).spawn();
    assert!(ended(child.unwrap()).0, "{case}");
    let mut said = ended(place.child().spawn().unwrap()).1;
    let Kill(when, append) = kill;
    if when == When::During && said.starts_with("conflict: ") {
        // What the dead one had sent came to be only now, so that the next one was overtaken by it.
        said = ended(place.child().spawn().unwrap()).1;
    }
    assert_eq!(said, "", "{case}");
    place.check(expected, &case).await;

    // Only the step of which nothing was written is executed again.
    let mut steps = expected.steps.clone();
    if let (Some(step), When::Before) = (append.checked_sub(2), when) {
        let step = usize::try_from(step).unwrap();
        steps.insert(step, steps[step].clone());
    }
    let mut executed = place.steps();
    if when == When::During {
        executed.dedup();
    }
    assert_eq!(executed, steps, "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_at_any_append_loses_nothing_and_repeats_one_step_at_most() {
    let expected = undisturbed("t", GOAL).await;
    assert_eq!(expected.entries.len() as u64, APPENDS);
    let moments = |append| [When::Before, When::During, When::After].map(|when| Kill(when, append));
    let cases = (1..=APPENDS).flat_map(moments);
    let checks = cases.map(|kill| check_killed_at(kill, &expected));
    let checks = futures::stream::iter(checks).buffer_unordered(3);
    assert_eq!(checks.count().await as u64, 3 * APPENDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_begin_at_once_make_one_journal() {
    let place = Place::new();
    let mut children = Vec::new();
    for _ in 0..8 {
        children.push(place.child().env_remove(FOLDER).spawn().unwrap());
    }
    for child in children {
        assert_eq!(ended(child), (false, String::new()));
    }
    assert_eq!(place.open().await.threads().await.unwrap(), []);
}

/// A journal that remembers what it has said was written, and checks that it still is.
#[derive(Clone, Debug)]
struct Honest {
    kept: Postgres,
    /// Whether it said so of what is on disk.
    lasts: bool,
    heads: Arc<Mutex<BTreeMap<ThreadId, u64>>>,
}

#[async_trait]
impl Layer for Honest {
    type Within = Postgres;

    fn within(&self) -> &Postgres {
        &self.kept
    }

    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        let new = head + records.len() as u64;
        self.kept.append(thread, head, records, durability).await?;
        self.heads.lock().unwrap().insert(thread.clone(), new);
        Ok(())
    }

    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        let told = self.heads.lock().unwrap().get(thread).copied();
        let read = self.kept.read(thread, after).await?;
        let there = after + read.len() as u64;
        assert!(
            !self.lasts || there >= told.unwrap_or(0),
            "{thread}: {told:?} became {there}"
        );
        Ok(read)
    }
}

const KILLS: u64 = 5;
const WORKERS: usize = 6;
const STEPS: u32 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_in_the_middle_of_appends_loses_and_doubles_no_step() {
    let kill_and_boot = |server: &Server| {
        server.kill();
        server.boot();
    };
    check_killed_server(Durability::Sync, kill_and_boot).await;
}

/// Nobody has waited for the disk, so the last steps may be lost, and only these.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_before_all_is_on_disk_leaves_a_beginning_of_each_run() {
    let kill_and_boot = |server: &Server| {
        server.kill();
        server.boot();
    };
    check_killed_server(Durability::Step, kill_and_boot).await;
}

/// One process of the server dies, and the server throws all connections out to recover.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_which_one_process_is_killed_loses_and_doubles_no_step() {
    check_killed_server(Durability::Sync, Server::kill_a_backend).await;
}

async fn check_killed_server(level: Durability, kill_it: impl Fn(&Server)) {
    let server = Server::start();
    let journal = Honest {
        kept: Postgres::connect(server.address()).await.unwrap(),
        lasts: level == Durability::Sync,
        heads: Arc::default(),
    };
    let folder = tempfile::tempdir().unwrap();
    let killed = Arc::new(AtomicBool::new(false));
    let (mut threads, mut interrupted) = (0, 0);
    for kill in 0..KILLS {
        killed.store(false, Ordering::Relaxed);
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let runtime = Runtime::new(counter(folder.path())).journal(journal.clone());
                let runtime = runtime.durability(level);
                let killed = killed.clone();
                tokio::spawn(async move {
                    // One thread after the other, until the server goes down under one of them.
                    for number in 0.. {
                        let thread = runtime.thread(format!("{kill} {worker} {number}"));
                        let ended = work(&thread, STEPS).await;
                        if killed.load(Ordering::Relaxed) {
                            return (number + 1, ended.is_err());
                        }
                        let _ = ended.unwrap();
                    }
                    (0, false)
                })
            })
            .collect();
        // It is the journal's growth that is waited for, however long it takes.
        let written = || journal.heads.lock().unwrap().values().sum::<u64>();
        let enough = written() + 40 + 97 * kill % 300;
        while written() < enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        killed.store(true, Ordering::Relaxed);
        kill_it(&server);
        let mut ends = Vec::new();
        for worker in workers {
            ends.push(worker.await.unwrap());
        }
        until_it_serves(&journal).await;
        for (worker, (begun, cut_off)) in ends.into_iter().enumerate() {
            threads += begun;
            interrupted += u32::from(cut_off);
            for number in 0..begun {
                let name = format!("{kill} {worker} {number}");
                check_recovers(&journal, folder.path(), &name).await;
            }
        }
    }
    println!("{level:?}: {KILLS} kills, {threads} threads, {interrupted} cut off");
    assert!(interrupted > 0);
    assert_eq!(journal.kept.threads().await.unwrap().len(), threads);
}

/// Waits for a server that recovers.
async fn until_it_serves(journal: &Honest) {
    let since = Instant::now();
    while let Err(error) = journal.kept.threads().await {
        assert!(since.elapsed() < Duration::from_secs(60), "{error:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Takes up a run that a server may have left, and checks that it is as if nothing had been.
async fn check_recovers(journal: &Honest, folder: &Path, name: &str) {
    let runtime = Runtime::new(counter(folder)).journal(journal.clone());
    let thread = runtime.thread(name);
    let expected = undisturbed(name, STEPS).await;
    let left = timeless(&thread.history().await.unwrap());
    assert!(expected.entries.starts_with(&left), "{name}");
    let _ = work(&thread, STEPS).await.unwrap();
    assert_eq!(thread.state().await.unwrap(), expected.state);
    assert_eq!(timeless(&thread.history().await.unwrap()), expected.entries);
    let mut steps = Folder(folder.to_owned()).steps(name);
    if journal.lasts {
        assert!(steps.len() <= expected.steps.len() + 1, "{steps:?}");
        steps.dedup();
        assert_eq!(steps, expected.steps);
    } else {
        let mut executed = BTreeSet::new();
        steps.retain(|step| executed.insert(step.clone()));
        assert_eq!(
            steps, expected.steps,
            "each was executed, in the order of the run"
        );
    }
}
