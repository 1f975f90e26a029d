//! A thread for auditors: its entries as they are hashed, and whether they are still what was written.

use std::fmt;
use std::io::{self, BufRead, Write};

use super::chain::{Head, Walk};
use super::{Hash, JournalError, Record, ThreadId};

/// A thread's entries as JSON Lines: one entry a line, byte for byte what the journal hashes.
///
/// [`Thread::export`](crate::Thread::export) makes it, once the chain of hashes is checked.
///
/// Nobody needs us to check it again. The hash of a line, without its line break, is its BLAKE3, and
/// stands as `prev` in the line behind it; in the first line that is the hash of the thread's name; and
/// that of the last line is the [`head`](Self::head):
///
/// ```sh
/// prev=$(printf %s 'customer-42' | b3sum --no-names)
/// while IFS= read -r line; do
///   [ "$(printf %s "$line" | jq -r .prev)" = "$prev" ] || echo "broken before: $line"
///   prev=$(printf %s "$line" | b3sum --no-names)
/// done < customer-42.jsonl
/// echo "head: $prev"
/// ```
///
/// Of a thread that was [trimmed](crate::Thread::trim), the first line follows the [`base`](Self::base):
/// the script begins with that one's hash in place of that of the name.
///
/// What this does not tell is whether lines are missing at the end, whether the last one was changed, or
/// whether somebody has written all of it anew: nothing within a chain can. That takes a [`Head`] that
/// was noted elsewhere.
#[derive(Clone)]
pub struct Export {
    base: Head,
    head: Head,
    records: Vec<Record>,
}

impl Export {
    /// Takes records that are checked.
    pub(crate) fn new(
        thread: &ThreadId,
        base: Head,
        head: Head,
        records: Vec<Record>,
    ) -> Result<Self, JournalError> {
        let broken = records.iter().find(|record| record.body.contains(&b'\n'));
        if let Some(record) = broken {
            let reason = "it has a line break, so it is no line of JSON Lines";
            return Err(JournalError::damaged(thread, record.seq, reason));
        }
        Ok(Self {
            base,
            head,
            records,
        })
    }

    /// Returns the last entry that was trimmed, which the first line follows; of a thread that was not,
    /// number 0 with the hash of the thread's name.
    pub const fn base(&self) -> Head {
        self.base
    }

    /// Returns how many entries the thread has, and the hash of the last.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Returns the entries as they are hashed, without line breaks.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.records.iter().map(|record| &*record.body)
    }

    /// Writes the entries, each with a line break behind it.
    ///
    /// # Errors
    ///
    /// Fails if the writer does.
    pub fn write_to(&self, mut to: impl Write) -> io::Result<()> {
        for line in self.lines() {
            to.write_all(line)?;
            to.write_all(b"\n")?;
        }
        to.flush()
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The entries are a user's conversation: they do not belong into a log.
        f.debug_struct("Export")
            .field("base", &self.base)
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

/// Checks an [`Export`] of a thread, and returns how many entries it has and the hash of the last.
///
/// With the head that was noted at an earlier time, or on export, it is checked as well that the export
/// goes at least so far and comes by it. Without one, it is not seen if entries are missing at the end,
/// if the last one was changed, or if all were written anew.
///
/// ```
/// use handoffs_runtime::{Hash, JournalError, ThreadId, verify_export};
///
/// let thread = ThreadId::new("customer-42");
/// let first = format!(r#"{{"seq":1,"prev":"{}","event":"…"}}"#, Hash::of(b"customer-42"));
/// let head = verify_export(&thread, first.as_bytes(), None)?;
/// assert_eq!((head.seq, head.hash), (1, Hash::of(first.as_bytes())));
///
/// let changed = first.replace('…', "nothing");
/// let broken = verify_export(&thread, changed.as_bytes(), head);
/// assert!(matches!(broken, Err(JournalError::Damaged { seq: 1, .. })));
/// # Ok::<(), JournalError>(())
/// ```
///
/// # Errors
///
/// [`JournalError::Damaged`] with the first entry that is not what was written, or not in its place, and
/// [`JournalError::Store`] if the reader fails.
pub fn verify_export(
    thread: &ThreadId,
    from: impl BufRead,
    noted: impl Into<Option<Head>>,
) -> Result<Head, JournalError> {
    verify_export_from(thread, Head::of(thread), from, noted)
}

/// Checks an [`Export`] of a thread that was trimmed, as [`verify_export`] does: its first line has to
/// follow `base`.
///
/// That is the [`Export::base`], the head that [`Thread::trim`](crate::Thread::trim) returned, or the head
/// of the export that was made before: then both together are the whole thread.
///
/// # Errors
///
/// As [`verify_export`].
pub fn verify_export_from(
    thread: &ThreadId,
    base: Head,
    from: impl BufRead,
    noted: impl Into<Option<Head>>,
) -> Result<Head, JournalError> {
    let mut walk = Walk::behind(thread, base, noted.into())?;
    for (line, seq) in from.split(b'\n').zip(base.seq + 1..) {
        let place = || format!("the export of thread `{thread}`");
        let line = line.map_err(|error| JournalError::store(place(), "read", error))?;
        walk.go(seq, Hash::of(&line), &line)?;
    }
    walk.end()
}
