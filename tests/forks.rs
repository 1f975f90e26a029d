//! Branches: in whatever order they finish, fail, pause or are cut off, the outcome is the same.
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

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use common::{Place, Stopping, Tally, Turns, by_branch, chain, drain, lines, place, writes};
use futures::StreamExt;
use handoffs::prelude::*;
use handoffs::{Counter, Entry, Journal, Max, Min, Recorded, RunError, Thread};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

fn strings<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

fn words(log: &Log<String>) -> Vec<&str> {
    log.iter().map(String::as_str).collect()
}

fn steps(history: &[Entry]) -> usize {
    let stepped = |entry: &&Entry| matches!(entry.event, Recorded::Stepped { .. });
    history.iter().filter(stepped).count()
}

// ---- Three branches, one of two steps, that write every kind of field that merges.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Work {
    said: Log<String>,
    sum: Counter,
    most: Max<i64>,
    least: Min<i64>,
    tags: BTreeSet<String>,
    votes: BTreeMap<String, i64>,
    #[state(merge = spoken)]
    text: String,
    /// Written by one branch alone.
    only: Option<String>,
    /// Never written.
    title: String,
}

fn spoken(merged: &mut String, base: &String, branch: &String) {
    merged.push_str(branch.strip_prefix(base.as_str()).unwrap_or(branch));
}

/// What the nodes of a test share.
#[derive(Clone, Debug, Default)]
struct Desk {
    turns: Turns,
    tally: Tally,
}

