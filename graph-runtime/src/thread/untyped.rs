//! A thread without the types of its graph and its journal: what does not depend on them is compiled
//! once, and not for each graph of each program. So its futures are boxed: what an `async fn` returns is compiled where it
//! is waited for, whether it has types or not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;

use crate::engine::Action;
use crate::error::{RunError, chain};
use crate::journal::{
    Ask, AskId, BranchId, Branches, Entry, Fields, Folded, Hash, Head, Journal, JournalError, Json,
    Kept, Ledger, Standing, ThreadId, entries, kept,
};
use crate::meter::Meter;
use crate::plan::Plan;
use crate::scope::{Limits, Scope};
use crate::spending::Spending;

/// A thread without the types of its graph and its journal.
#[derive(Clone, Copy)]
pub(super) struct Untyped<'t> {
    pub(super) id: &'t ThreadId,
    pub(super) plan: &'t Arc<Plan>,
    pub(super) limits: &'t Arc<Limits>,
    pub(super) by: Option<&'t Arc<str>>,
}

/// How a run is to begin or to go on.
pub(super) enum Call {
    Anew,
    Once,
    Recover,
    Resume(AskId, Json),
}

/// A run that may begin or go on.
pub(super) struct TakenUp {
    pub(super) scope: Scope,
    /// Where the journal ended.
    pub(super) head: Head,
    pub(super) whence: Whence,
}

/// From where a run goes on.
pub(super) enum Whence {
    /// From its start, and nobody keeps it.
    Unkept,
    /// From its start, behind what the journal says, and what that knows of the state; none, if another graph
    /// wrote it.
    Start(Box<Folded>, Option<Fields>),
    /// From where it stands.
    On(Box<Folded>),
}

/// What was read, what it comes to for the graph, and where the journal ended.
type Looked = Result<(Branches, Result<Folded, RunError>, Head), RunError>;

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

impl<'t> Untyped<'t> {
    /// Begins a run that nobody keeps. Whoever goes on with one has a journal.
    pub(super) fn begin(&self) -> Result<TakenUp, RunError> {
        let thread = self.id.clone();
        if let Some(node) = self.plan.human() {
            let node = node.to_owned();
            return Err(RunError::NoJournal { thread, node });
        }
        let scope = Scope {
            graph: self.plan.id.clone(),
            run: run_number(),
            spending: Spending::behind(None, self.plan),
            limits: Arc::clone(self.limits),
            ..Scope::of(thread)
        };
        Ok(TakenUp {
            scope,
            // To no entry.
            head: Head::new(0, Hash::default()),
            whence: Whence::Unkept,
        })
    }

