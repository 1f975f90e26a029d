//! A thread: the ways into a run, and where it stands.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use futures_channel::mpsc;
use futures_util::stream;
use handoffs_core::{AgentGraph, State};
use serde::Serialize;

use crate::context::Context;
use crate::course::Course;
use crate::driver::{Driver, node_at};
use crate::engine::{Action, Fact};
use crate::error::RunError;
use crate::event::{Event, EventStream, Silent};
use crate::execute::Runnable;
use crate::journal::{
    AskId, Entry, Folded, Journal, JournalError, Json, Recorded, ThreadId, entries, keep,
};
use crate::progress::Progress;
use crate::run::{Run, Status};
use crate::runtime::{Ephemeral, Keep, Runtime};

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
}

/// Returns a number that no other run of this program has, and hardly one of another.
fn run_number() -> u64 {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_nanos())
        .unwrap_or(u64::MAX)
        .wrapping_add(run)
}

/// How a run is to begin.
enum Begin<S> {
    Anew(S),
    Once(S),
    Recover,
    Resume(AskId, Json),
}

impl<G: Runnable, J: Keep> Thread<G, J> {
    pub(crate) fn new(runtime: Runtime<G, J>, id: ThreadId) -> Self {
        Self { runtime, id }
    }

    /// Returns the thread's name.
    pub fn id(&self) -> &ThreadId {
        &self.id
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
        self.begin(Begin::Anew(state))
            .await?
            .drive(&mut Silent)
            .await
    }

    /// Runs the graph as [`run`](Self::run) does, and tells what happens as it happens.
    ///
    /// The run advances only as the stream is polled. Its last item is [`Event::Finished`],
    /// [`Event::Paused`] or an error.
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
        self.streamed(Begin::Anew(state))
    }

    fn streamed(&self, begin: Begin<G::State>) -> EventStream<G> {
        let thread = self.clone();
        let (mut sender, events) = mpsc::channel(0);
        let run = async move {
            let driver = thread.begin(begin).await?;
            driver.drive(&mut sender).await
        };
        let last = stream::once(run).map(|run| {
            run.map(|run| match run {
                Run::Finished(state) => Event::Finished(state),
                Run::Paused(ask) => Event::Paused(ask),
            })
        });
        // Events come first, so that the last one is last.
        Box::pin(stream::select_with_strategy(
            events.map(Ok),
            last,
            |(): &mut ()| stream::PollNext::Left,
        ))
    }

    /// Brings the thread to where its first node is due.
    async fn begin(&self, begin: Begin<G::State>) -> Result<Driver<'_, G>, RunError> {
        let Runtime {
            graph,
            plan,
            keep,
            watch_loops,
        } = &self.runtime;
        let journal = keep.journal();
        let folded = match journal {
            Some(journal) => self.fold(journal).await?,
            None => match &plan.human {
                Some(node) => {
                    let (thread, node) = (self.id.clone(), node.clone());
                    return Err(RunError::NoJournal { thread, node });
                }
                None => Folded {
                    arrived: run_number(),
                    ..Folded::new::<G::State>(plan, &self.id, &[])?
                },
            },
        };
        let (state, fact, pending) = match begin {
            Begin::Anew(state) => {
                self.may_start(&folded, &state)?;
                (state, Some(Fact::Started), None)
            }
            Begin::Once(state) if folded.engine.next() == Action::Start => {
                self.may_start(&folded, &state)?;
                (state, Some(Fact::Started), None)
            }
            Begin::Recover if folded.engine.next() == Action::Start => {
                return Err(self.unknown());
            }
            Begin::Once(_) | Begin::Recover => (folded.fields.state(&self.id)?, None, None),
            Begin::Resume(ask, answer) => {
                self.may_resume(&folded, ask)?;
                let answered = Recorded::Answered { ask, answer };
                (
                    folded.fields.state(&self.id)?,
                    Some(Fact::Answered),
                    Some(answered),
                )
            }
        };
        let progress = watch_loops.then(Progress::new::<G::State>);
        let course = Course::new(plan, folded.engine, progress);
        let mut cx = Context::new(&self.id, journal.is_some(), course);
        cx.answers = folded.answers;
        let mut driver = Driver {
            graph: graph.as_ref(),
            thread: &self.id,
            journal,
            head: folded.head,
            arrived: folded.arrived,
            state,
            cx,
            open: folded.open,
            pending,
            marks: Vec::new(),
        };
        match fact {
            Some(Fact::Started) => driver.start(&folded.fields).await?,
            Some(_) => driver.resume()?,
            None => {}
        }
        Ok(driver)
    }

    async fn fold(&self, journal: &dyn Journal) -> Result<Folded, RunError> {
        let records = journal
            .read(&self.id, 0)
            .await
            .map_err(|source| self.journal_error(source))?;
        Folded::new::<G::State>(&self.runtime.plan, &self.id, &records)
    }

    fn unknown(&self) -> RunError {
        let thread = self.id.clone();
        RunError::UnknownThread { thread }
    }

    fn journal_error(&self, source: JournalError) -> RunError {
        RunError::Journal {
            thread: self.id.clone(),
            node: None,
            source,
        }
    }

    fn may_start(&self, folded: &Folded, state: &G::State) -> Result<(), RunError> {
        let thread = self.id.clone();
        let fields = <G::State as State>::FIELDS;
        let missing = G::GIVEN.iter().find(|field| !state.is_set(*field));
        if let Some(field) = missing.and_then(|field| fields.get(field)) {
            return Err(RunError::NotGiven {
                thread,
                field: field.name,
            });
        }
        match folded.engine.next() {
            Action::Execute(node) if !folded.engine.has_failed() => Err(RunError::Unfinished {
                thread,
                node: self.runtime.plan.name(node).to_owned(),
            }),
            Action::Wait(node, ask) => Err(self.waiting(node, ask)),
            Action::Execute(_) | Action::Start | Action::Finish => Ok(()),
        }
    }

    fn may_resume(&self, folded: &Folded, ask: AskId) -> Result<(), RunError> {
        let thread = self.id.clone();
        let next = folded.engine.next();
        let reason = match next {
            Action::Wait(_, open) if open == ask => return Ok(()),
            Action::Start => return Err(self.unknown()),
            _ if folded.answered.contains(&ask) => "it was answered before",
            _ => "the thread has not asked it",
        };
        let node = match next {
            Action::Execute(node) | Action::Wait(node, _) => {
                Some(self.runtime.plan.name(node).to_owned())
            }
            Action::Start | Action::Finish => None,
        };
        Err(RunError::NotAsked {
            thread,
            node,
            ask,
            reason,
        })
    }

    fn waiting(&self, node: u16, ask: AskId) -> RunError {
        let node = self.runtime.plan.name(node).to_owned();
        RunError::Waiting {
            thread: self.id.clone(),
            node,
            ask,
        }
    }
}

