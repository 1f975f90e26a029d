//! The cases on time travel, on state that is changed from outside, and on what a journal keeps, on every
//! journal at every level of durability; COMPATIBILITY.md says which is which.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(clippy::disallowed_names, reason = "the case calls it so")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::slice::from_ref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use common::{Place, Tally, lines, path, timeless, writes};
use handoffs::prelude::*;
use handoffs::{
    Durability, Entry, Hash, Journal, JournalError, NodeError, Record, Recorded, Retention,
    Runnable, Thread, ThreadId, copy_thread,
};

async fn open<G: Runnable, P: Place>(graph: G, at: &P, level: Durability) -> Thread<G, P::Journal> {
    let runtime = Runtime::new(graph).journal(at.open().await);
    runtime.durability(level).thread("1")
}

/// Returns the number of the entry that a line of [`lines`] begins with.
async fn entry<G: Runnable>(thread: &Thread<G, impl Journal>, line: &str) -> u64 {
    let lines = lines(&thread.history().await.unwrap());
    let at = lines.iter().position(|other| other.starts_with(line));
    at.unwrap_or_else(|| panic!("no `{line}` in {lines:?}")) as u64 + 1
}

async fn records(at: &impl Place) -> Vec<Record> {
    at.open().await.read(&"1".into(), 0).await.unwrap()
}

// ---- A node, another one, and between them somebody who may be asked.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Said {
    value: Log<String>,
}

/// Says its name.
struct Say(Tally);

#[node(Said)]
impl Say {
    fn run(&self, value: &mut Log<String>, cx: &mut Context<'_>) {
        self.0.count(cx.node());
        value.push(cx.node().to_owned());
    }
}

/// Asks some questions, and says the answers.
struct Asks(&'static [&'static str], Tally);

#[node(Said)]
impl Asks {
    async fn run(&self, value: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        self.1.count(cx.node());
        for question in self.0 {
            let answer: String = cx.ask(question, question).await?;
            value.push(format!("{question}:{answer}"));
        }
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Said, start = a)]
struct Two {
    #[route(_ => b)]
    a: Say,
    #[route(_ => end)]
    b: Say,
}

fn two(tally: &Tally) -> Two {
    Two {
        a: Say(tally.clone()),
        b: Say(tally.clone()),
    }
}

#[derive(AgentGraph)]
#[graph(state = Said, start = a)]
struct Asked {
    #[route(_ => human)]
    a: Say,
    #[route(_ => b)]
    human: Asks,
    #[route(_ => end)]
    b: Say,
}

fn asked(questions: &'static [&'static str], tally: &Tally) -> Asked {
    Asked {
        a: Say(tally.clone()),
        human: Asks(questions, tally.clone()),
        b: Say(tally.clone()),
    }
}

fn calls(tally: &Tally) -> [u32; 3] {
    ["a", "human", "b"].map(|node| tally.of(node))
}

/// B41.
async fn b41_a_replay_runs_what_came_after_it_and_one_of_the_end_runs_nothing(
    at: &impl Place,
    level: Durability,
) {
    let tally = Tally::default();
    let thread = open(two(&tally), at, level).await;
    let _ = thread.run(Said::default()).await.unwrap();
    let before = records(at).await;
    tally.clear();

    let seq = entry(&thread, "a: ").await;
    let run = thread.replay(seq, "replay").await.unwrap();
    assert_eq!(run.finished().unwrap().value, ["a", "b"]);
    assert_eq!(calls(&tally), [0, 0, 1]);

    tally.clear();
    let last = before.len() as u64;
    let run = thread.replay(last, "replay of the end").await.unwrap();
    assert_eq!(run.finished().unwrap().value, ["a", "b"]);
    assert_eq!(calls(&tally), [0, 0, 0]);
    assert_eq!(records(at).await, before);
}

