//! What several of the tests need: journals to look at, and journals that stop.
#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::missing_panics_doc, reason = "helpers of tests may panic")]

#[cfg(feature = "postgres")]
#[path = "../../graph-runtime/src/journal/postgres/tests/server.rs"]
pub(crate) mod server;

#[cfg(unix)]
pub(crate) mod children;

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use futures::StreamExt;
use handoffs::Durability;
use handoffs::Layer;
use handoffs::Memory;
use handoffs::{
    Ask, Entry, Event, EventStream, Journal, JournalError, Masked, Record, Recorded, Run, RunError,
    Runnable, Runtime, Thread, ThreadId, Write, Writes,
};
use serde_json::Value;
use tokio::sync::Notify;

/// Writes down a step as one line, whether it comes from a journal or from a stream.
fn step(node: &str, on: &str, to: &str, masked: Option<Masked>) -> String {
    match masked {
        None => format!("{node}: {on} => {to}"),
        Some(why) => format!("{node}: {on} => {to}, as {why}"),
    }
}

/// Writes a fork down as the place to which a step leads.
fn branches(count: u32) -> String {
    format!("{count} branches")
}

/// Returns the lines of a journal: what happened, in its order.
pub(crate) fn lines(history: &[Entry]) -> Vec<String> {
    let line = |entry: &Entry| match &entry.event {
        Recorded::Started { .. } => "started".to_owned(),
        Recorded::Stepped {
            node,
            on,
            fork: Some(fork),
            ..
        } => step(node, on, &branches(fork.branches), None),
        Recorded::Stepped {
            node,
            on,
            to,
            masked,
            approval,
            ..
        } => {
            let step = step(node, on, to.as_deref().unwrap_or("end"), *masked);
            match approval {
                Some(ask) => format!("{step}, if approved: {}", ask.question),
                None => step,
            }
        }
        Recorded::Joined { to, .. } => format!("joined at {to}"),
        Recorded::Asked(ask) => format!("{} asks {}", ask.node, ask.question),
        Recorded::Answered { answer, .. } => format!("answered {answer}"),
        Recorded::Decided { approval, to, .. } => {
            format!("{approval:?} => {}", to.as_deref().unwrap_or("end"))
        }
        Recorded::Expired { to: Some(to), .. } => format!("expired => {to}"),
        Recorded::Expired { .. } => "expired".to_owned(),
        Recorded::Attempted { node, .. } => format!("{node} is tried again"),
        Recorded::Caught { failure, to, .. } => {
            let to = to.as_deref().unwrap_or("end");
            format!("{} failed => {to}", failure.node)
        }
        Recorded::Failed { node, error, .. } => format!("{node} failed: {error}"),
        other => format!("{other:?}"),
    };
    history.iter().map(line).collect()
}

/// Returns which branch an entry or an event belongs to, by the places of the branches within their
/// forks alone: `1.0 ` is the first branch of a fork in the second branch of one.
pub(crate) fn place(branch: &impl fmt::Display) -> String {
    let branch = branch.to_string();
    let places = branch.split('/').filter_map(|turn| turn.split_once('.'));
    let places: Vec<_> = places.map(|(_, place)| place).collect();
    if places.is_empty() {
        String::new()
    } else {
        format!("{} ", places.join("."))
    }
}

/// Returns the [`lines`] of a journal with the branches that they belong to, each branch by itself: so
/// it makes no difference in which order the branches did what they did.
pub(crate) fn by_branch(history: &[Entry]) -> Vec<String> {
    let lines = lines(history);
    let mut lines: Vec<_> = history
        .iter()
        .zip(lines)
        .map(|(entry, line)| (place(&entry.branch), line))
        .collect();
    lines.sort_by(|(one, _), (other, _)| one.cmp(other));
    lines
        .iter()
        .map(|(place, line)| format!("{place}{line}"))
        .collect()
}

/// Returns the nodes that concluded, in their order.
pub(crate) fn path(history: &[Entry]) -> Vec<String> {
    let node = |entry: &Entry| match &entry.event {
        Recorded::Stepped { node, .. } => Some(node.to_string()),
        _ => None,
    };
    history.iter().filter_map(node).collect()
}

