//! The journal on a server, through `PostgreSQL`.
//!
//! An append is one statement, so it needs no transaction that a dropped future could leave open. The
//! row of its thread is its fence: the statement moves that row's head from what the caller expects,
//! and inserts the records only if it could. Whoever comes second waits for the row, finds another
//! head there, and writes nothing.

mod error;
mod options;
mod orphans;
mod pool;
mod schema;
mod statements;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::DerefMut;
use std::sync::Arc;

use async_trait::async_trait;
use deadpool::managed::{Manager, Pool};
use futures_util::TryStreamExt;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, SimpleQueryMessage, Statement};

use self::error::failed;
pub use self::options::{PostgresOptions, PostgresServer};
use self::orphans::Orphans;
use self::pool::{Line, Lines};
use self::schema::Schema;
use self::statements::{Commit, KEPT, Statements, Text};
use super::Durability;
use super::memory::check_numbers;
use super::{Hash, Journal, JournalError, Record, ThreadId};

/// A journal on a `PostgreSQL` server, for workers on several machines.
///
/// An append is one statement and one round trip. It returns once the server has it on disk, also where
/// its own default is not to wait for that; what the server itself may lose, such as with `fsync = off` or
/// with replicas that lag behind, is its own matter. With [`Durability::Step`] it returns once the server
/// has committed it (`synchronous_commit = off`, for this append alone): a crash of the server can then
/// lose the last appends, those of up to three times its `wal_writer_delay`, which is 0.6 s by default.
/// What is left is a prefix of what was written. Of two workers that advance one thread, one gets [`JournalError::Conflict`].
///
/// The journal lies in a schema of its own, `handoffs` unless [`PostgresOptions::schema`] says
/// something else; the first to connect creates it. Servers from version 11 on will do.
///
/// Connections are made when they are needed, in the Tokio runtime of the call that needs one, and are
/// of use as long as that runtime is. Clones share them. When a connection is lost in the middle of an
/// append, nobody knows whether it was written: that is [`JournalError::Store`], and the thread has to
/// be read again, as [`Thread::recover`](crate::Thread::recover) does. Nothing is sent twice.
///
/// ```no_run
/// use handoffs_runtime::{Durability, Hash, Journal, Postgres, Record, ThreadId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let journal = Postgres::connect("postgresql://app@/app?host=/run/postgresql").await?;
/// let thread = ThreadId::new("customer-42");
/// let first = Record::new(1, Hash::of(b"{}"), b"{}".to_vec());
/// journal.append(&thread, 0, vec![first.clone()], Durability::Sync).await?;
/// assert_eq!(journal.read(&thread, 0).await?, [first]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Postgres(Arc<Shared>);

struct Shared {
    place: Arc<str>,
    lines: Box<dyn Lines>,
    statements: Statements,
    orphans: Orphans,
}

const APPEND: &str = "append to";
const LIST: &str = "list the threads of";

/// How often something is sent that certainly did not happen the last time.
const TURNS: u32 = 16;

impl Postgres {
    /// Connects to a server, and creates the journal if there is none.
    ///
    /// A journal of an older format is brought to the newest one, which only the owner of its tables can
    /// do. From then on, older versions of `handoffs` refuse to open it.
    ///
    /// What names the server is a URL, a text of `key=value` pairs, or a [`tokio_postgres::Config`].
    /// The connection is not encrypted: for TLS, make a pool with the connector of your choice and
    /// give it to [`on_pool`](Self::on_pool).
    ///
    /// # Errors
    ///
    /// - [`JournalError::Foreign`] if the schema has tables of the journal's names that are none of
    ///   ours, or a newer version has written it. It stays as it is;
    /// - [`JournalError::Busy`] if the server takes no more connections, is just starting, or another
    ///   process keeps the journal locked;
    /// - [`JournalError::Full`] if the server's disk is, and [`JournalError::Store`] if the server
    ///   cannot be reached or refuses.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave an empty journal behind.
    pub async fn connect(server: impl Into<PostgresServer>) -> Result<Self, JournalError> {
        Self::options().connect(server).await
    }

