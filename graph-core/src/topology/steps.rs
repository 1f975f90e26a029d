//! The topology as a plain directed graph, and the algorithms that run on it.
//!
//! A [`Step`] is one arrow: an edge gives one to its target and, if it has an `else`, one more; a fork
//! gives one to each of its branches and one to its join, which is its target. The rules of `check` differ in which of the steps they look at, so each of them passes a filter.
//! petgraph does the walking; its types stay in this file and under `check`.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::{NodeIndex, Topology, Way};
use crate::route::Target;

/// A step that a run can make: an arrow from a node to a node, or to the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) way: Way,
    pub(crate) kind: StepKind,
    pub(crate) from: NodeIndex,
    pub(crate) to: Target<NodeIndex>,
    /// How many times a run may make it; the way to an `else` is never limited.
    pub(crate) limit: Option<u32>,
    /// Whether its edge is taken when the node has failed.
    pub(crate) on_error: bool,
}

/// What a step is to its edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StepKind {
    /// The way of an edge that is no fork.
    Plain,
    /// The way to the `else`.
    Else,
    /// From a fork to its join: what the run as a whole does.
    Join,
    /// From a fork to the first node of a branch.
    Branch,
}

impl Step {
    /// Returns whether no limit stands in its way, however long the run has been.
    pub(crate) fn is_free(&self) -> bool {
        self.limit.is_none()
    }
}

/// A vertex of the petgraph graph: the nodes have their own places, the end comes after them.
type Vertex = petgraph::graph::NodeIndex;

impl Topology {
    /// Returns every step, edge by edge: to the branches, to the target, to the `else`.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step> {
        self.edges().flat_map(|(index, edge)| {
            let step = move |kind, to, branch| Step {
                way: Way {
                    edge: index,
                    is_else: kind == StepKind::Else,
                    branch,
                },
                kind,
                from: edge.from,
                to,
                limit: edge.route.times().filter(|_| kind != StepKind::Else),
                on_error: edge.on_error,
            };
            let (kind, entries) = match edge.route.fork() {
                Some(fork) => (StepKind::Join, fork.entries()),
                None => (StepKind::Plain, &[][..]),
            };
            let branches = entries.iter().enumerate().map(move |(place, entry)| {
                step(StepKind::Branch, Target::Node(*entry), Some(place))
            });
            let main = step(kind, *edge.route.target(), None);
            let otherwise = edge.route.otherwise();
            let otherwise = otherwise.map(|to| step(StepKind::Else, *to, None));
            branches.chain([main]).chain(otherwise)
        })
    }

    /// Returns the graph of the wanted steps.
    pub(crate) fn digraph(&self, wanted: impl Fn(&Step) -> bool) -> DiGraph<(), ()> {
        self.digraph_of(self.steps().filter(wanted))
    }

    /// Returns the graph of these steps.
    pub(crate) fn digraph_of(&self, steps: impl IntoIterator<Item = Step>) -> DiGraph<(), ()> {
        let mut graph = DiGraph::with_capacity(self.nodes.len() + 1, self.edges.len());
        for _ in 0..=self.nodes.len() {
            graph.add_node(());
        }
        for step in steps {
            graph.add_edge(vertex(step.from), self.vertex(step.to), ());
        }
        graph
    }

    /// Returns the vertex of a target, the end included.
    pub(crate) fn vertex(&self, target: Target<NodeIndex>) -> Vertex {
        match target {
            Target::Node(node) => vertex(node),
            Target::End => Vertex::new(self.nodes.len()),
        }
    }

    /// Returns the node of a vertex, or `None` for the end.
    pub(crate) fn node_at(&self, vertex: Vertex) -> Option<NodeIndex> {
        let place = u16::try_from(vertex.index()).ok()?;
        (vertex.index() < self.nodes.len()).then_some(NodeIndex(place))
    }

    /// Returns the strongly connected components of the graph of the wanted steps.
    pub(crate) fn components(&self, wanted: impl Fn(&Step) -> bool) -> Components {
        // Kosaraju's algorithm because petgraph's is iterative: a graph that was read at run time
        // may be a chain of any depth.
        let mut members: Vec<Vec<NodeIndex>> = kosaraju_scc(&self.digraph(wanted))
            .into_iter()
            .map(|vertices| {
                vertices
                    .into_iter()
                    .filter_map(|at| self.node_at(at))
                    .collect()
            })
            .filter(|nodes: &Vec<_>| !nodes.is_empty())
            .collect();
        let mut of = vec![0; self.nodes.len()];
        for (component, nodes) in members.iter_mut().enumerate() {
            nodes.sort_unstable();
            for node in nodes {
                of[node.slot()] = component;
            }
        }
        Components { members, of }
    }
}

/// Returns the vertex of a node.
pub(crate) fn vertex(node: NodeIndex) -> Vertex {
    Vertex::new(node.slot())
}

/// The strongly connected components of a graph, without the end.
#[derive(Debug)]
pub(crate) struct Components {
    /// The nodes of each component in the order of declaration. A component comes after those that
    /// it leads to; beyond that the order of components says nothing.
    pub(crate) members: Vec<Vec<NodeIndex>>,
    /// The component of each node.
    of: Vec<usize>,
}

impl Components {
    /// Returns the component of a node.
    pub(crate) fn of(&self, node: NodeIndex) -> usize {
        self.of[node.slot()]
    }

    /// Returns whether a step stays inside one component, and so lies on a cycle.
    pub(crate) fn joins(&self, step: &Step) -> bool {
        step.to
            .node()
            .is_some_and(|to| self.of(to) == self.of(step.from))
    }
}
