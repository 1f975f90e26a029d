//! The ways that lead on to another node without the driver's help.

use super::{Plan, PlanEdge};

/// What a run looks at of an edge to pass along it. It is short, as a run reads one for each handoff.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) from: u16,
    pub(crate) to: u16,
    pub(crate) kind: LegKind,
}

/// Who takes an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LegKind {
    /// The driver alone.
    Driven,
    /// Whoever made the step.
    Free,
    /// The same, as long as the edge is not masked.
    Watched,
}

impl Plan {
    /// Finds the ways that lead on without the driver's help.
    pub(super) fn find_legs(&mut self) {
        self.legs = self.edges.iter().map(|edge| self.leg(edge)).collect();
    }

    fn leg(&self, edge: &PlanEdge) -> Leg {
        let node = |node: u16| &self.nodes[usize::from(node)];
        let from = node(edge.from);
        // What follows in one go is in the same attempt: under its timeouts, with its permit.
        let is_bounded = from.policy.hard_timeout().is_some()
            || from.policy.idle_timeout().is_some()
            || from.inner.is_some();
        let follows = |to: &u16| {
            let to = node(*to);
            to.policy.is_plain() && to.on_error.is_empty() && to.inner.is_none() && !to.is_agent
        };
        let is_driven = is_bounded || edge.fork.is_some() || edge.is_back || edge.approve;
        let to = edge.to.node().filter(|to| !is_driven && follows(to));
        Leg {
            from: edge.from,
            to: to.unwrap_or(edge.from),
            kind: match to {
                None => LegKind::Driven,
                Some(_) if edge.watched => LegKind::Watched,
                Some(_) => LegKind::Free,
            },
        }
    }
}
