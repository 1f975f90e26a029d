//! The journal that is gone with the process.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Durability, Journal, JournalError, Record, ThreadId};

/// A journal in memory, for tests and for runs that nobody needs to take up again.
///
/// Clones share their threads: a clone is what opening a file a second time is to a journal on disk.
///
/// ```
/// use handoffs_runtime::{Durability, Hash, Journal, JournalError, Memory, Record, ThreadId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), JournalError> {
/// let journal = Memory::default();
/// let thread = ThreadId::new("customer-42");
/// let first = Record::new(1, Hash::of(b"{}"), b"{}".to_vec());
/// journal.append(&thread, 0, vec![first.clone()], Durability::Sync).await?;
///
/// assert_eq!(journal.clone().read(&thread, 0).await?, [first.clone()]);
/// let late = journal.append(&thread, 0, vec![first], Durability::Sync).await;
/// assert!(late.is_err_and(|error| error.is_conflict()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Threads>>);

/// No thread is here without a record.
type Threads = BTreeMap<ThreadId, Kept>;

/// What is kept of a thread.
#[derive(Default)]
struct Kept {
    /// How many records were trimmed.
    trimmed: usize,
    records: Vec<Record>,
    snapshot: Option<Record>,
}

impl Kept {
    fn head(&self) -> u64 {
        self.records.last().map_or(0, |record| record.seq)
    }
}

impl Memory {
    fn threads(&self) -> MutexGuard<'_, Threads> {
        // Nothing that could panic half-way runs under the lock, so what a poisoned one guards is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for Memory {
    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        _: Durability,
    ) -> Result<(), JournalError> {
        check_numbers(thread, head, &records)?;
        let mut threads = self.threads();
        if let Some(kept) = threads.get_mut(thread) {
            if kept.head() != head {
                return Err(JournalError::conflict(thread, head));
            }
            kept.records.extend(records);
        } else if head != 0 {
            return Err(JournalError::conflict(thread, head));
        } else if !records.is_empty() {
            let kept = Kept {
                records,
                ..Kept::default()
            };
            threads.insert(thread.clone(), kept);
        }
        Ok(())
    }

    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        let threads = self.threads();
        let Some(Kept {
            trimmed, records, ..
        }) = threads.get(thread)
        else {
            return Ok(Vec::new());
        };
        // Numbers have no gaps, so a record's number tells its place.
        let skipped = usize::try_from(after).unwrap_or(usize::MAX);
        let skipped = skipped.saturating_sub(*trimmed);
        Ok(records.get(skipped..).unwrap_or_default().to_vec())
    }

    async fn threads(&self) -> Result<Vec<ThreadId>, JournalError> {
        Ok(self.threads().keys().cloned().collect())
    }

    async fn heads(
        &self,
        after: Option<&ThreadId>,
        most: usize,
    ) -> Result<Vec<(ThreadId, Record)>, JournalError> {
        let threads = self.threads();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let heads = threads.range((from, Bound::Unbounded)).take(most);
        let heads = heads.filter_map(|(id, kept)| Some((id.clone(), kept.records.last()?.clone())));
        Ok(heads.collect())
    }

    async fn snapshot(&self, thread: &ThreadId) -> Result<Option<Record>, JournalError> {
        let threads = self.threads();
        Ok(threads.get(thread).and_then(|kept| kept.snapshot.clone()))
    }

    async fn compact(
        &self,
        thread: &ThreadId,
        snapshot: Record,
        trim: u64,
    ) -> Result<(), JournalError> {
        let mut threads = self.threads();
        let kept = threads.get_mut(thread);
        let kept = kept.filter(|kept| kept.head() >= snapshot.seq);
        let kept = kept.ok_or_else(|| JournalError::conflict(thread, snapshot.seq))?;
        let newest = match kept.snapshot.take() {
            Some(before) if before.seq >= snapshot.seq => before,
            _ => snapshot,
        };
        let trim = trim.min(newest.seq).min(kept.head().saturating_sub(1));
        kept.snapshot = Some(newest);
        let trimmed = kept.records.partition_point(|record| record.seq <= trim);
        kept.records.drain(..trimmed);
        kept.trimmed += trimmed;
        Ok(())
    }

    async fn delete(&self, thread: &ThreadId, head: Option<u64>) -> Result<(), JournalError> {
        let mut threads = self.threads();
        if let (Some(kept), Some(head)) = (threads.get(thread), head)
            && kept.head() != head
        {
            return Err(JournalError::conflict(thread, head));
        }
        threads.remove(thread);
        Ok(())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The records are a user's conversations: they do not belong into a log.
        f.debug_struct("Memory")
            .field("threads", &self.threads().len())
            .finish_non_exhaustive()
    }
}

/// Refuses records that are not numbered `head + 1` and up: a store that took them could never
/// append to the thread again, or would return it with a gap.
pub(super) fn check_numbers(
    thread: &ThreadId,
    head: u64,
    records: &[Record],
) -> Result<(), JournalError> {
    let misplaced = (head..)
        .zip(records)
        .find(|(before, record)| record.seq.checked_sub(1) != Some(*before));
    misplaced.map_or(Ok(()), |(before, record)| {
        let reason = format!("it was to be appended behind record {before}");
        Err(JournalError::damaged(thread, record.seq, reason))
    })
}
