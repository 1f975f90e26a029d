//! The layer that seals.

mod chacha;
mod error;
mod keys;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

pub use self::chacha::ChaCha;
pub use self::error::SealError;
pub use self::keys::{KeyProvider, KeyRing, SealKey};
use super::layer::{self, Layer, SEALED, intact};
use super::{Durability, Journal, JournalError, Record, ThreadId};

/// A journal whose records nobody can read or change who has not the key.
///
/// ```
/// use handoffs_runtime::{Durability, ChaCha, Hash, Journal, KeyRing, Memory, Record, SealKey, Sealed, ThreadId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (thread, store) = (ThreadId::new("customer-42"), Memory::default());
/// let old = SealKey::random("2026")?;
/// let journal = Sealed::new(store.clone(), ChaCha::new(old.clone()));
/// let first = Record::new(1, Hash::of(b"{}"), b"{}".to_vec());
/// journal.append(&thread, 0, vec![first.clone()], Durability::Sync).await?;
/// assert_ne!(store.read(&thread, 0).await?, [first.clone()]);
///
/// // A year later: the new key seals, and the old one still opens.
/// let keys = KeyRing::new(SealKey::random("2027")?).and(old);
/// let journal = Sealed::new(store, ChaCha::new(keys));
/// assert_eq!(journal.read(&thread, 0).await?, [first]);
/// # Ok(())
/// # }
/// ```
///
/// # What it promises
///
/// Each record is sealed for its [`Slot`]: the context of its journal, its thread and its number; so is
/// a snapshot, for another slot than that of any record. One that was changed in any byte, that was moved or copied to another thread, number or context, or that
/// was sealed with another key does not open, and neither does one that is not sealed at all: reading
/// the thread fails with [`JournalError::Seal`], which names thread, record and reason. Of a thread
/// with such a record nothing is returned.
///
/// # What it does not
///
/// - The names of threads, the numbers of records and the names of keys stand in the clear, since a
///   store has to find what it keeps. Let no name say what it must not.
/// - How long records are, how many there are and when they came can be seen.
/// - Somebody who can write to the store can put back what was there before: a whole thread as it was
///   yesterday, or without its last records, or an older snapshot of it. [`Thread::verify`](crate::Thread::verify) with a
///   [`Head`](crate::Head) that was noted elsewhere finds that.
/// - Two journals with the same key and the same [`context`](Self::context) are one to the seal. Within
///   a thread the hash chain finds a record of the other journal, but not a whole thread. Give each
///   journal a key or a context of its own.
/// - What is no journal is not sealed: the results in a [`Cache`](crate::Cache), what is traced, and what
///   a run holds in memory. Only keys are overwritten there.
///
/// # What the hash of a sealed record is
///
/// A store keeps a hash beside each body, of which it is promised that it is the body's. Were it the
/// hash of what was sealed, anybody could tell equal records from each other, and try out what a short
/// one says. So below this layer a record's hash is that of the *sealed* bytes: without any key the
/// store can be checked for bits that flipped on the disk, and as a nonce is random, equal records have
/// nothing in common. Above it, the hash is that of the plain body again, as it was handed in: an append
/// checks it, the seal keeps the body to the bit, and a read makes it anew. The chain, in which each
/// entry holds the hash of the one before, is one of plain bodies and lies within the seal: it neither
/// depends on the keys, nor on a record's being sealed, nor changes if a thread is sealed again with
/// another key.
///
/// # What it costs
///
/// With [`ChaCha`], 43 bytes and the key's name for each record, a few microseconds for a small one, and
/// some 4 milliseconds for a megabyte, on the thread that polls the run: little beside a commit.
///
/// # With compression
///
/// What is sealed looks random and cannot be compressed, so compression comes first, and stands
/// outside: `Compressed::new(Sealed::new(store, …))`. In this order a store cannot make
/// the decompressor read what it likes, either. The length of a compressed record tells a little about
/// what it says; leave compression away where strangers write a part of a record and can see how long
/// it became.
///
/// # Sealing a journal that is not sealed
///
/// A sealed journal takes no record that is not: anybody could put one there. To seal what there is, or
/// to seal it again with other keys, copy it:
///
/// ```
/// # use handoffs_runtime::{Durability, Journal, JournalError};
/// async fn copy(from: &impl Journal, to: &impl Journal) -> Result<(), JournalError> {
///     for thread in from.threads().await? {
///         to.append(&thread, 0, from.read(&thread, 0).await?, Durability::Sync).await?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Sealed<J, S = ChaCha> {
    journal: J,
    sealer: S,
    context: Arc<str>,
}

impl<J: Journal, S: Sealer> Sealed<J, S> {
    /// Seals the records of a journal.
    pub fn new(journal: J, sealer: S) -> Self {
        Self {
            journal,
            sealer,
            context: "".into(),
        }
    }

    /// Says which journal this is, such as `support, production`: a record does not open under another
    /// context than that with which it was sealed, even with the same key.
    ///
    /// The context is not written down, so it has to be given each time.
    pub fn context(self, context: impl Into<Arc<str>>) -> Self {
        Self {
            context: context.into(),
            ..self
        }
    }

    fn slot<'a>(&'a self, thread: &'a ThreadId, part: Part, seq: u64) -> Slot<'a> {
        Slot {
            context: &self.context,
            thread,
            part,
            seq,
        }
    }

