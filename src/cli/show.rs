//! `show`: the state of a thread, by the names of its fields.

use serde_json::{Map, Value, json};

use super::args::Show;
use super::error::Error;
use super::journal::{Source, chronicle};
use super::output::Output;
use super::{Verdict, text, threads};
use crate::{JsonError, Summary};

pub(super) async fn run(
    args: &Show,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    let journal = source.open().await?;
    let thread = args.thread.as_str().into();
    let mut chronicle = chronicle(&*journal, &thread).await?;
    let all = chronicle.len();
    if let Some(seq) = args.at {
        chronicle = chronicle.until(seq)?;
    }
    let (seq, trimmed) = (chronicle.len(), chronicle.base().seq);
    let Summary {
        graph,
        status,
        asks,
        state,
        ..
    } = chronicle.summary()?;
    let read = |(name, value): (String, crate::Json)| Ok((name, value.to::<Value>()?));
    let state: Result<Map<_, _>, JsonError> = state.into_iter().map(read).collect();
    let state = state.map_err(|error| Error::Broken(error.to_string()))?;
    if out.is_json() {
        out.json(&json!({
            "thread": thread,
            "graph": graph.name(),
            "graph_id": graph,
            "seq": seq,
            "status": text::status_name(&status),
            "at": threads::at(&status),
            "error": threads::error(&status),
            "asks": asks,
            "trimmed": trimmed,
            "state": state,
        }))?;
        return Ok(Verdict::Well);
    }
    out.line(format!("thread  {thread} of {}", graph.name()))?;
    let of = if seq < all {
        format!(" of {all}")
    } else {
        String::new()
    };
    out.line(format!("entry   {seq}{of}"))?;
    if trimmed > 0 {
        let gone = text::count(trimmed, "entry");
        out.line(format!(
            "trimmed {gone}: the state is whole, and what led to it is not kept"
        ))?;
    }
    out.line(format!("stands  {}", text::status(&status)))?;
    for ask in &asks {
        out.line(format!(
            "asks    {} ({}): {}",
            ask.id, ask.node, ask.question
        ))?;
        if let Some(answer) = &ask.submitted {
            out.line(format!("        laid down, and not taken yet: {answer}"))?;
        }
    }
    let state = serde_json::to_string_pretty(&state).map_err(std::io::Error::from)?;
    out.line(format!("state   {}", state.replace('\n', "\n        ")))?;
    Ok(Verdict::Well)
}
