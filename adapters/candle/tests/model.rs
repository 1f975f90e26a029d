//! A language model in this process, as the model of an agent.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod common;

use std::fs;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use common::smol;
use handoffs::agent::{Agent, Choice, Given, Message, Model, ModelError, Request, Said, ToolSpec};
use handoffs::prelude::*;
use handoffs_candle::{LoadError, LocalModel};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio::time::timeout;

/// Returns the model, which is loaded once.
fn model() -> Option<LocalModel> {
    static LOADED: OnceLock<Option<LocalModel>> = OnceLock::new();
    let load = || smol().map(|file| LocalModel::open(file).unwrap());
    LOADED.get_or_init(load).clone()
}

fn request(question: &str) -> Request {
    let mut request = Request::default();
    request.instructions = String::from("You are a helpful assistant.");
    request.messages = vec![Said::User(question.to_owned())];
    request
}

#[tokio::test]
async fn it_answers_piece_by_piece_and_counts_its_tokens() {
    let Some(model) = model() else { return };
    let pieces = Mutex::new(Vec::new());
    let said = |piece: &str| pieces.lock().unwrap().push(piece.to_owned());
    let question = request("What is the capital of France?");
    let reply = model.turn(&question, &said).await.unwrap();
    assert!(reply.text.contains("Paris"), "{}", reply.text);
    let pieces = pieces.into_inner().unwrap();
    assert!(pieces.len() > 3, "{pieces:?}");
    assert_eq!(pieces.concat(), reply.text);
    let usage = reply.usage.unwrap();
    assert!((20..60).contains(&usage.input_tokens), "{usage:?}");
    let written = u64::try_from(pieces.len()).unwrap();
    assert!(usage.output_tokens >= written, "{usage:?}");
}

#[tokio::test]
async fn it_writes_no_more_than_it_may() {
    let Some(model) = model() else { return };
    let model = model.max_tokens(5);
    let reply = model.turn(&request("Tell me a long story."), &|_| {}).await;
    assert_eq!(reply.unwrap().usage.unwrap().output_tokens, 5);
}

/// There is one thread to work on, so the second turn waits for the end of the first.
#[test]
fn it_stops_when_nobody_waits_any_more() {
    let Some(model) = model() else { return };
    let mut threads = Builder::new_current_thread();
    let threads = threads
        .enable_time()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    threads.block_on(async {
        let long = model.clone().max_tokens(3_000);
        let story = request("Tell me a very long story about each king of England.");
        let began = Instant::now();
        let turn = timeout(Duration::from_secs(2), long.turn(&story, &|_| {})).await;
        assert!(turn.is_err(), "it is still at it");
        let short = model.max_tokens(1);
        short.turn(&request("Hello!"), &|_| {}).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(40));
    });
}

#[tokio::test]
async fn a_conversation_that_is_too_long_is_refused() {
    let Some(model) = model() else { return };
    let error = model.turn(&request(&"money ".repeat(9_000)), &|_| {}).await;
    let Err(ModelError::Refused(why)) = error else {
        panic!("{error:?}")
    };
    assert!(why.contains("are the most"), "{why}");
}

#[tokio::test]
async fn what_it_calls_fits_the_schema() {
    let Some(model) = model() else { return };
    let mut request = request("I was charged 25 dollars twice, in March. Please pay it back.");
    let schema = json!({
        "type": "object",
        "properties": {
            "reason": { "type": "string" },
            "amount": { "type": "integer" },
            "urgent": { "type": "boolean" },
            "desk": { "enum": ["refunds", "cards"] },
            "note": { "type": ["null", "string"] },
        },
        "required": ["reason", "amount", "urgent", "desk"],
    });
    request.tools = vec![ToolSpec::new("refund", "Pays money back.", schema)];
    request.choice = Choice::Required;
    let reply = model.turn(&request, &|_| {}).await.unwrap();
    let [call] = &reply.calls[..] else {
        panic!("{reply:?}")
    };
    assert_eq!(call.tool, "refund");
    let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
    assert!(arguments["reason"].is_string(), "{arguments}");
    assert!(arguments["amount"].is_u64(), "{arguments}");
    assert!(arguments["urgent"].is_boolean(), "{arguments}");
    assert!(
        ["refunds", "cards"]
            .map(Value::from)
            .contains(&arguments["desk"])
    );
    assert_eq!(arguments.as_object().unwrap().len(), 4, "{arguments}");

    request.tools[0].parameters = json!({
        "type": "object", "properties": { "all": { "type": "array" } }, "required": ["all"],
    });
    let error = model.turn(&request, &|_| {}).await;
    assert!(matches!(error, Err(ModelError::Refused(_))), "{error:?}");
}

// ---- An agent with it.

#[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
struct Ticket {
    #[state(messages)]
    messages: Log<Message>,
}

#[derive(Outcome, Debug, PartialEq)]
enum Triaged {
    /// Charges, invoices and refunds: money that was taken.
    Billing {
        /// What the customer wants.
        reason: String,
    },
    /// The weather.
    Weather,
}

#[derive(Outcome, Debug, PartialEq)]
enum Billed {
    #[outcome(answer)]
    Done(String),
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Desk {
    #[route(_ => clerk)]
    triage: Agent<Ticket, Triaged>,
    #[route(_ => end)]
    clerk: Agent<Ticket, Billed>,
}

/// To whom is a matter of its wits, of which it has few: the README says how often it is right.
#[tokio::test]
async fn it_hands_over_as_an_agent_does() {
    let Some(model) = model() else { return };
    let runtime = Runtime::new(Desk {
        triage: Agent::new(model.clone()).instructions("You find the desk for a customer."),
        clerk: Agent::new(model.max_tokens(20)).instructions("You handle refunds. Be brief."),
    });
    let messages = Log::from(vec![Message::user(
        "I was charged twice, I want my money back!",
    )]);
    let run = runtime.thread("t").run(Ticket { messages }).await.unwrap();
    let ticket = run.finished().unwrap();
    let turns: Vec<_> = ticket.messages.iter().collect();
    let Message::Agent(triage) = turns[1] else {
        panic!("{turns:?}")
    };
    let call = &triage.calls[0];
    let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
    match &call.given {
        Given::Handoff(to) if to == "billing" => assert_ne!(arguments["reason"], ""),
        Given::Handoff(to) if to == "weather" => assert_eq!(arguments, json!({})),
        given => panic!("{given:?}"),
    }
    assert!(matches!(turns[2], Message::Agent(turn) if !turn.text.is_empty()));
}

#[test]
fn what_is_no_model_is_an_error() {
    let error = LocalModel::open("/no/such/file").unwrap_err();
    assert!(matches!(error, LoadError::File { .. }), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.gguf");
    fs::write(&file, "no model").unwrap();
    let error = LocalModel::open(file).unwrap_err();
    assert!(matches!(error, LoadError::Model(_)), "{error}");
}
