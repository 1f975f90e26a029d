//! What arrives at a collector: one that decodes what real exporters send.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(clippy::ignored_unit_patterns, reason = "so routes are written")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Kept;
use axum::http::StatusCode;
use axum::routing::post;
use handoffs::agent::schemars::{self, JsonSchema};
use handoffs::agent::{Agent, Message, Script, ScriptedModel, tool};
use handoffs::prelude::*;
use handoffs::{AskId, NodeError, Usage, telemetry};
use handoffs_otel::Otel;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use serde::Deserialize;
use tokio::net::TcpListener;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

// ---- A collector.

#[derive(Clone, Debug, Default)]
struct Collector(Arc<Mutex<Collected>>);

#[derive(Debug, Default)]
struct Collected {
    spans: Vec<Span>,
    /// By name, as they were exported last.
    metrics: BTreeMap<String, Metric>,
    services: Vec<String>,
}

async fn traces(Kept(collector): Kept<Collector>, body: Bytes) -> StatusCode {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut collected = collector.0.lock().unwrap();
    for resource in request.resource_spans {
        let of = resource.resource.unwrap_or_default().attributes;
        collected.services.push(attribute(&of, "service.name"));
        let spans = resource.scope_spans.into_iter();
        collected.spans.extend(spans.flat_map(|scope| scope.spans));
    }
    StatusCode::OK
}

async fn metrics(Kept(collector): Kept<Collector>, body: Bytes) -> StatusCode {
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    let mut collected = collector.0.lock().unwrap();
    let resources = request.resource_metrics.into_iter();
    let scopes = resources.flat_map(|resource| resource.scope_metrics);
    for metric in scopes.flat_map(|scope| scope.metrics) {
        collected.metrics.insert(metric.name.clone(), metric);
    }
    StatusCode::OK
}

impl Collector {
    /// Listens, and returns where.
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/metrics", post(metrics))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        format!("http://{address}")
    }

    fn span(&self, name: &str) -> Span {
        let collected = self.0.lock().unwrap();
        let span = collected.spans.iter().find(|span| span.name == name);
        span.unwrap_or_else(|| panic!("no span {name}")).clone()
    }

    /// Returns the names of the spans as trees, in the order of their beginnings.
    fn tree(&self) -> String {
        let mut spans = self.0.lock().unwrap().spans.clone();
        spans.sort_by_key(|span| span.start_time_unix_nano);
        let mut tree = String::new();
        below(&spans, &[], 0, &mut tree);
        tree
    }

    /// Returns the points of a metric that counts, each with its attributes.
    fn sums(&self, name: &str) -> Vec<String> {
        let metric = self.0.lock().unwrap().metrics[name].clone();
        let Some(metric::Data::Sum(sum)) = metric.data else {
            panic!("{name} is no sum");
        };
        let points = sum.data_points.into_iter().map(|point| {
            let value = match point.value {
                Some(number_data_point::Value::AsInt(value)) => value,
                other => panic!("{other:?}"),
            };
            format!("{} {value}", texts(&point.attributes))
        });
        let mut points: Vec<_> = points.collect();
        points.sort();
        points
    }

    /// Returns how many values a histogram has, and its unit.
    fn histogram(&self, name: &str) -> (u64, String) {
        let metric = self.0.lock().unwrap().metrics[name].clone();
        let Some(metric::Data::Histogram(histogram)) = metric.data else {
            panic!("{name} is no histogram");
        };
        let points = histogram.data_points.iter();
        (points.map(|point| point.count).sum(), metric.unit)
    }
}

fn below(spans: &[Span], parent: &[u8], depth: usize, tree: &mut String) {
    for span in spans.iter().filter(|span| span.parent_span_id == parent) {
        let failed = span.status.as_ref().is_some_and(|status| status.code == 2);
        let mark = if failed { " !" } else { "" };
        writeln!(tree, "{}{}{mark}", "  ".repeat(depth), span.name).unwrap();
        below(spans, &span.span_id, depth + 1, tree);
    }
}

fn text(value: &KeyValue) -> String {
    match value.value.clone().and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => panic!("{other:?}"),
    }
}

fn attribute(of: &[KeyValue], name: &str) -> String {
    let found = of.iter().find(|attribute| attribute.key == name);
    found.map_or_else(String::new, text)
}

