//! What a rule found: a code, a place and, in `text`, the words.

use std::fmt;

use super::name::UnknownNode;
use crate::topology::{EdgeIndex, NodeIndex, Way};

/// The number of a rule, the same in every error, page and test.
///
/// ```
/// assert_eq!(handoffs_core::Code::H004.to_string(), "H004");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Code {
    /// An edge leads to a node that does not exist.
    H001,
    /// Nothing reaches a node from the start.
    H002,
    /// The end cannot be reached from a node.
    H003,
    /// A handoff loop has no bound.
    H004,
    /// A node has no way left to the end when all limits are used up.
    H005,
    /// A route forgets an outcome, or has an arm that can never match.
    H006,
    /// A node needs a field that is not set on every path to it.
    H007,
    /// Two branches of one fork may both write a field which has no merge.
    H008,
    /// A branch can leave its fork without reaching the join, or a join can starve.
    H009,
    /// A handoff grants what its node may not pass on, or a node uses what no path grants.
    H010,
    /// A part of the graph does not fit: a name, a number, a type.
    H011,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A variant is its own text, and `pad` lets a table align it.
        f.pad(match self {
            Self::H001 => "H001",
            Self::H002 => "H002",
            Self::H003 => "H003",
            Self::H004 => "H004",
            Self::H005 => "H005",
            Self::H006 => "H006",
            Self::H007 => "H007",
            Self::H008 => "H008",
            Self::H009 => "H009",
            Self::H010 => "H010",
            Self::H011 => "H011",
        })
    }
}

