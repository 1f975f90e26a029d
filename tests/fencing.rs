//! Several processes on one thread at once: one goes on, the others stop and say so.
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
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use common::children::{Effects, child as command, ended, level};
use common::timeless;
use handoffs::prelude::*;
use handoffs::{Durability, Journal};
use serde_json::Value;

// ---- A run of which each step is counted outside, and one can be held.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Count {
    notes: Log<String>,
    #[state(progress)]
    sum: u32,
}

#[derive(Outcome)]
enum Judged {
    Again { so_far: u32 },
    Enough,
}

/// Where each execution of a node is written down, and where a node looks for leave to go on.
#[derive(Clone, Debug)]
struct Folder(PathBuf);

impl Folder {
    fn note(&self, cx: &Context<'_>) {
        Effects(self.0.join("effects")).note(cx);
    }

    fn steps(&self, thread: &str) -> Vec<String> {
        Effects(self.0.join("effects")).of(thread)
    }

    /// Says `reached`, and waits for the file `go`, in a process that is to be held.
    async fn pass(&self) {
        if env::var_os(HOLDS).is_some() {
            fs::write(self.0.join("reached"), "").unwrap();
            self.wait_for("go").await;
        }
    }

    async fn wait_for(&self, file: &str) {
        while !self.0.join(file).exists() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
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
        if *sum == 3 {
            self.0.pass().await;
        }
    }
}

#[node(Count)]
impl Judge {
    async fn run(&self, sum: &u32, cx: &mut Context<'_>) -> Judged {
        self.0.note(cx);
        if *sum < GOAL {
            Judged::Again { so_far: *sum }
        } else {
            Judged::Enough
        }
    }
}

const GOAL: u32 = 6;

#[derive(AgentGraph)]
#[graph(state = Count, start = add)]
struct Counter {
    #[route(_ => judge)]
    add: Add,
    #[route(
        Judged::Again { .. } => add(limit = 100, else = end),
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

/// What an undisturbed run leaves: the state, the entries and the steps.
struct Undisturbed {
    state: Count,
    entries: Vec<Value>,
    steps: Vec<String>,
}

async fn undisturbed(thread: &str) -> Undisturbed {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new(counter(folder.path())).journal(Memory::default());
    let run = runtime.thread(thread);
    let state = run.run(Count::default()).await.unwrap();
    Undisturbed {
        state: state.finished().unwrap(),
        entries: timeless(&run.history().await.unwrap()),
        steps: Folder(folder.path().to_owned()).steps(thread),
    }
}

// ---- The child.

/// How a journal is opened by each of the processes.
#[derive(Clone, Debug)]
enum Kept {
    File(PathBuf),
    #[cfg(feature = "postgres")]
    Server {
        address: String,
        schema: String,
    },
}

impl Kept {
    async fn open(&self) -> Arc<dyn Journal> {
        match self {
            Self::File(path) => Arc::new(Sqlite::open(path).await.unwrap()),
            #[cfg(feature = "postgres")]
            Self::Server { address, schema } => {
                let options = Postgres::options().schema(schema);
                Arc::new(options.connect(address).await.unwrap())
            }
        }
    }

    fn tell(&self, command: &mut Command) {
        match self {
            Self::File(path) => command.env(FILE, path),
            #[cfg(feature = "postgres")]
            Self::Server { address, schema } => command.env(SERVER, address).env(SCHEMA, schema),
        };
    }

    fn told() -> Option<Self> {
        #[cfg(feature = "postgres")]
        if let Ok(address) = env::var(SERVER) {
            let schema = env::var(SCHEMA).unwrap();
            return Some(Self::Server { address, schema });
        }
        env::var_os(FILE).map(|path| Self::File(path.into()))
    }
}

const FILE: &str = "HANDOFFS_FENCING_FILE";
#[cfg(feature = "postgres")]
const SERVER: &str = "HANDOFFS_FENCING_SERVER";
#[cfg(feature = "postgres")]
const SCHEMA: &str = "HANDOFFS_FENCING_SCHEMA";
const FOLDER: &str = "HANDOFFS_FENCING_FOLDER";
const THREADS: &str = "HANDOFFS_FENCING_THREADS";
const LEVEL: &str = "HANDOFFS_FENCING_LEVEL";
const HOLDS: &str = "HANDOFFS_FENCING_HOLDS";

#[test]
fn child() {
    let Some(kept) = Kept::told() else {
        return;
    };
    let folder = PathBuf::from(env::var_os(FOLDER).unwrap());
    let threads: u32 = env::var(THREADS).unwrap().parse().unwrap();
    let durability = level(&env::var(LEVEL).unwrap());
    let tokio = tokio::runtime::Runtime::new().unwrap();
    tokio.block_on(async {
        let runtime = Runtime::new(counter(&folder))
            .journal(kept.open().await)
            .durability(durability);
        for number in 0..threads {
            let thread = runtime.thread(name(number));
            // What a worker does that knows nothing of others.
            match thread.run_once(Count::default()).await {
                Ok(run) => assert!(run.finished().is_some()),
                Err(error) => {
                    assert!(error.is_conflict(), "{error:?}");
                    eprintln!("conflict: {}", common::chain(&error));
                }
            }
        }
    });
}

fn name(number: u32) -> String {
    format!("t {number}")
}

struct Place {
    kept: Kept,
    folder: tempfile::TempDir,
}

impl Place {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::File(folder.path().join("counter.db"));
        Self { kept, folder }
    }

