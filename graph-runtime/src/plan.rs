//! What a run has to know of its graph, and the name by which a journal knows the graph.

use handoffs_core::{NodeIndex, NodeKind, Target, Topology};

use crate::journal::{GraphId, Hash};

/// What the engine has to know of a graph.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) id: GraphId,
    pub(crate) start: u16,
    pub(crate) nodes: Vec<String>,
    pub(crate) edges: Vec<PlanEdge>,
    /// The node that may ask a person by its kind, if there is one.
    pub(crate) human: Option<String>,
}

/// What the engine has to know of an edge.
#[derive(Debug)]
pub(crate) struct PlanEdge {
    pub(crate) from: u16,
    pub(crate) to: Target<u16>,
    pub(crate) otherwise: Option<Target<u16>>,
    pub(crate) limit: Option<u32>,
    /// Whether the edge is on a cycle and says what happens when it is masked, so that it can be.
    pub(crate) watched: bool,
}

impl Plan {
    /// Makes a plan of a graph, whose fingerprint also covers the names of the state's fields.
    pub(crate) fn new(topology: &Topology, fields: impl IntoIterator<Item = &'static str>) -> Self {
        let cyclic = topology.cyclic_edges();
        let target = |target: &Target<NodeIndex>| target.map(|node| node.0);
        let edges = topology.edges().map(|(index, edge)| PlanEdge {
            from: edge.from.0,
            to: target(edge.route.target()),
            otherwise: edge.route.otherwise().map(target),
            limit: edge.route.times(),
            watched: edge.route.times().is_some()
                || edge.route.otherwise().is_some() && cyclic.contains(&index),
        });
        Self {
            id: graph_id(topology, fields),
            start: topology.start_node().map_or(0, |node| node.0),
            nodes: topology
                .nodes()
                .map(|(_, node)| node.name.clone().into_owned())
                .collect(),
            edges: edges.collect(),
            human: topology
                .nodes()
                .find(|(_, node)| node.kind == NodeKind::Human)
                .map(|(_, node)| node.name.clone().into_owned()),
        }
    }

    /// Returns whether taking an edge depends on the progress that was made.
    #[inline]
    pub(crate) fn is_watched(&self, edge: u16) -> bool {
        self.edges
            .get(usize::from(edge))
            .is_some_and(|edge| edge.watched)
    }

    /// Returns the name of a node.
    pub(crate) fn name(&self, node: u16) -> &str {
        self.nodes
            .get(usize::from(node))
            .map_or("?", String::as_str)
    }
}

/// Names a graph after all that a journal of it relies on.
fn graph_id(topology: &Topology, fields: impl IntoIterator<Item = &'static str>) -> GraphId {
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
        line(&["field", field]);
    }
    for (_, node) in topology.nodes() {
        line(&["node", &node.name]);
    }
    if let Some(start) = topology.start_node() {
        line(&["start", &start.to_string()]);
    }
    for (_, edge) in topology.edges() {
        line(&[
            "edge",
            &edge.from.to_string(),
            &edge.label(),
            &edge.route.to_string(),
        ]);
    }
    let hash = Hash::of(text.as_bytes()).to_string();
    GraphId(format!("{}#{}", topology.name(), hash.get(..16).unwrap_or(&hash)).into())
}
