//! The rules of a journal: ours keep them, and each kind of journal that breaks one is found out.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};
use std::thread;

use handoffs::__private::journal_rules as rules;
use handoffs::testing::{JournalPlace, journal_suite};
use handoffs::{Durability, Journal, JournalError, Layer, Memory, Record, ThreadId, async_trait};
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
    TrustsItsOwnMemory,
    CutsLargeBodies,
    WritesOnlyWhatMustBeOnDisk,
    ListsTheFirstRecords,
    ListsFromTheNameOn,
    ListsMoreThanAskedFor,
    ListsLongNamesByTheirBeginning,
    ForgetsSnapshotsOnReopening,
    KeepsAnySnapshot,
    KeepsTheFirstSnapshot,
    TakesAnyNumberOfASnapshot,
    TrimsWhatItIsTold,
    TrimsWithoutTheSnapshot,
    CountsTheRecords,
    CompactsInTwoSteps,
    ReadsPageByPage,
    DeletesTheRecordsOnly,
    DeletesWhatBeginsWithTheName,
    DeletesOnlyWhatIsThere,
    NeverBeginsAgain,
    DeletesInTwoSteps,
    DeletesAtAnyHead,
    ChecksTheHeadAndDeletes,
}

/// A journal that makes one mistake.
#[derive(Clone, Debug)]
struct Wrong {
    kept: Memory,
    mistake: Mistake,
    /// The heads that appends found right, each as often.
    right: Arc<Mutex<Vec<u64>>>,
    /// What stands in place of the snapshots.
    snapshots: Arc<Mutex<BTreeMap<ThreadId, Option<Record>>>>,
    /// How far threads are trimmed although they should not be.
    trimmed: Arc<Mutex<BTreeMap<ThreadId, u64>>>,
    deleted: Arc<Mutex<BTreeSet<ThreadId>>>,
    /// The heads that this handle knows of.
    own: Arc<Mutex<BTreeMap<ThreadId, u64>>>,
}

