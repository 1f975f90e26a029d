//! Goes along the paths of a thread as they were gone, and asks at each decision where it leads today.

use std::collections::HashMap;
use std::sync::Arc;

use super::Reroute;
use super::decide::{Decision, Held, decided};
use crate::any_graph::{AnyGraph, Replica};
use crate::driver::node_of;
use crate::engine::Engine;
use crate::journal::{Approval, BranchId, Entry, Fields, Forked, Recorded, ThreadId, Writes};
use crate::marks::{Gathered, Marks};
use crate::plan::Plan;

/// A thread's entries, path by path, and what was found on the way.
pub(super) struct Walk<'a> {
    pub(super) thread: &'a ThreadId,
    pub(super) watches: bool,
    paths: HashMap<BranchId, Vec<Entry>>,
}

/// How far one path was gone, by the plan of today.
pub(super) struct Trail<'a> {
    /// The graph; none if it is hidden in a node, or gone.
    pub(super) graph: Option<&'a dyn AnyGraph>,
    pub(super) plan: &'a Plan,
    branch: BranchId,
    pub(super) engine: Engine,
    pub(super) fields: Fields,
    marks: Marks,
    /// The last entry that brought the path to the node which is due.
    arrived: u64,
    /// The node that is due, if there is such a one today.
    due: Option<u16>,
    fork: Option<Open<'a>>,
    pub(super) held: Option<Held<'a>>,
    pub(super) replica: Replica,
}

