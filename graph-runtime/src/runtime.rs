//! The runtime: a graph, and the journal that its threads write to.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::stream::BoxStream;
use handoffs_core::Grant;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::cache::{Cache, MemoryCache};
use crate::clock::Clock;
use crate::execute::Runnable;
use crate::journal::{
    Durability, Entry, GraphId, Journal, JournalError, Retention, ThreadId, Waiting, inbox,
};
use crate::migration::Migration;
use crate::plan::Plan;
use crate::scope::Limits;
use crate::thread::Thread;

/// A graph together with the journal that its runs are written to.
///
/// It is cheap to clone, and every clone runs the same graph. Of a runtime without a journal the
/// threads can only be [`run`](Thread::run); with one they are durable: whatever has been written
/// survives a crash, and [`recover`](Thread::recover) goes on from there.
///
/// ```
/// use handoffs_runtime::{Durability, Memory, Runtime};
/// # use handoffs_runtime::Runnable;
///
/// fn durable<G: Runnable>(graph: G) -> Runtime<G, Memory> {
///     Runtime::new(graph).journal(Memory::default())
/// }
/// ```
pub struct Runtime<G, J = Ephemeral> {
    pub(crate) graph: Arc<G>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) keep: Arc<J>,
    pub(crate) limits: Arc<Limits>,
}

/// The journal of a runtime that keeps none.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Ephemeral;

/// Where a runtime keeps what happens: a [`Journal`], or nowhere.
pub trait Keep: Send + Sync + 'static {
    /// Returns the journal, if there is one.
    fn journal(self: Arc<Self>) -> Option<Arc<dyn Journal>>;
}

impl Keep for Ephemeral {
    fn journal(self: Arc<Self>) -> Option<Arc<dyn Journal>> {
        None
    }
}

impl<J: Journal> Keep for J {
    fn journal(self: Arc<Self>) -> Option<Arc<dyn Journal>> {
        Some(self)
    }
}

impl<G: Runnable> Runtime<G> {
    /// Prepares a graph to run. Nothing is kept unless a [`journal`](Self::journal) is added.
    pub fn new(graph: G) -> Self {
        const { G::__CONTEXT }
        let plan = Plan::of(&graph);
        let mut limits = Limits::default();
        if plan.caches() {
            limits.cache = Some(Arc::new(MemoryCache::default()));
        }
        Self {
            graph: Arc::new(graph),
            plan: Arc::new(plan),
            keep: Arc::new(Ephemeral),
            limits: Arc::new(limits),
        }
    }

    /// Writes each step of each run to a journal before the run goes on.
    pub fn journal<J: Journal>(self, journal: J) -> Runtime<G, J> {
        let Self {
            graph,
            plan,
            limits,
            ..
        } = self;
        Runtime {
            graph,
            plan,
            keep: Arc::new(journal),
            limits,
        }
    }
}

impl<G: Runnable, J: Keep> Runtime<G, J> {
    /// Says whether an edge is masked when it would be taken again without progress; by default it is.
    ///
    /// Without it, only the limits of the edges bound a loop.
    pub fn watch_loops(mut self, watch: bool) -> Self {
        self.limits_mut().ignore_loops = !watch;
        self
    }

    /// Lets at most so many nodes work at a time, in all runs of this runtime and its clones; without
    /// it, as many as there are branches.
    ///
    /// A fork may say its own limit: `each(items) worker join d(concurrency = 8)`.
    pub fn concurrency(mut self, nodes: usize) -> Self {
        let permits = nodes.clamp(1, Semaphore::MAX_PERMITS);
        self.limits_mut().permits = Some(Arc::new(Semaphore::new(permits)));
        self
    }

    /// Keeps the results of nodes with `#[cache(..)]` here, in place of this process's memory.
    pub fn cache(mut self, cache: impl Cache) -> Self {
        self.limits_mut().cache = Some(Arc::new(cache));
        self
    }