impl<G: Runnable, J: Journal> Thread<G, J> {
    /// Answers a question, and runs on to the end or to the next question.
    ///
    /// The answer is written to the journal together with what comes of it, so an answer that does
    /// not fit leaves the question open.
    ///
    /// # Errors
    ///
    /// [`RunError::NotAsked`] if the question was answered already or never asked,
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
        self.begin(Begin::Resume(ask, answer))
            .await?
            .drive(&mut Silent)
            .await
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
        Ok(self.streamed(Begin::Resume(ask, self.encode_answer(ask, &answer)?)))
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
        self.begin(Begin::Once(state))
            .await?
            .drive(&mut Silent)
            .await
    }

    /// Goes on with a run that was cut off by a crash, by being dropped or by an error.
    ///
    /// What was written is not done again; the step that was under way is. Of a run that is over,
    /// the result is returned once more, and of one that waits for a person, the question.
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
        self.begin(Begin::Recover).await?.drive(&mut Silent).await
    }

    /// Recovers the run as [`recover`](Self::recover) does, and tells what happens as it happens.
    pub fn recover_stream(&self) -> EventStream<G> {
        self.streamed(Begin::Recover)
    }

    /// Returns the state as it is after the last step that was written.
    ///
    /// # Errors
    ///
    /// [`RunError::UnknownThread`] if there is no such thread, [`RunError::OtherGraph`] if another
    /// graph wrote it, [`RunError::Decode`] if it does not fit the state, and
    /// [`RunError::Journal`] if the journal cannot be read or is damaged.
    pub async fn state(&self) -> Result<G::State, RunError> {
        let folded = self.fold(self.kept()).await?;
        if folded.engine.next() == Action::Start {
            return Err(self.unknown());
        }
        folded.fields.state(&self.id)
    }

    /// Returns where the thread stands.
    ///
    /// # Errors
    ///
    /// Fails as [`state`](Self::state) does, save that an unknown thread is [`Status::New`].
    pub async fn status(&self) -> Result<Status<G::Node>, RunError> {
        let folded = self.fold(self.kept()).await?;
        Ok(match folded.engine.next() {
            Action::Start => Status::New,
            Action::Execute(node) if folded.engine.has_failed() => Status::Failed {
                node: node_at::<G>(node),
                error: folded.failure.unwrap_or_default(),
            },
            Action::Execute(node) => Status::Unfinished(node_at::<G>(node)),
            Action::Wait(node, ask) => match folded.open {
                Some(open) => Status::Paused(open),
                None => return Err(self.waiting(node, ask)),
            },
            Action::Finish => Status::Finished,
        })
    }

    /// Returns all that happened in the thread, from its beginning; nothing if it is unknown.
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
        let records = self
            .kept()
            .read(&self.id, 0)
            .await
            .map_err(|source| self.journal_error(source))?;
        entries(&self.id, &records).map_err(|source| self.journal_error(source))
    }

    fn kept(&self) -> &dyn Journal {
        &*self.runtime.keep
    }
}

impl<G, J> Clone for Thread<G, J> {
    fn clone(&self) -> Self {
        Self {
            runtime: self.runtime.clone(),
            id: self.id.clone(),
        }
    }
}

impl<G: AgentGraph, J> fmt::Debug for Thread<G, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread")
            .field("graph", &G::NAME)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
