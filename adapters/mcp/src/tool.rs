//! A tool of a server, as a tool of an agent.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use handoffs::agent::{Tool, ToolAnswer, ToolAsks, ToolError, ToolSpec};
use rmcp::model::{CallToolRequestParams, ToolAnnotations};
use serde_json::json;
use tokio::time::timeout;

use crate::error::McpError;
use crate::pending::Pending;
use crate::server::{Answer, McpServer};
use crate::text;

/// A tool of an [`McpServer`].
///
/// It is what the server describes: its name, its description, the JSON Schema of its arguments. What no
/// model takes in a name, such as a dot, becomes an underscore, and a name ends after 64 characters.
///
/// If the server says that the tool only reads, or is idempotent, it
/// [may be repeated](Tool::may_repeat); any other is called once, and after a crash in mid-call the run
/// stops and says so. These are hints of the server: overrule those of one that you do not trust with
/// [`repeatable`](Self::repeatable).
///
/// ```no_run
/// use std::time::Duration;
///
/// use handoffs::Outcome;
/// use handoffs::agent::{Agent, Conversation, Model};
/// use handoffs_mcp::McpServer;
///
/// # async fn desk<S: Conversation, O: Outcome>(
/// #     model: impl Model, server: McpServer,
/// # ) -> Result<Agent<S, O>, handoffs_mcp::McpError> {
/// let tools = server.tools().await?.into_iter();
/// let tools = tools.filter(|tool| tool.name() != "delete_repository");
/// let tools = tools.map(|tool| tool.prefixed("git").within(Duration::from_secs(30)));
/// Ok(Agent::new(model).tools(tools))
/// # }
/// ```
#[derive(Clone)]
pub struct McpTool {
    server: McpServer,
    /// As the server knows it.
    tool: Arc<rmcp::model::Tool>,
    /// As the model knows it.
    name: String,
    may_repeat: bool,
    within: Option<Duration>,
}

/// How long a name may be for the models that are most particular.
const LONGEST: usize = 64;

impl McpTool {
    pub(crate) fn new(server: McpServer, tool: rmcp::model::Tool) -> Self {
        Self {
            server,
            name: plain(&tool.name),
            may_repeat: tool.annotations.as_ref().is_some_and(is_repeatable),
            tool: Arc::new(tool),
            within: None,
        }
    }

    /// Returns the name by which the model knows the tool.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the tool as the server described it.
    pub fn described(&self) -> &rmcp::model::Tool {
        &self.tool
    }

    /// Lets the model know the tool by another name.
    pub fn renamed(mut self, name: impl AsRef<str>) -> Self {
        self.name = plain(name.as_ref());
        self
    }

    /// Puts something before the name, such as `git` before `log`, which makes `git_log`.
    pub fn prefixed(self, prefix: impl AsRef<str>) -> Self {
        let name = format!("{}_{}", prefix.as_ref(), self.name);
        self.renamed(name)
    }

    /// Says whether it does no harm to call the tool again, whatever the server says.
    pub fn repeatable(mut self, may_repeat: bool) -> Self {
        self.may_repeat = may_repeat;
        self
    }

    /// Waits so long for an answer, and not for ever: then the server is told that nobody waits any more, and
    /// the model reads [`McpError::Timeout`].
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }

    /// Makes a call, and reads what comes of it.
    async fn make(&self, call: CallToolRequestParams) -> Result<String, ToolError> {
        let answer = self.server.call(call);
        let answer = match self.within {
            None => answer.await,
            Some(limit) => {
                let answer = timeout(limit, answer).await;
                answer.unwrap_or(Err(McpError::Timeout(limit)))
            }
        };
        match answer.map_err(failed)? {
            Answer::Result(result) if result.is_error == Some(true) => {
                Err(failed(McpError::Tool(text::result(result))))
            }
            Answer::Result(result) => Ok(text::result(result)),
            Answer::Asks(asks) => Err(asks.into()),
        }
    }

    fn to_call(&self, arguments: &str) -> Result<CallToolRequestParams, ToolError> {
        let arguments = match arguments.trim() {
            "" => "{}",
            arguments => arguments,
        };
        let arguments = serde_json::from_str(arguments).map_err(ToolError::Arguments)?;
        Ok(CallToolRequestParams::new(self.tool.name.clone()).with_arguments(arguments))
    }
}

