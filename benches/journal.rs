//! What a step costs in each journal at each level of durability, beside the same bytes written by hand.
//!
//! `cargo bench --bench journal` measures runs of 100 steps; with `--features postgres` on a server of its own,
//! too. The floor of each is what has to be done in any case:
//!
//! - in memory, to put the bytes into a `Vec`;
//! - on SQLite and PostgreSQL, a prepared `INSERT` of the same bytes between `BEGIN` and `COMMIT`, with the same
//!   settings: one transaction a step, and at level `exit` one for all of them.
//!
//! It ends with a table of the best of interleaved runs.

#![expect(clippy::print_stdout, reason = "a bench reports to a person")]

mod common;
#[path = "common/rings.rs"]
#[allow(dead_code, reason = "it has more rings than one")]
mod rings;
#[cfg(feature = "postgres")]
#[path = "../graph-runtime/src/journal/postgres/tests/server.rs"]
mod server;

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Arc;

use common::best_of;
use criterion::{Criterion, Throughput};
use handoffs::prelude::*;
use handoffs::{Durability, Journal, ThreadId};
use rings::{Ring, Work};
use rusqlite::Connection;

/// Steps in one run: laps of the ring, two steps each.
const STEPS: u64 = 100;

/// What a journalled run and its floor work on.
struct Kept {
    tokio: tokio::runtime::Runtime,
    runtime: Runtime<Ring, Arc<dyn Journal>>,
    floor: Floor,
    /// What a run writes, one body a step.
    bodies: Vec<Vec<u8>>,
    /// Whether all of it is written at once.
    at_once: bool,
    threads: u64,
}

/// Where the floor writes to.
enum Floor {
    Memory(Vec<Vec<u8>>),
    File(Connection),
    #[cfg(feature = "postgres")]
    Server(
        handoffs::postgres::tokio_postgres::Client,
        handoffs::postgres::tokio_postgres::Statement,
    ),
}

impl Kept {
    fn new(place: &Place, level: Durability) -> Self {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (journal, floor) = tokio.block_on(place.open(level));
        let ring = Ring::new();
        let runtime = Runtime::new(ring)
            .journal(Arc::clone(&journal))
            .durability(level);
        let mut kept = Self {
            tokio,
            runtime,
            floor,
            bodies: Vec::new(),
            at_once: level == Durability::Exit,
            threads: 0,
        };
        let thread = kept.ours();
        let records = kept.tokio.block_on(journal.read(&thread, 0));
        let records = records.expect("a journal").into_iter();
        kept.bodies = records.map(|record| record.body).collect();
        kept
    }

    fn ours(&mut self) -> ThreadId {
        self.threads += 1;
        let thread = self.runtime.thread(format!("thread-{}", self.threads));
        let work = Work::empty(STEPS);
        let run = self.tokio.block_on(thread.run(work)).expect("a run");
        run.finished().expect("a state");
        thread.id().clone()
    }

    /// Writes what a run writes.
    fn floor(&mut self) {
        self.threads += 1;
        let thread = format!("thread-{}", self.threads);
        let a_commit = if self.at_once { usize::MAX } else { 1 };
        let commits = self.bodies.chunks(a_commit);
        match &mut self.floor {
            Floor::Memory(rows) => {
                // Criterion asks for so many runs that a machine could not hold them all.
                if rows.len() > 1_000_000 {
                    rows.clear();
                }
                commits.for_each(|bodies| rows.extend(black_box(bodies).iter().cloned()));
            }
            Floor::File(file) => insert(file, &thread, commits).expect("rows"),
            #[cfg(feature = "postgres")]
            Floor::Server(client, insert) => {
                let write = on_a_server::insert(client, insert, &thread, commits);
                self.tokio.block_on(write).expect("rows");
            }
        }
    }
}

fn insert<'b>(
    file: &Connection,
    thread: &str,
    commits: impl Iterator<Item = &'b [Vec<u8>]>,
) -> rusqlite::Result<()> {
    let mut begin = file.prepare("BEGIN IMMEDIATE")?;
    let mut insert = file.prepare("INSERT INTO entry VALUES (?1, ?2, ?3, ?4)")?;
    let mut commit = file.prepare("COMMIT")?;
    let mut seq = 0_i64;
    for bodies in commits {
        begin.execute([])?;
        for body in bodies {
            seq += 1;
            insert.execute((thread, seq, [0_u8; 32], body))?;
        }
        commit.execute([])?;
    }
    Ok(())
}

