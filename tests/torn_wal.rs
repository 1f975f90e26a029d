//! A WAL that a crash has torn: cut off anywhere, or with a bit that has flipped. What is left is what
//! some number of commits had made of the journal, and never anything else.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

mod common;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use common::children::{child as command, die, ended, quick_folder};
use common::timeless;
use futures::StreamExt;
use futures::future::join_all;
use handoffs::prelude::*;
use handoffs::{Durability, Journal};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

// ---- Threads that write pages.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Book {
    goal: usize,
    size: usize,
    pages: Log<String>,
}

#[derive(Outcome)]
enum Wrote {
    More,
    TheEnd,
}

#[node(Book)]
fn write(pages: &mut Log<String>, goal: &usize, size: &usize) -> Wrote {
    let page = format!("page {} ", pages.len());
    pages.push(page.repeat(size / page.len() + 1));
    if pages.len() < *goal {
        Wrote::More
    } else {
        Wrote::TheEnd
    }
}

#[derive(AgentGraph)]
#[graph(state = Book, start = write)]
struct Writer {
    #[route(Wrote::More => write(limit = 10000), Wrote::TheEnd => end)]
    write: Write,
}

fn writer<J: Journal>(journal: J) -> Runtime<Writer, J> {
    Runtime::new(Writer { write: Write }).journal(journal)
}

/// Names threads, and says how many pages each is to have and how long these are.
#[derive(Clone, Copy)]
struct Load {
    threads: usize,
    goal: usize,
    size: usize,
}

impl Load {
    fn input(self) -> Book {
        Book {
            goal: self.goal,
            size: self.size,
            ..Book::default()
        }
    }

    async fn work<J: Journal>(self, journal: J) {
        let runtime = writer(journal);
        let threads = (0..self.threads).map(|number| runtime.thread(format!("t{number}")));
        let works = threads.map(|thread| async move {
            let run = thread.run_once(self.input()).await.unwrap();
            assert!(run.finished().is_some());
        });
        join_all(works).await;
    }

    /// Returns the entries of each thread, as nothing had disturbed it.
    async fn undisturbed(self) -> BTreeMap<String, Vec<Value>> {
        let journal = Memory::default();
        self.work(journal.clone()).await;
        histories(&writer(journal)).await
    }
}

async fn histories<J: Journal>(runtime: &Runtime<Writer, J>) -> BTreeMap<String, Vec<Value>> {
    let mut histories = BTreeMap::new();
    for thread in runtime.threads().await.unwrap() {
        let thread = runtime.thread(thread);
        thread.verify(None).await.unwrap();
        let history = timeless(&thread.history().await.unwrap());
        histories.insert(thread.id().to_string(), history);
    }
    histories
}

// ---- The files that a crash leaves.

const FILE: &str = "book.db";

/// A database and its WAL as they lie on the disk.
struct Left {
    database: Vec<u8>,
    wal: Vec<u8>,
    /// What the processes shared that used them: a crash leaves it behind, too.
    shared: Option<Vec<u8>>,
}

/// A row of the journal: thread, number, hash and body.
type Row = (String, i64, Vec<u8>, Vec<u8>);

impl Left {
    fn of(folder: &Path) -> Self {
        let file = |suffix: &str| fs::read(folder.join(format!("{FILE}{suffix}")));
        Self {
            database: file("").unwrap(),
            wal: file("-wal").unwrap(),
            shared: file("-shm").ok(),
        }
    }

    fn number(&self, at: usize) -> usize {
        u32::from_be_bytes(self.wal[at..at + 4].try_into().unwrap()) as usize
    }

    /// Returns where in the WAL each commit ends. What is of an earlier use of the WAL does not count.
    fn commits(&self) -> Vec<usize> {
        let length = FRAME + self.number(8);
        let salts = &self.wal[16..24];
        let mut commits = Vec::new();
        let mut frame = HEADER;
        while frame + length <= self.wal.len() && self.wal[frame + 8..frame + 16] == *salts {
            if self.number(frame + 4) != 0 {
                commits.push(frame + length);
            }
            frame += length;
        }
        commits
    }

    /// Returns the frames of the commits, as ranges of bytes.
    fn frames(&self) -> Vec<Range<usize>> {
        let length = FRAME + self.number(8);
        let end = *self.commits().last().unwrap();
        let frames = (HEADER..end).step_by(length);
        frames.map(|frame| frame..frame + length).collect()
    }

