//! Which edges of a graph the runs of a test program took.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use handoffs_core::{AgentGraph, Edge, EdgeIndex, NodeIndex, Topology};

use super::log::{Along, Home, RunLog, Taken};

/// Which edges of a graph the runs of a test program took: each edge, its `else`, and the edges that are
/// taken on errors.
///
/// It can be a `static` that all tests of a program share:
///
/// ```
/// use handoffs_core::AgentGraph;
/// use handoffs_runtime::{Coverage, Keep, Runnable, Thread, RunLog};
///
/// async fn tested<G, J>(coverage: &Coverage, thread: &Thread<G, J>, state: <G as Runnable>::State)
/// where
///     G: Runnable + AgentGraph,
///     J: Keep,
/// {
///     coverage.add(&RunLog::of(thread.stream(state)).await);
///     // The last of the three tests that call this says which edges none of them took.
///     coverage.deny_after(3);
/// }
/// ```
///
/// Its text is a table: how often each way was taken, those that never were first. The edges of a graph
/// that is a node of this one are counted as well, in front of the name of that graph: `Refunds/check: _ =>
/// pay`. If it is more than one node, they are counted together.
pub struct Coverage {
    shape: fn() -> Topology,
    /// The graph, and those within it, each once.
    graphs: OnceLock<Vec<Topology>>,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    /// By the graph's place among all, the edge, and whether it was its `else`.
    taken: BTreeMap<(usize, EdgeIndex, bool), u64>,
    tests: usize,
}

impl Coverage {
    /// Counts the edges of a derived graph.
    ///
    /// ```
    /// use handoffs_core::AgentGraph;
    /// use handoffs_runtime::Coverage;
    ///
    /// fn nothing_yet<SupportDesk: AgentGraph>() {
    ///     let coverage = Coverage::of::<SupportDesk>();
    ///     assert!(!coverage.untaken().is_empty());
    /// }
    /// ```
    pub const fn of<G: AgentGraph>() -> Self {
        Self::counting(G::topology)
    }

    /// Counts the edges of a graph that was built at run time.
    ///
    /// ```
    /// use handoffs_core::{Edge, NodeShape, Route, Topology};
    /// use handoffs_runtime::Coverage;
    ///
    /// let mut desk = Topology::new("Desk");
    /// let triage = desk.node(NodeShape::new("triage"));
    /// desk.start(triage);
    /// desk.edge(Edge::new(triage, "Unclear", Route::to(triage).limit(1).or_end()));
    ///
    /// let coverage = Coverage::of_shape(desk);
    /// assert_eq!(coverage.untaken(), ["triage: Unclear => triage", "triage: Unclear => else end"]);
    /// ```
    pub fn of_shape(topology: Topology) -> Self {
        let coverage = Self::counting(|| Topology::new(""));
        coverage.graphs.get_or_init(|| with_inner(topology));
        coverage
    }

    const fn counting(shape: fn() -> Topology) -> Self {
        Self {
            shape,
            graphs: OnceLock::new(),
            seen: Mutex::new(Seen {
                taken: BTreeMap::new(),
                tests: 0,
            }),
        }
    }

    /// Adds the ways that a run took, or all runs of a thread.
    ///
    /// # Panics
    ///
    /// Panics if the run took an edge that the graph does not have: it is of another graph.
    #[track_caller]
    pub fn add(&self, log: &RunLog) {
        let graphs = self.graphs();
        for taken in log.taken() {
            // One that a node hides is not counted.
            let Some(graph) = home(graphs, &taken.home) else {
                continue;
            };
            let Some(edge) = find(&graphs[graph], taken) else {
                panic!(
                    "`{}` has no such edge: {:?}",
                    graphs[graph].name(),
                    taken.edge
                );
            };
            let way = (graph, edge, taken.is_else);
            *self.seen().taken.entry(way).or_default() += 1;
        }
    }

    /// Adds what another coverage of the same graph has counted.
    ///
    /// ```
    /// use handoffs_core::AgentGraph;
    /// use handoffs_runtime::{Coverage, RunLog};
    ///
    /// fn both<SupportDesk: AgentGraph>(one: &RunLog, other: &RunLog) -> Coverage {
    ///     let (coverage, more) = (Coverage::of::<SupportDesk>(), Coverage::of::<SupportDesk>());
    ///     coverage.add(one);
    ///     more.add(other);
    ///     coverage.merge(&more);
    ///     coverage
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if it is of another graph.
    #[track_caller]
    pub fn merge(&self, other: &Self) {
        assert!(
            self.graphs() == other.graphs(),
            "a coverage of `{}` is not one of `{}`",
            other.name(),
            self.name()
        );
        let more = other.seen().taken.clone();
        let mut seen = self.seen();
        for (way, times) in more {
            *seen.taken.entry(way).or_default() += times;
        }
    }

    /// Returns the ways that no run took, in the order of declaration: `node: condition => target`.
    pub fn untaken(&self) -> Vec<String> {
        let ways = self.ways().into_iter();
        ways.filter(|(times, _)| *times == 0)
            .map(|(_, way)| way)
            .collect()
    }

    /// Asserts that each way was taken.
    ///
    /// # Panics
    ///
    /// Panics if one was not, and lists those that were not.
    #[track_caller]
    pub fn deny(&self) {
        self.deny_but([]);
    }

