//! How often a run can come to a node.
//!
//! Between two steps along limited edges there are only free ones, and these form no cycle (H004). So
//! a run comes to a node at most once before, between and after the limited steps, and only those
//! inside the node's strongly connected component bring it back to where it has been.

use crate::topology::Topology;

/// Returns, for each node, how often a path through a run can come to it, in a graph whose loops are
/// bounded: once, if it lies on no cycle, and once more for each time that an edge inside its strongly
/// connected component may be taken.
///
/// ```
/// use handoffs_core::{Edge, NodeShape, Route, Topology, max_visits};
///
/// let mut desk = Topology::new("SupportDesk");
/// let triage = desk.node(NodeShape::new("triage"));
/// let billing = desk.node(NodeShape::new("billing"));
/// let clerk = desk.node(NodeShape::new("clerk"));
/// desk.start(triage);
/// desk.edge(Edge::new(triage, "_", Route::to(billing)));
/// desk.edge(Edge::new(billing, "Billed::Done", Route::to(clerk).limit(7)));
/// desk.edge(Edge::new(billing, "Billed::WrongDesk", Route::to(triage).limit(2).or_end()));
/// desk.edge(Edge::new(clerk, "_", Route::end()));
///
/// assert_eq!(max_visits(&desk), [3, 3, 1]);
/// ```
pub fn max_visits(topology: &Topology) -> Vec<u64> {
    let components = topology.components(|_| true);
    let mut visits = vec![1_u64; components.members.len()];
    let mut last = None;
    for step in topology.steps().filter(|step| components.joins(step)) {
        // A fork has several steps, of which a path takes one each time.
        if let Some(limit) = step.limit
            && last.replace(step.way.edge) != Some(step.way.edge)
        {
            let visits = &mut visits[components.of(step.from)];
            *visits = visits.saturating_add(limit.into());
        }
    }
    let nodes = topology.nodes();
    nodes.map(|(node, _)| visits[components.of(node)]).collect()
}
