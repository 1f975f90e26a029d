//! adk-graph, by its README: channels in JSON, edges and conditional edges by name, and a checkpointer that saves
//! after each step.

use std::sync::Arc;

use adk_graph::checkpoint::{MemoryCheckpointer, SqliteCheckpointer};
use adk_graph::edge::{END, START};
use adk_graph::graph::{CompiledGraph, StateGraph};
use adk_graph::node::{ExecutionConfig, NodeContext, NodeOutput};
use adk_graph::state::{Channel, State, StateSchema};
use peers_common::{Asked, Case, NAP, NAPS, Store, TEXT, cannot, first_node};
use serde_json::json;
use tokio::task::JoinSet;

fn schema() -> StateSchema {
    let mut schema = StateSchema::builder().build();
    for name in ["count", "note", "blob"] {
        schema.channels.insert(name.to_owned(), Channel::new(name));
    }
    for name in ["pages", "results"] {
        schema.channels.insert(name.to_owned(), Channel::list(name));
    }
    schema
}

fn count(state: &State) -> u64 {
    state
        .get("count")
        .and_then(|count| count.as_u64())
        .unwrap_or(0)
}

fn with_step(graph: StateGraph, asked: &Asked, name: &str) -> StateGraph {
    let asked = asked.clone();
    graph.add_node_fn(name, move |context: NodeContext| {
        let asked = asked.clone();
        async move {
            let count = context
                .get("count")
                .and_then(|count| count.as_u64())
                .unwrap_or(0)
                + 1;
            if count == 1 {
                first_node();
            }
            let mut output = NodeOutput::new()
                .with_update("count", json!(count))
                .with_update("note", json!(TEXT));
            if let Some(page) = asked.page(count) {
                output = output.with_update("pages", json!([page]));
            }
            Ok(output)
        }
    })
}

fn ring(asked: &Asked) -> StateGraph {
    let goal = asked.n;
    let mut graph = StateGraph::new(schema());
    for name in ["a", "b"] {
        graph = with_step(graph, asked, name);
    }
    let next = move |state: &State| if count(state) >= goal { END } else { "a" }.to_owned();
    graph
        .add_edge(START, "a")
        .add_edge("a", "b")
        .add_conditional_edges("b", next, [("a", "a"), (END, END)])
}

fn chain(asked: &Asked) -> StateGraph {
    let mut graph = StateGraph::new(schema()).add_edge(START, "n0");
    for node in 0..asked.n {
        graph = with_step(graph, asked, &format!("n{node}"));
    }
    for node in 1..asked.n {
        graph = graph.add_edge(&format!("n{}", node - 1), &format!("n{node}"));
    }
    graph.add_edge(&format!("n{}", asked.n - 1), END)
}

fn fan_out(asked: &Asked) -> StateGraph {
    let join = |context: NodeContext| async move {
        let results = context
            .get("results")
            .and_then(|results| results.as_array());
        let sum: u64 = results
            .into_iter()
            .flatten()
            .filter_map(|result| result.as_u64())
            .sum();
        Ok(NodeOutput::new().with_update("count", json!(sum)))
    };
    let mut graph = StateGraph::new(schema())
        .add_node_fn("start", |_| async { Ok(NodeOutput::new()) })
        .add_node_fn("join", join)
        .add_edge(START, "start")
        .add_edge("join", END);
    for worker in 1..=asked.n {
        let name = format!("w{worker}");
        graph = graph
            .add_node_fn(&name, move |_| async move {
                Ok(NodeOutput::new().with_update("results", json!([worker])))
            })
            .add_edge("start", &name)
            .add_edge(&name, "join");
    }
    graph
}

fn naps() -> CompiledGraph {
    let mut graph = StateGraph::new(schema()).add_edge(START, "n0");
    for nap in 0..NAPS {
        let name = format!("n{nap}");
        let next = if nap + 1 == NAPS {
            END.to_owned()
        } else {
            format!("n{}", nap + 1)
        };
        graph = graph
            .add_node_fn(&name, |context: NodeContext| async move {
                tokio::time::sleep(NAP).await;
                let count = context
                    .get("count")
                    .and_then(|count| count.as_u64())
                    .unwrap_or(0);
                Ok(NodeOutput::new().with_update("count", json!(count + 1)))
            })
            .add_edge(&name, &next);
    }
    graph.compile().expect("a graph")
}

fn begin(asked: &Asked) -> State {
    let mut state = State::new();
    state.insert("count".to_owned(), json!(0));
    if asked.case == Case::Big {
        state.insert("blob".to_owned(), json!(asked.blob()));
    }
    state
}

fn settings(thread: &str) -> ExecutionConfig {
    ExecutionConfig::new(thread).with_recursion_limit(1_000_000)
}

async fn runs(asked: &Asked, graph: impl Fn() -> StateGraph, goal: u64) {
    let compile = async || {
        let graph = graph().compile().expect("a graph");
        Arc::new(match &asked.store {
            Store::None => graph,
            Store::Memory => graph.with_checkpointer(MemoryCheckpointer::new()),
            Store::Sqlite(path) => {
                let file = format!("sqlite:{}?mode=rwc", path.display());
                let store = SqliteCheckpointer::new(&file).await;
                graph.with_checkpointer(store.expect("a file"))
            }
        })
    };
    let first = compile().await;
    let mut threads = 0;
    let prepare = async || {
        threads += 1;
        let graph = match &asked.store {
            Store::Memory => compile().await,
            _ => Arc::clone(&first),
        };
        (graph, begin(asked), settings(&format!("t{threads}")))
    };
    let run = async |(graph, state, settings): (Arc<CompiledGraph>, State, ExecutionConfig)| {
        let state = graph.invoke(state, settings).await.expect("a run");
        assert_eq!(count(&state), goal);
    };
    asked.measure(prepare, run).await;
}

async fn at_once(asked: &Asked) {
    let graph = Arc::new(naps());
    let run = async |()| {
        let mut tasks = JoinSet::new();
        for run in 0..asked.n {
            let (graph, state) = (Arc::clone(&graph), begin(asked));
            tasks.spawn(async move { graph.invoke(state, settings(&format!("t{run}"))).await });
        }
        while let Some(state) = tasks.join_next().await {
            assert_eq!(count(&state.expect("a task").expect("a run")), NAPS);
        }
    };
    asked.measure(async || (), run).await;
}

fn main() {
    peers_common::main(async |asked| match asked.case {
        Case::Chain => runs(&asked, || chain(&asked), asked.n).await,
        Case::FanOut => runs(&asked, || fan_out(&asked), (1..=asked.n).sum()).await,
        Case::AtOnce if asked.store != Store::None => cannot("not asked").await,
        Case::AtOnce => at_once(&asked).await,
        _ => runs(&asked, || ring(&asked), asked.n).await,
    });
}
