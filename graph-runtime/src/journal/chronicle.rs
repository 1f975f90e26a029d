//! A thread as its journal tells of it, without its graph.

mod bare;
mod overview;

use std::fmt;

use super::chain::read;
use super::snapshot::kept;
use super::{
    Ask, BranchId, Branches, Copying, Entry, Export, GraphId, Head, Journal, JournalError, Json,
    Kept, ThreadId, entries, verify,
};
use crate::clock::Clock;
use crate::error::RunError;
use crate::meter::Meter;
use crate::run::Status;
use bare::Bare;

pub use overview::{Overview, overview};

/// All that a journal keeps of a thread, for whoever has not its graph: tools for operators and auditors.
///
/// [`Thread`](crate::Thread) knows more, and can go on with it.
///
/// ```
/// use handoffs_runtime::{Chronicle, Journal, RunError, ThreadId};
///
/// async fn tell(journal: &dyn Journal, thread: &ThreadId) -> Result<(), RunError> {
///     let Some(chronicle) = Chronicle::read(journal, thread).await? else {
///         return Ok(());
///     };
///     let summary = chronicle.summary()?;
///     println!("{thread} of {}: {:?}", summary.graph.name(), summary.status);
///     for (field, value) in &summary.state {
///         println!("  {field}: {value}");
///     }
///     Ok(())
/// }
/// ```
pub struct Chronicle {
    thread: ThreadId,
    kept: Kept,
}

/// What the entries of a thread add up to, in names.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// The graph that wrote the last entry of the trunk.
    pub graph: GraphId,
    /// Where the thread stands: the nodes that are due, which are several where the run has forked, and
    /// none before the first step, as only the graph knows where it starts.
    ///
    /// A branch that came to its join, which the entries do not tell from any other node, counts as due
    /// there, save while another one waits for a person.
    pub status: Status<Vec<String>>,
    /// The questions that are open, in the order in which they were asked.
    pub asks: Vec<Ask>,
    /// The fields of the state after the last step, in the order in which they were first written. While
    /// branches are under way, those with which they began.
    pub state: Vec<(String, Json)>,
}

impl Chronicle {
    /// Reads a thread; none if there is no such thread. Its entries are not looked at yet.
    ///
    /// # Errors
    ///
    /// [`RunError::Journal`] if the journal cannot be read.
    pub async fn read(journal: &dyn Journal, thread: &ThreadId) -> Result<Option<Self>, RunError> {
        let kept = kept(journal, thread).await;
        let kept = kept.map_err(|source| RunError::journal(thread, None, source))?;
        Ok((!kept.records.is_empty()).then(|| Self::of(thread.clone(), kept)))
    }

    pub(crate) const fn of(thread: ThreadId, kept: Kept) -> Self {
        Self { thread, kept }
    }

    /// Returns the thread's name.
    pub const fn thread(&self) -> &ThreadId {
        &self.thread
    }

    /// Returns the last entry that was trimmed; number 0 if none was.
    pub const fn base(&self) -> Head {
        self.kept.base
    }

    /// Returns how many entries the thread has, with those that were trimmed.
    pub fn len(&self) -> u64 {
        let last = self.kept.records.last();
        last.map_or(self.kept.base.seq, |last| last.seq)
    }

    /// Returns whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many bytes the entries take that are kept, as the runtime wrote them; a store may need
    /// more for them, or less.
    pub fn bytes(&self) -> u64 {
        let bodies = self.kept.records.iter();
        bodies.map(|record| record.body.len() as u64).sum()
    }

    /// Forgets what came after an entry.
    ///
    /// # Errors
    ///
    /// [`RunError::NoEntry`] if there is no such entry, and [`RunError::Trimmed`] if it was trimmed, or
    /// another one that the state behind it follows from.
    pub fn until(mut self, seq: u64) -> Result<Self, RunError> {
        let (thread, base, last) = (self.thread.clone(), self.kept.base, self.len());
        if seq == 0 || seq > last {
            return Err(RunError::NoEntry { thread, seq, last });
        }
        if seq <= base.seq || !self.kept.cut(seq) {
            let trimmed = base.seq;
            return Err(RunError::Trimmed {
                thread,
                seq,
                trimmed,
            });
        }
        Ok(self)
    }

    /// Returns all that happened, from the beginning or from where the thread was trimmed.
    ///
    /// # Errors
    ///
    /// [`RunError::Journal`] if an entry is not what was written.
    pub fn entries(&self) -> Result<Vec<Entry>, RunError> {
        let Kept { base, records, .. } = &self.kept;
        entries(&self.thread, *base, records).map_err(|source| self.failed(source))
    }

    /// Adds the entries up.
    ///
    /// # Errors
    ///
    /// [`RunError::Journal`] if an entry is not what was written, or does not follow from those before.
    pub fn summary(&self) -> Result<Summary, RunError> {
        let told = Branches::of_kept(&self.thread, self.kept.clone());
        let (told, head) = told.map_err(|source| self.failed(source))?;
        let stands = stands(&self.thread, &told, head);
        let (graph, trunk, status) = stands.map_err(|source| self.failed(source))?;
        let values = trunk.fields().values();
        let state = values.map(|(name, value)| match value {
            Ok(value) => Ok((name, value)),
            Err(error) => {
                let reason = format!("field `{name}`: {error}");
                let source = JournalError::damaged(&self.thread, head.seq, reason);
                Err(self.failed(source))
            }
        });
        Ok(Summary {
            graph,
            status,
            asks: told.open.on(&BranchId::TRUNK),
            state: state.collect::<Result<_, _>>()?,
        })
    }

