//! Routes that lead back (H011): somebody has to have handed over.

use std::collections::HashSet;

use super::finding::{Code, Finding};
use crate::topology::{Edge, EdgeIndex, Topology};

/// Finds the edges that lead back from where a run, or a branch, begins. An error there ends the run, so
/// of those that lead back after an error nothing is to be said.
pub(super) fn check(topology: &Topology) -> impl Iterator<Item = Finding> {
    let forks = topology.edges().filter_map(|(_, edge)| edge.route.fork());
    let begin: HashSet<_> = forks
        .flat_map(|fork| fork.entries().iter().copied())
        .chain(topology.start_node())
        .collect();
    let leads_back = |edge: &Edge<_>| {
        // To the end it leads where nobody hands over at all, which was said.
        edge.is_back() && !edge.on_error && edge.route.target().node().is_some()
    };
    let mut found: Vec<_> = topology
        .edges()
        .filter(|(_, edge)| leads_back(edge) && begin.contains(&edge.from))
        .map(|(index, edge)| (edge.from, index))
        .collect();
    found.sort_unstable();
    found
        .into_iter()
        .map(|(_, edge)| Finding::NobodyBefore { edge })
}

/// Says what is wrong.
pub(super) fn message(topology: &Topology, edge: EdgeIndex) -> String {
    let from = topology.get_edge(edge).map(|edge| edge.from);
    let name = from.map_or("?", |from| topology.name_of(from));
    let begins = if from == topology.start_node() {
        "the run starts there"
    } else {
        "a branch begins there"
    };
    let code = Code::H011;
    format!("{code}: from `{name}` nothing leads `back`: {begins}, so nobody may have handed over")
}
