//! The rules of deleting.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::poll_fn;
use tokio::task::yield_now;

use super::{
    JournalPlace, On, append, assert_conflict, at_once, bodies, compact, delete, heads, read,
    records, refused, snapshot, snapshot_of, threads,
};
use crate::error::chain;
use crate::journal::{Durability, Journal, ThreadId};

pub(super) async fn a_deletion_removes_all_of_its_thread_and_nothing_else(
    place: &impl JournalPlace,
) {
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    let others = ["", "T", "t\0", "t ", "tt", "u"].map(ThreadId::new);
    for thread in others.iter().chain([&thread]) {
        append(&journal, thread, 0, records(0, ["1", "2", "3"])).await;
        compact(&journal, thread, snapshot(2, "two"), 1).await;
    }
    delete(&journal, &thread).await;
    check_is_gone(&journal, &thread, &others).await;
    drop(journal);
    check_is_gone(&place.open().await, &thread, &others).await;
}

async fn check_is_gone(journal: &impl Journal, thread: &ThreadId, others: &[ThreadId]) {
    assert_eq!(read(journal, thread, 0).await, [], "its records");
    assert_eq!(snapshot_of(journal, thread).await, None, "its snapshot");
    assert_eq!(threads(journal).await, others, "the other threads");
    for other in others {
        assert_eq!(read(journal, other, 0).await, records(1, ["2", "3"]));
        assert_eq!(snapshot_of(journal, other).await, Some(snapshot(2, "two")));
    }
    let last = records(2, ["3"]).remove(0);
    let expected: Vec<_> = others.iter().map(|id| (id.clone(), last.clone())).collect();
    assert_eq!(heads(journal, None, 99).await, expected);
}

pub(super) async fn a_deletion_of_nothing_is_no_error(place: &impl JournalPlace) {
    let journal = place.open().await;
    let (thread, nobody) = (ThreadId::new("t"), ThreadId::new("nobody"));
    delete(&journal, &nobody).await;
    append(&journal, &thread, 0, records(0, ["1"])).await;
    delete(&journal, &nobody).await;
    assert_eq!(bodies(&journal, &thread).await, ["1"]);
    for _ in 0..3 {
        delete(&journal, &thread).await;
        assert_eq!(threads(&journal).await, []);
    }
}

pub(super) async fn a_deleted_thread_can_begin_again(place: &impl JournalPlace) {
    let thread = ThreadId::new("t");
    for reopened in [false, true] {
        let mut journal = place.open().await;
        append(&journal, &thread, 0, records(0, ["1", "2", "3"])).await;
        compact(&journal, &thread, snapshot(3, "three"), 2).await;
        delete(&journal, &thread).await;
        if reopened {
            drop(journal);
            journal = place.open().await;
        }
        // Somebody who has not heard of it.
        let late = refused(&journal, &thread, 3, records(3, ["4"])).await;
        assert_conflict(&late);
        append(&journal, &thread, 0, records(0, ["new"])).await;
        append(&journal, &thread, 1, records(1, ["2", "3"])).await;
        assert_eq!(bodies(&journal, &thread).await, ["new", "2", "3"]);
        assert_eq!(snapshot_of(&journal, &thread).await, None);
        compact(&journal, &thread, snapshot(1, "one"), 1).await;
        assert_eq!(
            snapshot_of(&journal, &thread).await,
            Some(snapshot(1, "one"))
        );
        assert_eq!(bodies(&journal, &thread).await, ["2", "3"]);
        delete(&journal, &thread).await;
    }
}

pub(super) async fn a_deletion_among_appends_leaves_whole_threads(place: &impl JournalPlace) {
    let journal = Arc::new(place.open().await);
    for on in [On::OneThread, On::ManyThreads] {
        let thread = ThreadId::new(format!("{on:?}"));
        let workers = (0..5).map(|worker: u8| {
            let (journal, thread) = (journal.clone(), thread.clone());
            async move {
                for _ in 0..24 {
                    match worker {
                        0 => delete(&journal, &thread).await,
                        1 => try_compact(&journal, &thread).await,
                        _ => try_append(&journal, &thread).await,
                    }
                    yield_now().await;
                }
            }
        });
        at_once(on, workers).await;
        check_is_whole(&journal, &thread).await;
        delete(&journal, &thread).await;
        assert_eq!(read(&journal, &thread, 0).await, []);
        append(&journal, &thread, 0, records(0, ["1"])).await;
        assert_eq!(bodies(&journal, &thread).await, ["1"]);
        assert_eq!(snapshot_of(&journal, &thread).await, None);
    }
}

/// Checks that each record says its number, from 1 on, and returns the last.
async fn check_is_whole(journal: &impl Journal, thread: &ThreadId) -> u64 {
    let read = read(journal, thread, 0).await;
    let numbers = (1..=read.len() as u64).map(|seq| seq.to_string());
    assert!(read == records(0, numbers), "not whole: {read:?}");
    assert!(read.len().is_multiple_of(2), "half of an append was seen");
    read.len() as u64
}

async fn try_append(journal: &impl Journal, thread: &ThreadId) {
    let head = check_is_whole(journal, thread).await;
    let new = records(head, [head + 1, head + 2].map(|seq| seq.to_string()));
    let appended = journal.append(thread, head, new, Durability::Sync).await;
    if let Err(error) = appended {
        assert_conflict(&error);
    }
}

async fn try_compact(journal: &impl Journal, thread: &ThreadId) {
    let head = check_is_whole(journal, thread).await;
    let new = snapshot(head, head.to_string());
    match journal.compact(thread, new, 0).await {
        Err(error) if !error.is_retryable() => assert_conflict(&error),
        _ => {}
    }
}

pub(super) async fn a_dropped_deletion_leaves_all_or_nothing(place: &impl JournalPlace) {
    let journal = place.open().await;
    for polls in 0..32 {
        let thread = ThreadId::new(format!("dropped after {polls} polls"));
        append(&journal, &thread, 0, records(0, ["1", "2", "3"])).await;
        compact(&journal, &thread, snapshot(3, "three"), 0).await;
        {
            let mut delete = pin!(journal.delete(&thread, None));
            for _ in 0..polls {
                let polled = poll_fn(|cx| Poll::Ready(delete.as_mut().poll(cx))).await;
                if polled.is_ready() {
                    break;
                }
                yield_now().await;
            }
        }
        // It may be done after the first look, but not after that.
        let mut looks = Vec::new();
        for _ in 0..3 {
            let records = read(&journal, &thread, 0).await.len();
            let kept = snapshot_of(&journal, &thread).await.is_some();
            looks.push((records, kept));
        }
        let settled = [[(3, true); 2], [(0, false); 2]]
            .iter()
            .any(|two| looks.ends_with(two));
        assert!(settled, "{thread}: {looks:?}");
        if let Err(error) = journal.delete(&thread, None).await {
            panic!("could not delete {thread:?}: {}", chain(&error));
        }
        assert_eq!(read(&journal, &thread, 0).await, []);
    }
}
