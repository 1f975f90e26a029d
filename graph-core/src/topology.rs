//! The shape of a graph as data: what is checked, drawn and fingerprinted.
//!
//! A [`Topology`] is a list of nodes, a list of edges and a start. It may be wrong: whoever builds
//! one, the derive macro or the run-time builder, hands it to [`check`](crate::check()) and tells
//! its user what was found. Nodes and edges are known by their place in the order of declaration.
//! How they become a graph that petgraph can walk is told in `steps`.

mod back;
mod edge;
mod loops;
mod node;
mod regions;
mod steps;
mod table;

#[doc(hidden)]
pub use back::{LedBack, lead_back, ways};
pub(crate) use edge::BACK;
#[doc(hidden)]
pub use edge::reads_as_missing;
pub use edge::{Edge, EdgeIndex, Way};
pub(crate) use loops::Loops;
pub use node::{NodeIndex, NodeKind, NodeShape};
pub(crate) use regions::{Clash, Walk};
pub use regions::{Region, Regions};
pub(crate) use steps::{Components, Step, StepKind, vertex};
#[doc(hidden)]
pub use table::{Extra, Row, Table};

use std::borrow::Cow;

use crate::authority::ScopeShape;

/// The shape of a graph: named nodes, edges between them, and where a run starts.
///
/// ```
/// use handoffs_core::{Edge, NodeShape, Route, Topology, check};
///
/// let mut desk = Topology::new("SupportDesk");
/// let triage = desk.node(NodeShape::new("triage"));
/// let billing = desk.node(NodeShape::new("billing"));
/// desk.start(triage);
/// desk.edge(Edge::new(triage, "Triaged::Billing { .. }", Route::to(billing)));
/// desk.edge(Edge::new(triage, "_", Route::end()));
/// desk.edge(Edge::new(billing, "_", Route::end()));
///
/// assert!(check(&desk).is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Topology {
    name: Cow<'static, str>,
    nodes: Vec<NodeShape>,
    edges: Vec<Edge<NodeIndex>>,
    start: Option<NodeIndex>,
    /// What its nodes may be allowed to do; none in a graph without authority.
    scopes: Vec<ScopeShape>,
    /// The names that the graph had in older versions.
    renamed_from: Vec<Cow<'static, str>>,
    /// Whether a node or an edge was left out because it found no place.
    too_large: bool,
    /// Nodes that an edge or the start named although they were never declared. Such an edge is
    /// left out, so the ends of every edge in `edges` are nodes in `nodes`.
    undeclared: Vec<NodeIndex>,
}

impl Topology {
    /// The most nodes, and the most edges, that a graph can have.
    pub const MOST: usize = u16::MAX as usize;

