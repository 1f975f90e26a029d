//! The statements, and which connection has prepared which of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use deadpool::managed::ObjectId;
use tokio::sync::OnceCell;
use tokio_postgres::{Error, Statement};

use super::pool::Line;
use super::schema::Schema;
use crate::journal::ThreadId;

/// A statement by its name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    /// Appends to a thread that has no records yet.
    Begin,
    Append,
    /// As `Append`, without what several records cost.
    AppendOne,
    /// The same three, without waiting for the server's disk.
    BeginRelaxed,
    AppendRelaxed,
    AppendOneRelaxed,
    Compact,
    Head,
    Read,
    Threads,
    Heads,
    Snapshot,
}

impl Text {
    /// Returns the statement that does the same without waiting for the disk, if there is one.
    pub(super) const fn relaxed(self) -> Self {
        match self {
            Self::Begin => Self::BeginRelaxed,
            Self::Append => Self::AppendRelaxed,
            Self::AppendOne => Self::AppendOneRelaxed,
            other => other,
        }
    }
}

/// How a change is committed that is to be on disk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Commit {
    AsTheServerDoes,
    Synchronous,
}

const TEXTS: usize = 12;

/// The statements of a journal.
pub(super) struct Statements {
    schema: Schema,
    commit: Commit,
    texts: [String; TEXTS],
    prepared: Mutex<BTreeMap<ObjectId, Arc<Prepared>>>,
    most: usize,
}

/// What one connection has prepared.
type Prepared = [OnceCell<Statement>; TEXTS];

impl Statements {
    /// Writes the statements for a schema, to be prepared on so many connections at most.
    pub(super) fn new(schema: Schema, commit: Commit, most: usize) -> Self {
        Self {
            texts: texts(&schema, commit),
            schema,
            commit,
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

    /// Writes what deletes a thread.
    ///
    /// Several statements, as only those after the first see what was committed while it waited for the
    /// thread's row. They are sent as one text, which the server takes for one transaction, and which
    /// has no parameters. The first one says [`KEPT`] of a thread that is not at the head expected.
    pub(super) fn delete(&self, thread: &ThreadId, head: Option<u64>) -> String {
        let schema = &self.schema;
        let commit = self.commit.setting();
        let digits = thread.as_str().bytes().map(|byte| format!("{byte:02x}"));
        let name = format!("decode('{}', 'hex')", digits.collect::<String>());
        let named = NAMED.replace("$1", &name);
        // No thread has the number that stands for one that is kept.
        let id = head.map_or_else(
            || "id".to_owned(),
            |head| format!("CASE WHEN head = {head} THEN id ELSE {KEPT} END"),
        );
        let gone = "current_setting('handoffs.gone')::bigint";
        format!(
            "SELECT set_config('handoffs.gone', coalesce(max({id}), 0)::text, true){commit}
             FROM (SELECT id, head FROM {schema}.thread WHERE {named} FOR UPDATE) AS fence;
             DELETE FROM {schema}.snapshot WHERE thread = {gone};
             DELETE FROM {schema}.entry WHERE thread = {gone};
             DELETE FROM {schema}.thread WHERE id = {gone}"
        )
    }

    #[cfg(test)]
    pub(super) fn text(&self, text: Text) -> &str {
        &self.texts[text as usize]
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

/// What is said of a thread that is not deleted, as it has gone on.
pub(super) const KEPT: &str = "-1";

/// A setting for the transaction of one statement alone, which is asked for when it commits.
const RELAXED: &str = ", set_config('synchronous_commit', 'off', true)";

impl Commit {
    const fn setting(self) -> &'static str {
        match self {
            Self::AsTheServerDoes => "",
            Self::Synchronous => ", set_config('synchronous_commit', 'on', true)",
        }
    }
}

/// Finds a thread. The name is looked up by its hash, because an index takes no more than 2,700 bytes.
const NAMED: &str = "sha256(name) = sha256($1) AND name = $1";

/// Nothing here depends on what is searched first: a statement means the same on any connection.
fn texts(schema: &Schema, commit: Commit) -> [String; TEXTS] {
    let [begin, append, append_one] = appends(schema, commit.setting());
    let [begin_relaxed, append_relaxed, append_one_relaxed] = appends(schema, RELAXED);
    // Who compacts holds the thread's row, so it cannot be deleted meanwhile, nor its head move. The
    // newest snapshot stays, and nothing is trimmed that it does not take in.
    let commit = commit.setting();
    let compact = format!(
        "WITH fence AS (
             SELECT id, head{commit} FROM {schema}.thread WHERE {NAMED} AND head >= $2 FOR UPDATE
         ), kept AS (
             INSERT INTO {schema}.snapshot AS old (thread, seq, hash, body)
             SELECT id, $2, $3, $4 FROM fence
             ON CONFLICT (thread) DO UPDATE SET
                 seq = greatest(old.seq, excluded.seq),
                 hash = CASE WHEN old.seq < excluded.seq THEN excluded.hash ELSE old.hash END,
                 body = CASE WHEN old.seq < excluded.seq THEN excluded.body ELSE old.body END
             RETURNING seq
         ), trimmed AS (
             DELETE FROM {schema}.entry USING fence, kept
             WHERE entry.thread = fence.id AND entry.seq <= least($5, kept.seq, fence.head - 1)
         )
         SELECT id FROM fence"
    );
    let head = format!("SELECT head FROM {schema}.thread WHERE {NAMED}");
    let read = format!(
        "SELECT seq, hash, body FROM {schema}.entry
         WHERE thread = (SELECT id FROM {schema}.thread WHERE {NAMED}) AND seq > $2 ORDER BY seq"
    );
    let threads = format!("SELECT name FROM {schema}.thread ORDER BY name");
    // An index over the beginnings of names leads to the page; who sorts by them, sorts by names.
    let heads = format!(
        "SELECT seq, hash, body, name FROM (
             SELECT id, name, head FROM {schema}.thread
             WHERE substring(name, 1, 100) >= substring($1::bytea, 1, 100) AND name >= $1
             ORDER BY substring(name, 1, 100), name LIMIT $2
         ) AS page
         JOIN {schema}.entry ON entry.thread = page.id AND entry.seq = page.head
         ORDER BY name"
    );
    let snapshot = format!(
        "SELECT seq, hash, body FROM {schema}.snapshot
         WHERE thread = (SELECT id FROM {schema}.thread WHERE {NAMED})"
    );
    // In the order of `Text`.
    [
        begin,
        append,
        append_one,
        begin_relaxed,
        append_relaxed,
        append_one_relaxed,
        compact,
        head,
        read,
        threads,
        heads,
        snapshot,
    ]
}

fn appends(schema: &Schema, commit: &str) -> [String; 3] {
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
                 UPDATE {schema}.thread SET head = head + {count} WHERE {NAMED} AND head = $2
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
    [begin, append, append_one]
}
