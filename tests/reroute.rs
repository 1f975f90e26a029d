//! Today's edges over yesterday's path: what would go elsewhere is told, and nothing is done.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use common::{Place, path};
use handoffs::prelude::*;
use handoffs::{
    Approval, BuiltGraph, Durability, DynContract, DynNode, DynOutcome, DynVariant, GraphBuilder,
    Journal, JournalError, Layer, NoHandoff, NodeError, On, Record, Recorded, RunError, Runnable,
    ThreadId, To, async_trait,
};
use serde::{Deserialize, Serialize};

// ---- Nodes that conclude what they are told, and today panic.

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Case {
    said: Log<String>,
    steps: handoffs::Counter,
    #[state(progress)]
    found: handoffs::Counter,
}

/// What each node concludes in turn; `Yes` once there is nothing left.
type Script = Arc<Mutex<BTreeMap<String, VecDeque<&'static str>>>>;

fn script<const N: usize>(of: [(&str, &str); N]) -> Script {
    let turns = of.map(|(node, turns)| (node.to_owned(), turns));
    let turns = turns.map(|(node, turns)| {
        // They live as long as the tests.
        let turns: &'static str = turns.to_owned().leak();
        (node, turns.split(' ').collect())
    });
    Arc::new(Mutex::new(turns.into()))
}

/// A node: with a script it concludes what that says, and without one it must not be executed.
#[derive(Clone)]
struct Step {
    script: Option<Script>,
    takes_item: bool,
}

#[async_trait]
impl DynNode<Case> for Step {
    fn outcomes(&self) -> Vec<DynVariant> {
        ["Yes", "No"].map(DynVariant::new).into()
    }

    fn contract(&self) -> DynContract {
        let contract = DynContract::new().writes(["said", "steps", "found"]);
        if self.takes_item {
            contract.takes_item()
        } else {
            contract
        }
    }

    async fn run(&self, case: &mut Case, cx: &mut Context<'_>) -> Result<DynOutcome, NodeError> {
        let script = self.script.as_ref();
        let script = script.unwrap_or_else(|| panic!("`{}` is executed", cx.node()));
        let turn = script
            .lock()
            .unwrap()
            .get_mut(cx.node())
            .and_then(VecDeque::pop_front);
        case.said.push(cx.node().to_owned());
        case.steps += 1;
        match turn.unwrap_or("Yes") {
            "fails" => Err(NodeError::new("so it was to be")),
            "found" => {
                case.found += 1;
                Ok(DynOutcome::new("No"))
            }
            "asks" => {
                let answer: String = cx.ask("who", "Who?").await?;
                case.said.push(answer);
                Ok(DynOutcome::new("Yes"))
            }
            outcome => Ok(DynOutcome::new(outcome)),
        }
    }
}

/// A version of a graph, by what it adds to its nodes.
type Version = fn(GraphBuilder<Case>) -> GraphBuilder<Case>;

fn graph(nodes: &str, script: Option<&Script>, version: Version) -> BuiltGraph<Case> {
    let mut builder = GraphBuilder::new("Desk");
    for name in nodes.split(' ') {
        let name = name.to_owned();
        let step = Step {
            script: script.cloned(),
            takes_item: name.starts_with("each_"),
        };
        builder = builder.dyn_node(name, step);
    }
    let first = nodes.split(' ').next().unwrap().to_owned();
    version(builder.start(first)).build().unwrap()
}

/// A journal that can be read.
#[derive(Debug)]
struct ReadOnly<J>(J);

#[async_trait]
impl<J: Journal> Layer for ReadOnly<J> {
    type Within = J;

    fn within(&self) -> &J {
        &self.0
    }

    async fn append(
        &self,
        _: &ThreadId,
        _: u64,
        _: Vec<Record>,
        _: Durability,
    ) -> Result<(), JournalError> {
        panic!("it is written to")
    }

    async fn compact(&self, _: &ThreadId, _: Record, _: u64) -> Result<(), JournalError> {
        panic!("it is written to")
    }

    async fn delete(&self, _: &ThreadId, _: Option<u64>) -> Result<(), JournalError> {
        panic!("it is written to")
    }
}

/// Runs the first version by the script, and returns how many decisions of it were looked at, and what of
/// them the second version sees otherwise.
async fn over(
    at: &impl Place,
    script: &Script,
    (nodes, then): (&str, Version),
    (nodes_now, now): (&str, Version),
) -> (u64, Vec<String>) {
    let runtime = Runtime::new(graph(nodes, Some(script), then)).journal(at.open().await);
    let thread = runtime.thread("t");
    let mut run = thread.run(Case::default()).await;
    while let Ok(Run::Paused(ask)) = run {
        run = thread.resume(ask.id, "somebody").await;
    }
    let same = rerouted(at, graph(nodes, None, then)).await;
    assert_eq!(same.1, [] as [String; 0], "by itself it goes where it went");
    let now = rerouted(at, graph(nodes_now, None, now)).await;
    assert_eq!(now.0, same.0);
    now
}

