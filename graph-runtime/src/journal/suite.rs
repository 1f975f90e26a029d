//! What every journal has to do, as tests: one a rule, so that a report names the rule that is broken.

mod appends;
mod reads;

pub(crate) use self::appends::*;
pub(crate) use self::reads::*;

use crate::journal::{Hash, Journal, Record, ThreadId};

/// A place where a journal is kept. Dropping it cleans up.
pub(crate) trait Place: Send + Sync {
    /// The journal under test.
    type Journal: Journal;

    /// Opens the journal, with all that was written to this place before.
    fn open(&self) -> impl Future<Output = Self::Journal> + Send;
}

/// Writes the tests of a journal into a module of the given name. The expression makes a new [`Place`].
macro_rules! journal_suite {
    ($name:ident, $place:expr) => {
        $crate::journal::suite::journal_suite!(
            $name, $place,
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
        );
    };
    ($name:ident, $place:expr, $($rule:ident,)+) => {
        mod $name {
            #[allow(unused_imports, reason = "the place may be written with full paths")]
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    $crate::journal::suite::$rule(&$place).await;
                }
            )+
        }
    };
}
pub(crate) use journal_suite;

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
    let records = journal.read(thread, 0).await.unwrap();
    let text = |record: Record| String::from_utf8(record.body).unwrap();
    records.into_iter().map(text).collect()
}
