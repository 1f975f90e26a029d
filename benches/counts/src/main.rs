//! What `cargo xtask counts` runs under valgrind: each case and its floor, for as many times as it is told.
//!
//! The difference between two runs of different lengths is what the work itself takes. What comes before it, such as
//! the start of the process or a journal that has to be filled, is the same in both and cancels out.
#![expect(clippy::print_stdout, reason = "a command for people prints")]

#[path = "../../common/boxed.rs"]
mod boxed;
#[path = "../../common/fan_out.rs"]
mod fan_out;
#[path = "../../common/rings.rs"]
mod rings;
#[path = "../../common/talk.rs"]
mod talk;

use std::hint::black_box;
use std::process::ExitCode;

use boxed::{Table, built_ring};
use fan_out::{FAN_OUT, Numbers, join_set};
use handoffs::prelude::*;
use handoffs::{Durability, Entry, Journal, Keep, Layer, Runnable};
use rings::{Chain, Ring, Ring5, Ring20, Work};
use talk::{conversation, hold};

/// What is done so many times by hand, and by us.
struct Case {
    name: &'static str,
    floor: fn(u64),
    ours: fn(u64),
}

const CASES: &[Case] = &[
    Case {
        name: "ring of 2, a step",
        floor: |n| by_hand(rings::ring_by_hand(Work::hash(n))),
        ours: |n| run(&Runtime::new(Ring::new()), Work::hash(n)),
    },
    Case {
        name: "ring of 5, a step",
        floor: |n| by_hand(rings::ring_of_5_by_hand(Work::hash(n))),
        ours: |n| run(&Runtime::new(Ring5::new()), Work::hash(n)),
    },
    Case {
        name: "ring of 20, a step",
        floor: |n| by_hand(rings::ring_of_20_by_hand(Work::hash(n))),
        ours: |n| run(&Runtime::new(Ring20::new()), Work::hash(n)),
    },
    Case {
        name: "ring of 2 that only counts, a step",
        floor: |n| by_hand(rings::ring_by_hand(Work::empty(n))),
        ours: |n| run(&Runtime::new(Ring::new()), Work::empty(n)),
    },
    Case {
        name: "loops watched, beside not watched",
        floor: |n| {
            let runtime = Runtime::new(Ring::new()).watch_loops(false);
            run(&runtime, Work::with_ballast(n, 1 << 10));
        },
        ours: |n| run(&Runtime::new(Ring::new()), Work::with_ballast(n, 1 << 10)),
    },
    Case {
        name: "1 MB in the state, beside none",
        floor: |n| run(&Runtime::new(Ring::new()), Work::empty(n)),
        ours: |n| run(&Runtime::new(Ring::new()), Work::with_ballast(n, 1 << 20)),
    },
    Case {
        name: "chain of 20, a run",
        floor: |n| again(n, || rings::chain_by_hand(Work::hash(0))),
        ours: |n| {
            let thread = Runtime::new(Chain::new()).thread("t");
            again(n, || thread.run(Work::hash(0)));
        },
    },
    Case {
        name: "built ring of 2, a step",
        floor: |n| by_hand(async move { Table::ring().run(Work::hash(n)).await }),
        ours: |n| run(&Runtime::new(built_ring()), Work::hash(n)),
    },
    Case {
        name: "fan-out of 100, a run",
        floor: |n| again(n, || join_set(Numbers::of(100))),
        ours: |n| {
            let thread = Runtime::new(FAN_OUT).thread("t");
            again(n, || thread.run(Numbers::of(100)));
        },
    },
    Case {
        name: "journal in memory, a step",
        floor: |n| by_hand(write(n)),
        ours: |n| by_hand(journalled(n, false)),
    },
    Case {
        name: "journal in memory, a step that somebody reads",
        floor: |n| by_hand(write(n)),
        ours: |n| by_hand(journalled(n, true)),
    },
    Case {
        name: "1,000 entries taken up, a resume",
        floor: |n| by_hand(read(n)),
        ours: |n| by_hand(resume(n)),
    },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [] => CASES.iter().for_each(|case| println!("{}", case.name)),
        [name, way, times] => {
            let case = CASES.iter().find(|case| case.name == name);
            let (Some(case), Ok(times)) = (case, times.parse()) else {
                return ExitCode::from(2);
            };
            match way {
                "floor" => (case.floor)(times),
                _ => (case.ours)(times),
            }
        }
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

fn tokio() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().expect("a runtime")
}

fn by_hand<T>(work: impl Future<Output = T>) {
    drop(black_box(tokio().block_on(work)));
}

fn again<T>(times: u64, run: impl AsyncFn() -> T) {
    by_hand(async {
        for _ in 0..times {
            drop(black_box(run().await));
        }
    });
}

fn run<G: Runnable<State = Work>, J: Keep>(runtime: &Runtime<G, J>, work: Work) {
    let run = tokio().block_on(runtime.thread("t").run(work));
    assert!(run.expect("a run").finished().is_some());
}

/// Runs of a hundred steps, which are read when the run is over, or never.
async fn journalled(times: u64, is_read: bool) {
    let journal = Memory::default();
    let runtime = Runtime::new(Ring::new()).journal(journal.clone());
    for run in 0..times / 100 {
        let thread = runtime.thread(format!("t{run}"));
        let run = thread.run(Work::empty(100)).await;
        assert!(run.expect("a run").finished().is_some());
        if is_read {
            black_box(journal.read(thread.id(), 0).await.expect("records"));
        }
    }
}

/// Writes so many entries like those of the ring into a list.
async fn write(times: u64) {
    let journal = Memory::default();
    let runtime = Runtime::new(Ring::new()).journal(journal.clone());
    let thread = runtime.thread("t");
    let run = thread.run(Work::empty(4)).await;
    assert!(run.expect("a run").finished().is_some());
    let records = journal.read(thread.id(), 0).await.expect("records");
    let entry: Entry = serde_json::from_slice(&records[2].body).expect("an entry");
    let mut kept = Vec::new();
    for _ in 0..times {
        kept.push(serde_json::to_vec(black_box(&entry)).expect("JSON"));
    }
    black_box(kept);
}

const ENTRIES: u64 = 1_000;

/// Reads the bodies of a thread as the JSON that they are.
async fn read(times: u64) {
    let journal = hold(0, ENTRIES).await;
    for _ in 0..times {
        let records = journal.read(&"t".into(), 0).await.expect("records");
        for record in records {
            let body: serde_json::Value = serde_json::from_slice(&record.body).expect("JSON");
            black_box(body);
        }
    }
}

/// A journal in which nobody keeps a snapshot.
#[derive(Debug, Default)]
struct Whole(Memory);

impl Layer for Whole {
    type Within = Memory;

    fn within(&self) -> &Memory {
        &self.0
    }
}

/// Folds a thread that has no snapshot, as each call on it begins.
async fn resume(times: u64) {
    let (journal, id) = (Whole::default(), "t".into());
    let records = hold(0, ENTRIES).await.read(&id, 0).await.expect("records");
    let copied = journal.0.append(&id, 0, records, Durability::Step).await;
    copied.expect("a thread");
    let thread = conversation(0).journal(journal).thread("t");
    for _ in 0..times {
        black_box(thread.asks().await.expect("a thread"));
    }
}
