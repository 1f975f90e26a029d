//! The words of the findings: what is wrong, and how to mend it.
//!
//! Kept in one place so that the macro, the builder and the pages say the same. A help that proposes
//! an edge proposes one that would pass: see [`fallback`].

use std::fmt::Write as _;

use petgraph::visit::Reversed;

use super::finding::{Code, Finding};
use super::name::RESERVED;
use super::reach::{closure, ending};
use crate::route::{Route, Target};
use crate::topology::{
    Edge, EdgeIndex, NodeIndex, NodeKind, Topology, Way, reads_as_missing, vertex,
};

/// The limit that a help proposes when the user wrote none.
const SOME_LIMIT: u32 = 3;

impl Finding {
    /// Returns what is wrong, beginning with the code, on one line.
    pub fn message(&self, topology: &Topology) -> String {
        let name = |node: &NodeIndex| topology.name_of(*node);
        let code = self.code();
        match self {
            Self::UnknownNode { unknown } => unknown.to_string(),
            Self::Unreachable { node, behind } => {
                let start = topology.start_node().as_ref().map_or("?", name);
                let mut text = format!("{code}: no path leads from `{start}` to `{}`", name(node));
                if !behind.is_empty() {
                    let _ = write!(text, ", nor to {} behind it", names(topology, behind));
                }
                text
            }
            Self::Trap { node, others } if others.is_empty() => {
                format!(
                    "{code}: `{}` is a trap: no path leads from it to `end`",
                    name(node)
                )
            }
            Self::Trap { node, others } => format!(
                "{code}: {} are a trap: no path leads from them to `end`",
                names(topology, &with(*node, others)),
            ),
            Self::UnboundedLoop { nodes, .. } => {
                let mut text = format!("{code}: a handoff loop without a bound: `");
                for node in nodes {
                    let _ = write!(text, "{} -> ", name(node));
                }
                let _ = write!(text, "{}`", nodes.first().map_or("?", name));
                text
            }
            Self::Stranded { node, join, .. } => format!(
                "{code}: `{}` is stranded when its limits are used up: no way is left to {}",
                name(node),
                match join {
                    Some(join) => format!("the join `{}`", name(join)),
                    None => "`end`".to_owned(),
                },
            ),
            Self::BranchEnds { .. }
            | Self::Starved { .. }
            | Self::TwoRegions { .. }
            | Self::SharedJoin { .. }
            | Self::BranchIsJoin { .. }
            | Self::NoBranches { .. }
            | Self::SameBranch { .. }
            | Self::ZeroConcurrency { .. } => super::fork::text::message(self, topology),
            Self::UselessElse { edge } => useless_else(topology, *edge),
            Self::NoRefusal { edge } | Self::NotApprovable { edge } => {
                super::approval::message(topology, self, *edge)
            }
            Self::GrantsBeyond { .. }
            | Self::UsesUngranted { .. }
            | Self::GrantsUngranted { .. }
            | Self::UnknownScope { .. }
            | Self::MisnamedScope { .. }
            | Self::UselessGrant { .. } => super::authority::message(topology, self),
            Self::NobodyBefore { edge } => super::back::message(topology, *edge),
            Self::ZeroLimit { edge } => {
                let from = topology
                    .get_edge(*edge)
                    .map_or("?", |edge| name(&edge.from));
                format!("{code}: an edge of `{from}` has a limit of 0, so it can never be taken")
            }
            Self::DuplicateName { node, .. } => {
                format!("{code}: two nodes are named `{}`", name(node))
            }
            Self::ReservedName { node } => {
                format!(
                    "{code}: `{}` is a reserved word and no name for a node",
                    name(node)
                )
            }
            Self::FormerNameTaken { node, at } => {
                let (of, old) = (whose(topology, *node), former(topology, *node, *at));
                match node {
                    Some(_) => {
                        format!(
                            "{code}: `{old}` cannot be a former name of {of}: a node has it now"
                        )
                    }
                    None => format!("{code}: `{old}` is the name that {of} has now"),
                }
            }
            Self::FormerNameTwice { node, at } => format!(
                "{code}: `{}` is given twice as a former name",
                former(topology, *node, *at),
            ),
            Self::NoStart => format!("{code}: nothing says at which node a run starts"),
            Self::TooLarge => format!(
                "{code}: the graph is too large: it may have {most} nodes and {most} edges",
                most = Topology::MOST,
            ),
        }
    }

