//! From a description to a graph, or to all that is wrong with it.

use std::collections::{HashMap, HashSet};

use handoffs_core::__private::{all_handoffs, reads_as_missing};
use handoffs_core::{
    Branches, Code, Contract, Edge, EdgeIndex, FieldSet, Finding, May, NodeIndex, NodeShape, Place,
    State, Topology, check, max_handoffs, max_visits,
};

use super::describe::{Described, Names, Source, describe};
use super::error::{BuildError, BuildErrors, BuildPlace, RoutePart};
use super::flow::{Site, Steps};
use super::graph::{Built, BuiltGraph, Concluded, Key};
use super::node::{Added, ItemType, Takes, fields_help};
use super::outcomes::Outcomes;
use super::text::meant;
use super::{GraphBuilder, Setting};
use crate::policy::Policy;

pub(super) fn build<S: State>(builder: GraphBuilder<S>) -> Result<BuiltGraph<S>, BuildErrors> {
    let GraphBuilder {
        name,
        start,
        given,
        nodes,
        routes,
        errors: on_error,
        guards,
        items,
        questions,
        settings,
        scopes,
        renamed_from,
    } = builder;
    let mut names = Names::of(&nodes);
    let mut settled = settle(&nodes, settings, &mut names);
    let shapes = shapes(&nodes, &mut settled);
    let mut topology = Topology::new(name);
    for shape in shapes {
        topology.node(shape);
    }
    for scope in scopes {
        topology.scope(scope);
    }
    for old in renamed_from {
        topology.renamed_from(old);
    }
    if let Some(start) = start.and_then(|start| names.node(start.as_str(), BuildPlace::Start)) {
        topology.start(start);
    }
    let described = describe(topology, &routes, &on_error, &mut names);
    let topology = &described.topology;

    let mut found = Found::default();
    found.in_nodes(&nodes);
    found.in_guards(guards.iter().map(|(name, _)| name.as_str()));
    twice(
        items.iter().map(|(name, ..)| name.as_str()),
        "lists of items",
        BuildPlace::Items,
        &mut found.errors,
    );
    twice(
        questions.iter().map(|(name, _)| name.as_str()),
        "questions",
        BuildPlace::Question,
        &mut found.errors,
    );
    let given = found.given::<S>(&given);
    found.in_shape(&described, &names);

    let guard_names = guards.iter().map(|(name, _)| name.as_str()).collect();
    let finds = described.finds(&nodes);
    let mut outcomes = Outcomes::new(&routes, guard_names, names.guessed.clone(), finds);
    let ways = ways(&nodes, &described, &mut outcomes);
    let lists = found.in_items(&described, &nodes, &items);
    let asks = found.in_questions(&described, &questions);
    found.errors.append(&mut outcomes.errors);

    let mut contract = Contract::EMPTY;
    if !names.guesswork && !found.is_too_large {
        let steps = Steps::of(topology, &outcomes.gives, &outcomes.finds);
        let all: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
        let contracts: Vec<_> = nodes.iter().map(|node| node.known.contract).collect();
        if let Some(start) = topology.start_node() {
            let start = usize::from(start.0);
            let (lost, whole) = steps.check::<S>(&all, &contracts, start, given);
            contract = whole;
            found.in_flow(lost, &described);
        }
    }
    found.errors.append(&mut names.errors);
    drop(names);
    if found.is_too_large {
        // What was left out would be missed by every other rule.
        found
            .errors
            .retain(|error| error.place() == BuildPlace::Graph && error.code() == Code::H011);
    }
    if !found.errors.is_empty() {
        found.errors.sort_by_key(BuildError::code);
        return Err(BuildErrors(found.errors));
    }
    let max_handoffs = handoffs(topology);
    let nodes = nodes.into_iter().zip(ways).zip(settled);
    Ok(BuiltGraph {
        given,
        contract,
        max_handoffs,
        nodes: nodes
            .map(|((node, ways), settled)| built(node, ways, settled))
            .collect(),
        guards: guards.into_iter().map(|(_, guard)| guard).collect(),
        items: items.into_iter().map(|(.., items)| items).collect(),
        lists,
        questions: questions.into_iter().map(|(_, ask)| ask).collect(),
        asks,
        topology: described.topology,
    })
}

