//! The journal that is gone with the process.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::unread::{PlainStep, Unread, Unwritten, Writer};
use super::{Durability, Head, Journal, JournalError, Record, ThreadId};

/// A journal in memory, for tests and for runs that nobody needs to take up again.
///
/// Clones share their threads: a clone is what opening a file a second time is to a journal on disk.
///
/// What a run hands in is kept as it is, and becomes records, with hashes in a chain as in any other journal,
/// when somebody reads the thread: so a step costs a fraction of what it costs elsewhere, and the first reader
/// pays for the rest. Behind a [`Layer`](crate::Layer), as when it is sealed, it takes records like any other.
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
type Threads = BTreeMap<ThreadId, Arc<Mutex<Kept>>>;

/// What is kept of a thread.
#[derive(Default)]
struct Kept {
    /// How many records were trimmed.
    trimmed: usize,
    records: Vec<Record>,
    /// What a run handed in behind the records, and how many runs have done so before.
    unread: Option<Unread>,
    turn: u64,
    snapshot: Option<Record>,
    /// Whether the thread was deleted: nothing more is put here.
    deleted: bool,
}

impl Kept {
    fn head(&self) -> u64 {
        let last = || self.records.last().map_or(0, |record| record.seq);
        self.unread.as_ref().map_or_else(last, Unread::last)
    }

    /// Makes records of what nobody has read yet.
    fn read(&mut self) -> Result<(), JournalError> {
        if let Some(unread) = &mut self.unread {
            let records = unread.read();
            let records =
                records.map_err(|error| JournalError::store("the journal", "write to", error))?;
            self.records.extend(records);
        }
        Ok(())
    }
}

impl Memory {
    fn threads(&self) -> MutexGuard<'_, Threads> {
        // Nothing that could panic half-way runs under the lock, so what a poisoned one guards is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is kept of a thread, if it is here.
    fn kept(&self, thread: &ThreadId) -> Option<Arc<Mutex<Kept>>> {
        self.threads().get(thread).cloned()
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end of a thread in this process, where a run puts entries that are made records when somebody reads
/// them.
#[doc(hidden)]
pub struct Shelf {
    journal: Memory,
    thread: ThreadId,
    /// Of a thread that is not in the journal yet, this becomes part of it with the first entry.
    kept: Arc<Mutex<Kept>>,
    turn: u64,
}

impl Shelf {
    /// Lets a run, and no other any more, put entries behind the last record, if the thread still ends there.
    pub(super) fn open(mut self, head: Head, run: Writer) -> Option<Self> {
        {
            let mut kept = lock(&self.kept);
            let is_there = kept.head() == head.seq && kept.read().is_ok();
            let last = kept.records.last();
            let is_last = last.is_none_or(|last| last.hash == head.hash);
            if !is_there || !is_last || kept.deleted {
                return None;
            }
            kept.unread = Some(Unread::behind(head, run));
            kept.turn += 1;
            self.turn = kept.turn;
        }
        Some(self)
    }

    /// Puts an entry behind the one with the number `head`, unless the thread ends elsewhere by now.
    pub(super) fn put(&self, head: u64, entry: Unwritten) -> bool {
        self.put_with(head, |unread| unread.put(entry))
    }

    /// Does the same with a step, of which the JSON says what fields it changed.
    pub(super) fn put_step(&self, head: u64, at_ms: u64, step: PlainStep, fields: &[u8]) -> bool {
        self.put_with(head, |unread| unread.put_step(at_ms, step, fields))
    }

    fn put_with(&self, head: u64, put: impl FnOnce(&mut Unread)) -> bool {
        if head == 0 && !self.begin() {
            return false;
        }
        let mut kept = lock(&self.kept);
        let is_open = kept.turn == self.turn && !kept.deleted;
        match &mut kept.unread {
            Some(unread) if is_open && unread.last() == head => {
                put(unread);
                true
            }
            _ => false,
        }
    }

    /// Begins the thread, unless somebody else has.
    #[cold]
    fn begin(&self) -> bool {
        let mut threads = self.journal.threads();
        let is_new = !threads.contains_key(&self.thread);
        if is_new {
            threads.insert(self.thread.clone(), Arc::clone(&self.kept));
        }
        is_new
    }

    /// Makes records of all, takes no more, and returns the last one; none if the thread does not end with
    /// number `head`.
    pub(super) fn close(&self, head: u64) -> Result<Option<Head>, JournalError> {
        let mut kept = lock(&self.kept);
        if kept.turn != self.turn || kept.deleted || kept.head() != head {
            return Ok(None);
        }
        kept.read()?;
        Ok(kept.unread.take().and_then(|unread| unread.head()))
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf")
            .field("thread", &self.thread)
            .finish_non_exhaustive()
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
        if let Some(kept) = threads.get(thread) {
            let mut kept = lock(kept);
            if kept.head() != head {
                return Err(JournalError::conflict(thread, head));
            }
            if !records.is_empty() {
                kept.read()?;
                kept.unread = None;
                kept.records.extend(records);
            }
        } else if head != 0 {
            return Err(JournalError::conflict(thread, head));
        } else if !records.is_empty() {
            let kept = Kept {
                records,
                ..Kept::default()
            };
            threads.insert(thread.clone(), Arc::new(Mutex::new(kept)));
        }
        Ok(())
    }

    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        let Some(kept) = self.kept(thread) else {
            return Ok(Vec::new());
        };
        let mut kept = lock(&kept);
        kept.read()?;
        // Numbers have no gaps, so a record's number tells its place.
        let skipped = usize::try_from(after).unwrap_or(usize::MAX);
        let skipped = skipped.saturating_sub(kept.trimmed);
        Ok(kept.records.get(skipped..).unwrap_or_default().to_vec())
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
        let mut last = Vec::new();
        for (id, kept) in heads {
            let mut kept = lock(kept);
            kept.read()?;
            last.extend(kept.records.last().map(|head| (id.clone(), head.clone())));
        }
        Ok(last)
    }

    async fn snapshot(&self, thread: &ThreadId) -> Result<Option<Record>, JournalError> {
        let kept = self.kept(thread);
        Ok(kept.and_then(|kept| lock(&kept).snapshot.clone()))
    }

    async fn compact(
        &self,
        thread: &ThreadId,
        snapshot: Record,
        trim: u64,
    ) -> Result<(), JournalError> {
        let conflict = || JournalError::conflict(thread, snapshot.seq);
        let kept = self.kept(thread).ok_or_else(conflict)?;
        let mut kept = lock(&kept);
        if kept.deleted || kept.head() < snapshot.seq {
            return Err(conflict());
        }
        kept.read()?;
        let newest = match kept.snapshot.take() {
            Some(before) if before.seq > snapshot.seq => before,
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
        if let Some(kept) = threads.get(thread) {
            let mut kept = lock(kept);
            if let Some(head) = head
                && kept.head() != head
            {
                return Err(JournalError::conflict(thread, head));
            }
            kept.deleted = true;
        }
        threads.remove(thread);
        Ok(())
    }

    fn __shelf(&self, thread: &ThreadId) -> Option<Shelf> {
        Some(Shelf {
            journal: self.clone(),
            thread: thread.clone(),
            kept: self.kept(thread).unwrap_or_default(),
            turn: 0,
        })
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