async fn rerouted<G: Runnable>(at: &impl Place, graph: G) -> (u64, Vec<String>) {
    let runtime = Runtime::new(graph).journal(ReadOnly(at.open().await));
    let rerouted = runtime.thread("t").reroute().await.unwrap();
    assert_eq!(rerouted.is_same(), rerouted.differing.is_empty());
    assert_eq!(rerouted.hidden, 0);
    let lines = rerouted.differing.iter().map(ToString::to_string);
    (rerouted.decisions, lines.collect())
}

// ---- Guards and targets.

fn with_a_guard(builder: GraphBuilder<Case>) -> GraphBuilder<Case> {
    builder
        .route("a", "Yes", To::node("b"))
        .route("a", "No", To::node("c"))
        .route("b", On::any().when("busy"), To::node("c"))
        .route("b", "_", To::node("a").limit(9).or_end())
        .route("c", "_", To::end())
}

const ABC: &str = "a b c";

async fn a_guard_that_holds_from_another_step_on_is_found_out(at: &impl Place) {
    let then: Version = |builder| with_a_guard(builder.guard("busy", |case| case.steps.get() >= 6));
    let now: Version = |builder| with_a_guard(builder.guard("busy", |case| case.steps.get() >= 4));
    let laps = script([("b", "found found found")]);
    let (decisions, differing) = over(at, &laps, (ABC, then), (ABC, now)).await;
    assert_eq!(decisions, 7);
    assert_eq!(
        differing,
        ["entry 5: node `b` went `_ => a`, and today it goes `_ if busy => c`"],
        "it is asked of the state behind each step, on the way that was gone"
    );
}

async fn what_is_found_tells_where_and_what(at: &impl Place) {
    let then: Version = |builder| with_a_guard(builder.guard("busy", |case| case.steps.get() >= 2));
    let now: Version = |builder| with_a_guard(builder.guard("busy", |_| false));
    let script = script([]);
    over(at, &script, (ABC, then), (ABC, now)).await;
    let runtime = Runtime::new(graph(ABC, None, now)).journal(at.open().await);
    let found = runtime.thread("t").reroute().await.unwrap();
    let [rerouted] = &*found.differing else {
        panic!("{found:#?}");
    };
    assert_eq!((rerouted.seq, &*rerouted.node), (3, "b"));
    assert!(rerouted.branch.is_trunk() && rerouted.leads_elsewhere());
    assert_eq!(rerouted.outcome.as_ref().unwrap().variant, "Yes");
    let (recorded, today) = (&rerouted.recorded, rerouted.today.as_ref().unwrap());
    assert_eq!(
        (&*recorded.on, recorded.to.as_deref()),
        ("_ if busy", Some("c"))
    );
    assert_eq!((&*today.on, today.to.as_deref()), ("_", Some("a")));
    assert!(!found.is_same());
}

async fn an_edge_that_leads_elsewhere_or_reads_otherwise_is_found_out(at: &impl Place) {
    let then: Version = |builder| {
        builder
            .route("a", "Yes", To::node("b"))
            .route("a", "No", To::end())
            .route("b", "_", To::node("c"))
            .route("c", "_", To::end())
    };
    let now: Version = |builder| {
        builder
            .route("a", "Yes", To::node("c"))
            .route("a", "No", To::end())
            .route("b", On::any_of(["Yes", "No"]), To::node("c"))
            .route("c", "Yes", To::node("b").limit(1).or_end())
            .route("c", "No", To::end())
    };
    let (_, differing) = over(at, &script([]), (ABC, then), (ABC, now)).await;
    assert_eq!(
        differing,
        [
            "entry 2: node `a` went `Yes => b`, and today it goes `Yes => c`",
            "entry 3: node `b` went `_ => c`, and today it goes `Yes | No => c`",
            "entry 4: node `c` went `_ => end`, and today it goes `Yes => b`",
        ]
    );
    let runtime = Runtime::new(graph(ABC, None, now)).journal(at.open().await);
    let found = runtime.thread("t").reroute().await.unwrap();
    let elsewhere = found
        .differing
        .iter()
        .map(handoffs::Rerouted::leads_elsewhere);
    assert_eq!(elsewhere.collect::<Vec<_>>(), [true, false, true]);
}

async fn a_node_that_is_gone_or_new_is_no_riddle(at: &impl Place) {
    let then: Version = |builder| {
        builder
            .route("a", "_", To::node("b"))
            .route("b", "_", To::node("c"))
            .route("c", "_", To::end())
    };
    let now: Version = |builder| {
        builder
            .route("a", "_", To::node("d"))
            .route("d", "_", To::node("c"))
            .route("c", "_", To::end())
    };
    let (_, differing) = over(at, &script([]), (ABC, then), ("a d c", now)).await;
    assert_eq!(
        differing,
        [
            "entry 2: node `a` went `_ => b`, and today it goes `_ => d`",
            "entry 3: node `b` went `_ => c`, and today the graph has no such node",
        ]
    );
}

