//! What was said in a conversation, as the state keeps it.

use std::borrow::Cow;

use handoffs_core::{Log, State};
use serde::{Deserialize, Serialize};

/// Something that was said in a conversation, or done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Message {
    /// By whoever talks to the agents.
    User(String),
    /// By an agent, in one turn.
    Agent(Turn),
    /// By the program: a summary, or word of a failure.
    Note(String),
}

impl Message {
    /// Says something as the user.
    pub fn user(text: impl Into<String>) -> Self {
        Self::User(text.into())
    }

    /// Says something as the program.
    pub fn note(text: impl Into<String>) -> Self {
        Self::Note(text.into())
    }

    /// Returns the text without calls and their results.
    pub fn text(&self) -> &str {
        match self {
            Self::User(text) | Self::Note(text) => text,
            Self::Agent(turn) => &turn.text,
        }
    }
}

/// One turn of an agent: what its model said, and each call with what was given for it.
///
/// A call is never without its result, since it is made together with it: providers refuse a
/// conversation in which one is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Turn {
    /// The node that the agent is.
    pub agent: Cow<'static, str>,
    /// What it said; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// What it called, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
}

impl Turn {
    /// Puts a turn together.
    pub fn new(
        agent: impl Into<Cow<'static, str>>,
        text: impl Into<String>,
        calls: Vec<Call>,
    ) -> Self {
        Self {
            agent: agent.into(),
            text: text.into(),
            calls,
        }
    }
}

/// A call of a tool, or a handoff, with what was given for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Call {
    /// By which name the provider pairs it with its result.
    pub id: String,
    /// The tool.
    pub tool: String,
    /// The arguments as the model wrote them, which need not be JSON.
    pub arguments: String,
    /// What the model was given for it.
    pub given: Given,
}

impl Call {
    /// Puts a call together with its result.
    pub fn new(
        id: impl Into<String>,
        tool: impl Into<String>,
        arguments: impl Into<String>,
        given: Given,
    ) -> Self {
        Self {
            id: id.into(),
            tool: tool.into(),
            arguments: arguments.into(),
            given,
        }
    }
}

/// What a model is given for a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Given {
    /// The tool's result.
    Result(String),
    /// The tool's error, or what is wrong with the call; the model may try again.
    Error(String),
    /// The conversation, at this agent: the handoff was made.
    Handoff(String),
    /// Nothing, as another handoff of the same turn was made.
    Passed,
}

impl Given {
    /// Returns the text that a model reads.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Result(text) => Cow::Borrowed(text),
            Self::Error(error) => Cow::Owned(format!("Error: {error}")),
            Self::Handoff(to) => Cow::Owned(serde_json::json!({ "assistant": to }).to_string()),
            Self::Passed => Cow::Borrowed("Not done: another handoff was made first."),
        }
    }

    /// Returns whether the call was a handoff, made or passed over.
    pub const fn is_handoff(&self) -> bool {
        matches!(self, Self::Handoff(_) | Self::Passed)
    }
}

/// A state that holds a conversation.
///
/// `#[state(messages)]` on the field makes it one:
///
/// ```
/// use handoffs_core::{Log, State};
/// # use handoffs_core::{Field, FieldSet, FieldSource};
/// use handoffs_runtime::agent::{Conversation, Message};
///
/// /// Says something in any conversation.
/// fn say<S: Conversation>(state: &mut S, text: &str) {
///     state.messages_mut().push(Message::user(text));
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "H011: `{Self}` holds no conversation",
    note = "write `#[state(messages)]` on its field of type `Log<Message>`"
)]
pub trait Conversation: State {
    /// The place of the field among those of the state.
    const MESSAGES: usize;

    /// Returns what was said.
    fn messages(&self) -> &Log<Message>;

    /// Returns what was said, to add to it.
    fn messages_mut(&mut self) -> &mut Log<Message>;
}

/// What a conversation is kept in: so that the derive can say of another type that it is none.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "H011: a conversation is a `Log<Message>`, and `{Self}` is none",
    label = "cannot hold a conversation",
    note = "a field with `#[state(messages)]` is of type `Log<Message>`"
)]
pub trait Messages {
    /// Returns it as what it is.
    fn messages(&self) -> &Log<Message>;

    /// Returns it as what it is, to add to it.
    fn messages_mut(&mut self) -> &mut Log<Message>;
}

impl Messages for Log<Message> {
    fn messages(&self) -> &Log<Message> {
        self
    }

    fn messages_mut(&mut self) -> &mut Log<Message> {
        self
    }
}

/// The type of a conversation.
#[doc(hidden)]
pub type MessageLog = Log<Message>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_cannot_be_read_without_its_result() {
        let whole = r#"{"id":"1","tool":"search","arguments":"{}","given":{"result":"x"}}"#;
        assert!(serde_json::from_str::<Call>(whole).is_ok());
        let alone = r#"{"id":"1","tool":"search","arguments":"{}"}"#;
        let error = serde_json::from_str::<Call>(alone).unwrap_err();
        assert!(error.to_string().starts_with("missing field `given`"));
    }

    #[test]
    fn a_handoff_is_told_as_the_field_tells_it() {
        assert_eq!(Given::Handoff("B".into()).text(), r#"{"assistant":"B"}"#);
    }
}
