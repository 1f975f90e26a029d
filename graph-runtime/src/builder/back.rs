//! Errors that lead back: to whoever handed over to the failed node.

use handoffs_core::__private::senders;
use handoffs_core::{Edge, NodeIndex, Route, Target, Topology};

use super::describe::{Names, Source};
use super::error::RoutePart;

/// An edge, what it was described by, and whether it stands for all that lead back.
pub(super) type Sourced = (Source, Edge<NodeIndex>, bool);

/// Puts the edges of each `back` in its place: one to each node that hands over to the failed one.
pub(super) fn lead_back(
    topology: &Topology,
    edges: Vec<Sourced>,
    names: &mut Names<'_>,
) -> Vec<Sourced> {
    let (backs, plain): (Vec<_>, Vec<_>) = edges.iter().partition(|(_, _, is_back)| *is_back);
    let otherwise = |edge: &Edge<NodeIndex>| edge.route.otherwise().and_then(|to| to.node());
    let backs = backs
        .iter()
        .map(|(_, back, _)| (back.from, otherwise(back)));
    let backs: Vec<_> = backs.collect();
    let plain = plain.iter().map(|(_, edge, _)| edge);
    let mut senders = senders(topology, plain, &backs).into_iter();
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
            let route = match edge.route.approval() {
                Some(question) => route.approve(question.to_owned()),
                None => route,
            };
            all.push((source, Edge::back(edge.from, route), true));
        }
    }
    all
}
