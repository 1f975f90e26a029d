//! What every drawing shows, before any of them says how: things, and arrows between them.
//!
//! A fork is drawn as a bar from which its branches leave, and a join as a bar at which they arrive. A
//! node within a branch lies in a region; a node that is a graph has a scene of its own.

use std::borrow::Cow;

use super::trail::Trail;
use crate::route::{Branches, Fork, Target};
use crate::topology::{
    Edge, EdgeIndex, Loops, NodeIndex, NodeShape, Regions, Step, StepKind, Topology,
};

/// A graph as it is drawn.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) topology: &'a Topology,
    /// The path to the graph: empty, or the names of the nodes around it with slashes between.
    pub(super) path: String,
    pub(super) regions: Regions,
    pub(super) loops: Loops,
    pub(super) trail: Option<&'a Trail>,
    joins: Vec<NodeIndex>,
}

/// What an arrow leads from or to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Thing {
    Start,
    Node(NodeIndex),
    /// The bar of an edge that forks.
    Fork(EdgeIndex),
    /// The bar in front of a node that joins.
    Join(NodeIndex),
    End,
}

/// What an arrow stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// From the start.
    Entry,
    /// An edge: to its target, or to the bar of its fork.
    Edge,
    /// The way to an `else`.
    Else,
    /// From a fork to the first node of a branch.
    Branch,
    /// From the bar of a join to its node.
    Joined,
}

#[derive(Clone, Debug)]
pub(super) struct Arrow {
    pub(super) from: Thing,
    pub(super) to: Thing,
    pub(super) manner: Manner,
    /// What is written at it, line by line.
    pub(super) lines: Vec<String>,
    pub(super) is_back: bool,
    pub(super) on_error: bool,
    /// The loop on which it lies.
    pub(super) lap: Option<usize>,
    /// How often it was taken, if there is a trail.
    pub(super) taken: Option<u64>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(topology: &'a Topology, trail: Option<&'a Trail>) -> Self {
        Self::at(topology, String::new(), trail)
    }

    fn at(topology: &'a Topology, path: String, trail: Option<&'a Trail>) -> Self {
        let forks = topology.edges().filter(|(_, edge)| is_fork(edge));
        let mut joins: Vec<_> = forks
            .filter_map(|(_, edge)| edge.route.target().node())
            .collect();
        joins.sort_unstable();
        joins.dedup();
        Self {
            topology,
            path,
            regions: topology.regions(),
            loops: topology.loops(),
            trail,
            joins,
        }
    }

