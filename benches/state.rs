//! What the size of the state costs: 1 KB and 1 MB that no node looks at, and states that are wide.
//!
//! - `1 KB`, `1 MB`: the ring of `step`. The floor is the same ring with nothing beside, by us: what is not touched
//!   should cost nothing.
//! - `25x300`, `15x600`, `9x1200`: the graph, the state and the inputs of `wide_state` in LangGraph's own benchmarks. The
//!   state has fifteen fields, the first message is a tree of that many branches, and the lists grow threefold with each lap
//!   until there are more messages than the second number. The floor is the same by hand.
//!
//! It ends with a table of interleaved runs.

mod common;
#[path = "common/rings.rs"]
#[allow(dead_code, reason = "it has more rings than one")]
mod rings;

use std::hint::black_box;
use std::sync::Arc;

use criterion::Criterion;
use handoffs::prelude::*;
use rings::{Ring, Work};
use serde_json::{Value, json};

// ---- A state that is wide.

type Items = Log<Arc<Value>>;

#[derive(State, Clone, Debug, Default)]
struct Wide {
    width: usize,
    messages: Items,
    trigger_events: Items,
    categorizations: Items,
    responses: Items,
    relevant_rules: Vec<Arc<Value>>,
    memory_docs: Vec<Arc<Value>>,
    primary_issue_medium: String,
    autoresponse: Option<Arc<Value>>,
    issue: Option<Arc<Value>>,
    user_info: Option<Arc<Value>>,
    crm_info: Option<Arc<Value>>,
    slack_participants: Option<Arc<Value>>,
    notified_assignees: Option<Arc<Value>>,
    email_thread_id: String,
    bot_id: String,
}

impl Wide {
    /// The inputs of LangGraph's `wide_state_{outer * inner}x{width}`.
    fn new(outer: usize, inner: usize, width: usize) -> Self {
        let leaf: Vec<Value> = std::iter::repeat_n(
            json!(["hi?".repeat(10), true, 1, 6_327_816_386_138_u64, null]),
            5,
        )
        .collect();
        let branch = |_| {
            (0..inner)
                .map(|at| (at.to_string().repeat(10), json!(leaf)))
                .collect::<serde_json::Map<_, _>>()
        };
        let tree: serde_json::Map<_, _> = (0..outer)
            .map(|at| (at.to_string().repeat(10), Value::Object(branch(at))))
            .collect();
        Self {
            width,
            messages: [Arc::new(Value::Object(tree))].into_iter().collect(),
            ..Self::default()
        }
    }
}

/// Letters as good as random ones, for they are made and thrown away all the same.
fn letters(width: usize, seed: usize) -> String {
    (0..width)
        .map(|at| char::from(b'a' + u8::try_from((at * 7 + seed) % 26).unwrap_or(0)))
        .collect()
}

#[node(Wide)]
async fn one(
    messages: &Items,
    trigger_events: &mut Items,
    primary_issue_medium: &mut String,
    width: &usize,
) {
    trigger_events.extend(messages.iter().cloned());
    *primary_issue_medium = letters(*width, messages.len());
}

#[node(Wide)]
async fn two(
    trigger_events: &Items,
    autoresponse: &mut Option<Arc<Value>>,
    issue: &mut Option<Arc<Value>>,
) {
    *autoresponse = trigger_events.last().cloned();
    *issue = trigger_events.last().cloned();
}

#[node(Wide)]
async fn three(autoresponse: &Option<Arc<Value>>, relevant_rules: &mut Vec<Arc<Value>>) {
    *relevant_rules = autoresponse.iter().cloned().collect();
}

#[node(Wide)]
async fn four(
    trigger_events: &Items,
    categorizations: &mut Items,
    responses: &mut Items,
    memory_docs: &mut Vec<Arc<Value>>,
) {
    categorizations.extend(trigger_events.iter().cloned());
    responses.extend(trigger_events.iter().cloned());
    *memory_docs = trigger_events.iter().cloned().collect();
}

#[node(Wide)]
#[expect(
    clippy::too_many_arguments,
    reason = "as many fields as it writes there"
)]
async fn five(
    categorizations: &Items,
    user_info: &mut Option<Arc<Value>>,
    crm_info: &mut Option<Arc<Value>>,
    email_thread_id: &mut String,
    slack_participants: &mut Option<Arc<Value>>,
    bot_id: &mut String,
    notified_assignees: &mut Option<Arc<Value>>,
    width: &usize,
) {
    for info in [user_info, crm_info, slack_participants, notified_assignees] {
        *info = categorizations.last().cloned();
    }
    *email_thread_id = letters(*width, 1);
    *bot_id = letters(*width, 2);
}

