//! Branches: in whatever order they finish, fail, pause or are cut off, the outcome is the same.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::needless_pass_by_value,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    clippy::too_many_arguments,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::{Place, Stopping, Tally, Turns, by_branch, chain, drain, lines, place, writes};
use futures::StreamExt;
use handoffs::Layer;
use handoffs::prelude::*;
use handoffs::{Counter, Entry, Journal, Max, Min, Recorded, RunError, Thread};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

fn strings<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
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
        let base = deep.said.to_vec();
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
    let bound = Nested::MAX_HANDOFFS;
    assert!((4 * 4..400).contains(&bound), "{bound}");
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
                let status = thread.status().await.unwrap();
                let is_unfinished = matches!(status, Status::Unfinished(_));
                // The last entry may have been written although nobody was told.
                let may_be_over = keeps_last && status == Status::Finished;
                assert!(is_unfinished || may_be_over, "{status:?}");
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

// ---- Failure.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Job {
    said: Log<String>,
    hours: Vec<u32>,
    rates: Vec<f64>,
    sum: Counter,
}

/// What the node called `bad` is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Fine,
    Fails,
    Panics,
}

/// A node that may fail when its turn has come.
struct Moody {
    name: &'static str,
    mood: Mood,
    desk: Desk,
}

#[node(Job)]
impl Moody {
    async fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), String> {
        let Self { name, mood, desk } = self;
        assert_eq!(cx.node(), *name);
        desk.tally.count(*name);
        said.push(format!("{name} begins"));
        desk.turns.take(name).await;
        match mood {
            Mood::Fine => {
                said.push((*name).to_owned());
                Ok(())
            }
            Mood::Fails => Err(format!("{name} is in a bad mood")),
            Mood::Panics => panic!("{name} is in a panic"),
        }
    }
}

/// Notes that a node was dropped.
struct Guard<'a>(&'a Tally);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.count("dropped");
    }
}

/// A node that never returns, if it is so told.
struct Slow {
    hangs: bool,
    desk: Desk,
}

#[node(Job)]
impl Slow {
    async fn run(&self, said: &mut Log<String>) {
        self.desk.tally.count("slow");
        let guard = Guard(&self.desk.tally);
        said.push("slow begins".to_owned());
        self.desk.turns.take("slow").await;
        if self.hangs {
            pending::<()>().await;
        }
        drop(guard);
        said.push("slow".to_owned());
    }
}

#[derive(AgentGraph)]
#[graph(state = Job, start = plan)]
struct Risky {
    #[route(_ => all(good, bad, slow) join done)]
    plan: Moody,
    #[route(_ => better)]
    good: Moody,
    #[route(_ => done)]
    better: Moody,
    #[route(_ => done)]
    bad: Moody,
    #[route(_ => done)]
    slow: Slow,
    #[route(_ => end)]
    done: Moody,
}

fn risky(bad: Mood, better: Mood, hangs: bool, desk: &Desk) -> Risky {
    let moody = |name, mood| Moody {
        name,
        mood,
        desk: desk.clone(),
    };
    let slow = Slow {
        hangs,
        desk: desk.clone(),
    };
    Risky {
        plan: moody("plan", Mood::Fine),
        good: moody("good", Mood::Fine),
        better: moody("better", better),
        bad: moody("bad", bad),
        slow,
        done: moody("done", Mood::Fine),
    }
}

const RISKY: [&str; 12] = [
    "plan begins",
    "plan",
    "good begins",
    "good",
    "better begins",
    "better",
    "bad begins",
    "bad",
    "slow begins",
    "slow",
    "done begins",
    "done",
];

async fn a_branch_that_fails_cancels_the_others_and_keeps_what_they_had_finished(at: &impl Place) {
    for (mood, says) in [
        (Mood::Fails, "bad is in a bad mood"),
        (Mood::Panics, "bad is in a panic"),
    ] {
        let desk = Desk {
            turns: Turns::new(["slow", "good", "better", "bad"]),
            ..Desk::default()
        };
        let name = format!("{mood:?}");
        let runtime = Runtime::new(risky(mood, Mood::Fine, true, &desk)).journal(at.open().await);
        let error = runtime
            .thread(&*name)
            .run(Job::default())
            .await
            .unwrap_err();
        assert_eq!(error.node(), Some("bad"));
        let is_panic = matches!(error, RunError::Panicked { .. });
        assert_eq!(is_panic, mood == Mood::Panics, "{error:?}");
        assert!(chain(&error).contains(says), "{error}");
        assert_eq!(desk.tally.of("dropped"), 1, "the slow one was dropped");

        // As on another machine.
        let runtime = Runtime::new(risky(Mood::Fine, Mood::Fine, false, &desk));
        let thread = runtime.journal(at.open().await).thread(&*name);
        let status = thread.status().await.unwrap();
        let Status::Failed { node, error, .. } = status else {
            panic!("{status:?}");
        };
        assert_eq!(node, RiskyNode::Bad);
        assert!(error.contains(says), "{error}");
        let state = thread.state().await.unwrap();
        assert_eq!(
            state.said,
            ["plan begins", "plan"],
            "as it was before the fork"
        );
        let history = by_branch(&thread.history().await.unwrap());
        assert_eq!(history[..2], ["started", "plan: _ => 3 branches"]);
        assert_eq!(
            history[2..4],
            ["0 good: _ => better", "0 better: _ => done"]
        );
        assert!(history[4].starts_with("1 bad failed: "), "{history:?}");
        assert_eq!(history.len(), 5);

        let state = thread.recover().await.unwrap().finished().unwrap();
        assert_eq!(state.said, RISKY);
        assert_eq!(thread.state().await.unwrap(), state);
        let counts = [
            ("plan", 1),
            ("good", 1),
            ("better", 1),
            ("bad", 2),
            ("slow", 2),
            ("done", 1),
        ];
        for (node, count) in counts {
            assert_eq!(desk.tally.of(node), count, "{node}");
        }
    }
}

async fn of_two_branches_that_fail_at_once_one_is_told_and_both_are_tried_again(at: &impl Place) {
    for order in [["good", "bad", "better"], ["good", "better", "bad"]] {
        let desk = Desk {
            turns: Turns::new(order),
            ..Desk::default()
        };
        let graph = risky(Mood::Fails, Mood::Panics, true, &desk);
        let thread = Runtime::new(graph)
            .journal(at.open().await)
            .thread(order[1]);
        let error = thread.run(Job::default()).await.unwrap_err();
        assert!(
            ["bad", "better"].contains(&error.node().unwrap()),
            "{error}"
        );
        assert!(matches!(
            thread.status().await.unwrap(),
            Status::Failed { .. }
        ));
        // It fails again, at either.
        let error = thread.recover().await.unwrap_err();
        assert!(
            ["bad", "better"].contains(&error.node().unwrap()),
            "{error}"
        );

        let graph = risky(Mood::Fine, Mood::Fine, false, &desk);
        let thread = Runtime::new(graph)
            .journal(at.open().await)
            .thread(order[1]);
        let state = thread.recover().await.unwrap().finished().unwrap();
        assert_eq!(state.said, RISKY);
        assert_eq!(thread.state().await.unwrap(), state);
        assert_eq!(desk.tally.of("good"), 1);
        let errors = lines(&thread.history().await.unwrap());
        let failed = errors.iter().filter(|line| line.contains("failed")).count();
        assert!((2..=4).contains(&failed), "{errors:?}");
    }
}

async fn after_a_branch_that_failed_another_run_begins_from_its_own_state(at: &impl Place) {
    let desk = Desk::default();
    let graph = risky(Mood::Fails, Mood::Fine, false, &desk);
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    let hours = Job {
        hours: vec![7],
        ..Job::default()
    };
    let _ = thread.run(hours.clone()).await.unwrap_err();

    let graph = risky(Mood::Fine, Mood::Fine, false, &desk);
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    let hours = Job {
        hours: vec![8],
        ..hours
    };
    let state = thread.run(hours).await.unwrap().finished().unwrap();
    assert_eq!(state.said, RISKY);
    assert_eq!(*state.hours, [8]);
    assert_eq!(thread.state().await.unwrap(), state);
    assert_eq!(thread.status().await.unwrap(), Status::Finished);
    // A run that begins from what was left has it from the journal.
    let again = thread.run(state.clone()).await.unwrap().finished().unwrap();
    assert_eq!(again.said.len(), 24);
    assert_eq!(thread.state().await.unwrap(), again);
}

