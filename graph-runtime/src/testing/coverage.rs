//! Which edges of a graph the runs of a test program took.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use handoffs_core::{AgentGraph, Edge, EdgeIndex, NodeIndex, Topology};

use super::log::{Along, RunLog, Taken};

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
/// that is a node of this one are not counted.
pub struct Coverage {
    shape: fn() -> Topology,
    topology: OnceLock<Topology>,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    taken: BTreeMap<(EdgeIndex, bool), u64>,
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
        coverage.topology.get_or_init(|| topology);
        coverage
    }

    const fn counting(shape: fn() -> Topology) -> Self {
        Self {
            shape,
            topology: OnceLock::new(),
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
        let topology = self.topology();
        for taken in log.taken() {
            let Some(edge) = find(topology, taken) else {
                panic!("`{}` has no such edge: {:?}", topology.name(), taken.edge);
            };
            *self.seen().taken.entry((edge, taken.is_else)).or_default() += 1;
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
        let (ours, theirs) = (self.topology(), other.topology());
        assert!(
            ours == theirs,
            "a coverage of `{}` is not one of `{}`",
            theirs.name(),
            ours.name()
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
        let name = self.topology().name();
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

    fn topology(&self) -> &Topology {
        self.topology.get_or_init(self.shape)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns each way, and how often it was taken.
    fn ways(&self) -> Vec<(u64, String)> {
        let (topology, seen) = (self.topology(), self.seen());
        let mut ways = Vec::new();
        for (index, edge) in topology.edges() {
            let times = |is_else| seen.taken.get(&(index, is_else)).copied().unwrap_or(0);
            let name = |node: NodeIndex| topology.name_of(node).to_owned();
            let from = format!("{}: {} =>", topology.name_of(edge.from), edge.label());
            let route = edge.route.clone().map(name);
            // Limits and other options are no ways.
            let to = route.destination();
            ways.push((times(false), format!("{from} {to}")));
            if let Some(otherwise) = route.otherwise() {
                ways.push((times(true), format!("{from} else {otherwise}")));
            }
        }
        ways
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
        let name = self.topology().name();
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
            .field("graph", &self.topology().name())
            .field("seen", &*self.seen())
            .finish_non_exhaustive()
    }
}
