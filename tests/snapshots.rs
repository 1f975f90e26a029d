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
    Approval, Ask, AskId, Chronicle, Contract, Counter, Difference, Durability, Execute, Hash,
    Head, Journal, JournalError, Layer, Node, NodeError, NodeKind, Record, Recorded, RunError,
    Runnable, Thread, ThreadId, verify_export, verify_export_from,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

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

fn may_it(case: &Case) -> String {
    format!("{} times?", case.sum.get())
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
        let dip = async || Ok::<_, io::Error>(*level);
        let was_done = async || Ok::<_, io::Error>(None);
        let done = cx.once_checked("dip", dip, was_done).await?;
        if self.asks {
            let answer: u32 = cx.ask("ink", &done).await?;
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
    said.push(slip.lines.to_vec().join(" "));
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
    #[route(Verdict::No => plan(limit = 3, approve = may_it, else = end), Verdict::Yes => last)]
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
            Some(ask) if ask.key == "approve" => thread.resume(ask.id, Approval::Approved).await,
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

        if before > 100 && before % 7 > 0 {
            continue;
        }
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

// ---- Graphs within nodes of one's own.

/// A node that runs another, and then asks, too. It says that it is a graph, or does not.
struct Wrapped<N, const SAYS_SO: bool>(N);

impl<S: State, N: Node<S>, const SAYS_SO: bool> Node<S> for Wrapped<N, SAYS_SO> {
    type Outcome = N::Outcome;
    const CONTRACT: Contract = N::CONTRACT;
    const KIND: NodeKind = if SAYS_SO { N::KIND } else { NodeKind::Task };
}

impl<S: State, N: Execute<S>, const SAYS_SO: bool> Execute<S> for Wrapped<N, SAYS_SO> {
    const REPORTS: bool = N::REPORTS;

    async fn execute(&self, state: &mut S, cx: &mut Context<'_>) -> Result<N::Outcome, NodeError> {
        let outcome = self.0.execute(state, cx).await?;
        let _: u32 = cx.ask("and you", "?").await?;
        Ok(outcome)
    }
}

#[derive(AgentGraph)]
#[graph(state = Case, start = plan)]
struct Fair<const SAYS_SO: bool> {
    #[route(_ => all(tent, other) join last)]
    plan: Say,
    #[route(_ => last)]
    tent: Wrapped<Office, SAYS_SO>,
    #[route(_ => last)]
    other: Say,
    #[route(_ => end)]
    last: Say,
}

fn fair<const SAYS_SO: bool>() -> Fair<SAYS_SO> {
    Fair {
        plan: say("plan"),
        // Of a question in a hidden graph, nobody would know.
        tent: Wrapped(Office {
            left: say("left"),
            ..office()
        }),
        other: asking("other"),
        last: say("last"),
    }
}

async fn at_the_fair<const SAYS_SO: bool>() -> usize {
    let disk = Memory::default();
    let thread = durable(fair::<SAYS_SO>(), disk.clone());
    let _ = thread.run(Case::default()).await;
    let _ = bring_to_an_end(&thread).await;
    compare(fair::<SAYS_SO>, &records(&disk).await).await
}

#[tokio::test]
async fn while_a_hidden_graph_is_at_work_there_is_no_snapshot() {
    let (known, hidden) = (at_the_fair::<true>().await, at_the_fair::<false>().await);
    assert!(hidden > 5, "{hidden}");
    assert_eq!(
        known, hidden,
        "a graph in another node is hidden in any case"
    );
}

// ---- Snapshots that do not hold.

/// A conversation without an end.
#[derive(State, Clone, Debug, Default, PartialEq)]
struct Talk {
    messages: Log<String>,
    count: u64,
}

#[derive(Outcome)]
enum Next {
    Again,
    Ask,
}

/// Says something long, and now and then wants to hear something, too.
#[derive(Clone, Copy)]
struct Speak {
    every: u64,
    bytes: usize,
}

#[node(Talk)]
impl Speak {
    async fn run(&self, messages: &mut Log<String>, count: &mut u64) -> Next {
        messages.push("m".repeat(self.bytes));
        *count += 1;
        if count.is_multiple_of(self.every) {
            Next::Ask
        } else {
            Next::Again
        }
    }
}

#[node(Talk)]
async fn listen(messages: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
    let heard: String = cx.ask("next", "And then?").await?;
    messages.push(heard);
    Ok(())
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = speak)]
struct Conversation {
    #[route(Next::Again => speak(limit = 1_000_000, else = end), Next::Ask => listen)]
    speak: Speak,
    #[route(_ => speak(limit = 1_000_000, else = end))]
    listen: Listen,
}

fn conversation(every: u64, bytes: usize) -> Conversation {
    Conversation {
        speak: Speak { every, bytes },
        listen: Listen,
    }
}

async fn ask(thread: &Thread<Conversation, impl Journal>) -> Ask {
    let asks = thread.asks().await.unwrap();
    asks.into_iter().next().unwrap()
}

/// Begins a conversation, and goes on with it so often.
async fn talk(thread: &Thread<Conversation, impl Journal>, answers: usize) {
    let mut run = thread.run(Talk::default()).await.unwrap();
    for _ in 0..answers {
        let ask = run.paused().unwrap();
        run = thread.resume(ask.id, "so").await.unwrap();
    }
}

fn record(seq: u64, body: &str) -> Record {
    Record::new(seq, Hash::of(body.as_bytes()), body.as_bytes().to_vec())
}

/// Returns snapshots that do not hold for a thread that ends with `head`, and why.
async fn wrong(head: Head) -> Vec<(Record, &'static str)> {
    let other = Memory::default();
    let thread = durable(conversation(3, 9), other.clone());
    talk(&thread, 9).await;
    thread.trim(u64::MAX).await.unwrap();
    let snapshot = other.snapshot(&"t".into()).await.unwrap().unwrap();
    let good = String::from_utf8(snapshot.body.clone()).unwrap();
    let Head { seq, hash, .. } = head;
    let own = format!(r#"{{"seq":{seq},"hash":"{hash}"}}"#);
    let theirs = serde_json::to_string(&thread.verify(None).await.unwrap()).unwrap();
    assert!(good.contains(&theirs) && good.contains("\"format\":1,"));
    let mut flipped = record(seq, &good.replace(&theirs, &own));
    flipped.body[40] ^= 1;
    vec![
        (flipped, "its hash is not that of its content"),
        (record(seq, "no JSON"), "expected ident"),
        (record(seq, "{}"), "missing field"),
        (
            record(seq, &format!(r#"{{"format":1,"head":{own}}}"#)),
            "missing field",
        ),
        (
            record(
                seq,
                &format!(r#"{{"format":1,"head":{own},"legends":[],"paths":{{}}}}"#),
            ),
            "it names no graph",
        ),
        (
            record(
                seq,
                &good
                    .replace(&theirs, &own)
                    .replace("\"format\":1,", "\"format\":99,"),
            ),
            "it is of format 99, and this version reads format 1",
        ),
        (record(seq, &good), "it is another one than its number says"),
        (
            record(
                seq,
                &good.replace(
                    &theirs,
                    &format!(r#"{{"seq":{seq},"hash":"{}"}}"#, Hash::of(b"x")),
                ),
            ),
            "it belongs to other entries",
        ),
    ]
}

async fn a_snapshot_that_does_not_hold_is_passed_over(at: &impl Place) {
    let journal = at.open().await;
    let id: ThreadId = "t".into();
    let thread = durable(conversation(3, 9), journal.clone());
    talk(&thread, 3).await;
    let expected = standing(&thread).await;
    let head = thread.verify(None).await.unwrap();
    for (snapshot, why) in wrong(head).await {
        journal.compact(&id, snapshot.clone(), 0).await.unwrap();
        assert_eq!(
            journal.snapshot(&id).await.unwrap(),
            Some(snapshot),
            "{why}"
        );
        assert_eq!(standing(&thread).await, expected, "{why}");
        assert_eq!(thread.verify(head).await.unwrap(), head, "{why}");
    }
    let _ = thread.resume(ask(&thread).await.id, "so").await.unwrap();
}

async fn a_trimmed_thread_without_its_snapshot_is_damaged(at: &impl Place) {
    let journal = at.open().await;
    let id: ThreadId = "t".into();
    let thread = durable(conversation(3, 9), journal.clone());
    talk(&thread, 3).await;
    let head = thread.verify(None).await.unwrap();
    let mut all: Vec<_> = wrong(head)
        .await
        .into_iter()
        .map(|(w, why)| (w, Some(why)))
        .collect();
    let records = journal.read(&id, 0).await.unwrap();
    all.truncate(7);
    for (snapshot, why) in all {
        journal.delete(&id, None).await.unwrap();
        append(&journal, 0, records.clone()).await;
        journal.compact(&id, snapshot, head.seq - 2).await.unwrap();
        let error = chain(&thread.recover().await.unwrap_err());
        let expected = ["entries before it are missing", "were trimmed"];
        assert!(expected.iter().any(|part| error.contains(part)), "{error}");
        assert!(error.contains(why.unwrap()), "{error}");
        // What is left can be read all the same.
        let left = thread.history().await.unwrap();
        assert_eq!(left.first().unwrap().seq, head.seq - 1, "{why:?}");
        let export = thread.export().await.unwrap();
        assert_eq!((export.base().seq, export.head()), (head.seq - 2, head));
        let chronicle = Chronicle::read(&journal, &id).await.unwrap().unwrap();
        assert_eq!(chronicle.entries().unwrap().len(), 2);
        assert_eq!(chronicle.export().unwrap().head(), head);
    }
}

// ---- Trimming.

async fn a_snapshot_that_does_not_hold_makes_way_for_the_one_by_which_is_trimmed(at: &impl Place) {
    let journal = at.open().await;
    let id: ThreadId = "t".into();
    let thread = durable(conversation(3, 9), journal.clone());
    talk(&thread, 3).await;
    let expected = standing(&thread).await;
    let head = thread.verify(None).await.unwrap();
    let records = journal.read(&id, 0).await.unwrap();
    for (snapshot, why) in wrong(head).await {
        journal.delete(&id, None).await.unwrap();
        append(&journal, 0, records.clone()).await;
        journal.compact(&id, snapshot, 0).await.unwrap();
        let base = thread.trim(2).await.unwrap();
        assert_eq!(base.seq, head.seq - 2, "{why}");
        assert_eq!(standing(&thread).await, expected, "{why}");
    }
    let _ = thread.resume(ask(&thread).await.id, "so").await.unwrap();
}

async fn what_is_left_of_a_trimmed_thread_is_whole(at: &impl Place) {
    let journal = at.open().await;
    let thread = durable(conversation(3, 9), journal.clone());
    talk(&thread, 5).await;
    let early = ask(&thread).await;
    let _ = thread.resume(early.id, "so").await.unwrap();
    let (before, expected) = (thread.export().await.unwrap(), standing(&thread).await);
    let head = before.head();
    assert_eq!(thread.trim(u64::MAX).await.unwrap().seq, 0);
    let base = thread.trim(4).await.unwrap();
    assert_eq!(base.seq, head.seq - 4);

    let thread = durable(conversation(3, 9), at.open().await);
    assert_eq!(standing(&thread).await, expected);
    let history = thread.history().await.unwrap();
    let numbers: Vec<_> = history.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (base.seq + 1..=head.seq).collect::<Vec<_>>());
    for noted in [None, Some(base), Some(head)] {
        assert_eq!(thread.verify(noted).await.unwrap(), head);
    }
    let early_head = Head::new(base.seq - 1, history[0].prev);
    let error = thread.verify(early_head).await.unwrap_err();
    assert!(
        matches!(error, RunError::Trimmed { seq, trimmed, .. } if (seq, trimmed) == (base.seq - 1, base.seq)),
        "{error}"
    );
    let wrong = Head::new(base.seq, Hash::of(b"another"));
    assert!(thread.verify(wrong).await.is_err(), "another base");

    // What was exported before and what is left are the whole thread.
    let after = thread.export().await.unwrap();
    assert_eq!((after.base(), after.head()), (base, head));
    let mut file = Vec::new();
    after.write_to(&mut file).unwrap();
    let id = thread.id();
    assert_eq!(verify_export_from(id, base, &*file, head).unwrap(), head);
    assert!(verify_export_from(id, wrong, &*file, head).is_err());
    let refused = verify_export(id, &*file, head).unwrap_err().to_string();
    assert!(refused.contains("stands in its place"), "{refused}");
    let gone = usize::try_from(base.seq).unwrap();
    let both: Vec<_> = before.lines().take(gone).chain(after.lines()).collect();
    let both = both.join(&b'\n');
    assert_eq!(verify_export(id, &*both, base).unwrap(), head);

    // Nobody can tell any more what became of a question, but that it is not open.
    let error = chain(&thread.resume(early.id, "so").await.unwrap_err());
    assert!(
        error.contains("the entries of that time were trimmed"),
        "{error}"
    );
    let last = ask(&thread).await;
    let _ = thread.resume(last.id, "so").await.unwrap();
    let error = chain(&thread.resume(last.id, "so").await.unwrap_err());
    assert!(error.contains("it was answered before"), "{error}");
    assert!(thread.verify(head).await.unwrap().seq > head.seq);
}

async fn a_trimmed_thread_says_why_a_question_is_not_open(at: &impl Place) {
    let thread = durable(conversation(3, 9), at.open().await);
    talk(&thread, 3).await;
    let base = thread.trim(8).await.unwrap();
    let mut asked = Vec::new();
    for entry in thread.history().await.unwrap() {
        if let Recorded::Asked(ask) = entry.event {
            asked.push(ask.id);
        }
    }
    let [answered, _] = *asked else {
        panic!("{asked:?}");
    };
    let (gone, never) = ("1".parse::<AskId>().unwrap(), base.seq + 99);
    let never: AskId = never.to_string().parse().unwrap();
    for (ask, why) in [
        (answered, "it was answered before"),
        (gone, "the entries of that time were trimmed"),
        (never, "the thread has not asked it"),
    ] {
        let error = thread.resume(ask, "so").await.unwrap_err();
        assert!(
            matches!(error, RunError::NotAsked { reason, .. } if reason == why),
            "{error:?}"
        );
    }
}

async fn a_thread_that_was_trimmed_runs_again(at: &impl Place) {
    let journal = at.open().await;
    let thread = durable(city(), journal);
    let _ = thread.run(Case::default()).await;
    let state = bring_to_an_end(&thread).await;
    let base = thread.trim(0).await.unwrap();
    assert_eq!(
        thread.history().await.unwrap().len(),
        1,
        "the last entry stays"
    );
    assert_eq!(thread.trim(0).await.unwrap(), base);
    assert_eq!(
        thread.recover().await.unwrap().finished(),
        Some(state.clone())
    );
    let _ = thread.run(state).await;
    let again = bring_to_an_end(&thread).await;
    assert_eq!(thread.state().await.unwrap(), again);
    assert!(thread.trim(3).await.unwrap().seq > base.seq);
    let nobody = Runtime::new(city()).journal(Memory::default());
    let error = nobody.thread("nobody").trim(1).await.unwrap_err();
    assert!(matches!(error, RunError::UnknownThread { .. }), "{error}");
}

async fn the_state_after_each_entry_that_is_left_of_a_trimmed_thread_is_known(at: &impl Place) {
    let thread = durable(conversation(600, 0), at.open().await);
    talk(&thread, 0).await;
    let head = thread.verify(None).await.unwrap().seq;
    let left = head - 9..=head;
    let mut states = Vec::new();
    for seq in left.clone() {
        states.push(thread.state_at(seq).await.unwrap());
    }
    assert_eq!(thread.trim(10).await.unwrap().seq, head - 10);
    let known = async |thread: &Thread<Conversation, _>| {
        for (seq, state) in left.clone().zip(&states) {
            assert_eq!(thread.state_at(seq).await.unwrap(), *state, "after {seq}");
        }
        let gone = thread.state_at(head - 10).await.unwrap_err();
        assert!(matches!(gone, RunError::Trimmed { .. }), "{gone}");
    };
    known(&thread).await;
    // The next snapshot takes in what is left, and still tells how it begins.
    let _ = thread.resume(ask(&thread).await.id, "so").await.unwrap();
    // In memory, it is the first to read who keeps it.
    assert_eq!(thread.state().await.unwrap().count, 1_200);
    let journal = at.open().await;
    let snapshot = journal.snapshot(&"t".into()).await.unwrap().unwrap();
    assert!(snapshot.seq > head + 600);
    known(&durable(conversation(600, 0), journal)).await;
    assert_eq!(thread.state_at(head + 5).await.unwrap().count, 603);
    // And so does one by which nothing more is trimmed.
    thread.trim(u64::MAX).await.unwrap();
    known(&thread).await;
    assert_eq!(thread.state().await.unwrap().count, 1_200);
}

on_every_journal! {
    the_state_after_each_entry_that_is_left_of_a_trimmed_thread_is_known
    a_snapshot_that_does_not_hold_makes_way_for_the_one_by_which_is_trimmed
    a_snapshot_that_does_not_hold_is_passed_over
    a_trimmed_thread_without_its_snapshot_is_damaged
    what_is_left_of_a_trimmed_thread_is_whole
    a_trimmed_thread_says_why_a_question_is_not_open
    a_thread_that_was_trimmed_runs_again
    what_is_left_of_a_trimmed_thread_is_known_by_names
    what_a_snapshot_speaks_of_and_a_graph_has_not_is_refused
    in_a_trimmed_thread_that_is_over_any_graph_may_begin
    a_run_goes_on_whose_thread_is_trimmed_meanwhile
    a_snapshot_is_taken_when_a_run_comes_to_rest_and_read_instead_of_what_it_takes_in
}

// ---- At rest.

/// A journal that counts what is read, and how many bytes are written.
#[derive(Clone, Debug, Default)]
struct Metered<J> {
    within: J,
    counts: Arc<Mutex<Counts>>,
    /// Whether it has no room for snapshots.
    refuses: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    read: usize,
    written: usize,
    snapshots: usize,
    bytes_of_snapshots: usize,
}

impl<J> Metered<J> {
    fn of(within: J) -> Self {
        Self {
            within,
            counts: Arc::default(),
            refuses: false,
        }
    }

    fn counts(&self) -> Counts {
        *self.counts.lock().unwrap()
    }
}

#[async_trait]
impl<J: Journal> Layer for Metered<J> {
    type Within = J;

    fn within(&self) -> &J {
        &self.within
    }

    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        let bytes: usize = records.iter().map(|record| record.body.len()).sum();
        self.counts.lock().unwrap().written += bytes;
        self.within.append(thread, head, records, durability).await
    }

    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        let records = self.within.read(thread, after).await?;
        self.counts.lock().unwrap().read += records.len();
        Ok(records)
    }

    async fn compact(
        &self,
        thread: &ThreadId,
        snapshot: Record,
        trim: u64,
    ) -> Result<(), JournalError> {
        if self.refuses {
            return Err(JournalError::full("memory", "no room for snapshots"));
        }
        {
            let mut counts = self.counts.lock().unwrap();
            counts.snapshots += 1;
            counts.bytes_of_snapshots += snapshot.body.len();
        }
        self.within.compact(thread, snapshot, trim).await
    }
}

async fn a_snapshot_is_taken_when_a_run_comes_to_rest_and_read_instead_of_what_it_takes_in(
    at: &impl Place,
) {
    let journal = Metered::of(at.open().await);
    let thread = durable(conversation(600, 0), journal.clone());
    talk(&thread, 0).await;
    assert_eq!(journal.counts().snapshots, 1);
    let before = journal.counts().read;
    let _ = thread.resume(ask(&thread).await.id, "so").await.unwrap();
    // The question is looked up and answered; then come 600 entries, and the next snapshot.
    let read = journal.counts().read - before;
    assert!((600..620).contains(&read), "{read}");
    assert_eq!(journal.counts().snapshots, 2);
    let expected = Talk {
        messages: vec![String::new(); 600]
            .into_iter()
            .chain(["so".to_owned()])
            .chain(vec![String::new(); 600])
            .collect::<Vec<_>>()
            .into(),
        count: 1_200,
    };
    assert_eq!(thread.state().await.unwrap(), expected);
}

#[tokio::test]
async fn all_snapshots_together_grow_no_faster_than_the_entries() {
    for (every, bytes) in [(7, 100), (40, 900), (600, 0)] {
        let journal = Metered::of(Memory::default());
        let thread = durable(conversation(every, bytes), journal.clone());
        let runs = usize::try_from(2_500 / every).unwrap();
        talk(&thread, runs).await;
        let Counts {
            written,
            snapshots,
            bytes_of_snapshots,
            read,
        } = journal.counts();
        let last = Journal::snapshot(&journal, &"t".into())
            .await
            .unwrap()
            .unwrap()
            .body
            .len();
        assert!(snapshots >= 3, "{snapshots}");
        assert!(
            bytes_of_snapshots - last <= written,
            "{bytes_of_snapshots} of {written}"
        );
        let at_rest = runs + snapshots;
        assert!(
            read <= at_rest * 2_000,
            "{read} entries in {at_rest} readings"
        );
    }
}

#[tokio::test]
async fn a_run_is_none_the_worse_for_a_snapshot_that_cannot_be_kept() {
    let mut journal = Metered::of(Memory::default());
    journal.refuses = true;
    let thread = durable(conversation(600, 0), journal.clone());
    talk(&thread, 2).await;
    assert_eq!(thread.state().await.unwrap().count, 1_800);
    assert!(thread.trim(1).await.is_err());
    assert_eq!(thread.history().await.unwrap()[0].seq, 1);
}

// ---- Graphs that have changed since.

/// Later versions of the conversation.
mod later {
    use super::Next;
    use handoffs::NodeError;
    use handoffs::prelude::*;
    use serde::{Deserialize, Serialize};

    /// Nodes were added and renamed, and so were fields.
    pub(super) mod grown {
        use super::*;

        #[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub(crate) struct Talk {
            #[serde(default)]
            pub(crate) mood: String,
            #[serde(alias = "count")]
            pub(crate) turns: u64,
            pub(crate) messages: Log<String>,
        }

        #[node(Talk)]
        pub(crate) async fn sigh(mood: &mut String) {
            mood.push_str("sigh");
        }

        #[node(Talk)]
        pub(crate) async fn speak(messages: &mut Log<String>, turns: &mut u64) -> Next {
            messages.push("later".to_owned());
            *turns += 1;
            Next::Ask
        }

        #[node(Talk)]
        pub(crate) async fn hear(
            messages: &mut Log<String>,
            cx: &mut Context<'_>,
        ) -> Result<(), NodeError> {
            let heard: String = cx.ask("next", "And then?").await?;
            messages.push(heard);
            Ok(())
        }

        #[derive(AgentGraph)]
        #[graph(state = Talk, start = speak)]
        pub(crate) struct Conversation {
            #[route(_ => end)]
            pub(crate) sigh: Sigh,
            #[route(_ => speak(limit = 1_000_000, else = end))]
            #[node(renamed_from = "listen")]
            #[on_error(then = sigh)]
            pub(crate) hear: Hear,
            #[route(Next::Ask => hear, Next::Again => speak(limit = 1_000_000, else = end))]
            pub(crate) speak: Speak,
        }

        pub(crate) const CONVERSATION: Conversation = Conversation {
            sigh: Sigh,
            hear: Hear,
            speak: Speak,
        };
    }

    /// Nobody listens any more.
    pub(super) mod shrunk {
        use super::*;

        #[derive(State, Clone, Debug, Default, PartialEq)]
        pub(crate) struct Talk {
            pub(crate) messages: Log<String>,
            pub(crate) count: u64,
        }

        #[node(Talk)]
        pub(crate) async fn speak(messages: &mut Log<String>, count: &mut u64) {
            messages.push("alone".to_owned());
            *count += 1;
        }

        #[derive(AgentGraph)]
        #[graph(state = Talk, start = speak)]
        pub(crate) struct Conversation {
            #[route(_ => end)]
            pub(crate) speak: Speak,
        }
    }
}

async fn what_is_left_of_a_trimmed_thread_is_known_by_names(at: &impl Place) {
    let journal = at.open().await;
    let old = durable(conversation(3, 1), journal.clone());
    talk(&old, 3).await;
    old.trim(1).await.unwrap();
    let said = old.state().await.unwrap().messages.len();

    let thread = durable(later::grown::CONVERSATION, journal.clone());
    let asks = thread.asks().await.unwrap();
    assert_eq!(asks[0].node, "hear");
    assert_eq!(thread.state().await.unwrap().turns, 12);
    let ask = thread.resume(asks[0].id, "so").await.unwrap().paused();
    let state = thread.state().await.unwrap();
    assert_eq!((state.turns, state.messages.len()), (13, said + 2));
    assert_eq!(state.mood, "");

    // From here on it is a thread of the new graph.
    thread.trim(1).await.unwrap();
    assert_eq!(standing_of(&thread).await, (ask.clone(), state.clone()));
    let thread = durable(later::grown::CONVERSATION, at.open().await);
    assert_eq!(standing_of(&thread).await, (ask, state));
}

async fn standing_of(
    thread: &Thread<later::grown::Conversation, impl Journal>,
) -> (Option<Ask>, later::grown::Talk) {
    let asks = thread.asks().await.unwrap();
    (asks.into_iter().next(), thread.state().await.unwrap())
}

async fn what_a_snapshot_speaks_of_and_a_graph_has_not_is_refused(at: &impl Place) {
    let journal = at.open().await;
    let old = durable(conversation(3, 1), journal.clone());
    talk(&old, 3).await;
    let shrunk = || later::shrunk::Conversation {
        speak: later::shrunk::Speak,
    };
    let gone = |error: &RunError| match error {
        RunError::OtherGraph { difference, .. } => match &**difference {
            Difference::NodeGone { node, .. } => node.to_string(),
            other => other.to_string(),
        },
        other => panic!("{other:?}"),
    };
    for expected in ["edge `Next::Again => speak`", "listen"] {
        let thread = durable(shrunk(), journal.clone());
        for refused in [
            gone(&thread.status().await.unwrap_err()),
            gone(&thread.trim(1).await.unwrap_err()),
        ] {
            assert!(refused.contains(expected), "{refused}");
        }
        // What is trimmed, nobody asks for any more.
        old.trim(1).await.unwrap();
    }
    // A function that puts entries right has not seen those that are gone.
    let then = Runtime::new(later::grown::CONVERSATION);
    let thread = then
        .migrate(|_| Ok::<_, NodeError>(()))
        .journal(journal)
        .thread("t");
    let refused = gone(&thread.recover().await.unwrap_err());
    assert!(refused.contains("does not see into it"), "{refused}");
}

async fn in_a_trimmed_thread_that_is_over_any_graph_may_begin(at: &impl Place) {
    let journal = at.open().await;
    let old = durable(conversation(3, 1), journal.clone());
    talk(&old, 3).await;
    old.trim(1).await.unwrap();
    let shrunk = || later::shrunk::Conversation {
        speak: later::shrunk::Speak,
    };
    let thread = durable(shrunk(), journal.clone());
    let state = later::shrunk::Talk::default();
    assert!(thread.run(state.clone()).await.is_err(), "it is paused");
    // Whoever gives it up need not understand it.
    thread.abandon("enough").await.unwrap();
    let kept = records(&journal).await;
    thread.abandon("again").await.unwrap();
    assert_eq!(records(&journal).await, kept);
    assert_eq!(old.asks().await.unwrap(), []);
    old.trim(1).await.unwrap();
    let ended = thread.run(state).await.unwrap().finished().unwrap();
    assert_eq!(ended.count, 1);
    thread.trim(2).await.unwrap();
    assert_eq!(thread.state().await.unwrap(), ended);
}

// ---- Trimmed by another while it runs.

/// Waits once until it is let go on, and fails then.
#[derive(Clone, Default)]
struct Gate {
    reached: Arc<Notify>,
    opened: Arc<Notify>,
    tally: Tally,
}

#[node(Case)]
impl Gate {
    async fn run(&self, said: &mut Log<String>) -> Result<(), NodeError> {
        if self.tally.count("gate") == 0 {
            self.reached.notify_one();
            self.opened.notified().await;
            return Err(NodeError::new(io::Error::other("once more")));
        }
        said.push("gate".to_owned());
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Case, start = first)]
struct Yard {
    #[route(_ => gate)]
    first: Say,
    #[route(_ => end)]
    gate: Gate,
}

#[derive(AgentGraph)]
#[graph(state = Case, start = plan)]
struct Castle {
    #[route(_ => yard)]
    plan: Say,
    #[route(_ => end)]
    #[retry(times = 2, backoff = "0ms")]
    yard: Yard,
}

async fn a_run_goes_on_whose_thread_is_trimmed_meanwhile(at: &impl Place) {
    let gate = Gate::default();
    let castle = || Castle {
        plan: say("plan"),
        yard: Yard {
            first: say("first"),
            gate: gate.clone(),
        },
    };
    let thread = durable(castle(), at.open().await);
    let trim = async {
        gate.reached.notified().await;
        let other = durable(castle(), at.open().await);
        let base = other.trim(1).await.unwrap();
        assert_eq!(base.seq, 3);
        gate.opened.notify_one();
    };
    // The graph within is taken up again as the journal has it, which is its snapshot now.
    let (run, ()) = tokio::join!(thread.run(Case::default()), trim);
    let said = run.unwrap().finished().unwrap().said;
    assert_eq!(said, ["plan", "first", "gate"]);
    assert_eq!(thread.state().await.unwrap().said.len(), 3);
    assert!(thread.history().await.unwrap()[0].seq > 3);
}
