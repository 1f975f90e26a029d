//! Whether a thread is still what was written: in its journal, and in an export of it.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use common::{Place, chain};
use handoffs::Durability;
use handoffs::prelude::*;
use handoffs::{
    Hash, Head, Journal, JournalError, Json, Record, RunError, Thread, ThreadId, verify_export,
};
use serde_json::Value;

// ---- A thread with some entries, in the middle of which somebody is asked.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Deal {
    said: Log<String>,
    price: u32,
}

#[node(Deal)]
async fn offer(said: &mut Log<String>, price: &mut u32, cx: &mut Context<'_>) {
    let answer: Json = cx.ask("price", "How much?").await.unwrap();
    *price = answer.as_str().len().try_into().unwrap();
    said.push("an offer: \u{1f4b6}\n".to_owned());
}

#[derive(Outcome)]
enum Sealed {
    Signed { by: String },
}

#[node(Deal)]
fn sign(said: &mut Log<String>) -> Sealed {
    said.push("signed".to_owned());
    let by = "Ada \"the Countess\"".to_owned();
    Sealed::Signed { by }
}

#[derive(AgentGraph)]
#[graph(state = Deal, start = offer)]
struct Trade {
    #[route(_ => sign)]
    offer: Offer,
    #[route(Sealed::Signed { .. } => end)]
    sign: Sign,
}

/// What has nothing to do with it.
#[derive(AgentGraph)]
#[graph(state = Deal, start = sign)]
struct Auditors {
    #[route(_ => end)]
    sign: Sign,
}

fn trade<J: Journal>(journal: J) -> Thread<Trade, J> {
    let (offer, sign) = (Offer, Sign);
    Runtime::new(Trade { offer, sign })
        .journal(journal)
        .thread("deal/1 ü")
}

fn auditors<J: Journal>(journal: J) -> Thread<Auditors, J> {
    Runtime::new(Auditors { sign: Sign })
        .journal(journal)
        .thread("deal/1 ü")
}

/// Runs a thread: it starts, asks, is answered, steps and steps.
async fn run<J: Journal>(journal: J) -> Thread<Trade, J> {
    run_from(journal, Deal::default()).await
}

async fn run_from<J: Journal>(journal: J, deal: Deal) -> Thread<Trade, J> {
    let thread = trade(journal);
    let run = thread.run(deal).await.unwrap();
    let Run::Paused(ask) = run else {
        panic!("{run:?}");
    };
    // As somebody writes it who likes it readable.
    let answer: Json = serde_json::from_str("{\n  \"amount\":\r\n 12.50 }").unwrap();
    let run = thread.resume(ask.id, answer).await.unwrap();
    assert!(matches!(run, Run::Finished(_)), "{run:?}");
    thread
}

const ENTRIES: u64 = 5;

fn id() -> ThreadId {
    ThreadId::new("deal/1 ü")
}

#[track_caller]
fn assert_broken<T>(found: Result<T, RunError>, at: u64, why: &str) {
    let error = found.map(drop).unwrap_err();
    let RunError::Journal { source, .. } = &error else {
        panic!("{error:?}");
    };
    assert_damaged(source, at, why);
    assert!(chain(&error).contains("thread `deal/1 ü`"), "{error}");
}

