//! `stats`: what all threads of a journal add up to.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::args::Stats;
use super::error::Error;
use super::journal::{Source, chronicles, reason};
use super::output::{Output, Table, note};
use super::{Verdict, text};
use crate::{Chronicle, Entry, Recorded, Usage};

pub(super) async fn run(
    args: &Stats,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    let journal = source.open().await?;
    let mut threads = chronicles(&*journal, &args.threads).await?;
    let mut all = BTreeMap::<String, Graph>::new();
    let mut damaged = false;
    while let Some((thread, chronicle)) = threads.next().await {
        let added = chronicle.and_then(|chronicle| add(&mut all, &chronicle));
        if let Err(error) = added {
            damaged = true;
            note(format!("thread `{thread}` is left out: {}", reason(error)?));
        }
    }
    if let Some(name) = &args.graph {
        all.retain(|known, _| known == name);
    }
    if out.is_json() {
        let graphs: Vec<_> = all.iter().map(|(name, graph)| graph.json(name)).collect();
        out.json(&json!({ "graphs": graphs }))?;
    } else if all.is_empty() {
        note("no threads");
    } else {
        for (place, (name, graph)) in all.iter().enumerate() {
            if place > 0 {
                out.line("")?;
            }
            graph.print(name, out)?;
        }
    }
    Ok(Verdict::failed_if(damaged))
}

/// What is counted of a graph. One that is a node of another has no threads of its own.
#[derive(Default)]
struct Graph {
    threads: BTreeMap<&'static str, u64>,
    entries: u64,
    bytes: u64,
    open: u64,
    nodes: BTreeMap<String, Node>,
    /// By node, condition and target.
    edges: BTreeMap<(String, String, String), Taken>,
}

#[derive(Default)]
struct Node {
    steps: u64,
    cached: u64,
    retries: u64,
    failures: u64,
    questions: u64,
    usage: Usage,
    took_ms: Vec<u64>,
}

/// How often an edge was taken.
#[derive(Default)]
struct Taken {
    times: u64,
    /// How often it was masked, and its `else` taken.
    masked: u64,
}

fn add(all: &mut BTreeMap<String, Graph>, chronicle: &Chronicle) -> Result<(), Error> {
    let (entries, stands) = (chronicle.entries()?, chronicle.overview()?);
    let graph = all.entry(stands.graph.name().to_owned()).or_default();
    *graph
        .threads
        .entry(text::status_name(&stands.status))
        .or_default() += 1;
    graph.bytes += chronicle.bytes();
    graph.open += u64::from(stands.open);
    for entry in &entries {
        let graph = all.entry(entry.graph.name().to_owned()).or_default();
        graph.entries += 1;
        graph.add(entry);
    }
    Ok(())
}

impl Graph {
    fn add(&mut self, entry: &Entry) {
        match &entry.event {
            Recorded::Stepped {
                node,
                on,
                masked,
                to,
                fork,
                cached,
                approval,
                took_ms,
                usage,
                ..
            } => {
                let known = self.node(node);
                known.steps += 1;
                known.usage += *usage;
                known.questions += u64::from(approval.is_some());
                if *cached {
                    known.cached += 1;
                } else {
                    known.took_ms.push(*took_ms);
                }
                let to = match fork {
                    Some(fork) => {
                        let begin: Vec<&str> = fork.begin.iter().map(AsRef::as_ref).collect();
                        begin.join(" + ")
                    }
                    None => to.as_deref().unwrap_or("end").to_owned(),
                };
                self.take(node, on, to, masked.is_some());
            }
            Recorded::Caught {
                failure,
                on,
                usage,
                masked,
                to,
                ..
            } => {
                let known = self.node(&failure.node);
                known.failures += 1;
                known.usage += *usage;
                let to = to.as_deref().unwrap_or("end").to_owned();
                self.take(&failure.node, on, to, masked.is_some());
            }
            Recorded::Attempted { node, usage, .. } => {
                let known = self.node(node);
                known.retries += 1;
                known.usage += *usage;
            }
            Recorded::Failed { node, usage, .. } => {
                let known = self.node(node);
                known.failures += 1;
                known.usage += *usage;
            }
            Recorded::Asked(ask) => self.node(&ask.node).questions += 1,
            _ => {}
        }
    }

    fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.entry(name.to_owned()).or_default()
    }

    fn take(&mut self, node: &str, on: &str, to: String, masked: bool) {
        let edge = (node.to_owned(), on.to_owned(), to);
        let taken = self.edges.entry(edge).or_default();
        taken.times += 1;
        taken.masked += u64::from(masked);
    }

    fn usage(&self) -> Usage {
        self.nodes.values().map(|node| node.usage).sum()
    }

    fn json(&self, name: &str) -> Value {
        let nodes = self.nodes.iter().map(|(name, node)| {
            json!({
                "node": name,
                "steps": node.steps,
                "cached": node.cached,
                "retries": node.retries,
                "failures": node.failures,
                "questions": node.questions,
                "p50_ms": node.took(50),
                "p95_ms": node.took(95),
                "usage": node.usage,
            })
        });
        let edges = self.edges.iter().map(|((node, on, to), taken)| {
            json!({
                "node": node,
                "on": on,
                "to": to,
                "taken": taken.times,
                "masked": taken.masked,
            })
        });
        json!({
            "graph": name,
            "threads": self.threads.values().sum::<u64>(),
            "status": self.threads,
            "entries": self.entries,
            "bytes": self.bytes,
            "open": self.open,
            "usage": self.usage(),
            "nodes": nodes.collect::<Vec<_>>(),
            "edges": edges.collect::<Vec<_>>(),
        })
    }

    fn print(&self, name: &str, out: &mut Output) -> Result<(), Error> {
        let entries = text::count(self.entries, "entry");
        if self.threads.is_empty() {
            out.line(format!("{name}, within another graph: {entries}"))?;
        } else {
            let threads = text::count(self.threads.values().sum(), "thread");
            let standing: Vec<_> = self
                .threads
                .iter()
                .map(|(status, threads)| format!("{threads} {status}"))
                .collect();
            out.line(format!(
                "{name}: {threads} ({}), {entries} in {}, {}",
                standing.join(", "),
                text::bytes(self.bytes),
                text::count(self.open, "open question"),
            ))?;
        }
        let used = text::usage(&self.usage());
        if !used.is_empty() {
            out.line(format!("used: {used}"))?;
        }
        let some = |number: u64| {
            if number > 0 {
                number.to_string()
            } else {
                String::new()
            }
        };
        let mut nodes = Table::new([
            "node",
            "steps#",
            "cached#",
            "retries#",
            "failures#",
            "questions#",
            "p50#",
            "p95#",
            "used",
        ]);
        for (name, node) in &self.nodes {
            nodes.row([
                name.clone(),
                node.steps.to_string(),
                some(node.cached),
                some(node.retries),
                some(node.failures),
                some(node.questions),
                node.took(50).map(text::took).unwrap_or_default(),
                node.took(95).map(text::took).unwrap_or_default(),
                text::usage(&node.usage),
            ]);
        }
        let mut edges = Table::new(["node", "edge", "to", "taken#", "masked#"]);
        for ((node, on, to), taken) in &self.edges {
            edges.row([
                node.clone(),
                text::short(on),
                to.clone(),
                taken.times.to_string(),
                some(taken.masked),
            ]);
        }
        for table in [nodes, edges] {
            if !table.is_empty() {
                out.line("")?;
                out.table(&table)?;
            }
        }
        Ok(())
    }
}

impl Node {
    /// Returns how long at most so many of a hundred steps took, in milliseconds; none without any step.
    fn took(&self, percent: usize) -> Option<u64> {
        let mut took_ms = self.took_ms.clone();
        took_ms.sort_unstable();
        let rank = (took_ms.len() * percent).div_ceil(100);
        took_ms.get(rank.saturating_sub(1)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_steps_so_many_took_no_longer() {
        let node = |took_ms: Vec<u64>| Node {
            took_ms,
            ..Node::default()
        };
        let hundred = node((1..=100).rev().collect());
        assert_eq!((hundred.took(50), hundred.took(95)), (Some(50), Some(95)));
        assert_eq!(node(vec![7]).took(50), Some(7));
        assert_eq!(node(vec![1, 9]).took(95), Some(9));
        assert_eq!(node(Vec::new()).took(50), None);
    }
}
