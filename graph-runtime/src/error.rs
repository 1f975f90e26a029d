//! Why a run ended without a result.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use crate::attempt::TimeoutKind;
use crate::budget::Spent;
use crate::difference::Difference;
use crate::journal::{AskId, GraphId, JournalError, Masked, ThreadId};

/// Why a run ended without a result.
///
/// With a journal, what was written stays written: [`Thread::state`](crate::Thread::state) is the
/// state after the last step, and [`Thread::recover`](crate::Thread::recover) goes on from there, unless
/// the journal itself is damaged. Without one, nothing is left of the run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A node returned an error, or broke its contract.
    #[error("node `{node}` of thread `{thread}` failed; {}", left(*.recoverable))]
    #[non_exhaustive]
    Node {
        /// The thread.
        thread: ThreadId,
        /// The node.
        node: String,
        /// Whether there is a journal, so that `recover` can try the node again.
        recoverable: bool,
        /// What the node said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A node panicked, or a guard of one of its edges did.
    #[error("node `{node}` of thread `{thread}` panicked: {message}; {}", left(*.recoverable))]
    #[non_exhaustive]
    Panicked {
        /// The thread.
        thread: ThreadId,
        /// The node.
        node: String,
        /// Whether there is a journal, so that `recover` can try the node again.
        recoverable: bool,
        /// What the panic said.
        message: String,
    },
    /// An attempt at a node, or the answer to its question, took longer than the node's timeout allows.
    #[error("node `{node}` of thread `{thread}` {} {after:?}; {}", overran(*.kind), left(*.recoverable))]
    #[non_exhaustive]
    TimedOut {
        /// The thread.
        thread: ThreadId,
        /// The node.
        node: String,
        /// Whether there is a journal, so that `recover` can try the node again.
        recoverable: bool,
        /// Which of the node's timeouts it was.
        kind: TimeoutKind,
        /// How long the timeout is.
        after: Duration,
    },
    /// Nobody knows whether something was done that a node does [once](crate::Context::once): the attempt
    /// that began it was cut off by a crash, a time-out or a panic. It is not done again.
    #[error(
        "nobody knows whether effect `{effect}` of node `{node}` in thread `{thread}` was done, as the \
         attempt that began it was cut off; find out, let the node do so with `once_checked`{}",
        if *.recoverable { ", and `recover` the thread" } else { "" }
    )]
    #[non_exhaustive]
    Unknown {
        /// The thread.
        thread: ThreadId,
        /// The node.
        node: String,
        /// Whether there is a journal, so that `recover` can try the node again.
        recoverable: bool,
        /// The effect's key within the node.
        effect: String,
    },
    /// What the branches of a fork made of a field cannot be put together.
    #[error(
        "the branches that node `{node}` of thread `{thread}` forked into cannot be joined: \
         field `{field}`: {reason}; write it in one branch only, or after the join"
    )]
    #[non_exhaustive]
    Unmerged {
        /// The thread.
        thread: ThreadId,
        /// The node that forked.
        node: String,
        /// The field.
        field: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// The runtime was told to stop between two steps; what was done is written.
    #[error("thread `{thread}` was stopped at node `{node}`, as the runtime drains; {}", resumable(*.recoverable))]
    #[non_exhaustive]
    Drained {
        /// The thread.
        thread: ThreadId,
        /// The node that is due.
        node: String,
        /// Whether there is a journal, so that `recover` can go on.
        recoverable: bool,
    },
    /// The runtime was told to stop at once.
    #[error("thread `{thread}` was cancelled at node `{node}`; {}", resumable(*.recoverable))]
    #[non_exhaustive]
    Cancelled {
        /// The thread.
        thread: ThreadId,
        /// The node that was at work.
        node: String,
        /// Whether there is a journal, so that `recover` can go on.
        recoverable: bool,
    },
    /// The run took longer than the runtime's deadline allows.
    #[error("thread `{thread}` did not come to rest within {after:?}; it stands at node `{node}`; {}", resumable(*.recoverable))]
    #[non_exhaustive]
    Deadline {
        /// The thread.
        thread: ThreadId,
        /// The node that was at work.
        node: String,
        /// Whether there is a journal, so that `recover` can go on.
        recoverable: bool,
        /// How long the deadline is.
        after: Duration,
    },
    /// A [`Budget`](crate::Budget) is used up.
    #[error(
        "thread `{thread}` stopped at node `{node}`, as {spent} are used up; {}", affordable(*.recoverable)
    )]
    #[non_exhaustive]
    Budget {
        /// The thread.
        thread: ThreadId,
        /// The node that would have gone on.
        node: String,
        /// Whether there is a journal, so that `recover` can go on.
        recoverable: bool,
        /// Which budget it is, and how much was used.
        spent: Box<Spent>,
    },
    /// A masked edge was insisted on, and it names no `else`.
    #[error(
        "handoff loop `{cycle}` in thread `{thread}`: node `{node}` insists on the edge `{edge}`, \
         taken {} already, and {why}; give the edge an `else`, or {}", times(*.laps), .why.advice()
    )]
    #[non_exhaustive]
    HandoffLoop {
        /// The thread.
        thread: ThreadId,
        /// The node whose outcome insisted.
        node: String,
        /// The last lap, as `triage -> billing -> triage`.
        cycle: Arc<str>,
        /// How often the edge had been taken.
        laps: u32,
        /// The edge, as it is written in the graph.
        edge: String,
        /// Why it was masked.
        why: Masked,
    },
    /// The caller did not bring a field that the graph says is given.
    #[error(
        "thread `{thread}` cannot start: the graph says `given({field})`, and the field is not set; \
         set it in the state that the run begins with"
    )]
    #[non_exhaustive]
    NotGiven {
        /// The thread.
        thread: ThreadId,
        /// The field.
        field: &'static str,
    },
    /// The graph asks a person, and there is no journal to keep the thread in meanwhile.
    #[error(
        "node `{node}` of thread `{thread}` asks a person, and the runtime has no journal to wait in; \
         add `.journal(..)`"
    )]
    #[non_exhaustive]
    NoJournal {
        /// The thread.
        thread: ThreadId,
        /// The node.
        node: String,
    },
    /// A run was to begin in a thread in which one is under way.
    #[error(
        "thread `{thread}` is in the middle of a run, at node `{node}`; recover it, or use another thread"
    )]
    #[non_exhaustive]
    Unfinished {
        /// The thread.
        thread: ThreadId,
        /// The node that is due.
        node: String,
    },
    /// The thread waits for a person.
    #[error(
        "thread `{thread}` waits for the answer to question {ask} of node `{node}`; resume it with an answer"
    )]
    #[non_exhaustive]
    Waiting {
        /// The thread.
        thread: ThreadId,
        /// The node that asked.
        node: String,
        /// The question.
        ask: AskId,
    },
    /// The thread has no journal.
    #[error("no thread is named `{thread}`; begin it with `run`")]
    #[non_exhaustive]
    UnknownThread {
        /// The thread.
        thread: ThreadId,
    },
    /// A thread was to be forked into one that is there already.
    #[error(
        "there is a thread `{thread}` already; fork into one that is not there, or delete it first"
    )]
    #[non_exhaustive]
    Exists {
        /// The thread that is there.
        thread: ThreadId,
    },
    /// The thread has no entry of this number.
    #[error("thread `{thread}` has no entry {seq}: it ends at entry {last}; `history` lists them")]
    #[non_exhaustive]
    NoEntry {
        /// The thread.
        thread: ThreadId,
        /// The number.
        seq: u64,
        /// The number of its last entry.
        last: u64,
    },
    /// The state was to be changed from outside while several paths, or a graph within, are at work on it.
    #[error(
        "thread `{thread}` cannot be edited at node `{node}`: {reason}; \
         let the run go on until that is over, or abandon it"
    )]
    #[non_exhaustive]
    NotEditable {
        /// The thread.
        thread: ThreadId,
        /// The node that is due.
        node: String,
        /// What is under way.
        reason: &'static str,
    },
    /// The run was given up, so there is nothing to go on with.
    #[error("the run of thread `{thread}` was abandoned: {why}; `run` begins another")]
    #[non_exhaustive]
    Abandoned {
        /// The thread.
        thread: ThreadId,
        /// Why.
        why: String,
    },
    /// The question is not open: it was answered already, has expired, or was never asked.
    #[error(
        "question {ask} of thread `{thread}`{} is not open: {reason}; `status` tells which one is, if any",
        node.as_ref().map(|node| format!(", which stands at node `{node}`,")).unwrap_or_default()
    )]
    #[non_exhaustive]
    NotAsked {
        /// The thread.
        thread: ThreadId,
        /// The node at which the thread stands; none if its run is over.
        node: Option<String>,
        /// The question.
        ask: AskId,
        /// What became of it.
        reason: &'static str,
    },
    /// The answer is of another type than the node expects; the question stays open.
    #[error(
        "the answer to question {ask} of node `{node}` in thread `{thread}` does not fit; \
         the question stays open: resume it with another answer"
    )]
    #[non_exhaustive]
    WrongAnswer {
        /// The thread.
        thread: ThreadId,
        /// The node that asked.
        node: String,
        /// The question.
        ask: AskId,
        /// Why it does not fit.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The journal was written by another graph, or by another version of this one.
    ///
    /// An older version of the same graph is only refused if the thread cannot go on by this one; the
    /// difference says why. Nothing was written.
    #[error(
        "thread `{thread}` belongs to the graph `{recorded}` and not to `{graph}`: entry {seq} {difference}; \
         or run it with the graph that wrote it, or begin another thread"
    )]
    #[non_exhaustive]
    OtherGraph {
        /// The thread.
        thread: ThreadId,
        /// The entry with which the graph of this runtime cannot go on.
        seq: u64,
        /// The graph that wrote it.
        recorded: GraphId,
        /// The graph of this runtime.
        graph: GraphId,
        /// Why it cannot.
        difference: Box<Difference>,
    },
    /// The function that migrates old entries failed, or panicked. Nothing was written.
    #[error(
        "entry {seq} of thread `{thread}`, of the graph `{recorded}`, could not be migrated; \
         mend the function that was given to `Runtime::migrate`"
    )]
    #[non_exhaustive]
    Migrate {
        /// The thread.
        thread: ThreadId,
        /// The entry.
        seq: u64,
        /// The graph that wrote it.
        recorded: GraphId,
        /// What the function said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A part of the state, of an outcome or of an answer cannot be turned into JSON or back.
    #[error(
        "{what} of thread `{thread}`{} cannot be kept in the journal; \
         give it a type and a value that JSON can hold, such as finite numbers, and text for keys",
        at(.node.as_deref())
    )]
    #[non_exhaustive]
    Encode {
        /// The thread.
        thread: ThreadId,
        /// The node at which it happened; none if no node was due yet, as before an answer is taken in.
        node: Option<String>,
        /// What could not be encoded.
        what: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The journal's fields do not make a state.
    #[error(
        "field `{field}` of the state of thread `{thread}` cannot be read back; give it a type that \
         reads what was written, put old entries right with `Runtime::migrate`, run the program that wrote it, or begin another thread"
    )]
    #[non_exhaustive]
    Decode {
        /// The thread.
        thread: ThreadId,
        /// The field.
        field: &'static str,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The entry is not kept any more, or not what it follows from.
    #[error(
        "thread `{thread}` cannot be taken back to entry {seq}: the entries up to {trimmed} were trimmed, \
         and with them what it follows from; look into an export, or into a copy of the journal from before"
    )]
    #[non_exhaustive]
    Trimmed {
        /// The thread.
        thread: ThreadId,
        /// The entry that was asked for.
        seq: u64,
        /// The last entry that was trimmed.
        trimmed: u64,
    },
    /// The journal could not be read or written; the source says what to do.
    #[error(
        "the journal of thread `{thread}` could not be read or written{}, and nothing is done without it",
        at(.node.as_deref())
    )]
    #[non_exhaustive]
    Journal {
        /// The thread.
        thread: ThreadId,
        /// The node of which something was to be written; none if the journal was read, or a run was
        /// to begin.
        node: Option<String>,
        /// Why.
        source: JournalError,
    },
}

