//! A file of ours that `SQLite` reads: how it is told from other files, opened and made.
//!
//! The journal and the cache are such files, each with a mark, a format and a thread of its own.

use std::io;
use std::path::Path;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

pub(crate) const NO_DATABASE: &str = "it is not a SQLite database; choose another file";

/// What makes a file one of ours.
pub(crate) struct Format {
    /// Marks the file: four letters, in the place that `SQLite` keeps for such marks.
    pub(crate) mark: i32,
    /// What leads from one format to the next: a file of format 1 has had the first, and so on. A step
    /// that was released never changes. The format that is written is the last.
    pub(crate) steps: &'static [&'static str],
    /// How long to wait for other processes.
    pub(crate) patience: Duration,
}

/// Why a file was not opened. It stays as it is.
pub(crate) enum Refused {
    /// `SQLite` would say too little of the path.
    Path(io::Error),
    NoDatabase,
    /// A newer version of ours has written it, as this text says.
    Newer(String),
    /// It is another program's, or another kind of file of ours.
    Other,
    /// `SQLite` failed, at what was being done.
    Sqlite(&'static str, rusqlite::Error),
}

/// What a file turns out to be.
#[derive(Clone, Copy)]
enum Found {
    /// One of ours, and how many of the steps it has had; a file with nothing in it has had none.
    Ours(usize),
    Newer(i32),
    Other,
}

impl Format {
    /// Opens the file to write. Makes it if there is none, and brings it to the newest format.
    pub(crate) fn open(&self, path: &Path) -> Result<Connection, Refused> {
        check_path(path)?;
        // A connection that may write changes files that are none of ours: as the last one to close, it
        // would fold another program's WAL into its database. So one that only reads looks first. It has
        // to be SQLite's, and no plain read of the first bytes: closing the file would take away the locks
        // that SQLite holds on it for another handle of this process.
        if path.exists() {
            let looked = self
                .connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
                .and_then(|file| self.look(&file));
            match looked {
                Ok(found) => {
                    self.check(found)?;
                }
                // Its last writer died in a transaction, which only a writer can take back.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {}
                Err(error) => return Err(Refused::Sqlite("open", error)),
            }
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connected = self.connect(path, flags);
        let mut file = connected.map_err(|error| Refused::Sqlite("open", error))?;
        self.bring_up(&mut file)?;
        Ok(file)
    }

    /// Connects to the file, whatever it is.
    pub(crate) fn connect(&self, path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let file = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        file.busy_timeout(self.patience)?;
        Ok(file)
    }

    /// Turns the WAL on and returns the mode that the file is in.
    pub(crate) fn use_wal(&self, file: &Connection) -> rusqlite::Result<String> {
        let since = Instant::now();
        loop {
            let mode = file.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
            match mode {
                // SQLite does not wait by itself where it goes from reading to having the file alone.
                Err(error)
                    if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                        && since.elapsed() < self.patience =>
                {
                    sleep(Duration::from_millis(5));
                }
                mode => return mode,
            }
        }
    }

    fn look(&self, file: &Connection) -> rusqlite::Result<Found> {
        // One query, because another process may make a file of ours of it between two.
        let numbers = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
            FROM pragma_application_id, pragma_user_version";
        let (mark, number, tables): (i32, i32, i64) =
            file.query_row(numbers, [], |row| row.try_into())?;
        Ok(match usize::try_from(number) {
            Ok(had @ 1..) if mark == self.mark && had <= self.steps.len() => Found::Ours(had),
            Ok(1..) if mark == self.mark => Found::Newer(number),
            Ok(0) if (mark, tables) == (0, 0) => Found::Ours(0),
            _ => Found::Other,
        })
    }

    /// Returns how many of the steps the file has had.
    fn check(&self, found: Found) -> Result<usize, Refused> {
        match found {
            Found::Ours(had) => Ok(had),
            Found::Newer(number) => Err(Refused::Newer(format!(
                "it has format {number}, which a newer version of `handoffs` has written, and this \
                 one reads up to format {}; update it",
                self.steps.len()
            ))),
            Found::Other => Err(Refused::Other),
        }
    }

    /// Does what is missing, in a transaction. Other processes may be about to do the same.
    fn bring_up(&self, file: &mut Connection) -> Result<(), Refused> {
        let failed = |error| Refused::Sqlite("create", error);
        let look = |file: &Connection| self.check(self.look(file).map_err(failed)?);
        if look(file)? == self.steps.len() {
            return Ok(());
        }
        let transaction = file
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        // Only now is nobody else writing.
        let had = look(&transaction)?;
        let bring_up = || {
            for (number, step) in (1..).zip(self.steps).skip(had) {
                transaction.execute_batch(step)?;
                transaction.pragma_update(None, "application_id", self.mark)?;
                transaction.pragma_update(None, "user_version", number)?;
            }
            Ok(())
        };
        bring_up().map_err(failed)?;
        transaction.commit().map_err(failed)
    }
}

/// Refuses a path of which `SQLite` would say too little.
fn check_path(path: &Path) -> Result<(), Refused> {
    let refused = |kind, reason: String| Err(Refused::Path(io::Error::new(kind, reason)));
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let reason = format!("there is no folder `{}`; create it first", folder.display());
        return refused(io::ErrorKind::NotFound, reason);
    }
    match path.metadata() {
        Ok(found) if found.is_dir() => {
            refused(io::ErrorKind::IsADirectory, "it is a folder".to_owned())
        }
        // SQLite takes a file of one byte for an empty one, and would overwrite it.
        Ok(found) if found.len() == 1 => Err(Refused::NoDatabase),
        _ => Ok(()),
    }
}

/// The thread that serves a file. Dropping it waits until the thread has done its jobs and closed the file.
pub(crate) struct Joined(Option<JoinHandle<()>>);

impl Joined {
    pub(crate) const fn new(thread: JoinHandle<()>) -> Self {
        Self(Some(thread))
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        // A thread that panicked has closed its connection, too, and its callers have been told.
        let _ = self.0.take().map(JoinHandle::join);
    }
}