    /// Takes a pool of yours, and creates the journal if there is none.
    ///
    /// It may be a pool of `deadpool_postgres`, or any other that holds clients of `tokio_postgres`
    /// and is one of [`deadpool`] 0.13. Its sizes, timeouts and hooks are yours; without a
    /// timeout for waiting, a call waits for a free connection as long as it takes.
    ///
    /// ```no_run
    /// use deadpool_postgres::{Manager, Pool};
    /// use handoffs_runtime::Postgres;
    /// use tokio_postgres::NoTls;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = "host=db.example.com user=app dbname=app".parse()?;
    /// // Or the connector of `tokio-postgres-rustls`, in place of `NoTls`.
    /// let pool = Pool::builder(Manager::new(config, NoTls)).max_size(8).build()?;
    /// let journal = Postgres::on_pool(pool).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`connect`](Self::connect).
    pub async fn on_pool<M>(pool: Pool<M>) -> Result<Self, JournalError>
    where
        M: Manager<Type: DerefMut<Target = Client> + Send + Sync, Error = Error> + 'static,
    {
        Self::options().on_pool(pool).await
    }

    /// Returns what can be chosen before connecting.
    pub fn options() -> PostgresOptions {
        PostgresOptions::default()
    }

    /// Opens the journal in a schema.
    async fn open(
        lines: Box<dyn Lines>,
        schema: Schema,
        place: &str,
    ) -> Result<Self, JournalError> {
        let mut line = lines
            .lend()
            .await
            .map_err(|error| error::no_line(place, error))?;
        let opened = schema::open(&mut line, &schema, schema::STEPS).await?;
        let commit = match &*opened.synchronous_commit {
            // What the server does by default is not what we promise.
            "off" => Commit::Synchronous,
            // `remote_apply` and others are at least as good; `local` is somebody's choice.
            _ => Commit::AsTheServerDoes,
        };
        drop(line);
        let statements = Statements::new(schema, commit, lines.most());
        let place = opened.place.into();
        Ok(Self(Arc::new(Shared {
            place,
            lines,
            statements,
            orphans: Orphans::default(),
        })))
    }
}

impl Shared {
    async fn line(&self) -> Result<Line, JournalError> {
        let lent = self.lines.lend().await;
        lent.map_err(|error| error::no_line(&self.place, error))
    }

    /// Lends a connection and a statement that is prepared on it.
    async fn prepared(
        &self,
        text: Text,
        action: &'static str,
    ) -> Result<(Line, Statement), JournalError> {
        let mut turn = 1;
        loop {
            let line = self.line().await?;
            match self.statements.prepared(text, &line).await {
                Ok(statement) => return Ok((line, statement)),
                // It ended unnoticed while nobody used it. To prepare once more does no harm.
                Err(error) if error::is_lost(&error) && turn < TURNS => {
                    line.discard();
                    turn += 1;
                }
                Err(error) => return Err(failed(&self.place, action, error)),
            }
        }
    }

    /// Returns what a query finds. It may be sent again, since it changes nothing.
    async fn query<T>(
        &self,
        text: Text,
        action: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
        each: impl Fn(&Row) -> Result<T, Error>,
    ) -> Result<Vec<T>, JournalError> {
        // What was dropped before this is to be seen by it.
        self.orphans.settled().await;
        let mut turn = 1;
        loop {
            let (line, query) = self.prepared(text, action).await?;
            let rows = async {
                let rows = line.query_raw(&query, parameters.iter().copied()).await?;
                rows.and_then(async |row| each(&row)).try_collect().await
            };
            match rows.await {
                Ok(rows) => return Ok(rows),
                Err(error) => {
                    let lost = error::is_lost(&error);
                    if lost {
                        line.discard();
                    }
                    if turn == TURNS || !(lost || error::is_taken_back(&error)) {
                        return Err(failed(&self.place, action, error));
                    }
                    turn += 1;
                }
            }
        }
    }

