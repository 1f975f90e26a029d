//! The rules of copying.

use super::{JournalPlace, append, assert_conflict, read, threads};
use crate::error::chain;
use crate::journal::{Hash, Head, Journal, Record, ThreadId, copy_thread, verify};

/// Makes the entries of a thread, of which nothing counts but how they are linked.
fn entries(thread: &ThreadId, until: u64) -> Vec<Record> {
    let mut tail = Head::of(thread);
    let entry = |seq| {
        let prev = tail.hash;
        let body = format!(r#"{{"seq":{seq},"prev":"{prev}","graph":"Test#0","event":"{seq}"}}"#);
        tail = Head::new(seq, Hash::of(body.as_bytes()));
        Record::new(seq, tail.hash, body.into_bytes())
    };
    (1..=until).map(entry).collect()
}

async fn copied(journal: &impl Journal, from: &ThreadId, to: &ThreadId) -> Head {
    let copied = copy_thread(journal, from, to).await;
    copied.unwrap_or_else(|error| panic!("could not copy {from:?} to {to:?}: {}", chain(&error)))
}

pub(super) async fn a_thread_is_copied_in_order_and_stays_as_it_is(place: &impl JournalPlace) {
    let journal = place.open().await;
    let (from, to) = (ThreadId::new("from"), ThreadId::new("to"));
    // More than a store may take at once, and past where an order by text would differ.
    let written = entries(&from, 1200);
    append(&journal, &from, 0, written.clone()).await;
    let head = copied(&journal, &from, &to).await;
    drop(journal);

    let journal = place.open().await;
    assert_eq!(
        read(&journal, &from, 0).await,
        written,
        "what is copied stays"
    );
    let copy = read(&journal, &to, 0).await;
    match verify(&to, Head::of(&to), &copy, head.into()) {
        Ok(end) => assert_eq!(end, head, "it ends with what says where it is from"),
        Err(error) => panic!("the copy is damaged: {}", chain(&error)),
    }
    assert_eq!(head.seq, 1201);
    assert_eq!(copy[..1200], entries(&to, 1200), "as if it were written so");
    append(&journal, &from, 1200, vec![next(1201)]).await;
    append(&journal, &to, 1201, vec![next(1202)]).await;
    assert_eq!(read(&journal, &to, 0).await.len(), 1202);
}

pub(super) async fn a_copy_takes_the_place_of_no_thread(place: &impl JournalPlace) {
    let journal = place.open().await;
    let (from, there) = (ThreadId::new("from"), ThreadId::new("there"));
    append(&journal, &from, 0, entries(&from, 3)).await;
    append(&journal, &there, 0, entries(&there, 1)).await;
    for to in [&there, &from] {
        match copy_thread(&journal, &from, to).await {
            Err(error) => assert_conflict(&error),
            Ok(head) => panic!("it was copied over {to:?}, which ends with {head}"),
        }
    }
    assert_eq!(read(&journal, &there, 0).await, entries(&there, 1));
    assert_eq!(read(&journal, &from, 0).await, entries(&from, 3));

    let (nobody, new) = (ThreadId::new("nobody"), ThreadId::new("new"));
    let head = copied(&journal, &nobody, &new).await;
    assert_eq!(head, Head::of(&new), "of nothing, there is no copy");
    assert_eq!(threads(&journal).await, [from, there]);
}

/// Returns a record that whoever comes next may write.
fn next(seq: u64) -> Record {
    Record::new(seq, Hash::of(b"{}"), b"{}".to_vec())
}