/// B42.
async fn b42_forks_go_on_from_another_state_and_do_not_see_each_other(
    at: &impl Place,
    level: Durability,
) {
    let tally = Tally::default();
    let thread = open(two(&tally), at, level).await;
    let _ = thread.run(Said::default()).await.unwrap();
    let seq = entry(&thread, "a: ").await;
    for (fork, word) in [("fork1", "x"), ("fork2", "y")] {
        tally.clear();
        let fork = thread.fork(seq, fork).await.unwrap();
        let edit = |said: &mut Said| said.value.push(word.to_owned());
        let _ = fork.edit("what if", edit).await.unwrap();
        let run = fork.recover().await.unwrap();
        assert_eq!(run.finished().unwrap().value, ["a", word, "b"]);
        assert_eq!(calls(&tally), [0, 0, 1]);
    }
    let state = thread.state().await.unwrap();
    assert_eq!(state.value, ["a", "b"]);
}

/// B43.
async fn b43_a_replay_from_before_a_question_asks_it_again(at: &impl Place, level: Durability) {
    let tally = Tally::default();
    let thread = open(asked(&["Name?"], &tally), at, level).await;
    let ask = thread.run(Said::default()).await.unwrap().paused().unwrap();
    assert_eq!(calls(&tally), [1, 1, 0]);
    let run = thread.resume(ask.id, "Alice").await.unwrap();
    assert_eq!(run.finished().unwrap().value, ["a", "Name?:Alice", "b"]);
    assert_eq!(calls(&tally), [1, 2, 1]);

    let seq = entry(&thread, "a: ").await;
    let replay = thread.replay(seq, "replay").await.unwrap();
    let again = replay.paused().unwrap();
    assert_eq!(again.question, ask.question);
    assert_eq!(calls(&tally), [1, 3, 1]);
}

/// B44.
async fn b44_a_fork_between_two_questions_asks_the_second_again(
    at: &impl Place,
    level: Durability,
) {
    let tally = Tally::default();
    let thread = open(asked(&["i1", "i2"], &tally), at, level).await;
    let first = thread.run(Said::default()).await.unwrap().paused().unwrap();
    let run = thread.resume(first.id, "ans1").await.unwrap();
    let second = run.paused().unwrap();
    let run = thread.resume(second.id, "ans2").await.unwrap();
    assert_eq!(
        run.finished().unwrap().value,
        ["a", "i1:ans1", "i2:ans2", "b"]
    );

    // Before the second was asked, and where it is open.
    for (fork, seq) in [
        ("before", second.id.get() - 1),
        ("while it is open", second.id.get()),
    ] {
        let fork = thread.fork(seq, fork).await.unwrap();
        let ask = fork.recover().await.unwrap().paused().unwrap();
        assert_eq!(ask.key, "i2");
        let run = fork.resume(ask.id, "new_b").await.unwrap();
        assert_eq!(
            run.finished().unwrap().value,
            ["a", "i1:ans1", "i2:new_b", "b"]
        );
    }
}

// ---- B46 and B49: loops.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Counted {
    #[state(progress)]
    value: u64,
}

#[derive(Outcome)]
enum Next {
    Again,
    Done,
}

/// Adds one, and is done each time that the number of its calls is a multiple of this one.
struct Add(u64, Arc<AtomicU64>);

#[node(Counted)]
impl Add {
    fn run(&self, value: &mut u64) -> Next {
        *value += 1;
        let calls = self.1.fetch_add(1, Ordering::Relaxed) + 1;
        if calls.is_multiple_of(self.0) {
            Next::Done
        } else {
            Next::Again
        }
    }
}

#[derive(AgentGraph)]
#[graph(state = Counted, start = add)]
struct Adding {
    #[route(Next::Again => add(limit = 20, else = end), Next::Done => end)]
    add: Add,
}

