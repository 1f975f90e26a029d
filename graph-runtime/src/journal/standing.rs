//! How a thread stands: what its folded paths add up to for whoever asks.

use super::entry::Ask;
use super::{BranchId, Branches, Folded, ThreadId};
use crate::engine::Action;
use crate::error::RunError;
use crate::plan::Plan;

/// How a thread stands, all its paths taken together.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The node of the outermost graph at which a path ended with an error, and the error.
    pub(crate) failed: Option<(u16, String)>,
    /// The node of the outermost graph that is due on some path.
    pub(crate) due: Option<u16>,
    /// The questions that are open, in the order in which they were asked.
    pub(crate) asks: Vec<Ask>,
    /// Why the run was given up, if it was.
    pub(crate) abandoned: Option<String>,
}

impl Folded {
    /// Tells how the thread stands on this path.
    pub(crate) fn standing(
        &self,
        all: &Branches,
        plan: &Plan,
        thread: &ThreadId,
        branch: &BranchId,
    ) -> Result<Standing, RunError> {
        let mut standing = Standing::default();
        match self.engine.next() {
            Action::Start | Action::Finish(..) | Action::Arrive => {}
            Action::Abandon => standing.abandoned = Some(self.error.clone().unwrap_or_default()),
            Action::Wait(..) | Action::Approve(..) => standing.asks.extend(self.open.clone()),
            Action::Execute(node) => {
                let mut has_failed = self.engine.has_failed();
                let inner = plan.node(node).and_then(|node| node.inner.as_ref());
                if let Some(inner) = inner {
                    let branch = branch.child(self.arrived, 0);
                    let within = all.fold(&inner.plan, thread, &branch)?;
                    let within = within.standing(all, &inner.plan, thread, &branch)?;
                    let is_due = within.due.is_some() || within.failed.is_some();
                    // Since it failed it was taken up again, and now waits for nothing but an answer.
                    has_failed &= is_due || within.asks.is_empty();
                    standing.due = (is_due || within.asks.is_empty()).then_some(node);
                    standing.asks = within.asks;
                } else {
                    if plan.node(node).is_some_and(|node| node.is_graph) {
                        // It is hidden in a node, and nothing is known of it but its entries.
                        standing.asks = all.open_below(&branch.child(self.arrived, 0));
                    }
                    standing.due = standing.asks.is_empty().then_some(node);
                }
                if has_failed {
                    // What was asked within, before another branch failed, can still be answered.
                    let error = self.error.clone().unwrap_or_default();
                    standing.failed = Some((node, error));
                    standing.due = None;
                }
            }
            Action::Branch(edge) => {
                let join = plan.edges[usize::from(edge)].to.node();
                let branches = self.fork.as_ref().map(|fork| (fork.seq, &fork.branches));
                let mut has_all = true;
                if let Some((seq, branches)) = branches {
                    for (folded, index) in branches.iter().zip(0..) {
                        has_all &= folded.engine.next() == Action::Arrive;
                        let branch = branch.child(seq, index);
                        standing.add(folded.standing(all, plan, thread, &branch)?);
                    }
                }
                standing.asks.sort_by_key(|ask| ask.id);
                if let (true, Some(error)) = (has_all, &self.error) {
                    standing.failed = Some((plan.edges[usize::from(edge)].from, error.clone()));
                } else if has_all {
                    standing.due = join;
                }
            }
        }
        Ok(standing)
    }
}

impl Standing {
    fn add(&mut self, branch: Self) {
        self.failed = self.failed.take().or(branch.failed);
        self.due = self.due.or(branch.due);
        self.asks.extend(branch.asks);
    }
}