/// What was said of a node beside its routes.
struct Settled<S> {
    doc: String,
    policy: Policy,
    key: Option<Key<S>>,
    may: May,
    renamed_from: Vec<String>,
}

fn settle<S: State>(
    nodes: &[Added<S>],
    settings: Vec<(super::NodeName, Setting<S>)>,
    names: &mut Names<'_>,
) -> Vec<Settled<S>> {
    let nothing = || Settled {
        doc: String::new(),
        policy: Policy::new(),
        key: None,
        may: May::new(),
        renamed_from: Vec::new(),
    };
    let mut settled: Vec<_> = nodes.iter().map(|_| nothing()).collect();
    let mut ttls = vec![None; nodes.len()];
    for (name, setting) in settings {
        let Some(node) = names
            .node(name.as_str(), BuildPlace::Graph)
            .map(|node| usize::from(node.0))
        else {
            continue;
        };
        match setting {
            Setting::Doc(doc) => settled[node].doc = doc,
            Setting::RenamedFrom(old) => settled[node].renamed_from.push(old),
            Setting::Policy(policy) => settled[node].policy = policy,
            Setting::May(may) => {
                let own = &mut settled[node].may;
                *own = std::mem::take(own).uses(may.uses).grants(may.grants);
            }
            Setting::Cache(ttl, key) => {
                ttls[node] = Some(ttl);
                settled[node].key = Some(key);
            }
        }
    }
    for (place, (node, ttl)) in settled.iter_mut().zip(ttls).enumerate() {
        match ttl {
            Some(ttl) => node.policy = node.policy.clone().cache(ttl),
            None if node.policy.cache_ttl().is_some() => {
                let message = format!(
                    "the results of `{}` are kept under no key",
                    nodes[place].name
                );
                names.error(
                    BuildPlace::Node(place),
                    message,
                    "say under which, with `cache`",
                );
            }
            None => {}
        }
    }
    settled
}

fn shapes<S: State>(nodes: &[Added<S>], settled: &mut [Settled<S>]) -> Vec<NodeShape> {
    let shape = |(node, settled): (&Added<S>, &mut Settled<S>)| {
        let shape = NodeShape::new(node.name.to_string())
            .doc(std::mem::take(&mut settled.doc))
            .kind(node.kind)
            .may(std::mem::take(&mut settled.may));
        let former = std::mem::take(&mut settled.renamed_from).into_iter();
        let shape = former.fold(shape, NodeShape::renamed_from);
        match node.node.within() {
            Some(within) => shape.inner(within.topology()),
            None => shape,
        }
    };
    nodes.iter().zip(settled).map(shape).collect()
}

fn ways<S: State>(
    nodes: &[Added<S>],
    described: &Described,
    outcomes: &mut Outcomes<'_>,
) -> Vec<Vec<Concluded>> {
    let mut edges = vec![Vec::new(); nodes.len()];
    for ((index, edge), source) in described.topology.edges().zip(&described.sources) {
        edges[usize::from(edge.from.0)].push((usize::from(index.0), *source));
    }
    let nodes = nodes.iter().enumerate().zip(&edges);
    nodes
        .map(|(node, edges)| outcomes.of(node, edges))
        .collect()
}

fn built<S>(node: Added<S>, ways: Vec<Concluded>, settled: Settled<S>) -> Built<S> {
    Built {
        name: node.name,
        node: node.node,
        known: node.known,
        policy: settled.policy,
        key: settled.key,
        ways,
    }
}

/// Returns the most handoffs that a run can take, those inside its nodes among them.
fn handoffs(topology: &Topology) -> u64 {
    let own = max_handoffs(topology).unwrap_or(u64::MAX);
    let nodes = topology.nodes().zip(max_visits(topology));
    let inside =
        nodes.filter_map(|((_, node), visits)| Some((visits, handoffs(node.inner.as_deref()?))));
    all_handoffs(own, &inside.collect::<Vec<_>>())
}

/// Notes the names that were given twice.
fn twice<'a>(
    names: impl Iterator<Item = &'a str>,
    kind: &str,
    at: fn(usize) -> BuildPlace,
    errors: &mut Vec<BuildError>,
) {
    let mut seen = HashSet::new();
    for (place, name) in names.enumerate() {
        if !seen.insert(name) {
            let message = format!("two {kind} are named `{name}`");
            errors.push(BuildError::new(
                Code::H011,
                at(place),
                message,
                "rename one of them",
            ));
        }
    }
}

