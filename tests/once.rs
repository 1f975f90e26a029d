//! What is done once: whatever happens to the run, it is done exactly once, or the run says that nobody
//! knows. What was done is counted outside of journal and state.
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

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use common::{Counting, Place, Stopping, Tally, chain, place};
use futures::future::BoxFuture;
use handoffs::prelude::*;
use handoffs::testing::TestContext;
use handoffs::{Counter, Durability, Effect, Journal, NodeError, Recorded, RunError, Thread};
use serde::{Deserialize, Serialize};

const LEVELS: [Durability; 3] = [Durability::Sync, Durability::Step, Durability::Exit];

// ---- The world: what is done in it stays done, and it does not forget.

/// What the effect of a key is to do, other than to be done.
#[derive(Clone, Debug)]
enum Trouble {
    /// It is not done, and says so.
    Fail,
    /// It is done, and then the process that did it panics.
    Panic,
    /// It is done, and no answer ever comes.
    Hang,
    /// It is done, and the answer says that it was not.
    Lie,
}

#[derive(Clone, Debug, Default)]
struct World {
    done: Tally,
    /// Whether nodes ask what was done before they do it again.
    checks: Arc<AtomicBool>,
    troubles: Arc<Mutex<BTreeMap<String, Vec<Trouble>>>>,
}

impl World {
    fn trouble(self, effect: &str, trouble: Trouble) -> Self {
        let mut troubles = self.troubles.lock().unwrap();
        troubles.entry(effect.to_owned()).or_default().push(trouble);
        drop(troubles);
        self
    }

    fn checks(&self) -> bool {
        self.checks.load(Ordering::Relaxed)
    }

    fn check_from_now_on(&self) {
        self.checks.store(true, Ordering::Relaxed);
    }

    /// Does it, and returns the receipt.
    async fn do_it(&self, effect: String) -> io::Result<String> {
        let trouble = self
            .troubles
            .lock()
            .unwrap()
            .get_mut(&effect)
            .and_then(Vec::pop);
        if let Some(Trouble::Fail) = trouble {
            return Err(io::Error::other(format!("{effect}: no connection")));
        }
        // Something else has its turn while this is under way.
        tokio::task::yield_now().await;
        self.done.count(&effect);
        match trouble {
            Some(Trouble::Panic) => panic!("after {effect}"),
            Some(Trouble::Hang) => pending().await,
            Some(Trouble::Lie) => Err(io::Error::other(format!("{effect}: no answer"))),
            _ => Ok(format!("receipt of {effect}")),
        }
    }

    async fn receipt(&self, effect: String) -> io::Result<Option<String>> {
        tokio::task::yield_now().await;
        Ok((self.done.of(&effect) > 0).then(|| format!("receipt of {effect}")))
    }

    /// Does it once, as a node does, and returns the receipt.
    async fn once(&self, key: &str, cx: &mut Context<'_>) -> Result<String, NodeError> {
        let effect = format!("{}{} {key}", place(cx.branch()), cx.node());
        let do_it = || self.do_it(effect.clone());
        if self.checks() {
            let check = || self.receipt(effect.clone());
            cx.once_checked(key, do_it, check).await
        } else {
            cx.once(key, do_it).await
        }
    }
}

// ---- A graph that does something once wherever a node can be.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Order {
    receipts: Log<String>,
    items: u32,
    told: Option<String>,
    steps: Counter,
}

/// Does two things.
struct Buy(World);

#[node(Order)]
impl Buy {
    async fn run(
        &self,
        receipts: &mut Log<String>,
        steps: &mut Counter,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        let one = self.0.once("one", cx).await?;
        let two = self.0.once("two", cx).await?;
        receipts.push(one);
        receipts.push(two);
        *steps += 1;
        Ok(())
    }
}

/// Does something, asks, does what the answer says, and asks again.
struct Clerk(World);

#[node(Order)]
impl Clerk {
    async fn run(
        &self,
        receipts: &mut Log<String>,
        steps: &mut Counter,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        let quote = self.0.once("quote", cx).await?;
        let what: String = cx.ask("what", &quote).await?;
        let bought = self.0.once(&format!("buy {what}"), cx).await?;
        let rating: String = cx.ask("rating", &bought).await?;
        let thanks = self.0.once("thank", cx).await?;
        receipts.extend([quote, bought, rating, thanks]);
        *steps += 1;
        Ok(())
    }
}

