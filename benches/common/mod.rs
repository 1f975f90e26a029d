//! What the benches share.

#![allow(dead_code, reason = "each bench uses some of it")]
#![expect(clippy::print_stdout, reason = "a bench reports to a person")]

use std::time::{Duration, Instant};

/// Runs two things in turn and returns the best time of each.
pub(crate) fn best_of(
    rounds: usize,
    mut floor: impl FnMut(),
    mut ours: impl FnMut(),
) -> (Duration, Duration) {
    let mut best = (Duration::MAX, Duration::MAX);
    for _ in 0..rounds {
        let begun = Instant::now();
        floor();
        best.0 = best.0.min(begun.elapsed());
        let begun = Instant::now();
        ours();
        best.1 = best.1.min(begun.elapsed());
    }
    best
}

/// `cargo test` runs benches too, unoptimised and without this flag, to see that they work.
pub(crate) fn measures() -> bool {
    std::env::args().any(|arg| arg == "--bench")
}

/// A runtime of one thread, whose clock goes.
pub(crate) fn tokio() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().expect("a runtime")
}

/// Prints the head of a table of times beside their floors.
pub(crate) fn head(of: &str) {
    println!("\n| {of:<44} |      floor |       ours |  ratio |");
    println!("|{:-<46}|-----------:|-----------:|-------:|", "");
}

/// Prints a row, in nanoseconds of each of `count`.
pub(crate) fn row(case: &str, (floor, ours): (Duration, Duration), count: u64) {
    let count = f64::from(u32::try_from(count).expect("a small number"));
    let [floor, ours] = [floor, ours].map(|time| time.as_secs_f64() * 1e9 / count);
    println!(
        "| {case:<44} | {floor:>10.1} | {ours:>10.1} | {:>5.2}x |",
        ours / floor
    );
}
