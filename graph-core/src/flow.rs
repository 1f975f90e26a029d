//! Whether the nodes' promises meet: that no handoff loses context (H007), that branches do not write
//! over each other (H008), that a node which takes an item is handed one (H009), and that an edge which
//! looks for what may be missing may find that it is (H011).
//!
//! A graph's derive lets the compiler run [`Flow`] over the contracts of its nodes: a forward data flow
//! that keeps, for each node, the fields that are set on *every* path to it, a must-analysis on a lattice
//! of sets (G. Kildall, "A unified approach to global program optimization", POPL 1973). It is made of
//! `const fn`s, so a context that a handoff would lose is an error of `cargo check`. A graph that is
//! built at run time asks the same functions, with vectors in the place of arrays.

mod clash;
mod found;
mod given;
mod item;
mod message;
mod missing;
mod path;
mod queue;
mod table;
#[cfg(test)]
mod tests;

pub use found::Found;
pub use item::Hand;
pub use message::Message;
pub use table::{Gift, Promise, contracts};

use crate::contract::{Contract, FieldSet};
use crate::state::Field;
use queue::{Queue, Spot};

/// A step of the data flow: from node to node, with what its outcome gives beyond the node's contract.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the derive writes it as a literal"
)]
pub struct FlowEdge {
    /// The index of the node that the edge leaves.
    pub from: usize,
    /// The index of the node that it leads to: of an arrival the join; of an end it says nothing.
    pub to: usize,
    /// The fields that the edge's outcome gives.
    pub gives: FieldSet,
    /// Whether the edge is taken when the node fails: then the node has neither written nor given.
    pub failed: bool,
}

/// An edge that forks the run: into its branches, and on to the join when all have arrived.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the derive writes it as a literal"
)]
pub struct FlowFork<'a> {
    /// The index of the node that the fork leaves.
    pub from: usize,
    /// The index of the join.
    pub to: usize,
    /// The fields that the edge's outcome gives.
    pub gives: FieldSet,
    /// Whether its one branch runs once for each item, so perhaps never.
    pub each: bool,
    /// The branches, in the written order.
    pub branches: &'a [FlowBranch<'a>],
}

/// A branch of a fork.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the derive writes it as a literal"
)]
pub struct FlowBranch<'a> {
    /// The index of the node where the branch starts.
    pub entry: usize,
    /// The nodes that the branch may run, those of the forks within it among them.
    pub nodes: &'a [usize],
    /// The steps from a node of the branch to the join.
    pub arrivals: &'a [FlowEdge],
}

/// The data flow of a graph: the contracts of its nodes along its edges.
///
/// The order of edges does not matter; in the order of their sources they are found fastest.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the derive writes it as a literal"
)]
pub struct Flow<'a> {
    /// The names of the nodes.
    pub names: &'a [&'a str],
    /// What the nodes promise; as many as there are names.
    pub contracts: &'a [Contract],
    /// The steps from node to node within one region, those of an `else` among them.
    pub edges: &'a [FlowEdge],
    /// The forks.
    pub forks: &'a [FlowFork<'a>],
    /// The index of the node where a run starts.
    pub start: usize,
    /// The fields of the state.
    pub fields: &'a [Field],
    /// The fields of which what branches write is merged.
    pub merges: FieldSet,
    /// The fields that the caller brings.
    pub given: FieldSet,
}

