//! Authority only narrows (H010): a node grants what it may, and holds what some path grants it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::finding::{Finding, Place};
use super::name::nearest;
use super::text::names;
use crate::authority::Grant;
use crate::route::{Route, Target};
use crate::topology::{Edge, EdgeIndex, NodeIndex, Regions, Topology};

/// Finds what is wrong with who may do what.
pub(super) fn check(topology: &Topology) -> Vec<Finding> {
    let mut findings = names_of_scopes(topology);
    if !findings.is_empty() {
        // Of a name that is wrong nobody can tell who was meant to hold it.
        return findings;
    }
    let named: BTreeSet<&str> = topology
        .nodes()
        .flat_map(|(_, node)| node.may.uses.iter().chain(&node.may.grants))
        .map(AsRef::as_ref)
        .collect();
    let receivers = Receivers::new(topology);
    for (index, edge) in in_order(topology) {
        let Some(grant) = edge.route.granted() else {
            continue;
        };
        if receivers.of(edge).next().is_none() {
            findings.push(Finding::UselessGrant { edge: index });
            continue;
        }
        let may = topology.get_node(edge.from).map(|node| &node.may.grants);
        for (at, scope) in grant.named().iter().enumerate() {
            if may.is_some_and(|may| !may.contains(scope)) {
                findings.push(Finding::GrantsBeyond { edge: index, at });
            }
        }
    }
    let reached = reached(topology, &receivers);
    let mut lacking: Vec<_> = named
        .iter()
        .flat_map(|scope| lacking(topology, scope, &reached, &receivers))
        .collect();
    lacking.sort_by_key(|(node, place, _)| (*node, *place));
    findings.extend(lacking.into_iter().map(|(node, (is_grant, at), scope)| {
        let scope = scope.to_owned();
        if is_grant {
            Finding::GrantsUngranted { node, at, scope }
        } else {
            Finding::UsesUngranted { node, at, scope }
        }
    }));
    findings
}

/// Returns the edges in an order that does not depend on that of their declaration.
fn in_order(topology: &Topology) -> Vec<(EdgeIndex, &Edge<NodeIndex>)> {
    let mut edges: Vec<_> = topology.edges().collect();
    edges.sort_by_key(|(index, edge)| (edge.from, edge.route.target().node(), *index));
    edges
}

/// Who gets what an edge grants.
struct Receivers {
    regions: Regions,
}

impl Receivers {
    fn new(topology: &Topology) -> Self {
        let regions = topology.regions();
        Self { regions }
    }

    /// Returns the nodes that get what an edge grants: to which it leads, by its target, its branches or its
    /// `else`. Who goes back, or to itself, grants nothing, nor does the end of a branch: the join has what
    /// the fork grants.
    fn of(&self, edge: &Edge<NodeIndex>) -> impl Iterator<Item = NodeIndex> {
        let region = |node: NodeIndex| self.regions.of.get(node.slot()).copied().flatten();
        let target = Some(*edge.route.target()).filter(|_| !edge.is_back());
        let entries = edge.route.fork().map_or(&[][..], |fork| fork.entries());
        let targets = target.into_iter().chain(edge.route.otherwise().copied());
        let from = edge.from;
        let nodes = targets
            .filter_map(Target::node)
            .filter(move |to| region(*to) == region(from));
        nodes
            .chain(entries.iter().copied())
            .filter(move |to| *to != from)
    }
}

/// Finds names that are none of the graph's scopes, and scopes that cannot be written down.
fn names_of_scopes(topology: &Topology) -> Vec<Finding> {
    let scopes = || topology.scopes().iter().map(|scope| scope.name.as_ref());
    let is_word = |name: &str| {
        let is_letter = |letter: char| letter.is_alphanumeric() || "_-.:/".contains(letter);
        !name.is_empty() && name.chars().all(is_letter)
    };
    let misnamed = scopes().filter(|name| !is_word(name));
    let mut findings: Vec<_> = misnamed
        .map(|name| Finding::MisnamedScope {
            name: name.to_owned(),
        })
        .collect();
    let mut look_up = |names: &[Cow<'static, str>], place: &dyn Fn(usize) -> Place| {
        for (at, name) in names.iter().enumerate() {
            if scopes().all(|scope| scope != name) {
                findings.push(Finding::UnknownScope {
                    at: place(at),
                    name: name.to_string(),
                    near: nearest(name, scopes()).map(str::to_owned),
                });
            }
        }
    };
    for (index, node) in topology.nodes() {
        look_up(&node.may.uses, &|at| Place::Use(index, at));
        look_up(&node.may.grants, &|at| Place::MayGrant(index, at));
    }
    for (index, edge) in in_order(topology) {
        let grant = edge.route.granted().map_or(&[][..], Grant::named);
        look_up(grant, &|at| Place::Grant(index, at));
    }
    findings
}

