//! The graph with its names resolved: every edge knows both ends.

use handoffs_core::{Edge, EdgeIndex, NodeIndex, NodeShape, Route, Target, Topology, nearest};
use proc_macro2::Ident;
use syn::ext::IdentExt;

use super::arm::{Arm, END, Guard, Onward, Stop, To};
use super::parse::Graph;
use super::text::text;
use crate::mistakes::Mistakes;

/// A graph whose edges know their ends.
pub(super) struct Model {
    pub(super) graph: Graph,
    pub(super) topology: Topology,
    /// What each edge was read from.
    sources: Vec<Source>,
    /// Whether names were unknown and none is near: what the graph then looks like, nobody knows.
    pub(super) guesswork: bool,
    /// Whether each node is either in the branches of one fork or outside of all.
    pub(super) has_places: bool,
}

/// What an edge was read from.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// An arm of a node.
    Arm(usize, usize),
    /// The `on_error` of a node, of which `back` gives several edges.
    Error(usize),
}

impl Model {
    /// Returns what an edge was read from.
    pub(super) fn source(&self, edge: EdgeIndex) -> Option<Source> {
        self.sources.get(usize::from(edge.0)).copied()
    }

    /// Returns the arm that an edge was read from, if it was one.
    pub(super) fn arm(&self, edge: EdgeIndex) -> Option<&Arm> {
        match self.source(edge)? {
            Source::Arm(node, arm) => self.graph.nodes.get(node)?.arms.get(arm),
            Source::Error(_) => None,
        }
    }

    /// Returns where the edge leads, as it is written.
    pub(super) fn onward(&self, edge: EdgeIndex) -> Option<&Onward> {
        match self.source(edge)? {
            Source::Arm(..) => Some(&self.arm(edge)?.onward),
            Source::Error(node) => self.graph.nodes.get(node)?.policy.on_error.as_ref(),
        }
    }

    /// Returns the edges of a node's arms, in order.
    pub(super) fn arms_of(&self, node: usize) -> impl Iterator<Item = (usize, &Arm)> {
        let edges = self.sources.iter().enumerate();
        edges.filter_map(move |(edge, source)| match source {
            Source::Arm(from, arm) if *from == node => {
                Some((edge, self.graph.nodes.get(*from)?.arms.get(*arm)?))
            }
            _ => None,
        })
    }
}

pub(super) fn resolve(graph: Graph, mistakes: &mut Mistakes) -> Option<Model> {
    let mut topology = Topology::new(graph.ident.unraw().to_string());
    for node in &graph.nodes {
        let summary = node.doc.lines().next().unwrap_or_default().to_owned();
        topology.node(NodeShape::new(node.ident.unraw().to_string()).doc(summary));
    }
    let mut guesswork = graph.nodes.iter().any(|node| node.broken);
    let mut names = Names {
        topology: &topology,
        guesswork: &mut guesswork,
        mistakes,
    };
    let start = match &graph.start {
        Some(start) => names.node(start),
        None => Some(NodeIndex(0)),
    };
    let mut edges = Vec::new();
    let mut backs = Vec::new();
    for (from, node) in graph.nodes.iter().enumerate() {
        let index = NodeIndex(u16::try_from(from).ok()?);
        for (at, arm) in node.arms.iter().enumerate() {
            edges.push((Source::Arm(from, at), names.edge(index, arm)));
        }
        if let Some(onward) = &node.policy.on_error {
            let place = edges.len();
            if let To::Back(token) = &onward.to {
                backs.push((place, index, token, names.options(onward)));
            } else {
                let edge = Edge::on_error(index, names.route(onward));
                edges.push((Source::Error(from), edge));
            }
        }
    }
    topology.start(start.unwrap_or(NodeIndex(0)));
    // An edge goes in before what comes later, so the last `back` is put in first.
    for (place, node, token, route) in backs.into_iter().rev() {
        let edges_back = hand_back(&topology, &edges, node, &route);
        if edges_back.is_empty() && !guesswork {
            mistakes.mend(
                token,
                format_args!("H011: nothing hands over to `{}`", topology.name_of(node)),
                "name the node to go to after an error, or write `then = end`",
            );
        }
        let source = Source::Error(usize::from(node.0));
        let edges_back = edges_back.into_iter().map(|edge| (source, edge));
        edges.splice(place..place, edges_back);
    }
    let mut sources = Vec::new();
    for (source, edge) in edges {
        sources.push(source);
        topology.edge(edge);
    }
    Some(Model {
        graph,
        topology,
        sources,
        guesswork,
        has_places: true,
    })
}