#[tokio::test]
async fn without_a_journal_a_branch_that_fails_cancels_the_others_too() {
    let desk = Desk {
        turns: Turns::new(["slow", "good", "better", "bad"]),
        ..Desk::default()
    };
    let thread = Runtime::new(risky(Mood::Fails, Mood::Fine, true, &desk)).thread("t");
    let error = thread.run(Job::default()).await.unwrap_err();
    assert_eq!(error.node(), Some("bad"));
    assert!(error.to_string().contains("no journal"), "{error}");
    assert_eq!(desk.tally.of("dropped"), 1);
}

// ---- Items that cannot be listed or kept.

fn hours(job: &Job) -> Vec<u32> {
    assert!(!job.hours.contains(&13), "no more than twelve");
    job.hours.clone()
}

fn rates(job: &Job) -> Vec<f64> {
    job.rates.clone()
}

#[derive(Outcome)]
enum Billed {
    ByHour,
    ByRate,
}

#[node(Job)]
fn bill(rates: &Vec<f64>, sum: &mut Counter) -> Billed {
    *sum += 1;
    if rates.is_empty() {
        Billed::ByHour
    } else {
        Billed::ByRate
    }
}

#[node(Job)]
fn hour(hour: u32, sum: &mut Counter) {
    *sum += i64::from(hour) * 100;
}

#[node(Job)]
fn rate(rate: f64, said: &mut Log<String>) {
    said.push(format!("{rate}"));
}

#[node(Job)]
fn send() {}

#[derive(AgentGraph)]
#[graph(state = Job, start = bill)]
struct Bills {
    #[route(
        Billed::ByHour => each(hours) hour join send,
        Billed::ByRate => each(rates) rate join send,
    )]
    bill: Bill,
    #[route(_ => send)]
    hour: Hour,
    #[route(_ => send)]
    rate: Rate,
    #[route(_ => end)]
    send: Send,
}

const BILLS: Bills = Bills {
    bill: Bill,
    hour: Hour,
    rate: Rate,
    send: Send,
};

async fn a_list_of_items_that_panics_is_the_failure_of_the_node_that_forks(at: &impl Place) {
    let thread = Runtime::new(BILLS).journal(at.open().await).thread("t");
    let job = |hours: &[u32]| Job {
        hours: hours.to_vec(),
        ..Job::default()
    };
    let error = thread.run(job(&[1, 13])).await.unwrap_err();
    assert!(matches!(error, RunError::Panicked { .. }), "{error:?}");
    assert_eq!(error.node(), Some("bill"));
    assert!(error.to_string().contains("no more than twelve"), "{error}");
    assert_eq!(
        thread.state().await.unwrap(),
        job(&[1, 13]),
        "as before the step"
    );
    assert!(matches!(
        thread.status().await.unwrap(),
        Status::Failed {
            node: BillsNode::Bill,
            ..
        }
    ));
    let error = thread.recover().await.unwrap_err();
    assert!(matches!(error, RunError::Panicked { .. }), "{error:?}");
    let state = thread.run(job(&[1, 2])).await.unwrap().finished().unwrap();
    assert_eq!(state.sum, 301);

    // Without a journal as well.
    let error = Runtime::new(BILLS)
        .thread("t")
        .run(job(&[13]))
        .await
        .unwrap_err();
    assert!(matches!(error, RunError::Panicked { .. }), "{error:?}");
}

async fn an_item_that_json_has_no_word_for_is_refused_before_anything_is_forked(at: &impl Place) {
    let thread = Runtime::new(BILLS).journal(at.open().await).thread("t");
    // The state itself can be kept, if what lists the items makes them up.
    let job = Job {
        rates: vec![0.5],
        ..Job::default()
    };
    let state = thread.run(job).await.unwrap().finished().unwrap();
    assert_eq!(state.said, ["0.5"]);

    let thread = Runtime::new(IMAGINARY).journal(at.open().await).thread("i");
    let error = thread.run(Job::default()).await.unwrap_err();
    let RunError::Encode { node, what, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (node.as_deref(), &**what),
        (Some("root"), "item 1 of a fork")
    );
    let text = chain(&error);
    for part in ["thread `i`", "finite numbers", "node `root`"] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    assert_eq!(thread.state().await.unwrap(), Job::default());
    assert!(matches!(
        thread.status().await.unwrap(),
        Status::Failed {
            node: ImaginaryNode::Root,
            ..
        }
    ));
    let history = lines(&thread.history().await.unwrap());
    assert_eq!(history.len(), 2, "{history:?}");

    // Where nothing is kept, everything goes.
    let state = Runtime::new(IMAGINARY)
        .thread("i")
        .run(Job::default())
        .await;
    assert_eq!(state.unwrap().finished().unwrap().said, ["2", "NaN"]);
}

fn roots(_: &Job) -> Vec<f64> {
    [4.0, -1.0].map(f64::sqrt).to_vec()
}

#[node(Job)]
fn root(sum: &mut Counter) {
    *sum += 1;
}

#[derive(AgentGraph)]
#[graph(state = Job, start = root)]
struct Imaginary {
    #[route(_ => each(roots) rate join send)]
    root: Root,
    #[route(_ => send)]
    rate: Rate,
    #[route(_ => end)]
    send: Send,
}

const IMAGINARY: Imaginary = Imaginary {
    root: Root,
    rate: Rate,
    send: Send,
};

// ---- Pauses.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Trip {
    people: Vec<String>,
    wishes: Log<String>,
    budget: Option<u32>,
    weather: Option<String>,
}

fn people(trip: &Trip) -> Vec<String> {
    trip.people.clone()
}

#[node(Trip)]
impl Desk {
    async fn run(&self) {
        self.tally.count("desk");
    }
}

/// Asks somebody twice.
struct Interview(Desk);

#[node(Trip)]
impl Interview {
    async fn run(
        &self,
        name: String,
        wishes: &mut Log<String>,
        cx: &mut Context<'_>,
    ) -> Result<(), handoffs::NodeError> {
        self.0.tally.count(&*name);
        let place: String = cx.ask("place", &format!("Where to, {name}?")).await?;
        let days: u32 = cx.ask("days", &format!("How long, {name}?")).await?;
        wishes.push(format!("{name}: {place}, {days} days"));
        Ok(())
    }
}

#[derive(Serialize, Deserialize, Debug)]
struct Cost;

impl From<&Trip> for Cost {
    fn from(_: &Trip) -> Self {
        Self
    }
}

#[derive(Serialize, Deserialize)]
struct Sum(u32);

#[node(Trip)]
impl Sum {
    fn run(&self, mut budget: Out<'_, u32>) {
        budget.set(self.0);
    }
}

struct Forecast(Desk);

#[node(Trip)]
impl Forecast {
    async fn run(&self, mut weather: Out<'_, String>) {
        self.0.tally.count("forecast");
        // It takes longer than to ask.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        weather.set("fine".to_owned());
    }
}

struct Pack(Desk);

#[node(Trip)]
impl Pack {
    async fn run(&self, weather: &String, budget: &u32, wishes: &mut Log<String>) {
        self.0.tally.count("pack");
        wishes.push(format!("{weather}, {budget}"));
    }
}

#[derive(AgentGraph)]
#[graph(state = Trip, start = desk)]
struct Travel {
    #[route(_ => all(treasurer, everybody, forecast) join pack)]
    desk: Desk,
    #[route(_ => pack)]
    treasurer: Human<Cost, Sum>,
    #[route(_ => each(people) interview join heard)]
    everybody: Desk,
    #[route(_ => heard)]
    interview: Interview,
    #[route(_ => pack)]
    heard: Desk,
    #[route(_ => pack)]
    forecast: Forecast,
    #[route(_ => end)]
    pack: Pack,
}

