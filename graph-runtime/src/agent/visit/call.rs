//! How an agent calls a tool.

use std::convert::Infallible;

use handoffs_core::Outcome;

use super::Visit;
use crate::agent::event::AgentEvent;
use crate::agent::message::{Conversation, Given};
use crate::agent::model::ToolCall;
use crate::budget::BudgetOf;
use crate::context::Context;
use crate::error::chain;
use crate::node_error::NodeError;
use crate::once::Call;
use crate::telemetry::called;

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
        let content = cx.scope.limits.trace_content;
        // What the model reads of an error is a result like any other.
        let teller = cx.teller.clone();
        let effect = async || {
            teller.tell(|| AgentEvent::Called(call.clone()));
            let result = called(call, content, tool.call(&call.arguments)).await;
            let given = match result {
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
        let mut own = self.budgets(cx);
        own.extend(tool.budget().of(BudgetOf::Tool(call.tool.clone())));
        let called = Call::tool(call.tool.clone(), &own);
        let no_usage = |_: &Given| None;
        cx.call(&key, called, tool.may_repeat(), effect, no_usage)
            .await
    }
}
