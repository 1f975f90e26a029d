//! The names of spans, events, attributes and metrics: all of them, and nowhere else.
//!
//! Those that begin with `gen_ai` and `error` are of OpenTelemetry's conventions for generative AI, as they
//! stood in November 2026. They are all in development there, and will change here when they are stable; the
//! crate of constants has most of them marked as deprecated, so they are written out.

/// The target of all spans and events that tell of runs.
pub const TARGET: &str = "handoffs";

/// The target of the events that are [metrics](crate::telemetry#metrics), all at level TRACE.
pub const METRICS: &str = "handoffs::metrics";

// ---- What is done: `gen_ai.operation.name`.

/// What is done: one of the `OPERATION_…`.
pub const OPERATION: &str = "gen_ai.operation.name";
/// A run, or a graph that is a node.
pub const OPERATION_WORKFLOW: &str = "invoke_workflow";
/// An attempt at a node that is an agent.
pub const OPERATION_AGENT: &str = "invoke_agent";
/// An attempt at any other node; proposed to the conventions.
pub const OPERATION_NODE: &str = "invoke_node";
/// A turn of a model.
pub const OPERATION_CHAT: &str = "chat";
/// A call of a tool.
pub const OPERATION_TOOL: &str = "execute_tool";
/// A handoff; the conventions have no name for it yet.
pub const OPERATION_HANDOFF: &str = "handoff";

// ---- Of the conventions.

/// The thread.
pub const CONVERSATION: &str = "gen_ai.conversation.id";
/// The graph.
pub const WORKFLOW: &str = "gen_ai.workflow.name";
/// The node, if it is an agent.
pub const AGENT: &str = "gen_ai.agent.name";
/// The node, if it is not; proposed to the conventions.
pub const NODE: &str = "gen_ai.node.name";
/// The tool that is called.
pub const TOOL: &str = "gen_ai.tool.name";
/// The id of the call.
pub const TOOL_CALL: &str = "gen_ai.tool.call.id";
/// The kind of the tool: always `function`.
pub const TOOL_TYPE: &str = "gen_ai.tool.type";
/// The model that is asked.
pub const MODEL: &str = "gen_ai.request.model";
/// Who runs the model.
pub const PROVIDER: &str = "gen_ai.provider.name";
/// Tokens that models read.
pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// Tokens that models wrote.
pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// Which tokens a metric counts: `input` or `output`.
pub const TOKEN_TYPE: &str = "gen_ai.token.type";
/// What went wrong, as one word of a few.
pub const ERROR_TYPE: &str = "error.type";

// ---- Content: only with `Runtime::trace_content`.

/// What the model is to be and to do, as JSON.
pub const INSTRUCTIONS: &str = "gen_ai.system_instructions";
/// What the model was asked, as JSON.
pub const INPUT_MESSAGES: &str = "gen_ai.input.messages";
/// What the model said, as JSON.
pub const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
/// The arguments of a call, as the model wrote them.
pub const TOOL_ARGUMENTS: &str = "gen_ai.tool.call.arguments";
/// What came of a call.
pub const TOOL_RESULT: &str = "gen_ai.tool.call.result";
/// What a node concluded, as JSON.
pub const PAYLOAD: &str = "handoffs.payload";
/// The question to a person, as JSON.
pub const QUESTION: &str = "handoffs.ask.question";

// ---- Ours.