    /// Returns the graph within a node, if it can be drawn: if it starts somewhere, and ends.
    pub(super) fn inner(&self, node: &'a NodeShape) -> Option<Scene<'a>> {
        let inner = drawable(node)?;
        Some(Scene::at(inner, self.path_of(&node.name), self.trail))
    }

    /// Returns the path to a node.
    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.path)
        }
    }

    /// Returns what lies directly in a region, in the order of declaration: nodes, and the regions
    /// within it where their first nodes are.
    pub(super) fn members(&self, region: Option<usize>) -> Vec<Result<NodeIndex, usize>> {
        let regions = &self.regions;
        let mut known = vec![false; regions.list.len()];
        let mut members = Vec::new();
        for (index, _) in self.topology.nodes() {
            let of = regions.of.get(index.slot()).copied().flatten();
            if of == region {
                members.push(Ok(index));
                continue;
            }
            // Of the regions around the node, the one that lies directly in this one.
            let mut around = std::iter::successors(of, |at| regions.list[*at].parent);
            if let Some(inner) = around.find(|at| regions.list[*at].parent == region)
                && !std::mem::replace(&mut known[inner], true)
            {
                members.push(Err(inner));
            }
        }
        members
    }

    /// Returns the node that a thing is, if it is drawn as the graph within it.
    pub(super) fn cluster(&self, thing: Thing) -> Option<&'a NodeShape> {
        let Thing::Node(node) = thing else {
            return None;
        };
        self.topology
            .get_node(node)
            .filter(|shape| drawable(shape).is_some())
    }

    pub(super) fn has_end(&self) -> bool {
        self.topology.steps().any(|step| step.to == Target::End)
    }

    pub(super) fn is_join(&self, node: NodeIndex) -> bool {
        self.joins.binary_search(&node).is_ok()
    }

    /// Returns the edges that fork at a node, in the order of declaration.
    pub(super) fn forks_of(&self, node: NodeIndex) -> impl Iterator<Item = EdgeIndex> {
        let edges = self.topology.edges_from(node);
        edges
            .filter(|(_, edge)| is_fork(edge))
            .map(|(index, _)| index)
    }

    /// Returns what is written under a node: what it may do, its visits and time.
    pub(super) fn notes(&self, node: &NodeShape) -> impl Iterator<Item = String> {
        let scopes = |word: &str, scopes: &[Cow<'static, str>]| {
            (!scopes.is_empty()).then(|| format!("{word} {}", scopes.join(", ")))
        };
        let may = [
            scopes("uses", &node.may.uses),
            scopes("grants", &node.may.grants),
        ];
        let trail = self.trail;
        let trail = trail.and_then(|trail| trail.note(&self.path_of(&node.name)));
        may.into_iter().chain([trail]).flatten()
    }

    /// Returns whether there is a trail that does not come to a node.
    pub(super) fn is_idle(&self, node: &NodeShape) -> bool {
        let visits = |trail: &Trail| trail.visits(&self.path_of(&node.name)).0;
        self.trail.is_some_and(|trail| visits(trail) == 0)
    }

    /// Returns the arrows: that of the start, those of each edge in the order of declaration, and
    /// those behind the joins.
    pub(super) fn arrows(&self) -> Vec<Arrow> {
        let mut arrows = Vec::new();
        if let Some(start) = self.topology.start_node() {
            let taken = self.visits_of(start).map(|visits| visits.min(1));
            arrows.push(Arrow::plain(
                Thing::Start,
                Thing::Node(start),
                Manner::Entry,
                taken,
            ));
        }
        let mut steps: Vec<Vec<Step>> = vec![Vec::new(); self.topology.edges().len()];
        for step in self.topology.steps() {
            if let Some(steps) = steps.get_mut(step.way.edge.slot()) {
                steps.push(step);
            }
        }
        for ((index, edge), steps) in self.topology.edges().zip(steps) {
            if is_fork(edge) {
                arrows.push(self.fork(index, edge, &steps));
            }
            arrows.extend(steps.iter().filter_map(|step| self.arrow(edge, step)));
        }
        arrows.extend(self.joins.iter().map(|join| self.joined(*join)));
        arrows
    }

    /// Returns the arrow from the bar of a join to its node.
    pub(super) fn joined(&self, join: NodeIndex) -> Arrow {
        let taken = self.visits_of(join);
        let mut arrow = Arrow::plain(Thing::Join(join), Thing::Node(join), Manner::Joined, taken);
        // Where a branch leads on to the join, the two lie on the same loop.
        let branches = self.regions.list.iter();
        let inside = branches.filter(|region| region.join == join);
        let mut laps = inside
            .flat_map(|region| &region.nodes)
            .map(|at| self.loops.of(*at));
        let own = self.loops.of(join);
        arrow.lap = own.filter(|_| laps.any(|lap| lap == own));
        arrow
    }

    /// The arrow from a node to the bar of a fork.
    fn fork(&self, index: EdgeIndex, edge: &Edge<NodeIndex>, steps: &[Step]) -> Arrow {
        Arrow {
            from: Thing::Node(edge.from),
            to: Thing::Fork(index),
            manner: Manner::Edge,
            lines: lines(edge),
            is_back: false,
            on_error: edge.on_error,
            lap: steps.iter().find_map(|step| self.loops.of_step(step)),
            taken: self.taken(index, false),
        }
    }

    fn arrow(&self, edge: &Edge<NodeIndex>, step: &Step) -> Option<Arrow> {
        let (from, manner, lines) = match step.kind {
            StepKind::Join => return None,
            StepKind::Plain => (Thing::Node(step.from), Manner::Edge, lines(edge)),
            StepKind::Else => {
                let lines = vec!["else".to_owned()];
                (Thing::Node(step.from), Manner::Else, lines)
            }
            StepKind::Branch => {
                let lines = match edge.route.fork().map(|fork| &fork.branches) {
                    Some(Branches::Each { items, .. }) => vec![format!("each({})", line(items))],
                    _ => Vec::new(),
                };
                (Thing::Fork(step.way.edge), Manner::Branch, lines)
            }
        };
        Some(Arrow {
            from,
            to: self.end_of(step),
            manner,
            lines,
            is_back: self.loops.is_back(step.way),
            on_error: edge.on_error,
            lap: self.loops.of_step(step),
            taken: self.taken(step.way.edge, step.way.is_else),
        })
    }

    /// Returns what a step leads to: a branch comes to the bar of its join and not to the node.
    fn end_of(&self, step: &Step) -> Thing {
        let Target::Node(to) = step.to else {
            return Thing::End;
        };
        let region = match step.kind {
            // A branch that begins at its join is wrong (H009), and drawn as it is.
            StepKind::Branch => None,
            _ => self.regions.of.get(step.from.slot()).copied().flatten(),
        };
        if self.regions.join(region) == Some(to) {
            Thing::Join(to)
        } else {
            Thing::Node(to)
        }
    }

    fn taken(&self, edge: EdgeIndex, is_else: bool) -> Option<u64> {
        Some(self.trail?.taken(&self.path, edge, is_else))
    }

    fn visits_of(&self, node: NodeIndex) -> Option<u64> {
        let path = self.path_of(self.topology.name_of(node));
        Some(self.trail?.visits(&path).0)
    }

    /// Returns the way of the legend to say which loops there are and how they are bounded.
    pub(super) fn legend(&self) -> impl Iterator<Item = (usize, String)> {
        const SHOWN: usize = 4;
        self.loops.list.iter().enumerate().map(|(place, lap)| {
            let names = lap.nodes.iter().take(SHOWN);
            let mut names: Vec<_> = names
                .map(|node| line(self.topology.name_of(*node)))
                .collect();
            if lap.nodes.len() > SHOWN {
                let more = format!("{} more", lap.nodes.len() - SHOWN);
                names.push(Cow::Owned(more));
            }
            let laps = match lap.laps {
                None => "no bound".to_owned(),
                Some(1) => "at most 1 lap".to_owned(),
                Some(laps) => format!("at most {laps} laps"),
            };
            (place, format!("⟲ {}: {laps}", names.join(", ")))
        })
    }

    /// Returns what else is to be known of the trail, each remark as a line.
    pub(super) fn remarks(&self) -> impl Iterator<Item = Cow<'a, str>> {
        let remarks = self.trail.map(Trail::remarks).unwrap_or_default();
        remarks.iter().map(|remark| line(remark))
    }

    /// Returns the name of the graph and the bound of its handoffs.
    pub(super) fn title(&self) -> String {
        let name = line(self.topology.name());
        match crate::check::max_handoffs(self.topology) {
            None => format!("{name}: no bound"),
            Some(1) => format!("{name}: at most 1 handoff"),
            Some(most) => format!("{name}: at most {most} handoffs"),
        }
    }
}

