//! The journal: the one thing a run is remembered by.
//!
//! A thread's journal is a list of records that is only ever appended to, one record a finished step.
//! A record is opaque to the store that keeps it: bytes, and their hash. What the bytes say stands in
//! [`Entry`]; where a thread is and what its state is, is the fold of its entries.

mod audit;
mod branch;
mod chain;
mod chronicle;
#[cfg(feature = "zstd")]
mod compressed;
mod copy;
mod durability;
mod entry;
mod fields;
mod fold;
mod inbox;
mod json;
mod layer;
mod ledger;
mod line;
mod memory;
mod metering;
mod open;
#[cfg(feature = "postgres")]
mod postgres;
mod question;
mod retention;
#[cfg(feature = "seal")]
mod sealed;
mod snapshot;
#[cfg(feature = "sqlite")]
mod sqlite;
mod standing;
mod submit;
#[doc(hidden)]
pub mod suite;
mod trail;
mod unread;
mod usage;
mod writes;

pub use audit::{Export, verify_export, verify_export_from};
pub use branch::{BranchId, BranchIdError};
pub use chain::{HashError, Head};
pub(crate) use chain::{entries, verify};
pub use chronicle::{Chronicle, Overview, Summary, overview};
#[cfg(feature = "zstd")]
pub use compressed::Compressed;
pub(crate) use copy::Copying;
pub use copy::copy_thread;
pub use durability::Durability;
pub use entry::{
    Approval, Ask, AskId, Charge, Conclusion, Effect, Entry, Failure, Forked, GraphId, Hash,
    Masked, Recorded,
};
pub(crate) use fields::Fields;
pub(crate) use fold::{Branches, Extent, Folded, FoldedFork};
pub use inbox::{Waiting, inbox};
pub(crate) use json::keep;
pub use json::{Json, JsonError};
pub use layer::Layer;
pub(crate) use ledger::Ledger;
pub use memory::{Memory, Shelf};
pub(crate) use metering::Metering;
pub(crate) use open::Open;
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, PostgresOptions, PostgresServer};
pub use retention::Retention;
#[cfg(feature = "seal")]
pub use sealed::{ChaCha, KeyProvider, KeyRing, SealError, SealKey, Sealed, Sealer, Slot};
pub(crate) use snapshot::{Kept, Snapshot, kept, unsaved};
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
pub(crate) use standing::Standing;
pub use submit::submit;
pub use suite::JournalPlace;
pub use trail::trail_of;
pub(crate) use unread::PlainStep;
pub use usage::{Called, Usage, Used};
pub use writes::{Write, Writes};

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// The name of a thread: one conversation, or one job. It has nothing to do with an OS thread.
///
/// Any text will do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ThreadId(Arc<str>);

impl ThreadId {
    /// Names a thread.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ThreadId {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for ThreadId {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl From<&String> for ThreadId {
    fn from(name: &String) -> Self {
        Self::new(name.as_str())
    }
}

impl From<Arc<str>> for ThreadId {
    fn from(name: Arc<str>) -> Self {
        Self(name)
    }
}

impl From<&Self> for ThreadId {
    fn from(id: &Self) -> Self {
        id.clone()
    }
}

impl FromStr for ThreadId {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(name.into())
    }
}

impl AsRef<str> for ThreadId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One entry as a journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The record's place in its thread, counted from 1 without gaps.
    pub seq: u64,
    /// The hash of `body`.
    pub hash: Hash,
    /// The entry, as JSON.
    pub body: Vec<u8>,
}

impl Record {
    /// Puts a record together.
    pub fn new(seq: u64, hash: Hash, body: Vec<u8>) -> Self {
        Self { seq, hash, body }
    }
}