async fn a_guard_that_panics_is_caught(at: &impl Place) {
    let then: Version = |builder| with_a_guard(builder.guard("busy", |case| case.steps.get() >= 4));
    let now: Version = |builder| {
        with_a_guard(builder.guard("busy", |case| {
            assert!(case.steps.get() >= 4, "so few steps");
            true
        }))
    };
    let (_, differing) = over(at, &script([]), (ABC, then), (ABC, now)).await;
    assert_eq!(
        differing,
        ["entry 3: node `b` went `_ => a`, and today a guard panics: so few steps"]
    );
}

// ---- Limits and masks.

fn round(builder: GraphBuilder<Case>, back: To) -> GraphBuilder<Case> {
    builder
        .route("a", "_", To::node("b"))
        .route("b", "No", back)
        .route("b", "Yes", To::node("c"))
        .route("c", "_", To::end())
}

async fn limits_count_along_the_way_that_was_gone(at: &impl Place) {
    let then: Version = |builder| round(builder, To::node("a").limit(4).or_else("c"));
    let now: Version = |builder| round(builder, To::node("a").limit(2).or_else("c"));
    let laps = || script([("b", "found found found found Yes")]);
    let (_, differing) = over(at, &laps(), (ABC, then), (ABC, now)).await;
    assert_eq!(
        differing,
        [
            "entry 7: node `b` went `No => a`, and today it goes \
             `No => c, as its limit is used up`",
            "entry 9: node `b` went `No => a`, and today it goes \
             `No => c, as its limit is used up`",
        ]
    );
}

async fn a_limit_without_an_else_stops_the_run(at: &impl Place) {
    let then: Version = |builder| round(builder, To::node("a").limit(4));
    let now: Version = |builder| round(builder, To::node("a").limit(2));
    let laps = script([("b", "found found found Yes")]);
    let (_, differing) = over(at, &laps, (ABC, then), (ABC, now)).await;
    assert_eq!(
        differing,
        [
            "entry 7: node `b` went `No => a`, and today it insists on the edge `No` of the loop \
             `a -> b -> a`, and its limit is used up"
        ]
    );
    let runtime = Runtime::new(graph(ABC, None, now)).journal(at.open().await);
    let found = runtime.thread("t").reroute().await.unwrap();
    let today = &found.differing[0].today;
    assert!(
        matches!(today, Err(NoHandoff::Loop { laps: 2, .. })),
        "{today:?}"
    );
    assert!(found.differing[0].leads_elsewhere());
}

async fn an_edge_that_was_masked_and_would_not_be_is_found_out(at: &impl Place) {
    let then: Version = |builder| round(builder, To::node("a").limit(1).or_else("c"));
    let now: Version = |builder| round(builder, To::node("a").limit(2).or_else("c"));
    let laps = script([("b", "found found")]);
    let (_, differing) = over(at, &laps, (ABC, then), (ABC, now)).await;
    assert_eq!(
        differing,
        ["entry 5: node `b` went `No => c, as its limit is used up`, and today it goes `No => a`"]
    );
}

async fn a_lap_without_progress_is_masked_where_today_says_what_then(at: &impl Place) {
    // The first version has its bound elsewhere.
    let then: Version = |builder| {
        builder
            .route("a", "_", To::node("b").limit(8).or_else("c"))
            .route("b", "No", To::node("a"))
            .route("b", "Yes", To::node("c"))
            .route("c", "_", To::end())
    };
    let now: Version = |builder| {
        builder
            .route("a", "_", To::node("b").limit(8).or_else("c"))
            .route("b", "No", To::node("a").or_else("c"))
            .route("b", "Yes", To::node("c"))
            .route("c", "_", To::end())
    };
    // The last lap finds nothing.
    let laps = || script([("b", "found found No Yes")]);
    let (_, differing) = over(at, &laps(), (ABC, then), (ABC, now)).await;
    assert_eq!(
        differing,
        ["entry 7: node `b` went `No => a`, and today it goes \
             `No => c, as nothing has changed since it was last taken`"]
    );
    // Where nobody looks out for that, it is no matter.
    let runtime = Runtime::new(graph(ABC, None, now)).journal(at.open().await);
    let found = runtime
        .watch_loops(false)
        .thread("t")
        .reroute()
        .await
        .unwrap();
    assert!(!found.is_same(), "of the first version an edge was masked");
    assert!(found.differing.iter().all(|rerouted| rerouted.node == "a"));
}

async fn an_answer_and_an_edit_are_news_to_a_loop_today_as_well(at: &impl Place) {
    let version: Version = |builder| round(builder, To::node("a").limit(9).or_else("c"));
    let script = script([("a", "Yes asks"), ("b", "No fails No Yes")]);
    let runtime = Runtime::new(graph(ABC, Some(&script), version)).journal(at.open().await);
    let thread = runtime.thread("t");
    let Run::Paused(ask) = thread.run(Case::default()).await.unwrap() else {
        panic!("it asks");
    };
    script
        .lock()
        .unwrap()
        .get_mut("a")
        .unwrap()
        .push_front("asks");
    // It fails, then laps once more although nothing was found: there was an edit, and an answer before.
    thread.resume(ask.id, "Ada").await.unwrap_err();
    thread
        .edit("go on", |case| case.said = Log::default())
        .await
        .unwrap();
    let run = thread.recover().await.unwrap();
    assert!(matches!(run, Run::Finished(_)), "{run:?}");
    assert_eq!(path(&thread.history().await.unwrap()).join(""), "abababc");
    assert_eq!(rerouted(at, graph(ABC, None, version)).await, (7, vec![]));
}

