//! What generated code needs of the graphs that are nodes.

use crate::node::Worker;
use crate::topology::{NodeShape, Topology};

/// Returns the most handoffs that a run can take: those of the graph itself, and those inside its
/// nodes, of which each is given as how often a run can come to it and how many there are inside.
pub const fn all_handoffs(own: u64, nodes: &[(u64, u64)]) -> u64 {
    let mut most = own;
    let mut n = 0;
    while n < nodes.len() {
        let (visits, inside) = nodes[n];
        most = most.saturating_add(visits.saturating_mul(inside));
        n += 1;
    }
    most
}

/// Adds the graph that a node is, if it is one, to the node's shape.
pub(crate) fn shape_of(shape: NodeShape, inner: Option<Topology>) -> NodeShape {
    match inner {
        Some(inner) => shape.inner(inner),
        None => shape,
    }
}

/// Asserts that a node can be what takes over when a graph over the state `I` is left.
pub const fn leaves<L: Worker<S, Item = I, Outcome = ()>, S, I>() {}