    /// Asserts that each way was taken but these, which nobody can test, and that none of these was.
    ///
    /// ```
    /// use handoffs_runtime::Coverage;
    ///
    /// fn all_but_the_power_cut(coverage: &Coverage) {
    ///     coverage.deny_but(["archive: error => human"]);
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if it is not so, and lists the ways.
    #[track_caller]
    pub fn deny_but<const N: usize>(&self, untested: [&str; N]) {
        let untaken = self.untaken();
        let missing = untaken
            .iter()
            .filter(|way| !untested.contains(&way.as_str()));
        let missing = listed(missing.map(String::as_str));
        let name = self.name();
        assert!(missing.is_empty(), "no run of `{name}` took:{missing}");
        let taken = untested
            .iter()
            .filter(|way| !untaken.iter().any(|other| other == *way));
        let taken = listed(taken.copied());
        assert!(
            taken.is_empty(),
            "listed as never taken, but `{name}` has no such way, or a run took it:{taken}"
        );
    }

    /// Asserts that each way was taken, once so many tests have called this: each does as its last act.
    ///
    /// `cargo test` runs the tests of a file in one process, in any order, and this is how they share a
    /// coverage. A run of some of the tests alone denies nothing, nor does a runner with a process a test.
    ///
    /// # Panics
    ///
    /// Panics in the last test if a way was not taken, and lists those that were not.
    #[track_caller]
    pub fn deny_after(&self, tests: usize) {
        let done = {
            let mut seen = self.seen();
            seen.tests += 1;
            seen.tests
        };
        if done >= tests {
            self.deny();
        }
    }

    fn graphs(&self) -> &[Topology] {
        self.graphs.get_or_init(|| with_inner((self.shape)()))
    }

    fn name(&self) -> &str {
        self.graphs().first().map_or("?", Topology::name)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns each way, and how often it was taken.
    fn ways(&self) -> Vec<(u64, String)> {
        let seen = self.seen();
        let mut ways = Vec::new();
        for (place, graph) in self.graphs().iter().enumerate() {
            let prefix = match place {
                0 => String::new(),
                _ => format!("{}/", graph.name()),
            };
            for (index, edge) in graph.edges() {
                let times = |is_else| {
                    let taken = seen.taken.get(&(place, index, is_else));
                    taken.copied().unwrap_or(0)
                };
                let from = format!("{prefix}{}: {} =>", graph.name_of(edge.from), edge.label());
                let name = |node: NodeIndex| graph.name_of(node).to_owned();
                // Limits and other options are no ways.
                let route = edge.route.clone().map(name);
                ways.push((times(false), format!("{from} {}", route.destination())));
                if let Some(otherwise) = route.otherwise() {
                    ways.push((times(true), format!("{from} else {otherwise}")));
                }
            }
        }
        ways
    }
}

/// Lists a graph and those within it, each once.
fn with_inner(graph: Topology) -> Vec<Topology> {
    let mut graphs = vec![graph];
    let mut next = 0;
    while let Some(graph) = graphs.get(next) {
        let inner = graph.nodes().filter_map(|(_, node)| node.inner.as_deref());
        let inner: Vec<_> = inner.cloned().collect();
        for graph in inner {
            if !graphs.contains(&graph) {
                graphs.push(graph);
            }
        }
        next += 1;
    }
    graphs
}

/// Returns the place of the graph in which a run took an edge.
fn home(graphs: &[Topology], home: &Home) -> Option<usize> {
    let is_named = |graph: &Topology, name: &str| {
        graph.name() == name || graph.former_names().any(|former| former == name)
    };
    match home {
        Home::Graph(name) => {
            let mut within = graphs.iter().skip(1);
            within
                .position(|graph| is_named(graph, name))
                .map(|place| place + 1)
        }
        Home::Path(path) => {
            let mut graph = graphs.first()?;
            for name in path {
                let mut nodes = graph.nodes();
                let (_, node) = nodes.find(|(_, node)| node.name == *name)?;
                graph = node.inner.as_deref()?;
            }
            graphs.iter().position(|known| known == graph)
        }
    }
}

/// Puts each way on a line of its own.
fn listed<'a>(ways: impl Iterator<Item = &'a str>) -> String {
    ways.flat_map(|way| ["\n  ", way]).collect()
}

/// Returns the place of the edge that a run took.
fn find(topology: &Topology, taken: &Taken) -> Option<EdgeIndex> {
    let is_from = |edge: &Edge<NodeIndex>, node: &str| topology.name_of(edge.from) == node;
    let named = |edge: &Edge<NodeIndex>| edge.clone().map(|node| topology.name_of(node).to_owned());
    let mut edges = topology.edges();
    let found = match &taken.edge {
        Along::Place(place, node) => {
            let edge = topology.get_edge(EdgeIndex(*place))?;
            return is_from(edge, node).then_some(EdgeIndex(*place));
        }
        Along::Edge(wanted) => edges.find(|(_, edge)| named(edge) == **wanted),
        Along::Approved(node, to) => edges.find(|(_, edge)| {
            let route = &edge.route;
            let target = if taken.is_else {
                route.otherwise()
            } else {
                Some(route.target())
            };
            let target = target.map(|target| target.node().map(|node| topology.name_of(node)));
            is_from(edge, node) && route.approval().is_some() && target == Some(to.as_deref())
        }),
    };
    found.map(|(index, _)| index)
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ways = self.ways();
        let taken = ways.iter().filter(|(times, _)| *times > 0).count();
        let name = self.name();
        writeln!(f, "{name}: {taken} of {} ways taken", ways.len())?;
        ways.sort_by_key(|(times, _)| *times > 0);
        ways.iter().try_for_each(|(times, way)| match times {
            0 => writeln!(f, "   never  {way}"),
            times => writeln!(f, "{times:>8}  {way}"),
        })
    }
}

impl fmt::Debug for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coverage")
            .field("graph", &self.name())
            .field("seen", &*self.seen())
            .finish_non_exhaustive()
    }
}
