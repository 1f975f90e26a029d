//! The thread that writes: takes all changes that wait, and commits them together.

use std::iter;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Statement, params};

use super::error::failed;
use super::schema;
use super::worker::{Answer, Begin};
use crate::journal::{Durability, JournalError, Record, ThreadId};

pub(super) enum Job {
    Change(Change),
    /// Answers once all that came before is done.
    Settle(Answer<()>),
    /// Runs SQL on the writer's connection.
    #[cfg(test)]
    Sql(&'static str, Answer<()>),
}

/// What is to become of a thread.
pub(super) struct Change {
    pub(super) thread: ThreadId,
    pub(super) what: What,
    pub(super) answer: Answer<()>,
}

pub(super) enum What {
    Append {
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    },
    Compact {
        snapshot: Record,
        trim: u64,
    },
    Delete {
        head: Option<u64>,
    },
}

impl What {
    /// Returns what is being done, for an error.
    pub(super) const fn action(&self) -> &'static str {
        match self {
            Self::Append { .. } => "append to",
            Self::Compact { .. } => "compact a thread of",
            Self::Delete { .. } => "delete a thread of",
        }
    }

    /// Returns the record at which, or behind which, the thread has to be.
    const fn expected(&self) -> u64 {
        match self {
            Self::Append { head, .. } => *head,
            Self::Compact { snapshot, .. } => snapshot.seq,
            Self::Delete { head } => match head {
                Some(head) => *head,
                None => 0,
            },
        }
    }

    /// Returns whether the caller does not wait for the disk.
    const fn is_relaxed(&self) -> bool {
        matches!(
            self,
            Self::Append {
                durability: Durability::Step,
                ..
            }
        )
    }
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
                Job::Change(change) => group.push(change),
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
    /// Whether commits wait for the disk; unknown at the beginning.
    waits: Option<bool>,
    begin: Statement<'c>,
    commit: Statement<'c>,
    head: Statement<'c>,
    insert: Statement<'c>,
    last_snapshot: Statement<'c>,
    keep: Statement<'c>,
    trim: Statement<'c>,
    delete: [Statement<'c>; 2],
}

/// What became of a change in a transaction that was committed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Done,
    Conflict,
}

/// Why nothing of a transaction was written.
enum Failed {
    /// One change could not be made. The others may be fine.
    One(rusqlite::Error),
    All(rusqlite::Error),
}

impl<'c> Writer<'c> {
    fn new(connection: &'c Connection, place: &'c str) -> rusqlite::Result<Self> {
        let prepare = |sql| connection.prepare(sql);
        Ok(Self {
            place,
            connection,
            waits: None,
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            head: prepare("SELECT seq FROM entry WHERE thread = ?1 ORDER BY seq DESC LIMIT 1")?,
            insert: prepare("INSERT INTO entry (thread, seq, hash, body) VALUES (?1, ?2, ?3, ?4)")?,
            last_snapshot: prepare("SELECT seq FROM snapshot WHERE thread = ?1")?,
            keep: prepare(
                "INSERT OR REPLACE INTO snapshot (thread, seq, hash, body) VALUES (?1, ?2, ?3, ?4)",
            )?,
            trim: prepare("DELETE FROM entry WHERE thread = ?1 AND seq <= ?2")?,
            delete: [
                prepare("DELETE FROM entry WHERE thread = ?1")?,
                prepare("DELETE FROM snapshot WHERE thread = ?1")?,
            ],
        })
    }

    /// Makes each change whole or not at all, and answers.
    ///
    /// Nobody hears of a conflict before the commit: what a change lost against may not come to be.
    fn write(&mut self, group: Vec<Change>) {
        match self.transaction(&group) {
            Ok(verdicts) => {
                for (change, verdict) in group.into_iter().zip(verdicts) {
                    let answer = match verdict {
                        Verdict::Done => Ok(()),
                        Verdict::Conflict => {
                            let expected = change.what.expected();
                            Err(JournalError::conflict(&change.thread, expected))
                        }
                    };
                    change.answer(answer);
                }
            }
            Err(Failed::One(_)) if group.len() > 1 => {
                for change in group {
                    self.write(vec![change]);
                }
            }
            Err(Failed::One(error) | Failed::All(error)) => {
                let error = Arc::new(error);
                for change in group {
                    let action = change.what.action();
                    change.answer(Err(failed(self.place, action, error.clone())));
                }
            }
        }
    }

