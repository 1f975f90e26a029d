//! What a step costs: a derived graph against the same loop written by hand.
//!
//! `cargo bench --bench step` measures, each beside its floor in the same process:
//!
//! - `empty` and `scan`: two nodes hand to each other 500 times. The floor is an enum, a `match` and
//!   the same two `async fn`s. `empty` does nothing but count, so it shows the bare price of a step;
//!   `scan` also looks for five words in a customer's message, the least that a real node does.
//! - `sqlite`: the same run with a journal, each step committed. The floor is a prepared `INSERT` of
//!   the same bytes in a transaction of its own, under the same pragmas.
//!
//! It ends with a table of ratios, of interleaved runs, and the allocations a step.

#![expect(clippy::print_stdout, reason = "a bench reports to a person")]

mod common;

use std::hint::black_box;
use std::time::Duration;

use common::best_of;
use criterion::{Criterion, Throughput};
use handoffs::prelude::*;
use handoffs::{Journal, ThreadId};
use rusqlite::Connection;

/// Steps in one run: laps of the ring, two steps each.
const STEPS: u64 = 1_000;
const LAPS: u32 = 500;

#[derive(State, Clone, Debug)]
struct Work {
    count: u64,
    goal: u64,
    message: String,
}

impl Work {
    fn new(goal: u64, message: &str) -> Self {
        Self {
            count: 0,
            goal,
            message: message.to_owned(),
        }
    }

    fn empty() -> Self {
        Self::new(STEPS, "")
    }

    fn scan() -> Self {
        Self::new(
            STEPS,
            "hello, last Tuesday my card was charged twice at the same shop",
        )
    }
}

#[derive(Outcome)]
enum Next {
    Again,
    Done,
}

/// Looks for words in the message, and counts one whatever it finds.
fn look(message: &str) -> u64 {
    let message = black_box(message);
    if message.is_empty() {
        return 1;
    }
    let found = ["refund", "stolen", "invoice", "sign in", "cancel"]
        .iter()
        .any(|word| message.contains(word));
    1 + u64::from(black_box(found) && message.len() == 1)
}

#[node(Work)]
async fn ping(count: &mut u64, message: &str) {
    *count += look(message);
}

#[node(Work)]
async fn pong(count: &mut u64, goal: &u64, message: &str) -> Next {
    *count += look(message);
    if *count >= *goal {
        Next::Done
    } else {
        Next::Again
    }
}

#[derive(AgentGraph)]
#[graph(state = Work, start = ping)]
struct Ring {
    #[route(_ => pong)]
    ping: Ping,
    #[route(Next::Done => end, Next::Again => ping(limit = 500, else = end))]
    pong: Pong,
}

fn ring() -> Runtime<Ring> {
    Runtime::new(Ring {
        ping: Ping,
        pong: Pong,
    })
}

enum At {
    Ping,
    Pong,
}

/// The same loop by hand.
async fn by_hand(mut state: Work) -> Work {
    let mut at = At::Ping;
    let mut laps = 0;
    loop {
        at = match at {
            At::Ping => {
                ping(&mut state.count, &state.message).await;
                At::Pong
            }
            At::Pong => match pong(&mut state.count, &state.goal, &state.message).await {
                Next::Again if laps < LAPS => {
                    laps += 1;
                    At::Ping
                }
                Next::Again | Next::Done => return state,
            },
        };
    }
}

fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
}

fn in_memory(criterion: &mut Criterion, name: &str, work: fn() -> Work) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(STEPS));
    let tokio = tokio();
    group.bench_function("by hand", |bench| {
        bench.to_async(&tokio).iter(|| by_hand(black_box(work())));
    });
    let watched = ring().thread("bench");
    group.bench_function("derived", |bench| {
        bench
            .to_async(&tokio)
            .iter(|| watched.run(black_box(work())));
    });
    let unwatched = ring().watch_loops(false).thread("bench");
    group.bench_function("derived, loops not watched", |bench| {
        bench
            .to_async(&tokio)
            .iter(|| unwatched.run(black_box(work())));
    });
}

/// Steps in a run that is journalled.
const KEPT_STEPS: u64 = 100;

/// The bytes that a journalled run writes, one body a commit.
async fn bodies(journal: &Sqlite, thread: &ThreadId) -> Vec<Vec<u8>> {
    let records = journal.read(thread, 0).await.expect("a journal");
    records.into_iter().map(|record| record.body).collect()
}

/// A table like the journal's, with nothing around it.
fn bare(path: &std::path::Path) -> Connection {
    let bare = Connection::open(path).expect("a file");
    bare.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 2000;
         CREATE TABLE entry (
             thread TEXT NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, body BLOB NOT NULL,
             PRIMARY KEY (thread, seq)
         ) STRICT;",
    )
    .expect("a table");
    bare
}

