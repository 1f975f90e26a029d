//! Runs that are dropped, cancelled or drained, and what is left of them.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::collections::BTreeMap;
use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::{Place, Tally, Yielding, chain, dropped_at, lines};
use futures::{FutureExt, StreamExt};
use handoffs::Durability;
use handoffs::Layer;
use handoffs::prelude::*;
use handoffs::{
    CancellationToken, Entry, Journal, JournalError, Keep, NodeError, Record, Recorded, RunError,
    Runnable, Thread, ThreadId,
};
use tokio::sync::Notify;

/// Stops for ever at the n-th time, and says so.
#[derive(Clone, Debug, Default)]
struct Halt(Arc<(AtomicU32, Notify)>);

impl Halt {
    /// Halts at the n-th time, counted from 1.
    fn at(time: u32) -> Self {
        Self(Arc::new((AtomicU32::new(time), Notify::new())))
    }

    fn is_reached(&self) -> bool {
        let (left, reached) = &*self.0;
        let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        });
        let is_reached = before == Ok(1);
        if is_reached {
            reached.notify_one();
        }
        is_reached
    }

    async fn pass(&self) {
        if self.is_reached() {
            pending::<()>().await;
        }
    }

    async fn reached(&self) {
        self.0.1.notified().await;
    }
}

/// Counts who is at work, and who was dropped at it.
#[derive(Clone, Debug, Default)]
struct AtWork(Arc<(AtomicU32, AtomicU32, Notify)>);

struct Working(AtWork, bool);

impl AtWork {
    fn begin(&self) -> Working {
        self.0.0.fetch_add(1, Ordering::Relaxed);
        self.0.2.notify_waiters();
        Working(self.clone(), false)
    }

    fn now(&self) -> u32 {
        self.0.0.load(Ordering::Relaxed)
    }

    fn dropped(&self) -> u32 {
        self.0.1.load(Ordering::Relaxed)
    }

