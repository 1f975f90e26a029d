//! Entries of another graph, which is most often an older version of the one that runs. They are taken
//! by their names and not by their places, and what they decided stands: nothing is decided anew.

use std::borrow::Cow;

use handoffs_core::{Edge, NodeIndex, Target};

use super::super::entry::{Ask, AskId, Entry, Forked, GraphId, Masked, Recorded};
use super::super::snapshot::SavedPath;
use super::super::{BranchId, Branches, ThreadId, Writes};
use super::{Folded, FoldedFork, Path, Unfolded};
use crate::difference::Difference;
use crate::engine::{Action, Hop};
use crate::error::RunError;
use crate::plan::{Plan, PlanEdge};

/// The last entry of another graph on a path, and the graph that was to take it.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    seq: u64,
    recorded: GraphId,
    graph: GraphId,
}

impl Past {
    pub(crate) fn of(seq: u64, recorded: GraphId, plan: &Plan) -> Self {
        Self {
            seq,
            recorded,
            graph: plan.id.clone(),
        }
    }

    pub(crate) fn differs(&self, thread: &ThreadId, difference: Difference) -> RunError {
        RunError::OtherGraph {
            thread: thread.clone(),
            seq: self.seq,
            recorded: self.recorded.clone(),
            graph: self.graph.clone(),
            difference: Box::new(difference),
        }
    }
}

/// A hop as an entry tells of it, in the names of the graph that runs.
pub(super) struct Told<'a> {
    pub(super) on: &'a str,
    pub(super) on_error: bool,
    pub(super) masked: Option<Masked>,
    pub(super) to: Option<&'a str>,
    pub(super) fork: Option<&'a Forked>,
    /// Whether it waits for a person's approval.
    pub(super) asks: bool,
    pub(super) progress: Option<u64>,
}

impl Path<'_> {
    /// Returns an entry as the graph that runs would have written it, as far as names go.
    pub(super) fn translate<'e>(&self, entry: &'e Entry) -> Result<Cow<'e, Entry>, RunError> {
        let plan = self.plan;
        if !self.is_past(entry) {
            return Ok(Cow::Borrowed(entry));
        }
        let past = self.past(entry);
        let differs = |difference| past.differs(self.thread, difference);
        if !plan.is_known_as(&entry.graph) {
            let name = entry.graph.name().into();
            return Err(differs(Difference::Graph { name }));
        }
        let mut entry = match &self.all.migration {
            Some(migration) => migration.apply(self.thread, entry)?,
            None => entry.clone(),
        };
        rename(&mut entry.event, plan).map_err(differs)?;
        Ok(Cow::Owned(entry))
    }

    /// Returns whether an entry is of another graph.
    pub(super) fn is_past(&self, entry: &Entry) -> bool {
        entry.graph != self.plan.id
    }

    pub(super) fn past(&self, entry: &Entry) -> Past {
        Past::of(entry.seq, entry.graph.clone(), self.plan)
    }

    pub(super) fn differs(&self, entry: &Entry, difference: Difference) -> Unfolded {
        Unfolded::Other(self.past(entry).differs(self.thread, difference))
    }
}

/// Puts the name that a node has now into a question.
pub(in crate::journal) fn rename_ask(ask: &mut Ask, plan: &Plan) -> Result<(), Difference> {
    rename_node(&mut ask.node, plan)
}

/// Puts the names that nodes have now into what is known of a fork.
pub(in crate::journal) fn rename_fork(fork: &mut Forked, plan: &Plan) -> Result<(), Difference> {
    let mut begin = fork.begin.iter_mut();
    begin.try_for_each(|name| rename_node(name, plan))
}

/// Puts the names that nodes and fields have now into what happened.
fn rename(event: &mut Recorded, plan: &Plan) -> Result<(), Difference> {
    let node = |name: &mut Cow<'static, str>| rename_node(name, plan);
    let to = |to: &mut Option<Cow<'static, str>>| to.iter_mut().try_for_each(node);
    let asked = |ask: &mut Ask| rename_ask(ask, plan);
    match event {
        Recorded::Started { writes, .. } | Recorded::Edited { writes, .. } => {
            rename_fields(writes, plan)
        }
        Recorded::Stepped {
            node: from,
            to: target,
            fork,
            writes,
            replaced,
            approval,
            ..
        } => {
            node(from)?;
            to(target)?;
            fork.iter_mut()
                .try_for_each(|fork| rename_fork(fork, plan))?;
            approval.iter_mut().try_for_each(asked)?;
            replaced
                .iter_mut()
                .try_for_each(|name| rename_field(name, plan))?;
            rename_fields(writes, plan)
        }
        Recorded::Joined { to, writes } => {
            node(to)?;
            rename_fields(writes, plan)
        }
        Recorded::Caught {
            failure,
            to: target,
            ..
        } => {
            node(&mut failure.node)?;
            to(target)
        }
        Recorded::Attempted { node: name, .. }
        | Recorded::Once { node: name, .. }
        | Recorded::Used { node: name, .. }
        | Recorded::Failed { node: name, .. } => node(name),
        Recorded::Decided { to: target, .. } | Recorded::Expired { to: target, .. } => to(target),
        Recorded::Asked(ask) => asked(ask),
        Recorded::Submitted { .. }
        | Recorded::Answered { .. }
        | Recorded::Abandoned { .. }
        | Recorded::Copied { .. } => Ok(()),
    }
}

