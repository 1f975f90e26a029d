//! What a run has to know of its graph.

mod fingerprint;
mod legs;
mod sight;

use std::borrow::Cow;
use std::sync::Arc;

use handoffs_core::{
    Branches, Edge, EdgeIndex, Field, FieldSet, May, NodeIndex, NodeKind, NodeShape, State, Target,
    Topology,
};

use crate::execute::{Known, Runnable};
use crate::journal::{GraphId, Writes};
use crate::policy::Policy;

use fingerprint::graph_id;
pub(crate) use legs::{Leg, LegKind};

/// What the engine has to know of a graph.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) id: GraphId,
    pub(crate) start: u16,
    pub(crate) nodes: Vec<PlanNode>,
    pub(crate) edges: Vec<PlanEdge>,
    /// The ways that edges lead without the driver's help.
    pub(crate) legs: Vec<Leg>,
    /// The names of the state's fields.
    pub(crate) fields: Vec<&'static str>,
    /// The names that fields had before, and those that they have now.
    aliases: Vec<(&'static str, &'static str)>,
    /// The fields that a function of the user's merges.
    pub(crate) by_function: FieldSet,
    /// The fields that some node may write.
    pub(crate) writes: FieldSet,
    /// The fields that are looked at somewhere in the graph, by a node, a guard or otherwise.
    sees: FieldSet,
    /// How many edges there are up to the last that can be masked.
    pub(crate) laps: usize,
    /// Whether some edge leads back, so that a run has to remember who handed over to whom.
    pub(crate) goes_back: bool,
    /// The first node at which a person is asked, here or in a graph within.
    human: Option<Arc<str>>,
    pub(crate) topology: Topology,
}

/// What the runtime has to know of a node.
#[derive(Debug)]
pub(crate) struct PlanNode {
    pub(crate) name: Arc<str>,
    pub(crate) policy: Policy,
    /// Whether the node works on the item of its branch.
    pub(crate) takes_item: bool,
    /// The node's error edges, of which one is taken when it fails.
    pub(crate) on_error: Vec<u16>,
    /// The fields that the node may have changed when its attempt fails and the run goes on
    /// nevertheless: after a guard that panicked, or a promise that was not kept.
    pub(crate) undone: Option<FieldSet>,
    /// Whether the node is a graph, or wraps one, so that others work in its place.
    pub(crate) is_graph: bool,
    /// Whether a model decides in the node, so that its steps are worth to be seen one by one.
    pub(crate) is_agent: bool,
    /// The graph that the node is.
    pub(crate) inner: Option<Inner>,
}

/// A graph that is a node of another.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) plan: Plan,
    /// Whether it has the state of the graph around it, so that its writes are theirs.
    pub(crate) is_direct: bool,
}

/// What the engine has to know of an edge.
#[derive(Debug)]
pub(crate) struct PlanEdge {
    pub(crate) from: u16,
    /// The target; of a fork the join.
    pub(crate) to: Target<u16>,
    pub(crate) fork: Option<PlanFork>,
    pub(crate) otherwise: Option<Target<u16>>,
    pub(crate) limit: Option<u32>,
    /// Whether it leads back to whoever handed over, if that is the target.
    pub(crate) is_back: bool,
    /// Whether a person approves the handoff before it is made.
    pub(crate) approve: bool,
    /// Whether the edge is on a cycle and says what happens when it is masked, so that it can be.
    pub(crate) watched: bool,
}

/// What the driver has to know of a fork.
#[derive(Debug)]
pub(crate) struct PlanFork {
    /// Where the branches begin; of an `each` the worker.
    pub(crate) entries: Vec<u16>,
    pub(crate) is_each: bool,
    pub(crate) concurrency: Option<usize>,
    /// The fields that a branch can see: of others it needs no copy.
    pub(crate) fields: FieldSet,
}

