//! What it costs to take a thread up: how long it takes until an answer is taken in and the next step is
//! written, with the thread's snapshot and without one.
//!
//! `cargo bench --bench resume` makes conversations of 10, 1,000 and 10,000 entries, a question every
//! tenth, once with messages of a hundred bytes that are all part of the state, and once with none. It
//! resumes each in memory and in a file; what the resumed run writes is thrown away, so that each time it
//! is the same thread. It ends with a table of the best times.

#![expect(clippy::print_stdout, reason = "a bench reports to a person")]

mod common;
#[path = "common/talk.rs"]
mod talk;

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use common::{best_of, tokio};
use criterion::Criterion;
use handoffs::prelude::*;
use handoffs::{Durability, Journal, JournalError, Layer, Record, Thread, ThreadId};
use talk::{Conversation, conversation, hold};

/// Throws away what is appended, and has no snapshot if it is told.
struct Dry {
    within: Box<dyn Journal>,
    has_snapshot: bool,
}

impl fmt::Debug for Dry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dry")
    }
}

#[async_trait]
impl Layer for Dry {
    type Within = dyn Journal;

    fn within(&self) -> &dyn Journal {
        &*self.within
    }

    async fn append(
        &self,
        _: &ThreadId,
        _: u64,
        _: Vec<Record>,
        _: Durability,
    ) -> Result<(), JournalError> {
        Ok(())
    }

    async fn snapshot(&self, thread: &ThreadId) -> Result<Option<Record>, JournalError> {
        if self.has_snapshot {
            self.within.snapshot(thread).await
        } else {
            Ok(None)
        }
    }

    async fn compact(&self, _: &ThreadId, _: Record, _: u64) -> Result<(), JournalError> {
        Ok(())
    }
}

/// Copies a thread, with its snapshot.
async fn copy(from: &Memory, to: &impl Journal) {
    let id = "t".into();
    let records = from.read(&id, 0).await.expect("records");
    let written = to.append(&id, 0, records, Durability::Step).await;
    written.expect("records are written");
    if let Some(snapshot) = from.snapshot(&id).await.expect("a snapshot") {
        let kept = to.compact(&id, snapshot, 0).await;
        kept.expect("a snapshot is kept");
    }
}

/// A thread that is resumed again and again.
struct Paused {
    tokio: tokio::runtime::Runtime,
    thread: Thread<Conversation, Dry>,
    ask: handoffs::AskId,
}

impl Paused {
    fn new(message: usize, journal: Box<dyn Journal>, has_snapshot: bool) -> Self {
        let dry = Dry {
            within: journal,
            has_snapshot,
        };
        let (tokio, thread) = (tokio(), conversation(message).journal(dry).thread("t"));
        let asks = tokio.block_on(thread.asks()).expect("a thread");
        let ask = asks.first().expect("a question").id;
        Self { tokio, thread, ask }
    }

    fn resume(&self) {
        let run = self
            .tokio
            .block_on(self.thread.resume(self.ask, "So it is."));
        let _ = run.expect("a run").paused().expect("a question");
    }
}

/// The same thread with its snapshot and without.
fn both(message: usize, from: &Memory, folder: Option<&tempfile::TempDir>) -> [Paused; 2] {
    let tokio = tokio();
    [true, false].map(|has_snapshot| {
        let journal: Box<dyn Journal> = match folder {
            None => Box::new(from.clone()),
            Some(folder) => {
                let path = folder.path().join(format!("{message}-{has_snapshot}.db"));
                let file = tokio.block_on(Sqlite::open(path)).expect("a file");
                tokio.block_on(copy(from, &file));
                Box::new(file)
            }
        };
        Paused::new(message, journal, has_snapshot)
    })
}

const SIZES: [u64; 3] = [10, 1_000, 10_000];

fn measured(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("resume in memory");
    group.sample_size(10);
    for entries in SIZES {
        let journal = tokio().block_on(hold(100, entries));
        let [with, without] = both(100, &journal, None);
        group.bench_function(format!("{entries} entries"), |bench| {
            bench.iter(|| with.resume());
        });
        group.bench_function(format!("{entries} entries, no snapshot"), |bench| {
            bench.iter(|| without.resume());
        });
    }
}

fn table() {
    println!(
        "\n| resume, in ms, best of 20              |   entries | snapshot, bytes | tail | with | without |"
    );
    println!(
        "|----------------------------------------|----------:|----------------:|-----:|-----:|--------:|"
    );
    for message in [0, 100] {
        for entries in SIZES {
            let tokio = tokio();
            let journal = tokio.block_on(hold(message, entries));
            let id = "t".into();
            let snapshot = tokio.block_on(journal.snapshot(&id)).expect("a snapshot");
            let (size, taken) = snapshot.map_or((0, 0), |record| (record.body.len(), record.seq));
            let records = tokio.block_on(journal.read(&id, 0)).expect("records").len();
            for place in ["memory", "sqlite"] {
                let folder = (place == "sqlite").then(|| tempfile::tempdir().expect("a folder"));
                let [with, without] = both(message, &journal, folder.as_ref());
                let (with, without) = (RefCell::new(with), RefCell::new(without));
                let (with, without) =
                    best_of(20, || with.borrow().resume(), || without.borrow().resume());
                let ms = |time: Duration| time.as_secs_f64() * 1e3;
                println!(
                    "| {:<38} | {records:>9} | {size:>15} | {:>4} | {:>4.1} | {:>7.1} |",
                    format!("{place}, messages of {message} bytes"),
                    records as u64 - taken,
                    ms(with),
                    ms(without),
                );
            }
        }
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    measured(&mut criterion);
    criterion.final_summary();
    if common::measures() {
        table();
    }
}