/// The items: one branch each.
fn items(order: &Order) -> Vec<u32> {
    (0..order.items).collect()
}

struct Pack(World);

#[node(Order)]
impl Pack {
    async fn run(
        &self,
        item: u32,
        receipts: &mut Log<String>,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        let label = self.0.once("label", cx).await?;
        receipts.push(format!("{item}: {label}"));
        Ok(())
    }
}

#[node(Order)]
fn go(steps: &mut Counter) {
    *steps += 1;
}

/// A graph over the same state.
#[derive(AgentGraph)]
#[graph(state = Order, start = buy)]
struct Shop {
    #[route(_ => all(clerk, again) join close)]
    buy: Buy,
    #[route(_ => close)]
    clerk: Clerk,
    #[route(_ => close)]
    again: Buy,
    #[route(_ => end)]
    close: Go,
}

fn shop(world: &World) -> Shop {
    Shop {
        buy: Buy(world.clone()),
        clerk: Clerk(world.clone()),
        again: Buy(world.clone()),
        close: Go,
    }
}

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Parcel {
    weight: u32,
    stamps: Log<String>,
}

struct Stamp(World);

#[node(Parcel)]
impl Stamp {
    async fn run(&self, stamps: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        stamps.push(self.0.once("stamp", cx).await?);
        Ok(())
    }
}

/// A graph over another state.
#[derive(AgentGraph)]
#[graph(state = Parcel, start = stamp)]
struct Post {
    #[route(_ => second)]
    stamp: Stamp,
    #[route(_ => end)]
    second: Stamp,
}

fn parcel(order: &Order) -> Parcel {
    Parcel {
        weight: order.items,
        ..Parcel::default()
    }
}

#[node(Order)]
fn posted(parcel: Parcel, receipts: &mut Log<String>) {
    receipts.extend(parcel.stamps.iter().cloned());
}

/// Fails at first, after it has done something.
struct Shaky(World);

#[node(Order)]
impl Shaky {
    async fn run(&self, receipts: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        let done = self.0.once("before", cx).await?;
        // Of an attempt that is repeated, nobody remembers but the world.
        if self.0.done.count("attempts") == 0 {
            return Err(NodeError::new(io::Error::other("shaky")));
        }
        receipts.push(done);
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Order, start = first)]
struct Trade {
    #[route(_ => all(shop, each_item) join post)]
    first: Buy,
    #[route(_ => post)]
    shop: Shop,
    #[route(_ => each(items) pack join packed)]
    each_item: Go,
    #[route(_ => packed)]
    pack: Pack,
    #[route(_ => post)]
    packed: Go,
    #[route(_ => shaky)]
    #[subgraph(enter = parcel, leave = posted)]
    post: Post,
    #[route(_ => end)]
    #[retry(times = 4, backoff = "1ms")]
    shaky: Shaky,
}

fn trade(world: &World) -> Trade {
    Trade {
        first: Buy(world.clone()),
        shop: shop(world),
        each_item: Go,
        pack: Pack(world.clone()),
        packed: Go,
        post: Post {
            stamp: Stamp(world.clone()),
            second: Stamp(world.clone()),
        },
        shaky: Shaky(world.clone()),
    }
}

fn order() -> Order {
    Order {
        items: 3,
        ..Order::default()
    }
}

// ---- Bringing it to its end.

/// Runs, answers and recovers until the run is over, or something is wrong; `cut` journals are not
/// recovered.
async fn bring_home<J: Journal>(thread: &Thread<Trade, J>) -> Result<Order, RunError> {
    loop {
        let run = match thread.status().await? {
            Status::New => thread.run(order()).await?,
            Status::Paused(ask) => thread.resume(ask.id, answer(&ask)).await?,
            _ => thread.recover().await?,
        };
        if let Run::Finished(order) = run {
            return Ok(order);
        }
    }
}

fn answer(ask: &Ask) -> String {
    format!("{} of {}", ask.key, ask.question.as_str().len())
}

fn at<J: Journal>(journal: J, world: &World, level: Durability) -> Thread<Trade, J> {
    let runtime = Runtime::new(trade(world))
        .journal(journal)
        .durability(level);
    runtime.thread("t")
}

