//! Which questions of a thread are open.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::BranchId;
use super::entry::{Ask, AskId, Recorded};

/// The questions of a thread that are open. Each path has one at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct Open(BTreeMap<BranchId, Ask>);

/// What an entry did to the questions, to be undone if it is not written after all.
#[derive(Debug, Default)]
pub(super) struct Turned {
    asked: Option<BranchId>,
    closed: Vec<(BranchId, Ask)>,
}

impl Open {
    /// Returns the questions that are open on these paths.
    pub(super) fn of<'a>(asks: impl IntoIterator<Item = (&'a BranchId, &'a Ask)>) -> Self {
        let asks = asks.into_iter();
        Self(
            asks.map(|(branch, ask)| (branch.clone(), ask.clone()))
                .collect(),
        )
    }

    /// Takes in what happened on a path.
    pub(super) fn take(&mut self, branch: &BranchId, event: &Recorded) -> Turned {
        let mut turned = Turned::default();
        match event {
            Recorded::Started { .. } | Recorded::Abandoned { .. } => {
                turned.closed.extend(self.0.remove_entry(branch));
                self.close_below(branch, &mut turned);
            }
            Recorded::Asked(ask) => {
                self.0.insert(branch.clone(), ask.clone());
                turned.asked = Some(branch.clone());
            }
            // Once a node has concluded, nobody waits for an answer within any more: a branch of the
            // graph that it is may have asked before another one failed.
            Recorded::Stepped { approval, .. } => {
                self.close_below(branch, &mut turned);
                if let Some(ask) = approval {
                    self.0.insert(branch.clone(), ask.clone());
                    turned.asked = Some(branch.clone());
                }
            }
            Recorded::Caught { .. } | Recorded::Joined { .. } => {
                self.close_below(branch, &mut turned);
            }
            Recorded::Answered { ask, .. }
            | Recorded::Decided { ask, .. }
            | Recorded::Expired { ask, .. } => {
                let is_asked = self.0.get(branch).is_some_and(|open| open.id == *ask);
                if is_asked {
                    turned.closed.extend(self.0.remove_entry(branch));
                }
            }
            Recorded::Submitted { ask, answer } => {
                // Nothing to undo: whoever lays an answer down writes no other entry.
                let open = self.0.get_mut(branch).filter(|open| open.id == *ask);
                if let Some(open) = open {
                    open.submitted.clone_from(answer);
                }
            }
            Recorded::Attempted { .. }
            | Recorded::Once { .. }
            | Recorded::Used { .. }
            | Recorded::Failed { .. }
            | Recorded::Edited { .. }
            | Recorded::Copied { .. } => {}
        }
        turned
    }

    /// Undoes what an entry did, the last one first.
    pub(super) fn undo(&mut self, turned: Turned) {
        if let Some(branch) = turned.asked {
            self.0.remove(&branch);
        }
        self.0.extend(turned.closed);
    }

    fn close_below(&mut self, branch: &BranchId, turned: &mut Turned) {
        while let Some(below) = self.first_below(branch) {
            turned.closed.extend(self.0.remove_entry(&below));
        }
    }

    fn first_below(&self, branch: &BranchId) -> Option<BranchId> {
        // Those that leave a path stand right behind it.
        let behind = (Bound::Excluded(branch), Bound::Unbounded);
        let (below, _) = self.0.range(behind).next()?;
        below.is_on(branch).then(|| below.clone())
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Returns a question that is open, and the path that asked it.
    pub(super) fn find(&self, ask: AskId) -> Option<(&BranchId, &Ask)> {
        self.0.iter().find(|(_, open)| open.id == ask)
    }

    /// Returns the questions of a path and of those that leave it, in the order in which they were asked.
    pub(super) fn on(&self, branch: &BranchId) -> Vec<Ask> {
        let from = (Bound::Included(branch), Bound::Unbounded);
        let on = self.0.range(from);
        let on = on.take_while(|(path, _)| path.is_on(branch));
        let mut asks: Vec<_> = on.map(|(_, ask)| ask.clone()).collect();
        asks.sort_by_key(|ask| ask.id);
        asks
    }
}

impl Turned {
    /// Returns the questions that it closed.
    pub(super) fn closed(&self) -> impl Iterator<Item = AskId> {
        self.closed.iter().map(|(_, ask)| ask.id)
    }
}
