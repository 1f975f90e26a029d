//! What becomes of what is deleted and trimmed, while others are at it, and how threads are found.

use super::{Place, connect};
use crate::journal::postgres::statements::Text;
use crate::journal::suite::{bodies, records};
use crate::journal::{Durability, Journal, JournalError, Postgres, Record, ThreadId};

async fn with_one_record(place: &Place) -> (Postgres, ThreadId) {
    let journal = place.open_with(4).await;
    let thread = ThreadId::new("t");
    let appended = journal.append(&thread, 0, records(0, ["1"]), Durability::Sync);
    appended.await.unwrap();
    (journal, thread)
}

fn snapshot(seq: u64) -> Record {
    records(seq - 1, ["snapshot"]).remove(0)
}

/// Counts the rows of all that is kept of threads.
async fn rows(place: &Place) -> String {
    let count = "SELECT concat_ws(' ', (SELECT count(*) FROM $s.thread),
        (SELECT count(*) FROM $s.entry), (SELECT count(*) FROM $s.snapshot))";
    place.ask(count).await
}

#[tokio::test]
async fn an_append_to_a_thread_that_is_deleted_meanwhile_leaves_nothing_behind() {
    let place = Place::new();
    let (journal, thread) = with_one_record(&place).await;
    let delete = "BEGIN; DELETE FROM $s.thread; DELETE FROM $s.entry;";
    let other = place.sql(delete).await;
    let changes = [false, true].map(|compact| {
        let (journal, thread) = (journal.clone(), thread.clone());
        tokio::spawn(async move {
            if compact {
                journal.compact(&thread, snapshot(1), 1).await
            } else {
                let new = records(1, ["2"]);
                journal.append(&thread, 1, new, Durability::Sync).await
            }
        })
    });
    place.until_waiting(2).await;
    other.batch_execute("COMMIT").await.unwrap();
    for changed in changes {
        assert!(changed.await.unwrap().unwrap_err().is_conflict());
    }
    assert_eq!(rows(&place).await, "0 0 0");
}

#[tokio::test]
async fn a_deletion_removes_what_was_written_while_it_waited() {
    let place = Place::new();
    let (journal, thread) = with_one_record(&place).await;
    for dropped in [false, true] {
        let other = place
            .sql(
                "BEGIN; UPDATE $s.thread SET head = 2;
                 INSERT INTO $s.entry SELECT id, 2, '', '2' FROM $s.thread;
                 INSERT INTO $s.snapshot SELECT id, 1, '', '' FROM $s.thread;",
            )
            .await;
        let deletion = tokio::spawn({
            let (journal, thread) = (journal.clone(), thread.clone());
            async move { journal.delete(&thread, None).await }
        });
        place.until_waiting(1).await;
        if dropped {
            deletion.abort();
            assert!(deletion.await.unwrap_err().is_cancelled());
            // It is on the server, and waits there; so does who reads.
            let read = tokio::spawn({
                let (journal, thread) = (journal.clone(), thread.clone());
                async move { journal.read(&thread, 0).await.unwrap() }
            });
            tokio::task::yield_now().await;
            other.batch_execute("COMMIT").await.unwrap();
            assert_eq!(read.await.unwrap(), []);
        } else {
            other.batch_execute("COMMIT").await.unwrap();
            deletion.await.unwrap().unwrap();
        }
        assert_eq!(rows(&place).await, "0 0 0");
        let again = journal.append(&thread, 0, records(0, ["1"]), Durability::Sync);
        again.await.unwrap();
    }
}

#[tokio::test]
async fn a_compaction_waits_for_the_append_before_it_and_keeps_the_last_record() {
    let place = Place::new();
    let (journal, thread) = with_one_record(&place).await;
    let other = place
        .sql(
            "BEGIN; UPDATE $s.thread SET head = 2;
             INSERT INTO $s.entry SELECT id, 2, sha256('2'), '2' FROM $s.thread;",
        )
        .await;
    let compaction = tokio::spawn({
        let (journal, thread) = (journal.clone(), thread.clone());
        async move { journal.compact(&thread, snapshot(1), 1).await }
    });
    place.until_waiting(1).await;
    other.batch_execute("COMMIT").await.unwrap();
    compaction.await.unwrap().unwrap();
    assert_eq!(bodies(&journal, &thread).await, ["2"]);
    assert_eq!(journal.snapshot(&thread).await.unwrap(), Some(snapshot(1)));
}

#[tokio::test]
async fn what_stands_in_place_of_a_snapshot_is_damage_and_no_panic() {
    let place = Place::new();
    let (journal, thread) = with_one_record(&place).await;
    place
        .sql("INSERT INTO $s.snapshot SELECT id, 1, '', '' FROM $s.thread")
        .await;
    let error = journal.snapshot(&thread).await.unwrap_err();
    assert!(
        matches!(error, JournalError::Damaged { seq: 1, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_page_of_threads_is_found_without_walking_along_all_of_them() {
    let place = Place::new();
    let (journal, _) = with_one_record(&place).await;
    place
        .sql(
            "INSERT INTO $s.thread (name, head)
             SELECT convert_to('customer-' || n, 'UTF8'), 3 FROM generate_series(1, 20000) AS n;
             INSERT INTO $s.entry
             SELECT id, seq, '', '' FROM $s.thread, generate_series(1, 3) AS seq
             ON CONFLICT DO NOTHING;
             ANALYZE $s.thread; ANALYZE $s.entry",
        )
        .await;
    let client = connect(&super::address()).await;
    let prepare = format!(
        "SET plan_cache_mode = force_generic_plan;
         PREPARE heads (bytea, bigint) AS {}",
        journal.0.statements.text(Text::Heads)
    );
    client.batch_execute(&prepare).await.unwrap();
    let explain = "EXPLAIN EXECUTE heads ('customer-5', 100)";
    let plan = client.simple_query(explain).await.unwrap();
    let line = |message: &tokio_postgres::SimpleQueryMessage| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    let plan: Vec<_> = plan.iter().map(line).collect();
    let plan = plan.join("\n");
    assert!(
        plan.contains("thread_order") && !plan.contains("Seq Scan"),
        "{plan}"
    );
}