/// What an undisturbed run comes to, without a trouble.
async fn undisturbed(level: Durability) -> (World, Order, u64) {
    let (world, counting) = (World::default(), Counting::<Memory>::default());
    let order = bring_home(&at(counting.clone(), &world, level))
        .await
        .unwrap();
    (world, order, counting.appends())
}

/// Returns what was done, but for what the world remembers for the nodes.
fn effects(world: &World) -> BTreeMap<String, u32> {
    let mut all = world.done.all();
    all.remove("attempts");
    all
}

#[tokio::test]
async fn wherever_the_journal_goes_down_each_effect_is_done_once_or_reported_unknown() {
    for level in LEVELS {
        let (whole, finished, appends) = undisturbed(level).await;
        assert!(effects(&whole).values().all(|count| *count == 1));
        assert_eq!(effects(&whole).len(), 15, "{:?}", effects(&whole));
        let (mut unknown, mut known) = (0, 0);
        for last in 0..appends {
            for keeps_last in [false, true] {
                let case = format!("{level:?}, append {last}, kept: {keeps_last}");
                let (disk, world) = (Memory::default(), World::default());
                let stopping = Stopping::after(disk.clone(), last, keeps_last);
                let cut = bring_home(&at(stopping, &world, level)).await.unwrap_err();
                assert!(matches!(cut, RunError::Journal { .. }), "{case}: {cut}");

                let thread = at(disk, &world, level);
                let order = match bring_home(&thread).await {
                    Ok(order) => {
                        known += 1;
                        order
                    }
                    Err(error) => {
                        // It was done, or had only begun when the journal went down.
                        assert!(chain(&error).contains("nobody knows"), "{case}: {error}");
                        let most = effects(&world).values().copied().max();
                        assert!(most <= Some(1), "{case}: {:?}", effects(&world));
                        unknown += 1;
                        world.check_from_now_on();
                        bring_home(&thread).await.unwrap()
                    }
                };
                assert_eq!(effects(&world), effects(&whole), "{case}");
                let (mut one, mut other) = (order, finished.clone());
                assert_eq!(one.steps, other.steps, "{case}");
                one.receipts = Log::default();
                other.receipts = Log::default();
                assert_eq!(one, other, "{case}");
            }
        }
        assert!(unknown > 0 && known > 0, "{level:?}: {unknown} and {known}");
    }
}

#[tokio::test]
async fn where_the_world_can_be_asked_nothing_is_ever_unknown() {
    for level in LEVELS {
        let (whole, _, appends) = undisturbed(level).await;
        for last in 0..appends {
            let (disk, world) = (Memory::default(), World::default());
            world.check_from_now_on();
            let stopping = Stopping::after(disk.clone(), last, last % 2 == 0);
            bring_home(&at(stopping, &world, level)).await.unwrap_err();
            bring_home(&at(disk, &world, level)).await.unwrap();
            assert_eq!(effects(&world), effects(&whole), "{level:?}, append {last}");
        }
    }
}

#[tokio::test]
async fn dropped_wherever_it_waits_it_is_done_once_or_reported_unknown() {
    use futures::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    let (whole, ..) = undisturbed(Durability::Sync).await;
    let mut unknown = 0;
    for polls in 1..400 {
        let (disk, world) = (Memory::default(), World::default());
        let thread = at(disk, &world, Durability::Exit);
        let mut left = polls;
        let mut run = Some(Box::pin(bring_home(&thread)));
        let is_over = poll_fn(|task| {
            let Some(running) = run.as_mut() else {
                return Poll::Ready(false);
            };
            let ended = pin!(running).poll(task).is_ready();
            left -= 1;
            if ended {
                return Poll::Ready(true);
            }
            if left == 0 {
                run = None;
                return Poll::Ready(false);
            }
            Poll::Pending
        })
        .await;
        drop(run);
        if is_over {
            assert!(polls > 10, "it was dropped at {polls} places");
            assert!(unknown > 0);
            return;
        }
        if let Err(error) = bring_home(&thread).await {
            assert!(chain(&error).contains("nobody knows"), "{polls}: {error}");
            assert!(effects(&world).values().all(|count| *count == 1), "{polls}");
            unknown += 1;
            world.check_from_now_on();
            bring_home(&thread).await.unwrap();
        }
        assert_eq!(effects(&world), effects(&whole), "{polls}");
    }
    panic!("it takes more polls than that");
}

// ---- One node that does what a test says.

type Job = Arc<
    dyn for<'c> Fn(&'c mut Context<'_>) -> BoxFuture<'c, Result<String, NodeError>> + Send + Sync,
