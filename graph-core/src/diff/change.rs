//! The kinds of differences, and what each of them does.

use std::borrow::Cow;

use crate::authority::{Grant, May};
use crate::route::Target;
use crate::topology::NodeKind;

/// One difference between two graphs. Nodes have the path to them before their names, as `desk/triage`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// There is a new node.
    #[non_exhaustive]
    NodeAdded {
        /// The node.
        node: String,
    },
    /// A node is gone.
    #[non_exhaustive]
    NodeRemoved {
        /// The node.
        node: String,
        /// Whether a person worked there.
        is_human: bool,
    },
    /// Another kind of worker does the work of a node.
    #[non_exhaustive]
    KindChanged {
        /// The node.
        node: String,
        /// Who did it.
        before: NodeKind,
        /// Who does it.
        after: NodeKind,
    },
    /// A run starts at another node.
    #[non_exhaustive]
    StartMoved {
        /// Where it did.
        before: Option<String>,
        /// Where it does.
        after: Option<String>,
    },
    /// There is a new edge.
    #[non_exhaustive]
    EdgeAdded {
        /// The edge.
        edge: EdgeName,
    },
    /// An edge is gone.
    #[non_exhaustive]
    EdgeRemoved {
        /// The edge.
        edge: EdgeName,
    },
    /// An edge leads elsewhere.
    #[non_exhaustive]
    Retargeted {
        /// The edge, as it is now.
        edge: EdgeName,
        /// Where it led; a fork is written as `all(a, b) join c`.
        before: String,
        /// Whether it led to a person, and does no more.
        leaves_human: bool,
    },
    /// An edge has another `else`.
    #[non_exhaustive]
    ElseChanged {
        /// The edge.
        edge: EdgeName,
        /// Where its `else` led.
        before: Option<Target<String>>,
        /// Where it leads.
        after: Option<Target<String>>,
        /// Whether it led to a person, and does no more.
        leaves_human: bool,
    },
    /// An edge may be taken more or less often.
    #[non_exhaustive]
    LimitChanged {
        /// The edge.
        edge: EdgeName,
        /// How often it could be.
        before: Option<u32>,
        /// How often it can be.
        after: Option<u32>,
    },
    /// A person is asked something else before a handoff, or no more, or for the first time.
    #[non_exhaustive]
    ApprovalChanged {
        /// The edge.
        edge: EdgeName,
        /// What was asked.
        before: Option<String>,
        /// What is asked.
        after: Option<String>,
    },
    /// A node may do, or let others do, more or less.
    #[non_exhaustive]
    MayChanged {
        /// The node.
        node: String,
        /// What it could.
        before: May,
        /// What it can.
        after: May,
    },
    /// An edge grants something else.
    #[non_exhaustive]
    GrantChanged {
        /// The edge.
        edge: EdgeName,
        /// What it granted.
        before: Option<Grant>,
        /// What it grants.
        after: Option<Grant>,
    },
    /// The graph has authority, or none any more: without, each node may do anything.
    #[non_exhaustive]
    AuthorityChanged {
        /// The path to the graph.
        graph: String,
        /// Whether it has.
        now: bool,
    },
    /// More or fewer branches of a fork may run at a time.
    #[non_exhaustive]
    ConcurrencyChanged {
        /// The edge.
        edge: EdgeName,
        /// How many could.
        before: Option<u32>,
        /// How many can.
        after: Option<u32>,
    },
    /// An edge has another guard. What a guard lets through is not known, so another one counts as
    /// looser.
    #[non_exhaustive]
    GuardChanged {
        /// The edge, as it is now.
        edge: EdgeName,
        /// The guard that it had.
        before: Option<String>,
        /// The guard that it has.
        after: Option<String>,
    },
    /// An edge is taken on another outcome.
    #[non_exhaustive]
    PatternChanged {
        /// The edge, as it is now.
        edge: EdgeName,
        /// The pattern that it had.
        before: String,
    },
    /// The edges of a node are tried in another order.
    #[non_exhaustive]
    Reordered {
        /// The node.
        node: String,
    },
    /// Nodes that lay on no loop do.
    #[non_exhaustive]
    LoopAdded {
        /// The path to the graph.
        graph: String,
        /// The nodes.
        nodes: Vec<String>,
        /// How often a run can go round, if there is a bound.
        laps: Option<u64>,
    },
    /// A loop is there no more.
    #[non_exhaustive]
    LoopRemoved {
        /// The path to the graph.
        graph: String,
        /// The nodes that lay on it.
        nodes: Vec<String>,
    },
    /// A loop has more nodes, or another bound.
    #[non_exhaustive]
    LoopChanged {
        /// The path to the graph.
        graph: String,
        /// The nodes.
        nodes: Vec<String>,
        /// Those of them that lay on no loop.
        joined: Vec<String>,
        /// How often a run could go round, if there was a bound.
        before: Option<u64>,
        /// How often it can, if there is one.
        after: Option<u64>,
    },
    /// A run can take more or fewer handoffs.
    #[non_exhaustive]
    BoundChanged {
        /// The path to the graph.
        graph: String,
        /// How many it could, if there was a bound.
        before: Option<u64>,
        /// How many it can, if there is one.
        after: Option<u64>,
    },
}

