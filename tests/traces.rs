//! What a run tells of itself by `tracing`: its spans, events and metrics, name by name.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[path = "common/shop.rs"]
mod shop;

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use handoffs::prelude::*;
use handoffs::{Approval, RunError, telemetry};
use shop::{Order, Shop, Weighed, order, shop};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event as TracingEvent, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context as Around, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

// ---- A subscriber that writes down what it is told.

#[derive(Clone, Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Fields {
    /// Returns all that is not told of every span, as `name=value`.
    fn text(&self) -> String {
        const COMMON: [&str; 8] = [
            telemetry::CONVERSATION,
            telemetry::BYTES,
            "otel.name",
            "otel.kind",
            "message",
            telemetry::OPERATION,
            telemetry::NODE,
            telemetry::AGENT,
        ];
        let rest = self.0.iter().filter(|(name, _)| !COMMON.contains(name));
        let rest: Vec<_> = rest
            .map(|(name, value)| {
                let name = name.strip_prefix("handoffs.").unwrap_or(name);
                let name = name.strip_prefix("gen_ai.").unwrap_or(name);
                format!("{name}={value}")
            })
            .collect();
        rest.join(" ")
    }
}

#[derive(Default)]
struct Told {
    spans: Vec<(Option<usize>, Fields)>,
    /// The events of each span.
    events: Vec<(Option<usize>, String)>,
    metrics: Vec<Fields>,
}

#[derive(Clone)]
struct Listener {
    most: Level,
    measures: bool,
    told: Arc<Mutex<Told>>,
}

impl Listener {
    fn hears(&self, of: &Metadata<'_>) -> bool {
        match of.target() {
            telemetry::METRICS => self.measures,
            telemetry::TARGET => *of.level() <= self.most,
            _ => false,
        }
    }

    /// Returns the spans as a tree, each with its events.
    fn tree(&self) -> String {
        let told = self.told.lock().unwrap();
        let mut tree = String::new();
        write_below(&told, None, 0, &mut tree);
        tree
    }

    /// Returns how often each metric came, and of those that count, the sum.
    fn metrics(&self) -> Vec<String> {
        let mut sums: BTreeMap<String, (i64, u32)> = BTreeMap::new();
        for fields in &self.told.lock().unwrap().metrics {
            let is_metric = |name: &&str| {
                let mut kinds = ["monotonic_counter.", "counter.", "histogram."].iter();
                kinds.any(|kind| name.starts_with(kind))
            };
            let metric = fields.0.keys().copied().find(is_metric).unwrap();
            let mut rest = fields.clone();
            let value = rest.0.remove(metric).unwrap();
            let mut attributes: Vec<_> = rest.0.values().map(String::as_str).collect();
            attributes.sort_unstable();
            let metric = metric.split_once('.').unwrap().1;
            let all = format!("{metric} {}", attributes.join(" "));
            let (sum, many) = sums.entry(all).or_default();
            *sum += value.parse::<i64>().unwrap_or(0);
            *many += 1;
        }
        let lines = sums.iter().map(|(metric, (sum, many))| {
            let number = if metric.contains("duration") {
                i64::from(*many)
            } else {
                *sum
            };
            format!("{metric}: {number}")
        });
        lines.collect()
    }
}

fn write_below(told: &Told, around: Option<usize>, depth: usize, tree: &mut String) {
    for (_, event) in told.events.iter().filter(|(of, _)| *of == around) {
        writeln!(tree, "{:1$}* {event}", "", depth * 2).unwrap();
    }
    for (place, (_, fields)) in told.spans.iter().enumerate() {
        if told.spans[place].0 == around {
            let name = fields.0.get("otel.name").unwrap();
            let text = format!("{name} {}", fields.text());
            writeln!(tree, "{:1$}{2}", "", depth * 2, text.trim_end()).unwrap();
            write_below(told, Some(place), depth + 1, tree);
        }
    }
}

struct Place(usize);

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Listener {
    fn enabled(&self, of: &Metadata<'_>, _: Around<'_, S>) -> bool {
        self.hears(of)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, around: Around<'_, S>) {
        let span = around.span(id).unwrap();
        let parent = span.parent();
        let parent = parent.and_then(|parent| Some(parent.extensions().get::<Place>()?.0));
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let mut told = self.told.lock().unwrap();
        span.extensions_mut().insert(Place(told.spans.len()));
        told.spans.push((parent, fields));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, around: Around<'_, S>) {
        let span = around.span(id).unwrap();
        let place = span.extensions().get::<Place>().unwrap().0;
        values.record(&mut self.told.lock().unwrap().spans[place].1);
    }

    fn on_event(&self, event: &TracingEvent<'_>, around: Around<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut told = self.told.lock().unwrap();
        if event.metadata().target() == telemetry::METRICS {
            told.metrics.push(fields);
            return;
        }
        let span = around.event_span(event);
        let span = span.and_then(|span| Some(span.extensions().get::<Place>()?.0));
        let node = fields.0.get(telemetry::NODE).cloned().unwrap_or_default();
        let text = format!("{} {node} {}", fields.0["message"], fields.text());
        told.events.push((span, text));
    }
}

