//! How safe a step is before the next one begins, at each level.
#![allow(unused_must_use, reason = "a run is made for what it leaves behind")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::{Place, Stopping, Tally, by_branch};
use handoffs::prelude::*;
use handoffs::{
    CancellationToken, Counter, Durability, Journal, JournalError, Layer, NodeError, Record,
    RunError, ThreadId,
};
use tokio::sync::Notify;

const LEVELS: [Durability; 3] = [Durability::Sync, Durability::Step, Durability::Exit];

/// A journal that notes how many records are appended at a time, and how safely.
#[derive(Clone, Debug)]
struct Watched<J> {
    kept: J,
    appends: Arc<Mutex<Vec<(Durability, usize)>>>,
}

impl<J> Watched<J> {
    fn new(kept: J) -> Self {
        Self {
            kept,
            appends: Arc::default(),
        }
    }

    /// Returns what was appended since it was last asked.
    fn appends(&self) -> Vec<(Durability, usize)> {
        std::mem::take(&mut self.appends.lock().unwrap())
    }
}

#[async_trait]
impl<J: Journal> Layer for Watched<J> {
    type Within = J;

    fn within(&self) -> &J {
        &self.kept
    }

    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        self.appends
            .lock()
            .unwrap()
            .push((durability, records.len()));
        self.kept.append(thread, head, records, durability).await
    }
}

// ---- A graph with everything that is written down.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Work {
    done: Log<String>,
    count: Counter,
}

/// What nodes do besides: to fail, to hang, to do something once.
#[derive(Clone, Debug, Default)]
struct Orders {
    fails: Arc<Mutex<Vec<&'static str>>>,
    hangs: Arc<Mutex<Option<&'static str>>>,
    reached: Arc<Notify>,
    once: Arc<Mutex<Option<&'static str>>>,
    done: Tally,
}

impl Orders {
    fn fail(&self, node: &'static str) {
        self.fails.lock().unwrap().push(node);
    }

    fn hang(&self, node: Option<&'static str>) {
        *self.hangs.lock().unwrap() = node;
    }

    fn once(&self, node: &'static str) {
        *self.once.lock().unwrap() = Some(node);
    }
}

struct Do(Orders);

#[node(Work)]
impl Do {
    async fn run(
        &self,
        done: &mut Log<String>,
        count: &mut Counter,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        let orders = &self.0;
        let node = cx.node().to_owned();
        orders.done.count(&node);
        // Others have their turn.
        tokio::task::yield_now().await;
        if *orders.once.lock().unwrap() == Some(&node) {
            let count = async || {
                orders.done.count("once");
                Ok::<_, io::Error>(())
            };
            cx.once("it", count).await?;
        }
        let fails = {
            let mut fails = orders.fails.lock().unwrap();
            let place = fails.iter().position(|fails| *fails == node);
            place.map(|place| fails.remove(place)).is_some()
        };
        if fails {
            return Err(NodeError::new(io::Error::other("as told")));
        }
        let hangs = *orders.hangs.lock().unwrap() == Some(&node);
        if hangs {
            orders.reached.notify_one();
            pending::<()>().await;
        }
        done.push(node);
        *count += 1;
        Ok(())
    }
}

struct Asks;

#[node(Work)]
impl Asks {
    async fn run(&self, done: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        let answer: String = cx.ask("what", "?").await?;
        done.push(answer);
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Work, start = one)]
struct Part {
    #[route(_ => all(two, three) join four)]
    one: Do,
    #[route(_ => four)]
    two: Do,
    #[route(_ => four)]
    three: Do,
    #[route(_ => end)]
    four: Do,
}

#[derive(AgentGraph)]
#[graph(state = Work, start = first)]
struct Whole {
    #[route(_ => all(left, right) join part)]
    first: Do,
    #[route(_ => left_too)]
    left: Do,
    #[route(_ => part)]
    left_too: Do,
    #[route(_ => part)]
    #[retry(times = 2, backoff = "1ms")]
    right: Do,
    #[route(_ => asks)]
    #[retry(times = 2, backoff = "1ms")]
    #[on_error(then = asks)]
    part: Part,
    #[route(_ => last)]
    asks: Asks,
    #[route(_ => end)]
    last: Do,
}

fn whole<J: Journal>(journal: J, orders: &Orders, level: Durability) -> Runtime<Whole, J> {
    let work = || Do(orders.clone());
    let whole = Whole {
        first: work(),
        left: work(),
        left_too: work(),
        right: work(),
        part: Part {
            one: work(),
            two: work(),
            three: work(),
            four: work(),
        },
        asks: Asks,
        last: work(),
    };
    Runtime::new(whole).journal(journal).durability(level)
}

