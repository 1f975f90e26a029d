//! Loops: which nodes lie on one, how often a run can go round it, and which ways lead back.

use std::collections::HashSet;

use super::{NodeIndex, Step, StepKind, Topology, Way};

/// The loops of a graph. Two that share a node are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loops {
    /// The loops, in the order of their first nodes.
    pub(crate) list: Vec<Loop>,
    /// The loop of each node.
    of: Vec<Option<usize>>,
    /// The ways that lead back to where a walk from the start has just come through.
    back: HashSet<Way>,
}

/// Nodes that lead to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loop {
    /// Its nodes, in the order of declaration.
    pub(crate) nodes: Vec<NodeIndex>,
    /// How often a run can go round at most, or `None` without a bound (H004).
    pub(crate) laps: Option<u64>,
}

impl Loops {
    /// Returns the loop on which a node lies.
    pub(crate) fn of(&self, node: NodeIndex) -> Option<usize> {
        self.of.get(node.slot()).copied().flatten()
    }

    /// Returns the loop on which a step lies.
    pub(crate) fn of_step(&self, step: &Step) -> Option<usize> {
        let to = step.to.node()?;
        self.of(step.from).filter(|lap| self.of(to) == Some(*lap))
    }

    /// Returns whether a way leads back.
    pub(crate) fn is_back(&self, way: Way) -> bool {
        self.back.contains(&way)
    }
}

impl Topology {
    /// Returns the loops of the graph, in the order of their first nodes: the nodes of each in the order of
    /// declaration, and how often a run can go round at most; none without a bound (H004). Two that share a
    /// node are one.
    ///
    /// ```
    /// use handoffs_core::{Edge, NodeShape, Route, Topology};
    ///
    /// let mut ring = Topology::new("Ring");
    /// let [a, b] = ["a", "b"].map(|name| ring.node(NodeShape::new(name)));
    /// ring.start(a);
    /// ring.edge(Edge::new(a, "_", Route::to(b)));
    /// ring.edge(Edge::new(b, "_", Route::to(a).limit(2).or_end()));
    ///
    /// assert_eq!(ring.cycles(), [(vec![a, b], Some(2))]);
    /// ```
    pub fn cycles(&self) -> Vec<(Vec<NodeIndex>, Option<u64>)> {
        let loops = self.loops().list.into_iter();
        loops.map(|lap| (lap.nodes, lap.laps)).collect()
    }

    /// Returns the loops of the graph.
    pub(crate) fn loops(&self) -> Loops {
        let components = self.components(|_| true);
        let mut is_loop = vec![false; components.members.len()];
        let mut limits = vec![0_u64; components.members.len()];
        let mut counted = None;
        for step in self.steps().filter(|step| components.joins(step)) {
            let component = components.of(step.from);
            is_loop[component] = true;
            // The steps of a fork share one limit.
            if let Some(limit) = step.limit
                && counted.replace(step.way.edge) != Some(step.way.edge)
            {
                limits[component] = limits[component].saturating_add(limit.into());
            }
        }
        let free = self.components(Step::is_free);
        for step in self
            .steps()
            .filter(|step| step.is_free() && free.joins(step))
        {
            limits[components.of(step.from)] = u64::MAX;
        }

        let mut list: Vec<_> = components
            .members
            .into_iter()
            .zip(is_loop.into_iter().zip(limits))
            .filter(|(_, (is_loop, _))| *is_loop)
            .map(|(nodes, (_, laps))| Loop {
                nodes,
                laps: (laps != u64::MAX).then_some(laps),
            })
            .collect();
        list.sort_by_key(|lap| lap.nodes.first().copied());
        let mut of = vec![None; self.nodes.len()];
        for (place, lap) in list.iter().enumerate() {
            for node in &lap.nodes {
                of[node.slot()] = Some(place);
            }
        }
        Loops {
            list,
            of,
            back: self.back_ways(),
        }
    }

