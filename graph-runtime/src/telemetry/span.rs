//! The spans and events of runs and nodes.

use std::time::Duration;

use handoffs_core::Grant;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Level, Span};

use super::measure;
#[allow(clippy::wildcard_imports, reason = "names are what this is about")]
use super::names::*;
use crate::driver::Done;
use crate::engine::Hop;
use crate::error::{RunError, chain};
use crate::journal::{
    Ask, AskId, BranchId, Conclusion, JournalError, Ledger, Masked, ThreadId, Usage,
};
use crate::node_error::{Kind, NodeError};
use crate::plan::{Plan, PlanNode};
use crate::scope::Scope;

/// Returns whether anybody listens to single steps.
#[inline]
pub(crate) fn is_listened() -> bool {
    tracing::enabled!(target: TARGET, Level::DEBUG) || measure::is_measured()
}

/// Returns whether anybody listens to single steps, or to handoffs alone.
#[inline]
pub(crate) fn is_told() -> bool {
    is_traced() || is_listened()
}

/// A run that somebody watches.
pub(crate) struct Watched {
    span: Span,
    begun: Option<Instant>,
}

impl Watched {
    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Notes how the run came to rest.
    pub(crate) fn rested(&self, graph: &str, scope: &Scope, done: &Result<Done, RunError>) {
        let ended = run_rested(&self.span, scope, done);
        measure::run_ended(graph, ended, self.begun);
    }
}

/// Begins the span of a run, if somebody watches it.
pub(crate) fn run(graph: &str, scope: &Scope, way: &'static str) -> Option<Watched> {
    let ask = scope.answer.as_ref().map(|(ask, _)| *ask);
    let span = tracing::info_span!(
        target: TARGET,
        "invoke_workflow",
        otel.name = %format_args!("{OPERATION_WORKFLOW} {graph}"),
        otel.kind = "internal",
        otel.status_code = Empty,
        otel.status_description = Empty,
        { OPERATION } = OPERATION_WORKFLOW,
        { WORKFLOW } = graph,
        { CONVERSATION } = scope.thread.as_str(),
        { BEGAN } = way,
        { BEHIND } = last(scope).filter(|_| way != "run"),
        { ASK } = ask.map(AskId::get),
        { ENDED } = Empty,
        { LAST } = Empty,
        { ERROR_TYPE } = Empty,
    );
    let begun = measure::begun();
    let is_watched = begun.is_some() || !span.is_disabled();
    is_watched.then_some(Watched { span, begun })
}

/// Returns the number of the last entry.
fn last(scope: &Scope) -> Option<u64> {
    scope.ledger.as_deref().map(Ledger::last)
}

/// Notes how a run came to rest.
fn run_rested(span: &Span, scope: &Scope, done: &Result<Done, RunError>) -> &'static str {
    let ended = match done {
        Ok(Done::Ended(..) | Done::Arrived) => "finished",
        Ok(Done::Paused(_)) => "paused",
        Ok(Done::Stopped) => "stopped",
        Err(_) => "failed",
    };
    span.record(ENDED, ended);
    let is_written = !matches!(done, Err(error) if error.is_of_the_journal());
    if is_written && !span.is_disabled() {
        span.record(LAST, last(scope));
    }
    if let Err(error) = done {
        run_failed(span, error);
    }
    ended
}

/// Notes on a span that what it stands for ended with an error.
pub(super) fn run_failed(span: &Span, error: &RunError) {
    if !span.is_disabled() {
        failed(span, error_type(error), &chain(error));
    }
}

/// Notes that a step failed for something else than its node, whose failure [is noted](node_failed) as it
/// happens.
pub(crate) fn step_failed(span: &Span, error: &RunError) {
    let is_noted = matches!(
        error,
        RunError::Node { .. }
            | RunError::Panicked { .. }
            | RunError::TimedOut { .. }
            | RunError::Unknown { .. }
    );
    if !is_noted {
        run_failed(span, error);
    }
}

