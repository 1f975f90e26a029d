//! What events cannot say of a metric: its unit, what it is, and the bounds of a histogram.

use handoffs::telemetry::{
    APPEND_DURATION, HANDOFFS, LOOPS_STOPPED, PAUSES_OPEN, RUN_DURATION, RUNS, STEPS,
    TURN_DURATION, TURN_TOKENS, USED_COST, USED_TOKENS,
};
use opentelemetry_sdk::metrics::{Aggregation, Instrument, Stream};

/// Seconds, as the conventions say for what models do.
const SECONDS: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

/// Seconds of what a disk does.
const SHORT: [f64; 12] = [
    0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0,
];

/// Tokens, as the conventions say.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Says of a metric of ours what it is.
pub(crate) fn view(metric: &Instrument) -> Option<Stream> {
    let (unit, what, bounds): (_, _, Option<&[f64]>) = match metric.name() {
        RUNS => ("{run}", "Runs that came to rest", None),
        RUN_DURATION => (
            "s",
            "How long a run took until it came to rest",
            Some(&SECONDS),
        ),
        STEPS => ("{step}", "Steps that were made", None),
        HANDOFFS => ("{handoff}", "Handoffs from node to node", None),
        LOOPS_STOPPED => ("{loop}", "Masked edges at which a loop did not go on", None),
        PAUSES_OPEN => ("{question}", "Questions to people that are open", None),
        APPEND_DURATION => ("s", "How long an append to the journal took", Some(&SHORT)),
        USED_TOKENS => ("{token}", "Tokens that nodes used", None),
        USED_COST => (
            "{micro}",
            "What nodes cost, in millionths of the currency's unit",
            None,
        ),
        TURN_TOKENS => ("{token}", "Tokens of one turn of a model", Some(&TOKENS)),
        TURN_DURATION => ("s", "How long a turn of a model took", Some(&SECONDS)),
        _ => return None,
    };
    let mut stream = Stream::builder().with_unit(unit).with_description(what);
    if let Some(bounds) = bounds {
        stream = stream.with_aggregation(Aggregation::ExplicitBucketHistogram {
            boundaries: bounds.to_vec(),
            record_min_max: true,
        });
    }
    // Nothing of it is the user's, and the tests have it all.
    stream.build().ok()
}
