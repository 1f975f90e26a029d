//! What a fork costs: a fan-out against a bare `JoinSet`, and many runs at once against the ideal.
//!
//! `cargo bench --bench fork` measures, each beside its floor in the same process:
//!
//! - `fan-out`: 10, 100 and 1,000 branches of an `each`, whose worker does next to nothing. The floor
//!   spawns a task an item into a `JoinSet` and puts the results into a `Vec` by the order of items.
//! - `at once`: 10,000 runs of a graph of 10 nodes that each sleep for 10 ms. The ideal is 100 ms; the
//!   floor is the same sleeps in 10,000 plain futures.
//!
//! It ends with a table of ratios, of interleaved runs, and what a run and a fork allocate.

#![expect(clippy::print_stdout, reason = "a bench reports to a person")]

mod common;

use std::hint::black_box;
use std::time::Duration;

use allocation_counter::measure;
use common::best_of;
use criterion::{BenchmarkId, Criterion, Throughput};
use handoffs::prelude::*;
use tokio::task::JoinSet;

// ---- A fan-out.

#[derive(State, Clone, Debug, Default)]
struct Work {
    numbers: Vec<u64>,
    squares: Log<u64>,
    ballast: String,
}

fn numbers(work: &Work) -> Vec<u64> {
    work.numbers.clone()
}

#[node(Work)]
async fn split() {}

#[node(Work)]
async fn square(number: u64, squares: &mut Log<u64>) {
    squares.push(black_box(number) * number);
}

#[node(Work)]
async fn gather(squares: &Log<u64>) {
    black_box(squares.len());
}

#[derive(AgentGraph)]
#[graph(state = Work, start = split)]
struct FanOut {
    #[route(_ => each(numbers) square join gather)]
    split: Split,
    #[route(_ => gather)]
    square: Square,
    #[route(_ => end)]
    gather: Gather,
}

const FAN_OUT: FanOut = FanOut {
    split: Split,
    square: Square,
    gather: Gather,
};

impl Work {
    fn of(items: u64) -> Self {
        Self {
            numbers: (0..items).collect(),
            ..Self::default()
        }
    }
}

/// The same by hand: a task an item, and the results in the order of items.
async fn join_set(work: Work) -> Vec<u64> {
    let mut tasks = JoinSet::new();
    for (place, number) in work.numbers.into_iter().enumerate() {
        tasks.spawn(async move { (place, black_box(number) * number) });
    }
    let mut squares = vec![0; tasks.len()];
    while let Some(done) = tasks.join_next().await {
        let (place, square) = done.expect("a task");
        squares[place] = square;
    }
    squares
}

// ---- A chain of ten nodes that wait.

#[derive(State, Clone, Debug, Default)]
struct Trip {
    stops: u32,
}

const NAP: Duration = Duration::from_millis(10);
const STOPS: u32 = 10;

#[derive(Outcome)]
enum Stop {
    Next,
    Last,
}

#[node(Trip)]
async fn nap(stops: &mut u32) -> Stop {
    tokio::time::sleep(NAP).await;
    *stops += 1;
    if *stops == STOPS {
        Stop::Last
    } else {
        Stop::Next
    }
}

#[derive(AgentGraph)]
#[graph(state = Trip, start = nap)]
struct Journey {
    #[route(Stop::Next => nap(limit = 100, else = end), Stop::Last => end)]
    nap: Nap,
}

async fn journeys(runtime: &Runtime<Journey>, runs: usize) {
    let mut tasks = JoinSet::new();
    for _ in 0..runs {
        let thread = runtime.thread("bench");
        tasks.spawn(async move { thread.run(Trip::default()).await });
    }
    while let Some(run) = tasks.join_next().await {
        drop(black_box(run.expect("a task").expect("a run")));
    }
}

/// The same sleeps by hand.
async fn naps(runs: usize) {
    let mut tasks = JoinSet::new();
    for _ in 0..runs {
        tasks.spawn(async {
            for _ in 0..STOPS {
                tokio::time::sleep(NAP).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("a task");
    }
}

fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
}

fn fan_out(criterion: &mut Criterion) {
    let tokio = tokio();
    let mut group = criterion.benchmark_group("fan-out");
    for items in [10, 100, 1_000] {
        group.throughput(Throughput::Elements(items));
        group.bench_with_input(
            BenchmarkId::new("JoinSet", items),
            &items,
            |bench, items| {
                bench.to_async(&tokio).iter(|| join_set(Work::of(*items)));
            },
        );
        let thread = Runtime::new(FAN_OUT).thread("bench");
        group.bench_with_input(
            BenchmarkId::new("derived", items),
            &items,
            |bench, items| {
                bench.to_async(&tokio).iter(|| thread.run(Work::of(*items)));
            },
        );
    }
}

fn row(case: &str, (floor, ours): (Duration, Duration)) {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let ratio = ours.as_secs_f64() / floor.as_secs_f64();
    println!(
        "| {case:<34} | {:>10.1} | {:>10.1} | {ratio:>5.2}x |",
        micros(floor),
        micros(ours)
    );
}

fn table() {
    let tokio = tokio();
    println!("\n| in µs                              |      floor |       ours |  ratio |");
    println!("|------------------------------------|-----------:|-----------:|-------:|");
    let thread = Runtime::new(FAN_OUT).thread("bench");
    for items in [10, 100, 1_000] {
        let best = best_of(
            300,
            || drop(black_box(tokio.block_on(join_set(Work::of(items))))),
            || drop(black_box(tokio.block_on(thread.run(Work::of(items))))),
        );
        row(&format!("fan-out of {items}, beside a JoinSet"), best);
    }
    let runtime = Runtime::new(Journey { nap: Nap });
    let threads = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let best = best_of(
        10,
        || threads.block_on(naps(10_000)),
        || threads.block_on(journeys(&runtime, 10_000)),
    );
    row("10,000 runs, beside bare sleeps", best);
    row("10,000 runs, beside the ideal", (NAP * STOPS, best.1));
    println!(
        "\npeak memory a run of 10,000 at once: {} bytes",
        memory_a_run(&tokio)
    );
    println!(
        "allocations a branch of 1,000, and bytes: {:?}",
        allocations_a_branch(&tokio)
    );
}

/// Measures the peak of memory that runs at once have beyond as many plain futures.
fn memory_a_run(tokio: &tokio::runtime::Runtime) -> u64 {
    const RUNS: usize = 10_000;
    let runtime = Runtime::new(Journey { nap: Nap });
    let ours = measure(|| tokio.block_on(journeys(&runtime, RUNS))).bytes_max;
    ours / RUNS as u64
}

fn allocations_a_branch(tokio: &tokio::runtime::Runtime) -> (u64, u64) {
    const BRANCHES: u64 = 1_000;
    let thread = Runtime::new(FAN_OUT).thread("bench");
    let work = Work::of(BRANCHES);
    let measured = measure(|| drop(black_box(tokio.block_on(thread.run(work)))));
    (
        measured.count_total / BRANCHES,
        measured.bytes_total / BRANCHES,
    )
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    fan_out(&mut criterion);
    criterion.final_summary();
    // `cargo test` runs benches too, unoptimised and without this flag, to see that they work.
    if std::env::args().any(|arg| arg == "--bench") {
        table();
    }
}
