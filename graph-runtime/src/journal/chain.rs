//! The chain of hashes that makes a thread's records one whole: each holds the hash of the one before.

use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::layer::{check_hash, layer_of};
use super::{Entry, Hash, JournalError, Record, ThreadId};

/// The end of a thread: how many entries it has, and the hash of the last.
///
/// As each entry holds the hash of the one before, this stands for all of them: who has noted it, where
/// nobody else can change it, can tell for ever whether the thread is still what it was. Its text is
/// the number and the hash, as `12:5f0c…`.
///
/// ```
/// use handoffs_runtime::{Hash, Head};
///
/// let head = Head::new(12, Hash::of(b"the twelfth entry"));
/// assert_eq!(head.to_string().parse::<Head>()?, head);
/// # Ok::<(), handoffs_runtime::HashError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Head {
    /// The number of the last entry, which is how many there are.
    pub seq: u64,
    /// Its hash; without entries, that of the thread's name.
    pub hash: Hash,
}

impl Head {
    /// Puts a head together that was noted before.
    pub const fn new(seq: u64, hash: Hash) -> Self {
        Self { seq, hash }
    }

    /// Returns the head of a thread without records. Its hash is that of the thread's name, so that
    /// no thread's records pass for another's.
    pub(crate) fn of(thread: &ThreadId) -> Self {
        Self::new(0, Hash::of(thread.as_str().as_bytes()))
    }

    /// Returns the head that stood before a record, as the record itself says.
    pub(super) fn before(thread: &ThreadId, record: &Record) -> Result<Self, JournalError> {
        let Link { prev, .. } = read(thread, record)?;
        Ok(Self::new(record.seq.saturating_sub(1), prev))
    }

    /// Goes on to the next record, or says what is wrong with it.
    fn follow<T: DeserializeOwned>(
        self,
        seq: u64,
        hash: Hash,
        body: &[u8],
        link: impl FnOnce(&T) -> (u64, Hash),
    ) -> Result<(T, Self), String> {
        if seq != self.seq + 1 {
            return Err(format!("it follows record {}", self.seq));
        }
        let entry = linked(body)?;
        let stray = "it does not belong behind the record before it";
        match link(&entry) {
            (own, prev) if own == seq && prev == self.hash => Ok((entry, Self::new(seq, hash))),
            (own, _) if own == seq => Err(stray.to_owned()),
            (own, _) => Err(format!("entry {own} stands in its place; {stray}")),
        }
    }
}

/// Reads what is to be known of a record's entry, whatever stands before it.
pub(super) fn read<T: DeserializeOwned>(
    thread: &ThreadId,
    record: &Record,
) -> Result<T, JournalError> {
    check(thread, record)?;
    linked(&record.body).map_err(|why| JournalError::damaged(thread, record.seq, why))
}

/// Reads what is to be known of an entry.
fn linked<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("it is no entry: {error}"))
}

/// Checks that a record is what was written, and not the work of a layer.
fn check(thread: &ThreadId, record: &Record) -> Result<(), JournalError> {
    check_hash(thread, record)?;
    match layer_of(&record.body) {
        Some(layer) => Err(JournalError::layered(thread, record.seq, layer)),
        None => Ok(()),
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}:{}", self.seq, self.hash))
    }
}

impl FromStr for Head {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (seq, hash) = text.split_once(':').ok_or(HashError)?;
        let seq = seq.parse().map_err(|_| HashError)?;
        Ok(Self::new(seq, hash.parse()?))
    }
}

/// Why a text is no [`Hash`](struct@Hash) or no [`Head`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is written as 64 hexadecimal digits, and a head as `12:` with the hash behind it")]
#[non_exhaustive]
pub struct HashError;

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hash = blake3::Hash::from_hex(text.as_bytes()).map_err(|_| HashError)?;
        Ok(Self::from_bytes(*hash.as_bytes()))
    }
}

/// What of an entry the chain is made of. Whatever else an entry says, also in a later version, is
/// bound by the hash alone.
#[derive(Deserialize)]
struct Link {
    seq: u64,
    prev: Hash,
}

/// A walk along a chain, which looks out for a head that was noted before.
pub(super) struct Walk<'a> {
    thread: &'a ThreadId,
    head: Head,
    noted: Option<Head>,
}

impl<'a> Walk<'a> {
    /// Begins behind an entry, with which the chain is known to be whole.
    pub(super) fn behind(
        thread: &'a ThreadId,
        base: Head,
        noted: Option<Head>,
    ) -> Result<Self, JournalError> {
        let walk = Self {
            thread,
            head: base,
            noted,
        };
        walk.look()?;
        Ok(walk)
    }

    /// Goes on to the next entry, of which the journal says that it has this number.
    pub(super) fn go(&mut self, seq: u64, hash: Hash, body: &[u8]) -> Result<(), JournalError> {
        let (_, head) = self
            .head
            .follow(seq, hash, body, |link: &Link| (link.seq, link.prev))
            .map_err(|reason| JournalError::damaged(self.thread, seq, reason))?;
        self.head = head;
        self.look()
    }

    fn look(&self) -> Result<(), JournalError> {
        match self.noted {
            Some(noted) if noted.seq == self.head.seq && noted.hash != self.head.hash => {
                let reason =
                    "it is another one than was noted: it, or one before it, was rewritten";
                Err(JournalError::damaged(self.thread, noted.seq, reason))
            }
            _ => Ok(()),
        }
    }

    /// Says where the chain ends.
    pub(super) fn end(self) -> Result<Head, JournalError> {
        match self.noted {
            Some(noted) if noted.seq > self.head.seq => {
                let reason = format!(
                    "it is missing: the thread ends at record {}, and {} had been noted",
                    self.head.seq, noted.seq
                );
                Err(JournalError::damaged(
                    self.thread,
                    self.head.seq + 1,
                    reason,
                ))
            }
            _ => Ok(self.head),
        }
    }
}

/// Checks that the records of a thread are what was written, and follow `base` and each other without
/// a gap.
pub(crate) fn verify(
    thread: &ThreadId,
    base: Head,
    records: &[Record],
    noted: Option<Head>,
) -> Result<Head, JournalError> {
    let mut walk = Walk::behind(thread, base, noted)?;
    for record in records {
        check(thread, record)?;
        walk.go(record.seq, record.hash, &record.body)?;
    }
    walk.end()
}

/// Reads a thread's entries, and checks that each is what was written and follows the one before.
/// The first follows `head`.
pub(crate) fn entries(
    thread: &ThreadId,
    mut head: Head,
    records: &[Record],
) -> Result<Vec<Entry>, JournalError> {
    let entry = |record: &Record| {
        check(thread, record)?;
        let Record { seq, hash, body } = record;
        let followed = head.follow(*seq, *hash, body, |entry: &Entry| (entry.seq, entry.prev));
        let (entry, next) =
            followed.map_err(|reason| JournalError::damaged(thread, *seq, reason))?;
        head = next;
        Ok(entry)
    };
    records.iter().map(entry).collect()
}
