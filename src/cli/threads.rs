//! `threads`: where each thread stands.

use futures_util::StreamExt;
use serde_json::json;

use super::args::{Standing, Threads};
use super::error::Error;
use super::journal::Source;
use super::output::{Output, Table, note};
use super::{Verdict, text};
use crate::__private::chain;
use crate::{JournalError, Overview, Status, ThreadId, overview};

pub(super) async fn run(
    args: &Threads,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    let journal = source.open().await?;
    let mut threads = overview(&*journal, None);
    let mut table = Table::new([
        "thread",
        "graph",
        "stands",
        "entries#",
        "last write",
        "open#",
    ]);
    let mut damaged = false;
    while let Some(read) = threads.next().await {
        let stands = match read {
            Ok(stands) => stands,
            Err(error) => {
                damaged = true;
                let (thread, why) = of_thread(error)?;
                if out.is_json() {
                    out.json(&json!({ "thread": thread, "error": why }))?;
                } else {
                    let dash = String::new;
                    table.row([
                        thread.to_string(),
                        dash(),
                        text::short(&why),
                        dash(),
                        dash(),
                        dash(),
                    ]);
                }
                continue;
            }
        };
        let Overview {
            thread,
            graph,
            status,
            open,
            entries,
            last_ms,
            ..
        } = &stands;
        let is_asked =
            args.status.is_empty() || args.status.iter().any(|asked| fits(*asked, status));
        if !is_asked
            || args
                .graph
                .as_deref()
                .is_some_and(|name| name != graph.name())
        {
            continue;
        }
        if out.is_json() {
            out.json(&json!({
                "thread": thread,
                "graph": graph.name(),
                "graph_id": graph,
                "status": text::status_name(status),
                "at": at(status),
                "error": error(status),
                "entries": entries,
                "last_ms": last_ms,
                "open": open,
            }))?;
            continue;
        }
        let open = match open {
            0 => String::new(),
            open => open.to_string(),
        };
        table.row([
            thread.to_string(),
            graph.name().to_owned(),
            text::short(&text::status(status)),
            entries.to_string(),
            text::time(*last_ms),
            open,
        ]);
    }
    if table.is_empty() && !out.is_json() {
        note("no threads");
    } else if !out.is_json() {
        out.table(&table)?;
    }
    Ok(Verdict::failed_if(damaged))
}

/// Returns which thread cannot be read, and why. Whatever is wrong with the journal itself is an error.
fn of_thread(error: JournalError) -> Result<(ThreadId, String), Error> {
    match error.thread() {
        Some(thread) if !matches!(error, JournalError::Layered { .. }) => {
            Ok((thread.clone(), chain(&error)))
        }
        _ => Err(error.into()),
    }
}

const fn fits(standing: Standing, status: &Status<Vec<String>>) -> bool {
    matches!(
        (standing, status),
        (Standing::Unfinished, Status::New | Status::Unfinished(_))
            | (Standing::Paused, Status::Paused(_))
            | (Standing::Failed, Status::Failed { .. })
            | (Standing::Finished, Status::Finished)
            | (Standing::Abandoned, Status::Abandoned { .. })
    )
}

/// Returns the nodes at which a thread stands.
pub(super) fn at(status: &Status<Vec<String>>) -> Vec<String> {
    match status {
        Status::Unfinished(nodes) | Status::Failed { node: nodes, .. } => nodes.clone(),
        Status::Paused(ask) => vec![ask.node.to_string()],
        _ => Vec::new(),
    }
}

/// Returns why a thread is at rest, if it is not at its end.
pub(super) fn error(status: &Status<Vec<String>>) -> Option<&str> {
    match status {
        Status::Failed { error, .. } => Some(error),
        Status::Abandoned { why, .. } => Some(why),
        _ => None,
    }
}
