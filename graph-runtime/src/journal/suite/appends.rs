//! The rules of appending.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::poll_fn;

use super::{
    JournalPlace, On, append, assert_conflict, at_once, bodies, read, records, refused, threads,
};
use crate::error::chain;
use crate::journal::Durability;
use crate::journal::{Journal, JournalError, ThreadId};

pub(super) async fn bytes_are_read_back_as_they_were_written_after_reopening(
    place: &impl JournalPlace,
) {
    let thread = ThreadId::new("t");
    let every_byte: Vec<u8> = (0..=255).collect();
    let written = records(
        0,
        [
            Vec::new(),
            every_byte.repeat(4096),
            every_byte,
            b"{\"a\":\"\\u0000\"}".to_vec(),
        ],
    );
    let journal = place.open().await;
    append(&journal, &thread, 0, written.clone()).await;
    // A megabyte of bytes is nothing to print.
    let same = read(&journal, &thread, 0).await == written;
    assert!(same, "before reopening");
    drop(journal);

    let journal = place.open().await;
    let same = read(&journal, &thread, 0).await == written;
    assert!(same, "after reopening");
    append(&journal, &thread, 4, records(4, ["goes on"])).await;
}

pub(super) async fn an_append_of_several_records_is_whole(place: &impl JournalPlace) {
    let thread = ThreadId::new("t");
    let journal = place.open().await;
    append(&journal, &thread, 0, records(0, ["1", "2", "3"])).await;
    // These overlap with what is there, so none of them may be written, not even number 4.
    let late = refused(&journal, &thread, 2, records(2, ["3b", "4b"])).await;
    assert_conflict(&late);
    append(&journal, &thread, 3, records(3, ["4", "5"])).await;
    assert_eq!(bodies(&journal, &thread).await, ["1", "2", "3", "4", "5"]);
}

pub(super) async fn an_append_at_a_wrong_head_conflicts_and_writes_nothing(
    place: &impl JournalPlace,
) {
    let journal = place.open().await;
    let (known, unknown) = (ThreadId::new("known"), ThreadId::new("unknown"));
    append(&journal, &known, 0, records(0, ["1", "2"])).await;
    let far = i64::MAX.unsigned_abs();
    for (thread, head) in [
        (&known, 0),
        (&known, 1),
        (&known, 3),
        (&known, far),
        (&unknown, 1),
        (&unknown, far + 7),
    ] {
        match refused(&journal, thread, head, records(head, ["no"])).await {
            JournalError::Conflict {
                thread: named,
                expected,
                ..
            } => {
                assert_eq!((&named, expected), (thread, head));
            }
            other => panic!("it is to be a conflict: {}", chain(&other)),
        }
    }
    assert_eq!(bodies(&journal, &known).await, ["1", "2"]);
    assert_eq!(threads(&journal).await, [known]);
}

pub(super) async fn an_append_of_no_records_only_checks_the_head(place: &impl JournalPlace) {
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    append(&journal, &thread, 0, Vec::new()).await;
    assert_eq!(threads(&journal).await, [], "a thread without records");
    assert_conflict(&refused(&journal, &thread, 1, Vec::new()).await);
}

pub(super) async fn records_with_wrong_numbers_are_refused(place: &impl JournalPlace) {
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    let mut gap = records(0, ["1", "2"]);
    gap[1].seq = 3;
    for (wrong, seq) in [(gap, 3), (records(1, ["2"]), 2), (records(4, ["5"]), 5)] {
        let error = refused(&journal, &thread, 0, wrong).await;
        assert!(
            matches!(error, JournalError::Damaged { seq: named, .. } if named == seq),
            "it is to say that record {seq} is damaged: {}",
            chain(&error)
        );
    }
    assert_eq!(read(&journal, &thread, 0).await, []);
}

pub(super) async fn of_sixteen_appends_at_one_head_exactly_one_wins(place: &impl JournalPlace) {
    let journal = Arc::new(place.open().await);
    let thread = ThreadId::new("t");
    for (head, on) in (0..20)
        .step_by(2)
        .zip([On::OneThread, On::ManyThreads].into_iter().cycle())
    {
        let appends = (0..16).map(|worker: u8| {
            let (journal, thread) = (journal.clone(), thread.clone());
            let body = worker.to_string();
            let new = records(head, [&body, &body]);
            async move { journal.append(&thread, head, new, Durability::Sync).await }
        });
        let answers = at_once(on, appends).await;
        let winners: Vec<_> = (0..16).filter(|worker| answers[*worker].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{winners:?} win at {head} on {on:?}");
        let conflicts = answers.iter().filter_map(|answer| answer.as_ref().err());
        conflicts.for_each(assert_conflict);
        let written = read(&journal, &thread, head).await;
        assert_eq!(
            written,
            records(head, [winners[0].to_string(), winners[0].to_string()])
        );
    }
}

pub(super) async fn sixteen_workers_that_try_again_all_get_through(place: &impl JournalPlace) {
    let journal = Arc::new(place.open().await);
    for on in [On::OneThread, On::ManyThreads] {
        let thread = ThreadId::new(format!("{on:?}"));
        let workers = (0..16).map(|worker: u8| {
            let (journal, thread) = (journal.clone(), thread.clone());
            async move {
                let body = worker.to_string();
                let mut head = 0;
                // Whoever conflicts has lost against one of the others, so each is through at the 16th
                // time.
                for _ in 0..16 {
                    match journal
                        .append(&thread, head, records(head, [&body]), Durability::Sync)
                        .await
                    {
                        Ok(()) => return,
                        Err(error) => assert_conflict(&error),
                    }
                    head += read(&journal, &thread, head).await.len() as u64;
                }
                panic!("worker {worker} conflicts with nobody");
            }
        });
        at_once(on, workers).await;
        let mut written = bodies(&journal, &thread).await;
        written.sort_by_key(|body| body.parse::<u8>().ok());
        assert_eq!(
            written,
            (0..16).map(|worker| worker.to_string()).collect::<Vec<_>>()
        );
    }
}

pub(super) async fn a_dropped_append_leaves_all_or_nothing(place: &impl JournalPlace) {
    let journal = place.open().await;
    for polls in 0..32 {
        let thread = ThreadId::new(format!("dropped after {polls} polls"));
        {
            let mut append =
                pin!(journal.append(&thread, 0, records(0, ["1", "2", "3"]), Durability::Sync));
            for _ in 0..polls {
                if poll_fn(|cx| Poll::Ready(append.as_mut().poll(cx)))
                    .await
                    .is_ready()
                {
                    break;
                }
            }
        }
        // Whatever it left, the thread goes on behind it. It may be written after the first read, but
        // not after that.
        let mut conflicts = 0;
        loop {
            let head = read(&journal, &thread, 0).await.len() as u64;
            match journal
                .append(&thread, head, records(head, ["next"]), Durability::Sync)
                .await
            {
                Ok(()) => break,
                Err(error) => assert_conflict(&error),
            }
            conflicts += 1;
            assert_eq!(conflicts, 1, "{thread}: it is written late, and again");
        }
        let left = bodies(&journal, &thread).await;
        assert!(
            left == ["next"] || left == ["1", "2", "3", "next"],
            "{thread}: {left:?}"
        );
    }
}
