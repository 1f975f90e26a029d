//! Cases from the field, part B: parallel branches, what they make of the state, and pauses among them.
//!
//! The numbers are those of the project's collection of cases; what does not apply, and why, stands
//! in `COMPATIBILITY.md`.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::disallowed_names,
    clippy::ignored_unit_patterns,
    clippy::needless_pass_by_value,
    clippy::ptr_arg,
    clippy::struct_field_names,
    clippy::trivially_copy_pass_by_ref,
    clippy::unused_self,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::{Place, Tally, Turns, by_branch, chain, lines, path, writes};
use handoffs::prelude::*;
use handoffs::{
    Contract, Counter, Durability, Execute, Field, FieldSet, Max, Merge, Min, NodeError, Recorded,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

fn strings<const N: usize>(words: [&str; N]) -> Log<String> {
    Log::from(words.map(str::to_owned).to_vec())
}

// ---- B6, B7: two nodes that add one, in a row and beside each other.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Numbers {
    input: i64,
    topic: Log<i64>,
    total: Counter,
}

/// Adds one to the number that came last.
#[node(Numbers)]
fn add_one(input: &i64, topic: &mut Log<i64>, total: &mut Counter) {
    let last = topic.last().copied().unwrap_or(*input);
    topic.push(last + 1);
    *total += last + 1;
}

#[node(Numbers)]
fn fan() {}

#[derive(AgentGraph)]
#[graph(state = Numbers, start = one)]
struct Row {
    #[route(_ => two)]
    one: AddOne,
    #[route(_ => end)]
    two: AddOne,
}

#[derive(AgentGraph)]
#[graph(state = Numbers, start = begin)]
struct Pair {
    #[route(_ => all(one, two) join both)]
    begin: Fan,
    #[route(_ => both)]
    one: AddOne,
    #[route(_ => both)]
    two: AddOne,
    #[route(_ => end)]
    both: Fan,
}

fn numbers(input: i64) -> Numbers {
    Numbers {
        input,
        ..Numbers::default()
    }
}

/// B6. That a run of two stages may be too long is known before it begins.
#[tokio::test]
async fn b6_two_stages_that_add_one_make_four_of_two() {
    let row = Row {
        one: AddOne,
        two: AddOne,
    };
    let state = Runtime::new(row).thread("t").run(numbers(2)).await.unwrap();
    assert_eq!(state.finished().unwrap().topic.last(), Some(&4));
    assert_eq!(Row::MAX_HANDOFFS, 1);
}

/// B7. Into a plain field it does not compile: `tests/ui/fail/branches_that_write_the_same_field.rs`.
async fn b7_what_two_branches_publish_stands_there_side_by_side(at: &impl Place) {
    let pair = Pair {
        begin: Fan,
        one: AddOne,
        two: AddOne,
        both: Fan,
    };
    let thread = Runtime::new(pair).journal(at.open().await).thread("t");
    let state = thread.run(numbers(2)).await.unwrap().finished().unwrap();
    assert_eq!(state.topic, Log::from(vec![3, 3]));
    assert_eq!(state.total, 6);
    assert_eq!(thread.state().await.unwrap(), state);
}

// ---- B9, B12, B13: retrievers beside each other, and who waits for them.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Search {
    query: String,
    docs: Log<String>,
    answer: Option<String>,
    value: String,
}

/// One of the nodes, which takes its turn.
#[derive(Clone)]
struct Rewrite(Turns);

#[node(Search)]
impl Rewrite {
    async fn run(&self, query: &mut String) {
        self.0.take("rewrite").await;
        *query = format!("query: {query}");
    }
}

#[derive(Clone)]
struct Analyze(Turns);

#[node(Search)]
impl Analyze {
    async fn run(&self, query: &mut String) {
        self.0.take("analyzer").await;
        *query = format!("analyzed: {query}");
    }
}

#[derive(Clone)]
struct Retrieve(&'static str, [&'static str; 2], Turns);

#[node(Search)]
impl Retrieve {
    async fn run(&self, docs: &mut Log<String>) {
        self.2.take(self.0).await;
        docs.extend(self.1.map(str::to_owned));
    }
}

#[node(Search)]
fn answer_it(docs: &Log<String>, mut answer: Out<'_, String>) {
    answer.set(docs.to_vec().join(","));
}

#[derive(AgentGraph)]
#[graph(state = Search, start = rewrite)]
struct Waiting {
    #[route(_ => all(analyzer, retriever_two) join qa)]
    rewrite: Rewrite,
    #[route(_ => retriever_one)]
    analyzer: Analyze,
    #[route(_ => qa)]
    retriever_one: Retrieve,
    #[route(_ => qa)]
    retriever_two: Retrieve,
    #[route(_ => end)]
    qa: AnswerIt,
}

fn waiting(turns: &Turns) -> Waiting {
    let retrieve = |name, docs| Retrieve(name, docs, turns.clone());
    Waiting {
        rewrite: Rewrite(turns.clone()),
        analyzer: Analyze(turns.clone()),
        retriever_one: retrieve("retriever_one", ["doc1", "doc2"]),
        retriever_two: retrieve("retriever_two", ["doc3", "doc4"]),
        qa: AnswerIt,
    }
}

/// B9. A branch of two steps and one of one, whichever is slower.
async fn b9_a_join_waits_for_branches_of_any_length_and_comes_once(at: &impl Place) {
    for (number, order) in [
        ["rewrite", "analyzer", "retriever_two", "retriever_one"],
        ["rewrite", "analyzer", "retriever_one", "retriever_two"],
        ["rewrite", "retriever_two", "analyzer", "retriever_one"],
    ]
    .into_iter()
    .enumerate()
    {
        let graph = waiting(&Turns::new(order));
        let thread = Runtime::new(graph)
            .journal(at.open().await)
            .thread(format!("t{number}"));
        let input = Search {
            query: "what is weather in sf".to_owned(),
            ..Search::default()
        };
        let state = thread.run(input).await.unwrap().finished().unwrap();
        assert_eq!(state.query, "analyzed: query: what is weather in sf");
        assert_eq!(state.docs, ["doc1", "doc2", "doc3", "doc4"]);
        assert_eq!(state.answer.as_deref(), Some("doc1,doc2,doc3,doc4"));
        assert_eq!(thread.state().await.unwrap(), state);
        let path = path(&thread.history().await.unwrap());
        assert_eq!(path.len(), 5, "{path:?}");
        assert_eq!((&*path[0], &*path[4]), ("rewrite", "qa"));
    }
}

