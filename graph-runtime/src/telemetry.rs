//! What a run tells of itself while it is at work: spans, events and metrics, by `tracing`.
//!
//! Nothing has to be set up but a subscriber; the crate `handoffs-otel` exports to OpenTelemetry. What nobody
//! listens to costs nothing: a step then looks at two flags.
//!
//! # Spans
//!
//! All have the target [`TARGET`], so a filter such as `handoffs=debug` is about them alone. Their names follow
//! OpenTelemetry's conventions for generative AI, where these have one, and stand in `otel.name`, by which
//! `tracing-opentelemetry` goes.
//!
//! | span | level | what it is | attributes |
//! |---|---|---|---|
//! | `invoke_workflow {graph}` | INFO | a call of [`run`], [`resume`] or [`recover`] | [`CONVERSATION`], [`WORKFLOW`], [`BEGAN`], [`ENDED`], [`ASK`]: the question that it answers, [`BEHIND`] and [`LAST`]: where it goes on and comes to rest |
//! | `invoke_agent {node}` | INFO | an attempt at an agent | [`AGENT`], [`MODEL`], [`OFFERS`], [`TOOLS`], and as below |
//! | `invoke_node {node}` | DEBUG | an attempt at any other node; around a graph within, `invoke_workflow {node}` | [`NODE`], [`ATTEMPT`], [`BRANCH`], [`OUTCOME`], [`CACHED`], [`INPUT_TOKENS`], [`OUTPUT_TOKENS`], [`COST`] |
//! | `chat {model}` | INFO | a turn of a model | [`MODEL`], [`PROVIDER`], [`INPUT_TOKENS`], [`OUTPUT_TOKENS`] |
//! | `execute_tool {tool}` | INFO | a call of a tool | [`TOOL`], [`TOOL_CALL`] |
//! | `handoff {to}` | as its node | a handoff, until it is written to the journal | [`FROM`], [`TO`], [`REASON`], [`OUTCOME`], [`LAP`], [`MASKED`], [`BRANCHES`], [`TOKENS`], [`COST`], [`AUTHORITY_BEFORE`], [`AUTHORITY_AFTER`] |
//! | `append` | TRACE | an append to the journal | [`ENTRIES`], [`BYTES`] |
//!
//! What fails has the status `ERROR`, the error as its description, and [`ERROR_TYPE`]. So a run with two
//! agents is
//!
//! ```text
//! invoke_workflow SupportDesk
//! ├ invoke_agent triage
//! │ ├ chat gpt-5
//! │ ├ execute_tool search
//! │ ├ chat gpt-5
//! │ └ handoff billing
//! └ invoke_agent billing
//!   └ chat gpt-5
//! ```
//!
//! # Events
//!
//! | event | level | when |
//! |---|---|---|
//! | `paused` | INFO | a node asks a person, or a handoff waits for its approval: [`ASK`], [`ASK_KEY`] |
//! | `answered`, `decided` | DEBUG | the answer is there; [`DECISION`] |
//! | `expired` | INFO | nobody answered a node's question in time |
//! | `passed over` | WARN | a model wanted two handoffs in one turn |
//! | `masked` | INFO | an edge is masked, and the run goes on along its `else` |
//! | `handoff loop` | WARN | an edge is masked, and the run ends |
//! | `attempt failed` | DEBUG | a node has failed, and is tried again in [`DELAY`] |
//! | `joined` | DEBUG | all branches of a fork have come to the join |
//!
//! # Metrics
//!
//! Metrics are events, of the target [`METRICS`] and at level TRACE, whose fields say what kind of metric they
//! are, such as `monotonic_counter.handoffs.steps`: as the metrics layer of `tracing-opentelemetry` reads them.
//! Any other layer can. They are [`RUNS`], [`RUN_DURATION`], [`STEPS`], [`HANDOFFS`], [`LOOPS_STOPPED`],
//! [`PAUSES_OPEN`], [`APPEND_DURATION`], [`USED_TOKENS`], [`USED_COST`], [`TURN_TOKENS`] and
//! [`TURN_DURATION`].
//!
//! # Content
//!
//! What users, models and tools say is not told, unless a runtime is asked to, by
//! [`trace_content`](crate::Runtime::trace_content). Texts of errors are always told, and names: of threads,
//! nodes, outcomes and tools.
//!
//! [`run`]: crate::Thread::run
//! [`resume`]: crate::Thread::resume
//! [`recover`]: crate::Thread::recover

#[cfg(feature = "agents")]
mod agent;
mod measure;
mod names;
mod span;

#[cfg(feature = "agents")]
pub(crate) use agent::{asked, called, offered, passed};
pub(crate) use measure::{appended, begun, pauses, stepped, used};
pub use names::*;
pub(crate) use span::{
    Moved, answered, append, append_failed, concluded, decided, expired, handoff, is_append_told,
    is_listened, is_told, is_traced, joined, loop_stopped, node, node_failed, paused, run,
    step_failed, tried_again,
};
