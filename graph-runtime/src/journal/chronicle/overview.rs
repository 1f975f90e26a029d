//! Where the threads of a journal stand, by as little of them as will do.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::super::chain::read;
use super::super::inbox::heads;
use super::super::{Branches, Entry, GraphId, Journal, JournalError, Record, Recorded, ThreadId};
use super::stands;
use crate::run::Status;

/// Where a thread stands, as its journal tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overview {
    /// The thread.
    pub thread: ThreadId,
    /// The graph that wrote the last entry of the trunk.
    pub graph: GraphId,
    /// Where the thread stands, as [`Summary::status`](super::Summary::status) says it.
    pub status: Status<Vec<String>>,
    /// How many questions are open.
    pub open: u32,
    /// How many entries the thread has, with those that were trimmed.
    pub entries: u64,
    /// When the last one was written, in milliseconds since 1970 in UTC.
    pub last_ms: u64,
}

/// Returns where the threads of a journal stand, whatever graphs they run, in the order of their names:
/// those behind `after`, or all.
///
/// Of each thread its last entry is read, which mostly tells; where it does not, as in the middle of a
/// fork, the rest as well, from the snapshot on if there is one. So an entry before the last one may be
/// damaged without anybody seeing it here. What happens meanwhile may be seen or not.
///
/// A thread that cannot be read is an error, and the next one follows; if the journal itself fails, the
/// stream ends with that.
///
/// ```
/// use futures_util::TryStreamExt;
/// use handoffs_runtime::{Journal, JournalError, overview};
///
/// async fn list(journal: &dyn Journal) -> Result<(), JournalError> {
///     let mut threads = overview(journal, None);
///     while let Some(stands) = threads.try_next().await? {
///         println!("{} of {}: {:?}", stands.thread, stands.graph.name(), stands.status);
///     }
///     Ok(())
/// }
/// ```
pub fn overview(
    journal: &dyn Journal,
    after: Option<ThreadId>,
) -> BoxStream<'_, Result<Overview, JournalError>> {
    let looked = heads(journal, after).filter_map(move |head| async move {
        match head {
            Ok((thread, head)) => look(journal, thread, &head).await.transpose(),
            Err(error) => Some(Err(error)),
        }
    });
    looked.boxed()
}

/// Looks at a thread; none if it was removed meanwhile.
async fn look(
    journal: &dyn Journal,
    thread: ThreadId,
    head: &Record,
) -> Result<Option<Overview>, JournalError> {
    let last: Entry = read(&thread, head)?;
    if let Some(status) = tells(&last) {
        return Ok(Some(Overview::of(thread, last, status)));
    }
    let (told, head) = Branches::load(journal, &thread, None).await?;
    if head.seq == 0 {
        return Ok(None);
    }
    let (graph, _, status) = stands(&thread, &told, head)?;
    Ok(Some(Overview {
        thread,
        graph,
        status,
        open: told.open.count(),
        entries: head.seq,
        last_ms: told.last().map_or(last.at_ms, |last| last.at_ms),
    }))
}

impl Overview {
    /// Puts together what the last entry of a thread tells.
    pub(super) fn of(thread: ThreadId, last: Entry, status: Status<Vec<String>>) -> Self {
        Self {
            thread,
            graph: last.graph,
            status,
            open: u32::from(last.event.asks().is_some()),
            entries: last.seq,
            last_ms: last.at_ms,
        }
    }
}

/// Returns where a thread stands, if its last entry tells by itself: as that of the trunk does, while no
/// other path is under way.
pub(super) fn tells(last: &Entry) -> Option<Status<Vec<String>>> {
    let asked = last.event.asks();
    if !last.branch.is_trunk() || last.open > u32::from(asked.is_some()) {
        return None;
    }
    // Entries of an earlier version do not say how many questions are open.
    if let Some(ask) = asked {
        return Some(Status::Paused(ask.clone()));
    }
    match &last.event {
        Recorded::Started { .. } => Some(Status::Unfinished(Vec::new())),
        Recorded::Stepped { fork: None, to, .. }
        | Recorded::Caught { to, .. }
        | Recorded::Decided { to, .. } => Some(match to {
            Some(to) => Status::Unfinished(vec![to.to_string()]),
            None => Status::Finished,
        }),
        Recorded::Joined { to, .. } => Some(Status::Unfinished(vec![to.to_string()])),
        Recorded::Failed { node, error, .. } => Some(Status::Failed {
            node: vec![node.to_string()],
            error: error.clone(),
        }),
        Recorded::Abandoned { why } => Some(Status::Abandoned { why: why.clone() }),
        _ => None,
    }
}