fn one(level: Durability, records: usize) -> Vec<(Durability, usize)> {
    vec![(level, records)]
}

// ---- What is written, and when.

async fn each_level_writes_the_same(place: &impl Place) {
    let mut told = Vec::new();
    for level in LEVELS {
        let watched = Watched::new(place.open().await);
        let orders = Orders::default();
        orders.fail("right");
        let thread = whole(watched.clone(), &orders, level).thread(format!("{level:?}"));
        let ask = thread.run(Work::default()).await.unwrap().paused().unwrap();
        let before = watched.appends();
        thread.resume(ask.id, "this").await.unwrap();
        let after = watched.appends();
        if level == Durability::Exit {
            assert_eq!(before, one(Durability::Sync, 15), "until the question");
            assert_eq!(after, one(Durability::Sync, 3), "with the answer");
        } else {
            assert!(before.len() > 8, "{before:?}");
            assert!(
                before
                    .iter()
                    .chain(&after)
                    .all(|(written, _)| *written == level)
            );
        }
        told.push(by_branch(&thread.history().await.unwrap()));
    }
    let [sync, step, exit] = told.try_into().unwrap();
    assert_eq!(sync, step);
    assert_eq!(sync, exit);
}

async fn an_effect_is_on_disk_at_every_level(place: &impl Place) {
    for level in LEVELS {
        let watched = Watched::new(place.open().await);
        let orders = Orders::default();
        orders.once("left_too");
        let thread = whole(watched.clone(), &orders, level).thread(format!("{level:?}"));
        thread.run(Work::default()).await.unwrap();
        assert_eq!(orders.done.of("once"), 1);
        let appends = watched.appends();
        let synced = appends
            .iter()
            .filter(|(level, _)| *level == Durability::Sync);
        match level {
            // Its beginning and its end.
            Durability::Step => assert_eq!(synced.count(), 2, "{appends:?}"),
            Durability::Exit => assert_eq!(appends.len(), 3, "{appends:?}"),
            Durability::Sync => assert_eq!(synced.count(), appends.len()),
        }
    }
}

async fn at_exit_an_error_returns_once_all_is_written(place: &impl Place) {
    let watched = Watched::new(place.open().await);
    let orders = Orders::default();
    let thread = whole(watched.clone(), &orders, Durability::Exit).thread("t");
    for _ in 0..2 {
        orders.fail("right");
    }
    let error = thread.run(Work::default()).await.unwrap_err();
    assert!(matches!(error, RunError::Node { .. }), "{error}");
    assert_eq!(watched.appends().len(), 1);
    let Status::Failed { .. } = thread.status().await.unwrap() else {
        panic!("it failed");
    };
    // What was done before is not done again.
    thread.recover().await.unwrap();
    assert_eq!(orders.done.of("first"), 1);
    assert_eq!(orders.done.of("right"), 3);
}

async fn at_exit_a_graph_that_is_tried_again_does_no_step_twice(place: &impl Place) {
    let watched = Watched::new(place.open().await);
    let orders = Orders::default();
    let thread = whole(watched.clone(), &orders, Durability::Exit).thread("t");
    orders.fail("four");
    thread.run(Work::default()).await.unwrap();
    // Before it is tried again, what it has done is written and read.
    assert_eq!(watched.appends().len(), 2);
    assert_eq!([orders.done.of("one"), orders.done.of("two")], [1, 1]);
    assert_eq!(orders.done.of("four"), 2);
    // Where it fails for good and the error is caught, nothing is written on the way.
    let thread = whole(watched.clone(), &orders, Durability::Exit).thread("u");
    for _ in 0..2 {
        orders.fail("three");
    }
    thread.run(Work::default()).await.unwrap().paused().unwrap();
    assert_eq!(watched.appends().len(), 2);
}

async fn at_exit_a_run_that_is_stopped_has_written_what_it_did(place: &impl Place) {
    for how in ["cancelled", "drained", "late"] {
        let watched = Watched::new(place.open().await);
        let orders = Orders::default();
        let token = CancellationToken::new();
        let runtime = whole(watched.clone(), &orders, Durability::Exit);
        let runtime = match how {
            "cancelled" => runtime.cancel_on(token.clone()),
            "drained" => runtime.drain_on(token.clone()),
            _ => runtime.deadline(Duration::from_millis(50)),
        };
        let thread = runtime.thread(how);
        let stop = async {
            if how == "drained" {
                token.cancel();
                return;
            }
            orders.hang(Some("left_too"));
            orders.reached.notified().await;
            token.cancel();
        };
        let (stopped, ()) = futures::future::join(thread.run(Work::default()), stop).await;
        let stopped = stopped.unwrap_err();
        match how {
            "cancelled" => assert!(matches!(stopped, RunError::Cancelled { .. }), "{stopped}"),
            "drained" => assert!(matches!(stopped, RunError::Drained { .. }), "{stopped}"),
            _ => assert!(matches!(stopped, RunError::Deadline { .. }), "{stopped}"),
        }
        assert_eq!(watched.appends().len(), 1, "{how}");
        orders.hang(None);
        let whole = whole(watched, &orders, Durability::Exit).thread(how);
        whole.recover().await.unwrap().paused().unwrap();
        assert_eq!(orders.done.of("first"), 1, "{how}");
    }
}

