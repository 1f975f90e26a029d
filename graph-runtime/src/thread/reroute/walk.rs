//! Goes along the paths of a thread as they were gone, and asks at each decision where it leads today.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::{Handoff, NoHandoff, Reroute, Rerouted};
use crate::any_graph::{AnyGraph, Picked, Scene};
use crate::driver::node_of;
use crate::engine::{Engine, Hop, Refused};
use crate::journal::{
    BranchId, Conclusion, Entry, Fields, Forked, Masked, Recorded, ThreadId, Writes,
};
use crate::marks::{Gathered, Marks};
use crate::plan::Plan;

/// A thread's entries, path by path, and what was found on the way.
pub(super) struct Walk<'a> {
    thread: &'a ThreadId,
    watches: bool,
    paths: HashMap<BranchId, Vec<Entry>>,
}

/// How far one path was gone, by the plan of today.
struct Trail<'a> {
    /// The graph; none if it is hidden in a node, or gone.
    graph: Option<&'a dyn AnyGraph>,
    plan: &'a Plan,
    branch: BranchId,
    engine: Engine,
    fields: Fields,
    marks: Marks,
    /// The last entry that brought the path to the node which is due.
    arrived: u64,
    /// The node that is due, if there is such a one today.
    due: Option<u16>,
    fork: Option<Open<'a>>,
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

