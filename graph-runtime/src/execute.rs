//! How nodes and graphs are executed: the traits behind the macros.

use std::fmt::{Debug, Display};
use std::hash::Hash;

use handoffs_core::__private::Conclusion as Concluded;
use handoffs_core::{
    Access, AccessMut, Contract, FieldSet, Node, NodeKind, Outcome, State, Topology, Variant,
};

use crate::any_graph::Within;
use crate::context::Context;
use crate::item::Item;
use crate::journal::{Conclusion, Json, JsonError};
use crate::node_error::{Kind, NodeError};
use crate::policy::Policy;

/// A [`Node`] that can be executed.
///
/// `#[node]` writes it. Write it by hand for a node whose contract is no signature, such as one that
/// wraps other nodes:
///
/// ```
/// use handoffs_core::{Contract, Node, NodeKind, State};
/// use handoffs_runtime::{Context, Execute, NodeError};
///
/// /// A node that says when it is at work.
/// struct Announced<N>(N);
///
/// impl<S: State, N: Node<S>> Node<S> for Announced<N> {
///     type Outcome = N::Outcome;
///     const CONTRACT: Contract = N::CONTRACT;
///     const KIND: NodeKind = N::KIND;
/// }
///
/// impl<S: State, N: Execute<S>> Execute<S> for Announced<N> {
///     const REPORTS: bool = N::REPORTS;
///
///     async fn execute(&self, state: &mut S, cx: &mut Context<'_>) -> Result<N::Outcome, NodeError> {
///         println!("{} is at work on {}", cx.node(), cx.thread());
///         self.0.execute(state, cx).await
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be executed on the state `{S}`",
    note = "write `#[node({S})]` on its `async fn` or `impl` block"
)]
pub trait Execute<S: State>: Node<S> {
    /// Whether the node itself tells the context which fields it changed, and keeps its promises, as
    /// what `#[node]` writes does.
    ///
    /// Leave it as it is, unless the node only passes on to others, whose `REPORTS` it then takes over.
    /// Of a node that does not report, all that its contract lets it write counts as changed, a journal
    /// keeps each of these fields whole, and what the contract gives is checked behind it.
    ///
    /// A node that reports must name in its contract all that it reads. In a branch of a fork the state
    /// is a copy of what the contracts of the nodes there name; any other field may be the default of
    /// its type. A node that does not report gets all fields.
    const REPORTS: bool = false;

    /// Whether a model decides in the node, so that traces tell of an agent.
    #[doc(hidden)]
    const IS_AGENT: bool = false;

    /// Returns the graph that the node is, if it is one.
    #[doc(hidden)]
    fn within(&self) -> Option<Within<'_>> {
        None
    }

    /// Runs the node: reads from the state, and writes to it once it has concluded.
    ///
    /// # Errors
    ///
    /// Whatever keeps the node from concluding. It must leave the state as it was, also when the
    /// future is dropped.
    fn execute(
        &self,
        state: &mut S,
        cx: &mut Context<'_>,
    ) -> impl Future<Output = Result<Self::Outcome, NodeError>> + Send;
}

/// A graph that can be executed: one that `#[derive(AgentGraph)]` wrote, or that a builder built.
///
/// The methods are plumbing between the graph and the runtime. Nodes and edges are known by their
/// places in the order of declaration.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an agent graph",
    note = "write `#[derive(AgentGraph)]` on the struct"
)]
pub trait Runnable: Send + Sync + 'static {
    /// The state that travels along the edges.
    type State: State;
    /// The name of a node.
    type Node: Clone + Eq + Hash + Debug + Display + Send + Sync + 'static;
    /// What a run can end with, on which a graph around this one routes.
    type Outcome: Outcome;

    /// Is evaluated before the graph runs; that of a generic graph panics, while it compiles, if a
    /// rule that needs types is broken.
    #[doc(hidden)]
    const __CONTEXT: () = ();

    /// Returns the shape of the graph.
    fn topology(&self) -> Topology;

    /// Returns the fields that the caller brings; checked when a run starts.
    fn given(&self) -> FieldSet;

    /// Returns the graph that a node is, if it is one.
    #[doc(hidden)]
    fn within(&self, node: usize) -> Option<Within<'_>>;

    /// Returns what is known of each node.
    fn nodes(&self) -> Vec<Known>;

    /// Returns how each node is treated when it fails, hangs or has been executed before.
    fn policies(&self) -> Vec<Policy>;

    /// Returns the name of a node.
    fn node(&self, index: usize) -> Self::Node;

    /// Executes a node, and those that follow it as long as nobody has to see their steps, and
    /// returns the edge that the last one's outcome chose.
    ///
    /// # Errors
    ///
    /// Fails as the node does.
    fn step(
        &self,
        node: usize,
        state: &mut Self::State,
        cx: &mut Context<'_>,
    ) -> impl Future<Output = Result<usize, NodeError>> + Send;

    /// Returns the edge that a conclusion of a node chooses, without executing the node.
    ///
    /// # Errors
    ///
    /// Fails if the conclusion is none of the node's outcomes.
    fn pick(
        &self,
        node: usize,
        concluded: &Conclusion,
        state: &Self::State,
    ) -> Result<usize, NodeError>;

    /// Returns the items of an edge that leads to `each`, one for each branch.
    fn items(&self, edge: usize, state: &Self::State) -> Vec<Item>;

    /// Returns the key under which a result of this node is cached, if the node has a cache.
    fn cache_key(&self, node: usize, state: &Self::State) -> Option<Result<Json, JsonError>>;

    /// Returns what a person is asked before the handoff of an edge, if one has to approve it.
    fn question(&self, edge: usize, state: &Self::State) -> Option<Result<Json, JsonError>>;

    /// Returns what the run ends with when it takes this edge to the end, or the edge's `else`.
    fn end(&self, edge: usize, otherwise: bool) -> Self::Outcome;
}