    async fn seal(
        &self,
        thread: &ThreadId,
        part: Part,
        record: Record,
    ) -> Result<Record, JournalError> {
        let seq = record.seq;
        let plain = intact(thread, record)?;
        let slot = self.slot(thread, part, seq);
        let sealed = self.sealer.seal(&slot, &plain);
        let mut body = sealed
            .await
            .map_err(|error| JournalError::seal(thread, seq, part.sealed(), error))?;
        body.insert(0, SEALED);
        Ok(layer::record(seq, body))
    }

    async fn open(
        &self,
        thread: &ThreadId,
        part: Part,
        record: Record,
    ) -> Result<Record, JournalError> {
        let seq = record.seq;
        let plain = match intact(thread, record)?.split_first() {
            Some((&SEALED, body)) => {
                let slot = self.slot(thread, part, seq);
                self.sealer.open(&slot, body).await
            }
            _ => Err(SealError::Unsealed),
        };
        let plain = plain.map_err(|error| JournalError::seal(thread, seq, part.opened(), error))?;
        Ok(layer::record(seq, plain))
    }
}

/// What of a thread is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Record,
    Snapshot,
}

impl Part {
    /// Returns what its associated data begin with. None is the beginning of another.
    const fn mark(self) -> &'static [u8] {
        match self {
            Self::Record => b"handoffs sealed record\0",
            Self::Snapshot => b"handoffs sealed snapshot\0",
        }
    }

    const fn sealed(self) -> &'static str {
        match self {
            Self::Record => "sealed",
            Self::Snapshot => "sealed in a snapshot",
        }
    }

    const fn opened(self) -> &'static str {
        match self {
            Self::Record => "opened",
            Self::Snapshot => "opened in the snapshot that takes it in",
        }
    }
}

/// The place for which a record or a snapshot is sealed: in which journal, in which thread, under which
/// number.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    context: &'a str,
    thread: &'a ThreadId,
    part: Part,
    seq: u64,
}

impl Slot<'_> {
    /// Returns the thread.
    pub const fn thread(&self) -> &ThreadId {
        self.thread
    }

    /// Returns the context of the journal; empty if none was given.
    pub const fn context(&self) -> &str {
        self.context
    }

    /// Returns the record's number; of a snapshot, that of the last record that it takes in.
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns whether it is the place of a thread's snapshot, and not of a record.
    pub const fn is_snapshot(&self) -> bool {
        matches!(self.part, Part::Snapshot)
    }

    /// Returns the slot as bytes, which a [`Sealer`] authenticates. No two slots have the same.
    pub fn associated_data(&self) -> Vec<u8> {
        let mut bytes = self.part.mark().to_vec();
        // With their lengths, so that no part of one name passes for a part of the other.
        for name in [self.context, self.thread.as_str()] {
            bytes.extend_from_slice(&(name.len() as u64).to_le_bytes());
            bytes.extend_from_slice(name.as_bytes());
        }
        bytes.extend_from_slice(&self.seq.to_le_bytes());
        bytes
    }
}

/// How records are sealed: [`ChaCha`], or a way of your own.
///
/// What is returned by [`seal`](Self::seal) should never be the same twice, and tell nobody anything
/// but its length; [`open`](Self::open) should accept nothing that `seal` did not return for the same
/// slot.
#[async_trait]
pub trait Sealer: fmt::Debug + Send + Sync + 'static {
    /// Seals what a record says, for the slot in which the record stands.
    ///
    /// # Errors
    ///
    /// Fails if there is no key, or not enough randomness. The record is not written then.
    async fn seal(&self, slot: &Slot<'_>, plain: &[u8]) -> Result<Vec<u8>, SealError>;

    /// Opens what [`seal`](Self::seal) has sealed for the same slot.
    ///
    /// The bytes come from a store to which anybody may have written.
    ///
    /// # Errors
    ///
    /// Fails if it is anything else.
    async fn open(&self, slot: &Slot<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError>;
}

#[async_trait]
impl<S: Sealer + ?Sized> Sealer for Arc<S> {
    async fn seal(&self, slot: &Slot<'_>, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        (**self).seal(slot, plain).await
    }

    async fn open(&self, slot: &Slot<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        (**self).open(slot, sealed).await
    }
}

#[async_trait]
impl<J: Journal, S: Sealer> Layer for Sealed<J, S> {
    type Within = J;

    fn within(&self) -> &J {
        &self.journal
    }

    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        let mut sealed = Vec::with_capacity(records.len());
        for record in records {
            sealed.push(self.seal(thread, Part::Record, record).await?);
        }
        self.journal.append(thread, head, sealed, durability).await
    }

    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        let records = self.journal.read(thread, after).await?;
        let mut opened = Vec::with_capacity(records.len());
        for record in records {
            opened.push(self.open(thread, Part::Record, record).await?);
        }
        Ok(opened)
    }

    async fn heads(
        &self,
        after: Option<&ThreadId>,
        most: usize,
    ) -> Result<Vec<(ThreadId, Record)>, JournalError> {
        let heads = self.journal.heads(after, most).await?;
        let mut opened = Vec::with_capacity(heads.len());
        for (thread, last) in heads {
            let last = self.open(&thread, Part::Record, last).await?;
            opened.push((thread, last));
        }
        Ok(opened)
    }

    async fn snapshot(&self, thread: &ThreadId) -> Result<Option<Record>, JournalError> {
        match self.journal.snapshot(thread).await? {
            Some(sealed) => self.open(thread, Part::Snapshot, sealed).await.map(Some),
            None => Ok(None),
        }
    }

    async fn compact(
        &self,
        thread: &ThreadId,
        snapshot: Record,
        trim: u64,
    ) -> Result<(), JournalError> {
        let sealed = self.seal(thread, Part::Snapshot, snapshot).await?;
        self.journal.compact(thread, sealed, trim).await
    }
}
