//! Where the steps of branches lead: what the data flow has to know of forks.

use handoffs_core::__private::ways;
use handoffs_core::{EdgeIndex, NodeIndex, Regions, Target, Topology};
use proc_macro2::TokenStream;
use quote::ToTokens;

use super::arm::To;
use super::model::Model;

/// Where a step leads, seen from the region in which it begins.
pub(super) enum Place {
    /// To a node of the same region.
    Inside(NodeIndex),
    /// To the join of the region, where the branch ends.
    Join(NodeIndex),
    /// To the end of the run.
    End,
}

/// The steps of a graph, and the regions in which they are.
pub(super) struct Arrows<'a> {
    topology: &'a Topology,
    regions: Regions,
}

/// What a branch may run, and how it comes to the join.
#[derive(Default)]
pub(super) struct Branch {
    pub(super) nodes: Vec<usize>,
    pub(super) arrivals: Vec<(EdgeIndex, NodeIndex)>,
}

impl<'a> Arrows<'a> {
    pub(super) fn of(topology: &'a Topology) -> Self {
        Self {
            topology,
            regions: topology.regions(),
        }
    }

    /// Returns where a plain step leads.
    pub(super) fn place(&self, from: NodeIndex, to: Target<NodeIndex>) -> Place {
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

    /// Follows a branch from its first node to the join, through the forks inside it.
    pub(super) fn branch(&self, entry: NodeIndex) -> Branch {
        let own = self.region(entry);
        let mut branch = Branch::default();
        let mut met = vec![entry];
        let mut next = 0;
        while let Some(node) = met.get(next).copied() {
            next += 1;
            for (index, edge) in self.topology.edges_from(node) {
                for way in ways(edge) {
                    match self.place(node, way) {
                        Place::Inside(_) => met.extend(way.node()),
                        Place::Join(join) if self.region(node) == own => {
                            branch.arrivals.push((index, join));
                        }
                        Place::Join(_) | Place::End => {}
                    }
                }
                if let Some(fork) = edge.route.fork() {
                    met.extend(fork.entries());
                    met.extend(edge.route.target().node());
                }
                let mut seen = Vec::new();
                met.retain(|node| {
                    let is_new = !seen.contains(node);
                    seen.push(*node);
                    is_new
                });
            }
        }
        met.sort_unstable();
        branch.nodes = met.iter().map(|node| usize::from(node.0)).collect();
        branch
    }

    fn region(&self, node: NodeIndex) -> Option<usize> {
        let region = self.regions.of.get(usize::from(node.0));
        region.copied().flatten()
    }
}

/// Returns the token by which a fork names a branch.
pub(super) fn branch_token(model: &Model, edge: EdgeIndex, branch: usize) -> TokenStream {
    let name = match model.onward(edge).map(|onward| &onward.to) {
        Some(To::All { branches, .. }) => branches.get(branch),
        Some(To::Each { worker, .. }) => Some(worker),
        _ => None,
    };
    let name = name.unwrap_or(&model.graph.ident);
    name.to_token_stream()
}
