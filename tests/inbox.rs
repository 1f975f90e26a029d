//! The inbox: which questions are open, over all threads.
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

use std::io;
use std::time::Duration;

use common::Place;
use futures::{StreamExt, TryStreamExt};
use handoffs::prelude::*;
use handoffs::{
    Approval, Durability, Journal, NodeError, Record, Thread, ThreadId, Waiting, inbox,
};

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Case {
    kind: String,
    said: Log<String>,
}

#[derive(Outcome)]
enum Sorted {
    One,
    Two,
    Nested,
    Hidden,
    Approved,
    None,
}

#[node(Case)]
fn sort(kind: &String) -> Sorted {
    match kind.as_str() {
        "one" => Sorted::One,
        "two" => Sorted::Two,
        "nested" => Sorted::Nested,
        "hidden" => Sorted::Hidden,
        "approved" => Sorted::Approved,
        _ => Sorted::None,
    }
}

struct Clerk;

#[node(Case)]
impl Clerk {
    async fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        let node = cx.node().to_owned();
        let answer: String = cx.ask("what", &format!("{node}?")).await?;
        said.push(format!("{node}: {answer}"));
        Ok(())
    }
}

#[node(Case)]
fn fails() -> Result<(), io::Error> {
    Err(io::Error::other("as told"))
}

#[node(Case)]
fn pass() {}

fn question(case: &Case) -> String {
    format!("may {} be?", case.kind)
}

/// One branch asks; the other one fails.
#[derive(AgentGraph)]
#[graph(state = Case, start = fork)]
struct Office {
    #[route(_ => all(asking, failing) join meet)]
    fork: Pass,
    #[route(_ => meet)]
    asking: Clerk,
    #[route(_ => meet)]
    failing: Fails,
    #[route(_ => end)]
    meet: Pass,
}

/// Both branches ask.
#[derive(AgentGraph)]
#[graph(state = Case, start = fork)]
struct Pair {
    #[route(_ => all(left, right) join meet)]
    fork: Pass,
    #[route(_ => meet)]
    left: Clerk,
    #[route(_ => meet)]
    right: Clerk,
    #[route(_ => end)]
    meet: Pass,
}

#[derive(AgentGraph)]
#[graph(state = Case, start = sort)]
struct City {
    #[route(
        Sorted::One => one,
        Sorted::Two => two,
        Sorted::Nested => nested,
        Sorted::Hidden => hidden,
        Sorted::Approved => one(approve = question, else = end),
        Sorted::None => end,
    )]
    sort: Sort,
    #[route(_ => end)]
    #[timeout(answer = "1h")]
    one: Clerk,
    #[route(_ => end)]
    two: Pair,
    #[route(_ => end)]
    nested: Office,
    #[route(_ => one)]
    #[on_error(then = one)]
    hidden: Office,
}

fn city<J: Journal>(journal: J, level: Durability) -> Runtime<City, J> {
    let office = || Office {
        fork: Pass,
        asking: Clerk,
        failing: Fails,
        meet: Pass,
    };
    let city = City {
        sort: Sort,
        one: Clerk,
        two: Pair {
            fork: Pass,
            left: Clerk,
            right: Clerk,
            meet: Pass,
        },
        nested: office(),
        hidden: office(),
    };
    Runtime::new(city).journal(journal).durability(level)
}

fn case(kind: &str) -> Case {
    Case {
        kind: kind.to_owned(),
        ..Case::default()
    }
}

async fn listed<J: Journal>(runtime: &Runtime<City, J>) -> Vec<Waiting> {
    runtime.inbox(None).try_collect().await.unwrap()
}

fn names(waiting: &[Waiting]) -> Vec<String> {
    let asks = |waiting: &Waiting| {
        let asks = waiting.asks.iter().map(|ask| ask.node.to_string());
        format!(
            "{}: {}",
            waiting.thread,
            asks.collect::<Vec<_>>().join(", ")
        )
    };
    waiting.iter().map(asks).collect()
}

