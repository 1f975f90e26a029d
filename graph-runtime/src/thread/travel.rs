//! A thread as it was at an earlier time, and other ways on from there.

use handoffs_core::Trail;

use super::Thread;
use super::untyped::Untyped;
use crate::error::RunError;
use crate::execute::Runnable;
use crate::journal::{
    BranchId, Branches, Copying, Folded, Journal, Kept, Record, ThreadId, trail_of,
};
use crate::run::Run;

impl<G: Runnable, J: Journal> Thread<G, J> {
    /// Returns the state as it was after an entry of the [`history`](Self::history). Where the run had
    /// forked, that is the state with which the branches began, until they had joined.
    ///
    /// ```
    /// use handoffs_runtime::{Journal, RunError, Runnable, Thread};
    ///
    /// /// Finds the first entry after which a state is as nobody wants it.
    /// async fn blame<G: Runnable, J: Journal>(
    ///     thread: &Thread<G, J>,
    ///     is_bad: impl Fn(&G::State) -> bool,
    /// ) -> Result<Option<u64>, RunError> {
    ///     for entry in thread.history().await? {
    ///         if is_bad(&thread.state_at(entry.seq).await?) {
    ///             return Ok(Some(entry.seq));
    ///         }
    ///     }
    ///     Ok(None)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::NoEntry`] if the thread has no such entry, [`RunError::Trimmed`] if it was trimmed, or
    /// another one that its state follows from, and all that [`state`](Self::state) fails with.
    pub async fn state_at(&self, seq: u64) -> Result<G::State, RunError> {
        let folded = self.untyped().at(self.kept(), seq).await?;
        folded.state(&self.id)
    }

    /// Returns the path that the thread took so far, for drawings of its graph.
    ///
    /// [`trail_of`](crate::trail_of) says what is told; it does the same without the graph's types.
    ///
    /// ```
    /// use handoffs_runtime::{Journal, RunError, Runnable, Thread};
    ///
    /// /// Draws where a thread has been, for a terminal.
    /// async fn picture<G: Runnable, J: Journal>(
    ///     thread: &Thread<G, J>,
    ///     graph: &G,
    /// ) -> Result<String, RunError> {
    ///     let trail = thread.trail().await?;
    ///     Ok(graph.topology().ascii().trail(&trail).to_string())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`history`](Self::history).
    pub async fn trail(&self) -> Result<Trail, RunError> {
        let entries = self.history().await?;
        Ok(trail_of(&entries, Some(&self.runtime.plan.topology)))
    }

    /// Copies the thread up to an entry of its [`history`](Self::history) into a new thread, which stands
    /// where this one stood then. From there on they have nothing to do with each other.
    ///
    /// What was answered stays answered, and what was open is open, under the same numbers. So before a
    /// question, fork at the entry before it; and to answer it otherwise, fork at the question and
    /// [`resume`](Self::resume) the fork. This thread stays as it is.
    ///
    /// ```
    /// use handoffs_runtime::{Journal, Run, RunError, Runnable, Thread};
    ///
    /// /// Sees what would have come of another state.
    /// async fn what_if<G: Runnable, J: Journal>(
    ///     thread: &Thread<G, J>,
    ///     seq: u64,
    ///     change: impl FnOnce(&mut G::State),
    /// ) -> Result<Run<G::State>, RunError> {
    ///     let fork = thread.fork(seq, format!("{}, what if", thread.id())).await?;
    ///     fork.edit("what if", change).await?;
    ///     fork.recover().await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::Exists`] if there is a thread of this name, [`RunError::NoEntry`] if this one has no such
    /// entry, [`RunError::Trimmed`] if its first entries are not kept any more, [`RunError::UnknownThread`] if it is not there, and [`RunError::Journal`] if the journal
    /// cannot be read or written, or is damaged. It does not matter which graph wrote the thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the new thread whole, or none.
    pub async fn fork(&self, seq: u64, id: impl Into<ThreadId> + Send) -> Result<Self, RunError> {
        let id = id.into();
        self.untyped().copy(self.kept(), seq, &id).await?;
        Ok(Self { id, ..self.clone() })
    }

    /// Runs in a new thread once more what came after an entry of the [`history`](Self::history): a
    /// [`fork`](Self::fork), and [`recover`](Self::recover) in it.
    ///
    /// Of a run that was over with this entry, nothing is run again.
    ///
    /// # Errors
    ///
    /// As those two.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves no new thread, or one that can be recovered.
    pub async fn replay(
        &self,
        seq: u64,
        id: impl Into<ThreadId> + Send,
    ) -> Result<Run<G::State>, RunError> {
        self.fork(seq, id).await?.recover().await
    }
}

impl Untyped<'_> {
    /// Returns how the thread stood behind an entry.
    async fn at(&self, journal: &dyn Journal, seq: u64) -> Result<Folded, RunError> {
        let mut kept = self.until(journal, seq).await?;
        let base = kept.base;
        if !kept.cut(seq) {
            return Err(self.trimmed(seq, base));
        }
        let (told, _) = self.migrating(Branches::of_kept(self.id, kept))?;
        told.fold(self.plan, self.id, &BranchId::TRUNK)
    }

    /// Begins another thread with the entries up to one.
    async fn copy(&self, journal: &dyn Journal, seq: u64, to: &ThreadId) -> Result<(), RunError> {
        let mut kept = self.until(journal, seq).await?;
        kept.cut(seq);
        let Kept { base, records, .. } = kept;
        if base.seq > 0 {
            // A thread begins with its first entry, so there is none of what is left.
            return Err(self.trimmed(seq, base));
        }
        let copying = Copying {
            from: self.id,
            to,
            at_ms: self.limits.clock.now_ms(),
            by: self.by.cloned(),
        };
        match copying.append(journal, records).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_conflict() => {
                let thread = to.clone();
                Err(RunError::Exists { thread })
            }
            Err(error) => Err(self.journal_error(error)),
        }
    }

    /// Reads the thread, which must have an entry of this number.
    async fn until(&self, journal: &dyn Journal, seq: u64) -> Result<Kept, RunError> {
        let kept = self.all(journal).await?;
        let Some(Record { seq: last, .. }) = kept.records.last() else {
            return Err(self.unknown());
        };
        let last = *last;
        if seq == 0 || seq > last {
            let thread = self.id.clone();
            return Err(RunError::NoEntry { thread, seq, last });
        }
        if seq <= kept.base.seq {
            return Err(self.trimmed(seq, kept.base));
        }
        Ok(kept)
    }
}
