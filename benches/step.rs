//! What a step costs: a derived graph against the same loop written by hand.
//!
//! `cargo bench --bench step` measures, each beside its floor in the same process:
//!
//! - `empty` and `hash`: two nodes hand to each other 5,000 times. The floor is an enum, a `match` and
//!   the same two `async fn`s. `empty` does nothing but count, so it shows the bare price of a step;
//!   `hash` also hashes a customer's message, the least that a real node does.
//! - `sqlite`: the same run with a journal, each step committed. The floor is a prepared `INSERT` of
//!   the same bytes in a transaction of its own, under the same pragmas.
//!
//! It ends with a table of ratios, of interleaved runs, which has larger rings, a chain and a built ring besides; with
//! the time from the start of a process to its first node, and the allocations a step.

#![expect(clippy::print_stdout, reason = "a bench reports to a person")]

#[path = "common/boxed.rs"]
mod boxed;
mod common;
#[path = "common/rings.rs"]
#[allow(dead_code, reason = "its states are not all needed")]
mod rings;

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use boxed::{Table, built_ring};
use common::{best_of, row, tokio};
use criterion::{Criterion, Throughput};
use handoffs::prelude::*;
use handoffs::{Journal, Runnable, ThreadId};
use rings::{
    CHAIN, Chain, Ring, Ring5, Ring20, Work, chain_by_hand, ring_by_hand, ring_of_5_by_hand,
    ring_of_20_by_hand,
};
use rusqlite::Connection;

/// Steps in one run.
const STEPS: u64 = 10_000;

fn ring() -> Runtime<Ring> {
    Runtime::new(Ring::new())
}

fn in_memory(criterion: &mut Criterion, name: &str, work: fn(u64) -> Work) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(STEPS));
    let tokio = tokio();
    group.bench_function("by hand", |bench| {
        bench
            .to_async(&tokio)
            .iter(|| ring_by_hand(black_box(work(STEPS))));
    });
    let watched = ring().thread("bench");
    group.bench_function("derived", |bench| {
        bench
            .to_async(&tokio)
            .iter(|| watched.run(black_box(work(STEPS))));
    });
    let unwatched = ring().watch_loops(false).thread("bench");
    group.bench_function("derived, loops not watched", |bench| {
        bench
            .to_async(&tokio)
            .iter(|| unwatched.run(black_box(work(STEPS))));
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
        let run = self.tokio.block_on(thread.run(Work::empty(KEPT_STEPS)));
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

fn table() {
    common::head("a step, in ns");
    let tokio = tokio();
    for (case, work) in [
        ("empty", Work::empty as fn(u64) -> Work),
        ("hash", Work::hash),
        ("hash of twice as much", |steps| Work::hash_of(steps, 2)),
    ] {
        for (watch, suffix) in [(true, ""), (false, ", loops not watched")] {
            let thread = ring().watch_loops(watch).thread("bench");
            let best = best_of(
                1_000,
                || {
                    drop(black_box(
                        tokio.block_on(ring_by_hand(black_box(work(STEPS)))),
                    ));
                },
                || {
                    drop(black_box(
                        tokio.block_on(thread.run(black_box(work(STEPS)))),
                    ));
                },
            );
            row(&format!("{case}{suffix}"), best, STEPS);
        }
    }
    rings(&tokio);
    let kept = std::cell::RefCell::new(Kept::new());
    let best = best_of(
        20,
        || kept.borrow_mut().floor(),
        || drop(kept.borrow_mut().ours()),
    );
    row("sqlite, each step committed", best, KEPT_STEPS + 1);
    println!(
        "\nfrom the start of a process to its first node: {:?}",
        cold_start()
    );
    println!(
        "allocations a step without a journal: {}",
        allocations_a_step()
    );
}

/// Larger rings, a chain, and the ring that is built at run time.
fn rings(tokio: &tokio::runtime::Runtime) {
    fn beside<G: Runnable<State = Work>, F: Future<Output = Work>>(
        tokio: &tokio::runtime::Runtime,
        case: &str,
        floor: impl Fn(Work) -> F,
        graph: G,
        steps: u64,
    ) {
        let thread = Runtime::new(graph).thread("bench");
        let best = best_of(
            1_000,
            || drop(black_box(tokio.block_on(floor(Work::hash(steps))))),
            || drop(black_box(tokio.block_on(thread.run(Work::hash(steps))))),
        );
        row(case, best, steps);
    }
    beside(
        tokio,
        "hash, a ring of 5",
        ring_of_5_by_hand,
        Ring5::new(),
        STEPS,
    );
    beside(
        tokio,
        "hash, a ring of 20",
        ring_of_20_by_hand,
        Ring20::new(),
        STEPS,
    );
    beside(
        tokio,
        "hash, a chain of 20 with its start",
        chain_by_hand,
        Chain::new(),
        CHAIN,
    );
    let table = Table::ring();
    let by_table = |work| table.run(work);
    beside(
        tokio,
        "hash, built, beside boxed futures",
        by_table,
        built_ring(),
        STEPS,
    );
}

/// The time from the start of a process to its first node: the best of some.
fn cold_start() -> Duration {
    let program = std::env::current_exe().expect("a program");
    let once = |_| {
        let born = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock");
        let mut child = Command::new(&program);
        let output = child.env(BORN, born.as_nanos().to_string()).output();
        let output = output.expect("a process").stdout;
        let took = String::from_utf8_lossy(&output).trim().parse();
        Duration::from_nanos(took.expect("a number"))
    };
    (0..20).map(once).min().expect("some")
}

/// What a process finds in its environment that is started to see how long that takes.
const BORN: &str = "HANDOFFS_BENCH_BORN";

#[node(Work)]
async fn first() {
    let born = std::env::var(BORN)
        .ok()
        .and_then(|born| born.parse::<u128>().ok());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    println!("{}", now.as_nanos() - born.expect("a time"));
}

#[derive(AgentGraph)]
#[graph(state = Work, start = first)]
struct Cold {
    #[route(_ => end)]
    first: First,
}

/// Counts what a run of 2,000 steps allocates beyond one of 1,000. Both let others have their turn, for which tokio
/// allocates once.
fn allocations_a_step() -> f64 {
    let tokio = tokio();
    let thread = ring().thread("bench");
    let count = |goal| {
        let work = Work::empty(goal);
        let measured =
            allocation_counter::measure(|| drop(black_box(tokio.block_on(thread.run(work)))));
        measured.count_total
    };
    let (short, long) = (count(1_000), count(2_000));
    f64::from(u32::try_from(long.saturating_sub(short)).unwrap_or(u32::MAX)) / 1_000.0
}

fn main() {
    if std::env::var_os(BORN).is_some() {
        let run = Runtime::new(Cold { first: First }).thread("bench");
        drop(tokio().block_on(run.run(Work::default())));
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    in_memory(&mut criterion, "empty", Work::empty);
    in_memory(&mut criterion, "hash", Work::hash);
    on_disk(&mut criterion);
    criterion.final_summary();
    if common::measures() {
        table();
    }
}
