//! What a thread's entries add up to, kept beside them: with it a thread is what it is without, and it
//! can be trimmed.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    clippy::too_many_arguments,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use common::{Place, Tally, chain, timeless};
use handoffs::prelude::*;
use handoffs::{
    Ask, Contract, Counter, Durability, Execute, Hash, Head, Journal, JournalError, Layer, Node,
    NodeError, NodeKind, Record, RunError, Runnable, Thread, ThreadId, verify_export,
    verify_export_from,
};
use serde::{Deserialize, Serialize};

// ---- A graph with all that a path can come to: forks in forks, graphs over the same state and another,
// questions, attempts, fallbacks, loops and their limits.

#[derive(Outcome, Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Yes,
    No,
}

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Case {
    said: Log<String>,
    sum: Counter,
    stamp: Option<String>,
    #[state(progress)]
    laps: Counter,
    #[state(merge = longest)]
    note: String,
}

fn longest(merged: &mut String, _: &String, branch: &String) {
    if branch.len() >= merged.len() {
        merged.clone_from(branch);
    }
}

/// Says its name. It fails as often as it is told, asks once more if it is told, and concludes `No` as
/// long as fewer laps were made than it is told.
#[derive(Clone, Default)]
struct Say {
    name: &'static str,
    fails: u32,
    asks: bool,
    laps: i64,
    tally: Tally,
}

#[node(Case)]
impl Say {
    async fn run(
        &self,
        said: &mut Log<String>,
        sum: &mut Counter,
        laps: &mut Counter,
        note: &mut String,
        cx: &mut Context<'_>,
    ) -> Result<Verdict, NodeError> {
        let mut word = self.name.to_owned();
        if self.asks {
            let answer: u32 = cx.ask("first", &self.name).await?;
            let other: u32 = cx.ask("second", &answer).await?;
            word = format!("{word} {answer} {other}");
        }
        if self.tally.count(cx.idempotency_key()) < self.fails {
            return Err(NodeError::new(io::Error::other("not yet")));
        }
        if let Some(failure) = cx.failure() {
            word = format!("{word} for {} of {}", failure.attempts, failure.node);
        }
        note.push_str(self.name);
        said.push(word);
        *sum += 1;
        *laps += 1;
        Ok(if laps.get() < self.laps {
            Verdict::No
        } else {
            Verdict::Yes
        })
    }
}

/// Rewrites the log, so that it is not only appended to.
#[node(Case)]
async fn tear(said: &mut Log<String>, stamp: &mut Option<String>) {
    *said = said.iter().take(2).cloned().collect::<Vec<_>>().into();
    *stamp = Some("torn".to_owned());
}

/// Takes an item, and asks about every third.
#[derive(Clone)]
struct Usher;

#[node(Case)]
impl Usher {
    async fn run(
        &self,
        visitor: u32,
        said: &mut Log<String>,
        sum: &mut Counter,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        let mut word = format!("v{visitor}");
        if visitor % 3 == 1 {
            let answer: u32 = cx.ask("who", &visitor).await?;
            word = format!("{word} {answer}");
        }
        said.push(word);
        *sum += 1;
        Ok(())
    }
}

fn visitors(_: &Case) -> Vec<u32> {
    vec![0, 1, 2]
}

/// Over the same state.
#[derive(AgentGraph)]
#[graph(state = Case, start = enter, outcome = Verdict)]
struct Office {
    #[route(_ => all(left, right) join meet)]
    enter: Say,
    #[route(_ => meet)]
    left: Say,
    #[route(Verdict::No => right(limit = 2, else = meet), Verdict::Yes => meet)]
    #[retry(times = 3, backoff = "0ms")]
    right: Say,
    #[route(Verdict::Yes => end(Verdict::Yes), Verdict::No => end(Verdict::No))]
    meet: Say,
}

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Slip {
    lines: Log<String>,
    level: u32,
}

#[derive(Clone, Default)]
struct Ink {
    asks: bool,
}

#[node(Slip)]
impl Ink {
    async fn run(
        &self,
        lines: &mut Log<String>,
        level: &mut u32,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        if self.asks {
            let answer: u32 = cx.ask("ink", &*level).await?;
            *level += answer;
        }
        lines.push(format!("ink {level}"));
        Ok(())
    }
}