/// How to mend that a handoff loses context, in the builder's words.
const LOST: &str = "let a node before give the field, or one of its outcomes; or let the caller bring \
                    it, with `given`";

/// What is wrong so far.
#[derive(Default)]
struct Found {
    errors: Vec<BuildError>,
    is_too_large: bool,
}

impl Found {
    fn in_nodes<S: State>(&mut self, nodes: &[Added<S>]) {
        for (place, node) in nodes.iter().enumerate() {
            self.errors.extend(node.errors(BuildPlace::Node(place)));
        }
    }

    fn in_guards<'a>(&mut self, names: impl Iterator<Item = &'a str> + Clone) {
        twice(names.clone(), "guards", BuildPlace::Guard, &mut self.errors);
        let wrong = names.enumerate().filter(|(_, name)| reads_as_missing(name));
        self.errors.extend(wrong.map(|(place, name)| {
            let message = format!("a guard named `{name}` reads like the `missing` of an edge");
            BuildError::new(Code::H011, BuildPlace::Guard(place), message, "rename it")
        }));
    }

    fn given<S: State>(&mut self, names: &[String]) -> FieldSet {
        let mut given = FieldSet::EMPTY;
        for (place, name) in names.iter().enumerate() {
            let field = FieldSet::named(S::FIELDS, &[name.as_str()]);
            if field.is_empty() {
                let message = format!("the state has no field `{name}`");
                let help = fields_help(S::FIELDS);
                self.errors.push(BuildError::new(
                    Code::H011,
                    BuildPlace::Given(place),
                    message,
                    help,
                ));
            }
            given = given.or(field);
        }
        given
    }

    /// Checks the shape by the rules of `handoffs-core`.
    fn in_shape(&mut self, described: &Described, names: &Names<'_>) {
        let topology = &described.topology;
        let mut seen = HashSet::new();
        for finding in check(topology) {
            self.is_too_large |= matches!(finding, Finding::TooLarge);
            let at = described.at(finding.place());
            // `back` gives an edge for each node that it may lead to, and was said once.
            let edge = finding.place().edge();
            let edge = edge.and_then(|edge| topology.get_edge(edge));
            if edge.is_some_and(Edge::is_back)
                && !seen.insert((at, finding.code(), core::mem::discriminant(&finding)))
            {
                continue;
            }
            // A name that is wrong was taken for the nearest, which closes no loop of the user's.
            let is_guess =
                matches!(finding, Finding::UnboundedLoop { .. }) && names.guessed.contains(&at);
            if is_guess || names.guesswork && !finding.survives_new_edges() {
                continue;
            }
            let help = match &finding {
                Finding::Trap { node, others, .. } => trap_help(topology, *node, others),
                _ => None,
            };
            let text = format!(
                "{}\nhelp: {}",
                finding.message(topology),
                help.unwrap_or_else(|| finding.help(topology)),
            );
            let at = match finding {
                Finding::NoStart => BuildPlace::Start,
                _ => at,
            };
            self.errors
                .push(BuildError::worded(finding.code(), at, &text));
        }
    }

    fn in_flow(&mut self, lost: Vec<super::flow::Lost>, described: &Described) {
        let unclear = self.errors.iter().any(|error| error.code() == Code::H009);
        for lost in lost {
            let at = match lost.at {
                Site::Node(node) => BuildPlace::Node(node),
                Site::Missing(edge) => described.edge(edge, RoutePart::Missing),
                Site::Branch(edge, branch) => described.edge(edge, RoutePart::Branch(branch)),
            };
            let (code, help) = match lost.text.get(..4) {
                Some("H007") => (Code::H007, Some(LOST)),
                Some("H011") => (Code::H011, None),
                Some("H008") => (Code::H008, None),
                _ => (Code::H009, None),
            };
            // Where it is not clear which node runs in which branch, only what a path lacks is.
            if matches!(code, Code::H007 | Code::H011) || !unclear {
                self.errors
                    .push(BuildError::worded(code, at, &lost.text).or_help(help));
            }
        }
    }

    /// Finds the question before the handoff of each edge.
    fn in_questions<Q>(
        &mut self,
        described: &Described,
        questions: &[(String, Q)],
    ) -> Vec<Option<usize>> {
        let mut asks = Vec::new();
        for (index, edge) in described.topology.edges() {
            let wanted = edge.route.approval();
            let found = wanted.and_then(|wanted| {
                let mut names = questions.iter();
                names.position(|(name, _)| name == wanted)
            });
            asks.push(found);
            if let (Some(wanted), None) = (wanted, found) {
                let names = questions.iter().map(|(name, _)| name.as_str());
                let help = meant(wanted, names, "questions");
                let message = format!("no question is named `{wanted}`");
                let at = described.edge(index, RoutePart::Approval);
                self.errors
                    .push(BuildError::new(Code::H011, at, message, help));
            }
        }
        asks
    }

    /// Finds the items of each edge, and checks that its worker takes them.
    fn in_items<S: State, L>(
        &mut self,
        described: &Described,
        nodes: &[Added<S>],
        items: &[(String, ItemType, L)],
    ) -> Vec<Option<usize>> {
        let mut places = HashMap::new();
        for (place, (name, ..)) in items.iter().enumerate() {
            places.entry(name.as_str()).or_insert(place);
        }
        let mut lists = Vec::new();
        for (index, edge) in described.topology.edges() {
            let branches = edge.route.fork().map(|fork| &fork.branches);
            let Some(Branches::Each {
                items: wanted,
                worker,
            }) = branches
            else {
                lists.push(None);
                continue;
            };
            let list = places.get(&**wanted).copied();
            lists.push(list);
            let node = nodes.get(usize::from(worker.0));
            let wrong = match (list.map(|list| items[list].1), node.map(|node| node.takes)) {
                (None, _) => {
                    let names = items.iter().map(|(name, ..)| name.as_str());
                    let help = meant(wanted, names, "lists of items");
                    let message = format!("no list of items is named `{wanted}`");
                    Some((Code::H011, RoutePart::Items, message, help))
                }
                (Some(listed), Some(Takes::Of(taken))) if listed != taken => {
                    let worker = described.topology.name_of(*worker);
                    let message = format!(
                        "`{wanted}` lists items of type `{}`, and `{worker}` takes one of type `{}`",
                        listed.name, taken.name
                    );
                    let help = "list what the worker takes".to_owned();
                    Some((Code::H011, RoutePart::Items, message, help))
                }
                (Some(_), Some(Takes::Nothing)) => {
                    let worker = described.topology.name_of(*worker);
                    let message = format!("`{worker}` takes no item");
                    let help = "an `each` hands an item to its worker: name a node that was added \
                                with `worker`, or fork with `all`";
                    Some((Code::H009, RoutePart::Branch(0), message, help.to_owned()))
                }
                _ => None,
            };
            if let Some((code, part, message, help)) = wrong {
                let at = described.edge(index, part);
                self.errors.push(BuildError::new(code, at, message, help));
            }
        }
        lists
    }
}

