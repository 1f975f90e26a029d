//! What a path writes down: its entries on their way to the journal, and what they say of the state.

use std::borrow::Cow;
use std::mem::take;

use handoffs_core::{FieldSet, State};

use super::Driver;
use crate::context::Pending;
use crate::error::RunError;
use crate::execute::Runnable;
use crate::journal::{Recorded, Usage, Writes};

/// An entry on its way to the journal.
pub(crate) struct HandedIn {
    pub(crate) seq: u64,
    /// The node that it is about, for the text of an error.
    node: Option<Cow<'static, str>>,
}

impl<G: Runnable> Driver<'_, G> {
    /// Returns the fields of the state as they are.
    pub(crate) fn whole(&self) -> Result<Writes, RunError> {
        let all = FieldSet::first_of(G::State::FIELDS.len());
        self.writes(all, FieldSet::EMPTY)
    }

    /// Appends an entry, and before it the one that is pending, and returns its number.
    pub(crate) async fn append(&mut self, event: Recorded) -> Result<u64, RunError> {
        let handed_in = self.hand_in(event)?;
        let seq = handed_in.seq;
        self.written(handed_in).await?;
        Ok(seq)
    }

    /// Hands an entry in to be appended, and before it the one that is pending. It is not boxed up in
    /// the future of whoever waits.
    pub(crate) fn hand_in(&mut self, event: Recorded) -> Result<HandedIn, RunError> {
        let Some(ledger) = &self.scope.ledger else {
            return Ok(HandedIn { seq: 0, node: None });
        };
        let node = node_of(&event).cloned();
        let pending = self.cx.pending.as_deref().map(Pending::event);
        let graph = &self.plan().id;
        let seq = ledger
            .hand_in(graph, &self.cx.branch, pending, event)
            .map_err(|error| self.unencoded("an entry", error))?;
        // What was handed in is written whatever becomes of this path.
        self.cx.pending = None;
        Ok(HandedIn { seq, node })
    }

    /// Returns what the node used since its last entry that said so.
    pub(crate) fn used(&self) -> Usage {
        self.cx.usage + self.cx.calls.usage
    }

    /// Takes what the node used since its last entry that said so.
    pub(crate) fn usage(&mut self) -> Usage {
        take(&mut self.cx.usage) + take(&mut self.cx.calls).usage
    }

    /// Takes how long the node was at work since its last entry that said so, in milliseconds.
    pub(crate) fn took(&mut self) -> u64 {
        take(&mut self.took_ms).saturating_add(take(&mut self.cut_off_ms))
    }

    /// Writes down what the node said that it used, before its attempt is given up. Its calls have entries
    /// of their own.
    pub(crate) fn note_used(&mut self) -> Result<(), RunError> {
        let usage = take(&mut self.cx.usage);
        if !usage.is_empty() {
            let node = self.kept_name(self.cx.course.due());
            self.hand_in(Recorded::Used { node, usage })?;
        }
        Ok(())
    }

    /// Waits until an entry is in the journal.
    pub(crate) async fn written(&self, HandedIn { seq, node }: HandedIn) -> Result<(), RunError> {
        let Some(ledger) = &self.scope.ledger else {
            return Ok(());
        };
        let written = ledger.written(seq).await;
        written.map_err(|source| {
            let node = node.map(Cow::into_owned);
            RunError::journal(&self.scope.thread, node, source)
        })
    }

    pub(crate) fn writes(&self, changed: FieldSet, appended: FieldSet) -> Result<Writes, RunError> {
        let pace = self.cx.pace.as_ref();
        let length = |field: usize| pace.map_or(0, |pace| pace.length(field));
        Writes::of(&self.state, changed, appended, length)
            .map_err(|(field, error)| self.unencoded(&format!("field `{}`", field.name), error))
    }
}

/// Returns the node that an entry is about.
pub(crate) fn node_of(event: &Recorded) -> Option<&Cow<'static, str>> {
    let node = match event {
        Recorded::Stepped { node, .. }
        | Recorded::Attempted { node, .. }
        | Recorded::Failed { node, .. }
        | Recorded::Once { node, .. }
        | Recorded::Used { node, .. }
        | Recorded::Joined { to: node, .. } => node,
        Recorded::Caught { failure, .. } => &failure.node,
        Recorded::Asked(ask) => &ask.node,
        Recorded::Started { .. }
        | Recorded::Submitted { .. }
        | Recorded::Answered { .. }
        | Recorded::Decided { .. }
        | Recorded::Expired { .. }
        | Recorded::Edited { .. }
        | Recorded::Abandoned { .. }
        | Recorded::Copied { .. } => return None,
    };
    Some(node)
}