impl Plan {
    /// Makes a plan of a graph, whose fingerprint also covers the names of the state's fields.
    pub(crate) fn of<G: Runnable>(graph: &G) -> Self {
        let (known, policies) = (graph.nodes(), graph.policies());
        let topology = graph.topology();
        let places = 0..topology.nodes().len();
        let inner = places.map(|node| graph.within(node).map(|within| within.inner()));
        let mut plan = Self::new(topology, G::State::FIELDS, inner.collect());
        for (node, policy) in plan.nodes.iter_mut().zip(policies) {
            node.policy = policy;
        }
        for (node, known) in plan.nodes.iter_mut().zip(&known) {
            node.takes_item = known.contract.item;
            node.is_agent = known.is_agent;
        }
        let writes = known.iter().map(|known| known.contract.writes);
        plan.writes = writes.fold(FieldSet::EMPTY, FieldSet::or);
        let all = FieldSet::first_of(G::State::FIELDS.len());
        let by_function = all
            .iter()
            .filter(|field| G::State::FIELDS[*field].__is_merged_by_function());
        plan.by_function = by_function.fold(FieldSet::EMPTY, FieldSet::with);
        plan.find_undone(&known, G::State::FIELDS.len());
        plan.see_branches(&known);
        plan.find_legs();
        plan
    }

    /// Makes a plan of the shape alone, without what only the graph's types tell.
    pub(crate) fn new(
        topology: Topology,
        fields: &'static [Field],
        inner: Vec<Option<Inner>>,
    ) -> Self {
        let cyclic = topology.cyclic_edges();
        let target = |target: &Target<NodeIndex>| target.map(|node| node.0);
        let edges: Vec<_> = topology
            .edges()
            .map(|(index, edge)| PlanEdge {
                from: edge.from.0,
                to: target(edge.route.target()),
                fork: fork_of(edge),
                otherwise: edge.route.otherwise().map(target),
                limit: edge.route.times(),
                is_back: edge.is_back(),
                approve: edge.route.approval().is_some(),
                watched: edge.route.times().is_some()
                    || edge.route.otherwise().is_some() && cyclic.contains(&index),
            })
            .collect();
        let id = graph_id(&topology, fields, &inner);
        let inner = inner.into_iter().chain(std::iter::repeat_with(|| None));
        let node = |((_, node), inner): ((NodeIndex, &NodeShape), Option<Inner>)| PlanNode {
            name: Arc::from(&*node.name),
            policy: Policy::new(),
            takes_item: false,
            on_error: Vec::new(),
            undone: None,
            is_graph: inner.is_some() || node.kind == NodeKind::Graph,
            is_agent: false,
            inner,
        };
        let mut plan = Self {
            id,
            start: topology.start_node().map_or(0, |node| node.0),
            nodes: topology.nodes().zip(inner).map(node).collect(),
            laps: edges
                .iter()
                .rposition(|edge| edge.watched)
                .map_or(0, |last| last + 1),
            goes_back: edges.iter().any(|edge| edge.is_back),
            edges,
            legs: Vec::new(),
            fields: fields.iter().map(|field| field.name).collect(),
            aliases: (fields.iter())
                .flat_map(|field| field.aliases.iter().map(|old| (*old, field.name)))
                .collect(),
            by_function: FieldSet::EMPTY,
            writes: FieldSet::ALL,
            sees: FieldSet::ALL,
            human: None,
            topology,
        };
        let on_error = plan.topology.edges().filter(|(_, edge)| edge.on_error);
        for (edge, Edge { from, .. }) in on_error {
            plan.nodes[usize::from(from.0)].on_error.push(edge.0);
        }
        plan.find_legs();
        plan.human = plan.find_human();
        plan
    }

    /// Finds the fields that have to be put back when an attempt at a node fails.
    fn find_undone(&mut self, known: &[Known], fields: usize) {
        let mut is_guarded = vec![false; self.nodes.len()];
        for (_, edge) in self.topology.edges() {
            is_guarded[usize::from(edge.from.0)] |= edge.guard.is_some();
        }
        for ((node, known), is_guarded) in self.nodes.iter_mut().zip(known).zip(is_guarded) {
            let goes_on = !node.policy.retries().is_empty() || !node.on_error.is_empty();
            if !goes_on {
                continue;
            }
            // The node that takes over from a graph over another state has written when what the graph
            // promises is checked.
            let is_nested = node.inner.as_ref().is_some_and(|inner| !inner.is_direct);
            node.undone = match known.keeps_to_contract {
                true if is_guarded || is_nested => Some(known.contract.writes),
                true => None,
                false => Some(FieldSet::first_of(fields)),
            };
        }
    }

    /// Returns whether the results of some node are cached, also in a graph within.
    pub(crate) fn caches(&self) -> bool {
        self.nodes.iter().any(|node| {
            let inner = node.inner.as_ref();
            node.policy.cache_ttl().is_some() || inner.is_some_and(|inner| inner.plan.caches())
        })
    }

