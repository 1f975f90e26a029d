//! What a step costs in a long run: the ten thousandth beside the tenth, with a log that grows by each.
//!
//! `cargo bench --bench history` runs 10,000 steps in one run, notes when each begins, and compares the median
//! of those around the 10th with that of the last ones: without a journal, and with one in memory and in a
//! file at each level of durability. It ends with a table of these, and one of what 200 steps that each
//! append 2 KB take to be kept.

#![expect(clippy::print_stdout, reason = "a bench reports to a person")]

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use handoffs::prelude::*;
use handoffs::{Durability, Journal, Keep};

const STEPS: usize = 10_000;
/// How many steps are taken together: there is one that is disturbed in each.
const WINDOW: usize = 200;
/// What a step appends, in bytes.
const LINE: usize = 100;

#[derive(State, Clone, Debug, Default)]
struct Book {
    goal: usize,
    lines: Log<String>,
}

#[derive(Outcome)]
enum Wrote {
    More,
    TheEnd,
}

/// Appends a line of so many bytes, and notes when it began.
struct Write(usize, Arc<Mutex<Vec<Instant>>>);

#[node(Book)]
impl Write {
    async fn run(&self, lines: &mut Log<String>, goal: &usize) -> Wrote {
        let mut begun = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push(Instant::now());
        lines.push("l".repeat(self.0));
        if lines.len() < *goal {
            Wrote::More
        } else {
            Wrote::TheEnd
        }
    }
}

#[derive(AgentGraph)]
#[graph(state = Book, start = write)]
struct Writer {
    #[route(Wrote::More => write(limit = 1_000_000, else = end), Wrote::TheEnd => end)]
    write: Write,
}

/// A book that is written in one run, and the times at which its steps began.
struct Writing<J> {
    tokio: tokio::runtime::Runtime,
    runtime: Runtime<Writer, J>,
    begun: Arc<Mutex<Vec<Instant>>>,
    threads: u32,
}

impl<J: Keep> Writing<J> {
    fn new(line: usize, keep: impl FnOnce(Runtime<Writer>) -> Runtime<Writer, J>) -> Self {
        let begun = Arc::default();
        let write = Write(line, Arc::clone(&begun));
        Self {
            tokio: tokio(),
            runtime: keep(Runtime::new(Writer { write })),
            begun,
            threads: 0,
        }
    }

    /// Writes a book, and returns how long each step took, with all that followed until the next.
    fn write(&mut self, steps: usize) -> Vec<Duration> {
        self.threads += 1;
        let thread = self.runtime.thread(format!("book {}", self.threads));
        let book = Book {
            goal: steps,
            ..Book::default()
        };
        let run = self.tokio.block_on(thread.run(book)).expect("a run");
        run.finished().expect("a state");
        let begun = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        begun.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Returns the best medians over some runs, of the steps around the 10th and of the last ones.
    fn medians(&mut self, rounds: usize) -> (Duration, Duration) {
        let mut best = (Duration::MAX, Duration::MAX);
        for _ in 0..rounds {
            let took = self.write(STEPS);
            best.0 = best.0.min(median(&took[5..15]));
            best.1 = best.1.min(median(&took[took.len() - WINDOW..]));
        }
        best
    }
}

fn median(took: &[Duration]) -> Duration {
    let mut took = took.to_vec();
    took.sort();
    took[took.len() / 2]
}

fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
}

fn file(path: &Path) -> Sqlite {
    tokio().block_on(Sqlite::open(path)).expect("a file")
}

fn row<J: Keep>(case: &str, rounds: usize, mut writing: Writing<J>) {
    let (tenth, last) = writing.medians(rounds);
    let in_us = |time: Duration| time.as_secs_f64() * 1e6;
    println!(
        "| {case:<26} | {:>9.2} | {:>9.2} | {:>5.2}x |",
        in_us(tenth),
        in_us(last),
        in_us(last) / in_us(tenth)
    );
}

const LEVELS: [(&str, Durability); 3] = [
    ("exit", Durability::Exit),
    ("step", Durability::Step),
    ("sync", Durability::Sync),
];

fn table() {
    println!("\n| a step, in µs              |  the 10th | the last | ratio |");
    println!("|----------------------------|----------:|----------:|------:|");
    row("no journal", 20, Writing::new(LINE, |runtime| runtime));
    for (level, durability) in LEVELS {
        let keep =
            |runtime: Runtime<Writer>| runtime.journal(Memory::default()).durability(durability);
        row(&format!("memory, {level}"), 10, Writing::new(LINE, keep));
    }
    for (level, durability) in LEVELS {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = file(&folder.path().join("book.db"));
        let keep = |runtime: Runtime<Writer>| runtime.journal(journal).durability(durability);
        let rounds = if durability == Durability::Sync { 2 } else { 5 };
        row(
            &format!("SQLite, {level}"),
            rounds,
            Writing::new(LINE, keep),
        );
    }
}

/// What 200 steps that each append 2 KB take.
fn growth() {
    const PAGES: usize = 200;
    const PAGE: usize = 2_048;

    let appended = PAGES * PAGE;
    println!("\n| bytes for {appended} appended |         |  part  |");
    println!("|---------------------------|--------:|-------:|");
    let row = |case: &str, bytes: u64| {
        let percent = bytes * 100 / appended as u64;
        println!("| {case:<25} | {bytes:>7} | {percent:>4} % |");
    };
    let journal = Memory::default();
    let kept = journal.clone();
    Writing::new(PAGE, |runtime| runtime.journal(kept)).write(PAGES);
    let records = tokio().block_on(journal.read(&"book 1".into(), 0));
    let bodies = records.expect("a journal").into_iter();
    row(
        "records",
        bodies.map(|record| record.body.len() as u64).sum(),
    );

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("book.db");
    drop(file(&path));
    let empty = path.metadata().expect("a file").len();
    let journal = file(&path);
    Writing::new(PAGE, |runtime| runtime.journal(journal)).write(PAGES);
    let full = path.metadata().expect("a file").len();
    row("SQLite, without the empty", full - empty);
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("history");
    group
        .throughput(Throughput::Elements(1_000))
        .sample_size(10);
    let mut writing = Writing::new(LINE, |runtime| runtime.journal(Memory::default()));
    group.bench_function("1,000 steps", |bench| bench.iter(|| writing.write(1_000)));
    group.finish();
    criterion.final_summary();
    // `cargo test` runs benches too, unoptimised and without this flag, to see that they work.
    if std::env::args().any(|arg| arg == "--bench") {
        table();
        growth();
    }
}
