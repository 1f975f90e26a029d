//! What a thread used up, read off its journal: by agent, by tool and by edge, however often it was cut off.
#![cfg(feature = "agents")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(clippy::ptr_arg, reason = "so routes and nodes are written")]

mod common;

use std::time::Duration;

use async_trait::async_trait;
use common::{Counting, Stopping, Tally};
use handoffs::agent::{
    Agent, HandoffStyle, Message, Model, ModelError, Pricing, Reply, Request, Said, Script,
    ScriptedModel, Tool, ToolCall, ToolError, ToolSpec, priced, tool,
};
use handoffs::prelude::*;
use handoffs::{Chronicle, Entry, Journal, Meter, NodeError, Usage, Used};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Talk {
    #[state(messages)]
    messages: Log<Message>,
    pages: Log<u32>,
}

fn asked(text: &str) -> Talk {
    Talk {
        messages: vec![Message::user(text)].into(),
        ..Talk::default()
    }
}

#[derive(Outcome)]
enum Triaged {
    /// Asks about money.
    Billing,
}

#[derive(Outcome)]
enum Billed {
    /// It is not about money.
    Triage,
    #[outcome(answer)]
    Done(String),
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = triage)]
struct Desk {
    #[route(_ => billing)]
    triage: Agent<Talk, Triaged>,
    #[retry(times = 2, backoff = "1ms")]
    #[route(Billed::Triage => triage(limit = 2), Billed::Done(_) => end)]
    billing: Agent<Talk, Billed>,
}

#[derive(Deserialize, JsonSchema)]
struct Query {
    #[expect(dead_code, reason = "nobody reads it")]
    query: String,
}

fn search() -> impl Tool {
    tool("search", "Searches.", async |_: Query| {
        tokio::time::sleep(Duration::from_millis(30)).await;
        Ok::<_, std::io::Error>("nothing")
    })
}

fn desk(triage: &ScriptedModel, billing: &ScriptedModel) -> Desk {
    Desk {
        triage: Agent::new(triage.clone()),
        // 1 a million tokens read, and 4 a million written.
        billing: Agent::new(priced(
            billing.clone(),
            Pricing::per_million(1_000_000, 4_000_000),
        ))
        .tool(search()),
    }
}

fn over(to: &str) -> Script {
    Script::call(format!("transfer_to_{to}"), json!({}))
}

fn searches() -> Script {
    Script::call("search", json!({ "query": "refund" }))
}

/// Two visits of each, and a tool in between.
fn scripts() -> (ScriptedModel, ScriptedModel) {
    let triage = [over("billing").usage(Usage::tokens(10, 1)), over("billing")];
    let billing = [
        searches().usage(Usage::tokens(100, 10)),
        over("triage").usage(Usage::tokens(200, 10)),
        searches().usage(Usage::tokens(300, 10)),
        Script::say("Done.").usage(Usage::tokens(400, 30)),
    ];
    (ScriptedModel::new(triage), ScriptedModel::new(billing))
}

fn timeless(meter: &Meter) -> Vec<(String, Usage)> {
    let nodes = meter.nodes().map(|(name, used)| (name, used.usage));
    let tools = meter.tools().map(|(name, used)| (name, used.usage));
    let edges = meter.edges().map(|(name, used)| (name, used.usage));
    let rows = nodes.chain(tools).chain(edges);
    rows.map(|(name, usage)| (name.to_owned(), usage)).collect()
}

fn sum<'m>(rows: impl Iterator<Item = (&'m str, Used)>) -> Used {
    rows.fold(Used::default(), |mut sum, (_, used)| {
        sum += used;
        sum
    })
}

