//! graph-flow, by its README: tasks in a `GraphBuilder`, edges for the ring, `FanOutTask` for the fan-out. With a
//! store, a `FlowRunner` loads the session, executes a task and saves it, as the README says to.

use std::sync::Arc;

use async_trait::async_trait;
use graph_flow::{
    Context, ExecutionStatus, FanOutTask, FlowRunner, Graph, GraphBuilder, InMemorySessionStorage,
    NextAction, Result, Session, SessionStorage, Task, TaskResult,
};
use peers_common::{Asked, Case, NAP, NAPS, Store, TEXT, cannot, first_node};
use tokio::task::JoinSet;

struct Step {
    id: String,
    next: NextAction,
    asked: Asked,
}

#[async_trait]
impl Task for Step {
    fn id(&self) -> &str {
        &self.id
    }

    async fn run(&self, context: Context) -> Result<TaskResult> {
        let count = context.get::<u64>("count").unwrap_or(0) + 1;
        if count == 1 {
            first_node();
        }
        context.set("count", count)?;
        context.set("note", TEXT)?;
        if let Some(page) = self.asked.page(count) {
            let mut pages = context.get::<Vec<String>>("pages").unwrap_or_default();
            pages.push(page);
            context.set("pages", pages)?;
        }
        let next = if count >= self.asked.n {
            NextAction::End
        } else {
            self.next.clone()
        };
        Ok(TaskResult::new(None, next))
    }
}

struct Nap(String);

#[async_trait]
impl Task for Nap {
    fn id(&self) -> &str {
        &self.0
    }

    async fn run(&self, context: Context) -> Result<TaskResult> {
        tokio::time::sleep(NAP).await;
        let count = context.get::<u64>("count").unwrap_or(0) + 1;
        context.set("count", count)?;
        let next = if count == NAPS {
            NextAction::End
        } else {
            NextAction::ContinueAndExecute
        };
        Ok(TaskResult::new(None, next))
    }
}

struct Worker(String, u64);

#[async_trait]
impl Task for Worker {
    fn id(&self) -> &str {
        &self.0
    }

    async fn run(&self, context: Context) -> Result<TaskResult> {
        context.set(self.0.clone(), self.1)?;
        Ok(TaskResult::new(None, NextAction::End))
    }
}

struct Join(u64);

#[async_trait]
impl Task for Join {
    fn id(&self) -> &str {
        "join"
    }

    async fn run(&self, context: Context) -> Result<TaskResult> {
        let of = |worker| context.get::<u64>(&format!("w{worker}")).unwrap_or(0);
        context.set("count", (1..=self.0).map(of).sum::<u64>())?;
        Ok(TaskResult::new(None, NextAction::End))
    }
}

/// `a` leads to `b`, and `b` to `a` until the count is reached.
fn ring(asked: &Asked, next: NextAction) -> Graph {
    let step = |id: &str| Step {
        id: id.to_owned(),
        next: next.clone(),
        asked: asked.clone(),
    };
    let goal = asked.n;
    GraphBuilder::new("ring")
        .add_task(Arc::new(step("a")))
        .add_task(Arc::new(step("b")))
        .add_task(Arc::new(Join(0)))
        .add_edge("a", "b")
        .add_conditional_edge(
            "b",
            move |context| context.get::<u64>("count").unwrap_or(0) < goal,
            "a",
            "join",
        )
        .with_max_execution_steps(usize::MAX)
        .build()
        .expect("a graph")
}

fn chain(tasks: Vec<Arc<dyn Task>>) -> Graph {
    let ids: Vec<String> = tasks.iter().map(|task| task.id().to_owned()).collect();
    let mut graph = GraphBuilder::new("chain").with_max_execution_steps(usize::MAX);
    for task in tasks {
        graph = graph.add_task(task);
    }
    for pair in ids.windows(2) {
        graph = graph.add_edge(pair[0].clone(), pair[1].clone());
    }
    graph.build().expect("a graph")
}

fn session(asked: &Asked, id: &str, first: &str) -> Session {
    let session = Session::new_from_task(id.to_owned(), first);
    session.context.set("count", 0_u64).expect("a value");
    if asked.case == Case::Big {
        session.context.set("blob", asked.blob()).expect("a value");
    }
    session
}

/// One call that executes task after task.
async fn at_one_go(asked: &Asked, graph: &Graph, first: &str, goal: u64) {
    let run = async |mut session: Session| {
        let result = graph.execute_session(&mut session).await.expect("a run");
        assert!(matches!(result.status, ExecutionStatus::Completed));
        assert_eq!(session.context.get::<u64>("count"), Some(goal));
    };
    asked
        .measure(async || session(asked, "s", first), run)
        .await;
}

/// Each step loaded, executed and saved.
async fn kept(asked: &Asked) {
    let graph = Arc::new(ring(asked, NextAction::Continue));
    let prepare = async || {
        let store = Arc::new(InMemorySessionStorage::new());
        store
            .save(session(asked, "s", "a"))
            .await
            .expect("a session");
        (FlowRunner::new(Arc::clone(&graph), store.clone()), store)
    };
    let run = async |(runner, _store): (FlowRunner, _)| {
        while !matches!(
            runner.run("s").await.expect("a run").status,
            ExecutionStatus::Completed
        ) {}
    };
    asked.measure(prepare, run).await;
}

fn fan_out(workers: u64) -> Graph {
    let worker = |worker| Arc::new(Worker(format!("w{worker}"), worker)) as Arc<dyn Task>;
    let workers_of = (1..=workers).map(worker).collect();
    let fan = FanOutTask::new("fan", workers_of).with_next_action(NextAction::ContinueAndExecute);
    GraphBuilder::new("fan-out")
        .add_task(fan)
        .add_task(Arc::new(Join(workers)))
        .add_edge("fan", "join")
        .build()
        .expect("a graph")
}

async fn at_once(asked: &Asked) {
    let naps = (0..NAPS).map(|nap| Arc::new(Nap(format!("n{nap}"))) as Arc<dyn Task>);
    let graph = Arc::new(chain(naps.collect()));
    let run = async |()| {
        let mut tasks = JoinSet::new();
        for run in 0..asked.n {
            let graph = Arc::clone(&graph);
            let mut session = session(asked, &format!("s{run}"), "n0");
            tasks.spawn(async move {
                graph.execute_session(&mut session).await.expect("a run");
                session.context.get::<u64>("count")
            });
        }
        while let Some(count) = tasks.join_next().await {
            assert_eq!(count.expect("a task"), Some(NAPS));
        }
    };
    asked.measure(async || (), run).await;
}

fn main() {
    peers_common::main(async |asked| match (asked.case, &asked.store) {
        (_, Store::Sqlite(_)) => cannot("has stores in memory and on PostgreSQL").await,
        (Case::AtOnce, _) => at_once(&asked).await,
        (Case::FanOut, _) => {
            let sum = (1..=asked.n).sum();
            at_one_go(&asked, &fan_out(asked.n), "fan", sum).await;
        }
        (_, Store::Memory) => kept(&asked).await,
        (Case::Chain, _) => {
            let step = |node| Step {
                id: format!("n{node}"),
                next: NextAction::ContinueAndExecute,
                asked: asked.clone(),
            };
            let tasks = (0..asked.n).map(|node| Arc::new(step(node)) as Arc<dyn Task>);
            at_one_go(&asked, &chain(tasks.collect()), "n0", asked.n).await;
        }
        _ => {
            let ring = ring(&asked, NextAction::ContinueAndExecute);
            at_one_go(&asked, &ring, "a", asked.n).await;
        }
    });
}
