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
use tokio_postgres::{Client, Error, Row, Statement};

use self::error::failed;
pub use self::options::{PostgresOptions, PostgresServer};
use self::orphans::Orphans;
use self::pool::{Line, Lines};
use self::schema::Schema;
use self::statements::{Commit, Statements, Text};
use super::Durability;
use super::memory::check_numbers;
use super::{Hash, Journal, JournalError, Record, ThreadId};

/// A journal on a `PostgreSQL` server, for workers on several machines.
///
/// An append is one statement and one round trip. It returns once the server has it on disk; what the
/// server itself may lose, such as with `fsync = off` or with replicas that lag behind, is its own
/// matter. Of two workers that advance one thread, one gets [`JournalError::Conflict`].
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

/// How often something is sent that certainly did not happen the last time.
const TURNS: u32 = 16;

impl Postgres {
    /// Connects to a server, and creates the journal if there is none.
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
        relaxed: bool,
        place: &str,
    ) -> Result<Self, JournalError> {
        let mut line = lines
            .lend()
            .await
            .map_err(|error| error::no_line(place, error))?;
        let opened = schema::open(&mut line, &schema, schema::STEPS).await?;
        let commit = match (relaxed, &*opened.synchronous_commit) {
            (true, _) => Commit::Relaxed,
            // What the server does by default is not what we promise.
            (false, "off") => Commit::Synchronous,
            // `remote_apply` and others are at least as good; `local` is somebody's choice.
            (false, _) => Commit::AsTheServerDoes,
        };
        drop(line);
        let statements = Statements::new(&schema, commit, lines.most());
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
                Err(error) if error::is_lost(&error) => {
                    line.discard();
                    if turn == TURNS {
                        return Err(failed(&self.place, action, error));
                    }
                    turn += 1;
                }
                Err(error) => return Err(failed(&self.place, action, error)),
            }
        }
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
        let mut turn = 1;
        loop {
            let (line, append) = self.prepared(text, APPEND).await?;
            let mut under_way = self.orphans.under_way();
            let written = under_way.on(line).execute(&append, parameters).await;
            let line = under_way.done();
            match written {
                Ok(written) => return Ok(written),
                // The server says that it took the statement back. So it does, under a stricter
                // isolation than its default, with each that comes second.
                Err(error) if error::is_taken_back(&error) && turn < TURNS => turn += 1,
                Err(error) => {
                    if let Some(line) = line.filter(|_| error::is_lost(&error)) {
                        line.discard();
                    }
                    return Err(failed(&self.place, APPEND, error));
                }
            }
        }
    }
}

#[async_trait]
impl Journal for Postgres {
    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        _: Durability,
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
        match self.0.insert(thread, expected, &records).await? {
            0 => conflict(),
            _ => Ok(()),
        }
    }

    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        let name = thread.as_str().as_bytes();
        // No record has a higher number than that.
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let columns = |row: &Row| {
            let hash = row.try_get::<_, &[u8]>(1)?.try_into().map(Hash::from_bytes);
            Ok((row.try_get::<_, i64>(0)?, hash, row.try_get(2)?))
        };
        let parameters: [&(dyn ToSql + Sync); 2] = [&name, &after];
        let rows = self
            .0
            .query(Text::Read, "read", &parameters, columns)
            .await?;
        let record = |(seq, hash, body): (i64, Result<_, _>, Vec<u8>)| {
            // Everything after number 0 at least is positive.
            let seq = seq.unsigned_abs();
            let hash = hash
                .map_err(|_| JournalError::damaged(thread, seq, "its hash is not 32 bytes long"))?;
            Ok(Record::new(seq, hash, body))
        };
        rows.into_iter().map(record).collect()
    }

    async fn threads(&self) -> Result<Vec<ThreadId>, JournalError> {
        let action = "list the threads of";
        let name = |row: &Row| row.try_get(0);
        let names = self.0.query(Text::Threads, action, &[], name).await?;
        let names = names.into_iter().map(String::from_utf8);
        let names = names.map(|name| name.map(ThreadId::from));
        let names: Result<_, _> = names.collect();
        names.map_err(|error| JournalError::corrupt(&*self.0.place, error))
    }

    async fn heads(
        &self,
        _: Option<&ThreadId>,
        _: usize,
    ) -> Result<Vec<(ThreadId, Record)>, JournalError> {
        Err(JournalError::store("here", "list", "not yet"))
    }

    async fn snapshot(&self, _: &ThreadId) -> Result<Option<Record>, JournalError> {
        Ok(None)
    }

    async fn compact(&self, _: &ThreadId, _: Record, _: u64) -> Result<(), JournalError> {
        Ok(())
    }

    async fn delete(&self, _: &ThreadId, _: Option<u64>) -> Result<(), JournalError> {
        Err(JournalError::store("here", "delete from", "not yet"))
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("place", &self.0.place)
            .finish_non_exhaustive()
    }
}
