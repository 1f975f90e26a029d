//! The thread that reads. Each query sees the file as it was when the query began.

use rusqlite::{Connection, Row, Rows, Statement, params};

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

/// One row for each piece of a body, or one if it has none.
pub(super) const READ: &str = "
    SELECT entry.seq, entry.hash, entry.body, first_piece, pieces, piece.id, piece.body
    FROM entry LEFT JOIN piece ON piece.id >= first_piece AND piece.id < first_piece + pieces
    WHERE thread = ?1 AND seq > ?2 ORDER BY seq, piece.id";

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
    SELECT last.seq, last.hash, last.body, first_piece, pieces, piece.id, piece.body, last.thread
    FROM name CROSS JOIN entry AS last
    LEFT JOIN piece ON piece.id >= first_piece AND piece.id < first_piece + pieces
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
            read: connection.prepare(READ)?,
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
        let name = |_: &Row<'_>| Ok(thread.clone());
        while let Some(read) = joined(&mut rows, name).map_err(failed)? {
            records.push(read?.1);
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
        let name = |row: &Row<'_>| row.get::<_, String>(7).map(ThreadId::from);
        while let Some(last) = joined(&mut rows, name).map_err(failed)? {
            heads.push(last?);
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

/// Takes the next record and its thread from rows that go on, behind what [`record`] takes, with where the
/// pieces of its body are and with one of them.
fn joined(
    rows: &mut Rows<'_>,
    name: impl Fn(&Row<'_>) -> rusqlite::Result<ThreadId>,
) -> rusqlite::Result<Option<Result<(ThreadId, Record), JournalError>>> {
    let Some(mut row) = rows.next()? else {
        return Ok(None);
    };
    let thread = name(row)?;
    let mut record = match record(&thread, row)? {
        Ok(record) => record,
        Err(damaged) => return Ok(Some(Err(damaged))),
    };
    let damaged = |reason| {
        Ok(Some(Err(JournalError::damaged(
            &thread, record.seq, reason,
        ))))
    };
    let ids = match (row.get::<_, Option<i64>>(3)?, row.get(4)?) {
        (None, None) => Some(0..0),
        (Some(first), Some(pieces @ 1..)) => first.checked_add(pieces).map(|end| first..end),
        _ => None,
    };
    let Some(ids) = ids else {
        return damaged("it does not say where the pieces of its body are");
    };
    for id in ids.clone() {
        if id > ids.start {
            match rows.next()? {
                Some(next) => row = next,
                None => return damaged(MISSING),
            }
        }
        // Behind the last piece that is there comes the next record, with other pieces or none.
        if row.get::<_, Option<i64>>(5)? != Some(id) {
            return damaged(MISSING);
        }
        record.body.extend_from_slice(row.get_ref(6)?.as_blob()?);
    }
    Ok(Some(Ok((thread, record))))
}

const MISSING: &str = "a piece of its body is missing";

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
