//! `handoffs` and its floor: derived graphs; with `built` on the command line the same ones built at run time; with
//! `match` and `boxed` the same work written by hand.

mod floor;

use std::sync::Arc;

use handoffs::prelude::*;
use handoffs::{GraphBuilder, Keep, Runnable, To};
use peers_common::{Asked, Case, NAP, NAPS, Store, TEXT, first_node};
use tokio::task::JoinSet;

#[derive(State, Clone, Debug, Default)]
struct Work {
    #[state(progress)]
    count: u64,
    goal: u64,
    note: Option<String>,
    blob: String,
    numbers: Vec<u64>,
    results: Log<u64>,
    pages: Log<String>,
}

#[derive(Outcome)]
enum Next {
    Again,
    Done,
}

#[node(Work)]
fn first(count: &mut u64, mut note: Out<'_, String>) {
    if *count == 0 {
        first_node();
    }
    *count += 1;
    note.set(TEXT.to_owned());
}

#[node(Work)]
fn second(count: &mut u64, mut note: Out<'_, String>, goal: &u64) -> Next {
    *count += 1;
    note.set(TEXT.to_owned());
    if *count >= *goal {
        Next::Done
    } else {
        Next::Again
    }
}

#[derive(AgentGraph)]
#[graph(state = Work, start = first)]
struct Ring {
    #[route(_ => second)]
    first: First,
    #[route(Next::Done => end, Next::Again => first(limit = 1_000_000, else = end))]
    second: Second,
}

#[node(Work)]
fn step(count: &mut u64, mut note: Out<'_, String>) {
    *count += 1;
    note.set(TEXT.to_owned());
}

include!(concat!(env!("OUT_DIR"), "/chain.rs"));

fn numbers(work: &Work) -> Vec<u64> {
    work.numbers.clone()
}

#[node(Work)]
async fn split() {}

#[node(Work)]
async fn worker(number: u64, results: &mut Log<u64>) {
    results.push(number);
}

#[node(Work)]
async fn add_up(results: &Log<u64>, count: &mut u64) {
    *count = results.iter().sum();
}

#[derive(AgentGraph)]
#[graph(state = Work, start = split)]
struct FanOut {
    #[route(_ => each(numbers) worker join add_up)]
    split: Split,
    #[route(_ => add_up)]
    worker: Worker,
    #[route(_ => end)]
    add_up: AddUp,
}

struct Write(Asked);

#[node(Work)]
impl Write {
    async fn run(&self, count: &mut u64, pages: &mut Log<String>) {
        *count += 1;
        pages.extend(self.0.page(*count));
    }
}

struct WriteOn(Asked);

#[node(Work)]
impl WriteOn {
    async fn run(&self, count: &mut u64, pages: &mut Log<String>, goal: &u64) -> Next {
        *count += 1;
        pages.extend(self.0.page(*count));
        if *count >= *goal {
            Next::Done
        } else {
            Next::Again
        }
    }
}

#[derive(AgentGraph)]
#[graph(state = Work, start = write)]
struct History {
    #[route(_ => write_on)]
    write: Write,
    #[route(Next::Done => end, Next::Again => write(limit = 1_000_000, else = end))]
    write_on: WriteOn,
}

#[node(Work)]
async fn nap(count: &mut u64) {
    tokio::time::sleep(NAP).await;
    *count += 1;
}

#[derive(AgentGraph)]
#[graph(state = Work, start = n0)]
#[rustfmt::skip]
struct Naps {
    #[route(_ => n1)] n0: Nap,
    #[route(_ => n2)] n1: Nap,
    #[route(_ => n3)] n2: Nap,
    #[route(_ => n4)] n3: Nap,
    #[route(_ => n5)] n4: Nap,
    #[route(_ => n6)] n5: Nap,
    #[route(_ => n7)] n6: Nap,
    #[route(_ => n8)] n7: Nap,
    #[route(_ => n9)] n8: Nap,
    #[route(_ => end)] n9: Nap,
}

