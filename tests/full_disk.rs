//! Disks without room: a run stops and says so, and goes on when there is room, with nothing lost or doubled.
//!
//! The children are this same test binary: `child` is a test that does nothing unless it is told to.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

mod common;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::children::{Effects, ended, level};
use common::{chain, timeless};
use futures::future::join_all;
use handoffs::prelude::*;
use handoffs::{Durability, Journal, JournalError, RunError};
use tempfile::TempDir;

// ---- A book of long pages. Each time that one is written is counted outside.

#[derive(State, Clone, Debug, Default)]
struct Book {
    pages: Log<String>,
}

#[derive(Outcome)]
enum Wrote {
    More,
    TheEnd,
}

const PAGES: usize = 60;

struct Write(Effects);

#[node(Book)]
impl Write {
    async fn run(&self, pages: &mut Log<String>, cx: &mut Context<'_>) -> Wrote {
        self.0.note(cx);
        pages.push("x".repeat(8_000));
        if pages.len() < PAGES {
            Wrote::More
        } else {
            Wrote::TheEnd
        }
    }
}

#[derive(AgentGraph)]
#[graph(state = Book, start = write)]
struct Writer {
    #[route(Wrote::More => write(limit = 100), Wrote::TheEnd => end)]
    write: Write,
}

fn writer<J: Journal>(journal: J, effects: &Effects) -> Runtime<Writer, J> {
    let write = Write(effects.clone());
    Runtime::new(Writer { write }).journal(journal)
}

fn is_full(error: &RunError) -> bool {
    let RunError::Journal { source, .. } = error else {
        return false;
    };
    matches!(source, JournalError::Full { .. })
}

// ---- Threads that share a disk.

const THREADS: u32 = 4;

fn name(number: u32) -> String {
    format!("book {number}")
}

/// Begins all threads at once, or takes them up, and returns how many found the disk full.
async fn work<J: Journal>(runtime: &Runtime<Writer, J>) -> usize {
    let works = (0..THREADS).map(|number| {
        let thread = runtime.thread(name(number));
        async move {
            match thread.run_once(Book::default()).await {
                Ok(run) => assert_eq!(run.finished().unwrap().pages.len(), PAGES),
                Err(error) => {
                    assert!(is_full(&error), "{error:?}");
                    return true;
                }
            }
            false
        }
    });
    let full = join_all(works).await;
    full.into_iter().filter(|full| *full).count()
}

/// Checks that each thread is a beginning of what it is to be, and returns how many pages there are.
async fn check_beginnings<J: Journal>(runtime: &Runtime<Writer, J>) -> usize {
    let undisturbed = undisturbed().await;
    let mut pages = 0;
    for thread in runtime.threads().await.unwrap() {
        let thread = runtime.thread(thread);
        thread.verify(None).await.unwrap();
        let history = timeless(&thread.history().await.unwrap());
        assert!(undisturbed.starts_with(&history), "{}", thread.id());
        assert_eq!(thread.state().await.unwrap().pages.len(), history.len() - 1);
        pages += history.len() - 1;
    }
    pages
}

/// Checks that each thread is as if there had been room at any time, and that of each time that it was
/// told of a full disk, one page at most was written again.
async fn check_whole<J: Journal>(runtime: &Runtime<Writer, J>, effects: &Effects, told: usize) {
    let written = check_beginnings(runtime).await;
    assert_eq!(written, PAGES * THREADS as usize);
    let mut executed = 0;
    for number in 0..THREADS {
        let mut steps = effects.of(&name(number));
        executed += steps.len();
        steps.dedup();
        assert_eq!(steps.len(), PAGES, "{}", name(number));
    }
    assert!(executed <= written + told, "{executed} of {written}");
}

async fn undisturbed() -> Vec<serde_json::Value> {
    let folder = tempfile::tempdir().unwrap();
    let effects = Effects(folder.path().join("effects"));
    let thread = writer(Memory::default(), &effects).thread("any");
    let _ = thread.run(Book::default()).await.unwrap();
    timeless(&thread.history().await.unwrap())
}

// ---- A small disk, which takes root to mount.

struct Disk(TempDir);

const ROOM: usize = 16 << 20;
const SKIPPED: &str = "skipped: only root can mount a small disk";

impl Disk {
    /// Mounts a disk with room for all that is written here, if nothing else [fills](Self::leave) it.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = run("mount -t tmpfs -o size=16m tmpfs", folder.path());
        mounted.then(|| Self(folder))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Leaves so many bytes of the disk to others.
    fn leave(&self, bytes: usize) {
        let ballast = ROOM.saturating_sub(bytes);
        fs::write(self.path("ballast"), vec![0; ballast]).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount -l", self.0.path());
    }
}

