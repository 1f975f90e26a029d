//! What leads back: to whoever handed over to the node.

use std::collections::{HashMap, HashSet};

use super::{Edge, NodeIndex, Topology};
use crate::route::Target;

/// Returns the targets of an edge's plain steps: where it leads, if it does not fork, and its `else`.
#[doc(hidden)]
pub fn ways(edge: &Edge<NodeIndex>) -> impl Iterator<Item = Target<NodeIndex>> {
    let target = Some(*edge.route.target()).filter(|_| edge.route.fork().is_none());
    target.into_iter().chain(edge.route.otherwise().copied())
}

/// The edges of a graph, each with what it was read from, once it is known where what leads back goes.
#[doc(hidden)]
#[derive(Debug)]
pub struct LedBack<T> {
    /// The edges, where what leads back has one for each node to which it may lead.
    pub edges: Vec<(T, Edge<NodeIndex>)>,
    /// What leads back from a node to which nothing hands over, and now to the end.
    pub orphans: Vec<(T, NodeIndex)>,
}

/// Puts into the place of each edge that leads [back](crate::Route::back) one to each node that hands
/// over to its own: along an edge, by the target or by the `else`, or by forking, to the join.
/// `topology` has the nodes, and none of the edges.
///
/// Who goes back does not hand over, as the one to whom it goes takes up where it was. Neither does a
/// node to itself; nor a fork to its branches, where nobody of the branch has been before; nor the end of
/// a branch to the join.
#[doc(hidden)]
pub fn lead_back<T: Copy>(topology: &Topology, edges: Vec<(T, Edge<NodeIndex>)>) -> LedBack<T> {
    let senders = if edges.iter().any(|(_, edge)| edge.is_back()) {
        senders(topology, edges.iter().map(|(_, edge)| edge))
    } else {
        HashMap::new()
    };
    let mut led = LedBack {
        edges: Vec::with_capacity(edges.len()),
        orphans: Vec::new(),
    };
    for (source, edge) in edges {
        if !edge.is_back() {
            led.edges.push((source, edge));
            continue;
        }
        match senders.get(&edge.from) {
            None => {
                led.orphans.push((source, edge.from));
                led.edges.push((source, edge));
            }
            Some(senders) => led.edges.extend(senders.iter().map(|to| {
                let route = edge.route.towards(*to);
                (
                    source,
                    Edge {
                        route,
                        ..edge.clone()
                    },
                )
            })),
        }
    }
    led
}

/// Returns, of each node to which others hand over, those that do, in the order of the edges.
fn senders<'a>(
    topology: &Topology,
    edges: impl Iterator<Item = &'a Edge<NodeIndex>> + Clone,
) -> HashMap<NodeIndex, Vec<NodeIndex>> {
    let mut whole = topology.clone();
    for edge in edges.clone().filter(|edge| !edge.is_back()) {
        whole.edge(edge.clone());
    }
    let regions = whole.regions();
    let region = |node: NodeIndex| regions.of.get(node.slot()).copied().flatten();
    let mut senders: HashMap<_, Vec<_>> = HashMap::new();
    let mut known = HashSet::new();
    for edge in edges {
        let target = Some(*edge.route.target()).filter(|_| !edge.is_back());
        let targets = target.into_iter().chain(edge.route.otherwise().copied());
        for to in targets.filter_map(Target::node) {
            let hands_over = to != edge.from && region(to) == region(edge.from);
            if hands_over && known.insert((edge.from, to)) {
                senders.entry(to).or_default().push(edge.from);
            }
        }
    }
    senders
}
