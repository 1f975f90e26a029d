//! Where the branches of forks run: every node lies in one region.
//!
//! The run starts in the top region. A fork opens a region for its branches, which ends at its join;
//! forks that lie in one region and have one join share it. A step to the join of its own region is
//! an arrival, and leads nowhere else: the branch is over. Any other step stays in its region.
//!
//! [`Walk`] goes through a graph region by region, the outer before the inner, and in each of them
//! breadth first. A node belongs to the first region in which it is met; a step that leads to a node
//! of another region is a clash, of which `check` makes a finding. The neighbours of a node are taken
//! in an order that has nothing to do with that of the edges, so neither have the clashes.

use std::collections::{HashMap, VecDeque};

use super::{EdgeIndex, NodeIndex, Step, StepKind, Topology};
use crate::route::Target;

/// The regions of a graph: which nodes belong to branches, and of which forks.
///
/// ```
/// use handoffs_core::{Edge, NodeIndex, NodeShape, Route, Topology};
///
/// let mut desk = Topology::new("Research");
/// let [plan, web, papers, sum] =
///     ["plan", "web", "papers", "sum"].map(|name| desk.node(NodeShape::new(name)));
/// desk.start(plan);
/// let fork = desk.edge(Edge::new(plan, "_", Route::all([web, papers], sum)));
/// desk.edge(Edge::new(web, "_", Route::to(sum)));
/// desk.edge(Edge::new(papers, "_", Route::to(sum)));
/// desk.edge(Edge::new(sum, "_", Route::end()));
///
/// let regions = desk.regions();
/// assert_eq!(regions.of, [None, Some(0), Some(0), None]);
/// assert_eq!(regions.list[0].join, sum);
/// assert_eq!(regions.list[0].forks, [fork]);
/// assert_eq!(regions.list[0].nodes, [web, papers]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Regions {
    /// The regions, each after the one that it lies in. The top region is none of them.
    pub list: Vec<Region>,
    /// The region of each node, or `None` for the top one. A node that no path leads to from the
    /// start counts as being there.
    pub of: Vec<Option<usize>>,
}

/// Where the branches of some forks run until they come to their join.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Region {
    /// The region in which the forks and the join lie, or `None` for the top one.
    pub parent: Option<usize>,
    /// Where the branches end.
    pub join: NodeIndex,
    /// The edges that fork into it, in the order of declaration.
    pub forks: Vec<EdgeIndex>,
    /// The nodes in it, in the order of declaration; those of the regions inside are not among them.
    pub nodes: Vec<NodeIndex>,
}

impl Regions {
    /// Returns the join at which a branch in this region ends; there is none in the top region.
    pub(crate) fn join(&self, region: Option<usize>) -> Option<NodeIndex> {
        region.map(|region| self.list[region].join)
    }

    /// Returns a step as its own region sees it, or `None` for the way to a branch, which leaves it.
    ///
    /// A step to the join is the last one of its branch, as one to the end is the last one of its run,
    /// so both lead to the end here; so does a step that no region has a place for, as that is a
    /// finding of its own.
    pub(crate) fn inside(&self, step: Step) -> Option<Step> {
        let region = self.of[step.from.slot()];
        let stays = |to: &NodeIndex| self.of[to.slot()] == region && self.join(region) != Some(*to);
        let to = step.to.node().filter(stays);
        (step.kind != StepKind::Branch).then_some(Step {
            to: to.map_or(Target::End, Target::Node),
            ..step
        })
    }

    /// Returns whether `outer` is `inner` or around it.
    pub(crate) fn is_around(&self, outer: Option<usize>, inner: Option<usize>) -> bool {
        let Some(outer) = outer else { return true };
        // A region comes after the one around it, so there is nothing to find before `outer`.
        std::iter::successors(inner, |at| self.list[*at].parent)
            .take_while(|at| *at >= outer)
            .any(|at| at == outer)
    }
}

impl Topology {
    /// Returns which nodes belong to branches, and of which forks.
    ///
    /// In a graph that [`check`](crate::check()) has accepted, every node has exactly one region. In
    /// any other a node that lies in several has the outermost of them.
    pub fn regions(&self) -> Regions {
        Walk::new(self).regions
    }
}

