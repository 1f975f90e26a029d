//! How much is committed at once, and what happens when there is no room for it.

use std::fs;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;

use futures_util::future::{Either, join, join_all, poll_fn};
use rusqlite::Connection;

use super::{Folder, database};
use crate::journal::Durability;
use crate::journal::suite::{bodies, records};
use crate::journal::{Journal, JournalError, Sqlite, ThreadId};

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

/// Awaits what changes a journal, all of it in one commit: the writer is at something else until all of
/// it has been handed in.
async fn in_one_commit<F: Future>(
    folder: &Folder,
    journal: &Sqlite,
    changes: impl IntoIterator<Item = F>,
) -> Vec<F::Output> {
    let busy = journal.run("BEGIN IMMEDIATE; COMMIT");
    let changes = join_all(changes);
    let file = folder.file();
    let mut both = all_at_once(&file, [async { join(busy, changes).await.1 }]).await;
    both.remove(0)
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

/// Returns, of each thread that is appended to, whether the commit waited for the disk, in order.
async fn waited(folder: &Folder, journal: &Sqlite, appends: &[(&str, Durability)]) -> Vec<bool> {
    let mut all = Vec::new();
    for (thread, durability) in appends {
        let thread = ThreadId::new(*thread);
        let head = journal.read(&thread, 0).await.unwrap().len() as u64;
        all.push((thread, head, *durability));
    }
    let appends = all.iter().map(async |(thread, head, durability)| {
        let new = records(*head, ["x"]);
        let appended = journal.append(thread, *head, new, *durability);
        appended.await.unwrap();
    });
    database(folder, "DELETE FROM seen");
    in_one_commit(folder, journal, appends).await;
    levels(folder)
}

/// Returns the settings that were seen, of which `true` is `FULL` and `false` is `NORMAL`.
fn levels(folder: &Folder) -> Vec<bool> {
    let file = database(folder, "");
    let mut seen = file.prepare("SELECT level FROM seen").unwrap();
    let seen = seen.query_map([], |row| row.get::<_, i64>(0)).unwrap();
    let level = |level| match level {
        1 => false,
        2 => true,
        other => panic!("synchronous is {other}"),
    };
    seen.map(|seen| level(seen.unwrap())).collect()
}

#[tokio::test]
async fn a_commit_waits_for_the_disk_unless_all_in_it_are_appends_at_level_step() {
    use Durability::{Exit, Step, Sync};
    let folder = Folder::new();
    let journal = folder.open().await;
    // The setting cannot change within a transaction, so what is seen within it is that of its commit.
    journal
        .run(
            "CREATE TABLE seen (level INTEGER);
             CREATE TEMP TRIGGER append AFTER INSERT ON main.entry
             BEGIN INSERT INTO seen SELECT synchronous FROM pragma_synchronous; END;
             CREATE TEMP TRIGGER remove AFTER DELETE ON main.entry
             BEGIN INSERT INTO seen SELECT synchronous FROM pragma_synchronous; END;",
        )
        .await;
    for (appends, waits) in [
        (&[("a", Sync)][..], true),
        (&[("a", Step)], false),
        (&[("a", Exit)], true),
        (&[("a", Step), ("b", Step), ("c", Step)], false),
        (&[("a", Step), ("b", Sync), ("c", Step)], true),
        (&[("a", Exit), ("b", Step)], true),
        (&[("a", Step), ("b", Step)], false),
    ] {
        let seen = waited(&folder, &journal, appends).await;
        assert_eq!(seen, vec![waits; appends.len()], "{appends:?}");
    }

    // What removes something waits, with all that is in its commit.
    database(&folder, "DELETE FROM seen");
    let [a, b] = ["a", "b"].map(ThreadId::new);
    let head = journal.read(&a, 0).await.unwrap().len() as u64;
    let append = async || {
        let appended = journal.append(&a, head, records(head, ["x"]), Step);
        appended.await.unwrap();
    };
    let delete = async || journal.delete(&b, None).await.unwrap();
    in_one_commit(
        &folder,
        &journal,
        [Either::Left(append()), Either::Right(delete())],
    )
    .await;
    let removed = levels(&folder);
    assert!(
        removed.len() > 2 && removed.iter().all(|waits| *waits),
        "{removed:?}"
    );
    database(&folder, "DELETE FROM seen");
    let snapshot = records(head - 1, ["snapshot"]).remove(0);
    journal.compact(&a, snapshot, 1).await.unwrap();
    assert_eq!(levels(&folder), [true]);
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

#[tokio::test]
async fn what_is_read_after_a_compaction_or_a_deletion_was_dropped_is_final() {
    let folder = Folder::new();
    let journal = folder.open().await;
    let thread = ThreadId::new("t");
    let appended = journal.append(&thread, 0, records(0, ["1", "2", "3"]), Durability::Sync);
    appended.await.unwrap();
    let snapshot = records(1, ["snapshot"]).remove(0);
    dropped_under_way(&folder, journal.compact(&thread, snapshot.clone(), 2)).await;
    assert_eq!(journal.snapshot(&thread).await.unwrap(), Some(snapshot));
    assert_eq!(bodies(&journal, &thread).await, ["3"]);
    dropped_under_way(&folder, journal.delete(&thread, None)).await;
    assert_eq!(journal.heads(None, 9).await.unwrap(), []);
    assert_eq!(journal.snapshot(&thread).await.unwrap(), None);
}

/// Drops a change while the file is locked, so that it cannot be done.
async fn dropped_under_way(folder: &Folder, change: impl Future) {
    let other = database(folder, "BEGIN IMMEDIATE");
    {
        let mut change = pin!(change);
        let begun = poll_fn(|cx| Poll::Ready(change.as_mut().poll(cx))).await;
        assert!(begun.is_pending());
    }
    other.execute_batch("ROLLBACK").unwrap();
}
