//! What a thread is remembered by: the same in memory and in a file, whole or refused.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

mod common;
#[path = "journals/unread.rs"]
mod unread;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Place, chain, lines};
use handoffs::prelude::*;
use handoffs::{Journal, RunError, Thread};
use tokio::sync::Notify;

// ---- Three nodes in a row, in the middle of which a run can be held.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Parcel {
    stamps: Log<String>,
    weight: u32,
}

#[node(Parcel)]
fn pick_up(stamps: &mut Log<String>, weight: &mut u32) {
    *weight = 12;
    stamps.push("picked up".to_owned());
}

/// Lets everybody pass, save the first if it is closed.
#[derive(Clone, Debug, Default)]
struct Gate {
    closed: Arc<AtomicBool>,
    reached: Arc<Notify>,
    opened: Arc<Notify>,
}

impl Gate {
    fn closed() -> Self {
        let gate = Self::default();
        gate.closed.store(true, Ordering::Relaxed);
        gate
    }
}

#[node(Parcel)]
impl Gate {
    async fn run(&self, stamps: &mut Log<String>) {
        stamps.push("at the gate".to_owned());
        if self.closed.swap(false, Ordering::Relaxed) {
            self.reached.notify_one();
            self.opened.notified().await;
        }
    }
}

#[node(Parcel)]
fn hand_out(stamps: &mut Log<String>, weight: &mut u32) {
    *weight = 0;
    stamps.push("handed out".to_owned());
}

#[derive(AgentGraph, Debug)]
#[graph(state = Parcel, start = pick_up)]
struct Post {
    #[route(_ => gate)]
    pick_up: PickUp,
    #[route(_ => hand_out)]
    gate: Gate,
    #[route(_ => end)]
    hand_out: HandOut,
}

fn post(gate: &Gate) -> Post {
    Post {
        pick_up: PickUp,
        gate: gate.clone(),
        hand_out: HandOut,
    }
}

const PATH: [&str; 4] = [
    "started",
    "pick_up: _ => gate",
    "gate: _ => hand_out",
    "hand_out: _ => end",
];

/// Another graph over the same state.
#[derive(AgentGraph)]
#[graph(state = Parcel, start = hand_out)]
struct Kiosk {
    #[route(_ => end)]
    hand_out: HandOut,
}

/// Later versions of the first graph, under its name.
mod later {
    use super::{Gate, HandOut, Parcel, PickUp};
    use handoffs::prelude::*;

    /// A node got another name.
    pub(super) mod renamed {
        use super::*;

        #[derive(AgentGraph)]
        #[graph(state = Parcel, start = pick_up)]
        pub(crate) struct Post {
            #[route(_ => gate)]
            pub(crate) pick_up: PickUp,
            #[route(_ => deliver)]
            pub(crate) gate: Gate,
            #[route(_ => end)]
            pub(crate) deliver: HandOut,
        }
    }

    /// A field of the state got another type.
    pub(super) mod retyped {
        use super::*;

        #[derive(State, Clone, Debug, Default)]
        pub(crate) struct Parcel {
            stamps: Log<String>,
            weight: String,
        }

        #[node(Parcel)]
        pub(crate) fn stamp(stamps: &mut Log<String>, weight: &str) {
            stamps.push(weight.to_owned());
        }

        #[derive(AgentGraph)]
        #[graph(state = Parcel, start = pick_up)]
        pub(crate) struct Post {
            #[route(_ => gate)]
            pub(crate) pick_up: Stamp,
            #[route(_ => hand_out)]
            pub(crate) gate: Stamp,
            #[route(_ => end)]
            pub(crate) hand_out: Stamp,
        }

        pub(crate) const POST: Post = Post {
            pick_up: Stamp,
            gate: Stamp,
            hand_out: Stamp,
        };
    }
}

// ---- The rules, for any journal.