/// A decision as it was recorded.
struct Decision<'a> {
    entry: &'a Entry,
    node: &'a str,
    outcome: Option<&'a Conclusion>,
    on: &'a str,
    masked: Option<Masked>,
    to: Option<&'a str>,
    fork: Option<&'a Forked>,
    /// What follows on the path.
    rest: &'a [Entry],
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

    fn of(&self, branch: &BranchId) -> &[Entry] {
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
                Recorded::Started { writes, whole } => {
                    self.leave(&mut trail, found);
                    if *whole {
                        trail.fields = Fields::new(&trail.plan.fields);
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
                Recorded::Answered { .. } => trail.engine.retrace_input(true),
                Recorded::Decided { to, .. } => {
                    trail.engine.retrace_input(true);
                    let to = to.as_deref().and_then(|to| trail.plan.find_node(to));
                    trail.settle(entry.seq, to);
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
                | Recorded::Expired { .. }
                | Recorded::Once { .. }
                | Recorded::Failed { .. }
                | Recorded::Copied { .. } => {}
            }
        }
        self.leave(&mut trail, found);
        trail
    }

    /// Looks at what was under way when the path came to nothing, and forgets it.
    fn leave(&self, trail: &mut Trail<'_>, found: &mut Reroute) {
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
            ..
        } = &entry.event
        else {
            return;
        };
        let from = trail.plan.find_node(node);
        // What an attempt had written that a cached result came before is no part of the state.
        self.within(trail, from, writes.is_empty() && !cached, found);
        let mut marks = trail.take(writes);
        marks.replaced = trail.fields.named(replaced);
        trail.marks.add(marks);
        let decision = Decision {
            entry,
            node,
            outcome: Some(outcome),
            on,
            masked: *masked,
            to: to.as_deref(),
            fork: fork.as_ref(),
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
            rest,
        };
        self.decide(trail, from, &decision, found);
        let to = to.as_deref().and_then(|to| trail.plan.find_node(to));
        trail.settle(entry.seq, to);
    }

    /// Asks where a decision leads, goes on along the way that was taken, and returns its edge of today.
    fn decide(
        &self,
        trail: &mut Trail<'_>,
        from: Option<u16>,
        decision: &Decision<'_>,
        found: &mut Reroute,
    ) -> Option<u16> {
        let plan = trail.plan;
        let taken = from.and_then(|from| Taken::of(plan, from, decision));
        let Some(graph) = trail.graph else {
            found.hidden += 1;
            return None;
        };
        found.decisions += 1;
        let (today, progress) = match from {
            None => (Err(NoHandoff::NoNode), None),
            Some(node) => {
                let scene = Scene {
                    thread: self.thread,
                    node,
                    outcome: decision.outcome,
                    fields: &trail.fields,
                    watched: self.watches && plan.watches(node),
                };
                let Picked { edge, progress } = graph.picked(&scene);
                let today = edge.and_then(|edge| {
                    let edge = edge.or_else(|| plan.error_edge(node, trail.engine.came_from()));
                    let edge = edge.ok_or(NoHandoff::NoErrorEdge)?;
                    let hop = trail.engine.would_go(plan, node, edge, progress);
                    let hop = hop.map_err(|refused| no_hop(plan, refused))?;
                    let items = match plan.fork(edge) {
                        Some(fork) if hop.forks && fork.is_each => {
                            graph.handed_out(edge, &scene)?
                        }
                        _ => Vec::new(),
                    };
                    Ok((edge, hop, handoff(plan, edge, hop, items)))
                });
                (today, progress)
            }
        };
        let recorded = self.recorded(decision, today.as_ref().ok().map(|(_, _, today)| today));
        let is_same = today
            .as_ref()
            .is_ok_and(|(edge, hop, today)| is_same(plan, &recorded, taken, *edge, *hop, today));
        if !is_same {
            found.differing.push(Rerouted {
                seq: decision.entry.seq,
                branch: decision.entry.branch.clone(),
                node: decision.node.to_owned(),
                outcome: decision.outcome.cloned(),
                recorded,
                today: today.map(|(_, _, today)| today),
            });
        }
        let taken = taken.map(|taken| taken.edge);
        let counted = taken.filter(|_| decision.masked.is_none());
        trail
            .engine
            .retrace(plan, from, counted, progress, decision.fork.is_some());
        taken
    }

    /// Returns the way that was taken.
    fn recorded(&self, decision: &Decision<'_>, today: Option<&Handoff>) -> Handoff {
        let Decision {
            entry,
            on,
            masked,
            to,
            fork,
            rest,
            ..
        } = decision;
        let mut handoff = Handoff {
            // An older version did not write down that of an error edge.
            on: if on.is_empty() { "error" } else { on }.to_owned(),
            to: to.map(str::to_owned),
            masked: *masked,
            branches: Vec::new(),
            items: Vec::new(),
            forks: fork.is_some(),
        };
        let Some(fork) = fork else {
            return handoff;
        };
        handoff.items.clone_from(&fork.items);
        let branch = |index: u32| {
            let path = self.of(&entry.branch.child(entry.seq, index));
            let begun = path.iter().find_map(|entry| node_of(&entry.event));
            let expected = || today?.branches.get(index as usize).cloned();
            begun.or_else(expected).unwrap_or_else(|| "?".to_owned())
        };
        handoff.branches = (0..fork.branches).map(branch).collect();
        // Until the branches have joined, or the run is given up, nothing else happens on the path.
        let joined = rest.iter().find_map(|entry| match &entry.event {
            Recorded::Joined { to, .. } => Some(Some(to)),
            Recorded::Started { .. } | Recorded::Abandoned { .. } => Some(None),
            _ => None,
        });
        let joined = joined.flatten().map(|to| to.clone().into_owned());
        handoff.to = joined.or_else(|| today.filter(|today| today.forks)?.to.clone());
        handoff
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
        let due = begun.map_or(expected, |node| trail.plan.find_node(&node));
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
        trail.engine.retrace_join(all, fork.from);
        fields.take_known(writes.clone());
        drop(fork);
        trail.fields = fields.settle();
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
        let gone = self.follow(Trail::new(graph, plan, branch, fields), found);
        let Trail { fields, marks, .. } = gone;
        if adopts && shares {
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
        }
    }

    /// Takes the fields in that the state has today.
    fn take(&mut self, writes: &Writes) -> Marks {
        self.fields.take_known(writes.clone())
    }

    fn settle(&mut self, seq: u64, due: Option<u16>) {
        self.arrived = seq;
        self.due = due;
    }
}

