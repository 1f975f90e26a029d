//! Agents whose model is at the other end of a real HTTP connection, in a graph with a journal on a disk.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod fixture;

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fixture::{Server, Turn, say};
use futures::StreamExt;
use handoffs::agent::schemars::{self, JsonSchema};
use handoffs::agent::{
    Agent, AgentEvent, Given, Message, Model, ModelError, Recording, Replay, Request, Tool, tool,
};
use handoffs::prelude::*;
use handoffs::{Conclusion, Entry, Recorded};
use handoffs_rig::openai_compatible;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
struct Ticket {
    #[state(messages)]
    messages: Log<Message>,
}

/// What triage can conclude.
#[derive(Outcome, Debug, PartialEq)]
enum Triaged {
    /// Charges, invoices and refunds.
    Billing {
        /// What it is about.
        reason: String,
    },
    #[outcome(answer)]
    Answered(String),
}

#[derive(Outcome, Debug, PartialEq)]
enum Billed {
    #[outcome(answer)]
    Done {
        /// How much was paid back.
        sum: u32,
    },
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Desk {
    #[route(Triaged::Billing { .. } => billing, Triaged::Answered(_) => end)]
    #[retry(times = 3, backoff = "1ms", on = ModelError::is_transient)]
    triage: Agent<Ticket, Triaged>,
    #[route(_ => end)]
    billing: Agent<Ticket, Billed>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct Pay {
    sum: u32,
}

fn pay(paid: &Arc<AtomicU32>) -> impl Tool + use<> {
    let paid = Arc::clone(paid);
    tool("pay", "Pays back.", move |pay: Pay| {
        let paid = Arc::clone(&paid);
        async move {
            paid.fetch_add(pay.sum, Ordering::Relaxed);
            Ok::<_, io::Error>("paid")
        }
    })
}

fn desk(triage: impl Model + Clone) -> Desk {
    Desk {
        triage: Agent::new(triage.clone()).instructions("You find the desk."),
        billing: Agent::new(triage).instructions("You handle money."),
    }
}

fn asked() -> Ticket {
    Ticket {
        messages: Log::from(vec![Message::user("I was charged twice")]),
    }
}

async fn runtime(desk: Desk, folder: &Path) -> Runtime<Desk, Sqlite> {
    let journal = Sqlite::open(folder.join("journal.sqlite")).await.unwrap();
    Runtime::new(desk).journal(journal)
}

/// What a listener hears, and how the run ended.
async fn listen(runtime: &Runtime<Desk, Sqlite>) -> (Vec<String>, Result<Ticket, RunError>) {
    let mut events = runtime.thread("t").stream(asked());
    let mut lines = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Agent { node, event, .. }) => match event {
                AgentEvent::Said(piece) => lines.push(format!("{node}: {piece}")),
                AgentEvent::Called(call) => lines.push(format!("{node} calls {}", call.tool)),
                AgentEvent::Mistake { told, .. } => lines.push(format!("{node} is told {told}")),
                _ => {}
            },
            Ok(Event::Stepped { node, outcome, .. }) => {
                lines.push(format!("{node} concludes {}", outcome.variant));
            }
            Ok(Event::Attempted { node, error, .. }) => {
                lines.push(format!("{node} fails: {error}"));
            }
            Ok(Event::Finished(ticket)) => return (lines, Ok(ticket)),
            Ok(_) => {}
            Err(error) => return (lines, Err(error)),
        }
    }
    panic!("the stream ended before the run")
}

