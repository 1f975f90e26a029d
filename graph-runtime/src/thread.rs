//! A thread: the ways into a run, and where it stands.

mod audit;
mod edit;
mod reroute;
mod snapshot;
mod travel;
mod untyped;
mod work;

use std::fmt;
use std::sync::Arc;

use handoffs_core::Grant;
use serde::Serialize;

use crate::engine::Action;
use crate::error::RunError;
use crate::event::{EventStream, Sink, streamed};
use crate::execute::Runnable;
use crate::journal::{Ask, AskId, Entry, Journal, Json, ThreadId, keep};
use crate::meter::Meter;
use crate::run::{Run, Status};
use crate::runtime::{Ephemeral, Keep, Runtime};

use untyped::{Call, Untyped};
use work::Work;

pub use reroute::{Handoff, NoHandoff, Reroute, Rerouted};

/// One conversation, or one job, in a runtime. It has nothing to do with an OS thread.
///
/// ```
/// use handoffs_runtime::{Ask, Journal, Run, RunError, Runnable, Thread};
///
/// /// Runs to the end, with somebody at hand who says yes or no to each question.
/// async fn attended<G: Runnable, J: Journal>(
///     thread: &Thread<G, J>,
///     state: G::State,
///     decide: impl Fn(&Ask) -> bool,
/// ) -> Result<G::State, RunError> {
///     let mut run = thread.run(state).await?;
///     loop {
///         match run {
///             Run::Finished(state) => return Ok(state),
///             Run::Paused(ask) => run = thread.resume(ask.id, decide(&ask)).await?,
///         }
///     }
/// }
/// ```
pub struct Thread<G, J = Ephemeral> {
    runtime: Runtime<G, J>,
    id: ThreadId,
    by: Option<Arc<str>>,
    grant: Option<Grant>,
}

impl<G: Runnable, J: Keep> Thread<G, J> {
    pub(crate) fn new(runtime: Runtime<G, J>, id: ThreadId) -> Self {
        Self {
            runtime,
            id,
            by: None,
            grant: None,
        }
    }

    /// Returns the thread's name.
    pub fn id(&self) -> &ThreadId {
        &self.id
    }

    /// Names who is behind what is done through this handle, such as the user who answers a question:
    /// each [`Entry`] that comes of it says so.
    ///
    /// ```
    /// use handoffs_runtime::{AskId, Journal, Run, RunError, Runnable, Thread};
    ///
    /// async fn approved<G: Runnable, J: Journal>(
    ///     thread: &Thread<G, J>,
    ///     ask: AskId,
    /// ) -> Result<Run<G::State>, RunError> {
    ///     thread.clone().by("alice@example.com").resume(ask, true).await
    /// }
    /// ```
    pub fn by(self, who: impl Into<Arc<str>>) -> Self {
        Self {
            by: Some(who.into()),
            ..self
        }
    }

    /// Says what the runs may do that this handle begins: the node at which one starts holds of it what it
    /// may use or grant, and what it passes on only narrows. Without it, that is all that it may.
    ///
    /// It counts for one run, from its begin on: that it is resumed or recovered gives it nothing new.
    ///
    /// ```
    /// use handoffs_core::Grant;
    /// use handoffs_runtime::{Journal, Run, RunError, Runnable, Thread};
    ///
    /// async fn on_a_budget<G: Runnable, J: Journal>(
    ///     thread: &Thread<G, J>,
    ///     state: G::State,
    /// ) -> Result<Run<G::State>, RunError> {
    ///     let grant = Grant::of(["ReadOrders", "Refund"]).spend_micros(100_000_000).depth(2);
    ///     thread.clone().grant(grant).run(state).await
    /// }
    /// ```
    ///
    /// A graph without scopes has no authority of its own; with a grant, the tools that say what they
    /// [need](crate::Needs) are bound by it in such a graph as well. Where the runtime [grants](Runtime::grant)
    /// something to all its threads, a run may do what both allow.
    pub fn grant(self, grant: Grant) -> Self {
        Self {
            grant: Some(grant),
            ..self
        }
    }

    /// Runs the graph from its start with this state, to the end or to a question.
    ///
    /// # Errors
    ///
    /// Fails if a node does, if the journal does, or if a handoff loop is stopped; see [`RunError`].
    /// A thread whose last run is unfinished or paused is left as it is. With a journal, everything
    /// up to the last step is safe.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the run; with a journal, the thread can be recovered.
    pub async fn run(&self, state: G::State) -> Result<Run<G::State>, RunError> {
        self.go(Call::Anew, Some(state), Sink::Silent).await
    }

