//! Agents with the tools of a real server, over crashes of ours and of the server's.
//!
//! The process that crashes is this same test binary: `child` is a test that does nothing unless it is told to.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod common;

use std::env;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{self, Command, Stdio};

use common::{ledger, read};
use handoffs::agent::{
    Agent, Call, Choice, Given, Message, Model, ModelError, Reply, Request, Script, ScriptedModel,
    ToolAnswer,
};
use handoffs::prelude::*;
use handoffs::{RunError, async_trait};
use handoffs_mcp::McpServer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
struct Talk {
    #[state(messages)]
    messages: Log<Message>,
}

#[derive(Outcome, Debug, PartialEq)]
enum Done {
    #[outcome(answer)]
    Done(String),
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = teller)]
struct Counter {
    #[route(_ => end)]
    teller: Agent<Talk, Done>,
}

const THREAD: &str = "t";

async fn server(folder: &Path, kills: bool) -> McpServer {
    let mut command = common::command(&ledger(folder));
    if kills {
        command.env("BANK_KILLS", process::id().to_string());
    }
    McpServer::spawn(command).await.unwrap()
}

async fn counter(model: impl Model, server: &McpServer, folder: &Path) -> Runtime<Counter, Sqlite> {
    let journal = Sqlite::open(folder.join("journal.db")).await.unwrap();
    let tools = server.tools().await.unwrap();
    let teller = Agent::new(model).tools(tools);
    Runtime::new(Counter { teller }).journal(journal)
}

fn asked() -> Talk {
    Talk {
        messages: Log::from(vec![Message::user("Charge me 5, please.")]),
    }
}

fn calls(talk: &Talk) -> Vec<Call> {
    let turns = talk.messages.iter().filter_map(|message| match message {
        Message::Agent(turn) => Some(turn.calls.clone()),
        _ => None,
    });
    turns.flatten().collect()
}

#[tokio::test]
async fn an_agent_has_the_tools_of_a_server_and_reads_what_comes_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), false).await;
    let model = ScriptedModel::new([
        Script::call("charge", json!({ "amount": 5 })).and_call("bank_balance", json!({})),
        Script::call("fail", json!({})),
        Script::say("Done."),
    ]);
    let runtime = counter(model.clone(), &server, folder.path()).await;
    let run = runtime.thread(THREAD).run(asked()).await.unwrap();
    let talk = run.finished().unwrap();
    let given: Vec<_> = calls(&talk).into_iter().map(|call| call.given).collect();
    let expected = [
        Given::Result("charged 5".to_owned()),
        Given::Result(r#"{"balance":5}"#.to_owned()),
        Given::Error("the vault is shut".to_owned()),
    ];
    assert_eq!(given, expected);
    let request = &model.requests()[0];
    let offered: Vec<_> = request.tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(offered[..3], ["charge", "bank_balance", "wait"]);
    assert_eq!(request.choice, Choice::Auto);
    let charged = request.tools[0].parameters["required"].clone();
    assert_eq!(charged, json!(["amount"]));
    assert_eq!(read(&ledger(folder.path())), ["charge 5", "balance"]);
}

#[tokio::test]
async fn a_model_reads_that_the_server_died_in_mid_call_and_can_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), false).await;
    let model = ScriptedModel::new([
        Script::call("die", json!({})).and_call("charge", json!({ "amount": 5 })),
        Script::say("The bank is down."),
    ]);
    let runtime = counter(model, &server, folder.path()).await;
    let run = runtime.thread(THREAD).run(asked()).await.unwrap();
    let calls = calls(&run.finished().unwrap());
    let Given::Error(lost) = &calls[0].given else {
        panic!("{calls:?}")
    };
    assert!(
        lost.contains("whether the call was carried out is not known"),
        "{lost}"
    );
    let Given::Error(ended) = &calls[1].given else {
        panic!("{calls:?}")
    };
    assert!(ended.contains("the tool was not called"), "{ended}");
    assert_eq!(read(&ledger(folder.path())), ["die"]);
}