    /// Lays the files down with another WAL.
    fn with_wal(&self, wal: &[u8]) -> TempDir {
        let folder = quick_folder();
        let lay = |suffix: &str, bytes: &[u8]| {
            fs::write(folder.path().join(format!("{FILE}{suffix}")), bytes).unwrap();
        };
        lay("", &self.database);
        lay("-wal", wal);
        if let Some(shared) = &self.shared {
            lay("-shm", shared);
        }
        folder
    }
}

/// The lengths of a WAL's header and of that of a frame.
const HEADER: usize = 32;
const FRAME: usize = 24;

/// Returns the rows of a file that nobody has open, in the order in which they were written.
fn rows(folder: &Path) -> Vec<Row> {
    let file = Connection::open(folder.join(FILE)).unwrap();
    let select = "SELECT thread, seq, hash, body FROM entry ORDER BY rowid";
    let mut select = file.prepare(select).unwrap();
    let rows = select.query_map([], |row| row.try_into()).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Opens the journal and closes it, and returns what is in it then.
async fn opened(folder: &TempDir) -> Vec<Row> {
    let journal = Sqlite::open(folder.path().join(FILE)).await.unwrap();
    drop(journal);
    rows(folder.path())
}

/// What may be left of a torn WAL.
struct Commits {
    left: Left,
    ends: Vec<usize>,
    /// How many rows there are after none, one, two.. of the commits.
    lengths: Vec<usize>,
    rows: Vec<Row>,
    load: Load,
    undisturbed: BTreeMap<String, Vec<Value>>,
}

impl Commits {
    async fn new(left: Left, load: Load) -> Self {
        let rows = opened(&left.with_wal(&left.wal)).await;
        let ends = left.commits();
        let mut lengths = Vec::new();
        for end in [HEADER].iter().chain(&ends) {
            let kept = opened(&left.with_wal(&left.wal[..*end])).await;
            assert!(rows.starts_with(&kept), "not a beginning, at {end}");
            assert!(lengths.last() <= Some(&kept.len()), "at {end}");
            lengths.push(kept.len());
        }
        assert_eq!(*lengths.last().unwrap(), rows.len());
        Self {
            left,
            ends,
            lengths,
            rows,
            load,
            undisturbed: load.undisturbed().await,
        }
    }

    /// Checks what is left where the WAL is whole up to `whole`: the journal opens, is what the commits up
    /// to there had made of it, and, if it `goes_on`, comes to the end that was to be.
    async fn check(&self, wal: &[u8], whole: usize, goes_on: bool, case: String) {
        let folder = self.left.with_wal(wal);
        let commits = self.ends.iter().filter(|end| **end <= whole).count();
        let expected = &self.rows[..self.lengths[commits]];
        let rows = opened(&folder).await;
        let found = rows.len();
        assert!(rows == expected, "{case}: {found} rows");

        let journal = Sqlite::open(folder.path().join(FILE)).await.unwrap();
        // At this level it is tested with fewer waits for the disk.
        let runtime = writer(journal.clone()).durability(Durability::Step);
        for (thread, history) in histories(&runtime).await {
            let whole = &self.undisturbed[&thread];
            assert!(whole.starts_with(&history), "{case}: {thread}");
        }
        if goes_on {
            self.load.work(journal).await;
            assert!(histories(&runtime).await == self.undisturbed, "{case}");
        }
    }

    /// Cuts the WAL off in each n-th frame.
    async fn check_cuts(&self, each: usize) -> usize {
        let inside = |frame: &Range<usize>| {
            let Range { start, end } = frame.clone();
            [start, start + 1, start + FRAME, end - 1]
        };
        let frames = self.left.frames();
        let mut cuts: Vec<_> = [0, 1, 16, HEADER - 1].into();
        cuts.extend(frames.iter().step_by(each).flat_map(inside));
        let checks = cuts.iter().enumerate().map(|(number, cut)| {
            let case = format!("cut at {cut}");
            self.check(&self.left.wal[..*cut], *cut, number % 23 == 0, case)
        });
        let checks = futures::stream::iter(checks).buffer_unordered(4);
        checks.count().await
    }

    /// Flips bits in each n-th frame.
    async fn check_flips(&self, each: usize) -> usize {
        let header = [0, 3, 6, 10, 17, 25, HEADER - 1].map(|at| (at, 0));
        // The number of the page, the mark of a commit, the salts, the checksum, and the page.
        let inside = |frame: &Range<usize>| {
            let start = frame.start;
            [1, 6, 9, 20, FRAME, FRAME + 1901].map(|at| (start + at, start))
        };
        let frames = self.left.frames();
        let flips = header
            .into_iter()
            .chain(frames.iter().step_by(each).flat_map(inside));
        let checks = flips.enumerate().map(|(number, (at, whole))| {
            let mut wal = self.left.wal.clone();
            wal[at] ^= 1 << (number % 8);
            async move {
                let case = format!("a bit of byte {at}");
                self.check(&wal, whole, number % 23 == 0, case).await;
            }
        });
        let checks = futures::stream::iter(checks).buffer_unordered(4);
        checks.count().await
    }
}

/// Whatever lies behind the last commit is no part of the journal.
async fn check_what_lies_behind(commits: &Commits) {
    let end = *commits.ends.last().unwrap();
    let wal = &commits.left.wal;
    let some_frame = wal[commits.left.frames()[0].clone()].to_vec();
    let zeros = vec![0; some_frame.len()];
    for behind in [some_frame, zeros, vec![0xff; 100_000]] {
        let wal = [&wal[..end], &behind].concat();
        let case = format!("{} bytes behind it", behind.len());
        commits.check(&wal, end, true, case).await;
    }
}

// ---- The child.

const FOLDER: &str = "HANDOFFS_TORN_FOLDER";

#[test]
fn child() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let tokio = tokio::runtime::Runtime::new().unwrap();
    tokio.block_on(async {
        let journal = Sqlite::open(folder.join(FILE)).await.unwrap();
        SMALL.work(journal.clone()).await;
        die();
    });
}