/// Over another state.
#[derive(AgentGraph)]
#[graph(state = Slip, start = ink)]
struct Pen {
    #[route(_ => sand)]
    ink: Ink,
    #[route(_ => end)]
    sand: Ink,
}

fn slip(case: &Case) -> Slip {
    Slip {
        lines: vec![format!("after {}", case.said.len())].into(),
        level: 7,
    }
}

#[node(Case)]
async fn file(slip: Slip, said: &mut Log<String>, sum: &mut Counter) {
    said.push(slip.lines.iter().cloned().collect::<Vec<_>>().join(" "));
    *sum += i64::from(slip.level);
}

#[derive(AgentGraph)]
#[graph(state = Case, start = plan)]
struct City {
    #[route(_ => all(office, crowd, shaky) join tear)]
    plan: Say,
    #[route(_ => pen)]
    office: Office,
    #[route(_ => tear)]
    #[subgraph(enter = slip, leave = file)]
    pen: Pen,
    #[route(_ => each(visitors) usher join ushered)]
    crowd: Say,
    #[route(_ => booth)]
    usher: Usher,
    #[route(_ => ushered)]
    #[subgraph(enter = slip, leave = file)]
    booth: Pen,
    #[route(_ => tear)]
    ushered: Say,
    #[route(_ => tear)]
    #[retry(times = 1, backoff = "0ms")]
    #[on_error(then = mend)]
    shaky: Say,
    #[route(_ => tear)]
    mend: Say,
    #[route(_ => again)]
    tear: Tear,
    #[route(Verdict::No => plan(limit = 3, else = end), Verdict::Yes => last)]
    again: Say,
    #[route(_ => end)]
    last: Office,
}

fn say(name: &'static str) -> Say {
    Say {
        name,
        ..Say::default()
    }
}

fn asking(name: &'static str) -> Say {
    Say {
        asks: true,
        ..say(name)
    }
}

fn failing(name: &'static str, fails: u32) -> Say {
    Say { fails, ..say(name) }
}

fn office() -> Office {
    Office {
        enter: say("enter"),
        left: asking("left"),
        right: Say {
            laps: 9,
            ..failing("right", 1)
        },
        meet: say("meet"),
    }
}

fn city() -> City {
    let pen = |asks| Pen {
        ink: Ink::default(),
        sand: Ink { asks },
    };
    City {
        plan: say("plan"),
        office: office(),
        pen: pen(true),
        crowd: say("crowd"),
        usher: Usher,
        booth: pen(false),
        ushered: failing("ushered", 1),
        shaky: failing("shaky", 9),
        mend: say("mend"),
        tear: Tear,
        again: Say {
            laps: 20,
            ..asking("again")
        },
        last: office(),
    }
}

/// On a clock that stands still, so that two runs write the same.
fn durable<G: Runnable, J: Journal>(graph: G, journal: J) -> Thread<G, J> {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    Runtime::new(graph)
        .clock(move || then)
        .journal(journal)
        .thread("t")
}

/// Answers and recovers until the run is over, and returns its state.
async fn bring_to_an_end<G: Runnable, J: Journal>(thread: &Thread<G, J>) -> G::State {
    for _ in 0..200 {
        let asks = thread.asks().await.unwrap();
        let run = match asks.last() {
            Some(ask) => thread.resume(ask.id, answer(ask)).await,
            None => thread.recover().await,
        };
        match run {
            Ok(Run::Finished(state)) => return state,
            Ok(Run::Paused(_)) | Err(RunError::Node { .. }) => {}
            Err(error) => panic!("{}", chain(&error)),
        }
    }
    panic!("it does not come to an end")
}

fn answer(ask: &Ask) -> u64 {
    ask.id.get() % 5
}

async fn records(journal: &impl Journal) -> Vec<Record> {
    journal.read(&"t".into(), 0).await.unwrap()
}

async fn append(journal: &impl Journal, head: u64, records: Vec<Record>) {
    let thread = "t".into();
    let appended = journal.append(&thread, head, records, Durability::Sync);
    appended.await.unwrap();
}

async fn with_records(records: &[Record]) -> Memory {
    let memory = Memory::default();
    append(&memory, 0, records.to_vec()).await;
    memory
}

