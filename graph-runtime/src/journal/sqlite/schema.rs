//! How a file is opened, and what is in it.

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::error::{NO_DATABASE, failed};
use crate::journal::JournalError;

/// Marks a file as a journal: the text `hand`, in the place that `SQLite` keeps for such marks.
pub(super) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"hand");
/// The number of the format below.
pub(super) const FORMAT: i32 = 1;

/// Version 3.51.3, the first in which processes that share a file cannot damage it when the WAL starts anew.
const OLDEST_SQLITE: i32 = 3_051_003;
/// How long to wait for other processes: some hundred commits.
const PATIENCE: Duration = Duration::from_secs(10);

/// A table with a row id and an index, and not one `WITHOUT ROWID`, although it writes thread and
/// number twice. A row of the latter keeps at most a quarter of a page in the tree and the rest in
/// pages of its own, which bodies of 1 to 3 KB leave half empty. Measured over bodies of 0.3 to 20 KB,
/// the row id made commits 5 to 20 % faster and the WAL up to a third smaller; at 1.5 KB, the file by half.
const CREATE: &str = "
    CREATE TABLE entry (
        thread TEXT NOT NULL,
        seq INTEGER NOT NULL,
        hash BLOB NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (thread, seq)
    ) STRICT;";

/// Opens the file to write, and creates it if there is none.
pub(super) fn open_to_write(path: &Path, place: &str) -> Result<Connection, JournalError> {
    check_version(place, rusqlite::version_number())?;
    check_path(path, place)?;
    // A connection that may write changes files that are none of ours: as the last one to close, it
    // would fold another program's WAL into its database. So one that only reads looks first. It has
    // to be SQLite's, and no plain read of the first bytes: closing the file would take away the locks
    // that SQLite holds on it for another handle of this process.
    if path.exists() {
        let looked =
            open(path, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|file| Found::look(&file));
        match looked {
            Ok(found) => found.check(place)?,
            // Its last writer died in a transaction, which only a writer can take back.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => Found::Nothing,
            Err(error) => return Err(failed(place, "open", error)),
        };
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut file = open(path, flags).map_err(|error| failed(place, "open", error))?;
    create(&mut file, place)?;
    configure(&file, place)?;
    Ok(file)
}

/// Opens the file to read, once a writer has opened it.
pub(super) fn open_to_read(path: &Path, place: &str) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let file = open(path, flags).and_then(|file| {
        file.pragma_update(None, "query_only", true)?;
        Ok(file)
    });
    file.map_err(|error| failed(place, "open", error))
}

fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let file = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    file.busy_timeout(PATIENCE)?;
    Ok(file)
}

pub(super) fn check_version(place: &str, version: i32) -> Result<(), JournalError> {
    if version >= OLDEST_SQLITE {
        return Ok(());
    }
    let reason = format!(
        "the program is linked with SQLite {}.{}.{}, and versions before 3.51.3 can damage a file that \
         several processes have open: link a newer one, such as the one that rusqlite bundles",
        version / 1_000_000,
        version / 1_000 % 1_000,
        version % 1_000,
    );
    Err(JournalError::store(place, "open", reason))
}

/// Refuses a path of which `SQLite` would say too little.
fn check_path(path: &Path, place: &str) -> Result<(), JournalError> {
    let open = |kind, reason: String| {
        Err(JournalError::store(
            place,
            "open",
            io::Error::new(kind, reason),
        ))
    };
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let reason = format!("there is no folder `{}`; create it first", folder.display());
        return open(io::ErrorKind::NotFound, reason);
    }
    match path.metadata() {
        Ok(found) if found.is_dir() => {
            open(io::ErrorKind::IsADirectory, "it is a folder".to_owned())
        }
        // SQLite takes a file of one byte for an empty one, and would overwrite it.
        Ok(found) if found.len() == 1 => Err(JournalError::foreign(place, NO_DATABASE)),
        _ => Ok(()),
    }
}

/// What a file turns out to be.
#[derive(Clone, Copy)]
enum Found {
    Journal,
    Nothing,
    Newer(i32),
    Other,
}

impl Found {
    fn look(file: &Connection) -> rusqlite::Result<Self> {
        // One query, because another process may make a journal of the file between two.
        let numbers = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
            FROM pragma_application_id, pragma_user_version";
        let (application, format, tables): (i32, i32, i64) =
            file.query_row(numbers, [], |row| row.try_into())?;
        Ok(match (application, format) {
            (APPLICATION_ID, 1..=FORMAT) => Self::Journal,
            (APPLICATION_ID, FORMAT..) => Self::Newer(format),
            (0, 0) if tables == 0 => Self::Nothing,
            _ => Self::Other,
        })
    }

    fn check(self, place: &str) -> Result<Self, JournalError> {
        match self {
            Self::Journal | Self::Nothing => Ok(self),
            Self::Newer(format) => {
                let reason = format!(
                    "it has format {format}, which a newer version of `handoffs` has written, and this \
                     one reads up to format {FORMAT}; update it"
                );
                Err(JournalError::foreign(place, reason))
            }
            Self::Other => Err(JournalError::foreign(
                place,
                "it is another program's database; choose another file",
            )),
        }
    }
}

/// Makes a journal of an empty file. Other processes may be about to do the same.
fn create(file: &mut Connection, place: &str) -> Result<(), JournalError> {
    let failed = |error: rusqlite::Error| failed(place, "create", error);
    let look = |file: &Connection| Found::look(file).map_err(failed)?.check(place);
    if matches!(look(file)?, Found::Journal) {
        return Ok(());
    }
    let transaction = file
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    // Only now is nobody else writing.
    if matches!(look(&transaction)?, Found::Nothing) {
        let create = || {
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
            transaction.execute_batch(CREATE)
        };
        create().map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

fn configure(file: &Connection, place: &str) -> Result<(), JournalError> {
    let failed = |error: rusqlite::Error| failed(place, "open", error);
    let mode = use_wal(file).map_err(failed)?;
    if mode != "wal" {
        let reason = format!(
            "SQLite can keep no WAL there, only a journal in mode `{mode}`; \
             a journal has to be a file on a disk of this machine"
        );
        return Err(JournalError::store(place, "open", reason));
    }
    // A commit has to be on disk when it returns, so that no side effect of a step is forgotten.
    file.pragma_update(None, "synchronous", "FULL")
        .map_err(failed)?;
    // Folding the WAL into the file costs two syncs and holds up one commit: every 8 MB, and not at
    // SQLite's 4, is still little to read after a crash.
    file.pragma_update(None, "wal_autocheckpoint", 2000)
        .map_err(failed)?;
    // One huge append should not take its room twice for ever.
    file.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)
        .map_err(failed)
}

/// Turns the WAL on and returns the mode that the file is in.
fn use_wal(file: &Connection) -> rusqlite::Result<String> {
    let since = Instant::now();
    loop {
        let mode = file.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        match mode {
            // SQLite does not wait by itself where it goes from reading to having the file alone.
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && since.elapsed() < PATIENCE =>
            {
                sleep(Duration::from_millis(5));
            }
            mode => return mode,
        }
    }
}