fn travel(desk: &Desk) -> Travel {
    let desk = || desk.clone();
    Travel {
        desk: desk(),
        treasurer: Human::new(),
        everybody: desk(),
        interview: Interview(desk()),
        heard: desk(),
        forecast: Forecast(desk()),
        pack: Pack(desk()),
    }
}

fn trip() -> Trip {
    Trip {
        people: strings(["Ada", "Bob", "Eve"]),
        ..Trip::default()
    }
}

fn questions(asks: &[Ask]) -> Vec<String> {
    asks.iter()
        .map(|ask| format!("{} {}", ask.node, ask.question))
        .collect()
}

const ASKED: [&str; 4] = [
    "treasurer null",
    r#"interview "Where to, Ada?""#,
    r#"interview "Where to, Bob?""#,
    r#"interview "Where to, Eve?""#,
];

async fn several_questions_are_open_at_once_and_answered_in_any_order(at: &impl Place) {
    // Which of the open questions is answered next, each time anew from the list.
    for (number, picks) in [[0; 7], [3, 2, 1, 0, 2, 1, 0], [1, 3, 1, 2, 0, 0, 0]]
        .iter()
        .enumerate()
    {
        let desk = Desk::default();
        let name = format!("t{number}");
        let open = async || {
            let journal = at.open().await;
            Runtime::new(travel(&desk)).journal(journal).thread(&*name)
        };
        let first = open().await.run(trip()).await.unwrap().paused().unwrap();
        assert_eq!(desk.tally.of("forecast"), 1);
        let asks = open().await.asks().await.unwrap();
        assert_eq!(
            questions(&asks),
            ASKED,
            "in the order in which they were asked"
        );
        assert!(asks.is_sorted_by_key(|ask| ask.id));
        assert_eq!(first, asks[0]);
        assert_eq!(open().await.status().await.unwrap(), Status::Paused(first));
        let history = lines(&open().await.history().await.unwrap());
        assert!(
            history.contains(&"forecast: _ => pack".to_owned()),
            "the others go on: {history:?}"
        );

        for (answered, pick) in picks.iter().enumerate() {
            let thread = open().await;
            let asks = thread.asks().await.unwrap();
            let ask = &asks[*pick];
            let run = match (&*ask.node, &*ask.key) {
                ("treasurer", _) => thread.resume(ask.id, 500).await,
                (_, "place") => thread.resume(ask.id, "Rome").await,
                _ => thread.resume(ask.id, 3).await,
            };
            let again = thread.resume(ask.id, 1).await.unwrap_err();
            assert!(
                matches!(
                    again,
                    RunError::NotAsked {
                        reason: "it was answered before",
                        ..
                    }
                ),
                "{again}"
            );
            let left = open().await.asks().await.unwrap();
            if answered == 6 {
                let state = run.unwrap().finished().unwrap();
                let said = ["Ada", "Bob", "Eve"].map(|name| format!("{name}: Rome, 3 days"));
                let said: Vec<_> = said.into_iter().chain(["fine, 500".to_owned()]).collect();
                assert_eq!(state.wishes, Log::from(said));
                assert_eq!(thread.state().await.unwrap(), state);
                assert!(left.is_empty());
            } else {
                let next = run.unwrap().paused().unwrap();
                assert_eq!(next, left[0], "of those that are open the first");
                assert_eq!(open().await.state().await.unwrap(), trip());
            }
        }
        // A node runs once to ask, and once for each answer that it gets, and not for those of others.
        let counts = [
            ("Ada", 3),
            ("Bob", 3),
            ("Eve", 3),
            ("forecast", 1),
            ("pack", 1),
            ("desk", 3),
        ];
        for (node, count) in counts {
            assert_eq!(desk.tally.of(node), count, "{node}");
        }
    }
}

