//! The edges of a derived graph as its derive writes them.

use std::borrow::Cow;

use super::{Edge, NodeIndex};
use crate::authority::Grant;
use crate::route::{Branches, Route, Target};

/// Edges as numbers and texts, without a type of the user's: however many there are, the compiler is soon done
/// with them. [`AgentGraph::edges`](crate::AgentGraph::edges) makes edges of it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the derive writes it as a literal"
)]
pub struct Table {
    /// The edges, in the order of declaration.
    pub rows: &'static [Row],
    /// What is to be said of some edges besides, by their places, ascending.
    pub extras: &'static [(u16, Extra)],
}

/// An edge: from a node, to a node or [`Row::END`], on a pattern, which names these variants, with `|` between
/// them, or any.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the derive writes it as a literal"
)]
pub struct Row(pub u16, pub u16, pub &'static str, pub &'static str);

impl Row {
    /// Stands for the end of the run; no node has this place.
    pub const END: u16 = u16::MAX;
}

/// What not every edge says.
#[doc(hidden)]
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the derive writes it as a literal")]
pub enum Extra {
    /// The name of its guard.
    Guard(&'static str),
    /// That it is taken when the node has failed for good.
    OnError,
    /// That it leads back.
    Back,
    /// That it forks into branches that begin at these nodes.
    All(&'static [u16]),
    /// That it forks into a branch for each of these items, all of which begin at this node.
    Each(&'static str, u16),
    /// How many of the branches may run at a time.
    Concurrency(u32),
    /// How often a run may take it.
    Limit(u32),
    /// The name of the function that says what a person is asked before.
    Approve(&'static str),
    /// Where it leads once it is masked: to a node or [`Row::END`].
    Else(u16),
    /// What it grants.
    Grant(Grant),
    /// That it was seen that all is set which its target needs.
    Finds,
}

impl Table {
    /// Returns the edges.
    pub(crate) fn edges(&self) -> impl Iterator<Item = Edge<NodeIndex>> {
        (0..self.rows.len()).filter_map(|edge| self.edge(edge))
    }

    /// Returns the edge at this place.
    pub fn edge(&self, edge: usize) -> Option<Edge<NodeIndex>> {
        let Row(from, to, on, outcomes) = *self.rows.get(edge)?;
        let from = NodeIndex(from);
        let mut route = Route::__new(target(to), None, None);
        let (mut on_error, mut guard) = (false, None);
        for extra in self.extras_of(edge) {
            route = match extra {
                Extra::Guard(name) => {
                    guard = Some(Cow::Borrowed(*name));
                    route
                }
                Extra::OnError => {
                    on_error = true;
                    route
                }
                Extra::Finds => route,
                Extra::Back => route.__back(),
                Extra::All(nodes) => {
                    let nodes = nodes.iter().copied().map(NodeIndex).collect();
                    route.forking(Branches::All(nodes))
                }
                Extra::Each(items, worker) => route.forking(Branches::Each {
                    items: Cow::Borrowed(items),
                    worker: NodeIndex(*worker),
                }),
                Extra::Concurrency(branches) => route.concurrency(*branches),
                Extra::Limit(times) => route.limit(*times),
                Extra::Approve(question) => route.approve(*question),
                Extra::Else(to) => match target(*to) {
                    Target::Node(to) => route.or_else(to),
                    Target::End => route.or_end(),
                },
                Extra::Grant(grant) => route.grant(grant.clone()),
            };
        }
        if on_error {
            return Some(Edge::on_error(from, route));
        }
        let outcomes = outcomes.split('|').filter(|outcome| !outcome.is_empty());
        let edge = Edge::new(from, on, route).outcomes(outcomes);
        Some(Edge { guard, ..edge })
    }

    fn extras_of(&self, edge: usize) -> impl Iterator<Item = &'static Extra> {
        let from = self
            .extras
            .partition_point(|(of, _)| usize::from(*of) < edge);
        let extras = self.extras.iter().skip(from);
        let extras = extras.take_while(move |(of, _)| usize::from(*of) == edge);
        extras.map(|(_, extra)| extra)
    }
}

fn target(to: u16) -> Target<NodeIndex> {
    if to == Row::END {
        Target::End
    } else {
        Target::Node(NodeIndex(to))
    }
}