/// One thing that is wrong with a graph.
///
/// [`message`](Self::message) says what, [`help`](Self::help) how to mend it, and
/// [`place`](Self::place) where: a macro puts the error there, an editor the mark.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// H001: a name is no node's.
    #[non_exhaustive]
    UnknownNode {
        /// The name, and the nearest one that exists.
        unknown: UnknownNode,
    },
    /// H002: nothing reaches these nodes from the start.
    #[non_exhaustive]
    Unreachable {
        /// The first node which, once reached, brings all the others with it.
        node: NodeIndex,
        /// The others.
        behind: Vec<NodeIndex>,
    },
    /// H003: the end cannot be reached from these nodes.
    #[non_exhaustive]
    Trap {
        /// The first of the nodes in the order of declaration.
        node: NodeIndex,
        /// The others that hang together with it.
        others: Vec<NodeIndex>,
    },
    /// H004: a run could go round these nodes for ever.
    #[non_exhaustive]
    UnboundedLoop {
        /// The nodes in the order of the run, each once, from the first in the order of declaration.
        nodes: Vec<NodeIndex>,
        /// The ways that lead from the last node back to the first; there is at least one.
        closed_by: Vec<Way>,
    },
    /// H005: the node has no way left to the end, or in a branch to the join, when its limits are used
    /// up.
    #[non_exhaustive]
    Stranded {
        /// The node.
        node: NodeIndex,
        /// The join, if the node is in a branch.
        join: Option<NodeIndex>,
        /// Its edges, all limited and without an `else`; there is at least one.
        edges: Vec<EdgeIndex>,
    },
    /// H009: a branch can end the run without reaching its join.
    #[non_exhaustive]
    BranchEnds {
        /// The edge that forks.
        fork: EdgeIndex,
        /// The nodes from the first of the branch to the one that ends the run.
        path: Vec<NodeIndex>,
        /// The way to the end.
        way: Way,
    },
    /// H009: no path leads from these nodes of a branch to the join.
    #[non_exhaustive]
    Starved {
        /// The first of the nodes in the order of declaration.
        node: NodeIndex,
        /// The others that hang together with it.
        others: Vec<NodeIndex>,
        /// The join.
        join: NodeIndex,
        /// The edges that fork into such branches; there is at least one.
        forks: Vec<EdgeIndex>,
    },
    /// H009: a node is reached in a branch, and outside of it or in a branch of another fork as well.
    #[non_exhaustive]
    TwoRegions {
        /// The node.
        node: NodeIndex,
        /// The nodes from the one that forks, through the branch, to the node.
        branch: Vec<NodeIndex>,
        /// The join of that branch.
        join: NodeIndex,
        /// The nodes from the start, or from another node that forks, to the node.
        other: Vec<NodeIndex>,
        /// Whether the other way lies in a branch in which the first does not lie.
        is_other_branch: bool,
        /// The last way that leads through the branch to the node.
        way: Way,
    },
    /// H009: a fork in a branch has the join of that branch.
    #[non_exhaustive]
    SharedJoin {
        /// The edge that forks within a branch.
        edge: EdgeIndex,
    },
    /// H009: a branch begins at the join.
    #[non_exhaustive]
    BranchIsJoin {
        /// The edge that forks.
        edge: EdgeIndex,
        /// The place of the branch.
        branch: usize,
    },
    /// H010: an edge grants a scope that its node may not grant.
    #[non_exhaustive]
    GrantsBeyond {
        /// The edge.
        edge: EdgeIndex,
        /// The place of the scope in the grant.
        at: usize,
    },
    /// H010: a node uses a scope that no path grants it.
    #[non_exhaustive]
    UsesUngranted {
        /// The node.
        node: NodeIndex,
        /// The place of the scope among those that it may use.
        at: usize,
        /// The scope.
        scope: String,
    },
    /// H010: a node may grant a scope that no path grants it.
    #[non_exhaustive]
    GrantsUngranted {
        /// The node.
        node: NodeIndex,
        /// The place of the scope among those that it may grant.
        at: usize,
        /// The scope.
        scope: String,
    },
    /// H011: a grant names a scope that the graph has not.
    #[non_exhaustive]
    UnknownScope {
        /// Where it does.
        at: Place,
        /// The name.
        name: String,
        /// The nearest name that exists.
        near: Option<String>,
    },
    /// H011: a scope has a name that cannot be written down.
    #[non_exhaustive]
    MisnamedScope {
        /// The name.
        name: String,
    },
    /// H011: an edge grants something and hands over to nobody.
    #[non_exhaustive]
    UselessGrant {
        /// The edge.
        edge: EdgeIndex,
    },
    /// H011: a fork has no branches.
    #[non_exhaustive]
    NoBranches {
        /// The edge that forks.
        edge: EdgeIndex,
    },
    /// H011: two branches of a fork begin at one node.
    #[non_exhaustive]
    SameBranch {
        /// The edge that forks.
        edge: EdgeIndex,
        /// The place of the later branch.
        branch: usize,
    },
    /// H011: no branch of a fork may ever run.
    #[non_exhaustive]
    ZeroConcurrency {
        /// The edge that forks.
        edge: EdgeIndex,
    },
    /// H011: an edge is never masked, so its `else` is never taken.
    #[non_exhaustive]
    UselessElse {
        /// The edge.
        edge: EdgeIndex,
    },
    /// H011: a handoff that is to be approved has nowhere to go when it is refused.
    #[non_exhaustive]
    NoRefusal {
        /// The edge.
        edge: EdgeIndex,
    },
    /// H011: what is to be approved is no handoff to a node.
    #[non_exhaustive]
    NotApprovable {
        /// The edge.
        edge: EdgeIndex,
    },
    /// H011: an edge leads back from where a run, or a branch, begins: nobody may have handed over.
    #[non_exhaustive]
    NobodyBefore {
        /// The edge.
        edge: EdgeIndex,
    },
    /// H011: an edge may be taken zero times.
    #[non_exhaustive]
    ZeroLimit {
        /// The edge.
        edge: EdgeIndex,
    },
    /// H011: two nodes have one name.
    #[non_exhaustive]
    DuplicateName {
        /// The later node.
        node: NodeIndex,
        /// The first node of that name.
        first: NodeIndex,
    },
    /// H011: the name of a node is a word of the language of routes.
    #[non_exhaustive]
    ReservedName {
        /// The node.
        node: NodeIndex,
    },
    /// H011: a name that a node or the graph had before is in use now.
    #[non_exhaustive]
    FormerNameTaken {
        /// The node that had the name; none if it was the graph.
        node: Option<NodeIndex>,
        /// The place of the name among the former ones.
        at: usize,
    },
    /// H011: a former name was given before, to this node or to another.
    #[non_exhaustive]
    FormerNameTwice {
        /// The later node that had the name; none if it was the graph.
        node: Option<NodeIndex>,
        /// The place of the name among the former ones.
        at: usize,
    },
    /// H011: nothing says where a run starts.
    NoStart,
    /// H011: the graph has more nodes or edges than there are places for.
    TooLarge,
}