/// What the runtime knows of a node.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Known {
    /// What the node reads, may write, needs and gives.
    pub contract: Contract,
    /// The fields that some outcome of the node gives.
    pub promises: FieldSet,
    /// Whether the node touches no field but those of its contract.
    pub keeps_to_contract: bool,
    /// Whether a model decides in the node.
    #[doc(hidden)]
    pub is_agent: bool,
}

impl Known {
    /// Reads off a node's type what is known of it.
    pub fn of<N: Execute<S>, S: State>() -> Self {
        let variants = N::Outcome::VARIANTS.iter();
        let promises = variants.fold(FieldSet::EMPTY, |set, variant| {
            set.or(FieldSet::named(S::FIELDS, variant.gives))
        });
        Self {
            contract: N::CONTRACT,
            promises,
            keeps_to_contract: N::REPORTS && N::KIND != NodeKind::Human,
            is_agent: N::IS_AGENT,
        }
    }
}

/// Separates the outcome from the error of what a node's function returned.
#[doc(hidden)]
#[inline]
pub fn conclude<C: Concluded>(returned: C) -> Result<C::Outcome, NodeError> {
    returned.conclude().map_err(|error| {
        // A `NodeError` that a node passes on, from `cx.ask` for instance, stays what it is.
        match error.downcast::<NodeError>() {
            Ok(own) => *own,
            Err(error) => NodeError::of(Kind::Returned(error)),
        }
    })
}

/// Reads a field for a parameter `&T`.
#[doc(hidden)]
#[inline]
pub fn read<'a, T: ?Sized, F: Access<T>>(
    field: &'a F,
    name: &'static str,
) -> Result<&'a T, NodeError> {
    field.read().ok_or_else(|| unset(name))
}

/// Reads a field for a parameter `&mut T`.
#[doc(hidden)]
#[inline]
pub fn write<'a, T: ?Sized, F: AccessMut<T>>(
    field: &'a mut F,
    name: &'static str,
) -> Result<&'a mut T, NodeError> {
    field.write().ok_or_else(|| unset(name))
}

#[cold]
fn unset(field: &'static str) -> NodeError {
    NodeError::of(Kind::Unset(field))
}

/// Checks that the fields which a node and its outcome promise are set.
#[doc(hidden)]
#[inline]
pub fn keep_promises<O: Outcome>(
    outcome: &O,
    gives: &[&'static str],
    is_set: impl Fn(&str) -> bool,
) -> Result<(), NodeError> {
    if const { !promises(O::VARIANTS) } && gives.is_empty() {
        return Ok(());
    }
    let by_outcome = O::VARIANTS
        .get(outcome.variant())
        .map_or(&[][..], |variant| variant.gives);
    match gives.iter().chain(by_outcome).find(|name| !is_set(name)) {
        None => Ok(()),
        Some(name) => Err(NodeError::of(Kind::Broken(name))),
    }
}

/// Returns whether any variant promises a field.
const fn promises(variants: &[Variant]) -> bool {
    let mut index = 0;
    while index < variants.len() {
        if !variants[index].gives.is_empty() {
            return true;
        }
        index += 1;
    }
    false
}

/// Does what is left once a node has run: what it does not do itself, and a note of what it concluded.
#[doc(hidden)]
#[inline]
pub fn settle<N: Execute<S>, S: State>(
    outcome: &N::Outcome,
    state: &S,
    cx: &mut Context<'_>,
) -> Result<(), NodeError> {
    if const { !N::REPORTS } {
        report::<N, S>(outcome, state, cx)?;
    }
    cx.__concluded(outcome);
    Ok(())
}

/// Checks what a node promised that does not do so itself, and counts what it may have written as changed.
fn report<N: Execute<S>, S: State>(
    outcome: &N::Outcome,
    state: &S,
    cx: &mut Context<'_>,
) -> Result<(), NodeError> {
    let contract = N::CONTRACT;
    let fields = contract
        .gives
        .iter()
        .filter_map(|field| S::FIELDS.get(field));
    let gives: Vec<_> = fields.map(|field| field.name).collect();
    keep_promises(outcome, &gives, |name| is_set(state, name))?;
    let existing = FieldSet::first_of(S::FIELDS.len());
    cx.__set(contract.writes.and(existing));
    cx.__replaced(contract.replaces.and(existing));
    Ok(())
}

/// Returns whether a field is set, by its name.
#[doc(hidden)]
pub fn is_set<S: State>(state: &S, name: &str) -> bool {
    let field = S::FIELDS.iter().position(|field| field.name == name);
    field.is_some_and(|field| state.is_set(field))
}
