//! How nodes and graphs are executed: the traits behind the macros.

use handoffs_core::__private::Conclusion;
use handoffs_core::{
    Access, AccessMut, AgentGraph, FieldSet, Node, Outcome, Route, State, Variant,
};

use crate::context::{Context, Kind, NodeError};

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
    /// Of any other node, all that its contract lets it write counts as changed, a journal keeps each
    /// of these fields whole, and what the contract gives is checked behind it.
    const REPORTS: bool = false;

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

/// A graph that can be executed; `#[derive(AgentGraph)]` writes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an agent graph",
    note = "write `#[derive(AgentGraph)]` on the struct"
)]
pub trait Runnable: AgentGraph {
    /// Executes a node, and those that follow it as long as nobody has to see their steps, and
    /// returns the place in [`AgentGraph::EDGES`] of the edge that the last one's outcome chose.
    ///
    /// # Errors
    ///
    /// Fails as the node does.
    fn step(
        &self,
        node: Self::Node,
        state: &mut Self::State,
        cx: &mut Context<'_>,
    ) -> impl Future<Output = Result<usize, NodeError>> + Send;
}

/// Separates the outcome from the error of what a node's function returned.
#[doc(hidden)]
#[inline]
pub fn conclude<C: Conclusion>(returned: C) -> Result<C::Outcome, NodeError> {
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

/// Does for a node what it does not do itself: checks what it promised, and counts what it may have
/// written as changed.
#[doc(hidden)]
#[inline]
pub fn settle<N: Execute<S>, S: State>(
    outcome: &N::Outcome,
    state: &S,
    cx: &mut Context<'_>,
) -> Result<(), NodeError> {
    if const { N::REPORTS } {
        return Ok(());
    }
    let contract = N::CONTRACT;
    let fields = contract
        .gives
        .iter()
        .filter_map(|field| S::FIELDS.get(field));
    let gives: Vec<_> = fields.map(|field| field.name).collect();
    keep_promises(outcome, &gives, |name| is_set(state, name))?;
    let existing = FieldSet::first_of(S::FIELDS.len());
    cx.__set(contract.writes.and(existing));
    Ok(())
}

/// Returns whether a field is set, by its name.
#[doc(hidden)]
pub fn is_set<S: State>(state: &S, name: &str) -> bool {
    let field = S::FIELDS.iter().position(|field| field.name == name);
    field.is_some_and(|field| state.is_set(field))
}

/// Returns the route of an edge, by its place.
#[doc(hidden)]
pub fn route_of<G: AgentGraph>(edge: usize) -> Route<G::Node> {
    G::EDGES[edge].route
}