    fn named(&self, name: Vec<u8>) -> Result<ThreadId, JournalError> {
        let name = String::from_utf8(name).map(ThreadId::from);
        name.map_err(|error| JournalError::corrupt(&*self.place, error))
    }

    async fn head(&self, thread: &ThreadId) -> Result<u64, JournalError> {
        let name = thread.as_str().as_bytes();
        let head = |row: &Row| row.try_get::<_, i64>(0);
        let heads = self.query(Text::Head, APPEND, &[&name], head).await?;
        Ok(heads.first().map_or(0, |head| head.unsigned_abs()))
    }

    /// Appends what there is, and returns how many records were written: all, or none.
    async fn insert(
        &self,
        thread: &ThreadId,
        head: i64,
        records: &[Record],
        durability: Durability,
    ) -> Result<u64, JournalError> {
        let name = thread.as_str().as_bytes();
        let hashes: Vec<_> = records
            .iter()
            .map(|record| record.hash.as_bytes().as_slice())
            .collect();
        let bodies: Vec<_> = records.iter().map(|record| &*record.body).collect();
        let (text, parameters): (_, &[&(dyn ToSql + Sync)]) = match (head, &*hashes, &*bodies) {
            (0, ..) => (Text::Begin, &[&name, &hashes, &bodies]),
            (_, [hash], [body]) => (Text::AppendOne, &[&name, &head, hash, body]),
            _ => (Text::Append, &[&name, &head, &hashes, &bodies]),
        };
        let text = match durability {
            Durability::Step => text.relaxed(),
            Durability::Sync | Durability::Exit => text,
        };
        self.change(APPEND, Change::Prepared(text, parameters))
            .await
    }

    /// Changes something, and returns how many rows a statement says. Nothing is sent again that may
    /// have been done.
    async fn change(&self, action: &'static str, change: Change<'_>) -> Result<u64, JournalError> {
        let mut turn = 1;
        loop {
            let mut under_way = self.orphans.under_way();
            let changed = match change {
                Change::Prepared(text, parameters) => {
                    let (line, statement) = self.prepared(text, action).await?;
                    let line = under_way.on(line);
                    line.execute(&statement, parameters).await
                }
                Change::Text(text) => {
                    let line = under_way.on(self.line().await?);
                    line.simple_query(text).await.map(|said| {
                        let is_kept = said.iter().any(|said| match said {
                            SimpleQueryMessage::Row(row) => row.get(0) == Some(KEPT),
                            _ => false,
                        });
                        u64::from(!is_kept)
                    })
                }
            };
            let line = under_way.done();
            match changed {
                Ok(rows) => return Ok(rows),
                // The server says that it took the statement back. So it does, under a stricter
                // isolation than its default, with each that comes second.
                Err(error) if error::is_taken_back(&error) && turn < TURNS => turn += 1,
                Err(error) => {
                    if let Some(line) = line.filter(|_| error::is_lost(&error)) {
                        line.discard();
                    }
                    return Err(failed(&self.place, action, error));
                }
            }
        }
    }
}

/// What is sent to change something: a prepared statement, or statements that have no parameters.
#[derive(Clone, Copy)]
enum Change<'a> {
    Prepared(Text, &'a [&'a (dyn ToSql + Sync)]),
    Text(&'a str),
}

/// A record as it comes from the server.
type Raw = (i64, Vec<u8>, Vec<u8>);

/// Takes a record from a row that begins with its number, hash and body.
fn raw(row: &Row) -> Result<Raw, Error> {
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}