/// Returns the entries without what differs from one undisturbed run to the next.
pub(crate) fn timeless(history: &[Entry]) -> Vec<Value> {
    let timeless = |entry: &Entry| {
        let mut value = serde_json::to_value(entry).unwrap();
        let fields = value.as_object_mut().unwrap();
        fields.remove("at_ms").unwrap();
        fields.remove("prev").unwrap();
        let event = fields["event"].as_object_mut().unwrap();
        for happened in event.values_mut().filter_map(Value::as_object_mut) {
            happened.remove("took_ms");
        }
        value
    };
    history.iter().map(timeless).collect()
}

/// Returns what an entry writes, as `field = value` and `field += items`.
pub(crate) fn writes(entry: &Entry) -> Vec<String> {
    let of = |writes: &Writes| {
        let write = |(name, write): (&str, &Write)| match write {
            Write::Set(value) => format!("{name} = {value}"),
            Write::Append(items) => format!("{name} += {items}"),
            other => format!("{name}: {other:?}"),
        };
        writes.iter().map(write).collect()
    };
    match &entry.event {
        Recorded::Started { writes, .. }
        | Recorded::Stepped { writes, .. }
        | Recorded::Joined { writes, .. } => of(writes),
        _ => Vec::new(),
    }
}

/// Polls a stream to its end, and returns its steps as [`lines`] would, and its last item.
pub(crate) async fn drain<G: Runnable>(
    mut stream: EventStream<G>,
) -> (Vec<String>, Option<Result<Event<G>, RunError>>) {
    let (mut steps, mut last) = (Vec::new(), None);
    while let Some(event) = stream.next().await {
        if let Ok(Event::Stepped {
            node,
            edge,
            to,
            masked,
            branches: forked,
            ..
        }) = &event
        {
            let (node, to) = (
                node.to_string(),
                forked.map_or_else(|| to.to_string(), branches),
            );
            steps.push(step(&node, &edge.label(), &to, *masked));
        }
        last = Some(event);
    }
    (steps, last)
}

/// Returns an error's text and those of its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A journal that goes down at its n-th append, as a machine does: whatever comes after it fails.
#[derive(Clone, Debug)]
pub(crate) struct Stopping<J> {
    kept: J,
    appends: Arc<AtomicU64>,
    last: u64,
    /// Whether the append that finds the journal going down is still written.
    keeps_last: bool,
}

impl<J> Stopping<J> {
    /// Lets `whole` appends through. The next one fails, and is written nevertheless if `keeps_last`.
    pub(crate) fn after(kept: J, whole: u64, keeps_last: bool) -> Self {
        Self {
            kept,
            appends: Arc::default(),
            last: whole,
            keeps_last,
        }
    }
}

#[async_trait]
impl<J: Journal> Layer for Stopping<J> {
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
        let before = self.appends.fetch_add(1, Ordering::Relaxed);
        if before < self.last || (before == self.last && self.keeps_last) {
            self.kept.append(thread, head, records, durability).await?;
        }
        if before < self.last {
            Ok(())
        } else {
            Err(JournalError::store("memory", "append to", "power cut"))
        }
    }
}

/// A journal that counts what is written to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counting<J> {
    /// The journal that it is.
    pub(crate) kept: J,
    appends: Arc<AtomicU64>,
}

impl<J> Counting<J> {
    /// Counts what is written to a journal from now on.
    pub(crate) fn of(kept: J) -> Self {
        Self {
            kept,
            appends: Arc::default(),
        }
    }

