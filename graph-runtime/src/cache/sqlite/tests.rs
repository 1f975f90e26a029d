//! What only a file can do.

use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::cache::tests::{HOUR, Hands, key};
use crate::cache::{CachePlace, millis};
use crate::journal::Sqlite;

/// A folder with a cache in it.
struct Folder(TempDir, Hands);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap(), Hands::default())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("cache.db")
    }

    /// Opens the file without the cache.
    fn sql(&self) -> Connection {
        Connection::open(self.file()).unwrap()
    }

    async fn refused(&self) -> CacheError {
        SqliteCache::open(self.file()).await.unwrap_err()
    }
}

impl CachePlace for Folder {
    type Cache = SqliteCache;

    async fn open(&self) -> SqliteCache {
        SqliteCache::with_clock(&self.file(), self.1.clock())
            .await
            .unwrap()
    }

    async fn pass(&self, time: Duration) {
        self.1.pass(millis(time));
    }
}

cache_suite!(sqlite_keeps_the_rules, Folder::new());

#[tokio::test]
async fn what_is_over_is_removed_from_the_file() {
    let folder = Folder::new();
    let cache = folder.open().await;
    for n in 0..250 {
        let ttl = Duration::from_secs(1 + n);
        cache
            .put(&key(&n.to_string()), vec![0; 100], ttl)
            .await
            .unwrap();
    }
    let rows = || {
        let sql = "SELECT count(*) FROM result";
        folder
            .sql()
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!(rows(), 250);
    folder.1.pass(1_000);
    cache.put(&key("one"), Vec::new(), HOUR).await.unwrap();
    assert_eq!(rows(), 250, "one came, one went");
    folder.1.pass(1_000_000);
    for left in [151, 52, 4, 5] {
        cache
            .put(&key(&left.to_string()), Vec::new(), HOUR)
            .await
            .unwrap();
        assert!(rows() <= left + 1, "{} of {left}", rows());
    }
}

#[tokio::test]
async fn two_keys_of_one_hash_are_not_taken_for_each_other() {
    let folder = Folder::new();
    let cache = folder.open().await;
    cache.put(&key("a"), b"of a".to_vec(), HOUR).await.unwrap();
    for column in ["graph", "node", "key"] {
        let sql = format!("UPDATE result SET {column} = 'other'");
        assert_eq!(folder.sql().execute(&sql, []).unwrap(), 1);
        assert_eq!(cache.get(&key("a")).await.unwrap(), None, "{column}");
        cache.put(&key("a"), b"of a".to_vec(), HOUR).await.unwrap();
        assert!(cache.get(&key("a")).await.unwrap().is_some(), "{column}");
    }
}

#[tokio::test]
async fn a_value_that_is_not_what_was_put_is_an_error() {
    let folder = Folder::new();
    let cache = folder.open().await;
    cache
        .put(&key("a"), b"{\"amount\":1}".to_vec(), HOUR)
        .await
        .unwrap();
    let sql = r#"UPDATE result SET value = CAST('{"amount":2}' AS BLOB)"#;
    assert_eq!(folder.sql().execute(sql, []).unwrap(), 1);
    let error = cache.get(&key("a")).await.unwrap_err();
    assert!(matches!(error, CacheError::Corrupt { .. }), "{error:?}");
    // It is as good as none: the next put mends it.
    cache.put(&key("a"), b"{}".to_vec(), HOUR).await.unwrap();
    assert!(cache.get(&key("a")).await.unwrap().is_some());
}

#[tokio::test]
async fn files_that_are_none_of_ours_are_refused_and_stay_as_they_are() {
    let long = "a long text, longer than a page. ".repeat(1000);
    for text in ["x", "customer-42\n", &long] {
        let folder = Folder::new();
        fs::write(folder.file(), text).unwrap();
        let error = folder.refused().await;
        assert!(matches!(error, CacheError::Foreign { .. }), "{error:?}");
        assert!(
            error.to_string().contains("not a SQLite database"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(folder.file()).unwrap(), text);
    }
    for sql in [
        "CREATE TABLE orders (id INTEGER PRIMARY KEY)",
        "PRAGMA application_id = 7",
        "PRAGMA user_version = 1",
    ] {
        let folder = Folder::new();
        folder.sql().execute_batch(sql).unwrap();
        let before = fs::read(folder.file()).unwrap();
        let error = folder.refused().await;
        assert!(matches!(error, CacheError::Foreign { .. }), "{error:?}");
        assert_eq!(fs::read(folder.file()).unwrap(), before);
    }
}

#[tokio::test]
async fn a_journal_is_no_cache_and_a_cache_no_journal() {
    let folder = Folder::new();
    drop(Sqlite::open(folder.file()).await.unwrap());
    let error = folder.refused().await;
    assert!(error.to_string().contains("such as a journal"), "{error}");

    let folder = Folder::new();
    drop(folder.open().await);
    Sqlite::open(folder.file()).await.unwrap_err();
}

#[tokio::test]
async fn a_cache_of_a_newer_version_is_refused() {
    let folder = Folder::new();
    drop(folder.open().await);
    folder
        .sql()
        .execute_batch("PRAGMA user_version = 2")
        .unwrap();
    let error = folder.refused().await;
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[tokio::test]
async fn a_path_that_cannot_be_is_refused() {
    let folder = Folder::new();
    let missing = folder.0.path().join("missing").join("cache.db");
    for (path, reason) in [
        (missing, "there is no folder"),
        (folder.0.path().into(), "a folder"),
    ] {
        let error = SqliteCache::open(path).await.unwrap_err();
        assert!(matches!(error, CacheError::Store { .. }), "{error:?}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(reason), "{source}");
    }
}

/// Overwrites a page of a file that holds a value of many, and counts how reads and puts end.
#[tokio::test]
async fn a_damaged_file_is_an_error_and_no_panic() {
    let folder = Folder::new();
    let cache = folder.open().await;
    for n in 0..20 {
        let value = vec![n; 3000];
        cache.put(&key(&n.to_string()), value, HOUR).await.unwrap();
    }
    drop(cache);
    let whole = fs::read(folder.file()).unwrap();
    let pages = whole.len() / 4096;
    let mut failed = 0;
    for page in 0..pages {
        let mut damaged = whole.clone();
        damaged[page * 4096..][..4096].fill(0xa5);
        fs::write(folder.file(), damaged).unwrap();
        match SqliteCache::with_clock(&folder.file(), folder.1.clock()).await {
            Err(error) => {
                assert!(!matches!(error, CacheError::Store { .. }), "{error:?}");
                failed += 1;
            }
            Ok(cache) => {
                for n in 0..20 {
                    match cache.get(&key(&n.to_string())).await {
                        Ok(found) => assert!(found.is_none_or(|found| found == vec![n; 3000])),
                        Err(CacheError::Corrupt { .. }) => failed += 1,
                        Err(error) => panic!("page {page}: {error:?}"),
                    }
                    let _ = cache.put(&key("new"), vec![n; 3000], HOUR).await;
                }
            }
        }
        for file in ["cache.db-wal", "cache.db-shm"] {
            let _ = fs::remove_file(folder.0.path().join(file));
        }
    }
    assert!(failed > pages, "{failed} reads failed");

    fs::write(folder.file(), &whole[..whole.len() / 2]).unwrap();
    if let Ok(cache) = SqliteCache::open(folder.file()).await {
        for n in 0..20 {
            let _ = cache.get(&key(&n.to_string())).await;
        }
    }
}

#[tokio::test]
async fn many_that_open_a_new_file_at_once_all_get_it() {
    let folder = Folder::new();
    let caches = futures::future::join_all((0..8).map(|_| folder.open())).await;
    for (n, cache) in (0..).zip(&caches) {
        cache.put(&key("a"), vec![n], HOUR).await.unwrap();
    }
    for cache in &caches {
        assert_eq!(cache.get(&key("a")).await.unwrap(), Some(vec![7]));
    }
}

#[tokio::test]
async fn a_put_that_nobody_waits_for_does_no_harm() {
    let folder = Folder::new();
    let cache = folder.open().await;
    let dropped = key("dropped");
    let put = cache.put(&dropped, vec![0; 100_000], HOUR);
    let _ = tokio::time::timeout(Duration::ZERO, put).await;
    cache.put(&key("a"), b"1".to_vec(), HOUR).await.unwrap();
    assert_eq!(cache.get(&dropped).await.unwrap(), Some(vec![0; 100_000]));
}

#[tokio::test]
async fn a_file_that_another_keeps_locked_is_an_error() {
    let folder = Folder::new();
    let cache = folder.open().await;
    cache
        .ask("test", |store| store.wait_for(Duration::ZERO))
        .await
        .unwrap();
    let other = folder.sql();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = cache.put(&key("a"), b"1".to_vec(), HOUR).await.unwrap_err();
    assert!(matches!(error, CacheError::Store { .. }), "{error:?}");
    // Reading goes on.
    assert_eq!(cache.get(&key("a")).await.unwrap(), None);
    other.execute_batch("COMMIT").unwrap();
    cache.put(&key("a"), b"1".to_vec(), HOUR).await.unwrap();
}