fn texts(ticket: &Ticket) -> Vec<&str> {
    ticket.messages.iter().map(Message::text).collect()
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn turns() -> [Turn; 2] {
    [
        say("Let me see.")
            .call("transfer_to_billing", r#"{"reason":"charged twice"}"#)
            .usage(100, 20)
            .into(),
        say(r#"{"sum":12}"#).usage(200, 10).into(),
    ]
}

#[tokio::test]
async fn a_graph_of_agents_talks_to_a_server_with_and_without_streaming() {
    for streams in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(turns()).await;
        let model = server.model();
        let model = if streams { model } else { model.whole() };
        let runtime = runtime(desk(model), folder.path()).await;
        let (lines, ticket) = listen(&runtime).await;
        ticket.unwrap();
        let pieces = ["triage: Let ", "triage: me ", "triage: see."];
        let pieces = if streams { &pieces[..] } else { &[] };
        let sums = if streams {
            &[r#"billing: {"sum":12}"#][..]
        } else {
            &[]
        };
        let concluded = ["triage concludes Billing", "billing concludes Done"];
        let expected = [pieces, &concluded[..1], sums, &concluded[1..]].concat();
        assert_eq!(lines, expected);

        let thread = runtime.thread("t");
        let history = thread.history().await.unwrap();
        let used: Vec<_> = history.iter().filter_map(stepped).collect();
        let expected = [("Billing", 100, 20), ("Done", 200, 10)];
        assert_eq!(
            used,
            expected.map(|(variant, i, o)| (variant.to_owned(), i, o))
        );

        let asked = server.asked();
        let request = &asked[0].body;
        assert_eq!(asked[0].headers["authorization"], "Bearer key-of-a-test");
        assert_eq!(request["model"], "small");
        assert_eq!(request["messages"][0]["role"], "system");
        assert_eq!(
            request["messages"][0]["content"][0]["text"],
            "You find the desk."
        );
        let first = json!({ "role": "user", "content": "I was charged twice" });
        assert_eq!(request["messages"][1], first);
        assert_eq!(
            request["tools"],
            json!([{
                "type": "function",
                "function": {
                    "name": "transfer_to_billing",
                    "description": "Charges, invoices and refunds.",
                    "parameters": {
                        "type": "object",
                        "properties": {
                            "reason": { "type": "string", "description": "What it is about." },
                        },
                        "required": ["reason"],
                        "additionalProperties": false,
                    },
                },
            }])
        );
        // What has to be answered with is told in the provider's way.
        let schema = &asked[1].body["response_format"]["json_schema"]["schema"];
        assert_eq!(schema["required"], json!(["sum"]), "{}", asked[1].body);
    }
}

fn stepped(entry: &Entry) -> Option<(String, u64, u64)> {
    let Recorded::Stepped {
        outcome: Conclusion { variant, .. },
        usage,
        ..
    } = &entry.event
    else {
        return None;
    };
    Some((variant.to_string(), usage.input_tokens, usage.output_tokens))
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let slow_down = r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#;
    let server = Server::start([
        Turn::Status(429, vec![("retry-after-ms", "300")], slow_down),
        Turn::Status(429, vec![("retry-after", "1")], slow_down),
        say("Hello.").into(),
    ])
    .await;
    let runtime = runtime(desk(server.model()), folder.path()).await;
    let (lines, ticket) = listen(&runtime).await;
    assert_eq!(texts(&ticket.unwrap()), ["I was charged twice", "Hello."]);
    let busy = "triage fails: the node returned an error: the model is busy or the caller is over its limit";
    assert_eq!(
        lines,
        [busy, busy, "triage: Hello.", "triage concludes Answered"]
    );
    let at: Vec<_> = server.asked().iter().map(|asked| asked.at).collect();
    assert!(at[1] - at[0] >= Duration::from_millis(300), "{at:?}");
    assert!(at[2] - at[1] >= Duration::from_secs(1), "{at:?}");
}

#[tokio::test]
async fn a_turn_that_is_cut_off_is_asked_again_and_nothing_of_it_is_in_the_log() {
    for cut in [Turn::Cut("My name is "), Turn::EndEarly("My name is ")] {
        let folder = tempfile::tempdir().unwrap();
        let case = format!("{cut:?}");
        let server = Server::start([cut, say("Hello.").into()]).await;
        let runtime = runtime(desk(server.model()), folder.path()).await;
        let (lines, ticket) = listen(&runtime).await;
        assert_eq!(
            texts(&ticket.unwrap()),
            ["I was charged twice", "Hello."],
            "{case}"
        );
        // How much of it came before the cut is the network's matter.
        let failed = lines
            .iter()
            .position(|line| line.contains("was cut off"))
            .unwrap();
        let pieces = ["triage: My ", "triage: name ", "triage: is "];
        assert_eq!(lines[..failed], pieces[..failed], "{case}");
        let rest = ["triage: Hello.", "triage concludes Answered"];
        assert_eq!(lines[failed + 1..], rest, "{case}");
        assert_eq!(server.asked()[0].body, server.asked()[1].body, "{case}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_or_is_refused_is_not_asked_again() {
    let cases = [
        (
            true,
            Turn::Garbage("data: {\"choices\": [{\n\n"),
            "cannot be read",
        ),
        (false, Turn::Garbage("<html>"), "cannot be read"),
        (false, Turn::Garbage("{\"choices\": []}"), "cannot be read"),
        (
            true,
            Turn::Status(401, vec![], "no such key"),
            "no such key",
        ),
        (
            false,
            Turn::Status(404, vec![], "no such model"),
            "no such model",
        ),
    ];
    for (streams, turn, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let case = format!("{turn:?}");
        let server = Server::start([turn]).await;
        let model = server.model();
        let model = if streams { model } else { model.whole() };
        let runtime = runtime(desk(model), folder.path()).await;
        let error = chain(&listen(&runtime).await.1.unwrap_err());
        assert!(error.contains(expected), "{case}: {error}");
        assert_eq!(server.asked().len(), 1, "{case}: {error}");
    }
}

#[tokio::test]
async fn where_nobody_listens_the_model_is_unreachable() {
    let model = openai_compatible("http://127.0.0.1:1/v1", "", "small");
    let turn = model.turn(&Request::default(), &|_| {}).await;
    // Nothing was asked, which is another matter.
    assert!(matches!(turn, Err(ModelError::Refused(_))), "{turn:?}");
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime(desk(model), folder.path()).await;
    let (lines, ticket) = listen(&runtime).await;
    assert!(chain(&ticket.unwrap_err()).contains("could not be reached"));
    assert_eq!(lines.len(), 2, "it is tried three times: {lines:?}");
}

#[tokio::test]
async fn pieces_come_as_they_are_said_and_dropping_the_run_hangs_up() {
    let folder = tempfile::tempdir().unwrap();
    let pause = Duration::from_millis(50);
    let long = say("one two three four five six seven eight nine ten").slowly(pause);
    let server = Server::start([long.into()]).await;
    let runtime = runtime(desk(server.model()), folder.path()).await;
    let mut events = runtime.thread("t").stream(asked());
    while let Some(event) = events.next().await {
        if let Event::Agent { event, .. } = event.unwrap() {
            assert_eq!(event, AgentEvent::Said("one ".to_owned()));
            break;
        }
    }
    assert!(server.sent() < 10, "the rest is not said yet");
    drop(events);
    let hung_up = tokio::time::timeout(Duration::from_secs(10), server.hung_up()).await;
    hung_up.expect("the server notices");
    assert!(server.sent() < 10);
}

#[tokio::test]
async fn a_tool_that_a_model_calls_is_done_once_though_the_process_dies_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start([
        say("").call("pay", r#"{"sum":12}"#).into(),
        say("It is never said to the end")
            .slowly(Duration::from_mins(10))
            .into(),
        say("Paid back.").into(),
    ])
    .await;
    let paid = Arc::new(AtomicU32::new(0));
    let graph = || {
        let mut desk = desk(server.model());
        desk.triage = desk.triage.tool(pay(&paid));
        desk
    };
    let died = async {
        let runtime = runtime(graph(), folder.path()).await;
        runtime.thread("t").run(asked()).await
    };
    let second = async {
        while server.asked().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        died = died => panic!("{died:?}"),
        () = second => {}
    }
    let again = runtime(graph(), folder.path()).await;
    let run = again.thread("t").recover().await.unwrap();
    let ticket = run.finished().unwrap();
    assert_eq!(texts(&ticket), ["I was charged twice", "", "Paid back."]);
    assert_eq!(paid.load(Ordering::Relaxed), 12);
    let asked = server.asked();
    assert_eq!(asked.len(), 3, "the first turn is not asked again");
    assert_eq!(asked[1].body, asked[2].body);
    let messages = asked[2].body["messages"].as_array().unwrap();
    let call = &messages[2]["tool_calls"][0];
    assert_eq!(call["function"]["arguments"], r#"{"sum":12}"#);
    assert_eq!(messages[3]["role"], "tool");
    assert_eq!(messages[3]["tool_call_id"], call["id"]);
    assert_eq!(messages[3]["content"], "paid");
}

#[tokio::test]
async fn arguments_that_are_no_json_go_back_to_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start([
        say("")
            .call("transfer_to_billing", r#"{"reason": "char"#)
            .into(),
        say("Then I answer.").into(),
    ])
    .await;
    let runtime = runtime(desk(server.model()), folder.path()).await;
    let (lines, ticket) = listen(&runtime).await;
    assert!(
        lines[0].contains("the arguments of transfer_to_billing do not fit"),
        "{lines:?}"
    );
    let ticket = ticket.unwrap();
    let Some(Message::Agent(turn)) = ticket.messages.get(1) else {
        panic!("{ticket:?}")
    };
    assert_eq!(
        turn.calls[0].arguments, r#"{"reason": "char"#,
        "as it was written"
    );
    assert!(matches!(turn.calls[0].given, Given::Error(_)));
    // The call and what it was given are a pair, whatever the arguments.
    let second = &server.asked()[1].body["messages"];
    assert_eq!(second[2]["tool_calls"][0]["id"], second[3]["tool_call_id"]);
}

#[tokio::test]
async fn a_conversation_over_http_becomes_a_test_without() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk.jsonl");
    let server = Server::start(turns()).await;
    let recording = Recording::new(server.model(), &path).unwrap();
    let first = runtime(desk(recording), folder.path()).await;
    let real = listen(&first).await;
    assert_eq!(server.asked().len(), 2);
    assert!(
        !std::fs::read_to_string(&path)
            .unwrap()
            .contains("key-of-a-test")
    );

    let other = tempfile::tempdir().unwrap();
    let replay = Replay::open(&path).unwrap();
    let again = listen(&runtime(desk(replay), other.path()).await).await;
    assert_eq!(again.0, real.0);
    let json = |ticket: Result<Ticket, RunError>| -> Value {
        serde_json::to_value(ticket.unwrap()).unwrap()
    };
    assert_eq!(json(again.1), json(real.1));
}
