//! Cases from the field, part B: graphs and state (LangGraph), in their sequential form.
//!
//! The numbers are those of the project's collection of cases; what does not apply, and why, stands
//! in `COMPATIBILITY.md`.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::disallowed_names,
    clippy::struct_field_names,
    reason = "the names are those of the cases"
)]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

mod common;

use common::{path, writes};
use handoffs::prelude::*;
use handoffs::{Code, Edge, FieldSet, Finding, Node, NodeIndex, NodeShape, Topology, check};

/// A graph of nodes of these names, from the first, of which an edge is from, to (`None`: the end)
/// and limit.
fn wired(nodes: &[&'static str], edges: &[(u16, Option<u16>, Option<u32>)]) -> Topology {
    let mut topology = Topology::new("Wired");
    for name in nodes {
        topology.node(NodeShape::new(*name));
    }
    topology.start(NodeIndex(0));
    for (from, to, limit) in edges {
        let mut route = to.map_or(Route::end(), |to| Route::to(NodeIndex(to)));
        if let Some(limit) = limit {
            route = route.limit(*limit);
        }
        topology.edge(Edge::new(NodeIndex(*from), "_", route));
    }
    topology
}

fn found(topology: &Topology) -> Vec<(Code, String)> {
    let finding = |finding: &Finding| (finding.code(), finding.message(topology));
    check(topology).iter().map(finding).collect()
}

// ---- B1 and B3: what is refused when a graph is built.

#[test]
fn b1_an_edge_that_starts_at_an_unknown_node_is_refused() {
    let graph = wired(&["a"], &[(0, None, None), (9, Some(0), None)]);
    let found = found(&graph);
    assert_eq!(found[0].0, Code::H001, "{found:?}");
}

#[test]
fn b3_what_cannot_work_is_refused_when_it_is_built() {
    for (graph, code, said) in [
        (
            wired(&["a", "island"], &[(0, None, None), (1, None, None)]),
            Code::H002,
            "no path leads from `a` to `island`",
        ),
        (
            wired(&["a", "ditch"], &[(0, Some(1), None), (0, None, None)]),
            Code::H003,
            "`ditch` is a trap",
        ),
        (
            wired(&["a", "b"], &[(0, Some(1), None), (1, Some(0), None)]),
            Code::H003,
            "`a` and `b` are a trap",
        ),
        (
            wired(
                &["a", "b"],
                &[(0, Some(1), None), (1, Some(0), None), (1, None, None)],
            ),
            Code::H004,
            "a handoff loop without a bound: `a -> b -> a`",
        ),
        (
            wired(&["a"], &[(0, Some(4), None), (0, None, None)]),
            Code::H001,
            "no node",
        ),
    ] {
        let found = found(&graph);
        let (_, message) = found
            .iter()
            .find(|(found, _)| *found == code)
            .unwrap_or_else(|| panic!("no {code} in {found:?}"));
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn b3_with_a_bound_the_same_cycle_is_legal() {
    let bounded = [(0, Some(1), None), (1, Some(0), Some(3)), (1, None, None)];
    assert!(found(&wired(&["a", "b"], &bounded)).is_empty());
}

// ---- B2: a node says where to go and what has changed, in one.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Words {
    foo: String,
    bar: Option<String>,
}

#[derive(Outcome)]
enum Goto {
    B,
}

#[node(Words)]
fn a(foo: &mut String) -> Goto {
    "bar".clone_into(foo);
    Goto::B
}

#[node(Words)]
fn b(mut bar: Out<'_, String>) {
    bar.set("baz".to_owned());
}

#[derive(AgentGraph)]
#[graph(state = Words, start = a)]
struct Commands {
    #[route(Goto::B => b)]
    a: A,
    #[route(_ => end)]
    b: B,
}

#[tokio::test]
async fn b2_each_node_writes_its_field_and_says_where_to_go() {
    let thread = Runtime::new(Commands { a: A, b: B })
        .journal(Memory::default())
        .thread("t");
    let words = thread.run(Words::default()).await.unwrap();
    let words = words.finished().unwrap();
    assert_eq!(
        (words.foo.as_str(), words.bar.as_deref()),
        ("bar", Some("baz"))
    );
    let history = thread.history().await.unwrap();
    assert_eq!(writes(&history[1]), [r#"foo = "bar""#]);
    assert_eq!(writes(&history[2]), [r#"bar = "baz""#]);
}

// ---- B4 and B5: a node sees its own fields, a guard the state after it.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Sums {
    foo: u32,
    bar: Option<String>,
    baz: Option<String>,
}

#[node(Sums)]
fn node_1(foo: &mut u32, mut baz: Out<'_, String>) {
    *foo += 1;
    baz.set("bar".to_owned());
}

/// Of what others wrote it reads `baz` alone.
#[node(Sums)]
fn node_2(baz: &str, foo: &mut u32, mut bar: Out<'_, String>) {
    *foo += 1;
    bar.set(baz.to_owned());
}

#[node(Sums)]
fn node_3(foo: &mut u32) {
    *foo += 1;
}

fn as_expected(sums: &Sums) -> bool {
    assert_eq!((sums.foo, sums.bar.as_deref()), (2, Some("bar")));
    true
}

#[derive(AgentGraph)]
#[graph(state = Sums, start = node_1)]
struct Private {
    #[route(_ => node_2)]
    node_1: Node1,
    #[route(() if as_expected => node_3, _ => end)]
    node_2: Node2,
    #[route(_ => end)]
    node_3: Node3,
}

#[tokio::test]
async fn b4_the_guard_of_an_edge_sees_exactly_what_the_node_before_it_left() {
    let private = Private {
        node_1: Node1,
        node_2: Node2,
        node_3: Node3,
    };
    let sums = Runtime::new(private).thread("t").run(Sums::default()).await;
    let sums = sums.unwrap().finished().unwrap();
    assert_eq!((sums.foo, sums.bar.as_deref()), (3, Some("bar")));
}

#[test]
fn b4_a_node_sees_the_fields_that_it_names_and_no_other() {
    let contract = <Node2 as Node<Sums>>::CONTRACT;
    let (foo, bar, baz) = (0, 1, 2);
    assert_eq!(contract.reads, FieldSet::EMPTY.with(baz));
    assert_eq!(contract.needs, FieldSet::EMPTY.with(baz));
    assert_eq!(contract.writes, FieldSet::EMPTY.with(foo).with(bar));
    assert_eq!(contract.gives, FieldSet::EMPTY.with(bar));
}

#[node(Sums)]
fn meow(foo: &mut u32, mut baz: Out<'_, String>) {
    *foo += 1;
    baz.set("meow".to_owned());
}

fn has_baz(sums: &Sums) -> bool {
    sums.baz.as_deref() == Some("meow")
}

#[derive(AgentGraph)]
#[graph(state = Sums, start = first)]
struct Router {
    #[route(() if has_baz => second, _ => end)]
    first: Meow,
    #[route(_ => end)]
    second: Node2,
}

#[tokio::test]
async fn b5_a_guard_routes_on_a_field_that_only_the_inner_nodes_know() {
    let router = Router {
        first: Meow,
        second: Node2,
    };
    let sums = Runtime::new(router).thread("t").run(Sums::default()).await;
    let sums = sums.unwrap().finished().unwrap();
    assert_eq!((sums.foo, sums.bar.as_deref()), (2, Some("meow")));

    // The edge by itself, for any state.
    let knows = Sums {
        baz: Some("meow".to_owned()),
        ..Sums::default()
    };
    assert_eq!(
        Router::after_first(&knows, &()),
        Route::to(RouterNode::Second)
    );
    assert_eq!(Router::after_first(&Sums::default(), &()), Route::end());
}

// ---- B7: two that write to one place.

#[derive(State, Clone, Debug, Default)]
struct Numbers {
    input: u32,
    topic: Log<u32>,
    last: Option<u32>,
}

#[node(Numbers)]
fn one(input: &u32, topic: &mut Log<u32>, last: &mut Option<u32>) {
    topic.push(input + 1);
    *last = Some(input + 1);
}

#[node(Numbers)]
fn two(input: &u32, topic: &mut Log<u32>, last: &mut Option<u32>) {
    topic.push(input + 1);
    *last = Some(input + 1);
}

#[derive(AgentGraph)]
#[graph(state = Numbers, start = one)]
struct TwoOut {
    #[route(_ => two)]
    one: One,
    #[route(_ => end)]
    two: Two,
}

#[tokio::test]
async fn b7_what_two_nodes_append_stands_in_the_log_in_their_order() {
    let thread = Runtime::new(TwoOut { one: One, two: Two })
        .journal(Memory::default())
        .thread("t");
    let numbers = Numbers {
        input: 2,
        ..Numbers::default()
    };
    let numbers = thread.run(numbers).await.unwrap().finished().unwrap();
    assert_eq!(numbers.topic, Log::from(vec![3, 3]));
    // One after the other, a plain field is no conflict; the second write changes nothing.
    assert_eq!(numbers.last, Some(3));
    let history = thread.history().await.unwrap();
    assert_eq!(writes(&history[1]), ["topic += [3]", "last = 3"]);
    assert_eq!(writes(&history[2]), ["topic += [3]"]);
}

// ---- B13: four nodes, four updates, the last one once and last.

#[derive(State, Clone, Debug, Default)]
struct Value {
    my_key: String,
}

#[node(Value)]
fn up(my_key: &mut String) {
    my_key.push_str("_value");
}

#[node(Value)]
fn side() {}

#[node(Value)]
fn other(my_key: &mut String) {
    my_key.push_str("_more");
}

#[node(Value)]
fn down() {}

#[derive(AgentGraph)]
#[graph(state = Value, start = up)]
struct Edges {
    #[route(_ => side)]
    up: Up,
    #[route(_ => other)]
    side: Side,
    #[route(_ => down)]
    other: Other,
    #[route(_ => end)]
    down: Down,
}

#[tokio::test]
async fn b13_four_nodes_make_four_entries_and_the_last_comes_once() {
    let edges = Edges {
        up: Up,
        side: Side,
        other: Other,
        down: Down,
    };
    let thread = Runtime::new(edges).journal(Memory::default()).thread("t");
    let value = Value {
        my_key: "my".to_owned(),
    };
    let value = thread.run(value).await.unwrap().finished().unwrap();
    assert_eq!(value.my_key, "my_value_more");
    let history = thread.history().await.unwrap();
    assert_eq!(path(&history), ["up", "side", "other", "down"]);
    assert!(writes(&history[2]).is_empty() && writes(&history[4]).is_empty());
}
