//! What can go wrong with a server.

use std::io;
use std::time::Duration;

use rmcp::ServiceError;
use rmcp::service::ClientInitializeError;

/// Why a server, or a call of one of its tools, came to nothing.
///
/// What goes wrong in a call is told to the model, in the words of this error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum McpError {
    /// The server's process does not start.
    #[error("the MCP server does not start")]
    Spawn(#[source] io::Error),
    /// The server started, and client and server came to no understanding.
    #[error("no connection to the MCP server")]
    Connect(#[source] Box<ClientInitializeError>),
    /// The server does not say which tools it has.
    #[error("the MCP server does not list its tools")]
    List(#[source] ServiceError),
    /// The tool was called, and said that it failed.
    #[error("{0}")]
    Tool(String),
    /// The server refused the call: there is no such tool, or the arguments are not what it takes.
    #[error("the MCP server refused the call: {0}")]
    Refused(String),
    /// The tool wants to know something that no person can say, or is not ready after a while. What a person
    /// can say is asked, and is no error.
    #[error("the tool was not called to its end, as it wants to know more: {0}")]
    Asks(String),
    /// What the tool wants to know, or was told, is no JSON.
    #[error("what the tool asks cannot be kept")]
    Unkept(#[source] serde_json::Error),
    /// The server had ended before.
    #[error("the MCP server has ended, so the tool was not called")]
    Ended,
    /// The server ended during the call.
    #[error("the MCP server ended during the call; whether the call was carried out is not known")]
    Lost(#[source] ServiceError),
    /// There was no answer in time. The server was told that nobody waits any more.
    #[error("no answer within {0:?}; whether the call was carried out is not known")]
    Timeout(Duration),
    /// The server gave an answer that is none to a call.
    #[error("the MCP server gave no answer that can be read")]
    Unreadable(#[source] ServiceError),
}

impl McpError {
    /// Sorts what came of a call that was sent.
    pub(crate) fn of_call(error: ServiceError) -> Self {
        match error {
            ServiceError::McpError(refusal) => Self::Refused(refusal.message.into_owned()),
            ServiceError::TransportSend(_) | ServiceError::TransportClosed => Self::Lost(error),
            // What else there is are answers of another kind, and calls that the server gave up.
            error => Self::Unreadable(error),
        }
    }
}
