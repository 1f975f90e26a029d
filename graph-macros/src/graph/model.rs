//! The graph with its names resolved: every edge knows both ends.

use handoffs_core::__private::lead_back;
use handoffs_core::{
    Edge, EdgeIndex, NodeIndex, NodeShape, Route, ScopeShape, Target, Topology, nearest,
};
use proc_macro2::Ident;
use syn::LitStr;
use syn::ext::IdentExt;

use super::arm::{Arm, BACK, END, Guard, Onward, Stop, To};
use super::parse::Graph;
use super::pattern::variants;
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
    /// What is wrong with scopes that the graph names only once, if they exist.
    pub(super) suspects: Vec<Suspect>,
}

/// What is wrong with a scope that may be misspelt.
pub(super) struct Suspect {
    pub(super) scope: Ident,
    pub(super) text: String,
}

/// What an edge was read from. One that leads `back` gives several.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// An arm of a node.
    Arm(usize, usize),
    /// The `missing` of an arm of a node; the arm follows it.
    Missing(usize, usize),
    /// The `on_error` of a node.
    Error(usize),
}

impl Model {
    /// Returns what an edge was read from.
    pub(super) fn source(&self, edge: EdgeIndex) -> Option<Source> {
        self.sources.get(usize::from(edge.0)).copied()
    }

    /// Returns where the edge leads, as it is written.
    pub(super) fn onward(&self, edge: EdgeIndex) -> Option<&Onward> {
        onward_of(&self.graph, self.source(edge)?)
    }

    /// Returns whether the edge looks whether all is set that its target needs.
    pub(super) fn looks(&self, edge: EdgeIndex) -> bool {
        let onward = self.onward(edge);
        onward.is_some_and(|onward| onward.missing.is_some())
    }

    /// Returns the edges of a node's arms, in order; of an arm that gives several, the first.
    pub(super) fn arms_of(&self, node: usize) -> impl Iterator<Item = (usize, &Arm)> {
        let edges = self.sources.iter().enumerate();
        let firsts = edges.filter(|(edge, source)| {
            let before = edge.checked_sub(1).and_then(|edge| self.sources.get(edge));
            before != Some(source)
        });
        firsts.filter_map(move |(edge, source)| match source {
            Source::Arm(from, arm) if *from == node => {
                Some((edge, self.graph.nodes.get(*from)?.arms.get(*arm)?))
            }
            _ => None,
        })
    }
}

/// Returns where an edge leads, as it is written.
fn onward_of(graph: &Graph, source: Source) -> Option<&Onward> {
    match source {
        Source::Arm(node, arm) => Some(&graph.nodes.get(node)?.arms.get(arm)?.onward),
        Source::Missing(node, arm) => graph.nodes.get(node)?.arms.get(arm)?.onward.if_missing(),
        Source::Error(node) => graph.nodes.get(node)?.policy.on_error.as_ref(),
    }
}