/// B46.
async fn b46_a_replay_leaves_what_was_written_as_it_is(at: &impl Place, level: Durability) {
    let add = Add(3, Arc::default());
    let thread = open(Adding { add }, at, level).await;
    let run = thread.run(Counted { value: 1 }).await.unwrap();
    assert_eq!(run.finished(), Some(Counted { value: 4 }));
    let before = records(at).await;
    assert_eq!(before.len(), 4);

    // Without what the last two steps did: of those, three are run now.
    let run = thread.replay(2, "2").await.unwrap();
    assert_eq!(run.finished(), Some(Counted { value: 5 }));
    let replay = Runtime::new(Adding {
        add: Add(3, Arc::default()),
    })
    .journal(at.open().await)
    .thread("2");
    let history = replay.history().await.unwrap();
    assert_eq!(history.len(), 2 + 1 + 3);
    let Recorded::Copied { from, head, .. } = &history[2].event else {
        panic!("{:?}", history[2]);
    };
    assert_eq!(
        (from.as_str(), head.seq, head.hash),
        ("1", 2, before[1].hash)
    );
    assert_eq!(records(at).await, before);
}

#[derive(Clone)]
struct UpToSix;

#[node(Counted)]
impl UpToSix {
    fn run(&self, value: &mut u64) -> Next {
        *value += 1;
        if *value < 6 { Next::Again } else { Next::Done }
    }
}

#[derive(AgentGraph)]
#[graph(state = Counted, start = add_one)]
struct SelfLoop {
    #[route(Next::Again => add_one(limit = 20, else = end), Next::Done => end)]
    add_one: UpToSix,
}

/// B49.
async fn b49_a_fork_from_anywhere_in_a_loop_runs_the_rest_of_it(
    at: &impl Place,
    level: Durability,
) {
    let thread = open(SelfLoop { add_one: UpToSix }, at, level).await;
    let run = thread.run(Counted { value: 1 }).await.unwrap();
    assert_eq!(run.finished(), Some(Counted { value: 6 }));
    let history = thread.history().await.unwrap();
    let values: Vec<_> = history.iter().flat_map(writes).collect();
    let expected: Vec<_> = (1..=6).map(|value| format!("value = {value}")).collect();
    assert_eq!(values, expected);

    for seq in 1..=history.len() as u64 {
        assert_eq!(
            thread.state_at(seq).await.unwrap(),
            Counted { value: seq },
            "after entry {seq}"
        );
        let fork = thread.fork(seq, format!("fork {seq}")).await.unwrap();
        let run = fork.recover().await.unwrap();
        assert_eq!(run.finished(), Some(Counted { value: 6 }));
        let steps = path(&fork.history().await.unwrap()).len();
        assert_eq!(steps, 5, "with those that were copied");
    }
}

// ---- B48: what is written from outside.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Dish {
    foo: String,
    baz: String,
}

#[node(Dish)]
fn cook(foo: &mut String) {
    foo.push_str("cooked");
}

#[derive(AgentGraph)]
#[graph(state = Dish, start = cook)]
struct Kitchen {
    #[route(_ => end)]
    cook: Cook,
}

