//! A model that says what it was told to say.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::model::{Model, ModelError, Reply, Request, ToolCall};
use crate::journal::Usage;

/// A model for tests and examples: it makes the turns of its script, one a request, and remembers
/// what it was asked.
///
/// ```
/// use handoffs_runtime::agent::{Model, Request, Script, ScriptedModel};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let model = ScriptedModel::new([
///     Script::call("search", json!({ "query": "refund" })),
///     Script::say("It is on its way."),
/// ]);
/// let reply = model.turn(&Request::default(), &|_| {}).await?;
/// assert_eq!(reply.calls[0].tool, "search");
/// assert_eq!(model.requests().len(), 1);
/// # Ok(())
/// # }
/// ```
///
/// Clones share the script.
#[derive(Clone)]
pub struct ScriptedModel(Arc<Mutex<Inner>>);

struct Inner {
    script: VecDeque<Result<Script, ModelError>>,
    asked: Vec<Request>,
    calls: usize,
}

/// One turn of a [`ScriptedModel`].
#[derive(Clone, Debug, Default)]
pub struct Script {
    text: String,
    calls: Vec<(String, String)>,
    usage: Option<Usage>,
}

impl Script {
    /// Says something.
    pub fn say(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// Calls a tool, or hands over.
    pub fn call(tool: impl Into<String>, arguments: Value) -> Self {
        Self::default().and_call(tool, arguments)
    }

    /// Calls a tool as well.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "arguments are written in place"
    )]
    pub fn and_call(self, tool: impl Into<String>, arguments: Value) -> Self {
        self.and_call_raw(tool, arguments.to_string())
    }

    /// Calls a tool with arguments that need not be JSON.
    pub fn and_call_raw(mut self, tool: impl Into<String>, arguments: impl Into<String>) -> Self {
        self.calls.push((tool.into(), arguments.into()));
        self
    }

    /// Says something with the calls.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Says what the turn used up.
    pub const fn usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }
}

impl ScriptedModel {
    /// Makes a model that says this, and no more: a request too many is an error.
    pub fn new(script: impl IntoIterator<Item = Script>) -> Self {
        Self::with_errors(script.into_iter().map(Ok))
    }

    /// Makes a model some of whose turns fail.
    pub fn with_errors(script: impl IntoIterator<Item = Result<Script, ModelError>>) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            script: script.into_iter().collect(),
            asked: Vec::new(),
            calls: 0,
        })))
    }

    /// Returns what the model was asked so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.inner(|inner| inner.asked.clone())
    }

    /// Returns how many turns of the script are left.
    pub fn left(&self) -> usize {
        self.inner(|inner| inner.script.len())
    }

    fn inner<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Model for ScriptedModel {
    fn name(&self) -> &'static str {
        "scripted"
    }

    async fn turn(
        &self,
        request: &Request,
        said: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        let reply = self.inner(|inner| {
            inner.asked.push(request.clone());
            let script = inner.script.pop_front().ok_or_else(|| {
                let times = inner.asked.len();
                ModelError::Refused(format!("the script has no turn number {times}"))
            })??;
            let mut calls = Vec::new();
            for (tool, arguments) in script.calls {
                inner.calls += 1;
                calls.push(ToolCall::new(
                    format!("call_{}", inner.calls),
                    tool,
                    arguments,
                ));
            }
            Ok::<_, ModelError>(Reply {
                text: script.text,
                calls,
                usage: script.usage,
            })
        })?;
        // Word by word, as a model that streams does.
        for piece in reply.text.split_inclusive(' ') {
            said(piece);
        }
        Ok(reply)
    }
}

impl fmt::Debug for ScriptedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedModel")
            .field("left", &self.left())
            .finish_non_exhaustive()
    }
}
