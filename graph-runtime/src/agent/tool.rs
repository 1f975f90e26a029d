//! What an agent can do besides talking and handing over.

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::ToolSpec;
use super::offer::closed;
use crate::authority::Needs;
use crate::budget::Budget;

/// Something that an agent's model can call.
///
/// [`tool`] makes one of a function.
#[async_trait]
pub trait Tool: Send + Sync + 'static {
    /// Describes the tool to a model.
    fn spec(&self) -> ToolSpec;

    /// Returns whether it does no harm to call it again with the same arguments, as with a search.
    ///
    /// By default it may do harm: if nobody knows whether a call was made, as the process died in it, the
    /// run stops and says so.
    fn may_repeat(&self) -> bool {
        false
    }

    /// Returns the scope that the tool needs, and what a call costs at most; nothing by default.
    ///
    /// A call whose agent does not [hold](crate::Context::authority) that is not made, and the model is told.
    /// What it may cost is taken from what the agent holds before it begins.
    fn needs(&self) -> Option<Needs> {
        None
    }

    /// Returns what a call has cost, in millionths of the currency's unit; by default as much as it may. A
    /// call that failed has cost nothing.
    fn cost_micros(&self, arguments: &str, result: &str) -> Option<u64> {
        let _ = (arguments, result);
        None
    }

    /// Returns the same tool, which needs this.
    ///
    /// ```
    /// use handoffs_runtime::Needs;
    /// use handoffs_runtime::agent::Tool;
    ///
    /// fn careful(refund: impl Tool) -> impl Tool {
    ///     refund.needing(Needs::scope("Refund").at_most(50_000_000))
    /// }
    /// ```
    fn needing(self, needs: Needs) -> impl Tool
    where
        Self: Sized,
    {
        Around {
            tool: self,
            needs: Some(needs),
            budget: None,
        }
    }

    /// Returns what its calls may use up in a run, of whichever agent; by default there is no bound.
    /// [`budgeted`] gives a tool a budget.
    fn budget(&self) -> Budget {
        Budget::new()
    }

    /// Calls it with arguments as the model wrote them, and returns what the model reads.
    ///
    /// # Errors
    ///
    /// [`ToolError::Arguments`] and [`ToolError::Failed`] are told to the model, which may try again.
    /// [`ToolError::Asks`] pauses the run for a person.
    async fn call(&self, arguments: &str) -> Result<String, ToolError>;

    /// Goes on with a call that [asked](ToolError::Asks) something, now that a person has answered; or asks
    /// again.
    ///
    /// The process that was asked may be gone. What is known of the call is what it asked with. To budgets and
    /// grants it is one more call.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call). By default, that it takes no answers.
    async fn answered(
        &self,
        arguments: &str,
        asked: &ToolAsks,
        answer: &ToolAnswer,
    ) -> Result<String, ToolError> {
        let _ = (arguments, asked, answer);
        let error = "the tool asks, and takes no answer; write `Tool::answered` for it";
        Err(ToolError::Failed(error.into()))
    }
}

/// What a tool wants to know from a person before it can come to the end of a call.
///
/// The run pauses with `{"tool": .., "asks": ..}` as its question, to be resumed with a [`ToolAnswer`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolAsks {
    /// The question.
    pub question: Value,
    /// What the tool has to know to go on with the call.
    pub state: Value,
}

impl ToolAsks {
    /// Asks this; `state` comes back with the answer, in whichever process.
    pub const fn new(question: Value, state: Value) -> Self {
        Self { question, state }
    }
}

/// What a person says to what a tool asks: as JSON `{"action": "accept", "content": ..}`, or
/// `{"action": "decline"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
#[non_exhaustive]
pub enum ToolAnswer {
    /// The answer.
    #[non_exhaustive]
    Accept {
        /// What was asked for.
        #[serde(default)]
        content: Value,
    },
    /// That there will be none.
    Decline,
}

impl ToolAnswer {
    /// Answers with this.
    ///
    /// ```
    /// use handoffs_runtime::agent::ToolAnswer;
    /// use serde_json::json;
    ///
    /// let answer = ToolAnswer::accept(json!({ "name": "Ann" }));
    /// let json = serde_json::to_value(&answer)?;
    /// assert_eq!(json, json!({ "action": "accept", "content": { "name": "Ann" } }));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub const fn accept(content: Value) -> Self {
        Self::Accept { content }
    }
}

/// A tool with needs or a budget of somebody else's making. All else is the tool's own.
struct Around<T> {
    tool: T,
    needs: Option<Needs>,
    budget: Option<Budget>,
}

#[async_trait]
impl<T: Tool> Tool for Around<T> {
    fn spec(&self) -> ToolSpec {
        self.tool.spec()
    }

    fn may_repeat(&self) -> bool {
        self.tool.may_repeat()
    }

    fn needs(&self) -> Option<Needs> {
        self.needs.clone().or_else(|| self.tool.needs())
    }

    fn cost_micros(&self, arguments: &str, result: &str) -> Option<u64> {
        self.tool.cost_micros(arguments, result)
    }

    fn budget(&self) -> Budget {
        self.budget.unwrap_or_else(|| self.tool.budget())
    }