    /// Waits until so many are at work.
    async fn until(&self, count: u32) {
        loop {
            let changed = self.0.2.notified();
            if self.now() >= count {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::Relaxed);
        if !self.1 {
            self.0.0.1.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What the nodes of a test share.
#[derive(Clone, Debug, Default)]
struct Desk {
    /// What was concluded on each branch.
    concluded: Tally,
    /// What was begun.
    begun: Tally,
    entries: Halt,
    at_work: AtWork,
    /// The nodes that wait until they are let go.
    held: Arc<Mutex<BTreeMap<&'static str, Arc<Notify>>>>,
    /// How often each node is still to fail.
    fails: Arc<Mutex<BTreeMap<&'static str, u32>>>,
}

impl Desk {
    fn hold<const N: usize>(self, nodes: [&'static str; N]) -> Self {
        for node in nodes {
            self.held.lock().unwrap().insert(node, Arc::default());
        }
        self
    }

    /// Lets all go that are held.
    fn let_go(&self) {
        for (_, held) in std::mem::take(&mut *self.held.lock().unwrap()) {
            held.notify_one();
        }
    }

    async fn work(&self, node: &'static str) -> Result<(), NodeError> {
        self.begun.count(node);
        let mut working = self.at_work.begin();
        self.entries.pass().await;
        let held = self.held.lock().unwrap().get(node).cloned();
        match held {
            Some(held) => held.notified().await,
            None => tokio::task::yield_now().await,
        }
        working.1 = true;
        if let Some(fails) = self.fails.lock().unwrap().get_mut(node)
            && *fails > 0
        {
            *fails -= 1;
            return Err(NodeError::new(std::io::Error::other("no connection")));
        }
        Ok(())
    }

    fn conclude(&self, cx: &Context<'_>) {
        self.concluded
            .count(format!("{} {}", cx.branch(), cx.node()));
    }
}

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Trip {
    said: Log<String>,
}

struct Go(&'static str, Desk);

#[node(Trip)]
impl Go {
    async fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        self.1.work(self.0).await?;
        said.push(self.0.to_owned());
        self.1.conclude(cx);
        Ok(())
    }
}

struct AskWay(&'static str, Desk);

#[node(Trip)]
impl AskWay {
    async fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        self.1.work(self.0).await?;
        let way: String = cx.ask("way", "which way?").await?;
        said.push(format!("{} {way}", self.0));
        self.1.conclude(cx);
        Ok(())
    }
}

fn said(trip: &Trip) -> Vec<&str> {
    trip.said.iter().map(String::as_str).collect()
}

fn steps(history: &[Entry]) -> BTreeMap<String, u32> {
    let mut steps = BTreeMap::new();
    for entry in history {
        if let Recorded::Stepped { node, .. } = &entry.event {
            *steps.entry(format!("{} {node}", entry.branch)).or_default() += 1;
        }
    }
    steps
}

// ---- A graph with a fork, a graph within, and a person.

#[derive(AgentGraph)]
#[graph(state = Trip, start = hall)]
struct House {
    #[route(_ => all(stairs, lift) join roof)]
    hall: Go,
    #[route(_ => guide)]
    stairs: Go,
    #[route(_ => roof)]
    guide: AskWay,
    #[route(_ => roof)]
    lift: Go,
    #[route(_ => end)]
    roof: Go,
}

#[derive(AgentGraph)]
#[graph(state = Trip, start = home)]
struct Tour {
    #[route(_ => all(walk, house, ride) join inn)]
    home: Go,
    #[route(_ => hill)]
    walk: Go,
    #[route(_ => inn)]
    hill: Go,
    #[route(_ => inn)]
    house: House,
    #[route(_ => way)]
    ride: Go,
    #[route(_ => inn)]
    way: AskWay,
    #[route(_ => bed)]
    inn: House,
    #[route(_ => end)]
    bed: Go,
}

fn house(desk: &Desk) -> House {
    let go = |name| Go(name, desk.clone());
    House {
        hall: go("hall"),
        stairs: go("stairs"),
        guide: AskWay("guide", desk.clone()),
        lift: go("lift"),
        roof: go("roof"),
    }
}

fn tour(desk: &Desk) -> Tour {
    let go = |name| Go(name, desk.clone());
    Tour {
        home: go("home"),
        walk: go("walk"),
        hill: go("hill"),
        house: house(desk),
        ride: go("ride"),
        way: AskWay("way", desk.clone()),
        inn: house(desk),
        bed: go("bed"),
    }
}

const TOURED: [&str; 15] = [
    "home", "walk", "hill", "hall", "stairs", "guide up", "lift", "roof", "ride", "way up", "hall",
    "stairs", "guide up", "lift", "roof",
];

fn toured() -> Vec<&'static str> {
    TOURED.into_iter().chain(["bed"]).collect()
}

/// Begins a run or goes on with it, and answers whatever is asked, to the end.
async fn complete<G: Runnable, J: Journal>(
    thread: &Thread<G, J>,
    state: G::State,
) -> Result<G::State, RunError> {
    let mut run = thread.run_once(state).await?;
    loop {
        match run {
            Run::Finished(state) => return Ok(state),
            Run::Paused(ask) => run = thread.resume(ask.id, "up").await?,
        }
    }
}

/// Finishes the tour from wherever it was cut off, and checks that only what was not written is done.
async fn goes_on<J: Journal>(at: &impl Place, cut_off: Thread<Tour, J>, case: &str) {
    let id = cut_off.id().clone();
    // An append that was under way is finished when the file is closed.
    drop(cut_off);
    let desk = Desk::default();
    let runtime = Runtime::new(tour(&desk)).journal(at.open().await);
    let thread = runtime.thread(id);
    let before = thread.history().await.unwrap();
    let trip = complete(&thread, Trip::default()).await;
    let trip = trip.unwrap_or_else(|error| panic!("{case}: {error:?}"));
    assert_eq!(said(&trip), toured(), "{case}");
    let after = thread.history().await.unwrap();
    let mut new = steps(&after);
    for (step, count) in steps(&before) {
        *new.get_mut(&step).unwrap() -= count;
    }
    new.retain(|step, count| *count > 0 && !step.ends_with("house") && !step.ends_with(" inn"));
    assert_eq!(desk.concluded.all(), new, "{case}");
    assert_eq!(thread.state().await.unwrap(), trip, "{case}");
    assert_eq!(thread.status().await.unwrap(), Status::Finished, "{case}");
}

async fn a_run_that_is_dropped_at_any_poll_goes_on(at: &impl Place) {
    let mut cases = 0;
    for polls in 0.. {
        let name = format!("poll {polls}");
        let journal = Yielding(at.open().await);
        let thread = Runtime::new(tour(&Desk::default()))
            .journal(journal)
            .thread(&*name);
        let done = dropped_at(polls, complete(&thread, Trip::default())).await;
        goes_on(at, thread, &name).await;
        if done.is_some() {
            break;
        }
        cases += 1;
    }
    assert!(cases > 20, "{cases}");
}

/// Whoever drops a run may go on with it at once, with the journal in hand.
async fn a_run_that_is_dropped_goes_on_at_once(at: &impl Place) {
    let desk = Desk::default();
    let runtime = Runtime::new(tour(&desk)).journal(at.open().await);
    for polls in 1.. {
        let thread = runtime.thread(format!("poll {polls}"));
        let done = dropped_at(polls, complete(&thread, Trip::default())).await;
        let trip = complete(&thread, Trip::default()).await;
        let trip = trip.unwrap_or_else(|error| panic!("{polls}: {}", chain(&error)));
        assert_eq!(said(&trip), toured());
        if done.is_some() {
            break;
        }
    }
}

/// A journal in which the n-th append never comes back, whether it was written or not.
#[derive(Clone, Debug)]
struct Halting<J> {
    kept: J,
    halt: Halt,
    reached: Arc<Notify>,
    writes: bool,
}

#[async_trait]
impl<J: Journal> Layer for Halting<J> {
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
        let halts = self.halt.is_reached();
        if !halts || self.writes {
            self.kept.append(thread, head, records, durability).await?;
        }
        if halts {
            self.reached.notify_one();
            pending::<()>().await;
        }
        Ok(())
    }
}

async fn a_run_that_is_dropped_at_any_append_goes_on(at: &impl Place) {
    let mut cases = 0;
    'all: for append in 1.. {
        for writes in [false, true] {
            let name = format!("append {append} {writes}");
            let reached = Arc::new(Notify::new());
            let journal = Halting {
                kept: at.open().await,
                halt: Halt::at(append),
                reached: Arc::clone(&reached),
                writes,
            };
            let thread = Runtime::new(tour(&Desk::default()))
                .journal(journal)
                .thread(&*name);
            let is_done = tokio::select! {
                biased;
                done = complete(&thread, Trip::default()) => {
                    done.unwrap();
                    true
                }
                () = reached.notified() => false,
            };
            if is_done {
                break 'all;
            }
            goes_on(at, thread, &name).await;
            cases += 1;
        }
    }
    assert!(cases > 20, "{cases}");
}

async fn a_run_that_is_dropped_in_any_node_goes_on(at: &impl Place) {
    let mut cases = 0;
    for entry in 1.. {
        let name = format!("node {entry}");
        let desk = Desk {
            entries: Halt::at(entry),
            ..Desk::default()
        };
        let thread = Runtime::new(tour(&desk))
            .journal(at.open().await)
            .thread(&*name);
        let is_done = tokio::select! {
            biased;
            done = complete(&thread, Trip::default()) => {
                done.unwrap();
                true
            }
            () = desk.entries.reached() => false,
        };
        if is_done {
            break;
        }
        assert_eq!(desk.at_work.now(), 0, "{name}: who worked was dropped");
        goes_on(at, thread, &name).await;
        cases += 1;
    }
    // Sixteen, and those that ask once more.
    assert!((16..=22).contains(&cases), "{cases}");
}

// ---- Cancelled.

async fn whoever_is_at_work_is_dropped_when_the_runtime_is_cancelled(at: &impl Place) {
    let desk = Desk::default().hold(["hill", "stairs", "lift", "ride"]);
    let stop = CancellationToken::new();
    let runtime = Runtime::new(tour(&desk))
        .journal(at.open().await)
        .cancel_on(stop.clone());
    let thread = runtime.thread("t");
    let (ended, ()) = tokio::join!(thread.run(Trip::default()), async {
        desk.at_work.until(4).await;
        assert_eq!(desk.at_work.dropped(), 0);
        stop.cancel();
    });
    let error = ended.unwrap_err();
    let RunError::Cancelled {
        thread: name,
        node,
        recoverable: true,
        ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(
        (name.as_str(), node.as_str()),
        ("t", "home"),
        "where it forked"
    );
    assert_eq!((desk.at_work.now(), desk.at_work.dropped()), (0, 4));
    let text = chain(&error);
    for part in [
        "thread `t`",
        "node `home`",
        "cancelled",
        "`recover` goes on",
    ] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    // A token does not come back.
    let error = thread.recover().await.unwrap_err();
    assert!(matches!(error, RunError::Cancelled { .. }), "{error:?}");
    assert_eq!(desk.at_work.now(), 0);
    goes_on(at, thread, "cancelled").await;
}

async fn a_node_in_a_graph_within_is_dropped_too(at: &impl Place) {
    let desk = Desk::default().hold(["lift"]);
    let stop = CancellationToken::new();
    let runtime = Runtime::new(house(&desk))
        .journal(at.open().await)
        .cancel_on(stop.clone());
    let mut events = runtime.thread("t").stream(Trip::default());
    let mut last = None;
    while let Some(event) = events.next().await {
        if let Ok(Event::Entered {
            node: HouseNode::Lift,
            ..
        }) = &event
        {
            stop.cancel();
        }
        last = Some(event);
    }
    assert!(
        matches!(last, Some(Err(RunError::Cancelled { .. }))),
        "{last:?}"
    );
    let status = runtime.thread("t").status().await.unwrap();
    assert_eq!(status, Status::Unfinished(HouseNode::Stairs));
}

/// A journal whose appends wait until they are let in.
#[derive(Clone, Debug)]
struct Slow<J> {
    kept: J,
    /// Waits at the n-th append.
    at: Halt,
    waiting: Arc<Notify>,
    go: Arc<Notify>,
}

#[async_trait]
impl<J: Journal> Layer for Slow<J> {
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
        if self.at.is_reached() {
            self.waiting.notify_one();
            self.go.notified().await;
        }
        self.kept.append(thread, head, records, durability).await
    }
}

async fn what_was_handed_in_is_written_before_a_cancelled_run_returns(at: &impl Place) {
    for append in 2..12 {
        let name = format!("append {append}");
        let journal = Slow {
            kept: at.open().await,
            at: Halt::at(append),
            waiting: Arc::default(),
            go: Arc::default(),
        };
        let desk = Desk::default();
        let stop = CancellationToken::new();
        let runtime = Runtime::new(tour(&desk))
            .journal(journal.clone())
            .cancel_on(stop.clone());
        let thread = runtime.thread(&*name);
        let mut run = pin!(complete(&thread, Trip::default()));
        tokio::select! {
            biased;
            ended = &mut run => panic!("{name}: {ended:?}"),
            () = journal.waiting.notified() => {}
        }
        stop.cancel();
        // It waits for the append, and for nothing else.
        let none = tokio::select! {
            biased;
            ended = &mut run => Some(ended),
            () = std::future::ready(()) => None,
        };
        assert!(none.is_none(), "{name}: {none:?}");
        assert_eq!(desk.at_work.now(), 0, "{name}");
        let concluded: u32 = desk.concluded.all().values().sum();
        journal.go.notify_one();
        let error = run.await.unwrap_err();
        assert!(
            matches!(error, RunError::Cancelled { .. }),
            "{name}: {error:?}"
        );
        // Whatever had concluded and been handed in is there.
        let history = thread.history().await.unwrap();
        let steps = steps(&history);
        let written: u32 = steps
            .iter()
            .filter(|(step, _)| !step.ends_with(" house") && !step.ends_with(" inn"))
            .map(|(_, count)| count)
            .sum();
        assert_eq!(written, concluded, "{name}");
        goes_on(at, thread.clone(), &name).await;
    }
}

async fn a_token_that_was_cancelled_before_lets_nothing_begin(at: &impl Place) {
    let stop = CancellationToken::new();
    stop.cancel();
    let desk = Desk::default();
    let runtime = Runtime::new(tour(&desk)).journal(at.open().await);
    let thread = runtime.clone().cancel_on(stop.clone()).thread("cancelled");
    let error = thread.run(Trip::default()).await.unwrap_err();
    assert!(matches!(error, RunError::Cancelled { .. }), "{error:?}");
    assert_eq!(error.node(), Some("home"));
    goes_on(at, thread, "cancelled").await;

    let thread = runtime.drain_on(stop).thread("drained");
    let error = thread.run(Trip::default()).await.unwrap_err();
    assert!(matches!(error, RunError::Drained { .. }), "{error:?}");
    assert_eq!(error.node(), Some("home"));
    goes_on(at, thread, "drained").await;
    assert!(desk.begun.all().is_empty());
}

#[tokio::test]
async fn without_a_journal_the_error_says_that_nothing_is_left() {
    let stop = CancellationToken::new();
    let desk = Desk::default();
    let runtime = Runtime::new(pair(&desk, &stop, "none"));
    stop.cancel();
    let nothing = "there is no journal, so nothing is left of the run";
    for error in [
        runtime
            .clone()
            .cancel_on(stop.clone())
            .thread("t")
            .run(Trip::default())
            .await,
        runtime
            .clone()
            .drain_on(stop.clone())
            .thread("t")
            .run(Trip::default())
            .await,
    ] {
        let error = error.unwrap_err();
        let text = chain(&error);
        for part in ["thread `t`", "node `first`", nothing] {
            assert!(text.contains(part), "`{part}` is missing in: {text}");
        }
    }
    assert!(desk.begun.all().is_empty());
}

#[derive(Outcome)]
enum Counted {
    More,
}

#[derive(State, Clone, Debug, Default)]
struct Count {
    count: u32,
}

struct Tick(CancellationToken, Arc<AtomicU32>);

#[node(Count)]
impl Tick {
    fn run(&self, count: &mut u32) -> Counted {
        *count += 1;
        self.1.store(*count, Ordering::Relaxed);
        if *count == 10 {
            self.0.cancel();
        }
        Counted::More
    }
}

#[derive(AgentGraph)]
#[graph(state = Count, start = tick)]
struct Clock {
    #[route(Counted::More => tick(limit = 100_000, else = end))]
    tick: Tick,
}

#[tokio::test]
async fn a_run_that_never_waits_sees_that_it_is_to_stop() {
    for drains in [false, true] {
        let (stop, ticks) = (CancellationToken::new(), Arc::default());
        let runtime = Runtime::new(Clock {
            tick: Tick(stop.clone(), Arc::clone(&ticks)),
        });
        let runtime = if drains {
            runtime.drain_on(stop)
        } else {
            runtime.cancel_on(stop)
        };
        let error = runtime.thread("t").run(Count::default()).await.unwrap_err();
        assert_eq!(
            matches!(error, RunError::Drained { .. }),
            drains,
            "{error:?}"
        );
        let ticks = ticks.load(Ordering::Relaxed);
        assert!(ticks < 1000, "{ticks}");
    }
}

// ---- Drained.

/// Goes, and cancels a token while it is at work if it has this name.
struct Toll {
    name: &'static str,
    desk: Desk,
    stop: CancellationToken,
    at: &'static str,
}

#[node(Trip)]
impl Toll {
    async fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        if self.name == self.at {
            self.stop.cancel();
        }
        self.desk.work(self.name).await?;
        said.push(self.name.to_owned());
        self.desk.conclude(cx);
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Trip, start = first)]
struct Pair {
    #[route(_ => second)]
    first: Toll,
    #[route(_ => end)]
    second: Toll,
}

fn pair(desk: &Desk, stop: &CancellationToken, at: &'static str) -> Pair {
    let toll = |name| Toll {
        name,
        desk: desk.clone(),
        stop: stop.clone(),
        at,
    };
    Pair {
        first: toll("first"),
        second: toll("second"),
    }
}

/// B62: drained in the first of two nodes, both are done after `recover`; in the last, nothing is amiss.
async fn b62_drained_in_the_first_node_the_rest_is_done_later_and_in_the_last_nothing_is_left(
    at: &impl Place,
) {
    let (desk, stop) = (Desk::default(), CancellationToken::new());
    let runtime = |at| Runtime::new(pair(&desk, &stop, at));
    let drained = runtime("first")
        .journal(at.open().await)
        .drain_on(stop.clone());
    let error = drained.thread("t").run(Trip::default()).await.unwrap_err();
    let RunError::Drained {
        thread,
        node,
        recoverable: true,
        ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!((thread.as_str(), node.as_str()), ("t", "second"));
    let text = chain(&error);
    for part in ["thread `t`", "node `second`", "drains", "`recover` goes on"] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    let again = runtime("none").journal(at.open().await).thread("t");
    assert_eq!(
        lines(&again.history().await.unwrap()),
        ["started", "first: _ => second"]
    );
    assert_eq!(
        again.status().await.unwrap(),
        Status::Unfinished(PairNode::Second)
    );
    let trip = again.recover().await.unwrap().finished().unwrap();
    assert_eq!(said(&trip), ["first", "second"]);
    assert_eq!((desk.begun.of("first"), desk.begun.of("second")), (1, 1));

    let stop = CancellationToken::new();
    let last = Runtime::new(pair(&desk, &stop, "second")).drain_on(stop.clone());
    let trip = last.thread("u").run(Trip::default()).await;
    assert!(stop.is_cancelled());
    assert_eq!(
        said(&trip.unwrap().finished().unwrap()),
        ["first", "second"]
    );
    let stop = CancellationToken::new();
    let last = Runtime::new(pair(&desk, &stop, "second")).drain_on(stop.clone());
    let last = last.journal(at.open().await).thread("u");
    let trip = last.run(Trip::default()).await.unwrap().finished().unwrap();
    assert_eq!(said(&trip), ["first", "second"]);
    assert_eq!(last.status().await.unwrap(), Status::Finished);
    // What is over can be fetched, drained or not.
    assert_eq!(last.recover().await.unwrap().finished(), Some(trip));
}

async fn each_branch_finishes_its_step_and_then_stops(at: &impl Place) {
    let held = || Desk::default().hold(["walk", "stairs", "lift", "ride"]);
    let (desk, stop) = (held(), CancellationToken::new());
    let runtime = Runtime::new(tour(&desk))
        .journal(at.open().await)
        .drain_on(stop.clone());
    let thread = runtime.thread("t");
    let (ended, ()) = tokio::join!(thread.run(Trip::default()), async {
        desk.at_work.until(4).await;
        stop.cancel();
        desk.let_go();
    });
    let error = ended.unwrap_err();
    assert!(matches!(error, RunError::Drained { .. }), "{error:?}");
    assert_eq!(error.node(), Some("home"), "where it forked");
    assert_eq!((desk.at_work.now(), desk.at_work.dropped()), (0, 0));
    let begun = ["hall", "home", "lift", "ride", "stairs", "walk"];
    assert_eq!(
        desk.begun.all(),
        begun.map(|node| (node.to_owned(), 1)).into()
    );
    let steps = steps(&thread.history().await.unwrap());
    assert_eq!(steps.values().sum::<u32>(), 6, "{steps:?}");
    goes_on(at, thread, "drained").await;
}

async fn a_graph_within_finishes_its_step_and_then_stops(at: &impl Place) {
    let (desk, stop) = (Desk::default().hold(["stairs"]), CancellationToken::new());
    let runtime = Runtime::new(Lodge {
        door: Go("door", desk.clone()),
        house: house(&desk),
        bed: Go("bed", desk.clone()),
    });
    let runtime = runtime.journal(at.open().await).drain_on(stop.clone());
    let thread = runtime.thread("t");
    let (ended, ()) = tokio::join!(thread.run(Trip::default()), async {
        desk.at_work.until(1).await;
        while desk.begun.of("stairs") == 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        desk.let_go();
    });
    let error = ended.unwrap_err();
    assert!(matches!(error, RunError::Drained { .. }), "{error:?}");
    assert_eq!(error.node(), Some("house"));
    assert_eq!(desk.begun.of("guide"), 0);
    assert_eq!(
        thread.status().await.unwrap(),
        Status::Unfinished(LodgeNode::House)
    );
    let calm = Runtime::new(Lodge {
        door: Go("door", desk.clone()),
        house: house(&desk),
        bed: Go("bed", desk.clone()),
    });
    let calm = calm.journal(at.open().await).thread("t");
    let ask = calm.recover().await.unwrap().paused().unwrap();

    // An answer that comes while the runtime drains is not taken: the question stays open.
    let error = thread.resume(ask.id, "down").await.unwrap_err();
    assert!(matches!(error, RunError::Drained { .. }), "{error:?}");
    assert_eq!(calm.status().await.unwrap(), Status::Paused(ask.clone()));
    assert_eq!(calm.asks().await.unwrap().len(), 1);

    // Drained in the last step within, the graph's own step is written, and the next is due.
    let stop = CancellationToken::new();
    let desk = Desk::default().hold(["roof"]);
    let last = Runtime::new(Lodge {
        door: Go("door", desk.clone()),
        house: house(&desk),
        bed: Go("bed", desk.clone()),
    });
    let last = last.journal(at.open().await).drain_on(stop.clone());
    let last = last.thread("t");
    let (ended, ()) = tokio::join!(last.resume(ask.id, "up"), async {
        while desk.begun.of("roof") == 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        desk.let_go();
    });
    let error = ended.unwrap_err();
    assert_eq!(error.node(), Some("bed"), "{error:?}");
    let history = calm.history().await.unwrap();
    assert_eq!(lines(&history).last().unwrap(), "house: _ => bed");
    let trip = calm.recover().await.unwrap().finished().unwrap();
    assert_eq!(
        said(&trip),
        ["door", "hall", "stairs", "guide up", "lift", "roof", "bed"]
    );
}

#[derive(AgentGraph)]
#[graph(state = Trip, start = door)]
struct Lodge {
    #[route(_ => house)]
    door: Go,
    #[route(_ => bed)]
    house: House,
    #[route(_ => end)]
    bed: Go,
}

#[derive(AgentGraph)]
#[graph(state = Trip, start = gate)]
struct Narrow {
    #[route(_ => all(left, middle, right) join court(concurrency = 1))]
    gate: Go,
    #[route(_ => court)]
    left: Go,
    #[route(_ => court)]
    middle: Go,
    #[route(_ => court)]
    right: Go,
    #[route(_ => end)]
    court: Go,
}

fn narrow(desk: &Desk) -> Narrow {
    let go = |name| Go(name, desk.clone());
    Narrow {
        gate: go("gate"),
        left: go("left"),
        middle: go("middle"),
        right: go("right"),
        court: go("court"),
    }
}

async fn branches_that_have_not_begun_do_not_begin(at: &impl Place) {
    for (held, node, begun) in [
        ("gate", "gate", 1),
        ("left", "gate", 2),
        ("middle", "gate", 3),
        // All branches have arrived, and the join is due.
        ("right", "court", 4),
    ] {
        let (desk, stop) = (Desk::default().hold([held]), CancellationToken::new());
        let runtime = Runtime::new(narrow(&desk))
            .journal(at.open().await)
            .drain_on(stop.clone());
        let thread = runtime.thread(held);
        let (ended, ()) = tokio::join!(thread.run(Trip::default()), async {
            while desk.begun.of(held) == 0 {
                tokio::task::yield_now().await;
            }
            stop.cancel();
            desk.let_go();
        });
        let error = ended.unwrap_err();
        assert!(matches!(error, RunError::Drained { .. }), "{error:?}");
        assert_eq!(error.node(), Some(node), "{held}");
        assert_eq!(desk.begun.all().len(), begun, "{held}");
        let calm = Runtime::new(narrow(&desk)).journal(at.open().await);
        let trip = calm
            .thread(held)
            .recover()
            .await
            .unwrap()
            .finished()
            .unwrap();
        assert_eq!(said(&trip), ["gate", "left", "middle", "right", "court"]);
        assert!(
            desk.begun.all().values().all(|count| *count == 1),
            "{desk:?}"
        );
    }
}

// ---- A wait between two attempts.

#[derive(AgentGraph)]
#[graph(state = Trip, start = call)]
struct Patient {
    #[route(_ => end)]
    #[retry(times = 3, backoff = "1h", cap = "1h", jitter = false)]
    call: Go,
}

fn patient(desk: &Desk) -> Patient {
    Patient {
        call: Go("call", desk.clone()),
    }
}

/// Runs until it waits for another attempt, and then stops it.
async fn stopped_while_it_waits<J: Keep>(
    thread: &Thread<Patient, J>,
    stop: &CancellationToken,
) -> RunError {
    let mut events = thread.stream(Trip::default());
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Attempted { delay, .. }) => {
                assert_eq!(delay, Duration::from_hours(1));
                // One step further, to where it waits.
                let _ = events.next().now_or_never();
                stop.cancel();
            }
            Ok(_) => {}
            Err(error) => return error,
        }
    }
    panic!("the run came to its end");
}

