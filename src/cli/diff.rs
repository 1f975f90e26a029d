//! `diff`: what differs between two graphs, and whether it loosens anything.

use serde_json::json;

use super::Verdict;
use super::args::{Diff, Format};
use super::error::Error;
use super::graph::Graphs;
use super::output::Output;
use crate::diff::Effect;

pub(super) fn run(args: &Diff, graphs: &Graphs, out: &mut Output) -> Result<Verdict, Error> {
    let before = graphs.shape(Some(&args.before))?;
    let after = graphs.shape(args.after.as_deref())?;
    let diff = before.diff(&after);
    match out.format {
        Format::Text => out.text(&diff)?,
        Format::Markdown => out.text(diff.markdown())?,
        Format::Json => {
            let changes = diff.changes.iter().map(|change| {
                let effect = match change.effect() {
                    Effect::Loosens => "loosens",
                    Effect::Tightens => "tightens",
                    _ => "alters",
                };
                json!({ "effect": effect, "change": change.to_string() })
            });
            out.json(&json!({
                "graph": diff.name,
                "loosens": diff.loosens(),
                "changes": changes.collect::<Vec<_>>(),
            }))?;
        }
    }
    Ok(Verdict::failed_if(diff.loosens()))
}
