//! Budgets: what a run, an agent, a tool and an edge may use up, and what happens when it is.
#![cfg(feature = "agents")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(clippy::ptr_arg, reason = "so routes and nodes are written")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::chain;
use futures::StreamExt;
use handoffs::agent::{Agent, Message, Script, ScriptedModel, budgeted, tool};
use handoffs::prelude::*;
use handoffs::{
    Budget, BudgetOf, Inner, Journal, Keep, NodeError, Resource, Runnable, Spent, Thread, Usage,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Barrier;

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Talk {
    #[state(messages)]
    messages: Log<Message>,
    steps: u32,
}

#[derive(Outcome)]
enum Said {
    Next,
    #[outcome(answer)]
    Done(String),
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = a)]
struct Pair {
    #[route(Said::Next => b, Said::Done(_) => end)]
    a: Agent<Talk, Said>,
    #[route(Said::Next => a(limit = 50), Said::Done(_) => end)]
    b: Agent<Talk, Said>,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// An agent that hands over so many times, each time after a call of the tool, and then answers.
fn agent(turns: usize, tool_budget: Budget) -> Agent<Talk, Said> {
    let turn = |_| {
        [
            Script::call("search", json!({})).usage(Usage::tokens(90, 10)),
            Script::call("transfer_to_next", json!({})).usage(Usage::tokens(90, 10)),
        ]
    };
    let script = (0..turns).flat_map(turn).chain([Script::say("Done.")]);
    let search = tool("search", "Searches.", async |_: Nothing| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok::<_, std::io::Error>("nothing")
    });
    Agent::new(ScriptedModel::new(script)).tool(budgeted(search, tool_budget))
}

fn pair(turns: usize) -> Pair {
    Pair {
        a: agent(turns, Budget::new()),
        b: agent(turns, Budget::new()),
    }
}

fn spent(error: &RunError) -> Spent {
    match error {
        RunError::Budget { spent, .. } => (**spent).clone(),
        error => panic!("{error}"),
    }
}

async fn calls<G: Runnable, J: Journal>(thread: &Thread<G, J>) -> u64 {
    thread.meter().await.unwrap().total().usage.calls
}

