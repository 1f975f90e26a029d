//! The graph with its names resolved: every edge knows both ends.

use handoffs_core::{Edge, EdgeIndex, NodeIndex, NodeShape, Route, Target, Topology, nearest};
use proc_macro2::Ident;
use syn::ext::IdentExt;

use super::parse::{Arm, END, Graph, Guard};
use super::text::text;
use crate::mistakes::Mistakes;

/// A graph whose edges know their ends.
pub(super) struct Model {
    pub(super) graph: Graph,
    pub(super) topology: Topology,
    /// Where the arm of each edge stands, as node and arm.
    pub(super) arms: Vec<(usize, usize)>,
    /// Whether names were unknown and none is near: what the graph then looks like, nobody knows.
    pub(super) guesswork: bool,
}

impl Model {
    /// Returns the arm that an edge was read from.
    pub(super) fn arm(&self, edge: EdgeIndex) -> Option<&Arm> {
        let (node, arm) = *self.arms.get(usize::from(edge.0))?;
        self.graph.nodes.get(node)?.arms.get(arm)
    }
}

pub(super) fn resolve(graph: Graph, mistakes: &mut Mistakes) -> Option<Model> {
    let mut topology = Topology::new(graph.ident.unraw().to_string());
    for node in &graph.nodes {
        let summary = node.doc.lines().next().unwrap_or_default().to_owned();
        topology.node(NodeShape::new(node.ident.unraw().to_string()).doc(summary));
    }
    let mut guesswork = graph.nodes.iter().any(|node| node.broken);
    let mut names = Names {
        topology: &topology,
        guesswork: &mut guesswork,
        mistakes,
    };
    let start = match &graph.start {
        Some(start) => names.node(start),
        None => Some(NodeIndex(0)),
    };
    let mut edges = Vec::new();
    let mut arms = Vec::new();
    for (from, node) in graph.nodes.iter().enumerate() {
        for (at, arm) in node.arms.iter().enumerate() {
            edges.push(names.edge(NodeIndex(u16::try_from(from).ok()?), arm));
            arms.push((from, at));
        }
    }
    topology.start(start.unwrap_or(NodeIndex(0)));
    for edge in edges {
        topology.edge(edge);
    }
    Some(Model {
        graph,
        topology,
        arms,
        guesswork,
    })
}

/// Looks names up; a name that is wrong counts as the nearest one, so that one typo is one error.
struct Names<'a> {
    topology: &'a Topology,
    guesswork: &'a mut bool,
    mistakes: &'a mut Mistakes,
}

impl Names<'_> {
    fn edge(&mut self, from: NodeIndex, arm: &Arm) -> Edge<NodeIndex> {
        let mut route = match self.target(&arm.target) {
            Target::Node(node) => Route::to(node),
            Target::End => Route::end(),
        };
        if let Some(limit) = &arm.limit {
            route = route.limit(limit.times);
        }
        if let Some(otherwise) = &arm.otherwise {
            route = match self.target(otherwise) {
                Target::Node(node) => route.or_else(node),
                Target::End => route.or_end(),
            };
        }
        let edge = Edge::new(from, text(&arm.pat), route);
        match &arm.guard {
            Guard::Function(guard) => edge.guard(text(guard)),
            Guard::None | Guard::Broken => edge,
        }
    }

    fn target(&mut self, name: &Ident) -> Target<NodeIndex> {
        if name == END {
            return Target::End;
        }
        self.node(name).map_or(Target::End, Target::Node)
    }

    fn node(&mut self, name: &Ident) -> Option<NodeIndex> {
        let wanted = name.unraw().to_string();
        let unknown = match self.topology.resolve(&wanted) {
            Ok(node) => return Some(node),
            Err(unknown) => unknown,
        };
        self.mistakes.mend(name, &unknown, unknown.help());
        let nodes = self.topology.nodes().map(|(_, node)| node.name.as_ref());
        let near = nearest(&wanted, nodes.chain([END]));
        match near {
            Some(END) => None,
            Some(near) => self.topology.resolve(near).ok(),
            None => {
                *self.guesswork = true;
                None
            }
        }
    }
}
