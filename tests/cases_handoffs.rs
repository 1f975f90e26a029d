//! Cases from the field, part A: handoffs (Swarm, the Agents SDK, `AutoGen` and others).
//!
//! The numbers are those of the project's collection of cases; what does not apply, and why, stands
//! in `COMPATIBILITY.md`.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

mod common;

use common::{chain, path};
use handoffs::Durability;
use handoffs::prelude::*;
use handoffs::{
    Code, Edge, Entry, Finding, GraphNode, Hash, Journal, JournalError, Masked, NodeIndex,
    NodeShape, Record, Recorded, RunError, ThreadId, Topology, check,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

// ---- A8: a speaker a run; where the thread stands survives the pauses.

#[derive(State, Clone, Debug, Default)]
struct Talk {
    lines: Log<String>,
}

#[node(Talk)]
fn first(lines: &mut Log<String>) {
    lines.push("first".to_owned());
}
#[node(Talk)]
fn second(lines: &mut Log<String>) {
    lines.push("second".to_owned());
}
#[node(Talk)]
fn third(lines: &mut Log<String>) {
    lines.push("third".to_owned());
}

#[derive(Serialize)]
struct YourTurn(Option<String>);

impl From<&Talk> for YourTurn {
    fn from(talk: &Talk) -> Self {
        Self(talk.lines.last().cloned())
    }
}

/// A task, or the word to go on.
#[derive(Serialize, Deserialize)]
struct Task(Option<String>);

#[node(Talk)]
impl Task {
    fn run(&self, lines: &mut Log<String>) {
        lines.extend(self.0.clone());
    }
}

type Audience = Human<YourTurn, Task>;

#[derive(AgentGraph)]
#[graph(state = Talk, start = third)]
struct Round {
    #[route(_ => before_first)]
    third: Third,
    #[route(_ => first)]
    before_first: Audience,
    #[route(_ => before_second)]
    first: First,
    #[route(_ => second)]
    before_second: Audience,
    #[route(_ => before_third)]
    second: Second,
    #[route(_ => third(limit = 10, else = end))]
    before_third: Audience,
}

#[tokio::test]
async fn a8_a_position_survives_pauses() {
    let disk = Memory::default();
    // Each turn is taken by a process of its own.
    let thread = || {
        let graph = Round {
            third: Third,
            before_first: Human::new(),
            first: First,
            before_second: Human::new(),
            second: Second,
            before_third: Human::new(),
        };
        Runtime::new(graph).journal(disk.clone()).thread("t")
    };
    let spoken = async || {
        let lines = thread().state().await.unwrap().lines;
        lines.to_vec().join(", ")
    };
    let ask = thread().run(Talk::default()).await.unwrap();
    assert_eq!(spoken().await, "third");
    let task = Task(Some("new task".to_owned()));
    let ask = thread().resume(ask.paused().unwrap().id, task).await;
    assert_eq!(spoken().await, "third, new task, first");
    let ask = ask.unwrap().paused().unwrap();
    let ask = thread().resume(ask.id, Task(None)).await.unwrap();
    assert_eq!(spoken().await, "third, new task, first, second");
    assert_eq!(ask.paused().unwrap().node, "before_third");
}

// ---- A14: four ways to wire a graph wrongly, told apart.

/// A graph of the nodes `a` and `b`, from `a`.
fn wired(edges: impl IntoIterator<Item = (u16, Route<NodeIndex>)>) -> Topology {
    let mut topology = Topology::new("Wired");
    let a = topology.node(NodeShape::new("a"));
    topology.node(NodeShape::new("b"));
    topology.start(a);
    for (from, route) in edges {
        topology.edge(Edge::new(NodeIndex(from), "_", route));
    }
    topology
}

#[test]
fn a14_four_ways_to_wire_a_graph_wrongly_are_told_apart() {
    let (a, b, nobody) = (NodeIndex(0), NodeIndex(1), NodeIndex(7));
    let codes = |topology: &Topology| {
        check(topology)
            .iter()
            .map(Finding::code)
            .collect::<Vec<_>>()
    };

    let right = wired([(0, Route::to(b)), (1, Route::end())]);
    assert!(check(&right).is_empty());

    let to_a_stranger = wired([(0, Route::to(nobody)), (0, Route::to(b)), (1, Route::end())]);
    assert_eq!(codes(&to_a_stranger), [Code::H001]);
    // In a derived graph there is no way to write this one: routes stand on the nodes themselves.
    let from_a_stranger = wired([(7, Route::end()), (0, Route::to(b)), (1, Route::end())]);
    assert!(codes(&from_a_stranger).contains(&Code::H001));

    let to_itself = wired([(0, Route::to(b)), (1, Route::to(b)), (1, Route::end())]);
    let findings = check(&to_itself);
    assert_eq!(codes(&to_itself), [Code::H004]);
    assert_eq!(
        findings[0].message(&to_itself),
        "H004: a handoff loop without a bound: `b -> b`"
    );
    // With a bound, a node may well hand over to itself.
    let bounded = Route::to(b).limit(3);
    assert!(check(&wired([(0, Route::to(b)), (1, bounded), (1, Route::end())])).is_empty());

    assert_eq!(codes(&wired([])), [Code::H002, Code::H003]);
    let _ = a;
}

// ---- A46: a loop is what makes no progress, not what is long.

#[derive(State, Clone, Debug, Default)]
struct Change {
    /// How many remarks the reviewer has; `None`: always one more.
    remarks: Option<u32>,
    #[state(progress)]
    mended: u32,
    talk: Log<String>,
}

#[node(Change)]
fn coder(remarks: &Option<u32>, mended: &mut u32, talk: &mut Log<String>) {
    // Who is never content gets words and no change.
    *mended += u32::from(remarks.is_some());
    talk.push("coder".to_owned());
}

#[derive(Outcome)]
enum Reviewed {
    Remarks,
    Fine,
}

#[node(Change)]
fn supervisor(remarks: &Option<u32>, mended: &u32, talk: &mut Log<String>) -> Reviewed {
    talk.push("supervisor".to_owned());
    if remarks.is_some_and(|remarks| *mended > remarks) {
        Reviewed::Fine
    } else {
        Reviewed::Remarks
    }
}

#[derive(AgentGraph)]
#[graph(state = Change, start = coder)]
struct Review {
    #[route(_ => supervisor)]
    coder: Coder,
    #[route(Reviewed::Remarks => coder(limit = 20), Reviewed::Fine => end)]
    supervisor: Supervisor,
}

const REVIEW: Review = Review {
    coder: Coder,
    supervisor: Supervisor,
};

#[tokio::test]
async fn a46_two_that_only_pass_it_to_and_fro_are_stopped_in_the_fourth_turn() {
    let thread = Runtime::new(REVIEW).journal(Memory::default()).thread("t");
    let error = thread.run(Change::default()).await.unwrap_err();
    let RunError::HandoffLoop { cycle, why, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(&**cycle, "coder -> supervisor -> coder");
    assert_eq!(*why, Masked::NoProgress);
    // Coder, supervisor, coder; the supervisor's second turn is the one that is refused.
    let history = thread.history().await.unwrap();
    assert_eq!(path(&history), ["coder", "supervisor", "coder"]);
}

#[tokio::test]
async fn a46_a_productive_pair_goes_on() {
    let thread = Runtime::new(REVIEW).journal(Memory::default()).thread("t");
    let change = Change {
        remarks: Some(12),
        ..Change::default()
    };
    let change = thread.run(change).await.unwrap().finished().unwrap();
    assert_eq!((change.mended, change.talk.len()), (13, 26));
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = one)]
struct Chain {
    #[route(_ => two)]
    one: First,
    #[route(_ => three)]
    two: Second,
    #[route(_ => four)]
    three: Third,
    #[route(_ => five)]
    four: First,
    #[route(_ => end)]
    five: Second,
}

#[tokio::test]
async fn a46_the_most_handoffs_are_computed_and_not_guessed() {
    // "Max handoffs reached: 3" cannot happen to a graph that needs four.
    assert_eq!(Chain::MAX_HANDOFFS, 4);
    let chain = Chain {
        one: First,
        two: Second,
        three: Third,
        four: First,
        five: Second,
    };
    let talk = Runtime::new(chain).thread("t").run(Talk::default()).await;
    assert_eq!(talk.unwrap().finished().unwrap().lines.len(), 5);
}

// ---- A50: loop, loop, exit.

#[derive(State, Clone, Debug, Default)]
struct Flow {
    says: Vec<String>,
    turn: usize,
    sources: Log<String>,
}

#[node(Flow)]
fn a(sources: &mut Log<String>) {
    sources.push("A".to_owned());
}

#[derive(Outcome)]
enum Said {
    Loop,
    Exit,
}

#[node(Flow)]
fn b(says: &[String], turn: &mut usize, sources: &mut Log<String>) -> Said {
    sources.push("B".to_owned());
    *turn += 1;
    if says[*turn - 1] == "loop" {
        Said::Loop
    } else {
        Said::Exit
    }
}

#[node(Flow)]
fn c(sources: &mut Log<String>) {
    sources.push("C".to_owned());
}

#[derive(AgentGraph)]
#[graph(state = Flow, start = a)]
struct Looping {
    #[route(_ => b)]
    a: A,
    #[route(Said::Loop => a(limit = 5), Said::Exit => c)]
    b: B,
    #[route(_ => end)]
    c: C,
}

#[tokio::test]
async fn a50_two_loops_and_an_exit_are_heard_in_order() {
    let flow = Flow {
        says: ["loop", "loop", "exit"].map(str::to_owned).to_vec(),
        turn: 0,
        sources: vec!["user".to_owned()].into(),
    };
    let looping = Looping { a: A, b: B, c: C };
    let flow = Runtime::new(looping).thread("t").run(flow).await.unwrap();
    let sources = flow.finished().unwrap().sources;
    assert_eq!(sources.to_vec().join(","), "user,A,B,A,B,A,B,C");
}

// ---- A52 and A53: no edge but those that are declared.

/// Runs `Looping` once and returns what its journal holds.
async fn looped() -> (Memory, Vec<Record>) {
    let journal = Memory::default();
    let flow = Flow {
        says: ["loop", "exit"].map(str::to_owned).to_vec(),
        ..Flow::default()
    };
    let thread = Runtime::new(Looping { a: A, b: B, c: C })
        .journal(journal.clone())
        .thread("t");
    let _ = thread.run(flow).await.unwrap();
    let records = journal.read(&"t".into(), 0).await.unwrap();
    (journal, records)
}

/// Changes an entry, and forges the hashes from there on, so that only its sense betrays it.
fn forge(
    thread: &ThreadId,
    records: &[Record],
    at: usize,
    change: impl Fn(&mut Value),
) -> Vec<Record> {
    let mut prev = Hash::of(thread.as_str().as_bytes());
    let mut forged = Vec::new();
    for (place, record) in records.iter().enumerate() {
        let mut entry: Value = serde_json::from_slice(&record.body).unwrap();
        if place == at {
            change(&mut entry);
        }
        entry["prev"] = serde_json::to_value(prev).unwrap();
        let body = serde_json::to_vec(&entry).unwrap();
        prev = Hash::of(&body);
        forged.push(Record::new(record.seq, prev, body));
    }
    forged
}

#[tokio::test]
async fn a52_a_target_that_was_not_declared_is_an_error_and_no_end() {
    // In code it does not compile: `tests/ui/fail/edge_to_an_unknown_node.rs`. As data it is found:
    let mut topology = Looping::topology();
    let unknown = topology.resolve("d").unwrap_err();
    assert_eq!(unknown.to_string(), "H001: no node is named `d`");
    topology.edge(Edge::new(NodeIndex(0), "_", Route::to(NodeIndex(9))));
    assert_eq!(check(&topology)[0].code(), Code::H001);
}

#[tokio::test]
async fn a53_a_receipt_with_an_edge_that_was_not_declared_is_rejected_on_replay() {
    let (journal, records) = looped().await;
    // Entry 2 is the first step, from `a` on edge 0. Edge 2 is one of `b`; edge 90 is nobody's.
    for (thread, edge) in [("another's", 2), ("nobody's", 90)] {
        let id = ThreadId::new(thread);
        let forged = forge(&id, &records, 1, |entry| {
            let step = &mut entry["event"]["stepped"];
            assert_eq!(step["edge"], 0);
            step["edge"] = edge.into();
        });
        journal
            .append(&id, 0, forged, Durability::Sync)
            .await
            .unwrap();
        let looping = Looping { a: A, b: B, c: C };
        let thread = Runtime::new(looping).journal(journal.clone()).thread(id);
        let error = thread.recover().await.unwrap_err();
        let RunError::Journal {
            source: JournalError::Damaged { seq, .. },
            ..
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!(*seq, 2);
        let text = chain(&error);
        assert!(text.contains("the edge does not leave the node"), "{text}");
    }
    // So is an entry that says another way than the edge leads.
    let id = ThreadId::new("elsewhere");
    let forged = forge(&id, &records, 1, |entry| {
        entry["event"]["stepped"]["to"] = "c".into();
    });
    journal
        .append(&id, 0, forged, Durability::Sync)
        .await
        .unwrap();
    let looping = Looping { a: A, b: B, c: C };
    let error = Runtime::new(looping)
        .journal(journal.clone())
        .thread(id)
        .recover()
        .await
        .unwrap_err();
    let text = chain(&error);
    assert!(
        text.contains("it says that `a` led to `c`, and by this graph it leads to `b`"),
        "{text}"
    );
    // Records under another thread's name do not pass for that thread's.
    let id = ThreadId::new("stolen");
    journal
        .append(&id, 0, records.clone(), Durability::Sync)
        .await
        .unwrap();
    let looping = Looping { a: A, b: B, c: C };
    let error = Runtime::new(looping)
        .journal(journal.clone())
        .thread(id)
        .history()
        .await
        .unwrap_err();
    assert!(
        matches!(
            &error,
            RunError::Journal {
                source: JournalError::Damaged { seq: 1, .. },
                ..
            }
        ),
        "{error:?}"
    );
    // The forgery as such is sound: unchanged, the copy is read.
    let id = ThreadId::new("copy");
    let copy = forge(&id, &records, 0, |_| {});
    journal
        .append(&id, 0, copy, Durability::Sync)
        .await
        .unwrap();
    let looping = Looping { a: A, b: B, c: C };
    let thread = Runtime::new(looping).journal(journal).thread(id);
    assert!(matches!(thread.status().await.unwrap(), Status::Finished));
}

#[test]
fn a53_a_budget_of_zero_is_rejected() {
    // In code: `tests/ui/fail/limit_that_is_no_positive_number.rs`.
    let b = NodeIndex(1);
    let zero = wired([(0, Route::to(b).limit(0).or_end()), (1, Route::end())]);
    let findings = check(&zero);
    assert_eq!(findings[0].code(), Code::H011);
    assert_eq!(
        findings[0].message(&zero),
        "H011: an edge of `a` has a limit of 0, so it can never be taken"
    );
}

#[tokio::test]
async fn a53_the_edges_that_no_run_has_taken_can_be_listed() {
    let uncovered = |history: &[Entry]| -> Vec<String> {
        let taken: Vec<usize> = history
            .iter()
            .filter_map(|entry| match &entry.event {
                Recorded::Stepped { edge, .. } => Some(usize::from(*edge)),
                _ => None,
            })
            .collect();
        let all = Looping::edges().into_iter().enumerate();
        all.filter(|(place, _)| !taken.contains(place))
            .map(|(_, edge)| format!("{}: {} => {}", edge.from.name(), edge.label(), edge.route))
            .collect()
    };
    let run = async |says: &[&str]| {
        let flow = Flow {
            says: says.iter().map(|&word| word.to_owned()).collect(),
            ..Flow::default()
        };
        let thread = Runtime::new(Looping { a: A, b: B, c: C })
            .journal(Memory::default())
            .thread("t");
        let _ = thread.run(flow).await.unwrap();
        thread.history().await.unwrap()
    };
    assert_eq!(
        uncovered(&run(&["exit"]).await),
        ["b: Said::Loop => a(limit = 5)"]
    );
    assert!(uncovered(&run(&["loop", "exit"]).await).is_empty());
}
