//! How many handoffs a run can take at most.
//!
//! A handoff is a step from node to node; the step to the end is none. With B the sum of the limits
//! and L the longest path without a limited step, a run makes at most B limited steps, and before,
//! between and after them there are at most B + 1 stretches of at most L free steps:
//! `B + (B + 1) * L`.
//!
//! That holds for the whole graph, and for each strongly connected component with the limits and
//! paths inside it. A run never comes back to a component that it left, so the components on its way
//! add up, with one handoff from each to the next. Mostly this is much the tighter bound of the two,
//! but not always: it grants a run the longest path inside a component and the way out as well, and
//! the two may exclude each other. Both are true, so the smaller one counts.
//!
//! A run that forks takes many paths at once, so what is bounded is each of them: from the start into
//! a branch, through it to the join, and on. A branch starts with the counts of the run that forked,
//! and after the join the highest count of any branch holds, so no path meets a count that is lower
//! than its own, and takes no edge more often than its limit says. With that each path is a walk
//! through the steps such as the formula bounds; a fork gives a step to each of its branches and one
//! to its join, of which a path takes one each time, so the limit of the edge counts once for all of
//! them.

use petgraph::algo::toposort;

use crate::topology::{Components, EdgeIndex, Step, Topology, vertex};

/// Returns how many handoffs a run can take at most, or `None` if a loop has no bound (H004).
///
/// Where a run forks it is the most that any path takes: into a branch, through it to the join, and
/// on from there.
///
/// ```
/// use handoffs_core::{Edge, NodeShape, Route, Topology, max_handoffs};
///
/// let mut desk = Topology::new("SupportDesk");
/// let triage = desk.node(NodeShape::new("triage"));
/// let billing = desk.node(NodeShape::new("billing"));
/// desk.start(triage);
/// desk.edge(Edge::new(triage, "_", Route::to(billing)));
/// desk.edge(Edge::new(billing, "Billed::Done", Route::end()));
/// desk.edge(Edge::new(billing, "Billed::WrongDesk", Route::to(triage).limit(2).or_end()));
///
/// // To billing, and twice back and there again.
/// assert_eq!(max_handoffs(&desk), Some(5));
/// ```
pub fn max_handoffs(topology: &Topology) -> Option<u64> {
    let longest = free_paths(topology, |_| true)?.into_iter().max();
    let mut limits = Limits::of(1);
    for step in topology.steps().filter(|step| step.to.node().is_some()) {
        limits.add(0, &step);
    }
    let whole = most_steps(limits.sums[0], longest.unwrap_or(0));
    Some(whole.min(along_components(topology)?))
}

/// Adds the bounds of the components along the heaviest way through them.
fn along_components(topology: &Topology) -> Option<u64> {
    let components = topology.components(|_| true);
    let paths = longest_inside(topology, &components)?;
    let mut limits = Limits::of(components.members.len());
    let mut onward = vec![Vec::new(); components.members.len()];
    for step in topology.steps() {
        let Some(to) = step.to.node() else { continue };
        let from = components.of(step.from);
        if components.joins(&step) {
            limits.add(from, &step);
        } else {
            onward[from].push(components.of(to));
        }
    }

    // A component comes after those that it leads to, so theirs are known when they are asked for.
    let mut most: Vec<u64> = Vec::with_capacity(components.members.len());
    for ((limits, path), onward) in limits.sums.into_iter().zip(paths).zip(onward) {
        let after = onward
            .into_iter()
            .map(|next| most[next].saturating_add(1))
            .max();
        most.push(most_steps(limits, path).saturating_add(after.unwrap_or(0)));
    }
    Some(most.into_iter().max().unwrap_or(0))
}

/// `B + (B + 1) * L`
fn most_steps(limits: u64, path: u64) -> u64 {
    limits.saturating_add(limits.saturating_add(1).saturating_mul(path))
}

/// Sums of limits, to which the steps are added in the order of edges.
struct Limits {
    sums: Vec<u64>,
    /// The last edge that was counted: the steps of a fork share one limit.
    counted: Option<EdgeIndex>,
}

impl Limits {
    fn of(sums: usize) -> Self {
        Self {
            sums: vec![0; sums],
            counted: None,
        }
    }

    fn add(&mut self, sum: usize, step: &Step) {
        let Some(limit) = step.limit else { return };
        if self.counted.replace(step.way.edge) != Some(step.way.edge) {
            self.sums[sum] = self.sums[sum].saturating_add(limit.into());
        }
    }
}

fn longest_inside(topology: &Topology, components: &Components) -> Option<Vec<u64>> {
    let paths = free_paths(topology, |step| components.joins(step))?;
    let longest = components.members.iter().map(|nodes| {
        let paths = nodes.iter().map(|node| paths[node.slot()]);
        paths.max().unwrap_or(0)
    });
    Some(longest.collect())
}

/// Returns for each node the longest path of wanted free steps from it, or `None` if they form a
/// cycle.
fn free_paths(topology: &Topology, wanted: impl Fn(&Step) -> bool) -> Option<Vec<u64>> {
    let graph = topology.digraph(|step| step.is_free() && step.to.node().is_some() && wanted(step));
    let order = toposort(&graph, None).ok()?;
    let mut longest = vec![0; graph.node_count()];
    for node in order
        .into_iter()
        .rev()
        .filter_map(|at| topology.node_at(at))
    {
        longest[node.slot()] = graph
            .neighbors(vertex(node))
            .map(|next| longest[next.index()] + 1)
            .max()
            .unwrap_or(0);
    }
    Some(longest)
}
