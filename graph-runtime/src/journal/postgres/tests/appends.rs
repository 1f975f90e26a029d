//! What becomes of appends: large ones, dropped ones, and those of others.

use std::pin::pin;
use std::task::Poll;

use futures_util::future::{join_all, poll_fn};

use super::{Place, address, connect, pool, value};
use crate::journal::Durability;
use crate::journal::suite::{bodies, records};
use crate::journal::{Journal, JournalError, ThreadId};

/// Polls a future so many times, and drops it.
async fn poll_and_drop(future: impl Future, polls: usize) {
    let mut future = pin!(future);
    for _ in 0..polls {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx)));
        if polled.await.is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_dropped_append_leaves_no_transaction_behind() {
    let place = Place::new();
    let pool = pool(1);
    let journal = place.options().on_pool(pool.clone()).await.unwrap();
    for polls in 0..40 {
        let thread = ThreadId::new(format!("dropped after {polls}"));
        let bodies = ["1", "2", "3"];
        poll_and_drop(
            journal.append(&thread, 0, records(0, bodies), Durability::Sync),
            polls,
        )
        .await;
        poll_and_drop(journal.read(&thread, 0), polls).await;
        poll_and_drop(journal.threads(), polls).await;

        // The only connection, so all that was sent is done by now.
        let line = pool.get().await.unwrap();
        let id = value(&line, "SELECT pg_current_xact_id_if_assigned()").await;
        assert_eq!(id, "", "a transaction is open after {polls} polls");
        drop(line);
        let head = journal.read(&thread, 0).await.unwrap().len() as u64;
        assert!([0, 3].contains(&head), "{head} records after {polls} polls");
        let next = journal.append(&thread, head, records(head, ["next"]), Durability::Sync);
        next.await.unwrap();
    }
}