/// A store of journals.
///
/// An implementation keeps what it is given and nothing else: it neither reads the records' bodies
/// nor checks their hashes. Its promises are these:
///
/// - an append is there whole or not at all, also after a crash at any moment;
/// - of two appends that expect the same head, at most one succeeds;
/// - a read sees the thread as it was at one moment, in order, and what it returned never changes;
/// - threads, named by any text, do not see each other;
/// - what was deleted or trimmed is gone, and the rest of the store is as it was.
///
/// `handoffs::testing::journal_suite!` tests them, save that nothing pulls the plug. What stands around
/// another journal is a [`Layer`].
#[async_trait]
pub trait Journal: fmt::Debug + Send + Sync + 'static {
    /// Appends records to a thread whose last record is number `head`; 0 if it has none.
    ///
    /// The records are numbered `head + 1` and up; with none, only the head is checked. The append
    /// has succeeded once this returns: with [`Durability::Step`], it may still be on its way to the
    /// disk, otherwise it is there.
    ///
    /// # Errors
    ///
    /// [`JournalError::Conflict`] if the thread's last record has another number,
    /// [`JournalError::Damaged`] if the records' numbers do not follow it, and [`JournalError::Busy`]
    /// if the store was locked: then nothing was written.
    /// After any other error, such as a failed sync of the disk, the records are there whole or not
    /// at all, and only reading the thread again tells which.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the thread with all of the records or with none. A read through the
    /// same handle should tell which for good, so that a run can be taken up right after it was dropped.
    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError>;

    /// Returns the records of a thread after number `after`, in order; none if there is no such thread.
    /// Of those that were trimmed, none is left to return.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError>;

    /// Returns the names of all threads, in the order of their names.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    async fn threads(&self) -> Result<Vec<ThreadId>, JournalError>;

    /// Returns the last record of each thread, in the order of the threads' names: of at most `most`
    /// threads, whose names come after `after`.
    ///
    /// # Errors
    ///
    /// Fails if the store does, or if one of the records is not what was written. The error names the
    /// thread then, behind which another page can begin.
    async fn heads(
        &self,
        after: Option<&ThreadId>,
        most: usize,
    ) -> Result<Vec<(ThreadId, Record)>, JournalError>;

    /// Returns what was kept of a thread with [`compact`](Self::compact), if anything was.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    async fn snapshot(&self, thread: &ThreadId) -> Result<Option<Record>, JournalError>;

    /// Keeps a snapshot of a thread, and drops the records up to number `trim`, both or neither.
    ///
    /// The snapshot's number is that of the last record that it takes in. It stands in place of the one
    /// before, also of one with the same number, which whoever trims may not have been able to read; and
    /// is dropped itself if that has a higher one. The last record of a thread is never trimmed, nor is one
    /// that the snapshot which is kept does not take in. What was compacted is on disk once this returns.
    ///
    /// # Errors
    ///
    /// [`JournalError::Conflict`] if the thread ends before the snapshot does; then nothing has changed.
    /// Fails if the store does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the thread as it was, or compacted.
    async fn compact(
        &self,
        thread: &ThreadId,
        snapshot: Record,
        trim: u64,
    ) -> Result<(), JournalError>;

    /// Removes a thread with all that is kept of it, on disk as well once this returns: whatever its last
    /// record is, or only if that is number `head`. It is no error if there is no such thread.
    ///
    /// What is appended at the same time either comes first, so that the thread is not at `head` any
    /// more, or finds no thread: its worker gets [`JournalError::Conflict`]. A thread of the same name can
    /// begin again, with record 1. Do not let it while that worker may still be at work: once the new
    /// thread has just as many records as the old one had, the late append fits its head and breaks its
    /// chain.
    ///
    /// # Errors
    ///
    /// [`JournalError::Conflict`] if the thread is there and its last record has another number; then
    /// nothing has changed. Fails if the store does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the thread as it was, or removed.
    async fn delete(&self, thread: &ThreadId, head: Option<u64>) -> Result<(), JournalError>;

    /// Returns where a run can put entries of a thread that are made records when somebody reads them. Only
    /// what is in this process has such a place.
    #[doc(hidden)]
    fn __shelf(&self, _thread: &ThreadId) -> Option<Shelf> {
        None
    }
}

