//! Errors that lead back: to whoever handed over to the failed node.

use std::collections::HashSet;

use handoffs_core::{Edge, NodeIndex, Route, Target, Topology};

use super::describe::{Names, Source};
use super::error::RoutePart;
use super::flow::ways;

/// An edge, what it was described by, and whether it stands for all that lead back.
pub(super) type Sourced = (Source, Edge<NodeIndex>, bool);

/// Puts the edges of each `back` in its place: one to each node that hands over to the failed one.
pub(super) fn lead_back(
    topology: &Topology,
    edges: Vec<Sourced>,
    names: &mut Names<'_>,
) -> Vec<Sourced> {
    let mut senders = Senders::of(topology, &edges).lists.into_iter();
    let mut all = Vec::new();
    for (source, edge, is_back) in edges {
        if !is_back {
            all.push((source, edge, false));
            continue;
        }
        let back = senders.next().unwrap_or_default();
        if back.is_empty() && !names.guesswork {
            let name = topology.name_of(edge.from);
            let message = format!("nothing hands over to `{name}`");
            let help = "name the node to go to after an error, or end the run";
            names.error(source.at(RoutePart::Target), message, help);
        }
        let (times, otherwise) = (edge.route.times(), edge.route.otherwise().copied());
        for to in back {
            let route = Route::__new(Target::Node(to), times, otherwise);
            all.push((source, Edge::back(edge.from, route), true));
        }
    }
    all
}

/// For each `back`, the nodes that hand over to its own: along a route or after an error, by the target
/// or by the `else`, and along another `back` as well.
///
/// A fork hands over to no one: where a branch begins, nobody of the branch has been before, and the
/// node that forked goes on at the join. Neither does the end of a branch hand over to the join.
struct Senders {
    /// The place of a node's `back` among all.
    places: Vec<Option<usize>>,
    lists: Vec<Vec<NodeIndex>>,
    known: HashSet<(usize, NodeIndex)>,
}

impl Senders {
    fn of(topology: &Topology, edges: &[Sourced]) -> Self {
        let (backs, plain): (Vec<_>, Vec<_>) = edges.iter().partition(|(_, _, is_back)| *is_back);
        let mut whole = topology.clone();
        for (_, edge, _) in &plain {
            whole.edge(edge.clone());
        }
        let regions = whole.regions();
        let region = |node: NodeIndex| regions.of.get(usize::from(node.0)).copied().flatten();
        let mut senders = Self {
            places: vec![None; topology.nodes().len()],
            lists: vec![Vec::new(); backs.len()],
            known: HashSet::new(),
        };
        for (place, (_, back, _)) in backs.iter().enumerate() {
            senders.places[usize::from(back.from.0)] = Some(place);
        }
        for (_, edge, _) in &plain {
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
            for (place, (_, back, _)) in backs.iter().enumerate() {
                let otherwise = back.route.otherwise().and_then(|to| to.node());
                for to in senders.lists[place].clone().into_iter().chain(otherwise) {
                    if region(to) == region(back.from) {
                        grew |= senders.add(back.from, to);
                    }
                }
            }
        }
        senders
    }

    /// Notes that one node hands over to another, and returns whether that is news.
    fn add(&mut self, from: NodeIndex, to: NodeIndex) -> bool {
        let Some(place) = self.places.get(usize::from(to.0)).copied().flatten() else {
            return false;
        };
        let is_new = self.known.insert((place, from));
        if is_new {
            self.lists[place].push(from);
        }
        is_new
    }
}