/// What is told of an edge: from where, on what, and where to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct EdgeName {
    /// The node that it leaves.
    pub from: String,
    /// The pattern, and the guard if there is one.
    pub label: String,
    /// Where it leads; a fork is written as `all(a, b) join c`.
    pub to: String,
}

/// What a change does to the bounds of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Effect {
    /// A run can do less than before.
    Tightens,
    /// A run does something else.
    Alters,
    /// A run can do more than before, or with fewer checks.
    Loosens,
}

impl Change {
    /// Returns what the change does.
    ///
    /// ```
    /// use handoffs_core::diff::Effect;
    /// use handoffs_core::{NodeShape, Topology};
    ///
    /// let mut before = Topology::new("Desk");
    /// let triage = before.node(NodeShape::new("triage"));
    /// let mut after = before.clone();
    /// after.node(NodeShape::new("billing"));
    ///
    /// assert_eq!(before.diff(&after).changes[0].effect(), Effect::Alters);
    /// ```
    pub fn effect(&self) -> Effect {
        match self {
            Self::NodeRemoved { is_human, .. } => loosens_if(*is_human),
            Self::KindChanged { before, .. } => loosens_if(*before == NodeKind::Human),
            Self::Retargeted { leaves_human, .. } | Self::ElseChanged { leaves_human, .. } => {
                loosens_if(*leaves_human)
            }
            Self::LimitChanged { before, after, .. }
            | Self::ConcurrencyChanged { before, after, .. } => bound(*before, *after),
            Self::GuardChanged { before, .. } => match before {
                Some(_) => Effect::Loosens,
                None => Effect::Tightens,
            },
            Self::ApprovalChanged { before, after, .. } => match (before, after) {
                (Some(_), None) => Effect::Loosens,
                (None, Some(_)) => Effect::Tightens,
                _ => Effect::Alters,
            },
            Self::MayChanged { before, after, .. } => {
                let uses = after.uses.iter().all(|scope| before.uses.contains(scope));
                let grants = after
                    .grants
                    .iter()
                    .all(|scope| before.grants.contains(scope));
                tightens_if(uses && grants)
            }
            Self::GrantChanged { before, after, .. } => tightens_if(match (before, after) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(before), Some(after)) => is_within(after, before),
            }),
            Self::AuthorityChanged { now, .. } => tightens_if(*now),
            Self::LoopRemoved { .. } => Effect::Tightens,
            Self::LoopChanged {
                joined,
                before,
                after,
                ..
            } if joined.is_empty() => bound(*before, *after),
            Self::LoopAdded { .. } | Self::LoopChanged { .. } => Effect::Loosens,
            Self::BoundChanged { before, after, .. } => bound(*before, *after),
            Self::NodeAdded { .. }
            | Self::StartMoved { .. }
            | Self::EdgeAdded { .. }
            | Self::EdgeRemoved { .. }
            | Self::PatternChanged { .. }
            | Self::Reordered { .. } => Effect::Alters,
        }
    }
}

/// Returns whether a grant lets do nothing that another does not.
fn is_within(grant: &Grant, other: &Grant) -> bool {
    fn at_most<T: Ord>(most: Option<T>, other: Option<T>) -> bool {
        other.is_none_or(|other| most.is_some_and(|most| most <= other))
    }
    let is_named = |scope: &Cow<'static, str>| other.has(scope);
    let scopes = match &grant.scopes {
        None => other.scopes.is_none(),
        Some(scopes) => scopes.iter().all(is_named),
    };
    scopes
        && at_most(grant.spend_micros, other.spend_micros)
        && at_most(grant.calls, other.calls)
        && at_most(grant.depth, other.depth)
        && at_most(grant.expires_ms, other.expires_ms)
}

fn tightens_if(does: bool) -> Effect {
    if does {
        Effect::Tightens
    } else {
        Effect::Loosens
    }
}

fn loosens_if(does: bool) -> Effect {
    if does {
        Effect::Loosens
    } else {
        Effect::Alters
    }
}

/// Returns what another bound does; none is the highest.
fn bound<T: Ord>(before: Option<T>, after: Option<T>) -> Effect {
    match (before, after) {
        (Some(before), Some(after)) if after < before => Effect::Tightens,
        (None, Some(_)) => Effect::Tightens,
        _ => Effect::Loosens,
    }
}