    /// Returns the ways that lead back: without them there is no loop.
    ///
    /// A walk from the start meets them, depth first. If an error or an `else` has led it round, that is
    /// what leads back, and not the edge that closes the loop; then the walk is made once more.
    fn back_ways(&self) -> HashSet<Way> {
        let mut steps: Vec<Vec<Step>> = vec![Vec::new(); self.nodes.len()];
        for step in self.steps() {
            steps[step.from.slot()].push(step);
        }
        for steps in &mut steps {
            // What a run does first of all is tried first, so that the exception is what leads back.
            steps.sort_by_key(|step| (is_exception(step), step.limit.is_some(), step.way.edge));
        }
        let mut back = HashSet::new();
        while self.meet_back_ways(&steps, &mut back) {}
        back
    }

    /// Walks once, and returns whether another walk may meet more.
    fn meet_back_ways(&self, steps: &[Vec<Step>], back: &mut HashSet<Way>) -> bool {
        let mut is_done = true;
        let mut met = vec![false; steps.len()];
        // Where on the path a node is.
        let mut place = vec![None; steps.len()];
        let roots = self.start.into_iter().chain(self.nodes().map(|(at, _)| at));
        for root in roots {
            if std::mem::replace(&mut met[root.slot()], true) {
                continue;
            }
            place[root.slot()] = Some(0);
            // The nodes of the path, the next step of each, and the step on which it was met.
            let mut path: Vec<(NodeIndex, usize, Option<Step>)> = vec![(root, 0, None)];
            while let Some((node, next, _)) = path.last_mut() {
                let Some(step) = steps[node.slot()].get(*next).copied() else {
                    place[node.slot()] = None;
                    path.pop();
                    continue;
                };
                *next += 1;
                let Some(to) = step.to.node().filter(|_| !back.contains(&step.way)) else {
                    continue;
                };
                if let Some(at) = place[to.slot()] {
                    let round = path[at + 1..].iter().filter_map(|(_, _, step)| *step);
                    let cause = (round.chain([step]))
                        .max_by_key(is_exception)
                        .unwrap_or(step);
                    is_done &= cause.way == step.way;
                    back.insert(cause.way);
                } else if !std::mem::replace(&mut met[to.slot()], true) {
                    place[to.slot()] = Some(path.len());
                    path.push((to, 0, Some(step)));
                }
            }
        }
        !is_done
    }
}

/// How much of an exception a step is: an error more than an `else`.
fn is_exception(step: &Step) -> (bool, bool) {
    (step.on_error, step.kind == StepKind::Else)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Route;
    use crate::topology::{Edge, NodeShape};

    #[test]
    fn a_loop_has_its_nodes_its_laps_and_a_way_back() {
        let mut desk = Topology::new("Desk");
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| desk.node(NodeShape::new(name)));
        desk.start(a);
        desk.edge(Edge::new(a, "_", Route::to(b)));
        let back = desk.edge(Edge::new(b, "No", Route::to(a).limit(2).or_else(c)));
        desk.edge(Edge::new(b, "_", Route::to(c)));
        let own = desk.edge(Edge::new(d, "_", Route::to(d)));
        desk.edge(Edge::new(c, "_", Route::end()));

        let loops = desk.loops();
        let lists: Vec<_> = loops
            .list
            .iter()
            .map(|lap| (&*lap.nodes, lap.laps))
            .collect();
        assert_eq!(lists, [(&[a, b][..], Some(2)), (&[d][..], None)]);
        assert_eq!(
            (loops.of(b), loops.of(c), loops.of(d)),
            (Some(0), None, Some(1))
        );
        let way = |edge| Way {
            edge,
            is_else: false,
            branch: None,
        };
        assert_eq!(loops.back, HashSet::from([way(back), way(own)]));
    }

    #[test]
    fn a_graph_without_loops_has_none() {
        assert_eq!(Topology::new("Empty").loops(), Loops::default());
    }
}
