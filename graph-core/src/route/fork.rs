//! A fork: the branches into which a run splits.

use core::fmt;
use std::borrow::Cow;

/// The branches of an edge that forks, and how many of them may run at a time.
///
/// ```
/// use handoffs_core::{Branches, Route};
///
/// let route = Route::each("questions", "research", "summary").concurrency(8);
/// let fork = route.fork().unwrap();
/// assert_eq!(fork.concurrency, Some(8));
/// assert!(matches!(fork.branches, Branches::Each { worker: "research", .. }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fork<N> {
    /// The branches.
    pub branches: Branches<N>,
    /// The most branches of this fork that may run at a time, if the edge says so.
    pub concurrency: Option<u32>,
}

impl<N> Fork<N> {
    /// Forks into these branches, all of which may run at a time.
    pub const fn new(branches: Branches<N>) -> Self {
        Self {
            branches,
            concurrency: None,
        }
    }

    /// Returns the nodes at which the branches begin; an `each` has one, its worker.
    pub fn entries(&self) -> &[N] {
        match &self.branches {
            Branches::All(nodes) => nodes,
            Branches::Each { worker, .. } => core::slice::from_ref(worker),
        }
    }

    pub(super) fn map<M>(self, mut rename: impl FnMut(N) -> M) -> Fork<M>
    where
        N: Clone,
    {
        let branches = match self.branches {
            Branches::All(nodes) => Branches::All(nodes.iter().cloned().map(&mut rename).collect()),
            Branches::Each { items, worker } => Branches::Each {
                items,
                worker: rename(worker),
            },
        };
        Fork {
            branches,
            concurrency: self.concurrency,
        }
    }
}

/// The branches of a fork: some nodes, or one node for each of some items.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever runs a fork must know each kind of branches"
)]
pub enum Branches<N> {
    /// A branch for each of these nodes.
    All(Vec<N>),
    /// A branch for each item.
    Each {
        /// The name of the function that lists the items.
        items: Cow<'static, str>,
        /// The node that takes an item, at which each of the branches begins.
        worker: N,
    },
}

impl<N: fmt::Display> fmt::Display for Branches<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(nodes) => {
                f.write_str("all(")?;
                for (place, node) in nodes.iter().enumerate() {
                    let comma = if place == 0 { "" } else { ", " };
                    write!(f, "{comma}{node}")?;
                }
                f.write_str(")")
            }
            Self::Each { items, worker } => write!(f, "each({items}) {worker}"),
        }
    }
}
