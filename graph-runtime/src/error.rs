//! Why a run ended without a result.

use std::error::Error;
use std::sync::Arc;

use crate::journal::{AskId, GraphId, JournalError, Masked, ThreadId};

/// Why a run ended without a result.
///
/// With a journal, the state is safe as it was after the last step, and the thread can be recovered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A node returned an error, or broke its contract.
    #[error(
        "node `{node}` of thread `{thread}` failed; the thread stands before it, and `recover` tries it again"
    )]
    #[non_exhaustive]
    Node {
        /// The thread.
        thread: ThreadId,
        /// The node.
        node: String,
        /// What the node said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A node panicked, or a guard of one of its edges did.
    #[error(
        "node `{node}` of thread `{thread}` panicked: {message}; the thread stands before it, and `recover` tries it again"
    )]
    #[non_exhaustive]
    Panicked {
        /// The thread.
        thread: ThreadId,
        /// The node.
        node: String,
        /// What the panic said.
        message: String,
    },
    /// A masked edge was insisted on, and it names no `else`.
    #[error(
        "handoff loop `{cycle}` in thread `{thread}`: node `{node}` insists on the edge `{edge}`, \
         taken {laps} times already, and {why}; give the edge an `else`, or {}", why.advice()
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
        "thread `{thread}` cannot start: the graph says `given({field})`, and the field is not set"
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
    /// The question is not open: it was answered already, or never asked.
    #[error("question {ask} of thread `{thread}` is not open: {reason}")]
    #[non_exhaustive]
    NotAsked {
        /// The thread.
        thread: ThreadId,
        /// The question.
        ask: AskId,
        /// What became of it.
        reason: &'static str,
    },
    /// The answer is of another type than the node expects; the question stays open.
    #[error(
        "the answer to question {ask} of node `{node}` in thread `{thread}` does not fit; the question stays open"
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
    #[error(
        "thread `{thread}` belongs to the graph `{recorded}` and not to `{graph}`; \
         run it with the graph that wrote it, or begin another thread"
    )]
    #[non_exhaustive]
    OtherGraph {
        /// The thread.
        thread: ThreadId,
        /// The graph that wrote the journal.
        recorded: GraphId,
        /// The graph of this runtime.
        graph: GraphId,
    },
    /// A part of the state, of an outcome or of an answer cannot be turned into JSON or back.
    #[error("{what} of thread `{thread}` at node `{node}` cannot be kept in the journal")]
    #[non_exhaustive]
    Encode {
        /// The thread.
        thread: ThreadId,
        /// The node.
        node: String,
        /// What could not be encoded.
        what: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The journal's fields do not make a state.
    #[error("the state of thread `{thread}` cannot be read back: field `{field}`")]
    #[non_exhaustive]
    Decode {
        /// The thread.
        thread: ThreadId,
        /// The field.
        field: &'static str,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The journal could not be read or written.
    #[error(
        "the journal of thread `{thread}` could not be read or written; what was written before is safe"
    )]
    #[non_exhaustive]
    Journal {
        /// The thread.
        thread: ThreadId,
        /// Why.
        source: JournalError,
    },
}

impl RunError {
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
