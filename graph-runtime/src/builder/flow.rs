//! The data flow of a built graph: that no handoff loses context (H007), that branches do not write
//! over each other (H008), and that a node which takes an item is handed one (H009).

use handoffs_core::__private::{Flow, FlowBranch, FlowEdge, FlowFork, ways};
use handoffs_core::{
    Branches, Contract, Edge, EdgeIndex, FieldSet, NodeIndex, Regions, State, Target, Topology,
};

/// Something that the data flow found.
pub(super) struct Lost {
    pub(super) at: Site,
    pub(super) text: String,
}

/// Where the data flow found something.
pub(super) enum Site {
    Node(usize),
    Branch(EdgeIndex, usize),
    /// What an edge says of fields that are missing.
    Missing(EdgeIndex),
}

/// The steps of a graph as the data flow needs them.
#[derive(Default)]
pub(super) struct Steps {
    edges: Vec<FlowEdge>,
    forks: Vec<Fork>,
    ends: Vec<FlowEdge>,
    looks: Vec<Look>,
}

/// A handoff that looks whether all is set that its node needs.
struct Look {
    edge: EdgeIndex,
    from: usize,
    to: usize,
    gives: FieldSet,
}

struct Fork {
    edge: EdgeIndex,
    from: usize,
    to: usize,
    gives: FieldSet,
    each: bool,
    branches: Vec<Branch>,
}

struct Branch {
    entry: usize,
    nodes: Vec<usize>,
    arrivals: Vec<FlowEdge>,
}

impl Steps {
    /// Reads the steps off a graph, of which each edge gives some fields, and finds some to be set.
    pub(super) fn of(topology: &Topology, gives: &[FieldSet], finds: &[Option<FieldSet>]) -> Self {
        let regions = topology.regions();
        let mut leaving = vec![Vec::new(); topology.nodes().len()];
        for (index, edge) in topology.edges() {
            if let Some(edges) = leaving.get_mut(slot(edge.from)) {
                edges.push((index, edge));
            }
        }
        let arrows = Arrows {
            leaving,
            regions,
            gives,
            finds,
        };
        let mut steps = Self::default();
        for (index, edge) in topology.edges() {
            if let (Some(_), Some(to)) = (arrows.finds(index), edge.route.target().node()) {
                steps.looks.push(Look {
                    edge: index,
                    from: slot(edge.from),
                    to: slot(to),
                    gives: gives.get(usize::from(index.0)).copied().unwrap_or_default(),
                });
            }
            for way in ways(edge) {
                match arrows.place(edge.from, way) {
                    Place::Inside(to) => steps.edges.push(arrows.step(index, edge, slot(to))),
                    Place::End => steps.ends.push(arrows.step(index, edge, 0)),
                    Place::Join(_) => {}
                }
            }
            if let (Some(fork), Some(join)) = (edge.route.fork(), edge.route.target().node()) {
                steps.forks.push(Fork {
                    edge: index,
                    from: slot(edge.from),
                    to: slot(join),
                    gives: arrows.given(index),
                    each: matches!(fork.branches, Branches::Each { .. }),
                    branches: fork
                        .entries()
                        .iter()
                        .map(|entry| arrows.branch(*entry))
                        .collect(),
                });
            }
        }
        steps
    }

    /// Runs the data flow, and returns what it found and what the graph promises as a whole.
    pub(super) fn check<S: State>(
        &self,
        names: &[&str],
        contracts: &[Contract],
        start: usize,
        given: FieldSet,
    ) -> (Vec<Lost>, Contract) {
        let branches: Vec<Vec<_>> = self.forks.iter().map(Fork::branches).collect();
        let forks = self.forks.iter().zip(&branches);
        let forks: Vec<_> = forks.map(|(fork, branches)| fork.with(branches)).collect();
        let flow = Flow {
            names,
            contracts,
            edges: &self.edges,
            forks: &forks,
            start,
            fields: S::FIELDS,
            merges: FieldSet::merging(S::FIELDS),
            given,
        };
        let set = flow.set_vec();
        let lost = |(node, message): (usize, handoffs_core::__private::Message)| Lost {
            at: Site::Node(node),
            text: message.as_str().to_owned(),
        };
        let mut found: Vec<_> = flow.lost_vec(&set).into_iter().map(lost).collect();
        for (number, fork) in self.forks.iter().enumerate() {
            for branch in 0..fork.branches.len() {
                found.extend(flow.clash(number, branch).map(|message| Lost {
                    at: Site::Branch(fork.edge, branch),
                    text: message.as_str().to_owned(),
                }));
            }
        }
        if flow.takes_items() {
            let hands = flow.hands_vec();
            for node in 0..names.len() {
                found.extend(
                    flow.itemless(&hands, node)
                        .map(|message| lost((node, message))),
                );
            }
        }
        found.extend(self.looks.iter().filter_map(|look| {
            let message = flow.never_missing(&set, look.from, look.gives, look.to)?;
            Some(Lost {
                at: Site::Missing(look.edge),
                text: message.as_str().to_owned(),
            })
        }));
        (found, flow.contract(&set, &self.ends))
    }
}