async fn a_wait_for_another_attempt_ends_at_once(at: &impl Place) {
    for drains in [true, false] {
        let (desk, stop) = (Desk::default(), CancellationToken::new());
        desk.fails.lock().unwrap().insert("call", 2);
        let runtime = Runtime::new(patient(&desk)).journal(at.open().await);
        let runtime = if drains {
            runtime.drain_on(stop.clone())
        } else {
            runtime.cancel_on(stop.clone())
        };
        let thread = runtime.thread(format!("{drains}"));
        let before = std::time::Instant::now();
        let error = stopped_while_it_waits(&thread, &stop).await;
        assert!(before.elapsed() < Duration::from_mins(10), "it waited");
        assert_eq!(
            matches!(error, RunError::Drained { .. }),
            drains,
            "{error:?}"
        );
        assert_eq!(desk.begun.of("call"), 1);

        // The attempts go on where they were: the second and the third are left.
        let calm = Runtime::new(patient(&desk)).journal(at.open().await);
        let calm = calm.thread(format!("{drains}"));
        tokio::time::pause();
        let trip = calm.recover().await.unwrap().finished().unwrap();
        tokio::time::resume();
        assert_eq!(said(&trip), ["call"]);
        assert_eq!(desk.begun.of("call"), 3);
    }
}

