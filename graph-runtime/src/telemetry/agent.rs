//! The spans of what an agent does.

use serde_json::{Value, json};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::measure::{self, measure, seconds};
use super::names::field;
#[allow(clippy::wildcard_imports, reason = "names are what this is about")]
use super::names::*;
use super::span::{failed, used};
use crate::agent::{Model, ModelError, Reply, Request, Said, ToolCall, ToolError};
use crate::error::chain;

/// Notes what the model of an agent is offered.
pub(crate) fn offered<'a>(
    span: &Span,
    model: &dyn Model,
    tools: &[String],
    handoffs: impl Iterator<Item = &'a str>,
) {
    if span.is_disabled() {
        return;
    }
    let handoffs: Vec<_> = handoffs.collect();
    span.record(TOOLS, tools.join(","));
    span.record(OFFERS, handoffs.join(","));
    for (name, known) in [(MODEL, model.name()), (PROVIDER, model.provider())] {
        if let Some(known) = is_known(known) {
            span.record(name, known);
        }
    }
}

/// Tells that a model wanted a handoff as well, and another one of the same turn is made.
pub(crate) fn passed(agent: &str, tool: &str) {
    tracing::warn!(target: TARGET, message = "passed over", { AGENT } = agent, { TOOL } = tool);
}

fn is_known(name: &str) -> Option<&str> {
    Some(name).filter(|name| !name.is_empty())
}

/// Asks a model, and tells of it.
pub(crate) async fn asked(
    model: &dyn Model,
    request: &Request,
    content: bool,
    turn: impl Future<Output = Result<Reply, ModelError>>,
) -> Result<Reply, ModelError> {
    let name = is_known(model.name());
    let provider = is_known(model.provider());
    let told = content.then_some(request);
    let span = tracing::info_span!(
        target: TARGET,
        "chat",
        otel.name = %format_args!("{OPERATION_CHAT} {}", name.unwrap_or("?")),
        otel.kind = "client",
        otel.status_code = Empty,
        otel.status_description = Empty,
        { OPERATION } = OPERATION_CHAT,
        { MODEL } = name,
        { PROVIDER } = provider,
        { INPUT_TOKENS } = Empty,
        { OUTPUT_TOKENS } = Empty,
        { COST } = Empty,
        { ERROR_TYPE } = Empty,
        { INSTRUCTIONS } = told.and_then(instructions).as_deref(),
        { INPUT_MESSAGES } = told.map(messages).as_deref(),
        { OUTPUT_MESSAGES } = Empty,
    );
    let begun = measure::begun();
    let reply = turn.instrument(span.clone()).await;
    let error_type = match &reply {
        Ok(reply) => {
            used(&span, reply.usage.unwrap_or_default());
            if content && !span.is_disabled() {
                span.record(OUTPUT_MESSAGES, said(reply));
            }
            None
        }
        Err(error) => {
            let error_type = match error {
                ModelError::Busy { .. } => "busy",
                ModelError::Unreachable(_) => "unreachable",
                ModelError::Refused(_) => "refused",
                ModelError::Unreadable(_) => "unreadable",
            };
            if !span.is_disabled() {
                failed(&span, error_type, &chain(error));
            }
            Some(error_type)
        }
    };
    if let Some(begun) = begun {
        measure!(
            TURN_DURATION = seconds(begun),
            { OPERATION } = OPERATION_CHAT,
            { MODEL } = name,
            { PROVIDER } = provider,
            { ERROR_TYPE } = error_type
        );
        let usage = reply.as_ref().ok().and_then(|reply| reply.usage);
        let usage = usage.unwrap_or_default();
        for (kind, tokens) in [
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
        ] {
            if tokens > 0 {
                measure!(
                    TURN_TOKENS = tokens,
                    { OPERATION } = OPERATION_CHAT,
                    { MODEL } = name,
                    { PROVIDER } = provider,
                    { TOKEN_TYPE } = kind
                );
            }
        }
    }
    reply
}

/// Calls a tool, and tells of it.
pub(crate) async fn called(
    call: &ToolCall,
    content: bool,
    work: impl Future<Output = Result<String, ToolError>>,
) -> Result<String, ToolError> {
    let span = tracing::info_span!(
        target: TARGET,
        "execute_tool",
        otel.name = %format_args!("{OPERATION_TOOL} {}", call.tool),
        otel.kind = "internal",
        otel.status_code = Empty,
        otel.status_description = Empty,
        { OPERATION } = OPERATION_TOOL,
        { TOOL } = &*call.tool,
        { TOOL_CALL } = &*call.id,
        { TOOL_TYPE } = "function",
        { TOOL_ARGUMENTS } = content.then_some(&*call.arguments),
        { TOOL_RESULT } = Empty,
        { ERROR_TYPE } = Empty,
    );
    let result = work.instrument(span.clone()).await;
    if span.is_disabled() {
        return result;
    }
    match &result {
        Ok(result) if content => {
            span.record(TOOL_RESULT, &**result);
        }
        // Whoever asks has not failed.
        Ok(_) | Err(ToolError::Asks(_)) => {}
        Err(ToolError::Arguments(error)) => failed(&span, "arguments", &chain(error)),
        Err(error) => failed(&span, "tool", &chain(error)),
    }
    result
}

// ---- Content, as the conventions write it.

fn instructions(request: &Request) -> Option<String> {
    let text = &request.instructions;
    (!text.is_empty()).then(|| json!([text_part(text)]).to_string())
}

fn messages(request: &Request) -> String {
    let messages = request.messages.iter().map(|said| match said {
        Said::User(text) => json!({ "role": "user", "parts": [text_part(text)] }),
        Said::Assistant { text, calls } => assistant(text, calls),
        Said::Result { id, text } => json!({
            "role": "tool",
            "parts": [{ "type": "tool_call_response", "id": id, "response": text }],
        }),
    });
    messages.collect::<Value>().to_string()
}

fn said(reply: &Reply) -> String {
    json!([assistant(&reply.text, &reply.calls)]).to_string()
}

fn assistant(text: &str, calls: &[ToolCall]) -> Value {
    let text = (!text.is_empty()).then(|| text_part(text));
    let calls = calls.iter().map(|call| {
        json!({ "type": "tool_call", "id": call.id, "name": call.tool, "arguments": call.arguments })
    });
    let parts: Vec<_> = text.into_iter().chain(calls).collect();
    json!({ "role": "assistant", "parts": parts })
}

fn text_part(text: &str) -> Value {
    json!({ "type": "text", "content": text })
}
