//! The path that a thread took, as its entries tell it.

use std::collections::BTreeMap;
use std::time::Duration;

use handoffs_core::{Edge, EdgeIndex, NodeIndex, NodeShape, Topology, Trail};

use super::{Approval, AskId, BranchId, Entry, Recorded};

/// Returns the path that a thread took, as its entries tell it, for drawings of its graph.
///
/// How long the thread was at a node is how long the node was at work there, and how long it waited for
/// people; where an attempt failed, or a result came from a cache, no time is known. A node at which the
/// thread is still, or failed, counts as visited. With entries of a part of a thread, that part is told.
///
/// With the `graph`, edges are known by their conditions and nodes by their former names as well, so that
/// entries of an older version find their place. Without it, an edge is known by its number alone, and
/// nothing is known of what happened within the node at which a thread starts, as long as that has not
/// concluded. What could not be told stands in the [`Trail::remarks`].
///
/// ```
/// use handoffs_core::{DotError, Topology};
/// use handoffs_runtime::{Entry, trail_of};
///
/// /// Draws a thread into a drawing that is kept beside the code; the graph's types are not needed.
/// fn picture(entries: &[Entry], dot: &str) -> Result<String, DotError> {
///     let graph = Topology::from_dot(dot)?;
///     let trail = trail_of(entries, Some(&graph));
///     Ok(graph.svg().trail(&trail).to_string())
/// }
/// ```
///
/// [`Thread::trail`](crate::Thread::trail) does the same where the types are at hand.
pub fn trail_of(entries: &[Entry], graph: Option<&Topology>) -> Trail {
    let mut walk = Walk {
        map: Map::new(entries, graph),
        trail: Trail::new(),
        visits: BTreeMap::new(),
        asks: BTreeMap::new(),
        approvals: BTreeMap::new(),
        lost: Lost::default(),
    };
    if let Some(first) = entries.first().map(|first| first.seq)
        && first > 1
    {
        let missing = match first - 1 {
            1 => "entry 1 is missing".to_owned(),
            last => format!("entries 1 to {last} are missing"),
        };
        walk.trail.remark(missing);
    }
    for entry in entries {
        walk.take(entry);
    }
    walk.finish()
}

/// Where on the way through the graphs a path of a run is.
#[derive(Clone, Debug)]
struct Place<'g> {
    /// The path of names to the graph.
    path: String,
    /// The graph, if its shape is known.
    graph: Option<&'g Topology>,
    /// Of a graph within, the path around and the node that it is.
    around: Option<(BranchId, String)>,
}

impl Place<'_> {
    /// Returns an edge of the graph, by its number, its condition, or where it leads.
    fn edge(&self, from: &str, edge: u16, on: &str, to: Option<&str>) -> Option<EdgeIndex> {
        let index = EdgeIndex(edge);
        let Some(graph) = self.graph else {
            return Some(index);
        };
        let from = shape(graph, from)?;
        let leaves = |edge: &Edge<NodeIndex>| graph.name_of(edge.from) == from.name;
        let is_it = |edge: &Edge<NodeIndex>| leaves(edge) && edge.label() == on;
        if graph.get_edge(index).is_some_and(is_it) {
            return Some(index);
        }
        if let Some((same, _)) = graph.edges().find(|(_, edge)| is_it(edge)) {
            return Some(same);
        }
        let to = to.and_then(|to| shape(graph, to));
        let leads = |edge: &Edge<NodeIndex>| {
            let target = edge.route.target().node();
            leaves(edge) && target.map(|node| graph.name_of(node)) == to.map(|to| &*to.name)
        };
        let mut found = graph.edges().filter(|(_, edge)| leads(edge));
        let (only, _) = found.next()?;
        found.next().is_none().then_some(only)
    }
}

/// The entries by their paths, and where each path is.
struct Map<'e, 'g> {
    entries: BTreeMap<&'e BranchId, Vec<&'e Entry>>,
    graph: Option<&'g Topology>,
    places: BTreeMap<BranchId, Option<Place<'g>>>,
}

