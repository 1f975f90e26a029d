//! Nodes that no macro wrote, types with an equality of their own, numbers to the last bit: what a
//! run returns and what its journal says are the same.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::sync::{Arc, Mutex};

use handoffs::prelude::*;
use handoffs::{Contract, Execute, FieldSet, Node, NodeError};
use serde::{Deserialize, Serialize};

/// A thing of which two count as equal if their ids are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Thing {
    id: u32,
    note: String,
}

impl PartialEq for Thing {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Desk {
    log: Log<u32>,
    count: u32,
    account: Option<String>,
    thing: Thing,
    number: f64,
}

/// A node whose `execute` is this function, and which tells nobody what it writes.
struct ByHand(fn(&mut Desk));

impl Node<Desk> for ByHand {
    type Outcome = ();
    const CONTRACT: Contract = Contract {
        writes: FieldSet::named(Desk::FIELDS, &["log", "count", "account"]),
        gives: FieldSet::named(Desk::FIELDS, &["account"]),
        ..Contract::EMPTY
    };
}

impl Execute<Desk> for ByHand {
    async fn execute(&self, state: &mut Desk, _: &mut Context<'_>) -> Result<(), NodeError> {
        (self.0)(state);
        Ok(())
    }
}

#[node(Desk)]
fn rewrite(log: &mut Log<u32>) {
    *log = Log::from(vec![7, 8]);
}

#[node(Desk)]
fn append(log: &mut Log<u32>, count: &mut u32) {
    log.push(9);
    *count += 1;
}

/// Runs two nodes as one.
struct Both<A, B>(A, B);

impl<A: Node<Desk, Outcome = ()>, B: Node<Desk, Outcome = ()>> Node<Desk> for Both<A, B> {
    type Outcome = ();
    const CONTRACT: Contract = Contract {
        writes: A::CONTRACT.writes.or(B::CONTRACT.writes),
        ..Contract::EMPTY
    };
}

impl<A, B> Execute<Desk> for Both<A, B>
where
    A: Execute<Desk, Outcome = ()>,
    B: Execute<Desk, Outcome = ()>,
{
    const REPORTS: bool = A::REPORTS && B::REPORTS;

    async fn execute(&self, state: &mut Desk, cx: &mut Context<'_>) -> Result<(), NodeError> {
        self.0.execute(state, cx).await?;
        self.1.execute(state, cx).await
    }
}

#[derive(AgentGraph)]
#[graph(state = Desk, start = node)]
struct One<N: Execute<Desk, Outcome = ()>> {
    #[route(_ => end)]
    node: N,
}

/// Runs one node, and returns what the run returned and what the journal says.
async fn both_ways<N: Execute<Desk, Outcome = ()>>(node: N, desk: Desk) -> (Desk, Desk) {
    let thread = Runtime::new(One { node })
        .journal(Memory::default())
        .thread("t");
    let returned = thread.run(desk).await.unwrap().finished().unwrap();
    (returned, thread.state().await.unwrap())
}

#[tokio::test]
async fn what_a_node_by_hand_writes_is_kept_though_it_tells_nobody() {
    let node = ByHand(|desk| {
        desk.log = Log::from(vec![1, 2]);
        desk.count = 5;
        desk.account = Some("Ada".to_owned());
    });
    let (returned, kept) = both_ways(
        node,
        Desk {
            log: vec![3].into(),
            ..Desk::default()
        },
    )
    .await;
    assert_eq!(returned, kept);
    assert_eq!((kept.count, kept.log.len()), (5, 2));
}

#[tokio::test]
async fn a_node_by_hand_that_breaks_its_promise_fails_in_its_own_name() {
    let thread = Runtime::new(One {
        node: ByHand(|desk| desk.count = 5),
    })
    .journal(Memory::default())
    .thread("t");
    let error = thread.run(Desk::default()).await.unwrap_err();
    assert!(
        matches!(&error, RunError::Node { node, .. } if node == "node"),
        "{error:?}"
    );
    assert_eq!(thread.state().await.unwrap(), Desk::default());
}

#[tokio::test]
async fn a_log_that_one_of_two_nodes_in_one_rewrites_is_kept_whole() {
    let desk = Desk {
        log: vec![1, 2, 3].into(),
        ..Desk::default()
    };
    for (returned, kept) in [
        both_ways(Both(Rewrite, Append), desk.clone()).await,
        both_ways(Both(Append, Rewrite), desk.clone()).await,
        both_ways(Both(Append, Append), desk.clone()).await,
    ] {
        assert_eq!(returned, kept);
    }
}

#[node(Desk)]
fn annotate(thing: &mut Thing) {
    "equal, and yet another".clone_into(&mut thing.note);
}

#[tokio::test]
async fn a_change_that_a_types_equality_overlooks_is_neither_kept_nor_returned() {
    let (returned, kept) = both_ways(Annotate, Desk::default()).await;
    assert_eq!(returned.thing.note, kept.thing.note);
}

#[node(Desk)]
fn divide(number: &mut f64) {
    *number = f64::from_bits(number.to_bits() ^ 0x5555);
}

#[tokio::test]
async fn a_number_reads_back_to_the_last_bit() {
    let mut bits: u64 = 0x3fb9_9999_9999_999a;
    for _ in 0..2_000 {
        bits = bits
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        let number = f64::from_bits(bits);
        if !number.is_finite() || !f64::from_bits(bits ^ 0x5555).is_finite() {
            continue;
        }
        let (returned, kept) = both_ways(
            Divide,
            Desk {
                number,
                ..Desk::default()
            },
        )
        .await;
        assert_eq!(
            returned.number.to_bits(),
            kept.number.to_bits(),
            "{number:e}"
        );
    }
}

/// Collects the keys that it is given.
struct Pay(Arc<Mutex<Vec<String>>>);

#[node(Desk)]
impl Pay {
    fn run(&self, cx: &mut Context<'_>) {
        self.0.lock().unwrap().push(cx.idempotency_key());
    }
}

#[tokio::test]
async fn without_a_journal_no_two_runs_have_a_key_in_common() {
    let keys = Arc::new(Mutex::new(Vec::new()));
    let thread = Runtime::new(One {
        node: Pay(keys.clone()),
    })
    .thread("t");
    for _ in 0..3 {
        let _ = thread.run(Desk::default()).await.unwrap();
    }
    let mut keys = keys.lock().unwrap().clone();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 3);
}