fn run(command: &str, path: &Path) -> bool {
    let mut words = command.split(' ');
    let mut command = Command::new(words.next().unwrap());
    let status = command.args(words).arg(path).output();
    status.is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_full_disk_stops_a_run_which_goes_on_when_there_is_room() {
    let Some(disk) = Disk::mount() else {
        println!("{SKIPPED}");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let effects = Effects(folder.path().join("effects"));
    disk.leave(500_000);
    let journal = Sqlite::open(disk.path("book.db")).await.unwrap();
    let runtime = writer(journal, &effects);
    let thread = runtime.thread("t");
    let error = thread.run(Book::default()).await.unwrap_err();
    assert!(is_full(&error), "{error:?}");
    let text = chain(&error);
    let parts = [
        "thread `t`",
        "node `write`",
        "no room left",
        "book.db",
        "recover",
    ];
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }

    // What was written is there, and the run stands behind it.
    let written = thread.history().await.unwrap().len() - 1;
    assert!((1..PAGES).contains(&written), "{written} pages");
    assert_eq!(thread.state().await.unwrap().pages.len(), written);
    assert!(matches!(
        thread.status().await.unwrap(),
        Status::Unfinished(WriterNode::Write)
    ));
    // Still full, still the same.
    let error = thread.recover().await.unwrap_err();
    assert!(chain(&error).contains("no room left"), "{error:?}");
    assert_eq!(thread.history().await.unwrap().len(), written + 1);

    disk.leave(ROOM);
    let book = thread.recover().await.unwrap().finished().unwrap();
    assert_eq!(book.pages.len(), PAGES);
    assert_eq!(thread.history().await.unwrap().len(), PAGES + 1);
    drop((thread, runtime));

    let journal = Sqlite::open(disk.path("book.db")).await.unwrap();
    let book = writer(journal, &effects).thread("t").state().await.unwrap();
    assert_eq!(book.pages.len(), PAGES);
}

#[tokio::test]
async fn a_disk_that_is_full_again_and_again_loses_and_doubles_nothing() {
    for level in [Durability::Sync, Durability::Step] {
        let Some(disk) = Disk::mount() else {
            println!("{SKIPPED}");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let effects = Effects(folder.path().join("effects"));
        let open = async || {
            let journal = Sqlite::open(disk.path("book.db")).await.unwrap();
            writer(journal, &effects).durability(level)
        };
        disk.leave(300_000);
        let mut runtime = open().await;
        let (mut rounds, mut told, mut pages) = (0, 0, 0);
        loop {
            let full = work(&runtime).await;
            told += full;
            let written = check_beginnings(&runtime).await;
            assert!(written >= pages, "{level:?}: {pages} became {written}");
            pages = written;
            if full == 0 {
                break;
            }
            rounds += 1;
            if rounds % 2 == 0 {
                // A process that ends on a full disk leaves what the next one needs.
                drop(runtime);
                runtime = open().await;
                assert_eq!(check_beginnings(&runtime).await, pages, "{level:?}");
            }
            assert!(rounds < 40, "it is never enough");
            disk.leave(300_000 + 400_000 * rounds);
        }
        println!("{level:?}: full {rounds} times, told {told} times");
        assert!(rounds > 3 && told > rounds, "{rounds} {told}");
        check_whole(&runtime, &effects, told).await;
    }
}

// ---- A limit on the size of a file, which anybody can set.

const FOLDER: &str = "HANDOFFS_FULL_FOLDER";
const LEVEL: &str = "HANDOFFS_FULL_LEVEL";

#[test]
fn child() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let level = level(&env::var(LEVEL).unwrap());
    let tokio = tokio::runtime::Runtime::new().unwrap();
    tokio.block_on(async {
        let journal = Sqlite::open(folder.join("book.db")).await.unwrap();
        let runtime = writer(journal, &Effects(folder.join("effects"))).durability(level);
        let told = work(&runtime).await;
        check_beginnings(&runtime).await;
        eprintln!("{told}");
    });
}

#[tokio::test]
async fn where_a_file_may_not_grow_any_more_nothing_is_lost_or_doubled() {
    for level in [Durability::Sync, Durability::Step] {
        let folder = tempfile::tempdir().unwrap();
        let mut told = 0;
        // In blocks of 512 bytes: the WAL, and the file that it is folded into, have to stay below it.
        for limit in [300, 500, 700] {
            let limited = format!(r#"trap "" XFSZ; ulimit -f {limit}; exec "$0" "$@""#);
            let mut child = Command::new("sh");
            child
                .args(["-c", &limited])
                .arg(env::current_exe().unwrap());
            child
                .args(["--exact", "child", "--nocapture"])
                .env(FOLDER, folder.path())
                .env(LEVEL, format!("{level:?}"))
                .stdout(Stdio::null())
                .stderr(Stdio::piped());
            let (killed, said) = ended(child.spawn().unwrap());
            assert!(!killed);
            let full: usize = said.trim().parse().unwrap();
            assert!(full > 0, "{level:?}: {limit} blocks are enough");
            told += full;
        }
        let journal = Sqlite::open(folder.path().join("book.db")).await.unwrap();
        let effects = Effects(folder.path().join("effects"));
        let runtime = writer(journal, &effects);
        let pages = check_beginnings(&runtime).await;
        println!("{level:?}: {pages} pages, told {told} times");
        assert!(pages > 0);
        assert_eq!(work(&runtime).await, 0);
        check_whole(&runtime, &effects, told).await;
    }
}