    /// Returns whether taking an edge depends on the progress that was made.
    #[inline]
    pub(crate) fn is_watched(&self, edge: u16) -> bool {
        self.edges
            .get(usize::from(edge))
            .is_some_and(|edge| edge.watched)
    }

    /// Returns the place of the node of which an entry speaks, whichever graph wrote it: by the name that
    /// the node has, or had before.
    pub(crate) fn find_node(&self, name: &str) -> Option<u16> {
        let is_former = |(_, node): &(NodeIndex, &NodeShape)| {
            node.renamed_from.iter().any(|former| former == name)
        };
        let former = || Some(self.topology.nodes().find(is_former)?.0.0);
        let place = self.nodes.iter().position(|node| *node.name == *name);
        place.map_or_else(former, |place| u16::try_from(place).ok())
    }

    /// Returns the places of the edges that leave a node, of which this holds.
    pub(crate) fn edges_from(
        &self,
        from: u16,
        holds: impl Fn(&Edge<NodeIndex>) -> bool,
    ) -> impl Iterator<Item = u16> {
        let edges = self.topology.edges();
        edges
            .filter(move |(_, edge)| edge.from.0 == from && holds(edge))
            .map(|(place, _)| place.0)
    }

    /// Returns the name that a field has now, of which an entry speaks by that or an older one.
    pub(crate) fn find_field(&self, name: &str) -> Option<&'static str> {
        let own = self.fields.iter().find(|field| **field == name).copied();
        let former = || self.aliases.iter().find(|(old, _)| *old == name);
        own.or_else(|| former().map(|(_, field)| *field))
    }

    /// Returns whether this graph has or had the name that stands before the fingerprint.
    pub(crate) fn is_known_as(&self, graph: &GraphId) -> bool {
        let name = graph.name();
        self.topology.name() == name || self.topology.former_names().any(|former| former == name)
    }

    /// Returns the writes to fields that the state has today, under their names of today.
    pub(crate) fn known_writes(&self, writes: &Writes) -> Writes {
        let known = writes.0.iter();
        let known = known.filter_map(|(name, write)| Some((self.find_field(name)?, write.clone())));
        Writes(known.map(|(name, write)| (name.into(), write)).collect())
    }

    /// Returns the names of today of the fields that the state has today.
    pub(crate) fn known_fields(&self, names: &[Cow<'static, str>]) -> Vec<Cow<'static, str>> {
        let known = names.iter().filter_map(|name| self.find_field(name));
        known.map(Cow::Borrowed).collect()
    }

    /// Returns whether this very graph, or one within it, goes by this name and fingerprint.
    pub(crate) fn wrote(&self, graph: &GraphId) -> bool {
        let mut within = self.nodes.iter().filter_map(|node| node.inner.as_ref());
        self.id == *graph || within.any(|inner| inner.plan.wrote(graph))
    }

    /// Returns whether taking some edge that leaves a node depends on the progress that was made.
    pub(crate) fn watches(&self, node: u16) -> bool {
        let mut edges = self.edges.iter();
        edges.any(|edge| edge.from == node && edge.watched)
    }

    /// Returns the error edge that is taken when a node fails: of those that lead back, the one to whoever
    /// handed over, if anybody did.
    pub(crate) fn error_edge(&self, node: u16, caller: Option<u16>) -> Option<u16> {
        let first = self.node(node)?.on_error.first()?;
        self.back_to(*first, caller)
    }

    /// Returns an edge, or of those that lead back in its place the one to whoever handed over; none if
    /// nobody did.
    #[inline]
    pub(crate) fn back_to(&self, edge: u16, caller: Option<u16>) -> Option<u16> {
        match self.edges.get(usize::from(edge)) {
            Some(planned) if planned.is_back => self.sibling_to(edge, caller?),
            _ => Some(edge),
        }
    }

    /// Returns the edge to `caller` of those that stand in the place of one that leads back: they follow
    /// each other.
    fn sibling_to(&self, edge: u16, caller: u16) -> Option<u16> {
        let own = self.edge(edge)?;
        let is_sibling = |other: &u16| {
            self.edge(*other).is_some_and(|other| {
                other.is_back()
                    && other.from == own.from
                    && other.on_error == own.on_error
                    && (&other.on, &other.guard) == (&own.on, &own.guard)
            })
        };
        let before = (0..edge).rev().take_while(is_sibling);
        let mut siblings = (edge..u16::MAX).take_while(is_sibling).chain(before);
        siblings.find(|other| self.edges[usize::from(*other)].to == Target::Node(caller))
    }

    /// Returns whether nodes do only what they may and what they are granted.
    pub(crate) fn has_scopes(&self) -> bool {
        !self.topology.scopes().is_empty()
    }

    /// Returns what a node may do, and let others do.
    pub(crate) fn may(&self, node: u16) -> &May {
        const NOTHING: &May = &May::new();
        let node = self.topology.get_node(NodeIndex(node));
        node.map_or(NOTHING, |node| &node.may)
    }

    /// Returns the name of a node as an entry keeps it, which of a derived graph is no copy.
    pub(crate) fn kept_name(&self, node: u16) -> Cow<'static, str> {
        let node = self.topology.get_node(NodeIndex(node));
        node.map_or(Cow::Borrowed("?"), |node| node.name.clone())
    }

    /// Returns the name of a node.
    pub(crate) fn name(&self, node: u16) -> &str {
        self.nodes
            .get(usize::from(node))
            .map_or("?", |node| &node.name)
    }

    /// Returns what is to be known of a node.
    pub(crate) fn node(&self, node: u16) -> Option<&PlanNode> {
        self.nodes.get(usize::from(node))
    }

    /// Returns the fork to which an edge leads.
    pub(crate) fn fork(&self, edge: u16) -> Option<&PlanFork> {
        self.edges.get(usize::from(edge))?.fork.as_ref()
    }

    /// Returns the condition of an edge as it is written in the graph.
    pub(crate) fn edge_label(&self, edge: u16) -> Cow<'static, str> {
        match self.edge(edge) {
            None => Cow::default(),
            Some(edge) if edge.guard.is_none() => edge.on.clone(),
            Some(edge) => edge.label().into_owned().into(),
        }
    }

    /// Returns an edge as it is written in the graph.
    pub(crate) fn edge(&self, edge: u16) -> Option<&Edge<NodeIndex>> {
        self.topology.get_edge(EdgeIndex(edge))
    }

    /// Returns whether an edge leads from one node to another that is no join, by their names.
    pub(crate) fn leads(&self, from: &str, to: &str) -> bool {
        let place = |name: &str| self.nodes.iter().position(|node| *node.name == *name);
        let place = |name: &str| place(name).and_then(|place| u16::try_from(place).ok());
        let (Some(from), Some(to)) = (place(from), place(to)) else {
            return false;
        };
        let is_join = |edge: &PlanEdge| edge.fork.is_some() && edge.to.node() == Some(to);
        let is_there = |edge: &PlanEdge| match &edge.fork {
            Some(fork) => fork.entries.contains(&to),
            None => [Some(edge.to), edge.otherwise].contains(&Some(Target::Node(to))),
        };
        let mut edges = self.edges.iter().filter(|edge| edge.from == from);
        edges.any(is_there) && !self.edges.iter().any(is_join)
    }

    /// Returns the node that may ask a person by its kind, or before it hands over, if there is one, also
    /// in a graph within.
    pub(crate) fn human(&self) -> Option<&str> {
        self.human.as_deref()
    }

    fn find_human(&self) -> Option<Arc<str>> {
        let name = |node: u16| Some(Arc::clone(&self.nodes.get(usize::from(node))?.name));
        let mut nodes = self.topology.nodes();
        let own = nodes.find(|(_, node)| node.kind == NodeKind::Human);
        let before = || self.edges.iter().find(|edge| edge.approve);
        let inner = || {
            let mut graphs = self.nodes.iter().filter_map(|node| node.inner.as_ref());
            graphs.find_map(|inner| inner.plan.human.clone())
        };
        own.and_then(|(place, _)| name(place.0))
            .or_else(|| name(before()?.from))
            .or_else(inner)
    }
}

fn fork_of(edge: &Edge<NodeIndex>) -> Option<PlanFork> {
    let fork = edge.route.fork()?;
    Some(PlanFork {
        entries: fork.entries().iter().map(|node| node.0).collect(),
        is_each: matches!(fork.branches, Branches::Each { .. }),
        concurrency: fork
            .concurrency
            .map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
        fields: FieldSet::ALL,
    })
}
