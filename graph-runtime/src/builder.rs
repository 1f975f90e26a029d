//! Graphs that are built at run time: names in the place of types, and the same checks.

mod build;
mod describe;
mod dynamic;
mod edge;
mod erased;
mod error;
mod flow;
mod graph;
mod name;
mod node;
mod outcomes;
mod text;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use handoffs_core::{May, Scope, ScopeShape, State, Worker};
use serde::Serialize;

pub use dynamic::{DynContract, DynNode, DynOutcome, DynVariant};
pub use edge::{On, To};
pub use error::{BuildError, BuildErrors, BuildPlace, RoutePart};
pub use graph::BuiltGraph;
pub use name::NodeName;
pub use node::AnyNode;

use crate::execute::{Execute, Runnable};
use crate::item::Item;
use crate::journal::Json;
use crate::policy::Policy;
use graph::{Ask, Guard, Items, Key};
use node::{Added, ItemType};

/// Builds a graph of what is known only at run time, such as what a product's users drew in an editor.
///
/// Nodes, guards and lists of items are code, and have names; routes are data, and name them. The
/// graph is the same as one that `#[derive(AgentGraph)]` writes and is checked by the same rules: it
/// is built only if it is right, and otherwise [`build`](Self::build) says all that is wrong. There is
/// no unchecked graph.
///
/// The methods can be called in any order. The routes of one node are tried in the order in which they
/// were added.
///
/// ```
/// use handoffs_core::State;
/// use handoffs_runtime::{
///     BuildErrors, BuiltGraph, Execute, GraphBuilder, On, Policy, Retry, To,
/// };
///
/// fn support_desk<Ticket: State>(
///     triage: impl Execute<Ticket>,
///     billing: impl Execute<Ticket>,
///     human: impl Execute<Ticket>,
///     knows_account: fn(&Ticket) -> bool,
/// ) -> Result<BuiltGraph<Ticket>, BuildErrors> {
///     GraphBuilder::new("SupportDesk")
///         .node("triage", triage)
///         .node("billing", billing)
///         .node("human", human)
///         .guard("knows_account", knows_account)
///         .start("triage")
///         .route("triage", On::outcome("Billing").when("knows_account"), To::node("billing"))
///         .route("triage", "_", To::node("human"))
///         .route("billing", "Done", To::end())
///         .route("billing", "WrongDesk", To::node("triage").limit(2).or_else("human"))
///         .policy("billing", Policy::new().retry(Retry::times(3)))
///         .on_error("billing", To::node("human"))
///         .route("human", "_", To::end())
///         .build()
/// }
/// ```
pub struct GraphBuilder<S: State> {
    name: Cow<'static, str>,
    start: Option<NodeName>,
    given: Vec<String>,
    nodes: Vec<Added<S>>,
    routes: Vec<Routed>,
    errors: Vec<ErrorRoute>,
    guards: Vec<(String, Guard<S>)>,
    items: Vec<(String, ItemType, Items<S>)>,
    questions: Vec<(String, Ask<S>)>,
    settings: Vec<(NodeName, Setting<S>)>,
    scopes: Vec<ScopeShape>,
    renamed_from: Vec<String>,
}

/// A route as it was added.
struct Routed {
    from: NodeName,
    on: On,
    to: To,
}

/// Where an error leads, as it was added.
struct ErrorRoute {
    from: NodeName,
    to: To,
}

/// What was said of a node beside its routes.
enum Setting<S> {
    Doc(String),
    Policy(Policy),
    May(May),
    Cache(Duration, Key<S>),
    RenamedFrom(String),
}

