//! The thread that writes: takes all appends that wait, and commits them together.

use std::iter;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Statement, params};

use super::error::failed;
use super::schema;
use super::worker::{Answer, Begin};
use crate::journal::{JournalError, Record, ThreadId};

pub(super) enum Job {
    Append(Append),
    /// Answers once all that came before is done.
    Settle(Answer<()>),
    /// Runs SQL on the writer's connection.
    #[cfg(test)]
    Sql(&'static str, Answer<()>),
}

pub(super) struct Append {
    pub(super) thread: ThreadId,
    pub(super) head: u64,
    pub(super) records: Vec<Record>,
    pub(super) answer: Answer<()>,
}

/// Serves a file until there can be no more jobs.
pub(super) fn work(begin: Begin<Job>) {
    let Begin {
        path,
        place,
        opened,
        jobs,
    } = begin;
    let connection = match schema::open_to_write(&path, &place) {
        Ok(connection) => connection,
        Err(error) => return drop(opened.send(Err(error))),
    };
    let mut writer = match Writer::new(&connection, &place) {
        Ok(writer) => writer,
        Err(error) => return drop(opened.send(Err(failed(&place, "open", error)))),
    };
    if opened.send(Ok(())).is_err() {
        return;
    }
    while let Ok(first) = jobs.recv() {
        // While a commit is on its way to the disk, others queue up: they are the next one.
        let mut group = Vec::new();
        let mut waiting = Vec::new();
        for job in iter::once(first).chain(jobs.try_iter()) {
            match job {
                Job::Append(append) => group.push(append),
                Job::Settle(answer) => waiting.push(answer),
                #[cfg(test)]
                Job::Sql(sql, answer) => {
                    let ran = connection.execute_batch(sql);
                    drop(answer.send(ran.map_err(|error| failed(&place, "test", error))));
                }
            }
        }
        if !group.is_empty() {
            writer.write(group);
        }
        for answer in waiting {
            let _ = answer.send(Ok(()));
        }
    }
}

struct Writer<'c> {
    place: &'c str,
    connection: &'c Connection,
    begin: Statement<'c>,
    head: Statement<'c>,
    insert: Statement<'c>,
    commit: Statement<'c>,
}

/// What became of an append in a transaction that was committed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Written,
    Conflict,
}

/// Why nothing of a transaction was written.
enum Failed {
    /// One append could not be inserted. The others may be fine.
    One(rusqlite::Error),
    All(rusqlite::Error),
}

impl<'c> Writer<'c> {
    fn new(connection: &'c Connection, place: &'c str) -> rusqlite::Result<Self> {
        Ok(Self {
            place,
            connection,
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            head: connection
                .prepare("SELECT seq FROM entry WHERE thread = ?1 ORDER BY seq DESC LIMIT 1")?,
            insert: connection
                .prepare("INSERT INTO entry (thread, seq, hash, body) VALUES (?1, ?2, ?3, ?4)")?,
            commit: connection.prepare("COMMIT")?,
        })
    }

    /// Writes each append whole or not at all, and answers.
    ///
    /// Nobody hears of a conflict before the commit: what an append lost against may not come to be.
    fn write(&mut self, group: Vec<Append>) {
        match self.transaction(&group) {
            Ok(verdicts) => {
                for (append, verdict) in group.into_iter().zip(verdicts) {
                    let answer = match verdict {
                        Verdict::Written => Ok(()),
                        Verdict::Conflict => {
                            Err(JournalError::conflict(&append.thread, append.head))
                        }
                    };
                    append.answer(answer);
                }
            }
            Err(Failed::One(_)) if group.len() > 1 => {
                for append in group {
                    self.write(vec![append]);
                }
            }
            Err(Failed::One(error) | Failed::All(error)) => {
                let error = Arc::new(error);
                for append in group {
                    append.answer(Err(failed(self.place, "append to", error.clone())));
                }
            }
        }
    }

    fn transaction(&mut self, group: &[Append]) -> Result<Vec<Verdict>, Failed> {
        let committed = self.commit(group);
        // SQLite has rolled back some failures already. If this fails, the next transaction cannot
        // begin and its callers hear why.
        if committed.is_err() && !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        committed
    }

    fn commit(&mut self, group: &[Append]) -> Result<Vec<Verdict>, Failed> {
        self.begin.execute([]).map_err(Failed::All)?;
        let verdicts = group.iter().map(|append| self.append(append));
        let verdicts = verdicts.collect::<Result<_, _>>().map_err(Failed::One)?;
        self.commit.execute([]).map_err(Failed::All)?;
        Ok(verdicts)
    }

    fn append(&mut self, append: &Append) -> rusqlite::Result<Verdict> {
        let thread = append.thread.as_str();
        let head = self
            .head
            .query_row([thread], |row| row.get::<_, i64>(0))
            .optional()?;
        if u64::try_from(head.unwrap_or(0)) != Ok(append.head) {
            return Ok(Verdict::Conflict);
        }
        for record in &append.records {
            let seq = i64::try_from(record.seq)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            self.insert.execute(params![
                thread,
                seq,
                record.hash.as_bytes().as_slice(),
                record.body.as_slice(),
            ])?;
        }
        Ok(Verdict::Written)
    }
}

impl Append {
    fn answer(self, answer: Result<(), JournalError>) {
        // Nobody may be waiting any more. The records are written all the same.
        let _ = self.answer.send(answer);
    }
}