#[tokio::test(start_paused = true)]
async fn what_was_used_is_told_by_agent_by_tool_and_by_edge() {
    let (triage, billing) = scripts();
    let runtime = Runtime::new(desk(&triage, &billing)).journal(Memory::default());
    let thread = runtime.thread("t");
    let _ = thread.run(asked("refund")).await.unwrap();
    let meter = thread.meter().await.unwrap();

    let of_billing = meter.node("billing");
    // Four turns and two calls of the tool.
    let usage = of_billing.usage;
    assert_eq!((usage.calls, usage.unmetered), (6, 0));
    assert_eq!((usage.input_tokens, usage.output_tokens), (1_000, 60));
    assert_eq!(usage.cost_micros, 1_000 + 4 * 60);
    assert_eq!(of_billing.took_ms, 60);
    let tool = meter.tool("search");
    assert_eq!((tool.usage, tool.took_ms), (Usage::calls(2), 60));
    assert_eq!(meter.edge("triage", "billing"), of_billing);
    assert_eq!(meter.edge(None, "triage").usage.input_tokens, 10);
    let back = meter.edge("billing", "triage").usage;
    assert_eq!(
        (back.calls, back.unmetered),
        (1, 1),
        "the model did not say what the second turn used"
    );
    assert_eq!(sum(meter.nodes()), meter.total());
    assert_eq!(sum(meter.edges()), meter.total());

    assert_eq!(
        meter.to_string(),
        "\
node                calls  tokens in        out         cost       time
billing                 6       1000         60     0.001240    0.060 s
triage                  2         10          1     0.000000    0.000 s  unmetered: 1 call

tool                calls  tokens in        out         cost       time
search                  2          0          0     0.000000    0.060 s

edge                calls  tokens in        out         cost       time
-> triage               1         10          1     0.000000    0.000 s
billing -> triage       1          0          0     0.000000    0.000 s  unmetered: 1 call
triage -> billing       6       1000         60     0.001240    0.060 s

total                   8       1010         61     0.001240    0.060 s  unmetered: 1 call
"
    );

    let history = thread.history().await.unwrap();
    assert_eq!(Meter::of_entries(&history), meter, "without the graph");
    let text = serde_json::to_string(&meter).unwrap();
    assert_eq!(serde_json::from_str::<Meter>(&text).unwrap(), meter);
}

#[derive(Debug)]
struct OfOneTool;

#[async_trait]
impl Model for OfOneTool {
    async fn turn(
        &self,
        _: &Request,
        _: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        Ok(Reply::text("").usage(Usage::tokens(3, 0) + Usage::cost_micros(7)))
    }

    fn handoff_style(&self) -> HandoffStyle {
        HandoffStyle::OneTool
    }
}

#[tokio::test]
async fn a_price_changes_nothing_of_a_model_and_not_the_cost_that_it_tells_itself() {
    let model = priced(OfOneTool, Pricing::per_million(1_000_000, 0));
    assert_eq!(model.handoff_style(), HandoffStyle::OneTool);
    let reply = model.turn(&Request::default(), &|_| {}).await.unwrap();
    assert_eq!(reply.usage.unwrap().cost_micros, 7);
}

#[tokio::test(start_paused = true)]
async fn a_journal_of_before_calls_were_counted_says_what_its_steps_say() {
    let (triage, billing) = scripts();
    let runtime = Runtime::new(desk(&triage, &billing)).journal(Memory::default());
    let thread = runtime.thread("t");
    let _ = thread.run(asked("refund")).await.unwrap();
    let old = |entry: Entry| {
        let mut value = serde_json::to_value(entry).unwrap();
        if let Some(once) = value["event"].get_mut("once") {
            once.as_object_mut().unwrap().remove("call").unwrap();
        }
        serde_json::from_value::<Entry>(value).unwrap()
    };
    let history = thread.history().await.unwrap();
    let history: Vec<_> = history.into_iter().map(old).collect();
    let (old, new) = (Meter::of_entries(&history), thread.meter().await.unwrap());
    assert_eq!(old.total(), new.total());
    assert_eq!(old.edge("triage", "billing"), new.edge("triage", "billing"));
    assert_eq!(old.tools().count(), 0, "nothing was known of them");
}

/// Says the same to the same request, whatever went before: so a crash takes nothing away.
#[derive(Debug)]
struct Steady;

#[async_trait]
impl Model for Steady {
    async fn turn(
        &self,
        request: &Request,
        _: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        let first = request.tools.first().map(|tool| tool.name.as_str());
        let has_result = matches!(request.messages.last(), Some(Said::Result { .. }));
        let reply = match first {
            Some("look_up") if !has_result => {
                Reply::default().call(ToolCall::new("1", "look_up", "{}"))
            }
            Some(over) if first != Some("look_up") => {
                Reply::default().call(ToolCall::new("2", over, "{}"))
            }
            _ => Reply::text("Done."),
        };
        Ok(reply.usage(Usage::tokens(10, 1)))
    }
}

