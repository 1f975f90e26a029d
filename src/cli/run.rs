//! `run`, `recover` and `resume`: graphs of the program at work.

use serde_json::json;

use super::Verdict;
use super::args::{Recover, Resume, Run};
use super::error::Error;
use super::graph::{Begin, Graphs, Rested};
use super::journal::{Source, chronicle};
use super::output::{Output, note};
use crate::{Journal, ThreadId};

pub(super) async fn run(
    args: &Run,
    graphs: &Graphs,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    let begin = Begin::Anew(args.state.clone());
    let order = Order {
        graph: &args.graph,
        thread: args.thread.as_str().into(),
        by: args.by.as_deref(),
        begin,
    };
    order
        .carry_out(graphs, source.open_or_create().await?, out)
        .await
}

pub(super) async fn recover(
    args: &Recover,
    graphs: &Graphs,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    go_on(args, Begin::Recover, graphs, source, out).await
}

pub(super) async fn resume(
    args: &Resume,
    graphs: &Graphs,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    let answer = serde_json::from_str(&args.answer).map_err(|source| Error::Json {
        what: "the answer",
        source,
    })?;
    let begin = Begin::Resume(args.ask, answer);
    go_on(&args.recover, begin, graphs, source, out).await
}

/// Goes on with a thread that is there.
async fn go_on(
    args: &Recover,
    begin: Begin,
    graphs: &Graphs,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    let journal = source.open().await?;
    let thread = args.thread.as_str().into();
    let graph = graph(args.graph.as_deref(), &*journal, &thread).await?;
    let order = Order {
        graph: &graph,
        thread,
        by: args.by.as_deref(),
        begin,
    };
    order.carry_out(graphs, journal, out).await
}

/// Returns the name of the graph that a thread runs, if none is named.
pub(super) async fn graph(
    named: Option<&str>,
    journal: &dyn Journal,
    thread: &ThreadId,
) -> Result<String, Error> {
    if let Some(name) = named {
        return Ok(name.to_owned());
    }
    let summary = chronicle(journal, thread).await?.summary()?;
    Ok(summary.graph.name().to_owned())
}

/// What a graph is to do in a thread.
struct Order<'a> {
    graph: &'a str,
    thread: ThreadId,
    by: Option<&'a str>,
    begin: Begin,
}

impl Order<'_> {
    async fn carry_out(
        self,
        graphs: &Graphs,
        journal: std::sync::Arc<dyn Journal>,
        out: &mut Output,
    ) -> Result<Verdict, Error> {
        let runner = graphs.runner(self.graph)?;
        let Self {
            thread, by, begin, ..
        } = self;
        let mut listener = |branch: &str, line: String| {
            let place = if branch.is_empty() { "" } else { " " };
            note(format!("{branch}{place}{line}"));
        };
        let rested = runner
            .go(journal, &thread, by, begin, &mut listener)
            .await?;
        match rested {
            Rested::Finished(state) if out.is_json() => {
                out.json(&json!({ "thread": thread, "status": "finished", "state": state }))?;
            }
            Rested::Paused(ask) if out.is_json() => {
                out.json(&json!({ "thread": thread, "status": "paused", "ask": ask }))?;
            }
            Rested::Finished(state) => {
                let state = serde_json::to_string_pretty(&state).map_err(std::io::Error::from)?;
                out.line(state)?;
            }
            Rested::Paused(ask) => {
                out.line(format!(
                    "paused: {} asks {}: {}",
                    ask.node, ask.id, ask.question
                ))?;
                note(format!("go on with `resume {thread} {} JSON`", ask.id));
            }
        }
        Ok(Verdict::Well)
    }
}
