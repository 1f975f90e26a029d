//! What `SQLite`'s errors mean for a journal.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};

use crate::journal::JournalError;
use crate::sqlite_file::NO_DATABASE;

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
            let advice = "`sqlite3 FILE .recover` saves what can still be read";
            let source = error;
            return JournalError::corrupt(place, Explained { advice, source });
        }
        // The latter comes when many begin to use a WAL at the same moment.
        (ErrorCode::DatabaseBusy | ErrorCode::FileLockingProtocolFailed, _) => {
            return JournalError::busy(place, error);
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

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn a_file_that_another_keeps_locked_is_busy_and_one_may_try_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.db");
        let [other, connection] = [(); 2].map(|()| Connection::open(&file).unwrap());
        connection.busy_timeout(std::time::Duration::ZERO).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let locked = connection.execute_batch("BEGIN IMMEDIATE").unwrap_err();
        let error = failed("journal.db", "append to", locked);
        assert!(matches!(error, JournalError::Busy { .. }), "{error:?}");
        assert!(error.is_retryable());
        assert_eq!(
            error.to_string(),
            "another process keeps `journal.db` locked; try again"
        );

        let other = connection.execute_batch("SELECT * FROM nothing");
        let error = failed("journal.db", "read", other.unwrap_err());
        assert!(!error.is_retryable(), "{error:?}");
    }
}
