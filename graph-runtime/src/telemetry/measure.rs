//! Metrics, as events.

use tokio::time::Instant;
use tracing::Level;

use super::names::field;
#[allow(clippy::wildcard_imports, reason = "names are what this is about")]
use super::names::*;
use crate::journal::Usage;

/// Tells of a metric, with what it is to be told apart by.
macro_rules! measure {
    ($metric:ident = $value:expr, $($attribute:tt)*) => {
        tracing::event!(target: METRICS, tracing::Level::TRACE, { field::$metric } = $value, $($attribute)*)
    };
}
#[cfg(feature = "agents")]
pub(super) use measure;

/// Returns whether anybody counts: who listens to one metric is taken to listen to all.
#[inline]
pub(crate) fn is_measured() -> bool {
    tracing::event_enabled!(target: METRICS, Level::TRACE, monotonic_counter.handoffs.steps)
}

/// Returns the time, if anybody wants to know how long something takes.
pub(crate) fn begun() -> Option<Instant> {
    is_measured().then(Instant::now)
}

/// Returns how long something took, in seconds.
pub(super) fn seconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64()
}

/// Counts a run that came to rest.
pub(super) fn run_ended(graph: &str, ended: &'static str, begun: Option<Instant>) {
    let Some(begun) = begun else {
        return;
    };
    measure!(RUNS = 1_u64, { WORKFLOW } = graph, { ENDED } = ended);
    measure!(
        RUN_DURATION = seconds(begun),
        { WORKFLOW } = graph,
        { ENDED } = ended
    );
}

/// Counts a step, and what it used.
pub(crate) fn stepped(graph: &str, node: &str, usage: Usage) {
    if !is_measured() {
        return;
    }
    measure!(STEPS = 1_u64, { WORKFLOW } = graph, { NODE } = node);
    used(graph, node, usage);
}

/// Counts what an attempt at a node used.
pub(crate) fn used(graph: &str, node: &str, usage: Usage) {
    let Usage {
        input_tokens,
        output_tokens,
        cost_micros,
        ..
    } = usage;
    for (kind, tokens) in [("input", input_tokens), ("output", output_tokens)] {
        if tokens > 0 {
            measure!(
                USED_TOKENS = tokens,
                { WORKFLOW } = graph,
                { NODE } = node,
                { TOKEN_TYPE } = kind
            );
        }
    }
    if cost_micros > 0 {
        measure!(
            USED_COST = cost_micros,
            { WORKFLOW } = graph,
            { NODE } = node
        );
    }
}

/// Counts a handoff.
pub(super) fn handed_over(graph: &str, from: &str, to: &str) {
    measure!(
        HANDOFFS = 1_u64,
        { WORKFLOW } = graph,
        { FROM } = from,
        { TO } = to
    );
}

/// Counts a loop that was stopped.
pub(super) fn loop_stopped(graph: &str, node: &str, edge: &str, why: &'static str) {
    measure!(
        LOOPS_STOPPED = 1_u64,
        { WORKFLOW } = graph,
        { NODE } = node,
        { REASON } = edge,
        { MASKED } = why
    );
}

/// Counts the questions that were opened, and, as less than none, those that were closed.
pub(crate) fn pauses(graph: &str, before: u32, after: u32) {
    if before != after {
        let opened = i64::from(after) - i64::from(before);
        measure!(PAUSES_OPEN = opened, { WORKFLOW } = graph);
    }
}

/// Notes how long an append took, if anybody wants to know.
pub(crate) fn appended(begun: Option<Instant>, is_written: bool) {
    if let Some(begun) = begun {
        let failed = (!is_written).then_some("journal");
        measure!(APPEND_DURATION = seconds(begun), { ERROR_TYPE } = failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_counts_steps_is_asked_for() {
        assert_eq!(field::STEPS, "monotonic_counter.handoffs.steps");
    }
}
