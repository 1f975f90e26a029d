//! The rules that make a graph right: what the compiler refuses, and the builder with it.
//!
//! [`check`] looks at the structure alone, so it needs no types and no state. The macro calls it
//! while the user's code compiles and turns each [`Finding`] into an error at its [`Place`]; the
//! run-time builder returns the same findings in its error. The rules that need types are the
//! macro's business, but their [`Code`]s stand here with the others.
//!
//! One cause gives one finding, and all causes are found in one go.

mod approval;
mod authority;
mod back;
mod bound;
mod cycle;
mod finding;
mod fork;
mod name;
mod reach;
mod text;
mod visits;

pub use bound::max_handoffs;
pub use finding::{Code, Finding, Place};
pub use name::{UnknownNode, nearest};
pub use visits::max_visits;

use crate::topology::{EdgeIndex, Topology, Walk};

/// Finds everything that is wrong with the structure of a graph, in the order of the codes.
///
/// What is found does not depend on the order in which the edges were declared.
///
/// ```
/// use handoffs_core::{Edge, NodeShape, Route, Topology, check};
///
/// let mut desk = Topology::new("SupportDesk");
/// let triage = desk.node(NodeShape::new("triage"));
/// let billing = desk.node(NodeShape::new("billing"));
/// desk.start(triage);
/// desk.edge(Edge::new(triage, "_", Route::to(billing)));
/// desk.edge(Edge::new(billing, "Billed::Done", Route::end()));
/// desk.edge(Edge::new(billing, "Billed::WrongDesk", Route::to(triage)));
///
/// let findings = check(&desk);
/// assert_eq!(
///     findings[0].message(&desk),
///     "H004: a handoff loop without a bound: `triage -> billing -> triage`",
/// );
/// assert_eq!(
///     findings[0].help(&desk),
///     "bound it, for example `triage(limit = 3, else = end)`",
/// );
/// ```
pub fn check(topology: &Topology) -> Vec<Finding> {
    if topology.is_too_large() {
        // What was left out would be missed by every other rule.
        return vec![Finding::TooLarge];
    }

    let misnamed = name::misnamed(topology);
    let walk = Walk::new(topology);
    let mut findings = reach::check(topology, &walk.regions, &misnamed);
    findings.extend(cycle::unbounded_loops(topology, &walk.regions));
    findings.extend(fork::check(topology, &walk));
    findings.extend(misnamed);
    findings.extend(name::ambiguous(topology));
    findings.extend(zero_limits(topology));
    findings.extend(useless_elses(topology));
    findings.extend(approval::check(topology));
    findings.extend(back::check(topology));
    findings.extend(authority::check(topology));

    let unknown: Vec<_> = name::undeclared(topology).collect();
    if !unknown.is_empty() {
        findings.retain(Finding::survives_new_edges);
        findings.extend(unknown);
    }

    findings.sort_by_key(Finding::code);
    findings
}

/// An edge without a limit is masked only when a loop leads back to it without progress. One that is to
/// be approved may be refused at any time.
fn useless_elses(topology: &Topology) -> impl Iterator<Item = Finding> {
    let cyclic = topology.cyclic_edges();
    let mut useless: Vec<_> = topology
        .edges()
        .filter(|(index, edge)| {
            let may_be_masked = edge.route.times().is_some() || cyclic.binary_search(index).is_ok();
            !may_be_masked && edge.route.approval().is_none()
        })
        .filter_map(|(index, edge)| {
            let otherwise = edge.route.otherwise()?.node();
            Some((edge.from, otherwise, index))
        })
        .collect();
    useless.sort_unstable();
    useless
        .into_iter()
        .map(|(_, _, edge)| Finding::UselessElse { edge })
}

fn zero_limits(topology: &Topology) -> impl Iterator<Item = Finding> {
    let zero = topology
        .edges()
        .filter(|(_, edge)| edge.route.times() == Some(0));
    let mut zero: Vec<_> = zero.map(|(index, edge)| (edge.from, index)).collect();
    zero.sort_unstable();
    let zero_limit = |(_, edge): (_, EdgeIndex)| Finding::ZeroLimit { edge };
    zero.into_iter().map(zero_limit)
}

#[cfg(test)]
mod tests;
