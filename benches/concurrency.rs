//! What many runs at once cost: 1,000 and 10,000 of a graph of ten steps that each sleep for 10 ms.
//!
//! `cargo bench --bench concurrency` measures them beside as many plain tasks with the same sleeps. The ideal of 100 ms
//! is out of reach of both: tokio's timer counts in milliseconds and rounds up. It ends with a table, and the peak of
//! memory a run.

#![expect(clippy::print_stdout, reason = "a bench reports to a person")]

mod common;

use std::hint::black_box;
use std::time::Duration;

use allocation_counter::measure;
use criterion::{BenchmarkId, Criterion};
use handoffs::prelude::*;
use tokio::task::JoinSet;

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

async fn journeys(runs: usize) {
    let runtime = Runtime::new(Journey { nap: Nap });
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

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let threads = builder.enable_time().build().expect("a runtime");
    // A round takes a tenth of a second however many runs there are.
    let sizes: &[usize] = if common::measures() {
        &[1_000, 10_000]
    } else {
        &[10]
    };
    let mut group = criterion.benchmark_group("runs at once");
    group.sample_size(10);
    for runs in sizes {
        group.bench_with_input(
            BenchmarkId::new("bare sleeps", runs),
            runs,
            |bench, runs| {
                bench.to_async(&threads).iter(|| naps(*runs));
            },
        );
        group.bench_with_input(BenchmarkId::new("derived", runs), runs, |bench, runs| {
            bench.to_async(&threads).iter(|| journeys(*runs));
        });
    }
    group.finish();
    criterion.final_summary();
    if !common::measures() {
        return;
    }
    common::head("runs at once, all of them, in ns");
    for runs in sizes {
        let best = common::best_of(
            10,
            || threads.block_on(naps(*runs)),
            || threads.block_on(journeys(*runs)),
        );
        common::row(&format!("{runs} runs, beside bare sleeps"), best, 1);
        common::row(
            &format!("{runs} runs, beside the ideal"),
            (NAP * STOPS, best.1),
            1,
        );
    }
    let one = common::tokio();
    for runs in sizes {
        let [floor, ours] = [
            measure(|| one.block_on(naps(*runs))),
            measure(|| one.block_on(journeys(*runs))),
        ]
        .map(|measured| measured.bytes_max / *runs as u64);
        println!("peak memory a run of {runs} at once: {ours} bytes, of bare sleeps {floor}");
    }
}
