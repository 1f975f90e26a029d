//! How a run can end, and where a thread can stand.

use crate::journal::Ask;

/// How a run went: to its end, or to a question that a person has to answer.
///
/// A pause is a result and no error. It is answered with
/// [`Thread::resume`](crate::Thread::resume), whenever and on whatever machine.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status<N> {
    /// Nothing is known of the thread; [`Thread::run`](crate::Thread::run) begins it.
    New,
    /// A run is under way, or was cut off by a crash or by being dropped, before this node;
    /// [`Thread::recover`](crate::Thread::recover) goes on with it.
    Unfinished(N),
    /// A run waits for the answer to a question; [`Thread::resume`](crate::Thread::resume) gives it.
    Paused(Ask),
    /// The last run ended with an error; [`Thread::recover`](crate::Thread::recover) tries the node
    /// again, [`Thread::run`](crate::Thread::run) begins another run.
    #[non_exhaustive]
    Failed {
        /// The node at which it ended.
        node: N,
        /// The error and its causes, as the journal has them.
        error: String,
    },
    /// The last run reached the end; [`Thread::run`](crate::Thread::run) begins another.
    Finished,
    /// The last run was given up; [`Thread::run`](crate::Thread::run) begins another.
    #[non_exhaustive]
    Abandoned {
        /// Why.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventStream};
    use crate::execute::Runnable;
    use crate::journal::{Entry, Journal, JournalError, Memory, ThreadId};
    use crate::{RunError, Runtime, Thread};

    fn sends<T: Send>() {}
    fn shares<T: Send + Sync + 'static>() {}

    fn sends_value<T: Send>(_: T) {}

    /// Compiles for any graph and any journal, or not at all.
    #[expect(dead_code, reason = "to compile is the test")]
    fn whatever_a_program_holds_goes_to_other_os_threads<G: Runnable, J: Journal>(
        thread: &Thread<G, J>,
        state: fn() -> G::State,
    ) {
        shares::<Runtime<G>>();
        shares::<Runtime<G, J>>();
        shares::<Thread<G, J>>();
        // A stream has one reader.
        sends::<EventStream<G>>();
        sends::<Event<G>>();

        sends_value(thread.run(state()));
        sends_value(thread.run_once(state()));
        sends_value(thread.recover());
        sends_value(thread.resume(crate::AskId(1), 1));
        sends_value(thread.state());
        sends_value(thread.status());
        sends_value(thread.history());
    }

    #[test]
    fn what_a_run_leaves_behind_goes_to_other_os_threads() {
        shares::<RunError>();
        shares::<JournalError>();
        shares::<Entry>();
        shares::<ThreadId>();
        shares::<Run<u32>>();
        shares::<Status<u32>>();
        shares::<Memory>();
        #[cfg(feature = "sqlite")]
        shares::<crate::Sqlite>();
    }

    #[test]
    fn questions_are_the_same_if_nothing_differs() {
        let ask = |json: &str| -> Ask { serde_json::from_str(json).unwrap() };
        let asked = ask(r#"{"id":3,"node":"person","key":"k","question":{"a":1}}"#);
        assert_eq!(
            Run::<u32>::Paused(asked.clone()),
            Run::Paused(asked.clone())
        );
        for other in [
            r#"{"id":4,"node":"person","key":"k","question":{"a":1}}"#,
            r#"{"id":3,"node":"human","key":"k","question":{"a":1}}"#,
            r#"{"id":3,"node":"person","key":"l","question":{"a":1}}"#,
            r#"{"id":3,"node":"person","key":"k","question":{"a":2}}"#,
        ] {
            assert_ne!(asked, ask(other));
        }
    }
}
