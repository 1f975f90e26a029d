//! Side effects that are done once, however often their step is repeated.

use std::collections::BTreeMap;
use std::error::Error;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
#[cfg(feature = "agents")]
use tokio::time::Instant;

use crate::authority::Needs;
use crate::budget::Held;
use crate::context::{Context, Pending, Signal};
use crate::error::{RunError, chain};
#[cfg(feature = "agents")]
use crate::journal::Usage;
use crate::journal::{Called, Charge, Effect, Json, Recorded, keep};
use crate::node_error::{Kind, NodeError};

/// The effects that the node which is due has begun so far, by their keys.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Effects(BTreeMap<String, Kept>);

/// How far an effect came.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    effect: Effect,
    /// What was reserved for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    charge: Option<Charge>,
    /// The entry that says so, if this run has handed it in.
    #[serde(skip)]
    seq: u64,
    /// Whether that it is to begin was handed in, and it has not begun yet.
    #[serde(skip)]
    is_next: bool,
}

/// What is to be done about an effect.
enum Due {
    /// It has never been begun, or has not begun since that was handed in.
    First,
    /// It failed the last time.
    Again,
    /// Nobody knows whether it was done.
    Unknown,
    /// It was done, with this result.
    Nothing(Json),
}

impl Effects {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        // Of a map that is empty, too, the clearing takes its time.
        if !self.is_empty() {
            self.0.clear();
        }
    }

    /// Takes in how far an effect came.
    pub(crate) fn take(&mut self, key: &str, effect: &Effect, charge: Option<&Charge>) {
        self.put(key, effect.clone(), charge.cloned(), 0);
    }

    fn put(&mut self, key: &str, effect: Effect, charge: Option<Charge>, seq: u64) {
        let is_next = seq > 0 && matches!(effect, Effect::Begun);
        let kept = Kept {
            effect,
            charge,
            seq,
            is_next,
        };
        self.0.insert(key.to_owned(), kept);
    }
}

/// A call of a model or a tool.
pub(crate) struct Call<'c> {
    called: Called,
    /// The budgets of whoever calls and of what is called.
    own: &'c Held,
    /// What it needs of what the node holds.
    #[cfg_attr(
        not(feature = "agents"),
        expect(dead_code, reason = "only agents call tools")
    )]
    needs: Option<&'c Needs>,
}

#[cfg(feature = "agents")]
impl<'c> Call<'c> {
    pub(crate) fn model(own: &'c Held) -> Self {
        let called = Called::default();
        let needs = None;
        Self { called, own, needs }
    }

    pub(crate) fn tool(tool: String, own: &'c Held, needs: Option<&'c Needs>) -> Self {
        let tool = Some(tool.into());
        let called = Called {
            tool,
            ..Called::default()
        };
        Self { called, own, needs }
    }
}