// ---- All threads of a runtime.

async fn the_runs_of_all_threads_stop_together(at: &impl Place) {
    for drains in [true, false] {
        let (desk, stop) = (Desk::default().hold(["walk"]), CancellationToken::new());
        let runtime = Runtime::new(walks(&desk)).journal(at.open().await);
        let runtime = if drains {
            runtime.drain_on(stop.clone())
        } else {
            runtime.cancel_on(stop.clone())
        };
        let name = |number: u32| format!("{drains} {number}");
        let one = runtime.thread(name(1));
        let other = runtime.clone().thread(name(2));
        let (one, other, ()) = tokio::join!(
            one.run(Trip::default()),
            other.run(Trip::default()),
            async {
                desk.at_work.until(2).await;
                stop.cancel();
                let held = desk.held.lock().unwrap().remove("walk").unwrap();
                held.notify_waiters();
            }
        );
        for (error, number) in [(one.unwrap_err(), 1), (other.unwrap_err(), 2)] {
            assert_eq!(
                matches!(error, RunError::Drained { .. }),
                drains,
                "{error:?}"
            );
            let node = if drains { "rest" } else { "walk" };
            assert_eq!(error.node(), Some(node));
            assert_eq!(error.thread().unwrap().as_str(), name(number));
            let calm = Runtime::new(walks(&Desk::default())).journal(at.open().await);
            let trip = calm.thread(name(number)).recover().await.unwrap();
            assert_eq!(said(&trip.finished().unwrap()), ["walk", "rest"]);
        }
    }
}

