//! The tools of a real server, in a process of its own.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod common;

use std::time::Duration;

use common::{Bank, bank};
use handoffs::agent::{Tool, ToolError};
use handoffs_mcp::{McpError, McpServer, McpTool, distinct};
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

async fn tool(server: &McpServer, name: &str) -> McpTool {
    let mut tools = server.tools().await.unwrap().into_iter();
    tools.find(|tool| tool.name() == name).unwrap()
}

/// Returns what a model would read of an error.
async fn complaint(tool: &McpTool, arguments: &str) -> (McpError, String) {
    match tool.call(arguments).await {
        Err(ToolError::Failed(error)) => {
            let text = error.to_string();
            (*error.downcast().unwrap(), text)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_tool_is_what_the_server_describes() {
    let Bank { server, .. } = bank(&[]).await;
    assert_eq!(server.name(), "bank");
    let instructions = server.instructions();
    assert_eq!(
        instructions.as_deref(),
        Some("Charge only what the customer agreed to.")
    );
    let charge = tool(&server, "charge").await;
    let spec = charge.spec();
    assert_eq!(spec.description, "Charges the customer.");
    let schema = json!({
        "type": "object",
        "properties": { "amount": { "type": "integer", "description": "In cents." } },
        "required": ["amount"],
    });
    assert_eq!(spec.parameters, schema);
    assert!(!charge.may_repeat(), "it does not say that it may be");

    let balance = tool(&server, "bank_balance").await;
    assert_eq!(balance.described().name, "bank.balance");
    assert!(balance.may_repeat(), "it only reads");
    assert!(!balance.repeatable(false).may_repeat());
}

#[tokio::test]
async fn a_tool_is_called_by_the_name_that_the_server_knows() {
    for words in [&[][..], &["old"]] {
        let bank = bank(words).await;
        let charge = tool(&bank.server, "charge").await.renamed("take_money");
        assert_eq!(charge.call(r#"{"amount": 5}"#).await.unwrap(), "charged 5");
        let balance = tool(&bank.server, "bank_balance").await;
        assert_eq!(balance.call("").await.unwrap(), r#"{"balance":5}"#);
        let picture = tool(&bank.server, "picture").await;
        let seen = picture.call("{}").await.unwrap();
        assert_eq!(seen, "[image, image/png, 5 bytes, not shown]");
        assert_eq!(bank.ledger(), ["charge 5", "balance"]);
    }
}

#[tokio::test]
async fn a_failed_tool_and_a_refused_call_are_told_in_the_words_of_the_server() {
    let Bank { server, .. } = &bank(&[]).await;
    let (error, text) = complaint(&tool(server, "fail").await, "{}").await;
    assert!(matches!(error, McpError::Tool(_)));
    assert_eq!(text, "the vault is shut");
    let charge = tool(server, "charge").await;
    let (error, text) = complaint(&charge, r#"{"amount": "much"}"#).await;
    assert!(matches!(error, McpError::Refused(_)));
    assert_eq!(
        text,
        "the MCP server refused the call: `amount` is no number"
    );
    let error = charge.call("[1]").await;
    assert!(matches!(error, Err(ToolError::Arguments(_))), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_not_ready_is_asked_again() {
    let Bank { server, .. } = &bank(&[]).await;
    assert_eq!(tool(server, "open").await.call("{}").await.unwrap(), "open");
}

#[tokio::test]
async fn an_older_server_that_asks_in_mid_call_is_told_that_nobody_chose() {
    let Bank { server, .. } = &bank(&["old"]).await;
    let said = tool(server, "confirm").await.call("{}").await.unwrap();
    assert_eq!(said, r#"{"action":"cancel"}"#);
}

#[tokio::test]
async fn a_server_that_dies_in_mid_call_is_told_and_every_call_after_it_is_not_made() {
    let bank = bank(&[]).await;
    let die = tool(&bank.server, "die").await;
    let charge = tool(&bank.server, "charge").await;
    let (error, text) = complaint(&die, "{}").await;
    assert!(matches!(error, McpError::Lost(_)), "{error:?}");
    assert!(text.ends_with("whether the call was carried out is not known"));
    assert!(!bank.server.changed().await, "it has ended");
    let (error, _) = complaint(&charge, r#"{"amount": 1}"#).await;
    assert!(matches!(error, McpError::Ended), "{error:?}");
    assert_eq!(bank.ledger(), ["die"]);
}

#[tokio::test]
async fn a_server_learns_that_nobody_waits_any_more() {
    for words in [&[][..], &["old"]] {
        let bank = bank(words).await;
        let wait = tool(&bank.server, "wait").await;
        let short = wait.clone().within(Duration::from_millis(200));
        let (error, _) = complaint(&short, "{}").await;
        assert!(matches!(error, McpError::Timeout(_)));
        bank.until(&["wait", "nobody waits any more"]).await;
        // The same if the caller goes away, as when the run is cancelled.
        let dropped = timeout(Duration::from_millis(200), wait.call("{}")).await;
        assert!(dropped.is_err());
        bank.until(&[
            "wait",
            "nobody waits any more",
            "wait",
            "nobody waits any more",
        ])
        .await;
    }
}

#[tokio::test]
async fn it_is_heard_when_a_server_has_other_tools() {
    for words in [&[][..], &["old"]] {
        let Bank { server, .. } = &bank(words).await;
        let offer = tool(server, "offer_loans").await;
        offer.call("{}").await.unwrap();
        assert!(server.changed().await);
        tool(server, "lend").await;
        let again = timeout(Duration::from_millis(50), server.changed()).await;
        assert!(again.is_err(), "it is heard once");
    }
}

#[tokio::test]
async fn tools_that_have_one_name_take_that_of_their_server() {
    let (one, two) = (
        bank(&[]).await.server,
        bank(&[]).await.server.named("other"),
    );
    let only = |tools: Vec<McpTool>, names: [&str; 2]| {
        let tools = tools.into_iter();
        let tools = tools.filter(move |tool| names.contains(&tool.name()));
        tools.collect::<Vec<_>>()
    };
    let ones = only(one.tools().await.unwrap(), ["charge", "wait"]);
    let twos = only(two.tools().await.unwrap(), ["charge", "open"]);
    let tools = distinct([ones, twos].concat());
    let names: Vec<_> = tools.iter().map(McpTool::name).collect();
    assert_eq!(names, ["bank_charge", "wait", "other_charge", "open"]);
}

#[tokio::test]
async fn what_is_no_server_is_an_error() {
    let gone = McpServer::spawn(Command::new("/no/such/program")).await;
    assert!(matches!(gone, Err(McpError::Spawn(_))), "{gone:?}");
    let mute = McpServer::spawn(Command::new("true")).await;
    assert!(matches!(mute, Err(McpError::Connect(_))), "{mute:?}");
}

#[tokio::test]
async fn a_closed_connection_is_closed_for_all_its_tools() {
    let bank = bank(&[]).await;
    let charge = tool(&bank.server, "charge").await;
    bank.server.clone().close().await;
    assert!(bank.server.has_ended());
    let (error, _) = complaint(&charge, r#"{"amount": 1}"#).await;
    assert!(matches!(error, McpError::Ended));
    assert!(bank.ledger().is_empty());
}
