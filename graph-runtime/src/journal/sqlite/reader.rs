//! The thread that reads. Each query sees the file as it was when the query began.

use rusqlite::{Connection, Statement, params};

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
}

/// Jumps from name to name through the index, where `DISTINCT` would walk along all entries.
const THREADS: &str = "
    WITH RECURSIVE name(thread) AS (
        SELECT min(thread) FROM entry
        UNION ALL
        SELECT (SELECT min(thread) FROM entry WHERE thread > name.thread)
        FROM name WHERE name.thread IS NOT NULL
    )
    SELECT thread FROM name WHERE thread IS NOT NULL";

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
            Job::Read {
                thread,
                after,
                answer,
            } => {
                drop(answer.send(reader.read(&thread, after)));
            }
            Job::Threads { answer } => drop(answer.send(reader.threads())),
        }
    }
}

struct Reader<'c> {
    place: &'c str,
    read: Statement<'c>,
    threads: Statement<'c>,
}

impl<'c> Reader<'c> {
    fn new(connection: &'c Connection, place: &'c str) -> rusqlite::Result<Self> {
        Ok(Self {
            place,
            read: connection.prepare(
                "SELECT seq, hash, body FROM entry WHERE thread = ?1 AND seq > ?2 ORDER BY seq",
            )?,
            threads: connection.prepare(THREADS)?,
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
            let record = || {
                let hash = row.get_ref(1)?.as_blob()?.try_into().map(Hash::from_bytes);
                let body = row.get_ref(2)?.as_blob()?.to_vec();
                Ok((row.get::<_, i64>(0)?, hash, body))
            };
            let (seq, hash, body) = record().map_err(failed)?;
            // Everything after number 0 at least is positive.
            let seq = seq.unsigned_abs();
            let hash = hash
                .map_err(|_| JournalError::damaged(thread, seq, "its hash is not 32 bytes long"))?;
            records.push(Record::new(seq, hash, body));
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
}