struct LookUp;

#[async_trait]
impl Tool for LookUp {
    fn spec(&self) -> ToolSpec {
        ToolSpec::new("look_up", "Looks up.", json!({ "type": "object" }))
    }

    fn may_repeat(&self) -> bool {
        true
    }

    async fn call(&self, _: &str) -> Result<String, ToolError> {
        Ok("nothing".to_owned())
    }
}

async fn steady(journal: impl Journal) -> Result<Meter, RunError> {
    let desk = Desk {
        triage: Agent::new(Steady),
        billing: Agent::new(Steady).tool(LookUp),
    };
    let thread = Runtime::new(desk).journal(journal).thread("t");
    let _ = thread.run_once(asked("refund")).await?;
    thread.meter().await
}

#[tokio::test]
async fn wherever_a_crash_cuts_it_off_nothing_is_lost_and_what_is_lost_is_unmetered() {
    let counting = Counting::<Memory>::default();
    let whole = steady(counting.clone()).await.unwrap().total().usage;
    assert_eq!((whole.calls, whole.unmetered), (4, 0));
    let mut lost = 0;
    for last in 0..counting.appends() {
        for keeps_last in [false, true] {
            let disk = Memory::default();
            steady(Stopping::after(disk.clone(), last, keeps_last))
                .await
                .unwrap_err();
            let meter = steady(disk).await.unwrap();
            let usage = meter.total().usage;
            let at = format!("append {last}, kept: {keeps_last}");
            // A turn whose reply was lost is a call of which nobody knows what it used.
            let again = usage.unmetered + meter.tool("look_up").usage.calls - 1;
            assert_eq!(usage.calls - whole.calls, again, "{at}");
            assert_eq!(usage.input_tokens, whole.input_tokens, "{at}");
            assert_eq!(sum(meter.nodes()).usage, usage, "{at}");
            assert_eq!(sum(meter.edges()).usage, usage, "{at}");
            lost += usage.unmetered;
        }
    }
    assert!(lost >= 3, "{lost}");
}

#[tokio::test]
async fn attempts_that_fail_and_turns_of_a_model_that_fails_are_counted() {
    let triage = ScriptedModel::new([over("billing").usage(Usage::tokens(1, 0))]);
    let billing = ScriptedModel::with_errors([
        Ok(searches().usage(Usage::tokens(10, 0))),
        Err(ModelError::busy(None)),
        Ok(Script::say("Done.").usage(Usage::tokens(100, 0))),
    ]);
    let runtime = Runtime::new(desk(&triage, &billing)).journal(Memory::default());
    let thread = runtime.thread("t");
    let _ = thread.run(asked("refund")).await.unwrap();
    let usage = thread.meter().await.unwrap().node("billing").usage;
    assert_eq!((usage.calls, usage.unmetered), (4, 1));
    assert_eq!(usage.input_tokens, 110);
}

// ---- Nodes that say for themselves what they use.

/// Looks something up, and asks somebody in the middle.
#[node(Talk)]
async fn ask_around(pages: &mut Log<u32>, cx: &mut Context<'_>) -> Result<(), NodeError> {
    cx.used(Usage::calls(1) + Usage::tokens(100, 0));
    let page: u32 = cx.ask("which", "Which page?").await?;
    cx.used(Usage::calls(1) + Usage::tokens(7, 0));
    pages.push(page);
    Ok(())
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = ask_around)]
struct Asking {
    #[route(_ => end)]
    ask_around: AskAround,
}