/// Returns the edges of `back`: one to each node that hands over to this one, by the target or the
/// `else` of an edge.
///
/// A fork hands over to no one: where a branch begins, nobody of the branch has been before, and the
/// node that forked goes on at the join. Neither does the end of a branch hand over to the join.
fn hand_back(
    topology: &Topology,
    edges: &[(Source, Edge<NodeIndex>)],
    node: NodeIndex,
    route: &Route<NodeIndex>,
) -> Vec<Edge<NodeIndex>> {
    let mut plain = topology.clone();
    for (_, edge) in edges {
        plain.edge(edge.clone());
    }
    let regions = plain.regions();
    let region = |node: NodeIndex| regions.of.get(usize::from(node.0)).copied().flatten();
    let mut seen = Vec::new();
    for (_, edge) in edges.iter().filter(|(_, edge)| !edge.on_error) {
        let target = Some(*edge.route.target()).filter(|_| edge.route.fork().is_none());
        let ways = [target, edge.route.otherwise().copied()];
        let hands_over = ways.contains(&Some(Target::Node(node)));
        if hands_over && region(edge.from) == region(node) && !seen.contains(&edge.from) {
            seen.push(edge.from);
        }
    }
    let back = |to| {
        let route = route.clone();
        let target = Target::Node(to);
        Route::__new(target, route.times(), route.otherwise().copied())
    };
    seen.into_iter()
        .map(|to| Edge::on_error(node, back(to)))
        .collect()
}

/// Looks names up; a name that is wrong counts as the nearest one, so that one typo is one error.
struct Names<'a> {
    topology: &'a Topology,
    guesswork: &'a mut bool,
    mistakes: &'a mut Mistakes,
}

impl Names<'_> {
    fn edge(&mut self, from: NodeIndex, arm: &Arm) -> Edge<NodeIndex> {
        let edge = Edge::new(from, text(&arm.pat), self.route(&arm.onward));
        match &arm.guard {
            Guard::Function(guard) => edge.guard(text(guard)),
            Guard::None | Guard::Broken => edge,
        }
    }

    fn route(&mut self, onward: &Onward) -> Route<NodeIndex> {
        let route = match &onward.to {
            To::Stop(stop) => match self.target(stop) {
                Target::Node(node) => Route::to(node),
                Target::End => Route::end(),
            },
            To::All { branches, join, .. } => {
                let branches: Vec<_> = branches.iter().filter_map(|name| self.part(name)).collect();
                match self.part(join) {
                    Some(join) => Route::all(branches, join),
                    None => Route::end(),
                }
            }
            To::Each {
                items,
                worker,
                join,
            } => {
                let worker = self.part(worker);
                match (worker, self.part(join)) {
                    (Some(worker), Some(join)) => Route::each(text(items), worker, join),
                    _ => Route::end(),
                }
            }
            To::Back(_) => Route::end(),
        };
        let route = match &onward.concurrency {
            Some(most) => route.concurrency(most.times),
            None => route,
        };
        self.with_options(route, onward)
    }

    /// Returns a route to nowhere, with the options.
    fn options(&mut self, onward: &Onward) -> Route<NodeIndex> {
        self.with_options(Route::end(), onward)
    }

    fn with_options(&mut self, mut route: Route<NodeIndex>, onward: &Onward) -> Route<NodeIndex> {
        if let Some(limit) = &onward.limit {
            route = route.limit(limit.times);
        }
        match onward.otherwise.as_ref().map(|stop| self.target(stop)) {
            Some(Target::Node(node)) => route.or_else(node),
            Some(Target::End) => route.or_end(),
            None => route,
        }
    }

    fn target(&mut self, stop: &Stop) -> Target<NodeIndex> {
        if stop.ident == END {
            return Target::End;
        }
        self.node(&stop.ident).map_or(Target::End, Target::Node)
    }

    /// Looks up a node of a fork, which is never the end.
    fn part(&mut self, name: &Ident) -> Option<NodeIndex> {
        let node = self.node(name);
        *self.guesswork |= node.is_none();
        node
    }

    fn node(&mut self, name: &Ident) -> Option<NodeIndex> {
        let wanted = name.unraw().to_string();
        let unknown = match self.topology.resolve(&wanted) {
            Ok(node) => return Some(node),
            Err(unknown) => unknown,
        };
        self.mistakes.mend(name, &unknown, unknown.help());
        let nodes = self.topology.nodes().map(|(_, node)| node.name.as_ref());
        let near = nearest(&wanted, nodes.chain([END]));
        match near {
            Some(END) => None,
            Some(near) => self.topology.resolve(near).ok(),
            None => {
                *self.guesswork = true;
                None
            }
        }
    }
}
