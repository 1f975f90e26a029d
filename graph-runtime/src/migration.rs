//! A user's function that puts old entries into the words of today's graph.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::attempt::text;
use crate::error::RunError;
use crate::journal::{Entry, ThreadId};

type Boxed = Box<dyn Error + Send + Sync>;

type Migrate = dyn Fn(&mut Entry) -> Result<(), Boxed> + Send + Sync;

/// A user's function that puts old entries into the words of today's graph.
#[derive(Clone)]
pub(crate) struct Migration(Arc<Migrate>);

impl Migration {
    pub(crate) fn new<E: Into<Boxed>>(
        migrate: impl Fn(&mut Entry) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |entry| migrate(entry).map_err(Into::into)))
    }

    /// Changes what an entry says happened. Which entry it is, it cannot change.
    pub(crate) fn apply(&self, thread: &ThreadId, entry: &Entry) -> Result<Entry, RunError> {
        let mut migrated = entry.clone();
        let applied = catch_unwind(AssertUnwindSafe(|| (self.0)(&mut migrated)));
        let applied = applied.unwrap_or_else(|panic| Err(text(&*panic).into()));
        applied.map_err(|source| RunError::Migrate {
            thread: thread.clone(),
            seq: entry.seq,
            recorded: entry.graph.clone(),
            source,
        })?;
        Ok(Entry {
            event: migrated.event,
            ..entry.clone()
        })
    }
}

impl fmt::Debug for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Migration")
    }
}