impl<'e, 'g> Map<'e, 'g> {
    fn new(entries: &'e [Entry], graph: Option<&'g Topology>) -> Self {
        let mut by_path: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for entry in entries {
            by_path.entry(&entry.branch).or_default().push(entry);
        }
        Self {
            entries: by_path,
            graph,
            places: BTreeMap::new(),
        }
    }

    fn on(&self, path: &BranchId) -> &[&'e Entry] {
        self.entries.get(path).map_or(&[], Vec::as_slice)
    }

    /// Returns where a path is; nothing if the entries do not tell.
    fn place(&mut self, path: &BranchId) -> Option<Place<'g>> {
        if let Some(known) = self.places.get(path) {
            return known.clone();
        }
        let place = self.find(path);
        self.places.insert(path.clone(), place.clone());
        place
    }

    fn find(&mut self, path: &BranchId) -> Option<Place<'g>> {
        let (Some(parent), Some(after)) = (path.parent(), path.after()) else {
            return Some(Place {
                path: String::new(),
                graph: self.graph,
                around: None,
            });
        };
        let around = self.place(&parent)?;
        if self.is_branch(path, &parent, after) {
            return Some(Place {
                around: None,
                ..around
            });
        }
        let node = self.node_at(path, &parent, after, around.graph)?;
        let shape = around.graph.and_then(|graph| shape(graph, &node));
        let node = shape.map_or(node, |shape| shape.name.to_string());
        Some(Place {
            path: join(&around.path, &node),
            graph: shape.and_then(|shape| shape.inner.as_deref()),
            around: Some((parent, node)),
        })
    }

    /// Returns whether a path is a branch of a fork, and not a graph within a node.
    fn is_branch(&self, path: &BranchId, parent: &BranchId, after: u64) -> bool {
        let began = self.on(parent).iter().find(|entry| entry.seq == after);
        if let Some(began) = began {
            return matches!(began.event, Recorded::Stepped { fork: Some(_), .. });
        }
        // A branch is of the graph that forked. Where a graph is the first node of a branch, it is
        // known by the fork, too.
        let graph = |path: &BranchId| self.on(path).first().map(|entry| &entry.graph);
        parent.after() != Some(after) && graph(path).is_some() && graph(path) == graph(parent)
    }

    /// Returns the node of a path at which a graph within began behind an entry.
    fn node_at(
        &self,
        path: &BranchId,
        parent: &BranchId,
        after: u64,
        graph: Option<&Topology>,
    ) -> Option<String> {
        let reason = self.on(parent).iter().find(|entry| entry.seq == after);
        let arrived = reason.and_then(|entry| goes_to(&entry.event));
        let first = || {
            let turn = parent.parent().zip(parent.after());
            let (fork, seq) = turn.filter(|(_, seq)| *seq == after)?;
            let forked = self.on(&fork).iter().find(|entry| entry.seq == seq)?;
            let Recorded::Stepped { fork, .. } = &forked.event else {
                return None;
            };
            let begin = &fork.as_ref()?.begin;
            let index = usize::try_from(parent.index()?).ok()?;
            let begin = begin.get(index).or_else(|| begin.first());
            begin.map(ToString::to_string)
        };
        // Whatever the path says next, it says of this node.
        let later = || {
            let mut behind = self.on(parent).iter().filter(|entry| entry.seq > after);
            behind.find_map(|entry| is_at(&entry.event))
        };
        let by_shape = || {
            let graph = graph?;
            let is_start =
                reason.is_some_and(|entry| matches!(entry.event, Recorded::Started { .. }));
            if let Some(start) = graph.start_node().filter(|_| is_start) {
                return Some(graph.name_of(start).to_owned());
            }
            let name = self.on(path).first()?.graph.name();
            let inner = |shape: &NodeShape| {
                let inner = shape.inner.as_deref();
                inner.is_some_and(|inner| inner.name() == name)
            };
            let mut found = graph.nodes().filter(|(_, shape)| inner(shape));
            let (_, only) = found.next()?;
            found.next().is_none().then(|| only.name.to_string())
        };
        let arrived = arrived.map(str::to_owned);
        arrived
            .or_else(first)
            .or_else(|| later().map(str::to_owned))
            .or_else(by_shape)
    }
}

