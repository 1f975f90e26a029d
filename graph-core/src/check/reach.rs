//! What can be reached: from the start (H002), to the end (H003), and to the end once the limits
//! are used up (H005).
//!
//! In a branch of a fork it is the join that must be reached in the place of the end; where it is not,
//! it starves (H009). On errors nobody may rely to get there, so the ways to the end are looked for
//! without them.
//!
//! One cause is one finding, so each rule looks for the cause. Nodes that only an unreachable node
//! leads to are named behind it. Trapped nodes that hang together are one trap. A node is stranded
//! if it has nothing but limited edges; that its senders are then stranded as well needs no word.

use std::collections::BTreeMap;

use petgraph::unionfind::UnionFind;
use petgraph::visit::{Dfs, IntoNeighbors, NodeIndexable, Reversed, Visitable};

use super::approval::lacks_refusal;
use super::finding::Finding;
use crate::route::Target;
use crate::topology::{NodeIndex, Regions, Step, Topology, vertex};

/// Finds what cannot be reached, given the misnamed nodes that were found before.
pub(super) fn check(topology: &Topology, regions: &Regions, misnamed: &[Finding]) -> Vec<Finding> {
    let Some(start) = topology.start_node() else {
        return vec![Finding::NoStart];
    };
    let graph = topology.digraph(|_| true);
    let reached = closure(&graph, vertex(start));
    let ending = ending(topology, regions);
    let is_trapped = |node: NodeIndex| reached[node.slot()] && !ending[node.slot()];

    let mut findings = unreachable(topology, &reached, misnamed);
    findings.extend(traps(topology, regions, is_trapped));
    findings.extend(stranded(topology, regions, &reached, is_trapped));
    findings
}

/// Returns for each node whether a path leads from it to the end, or in a branch to the join.
pub(super) fn ending(topology: &Topology, regions: &Regions) -> Vec<bool> {
    let graph = topology.digraph_of(onward(topology, regions));
    closure(Reversed(&graph), topology.vertex(Target::End))
}

/// Returns the steps of each region that are made without an error.
fn onward(topology: &Topology, regions: &Regions) -> impl Iterator<Item = Step> {
    let steps = topology.steps().filter(|step| !step.on_error);
    steps.filter_map(|step| regions.inside(step))
}

/// Returns for each vertex whether a walk from `root` meets it; the root itself counts.
pub(super) fn closure<G>(graph: G, root: G::NodeId) -> Vec<bool>
where
    G: IntoNeighbors + NodeIndexable + Visitable,
{
    let mut met = vec![false; graph.node_bound()];
    let mut walk = Dfs::new(graph, root);
    while let Some(vertex) = walk.next(graph) {
        met[graph.to_index(vertex)] = true;
    }
    met
}

/// H002, one finding for each component that nothing leads to, and what hangs on it.
fn unreachable(topology: &Topology, reached: &[bool], misnamed: &[Finding]) -> Vec<Finding> {
    let components = topology.components(|_| true);
    let mut is_led_to = vec![false; components.members.len()];
    for step in topology.steps().filter(|step| !components.joins(step)) {
        if let Some(to) = step.to.node() {
            is_led_to[components.of(to)] = true;
        }
    }
    let mut sources: Vec<_> = components
        .members
        .iter()
        .zip(is_led_to)
        .filter(|(members, is_led_to)| !is_led_to && !reached[members[0].slot()])
        .map(|(members, _)| members)
        .collect();
    sources.sort_unstable();

    let mut is_misnamed = vec![false; topology.nodes().len()];
    for finding in misnamed {
        if let Finding::DuplicateName { node, .. } | Finding::ReservedName { node } = finding {
            is_misnamed[node.slot()] = true;
        }
    }

    // One walk for all sources, so that a node behind two of them is named once.
    let graph = topology.digraph(|_| true);
    let mut walk = Dfs::empty(&graph);
    let mut findings = Vec::new();
    for members in sources {
        let node = members[0];
        walk.move_to(vertex(node));
        let mut behind = Vec::new();
        while let Some(at) = walk.next(&graph) {
            let met = topology.node_at(at).filter(|met| *met != node);
            behind.extend(met.filter(|met| !reached[met.slot()]));
        }
        behind.sort_unstable();
        // Nobody can lead to a node whose name is taken or reserved: the name is the cause.
        if !members.iter().any(|node| is_misnamed[node.slot()]) {
            findings.push(Finding::Unreachable { node, behind });
        }
    }
    findings
}

/// H003, and H009 for a branch, one finding for each group of trapped nodes that hang together.
fn traps(
    topology: &Topology,
    regions: &Regions,
    is_trapped: impl Fn(NodeIndex) -> bool,
) -> Vec<Finding> {
    let trapped: Vec<_> = topology
        .nodes()
        .map(|(node, _)| node)
        .filter(|node| is_trapped(*node))
        .collect();
    let mut groups = UnionFind::<usize>::new(topology.nodes().len());
    for step in onward(topology, regions).filter(|step| is_trapped(step.from)) {
        // Whatever a trapped node leads to is trapped as well.
        if let Some(to) = step.to.node() {
            groups.union(step.from.slot(), to.slot());
        }
    }
    let mut by_group: BTreeMap<usize, (NodeIndex, Vec<NodeIndex>)> = BTreeMap::new();
    for node in trapped {
        by_group
            .entry(groups.find(node.slot()))
            .and_modify(|(_, others)| others.push(node))
            .or_insert((node, Vec::new()));
    }
    let mut findings: Vec<_> = by_group.into_values().collect();
    findings.sort_unstable();
    findings
        .into_iter()
        .map(|(node, others)| match regions.of[node.slot()] {
            None => Finding::Trap { node, others },
            Some(region) => Finding::Starved {
                node,
                others,
                join: regions.list[region].join,
                forks: regions.list[region].forks.clone(),
            },
        })
        .collect()
}

/// Returns whether an edge of a stranded node has to get an `else` anyway, as it may be refused.
fn awaits_an_else(topology: &Topology, stranded: &Finding) -> bool {
    let Finding::Stranded { edges, .. } = stranded else {
        return false;
    };
    let mut edges = edges.iter().filter_map(|edge| topology.get_edge(*edge));
    edges.any(lacks_refusal)
}

/// H005, one finding for each node that has nothing but limited edges without an `else`.
///
/// These are all the causes. Whoever is left without a way to the end has, if anything, ways to
/// others who are. Follow them, and they come back, which is an unbounded loop, or lead into a trap,
/// or stop at a node that has none. A step to the join does count as used up, as its branch may run
/// again when a loop leads back to the fork.
fn stranded(
    topology: &Topology,
    regions: &Regions,
    reached: &[bool],
    is_trapped: impl Fn(NodeIndex) -> bool,
) -> Vec<Finding> {
    let mut has_lasting_way = vec![false; topology.nodes().len()];
    for step in topology.steps().filter(|step| !step.on_error) {
        // A step to the end is never used up: it is the last one of its run.
        has_lasting_way[step.from.slot()] |= step.is_free() || step.to == Target::End;
    }
    topology
        .nodes()
        .map(|(node, _)| node)
        .filter(|node| reached[node.slot()] && !has_lasting_way[node.slot()] && !is_trapped(*node))
        .map(|node| Finding::Stranded {
            node,
            join: regions.join(regions.of[node.slot()]),
            edges: topology
                .edges_from(node)
                .filter(|(_, edge)| !edge.on_error)
                .map(|(edge, _)| edge)
                .collect(),
        })
        .filter(|finding| !awaits_an_else(topology, finding))
        .collect()
}
