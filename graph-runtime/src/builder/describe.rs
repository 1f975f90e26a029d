//! From names to places: the topology of a description, and what of it does not exist.

use std::collections::HashMap;

use handoffs_core::__private::lead_back;
use handoffs_core::{
    Branches, Code, Edge, EdgeIndex, FieldSet, NodeIndex, Route, Target, Topology, UnknownNode,
    nearest,
};

use super::edge::To;
use super::error::{BuildError, BuildPlace, RoutePart};
use super::node::Added;
use super::{ErrorRoute, Routed};

/// The word for the end of the run.
const END: &str = "end";

/// How many names an unknown one is compared with, all in all: after that it is not asked what it may
/// have meant, which takes its time in a large graph.
const COMPARED: usize = 100_000;

/// What an edge was described by. One that leads `back` gives several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// A `route`, by its number.
    Route(usize),
    /// What a `route` says of fields that are missing; the route follows it.
    Missing(usize),
    /// An `on_error`.
    Error(usize),
}

impl Source {
    pub(super) const fn at(self, part: RoutePart) -> BuildPlace {
        match self {
            Self::Route(number) => BuildPlace::Route(number, part),
            Self::Missing(number) => BuildPlace::Route(number, RoutePart::Missing),
            Self::Error(number) => BuildPlace::OnError(number, part),
        }
    }
}

/// The names of the nodes, and what was looked up in vain.
pub(super) struct Names<'a> {
    places: HashMap<&'a str, NodeIndex>,
    all: Vec<&'a str>,
    compared: usize,
    pub(super) errors: Vec<BuildError>,
    /// What was taken for the nearest name.
    pub(super) guessed: Vec<BuildPlace>,
    /// Whether a name was unknown and none is near: what the graph then looks like, nobody knows.
    pub(super) guesswork: bool,
}

impl<'a> Names<'a> {
    pub(super) fn of<S>(nodes: &'a [Added<S>]) -> Self {
        let all: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
        let mut places = HashMap::new();
        for (place, name) in (0..u16::MAX).zip(&all) {
            // Of two nodes with one name, which is a finding of its own, it is the first.
            places.entry(*name).or_insert(NodeIndex(place));
        }
        Self {
            places,
            all,
            compared: 0,
            errors: Vec::new(),
            guessed: Vec::new(),
            guesswork: false,
        }
    }

    pub(super) fn error(&mut self, at: BuildPlace, message: impl std::fmt::Display, help: &str) {
        self.errors
            .push(BuildError::new(Code::H011, at, message, help));
    }

    /// Looks a node up; a name that is wrong counts as the nearest one, so that one typo is one error.
    pub(super) fn node(&mut self, name: &str, at: BuildPlace) -> Option<NodeIndex> {
        if let Some(node) = self.places.get(name) {
            return Some(*node);
        }
        let compared: &[&str] = match self.compared {
            ..COMPARED => &self.all,
            _ => &[],
        };
        self.compared += compared.len();
        let unknown = UnknownNode::new(name, compared.iter().copied());
        let help = match compared {
            [] if !self.all.is_empty() => "add a node of this name",
            _ => unknown.help(),
        };
        self.errors.push(BuildError::worded(
            Code::H001,
            at,
            &format!("{unknown}\nhelp: {help}"),
        ));
        match nearest(name, compared.iter().copied().chain([END])) {
            Some(END) => None,
            Some(near) => {
                self.guessed.push(at);
                self.places.get(near).copied()
            }
            None => {
                self.guesswork = true;
                None
            }
        }
    }

    /// Looks up a node of a fork, which is never the end.
    fn part(&mut self, name: &str, at: BuildPlace) -> Option<NodeIndex> {
        let node = self.node(name, at);
        self.guesswork |= node.is_none();
        node
    }

    fn target(&mut self, name: &str, at: BuildPlace) -> Target<NodeIndex> {
        if name == END {
            return Target::End;
        }
        self.node(name, at).map_or(Target::End, Target::Node)
    }

    fn route(&mut self, to: &To, source: Source) -> Route<NodeIndex> {
        let join = |names: &mut Self| match to.route.target() {
            Target::Node(join) => names.part(join.as_str(), source.at(RoutePart::Target)),
            Target::End => None,
        };
        let route = match to.route.fork() {
            None => match to.route.target() {
                _ if to.route.is_back() => Route::back(),
                Target::End => Route::end(),
                Target::Node(node) => {
                    match self.target(node.as_str(), source.at(RoutePart::Target)) {
                        Target::Node(node) => Route::to(node),
                        Target::End => Route::end(),
                    }
                }
            },
            Some(fork) => {
                let mut entries = Vec::new();
                for (branch, entry) in fork.entries().iter().enumerate() {
                    entries.extend(self.part(entry.as_str(), source.at(RoutePart::Branch(branch))));
                }
                let route = match (&fork.branches, entries.first(), join(self)) {
                    (Branches::All(_), _, Some(join)) => Route::all(entries, join),
                    (Branches::Each { items, .. }, Some(worker), Some(join)) => {
                        Route::each(items.clone(), *worker, join)
                    }
                    _ => Route::end(),
                };
                match fork.concurrency {
                    Some(most) => route.concurrency(most),
                    None => route,
                }
            }
        };
        let route = match to.route.times() {
            Some(times) => route.limit(times),
            None => route,
        };
        let route = match to.route.granted() {
            Some(grant) => route.grant(grant.clone()),
            None => route,
        };
        let route = match to.route.approval() {
            Some(question) => route.approve(question.to_owned()),
            None => route,
        };
        let otherwise = match to.route.otherwise() {
            None => return route,
            Some(Target::End) => Target::End,
            Some(Target::Node(node)) => self.target(node.as_str(), source.at(RoutePart::Else)),
        };
        match otherwise {
            Target::Node(node) => route.or_else(node),
            Target::End => route.or_end(),
        }
    }
}

