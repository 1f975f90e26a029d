//! The runtime: a graph, and the journal that its threads write to.

use std::fmt;
use std::sync::Arc;

use handoffs_core::{AgentGraph, State};

use crate::execute::Runnable;
use crate::journal::{Journal, JournalError, ThreadId};
use crate::plan::Plan;
use crate::thread::Thread;

/// A graph together with the journal that its runs are written to.
///
/// It is cheap to clone, and every clone runs the same graph. Of a runtime without a journal the
/// threads can only be [`run`](Thread::run); with one they are durable: whatever has been written
/// survives a crash, and [`recover`](Thread::recover) goes on from there.
///
/// ```
/// use handoffs_runtime::{Memory, Runtime};
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
    pub(crate) watch_loops: bool,
}

/// The journal of a runtime that keeps none.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Ephemeral;

/// Where a runtime keeps what happens: a [`Journal`], or nowhere.
pub trait Keep: Send + Sync + 'static {
    /// Returns the journal, if there is one.
    fn journal(&self) -> Option<&dyn Journal>;
}

impl Keep for Ephemeral {
    fn journal(&self) -> Option<&dyn Journal> {
        None
    }
}

impl<J: Journal> Keep for J {
    fn journal(&self) -> Option<&dyn Journal> {
        Some(self)
    }
}

impl<G: Runnable> Runtime<G> {
    /// Prepares a graph to run. Nothing is kept unless a [`journal`](Self::journal) is added.
    pub fn new(graph: G) -> Self {
        const { G::__CONTEXT }
        let fields = <G::State as State>::FIELDS.iter().map(|field| field.name);
        let plan = Plan::new(&G::topology(), fields);
        Self {
            graph: Arc::new(graph),
            plan: Arc::new(plan),
            keep: Arc::new(Ephemeral),
            watch_loops: true,
        }
    }

    /// Writes each step of each run to a journal before the run goes on.
    pub fn journal<J: Journal>(self, journal: J) -> Runtime<G, J> {
        let Self {
            graph,
            plan,
            watch_loops,
            ..
        } = self;
        Runtime {
            graph,
            plan,
            keep: Arc::new(journal),
            watch_loops,
        }
    }
}

impl<G: Runnable, J: Keep> Runtime<G, J> {
    /// Says whether an edge is masked when it would be taken again without progress; by default it is.
    ///
    /// Without it, only the limits of the edges bound a loop.
    pub fn watch_loops(mut self, watch: bool) -> Self {
        self.watch_loops = watch;
        self
    }

    /// Returns a thread by its name, whether it exists or not.
    pub fn thread(&self, id: impl Into<ThreadId>) -> Thread<G, J> {
        Thread::new(self.clone(), id.into())
    }
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
}

impl<G, J> Clone for Runtime<G, J> {
    fn clone(&self) -> Self {
        Self {
            graph: Arc::clone(&self.graph),
            plan: Arc::clone(&self.plan),
            keep: Arc::clone(&self.keep),
            watch_loops: self.watch_loops,
        }
    }
}

impl<G: AgentGraph, J> fmt::Debug for Runtime<G, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("graph", &G::NAME)
            .finish_non_exhaustive()
    }
}
