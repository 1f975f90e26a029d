//! What somebody does to a thread from outside, between two steps of its run.

use std::sync::Arc;

use handoffs_core::{FieldSet, State};

use super::Thread;
use super::untyped::Untyped;
use crate::engine::Action;
use crate::error::RunError;
use crate::execute::Runnable;
use crate::journal::{
    BranchId, Branches, Durability, Folded, Head, Journal, Ledger, Recorded, Writes,
};

impl<G: Runnable, J: Journal> Thread<G, J> {
    /// Changes the state from outside, and returns it. The entry says what was changed and why.
    ///
    /// The run goes on from the new state when it is [recovered](Self::recover) or
    /// [resumed](Self::resume); a question that is open stays open, as it was asked. To a loop, an edit is
    /// news, so an edge that led nowhere may be taken again. Of a run that is over, what is changed is what
    /// is found there. A run that is at work meanwhile, here or elsewhere, stops with a conflict.
    ///
    /// ```
    /// use handoffs_runtime::{Journal, Run, RunError, Runnable, Thread};
    ///
    /// /// Lets a run go on that failed, once somebody has mended the state.
    /// async fn mend<G: Runnable, J: Journal>(
    ///     thread: &Thread<G, J>,
    ///     repair: impl FnOnce(&mut G::State),
    /// ) -> Result<Run<G::State>, RunError> {
    ///     thread.edit("the address had a typo", repair).await?;
    ///     thread.recover().await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::NotEditable`] while branches of a fork, or a graph within, are under way;
    /// [`RunError::Encode`] if a field cannot be kept; a [conflict](RunError::is_conflict) if somebody else
    /// has written to the thread meanwhile; and all that [`state`](Self::state) fails with. Then nothing has
    /// changed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the thread as it was, or edited.
    pub async fn edit(
        &self,
        why: impl Into<String>,
        change: impl FnOnce(&mut G::State),
    ) -> Result<G::State, RunError> {
        let untyped = self.untyped();
        let (told, folded, head) = untyped.fold(self.kept()).await?;
        untyped.may_edit(&told, &folded)?;
        let mut state: G::State = folded.state(&self.id)?;
        change(&mut state);
        let all = FieldSet::first_of(G::State::FIELDS.len());
        let whole = Writes::of(&state, all, FieldSet::EMPTY, |_| 0);
        let whole = whole.map_err(|(field, source)| RunError::Encode {
            thread: self.id.clone(),
            node: None,
            what: format!("field `{}`", field.name),
            source: source.into(),
        })?;
        let edited = Recorded::Edited {
            writes: folded.fields().difference(whole),
            why: why.into(),
        };
        untyped.write(self.shared(), &told, head, edited).await?;
        Ok(state)
    }

    /// Gives the run up, whatever it is at: it is over, and another one may begin in the thread.
    ///
    /// The questions that are open are closed. The state stays as it was after the last step; what
    /// branches had made of it that had not joined is lost. A run that is over is left as it is.
    ///
    /// # Errors
    ///
    /// [`RunError::UnknownThread`] if there is no such thread, a [conflict](RunError::is_conflict) if somebody
    /// else has written to it meanwhile, and [`RunError::Journal`] if the journal cannot be read or
    /// written. It does not matter which graph began the run.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the run as it was, or given up.
    pub async fn abandon(&self, why: impl Into<String>) -> Result<(), RunError> {
        let abandoned = Recorded::Abandoned { why: why.into() };
        self.untyped().abandon(self.shared(), abandoned).await
    }

    fn shared(&self) -> Arc<dyn Journal> {
        Arc::clone(&self.runtime.keep) as _
    }
}

impl Untyped<'_> {
    async fn abandon(self, journal: Arc<dyn Journal>, abandoned: Recorded) -> Result<(), RunError> {
        let (told, folded, head) = self.look(&*journal).await?;
        let is_over = match folded.map(|folded| folded.engine.next()) {
            Ok(Action::Start) => return Err(self.unknown()),
            Ok(action) => matches!(
                action,
                Action::Finish(..) | Action::Arrive | Action::Abandon
            ),
            // To give up what another graph has begun, nobody needs to understand it.
            Err(RunError::OtherGraph { .. } | RunError::Migrate { .. }) => told.has_ended(),
            Err(error) => return Err(error),
        };
        if is_over {
            return Ok(());
        }
        self.write(journal, &told, head, abandoned).await
    }

    /// Checks that nobody but the path itself is at work on its state.
    fn may_edit(&self, told: &Branches, folded: &Folded) -> Result<(), RunError> {
        let plan = self.plan;
        let refused = |node, reason| {
            Err(RunError::NotEditable {
                thread: self.id.clone(),
                node: plan.name(node).to_owned(),
                reason,
            })
        };
        match folded.engine.next() {
            Action::Start => Err(self.unknown()),
            Action::Branch(edge) => {
                let from = plan.edges.get(usize::from(edge)).map(|edge| edge.from);
                let reason = "the branches that it forked into have not joined";
                refused(from.unwrap_or(plan.start), reason)
            }
            Action::Execute(node) if told.has_begun(&BranchId::TRUNK.child(folded.arrived, 0)) => {
                refused(node, "the graph that it is has begun")
            }
            Action::Execute(_)
            | Action::Wait(..)
            | Action::Approve(..)
            | Action::Arrive
            | Action::Finish(..)
            | Action::Abandon => Ok(()),
        }
    }

    /// Appends an entry to the trunk, if that has not gone on meanwhile.
    async fn write(
        &self,
        journal: Arc<dyn Journal>,
        told: &Branches,
        head: Head,
        event: Recorded,
    ) -> Result<(), RunError> {
        let clock = self.limits.clock.clone();
        // Whoever does this by hand wants to know that it is done.
        let ledger = Ledger::new(journal, self.id.clone(), head, told.open.clone())
            .keeping(Durability::Sync, clock)
            .by(self.by.cloned());
        let handed_in = ledger.hand_in(&self.plan.id, &BranchId::TRUNK, None, event);
        let seq = handed_in.map_err(|source| RunError::Encode {
            thread: self.id.clone(),
            node: None,
            what: "an entry".to_owned(),
            source: source.into(),
        })?;
        let written = ledger.written(seq).await;
        written.map_err(|source| self.journal_error(source))
    }

    /// Checks that there is a run to go on with.
    pub(super) fn may_recover(&self, folded: &Folded) -> Result<(), RunError> {
        if folded.engine.next() != Action::Abandon {
            return Ok(());
        }
        Err(RunError::Abandoned {
            thread: self.id.clone(),
            why: folded.error.clone().unwrap_or_default(),
        })
    }
}
