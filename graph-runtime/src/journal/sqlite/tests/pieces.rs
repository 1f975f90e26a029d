//! Bodies of which a part is elsewhere.

use rusqlite::Connection;

use super::{Folder, database};
use crate::journal::sqlite::Sqlite;
use crate::journal::suite::records;
use crate::journal::{Durability, Journal, JournalError, Record, ThreadId};

/// Bytes of which no two parts are alike.
fn body(length: usize, salt: usize) -> Vec<u8> {
    let numbers = (salt * 10_000_000..).flat_map(|number: usize| number.to_le_bytes());
    numbers.take(length).collect()
}

async fn append(journal: &Sqlite, thread: &ThreadId, head: u64, new: Vec<Record>) {
    let appended = journal.append(thread, head, new, Durability::Sync);
    appended.await.unwrap();
}

/// Returns how many pieces there are.
fn pieces(folder: &Folder) -> i64 {
    let file = database(folder, "");
    file.query_row("SELECT count(*) FROM piece", [], |row| row.get(0))
        .unwrap()
}

/// Returns, of each entry, how long its body beside it is, and how many pieces it has.
fn rows(file: &Connection) -> Vec<(i64, Option<i64>)> {
    let select = "SELECT length(body), pieces FROM entry ORDER BY thread, seq";
    let mut select = file.prepare(select).unwrap();
    let rows = select.query_map([], |row| row.try_into()).unwrap();
    rows.map(Result::unwrap).collect()
}

const LENGTHS: [usize; 21] = [
    0, 1, 480, 481, 927, 928, 929, 959, 960, 961, 963, 964, 1199, 1200, 1201, 1442, 1443, 4000,
    4001, 6000, 10_000_000,
];

#[tokio::test]
async fn bodies_of_every_length_come_back_as_they_were() {
    let folder = Folder::new();
    let names = [
        "t",
        "a name of thirty-six bytes, a UUID's.",
        &"long".repeat(500),
    ];
    let threads = names.map(ThreadId::new);
    let written = records(0, LENGTHS.map(|length| body(length, 0)));
    let journal = folder.open().await;
    for thread in &threads {
        append(&journal, thread, 0, written.clone()).await;
    }
    // Once as they were appended, once from a file that was closed.
    for journal in [journal, folder.open().await] {
        for thread in &threads {
            for after in [0, 11, 16, 17, 20] {
                let read = journal.read(thread, after).await.unwrap();
                assert_eq!(read, written[usize::try_from(after).unwrap()..]);
            }
        }
    }
    // Each of them as the last.
    for (record, number) in written.iter().zip(1..) {
        let thread = ThreadId::new(format!("thread {number:02}"));
        append(&folder.open().await, &thread, 0, records(0, [&record.body])).await;
    }
    let heads = folder.open().await.heads(Some(&"thread ".into()), 99).await;
    let heads: Vec<_> = heads
        .unwrap()
        .into_iter()
        .map(|(_, last)| last.body)
        .collect();
    let bodies = written.iter().map(|record| &record.body);
    assert!(heads.iter().eq(bodies));
}

#[tokio::test]
async fn bodies_that_fill_much_of_a_page_are_cut_and_no_others() {
    let folder = Folder::new();
    let journal = folder.open().await;
    for thread in ["t", &"n".repeat(36), &"n".repeat(600)] {
        let lengths = [963, 964, 1443, 1444, 2363, 4000, 4001, 20_000];
        append(
            &journal,
            &thread.into(),
            0,
            records(0, lengths.map(|length| body(length, 0))),
        )
        .await;
    }
    drop(journal);
    let cut = |first, pieces: [i64; 5]| {
        let whole = [(4001, None), (20_000, None)];
        let cut = pieces.map(|pieces| (first, Some(pieces)));
        [&cut[..], &whole].concat()
    };
    let rows = rows(&database(&folder, ""));
    let [long, longest, short] = [0, 1, 2].map(|thread| &rows[thread * 8..][..8]);
    // In the order of the names, of which each takes its room from the first part down to a least one.
    assert_eq!(long[0], (928, Some(1)));
    assert_eq!(long[1..], cut(928, [1, 2, 2, 3, 7]));
    assert_eq!(longest[0], (480, Some(2)));
    assert_eq!(longest[1..], cut(480, [2, 3, 3, 4, 8]));
    assert_eq!(short[0], (963, None));
    assert_eq!(short[1..], cut(963, [1, 1, 2, 3, 7]));
}

/// The pieces of the records of [`two_threads`]: 1, 2 to 4, 5 and 6 of one, 7, 8 to 10, 11 and 12 of the other.
const PIECES: i64 = 12;

async fn two_threads() -> (Folder, [ThreadId; 2]) {
    let folder = Folder::new();
    let journal = folder.open().await;
    let threads = ["t", "u"].map(ThreadId::new);
    for (salt, thread) in (1..).zip(&threads) {
        let bodies = [1000, 2363, 1500].map(|length| body(length, salt));
        append(&journal, thread, 0, records(0, bodies)).await;
    }
    drop(journal);
    assert_eq!(pieces(&folder), PIECES);
    (folder, threads)
}

