//! The layer that compresses.

use async_trait::async_trait;

use super::layer::{self, AS_IT_IS, Layer, SEALED, ZSTD, intact};
use super::{Durability, Journal, JournalError, Record, ThreadId};

#[cfg(test)]
mod tests;

/// A journal whose large records take less room.
///
/// ```
/// use handoffs_runtime::{Durability, Compressed, Hash, Journal, Memory, Record, ThreadId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (thread, store) = (ThreadId::new("customer-42"), Memory::default());
/// let journal = Compressed::new(store.clone());
/// let text = "He said it again. ".repeat(1_000).into_bytes();
/// let first = Record::new(1, Hash::of(&text), text);
/// journal.append(&thread, 0, vec![first.clone()], Durability::Sync).await?;
///
/// assert!(store.read(&thread, 0).await?[0].body.len() < first.body.len() / 100);
/// assert_eq!(journal.read(&thread, 0).await?, [first]);
/// # Ok(())
/// # }
/// ```
///
/// The first byte of a stored body says how it is written: `{` begins an entry as it is, 1 is followed
/// by one frame of [zstd] at level 3, and 0 by any other body as it is. So a journal that was written
/// without this layer is read through it as it stands, and only records from [`threshold`](Self::threshold) bytes
/// on, which become smaller by it, are written otherwise. Below this layer, a record's hash is that of
/// what is stored; above it, that of the body.
///
/// It takes some 20 microseconds for each kilobyte that is compressed, on the thread that polls the run.
///
/// To seal a journal as well, seal what was compressed: `Compressed::new(Sealed::new(store, …))`. What
/// is sealed cannot be compressed, and what was sealed is safe to decompress.
///
/// [zstd]: https://www.rfc-editor.org/rfc/rfc8878
#[derive(Clone, Debug)]
pub struct Compressed<J> {
    journal: J,
    threshold: usize,
    bound: usize,
}

/// The level of zstd: higher ones take many times as long for a few percent.
const LEVEL: i32 = 3;

/// What one byte of a frame can stand for at most: a block of 128 KiB takes four of them.
const BYTES_OF_ONE: usize = 32 * 1024;

impl<J: Journal> Compressed<J> {
    /// Compresses the records of a journal.
    pub const fn new(journal: J) -> Self {
        Self {
            journal,
            threshold: 1024,
            bound: 64 * 1024 * 1024,
        }
    }

    /// Says from how many bytes on a record is compressed; by default, from 1024 on.
    pub fn threshold(self, bytes: usize) -> Self {
        Self {
            threshold: bytes,
            ..self
        }
    }

    /// Says how many bytes one record may at most become when it is read; by default 64 MiB.
    ///
    /// A few bytes in the store can stand for many gigabytes. A record that would become larger than
    /// this is taken for such a bomb: reading it fails. Larger records are not compressed when they are
    /// written, so whatever is written with one bound is read with the same or a higher one.
    pub fn bound(self, bytes: usize) -> Self {
        Self {
            bound: bytes,
            ..self
        }
    }

    /// Writes a record as it is stored.
    fn pack(&self, thread: &ThreadId, record: Record) -> Result<Record, JournalError> {
        let seq = record.seq;
        let body = intact(thread, record)?;
        Ok(layer::record(seq, self.shrink(body)))
    }

    /// Writes a record as it was before it was stored.
    fn unpack(&self, thread: &ThreadId, record: Record) -> Result<Record, JournalError> {
        let seq = record.seq;
        let body = intact(thread, record)?;
        if body.first() == Some(&SEALED) {
            return Err(JournalError::layered(thread, seq, "Sealed"));
        }
        let body = self.grow(body);
        let body = body.map_err(|reason| JournalError::damaged(thread, seq, reason))?;
        Ok(layer::record(seq, body))
    }

    fn shrink(&self, body: Vec<u8>) -> Vec<u8> {
        if body.len() >= self.threshold && body.len() <= self.bound {
            // What zstd cannot compress can be kept as it is.
            let frame = zstd::bulk::compress(&body, LEVEL).unwrap_or_default();
            if !frame.is_empty() && frame.len() + 1 < body.len() {
                return [&[ZSTD], &frame[..]].concat();
            }
        }
        match body.first() {
            Some(b'{') => body,
            _ => [&[AS_IT_IS], &body[..]].concat(),
        }
    }

    fn grow(&self, mut body: Vec<u8>) -> Result<Vec<u8>, String> {
        match body.split_first() {
            Some((b'{', _)) => Ok(body),
            Some((&AS_IT_IS, _)) => {
                body.remove(0);
                Ok(body)
            }
            Some((&ZSTD, frame)) => self.decompress(frame),
            Some((codec, _)) => Err(format!(
                "it is written in a way ({codec:#04x}) that this version does not know"
            )),
            None => Err("it is empty, and does not even say how it is written".to_owned()),
        }
    }

    fn decompress(&self, frame: &[u8]) -> Result<Vec<u8>, String> {
        let broken = "it cannot be decompressed";
        // Ours all say how long they become, so that is how much is set aside, and not more.
        let size = zstd::decompressed_size(frame)
            .ok_or_else(|| format!("{broken}: it does not say its size"))?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > frame.len().saturating_mul(BYTES_OF_ONE) {
            return Err(format!(
                "{broken}: it claims to become {size} bytes long, which no frame of its length can"
            ));
        }
        if size > self.bound {
            let bound = self.bound;
            return Err(format!(
                "it would become {size} bytes long, and {bound} is the bound that was set for one record"
            ));
        }
        let body =
            zstd::bulk::decompress(frame, size).map_err(|error| format!("{broken}: {error}"))?;
        if body.len() == size {
            Ok(body)
        } else {
            Err(format!("{broken}: it is shorter than it says"))
        }
    }
}

#[async_trait]
impl<J: Journal> Layer for Compressed<J> {
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
        let packed = records.into_iter().map(|record| self.pack(thread, record));
        let packed = packed.collect::<Result<_, _>>()?;
        self.journal.append(thread, head, packed, durability).await
    }

    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        let records = self.journal.read(thread, after).await?.into_iter();
        records.map(|record| self.unpack(thread, record)).collect()
    }

    async fn heads(
        &self,
        after: Option<&ThreadId>,
        most: usize,
    ) -> Result<Vec<(ThreadId, Record)>, JournalError> {
        let heads = self.journal.heads(after, most).await?.into_iter();
        let unpacked = heads.map(|(thread, last)| {
            let last = self.unpack(&thread, last)?;
            Ok((thread, last))
        });
        unpacked.collect()
    }

    async fn snapshot(&self, thread: &ThreadId) -> Result<Option<Record>, JournalError> {
        let snapshot = self.journal.snapshot(thread).await?;
        snapshot
            .map(|packed| self.unpack(thread, packed))
            .transpose()
    }

    async fn compact(
        &self,
        thread: &ThreadId,
        snapshot: Record,
        trim: u64,
    ) -> Result<(), JournalError> {
        let packed = self.pack(thread, snapshot)?;
        self.journal.compact(thread, packed, trim).await
    }
}
