//! Errors that lead back: to whoever handed over to the failed node.

use std::collections::{HashMap, HashSet};

use super::{Edge, NodeIndex, Topology};
use crate::route::Target;

/// Returns the targets of an edge's plain steps: where it leads, if it does not fork, and its `else`.
#[doc(hidden)]
pub fn ways(edge: &Edge<NodeIndex>) -> impl Iterator<Item = Target<NodeIndex>> {
    let target = Some(*edge.route.target()).filter(|_| edge.route.fork().is_none());
    target.into_iter().chain(edge.route.otherwise().copied())
}

/// For each of `backs`, a node whose error leads `back` and the `else` of that, returns the nodes that
/// hand over to it: along one of `edges`, by the target or by the `else`, and along another `back` as
/// well. `topology` has the nodes, and none of the edges.
///
/// A fork hands over to no one: where a branch begins, nobody of the branch has been before, and the
/// node that forked goes on at the join. Neither does the end of a branch hand over to the join.
#[doc(hidden)]
pub fn senders<'a>(
    topology: &Topology,
    edges: impl Iterator<Item = &'a Edge<NodeIndex>> + Clone,
    backs: &[(NodeIndex, Option<NodeIndex>)],
) -> Vec<Vec<NodeIndex>> {
    let mut whole = topology.clone();
    for edge in edges.clone() {
        whole.edge(edge.clone());
    }
    let regions = whole.regions();
    let region = |node: NodeIndex| regions.of.get(usize::from(node.0)).copied().flatten();
    let mut senders = Senders {
        places: (backs.iter().map(|(node, _)| *node)).zip(0..).collect(),
        lists: vec![Vec::new(); backs.len()],
        known: HashSet::new(),
    };
    for edge in edges {
        for to in ways(edge).filter_map(Target::node) {
            if region(to) == region(edge.from) {
                senders.add(edge.from, to);
            }
        }
    }
    // What goes back hands over as well, to one that may go back itself.
    let mut grew = true;
    while grew {
        grew = false;
        for (place, (from, otherwise)) in backs.iter().enumerate() {
            for to in senders.lists[place].clone().into_iter().chain(*otherwise) {
                if region(to) == region(*from) {
                    grew |= senders.add(*from, to);
                }
            }
        }
    }
    senders.lists
}

struct Senders {
    /// The place of a node's `back` among all.
    places: HashMap<NodeIndex, usize>,
    lists: Vec<Vec<NodeIndex>>,
    known: HashSet<(usize, NodeIndex)>,
}

impl Senders {
    /// Notes that one node hands over to another, and returns whether that is news.
    fn add(&mut self, from: NodeIndex, to: NodeIndex) -> bool {
        let Some(place) = self.places.get(&to).copied() else {
            return false;
        };
        let is_new = self.known.insert((place, from));
        if is_new {
            self.lists[place].push(from);
        }
        is_new
    }
}