/// Listens to what this thread does from now on.
fn listen(most: Level, measures: bool) -> (Listener, DefaultGuard) {
    let listener = Listener {
        most,
        measures,
        told: Arc::default(),
    };
    let guard = tracing_subscriber::registry().with(listener.clone());
    (listener, guard.set_default())
}

// ---- A graph with all that can happen.

fn open_shop() -> Runtime<Shop, Memory> {
    Runtime::new(shop()).journal(Memory::default())
}

#[track_caller]
fn same(tree: &str, expected: &str) {
    let lines = |text: &str| text.trim().lines().map(str::to_owned).collect::<Vec<_>>();
    let (found, wanted) = (lines(tree), lines(expected));
    assert!(found == wanted, "{tree}");
}

/// Runs a thread to its end: the customer says a name, and the last handoff is approved.
async fn sell(shop: &Runtime<Shop, Memory>) {
    let thread = shop.thread("t");
    let ask = thread.run(order()).await.unwrap().paused().unwrap();
    let ask = thread
        .resume(ask.id, "Ada")
        .await
        .unwrap()
        .paused()
        .unwrap();
    let approved = thread.resume(ask.id, Approval::Approved).await;
    approved.unwrap().finished().unwrap();
}

// ---- Who may do what.

#[derive(Scope)]
enum Till {
    Read,
    Pay,
}

#[derive(State, Clone, Debug, Default)]
struct Slip {
    pence: u32,
}

#[node(Slip)]
fn chief(pence: &mut u32) {
    *pence += 1;
}

#[node(Slip)]
fn payer(pence: &mut u32) {
    *pence += 2;
}

#[derive(AgentGraph)]
#[graph(state = Slip, start = chief, scopes = Till)]
struct Payroll {
    #[route(_ => payer(grant(Pay, spend = 300)))]
    #[may(use(Read, Pay), grant(Pay))]
    chief: Chief,
    #[route(_ => end)]
    #[may(use(Pay))]
    payer: Payer,
}

