//! An entry on its way to a journal, and how it is written.

use serde::Serialize;

use super::entry::hex;
use super::{BranchId, GraphId, Hash, Record, Recorded};

/// The most room that an entry is given, lest a small one that follows a large one takes as much.
const MOST_ROOM: usize = 1_024;

/// An entry on its way to a journal.
pub(super) struct Line<'a> {
    pub(super) seq: u64,
    pub(super) at_ms: u64,
    pub(super) graph: &'a GraphId,
    pub(super) prev: &'a Hash,
    pub(super) branch: &'a BranchId,
    pub(super) by: Option<&'a str>,
    pub(super) open: u32,
    pub(super) event: &'a Recorded,
}

impl Line<'_> {
    /// Writes it as [`Entry`] is serialised. What stands before the event is the same in each entry, and need not
    /// be looked at for what has to be escaped.
    fn to_json(&self, room: usize) -> serde_json::Result<Vec<u8>> {
        fn put<T: Serialize + ?Sized>(
            body: &mut Vec<u8>,
            key: &str,
            value: &T,
        ) -> serde_json::Result<()> {
            body.extend_from_slice(key.as_bytes());
            serde_json::to_writer(body, value)
        }

        let mut body = Vec::with_capacity(room);
        put(&mut body, "{\"seq\":", &self.seq)?;
        put(&mut body, ",\"at_ms\":", &self.at_ms)?;
        put(&mut body, ",\"graph\":", self.graph)?;
        body.extend_from_slice(b",\"prev\":\"");
        body.extend_from_slice(&hex(&self.prev.0));
        body.push(b'"');
        if !self.branch.is_trunk() {
            put(&mut body, ",\"branch\":", self.branch)?;
        }
        if let Some(by) = self.by {
            put(&mut body, ",\"by\":", by)?;
        }
        if self.open > 0 {
            put(&mut body, ",\"open\":", &self.open)?;
        }
        put(&mut body, ",\"event\":", self.event)?;
        body.push(b'}');
        Ok(body)
    }

    /// Returns the record that it is. One is about as long as the one before, so it is given as much room.
    pub(super) fn record(&self, room: usize) -> serde_json::Result<Record> {
        let body = on_one_line(self.to_json(room.min(MOST_ROOM) + 16)?);
        Ok(Record::new(self.seq, Hash::of(&body), body))
    }
}

/// Makes one line of an entry, so that each is a line of an export. Values that were JSON before may
/// have brought line breaks along. In a text JSON escapes them, so these mean no more than a blank does.
pub(super) fn on_one_line(mut body: Vec<u8>) -> Vec<u8> {
    // Each byte is written, so that the compiler takes many at a time.
    for byte in &mut body {
        *byte = if matches!(*byte, b'\n' | b'\r') {
            b' '
        } else {
            *byte
        };
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Entry;

    #[test]
    fn a_line_is_an_entry_as_it_is_serialised() {
        let trunk = Entry {
            seq: 12,
            at_ms: 1_763_000_000_000,
            graph: GraphId("Desk \"one\"#1f0c".into()),
            prev: Hash::of(b"{}"),
            branch: BranchId::TRUNK,
            by: None,
            open: 0,
            event: Recorded::Abandoned {
                why: "a \"reason\"\n".to_owned(),
            },
        };
        let branch = Entry {
            branch: BranchId::TRUNK.child(7, 3),
            by: Some("alice \"al\"".into()),
            open: 2,
            ..trunk.clone()
        };
        for entry in [trunk, branch] {
            let line = Line {
                seq: entry.seq,
                at_ms: entry.at_ms,
                graph: &entry.graph,
                prev: &entry.prev,
                branch: &entry.branch,
                by: entry.by.as_deref(),
                open: entry.open,
                event: &entry.event,
            };
            let written = line.to_json(0).unwrap();
            assert_eq!(written, serde_json::to_vec(&entry).unwrap());
        }
    }
}
