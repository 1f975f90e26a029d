//! How a file is opened, and what is in it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};

use crate::cache::{CacheError, CacheKey};
use crate::journal::Hash;
use crate::sqlite_file::{Format, NO_DATABASE, Refused};

/// A cache's file.
const FORMAT: Format = Format {
    mark: i32::from_be_bytes(*b"hcac"),
    steps: &[CREATE],
    patience: Duration::from_secs(5),
};

/// Rows are found by the hash, as keys may be long. The key stands there as well, so that even two
/// keys of one hash would not be taken for each other.
const CREATE: &str = "
    CREATE TABLE result (
        hash BLOB PRIMARY KEY,
        graph TEXT NOT NULL,
        node TEXT NOT NULL,
        key TEXT NOT NULL,
        over_at_ms INTEGER NOT NULL,
        sum BLOB NOT NULL,
        value BLOB NOT NULL
    ) STRICT;
    CREATE INDEX result_over_at ON result (over_at_ms);";

const GET: &str = "
    SELECT sum, value FROM result
    WHERE hash = ?1 AND graph = ?2 AND node = ?3 AND key = ?4 AND over_at_ms > ?5";

const PUT: &str = "
    INSERT OR REPLACE INTO result (hash, graph, node, key, over_at_ms, sum, value)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// A put removes a few: more than it adds, and not so many that it would take long.
const REMOVE_OVER: &str = "
    DELETE FROM result WHERE hash IN
        (SELECT hash FROM result WHERE over_at_ms <= ?1 ORDER BY over_at_ms LIMIT 100)";

/// An open file.
pub(super) struct Store(Connection);

/// A row, and what tells whether it is what was put.
pub(super) struct Found {
    sum: [u8; 32],
    value: Vec<u8>,
}

impl Found {
    /// Returns the value, if it is what was put.
    pub(super) fn whole(self) -> Option<Vec<u8>> {
        (*Hash::of(&self.value).as_bytes() == self.sum).then_some(self.value)
    }
}

impl Store {
    /// Opens a file, and creates it if there is none.
    pub(super) fn open(path: &Path) -> Result<Self, CacheError> {
        let place = &*path.to_string_lossy();
        let file = FORMAT.open(path).map_err(|refused| match refused {
            Refused::Path(error) => CacheError::store(place, "open", error),
            Refused::NoDatabase => CacheError::foreign(place, NO_DATABASE),
            Refused::Newer(reason) => {
                CacheError::foreign(place, format!("{reason}, or remove the file"))
            }
            Refused::Other => CacheError::foreign(
                place,
                "it is another database, such as a journal; choose another file",
            ),
            Refused::Sqlite(action, error) => failed(place, action, error),
        })?;
        configure(&file).map_err(|error| failed(place, "open", error))?;
        Ok(Self(file))
    }

    pub(super) fn get(&self, key: &CacheKey, now: u64) -> rusqlite::Result<Option<Found>> {
        let digest = key.digest();
        let columns = params![
            digest.as_bytes(),
            key.graph(),
            key.node(),
            key.key(),
            stored(now)
        ];
        let found = self.0.query_row(GET, columns, |row| {
            Ok(Found {
                sum: row.get(0)?,
                value: row.get(1)?,
            })
        });
        found.optional()
    }

    pub(super) fn put(
        &mut self,
        key: &CacheKey,
        value: &[u8],
        over_at: u64,
        now: u64,
    ) -> rusqlite::Result<()> {
        let (digest, sum) = (key.digest(), Hash::of(value));
        let transaction = self
            .0
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(REMOVE_OVER, [stored(now)])?;
        transaction.execute(
            PUT,
            params![
                digest.as_bytes(),
                key.graph(),
                key.node(),
                key.key(),
                stored(over_at),
                sum.as_bytes(),
                value
            ],
        )?;
        transaction.commit()
    }

    pub(super) fn clear(&self, graph: &str, node: Option<&str>) -> rusqlite::Result<()> {
        let sql = "DELETE FROM result WHERE graph = ?1 AND (?2 IS NULL OR node = ?2)";
        self.0.execute(sql, (graph, node)).map(drop)
    }

    /// Waits for other processes for this long.
    #[cfg(test)]
    pub(super) fn wait_for(&self, patience: Duration) -> rusqlite::Result<()> {
        self.0.busy_timeout(patience)
    }
}

/// Returns a moment as `SQLite` keeps it: the last that it can keep is for ever.
fn stored(moment: u64) -> i64 {
    i64::try_from(moment).unwrap_or(i64::MAX)
}

/// Says in a cache's terms what happened.
pub(super) fn failed(place: &str, action: &'static str, error: rusqlite::Error) -> CacheError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => CacheError::foreign(place, NO_DATABASE),
        Some(ErrorCode::DatabaseCorrupt) => CacheError::corrupt(place, error),
        _ => CacheError::store(place, action, error),
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    // Where a disk cannot hold a WAL, the file works without.
    FORMAT.use_wal(connection)?;
    // A result that is lost with the power is computed again, so no commit waits for the disk.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // One huge result should not take its room twice for ever.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)
}