pub(in crate::journal) fn rename_node(
    name: &mut Cow<'static, str>,
    plan: &Plan,
) -> Result<(), Difference> {
    let Some(node) = plan.find_node(name) else {
        let node = name.as_ref().into();
        return Err(Difference::NodeGone { node });
    };
    if plan.name(node) != name {
        *name = plan.name(node).to_owned().into();
    }
    Ok(())
}

pub(in crate::journal) fn rename_field(
    name: &mut Cow<'static, str>,
    plan: &Plan,
) -> Result<(), Difference> {
    let Some(field) = plan.find_field(name) else {
        let field = name.as_ref().into();
        return Err(Difference::FieldGone { field });
    };
    *name = field.into();
    Ok(())
}

pub(in crate::journal) fn rename_fields(
    writes: &mut Writes,
    plan: &Plan,
) -> Result<(), Difference> {
    let mut names = writes.0.iter_mut().map(|(name, _)| name);
    names.try_for_each(|name| rename_field(name, plan))
}

impl Told<'_> {
    /// Returns whether an edge leads where this hop went.
    fn went(&self, plan: &Plan, edge: &PlanEdge) -> bool {
        if let Some(fork) = self.fork {
            let is_each = !fork.items.is_empty() || fork.branches == 0;
            return edge.fork.as_ref().is_some_and(|own| own.is_each == is_each);
        }
        let is_there = |target: Target<u16>| target.node().map(|node| plan.name(node)) == self.to;
        match self.masked {
            Some(_) => edge.otherwise.is_some_and(is_there),
            None => edge.fork.is_none() && is_there(edge.to),
        }
    }

    fn text(&self) -> String {
        match (self.fork, self.to) {
            (Some(fork), _) if fork.begin.is_empty() => format!("{} branches", fork.branches),
            (Some(fork), _) if fork.items.is_empty() => format!("all({})", fork.begin.join(", ")),
            (Some(fork), _) => format!("each(..) {}", fork.begin.join(", ")),
            (None, to) => to.unwrap_or("end").to_owned(),
        }
    }
}

impl Folded {
    /// Takes a hop in as it was made, along the edge that the graph has for it now.
    pub(super) fn relive(
        &mut self,
        path: &Path<'_>,
        entry: &Entry,
        told: &Told<'_>,
    ) -> Result<(), Unfolded> {
        let plan = path.plan;
        let Action::Execute(from) = self.engine.next() else {
            return Err("no node was due".into());
        };
        let edge = edge_of(plan, from, told).map_err(|differs| path.differs(entry, differs))?;
        let leads = plan.edges.get(usize::from(edge));
        let to = match (told.to, leads) {
            (_, Some(leads)) if told.fork.is_some() => leads.to,
            (Some(to), _) => plan.find_node(to).map_or(Target::End, Target::Node),
            (None, _) => Target::End,
        };
        let hop = Hop {
            to,
            masked: told.masked,
            forks: told.fork.is_some(),
            asks: told.asks,
        };
        Ok(self.engine.relive(plan, edge, hop, told.progress)?)
    }

    /// Says why a node was not due that another graph had executed.
    pub(super) fn not_due(
        &self,
        path: &Path<'_>,
        entry: &Entry,
        name: &str,
        due: &str,
    ) -> Unfolded {
        if self.engine.handoffs() == 0 {
            let (was, now) = (name.into(), due.into());
            return path.differs(entry, Difference::Start { was, now });
        }
        format!("node `{name}` took a step when `{due}` was due").into()
    }

    /// Sees that nothing is lost of what a graph within wrote, as the node is no such graph any more.
    pub(super) fn keeps_within(
        &self,
        path: &Path<'_>,
        entry: &Entry,
        node: &str,
        writes: &Writes,
    ) -> Result<(), Unfolded> {
        let within = path.branch.child(self.arrived, 0);
        if writes.is_empty() && path.all.wrote_directly(&within) {
            let node = node.into();
            return Err(path.differs(entry, Difference::Within { node }));
        }
        Ok(())
    }

