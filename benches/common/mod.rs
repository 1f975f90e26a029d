//! What the benches share.

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