#[tokio::test]
async fn what_was_used_before_a_pause_counts_and_so_does_what_is_used_again_behind_it() {
    let runtime = Runtime::new(Asking {
        ask_around: AskAround,
    });
    let runtime = runtime.journal(Memory::default());
    let thread = runtime.thread("t");
    let ask = thread.run(Talk::default()).await.unwrap().paused().unwrap();
    let so_far = thread.meter().await.unwrap();
    assert_eq!(so_far.node("ask_around").usage.input_tokens, 100);
    let _ = thread.resume(ask.id, 7).await.unwrap();
    let meter = thread.meter().await.unwrap();
    assert_eq!(meter.total().usage, Usage::calls(3) + Usage::tokens(207, 0));
    assert_eq!(meter.edge(None, "ask_around"), meter.total());
}

/// Reads a page, once in a while.
struct Reads(Tally);

#[node(Talk)]
impl Reads {
    fn run(&self, pages: &mut Log<u32>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        cx.used(Usage::calls(1) + Usage::tokens(5, 0));
        if self.0.count(cx.node()) == 0 && cx.node() == "shaky" {
            return Err(NodeError::new("not yet"));
        }
        pages.push(1);
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = first)]
struct Inner {
    #[route(_ => second)]
    first: Reads,
    #[route(_ => end)]
    second: Reads,
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = within)]
struct Forking {
    #[route(_ => all(left, shaky) join last)]
    within: Inner,
    #[route(_ => last)]
    left: Reads,
    #[retry(times = 2, backoff = "1ms")]
    #[route(_ => last)]
    shaky: Reads,
    #[route(_ => end)]
    last: Inner,
}

fn forking() -> Forking {
    let reads = || Reads(Tally::default());
    let inner = || Inner {
        first: reads(),
        second: reads(),
    };
    Forking {
        within: inner(),
        left: reads(),
        shaky: reads(),
        last: inner(),
    }
}

#[tokio::test]
async fn a_graph_within_counts_what_its_nodes_use_and_branches_count_by_the_edge_they_left_along() {
    let disk = Memory::default();
    let runtime = Runtime::new(forking()).journal(disk.clone());
    let thread = runtime.thread("t");
    let _ = thread.run(Talk::default()).await.unwrap();
    let meter = thread.meter().await.unwrap();
    let calls: Vec<_> = timeless(&meter)
        .into_iter()
        .map(|(name, usage)| (name, usage.calls))
        .collect();
    let expected = [
        ("Inner/first", 2),
        ("Inner/second", 2),
        ("last", 2),
        ("left", 1),
        ("shaky", 2),
        ("within", 2),
        ("-> Inner/first", 2),
        ("-> within", 2),
        ("Inner/first -> Inner/second", 2),
        ("within -> last", 2),
        ("within -> left", 1),
        ("within -> shaky", 2),
    ];
    let expected = expected.map(|(name, calls)| (name.to_owned(), calls));
    assert_eq!(calls, expected);
    assert_eq!(meter.total().usage.calls, 7);
    let history = thread.history().await.unwrap();
    assert_eq!(Meter::of_entries(&history), meter);
    let chronicle = Chronicle::read(&disk, thread.id()).await.unwrap();
    assert_eq!(chronicle.unwrap().meter().unwrap(), meter);
}

#[tokio::test]
async fn trimming_a_thread_takes_nothing_off_its_meter_and_the_next_run_goes_on_counting() {
    let runtime = Runtime::new(forking()).journal(Memory::default());
    let thread = runtime.thread("t");
    let _ = thread.run(Talk::default()).await.unwrap();
    let before = thread.meter().await.unwrap();
    let gone = thread.trim(1).await.unwrap();
    assert!(gone.seq > 5);
    assert_eq!(timeless(&thread.meter().await.unwrap()), timeless(&before));
    let _ = thread.run(Talk::default()).await.unwrap();
    let after = thread.meter().await.unwrap();
    assert_eq!(
        after.total().usage.calls,
        14 - 1,
        "the shaky one is steady now"
    );
}

#[tokio::test]
async fn what_another_thread_used_is_not_counted_twice_in_a_fork_of_it() {
    let runtime = Runtime::new(forking()).journal(Memory::default());
    let thread = runtime.thread("t");
    let _ = thread.run(Talk::default()).await.unwrap();
    let last = thread.history().await.unwrap().last().unwrap().seq;
    let fork = thread.fork(last, "u").await.unwrap();
    assert!(fork.meter().await.unwrap().is_empty());
}
