//! `dot`, `mermaid`, `svg` and `ascii`: drawings.

use super::Verdict;
use super::args::Draw;
use super::error::Error;
use super::graph::Graphs;
use super::journal::{Source, chronicle};
use super::output::{Output, note};
use crate::trail_of;

/// What kind of a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dot,
    Mermaid,
    Svg,
    Ascii,
}

pub(super) async fn run(
    kind: Kind,
    args: &Draw,
    graphs: &Graphs,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    let graph = graphs.shape(args.graph.as_deref())?;
    let Some(thread) = &args.overlay else {
        match kind {
            Kind::Dot => out.text(graph.dot())?,
            Kind::Mermaid => out.text(graph.mermaid())?,
            Kind::Svg => out.text(graph.svg())?,
            Kind::Ascii => out.text(graph.ascii())?,
        }
        return Ok(Verdict::Well);
    };
    let journal = source.open().await?;
    let chronicle = chronicle(&*journal, &thread.into()).await?;
    let trail = trail_of(&chronicle.entries()?, Some(&graph));
    for remark in trail.remarks() {
        note(remark);
    }
    match kind {
        Kind::Dot => out.text(graph.dot().trail(&trail))?,
        Kind::Mermaid => out.text(graph.mermaid().trail(&trail))?,
        Kind::Svg => out.text(graph.svg().trail(&trail))?,
        Kind::Ascii => out.text(graph.ascii().trail(&trail))?,
    }
    Ok(Verdict::Well)
}