#[tokio::test]
async fn a_handoff_tells_what_was_held_before_it_and_behind_it() {
    let (listener, _guard) = listen(Level::DEBUG, false);
    let payroll = Payroll {
        chief: Chief,
        payer: Payer,
    };
    let grant = handoffs::Grant::all().spend_micros(1_000);
    let thread = Runtime::new(payroll).thread("t").grant(grant);
    let _ = thread.run(Slip::default()).await.unwrap();
    let tree = listener.tree();
    let line = tree.lines().find(|line| line.contains("handoff payer"));
    assert_eq!(
        line.map(str::trim),
        Some(
            "handoff payer authority.after=grant(Pay, spend = 300) \
             authority.before=grant(Read, Pay, spend = 1000) from=chief reason=_ to=payer"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn every_step_of_a_run_is_a_span_and_every_handoff_is_one_in_it() {
    let (listener, _guard) = listen(Level::TRACE, false);
    sell(&open_shop()).await;
    same(
        &listener.tree(),
        r"
invoke_workflow Shop workflow.name=Shop began=run ended=paused last=4
  append entries=1
  invoke_workflow counter workflow.name=counter attempt=1
    append entries=1
    invoke_node greet attempt=1 branch=1.0
      handoff look from=greet reason=_ to=look
        append entries=1
    invoke_node look attempt=1 branch=1.0
      * paused look ask.id=4 ask.key=name
      append entries=1
invoke_workflow Shop workflow.name=Shop ask.id=4 began=resume behind=4 ended=paused last=20
  * joined  to=weigh
  * joined  to=weigh
  invoke_workflow counter workflow.name=counter attempt=1
    * answered look ask.id=4
    invoke_node look attempt=1 branch=1.0
      append entries=2
    handoff split from=counter reason=_ to=split
      append entries=1
  invoke_node split attempt=1
    handoff pack branches=2 from=split reason=_ to=pack
      append entries=1
  invoke_node pack attempt=1 branch=8.0
    handoff weigh from=pack reason=_ to=weigh
      append entries=1
  invoke_node pack attempt=1 branch=8.1
    handoff weigh from=pack reason=_ to=weigh
      append entries=1
  append entries=1
  invoke_node weigh attempt=1 outcome=Light
    handoff split from=weigh lap=1 outcome=Light reason=Weighed::Light to=split
      append entries=1
  invoke_node split attempt=1
    handoff pack branches=2 from=split reason=_ to=pack
      append entries=1
  invoke_node pack attempt=1 branch=13.0
    handoff weigh from=pack reason=_ to=weigh
      append entries=1
  invoke_node pack attempt=1 branch=13.1
    handoff weigh from=pack reason=_ to=weigh
      append entries=1
  append entries=1
  invoke_node weigh attempt=1 outcome=Light
    * masked weigh masked=limit reason=Weighed::Light
    handoff bill from=weigh lap=1 masked=limit outcome=Light reason=Weighed::Light to=bill
      append entries=1
  invoke_node bill error.type=node attempt=1 otel.status_code=ERROR otel.status_description=the node returned an error: the line is down
    * attempt failed bill error=the node returned an error: the line is down delay_ms=147
    append entries=1
  invoke_node bill error.type=node attempt=2 otel.status_code=ERROR otel.status_description=the node returned an error: the line is down
    handoff clerk from=bill reason=error to=clerk
      append entries=1
  invoke_node clerk usage.input_tokens=20 usage.output_tokens=3 attempt=1 cost_micros=7
    * paused clerk ask.id=20 ask.key=approve
    append entries=1
invoke_workflow Shop workflow.name=Shop ask.id=20 began=resume behind=20 ended=finished last=22
  * decided  ask.id=20 decision=approved from=clerk to=ship
  handoff ship decision=approved from=clerk reason=_ to=ship
    append entries=1
  invoke_node ship attempt=1
    append entries=1
",
    );
}

#[tokio::test(start_paused = true)]
async fn at_info_a_run_tells_when_it_pauses_and_when_an_edge_is_masked() {
    let (listener, _guard) = listen(Level::INFO, false);
    sell(&open_shop()).await;
    same(
        &listener.tree(),
        r"
invoke_workflow Shop workflow.name=Shop began=run ended=paused last=4
  * paused look ask.id=4 ask.key=name
invoke_workflow Shop workflow.name=Shop ask.id=4 began=resume behind=4 ended=paused last=20
  * masked weigh masked=limit reason=Weighed::Light
  * paused clerk ask.id=20 ask.key=approve
invoke_workflow Shop workflow.name=Shop ask.id=20 began=resume behind=20 ended=finished last=22
",
    );
    assert_eq!(listener.metrics(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn metrics_count_what_happened() {
    let (listener, _guard) = listen(Level::ERROR, true);
    sell(&open_shop()).await;
    assert_eq!(listener.tree(), "");
    assert_eq!(
        listener.metrics(),
        [
            "handoffs.append.duration : 21",
            "handoffs.cost_micros Shop clerk: 7",
            "handoffs.handoffs Counterside greet look: 1",
            "handoffs.handoffs Shop bill clerk: 1",
            "handoffs.handoffs Shop bill weigh: 1",
            "handoffs.handoffs Shop clerk ship: 1",
            "handoffs.handoffs Shop counter split: 1",
            "handoffs.handoffs Shop pack split: 2",
            "handoffs.handoffs Shop pack weigh: 4",
            "handoffs.handoffs Shop split weigh: 1",
            "handoffs.loops_stopped Shop Weighed::Light limit weigh: 1",
            "handoffs.pauses.open Counterside: 0",
            "handoffs.pauses.open Shop: 0",
            "handoffs.run.duration Shop finished: 1",
            "handoffs.run.duration Shop paused: 2",
            "handoffs.runs Shop finished: 1",
            "handoffs.runs Shop paused: 2",
            "handoffs.steps Counterside greet: 1",
            "handoffs.steps Counterside look: 1",
            "handoffs.steps Shop clerk: 1",
            "handoffs.steps Shop counter: 1",
            "handoffs.steps Shop pack: 4",
            "handoffs.steps Shop ship: 1",
            "handoffs.steps Shop split: 2",
            "handoffs.steps Shop weigh: 2",
            "handoffs.tokens Shop clerk input: 20",
            "handoffs.tokens Shop clerk output: 3",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn questions_are_told_only_if_content_is() {
    let (listener, _guard) = listen(Level::INFO, false);
    let thread = open_shop().trace_content(true).thread("t");
    let _ = thread.run(order()).await.unwrap();
    let question = r#"question="Who are you?""#;
    assert!(listener.tree().contains(question), "{}", listener.tree());
}

// ---- Runs that end with errors.

#[node(Order)]
async fn idle() {}

#[node(Order)]
async fn doubt() -> Weighed {
    Weighed::Light
}

#[derive(AgentGraph)]
#[graph(state = Order, start = ping)]
struct Circle {
    #[route(_ => pong)]
    ping: Idle,
    #[route(Weighed::Light => ping(limit = 5), Weighed::Fine => end)]
    pong: Doubt,
}

#[tokio::test]
async fn a_loop_that_is_stopped_and_an_error_are_told_of_the_run_and_of_the_step() {
    let (listener, _guard) = listen(Level::DEBUG, true);
    let circle = Circle {
        ping: Idle,
        pong: Doubt,
    };
    let error = Runtime::new(circle).thread("t").run(order()).await;
    assert!(matches!(error, Err(RunError::HandoffLoop { .. })));
    same(
        &listener.tree(),
        r"
invoke_workflow Circle error.type=handoff_loop workflow.name=Circle began=run ended=failed otel.status_code=ERROR otel.status_description=handoff loop `ping -> pong -> ping` in thread `t`: node `pong` insists on the edge `Weighed::Light => ping(limit = 5)`, taken once already, and nothing has changed since it was last taken; give the edge an `else`, or make progress in the state before taking it again
  invoke_node ping attempt=1
    handoff pong from=ping reason=_ to=pong
  invoke_node pong attempt=1 outcome=Light
    handoff ping from=pong lap=1 outcome=Light reason=Weighed::Light to=ping
  invoke_node ping attempt=1
    handoff pong from=ping reason=_ to=pong
  invoke_node pong error.type=handoff_loop attempt=1 otel.status_code=ERROR otel.status_description=handoff loop `ping -> pong -> ping` in thread `t`: node `pong` insists on the edge `Weighed::Light => ping(limit = 5)`, taken once already, and nothing has changed since it was last taken; give the edge an `else`, or make progress in the state before taking it again
    * handoff loop pong cycle=ping -> pong -> ping lap=1 masked=no_progress reason=Weighed::Light
",
    );
    let metrics = listener.metrics();
    let has = |line: &str| metrics.iter().any(|metric| metric == line);
    assert!(has("handoffs.runs Circle failed: 1"), "{metrics:#?}");
    let stopped = "handoffs.loops_stopped Circle Weighed::Light no_progress pong: 1";
    assert!(has(stopped), "{metrics:#?}");
}

#[tokio::test]
async fn without_a_listener_a_run_goes_as_it_does_with_one() {
    let circle = || Circle {
        ping: Idle,
        pong: Doubt,
    };
    let run = async || Runtime::new(circle()).thread("t").run(order()).await;
    let alone = run().await.unwrap_err().to_string();
    let (_, _guard) = listen(Level::DEBUG, true);
    assert_eq!(run().await.unwrap_err().to_string(), alone);
}

// ---- Agents.

#[cfg(feature = "agents")]
mod agents {
    use std::io;

    use handoffs::Usage;
    use handoffs::agent::schemars::{self, JsonSchema};
    use handoffs::agent::{Agent, Message, Script, ScriptedModel, tool};
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(State, Clone, Debug, Default)]
    struct Talk {
        #[state(messages)]
        messages: Log<Message>,
    }

    #[derive(Outcome)]
    enum Triaged {
        /// Invoices.
        Billing,
        /// Passwords.
        Access,
        #[outcome(answer)]
        Done(String),
    }

    #[derive(Outcome)]
    enum Billed {
        Triage,
        #[outcome(answer)]
        Done(String),
    }

    #[derive(AgentGraph)]
    #[graph(state = Talk, start = triage)]
    struct Desk {
        #[route(
            Triaged::Billing => billing(limit = 3, else = end),
            Triaged::Access => access,
            Triaged::Done(_) => end,
        )]
        triage: Agent<Talk, Triaged>,
        #[route(Billed::Triage => triage, Billed::Done(_) => end)]
        billing: Agent<Talk, Billed>,
        #[route(_ => end)]
        access: Access,
    }

    #[node(Talk)]
    async fn access() {}

    #[derive(Deserialize, JsonSchema)]
    struct Search {
        text: String,
    }

    fn desk() -> Runtime<Desk, Memory> {
        let search = tool("search", "Looks things up.", async |search: Search| {
            if search.text.is_empty() {
                return Err(io::Error::other("nothing to look for"));
            }
            Ok(format!("found {}", search.text))
        });
        let triage = ScriptedModel::new([
            Script::call("search", json!({ "text": "invoice 7" })).usage(Usage::tokens(100, 10)),
            Script::call("search", json!({ "text": "" })),
            Script::call("transfer_to_billing", json!({}))
                .usage(Usage::tokens(150, 5) + Usage::cost_micros(12)),
        ]);
        let billing = ScriptedModel::new([Script::say("It is paid.").usage(Usage::tokens(80, 4))]);
        Runtime::new(Desk {
            triage: Agent::new(triage).instructions("Be kind.").tool(search),
            billing: Agent::new(billing),
            access: Access,
        })
        .journal(Memory::default())
    }

    fn asked() -> Talk {
        Talk {
            messages: vec![Message::user("Is invoice 7 paid?")].into(),
        }
    }

    #[tokio::test]
    async fn an_agent_is_a_span_with_its_turns_its_tools_and_its_handoff() {
        let (listener, _guard) = listen(Level::INFO, false);
        desk()
            .thread("t")
            .run(asked())
            .await
            .unwrap()
            .finished()
            .unwrap();
        same(
            &listener.tree(),
            r"
invoke_workflow Desk workflow.name=Desk began=run ended=finished last=15
  invoke_agent triage request.model=scripted usage.input_tokens=250 usage.output_tokens=15 attempt=1 cost_micros=12 offers=transfer_to_billing,transfer_to_access outcome=Billing tools=search
    chat scripted request.model=scripted usage.input_tokens=100 usage.output_tokens=10
    execute_tool search tool.call.id=call_1 tool.name=search tool.type=function
    chat scripted request.model=scripted
    execute_tool search error.type=tool tool.call.id=call_2 tool.name=search tool.type=function otel.status_code=ERROR otel.status_description=nothing to look for
    chat scripted request.model=scripted usage.input_tokens=150 usage.output_tokens=5 cost_micros=12
    handoff billing cost_micros=12 from=triage lap=1 outcome=Billing reason=Triaged::Billing to=billing tokens=265
  invoke_agent billing request.model=scripted usage.input_tokens=80 usage.output_tokens=4 attempt=1 offers=transfer_to_triage outcome=Done tools=
    chat scripted request.model=scripted usage.input_tokens=80 usage.output_tokens=4
",
        );
        let told = format!(
            "{:?}",
            listener
                .told
                .lock()
                .unwrap()
                .spans
                .iter()
                .map(|(_, fields)| &fields.0)
                .collect::<Vec<_>>()
        );
        for content in ["invoice", "Be kind", "paid"] {
            assert!(!told.contains(content), "{content} is content");
        }
    }

    #[tokio::test]
    async fn what_is_said_is_told_if_the_runtime_is_to() {
        let (listener, _guard) = listen(Level::INFO, false);
        let desk = desk().trace_content(true);
        desk.thread("t")
            .run(asked())
            .await
            .unwrap()
            .finished()
            .unwrap();
        let tree = listener.tree();
        for told in [
            r#"system_instructions=[{"content":"Be kind.","type":"text"}]"#,
            r#"input.messages=[{"parts":[{"content":"Is invoice 7 paid?","type":"text"}],"role":"user"}]"#,
            r#"output.messages=[{"parts":[{"content":"It is paid.","type":"text"}],"role":"assistant"}]"#,
            r#"tool.call.arguments={"text":"invoice 7"} tool.call.id=call_1 tool.call.result=found invoice 7"#,
            r#"{"parts":[{"id":"call_1","response":"found invoice 7","type":"tool_call_response"}],"role":"tool"}"#,
        ] {
            assert!(tree.contains(told), "{told} is missing in\n{tree}");
        }
    }

    #[tokio::test]
    async fn the_conventions_metrics_are_there() {
        let (listener, _guard) = listen(Level::ERROR, true);
        desk()
            .thread("t")
            .run(asked())
            .await
            .unwrap()
            .finished()
            .unwrap();
        let metrics = listener.metrics();
        let of = |name: &str| {
            metrics
                .iter()
                .filter(|line| line.contains(name))
                .cloned()
                .collect::<Vec<_>>()
        };
        let expected = [
            "gen_ai.client.operation.duration chat scripted: 4",
            "gen_ai.client.token.usage chat input scripted: 330",
            "gen_ai.client.token.usage chat output scripted: 19",
        ];
        assert_eq!(of("gen_ai"), expected);
    }
}
