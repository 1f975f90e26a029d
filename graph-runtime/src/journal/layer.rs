//! What stands around a journal, and what such layers share: a record goes in and comes out with the
//! hash of its own body, and what lies below has a hash of its own.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Durability, Hash, Journal, JournalError, Record, Shelf, ThreadId};

/// A journal around another one.
///
/// It says what it does otherwise, and hands on all else. Whatever is a layer is a [`Journal`].
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use handoffs_runtime::{Durability, Journal, JournalError, Layer, Record, ThreadId, async_trait};
///
/// /// Counts the bytes that pass to the journal within.
/// #[derive(Debug)]
/// struct Metered<J> {
///     within: J,
///     bytes: AtomicU64,
/// }
///
/// #[async_trait]
/// impl<J: Journal> Layer for Metered<J> {
///     type Within = J;
///
///     fn within(&self) -> &J {
///         &self.within
///     }
///
///     async fn append(
///         &self,
///         thread: &ThreadId,
///         head: u64,
///         records: Vec<Record>,
///         durability: Durability,
///     ) -> Result<(), JournalError> {
///         let bytes: usize = records.iter().map(|record| record.body.len()).sum();
///         self.within.append(thread, head, records, durability).await?;
///         self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait Layer: fmt::Debug + Send + Sync + 'static {
    /// The journal within.
    type Within: Journal + ?Sized;

    /// Returns the journal within.
    fn within(&self) -> &Self::Within;

    /// As [`Journal::append`].
    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        self.within()
            .append(thread, head, records, durability)
            .await
    }

    /// As [`Journal::read`].
    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        self.within().read(thread, after).await
    }

    /// As [`Journal::threads`].
    async fn threads(&self) -> Result<Vec<ThreadId>, JournalError> {
        self.within().threads().await
    }

    /// As [`Journal::heads`].
    async fn heads(
        &self,
        after: Option<&ThreadId>,
        most: usize,
    ) -> Result<Vec<(ThreadId, Record)>, JournalError> {
        self.within().heads(after, most).await
    }

    /// As [`Journal::snapshot`].
    async fn snapshot(&self, thread: &ThreadId) -> Result<Option<Record>, JournalError> {
        self.within().snapshot(thread).await
    }

    /// As [`Journal::compact`].
    async fn compact(
        &self,
        thread: &ThreadId,
        snapshot: Record,
        trim: u64,
    ) -> Result<(), JournalError> {
        self.within().compact(thread, snapshot, trim).await
    }

    /// As [`Journal::delete`].
    async fn delete(&self, thread: &ThreadId, head: Option<u64>) -> Result<(), JournalError> {
        self.within().delete(thread, head).await
    }

    /// As that of [`Journal`], for a layer that changes nothing.
    #[doc(hidden)]
    fn __shelf(&self, _thread: &ThreadId) -> Option<Shelf> {
        None
    }
}

#[async_trait]
impl<L: Layer> Journal for L {
    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        Layer::append(self, thread, head, records, durability).await
    }

    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        Layer::read(self, thread, after).await
    }

    async fn threads(&self) -> Result<Vec<ThreadId>, JournalError> {
        Layer::threads(self).await
    }

    async fn heads(
        &self,
        after: Option<&ThreadId>,
        most: usize,
    ) -> Result<Vec<(ThreadId, Record)>, JournalError> {
        Layer::heads(self, after, most).await
    }

    async fn snapshot(&self, thread: &ThreadId) -> Result<Option<Record>, JournalError> {
        Layer::snapshot(self, thread).await
    }

    async fn compact(
        &self,
        thread: &ThreadId,
        snapshot: Record,
        trim: u64,
    ) -> Result<(), JournalError> {
        Layer::compact(self, thread, snapshot, trim).await
    }

    async fn delete(&self, thread: &ThreadId, head: Option<u64>) -> Result<(), JournalError> {
        Layer::delete(self, thread, head).await
    }

    fn __shelf(&self, thread: &ThreadId) -> Option<Shelf> {
        Layer::__shelf(self, thread)
    }
}

impl<J: Journal + ?Sized> Layer for Arc<J> {
    type Within = J;

    fn within(&self) -> &J {
        self
    }

    fn __shelf(&self, thread: &ThreadId) -> Option<Shelf> {
        self.as_ref().__shelf(thread)
    }
}

/// Takes the body of a record whose hash is right.
///
/// A layer asks this on both sides. From above, because it does not hand the hash on, and makes a new
/// one on the way back: a wrong one would become right unseen. From below, so that a damaged disk is
/// not taken for a wrong key.
#[cfg(any(feature = "seal", feature = "zstd"))]
pub(super) fn intact(thread: &ThreadId, record: Record) -> Result<Vec<u8>, JournalError> {
    check_hash(thread, &record)?;
    Ok(record.body)
}

/// Makes a record of what a layer made of a body.
#[cfg(any(feature = "seal", feature = "zstd"))]
pub(super) fn record(seq: u64, body: Vec<u8>) -> Record {
    Record::new(seq, Hash::of(&body), body)
}

/// Checks that a record's hash is that of its body.
pub(super) fn check_hash(thread: &ThreadId, record: &Record) -> Result<(), JournalError> {
    if Hash::of(&record.body) == record.hash {
        Ok(())
    } else {
        let reason = "its hash is not that of its content";
        Err(JournalError::damaged(thread, record.seq, reason))
    }
}

/// Names the layer whose work a body is, for a journal that was opened without it.
pub(super) const fn layer_of(body: &[u8]) -> Option<&'static str> {
    match body.first() {
        Some(&SEALED) => Some("Sealed"),
        Some(&(AS_IT_IS | ZSTD)) => Some("Compressed"),
        _ => None,
    }
}

/// The first byte of a sealed body. No text in UTF-8 has it.
pub(super) const SEALED: u8 = 0xf5;

/// The first byte of a body that stands behind it as it is.
pub(super) const AS_IT_IS: u8 = 0;

/// The first byte of a body that is one frame of zstd.
pub(super) const ZSTD: u8 = 1;
