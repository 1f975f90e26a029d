//! How a body is cut in pieces; why is said where the tables are made.

use rusqlite::{Connection, Statement};

/// How long a thread's name and the part of a body beside it are together, so that a page of 4 KB holds
/// four such rows: 1020 bytes each, of which the other columns and `SQLite` take up to 54.
const ROW: usize = 964;

/// The part of a body in `entry` is at least that long, and a piece at most: a page holds eight of them.
const PIECE: usize = 480;

/// A longer body is whole: `SQLite` itself spills it into pages that it fills.
const LONGEST: usize = 4000;

/// Cuts a body into the part for `entry` and the rest.
pub(super) fn cut<'b>(thread: &str, body: &'b [u8]) -> (&'b [u8], &'b [u8]) {
    let first = ROW.saturating_sub(thread.len()).max(PIECE);
    if body.len() > LONGEST {
        return (body, &[]);
    }
    body.split_at(first.min(body.len()))
}

/// Writes the rest of a body, and returns the first id and how many there are.
pub(super) fn put(
    connection: &Connection,
    insert: &mut Statement<'_>,
    rest: &[u8],
) -> rusqlite::Result<Option<(i64, i64)>> {
    let mut all = None;
    for piece in rest.chunks(PIECE) {
        // SQLite gives the first its id, which is the highest. No other process writes before the commit,
        // so those behind it are free; where no higher one is left, SQLite refuses the row.
        let id = all.map(|(first, pieces): (i64, i64)| first.saturating_add(pieces));
        insert.execute((id, piece))?;
        let (_, pieces) = all.get_or_insert_with(|| (connection.last_insert_rowid(), 0));
        *pieces += 1;
    }
    Ok(all)
}
