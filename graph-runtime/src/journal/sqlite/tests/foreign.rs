//! Files that are none of ours stay as they are.

use std::fs;

use rusqlite::config::DbConfig;

use super::{Folder, database, everything_in};
use crate::journal::{JournalError, Sqlite};

async fn check_is_refused(folder: &Folder, reason: &str) {
    let before = everything_in(folder);
    let error = Sqlite::open(folder.file()).await.unwrap_err();
    assert!(matches!(error, JournalError::Foreign { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains(reason) && text.contains("journal.db"),
        "{text}"
    );
    assert_eq!(everything_in(folder), before);
}

#[tokio::test]
async fn a_text_file_is_refused_and_stays_as_it_is() {
    let folder = Folder::new();
    for text in [
        "x",
        "customer-42\n",
        &"a long text, longer than a page. ".repeat(1000),
    ] {
        fs::write(folder.file(), text).unwrap();
        check_is_refused(&folder, "not a SQLite database").await;
    }
}

#[tokio::test]
async fn another_programs_database_is_refused_and_stays_as_it_is() {
    let sqls = [
        "CREATE TABLE orders (id INTEGER PRIMARY KEY); INSERT INTO orders VALUES (1)",
        "CREATE TABLE entry (thread TEXT, seq INTEGER, hash BLOB, body BLOB)",
        "PRAGMA application_id = 7",
        "PRAGMA user_version = 1",
    ];
    for sql in sqls {
        let folder = Folder::new();
        drop(database(&folder, sql));
        check_is_refused(&folder, "another program's database").await;
    }
}

#[tokio::test]
async fn another_programs_database_keeps_its_wal() {
    let folder = Folder::new();
    let other = database(
        &folder,
        "PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER)",
    );
    // As a program does that crashes: its WAL is not folded into its database.
    other
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .unwrap();
    drop(other);
    let without_index = |folder| {
        let mut files = everything_in(folder);
        files.retain(|(name, _)| !name.ends_with("-shm"));
        files
    };
    let before = without_index(&folder);
    assert_eq!(before.len(), 2);
    let error = Sqlite::open(folder.file()).await.unwrap_err();
    assert!(
        error.to_string().contains("another program's database"),
        "{error}"
    );
    assert_eq!(without_index(&folder), before);
}

#[tokio::test]
async fn a_journal_of_a_newer_version_is_refused_and_stays_as_it_is() {
    let folder = Folder::new();
    drop(folder.open().await);
    drop(database(
        &folder,
        "PRAGMA journal_mode = DELETE; PRAGMA user_version = 3",
    ));
    check_is_refused(&folder, "update").await;
}