#[derive(AgentGraph)]
#[graph(state = Trip, start = walk)]
struct Walks {
    #[route(_ => rest)]
    walk: Go,
    #[route(_ => end)]
    rest: Go,
}

fn walks(desk: &Desk) -> Walks {
    let go = |name| Go(name, desk.clone());
    Walks {
        walk: go("walk"),
        rest: go("rest"),
    }
}

on_every_journal! {
    a_run_that_is_dropped_at_any_poll_goes_on
    a_run_that_is_dropped_goes_on_at_once
    a_run_that_is_dropped_at_any_append_goes_on
    a_run_that_is_dropped_in_any_node_goes_on
    whoever_is_at_work_is_dropped_when_the_runtime_is_cancelled
    a_node_in_a_graph_within_is_dropped_too
    what_was_handed_in_is_written_before_a_cancelled_run_returns
    a_token_that_was_cancelled_before_lets_nothing_begin
    b62_drained_in_the_first_node_the_rest_is_done_later_and_in_the_last_nothing_is_left
    each_branch_finishes_its_step_and_then_stops
    a_graph_within_finishes_its_step_and_then_stops
    branches_that_have_not_begun_do_not_begin
    a_wait_for_another_attempt_ends_at_once
    the_runs_of_all_threads_stop_together
}

