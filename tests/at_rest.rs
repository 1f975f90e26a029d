//! Sealed and compressed journals: they keep the rules, and what a thread is does not depend on them.
#![cfg(all(feature = "seal", feature = "sqlite", feature = "zstd"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

mod common;

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use common::{Stopping, by_branch, chain};
use futures::StreamExt;
use handoffs::Durability;
use handoffs::prelude::*;
use handoffs::testing::{JournalPlace, journal_suite};
use handoffs::{
    ChaCha, Compressed, Counter, Hash, Journal, JournalError, KeyRing, NodeError, Record,
    Retention, RunError, SealKey, Sealed, Thread, ThreadId, inbox,
};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

// ---- The layers.

/// The same key each time, and nothing else that is carried over.
fn key() -> SealKey {
    SealKey::new("2026-11", &[7; 32])
}

fn seal<J: Journal>(journal: J) -> Sealed<J> {
    Sealed::new(journal, ChaCha::new(key())).context("tests")
}

fn seal_with_a_ring<J: Journal>(journal: J) -> Sealed<J, ChaCha<KeyRing>> {
    let older = SealKey::new("2025", &[8; 32]);
    Sealed::new(journal, ChaCha::new(KeyRing::new(key()).and(older)))
}

fn compress_eagerly<J: Journal>(journal: J) -> Compressed<J> {
    Compressed::new(journal).threshold(0)
}

fn compress_then_seal<J: Journal>(journal: J) -> Compressed<Sealed<J>> {
    Compressed::new(seal(journal))
}

fn seal_then_compress<J: Journal>(journal: J) -> Sealed<Compressed<J>> {
    seal(Compressed::new(journal))
}

// ---- They keep the rules of a journal.

#[derive(Default)]
struct InMemory(Memory);

impl JournalPlace for InMemory {
    type Journal = Memory;

    async fn open(&self) -> Memory {
        self.0.clone()
    }
}

struct File(TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("journal.db")
    }
}

impl JournalPlace for File {
    type Journal = Sqlite;

    async fn open(&self) -> Sqlite {
        Sqlite::open(self.path()).await.unwrap()
    }
}

/// A place with layers over its journal, made anew each time that it is opened.
struct Under<P: JournalPlace, L>(P, fn(P::Journal) -> L);

impl<P: JournalPlace, L: Journal> JournalPlace for Under<P, L> {
    type Journal = L;

    async fn open(&self) -> L {
        self.1(self.0.open().await)
    }
}

journal_suite!(memory_sealed, Under(InMemory::default(), seal));
journal_suite!(
    memory_compressed,
    Under(InMemory::default(), Compressed::new)
);
journal_suite!(
    memory_compressed_eagerly,
    Under(InMemory::default(), compress_eagerly)
);
journal_suite!(
    memory_compressed_then_sealed,
    Under(InMemory::default(), compress_then_seal)
);
journal_suite!(
    memory_sealed_then_compressed,
    Under(InMemory::default(), seal_then_compress)
);
journal_suite!(sqlite_sealed, Under(File::new(), seal_with_a_ring));
journal_suite!(sqlite_compressed, Under(File::new(), Compressed::new));
journal_suite!(
    sqlite_compressed_then_sealed,
    Under(File::new(), compress_then_seal)
);
journal_suite!(
    sqlite_sealed_then_compressed,
    Under(File::new(), seal_then_compress)
);

// ---- A run that forks and pauses.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Trip {
    notes: Log<String>,
    cost: Counter,
    approved: bool,
}

/// Large enough to be compressed.
const BROCHURE: usize = 5_000;

#[node(Trip)]
fn plan(notes: &mut Log<String>) {
    notes.push("a view of the sea; ".repeat(BROCHURE / 19));
}

#[node(Trip)]
async fn fly(
    notes: &mut Log<String>,
    cost: &mut Counter,
    cx: &mut Context<'_>,
) -> Result<(), NodeError> {
    let place: String = cx.ask("place", "Where to?").await?;
    let days: i64 = cx.ask("days", "How long?").await?;
    notes.push(format!("{days} days in {place}"));
    *cost += 100 * days;
    Ok(())
}

#[node(Trip)]
fn sleep(notes: &mut Log<String>, cost: &mut Counter) {
    notes.push("a hotel".to_owned());
    *cost += 80;
}

#[node(Trip)]
fn add_up(notes: &mut Log<String>, cost: &Counter) {
    notes.push(format!("it costs {cost}"));
}

