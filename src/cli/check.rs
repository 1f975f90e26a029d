//! `check`: the bounds of graphs, whether they are right, and whether their drawings are up to date.

use serde_json::json;

use super::Verdict;
use super::args::Check;
use super::error::Error;
use super::graph::{Graphs, dot, read};
use super::output::{Output, Table, note};
use crate::{Topology, check, max_handoffs};

pub(super) fn run(args: &Check, graphs: &Graphs, out: &mut Output) -> Result<Verdict, Error> {
    let shapes: Vec<Topology> = if args.graphs.is_empty() {
        graphs
            .all()
            .iter()
            .map(|graph| graph.topology().clone())
            .collect()
    } else {
        let named = args.graphs.iter();
        named
            .map(|name| graphs.shape(Some(name)))
            .collect::<Result<_, _>>()?
    };
    if shapes.is_empty() {
        return Err(Error::Usage("which graph? name a DOT file".to_owned()));
    }
    let mut failed = false;
    let mut table = Table::new([
        "graph",
        "nodes#",
        "edges#",
        "max handoffs#",
        "loops",
        "findings",
    ]);
    for graph in &shapes {
        let findings: Vec<_> = check(graph)
            .iter()
            .map(|finding| finding.message(graph))
            .collect();
        failed |= !findings.is_empty();
        let loops: Vec<(Vec<&str>, Option<u64>)> = graph
            .cycles()
            .into_iter()
            .map(|(nodes, laps)| {
                (
                    nodes.iter().map(|node| graph.name_of(*node)).collect(),
                    laps,
                )
            })
            .collect();
        let (nodes, edges) = (graph.nodes().len(), graph.edges().len());
        if out.is_json() {
            let loops = loops
                .iter()
                .map(|(nodes, laps)| json!({ "nodes": nodes, "laps": laps }));
            out.json(&json!({
                "graph": graph.name(),
                "nodes": nodes,
                "edges": edges,
                "max_handoffs": max_handoffs(graph),
                "loops": loops.collect::<Vec<_>>(),
                "findings": findings,
            }))?;
            continue;
        }
        let loops = loops.iter().map(|(nodes, laps)| match laps {
            Some(1) => format!("{} (1 lap)", nodes.join(", ")),
            Some(laps) => format!("{} ({laps} laps)", nodes.join(", ")),
            None => format!("{} (no bound)", nodes.join(", ")),
        });
        table.row([
            graph.name().to_owned(),
            nodes.to_string(),
            edges.to_string(),
            max_handoffs(graph).map_or_else(|| "no bound".to_owned(), |most| most.to_string()),
            loops.collect::<Vec<_>>().join("\n"),
            findings.join("\n"),
        ]);
    }
    if !out.is_json() {
        out.table(&table)?;
    }
    for path in &args.against {
        failed |= !is_drawn(path, &shapes, out)?;
    }
    Ok(Verdict::failed_if(failed))
}

/// Returns whether a file is the drawing of the graph whose name it carries, and says what is not.
fn is_drawn(path: &str, shapes: &[Topology], out: &mut Output) -> Result<bool, Error> {
    let text = read(path)?;
    let drawn = dot(path, &text)?;
    let graph = shapes.iter().find(|graph| graph.name() == drawn.name());
    let Some(graph) = graph else {
        return Err(Error::Missing(format!(
            "`{path}` draws `{}`, which is none of the graphs that are checked",
            drawn.name()
        )));
    };
    let is_same = graph.dot().to_string().trim_end() == text.trim_end();
    let diff = drawn.diff(graph);
    if out.is_json() {
        let changes: Vec<_> = diff.changes.iter().map(ToString::to_string).collect();
        out.json(&json!({
            "drawing": path,
            "graph": graph.name(),
            "up_to_date": is_same,
            "changes": changes,
        }))?;
    } else if is_same {
        out.line(format!("`{path}` is up to date"))?;
    } else if diff.is_empty() {
        out.line(format!(
            "`{path}` is the same graph, drawn otherwise: write it anew with `dot`"
        ))?;
    } else {
        out.line(format!(
            "`{path}` is not up to date: write it anew with `dot`"
        ))?;
        out.text(&diff)?;
    }
    if !is_same && !diff.is_empty() {
        note("what it draws is before, what the program has is after");
    }
    Ok(is_same)
}