// ---- Errors.

fn caught(builder: GraphBuilder<Case>, to: Option<&str>) -> GraphBuilder<Case> {
    let builder = builder
        .route("a", "_", To::node("b"))
        .route("b", "_", To::node("c"))
        .route("c", "_", To::end());
    match to {
        Some("back") => builder.on_error("b", To::back().limit(1).or_else("c")),
        Some(to) => builder.on_error("b", To::node(to.to_owned())),
        None => builder,
    }
}

async fn an_error_edge_that_leads_elsewhere_is_found_out(at: &impl Place) {
    let then: Version = |builder| caught(builder, Some("c"));
    let gone: Version = |builder| caught(builder, None);
    let back: Version = |builder| caught(builder, Some("back"));
    let (_, differing) = over(at, &script([("b", "fails")]), (ABC, then), (ABC, back)).await;
    assert_eq!(
        differing,
        ["entry 3: node `b` went `error => c`, and today it goes `error, back => a`"]
    );
    let (decisions, differing) = rerouted(at, graph(ABC, None, gone)).await;
    assert_eq!(
        (decisions, differing),
        (
            3,
            vec![
                "entry 3: node `b` went `error => c`, and today it has no error edge to take"
                    .to_owned()
            ]
        )
    );
}

async fn the_way_back_leads_to_whoever_handed_over(at: &impl Place) {
    let then: Version = |builder| caught(builder, Some("back"));
    let now: Version = |builder| caught(builder, Some("c"));
    let fails = script([("b", "fails fails")]);
    let (_, differing) = over(at, &fails, (ABC, then), (ABC, now)).await;
    assert_eq!(
        differing,
        [
            "entry 3: node `b` went `error, back => a`, and today it goes `error => c`",
            "entry 5: node `b` went `error, back => c, as its limit is used up`, and today it goes \
             `error => c`",
        ]
    );
}

// ---- Forks.

fn fan(builder: GraphBuilder<Case>, fan: To) -> GraphBuilder<Case> {
    builder
        .route("a", "_", fan)
        .route("b", On::outcome("Yes").when("early"), To::node("d"))
        .route("b", "_", To::node("c").limit(1).or_else("d"))
        .route("c", "_", To::node("d"))
        .route("e", "_", To::node("d"))
        .route("d", On::outcome("Yes").when("many"), To::end())
        .route("d", "_", To::node("f"))
        .route("f", "_", To::end())
}

const FAN: &str = "a b c d e f";

async fn guards_in_branches_and_behind_the_join_see_what_was_there(at: &impl Place) {
    let then: Version = |builder| {
        let builder = builder.guard("early", |_| false).guard("many", |_| false);
        fan(builder, To::all(["b", "e"], "d"))
    };
    let now: Version = |builder| {
        // In the branch, two steps are known; behind the join, all of them.
        let early = |case: &Case| case.steps == 2;
        let many = |case: &Case| case.steps == 5 && case.said.iter().eq(["a", "b", "c", "e", "d"]);
        let builder = builder.guard("early", early).guard("many", many);
        fan(builder, To::all(["b", "e"], "d"))
    };
    let (decisions, differing) = over(at, &script([]), (FAN, then), (FAN, now)).await;
    assert_eq!(decisions, 6);
    let differing: Vec<_> = differing
        .iter()
        .filter_map(|line| Some(line.split_once(": ")?.1))
        .collect();
    assert_eq!(
        differing,
        [
            "node `b` went `_ => c`, and today it goes `Yes if early => d`",
            "node `d` went `_ => f`, and today it goes `Yes if many => end`",
        ]
    );
}

async fn a_fork_into_other_branches_is_found_out(at: &impl Place) {
    let then: Version = |builder| {
        let builder = builder.guard("early", |_| true).guard("many", |_| true);
        fan(builder, To::all(["b", "e"], "d"))
    };
    let now: Version = |builder| {
        let builder = builder.guard("early", |_| true).guard("many", |_| true);
        fan(builder, To::all(["e", "b"], "d"))
    };
    let (_, differing) = over(at, &script([]), (FAN, then), (FAN, now)).await;
    assert_eq!(
        differing,
        ["entry 2: node `a` went `_ => [b, e] join d`, and today it goes `_ => [e, b] join d`"]
    );
}

fn each(builder: GraphBuilder<Case>) -> GraphBuilder<Case> {
    builder
        .route("a", "_", To::each("parts", "each_b", "c"))
        .route("each_b", "_", To::node("c"))
        .route("c", "_", To::end())
}

