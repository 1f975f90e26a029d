//! Files of older formats, what becomes of them, and how a file is searched.

use std::slice;

use futures_util::future::join_all;
use rusqlite::Connection;

use super::{Folder, database};
use crate::error::chain;
use crate::journal::sqlite::{Sqlite, reader};
use crate::journal::suite::{bodies, records};
use crate::journal::{Durability, Hash, Journal, ThreadId};

/// What the first version made, word for word.
const OF_FORMAT_1: &str = "
    PRAGMA journal_mode = WAL;
    BEGIN;
    PRAGMA application_id = 1751215716;
    PRAGMA user_version = 1;
    CREATE TABLE entry (
        thread TEXT NOT NULL,
        seq INTEGER NOT NULL,
        hash BLOB NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (thread, seq)
    ) STRICT;
    COMMIT;";

/// Makes a file of the first version, with three records in two threads.
fn of_format_1() -> Folder {
    let folder = Folder::new();
    let file = database(&folder, OF_FORMAT_1);
    for (thread, seq, body) in [("t", 1, "1"), ("t", 2, "2"), ("u", 1, "u")] {
        let hash = Hash::of(body.as_bytes());
        let insert = "INSERT INTO entry VALUES (?1, ?2, ?3, ?4)";
        let row = (thread, seq, hash.as_bytes().as_slice(), body.as_bytes());
        file.execute(insert, row).unwrap();
    }
    folder
}

fn format(file: &Connection) -> i32 {
    file.pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_of_format_1_is_brought_up_and_used() {
    for _ in 0..10 {
        let folder = of_format_1();
        let opened = join_all((0..8).map(|_| tokio::spawn(Sqlite::open(folder.file())))).await;
        let journals: Vec<_> = opened
            .into_iter()
            .map(|opened| opened.unwrap().unwrap())
            .collect();
        assert_eq!(format(&database(&folder, "")), 2);
        let journal = &journals[0];
        let [t, u] = ["t", "u"].map(ThreadId::new);
        assert_eq!(bodies(journal, &t).await, ["1", "2"]);
        assert_eq!(journal.heads(None, 9).await.unwrap().len(), 2);
        assert!(journal.snapshot(&t).await.unwrap().is_none());
        let snapshot = records(1, ["snapshot"]).remove(0);
        journal.compact(&t, snapshot.clone(), 1).await.unwrap();
        journal.delete(&u, None).await.unwrap();
        let appended = journals[1].append(&t, 2, records(2, ["3"]), Durability::Sync);
        appended.await.unwrap();
        drop(journals);

        let journal = folder.open().await;
        assert_eq!(bodies(&journal, &t).await, ["2", "3"]);
        assert_eq!(journal.snapshot(&t).await.unwrap(), Some(snapshot));
        assert_eq!(journal.threads().await.unwrap(), slice::from_ref(&t));
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_brought_up_stays_as_it_is() {
    let folder = of_format_1();
    let file = database(&folder, "CREATE TABLE snapshot (id INTEGER)");
    let error = Sqlite::open(folder.file()).await.unwrap_err();
    assert!(
        chain(&error).contains("already exists"),
        "{}",
        chain(&error)
    );
    assert_eq!(format(&file), 1);
    file.execute_batch("DROP TABLE snapshot").unwrap();
    let journal = folder.open().await;
    assert_eq!(bodies(&journal, &"t".into()).await, ["1", "2"]);
}

#[tokio::test]
async fn an_older_version_that_has_the_file_open_goes_on() {
    let folder = of_format_1();
    let older = database(&folder, "SELECT 1");
    let journal = folder.open().await;
    let hash = Hash::of(b"3");
    let row = (hash.as_bytes().as_slice(), b"3".as_slice());
    older
        .execute("INSERT INTO entry VALUES ('t', 3, ?1, ?2)", row)
        .unwrap();
    assert_eq!(bodies(&journal, &"t".into()).await, ["1", "2", "3"]);
}

#[tokio::test]
async fn what_is_removed_is_overwritten_in_the_file() {
    let folder = Folder::new();
    let thread = ThreadId::new("t");
    let journal = folder.open().await;
    let secret = |number: u32| format!("the number of my card is {number:0>3000}");
    let appended = journal.append(&thread, 0, records(0, (0..9).map(secret)), Durability::Sync);
    appended.await.unwrap();
    let snapshot = records(8, [secret(99)]).remove(0);
    journal.compact(&thread, snapshot, 3).await.unwrap();
    journal.delete(&thread, None).await.unwrap();
    drop(journal);
    let bytes = std::fs::read(folder.file()).unwrap();
    let is_left = bytes.windows(12).any(|window| window == b"number of my");
    assert!(!is_left);
    assert!(!bytes.windows(9).any(|window| window == b"000000000"));
}

#[tokio::test]
async fn threads_are_listed_without_walking_along_all_entries() {
    let folder = Folder::new();
    drop(folder.open().await);
    let file = database(&folder, "");
    for sql in [reader::THREADS, reader::HEADS] {
        let mut plan = file.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let count = plan.parameter_count();
        let parameters = [&"a" as &dyn rusqlite::ToSql, &7];
        let steps = plan.query_map(&parameters[..count], |row| row.get::<_, String>(3));
        let steps: Vec<_> = steps.unwrap().map(Result::unwrap).collect();
        let of_table = |step: &&String| step.contains("entry") || step.contains("last");
        let all: Vec<_> = steps.iter().filter(of_table).collect();
        assert!(!all.is_empty(), "{steps:?}");
        assert!(
            all.iter().all(|step| step.starts_with("SEARCH")),
            "{steps:#?}"
        );
    }
}
