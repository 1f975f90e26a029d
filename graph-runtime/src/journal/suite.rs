//! What every journal has to do, as tests: one a rule, so that a report names the rule that is broken.
//!
//! A rule is run in a runtime of its own. What has to happen at once happens twice: on one thread,
//! where it changes hands at each point at which the store waits, and on many, where it need not wait.

mod appends;
mod copies;
mod deletes;
mod expected;
mod heads;
mod reads;
mod snapshots;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Barrier};

use futures_util::future::join_all;
use tokio::runtime::{Builder, Handle};
use tokio::task::{JoinHandle, spawn_blocking, yield_now};

use super::Durability;
use crate::error::chain;
use crate::journal::{Hash, Journal, JournalError, Record, ThreadId};

/// A place where a journal is kept while its rules are tested: a folder, a schema of a database.
///
/// Each rule is given a place of its own, with nothing in it, and drops it at the end; so the place's
/// `Drop` cleans up. A rule may open its place several times: again, to see what a restart leaves, and
/// twice at once, as two processes do.
pub trait JournalPlace {
    /// The journal that is tested.
    type Journal: Journal;

    /// Opens the journal with all that was written to this place before. May panic if it cannot.
    ///
    /// An implementation can be written as an `async fn`.
    fn open(&self) -> impl Future<Output = Self::Journal>;
}

/// Makes of each rule a function and a test of `journal_suite!`. A rule that is missing in the one
/// list below is dead code.
macro_rules! rules {
    // What is written `$d` is a `$` of the macro that is made.
    ($d:tt $($rule:ident,)+) => {
        $(
            #[allow(missing_docs, reason = "a rule is named by what it says")]
            #[doc(hidden)]
            pub fn $rule<P: JournalPlace>(place: fn() -> P) {
                keep(stringify!($rule), place, async |place| self::rule::$rule(place).await);
            }
        )+

        /// The rules are the promises of [`Journal`](trait@crate::Journal), each under its own name.
        #[macro_export]
        macro_rules! journal_suite {
            ($d name:ident, $d place:expr $d(,)?) => {
                mod $d name {
                    #[allow(unused_imports, reason = "the place may be written with full paths")]
                    use super::*;

                    $(
                        // By its full name, as the file may import a `test` of its own.
                        #[::core::prelude::v1::test]
                        fn $rule() {
                            $crate::__private::journal_rules::$rule(|| $d place);
                        }
                    )+
                }
            };
        }
    };
}

rules! {
    $
    an_unknown_thread_reads_as_empty,
    bytes_are_read_back_as_they_were_written_after_reopening,
    an_append_of_several_records_is_whole,
    an_append_at_a_wrong_head_conflicts_and_writes_nothing,
    an_append_of_no_records_only_checks_the_head,
    records_with_wrong_numbers_are_refused,
    of_sixteen_appends_at_one_head_exactly_one_wins,
    sixteen_workers_that_try_again_all_get_through,
    threads_do_not_see_each_other,
    a_thread_can_have_any_name,
    a_read_begins_after_the_given_number,
    records_are_read_in_order,
    what_was_read_does_not_change,
    a_read_during_appends_sees_a_prefix,
    threads_are_listed_in_the_order_of_their_names,
    a_dropped_append_leaves_all_or_nothing,
    a_thread_is_copied_in_order_and_stays_as_it_is,
    a_copy_takes_the_place_of_no_thread,
    a_thread_that_is_not_at_the_expected_head_is_not_deleted,
    of_a_deletion_and_an_append_at_one_head_one_comes_first,
    of_two_handles_of_one_place_exactly_one_wins,
    a_body_of_ten_megabytes_is_kept,
    what_was_appended_at_any_level_is_read_back_after_reopening,
    the_last_record_of_each_thread_is_listed,
    last_records_are_listed_page_by_page,
    a_list_during_appends_sees_their_ends,
    a_snapshot_is_kept_beside_the_records,
    the_newest_snapshot_is_kept,
    a_snapshot_beyond_the_end_conflicts_and_changes_nothing,
    trimming_drops_what_the_snapshot_takes_in,
    a_trimmed_thread_goes_on,
    a_read_during_trimming_sees_no_gap,
    a_dropped_compaction_leaves_both_or_neither,
    a_deletion_removes_all_of_its_thread_and_nothing_else,
    a_deletion_of_nothing_is_no_error,
    a_deleted_thread_can_begin_again,
    a_deletion_among_appends_leaves_whole_threads,
    a_dropped_deletion_leaves_all_or_nothing,
}

mod rule {
    pub(super) use super::appends::*;
    pub(super) use super::copies::*;
    pub(super) use super::deletes::*;
    pub(super) use super::expected::*;
    pub(super) use super::heads::*;
    pub(super) use super::reads::*;
    pub(super) use super::snapshots::*;
}

/// Runs a rule, and names it if it is broken.
fn keep<P>(rule: &str, place: fn() -> P, check: impl AsyncFnOnce(&P)) {
    // With the drivers that the program has, as a store may need a socket or a timer.
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("could not start a runtime: {error}"));
    // The place is made and dropped within the runtime as well.
    let kept = async || check(&place()).await;
    let kept = catch_unwind(AssertUnwindSafe(|| runtime.block_on(kept())));
    if let Err(panicked) = kept {
        // Nobody waits for the threads of a rule that is broken.
        runtime.shutdown_background();
        panic!("the journal breaks the rule `{rule}`: {}", text(&*panicked));
    }
}