/// Notes on a span that what it stands for failed.
pub(super) fn failed(span: &Span, error_type: &str, error: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("otel.status_description", error);
    span.record(ERROR_TYPE, error_type);
}

/// Begins the span of an attempt at a node.
pub(crate) fn node(node: &PlanNode, branch: &BranchId, used: &[u32]) -> Span {
    macro_rules! span {
        ($level:expr, $operation:expr, $($field:expr),+) => {
            tracing::span!(
                target: TARGET,
                $level,
                $operation,
                otel.name = %format_args!("{} {}", $operation, node.name),
                otel.kind = "internal",
                otel.status_code = Empty,
                otel.status_description = Empty,
                { OPERATION } = $operation,
                $({ $field } = &*node.name,)+
                { BRANCH } = (!branch.is_trunk()).then(|| branch.to_string()).as_deref(),
                { ATTEMPT } = used.iter().fold(1, |sum: u32, used| sum.saturating_add(*used)),
                { MODEL } = Empty,
                { PROVIDER } = Empty,
                { OFFERS } = Empty,
                { TOOLS } = Empty,
                { CACHED } = Empty,
                { OUTCOME } = Empty,
                { INPUT_TOKENS } = Empty,
                { OUTPUT_TOKENS } = Empty,
                { COST } = Empty,
                { ERROR_TYPE } = Empty,
            )
        };
    }
    if node.is_agent {
        span!(Level::INFO, OPERATION_AGENT, AGENT)
    } else if node.is_graph {
        span!(Level::DEBUG, OPERATION_WORKFLOW, NODE, WORKFLOW)
    } else {
        span!(Level::DEBUG, OPERATION_NODE, NODE)
    }
}

/// Notes what an attempt at a node came to.
pub(crate) fn concluded(span: &Span, concluded: Option<&Conclusion>, cached: bool, usage: Usage) {
    if span.is_disabled() {
        return;
    }
    if let Some(outcome) = outcome(concluded) {
        span.record(OUTCOME, outcome);
    }
    if cached {
        span.record(CACHED, true);
    }
    used(span, usage);
}

/// Returns the variant of an outcome that has more than one.
fn outcome(concluded: Option<&Conclusion>) -> Option<&str> {
    concluded
        .map(|concluded| &*concluded.variant)
        .filter(|variant| *variant != "()")
}

/// Notes what was used, where something was: nothing said is not nothing used.
pub(super) fn used(span: &Span, usage: Usage) {
    let Usage {
        input_tokens,
        output_tokens,
        cost_micros,
        ..
    } = usage;
    let all = [
        (INPUT_TOKENS, input_tokens),
        (OUTPUT_TOKENS, output_tokens),
        (COST, cost_micros),
    ];
    for (name, number) in all.into_iter().filter(|(_, number)| *number > 0) {
        span.record(name, number);
    }
}

/// Notes that an attempt at a node failed.
pub(crate) fn node_failed(span: &Span, error: &NodeError, usage: Usage) {
    if span.is_disabled() {
        return;
    }
    used(span, usage);
    let error_type = match error.kind() {
        Kind::Returned(_) => "node",
        Kind::Panicked(_) => "panicked",
        Kind::TimedOut(..) => "timed_out",
        Kind::Unknown(_) => "unknown",
        Kind::Within(error) => self::error_type(error),
        _ => "node_rules",
    };
    failed(span, error_type, &chain(error));
}

/// A handoff, as a span tells it.
pub(crate) struct Moved<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) from: u16,
    pub(crate) edge: u16,
    pub(crate) hop: Hop,
    /// With which nodes the branches begin, where it forks.
    pub(crate) branches: &'a [u16],
    /// How many branches there are.
    pub(crate) many: Option<u32>,
    pub(crate) concluded: Option<&'a Conclusion>,
    /// Whether content is told.
    pub(crate) content: bool,
    /// What a person decided about it, if one was asked.
    pub(crate) decision: Option<&'static str>,
    /// How often the edge was taken, if that is counted.
    pub(crate) lap: Option<u32>,
    pub(crate) usage: Usage,
    /// What the sender held, and what the receiver holds, where there is authority.
    pub(crate) held: (Option<&'a str>, Option<Grant>),
}