#[derive(Outcome)]
enum Lap {
    Again,
    Enough,
}

#[node(Wide)]
async fn six(responses: &Items, messages: &mut Items, width: &usize) -> Lap {
    messages.extend(responses.iter().cloned());
    if messages.len() > *width {
        Lap::Enough
    } else {
        Lap::Again
    }
}

#[derive(AgentGraph)]
#[graph(state = Wide, start = one)]
struct WideState {
    #[route(_ => two)]
    one: One,
    #[route(_ => all(three, four) join five)]
    two: Two,
    #[route(_ => five)]
    three: Three,
    #[route(_ => five)]
    four: Four,
    #[route(_ => six)]
    five: Five,
    #[route(Lap::Enough => end, Lap::Again => one(limit = 1_000, else = end))]
    six: Six,
}

fn wide() -> Runtime<WideState> {
    Runtime::new(WideState {
        one: One,
        two: Two,
        three: Three,
        four: Four,
        five: Five,
        six: Six,
    })
}

async fn by_hand(mut wide: Wide) -> Wide {
    loop {
        let width = wide.width;
        one(
            &wide.messages,
            &mut wide.trigger_events,
            &mut wide.primary_issue_medium,
            &width,
        )
        .await;
        two(
            &wide.trigger_events,
            &mut wide.autoresponse,
            &mut wide.issue,
        )
        .await;
        three(&wide.autoresponse, &mut wide.relevant_rules).await;
        four(
            &wide.trigger_events,
            &mut wide.categorizations,
            &mut wide.responses,
            &mut wide.memory_docs,
        )
        .await;
        five(
            &wide.categorizations,
            &mut wide.user_info,
            &mut wide.crm_info,
            &mut wide.email_thread_id,
            &mut wide.slack_participants,
            &mut wide.bot_id,
            &mut wide.notified_assignees,
            &width,
        )
        .await;
        if let Lap::Enough = six(&wide.responses, &mut wide.messages, &width).await {
            return wide;
        }
    }
}

// ---- The cases.

const STEPS: u64 = 1_000;
const SHAPES: [(&str, [usize; 3]); 3] = [
    ("25x300", [5, 5, 300]),
    ("15x600", [3, 5, 600]),
    ("9x1200", [3, 3, 1_200]),
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let tokio = common::tokio();
    let thread = Runtime::new(Ring::new()).thread("bench");
    let mut group = criterion.benchmark_group("state");
    group.sample_size(10);
    for (name, bytes) in [("nothing", 0), ("1 KB", 1 << 10), ("1 MB", 1 << 20)] {
        group.bench_function(name, |bench| {
            bench
                .to_async(&tokio)
                .iter(|| thread.run(Work::with_ballast(STEPS, bytes)));
        });
    }
    let wide = wide().thread("bench");
    for (name, [outer, inner, width]) in SHAPES {
        let input = Wide::new(outer, inner, width);
        group.bench_function(format!("{name} by hand"), |bench| {
            bench.to_async(&tokio).iter(|| by_hand(input.clone()));
        });
        group.bench_function(name, |bench| {
            bench.to_async(&tokio).iter(|| wide.run(input.clone()));
        });
    }
    group.finish();
    criterion.final_summary();
    if !common::measures() {
        return;
    }
    common::head("a step, in ns");
    for (name, bytes) in [("1 KB", 1 << 10), ("1 MB", 1 << 20)] {
        // The state is made before the clock starts, as a megabyte takes longer than a thousand steps.
        let run = |state| drop(black_box(tokio.block_on(thread.run(state))));
        let mut states = (0..200)
            .map(|_| Work::with_ballast(STEPS, bytes))
            .collect::<Vec<_>>()
            .into_iter();
        let best = common::best_of(
            200,
            || run(Work::empty(STEPS)),
            || run(states.next().expect("one for each")),
        );
        common::row(&format!("{name} beside, beside nothing"), best, STEPS);
    }
    common::head("a run, in ns");
    for (name, [outer, inner, width]) in SHAPES {
        let input = Wide::new(outer, inner, width);
        let best = common::best_of(
            50,
            || drop(black_box(tokio.block_on(by_hand(input.clone())))),
            || drop(black_box(tokio.block_on(wide.run(input.clone())))),
        );
        common::row(&format!("{name}, beside the same by hand"), best, 1);
    }
}
