//! A decision: where it led, and where it leads today.

use std::borrow::Cow;

use super::walk::{Trail, Walk};
use super::{Handoff, NoHandoff, Reroute, Rerouted};
use crate::any_graph::{Picked, Scene};
use crate::driver::node_of;
use crate::engine::{Hop, Refused};
use crate::journal::{Conclusion, Entry, Forked, Json, Masked, Recorded};
use crate::plan::Plan;

/// A decision as it was recorded.
pub(super) struct Decision<'a> {
    pub(super) entry: &'a Entry,
    pub(super) node: &'a str,
    pub(super) outcome: Option<&'a Conclusion>,
    pub(super) on: &'a str,
    pub(super) masked: Option<Masked>,
    pub(super) to: Option<&'a str>,
    pub(super) fork: Option<&'a Forked>,
    pub(super) asks: bool,
    /// What follows on the path.
    pub(super) rest: &'a [Entry],
}

/// A handoff that waits for a person's approval.
#[derive(Clone, Copy)]
pub(super) struct Held<'a> {
    node: &'a str,
    on: &'a str,
    from: Option<u16>,
    /// The edge of today.
    edge: Option<u16>,
    progress: Option<u64>,
}

impl Walk<'_> {
    /// Asks where a decision leads, goes on along the way that was taken, and returns its edge of today.
    pub(super) fn decide<'w>(
        &'w self,
        trail: &mut Trail<'w>,
        from: Option<u16>,
        decision: &Decision<'w>,
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
                    watched: (self.watches && plan.watches(node)).then_some(plan.writes),
                };
                let Picked { edge, progress } = graph.picked(&scene, &mut trail.replica);
                let today = edge.and_then(|edge| {
                    let edge = edge.or_else(|| plan.error_edge(node, trail.engine.caller()));
                    let edge = edge.ok_or(NoHandoff::NoErrorEdge)?;
                    let hop = trail.engine.would_go(plan, node, edge, progress);
                    let hop = hop.map_err(|refused| no_hop(plan, refused))?;
                    let items = match plan.fork(edge) {
                        Some(fork) if hop.forks && fork.is_each => {
                            graph.handed_out(edge, &scene, &mut trail.replica)?
                        }
                        _ => Vec::new(),
                    };
                    Ok((hop.edge, hop, handoff(plan, hop.edge, hop, items)))
                });
                (today, progress)
            }
        };
        let recorded = self.recorded(decision, today.as_ref().ok().map(|(_, _, today)| today));
        let alike = today.as_ref().ok();
        let alike = alike.filter(|(_, hop, today)| is_alike(plan, &recorded, *hop, today));
        let is_same = alike.is_some_and(|(edge, hop, _)| is_same(&recorded, taken, *edge, *hop));
        let elsewhere = alike.is_none();
        if !is_same {
            found.differing.push(Rerouted {
                seq: decision.entry.seq,
                branch: decision.entry.branch.clone(),
                node: decision.node.to_owned(),
                outcome: decision.outcome.cloned(),
                recorded,
                today: today.map(|(_, _, today)| today),
                elsewhere,
            });
        }
        let taken = taken.map(|taken| taken.edge);
        if decision.asks {
            trail.held = Some(Held {
                node: decision.node,
                on: decision.on,
                from,
                edge: taken,
                progress,
            });
            return taken;
        }
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
            asks,
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
            asks: *asks,
            forks: fork.is_some(),
        };
        let Some(fork) = fork else {
            return handoff;
        };
        handoff.items.clone_from(&fork.items);
        let branch = |index: u32| {
            let path = self.of(&entry.branch.child(entry.seq, index));
            let place = if fork.begin.len() == 1 {
                0
            } else {
                index as usize
            };
            let told = fork.begin.get(place);
            let begun = || path.iter().find_map(|entry| node_of(&entry.event));
            let expected = || today?.branches.get(index as usize).cloned();
            told.or_else(begun)
                .map(|node| node.clone().into_owned())
                .or_else(expected)
                .unwrap_or_else(|| "?".to_owned())
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
}

/// Goes on as a person decided about a handoff. If it was refused, its edge of today may lead elsewhere.
pub(super) fn decided(
    trail: &mut Trail<'_>,
    entry: &Entry,
    is_approved: bool,
    to: Option<&str>,
    found: &mut Reroute,
) {
    let plan = trail.plan;
    trail.engine.retrace_input(true);
    let went = to.and_then(|to| plan.find_node(to));
    if let Some(held) = trail.held.take() {
        let edge = held.edge.filter(|_| is_approved);
        trail
            .engine
            .retrace(plan, held.from, edge, held.progress, false);
        let now = held.edge.and_then(|edge| plan.edges.get(usize::from(edge)));
        let now = now.filter(|edge| edge.approve && !is_approved);
        if let Some(otherwise) = now.and_then(|edge| edge.otherwise) {
            found.decisions += 1;
            if otherwise.node() != went || went.is_some() != to.is_some() {
                let to_then = to.map(str::to_owned);
                let to_now = otherwise.node().map(|to| plan.name(to).to_owned());
                let [recorded, today] = [to_then, to_now].map(|to| Handoff {
                    on: held.on.to_owned(),
                    to,
                    ..Handoff::default()
                });
                found.differing.push(Rerouted {
                    seq: entry.seq,
                    branch: entry.branch.clone(),
                    node: held.node.to_owned(),
                    outcome: None,
                    recorded,
                    today: Ok(today),
                    elsewhere: true,
                });
            }
        }
    }
    trail.settle(entry.seq, went);
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
        let edges = plan.edges_from(from, |edge| edge.on_error == is_error);
        let edges: Vec<_> = edges.collect();
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

/// Returns whether the run comes today where it came.
fn is_alike(plan: &Plan, recorded: &Handoff, hop: Hop, today: &Handoff) -> bool {
    let leads = |name: &Option<String>| name.as_deref().map(|name| plan.find_node(name));
    let to = match leads(&recorded.to) {
        None => hop.to.node().is_none(),
        Some(then) => then.is_some() && then == hop.to.node(),
    };
    let mut branches = recorded.branches.iter().zip(&today.branches);
    to && recorded.forks == hop.forks
        && recorded.branches.len() == today.branches.len()
        && branches.all(|(then, now)| plan.find_node(then) == plan.find_node(now))
        && recorded.items == today.items
}

/// Returns whether a decision takes today the edge that it took, and in the same way.
fn is_same(recorded: &Handoff, taken: Option<Taken>, edge: u16, hop: Hop) -> bool {
    recorded.masked == hop.masked
        && recorded.asks == hop.asks
        && taken.is_some_and(|taken| taken.is_named && taken.edge == edge)
}

/// Returns the way of a hop.
fn handoff(plan: &Plan, edge: u16, hop: Hop, items: Vec<Json>) -> Handoff {
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
        asks: hop.asks,
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
