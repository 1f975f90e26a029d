//! How an agent calls a tool.

use std::convert::Infallible;

use handoffs_core::Outcome;

use super::{Visit, never_mind};
use crate::agent::event::AgentEvent;
use crate::agent::message::{Conversation, Given};
use crate::agent::model::ToolCall;
use crate::context::Context;
use crate::error::chain;
use crate::node_error::NodeError;

impl<S: Conversation, O: Outcome> Visit<'_, S, O> {
    /// Calls a tool, once, unless it may be repeated.
    pub(super) async fn call(
        &self,
        (turn, place): (u32, usize),
        tool: usize,
        call: &ToolCall,
        cx: &mut Context<'_>,
    ) -> Result<Given, NodeError> {
        let tool = &self.agent.tools[tool];
        // What the model reads of an error is a result like any other.
        let teller = cx.teller.clone();
        let effect = async || {
            teller.tell(|| AgentEvent::Called(call.clone()));
            let given = match tool.call(&call.arguments).await {
                Ok(result) => Given::Result(result),
                Err(error) => Given::Error(chain(&error)),
            };
            teller.tell(|| AgentEvent::Returned {
                call: call.clone(),
                given: given.clone(),
            });
            Ok::<_, Infallible>(given)
        };
        let key = format!("turn {turn}, call {}", place + 1);
        if tool.may_repeat() {
            cx.once_checked(&key, effect, never_mind).await
        } else {
            cx.once(&key, effect).await
        }
    }
}
