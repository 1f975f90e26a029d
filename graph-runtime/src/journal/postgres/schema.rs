//! What is in the schema, and how it comes to be there.

use std::collections::BTreeSet;
use std::fmt;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, IsolationLevel};

use super::error::failed;
use crate::journal::{Hash, JournalError};

/// What leads from one format to the next: a journal of format 1 has had the first, and so on. A step
/// that was released never changes.
pub(super) const STEPS: &[&str] = &[FIRST, SECOND];

/// - `format` says that the tables are ours;
/// - `thread` has a row a thread. Its pages keep room, so that moving a head touches no index. A name is
///   any text, so it is bytes: text of the server's kind has no NUL, and an order of its own;
/// - `entry` has the records.
const FIRST: &str = "
    CREATE TABLE {schema}.format (
        journal text PRIMARY KEY CHECK (journal = 'handoffs'),
        version integer NOT NULL
    );
    INSERT INTO {schema}.format VALUES ('handoffs', 0);
    CREATE TABLE {schema}.thread (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name bytea NOT NULL,
        head bigint NOT NULL
    ) WITH (fillfactor = 70);
    CREATE UNIQUE INDEX thread_name ON {schema}.thread (sha256(name));
    CREATE TABLE {schema}.entry (
        thread bigint NOT NULL,
        seq bigint NOT NULL,
        hash bytea NOT NULL,
        body bytea NOT NULL,
        PRIMARY KEY (thread, seq)
    );";

/// - `snapshot` has what is kept of a thread beside its records, at most one row a thread;
/// - `thread_order` finds the threads that come after a name. A name may be longer than an index takes.
const SECOND: &str = "
    CREATE TABLE {schema}.snapshot (
        thread bigint PRIMARY KEY,
        seq bigint NOT NULL,
        hash bytea NOT NULL,
        body bytea NOT NULL
    );
    CREATE INDEX thread_order ON {schema}.thread (substring(name, 1, 100));";

/// What our tables have had since the first format, and the last of them since the second.
const COLUMNS: [(&str, &str, &str); 13] = [
    ("format", "journal", "text"),
    ("format", "version", "integer"),
    ("thread", "id", "bigint"),
    ("thread", "name", "bytea"),
    ("thread", "head", "bigint"),
    ("entry", "thread", "bigint"),
    ("entry", "seq", "bigint"),
    ("entry", "hash", "bytea"),
    ("entry", "body", "bytea"),
    ("snapshot", "thread", "bigint"),
    ("snapshot", "seq", "bigint"),
    ("snapshot", "hash", "bytea"),
    ("snapshot", "body", "bytea"),
];

/// The name of a schema, which can be written into a statement.
#[derive(Clone, Debug)]
pub(super) struct Schema(String);

impl Schema {
    pub(super) fn new(name: &str, place: &str) -> Result<Self, JournalError> {
        // A longer one would be cut off, and be another's.
        if name.contains('\0') || !(1..=63).contains(&name.len()) {
            let reason =
                format!("no schema can be named {name:?}: a name has 1 to 63 bytes, and no NUL");
            return Err(JournalError::foreign(place, reason));
        }
        Ok(Self(name.to_owned()))
    }

