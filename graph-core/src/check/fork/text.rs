//! The words of the findings about forks, as `check::text` has those of the others.

use crate::check::finding::Finding;
use crate::check::text::{lead_on, names, with};
use crate::topology::{EdgeIndex, NodeIndex, Topology};

/// Returns what is wrong with a fork; of any other finding nothing.
pub(in crate::check) fn message(finding: &Finding, topology: &Topology) -> String {
    let name = |node: &NodeIndex| topology.name_of(*node);
    let code = finding.code();
    match finding {
        Finding::BranchEnds { fork, path, .. } => {
            let (fork, join) = fork_and_join(topology, *fork);
            let first = path.first().map_or("?", name);
            format!(
                "{code}: the branch `{first}` of `{fork}` can end the run without reaching the \
                 join `{join}`: `{} -> end`",
                arrows(topology, path),
            )
        }
        Finding::Starved {
            node,
            others,
            join,
            forks,
        } => {
            let from = forks.iter().filter_map(|fork| topology.get_edge(*fork));
            let fork = from.map(|edge| edge.from).min();
            format!(
                "{code}: the join `{}` starves: no path leads to it from {}, in a branch of `{}`",
                name(join),
                names(topology, &with(*node, others)),
                fork.as_ref().map_or("?", name),
            )
        }
        Finding::TwoRegions {
            node,
            branch,
            other,
            is_other_branch,
            ..
        } => {
            let of = |path: &[NodeIndex]| match path {
                [fork, first, ..] => {
                    format!("in the branch `{}` of `{}`", name(first), name(fork))
                }
                _ => String::from("at the start"),
            };
            let elsewhere = if *is_other_branch {
                of(other)
            } else {
                "outside of it".to_owned()
            };
            let other = match other.as_slice() {
                [_] => ", and the run starts there".to_owned(),
                path => format!(" and `{}`", arrows(topology, path)),
            };
            format!(
                "{code}: `{}` is reached both {} and {elsewhere}: `{}`{other}",
                name(node),
                of(branch),
                arrows(topology, branch),
            )
        }
        Finding::SharedJoin { edge } => {
            let (fork, join) = fork_and_join(topology, *edge);
            format!(
                "{code}: `{fork}` forks within a branch and has the join of that branch, `{join}`"
            )
        }
        Finding::BranchIsJoin { edge, .. } => {
            let (fork, join) = fork_and_join(topology, *edge);
            format!("{code}: the join `{join}` of `{fork}` is one of its branches")
        }
        Finding::NoBranches { edge } => {
            let (fork, _) = fork_and_join(topology, *edge);
            format!("{code}: a fork of `{fork}` has no branches")
        }
        Finding::SameBranch { edge, branch } => {
            let (fork, _) = fork_and_join(topology, *edge);
            let entries = topology.get_edge(*edge).and_then(|edge| edge.route.fork());
            let entry = entries.and_then(|fork| fork.entries().get(*branch));
            let entry = entry.map_or("?", name);
            format!("{code}: a fork of `{fork}` has the branch `{entry}` twice")
        }
        Finding::ZeroConcurrency { edge } => {
            let (fork, _) = fork_and_join(topology, *edge);
            format!("{code}: a fork of `{fork}` has a concurrency of 0, so no branch can ever run")
        }
        _ => String::new(),
    }
}

/// Returns how to mend a fork; of any other finding nothing.
pub(in crate::check) fn help(finding: &Finding, topology: &Topology) -> String {
    let name = |node: &NodeIndex| topology.name_of(*node);
    match finding {
        Finding::Starved {
            node, others, join, ..
        } => lead_on(topology, *node, others, name(join)),
        Finding::BranchEnds { fork, .. } => {
            let (_, join) = fork_and_join(topology, *fork);
            format!("lead to the join, for example `{join}` in the place of `end`")
        }
        Finding::TwoRegions {
            is_other_branch: true,
            ..
        } => "give each fork a node of its own, or the two forks one join".to_owned(),
        Finding::TwoRegions { join, .. } => format!(
            "lead the branch to its join `{}`, or to a node of its own",
            name(join)
        ),
        Finding::SharedJoin { edge } => {
            let (_, join) = fork_and_join(topology, *edge);
            format!("give it a join of its own, and lead from that to `{join}`")
        }
        Finding::BranchIsJoin { .. } => {
            "remove it from the branches, or join at another node".to_owned()
        }
        Finding::NoBranches { edge } => {
            let (_, join) = fork_and_join(topology, *edge);
            format!("name a branch, or hand over without a fork: `{join}`")
        }
        Finding::SameBranch { .. } => {
            "remove one of them; what runs a node several times is `each`".to_owned()
        }
        Finding::ZeroConcurrency { .. } => "allow at least one, or remove it".to_owned(),
        _ => String::new(),
    }
}

/// Returns the name of the node that forks, and of the join.
fn fork_and_join(topology: &Topology, edge: EdgeIndex) -> (&str, &str) {
    let Some(edge) = topology.get_edge(edge) else {
        return ("?", "?");
    };
    let join = edge.route.target().node();
    (
        topology.name_of(edge.from),
        join.map_or("end", |join| topology.name_of(join)),
    )
}

/// Spells out a path; of a long one the two ends.
fn arrows(topology: &Topology, path: &[NodeIndex]) -> String {
    const SHOWN: usize = 12;
    let shown = |nodes: &[NodeIndex]| {
        let names: Vec<_> = nodes.iter().map(|node| topology.name_of(*node)).collect();
        names.join(" -> ")
    };
    match path.len().checked_sub(SHOWN) {
        None | Some(0) => shown(path),
        Some(more) => {
            let (first, rest) = path.split_at(SHOWN / 2);
            format!("{} -> .. -> {}", shown(first), shown(&rest[more..]))
        }
    }
}