    #[cfg(feature = "postgres")]
    fn postgres() -> Self {
        use common::server::{Server, schema};

        let kept = Kept::Server {
            address: Server::shared().address(),
            schema: schema(),
        };
        let folder = tempfile::tempdir().unwrap();
        Self { kept, folder }
    }

    fn child(&self, threads: u32, level: Durability, holds: bool) -> Child {
        let mut command = command();
        self.kept.tell(&mut command);
        command
            .env(FOLDER, self.folder.path())
            .env(THREADS, threads.to_string())
            .env(LEVEL, format!("{level:?}"));
        if holds {
            command.env(HOLDS, "1");
        }
        command.spawn().unwrap()
    }

    fn folder(&self) -> Folder {
        Folder(self.folder.path().to_owned())
    }

    /// Checks that a thread is what it would be if nothing had been, and returns how many steps were
    /// done more than once.
    async fn check(&self, number: u32, case: &str) -> usize {
        let expected = undisturbed(&name(number)).await;
        let runtime = Runtime::new(counter(self.folder.path())).journal(self.kept.open().await);
        let thread = runtime.thread(name(number));
        let status = thread.status().await.unwrap();
        assert!(matches!(status, Status::Finished), "{case}: {status:?}");
        assert_eq!(thread.state().await.unwrap(), expected.state, "{case}");
        let entries = timeless(&thread.history().await.unwrap());
        assert_eq!(entries, expected.entries, "{case}");
        thread.verify(None).await.unwrap();

        // Two may have been at one step at once, and each step was done by one at least.
        let mut steps = self.folder().steps(&name(number));
        let executed = steps.len();
        let mut once = expected.steps;
        once.sort();
        steps.sort();
        steps.dedup();
        assert_eq!(steps, once, "{case}");
        executed - steps.len()
    }
}

// ---- The parents.

const LEVELS: [Durability; 2] = [Durability::Sync, Durability::Step];

async fn one_that_was_overtaken_in_a_step_stops_and_says_so(place: impl Fn() -> Place) {
    for level in LEVELS {
        let place = place();
        // The first is in the middle of a step when the second takes the thread up.
        let first = place.child(1, level, true);
        place.folder().wait_for("reached").await;
        let second = place.child(1, level, false);
        assert_eq!(ended(second), (false, String::new()), "{level:?}");
        fs::write(place.folder.path().join("go"), "").unwrap();
        let (killed, said) = ended(first);
        assert!(!killed);
        let parts = [
            "conflict: ",
            "thread `t 0`",
            "another worker has advanced it",
            "recover",
        ];
        for part in parts {
            assert!(said.contains(part), "`{part}` is missing in: {said}");
        }
        // What the first was at was done twice; nothing was written twice.
        assert_eq!(place.check(0, "two processes").await, 1, "{level:?}");
    }
}

const ROUNDS: u32 = 5;
const PROCESSES: usize = 4;

async fn of_those_who_begin_one_thread_at_once_one_at_a_time_goes_on(place: impl Fn() -> Place) {
    for round in 0..ROUNDS {
        let level = LEVELS[round as usize % 2];
        let place = place();
        let children = [(); PROCESSES].map(|()| place.child(1, level, false));
        let said = children.map(|child| ended(child).1);
        let stopped = said.iter().filter(|said| said.starts_with("conflict: "));
        let (stopped, went_on) = (stopped.count(), said.iter().filter(|said| said.is_empty()));
        assert_eq!(stopped + went_on.count(), PROCESSES, "{said:?}");
        // Each that stopped was overtaken, so there is one in front.
        assert!(stopped < PROCESSES, "{said:?}");
        place.check(0, &format!("round {round}")).await;
    }
}

const THREADS_EACH: u32 = 25;

async fn those_who_meet_on_many_threads_leave_each_as_one_would(place: impl Fn() -> Place) {
    for level in LEVELS {
        let place = place();
        let children = [(); 3].map(|()| place.child(THREADS_EACH, level, false));
        let conflicts: usize = children
            .map(|child| ended(child).1.lines().count())
            .into_iter()
            .sum();
        let mut repeated = 0;
        for number in 0..THREADS_EACH {
            repeated += place
                .check(number, &format!("{level:?}, thread {number}"))
                .await;
        }
        println!("{level:?}: {conflicts} conflicts, {repeated} steps done more than once");
        // Who was overtaken had done one step in vain. A start is no step.
        assert!(repeated <= conflicts, "{repeated} of {conflicts}");
    }
}

macro_rules! with_processes {
    ($place:ident: $($test:ident)*) => {
        mod $place {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(super::Place::$place).await;
            })*
        }
    };
}

with_processes! { sqlite:
    one_that_was_overtaken_in_a_step_stops_and_says_so
    of_those_who_begin_one_thread_at_once_one_at_a_time_goes_on
    those_who_meet_on_many_threads_leave_each_as_one_would
}

#[cfg(feature = "postgres")]
with_processes! { postgres:
    one_that_was_overtaken_in_a_step_stops_and_says_so
    of_those_who_begin_one_thread_at_once_one_at_a_time_goes_on
    those_who_meet_on_many_threads_leave_each_as_one_would
}
