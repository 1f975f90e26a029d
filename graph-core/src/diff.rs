//! What a change of a graph means: a review of two graphs, edge by edge.
//!
//! Nodes are known by their names and edges by what they say, so the order of lines in a drawing and the
//! places of nodes are no difference; neither are documentation and the names of graphs within. What is
//! not to be seen at any one line is looked at as well: new loops, and the bound of the handoffs.

mod change;
mod edges;
mod text;

use std::collections::{BTreeSet, HashMap};

pub use change::{Change, EdgeName, Effect};
pub use text::Markdown;

use crate::check::max_handoffs;
use crate::topology::{NodeKind, NodeShape, Topology};

/// What differs between two graphs; [`Topology::diff`] returns it.
///
/// Its `Display` is for a terminal, [`markdown`](Self::markdown) for a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diff {
    /// The name of the later graph.
    pub name: String,
    /// The differences: nodes, then edges, loops and bounds; those of a graph within come after those
    /// of the graph around it.
    pub changes: Vec<Change>,
}

impl Topology {
    /// Compares this graph with a later one. Either may be read from a drawing by
    /// [`from_dot`](Self::from_dot).
    ///
    /// ```
    /// use handoffs_core::{Edge, NodeShape, Route, Topology};
    ///
    /// let desk = |limit| {
    ///     let mut desk = Topology::new("Desk");
    ///     let triage = desk.node(NodeShape::new("triage"));
    ///     let billing = desk.node(NodeShape::new("billing"));
    ///     desk.start(triage);
    ///     desk.edge(Edge::new(triage, "_", Route::to(billing)));
    ///     desk.edge(Edge::new(billing, "Billed::Done", Route::end()));
    ///     desk.edge(Edge::new(billing, "Billed::WrongDesk", Route::to(triage).limit(limit).or_end()));
    ///     desk
    /// };
    ///
    /// let diff = desk(2).diff(&desk(5));
    /// assert!(diff.loosens());
    /// assert_eq!(
    ///     diff.to_string(),
    ///     "Desk: 3 changes, 3 of which loosen it
    /// ! billing -> triage on `Billed::WrongDesk`: at most 5 times, was 2
    /// ! loop of triage, billing: at most 5 laps, was 2
    /// ! a run: at most 11 handoffs, was 5
    /// ",
    /// );
    /// ```
    pub fn diff(&self, later: &Self) -> Diff {
        let mut changes = Vec::new();
        compare(self, later, "", &mut changes);
        Diff {
            name: later.name().to_owned(),
            changes,
        }
    }
}

impl Diff {
    /// Returns whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns whether something is less bounded than before: a limit is higher or gone, a guard is
    /// gone or another, a loop is new, a person is asked no more, or a node may do more, or is granted more.
    pub fn loosens(&self) -> bool {
        self.changes
            .iter()
            .any(|change| change.effect() == Effect::Loosens)
    }

    /// Returns the text for a pull request.
    pub fn markdown(&self) -> Markdown<'_> {
        Markdown(self)
    }
}

fn compare(before: &Topology, after: &Topology, path: &str, changes: &mut Vec<Change>) {
    let full = |name: &str| match path {
        "" => name.to_owned(),
        _ => format!("{path}/{name}"),
    };
    let (old, new) = (shapes(before), shapes(after));
    for (_, node) in before.nodes() {
        if !new.contains_key(&*node.name) {
            changes.push(Change::NodeRemoved {
                node: full(&node.name),
                is_human: node.kind == NodeKind::Human,
            });
        }
    }
    let mut within = Vec::new();
    for (_, node) in after.nodes() {
        let Some(old) = old.get(&*node.name) else {
            changes.push(Change::NodeAdded {
                node: full(&node.name),
            });
            continue;
        };
        if old.kind != node.kind {
            changes.push(Change::KindChanged {
                node: full(&node.name),
                before: old.kind,
                after: node.kind,
            });
        }
        if old.may != node.may {
            changes.push(Change::MayChanged {
                node: full(&node.name),
                before: old.may.clone(),
                after: node.may.clone(),
            });
        }
        if let (Some(old), Some(new)) = (old.inner.as_deref(), node.inner.as_deref()) {
            within.push((old, new, full(&node.name)));
        }
    }
    let start = |graph: &Topology| graph.start_node().map(|node| full(graph.name_of(node)));
    if start(before) != start(after) {
        changes.push(Change::StartMoved {
            before: start(before),
            after: start(after),
        });
    }
    if before.scopes().is_empty() != after.scopes().is_empty() {
        changes.push(Change::AuthorityChanged {
            graph: path.to_owned(),
            now: !after.scopes().is_empty(),
        });
    }
    edges::compare(before, after, path, changes);
    loops(before, after, path, changes);
    let (old, new) = (max_handoffs(before), max_handoffs(after));
    if old != new {
        changes.push(Change::BoundChanged {
            graph: path.to_owned(),
            before: old,
            after: new,
        });
    }
    for (old, new, path) in within {
        compare(old, new, &path, changes);
    }
}

fn shapes(graph: &Topology) -> HashMap<&str, &NodeShape> {
    graph.nodes().map(|(_, node)| (&*node.name, node)).collect()
}

/// Compares the loops: of nodes that lay on none, and of nodes that did.
fn loops(before: &Topology, after: &Topology, path: &str, changes: &mut Vec<Change>) {
    let named = |graph: &Topology| -> Vec<(Vec<String>, Option<u64>)> {
        let loops = graph.loops().list.into_iter();
        loops
            .map(|lap| {
                let names = lap.nodes.iter().map(|node| graph.name_of(*node).to_owned());
                (names.collect(), lap.laps)
            })
            .collect()
    };
    let (old, new) = (named(before), named(after));
    let nodes = |loops: &[(Vec<String>, _)]| -> BTreeSet<String> {
        loops
            .iter()
            .flat_map(|(nodes, _)| nodes.iter().cloned())
            .collect()
    };
    let (looped, still) = (nodes(&old), nodes(&new));
    for (nodes, _) in &old {
        if nodes.iter().all(|node| !still.contains(node)) {
            changes.push(Change::LoopRemoved {
                graph: path.to_owned(),
                nodes: nodes.clone(),
            });
        }
    }
    for (nodes, laps) in new {
        let graph = path.to_owned();
        if nodes.iter().all(|node| !looped.contains(node)) {
            changes.push(Change::LoopAdded { graph, nodes, laps });
            continue;
        }
        let joined: Vec<_> = nodes
            .iter()
            .filter(|node| !looped.contains(*node))
            .cloned()
            .collect();
        let met = old
            .iter()
            .filter(|(other, _)| other.iter().any(|node| nodes.contains(node)));
        let old_laps: Option<u64> = met
            .map(|(_, laps)| *laps)
            .try_fold(0_u64, |sum, laps| Some(sum.saturating_add(laps?)));
        if !joined.is_empty() || old_laps != laps {
            changes.push(Change::LoopChanged {
                graph,
                nodes,
                joined,
                before: old_laps,
                after: laps,
            });
        }
    }
}

#[cfg(test)]
mod tests;