    /// Says where the thread stands, as [`overview`] does for all.
    ///
    /// # Errors
    ///
    /// As [`summary`](Self::summary), which it takes where the last entry does not tell by itself.
    pub fn overview(&self) -> Result<Overview, RunError> {
        let last = self.kept.records.last();
        let last = last.ok_or_else(|| RunError::UnknownThread {
            thread: self.thread.clone(),
        })?;
        let last: Entry = read(&self.thread, last).map_err(|source| self.failed(source))?;
        let thread = self.thread.clone();
        if let Some(status) = overview::tells(&last) {
            return Ok(Overview::of(thread, last, status));
        }
        let Summary {
            graph,
            status,
            asks,
            ..
        } = self.summary()?;
        Ok(Overview {
            thread,
            graph,
            status,
            open: u32::try_from(asks.len()).unwrap_or(u32::MAX),
            entries: last.seq,
            last_ms: last.at_ms,
        })
    }

    /// Returns what the thread used up, as [`Thread::meter`](crate::Thread::meter) does.
    ///
    /// What the nodes of a graph within have used is counted at the node that the graph is, once an entry
    /// has named that: of a run that begins with such a node, when it has concluded.
    ///
    /// # Errors
    ///
    /// [`RunError::Journal`] if an entry is not what was written.
    pub fn meter(&self) -> Result<Meter, RunError> {
        let told = Branches::of_kept(&self.thread, self.kept.clone());
        let (told, _) = told.map_err(|source| self.failed(source))?;
        Ok(told.metering(None).all)
    }

    /// Copies what is read into a new thread, which stands where this one stands: the whole as
    /// [`copy_thread`](crate::copy_thread) does, or the beginning as [`Thread::fork`](crate::Thread::fork).
    /// Returns the end of the copy.
    ///
    /// # Errors
    ///
    /// [`RunError::Exists`] if there is a thread of this name, [`RunError::Trimmed`] if the first entries are
    /// not kept any more, and [`RunError::Journal`] if the journal cannot be written, or an entry is not what
    /// was written.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the copy whole, or none.
    pub async fn copy_to(self, journal: &dyn Journal, to: &ThreadId) -> Result<Head, RunError> {
        let Self { thread, kept } = self;
        if kept.base.seq > 0 {
            let trimmed = kept.base.seq;
            return Err(RunError::Trimmed {
                thread,
                seq: 1,
                trimmed,
            });
        }
        let copying = Copying {
            from: &thread,
            to,
            at_ms: Clock::default().now_ms(),
            by: None,
        };
        let copied = copying.append(journal, kept.records).await;
        copied.map_err(|error| match error {
            error if error.is_conflict() => RunError::Exists { thread: to.clone() },
            error => RunError::journal(&thread, None, error),
        })
    }

    /// Checks the entries as [`Thread::verify`](crate::Thread::verify) does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn verify(&self, noted: impl Into<Option<Head>>) -> Result<Head, RunError> {
        let (noted, base) = (noted.into(), self.kept.base);
        let stands = self.kept.check_before(&self.thread);
        stands.map_err(|source| self.failed(source))?;
        match noted {
            // Nobody can tell any more whether it was so.
            Some(noted) if noted.seq < base.seq => Err(RunError::Trimmed {
                thread: self.thread.clone(),
                seq: noted.seq,
                trimmed: base.seq,
            }),
            noted => verify(&self.thread, base, &self.kept.records, noted)
                .map_err(|source| self.failed(source)),
        }
    }

    /// Returns the entries for auditors, as [`Thread::export`](crate::Thread::export) does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn export(self) -> Result<Export, RunError> {
        let Self { thread, kept } = self;
        let head = verify(&thread, kept.base, &kept.records, None);
        let head = head.map_err(|source| RunError::journal(&thread, None, source))?;
        let export = Export::new(&thread, kept.base, head, kept.records);
        export.map_err(|source| RunError::journal(&thread, None, source))
    }

    fn failed(&self, source: JournalError) -> RunError {
        RunError::journal(&self.thread, None, source)
    }
}

/// Returns the graph of a thread's trunk, the trunk folded without it, and where the thread stands.
fn stands(
    thread: &ThreadId,
    told: &Branches,
    head: Head,
) -> Result<(GraphId, Bare, Status<Vec<String>>), JournalError> {
    let damaged = |(seq, reason): (u64, String)| JournalError::damaged(thread, seq, reason);
    let graph = told.graph().cloned();
    let graph = graph.ok_or_else(|| damaged((head.seq, "it has no trunk".to_owned())))?;
    let trunk = Bare::trunk(told).map_err(damaged)?;
    let status = trunk.status(told).map_err(damaged)?;
    Ok((graph, trunk, status))
}

impl fmt::Debug for Chronicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The entries are a user's conversation: they do not belong into a log.
        f.debug_struct("Chronicle")
            .field("thread", &self.thread)
            .field("base", &self.kept.base)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