/// A fork whose branches have not joined.
struct Open<'a> {
    seq: u64,
    forked: &'a Forked,
    from: Option<u16>,
    /// Where its branches begin today.
    entries: Vec<Option<u16>>,
    under: Arc<Fields>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(thread: &'a ThreadId, watches: bool, history: Vec<Entry>) -> Self {
        let mut paths: HashMap<_, Vec<_>> = HashMap::new();
        for entry in history {
            paths.entry(entry.branch.clone()).or_default().push(entry);
        }
        Self {
            thread,
            watches,
            paths,
        }
    }

    /// Goes along all paths.
    pub(super) fn along(&self, graph: &dyn AnyGraph, plan: &Plan) -> Reroute {
        let mut found = Reroute::default();
        let fields = Fields::new(&plan.fields);
        self.follow(
            Trail::new(Some(graph), plan, BranchId::TRUNK, fields),
            &mut found,
        );
        found.differing.sort_by_key(|rerouted| rerouted.seq);
        found
    }

    pub(super) fn of(&self, branch: &BranchId) -> &[Entry] {
        self.paths
            .get(branch)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    fn follow<'w>(&'w self, mut trail: Trail<'w>, found: &mut Reroute) -> Trail<'w> {
        let entries = self.of(&trail.branch);
        for (place, entry) in entries.iter().enumerate() {
            let rest = entries.get(place + 1..).unwrap_or_default();
            match &entry.event {
                Recorded::Started { writes, whole, .. } => {
                    self.leave(&mut trail, found);
                    if *whole && trail.branch.is_trunk() {
                        trail.fields = Fields::new(&trail.plan.fields);
                        trail.replica = Replica::default();
                    }
                    trail.take(writes);
                    trail.marks = Marks::default();
                    trail.engine.retrace_start(trail.plan);
                    trail.settle(entry.seq, Some(trail.plan.start));
                }
                Recorded::Stepped { .. } => self.step(&mut trail, entry, rest, found),
                Recorded::Caught { .. } => self.catch(&mut trail, entry, rest, found),
                Recorded::Joined { to, writes } => {
                    self.join(&mut trail, writes, found);
                    let to = trail.plan.find_node(to);
                    trail.settle(entry.seq, to);
                }
                Recorded::Decided { approval, to, .. } => {
                    let is_approved = matches!(approval, Approval::Approved);
                    decided(&mut trail, entry, is_approved, to.as_deref(), found);
                }
                Recorded::Expired { to, .. } if trail.held.is_some() => {
                    decided(&mut trail, entry, false, to.as_deref(), found);
                }
                Recorded::Answered { .. } | Recorded::Expired { .. } => {
                    trail.engine.retrace_input(true);
                }
                Recorded::Edited { writes, .. } => {
                    let marks = trail.take(writes);
                    trail.marks.add(marks);
                    trail.engine.retrace_input(false);
                }
                Recorded::Abandoned { .. } => {
                    self.leave(&mut trail, found);
                    trail.settle(entry.seq, None);
                }
                Recorded::Attempted { .. }
                | Recorded::Asked(_)
                | Recorded::Submitted { .. }
                | Recorded::Once { .. }
                | Recorded::Used { .. }
                | Recorded::Failed { .. }
                | Recorded::Copied { .. } => {}
            }
        }
        self.leave(&mut trail, found);
        trail
    }

    /// Looks at what was under way when the path came to nothing, and forgets it.
    fn leave(&self, trail: &mut Trail<'_>, found: &mut Reroute) {
        trail.held = None;
        if let Some(fork) = trail.fork.take() {
            for index in 0..fork.forked.branches {
                drop(self.branch(trail, &fork, index, found));
            }
            trail.fields = Arc::unwrap_or_clone(fork.under);
        } else {
            self.within(trail, trail.due, false, found);
        }
    }

    fn step<'w>(
        &'w self,
        trail: &mut Trail<'w>,
        entry: &'w Entry,
        rest: &'w [Entry],
        found: &mut Reroute,
    ) {
        let Recorded::Stepped {
            node,
            outcome,
            on,
            masked,
            to,
            fork,
            writes,
            replaced,
            cached,
            approval,
            ..
        } = &entry.event
        else {
            return;
        };
        let from = trail.plan.find_node(node);
        // What an attempt had written that a cached result came before is no part of the state.
        self.within(trail, from, writes.is_empty() && !cached, found);
        let mut marks = trail.take(writes);
        marks.replaced = trail.fields.named(&trail.plan.known_fields(replaced));
        trail.marks.add(marks);
        let decision = Decision {
            entry,
            node,
            outcome: Some(outcome),
            on,
            masked: *masked,
            to: to.as_deref(),
            fork: fork.as_ref(),
            asks: approval.is_some(),
            rest,
        };
        let edge = self.decide(trail, from, &decision, found);
        let to = to.as_deref().and_then(|to| trail.plan.find_node(to));
        trail.settle(entry.seq, to);
        if let Some(forked) = fork {
            let entries = edge.and_then(|edge| trail.plan.fork(edge));
            let entries = entries.map_or_else(Vec::new, |fork| {
                let entry = |index: u32| {
                    let place = if fork.is_each { 0 } else { index as usize };
                    fork.entries.get(place).copied()
                };
                (0..forked.branches).map(entry).collect()
            });
            trail.fork = Some(Open {
                seq: entry.seq,
                forked,
                from,
                entries,
                under: Arc::new(std::mem::take(&mut trail.fields)),
            });
        }
    }

    fn catch<'w>(
        &'w self,
        trail: &mut Trail<'w>,
        entry: &'w Entry,
        rest: &'w [Entry],
        found: &mut Reroute,
    ) {
        let Recorded::Caught {
            failure,
            on,
            masked,
            to,
            ..
        } = &entry.event
        else {
            return;
        };
        let from = trail.plan.find_node(&failure.node);
        self.within(trail, from, false, found);
        let decision = Decision {
            entry,
            node: &failure.node,
            outcome: None,
            on,
            masked: *masked,
            to: to.as_deref(),
            fork: None,
            asks: false,
            rest,
        };
        self.decide(trail, from, &decision, found);
        let to = to.as_deref().and_then(|to| trail.plan.find_node(to));
        trail.settle(entry.seq, to);
    }

    /// Goes along a branch of a fork.
    fn branch<'w>(
        &'w self,
        trail: &Trail<'w>,
        fork: &Open<'_>,
        index: u32,
        found: &mut Reroute,
    ) -> Trail<'w> {
        let branch = trail.branch.child(fork.seq, index);
        let begun = self
            .of(&branch)
            .iter()
            .find_map(|entry| node_of(&entry.event));
        let expected = fork.entries.get(index as usize).copied().flatten();
        let due = begun.map_or(expected, |node| trail.plan.find_node(node));
        let begun = Trail {
            graph: trail.graph,
            plan: trail.plan,
            branch,
            engine: trail.engine.retrace_branch(fork.from),
            fields: Fields::over(&fork.under),
            marks: Marks::default(),
            arrived: fork.seq,
            due,
            fork: None,
            held: None,
            replica: trail.replica.copied(),
        };
        self.follow(begun, found)
    }

    fn join(&self, trail: &mut Trail<'_>, writes: &Writes, found: &mut Reroute) {
        let Some(fork) = trail.fork.take() else {
            return;
        };
        let mut all = trail.engine.clone();
        let mut fields = Fields::over(&fork.under);
        // What a function had merged stands with the join, whatever merges today.
        let writes = trail.plan.known_writes(writes);
        let written: Vec<_> = writes
            .iter()
            .map(|(name, _)| name.to_owned().into())
            .collect();
        let by_function = fields.named(&written).and(trail.plan.by_function);
        let mut gathered = Gathered::new(by_function);
        for index in 0..fork.forked.branches {
            let branch = self.branch(trail, &fork, index, found);
            all.absorb(&branch.engine);
            fields.bring(&mut gathered, &branch.fields, branch.marks);
        }
        trail.engine.retrace_join(trail.plan, all, fork.from);
        fields.take_known(writes);
        drop(fork);
        trail.fields = fields.settle();
        trail.replica = Replica::default();
        trail.marks.add(gathered.marks);
    }

    /// Goes along the run of a graph within, if the node which is due was one; what it has changed of a
    /// state that it shares is taken over if that is not written elsewhere.
    fn within(&self, trail: &mut Trail<'_>, node: Option<u16>, adopts: bool, found: &mut Reroute) {
        let branch = trail.branch.child(trail.arrived, 0);
        let Some(first) = self.of(&branch).first() else {
            return;
        };
        let shares = matches!(&first.event, Recorded::Started { writes, .. } if writes.is_empty());
        let planned = node.and_then(|node| trail.plan.node(node)?.inner.as_ref());
        let graph = node.and_then(|node| trail.graph?.graph_of(node));
        let graph = graph.map(|within| within.graph());
        let plan = planned.map_or(trail.plan, |inner| &inner.plan);
        let under = Arc::new(std::mem::take(&mut trail.fields));
        let fields = match planned {
            _ if shares => Fields::over(&under),
            Some(inner) => Fields::new(&inner.plan.fields),
            None => Fields::default(),
        };
        let graph = graph.filter(|_| planned.is_some());
        let mut begun = Trail::new(graph, plan, branch, fields);
        if shares {
            begun.replica = trail.replica.copied();
        }
        let Trail {
            fields,
            marks,
            replica,
            ..
        } = self.follow(begun, found);
        if adopts && shares {
            trail.replica = replica;
            trail.marks.add(marks);
            drop(under);
            trail.fields = fields.settle();
        } else {
            drop(fields);
            trail.fields = Arc::unwrap_or_clone(under);
        }
    }
}

impl<'a> Trail<'a> {
    fn new(
        graph: Option<&'a dyn AnyGraph>,
        plan: &'a Plan,
        branch: BranchId,
        fields: Fields,
    ) -> Self {
        Self {
            graph,
            plan,
            branch,
            engine: Engine::new(plan),
            fields,
            marks: Marks::default(),
            arrived: 0,
            due: None,
            fork: None,
            held: None,
            replica: Replica::default(),
        }
    }

    /// Takes the fields in that the state has today.
    fn take(&mut self, writes: &Writes) -> Marks {
        let writes = self.plan.known_writes(writes);
        self.replica.note(&writes);
        self.fields.take_known(writes)
    }

    pub(super) fn settle(&mut self, seq: u64, due: Option<u16>) {
        self.arrived = seq;
        self.due = due;
    }
}