impl Context<'_> {
    /// Does something outside of the run once, such as a payment, however often the step is repeated:
    /// after a crash, a failed attempt or a pause, the kept result is returned.
    ///
    /// That it begins is on disk before it does, at every [`Durability`](crate::Durability), and its
    /// result before this returns. Whatever ends the step in between, a crash, a time-out or a panic,
    /// leaves nobody who knows whether it was done: then it is not done again, and the repeat
    /// [says so](NodeError::is_unknown). Where somebody can be asked, use
    /// [`once_checked`](Self::once_checked).
    ///
    /// An error of `effect` means that it was not done: a repeat does it again. If that is not sure, as
    /// when a request got no answer, use [`once_checked`](Self::once_checked) too, or an
    /// [`idempotency_key`](Self::idempotency_key) that the other side knows.
    ///
    /// The key names the effect within its step. A result is kept, and returned, as it is read back from JSON.
    /// Without a journal it is remembered for the retries of the step.
    ///
    /// ```
    /// use handoffs_runtime::{Context, NodeError};
    ///
    /// # struct Bank;
    /// # impl Bank {
    /// #     async fn charge(&self, _: &str, _: u32) -> Result<u64, std::io::Error> { Ok(7) }
    /// # }
    /// async fn pay(bank: &Bank, amount: u32, cx: &mut Context<'_>) -> Result<u64, NodeError> {
    ///     let order = cx.idempotency_key();
    ///     cx.once("charge", || bank.charge(&order, amount)).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of `effect`; one that [is unknown](NodeError::is_unknown); and if JSON cannot hold the
    /// result, or it is read back as another type: then the effect was done all the same.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future while the effect is under way leaves it unknown.
    pub async fn once<T, E, F>(
        &mut self,
        key: &str,
        effect: impl FnOnce() -> F,
    ) -> Result<T, NodeError>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Box<dyn Error + Send + Sync>>,
        F: Future<Output = Result<T, E>>,
    {
        match self.done_before(key, false).await? {
            Some(done) => Ok(done),
            None => self.perform(key, effect).await,
        }
    }

    /// Does something once as [`once`](Self::once) does, that needs a scope and may cost something.
    ///
    /// Before it begins, the node has to [hold](Self::authority) the scope, and the most that it may cost is
    /// taken from what is left; the entry that it begins says so. `effect` returns with its result what it
    /// did cost, and the rest is given back. If it fails, all of it is. If nobody knows whether it was done,
    /// it counts as spent.
    ///
    /// ```
    /// use handoffs_runtime::{Context, Needs, NodeError};
    ///
    /// # struct Bank;
    /// # impl Bank {
    /// #     async fn refund(&self, _: &str, micros: u64) -> Result<(String, u64), std::io::Error> { Ok(("r7".into(), micros)) }
    /// # }
    /// async fn refund(bank: &Bank, micros: u64, cx: &mut Context<'_>) -> Result<String, NodeError> {
    ///     let order = cx.idempotency_key();
    ///     let needs = Needs::scope("Refund").at_most(micros);
    ///     cx.charge("refund", &needs, || bank.refund(&order, micros)).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// One that [was denied](NodeError::denied) if it may not be done, and all that [`once`](Self::once) fails
    /// with.
    ///
    /// # Cancel safety
    ///
    /// As [`once`](Self::once): dropping the future while the effect is under way leaves it unknown, and
    /// what was reserved is spent.
    pub async fn charge<T, E, F>(
        &mut self,
        key: &str,
        needs: &Needs,
        effect: impl FnOnce() -> F,
    ) -> Result<T, NodeError>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Box<dyn Error + Send + Sync>>,
        F: Future<Output = Result<(T, u64), E>>,
    {
        if let Some(done) = self.done_before(key, false).await? {
            return Ok(done);
        }
        self.begin(key, None, Some(needs)).await?;
        let (came_of_it, spent) = match effect().await {
            Ok((result, spent)) => (encoded(Ok::<_, E>(result)), Some(spent)),
            Err(error) => (CameOfIt::Failed(error.into()), None),
        };
        self.end(key, came_of_it, None, spent).await
    }

    /// Does something once as [`once`](Self::once) does, and where that is not known, asks whether it
    /// was done.
    ///
    /// `check` is asked before a repeat: after an attempt that was cut off, and after one that failed,
    /// so an error of `effect` need not be sure. With `Some` it was done, and this is its result; with
    /// `None` it was not, and is done now. A check may be asked several times, and should change nothing.
    ///
    /// ```
    /// use handoffs_runtime::{Context, NodeError};
    ///
    /// # struct Bank;
    /// # impl Bank {
    /// #     async fn charge(&self, _: &str, _: u32) -> Result<u64, std::io::Error> { Ok(7) }
    /// #     async fn charge_of(&self, _: &str) -> Result<Option<u64>, std::io::Error> { Ok(None) }
    /// # }
    /// async fn pay(bank: &Bank, amount: u32, cx: &mut Context<'_>) -> Result<u64, NodeError> {
    ///     let order = cx.idempotency_key();
    ///     let charge = || bank.charge(&order, amount);
    ///     cx.once_checked("charge", charge, || bank.charge_of(&order)).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`once`](Self::once), save that nothing stays unknown, and the error of `check`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the next one asks.
    pub async fn once_checked<T, E, F, D, C>(
        &mut self,
        key: &str,
        effect: impl FnOnce() -> F,
        check: impl FnOnce() -> C,
    ) -> Result<T, NodeError>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Box<dyn Error + Send + Sync>>,
        F: Future<Output = Result<T, E>>,
        D: Into<Box<dyn Error + Send + Sync>>,
        C: Future<Output = Result<Option<T>, D>>,
    {
        match self.due_of(key).await {
            Due::Nothing(result) => return read(key, &result),
            Due::Unknown | Due::Again => {
                let found = check().await.map_err(|error| passed_on(error.into()))?;
                if let Some(found) = found {
                    let found = encoded(Ok::<_, E>(found));
                    return self.end(key, found, None, None).await;
                }
            }
            Due::First => {}
        }
        self.perform(key, effect).await
    }

    /// Calls a model or a tool as [`once`](Self::once) does, if the budgets leave something for it, and
    /// keeps what it used: `said` reads that off the result. If it may be repeated, nothing stays unknown.
    #[cfg(feature = "agents")]
    pub(crate) async fn call<T, E, F>(
        &mut self,
        key: &str,
        mut call: Call<'_>,
        may_repeat: bool,
        effect: impl FnOnce() -> F,
        said: impl FnOnce(&T) -> Option<Usage>,
    ) -> Result<T, NodeError>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Box<dyn Error + Send + Sync>>,
        F: Future<Output = Result<T, E>>,
    {
        if let Some(done) = self.done_before(key, may_repeat).await? {
            return Ok(done);
        }
        self.afford_with(call.own).await;
        self.begin(key, Some(&call), call.needs).await?;
        let begun = Instant::now();
        let result = effect().await;
        call.called.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        call.called.usage = result.as_ref().ok().and_then(said);
        let spent = call.called.usage.map(|usage| usage.cost_micros);
        self.end(key, encoded(result), Some(&call), spent).await
    }

    /// Returns whether something is known of an effect.
    #[cfg(feature = "agents")]
    pub(crate) fn has_begun(&self, key: &str) -> bool {
        self.effects.0.contains_key(key)
    }

    /// Returns whether an effect is known to have been done.
    #[cfg(feature = "agents")]
    pub(crate) fn has_done(&self, key: &str) -> bool {
        let kept = self.effects.0.get(key);
        kept.is_some_and(|kept| matches!(kept.effect, Effect::Done(_)))
    }

    /// Returns the result of an effect that was done before. That nobody knows is an error, unless it may be
    /// repeated.
    async fn done_before<T: DeserializeOwned>(
        &mut self,
        key: &str,
        may_repeat: bool,
    ) -> Result<Option<T>, NodeError> {
        match self.due_of(key).await {
            Due::Nothing(result) => read(key, &result).map(Some),
            Due::Unknown if !may_repeat => Err(NodeError::of(Kind::Unknown(key.to_owned()))),
            Due::First | Due::Again | Due::Unknown => Ok(None),
        }
    }

    /// Does what needs nothing of what the node holds.
    async fn perform<T, E, F>(
        &mut self,
        key: &str,
        effect: impl FnOnce() -> F,
    ) -> Result<T, NodeError>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Box<dyn Error + Send + Sync>>,
        F: Future<Output = Result<T, E>>,
    {
        self.begin(key, None, None).await?;
        let came_of_it = encoded(effect().await);
        self.end(key, came_of_it, None, None).await
    }

    /// Returns what is to be done about an effect, once what is known of it is on disk.
    async fn due_of(&mut self, key: &str) -> Due {
        let Some(Kept {
            effect,
            seq,
            is_next,
            ..
        }) = self.effects.0.get(key).cloned()
        else {
            return Due::First;
        };
        self.on_disk(seq).await;
        match effect {
            Effect::Begun if is_next => Due::First,
            Effect::Begun => Due::Unknown,
            Effect::Failed(_) => Due::Again,
            Effect::Done(result) => Due::Nothing(result),
        }
    }

    /// Writes down that an effect begins.
    async fn begin(
        &mut self,
        key: &str,
        call: Option<&Call<'_>>,
        needs: Option<&Needs>,
    ) -> Result<(), NodeError> {
        // What was handed in by an attempt that was dropped before the effect began will do.
        if self.effects.0.get(key).is_none_or(|kept| !kept.is_next) {
            if let Some(needs) = needs {
                self.authority().check(needs).map_err(NodeError::new)?;
            }
            // It is reserved where it is handed in: nobody comes in between.
            let charge = needs.map(Needs::charge);
            self.note(key, Effect::Begun, call, charge).await?;
        }
        if let Some(kept) = self.effects.0.get_mut(key) {
            kept.is_next = false;
        }
        Ok(())
    }

    /// Writes down what came of an effect, and returns it as it is read back.
    async fn end<T: DeserializeOwned>(
        &mut self,
        key: &str,
        came_of_it: CameOfIt,
        call: Option<&Call<'_>>,
        spent: Option<u64>,
    ) -> Result<T, NodeError> {
        let kept = self.effects.0.get(key);
        let charge = kept.and_then(|kept| kept.charge.clone());
        let charge = charge.map(|charge| Charge {
            spent_micros: spent,
            ..charge
        });
        match came_of_it {
            CameOfIt::Done(result) => {
                self.note(key, Effect::Done(result.clone()), call, charge)
                    .await?;
                read(key, &result)
            }
            CameOfIt::Failed(error) => {
                self.note(key, Effect::Failed(chain(&*error)), call, charge)
                    .await?;
                Err(passed_on(error))
            }
            CameOfIt::Unkept(error) => Err(NodeError::of(Kind::Unkept(key.to_owned(), error))),
        }
    }

    /// Writes down how far an effect came, and waits until that is on disk.
    async fn note(
        &mut self,
        key: &str,
        effect: Effect,
        call: Option<&Call<'_>>,
        charge: Option<Charge>,
    ) -> Result<(), NodeError> {
        let once = Recorded::Once {
            node: self.node().to_owned().into(),
            key: key.to_owned(),
            effect: effect.clone(),
            charge: charge.clone(),
            call: call.map(|call| call.called.clone()),
        };
        // An answer that the node has read is written first, as the effect may come of it. One that it
        // has not is not proven to fit, and stays pending.
        let answer = self.pending.take_if(|pending| pending.is_heard);
        let seq = match &self.scope.ledger {
            Some(ledger) => {
                let heard = answer.as_deref().map(Pending::event);
                let handed_in = ledger.hand_in(&self.course.plan.id, &self.branch, heard, once);
                handed_in.map_err(|error| {
                    self.pending = answer;
                    NodeError::new(error)
                })?
            }
            None => 0,
        };
        if let Some(charge) = &charge {
            self.course.engine.charge(&effect, charge);
        }
        if let Some(Call { called, own, .. }) = call {
            self.calls.take(called, &effect);
            self.calls_ms = self.calls_ms.saturating_add(called.took_ms);
            self.spend(called.tool.as_deref(), own, |used| {
                used.take(called, &effect);
            });
        }
        self.effects.put(key, effect, charge, seq);
        self.show_step();
        self.on_disk(seq).await;
        Ok(())
    }

    /// Waits until an entry is in the journal. If that fails, the run ends, and this does not return.
    async fn on_disk(&self, seq: u64) {
        let Some(ledger) = &self.scope.ledger else {
            return;
        };
        if let Err(source) = ledger.written(seq).await {
            let error = RunError::journal(self.thread(), Some(self.node().to_owned()), source);
            self.rest::<()>(Signal::Broke(Box::new(error))).await;
        }
    }
}

/// What came of an effect.
enum CameOfIt {
    Done(Json),
    Failed(Box<dyn Error + Send + Sync>),
    /// It was done, and its result cannot be written down.
    Unkept(serde_json::Error),
}

/// Makes JSON of a result, which need not be one that goes from one OS thread to another.
fn encoded<T: Serialize, E: Into<Box<dyn Error + Send + Sync>>>(result: Result<T, E>) -> CameOfIt {
    match result {
        Ok(result) => keep(&result).map_or_else(CameOfIt::Unkept, CameOfIt::Done),
        Err(error) => CameOfIt::Failed(error.into()),
    }
}

fn read<T: DeserializeOwned>(key: &str, result: &Json) -> Result<T, NodeError> {
    serde_json::from_str(result.as_str())
        .map_err(|error| NodeError::of(Kind::WrongResult(key.to_owned(), error)))
}

/// Makes the error of a node of one that it passes on.
fn passed_on(error: Box<dyn Error + Send + Sync>) -> NodeError {
    match error.downcast::<NodeError>() {
        Ok(own) => *own,
        Err(error) => NodeError::of(Kind::Returned(error)),
    }
}
