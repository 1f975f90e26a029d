//! The rules of reading.

use std::sync::Arc;

use super::{Place, bodies, records};
use crate::journal::{Journal, ThreadId};

pub(crate) async fn an_unknown_thread_reads_as_empty(place: &impl Place) {
    let journal = place.open().await;
    assert!(
        journal
            .read(&ThreadId::new("nobody"), 0)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        journal
            .read(&ThreadId::new("nobody"), 7)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(journal.threads().await.unwrap().is_empty());
}

pub(crate) async fn threads_do_not_see_each_other(place: &impl Place) {
    let journal = place.open().await;
    let (a, b) = (ThreadId::new("a"), ThreadId::new("b"));
    journal.append(&a, 0, records(0, ["a1"])).await.unwrap();
    journal
        .append(&b, 0, records(0, ["b1", "b2"]))
        .await
        .unwrap();
    journal
        .append(&a, 1, records(1, ["a2", "a3"]))
        .await
        .unwrap();
    assert_eq!(bodies(&journal, &a).await, ["a1", "a2", "a3"]);
    assert_eq!(bodies(&journal, &b).await, ["b1", "b2"]);
}

pub(crate) async fn a_thread_can_have_any_name(place: &impl Place) {
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
        journal
            .append(&ThreadId::new(name), 0, records(0, [name]))
            .await
            .unwrap();
    }
    drop(journal);

    let journal = place.open().await;
    for name in names {
        assert_eq!(bodies(&journal, &ThreadId::new(name)).await, [name]);
    }
    let mut sorted = names.map(ThreadId::new);
    sorted.sort();
    assert_eq!(journal.threads().await.unwrap(), sorted);
}

pub(crate) async fn a_read_begins_after_the_given_number(place: &impl Place) {
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    let written = records(0, ["1", "2", "3"]);
    journal.append(&thread, 0, written.clone()).await.unwrap();
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
        assert_eq!(
            journal.read(&thread, after).await.unwrap(),
            rest,
            "after {after}"
        );
    }
}

pub(crate) async fn records_are_read_in_order(place: &impl Place) {
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    // Past 9 and 255, where an order by text or by bytes would differ.
    let numbers: Vec<_> = (1..=300).map(|number: u32| number.to_string()).collect();
    for (head, some) in (0..).step_by(7).zip(numbers.chunks(7)) {
        journal
            .append(&thread, head, records(head, some))
            .await
            .unwrap();
    }
    assert_eq!(bodies(&journal, &thread).await, numbers);
    assert_eq!(journal.read(&thread, 0).await.unwrap(), records(0, numbers));
}

pub(crate) async fn what_was_read_does_not_change(place: &impl Place) {
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    let written = records(0, ["1"]);
    journal.append(&thread, 0, written.clone()).await.unwrap();
    let mut before = journal.read(&thread, 0).await.unwrap();
    journal.append(&thread, 1, records(1, ["2"])).await.unwrap();
    assert_eq!(before, written);
    before[0].body.clear();
    assert_eq!(bodies(&journal, &thread).await, ["1", "2"]);
}

pub(crate) async fn a_read_during_appends_sees_a_prefix(place: &impl Place) {
    let journal = Arc::new(place.open().await);
    let thread = ThreadId::new("t");
    let writer = tokio::spawn({
        let (journal, thread) = (journal.clone(), thread.clone());
        async move {
            for head in (0..120).step_by(3) {
                let new = records(head, (head + 1..=head + 3).map(|seq| seq.to_string()));
                journal.append(&thread, head, new).await.unwrap();
            }
        }
    });
    let mut seen = 0;
    loop {
        let finished = writer.is_finished();
        let read = bodies(&*journal, &thread).await;
        assert!(read.len() >= seen, "{} records after {seen}", read.len());
        assert!(read.len().is_multiple_of(3), "half of an append was seen");
        assert!(
            read.iter()
                .zip(1..)
                .all(|(body, seq)| *body == seq.to_string())
        );
        seen = read.len();
        if finished {
            break;
        }
    }
    writer.await.unwrap();
    assert_eq!(seen, 120);
}

pub(crate) async fn threads_are_listed_in_the_order_of_their_names(place: &impl Place) {
    let journal = place.open().await;
    let names = ["b", "a", "c10", "c9", "B", "ab", "é", "z"];
    for name in names {
        let thread = ThreadId::new(name);
        journal
            .append(&thread, 0, records(0, ["1", "2"]))
            .await
            .unwrap();
    }
    let listed = journal.threads().await.unwrap();
    let listed: Vec<_> = listed.iter().map(ThreadId::as_str).collect();
    assert_eq!(listed, ["B", "a", "ab", "b", "c10", "c9", "z", "é"]);
}