    /// Returns how to mend it, on one line.
    pub fn help(&self, topology: &Topology) -> String {
        let name = |node: &NodeIndex| topology.name_of(*node);
        match self {
            Self::UnknownNode { unknown } => unknown.help().to_owned(),
            Self::Unreachable { node, behind } => format!(
                "lead an edge to `{}`, or remove {}",
                name(node),
                if behind.is_empty() { "it" } else { "them" },
            ),
            Self::Trap { node, others } => lead_on(topology, *node, others, "end"),
            Self::BranchEnds { .. }
            | Self::Starved { .. }
            | Self::TwoRegions { .. }
            | Self::SharedJoin { .. }
            | Self::BranchIsJoin { .. }
            | Self::NoBranches { .. }
            | Self::SameBranch { .. }
            | Self::ZeroConcurrency { .. } => super::fork::text::help(self, topology),
            Self::UnboundedLoop { closed_by, .. } => match closed_by.first() {
                Some(way) => bound(topology, *way, closed_by),
                None => String::from("bound it with a `limit`"),
            },
            Self::Stranded { edges, .. } => match edges.first() {
                Some(edge) => with_else(topology, *edge),
                None => String::from("add an `else` to the edge"),
            },
            Self::UselessElse { .. } => "remove it, or give the edge a `limit`".to_owned(),
            Self::NoRefusal { edge } | Self::NotApprovable { edge } => {
                super::approval::help(topology, *edge)
            }
            Self::GrantsBeyond { .. }
            | Self::UsesUngranted { .. }
            | Self::GrantsUngranted { .. }
            | Self::UnknownScope { .. }
            | Self::MisnamedScope { .. }
            | Self::UselessGrant { .. } => super::authority::help(topology, self),
            Self::NobodyBefore { .. } => "name the node to go to".to_owned(),
            Self::ZeroLimit { .. } => "allow it at least once, or remove it".to_owned(),
            Self::DuplicateName { .. } => "rename one of them".to_owned(),
            Self::ReservedName { .. } => {
                format!(
                    "rename it; these words have a meaning in a route: {}",
                    quoted(RESERVED)
                )
            }
            Self::FormerNameTaken { node: Some(_), .. } => {
                "remove it, or give that node another name: nobody could tell whose an old entry is"
                    .to_owned()
            }
            Self::FormerNameTaken { node: None, .. } | Self::FormerNameTwice { .. } => {
                "remove it".to_owned()
            }
            Self::NoStart => match topology.nodes().next() {
                Some((_, first)) => format!("name it, for example `start = {}`", first.name),
                None => "declare a node and start there".to_owned(),
            },
            Self::TooLarge => {
                "make a part of it a graph of its own, and that graph a node".to_owned()
            }
        }
    }
}

fn useless_else(topology: &Topology, edge: EdgeIndex) -> String {
    let name = |node: &NodeIndex| topology.name_of(*node);
    let edge = topology.get_edge(edge);
    let to = edge.and_then(|edge| edge.route.otherwise());
    let to = to.map_or("?", |to| to.node().as_ref().map_or("end", name));
    let code = Code::H011;
    format!("{code}: `else = {to}` is never taken: the edge has no limit, and lies on no loop")
}

/// Names a node, or the graph itself.
fn whose(topology: &Topology, node: Option<NodeIndex>) -> String {
    match node {
        Some(node) => format!("`{}`", topology.name_of(node)),
        None => "the graph".to_owned(),
    }
}

/// Returns a name that a node, or the graph itself, had before.
fn former(topology: &Topology, node: Option<NodeIndex>, at: usize) -> &str {
    match node {
        Some(node) => {
            let shape = topology.get_node(node);
            let old = shape.and_then(|shape| shape.renamed_from.get(at));
            old.map_or("?", AsRef::as_ref)
        }
        None => topology.former_names().nth(at).unwrap_or("?"),
    }
}

/// Proposes routes for nodes from which no path leads to `goal`.
pub(super) fn lead_on(
    topology: &Topology,
    node: NodeIndex,
    others: &[NodeIndex],
    goal: &str,
) -> String {
    let has_route = |node: &NodeIndex| topology.edges_from(*node).any(|(_, edge)| !edge.on_error);
    let mut dead_ends = with(node, others);
    dead_ends.retain(|node| !has_route(node));
    if dead_ends == [node] && others.is_empty() {
        format!("it has no route: add `#[route(_ => {goal})]`")
    } else if dead_ends.is_empty() {
        format!(
            "lead on from here, for example with `_ => {goal}` in the route of `{}`",
            topology.name_of(node)
        )
    } else {
        let has = if dead_ends.len() == 1 { "has" } else { "have" };
        format!(
            "{} {has} no route: add `#[route(_ => {goal})]`",
            names(topology, &dead_ends),
        )
    }
}