>;

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Note {
    said: Log<String>,
}

/// Does its job, and says what came of it.
struct Do(Job);

#[node(Note)]
impl Do {
    async fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        let came_of_it = (self.0)(cx).await?;
        said.push(came_of_it);
        Ok(())
    }
}

fn job(
    job: impl for<'c> Fn(&'c mut Context<'_>) -> BoxFuture<'c, Result<String, NodeError>>
    + Send
    + Sync
    + 'static,
) -> Do {
    Do(Arc::new(job))
}

/// Does something in the world once.
fn once(world: &World) -> Do {
    let world = world.clone();
    job(move |cx| {
        let world = world.clone();
        Box::pin(async move { world.once("it", cx).await })
    })
}

/// Says how the node before failed.
fn says_why() -> Do {
    job(|cx| {
        let why = cx
            .failure()
            .map(|failure| (failure.unknown.clone(), failure.attempts));
        Box::pin(async move { Ok(format!("{why:?}")) })
    })
}

#[derive(AgentGraph)]
#[graph(state = Note, start = work)]
struct Careful {
    #[route(_ => last)]
    #[retry(times = 3, backoff = "1ms")]
    #[timeout("50ms")]
    #[on_error(then = fallback)]
    work: Do,
    #[route(_ => last)]
    fallback: Do,
    #[route(_ => end)]
    last: Do,
}

fn careful(world: &World) -> Careful {
    Careful {
        work: once(world),
        fallback: says_why(),
        last: once(world),
    }
}

#[derive(AgentGraph)]
#[graph(state = Note, start = work)]
struct Plain {
    #[route(_ => end)]
    work: Do,
}

fn plain<P: Journal>(journal: P, work: Do) -> Thread<Plain, P> {
    Runtime::new(Plain { work }).journal(journal).thread("t")
}

fn said(run: Run<Note>) -> Vec<String> {
    let note = run.finished().unwrap();
    note.said.iter().cloned().collect()
}

/// Returns what the journal says of effects, and of what else happened.
async fn told<J: Journal, G: handoffs::Runnable>(thread: &Thread<G, J>) -> Vec<String> {
    let told = |event: &Recorded| match event {
        Recorded::Once {
            node, key, effect, ..
        } => match effect {
            Effect::Begun => format!("{node} begins {key}"),
            Effect::Done(_) => format!("{node} did {key}"),
            Effect::Failed(_) => format!("{node} did not do {key}"),
            other => format!("{other:?}"),
        },
        Recorded::Asked(ask) => format!("asked {}", ask.key),
        Recorded::Answered { answer, .. } => format!("answered {answer}"),
        Recorded::Attempted { .. } => "attempted".to_owned(),
        Recorded::Caught { failure, .. } => format!("caught, unknown: {:?}", failure.unknown),
        Recorded::Stepped { node, .. } => format!("{node} stepped"),
        Recorded::Started { .. } => "started".to_owned(),
        Recorded::Failed { .. } => "failed".to_owned(),
        other => format!("{other:?}"),
    };
    let history = thread.history().await.unwrap();
    history.iter().map(|entry| told(&entry.event)).collect()
}

async fn an_effect_that_failed_is_done_again(place: &impl Place) {
    let world = World::default()
        .trouble("work it", Trouble::Fail)
        .trouble("work it", Trouble::Fail);
    let thread = Runtime::new(careful(&world))
        .journal(place.open().await)
        .thread("t");
    let run = thread.run(Note::default()).await.unwrap();
    assert_eq!(said(run), ["receipt of work it", "receipt of last it"]);
    assert_eq!(world.done.of("work it"), 1);
    let begun_and_failed = ["work begins it", "work did not do it", "attempted"];
    let told = told(&thread).await;
    assert_eq!(told[1..7], [begun_and_failed, begun_and_failed].concat());
    assert_eq!(
        told[7..],
        [
            "work begins it",
            "work did it",
            "work stepped",
            "last begins it",
            "last did it",
            "last stepped",
        ]
    );
}