/// Writes more than is kept in a WAL.
const LARGE: Load = Load {
    threads: 1,
    goal: 75,
    size: 120_000,
};

const SMALL: Load = Load {
    threads: 3,
    goal: 7,
    size: 1_500,
};

// ---- The parents.

#[tokio::test(flavor = "multi_thread")]
async fn of_a_wal_that_was_copied_while_it_was_written_a_beginning_of_the_commits_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Sqlite::open(folder.path().join(FILE)).await.unwrap();
    SMALL.work(journal.clone()).await;
    let left = Left {
        shared: None,
        ..Left::of(folder.path())
    };
    let commits = Commits::new(left, SMALL).await;
    assert!(commits.ends.len() > SMALL.goal, "{}", commits.ends.len());
    let (cuts, flips) = (commits.check_cuts(1).await, commits.check_flips(2).await);
    check_what_lies_behind(&commits).await;
    println!("{} commits, {cuts} cuts, {flips} flips", commits.ends.len());
    drop(journal);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_wal_that_a_killed_process_has_left_a_beginning_of_the_commits_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let child = command().env(FOLDER, folder.path()).spawn().unwrap();
    assert!(ended(child).0);
    let commits = Commits::new(Left::of(folder.path()), SMALL).await;
    assert_eq!(commits.rows.len(), SMALL.threads * (SMALL.goal + 1));
    let (cuts, flips) = (commits.check_cuts(3).await, commits.check_flips(3).await);
    println!("{} commits, {cuts} cuts, {flips} flips", commits.ends.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_wal_that_began_anew_what_was_folded_into_the_file_is_left_and_a_beginning_of_the_rest()
 {
    let folder = tempfile::tempdir().unwrap();
    let journal = Sqlite::open(folder.path().join(FILE)).await.unwrap();
    LARGE.work(journal.clone()).await;
    let left = Left {
        shared: None,
        ..Left::of(folder.path())
    };
    drop(journal);
    let frames = left.frames().len();
    let room = (left.wal.len() - HEADER) / (FRAME + left.number(8));
    assert!(frames < room, "it began anew");
    let commits = Commits::new(left, LARGE).await;
    assert!(
        commits.lengths[0] > LARGE.goal / 2,
        "of which most is in the file"
    );
    let (cuts, flips) = (
        commits.check_cuts(150).await,
        commits.check_flips(150).await,
    );
    println!("{frames} frames, {cuts} cuts, {flips} flips");
}