impl<S: State> GraphBuilder<S> {
    /// Begins a graph without nodes. Journals know the graph by its name, among others.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            start: None,
            given: Vec::new(),
            nodes: Vec::new(),
            routes: Vec::new(),
            errors: Vec::new(),
            guards: Vec::new(),
            items: Vec::new(),
            questions: Vec::new(),
            settings: Vec::new(),
            scopes: Vec::new(),
            renamed_from: Vec::new(),
        }
    }

    /// Adds a node, which may be a derived graph over the same state. Its outcomes have the names of
    /// the variants of its outcome type; a node that returns `()` has the outcome `()`.
    pub fn node<N: Execute<S>>(self, name: impl Into<NodeName>, node: N) -> Self {
        self.add(Added::typed(name.into(), node))
    }

    /// Adds a node that works on an item, which only the `each` that leads to it hands over.
    pub fn worker<N: Execute<S> + Worker<S>>(self, name: impl Into<NodeName>, node: N) -> Self {
        self.add(Added::worker(name.into(), node))
    }

    /// Adds a node whose outcomes are names.
    pub fn dyn_node<N: DynNode<S>>(self, name: impl Into<NodeName>, node: N) -> Self {
        self.add(Added::named(name.into(), node))
    }

    /// Adds a node that a registry of node types made.
    pub fn any_node(self, name: impl Into<NodeName>, node: AnyNode<S>) -> Self {
        self.add((node.0)(name.into()))
    }

    /// Adds a built graph over the same state as a node. It has the outcome `()`.
    pub fn subgraph(self, name: impl Into<NodeName>, graph: BuiltGraph<S>) -> Self {
        self.add(Added::inside(name.into(), graph))
    }

    /// Adds a graph over another state as a node: `enter` makes its state, and when it has ended, the
    /// node `leave` takes that state as its item and writes what it wants to the state around it.
    ///
    /// The node's outcomes are those with which the graph ends.
    ///
    /// ```
    /// use handoffs_core::{State, Worker};
    /// use handoffs_runtime::{BuiltGraph, Execute, GraphBuilder};
    /// use serde::Serialize;
    ///
    /// fn with_research<Outer: State, Inner: State + Serialize>(
    ///     desk: GraphBuilder<Outer>,
    ///     research: BuiltGraph<Inner>,
    ///     question: fn(&Outer) -> Inner,
    ///     take_answer: impl Execute<Outer, Outcome = ()> + Worker<Outer, Item = Inner>,
    /// ) -> GraphBuilder<Outer> {
    ///     desk.subgraph_with("research", research, question, take_answer)
    /// }
    /// ```
    pub fn subgraph_with<G, L>(
        self,
        name: impl Into<NodeName>,
        graph: G,
        enter: impl Fn(&S) -> G::State + Send + Sync + 'static,
        leave: L,
    ) -> Self
    where
        G: Runnable<State: Serialize>,
        L: Execute<S, Outcome = ()> + Worker<S, Item = G::State>,
    {
        const { G::__CONTEXT }
        self.add(Added::nested(name.into(), graph, enter, leave))
    }

    fn add(mut self, node: Added<S>) -> Self {
        self.nodes.push(node);
        self
    }

    /// Adds a guard, which routes name with [`On::when`].
    pub fn guard(
        mut self,
        name: impl Into<String>,
        holds: impl Fn(&S) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.guards.push((name.into(), Box::new(holds)));
        self
    }

    /// Adds a list of items, which forks name with [`To::each`].
    pub fn items<T: Serialize + Send + Sync + 'static>(
        mut self,
        name: impl Into<String>,
        items: impl Fn(&S) -> Vec<T> + Send + Sync + 'static,
    ) -> Self {
        let list = move |state: &S| Item::list(items(state));
        self.items
            .push((name.into(), ItemType::of::<T>(), Box::new(list)));
        self
    }

    /// Adds a question that is put to a person before a handoff, which routes name with
    /// [`To::approve`]; the answer is an [`Approval`](crate::Approval).
    ///
    /// ```
    /// use handoffs_core::State;
    /// use handoffs_runtime::{GraphBuilder, To};
    ///
    /// fn careful<Ticket: State>(desk: GraphBuilder<Ticket>, refund: fn(&Ticket) -> u32) -> GraphBuilder<Ticket> {
    ///     desk.question("refund", refund)
    ///         .route("judge", "Due", To::node("pay").approve("refund").or_else("escalate"))
    /// }
    /// ```
    pub fn question<Q: Serialize>(
        mut self,
        name: impl Into<String>,
        question: impl Fn(&S) -> Q + Send + Sync + 'static,
    ) -> Self {
        let question = move |state: &S| Json::of(&question(state));
        self.questions.push((name.into(), Box::new(question)));
        self
    }

    /// Says at which node a run starts.
    pub fn start(mut self, node: impl Into<NodeName>) -> Self {
        self.start = Some(node.into());
        self
    }

    /// Says which fields of the state the caller brings; checked when a run starts.
    pub fn given(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.given.extend(fields.into_iter().map(Into::into));
        self
    }

    /// Adds an edge. A text in the place of an [`On`] is the name of an outcome, and `_` is any.
    pub fn route(
        mut self,
        from: impl Into<NodeName>,
        on: impl Into<On>,
        to: impl Into<To>,
    ) -> Self {
        let (from, on, to) = (from.into(), on.into(), to.into());
        self.routes.push(Routed { from, on, to });
        self
    }

    /// Says where a run goes when a node has failed for good: to a node, [`To::back`], or to the end.
    pub fn on_error(mut self, node: impl Into<NodeName>, to: impl Into<To>) -> Self {
        let (from, to) = (node.into(), to.into());
        self.errors.push(ErrorRoute { from, to });
        self
    }

    /// Says how a node is treated when it fails or hangs.
    pub fn policy(self, node: impl Into<NodeName>, policy: Policy) -> Self {
        self.set(node.into(), Setting::Policy(policy))
    }

    /// Keeps the results of a node for as long as `ttl`, to be used again where `key` is the same.
    pub fn cache<K: Serialize>(
        self,
        node: impl Into<NodeName>,
        ttl: Duration,
        key: impl Fn(&S) -> K + Send + Sync + 'static,
    ) -> Self {
        let key = move |state: &S| Json::of(&key(state));
        self.set(node.into(), Setting::Cache(ttl, Box::new(key)))
    }

    /// Adds a scope: something that nodes may be allowed to do. In a graph that has one, a node does only
    /// what it [may](Self::may) and what it [was granted](To::grant).
    ///
    /// ```
    /// use handoffs_core::{Grant, May, State};
    /// use handoffs_runtime::{GraphBuilder, To};
    ///
    /// fn careful<Ticket: State>(desk: GraphBuilder<Ticket>) -> GraphBuilder<Ticket> {
    ///     desk.scope("Refund", "Pays money back.")
    ///         .may("triage", May::new().grants(["Refund"]))
    ///         .may("billing", May::new().uses(["Refund"]))
    ///         .route("triage", "Billing", To::node("billing").grant(Grant::of(["Refund"])))
    /// }
    /// ```
    pub fn scope(
        mut self,
        name: impl Into<Cow<'static, str>>,
        doc: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.scopes.push(ScopeShape::new(name).doc(doc));
        self
    }

    /// Adds all scopes of an enum.
    pub fn scopes<T: Scope>(self) -> Self {
        let scopes = T::SCOPES.iter();
        scopes.fold(self, |builder, (name, doc)| builder.scope(*name, *doc))
    }

    /// Says what a node may do, and let others do.
    pub fn may(self, node: impl Into<NodeName>, may: May) -> Self {
        self.set(node.into(), Setting::May(may))
    }

    /// Says what a node does, for drawings.
    pub fn doc(self, node: impl Into<NodeName>, line: impl Into<String>) -> Self {
        self.set(node.into(), Setting::Doc(line.into()))
    }

    /// Adds a name that a node had in an older version of the graph, so that threads of that version go on.
    ///
    /// It changes nothing else, and can be taken away when no thread that has entries of the old name is
    /// to be run any more.
    pub fn renamed_from(self, node: impl Into<NodeName>, old: impl Into<String>) -> Self {
        self.set(node.into(), Setting::RenamedFrom(old.into()))
    }

    /// Adds a name that the graph had in an older version, as [`renamed_from`](Self::renamed_from) does
    /// for a node.
    pub fn graph_renamed_from(mut self, old: impl Into<String>) -> Self {
        self.renamed_from.push(old.into());
        self
    }

    fn set(mut self, node: NodeName, setting: Setting<S>) -> Self {
        self.settings.push((node, setting));
        self
    }

    /// Checks the graph by all rules, and builds it.
    ///
    /// # Errors
    ///
    /// Returns everything that is wrong with it, in the order of the codes.
    pub fn build(self) -> Result<BuiltGraph<S>, BuildErrors> {
        build::build(self)
    }
}

impl<S: State> fmt::Debug for GraphBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphBuilder")
            .field("name", &self.name)
            .field(
                "nodes",
                &self.nodes.iter().map(|node| &node.name).collect::<Vec<_>>(),
            )
            .field("routes", &self.routes.len())
            .finish_non_exhaustive()
    }
}