impl Flow<'_> {
    /// Returns, for each of the `N` nodes, the fields that are set on every path to it.
    pub const fn set<const N: usize>(&self) -> [FieldSet; N] {
        let mut set = [FieldSet::ALL; N];
        self.find_set(&mut set, &mut [Spot::NEW; N]);
        set
    }

    /// Returns the same for any number of nodes.
    pub fn set_vec(&self) -> Vec<FieldSet> {
        let mut set = vec![FieldSet::ALL; self.names.len()];
        self.find_set(&mut set, &mut self.spots());
        set
    }

    /// Returns what the whole graph promises as a node of another, given what [`Flow::set`] found
    /// and the steps to the end.
    pub const fn contract(&self, set: &[FieldSet], ends: &[FlowEdge]) -> Contract {
        let mut whole = Contract::EMPTY;
        let mut n = 0;
        while n < self.contracts.len() {
            whole.reads = whole.reads.or(self.contracts[n].reads);
            whole.writes = whole.writes.or(self.contracts[n].writes);
            whole.replaces = whole.replaces.or(self.contracts[n].replaces);
            n += 1;
        }
        let mut at_end = FieldSet::ALL;
        let mut e = 0;
        while e < ends.len() {
            at_end = at_end.and(self.across(&ends[e], set[ends[e].from]));
            e += 1;
        }
        whole.needs = self.given;
        whole.gives = whole.writes.and(at_end);
        whole.unsets = whole.writes.and(self.given).minus(at_end);
        whole
    }

    fn spots(&self) -> Vec<Spot> {
        vec![Spot::NEW; self.names.len()]
    }

    /// Finds what is set, as a work list: a node is looked at again when less is set on arrival.
    ///
    /// Sets only shrink, and a field leaves that of a node once, so this ends.
    const fn find_set(&self, set: &mut [FieldSet], spots: &mut [Spot]) {
        let mut queue = Queue::new(self, spots);
        meet(set, &mut queue, self.start, self.given);
        self.settle(set, &mut queue);
        let mut changed = true;
        while changed {
            changed = false;
            let mut f = 0;
            while f < self.forks.len() {
                let fork = &self.forks[f];
                if queue.reached(fork.from) {
                    let joined = self.joined(fork, set, &queue);
                    if meet(set, &mut queue, fork.to, joined) {
                        changed = true;
                        self.settle(set, &mut queue);
                    }
                }
                f += 1;
            }
        }
    }

    /// Follows the steps and the ways into branches until nothing changes. Joins are left out.
    const fn settle(&self, set: &mut [FieldSet], queue: &mut Queue<'_>) {
        while let Some(node) = queue.pop() {
            let mut e = queue.edges(node).from;
            while e < queue.edges(node).to {
                let edge = &self.edges[e];
                if edge.from == node {
                    meet(set, queue, edge.to, self.across(edge, set[node]));
                }
                e += 1;
            }
            let mut f = queue.forks(node).from;
            while f < queue.forks(node).to {
                let fork = &self.forks[f];
                if fork.from == node {
                    let forked = self.forked(fork, set[node]);
                    let mut b = 0;
                    while b < fork.branches.len() {
                        meet(set, queue, fork.branches[b].entry, forked);
                        b += 1;
                    }
                }
                f += 1;
            }
        }
    }

    /// Returns what is set behind an edge, of what was set before the node that it leaves.
    const fn across(&self, edge: &FlowEdge, before: FieldSet) -> FieldSet {
        let node = &self.contracts[edge.from];
        let after = if edge.failed {
            node.ran(before)
        } else {
            node.after(before)
        };
        after.or(edge.gives)
    }

    /// Returns what is set where the branches start, of what was set before the node that forks.
    const fn forked(&self, fork: &FlowFork<'_>, before: FieldSet) -> FieldSet {
        self.contracts[fork.from].after(before).or(fork.gives)
    }

    /// Returns what is set at the join: what was before the branches or in some branch at its end,
    /// without what another branch may have unset.
    const fn joined(&self, fork: &FlowFork<'_>, set: &[FieldSet], queue: &Queue<'_>) -> FieldSet {
        let forked = self.forked(fork, set[fork.from]);
        let mut some = forked;
        let mut kept = FieldSet::ALL;
        let mut b = 0;
        while b < fork.branches.len() {
            let branch = &fork.branches[b];
            let arrived = self.arrived(branch, set, queue);
            let untouched = FieldSet::ALL.minus(self.writes(branch.nodes));
            kept = kept.and(arrived.or(untouched));
            some = some.or(arrived);
            b += 1;
        }
        if fork.each {
            // There may be no item, so no branch.
            some = forked;
        }
        some.and(kept)
    }

    /// Returns what is set wherever a branch ends.
    const fn arrived(
        &self,
        branch: &FlowBranch<'_>,
        set: &[FieldSet],
        queue: &Queue<'_>,
    ) -> FieldSet {
        let mut arrived = FieldSet::ALL;
        let mut a = 0;
        while a < branch.arrivals.len() {
            let arrival = &branch.arrivals[a];
            if queue.reached(arrival.from) {
                arrived = arrived.and(self.across(arrival, set[arrival.from]));
            }
            a += 1;
        }
        arrived
    }

    /// Returns what some of these nodes may write.
    const fn writes(&self, nodes: &[usize]) -> FieldSet {
        let mut writes = FieldSet::EMPTY;
        let mut n = 0;
        while n < nodes.len() {
            writes = writes.or(self.contracts[nodes[n]].writes);
            n += 1;
        }
        writes
    }

    const fn field_name(&self, field: usize) -> &str {
        if field < self.fields.len() {
            self.fields[field].name
        } else {
            "?"
        }
    }
}

/// Leaves in the set of a node what is also in that of one more way to it; returns whether this is
/// news.
const fn meet(
    set: &mut [FieldSet],
    queue: &mut Queue<'_>,
    node: usize,
    on_arrival: FieldSet,
) -> bool {
    let met = set[node].and(on_arrival);
    let is_news = !queue.reached(node) || !met.same(set[node]);
    if is_news {
        set[node] = met;
        queue.push(node);
    }
    is_news
}