fn insert(bare: &Connection, thread: &str, bodies: &[Vec<u8>]) {
    let mut insert = bare
        .prepare("INSERT INTO entry VALUES (?1, ?2, ?3, ?4)")
        .expect("SQL");
    for (seq, body) in (1_i64..).zip(bodies) {
        bare.execute_batch("BEGIN IMMEDIATE")
            .expect("a transaction");
        insert
            .execute((thread, seq, [0_u8; 32], body))
            .expect("a row");
        bare.execute_batch("COMMIT").expect("a commit");
    }
}

/// What the journalled run and its floor work on.
struct Kept {
    tokio: tokio::runtime::Runtime,
    journal: Sqlite,
    runtime: Runtime<Ring, Sqlite>,
    bare: Connection,
    bodies: Vec<Vec<u8>>,
    threads: u64,
    _folder: tempfile::TempDir,
}

impl Kept {
    fn new() -> Self {
        let tokio = tokio();
        let folder = tempfile::tempdir().expect("a folder");
        let journal = tokio
            .block_on(Sqlite::open(folder.path().join("ours.db")))
            .expect("a file");
        let runtime = ring().journal(journal.clone());
        let bare = bare(&folder.path().join("bare.db"));
        let mut kept = Self {
            tokio,
            journal,
            runtime,
            bare,
            bodies: Vec::new(),
            threads: 0,
            _folder: folder,
        };
        let thread = kept.ours();
        kept.bodies = kept.tokio.block_on(bodies(&kept.journal, &thread));
        kept
    }

    fn ours(&mut self) -> ThreadId {
        self.threads += 1;
        let thread = self.runtime.thread(format!("thread-{}", self.threads));
        let run = self.tokio.block_on(thread.run(Work::new(KEPT_STEPS, "")));
        run.expect("a run").finished().expect("a state");
        thread.id().clone()
    }

    fn floor(&mut self) {
        self.threads += 1;
        insert(
            &self.bare,
            &format!("thread-{}", self.threads),
            &self.bodies,
        );
    }
}

fn on_disk(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sqlite");
    group
        .throughput(Throughput::Elements(KEPT_STEPS))
        .sample_size(10);
    let mut kept = Kept::new();
    group.bench_function("bare INSERT + COMMIT", |bench| bench.iter(|| kept.floor()));
    group.bench_function("derived", |bench| bench.iter(|| kept.ours()));
}

fn row(case: &str, (floor, ours): (Duration, Duration), steps: u64) {
    let a_step = |time: Duration| {
        time.as_secs_f64() * 1e9 / f64::from(u32::try_from(steps).unwrap_or(u32::MAX))
    };
    let ratio = ours.as_secs_f64() / floor.as_secs_f64();
    println!(
        "| {case:<28} | {:>10.1} | {:>10.1} | {ratio:>5.2}x |",
        a_step(floor),
        a_step(ours)
    );
}

fn table() {
    println!("\n| a step, in ns                |      floor |    derived |  ratio |");
    println!("|------------------------------|-----------:|-----------:|-------:|");
    let tokio = tokio();
    for (case, work) in [("empty", Work::empty as fn() -> Work), ("scan", Work::scan)] {
        for (watch, suffix) in [(true, ""), (false, ", loops not watched")] {
            let thread = ring().watch_loops(watch).thread("bench");
            let best = best_of(
                1_000,
                || drop(black_box(tokio.block_on(by_hand(black_box(work()))))),
                || drop(black_box(tokio.block_on(thread.run(black_box(work()))))),
            );
            row(&format!("{case}{suffix}"), best, STEPS);
        }
    }
    let kept = std::cell::RefCell::new(Kept::new());
    let best = best_of(
        20,
        || kept.borrow_mut().floor(),
        || drop(kept.borrow_mut().ours()),
    );
    row("sqlite, each step committed", best, KEPT_STEPS + 1);
    println!(
        "\nallocations a step without a journal: {}",
        allocations_a_step()
    );
}

/// Counts what a run of 1,000 steps allocates beyond one of 500.
fn allocations_a_step() -> f64 {
    let tokio = tokio();
    let thread = ring().thread("bench");
    let count = |goal| {
        let work = Work::new(goal, "");
        let measured =
            allocation_counter::measure(|| drop(black_box(tokio.block_on(thread.run(work)))));
        measured.count_total
    };
    let (short, long) = (count(500), count(1_000));
    f64::from(u32::try_from(long.saturating_sub(short)).unwrap_or(u32::MAX)) / 500.0
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    in_memory(&mut criterion, "empty", Work::empty);
    in_memory(&mut criterion, "scan", Work::scan);
    on_disk(&mut criterion);
    criterion.final_summary();
    // `cargo test` runs benches too, unoptimised and without this flag, to see that they work.
    if std::env::args().any(|arg| arg == "--bench") {
        table();
    }
}