#[async_trait]
impl Tool for McpTool {
    fn spec(&self) -> ToolSpec {
        let tool = &self.tool;
        let description = tool.description.as_deref().or(tool.title.as_deref());
        let mut parameters = (*tool.input_schema).clone();
        // Which schema language it is in is said nowhere else either, and some models refuse an object
        // that does not list its properties.
        parameters.remove("$schema");
        parameters.entry("type").or_insert_with(|| json!("object"));
        parameters.entry("properties").or_insert_with(|| json!({}));
        ToolSpec::new(
            &*self.name,
            description.unwrap_or_default(),
            parameters.into(),
        )
    }

    fn may_repeat(&self) -> bool {
        self.may_repeat
    }

    /// Calls the tool, and returns the texts of what came of it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the server is told that nobody waits any more.
    async fn call(&self, arguments: &str) -> Result<String, ToolError> {
        self.make(self.to_call(arguments)?).await
    }

    /// Puts the next question, if the server had several, or calls the tool again with the answers.
    async fn answered(
        &self,
        arguments: &str,
        asked: &ToolAsks,
        answer: &ToolAnswer,
    ) -> Result<String, ToolError> {
        let pending = Pending::answered(asked, answer).map_err(failed)?;
        match pending.asks().map_err(failed)? {
            Some(asks) => Err(asks.into()),
            None => self.make(pending.put_into(self.to_call(arguments)?)).await,
        }
    }
}

impl fmt::Debug for McpTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpTool")
            .field("name", &self.name)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// Puts the [name of its server](McpServer::name) before the name of each tool that is not the only one
/// with its name, as an agent's tools need names of their own.
///
/// ```no_run
/// use handoffs::Outcome;
/// use handoffs::agent::{Agent, Conversation, Model};
/// use handoffs_mcp::{McpServer, distinct};
///
/// # async fn desk<S: Conversation, O: Outcome>(
/// #     model: impl Model, git: McpServer, wiki: McpServer,
/// # ) -> Result<Agent<S, O>, handoffs_mcp::McpError> {
/// let tools = [git.tools().await?, wiki.tools().await?].concat();
/// // Both have a `search`: now one of them is `git_search`, the other `wiki_search`.
/// Ok(Agent::new(model).tools(distinct(tools)))
/// # }
/// ```
pub fn distinct(tools: impl IntoIterator<Item = McpTool>) -> Vec<McpTool> {
    let tools: Vec<_> = tools.into_iter().collect();
    let mut named = BTreeMap::<_, u32>::new();
    for tool in &tools {
        *named.entry(tool.name.clone()).or_default() += 1;
    }
    let tools = tools.into_iter().map(|tool| {
        if named[&tool.name] == 1 {
            return tool;
        }
        let server = tool.server.name().to_owned();
        tool.prefixed(server)
    });
    tools.collect()
}

fn failed(error: McpError) -> ToolError {
    ToolError::Failed(error.into())
}

fn is_repeatable(hints: &ToolAnnotations) -> bool {
    hints.read_only_hint == Some(true) || hints.idempotent_hint == Some(true)
}

/// Makes a name of what every model takes in one.
fn plain(name: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let letters = name.chars().take(LONGEST);
    letters
        .map(|letter| if fits(letter) { letter } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_what_every_model_takes() {
        assert_eq!(plain("git.log"), "git_log");
        assert_eq!(plain("read-file_2"), "read-file_2");
        assert_eq!(plain("wörter und mehr"), "w_rter_und_mehr");
        assert_eq!(plain(&"x".repeat(100)).len(), 64);
    }

    #[test]
    fn only_what_the_server_says_may_be_repeated_may_be() {
        let hints = ToolAnnotations::new;
        assert!(!is_repeatable(&hints()));
        assert!(!is_repeatable(&hints().destructive(false)));
        assert!(!is_repeatable(&hints().read_only(false)));
        assert!(is_repeatable(&hints().read_only(true)));
        assert!(is_repeatable(&hints().idempotent(true)));
    }
}
