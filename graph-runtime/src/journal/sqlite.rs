//! The journal in a file, through `SQLite`.
//!
//! Two threads serve a file, each with a connection of its own: one writes, one reads, so that a read
//! never waits for a commit. Callers hand them jobs and wait for the answers without blocking.

mod error;
mod reader;
mod schema;
#[cfg(test)]
mod tests;
mod worker;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use self::worker::{Answer, Worker};
use self::writer::{Change, What};
use super::memory::check_numbers;
use super::{Durability, Journal, JournalError, Record, ThreadId};

/// A journal in a `SQLite` file: durable, with no server to install.
///
/// An append returns once its records are on disk (a WAL with `synchronous = FULL`), or, with
/// [`Durability::Step`], once the operating system has them (`synchronous = NORMAL`). Appends that
/// arrive while the disk is busy share the next commit, and wait for the disk if one of them does.
/// Several processes may have the file open at once; of two that advance one thread, one gets
/// [`JournalError::Conflict`]. The file has to lie on a disk of this machine, as its processes share
/// memory beside it.
///
/// What is deleted or trimmed is overwritten in the file, and its room is used again; the file does not
/// become smaller. The WAL beside it may hold a copy until it begins anew.
///
/// Clones share the open file. Dropping the last one finishes what was begun and closes the file; for
/// that it may block as long as a commit takes.
///
/// ```
/// use handoffs_runtime::{Durability, Hash, Journal, JournalError, Record, Sqlite, ThreadId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("support.db");
/// let thread = ThreadId::new("customer-42");
/// let first = Record::new(1, Hash::of(b"{}"), b"{}".to_vec());
///
/// let journal = Sqlite::open(&path).await?;
/// journal.append(&thread, 0, vec![first.clone()], Durability::Sync).await?;
/// drop(journal);
///
/// let journal = Sqlite::open(&path).await?;
/// assert_eq!(journal.read(&thread, 0).await?, [first]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sqlite(Arc<Shared>);

struct Shared {
    place: Arc<str>,
    /// Stands before the writer, so that the writer is the last to close the file: a connection that
    /// may write folds the WAL into the file then, and removes it.
    reader: Worker<reader::Job>,
    writer: Worker<writer::Job>,
    /// Changes that nobody waits for any more, and that may still be under way.
    orphans: AtomicUsize,
}

/// A change that becomes an orphan when it is dropped before it is answered.
struct Awaited<'a>(Option<&'a AtomicUsize>);

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        if let Some(orphans) = self.0 {
            orphans.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Shared {
    /// Changes a thread. Once the writer has been asked, it is done, whether or not anybody waits for it.
    async fn change(&self, thread: &ThreadId, what: What) -> Result<(), JournalError> {
        let (thread, action) = (thread.clone(), what.action());
        let mut awaited = Awaited(Some(&self.orphans));
        let change = |answer| {
            writer::Job::Change(Change {
                thread,
                what,
                answer,
            })
        };
        let changed = self.writer.ask(&self.place, action, change).await;
        awaited.0 = None;
        changed
    }

    /// Asks the reader, once what was dropped before is done.
    async fn query<T>(
        &self,
        action: &'static str,
        job: impl FnOnce(Answer<T>) -> reader::Job,
    ) -> Result<T, JournalError> {
        self.settle().await?;
        self.reader.ask(&self.place, action, job).await
    }

    /// Waits for the orphans, so that what is read is what they have left.
    async fn settle(&self) -> Result<(), JournalError> {
        let orphans = self.orphans.load(Ordering::SeqCst);
        if orphans > 0 {
            let settled = writer::Job::Settle;
            self.writer.ask(&self.place, "read", settled).await?;
            self.orphans.fetch_sub(orphans, Ordering::SeqCst);
        }
        Ok(())
    }
}

impl Sqlite {
    /// Opens the journal in a file, and creates the file if there is none.
    ///
    /// A file of an older format is brought to the newest one. From then on, older versions of `handoffs`
    /// refuse to open it.
    ///
    /// # Errors
    ///
    /// - [`JournalError::Foreign`] if the file is no journal, or one that a newer version has written.
    ///   It stays as it is;
    /// - [`JournalError::Store`] if the file cannot be opened, its folder is missing, its disk cannot
    ///   hold a WAL, or the program is linked with a `SQLite` older than 3.51.3;
    /// - [`JournalError::Full`] if there is no room for a new file;
    /// - [`JournalError::Busy`] if another process keeps the file locked, and [`JournalError::Corrupt`]
    ///   if the file is damaged.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave an empty journal behind.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        let path = path.as_ref();
        let place: Arc<str> = path.to_string_lossy().into();
        // One after the other: only the writer creates the file.
        let writer = Worker::start("handoffs-writer", path, &place, writer::work).await?;
        let reader = Worker::start("handoffs-reader", path, &place, reader::work).await?;
        Ok(Self(Arc::new(Shared {
            place,
            reader,
            writer,
            orphans: AtomicUsize::new(0),
        })))
    }
}

#[async_trait]
impl Journal for Sqlite {
    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        check_numbers(thread, head, &records)?;
        let append = What::Append {
            head,
            records,
            durability,
        };
        self.0.change(thread, append).await
    }

    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        let thread = thread.clone();
        let read = |answer| reader::Job::Read {
            thread,
            after,
            answer,
        };
        self.0.query("read", read).await
    }

    async fn threads(&self) -> Result<Vec<ThreadId>, JournalError> {
        let threads = |answer| reader::Job::Threads { answer };
        self.0.query("list the threads of", threads).await
    }

    async fn heads(
        &self,
        after: Option<&ThreadId>,
        most: usize,
    ) -> Result<Vec<(ThreadId, Record)>, JournalError> {
        // No name stands between one and the same with a NUL behind it.
        let from = after.map_or_else(String::new, |after| format!("{after}\0"));
        let heads = |answer| reader::Job::Heads { from, most, answer };
        self.0.query("list the threads of", heads).await
    }

    async fn snapshot(&self, thread: &ThreadId) -> Result<Option<Record>, JournalError> {
        let thread = thread.clone();
        let snapshot = |answer| reader::Job::Snapshot { thread, answer };
        self.0.query("read", snapshot).await
    }

    async fn compact(
        &self,
        thread: &ThreadId,
        snapshot: Record,
        trim: u64,
    ) -> Result<(), JournalError> {
        let compact = What::Compact { snapshot, trim };
        self.0.change(thread, compact).await
    }

    async fn delete(&self, thread: &ThreadId, head: Option<u64>) -> Result<(), JournalError> {
        self.0.change(thread, What::Delete { head }).await
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite")
            .field("place", &self.0.place)
            .finish_non_exhaustive()
    }
}
