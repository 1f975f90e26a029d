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

use self::worker::Worker;
use super::memory::check_numbers;
use super::{Durability, Journal, JournalError, Record, ThreadId};

/// A journal in a `SQLite` file: durable, with no server to install.
///
/// An append returns once its records are on disk (a WAL with `synchronous = FULL`). Appends that
/// arrive while the disk is busy share the next commit. Several processes may have the file open at
/// once; of two that advance one thread, one gets [`JournalError::Conflict`]. The file has to lie on
/// a disk of this machine, as its processes share memory beside it.
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
    /// Appends that nobody waits for any more, and that may still be under way.
    orphans: AtomicUsize,
}

/// An append that becomes an orphan when it is dropped before it is answered.
struct Awaited<'a>(Option<&'a AtomicUsize>);

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        if let Some(orphans) = self.0 {
            orphans.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Shared {
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
        _: Durability,
    ) -> Result<(), JournalError> {
        check_numbers(thread, head, &records)?;
        let Shared {
            place,
            writer,
            orphans,
            ..
        } = &*self.0;
        let thread = thread.clone();
        let mut awaited = Awaited(Some(orphans));
        let appended = writer
            .ask(place, "append to", |answer| {
                writer::Job::Append(writer::Append {
                    thread,
                    head,
                    records,
                    answer,
                })
            })
            .await;
        awaited.0 = None;
        appended
    }

    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        self.0.settle().await?;
        let Shared { place, reader, .. } = &*self.0;
        let thread = thread.clone();
        reader
            .ask(place, "read", |answer| reader::Job::Read {
                thread,
                after,
                answer,
            })
            .await
    }

    async fn threads(&self) -> Result<Vec<ThreadId>, JournalError> {
        self.0.settle().await?;
        let Shared { place, reader, .. } = &*self.0;
        reader
            .ask(place, "list the threads of", |answer| {
                reader::Job::Threads { answer }
            })
            .await
    }

    async fn heads(
        &self,
        _: Option<&ThreadId>,
        _: usize,
    ) -> Result<Vec<(ThreadId, Record)>, JournalError> {
        Err(JournalError::store("here", "list", "not yet"))
    }

    async fn snapshot(&self, _: &ThreadId) -> Result<Option<Record>, JournalError> {
        Ok(None)
    }

    async fn compact(&self, _: &ThreadId, _: Record, _: u64) -> Result<(), JournalError> {
        Ok(())
    }

    async fn delete(&self, _: &ThreadId, _: Option<u64>) -> Result<(), JournalError> {
        Err(JournalError::store("here", "delete from", "not yet"))
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite")
            .field("place", &self.0.place)
            .finish_non_exhaustive()
    }
}
