#![doc = include_str!("../README.md")]

mod error;
mod pending;
mod server;
mod text;
mod tool;

pub use error::McpError;
pub use server::McpServer;
pub use tool::{McpTool, distinct};

/// The protocol's own crate, in the version whose transports [`McpServer::over`] takes.
#[doc(no_inline)]
pub use rmcp;
