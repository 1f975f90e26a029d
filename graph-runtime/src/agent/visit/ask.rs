//! How an agent asks its model.

use handoffs_core::Outcome;

use super::Visit;
use crate::agent::message::Conversation;
use crate::agent::model::{Reply, Request};
use crate::context::Context;
use crate::node_error::NodeError;
use crate::once::Call;

impl<S: Conversation, O: Outcome> Visit<'_, S, O> {
    /// Asks the model. Its reply is kept, so that a visit that is taken up again goes on behind it; but
    /// nothing is lost if it is asked twice.
    pub(super) async fn ask(
        &self,
        turn: u32,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<Reply, NodeError> {
        let ask = async || self.agent.model.turn(request, &|_| {}).await;
        let key = format!("turn {turn}");
        let own = self.budgets(cx);
        let model = Call::model(&own);
        cx.call(&key, model, true, ask, |reply: &Reply| reply.usage)
            .await
    }
}
