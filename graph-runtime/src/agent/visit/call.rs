//! How an agent calls a tool: if it may, and once.

use std::convert::Infallible;

use handoffs_core::Outcome;

use super::Visit;
use crate::agent::event::AgentEvent;
use crate::agent::message::{Conversation, Given};
use crate::agent::model::ToolCall;
use crate::agent::policy::{Decision, ToolQuestion, ToolRequest};
use crate::agent::tool::Tool;
use crate::authority::{Denied, Needs};
use crate::budget::BudgetOf;
use crate::context::Context;
use crate::error::chain;
use crate::journal::{Approval, Usage};
use crate::node_error::NodeError;
use crate::once::Call;
use crate::telemetry::called;

/// A call that a model wants.
struct Wanted<'a> {
    /// By what the visit knows it.
    key: &'a str,
    tool: &'a dyn Tool,
    needs: Option<&'a Needs>,
    call: &'a ToolCall,
}

impl<S: Conversation, O: Outcome> Visit<'_, S, O> {
    /// Calls a tool, if it may be called: once, unless it may be repeated. That it may not is a result as
    /// well, which the model reads.
    pub(super) async fn call(
        &self,
        (turn, place): (u32, usize),
        tool: usize,
        call: &ToolCall,
        cx: &mut Context<'_>,
    ) -> Result<Given, NodeError> {
        let tool = &*self.agent.tools[tool];
        let key = format!("turn {turn}, call {}", place + 1);
        let needs = tool.needs();
        let wanted = Wanted {
            key: &key,
            tool,
            needs: needs.as_ref(),
            call,
        };
        // What has begun was let through before, and what was refused stays so.
        if !cx.has_begun(&key)
            && let Some(rule) = self.refused(&wanted, cx).await?
        {
            return Ok(Given::Error(format!("this call is not allowed: {rule}")));
        }
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
        let mut own = self.budgets(cx);
        own.extend(tool.budget().of(BudgetOf::Tool(call.tool.clone())));
        let called = Call::tool(call.tool.clone(), &own, needs.as_ref());
        // What a call cost is known of a tool that says what it may cost; one that failed cost nothing.
        let cost = |given: &Given| {
            let needs = needs.as_ref()?;
            Some(Usage::cost_micros(match given {
                Given::Result(result) => {
                    let cost = tool.cost_micros(&call.arguments, result);
                    cost.unwrap_or(needs.cost_micros)
                }
                _ => 0,
            }))
        };
        cx.call(&key, called, tool.may_repeat(), effect, cost).await
    }

    /// Returns why a call may not be made, and keeps that it was refused.
    async fn refused(
        &self,
        wanted: &Wanted<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Option<String>, NodeError> {
        let kept = format!("{}, refused", wanted.key);
        if !cx.has_done(&kept) {
            let checked = wanted.needs;
            let checked = checked.map_or(Ok(()), |needs| cx.authority().check(needs));
            let rule = match checked {
                Err(denied) => Denied::to_string(&denied),
                Ok(()) => match self.asked(wanted, cx).await? {
                    Some(rule) => rule,
                    None => return Ok(None),
                },
            };
            tracing::info!(node = cx.node(), tool = %wanted.call.tool, rule, "a call was refused");
            let keep = async || Ok::<_, Infallible>(rule);
            // Should it be cut off, it is kept once more.
            let unkept = async || Ok::<_, Infallible>(None);
            return cx.once_checked(&kept, keep, unkept).await.map(Some);
        }
        // The rule is at hand.
        let kept = cx.once(&kept, async || Ok::<String, Infallible>(String::new()));
        kept.await.map(Some)
    }

    /// Asks the policy, and a person if it says so.
    async fn asked(
        &self,
        wanted: &Wanted<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Option<String>, NodeError> {
        let Wanted {
            key,
            tool,
            needs,
            call,
        } = *wanted;
        let Some(policy) = &self.agent.policy else {
            return Ok(None);
        };
        let name = tool.spec().name;
        let authority = cx.authority();
        let request = ToolRequest {
            thread: cx.thread(),
            node: cx.node(),
            tool: &name,
            arguments: &call.arguments,
            needs,
            held: authority.held(),
        };
        Ok(match policy.check(&request).await {
            Decision::Allow => None,
            Decision::Deny { rule } => Some(rule),
            Decision::NeedsApproval { why } => {
                let question = ToolQuestion::new(&name, &call.arguments, why);
                match cx.ask(&format!("{key}, approve"), &question).await? {
                    Approval::Approved => None,
                    Approval::Refused(why) => Some(why),
                }
            }
        })
    }
}
