//! What the server can say instead of doing what it is asked to.

use std::error::Error;
use std::slice;
use std::time::Duration;

use super::server::Server;
use super::{Place, address};
use crate::journal::Durability;
use crate::journal::suite::{bodies, records};
use crate::journal::{Journal, JournalError, Postgres, ThreadId};

#[tokio::test]
async fn what_the_server_says_is_told_in_a_journals_terms() {
    let place = Place::new();
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    journal
        .append(&thread, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap();
    for (code, kind) in [
        ("53100", "Full"),
        ("55P03", "Busy"),
        ("57014", "Busy"),
        ("40001", "Busy"),
        ("40P01", "Busy"),
        ("53300", "Busy"),
        ("XX001", "Corrupt"),
        ("XX002", "Corrupt"),
        ("23505", "Corrupt"),
        ("25006", "Store"),
        ("42501", "Store"),
        ("42P01", "Store"),
        ("XX000", "Store"),
        ("53200", "Store"),
    ] {
        let complain = format!(
            "CREATE OR REPLACE FUNCTION $s.complain() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE 'no' USING ERRCODE = '{code}'; END $$;
             DROP TRIGGER IF EXISTS complain ON $s.entry;
             CREATE TRIGGER complain AFTER INSERT ON $s.entry
                 FOR EACH ROW EXECUTE FUNCTION $s.complain()"
        );
        place.sql(&complain).await;
        for (thread, head) in [(&thread, 1), (&ThreadId::new("new"), 0)] {
            let new = records(head, ["x", "y"]);
            let error = journal
                .append(thread, head, new, Durability::Sync)
                .await
                .unwrap_err();
            assert!(format!("{error:?}").starts_with(kind), "{code}: {error:?}");
            assert_eq!(error.is_retryable(), kind == "Busy", "{code}");
            assert!(error.to_string().contains(&place.schema), "{code}: {error}");
            if kind == "Store" {
                assert!(
                    error.to_string().starts_with("could not append to"),
                    "{error}"
                );
            }
            assert!(error.source().is_some(), "{code}");
        }
    }
    place.sql("DROP TRIGGER complain ON $s.entry").await;
    // Nothing of all this was written, and no connection is the worse for it.
    assert_eq!(journal.threads().await.unwrap(), slice::from_ref(&thread));
    journal
        .append(&thread, 1, records(1, ["2"]), Durability::Sync)
        .await
        .unwrap();
    assert_eq!(bodies(&journal, &thread).await, ["1", "2"]);
}

#[tokio::test]
async fn what_another_keeps_locked_is_busy_after_a_while() {
    let place = Place::new();
    let options = place.options().patience(Duration::from_millis(50));
    let journal = options.clone().connect(address()).await.unwrap();
    let thread = ThreadId::new("t");
    journal
        .append(&thread, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap();
    let other = place.sql("BEGIN; LOCK TABLE $s.thread").await;
    let error = journal
        .append(&thread, 1, records(1, ["2"]), Durability::Sync)
        .await
        .unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    other.batch_execute("ROLLBACK").await.unwrap();
    journal
        .append(&thread, 1, records(1, ["2"]), Durability::Sync)
        .await
        .unwrap();
    assert_eq!(bodies(&journal, &thread).await, ["1", "2"]);

    // So is a journal that somebody is making.
    let place = Place::new();
    let schema = super::super::schema::Schema::new(&place.schema, "test").unwrap();
    let [hand, lock] = schema.locks();
    place.sql("SELECT 1").await;
    let other = place
        .sql(&format!("SELECT pg_advisory_lock({hand}, {lock})"))
        .await;
    let options = options.schema(&place.schema);
    let error = options.clone().connect(address()).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    drop(other);
    place.until_unlocked(lock).await;
    options.connect(address()).await.unwrap();
}

#[tokio::test]
async fn a_pool_of_which_all_connections_are_in_use_is_busy_after_a_while() {
    let place = Place::new();
    let config = deadpool_postgres::Manager::new(address().parse().unwrap(), tokio_postgres::NoTls);
    let pool = deadpool_postgres::Pool::builder(config)
        .max_size(1)
        .runtime(deadpool_postgres::Runtime::Tokio1)
        .wait_timeout(Some(Duration::from_millis(50)))
        .build()
        .unwrap();
    let journal = place.options().on_pool(pool.clone()).await.unwrap();
    let held = pool.get().await.unwrap();
    let thread = ThreadId::new("t");
    let error = journal
        .append(&thread, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    drop(held);
    journal
        .append(&thread, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap();
    pool.close();
    let error = journal.read(&thread, 0).await.unwrap_err();
    assert!(matches!(error, JournalError::Store { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_takes_no_more_connections_is_busy() {
    let place = Place::new();
    drop(place.open().await);
    let role = format!("crowd_{}", std::process::id());
    let create = format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 0");
    place.sql(&create).await;
    let theirs = address().replace("user=handoffs", &format!("user={role}"));
    let error = place.options().connect(theirs).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn where_no_server_is_the_error_says_where_it_was_looked_for() {
    let error = Postgres::connect("host=/nowhere user=me password=secret");
    let error = error.await.unwrap_err();
    let text = error.to_string();
    assert_eq!(
        text,
        "could not connect to `PostgreSQL at /nowhere, me, schema handoffs`"
    );
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn a_connection_that_is_lost_during_an_append_is_an_error_and_nothing_is_sent_again() {
    let place = Place::new();
    let journal = place.open_with(2).await;
    let thread = ThreadId::new("t");
    journal
        .append(&thread, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap();
    let other = place.sql("BEGIN; UPDATE $s.thread SET head = head").await;
    let append = tokio::spawn({
        let (journal, thread) = (journal.clone(), thread.clone());
        async move {
            journal
                .append(&thread, 1, records(1, ["2"]), Durability::Sync)
                .await
        }
    });
    place.until_waiting(1).await;
    let cut = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE wait_event_type = 'Lock' AND query LIKE '%{}%'",
        place.schema
    );
    place.sql(&cut).await;
    let error = append.await.unwrap().unwrap_err();
    assert!(matches!(error, JournalError::Store { .. }), "{error:?}");
    assert!(!error.is_retryable());
    other.batch_execute("ROLLBACK").await.unwrap();
    // The journal goes on by itself, with what the thread's next read tells.
    assert_eq!(bodies(&journal, &thread).await, ["1"]);
    journal
        .append(&thread, 1, records(1, ["2, again"]), Durability::Sync)
        .await
        .unwrap();
    assert_eq!(bodies(&journal, &thread).await, ["1", "2, again"]);
}

#[tokio::test]
async fn a_journal_outlives_its_server() {
    let server = Server::start();
    let journal = Postgres::options().connections(4).connect(server.address());
    let journal = journal.await.unwrap();
    let thread = ThreadId::new("t");
    for head in 0..10 {
        journal
            .append(&thread, head, records(head, ["x"]), Durability::Sync)
            .await
            .unwrap();
    }
    server.kill();
    for _ in 0..4 {
        let error = journal
            .append(&thread, 10, records(10, ["x"]), Durability::Sync)
            .await
            .unwrap_err();
        assert!(matches!(error, JournalError::Store { .. }), "{error:?}");
    }
    server.boot();
    assert_eq!(bodies(&journal, &thread).await, ["x"; 10]);
    journal
        .append(&thread, 10, records(10, ["x"]), Durability::Sync)
        .await
        .unwrap();
}

#[tokio::test]
async fn tables_that_were_made_again_are_used() {
    let place = Place::new();
    let journal = place.open_with(1).await;
    let thread = ThreadId::new("t");
    journal
        .append(&thread, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap();
    place.sql("DROP SCHEMA $s CASCADE").await;
    let error = journal
        .append(&thread, 1, records(1, ["2"]), Durability::Sync)
        .await
        .unwrap_err();
    assert!(matches!(error, JournalError::Store { .. }), "{error:?}");
    drop(place.open().await);
    journal
        .append(&thread, 0, records(0, ["new"]), Durability::Sync)
        .await
        .unwrap();
    assert_eq!(bodies(&journal, &thread).await, ["new"]);
}
