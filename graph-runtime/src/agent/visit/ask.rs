//! How an agent asks its model.

use handoffs_core::Outcome;

use super::Visit;
use crate::agent::event::AgentEvent;
use crate::agent::message::Conversation;
use crate::agent::model::{Reply, Request};
use crate::context::Context;
use crate::node_error::NodeError;
use crate::once::Call;
use crate::telemetry::asked;

impl<S: Conversation, O: Outcome> Visit<'_, S, O> {
    /// Asks the model. Its reply is kept, so that a visit that is taken up again goes on behind it; but
    /// nothing is lost if it is asked twice. Returns as well whether the reply is new, or was kept.
    pub(super) async fn ask(
        &self,
        turn: u32,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(Reply, bool), NodeError> {
        let mut is_new = false;
        let content = cx.scope.limits.trace_content;
        let (teller, pulse) = (cx.teller.clone(), cx.pulse.clone());
        // A model that speaks is alive.
        let said = move |piece: &str| {
            pulse.beat();
            if !piece.is_empty() {
                teller.tell(|| AgentEvent::Said(piece.to_owned()));
            }
        };
        let ask = async || {
            is_new = true;
            let turn = self.agent.model.turn(request, &said);
            asked(&*self.agent.model, request, content, turn).await
        };
        let key = format!("turn {turn}");
        let own = self.budgets(cx);
        let model = Call::model(&own);
        let usage = |reply: &Reply| reply.usage;
        let reply = cx.call(&key, model, true, ask, usage).await?;
        Ok((reply, is_new))
    }
}