    /// Sees that a join is where another graph says.
    pub(super) fn joins(&self, path: &Path<'_>, entry: &Entry, to: &str) -> Result<(), Unfolded> {
        let Action::Branch(edge) = self.engine.next() else {
            return Ok(());
        };
        let (Some(planned), Some(known)) =
            (path.plan.edges.get(usize::from(edge)), path.plan.edge(edge))
        else {
            return Ok(());
        };
        if planned
            .to
            .node()
            .is_some_and(|join| path.plan.name(join) == to)
        {
            return Ok(());
        }
        Err(path.differs(
            entry,
            Difference::LeadsElsewhere {
                node: path.plan.name(planned.from).into(),
                on: known.label().into(),
                was: to.into(),
                now: route_text(path.plan, known).into(),
            },
        ))
    }

    /// Sees whether the graph can go on where the entries of another one have led.
    pub(super) fn stands(&self, path: &Path<'_>) -> Result<(), RunError> {
        let Some(past) = &self.past else {
            return Ok(());
        };
        let plan = path.plan;
        // That a node lies in no other branch than before, follows: each hop to it is one of the graph.
        let difference = match self.engine.next() {
            Action::Execute(node) => {
                let planned = plan.node(node);
                let is_plain = planned.is_some_and(|node| node.inner.is_none() && !node.is_graph);
                let within = path.branch.child(self.arrived, 0);
                let is_lost = is_plain && path.all.has_entries_on(&within);
                is_lost.then(|| Difference::Within {
                    node: plan.name(node).into(),
                })
            }
            Action::Branch(edge) => {
                let planned = plan.edges.get(usize::from(edge));
                let forked = planned.zip(self.fork.as_ref());
                forked.and_then(|(edge, fork)| others(plan, edge, fork))
            }
            Action::Approve(edge, _) => no_way_out(plan, edge),
            Action::Start
            | Action::Wait(..)
            | Action::Arrive
            | Action::Finish(..)
            | Action::Abandon => None,
        };
        match difference {
            Some(difference) => Err(past.differs(path.thread, difference)),
            None => Ok(()),
        }
    }
}

/// Returns the edge that stands for a hop of another graph: the one with the same condition, or else the
/// only one that leads where the hop went.
fn edge_of(plan: &Plan, from: u16, told: &Told<'_>) -> Result<u16, Difference> {
    let went = |edge: &u16| {
        let edge = plan.edges.get(usize::from(*edge));
        edge.is_some_and(|edge| told.went(plan, edge))
    };
    let is_of_kind = |edge: &Edge<NodeIndex>| edge.on_error == told.on_error;
    let alike = plan.edges_from(from, |edge| is_of_kind(edge) && edge.label() == told.on);
    let alike: Vec<_> = alike.collect();
    if let Some(edge) = alike.iter().copied().find(went) {
        return Ok(edge);
    }
    let (node, on) = (plan.name(from).into(), told.on.into());
    if let Some(edge) = alike.first().and_then(|edge| plan.edge(*edge)) {
        let (was, now) = (told.text().into(), route_text(plan, edge).into());
        return Err(Difference::LeadsElsewhere { node, on, was, now });
    }
    let mut same_way = plan.edges_from(from, is_of_kind).filter(went);
    if let (Some(edge), None) = (same_way.next(), same_way.next()) {
        return Ok(edge);
    }
    let to = told.text().into();
    Err(Difference::EdgeGone { node, on, to })
}

/// Says that an edge no longer tells where a handoff leads that is refused, if so.
fn no_way_out(plan: &Plan, edge: u16) -> Option<Difference> {
    let planned = plan.edges.get(usize::from(edge));
    let known = planned.filter(|edge| edge.otherwise.is_none());
    let (known, edge) = (known?, plan.edge(edge)?);
    let to = known.to.node().map_or("end", |to| plan.name(to));
    Some(Difference::LeadsElsewhere {
        node: plan.name(known.from).into(),
        on: edge.label().into(),
        was: format!("{to}, or to its `else`, as a person decides").into(),
        now: route_text(plan, edge).into(),
    })
}

/// Says how an open fork's branches are others now, if they are.
fn others(plan: &Plan, edge: &PlanEdge, fork: &FoldedFork) -> Option<Difference> {
    let own = edge.fork.as_ref()?;
    let now: Vec<_> = own.entries.iter().map(|node| plan.name(*node)).collect();
    let was: Vec<_> = fork.forked.begin.iter().map(AsRef::as_ref).collect();
    let is_same = if was.is_empty() {
        own.is_each || fork.forked.branches as usize == now.len()
    } else {
        was == now
    };
    let was = match was.as_slice() {
        [] => fork.forked.branches.to_string(),
        was => listed(was.iter().copied()),
    };
    (!is_same).then(|| Difference::Branches {
        node: plan.name(edge.from).into(),
        was: was.into(),
        now: listed(now.into_iter()).into(),
    })
}