struct Say(&'static str, i64, Desk);

#[node(Work)]
impl Say {
    async fn run(
        &self,
        said: &mut Log<String>,
        sum: &mut Counter,
        most: &mut Max<i64>,
        least: &mut Min<i64>,
        tags: &mut BTreeSet<String>,
        votes: &mut BTreeMap<String, i64>,
        text: &mut String,
    ) {
        let Self(name, number, desk) = self;
        desk.tally.count(*name);
        desk.turns.take(name).await;
        said.push(format!("{name} after {}", said.len()));
        *sum += *number;
        most.see(*number);
        least.see(*number);
        tags.insert((*name).to_owned());
        tags.remove(&format!("not {name}"));
        votes.insert((*name).to_owned(), *number);
        votes.insert("last".to_owned(), *number);
        text.push_str(name);
    }
}

struct Alone(Desk);

#[node(Work)]
impl Alone {
    async fn run(&self, said: &mut Log<String>, only: &mut Option<String>, sum: &Counter) {
        self.0.tally.count("alone");
        self.0.turns.take("alone").await;
        *only = Some(format!("sum {sum}"));
        said.push("alone".to_owned());
    }
}

struct Finish(Desk);

#[node(Work)]
impl Finish {
    async fn run(&self, said: &mut Log<String>, title: &String) {
        self.0.tally.count("done");
        said.push(format!("{title} is done"));
    }
}

#[derive(AgentGraph)]
#[graph(state = Work, start = plan)]
struct Fan {
    #[route(_ => all(a, b, c) join done)]
    plan: Say,
    #[route(_ => alone)]
    a: Say,
    #[route(_ => done)]
    alone: Alone,
    #[route(_ => done)]
    b: Say,
    #[route(_ => done)]
    c: Say,
    #[route(_ => end)]
    done: Finish,
}

fn fan(desk: &Desk) -> Fan {
    let say = |name, number| Say(name, number, desk.clone());
    Fan {
        plan: say("plan", 1),
        a: say("a", 10),
        alone: Alone(desk.clone()),
        b: say("b", -100),
        c: say("c", 1000),
        done: Finish(desk.clone()),
    }
}

fn work() -> Work {
    Work {
        said: Log::from(strings(["go"])),
        sum: Counter::new(5),
        tags: BTreeSet::from(["old", "not b", "not plan"].map(str::to_owned)),
        votes: BTreeMap::from([("old".to_owned(), 0)]),
        text: ">".to_owned(),
        title: "it".to_owned(),
        ..Work::default()
    }
}

fn fanned() -> Work {
    let said = [
        "go",
        "plan after 1",
        "a after 2",
        "alone",
        "b after 2",
        "c after 2",
        "it is done",
    ];
    let votes = [
        ("a", 10),
        ("b", -100),
        ("c", 1000),
        ("last", 1000),
        ("old", 0),
        ("plan", 1),
    ];
    Work {
        said: Log::from(strings(said)),
        sum: Counter::new(916),
        most: Max::new(1000),
        least: Min::new(-100),
        tags: BTreeSet::from(["old", "plan", "a", "b", "c"].map(str::to_owned)),
        votes: votes.map(|(name, vote)| (name.to_owned(), vote)).into(),
        text: ">planabc".to_owned(),
        only: Some("sum 16".to_owned()),
        title: "it".to_owned(),
    }
}

const ORDERS: [[&str; 4]; 8] = [
    ["a", "alone", "b", "c"],
    ["c", "b", "a", "alone"],
    ["a", "c", "alone", "b"],
    ["b", "a", "c", "alone"],
    ["c", "a", "alone", "b"],
    ["b", "c", "a", "alone"],
    ["a", "b", "c", "alone"],
    ["a", "b", "alone", "c"],
];

async fn whatever_branch_finishes_first_the_state_and_the_journal_say_the_same(at: &impl Place) {
    for (number, order) in ORDERS.into_iter().enumerate() {
        let desk = Desk {
            turns: Turns::new(order),
            ..Desk::default()
        };
        let runtime = Runtime::new(fan(&desk)).journal(at.open().await);
        let thread = runtime.thread(format!("t{number}"));
        let state = thread.run(work()).await.unwrap().finished().unwrap();
        assert_eq!(state, fanned(), "{order:?}");
        assert!(
            desk.tally.all().values().all(|count| *count == 1),
            "{desk:?}"
        );

        let again = Runtime::new(fan(&desk)).journal(at.open().await);
        let again = again.thread(format!("t{number}"));
        assert_eq!(again.state().await.unwrap(), state, "{order:?}");
        assert_eq!(again.recover().await.unwrap().finished(), Some(state));
        assert_eq!(again.status().await.unwrap(), Status::Finished);
        let history = again.history().await.unwrap();
        assert_eq!(
            by_branch(&history),
            [
                "started",
                "plan: _ => 3 branches",
                "joined at done",
                "done: _ => end",
                "0 a: _ => alone",
                "0 alone: _ => done",
                "1 b: _ => done",
                "2 c: _ => done",
            ]
        );
        let last = &lines(&history)[6..];
        assert_eq!(last, ["joined at done", "done: _ => end"]);
        // What each branch appended stands in its own entries, what was merged in that of the join.
        let joined = writes(&history[6]);
        let names: Vec<_> = joined
            .iter()
            .filter_map(|write| write.split(' ').next())
            .collect();
        assert_eq!(names, ["sum", "most", "tags", "votes", "text"]);
    }
}

#[tokio::test]
async fn without_a_journal_it_comes_out_the_same() {
    for order in ORDERS {
        let desk = Desk {
            turns: Turns::new(order),
            ..Desk::default()
        };
        let thread = Runtime::new(fan(&desk)).thread("t");
        let state = thread.run(work()).await.unwrap().finished().unwrap();
        assert_eq!(state, fanned(), "{order:?}");
        let thread = Runtime::new(fan(&Desk::default())).thread("t");
        let (_, last) = drain(thread.stream(work())).await;
        assert!(matches!(last, Some(Ok(Event::Finished(state))) if state == fanned()));
    }
}

#[tokio::test]
async fn the_steps_are_written_in_the_order_in_which_they_were_made() {
    for order in ORDERS {
        let desk = Desk {
            turns: Turns::new(order),
            ..Desk::default()
        };
        let thread = Runtime::new(fan(&desk))
            .journal(Memory::default())
            .thread("t");
        let _ = thread.run(work()).await.unwrap();
        let path = common::path(&thread.history().await.unwrap());
        assert_eq!(path[1..5], order);
    }
}

// ---- Forks in forks, of each kind in each, with loops inside and around.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Deep {
    jobs: Vec<u32>,
    rounds: u32,
    said: Log<String>,
    sum: Counter,
    tags: BTreeSet<String>,
    #[state(merge = spoken)]
    text: String,
    left: Option<u32>,
    laps: Log<u32>,
}