/// A visit of a node that has not concluded.
#[derive(Debug)]
struct Visit {
    node: String,
    waited: Duration,
}

/// What could not be told.
#[derive(Debug, Default)]
struct Lost {
    /// Entries of graphs of which nobody knows in which node they are.
    within: u64,
    /// Nodes that the graph does not have.
    nodes: Vec<String>,
    /// Steps along edges that it does not have.
    edges: u64,
}

struct Walk<'e, 'g> {
    map: Map<'e, 'g>,
    trail: Trail,
    /// The node on each path that is at work.
    visits: BTreeMap<BranchId, Visit>,
    /// Since when each question is open, and on which path.
    asks: BTreeMap<AskId, (u64, BranchId)>,
    /// The edges that wait for an approval, with their graphs.
    approvals: BTreeMap<AskId, (String, Option<EdgeIndex>)>,
    lost: Lost,
}

impl<'g> Walk<'_, 'g> {
    fn take(&mut self, entry: &Entry) {
        let Some(place) = self.map.place(&entry.branch) else {
            self.lost.within += 1;
            return;
        };
        if let Some((parent, node)) = &place.around
            && let Some(outer) = self.map.place(parent)
        {
            self.begin(parent, &outer, node);
        }
        let branch = &entry.branch;
        match &entry.event {
            Recorded::Started { .. } | Recorded::Abandoned { .. } => self.close(branch),
            Recorded::Stepped {
                node,
                edge,
                on,
                masked,
                to,
                approval,
                took_ms,
                ..
            } => {
                self.conclude(branch, &place, node, Duration::from_millis(*took_ms));
                let edge = place.edge(node, *edge, on, to.as_deref());
                match approval {
                    Some(ask) => {
                        self.approvals.insert(ask.id, (place.path, edge));
                    }
                    None => self.go(&place.path, edge, masked.is_some()),
                }
            }
            Recorded::Caught {
                failure,
                edge,
                on,
                masked,
                to,
                ..
            } => {
                self.conclude(branch, &place, &failure.node, Duration::ZERO);
                let edge = place.edge(&failure.node, *edge, on, to.as_deref());
                self.go(&place.path, edge, masked.is_some());
            }
            Recorded::Decided { ask, approval, .. } => {
                self.decided(*ask, matches!(approval, Approval::Refused(_)));
            }
            Recorded::Expired { ask, .. } => {
                self.decided(*ask, true);
                self.answered(*ask, entry.at_ms);
            }
            Recorded::Answered { ask, .. } => self.answered(*ask, entry.at_ms),
            Recorded::Asked(ask) => {
                self.begin(branch, &place, &ask.node);
                self.asks.insert(ask.id, (entry.at_ms, branch.clone()));
            }
            Recorded::Attempted { node, .. }
            | Recorded::Once { node, .. }
            | Recorded::Used { node, .. }
            | Recorded::Failed { node, .. } => self.begin(branch, &place, node),
            Recorded::Copied { from, head } => {
                let copied = match head.seq {
                    1 => "entry 1 is".to_owned(),
                    last => format!("entries 1 to {last} are"),
                };
                self.trail.remark(format!("{copied} of thread {from}"));
            }
            Recorded::Joined { .. } | Recorded::Edited { .. } | Recorded::Submitted { .. } => {}
        }
    }

    /// Notes that a node is at work.
    fn begin(&mut self, branch: &BranchId, place: &Place<'g>, node: &str) {
        let node = self.node(place, node);
        if self
            .visits
            .get(branch)
            .is_some_and(|visit| visit.node == node)
        {
            return;
        }
        self.conclude_open(branch);
        let waited = Duration::ZERO;
        self.visits.insert(branch.clone(), Visit { node, waited });
    }

    /// Notes that a node is done.
    fn conclude(&mut self, branch: &BranchId, place: &Place<'g>, node: &str, took: Duration) {
        self.begin(branch, place, node);
        if let Some(Visit { node, waited }) = self.visits.remove(branch) {
            self.trail.visit(&node, took.saturating_add(waited));
        }
    }

    /// Notes the visit that is open on a path.
    fn conclude_open(&mut self, branch: &BranchId) {
        if let Some(Visit { node, waited }) = self.visits.remove(branch) {
            self.trail.visit(&node, waited);
        }
    }

    /// Notes the visits that are open on a path and on those that leave it.
    fn close(&mut self, path: &BranchId) {
        let open = self.visits.keys().filter(|branch| branch.is_on(path));
        for branch in open.cloned().collect::<Vec<_>>() {
            self.conclude_open(&branch);
        }
    }

    fn answered(&mut self, ask: AskId, at_ms: u64) {
        let Some((since, branch)) = self.asks.remove(&ask) else {
            return;
        };
        let waited = Duration::from_millis(at_ms.saturating_sub(since));
        let around = std::iter::successors(Some(branch), BranchId::parent);
        for branch in around {
            if let Some(visit) = self.visits.get_mut(&branch) {
                visit.waited = visit.waited.saturating_add(waited);
            }
        }
    }

    fn decided(&mut self, ask: AskId, is_refused: bool) {
        if let Some((path, edge)) = self.approvals.remove(&ask) {
            self.go(&path, edge, is_refused);
        }
    }

    fn go(&mut self, path: &str, edge: Option<EdgeIndex>, is_else: bool) {
        match edge {
            Some(edge) => self.trail.take(path, edge, is_else),
            None => self.lost.edges += 1,
        }
    }

    /// Returns the path to a node.
    fn node(&mut self, place: &Place<'g>, name: &str) -> String {
        let Some(graph) = place.graph else {
            return join(&place.path, name);
        };
        if let Some(shape) = shape(graph, name) {
            return join(&place.path, &shape.name);
        }
        let node = join(&place.path, name);
        if !self.lost.nodes.contains(&node) {
            self.lost.nodes.push(node.clone());
        }
        node
    }

    fn finish(mut self) -> Trail {
        self.close(&BranchId::TRUNK);
        let Lost {
            within,
            nodes,
            edges,
        } = self.lost;
        if !nodes.is_empty() {
            let nodes = nodes.join(", ");
            self.trail.remark(format!("not in this graph: {nodes}"));
        }
        if edges > 0 {
            let steps = if edges == 1 { "step" } else { "steps" };
            let remark = format!("{edges} {steps} along edges that this graph does not have");
            self.trail.remark(remark);
        }
        if within > 0 {
            let entries = if within == 1 { "entry" } else { "entries" };
            let remark = format!("{within} {entries} of a graph within a node that is not known");
            self.trail.remark(remark);
        }
        self.trail
    }
}

