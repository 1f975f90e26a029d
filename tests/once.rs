//! What is done once: whatever happens to the run, it is done exactly once, or the run says that nobody
//! knows. What was done is counted outside of journal and state.
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
use std::time::Duration;

use common::{Counting, Place, Stopping, Tally, chain, place};
use futures::future::{Either, select};
use handoffs::prelude::*;
use handoffs::{
    Counter, Durability, Effect, Journal, Keep, NodeError, Recorded, RunError, Thread,
};
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
        let trouble = self.troubles.lock().unwrap().get_mut(&effect).and_then(Vec::pop);
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
    async fn run(
        &self,
        stamps: &mut Log<String>,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
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
    async fn run(
        &self,
        receipts: &mut Log<String>,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
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
    let runtime = Runtime::new(trade(world)).journal(journal).durability(level);
    runtime.thread("t")
}

/// What an undisturbed run comes to, without a trouble.
async fn undisturbed(level: Durability) -> (World, Order, u64) {
    let (world, counting) = (World::default(), Counting::<Memory>::default());
    let order = bring_home(&at(counting.clone(), &world, level)).await.unwrap();
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
