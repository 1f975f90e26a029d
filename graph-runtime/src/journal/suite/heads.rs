//! The rules of listing what is last in each thread.

use std::slice;
use std::sync::Arc;

use tokio::task::yield_now;

use super::{
    JournalPlace, On, append, compact, delete, heads, read, records, snapshot, spawn, threads,
    unless_panicked,
};
use crate::journal::{Journal, Record, ThreadId};

pub(super) async fn the_last_record_of_each_thread_is_listed(place: &impl JournalPlace) {
    let mut journal = place.open().await;
    assert_eq!(heads(&journal, None, 99).await, []);
    let names = ["b", "a", "c10", "c9", "B", "ab", "é", "z", ""];
    for (count, name) in (1..).zip(names) {
        let bodies = (1..=count).map(|seq| format!("{name} {seq}"));
        append(&journal, &ThreadId::new(name), 0, records(0, bodies)).await;
    }
    append(&journal, &"a".into(), 2, records(2, ["last of a"])).await;
    compact(&journal, &"c10".into(), snapshot(3, "c10"), 3).await;
    delete(&journal, &"z".into()).await;
    let expected = [
        ("", 9, " 9"),
        ("B", 5, "B 5"),
        ("a", 3, "last of a"),
        ("ab", 6, "ab 6"),
        ("b", 1, "b 1"),
        ("c10", 3, "c10 3"),
        ("c9", 4, "c9 4"),
        ("é", 7, "é 7"),
    ];
    for reopened in [false, true] {
        if reopened {
            drop(journal);
            journal = place.open().await;
        }
        let listed = heads(&journal, None, 99).await;
        let text = |(thread, last): &(ThreadId, Record)| {
            let body = String::from_utf8_lossy(&last.body).into_owned();
            (thread.to_string(), last.seq, body)
        };
        let texts: Vec<_> = listed.iter().map(text).collect();
        let expected = expected.map(|(name, seq, body)| (name.to_owned(), seq, body.to_owned()));
        assert_eq!(texts, expected, "reopened: {reopened}");
        for (thread, last) in &listed {
            let read = read(&journal, thread, last.seq - 1).await;
            assert_eq!(read, slice::from_ref(last));
        }
    }
}

pub(super) async fn last_records_are_listed_page_by_page(place: &impl JournalPlace) {
    let journal = place.open().await;
    // Names that begin alike for longer than an index may look.
    let long = "n".repeat(3000);
    let mut names: Vec<_> = ["", "\0", "a", "a\0", "a\0b", "aa", "b", "é", "\u{10ffff}"]
        .map(str::to_owned)
        .to_vec();
    names.extend([2, 99, 100, 101, 3000].map(|length| long[..length].to_owned()));
    names.extend(["x", "y", "y\0", "z"].map(|end| format!("{long}{end}")));
    for name in &names {
        append(
            &journal,
            &ThreadId::new(name.as_str()),
            0,
            records(0, [name]),
        )
        .await;
    }
    names.sort();
    let of = |names: &[String]| -> Vec<(ThreadId, Record)> {
        let head = |name: &String| (ThreadId::from(name), records(0, [name]).remove(0));
        names.iter().map(head).collect()
    };
    let all = of(&names);
    for size in [1, 2, 3, 7, names.len(), usize::MAX] {
        let mut listed = Vec::new();
        loop {
            let after = listed.last().map(|(thread, _): &(ThreadId, _)| thread);
            let page = heads(&journal, after, size).await;
            assert!(page.len() <= size, "{} are more than {size}", page.len());
            if page.is_empty() {
                break;
            }
            listed.extend(page);
            assert!(
                listed.len() <= all.len(),
                "pages of {size} repeat themselves"
            );
        }
        assert!(listed == all, "pages of {size}: {:?}", names_of(&listed));
    }
    // A page can begin behind any name, be there a thread of it or not.
    for after in [
        "",
        "\0\0",
        "a",
        "aab",
        &long[..50],
        &format!("{long}xx"),
        "\u{10ffff}",
    ] {
        let expected = of(&names[names.partition_point(|name| name.as_str() <= after)..]);
        let listed = heads(&journal, Some(&after.into()), 99).await;
        assert!(
            listed == expected,
            "after {after:?}: {:?}",
            names_of(&listed)
        );
    }
    assert_eq!(heads(&journal, None, 0).await, []);
    let listed = threads(&journal).await;
    assert!(listed.iter().eq(all.iter().map(|(thread, _)| thread)));
}

fn names_of(heads: &[(ThreadId, Record)]) -> Vec<&str> {
    heads.iter().map(|(thread, _)| thread.as_str()).collect()
}

pub(super) async fn a_list_during_appends_sees_their_ends(place: &impl JournalPlace) {
    let journal = Arc::new(place.open().await);
    for on in [On::OneThread, On::ManyThreads] {
        check_lists_during_appends(&journal, on).await;
    }
}

async fn check_lists_during_appends(journal: &Arc<impl Journal>, on: On) {
    let thread = ThreadId::new(format!("{on:?}"));
    let writer = spawn(on, {
        let (journal, thread) = (journal.clone(), thread.clone());
        async move {
            for head in (0..60).step_by(3) {
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
        let listed = heads(journal, None, 99).await;
        let head = listed.iter().find(|(listed, _)| *listed == thread);
        if let Some((_, head)) = head {
            assert_eq!(head.body, head.seq.to_string().as_bytes());
            assert!(head.seq >= seen, "record {} after {seen}", head.seq);
            assert!(head.seq.is_multiple_of(3), "half of an append was seen");
            seen = head.seq;
        }
        if finished {
            break;
        }
    }
    unless_panicked(writer.await);
    assert_eq!(seen, 60);
}