impl RunError {
    /// Returns the thread that the error is about, if it is about one.
    pub fn thread(&self) -> Option<&ThreadId> {
        match self {
            Self::Node { thread, .. }
            | Self::Panicked { thread, .. }
            | Self::TimedOut { thread, .. }
            | Self::Unmerged { thread, .. }
            | Self::Unknown { thread, .. }
            | Self::Drained { thread, .. }
            | Self::Cancelled { thread, .. }
            | Self::Deadline { thread, .. }
            | Self::Budget { thread, .. }
            | Self::HandoffLoop { thread, .. }
            | Self::NotGiven { thread, .. }
            | Self::NoJournal { thread, .. }
            | Self::Unfinished { thread, .. }
            | Self::Waiting { thread, .. }
            | Self::UnknownThread { thread }
            | Self::Exists { thread }
            | Self::NoEntry { thread, .. }
            | Self::NotEditable { thread, .. }
            | Self::Abandoned { thread, .. }
            | Self::NotAsked { thread, .. }
            | Self::WrongAnswer { thread, .. }
            | Self::OtherGraph { thread, .. }
            | Self::Migrate { thread, .. }
            | Self::Encode { thread, .. }
            | Self::Decode { thread, .. }
            | Self::Trimmed { thread, .. }
            | Self::Journal { thread, .. } => Some(thread),
        }
    }