fn texts(of: &[KeyValue]) -> String {
    let mut all: Vec<_> = of.iter().map(|one| (one.key.clone(), text(one))).collect();
    all.sort();
    let all: Vec<_> = all.into_iter().map(|(_, value)| value).collect();
    all.join(" ")
}

// ---- A desk of agents, who hand over in a circle until an edge is masked, and a person at the end.

#[derive(State, Clone, Debug, Default)]
struct Talk {
    #[state(messages)]
    messages: Log<Message>,
    #[state(progress)]
    solved: bool,
}

#[derive(Outcome)]
enum Over {
    /// To the other one.
    Over,
    #[outcome(answer)]
    Done(String),
}

#[derive(Outcome)]
enum Only {
    /// Back to the other one.
    Over,
}

#[node(Talk)]
async fn person(solved: &mut bool, cx: &mut Context<'_>) -> Result<(), NodeError> {
    *solved = cx.ask("solved", "Is it solved?").await?;
    Ok(())
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = triage)]
struct Desk {
    #[route(Over::Over => billing, Over::Done(_) => person)]
    triage: Agent<Talk, Over>,
    #[route(Only::Over => triage(limit = 1, else = person))]
    billing: Agent<Talk, Only>,
    #[route(_ => end)]
    person: Person,
}

#[derive(Deserialize, JsonSchema)]
struct Search {
    text: String,
}

fn desk() -> Runtime<Desk, Memory> {
    let search = tool(
        "search",
        "Looks things up.",
        async |search: Search| match &*search.text {
            "" => Err(std::io::Error::other("nothing to look for")),
            text => Ok(format!("found {text}")),
        },
    );
    let over = || Script::call("transfer_to_over", serde_json::json!({}));
    let look = |text: &str| Script::call("search", serde_json::json!({ "text": text }));
    let triage = ScriptedModel::new([
        look("invoice 7").usage(Usage::tokens(100, 10)),
        look(""),
        over().usage(Usage::tokens(150, 5) + Usage::cost_micros(12)),
        over(),
    ]);
    // The second time, the way back is masked, and where nothing else is left it leads to the person.
    let billing = ScriptedModel::new([over(), over()]);
    Runtime::new(Desk {
        triage: Agent::new(triage).tool(search),
        billing: Agent::new(billing),
        person: Person,
    })
    .journal(Memory::default())
}

