//! The rules of appending.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::poll_fn;

use super::{
    JournalPlace, On, append, assert_conflict, at_once, bodies, compact, delete, read, records,
    refused, snapshot, snapshot_of, threads,
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

pub(super) async fn of_two_handles_of_one_place_exactly_one_wins(place: &impl JournalPlace) {
    let handles = [Arc::new(place.open().await), Arc::new(place.open().await)];
    let [a, b] = &handles;
    let thread = ThreadId::new("t");
    // In turn: what one has done, the other sees.
    append(a, &thread, 0, records(0, ["a1"])).await;
    assert_conflict(&refused(b, &thread, 0, records(0, ["b1"])).await);
    append(b, &thread, 1, records(1, ["b2", "b3"])).await;
    assert_conflict(&refused(a, &thread, 1, records(1, ["a2"])).await);
    assert_eq!(bodies(a, &thread).await, ["a1", "b2", "b3"]);
    compact(b, &thread, snapshot(3, "three"), 2).await;
    assert_eq!(snapshot_of(a, &thread).await, Some(snapshot(3, "three")));
    assert_eq!(bodies(a, &thread).await, ["b3"]);

    // At once.
    for (head, on) in (3..23).zip([On::OneThread, On::ManyThreads].into_iter().cycle()) {
        let appends = handles.iter().zip(["a", "b"]).map(|(journal, body)| {
            let (journal, thread) = (journal.clone(), thread.clone());
            let new = records(head, [body]);
            async move { journal.append(&thread, head, new, Durability::Sync).await }
        });
        let answers = at_once(on, appends).await;
        let winners: Vec<_> = (0..2).filter(|handle| answers[*handle].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{winners:?} win at {head} on {on:?}");
        let conflicts = answers.iter().filter_map(|answer| answer.as_ref().err());
        conflicts.for_each(assert_conflict);
        for journal in &handles {
            let written = read(journal, &thread, head).await;
            assert_eq!(written, records(head, [["a", "b"][winners[0]]]));
        }
    }

    delete(a, &thread).await;
    assert_eq!(read(b, &thread, 0).await, []);
    assert_conflict(&refused(b, &thread, 23, records(23, ["late"])).await);
    append(b, &thread, 0, records(0, ["new"])).await;
    assert_eq!(bodies(a, &thread).await, ["new"]);
}

pub(super) async fn a_body_of_ten_megabytes_is_kept(place: &impl JournalPlace) {
    let thread = ThreadId::new("large");
    // Bytes that do not compress, and ones that do.
    let mut number = 7_u64;
    let noise = (0..5_000_000 / 8).flat_map(|_| {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        number.to_be_bytes()
    });
    let body: Vec<u8> = noise.chain(vec![0; 5_000_000]).collect();
    let written = records(0, [&body[..], b"small"]);
    let journal = place.open().await;
    append(&journal, &thread, 0, written.clone()).await;
    drop(journal);
    // Megabytes are nothing to print.
    let same = read(&place.open().await, &thread, 0).await == written;
    assert!(same, "ten megabytes are not what they were");
}

pub(super) async fn what_was_appended_at_any_level_is_read_back_after_reopening(
    place: &impl JournalPlace,
) {
    use Durability::{Exit, Step, Sync};
    let levels = [Sync, Step, Exit, Step, Step, Sync, Exit, Exit];
    let thread = ThreadId::new("t");
    let numbers: Vec<_> = (1..=levels.len()).map(|seq| seq.to_string()).collect();
    for (head, durability) in (0..).zip(levels) {
        let journal = place.open().await;
        let body = (head + 1).to_string();
        let appended = journal.append(&thread, head, records(head, [body]), durability);
        if let Err(error) = appended.await {
            panic!(
                "could not append at level {durability:?}: {}",
                chain(&error)
            );
        }
        for journal in [journal, place.open().await] {
            let read = bodies(&journal, &thread).await;
            assert!(numbers.starts_with(&read), "{read:?}");
            assert_eq!(read.len() as u64, head + 1, "at level {durability:?}");
        }
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
