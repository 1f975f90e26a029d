//! What a run allocates, counted: figures that do not depend on the machine's mood.

#![expect(clippy::unwrap_used, reason = "a test")]

use allocation_counter::{AllocationInfo, measure};
use handoffs::prelude::*;

#[derive(State, Clone, Debug, Default)]
struct Work {
    count: u64,
    goal: u64,
    ballast: Vec<u8>,
}

#[derive(Outcome)]
enum Next {
    Again,
    Done,
}

#[node(Work)]
async fn ping(count: &mut u64) {
    *count += 1;
}

#[node(Work)]
async fn pong(count: &mut u64, goal: &u64) -> Next {
    *count += 1;
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
    #[route(Next::Done => end, Next::Again => ping(limit = 1_000_000, else = end))]
    pong: Pong,
}

/// Counts what a run of so many steps allocates.
fn run(goal: u64, ballast: usize) -> AllocationInfo {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let thread = Runtime::new(Ring {
        ping: Ping,
        pong: Pong,
    })
    .thread("test");
    let work = Work {
        goal,
        ballast: vec![0; ballast],
        ..Work::default()
    };
    let mut work = Some(work);
    measure(|| {
        let run = tokio.block_on(thread.run(work.take().unwrap())).unwrap();
        assert_eq!(run.finished().unwrap().count, goal);
    })
}

#[test]
fn a_step_allocates_nothing() {
    let (short, long) = (run(1_000, 0), run(100_000, 0));
    assert!(short.count_total > 0, "the counter counts");
    assert_eq!(long.count_total, short.count_total);
    assert_eq!(long.bytes_max, short.bytes_max);
}

#[test]
fn a_big_field_that_no_step_writes_is_never_copied() {
    const MEGABYTE: usize = 1 << 20;
    let (without, with) = (run(1_000, 0), run(1_000, MEGABYTE));
    assert!(
        with.bytes_total < without.bytes_total + MEGABYTE as u64 / 100,
        "{} bytes without it, {} with it",
        without.bytes_total,
        with.bytes_total,
    );
}

#[test]
fn a_clone_of_a_log_and_an_append_to_it_cost_the_same_however_long_it_is() {
    let append = |len: usize| {
        let log: Log<usize> = (0..len).collect();
        measure(|| {
            let mut longer = log.clone();
            longer.push(1);
            assert_eq!(longer.len(), len + 1);
        })
    };
    // Lengths at which the last block has room.
    assert_eq!(append(10).bytes_total, append(1_000_000).bytes_total);
}