async fn a_kept_result_is_returned_to_each_repeat(place: &impl Place) {
    let world = World::default();
    let tried = Tally::default();
    let work = {
        let (world, tried) = (world.clone(), tried.clone());
        job(move |cx| {
            let (world, tried) = (world.clone(), tried.clone());
            Box::pin(async move {
                let done = world.once("it", cx).await?;
                match tried.count("tried") {
                    0 => Err(NodeError::new(io::Error::other("an error behind it"))),
                    1 => panic!("a panic behind it"),
                    _ => Ok(done),
                }
            })
        })
    };
    let thread = plain(place.open().await, work);
    thread.run(Note::default()).await.unwrap_err();
    thread.recover().await.unwrap_err();
    let run = thread.recover().await.unwrap();
    assert_eq!(said(run), ["receipt of work it"]);
    assert_eq!(world.done.of("work it"), 1);
}

async fn what_was_cut_off_is_unknown_and_is_neither_done_nor_tried_again(place: &impl Place) {
    for trouble in [Trouble::Panic, Trouble::Hang] {
        let case = format!("{trouble:?}");
        let world = World::default().trouble("work it", trouble);
        let runtime = Runtime::new(careful(&world)).journal(place.open().await);
        let thread = runtime.thread(case.as_str());
        let run = thread.run(Note::default()).await.unwrap();
        let why = "Some((Some(\"it\"), 2))";
        assert_eq!(said(run), [why, "receipt of last it"], "{case}");
        assert_eq!(world.done.of("work it"), 1);
        assert_eq!(
            told(&thread).await[1..5],
            [
                "work begins it",
                "attempted",
                "caught, unknown: Some(\"it\")",
                "fallback stepped",
            ]
        );
    }
}

async fn the_error_says_what_is_unknown_until_somebody_can_be_asked(place: &impl Place) {
    let world = World::default().trouble("work it", Trouble::Panic);
    let thread = plain(place.open().await, once(&world));
    let panicked = thread.run(Note::default()).await.unwrap_err();
    assert!(matches!(panicked, RunError::Panicked { .. }), "{panicked}");
    for _ in 0..2 {
        let unknown = thread.recover().await.unwrap_err();
        let RunError::Unknown { node, effect, .. } = &unknown else {
            panic!("{unknown}");
        };
        assert_eq!((node.as_str(), effect.as_str()), ("work", "it"));
        assert_eq!(
            unknown.to_string(),
            "nobody knows whether effect `it` of node `work` in thread `t` was done, as the attempt \
             that began it was cut off; find out, let the node do so with `once_checked`, and \
             `recover` the thread"
        );
    }
    world.check_from_now_on();
    assert_eq!(
        said(thread.recover().await.unwrap()),
        ["receipt of work it"]
    );
    assert_eq!(world.done.of("work it"), 1);
}

async fn who_can_ask_need_not_trust_an_error(place: &impl Place) {
    let world = World::default().trouble("work it", Trouble::Lie);
    world.check_from_now_on();
    let thread = Runtime::new(careful(&world))
        .journal(place.open().await)
        .thread("t");
    thread.run(Note::default()).await.unwrap();
    assert_eq!(world.done.of("work it"), 1);
    assert_eq!(
        told(&thread).await[1..6],
        [
            "work begins it",
            "work did not do it",
            "attempted",
            "work did it",
            "work stepped",
        ]
    );
}

/// Asks two questions, and does something between them.
fn asks_does_and_asks(world: &World) -> Do {
    let world = world.clone();
    job(move |cx| {
        let world = world.clone();
        Box::pin(async move {
            let first: String = cx.ask("first", "?").await?;
            let done = world.once("it", cx).await;
            let done = done.unwrap_or_else(|error| chain(&error));
            let second: u32 = cx.ask("second", "?").await?;
            Ok(format!("{first}, {done}, {second}"))
        })
    })
}

