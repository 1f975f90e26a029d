//! What is found in a schema, and what is made of it.

use futures_util::future::join_all;

use super::{Place, address, connect};
use crate::journal::Durability;
use crate::journal::postgres::schema::{self, STEPS, Schema};
use crate::journal::suite::{bodies, records};
use crate::journal::{Journal, JournalError, ThreadId};

#[tokio::test]
async fn many_who_begin_at_once_make_one_journal() {
    let place = Place::new();
    // With connections of their own, as processes have them.
    let open = join_all((0..16).map(|_| place.open_with(1)));
    let journals = open.await;
    let thread = ThreadId::new("t");
    for (head, journal) in (0..).zip(&journals) {
        let new = records(head, [head.to_string()]);
        journal
            .append(&thread, head, new, Durability::Sync)
            .await
            .unwrap();
    }
    assert_eq!(bodies(&journals[0], &thread).await.len(), 16);
    assert_eq!(place.ask("SELECT version FROM $s.format").await, "2");
}

async fn refused(place: &Place) -> String {
    let error = place.options().connect(address()).await.unwrap_err();
    assert!(matches!(error, JournalError::Foreign { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&place.schema), "{text}");
    text
}

/// Everything in the schema, by name and kind and columns.
async fn everything(place: &Place) -> String {
    let sql =
        "SELECT string_agg(relname || ' ' || relkind::text || ' ' || relfilenode, ', ' ORDER BY relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE '\"' || nspname || '\"' = '$s'";
    place.ask(sql).await
}

#[tokio::test]
async fn tables_of_others_are_refused_and_stay_as_they_are() {
    for (sql, table) in [
        ("CREATE TABLE $s.entry (id integer)", "entry"),
        ("CREATE TABLE $s.thread ()", "thread"),
        ("CREATE TABLE $s.snapshot (id integer)", "snapshot"),
        ("CREATE VIEW $s.format AS SELECT 1 AS version", "format"),
        (
            "CREATE TABLE $s.format (journal text, version integer)",
            "thread",
        ),
        (
            "CREATE TABLE $s.format (journal text, version integer);
             CREATE TABLE $s.thread (id bigint, name bytea, head bigint);
             CREATE TABLE $s.entry (thread bigint, seq bigint, hash bytea, body bytea)",
            "format",
        ),
        (
            "CREATE TABLE $s.format (journal text, version integer);
             INSERT INTO $s.format VALUES ('handoffs', 1);
             CREATE TABLE $s.thread (id bigint, name text, head bigint);
             CREATE TABLE $s.entry (thread bigint, seq bigint, hash bytea, body bytea)",
            "thread",
        ),
    ] {
        let place = Place::new();
        place.sql(&format!("CREATE SCHEMA $s; {sql}")).await;
        let before = everything(&place).await;
        let text = refused(&place).await;
        assert!(
            text.contains(&format!("`{table}`")) && text.contains("choose another schema"),
            "{sql}: {text}"
        );
        assert_eq!(everything(&place).await, before, "{sql}");
    }
}

#[tokio::test]
async fn tables_of_other_names_are_no_hindrance() {
    let place = Place::new();
    let other =
        "CREATE SCHEMA $s; CREATE TABLE $s.orders (id integer); INSERT INTO $s.orders VALUES (7)";
    place.sql(other).await;
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    journal
        .append(&thread, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap();
    assert_eq!(place.ask("SELECT id FROM $s.orders").await, "7");
}

#[tokio::test]
async fn any_name_of_a_schema_will_do() {
    let longest = "x".repeat(50);
    for name in [
        "Ärger \"in\" Köln'; DROP TABLE entry; --",
        "select",
        "A",
        "a",
        &longest,
    ] {
        let mut place = Place::new();
        place.schema = format!("{} {name}", std::process::id());
        let journal = place.open().await;
        let thread = ThreadId::new(name);
        journal
            .append(&thread, 0, records(0, [name]), Durability::Sync)
            .await
            .unwrap();
        assert_eq!(place.open().await.threads().await.unwrap(), [thread]);
    }
}

#[tokio::test]
async fn a_journal_of_a_newer_version_is_refused_and_stays_as_it_is() {
    let place = Place::new();
    drop(place.open().await);
    place.sql("UPDATE $s.format SET version = 7").await;
    let before = everything(&place).await;
    let text = refused(&place).await;
    assert!(
        text.contains("format 7") && text.contains("up to format 2") && text.contains("update"),
        "{text}"
    );
    assert_eq!(everything(&place).await, before);
}

/// What a later version may need: a column more.
const NEXT: &str = "ALTER TABLE {schema}.thread ADD COLUMN note text NOT NULL DEFAULT 'none';";

#[tokio::test]
async fn a_journal_of_an_older_version_is_brought_up_once_with_all_that_is_in_it() {
    let place = Place::new();
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    journal
        .append(&thread, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap();

    let steps = [STEPS, &[NEXT]].concat();
    let newer = || async {
        let mut client = connect(&address()).await;
        let schema = Schema::new(&place.schema, "test").unwrap();
        schema::open(&mut client, &schema, &steps).await.map(drop)
    };
    for opened in join_all((0..8).map(|_| newer())).await {
        opened.unwrap();
    }
    assert_eq!(place.ask("SELECT version FROM $s.format").await, "3");
    assert_eq!(place.ask("SELECT note FROM $s.thread").await, "none");
    assert_eq!(bodies(&journal, &thread).await, ["1"]);
    refused(&place).await;
}

/// What the first version made, word for word, and what it wrote.
const OF_FORMAT_1: &str = r"
    CREATE SCHEMA $s;
    CREATE TABLE $s.format (
        journal text PRIMARY KEY CHECK (journal = 'handoffs'),
        version integer NOT NULL
    );
    INSERT INTO $s.format VALUES ('handoffs', 0);
    CREATE TABLE $s.thread (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name bytea NOT NULL,
        head bigint NOT NULL
    ) WITH (fillfactor = 70);
    CREATE UNIQUE INDEX thread_name ON $s.thread (sha256(name));
    CREATE TABLE $s.entry (
        thread bigint NOT NULL,
        seq bigint NOT NULL,
        hash bytea NOT NULL,
        body bytea NOT NULL,
        PRIMARY KEY (thread, seq)
    );
    UPDATE $s.format SET version = 1;
    INSERT INTO $s.thread (name, head) VALUES ('t', 2), ('u\\000', 1);
    INSERT INTO $s.entry VALUES (1, 1, sha256('1'), '1'), (1, 2, sha256('2'), '2'),
        (2, 1, sha256('u'), 'u');";

#[tokio::test]
async fn a_journal_of_format_1_is_brought_up_and_used() {
    let place = Place::new();
    place.sql(OF_FORMAT_1).await;
    let journals = join_all((0..4).map(|_| place.open_with(1))).await;
    assert_eq!(place.ask("SELECT version FROM $s.format").await, "2");
    let journal = &journals[0];
    let [t, u] = ["t", "u\0"].map(ThreadId::new);
    assert_eq!(bodies(journal, &t).await, ["1", "2"]);
    assert_eq!(journal.heads(None, 9).await.unwrap().len(), 2);
    assert!(journal.snapshot(&t).await.unwrap().is_none());
    let snapshot = records(1, ["snapshot"]).remove(0);
    journal.compact(&t, snapshot, 1).await.unwrap();
    journal.delete(&u, None).await.unwrap();
    let new = records(2, ["3"]);
    let appended = journals[1].append(&t, 2, new, Durability::Sync);
    appended.await.unwrap();
    assert_eq!(bodies(&place.open().await, &t).await, ["2", "3"]);
}

#[tokio::test]
async fn a_journal_of_format_1_beside_a_table_of_a_new_name_is_left_alone() {
    let place = Place::new();
    place.sql(OF_FORMAT_1).await;
    place.sql("CREATE TABLE $s.snapshot (id integer)").await;
    let before = everything(&place).await;
    let text = refused(&place).await;
    assert!(text.contains("`snapshot`"), "{text}");
    assert_eq!(everything(&place).await, before);
}

#[tokio::test]
async fn a_step_that_fails_leaves_the_older_version() {
    let place = Place::new();
    let journal = place.open().await;
    let mut client = connect(&address()).await;
    let schema = Schema::new(&place.schema, "test").unwrap();
    let steps = [STEPS, &[NEXT, "SELECT 1 / 0"]].concat();
    let failed = schema::open(&mut client, &schema, &steps).await;
    let Err(JournalError::Store { action, .. }) = failed.map(drop) else {
        panic!("it is to fail")
    };
    assert_eq!(action, "create");
    assert_eq!(place.ask("SELECT version FROM $s.format").await, "2");
    let thread = ThreadId::new("t");
    journal
        .append(&thread, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap();
    drop(place.open().await);
}

#[tokio::test]
async fn one_who_may_only_use_the_journal_can() {
    let place = Place::new();
    drop(place.open().await);
    let role = format!("user_{}", std::process::id());
    place
        .sql(&format!(
            "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA $s TO {role};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA $s TO {role}"
        ))
        .await;
    let theirs = address().replace("user=handoffs", &format!("user={role}"));
    let journal = place.options().connect(&*theirs).await.unwrap();
    let thread = ThreadId::new("t");
    journal
        .append(&thread, 0, records(0, ["1"]), Durability::Sync)
        .await
        .unwrap();
    journal
        .append(&thread, 1, records(1, ["2"]), Durability::Sync)
        .await
        .unwrap();
    assert_eq!(bodies(&journal, &thread).await, ["1", "2"]);
    let snapshot = records(1, ["snapshot"]).remove(0);
    journal.compact(&thread, snapshot, 1).await.unwrap();
    assert_eq!(bodies(&journal, &thread).await, ["2"]);
    journal.delete(&thread, None).await.unwrap();
    assert!(journal.threads().await.unwrap().is_empty());

    // But not make one.
    let error = Place::new().options().connect(theirs).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("needs CREATE on the database"), "{source}");
}