    /// Runs the graph as [`run`](Self::run) does, and tells what happens as it happens.
    ///
    /// The run advances only as the stream is polled. Its last item is [`Event::Finished`](crate::Event::Finished),
    /// [`Event::Paused`](crate::Event::Paused) or an error.
    ///
    /// ```
    /// use futures_util::StreamExt;
    /// use handoffs_runtime::{Event, Keep, RunError, Runnable, Thread};
    ///
    /// async fn watched<G: Runnable, J: Keep>(
    ///     thread: &Thread<G, J>,
    ///     state: G::State,
    /// ) -> Result<(), RunError> {
    ///     let mut events = thread.stream(state);
    ///     while let Some(event) = events.next().await {
    ///         match event? {
    ///             Event::Entered { node, .. } => println!("{node} is at work"),
    ///             Event::Stepped { node, to, outcome, .. } => {
    ///                 println!("{node} concluded {}: on to {to}", outcome.variant);
    ///             }
    ///             _ => {}
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn stream(&self, state: G::State) -> EventStream<G> {
        self.streamed(Call::Anew, Some(state))
    }

    fn streamed(&self, call: Call, given: Option<G::State>) -> EventStream<G> {
        let thread = self.clone();
        streamed(|sink| async move { thread.go(call, given, sink).await })
    }

    /// Begins a run or goes on with it, until it comes to rest.
    async fn go(
        &self,
        call: Call,
        given: Option<G::State>,
        sink: Sink<G>,
    ) -> Result<Run<G::State>, RunError> {
        let work = Work {
            graph: &*self.runtime.graph,
            untyped: self.untyped(),
            journal: Arc::clone(&self.runtime.keep).journal(),
            grant: self.grant.as_ref(),
            sink,
        };
        // Boxed, so that a future that was not polled is small, and one that has come to rest frees its room.
        Box::pin(work.go(call, given)).await
    }
}

impl<G: Runnable, J: Journal> Thread<G, J> {
    /// Answers a question, and runs on to the end or to the next question.
    ///
    /// The answer is written to the journal together with what comes of it, so an answer that does
    /// not fit leaves the question open. Whether a handoff may be is answered with an
    /// [`Approval`](crate::Approval).
    ///
    /// # Errors
    ///
    /// [`RunError::NotAsked`] if the question was answered already, has expired or was never asked,
    /// [`RunError::WrongAnswer`] if the answer is of another type than the node expects, and all
    /// that [`run`](Self::run) fails with.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run). If the future is dropped before the first step after the answer, the
    /// question is still open.
    pub async fn resume(
        &self,
        ask: AskId,
        answer: impl Serialize,
    ) -> Result<Run<G::State>, RunError> {
        let answer = self.encode_answer(ask, &answer)?;
        self.go(Call::Resume(ask, answer), None, Sink::Silent).await
    }

    /// Answers a question as [`resume`](Self::resume) does, and tells what happens as it happens.
    ///
    /// # Errors
    ///
    /// [`RunError::Encode`] if the answer cannot be serialised; all else comes from the stream.
    pub fn resume_stream(
        &self,
        ask: AskId,
        answer: impl Serialize,
    ) -> Result<EventStream<G>, RunError> {
        let answer = self.encode_answer(ask, &answer)?;
        Ok(self.streamed(Call::Resume(ask, answer), None))
    }

    fn encode_answer(&self, ask: AskId, answer: &impl Serialize) -> Result<Json, RunError> {
        keep(answer).map_err(|source| RunError::Encode {
            thread: self.id.clone(),
            node: None,
            what: format!("the answer to question {ask}"),
            source: source.into(),
        })
    }

