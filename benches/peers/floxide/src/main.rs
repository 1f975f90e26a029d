//! floxide, by its README: a `workflow!` whose state travels as the input and output of its nodes. With a store,
//! `run_with_checkpoint` and the store in memory, which keeps the latest checkpoint.

use async_trait::async_trait;
use floxide::*;
use peers_common::{Asked, Case, NAP, NAPS, Store, TEXT, cannot, first_node};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Work {
    count: u64,
    goal: u64,
    note: String,
    blob: String,
    history: bool,
    pages: Vec<String>,
}

#[derive(Clone, Debug)]
pub enum Next {
    Again(Work),
    Done(Work),
}

fn step(mut work: Work) -> Work {
    work.count += 1;
    if work.count == 1 {
        first_node();
    }
    work.note = TEXT.to_owned();
    if work.history {
        work.pages.push(format!("{:08}", work.count).repeat(256));
    }
    work
}

#[derive(Clone, Debug)]
pub struct A;

#[async_trait]
impl Node<()> for A {
    type Input = Work;
    type Output = Work;

    async fn process(&self, _: &(), work: Work) -> Result<Transition<Work>, FloxideError> {
        Ok(Transition::Next(step(work)))
    }
}

#[derive(Clone, Debug)]
pub struct B;

#[async_trait]
impl Node<()> for B {
    type Input = Work;
    type Output = Next;

    async fn process(&self, _: &(), work: Work) -> Result<Transition<Next>, FloxideError> {
        let work = step(work);
        Ok(Transition::Next(if work.count >= work.goal {
            Next::Done(work)
        } else {
            Next::Again(work)
        }))
    }
}

#[derive(Clone, Debug)]
pub struct End;

#[async_trait]
impl Node<()> for End {
    type Input = Work;
    type Output = u64;

    async fn process(&self, _: &(), work: Work) -> Result<Transition<u64>, FloxideError> {
        Ok(Transition::Next(work.count))
    }
}

workflow! {
    pub struct Ring { a: A, b: B, end: End, }
    start = a;
    context = ();
    edges {
        a => { [ b ] };
        b => { Next::Again(work) => [ a ]; Next::Done(work) => [ end ]; };
        end => {};
    }
}

const RING: Ring = Ring {
    a: A,
    b: B,
    end: End,
};

#[derive(Clone, Debug)]
pub struct Nap;

#[async_trait]
impl Node<()> for Nap {
    type Input = Work;
    type Output = Next;

    async fn process(&self, _: &(), mut work: Work) -> Result<Transition<Next>, FloxideError> {
        tokio::time::sleep(NAP).await;
        work.count += 1;
        Ok(Transition::Next(if work.count >= NAPS {
            Next::Done(work)
        } else {
            Next::Again(work)
        }))
    }
}

workflow! {
    pub struct Naps { nap: Nap, end: End, }
    start = nap;
    context = ();
    edges {
        nap => { Next::Again(work) => [ nap ]; Next::Done(work) => [ end ]; };
        end => {};
    }
}

fn begin(asked: &Asked) -> Work {
    Work {
        goal: asked.n,
        blob: asked.blob(),
        history: asked.case == Case::History,
        ..Work::default()
    }
}

async fn ring(asked: &Asked) {
    let run = async |work| {
        let count = RING.run(&WorkflowCtx::new(()), work).await.expect("a run");
        assert_eq!(count, asked.n);
    };
    asked.measure(async || begin(asked), run).await;
}

async fn kept(asked: &Asked) {
    let prepare = async || {
        let store = InMemoryCheckpointStore::<(), RingWorkItem>::new();
        (store, begin(asked))
    };
    let run = async |(store, work): (InMemoryCheckpointStore<(), RingWorkItem>, Work)| {
        let context = WorkflowCtx::new(());
        let run = RING.run_with_checkpoint(&context, work, &store, "run");
        assert_eq!(run.await.expect("a run"), asked.n);
    };
    asked.measure(prepare, run).await;
}

async fn at_once(asked: &Asked) {
    let run = async |()| {
        let mut tasks = JoinSet::new();
        for _ in 0..asked.n {
            tasks.spawn(async {
                let naps = Naps { nap: Nap, end: End };
                naps.run(&WorkflowCtx::new(()), Work::default()).await
            });
        }
        while let Some(count) = tasks.join_next().await {
            assert_eq!(count.expect("a task").expect("a run"), NAPS);
        }
    };
    asked.measure(async || (), run).await;
}

fn main() {
    peers_common::main(async |asked| match (asked.case, &asked.store) {
        (_, Store::Sqlite(_)) => cannot("has stores in memory and on Redis").await,
        (Case::Chain, _) => cannot("a node is a field of a struct: nobody writes a thousand").await,
        (Case::FanOut, _) => cannot("`run` executes one node after the other").await,
        (Case::AtOnce, _) => at_once(&asked).await,
        (_, Store::Memory) => kept(&asked).await,
        _ => ring(&asked).await,
    });
}