/// Asserts that a thread's last entry, the thread and the inbox say the same of it.
async fn agree<J: Journal>(thread: &Thread<City, J>, runtime: &Runtime<City, J>, about: &str) {
    let asks = thread.asks().await.unwrap();
    let history = thread.history().await.unwrap();
    let open = history.last().map_or(0, |entry| entry.open as usize);
    assert_eq!(open, asks.len(), "{about}");
    let waiting = listed(runtime).await;
    let of_thread = waiting
        .into_iter()
        .find(|waiting| waiting.thread == *thread.id());
    let in_inbox = of_thread.map(|waiting| waiting.asks).unwrap_or_default();
    assert_eq!(in_inbox, asks, "{about}");
}

async fn all_open_questions_are_listed_by_thread(place: &impl Place) {
    let runtime = city(place.open().await, Durability::Sync);
    assert_eq!(listed(&runtime).await, []);
    for kind in ["two", "none", "one", "nested", "approved", "hidden"] {
        let _ = runtime.thread(kind).run(case(kind)).await;
    }
    let waiting = listed(&runtime).await;
    assert_eq!(
        names(&waiting),
        [
            "approved: sort",
            // What was asked in the office is for nobody any more, as the office has failed.
            "hidden: one",
            "nested: asking",
            "one: one",
            "two: left, right",
        ]
    );
    assert!(waiting.iter().all(|waiting| waiting.graph.name() == "City"));
    let expires = |at: usize| waiting[at].asks[0].expires_ms.is_some();
    assert_eq!([expires(1), expires(3), expires(4)], [true, true, false]);
    for kind in ["two", "none", "one", "nested", "approved", "hidden"] {
        agree(&runtime.thread(kind), &runtime, kind).await;
    }

    // A page begins behind the last thread of the one before.
    let after = |name: &str| Some(ThreadId::new(name));
    let page = runtime.inbox(after("hidden")).take(2);
    let page: Vec<_> = page.try_collect().await.unwrap();
    assert_eq!(names(&page), ["nested: asking", "one: one"]);
    let rest: Vec<_> = runtime.inbox(after("two")).try_collect().await.unwrap();
    assert_eq!(rest, []);
}

async fn what_is_answered_is_not_listed_any_more(place: &impl Place) {
    for level in [Durability::Sync, Durability::Step, Durability::Exit] {
        let runtime = city(place.open().await, level);
        for kind in ["two", "one", "approved", "hidden"] {
            let about = format!("{kind} {level:?}");
            let thread = runtime.thread(about.as_str());
            let mut run = thread.run(case(kind)).await.unwrap();
            while let Run::Paused(ask) = run {
                agree(&thread, &runtime, &about).await;
                run = if ask.key == "what" {
                    thread.resume(ask.id, "this").await.unwrap()
                } else {
                    thread.resume(ask.id, Approval::Approved).await.unwrap()
                };
            }
            agree(&thread, &runtime, &about).await;
        }
        assert_eq!(listed(&runtime).await, []);
    }
}

async fn a_question_of_a_run_that_failed_elsewhere_can_be_answered(place: &impl Place) {
    let runtime = city(place.open().await, Durability::Sync);
    let thread = runtime.thread("t");
    thread.run(case("nested")).await.unwrap_err();
    agree(&thread, &runtime, "failed").await;
    let asks = thread.asks().await.unwrap();
    // It takes the answer, and fails again where it failed.
    thread.resume(asks[0].id, "this").await.unwrap_err();
    agree(&thread, &runtime, "failed again").await;
    assert_eq!(listed(&runtime).await, []);
    // Another run closes what was open.
    thread.run(case("nested")).await.unwrap_err();
    thread.run(case("none")).await.unwrap();
    agree(&thread, &runtime, "another run").await;
}

async fn a_run_that_is_given_up_asks_nobody(place: &impl Place) {
    let runtime = city(place.open().await, Durability::Sync);
    let thread = runtime.thread("t");
    thread.run(case("two")).await.unwrap();
    assert_eq!(names(&listed(&runtime).await), ["t: left, right"]);
    thread.abandon("nobody is there").await.unwrap();
    agree(&thread, &runtime, "given up").await;
    assert_eq!(listed(&runtime).await, []);
}