async fn an_answer_that_is_wrong_or_to_no_question_changes_nothing(at: &impl Place) {
    let desk = Desk::default();
    let thread = Runtime::new(travel(&desk))
        .journal(at.open().await)
        .thread("t");
    let _ = thread.run(trip()).await.unwrap();
    let history = thread.history().await.unwrap().len();
    let asks = thread.asks().await.unwrap();

    let error = thread.resume(asks[0].id, "much").await.unwrap_err();
    let RunError::WrongAnswer { node, ask, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((&**node, *ask), ("treasurer", asks[0].id));
    let error = thread.resume(asks[2].id, 7).await.unwrap_err();
    let RunError::WrongAnswer { node, ask, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((&**node, *ask), ("interview", asks[2].id));
    let error = thread.resume("77".parse().unwrap(), 7).await.unwrap_err();
    assert!(
        matches!(
            error,
            RunError::NotAsked {
                reason: "the thread has not asked it",
                ..
            }
        ),
        "{error}"
    );
    let error = thread.run(trip()).await.unwrap_err();
    assert!(
        matches!(&error, RunError::Waiting { ask, .. } if *ask == asks[0].id),
        "{error}"
    );
    let run = thread.recover().await.unwrap().paused().unwrap();
    assert_eq!(run, asks[0]);
    let run = thread.run_once(trip()).await.unwrap().paused().unwrap();
    assert_eq!(run, asks[0]);

    assert_eq!(thread.asks().await.unwrap(), asks);
    assert_eq!(thread.history().await.unwrap().len(), history);
    assert_eq!(desk.tally.of("forecast"), 1);
}

async fn of_two_answers_to_two_questions_at_once_the_slower_is_given_again(at: &impl Place) {
    let desk = Desk::default();
    let thread = Runtime::new(travel(&desk))
        .journal(at.open().await)
        .thread("t");
    let _ = thread.run(trip()).await.unwrap();
    let asks = thread.asks().await.unwrap();
    let other = Runtime::new(travel(&desk))
        .journal(at.open().await)
        .thread("t");
    let (one, two) = tokio::join!(
        thread.resume(asks[1].id, "Rome"),
        other.resume(asks[2].id, "Oslo")
    );
    let lost = [&one, &two].into_iter().filter(|run| run.is_err()).count();
    assert!(lost <= 1, "{one:?} {two:?}");
    for (run, ask, place) in [(one, &asks[1], "Rome"), (two, &asks[2], "Oslo")] {
        if let Err(error) = run {
            assert!(error.is_conflict(), "{error}");
            let _ = thread.resume(ask.id, place).await.unwrap();
        }
    }
    let mut days: Vec<_> = questions(&thread.asks().await.unwrap());
    days.sort();
    assert_eq!(
        days,
        [
            r#"interview "How long, Ada?""#,
            r#"interview "How long, Bob?""#,
            r#"interview "Where to, Eve?""#,
            "treasurer null",
        ]
    );
}

#[tokio::test]
async fn a_bound_does_not_keep_the_branches_behind_a_paused_one_from_their_turn() {
    let desk = Desk::default();
    let runtime = Runtime::new(travel(&desk))
        .concurrency(1)
        .journal(Memory::default());
    let thread = runtime.thread("t");
    let _ = thread.run(trip()).await.unwrap().paused().unwrap();
    assert_eq!(thread.asks().await.unwrap().len(), 4);
    assert_eq!(desk.tally.of("forecast"), 1);
}

#[tokio::test]
async fn a_graph_that_may_ask_in_a_branch_needs_a_journal() {
    let error = Runtime::new(travel(&Desk::default()))
        .thread("t")
        .run(trip())
        .await;
    let error = error.unwrap_err();
    assert!(
        matches!(&error, RunError::NoJournal { node, .. } if node == "treasurer"),
        "{error}"
    );
}

// ---- In the middle of a fork.

/// Holds one branch until the run is dropped.
struct Hold(Arc<Notify>, Desk);

#[node(Job)]
impl Hold {
    async fn run(&self, said: &mut Log<String>) {
        said.push("held".to_owned());
        if self.1.tally.count("hold") == 0 {
            while self.1.tally.of("better") == 0 {
                tokio::task::yield_now().await;
            }
            self.0.notify_one();
            pending::<()>().await;
        }
    }
}

#[derive(AgentGraph)]
#[graph(state = Job, start = plan)]
struct Held {
    #[route(_ => all(good, hold) join done)]
    plan: Moody,
    #[route(_ => better)]
    good: Moody,
    #[route(_ => done)]
    better: Moody,
    #[route(_ => done)]
    hold: Hold,
    #[route(_ => end)]
    done: Moody,
}

fn held(reached: &Arc<Notify>, desk: &Desk) -> Held {
    let moody = |name| Moody {
        name,
        mood: Mood::Fine,
        desk: desk.clone(),
    };
    Held {
        plan: moody("plan"),
        good: moody("good"),
        better: moody("better"),
        hold: Hold(Arc::clone(reached), desk.clone()),
        done: moody("done"),
    }
}

/// Runs until the second step of one branch is under way and the other branch holds, and drops the run.
async fn drop_half_way<J: Journal>(thread: &Thread<Held, J>, reached: &Notify) {
    tokio::select! {
        ended = thread.run(Job::default()) => panic!("{ended:?}"),
        () = reached.notified() => {}
    }
}

fn half_way() -> Desk {
    Desk {
        // The better one waits for its turn for ever.
        turns: Turns::new(["nobody", "better"]),
        ..Desk::default()
    }
}

const HELD: [&str; 9] = [
    "plan begins",
    "plan",
    "good begins",
    "good",
    "better begins",
    "better",
    "held",
    "done begins",
    "done",
];

async fn a_run_that_is_dropped_among_its_branches_goes_on_with_what_is_missing(at: &impl Place) {
    let (reached, desk) = (Arc::new(Notify::new()), half_way());
    let thread = Runtime::new(held(&reached, &desk))
        .journal(at.open().await)
        .thread("t");
    drop_half_way(&thread, &reached).await;

    let desk = Desk {
        turns: Turns::default(),
        ..desk
    };
    let thread = Runtime::new(held(&reached, &desk))
        .journal(at.open().await)
        .thread("t");
    let history = lines(&thread.history().await.unwrap());
    assert_eq!(
        history,
        ["started", "plan: _ => 2 branches", "good: _ => better"]
    );
    assert_eq!(
        thread.status().await.unwrap(),
        Status::Unfinished(HeldNode::Better)
    );
    assert_eq!(thread.state().await.unwrap().said, ["plan begins", "plan"]);
    let error = thread.run(Job::default()).await.unwrap_err();
    assert!(
        matches!(&error, RunError::Unfinished { node, .. } if node == "better"),
        "{error}"
    );
    let error = thread.resume("3".parse().unwrap(), 1).await.unwrap_err();
    assert!(matches!(&error, RunError::NotAsked { node: Some(node), .. } if node == "better"));
    assert!(thread.asks().await.unwrap().is_empty());
    assert_eq!(
        lines(&thread.history().await.unwrap()),
        history,
        "nothing was written"
    );

    let state = thread
        .run_once(Job::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(state.said, HELD);
    assert_eq!(thread.state().await.unwrap(), state);
    assert_eq!(thread.recover().await.unwrap().finished(), Some(state));
    let counts = [
        ("plan", 1),
        ("good", 1),
        ("better", 2),
        ("hold", 2),
        ("done", 1),
    ];
    for (node, count) in counts {
        assert_eq!(desk.tally.of(node), count, "{node}");
    }
}

async fn of_two_that_recover_a_fork_at_once_one_loses_and_nothing_is_doubled(at: &impl Place) {
    for number in 0..8 {
        let (reached, desk) = (Arc::new(Notify::new()), half_way());
        let name = format!("t{number}");
        let thread = Runtime::new(held(&reached, &desk))
            .journal(at.open().await)
            .thread(&*name);
        drop_half_way(&thread, &reached).await;
        let desk = Desk {
            turns: Turns::default(),
            ..desk
        };
        let mut threads = Vec::new();
        for _ in 0..3 {
            let runtime = Runtime::new(held(&reached, &desk)).journal(at.open().await);
            threads.push(runtime.thread(&*name));
        }
        let runs = futures::future::join_all(threads.iter().map(Thread::recover)).await;
        for error in runs.iter().filter_map(|run| run.as_ref().err()) {
            assert!(error.is_conflict(), "{error:?}");
        }
        assert!(runs.iter().any(Result::is_ok), "{runs:?}");
        let state = thread.state().await.unwrap();
        assert_eq!(state.said, HELD);
        assert_eq!(
            by_branch(&thread.history().await.unwrap()),
            [
                "started",
                "plan: _ => 2 branches",
                "joined at done",
                "done: _ => end",
                "0 good: _ => better",
                "0 better: _ => done",
                "1 hold: _ => done",
            ]
        );
    }
}

// ---- Events.

/// Returns the events of a stream as lines, with their branches.
async fn told<G: handoffs::Runnable>(mut stream: handoffs::EventStream<G>) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(event) = stream.next().await {
        told.push(match event {
            Ok(Event::Entered { branch, node, .. }) => format!("{}{node}", place(&branch)),
            Ok(Event::Stepped {
                branch,
                node,
                to,
                branches,
                ..
            }) => {
                let branches = branches.map_or(String::new(), |n| format!(" in {n}"));
                format!("{}{node} => {to}{branches}", place(&branch))
            }
            Ok(Event::Joined { branch, to, .. }) => format!("{}joined at {to}", place(&branch)),
            Ok(Event::Paused(ask)) => format!("paused at {}", ask.node),
            Ok(Event::Finished(_)) => "finished".to_owned(),
            Ok(_) => "another event".to_owned(),
            Err(error) => format!("error at {}", error.node().unwrap_or("no node")),
        });
    }
    told
}

async fn a_stream_tells_what_each_branch_does(at: &impl Place) {
    let desk = Desk {
        turns: Turns::new(["slow", "bad", "good", "better"]),
        ..Desk::default()
    };
    let graph = risky(Mood::Fine, Mood::Fine, false, &desk);
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    let told = told(thread.stream(Job::default())).await;
    assert_eq!(told[..2], ["plan", "plan => done in 3"]);
    let last = told.len() - 4;
    assert_eq!(
        told[last..],
        ["joined at done", "done", "done => end", "finished"]
    );
    let mut branches = told[2..last].to_vec();
    // Each branch by itself tells in order.
    branches.sort_by_key(|line| line.split(' ').next().unwrap().to_owned());
    assert_eq!(
        branches,
        [
            "0 good",
            "0 good => better",
            "0 better",
            "0 better => done",
            "1 bad",
            "1 bad => done",
            "2 slow",
            "2 slow => done",
        ]
    );
}

#[tokio::test]
async fn the_events_of_forks_in_forks_name_the_branches_that_the_journal_names() {
    let thread = Runtime::new(nested(&Desk::default()))
        .journal(Memory::default())
        .thread("t");
    let mut stream = thread.stream(deep(0));
    let mut stepped = Vec::new();
    while let Some(event) = stream.next().await {
        if let Event::Stepped { branch, node, .. } = event.unwrap() {
            stepped.push((branch.to_string(), node.to_string()));
        }
    }
    let history = thread.history().await.unwrap();
    let recorded = history.iter().filter_map(|entry| match &entry.event {
        Recorded::Stepped { node, .. } => Some((entry.branch.to_string(), node.to_string())),
        _ => None,
    });
    let mut recorded: Vec<_> = recorded.collect();
    recorded.sort();
    stepped.sort();
    assert_eq!(stepped, recorded);
    assert!(
        stepped
            .iter()
            .any(|(branch, _)| branch.matches('/').count() == 1)
    );
}

async fn a_stream_that_is_dropped_at_any_event_leaves_a_thread_to_recover(at: &impl Place) {
    for events in 1.. {
        let desk = Desk::default();
        let name = format!("t{events}");
        let graph = risky(Mood::Fine, Mood::Fine, false, &desk);
        let thread = Runtime::new(graph).journal(at.open().await).thread(&*name);
        let taken = thread.stream(Job::default()).take(events).count().await;
        let state = loop {
            match thread.recover().await {
                Ok(run) => break run.finished().unwrap(),
                // The append that was under way when the stream was dropped has won.
                Err(error) => assert!(error.is_conflict(), "{error}"),
            }
        };
        assert_eq!(state.said, RISKY);
        assert_eq!(thread.state().await.unwrap(), state);
        assert_eq!(steps(&thread.history().await.unwrap()), 6);
        if taken < events {
            break;
        }
    }
}

#[tokio::test]
async fn the_error_of_a_branch_is_the_last_that_a_stream_tells() {
    for order in [
        ["slow", "good", "better", "bad"],
        ["slow", "good", "bad", "better"],
        ["slow", "bad", "good", "better"],
    ] {
        for kept in [false, true] {
            let desk = Desk {
                turns: Turns::new(order),
                ..Desk::default()
            };
            let runtime = Runtime::new(risky(Mood::Fails, Mood::Fine, true, &desk));
            let told = if kept {
                told(
                    runtime
                        .journal(Memory::default())
                        .thread("t")
                        .stream(Job::default()),
                )
                .await
            } else {
                told(runtime.thread("t").stream(Job::default())).await
            };
            assert_eq!(told.last().unwrap(), "error at bad", "{told:?}");
            let errors = told.iter().filter(|line| line.starts_with("error"));
            assert_eq!(errors.count(), 1);
        }
    }
}

#[tokio::test]
async fn a_stream_tells_of_a_pause_when_all_branches_have_come_to_rest() {
    let thread = Runtime::new(travel(&Desk::default()))
        .journal(Memory::default())
        .thread("t");
    let told = told(thread.stream(trip())).await;
    assert_eq!(told.last().unwrap(), "paused at treasurer");
    assert!(told.contains(&"2 forecast => pack".to_owned()), "{told:?}");
    let entered = [
        "1.0 interview",
        "1.1 interview",
        "1.2 interview",
        "0 treasurer",
    ];
    for line in entered {
        assert!(
            told.contains(&line.to_owned()),
            "{line} is missing in {told:?}"
        );
    }
}

// ---- Loops, along each path.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Laps {
    said: Log<String>,
    starts: Vec<u32>,
    /// How often somebody has found something, which is progress.
    #[state(progress)]
    found: Counter,
    finds: bool,
}

fn starts(laps: &Laps) -> Vec<u32> {
    laps.starts.clone()
}

#[node(Laps)]
fn set_out() {}

/// Goes on as often as its item says.
#[node(Laps)]
fn walk(item: u32, said: &mut Log<String>, found: &mut Counter) {
    *found += 1;
    said.push(format!("{item}"));
}

#[node(Laps)]
fn rest(said: &mut Log<String>) -> Lap {
    said.push("rest".to_owned());
    Lap::More
}

#[node(Laps)]
fn tired(said: &mut Log<String>) {
    said.push("tired".to_owned());
}

#[node(Laps)]
fn home(finds: &bool, found: &mut Counter, said: &mut Log<String>) -> Lap {
    said.push("home".to_owned());
    if *finds {
        *found += 1;
    }
    Lap::More
}

#[derive(AgentGraph)]
#[graph(state = Laps, start = set_out)]
struct Walks {
    #[route(_ => each(starts) walk join home)]
    set_out: SetOut,
    #[route(_ => rest)]
    walk: Walk,
    // The worker has its item again, as often as it is come back to.
    #[route(
        Lap::More => walk(limit = 3, else = tired),
        Lap::Enough => home,
    )]
    rest: Rest,
    #[route(_ => home)]
    tired: Tired,
    #[route(Lap::More => set_out(limit = 2, else = end), Lap::Enough => end)]
    home: Home,
}

