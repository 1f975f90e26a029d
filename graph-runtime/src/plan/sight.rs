//! Which fields are looked at where: a branch is given no others.

use handoffs_core::{Branches, FieldSet, NodeIndex};

use super::Plan;
use crate::execute::Known;

impl Plan {
    /// Finds the fields that the branches of each fork can see.
    pub(super) fn see_branches(&mut self, known: &[Known]) {
        let looks_at_all = self.that_look_at_all();
        let nodes = self.topology.nodes().zip(looks_at_all);
        let by_node: Vec<_> = nodes
            .map(|((node, _), looks_at_all)| {
                if looks_at_all {
                    FieldSet::ALL
                } else {
                    self.seen_by(node, known)
                }
            })
            .collect();
        self.sees = by_node.iter().copied().fold(FieldSet::EMPTY, FieldSet::or);
        let regions = self.topology.regions();
        let mut seen = vec![FieldSet::EMPTY; regions.list.len()];
        for (place, region) in regions.list.iter().enumerate() {
            for node in &region.nodes {
                seen[place] = seen[place].or(by_node[usize::from(node.0)]);
            }
        }
        // What a branch within a branch sees, the one around it has to have.
        for (place, region) in regions.list.iter().enumerate().rev() {
            let mut parent = region.parent;
            let fields = seen[place];
            while let Some(around) = parent {
                seen[around] = seen[around].or(fields);
                parent = regions.list[around].parent;
            }
        }
        for (place, region) in regions.list.iter().enumerate() {
            for edge in &region.forks {
                if let Some(fork) = &mut self.edges[usize::from(edge.0)].fork {
                    fork.fields = seen[place];
                }
            }
        }
    }

    /// Returns of each node whether a guard, what lists items or what asks a person looks at the state
    /// behind it.
    fn that_look_at_all(&self) -> Vec<bool> {
        let mut nodes = vec![false; self.nodes.len()];
        for (_, edge) in self.topology.edges() {
            let branches = edge.route.fork().map(|fork| &fork.branches);
            let is_each = matches!(branches, Some(Branches::Each { .. }));
            let asks = edge.route.approval().is_some();
            nodes[usize::from(edge.from.0)] |= is_each || asks || edge.guard.is_some();
        }
        nodes
    }

    /// Returns the fields that a node in a branch can see, or that are looked at behind it.
    fn seen_by(&self, node: NodeIndex, known: &[Known]) -> FieldSet {
        let Some(known) = known.get(usize::from(node.0)) else {
            return FieldSet::ALL;
        };
        let planned = &self.nodes[usize::from(node.0)];
        let has_key = planned.policy.cache_ttl().is_some();
        let is_hidden = planned.is_graph && planned.inner.is_none();
        if has_key || is_hidden || !known.keeps_to_contract {
            return FieldSet::ALL;
        }
        let contract = known.contract;
        // The guards of a graph within look at more than its nodes name.
        let within = planned.inner.as_ref().filter(|inner| inner.is_direct);
        let within = within.map_or(FieldSet::EMPTY, |inner| inner.plan.sees);
        contract
            .reads
            .or(contract.writes)
            .or(contract.needs)
            .or(known.promises)
            .or(within)
    }
}
