//! Where a thread's decisions would lead today.

mod decide;
mod walk;

use std::fmt;
use std::sync::Arc;

use super::Thread;
use crate::error::RunError;
use crate::execute::Runnable;
use crate::journal::{BranchId, Conclusion, Head, Journal, Json, Masked};
use walk::Walk;

impl<G: Runnable, J: Journal> Thread<G, J> {
    /// Asks of each decision in the [`history`](Self::history) where it would lead by the edges as they are
    /// now, and returns those that would lead elsewhere.
    ///
    /// So a change of guards, limits and targets is tried on what was recorded, before it is let loose on
    /// what is to come. No node is executed and nothing is written. The path is gone as it was gone then:
    /// each guard sees the state behind the step, and limits and masks count what came before. What would
    /// have followed after a decision that leads elsewhere, nobody knows.
    ///
    /// It does not matter which version of the graph wrote the thread: nodes are found by their names, also
    /// by former ones, and edges by their node and what stands before the arrow. Errors on which a run ended are no decisions.
    ///
    /// ```
    /// use handoffs_runtime::{Journal, Runnable, Runtime};
    ///
    /// /// A test that yesterday's conversations still go where they went.
    /// async fn nothing_has_changed<G: Runnable, J: Journal>(
    ///     runtime: &Runtime<G, J>,
    /// ) -> Result<(), Box<dyn std::error::Error>> {
    ///     for id in runtime.threads().await? {
    ///         for rerouted in runtime.thread(&id).reroute().await?.differing {
    ///             panic!("{id}: {rerouted}");
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::UnknownThread`] if there is no such thread, [`RunError::Trimmed`] if its first entries are
    /// not kept any more, [`RunError::Migrate`] if the function of [`Runtime::migrate`](crate::Runtime::migrate)
    /// fails, and [`RunError::Journal`] if the journal cannot be read or is damaged.
    pub async fn reroute(&self) -> Result<Reroute, RunError> {
        let history = self.history().await?;
        let Some(first) = history.first() else {
            return Err(self.untyped().unknown());
        };
        if first.seq > 1 {
            let base = Head::new(first.seq - 1, first.prev);
            return Err(self.untyped().trimmed(1, base));
        }
        let runtime = &self.runtime;
        let (plan, limits) = (&runtime.plan, &runtime.limits);
        let history = match &limits.migration {
            None => history,
            Some(migration) => {
                let migrated = history.iter().map(|entry| {
                    if plan.wrote(&entry.graph) {
                        Ok(entry.clone())
                    } else {
                        migration.apply(&self.id, entry)
                    }
                });
                migrated.collect::<Result<_, _>>()?
            }
        };
        let walk = Walk::new(&self.id, !limits.ignore_loops, history);
        Ok(walk.along(&*runtime.graph, plan))
    }
}

/// Where a thread's decisions would lead today.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Reroute {
    /// How many decisions were looked at.
    pub decisions: u64,
    /// How many more there are in graphs that are hidden within a node, so that nobody knows their edges.
    pub hidden: u64,
    /// Those that lead elsewhere, or nowhere, in the order in which they were made.
    pub differing: Vec<Rerouted>,
}

impl Reroute {
    /// Returns whether all decisions that were looked at lead where they led.
    pub const fn is_same(&self) -> bool {
        self.differing.is_empty()
    }
}

/// A decision that would lead elsewhere today.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rerouted {
    /// The number of the entry.
    pub seq: u64,
    /// The path that it belongs to.
    pub branch: BranchId,
    /// The node that decided, by the name that it had.
    pub node: String,
    /// What the node concluded; none if it failed, and the run went on along its error edge.
    pub outcome: Option<Conclusion>,
    /// Where it led.
    pub recorded: Handoff,
    /// Where it would lead today, or why nowhere.
    pub today: Result<Handoff, NoHandoff>,
    /// Whether it leads to another place.
    elsewhere: bool,
}

impl Rerouted {
    /// Returns whether the run would be somewhere else, and not only there along another edge.
    pub const fn leads_elsewhere(&self) -> bool {
        self.elsewhere
    }
}

impl fmt::Display for Rerouted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seq,
            node,
            recorded,
            ..
        } = self;
        write!(
            f,
            "entry {seq}: node `{node}` went `{recorded}`, and today "
        )?;
        match &self.today {
            Ok(today) => write!(f, "it goes `{today}`"),
            Err(nowhere) => nowhere.fmt(f),
        }
    }
}

/// A way that a run goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handoff {
    /// The edge's condition as it is written in the graph.
    pub on: String,
    /// The node that follows, which of a fork is the join; none at the end, and if a fork never came to
    /// its join.
    pub to: Option<String>,
    /// Why the edge was masked and its `else` taken, if so.
    pub masked: Option<Masked>,
    /// The nodes at which the branches of a fork begin. Of a branch that an older version has recorded, and
    /// that has left no trace, that is taken to be the node of today.
    pub branches: Vec<String>,
    /// The items of an `each`, one for each branch.
    pub items: Vec<Json>,
    /// Whether a person has to approve it before the run goes there.
    pub asks: bool,
    /// Whether it is a fork, which may have no branches.
    pub(crate) forks: bool,
}

impl fmt::Display for Handoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} => ", self.on)?;
        match (&self.to, self.forks) {
            (to, true) => {
                write!(f, "[{}]", self.branches.join(", "))?;
                if let Some(to) = to {
                    write!(f, " join {to}")?;
                }
            }
            (Some(to), false) => f.write_str(to)?,
            (None, false) => f.write_str("end")?,
        }
        if self.asks {
            f.write_str(", if approved")?;
        }
        match self.masked {
            Some(why) => write!(f, ", as {why}"),
            None => Ok(()),
        }
    }
}

/// Why a decision would lead nowhere today.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoHandoff {
    /// The graph has no node of this name.
    #[error("the graph has no such node")]
    NoNode,
    /// The node cannot conclude this any more.
    #[error("it cannot conclude so: {0}")]
    NoOutcome(String),
    /// The node has no error edge that could be taken.
    #[error("it has no error edge to take")]
    NoErrorEdge,
    /// The state of then cannot be read as one of today.
    #[error("field `{field}` of the state cannot be read: {reason}")]
    #[non_exhaustive]
    NoState {
        /// The field.
        field: &'static str,
        /// Why.
        reason: String,
    },
    /// An item of an `each` cannot be written down.
    #[error("an item cannot be kept: {0}")]
    NoItem(String),
    /// A guard panicked, or what else of the user's was called.
    #[error("a guard panics: {0}")]
    Panicked(String),
    /// The edge is masked, and has no `else`: the run would end with a
    /// [`HandoffLoop`](RunError::HandoffLoop).
    #[error("it insists on the edge `{on}` of the loop `{cycle}`, and {why}")]
    #[non_exhaustive]
    Loop {
        /// The edge's condition.
        on: String,
        /// The last lap.
        cycle: Arc<str>,
        /// How often the edge had been taken.
        laps: u32,
        /// Why it is masked.
        why: Masked,
    },
}