#[tokio::test]
async fn b9_the_updates_come_in_the_order_in_which_they_were_made() {
    let order = ["rewrite", "analyzer", "retriever_two", "retriever_one"];
    let graph = waiting(&Turns::new(order));
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let _ = thread.run(Search::default()).await.unwrap();
    let path = path(&thread.history().await.unwrap());
    assert_eq!(path[..4], order);
    assert_eq!(path[4], "qa");
}

#[derive(Outcome)]
enum Wanted {
    Analysis,
    Everything,
    Nothing,
}

/// Says which of the retrievers are wanted.
struct Choose;

#[node(Search)]
impl Choose {
    fn run(&self, query: &str) -> Wanted {
        match query {
            "all" => Wanted::Everything,
            "" => Wanted::Nothing,
            _ => Wanted::Analysis,
        }
    }
}

#[derive(AgentGraph)]
#[graph(state = Search, start = choose)]
struct Choosing {
    #[route(
        Wanted::Everything => all(analyzer_one, retriever_two) join qa,
        Wanted::Analysis => all(analyzer_one) join qa,
        Wanted::Nothing => qa,
    )]
    choose: Choose,
    #[route(_ => retriever_one)]
    analyzer_one: Analyze,
    #[route(_ => qa)]
    retriever_one: Retrieve,
    #[route(_ => qa)]
    retriever_two: Retrieve,
    #[route(_ => end)]
    qa: AnswerIt,
}

/// B12. Which branches there are is the outcome's to say, and the join knows which to wait for.
async fn b12_an_outcome_chooses_the_branches(at: &impl Place) {
    for (query, answer, steps) in [
        ("all", "doc1,doc2,doc3,doc4", 5),
        ("one", "doc1,doc2", 4),
        ("", "", 2),
    ] {
        let Waiting {
            analyzer,
            retriever_one,
            retriever_two,
            qa,
            ..
        } = waiting(&Turns::default());
        let graph = Choosing {
            choose: Choose,
            analyzer_one: analyzer,
            retriever_one,
            retriever_two,
            qa,
        };
        let thread = Runtime::new(graph).journal(at.open().await).thread(query);
        let input = Search {
            query: query.to_owned(),
            ..Search::default()
        };
        let state = thread.run(input).await.unwrap().finished().unwrap();
        assert_eq!(state.answer.as_deref(), Some(answer));
        assert_eq!(path(&thread.history().await.unwrap()).len(), steps);
    }
}

#[derive(Clone)]
struct Side;

#[node(Search)]
impl Side {
    fn run(&self) {}
}

#[node(Search)]
fn up(value: &mut String) {
    value.push_str("my_value");
}

#[node(Search)]
fn other(docs: &mut Log<String>) {
    docs.push("_more".to_owned());
}

#[node(Search)]
fn down(value: &mut String, docs: &Log<String>) {
    value.extend(docs.iter().map(String::as_str));
}

#[derive(AgentGraph)]
#[graph(state = Search, start = up)]
struct Edges {
    #[route(_ => all(side, other) join down)]
    up: Up,
    #[route(_ => down)]
    side: Side,
    #[route(_ => down)]
    other: Other,
    #[route(_ => end)]
    down: Down,
}

/// B13.
async fn b13_four_nodes_make_four_updates_and_the_join_comes_once_and_last(at: &impl Place) {
    let graph = Edges {
        up: Up,
        side: Side,
        other: Other,
        down: Down,
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    let state = thread
        .run(Search::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(state.value, "my_value_more");
    let path = path(&thread.history().await.unwrap());
    assert_eq!(path.len(), 4);
    assert_eq!(path.iter().filter(|node| *node == "down").count(), 1);
    assert_eq!(path.last().unwrap(), "down");
}

// ---- B15, B16, B17: how fields are put together.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Foo {
    foo: Log<String>,
    set: BTreeSet<u32>,
    sum: Counter,
    most: Max<i64>,
    least: Min<i64>,
    #[state(merge = worst)]
    worst: u32,
}

fn worst(merged: &mut u32, _: &u32, branch: &u32) {
    assert!(*branch != 666, "no number of ours");
    *merged = (*merged).max(*branch);
}

/// Appends its words.
struct Append(&'static [&'static str]);

#[node(Foo)]
impl Append {
    fn run(&self, foo: &mut Log<String>) {
        foo.extend(self.0.iter().map(|&word| word.to_owned()));
    }
}