impl Finding {
    /// Returns the number of the rule.
    pub fn code(&self) -> Code {
        match self {
            Self::UnknownNode { .. } => Code::H001,
            Self::Unreachable { .. } => Code::H002,
            Self::Trap { .. } => Code::H003,
            Self::UnboundedLoop { .. } => Code::H004,
            Self::Stranded { .. } => Code::H005,
            Self::BranchEnds { .. }
            | Self::Starved { .. }
            | Self::TwoRegions { .. }
            | Self::SharedJoin { .. }
            | Self::BranchIsJoin { .. } => Code::H009,
            Self::GrantsBeyond { .. }
            | Self::UsesUngranted { .. }
            | Self::GrantsUngranted { .. } => Code::H010,
            Self::NoBranches { .. }
            | Self::UnknownScope { .. }
            | Self::MisnamedScope { .. }
            | Self::UselessGrant { .. }
            | Self::SameBranch { .. }
            | Self::ZeroConcurrency { .. }
            | Self::UselessElse { .. }
            | Self::NoRefusal { .. }
            | Self::NotApprovable { .. }
            | Self::NobodyBefore { .. }
            | Self::ZeroLimit { .. }
            | Self::DuplicateName { .. }
            | Self::ReservedName { .. }
            | Self::FormerNameTaken { .. }
            | Self::FormerNameTwice { .. }
            | Self::NoStart
            | Self::TooLarge => Code::H011,
        }
    }

    /// Returns the smallest part of the graph that is wrong.
    pub fn place(&self) -> Place {
        match self {
            Self::UnknownNode { .. }
            | Self::MisnamedScope { .. }
            | Self::NoStart
            | Self::TooLarge => Place::Graph,
            Self::GrantsBeyond { edge, at } => Place::Grant(*edge, *at),
            Self::UselessGrant { edge } => Place::Grant(*edge, 0),
            Self::UsesUngranted { node, at, .. } => Place::Use(*node, *at),
            Self::GrantsUngranted { node, at, .. } => Place::MayGrant(*node, *at),
            Self::UnknownScope { at, .. } => *at,
            Self::Unreachable { node, .. }
            | Self::Trap { node, .. }
            | Self::Starved { node, .. }
            | Self::DuplicateName { node, .. }
            | Self::ReservedName { node } => Place::Node(*node),
            Self::FormerNameTaken { node, at } | Self::FormerNameTwice { node, at } => {
                Place::FormerName(*node, *at)
            }
            Self::UnboundedLoop { nodes, closed_by } => match closed_by.first() {
                Some(way) => Place::of(*way),
                None => nodes
                    .first()
                    .map_or(Place::Graph, |first| Place::Node(*first)),
            },
            Self::Stranded { node, edges, .. } => edges
                .first()
                .map_or(Place::Node(*node), |edge| Place::Target(*edge)),
            Self::BranchEnds { way, .. } | Self::TwoRegions { way, .. } => Place::of(*way),
            Self::SharedJoin { edge } | Self::NoBranches { edge } | Self::NobodyBefore { edge } => {
                Place::Target(*edge)
            }
            Self::BranchIsJoin { edge, branch } | Self::SameBranch { edge, branch } => {
                Place::Branch(*edge, *branch)
            }
            Self::ZeroConcurrency { edge } => Place::Concurrency(*edge),
            Self::UselessElse { edge } => Place::Else(*edge),
            Self::NoRefusal { edge } | Self::NotApprovable { edge } => Place::Approval(*edge),
            Self::ZeroLimit { edge } => Place::Limit(*edge),
        }
    }

