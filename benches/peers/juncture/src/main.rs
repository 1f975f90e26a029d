//! juncture, by its README: a derived state with reducers, nodes that give updates, routers with a map of paths.
//!
//! A graph that is compiled with a checkpointer and run by `invoke` saves nothing in 0.4.0, so with a store the run
//! goes through `execute_with_emitter`, which does, at durability `Sync`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use juncture_checkpoint::{MemorySaver, SqliteSaver};
use juncture_core::node::NodeFnUpdate;
use juncture_core::pregel::Durability;
use juncture_core::stream::EventEmitter;
use juncture_core::{
    CompiledGraph, END, GraphOutput, JunctureError, PathMap, RunnableConfig, StateGraph, StreamMode,
};
use juncture_derive::State;
use peers_common::{Asked, Case, NAP, NAPS, Store, TEXT, cannot, first_node};
use tokio::task::JoinSet;

#[derive(State, Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Work {
    count: u64,
    note: String,
    blob: String,
    #[reducer(append)]
    results: Vec<u64>,
    #[reducer(append)]
    pages: Vec<String>,
}

type Graph = StateGraph<Work, Work, Work>;
type Compiled = CompiledGraph<Work, Work, Work>;
type Update = Pin<Box<dyn Future<Output = Result<WorkUpdate, JunctureError>> + Send>>;

fn step(asked: &Asked) -> NodeFnUpdate<impl Fn(&Work) -> Update + Send + Sync + 'static> {
    let asked = asked.clone();
    NodeFnUpdate(move |work: &Work| {
        let count = work.count + 1;
        if count == 1 {
            first_node();
        }
        let pages = asked.page(count).map(|page| vec![page]);
        Box::pin(async move {
            Ok(WorkUpdate {
                count: Some(count),
                note: Some(TEXT.to_owned()),
                pages,
                ..Default::default()
            })
        }) as _
    })
}

/// A bare closure is not general enough over the lifetime of the state.
fn router<F: for<'a> Fn(&'a Work) -> &'a str>(router: F) -> F {
    router
}

fn ring(asked: &Asked) -> Graph {
    let goal = asked.n;
    let mut graph = Graph::new();
    graph.add_node_simple("a", step(asked)).expect("a node");
    graph.add_node_simple("b", step(asked)).expect("a node");
    graph.set_entry_point("a");
    graph.add_edge("a", "b");
    let next = router(move |work| if work.count >= goal { "done" } else { "more" });
    let paths = PathMap::from(&[("more", "a"), ("done", END)]);
    graph.add_conditional_edges("b", Arc::new(next), paths);
    graph
}

fn chain(asked: &Asked) -> Graph {
    let mut graph = Graph::new();
    for node in 0..asked.n {
        graph
            .add_node_simple(format!("n{node}"), step(asked))
            .expect("a node");
    }
    for node in 1..asked.n {
        graph.add_edge(format!("n{}", node - 1), format!("n{node}"));
    }
    graph.set_entry_point("n0");
    graph.set_finish_point(format!("n{}", asked.n - 1));
    graph
}

fn fan_out(asked: &Asked) -> Graph {
    let mut graph = Graph::new();
    let start = NodeFnUpdate(|_: &Work| async { Ok(WorkUpdate::default()) });
    graph.add_node_simple("start", start).expect("a node");
    let join = NodeFnUpdate(|work: &Work| {
        let count = Some(work.results.iter().sum());
        async move {
            Ok(WorkUpdate {
                count,
                ..Default::default()
            })
        }
    });
    graph.add_node_simple("join", join).expect("a node");
    for worker in 1..=asked.n {
        let name = format!("w{worker}");
        let node = NodeFnUpdate(move |_: &Work| async move {
            Ok(WorkUpdate {
                results: Some(vec![worker]),
                ..Default::default()
            })
        });
        graph.add_node_simple(name.clone(), node).expect("a node");
        graph.add_edge("start", name.clone());
        graph.add_edge(name, "join");
    }
    graph.set_entry_point("start");
    graph.set_finish_point("join");
    graph
}

fn naps() -> Compiled {
    let mut graph = Graph::new();
    for nap in 0..NAPS {
        let node = NodeFnUpdate(|work: &Work| {
            let count = Some(work.count + 1);
            async move {
                tokio::time::sleep(NAP).await;
                Ok(WorkUpdate {
                    count,
                    ..Default::default()
                })
            }
        });
        graph
            .add_node_simple(format!("n{nap}"), node)
            .expect("a node");
    }
    for nap in 1..NAPS {
        graph.add_edge(format!("n{}", nap - 1), format!("n{nap}"));
    }
    graph.set_entry_point("n0");
    graph.set_finish_point(format!("n{}", NAPS - 1));
    graph.compile().expect("a graph")
}

fn settings(thread: &str) -> RunnableConfig {
    RunnableConfig {
        recursion_limit: 1_000_000,
        ..RunnableConfig::new()
    }
    .with_thread_id(thread)
}

async fn run(graph: &Compiled, work: Work, kept: bool, thread: &str) -> Work {
    if !kept {
        let output = graph.invoke_async(work, &settings(thread)).await;
        let output: GraphOutput<Work, Work> = output.expect("a run");
        return output.value;
    }
    let settings = RunnableConfig {
        durability: Some(Durability::Sync),
        checkpoint_id: Some("00000000-0000-0000-0000-000000000000".into()),
        ..settings(thread)
    };
    let (sender, mut events) = tokio::sync::mpsc::channel(256);
    let listen = tokio::spawn(async move { while events.recv().await.is_some() {} });
    let emitter = EventEmitter::new(sender, StreamMode::Custom);
    let work = graph.execute_with_emitter(work, &settings, emitter).await;
    listen.await.expect("a task");
    work.expect("a run")
}

async fn runs(asked: &Asked, graph: impl Fn() -> Graph, goal: u64) {
    let compile = async || {
        let graph = match &asked.store {
            Store::None => graph().compile(),
            Store::Memory => graph().compile_with_checkpointer(Some(Arc::new(MemorySaver::new()))),
            Store::Sqlite(path) => {
                let file = format!("sqlite:{}?mode=rwc", path.display());
                let saver = SqliteSaver::from_connection_string(&file)
                    .await
                    .expect("a file");
                graph().compile_with_checkpointer(Some(Arc::new(saver)))
            }
        };
        Arc::new(graph.expect("a graph"))
    };
    let first = compile().await;
    let mut threads = 0;
    let prepare = async || {
        threads += 1;
        let graph = match &asked.store {
            Store::Memory => compile().await,
            _ => Arc::clone(&first),
        };
        let work = Work {
            blob: asked.blob(),
            ..Work::default()
        };
        (graph, work, format!("t{threads}"))
    };
    let kept = asked.store != Store::None;
    let run = async |(graph, work, thread): (Arc<Compiled>, Work, String)| {
        assert_eq!(run(&graph, work, kept, &thread).await.count, goal);
    };
    asked.measure(prepare, run).await;
}

async fn at_once(asked: &Asked) {
    let graph = Arc::new(naps());
    let run = async |()| {
        let mut tasks = JoinSet::new();
        for thread in 0..asked.n {
            let graph = Arc::clone(&graph);
            tasks.spawn(
                async move { run(&graph, Work::default(), false, &format!("t{thread}")).await },
            );
        }
        while let Some(work) = tasks.join_next().await {
            assert_eq!(work.expect("a task").count, NAPS);
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
