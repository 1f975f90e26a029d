//! How long threads are kept.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;

use super::chain::read;
use super::inbox::heads;
use super::{AskId, Entry, Journal, JournalError, Record, Recorded, ThreadId};
use crate::clock::ms_since_1970;

/// Which threads are kept, and which are removed as a whole.
///
/// Only those are removed that are over: whose last run came to its end or was
/// [given up](crate::Thread::abandon). One that is unfinished, failed or waits for an answer is kept
/// however old it is. Of those that are over, one is removed if it is neither among the last ones that
/// were written nor young. Of a retention that says neither, nothing is removed.
///
/// A thread that is written to meanwhile stays: it is removed only if its last entry is the one that was
/// looked at. One that cannot be read stays too.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use handoffs_runtime::{Journal, JournalError, Retention};
///
/// const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
///
/// /// Keeps what is younger than a month, and the last thousand in any case.
/// async fn tidy(journal: &dyn Journal) -> Result<(), JournalError> {
///     let retention = Retention::new().older_than(MONTH).keep_last(1_000);
///     let removed = retention.apply(journal, SystemTime::now()).await?;
///     println!("{} threads are gone", removed.len());
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    keep_last: Option<usize>,
    older_than: Option<Duration>,
}

/// A thread that may be removed.
struct Old {
    thread: ThreadId,
    head: u64,
    at_ms: u64,
}

impl Retention {
    /// Keeps all threads.
    pub const fn new() -> Self {
        Self {
            keep_last: None,
            older_than: None,
        }
    }

    /// Keeps the last `threads` that were written to, over or not.
    #[must_use]
    pub const fn keep_last(self, threads: usize) -> Self {
        Self {
            keep_last: Some(threads),
            ..self
        }
    }

    /// Removes only what was last written to longer ago than `age`.
    #[must_use]
    pub const fn older_than(self, age: Duration) -> Self {
        Self {
            older_than: Some(age),
            ..self
        }
    }

    /// Removes the threads that are not to be kept, and returns which they were, in the order of their
    /// names.
    ///
    /// It looks at the last entry of each thread. [`Runtime::retain`](crate::Runtime::retain) does the
    /// same by the runtime's clock.
    ///
    /// # Errors
    ///
    /// Fails if the journal does; what was removed before is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves each thread as it was, or removed.
    pub async fn apply(
        &self,
        journal: &dyn Journal,
        now: SystemTime,
    ) -> Result<Vec<ThreadId>, JournalError> {
        self.remove(journal, ms_since_1970(now)).await
    }

    /// Returns the threads that [`apply`](Self::apply) would remove, in the order of their names, and removes
    /// none.
    ///
    /// # Errors
    ///
    /// Fails if the journal does.
    pub async fn preview(
        &self,
        journal: &dyn Journal,
        now: SystemTime,
    ) -> Result<Vec<ThreadId>, JournalError> {
        let old = self.old(journal, ms_since_1970(now)).await?;
        Ok(old.into_iter().map(|old| old.thread).collect())
    }

    pub(crate) async fn remove(
        &self,
        journal: &dyn Journal,
        now_ms: u64,
    ) -> Result<Vec<ThreadId>, JournalError> {
        let mut removed = Vec::new();
        for Old { thread, head, .. } in self.old(journal, now_ms).await? {
            match journal.delete(&thread, Some(head)).await {
                Ok(()) => {
                    tracing::debug!(%thread, "removed");
                    removed.push(thread);
                }
                // Somebody has gone on with it.
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }

    /// Returns the threads that are not to be kept.
    async fn old(&self, journal: &dyn Journal, now_ms: u64) -> Result<Vec<Old>, JournalError> {
        if *self == Self::new() {
            return Ok(Vec::new());
        }
        let age = self.older_than.unwrap_or_default().as_millis();
        let mut old = Vec::new();
        let mut last = BTreeSet::new();
        let mut heads = pin!(heads(journal, None));
        while let Some(head) = heads.next().await {
            let read = head.and_then(|(thread, head)| {
                let entry: Entry = read(&thread, &head)?;
                Ok((thread, head, entry))
            });
            let (thread, head, entry) = match read {
                Ok(read) => read,
                Err(error) => match error.thread() {
                    Some(thread) => {
                        tracing::warn!(%thread, %error, "it cannot be read, and stays");
                        continue;
                    }
                    None => return Err(error),
                },
            };
            if let Some(most) = self.keep_last {
                last.insert((entry.at_ms, thread.clone()));
                if last.len() > most {
                    last.pop_first();
                }
            }
            let is_young = u128::from(now_ms.saturating_sub(entry.at_ms)) <= age;
            let is_young = is_young && self.older_than.is_some();
            if !is_young && is_over(journal, &thread, &entry).await? {
                let (head, at_ms) = (head.seq, entry.at_ms);
                old.push(Old {
                    thread,
                    head,
                    at_ms,
                });
            }
        }
        old.retain(|old| !last.contains(&(old.at_ms, old.thread.clone())));
        Ok(old)
    }
}

/// What an entry tells of the run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tells {
    IsOver,
    GoesOn,
    /// It is as it was before.
    Nothing,
    /// It is over if this was the question whether a handoff may be, and goes on if a node asked it.
    Expired(AskId),
}

impl Tells {
    fn of(entry: &Entry) -> Self {
        // Behind the end of the trunk there is no other path.
        let is_trunk = entry.branch.is_trunk();
        match &entry.event {
            Recorded::Edited { .. } | Recorded::Copied { .. } => Self::Nothing,
            event if is_trunk && event.ends() => Self::IsOver,
            Recorded::Expired { ask, to: None } if is_trunk => Self::Expired(*ask),
            _ => Self::GoesOn,
        }
    }
}

/// Returns whether a thread's last run is over, by its last entry, or by those before if that does not
/// tell.
async fn is_over(
    journal: &dyn Journal,
    thread: &ThreadId,
    last: &Entry,
) -> Result<bool, JournalError> {
    match Tells::of(last) {
        Tells::IsOver => return Ok(true),
        Tells::GoesOn => return Ok(false),
        Tells::Nothing | Tells::Expired(_) => {}
    }
    let records = journal.read(thread, 0).await;
    match records.and_then(|records| look_back(thread, &records)) {
        Err(error) if error.thread().is_some() => {
            tracing::warn!(%thread, %error, "it cannot be read, and stays");
            Ok(false)
        }
        is_over => is_over,
    }
}

fn look_back(thread: &ThreadId, records: &[Record]) -> Result<bool, JournalError> {
    for record in records.iter().rev() {
        match Tells::of(&read(thread, record)?) {
            Tells::IsOver => return Ok(true),
            Tells::GoesOn => return Ok(false),
            Tells::Nothing => {}
            Tells::Expired(ask) => {
                // A question has the number of its entry.
                let asked = records.iter().find(|record| record.seq == ask.get());
                let asked = asked.map(|asked| read(thread, asked)).transpose()?;
                let is_handoff = |asked: Entry| matches!(asked.event, Recorded::Stepped { .. });
                return Ok(asked.is_some_and(is_handoff));
            }
        }
    }
    // What tells was trimmed.
    Ok(false)
}