    /// Returns the name of the node at which it happened, if it is known.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Node { node, .. }
            | Self::Panicked { node, .. }
            | Self::TimedOut { node, .. }
            | Self::Unmerged { node, .. }
            | Self::Unknown { node, .. }
            | Self::Drained { node, .. }
            | Self::Cancelled { node, .. }
            | Self::Deadline { node, .. }
            | Self::Budget { node, .. }
            | Self::HandoffLoop { node, .. }
            | Self::NoJournal { node, .. }
            | Self::Unfinished { node, .. }
            | Self::Waiting { node, .. }
            | Self::NotEditable { node, .. }
            | Self::WrongAnswer { node, .. } => Some(node),
            Self::NotAsked { node, .. }
            | Self::Encode { node, .. }
            | Self::Journal { node, .. } => node.as_deref(),
            Self::OtherGraph { difference, .. } => difference.node(),
            Self::NotGiven { .. }
            | Self::UnknownThread { .. }
            | Self::Exists { .. }
            | Self::NoEntry { .. }
            | Self::Abandoned { .. }
            | Self::Migrate { .. }
            | Self::Decode { .. }
            | Self::Trimmed { .. } => None,
        }
    }

    pub(crate) fn journal(thread: &ThreadId, node: Option<String>, source: JournalError) -> Self {
        Self::Journal {
            thread: thread.clone(),
            node,
            source,
        }
    }

    /// Says that what happened does not follow from what happened before.
    pub(crate) fn impossible(thread: &ThreadId, reason: &'static str) -> Self {
        Self::journal(thread, None, JournalError::damaged(thread, 0, reason))
    }

    /// Returns whether a node is to blame, so that a graph around its graph may try again or go on
    /// along an error edge.
    pub(crate) const fn is_of_a_node(&self) -> bool {
        matches!(
            self,
            Self::Node { .. }
                | Self::Panicked { .. }
                | Self::TimedOut { .. }
                | Self::HandoffLoop { .. }
                | Self::Unmerged { .. }
                | Self::Unknown { .. }
                | Self::Encode { .. }
                | Self::NotGiven { .. }
        )
    }

    pub(crate) const fn is_of_the_journal(&self) -> bool {
        matches!(self, Self::Journal { .. })
    }

    /// Returns whether another worker advanced the thread, so that this one should leave it alone.
    pub const fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::Journal {
                source: JournalError::Conflict { .. },
                ..
            }
        )
    }
}