async fn an_answer_is_written_before_what_may_come_of_it(place: &impl Place) {
    // The journal goes down at each append of the call that answers.
    for last in 0..3 {
        for keeps_last in [false, true] {
            let case = format!("append {last}, kept: {keeps_last}");
            let world = World::default();
            let id = format!("{last}{keeps_last}");
            let thread_in = async |stops: bool| {
                let appends = if stops { last } else { u64::MAX };
                let journal = Stopping::after(place.open().await, appends, keeps_last);
                let work = asks_does_and_asks(&world);
                Runtime::new(Plain { work })
                    .journal(journal)
                    .thread(id.as_str())
            };
            let thread = thread_in(false).await;
            let first = thread.run(Note::default()).await.unwrap().paused().unwrap();
            let cut = thread_in(true)
                .await
                .resume(first.id, "yes")
                .await
                .unwrap_err();
            assert!(matches!(cut, RunError::Journal { .. }), "{case}: {cut}");

            let told = told(&thread).await;
            let answered = told.iter().position(|line| line.starts_with("answered"));
            let begun = told.iter().position(|line| line.contains("begins"));
            assert!(answered < begun || begun.is_none(), "{case}: {told:?}");
            let resumed = thread.resume(first.id, "no").await;
            if let Some(done) = answered {
                // Whatever was done was done for the first answer, so that is what counts.
                assert!(
                    matches!(resumed, Err(RunError::NotAsked { .. })),
                    "{case} {done}"
                );
                let run = match thread.status().await.unwrap() {
                    Status::Paused(ask) => Run::Paused(ask),
                    _ => thread.recover().await.unwrap(),
                };
                let second = run.paused().unwrap();
                let run = thread.resume(second.id, 2).await.unwrap();
                assert!(said(run)[0].starts_with("yes, "), "{case}");
            } else {
                assert_eq!(world.done.of("work it"), 1, "{case}");
                let second = resumed.unwrap().paused().unwrap();
                let run = thread.resume(second.id, 2).await.unwrap();
                assert_eq!(said(run), ["no, receipt of work it, 2"], "{case}");
            }
            assert!(world.done.of("work it") <= 1, "{case}");
        }
    }
}

async fn an_answer_that_nobody_has_read_stays_open_whatever_is_done(place: &impl Place) {
    let world = World::default().trouble("work it", Trouble::Fail);
    let thread = plain(place.open().await, asks_does_and_asks(&world));
    let first = thread.run(Note::default()).await.unwrap().paused().unwrap();
    let second = thread
        .resume(first.id, "yes")
        .await
        .unwrap()
        .paused()
        .unwrap();
    assert_eq!(world.done.of("work it"), 0, "it failed");
    // The effect is done now, before anybody finds that the answer does not fit.
    let misfit = thread.resume(second.id, "not a number").await.unwrap_err();
    assert!(matches!(misfit, RunError::WrongAnswer { .. }), "{misfit}");
    assert_eq!(world.done.of("work it"), 1);
    assert_eq!(
        thread.status().await.unwrap(),
        Status::Paused(second.clone())
    );

    let run = thread.resume(second.id, 2).await.unwrap();
    assert_eq!(said(run), ["yes, receipt of work it, 2"]);
    assert_eq!(world.done.of("work it"), 1);
}

async fn a_run_that_begins_anew_begins_with_nothing(place: &impl Place) {
    let world = World::default();
    let work = {
        let world = world.clone();
        job(move |cx| {
            let world = world.clone();
            Box::pin(async move {
                let done = world.once("it", cx).await?;
                let answer: String = cx.ask("what", "?").await?;
                if answer == "fail" {
                    return Err(NodeError::new(io::Error::other("as told")));
                }
                Ok(format!("{done} {answer}"))
            })
        })
    };
    let thread = plain(place.open().await, work);
    let ask = thread.run(Note::default()).await.unwrap().paused().unwrap();
    thread.resume(ask.id, "fail").await.unwrap_err();
    // Neither the answer nor what was done belongs to this one.
    let ask = thread.run(Note::default()).await.unwrap().paused().unwrap();
    assert_eq!(world.done.of("work it"), 2);
    let run = thread.resume(ask.id, "fine").await.unwrap();
    assert_eq!(said(run), ["receipt of work it fine"]);
    assert_eq!(world.done.of("work it"), 2);
}