/// A journal, and beside it a table that is like it, with nothing around it.
enum Place {
    Memory,
    File(tempfile::TempDir),
    #[cfg(feature = "postgres")]
    Server,
}

impl Place {
    async fn open(&self, level: Durability) -> (Arc<dyn Journal>, Floor) {
        match self {
            Self::Memory => (Arc::new(Memory::default()), Floor::Memory(Vec::new())),
            Self::File(folder) => {
                let named = |name: &str| folder.path().join(format!("{name} {level:?}.db"));
                let journal = Sqlite::open(named("ours")).await.expect("a file");
                let bare = Connection::open(named("bare")).expect("a file");
                let synchronous = match level {
                    Durability::Step => "NORMAL",
                    _ => "FULL",
                };
                bare.execute_batch(&format!(
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};
                     PRAGMA wal_autocheckpoint = 2000;
                     CREATE TABLE entry (
                         thread TEXT NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL,
                         body BLOB NOT NULL, PRIMARY KEY (thread, seq)
                     ) STRICT;"
                ))
                .expect("a table");
                (Arc::new(journal), Floor::File(bare))
            }
            #[cfg(feature = "postgres")]
            Self::Server => on_a_server::open(level).await,
        }
    }
}

#[cfg(feature = "postgres")]
mod on_a_server {
    use handoffs::postgres::tokio_postgres::{Client, Error, NoTls, Statement, connect};

    use super::server::{self, Server};
    use super::{Arc, Durability, Floor, Journal, Postgres};

    pub(super) async fn open(level: Durability) -> (Arc<dyn Journal>, Floor) {
        let server = Server::shared().address();
        let schema = server::schema();
        let options = Postgres::options().schema(&schema).connections(1);
        let journal = options.connect(&server).await.expect("a journal");
        let (bare, connection) = connect(&server, NoTls).await.expect("a server");
        tokio::spawn(connection);
        let name = format!("\"{schema}\".bare");
        let setting = match level {
            Durability::Step => "off",
            _ => "on",
        };
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
        (Arc::new(journal), Floor::Server(bare, insert))
    }

    pub(super) async fn insert<'b>(
        client: &Client,
        insert: &Statement,
        thread: &str,
        commits: impl Iterator<Item = &'b [Vec<u8>]>,
    ) -> Result<(), Error> {
        let mut seq = 0_i64;
        for bodies in commits {
            client.batch_execute("BEGIN").await?;
            for body in bodies {
                seq += 1;
                let hash: &[u8] = &[0; 32];
                client
                    .execute(insert, &[&thread, &seq, &hash, body])
                    .await?;
            }
            client.batch_execute("COMMIT").await?;
        }
        Ok(())
    }
}

fn places() -> Vec<(&'static str, Place)> {
    vec![
        ("memory", Place::Memory),
        (
            "SQLite",
            Place::File(tempfile::tempdir().expect("a folder")),
        ),
        #[cfg(feature = "postgres")]
        ("PostgreSQL", Place::Server),
    ]
}

const LEVELS: [(&str, Durability); 3] = [
    ("sync", Durability::Sync),
    ("step", Durability::Step),
    ("exit", Durability::Exit),
];

fn table() {
    println!("\n| a step, in µs      |     floor |      ours |  ratio |");
    println!("|--------------------|----------:|----------:|-------:|");
    for (name, place) in places() {
        for (level, durability) in LEVELS {
            let kept = RefCell::new(Kept::new(&place, durability));
            let (floor, ours) = best_of(
                30,
                || kept.borrow_mut().floor(),
                || drop(kept.borrow_mut().ours()),
            );
            // The start of a run is an entry as well.
            let steps = f64::from(u32::try_from(STEPS + 1).expect("a small number"));
            let [floor, ours] = [floor, ours].map(|time| time.as_secs_f64() * 1e6 / steps);
            let case = format!("{name}, {level}");
            println!(
                "| {case:<18} | {floor:>9.2} | {ours:>9.2} | {:>5.2}x |",
                ours / floor
            );
        }
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, place) in places() {
        let mut group = criterion.benchmark_group(name);
        group
            .throughput(Throughput::Elements(STEPS))
            .sample_size(10);
        for (level, durability) in LEVELS {
            let mut kept = Kept::new(&place, durability);
            group.bench_function(format!("{level}, floor"), |bench| {
                bench.iter(|| kept.floor());
            });
            group.bench_function(level, |bench| bench.iter(|| kept.ours()));
        }
        group.finish();
    }
    criterion.final_summary();
    if common::measures() {
        table();
    }
}