impl Wrong {
    fn new(mistake: Mistake) -> Self {
        Self {
            kept: Memory::default(),
            mistake,
            right: Arc::default(),
            snapshots: Arc::default(),
            trimmed: Arc::default(),
            deleted: Arc::default(),
            own: Arc::default(),
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
            let read = self.kept.read(thread, 0).await?;
            let head = read.last().map_or(0, |last| last.seq);
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
            Mistake::TrustsItsOwnMemory => {
                let known = self.own.lock().unwrap().get(thread).copied();
                if known != Some(head) {
                    self.kept
                        .append(thread, head, Vec::new(), Durability::Sync)
                        .await?;
                }
                let next = head + records.len() as u64;
                self.own.lock().unwrap().insert(thread.clone(), next);
                self.force(thread, &records).await
            }
            Mistake::CutsLargeBodies => {
                for record in &mut records {
                    record.body.truncate(8 << 20);
                }
                self.kept.append(thread, head, records, durability).await
            }
            Mistake::WritesOnlyWhatMustBeOnDisk if durability != Durability::Sync => Ok(()),
            Mistake::CountsTheRecords => {
                let count = self.kept.read(thread, 0).await?.len() as u64;
                if count == head {
                    self.force(thread, &records).await
                } else {
                    Err(JournalError::conflict(thread, head))
                }
            }
            Mistake::NeverBeginsAgain if self.deleted.lock().unwrap().contains(thread) => {
                Err(JournalError::conflict(thread, head))
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
        if self.is(Mistake::ReadsPageByPage) {
            records.truncate(1);
            let last = records.last().map_or(after, |record| record.seq);
            yield_now().await;
            records.extend(self.kept.read(thread, last).await?);
        }
        let trimmed = self.trimmed.lock().unwrap().get(thread).copied();
        records.retain(|record| record.seq > trimmed.unwrap_or(0));
        Ok(records)
    }

    async fn heads(
        &self,
        after: Option<&ThreadId>,
        most: usize,
    ) -> Result<Vec<(ThreadId, Record)>, JournalError> {
        let most = match self.mistake {
            Mistake::ListsMoreThanAskedFor => most.max(5),
            _ => most,
        };
        let mut heads = self.kept.heads(after, most).await?;
        match self.mistake {
            Mistake::ListsTheFirstRecords => {
                for (thread, head) in &mut heads {
                    *head = self.kept.read(thread, 0).await?.remove(0);
                }
            }
            Mistake::ListsFromTheNameOn => {
                let all = self.kept.heads(None, usize::MAX).await?;
                let from =
                    |(thread, _): &(ThreadId, Record)| after.is_none_or(|after| thread >= after);
                heads = all.into_iter().filter(from).take(most).collect();
            }
            Mistake::ListsLongNamesByTheirBeginning => {
                let beginning = |id: &ThreadId| id.as_str().chars().take(200).collect::<String>();
                heads.retain(|(thread, _)| {
                    after.is_none_or(|after| beginning(thread) > beginning(after))
                });
            }
            _ => {}
        }
        Ok(heads)
    }

    async fn snapshot(&self, thread: &ThreadId) -> Result<Option<Record>, JournalError> {
        let instead = self.snapshots.lock().unwrap().get(thread).cloned();
        match instead {
            Some(instead) => Ok(instead),
            None => self.kept.snapshot(thread).await,
        }
    }

    async fn compact(
        &self,
        thread: &ThreadId,
        mut snapshot: Record,
        trim: u64,
    ) -> Result<(), JournalError> {
        let before = self.kept.snapshot(thread).await?;
        let instead = |snapshot: &Option<Record>| {
            let snapshot = snapshot.clone();
            self.snapshots
                .lock()
                .unwrap()
                .insert(thread.clone(), snapshot);
        };
        match self.mistake {
            Mistake::KeepsAnySnapshot => instead(&Some(snapshot.clone())),
            Mistake::KeepsTheFirstSnapshot => instead(&Some(before.unwrap_or(snapshot.clone()))),
            Mistake::TakesAnyNumberOfASnapshot => {
                let head = self
                    .kept
                    .read(thread, 0)
                    .await?
                    .last()
                    .map_or(0, |last| last.seq);
                snapshot.seq = snapshot.seq.min(head);
            }
            Mistake::TrimsWhatItIsTold => {
                self.trimmed.lock().unwrap().insert(thread.clone(), trim);
            }
            Mistake::TrimsWithoutTheSnapshot => {
                let last = self.kept.read(thread, 0).await?.last().cloned();
                if let Some(last) = last.filter(|last| last.seq < snapshot.seq) {
                    self.kept.compact(thread, last, trim).await?;
                }
            }
            Mistake::CompactsInTwoSteps => {
                self.kept.compact(thread, snapshot.clone(), 0).await?;
                yield_now().await;
            }
            _ => {}
        }
        self.kept.compact(thread, snapshot, trim).await
    }

    async fn delete(&self, thread: &ThreadId, head: Option<u64>) -> Result<(), JournalError> {
        match self.mistake {
            Mistake::DeletesTheRecordsOnly => {
                let left = self.kept.snapshot(thread).await?;
                self.snapshots.lock().unwrap().insert(thread.clone(), left);
            }
            Mistake::DeletesWhatBeginsWithTheName => {
                for other in self.kept.threads().await? {
                    if other.as_str().starts_with(thread.as_str()) {
                        self.kept.delete(&other, None).await?;
                    }
                }
            }
            Mistake::DeletesOnlyWhatIsThere if self.kept.read(thread, 0).await?.is_empty() => {
                return Err(JournalError::store(
                    "here",
                    "delete a thread of",
                    "no such row",
                ));
            }
            Mistake::DeletesAtAnyHead => return self.kept.delete(thread, None).await,
            Mistake::ChecksTheHeadAndDeletes => {
                let read = self.kept.read(thread, 0).await?;
                let found = read.last().map(|last| last.seq);
                if let (Some(head), Some(found)) = (head, found)
                    && head != found
                {
                    return Err(JournalError::conflict(thread, head));
                }
                yield_now().await;
                return self.kept.delete(thread, None).await;
            }
            Mistake::DeletesInTwoSteps => {
                self.snapshots.lock().unwrap().insert(thread.clone(), None);
                yield_now().await;
                self.kept.delete(thread, head).await?;
                self.snapshots.lock().unwrap().remove(thread);
            }
            _ => {}
        }
        self.deleted.lock().unwrap().insert(thread.clone());
        self.kept.delete(thread, head).await
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
        if self.is(Mistake::ForgetsSnapshotsOnReopening) {
            for thread in self.kept.threads().await.unwrap() {
                self.snapshots.lock().unwrap().insert(thread, None);
            }
        }
        Self {
            own: Arc::default(),
            ..self.clone()
        }
    }
}

macro_rules! wrong {
    ($mistake:ident) => {
        || Wrong::new(Mistake::$mistake)
    };
}

journal_suite!(wrong_in_no_way, wrong!(No)());

type Place = fn() -> Wrong;
type Case = (Place, fn(Place), &'static str);

/// Checks that each of these journals is found out, by a text of which this is a part.
fn check_is_found_out(cases: &[Case]) {
    for (place, rule, expected) in cases {
        let mistake = place().mistake;
        let panicked = catch_unwind(|| rule(*place)).expect_err(&format!("{mistake:?}"));
        let text = panicked.downcast_ref::<String>().unwrap();
        let found = text.starts_with("the journal breaks the rule `") && text.contains(expected);
        assert!(found, "{mistake:?}: {text}");
    }
}

#[test]
fn one_that_appends_or_reads_wrongly_is_found_out() {
    check_is_found_out(&[
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
        (
            wrong!(TrustsItsOwnMemory),
            rules::of_two_handles_of_one_place_exactly_one_wins,
            "records [2] were appended to ThreadId(\"t\") at head 1",
        ),
        (
            wrong!(CutsLargeBodies),
            rules::a_body_of_ten_megabytes_is_kept,
            "are not what they were",
        ),
        (
            wrong!(WritesOnlyWhatMustBeOnDisk),
            rules::what_was_appended_at_any_level_is_read_back_after_reopening,
            "at level Step",
        ),
        (
            wrong!(ReadsInTheOrderOfText),
            rules::a_thread_is_copied_in_order_and_stays_as_it_is,
            "record 10 of thread `from` is damaged: it follows record 1",
        ),
        (
            wrong!(AppendsWhereverTheEndIs),
            rules::a_copy_takes_the_place_of_no_thread,
            "it was copied over ThreadId(\"there\")",
        ),
    ]);
}

#[test]
fn one_that_lists_wrongly_is_found_out() {
    check_is_found_out(&[
        (
            wrong!(ListsTheFirstRecords),
            rules::the_last_record_of_each_thread_is_listed,
            "last of a",
        ),
        (
            wrong!(ListsFromTheNameOn),
            rules::last_records_are_listed_page_by_page,
            "pages of 1 repeat themselves",
        ),
        (
            wrong!(ListsMoreThanAskedFor),
            rules::last_records_are_listed_page_by_page,
            "5 are more than 1",
        ),
        (
            wrong!(ListsLongNamesByTheirBeginning),
            rules::last_records_are_listed_page_by_page,
            "pages of 1: ",
        ),
        (
            wrong!(WritesOneByOne),
            rules::a_list_during_appends_sees_their_ends,
            "half of an append was seen",
        ),
    ]);
}

#[test]
fn one_that_compacts_or_deletes_wrongly_is_found_out() {
    check_is_found_out(&[
        (
            wrong!(ForgetsSnapshotsOnReopening),
            rules::a_snapshot_is_kept_beside_the_records,
            "reopened: true",
        ),
        (
            wrong!(KeepsAnySnapshot),
            rules::the_newest_snapshot_is_kept,
            "after three again",
        ),
        (
            wrong!(KeepsTheFirstSnapshot),
            rules::the_newest_snapshot_is_kept,
            "after three",
        ),
        (
            wrong!(TakesAnyNumberOfASnapshot),
            rules::a_snapshot_beyond_the_end_conflicts_and_changes_nothing,
            "a snapshot at 3 of ThreadId(\"known\") was kept",
        ),
        (
            wrong!(TrimsWithoutTheSnapshot),
            rules::a_snapshot_beyond_the_end_conflicts_and_changes_nothing,
            "[\"2\"]",
        ),
        (
            wrong!(TrimsWhatItIsTold),
            rules::trimming_drops_what_the_snapshot_takes_in,
            "3 4",
        ),
        (
            wrong!(CountsTheRecords),
            rules::a_trimmed_thread_goes_on,
            "records [2] were appended to ThreadId(\"t\") at head 1",
        ),
        (
            wrong!(CompactsInTwoSteps),
            rules::a_dropped_compaction_leaves_both_or_neither,
            "dropped after 1 polls",
        ),
        (
            wrong!(ReadsPageByPage),
            rules::a_read_during_trimming_sees_no_gap,
            "a gap",
        ),
        (
            wrong!(DeletesTheRecordsOnly),
            rules::a_deletion_removes_all_of_its_thread_and_nothing_else,
            "its snapshot",
        ),
        (
            wrong!(DeletesWhatBeginsWithTheName),
            rules::a_deletion_removes_all_of_its_thread_and_nothing_else,
            "the other threads",
        ),
        (
            wrong!(DeletesOnlyWhatIsThere),
            rules::a_deletion_of_nothing_is_no_error,
            "could not delete ThreadId(\"nobody\")",
        ),
        (
            wrong!(NeverBeginsAgain),
            rules::a_deleted_thread_can_begin_again,
            "could not append behind record 0",
        ),
        (
            wrong!(ChecksAwaitsAndWrites),
            rules::a_deletion_among_appends_leaves_whole_threads,
            "not whole",
        ),
        (
            wrong!(DeletesInTwoSteps),
            rules::a_dropped_deletion_leaves_all_or_nothing,
            "dropped after 1 polls",
        ),
        (
            wrong!(DeletesAtAnyHead),
            rules::a_thread_that_is_not_at_the_expected_head_is_not_deleted,
            "it was deleted at 0, and its head is 3",
        ),
        (
            wrong!(ChecksTheHeadAndDeletes),
            rules::of_a_deletion_and_an_append_at_one_head_one_comes_first,
            "(1, 1) appends and deletions were done on OneThread",
        ),
    ]);
}