/// A process that is told to end. The children are this same test binary: `child` is a test that does
/// nothing unless it is told to.
#[cfg(all(unix, feature = "sqlite"))]
mod processes {
    use std::env;
    use std::fs::{self, OpenOptions};
    use std::io::{BufRead, BufReader, Read as _, Write as _};
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command, Stdio};

    use tokio::signal::unix::{SignalKind, signal};

    use super::*;

    /// Notes each step in a file, and in the middle of one waits until the process is told to end.
    #[derive(Clone)]
    struct Mill {
        effects: PathBuf,
        stop: CancellationToken,
        waits: bool,
    }

    #[derive(State, Clone, Debug, Default, PartialEq)]
    struct Sacks {
        ground: Log<String>,
    }

    struct Grind(&'static str, Mill);

    #[derive(Outcome)]
    enum Ground {
        Sack,
    }

    #[node(Sacks)]
    impl Grind {
        async fn run(&self, ground: &mut Log<String>, cx: &mut Context<'_>) -> Ground {
            let Self(name, mill) = self;
            if mill.waits && ground.len() == 7 {
                std::io::stdout().write_all(b"\nready\n").unwrap();
                mill.stop.cancelled().await;
            }
            let mut options = OpenOptions::new();
            let mut file = options
                .create(true)
                .append(true)
                .open(&mill.effects)
                .unwrap();
            let line = format!("{}\n", cx.idempotency_key());
            file.write_all(line.as_bytes()).unwrap();
            ground.push((*name).to_owned());
            Ground::Sack
        }
    }

    #[derive(AgentGraph)]
    #[graph(state = Sacks, start = grind)]
    struct Stone {
        #[route(Ground::Sack => grind(limit = 14, else = end))]
        grind: Grind,
    }

    #[derive(AgentGraph)]
    #[graph(state = Sacks, start = open)]
    struct Works {
        #[route(_ => all(wind, water) join close)]
        open: Grind,
        #[route(_ => close)]
        wind: Stone,
        #[route(Ground::Sack => water(limit = 14, else = close))]
        water: Grind,
        #[route(_ => end)]
        close: Grind,
    }

    const THREADS: [&str; 3] = ["mon", "tue", "wed"];
    /// To open, fifteen in each branch, and to close.
    const STEPS: usize = 32;

    fn works(mill: &Mill) -> Works {
        let grind = |name| Grind(name, mill.clone());
        Works {
            open: grind("open"),
            wind: Stone {
                grind: grind("wind"),
            },
            water: grind("water"),
            close: grind("close"),
        }
    }

    const FOLDER: &str = "HANDOFFS_DRAIN_FOLDER";
    const WAITS: &str = "HANDOFFS_DRAIN_WAITS";

    #[tokio::test]
    async fn child() {
        let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
            return;
        };
        let stop = CancellationToken::new();
        let mut told = signal(SignalKind::terminate()).unwrap();
        let drain = stop.clone();
        tokio::spawn(async move {
            told.recv().await;
            drain.cancel();
        });
        let mill = Mill {
            effects: folder.join("effects"),
            stop: stop.clone(),
            waits: env::var_os(WAITS).is_some(),
        };
        let journal = Sqlite::open(folder.join("works.db")).await.unwrap();
        let runtime = Runtime::new(works(&mill)).journal(journal).drain_on(stop);
        let runs = THREADS.map(|name| {
            let thread = runtime.thread(name);
            async move { thread.run_once(Sacks::default()).await }
        });
        for run in futures::future::join_all(runs).await {
            match run {
                Ok(Run::Finished(_)) if !mill.waits => {}
                Err(RunError::Drained { .. }) if mill.waits => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn start(folder: &Path, waits: bool) -> Child {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "processes::child", "--nocapture"]);
        command.env(FOLDER, folder);
        if waits {
            command.env(WAITS, "yes");
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    fn ends_well(mut child: Child, stdout: &mut impl BufRead) {
        let mut said = String::new();
        stdout.read_to_string(&mut said).unwrap();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{said}");
    }

    fn steps(folder: &Path) -> Vec<String> {
        let effects = fs::read_to_string(folder.join("effects")).unwrap();
        effects.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_process_that_is_told_to_end_finishes_its_steps_and_another_does_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut child = start(folder, true);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        // Both branches of each thread are in the middle of a step.
        for _ in 0..2 * THREADS.len() {
            let mut line = String::new();
            while line.trim() != "ready" {
                line.clear();
                assert_ne!(
                    stdout.read_line(&mut line).unwrap(),
                    0,
                    "the child has ended"
                );
            }
        }
        let pid = child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(told.success());
        ends_well(child, &mut stdout);
        let before = steps(folder);
        // One to open, and of each branch the seventh too.
        assert_eq!(before.len(), THREADS.len() * (1 + 2 * 7), "{before:#?}");

        let mut child = start(folder, false);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        ends_well(child, &mut stdout);
        let mut all = steps(folder);
        assert_eq!(all.len(), THREADS.len() * STEPS);
        assert_eq!(all[..before.len()], before);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), THREADS.len() * STEPS, "each step once");

        let tokio = tokio::runtime::Runtime::new().unwrap();
        tokio.block_on(async {
            let mill = Mill {
                effects: folder.join("none"),
                stop: CancellationToken::new(),
                waits: false,
            };
            let journal = Sqlite::open(folder.join("works.db")).await.unwrap();
            let runtime = Runtime::new(works(&mill)).journal(journal);
            for name in THREADS {
                let thread = runtime.thread(name);
                assert_eq!(thread.status().await.unwrap(), Status::Finished);
                let ground = thread.state().await.unwrap().ground;
                let wind = ground.iter().filter(|by| *by == "wind").count();
                let water = ground.iter().filter(|by| *by == "water").count();
                assert_eq!((ground.len(), wind, water), (STEPS, 15, 15), "{name}");
            }
        });
        assert!(!folder.join("none").exists());
    }
}