/// Returns a node by its name, or by one that it had.
fn shape<'g>(graph: &'g Topology, name: &str) -> Option<&'g NodeShape> {
    let nodes = || graph.nodes().map(|(_, shape)| shape);
    let was = |shape: &&NodeShape| shape.renamed_from.iter().any(|old| old == name);
    let now = nodes().find(|shape| shape.name == name);
    now.or_else(|| nodes().find(was))
}

fn join(path: &str, node: &str) -> String {
    if path.is_empty() {
        node.to_owned()
    } else {
        format!("{path}/{node}")
    }
}

/// Returns the node to which a run went on, if the entry says so.
fn goes_to(event: &Recorded) -> Option<&str> {
    match event {
        Recorded::Stepped { to, .. }
        | Recorded::Caught { to, .. }
        | Recorded::Decided { to, .. }
        | Recorded::Expired { to, .. } => to.as_deref(),
        Recorded::Joined { to, .. } => Some(to),
        _ => None,
    }
}

/// Returns the node that was at work, if the entry says so.
fn is_at(event: &Recorded) -> Option<&str> {
    match event {
        Recorded::Stepped { node, .. }
        | Recorded::Attempted { node, .. }
        | Recorded::Once { node, .. }
        | Recorded::Failed { node, .. } => Some(node),
        Recorded::Caught { failure, .. } => Some(&failure.node),
        Recorded::Asked(ask) => Some(&ask.node),
        _ => None,
    }
}