    fn transaction(&mut self, group: &[Change]) -> Result<Vec<Verdict>, Failed> {
        let waits = !group.iter().all(|change| change.what.is_relaxed());
        self.wait(waits).map_err(Failed::All)?;
        let committed = self.commit(group);
        // SQLite has rolled back some failures already. If this fails, the next transaction cannot
        // begin and its callers hear why.
        if committed.is_err() && !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        committed
    }

    /// Says whether the next commits are to be on disk when they return, with all that came before.
    fn wait(&mut self, waits: bool) -> rusqlite::Result<()> {
        if self.waits != Some(waits) {
            let level = if waits { "FULL" } else { "NORMAL" };
            // Not prepared: it takes effect when it is compiled.
            self.connection.pragma_update(None, "synchronous", level)?;
            self.waits = Some(waits);
        }
        Ok(())
    }

    fn commit(&mut self, group: &[Change]) -> Result<Vec<Verdict>, Failed> {
        self.begin.execute([]).map_err(Failed::All)?;
        let verdicts = group.iter().map(|change| self.change(change));
        let verdicts = verdicts.collect::<Result<_, _>>().map_err(Failed::One)?;
        self.commit.execute([]).map_err(Failed::All)?;
        Ok(verdicts)
    }

    fn change(&mut self, change: &Change) -> rusqlite::Result<Verdict> {
        let thread = change.thread.as_str();
        match &change.what {
            What::Append { head, records, .. } => self.append(thread, *head, records),
            What::Compact { snapshot, trim } => self.compact(thread, snapshot, *trim),
            What::Delete { head } => {
                if let (Some(expected), Some(head)) = (*head, number(&mut self.head, thread)?)
                    && head != expected
                {
                    return Ok(Verdict::Conflict);
                }
                for delete in &mut self.delete {
                    delete.execute([thread])?;
                }
                Ok(Verdict::Done)
            }
        }
    }

    fn append(&mut self, thread: &str, head: u64, records: &[Record]) -> rusqlite::Result<Verdict> {
        if number(&mut self.head, thread)?.unwrap_or(0) != head {
            return Ok(Verdict::Conflict);
        }
        for record in records {
            put(&mut self.insert, thread, record)?;
        }
        Ok(Verdict::Done)
    }

    fn compact(&mut self, thread: &str, new: &Record, trim: u64) -> rusqlite::Result<Verdict> {
        let head = number(&mut self.head, thread)?;
        let Some(head) = head.filter(|head| *head >= new.seq) else {
            return Ok(Verdict::Conflict);
        };
        let last = number(&mut self.last_snapshot, thread)?;
        if last.is_none_or(|last| last < new.seq) {
            put(&mut self.keep, thread, new)?;
        }
        // Never what no snapshot takes in, and never the last record: that is the head.
        let trim = trim.min(last.unwrap_or(0).max(new.seq)).min(head - 1);
        self.trim.execute(params![thread, signed(trim)?])?;
        Ok(Verdict::Done)
    }
}

/// Asks for one number of a thread.
fn number(query: &mut Statement<'_>, thread: &str) -> rusqlite::Result<Option<u64>> {
    let found = query.query_row([thread], |row| row.get::<_, i64>(0));
    // No record has a number below 1.
    Ok(found.optional()?.map(i64::unsigned_abs))
}

/// Writes a record into a row.
fn put(insert: &mut Statement<'_>, thread: &str, record: &Record) -> rusqlite::Result<()> {
    let row = params![
        thread,
        signed(record.seq)?,
        record.hash.as_bytes().as_slice(),
        record.body.as_slice(),
    ];
    insert.execute(row).map(drop)
}

fn signed(seq: u64) -> rusqlite::Result<i64> {
    i64::try_from(seq).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

impl Change {
    fn answer(self, answer: Result<(), JournalError>) {
        // Nobody may be waiting any more. It is done all the same.
        let _ = self.answer.send(answer);
    }
}