#[tokio::test]
async fn a_piece_that_is_missing_is_damage_that_names_the_record() {
    for (what, first) in [
        ("DELETE FROM piece WHERE id = 1", 1),
        ("DELETE FROM piece WHERE id = 2", 2),
        ("DELETE FROM piece WHERE id = 3", 2),
        ("DELETE FROM piece WHERE id = 4", 2),
        ("DELETE FROM piece WHERE id IN (4, 5)", 2),
        ("DELETE FROM piece WHERE id IN (4, 5, 6)", 2),
        ("DELETE FROM piece WHERE id = 6", 3),
        ("DELETE FROM piece WHERE id < 7", 1),
        ("UPDATE entry SET pieces = NULL WHERE rowid = 2", 2),
        ("UPDATE entry SET pieces = 0 WHERE rowid = 2", 2),
        ("UPDATE entry SET pieces = -1 WHERE rowid = 2", 2),
        (
            "UPDATE entry SET pieces = 9223372036854775807 WHERE rowid = 3",
            3,
        ),
        ("UPDATE entry SET first_piece = NULL WHERE rowid = 2", 2),
        ("UPDATE entry SET first_piece = -2 WHERE rowid = 2", 2),
        (
            "UPDATE entry SET first_piece = 9223372036854775807 WHERE rowid = 2",
            2,
        ),
    ] {
        let (folder, [t, u]) = two_threads().await;
        drop(database(&folder, what));
        let journal = folder.open().await;
        let names = |error: &JournalError, thread, first| match error {
            JournalError::Damaged {
                thread: of,
                seq,
                reason,
                ..
            } => of == thread && *seq == first && reason.contains("piece"),
            _ => false,
        };
        let error = journal.read(&t, 0).await.unwrap_err();
        assert!(names(&error, &t, first), "{what}: {error}");
        assert_eq!(journal.read(&u, 0).await.unwrap().len(), 3, "{what}");

        // Only what is read has to be there.
        let last = journal.read(&t, 2).await;
        let heads = journal.heads(None, 9).await;
        assert_eq!(heads.is_err(), last.is_err(), "{what}");
        assert_eq!(
            heads.is_err(),
            first == 3 || what.contains(['(', '<']),
            "{what}"
        );
        for error in [last.err(), heads.err()].into_iter().flatten() {
            assert!(names(&error, &t, 3), "{what}: {error}");
        }
        journal.delete(&t, None).await.unwrap();
        assert_eq!(journal.threads().await.unwrap(), [u]);
    }
}

#[tokio::test]
async fn what_is_trimmed_or_deleted_leaves_no_piece_behind() {
    let (folder, [t, u]) = two_threads().await;
    let journal = folder.open().await;
    let all = journal.read(&t, 0).await.unwrap();
    let others = journal.read(&u, 0).await.unwrap();

    // A snapshot is whole.
    let snapshot = records(2, [body(2363, 3)]).remove(0);
    for (trim, left) in [
        (0, PIECES),
        (1, PIECES - 1),
        (2, PIECES - 4),
        (9, PIECES - 4),
    ] {
        journal.compact(&t, snapshot.clone(), trim).await.unwrap();
        assert_eq!(pieces(&folder), left, "{trim}");
    }
    assert_eq!(journal.snapshot(&t).await.unwrap(), Some(snapshot));
    assert_eq!(journal.read(&t, 0).await.unwrap(), all[2..]);

    assert!(journal.delete(&u, Some(2)).await.unwrap_err().is_conflict());
    assert_eq!(journal.read(&u, 0).await.unwrap(), others);
    journal.delete(&u, Some(3)).await.unwrap();
    assert_eq!(pieces(&folder), 2);
    assert_eq!(journal.read(&t, 0).await.unwrap(), all[2..]);

    // The ids are used again.
    append(&journal, &u, 0, others.clone()).await;
    assert_eq!(journal.read(&u, 0).await.unwrap(), others);
    for thread in [&u, &t] {
        journal.delete(thread, None).await.unwrap();
    }
    drop(journal);
    assert_eq!(pieces(&folder), 0);
}

#[tokio::test]
async fn an_append_that_fails_leaves_no_piece_behind() {
    let (folder, [t, u]) = two_threads().await;
    let journal = folder.open().await;
    assert!(
        journal
            .append(&t, 2, records(2, [body(2363, 0)]), Durability::Sync)
            .await
            .unwrap_err()
            .is_conflict()
    );
    // No id is left behind this one.
    let last = "INSERT INTO piece VALUES (9223372036854775806, x'00')";
    drop(database(&folder, last));
    for head in [3, 3] {
        let new = records(head, [body(2363, 0)]);
        let refused = journal.append(&t, head, new, Durability::Sync).await;
        let error = refused.unwrap_err();
        assert!(matches!(error, JournalError::Store { .. }), "{error:?}");
    }
    assert_eq!(pieces(&folder), PIECES + 1);
    assert_eq!(journal.read(&u, 0).await.unwrap().len(), 3);
    drop(database(&folder, "DELETE FROM piece WHERE id > 100"));
    append(&journal, &t, 3, records(3, [body(2363, 0)])).await;
    assert_eq!(
        journal.read(&t, 3).await.unwrap(),
        records(3, [body(2363, 0)])
    );
}