fn record(thread: &ThreadId, (seq, hash, body): Raw) -> Result<Record, JournalError> {
    // All numbers are positive.
    let seq = seq.unsigned_abs();
    let hash = hash.try_into().map(Hash::from_bytes);
    let hash =
        hash.map_err(|_| JournalError::damaged(thread, seq, "its hash is not 32 bytes long"))?;
    Ok(Record::new(seq, hash, body))
}

#[async_trait]
impl Journal for Postgres {
    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        check_numbers(thread, head, &records)?;
        let conflict = || Err(JournalError::conflict(thread, head));
        // The highest number that a record can have here: no thread is as long as that.
        let last = head.saturating_add(records.len() as u64);
        let (Ok(expected), Ok(_)) = (i64::try_from(head), i64::try_from(last)) else {
            return conflict();
        };
        if records.is_empty() {
            let found = self.0.head(thread).await?;
            return if found == head { Ok(()) } else { conflict() };
        }
        match self
            .0
            .insert(thread, expected, &records, durability)
            .await?
        {
            0 => conflict(),
            _ => Ok(()),
        }
    }

    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        let name = thread.as_str().as_bytes();
        // No record has a higher number than that.
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let parameters: [&(dyn ToSql + Sync); 2] = [&name, &after];
        let rows = self.0.query(Text::Read, "read", &parameters, raw).await?;
        rows.into_iter().map(|row| record(thread, row)).collect()
    }

    async fn threads(&self) -> Result<Vec<ThreadId>, JournalError> {
        let name = |row: &Row| row.try_get(0);
        let names = self.0.query(Text::Threads, LIST, &[], name).await?;
        names.into_iter().map(|name| self.0.named(name)).collect()
    }

    async fn heads(
        &self,
        after: Option<&ThreadId>,
        most: usize,
    ) -> Result<Vec<(ThreadId, Record)>, JournalError> {
        // No name stands between one and the same with a NUL behind it.
        let from = after.map_or_else(String::new, |after| format!("{after}\0"));
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let columns = |row: &Row| Ok((row.try_get(3)?, raw(row)?));
        let parameters: [&(dyn ToSql + Sync); 2] = [&from.as_bytes(), &most];
        let rows = self.0.query(Text::Heads, LIST, &parameters, columns);
        let head = |(name, raw)| {
            let thread = self.0.named(name)?;
            let last = record(&thread, raw)?;
            Ok((thread, last))
        };
        rows.await?.into_iter().map(head).collect()
    }

    async fn snapshot(&self, thread: &ThreadId) -> Result<Option<Record>, JournalError> {
        let name = thread.as_str().as_bytes();
        let rows = self.0.query(Text::Snapshot, "read", &[&name], raw).await?;
        let row = rows.into_iter().next();
        row.map(|row| record(thread, row)).transpose()
    }

    async fn compact(
        &self,
        thread: &ThreadId,
        snapshot: Record,
        trim: u64,
    ) -> Result<(), JournalError> {
        let name = thread.as_str().as_bytes();
        let conflict = || JournalError::conflict(thread, snapshot.seq);
        let seq = i64::try_from(snapshot.seq).map_err(|_| conflict())?;
        let trim = i64::try_from(trim).unwrap_or(i64::MAX);
        let hash = snapshot.hash.as_bytes().as_slice();
        let parameters: [&(dyn ToSql + Sync); 5] = [&name, &seq, &hash, &snapshot.body, &trim];
        let compact = Change::Prepared(Text::Compact, &parameters);
        match self.0.change("compact a thread of", compact).await? {
            0 => Err(conflict()),
            _ => Ok(()),
        }
    }

    async fn delete(&self, thread: &ThreadId, head: Option<u64>) -> Result<(), JournalError> {
        let delete = self.0.statements.delete(thread, head);
        let delete = Change::Text(&delete);
        match (self.0.change("delete a thread of", delete).await?, head) {
            (0, Some(head)) => Err(JournalError::conflict(thread, head)),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("place", &self.0.place)
            .finish_non_exhaustive()
    }
}
