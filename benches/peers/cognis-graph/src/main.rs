//! cognis-graph, by its examples: nodes that name the next one with `Goto`, a typed state with an update type, and
//! the default durability, which awaits a save of the state after each step.

use std::sync::Arc;

use cognis_core::Runnable as _;
use cognis_core::RunnableConfig;
use cognis_graph::{
    CompiledGraph, Goto, Graph, GraphState, InMemoryCheckpointer, NodeOut, SqliteCheckpointer,
    node_fn,
};
use peers_common::{Asked, Case, NAP, NAPS, Store, TEXT, cannot, first_node};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Work {
    count: u64,
    note: String,
    blob: String,
    results: Vec<u64>,
    pages: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Update {
    count: Option<u64>,
    note: Option<String>,
    result: Option<u64>,
    page: Option<String>,
}

impl GraphState for Work {
    type Update = Update;

    fn apply(&mut self, update: Update) {
        if let Some(count) = update.count {
            self.count = count;
        }
        if let Some(note) = update.note {
            self.note = note;
        }
        self.results.extend(update.result);
        self.pages.extend(update.page);
    }
}

fn step(
    asked: &Asked,
    name: &str,
    next: impl Fn(u64) -> Goto + Send + Sync + 'static,
) -> impl cognis_graph::Node<Work> + 'static {
    let (asked, next) = (asked.clone(), Arc::new(next));
    node_fn::<Work, _, _>(name, move |work: &Work, _| {
        let count = work.count + 1;
        if count == 1 {
            first_node();
        }
        let update = Update {
            count: Some(count),
            note: Some(TEXT.to_owned()),
            page: asked.page(count),
            ..Update::default()
        };
        let goto = next(count);
        async move { Ok(NodeOut { update, goto }) }
    })
}

fn ring(asked: &Asked) -> CompiledGraph<Work> {
    let goal = asked.n;
    let back = move |count| {
        if count >= goal {
            Goto::end()
        } else {
            Goto::node("a")
        }
    };
    Graph::<Work>::new()
        .node("a", step(asked, "a", |_| Goto::node("b")))
        .node("b", step(asked, "b", back))
        .start_at("a")
        .compile()
        .expect("a graph")
}

fn chain(asked: &Asked) -> CompiledGraph<Work> {
    let mut graph = Graph::<Work>::new();
    for node in 0..asked.n {
        let last = node + 1 == asked.n;
        let next = format!("n{}", node + 1);
        let goto = move |_| {
            if last {
                Goto::end()
            } else {
                Goto::node(next.as_str())
            }
        };
        graph = graph.node(format!("n{node}"), step(asked, &format!("n{node}"), goto));
    }
    graph.start_at("n0").compile().expect("a graph")
}

/// A node that several lead to runs once for each, so all workers but one `halt`.
fn fan_out(asked: &Asked) -> CompiledGraph<Work> {
    let workers = asked.n;
    let names = move || (1..=workers).map(|worker| format!("w{worker}")).collect();
    let start = node_fn::<Work, _, _>("start", move |_: &Work, _| {
        let goto = Goto::Multiple(names());
        async move {
            Ok(NodeOut {
                update: Update::default(),
                goto,
            })
        }
    });
    let join = node_fn::<Work, _, _>("join", |work: &Work, _| {
        let count = Some(work.results.iter().sum());
        let update = Update {
            count,
            ..Update::default()
        };
        async move {
            Ok(NodeOut {
                update,
                goto: Goto::end(),
            })
        }
    });
    let mut graph = Graph::<Work>::new().node("start", start).node("join", join);
    for worker in 1..=workers {
        let name = format!("w{worker}");
        let node = node_fn::<Work, _, _>(name.clone(), move |_: &Work, _| async move {
            let update = Update {
                result: Some(worker),
                ..Update::default()
            };
            let goto = if worker == workers {
                Goto::node("join")
            } else {
                Goto::halt()
            };
            Ok(NodeOut { update, goto })
        });
        graph = graph.node(name, node);
    }
    graph.start_at("start").compile().expect("a graph")
}

fn naps() -> CompiledGraph<Work> {
    let mut graph = Graph::<Work>::new();
    for nap in 0..NAPS {
        let next = format!("n{}", nap + 1);
        let node = node_fn::<Work, _, _>(format!("n{nap}"), move |work: &Work, _| {
            let count = Some(work.count + 1);
            let goto = if nap + 1 == NAPS {
                Goto::end()
            } else {
                Goto::node(next.as_str())
            };
            async move {
                tokio::time::sleep(NAP).await;
                let update = Update {
                    count,
                    ..Update::default()
                };
                Ok(NodeOut { update, goto })
            }
        });
        graph = graph.node(format!("n{nap}"), node);
    }
    graph.start_at("n0").compile().expect("a graph")
}

fn settings() -> RunnableConfig {
    RunnableConfig {
        recursion_limit: 1_000_000,
        ..RunnableConfig::default()
    }
}

async fn runs(asked: &Asked, graph: impl Fn() -> CompiledGraph<Work>, goal: u64) {
    let compile = async || match &asked.store {
        Store::None => Arc::new(graph()),
        Store::Memory => Arc::new(graph().with_checkpointer(Arc::new(InMemoryCheckpointer::new()))),
        Store::Sqlite(path) => {
            let file = format!("sqlite:{}?mode=rwc", path.display());
            let store = SqliteCheckpointer::<Work>::connect(&file).await;
            Arc::new(graph().with_checkpointer(Arc::new(store.expect("a file"))))
        }
    };
    let first = compile().await;
    let prepare = async || {
        let graph = match &asked.store {
            Store::Memory => compile().await,
            _ => Arc::clone(&first),
        };
        let work = Work {
            blob: asked.blob(),
            ..Work::default()
        };
        (graph, work)
    };
    let run = async |(graph, work): (Arc<CompiledGraph<Work>>, Work)| {
        let work = graph.invoke(work, settings()).await.expect("a run");
        assert_eq!(work.count, goal);
    };
    asked.measure(prepare, run).await;
}

async fn at_once(asked: &Asked) {
    let graph = Arc::new(naps());
    let run = async |()| {
        let mut tasks = JoinSet::new();
        for _ in 0..asked.n {
            let graph = Arc::clone(&graph);
            tasks.spawn(async move { graph.invoke(Work::default(), settings()).await });
        }
        while let Some(work) = tasks.join_next().await {
            assert_eq!(work.expect("a task").expect("a run").count, NAPS);
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
