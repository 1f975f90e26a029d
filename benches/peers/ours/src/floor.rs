//! The least that each case costs: the same work written by hand. `match` is an enum and a `match` of two
//! functions; `boxed` a table of boxed futures, as every graph that is made at run time needs.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;

use peers_common::{Asked, Case, NAP, NAPS, Store, TEXT, first_node};
use rusqlite::Connection;
use tokio::task::JoinSet;

#[derive(Clone, Debug, Default)]
struct Work {
    count: u64,
    note: String,
    #[expect(dead_code, reason = "it lies in the state and is not touched")]
    blob: String,
    pages: Vec<String>,
}

/// What a step changes, in the form in which it is kept.
fn changed(work: &Work, page: Option<&String>) -> Vec<u8> {
    let change = (work.count, &work.note, page);
    serde_json::to_vec(&change).expect("JSON")
}

fn node(work: &mut Work, page: Option<String>) {
    if work.count == 0 {
        first_node();
    }
    work.count += 1;
    work.note = TEXT.to_owned();
    work.pages.extend(page);
}

// ---- An enum and a `match`.

enum At {
    First,
    Second,
}

fn by_match(asked: &Asked, mut work: Work, mut keep: impl FnMut(&Work)) -> Work {
    let mut at = At::First;
    loop {
        let page = asked.page(work.count);
        at = match black_box(at) {
            At::First => {
                node(&mut work, page);
                At::Second
            }
            At::Second => {
                node(&mut work, page);
                At::First
            }
        };
        keep(&work);
        if work.count >= asked.n {
            return work;
        }
    }
}

// ---- A table of boxed futures.

type Step = Box<dyn for<'w> Fn(&'w mut Work) -> Pin<Box<dyn Future<Output = usize> + Send + 'w>>>;

/// A ring of two, or a chain, which ends at the number that is no node.
fn table(nodes: usize, ring: bool, goal: u64) -> Vec<Step> {
    let step = |at: usize| -> Step {
        let next = if ring { (at + 1) % nodes } else { at + 1 };
        Box::new(move |work| {
            Box::pin(async move {
                node(work, None);
                if work.count >= goal { nodes } else { next }
            })
        })
    };
    (0..nodes).map(step).collect()
}

async fn by_table(table: &[Step], mut work: Work) -> Work {
    let mut at = 0;
    while let Some(step) = table.get(at) {
        at = step(&mut work).await;
    }
    work
}

async fn boxed(asked: Asked) {
    let (nodes, ring) = match asked.case {
        Case::Loop | Case::Big if asked.store == Store::None => (2, true),
        Case::Chain => (usize::try_from(asked.n).expect("a small number"), false),
        _ => return peers_common::cannot("the floor of this case is `match`").await,
    };
    let table = table(nodes, ring, asked.n);
    let run = async |work| assert_eq!(by_table(&table, work).await.count, asked.n);
    asked.measure(async || begin(&asked), run).await;
}

// ---- The cases.

fn begin(asked: &Asked) -> Work {
    Work {
        blob: asked.blob(),
        ..Work::default()
    }
}

/// The loop, of which each step is kept as the bytes that have changed.
async fn looped(asked: &Asked) {
    match &asked.store {
        Store::None => {
            let run = async |work| drop(black_box(by_match(asked, work, |_| {})));
            asked.measure(async || begin(asked), run).await;
        }
        Store::Memory => {
            let run = async |work| {
                let mut kept = Vec::new();
                let work = by_match(asked, work, |work| {
                    kept.push(changed(work, work.pages.last()))
                });
                drop(black_box((work, &mut kept)));
            };
            asked.measure(async || begin(asked), run).await;
        }
        Store::Sqlite(path) => {
            let file = Connection::open(path).expect("a file");
            file.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 CREATE TABLE entry (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;",
            )
            .expect("a table");
            let mut insert = file
                .prepare("INSERT INTO entry (body) VALUES (?1)")
                .expect("SQL");
            let run = async |work| {
                let keep = |work: &Work| {
                    insert
                        .execute([changed(work, work.pages.last())])
                        .expect("a row");
                };
                drop(black_box(by_match(asked, work, keep)));
            };
            asked.measure(async || begin(asked), run).await;
        }
    }
}

async fn fan_out(asked: &Asked) {
    let run = async |()| {
        let mut tasks = JoinSet::new();
        for (place, number) in (1..=asked.n).enumerate() {
            tasks.spawn(async move { (place, black_box(number)) });
        }
        let mut results = vec![0; tasks.len()];
        while let Some(done) = tasks.join_next().await {
            let (place, number) = done.expect("a task");
            results[place] = number;
        }
        assert_eq!(results.iter().sum::<u64>(), (1..=asked.n).sum::<u64>());
    };
    asked.measure(async || (), run).await;
}

async fn at_once(asked: &Asked) {
    let run = async |()| {
        let mut tasks = JoinSet::new();
        for _ in 0..asked.n {
            tasks.spawn(async {
                let mut work = Work::default();
                for _ in 0..NAPS {
                    tokio::time::sleep(NAP).await;
                    work.count += 1;
                }
                work.count
            });
        }
        while let Some(done) = tasks.join_next().await {
            assert_eq!(done.expect("a task"), NAPS);
        }
    };
    asked.measure(async || (), run).await;
}

pub async fn by_hand(asked: Asked) {
    match asked.case {
        _ if asked.way == "boxed" => boxed(asked).await,
        Case::Loop | Case::Big | Case::History | Case::Cold => looped(&asked).await,
        Case::Chain => peers_common::cannot("the floor of this case is `boxed`").await,
        Case::FanOut => fan_out(&asked).await,
        Case::AtOnce => at_once(&asked).await,
    }
}
