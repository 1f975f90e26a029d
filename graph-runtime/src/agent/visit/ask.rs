//! How an agent asks its model.

use handoffs_core::Outcome;

use super::{Visit, never_mind};
use crate::agent::event::AgentEvent;
use crate::agent::message::Conversation;
use crate::agent::model::{Reply, Request};
use crate::context::Context;
use crate::journal::Usage;
use crate::node_error::NodeError;

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
            self.agent.model.turn(request, &said).await
        };
        let key = format!("turn {turn}");
        let reply: Reply = cx.once_checked(&key, ask, never_mind).await?;
        if let (true, Some(usage)) = (is_new, reply.usage) {
            cx.used(usage + Usage::calls(1));
        } else if is_new {
            cx.used(Usage::calls(1));
        }
        Ok((reply, is_new))
    }
}
