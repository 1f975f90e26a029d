//! What only a file can do.

mod files;
mod foreign;
mod formats;
mod rooms;

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use super::{Sqlite, writer};
/// A folder with a journal in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("journal.db")
    }

    async fn open(&self) -> Sqlite {
        Sqlite::open(self.file()).await.unwrap()
    }
}

impl Sqlite {
    /// Runs SQL on the connection that writes.
    async fn run(&self, sql: &'static str) {
        self.0
            .writer
            .ask(&self.0.place, "test", |answer| {
                writer::Job::Sql(sql, answer)
            })
            .await
            .unwrap();
    }
}

fn everything_in(folder: &Folder) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder.0.path())
        .unwrap()
        .map(|file| file.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut all: Vec<_> = files
        .map(|path| (name(&path), fs::read(&path).unwrap()))
        .collect();
    all.sort();
    all
}

fn database(folder: &Folder, sql: &str) -> Connection {
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch(sql).unwrap();
    other
}
