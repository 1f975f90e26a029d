//! A thread's snapshots: so that a long thread is taken up as fast as a short one, and need not be kept
//! for ever.

use super::Thread;
use super::untyped::Untyped;
use crate::error::{RunError, chain};
use crate::execute::Runnable;
use crate::journal::{BranchId, Branches, Extent, Folded, Head, Journal, Kept, Snapshot, unsaved};
use crate::scope::Scope;

/// After how many entries another snapshot is taken.
const EVERY: u64 = 512;

/// Returns whether so much was written since the last snapshot that it is time for another. The run
/// was taken up at `head`. What nobody has read does not count.
///
/// As that is never before as many bytes were written as the last one has, all snapshots together
/// are no larger than a multiple of the entries.
pub(super) fn has_grown(scope: &Scope, head: Head) -> bool {
    let Some(ledger) = &scope.ledger else {
        return false;
    };
    ledger.last() > head.seq && ledger.extent().has_grown()
}

impl Extent {
    fn has_grown(&self) -> bool {
        self.entries >= EVERY && self.bytes >= self.snapshot
    }
}

impl Untyped<'_> {
    /// Keeps a snapshot of the thread as this run has left it. The run is what it is also without one,
    /// so it is no error if there is none.
    pub(super) async fn keep_snapshot(&self, scope: &Scope) {
        let Some(ledger) = &scope.ledger else {
            return;
        };
        let kept = async {
            let read = ledger.read_on(scope.take_told(), &self.plan.id).await;
            let (mut told, head) = self.migrating(read)?;
            let folded = told.fold(self.plan, self.id, &BranchId::TRUNK)?;
            self.put_snapshot(ledger.journal(), &mut told, &folded, head)
                .await
        };
        self.tell_kept(kept.await);
    }

    /// Keeps a snapshot of what was read, if it was so much that whoever reads next shall be spared it, and the
    /// journal is in this process: there a run leaves behind what nobody has read, and takes none itself.
    pub(super) async fn keep_read(
        &self,
        journal: &dyn Journal,
        told: &mut Branches,
        folded: &Folded,
        head: Head,
    ) {
        let is_ours = folded.past.is_none() && self.limits.migration.is_none();
        if told.extent().has_grown() && is_ours && journal.__shelf(self.id).is_some() {
            self.tell_kept(self.put_snapshot(journal, told, folded, head).await);
        }
    }

    /// Takes a snapshot of what was read, if one can be taken, and keeps it.
    async fn put_snapshot(
        &self,
        journal: &dyn Journal,
        told: &mut Branches,
        folded: &Folded,
        head: Head,
    ) -> Result<(), RunError> {
        let Some(snapshot) = told.save(self.plan, self.id, folded, head)? else {
            return Ok(());
        };
        let record = snapshot.record();
        let record = record.map_err(|error| unsaved(self.id, error))?;
        let bytes = record.body.len() as u64;
        let compacted = journal.compact(self.id, record, 0).await;
        compacted.map_err(|source| self.journal_error(source))?;
        told.snapshot_taken(bytes);
        Ok(())
    }

    fn tell_kept(&self, kept: Result<(), RunError>) {
        match kept {
            Ok(()) => {}
            Err(error) if error.is_conflict() => {
                tracing::debug!(thread = %self.id, "another worker has gone on before a snapshot was kept");
            }
            Err(error) => {
                tracing::warn!(thread = %self.id, error = %chain(&error), "no snapshot was kept");
            }
        }
    }

    /// Takes a snapshot of the first entry that stays if those up to `trim` go, so that the state after each
    /// that stays is known. There may be none: the thread is what it is without it.
    async fn snapshot_of_first(
        &self,
        journal: &dyn Journal,
        trim: u64,
    ) -> Result<Option<Snapshot>, RunError> {
        let mut kept = self.all(journal).await?;
        let trim = trim.max(kept.base.seq);
        if trim == 0 || !kept.cut(trim + 1) {
            return Ok(None);
        }
        let taken = || {
            let (told, head) = self.migrating(Branches::of_kept(self.id, kept))?;
            let folded = told.fold(self.plan, self.id, &BranchId::TRUNK)?;
            told.save(self.plan, self.id, &folded, head)
        };
        Ok(taken().unwrap_or_else(|error| {
            tracing::debug!(thread = %self.id, error = %chain(&error), "nobody knows how what is left begins");
            None
        }))
    }

    /// Says that an entry is not kept any more.
    pub(super) fn trimmed(&self, seq: u64, base: Head) -> RunError {
        RunError::Trimmed {
            thread: self.id.clone(),
            seq,
            trimmed: base.seq,
        }
    }
}

impl<G: Runnable, J: Journal> Thread<G, J> {
    /// Drops all entries but the last `keep`, for ever, and keeps what they add up to: the thread goes on
    /// as if nothing had happened, and the [state](Self::state_at) after each entry that stays is known.
    /// Returns the last entry that is gone, which the first that is kept follows; number 0 if none is.
    ///
    /// What is gone can be neither listed nor verified, and no thread can be forked from it. If it has to
    /// be kept elsewhere, [`export`](Self::export) the thread first.
    ///
    /// The last entry always stays. Nothing is dropped while a graph is at work that the runtime does not
    /// know of, in a node that was written by hand; try again later.
    ///
    /// ```
    /// use handoffs_runtime::{Journal, Runnable, Runtime, RunError};
    ///
    /// /// Keeps of each thread no more than what is worth reading.
    /// async fn tidy<G: Runnable, J: Journal>(
    ///     runtime: &Runtime<G, J>,
    /// ) -> Result<(), Box<dyn std::error::Error>> {
    ///     for id in runtime.threads().await? {
    ///         runtime.thread(id).trim(1_000).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::UnknownThread`] if there is no such thread, [`RunError::OtherGraph`] and
    /// [`RunError::Decode`] if this graph cannot go on with it, and [`RunError::Journal`] if the journal cannot be read or written. Then nothing is
    /// dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the thread as it was, or trimmed. Neither disturbs a run that is under
    /// way.
    pub async fn trim(&self, keep: u64) -> Result<Head, RunError> {
        let (untyped, journal) = (self.untyped(), self.kept());
        let (told, folded, head) = untyped.fold(journal).await?;
        if head.seq == 0 {
            return Err(untyped.unknown());
        }
        // Of what cannot be read, nothing may be dropped.
        let _: G::State = folded.state(&self.id)?;
        let plan = &self.runtime.plan;
        if let Some(snapshot) = told.save(plan, &self.id, &folded, head)? {
            let trim = head.seq.saturating_sub(keep.max(1));
            let first = untyped.snapshot_of_first(journal, trim).await?;
            let record = snapshot
                .beginning_with(first)
                .and_then(|snapshot| snapshot.record())
                .map_err(|error| unsaved(&self.id, error))?;
            let compacted = journal.compact(&self.id, record, trim).await;
            compacted.map_err(|source| untyped.journal_error(source))?;
        }
        let Kept { base, .. } = untyped.all(journal).await?;
        Ok(base)
    }

    /// Removes the thread with all that is kept of it, for ever, however it stands. It is no error if there
    /// is none. [`Retention`](crate::Retention) removes those that are over.
    ///
    /// A run that is under way ends with a conflict as soon as it writes. After that the name can be used
    /// anew.
    ///
    /// # Errors
    ///
    /// Fails if the journal does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the thread as it was, or removed.
    pub async fn delete(&self) -> Result<(), RunError> {
        let deleted = self.kept().delete(&self.id, None).await;
        deleted.map_err(|source| self.untyped().journal_error(source))
    }
}