#[tokio::test]
async fn what_a_server_asks_in_mid_call_is_asked_of_a_person_and_the_server_is_told_the_answers() {
    let folder = tempfile::tempdir().unwrap();
    let model = || ScriptedModel::new([Script::call("sign", json!({})), Script::say("Done.")]);
    let first = counter(model(), &server(folder.path(), false).await, folder.path()).await;
    let ask = first.thread(THREAD).run(asked()).await.unwrap();
    let ask = ask.paused().unwrap();
    let expected = json!({ "tool": "sign", "asks": {
        "mode": "form",
        "message": "When?",
        "requestedSchema": { "type": "object", "properties": { "date": { "type": "string" } } },
    } });
    assert_eq!(ask.question.to::<Value>().unwrap(), expected);
    // Whoever asked is gone, and so is the server.
    drop(first);

    let script = ScriptedModel::new([Script::say("Done.")]);
    let other = counter(script, &server(folder.path(), false).await, folder.path()).await;
    let thread = other.thread(THREAD);
    let wrong = thread.resume(ask.id, "tomorrow").await;
    assert!(
        matches!(wrong, Err(RunError::WrongAnswer { .. })),
        "{wrong:?}"
    );
    let when = ToolAnswer::accept(json!({ "date": "tomorrow" }));
    let ask = thread.resume(ask.id, when).await.unwrap().paused().unwrap();
    assert!(ask.question.as_str().contains("Who signs?"));
    let run = thread.resume(ask.id, ToolAnswer::Decline).await.unwrap();
    let calls = calls(&run.finished().unwrap());
    let line = r#"page 2: {"action":"decline"} {"action":"accept","content":{"date":"tomorrow"}}"#;
    assert_eq!(calls[0].given, Given::Result(line.to_owned()));
    assert_eq!(read(&ledger(folder.path())), [line]);
}

// ---- Crashes of our side.

/// A model in whose second turn the process dies.
#[derive(Debug)]
struct Deadly(ScriptedModel);

#[async_trait]
impl Model for Deadly {
    async fn turn(
        &self,
        request: &Request,
        said: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        if !self.0.requests().is_empty() {
            process::abort();
        }
        self.0.turn(request, said).await
    }
}

/// What a child is to do: `TOOL MOMENT FOLDER`.
const TOLD: &str = "HANDOFFS_MCP_CHILD";

#[tokio::test]
async fn child() {
    let Ok(told) = env::var(TOLD) else {
        return;
    };
    let mut words = told.splitn(3, ' ');
    let mut word = || words.next().unwrap();
    let (tool, moment, folder) = (word(), word(), Path::new(word()));
    let server = server(folder, moment == "during").await;
    let model = Deadly(script(tool));
    let runtime = counter(model, &server, folder).await;
    let run = runtime.thread(THREAD).run(asked()).await;
    panic!("it should be dead: {run:?}");
}

fn script(tool: &str) -> ScriptedModel {
    let arguments = json!({ "amount": 5 });
    ScriptedModel::new([Script::call(tool, arguments), Script::say("Done.")])
}

/// Has a process die during the call of a tool, or behind it.
fn crash(tool: &str, moment: &str, folder: &Path) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]);
    let told = format!("{tool} {moment} {}", folder.display());
    // No pipe: the server holds its end of it a while longer.
    let stderr = folder.join("stderr");
    let command = command.env(TOLD, told).stdout(Stdio::null());
    let status = command.stderr(File::create(&stderr).unwrap()).status();
    let status = status.unwrap();
    let said = fs::read_to_string(stderr).unwrap();
    assert!(status.signal().is_some(), "{status}: {said}");
}

/// Takes the run of a dead process up again. The model's first turn is kept, so it only has the last one.
async fn recover(folder: &Path) -> Result<Talk, RunError> {
    let server = server(folder, false).await;
    let model = ScriptedModel::new([Script::say("Done.")]);
    let runtime = counter(model, &server, folder).await;
    let run = runtime.thread(THREAD).recover().await?;
    Ok(run.finished().unwrap())
}

#[tokio::test]
async fn a_call_whose_result_is_kept_is_not_made_again_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    crash("charge", "behind", folder.path());
    let talk = recover(folder.path()).await.unwrap();
    assert_eq!(calls(&talk)[0].given, Given::Result("charged 5".to_owned()));
    assert_eq!(read(&ledger(folder.path())), ["charge 5"]);
}

#[tokio::test]
async fn a_call_that_nobody_knows_the_end_of_is_not_made_again_and_the_run_says_so() {
    let folder = tempfile::tempdir().unwrap();
    crash("charge", "during", folder.path());
    let error = recover(folder.path()).await.unwrap_err();
    assert!(matches!(error, RunError::Unknown { .. }), "{error}");
    assert_eq!(read(&ledger(folder.path())), ["charge 5"]);
}

#[tokio::test]
async fn a_call_that_only_reads_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    crash("bank_balance", "during", folder.path());
    let talk = recover(folder.path()).await.unwrap();
    let read_again = Given::Result(r#"{"balance":0}"#.to_owned());
    assert_eq!(calls(&talk)[0].given, read_again);
    assert_eq!(read(&ledger(folder.path())), ["balance", "balance"]);
}
