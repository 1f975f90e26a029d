//! Answers that are laid down in the journal, for the program that runs the graph.

use std::sync::Arc;

use super::line::on_one_line;
use super::{
    Approval, AskId, Branches, Durability, Entry, Hash, Head, Journal, JournalError, Json, Record,
    Recorded, ThreadId,
};
use crate::clock::Clock;
use crate::error::RunError;

/// How often an answer is laid down anew, as somebody else has written to the thread meanwhile.
const TRIES: u32 = 8;

/// Lays an answer to an open question down in the journal, whatever graph asked it. Nothing is run: the
/// next [`recover`](crate::Thread::recover) of the program that has the graph goes on with it.
///
/// The question stays open until its node has taken the answer, and [`Ask::submitted`](super::Ask::submitted)
/// says what was laid down. An answer that does not fit is an error of that `recover`
/// ([`RunError::WrongAnswer`]), and stands until it is replaced: by laying down another one, by none, which
/// takes it back, or by a [`resume`](crate::Thread::resume). An answer that was laid down in time is in
/// time, however late the program comes. Whether a handoff may be is answered with an [`Approval`], which
/// is checked here.
///
/// `by` is who answers, as with [`Thread::by`](crate::Thread::by). A worker that is at work on another
/// branch of the thread stops with a [conflict](RunError::is_conflict), and has to recover it.
///
/// ```
/// use futures_util::TryStreamExt;
/// use handoffs_runtime::{Journal, Json, inbox, submit};
///
/// /// Says yes to whatever is asked.
/// async fn agree(journal: &dyn Journal) -> Result<(), Box<dyn std::error::Error>> {
///     let waiting: Vec<_> = inbox(journal, None).try_collect().await?;
///     for thread in waiting {
///         for ask in thread.asks {
///             let yes = Json::of(&true)?;
///             submit(journal, &thread.thread, ask.id, Some(yes), Some("alice")).await?;
///         }
///     }
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// [`RunError::UnknownThread`] if there is no such thread, [`RunError::NotAsked`] if the question is not
/// open or its time is over, [`RunError::WrongAnswer`] if it is whether a handoff may be and the answer is
/// no [`Approval`], and [`RunError::Journal`] if the journal cannot be read or written, or is damaged.
///
/// # Cancel safety
///
/// Dropping the future leaves the thread as it was, or with the answer.
pub async fn submit(
    journal: &dyn Journal,
    thread: &ThreadId,
    ask: AskId,
    answer: Option<Json>,
    by: Option<&str>,
) -> Result<(), RunError> {
    let failed = |source| RunError::journal(thread, None, source);
    let mut tries = TRIES;
    loop {
        let (told, head) = Branches::load_whole(journal, thread)
            .await
            .map_err(failed)?;
        let record = laid_down(&told, thread, head, ask, answer.clone(), by)?;
        let appended = journal
            .append(thread, head.seq, vec![record], Durability::Sync)
            .await;
        tries -= 1;
        match appended {
            Err(error) if error.is_conflict() && tries > 0 => {}
            appended => return appended.map_err(failed),
        }
    }
}

/// Makes the entry that lays an answer down behind the end of a thread.
fn laid_down(
    told: &Branches,
    thread: &ThreadId,
    head: Head,
    ask: AskId,
    answer: Option<Json>,
    by: Option<&str>,
) -> Result<Record, RunError> {
    let not_asked = |node, reason| RunError::NotAsked {
        thread: thread.clone(),
        node,
        ask,
        reason,
    };
    if head.seq == 0 {
        let thread = thread.clone();
        return Err(RunError::UnknownThread { thread });
    }
    let open = told.open.find(ask);
    let graph = open.and_then(|(branch, _)| told.graph_of(branch));
    let (Some((branch, open)), Some(graph)) = (open, graph) else {
        let trimmed = told.base().is_some_and(|base| ask.get() <= base.seq);
        let unknown = if trimmed {
            "the entries of that time were trimmed"
        } else {
            "the thread has not asked it"
        };
        return Err(not_asked(None, told.why_closed(ask).unwrap_or(unknown)));
    };
    let at_ms = Clock::default().now_ms();
    if answer.is_some() && open.has_expired(at_ms) {
        let reason = "it has expired, and `recover` goes on without an answer";
        return Err(not_asked(Some(open.node.clone().into_owned()), reason));
    }
    if let Some(answer) = &answer
        && told.asked_approval(branch, ask)
    {
        answer
            .to::<Approval>()
            .map_err(|error| RunError::WrongAnswer {
                thread: thread.clone(),
                node: open.node.clone().into_owned(),
                ask,
                source: error.into(),
            })?;
    }
    let entry = Entry {
        seq: head.seq + 1,
        at_ms,
        graph: graph.clone(),
        prev: head.hash,
        branch: branch.clone(),
        by: by.map(Arc::from),
        open: told.open.count(),
        event: Recorded::Submitted { ask, answer },
    };
    let body = serde_json::to_vec(&entry).map_err(|source| {
        let source = JournalError::store("the journal", "append to", source);
        RunError::journal(thread, None, source)
    })?;
    let body = on_one_line(body);
    Ok(Record::new(entry.seq, Hash::of(&body), body))
}