/// An edge of today that stands for the one which was taken.
#[derive(Clone, Copy)]
struct Taken {
    edge: u16,
    /// Whether it is written as it was.
    is_named: bool,
}

impl Taken {
    /// Finds the edge by its condition, or else the only one that leads where it led.
    fn of(plan: &Plan, from: u16, decision: &Decision<'_>) -> Option<Self> {
        let to = decision.to.and_then(|to| plan.find_node(to));
        let leads = |edge: &u16| {
            let Some(edge) = plan.edges.get(usize::from(*edge)) else {
                return false;
            };
            match decision.masked {
                Some(_) => edge
                    .otherwise
                    .is_some_and(|otherwise| otherwise.node() == to),
                None if decision.fork.is_some() => edge.fork.is_some(),
                None => edge.fork.is_none() && edge.to.node() == to,
            }
        };
        let is_error = decision.outcome.is_none();
        let edges = plan.edges_of(from, is_error);
        let named: Vec<_> = edges
            .iter()
            .copied()
            .filter(|edge| label(plan, *edge) == decision.on)
            .collect();
        let found = named.iter().copied().find(leads).or(named.first().copied());
        if let Some(edge) = found {
            let is_named = true;
            return Some(Self { edge, is_named });
        }
        // Of an error edge, an older version wrote down only where it leads.
        let is_named = decision.on.is_empty();
        let mut others = edges.into_iter().filter(leads);
        let edge = others.next().filter(|_| others.next().is_none())?;
        Some(Self { edge, is_named })
    }
}

/// Returns whether a decision leads today where it led, along the same edge.
fn is_same(
    plan: &Plan,
    recorded: &Handoff,
    taken: Option<Taken>,
    edge: u16,
    hop: Hop,
    today: &Handoff,
) -> bool {
    let leads = |name: &Option<String>| name.as_deref().map(|name| plan.find_node(name));
    let to = match leads(&recorded.to) {
        None => hop.to.node().is_none(),
        Some(then) => then.is_some() && then == hop.to.node(),
    };
    let branches = recorded.branches.iter().zip(&today.branches);
    to && recorded.masked == hop.masked
        && recorded.forks == hop.forks
        && recorded.branches.len() == today.branches.len()
        && branches
            .into_iter()
            .all(|(then, now)| plan.find_node(then) == plan.find_node(now))
        && recorded.items == today.items
        && taken.is_some_and(|taken| taken.is_named && taken.edge == edge)
}

/// Returns the way of a hop.
fn handoff(plan: &Plan, edge: u16, hop: Hop, items: Vec<crate::journal::Json>) -> Handoff {
    let name = |node: &u16| plan.name(*node).to_owned();
    let branches = match plan.fork(edge) {
        Some(fork) if hop.forks && fork.is_each => {
            let worker = fork.entries.first().map(name).unwrap_or_default();
            vec![worker; items.len()]
        }
        Some(fork) if hop.forks => fork.entries.iter().map(name).collect(),
        _ => Vec::new(),
    };
    Handoff {
        on: label(plan, edge).into_owned(),
        to: hop.to.node().as_ref().map(name),
        masked: hop.masked,
        branches,
        items,
        forks: hop.forks,
    }
}

fn label(plan: &Plan, edge: u16) -> Cow<'_, str> {
    plan.edge(edge).map(|edge| edge.label()).unwrap_or_default()
}

/// Returns why a decision leads nowhere.
fn no_hop(plan: &Plan, refused: Refused) -> NoHandoff {
    match refused {
        Refused::Loop {
            edge,
            why,
            cycle,
            laps,
        } => NoHandoff::Loop {
            on: label(plan, edge).into_owned(),
            cycle: Refused::cycle_text(plan, &cycle),
            laps,
            why,
        },
        Refused::Impossible(reason) => NoHandoff::NoOutcome(reason.to_owned()),
    }
}
