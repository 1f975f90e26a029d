//! How a file is opened, and what is in it.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};

use crate::cache::{CacheError, CacheKey};
use crate::journal::Hash;

/// Marks a file as a cache: the text `hcac`, in the place that `SQLite` keeps for such marks.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"hcac");
/// The number of the format below.
const FORMAT: i32 = 1;
/// How long to wait for other processes.
const PATIENCE: Duration = Duration::from_secs(5);

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
        let failed = |error| failed(place, "open", error);
        check_path(path, place)?;
        // A connection that may write changes files that are none of ours: as the last one to close,
        // it would fold another program's WAL into its database. So one that only reads looks first.
        if path.exists() {
            let looked = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
                .and_then(|connection| Kind::of(&connection));
            match looked {
                Ok(kind) => kind.check(place).map(|_| ())?,
                // Its last writer died in a transaction, which only a writer can take back.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut connection = connect(path, flags).map_err(failed)?;
        create(&mut connection, place)?;
        configure(&connection).map_err(failed)?;
        Ok(Self(connection))
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

const NO_DATABASE: &str = "it is not a SQLite database; choose another file";

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// Refuses a path of which `SQLite` would say too little.
fn check_path(path: &Path, place: &str) -> Result<(), CacheError> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let reason = format!("there is no folder `{}`; create it first", folder.display());
        return Err(CacheError::store(place, "open", reason));
    }
    match path.metadata() {
        Ok(found) if found.is_dir() => Err(CacheError::store(place, "open", "it is a folder")),
        // SQLite takes a file of one byte for an empty one, and would overwrite it.
        Ok(found) if found.len() == 1 => Err(CacheError::foreign(place, NO_DATABASE)),
        _ => Ok(()),
    }
}

/// What a file turns out to be.
enum Kind {
    Cache,
    Nothing,
    Newer(i32),
    Other,
}

impl Kind {
    fn of(connection: &Connection) -> rusqlite::Result<Self> {
        // One query, because another process may make a cache of the file between two.
        let numbers = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
            FROM pragma_application_id, pragma_user_version";
        let (application, format, tables): (i32, i32, i64) =
            connection.query_row(numbers, [], |row| row.try_into())?;
        Ok(match (application, format) {
            (APPLICATION_ID, 1..=FORMAT) => Self::Cache,
            (APPLICATION_ID, FORMAT..) => Self::Newer(format),
            (0, 0) if tables == 0 => Self::Nothing,
            _ => Self::Other,
        })
    }

    fn check(self, place: &str) -> Result<Self, CacheError> {
        let reason = match self {
            Self::Cache | Self::Nothing => return Ok(self),
            Self::Newer(format) => format!(
                "it has format {format}, which a newer version of `handoffs` has written, and this \
                 one reads up to format {FORMAT}; update it, or remove the file"
            ),
            Self::Other => "it is another database, such as a journal; choose another file".into(),
        };
        Err(CacheError::foreign(place, reason))
    }
}

/// Makes a cache of an empty file. Other processes may be about to do the same.
fn create(connection: &mut Connection, place: &str) -> Result<(), CacheError> {
    let failed = |error| failed(place, "create", error);
    let look = |connection: &Connection| Kind::of(connection).map_err(failed)?.check(place);
    if matches!(look(connection)?, Kind::Cache) {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    // Only now is nobody else writing.
    if matches!(look(&transaction)?, Kind::Nothing) {
        let create = || {
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
            transaction.execute_batch(CREATE)
        };
        create().map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    use_wal(connection)?;
    // A result that is lost with the power is computed again, so no commit waits for the disk.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // One huge result should not take its room twice for ever.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)
}

/// Turns the WAL on. Where a disk cannot hold one, the file works without.
fn use_wal(connection: &Connection) -> rusqlite::Result<()> {
    let since = Instant::now();
    loop {
        let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()));
        match mode {
            // SQLite does not wait by itself where it goes from reading to having the file alone.
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && since.elapsed() < PATIENCE =>
            {
                sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}
