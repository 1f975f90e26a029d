//! What an agent can do besides talking and handing over.

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::model::ToolSpec;
use super::offer::closed;
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
    async fn call(&self, arguments: &str) -> Result<String, ToolError>;
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
    Budgeted { tool, budget }
}

struct Budgeted<T> {
    tool: T,
    budget: Budget,
}

#[async_trait]
impl<T: Tool> Tool for Budgeted<T> {
    fn spec(&self) -> ToolSpec {
        self.tool.spec()
    }

    fn may_repeat(&self) -> bool {
        self.tool.may_repeat()
    }

    fn budget(&self) -> Budget {
        self.budget
    }

    async fn call(&self, arguments: &str) -> Result<String, ToolError> {
        self.tool.call(arguments).await
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
