//! A graph whose nodes are the variants of an enum: what `#[derive(AgentGraph)]` writes down.

use core::fmt::{Debug, Display};
use core::hash::Hash;

use crate::authority::ScopeShape;
use crate::contract::FieldSet;
use crate::route::Route;
use crate::state::State;
use crate::topology::{Edge, NodeIndex, NodeShape, Table, Topology};

/// A checked graph of nodes over one state. Derive it; it compiles only if the graph is right.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an agent graph",
    note = "write `#[derive(AgentGraph)]` on the struct"
)]
pub trait AgentGraph: Send + Sync + 'static {
    /// The state that travels along the edges.
    type State: State;
    /// The nodes' names, as an enum.
    type Node: GraphNode;

    /// The graph's name.
    const NAME: &'static str;
    /// Where a run starts.
    const START: Self::Node;
    /// The fields that the caller brings; checked when a run starts.
    const GIVEN: FieldSet;
    /// The most handoffs that a run can take, from node to node; the step to the end is none.
    const MAX_HANDOFFS: u64;
    /// The names that the graph had in older versions.
    const RENAMED_FROM: &'static [&'static str] = &[];
    /// The edges as the derive writes them.
    #[doc(hidden)]
    const __TABLE: Table;

    /// Returns the shape of the nodes, in the order of the enum.
    fn shapes() -> Vec<NodeShape>;

    /// Returns the edges in the order of declaration.
    fn edges() -> Vec<Edge<Self::Node>> {
        let named = |edge: Edge<NodeIndex>| edge.map(|node| node_at::<Self>(node.slot()));
        Self::__TABLE.edges().map(named).collect()
    }

    /// Returns what the nodes may be allowed to do; nothing in a graph without authority.
    fn scopes() -> Vec<ScopeShape> {
        Vec::new()
    }

    /// Returns the shape of the graph, to draw or to compare.
    fn topology() -> Topology {
        let index = |node: Self::Node| NodeIndex(u16::try_from(node.index()).unwrap_or(u16::MAX));
        let mut topology = Topology::new(Self::NAME);
        for shape in Self::shapes() {
            topology.node(shape);
        }
        for edge in Self::__TABLE.edges() {
            topology.edge(edge);
        }
        for scope in Self::scopes() {
            topology.scope(scope);
        }
        topology.start(index(Self::START));
        for old in Self::RENAMED_FROM {
            topology.renamed_from(*old);
        }
        topology
    }
}

/// Returns the node at a place that the derive wrote down.
#[doc(hidden)]
pub fn node_at<G: AgentGraph + ?Sized>(place: usize) -> G::Node {
    let nodes = <G::Node as GraphNode>::ALL;
    nodes.get(place).copied().unwrap_or(G::START)
}

/// Returns the route of an edge, by its place, as an edge function tells it.
#[doc(hidden)]
pub fn route_of<G: AgentGraph + ?Sized>(edge: usize) -> Route<G::Node> {
    let named = |node: NodeIndex| node_at::<G>(node.slot());
    let edge = G::__TABLE.edge(edge);
    let route = edge.map_or_else(Route::end, |edge| edge.route.map(named));
    route.__as_written()
}

/// The name of a node in a derived graph.
pub trait GraphNode: Copy + Eq + Ord + Hash + Debug + Display + Send + Sync + 'static {
    /// The nodes in the order of declaration.
    const ALL: &'static [Self];

    /// Returns the node's place in [`GraphNode::ALL`].
    fn index(self) -> usize;

    /// Returns the node's name: that of its field in the graph.
    fn name(self) -> &'static str;
}