const WALKS: Walks = Walks {
    set_out: SetOut,
    walk: Walk,
    rest: Rest,
    tired: Tired,
    home: Home,
};

async fn limits_count_along_each_path_and_the_highest_count_goes_on(at: &impl Place) {
    let thread = Runtime::new(WALKS).journal(at.open().await).thread("t");
    let laps = Laps {
        starts: vec![7, 8],
        finds: true,
        ..Laps::default()
    };
    let state = thread.run(laps.clone()).await.unwrap().finished().unwrap();
    // Each branch has the three rounds for itself.
    let mut expected = Vec::new();
    for item in ["7", "8"] {
        for _ in 0..4 {
            expected.extend([item, "rest"]);
        }
        expected.push("tired");
    }
    expected.push("home");
    // The second and third time around, what one path has used up is used up.
    for _ in 0..2 {
        for item in ["7", "8"] {
            expected.extend([item, "rest", "tired"]);
        }
        expected.push("home");
    }
    assert_eq!(state.said, expected);
    assert_eq!(thread.state().await.unwrap(), state);
    let unkept = Runtime::new(WALKS).thread("t").run(laps).await.unwrap();
    assert_eq!(unkept.finished(), Some(state));
}

#[node(Laps)]
fn look_around(finds: &bool, found: &mut Counter, said: &mut Log<String>) {
    said.push("looks".to_owned());
    if *finds {
        *found += 1;
    }
}

#[derive(AgentGraph)]
#[graph(state = Laps, start = set_out)]
struct Around {
    #[route(_ => all(left, right) join home)]
    set_out: SetOut,
    #[route(_ => home)]
    left: LookAround,
    #[route(_ => home)]
    right: Tired,
    #[route(Lap::More => set_out(limit = 3), Lap::Enough => end)]
    home: Rest,
}

