//! What keeps a graph from going on with entries that another graph wrote, or an older version of it.

use std::sync::Arc;

/// What keeps a graph from going on with entries that another graph wrote, or an older version of it.
///
/// A graph goes on with the entries of its older versions as long as the path that they tell of is one
/// that it still has: nodes, edges, limits and optional fields may be added, and what was renamed says so.
/// The text names the one thing that stands against it, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Difference {
    /// The entries are of a graph with another name.
    #[error(
        "was written by the graph `{name}`; if that is what this one was called, \
         write `#[graph(renamed_from = \"{name}\")]`"
    )]
    #[non_exhaustive]
    Graph {
        /// The name of the graph that wrote them.
        name: Arc<str>,
    },
    /// The thread was trimmed, and the snapshot that stands for what is gone does not fit.
    #[error("was trimmed, and what is left of it does not fit: {reason}")]
    #[non_exhaustive]
    Snapshot {
        /// What does not fit.
        reason: Arc<str>,
    },
    /// A node of the path is gone.
    #[error(
        "names the node `{node}`, which the graph does not have; if it has another name now, \
         write `#[node(renamed_from = \"{node}\")]` on its field"
    )]
    #[non_exhaustive]
    NodeGone {
        /// The node.
        node: Arc<str>,
    },
    /// The path begins at a node at which the graph does not start.
    #[error("says that the run began at `{was}`, and the graph starts at `{now}`; start it there")]
    #[non_exhaustive]
    Start {
        /// Where the run began.
        was: Arc<str>,
        /// Where the graph starts.
        now: Arc<str>,
    },
    /// An edge of the path is gone, and no other leads the same way, or more than one does.
    #[error(
        "took the edge `{on} => {to}` of node `{node}`, which the graph does not have; keep such an edge"
    )]
    #[non_exhaustive]
    EdgeGone {
        /// The node that it left.
        node: Arc<str>,
        /// Its condition.
        on: Arc<str>,
        /// Where it led.
        to: Arc<str>,
    },
    /// An edge of the path leads elsewhere.
    #[error(
        "took the edge `{on}` of node `{node}` to `{was}`, and it says `{now}` now; lead it there as before"
    )]
    #[non_exhaustive]
    LeadsElsewhere {
        /// The node that it leaves.
        node: Arc<str>,
        /// Its condition.
        on: Arc<str>,
        /// Where it led.
        was: Arc<str>,
        /// What its route says now.
        now: Arc<str>,
    },
    /// A fork whose branches are under way has other branches.
    #[error(
        "forked at node `{node}` into the branches {was}, which are under way, and the graph forks \
         into {now}; let those branches join first, with the graph that wrote them"
    )]
    #[non_exhaustive]
    Branches {
        /// The node that forked.
        node: Arc<str>,
        /// Where its branches began.
        was: Arc<str>,
        /// Where they begin now.
        now: Arc<str>,
    },
    /// The run of a graph within would be lost, as the node is no such graph any more.
    #[error(
        "is of node `{node}`, which was a graph over the same state and is none now; keep it one, \
         or let the thread pass it first"
    )]
    #[non_exhaustive]
    Within {
        /// The node.
        node: Arc<str>,
    },
    /// A field that was written is gone.
    #[error(
        "writes the field `{field}`, which the state does not have; if it has another name now, write \
         `#[serde(alias = \"{field}\")]` on it, and if it is gone for good, remove it with `Runtime::migrate`"
    )]
    #[non_exhaustive]
    FieldGone {
        /// The field.
        field: Arc<str>,
    },
    /// A field was added that no entry tells anything of.
    #[error(
        "and those before it have no value for the field `{field}`; make it an `Option`, write \
         `#[serde(default)]` on it, or set it with `Runtime::migrate`"
    )]
    #[non_exhaustive]
    NoValue {
        /// The field.
        field: &'static str,
    },
}

impl Difference {
    /// Returns the node that it is about, by the name that the entry has for it.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::NodeGone { node }
            | Self::EdgeGone { node, .. }
            | Self::LeadsElsewhere { node, .. }
            | Self::Branches { node, .. }
            | Self::Within { node }
            | Self::Start { was: node, .. } => Some(node),
            Self::Graph { .. }
            | Self::Snapshot { .. }
            | Self::FieldGone { .. }
            | Self::NoValue { .. } => None,
        }
    }
}