fn asked() -> Talk {
    Talk {
        messages: vec![Message::user("Is invoice 7 paid?")].into(),
        ..Talk::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_agents_arrives_at_a_collector_as_a_tree_of_spans_and_as_metrics() {
    let collector = Collector::default();
    let otel = Otel::options("desk-test")
        .endpoint(collector.listen().await)
        .metrics_every(Duration::from_hours(1))
        .build()
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(otel.layer());
    subscriber.init();

    let thread = desk().thread("customer-42");
    let ask = thread.run(asked()).await.unwrap().paused().unwrap();
    let talk = thread.resume(ask.id, true).await.unwrap().finished();
    assert!(talk.unwrap().solved);
    let left = tokio::task::spawn_blocking(move || otel.shutdown());
    left.await.unwrap().unwrap();

    let expected = "\
invoke_workflow Desk
  invoke_agent triage
    chat scripted
    execute_tool search
    chat scripted
    execute_tool search !
    chat scripted
    handoff billing
  invoke_agent billing
    chat scripted
    handoff triage
  invoke_agent triage
    chat scripted
    handoff billing
  invoke_agent billing
    chat scripted
    handoff person
  invoke_node person
invoke_workflow Desk
  invoke_node person
";
    assert_eq!(collector.tree(), expected);
    what_is_told_of_it(&collector, ask.id);
    what_is_counted(&collector);
}

/// Looks at the attributes of the spans.
fn what_is_told_of_it(collector: &Collector, ask: AskId) {
    let services = collector.0.lock().unwrap().services.clone();
    assert!(!services.is_empty() && services.iter().all(|service| service == "desk-test"));

    let run = collector.span("invoke_workflow Desk");
    let of = |span: &Span, name: &str| attribute(&span.attributes, name);
    assert_eq!(of(&run, telemetry::CONVERSATION), "customer-42");
    assert_eq!(of(&run, telemetry::OPERATION), "invoke_workflow");
    assert_eq!(of(&run, telemetry::ENDED), "paused");
    let agent = collector.span("invoke_agent triage");
    assert_eq!(of(&agent, telemetry::AGENT), "triage");
    assert_eq!(of(&agent, telemetry::TOOLS), "search");
    assert_eq!(of(&agent, telemetry::OFFERS), "transfer_to_over");
    let chat = collector.span("chat scripted");
    assert_eq!(chat.kind(), SpanKind::Client);
    assert_eq!(of(&chat, telemetry::MODEL), "scripted");
    assert_eq!(of(&chat, telemetry::INPUT_TOKENS), "100");
    let handoff = collector.span("handoff billing");
    assert_eq!(handoff.kind(), SpanKind::Internal);
    let told = [
        telemetry::FROM,
        telemetry::TO,
        telemetry::REASON,
        telemetry::TOKENS,
    ];
    let told = told.map(|name| of(&handoff, name));
    assert_eq!(told, ["triage", "billing", "Over::Over", "265"]);
    let masked = collector.span("handoff person");
    let told = [telemetry::MASKED, telemetry::LAP, telemetry::REASON];
    let told = told.map(|name| of(&masked, name));
    assert_eq!(told, ["limit", "1", "Only::Over"]);
    // The spans of a run know each other by its trace, and both runs by the thread.
    assert_eq!(handoff.trace_id, run.trace_id);
    let spans = collector.0.lock().unwrap().spans.clone();
    let of_thread = |span: &&Span| of(span, telemetry::CONVERSATION) == "customer-42";
    let resumed = spans
        .iter()
        .filter(of_thread)
        .find(|span| of(span, telemetry::BEGAN) == "resume");
    let resumed = resumed.unwrap();
    assert_eq!(of(resumed, telemetry::ASK), ask.to_string());
    assert_eq!(of(resumed, telemetry::BEHIND), of(&run, telemetry::LAST));
    assert!(resumed.trace_id != run.trace_id);
    // Whoever asks is told of by an event of the node's span.
    let person = collector.span("invoke_node person");
    let paused = person
        .events
        .iter()
        .find(|event| event.name == "paused")
        .unwrap();
    assert_eq!(
        attribute(&paused.attributes, telemetry::ASK),
        ask.to_string()
    );
    let failed = spans
        .iter()
        .find(|span| of(span, telemetry::ERROR_TYPE) == "tool")
        .unwrap();
    assert_eq!(
        failed.status.as_ref().unwrap().message,
        "nothing to look for"
    );
    // Nothing that anybody said is among it.
    for content in ["invoice", "Is it solved?"] {
        assert!(
            !format!("{spans:?}").contains(content),
            "{content} is content"
        );
    }
}

fn what_is_counted(collector: &Collector) {
    let expected = [
        "Desk billing person 1",
        "Desk billing triage 1",
        "Desk triage billing 2",
    ];
    assert_eq!(collector.sums("handoffs.handoffs"), expected);
    assert_eq!(
        collector.sums("handoffs.runs"),
        ["Desk finished 1", "Desk paused 1"]
    );
    assert_eq!(collector.sums("handoffs.pauses.open"), ["Desk 0"]);
    assert_eq!(
        collector.sums("handoffs.loops_stopped"),
        ["billing Desk limit Only::Over 1"]
    );
    assert_eq!(collector.sums("handoffs.cost_micros"), ["triage Desk 12"]);
    let expected = ["billing Desk 2", "person Desk 1", "triage Desk 2"];
    assert_eq!(collector.sums("handoffs.steps"), expected);
    let seconds = |count: u64| (count, "s".to_owned());
    assert_eq!(
        collector.histogram("gen_ai.client.operation.duration"),
        seconds(6)
    );
    assert_eq!(collector.histogram("handoffs.run.duration"), seconds(2));
    assert!(collector.histogram("handoffs.append.duration").0 > 10);
    let tokens = (4, "{token}".to_owned());
    assert_eq!(collector.histogram("gen_ai.client.token.usage"), tokens);
}

#[test]
fn what_is_no_address_is_refused() {
    let refused = Otel::options("x").endpoint("not an address").build();
    let error = refused.unwrap_err();
    assert_eq!(error.to_string(), "the exporter cannot be made");
}
