//! A path that is gone once more as it was, to ask at each step where it would lead by another plan.
//!
//! The way was decided by whoever went it, so nothing is checked here. What is counted is what this plan
//! would have counted.

use handoffs_core::Target;

use super::{Engine, Hop, Position, Refused};
use crate::plan::Plan;

/// Stands for a node that the plan does not have.
const NO_NODE: u16 = u16::MAX;

impl Engine {
    /// Begins a run, wherever the path stands.
    pub(crate) fn retrace_start(&mut self, plan: &Plan) {
        let epoch = self.last_epoch + 1;
        *self = Self {
            position: Position::At(plan.start),
            join: self.join,
            epoch,
            last_epoch: epoch,
            ..Self::new(plan)
        };
    }

    /// Returns the way that a decision of a node leads where the path stands.
    pub(crate) fn would_go(
        &self,
        plan: &Plan,
        from: u16,
        chosen: u16,
        progress: Option<u64>,
    ) -> Result<Hop, Refused> {
        let mut engine = self.clone();
        engine.position = Position::At(from);
        engine.decide(plan, chosen, progress)
    }

    /// Notes that the path left a node: along an edge, if the plan still has it, and unless that was
    /// masked.
    pub(crate) fn retrace(
        &mut self,
        plan: &Plan,
        from: Option<u16>,
        edge: Option<u16>,
        progress: Option<u64>,
        forks: bool,
    ) {
        let known = edge.and_then(|edge| Some((edge, plan.edges.get(usize::from(edge))?)));
        if let Some((place, edge)) = known {
            self.count(edge, place, progress);
        }
        if forks {
            return;
        }
        self.retrace_to(from);
        let Some(frames) = &mut self.frames else {
            return;
        };
        match known {
            Some((_, edge)) if edge.is_back => frames.go_back(),
            Some((place, edge)) => {
                let to = edge.to.node().unwrap_or(NO_NODE);
                frames.hand_over(plan, edge.from, to, place);
            }
            None => frames.hand_over(plan, from.unwrap_or(NO_NODE), NO_NODE, NO_NODE),
        }
    }

    /// Notes that the path came to another node.
    fn retrace_to(&mut self, from: Option<u16>) {
        let from = from.unwrap_or(NO_NODE);
        self.go(from, Target::Node(NO_NODE), 0, false);
    }

    /// Notes that somebody outside had a say.
    pub(crate) fn retrace_input(&mut self, is_answer: bool) {
        self.renew();
        self.answers = self.answers.saturating_add(u32::from(is_answer));
    }

    /// Returns the path of a branch that leaves this one at a node.
    pub(crate) fn retrace_branch(&self, from: Option<u16>) -> Self {
        self.branch(from.unwrap_or(NO_NODE), NO_NODE, NO_NODE)
    }

    /// Goes on behind a join, with what the branches have used up, as [`joined`](Self::joined) does.
    pub(crate) fn retrace_join(&mut self, plan: &Plan, all: Self, from: Option<u16>) {
        let has_branches = all.handoffs > self.handoffs;
        let was_answered = all.answers > self.answers;
        *self = Self {
            join: self.join,
            epoch: self.epoch,
            ..all
        };
        if was_answered {
            self.renew();
        }
        if !has_branches {
            self.retrace_to(from);
        }
        if let Some(frames) = &mut self.frames {
            frames.join(plan, from.unwrap_or(NO_NODE), NO_NODE, None);
        }
    }
}