#[track_caller]
fn assert_damaged(error: &JournalError, at: u64, why: &str) {
    let JournalError::Damaged {
        thread,
        seq,
        reason,
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((thread, *seq), (&id(), at), "{error}");
    assert!(reason.contains(why), "`{why}` is missing in: {reason}");
}

// ---- What is as it was.

async fn a_thread_is_verified_by_whoever_has_its_journal(place: &impl Place) {
    let thread = run(place.open().await).await;
    let head = thread.verify(None).await.unwrap();
    assert_eq!(head.seq, ENTRIES);
    let auditors = auditors(place.open().await);
    assert_eq!(auditors.verify(None).await.unwrap(), head);
    assert_eq!(auditors.verify(head).await.unwrap(), head);
    assert!(auditors.state().await.is_err(), "it is another graph");

    let nobody = auditors_of(place, "nobody").await;
    let none = Head::new(0, Hash::of(b"nobody"));
    assert_eq!(nobody.verify(None).await.unwrap(), none);
    assert_eq!(nobody.verify(none).await.unwrap(), none);
    assert_eq!(nobody.export().await.unwrap().lines().len(), 0);
}

async fn auditors_of<P: Place>(place: &P, thread: &str) -> Thread<Auditors, P::Journal> {
    let runtime = Runtime::new(Auditors { sign: Sign }).journal(place.open().await);
    runtime.thread(thread)
}

async fn a_head_that_was_noted_still_holds_when_the_thread_has_gone_on(place: &impl Place) {
    let thread = run(place.open().await).await;
    let noted = thread.verify(None).await.unwrap();
    let export = thread.export().await.unwrap();
    let _ = thread.run(Deal::default()).await.unwrap();
    let now = thread.verify(noted).await.unwrap();
    assert!(now.seq > noted.seq);
    assert_ne!(now.hash, noted.hash);

    let mut file = Vec::new();
    thread.export().await.unwrap().write_to(&mut file).unwrap();
    assert_eq!(verify_export(&id(), &*file, noted).unwrap(), now);
    let missing = verify_export(&id(), &*lines(&export), now).unwrap_err();
    assert_damaged(
        &missing,
        6,
        "the thread ends at record 5, and 7 had been noted",
    );
}

async fn an_export_is_what_is_hashed_one_entry_a_line(place: &impl Place) {
    let thread = run(place.open().await).await;
    let records = place.open().await.read(&id(), 0).await.unwrap();
    let export = auditors(place.open().await).export().await.unwrap();
    let file = lines(&export);
    let written: Vec<_> = file.split_inclusive(|byte| *byte == b'\n').collect();
    assert_eq!(
        written.len(),
        5,
        "the answer's line breaks are none of the entry's"
    );
    let mut prev = Hash::of("deal/1 ü".as_bytes());
    for ((line, record), seq) in written.iter().zip(&records).zip(1..) {
        assert_eq!(line.strip_suffix(b"\n").unwrap(), record.body);
        let entry: Value = serde_json::from_slice(line).unwrap();
        assert_eq!(entry["seq"], seq);
        assert_eq!(entry["prev"], prev.to_string());
        prev = Hash::of(&record.body);
    }
    assert_eq!(export.head(), Head::new(ENTRIES, prev));
    assert_eq!(thread.verify(None).await.unwrap(), export.head());
    assert_eq!(verify_export(&id(), &*file, None).unwrap(), export.head());
    assert_eq!(
        verify_export(&id(), &*file, export.head()).unwrap(),
        export.head()
    );
    let wrong = verify_export(&"deal/2".into(), &*file, None).unwrap_err();
    let is_the_first = matches!(wrong, JournalError::Damaged { seq: 1, .. });
    assert!(is_the_first, "it is another thread's: {wrong}");
    assert!(!format!("{export:?}").contains("signed"));
    let answer = r#"{   "amount":   12.50 }"#;
    assert!(String::from_utf8_lossy(&file).contains(answer));
}

on_every_journal! {
    a_thread_is_verified_by_whoever_has_its_journal
    a_head_that_was_noted_still_holds_when_the_thread_has_gone_on
    an_export_is_what_is_hashed_one_entry_a_line
}

fn lines(export: &handoffs::Export) -> Vec<u8> {
    let mut file = Vec::new();
    export.write_to(&mut file).unwrap();
    file
}

// ---- What is not.

/// Returns a thread with these bodies and the right hashes.
async fn thread_of(bodies: impl IntoIterator<Item = Vec<u8>>) -> Thread<Auditors, Memory> {
    let record = |(seq, body): (u64, Vec<u8>)| Record::new(seq, Hash::of(&body), body);
    let records: Vec<_> = (1..).zip(bodies).map(record).collect();
    let journal = Memory::default();
    journal
        .append(&id(), 0, records, Durability::Sync)
        .await
        .unwrap();
    auditors(journal)
}

async fn bodies() -> (Vec<Vec<u8>>, Head) {
    bodies_from(Deal::default()).await
}

/// Returns those of a run with the same steps that began otherwise.
async fn other_bodies() -> (Vec<Vec<u8>>, Head) {
    let deal = Deal {
        price: 7,
        ..Deal::default()
    };
    bodies_from(deal).await
}

async fn bodies_from(deal: Deal) -> (Vec<Vec<u8>>, Head) {
    let thread = run_from(Memory::default(), deal).await;
    let export = thread.export().await.unwrap();
    (export.lines().map(<[u8]>::to_vec).collect(), export.head())
}

/// Checks that a thread of these bodies is broken at an entry, and so is its export.
async fn is_broken(bodies: Vec<Vec<u8>>, at: u64, why: &str) {
    let file = [bodies.join(&b'\n'), b"\n".to_vec()].concat();
    assert_damaged(&verify_export(&id(), &*file, None).unwrap_err(), at, why);
    let thread = thread_of(bodies).await;
    assert_broken(thread.verify(None).await, at, why);
    assert_broken(thread.export().await, at, why);
}

#[tokio::test]
async fn entries_that_are_swapped_removed_inserted_or_doubled_are_found() {
    let (bodies, _) = bodies().await;
    let with = |edit: fn(&mut Vec<Vec<u8>>)| {
        let mut bodies = bodies.clone();
        edit(&mut bodies);
        bodies
    };
    let stray = "does not belong behind the record before it";
    is_broken(with(|all| all.swap(1, 2)), 2, "entry 3 stands in its place").await;
    is_broken(with(|all| all.swap(0, 4)), 1, "entry 5 stands in its place").await;
    is_broken(
        with(|all| drop(all.remove(2))),
        3,
        "entry 4 stands in its place",
    )
    .await;
    is_broken(
        with(|all| drop(all.remove(0))),
        1,
        "entry 2 stands in its place",
    )
    .await;
    is_broken(
        with(|all| all.insert(3, all[2].clone())),
        4,
        "entry 3 stands in its place",
    )
    .await;
    is_broken(
        with(|all| all.insert(1, b"{}".to_vec())),
        2,
        "it is no entry: missing",
    )
    .await;
    is_broken(with(|all| all.push(b"".to_vec())), 6, "it is no entry").await;
    // One that claims the place, and the right predecessor: the next one does not follow it.
    let inserted = with(|all| {
        let forged = String::from_utf8(all[2].clone()).unwrap();
        let forged = forged.replacen("\"seq\":3", "\"seq\":2", 1);
        let own = forged.find("\"prev\":\"").unwrap() + 8;
        let prev = Hash::of(&all[0]).to_string();
        let forged = format!("{}{prev}{}", &forged[..own], &forged[own + 64..]);
        all.insert(1, forged.into_bytes());
    });
    is_broken(inserted, 3, "entry 2 stands in its place").await;
    // One of another run of the same graph, with the same number.
    let (others, _) = other_bodies().await;
    let mut mixed = bodies.clone();
    mixed[3].clone_from(&others[3]);
    is_broken(mixed, 4, stray).await;
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_found_by_who_has_noted_the_head() {
    let (mut bodies, head) = bodies().await;
    bodies.truncate(3);
    let thread = thread_of(bodies).await;
    let short = thread.verify(None).await.unwrap();
    assert_eq!(
        short.seq, 3,
        "nothing within a chain tells what came behind it"
    );
    assert_broken(
        thread.verify(head).await,
        4,
        "the thread ends at record 3, and 5 had been noted",
    );
    let gone = thread_of([]).await;
    assert_broken(gone.verify(head).await, 1, "the thread ends at record 0");
}

#[tokio::test]
async fn a_thread_that_was_written_anew_is_found_by_who_has_noted_the_head() {
    let (bodies, head) = bodies().await;
    let (others, other) = other_bodies().await;
    assert_ne!(head, other);
    let thread = thread_of(others).await;
    assert_eq!(thread.verify(None).await.unwrap(), other);
    assert_broken(
        thread.verify(head).await,
        5,
        "it is another one than was noted",
    );
    let first = Head::new(1, Hash::of(&bodies[0]));
    assert_broken(
        thread.verify(first).await,
        1,
        "it is another one than was noted",
    );
    let renamed = Head::new(0, Hash::of(b"another name"));
    assert_broken(
        thread.verify(renamed).await,
        0,
        "it is another one than was noted",
    );
}

#[tokio::test]
async fn each_byte_of_an_export_counts() {
    let (bodies, head) = bodies().await;
    let file = [bodies.join(&b'\n'), b"\n".to_vec()].concat();
    let mut line = 1;
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        let found = verify_export(&id(), &*changed, head).unwrap_err();
        let JournalError::Damaged { seq, .. } = found else {
            panic!("{found:?}");
        };
        // A line has no hash of its own but in the next one.
        assert!(
            seq == line || seq == line + 1,
            "byte {at} of line {line}: {found}"
        );
        line += u64::from(file[at] == b'\n');
    }
}

/// All sequences of up to five of the entries, each as often as you like: 3906 of them.
#[tokio::test]
async fn of_all_orders_only_the_beginnings_are_right_and_with_the_head_only_the_whole() {
    let (bodies, head) = bodies().await;
    let mut orders = vec![Vec::new()];
    let mut at = 0;
    while let Some(order) = orders.get(at).cloned() {
        let lines: Vec<_> = order.iter().map(|entry: &usize| &*bodies[*entry]).collect();
        let file = lines.join(&b'\n');
        let is_a_beginning = order.iter().copied().eq(0..order.len());
        let found = verify_export(&id(), &*file, None);
        assert_eq!(found.is_ok(), is_a_beginning, "{order:?}");
        let is_whole = is_a_beginning && order.len() == bodies.len();
        assert_eq!(
            verify_export(&id(), &*file, head).is_ok(),
            is_whole,
            "{order:?}"
        );
        if let Err(error) = found {
            let first = order
                .iter()
                .zip(0..)
                .find(|(entry, place)| *entry != place)
                .unwrap();
            assert_damaged(&error, first.1 as u64 + 1, "stands in its place");
        }
        if order.len() < bodies.len() {
            orders.extend((0..bodies.len()).map(|next| [&order[..], &[next]].concat()));
        }
        at += 1;
    }
    assert_eq!(at, 3906);
}

#[tokio::test]
async fn what_a_later_version_writes_can_be_verified() {
    let (mut bodies, head) = bodies().await;
    let next = format!(
        r#"{{"seq":6,"version":2,"prev":"{}","event":{{"telepathy":{{}}}}}}"#,
        head.hash
    );
    bodies.push(next.into_bytes());
    let thread = thread_of(bodies).await;
    assert_eq!(thread.verify(head).await.unwrap().seq, 6);
    assert_eq!(thread.export().await.unwrap().lines().len(), 6);
    assert_broken(thread.history().await, 6, "it is no entry");
}

#[tokio::test]
async fn what_has_line_breaks_is_verified_but_not_exported() {
    let body = format!(
        "{{\"seq\":1,\n\"prev\":\"{}\"}}",
        Hash::of(id().as_str().as_bytes())
    );
    let thread = thread_of([body.into_bytes()]).await;
    assert_eq!(thread.verify(None).await.unwrap().seq, 1);
    assert_broken(thread.export().await, 1, "it has a line break");
}

#[test]
fn a_head_is_read_from_its_text() {
    let head = Head::new(12, Hash::of(b""));
    let text = head.to_string();
    assert!(text.starts_with("12:af1349b9"), "{text}");
    assert_eq!(text.parse::<Head>().unwrap(), head);
    let json = serde_json::to_string(&head).unwrap();
    assert_eq!(serde_json::from_str::<Head>(&json).unwrap(), head);
    for wrong in [
        "",
        "12",
        "12:",
        ":",
        &text[..60],
        "x:af",
        &format!("{text}0"),
    ] {
        let error = wrong.parse::<Head>().unwrap_err();
        assert!(
            error.to_string().contains("64 hexadecimal digits"),
            "{wrong}"
        );
    }
}

/// What the documentation of `Export` says, as it says it.
#[tokio::test]
async fn an_export_is_verified_without_us() {
    let has = |tool: &str| {
        std::process::Command::new(tool)
            .arg("--version")
            .output()
            .is_ok()
    };
    if !has("jq") || !has("b3sum") {
        println!("skipped: jq or b3sum is missing");
        return;
    }
    let thread = run(Memory::default()).await;
    let export = thread.export().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let script = r#"
        prev=$(printf %s 'deal/1 ü' | b3sum --no-names)
        while IFS= read -r line; do
          [ "$(printf %s "$line" | jq -r .prev)" = "$prev" ] || echo "broken before: $line"
          prev=$(printf %s "$line" | b3sum --no-names)
        done < customer-42.jsonl
        echo "head: $prev""#;
    let check = |file: &[u8]| {
        std::fs::write(folder.path().join("customer-42.jsonl"), file).unwrap();
        let mut shell = std::process::Command::new("sh");
        let output = shell
            .args(["-c", script])
            .current_dir(&folder)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let mut file = lines(&export);
    assert_eq!(check(&file), format!("head: {}\n", export.head().hash));
    let at = file
        .windows(6)
        .position(|window| window == b"offer:")
        .unwrap();
    file[at] = b'O';
    assert!(
        check(&file).starts_with("broken before: {\"seq\":5"),
        "{}",
        check(&file)
    );
}

// ---- In a file.

#[cfg(feature = "sqlite")]
mod files {
    use handoffs::Sqlite;
    use rusqlite::{Connection, params};
    use tempfile::TempDir;

    use super::*;

    struct File {
        folder: TempDir,
        rows: Connection,
        auditors: Thread<Auditors, Sqlite>,
        head: Head,
    }

    impl File {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("deal.db");
            let head = run(Sqlite::open(&path).await.unwrap())
                .await
                .verify(None)
                .await
                .unwrap();
            let auditors = auditors(Sqlite::open(&path).await.unwrap());
            let rows = Connection::open(&path).unwrap();
            rows.execute_batch("PRAGMA synchronous = OFF").unwrap();
            Self {
                folder,
                rows,
                auditors,
                head,
            }
        }

        fn bodies(&self) -> Vec<(u64, Vec<u8>)> {
            let mut rows = self
                .rows
                .prepare("SELECT seq, body FROM entry ORDER BY seq")
                .unwrap();
            let rows = rows
                .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))
                .unwrap();
            rows.map(|row| row.map(|(seq, body)| (seq.unsigned_abs(), body)).unwrap())
                .collect()
        }

        fn write(&self, seq: u64, body: &[u8], hash: Option<Hash>) {
            let update = "UPDATE entry SET body = ?2, hash = coalesce(?3, hash) WHERE seq = ?1";
            let seq = i64::try_from(seq).unwrap();
            let hash = hash.map(|hash| hash.as_bytes().to_vec());
            assert_eq!(
                self.rows.execute(update, params![seq, body, hash]).unwrap(),
                1
            );
        }
    }

    #[tokio::test]
    async fn each_byte_of_each_record_counts() {
        let file = File::new().await;
        let bodies = file.bodies();
        assert_eq!(bodies.len() as u64, ENTRIES);
        for (seq, body) in &bodies {
            for at in 0..body.len() {
                let mut changed = body.clone();
                changed[at] ^= 0x20;
                file.write(*seq, &changed, None);
                assert_broken(file.auditors.verify(None).await, *seq, "its hash is not");
            }
            file.write(*seq, body, None);
            assert_eq!(file.auditors.verify(None).await.unwrap(), file.head);
        }
        assert!(file.folder.path().exists());
    }

    #[tokio::test]
    async fn who_makes_the_hash_right_is_betrayed_by_the_next_entry_or_the_head() {
        let file = File::new().await;
        for (seq, body) in file.bodies() {
            // A time is nothing that anybody could check.
            let text = String::from_utf8(body.clone()).unwrap();
            let changed = text.replacen("\"at_ms\":1", "\"at_ms\":2", 1).into_bytes();
            assert_ne!(changed, body);
            file.write(seq, &changed, Some(Hash::of(&changed)));
            if seq < ENTRIES {
                assert_broken(file.auditors.verify(None).await, seq + 1, "does not belong");
            } else {
                assert!(
                    file.auditors.verify(None).await.is_ok(),
                    "nothing stands behind it"
                );
                assert_broken(file.auditors.verify(file.head).await, seq, "than was noted");
            }
            file.write(seq, &body, Some(Hash::of(&body)));
        }
        assert_eq!(file.auditors.verify(file.head).await.unwrap(), file.head);
    }

    #[tokio::test]
    async fn a_row_that_is_gone_is_missed() {
        let file = File::new().await;
        file.rows
            .execute_batch("DELETE FROM entry WHERE seq = 3")
            .unwrap();
        assert_broken(file.auditors.verify(None).await, 4, "it follows record 2");
    }
}
