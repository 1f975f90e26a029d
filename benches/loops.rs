//! What it costs to watch a loop for progress: a ring with a state of 1 KB, watched and not watched.
//!
//! `cargo bench --bench loops` ends with a table of interleaved runs, one of nodes that only count and one of nodes
//! that look for words in a message. The floor is the same ring with `watch_loops(false)`.

mod common;
#[path = "common/rings.rs"]
#[allow(dead_code, reason = "it has more rings than one")]
mod rings;

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use handoffs::prelude::*;
use rings::{Ring, Work};

const STEPS: u64 = 1_000;

fn kilobyte() -> Work {
    Work::with_ballast(STEPS, 1 << 10)
}

fn kilobyte_to_hash() -> Work {
    Work {
        ballast: vec![0; 1 << 10],
        ..Work::hash(STEPS)
    }
}

type Make = fn() -> Work;

const STATES: [(&str, Make); 2] = [("counts", kilobyte), ("hashes", kilobyte_to_hash)];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let tokio = common::tokio();
    let [off, on] = [false, true].map(|watch| {
        let runtime = Runtime::new(Ring::new()).watch_loops(watch);
        runtime.thread("bench")
    });
    for (name, state) in STATES {
        let mut group = criterion.benchmark_group(format!("loops, a node that {name}"));
        group.throughput(Throughput::Elements(STEPS));
        for (watched, thread) in [("not watched", &off), ("watched", &on)] {
            group.bench_function(watched, |bench| {
                bench
                    .to_async(&tokio)
                    .iter(|| thread.run(black_box(state())));
            });
        }
    }
    criterion.final_summary();
    if common::measures() {
        common::head("1 KB of state, a step, in ns");
        for (name, state) in STATES {
            let best = common::best_of(
                1_000,
                || drop(black_box(tokio.block_on(off.run(state())))),
                || drop(black_box(tokio.block_on(on.run(state())))),
            );
            common::row(&format!("watched, a node that {name}"), best, STEPS);
        }
    }
}