#[tokio::test(start_paused = true)]
async fn a41_what_was_given_at_the_first_run_still_holds_after_each_resume() {
    // Each visit is three calls: 20 are six visits and two calls of the seventh.
    let disk = Memory::default();
    let with = |calls: u64, turns: usize| {
        let runtime = Runtime::new(pair(turns)).journal(disk.clone());
        runtime.budget(Budget::new().calls(calls)).thread("t")
    };
    let thread = with(20, 9);
    let error = thread.run(Talk::default()).await.unwrap_err();
    assert_eq!(calls(&thread).await, 20);
    assert_eq!(
        error.to_string(),
        "thread `t` stopped at node `a`, as 20 of the 20 calls of the run are used up; what was done is \
         written, and `recover` goes on with a larger budget"
    );
    assert_eq!(error.node(), Some("a"));
    assert_eq!(thread.state().await.unwrap().messages.len(), 12);

    for _ in 0..3 {
        // Another process, with the same budget.
        let error = with(20, 9).recover().await.unwrap_err();
        let spent = spent(&error);
        assert_eq!((spent.used, spent.limit), (20, 20));
        assert_eq!(calls(&thread).await, 20, "no call was made");
    }
    // The same models go on with a larger one.
    let turns_left = Pair {
        a: Agent::new(ScriptedModel::new([Script::call(
            "transfer_to_next",
            json!({}),
        )])),
        b: Agent::new(ScriptedModel::new([Script::say("Done.")])),
    };
    let runtime = Runtime::new(turns_left).journal(disk);
    let thread = runtime.budget(Budget::new().calls(22)).thread("t");
    thread.recover().await.unwrap().finished().unwrap();
    assert_eq!(calls(&thread).await, 22);
    // A new run has all of it again.
    assert!(matches!(
        thread.run(Talk::default()).await,
        Err(RunError::Node { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn an_agent_a_tool_a_node_and_an_edge_have_budgets_of_their_own() {
    let run = async |graph: Pair| {
        let runtime = Runtime::new(graph).journal(Memory::default());
        let thread = runtime.thread("t");
        let error = thread.run(Talk::default()).await.unwrap_err();
        (error.node().unwrap().to_owned(), spent(&error))
    };

    // Of b: its second call is that of the tool, and its third would be the handoff.
    let b = agent(9, Budget::new()).budget(Budget::new().calls(2));
    let (node, spent_up) = run(Pair { b, ..pair(9) }).await;
    assert_eq!(node, "b");
    assert_eq!(spent_up.of, BudgetOf::Node("b".into()));
    assert_eq!(spent_up.to_string(), "2 of the 2 calls of node `b`");

    // The tool is that of both, and each brings its own budget.
    let dear = || agent(9, Budget::new().calls(3));
    let (node, spent_up) = run(Pair {
        a: dear(),
        b: dear(),
    })
    .await;
    assert_eq!((node.as_str(), spent_up.used), ("b", 3));
    assert_eq!(spent_up.of, BudgetOf::Tool("search".into()));

    // Tokens: 200 a visit. The last turn overshoots, and no other is made.
    let a = agent(9, Budget::new()).budget(Budget::new().tokens(450));
    let (node, spent_up) = run(Pair { a, ..pair(9) }).await;
    assert_eq!((node.as_str(), spent_up.used), ("a", 500));
    assert_eq!((spent_up.what, spent_up.limit), (Resource::Tokens, 450));

    let stopped = async |runtime: Runtime<Pair, Memory>| {
        let error = runtime.thread("t").run(Talk::default()).await.unwrap_err();
        spent(&error)
    };
    let runtime = || Runtime::new(pair(9)).journal(Memory::default());
    let (a, b) = (PairNode::A, PairNode::B);
    let of_node = runtime().node_budget(b, Budget::new().calls(4));
    assert_eq!(
        stopped(of_node).await.to_string(),
        "4 of the 4 calls of node `b`"
    );
    // The first visit of a was not along the edge.
    let of_edge = runtime().edge_budget(b, a, Budget::new().calls(4)).unwrap();
    assert_eq!(
        stopped(of_edge).await.to_string(),
        "4 of the 4 calls of edge `b -> a`"
    );
    // A second of each visit is work: that of the tool.
    let of_run = runtime().budget(Budget::new().time(Duration::from_millis(3_500)));
    let spent_up = stopped(of_run).await;
    assert_eq!((spent_up.what, spent_up.used), (Resource::Millis, 4_000));

    let unknown = runtime().edge_budget(a, a, Budget::new()).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "no edge leads from `a` to `a`; name one that the graph has, and none to a join"
    );
}

/// Returns what a stream told of budgets, and how it ended.
async fn warnings<G: Runnable>(
    mut stream: handoffs::EventStream<G>,
) -> (Vec<String>, Option<RunError>) {
    let (mut told, mut error) = (Vec::new(), None);
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::Budget { node, spent, .. }) => told.push(format!("{node}: {spent}")),
            Ok(Event::Within {
                event: Inner::Budget { node, spent, .. },
                ..
            }) => told.push(format!("within, {node}: {spent}")),
            Ok(_) => {}
            Err(failed) => error = Some(failed),
        }
    }
    (told, error)
}

#[tokio::test(start_paused = true)]
async fn at_eighty_percent_it_is_said_once_and_not_again_after_a_resume() {
    let disk = Memory::default();
    let with = |calls: u64| {
        let runtime = Runtime::new(pair(9)).journal(disk.clone());
        let runtime = runtime.budget(Budget::new().calls(calls));
        runtime.thread("t")
    };
    let (told, error) = warnings(with(10).stream(Talk::default())).await;
    assert_eq!(told, ["a: 8 of the 10 calls of the run"]);
    assert_eq!(spent(&error.unwrap()).used, 10);
    let (told, error) = warnings(with(11).recover_stream()).await;
    assert_eq!(told, [""; 0], "that was 9 of 11, and is over");
    assert_eq!(spent(&error.unwrap()).used, 11);
    let (told, error) = warnings(with(30).recover_stream()).await;
    assert_eq!(told, ["b: 24 of the 30 calls of the run"]);
    assert_eq!(spent(&error.unwrap()).used, 30);
}

#[tokio::test(start_paused = true)]
async fn without_a_journal_a_budget_holds_too() {
    let runtime = Runtime::new(pair(9)).budget(Budget::new().calls(7));
    let error = runtime.thread("t").run(Talk::default()).await.unwrap_err();
    assert_eq!(spent(&error).used, 7);
    assert!(
        chain(&error).ends_with("begin it anew with a larger budget"),
        "{error}"
    );
    // With enough, nothing happens.
    let runtime = Runtime::new(pair(1)).budget(Budget::new().calls(7));
    let run = runtime.thread("t").run(Talk::default()).await.unwrap();
    assert!(run.finished().is_some());
}

// ---- Nodes that are no agents.

#[node(Talk)]
fn work(steps: &mut u32, cx: &mut Context<'_>) {
    cx.used(Usage::calls(1));
    *steps += 1;
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = work)]
struct Working {
    #[route(_ if busy => work(limit = 100), _ => end)]
    work: Work,
}

fn busy(state: &Talk) -> bool {
    state.steps < 100
}

