//! What a server wants to know before a call is at its end, and what it was told so far.

use std::collections::BTreeMap;

use handoffs::agent::{ToolAnswer, ToolAsks};
use rmcp::model::{
    CallToolRequestParams, ElicitRequestParams, InputRequest, InputRequests, InputResponses,
};
use serde::{Deserialize, Serialize};

use crate::error::McpError;
use crate::text;

/// A call that waits for answers. It is all that another process needs to go on with it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// What is still to be asked, by the names that the server gave.
    questions: BTreeMap<String, ElicitRequestParams>,
    answers: InputResponses,
    /// What the server wants to have back.
    state: Option<String>,
}

impl Pending {
    /// Takes what a server asks, if a person can answer all of it.
    pub(crate) fn of(requests: InputRequests, state: Option<String>) -> Result<Self, McpError> {
        let questions = requests.into_iter().map(|(name, request)| match request {
            InputRequest::Elicitation(asks) => Ok((name, asks.params)),
            other => Err(McpError::Asks(text::question(&other).to_owned())),
        });
        Ok(Self {
            questions: questions.collect::<Result<_, _>>()?,
            answers: InputResponses::new(),
            state,
        })
    }

    /// Returns the next question, if there is one.
    pub(crate) fn asks(&self) -> Result<Option<ToolAsks>, McpError> {
        let Some(question) = self.questions.values().next() else {
            return Ok(None);
        };
        let question = serde_json::to_value(question).map_err(McpError::Unkept)?;
        let state = serde_json::to_value(self).map_err(McpError::Unkept)?;
        Ok(Some(ToolAsks::new(question, state)))
    }

    /// Takes the answer to the question that was asked.
    pub(crate) fn answered(asked: &ToolAsks, answer: &ToolAnswer) -> Result<Self, McpError> {
        let mut pending = Self::deserialize(&asked.state).map_err(McpError::Unkept)?;
        if let Some((name, _)) = pending.questions.pop_first() {
            // In the protocol it is the same JSON.
            let answer = serde_json::to_value(answer).map_err(McpError::Unkept)?;
            pending.answers.insert(name, answer);
        }
        Ok(pending)
    }

    /// Adds the answers to the call that asked.
    pub(crate) fn put_into(self, mut call: CallToolRequestParams) -> CallToolRequestParams {
        call.input_responses = Some(self.answers);
        call.request_state = self.state;
        call
    }
}