async fn what_a_thread_was_is_what_it_is_when_opened_again(place: &impl Place) {
    let runtime = Runtime::new(post(&Gate::default())).journal(place.open().await);
    let run = runtime.thread("a/1 ü").run(Parcel::default()).await;
    let parcel = run.unwrap().finished().unwrap();
    let history = runtime.thread("a/1 ü").history().await.unwrap();
    drop(runtime);

    let runtime = Runtime::new(post(&Gate::default())).journal(place.open().await);
    let thread = runtime.thread("a/1 ü");
    assert_eq!(thread.state().await.unwrap(), parcel);
    assert!(matches!(thread.status().await.unwrap(), Status::Finished));
    let again = thread.history().await.unwrap();
    assert_eq!(lines(&again), PATH);
    assert_eq!(
        serde_json::to_string(&again).unwrap(),
        serde_json::to_string(&history).unwrap(),
        "to the byte, times and hashes included"
    );
    assert_eq!(
        again.iter().map(|entry| entry.seq).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert!(again.iter().all(|entry| entry.graph.name() == "Post"));
}

async fn threads_are_told_by_name_and_do_not_see_each_other(place: &impl Place) {
    let runtime = Runtime::new(post(&Gate::default())).journal(place.open().await);
    assert!(runtime.threads().await.unwrap().is_empty());
    for name in ["b", "", "a"] {
        let parcel = Parcel {
            stamps: vec![name.to_owned()].into(),
            ..Parcel::default()
        };
        let _ = runtime.thread(name).run(parcel).await.unwrap();
    }
    let names: Vec<_> = runtime.threads().await.unwrap();
    assert_eq!(names, ["".into(), "a".into(), "b".into()]);
    for name in ["", "a", "b"] {
        let state = runtime.thread(name).state().await.unwrap();
        assert_eq!(state.stamps[0], name);
        assert_eq!(state.stamps.len(), 4);
    }
    let nobody = runtime.thread("nobody");
    assert!(matches!(nobody.status().await.unwrap(), Status::New));
}

async fn of_two_workers_on_one_thread_the_slower_loses_and_nothing_else_is_lost(
    place: &impl Place,
) {
    let gate = Gate::closed();
    let slow = Runtime::new(post(&gate)).journal(place.open().await);
    let fast = Runtime::new(post(&gate)).journal(place.open().await);
    let slow = slow.thread("t");
    let (lost, won) = tokio::join!(slow.run(Parcel::default()), async {
        gate.reached.notified().await;
        // The other worker stands before an append now. This one takes the thread from it.
        let won = fast.thread("t").recover().await;
        gate.opened.notify_one();
        won
    });
    let won = won.unwrap().finished().unwrap();
    let error = lost.unwrap_err();
    assert!(error.is_conflict(), "{error:?}");
    let text = chain(&error);
    for part in ["thread `t`", "node `gate`", "another worker", "leave it"] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    assert_eq!(error.node(), Some("gate"));
    assert_eq!(lines(&slow.history().await.unwrap()), PATH);
    assert_eq!(slow.state().await.unwrap(), won);
    assert_eq!(won.stamps.len(), 3, "nothing is doubled");
    // And the loser, if it looks again, sees that there is nothing left to do.
    assert_eq!(slow.recover().await.unwrap().finished(), Some(won));
}

async fn of_many_workers_that_recover_one_thread_each_step_counts_once(place: &impl Place) {
    let gate = Gate::closed();
    let thread = Runtime::new(post(&gate))
        .journal(place.open().await)
        .thread("t");
    tokio::select! {
        ended = thread.run(Parcel::default()) => panic!("{ended:?}"),
        () = gate.reached.notified() => {}
    }
    let mut workers: Vec<Thread<Post, _>> = Vec::new();
    for _ in 0..8 {
        let runtime = Runtime::new(post(&gate)).journal(place.open().await);
        workers.push(runtime.thread("t"));
    }
    let recovered = futures::future::join_all(workers.iter().map(Thread::recover)).await;
    assert!(recovered.iter().any(Result::is_ok), "{recovered:?}");
    for lost in recovered.into_iter().filter_map(Result::err) {
        assert!(lost.is_conflict(), "{lost:?}");
    }
    assert_eq!(lines(&thread.history().await.unwrap()), PATH);
}

async fn a_thread_of_another_graph_is_refused_and_both_are_named(place: &impl Place) {
    let runtime = Runtime::new(post(&Gate::default())).journal(place.open().await);
    let _ = runtime.thread("t").run(Parcel::default()).await.unwrap();
    let kiosk = Kiosk { hand_out: HandOut };
    let kiosk = Runtime::new(kiosk).journal(place.open().await);
    let thread = kiosk.thread("t");
    let refused = [
        thread.recover().await.map(drop),
        thread.resume("3".parse().unwrap(), 1).await.map(drop),
        thread.state().await.map(drop),
        thread.status().await.map(drop),
    ];
    for error in refused.map(Result::unwrap_err) {
        let RunError::OtherGraph {
            recorded, graph, ..
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((recorded.name(), graph.name()), ("Post", "Kiosk"));
        let text = error.to_string();
        for part in ["`t`", "`Post#", "`Kiosk#", "begin another thread"] {
            assert!(text.contains(part), "`{part}` is missing in: {text}");
        }
    }
    // The history can be read by whoever has the journal, and other threads are free.
    assert_eq!(lines(&thread.history().await.unwrap()), PATH);
    let _ = kiosk.thread("other").run(Parcel::default()).await.unwrap();
    // The thread itself is as it was.
    assert!(matches!(
        runtime.thread("t").status().await.unwrap(),
        Status::Finished
    ));
}

async fn a_graph_with_a_renamed_node_is_another_graph(place: &impl Place) {
    let gate = Gate::closed();
    let runtime = Runtime::new(post(&gate)).journal(place.open().await);
    tokio::select! {
        ended = async { runtime.thread("t").run(Parcel::default()).await } => panic!("{ended:?}"),
        () = gate.reached.notified() => {}
    }
    let renamed = later::renamed::Post {
        pick_up: PickUp,
        gate: Gate::default(),
        deliver: HandOut,
    };
    let renamed = Runtime::new(renamed).journal(place.open().await);
    assert_eq!(runtime.graph_id().name(), renamed.graph_id().name());
    assert_ne!(
        runtime.graph_id(),
        renamed.graph_id(),
        "the fingerprints tell them apart"
    );
    // The path has not come by the node yet, so it goes on.
    let _ = renamed
        .thread("t")
        .recover()
        .await
        .unwrap()
        .finished()
        .unwrap();
    // And now it has: the graph that has it under its old name cannot go on.
    let error = runtime.thread("t").recover().await.unwrap_err();
    let RunError::OtherGraph {
        recorded, graph, ..
    } = &error
    else {
        panic!("{error:?}");
    };
    let text = error.to_string();
    for graph in [recorded, graph] {
        assert!(text.contains(&format!("`{graph}`")), "{text}");
    }
    assert!(
        text.contains("names the node `deliver`, which the graph does not have"),
        "{text}"
    );
}

async fn a_field_of_another_type_is_named_and_nothing_is_written(place: &impl Place) {
    let gate = Gate::closed();
    let runtime = Runtime::new(post(&gate)).journal(place.open().await);
    tokio::select! {
        ended = async { runtime.thread("t").run(Parcel::default()).await } => panic!("{ended:?}"),
        () = gate.reached.notified() => {}
    }
    let retyped = Runtime::new(later::retyped::POST).journal(place.open().await);
    let thread = retyped.thread("t");
    let refused = [
        thread.state().await.map(drop),
        thread.recover().await.map(drop),
    ];
    for error in refused.map(Result::unwrap_err) {
        assert!(
            matches!(
                error,
                RunError::Decode {
                    field: "weight",
                    ..
                }
            ),
            "{error:?}"
        );
        let text = chain(&error);
        for part in ["`t`", "`weight`", "give it a type", "expected a string"] {
            assert!(text.contains(part), "`{part}` is missing in: {text}");
        }
    }
    assert_eq!(thread.history().await.unwrap().len(), 2);
    let _ = runtime.thread("t").recover().await.unwrap();
}

macro_rules! for_each_journal {
    ($($test:ident)*) => {
        mod memory {
            use super::*;
            $(#[tokio::test]
            async fn $test() {
                super::$test(&Memory::default()).await;
            })*
        }

        #[cfg(feature = "sqlite")]
        mod sqlite {
            use super::*;
            $(#[tokio::test]
            async fn $test() {
                super::$test(&files::File::new()).await;
            })*
        }

        #[cfg(feature = "postgres")]
        mod postgres {
            use super::*;
            $(#[tokio::test]
            async fn $test() {
                super::$test(&common::Schema::new()).await;
            })*
        }
    };
}

for_each_journal! {
    what_a_thread_was_is_what_it_is_when_opened_again
    threads_are_told_by_name_and_do_not_see_each_other
    of_two_workers_on_one_thread_the_slower_loses_and_nothing_else_is_lost
    of_many_workers_that_recover_one_thread_each_step_counts_once
    a_thread_of_another_graph_is_refused_and_both_are_named
    a_graph_with_a_renamed_node_is_another_graph
    a_field_of_another_type_is_named_and_nothing_is_written
}

// ---- What can only happen to a file.

#[cfg(feature = "sqlite")]
mod files {
    use std::fs;
    use std::path::PathBuf;

    use handoffs::{Hash, JournalError};
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::common::timeless;
    use super::*;

    pub(super) struct File {
        folder: TempDir,
    }

    impl File {
        pub(super) fn new() -> Self {
            Self {
                folder: tempfile::tempdir().unwrap(),
            }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("post.db")
        }

        async fn runtime(&self) -> Runtime<Post, Sqlite> {
            Runtime::new(post(&Gate::default())).journal(self.open().await)
        }

        /// Runs two threads, `good` and `bad`.
        async fn two_threads() -> Self {
            let file = Self::new();
            let runtime = file.runtime().await;
            for name in ["good", "bad"] {
                let _ = runtime.thread(name).run(Parcel::default()).await.unwrap();
            }
            file
        }

        fn sql(&self, sql: &str) {
            let file = Connection::open(self.path()).unwrap();
            file.execute_batch(sql).unwrap();
        }

        /// Rewrites a body of `bad`, and its hash as well if one is made of it.
        fn edit(
            &self,
            seq: u64,
            edit: impl FnOnce(&mut Vec<u8>),
            hash: impl FnOnce(&[u8]) -> Option<Hash>,
        ) {
            let file = Connection::open(self.path()).unwrap();
            let select = "SELECT body FROM entry WHERE thread = 'bad' AND seq = ?1";
            let seq = i64::try_from(seq).unwrap();
            let mut body: Vec<u8> = file.query_row(select, [seq], |row| row.get(0)).unwrap();
            edit(&mut body);
            let hash = hash(&body);
            let update = "UPDATE entry SET body = ?2, hash = coalesce(?3, hash)
                WHERE thread = 'bad' AND seq = ?1";
            let hash = hash.map(|hash| hash.as_bytes().to_vec());
            let changed = file.execute(update, (seq, body, hash)).unwrap();
            assert_eq!(changed, 1);
        }

        /// Checks that `bad` is refused at this record, and that `good` is as it was.
        async fn is_damaged_at(&self, at: u64, why: &str) {
            let runtime = self.runtime().await;
            let bad = runtime.thread("bad");
            let refused = [
                bad.history().await.map(drop),
                bad.state().await.map(drop),
                bad.status().await.map(drop),
                bad.recover().await.map(drop),
                bad.run(Parcel::default()).await.map(drop),
                bad.resume("3".parse().unwrap(), 1).await.map(drop),
            ];
            for error in refused.map(Result::unwrap_err) {
                let RunError::Journal {
                    source: JournalError::Damaged { thread, seq, .. },
                    ..
                } = &error
                else {
                    panic!("{error:?}");
                };
                assert_eq!((thread.as_str(), *seq), ("bad", at));
                let text = chain(&error);
                for part in ["thread `bad`", &format!("record {at} "), why, "restore"] {
                    assert!(text.contains(part), "`{part}` is missing in: {text}");
                }
                assert!(!text.contains("safe"), "nobody knows: {text}");
                assert_eq!(error.node(), None, "it was only read");
            }

            let good = runtime.thread("good");
            assert_eq!(lines(&good.history().await.unwrap()), PATH);
            let _ = good.run(good.state().await.unwrap()).await.unwrap();
            let _ = runtime.thread("new").run(Parcel::default()).await.unwrap();
        }
    }

    impl Place for File {
        type Journal = Sqlite;

        async fn open(&self) -> Sqlite {
            Sqlite::open(self.path()).await.unwrap()
        }
    }

    #[tokio::test]
    async fn a_byte_that_flipped_is_found() {
        for byte in [0, 20, 90] {
            let file = File::two_threads().await;
            file.edit(2, |body| body[byte] ^= 0x10, |_| None);
            file.is_damaged_at(2, "hash").await;
        }
    }

    #[tokio::test]
    async fn a_row_that_was_deleted_is_missed() {
        let file = File::two_threads().await;
        file.sql("DELETE FROM entry WHERE thread = 'bad' AND seq = 2");
        file.is_damaged_at(3, "it follows record 1").await;
    }

    #[tokio::test]
    async fn rows_that_changed_places_are_found() {
        let file = File::two_threads().await;
        file.sql(
            "UPDATE entry SET seq = 99 WHERE thread = 'bad' AND seq = 2;
             UPDATE entry SET seq = 2 WHERE thread = 'bad' AND seq = 3;
             UPDATE entry SET seq = 3 WHERE thread = 'bad' AND seq = 99;",
        );
        file.is_damaged_at(2, "does not belong").await;
    }

    #[tokio::test]
    async fn a_row_of_another_thread_is_found() {
        let file = File::two_threads().await;
        file.sql(
            "DELETE FROM entry WHERE thread = 'bad' AND seq = 3;
             INSERT INTO entry (thread, seq, hash, body)
                SELECT 'bad', seq, hash, body FROM entry WHERE thread = 'good' AND seq = 3;",
        );
        file.is_damaged_at(3, "does not belong").await;
    }

    #[tokio::test]
    async fn a_row_that_was_rewritten_with_its_hash_is_betrayed_by_the_next() {
        let file = File::two_threads().await;
        let edit = |body: &mut Vec<u8>| {
            let text = String::from_utf8(body.clone()).unwrap();
            let forged = text.replace(r#""weight":{"set":12}"#, r#""weight":{"set":99}"#);
            assert_ne!(forged, text, "there is a weight to forge");
            *body = forged.into_bytes();
        };
        file.edit(2, edit, |body| Some(Hash::of(body)));
        file.is_damaged_at(3, "does not belong").await;
    }

    #[tokio::test]
    async fn a_body_that_is_no_entry_is_refused_though_its_hash_is_right() {
        let file = File::two_threads().await;
        file.edit(
            1,
            |body| *body = b"[]".to_vec(),
            |body| Some(Hash::of(body)),
        );
        file.is_damaged_at(1, "it is no entry").await;
    }

    #[tokio::test]
    async fn a_thread_that_lost_its_end_goes_on_from_what_is_left() {
        let file = File::two_threads().await;
        let before = file.runtime().await.thread("bad").history().await.unwrap();
        file.sql("DELETE FROM entry WHERE thread = 'bad' AND seq > 2");
        let thread = file.runtime().await.thread("bad");
        assert!(matches!(
            thread.status().await.unwrap(),
            Status::Unfinished(PostNode::Gate)
        ));
        let _ = thread.recover().await.unwrap();
        let after = thread.history().await.unwrap();
        assert_eq!(timeless(&after), timeless(&before));
    }

    #[tokio::test]
    async fn a_file_that_is_no_journal_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("notes.txt");
        fs::write(&text, "Dear diary, nothing happened today. ".repeat(40)).unwrap();
        let database = folder.path().join("shop.db");
        let shop = Connection::open(&database).unwrap();
        shop.execute_batch(
            "CREATE TABLE customer (name TEXT); INSERT INTO customer VALUES ('Ada')",
        )
        .unwrap();
        drop(shop);
        for path in [text, database] {
            let before = fs::read(&path).unwrap();
            let error = Sqlite::open(&path).await.unwrap_err();
            assert!(matches!(error, JournalError::Foreign { .. }), "{error:?}");
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(error.to_string().contains(name), "{error}");
            assert_eq!(fs::read(&path).unwrap(), before, "{}", path.display());
        }
    }
}

/// Two runtimes may differ in type and still share a journal.
#[tokio::test]
async fn a_journal_may_be_shared_behind_a_pointer() {
    let journal: Arc<dyn Journal> = Arc::new(Memory::default());
    let runtime = Runtime::new(post(&Gate::default())).journal(journal.clone());
    let _ = runtime.thread("t").run(Parcel::default()).await.unwrap();
    assert_eq!(journal.threads().await.unwrap(), ["t".into()]);
    assert_debug(&runtime);
}

fn assert_debug(value: &impl Debug) {
    assert!(!format!("{value:?}").is_empty());
}