    /// Returns whether the finding stands even if the graph has more edges than the check saw.
    ///
    /// A caller that had to leave out edges, because a name in them is unknown, reports only these:
    /// the others may be nothing but the shadow of the missing edges.
    pub fn survives_new_edges(&self) -> bool {
        match self {
            Self::UnknownNode { .. }
            | Self::UnboundedLoop { .. }
            | Self::BranchEnds { .. }
            | Self::SharedJoin { .. }
            | Self::NoBranches { .. }
            | Self::ZeroConcurrency { .. }
            | Self::NoRefusal { .. }
            | Self::NotApprovable { .. }
            | Self::NobodyBefore { .. }
            | Self::GrantsBeyond { .. }
            | Self::UnknownScope { .. }
            | Self::MisnamedScope { .. }
            | Self::UselessGrant { .. }
            | Self::ZeroLimit { .. }
            | Self::DuplicateName { .. }
            | Self::ReservedName { .. }
            | Self::FormerNameTaken { .. }
            | Self::FormerNameTwice { .. }
            | Self::TooLarge => true,
            Self::Unreachable { .. }
            | Self::Trap { .. }
            | Self::Stranded { .. }
            | Self::Starved { .. }
            | Self::TwoRegions { .. }
            | Self::BranchIsJoin { .. }
            | Self::SameBranch { .. }
            | Self::UselessElse { .. }
            | Self::UsesUngranted { .. }
            | Self::GrantsUngranted { .. }
            | Self::NoStart => false,
        }
    }
}

/// The part of a graph to which a finding points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// The graph as a whole.
    Graph,
    /// The declaration of a node.
    Node(NodeIndex),
    /// The target of an edge; of a fork it is the join.
    Target(EdgeIndex),
    /// A branch of an edge that forks: the place of its first node among those of the fork.
    Branch(EdgeIndex, usize),
    /// The `else` of an edge.
    Else(EdgeIndex),
    /// The limit of an edge.
    Limit(EdgeIndex),
    /// The bound on how many branches of an edge run at a time.
    Concurrency(EdgeIndex),
    /// The question before the handoff of an edge.
    Approval(EdgeIndex),
    /// A scope that an edge grants: its place in the grant.
    Grant(EdgeIndex, usize),
    /// A scope that a node may use: its place among these.
    Use(NodeIndex, usize),
    /// A scope that a node may grant: its place among these.
    MayGrant(NodeIndex, usize),
    /// One of the names that a node had before, or, without a node, the graph.
    FormerName(Option<NodeIndex>, usize),
}

impl Place {
    /// Returns the edge that the part belongs to, if it does to one.
    ///
    /// ```
    /// use handoffs_core::{EdgeIndex, NodeIndex, Place};
    ///
    /// assert_eq!(Place::Limit(EdgeIndex(3)).edge(), Some(EdgeIndex(3)));
    /// assert_eq!(Place::Node(NodeIndex(0)).edge(), None);
    /// ```
    pub const fn edge(self) -> Option<EdgeIndex> {
        match self {
            Self::Target(edge)
            | Self::Branch(edge, _)
            | Self::Else(edge)
            | Self::Limit(edge)
            | Self::Concurrency(edge)
            | Self::Approval(edge)
            | Self::Grant(edge, _) => Some(edge),
            Self::Graph
            | Self::Node(_)
            | Self::Use(..)
            | Self::MayGrant(..)
            | Self::FormerName(..) => None,
        }
    }

    fn of(way: Way) -> Self {
        match (way.is_else, way.branch) {
            (true, _) => Self::Else(way.edge),
            (false, Some(branch)) => Self::Branch(way.edge, branch),
            (false, None) => Self::Target(way.edge),
        }
    }
}