    /// Begins the thread's run with this state, or, if there is one, goes on with it as
    /// [`recover`](Self::recover) does.
    ///
    /// This is what a job needs that is started again after a crash: however often it is called, the
    /// thread has one run, and each call returns what has become of it.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), save that a thread that is known already is no error.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub async fn run_once(&self, state: G::State) -> Result<Run<G::State>, RunError> {
        self.go(Call::Once, Some(state), Sink::Silent).await
    }

    /// Goes on with a run that was cut off by a crash, by being dropped or by an error.
    ///
    /// What was written is not done again; the step that was under way is. Of a run that is over,
    /// the result is returned once more, and of one that waits for a person, the question. If the time
    /// of that is over ([`Policy::answer`](crate::Policy::answer)), the run goes on without an answer.
    ///
    /// # Errors
    ///
    /// [`RunError::UnknownThread`] if there is nothing to recover, and all that [`run`](Self::run)
    /// fails with.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub async fn recover(&self) -> Result<Run<G::State>, RunError> {
        self.go(Call::Recover, None, Sink::Silent).await
    }

    /// Recovers the run as [`recover`](Self::recover) does, and tells what happens as it happens.
    pub fn recover_stream(&self) -> EventStream<G> {
        self.streamed(Call::Recover, None)
    }

    /// Returns the state as it is after the last step that was written. Where the run has forked, that
    /// is the state with which the branches began, until they have joined.
    ///
    /// # Errors
    ///
    /// [`RunError::UnknownThread`] if there is no such thread, [`RunError::OtherGraph`] if another
    /// graph wrote it, [`RunError::Decode`] if it does not fit the state, and
    /// [`RunError::Journal`] if the journal cannot be read or is damaged.
    pub async fn state(&self) -> Result<G::State, RunError> {
        let untyped = self.untyped();
        let (_, folded, _) = untyped.fold(self.kept()).await?;
        if folded.engine.next() == Action::Start {
            return Err(untyped.unknown());
        }
        folded.state(&self.id)
    }

    /// Returns where the thread stands.
    ///
    /// # Errors
    ///
    /// Fails as [`state`](Self::state) does, save that an unknown thread is [`Status::New`].
    pub async fn status(&self) -> Result<Status<G::Node>, RunError> {
        let (standing, next) = self.untyped().stand(self.kept()).await?;
        let node = |node: u16| self.runtime.graph.node(usize::from(node));
        Ok(match (standing.failed, standing.due) {
            (Some((failed, error)), _) => Status::Failed {
                node: node(failed),
                error,
            },
            (None, Some(due)) => Status::Unfinished(node(due)),
            (None, None) => match standing.asks.into_iter().next() {
                Some(first) => Status::Paused(first),
                None if next == Action::Start => Status::New,
                None if standing.abandoned.is_some() => Status::Abandoned {
                    why: standing.abandoned.unwrap_or_default(),
                },
                None => Status::Finished,
            },
        })
    }

    /// Returns the questions that are open, in the order in which they were asked.
    ///
    /// There can be several where the run has forked; each is answered by its own
    /// [`resume`](Self::resume), in any order. One whose time is over stays among them until the thread
    /// is [recovered](Self::recover).
    ///
    /// # Errors
    ///
    /// Fails as [`status`](Self::status) does.
    pub async fn asks(&self) -> Result<Vec<Ask>, RunError> {
        Ok(self.untyped().stand(self.kept()).await?.0.asks)
    }

    /// Returns all that happened in the thread, from its beginning or from where it was
    /// [trimmed](Self::trim); nothing if it is unknown.
    ///
    /// It can be read whatever graph wrote it.
    ///
    /// ```
    /// use handoffs_runtime::{Journal, Recorded, RunError, Runnable, Thread};
    ///
    /// /// Lists the nodes that a thread went through.
    /// async fn path<G: Runnable, J: Journal>(thread: &Thread<G, J>) -> Result<Vec<String>, RunError> {
    ///     let steps = thread.history().await?.into_iter().filter_map(|entry| match entry.event {
    ///         Recorded::Stepped { node, .. } => Some(node.into_owned()),
    ///         _ => None,
    ///     });
    ///     Ok(steps.collect())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the journal cannot be read or is damaged.
    pub async fn history(&self) -> Result<Vec<Entry>, RunError> {
        self.untyped().history(self.kept()).await
    }

    /// Returns what the thread used up, by node, by tool and by edge, in all its runs.
    ///
    /// ```
    /// use handoffs_runtime::{Journal, RunError, Runnable, Thread};
    ///
    /// async fn cost<G: Runnable, J: Journal>(thread: &Thread<G, J>) -> Result<u64, RunError> {
    ///     Ok(thread.meter().await?.total().usage.cost_micros)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the journal cannot be read or is damaged.
    pub async fn meter(&self) -> Result<Meter, RunError> {
        self.untyped().meter(self.kept()).await
    }

    /// Reads all that is kept of the thread.
    fn kept(&self) -> &dyn Journal {
        &*self.runtime.keep
    }
}

impl<G, J> Thread<G, J> {
    fn untyped(&self) -> Untyped<'_> {
        Untyped {
            id: &self.id,
            plan: &self.runtime.plan,
            limits: &self.runtime.limits,
            by: self.by.as_ref(),
        }
    }
}

impl<G, J> Clone for Thread<G, J> {
    fn clone(&self) -> Self {
        Self {
            runtime: self.runtime.clone(),
            id: self.id.clone(),
            by: self.by.clone(),
            grant: self.grant.clone(),
        }
    }
}

impl<G, J> fmt::Debug for Thread<G, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread")
            .field("graph", &self.runtime.plan.topology.name())
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
