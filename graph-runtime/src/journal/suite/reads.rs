//! The rules of reading.

use std::sync::Arc;

use tokio::task::yield_now;

use super::{JournalPlace, On, append, bodies, read, records, spawn, threads, unless_panicked};
use crate::journal::{Journal, ThreadId};

pub(super) async fn an_unknown_thread_reads_as_empty(place: &impl JournalPlace) {
    let journal = place.open().await;
    let nobody = ThreadId::new("nobody");
    for after in [0, 7] {
        assert_eq!(read(&journal, &nobody, after).await, [], "after {after}");
    }
    assert_eq!(threads(&journal).await, [], "a read makes no thread");
}

pub(super) async fn threads_do_not_see_each_other(place: &impl JournalPlace) {
    let journal = place.open().await;
    let (a, b) = (ThreadId::new("a"), ThreadId::new("b"));
    append(&journal, &a, 0, records(0, ["a1"])).await;
    append(&journal, &b, 0, records(0, ["b1", "b2"])).await;
    append(&journal, &a, 1, records(1, ["a2", "a3"])).await;
    assert_eq!(bodies(&journal, &a).await, ["a1", "a2", "a3"]);
    assert_eq!(bodies(&journal, &b).await, ["b1", "b2"]);
}

pub(super) async fn a_thread_can_have_any_name(place: &impl JournalPlace) {
    let long = "n".repeat(10 * 1024);
    let longer = format!("{long}n");
    let names = [
        "",
        " ",
        "A",
        "a",
        "a ",
        "%",
        "_",
        "a\0",
        "a\0b",
        "\0",
        "👩‍🚒",
        "é",
        "e\u{301}",
        "\u{10ffff}",
        "'; DROP TABLE entry; --",
        "../../etc/passwd",
        &long,
        &longer,
    ];
    let journal = place.open().await;
    for name in names {
        append(&journal, &ThreadId::new(name), 0, records(0, [name])).await;
    }
    drop(journal);

    let journal = place.open().await;
    for name in names {
        assert_eq!(bodies(&journal, &ThreadId::new(name)).await, [name]);
    }
    let mut sorted = names.map(ThreadId::new);
    sorted.sort();
    assert_eq!(threads(&journal).await, sorted);
}

pub(super) async fn a_read_begins_after_the_given_number(place: &impl JournalPlace) {
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    let written = records(0, ["1", "2", "3"]);
    append(&journal, &thread, 0, written.clone()).await;
    for after in [
        0,
        1,
        2,
        3,
        4,
        i64::MAX.unsigned_abs(),
        i64::MAX.unsigned_abs() + 1,
        u64::MAX,
    ] {
        let rest: Vec<_> = written
            .iter()
            .filter(|record| record.seq > after)
            .cloned()
            .collect();
        assert_eq!(read(&journal, &thread, after).await, rest, "after {after}");
    }
}

pub(super) async fn records_are_read_in_order(place: &impl JournalPlace) {
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    // Past 9 and 255, where an order by text or by bytes would differ.
    let numbers: Vec<_> = (1..=300).map(|number: u32| number.to_string()).collect();
    for (head, some) in (0..).step_by(7).zip(numbers.chunks(7)) {
        append(&journal, &thread, head, records(head, some)).await;
    }
    assert_eq!(bodies(&journal, &thread).await, numbers);
    assert_eq!(read(&journal, &thread, 0).await, records(0, numbers));
}

pub(super) async fn what_was_read_does_not_change(place: &impl JournalPlace) {
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    let written = records(0, ["1"]);
    append(&journal, &thread, 0, written.clone()).await;
    let mut before = read(&journal, &thread, 0).await;
    append(&journal, &thread, 1, records(1, ["2"])).await;
    assert_eq!(before, written);
    before[0].body.clear();
    assert_eq!(bodies(&journal, &thread).await, ["1", "2"]);
}

pub(super) async fn a_read_during_appends_sees_a_prefix(place: &impl JournalPlace) {
    let journal = Arc::new(place.open().await);
    for on in [On::OneThread, On::ManyThreads] {
        check_reads_during_appends(&journal, on).await;
    }
}

async fn check_reads_during_appends(journal: &Arc<impl Journal>, on: On) {
    let thread = ThreadId::new(format!("{on:?}"));
    let writer = spawn(on, {
        let (journal, thread) = (journal.clone(), thread.clone());
        async move {
            for head in (0..120).step_by(3) {
                let new = records(head, (head + 1..=head + 3).map(|seq| seq.to_string()));
                append(&journal, &thread, head, new).await;
            }
        }
    });
    let mut seen = 0;
    loop {
        // The writer or its store may need this thread to get on.
        yield_now().await;
        let finished = writer.is_finished();
        let read = bodies(journal, &thread).await;
        assert!(read.len() >= seen, "{} records after {seen}", read.len());
        assert!(read.len().is_multiple_of(3), "half of an append was seen");
        let in_order = read
            .iter()
            .zip(1..)
            .all(|(body, seq)| *body == seq.to_string());
        assert!(in_order, "{read:?}");
        seen = read.len();
        if finished {
            break;
        }
    }
    unless_panicked(writer.await);
    assert_eq!(seen, 120);
}

pub(super) async fn threads_are_listed_in_the_order_of_their_names(place: &impl JournalPlace) {
    let journal = place.open().await;
    let names = ["b", "a", "c10", "c9", "B", "ab", "é", "z"];
    for name in names {
        let thread = ThreadId::new(name);
        append(&journal, &thread, 0, records(0, ["1", "2"])).await;
    }
    let listed = threads(&journal).await;
    let listed: Vec<_> = listed.iter().map(ThreadId::as_str).collect();
    assert_eq!(listed, ["B", "a", "ab", "b", "c10", "c9", "z", "é"]);
}