async fn other_items_are_found_out(at: &impl Place) {
    let then: Version = |builder| each(builder.items("parts", |_| vec![1_i64, 2]));
    let now: Version = |builder| each(builder.items("parts", |case| vec![case.steps.get(); 3]));
    let same: Version = |builder| each(builder.items("parts", |_| vec![1_i64, 3]));
    let nodes = "a each_b c";
    let (decisions, differing) = over(at, &script([]), (nodes, then), (nodes, now)).await;
    assert_eq!(decisions, 4);
    assert_eq!(
        differing,
        [
            "entry 2: node `a` went `_ => [each_b, each_b] join c`, and today it goes \
             `_ => [each_b, each_b, each_b] join c`"
        ]
    );
    let runtime = Runtime::new(graph(nodes, None, same)).journal(at.open().await);
    let found = runtime.thread("t").reroute().await.unwrap();
    let [rerouted] = &*found.differing else {
        panic!("{found:#?}");
    };
    let items = |handoff: &handoffs::Handoff| -> Vec<u32> {
        handoff
            .items
            .iter()
            .map(|item| item.to().unwrap())
            .collect()
    };
    assert_eq!(items(&rerouted.recorded), [1, 2]);
    assert_eq!(items(rerouted.today.as_ref().unwrap()), [1, 3]);
    assert!(rerouted.leads_elsewhere());
}

async fn branches_that_never_joined_are_looked_at_as_well(at: &impl Place) {
    let then: Version = |builder| {
        let builder = builder.guard("early", |_| true).guard("many", |_| true);
        fan(builder, To::all(["b", "e"], "d"))
    };
    let now: Version = |builder| {
        let builder = builder.guard("early", |_| false).guard("many", |_| true);
        fan(builder, To::all(["b", "e"], "d"))
    };
    let fails = script([("e", "fails")]);
    let runtime = Runtime::new(graph(FAN, Some(&fails), then)).journal(at.open().await);
    let thread = runtime.thread("t");
    thread.run(Case::default()).await.unwrap_err();
    let expected = "entry 3: node `b` went `Yes if early => d`, and today it goes `_ => c`";
    let found = rerouted(at, graph(FAN, None, now)).await;
    assert_eq!(found, (2, vec![expected.to_owned()]));
    assert_eq!(rerouted(at, graph(FAN, None, then)).await, (2, vec![]));

    // And when the run was given up, and another one has begun.
    thread.abandon("enough").await.unwrap();
    let run = thread.run(Case::default()).await.unwrap();
    assert!(matches!(run, Run::Finished(_)), "{run:?}");
    let (decisions, differing) = rerouted(at, graph(FAN, None, now)).await;
    assert_eq!((decisions, differing.len()), (6, 2));
    assert_eq!(differing[0], expected);
    assert_eq!(rerouted(at, graph(FAN, None, then)).await, (6, vec![]));
}

// ---- Graphs within.

fn inside(script: Option<&Script>, busy: fn(&Case) -> bool) -> BuiltGraph<Case> {
    let step = || Step {
        script: script.cloned(),
        takes_item: false,
    };
    let inner = |name: &'static str| {
        GraphBuilder::new(name)
            .start("x")
            .dyn_node("x", step())
            .dyn_node("y", step())
            .guard("busy", busy)
            .route("x", On::outcome("Yes").when("busy"), To::end())
            .route("x", "_", To::node("y"))
            .route("y", "_", To::end())
            .build()
            .unwrap()
    };
    GraphBuilder::new("Desk")
        .start("a")
        .dyn_node("a", step())
        .subgraph("shared", inner("Shared"))
        .subgraph_with("own", inner("Own"), |case: &Case| case.clone(), Leave)
        .dyn_node("z", step())
        .guard("last", |case| case.steps == 6 && case.said.len() == 6)
        .route("a", "_", To::node("shared"))
        .route("shared", "_", To::node("own"))
        .route("own", "_", To::node("z"))
        .route("z", On::outcome("Yes").when("last"), To::end())
        .route("z", "_", To::node("a").limit(1).or_end())
        .build()
        .unwrap()
}

/// Takes over what the graph over another state has made of it.
#[node(Case)]
fn leave(item: Case, said: &mut Log<String>, steps: &mut handoffs::Counter) {
    *said = item.said;
    *steps = item.steps;
}

async fn guards_of_graphs_within_are_asked_in_their_own_states(at: &impl Place) {
    let script = script([]);
    let runtime = Runtime::new(inside(Some(&script), |_| false)).journal(at.open().await);
    let thread = runtime.thread("t");
    let run = thread.run(Case::default()).await.unwrap();
    assert_eq!(run.finished().unwrap().steps, 6);
    assert_eq!(rerouted(at, inside(None, |_| false)).await, (8, vec![]));

    let (_, differing) = rerouted(at, inside(None, |case| case.steps == 2)).await;
    let expected = "node `x` went `_ => y`, and today it goes `Yes if busy => end`";
    assert_eq!(differing, [format!("entry 4: {expected}")]);
    let (_, differing) = rerouted(at, inside(None, |case| case.steps == 4)).await;
    assert_eq!(differing, [format!("entry 8: {expected}")]);
}

