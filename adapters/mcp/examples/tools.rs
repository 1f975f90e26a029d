//! Lists the tools of an MCP server as a model is told of them, or calls one.
//!
//! `tools PROGRAM [WORD ..]`, or `tools --call TOOL JSON PROGRAM [WORD ..]`
#![expect(clippy::print_stdout, reason = "a program for people prints")]

use std::env;
use std::error::Error;
use std::ffi::OsString;

use handoffs::agent::Tool;
use handoffs_mcp::McpServer;
use tokio::process::Command;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: tools [--call TOOL JSON] PROGRAM [WORD ..]";
    let mut words = env::args_os().skip(1).peekable();
    let mut call = None;
    if words.next_if(|word| word == "--call").is_some() {
        let text = |word: Option<OsString>| word.and_then(|word| word.into_string().ok());
        call = text(words.next()).zip(text(words.next()));
        call.as_ref().ok_or(usage)?;
    }
    let mut command = Command::new(words.next().ok_or(usage)?);
    command.args(words);
    let server = McpServer::spawn(command).await?;
    let mut tools = server.tools().await?.into_iter();
    if let Some((name, arguments)) = call {
        let tool = tools.find(|tool| tool.name() == name);
        let tool = tool.ok_or("the server has no such tool")?;
        println!("{}", tool.call(&arguments).await?);
    } else {
        println!("{}", server.name());
        for tool in tools {
            let spec = tool.spec();
            let once = if tool.may_repeat() { "" } else { ", once" };
            println!("\n{}{once}: {}", spec.name, spec.description);
            println!("{:#}", spec.parameters);
        }
    }
    server.close().await;
    Ok(())
}
