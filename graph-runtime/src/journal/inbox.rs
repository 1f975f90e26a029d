//! The questions that are open, over all threads.

use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;

use super::chain::read;
use super::{Ask, BranchId, Branches, Entry, GraphId, Journal, JournalError, Record, ThreadId};

/// A thread that waits for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// The thread.
    pub thread: ThreadId,
    /// The graph that it runs.
    pub graph: GraphId,
    /// The questions that are open, in the order in which they were asked.
    pub asks: Vec<Ask>,
}

/// Returns the threads of a journal that wait for people, whatever graphs they run, in the order of
/// their names: those behind `after`, or all.
///
/// Of each thread its last entry is read, which says how many questions are open, and of those that have
/// some the rest. What happens meanwhile may be seen or not. A question whose time is over is listed
/// until somebody [recovers](crate::Thread::recover) the thread.
///
/// A thread that cannot be read is an error, and the next one follows; if the journal itself fails, the
/// stream ends with that.
///
/// ```
/// use futures_util::TryStreamExt;
/// use handoffs_runtime::{Journal, JournalError, inbox};
///
/// async fn list(journal: &dyn Journal) -> Result<(), JournalError> {
///     let mut waiting = inbox(journal, None);
///     while let Some(waiting) = waiting.try_next().await? {
///         for ask in &waiting.asks {
///             println!("{}: {} asks {}", waiting.thread, ask.node, ask.question);
///         }
///     }
///     Ok(())
/// }
/// ```
pub fn inbox(
    journal: &dyn Journal,
    after: Option<ThreadId>,
) -> BoxStream<'_, Result<Waiting, JournalError>> {
    let heads = heads(journal, after);
    let waiting = heads.filter_map(move |head| async move {
        match head {
            Ok((thread, head)) => waiting(journal, thread, head).await.transpose(),
            Err(error) => Some(Err(error)),
        }
    });
    waiting.boxed()
}

/// How many threads are asked for at a time.
const PAGE: usize = 256;

/// Returns the last records of all threads behind `after`, in the order of their names. An error that
/// names a thread stands in its place, and any other ends it.
pub(super) fn heads(
    journal: &dyn Journal,
    after: Option<ThreadId>,
) -> impl Stream<Item = Result<(ThreadId, Record), JournalError>> + Send {
    let pages = stream::unfold(Some((after, PAGE)), move |place| async move {
        let (after, mut most) = place?;
        loop {
            let error = match journal.heads(after.as_ref(), most).await {
                Ok(page) => {
                    let (last, _) = page.last()?;
                    let next = Some((Some(last.clone()), PAGE.min(most * 2)));
                    return Some((page.into_iter().map(Ok).collect(), next));
                }
                Err(error) => error,
            };
            // One thread of the page that cannot be read hides the others, so they are asked for without it.
            let hidden = error
                .thread()
                .filter(|thread| Some(*thread) > after.as_ref());
            if hidden.is_some() && most > 1 {
                most /= 2;
                continue;
            }
            let next = hidden.cloned().map(|thread| (Some(thread), 1));
            return Some((vec![Err(error)], next));
        }
    });
    pages.flat_map(|page: Vec<_>| stream::iter(page))
}

/// What the inbox wants to know of an entry, whatever else it says.
#[derive(Deserialize)]
struct Glance {
    graph: GraphId,
    #[serde(default)]
    branch: BranchId,
    #[serde(default)]
    open: u32,
    event: serde_json::Value,
}

async fn waiting(
    journal: &dyn Journal,
    thread: ThreadId,
    head: Record,
) -> Result<Option<Waiting>, JournalError> {
    let Glance {
        graph,
        branch,
        open,
        event,
    } = read(&thread, &head)?;
    // Entries of an earlier version do not say how many questions are open.
    let is_question = event.get("asked").is_some();
    if open == 0 && !is_question {
        return Ok(None);
    }
    if open <= 1 && branch.is_trunk() && is_question {
        let entry: Entry = read(&thread, &head)?;
        let asks: Vec<_> = entry.event.asks().cloned().into_iter().collect();
        return Ok(Some(Waiting {
            thread,
            graph,
            asks,
        }));
    }
    let (told, _) = Branches::load_whole(journal, &thread).await?;
    let asks = told.open.on(&BranchId::TRUNK);
    let graph = told.graph().cloned().unwrap_or(graph);
    Ok((!asks.is_empty()).then_some(Waiting {
        thread,
        graph,
        asks,
    }))
}