/// Overwrites whatever is there.
struct Overwrite(&'static str);

#[node(Foo)]
impl Overwrite {
    fn run(&self, mut foo: Replace<'_, Log<String>>) {
        foo.set(strings([self.0]));
    }
}

/// Could overwrite, and does not.
#[node(Foo)]
fn refrain(foo: Replace<'_, Log<String>>) {
    assert!(foo.get().len() < 9);
}

#[derive(AgentGraph)]
#[graph(state = Foo, start = a)]
struct Sequential {
    #[route(_ => b)]
    a: Append,
    #[route(_ => end)]
    b: Overwrite,
}

/// B15.
#[tokio::test]
async fn b15_an_overwrite_after_an_append_leaves_what_it_wrote() {
    let graph = Sequential {
        a: Append(&["a"]),
        b: Overwrite("b"),
    };
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let state = thread
        .run(Foo::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(state.foo, ["b"]);
    assert_eq!(thread.state().await.unwrap(), state);
}

#[derive(AgentGraph)]
#[graph(state = Foo, start = a)]
struct Parallel {
    #[route(_ => all(first, b, c) join d)]
    a: Append,
    #[route(_ => d)]
    first: Append,
    #[route(_ => after_b)]
    b: Overwrite,
    #[route(_ => d)]
    after_b: Append,
    #[route(_ => d)]
    c: Append,
    #[route(_ => end)]
    d: Append,
}

#[derive(AgentGraph)]
#[graph(state = Foo, start = a)]
struct Refraining {
    #[route(_ => all(idle, c) join d)]
    a: Append,
    #[route(_ => d)]
    idle: Refrain,
    #[route(_ => d)]
    c: Append,
    #[route(_ => end)]
    d: Append,
}

/// B15, ours: who may overwrite and does not, overwrites nothing.
#[tokio::test]
async fn b15_a_branch_that_leaves_the_field_alone_drops_nothing() {
    let graph = Refraining {
        a: Append(&["a"]),
        idle: Refrain,
        c: Append(&["c"]),
        d: Append(&["d"]),
    };
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let state = thread
        .run(Foo::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(state.foo, ["a", "c", "d"]);
    assert_eq!(thread.state().await.unwrap(), state);
}

/// B15. Two that overwrite do not compile: `tests/ui/fail/branches_that_write_the_same_field.rs`.
async fn b15_a_branch_that_overwrites_drops_what_the_others_made_of_the_field(at: &impl Place) {
    let graph = Parallel {
        a: Append(&["a"]),
        first: Append(&["first"]),
        b: Overwrite("b"),
        after_b: Append(&[]),
        c: Append(&["c"]),
        d: Append(&["d"]),
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    let state = thread
        .run(Foo::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(state.foo, ["b", "d"], "c is dropped");
    assert_eq!(thread.state().await.unwrap(), state);

    // What the branch appends behind its overwrite is part of what it made.
    let graph = Parallel {
        a: Append(&["a"]),
        first: Append(&["first"]),
        b: Overwrite("b"),
        after_b: Append(&["b2"]),
        c: Append(&["c"]),
        d: Append(&["d"]),
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("t2");
    let state = thread
        .run(Foo::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(state.foo, ["b", "b2", "d"]);
    assert_eq!(thread.state().await.unwrap(), state);
}

#[derive(AgentGraph)]
#[graph(state = Foo, start = a)]
struct Inner {
    #[route(_ => all(deep, c) join d)]
    a: Append,
    #[route(_ => all(b, beside) join after)]
    deep: Append,
    #[route(_ => after)]
    b: Overwrite,
    #[route(_ => after)]
    beside: Append,
    #[route(_ => d)]
    after: Append,
    #[route(_ => d)]
    c: Append,
    #[route(_ => end)]
    d: Append,
}

/// B15, ours: an overwrite in a fork within a branch holds for the fork around it, too.
async fn b15_an_overwrite_deep_within_a_branch_is_one_of_the_branch(at: &impl Place) {
    let graph = Inner {
        a: Append(&["a"]),
        deep: Append(&["deep"]),
        b: Overwrite("b"),
        beside: Append(&["beside"]),
        after: Append(&["after"]),
        c: Append(&["c"]),
        d: Append(&["d"]),
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    let state = thread
        .run(Foo::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(state.foo, ["b", "after", "d"]);
    assert_eq!(thread.state().await.unwrap(), state);
}

/// A node by hand that overwrites.
struct Blunt(&'static str);

impl handoffs::Node<Foo> for Blunt {
    type Outcome = ();
    const CONTRACT: Contract = Contract {
        writes: FieldSet::named(<Foo as handoffs::State>::FIELDS, &["foo"]),
        replaces: FieldSet::named(<Foo as handoffs::State>::FIELDS, &["foo"]),
        ..Contract::EMPTY
    };
}

impl Execute<Foo> for Blunt {
    async fn execute(&self, state: &mut Foo, _: &mut Context<'_>) -> Result<(), NodeError> {
        state.foo = strings([self.0]);
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Foo, start = a)]
struct ByHand {
    #[route(_ => all(b, c) join d)]
    a: Append,
    #[route(_ => d)]
    b: Blunt,
    #[route(_ => d)]
    c: Append,
    #[route(_ => end)]
    d: Append,
}

/// B15, ours: a node by hand whose contract says that it replaces does so.
async fn b15_a_node_by_hand_overwrites_if_its_contract_says_so(at: &impl Place) {
    let graph = ByHand {
        a: Append(&["a"]),
        b: Blunt("b"),
        c: Append(&["c"]),
        d: Append(&["d"]),
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    let state = thread
        .run(Foo::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(state.foo, ["b", "d"]);
    assert_eq!(thread.state().await.unwrap(), state);
}

fn always(_: &Foo) -> u32 {
    0
}

#[derive(AgentGraph)]
#[graph(state = Foo, start = a)]
struct Remembered {
    #[route(_ => all(b, c) join d)]
    a: Append,
    #[route(_ => d)]
    #[cache(key = always, ttl = "1h")]
    b: Overwrite,
    #[route(_ => d)]
    c: Append,
    #[route(_ => end)]
    d: Append,
}

/// B15, ours: an overwrite that comes from a cache is one.
async fn b15_an_overwrite_out_of_the_cache_drops_what_the_others_made(at: &impl Place) {
    let graph = Remembered {
        a: Append(&["a"]),
        b: Overwrite("b"),
        c: Append(&["c"]),
        d: Append(&["d"]),
    };
    let runtime = Runtime::new(graph).journal(at.open().await);
    for name in ["executed", "cached"] {
        let thread = runtime.thread(name);
        let state = thread
            .run(Foo::default())
            .await
            .unwrap()
            .finished()
            .unwrap();
        assert_eq!(state.foo, ["b", "d"], "{name}");
        assert_eq!(thread.state().await.unwrap(), state);
        let is_cached = thread
            .history()
            .await
            .unwrap()
            .iter()
            .any(|entry| matches!(entry.event, Recorded::Stepped { cached: true, .. }));
        assert_eq!(is_cached, name == "cached");
    }
}

/// Adds a number to all kinds of fields.
struct Add(i64);

#[node(Foo)]
impl Add {
    fn run(
        &self,
        set: &mut BTreeSet<u32>,
        sum: &mut Counter,
        most: &mut Max<i64>,
        least: &mut Min<i64>,
        worst: &mut u32,
    ) {
        *sum += self.0;
        most.see(self.0);
        least.see(self.0);
        set.insert(u32::try_from(self.0).unwrap());
        *worst = u32::try_from(self.0).unwrap();
    }
}

#[derive(AgentGraph)]
#[graph(state = Foo, start = four)]
struct Sums {
    #[route(_ => all(one, two, three) join done)]
    four: Add,
    #[route(_ => done)]
    one: Add,
    #[route(_ => done)]
    two: Add,
    #[route(_ => done)]
    three: Add,
    #[route(_ => end)]
    done: Append,
}

fn sums(three: i64) -> Sums {
    Sums {
        four: Add(4),
        one: Add(1),
        two: Add(2),
        three: Add(three),
        done: Append(&["done"]),
    }
}

/// B16. A channel's way to put updates together is the type of the field.
async fn b16_what_branches_add_is_summed_up_and_survives_the_journal(at: &impl Place) {
    let thread = Runtime::new(sums(3)).journal(at.open().await).thread("t");
    let state = thread
        .run(Foo::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    let expected = Foo {
        foo: strings(["done"]),
        set: BTreeSet::from([1, 2, 3, 4]),
        sum: Counter::new(10),
        most: Max::new(4),
        least: Min::new(1),
        worst: 3,
    };
    assert_eq!(state, expected);
    let thread = Runtime::new(sums(3)).journal(at.open().await).thread("t");
    assert_eq!(thread.state().await.unwrap(), expected);
    // And on from there.
    let state = thread.run(expected).await.unwrap().finished().unwrap();
    assert_eq!(state.sum, 20);
}

/// B16. Nothing, and then something: the topic `["c", "d", "d"]`.
#[test]
fn b16_a_log_keeps_everything_in_order_and_nothing_changes_nothing() {
    let base = strings(["a", "b"]);
    let mut merged = base.clone();
    for branch in [&["c", "d"][..], &[], &["d"]] {
        let mut log = base.clone();
        log.extend(branch.iter().map(|&word| word.to_owned()));
        merged.merge(&base, &log);
    }
    assert_eq!(merged, ["a", "b", "c", "d", "d"]);
}

/// B1 and B16, ours: a merge that panics is an error of the run, and of no field.
async fn b16_a_merge_that_panics_ends_the_run_and_leaves_it_to_recover(at: &impl Place) {
    let thread = Runtime::new(sums(666)).journal(at.open().await).thread("t");
    let error = thread.run(Foo::default()).await.unwrap_err();
    assert!(matches!(error, RunError::Panicked { .. }), "{error:?}");
    assert!(chain(&error).contains("no number of ours"), "{error}");
    assert_eq!(error.node(), Some("four"), "the node that forked");
    assert!(matches!(
        thread.status().await.unwrap(),
        Status::Failed {
            node: SumsNode::Four,
            ..
        }
    ));
    // The branches are not gone over again.
    let error = thread.recover().await.unwrap_err();
    assert!(matches!(error, RunError::Panicked { .. }), "{error:?}");
    assert_eq!(path(&thread.history().await.unwrap()).len(), 4);
    assert_eq!(
        thread.state().await.unwrap().sum,
        4,
        "as it was before the fork"
    );
    // The thread is not lost: another run may begin.
    let thread = Runtime::new(sums(3)).journal(at.open().await).thread("t");
    let state = thread
        .run(Foo::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!((state.sum.get(), state.worst), (10, 3));
    assert_eq!(thread.state().await.unwrap(), state);
}

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Mean {
    #[state(merge = ratio)]
    value: f64,
}

fn ratio(merged: &mut f64, _: &f64, branch: &f64) {
    *merged /= *branch;
}

struct Value(f64);

#[node(Mean)]
impl Value {
    fn run(&self, value: &mut f64) {
        *value = self.0;
    }
}

#[derive(AgentGraph)]
#[graph(state = Mean, start = begin)]
struct Ratio {
    #[route(_ => all(one, two) join done)]
    begin: Value,
    #[route(_ => done)]
    one: Value,
    #[route(_ => done)]
    two: Value,
    #[route(_ => end)]
    done: Value,
}

/// B16, ours: what no journal can hold is refused at the join as it is at a step.
async fn b16_a_merge_to_what_json_cannot_hold_is_refused_and_the_thread_is_free(at: &impl Place) {
    let ratio = |two| Ratio {
        begin: Value(1.0),
        one: Value(2.0),
        two: Value(two),
        done: Value(3.0),
    };
    let thread = Runtime::new(ratio(0.0))
        .journal(at.open().await)
        .thread("t");
    let error = thread.run(Mean::default()).await.unwrap_err();
    assert!(matches!(error, RunError::Encode { .. }), "{error:?}");
    assert!(chain(&error).contains("`value`"), "{error}");
    assert!(matches!(
        thread.status().await.unwrap(),
        Status::Failed {
            node: RatioNode::Begin,
            ..
        }
    ));
    assert!((thread.state().await.unwrap().value - 1.0).abs() < 1e-9);
    let thread = Runtime::new(ratio(4.0))
        .journal(at.open().await)
        .thread("t");
    let state = thread
        .run(Mean::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert!((state.value - 3.0).abs() < 1e-9);
    assert_eq!(
        writes(
            &thread
                .history()
                .await
                .unwrap()
                .iter()
                .rev()
                .nth(1)
                .unwrap()
                .clone()
        ),
        ["value = 0.5"]
    );
}

/// B17. Each update of a node counts.
#[tokio::test]
async fn b17_all_that_a_node_appends_is_its_update() {
    let graph = Sequence {
        a: Append(&["a1", "a2"]),
        b: Append(&["b"]),
    };
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let state = thread
        .run(Foo::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(state.foo.to_vec().concat(), "a1a2b");
    let history = thread.history().await.unwrap();
    assert_eq!(writes(&history[1]), [r#"foo += ["a1","a2"]"#]);
}

#[derive(AgentGraph)]
#[graph(state = Foo, start = a)]
struct Sequence {
    #[route(_ => b)]
    a: Append,
    #[route(_ => end)]
    b: Append,
}

// ---- B18 to B22: a branch an item.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Items {
    said: Log<String>,
    results: Log<u32>,
    many: u32,
}

#[derive(Clone)]
struct Node(&'static str);

#[node(Items)]
impl Node {
    fn run(&self, said: &mut Log<String>) {
        said.push(self.0.to_owned());
    }
}

struct Take(Turns);

#[node(Items)]
impl Take {
    async fn run(&self, item: u32, said: &mut Log<String>) {
        self.0.take(&format!("item {item}")).await;
        said.push(if item == 0 {
            "2".to_owned()
        } else {
            format!("2|{item}")
        });
    }
}

fn twice(_: &Items) -> Vec<u32> {
    vec![0, 0]
}

#[derive(AgentGraph)]
#[graph(state = Items, start = one)]
struct AfterSend {
    #[route(_ => each(twice) two join three)]
    one: Node,
    #[route(_ => three)]
    two: Take,
    #[route(_ => end)]
    three: Node,
}

/// B18.
async fn b18_what_follows_the_items_comes_once(at: &impl Place) {
    let graph = AfterSend {
        one: Node("1"),
        two: Take(Turns::default()),
        three: Node("3"),
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    let input = Items {
        said: strings(["0"]),
        ..Items::default()
    };
    let state = thread.run(input).await.unwrap().finished().unwrap();
    assert_eq!(state.said, ["0", "1", "2", "2", "3"]);
}

fn first_two(_: &Items) -> Vec<u32> {
    vec![1, 2]
}

fn last_two(_: &Items) -> Vec<u32> {
    vec![3, 4]
}

#[derive(AgentGraph)]
#[graph(state = Items, start = zero)]
struct Emits {
    #[route(_ => all(one, one_one) join three)]
    zero: Node,
    #[route(_ => each(first_two) two join one_done)]
    one: Node,
    #[route(_ => one_done)]
    two: Take,
    #[route(_ => three)]
    one_done: Node,
    #[route(_ => each(last_two) two_more join one_one_done)]
    one_one: Node,
    #[route(_ => one_one_done)]
    two_more: Take,
    #[route(_ => three)]
    one_one_done: Node,
    #[route(_ => end)]
    three: Node,
}

/// B19. The written order counts, so what a branch sends stands behind what it says itself.
async fn b19_items_of_two_branches_at_once_stand_in_the_written_order(at: &impl Place) {
    for (number, order) in [
        ["item 1", "item 2", "item 3", "item 4"],
        ["item 4", "item 2", "item 3", "item 1"],
        ["item 3", "item 4", "item 2", "item 1"],
    ]
    .into_iter()
    .enumerate()
    {
        let turns = Turns::new(order);
        let graph = Emits {
            zero: Node("0"),
            one: Node("1"),
            two: Take(turns.clone()),
            one_done: Node("1 done"),
            one_one: Node("1.1"),
            two_more: Take(turns),
            one_one_done: Node("3.1"),
            three: Node("3"),
        };
        let thread = Runtime::new(graph)
            .journal(at.open().await)
            .thread(format!("t{number}"));
        let state = thread
            .run(Items::default())
            .await
            .unwrap()
            .finished()
            .unwrap();
        assert_eq!(
            state.said,
            [
                "0", "1", "2|1", "2|2", "1 done", "1.1", "2|3", "2|4", "3.1", "3"
            ]
        );
        assert_eq!(thread.state().await.unwrap(), state);
    }
}

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Weather {
    locations: Vec<String>,
    results: Log<String>,
}

fn locations(weather: &Weather) -> Vec<Location> {
    let locations = weather.locations.iter();
    locations
        .map(|name| Location { name: name.clone() })
        .collect()
}

#[derive(Clone, Serialize, Deserialize)]
struct Location {
    name: String,
}

#[node(Weather)]
fn begin() {}

#[node(Weather)]
async fn look(Location { name }: Location, results: &mut Log<String>) {
    let weather = if name == "sf" { "cloudy" } else { "sunny" };
    results.push(format!("It's {weather} in {name}"));
}

#[derive(AgentGraph)]
#[graph(state = Weather, start = begin)]
struct Report {
    #[route(_ => each(locations) look join told)]
    begin: Begin,
    #[route(_ => told)]
    look: Look,
    #[route(_ => end)]
    told: Begin,
}

/// B21.
async fn b21_a_run_begins_with_a_branch_for_each_location(at: &impl Place) {
    let graph = Report {
        begin: Begin,
        look: Look,
        told: Begin,
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    let input = Weather {
        locations: ["sf", "nyc"].map(str::to_owned).to_vec(),
        ..Weather::default()
    };
    let state = thread.run(input).await.unwrap().finished().unwrap();
    assert_eq!(state.results, ["It's cloudy in sf", "It's sunny in nyc"]);
    let history = thread.history().await.unwrap();
    let Recorded::Stepped {
        fork: Some(fork), ..
    } = &history[1].event
    else {
        panic!("{history:?}");
    };
    assert_eq!(
        fork.items[0].as_str(),
        r#"{"name":"sf"}"#,
        "the journal has the items"
    );
}

fn hundred(items: &Items) -> Vec<u32> {
    (0..items.many).collect()
}

/// Counts how many are at work at a time, and waits for a go-ahead, if it is to.
#[derive(Clone, Default)]
struct Gauge {
    now: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
    asks: bool,
}

#[node(Items)]
impl Gauge {
    async fn run(
        &self,
        item: u32,
        results: &mut Log<u32>,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        if self.asks {
            let () = cx.ask("go", &item).await?;
        }
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        for _ in 0..=(100 - item) {
            tokio::task::yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::Relaxed);
        results.push(item);
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Items, start = one)]
struct Unbounded {
    #[route(_ => each(hundred) gauge join done)]
    one: Node,
    #[route(_ => done)]
    gauge: Gauge,
    #[route(_ => end)]
    done: Node,
}

#[derive(AgentGraph)]
#[graph(state = Items, start = one)]
struct Bounded {
    #[route(_ => each(hundred) gauge join done(concurrency = 10))]
    one: Node,
    #[route(_ => done)]
    gauge: Gauge,
    #[route(_ => end)]
    done: Node,
}

/// B22.
async fn b22_a_hundred_items_are_worked_on_at_once_or_ten_at_a_time(at: &impl Place) {
    let input = Items {
        many: 100,
        ..Items::default()
    };
    let in_order = |state: &Items| state.results.iter().copied().eq(0..100);

    let gauge = Gauge::default();
    let graph = Unbounded {
        one: Node("1"),
        gauge: gauge.clone(),
        done: Node("done"),
    };
    let thread = Runtime::new(graph)
        .journal(at.open().await)
        .thread("unbounded");
    let state = thread.run(input.clone()).await.unwrap().finished().unwrap();
    assert!(in_order(&state), "{state:?}");
    assert_eq!(gauge.most.load(Ordering::Relaxed), 100);

    let gauge = Gauge::default();
    let graph = Bounded {
        one: Node("1"),
        gauge: gauge.clone(),
        done: Node("done"),
    };
    let thread = Runtime::new(graph)
        .journal(at.open().await)
        .thread("bounded");
    let state = thread.run(input.clone()).await.unwrap().finished().unwrap();
    assert!(in_order(&state), "{state:?}");
    assert_eq!(gauge.most.load(Ordering::Relaxed), 10);

    // Each of a dozen waits for a person before it goes on, and it comes out the same.
    let graph = Bounded {
        one: Node("1"),
        gauge: Gauge {
            asks: true,
            ..Gauge::default()
        },
        done: Node("done"),
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("asked");
    let input = Items { many: 12, ..input };
    let mut run = thread.run(input).await.unwrap();
    assert_eq!(thread.asks().await.unwrap().len(), 12);
    while let Run::Paused(_) = run {
        let last = thread.asks().await.unwrap().pop().unwrap();
        run = thread.resume(last.id, ()).await.unwrap();
    }
    assert!(run.finished().unwrap().results.iter().copied().eq(0..12));
}

// ---- B26, B28, B29, B31, B37, B38: who goes on and who is run again.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Sends {
    list: Log<String>,
    text: Option<String>,
}

#[derive(Clone)]
struct Plain(&'static str, Tally);

#[node(Sends)]
impl Plain {
    fn run(&self, list: &mut Log<String>) {
        self.1.count(self.0);
        list.push(self.0.to_owned());
    }
}

fn sends(_: &Sends) -> Vec<u32> {
    vec![2, 3, 4]
}

#[derive(Clone)]
struct Flaky(Tally);

#[node(Sends)]
impl Flaky {
    async fn run(
        &self,
        item: u32,
        list: &mut Log<String>,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        if item == 4 {
            self.0.count("flaky");
            let () = cx.ask("sure", "Bye bye?").await?;
            list.push("flaky|4".to_owned());
        } else {
            self.0.count("2");
            list.push(format!("2|{item}"));
        }
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Sends, start = one)]
struct Dedupe {
    #[route(_ => all(two, sender) join three)]
    one: Plain,
    #[route(_ => three)]
    two: Plain,
    #[route(_ => each(sends) flaky join sent)]
    sender: Plain,
    #[route(_ => sent)]
    flaky: Flaky,
    #[route(_ => three)]
    sent: Plain,
    #[route(_ => end)]
    three: Plain,
}

/// B26.
async fn b26_what_is_done_is_not_sent_again_when_one_item_is_interrupted(
    at: &impl Place,
    level: Durability,
) {
    let tally = Tally::default();
    let graph = || {
        let plain = |name| Plain(name, tally.clone());
        Dedupe {
            one: plain("1"),
            two: plain("2"),
            sender: plain("sender"),
            flaky: Flaky(tally.clone()),
            sent: plain("sent"),
            three: plain("3"),
        }
    };
    let thread = Runtime::new(graph())
        .journal(at.open().await)
        .durability(level)
        .thread("t");
    let ask = thread
        .run(Sends::default())
        .await
        .unwrap()
        .paused()
        .unwrap();
    assert_eq!(ask.node, "flaky");
    assert_eq!((tally.of("2"), tally.of("flaky"), tally.of("3")), (3, 1, 0));
    assert_eq!(thread.status().await.unwrap(), Status::Paused(ask.clone()));

    let thread = Runtime::new(graph())
        .journal(at.open().await)
        .durability(level)
        .thread("t");
    let state = thread.resume(ask.id, ()).await.unwrap().finished().unwrap();
    assert_eq!(
        state.list,
        ["1", "2", "sender", "2|2", "2|3", "flaky|4", "sent", "3"]
    );
    assert_eq!((tally.of("2"), tally.of("flaky"), tally.of("3")), (3, 2, 1));
    assert_eq!(thread.state().await.unwrap(), state);
}

/// Sleeps until it is dropped.
struct Sleeper(Arc<Notify>, Tally);

struct Dropped<'a>(&'a Tally);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.count("cancelled");
    }
}

#[node(Sends)]
impl Sleeper {
    async fn run(&self) {
        let _dropped = Dropped(&self.1);
        self.0.notify_one();
        pending::<()>().await;
    }
}

/// Fails once the other one sleeps.
struct Raiser(Arc<Notify>);

#[node(Sends)]
impl Raiser {
    async fn run(&self) -> Result<(), &'static str> {
        self.0.notified().await;
        Err("a value error")
    }
}

#[derive(AgentGraph)]
#[graph(state = Sends, start = one)]
struct Raising {
    #[route(_ => all(raiser, sleeper) join three)]
    one: Plain,
    #[route(_ => three)]
    raiser: Raiser,
    #[route(_ => three)]
    sleeper: Sleeper,
    #[route(_ => end)]
    three: Plain,
}

/// B28.
async fn b28_a_sibling_that_sleeps_is_cancelled_when_the_other_fails(at: &impl Place) {
    let (asleep, tally) = (Arc::new(Notify::new()), Tally::default());
    let graph = Raising {
        one: Plain("1", tally.clone()),
        raiser: Raiser(Arc::clone(&asleep)),
        sleeper: Sleeper(asleep, tally.clone()),
        three: Plain("3", tally.clone()),
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    let error = thread.run(Sends::default()).await.unwrap_err();
    assert_eq!(tally.of("cancelled"), 1);
    assert!(chain(&error).contains("a value error"), "{error}");
    assert_eq!(error.node(), Some("raiser"));
    assert!(matches!(
        thread.status().await.unwrap(),
        Status::Failed {
            node: RaisingNode::Raiser,
            ..
        }
    ));
}

/// B31. What was handed in before the run was cancelled is in the journal.
async fn b31_a_run_that_is_cancelled_while_a_node_sleeps_has_written_what_was_done(
    at: &impl Place,
) {
    let (asleep, tally) = (Arc::new(Notify::new()), Tally::default());
    let seen = Arc::new(Notify::new());
    let graph = Raising {
        one: Plain("1", tally.clone()),
        // It waits for something else, for ever.
        raiser: Raiser(Arc::default()),
        sleeper: Sleeper(Arc::clone(&seen), tally.clone()),
        three: Plain("3", tally.clone()),
    };
    drop(asleep);
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    tokio::select! {
        ended = thread.run(Sends::default()) => panic!("{ended:?}"),
        () = seen.notified() => {}
    }
    assert_eq!(tally.of("cancelled"), 1);
    assert_eq!(
        lines(&thread.history().await.unwrap()),
        ["started", "one: _ => 2 branches"]
    );
    assert_eq!(thread.state().await.unwrap().list, ["1"]);
}

/// Asks, and takes the answer for its text.
#[derive(Clone)]
struct Questioner(&'static str, Tally);

#[node(Sends)]
impl Questioner {
    async fn run(&self, list: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        self.1.count(self.0);
        let answer: String = cx.ask("edit", self.0).await?;
        list.push(format!("{}{answer}", self.0));
        Ok(())
    }
}

/// Takes its time, and more of it than to ask.
#[derive(Clone)]
struct World(Tally);

#[node(Sends)]
impl World {
    async fn run(&self, mut text: Out<'_, String>) {
        self.0.count("world");
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        text.set("world again".to_owned());
    }
}

#[node(Sends)]
fn gather(text: &String, list: &mut Log<String>) {
    list.push(text.clone());
}

#[derive(AgentGraph)]
#[graph(state = Sends, start = one)]
struct Interrupted {
    #[route(_ => all(first, second, world) join gather)]
    one: Plain,
    #[route(_ => gather)]
    first: Questioner,
    #[route(_ => gather)]
    second: Questioner,
    #[route(_ => gather)]
    world: World,
    #[route(_ => end)]
    gather: Gather,
}

fn interrupted(tally: &Tally) -> Interrupted {
    Interrupted {
        one: Plain("1", tally.clone()),
        first: Questioner("first", tally.clone()),
        second: Questioner("second", tally.clone()),
        world: World(tally.clone()),
        gather: Gather,
    }
}

/// B29 and B37.
async fn b29_b37_children_that_ask_are_answered_one_at_a_time_and_their_sibling_runs_once(
    at: &impl Place,
    level: Durability,
) {
    let tally = Tally::default();
    let open = async || {
        let journal = at.open().await;
        Runtime::new(interrupted(&tally))
            .journal(journal)
            .durability(level)
            .thread("t")
    };
    // Three invocations: a run, and one for each answer.
    let first = open()
        .await
        .run(Sends::default())
        .await
        .unwrap()
        .paused()
        .unwrap();
    assert_eq!(first.node, "first");
    assert_eq!(tally.of("world"), 1, "the sibling has finished");
    // To recover is to be asked the same again, and to run nothing.
    let again = open().await.recover().await.unwrap().paused().unwrap();
    assert_eq!(again, first);
    assert_eq!(
        (tally.of("world"), tally.of("first"), tally.of("second")),
        (1, 1, 1)
    );

    let second = open()
        .await
        .resume(first.id, " okay")
        .await
        .unwrap()
        .paused()
        .unwrap();
    assert_eq!(second.node, "second", "what remains");
    assert_eq!(open().await.asks().await.unwrap().len(), 1);
    assert_eq!(
        (tally.of("world"), tally.of("first"), tally.of("second")),
        (1, 2, 1)
    );

    let state = open()
        .await
        .resume(second.id, " fine")
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(
        state.list,
        ["1", "first okay", "second fine", "world again"]
    );
    assert_eq!(
        (tally.of("world"), tally.of("first"), tally.of("second")),
        (1, 2, 2)
    );
    assert_eq!(open().await.state().await.unwrap(), state);
    assert_eq!(
        by_branch(&open().await.history().await.unwrap()),
        [
            "started",
            "one: _ => 3 branches",
            "joined at gather",
            "gather: _ => end",
            r#"0 first asks "first""#,
            r#"0 answered " okay""#,
            "0 first: _ => gather",
            r#"1 second asks "second""#,
            r#"1 answered " fine""#,
            "1 second: _ => gather",
            "2 world: _ => gather",
        ]
    );
}

/// B38. There is no answer without a question, so it is always clear which is meant.
async fn b38_with_two_questions_open_each_answer_names_its_own(at: &impl Place, level: Durability) {
    let tally = Tally::default();
    let thread = Runtime::new(interrupted(&tally))
        .journal(at.open().await)
        .durability(level)
        .thread("t");
    let _ = thread.run(Sends::default()).await.unwrap();
    let asks = thread.asks().await.unwrap();
    let names: Vec<_> = asks.iter().map(|ask| &*ask.node).collect();
    assert_eq!(names, ["first", "second"]);
    let error = thread
        .resume("1".parse().unwrap(), " okay")
        .await
        .unwrap_err();
    assert!(matches!(error, RunError::NotAsked { .. }), "{error}");
    // The second first.
    let left = thread
        .resume(asks[1].id, " two")
        .await
        .unwrap()
        .paused()
        .unwrap();
    assert_eq!(left, asks[0]);
    let state = thread
        .resume(asks[0].id, " one")
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(state.list, ["1", "first one", "second two", "world again"]);
}

// ---- B50: a plan, step by step and side by side.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Planned {
    plan: Vec<Vec<u32>>,
    messages: Log<String>,
}

#[derive(Outcome)]
enum Next {
    One,
    TwoAndThree,
    Four,
    Nothing,
}

#[node(Planned)]
fn planner(plan: &mut Vec<Vec<u32>>) -> Next {
    if plan.is_empty() {
        return Next::Nothing;
    }
    match plan.remove(0).as_slice() {
        [1] => Next::One,
        [2, 3] => Next::TwoAndThree,
        _ => Next::Four,
    }
}

struct Step(u32);

#[node(Planned)]
impl Step {
    async fn run(&self, messages: &mut Log<String>) {
        messages.push(format!("step{}", self.0));
    }
}

#[derive(AgentGraph)]
#[graph(state = Planned, start = planner)]
struct Multistep {
    #[route(
        Next::One => step1,
        Next::TwoAndThree => all(step2, step3) join planner(limit = 4, else = end),
        Next::Four => step4,
        Next::Nothing => end,
    )]
    planner: Planner,
    #[route(_ => planner(limit = 4, else = end))]
    step1: Step,
    #[route(_ => planner)]
    step2: Step,
    #[route(_ => planner)]
    step3: Step,
    #[route(_ => planner(limit = 4, else = end))]
    step4: Step,
}

/// B50. The node that forks is the one at which the branches join.
async fn b50_a_planner_goes_step_by_step_and_side_by_side(at: &impl Place) {
    let graph = Multistep {
        planner: Planner,
        step1: Step(1),
        step2: Step(2),
        step3: Step(3),
        step4: Step(4),
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    let input = Planned {
        plan: vec![vec![1], vec![2, 3], vec![4]],
        messages: strings(["start"]),
    };
    let state = thread.run(input).await.unwrap().finished().unwrap();
    assert_eq!(
        state.messages,
        ["start", "step1", "step2", "step3", "step4"]
    );
    assert!(state.plan.is_empty());
    assert_eq!(thread.state().await.unwrap(), state);

    // The fork's limit counts each time that it forks.
    let input = Planned {
        plan: vec![vec![2, 3]; 9],
        ..Planned::default()
    };
    let state = thread.run(input).await.unwrap().finished().unwrap();
    assert_eq!(state.messages.len(), 2 * 4);
    assert_eq!(
        state.plan.len(),
        4,
        "four forks, and a fifth that was masked"
    );
    let last = lines(&thread.history().await.unwrap()).pop().unwrap();
    assert_eq!(
        last,
        "planner: Next::TwoAndThree => end, as its limit is used up"
    );
}

#[test]
fn the_fields_that_merge_say_so() {
    let merges = |fields: &'static [Field]| fields.iter().filter(|field| field.merges).count();
    assert_eq!(merges(<Foo as handoffs::State>::FIELDS), 6);
    assert_eq!(merges(<Search as handoffs::State>::FIELDS), 1);
}

on_every_journal! {
    b7_what_two_branches_publish_stands_there_side_by_side
    b9_a_join_waits_for_branches_of_any_length_and_comes_once
    b12_an_outcome_chooses_the_branches
    b13_four_nodes_make_four_updates_and_the_join_comes_once_and_last
    b15_a_branch_that_overwrites_drops_what_the_others_made_of_the_field
    b15_an_overwrite_deep_within_a_branch_is_one_of_the_branch
    b15_an_overwrite_out_of_the_cache_drops_what_the_others_made
    b15_a_node_by_hand_overwrites_if_its_contract_says_so
    b16_what_branches_add_is_summed_up_and_survives_the_journal
    b16_a_merge_that_panics_ends_the_run_and_leaves_it_to_recover
    b16_a_merge_to_what_json_cannot_hold_is_refused_and_the_thread_is_free
    b18_what_follows_the_items_comes_once
    b19_items_of_two_branches_at_once_stand_in_the_written_order
    b21_a_run_begins_with_a_branch_for_each_location
    b22_a_hundred_items_are_worked_on_at_once_or_ten_at_a_time
    b28_a_sibling_that_sleeps_is_cancelled_when_the_other_fails
    b31_a_run_that_is_cancelled_while_a_node_sleeps_has_written_what_was_done
    b50_a_planner_goes_step_by_step_and_side_by_side
}

at_every_level! {
    b26_what_is_done_is_not_sent_again_when_one_item_is_interrupted
    b29_b37_children_that_ask_are_answered_one_at_a_time_and_their_sibling_runs_once
    b38_with_two_questions_open_each_answer_names_its_own
}