/// A node that is written by hand around a graph, and does not say so.
struct Wrapped(BuiltGraph<Case>);

impl handoffs::Node<Case> for Wrapped {
    type Outcome = ();
    const CONTRACT: handoffs::Contract = handoffs::Contract {
        writes: handoffs::FieldSet::first_of(3),
        ..handoffs::Contract::EMPTY
    };
    const KIND: handoffs::NodeKind = handoffs::NodeKind::Graph;
}

impl handoffs::Execute<Case> for Wrapped {
    async fn execute(&self, case: &mut Case, cx: &mut Context<'_>) -> Result<(), NodeError> {
        handoffs::__private::subgraph(&self.0, case, cx).await
    }
}

fn two_steps(script: Option<&Script>) -> BuiltGraph<Case> {
    graph("x y", script, |builder| {
        builder
            .route("x", "_", To::node("y"))
            .route("y", "_", To::end())
    })
}

/// What took the place of a graph.
#[node(Case)]
fn nothing() {
    panic!("it is executed")
}

/// A graph around another, or around a node in its place.
fn around(
    script: Option<&Script>,
    within: impl FnOnce(GraphBuilder<Case>) -> GraphBuilder<Case>,
    done: usize,
) -> BuiltGraph<Case> {
    let step = Step {
        script: script.cloned(),
        takes_item: false,
    };
    let builder = GraphBuilder::new("Desk")
        .start("a")
        .dyn_node("a", step.clone())
        .dyn_node("z", step);
    within(builder)
        .guard("done", move |case| case.said.len() == done)
        .route("a", "_", To::node("within"))
        .route("within", "_", To::node("z"))
        .route("z", On::any().when("done"), To::end())
        .route("z", "_", To::node("a").limit(1).or_end())
        .build()
        .unwrap()
}

async fn what_is_hidden_in_a_node_is_counted_and_its_writes_are_known(at: &impl Place) {
    let script = script([]);
    let hidden = |script: Option<&Script>| {
        let inner = two_steps(script);
        around(script, |builder| builder.node("within", Wrapped(inner)), 4)
    };
    let runtime = Runtime::new(hidden(Some(&script))).journal(at.open().await);
    let run = runtime.thread("t").run(Case::default()).await.unwrap();
    assert_eq!(run.finished().unwrap().said.len(), 4);
    let runtime = Runtime::new(hidden(None)).journal(ReadOnly(at.open().await));
    let found = runtime.thread("t").reroute().await.unwrap();
    assert!(found.is_same(), "{found:#?}");
    assert_eq!((found.decisions, found.hidden), (3, 2));
}

async fn a_graph_within_that_is_a_node_today_has_written_what_it_has(at: &impl Place) {
    let script = script([]);
    let inner = two_steps(Some(&script));
    let then = around(
        Some(&script),
        |builder| builder.subgraph("within", inner),
        4,
    );
    let runtime = Runtime::new(then).journal(at.open().await);
    let run = runtime.thread("t").run(Case::default()).await.unwrap();
    assert_eq!(run.finished().unwrap().said.len(), 4);
    for (done, differs) in [(4, false), (3, true)] {
        let now = around(None, |builder| builder.node("within", Nothing), done);
        let runtime = Runtime::new(now).journal(ReadOnly(at.open().await));
        let found = runtime.thread("t").reroute().await.unwrap();
        assert_eq!((found.decisions, found.hidden), (3, 2));
        let lines: Vec<_> = found.differing.iter().map(ToString::to_string).collect();
        let expected =
            "entry 7: node `z` went `_ if done => end`, and today it goes `_ => a`".to_owned();
        assert_eq!(lines, if differs { vec![expected] } else { vec![] });
    }
}

// ---- People.

fn approved(builder: GraphBuilder<Case>, to: To) -> GraphBuilder<Case> {
    builder
        .question("large", |case| case.steps)
        .route("a", "_", to)
        .route("b", "Yes", To::node("c"))
        .route("b", "No", To::node("a"))
        .route("c", "_", To::end())
}

