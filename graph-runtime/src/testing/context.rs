//! A context for the unit test of a node.

use handoffs_core::{NodeShape, Topology};
use serde::Serialize;

use crate::context::{Context, Desk};
use crate::course::Course;
use crate::engine::{Engine, Fact};
use crate::item::Item;
use crate::journal::{BranchId, Effect, Json, JsonError, ThreadId};
use crate::once::Effects;
use crate::plan::Plan;
use crate::scope::Scope;

/// What a node that takes a [`Context`] is given in its unit test.
///
/// ```
/// use handoffs_runtime::{Context, NodeError, TestContext};
///
/// async fn approve(amount: &u32, cx: &mut Context<'_>) -> Result<bool, NodeError> {
///     cx.ask("approve", amount).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let test = TestContext::new("approve").answer("approve", true)?;
/// assert!(approve(&12, &mut test.cx()).await?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TestContext {
    scope: Scope,
    plan: Plan,
    desk: Desk,
    answers: Vec<(String, Json)>,
    effects: Effects,
    item: Option<Item>,
}

impl TestContext {
    /// Names the node that is tested. The thread is called `test`.
    pub fn new(node: impl Into<String>) -> Self {
        let mut topology = Topology::new("Test");
        let node = topology.node(NodeShape::new(node.into()));
        topology.start(node);
        Self {
            scope: Scope::of(ThreadId::new("test")),
            plan: Plan::new(topology, &[], Vec::new()),
            desk: Desk::default(),
            answers: Vec::new(),
            effects: Effects::default(),
            item: None,
        }
    }

    /// Names the thread.
    pub fn thread(self, id: impl Into<ThreadId>) -> Self {
        Self {
            scope: Scope::of(id.into()),
            ..self
        }
    }

    /// Answers the question of this key. A question without an answer is an error of `cx.ask`.
    ///
    /// # Errors
    ///
    /// Fails if the answer cannot be serialised.
    pub fn answer(
        mut self,
        key: impl Into<String>,
        answer: impl Serialize,
    ) -> Result<Self, JsonError> {
        self.answers.push((key.into(), Json::of(&answer)?));
        Ok(self)
    }

    /// Has this effect done before, with this result: [`cx.once`](Context::once) does not do it again.
    ///
    /// # Errors
    ///
    /// Fails if the result cannot be serialised.
    pub fn done(
        mut self,
        effect: impl AsRef<str>,
        result: impl Serialize,
    ) -> Result<Self, JsonError> {
        let done = Effect::Done(Json::of(&result)?);
        self.effects.take(effect.as_ref(), &done, None);
        Ok(self)
    }

    /// Has this effect begun before, and nobody know whether it was done.
    pub fn begun(mut self, effect: impl AsRef<str>) -> Self {
        self.effects.take(effect.as_ref(), &Effect::Begun, None);
        self
    }

    /// Hands out the item of an `each`, for a node that is executed and not called.
    pub fn item<T: Serialize + Send + Sync + 'static>(self, item: T) -> Self {
        Self {
            item: Some(Item::new(item)),
            ..self
        }
    }

    /// Returns the context.
    pub fn cx(&self) -> Context<'_> {
        let mut engine = Engine::new(&self.plan);
        let started = engine.on(&self.plan, Fact::Started);
        debug_assert_eq!(started, Ok(()), "a new engine can be started");
        let course = Course::new(&self.plan, engine, None);
        let mut cx = Context::new(&self.scope, &self.desk, BranchId::TRUNK, course);
        cx.answers.clone_from(&self.answers);
        cx.effects.clone_from(&self.effects);
        cx.item.clone_from(&self.item);
        cx
    }
}
