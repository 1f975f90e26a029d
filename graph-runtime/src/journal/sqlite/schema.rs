//! How a file is opened, and what is in it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::failed;
use crate::journal::JournalError;
use crate::sqlite_file::{Format, NO_DATABASE, Refused};

/// A journal's file.
const FORMAT: Format = Format {
    mark: i32::from_be_bytes(*b"hand"),
    steps: &[RECORDS, SNAPSHOTS],
    // Some hundred commits.
    patience: Duration::from_secs(10),
};

/// Version 3.51.3, the first in which processes that share a file cannot damage it when the WAL starts anew.
const OLDEST_SQLITE: i32 = 3_051_003;

/// A table with a row id and an index, and not one `WITHOUT ROWID`, although it writes thread and
/// number twice. A row of the latter keeps at most a quarter of a page in the tree and the rest in
/// pages of its own, which bodies of 1 to 3 KB leave half empty. Measured over bodies of 0.3 to 20 KB,
/// the row id made commits 5 to 20 % faster and the WAL up to a third smaller; at 1.5 KB, the file by half.
const RECORDS: &str = "
    CREATE TABLE entry (
        thread TEXT NOT NULL,
        seq INTEGER NOT NULL,
        hash BLOB NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (thread, seq)
    ) STRICT;";

/// What is kept of a thread with its records, at most one a thread.
const SNAPSHOTS: &str = "
    CREATE TABLE snapshot (
        thread TEXT NOT NULL PRIMARY KEY,
        seq INTEGER NOT NULL,
        hash BLOB NOT NULL,
        body BLOB NOT NULL
    ) STRICT;";

/// Opens the file to write, and creates it if there is none.
pub(super) fn open_to_write(path: &Path, place: &str) -> Result<Connection, JournalError> {
    check_version(place, rusqlite::version_number())?;
    let file = FORMAT.open(path).map_err(|refused| match refused {
        Refused::Path(error) => JournalError::store(place, "open", error),
        Refused::NoDatabase => JournalError::foreign(place, NO_DATABASE),
        Refused::Newer(reason) => JournalError::foreign(place, reason),
        Refused::Other => JournalError::foreign(
            place,
            "it is another program's database; choose another file",
        ),
        Refused::Sqlite(action, error) => failed(place, action, error),
    })?;
    configure(&file, place)?;
    Ok(file)
}

/// Opens the file to read, once a writer has opened it.
pub(super) fn open_to_read(path: &Path, place: &str) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let file = FORMAT.connect(path, flags).and_then(|file| {
        file.pragma_update(None, "query_only", true)?;
        Ok(file)
    });
    file.map_err(|error| failed(place, "open", error))
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

fn configure(file: &Connection, place: &str) -> Result<(), JournalError> {
    let failed = |error: rusqlite::Error| failed(place, "open", error);
    let mode = FORMAT.use_wal(file).map_err(failed)?;
    if mode != "wal" {
        let reason = format!(
            "SQLite can keep no WAL there, only a journal in mode `{mode}`; \
             a journal has to be a file on a disk of this machine"
        );
        return Err(JournalError::store(place, "open", reason));
    }
    // What was deleted is overwritten in the file, and not only passed over.
    file.pragma_update(None, "secure_delete", true)
        .map_err(failed)?;
    // Folding the WAL into the file costs two syncs and holds up one commit: every 8 MB, and not at
    // SQLite's 4, is still little to read after a crash.
    file.pragma_update(None, "wal_autocheckpoint", 2000)
        .map_err(failed)?;
    // One huge append should not take its room twice for ever.
    file.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)
        .map_err(failed)
}