async fn handoffs_that_a_person_decides_are_decisions_as_well(at: &impl Place) {
    let then: Version = |builder| {
        approved(
            builder,
            To::node("b").limit(3).approve("large").or_else("c"),
        )
    };
    let free: Version = |builder| approved(builder, To::node("b").limit(3).or_else("c"));
    let less: Version = |builder| {
        approved(
            builder,
            To::node("b").limit(1).approve("large").or_else("c"),
        )
    };
    let other: Version = |builder| {
        approved(
            builder,
            To::node("b").limit(3).approve("large").or_else("d"),
        )
        .route("d", "_", To::end())
    };
    let script = script([("b", "found found")]);
    let runtime = Runtime::new(graph(ABC, Some(&script), then)).journal(at.open().await);
    let thread = runtime.thread("t");
    let mut run = thread.run(Case::default()).await.unwrap();
    for approval in [Approval::Approved, Approval::Refused("no".to_owned())] {
        let Run::Paused(ask) = run else {
            panic!("{run:?}");
        };
        run = thread.resume(ask.id, approval).await.unwrap();
    }
    assert!(matches!(run, Run::Finished(_)), "{run:?}");
    assert_eq!(path(&thread.history().await.unwrap()), ["a", "b", "a", "c"]);

    assert_eq!(rerouted(at, graph(ABC, None, then)).await, (5, vec![]));
    let (_, differing) = rerouted(at, graph(ABC, None, free)).await;
    assert_eq!(
        differing,
        [
            "entry 2: node `a` went `_ => b, if approved`, and today it goes `_ => b`",
            "entry 5: node `a` went `_ => b, if approved`, and today it goes `_ => b`",
        ]
    );
    let (_, differing) = rerouted(at, graph(ABC, None, less)).await;
    assert_eq!(
        differing,
        [
            "entry 5: node `a` went `_ => b, if approved`, and today it goes \
             `_ => c, as its limit is used up`"
        ]
    );
    let (_, differing) = rerouted(at, graph("a b c d", None, other)).await;
    assert_eq!(
        differing,
        ["entry 6: node `a` went `_ => c`, and today it goes `_ => d`"]
    );
}

// ---- Long threads.

async fn of_a_long_thread_each_state_is_that_of_its_step(at: &impl Place) {
    let version: Version = |builder| {
        builder
            .guard("last", |case| {
                case.said.len() > 600 && case.steps.get() > 600
            })
            .route("a", On::any().when("last"), To::end())
            .route("a", "_", To::node("b"))
            .route("b", "_", To::node("a").limit(1_000).or_end())
    };
    let finds = "found ".repeat(700);
    let script = script([("b", finds.trim())]);
    let (decisions, differing) = over(at, &script, ("a b", version), ("a b", version)).await;
    assert_eq!((decisions, differing), (601, vec![]));
}

// ---- Types that have changed.

mod then {
    use super::*;

    #[derive(State, Clone, Debug, Default)]
    pub(crate) struct Ticket {
        pub(crate) amount: u32,
        pub(crate) note: String,
        pub(crate) dropped: u32,
    }

    #[derive(Outcome)]
    pub(crate) enum Topic {
        Refund { amount: u32 },
        Other,
    }

    #[node(Ticket)]
    pub(crate) fn triage(amount: &mut u32, note: &mut String, dropped: &mut u32) -> Topic {
        *amount += 10;
        *dropped += 1;
        note.push('n');
        if *amount < 15 {
            Topic::Refund { amount: *amount }
        } else {
            Topic::Other
        }
    }

    #[derive(AgentGraph)]
    #[graph(state = Ticket, start = triage)]
    pub(crate) struct Desk {
        #[route(
            Topic::Refund { .. } => triage(limit = 3, else = end),
            Topic::Other => end,
        )]
        pub(crate) triage: Triage,
    }
}

mod now {
    use super::*;

    #[derive(State, Clone, Debug, Default)]
    pub(crate) struct Ticket {
        pub(crate) amount: u32,
        pub(crate) note: String,
        pub(crate) added: Option<u32>,
    }

    #[derive(Outcome)]
    pub(crate) enum Topic {
        Refund { amount: u32 },
        Complaint,
    }

    #[node(Ticket)]
    pub(crate) fn triage(amount: &mut u32) -> Topic {
        panic!("{amount}: it is executed")
    }

    pub(crate) fn is_small(ticket: &Ticket) -> bool {
        ticket.amount < 20 && ticket.added.is_none() && ticket.note == "n"
    }

    #[derive(AgentGraph)]
    #[graph(state = Ticket, start = triage)]
    pub(crate) struct Desk {
        #[route(
            Topic::Refund { amount } if is_small => end,
            Topic::Refund { .. } => triage(limit = 3, else = end),
            Topic::Complaint => end,
        )]
        pub(crate) triage: Triage,
    }
}

mod unreadable {
    use super::*;

    #[derive(State, Clone, Debug, Default)]
    pub(crate) struct Ticket {
        pub(crate) amount: String,
    }

    #[node(Ticket)]
    pub(crate) fn triage(amount: &mut String) {
        panic!("{amount}: it is executed")
    }

    #[derive(AgentGraph)]
    #[graph(state = Ticket, start = triage)]
    pub(crate) struct Desk {
        #[route(_ => end)]
        pub(crate) triage: Triage,
    }
}

