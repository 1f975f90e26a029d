//! What an agent asks, in rig's words.

use std::collections::HashMap;

use handoffs::agent::{Choice, ModelError, Request, Said, ToolCall as Call};
use rig_core::completion::{CompletionRequest, ToolDefinition};
use rig_core::message::{
    AssistantContent, AssistantMessage, CallId, Message, ToolCall, ToolChoice, ToolFunction,
    ToolName, ToolResult, ToolResultContent, UserContent,
};

pub(crate) fn completion_request(request: &Request) -> Result<CompletionRequest, ModelError> {
    let mut completion = CompletionRequest::new("");
    completion.chat_history = history(request)?;
    for tool in &request.tools {
        let (description, parameters) = (&*tool.description, tool.parameters.clone());
        let tool = ToolDefinition::new(name(&tool.name)?, description, parameters);
        completion.tools.push(tool);
    }
    if request.choice == Choice::Required && !completion.tools.is_empty() {
        completion.tool_choice = Some(ToolChoice::Required);
    }
    if let Some(answer) = &request.answer {
        let schema = schemars::Schema::try_from(answer.clone());
        let schema = schema.map_err(|error| {
            ModelError::Refused(format!("the answer's type has no JSON Schema: {error}"))
        })?;
        completion.output_schema = Some(schema);
    }
    Ok(completion)
}

fn history(request: &Request) -> Result<Vec<Message>, ModelError> {
    let mut history = Vec::new();
    if !request.instructions.is_empty() {
        history.push(Message::system(&*request.instructions));
    }
    let mut tools = HashMap::new();
    // Providers want all results of a turn in one message.
    let mut results = Vec::new();
    for said in &request.messages {
        if let Said::Result { id, text, .. } = said {
            let tool = tools.get(id).copied().unwrap_or("unknown");
            results.push(ToolResult {
                call: CallId::from_wire(&**id),
                name: name(tool)?,
                content: vec![ToolResultContent::text(&**text)],
                is_error: false,
            });
            continue;
        }
        flush(&mut results, &mut history);
        match said {
            Said::User(text) => history.push(Message::User {
                content: vec![UserContent::text(&**text)],
            }),
            Said::Assistant { text, calls, .. } => {
                tools.extend(calls.iter().map(|call| (&call.id, &*call.tool)));
                history.push(assistant(text, calls)?);
            }
            other => {
                let text = format!("rig has no word for {other:?}");
                return Err(ModelError::Refused(text));
            }
        }
    }
    flush(&mut results, &mut history);
    Ok(history)
}

fn flush(results: &mut Vec<ToolResult>, history: &mut Vec<Message>) {
    if !results.is_empty() {
        history.push(Message::tool_results(std::mem::take(results)));
    }
}

fn assistant(text: &str, calls: &[Call]) -> Result<Message, ModelError> {
    let mut content = Vec::new();
    if !text.trim().is_empty() {
        content.push(AssistantContent::text(text));
    }
    for call in calls {
        let function = ToolFunction::parse(name(&call.tool)?, &call.arguments);
        let call = ToolCall::from_wire(&*call.id, function);
        content.push(AssistantContent::ToolCall(call));
    }
    Ok(Message::Assistant(AssistantMessage::new(content)))
}

fn name(tool: &str) -> Result<ToolName, ModelError> {
    ToolName::new(tool)
        .map_err(|_| ModelError::Refused("a call names no tool, and cannot be sent".to_owned()))
}
