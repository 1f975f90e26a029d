//! How an agent calls a tool: if it may, and once.

use std::convert::Infallible;
use std::fmt::Display;

use handoffs_core::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Visit;
use crate::agent::event::AgentEvent;
use crate::agent::message::{Conversation, Given};
use crate::agent::model::ToolCall;
use crate::agent::policy::{Decision, ToolQuestion, ToolRequest};
use crate::agent::tool::{Tool, ToolAnswer, ToolAsks, ToolError};
use crate::authority::{Denied, Needs};
use crate::budget::BudgetOf;
use crate::context::Context;
use crate::error::chain;
use crate::journal::{Approval, Usage};
use crate::node_error::NodeError;
use crate::once::Call;
use crate::telemetry::called;

/// What came of a call, as the journal keeps it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum CameOfIt {
    Given(Given),
    Asks { asks: ToolAsks },
}

/// What a person is asked by a tool.
#[derive(Serialize)]
struct Asked<'a> {
    tool: &'a str,
    asks: &'a Value,
}

/// A call that a model wants.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    /// By what the visit knows it.
    key: &'a str,
    tool: &'a dyn Tool,
    needs: Option<&'a Needs>,
    call: &'a ToolCall,
}

fn not_allowed(why: &dyn Display) -> Given {
    Given::Error(format!("this call is not allowed: {why}"))
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
            return Ok(not_allowed(&rule));
        }
        let mut came_of_it = self.call_once(wanted, None, cx).await?;
        let mut answers = 0_u32;
        loop {
            let asks = match came_of_it {
                CameOfIt::Given(given) => return Ok(given),
                CameOfIt::Asks { asks } => asks,
            };
            answers += 1;
            let key = format!("{key}, answer {answers}");
            let question = Asked {
                tool: &call.tool,
                asks: &asks.question,
            };
            let answer = cx.ask(&format!("{key}, asked"), &question).await?;
            let asked = Some((asks, answer));
            // To go on is to call once more.
            if !cx.has_begun(&key)
                && let Some(needs) = &needs
                && let Err(denied) = cx.authority().check(needs)
            {
                return Ok(not_allowed(&denied));
            }
            let wanted = Wanted {
                key: &key,
                ..wanted
            };
            came_of_it = self.call_once(wanted, asked, cx).await?;
        }
    }

    /// Makes a call, or goes on with one that asked, and keeps what came of it.
    async fn call_once(
        &self,
        wanted: Wanted<'_>,
        asked: Option<(ToolAsks, ToolAnswer)>,
        cx: &mut Context<'_>,
    ) -> Result<CameOfIt, NodeError> {
        let Wanted {
            key,
            tool,
            needs,
            call,
        } = wanted;
        let content = cx.scope.limits.trace_content;
        let teller = cx.teller.clone();
        let effect = async || {
            let work = async {
                let Some((asks, answer)) = &asked else {
                    return tool.call(&call.arguments).await;
                };
                tool.answered(&call.arguments, asks, answer).await
            };
            teller.tell(|| AgentEvent::Called(call.clone()));
            // What the model reads of an error is a result like any other.
            let given = match called(call, content, work).await {
                Ok(result) => Given::Result(result),
                Err(ToolError::Asks(asks)) => return Ok(CameOfIt::Asks { asks: *asks }),
                Err(error) => Given::Error(chain(&error)),
            };
            teller.tell(|| AgentEvent::Returned {
                call: call.clone(),
                given: given.clone(),
            });
            Ok::<_, Infallible>(CameOfIt::Given(given))
        };
        let mut own = self.budgets(cx);
        own.extend(tool.budget().of(BudgetOf::Tool(call.tool.clone())));
        let called = Call::tool(call.tool.clone(), &own, needs);
        // What a call cost is known of a tool that says what it may cost; one that failed, or asks, cost
        // nothing.
        let cost = |came_of_it: &CameOfIt| {
            let needs = needs?;
            Some(Usage::cost_micros(match came_of_it {
                CameOfIt::Given(Given::Result(result)) => {
                    let cost = tool.cost_micros(&call.arguments, result);
                    cost.unwrap_or(needs.cost_micros)
                }
                _ => 0,
            }))
        };
        cx.call(key, called, tool.may_repeat(), effect, cost).await
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
