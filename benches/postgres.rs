//! What a step costs whose journal is on a `PostgreSQL` server, beside the same bytes written by hand.
//!
//! `cargo bench --bench postgres --features postgres` starts a server of its own behind a Unix socket and
//! measures, each on one connection, one after the other:
//!
//! - `by hand`: `BEGIN`, a prepared `INSERT` and `COMMIT`, as one writes a transaction: three round trips;
//! - `bare`: the prepared `INSERT` alone, which commits by itself: one round trip, no check of any kind;
//! - `derived`: a run of which each step is committed before the next.
//!
//! All of it once at level `sync` (`synchronous_commit = on`), and once at level `step` (`off`), which
//! does not wait for the disk and so shows what is not the disk. It ends with a table of ratios, of interleaved runs.

#![expect(clippy::print_stdout, reason = "a bench reports to a person")]

#[path = "common/rings.rs"]
#[allow(dead_code, reason = "it has more rings than one")]
mod rings;
#[path = "../graph-runtime/src/journal/postgres/tests/server.rs"]
mod server;

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use handoffs::postgres::tokio_postgres::{Client, NoTls, Statement, connect};
use handoffs::prelude::*;
use handoffs::{Durability, Journal};
use rings::{Ring, Work};
use server::Server;

/// Steps in one run: laps of the ring, two steps each.
const STEPS: u64 = 100;

/// What the journalled run and its floors work on.
struct Kept {
    tokio: tokio::runtime::Runtime,
    runtime: Runtime<Ring, Postgres>,
    bare: Client,
    insert: Statement,
    bodies: Vec<Vec<u8>>,
    threads: u64,
}

impl Kept {
    fn new(durability: Durability) -> Self {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (journal, bare, insert) = tokio.block_on(open(durability));
        let runtime = Runtime::new(Ring::new());
        let mut kept = Self {
            tokio,
            runtime: runtime.durability(durability).journal(journal.clone()),
            bare,
            insert,
            bodies: Vec::new(),
            threads: 0,
        };
        kept.ours();
        let thread = "thread-1".into();
        let records = kept.tokio.block_on(journal.read(&thread, 0));
        let records = records.expect("a journal").into_iter();
        kept.bodies = records.map(|record| record.body).collect();
        kept
    }

    fn ours(&mut self) {
        self.threads += 1;
        let thread = self.runtime.thread(format!("thread-{}", self.threads));
        let work = Work::empty(STEPS);
        let run = self.tokio.block_on(thread.run(work)).expect("a run");
        run.finished().expect("a state");
    }

    /// Writes what a run writes, each body in a transaction of its own.
    fn floor(&mut self, by_hand: bool) {
        self.threads += 1;
        let thread = format!("thread-{}", self.threads);
        let (bare, insert) = (&self.bare, &self.insert);
        let write = async {
            for (seq, body) in (1_i64..).zip(&self.bodies) {
                if by_hand {
                    bare.batch_execute("BEGIN").await?;
                }
                let hash: &[u8] = &[0; 32];
                bare.execute(insert, &[&thread, &seq, &hash, body]).await?;
                if by_hand {
                    bare.batch_execute("COMMIT").await?;
                }
            }
            Ok::<_, handoffs::postgres::tokio_postgres::Error>(())
        };
        self.tokio.block_on(write).expect("rows");
    }
}

async fn open(durability: Durability) -> (Postgres, Client, Statement) {
    let server = Server::shared().address();
    let schema = server::schema();
    let options = Postgres::options().schema(&schema).connections(1);
    let journal = options.connect(&server).await.expect("a journal");
    let (bare, connection) = connect(&server, NoTls).await.expect("a server");
    tokio::spawn(connection);
    let name = format!("\"{schema}\".bare");
    let setting = match durability {
        Durability::Step => "off",
        _ => "on",
    };
    // A table like the journal's, with nothing around it.
    bare.batch_execute(&format!(
        "SET synchronous_commit = {setting};
         CREATE TABLE {name} (
             thread text NOT NULL, seq bigint NOT NULL, hash bytea NOT NULL, body bytea NOT NULL,
             PRIMARY KEY (thread, seq)
         )"
    ))
    .await
    .expect("a table");
    let insert = format!("INSERT INTO {name} VALUES ($1, $2, $3, $4)");
    let insert = bare.prepare(&insert).await.expect("SQL");
    (journal, bare, insert)
}

/// Runs three things in turn and returns the best time of each.
fn best_of(rounds: usize, kept: &mut Kept) -> [Duration; 3] {
    let mut best = [Duration::MAX; 3];
    for _ in 0..rounds {
        let runs: [&dyn Fn(&mut Kept); 3] = [
            &|kept| kept.floor(true),
            &|kept| kept.floor(false),
            &|kept| kept.ours(),
        ];
        for (best, run) in best.iter_mut().zip(runs) {
            let begun = Instant::now();
            run(kept);
            *best = begun.elapsed().min(*best);
        }
    }
    best
}

fn table() {
    println!(
        "\n| a step, in µs                      | by hand |    bare | derived | to by hand | to bare |"
    );
    println!(
        "|------------------------------------|--------:|--------:|--------:|-----------:|--------:|"
    );
    for (case, durability) in [
        ("postgres, sync", Durability::Sync),
        ("postgres, step", Durability::Step),
    ] {
        let best = best_of(20, &mut Kept::new(durability));
        // The start of a run is an append as well.
        let steps = f64::from(u32::try_from(STEPS + 1).expect("a small number"));
        let [by_hand, bare, ours] = best.map(|time| time.as_secs_f64() * 1e6 / steps);
        println!(
            "| {case:<34} | {by_hand:>7.1} | {bare:>7.1} | {ours:>7.1} | {:>9.2}x | {:>6.2}x |",
            ours / by_hand,
            ours / bare
        );
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("postgres");
    group
        .throughput(Throughput::Elements(STEPS))
        .sample_size(10);
    let mut kept = Kept::new(Durability::Sync);
    group.bench_function("by hand", |bench| bench.iter(|| kept.floor(true)));
    group.bench_function("bare", |bench| bench.iter(|| kept.floor(false)));
    group.bench_function("derived", |bench| bench.iter(|| kept.ours()));
    group.finish();
    criterion.final_summary();
    // `cargo test` runs benches too, unoptimised and without this flag, to see that they work.
    if std::env::args().any(|arg| arg == "--bench") {
        table();
    }
}