    async fn call(&self, arguments: &str) -> Result<String, ToolError> {
        self.tool.call(arguments).await
    }

    async fn answered(
        &self,
        arguments: &str,
        asked: &ToolAsks,
        answer: &ToolAnswer,
    ) -> Result<String, ToolError> {
        self.tool.answered(arguments, asked, answer).await
    }
}

/// Why a tool gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// The arguments are not what it takes.
    #[error("the arguments do not fit: {0}")]
    Arguments(#[source] serde_json::Error),
    /// It failed.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
    /// It is not at its end, as it wants to know something from a person first. With the answer, the call
    /// goes on in [`Tool::answered`].
    #[error("it asks: {}", .0.question)]
    Asks(Box<ToolAsks>),
}

impl From<ToolAsks> for ToolError {
    fn from(asks: ToolAsks) -> Self {
        Self::Asks(asks.into())
    }
}

/// Makes a tool of a function.
///
/// The arguments' type says what the model is told of them: their names, types and docs.
///
/// ```
/// use handoffs_runtime::agent::{Tool, tool};
/// use schemars::JsonSchema;
/// use serde::Deserialize;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Search {
///     /// What to look for.
///     query: String,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let search = tool("search", "Searches the handbook.", async |search: Search| {
///     Ok::<_, std::io::Error>(format!("nothing about {}", search.query))
/// });
/// assert_eq!(search.call(r#"{"query": "refunds"}"#).await?, "nothing about refunds");
/// assert!(search.call(r#"{"query": 12}"#).await.is_err());
/// # Ok(())
/// # }
/// ```
pub fn tool<A, R, E, F, Fut>(
    name: impl Into<String>,
    description: impl Into<String>,
    call: F,
) -> impl Tool
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    R: Serialize + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    F: Fn(A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send + 'static,
{
    Function {
        name: name.into(),
        description: description.into(),
        call,
        types: PhantomData,
    }
}

/// Bounds what the calls of a tool may use up in a run, of whichever agent.
///
/// ```
/// use handoffs_runtime::Budget;
/// use handoffs_runtime::agent::{Tool, budgeted};
///
/// /// A search that is dear.
/// fn seldom(search: impl Tool) -> impl Tool {
///     budgeted(search, Budget::new().calls(3))
/// }
/// ```
pub fn budgeted(tool: impl Tool, budget: Budget) -> impl Tool {
    Around {
        tool,
        needs: None,
        budget: Some(budget),
    }
}

type Types<A, R, E, Fut> = fn(A) -> (R, E, Fut);

struct Function<A, R, E, F, Fut> {
    name: String,
    description: String,
    call: F,
    types: PhantomData<Types<A, R, E, Fut>>,
}

#[async_trait]
impl<A, R, E, F, Fut> Tool for Function<A, R, E, F, Fut>
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    R: Serialize + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    F: Fn(A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send + 'static,
{
    fn spec(&self) -> ToolSpec {
        let schema = Value::from(schemars::schema_for!(A));
        ToolSpec::new(&*self.name, &*self.description, closed(schema))
    }

    async fn call(&self, arguments: &str) -> Result<String, ToolError> {
        let arguments = serde_json::from_str(arguments).map_err(ToolError::Arguments)?;
        let result = (self.call)(arguments).await;
        let result = result.map_err(|error| ToolError::Failed(error.into()))?;
        let value =
            serde_json::to_value(result).map_err(|error| ToolError::Failed(error.into()))?;
        // A text is read as it is, anything else as JSON.
        Ok(match value {
            Value::String(text) => text,
            value => value.to_string(),
        })
    }
}

impl fmt::Debug for dyn Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tool").field(&self.spec().name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Asking;

    #[async_trait]
    impl Tool for Asking {
        fn spec(&self) -> ToolSpec {
            ToolSpec::new("asking", "", Value::Null)
        }

        fn may_repeat(&self) -> bool {
            true
        }

        fn cost_micros(&self, _: &str, _: &str) -> Option<u64> {
            Some(3)
        }

        async fn call(&self, _: &str) -> Result<String, ToolError> {
            Err(ToolAsks::new(Value::Null, Value::Null).into())
        }

        async fn answered(
            &self,
            _: &str,
            _: &ToolAsks,
            answer: &ToolAnswer,
        ) -> Result<String, ToolError> {
            Ok(format!("{answer:?}"))
        }
    }

    #[tokio::test]
    async fn what_is_put_around_a_tool_changes_nothing_else() {
        let (needs, budget) = (Needs::scope("Pay"), Budget::new().calls(3));
        let one: Box<dyn Tool> = Box::new(budgeted(Asking.needing(needs.clone()), budget));
        let other: Box<dyn Tool> = Box::new(budgeted(Asking, budget).needing(needs.clone()));
        for tool in [one, other] {
            assert_eq!((tool.needs(), tool.budget()), (Some(needs.clone()), budget));
            assert_eq!(
                (tool.cost_micros("", ""), tool.may_repeat()),
                (Some(3), true)
            );
            let Err(ToolError::Asks(asked)) = tool.call("").await else {
                panic!("it asks")
            };
            let answer = tool.answered("", &asked, &ToolAnswer::Decline).await;
            assert_eq!(answer.ok().as_deref(), Some("Decline"));
        }
    }
}
