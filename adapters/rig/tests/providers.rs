//! What goes over to a provider whose protocol is another one than OpenAI's: by rig's own client of Anthropic.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use axum::extract::State as Of;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use handoffs::Recorded;
use handoffs::agent::schemars::{self, JsonSchema};
use handoffs::agent::{Agent, Message, ModelError, tool};
use handoffs::prelude::*;
use handoffs_rig::{RigModel, rig};
use rig::providers::anthropic::wire::AnthropicConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
struct Ticket {
    #[state(messages)]
    messages: Log<Message>,
}

/// Where a ticket goes.
#[derive(Outcome, Debug, PartialEq)]
enum Sorted {
    /// Money.
    Billing,
    /// All else.
    Access,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = sort)]
struct Sorting {
    #[route(_ => end)]
    #[retry(times = 2, backoff = "1ms", on = ModelError::is_transient)]
    sort: Agent<Ticket, Sorted>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct Look {
    number: u32,
}

type Script = VecDeque<(u16, Value)>;
type Requests = Vec<(HeaderMap, Value)>;

/// The replies that are left, and the requests that came.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<(Script, Requests)>>);

async fn messages(Of(server): Of<Server>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let mut server = server.0.lock().unwrap();
    server.1.push((headers, body));
    let (status, body) = server.0.pop_front().unwrap();
    let retry = [("retry-after", "0")];
    (StatusCode::from_u16(status).unwrap(), retry, Json(body)).into_response()
}

fn reply(content: &Value) -> (u16, Value) {
    let body = json!({
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": content,
        "stop_reason": "tool_use",
        "stop_sequence": null,
        "usage": { "input_tokens": 100, "output_tokens": 20 },
    });
    (200, body)
}

fn call(id: &str, tool: &str, input: &Value) -> Value {
    json!({ "type": "tool_use", "id": id, "name": tool, "input": input })
}

#[tokio::test]
async fn anthropic_is_spoken_to_in_its_own_words() {
    let server = Server::default();
    server.0.lock().unwrap().0 = VecDeque::from([
        (
            529,
            json!({ "type": "error", "error": { "type": "overloaded_error", "message": "busy" } }),
        ),
        reply(&json!([
            { "type": "text", "text": "Let me see." },
            call("toolu_1", "look", &json!({ "number": 7 })),
            call("toolu_2", "look", &json!({ "number": 8 })),
        ])),
        reply(&json!([call("toolu_3", "transfer_to_billing", &json!({}))])),
    ]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/messages", post(messages));
    let router = router.with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });

    let claude = AnthropicConfig::new("key-of-a-test")
        .with_base_url(&url)
        .client();
    let model = RigModel::new(claude.completion("claude"))
        .with(|request| request.max_tokens(500))
        .whole();
    let look = tool("look", "Looks an invoice up.", async |look: Look| {
        Ok::<_, io::Error>(format!("invoice {}", look.number))
    });
    let sort = Agent::new(model).instructions("You sort.").tool(look);
    let ticket = Ticket {
        messages: Log::from(vec![Message::user("help")]),
    };
    let thread = Runtime::new(Sorting { sort })
        .journal(Memory::default())
        .thread("t");
    let run = thread.run(ticket).await.unwrap();
    assert!(run.finished().is_some());
    let last = thread.history().await.unwrap().pop().unwrap().event;
    let Recorded::Stepped { usage, .. } = last else {
        panic!("{last:?}")
    };
    // Two turns of the model, and two calls of the tool.
    assert_eq!(
        (usage.calls, usage.input_tokens, usage.output_tokens),
        (4, 200, 40)
    );

    let asked = server.0.lock().unwrap().1.clone();
    assert_eq!(asked.len(), 3);
    let (headers, first) = &asked[1];
    assert_eq!(headers["x-api-key"], "key-of-a-test");
    assert_eq!(first["max_tokens"], 500);
    assert!(first["system"].to_string().contains("You sort."), "{first}");
    assert_eq!(first["tool_choice"]["type"], "any", "it has to hand over");
    let tools = first["tools"].as_array().unwrap();
    let names: Vec<_> = tools.iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["look", "transfer_to_billing", "transfer_to_access"]);
    // All results of a turn are one message, which is what is asked for.
    let messages = asked[2].1["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 3);
    let kinds = |message: &Value| -> Vec<_> {
        let blocks = message["content"].as_array().unwrap();
        let of = |block: &Value| {
            block["tool_use_id"]
                .as_str()
                .or(block["id"].as_str())
                .map(str::to_owned)
        };
        blocks
            .iter()
            .map(|block| (block["type"].as_str().unwrap().to_owned(), of(block)))
            .collect()
    };
    let pair = |kind: &str, id: Option<&str>| (kind.to_owned(), id.map(str::to_owned));
    assert_eq!(
        kinds(&messages[1]),
        [
            pair("text", None),
            pair("tool_use", Some("toolu_1")),
            pair("tool_use", Some("toolu_2")),
        ]
    );
    assert_eq!(
        kinds(&messages[2]),
        [
            pair("tool_result", Some("toolu_1")),
            pair("tool_result", Some("toolu_2")),
        ]
    );
}