#[tokio::test]
async fn what_is_read_after_an_append_was_dropped_is_final() {
    let place = Place::new();
    let journal = place.open_with(4).await;
    let thread = ThreadId::new("t");
    journal
        .append(&thread, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap();
    for head in 1..20 {
        let other = place.sql("BEGIN; UPDATE $s.thread SET head = head").await;
        let append = tokio::spawn({
            let (journal, thread) = (journal.clone(), thread.clone());
            async move {
                journal
                    .append(&thread, head, records(head, ["dropped"]), Durability::Sync)
                    .await
            }
        });
        place.until_waiting(1).await;
        append.abort();
        assert!(append.await.unwrap_err().is_cancelled());
        // It is on the server, and waits there; so do those who read.
        let read = tokio::spawn({
            let (journal, thread) = (journal.clone(), thread.clone());
            async move { journal.read(&thread, 0).await.unwrap().len() as u64 }
        });
        tokio::task::yield_now().await;
        other.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(read.await.unwrap(), head + 1);
    }
}

#[tokio::test]
async fn a_dropped_connect_leaves_a_whole_journal_or_none_and_no_transaction() {
    for polls in 0..60 {
        let place = Place::new();
        let pool = pool(1);
        poll_and_drop(place.options().on_pool(pool.clone()), polls).await;
        let line = pool.get().await.unwrap();
        let id = value(&line, "SELECT pg_current_xact_id_if_assigned()").await;
        assert_eq!(id, "", "a transaction is open after {polls} polls");
        drop(line);
        let count = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
            WHERE relkind = 'r' AND '\"' || nspname || '\"' = '$s'";
        let tables = place.ask(count).await;
        assert!(
            ["0", "4"].contains(&&*tables),
            "{tables} tables after {polls} polls"
        );
        let journal = place.options().on_pool(pool).await.unwrap();
        let thread = ThreadId::new("t");
        journal
            .append(&thread, 0, records(0, ["1"]), Durability::Sync)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_name_that_no_index_could_take_is_kept() {
    let place = Place::new();
    let journal = place.open().await;
    // Ten thousand characters of which no compression makes less than 2,700 bytes.
    let letter = |number: u32| char::from_u32(0x4e00 + number * number % 20_011).unwrap();
    let name: String = (0..10_000).map(letter).collect();
    let [thread, other] = [name.clone(), name + "x"].map(ThreadId::new);
    for head in 0..3 {
        let new = records(head, ["x"]);
        journal
            .append(&thread, head, new, Durability::Sync)
            .await
            .unwrap();
    }
    assert!(journal.read(&other, 0).await.unwrap().is_empty());
    assert_eq!(bodies(&journal, &thread).await, ["x", "x", "x"]);
    assert_eq!(journal.threads().await.unwrap(), [thread]);
}

#[tokio::test]
async fn an_append_waits_for_the_one_before_it_and_then_conflicts() {
    let place = Place::new();
    let journal = place.open_with(4).await;
    let [old, new] = ["old", "new"].map(ThreadId::new);
    journal
        .append(&old, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap();
    let other = place
        .sql(
            "BEGIN;
             UPDATE $s.thread SET head = 2 WHERE name = 'old';
             INSERT INTO $s.entry SELECT id, 2, '', 'other' FROM $s.thread WHERE name = 'old';
             INSERT INTO $s.thread (name, head) VALUES ('new', 1);",
        )
        .await;
    let appends = [(&old, 1), (&new, 0)].map(|(thread, head)| {
        let (journal, thread) = (journal.clone(), thread.clone());
        let new = records(head, ["2"]);
        tokio::spawn(async move { journal.append(&thread, head, new, Durability::Sync).await })
    });
    place.until_waiting(2).await;
    other.batch_execute("COMMIT").await.unwrap();
    for answer in join_all(appends).await {
        assert!(answer.unwrap().unwrap_err().is_conflict());
    }
    assert_eq!(place.ask("SELECT count(*) FROM $s.entry").await, "2");
}

#[tokio::test]
async fn an_append_goes_on_when_the_one_before_it_is_taken_back() {
    let place = Place::new();
    let journal = place.open_with(4).await;
    let [old, new] = ["old", "new"].map(ThreadId::new);
    journal
        .append(&old, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap();
    let other = place
        .sql(
            "BEGIN;
             UPDATE $s.thread SET head = 2 WHERE name = 'old';
             INSERT INTO $s.thread (name, head) VALUES ('new', 1);",
        )
        .await;
    let appends = [(&old, 1), (&new, 0)].map(|(thread, head)| {
        let (journal, thread) = (journal.clone(), thread.clone());
        let new = records(head, ["mine"]);
        tokio::spawn(async move { journal.append(&thread, head, new, Durability::Sync).await })
    });
    place.until_waiting(2).await;
    other.batch_execute("ROLLBACK").await.unwrap();
    for answer in join_all(appends).await {
        answer.unwrap().unwrap();
    }
    assert_eq!(bodies(&journal, &old).await, ["1", "mine"]);
    assert_eq!(bodies(&journal, &new).await, ["mine"]);
}

#[tokio::test]
async fn a_statement_is_prepared_once_a_connection() {
    let place = Place::new();
    let pool = pool(1);
    let journal = place.options().on_pool(pool.clone()).await.unwrap();
    for number in 0..5 {
        let thread = ThreadId::new(format!("{number}"));
        for head in 0..5 {
            let new = records(head, ["x"]);
            journal
                .append(&thread, head, new, Durability::Sync)
                .await
                .unwrap();
        }
        journal
            .append(&thread, 5, records(5, ["x", "y"]), Durability::Sync)
            .await
            .unwrap();
        journal
            .append(&thread, 7, Vec::new(), Durability::Sync)
            .await
            .unwrap();
        journal.read(&thread, 0).await.unwrap();
        journal.threads().await.unwrap();
        journal.heads(None, 9).await.unwrap();
        journal.snapshot(&thread).await.unwrap();
        let snapshot = records(6, ["snapshot"]).remove(0);
        journal.compact(&thread, snapshot, 2).await.unwrap();
        let relaxed = journal.append(&thread, 7, records(7, ["z"]), Durability::Step);
        relaxed.await.unwrap();
    }
    let line = pool.get().await.unwrap();
    let count = value(&line, "SELECT count(*) FROM pg_prepared_statements").await;
    assert_eq!(count, "10");
}

#[tokio::test]
async fn statements_of_connections_that_are_gone_are_forgotten() {
    let place = Place::new();
    let pool = pool(2);
    let journal = place.options().on_pool(pool.clone()).await.unwrap();
    for _ in 0..5 {
        journal.threads().await.unwrap();
        drop(deadpool::managed::Object::take(pool.get().await.unwrap()));
    }
    assert!(journal.0.statements.connections() <= 2);
}

/// Opens a journal on a server with this default, and returns how each of its changes is committed.
async fn committed(place: &Place, durability: Durability, server: &str) -> Vec<String> {
    let address = format!("{} options='-c synchronous_commit={server}'", address());
    let journal = place.options().connect(address).await.unwrap();
    // At the very end of a transaction, somebody looks.
    let look = "
        CREATE TABLE IF NOT EXISTS $s.seen (id serial, setting text);
        CREATE OR REPLACE FUNCTION $s.look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO $s.seen (setting) VALUES (current_setting('synchronous_commit'));
            RETURN NULL;
        END $$;
        TRUNCATE $s.seen;
        DROP TRIGGER IF EXISTS look ON $s.thread;
        CREATE CONSTRAINT TRIGGER look AFTER INSERT OR UPDATE OR DELETE ON $s.thread
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION $s.look();
        DROP TRIGGER IF EXISTS look ON $s.snapshot;
        CREATE CONSTRAINT TRIGGER look AFTER INSERT ON $s.snapshot
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION $s.look();";
    place.sql(look).await;
    let thread = ThreadId::new("t");
    for (head, bodies) in [(0, &["1"][..]), (1, &["2"]), (2, &["3", "4"])] {
        let appended = journal.append(&thread, head, records(head, bodies), durability);
        appended.await.unwrap();
    }
    let snapshot = records(3, ["snapshot"]).remove(0);
    journal.compact(&thread, snapshot, 1).await.unwrap();
    journal.delete(&thread, None).await.unwrap();
    let seen = place.ask("SELECT string_agg(setting, ' ' ORDER BY id) FROM $s.seen");
    seen.await.split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn a_change_waits_for_the_disk_unless_it_is_an_append_at_level_step() {
    use Durability::{Exit, Step, Sync};
    let place = Place::new();
    for (durability, server, append, others) in [
        (Sync, "on", "on", "on"),
        (Exit, "on", "on", "on"),
        (Step, "on", "off", "on"),
        (Sync, "off", "on", "on"),
        (Exit, "off", "on", "on"),
        (Step, "off", "off", "on"),
        (Sync, "remote_apply", "remote_apply", "remote_apply"),
        (Step, "remote_apply", "off", "remote_apply"),
        (Sync, "local", "local", "local"),
        (Step, "local", "off", "local"),
    ] {
        let seen = committed(&place, durability, server).await;
        let expected = [append, append, append, others, others];
        assert_eq!(seen, expected, "{durability:?}, {server}");
    }
}

#[tokio::test]
async fn a_level_holds_for_its_append_alone() {
    let place = Place::new();
    let pool = pool(1);
    let journal = place.options().on_pool(pool.clone()).await.unwrap();
    let thread = ThreadId::new("t");
    let levels = [Durability::Step, Durability::Sync, Durability::Step];
    for (head, durability) in (0..).zip(levels) {
        let appended = journal.append(&thread, head, records(head, ["x"]), durability);
        appended.await.unwrap();
        let line = pool.get().await.unwrap();
        assert_eq!(value(&line, "SHOW synchronous_commit").await, "on");
    }
}

#[tokio::test]
async fn a_thread_that_others_write_to_wrongly_is_damage_and_no_panic() {
    let place = Place::new();
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    journal
        .append(&thread, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap();
    place
        .sql("INSERT INTO $s.entry SELECT id, 2, '', '' FROM $s.thread")
        .await;
    let error = journal
        .append(&thread, 1, records(1, ["2"]), Durability::Sync)
        .await
        .unwrap_err();
    assert!(matches!(error, JournalError::Corrupt { .. }), "{error:?}");
    let error = journal.read(&thread, 0).await.unwrap_err();
    assert!(
        matches!(error, JournalError::Damaged { seq: 2, .. }),
        "{error:?}"
    );
    place.sql("UPDATE $s.thread SET name = '\\xff'").await;
    let error = journal.threads().await.unwrap_err();
    assert!(matches!(error, JournalError::Corrupt { .. }), "{error:?}");
    drop(connect(&address()).await);
}