impl Fork {
    fn branches(&self) -> Vec<FlowBranch<'_>> {
        let branches = self.branches.iter();
        let branch = branches.map(|branch| FlowBranch {
            entry: branch.entry,
            nodes: &branch.nodes,
            arrivals: &branch.arrivals,
        });
        branch.collect()
    }

    fn with<'a>(&self, branches: &'a [FlowBranch<'a>]) -> FlowFork<'a> {
        FlowFork {
            from: self.from,
            to: self.to,
            gives: self.gives,
            each: self.each,
            branches,
        }
    }
}

/// Where a step leads, seen from the region in which it begins.
enum Place {
    Inside(NodeIndex),
    /// To the join of the region, where the branch ends.
    Join(NodeIndex),
    End,
}

struct Arrows<'a> {
    leaving: Vec<Vec<(EdgeIndex, &'a Edge<NodeIndex>)>>,
    regions: Regions,
    gives: &'a [FieldSet],
    finds: &'a [Option<FieldSet>],
}

impl Arrows<'_> {
    fn region(&self, node: NodeIndex) -> Option<usize> {
        self.regions.of.get(slot(node)).copied().flatten()
    }

    fn place(&self, from: NodeIndex, to: Target<NodeIndex>) -> Place {
        let Some(to) = to.node() else {
            return Place::End;
        };
        let region = self
            .region(from)
            .and_then(|region| self.regions.list.get(region));
        match region {
            Some(region) if region.join == to => Place::Join(to),
            _ => Place::Inside(to),
        }
    }

    /// Returns what is set behind an edge whatever its node does.
    fn given(&self, edge: EdgeIndex) -> FieldSet {
        let gives = self.gives.get(usize::from(edge.0)).copied();
        let finds = self.finds(edge).unwrap_or_default();
        gives.unwrap_or_default().or(finds)
    }

    fn finds(&self, edge: EdgeIndex) -> Option<FieldSet> {
        self.finds.get(usize::from(edge.0)).copied().flatten()
    }

    fn step(&self, index: EdgeIndex, edge: &Edge<NodeIndex>, to: usize) -> FlowEdge {
        FlowEdge {
            from: slot(edge.from),
            to,
            gives: self.given(index),
            failed: edge.on_error,
        }
    }

    /// Follows a branch from its first node to the join, through the forks inside it.
    fn branch(&self, entry: NodeIndex) -> Branch {
        let own = self.region(entry);
        let mut seen = std::collections::HashSet::from([entry]);
        let mut met = vec![entry];
        let mut arrivals = Vec::new();
        let mut next = 0;
        while let Some(node) = met.get(next).copied() {
            next += 1;
            let mut visit = |node| {
                if seen.insert(node) {
                    met.push(node);
                }
            };
            for (index, edge) in self.leaving.get(slot(node)).into_iter().flatten() {
                for way in ways(edge) {
                    match self.place(node, way) {
                        Place::Inside(to) => visit(to),
                        Place::Join(join) if self.region(node) == own => {
                            arrivals.push(self.step(*index, edge, slot(join)));
                        }
                        Place::Join(_) | Place::End => {}
                    }
                }
                if let Some(fork) = edge.route.fork() {
                    fork.entries().iter().copied().for_each(&mut visit);
                    edge.route.target().node().into_iter().for_each(&mut visit);
                }
            }
        }
        met.sort_unstable();
        Branch {
            entry: slot(entry),
            nodes: met.into_iter().map(slot).collect(),
            arrivals,
        }
    }
}

fn slot(node: NodeIndex) -> usize {
    usize::from(node.0)
}
