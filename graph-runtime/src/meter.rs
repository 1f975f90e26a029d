//! What a thread used up: by node, by tool and by edge.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::journal::{Entry, Metering, Used};

/// What a thread used up: tokens, money, calls and time, by node, by tool and by edge.
///
/// It is read off the journal, so it says nothing that the [entries](Entry) do not say: what was
/// [used](crate::Context::used) by attempts that failed counts, and so do calls whose visit was cut off by
/// a crash or a pause.
///
/// - A **node** counts what was used at work on it. A node that is a graph counts what the nodes within
///   used, which are also listed by themselves, as `Research/search`: by the name of their graph.
/// - A **tool** counts its calls. What a node counts as used by calls of tools is the same once more.
/// - An **edge** counts what the node to which it leads used, whenever the run came to it along that edge,
///   which is known by the nodes at its ends. Where a run starts, there is an edge from nowhere. So each table of
///   nodes or edges of one graph adds up to the total.
///
/// A model that does not say what it used is not taken to have used nothing: its calls are counted as
/// [`unmetered`](crate::Usage::unmetered).
///
/// ```
/// use handoffs_runtime::{Journal, RunError, Runnable, Thread};
///
/// /// Says what a thread has cost, and what billing has of that.
/// async fn bill<G: Runnable, J: Journal>(thread: &Thread<G, J>) -> Result<(u64, u64), RunError> {
///     let meter = thread.meter().await?;
///     println!("{meter}");
///     let all = meter.total().usage.cost_micros;
///     Ok((all, meter.node("billing").usage.cost_micros))
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Meter {
    total: Used,
    nodes: BTreeMap<String, Used>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tools: BTreeMap<String, Used>,
    edges: BTreeMap<String, Used>,
}

/// A node at work: by which names it is counted, and the edge along which the run came to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Visited {
    pub(crate) node: String,
    pub(crate) edge: String,
}

impl Visited {
    /// Names a visit of a node, of a graph within if `graph` says which, and where the run came from.
    pub(crate) fn new(graph: Option<&str>, node: &str, from: Option<&str>) -> Self {
        let name = |node: &str| match graph {
            Some(graph) => format!("{graph}/{node}"),
            None => node.to_owned(),
        };
        let node = name(node);
        let edge = edge_key(from.map(name).as_deref(), &node);
        Self { node, edge }
    }
}

fn edge_key(from: Option<&str>, to: &str) -> String {
    from.map_or_else(|| format!("-> {to}"), |from| format!("{from} -> {to}"))
}

impl Meter {
    /// Adds up what entries of a thread say was used, from the first that is given on. It needs no graph.
    ///
    /// ```
    /// use handoffs_runtime::{Entry, Meter};
    ///
    /// fn calls(entries: &[Entry]) -> u64 {
    ///     Meter::of_entries(entries).total().usage.calls
    /// }
    /// ```
    pub fn of_entries<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut metering = Metering::default();
        for entry in entries {
            metering.take(entry);
        }
        metering.all
    }

    /// Returns what was used in all.
    pub const fn total(&self) -> Used {
        self.total
    }

    /// Returns what a node used; nothing if it is unknown.
    pub fn node(&self, name: &str) -> Used {
        self.nodes.get(name).copied().unwrap_or_default()
    }

    /// Returns what the calls of a tool used, of whichever node.
    pub fn tool(&self, name: &str) -> Used {
        self.tools.get(name).copied().unwrap_or_default()
    }

    /// Returns what a node used where the run had come from this one; from none, where it had started.
    pub fn edge<'n>(&self, from: impl Into<Option<&'n str>>, to: &str) -> Used {
        self.edge_named(&edge_key(from.into(), to))
    }

    pub(crate) fn edge_named(&self, edge: &str) -> Used {
        self.edges.get(edge).copied().unwrap_or_default()
    }

    /// Returns all nodes that used something, in the order of their names.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, Used)> {
        rows(&self.nodes)
    }

    /// Returns all tools that were called, in the order of their names.
    pub fn tools(&self) -> impl Iterator<Item = (&str, Used)> {
        rows(&self.tools)
    }

    /// Returns all edges behind which something was used, as `triage -> billing`.
    pub fn edges(&self) -> impl Iterator<Item = (&str, Used)> {
        rows(&self.edges)
    }

    /// Returns whether nothing was used, and no time.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.tools.is_empty()
    }

    /// Counts something that was used in a visit, and what is around it.
    pub(crate) fn count(
        &mut self,
        visits: &[Visited],
        tool: Option<&str>,
        count: impl Fn(&mut Used),
    ) {
        count(&mut self.total);
        for Visited { node, edge } in visits {
            count(slot(&mut self.nodes, node));
            count(slot(&mut self.edges, edge));
        }
        if let Some(tool) = tool {
            count(slot(&mut self.tools, tool));
        }
    }

    /// Counts something in that is part of the total already, of a visit whose node was not known then.
    pub(crate) fn attribute(&mut self, Visited { node, edge }: &Visited, used: Used) {
        *slot(&mut self.nodes, node) += used;
        *slot(&mut self.edges, edge) += used;
    }

    /// Adds all of another meter.
    pub(crate) fn add(&mut self, more: &Self) {
        self.total += more.total;
        let tables = [
            (&mut self.nodes, &more.nodes),
            (&mut self.tools, &more.tools),
            (&mut self.edges, &more.edges),
        ];
        for (table, more) in tables {
            for (name, used) in more {
                *slot(table, name) += *used;
            }
        }
    }
}

fn rows(table: &BTreeMap<String, Used>) -> impl Iterator<Item = (&str, Used)> {
    table.iter().map(|(name, used)| (name.as_str(), *used))
}

fn slot<'t>(table: &'t mut BTreeMap<String, Used>, name: &str) -> &'t mut Used {
    table.entry(name.to_owned()).or_default()
}

/// Writes the tables for people: a line for each node, tool and edge, and one for the total.
impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = [
            ("node", &self.nodes),
            ("tool", &self.tools),
            ("edge", &self.edges),
        ];
        let names = tables.iter().flat_map(|(_, table)| table.keys());
        let width = names.map(|name| name.chars().count()).max();
        let width = width.unwrap_or_default().max("total".len());
        for (title, table) in tables.iter().filter(|(_, table)| !table.is_empty()) {
            writeln!(
                f,
                "{title:<width$} {:>7} {:>10} {:>10} {:>12} {:>10}",
                "calls", "tokens in", "out", "cost", "time",
            )?;
            for (name, used) in *table {
                line(f, name, width, *used)?;
            }
            writeln!(f)?;
        }
        line(f, "total", width, self.total)
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, width: usize, used: Used) -> fmt::Result {
    let Used { usage, took_ms } = used;
    let cost = format!(
        "{}.{:06}",
        usage.cost_micros / 1_000_000,
        usage.cost_micros % 1_000_000
    );
    let time = format!("{}.{:03} s", took_ms / 1_000, took_ms % 1_000);
    write!(
        f,
        "{name:<width$} {:>7} {:>10} {:>10} {cost:>12} {time:>10}",
        usage.calls, usage.input_tokens, usage.output_tokens,
    )?;
    match usage.unmetered {
        0 => writeln!(f),
        1 => writeln!(f, "  unmetered: 1 call"),
        calls => writeln!(f, "  unmetered: {calls} calls"),
    }
}