#[derive(Serialize, Deserialize, Debug)]
struct Offer {
    cost: String,
}

impl From<&Trip> for Offer {
    fn from(trip: &Trip) -> Self {
        let cost = trip.cost.to_string();
        Self { cost }
    }
}

#[derive(Serialize, Deserialize)]
struct Approval(bool);

#[node(Trip)]
impl Approval {
    fn run(&self, approved: &mut bool) {
        *approved = self.0;
    }
}

#[derive(AgentGraph)]
#[graph(state = Trip, start = plan)]
struct Travel {
    #[route(_ => all(fly, sleep) join add_up)]
    plan: Plan,
    #[route(_ => add_up)]
    fly: Fly,
    #[route(_ => add_up)]
    sleep: Sleep,
    #[route(_ => boss)]
    add_up: AddUp,
    #[route(_ => end)]
    boss: Human<Offer, Approval>,
}

fn travel() -> Travel {
    Travel {
        plan: Plan,
        fly: Fly,
        sleep: Sleep,
        add_up: AddUp,
        boss: Human::new(),
    }
}

fn thread<J: Journal>(journal: J) -> Thread<Travel, J> {
    Runtime::new(travel()).journal(journal).thread("trip/1 ü")
}

/// Goes on with the thread from wherever it is, and answers what it asks.
async fn to_the_end<J: Journal>(thread: &Thread<Travel, J>) -> Result<Trip, RunError> {
    let mut run = thread.run_once(Trip::default()).await?;
    loop {
        let ask = match run {
            Run::Finished(trip) => return Ok(trip),
            Run::Paused(ask) => ask,
        };
        run = match &*ask.key {
            "place" => thread.resume(ask.id, "Rome").await?,
            "days" => thread.resume(ask.id, 3).await?,
            _ => thread.resume(ask.id, true).await?,
        };
    }
}

async fn undisturbed() -> (Trip, Vec<String>) {
    let thread = thread(Memory::default());
    let trip = to_the_end(&thread).await.unwrap();
    (trip, by_branch(&thread.history().await.unwrap()))
}

