//! The path that a thread took through a graph, as drawings show it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::topology::EdgeIndex;

/// The path that a thread took: how often it came to each node and how long it was there, and how
/// often it took each edge.
///
/// It is plain data, filled from a journal or by hand; every drawing takes one as an overlay. Nodes and
/// edges within a node that is a graph are known by the path to it: the node `look` of the graph that
/// is the node `billing` is `billing/look`, and its edges are those of the graph `billing`. The graph
/// itself is the empty path.
///
/// ```
/// use std::time::Duration;
/// use handoffs_core::{Edge, NodeShape, Route, Topology, Trail};
///
/// let mut desk = Topology::new("Desk");
/// let triage = desk.node(NodeShape::new("triage"));
/// desk.start(triage);
/// let done = desk.edge(Edge::new(triage, "_", Route::end()));
///
/// let mut trail = Trail::new();
/// trail.visit("triage", Duration::from_millis(1500));
/// trail.take("", done, false);
///
/// let drawing = desk.dot().trail(&trail).to_string();
/// assert!(drawing.contains(r#""triage" [label="triage\n1×, 1.5 s""#));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    nodes: BTreeMap<String, (u64, Duration)>,
    /// By the path of the graph, its edge, and whether it was the `else`.
    ways: BTreeMap<String, BTreeMap<(EdgeIndex, bool), u64>>,
    remarks: Vec<String>,
}

impl Trail {
    /// A path that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes one visit to a node, and how long it took.
    pub fn visit(&mut self, node: &str, time: Duration) {
        let (visits, total) = self.nodes.entry(node.to_owned()).or_default();
        *visits += 1;
        *total = total.saturating_add(time);
    }

    /// Notes that an edge of the graph at a path was taken once, or its `else`.
    pub fn take(&mut self, graph: &str, edge: EdgeIndex, is_else: bool) {
        let ways = self.ways.entry(graph.to_owned()).or_default();
        *ways.entry((edge, is_else)).or_default() += 1;
    }

    /// Adds what else is to be known of the path, such as that its beginning is missing; drawings show it
    /// under the graph.
    pub fn remark(&mut self, remark: impl Into<String>) {
        self.remarks.push(remark.into());
    }

    /// Returns how often the thread came to a node, and how long it was there altogether.
    ///
    /// ```
    /// use std::time::Duration;
    /// use handoffs_core::Trail;
    ///
    /// let mut trail = Trail::new();
    /// trail.visit("triage", Duration::from_secs(2));
    /// trail.visit("triage", Duration::from_secs(3));
    /// assert_eq!(trail.visits("triage"), (2, Duration::from_secs(5)));
    /// assert_eq!(trail.visits("billing"), (0, Duration::ZERO));
    /// ```
    pub fn visits(&self, node: &str) -> (u64, Duration) {
        self.nodes.get(node).copied().unwrap_or_default()
    }

    /// Returns how often an edge of the graph at a path was taken, or its `else`.
    ///
    /// ```
    /// use handoffs_core::{EdgeIndex, Trail};
    ///
    /// let mut trail = Trail::new();
    /// trail.take("billing", EdgeIndex(0), true);
    /// assert_eq!(trail.taken("billing", EdgeIndex(0), true), 1);
    /// assert_eq!(trail.taken("billing", EdgeIndex(0), false), 0);
    /// ```
    pub fn taken(&self, graph: &str, edge: EdgeIndex, is_else: bool) -> u64 {
        let ways = self.ways.get(graph);
        let times = ways.and_then(|ways| ways.get(&(edge, is_else)));
        times.copied().unwrap_or_default()
    }

    /// Returns the nodes to which the thread came, in the order of their paths, each with how often and how
    /// long.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (&str, u64, Duration)> {
        let nodes = self.nodes.iter();
        nodes.map(|(node, (visits, time))| (&**node, *visits, *time))
    }

    /// Returns what else is to be known of the path.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Returns whether nothing is noted.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.ways.is_empty()
    }

    /// Returns what is written under the name of a node: visits and time.
    pub(super) fn note(&self, node: &str) -> Option<String> {
        let (visits, time) = self.visits(node);
        match (visits, time.is_zero()) {
            (0, _) => None,
            (_, true) => Some(format!("{visits}×")),
            _ => Some(format!("{visits}×, {}", readable(time))),
        }
    }
}

/// A time in the unit in which a person would say it.
fn readable(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.as_millis() == 0 => format!("{} µs", time.as_micros()),
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{seconds}.{} s", time.subsec_millis() / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_in_its_own_unit() {
        let said = |micros| readable(Duration::from_micros(micros));
        assert_eq!(said(12), "12 µs");
        assert_eq!(said(850_000), "850 ms");
        assert_eq!(said(1_250_000), "1.2 s");
        assert_eq!(said(125_000_000), "2 min 5 s");
        assert_eq!(said(7_380_000_000), "2 h 3 min");
        assert_eq!(said(180_000_000_000), "2 d 2 h");
    }
}