async fn at_exit_a_run_that_is_dropped_has_never_been(place: &impl Place) {
    let orders = Orders::default();
    let runtime = whole(place.open().await, &orders, Durability::Exit);
    let thread = runtime.thread("t");
    orders.hang(Some("four"));
    {
        let run = thread.run(Work::default());
        let reached = orders.reached.notified();
        futures::future::select(Box::pin(run), Box::pin(reached)).await;
    }
    assert_eq!(thread.status().await.unwrap(), Status::New);
    // A run that has paused is safe, and only what came after is lost.
    orders.hang(None);
    let ask = thread.run(Work::default()).await.unwrap().paused().unwrap();
    orders.hang(Some("last"));
    {
        let resumed = thread.resume(ask.id, "this");
        let reached = orders.reached.notified();
        futures::future::select(Box::pin(resumed), Box::pin(reached)).await;
    }
    assert_eq!(thread.status().await.unwrap(), Status::Paused(ask.clone()));
    orders.hang(None);
    thread
        .resume(ask.id, "that")
        .await
        .unwrap()
        .finished()
        .unwrap();
}

async fn at_exit_a_run_that_cannot_be_written_says_so(place: &impl Place) {
    // A run that would have paused, one that would have finished, and one that would have failed.
    for case in ["pauses", "finishes", "fails"] {
        let orders = Orders::default();
        let runtime = whole(place.open().await, &orders, Durability::Exit);
        let thread = runtime.thread(case);
        let ask = if case == "finishes" {
            thread.run(Work::default()).await.unwrap().paused()
        } else {
            None
        };
        let before = thread.history().await.unwrap().len();
        let stopping = Stopping::after(place.open().await, 0, false);
        let cut = whole(stopping, &orders, Durability::Exit).thread(case);
        if case == "fails" {
            orders.fail("first");
        }
        let went = match &ask {
            Some(ask) => cut.resume(ask.id, "this").await,
            None => cut.run(Work::default()).await,
        };
        let error = went.unwrap_err();
        assert!(matches!(error, RunError::Journal { .. }), "{case}: {error}");
        assert_eq!(thread.history().await.unwrap().len(), before, "{case}");
        match ask {
            Some(ask) => drop(thread.resume(ask.id, "this").await.unwrap()),
            None => drop(thread.run(Work::default()).await.unwrap()),
        }
    }
}

async fn at_exit_of_two_workers_one_is_told_of_the_conflict(place: &impl Place) {
    let orders = Orders::default();
    let token = CancellationToken::new();
    let slow = whole(place.open().await, &orders, Durability::Exit)
        .cancel_on(token.clone())
        .thread("t");
    let other = whole(place.open().await, &orders, Durability::Exit).thread("t");
    let ask = slow.run(Work::default()).await.unwrap().paused().unwrap();
    orders.hang(Some("last"));
    let slow = slow.resume(ask.id, "slow");
    let fast = async {
        orders.reached.notified().await;
        orders.hang(None);
        let run = other.resume(ask.id, "fast").await.unwrap();
        // What the slow one writes as it is stopped comes too late.
        token.cancel();
        run
    };
    let (slow, fast) = Box::pin(futures::future::join(slow, fast)).await;
    let conflict = slow.unwrap_err();
    assert!(conflict.is_conflict(), "{conflict}");
    let state = fast.finished().unwrap();
    assert!(state.done.iter().any(|done| done == "fast"));
    assert_eq!(other.state().await.unwrap(), state);
}

on_every_journal! {
    each_level_writes_the_same
    an_effect_is_on_disk_at_every_level
    at_exit_an_error_returns_once_all_is_written
    at_exit_a_graph_that_is_tried_again_does_no_step_twice
    at_exit_a_run_that_is_stopped_has_written_what_it_did
    at_exit_a_run_that_is_dropped_has_never_been
    at_exit_a_run_that_cannot_be_written_says_so
    at_exit_of_two_workers_one_is_told_of_the_conflict
}