/// Lets the power go at each append, before and after it is written, and goes on in a new process.
async fn a_run_that_is_cut_off_goes_on<L: Journal>(layers: fn(Sqlite) -> L) {
    let (expected, path) = undisturbed().await;
    assert_eq!(expected.notes.len(), 4);
    for appends in 0.. {
        for keeps_last in [false, true] {
            let file = Under(File::new(), layers);
            let stopping = Stopping::after(file.open().await, appends, keeps_last);
            let cut_off = to_the_end(&thread(stopping)).await;
            if let Ok(trip) = &cut_off {
                assert_eq!(*trip, expected);
                assert!(appends > 6, "{appends} appends are few");
                return;
            }

            let again = thread(file.open().await);
            assert_eq!(
                to_the_end(&again).await.unwrap(),
                expected,
                "{appends} {keeps_last}"
            );
            let history = again.history().await.unwrap();
            assert_eq!(by_branch(&history), path, "{appends} {keeps_last}");
            let head = again.verify(None).await.unwrap();

            let later = thread(file.open().await);
            assert_eq!(later.state().await.unwrap(), expected);
            assert_eq!(later.verify(head).await.unwrap(), head);
            assert_eq!(json(&later.history().await.unwrap()), json(&history));
        }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

#[tokio::test]
async fn a_run_that_is_cut_off_goes_on_if_it_is_compressed_and_sealed() {
    a_run_that_is_cut_off_goes_on(compress_then_seal).await;
}

#[tokio::test]
async fn a_run_that_is_cut_off_goes_on_if_it_is_sealed_and_compressed() {
    a_run_that_is_cut_off_goes_on(seal_then_compress).await;
}

// ---- What lies on the disk.

/// Returns how many bytes of records a run leaves in a file, and what the whole file reads like.
async fn left<L: Journal>(layers: fn(Sqlite) -> L) -> (usize, String) {
    let file = Under(File::new(), layers);
    let opened = thread(file.open().await);
    to_the_end(&opened).await.unwrap();
    drop(opened);
    let rows = Connection::open(file.0.path()).unwrap();
    let bytes =
        "SELECT sum(length(body)) FROM (SELECT body FROM entry UNION ALL SELECT body FROM piece)";
    let bytes: i64 = rows.query_row(bytes, [], |row| row.get(0)).unwrap();
    drop(rows);
    let mut text = String::new();
    for entry in std::fs::read_dir(file.0.0.path()).unwrap() {
        text += &String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap());
    }
    (bytes.try_into().unwrap(), text)
}

#[tokio::test]
async fn what_is_compressed_first_is_small_and_what_is_sealed_cannot_be_read() {
    let (plain, text) = left(|sqlite| sqlite).await;
    let words = [
        "a view of the sea",
        "Rome",
        "started",
        "fly",
        "Travel#",
        "2026-11",
    ];
    for word in &words[..5] {
        assert!(text.contains(word), "{word}");
    }
    let (compressed, _) = left(Compressed::new).await;
    let (right, text) = left(compress_then_seal).await;
    for word in &words[..5] {
        assert!(!text.contains(word), "{word}");
    }
    // What stands in the clear, as it is said to.
    assert!(text.contains("2026-11") && text.contains("trip/1 ü"));
    let (wrong, text) = left(seal_then_compress).await;
    for word in &words[..5] {
        assert!(!text.contains(word), "{word}");
    }
    assert!(compressed + 4_000 < plain, "{compressed} of {plain}");
    assert!(right + 3_500 < plain, "{right} of {plain}");
    assert!(
        wrong > plain,
        "sealed bytes cannot be compressed: {wrong} of {plain}"
    );
    println!("plain {plain}, compressed {compressed}, and sealed {right}, the other order {wrong}");
}

#[tokio::test]
async fn a_journal_is_sealed_by_copying_it() {
    let plain = Memory::default();
    to_the_end(&thread(plain.clone())).await.unwrap();
    let head = thread(plain.clone()).verify(None).await.unwrap();
    let copy = compress_then_seal(Memory::default());
    for id in plain.threads().await.unwrap() {
        let records = plain.read(&id, 0).await.unwrap();
        copy.append(&id, 0, records, Durability::Sync)
            .await
            .unwrap();
    }
    let copied = thread(copy.clone());
    assert_eq!(
        copied.verify(head).await.unwrap(),
        head,
        "the chain is that of the plain bodies"
    );
    assert_eq!(
        json(&copied.history().await.unwrap()),
        json(&thread(plain).history().await.unwrap())
    );
    assert_eq!(copied.state().await.unwrap(), undisturbed().await.0);
}

#[tokio::test]
async fn a_snapshot_that_does_not_open_is_passed_over() {
    check_is_passed_over(seal).await;
    check_is_passed_over(Compressed::new).await;
}

async fn check_is_passed_over<L: Journal>(layer: fn(Memory) -> L) {
    let store = Memory::default();
    let thread = thread(layer(store.clone()));
    let trip = to_the_end(&thread).await.unwrap();
    let head = thread.verify(None).await.unwrap();
    let body = b"something else".to_vec();
    let broken = Record::new(head.seq, Hash::of(&body), body);
    store.compact(thread.id(), broken, 0).await.unwrap();

    assert_eq!(thread.state().await.unwrap(), trip);
    thread.trim(1).await.unwrap();
    assert_eq!(thread.history().await.unwrap().len(), 1);
    assert_eq!(thread.state().await.unwrap(), trip);
}

#[tokio::test]
async fn a_thread_that_does_not_open_hides_no_other() {
    let store = Memory::default();
    let journal = seal(store.clone());
    let (mut asking, mut foreign) = (Vec::new(), Vec::new());
    // More than are read at a time.
    for number in 0..300 {
        let id = ThreadId::new(format!("{number:03}"));
        if [0, 7, 8, 200, 255, 256, 299].contains(&number) {
            let body = b"not sealed".to_vec();
            let record = Record::new(1, Hash::of(&body), body);
            let append = store.append(&id, 0, vec![record], Durability::Sync);
            append.await.unwrap();
            foreign.push(id);
        } else {
            let thread = Runtime::new(travel()).journal(journal.clone()).thread(&id);
            drop(thread.run(Trip::default()).await.unwrap());
            asking.push(id);
        }
    }
    let (mut listed, mut unread) = (Vec::new(), 0);
    for waiting in inbox(&journal, None).collect::<Vec<_>>().await {
        match waiting {
            Ok(waiting) => listed.push(waiting.thread),
            Err(_) => unread += 1,
        }
    }
    assert_eq!((listed, unread), (asking.clone(), foreign.len()));

    for id in &asking {
        let thread = Runtime::new(travel()).journal(journal.clone()).thread(id);
        thread.abandon("that will do").await.unwrap();
    }
    let none = Retention::new().keep_last(0);
    let removed = none.apply(&journal, SystemTime::now()).await.unwrap();
    assert_eq!(removed, asking);
    assert_eq!(store.threads().await.unwrap(), foreign);
}

/// Checks that all ways into a thread say the same, and name thread and record.
async fn is_closed<J: Journal>(journal: J, seq: u64, why: &str) {
    let thread = thread(journal);
    let refused = [
        thread.history().await.map(drop),
        thread.state().await.map(drop),
        thread.status().await.map(drop),
        thread.recover().await.map(drop),
        thread.run(Trip::default()).await.map(drop),
        thread.resume("3".parse().unwrap(), 1).await.map(drop),
        thread.verify(None).await.map(drop),
        thread.export().await.map(drop),
    ];
    for error in refused.map(Result::unwrap_err) {
        let text = chain(&error);
        for part in [why, "thread `trip/1 ü`", &format!("record {seq} of thread")] {
            assert!(text.contains(part), "`{part}` is missing in: {text}");
        }
    }
}

#[tokio::test]
async fn what_is_sealed_opens_with_its_key_in_its_place_and_not_otherwise() {
    let file = File::new();
    let sealed = thread(seal(file.open().await));
    to_the_end(&sealed).await.unwrap();
    let written = sealed.history().await.unwrap();
    let open = async || file.open().await;
    let with = |key| ChaCha::new(key);

    let wrong = SealKey::new("2026-11", &[9; 32]);
    let wrong = Sealed::new(open().await, with(wrong)).context("tests");
    is_closed(wrong, 1, "does not open with key `2026-11`").await;
    let unknown = Sealed::new(open().await, with(SealKey::new("2027", &[7; 32]))).context("tests");
    is_closed(
        unknown,
        1,
        "sealed with key `2026-11`, which is not at hand",
    )
    .await;
    let elsewhere = Sealed::new(open().await, with(key()));
    is_closed(elsewhere, 1, "sealed for another place or context").await;
    is_closed(
        open().await,
        1,
        "is sealed; open the journal through `Sealed`",
    )
    .await;
    is_closed(
        Compressed::new(open().await),
        1,
        "is sealed; open the journal through `Sealed`, and put `Compressed` around that",
    )
    .await;

    // A record of another thread in the place of one.
    let rows = Connection::open(file.path()).unwrap();
    rows.execute_batch(
        "INSERT INTO entry (thread, seq, hash, body)
            SELECT 'other', seq, hash, body FROM entry WHERE seq <= 3;
         UPDATE entry SET (hash, body) = (SELECT hash, body FROM entry WHERE thread = 'other' AND seq = 3)
            WHERE thread <> 'other' AND seq = 2;",
    )
    .unwrap();
    is_closed(seal(open().await), 2, "sealed for another place").await;
    rows.execute_batch(
        "UPDATE entry SET (hash, body) = (SELECT hash, body FROM entry WHERE thread = 'other' AND seq = 2)
            WHERE thread <> 'other' AND seq = 2;",
    )
    .unwrap();
    let mended = thread(seal(open().await));
    assert_eq!(json(&mended.history().await.unwrap()), json(&written));
    let other = seal(open().await)
        .read(&"other".into(), 0)
        .await
        .unwrap_err();
    assert!(
        matches!(other, JournalError::Seal { seq: 1, .. }),
        "{other:?}"
    );

    // And what was written by hand, or by a run without the layer.
    rows.execute_batch(
        "UPDATE entry SET body = CAST('{}' AS BLOB) WHERE thread <> 'other' AND seq = 4",
    )
    .unwrap();
    is_closed(seal(open().await), 4, "its hash is not that of its content").await;
    let hash = handoffs::Hash::of(b"{}").as_bytes().to_vec();
    let update = "UPDATE entry SET hash = ?1, body = CAST('{}' AS BLOB) WHERE seq = 4";
    rows.execute(update, [hash]).unwrap();
    is_closed(seal(open().await), 4, "it is not sealed").await;
    assert_debug(&seal(open().await));
}

fn assert_debug(value: &impl fmt::Debug) {
    let text = format!("{value:?}");
    assert!(text.contains("2026-11") && !text.contains("7, 7"), "{text}");
}
