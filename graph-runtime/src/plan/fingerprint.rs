//! The name by which a journal knows a graph.

use handoffs_core::{Branches, Field, NodeIndex, Route, Topology};

use super::Inner;
use crate::journal::{GraphId, Hash};

/// Names a graph after all that a journal of it relies on.
///
/// What it was called before, and its nodes and fields, is none of that: who takes such a name away has
/// the same graph.
pub(super) fn graph_id(topology: &Topology, fields: &[Field], inner: &[Option<Inner>]) -> GraphId {
    let mut text = String::new();
    let mut line = |words: &[&str]| {
        for word in words {
            // A length in front keeps two lists of words from running into the same text.
            for part in [&word.len().to_string(), ":", word, ","] {
                text.push_str(part);
            }
        }
        text.push('\n');
    };
    for field in fields {
        match field.__ty() {
            "" => line(&["field", field.name]),
            ty => line(&["field", field.name, ty]),
        }
    }
    for (_, node) in topology.nodes() {
        line(&["node", &node.name]);
    }
    for scope in topology.scopes() {
        line(&["scope", &scope.name]);
    }
    for (_, node) in topology.nodes().filter(|(_, node)| !node.may.is_empty()) {
        line(&["may", &node.name, &node.may.to_string()]);
    }
    if let Some(start) = topology.start_node() {
        line(&["start", &start.to_string()]);
    }
    for (_, edge) in topology.edges() {
        let kind = if edge.on_error { "error" } else { "edge" };
        line(&[
            kind,
            &edge.from.to_string(),
            &edge.label(),
            &lead(&edge.route),
        ]);
    }
    for (node, inner) in inner.iter().enumerate() {
        if let Some(inner) = inner {
            line(&["graph", &node.to_string(), &inner.plan.id.0]);
        }
    }
    let hash = Hash::of(text.as_bytes()).to_string();
    GraphId(format!("{}#{}", topology.name(), hash.get(..16).unwrap_or(&hash)).into())
}

/// Says where a route leads. How many branches run at a time makes no other graph.
fn lead(route: &Route<NodeIndex>) -> String {
    let mut plain = match route.fork().map(|fork| &fork.branches) {
        Some(Branches::All(all)) => Route::all(all.iter().copied(), NodeIndex(u16::MAX)),
        Some(Branches::Each { items, worker }) => {
            Route::each(items.clone(), *worker, NodeIndex(u16::MAX))
        }
        None if route.is_back() => {
            let target = route.target();
            return format!("{target} {route}");
        }
        None => return route.to_string(),
    };
    if let Some(times) = route.times() {
        plain = plain.limit(times);
    }
    if let Some(grant) = route.granted() {
        plain = plain.grant(grant.clone());
    }
    let otherwise = route
        .otherwise()
        .map(ToString::to_string)
        .unwrap_or_default();
    format!("{plain} {} {otherwise}", route.target())
}