impl Arrow {
    fn plain(from: Thing, to: Thing, manner: Manner, taken: Option<u64>) -> Self {
        Self {
            from,
            to,
            manner,
            lines: Vec::new(),
            is_back: false,
            on_error: false,
            lap: None,
            taken,
        }
    }

    /// Returns whether there is a trail, on which it is not.
    pub(super) fn is_idle(&self) -> bool {
        self.taken == Some(0)
    }

    /// Returns whether there is a trail, on which it is.
    pub(super) fn is_taken(&self) -> bool {
        self.taken.is_some_and(|times| times > 0)
    }

    /// Returns how often it was taken, as it is written; of what is not an edge nothing is.
    pub(super) fn note(&self) -> Option<String> {
        let times = self.taken.filter(|times| *times > 0)?;
        matches!(self.manner, Manner::Edge | Manner::Else).then(|| format!("{times}×"))
    }

    /// Returns the lines for a person: without the `_` that says nothing, with the note.
    pub(super) fn readable(&self) -> impl Iterator<Item = String> {
        let lines = self.lines.iter().filter(|line| *line != "_").cloned();
        lines.chain(self.note())
    }
}

/// Returns the graph within a node, if it starts somewhere, and ends: arrows lead to its start and
/// from its end.
fn drawable(node: &NodeShape) -> Option<&Topology> {
    let inner = node.inner.as_deref()?;
    let ends = inner.steps().any(|step| step.to == Target::End);
    (ends && inner.start_node().is_some()).then_some(inner)
}

fn is_fork(edge: &Edge<NodeIndex>) -> bool {
    edge.route.fork().is_some()
}

/// What is written at an edge that leads back to whoever handed over.
pub(super) const BACK: &str = "back";

/// What is written at an edge: the pattern, the guard, whether it leads back, how many branches at a time, the limit, and what a
/// person is asked before.
fn lines(edge: &Edge<NodeIndex>) -> Vec<String> {
    let guard = edge
        .guard
        .as_ref()
        .map(|guard| format!("if {}", line(guard)));
    let most = edge
        .route
        .fork()
        .and_then(|fork: &Fork<_>| fork.concurrency);
    let most = most.map(|most| format!("{most} at a time"));
    let limit = edge.route.times().map(|limit| format!("≤ {limit}"));
    let approve = edge.route.approval();
    let approve = approve.map(|question| format!("approve = {}", line(question)));
    // What leads back after an error says so itself.
    let back = (edge.is_back() && !edge.on_error).then(|| BACK.to_owned());
    let grant = edge.route.granted().map(ToString::to_string);
    let on = Some(line(&edge.on).into_owned());
    [on, guard, back, most, limit, approve, grant]
        .into_iter()
        .flatten()
        .collect()
}

/// Returns a text as one line, with no characters that have no shape.
pub(super) fn line(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        let shown = text.split(char::is_control).filter(|part| !part.is_empty());
        Cow::Owned(shown.collect::<Vec<_>>().join(" "))
    } else {
        Cow::Borrowed(text)
    }
}

/// The way of an edge to its target; the name of a bar says which of the forks of its node it is.
pub(super) fn bar_name(scene: &Scene<'_>, fork: EdgeIndex) -> (NodeIndex, String) {
    let kind = |edge: EdgeIndex| {
        let edge = scene.topology.get_edge(edge);
        let branches = edge
            .and_then(|edge| edge.route.fork())
            .map(|fork| &fork.branches);
        matches!(branches, Some(Branches::Each { .. }))
    };
    let from = scene
        .topology
        .get_edge(fork)
        .map_or(NodeIndex(0), |edge| edge.from);
    let same = scene
        .forks_of(from)
        .filter(|other| kind(*other) == kind(fork));
    let place = same.take_while(|other| *other != fork).count() + 1;
    let word = if kind(fork) { "each" } else { "all" };
    let name = if place == 1 {
        word.to_owned()
    } else {
        format!("{word}/{place}")
    };
    (from, name)
}
