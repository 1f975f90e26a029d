//! `dot`, `mermaid`, `svg` and `ascii`: drawings.

use super::Verdict;
use super::args::Draw;
use super::error::Error;
use super::graph::Graphs;
use super::journal::Source;
use super::output::Output;

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
    _source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    let graph = graphs.shape(args.graph.as_deref())?;
    match kind {
        Kind::Dot => out.text(graph.dot())?,
        Kind::Mermaid => out.text(graph.mermaid())?,
        Kind::Svg => out.text(graph.svg())?,
        Kind::Ascii => out.text(graph.ascii())?,
    }
    Ok(Verdict::Well)
}
