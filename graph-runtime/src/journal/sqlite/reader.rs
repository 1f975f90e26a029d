//! The thread that reads. Each query sees the file as it was when the query began.

use rusqlite::{Connection, Row, Statement, params};

use super::error::failed;
use super::schema;
use super::worker::{Answer, Begin};
use crate::journal::{Hash, JournalError, Record, ThreadId};

pub(super) enum Job {
    Read {
        thread: ThreadId,
        after: u64,
        answer: Answer<Vec<Record>>,
    },
    Threads {
        answer: Answer<Vec<ThreadId>>,
    },
    Heads {
        /// The first name that may come.
        from: String,
        most: usize,
        answer: Answer<Vec<(ThreadId, Record)>>,
    },
    Snapshot {
        thread: ThreadId,
        answer: Answer<Option<Record>>,
    },
}

/// Jumps from name to name through the index, where `DISTINCT` would walk along all entries.
pub(super) const THREADS: &str = "
    WITH RECURSIVE name(thread) AS (
        SELECT min(thread) FROM entry
        UNION ALL
        SELECT (SELECT min(thread) FROM entry WHERE thread > name.thread)
        FROM name WHERE name.thread IS NOT NULL
    )
    SELECT thread FROM name WHERE thread IS NOT NULL";

/// Jumps likewise, and looks up the last record of each.
pub(super) const HEADS: &str = "
    WITH RECURSIVE name(thread) AS (
        SELECT min(thread) FROM entry WHERE thread >= ?1
        UNION ALL
        SELECT (SELECT min(thread) FROM entry WHERE thread > name.thread)
        FROM name WHERE name.thread IS NOT NULL
        LIMIT ?2
    )
    SELECT last.seq, last.hash, last.body, last.thread
    FROM name CROSS JOIN entry AS last
    WHERE last.thread = name.thread
    AND last.seq = (SELECT max(seq) FROM entry WHERE thread = name.thread)";

/// Serves a file until there can be no more jobs.
pub(super) fn work(begin: Begin<Job>) {
    let Begin {
        path,
        place,
        opened,
        jobs,
    } = begin;
    let connection = match schema::open_to_read(&path, &place) {
        Ok(connection) => connection,
        Err(error) => return drop(opened.send(Err(error))),
    };
    let mut reader = match Reader::new(&connection, &place) {
        Ok(reader) => reader,
        Err(error) => return drop(opened.send(Err(failed(&place, "open", error)))),
    };
    if opened.send(Ok(())).is_err() {
        return;
    }
    for job in jobs {
        match job {
            // Reading for nobody is work for nothing.
            Job::Read { answer, .. } if answer.is_closed() => {}
            Job::Heads { answer, .. } if answer.is_closed() => {}
            Job::Read {
                thread,
                after,
                answer,
            } => {
                drop(answer.send(reader.read(&thread, after)));
            }
            Job::Threads { answer } => drop(answer.send(reader.threads())),
            Job::Heads { from, most, answer } => drop(answer.send(reader.heads(&from, most))),
            Job::Snapshot { thread, answer } => drop(answer.send(reader.snapshot(&thread))),
        }
    }
}

struct Reader<'c> {
    place: &'c str,
    read: Statement<'c>,
    threads: Statement<'c>,
    heads: Statement<'c>,
    snapshot: Statement<'c>,
}

impl<'c> Reader<'c> {
    fn new(connection: &'c Connection, place: &'c str) -> rusqlite::Result<Self> {
        Ok(Self {
            place,
            read: connection.prepare(
                "SELECT seq, hash, body FROM entry WHERE thread = ?1 AND seq > ?2 ORDER BY seq",
            )?,
            threads: connection.prepare(THREADS)?,
            heads: connection.prepare(HEADS)?,
            snapshot: connection
                .prepare("SELECT seq, hash, body FROM snapshot WHERE thread = ?1")?,
        })
    }

    fn read(&mut self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        let failed = |error: rusqlite::Error| failed(self.place, "read", error);
        // No record has a higher number than that.
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let mut rows = self
            .read
            .query(params![thread.as_str(), after])
            .map_err(failed)?;
        let mut records = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            records.push(record(thread, row).map_err(failed)??);
        }
        Ok(records)
    }

    fn threads(&mut self) -> Result<Vec<ThreadId>, JournalError> {
        let failed = |error| failed(self.place, "list the threads of", error);
        let names = self
            .threads
            .query_map([], |row| row.get::<_, String>(0))
            .map_err(failed)?;
        names
            .map(|name| name.map(ThreadId::from).map_err(failed))
            .collect()
    }

    fn heads(&mut self, from: &str, most: usize) -> Result<Vec<(ThreadId, Record)>, JournalError> {
        let failed = |error: rusqlite::Error| failed(self.place, "list the threads of", error);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut rows = self.heads.query(params![from, most]).map_err(failed)?;
        let mut heads = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let thread = row.get::<_, String>(3).map_err(failed)?.into();
            let last = record(&thread, row).map_err(failed)??;
            heads.push((thread, last));
        }
        Ok(heads)
    }

    fn snapshot(&mut self, thread: &ThreadId) -> Result<Option<Record>, JournalError> {
        let failed = |error: rusqlite::Error| failed(self.place, "read", error);
        let mut rows = self.snapshot.query([thread.as_str()]).map_err(failed)?;
        let row = rows.next().map_err(failed)?;
        row.map(|row| record(thread, row).map_err(failed)?)
            .transpose()
    }
}

/// Takes a record from a row that begins with its number, hash and body.
fn record(thread: &ThreadId, row: &Row<'_>) -> rusqlite::Result<Result<Record, JournalError>> {
    // All numbers are positive.
    let seq = row.get::<_, i64>(0)?.unsigned_abs();
    let hash = row.get_ref(1)?.as_blob()?.try_into().map(Hash::from_bytes);
    let body = row.get_ref(2)?.as_blob()?;
    Ok(hash
        .map(|hash| Record::new(seq, hash, body.to_vec()))
        .map_err(|_| JournalError::damaged(thread, seq, "its hash is not 32 bytes long")))
}
