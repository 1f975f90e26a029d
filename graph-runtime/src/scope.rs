//! What all paths of one run share.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use handoffs_core::Grant;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::budget::Budgets;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::error::RunError;
use crate::journal::{AskId, Branches, Durability, GraphId, Json, Ledger, ThreadId};
use crate::migration::Migration;
use crate::spending::Spending;

/// What all paths of one run share: the thread, its journal, and the runtime's settings.
pub(crate) struct Scope {
    pub(crate) thread: ThreadId,
    /// The graph of the trunk.
    pub(crate) graph: GraphId,
    /// A number that no other run has, for runs that no journal counts.
    pub(crate) run: u64,
    /// Boxed, as it is large and most runs that are many have none.
    pub(crate) ledger: Option<Box<Ledger>>,
    /// What the journal said when the run was taken up, or when it was last read again.
    pub(crate) told: Mutex<Option<Arc<Branches>>>,
    /// The answer with which the run is resumed, for the path that asked.
    pub(crate) answer: Option<(AskId, Json)>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) spending: Spending,
}

/// The settings of a runtime that a run keeps to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) ignore_loops: bool,
    /// One for each node that may be at work at a time, in all runs of the runtime.
    pub(crate) permits: Option<Arc<Semaphore>>,
    pub(crate) cache: Option<Arc<dyn Cache>>,
    pub(crate) drain: Option<CancellationToken>,
    pub(crate) cancel: Option<CancellationToken>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) durability: Durability,
    pub(crate) clock: Clock,
    pub(crate) migration: Option<Migration>,
    /// Whether traces tell what users, models and tools say.
    pub(crate) trace_content: bool,
    pub(crate) budgets: Option<Arc<Budgets>>,
    /// What each run of the runtime may do at most.
    pub(crate) grant: Option<Grant>,
}

impl Limits {
    pub(crate) fn change_budgets(&mut self, change: impl FnOnce(&mut Budgets)) {
        let mut budgets = self.budgets.as_deref().cloned().unwrap_or_default();
        change(&mut budgets);
        self.budgets = Some(Arc::new(budgets));
    }

    /// Returns what a run may do that is granted this, or nothing of its own.
    pub(crate) fn granted(&self, own: Option<&Grant>) -> Option<Grant> {
        match (own, self.grant.as_ref()) {
            (Some(own), Some(bound)) => Some(own.within(bound)),
            (own, bound) => own.or(bound).cloned(),
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thread = &self.thread;
        f.debug_struct("Scope")
            .field("thread", thread)
            .finish_non_exhaustive()
    }
}

impl Scope {
    /// Returns the scope of a run that nothing is known of and that nobody writes down.
    pub(crate) fn of(thread: ThreadId) -> Self {
        Self {
            thread,
            graph: GraphId(Arc::default()),
            run: 0,
            ledger: None,
            told: Mutex::default(),
            answer: None,
            limits: Arc::default(),
            spending: Spending::default(),
        }
    }

    /// Returns what the journal said when it was last read.
    pub(crate) fn told(&self) -> Arc<Branches> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.clone().unwrap_or_default()
    }

    /// Takes what the journal said when it was last read, once nobody else looks at it.
    pub(crate) fn take_told(&self) -> Option<Branches> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::into_inner(told.take()?)
    }

    /// Reads again what the journal says, as this run itself has written to it.
    pub(crate) fn read_again(&self) -> BoxFuture<'_, Result<(), RunError>> {
        Box::pin(async move {
            let Some(ledger) = &self.ledger else {
                return Ok(());
            };
            let read = ledger.read(&self.graph).await;
            let (told, _) = read.map_err(|source| RunError::journal(&self.thread, None, source))?;
            let told = told.migrating(self.limits.migration.clone());
            *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(told));
            Ok(())
        })
    }

    /// Returns the answer to a question, if it has come. It stays at hand, as whoever takes it may be
    /// dropped before it is written.
    pub(crate) fn answer_to(&self, ask: AskId) -> Option<Json> {
        let (_, answer) = self.answer.as_ref().filter(|(asked, _)| *asked == ask)?;
        Some(answer.clone())
    }

    /// Returns whether the run is to stop before the next step.
    pub(crate) fn is_draining(&self) -> bool {
        let drain = self.limits.drain.as_ref();
        drain.is_some_and(CancellationToken::is_cancelled) || self.spending.over().is_some()
    }
}
