//! Steps whose result was there before.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::cache::{CacheKey, Cached};
use crate::driver::Driver;
use crate::execute::Runnable;
use crate::journal::{Fields, Json};
use crate::marks::{names, take_fields};
use crate::step::{Made, Step};

impl<G: Runnable> Driver<'_, G> {
    /// Returns whether the results of a node are cached.
    pub(crate) fn caches(&self, node: u16) -> bool {
        let planned = self.plan().node(node);
        planned.is_some_and(|node| node.policy.cache_ttl().is_some())
            && self.scope.limits.cache.is_some()
    }

    /// Looks for a result of the node, and executes it if there is none.
    pub(crate) async fn cached(&mut self, node: u16) -> Made {
        let key = self.cache_key(node);
        // A person who was asked is heard, whatever has been kept since, and what the node has begun
        // to do is not forgotten.
        let is_new = self.cx.answers.is_empty() && self.cx.effects.is_empty();
        if let Some(key) = key.as_ref().filter(|_| is_new)
            && let Some(step) = self.look_up(node, key).await
        {
            return Ok(ControlFlow::Continue(step));
        }
        let made = self.executed(node).await;
        if let (Some(key), Ok(ControlFlow::Continue(step))) = (&key, &made) {
            self.remember(node, key, step).await;
        }
        made
    }

    /// Returns what the result of a node is found by. A key that cannot be written down finds nothing.
    fn cache_key(&self, node: u16) -> Option<CacheKey> {
        let key = self.graph.cache_key(usize::from(node), &self.state)?;
        let takes_item = self.plan().node(node).is_some_and(|node| node.takes_item);
        let key = match self.cx.item.as_ref().filter(|_| takes_item) {
            // The state, of which the key is made, is the same in all branches of an `each`.
            Some(item) => key.and_then(|key| Json::of(&(key, item.json()?))),
            None => key,
        };
        match key {
            Ok(key) => {
                let plan = self.plan();
                Some(CacheKey::new(plan.id.name(), plan.name(node), &key))
            }
            Err(error) => {
                let node = self.plan().name(node);
                tracing::warn!(node, %error, "the key of a cached node cannot be written down");
                None
            }
        }
    }

    /// Looks for a result of a node, and writes it to the state.
    async fn look_up(&mut self, node: u16, key: &CacheKey) -> Option<Step> {
        let cache = self.scope.limits.cache.as_deref()?;
        let Cached {
            conclusion,
            writes,
            replaced,
            ..
        } = Cached::find(cache, key).await?;
        // A result that does not fit the state or the outcome any more is none.
        let mut fields = Fields::new(&self.plan().fields);
        let mut marks = fields.take(&writes).ok()?;
        marks.replaced = fields.named(&replaced);
        let mut state = self.state.clone();
        fields.load(&mut state, marks, &self.scope.thread).ok()?;
        // A guard that panics does so again when the node is executed, whose failure it is.
        let pick = || self.graph.pick(usize::from(node), &conclusion, &state);
        let edge = catch_unwind(AssertUnwindSafe(pick)).ok()?.ok()?;
        take_fields(&mut self.state, &mut state, marks.changed);
        self.cx.step = marks;
        Some(Step {
            edge,
            outcome: Some(conclusion),
            cached: true,
        })
    }

    /// Keeps the result of a node. A result that cannot be kept is not.
    async fn remember(&self, node: u16, key: &CacheKey, step: &Step) {
        let Some(outcome) = &step.outcome else {
            return;
        };
        let ttl = self
            .plan()
            .node(node)
            .and_then(|node| node.policy.cache_ttl());
        let (Some(cache), Some(ttl)) = (self.scope.limits.cache.as_deref(), ttl) else {
            return;
        };
        let marks = self.cx.step;
        match self.writes(marks.changed, marks.appended()) {
            Ok(writes) => {
                let replaced = names::<G::State>(marks.replaced);
                Cached::new(outcome.clone(), writes, replaced)
                    .keep(cache, key, ttl)
                    .await;
            }
            Err(error) => {
                let node = self.plan().name(node);
                tracing::warn!(node, %error, "a result cannot be cached");
            }
        }
    }
}