impl Described {
    fn at(&self, place: Place) -> BuildPlace {
        match place {
            Place::Node(node)
            | Place::Use(node, _)
            | Place::MayGrant(node, _)
            | Place::FormerName(Some(node), _) => BuildPlace::Node(usize::from(node.0)),
            Place::Target(edge) => self.edge(edge, RoutePart::Target),
            Place::Branch(edge, branch) => self.edge(edge, RoutePart::Branch(branch)),
            Place::Else(edge) => self.edge(edge, RoutePart::Else),
            Place::Approval(edge) => self.edge(edge, RoutePart::Approval),
            Place::Limit(edge) => self.edge(edge, RoutePart::Limit),
            Place::Grant(edge, at) => self.edge(edge, RoutePart::Grant(at)),
            Place::Concurrency(edge) => self.edge(edge, RoutePart::Concurrency),
            _ => BuildPlace::Graph,
        }
    }

    fn edge(&self, edge: EdgeIndex, part: RoutePart) -> BuildPlace {
        let source = self.sources.get(usize::from(edge.0));
        source.map_or(BuildPlace::Graph, |source: &Source| source.at(part))
    }
}

/// Says in the builder's words how to lead on from nodes without a route.
fn trap_help(topology: &Topology, node: NodeIndex, others: &[NodeIndex]) -> Option<String> {
    let is_alone = others.is_empty() && topology.edges_from(node).next().is_none();
    is_alone.then(|| "it has no route: lead one to another node, or to the end".to_owned())
}