/// Returns the node at which a branch began, which may be another one by the graph that runs.
pub(super) fn began_at(plan: &Plan, edge: u16, fork: &FoldedFork, index: u32) -> Option<u16> {
    let own = plan.fork(edge)?;
    let place = if own.is_each { 0 } else { index as usize };
    let entry = own.entries.get(place).copied();
    match fork.forked.begin.get(place) {
        Some(began) if entry.is_none_or(|entry| plan.name(entry) != began) => plan.find_node(began),
        _ => entry,
    }
}

fn route_text(plan: &Plan, edge: &Edge<NodeIndex>) -> String {
    let route = edge.route.clone();
    route.map(|node| plan.name(node.0).to_owned()).to_string()
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

impl Branches {
    /// Returns whether there is an entry on a path, or on one that leaves it.
    fn has_entries_on(&self, branch: &BranchId) -> bool {
        let saved = self.snapshot.iter().flat_map(|snapshot| snapshot.paths());
        let mut paths = self.paths.keys().chain(saved);
        paths.any(|path| path.is_on(branch))
    }

    /// Returns whether the run of a graph within wrote fields of the state around it.
    fn wrote_directly(&self, branch: &BranchId) -> bool {
        let first = self.of(branch).first().map(|entry| &entry.event);
        let is_direct =
            matches!(first, Some(Recorded::Started { writes, .. }) if writes.is_empty());
        let below = self.paths.iter().filter(|(path, _)| path.is_on(branch));
        let mut entries = below.flat_map(|(_, entries)| entries);
        is_direct && entries.any(|entry| entry.writes().is_some_and(|writes| !writes.is_empty()))
    }

    /// Returns whether the last run of the thread is over or has failed, whatever graph it was of.
    pub(crate) fn is_over(&self) -> bool {
        self.is_at_rest(&BranchId::TRUNK, true)
    }

    /// Returns whether the last run of the thread came to its end or was given up, whatever graph it was
    /// of.
    pub(crate) fn has_ended(&self) -> bool {
        let last = self.of(&BranchId::TRUNK).last();
        last.is_some_and(|last| last.event.ends())
    }

    /// Returns whether the last entry of a path ended it, or, of a path that forked, a branch of it has
    /// failed.
    fn is_at_rest(&self, branch: &BranchId, is_trunk: bool) -> bool {
        let mut entries = self.of(branch).iter().rev();
        let last = entries.find(|entry| {
            !matches!(
                entry.event,
                Recorded::Edited { .. }
                    | Recorded::Copied { .. }
                    | Recorded::Submitted { .. }
                    | Recorded::Once { .. }
                    | Recorded::Used { .. }
                    | Recorded::Attempted { .. }
            )
        });
        let Some(last) = last else {
            return self.was_at_rest(branch);
        };
        match &last.event {
            // What was asked within since then is asked by one that was taken up again.
            Recorded::Failed { .. } => {
                let asks = self.open_below(branch);
                !asks.iter().any(|ask| ask.id.get() > last.seq)
            }
            // Of a node that asked, nothing follows from that alone.
            Recorded::Expired { ask, to: None } => is_trunk && self.asked_approval(branch, *ask),
            Recorded::Stepped {
                fork: Some(fork), ..
            } => (0..fork.branches)
                .any(|index| self.is_at_rest(&branch.child(last.seq, index), false)),
            event => is_trunk && event.ends(),
        }
    }

    /// Returns whether a question of a path was whether a handoff may be.
    pub(in crate::journal) fn asked_approval(&self, branch: &BranchId, ask: AskId) -> bool {
        // A question has the number of its entry.
        let mut asked = self
            .of(branch)
            .iter()
            .filter(|entry| entry.seq == ask.get());
        let saved = self.snapshot.as_ref().and_then(|saved| saved.path(branch));
        asked.any(|entry| matches!(entry.event, Recorded::Stepped { .. }))
            || saved.is_some_and(|saved| saved.asks_approval(ask))
    }

    /// Returns whether a path was at rest when the thread's snapshot was taken, behind which nothing was
    /// written on it.
    fn was_at_rest(&self, branch: &BranchId) -> bool {
        let saved = self
            .snapshot
            .as_ref()
            .and_then(|snapshot| snapshot.path(branch));
        match saved.map(SavedPath::rest) {
            None => false,
            // Nothing says here whether what is asked within was asked before it failed.
            Some(Ok(is_at_rest)) => is_at_rest && self.open_below(branch).is_empty(),
            Some(Err((seq, branches))) => {
                (0..branches).any(|index| self.is_at_rest(&branch.child(seq, index), false))
            }
        }
    }
}