fn jobs(deep: &Deep) -> Vec<u32> {
    deep.jobs.clone()
}

/// As many items as the branch has said words so far.
fn said(deep: &Deep) -> Vec<Piece> {
    let pieces = deep.said.iter().map(|word| Piece { word: word.clone() });
    pieces.collect()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Piece {
    word: String,
}

/// Notes that it was here.
struct Note(&'static str, Desk);

#[node(Deep)]
impl Note {
    async fn run(
        &self,
        said: &mut Log<String>,
        sum: &mut Counter,
        tags: &mut BTreeSet<String>,
        text: &mut String,
        cx: &mut Context<'_>,
    ) {
        self.1.tally.count(cx.idempotency_key());
        self.1.turns.take(self.0).await;
        said.push(self.0.to_owned());
        *sum += 1;
        tags.insert(self.0.to_owned());
        text.push_str(self.0);
    }
}

/// Takes a number.
struct Number(&'static str, Desk);

#[node(Deep)]
impl Number {
    async fn run(
        &self,
        job: u32,
        said: &mut Log<String>,
        sum: &mut Counter,
        text: &mut String,
        cx: &mut Context<'_>,
    ) {
        self.1.tally.count(cx.idempotency_key());
        // Later jobs are through earlier.
        for _ in 0..(10 - job.min(10)) {
            tokio::task::yield_now().await;
        }
        said.push(format!("{}{job}", self.0));
        *sum += i64::from(job);
        text.push_str(&job.to_string());
    }
}

struct Word(Desk);

#[node(Deep)]
impl Word {
    async fn run(&self, Piece { word }: Piece, said: &mut Log<String>, cx: &mut Context<'_>) {
        self.0.tally.count(cx.idempotency_key());
        said.push(format!("[{word}]"));
    }
}

#[derive(Outcome)]
enum Lap {
    More,
    Enough,
}

/// Goes round as often as it is let.
struct Round(Desk);

#[node(Deep)]
impl Round {
    async fn run(&self, laps: &mut Log<u32>, left: &mut Option<u32>, cx: &mut Context<'_>) -> Lap {
        self.0.tally.count(cx.idempotency_key());
        tokio::task::yield_now().await;
        let lap = left.unwrap_or(0);
        laps.push(lap);
        *left = Some(lap + 1);
        Lap::More
    }
}

/// Goes round as often as the state says.
struct Again(Desk);

#[node(Deep)]
impl Again {
    async fn run(&self, rounds: &mut u32, said: &mut Log<String>, cx: &mut Context<'_>) -> Lap {
        self.0.tally.count(cx.idempotency_key());
        said.push("again?".to_owned());
        match rounds.checked_sub(1) {
            Some(left) => {
                *rounds = left;
                Lap::More
            }
            None => Lap::Enough,
        }
    }
}

#[derive(AgentGraph)]
#[graph(state = Deep, start = plan)]
struct Nested {
    #[route(_ => all(pair, crowd, words, round) join again)]
    plan: Note,

    // All in all, and a step on the way to the join.
    #[route(_ => all(one, two) join paired)]
    pair: Note,
    #[route(_ => paired)]
    one: Note,
    #[route(_ => two_more)]
    two: Note,
    #[route(_ => paired)]
    two_more: Note,
    #[route(_ => again)]
    paired: Note,

    // Each in all, and all in each.
    #[route(_ => each(jobs) job join crowded(concurrency = 2))]
    crowd: Note,
    #[route(_ => all(high, low) join hilo)]
    job: Number,
    #[route(_ => hilo)]
    high: Note,
    #[route(_ => hilo)]
    low: Note,
    #[route(_ => crowded)]
    hilo: Note,
    #[route(_ => again)]
    crowded: Note,

    // Each in each.
    #[route(_ => each(jobs) outer join worded)]
    words: Note,
    #[route(_ => each(said) inner join outdone)]
    outer: Number,
    #[route(_ => outdone)]
    inner: Word,
    #[route(_ => worded)]
    outdone: Note,
    #[route(_ => again)]
    worded: Note,

    // A loop in a branch.
    #[route(Lap::More => round(limit = 2, else = again), Lap::Enough => again)]
    round: Round,

    // And one around the fork.
    #[route(Lap::More => plan(limit = 3, else = end), Lap::Enough => end)]
    again: Again,
}

fn nested(desk: &Desk) -> Nested {
    let note = |name| Note(name, desk.clone());
    let number = |name| Number(name, desk.clone());
    Nested {
        plan: note("plan"),
        pair: note("pair"),
        one: note("one"),
        two: note("two"),
        two_more: note("two_more"),
        paired: note("paired"),
        crowd: note("crowd"),
        job: number("job"),
        high: note("high"),
        low: note("low"),
        hilo: note("hilo"),
        crowded: note("crowded"),
        words: note("words"),
        outer: number("outer"),
        inner: Word(desk.clone()),
        outdone: note("outdone"),
        worded: note("worded"),
        round: Round(desk.clone()),
        again: Again(desk.clone()),
    }
}

fn deep(rounds: u32) -> Deep {
    Deep {
        jobs: vec![3, 1],
        rounds,
        text: "|".to_owned(),
        ..Deep::default()
    }
}

/// What the nested graph makes of a state, one thing after the other and by hand.
fn by_hand(rounds: u32) -> Deep {
    let mut deep = deep(rounds);
    let note = |deep: &mut Deep, name: &str| {
        deep.said.push(name.to_owned());
        deep.sum += 1;
        deep.tags.insert(name.to_owned());
        deep.text.push_str(name);
    };
    let number = |deep: &mut Deep, name: &str, job: u32| {
        deep.said.push(format!("{name}{job}"));
        deep.sum += i64::from(job);
        deep.text.push_str(&job.to_string());
    };
    let mut rounds = rounds;
    // A branch's loop has its limit once a run, as the counts go on behind the join.
    let mut laps_left = 2;
    for lap in 0.. {
        note(&mut deep, "plan");
        let base: Vec<String> = deep.said.iter().cloned().collect();
        for name in ["pair", "one", "two", "two_more", "paired", "crowd"] {
            note(&mut deep, name);
        }
        for job in [3, 1] {
            number(&mut deep, "job", job);
            for name in ["high", "low", "hilo"] {
                note(&mut deep, name);
            }
        }
        note(&mut deep, "crowded");
        note(&mut deep, "words");
        for job in [3, 1] {
            number(&mut deep, "outer", job);
            for word in &base {
                deep.said.push(format!("[{word}]"));
            }
            deep.said.push("[words]".to_owned());
            deep.said.push(format!("[outer{job}]"));
            note(&mut deep, "outdone");
        }
        note(&mut deep, "worded");
        loop {
            let lap = deep.left.unwrap_or(0);
            deep.laps.push(lap);
            deep.left = Some(lap + 1);
            if laps_left == 0 {
                break;
            }
            laps_left -= 1;
        }
        deep.said.push("again?".to_owned());
        match rounds.checked_sub(1) {
            Some(left) if lap < 3 => rounds = left,
            Some(left) => {
                rounds = left;
                break;
            }
            None => break,
        }
    }
    deep.rounds = rounds;
    deep
}

async fn forks_in_forks_come_out_as_one_after_the_other_would(at: &impl Place) {
    for rounds in [0, 1, 5] {
        let expected = by_hand(rounds);
        let desk = Desk {
            turns: Turns::new(["two", "two_more", "one"]),
            ..Desk::default()
        };
        let runtime = Runtime::new(nested(&desk)).journal(at.open().await);
        let thread = runtime.thread(format!("t{rounds}"));
        let state = thread.run(deep(rounds)).await.unwrap().finished().unwrap();
        assert_eq!(state, expected, "{rounds} rounds");
        assert_eq!(
            thread.state().await.unwrap(),
            expected,
            "as the journal has it"
        );
        let counts = desk.tally.all();
        assert!(
            counts.values().all(|count| *count == 1),
            "each step has its own key: {counts:?}"
        );
        assert_eq!(counts.len(), steps(&thread.history().await.unwrap()));
    }
}

#[tokio::test]
async fn forks_in_forks_without_a_journal_are_the_same_and_within_the_bound() {
    for rounds in [0, 1, 5] {
        let desk = Desk::default();
        let thread = Runtime::new(nested(&desk)).thread("t");
        let state = thread.run(deep(rounds)).await.unwrap().finished().unwrap();
        assert_eq!(state, by_hand(rounds));
        let counts = desk.tally.all();
        assert!(
            counts.values().all(|count| *count == 1),
            "each step has its own key: {counts:?}"
        );
    }
    // Three laps around; of the path inside, five edges and at most two laps more.
    assert!(Nested::MAX_HANDOFFS >= 4 * 4, "{}", Nested::MAX_HANDOFFS);
}

/// Cuts a run off at each of its appends, recovers it, and compares.
async fn a_run_cut_off_at_any_append_repeats_only_what_is_missing(at: &impl Place) {
    let expected = by_hand(1);
    let (mut number, mut cut) = (0, true);
    while cut {
        // Near the start each append counts; the rest of the way, every third.
        number += if number < 12 { 1 } else { 3 };
        for keeps_last in [false, true] {
            let desk = Desk::default();
            let name = format!("t{number}{keeps_last}");
            let journal = at.open().await;
            let stopping = Stopping::after(journal.clone(), number, keeps_last);
            let thread = Runtime::new(nested(&desk)).journal(stopping).thread(&*name);
            cut = thread.run(deep(1)).await.is_err();

            let journal = at.open().await;
            let thread = Runtime::new(nested(&desk))
                .journal(journal.clone())
                .thread(&*name);
            let before = steps(&thread.history().await.unwrap());
            let executed: u32 = desk.tally.all().values().sum();
            if cut {
                assert!(
                    matches!(thread.status().await.unwrap(), Status::Unfinished(_)),
                    "{number}"
                );
            }
            // And cut off again on the way.
            let stopping = Stopping::after(journal, 2, keeps_last);
            let second = Runtime::new(nested(&desk)).journal(stopping).thread(&*name);
            let _ = second.recover().await;
            let between = steps(&thread.history().await.unwrap());
            assert!(between >= before);
            let so_far: u32 = desk.tally.all().values().sum();

            let state = thread.recover().await.unwrap().finished().unwrap();
            assert_eq!(state, expected, "cut off at append {number}");
            assert_eq!(thread.state().await.unwrap(), expected);
            let after = steps(&thread.history().await.unwrap());
            let all: u32 = desk.tally.all().values().sum();
            assert!(executed <= so_far && so_far <= all);
            assert_eq!(
                usize::try_from(all - so_far).unwrap(),
                after - between,
                "nothing that was written is done again, at append {number}"
            );
            assert_eq!(
                desk.tally.all().len(),
                after,
                "a step that is repeated has its key again, at append {number}"
            );
        }
    }
    assert!(number > 20, "{number}");
}

// ---- How many are at work at a time.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Crowd {
    many: u32,
    results: Log<u32>,
    sum: Counter,
}

fn numbers(crowd: &Crowd) -> Vec<u32> {
    (0..crowd.many).collect()
}

#[node(Crowd)]
fn call() {}

/// Counts how many are at work at a time.
#[derive(Clone, Debug, Default)]
struct Gauge(Arc<(AtomicU32, AtomicU32)>);

impl Gauge {
    fn most(&self) -> u32 {
        self.0.1.load(Ordering::Relaxed)
    }
}

#[node(Crowd)]
impl Gauge {
    async fn run(&self, number: u32, results: &mut Log<u32>) {
        let now = self.0.0.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.1.fetch_max(now, Ordering::Relaxed);
        // The later ones are through earlier.
        for _ in 0..=(100_u32.saturating_sub(number)) {
            tokio::task::yield_now().await;
        }
        self.0.0.fetch_sub(1, Ordering::Relaxed);
        results.push(number);
    }
}

#[node(Crowd)]
fn disperse() {}

#[derive(AgentGraph)]
#[graph(state = Crowd, start = call)]
struct Free {
    #[route(_ => each(numbers) gauge join disperse)]
    call: Call,
    #[route(_ => disperse)]
    gauge: Gauge,
    #[route(_ => end)]
    disperse: Disperse,
}

#[derive(AgentGraph)]
#[graph(state = Crowd, start = call)]
struct Ten {
    #[route(_ => each(numbers) gauge join disperse(concurrency = 10))]
    call: Call,
    #[route(_ => disperse)]
    gauge: Gauge,
    #[route(_ => end)]
    disperse: Disperse,
}

fn free(gauge: &Gauge) -> Free {
    Free {
        call: Call,
        gauge: gauge.clone(),
        disperse: Disperse,
    }
}

fn crowd(many: u32) -> Crowd {
    Crowd {
        many,
        ..Crowd::default()
    }
}

fn in_order(crowd: &Crowd, many: u32) -> bool {
    crowd.results.iter().copied().eq(0..many)
}

async fn a_runtime_bounds_how_many_nodes_work_in_all_its_runs(at: &impl Place) {
    let gauge = Gauge::default();
    let runtime = Runtime::new(free(&gauge)).concurrency(10);
    let unkept = runtime.clone();
    let runtime = runtime.journal(at.open().await);
    let threads: Vec<_> = (0..4).map(|n| runtime.thread(format!("t{n}"))).collect();
    let kept = threads.iter().map(|thread| thread.run(crowd(60)));
    let unkept: Vec<_> = (0..2).map(|n| unkept.thread(format!("u{n}"))).collect();
    let unkept = unkept.iter().map(|thread| thread.run(crowd(60)));
    let (kept, unkept) = tokio::join!(
        futures::future::join_all(kept),
        futures::future::join_all(unkept)
    );
    for run in kept.into_iter().chain(unkept) {
        assert!(in_order(&run.unwrap().finished().unwrap(), 60));
    }
    assert_eq!(gauge.most(), 10);
}

#[tokio::test]
async fn an_edge_bounds_its_own_branches_and_no_others() {
    for (runtime_bound, expected) in [(100, 10), (3, 3)] {
        let gauge = Gauge::default();
        let ten = Ten {
            call: Call,
            gauge: gauge.clone(),
            disperse: Disperse,
        };
        let thread = Runtime::new(ten).concurrency(runtime_bound).thread("t");
        let state = thread.run(crowd(100)).await.unwrap().finished().unwrap();
        assert!(in_order(&state, 100));
        assert_eq!(gauge.most(), expected);
    }
}

#[tokio::test]
async fn a_bound_of_one_holds_for_forks_in_forks_too() {
    let desk = Desk::default();
    let thread = Runtime::new(nested(&desk)).concurrency(1).thread("t");
    let state = thread.run(deep(1)).await.unwrap().finished().unwrap();
    assert_eq!(state, by_hand(1));
}

async fn an_each_of_nothing_goes_on_at_the_join(at: &impl Place) {
    let gauge = Gauge::default();
    let runtime = Runtime::new(free(&gauge)).journal(at.open().await);
    let thread = runtime.thread("t");
    let state = thread.run(crowd(0)).await.unwrap().finished();
    assert_eq!(state, Some(crowd(0)));
    assert_eq!(
        lines(&thread.history().await.unwrap()),
        [
            "started",
            "call: _ => 0 branches",
            "joined at disperse",
            "disperse: _ => end"
        ]
    );
    assert_eq!(gauge.most(), 0);

    // Cut off before the join was written, too.
    let stopping = Stopping::after(at.open().await, 2, false);
    let cut = Runtime::new(free(&gauge)).journal(stopping).thread("cut");
    let error = cut.run(crowd(0)).await.unwrap_err();
    assert!(matches!(error, RunError::Journal { .. }), "{error:?}");
    let thread = runtime.thread("cut");
    assert_eq!(
        thread.status().await.unwrap(),
        Status::Unfinished(FreeNode::Disperse)
    );
    let error = thread.run(crowd(1)).await.unwrap_err();
    assert!(matches!(&error, RunError::Unfinished { node, .. } if node == "disperse"));
    assert_eq!(thread.recover().await.unwrap().finished(), Some(crowd(0)));
}

// ---- Many.

/// A field that counts how many copies of it there are.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Counted(u32, bool);

static COPIES: AtomicU32 = AtomicU32::new(0);
static MOST_COPIES: AtomicU32 = AtomicU32::new(0);
/// Whoever counts copies is alone.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl Clone for Counted {
    fn clone(&self) -> Self {
        let copies = COPIES.fetch_add(1, Ordering::Relaxed) + 1;
        MOST_COPIES.fetch_max(copies, Ordering::Relaxed);
        Self(self.0, true)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.1 {
            COPIES.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[derive(State, Clone, Debug)]
struct Heavy {
    many: u32,
    ballast: Counted,
    sum: Counter,
}

fn heavy_items(heavy: &Heavy) -> Vec<u32> {
    (0..heavy.many).collect()
}

#[node(Heavy)]
async fn split() {}

/// Lets the first item wait for so many others.
#[derive(Debug, Default)]
struct Weigh {
    others: u32,
    done: AtomicU32,
}

#[node(Heavy)]
impl Weigh {
    async fn run(&self, item: u32, ballast: &Counted, sum: &mut Counter) {
        while item == 0 && self.done.load(Ordering::Relaxed) < self.others {
            tokio::task::yield_now().await;
        }
        *sum += i64::from(item * ballast.0);
        self.done.fetch_add(1, Ordering::Relaxed);
    }
}

#[node(Heavy)]
async fn total(ballast: &Counted, sum: &Counter) {
    assert!(ballast.0 == 2 && sum.get() > 0);
}

#[derive(AgentGraph)]
#[graph(state = Heavy, start = split)]
struct Scales {
    #[route(_ => each(heavy_items) weigh join total(concurrency = 64))]
    split: Split,
    #[route(_ => total)]
    weigh: Weigh,
    #[route(_ => end)]
    total: Total,
}

fn scales(others: u32) -> Runtime<Scales> {
    Runtime::new(Scales {
        split: Split,
        weigh: Weigh {
            others,
            ..Weigh::default()
        },
        total: Total,
    })
}

fn heavy(many: u32) -> Heavy {
    Heavy {
        many,
        ballast: Counted(2, false),
        sum: Counter::new(7),
    }
}

async fn weigh_many<K: handoffs::Keep>(runtime: Runtime<Scales, K>, many: u32) {
    MOST_COPIES.store(0, Ordering::Relaxed);
    let state = runtime.thread("t").run(heavy(many)).await;
    let state = state.unwrap().finished().unwrap();
    let n = i64::from(many);
    assert_eq!(state.sum, n * (n - 1) + 7);
    let most = MOST_COPIES.load(Ordering::Relaxed);
    assert!((1..=64 + 2).contains(&most), "{most} states at a time");
    drop(state);
    assert_eq!(COPIES.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_hundred_thousand_branches_need_no_more_states_than_are_at_work() {
    let _alone = ALONE.lock().await;
    weigh_many(scales(0), 100_000).await;
    let journal = Memory::default();
    weigh_many(scales(0).journal(journal.clone()), 100_000).await;
    // The journal is folded in one go, too.
    let again = scales(0).journal(journal).thread("t");
    assert_eq!(again.state().await.unwrap().sum, 100_000 * 99_999 + 7);
    #[cfg(feature = "sqlite")]
    {
        let file = common::File::new();
        weigh_many(scales(0).journal(file.open().await), 5_000).await;
    }
}

#[tokio::test]
async fn what_waits_for_a_slow_branch_holds_only_what_it_changed() {
    let _alone = ALONE.lock().await;
    weigh_many(scales(9_999), 10_000).await;
    weigh_many(scales(999).journal(Memory::default()), 1_000).await;
}

#[tokio::test]
async fn a_fork_of_nodes_that_never_wait_lets_other_tasks_have_their_turn() {
    let _alone = ALONE.lock().await;
    let turns = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&turns);
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let _ = scales(0).thread("t").run(heavy(10_000)).await.unwrap();
    other.abort();
    assert!(turns.load(Ordering::Relaxed) >= 10);
}

on_every_journal! {
    whatever_branch_finishes_first_the_state_and_the_journal_say_the_same
    forks_in_forks_come_out_as_one_after_the_other_would
    a_run_cut_off_at_any_append_repeats_only_what_is_missing
    a_runtime_bounds_how_many_nodes_work_in_all_its_runs
    an_each_of_nothing_goes_on_at_the_join
}