    /// Returns how many appends there were.
    pub(crate) fn appends(&self) -> u64 {
        self.appends.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl<J: Journal> Layer for Counting<J> {
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
        self.kept.append(thread, head, records, durability).await?;
        self.appends.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A journal that lets others have their turn before and after each append.
#[derive(Clone, Debug)]
pub(crate) struct Yielding<J>(pub(crate) J);

#[async_trait]
impl<J: Journal> Layer for Yielding<J> {
    type Within = J;

    fn within(&self) -> &J {
        &self.0
    }

    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        // Twice, as an append that waits is polled once more at once, where all can wait for it.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        self.0.append(thread, head, records, durability).await?;
        tokio::task::yield_now().await;
        Ok(())
    }
}

/// Drops the future at its n-th poll, unless it is done before.
pub(crate) async fn dropped_at<T>(polls: u32, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|task| {
        let Some(rest) = left.checked_sub(1) else {
            return Poll::Ready(None);
        };
        left = rest;
        match work.as_mut().poll(task) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// A place that keeps a journal; to open it twice is to be on two machines.
pub(crate) trait Place {
    type Journal: Journal + Clone;

    async fn open(&self) -> Self::Journal;
}

impl Place for Memory {
    type Journal = Self;

    async fn open(&self) -> Self {
        self.clone()
    }
}

/// A journal in a file that is gone after the test.
#[cfg(feature = "sqlite")]
pub(crate) struct File(tempfile::TempDir);

#[cfg(feature = "sqlite")]
impl File {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

#[cfg(feature = "sqlite")]
impl Place for File {
    type Journal = handoffs::Sqlite;

    async fn open(&self) -> Self::Journal {
        handoffs::Sqlite::open(self.0.path().join("test.db"))
            .await
            .unwrap()
    }
}

/// A journal in a schema of its own, on the server of the tests.
#[cfg(feature = "postgres")]
pub(crate) struct Schema(String);

#[cfg(feature = "postgres")]
impl Schema {
    pub(crate) fn new() -> Self {
        Self(server::schema())
    }
}

#[cfg(feature = "postgres")]
impl Place for Schema {
    type Journal = handoffs::Postgres;

    async fn open(&self) -> Self::Journal {
        let options = handoffs::Postgres::options().schema(&self.0);
        let server = server::Server::shared().address();
        options.connect(server).await.unwrap()
    }
}

/// Makes tests of each function: one with a journal in memory, one with a journal in a file, one with
/// a journal on a server.
#[allow(unused_macros, reason = "each test file takes what it needs")]
macro_rules! on_every_journal {
    // With a clock that stands still until everybody waits. Of a file, it does so while that is
    // written, too: no timer may run then.
    (paused: $($test:ident)*) => {
        mod memory {
            $(#[tokio::test(start_paused = true)]
            async fn $test() {
                super::$test(&handoffs::Memory::default()).await;
            })*
        }

        #[cfg(feature = "sqlite")]
        mod sqlite {
            $(#[tokio::test(start_paused = true)]
            async fn $test() {
                super::$test(&super::common::File::new()).await;
            })*
        }
    };
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&handoffs::Memory::default()).await;
            })*
        }

        #[cfg(feature = "sqlite")]
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&super::common::File::new()).await;
            })*
        }

        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&super::common::Schema::new()).await;
            })*
        }
    };
}

/// Makes tests of each function: one for each journal at each level of durability.
#[allow(unused_macros, reason = "each test file takes what it needs")]
macro_rules! at_every_level {
    (@level $level:ident, $durability:ident, $place:expr, [$($test:ident)*]) => {
        mod $level {
            $(#[tokio::test]
            async fn $test() {
                crate::$test(&$place, handoffs::Durability::$durability).await;
            })*
        }
    };
    (@place $name:ident, $place:expr, $tests:tt) => {
        mod $name {
            at_every_level! { @level sync, Sync, $place, $tests }
            at_every_level! { @level step, Step, $place, $tests }
            at_every_level! { @level exit, Exit, $place, $tests }
        }
    };
    ($($test:ident)*) => {
        mod levels {
            at_every_level! { @place memory, handoffs::Memory::default(), [$($test)*] }

            #[cfg(feature = "sqlite")]
            at_every_level! { @place sqlite, crate::common::File::new(), [$($test)*] }

            #[cfg(feature = "postgres")]
            at_every_level! { @place postgres, crate::common::Schema::new(), [$($test)*] }
        }
    };
}

/// An order in which nodes have their turns, whatever else they would do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns(Arc<(Mutex<VecDeque<&'static str>>, Notify)>);

impl Turns {
    pub(crate) fn new(order: impl IntoIterator<Item = &'static str>) -> Self {
        let order = order.into_iter().collect();
        Self(Arc::new((Mutex::new(order), Notify::new())))
    }

    /// Waits until those who come earlier have had their turn. Nobody waits who has none, or once all
    /// have had theirs.
    pub(crate) async fn take(&self, who: &str) {
        let (order, changed) = &*self.0;
        loop {
            let next = changed.notified();
            {
                let mut order = order.lock().unwrap();
                if !order.iter().any(|other| *other == who) {
                    return;
                }
                if order.front().is_some_and(|first| *first == who) {
                    order.pop_front();
                    changed.notify_waiters();
                    return;
                }
            }
            next.await;
        }
    }
}

/// A clock that goes on only when it is told to.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(1_700_000_000)))
    }
}

