//! Nodes of any type behind one trait: to run one is one call, and one box.

use async_trait::async_trait;
use handoffs_core::{Contract, FieldSet, Outcome, State, Worker};
use serde::Serialize;

use super::dynamic::DynNode;
use super::graph::BuiltGraph;
use crate::any_graph::Within;
use crate::context::Context;
use crate::execute::{Execute, Runnable, is_set, keep_promises, settle};
use crate::item::Item;
use crate::journal::Conclusion;
use crate::node_error::{Kind, NodeError};
use crate::subgraph::subgraph;

/// A node of whatever type, in a graph over the state `S`.
#[async_trait]
pub(super) trait Erased<S>: Send + Sync {
    /// Returns the graph that the node is, if it is one.
    fn within(&self) -> Option<Within<'_>> {
        None
    }

    /// Runs the node, and returns the number of the outcome that it concluded.
    async fn run(&self, state: &mut S, cx: &mut Context<'_>) -> Result<usize, NodeError>;
}

/// A node whose outcome is a type.
pub(super) struct Typed<N>(pub(super) N);

#[async_trait]
impl<S: State, N: Execute<S>> Erased<S> for Typed<N> {
    fn within(&self) -> Option<Within<'_>> {
        self.0.within()
    }

    async fn run(&self, state: &mut S, cx: &mut Context<'_>) -> Result<usize, NodeError> {
        let outcome = self.0.execute(state, cx).await?;
        settle::<N, S>(&outcome, state, cx)?;
        Ok(outcome.variant())
    }
}

/// A node whose outcomes are names.
pub(super) struct Named<N> {
    pub(super) node: N,
    pub(super) contract: Contract,
    /// The names of its outcomes, and the fields that are set with each.
    pub(super) outcomes: Vec<(String, FieldSet)>,
}

#[async_trait]
impl<S: State, N: DynNode<S>> Erased<S> for Named<N> {
    async fn run(&self, state: &mut S, cx: &mut Context<'_>) -> Result<usize, NodeError> {
        let Contract {
            reads,
            writes,
            needs,
            gives,
            ..
        } = self.contract;
        if let Some(unset) = first_unset(state, needs) {
            return Err(NodeError::of(Kind::Unset(unset)));
        }
        let mut draft = state.branch(reads.or(writes));
        let outcome = self.node.run(&mut draft, cx).await?;
        let named = self
            .outcomes
            .iter()
            .position(|(name, _)| *name == outcome.name);
        let Some(variant) = named else {
            let error = format!(
                "it concluded `{}`, which is none of its outcomes",
                outcome.name
            );
            return Err(NodeError::new(error));
        };
        if let Some(broken) = first_unset(&draft, gives.or(self.outcomes[variant].1)) {
            return Err(NodeError::of(Kind::Broken(broken)));
        }
        for field in writes.iter() {
            let change = state.change(field, &draft);
            if change.is_one() {
                cx.__changed(FieldSet::EMPTY.with(field), change);
                state.take(field, &mut draft);
            }
        }
        cx.concluded = Some(Ok(Conclusion {
            variant: outcome.name,
            payload: outcome.payload,
        }));
        Ok(variant)
    }
}

fn first_unset<S: State>(state: &S, fields: FieldSet) -> Option<&'static str> {
    let unset = fields.iter().find(|field| !state.is_set(*field))?;
    S::FIELDS.get(unset).map(|field| field.name)
}

/// A built graph over the same state.
pub(super) struct Inside<S: State>(pub(super) BuiltGraph<S>);

#[async_trait]
impl<S: State> Erased<S> for Inside<S> {
    fn within(&self) -> Option<Within<'_>> {
        Some(Within::of(&self.0, true))
    }

    async fn run(&self, state: &mut S, cx: &mut Context<'_>) -> Result<usize, NodeError> {
        subgraph(&self.0, state, cx).await?;
        cx.__concluded(&());
        Ok(0)
    }
}

/// A graph over another state, with the way in and the node that takes over when it is left.
pub(super) struct Nested<G, E, L> {
    pub(super) graph: G,
    pub(super) enter: E,
    pub(super) leave: L,
}

#[async_trait]
impl<S, G, E, L> Erased<S> for Nested<G, E, L>
where
    S: State,
    G: Runnable<State: Serialize>,
    E: Fn(&S) -> G::State + Send + Sync,
    L: Execute<S, Outcome = ()> + Worker<S, Item = G::State>,
{
    fn within(&self) -> Option<Within<'_>> {
        Some(Within::of(&self.graph, false))
    }

    async fn run(&self, state: &mut S, cx: &mut Context<'_>) -> Result<usize, NodeError> {
        let mut inner = (self.enter)(state);
        let outcome = subgraph(&self.graph, &mut inner, cx).await?;
        let own = cx.__swap_item(Some(Item::new(inner)));
        let left = self.leave.execute(state, cx).await;
        cx.__swap_item(own);
        left?;
        settle::<L, S>(&(), state, cx)?;
        keep_promises(&outcome, &[], |name| is_set(state, name))?;
        cx.__concluded(&outcome);
        Ok(outcome.variant())
    }
}
