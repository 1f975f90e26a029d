//! The rules of a journal: ours keep them, and each kind of journal that breaks one is found out.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};
use std::thread;

use handoffs::__private::journal_rules as rules;
use handoffs::testing::{JournalPlace, journal_suite};
use handoffs::{Durability, Layer};
use handoffs::{Journal, JournalError, Memory, Record, ThreadId, async_trait};
use tokio::task::yield_now;

// ---- The journals that are ours.

#[derive(Default)]
struct InMemory(Memory);

impl JournalPlace for InMemory {
    type Journal = Memory;

    async fn open(&self) -> Memory {
        self.0.clone()
    }
}

journal_suite!(memory, InMemory::default());

#[cfg(feature = "sqlite")]
mod file {
    use handoffs::Sqlite;
    use handoffs::testing::{JournalPlace, journal_suite};

    struct Folder(tempfile::TempDir);

    impl JournalPlace for Folder {
        type Journal = Sqlite;

        async fn open(&self) -> Sqlite {
            Sqlite::open(self.0.path().join("journal.db"))
                .await
                .unwrap()
        }
    }

    journal_suite!(sqlite, Folder(tempfile::tempdir().unwrap()));
}

#[cfg(feature = "postgres")]
#[path = "../graph-runtime/src/journal/postgres/tests/server.rs"]
mod server;

#[cfg(feature = "postgres")]
mod on_a_server {
    use handoffs::Postgres;
    use handoffs::testing::{JournalPlace, journal_suite};

    use super::server::Server;

    /// A schema on the server of the tests, and how strictly its connections are kept apart.
    struct Schema(String, &'static str);

    fn schema(isolation: &'static str) -> Schema {
        Schema(super::server::schema(), isolation)
    }

    impl JournalPlace for Schema {
        type Journal = Postgres;

        async fn open(&self) -> Postgres {
            let Self(schema, isolation) = self;
            let isolation = format!("-c default_transaction_isolation={isolation}");
            let server = format!("{} options='{isolation}'", Server::shared().address());
            Postgres::options()
                .schema(schema)
                .connect(server)
                .await
                .unwrap()
        }
    }

    journal_suite!(postgres, schema(r"read\\ committed"));
    // Where the server is told to be stricter, it takes back whatever comes second.
    journal_suite!(postgres_repeatable_read, schema(r"repeatable\\ read"));
    journal_suite!(postgres_serializable, schema("serializable"));
}

// ---- Journals that are wrong in one way each.

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    /// None: what the others do is not due to the journal in which they do it.
    No,
    AppendsWhereverTheEndIs,
    ChecksTheHeadOfRecordsOnly,
    TakesRecordsOfAnyNumber,
    ChecksAwaitsAndWrites,
    ChecksBlocksAndWrites,
    GivesUpWhenItIsCrowded,
    WritesOneByOne,
    ForgetsOnReopening,
    IgnoresTheCaseOfNames,
    ReadsOneTooMany,
    ReadsInTheOrderOfText,
    ListsInAnyOrder,
    ListsWhatWasAskedFor,
    MendsTheText,
}

#[derive(Clone, Debug)]
struct Wrong {
    kept: Memory,
    mistake: Mistake,
    /// The heads that appends found right, each as often.
    right: Arc<Mutex<Vec<u64>>>,
}

impl Wrong {
    fn new(mistake: Mistake) -> Self {
        let (kept, right) = Default::default();
        Self {
            kept,
            mistake,
            right,
        }
    }

    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    fn name(&self, thread: &ThreadId) -> ThreadId {
        if self.is(Mistake::IgnoresTheCaseOfNames) {
            thread.as_str().to_lowercase().into()
        } else {
            thread.clone()
        }
    }

    /// Appends at the end, whatever the numbers of the records are.
    async fn force(&self, thread: &ThreadId, records: &[Record]) -> Result<(), JournalError> {
        loop {
            let head = self.kept.read(thread, 0).await?.len() as u64;
            let numbered = (head + 1..).zip(records);
            let records =
                numbered.map(|(seq, record)| Record::new(seq, record.hash, record.body.clone()));
            match self
                .kept
                .append(thread, head, records.collect(), Durability::Sync)
                .await
            {
                Err(error) if error.is_conflict() => {}
                other => return other,
            }
        }
    }
}

#[async_trait]
impl Layer for Wrong {
    type Within = Memory;

