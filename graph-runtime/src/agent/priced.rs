//! What a model's tokens cost.

use async_trait::async_trait;

use super::model::{Model, ModelError, Reply, Request};
use super::offers::HandoffStyle;
use crate::journal::Usage;

/// What the tokens of a model cost, in millionths of the currency's unit per million tokens: so a price of
/// 0.15 per million is 150,000.
///
/// ```
/// use handoffs_runtime::Usage;
/// use handoffs_runtime::agent::Pricing;
///
/// let pricing = Pricing::per_million(150_000, 600_000);
/// assert_eq!(pricing.cost_micros(Usage::tokens(1_000_000, 500_000)), 450_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pricing {
    input: u64,
    output: u64,
}

impl Pricing {
    /// Says what a million tokens cost that the model reads, and that it writes.
    pub const fn per_million(input_micros: u64, output_micros: u64) -> Self {
        Self {
            input: input_micros,
            output: output_micros,
        }
    }

    /// Returns what the tokens cost, rounded up to a whole millionth.
    pub fn cost_micros(&self, usage: Usage) -> u64 {
        let cost = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let cost = cost(usage.input_tokens, self.input) + cost(usage.output_tokens, self.output);
        u64::try_from(cost.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// Makes a model say what its turns cost, by its tokens. What the model itself says of that stands; of a turn
/// whose tokens it does not tell, nobody knows the cost.
///
/// ```
/// use handoffs_core::Outcome;
/// use handoffs_runtime::agent::{Agent, Conversation, Model, Pricing, priced};
///
/// fn metered<S: Conversation, O: Outcome>(model: impl Model) -> Agent<S, O> {
///     Agent::new(priced(model, Pricing::per_million(150_000, 600_000)))
/// }
/// ```
pub fn priced(model: impl Model, pricing: Pricing) -> impl Model {
    Priced { model, pricing }
}

#[derive(Debug)]
struct Priced<M> {
    model: M,
    pricing: Pricing,
}

#[async_trait]
impl<M: Model> Model for Priced<M> {
    async fn turn(
        &self,
        request: &Request,
        said: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        let mut reply = self.model.turn(request, said).await?;
        if let Some(usage) = reply.usage.as_mut().filter(|usage| usage.cost_micros == 0) {
            usage.cost_micros = self.pricing.cost_micros(*usage);
        }
        Ok(reply)
    }

    fn handoff_style(&self) -> HandoffStyle {
        self.model.handoff_style()
    }
}