/// Why a journal could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another worker appended to the thread first.
    #[error(
        "thread `{thread}` is not at record {expected} any more: another worker has advanced it; \
         leave it to that one, or read the thread again with `recover`"
    )]
    #[non_exhaustive]
    Conflict {
        /// The thread.
        thread: ThreadId,
        /// The record that was expected to be the last.
        expected: u64,
    },
    /// A record is not what was written.
    #[error(
        "record {seq} of thread `{thread}` is damaged: {reason}; restore the journal from a backup"
    )]
    #[non_exhaustive]
    Damaged {
        /// The thread.
        thread: ThreadId,
        /// The first record that is damaged.
        seq: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A record was written through a layer, and is read without it.
    #[error("record {seq} of thread `{thread}` is {}", unread(.layer))]
    #[non_exhaustive]
    Layered {
        /// The thread.
        thread: ThreadId,
        /// The record's number.
        seq: u64,
        /// The layer's name: `Sealed` or `Compressed`.
        layer: &'static str,
    },
    /// A record could not be sealed, or does not open; the source says why.
    #[cfg(feature = "seal")]
    #[error("record {seq} of thread `{thread}` could not be {action}")]
    #[non_exhaustive]
    Seal {
        /// The thread.
        thread: ThreadId,
        /// The record's number.
        seq: u64,
        /// What was to be done with it.
        action: &'static str,
        /// Why it could not be.
        source: SealError,
    },
    /// The store itself is damaged, and not a record alone: of its threads, any may be.
    #[error("`{place}` itself is damaged; restore it from a backup")]
    #[non_exhaustive]
    Corrupt {
        /// Where the journal is kept.
        place: String,
        /// What the store says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Another process kept the store locked for longer than this one waits. Nothing was written.
    #[error("another process keeps `{place}` locked; try again")]
    #[non_exhaustive]
    Busy {
        /// Where the journal is kept.
        place: String,
        /// What the store says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file is something else than a journal of ours.
    #[error("`{place}` is no journal: {reason}")]
    #[non_exhaustive]
    Foreign {
        /// Where the journal was looked for.
        place: String,
        /// What was found there.
        reason: String,
    },
    /// There is no room left for another record. What was written before is safe.
    #[error("no room left in `{place}`; make room and recover the thread")]
    #[non_exhaustive]
    Full {
        /// Where the journal is kept.
        place: String,
        /// What the store says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store failed in another way.
    #[error("could not {action} `{place}`")]
    #[non_exhaustive]
    Store {
        /// Where the journal is kept.
        place: String,
        /// What was being done.
        action: &'static str,
        /// What the store says.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl JournalError {
    /// Says that another worker appended to the thread first.
    pub fn conflict(thread: &ThreadId, expected: u64) -> Self {
        Self::Conflict {
            thread: thread.clone(),
            expected,
        }
    }

    /// Says that a record is not what was written.
    pub fn damaged(thread: &ThreadId, seq: u64, reason: impl Into<String>) -> Self {
        Self::Damaged {
            thread: thread.clone(),
            seq,
            reason: reason.into(),
        }
    }

    /// Says that a record was written through a layer.
    pub(crate) fn layered(thread: &ThreadId, seq: u64, layer: &'static str) -> Self {
        Self::Layered {
            thread: thread.clone(),
            seq,
            layer,
        }
    }

    #[cfg(feature = "seal")]
    pub(crate) fn seal(
        thread: &ThreadId,
        seq: u64,
        action: &'static str,
        source: SealError,
    ) -> Self {
        Self::Seal {
            thread: thread.clone(),
            seq,
            action,
            source,
        }
    }

    /// Says that the store itself is damaged.
    pub fn corrupt(
        place: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Corrupt {
            place: place.into(),
            source: source.into(),
        }
    }

    /// Says that another process kept the store locked, and that nothing was written.
    pub fn busy(place: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Busy {
            place: place.into(),
            source: source.into(),
        }
    }

    /// Says that the file is something else than a journal.
    pub fn foreign(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Foreign {
            place: place.into(),
            reason: reason.into(),
        }
    }

    /// Says that there is no room left.
    pub fn full(place: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Full {
            place: place.into(),
            source: source.into(),
        }
    }

    /// Says that the store failed while doing something, such as "append to".
    pub fn store(
        place: impl Into<String>,
        action: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Store {
            place: place.into(),
            action,
            source: source.into(),
        }
    }

    /// Returns whether another worker was faster, so that this one should stop.
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Returns the thread that cannot be read, if it is that one alone.
    pub const fn thread(&self) -> Option<&ThreadId> {
        match self {
            Self::Damaged { thread, .. } | Self::Layered { thread, .. } => Some(thread),
            #[cfg(feature = "seal")]
            Self::Seal { thread, .. } => Some(thread),
            _ => None,
        }
    }

    /// Returns whether the same call may succeed a while later, with nobody having to do anything.
    ///
    /// A conflict is not of this kind, as the thread has to be read again first; nor is a full disk,
    /// as somebody has to make room.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }
}

/// Says what a record is that was written through a layer, and how it is read.
fn unread(layer: &str) -> &'static str {
    match layer {
        "Sealed" => {
            "sealed; open the journal through `Sealed`, and put `Compressed` around that if it is \
             compressed as well"
        }
        _ => "compressed; open the journal through `Compressed`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_named_by_any_kind_of_text() {
        let id = ThreadId::new("customer-42");
        let text = "customer-42".to_owned();
        let parsed: ThreadId = text.parse().unwrap();
        let names = [
            ThreadId::from(&text),
            ThreadId::from(text.as_str()),
            ThreadId::from(Arc::<str>::from("customer-42")),
            ThreadId::from(&id),
            ThreadId::from(text),
            parsed,
        ];
        assert!(names.iter().all(|name| *name == id));
        assert_eq!(id.as_ref(), "customer-42");
    }

    #[test]
    fn a_threads_name_is_text_in_json() {
        let id = ThreadId::new("customer-42");
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, "\"customer-42\"");
        assert_eq!(serde_json::from_str::<ThreadId>(&json).unwrap(), id);
    }
}