    /// Says how safe each step is before the next one begins; [`Durability::Sync`] by default.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.limits_mut().durability = durability;
        self
    }

    /// Puts entries right, as they are read, that another graph wrote, such as an older version of this
    /// one: for what names alone do not tell, as that a field has another type.
    ///
    /// The function gets a copy of each such entry, of the graph itself and of those within it, each time
    /// that it is read; what the journal keeps never changes. It may change what the entry says happened,
    /// before renamed nodes and fields are looked up. An entry of this very graph does not go through it;
    /// a field's type, as it is written in the state, is a part of what makes a graph another one.
    ///
    /// ```
    /// use handoffs_runtime::{JsonError, Keep, Runnable, Runtime};
    ///
    /// /// Prices were in euros, and are in cents now.
    /// fn in_cents<G: Runnable, J: Keep>(runtime: Runtime<G, J>) -> Runtime<G, J> {
    ///     runtime.migrate(|entry| {
    ///         if let Some(writes) = entry.writes_mut() {
    ///             writes.change("price", |euros: f64| (euros * 100.0).round() as u64)?;
    ///         }
    ///         Ok::<_, JsonError>(())
    ///     })
    /// }
    /// ```
    ///
    /// If it fails, or panics, whatever read the thread fails with
    /// [`RunError::Migrate`](crate::RunError::Migrate), and nothing is written. Keep the function until no
    /// thread with such entries is to be run any more. Where there are several older versions,
    /// [`Entry::graph`](crate::Entry::graph) tells them apart; [`graph_id`](Self::graph_id) is what it
    /// says of this one.
    pub fn migrate<E: Into<Box<dyn Error + Send + Sync>>>(
        mut self,
        migrate: impl Fn(&mut Entry) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        self.limits_mut().migration = Some(Migration::new(migrate));
        self
    }

    /// Returns what the entries of this graph say of who wrote them: its name, and a fingerprint of its
    /// nodes, edges and fields.
    pub fn graph_id(&self) -> &GraphId {
        &self.plan.id
    }

    /// Tells the time, by which entries are dated and questions expire; by default the system does.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use handoffs_runtime::{Durability, Keep, Runnable, Runtime};
    ///
    /// /// For a test of what happens in a week.
    /// fn in_a_week<G: Runnable, J: Keep>(runtime: Runtime<G, J>) -> Runtime<G, J> {
    ///     runtime.clock(|| SystemTime::now() + Duration::from_secs(7 * 24 * 60 * 60))
    /// }
    /// ```
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.limits_mut().clock = Clock::new(now);
        self
    }

    /// Says whether traces tell what users, models and tools say; by default they do not.
    ///
    /// It is what the spans of agents, models, tools and handoffs have in their attributes for content, and
    /// the questions to people. Wherever traces go, it goes; see [`telemetry`](crate::telemetry).
    pub fn trace_content(mut self, trace: bool) -> Self {
        self.limits_mut().trace_content = trace;
        self
    }

    /// Stops each call of [`run`](Thread::run), [`resume`](Thread::resume) or
    /// [`recover`](Thread::recover) that has not come to rest after so long, with
    /// [`RunError::Deadline`](crate::RunError::Deadline). What was written stays, and `recover` goes on.
    ///
    /// Needs a tokio runtime with timers.
    pub fn deadline(mut self, after: Duration) -> Self {
        self.limits_mut().deadline = Some(after);
        self
    }

    /// Says what each run may use up in all.
    ///
    /// ```
    /// use handoffs_runtime::{Budget, Keep, Runnable, Runtime};
    ///
    /// fn bounded<G: Runnable, J: Keep>(runtime: Runtime<G, J>) -> Runtime<G, J> {
    ///     runtime.budget(Budget::new().calls(20))
    /// }
    /// ```
    pub fn budget(mut self, budget: Budget) -> Self {
        self.limits_mut()
            .change_budgets(|budgets| budgets.run = budget);
        self
    }

    /// Says what a node may use up in each run, in all its visits; if it is a graph, with the nodes within.
    #[expect(clippy::needless_pass_by_value, reason = "names are written in place")]
    pub fn node_budget(mut self, node: G::Node, budget: Budget) -> Self {
        let node = node.to_string();
        self.limits_mut().change_budgets(|budgets| {
            budgets.nodes.insert(node, budget);
        });
        self
    }

    /// Says what may be used up behind an edge in each run: by the node to which it leads, in all visits to
    /// which the run comes along it, be it as the edge's `else` or after an error.
    ///
    /// ```
    /// use handoffs_runtime::{Budget, Keep, Runnable, Runtime, UnknownEdge};
    ///
    /// fn bounded<G: Runnable, J: Keep>(
    ///     runtime: Runtime<G, J>,
    ///     triage: G::Node,
    ///     billing: G::Node,
    /// ) -> Result<Runtime<G, J>, UnknownEdge> {
    ///     runtime.edge_budget(triage, billing, Budget::new().tokens(50_000))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if no edge leads from one to the other. To a join, branches lead together, so no one edge does.
    #[expect(clippy::needless_pass_by_value, reason = "names are written in place")]
    pub fn edge_budget(
        mut self,
        from: G::Node,
        to: G::Node,
        budget: Budget,
    ) -> Result<Self, UnknownEdge> {
        let (from, to) = (from.to_string(), to.to_string());
        if !self.plan.leads(&from, &to) {
            return Err(UnknownEdge { from, to });
        }
        let edge = format!("{from} -> {to}");
        self.limits_mut().change_budgets(|budgets| {
            budgets.edges.insert(edge, budget);
        });
        Ok(self)
    }

    /// Says what the runs of all threads may do at most, whoever begins them. A thread's own
    /// [grant](Thread::grant) only narrows it.
    ///
    /// Amounts count for each run by itself: two runs may spend so much each.
    ///
    /// ```
    /// use handoffs_core::Grant;
    /// use handoffs_runtime::{Keep, Runnable, Runtime};
    ///
    /// fn careful<G: Runnable, J: Keep>(runtime: Runtime<G, J>) -> Runtime<G, J> {
    ///     runtime.grant(Grant::all().spend_micros(100_000_000))
    /// }
    /// ```
    pub fn grant(mut self, grant: Grant) -> Self {
        self.limits_mut().grant = Some(grant);
        self
    }

    /// Stops all runs as soon as the token is cancelled: nodes at work are dropped, appends under way
    /// are finished, and the calls return [`RunError::Cancelled`](crate::RunError::Cancelled).
    ///
    /// ```
    /// use handoffs_runtime::{Durability, CancellationToken, Keep, Runnable, Runtime};
    ///
    /// fn stoppable<G: Runnable, J: Keep>(runtime: Runtime<G, J>) -> (Runtime<G, J>, CancellationToken) {
    ///     let stop = CancellationToken::new();
    ///     (runtime.cancel_on(stop.clone()), stop)
    /// }
    /// ```
    pub fn cancel_on(mut self, token: CancellationToken) -> Self {
        self.limits_mut().cancel = Some(token);
        self
    }

    /// Drains all runs once the token is cancelled: nodes at work finish their step, it is written, and
    /// the calls return [`RunError::Drained`](crate::RunError::Drained), or their result if that was
    /// the last step. This is what a program does on SIGTERM.
    pub fn drain_on(mut self, token: CancellationToken) -> Self {
        self.limits_mut().drain = Some(token);
        self
    }

    fn limits_mut(&mut self) -> &mut Limits {
        Arc::make_mut(&mut self.limits)
    }

    /// Returns a thread by its name, whether it exists or not.
    pub fn thread(&self, id: impl Into<ThreadId>) -> Thread<G, J> {
        Thread::new(self.clone(), id.into())
    }
}

