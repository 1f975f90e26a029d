//! Branches that do not come to their join (H009), and forks that cannot be (H011).
//!
//! Every node lies in one region, and `end` in none but the top one. What the walk through the regions
//! did not find to be so is told here. That a join starves is told by `reach`, as the like of a trap.
//!
//! A step out of a branch is wrong itself, and what lies behind it is judged where it belongs. But a
//! node in the branches of two forks may belong to either, so what it leads to gets no finding of its
//! own before that is settled.

pub(super) mod text;

use std::collections::HashSet;

use super::finding::Finding;
use crate::route::Target;
use crate::topology::{Clash, EdgeIndex, NodeIndex, Regions, Step, StepKind, Topology, Walk};

/// The most findings of a kind that spell out a path: a graph that is wrong all over has many, and
/// each of its paths may be long.
const MOST: usize = 100;

/// Finds what is wrong with the forks of a graph.
pub(super) fn check(topology: &Topology, walk: &Walk) -> Vec<Finding> {
    let (mut findings, unsettled) = two_regions(walk);
    findings.extend(branch_ends(topology, walk));
    findings.extend(joins(topology, walk, &unsettled));
    findings.extend(options(topology));
    findings
}

/// Finds the nodes that lie in two regions, and returns for each node whether one of these leads to it
/// or is it, so that nobody knows in which region it should be.
fn two_regions(walk: &Walk) -> (Vec<Finding>, Vec<bool>) {
    let Regions { of, .. } = &walk.regions;
    let leaves = |clash: &Clash| walk.regions.is_around(of[clash.to.slot()], clash.region);
    let mut unsettled = vec![false; of.len()];
    let mut behind: Vec<Vec<NodeIndex>> = vec![Vec::new(); of.len()];
    if walk.clashes.iter().any(|clash| !leaves(clash)) {
        for (step, to) in walk.came_by.iter().zip(0..) {
            if let Some(step) = step {
                behind[step.from.slot()].push(NodeIndex(to));
            }
        }
    }

    let mut primary = Vec::new();
    let mut told = HashSet::new();
    // Nodes in branches of two forks first, as they are the cause of others.
    let (leaving, shared): (Vec<&Clash>, Vec<&Clash>) =
        walk.clashes.iter().partition(|at: &&Clash| leaves(at));
    for clash in shared {
        let is_settled = !unsettled[clash.step.from.slot()] && !unsettled[clash.to.slot()];
        if is_settled {
            let mut rest = vec![clash.to];
            while let Some(node) = rest.pop() {
                if !std::mem::replace(&mut unsettled[node.slot()], true) {
                    rest.extend(&behind[node.slot()]);
                }
            }
            primary.push((clash, true));
        }
    }
    for clash in leaving {
        let arrow = (clash.step.from, clash.to, clash.region);
        if !unsettled[clash.step.from.slot()] && told.insert(arrow) {
            primary.push((clash, false));
        }
    }
    let findings = primary.into_iter().take(MOST);
    let findings = findings.map(|(clash, is_other_branch)| two_ways(walk, clash, is_other_branch));
    (findings.collect(), unsettled)
}

fn two_ways(walk: &Walk, clash: &Clash, is_other_branch: bool) -> Finding {
    let Clash { step, to, region } = *clash;
    let mut branch = match step.kind {
        StepKind::Branch => vec![step.from],
        _ => way_to(walk, step.from).0,
    };
    branch.push(to);
    Finding::TwoRegions {
        node: to,
        branch,
        join: walk.regions.join(region).unwrap_or(to),
        other: way_to(walk, to).0,
        is_other_branch,
        way: step.way,
    }
}

/// Returns the first way that was found to a node: from the node that forks into its branch, or from
/// the start; and the edge that forks.
fn way_to(walk: &Walk, node: NodeIndex) -> (Vec<NodeIndex>, Option<EdgeIndex>) {
    let mut path = vec![node];
    let mut fork = None;
    let mut at = walk.came_by[node.slot()];
    while let Some(step) = at {
        path.push(step.from);
        if step.kind == StepKind::Branch {
            fork = Some(step.way.edge);
            break;
        }
        at = walk.came_by[step.from.slot()];
    }
    path.reverse();
    (path, fork)
}

fn branch_ends(topology: &Topology, walk: &Walk) -> Vec<Finding> {
    let mut ending: Vec<Step> = topology
        .steps()
        .filter(|step| step.to == Target::End && walk.regions.of[step.from.slot()].is_some())
        .collect();
    ending.sort_by_key(|step| (step.from, step.kind, step.on_error, step.way));
    ending.dedup_by_key(|step| step.from);
    let finding = |step: Step| {
        let (mut path, fork) = way_to(walk, step.from);
        path.remove(0);
        let way = step.way;
        fork.map(|fork| Finding::BranchEnds { fork, path, way })
    };
    ending.into_iter().take(MOST).filter_map(finding).collect()
}

/// Finds joins that are the join of another fork around them, and those that are branches.
fn joins(topology: &Topology, walk: &Walk, unsettled: &[bool]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (edge, at) in topology.edges() {
        let Some(fork) = at.route.fork() else {
            continue;
        };
        let join = at.route.target().node();
        let around = walk.regions.join(walk.regions.of[at.from.slot()]);
        if around.is_some() && around == join && !unsettled[at.from.slot()] {
            findings.push((at.from, None, edge, Finding::SharedJoin { edge }));
        }
        let entry = fork.entries().iter().position(|entry| Some(*entry) == join);
        if let Some(branch) = entry {
            let finding = Finding::BranchIsJoin { edge, branch };
            findings.push((at.from, join, edge, finding));
        }
    }
    in_order(findings)
}

/// Finds forks that are no forks, or never get done.
fn options(topology: &Topology) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (edge, at) in topology.edges() {
        let Some(fork) = at.route.fork() else {
            continue;
        };
        let entries = fork.entries();
        if entries.is_empty() {
            findings.push((at.from, None, edge, Finding::NoBranches { edge }));
        }
        let mut known = HashSet::new();
        for (branch, entry) in entries.iter().enumerate() {
            if !known.insert(entry) {
                let finding = Finding::SameBranch { edge, branch };
                findings.push((at.from, Some(*entry), edge, finding));
            }
        }
        if fork.concurrency == Some(0) {
            findings.push((at.from, None, edge, Finding::ZeroConcurrency { edge }));
        }
    }
    in_order(findings)
}

/// Sorts findings by the nodes that they name.
fn in_order(mut findings: Vec<(NodeIndex, Option<NodeIndex>, EdgeIndex, Finding)>) -> Vec<Finding> {
    let kind = |finding: &Finding| match finding {
        Finding::ZeroConcurrency { .. } => 2,
        Finding::NoBranches { .. } => 1,
        _ => 0,
    };
    findings.sort_by_key(|(from, to, edge, finding)| (*from, *to, kind(finding), *edge));
    findings.into_iter().map(|(.., finding)| finding).collect()
}

#[cfg(test)]
mod tests;
