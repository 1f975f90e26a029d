//! `replay`: where recorded decisions would lead by today's edges.

use serde_json::json;

use super::args::Replay;
use super::error::Error;
use super::graph::{Drawn, Graphs};
use super::journal::{Source, reason};
use super::output::{Output, note};
use super::{Verdict, run, text};
use crate::bar::Bar;
use crate::{RunError, ThreadId};

pub(super) async fn run(
    args: &Replay,
    graphs: &Graphs,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    let journal = source.open().await?;
    let is_named = !args.threads.is_empty();
    let threads: Vec<ThreadId> = if is_named {
        args.threads.iter().map(ThreadId::from).collect()
    } else {
        journal.threads().await?
    };
    let (mut looked, mut decisions, mut differing) = (0, 0, 0);
    let mut failed = false;
    let bar = Bar::new(!out.is_json(), threads.len(), "threads");
    // What is said meanwhile stands above the bar.
    let aside = |text: String| bar.aside(|| note(text));
    for thread in threads {
        bar.step();
        let graph = run::graph(None, &*journal, &thread).await;
        let rerouted = match graph {
            Ok(graph) => {
                let against = args.against.as_deref();
                if against.is_some_and(|name| !is_same(graphs, name, &graph)) {
                    if is_named {
                        failed = true;
                        aside(format!("`{thread}` is left out: it is a thread of {graph}"));
                    }
                    continue;
                }
                let runner = graphs.runner(against.unwrap_or(&graph));
                if runner.is_err() && !is_named && against.is_none() {
                    aside(format!(
                        "`{thread}` is left out: this program does not run {graph}"
                    ));
                    continue;
                }
                runner?.reroute(journal.clone(), &thread).await
            }
            Err(error) => Err(error),
        };
        let rerouted = match rerouted {
            Ok(rerouted) => rerouted,
            Err(error @ Error::Missing(_)) => return Err(error),
            Err(Error::Run(error @ RunError::Trimmed { .. })) if !is_named => {
                aside(format!("`{thread}` is left out: {error}"));
                continue;
            }
            Err(error) => {
                failed = true;
                aside(format!("`{thread}` is left out: {}", reason(error)?));
                continue;
            }
        };
        looked += 1;
        decisions += rerouted.decisions;
        differing += rerouted.differing.len() as u64;
        for other in &rerouted.differing {
            bar.aside(|| {
                if !out.is_json() {
                    return out.line(format!("{thread}: {other}"));
                }
                out.json(&json!({
                    "thread": thread,
                    "seq": other.seq,
                    "branch": other.branch,
                    "node": other.node,
                    "recorded": other.recorded.to_string(),
                    "today": other.today.as_ref().map(ToString::to_string).ok(),
                    "reason": other.today.as_ref().err().map(ToString::to_string),
                    "leads_elsewhere": other.leads_elsewhere(),
                }))
            })?;
        }
        if rerouted.hidden > 0 {
            let hidden = text::count(rerouted.hidden, "decision");
            aside(format!(
                "{thread}: {hidden} within nodes whose edges nobody knows"
            ));
        }
    }
    drop(bar);
    let (looked, decisions) = (
        text::count(looked, "thread"),
        text::count(decisions, "decision"),
    );
    let verb = if differing == 1 { "leads" } else { "lead" };
    note(format!(
        "{looked}, {decisions}: {differing} {verb} elsewhere today"
    ));
    Ok(Verdict::failed_if(failed || differing > 0))
}

/// Returns whether a thread's graph is the one that is asked about, by its name of today or of then.
fn is_same(graphs: &Graphs, asked: &str, recorded: &str) -> bool {
    let found = graphs.find(asked).map(Drawn::topology);
    let known = found.is_some_and(|graph| {
        graph.name() == recorded || graph.former_names().any(|former| former == recorded)
    });
    known || asked == recorded
}