pub(super) fn resolve(graph: Graph, mistakes: &mut Mistakes) -> Option<Model> {
    let mut topology = Topology::new(graph.ident.unraw().to_string());
    let has_scopes = graph.scopes.is_some();
    if has_scopes {
        for scope in distinct(graph.named_scopes()) {
            topology.scope(ScopeShape::new(scope.unraw().to_string()));
        }
    } else if let Some(key) = graph.scope_keys().next() {
        mistakes.mend(
            key,
            "H011: this graph has no scopes",
            "name the enum above the struct: `#[graph(.., scopes = Scopes)]`",
        );
    }
    for node in &graph.nodes {
        let summary = node.doc.lines().next().unwrap_or_default().to_owned();
        let shape = NodeShape::new(node.ident.unraw().to_string()).doc(summary);
        let may = has_scopes.then(|| node.may.shape());
        let shape = shape.may(may.unwrap_or_default());
        let former = node.renamed_from.iter().map(LitStr::value);
        topology.node(former.fold(shape, NodeShape::renamed_from));
    }
    for old in &graph.renamed_from {
        topology.renamed_from(old.value());
    }
    let mut guesswork = graph
        .nodes
        .iter()
        .any(|node| node.broken || node.policy.broken || node.may.broken);
    let mut names = Names {
        topology: &topology,
        has_scopes,
        guesswork: &mut guesswork,
        mistakes,
    };
    let start = match &graph.start {
        Some(start) => names.node(start),
        None => Some(NodeIndex(0)),
    };
    let mut edges = Vec::new();
    for (from, node) in graph.nodes.iter().enumerate() {
        let index = NodeIndex(u16::try_from(from).ok()?);
        for (at, arm) in node.arms.iter().enumerate() {
            if let Some(missing) = arm.onward.if_missing() {
                let edge = names.edge(index, arm, missing).if_missing();
                edges.push((Source::Missing(from, at), edge));
            }
            let edge = names.edge(index, arm, &arm.onward);
            edges.push((Source::Arm(from, at), edge));
        }
        if let Some(onward) = &node.policy.on_error {
            let route = names.route(onward);
            edges.push((Source::Error(from), Edge::on_error(index, route)));
        }
    }
    topology.start(start.unwrap_or(NodeIndex(0)));
    let led = lead_back(&topology, edges);
    // An arm of a misspelt name may have been the one that hands over.
    for (source, node) in led.orphans.iter().filter(|_| !guesswork) {
        let onward = onward_of(&graph, *source);
        let Some(To::Back(token)) = onward.map(|onward| &onward.to) else {
            continue;
        };
        let name = topology.name_of(*node);
        let (message, help) = (
            format!("H011: nothing hands over to `{name}`"),
            match source {
                Source::Arm(..) | Source::Missing(..) => "name the node to go to",
                Source::Error(_) => "name the node to go to after an error, or write `then = end`",
            },
        );
        mistakes.mend(token, message, help);
    }
    // What is missing is no mistake of the edges that are there.
    guesswork |= !led.orphans.is_empty();
    let mut sources = Vec::new();
    for (source, edge) in led.edges {
        sources.push(source);
        topology.edge(edge);
    }
    Some(Model {
        graph,
        topology,
        sources,
        guesswork,
        has_places: true,
        suspects: Vec::new(),
    })
}

/// Returns the first of each name.
pub(super) fn distinct<'a>(idents: impl Iterator<Item = &'a Ident>) -> Vec<&'a Ident> {
    let mut distinct: Vec<&Ident> = Vec::new();
    for ident in idents {
        if !distinct.contains(&ident) {
            distinct.push(ident);
        }
    }
    distinct
}

/// Looks names up; a name that is wrong counts as the nearest one, so that one typo is one error.
struct Names<'a> {
    topology: &'a Topology,
    has_scopes: bool,
    guesswork: &'a mut bool,
    mistakes: &'a mut Mistakes,
}

impl Names<'_> {
    fn edge(&mut self, from: NodeIndex, arm: &Arm, onward: &Onward) -> Edge<NodeIndex> {
        let edge = Edge::new(from, text(&arm.pat), self.route(onward));
        let edge = edge.outcomes(variants(&arm.pat));
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
                *self.guesswork |= branches.is_empty();
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
            // A node of this name is refused for that.
            To::Back(_) => match self.topology.resolve(BACK) {
                Ok(node) => Route::to(node),
                Err(_) => Route::back(),
            },
        };
        let route = match &onward.concurrency {
            Some(most) => route.concurrency(most.times),
            None => route,
        };
        self.with_options(route, onward)
    }

    fn with_options(&mut self, mut route: Route<NodeIndex>, onward: &Onward) -> Route<NodeIndex> {
        let missing = onward.missing.as_ref();
        *self.guesswork |= onward.broken || missing.is_some_and(|missing| missing.onward.is_none());
        if let Some(limit) = &onward.limit {
            route = route.limit(limit.times);
        }
        if let Some(granting) = onward.grant.as_ref().filter(|_| self.has_scopes) {
            route = route.grant(granting.grant());
        }
        if let Some(approve) = &onward.approve {
            route = route.approve(text(&approve.question));
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
