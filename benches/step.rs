//! What a step costs: a derived graph against the same loop written by hand.
//!
//! Both run the same two async functions on the same state and count the laps of the same bounded
//! edge. Run `cargo bench --bench step`; it prints the times, the ratio, and the allocations a step.

#![expect(clippy::print_stdout, reason = "a bench reports to a person")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use handoffs::prelude::*;

/// Steps in one run: laps of the ring, two steps each.
const STEPS: u64 = 1_000;
const LAPS: u32 = 500;

#[derive(State, Clone, Debug, Default)]
struct Work {
    count: u64,
    goal: u64,
    text: String,
    /// What no step touches.
    ballast: Vec<u8>,
}

impl Work {
    fn new() -> Self {
        Self {
            goal: STEPS,
            text: "my card was charged twice".to_owned(),
            ..Self::default()
        }
    }
}

#[derive(Outcome)]
enum Next {
    Again,
    Done,
}

/// The work of both: a little arithmetic over a text, as a guard or a lookup would do.
fn work(text: &str) -> u64 {
    let sum = black_box(text)
        .bytes()
        .fold(1, |sum: u64, byte| sum.rotate_left(5) ^ u64::from(byte));
    black_box(sum).clamp(1, 1)
}

#[node(Work)]
async fn ping(count: &mut u64, text: &String) {
    *count += work(text);
}

#[node(Work)]
async fn pong(count: &mut u64, goal: &u64, text: &String) -> Next {
    *count += work(text);
    if *count >= *goal {
        Next::Done
    } else {
        Next::Again
    }
}

#[derive(AgentGraph)]
#[graph(state = Work, start = ping)]
struct Ring {
    #[route(_ => pong)]
    ping: Ping,
    #[route(Next::Done => end, Next::Again => ping(limit = 500, else = end))]
    pong: Pong,
}

enum At {
    Ping,
    Pong,
}

/// The same loop by hand.
async fn by_hand(mut state: Work) -> Work {
    let mut at = At::Ping;
    let mut laps = 0;
    loop {
        at = match at {
            At::Ping => {
                ping(&mut state.count, &state.text).await;
                At::Pong
            }
            At::Pong => match pong(&mut state.count, &state.goal, &state.text).await {
                Next::Again if laps < LAPS => {
                    laps += 1;
                    At::Ping
                }
                Next::Again | Next::Done => return state,
            },
        };
    }
}

fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(STEPS));
    let tokio = tokio();
    group.bench_function("by hand", |bench| {
        bench
            .to_async(&tokio)
            .iter(|| by_hand(black_box(Work::new())));
    });
    let watched = Runtime::new(Ring {
        ping: Ping,
        pong: Pong,
    });
    group.bench_function("derived", |bench| {
        bench.to_async(&tokio).iter(|| {
            let thread = watched.thread("bench");
            async move { thread.run(black_box(Work::new())).await }
        });
    });
    let unwatched = watched.watch_loops(false);
    group.bench_function("derived, loops not watched", |bench| {
        bench.to_async(&tokio).iter(|| {
            let thread = unwatched.thread("bench");
            async move { thread.run(black_box(Work::new())).await }
        });
    });
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    benches(&mut criterion);
    criterion.final_summary();
    ratio();
}

/// Prints how much slower the derived graph is, of interleaved runs.
fn ratio() {
    let tokio = tokio();
    let runtime = Runtime::new(Ring {
        ping: Ping,
        pong: Pong,
    });
    let thread = runtime.thread("bench");
    let (mut hand, mut derived) = (Duration::MAX, Duration::MAX);
    for _ in 0..2_000 {
        let begun = Instant::now();
        black_box(tokio.block_on(by_hand(black_box(Work::new()))));
        hand = hand.min(begun.elapsed());
        let begun = Instant::now();
        black_box(tokio.block_on(thread.run(black_box(Work::new())))).ok();
        derived = derived.min(begun.elapsed());
    }
    println!(
        "by hand {hand:?}, derived {derived:?}: {:.2}x",
        derived.as_secs_f64() / hand.as_secs_f64()
    );
}