    /// Takes the thread up where it stands, and sees whether the run may begin or go on.
    pub(super) fn take_up(
        self,
        journal: Arc<dyn Journal>,
        call: Call,
    ) -> BoxFuture<'t, Result<TakenUp, RunError>> {
        Box::pin(async move {
            let Self {
                id, plan, limits, ..
            } = self;
            let (told, stands, head) = self.look(&*journal).await?;
            let (folded, is_other) = match stands {
                // Where nothing is left to go on with, it does not matter who wrote it.
                Err(RunError::OtherGraph { .. })
                    if matches!(call, Call::Anew) && told.is_over() =>
                {
                    let folded = Branches::default().fold(plan, id, &BranchId::TRUNK)?;
                    (folded, true)
                }
                stands => {
                    let folded = stands?;
                    let is_other = folded.past.is_some();
                    (folded, is_other)
                }
            };
            let is_new = folded.engine.next() == Action::Start;
            let standing = || folded.standing(&told, plan, id, &BranchId::TRUNK);
            let (is_start, answer) = match call {
                Call::Once if is_new => (true, None),
                Call::Anew => {
                    self.may_start(&folded, &standing()?)?;
                    (true, None)
                }
                Call::Recover if is_new => return Err(self.unknown()),
                Call::Once | Call::Recover => {
                    self.may_recover(&folded)?;
                    (false, None)
                }
                Call::Resume(ask, answer) => {
                    let standing = standing()?;
                    let now_ms = limits.clock.now_ms();
                    let is_open = |open: &Ask| open.id == ask && !open.has_expired(now_ms);
                    if !standing.asks.iter().any(is_open) {
                        let reason = self.not_asked(&*journal, told, &standing, ask).await?;
                        return Err(self.refuse_answer(is_new, &standing, ask, reason));
                    }
                    (false, Some((ask, answer)))
                }
            };
            let folded = Box::new(folded);
            let whence = if is_start {
                let known = (!is_other).then(|| folded.fields().clone());
                Whence::Start(folded, known)
            } else {
                Whence::On(folded)
            };
            let ledger = Ledger::new(journal, id.clone(), head, told.open.clone())
                .behind(told.extent())
                .keeping(limits.durability, limits.clock.clone())
                .of_run(Arc::clone(plan))
                .by(self.by.cloned());
            let told = Arc::new(told);
            let scope = Scope {
                run: 0,
                ledger: Some(Box::new(ledger)),
                thread: id.clone(),
                graph: plan.id.clone(),
                spending: Spending::behind(Some(&told).filter(|_| !is_start), plan),
                told: Mutex::new(Some(told)),
                answer,
                limits: Arc::clone(limits),
            };
            Ok(TakenUp {
                scope,
                head,
                whence,
            })
        })
    }

    pub(super) async fn fold(
        &self,
        journal: &dyn Journal,
    ) -> Result<(Branches, Folded, Head), RunError> {
        let (told, folded, head) = self.look(journal).await?;
        Ok((told, folded?, head))
    }

    /// Reads what the journal says, and folds it, if this graph can go on with it.
    pub(super) fn look<'l>(self, journal: &'l dyn Journal) -> BoxFuture<'l, Looked>
    where
        't: 'l,
    {
        Box::pin(async move {
            let loaded = Branches::load(journal, self.id, Some(&self.plan.id)).await;
            let (mut told, head) = self.migrating(loaded)?;
            let reason = match self.stands(&told) {
                Err(error) if told.is_behind_a_snapshot() => chain(&error),
                folded => {
                    if let Ok(folded) = &folded {
                        self.keep_read(journal, &mut told, folded, head).await;
                    }
                    return Ok((told, folded, head));
                }
            };
            // Whatever is wrong, it shall not be for the snapshot that the thread stands still.
            tracing::warn!(thread = %self.id, reason, "the snapshot is passed over, and all entries are read");
            let loaded = Branches::load_whole(journal, self.id).await;
            let (told, head) = self.migrating(loaded)?;
            let folded = self.stands(&told);
            Ok((told, folded, head))
        })
    }

    pub(super) fn migrating(
        &self,
        loaded: Result<(Branches, Head), JournalError>,
    ) -> Result<(Branches, Head), RunError> {
        let (told, head) = loaded.map_err(|source| self.journal_error(source))?;
        let migration = self.limits.migration.clone();
        Ok((told.migrating(migration), head))
    }

    /// Folds what the journal says, and sees whether the graph can go on with all of it, if another one
    /// has written some.
    fn stands(&self, told: &Branches) -> Result<Folded, RunError> {
        let plan = self.plan;
        let folded = told.fold(plan, self.id, &BranchId::TRUNK)?;
        if folded.past.is_some() {
            folded.standing(told, plan, self.id, &BranchId::TRUNK)?;
        }
        Ok(folded)
    }

    /// Returns how the thread stands, and whether it is new, and whether it is finished.
    pub(super) async fn stand(
        &self,
        journal: &dyn Journal,
    ) -> Result<(Standing, Action), RunError> {
        let (told, folded, _) = self.fold(journal).await?;
        let plan = self.plan;
        let standing = folded.standing(&told, plan, self.id, &BranchId::TRUNK)?;
        Ok((standing, folded.engine.next()))
    }

    pub(super) fn unknown(&self) -> RunError {
        let thread = self.id.clone();
        RunError::UnknownThread { thread }
    }

    pub(super) fn journal_error(&self, source: JournalError) -> RunError {
        RunError::journal(self.id, None, source)
    }

    /// Returns all that is kept of the thread.
    pub(super) fn all<'l>(self, journal: &'l dyn Journal) -> BoxFuture<'l, Result<Kept, RunError>>
    where
        't: 'l,
    {
        Box::pin(async move {
            let kept = kept(journal, self.id).await;
            kept.map_err(|source| self.journal_error(source))
        })
    }

    pub(super) async fn history(&self, journal: &dyn Journal) -> Result<Vec<Entry>, RunError> {
        let Kept { base, records, .. } = self.all(journal).await?;
        entries(self.id, base, &records).map_err(|source| self.journal_error(source))
    }

    pub(super) async fn meter(&self, journal: &dyn Journal) -> Result<Meter, RunError> {
        let kept = self.all(journal).await?;
        let read = Branches::of_kept(self.id, kept);
        let (told, _) = read.map_err(|source| self.journal_error(source))?;
        Ok(told.metering(Some(self.plan.name(self.plan.start))).all)
    }

    fn may_start(&self, folded: &Folded, standing: &Standing) -> Result<(), RunError> {
        let thread = self.id.clone();
        let is_over = matches!(
            folded.engine.next(),
            Action::Start | Action::Finish(..) | Action::Arrive | Action::Abandon
        );
        if is_over || standing.failed.is_some() {
            return Ok(());
        }
        match (standing.due, standing.asks.first()) {
            (Some(node), _) => Err(RunError::Unfinished {
                thread,
                node: self.plan.name(node).to_owned(),
            }),
            (None, Some(ask)) => Err(RunError::Waiting {
                thread,
                node: ask.node.clone().into_owned(),
                ask: ask.id,
            }),
            (None, None) => Ok(()),
        }
    }

    /// Says why a question is not open.
    async fn not_asked(
        &self,
        journal: &dyn Journal,
        mut told: Branches,
        standing: &Standing,
        ask: AskId,
    ) -> Result<&'static str, RunError> {
        if standing.asks.iter().any(|open| open.id == ask) {
            return Ok("it has expired, and `recover` goes on without an answer");
        }
        if told.is_behind_a_snapshot() {
            let kept = self.all(journal).await?;
            let read = Branches::of_entries(self.id, &kept);
            told = read.map_err(|source| self.journal_error(source))?;
        }
        Ok(if let Some(reason) = told.why_closed(ask) {
            reason
        } else if told.base().is_some_and(|base| ask.get() <= base.seq) {
            "the entries of that time were trimmed"
        } else {
            "the thread has not asked it"
        })
    }

    fn refuse_answer(
        &self,
        is_new: bool,
        standing: &Standing,
        ask: AskId,
        reason: &'static str,
    ) -> RunError {
        if is_new {
            return self.unknown();
        }
        let due = standing
            .failed
            .as_ref()
            .map(|(node, _)| *node)
            .or(standing.due);
        let due = due.map(|node| self.plan.name(node).to_owned());
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
}
