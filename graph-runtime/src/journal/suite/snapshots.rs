//! The rules of snapshots, and of trimming what they take in.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::poll_fn;
use tokio::task::yield_now;

use super::{
    JournalPlace, On, append, assert_conflict, bodies, compact, heads, read, records, refused,
    snapshot, snapshot_of, spawn, threads, unless_panicked,
};
use crate::journal::{Journal, JournalError, ThreadId};

pub(super) async fn a_snapshot_is_kept_beside_the_records(place: &impl JournalPlace) {
    let journal = place.open().await;
    let [thread, other] = ["t", "u"].map(ThreadId::new);
    assert_eq!(snapshot_of(&journal, &thread).await, None);
    append(&journal, &thread, 0, records(0, ["1", "2", "3"])).await;
    append(&journal, &other, 0, records(0, ["1"])).await;
    assert_eq!(snapshot_of(&journal, &thread).await, None);
    let every_byte: Vec<u8> = (0..=255).collect();
    let kept = snapshot(2, every_byte.repeat(999));
    compact(&journal, &thread, kept.clone(), 0).await;
    let mut journal = journal;
    for reopened in [false, true] {
        if reopened {
            drop(journal);
            journal = place.open().await;
        }
        let same = snapshot_of(&journal, &thread).await.as_ref() == Some(&kept);
        assert!(same, "reopened: {reopened}");
        assert_eq!(snapshot_of(&journal, &other).await, None);
        assert_eq!(bodies(&journal, &thread).await, ["1", "2", "3"]);
        assert_eq!(threads(&journal).await, [thread.clone(), other.clone()]);
    }
}

pub(super) async fn the_newest_snapshot_is_kept(place: &impl JournalPlace) {
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    append(&journal, &thread, 0, records(0, ["1", "2", "3", "4"])).await;
    for (seq, body, kept) in [
        (2, "two", (2, "two")),
        (3, "three", (3, "three")),
        (3, "three again", (3, "three")),
        (1, "one", (3, "three")),
        (4, "", (4, "")),
    ] {
        compact(&journal, &thread, snapshot(seq, body), 0).await;
        let (seq, kept) = kept;
        let expected = Some(snapshot(seq, kept));
        assert_eq!(
            snapshot_of(&journal, &thread).await,
            expected,
            "after {body}"
        );
    }
}

pub(super) async fn a_snapshot_beyond_the_end_conflicts_and_changes_nothing(
    place: &impl JournalPlace,
) {
    let journal = place.open().await;
    let [known, unknown] = ["known", "unknown"].map(ThreadId::new);
    append(&journal, &known, 0, records(0, ["1", "2"])).await;
    compact(&journal, &known, snapshot(1, "one"), 0).await;
    let far = i64::MAX.unsigned_abs();
    for (thread, seq) in [
        (&known, 3),
        (&known, far),
        (&known, far + 7),
        (&unknown, 1),
        (&unknown, far + 7),
    ] {
        match journal.compact(thread, snapshot(seq, "no"), 1).await {
            Ok(()) => panic!("a snapshot at {seq} of {thread:?} was kept"),
            Err(JournalError::Conflict {
                thread: named,
                expected,
                ..
            }) => assert_eq!((&named, expected), (thread, seq)),
            Err(other) => assert_conflict(&other),
        }
    }
    assert_eq!(bodies(&journal, &known).await, ["1", "2"]);
    assert_eq!(
        snapshot_of(&journal, &known).await,
        Some(snapshot(1, "one"))
    );
    assert_eq!(snapshot_of(&journal, &unknown).await, None);
    assert_eq!(threads(&journal).await, [known]);
}

pub(super) async fn trimming_drops_what_the_snapshot_takes_in(place: &impl JournalPlace) {
    let journal = place.open().await;
    let other = ThreadId::new("other");
    append(&journal, &other, 0, records(0, ["1", "2", "3"])).await;
    let far = i64::MAX.unsigned_abs();
    // Where the snapshot is, what is to be trimmed, and the first record that is left of five.
    for (seq, trim, first) in [
        (3, 0, 1),
        (3, 2, 3),
        (3, 3, 4),
        (3, 4, 4),
        (5, 4, 5),
        (5, 5, 5),
        (5, far, 5),
        (5, u64::MAX, 5),
        (1, u64::MAX, 2),
    ] {
        let thread = ThreadId::new(format!("{seq} {trim}"));
        let written = records(0, ["1", "2", "3", "4", "5"]);
        append(&journal, &thread, 0, written.clone()).await;
        compact(&journal, &thread, snapshot(seq, "taken in"), trim).await;
        let left = written.into_iter().filter(|record| record.seq >= first);
        let left: Vec<_> = left.collect();
        assert_eq!(read(&journal, &thread, 0).await, left, "{thread}");
        let kept = snapshot_of(&journal, &thread).await;
        assert_eq!(kept, Some(snapshot(seq, "taken in")), "{thread}");
    }
    // A snapshot that is passed over trims by the one that is kept; none trims what is gone.
    let thread = ThreadId::new("t");
    append(&journal, &thread, 0, records(0, ["1", "2", "3", "4", "5"])).await;
    compact(&journal, &thread, snapshot(4, "four"), 1).await;
    compact(&journal, &thread, snapshot(2, "two"), 3).await;
    assert_eq!(bodies(&journal, &thread).await, ["4", "5"]);
    compact(&journal, &thread, snapshot(5, "five"), 2).await;
    assert_eq!(bodies(&journal, &thread).await, ["4", "5"]);
    assert_eq!(bodies(&journal, &other).await, ["1", "2", "3"]);
}

