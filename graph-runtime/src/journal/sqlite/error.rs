//! What `SQLite`'s errors mean for a journal.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};

use crate::journal::JournalError;

pub(super) const NO_DATABASE: &str = "it is not a SQLite database";

/// Says in a journal's terms what happened.
///
/// The error is shared, because the appends of one commit fail together.
pub(super) fn failed(
    place: &str,
    action: &'static str,
    error: impl Into<Arc<rusqlite::Error>>,
) -> JournalError {
    let error = error.into();
    let Some(code) = error.sqlite_error() else {
        return JournalError::store(place, action, error);
    };
    let advice = match (code.code, code.extended_code) {
        (ErrorCode::NotADatabase, _) => {
            return JournalError::foreign(place, NO_DATABASE);
        }
        // SQLite itself says `FULL` where the system says that the disk is; quotas and limits on the
        // size of a file arrive as a failed write.
        (ErrorCode::DiskFull, _) | (_, SQLITE_IOERR_WRITE | SQLITE_IOERR_SHMSIZE) => {
            return JournalError::full(place, error);
        }
        (ErrorCode::DatabaseCorrupt, _) => {
            "pages of the file are damaged: restore it from a backup, \
             or save what can be read with `sqlite3 FILE .recover`"
        }
        (ErrorCode::DatabaseBusy, _) => {
            "another program has kept the file locked for longer than this one waits"
        }
        (ErrorCode::CannotOpen, _) => {
            "there is no permission to open it, or too many files are open"
        }
        (ErrorCode::ReadOnly, _) => "there is no permission to write the file or to its folder",
        _ => return JournalError::store(place, action, error),
    };
    JournalError::store(
        place,
        action,
        Explained {
            advice,
            source: error,
        },
    )
}

/// An error of `SQLite`, and what to do about it.
#[derive(Debug)]
struct Explained {
    advice: &'static str,
    source: Arc<rusqlite::Error>,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice)
    }
}

impl Error for Explained {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
