//! Handoff loops without a bound (H004).
//!
//! The rule: the steps without a limit, the ways to an `else` among them, form an acyclic graph.
//! Every run then uses up a limit each time it goes round, so it ends.
//!
//! When they do not, every independent loop is named. The first node on any cycle, in the order of
//! declaration, is taken; each node that leads to it and can be reached from it closes one loop, of
//! which the shortest path is shown, and of those the one whose nodes come first. Then the node's
//! cycles are cut and the next node is taken. Cutting all the closing edges is what a user has to do
//! in the end, so bounding each reported loop where it closes is enough, whatever else the graph
//! has. Nothing in this looks at the order of edges.
//!
//! Each region of branches is looked at by itself, and a fork is the step to its join there. That is
//! enough: who gets from a fork to its join through a branch has taken that very edge, so a loop
//! through the branch is without a bound only if the one past it is. And a bound that is proposed
//! then never stands in the way of a branch to its join.

use std::collections::{HashMap, VecDeque};

use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::finding::Finding;
use crate::route::Target;
use crate::topology::{NodeIndex, Regions, Step, Topology, Way, vertex};

/// Finds every independent loop that no limit bounds.
pub(super) fn unbounded_loops(topology: &Topology, regions: &Regions) -> Vec<Finding> {
    let steps = || {
        let inside = topology.steps().filter_map(|step| regions.inside(step));
        inside.filter(Step::is_free)
    };
    let mut graph = topology.digraph_of(steps());
    let mut ways: HashMap<_, Vec<Way>> = HashMap::new();
    for step in steps() {
        ways.entry((step.from, step.to)).or_default().push(step.way);
    }

    let mut findings = Vec::new();
    while let Some(first) = first_on_a_cycle(topology, &graph) {
        for nodes in shortest_loops(topology, &graph, first) {
            let last = nodes.last().copied().unwrap_or(first);
            let closed_by = ways.remove(&(last, Target::Node(first)));
            findings.push(Finding::UnboundedLoop {
                nodes,
                closed_by: closed_by.unwrap_or_default(),
            });
        }
        // What else leads to this node lies on no cycle and may go with what closes one.
        while let Some(edge) = graph.first_edge(vertex(first), Direction::Incoming) {
            graph.remove_edge(edge);
        }
    }
    findings
}

fn first_on_a_cycle(topology: &Topology, graph: &DiGraph<(), ()>) -> Option<NodeIndex> {
    kosaraju_scc(graph)
        .into_iter()
        .filter(|members| match members.as_slice() {
            [one] => graph.contains_edge(*one, *one),
            _ => true,
        })
        .flatten()
        .filter_map(|at| topology.node_at(at))
        .min()
}

/// Returns, for each node that closes a loop at `first`, the shortest loop: short ones first, and of
/// equally short ones the one whose nodes come first.
fn shortest_loops(
    topology: &Topology,
    graph: &DiGraph<(), ()>,
    first: NodeIndex,
) -> Vec<Vec<NodeIndex>> {
    // A breadth-first walk that takes neighbours in the order of nodes meets each node on the first
    // of its shortest paths.
    let mut came_from: Vec<Option<NodeIndex>> = vec![None; graph.node_count()];
    let mut queue = VecDeque::from([first]);
    let mut loops = Vec::new();
    while let Some(node) = queue.pop_front() {
        let mut next: Vec<_> = graph
            .neighbors(vertex(node))
            .filter_map(|at| topology.node_at(at))
            .collect();
        next.sort_unstable();
        next.dedup();
        for neighbour in next {
            if neighbour == first {
                loops.push(path(&came_from, node));
            } else if came_from[neighbour.slot()].is_none() {
                came_from[neighbour.slot()] = Some(node);
                queue.push_back(neighbour);
            }
        }
    }
    loops
}

fn path(came_from: &[Option<NodeIndex>], to: NodeIndex) -> Vec<NodeIndex> {
    let mut nodes: Vec<_> = std::iter::successors(Some(to), |at| came_from[at.slot()]).collect();
    nodes.reverse();
    nodes
}