/// Returns whether anybody traces handoffs.
pub(crate) fn is_traced() -> bool {
    tracing::enabled!(target: TARGET, Level::INFO)
}

/// Begins the span of a handoff, which ends when it is written; tells of it as a metric, too.
///
/// The way to the end is no handoff, as there is nobody to take over, unless an edge was masked for it.
pub(crate) fn handoff(moved: &Moved<'_>) -> Span {
    let Moved {
        plan,
        from,
        edge,
        hop,
        branches,
        many,
        concluded,
        content,
        decision,
        lap,
        usage,
        held: (before, after),
    } = moved;
    if let Some(why) = hop.masked {
        masked(plan, *from, *edge, why);
    }
    if hop.to.node().is_none() && hop.masked.is_none() {
        return Span::none();
    }
    let is_agent = plan.node(*from).is_some_and(|node| node.is_agent);
    let seen = is_agent && tracing::enabled!(target: TARGET, Level::INFO)
        || tracing::enabled!(target: TARGET, Level::DEBUG)
        || measure::is_measured();
    if !seen {
        return Span::none();
    }
    let names = |nodes: &[u16]| {
        let names: Vec<_> = nodes.iter().map(|node| plan.name(*node)).collect();
        names.join(",")
    };
    let to = match hop.to.node() {
        _ if hop.forks && !branches.is_empty() => names(branches),
        Some(to) => plan.name(to).to_owned(),
        None => "end".to_owned(),
    };
    let payload = concluded.filter(|_| *content);
    let payload = payload.and_then(|concluded| Some(concluded.payload.as_ref()?.as_str()));
    let from = plan.name(*from);
    measure::handed_over(plan.topology.name(), from, &to);
    macro_rules! span {
        ($level:expr) => {
            tracing::span!(
                target: TARGET,
                $level,
                "handoff",
                otel.name = %format_args!("{OPERATION_HANDOFF} {to}"),
                otel.kind = "internal",
                { OPERATION } = OPERATION_HANDOFF,
                { FROM } = from,
                { TO } = &*to,
                { REASON } = &*label(plan, *edge),
                { OUTCOME } = outcome(*concluded),
                { PAYLOAD } = payload,
                { DECISION } = decision,
                { LAP } = lap,
                { MASKED } = hop.masked.map(word),
                { BRANCHES } = many,
                { TOKENS } = tokens(*usage),
                { COST } = Some(usage.cost_micros).filter(|cost| *cost > 0),
                { AUTHORITY_BEFORE } = before,
                { AUTHORITY_AFTER } = after.as_ref().map(tracing::field::display),
            )
        };
    }
    if is_agent {
        span!(Level::INFO)
    } else {
        span!(Level::DEBUG)
    }
}

/// Tells that an edge was masked, and the run goes on along its `else`.
fn masked(plan: &Plan, from: u16, edge: u16, why: Masked) {
    // What the edge is labelled is put together for whoever reads it.
    if !is_traced() && !measure::is_measured() {
        return;
    }
    let (node, edge) = (plan.name(from), label(plan, edge));
    tracing::info!(
        target: TARGET, message = "masked",
        { NODE } = node,
        { REASON } = &*edge,
        { MASKED } = word(why));
    measure::loop_stopped(plan.topology.name(), node, &edge, word(why));
}

/// Tells that a run ends at a masked edge, if that is why it does.
pub(crate) fn loop_stopped(graph: &str, error: &RunError) {
    let RunError::HandoffLoop {
        node,
        cycle,
        laps,
        edge,
        why,
        ..
    } = error
    else {
        return;
    };
    // Everywhere else an edge is told by its condition.
    let edge = edge.rsplit_once(" => ").map_or(&**edge, |(on, _)| on);
    tracing::warn!(
        target: TARGET, message = "handoff loop",
        { NODE } = &**node,
        { REASON } = edge,
        { MASKED } = word(*why),
        { LAP } = laps,
        cycle = &**cycle);
    measure::loop_stopped(graph, node, edge, word(*why));
}

