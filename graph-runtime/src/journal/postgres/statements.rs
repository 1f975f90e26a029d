//! The statements, and which connection has prepared which of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use deadpool::managed::ObjectId;
use tokio::sync::OnceCell;
use tokio_postgres::{Error, Statement};

use super::pool::Line;
use super::schema::Schema;

/// A statement by its name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    /// Appends to a thread that has no records yet.
    Begin,
    Append,
    /// As `Append`, without what several records cost.
    AppendOne,
    Head,
    Read,
    Threads,
}

/// How an append is committed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Commit {
    AsTheServerDoes,
    Synchronous,
    Relaxed,
}

const TEXTS: usize = 6;

/// The statements of a journal.
pub(super) struct Statements {
    texts: [String; TEXTS],
    prepared: Mutex<BTreeMap<ObjectId, Arc<Prepared>>>,
    most: usize,
}

/// What one connection has prepared.
type Prepared = [OnceCell<Statement>; TEXTS];

impl Statements {
    /// Writes the statements for a schema, to be prepared on so many connections at most.
    pub(super) fn new(schema: &Schema, commit: Commit, most: usize) -> Self {
        Self {
            texts: texts(schema, commit),
            prepared: Mutex::default(),
            most,
        }
    }

    /// Returns a statement of a connection, which is asked to prepare it the first time.
    pub(super) async fn prepared(&self, text: Text, line: &Line) -> Result<Statement, Error> {
        let prepared = self.of(line.id());
        let text = text as usize;
        let statement =
            prepared[text].get_or_try_init(async || line.prepare(&self.texts[text]).await);
        statement.await.cloned()
    }

    /// Returns of how many connections statements are remembered.
    #[cfg(test)]
    pub(super) fn connections(&self) -> usize {
        self.prepared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    fn of(&self, line: ObjectId) -> Arc<Prepared> {
        let mut all = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let prepared = Arc::clone(all.entry(line).or_default());
        // Connections come and go. Numbers only grow: the smallest is most likely one that has gone,
        // and if not, it prepares again.
        while all.len() > self.most.max(1) {
            all.pop_first();
        }
        prepared
    }
}

/// The name is looked up by its hash, because an index takes no more than 2,700 bytes.
///
/// Nothing here depends on what is searched first: a statement means the same on any connection.
fn texts(schema: &Schema, commit: Commit) -> [String; TEXTS] {
    // A setting for the transaction of this statement alone, which is asked for when it commits.
    let commit = match commit {
        Commit::AsTheServerDoes => "",
        Commit::Synchronous => ", set_config('synchronous_commit', 'on', true)",
        Commit::Relaxed => ", set_config('synchronous_commit', 'off', true)",
    };
    let named = "sha256(name) = sha256($1) AND name = $1";
    // No transaction sees the row of another before it ends. The second waits; where the first was
    // committed, it finds that the row is there.
    let begin = format!(
        "WITH fence AS (
             INSERT INTO {schema}.thread (name, head) VALUES ($1, cardinality($2::bytea[]))
             ON CONFLICT DO NOTHING
             RETURNING id{commit}
         )
         INSERT INTO {schema}.entry (thread, seq, hash, body)
         SELECT fence.id, new.seq, new.hash, new.body
         FROM fence, unnest($2::bytea[], $3::bytea[]) WITH ORDINALITY AS new (hash, body, seq)"
    );
    // The second waits for the row, and looks at its head again.
    let fence = |count: &str| {
        format!(
            "WITH fence AS (
                 UPDATE {schema}.thread SET head = head + {count} WHERE {named} AND head = $2
                 RETURNING id{commit}
             )
             INSERT INTO {schema}.entry (thread, seq, hash, body)"
        )
    };
    let append = format!(
        "{}
         SELECT fence.id, $2 + new.place, new.hash, new.body
         FROM fence, unnest($3::bytea[], $4::bytea[]) WITH ORDINALITY AS new (hash, body, place)",
        fence("cardinality($3::bytea[])")
    );
    let append_one = format!("{} SELECT id, $2 + 1, $3, $4 FROM fence", fence("1"));
    let head = format!("SELECT head FROM {schema}.thread WHERE {named}");
    let read = format!(
        "SELECT seq, hash, body FROM {schema}.entry
         WHERE thread = (SELECT id FROM {schema}.thread WHERE {named}) AND seq > $2 ORDER BY seq"
    );
    let threads = format!("SELECT name FROM {schema}.thread ORDER BY name");
    // In the order of `Text`.
    [begin, append, append_one, head, read, threads]
}
