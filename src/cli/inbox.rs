//! `inbox`: what waits for people, over all threads.

use futures_util::StreamExt;
use serde_json::json;

use super::error::Error;
use super::journal::Source;
use super::output::{Output, Table, note};
use super::{Verdict, text};
use crate::__private::chain;
use crate::{Json, Waiting, inbox};

pub(super) async fn run(source: &Source<'_>, out: &mut Output) -> Result<Verdict, Error> {
    let journal = source.open().await?;
    let mut waiting = inbox(&*journal, None);
    let mut table = Table::new([
        "thread",
        "ask#",
        "graph",
        "node",
        "key",
        "question",
        "until",
        "laid down",
    ]);
    let mut damaged = false;
    while let Some(waiting) = waiting.next().await {
        let Waiting {
            thread,
            graph,
            asks,
            ..
        } = match waiting {
            Ok(waiting) => waiting,
            Err(error) if error.thread().is_some() => {
                damaged = true;
                note(chain(&error));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        for ask in asks {
            if out.is_json() {
                out.json(&json!({ "thread": thread, "graph": graph.name(), "ask": ask }))?;
                continue;
            }
            let submitted = ask.submitted.as_ref().map_or("", Json::as_str);
            table.row([
                thread.to_string(),
                ask.id.to_string(),
                graph.name().to_owned(),
                ask.node.to_string(),
                key(&ask.key).to_owned(),
                text::short(ask.question.as_str()),
                ask.expires_ms.map(text::time).unwrap_or_default(),
                text::short(submitted),
            ]);
        }
    }
    if !out.is_json() {
        if table.is_empty() {
            note("nothing waits for an answer");
        } else {
            out.table(&table)?;
        }
    }
    Ok(Verdict::failed_if(damaged))
}

/// Returns the key of a question for people. A node that is a person has none to speak of.
fn key(key: &str) -> &str {
    if key.starts_with('\0') { "" } else { key }
}
