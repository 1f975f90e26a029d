//! Taking a snapshot: every path that is under way is saved.

use std::collections::BTreeMap;
use std::error::Error;

use super::path::SavedPath;
use super::{FORMAT, Snapshot};
use crate::engine::{Action, Legend};
use crate::error::RunError;
use crate::journal::{BranchId, Branches, Folded, Head, ThreadId};
use crate::plan::Plan;

/// A snapshot on its way.
struct Saving<'a> {
    all: &'a Branches,
    thread: &'a ThreadId,
    legends: Vec<Legend>,
    paths: BTreeMap<BranchId, SavedPath>,
}

impl Branches {
    /// Takes a snapshot of a thread that ends at `head`, of whose trunk this is the fold.
    ///
    /// There is none while a graph is at work that a node hides: nobody knows here what its entries add
    /// up to.
    pub(crate) fn save(
        &self,
        plan: &Plan,
        thread: &ThreadId,
        trunk: &Folded,
        head: Head,
    ) -> Result<Option<Snapshot>, RunError> {
        let mut saving = Saving {
            all: self,
            thread,
            legends: Vec::new(),
            paths: BTreeMap::new(),
        };
        let is_whole = saving.path(plan, &BranchId::TRUNK, trunk)?;
        let Saving { legends, paths, .. } = saving;
        let beginning = self.snapshot.as_ref().map(|snapshot| snapshot.beginning());
        let beginning = beginning
            .transpose()
            .map_err(|source| unsaved(thread, source))?;
        Ok(is_whole.then_some(Snapshot {
            format: FORMAT,
            head,
            legends,
            paths,
            metering: self
                .says_used()
                .then(|| self.metering(Some(plan.name(plan.start)))),
            beginning: beginning.unwrap_or_default(),
        }))
    }
}

impl Saving<'_> {
    /// Saves a path and all that have left it, and returns whether that was possible.
    fn path(&mut self, plan: &Plan, branch: &BranchId, folded: &Folded) -> Result<bool, RunError> {
        let legend = self.legend(plan);
        let saved = SavedPath::of(folded, plan, legend);
        let saved = saved.map_err(|source| unsaved(self.thread, source))?;
        self.paths.insert(branch.clone(), saved);
        match folded.engine.next() {
            // A node of somebody's own may run a graph, and ask besides.
            Action::Execute(node) | Action::Wait(node, _) => {
                let within = branch.child(folded.arrived, 0);
                let Some(inner) = plan.node(node).and_then(|node| node.inner.as_ref()) else {
                    return Ok(!self.all.has(&within));
                };
                let run = self.all.fold(&inner.plan, self.thread, &within)?;
                if run.engine.next() == Action::Start {
                    return Ok(true);
                }
                self.path(&inner.plan, &within, &run)
            }
            Action::Branch(_) => {
                let Some(fork) = &folded.fork else {
                    return Ok(true);
                };
                for (folded, index) in fork.branches.iter().zip(0..) {
                    if !self.path(plan, &branch.child(fork.seq, index), folded)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Action::Start
            | Action::Approve(..)
            | Action::Arrive
            | Action::Finish(..)
            | Action::Abandon => Ok(true),
        }
    }

    /// Returns the place of a graph's legend.
    fn legend(&mut self, plan: &Plan) -> usize {
        let known = self.legends.iter().position(|known| known.graph == plan.id);
        known.unwrap_or_else(|| {
            self.legends.push(Legend::of(plan));
            self.legends.len() - 1
        })
    }
}

/// Says that a snapshot cannot be written as JSON.
pub(crate) fn unsaved(
    thread: &ThreadId,
    error: impl Into<Box<dyn Error + Send + Sync>>,
) -> RunError {
    RunError::Encode {
        thread: thread.clone(),
        node: None,
        what: "a snapshot".to_owned(),
        source: error.into(),
    }
}