async fn an_effect_whose_result_cannot_be_kept_was_done_all_the_same(place: &impl Place) {
    let done = Tally::default();
    let work = {
        let done = done.clone();
        job(move |cx| {
            let done = done.clone();
            Box::pin(async move {
                let measure = async || {
                    done.count("it");
                    Ok::<_, io::Error>(f64::NAN)
                };
                let measured = cx.once("measure", measure).await?;
                Ok(measured.to_string())
            })
        })
    };
    let thread = plain(place.open().await, work);
    let error = thread.run(Note::default()).await.unwrap_err();
    let RunError::Encode { what, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(what, "the result of effect `measure`");
    let error = thread.recover().await.unwrap_err();
    assert!(matches!(error, RunError::Unknown { .. }), "{error}");
    assert_eq!(done.of("it"), 1);
}

async fn what_was_kept_is_read_as_the_type_that_is_asked_for(place: &impl Place) {
    let asked = Tally::default();
    let work = {
        let asked = asked.clone();
        job(move |cx| {
            let asked = asked.clone();
            Box::pin(async move {
                if asked.count("asked") == 0 {
                    let ready = async || Ok::<_, io::Error>("text".to_owned());
                    cx.once("it", ready).await?;
                    return Err(NodeError::new("not yet"));
                }
                let number: u32 = cx.once("it", async || Ok::<_, io::Error>(1)).await?;
                Ok(number.to_string())
            })
        })
    };
    let thread = plain(place.open().await, work);
    thread.run(Note::default()).await.unwrap_err();
    let error = thread.recover().await.unwrap_err();
    let text = chain(&error);
    assert!(
        text.contains("what was kept of effect `it` is no result of it"),
        "{text}"
    );
}

on_every_journal! {
    an_effect_that_failed_is_done_again
    a_kept_result_is_returned_to_each_repeat
    what_was_cut_off_is_unknown_and_is_neither_done_nor_tried_again
    the_error_says_what_is_unknown_until_somebody_can_be_asked
    who_can_ask_need_not_trust_an_error
    an_answer_is_written_before_what_may_come_of_it
    an_answer_that_nobody_has_read_stays_open_whatever_is_done
    a_run_that_begins_anew_begins_with_nothing
    an_effect_whose_result_cannot_be_kept_was_done_all_the_same
    what_was_kept_is_read_as_the_type_that_is_asked_for
}

// ---- Without a journal, and in the unit test of a node.

#[tokio::test]
async fn without_a_journal_a_result_is_remembered_for_the_retries_of_the_step() {
    let (world, tried) = (World::default(), Tally::default());
    let shaky = || {
        let (world, tried) = (world.clone(), tried.clone());
        job(move |cx| {
            let (world, tried) = (world.clone(), tried.clone());
            Box::pin(async move {
                let done = world.once("it", cx).await?;
                if tried.count(cx.node()) == 0 {
                    return Err(NodeError::new("once more"));
                }
                Ok(done)
            })
        })
    };
    let graph = Careful {
        work: shaky(),
        fallback: says_why(),
        last: once(&world),
    };
    let run = Runtime::new(graph)
        .thread("t")
        .run(Note::default())
        .await
        .unwrap();
    // The next node has an effect of the same key.
    assert_eq!(said(run), ["receipt of work it", "receipt of last it"]);
    assert_eq!(world.done.of("work it"), 1);
    assert_eq!(world.done.of("last it"), 1);
}

#[tokio::test]
async fn without_a_journal_what_was_cut_off_is_unknown_to_the_retries_of_the_step() {
    let world = World::default().trouble("work it", Trouble::Hang);
    let thread = Runtime::new(careful(&world)).thread("t");
    let run = thread.run(Note::default()).await.unwrap();
    assert_eq!(said(run)[0], "Some((Some(\"it\"), 2))");
    assert_eq!(world.done.of("work it"), 1);
}

#[tokio::test]
async fn a_test_of_a_node_says_what_was_done_before() {
    let effect = async || Ok::<_, io::Error>(1_u32);
    let new = TestContext::new("pay");
    let mut cx = new.cx();
    assert_eq!(cx.once("charge", effect).await.unwrap(), 1);
    assert_eq!(
        cx.once("charge", async || Ok::<_, io::Error>(2))
            .await
            .unwrap(),
        1_u32
    );

    let done = TestContext::new("pay").done("charge", 7).unwrap();
    assert_eq!(done.cx().once("charge", effect).await.unwrap(), 7);

    let begun = TestContext::new("pay").begun("charge");
    let unknown = begun.cx().once("charge", effect).await.unwrap_err();
    assert!(unknown.is_unknown(), "{unknown}");
    assert_eq!(
        unknown.to_string(),
        "nobody knows whether effect `charge` was done"
    );
    let found = async || Ok::<_, io::Error>(Some(9));
    assert_eq!(
        begun
            .cx()
            .once_checked("charge", effect, found)
            .await
            .unwrap(),
        9
    );
    let not_found = async || Ok::<_, io::Error>(None);
    assert_eq!(
        begun
            .cx()
            .once_checked("charge", effect, not_found)
            .await
            .unwrap(),
        1
    );
}
