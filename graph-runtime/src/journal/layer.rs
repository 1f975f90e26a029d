//! What layers share: a record goes in and comes out with the hash of its own body, and what lies
//! below has a hash of its own.

use super::{Hash, JournalError, Record, ThreadId};

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

/// Says which layer a body is the work of that is no entry, for a journal that was opened without it.
pub(super) const fn work_of(body: &[u8]) -> Option<&'static str> {
    match body.first() {
        Some(&SEALED) => Some("it is sealed; open the journal through `Sealed`"),
        Some(&(AS_IT_IS | ZSTD)) => Some("it is compressed; open the journal through `Compressed`"),
        _ => None,
    }
}

/// The first byte of a sealed body. No text in UTF-8 has it.
pub(super) const SEALED: u8 = 0xf5;

/// The first byte of a body that stands behind it as it is.
pub(super) const AS_IT_IS: u8 = 0;

/// The first byte of a body that is one frame of zstd.
pub(super) const ZSTD: u8 = 1;