/// Says what is left of a run that failed at a node.
const fn left(recoverable: bool) -> &'static str {
    if recoverable {
        "the thread stands before it, and `recover` tries it again"
    } else {
        "there is no journal, so nothing is left of the run: begin it anew"
    }
}

/// Says what is left of a run that was stopped.
const fn resumable(recoverable: bool) -> &'static str {
    if recoverable {
        "what was done is written, and `recover` goes on"
    } else {
        "there is no journal, so nothing is left of the run: begin it anew"
    }
}

/// Says what is left of a run that has used up a budget.
const fn affordable(recoverable: bool) -> &'static str {
    if recoverable {
        "what was done is written, and `recover` goes on with a larger budget"
    } else {
        "there is no journal, so nothing is left of the run: begin it anew with a larger budget"
    }
}

const fn overran(timeout: TimeoutKind) -> &'static str {
    match timeout {
        TimeoutKind::Hard => "took longer than",
        TimeoutKind::Idle => "gave no heartbeat for",
        TimeoutKind::Answer => "got no answer within",
    }
}

/// Returns an error's message and those of its causes.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn times(laps: u32) -> String {
    match laps {
        1 => "once".to_owned(),
        laps => format!("{laps} times"),
    }
}

fn at(node: Option<&str>) -> String {
    node.map(|node| format!(" at node `{node}`"))
        .unwrap_or_default()
}
