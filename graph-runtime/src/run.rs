//! How a run can end, and where a thread can stand.

use crate::journal::Ask;

/// How a run went: to its end, or to a question that a person has to answer.
///
/// A pause is a result and no error. It is answered with
/// [`Thread::resume`](crate::Thread::resume), whenever and on whatever machine.
#[derive(Clone, Debug)]
#[must_use = "a paused run waits for an answer"]
#[expect(
    clippy::exhaustive_enums,
    reason = "a run ends or pauses; all else is an error"
)]
pub enum Run<S> {
    /// The run reached the end, with this state.
    Finished(S),
    /// The run waits for a person.
    Paused(Ask),
}

impl<S> Run<S> {
    /// Returns the state of a finished run.
    pub fn finished(self) -> Option<S> {
        match self {
            Self::Finished(state) => Some(state),
            Self::Paused(_) => None,
        }
    }

    /// Returns the question of a paused run.
    pub fn paused(self) -> Option<Ask> {
        match self {
            Self::Finished(_) => None,
            Self::Paused(ask) => Some(ask),
        }
    }
}

/// Where a thread stands, by its journal.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Status<N> {
    /// Nothing is known of the thread; [`Thread::run`](crate::Thread::run) begins it.
    New,
    /// A run is under way, or was cut off by a crash or by being dropped, before this node;
    /// [`Thread::recover`](crate::Thread::recover) goes on with it.
    Unfinished(N),
    /// A run waits for the answer to a question; [`Thread::resume`](crate::Thread::resume) gives it.
    Paused(Ask),
    /// The last run ended with an error at this node; [`Thread::recover`](crate::Thread::recover)
    /// tries the node again, [`Thread::run`](crate::Thread::run) begins another run.
    Failed(N),
    /// The last run reached the end; [`Thread::run`](crate::Thread::run) begins another.
    Finished,
}
