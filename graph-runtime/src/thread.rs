//! A thread: the ways into a run, and where it stands.

mod audit;
mod edit;
mod reroute;
mod snapshot;
mod travel;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use handoffs_core::{Grant, State};
use serde::Serialize;

use crate::context::Desk;
use crate::driver::{Driver, Place, Start};
use crate::engine::Action;
use crate::error::{RunError, chain};
use crate::event::{EventStream, Silent, Sink, streamed};
use crate::execute::Runnable;
use crate::journal::{
    Ask, AskId, BranchId, Branches, Entry, Fields, Folded, Hash, Head, Journal, JournalError, Json,
    Kept, Ledger, Standing, ThreadId, Writes, entries, keep, kept,
};
use crate::meter::Meter;
use crate::run::{Run, Status};
use crate::runtime::{Ephemeral, Keep, Runtime};
use crate::scope::{Limits, Scope};
use crate::spending::Spending;

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

/// Returns whether a run is to begin, whatever there was before.
const fn is_anew<S>(begin: &Begin<S>) -> bool {
    matches!(begin, Begin::Anew(_))
}

/// Where a thread stands.
struct Looked {
    journal: Option<Arc<dyn Journal>>,
    told: Branches,
    /// What that adds up to, if the graph can go on with it.
    stands: Result<Folded, RunError>,
    /// Where the journal ends.
    head: Head,
}

/// Why a run neither begins nor goes on.
enum NotBegun {
    Failed(RunError),
    NotAsked(Box<NotAsked>),
}

impl From<RunError> for NotBegun {
    fn from(error: RunError) -> Self {
        Self::Failed(error)
    }
}

/// An answer to a question that is not open.
struct NotAsked {
    journal: Option<Arc<dyn Journal>>,
    told: Branches,
    standing: Standing,
    ask: AskId,
    is_new: bool,
}

/// A run that may begin or go on.
struct Begun<S> {
    scope: Scope,
    /// Where the journal ended.
    head: Head,
    state: S,
    folded: Folded,
    /// If it begins anew, what the journal knows of its state.
    known: Option<Known>,
}