impl Clock {
    /// Lets hours pass.
    pub(crate) fn hours(&self, hours: u64) {
        self.seconds(hours * 60 * 60);
    }

    /// Lets seconds pass.
    pub(crate) fn seconds(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Returns the time in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed) * 1000
    }

    /// Returns what tells a runtime the time.
    pub(crate) fn tells(&self) -> impl Fn() -> SystemTime + Send + Sync + 'static {
        let clock = self.clone();
        move || UNIX_EPOCH + Duration::from_millis(clock.now_ms())
    }
}

/// Counts how often each thing was done, beyond the reach of journal and state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<std::collections::BTreeMap<String, u32>>>);

impl Tally {
    /// Counts, and returns how often it was done before.
    pub(crate) fn count(&self, what: impl Into<String>) -> u32 {
        let mut counts = self.0.lock().unwrap();
        let count = counts.entry(what.into()).or_default();
        *count += 1;
        *count - 1
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    pub(crate) fn of(&self, what: &str) -> u32 {
        self.0.lock().unwrap().get(what).copied().unwrap_or(0)
    }

    pub(crate) fn all(&self) -> std::collections::BTreeMap<String, u32> {
        self.0.lock().unwrap().clone()
    }
}

/// Runs to the end, from wherever the thread stands, with this to say to each question. To one that
/// there is nothing to say to, time goes by.
pub(crate) async fn complete<G: Runnable, J: Journal>(
    thread: &Thread<G, J>,
    state: G::State,
    answer: &impl Fn(&Ask) -> Option<Value>,
    time_goes_by: impl Fn(),
) -> Result<G::State, RunError> {
    let mut run = thread.run_once(state).await?;
    loop {
        let ask = match run {
            Run::Finished(state) => return Ok(state),
            Run::Paused(first) => {
                // The first that can be answered, or, if none can, the one whose time is over next.
                let asks = thread.asks().await?;
                let answered = asks.into_iter().find(|ask| answer(ask).is_some());
                answered.unwrap_or(first)
            }
        };
        run = if let Some(answer) = answer(&ask) {
            thread.resume(ask.id, answer).await?
        } else {
            time_goes_by();
            thread.recover().await?
        };
    }
}

/// Cuts a run off at each append, and compares what comes of it with an undisturbed one.
pub(crate) async fn cut_off_anywhere<G>(
    graph: impl Fn(&Tally) -> G,
    state: G::State,
    answer: &impl Fn(&Ask) -> Option<Value>,
) where
    G: Runnable<State: PartialEq + fmt::Debug>,
{
    let clock = Clock::default();
    let week = || clock.hours(7 * 24);
    let (counting, tally) = (Counting::<Memory>::default(), Tally::default());
    let runtime = Runtime::new(graph(&tally)).clock(clock.tells());
    let thread = runtime.journal(counting.clone()).thread("t");
    let whole = complete(&thread, state.clone(), answer, week).await;
    let whole = whole.unwrap();
    let history = by_branch(&thread.history().await.unwrap());
    let done = tally.all();
    for last in 0..counting.appends() {
        for keeps_last in [false, true] {
            let case = format!("append {last}, kept: {keeps_last}");
            let disk = Memory::default();
            let stopping = Stopping::after(disk.clone(), last, keeps_last);
            let cut = Runtime::new(graph(&Tally::default())).clock(clock.tells());
            let cut = cut.journal(stopping).thread("t");
            let error = complete(&cut, state.clone(), answer, week).await;
            assert!(
                matches!(error, Err(RunError::Journal { .. })),
                "{case}: {error:?}"
            );
            let tally = Tally::default();
            let runtime = Runtime::new(graph(&tally)).clock(clock.tells());
            let thread = runtime.journal(disk).thread("t");
            let before = thread.history().await.unwrap();
            let recovered = complete(&thread, state.clone(), answer, week).await;
            assert_eq!(recovered.unwrap(), whole, "{case}");
            assert_eq!(thread.state().await.unwrap(), whole, "{case}");
            let after = thread.history().await.unwrap();
            assert_eq!(by_branch(&after), history, "{case}");
            assert_eq!(
                timeless(&after)[..before.len()],
                timeless(&before),
                "{case}: what was written stays"
            );
            for (what, times) in tally.all() {
                assert!(times <= done[&what], "{case}: {what}");
            }
        }
    }
}