/// Tells that a node failed and is tried again.
pub(crate) fn tried_again(node: &str, error: &str, delay: Duration) {
    tracing::debug!(
        target: TARGET, message = "attempt failed",
        { NODE } = node,
        { DELAY } = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        error);
}

/// Tells that all branches of a fork have come to their join.
pub(crate) fn joined(join: &str) {
    tracing::debug!(target: TARGET, message = "joined", { TO } = join);
}

/// Tells that a person is asked.
pub(crate) fn paused(ask: &Ask, content: bool) {
    tracing::info!(
        target: TARGET, message = "paused",
        { NODE } = &*ask.node,
        { ASK } = ask.id.get(),
        { ASK_KEY } = &*ask.key,
        { QUESTION } = content.then_some(ask.question.as_str()));
}

/// Tells that a person's answer is there.
pub(crate) fn answered(node: &str, ask: AskId) {
    tracing::debug!(target: TARGET, message = "answered", { NODE } = node, { ASK } = ask.get());
}

/// Tells that nobody answered in time.
pub(crate) fn expired(node: &str, ask: AskId) {
    tracing::info!(target: TARGET, message = "expired", { NODE } = node, { ASK } = ask.get());
}

/// Tells what became of a handoff that waited for a person.
pub(crate) fn decided(from: &str, to: Option<&str>, ask: AskId, decision: &'static str) {
    tracing::debug!(
        target: TARGET, message = "decided",
        { FROM } = from,
        { TO } = to.unwrap_or("end"),
        { ASK } = ask.get(),
        { DECISION } = decision);
}

/// Notes that an append failed.
pub(crate) fn append_failed(span: &Span, error: &JournalError) {
    if !span.is_disabled() {
        let error_type = if error.is_conflict() {
            "conflict"
        } else {
            "journal"
        };
        failed(span, error_type, &chain(error));
    }
}

/// Returns whether anybody listens to single appends, or counts.
pub(crate) fn is_append_told() -> bool {
    tracing::enabled!(target: TARGET, Level::TRACE) || measure::is_measured()
}

/// Begins the span of an append.
pub(crate) fn append(thread: &ThreadId, entries: usize, bytes: usize) -> Span {
    tracing::trace_span!(
        target: TARGET,
        "append",
        otel.name = "append",
        otel.kind = "client",
        otel.status_code = Empty,
        otel.status_description = Empty,
        { CONVERSATION } = thread.as_str(),
        { ENTRIES } = entries,
        { BYTES } = bytes,
        { ERROR_TYPE } = Empty,
    )
}

fn word(why: Masked) -> &'static str {
    match why {
        Masked::Limit => "limit",
        Masked::NoProgress => "no_progress",
    }
}

fn label(plan: &Plan, edge: u16) -> String {
    let edge = plan.edge(edge);
    edge.map(|edge| edge.label().into_owned())
        .unwrap_or_default()
}

fn tokens(usage: Usage) -> Option<u64> {
    let tokens = usage.input_tokens.saturating_add(usage.output_tokens);
    Some(tokens).filter(|tokens| *tokens > 0)
}

/// Says in one word how a run failed.
fn error_type(error: &RunError) -> &'static str {
    match error {
        RunError::Node { source, .. } => match source.downcast_ref::<RunError>() {
            Some(within) => error_type(within),
            None => "node",
        },
        RunError::Panicked { .. } => "panicked",
        RunError::TimedOut { .. } => "timed_out",
        RunError::Unknown { .. } => "unknown",
        RunError::Unmerged { .. } => "unmerged",
        RunError::Drained { .. } => "drained",
        RunError::Cancelled { .. } => "cancelled",
        RunError::Deadline { .. } => "deadline",
        RunError::HandoffLoop { .. } => "handoff_loop",
        RunError::WrongAnswer { .. } => "wrong_answer",
        RunError::Journal { .. } => "journal",
        _ => "_OTHER",
    }
}