    fn within(&self) -> &Memory {
        &self.kept
    }

    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        mut records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        let thread = &self.name(thread);
        match self.mistake {
            Mistake::AppendsWhereverTheEndIs => self.force(thread, &records).await,
            Mistake::ChecksTheHeadOfRecordsOnly if records.is_empty() => Ok(()),
            Mistake::TakesRecordsOfAnyNumber => {
                self.kept
                    .append(thread, head, Vec::new(), Durability::Sync)
                    .await?;
                self.force(thread, &records).await
            }
            Mistake::ChecksAwaitsAndWrites => {
                self.kept
                    .append(thread, head, Vec::new(), Durability::Sync)
                    .await?;
                yield_now().await;
                self.force(thread, &records).await
            }
            Mistake::ChecksBlocksAndWrites => {
                self.kept
                    .append(thread, head, Vec::new(), Durability::Sync)
                    .await?;
                self.right.lock().unwrap().push(head);
                // Until another thread is as far, which on one thread never happens.
                for _ in 0..1000 {
                    let right = self.right.lock().unwrap();
                    if right.iter().filter(|right| **right == head).count() > 1 {
                        break;
                    }
                    drop(right);
                    thread::yield_now();
                }
                self.force(thread, &records).await
            }
            Mistake::GivesUpWhenItIsCrowded => {
                let appended = self
                    .kept
                    .append(thread, head, records, Durability::Sync)
                    .await;
                appended.map_err(|error| match error {
                    JournalError::Conflict { .. } => JournalError::busy("here", "crowded"),
                    other => other,
                })
            }
            Mistake::WritesOneByOne => {
                for (head, record) in (head..).zip(records) {
                    self.kept
                        .append(thread, head, vec![record], Durability::Sync)
                        .await?;
                    yield_now().await;
                }
                Ok(())
            }
            Mistake::MendsTheText => {
                for record in &mut records {
                    record.body = String::from_utf8_lossy(&record.body).into_owned().into();
                }
                self.kept
                    .append(thread, head, records, Durability::Sync)
                    .await
            }
            _ => {
                self.kept
                    .append(thread, head, records, Durability::Sync)
                    .await
            }
        }
    }

    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        let thread = &self.name(thread);
        let one_more = self.is(Mistake::ReadsOneTooMany);
        let after = after.saturating_sub(one_more.into());
        let mut records = self.kept.read(thread, after).await?;
        if self.is(Mistake::ReadsInTheOrderOfText) {
            records.sort_by_key(|record| record.seq.to_string());
        }
        Ok(records)
    }

    async fn threads(&self) -> Result<Vec<ThreadId>, JournalError> {
        let mut threads = self.kept.threads().await?;
        if self.is(Mistake::ListsInAnyOrder) {
            threads.reverse();
        }
        if self.is(Mistake::ListsWhatWasAskedFor) {
            threads.push("nobody".into());
        }
        Ok(threads)
    }
}

impl JournalPlace for Wrong {
    type Journal = Self;

    async fn open(&self) -> Self {
        if self.is(Mistake::ForgetsOnReopening) {
            return Self::new(self.mistake);
        }
        self.clone()
    }
}

macro_rules! wrong {
    ($mistake:ident) => {
        || Wrong::new(Mistake::$mistake)
    };
}

journal_suite!(wrong_in_no_way, wrong!(No)());

#[test]
fn a_journal_that_breaks_a_rule_is_found_out_by_that_rule() {
    type Place = fn() -> Wrong;
    type Case = (Place, fn(Place), &'static str);
    let cases: [Case; _] = [
        (
            wrong!(AppendsWhereverTheEndIs),
            rules::an_append_at_a_wrong_head_conflicts_and_writes_nothing,
            "the journal breaks the rule \
             `an_append_at_a_wrong_head_conflicts_and_writes_nothing`: \
             records [1] were appended to ThreadId(\"known\") at head 0",
        ),
        (
            wrong!(AppendsWhereverTheEndIs),
            rules::an_append_of_several_records_is_whole,
            "records [3, 4] were appended",
        ),
        (
            wrong!(ChecksTheHeadOfRecordsOnly),
            rules::an_append_of_no_records_only_checks_the_head,
            "records [] were appended to ThreadId(\"t\") at head 1",
        ),
        (
            wrong!(TakesRecordsOfAnyNumber),
            rules::records_with_wrong_numbers_are_refused,
            "records [1, 3] were appended",
        ),
        (
            wrong!(ChecksAwaitsAndWrites),
            rules::of_sixteen_appends_at_one_head_exactly_one_wins,
            " win at 0 on OneThread",
        ),
        (
            wrong!(ChecksBlocksAndWrites),
            rules::of_sixteen_appends_at_one_head_exactly_one_wins,
            " win at 2 on ManyThreads",
        ),
        (
            wrong!(GivesUpWhenItIsCrowded),
            rules::sixteen_workers_that_try_again_all_get_through,
            "it is to be a conflict: another process keeps `here` locked; try again: crowded",
        ),
        (
            wrong!(WritesOneByOne),
            rules::a_dropped_append_leaves_all_or_nothing,
            "dropped after 1 polls: [\"1\", \"next\"]",
        ),
        (
            wrong!(WritesOneByOne),
            rules::a_read_during_appends_sees_a_prefix,
            "half of an append was seen",
        ),
        (
            wrong!(ForgetsOnReopening),
            rules::bytes_are_read_back_as_they_were_written_after_reopening,
            "after reopening",
        ),
        (
            wrong!(MendsTheText),
            rules::bytes_are_read_back_as_they_were_written_after_reopening,
            "before reopening",
        ),
        (
            wrong!(IgnoresTheCaseOfNames),
            rules::a_thread_can_have_any_name,
            "could not append behind record 0 of ThreadId(\"a\")",
        ),
        (
            wrong!(ReadsOneTooMany),
            rules::a_read_begins_after_the_given_number,
            "after 1",
        ),
        (
            wrong!(ReadsInTheOrderOfText),
            rules::records_are_read_in_order,
            "\"10\"",
        ),
        (
            wrong!(ListsInAnyOrder),
            rules::threads_are_listed_in_the_order_of_their_names,
            "\"B\"",
        ),
        (
            wrong!(ListsWhatWasAskedFor),
            rules::an_unknown_thread_reads_as_empty,
            "a read makes no thread",
        ),
    ];
    for (place, rule, expected) in cases {
        let mistake = place().mistake;
        let panicked = catch_unwind(|| rule(place)).expect_err(&format!("{mistake:?}"));
        let text = panicked.downcast_ref::<String>().unwrap();
        let found = text.starts_with("the journal breaks the rule `") && text.contains(expected);
        assert!(found, "{mistake:?}: {text}");
    }
}