impl Names<'_> {
    /// Finds where an edge leads if a field that its node needs is not set.
    fn missing(&mut self, to: &To, source: Source) -> Option<Route<NodeIndex>> {
        let name = to.missing.as_ref()?;
        let at = source.at(RoutePart::Missing);
        let elsewhere = match source {
            Source::Error(_) => {
                Some("lead the error to a node that needs nothing, and decide there")
            }
            _ if to.route.is_back() => Some("remove it: who handed over had all that it needs"),
            _ if to.route.fork().is_some() => {
                Some("put a node before the fork, and say it of the handoff to that node")
            }
            _ if to.route.target() == &Target::End => Some("remove it: the end needs nothing"),
            _ => None,
        };
        let Some(help) = elsewhere else {
            return Some(match self.target(name.as_str(), at) {
                Target::Node(node) => Route::to(node),
                Target::End => Route::end(),
            });
        };
        let message = "`missing` is for a route that hands over to one node, by its name";
        self.error(at, message, help);
        // So nothing is said of what its node needs.
        self.guesswork = true;
        None
    }
}

/// A description as a shape, and what each edge of it was described by.
pub(super) struct Described {
    pub(super) topology: Topology,
    pub(super) sources: Vec<Source>,
}

impl Described {
    /// Returns of each edge that looks before it is taken what must be set: where one for the case that a
    /// field is missing stands before it, what its node needs.
    pub(super) fn finds<S>(&self, nodes: &[Added<S>]) -> Vec<Option<FieldSet>> {
        let mut looks = false;
        let edges = self.topology.edges().zip(&self.sources);
        let finds = edges.map(|((_, edge), source)| {
            let is_missing = matches!(source, Source::Missing(_));
            std::mem::replace(&mut looks, is_missing).then(|| {
                let node = edge.route.target().node();
                let node = node.and_then(|node| nodes.get(usize::from(node.0)));
                node.map_or(FieldSet::EMPTY, |node| node.known.contract.needs)
            })
        });
        finds.collect()
    }
}

/// Resolves the names of a description.
pub(super) fn describe(
    mut topology: Topology,
    routes: &[Routed],
    errors: &[ErrorRoute],
    names: &mut Names<'_>,
) -> Described {
    // The edges stand in the order of their nodes, whatever order they were added in.
    let mut by_node = vec![(Vec::new(), Vec::new()); topology.nodes().len()];
    for (number, routed) in routes.iter().enumerate() {
        let source = Source::Route(number);
        if let Some(from) = names.part(routed.from.as_str(), source.at(RoutePart::From)) {
            by_node[usize::from(from.0)].0.push(number);
        }
    }
    for (number, error) in errors.iter().enumerate() {
        let source = Source::Error(number);
        if let Some(from) = names.part(error.from.as_str(), source.at(RoutePart::From)) {
            by_node[usize::from(from.0)].1.push(number);
        }
    }
    let mut edges = Vec::new();
    for (from, (own, failed)) in (0..u16::MAX).map(NodeIndex).zip(by_node) {
        for number in own {
            let (source, Routed { on, to, .. }) = (Source::Route(number), &routes[number]);
            let edge =
                Edge::new(from, on.text(), names.route(to, source)).outcomes(on.outcomes.clone());
            let edge = match &on.guard {
                Some(guard) => edge.guard(guard.clone()),
                None => edge,
            };
            if let Some(missing) = names.missing(to, source) {
                let mut other = edge.clone().if_missing();
                other.route = missing;
                edges.push((Source::Missing(number), other));
            }
            edges.push((source, edge));
        }
        for (place, number) in failed.into_iter().enumerate() {
            let (source, ErrorRoute { to, .. }) = (Source::Error(number), &errors[number]);
            if place > 0 {
                let name = topology.name_of(from);
                let message = format!("`{name}` says more than once where an error leads");
                names.error(source.at(RoutePart::From), message, "keep one of them");
                continue;
            }
            let route = names.route(to, source);
            names.missing(to, source);
            if route.fork().is_some() {
                let help = "lead it to one node, and fork behind it";
                names.error(
                    source.at(RoutePart::Target),
                    "an error leads to no fork",
                    help,
                );
                names.guesswork = true;
                continue;
            }
            edges.push((source, Edge::on_error(from, route)));
        }
    }
    let led = lead_back(&topology, edges);
    // A route of a misspelt name may have been the one that hands over.
    let is_known = !names.guesswork;
    for (source, node) in led.orphans.iter().filter(|_| is_known) {
        let message = format!("nothing hands over to `{}`", topology.name_of(*node));
        let help = match source {
            Source::Route(_) | Source::Missing(_) => "name the node to go to",
            Source::Error(_) => "name the node to go to after an error, or end the run",
        };
        names.error(source.at(RoutePart::Target), message, help);
    }
    // What is missing is no mistake of the edges that are there.
    names.guesswork |= !led.orphans.is_empty();
    let mut sources = Vec::new();
    for (source, edge) in led.edges {
        if topology.edge(edge) != EdgeIndex(u16::MAX) {
            sources.push(source);
        }
    }
    Described { topology, sources }
}