    /// Returns the numbers of the lock that whoever changes the schema holds.
    pub(super) fn locks(&self) -> [i32; 2] {
        let [a, b, c, d, ..] = *Hash::of(self.0.as_bytes()).as_bytes();
        [
            i32::from_be_bytes(*b"hand"),
            i32::from_be_bytes([a, b, c, d]),
        ]
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// What was learnt while opening.
pub(super) struct Opened {
    pub(super) place: String,
    /// What the server does unless it is told otherwise.
    pub(super) synchronous_commit: String,
}

/// Opens the journal in a schema: creates it, or brings it to the newest format, if it is not.
pub(super) async fn open(
    client: &mut Client,
    schema: &Schema,
    steps: &[&str],
) -> Result<Opened, JournalError> {
    let place = format!("PostgreSQL, schema {}", schema.0);
    let server = server(client).await;
    let (database, synchronous_commit) = server.map_err(|error| failed(&place, "open", error))?;
    let place = format!("PostgreSQL, {database}, schema {}", schema.0);
    let looked = look(client, schema, steps).await;
    let found = looked.map_err(|error| failed(&place, "open", error))?;
    // One that only uses the journal needs no more than that, and no rights beyond it.
    if found.check(&place, steps)? != steps.len() {
        bring_up(client, schema, steps, &place).await?;
    }
    Ok(Opened {
        place,
        synchronous_commit,
    })
}

async fn server(client: &Client) -> Result<(String, String), Error> {
    let sql = "SELECT current_database()::text, current_setting('synchronous_commit')";
    let row = client.query_typed_one(sql, &[]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Does what is missing, in a transaction. Others may be about to do the same.
async fn bring_up(
    client: &mut Client,
    schema: &Schema,
    steps: &[&str],
    place: &str,
) -> Result<(), JournalError> {
    let failed = |error: Error| failed(place, "create", error);
    // Each statement has to see what was committed while it waited for the lock.
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .start()
        .await
        .map_err(failed)?;
    let lock = schema.locks();
    transaction
        .execute_typed(
            "SELECT pg_advisory_xact_lock($1, $2)",
            &[(&lock[0], Type::INT4), (&lock[1], Type::INT4)],
        )
        .await
        .map_err(failed)?;
    // Only now is nobody else at it.
    let found = look(transaction.client(), schema, steps)
        .await
        .map_err(failed)?;
    let version = found.check(place, steps)?;
    if found == Found::NoSchema {
        let create = format!("CREATE SCHEMA {schema}");
        transaction.batch_execute(&create).await.map_err(failed)?;
    }
    let missing = steps.get(version..).unwrap_or_default();
    for step in missing {
        let step = step.replace("{schema}", &schema.to_string());
        transaction.batch_execute(&step).await.map_err(failed)?;
    }
    let version = format!("UPDATE {schema}.format SET version = {}", steps.len());
    transaction.batch_execute(&version).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

/// What a schema turns out to be.
#[derive(Clone, Debug, PartialEq)]
enum Found {
    Journal(usize),
    NoSchema,
    Nothing,
    Newer(i32),
    Other(String),
}

async fn look(client: &Client, schema: &Schema, steps: &[&str]) -> Result<Found, Error> {
    // Whatever has one of our names, be it a view, has columns.
    let sql = "
        SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
        FROM pg_catalog.pg_namespace n
        LEFT JOIN pg_catalog.pg_class c
            ON c.relnamespace = n.oid AND c.relname IN ('format', 'thread', 'entry', 'snapshot')
        LEFT JOIN pg_catalog.pg_attribute a
            ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE n.nspname = $1";
    let rows = client.query_typed(sql, &[(&schema.0, Type::NAME)]).await?;
    if rows.is_empty() {
        return Ok(Found::NoSchema);
    }
    let (mut tables, mut columns) = (BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        let Some(table) = row.try_get::<_, Option<String>>(0)? else {
            return Ok(Found::Nothing);
        };
        let column = (row.try_get::<_, Option<String>>(1)?, row.try_get(2)?);
        if let (Some(name), Some(kind)) = column {
            columns.insert((table.clone(), name, kind));
        }
        tables.insert(table);
    }
    let is_ours = |(table, name, kind): &(&str, &str, &str)| {
        columns.contains(&((*table).to_owned(), (*name).to_owned(), String::from(*kind)))
    };
    let other = |table: &str| Found::Other(table.to_owned());
    let is_new = |(table, ..): &&(&str, &str, &str)| *table == "snapshot";
    let mut first = COLUMNS.iter().filter(|column| !is_new(column));
    if let Some((table, ..)) = first.find(|column| !is_ours(column)) {
        // The first that is there and of another kind, or else the one that is missing.
        let strange = tables.iter().find(|found| {
            !COLUMNS
                .iter()
                .filter(|(table, ..)| table == found)
                .all(is_ours)
        });
        return Ok(other(strange.map_or(*table, String::as_str)));
    }
    let sql = format!("SELECT version FROM {schema}.format WHERE journal = 'handoffs'");
    let Some(row) = client.query_typed_opt(&sql, &[]).await? else {
        return Ok(other("format"));
    };
    let version: i32 = row.try_get(0)?;
    let has_new = COLUMNS.iter().filter(is_new).all(is_ours);
    if (version == 1 && tables.contains("snapshot")) || (version > 1 && !has_new) {
        return Ok(other("snapshot"));
    }
    Ok(match usize::try_from(version) {
        Ok(version) if (1..=steps.len()).contains(&version) => Found::Journal(version),
        Ok(1..) => Found::Newer(version),
        _ => other("format"),
    })
}

impl Found {
    /// Returns the format of what was found, 0 for nothing.
    fn check(&self, place: &str, steps: &[&str]) -> Result<usize, JournalError> {
        match self {
            Self::Journal(version) => Ok(*version),
            Self::NoSchema | Self::Nothing => Ok(0),
            Self::Newer(version) => {
                let reason = format!(
                    "it has format {version}, which a newer version of `handoffs` has written, and this \
                     one reads up to format {}; update it",
                    steps.len()
                );
                Err(JournalError::foreign(place, reason))
            }
            Self::Other(table) => {
                let reason = format!(
                    "its table `{table}` is none of ours, or is missing; choose another schema"
                );
                Err(JournalError::foreign(place, reason))
            }
        }
    }
}