/// Returns which nodes a run comes to.
fn reached(topology: &Topology, receivers: &Receivers) -> Vec<bool> {
    let mut next: Vec<Vec<NodeIndex>> = vec![Vec::new(); topology.nodes().len()];
    for (_, edge) in topology.edges() {
        next[edge.from.slot()].extend(receivers.of(edge));
    }
    let mut reached = vec![false; next.len()];
    let mut queue: Vec<_> = topology.start_node().into_iter().collect();
    while let Some(node) = queue.pop() {
        if !std::mem::replace(&mut reached[node.slot()], true) {
            queue.extend(next[node.slot()].iter().copied());
        }
    }
    reached
}

/// Where a node names a scope: whether among what it may grant, and at which place.
type Named = (bool, usize);

/// Returns the nodes that name a scope which no path grants them. Of several that would get it from each
/// other, it is the first, as the others have it once that one does.
fn lacking<'a>(
    topology: &Topology,
    scope: &'a str,
    reached: &[bool],
    receivers: &Receivers,
) -> Vec<(NodeIndex, Named, &'a str)> {
    let may = |node: NodeIndex| topology.get_node(node).map(|node| &node.may);
    let place = |node: NodeIndex| -> Option<Named> {
        let may = may(node)?;
        let at = |list: &[Cow<'static, str>]| list.iter().position(|own| own == scope);
        let used = at(&may.uses).map(|at| (false, at));
        used.or_else(|| Some((true, at(&may.grants)?)))
    };
    // What a node grants that may not is said of that node, and counts as granted.
    let may_grant = |node| may(node).is_some_and(|may| may.grants.iter().any(|own| own == scope));
    let mut next: Vec<Vec<NodeIndex>> = vec![Vec::new(); reached.len()];
    let mut queue: Vec<_> = topology.start_node().into_iter().collect();
    for (_, edge) in topology.edges().filter(|(_, edge)| grants(edge, scope)) {
        let to = receivers.of(edge);
        if may_grant(edge.from) {
            next[edge.from.slot()].extend(to.filter(|to| may_grant(*to) || place(*to).is_some()));
        } else {
            queue.extend(to);
        }
    }
    let spread = |queue: &mut Vec<NodeIndex>, held: &mut Vec<bool>| {
        while let Some(node) = queue.pop() {
            let is_new = !std::mem::replace(&mut held[node.slot()], true);
            if is_new && may_grant(node) {
                queue.extend(next[node.slot()].iter().copied());
            }
        }
    };
    let mut held = vec![false; reached.len()];
    spread(&mut queue, &mut held);
    let lacks = |node: NodeIndex, held: &[bool]| {
        reached[node.slot()] && !held[node.slot()] && place(node).is_some()
    };
    let from_others: BTreeSet<_> = topology
        .nodes()
        .filter(|(node, _)| lacks(*node, &held))
        .flat_map(|(node, _)| next[node.slot()].iter().copied())
        .collect();
    let mut found = Vec::new();
    let all = || topology.nodes().map(|(node, _)| node);
    // Those to which nobody would grant it first, then one of each ring of those that would.
    for is_in_ring in [false, true] {
        for node in all() {
            if lacks(node, &held) && (is_in_ring || !from_others.contains(&node)) {
                found.extend(place(node).map(|place| (node, place, scope)));
                spread(&mut vec![node], &mut held);
            }
        }
    }
    found
}

/// Says what is wrong.
pub(super) fn message(topology: &Topology, finding: &Finding) -> String {
    let code = finding.code();
    let name = |node: NodeIndex| topology.name_of(node);
    match finding {
        Finding::UnknownScope { name, .. } => format!("{code}: no scope is named `{name}`"),
        Finding::MisnamedScope { name } => {
            format!("{code}: `{name}` cannot be the name of a scope")
        }
        Finding::UselessGrant { edge } => {
            let is_back = topology.get_edge(*edge).is_some_and(Edge::is_back);
            let why = if is_back {
                "whoever is gone back to has the authority that it had"
            } else {
                "the edge hands over to nobody"
            };
            format!("{code}: there is nobody to grant this to: {why}")
        }
        Finding::GrantsBeyond { edge, at } => {
            let Some(edge) = topology.get_edge(*edge) else {
                return code.to_string();
            };
            let scope = edge
                .route
                .granted()
                .and_then(|grant| grant.named().get(*at));
            let scope = scope.map_or("?", AsRef::as_ref);
            let to: Vec<_> = Receivers::new(topology).of(edge).collect();
            let (from, to) = (name(edge.from), names(topology, &to));
            format!("{code}: `{from}` grants `{scope}` to {to}, and may not")
        }
        Finding::UsesUngranted { node, scope, .. } => {
            let ways = ways(topology, *node, scope);
            format!("{code}: `{}` uses `{scope}`, and {ways}", name(*node))
        }
        Finding::GrantsUngranted { node, scope, .. } => {
            let ways = ways(topology, *node, scope);
            format!("{code}: `{}` may grant `{scope}`, and {ways}", name(*node))
        }
        _ => code.to_string(),
    }
}

/// Says that none of the ways to a node grants a scope.
fn ways(topology: &Topology, node: NodeIndex, scope: &str) -> String {
    const SHOWN: usize = 3;
    let mut senders = senders(topology, node);
    let ring = senders.iter().find(|(_, edge)| grants(edge, scope));
    let ring = ring.map(|(_, edge)| topology.name_of(edge.from));
    senders.retain(|(_, edge)| !grants(edge, scope));
    senders.dedup_by_key(|(_, edge)| edge.from);
    let more = senders.len().saturating_sub(SHOWN);
    let shown: Vec<_> = senders
        .iter()
        .take(SHOWN)
        .map(|(_, edge)| {
            let (from, to) = (topology.name_of(edge.from), topology.name_of(node));
            format!("`{from} -> {to}`")
        })
        .collect();
    let text = match (shown.as_slice(), more) {
        ([], _) => "no path grants it".to_owned(),
        ([only], _) => format!("no path grants it: {only} does not"),
        (ways, 0) => format!("no path grants it: neither {} does", ways.join(" nor ")),
        (ways, more) => {
            let ways = ways.join(", ");
            format!("no path grants it: none of {ways} and {more} more does")
        }
    };
    match ring {
        None => text,
        Some(ring) => format!("{text}, and `{ring}`, which would, does not have it"),
    }
}

/// Returns whether an edge grants a scope.
fn grants(edge: &Edge<NodeIndex>, scope: &str) -> bool {
    let grant = edge.route.granted();
    grant.is_some_and(|grant| grant.named().iter().any(|own| own == scope))
}

/// Returns the edges that lead to a node from another.
fn senders(topology: &Topology, node: NodeIndex) -> Vec<(EdgeIndex, &Edge<NodeIndex>)> {
    let receivers = Receivers::new(topology);
    let edges = in_order(topology).into_iter();
    edges
        .filter(|(_, edge)| receivers.of(edge).any(|to| to == node))
        .collect()
}

/// Says how to mend it.
pub(super) fn help(topology: &Topology, finding: &Finding) -> String {
    let name = |node: NodeIndex| topology.name_of(node);
    match finding {
        Finding::UnknownScope {
            near: Some(near), ..
        } => format!("did you mean `{near}`?"),
        Finding::UnknownScope { .. } => "add it to the scopes of the graph".to_owned(),
        Finding::MisnamedScope { .. } => {
            "a name is made of letters, digits, `_`, `-`, `.`, `:` and `/`".to_owned()
        }
        Finding::GrantsBeyond { edge, .. } => {
            let from = topology.get_edge(*edge).map_or("?", |edge| name(edge.from));
            format!("add it to what `{from}` may grant, in `may(grant(..))`, or remove it here")
        }
        Finding::UsesUngranted { node, scope, .. }
        | Finding::GrantsUngranted { node, scope, .. } => {
            let mut senders = senders(topology, *node).into_iter();
            let Some((_, edge)) = senders.find(|(_, edge)| !grants(edge, scope)) else {
                return "remove it".to_owned();
            };
            let route = with_scope(&edge.route, scope);
            let route = route.map(|node| name(node).to_owned());
            let from = topology.get_node(edge.from);
            let may = from.is_some_and(|from| from.may.grants.iter().any(|own| own == scope));
            let from = name(edge.from);
            let also = if may {
                String::new()
            } else {
                format!(", and let `{from}` grant it")
            };
            format!("write `{route}` in the route of `{from}`{also}; or remove it here")
        }
        _ => "remove it".to_owned(),
    }
}

/// Returns a route that grants a scope besides.
fn with_scope(route: &Route<NodeIndex>, scope: &str) -> Route<NodeIndex> {
    let mut grant = route
        .granted()
        .cloned()
        .unwrap_or_else(|| Grant::of([""; 0]));
    let mut scopes = grant.named().to_vec();
    scopes.push(scope.to_owned().into());
    grant.scopes = Some(scopes.into());
    route.clone().grant(grant)
}
