//! What a fork costs: 10, 100 and 1,000 branches of an `each`, whose worker does next to nothing.
//!
//! The floor spawns a task an item into a `JoinSet` and puts the results into a `Vec` by the order of items.
//! `cargo bench --bench fork` ends with a table of ratios, of interleaved runs, and what a branch allocates.

#![expect(clippy::print_stdout, reason = "a bench reports to a person")]

mod common;
#[path = "common/fan_out.rs"]
mod fan_out;

use std::hint::black_box;

use allocation_counter::measure;
use common::best_of;
use criterion::{BenchmarkId, Criterion, Throughput};
use fan_out::{FAN_OUT, Numbers, join_set};
use handoffs::prelude::*;

fn fan_outs(criterion: &mut Criterion) {
    let tokio = common::tokio();
    let mut group = criterion.benchmark_group("fan-out");
    for items in [10, 100, 1_000] {
        group.throughput(Throughput::Elements(items));
        group.bench_with_input(
            BenchmarkId::new("JoinSet", items),
            &items,
            |bench, items| {
                bench
                    .to_async(&tokio)
                    .iter(|| join_set(Numbers::of(*items)));
            },
        );
        let thread = Runtime::new(FAN_OUT).thread("bench");
        group.bench_with_input(
            BenchmarkId::new("derived", items),
            &items,
            |bench, items| {
                bench
                    .to_async(&tokio)
                    .iter(|| thread.run(Numbers::of(*items)));
            },
        );
    }
}

fn table() {
    let tokio = common::tokio();
    common::head("a worker, in ns");
    let thread = Runtime::new(FAN_OUT).thread("bench");
    for items in [10, 100, 1_000] {
        let best = best_of(
            300,
            || drop(black_box(tokio.block_on(join_set(Numbers::of(items))))),
            || drop(black_box(tokio.block_on(thread.run(Numbers::of(items))))),
        );
        common::row(
            &format!("fan-out of {items}, beside a JoinSet"),
            best,
            items,
        );
    }
    println!(
        "allocations a branch of 1,000, and bytes: {:?}",
        allocations_a_branch(&tokio)
    );
}

fn allocations_a_branch(tokio: &tokio::runtime::Runtime) -> (u64, u64) {
    const BRANCHES: u64 = 1_000;
    let thread = Runtime::new(FAN_OUT).thread("bench");
    let work = Numbers::of(BRANCHES);
    let measured = measure(|| drop(black_box(tokio.block_on(thread.run(work)))));
    (
        measured.count_total / BRANCHES,
        measured.bytes_total / BRANCHES,
    )
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    fan_outs(&mut criterion);
    criterion.final_summary();
    if common::measures() {
        table();
    }
}
