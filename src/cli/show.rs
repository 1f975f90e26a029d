//! `show`: the state of a thread, by the names of its fields.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::args::Show;
use super::error::Error;
use super::journal::{Source, chronicle};
use super::output::Output;
use super::{Verdict, text, threads};
use crate::{Ask, GraphId, Json, Summary, ThreadId};

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
    let state = Fields(state);
    if out.is_json() {
        out.json(&Shown {
            thread: &thread,
            graph: graph.name(),
            graph_id: &graph,
            seq,
            status: text::status_name(&status),
            at: threads::at(&status),
            error: threads::error(&status),
            asks: &asks,
            trimmed,
            state,
        })?;
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
    out.line("")?;
    out.line(state.pretty()?)?;
    Ok(Verdict::Well)
}

/// What there is to know of a thread.
#[derive(Serialize)]
struct Shown<'a> {
    thread: &'a ThreadId,
    graph: &'a str,
    graph_id: &'a GraphId,
    seq: u64,
    status: &'a str,
    at: Vec<String>,
    error: Option<&'a str>,
    asks: &'a [Ask],
    /// How many entries are not kept any more.
    trimmed: u64,
    state: Fields,
}

/// Fields in their order.
struct Fields(Vec<(String, Json)>);

impl Fields {
    fn pretty(&self) -> Result<String, Error> {
        let field = |(name, value): &(String, Json)| {
            let value: Value = value
                .to()
                .map_err(|error| Error::Broken(error.to_string()))?;
            let value = serde_json::to_string_pretty(&value).map_err(std::io::Error::from)?;
            Ok(format!(
                "  {}: {}",
                json!(name),
                value.replace('\n', "\n  ")
            ))
        };
        let fields: Vec<_> = self.0.iter().map(field).collect::<Result<_, Error>>()?;
        Ok(format!("{{\n{}\n}}", fields.join(",\n")))
    }
}

impl Serialize for Fields {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
