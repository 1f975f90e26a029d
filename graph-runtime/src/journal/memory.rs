//! The journal that is gone with the process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Journal, JournalError, Record, ThreadId};

/// A journal in memory, for tests and for runs that nobody needs to take up again.
///
/// Clones share their threads: a clone is what opening a file a second time is to a journal on disk.
///
/// ```
/// use handoffs_runtime::{Hash, Journal, JournalError, Memory, Record, ThreadId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), JournalError> {
/// let journal = Memory::default();
/// let thread = ThreadId::new("customer-42");
/// let first = Record::new(1, Hash::of(b"{}"), b"{}".to_vec());
/// journal.append(&thread, 0, vec![first.clone()]).await?;
///
/// assert_eq!(journal.clone().read(&thread, 0).await?, [first.clone()]);
/// let late = journal.append(&thread, 0, vec![first]).await;
/// assert!(late.is_err_and(|error| error.is_conflict()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Threads>>);

/// No thread is here without a record.
type Threads = BTreeMap<ThreadId, Vec<Record>>;

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
    ) -> Result<(), JournalError> {
        check_numbers(thread, head, &records)?;
        let mut threads = self.threads();
        if let Some(written) = threads.get_mut(thread) {
            if last(written) != head {
                return Err(JournalError::conflict(thread, head));
            }
            written.extend(records);
        } else if head != 0 {
            return Err(JournalError::conflict(thread, head));
        } else if !records.is_empty() {
            threads.insert(thread.clone(), records);
        }
        Ok(())
    }

    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        let threads = self.threads();
        let written = threads.get(thread).map_or(&[][..], Vec::as_slice);
        // Numbers have no gaps, so a record's number is its place.
        let skipped = usize::try_from(after).unwrap_or(usize::MAX);
        Ok(written.get(skipped..).unwrap_or_default().to_vec())
    }

    async fn threads(&self) -> Result<Vec<ThreadId>, JournalError> {
        Ok(self.threads().keys().cloned().collect())
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

fn last(records: &[Record]) -> u64 {
    records.last().map_or(0, |record| record.seq)
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
