//! A thread's records under the name of another thread.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    BranchId, Durability, Entry, GraphId, Hash, Head, Journal, JournalError, Record, Recorded,
    ThreadId, verify,
};
use crate::clock::Clock;

/// Copies a thread with all its entries, to go on with it under another name.
///
/// The entries say what they said. Only the hashes are others, as those of a thread begin with its name;
/// and one more entry says what was copied, and from where. The copy is there whole or not at all. Returns
/// its end; that of a thread without entries if there is nothing to copy. Snapshots are not copied: they
/// come anew.
///
/// [`Thread::fork`](crate::Thread::fork) copies the beginning of a thread.
///
/// ```
/// use handoffs_runtime::{Head, Journal, JournalError, ThreadId, copy_thread};
///
/// async fn keep_a_copy(journal: &dyn Journal, thread: &ThreadId) -> Result<Head, JournalError> {
///     let copy = ThreadId::new(format!("{thread} (before the migration)"));
///     copy_thread(journal, thread, &copy).await
/// }
/// ```
///
/// # Errors
///
/// [`JournalError::Conflict`] if there is a thread `to`, and [`JournalError::Damaged`] if an entry is not
/// what was written. Then nothing is written. Fails if the store does.
///
/// # Cancel safety
///
/// Dropping the future leaves the copy whole, or none.
pub async fn copy_thread(
    journal: &dyn Journal,
    from: &ThreadId,
    to: &ThreadId,
) -> Result<Head, JournalError> {
    let records = journal.read(from, 0).await?;
    let copying = Copying {
        from,
        to,
        at_ms: Clock::default().now_ms(),
        by: None,
    };
    copying.append(journal, records).await
}

/// What is to be copied, and what the copy says of itself.
pub(crate) struct Copying<'a> {
    pub(crate) from: &'a ThreadId,
    pub(crate) to: &'a ThreadId,
    pub(crate) at_ms: u64,
    pub(crate) by: Option<Arc<str>>,
}

impl Copying<'_> {
    /// Copies the first records of a thread, and returns the end of the copy.
    pub(crate) async fn append(
        self,
        journal: &dyn Journal,
        records: Vec<Record>,
    ) -> Result<Head, JournalError> {
        if records.is_empty() {
            return Ok(Head::of(self.to));
        }
        if records.first().is_some_and(|first| first.seq > 1) {
            let reason = "it was trimmed, and a thread is copied from its beginning";
            return Err(JournalError::damaged(self.from, 1, reason));
        }
        let head = verify(self.from, Head::of(self.from), &records, None)?;
        let mut tail = Head::of(self.to);
        let mut last = Known::default();
        let mut copies = Vec::with_capacity(records.len() + 1);
        for record in records {
            let seq = record.seq;
            let damaged = |error: serde_json::Error| {
                JournalError::damaged(self.from, seq, format!("it is no entry: {error}"))
            };
            last.note(&record.body).map_err(damaged)?;
            let body = behind(tail, record.body).map_err(damaged)?;
            tail = Head::new(seq, Hash::of(&body));
            copies.push(Record::new(seq, tail.hash, body));
        }
        let note = Entry {
            seq: tail.seq + 1,
            at_ms: self.at_ms,
            graph: last.graph.unwrap_or_else(|| GraphId("?".into())),
            prev: tail.hash,
            branch: BranchId::TRUNK,
            by: self.by,
            open: last.open,
            event: Recorded::Copied {
                from: self.from.clone(),
                head,
            },
        };
        let body = serde_json::to_vec(&note)
            .map_err(|error| JournalError::store("the journal", "append to", error))?;
        tail = Head::new(note.seq, Hash::of(&body));
        copies.push(Record::new(tail.seq, tail.hash, body));
        journal
            .append(self.to, 0, copies, Durability::Sync)
            .await
            .map(|()| tail)
    }
}

/// What the entry that tells of the copy has in common with those before it.
#[derive(Default)]
struct Known {
    /// The graph of the trunk; a branch may be the run of a graph within.
    graph: Option<GraphId>,
    open: u32,
}

impl Known {
    fn note(&mut self, body: &[u8]) -> serde_json::Result<()> {
        #[derive(Deserialize)]
        struct Place {
            graph: Option<GraphId>,
            #[serde(default)]
            branch: BranchId,
            #[serde(default)]
            open: u32,
        }

        let Place {
            graph,
            branch,
            open,
        } = serde_json::from_slice(body)?;
        self.open = open;
        if branch.is_trunk() {
            self.graph = graph;
        }
        Ok(())
    }
}

/// Puts an entry behind another one: what it says stays as it is, byte for byte, also what a later version
/// wrote.
fn behind(tail: Head, mut body: Vec<u8>) -> serde_json::Result<Vec<u8>> {
    #[derive(Deserialize)]
    struct Link<'a> {
        #[serde(borrow)]
        prev: &'a RawValue,
    }

    let prev = serde_json::from_slice::<Link<'_>>(&body)?.prev.get();
    // It is borrowed from the body, so its address tells where it stands there.
    let at = prev.as_ptr().addr() - body.as_ptr().addr();
    let until = at + prev.len();
    let new = serde_json::to_vec(&tail.hash)?;
    body.splice(at..until, new);
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_entry_that_is_put_behind_another_only_the_link_changes() {
        let tail = Head::new(6, Hash::of(b"six"));
        let body = r#"{"new":{"prev":1.50}, "prev" : "\u0030", "event":"a \"prev\": b","n":1e400}"#;
        let moved = behind(tail, body.as_bytes().to_vec()).unwrap();
        let expected = body.replace(r#""\u0030""#, &format!("\"{}\"", tail.hash));
        assert_eq!(String::from_utf8(moved).unwrap(), expected);
        assert!(behind(tail, b"{}".to_vec()).is_err());
        assert!(behind(tail, b"no entry".to_vec()).is_err());
    }
}
