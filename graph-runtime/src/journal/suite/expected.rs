//! The rules of deleting what nobody has written to meanwhile.

use std::sync::Arc;

use super::{
    JournalPlace, On, append, assert_conflict, at_once, bodies, records, refused, threads,
};
use crate::error::chain;
use crate::journal::{Durability, Journal, JournalError, ThreadId};

async fn delete_at(journal: &impl Journal, thread: &ThreadId, head: Option<u64>) {
    if let Err(error) = journal.delete(thread, head).await {
        panic!("could not delete {thread:?} at {head:?}: {}", chain(&error));
    }
}

pub(super) async fn a_thread_that_is_not_at_the_expected_head_is_not_deleted(
    place: &impl JournalPlace,
) {
    let journal = place.open().await;
    let (thread, other) = (ThreadId::new("t"), ThreadId::new("u"));
    append(&journal, &thread, 0, records(0, ["1", "2", "3"])).await;
    append(&journal, &other, 0, records(0, ["1", "2"])).await;
    for head in [0, 2, 4, i64::MAX.unsigned_abs(), u64::MAX] {
        match journal.delete(&thread, Some(head)).await {
            Err(error) => assert_conflict(&error),
            Ok(()) => panic!("it was deleted at {head}, and its head is 3"),
        }
    }
    assert_eq!(bodies(&journal, &thread).await, ["1", "2", "3"]);
    append(&journal, &thread, 3, records(3, ["4"])).await;

    delete_at(&journal, &thread, Some(4)).await;
    assert_eq!(bodies(&journal, &thread).await, [""; 0]);
    assert_eq!(bodies(&journal, &other).await, ["1", "2"]);
    assert_eq!(threads(&journal).await, [other]);
    // What is not there, is at no other head.
    delete_at(&journal, &thread, Some(4)).await;
    let late = refused(&journal, &thread, 4, records(4, ["5"])).await;
    assert_conflict(&late);
    append(&journal, &thread, 0, records(0, ["anew"])).await;
}

pub(super) async fn of_a_deletion_and_an_append_at_one_head_one_comes_first(
    place: &impl JournalPlace,
) {
    let journal = Arc::new(place.open().await);
    for (round, on) in (0..20).zip([On::OneThread, On::ManyThreads].into_iter().cycle()) {
        let thread = ThreadId::new(format!("t{round}"));
        append(&*journal, &thread, 0, records(0, ["1", "2"])).await;
        // Both orders, as one is asked first.
        let turns = (0..4).map(|turn| {
            let (journal, thread) = (journal.clone(), thread.clone());
            async move {
                let appends = (turn + round / 2) % 2 == 0;
                let done = if appends {
                    let new = records(2, [turn.to_string()]);
                    journal.append(&thread, 2, new, Durability::Sync).await
                } else {
                    journal.delete(&thread, Some(2)).await
                };
                (appends, done)
            }
        });
        let turns = at_once(on, turns).await;
        let done = |appends: bool| {
            let of_kind = turns.iter().filter(|(kind, _)| *kind == appends);
            of_kind
                .map(|(_, done)| done)
                .collect::<Vec<&Result<(), JournalError>>>()
        };
        let errors = turns.iter().filter_map(|(_, done)| done.as_ref().err());
        errors.for_each(assert_conflict);
        let appended = done(true).iter().filter(|done| done.is_ok()).count();
        let deleted = done(false).iter().filter(|done| done.is_ok()).count();
        let left = bodies(&*journal, &thread).await.len();
        match (appended, deleted) {
            (1, 0) => assert_eq!(left, 3, "on {on:?}"),
            // Whoever deletes second finds nothing.
            (0, 1 | 2) => assert_eq!(left, 0, "on {on:?}"),
            other => panic!("{other:?} appends and deletions were done on {on:?}"),
        }
    }
}