fn text(panicked: &(dyn Any + Send)) -> &str {
    let text = panicked.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panicked.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked")
}

/// How futures run at once.
#[derive(Clone, Copy, Debug, PartialEq)]
enum On {
    /// In turn, from one point of waiting to the next.
    OneThread,
    /// Each on a thread of its own, but with the drivers of the rule's runtime.
    ManyThreads,
}

fn spawn<F>(on: On, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let runtime = Handle::current();
    match on {
        On::OneThread => runtime.spawn(future),
        On::ManyThreads => spawn_blocking(move || runtime.block_on(future)),
    }
}

/// Runs futures at once, and returns what they return in their order.
async fn at_once<F>(on: On, futures: impl ExactSizeIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let start = Arc::new(Barrier::new(futures.len()));
    let running = futures.map(|future| {
        let start = start.clone();
        spawn(on, async move {
            if on == On::ManyThreads {
                start.wait();
            }
            future.await
        })
    });
    let ended = join_all(running.collect::<Vec<_>>()).await;
    ended.into_iter().map(unless_panicked).collect()
}

fn unless_panicked<T>(ended: Result<T, tokio::task::JoinError>) -> T {
    ended.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

/// Makes records after number `head` of the given bodies.
pub(crate) fn records<B: AsRef<[u8]>>(
    head: u64,
    bodies: impl IntoIterator<Item = B>,
) -> Vec<Record> {
    let record =
        |(seq, body): (u64, B)| Record::new(seq, Hash::of(body.as_ref()), body.as_ref().to_vec());
    (head + 1..).zip(bodies).map(record).collect()
}

/// Reads a thread's bodies as text.
pub(crate) async fn bodies(journal: &impl Journal, thread: &ThreadId) -> Vec<String> {
    let text = |record: Record| String::from_utf8_lossy(&record.body).into_owned();
    read(journal, thread, 0)
        .await
        .into_iter()
        .map(text)
        .collect()
}

/// Appends, which has to succeed.
async fn append(journal: &impl Journal, thread: &ThreadId, head: u64, records: Vec<Record>) {
    let appended = journal
        .append(thread, head, records, Durability::Sync)
        .await;
    if let Err(error) = appended {
        panic!(
            "could not append behind record {head} of {thread:?}: {}",
            chain(&error)
        );
    }
}

/// Appends, which has to be refused, and returns why it was.
async fn refused(
    journal: &impl Journal,
    thread: &ThreadId,
    head: u64,
    records: Vec<Record>,
) -> JournalError {
    let numbers: Vec<_> = records.iter().map(|record| record.seq).collect();
    match journal
        .append(thread, head, records, Durability::Sync)
        .await
    {
        Err(error) => error,
        Ok(()) => panic!("records {numbers:?} were appended to {thread:?} at head {head}"),
    }
}

/// Asserts that an error is a conflict.
fn assert_conflict(error: &JournalError) {
    assert!(
        error.is_conflict(),
        "it is to be a conflict: {}",
        chain(error)
    );
}

/// Reads, which has to succeed.
async fn read(journal: &impl Journal, thread: &ThreadId, after: u64) -> Vec<Record> {
    let read = journal.read(thread, after).await;
    read.unwrap_or_else(|error| {
        panic!(
            "could not read {thread:?} after record {after}: {}",
            chain(&error)
        )
    })
}

/// Makes a snapshot that takes in the records up to number `seq`.
fn snapshot(seq: u64, body: impl AsRef<[u8]>) -> Record {
    Record::new(seq, Hash::of(body.as_ref()), body.as_ref().to_vec())
}

/// Keeps a snapshot and trims, which has to succeed.
async fn compact(journal: &impl Journal, thread: &ThreadId, snapshot: Record, trim: u64) {
    let seq = snapshot.seq;
    let compacted = journal.compact(thread, snapshot, trim).await;
    compacted.unwrap_or_else(|error| {
        panic!(
            "could not keep a snapshot at {seq} of {thread:?}: {}",
            chain(&error)
        )
    });
}

/// Returns the snapshot that is kept, which has to succeed.
async fn snapshot_of(journal: &impl Journal, thread: &ThreadId) -> Option<Record> {
    let kept = journal.snapshot(thread).await;
    kept.unwrap_or_else(|error| {
        panic!(
            "could not read the snapshot of {thread:?}: {}",
            chain(&error)
        )
    })
}

/// Deletes, which has to succeed, at last.
async fn delete(journal: &impl Journal, thread: &ThreadId) {
    loop {
        match journal.delete(thread, None).await {
            Ok(()) => return,
            Err(error) if error.is_retryable() => yield_now().await,
            Err(error) => panic!("could not delete {thread:?}: {}", chain(&error)),
        }
    }
}

/// Lists what is last in threads, which has to succeed.
async fn heads(
    journal: &impl Journal,
    after: Option<&ThreadId>,
    most: usize,
) -> Vec<(ThreadId, Record)> {
    let heads = journal.heads(after, most).await;
    heads.unwrap_or_else(|error| {
        panic!(
            "could not list {most} threads after {after:?}: {}",
            chain(&error)
        )
    })
}

/// Lists the threads, which has to succeed.
async fn threads(journal: &impl Journal) -> Vec<ThreadId> {
    let threads = journal.threads().await;
    threads.unwrap_or_else(|error| panic!("could not list the threads: {}", chain(&error)))
}