async fn a_thread_that_was_trimmed_is_listed_with_all_it_asks(place: &impl Place) {
    let runtime = city(place.open().await, Durability::Sync);
    let thread = runtime.thread("t");
    thread.run(case("two")).await.unwrap();
    let asks = thread.asks().await.unwrap();
    thread.trim(1).await.unwrap();
    assert_eq!(thread.history().await.unwrap().len(), 1);
    assert_eq!(listed(&runtime).await[0].asks, asks);
    thread.resume(asks[0].id, "this").await.unwrap();
    agree(&thread, &runtime, "answered").await;
    assert_eq!(names(&listed(&runtime).await), ["t: right"]);
}

async fn a_copy_of_a_thread_asks_the_same(place: &impl Place) {
    let runtime = city(place.open().await, Durability::Sync);
    let thread = runtime.thread("t");
    thread.run(case("two")).await.unwrap();
    let last = thread.history().await.unwrap().len() as u64;
    let fork = thread.fork(last, "u").await.unwrap();
    agree(&fork, &runtime, "fork").await;
    assert_eq!(
        names(&listed(&runtime).await),
        ["t: left, right", "u: left, right"]
    );
}

async fn who_is_behind_an_entry_stands_in_it(place: &impl Place) {
    let runtime = city(place.open().await, Durability::Sync);
    let thread = runtime.thread("t");
    let run = thread.clone().by("alice").run(case("one")).await.unwrap();
    let ask = run.paused().unwrap();
    thread
        .clone()
        .by("bob")
        .resume(ask.id, "this")
        .await
        .unwrap();
    let by = |entry: &handoffs::Entry| entry.by.as_deref().map(str::to_owned);
    let by: Vec<_> = thread.history().await.unwrap().iter().map(by).collect();
    let of = |name: &str| Some(name.to_owned());
    assert_eq!(
        by,
        [of("alice"), of("alice"), of("alice"), of("bob"), of("bob")]
    );
}

on_every_journal! {
    all_open_questions_are_listed_by_thread
    what_is_answered_is_not_listed_any_more
    a_question_of_a_run_that_failed_elsewhere_can_be_answered
    a_run_that_is_given_up_asks_nobody
    a_thread_that_was_trimmed_is_listed_with_all_it_asks
    a_copy_of_a_thread_asks_the_same
    who_is_behind_an_entry_stands_in_it
}

#[tokio::test]
async fn more_threads_than_are_read_at_a_time_are_all_listed() {
    let journal = Memory::default();
    let runtime = city(journal.clone(), Durability::Step);
    for number in 0..600 {
        let kind = if number % 3 == 0 { "one" } else { "none" };
        let thread = runtime.thread(format!("{number:03}"));
        drop(thread.run(case(kind)).await.unwrap());
    }
    let waiting = listed(&runtime).await;
    let expected = (0..600)
        .step_by(3)
        .map(|number| format!("{number:03}: one"));
    assert_eq!(names(&waiting), expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_damaged_thread_is_an_error_and_hides_no_other() {
    let journal = Memory::default();
    let runtime = city(journal.clone(), Durability::Sync);
    for name in ["a", "c"] {
        runtime.thread(name).run(case("one")).await.unwrap();
    }
    let body = b"{}".to_vec();
    let broken = Record::new(1, handoffs::Hash::of(&body), body);
    let thread = ThreadId::new("b");
    let append = journal.append(&thread, 0, vec![broken], Durability::Sync);
    append.await.unwrap();
    let listed: Vec<_> = inbox(&journal, None).collect().await;
    let shown =
        |waiting: &Result<Waiting, _>| waiting.as_ref().map(|of| of.thread.to_string()).ok();
    let shown: Vec<_> = listed.iter().map(shown).collect();
    assert_eq!(shown, [Some("a".to_owned()), None, Some("c".to_owned())]);
}

#[tokio::test]
async fn an_expired_question_is_listed_until_the_thread_is_recovered() {
    use std::time::SystemTime;
    let journal = Memory::default();
    let now = city(journal.clone(), Durability::Sync);
    now.thread("t").run(case("one")).await.unwrap();
    let in_a_day = || SystemTime::now() + Duration::from_hours(24);
    let later = city(journal, Durability::Sync).clock(in_a_day);
    assert_eq!(names(&listed(&later).await), ["t: one"]);
    later.thread("t").recover().await.unwrap_err();
    agree(&later.thread("t"), &later, "expired").await;
    assert_eq!(listed(&later).await, []);
}