/// Makes as many calls as it can afford.
#[node(Talk)]
async fn spend(steps: &mut u32, cx: &mut Context<'_>) {
    for _ in 0..10 {
        cx.afford().await;
        cx.used(Usage::calls(1));
        *steps += 1;
    }
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = spend)]
struct Spending {
    #[route(_ => end)]
    spend: Spend,
}

async fn steps<J: Keep>(runtime: Runtime<Working, J>, budget: u64) -> u64 {
    let runtime = runtime.budget(Budget::new().calls(budget));
    let error = runtime.thread("t").run(Talk::default()).await.unwrap_err();
    spent(&error).used
}

#[tokio::test]
async fn where_nodes_say_what_they_use_no_step_begins_once_more_was_used_than_may_be() {
    assert_eq!(steps(Runtime::new(Working { work: Work }), 5).await, 6);
    let kept = Runtime::new(Working { work: Work }).journal(Memory::default());
    assert_eq!(steps(kept, 5).await, 6);

    let runtime = Runtime::new(Spending { spend: Spend }).journal(Memory::default());
    let thread = runtime.budget(Budget::new().calls(4)).thread("t");
    let error = thread.run(Talk::default()).await.unwrap_err();
    assert_eq!(spent(&error).used, 4);
    assert_eq!(
        calls(&thread).await,
        4,
        "it is written although the node gave up"
    );
    assert_eq!(
        thread.state().await.unwrap().steps,
        0,
        "and that left no trace"
    );
}

// ---- Branches, and graphs within.

/// Waits until all are there, and then uses something.
struct Together(Arc<Barrier>);

#[node(Talk)]
impl Together {
    async fn run(&self, cx: &mut Context<'_>) -> Result<(), NodeError> {
        cx.once("meet", async || {
            self.0.wait().await;
            Ok::<_, std::io::Error>(())
        })
        .await?;
        cx.used(Usage::calls(2));
        Ok(())
    }
}

#[node(Talk)]
fn idle() {}

#[derive(AgentGraph)]
#[graph(state = Talk, start = first)]
struct Two {
    #[route(_ => second)]
    first: Together,
    #[route(_ => end)]
    second: Idle,
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = idle)]
struct Forked {
    #[route(_ => all(left, right) join last)]
    idle: Idle,
    #[route(_ => last)]
    left: Two,
    #[route(_ => last)]
    right: Two,
    #[route(_ => end)]
    last: Idle,
}

#[tokio::test]
async fn where_one_branch_is_over_the_budget_the_others_finish_their_step_and_all_can_go_on() {
    let barrier = Arc::new(Barrier::new(2));
    let two = || Two {
        first: Together(Arc::clone(&barrier)),
        second: Idle,
    };
    let forked = Forked {
        idle: Idle,
        left: two(),
        right: two(),
        last: Idle,
    };
    let runtime = Runtime::new(forked).journal(Memory::default());
    let small = runtime.clone().budget(Budget::new().calls(3));
    let error = small.thread("t").run(Talk::default()).await.unwrap_err();
    assert_eq!(spent(&error).used, 4);
    // Nothing was cut off in the middle, so nothing is unknown.
    let thread = runtime.thread("t");
    thread.recover().await.unwrap().finished().unwrap();
    assert_eq!(calls(&thread).await, 4);
}

#[tokio::test]
async fn a_node_that_is_a_graph_counts_what_is_used_within() {
    #[derive(AgentGraph)]
    #[graph(state = Talk, start = outer)]
    struct Outer {
        #[route(_ => after)]
        outer: Two,
        #[route(_ => end)]
        after: Idle,
    }
    let outer = Outer {
        outer: Two {
            first: Together(Arc::new(Barrier::new(1))),
            second: Idle,
        },
        after: Idle,
    };
    let runtime = Runtime::new(outer).journal(Memory::default());
    let runtime = runtime.node_budget(OuterNode::Outer, Budget::new().calls(1));
    let thread = runtime.thread("t");
    let (told, error) = warnings(thread.stream(Talk::default())).await;
    assert_eq!(told, ["within, first: 2 of the 1 calls of node `outer`"]);
    let error = error.unwrap();
    assert_eq!(
        spent(&error).to_string(),
        "2 of the 1 calls of node `outer`"
    );
    assert_eq!(error.node(), Some("second"));
}

#[tokio::test(start_paused = true)]
async fn a_trimmed_thread_still_knows_what_its_run_has_used() {
    let disk = Memory::default();
    let with = || {
        let runtime = Runtime::new(pair(9)).journal(disk.clone());
        runtime.budget(Budget::new().calls(10)).thread("t")
    };
    with().run(Talk::default()).await.unwrap_err();
    let gone = with().trim(1).await.unwrap();
    assert!(gone.seq > 10);
    let error = with().recover().await.unwrap_err();
    assert_eq!(spent(&error).used, 10);
}