/// How a run began: `run`, `resume` or `recover`.
pub const BEGAN: &str = "handoffs.began";
/// How a run came to rest: `finished`, `paused`, `stopped` or `failed`.
pub const ENDED: &str = "handoffs.ended";
/// The entry behind which a run goes on that was begun before: the [`LAST`] one of what came before it,
/// save what others have written since.
pub const BEHIND: &str = "handoffs.behind";
/// The last entry of a run as it came to rest, if it has a journal and that did not fail.
pub const LAST: &str = "handoffs.last";
/// The number of a question. Of a run, the one that it answers.
pub const ASK: &str = "handoffs.ask.id";
/// The name of a question within its node.
pub const ASK_KEY: &str = "handoffs.ask.key";
/// The path through the run, if it is not the trunk.
pub const BRANCH: &str = "handoffs.branch";
/// Which attempt at the node it is, from 1.
pub const ATTEMPT: &str = "handoffs.attempt";
/// Whether the result of the node was in the cache.
pub const CACHED: &str = "handoffs.cached";
/// What the node concluded: the variant of the outcome.
pub const OUTCOME: &str = "handoffs.outcome";
/// The handoffs that an agent is offered, as its model knows them, with commas between.
pub const OFFERS: &str = "handoffs.offers";
/// The tools of an agent, with commas between.
pub const TOOLS: &str = "handoffs.tools";
/// The node that hands over.
pub const FROM: &str = "handoffs.from";
/// The node that takes over; of a fork those with which its branches begin, with commas between; `end`
/// where a masked or refused handoff ends the run.
pub const TO: &str = "handoffs.to";
/// Why: the condition of the edge as it is written in the graph.
pub const REASON: &str = "handoffs.reason";
/// How often the edge was taken on this path, with this time, if that is counted: on loops.
pub const LAP: &str = "handoffs.lap";
/// Why the edge was masked and its `else` taken: `limit` or `no_progress`.
pub const MASKED: &str = "handoffs.masked";
/// How many branches the handoff has.
pub const BRANCHES: &str = "handoffs.branches";
/// The tokens that the node used, which models read and wrote.
pub const TOKENS: &str = "handoffs.tokens";
/// What the node cost, in millionths of the currency's unit.
pub const COST: &str = "handoffs.cost_micros";
/// What the sender may do.
pub const AUTHORITY_BEFORE: &str = "handoffs.authority.before";
/// What the receiver may do.
pub const AUTHORITY_AFTER: &str = "handoffs.authority.after";
/// What a person decided: `approved` or `refused`, or `expired` if nobody did.
pub const DECISION: &str = "handoffs.decision";
/// How long it is until the next attempt, in milliseconds.
pub const DELAY: &str = "handoffs.delay_ms";
/// How many entries an append writes.
pub const ENTRIES: &str = "handoffs.entries";
/// How many bytes they are.
pub const BYTES: &str = "handoffs.bytes";

/// Writes down a metric's name twice: as it is known, and as the field of an event by which
/// `tracing-opentelemetry` knows its kind.
macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident = $kind:literal $text:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*

        /// The fields of the events that are metrics.
        pub(crate) mod field {
            $(#[cfg_attr(not(feature = "agents"), allow(dead_code, reason = "some are of agents"))]
            pub(crate) const $name: &str = concat!($kind, ".", $text);)*
        }
    };
}

metrics! {
    /// Runs that came to rest, by graph, and how they [ended](ENDED).
    RUNS = "monotonic_counter" "handoffs.runs";
    /// How long a run took until it came to rest, in seconds.
    RUN_DURATION = "histogram" "handoffs.run.duration";
    /// Steps that were made, by graph and node.
    STEPS = "monotonic_counter" "handoffs.steps";
    /// Handoffs from node to node, by graph, [from](FROM) and [to](TO).
    HANDOFFS = "monotonic_counter" "handoffs.handoffs";
    /// Edges that were [masked](MASKED), so that a loop did not go on, by graph and edge: where the `else`
    /// was taken, and where the run ended for want of one.
    LOOPS_STOPPED = "monotonic_counter" "handoffs.loops_stopped";
    /// Questions that were asked and neither answered nor closed, by graph. Each process counts what it
    /// asks and answers, so the sum over all of them is the number; the [inbox](crate::inbox) is exact.
    PAUSES_OPEN = "counter" "handoffs.pauses.open";
    /// How long an append to the journal took, in seconds.
    APPEND_DURATION = "histogram" "handoffs.append.duration";
    /// Tokens that nodes said they used, by graph, node and [type](TOKEN_TYPE).
    USED_TOKENS = "monotonic_counter" "handoffs.tokens";
    /// What nodes said they cost, by graph and node, in millionths of the currency's unit.
    USED_COST = "monotonic_counter" "handoffs.cost_micros";
    /// Tokens of one turn of a model, by model and [type](TOKEN_TYPE); of the conventions.
    TURN_TOKENS = "histogram" "gen_ai.client.token.usage";
    /// How long a turn of a model took, in seconds; of the conventions.
    TURN_DURATION = "histogram" "gen_ai.client.operation.duration";
}