/// Proposes a bound for the loop that `way` closes.
fn bound(topology: &Topology, way: Way, closed_by: &[Way]) -> String {
    let Some(edge) = topology.get_edge(way.edge) else {
        return String::new();
    };
    let elsewhere = fallback(topology, edge);
    if way.is_else {
        let route = edge.route.bounded(edge.route.times(), Some(elsewhere));
        return format!(
            "no limit holds for an `else`; lead it elsewhere, for example `{}`",
            named(topology, route),
        );
    }
    if edge.guard.as_deref().is_some_and(reads_as_missing) {
        // The arm behind it leads to the node of which something is missing.
        let arm = EdgeIndex(way.edge.0.saturating_add(1));
        let elsewhere = topology.get_edge(arm).map(|arm| fallback(topology, arm));
        let elsewhere = elsewhere.unwrap_or(Target::End);
        let elsewhere = elsewhere.map(|node| topology.name_of(node));
        return format!(
            "no limit holds for a `missing`; lead it elsewhere, for example `missing = {elsewhere}`"
        );
    }
    // An `else` that the user wrote is kept, unless it would close the same loop.
    let else_closes = closed_by
        .iter()
        .any(|other| other.is_else && other.edge == way.edge);
    let otherwise = edge
        .route
        .otherwise()
        .copied()
        .filter(|_| !else_closes)
        .unwrap_or(elsewhere);
    let route = edge.route.bounded(Some(SOME_LIMIT), Some(otherwise));
    format!("bound it, for example `{}`", named(topology, route))
}

/// Proposes an `else` for a limited edge that has none.
fn with_else(topology: &Topology, edge: EdgeIndex) -> String {
    topology.get_edge(edge).map_or_else(String::new, |edge| {
        let elsewhere = fallback(topology, edge);
        if elsewhere == *edge.route.target() {
            return "remove the limit: at the join the branch is over".to_owned();
        }
        let route = edge.route.bounded(edge.route.times(), Some(elsewhere));
        let route = named(topology, route);
        format!("say where to go then, for example `{route}`")
    })
}

/// Returns where an `else` of the edge could lead: to a person if there is one, else to where a
/// catch-all arm of the same cycle leads, else to another node to which its own node hands over
/// anyway, else to the end, or in a branch to the join.
///
/// A node only counts if it is in the same branch, and a run gets from it to the end, or to the join,
/// and never back to where the edge begins, so that the proposal closes no new loop.
pub(super) fn fallback(topology: &Topology, edge: &Edge<NodeIndex>) -> Target<NodeIndex> {
    let regions = topology.regions();
    let region = regions.of[edge.from.slot()];
    let graph = topology.digraph(|_| true);
    let ends = ending(topology, &regions);
    let returns = closure(Reversed(&graph), vertex(edge.from));
    let follows = closure(&graph, vertex(edge.from));
    let fits = |node: &NodeIndex| {
        let is_target = *edge.route.target() == Target::Node(*node);
        let is_here = regions.of[node.slot()] == region;
        ends[node.slot()] && !returns[node.slot()] && !is_target && is_here
    };
    // The first in the order of nodes, as the order of edges must not matter.
    let receiver = |wanted: &dyn Fn(&Edge<NodeIndex>) -> bool| {
        topology
            .edges()
            .filter(|(_, edge)| !edge.on_error && wanted(edge))
            .filter_map(|(_, edge)| edge.route.target().node())
            .filter(fits)
            .min()
    };

    let person = topology
        .nodes()
        .filter(|(_, node)| node.kind == NodeKind::Human)
        .map(|(index, _)| index)
        .find(fits);
    person
        .or_else(|| {
            receiver(&|other| {
                let from = other.from.slot();
                other.on == "_" && other.guard.is_none() && returns[from] && follows[from]
            })
        })
        .or_else(|| receiver(&|other| other.from == edge.from))
        .or_else(|| regions.join(region))
        .map_or(Target::End, Target::Node)
}

fn named(topology: &Topology, route: Route<NodeIndex>) -> String {
    route
        .map(|node| topology.name_of(node).to_owned())
        .to_string()
}

pub(super) fn with(node: NodeIndex, others: &[NodeIndex]) -> Vec<NodeIndex> {
    std::iter::once(node)
        .chain(others.iter().copied())
        .collect()
}

/// Lists nodes for the middle of a sentence, the first few of them if there are many.
pub(super) fn names(topology: &Topology, nodes: &[NodeIndex]) -> String {
    const SHOWN: usize = 8;
    let more = nodes.len().saturating_sub(SHOWN);
    let shown = &nodes[..nodes.len() - more];
    let mut text = String::new();
    for (place, node) in shown.iter().enumerate() {
        let is_last = place + 1 == shown.len() && more == 0;
        let _ = match (place, is_last) {
            (0, _) => Ok(()),
            (_, true) => text.write_str(" and "),
            (_, false) => text.write_str(", "),
        };
        let _ = write!(text, "`{}`", topology.name_of(*node));
    }
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    text
}

/// Lists words in backticks, separated by commas.
pub(super) fn quoted<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for word in words {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}`{word}`");
    }
    text
}