pub(super) async fn a_trimmed_thread_goes_on(place: &impl JournalPlace) {
    let thread = ThreadId::new("t");
    let journal = place.open().await;
    append(&journal, &thread, 0, records(0, ["1", "2", "3"])).await;
    compact(&journal, &thread, snapshot(3, "three"), 3).await;
    drop(journal);

    let journal = place.open().await;
    assert_eq!(bodies(&journal, &thread).await, ["3"]);
    for head in [0, 1, 2, 4] {
        let late = refused(&journal, &thread, head, records(head, ["no"])).await;
        assert_conflict(&late);
    }
    assert_conflict(&refused(&journal, &thread, 1, Vec::new()).await);
    append(&journal, &thread, 3, Vec::new()).await;
    append(&journal, &thread, 3, records(3, ["4", "5"])).await;
    append(&journal, &thread, 5, records(5, ["6"])).await;
    for after in 0..8 {
        let rest: Vec<_> = records(2, ["3", "4", "5", "6"]);
        let rest: Vec<_> = rest.into_iter().filter(|left| left.seq > after).collect();
        assert_eq!(read(&journal, &thread, after).await, rest, "after {after}");
    }
    let last = records(5, ["6"]).remove(0);
    assert_eq!(heads(&journal, None, 9).await, [(thread.clone(), last)]);
    compact(&journal, &thread, snapshot(5, "five"), 4).await;
    append(&journal, &thread, 6, records(6, ["7"])).await;
    drop(journal);

    let journal = place.open().await;
    assert_eq!(bodies(&journal, &thread).await, ["5", "6", "7"]);
    let kept = snapshot_of(&journal, &thread).await;
    assert_eq!(kept, Some(snapshot(5, "five")));
}

pub(super) async fn a_dropped_compaction_leaves_both_or_neither(place: &impl JournalPlace) {
    let journal = place.open().await;
    for polls in 0..32 {
        let thread = ThreadId::new(format!("dropped after {polls} polls"));
        append(&journal, &thread, 0, records(0, ["1", "2", "3"])).await;
        {
            let mut compact = pin!(journal.compact(&thread, snapshot(2, "two"), 2));
            for _ in 0..polls {
                let polled = poll_fn(|cx| Poll::Ready(compact.as_mut().poll(cx))).await;
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
        let settled = [[(3, false); 2], [(1, true); 2]]
            .iter()
            .any(|two| looks.ends_with(two));
        assert!(settled, "{thread}: {looks:?}");
        append(&journal, &thread, 3, records(3, ["4"])).await;
    }
}

pub(super) async fn a_read_during_trimming_sees_no_gap(place: &impl JournalPlace) {
    let journal = Arc::new(place.open().await);
    for on in [On::OneThread, On::ManyThreads] {
        check_reads_during_trimming(&journal, on).await;
    }
}

async fn check_reads_during_trimming(journal: &Arc<impl Journal>, on: On) {
    let thread = ThreadId::new(format!("{on:?}"));
    append(journal, &thread, 0, records(0, ["1"])).await;
    let writer = spawn(on, {
        let (journal, thread) = (journal.clone(), thread.clone());
        async move {
            for head in 1..24 {
                let new = records(head, [(head + 1).to_string()]);
                append(&journal, &thread, head, new).await;
                let kept = snapshot(head, head.to_string());
                compact(&journal, &thread, kept, head - head % 4).await;
                yield_now().await;
            }
        }
    });
    loop {
        // The writer or its store may need this thread to get on.
        yield_now().await;
        let finished = writer.is_finished();
        let kept = snapshot_of(journal, &thread).await;
        let read = read(journal, &thread, 0).await;
        let first = read.first().map_or(0, |record| record.seq);
        let numbers = (first..).take(read.len()).map(|seq| seq.to_string());
        let whole = first > 0 && read == records(first - 1, numbers);
        assert!(whole, "a gap: {read:?}");
        // What was trimmed was taken in by a snapshot before.
        let kept = kept.map_or(0, |kept| kept.seq);
        let head = first - 1 + read.len() as u64;
        assert!(
            kept <= head,
            "a snapshot at {kept} of a thread up to {head}"
        );
        if finished {
            break;
        }
    }
    unless_panicked(writer.await);
    let kept = snapshot_of(journal, &thread).await;
    assert_eq!(kept, Some(snapshot(23, "23")));
    let left = (21..=24).map(|seq| seq.to_string()).collect::<Vec<_>>();
    assert_eq!(bodies(journal, &thread).await, left);
}