async fn states_and_outcomes_of_another_version_are_read_as_far_as_they_can_be(at: &impl Place) {
    let desk = then::Desk {
        triage: then::Triage,
    };
    let runtime = Runtime::new(desk).journal(at.open().await);
    let run = runtime
        .thread("t")
        .run(then::Ticket::default())
        .await
        .unwrap();
    assert_eq!(run.finished().unwrap().amount, 20);

    let (decisions, differing) = rerouted(
        at,
        now::Desk {
            triage: now::Triage,
        },
    )
    .await;
    assert_eq!(decisions, 2);
    assert_eq!(
        differing,
        [
            "entry 2: node `triage` went `Topic::Refund { .. } => triage`, and today it goes \
             `Topic::Refund { amount } if is_small => end`",
            "entry 3: node `triage` went `Topic::Other => end`, and today it cannot conclude so: \
             the node has no outcome `Other`",
        ]
    );

    let desk = unreadable::Desk {
        triage: unreadable::Triage,
    };
    let (_, differing) = rerouted(at, desk).await;
    assert_eq!(differing.len(), 2);
    assert!(
        differing[0].contains("today field `amount` of the state cannot be read: invalid type"),
        "{differing:?}"
    );
}

/// A later version of `then`, in which all has another name.
mod later {
    use super::*;

    #[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
    pub(crate) struct Ticket {
        #[serde(alias = "amount")]
        pub(crate) sum: u32,
        pub(crate) words: String,
    }

    #[derive(Outcome)]
    pub(crate) enum Topic {
        Refund { amount: u32 },
        Other,
    }

    #[node(Ticket)]
    pub(crate) fn sort(sum: &mut u32) -> Topic {
        panic!("{sum}: it is executed")
    }

    pub(crate) fn is_large(ticket: &Ticket) -> bool {
        ticket.sum == 20 && ticket.words == "nn"
    }

    #[derive(AgentGraph)]
    #[graph(state = Ticket, start = sort, renamed_from = "Desk")]
    pub(crate) struct Office {
        #[route(
            Topic::Refund { .. } => sort(limit = 3, else = end),
            Topic::Other if is_large => sort(limit = 1, else = end),
            Topic::Other => end,
        )]
        #[node(renamed_from = "triage")]
        pub(crate) sort: Sort,
    }
}

async fn what_has_another_name_today_is_found_by_its_former_one(at: &impl Place) {
    let desk = then::Desk {
        triage: then::Triage,
    };
    let runtime = Runtime::new(desk).journal(at.open().await);
    let run = runtime
        .thread("t")
        .run(then::Ticket::default())
        .await
        .unwrap();
    assert_eq!(run.finished().unwrap().amount, 20);

    let office = later::Office { sort: later::Sort };
    let runtime = Runtime::new(office).journal(ReadOnly(at.open().await));
    let runtime = runtime.migrate(|entry| -> Result<(), String> {
        if let Recorded::Started { writes, .. } | Recorded::Stepped { writes, .. } =
            &mut entry.event
        {
            writes.rename("note", "words");
        }
        Ok(())
    });
    let found = runtime.thread("t").reroute().await.unwrap();
    let lines: Vec<_> = found.differing.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "entry 3: node `triage` went `Topic::Other => end`, and today it goes \
             `Topic::Other if is_large => sort`"
        ]
    );
    let failing = runtime.migrate(|_| Err("out of words"));
    let error = failing.thread("t").reroute().await.unwrap_err();
    assert!(matches!(error, RunError::Migrate { seq: 1, .. }), "{error}");
}

// ---- Threads that are none.

async fn of_a_thread_that_is_not_there_nothing_is_told(at: &impl Place) {
    let version: Version = |builder| round(builder, To::node("a").limit(4));
    let runtime = Runtime::new(graph(ABC, None, version)).journal(at.open().await);
    let error = runtime.thread("t").reroute().await.unwrap_err();
    assert!(matches!(error, RunError::UnknownThread { .. }), "{error}");
}

on_every_journal! {
    a_guard_that_holds_from_another_step_on_is_found_out
    what_is_found_tells_where_and_what
    an_edge_that_leads_elsewhere_or_reads_otherwise_is_found_out
    a_node_that_is_gone_or_new_is_no_riddle
    a_guard_that_panics_is_caught
    limits_count_along_the_way_that_was_gone
    a_limit_without_an_else_stops_the_run
    an_edge_that_was_masked_and_would_not_be_is_found_out
    a_lap_without_progress_is_masked_where_today_says_what_then
    an_answer_and_an_edit_are_news_to_a_loop_today_as_well
    an_error_edge_that_leads_elsewhere_is_found_out
    the_way_back_leads_to_whoever_handed_over
    guards_in_branches_and_behind_the_join_see_what_was_there
    a_fork_into_other_branches_is_found_out
    other_items_are_found_out
    branches_that_never_joined_are_looked_at_as_well
    guards_of_graphs_within_are_asked_in_their_own_states
    what_is_hidden_in_a_node_is_counted_and_its_writes_are_known
    a_graph_within_that_is_a_node_today_has_written_what_it_has
    handoffs_that_a_person_decides_are_decisions_as_well
    of_a_long_thread_each_state_is_that_of_its_step
    states_and_outcomes_of_another_version_are_read_as_far_as_they_can_be
    what_has_another_name_today_is_found_by_its_former_one
    of_a_thread_that_is_not_there_nothing_is_told
}
