//! weavegraph, by its documentation: an `AppRunner` over a compiled `GraphBuilder`, of whose fixed state the part
//! `extra` (JSON) is used. Without a store `autosave(false)`, with one it saves after each step. No listener.

use std::sync::Arc;

use async_trait::async_trait;
use peers_common::{Asked, Case, NAP, NAPS, Store, TEXT, cannot, first_node};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use weavegraph::app::App;
use weavegraph::event_bus::EventBus;
use weavegraph::graphs::{EdgePredicate, GraphBuilder};
use weavegraph::node::{Node, NodeContext, NodeError, NodePartial};
use weavegraph::runtimes::runner::AppRunner;
use weavegraph::runtimes::{CheckpointerType, SQLiteCheckpointer};
use weavegraph::state::{StateSnapshot, VersionedState};
use weavegraph::types::NodeKind;

fn number(state: &StateSnapshot, name: &str) -> u64 {
    state.extra.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn update<const N: usize>(values: [(String, Value); N]) -> NodePartial {
    NodePartial::new().with_extra(FxHashMap::from_iter(values))
}

struct Step(Asked);

#[async_trait]
impl Node for Step {
    async fn run(&self, state: StateSnapshot, _: NodeContext) -> Result<NodePartial, NodeError> {
        let count = number(&state, "count") + 1;
        if count == 1 {
            first_node();
        }
        let changes = [
            ("count".to_owned(), json!(count)),
            ("note".to_owned(), json!(TEXT)),
        ];
        let Some(page) = self.0.page(count) else {
            return Ok(update(changes));
        };
        let pages = state.extra.get("pages").and_then(Value::as_array);
        let mut pages = pages.cloned().unwrap_or_default();
        pages.push(json!(page));
        let [count, note] = changes;
        Ok(update([count, note, ("pages".to_owned(), json!(pages))]))
    }
}

struct Nap;

#[async_trait]
impl Node for Nap {
    async fn run(&self, state: StateSnapshot, _: NodeContext) -> Result<NodePartial, NodeError> {
        tokio::time::sleep(NAP).await;
        let count = number(&state, "count") + 1;
        Ok(update([("count".to_owned(), json!(count))]))
    }
}

struct Worker(u64);

#[async_trait]
impl Node for Worker {
    async fn run(&self, _: StateSnapshot, _: NodeContext) -> Result<NodePartial, NodeError> {
        Ok(update([(format!("w{}", self.0), json!(self.0))]))
    }
}

struct Join(u64);

#[async_trait]
impl Node for Join {
    async fn run(&self, state: StateSnapshot, _: NodeContext) -> Result<NodePartial, NodeError> {
        let results = (1..=self.0).map(|worker| number(&state, &format!("w{worker}")));
        Ok(update([("count".to_owned(), json!(results.sum::<u64>()))]))
    }
}

fn named(name: impl Into<String>) -> NodeKind {
    NodeKind::Custom(name.into())
}

fn ring(asked: &Asked) -> Arc<App> {
    let goal = asked.n;
    let next: EdgePredicate = Arc::new(move |state: StateSnapshot| {
        let done = number(&state, "count") >= goal;
        vec![if done { "End" } else { "a" }.to_owned()]
    });
    let graph = GraphBuilder::new()
        .add_node(named("a"), Step(asked.clone()))
        .add_node(named("b"), Step(asked.clone()))
        .add_edge(NodeKind::Start, named("a"))
        .add_edge(named("a"), named("b"))
        .add_conditional_edge(named("b"), next);
    Arc::new(graph.compile().expect("a graph"))
}

fn chain<N: Node + 'static>(nodes: u64, node: impl Fn() -> N) -> Arc<App> {
    let mut graph = GraphBuilder::new().add_edge(NodeKind::Start, named("n0"));
    for at in 0..nodes {
        let next = match at + 1 {
            last if last == nodes => NodeKind::End,
            next => named(format!("n{next}")),
        };
        let at = format!("n{at}");
        graph = graph
            .add_node(named(at.as_str()), node())
            .add_edge(named(at.as_str()), next);
    }
    Arc::new(graph.compile().expect("a graph"))
}

struct Start;

#[async_trait]
impl Node for Start {
    async fn run(&self, _: StateSnapshot, _: NodeContext) -> Result<NodePartial, NodeError> {
        Ok(NodePartial::new())
    }
}

fn fan_out(asked: &Asked) -> Arc<App> {
    let mut graph = GraphBuilder::new()
        .add_node(named("start"), Start)
        .add_node(named("join"), Join(asked.n))
        .add_edge(NodeKind::Start, named("start"))
        .add_edge(named("join"), NodeKind::End);
    for worker in 1..=asked.n {
        let name = format!("w{worker}");
        graph = graph
            .add_node(named(name.as_str()), Worker(worker))
            .add_edge(named("start"), named(name.as_str()))
            .add_edge(named(name.as_str()), named("join"));
    }
    Arc::new(graph.compile().expect("a graph"))
}

async fn runner(app: &Arc<App>, asked: &Asked, session: &str) -> AppRunner {
    let builder = AppRunner::builder()
        .app_arc(Arc::clone(app))
        .autosave(asked.store != Store::None)
        .event_bus(EventBus::with_sinks(vec![]))
        .start_listener(false);
    let mut runner = match &asked.store {
        Store::Sqlite(path) => {
            let file = format!("sqlite:{}?mode=rwc", path.display());
            let store = SQLiteCheckpointer::connect(&file).await.expect("a file");
            builder.checkpointer_custom(Arc::new(store)).build().await
        }
        _ => {
            builder
                .checkpointer(CheckpointerType::InMemory)
                .build()
                .await
        }
    };
    let mut state = VersionedState::builder().with_extra("count", json!(0));
    if asked.case == Case::Big {
        state = state.with_extra("blob", json!(asked.blob()));
    }
    let created = runner
        .create_session(session.to_owned(), state.build())
        .await;
    created.expect("a session");
    runner
}

async fn run(mut runner: AppRunner, session: &str) -> u64 {
    let state = runner.run_until_complete(session).await.expect("a run");
    number(&state.snapshot(), "count")
}

async fn runs(asked: &Asked, app: Arc<App>, goal: u64) {
    let mut sessions = 0;
    let prepare = async || {
        sessions += 1;
        let session = format!("s{sessions}");
        (runner(&app, asked, &session).await, session)
    };
    let run = async |(runner, session): (AppRunner, String)| {
        assert_eq!(run(runner, &session).await, goal);
    };
    asked.measure(prepare, run).await;
}

async fn at_once(asked: &Asked) {
    let app = chain(NAPS, || Nap);
    let run = async |()| {
        let mut tasks = JoinSet::new();
        for number in 0..asked.n {
            let (app, asked) = (Arc::clone(&app), asked.clone());
            tasks.spawn(async move {
                let session = format!("s{number}");
                run(runner(&app, &asked, &session).await, &session).await
            });
        }
        while let Some(count) = tasks.join_next().await {
            assert_eq!(count.expect("a task"), NAPS);
        }
    };
    asked.measure(async || (), run).await;
}

fn main() {
    peers_common::main(async |asked| match asked.case {
        Case::Chain => {
            let chain = chain(asked.n, || Step(asked.clone()));
            runs(&asked, chain, asked.n).await;
        }
        Case::FanOut => runs(&asked, fan_out(&asked), (1..=asked.n).sum()).await,
        Case::AtOnce if asked.store != Store::None => cannot("not asked").await,
        Case::AtOnce => at_once(&asked).await,
        _ => runs(&asked, ring(&asked), asked.n).await,
    });
}