/// Runs a graph again and again, with a store in memory each time in a new one.
async fn runs<G: Runnable<State = Work>>(asked: &Asked, graph: impl Fn() -> G) {
    match &asked.store {
        Store::None => {
            let runtime = Arc::new(Runtime::new(graph()));
            runs_in(asked, || Arc::clone(&runtime)).await;
        }
        Store::Memory => {
            let runtime = || Arc::new(Runtime::new(graph()).journal(Memory::default()));
            runs_in(asked, runtime).await;
        }
        Store::Sqlite(path) => {
            let journal = Sqlite::open(path).await.expect("a file");
            let runtime = Arc::new(Runtime::new(graph()).journal(journal));
            runs_in(asked, || Arc::clone(&runtime)).await;
        }
    }
}

async fn runs_in<G: Runnable<State = Work>, J: Keep>(
    asked: &Asked,
    runtime: impl Fn() -> Arc<Runtime<G, J>>,
) {
    let goal = match asked.case {
        Case::FanOut => (1..=asked.n).sum(),
        Case::Cold => 2,
        _ => asked.n,
    };
    let mut threads = 0;
    let prepare = async || {
        threads += 1;
        let work = Work {
            goal,
            blob: asked.blob(),
            numbers: match asked.case {
                Case::FanOut => (1..=asked.n).collect(),
                _ => Vec::new(),
            },
            ..Work::default()
        };
        let runtime = runtime();
        (runtime.thread(format!("t{threads}")), runtime, work)
    };
    let run = async |(thread, _runtime, work): (handoffs::Thread<G, J>, _, Work)| {
        let work = thread.run(work).await.expect("a run").finished();
        assert_eq!(work.expect("the end").count, goal);
    };
    asked.measure(prepare, run).await;
}

async fn at_once(asked: &Asked) {
    let prepare = async || Runtime::new(naps());
    let run = async |runtime: Runtime<Naps>| {
        let mut tasks = JoinSet::new();
        for run in 0..asked.n {
            let thread = runtime.thread(format!("t{run}"));
            tasks.spawn(async move { thread.run(Work::default()).await });
        }
        while let Some(run) = tasks.join_next().await {
            let work = run.expect("a task").expect("a run").finished();
            assert_eq!(work.expect("the end").count, NAPS);
        }
    };
    asked.measure(prepare, run).await;
}

fn naps() -> Naps {
    Naps {
        n0: Nap,
        n1: Nap,
        n2: Nap,
        n3: Nap,
        n4: Nap,
        n5: Nap,
        n6: Nap,
        n7: Nap,
        n8: Nap,
        n9: Nap,
    }
}

async fn derived(asked: Asked) {
    let ring = || Ring {
        first: First,
        second: Second,
    };
    match asked.case {
        Case::Loop | Case::Big | Case::Cold => runs(&asked, ring).await,
        Case::Chain => runs(&asked, chain).await,
        Case::FanOut => {
            let fan_out = || FanOut {
                split: Split,
                worker: Worker,
                add_up: AddUp,
            };
            runs(&asked, fan_out).await;
        }
        Case::History => {
            let history = || History {
                write: Write(asked.clone()),
                write_on: WriteOn(asked.clone()),
            };
            runs(&asked, history).await;
        }
        Case::AtOnce => at_once(&asked).await,
    }
}

async fn built(asked: Asked) {
    let ring = || {
        GraphBuilder::new("Ring")
            .node("first", First)
            .node("second", Second)
            .start("first")
            .route("first", "_", To::node("second"))
            .route("second", "Done", To::end())
            .route(
                "second",
                "Again",
                To::node("first").limit(1_000_000).or_end(),
            )
            .build()
            .expect("a graph")
    };
    let chain = || {
        let mut graph = GraphBuilder::new("Chain").start("n0");
        for node in 0..asked.n {
            let to = match node + 1 {
                last if last == asked.n => To::end(),
                next => To::node(format!("n{next}")),
            };
            graph = graph
                .node(format!("n{node}"), Step)
                .route(format!("n{node}"), "_", to);
        }
        graph.build().expect("a graph")
    };
    match asked.case {
        Case::Loop | Case::Big | Case::Cold => runs(&asked, ring).await,
        Case::Chain => runs(&asked, chain).await,
        _ => peers_common::cannot("measured for derived graphs only").await,
    }
}

fn main() {
    peers_common::main(async |asked| match asked.way.as_str() {
        "built" => built(asked).await,
        "match" | "boxed" => floor::by_hand(asked).await,
        _ => derived(asked).await,
    });
}