async fn a_loop_around_a_fork_is_stopped_where_its_branches_make_no_progress(at: &impl Place) {
    let around = || Around {
        set_out: SetOut,
        left: LookAround,
        right: Tired,
        home: Rest,
    };
    for (finds, laps, why) in [
        (false, 1, handoffs::Masked::NoProgress),
        (true, 3, handoffs::Masked::Limit),
    ] {
        let runtime = Runtime::new(around()).journal(at.open().await);
        let thread = runtime.thread(format!("{finds}"));
        let input = Laps {
            finds,
            ..Laps::default()
        };
        let error = thread.run(input).await.unwrap_err();
        let RunError::HandoffLoop {
            node,
            cycle,
            laps: taken,
            why: because,
            ..
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((&**node, *taken, *because), ("home", laps, why));
        assert!(cycle.starts_with("set_out ->"), "{cycle}");
        assert!(cycle.ends_with("home -> set_out"), "{cycle}");
        let again = thread.recover().await.unwrap_err();
        assert_eq!(
            again.to_string(),
            error.to_string(),
            "the counts are in the journal"
        );
    }
}

#[derive(AgentGraph)]
#[graph(state = Laps, start = set_out)]
struct Stuck {
    #[route(_ => all(left, right) join home)]
    set_out: SetOut,
    #[route(_ => rest)]
    left: LookAround,
    #[route(Lap::More => left(limit = 5), Lap::Enough => home)]
    rest: Rest,
    #[route(_ => home)]
    right: Tired,
    #[route(_ => end)]
    home: Tired,
}

async fn a_loop_within_a_branch_that_makes_no_progress_ends_the_run(at: &impl Place) {
    let stuck = Stuck {
        set_out: SetOut,
        left: LookAround,
        rest: Rest,
        right: Tired,
        home: Tired,
    };
    let thread = Runtime::new(stuck).journal(at.open().await).thread("t");
    let error = thread.run(Laps::default()).await.unwrap_err();
    let RunError::HandoffLoop {
        node, cycle, laps, ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(
        (&**node, &**cycle, *laps),
        ("rest", "left -> rest -> left", 1)
    );
    assert!(matches!(
        thread.status().await.unwrap(),
        Status::Failed {
            node: StuckNode::Rest,
            ..
        }
    ));
}

// ---- Graphs within, that fork, in branches.

#[derive(AgentGraph)]
#[graph(state = Deep, start = begin)]
struct Within {
    #[route(_ => all(one, two) join both)]
    begin: Note,
    #[route(_ => more)]
    one: Note,
    #[route(_ => both)]
    more: Note,
    #[route(_ => both)]
    two: Note,
    #[route(_ => end)]
    both: Note,
}

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Small {
    rows: Log<u32>,
    sum: i64,
}

fn shrink(deep: &Deep) -> Small {
    Small {
        sum: deep.sum.get(),
        ..Small::default()
    }
}

#[node(Deep)]
fn grow(small: Small, laps: &mut Log<u32>) {
    laps.extend(small.rows.iter().copied());
    laps.push(u32::try_from(small.sum).unwrap());
}

fn rows(small: &Small) -> Vec<u32> {
    (1..4)
        .map(|row| row + u32::try_from(small.sum).unwrap())
        .collect()
}

struct Row(Desk);

#[node(Small)]
impl Row {
    async fn run(&self, row: u32, rows: &mut Log<u32>, cx: &mut Context<'_>) {
        self.0.tally.count(cx.idempotency_key());
        rows.push(row);
    }
}

struct Table(Desk);

#[node(Small)]
impl Table {
    async fn run(&self, sum: &mut i64, cx: &mut Context<'_>) {
        self.0.tally.count(cx.idempotency_key());
        *sum *= 10;
    }
}

#[derive(AgentGraph)]
#[graph(state = Small, start = begin)]
struct Rows {
    #[route(_ => each(rows) row join done)]
    begin: Table,
    #[route(_ => done)]
    row: Row,
    #[route(_ => end)]
    done: Table,
}

#[derive(AgentGraph)]
#[graph(state = Deep, start = plan)]
struct Outer {
    #[route(_ => all(direct, other, plain) join done)]
    plan: Note,
    #[route(_ => after)]
    direct: Within,
    #[route(_ => done)]
    after: Note,
    #[route(_ => done)]
    #[subgraph(enter = shrink, leave = grow)]
    other: Rows,
    #[route(_ => done)]
    plain: Note,
    #[route(_ => last)]
    done: Within,
    #[route(_ => end)]
    last: Note,
}

fn outer(desk: &Desk) -> Outer {
    let note = |name| Note(name, desk.clone());
    let within = || Within {
        begin: note("begin"),
        one: note("one"),
        more: note("more"),
        two: note("two"),
        both: note("both"),
    };
    Outer {
        plan: note("plan"),
        direct: within(),
        after: note("after"),
        other: Rows {
            begin: Table(desk.clone()),
            row: Row(desk.clone()),
            done: Table(desk.clone()),
        },
        plain: note("plain"),
        done: within(),
        last: note("last"),
    }
}

fn outcome() -> Deep {
    let within = ["begin", "one", "more", "two", "both"];
    let said = [
        &["plan"][..],
        &within,
        &["after", "plain"],
        &within,
        &["last"],
    ]
    .concat();
    Deep {
        text: said.concat(),
        sum: Counter::new(i64::try_from(said.len()).unwrap()),
        tags: said.iter().map(|&word| word.to_owned()).collect(),
        said: said.into_iter().map(str::to_owned).collect(),
        laps: Log::from(vec![11, 12, 13, 100]),
        ..Deep::default()
    }
}

async fn graphs_within_that_fork_in_branches_are_taken_up_where_they_were_cut_off(at: &impl Place) {
    let (mut number, mut cut) = (0, true);
    while cut {
        number += 1;
        for keeps_last in [false, true] {
            let desk = Desk::default();
            let name = format!("t{number}{keeps_last}");
            let stopping = Stopping::after(at.open().await, number, keeps_last);
            let thread = Runtime::new(outer(&desk)).journal(stopping).thread(&*name);
            cut = thread.run(Deep::default()).await.is_err();

            let thread = Runtime::new(outer(&desk))
                .journal(at.open().await)
                .thread(&*name);
            let nodes = |history: &[Entry]| {
                let graphs = common::path(history);
                let graphs = graphs.iter().filter(|node| {
                    // The steps of a graph within, as a node, stand for no execution.
                    matches!(&***node, "direct" | "other")
                });
                let done = history.iter().filter(|entry| {
                    matches!(&entry.event, Recorded::Stepped { node, .. } if node == "done")
                        && entry.graph.name() == "Outer"
                });
                steps(history) - graphs.count() - done.count()
            };
            let before = nodes(&thread.history().await.unwrap());
            let executed: u32 = desk.tally.all().values().sum();
            let state = thread.recover().await.unwrap().finished().unwrap();
            assert_eq!(state, outcome(), "cut off at append {number}");
            assert_eq!(thread.state().await.unwrap(), state);
            let after = nodes(&thread.history().await.unwrap());
            let all: u32 = desk.tally.all().values().sum();
            assert_eq!(
                usize::try_from(all - executed).unwrap(),
                after - before,
                "{number}"
            );
            assert_eq!(
                desk.tally.all().len(),
                after,
                "as many keys as steps, at {number}"
            );
        }
    }
    assert!(number > 8, "{number}");
}

#[tokio::test]
async fn graphs_within_that_fork_need_no_journal() {
    let desk = Desk::default();
    let thread = Runtime::new(outer(&desk)).thread("t");
    let state = thread.run(Deep::default()).await.unwrap().finished();
    assert_eq!(state, Some(outcome()));
    let counts = desk.tally.all();
    assert!(
        counts.values().all(|count| *count == 1),
        "each step has its own key: {counts:?}"
    );
}

// ---- Logs that are written anew, and nodes that do not say what they wrote.

/// A node by hand, of which all that it may write counts as written.
struct ByHand(&'static str);

impl handoffs::Node<Work> for ByHand {
    type Outcome = ();
    const CONTRACT: handoffs::Contract = handoffs::Contract {
        writes: handoffs::FieldSet::named(
            <Work as handoffs::State>::FIELDS,
            &["said", "sum", "tags", "votes", "text"],
        ),
        ..handoffs::Contract::EMPTY
    };
}

impl handoffs::Execute<Work> for ByHand {
    async fn execute(
        &self,
        work: &mut Work,
        _: &mut Context<'_>,
    ) -> Result<(), handoffs::NodeError> {
        if !self.0.is_empty() {
            work.said.push(self.0.to_owned());
            work.sum += 1;
            work.text.push_str(self.0);
        }
        Ok(())
    }
}

/// Makes another log of the one that there is.
struct Anew(&'static str);

#[node(Work)]
impl Anew {
    fn run(&self, said: &mut Log<String>) {
        let mut anew = said.to_vec();
        match self.0 {
            "" => anew.clear(),
            word => anew.push(word.to_owned()),
        }
        *said = Log::from(anew);
    }
}

#[derive(AgentGraph)]
#[graph(state = Work, start = start_by_hand)]
struct Silent {
    #[route(_ => all(idle, writes, adds, copies, clears, again) join done)]
    start_by_hand: ByHand,
    #[route(_ => done)]
    idle: ByHand,
    #[route(_ => more)]
    writes: ByHand,
    #[route(_ => done)]
    more: ByHand,
    #[route(_ => done)]
    adds: Say,
    #[route(_ => done)]
    copies: Anew,
    #[route(_ => cleared)]
    clears: Anew,
    #[route(_ => done)]
    cleared: Anew,
    #[route(_ => done)]
    again: ByHand,
    #[route(_ => end)]
    done: Finish,
}

fn silent() -> Silent {
    Silent {
        start_by_hand: ByHand("start"),
        idle: ByHand(""),
        writes: ByHand("writes"),
        more: ByHand("more"),
        adds: Say("adds", 10, Desk::default()),
        copies: Anew("copied"),
        clears: Anew(""),
        cleared: Anew("cleared"),
        again: ByHand("again"),
        done: Finish(Desk::default()),
    }
}

async fn what_a_log_begins_with_is_not_doubled_by_those_who_write_it_anew(at: &impl Place) {
    let expected = [
        "go",
        "start",
        "writes",
        "more",
        "adds after 2",
        "copied",
        "cleared",
        "again",
        "it is done",
    ];
    let unkept = Runtime::new(silent())
        .thread("t")
        .run(work())
        .await
        .unwrap();
    let unkept = unkept.finished().unwrap();
    assert_eq!(unkept.said, expected);
    assert_eq!(
        (unkept.sum.get(), &*unkept.text),
        (5 + 1 + 2 + 10 + 1, ">startwritesmoreaddsagain")
    );
    let (mut number, mut cut) = (0, true);
    while cut {
        number += 1;
        let name = format!("t{number}");
        let stopping = Stopping::after(at.open().await, number, true);
        let thread = Runtime::new(silent()).journal(stopping).thread(&*name);
        cut = thread.run(work()).await.is_err();
        let thread = Runtime::new(silent())
            .journal(at.open().await)
            .thread(&*name);
        let state = thread.recover().await.unwrap().finished().unwrap();
        assert_eq!(state, unkept, "cut off at append {number}");
        assert_eq!(thread.state().await.unwrap(), unkept);
    }
}

// ---- A branch that fails beside one that asks.

#[derive(AgentGraph)]
#[graph(state = Job, start = plan)]
struct Mixed {
    #[route(_ => all(boss, bad, bad_too) join done)]
    plan: Moody,
    #[route(_ => shared)]
    boss: Boss,
    #[route(_ => shared)]
    bad: Moody,
    #[route(_ => done)]
    bad_too: Moody,
    // Two branches go through it, each for itself.
    #[route(_ => done)]
    shared: Moody,
    #[route(_ => end)]
    done: Moody,
}

struct Boss(Tally);

#[node(Job)]
impl Boss {
    async fn run(
        &self,
        said: &mut Log<String>,
        cx: &mut Context<'_>,
    ) -> Result<(), handoffs::NodeError> {
        self.0.count("boss");
        let word: String = cx.ask("word", "Well?").await?;
        said.push(word);
        Ok(())
    }
}

fn mixed(bad: Mood, desk: &Desk) -> Mixed {
    let moody = |name, mood| Moody {
        name,
        mood,
        desk: desk.clone(),
    };
    Mixed {
        plan: moody("plan", Mood::Fine),
        boss: Boss(desk.tally.clone()),
        bad: moody("bad", bad),
        bad_too: moody("bad_too", Mood::Fine),
        shared: moody("shared", Mood::Fine),
        done: moody("done", Mood::Fine),
    }
}

const MIXED: [&str; 13] = [
    "plan begins",
    "plan",
    "yes",
    "shared begins",
    "shared",
    "bad begins",
    "bad",
    "shared begins",
    "shared",
    "bad_too begins",
    "bad_too",
    "done begins",
    "done",
];

async fn a_question_stays_open_beside_a_branch_that_failed(at: &impl Place) {
    let desk = Desk::default();
    let open = async |mood| {
        let journal = at.open().await;
        Runtime::new(mixed(mood, &desk))
            .journal(journal)
            .thread("t")
    };
    let error = open(Mood::Fails)
        .await
        .run(Job::default())
        .await
        .unwrap_err();
    assert_eq!(error.node(), Some("bad"));
    let thread = open(Mood::Fails).await;
    assert!(matches!(
        thread.status().await.unwrap(),
        Status::Failed {
            node: MixedNode::Bad,
            ..
        }
    ));
    let asks = thread.asks().await.unwrap();
    assert_eq!(asks.len(), 1);

    // An answer while the other still fails is an error, and the answer counts all the same.
    let error = thread.resume(asks[0].id, "yes").await.unwrap_err();
    assert_eq!(error.node(), Some("bad"), "{error:?}");
    let error = thread.resume(asks[0].id, "no").await;
    let counted = thread.asks().await.unwrap().is_empty();
    assert_eq!(
        counted,
        matches!(error, Err(RunError::NotAsked { .. })),
        "{error:?}"
    );

    let thread = open(Mood::Fine).await;
    let run = if counted {
        thread.recover().await.unwrap()
    } else {
        thread.resume(asks[0].id, "yes").await.unwrap()
    };
    let state = run.finished().unwrap();
    assert_eq!(state.said, MIXED);
    assert_eq!(thread.state().await.unwrap(), state);
    assert_eq!(desk.tally.of("shared"), 2);
}

async fn a_run_that_begins_anew_leaves_the_old_questions_behind(at: &impl Place) {
    let desk = Desk::default();
    let journal = at.open().await;
    let thread = Runtime::new(mixed(Mood::Fails, &desk))
        .journal(journal)
        .thread("t");
    let _ = thread.run(Job::default()).await.unwrap_err();
    let old = thread.asks().await.unwrap().remove(0);

    let journal = at.open().await;
    let thread = Runtime::new(mixed(Mood::Fine, &desk))
        .journal(journal)
        .thread("t");
    let new = thread.run(Job::default()).await.unwrap().paused().unwrap();
    assert_ne!(new.id, old.id);
    assert_eq!(thread.asks().await.unwrap(), std::slice::from_ref(&new));
    let error = thread.resume(old.id, "yes").await.unwrap_err();
    let expected = "the run has gone on without an answer";
    assert!(
        matches!(error, RunError::NotAsked { reason, .. } if reason == expected),
        "{error:?}"
    );
    let state = thread
        .resume(new.id, "yes")
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(state.said, MIXED);
    assert_eq!(thread.state().await.unwrap(), state);
}

// ---- How branches share what they do not see.

/// A journal that takes a while.
#[derive(Clone, Debug, Default)]
struct Leisurely(common::Counting<Memory>);

#[handoffs::async_trait]
impl Layer for Leisurely {
    type Within = common::Counting<Memory>;

    fn within(&self) -> &common::Counting<Memory> {
        &self.0
    }

    async fn append(
        &self,
        thread: &handoffs::ThreadId,
        head: u64,
        records: Vec<handoffs::Record>,
        durability: handoffs::Durability,
    ) -> Result<(), handoffs::JournalError> {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        Journal::append(&self.0, thread, head, records, durability).await
    }
}

#[tokio::test]
async fn branches_share_their_appends() {
    let journal = Leisurely::default();
    let runtime = Runtime::new(free(&Gauge::default())).journal(journal.clone());
    let thread = runtime.thread("t");
    // Of a thousand, most take the same time.
    let state = thread.run(crowd(1000)).await.unwrap().finished().unwrap();
    assert!(in_order(&state, 1000));
    assert_eq!(thread.history().await.unwrap().len(), 1000 + 4);
    let appends = journal.0.appends();
    assert!(appends < 250, "{appends} appends");
    assert_eq!(thread.state().await.unwrap(), state);
}

#[tokio::test]
async fn a_bound_of_one_holds_for_graphs_within_too() {
    let desk = Desk::default();
    let runtime = Runtime::new(outer(&desk))
        .concurrency(1)
        .journal(Memory::default());
    let state = runtime.thread("t").run(Deep::default()).await.unwrap();
    assert_eq!(state.finished(), Some(outcome()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_forked_runs_at_once_on_several_os_threads_do_not_mix() {
    let runtime = Runtime::new(nested(&Desk::default()))
        .concurrency(7)
        .journal(Memory::default());
    let runs = (0..40).map(|number| {
        let thread = runtime.thread(format!("t{number}"));
        tokio::spawn(async move {
            let state = thread
                .run(deep(number % 3))
                .await
                .unwrap()
                .finished()
                .unwrap();
            assert_eq!(state, by_hand(number % 3));
            assert_eq!(thread.state().await.unwrap(), state);
        })
    });
    for run in runs.collect::<Vec<_>>() {
        run.await.unwrap();
    }
}

// ---- What a branch sees of the state.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct View {
    /// Named by no node.
    hidden: Vec<u32>,
    seen: Log<String>,
}

fn is_rich(view: &View) -> bool {
    view.hidden.len() == 2
}

fn hidden(view: &View) -> Vec<u32> {
    view.hidden.clone()
}

fn hidden_key(view: &View) -> Vec<u32> {
    view.hidden.clone()
}

struct See(&'static str);

#[node(View)]
impl See {
    fn run(&self, seen: &mut Log<String>) {
        seen.push(self.0.to_owned());
    }
}

#[node(View)]
fn show(item: u32, seen: &mut Log<String>) {
    seen.push(item.to_string());
}

#[derive(AgentGraph)]
#[graph(state = View, start = first)]
struct Guarded {
    #[route(_ if is_rich => rich, _ => poor)]
    first: See,
    #[route(_ => each(hidden) show join end_of_rich)]
    rich: See,
    #[route(_ => end_of_rich)]
    show: Show,
    #[route(_ => end)]
    end_of_rich: See,
    #[route(_ => end)]
    poor: See,
}

fn guarded() -> Guarded {
    Guarded {
        first: See("first"),
        rich: See("rich"),
        show: Show,
        end_of_rich: See("end of rich"),
        poor: See("poor"),
    }
}

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Count {
    count: usize,
}

fn count_hidden(view: &View) -> Count {
    Count {
        count: view.hidden.len(),
    }
}

#[node(Count)]
fn double(count: &mut usize) {
    *count *= 2;
}

#[derive(AgentGraph)]
#[graph(state = Count, start = double)]
struct Doubled {
    #[route(_ => end)]
    double: Double,
}

#[node(View)]
fn tell(Count { count }: Count, seen: &mut Log<String>) {
    seen.push(format!("twice {count}"));
}

#[derive(AgentGraph)]
#[graph(state = View, start = begin)]
struct DirectView {
    #[route(_ => all(graph, plain) join done)]
    begin: See,
    #[route(_ => done)]
    graph: Guarded,
    #[route(_ => done)]
    plain: See,
    #[route(_ => end)]
    done: See,
}

#[derive(AgentGraph)]
#[graph(state = View, start = begin)]
struct OtherView {
    #[route(_ => all(other, plain) join done)]
    begin: See,
    #[route(_ => done)]
    #[subgraph(enter = count_hidden, leave = tell)]
    other: Doubled,
    #[route(_ => done)]
    plain: See,
    #[route(_ => end)]
    done: See,
}

#[derive(AgentGraph)]
#[graph(state = View, start = begin)]
struct OwnView {
    #[route(_ => all(first, cached) join done)]
    begin: See,
    #[route(_ if is_rich => done, _ => poor)]
    first: See,
    #[route(_ => done)]
    poor: See,
    #[route(_ => done)]
    #[cache(key = hidden_key, ttl = "1h")]
    cached: See,
    #[route(_ => end)]
    done: See,
}

fn view() -> View {
    View {
        hidden: vec![5, 6],
        ..View::default()
    }
}

async fn in_a_branch_guards_items_and_graphs_within_see_the_whole_state(at: &impl Place) {
    let own = OwnView {
        begin: See("begin"),
        first: See("first"),
        poor: See("poor"),
        cached: See("cached"),
        done: See("done"),
    };
    let thread = Runtime::new(own).journal(at.open().await).thread("own");
    let state = thread.run(view()).await.unwrap().finished().unwrap();
    assert_eq!(state.seen, ["begin", "first", "cached", "done"]);
    assert_eq!(state.hidden, [5, 6]);

    let other = OtherView {
        begin: See("begin"),
        other: Doubled { double: Double },
        plain: See("plain"),
        done: See("done"),
    };
    let thread = Runtime::new(other).journal(at.open().await).thread("other");
    let state = thread.run(view()).await.unwrap().finished().unwrap();
    assert_eq!(state.seen, ["begin", "twice 4", "plain", "done"]);

    let direct = DirectView {
        begin: See("begin"),
        graph: guarded(),
        plain: See("plain"),
        done: See("done"),
    };
    let thread = Runtime::new(direct)
        .journal(at.open().await)
        .thread("direct");
    let state = thread.run(view()).await.unwrap().finished().unwrap();
    assert_eq!(
        state.seen,
        [
            "begin",
            "first",
            "rich",
            "5",
            "6",
            "end of rich",
            "plain",
            "done"
        ]
    );
    assert_eq!(thread.state().await.unwrap(), state);
    assert_eq!(state.hidden, [5, 6]);
}

// ---- A log whose branches are put together by a function.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Union {
    #[state(merge = once_each)]
    seen: Log<String>,
}

/// Takes over what nobody has said yet.
fn once_each(so_far: &mut Log<String>, _: &Log<String>, branch: &Log<String>) {
    for word in branch {
        if !so_far.iter().any(|said| said == word) {
            so_far.push(word.clone());
        }
    }
}

struct Spot(&'static [&'static str]);

#[node(Union)]
impl Spot {
    fn run(&self, seen: &mut Log<String>) {
        seen.extend(self.0.iter().map(|word| (*word).to_owned()));
    }
}

#[derive(AgentGraph)]
#[graph(state = Union, start = begin)]
struct Birds {
    #[route(_ => all(left, right) join done)]
    begin: Spot,
    #[route(_ => done)]
    left: Spot,
    #[route(_ => done)]
    right: Spot,
    #[route(_ => end)]
    done: Spot,
}

async fn a_log_with_a_merge_of_its_own_is_kept_as_that_made_it(at: &impl Place) {
    let birds = Birds {
        begin: Spot(&["wren"]),
        left: Spot(&["crow", "tit"]),
        right: Spot(&["tit", "owl"]),
        done: Spot(&["wren"]),
    };
    let thread = Runtime::new(birds).journal(at.open().await).thread("t");
    let state = thread.run(Union::default()).await.unwrap();
    let state = state.finished().unwrap();
    assert_eq!(state.seen, ["wren", "crow", "tit", "owl", "wren"]);
    assert_eq!(thread.state().await.unwrap(), state);
}

on_every_journal! {
    whatever_branch_finishes_first_the_state_and_the_journal_say_the_same
    forks_in_forks_come_out_as_one_after_the_other_would
    a_run_cut_off_at_any_append_repeats_only_what_is_missing
    a_runtime_bounds_how_many_nodes_work_in_all_its_runs
    an_each_of_nothing_goes_on_at_the_join
    a_branch_that_fails_cancels_the_others_and_keeps_what_they_had_finished
    of_two_branches_that_fail_at_once_one_is_told_and_both_are_tried_again
    after_a_branch_that_failed_another_run_begins_from_its_own_state
    a_list_of_items_that_panics_is_the_failure_of_the_node_that_forks
    an_item_that_json_has_no_word_for_is_refused_before_anything_is_forked
    several_questions_are_open_at_once_and_answered_in_any_order
    an_answer_that_is_wrong_or_to_no_question_changes_nothing
    of_two_answers_to_two_questions_at_once_the_slower_is_given_again
    a_run_that_is_dropped_among_its_branches_goes_on_with_what_is_missing
    of_two_that_recover_a_fork_at_once_one_loses_and_nothing_is_doubled
    a_stream_tells_what_each_branch_does
    a_stream_that_is_dropped_at_any_event_leaves_a_thread_to_recover
    limits_count_along_each_path_and_the_highest_count_goes_on
    a_loop_around_a_fork_is_stopped_where_its_branches_make_no_progress
    a_loop_within_a_branch_that_makes_no_progress_ends_the_run
    graphs_within_that_fork_in_branches_are_taken_up_where_they_were_cut_off
    what_a_log_begins_with_is_not_doubled_by_those_who_write_it_anew
    a_question_stays_open_beside_a_branch_that_failed
    a_run_that_begins_anew_leaves_the_old_questions_behind
    in_a_branch_guards_items_and_graphs_within_see_the_whole_state
    a_log_with_a_merge_of_its_own_is_kept_as_that_made_it
}
