//! `threads`: where each thread stands.

use futures_util::StreamExt;
use serde_json::json;

use super::args::{Standing, Threads};
use super::error::Error;
use super::journal::{Source, chronicles, reason};
use super::output::{Output, Table, note};
use super::{Verdict, text};
use crate::{Chronicle, Status, Summary};

pub(super) async fn run(
    args: &Threads,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    let journal = source.open().await?;
    let mut threads = chronicles(&*journal, &[]).await?;
    let mut table = Table::new([
        "thread",
        "graph",
        "stands",
        "entries#",
        "last write",
        "open#",
    ]);
    let mut damaged = false;
    while let Some((thread, chronicle)) = threads.next().await {
        let read = chronicle.and_then(|chronicle| look(&chronicle));
        let (summary, entries, last_ms) = match read {
            Ok(read) => read,
            Err(error) => {
                damaged = true;
                let why = reason(error)?;
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
        let Summary {
            graph,
            status,
            asks,
            ..
        } = &summary;
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
                "open": asks.len(),
            }))?;
            continue;
        }
        let open = match asks.len() {
            0 => String::new(),
            open => open.to_string(),
        };
        table.row([
            thread.to_string(),
            graph.name().to_owned(),
            text::short(&text::status(status)),
            entries.to_string(),
            last_ms.map(text::time).unwrap_or_default(),
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

/// Returns what a thread adds up to, how many entries it has, and when the last one was written.
fn look(chronicle: &Chronicle) -> Result<(Summary, u64, Option<u64>), Error> {
    let last_ms = chronicle.entries()?.last().map(|last| last.at_ms);
    Ok((chronicle.summary()?, chronicle.len(), last_ms))
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