/// No edge leads from one node to the other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no edge leads from `{from}` to `{to}`; name one that the graph has, and none to a join")]
#[non_exhaustive]
pub struct UnknownEdge {
    /// Where it was to begin.
    pub from: String,
    /// Where it was to lead.
    pub to: String,
}

impl<G: Runnable, J: Journal> Runtime<G, J> {
    /// Returns the names of the threads in the journal.
    ///
    /// # Errors
    ///
    /// Fails if the journal cannot be read.
    pub async fn threads(&self) -> Result<Vec<ThreadId>, JournalError> {
        self.keep.threads().await
    }

    /// Returns the threads that wait for people, in the order of their names: those behind `after`, or
    /// all. They are those of all graphs that use the journal.
    ///
    /// ```
    /// use futures_util::TryStreamExt;
    /// use handoffs_runtime::{Journal, JournalError, Runnable, Runtime, ThreadId, Waiting};
    ///
    /// /// Returns a page of the inbox, behind the last thread of the page before.
    /// async fn page<G: Runnable, J: Journal>(
    ///     runtime: &Runtime<G, J>,
    ///     after: Option<ThreadId>,
    /// ) -> Result<Vec<Waiting>, JournalError> {
    ///     use futures_util::StreamExt;
    ///     runtime.inbox(after).take(20).try_collect().await
    /// }
    /// ```
    ///
    /// Without a runtime, [`inbox`](crate::inbox) does the same; it says more.
    pub fn inbox(&self, after: Option<ThreadId>) -> BoxStream<'_, Result<Waiting, JournalError>> {
        inbox(&*self.keep, after)
    }

    /// Removes the threads that are over and not to be kept, whichever graph wrote them, and returns
    /// which they were; [`Retention`] says which.
    ///
    /// # Errors
    ///
    /// Fails if the journal does; what was removed before is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves each thread as it was, or removed.
    pub async fn retain(&self, retention: Retention) -> Result<Vec<ThreadId>, JournalError> {
        let now_ms = self.limits.clock.now_ms();
        retention.remove(&*self.keep, now_ms).await
    }
}

impl<G, J> Clone for Runtime<G, J> {
    fn clone(&self) -> Self {
        Self {
            graph: Arc::clone(&self.graph),
            plan: Arc::clone(&self.plan),
            keep: Arc::clone(&self.keep),
            limits: Arc::clone(&self.limits),
        }
    }
}

impl<G, J> fmt::Debug for Runtime<G, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("graph", &self.plan.topology.name())
            .finish_non_exhaustive()
    }
}
