//! How much is committed at once, and what happens when there is no room for it.

use std::fs;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;

use futures_util::future::{join_all, poll_fn};
use rusqlite::Connection;

use super::Folder;
use crate::journal::Durability;
use crate::journal::suite::{bodies, records};
use crate::journal::{Journal, JournalError, ThreadId};

/// Awaits futures of which none can finish before all have begun, because the file is locked until then.
async fn all_at_once<F: Future>(
    file: &Path,
    futures: impl IntoIterator<Item = F>,
) -> Vec<F::Output> {
    let other = Connection::open(file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut all = pin!(join_all(futures));
    let begun = poll_fn(|cx| Poll::Ready(all.as_mut().poll(cx))).await;
    assert!(begun.is_pending());
    other.execute_batch("ROLLBACK").unwrap();
    all.await
}

/// Counts the commits in a WAL that never began anew: each ends with a frame that says how long the file is.
fn commits(file: &Path) -> usize {
    let wal = fs::read(file.with_extension("db-wal")).unwrap();
    let number = |at: usize| u32::from_be_bytes(wal[at..at + 4].try_into().unwrap());
    let page = number(8) as usize;
    (32..wal.len())
        .step_by(24 + page)
        .filter(|frame| number(frame + 4) != 0)
        .count()
}

#[tokio::test]
async fn appends_that_wait_share_a_commit() {
    let folder = Folder::new();
    let journal = folder.open().await;
    let threads: Vec<_> = (0..200)
        .map(|thread| ThreadId::new(thread.to_string()))
        .collect();
    journal
        .append(&threads[0], 0, records(0, ["alone"]), Durability::Sync)
        .await
        .unwrap();
    assert_eq!(commits(&folder.file()), 1);

    let appends = threads[1..]
        .iter()
        .map(|thread| journal.append(thread, 0, records(0, ["x"]), Durability::Sync));
    for answer in all_at_once(&folder.file(), appends).await {
        answer.unwrap();
    }
    // One of what had come when the writer began to wait for the file, one of the rest.
    assert!(
        (2..=3).contains(&commits(&folder.file())),
        "{}",
        commits(&folder.file())
    );
    assert_eq!(journal.threads().await.unwrap().len(), 200);
}

#[tokio::test]
async fn a_conflict_does_not_touch_the_others_in_its_commit() {
    let folder = Folder::new();
    let journal = folder.open().await;
    let threads = ["a", "b", "a", "c", "a"].map(ThreadId::new);
    let heads = [0, 0, 0, 0, 1];
    let appends = threads.iter().zip(heads).map(|(thread, head)| {
        journal.append(
            thread,
            head,
            records(head, [format!("{thread}{}", head + 1)]),
            Durability::Sync,
        )
    });
    let answers = all_at_once(&folder.file(), appends).await;
    let conflicts: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().is_err_and(JournalError::is_conflict))
        .collect();
    assert_eq!(conflicts, [false, false, true, false, false]);
    assert_eq!(bodies(&journal, &threads[0]).await, ["a1", "a2"]);
    assert_eq!(bodies(&journal, &threads[1]).await, ["b1"]);
    assert_eq!(bodies(&journal, &threads[3]).await, ["c1"]);
}

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit_and_keeps_the_rest() {
    let folder = Folder::new();
    let journal = folder.open().await;
    let (small, large) = (ThreadId::new("small"), ThreadId::new("large"));
    journal
        .append(&large, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap();
    journal.run("PRAGMA max_page_count = 16").await;

    // The large one stands between two that fit, in the same commit.
    let large_body = "x".repeat(100_000);
    let appends = [
        (&small, 0, "s1"),
        (&large, 1, &large_body),
        (&small, 1, "s2"),
    ];
    let appends = appends.map(|(thread, head, body)| {
        // Its first record would fit.
        let bodies = ["y", body].into_iter().skip(usize::from(thread == &small));
        journal.append(thread, head, records(head, bodies), Durability::Sync)
    });
    let answers = all_at_once(&folder.file(), appends).await;
    let [Ok(()), Err(full), Ok(())] = &answers[..] else {
        panic!("{answers:?}")
    };
    let JournalError::Full { place, .. } = full else {
        panic!("{full}")
    };
    assert_eq!(*place, folder.file().to_string_lossy());
    assert_eq!(bodies(&journal, &small).await, ["s1", "s2"]);
    assert_eq!(bodies(&journal, &large).await, ["1"]);

    let again = journal
        .append(&large, 1, records(1, [&large_body]), Durability::Sync)
        .await;
    assert!(matches!(again, Err(JournalError::Full { .. })));
    journal.run("PRAGMA max_page_count = 1000000").await;
    journal
        .append(&large, 1, records(1, [&large_body]), Durability::Sync)
        .await
        .unwrap();
    drop(journal);
    assert_eq!(
        bodies(&folder.open().await, &large).await,
        ["1", &large_body]
    );
}

#[tokio::test]
async fn a_commit_that_fails_writes_none_of_its_appends() {
    let folder = Folder::new();
    let journal = folder.open().await;
    // A reference that is checked only at the commit, and that nothing ever satisfies.
    journal
        .run(
            "PRAGMA foreign_keys = ON;
             CREATE TABLE none (id INTEGER PRIMARY KEY);
             CREATE TABLE broken (id INTEGER REFERENCES none DEFERRABLE INITIALLY DEFERRED);
             CREATE TEMP TRIGGER spoil AFTER INSERT ON main.entry WHEN new.thread = 'bad'
             BEGIN INSERT INTO broken VALUES (1); END;",
        )
        .await;
    let threads = ["good", "bad", "good"].map(ThreadId::new);
    let appends = threads
        .iter()
        .map(|thread| journal.append(thread, 0, records(0, ["1"]), Durability::Sync));
    let answers = all_at_once(&folder.file(), appends).await;
    // The first may have been a group of its own, depending on when the writer woke.
    for answer in &answers[1..] {
        let error = answer.as_ref().unwrap_err();
        assert!(
            matches!(error, JournalError::Store { .. }) || answers[0].is_ok(),
            "{error}"
        );
    }
    assert!(journal.read(&threads[1], 0).await.unwrap().is_empty());
    assert_eq!(
        journal.read(&threads[0], 0).await.unwrap().len(),
        usize::from(answers[0].is_ok())
    );

    journal.run("DROP TRIGGER spoil").await;
    let head = u64::from(answers[0].is_ok());
    journal
        .append(&threads[0], head, records(head, ["2"]), Durability::Sync)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_commit_waits_for_the_disk() {
    let folder = Folder::new();
    let journal = folder.open().await;
    // Refuses the connection's setting if it is not `FULL`.
    journal
        .run(
            "CREATE TEMP TABLE setting (synchronous INTEGER CHECK (synchronous = 2));
             INSERT INTO setting SELECT synchronous FROM pragma_synchronous",
        )
        .await;
}

#[tokio::test]
async fn what_is_read_after_an_append_was_dropped_is_final() {
    let folder = Folder::new();
    let journal = folder.open().await;
    let thread = ThreadId::new("t");
    for head in 0..20 {
        // The file is locked, so the append cannot be done before it is dropped.
        let other = Connection::open(folder.file()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        {
            let mut append =
                pin!(journal.append(&thread, head, records(head, ["dropped"]), Durability::Sync));
            let begun = poll_fn(|cx| Poll::Ready(append.as_mut().poll(cx))).await;
            assert!(begun.is_pending());
        }
        other.execute_batch("ROLLBACK").unwrap();
        let read = journal.read(&thread, head).await.unwrap();
        assert_eq!(read.len(), 1, "it was on its way");
    }
    journal
        .append(&thread, 20, records(20, ["next"]), Durability::Sync)
        .await
        .unwrap();
}
