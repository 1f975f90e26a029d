//! Files: shared, damaged, closed.

use std::fs;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::{Folder, database, everything_in};
use crate::error::chain;
use crate::journal::Durability;
use crate::journal::sqlite::{Sqlite, schema};
use crate::journal::suite::{bodies, records};
use crate::journal::{Journal, JournalError, ThreadId};

#[tokio::test]
async fn an_empty_file_becomes_a_journal() {
    let folder = Folder::new();
    fs::write(folder.file(), "").unwrap();
    drop(folder.open().await);
    drop(folder.open().await);
}

#[tokio::test]
async fn a_file_whose_first_writer_died_in_a_transaction_is_opened() {
    let (dying, folder) = (Folder::new(), Folder::new());
    // So small a cache that the transaction is partly in the file before it ends.
    let other = database(
        &dying,
        "PRAGMA cache_size = 1; BEGIN; CREATE TABLE entry (body BLOB)",
    );
    other
        .execute("INSERT INTO entry VALUES (randomblob(1000000))", [])
        .unwrap();
    for name in ["journal.db", "journal.db-journal"] {
        let copied = fs::copy(dying.0.path().join(name), folder.0.path().join(name)).unwrap();
        assert!(copied > 0);
    }
    let journal = folder.open().await;
    assert!(journal.threads().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_place_that_cannot_hold_a_journal_is_named_with_the_reason() {
    let folder = Folder::new();
    let places = [
        (
            folder.0.path().join("missing/journal.db"),
            "missing`; create it first",
        ),
        (folder.0.path().to_owned(), "it is a folder"),
        (":memory:".into(), "has to be a file"),
        ("".into(), "has to be a file"),
    ];
    for (place, reason) in places {
        let error = Sqlite::open(&place).await.unwrap_err();
        let text = chain(&error);
        assert!(matches!(error, JournalError::Store { .. }), "{text}");
        assert!(
            text.contains(reason) && text.contains(&*place.to_string_lossy()),
            "{text}"
        );
    }
    assert!(everything_in(&folder).is_empty());
}

#[test]
fn a_sqlite_that_can_damage_shared_files_is_refused() {
    assert!(schema::check_version("journal.db", 3_051_003).is_ok());
    let error = schema::check_version("journal.db", 3_040_001).unwrap_err();
    assert!(chain(&error).contains("SQLite 3.40.1"), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_can_open_a_new_file_at_once() {
    for _ in 0..10 {
        let folder = Folder::new();
        let opening: Vec<_> = (0..8)
            .map(|_| tokio::spawn(Sqlite::open(folder.file())))
            .collect();
        for (head, journal) in (0..).zip(opening) {
            let journal = journal.await.unwrap().unwrap();
            journal
                .append(
                    &ThreadId::new("t"),
                    head,
                    records(head, ["x"]),
                    Durability::Sync,
                )
                .await
                .unwrap();
        }
        assert_eq!(
            bodies(&folder.open().await, &ThreadId::new("t"))
                .await
                .len(),
            8
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_have_the_file_open_fence_each_other() {
    let folder = Folder::new();
    let thread = ThreadId::new("t");
    let (a, b) = (folder.open().await, folder.open().await);
    a.append(&thread, 0, records(0, ["a"]), Durability::Sync)
        .await
        .unwrap();
    assert!(
        b.append(&thread, 0, records(0, ["b"]), Durability::Sync)
            .await
            .unwrap_err()
            .is_conflict()
    );
    assert_eq!(bodies(&b, &thread).await, ["a"]);

    for head in 1..50 {
        let race = |journal: &Sqlite, body: &str| {
            let (journal, thread, new) = (journal.clone(), thread.clone(), records(head, [body]));
            tokio::spawn(async move { journal.append(&thread, head, new, Durability::Sync).await })
        };
        let (a, b) = (race(&a, "a"), race(&b, "b"));
        let (a, b) = (a.await.unwrap(), b.await.unwrap());
        assert!(a.is_ok() != b.is_ok());
        assert!(a.and(b).unwrap_err().is_conflict());
    }
    // Closing one leaves the other its WAL.
    drop(a);
    b.append(&thread, 50, records(50, ["last"]), Durability::Sync)
        .await
        .unwrap();
    drop(b);
    assert_eq!(bodies(&folder.open().await, &thread).await.len(), 51);
}

#[tokio::test]
async fn dropping_the_last_handle_finishes_what_was_begun_and_closes_the_file() {
    let folder = Folder::new();
    let journal = folder.open().await;
    let clone = journal.clone();
    let threads: Vec<_> = (0..100)
        .map(|thread| ThreadId::new(format!("{thread:02}")))
        .collect();
    for thread in &threads {
        let mut append = pin!(journal.append(thread, 0, records(0, ["1", "2"]), Durability::Sync));
        let _ = poll_fn(|cx| Poll::Ready(append.as_mut().poll(cx))).await;
    }
    drop(journal);
    assert!(clone.read(&threads[0], 5).await.unwrap().is_empty());
    drop(clone);

    let names: Vec<_> = everything_in(&folder)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        ["journal.db"],
        "the WAL was not folded into the file"
    );
    let journal = folder.open().await;
    assert_eq!(journal.threads().await.unwrap(), threads);
    assert_eq!(bodies(&journal, &threads[99]).await, ["1", "2"]);
}

#[tokio::test]
async fn a_damaged_page_is_an_error_that_says_what_to_do() {
    let folder = Folder::new();
    let thread = ThreadId::new("t");
    let journal = folder.open().await;
    journal
        .append(
            &thread,
            0,
            records(0, (0..200).map(|_| "x".repeat(500))),
            Durability::Sync,
        )
        .await
        .unwrap();
    drop(journal);
    let mut bytes = fs::read(folder.file()).unwrap();
    bytes[4096..].fill(0x5a);
    fs::write(folder.file(), bytes).unwrap();

    let journal = folder.open().await;
    let errors = [
        journal.read(&thread, 0).await.unwrap_err(),
        journal.threads().await.unwrap_err(),
        journal
            .append(&thread, 200, records(200, ["x"]), Durability::Sync)
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, JournalError::Corrupt { .. }), "{error:?}");
        assert!(!error.is_retryable());
        let text = chain(&error);
        for part in ["backup", "journal.db", "sqlite3 FILE .recover"] {
            assert!(text.contains(part), "`{part}` is missing in: {text}");
        }
    }
}

#[tokio::test]
async fn a_record_whose_hash_was_cut_is_damaged() {
    let folder = Folder::new();
    let thread = ThreadId::new("t");
    let journal = folder.open().await;
    journal
        .append(&thread, 0, records(0, ["1", "2"]), Durability::Sync)
        .await
        .unwrap();
    journal
        .run("UPDATE entry SET hash = x'00' WHERE seq = 2")
        .await;
    let error = journal.read(&thread, 0).await.unwrap_err();
    assert!(
        matches!(error, JournalError::Damaged { seq: 2, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_without_its_table_is_an_error() {
    let folder = Folder::new();
    drop(folder.open().await);
    drop(database(&folder, "DROP TABLE entry"));
    let error = Sqlite::open(folder.file()).await.unwrap_err();
    assert!(chain(&error).contains("no such table"), "{}", chain(&error));
}
