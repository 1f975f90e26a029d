//! What `PostgreSQL`'s errors mean for a journal.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use deadpool::managed::{PoolError, TimeoutType};
use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

use crate::journal::JournalError;

/// Says in a journal's terms what happened.
pub(super) fn failed(place: &str, action: &'static str, error: Error) -> JournalError {
    let Some(code) = error.code() else {
        let advice = if is_lost(&error) {
            "the connection was lost; whether it was done shows when the thread is read again"
        } else {
            return JournalError::store(place, action, error);
        };
        return JournalError::store(place, action, Explained { advice, error });
    };
    let advice = match *code {
        // In all of these, the server has taken back what the statement did.
        SqlState::LOCK_NOT_AVAILABLE
        | SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::QUERY_CANCELED
        | SqlState::TOO_MANY_CONNECTIONS
        | SqlState::CANNOT_CONNECT_NOW => return JournalError::busy(place, error),
        SqlState::DISK_FULL => return JournalError::full(place, error),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => {
            return JournalError::corrupt(place, error);
        }
        // The fence lets nobody insert a number that is there.
        SqlState::UNIQUE_VIOLATION => {
            let advice =
                "a thread has records behind its head: something else has written to the tables";
            return JournalError::corrupt(place, Explained { advice, error });
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => {
            "this server takes no writes; connect to the primary one"
        }
        SqlState::INSUFFICIENT_PRIVILEGE => {
            "the role may not do that; it needs CREATE on the database to create the journal, and USAGE \
             on its schema, SELECT, INSERT, UPDATE and DELETE on its tables to use it"
        }
        SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME | SqlState::UNDEFINED_COLUMN => {
            "the journal's tables are gone or were changed; open it again"
        }
        SqlState::UNDEFINED_FUNCTION => "the server is older than version 11",
        SqlState::INVALID_SQL_STATEMENT_NAME => {
            "the server has forgotten a prepared statement; a proxy between has to keep them"
        }
        _ => return JournalError::store(place, action, error),
    };
    JournalError::store(place, action, Explained { advice, error })
}

/// Returns whether the server says that it took the statement back, and that it may be sent again.
pub(super) fn is_taken_back(error: &Error) -> bool {
    let codes = [
        &SqlState::T_R_SERIALIZATION_FAILURE,
        &SqlState::T_R_DEADLOCK_DETECTED,
    ];
    error.code().is_some_and(|code| codes.contains(&code))
}

/// Returns whether the connection is of no use any more. The server says so before it hangs up.
pub(super) fn is_lost(error: &Error) -> bool {
    error.as_db_error().map_or_else(
        || error.is_closed() || error.source().is_some_and(<dyn StdError>::is::<io::Error>),
        |said| {
            matches!(
                said.parsed_severity(),
                Some(Severity::Fatal | Severity::Panic)
            )
        },
    )
}

/// Says why there is no connection. Nothing was sent.
pub(super) fn no_line(place: &str, error: PoolError<Error>) -> JournalError {
    match error {
        PoolError::Backend(error) => failed(place, "connect to", error),
        PoolError::Timeout(TimeoutType::Wait) => {
            JournalError::busy(place, "all connections of the pool are in use")
        }
        error => JournalError::store(place, "connect to", error),
    }
}

/// An error of `PostgreSQL`, and what to do about it.
#[derive(Debug)]
struct Explained {
    advice: &'static str,
    error: Error,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice)
    }
}

impl StdError for Explained {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.error)
    }
}