    /// Creates a graph without nodes.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            nodes: Vec::new(),
            edges: Vec::new(),
            start: None,
            scopes: Vec::new(),
            renamed_from: Vec::new(),
            too_large: false,
            undeclared: Vec::new(),
        }
    }

    /// Declares a node and returns its place.
    ///
    /// When there are [`MOST`](Self::MOST) nodes already it is left out, and
    /// [`check`](crate::check()) says so. The index returned is then no node's.
    pub fn node(&mut self, shape: NodeShape) -> NodeIndex {
        let index = self.place(self.nodes.len());
        if index < u16::MAX {
            self.nodes.push(shape);
        }
        NodeIndex(index)
    }

    /// Declares an edge and returns its place.
    ///
    /// An edge whose ends are not declared, or for which there is no place, is left out, and
    /// [`check`](crate::check()) says so. The index returned is then no edge's.
    pub fn edge(&mut self, edge: Edge<NodeIndex>) -> EdgeIndex {
        let ends = [
            Some(edge.from),
            edge.route.target().node(),
            edge.route.otherwise().and_then(|target| target.node()),
        ];
        let entries = edge.route.fork().map_or(&[][..], |fork| fork.entries());
        let mut declared = true;
        for end in ends.into_iter().flatten().chain(entries.iter().copied()) {
            declared &= self.declares(end);
        }
        if !declared {
            return EdgeIndex(u16::MAX);
        }
        let index = self.place(self.edges.len());
        if index < u16::MAX {
            self.edges.push(edge);
        }
        EdgeIndex(index)
    }

    /// Says at which node a run starts.
    pub fn start(&mut self, node: NodeIndex) {
        if self.declares(node) {
            self.start = Some(node);
        }
    }

    /// Declares a scope: something that a node may be allowed to do. In a graph that has one, a node does
    /// only what it may and what it was granted.
    ///
    /// ```
    /// use handoffs_core::{Edge, Grant, May, NodeShape, Route, ScopeShape, Topology, check};
    ///
    /// let mut desk = Topology::new("Desk");
    /// desk.scope(ScopeShape::new("Refund"));
    /// let triage = desk.node(NodeShape::new("triage"));
    /// let billing = desk.node(NodeShape::new("billing").may(May::new().uses(["Refund"])));
    /// desk.start(triage);
    /// desk.edge(Edge::new(triage, "_", Route::to(billing)));
    /// desk.edge(Edge::new(billing, "_", Route::end()));
    ///
    /// assert_eq!(
    ///     check(&desk)[0].message(&desk),
    ///     "H010: `billing` uses `Refund`, and no path grants it: `triage -> billing` does not",
    /// );
    /// ```
    pub fn scope(&mut self, scope: ScopeShape) {
        self.scopes.push(scope);
    }

    /// Returns what the nodes may be allowed to do.
    pub fn scopes(&self) -> &[ScopeShape] {
        &self.scopes
    }

    /// Adds a name that the graph had in an older version: what a journal keeps of a graph of that name
    /// is this one's. It can be taken away when no thread with entries of the old name is to be run any
    /// more.
    pub fn renamed_from(&mut self, old: impl Into<Cow<'static, str>>) {
        self.renamed_from.push(old.into());
    }

    /// Returns the graph's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the names that the graph had in older versions.
    pub fn former_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.renamed_from.iter().map(AsRef::as_ref)
    }

    /// Returns the node at which a run starts, once it is known.
    pub fn start_node(&self) -> Option<NodeIndex> {
        self.start
    }

    /// Returns the nodes in the order of declaration.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (NodeIndex, &NodeShape)> {
        let places = (0..u16::MAX).map(NodeIndex);
        self.nodes
            .iter()
            .zip(places)
            .map(|(node, index)| (index, node))
    }

    /// Returns the edges in the order of declaration.
    pub fn edges(&self) -> impl ExactSizeIterator<Item = (EdgeIndex, &Edge<NodeIndex>)> {
        let places = (0..u16::MAX).map(EdgeIndex);
        self.edges
            .iter()
            .zip(places)
            .map(|(edge, index)| (index, edge))
    }

    /// Returns the edges that leave `node`, in the order in which they are tried.
    pub fn edges_from(
        &self,
        node: NodeIndex,
    ) -> impl Iterator<Item = (EdgeIndex, &Edge<NodeIndex>)> {
        self.edges().filter(move |(_, edge)| edge.from == node)
    }

    /// Returns the node at a place, or `None` if the place is empty.
    pub fn get_node(&self, index: NodeIndex) -> Option<&NodeShape> {
        self.nodes.get(index.slot())
    }

    /// Returns the edge at a place, or `None` if the place is empty.
    pub fn get_edge(&self, index: EdgeIndex) -> Option<&Edge<NodeIndex>> {
        self.edges.get(index.slot())
    }

    /// Returns the name of a node, or `?` if there is no such node.
    pub fn name_of(&self, index: NodeIndex) -> &str {
        self.get_node(index).map_or("?", |node| &node.name)
    }

    /// Returns the edges that a run may take more than once: those whose two ends lie on a cycle. A
    /// fork does if a branch or its join leads back to it.
    ///
    /// An `else` does not make its edge cyclic, as an edge that was taken once and led out of its
    /// cycle cannot come up again.
    pub fn cyclic_edges(&self) -> Vec<EdgeIndex> {
        let components = self.components(|_| true);
        let mut edges: Vec<_> = self
            .steps()
            .filter(|step| !step.way.is_else && components.joins(step))
            .map(|step| step.way.edge)
            .collect();
        edges.dedup();
        edges
    }

    /// Returns whether something was left out because it found no place.
    pub(crate) fn is_too_large(&self) -> bool {
        self.too_large
    }

    /// Returns the places that edges and the start named although no node is there.
    pub(crate) fn undeclared(&self) -> &[NodeIndex] {
        &self.undeclared
    }

    /// Returns the next place of a list, or `u16::MAX`, which is no place, when the list is full.
    fn place(&mut self, len: usize) -> u16 {
        let place = u16::try_from(len).unwrap_or(u16::MAX);
        self.too_large |= place == u16::MAX;
        place
    }

    fn declares(&mut self, node: NodeIndex) -> bool {
        let declared = node.slot() < self.nodes.len();
        if !declared && !self.undeclared.contains(&node) {
            self.undeclared.push(node);
        }
        declared
    }
}

#[cfg(test)]
mod tests;
