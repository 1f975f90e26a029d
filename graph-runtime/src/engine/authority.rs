//! What the nodes on a path hold of what the run was granted.

use handoffs_core::Grant;

use super::{Amounts, Engine, Position};
use crate::journal::{Charge, Effect};
use crate::plan::Plan;

impl Engine {
    /// Gives the node at which the path begins what the run is granted.
    pub(crate) fn grant(&mut self, plan: &Plan, grant: Option<&Grant>) {
        let all = Grant::all();
        let grant = match grant {
            Some(grant) => grant,
            None if plan.has_scopes() => &all,
            None => return,
        };
        if let Position::At(node) = self.position {
            let frames = self.frames.get_or_insert_default();
            frames.begin(plan, node, grant);
        }
    }

    /// Returns what the node that is due holds, if there is authority.
    pub(crate) fn held(&self) -> Option<&Grant> {
        self.frames.as_ref()?.held()
    }

    /// Returns what the run has left of what it was granted, if there is authority.
    pub(crate) fn rest(&self) -> Option<Amounts> {
        self.frames.as_ref()?.rest()
    }

    /// Notes what a graph within has left of what its node holds.
    pub(crate) fn put(&mut self, left: Amounts) {
        if let Some(frames) = &mut self.frames {
            frames.put(left);
        }
    }

    /// Takes the most that something may cost from what the node holds, and returns whether it was there.
    pub(crate) fn reserve(&mut self, cost: u64) -> bool {
        let frames = self.frames.as_mut();
        frames.is_none_or(|frames| frames.reserve(cost))
    }

    /// Takes in how far an effect came that uses some of what its node holds.
    pub(crate) fn charge(&mut self, effect: &Effect, charge: &Charge) {
        let reserved = charge.reserved_micros;
        match effect {
            Effect::Begun => drop(self.reserve(reserved)),
            Effect::Done(_) => self.settle(reserved, Some(charge.spent_micros.unwrap_or(reserved))),
            Effect::Failed(_) => self.settle(reserved, None),
        }
    }

    /// Takes in what came of what something was reserved for: what it cost, or that it was not done.
    pub(crate) fn settle(&mut self, reserved: u64, spent: Option<u64>) {
        match (&mut self.frames, spent) {
            (Some(frames), Some(spent)) => frames.settle(reserved, spent),
            (Some(frames), None) => frames.release(reserved),
            (None, _) => {}
        }
    }
}