/// What the journal knows of the state with which a run begins.
enum Known {
    /// There is no journal.
    Unkept,
    /// What stands there is another graph's.
    Nothing,
    Fields(Fields),
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
    /// [need](crate::Needs) are bound by it in such a graph as well.
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
        self.go(Begin::Anew(state), Silent).await
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
        self.streamed(Begin::Anew(state))
    }

    fn streamed(&self, begin: Begin<G::State>) -> EventStream<G> {
        let thread = self.clone();
        streamed(|sink| async move { thread.go(begin, sink).await })
    }

    /// Begins a run or goes on with it, until it comes to rest.
    async fn go<K: Sink<G>>(
        &self,
        begin: Begin<G::State>,
        sink: K,
    ) -> Result<Run<G::State>, RunError> {
        // Boxed, so that a future that was not polled is small, and one that has come to rest frees its room.
        Box::pin(self.at_work(begin, sink)).await
    }

    async fn at_work<K: Sink<G>>(
        &self,
        begin: Begin<G::State>,
        sink: K,
    ) -> Result<Run<G::State>, RunError> {
        // What only the beginning needs has no room in the future of a run that is under way.
        let looked = match Arc::clone(&self.runtime.keep).journal() {
            Some(journal) => Box::pin(self.look_in(journal)).await?,
            None => self.unkept()?,
        };
        let Begun {
            scope,
            head,
            state,
            folded,
            known,
        } = match self.begin(begin, looked) {
            Ok(ready) => ready,
            Err(NotBegun::Failed(error)) => return Err(error),
            Err(NotBegun::NotAsked(not_asked)) => {
                return Err(Box::pin(self.refuse_answer(*not_asked)).await);
            }
        };
        let (graph, plan) = (&*self.runtime.graph, &*self.runtime.plan);
        let (desk, way) = (Desk::default(), way(known.is_some(), &scope));
        let place = Place {
            scope: &scope,
            desk: &desk,
            plan,
            branch: BranchId::TRUNK,
        };
        let mut driver = Driver::new(graph, place, state, folded, sink);
        let start = known.map(|known| self.start(&driver, known)).transpose()?;
        let done = driver.run(way, start).await;
        scope.spending.close();
        if snapshot::has_grown(&scope, head) && !matches!(done, Err(RunError::Journal { .. })) {
            Box::pin(self.keep_snapshot(&scope)).await;
        }
        driver.rested(done?)
    }

    /// Reads where the thread stands.
    async fn look_in(&self, journal: Arc<dyn Journal>) -> Result<Looked, RunError> {
        let (told, stands, head) = self.look(&*journal).await?;
        Ok(Looked {
            journal: Some(journal),
            told,
            stands,
            head,
        })
    }

    /// Returns where a thread stands that nobody keeps: it has never begun.
    fn unkept(&self) -> Result<Looked, RunError> {
        if let Some(node) = self.runtime.plan.human() {
            let (thread, node) = (self.id.clone(), node.to_owned());
            return Err(RunError::NoJournal { thread, node });
        }
        let told = Branches::default();
        Ok(Looked {
            journal: None,
            stands: self.stands(&told),
            told,
            // To no entry.
            head: Head {
                seq: 0,
                hash: Hash::default(),
            },
        })
    }

    /// Takes the thread up where it stands, and sees whether the run may begin or go on.
    fn begin(&self, begin: Begin<G::State>, looked: Looked) -> Result<Begun<G::State>, NotBegun> {
        let Runtime { plan, limits, .. } = &self.runtime;
        let Looked {
            journal,
            told,
            stands,
            head,
        } = looked;
        let (folded, is_other) = match stands {
            // Where nothing is left to go on with, it does not matter who wrote it.
            Err(RunError::OtherGraph { .. }) if is_anew(&begin) && told.is_over() => (
                Branches::default().fold(plan, &self.id, &BranchId::TRUNK)?,
                true,
            ),
            stands => {
                let folded = stands?;
                let is_other = folded.past.is_some();
                (folded, is_other)
            }
        };
        let is_new = folded.engine.next() == Action::Start;
        let standing = || folded.standing(&told, plan, &self.id, &BranchId::TRUNK);
        let begin = match begin {
            Begin::Once(state) if is_new => Begin::Anew(state),
            begin => begin,
        };
        let (state, is_start, answer) = match begin {
            Begin::Anew(state) => {
                self.may_start(&folded, &standing()?, &state)?;
                (state, true, None)
            }
            Begin::Recover if is_new => return Err(self.unknown().into()),
            Begin::Once(_) | Begin::Recover => {
                self.may_recover(&folded)?;
                (folded.state(&self.id)?, false, None)
            }
            Begin::Resume(ask, answer) => {
                let standing = standing()?;
                let now_ms = limits.clock.now_ms();
                let is_open = |open: &Ask| open.id == ask && !open.has_expired(now_ms);
                if !standing.asks.iter().any(is_open) {
                    return Err(NotBegun::NotAsked(Box::new(NotAsked {
                        journal,
                        told,
                        standing,
                        ask,
                        is_new,
                    })));
                }
                (folded.state(&self.id)?, false, Some((ask, answer)))
            }
        };
        let known = is_start.then(|| match &journal {
            None => Known::Unkept,
            Some(_) if is_other => Known::Nothing,
            Some(_) => Known::Fields(folded.fields().clone()),
        });
        let thread = self.id.clone();
        let told = journal.is_some().then(|| Arc::new(told));
        let ledger = journal.zip(told.as_ref()).map(|(journal, told)| {
            let Limits {
                durability, clock, ..
            } = &**limits;
            let ledger = Ledger::new(journal, thread.clone(), head, told.open.clone())
                .behind(told.extent())
                .keeping(*durability, clock.clone())
                .by(self.by.clone());
            Box::new(ledger)
        });
        let scope = Scope {
            run: if ledger.is_some() { 0 } else { run_number() },
            ledger,
            thread,
            graph: plan.id.clone(),
            spending: Spending::behind(told.as_ref().filter(|_| !is_start), plan),
            told: Mutex::new(told),
            answer,
            limits: Arc::clone(limits),
        };
        Ok(Begun {
            scope,
            head,
            state,
            folded,
            known,
        })
    }

    /// Returns with which fields of its state a run begins, as an entry keeps them, and with what it is
    /// granted.
    fn start<K: Sink<G>>(
        &self,
        driver: &Driver<'_, G, K>,
        known: Known,
    ) -> Result<Box<Start>, RunError> {
        let (writes, whole) = match known {
            Known::Unkept => (Writes::default(), false),
            Known::Nothing => (driver.whole()?, true),
            Known::Fields(known) => (known.difference(driver.whole()?), false),
        };
        let grant = self.grant.clone();
        Ok(Box::new((writes, whole, grant)))
    }

    async fn fold(&self, journal: &dyn Journal) -> Result<(Branches, Folded, Head), RunError> {
        let (told, folded, head) = self.look(journal).await?;
        Ok((told, folded?, head))
    }

    /// Reads what the journal says, and folds it, if this graph can go on with it.
    async fn look(
        &self,
        journal: &dyn Journal,
    ) -> Result<(Branches, Result<Folded, RunError>, Head), RunError> {
        let loaded = Branches::load(journal, &self.id, &self.runtime.plan.id).await;
        let (told, head) = self.migrating(loaded)?;
        let reason = match self.stands(&told) {
            Err(error) if told.is_behind_a_snapshot() => chain(&error),
            folded => return Ok((told, folded, head)),
        };
        // Whatever is wrong, it shall not be for the snapshot that the thread stands still.
        tracing::warn!(thread = %self.id, reason, "the snapshot is passed over, and all entries are read");
        let loaded = Branches::load_whole(journal, &self.id).await;
        let (told, head) = self.migrating(loaded)?;
        let folded = self.stands(&told);
        Ok((told, folded, head))
    }

    fn migrating(
        &self,
        loaded: Result<(Branches, Head), JournalError>,
    ) -> Result<(Branches, Head), RunError> {
        let (told, head) = loaded.map_err(|source| self.journal_error(source))?;
        let migration = self.runtime.limits.migration.clone();
        Ok((told.migrating(migration), head))
    }

    /// Folds what the journal says, and sees whether the graph can go on with all of it, if another one
    /// has written some.
    fn stands(&self, told: &Branches) -> Result<Folded, RunError> {
        let plan = &self.runtime.plan;
        let folded = told.fold(plan, &self.id, &BranchId::TRUNK)?;
        if folded.past.is_some() {
            folded.standing(told, plan, &self.id, &BranchId::TRUNK)?;
        }
        Ok(folded)
    }

    /// Returns how the thread stands, and whether it is new, and whether it is finished.
    async fn stand(&self) -> Result<(Standing, Action), RunError>
    where
        J: Journal,
    {
        let (told, folded, _) = self.fold(self.kept()).await?;
        let plan = &self.runtime.plan;
        let standing = folded.standing(&told, plan, &self.id, &BranchId::TRUNK)?;
        Ok((standing, folded.engine.next()))
    }

    fn unknown(&self) -> RunError {
        let thread = self.id.clone();
        RunError::UnknownThread { thread }
    }

    fn journal_error(&self, source: JournalError) -> RunError {
        RunError::journal(&self.id, None, source)
    }

    fn may_start(
        &self,
        folded: &Folded,
        standing: &Standing,
        state: &G::State,
    ) -> Result<(), RunError> {
        let thread = self.id.clone();
        let fields = <G::State as State>::FIELDS;
        let given = self.runtime.graph.given();
        let missing = given.iter().find(|field| !state.is_set(*field));
        if let Some(field) = missing.and_then(|field| fields.get(field)) {
            return Err(RunError::NotGiven {
                thread,
                field: field.name,
            });
        }
        let is_over = matches!(
            folded.engine.next(),
            Action::Start | Action::Finish(..) | Action::Arrive | Action::Abandon
        );
        if is_over || standing.failed.is_some() {
            return Ok(());
        }
        let plan = &self.runtime.plan;
        match (standing.due, standing.asks.first()) {
            (Some(node), _) => Err(RunError::Unfinished {
                thread,
                node: plan.name(node).to_owned(),
            }),
            (None, Some(ask)) => Err(RunError::Waiting {
                thread,
                node: ask.node.clone().into_owned(),
                ask: ask.id,
            }),
            (None, None) => Ok(()),
        }
    }

    /// Says why an answer is not taken.
    async fn refuse_answer(&self, not_asked: NotAsked) -> RunError {
        let reason = match self.why_not_asked(&not_asked).await {
            Ok(reason) => reason,
            Err(error) => return error,
        };
        let NotAsked {
            standing,
            ask,
            is_new,
            ..
        } = not_asked;
        if is_new {
            return self.unknown();
        }
        let due = standing
            .failed
            .as_ref()
            .map(|(node, _)| *node)
            .or(standing.due);
        let due = due.map(|node| self.runtime.plan.name(node).to_owned());
        let asking = || {
            standing
                .asks
                .first()
                .map(|ask| ask.node.clone().into_owned())
        };
        RunError::NotAsked {
            thread: self.id.clone(),
            node: due.or_else(asking),
            ask,
            reason,
        }
    }

    async fn why_not_asked(&self, not_asked: &NotAsked) -> Result<&'static str, RunError> {
        let NotAsked {
            journal,
            told,
            standing,
            ask,
            ..
        } = not_asked;
        if standing.asks.iter().any(|open| open.id == *ask) {
            return Ok("it has expired, and `recover` goes on without an answer");
        }
        let whole;
        let told = match journal {
            Some(journal) if told.is_behind_a_snapshot() => {
                let kept = kept(&**journal, &self.id).await;
                let read = kept.and_then(|kept| Branches::of_entries(&self.id, &kept));
                whole = read.map_err(|source| self.journal_error(source))?;
                &whole
            }
            _ => told,
        };
        Ok(if let Some(reason) = told.why_closed(*ask) {
            reason
        } else if told.base().is_some_and(|base| ask.get() <= base.seq) {
            "the entries of that time were trimmed"
        } else {
            "the thread has not asked it"
        })
    }
}

