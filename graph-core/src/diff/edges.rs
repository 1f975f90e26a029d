//! Which edge of one graph is which of the other, and what has become of it.

use std::collections::{HashMap, HashSet};

use super::change::{Change, EdgeName};
use crate::route::{Route, Target};
use crate::topology::{Edge, NodeKind, Topology};

type Named = Edge<String>;

/// A graph's edges by names, by the node that they leave.
fn edges(graph: &Topology) -> HashMap<String, Vec<Named>> {
    let mut edges: HashMap<String, Vec<Named>> = HashMap::new();
    for (_, edge) in graph.edges() {
        let edge = edge.clone().map(|node| graph.name_of(node).to_owned());
        edges.entry(edge.from.clone()).or_default().push(edge);
    }
    edges
}

pub(super) fn compare(before: &Topology, after: &Topology, path: &str, changes: &mut Vec<Change>) {
    let (old, new) = (edges(before), edges(after));
    let mut seen = HashSet::new();
    let names = after
        .nodes()
        .chain(before.nodes())
        .map(|(_, node)| &*node.name);
    for name in names.filter(|name| seen.insert(*name)) {
        let node = Node {
            before,
            after,
            path,
            name,
        };
        let of = |edges: &HashMap<String, Vec<Named>>| edges.get(name).cloned().unwrap_or_default();
        node.compare(&of(&old), &of(&new), changes);
    }
}

struct Node<'a> {
    before: &'a Topology,
    after: &'a Topology,
    path: &'a str,
    name: &'a str,
}

impl Node<'_> {
    fn compare(&self, old: &[Named], new: &[Named], changes: &mut Vec<Change>) {
        let pairs = pairs(old, new);
        for (place, edge) in old.iter().enumerate() {
            if pairs.iter().all(|(old, _)| *old != place) {
                let edge = self.edge(edge);
                changes.push(Change::EdgeRemoved { edge });
            }
        }
        let mut last = None;
        let mut is_reordered = false;
        for (place, edge) in new.iter().enumerate() {
            let Some((was, _)) = pairs.iter().find(|(_, new)| *new == place) else {
                let edge = self.edge(edge);
                changes.push(Change::EdgeAdded { edge });
                continue;
            };
            self.compare_edge(&old[*was], edge, changes);
            if !edge.on_error {
                is_reordered |= last.is_some_and(|last| last > *was);
                last = Some(*was);
            }
        }
        if is_reordered {
            let node = self.full(self.name);
            changes.push(Change::Reordered { node });
        }
    }

    fn compare_edge(&self, old: &Named, new: &Named, changes: &mut Vec<Change>) {
        let edge = || self.edge(new);
        if old.on != new.on {
            let before = old.on.to_string();
            changes.push(Change::PatternChanged {
                edge: edge(),
                before,
            });
        }
        if old.guard != new.guard {
            changes.push(Change::GuardChanged {
                edge: edge(),
                before: old.guard.as_deref().map(str::to_owned),
                after: new.guard.as_deref().map(str::to_owned),
            });
        }
        let (was, is) = (&old.route, &new.route);
        if target(was) != target(is) {
            changes.push(Change::Retargeted {
                edge: edge(),
                before: target(was),
                leaves_human: asks(self.before, Some(was.target()))
                    && !asks(self.after, Some(is.target())),
            });
        }
        if was.times() != is.times() {
            changes.push(Change::LimitChanged {
                edge: edge(),
                before: was.times(),
                after: is.times(),
            });
        }
        if was.approval() != is.approval() {
            changes.push(Change::ApprovalChanged {
                edge: edge(),
                before: was.approval().map(str::to_owned),
                after: is.approval().map(str::to_owned),
            });
        }
        if was.granted() != is.granted() {
            changes.push(Change::GrantChanged {
                edge: edge(),
                before: was.granted().cloned(),
                after: is.granted().cloned(),
            });
        }
        if was.otherwise() != is.otherwise() {
            changes.push(Change::ElseChanged {
                edge: edge(),
                before: was.otherwise().cloned(),
                after: is.otherwise().cloned(),
                leaves_human: asks(self.before, was.otherwise())
                    && !asks(self.after, is.otherwise()),
            });
        }
        let most = |route: &Route<String>| route.fork().and_then(|fork| fork.concurrency);
        // Of an edge that was no fork nothing ran at a time.
        if was.fork().is_some() && is.fork().is_some() && most(was) != most(is) {
            changes.push(Change::ConcurrencyChanged {
                edge: edge(),
                before: most(was),
                after: most(is),
            });
        }
    }

    fn edge(&self, edge: &Named) -> EdgeName {
        EdgeName {
            from: self.full(&edge.from),
            label: edge.label().into_owned(),
            to: target(&edge.route),
        }
    }

    fn full(&self, name: &str) -> String {
        match self.path {
            "" => name.to_owned(),
            path => format!("{path}/{name}"),
        }
    }
}

/// Pairs the edges of a node with those that they have become: those that say the same first, then
/// those that differ in one thing.
fn pairs(old: &[Named], new: &[Named]) -> Vec<(usize, usize)> {
    let on = |old: &Named, new: &Named| old.on == new.on;
    let guard = |old: &Named, new: &Named| old.guard == new.guard;
    let to = |old: &Named, new: &Named| target(&old.route) == target(&new.route);
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    let mut pair = |is_same: &dyn Fn(&Named, &Named) -> bool| {
        for (place, edge) in new.iter().enumerate() {
            if pairs.iter().any(|(_, new)| *new == place) {
                continue;
            }
            let free = |(was, _): &(usize, &Named)| pairs.iter().all(|(old, _)| old != was);
            let found = (old.iter().enumerate().filter(free))
                .find(|(_, other)| other.on_error == edge.on_error && is_same(other, edge));
            if let Some((was, _)) = found {
                pairs.push((was, place));
            }
        }
    };
    pair(&|old, new| old == new);
    pair(&|old, new| on(old, new) && guard(old, new) && to(old, new));
    pair(&|old, new| on(old, new) && guard(old, new));
    pair(&|old, new| on(old, new) && to(old, new));
    pair(&|old, new| on(old, new));
    pair(&|old, new| guard(old, new) && to(old, new));
    pairs
}

/// Returns where an edge leads, without its limit.
fn target(route: &Route<String>) -> String {
    let join = route.target();
    match route.fork() {
        None if route.is_back() => format!("{join}, back"),
        None => join.to_string(),
        Some(fork) => format!("{} join {join}", fork.branches),
    }
}

fn asks(graph: &Topology, target: Option<&Target<String>>) -> bool {
    let Some(Target::Node(name)) = target else {
        return false;
    };
    let mut nodes = graph.nodes().filter(|(_, node)| node.name == **name);
    nodes.any(|(_, node)| node.kind == NodeKind::Human)
}