/// Returns all that a thread tells of how it stands.
async fn standing<G: Runnable, J: Journal>(thread: &Thread<G, J>) -> String
where
    G::State: std::fmt::Debug,
{
    let (status, asks) = (thread.status().await.unwrap(), thread.asks().await.unwrap());
    let state = thread.state().await.unwrap();
    format!("{status:#?} {asks:#?} {state:#?}")
}

/// Goes along a recorded thread entry by entry. Beside one that has its entries alone, there is one that
/// is trimmed behind each of them: at every point, both stand alike and come to the same end by the same
/// entries. Returns at how many points nothing could be trimmed.
async fn compare<G: Runnable>(graph: impl Fn() -> G, all: &[Record]) -> usize
where
    G::State: PartialEq + std::fmt::Debug,
{
    let mut untrimmed = 0;
    let trimmed = Memory::default();
    for (record, before) in all.iter().zip(0..) {
        append(&trimmed, before, vec![record.clone()]).await;
        let plain = with_records(all.get(..=usize::try_from(before).unwrap()).unwrap()).await;
        let one = durable(graph(), plain.clone());
        let other = durable(graph(), trimmed.clone());
        let expected = standing(&one).await;
        assert_eq!(standing(&other).await, expected, "at entry {}", record.seq);
        let base = other.trim(1).await.unwrap();
        if base.seq != before {
            untrimmed += 1;
        }
        assert_eq!(standing(&other).await, expected, "at entry {}", record.seq);

        let gone_on = copy(&trimmed).await;
        let one_end = bring_to_an_end(&one).await;
        let other = durable(graph(), gone_on);
        let other_end = bring_to_an_end(&other).await;
        assert_eq!(one_end, other_end, "from entry {} on", record.seq);
        let (one, other) = (one.history().await.unwrap(), other.history().await.unwrap());
        let first = other.first().unwrap().seq;
        let one: Vec<_> = one.into_iter().filter(|entry| entry.seq >= first).collect();
        assert_eq!(
            timeless(&one),
            timeless(&other),
            "from entry {} on",
            record.seq
        );
    }
    untrimmed
}

/// Copies what is kept of a thread that was trimmed.
async fn copy(journal: &Memory) -> Trimmed {
    let id: ThreadId = "t".into();
    Trimmed {
        within: Memory::default(),
        old: records(journal).await,
        snapshot: journal.snapshot(&id).await.unwrap(),
        new: Arc::default(),
    }
}

/// A journal whose thread was trimmed, and to which more is appended.
#[derive(Clone, Debug)]
struct Trimmed {
    within: Memory,
    old: Vec<Record>,
    snapshot: Option<Record>,
    new: Arc<Mutex<Vec<Record>>>,
}

impl Trimmed {
    fn all(&self) -> Vec<Record> {
        let mut all = self.old.clone();
        all.extend(self.new.lock().unwrap().iter().cloned());
        all
    }
}

#[async_trait]
impl Layer for Trimmed {
    type Within = Memory;

    fn within(&self) -> &Memory {
        &self.within
    }

    async fn append(
        &self,
        _: &ThreadId,
        head: u64,
        records: Vec<Record>,
        _: Durability,
    ) -> Result<(), JournalError> {
        assert_eq!(self.all().last().map_or(0, |last| last.seq), head);
        self.new.lock().unwrap().extend(records);
        Ok(())
    }

    async fn read(&self, _: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        let mut all = self.all();
        all.retain(|record| record.seq > after);
        Ok(all)
    }

    async fn snapshot(&self, _: &ThreadId) -> Result<Option<Record>, JournalError> {
        Ok(self.snapshot.clone())
    }
}

#[tokio::test]
async fn behind_a_snapshot_after_any_entry_a_thread_goes_on_as_without() {
    let disk = Memory::default();
    let thread = durable(city(), disk.clone());
    let _ = thread.run(Case::default()).await;
    let _ = bring_to_an_end(&thread).await;
    // And once more in the same thread.
    let state = thread.state().await.unwrap();
    let _ = thread.run(state).await;
    let _ = bring_to_an_end(&thread).await;
    let all = records(&disk).await;
    assert!(all.len() > 100, "{}", all.len());
    assert_eq!(compare(city, &all).await, 0);
}