/// Returns by which call a run goes on, for traces.
const fn way(is_start: bool, scope: &Scope) -> &'static str {
    match (is_start, &scope.answer) {
        (true, _) => "run",
        (false, Some(_)) => "resume",
        (false, None) => "recover",
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
        self.go(Begin::Resume(ask, answer), Silent).await
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
        self.go(Begin::Once(state), Silent).await
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
        self.go(Begin::Recover, Silent).await
    }

    /// Recovers the run as [`recover`](Self::recover) does, and tells what happens as it happens.
    pub fn recover_stream(&self) -> EventStream<G> {
        self.streamed(Begin::Recover)
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
        let (_, folded, _) = self.fold(self.kept()).await?;
        if folded.engine.next() == Action::Start {
            return Err(self.unknown());
        }
        folded.state(&self.id)
    }

    /// Returns where the thread stands.
    ///
    /// # Errors
    ///
    /// Fails as [`state`](Self::state) does, save that an unknown thread is [`Status::New`].
    pub async fn status(&self) -> Result<Status<G::Node>, RunError> {
        let (standing, next) = self.stand().await?;
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
        Ok(self.stand().await?.0.asks)
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
        let Kept { base, records, .. } = self.all().await?;
        entries(&self.id, base, &records).map_err(|source| self.journal_error(source))
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
        let kept = self.all().await?;
        let read = Branches::of_kept(&self.id, kept);
        let (told, _) = read.map_err(|source| self.journal_error(source))?;
        let plan = &self.runtime.plan;
        Ok(told.metering(Some(plan.name(plan.start))).all)
    }

    /// Reads all that is kept of the thread.
    async fn all(&self) -> Result<Kept, RunError> {
        let kept = kept(self.kept(), &self.id).await;
        kept.map_err(|source| self.journal_error(source))
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
