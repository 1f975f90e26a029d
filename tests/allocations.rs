//! What a run allocates, counted: figures that do not depend on the machine's mood.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::task::Waker;

use allocation_counter::{AllocationInfo, measure};
use handoffs::prelude::*;
use handoffs::{Counter, GraphBuilder, Keep, Layer, Runnable, To};

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

fn ring() -> Ring {
    Ring {
        ping: Ping,
        pong: Pong,
    }
}

/// Counts what a run of so many steps allocates.
fn run(goal: u64, ballast: usize) -> AllocationInfo {
    run_of(&Runtime::new(ring()), goal, ballast)
}

fn run_of<G: Runnable<State = Work>, J: Keep>(
    runtime: &Runtime<G, J>,
    goal: u64,
    ballast: usize,
) -> AllocationInfo {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let thread = runtime.thread("test");
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

/// What each of so many further steps allocates, on the average.
#[track_caller]
fn assert_each(most: u64, steps: u64, count: impl Fn(u64) -> AllocationInfo) {
    // What is made only once in a process is not counted.
    count(steps);
    let more = count(2 * steps).count_total - count(steps).count_total;
    assert!(
        more <= most * steps + steps / 10,
        "{more} allocations in {steps} steps, and not {most} in each"
    );
}

#[test]
fn a_step_of_a_built_graph_allocates_its_future_alone() {
    let built = || {
        let ring = GraphBuilder::new("Ring")
            .node("ping", Ping)
            .node("pong", Pong)
            .start("ping")
            .route("ping", "_", To::node("pong"))
            .route("pong", "Done", To::end())
            .route("pong", "Again", To::node("ping").limit(1_000_000).or_end());
        Runtime::new(ring.build().unwrap())
    };
    assert_each(1, 1_000, |steps| run_of(&built(), steps, 0));
}

#[test]
fn a_step_with_a_journal_in_memory_allocates_nothing_of_its_own() {
    // The room of the journal grows, each time to twice as much.
    assert_each(0, 1_000, |steps| {
        run_of(&Runtime::new(ring()).journal(Memory::default()), steps, 0)
    });
}

/// A journal that is given a record a step, as all that stand around another one are.
#[derive(Debug, Default)]
struct Behind(Memory);

impl Layer for Behind {
    type Within = Memory;

    fn within(&self) -> &Memory {
        &self.0
    }
}

#[test]
fn a_step_that_a_journal_is_given_as_a_record_allocates_at_most_11_times() {
    // Fewer than there have to be for a snapshot. Two are the futures of the layer and of what is within.
    assert_each(11, 200, |steps| {
        run_of(&Runtime::new(ring()).journal(Behind::default()), steps, 0)
    });
}

/// The first lap uses up the limit; each further one leads over `aside`.
#[derive(AgentGraph)]
#[graph(state = Work, start = ping)]
struct Detour {
    #[route(_ => pong)]
    ping: Ping,
    #[route(Next::Done => end, Next::Again => ping(limit = 1, else = aside))]
    pong: Pong,
    #[route(_ => pong(limit = 1_000_000, else = end))]
    aside: Ping,
}

#[test]
fn a_handoff_over_an_else_allocates_nothing() {
    let detour = || {
        Runtime::new(Detour {
            ping: Ping,
            pong: Pong,
            aside: Ping,
        })
    };
    assert_each(0, 1_000, |steps| run_of(&detour(), steps, 0));
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

#[derive(State, Clone, Debug, Default)]
struct Letter {
    text: Option<String>,
    changes: u32,
}

#[node(Letter)]
fn write(mut text: Out<'_, String>) {
    if text.get().is_none() {
        text.set("short".to_owned());
    }
}

#[node(Letter)]
fn write_on(mut text: Out<'_, String>, changes: &mut u32) {
    if let Some(text) = text.get_mut() {
        text.push('.');
        *changes += 1;
    }
}

#[derive(AgentGraph)]
#[graph(state = Letter, start = first)]
struct Writing {
    #[route(_ => end)]
    first: Write,
}

#[derive(AgentGraph)]
#[graph(state = Letter, start = first)]
struct WritingOn {
    #[route(_ => end)]
    first: WriteOn,
}

/// Counts what a run allocates whose letter has so many bytes, which it has still at the end.
fn letter<G: Runnable<State = Letter>>(graph: G, bytes: usize, more: usize) -> AllocationInfo {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let thread = Runtime::new(graph).thread("t");
    let mut letter = Some(Letter {
        text: Some("x".repeat(bytes)),
        ..Letter::default()
    });
    measure(|| {
        let run = tokio.block_on(thread.run(letter.take().unwrap())).unwrap();
        assert_eq!(run.finished().unwrap().text.unwrap().len(), bytes + more);
    })
}

#[test]
fn what_an_out_stands_for_is_copied_only_to_be_changed() {
    const MEGABYTE: usize = 1 << 20;
    let write = |bytes| letter(Writing { first: Write }, bytes, 0).bytes_total;
    assert_eq!(write(1), write(MEGABYTE));
    let write_on = |bytes| letter(WritingOn { first: WriteOn }, bytes, 1).bytes_total;
    assert!(write_on(MEGABYTE) > write_on(1) + MEGABYTE as u64);
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

// ---- A fork of eight, of a state with a big field.

#[derive(State, Clone, Debug, Default)]
struct Report {
    /// What no branch looks at.
    scans: Vec<u8>,
    chapters: Vec<u32>,
    written: Log<u32>,
    words: Counter,
}

fn chapters(report: &Report) -> Vec<u32> {
    report.chapters.clone()
}

#[node(Report)]
async fn outline() {}

#[node(Report)]
async fn chapter(number: u32, written: &mut Log<u32>, words: &mut Counter) {
    tokio::task::yield_now().await;
    written.push(number);
    *words += 1;
}

#[node(Report)]
async fn bind(words: &Counter) {
    assert_eq!(words.get(), 8);
}

#[derive(AgentGraph)]
#[graph(state = Report, start = outline)]
struct Book {
    #[route(_ => each(chapters) chapter join bind)]
    outline: Outline,
    #[route(_ => bind)]
    chapter: Chapter,
    #[route(_ => end)]
    bind: Bind,
}

#[node(Report)]
async fn open() {}

#[node(Report)]
async fn page(number: u32, words: &mut Counter) {
    *words += i64::from(number);
}

#[node(Report)]
async fn close() {}

#[derive(AgentGraph)]
#[graph(state = Report, start = open)]
struct Pages {
    #[route(_ => each(chapters) page join close)]
    open: Open,
    #[route(_ => close)]
    page: Page,
    #[route(_ => end)]
    close: Close,
}

#[test]
fn a_fork_copies_no_field_that_its_branches_do_not_touch() {
    const BIG: usize = 1 << 20;
    let tokio = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let book = || Book {
        outline: Outline,
        chapter: Chapter,
        bind: Bind,
    };
    let report = |size| Report {
        scans: vec![1; size],
        chapters: (0..8).collect(),
        ..Report::default()
    };
    let count = |size| {
        let thread = Runtime::new(book()).thread("test");
        let mut report = Some(report(size));
        measure(|| {
            let run = tokio.block_on(thread.run(report.take().unwrap()));
            let report = run.unwrap().finished().unwrap();
            assert_eq!(report.scans.len(), size);
            assert_eq!(report.written.len(), 8);
        })
    };
    count(0);
    let (small, big) = (count(0), count(BIG));
    assert_eq!(
        big.bytes_total, small.bytes_total,
        "a big field costs nothing"
    );
    assert_eq!(big.count_total, small.count_total);
}

#[test]
fn a_branch_allocates_nothing() {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert_each(0, 100, |branches| {
        let thread = Runtime::new(Pages {
            open: Open,
            page: Page,
            close: Close,
        })
        .thread("test");
        let report = Report {
            chapters: (0..u32::try_from(branches).unwrap()).collect(),
            ..Report::default()
        };
        let mut report = Some(report);
        measure(|| {
            let run = tokio.block_on(thread.run(report.take().unwrap()));
            assert!(run.unwrap().finished().is_some());
        })
    });
}

#[test]
fn with_a_journal_a_fork_writes_the_big_field_down_once() {
    const BIG: usize = 1 << 20;
    let tokio = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let journal = handoffs::Memory::default();
    let runtime = Runtime::new(Book {
        outline: Outline,
        chapter: Chapter,
        bind: Bind,
    });
    let thread = runtime.journal(journal.clone()).thread("test");
    let report = Report {
        scans: vec![1; BIG],
        chapters: (0..8).collect(),
        ..Report::default()
    };
    let run = tokio.block_on(thread.run(report));
    assert!(run.unwrap().finished().is_some());
    let records = tokio.block_on(handoffs::Journal::read(&journal, thread.id(), 0));
    let after_the_first = records.unwrap().into_iter().skip(1);
    let bytes: usize = after_the_first.map(|record| record.body.len()).sum();
    assert!(bytes < 8_000, "{bytes} bytes for ten steps and a join");
}

// ---- Many runs that wait.

#[node(Work)]
async fn wait() {
    std::future::pending::<()>().await;
}

#[derive(AgentGraph)]
#[graph(state = Work, start = wait)]
struct Waiting {
    #[route(_ => end)]
    wait: Wait,
}

#[test]
fn a_run_that_waits_takes_at_most_3_kilobytes() {
    // So many that what a run needs only as it begins, one after the other, does not count.
    const RUNS: usize = 1_000;
    let runtime = Runtime::new(Waiting { wait: Wait });
    let mut task = std::task::Context::from_waker(Waker::noop());
    let measured = measure(|| {
        let run = |_| {
            let thread = runtime.thread("test");
            let mut run = Box::pin(async move { thread.run(Work::default()).await });
            assert!(run.as_mut().poll(&mut task).is_pending());
            run
        };
        drop((0..RUNS).map(run).collect::<Vec<_>>());
    });
    let bytes = measured.bytes_max / RUNS as u64;
    assert!(bytes <= 3_072, "{bytes} bytes");
}