/// B48: of two changes, two entries are made. Who changes nothing writes down why nothing.
async fn b48_each_change_from_outside_is_an_entry(at: &impl Place, level: Durability) {
    let thread = open(Kitchen { cook: Cook }, at, level).await;
    let _ = thread.run(Dish::default()).await.unwrap();
    let before = thread.history().await.unwrap().len();
    let edit = |dish: &mut Dish| dish.foo.push_str(", updated");
    let _ = thread.edit("first", edit).await.unwrap();
    let edit = |dish: &mut Dish| dish.baz.push_str("new");
    let dish = thread.edit("second", edit).await.unwrap();
    assert_eq!((&*dish.foo, &*dish.baz), ("cooked, updated", "new"));
    assert_eq!(thread.state().await.unwrap(), dish);
    let history = thread.history().await.unwrap();
    let edits: Vec<_> = history[before..].iter().map(writes_of_edit).collect();
    assert_eq!(
        edits,
        [
            ("first", r#"foo = "cooked, updated""#.to_owned()),
            ("second", r#"baz = "new""#.to_owned()),
        ]
    );
}

fn writes_of_edit(entry: &Entry) -> (&str, String) {
    let Recorded::Edited { writes, why, .. } = &entry.event else {
        panic!("{entry:?}");
    };
    let writes = writes.iter().map(|(name, write)| match write {
        handoffs::Write::Set(value) => format!("{name} = {value}"),
        other => format!("{name}: {other:?}"),
    });
    (why, writes.collect::<Vec<_>>().join(", "))
}

/// B48: a history that is written by hand tells what that of the runs does.
async fn b48_a_copy_of_two_runs_has_the_history_of_two_runs(at: &impl Place, level: Durability) {
    let tally = Tally::default();
    let thread = open(two(&tally), at, level).await;
    for _ in 0..2 {
        let _ = thread.run(Said::default()).await.unwrap();
    }
    let journal = at.open().await;
    let copy = ThreadId::new("copy");
    copy_thread(&journal, thread.id(), &copy).await.unwrap();
    let runtime = Runtime::new(two(&tally)).journal(journal);
    let copy = runtime.thread(copy);
    let mut copied = timeless(&copy.history().await.unwrap());
    assert!(copied.pop().unwrap()["event"]["copied"].is_object());
    assert_eq!(copied, timeless(&thread.history().await.unwrap()));
    assert_eq!(copy.state().await.unwrap(), thread.state().await.unwrap());
}

// ---- B65: what a store is tested for. The rest is in `journal_suite`, which proves any store.

/// B65: `put_incremental_channel_update`.
async fn b65_only_what_changed_is_written_and_all_else_is_still_there(
    at: &impl Place,
    level: Durability,
) {
    let thread = open(Kitchen { cook: Cook }, at, level).await;
    let dish = Dish {
        baz: "salt".to_owned(),
        ..Dish::default()
    };
    let _ = thread.run(dish).await.unwrap();
    let history = thread.history().await.unwrap();
    let written: Vec<_> = history
        .iter()
        .map(|entry| writes(entry).join(", "))
        .collect();
    assert_eq!(written, [r#"foo = "", baz = "salt""#, r#"foo = "cooked""#]);
    let dish = thread.state().await.unwrap();
    assert_eq!((&*dish.foo, &*dish.baz), ("cooked", "salt"));
}

/// B65: `put_writes_special_channels` and `put_writes_cleared_on_next_checkpoint`.
async fn b65_questions_and_answers_are_kept_until_their_step_is_done(
    at: &impl Place,
    level: Durability,
) {
    let tally = Tally::default();
    let thread = open(asked(&["i1", "i2"], &tally), at, level).await;
    let mut run = thread.run(Said::default()).await.unwrap();
    for answer in ["one", "two"] {
        let ask = run.paused().unwrap();
        assert_eq!(thread.asks().await.unwrap(), from_ref(&ask));
        run = thread.resume(ask.id, answer).await.unwrap();
    }
    assert!(run.finished().is_some());
    assert_eq!(thread.asks().await.unwrap(), []);
    assert_eq!(
        lines(&thread.history().await.unwrap()),
        [
            "started",
            "a: _ => human",
            r#"human asks "i1""#,
            r#"answered "one""#,
            r#"human asks "i2""#,
            r#"answered "two""#,
            "human: _ => b",
            "b: _ => end",
        ]
    );
}

/// Returns records of one thread that say nothing in particular.
fn some_records(head: u64, bodies: &[&str]) -> Vec<Record> {
    let records = (head + 1..).zip(bodies).map(|(seq, body)| {
        let body = body.as_bytes().to_vec();
        Record::new(seq, Hash::of(&body), body)
    });
    records.collect()
}

/// B65: `put_writes_idempotent`.
async fn b65_what_is_appended_again_is_refused_and_is_there_once(
    at: &impl Place,
    level: Durability,
) {
    let (journal, thread) = (at.open().await, ThreadId::new("1"));
    let records = some_records(0, &["a", "b"]);
    let append = |head, records| journal.append(&thread, head, records, level);
    append(0, records.clone()).await.unwrap();
    let error = append(0, records.clone()).await.unwrap_err();
    assert!(matches!(error, JournalError::Conflict { .. }), "{error}");
    assert_eq!(at.open().await.read(&thread, 0).await.unwrap(), records);
}

/// B65: `list_ordering`, `list_before`, `list_limit`.
async fn b65_records_and_threads_are_listed_in_order_and_in_parts(
    at: &impl Place,
    level: Durability,
) {
    let journal = at.open().await;
    for name in ["c", "a", "b"] {
        let thread = ThreadId::new(name);
        for (head, body) in (0..).zip(["1", "2", "3"]) {
            let records = some_records(head, &[body]);
            journal.append(&thread, head, records, level).await.unwrap();
        }
    }
    let thread = ThreadId::new("b");
    let seqs = |records: Vec<Record>| records.iter().map(|record| record.seq).collect::<Vec<_>>();
    assert_eq!(seqs(journal.read(&thread, 0).await.unwrap()), [1, 2, 3]);
    assert_eq!(seqs(journal.read(&thread, 2).await.unwrap()), [3]);
    let first = journal.heads(None, 2).await.unwrap();
    let rest = journal.heads(Some(&first[1].0), 2).await.unwrap();
    let heads: Vec<_> = first.iter().chain(&rest).collect();
    let heads: Vec<_> = heads
        .iter()
        .map(|(thread, record)| (thread.as_str(), record.seq))
        .collect();
    assert_eq!(heads, [("a", 3), ("b", 3), ("c", 3)]);
}

/// B65: `delete_thread_removes_all_namespaces` and preserves others.
async fn b65_a_thread_is_deleted_with_all_that_is_kept_of_it_and_no_other_is(
    at: &impl Place,
    level: Durability,
) {
    let tally = Tally::default();
    let thread = open(asked(&["i1"], &tally), at, level).await;
    let _ = thread.run(Said::default()).await.unwrap();
    let other = thread.fork(2, "other").await.unwrap();
    let before = other.history().await.unwrap().len();
    let journal = at.open().await;
    for _ in 0..2 {
        journal.delete(thread.id(), None).await.unwrap();
        assert_eq!(thread.status().await.unwrap(), Status::New);
    }
    assert_eq!(journal.threads().await.unwrap(), ["other".into()]);
    assert_eq!(other.history().await.unwrap().len(), before);
    let ask = other.recover().await.unwrap().paused().unwrap();
    let run = other.resume(ask.id, "one").await.unwrap();
    assert!(run.finished().is_some());
    // Its name can be used again.
    let ask = thread.run(Said::default()).await.unwrap().paused();
    assert!(ask.is_some());
}

/// B65: `copy_thread_preserves_ordering`, `.._writes`, and the source is unchanged.
async fn b65_a_copy_has_all_in_its_order_and_the_thread_stays_as_it_is(
    at: &impl Place,
    level: Durability,
) {
    let tally = Tally::default();
    let thread = open(asked(&["i1"], &tally), at, level).await;
    let ask = thread.run(Said::default()).await.unwrap().paused().unwrap();
    let before = records(at).await;
    let journal = at.open().await;
    let name = ThreadId::new("copy");
    copy_thread(&journal, thread.id(), &name).await.unwrap();
    assert_eq!(records(at).await, before);
    let runtime = Runtime::new(asked(&["i1"], &tally)).journal(journal);
    let copy = runtime.durability(level).thread(name);
    let lines_of_copy = lines(&copy.history().await.unwrap());
    assert_eq!(
        lines_of_copy[..before.len()],
        lines(&thread.history().await.unwrap())
    );
    // What waits for an answer there waits for one here, and each has its own.
    let run = copy.resume(ask.id, "one").await.unwrap();
    assert!(run.finished().is_some());
    assert_eq!(thread.asks().await.unwrap(), [ask]);
    assert_eq!(records(at).await, before);
}

#[derive(AgentGraph)]
#[graph(state = Said, start = a)]
struct Both {
    #[route(_ => all(one, two) join b)]
    a: Say,
    #[route(_ => b)]
    one: Asks,
    #[route(_ => b)]
    two: Asks,
    #[route(_ => end)]
    b: Say,
}

/// B65: `prune_keep_latest_across_namespaces` and `prune_empty_list_noop`.
async fn b65_what_is_trimmed_keeps_where_each_branch_stands(at: &impl Place, level: Durability) {
    let tally = Tally::default();
    let both = Both {
        a: Say(tally.clone()),
        one: Asks(&["i1"], tally.clone()),
        two: Asks(&["i2"], tally.clone()),
        b: Say(tally.clone()),
    };
    let thread = open(both, at, level).await;
    let _ = thread.run(Said::default()).await.unwrap();
    let before = records(at).await;
    thread.trim(before.len() as u64).await.unwrap();
    assert_eq!(records(at).await, before, "there was nothing to drop");

    let asks = thread.asks().await.unwrap();
    thread.trim(1).await.unwrap();
    assert_eq!(records(at).await, before[before.len() - 1..]);
    assert_eq!(thread.asks().await.unwrap(), asks);
    let [one, two] = &asks[..] else {
        panic!("{asks:?}");
    };
    let run = thread.resume(two.id, "two").await.unwrap();
    assert_eq!(run.paused().unwrap(), *one);
    thread.trim(1).await.unwrap();
    let run = thread.resume(one.id, "one").await.unwrap();
    assert_eq!(
        run.finished().unwrap().value,
        ["a", "i1:one", "i2:two", "b"]
    );
}

/// B65: `delete_for_runs_across_namespaces`, and what of it is for whole threads in `prune`.
async fn b65_threads_that_are_over_are_removed_and_no_other_is(at: &impl Place, level: Durability) {
    let tally = Tally::default();
    let journal = at.open().await;
    let runtime = Runtime::new(asked(&["i1"], &tally)).journal(journal.clone());
    let runtime = runtime.durability(level);
    for name in ["over", "waits", "is given up", "is over, too"] {
        let thread = runtime.thread(name);
        let ask = thread.run(Said::default()).await.unwrap().paused().unwrap();
        if name.contains("over") {
            let _ = thread.resume(ask.id, "one").await.unwrap();
        } else if name.contains("given up") {
            thread.abandon("no time").await.unwrap();
        }
    }
    let now = SystemTime::now() + Duration::from_hours(1);
    let none = Retention::new().apply(&journal, now).await.unwrap();
    assert_eq!(none, [], "nothing was said that could be removed");
    let young = Retention::new().older_than(Duration::from_hours(2));
    assert_eq!(young.apply(&journal, now).await.unwrap(), []);
    let old = Retention::new().older_than(Duration::from_mins(1));
    let removed = old.apply(&journal, now).await.unwrap();
    let names = ["is given up", "is over, too", "over"].map(ThreadId::new);
    assert_eq!(removed, names);

    assert_eq!(journal.threads().await.unwrap(), ["waits".into()]);
    let waits = runtime.thread("waits");
    let ask = waits.recover().await.unwrap().paused().unwrap();
    let run = waits.resume(ask.id, "one").await.unwrap();
    assert!(run.finished().is_some());
    let removed = Retention::new().keep_last(0).apply(&journal, now).await;
    assert_eq!(removed.unwrap(), ["waits".into()]);
}

at_every_level! {
    b41_a_replay_runs_what_came_after_it_and_one_of_the_end_runs_nothing
    b42_forks_go_on_from_another_state_and_do_not_see_each_other
    b43_a_replay_from_before_a_question_asks_it_again
    b44_a_fork_between_two_questions_asks_the_second_again
    b46_a_replay_leaves_what_was_written_as_it_is
    b48_a_copy_of_two_runs_has_the_history_of_two_runs
    b48_each_change_from_outside_is_an_entry
    b49_a_fork_from_anywhere_in_a_loop_runs_the_rest_of_it
    b65_a_copy_has_all_in_its_order_and_the_thread_stays_as_it_is
    b65_a_thread_is_deleted_with_all_that_is_kept_of_it_and_no_other_is
    b65_only_what_changed_is_written_and_all_else_is_still_there
    b65_questions_and_answers_are_kept_until_their_step_is_done
    b65_records_and_threads_are_listed_in_order_and_in_parts
    b65_what_is_appended_again_is_refused_and_is_there_once
    b65_threads_that_are_over_are_removed_and_no_other_is
    b65_what_is_trimmed_keeps_where_each_branch_stands
}