/// What was met on the way through the regions of a graph.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) regions: Regions,
    /// The step on which each node was first met; none for the start.
    pub(crate) came_by: Vec<Option<Step>>,
    /// The steps to nodes that lie in another region than the one in which the step ends.
    pub(crate) clashes: Vec<Clash>,
}

/// A step into one region, to a node that lies in another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clash {
    pub(crate) step: Step,
    pub(crate) to: NodeIndex,
    pub(crate) region: Option<usize>,
}

impl Walk {
    pub(crate) fn new(topology: &Topology) -> Self {
        let nodes = topology.nodes().len();
        let mut walk = Self {
            regions: Regions {
                list: Vec::new(),
                of: vec![None; nodes],
            },
            came_by: vec![None; nodes],
            clashes: Vec::new(),
        };
        let Some(start) = topology.start_node() else {
            return walk;
        };

        let mut steps: Vec<Vec<Step>> = vec![Vec::new(); nodes];
        for step in topology.steps() {
            steps[step.from.slot()].push(step);
        }
        for steps in &mut steps {
            steps.sort_by_key(|step| {
                let join = topology.get_edge(step.way.edge);
                let join = join.and_then(|edge| edge.route.target().node());
                (step.kind, join, step.on_error, step.to.node())
            });
        }
        walk.go(start, &steps, topology);
        for (place, region) in walk.regions.of.iter().enumerate() {
            if let (Some(region), Ok(place)) = (region, u16::try_from(place)) {
                walk.regions.list[*region].nodes.push(NodeIndex(place));
            }
        }
        for region in &mut walk.regions.list {
            region.forks.sort_unstable();
            region.forks.dedup();
        }
        walk
    }

    fn go(&mut self, start: NodeIndex, steps: &[Vec<Step>], topology: &Topology) {
        let mut met = vec![false; steps.len()];
        met[start.slot()] = true;
        let mut queue = VecDeque::from([start]);
        // The region of each pair of parent and join, and the steps that lead into each.
        let mut known: HashMap<(Option<usize>, NodeIndex), usize> = HashMap::new();
        let mut seeds: Vec<Vec<Step>> = Vec::new();
        let mut here = None;
        loop {
            while let Some(node) = queue.pop_front() {
                for step in &steps[node.slot()] {
                    let Target::Node(to) = step.to else { continue };
                    let edge = topology.get_edge(step.way.edge);
                    let join = edge.and_then(|edge| edge.route.target().node());
                    if let (StepKind::Branch, Some(join)) = (step.kind, join) {
                        let region = *known.entry((here, join)).or_insert_with(|| {
                            self.regions.list.push(Region {
                                parent: here,
                                join,
                                forks: Vec::new(),
                                nodes: Vec::new(),
                            });
                            seeds.push(Vec::new());
                            seeds.len() - 1
                        });
                        self.regions.list[region].forks.push(step.way.edge);
                        seeds[region].push(*step);
                    } else if self.regions.join(here) != Some(to) {
                        self.meet(*step, to, here, &mut met, &mut queue);
                    }
                }
            }
            // The regions come to be in this order, so those around a region are done before it.
            let next = here.map_or(0, |region| region + 1);
            let Some(seeds) = seeds.get_mut(next).map(std::mem::take) else {
                return;
            };
            here = Some(next);
            for step in seeds {
                if let Some(to) = step
                    .to
                    .node()
                    .filter(|to| self.regions.join(here) != Some(*to))
                {
                    self.meet(step, to, here, &mut met, &mut queue);
                }
            }
        }
    }

    fn meet(
        &mut self,
        step: Step,
        to: NodeIndex,
        region: Option<usize>,
        met: &mut [bool],
        queue: &mut VecDeque<NodeIndex>,
    ) {
        if !std::mem::replace(&mut met[to.slot()], true) {
            self.regions.of[to.slot()] = region;
            self.came_by[to.slot()] = Some(step);
            queue.push_back(to);
        } else if self.regions.of[to.slot()] != region {
            self.clashes.push(Clash { step, to, region });
        }
    }
}
