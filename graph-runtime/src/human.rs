//! A node that is a person.

use std::fmt;
use std::marker::PhantomData;

use handoffs_core::{Contract, Node, NodeKind, State, Worker};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::execute::Execute;
use crate::journal::keep;
use crate::node_error::NodeError;

/// A node that pauses the run until a person answers.
///
/// The question `Q` is made `From` the state. The answer `A` is itself a node: it is executed with
/// the state when it arrives, so its signature says what it may write, and its outcome is routed.
///
/// ```
/// # use handoffs_runtime::Human;
/// # struct Question; struct Answer;
/// let human: Human<Question, Answer> = Human::new();
/// ```
pub struct Human<Q, A> {
    types: PhantomData<fn(Q) -> A>,
}

/// The key of the one question that a human node asks; no answer that asks in turn would choose it.
const KEY: &str = "\0human";

impl<Q, A> Human<Q, A> {
    /// Creates the node.
    pub const fn new() -> Self {
        Self { types: PhantomData }
    }
}

/// What a [`Human`] can be asked: anything that is made from the state, and can be written down.
#[diagnostic::on_unimplemented(
    message = "H011: `{Self}` is no question about a `{S}`",
    label = "cannot be asked of this graph's state",
    note = "write `impl From<&{S}>` for it, and `#[derive(Serialize)]` on it"
)]
pub trait Question<S>: Serialize + Send + 'static {
    /// Makes the question.
    fn about(state: &S) -> Self;
}

#[diagnostic::do_not_recommend]
impl<S, Q: for<'s> From<&'s S> + Serialize + Send + 'static> Question<S> for Q {
    fn about(state: &S) -> Self {
        Self::from(state)
    }
}

impl<S, Q, A> Node<S> for Human<Q, A>
where
    S: State,
    Q: Question<S>,
    A: Node<S> + DeserializeOwned,
{
    type Outcome = A::Outcome;
    const CONTRACT: Contract = A::CONTRACT;
    const KIND: NodeKind = NodeKind::Human;
}

impl<S, Q, A> Execute<S> for Human<Q, A>
where
    S: State,
    Q: Question<S>,
    A: Execute<S> + DeserializeOwned,
{
    const REPORTS: bool = A::REPORTS;

    async fn execute(&self, state: &mut S, cx: &mut Context<'_>) -> Result<A::Outcome, NodeError> {
        let question = keep(&Q::about(state)).map_err(NodeError::new)?;
        let answer: A = cx.ask(KEY, &question).await?;
        answer.execute(state, cx).await
    }
}

/// A person who works on an item: the answer takes it.
#[diagnostic::do_not_recommend]
impl<S, Q, A> Worker<S> for Human<Q, A>
where
    S: State,
    Q: Question<S>,
    A: Worker<S> + DeserializeOwned,
{
    type Item = A::Item;
}

impl<Q, A> Default for Human<Q, A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Q, A> Clone for Human<Q, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Q, A> Copy for Human<Q, A> {}

impl<Q, A> fmt::Debug for Human<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Human")
    }
}
