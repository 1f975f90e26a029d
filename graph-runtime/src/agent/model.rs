//! What an agent asks of a model.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::offers::HandoffStyle;
use crate::journal::Usage;

/// A language model, wherever it runs.
///
/// It makes one turn of a conversation, and knows neither graphs nor tools: it says what it wants called.
#[async_trait]
pub trait Model: fmt::Debug + Send + Sync + 'static {
    /// Returns the name under which the provider knows the model, for traces; empty if it has none.
    #[expect(
        clippy::unnecessary_literal_bound,
        reason = "a model's own may be made"
    )]
    fn name(&self) -> &str {
        ""
    }

    /// Returns who runs the model, as OpenTelemetry's conventions name it, such as `openai`; empty if
    /// nobody knows.
    #[expect(
        clippy::unnecessary_literal_bound,
        reason = "a model's own may be made"
    )]
    fn provider(&self) -> &str {
        ""
    }

    /// Returns the model's next turn.
    ///
    /// What it says is told to `said` piece by piece, as it comes, if the model streams.
    ///
    /// # Errors
    ///
    /// Fails if the model cannot be reached, refuses, or says what cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the model, where the provider can.
    async fn turn(
        &self,
        request: &Request,
        said: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError>;

    /// Returns how handoffs are best shown to it.
    fn handoff_style(&self) -> HandoffStyle {
        HandoffStyle::default()
    }
}

#[async_trait]
impl<M: Model + ?Sized> Model for Arc<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn provider(&self) -> &str {
        (**self).provider()
    }

    async fn turn(
        &self,
        request: &Request,
        said: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        (**self).turn(request, said).await
    }

    fn handoff_style(&self) -> HandoffStyle {
        (**self).handoff_style()
    }
}

/// What a model is asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Request {
    /// What the model is to be and to do.
    pub instructions: String,
    /// What was said so far.
    pub messages: Vec<Said>,
    /// What the model may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolSpec>,
    /// Whether it has to call.
    #[serde(default)]
    pub choice: Choice,
    /// The JSON Schema that a final text has to follow, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
}

/// Whether a model has to call a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Choice {
    /// It may call, or answer with a text.
    #[default]
    Auto,
    /// It has to call something.
    Required,
}

/// What was said in a conversation, as a model sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Said {
    /// By the user, or by another agent in the user's place.
    User(String),
    /// By the model itself.
    #[non_exhaustive]
    Assistant {
        /// What it said.
        text: String,
        /// What it called.
        calls: Vec<ToolCall>,
    },
    /// The result of a call.
    #[non_exhaustive]
    Result {
        /// The call.
        id: String,
        /// What came of it.
        text: String,
    },
}

/// A call that a model wants made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolCall {
    /// By which name the provider pairs it with its result.
    pub id: String,
    /// The tool.
    pub tool: String,
    /// The arguments as the model wrote them: JSON, if it wrote well.
    pub arguments: String,
}

impl ToolCall {
    /// Puts a call together.
    pub fn new(
        id: impl Into<String>,
        tool: impl Into<String>,
        arguments: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            tool: tool.into(),
            arguments: arguments.into(),
        }
    }
}

/// A tool, as a model is told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolSpec {
    /// The tool's name.
    pub name: String,
    /// When and for what to call it.
    pub description: String,
    /// The JSON Schema of its arguments: always that of an object.
    pub parameters: Value,
}

impl ToolSpec {
    /// Describes a tool.
    pub fn new(name: impl Into<String>, description: impl Into<String>, parameters: Value) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            parameters,
        }
    }
}

/// A turn of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reply {
    /// What it said.
    #[serde(default)]
    pub text: String,
    /// What it wants called, in its order.
    #[serde(default)]
    pub calls: Vec<ToolCall>,
    /// What it used up; nothing if the provider does not say.
    #[serde(default)]
    pub usage: Option<Usage>,
}

impl Reply {
    /// Says something.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// Calls a tool as well.
    pub fn call(mut self, call: ToolCall) -> Self {
        self.calls.push(call);
        self
    }

    /// Says what was used up.
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }
}

/// Why a model did not make its turn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// There is too much to do for it, or the caller has used up what it may; it may answer later.
    #[error("the model is busy or the caller is over its limit")]
    #[non_exhaustive]
    Busy {
        /// When to ask again, if it said so.
        retry_after: Option<Duration>,
    },
    /// It could not be reached, or the connection was cut.
    #[error("the model could not be reached, or was cut off")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// It refused the request, which will not be any better the next time.
    #[error("the model refuses the request: {0}")]
    Refused(String),
    /// It said what cannot be read.
    #[error("the model said what cannot be read: {0}")]
    Unreadable(String),
}

impl ModelError {
    /// Says that the model is busy.
    pub const fn busy(retry_after: Option<Duration>) -> Self {
        Self::Busy { retry_after }
    }

    /// Returns whether the same request may succeed a while later: what `#[retry(on = ..)]` asks.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unreachable(_))
    }
}
