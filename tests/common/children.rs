//! Processes that do a test's work until they are killed, and what they have done outside of the journal.
//!
//! A child is the test binary itself: its test `child` does nothing unless it is told to, by variables.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use async_trait::async_trait;
use handoffs::{Context, Durability, Journal, JournalError, Layer, Record, ThreadId};

/// Says at which append a child kills itself.
pub(crate) const KILL: &str = "HANDOFFS_CHILD_KILL";

/// Returns the command that starts a child. What it says to `stderr` is for [`ended`].
pub(crate) fn child() -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--nocapture"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Waits for a child, and returns whether it was killed and what it said.
pub(crate) fn ended(child: Child) -> (bool, String) {
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    let killed = status.signal() == Some(9);
    assert!(killed || status.success(), "{status}: {said}");
    (killed, said)
}

/// Makes a folder in memory where there is one: what a process leaves that dies is there what it is on a
/// disk, and nobody waits for that.
pub(crate) fn quick_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Where each execution of a node is written down, beyond the reach of journal and state.
#[derive(Clone, Debug)]
pub(crate) struct Effects(pub(crate) PathBuf);

impl Effects {
    /// Notes that a step is executed.
    pub(crate) fn note(&self, cx: &Context<'_>) {
        self.add(cx.thread(), &cx.idempotency_key());
    }

    pub(crate) fn add(&self, thread: &ThreadId, what: &str) {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).open(&self.0).unwrap();
        let line = format!("{thread}\t{what}\n");
        file.write_all(line.as_bytes()).unwrap();
    }

    /// Returns what was done, in its order, by thread.
    pub(crate) fn read(&self) -> BTreeMap<String, Vec<String>> {
        let mut steps = BTreeMap::<_, Vec<_>>::new();
        for line in fs::read_to_string(&self.0).unwrap_or_default().lines() {
            let (thread, what) = line.split_once('\t').unwrap();
            let steps = steps.entry(thread.to_owned()).or_default();
            steps.push(what.to_owned());
        }
        steps
    }

    /// Returns what was done in one thread, in its order.
    pub(crate) fn of(&self, thread: &str) -> Vec<String> {
        self.read().remove(thread).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    /// It is on its way, and nobody knows how far.
    During,
    After,
}

/// The moment at which a child kills itself; an append is counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kill(pub(crate) When, pub(crate) u64);

impl Kill {
    /// Returns what this child was told.
    pub(crate) fn told() -> Option<Self> {
        env::var(KILL).ok().map(|kill| kill.parse().unwrap())
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} append {}", self.0, self.1)
    }
}

impl FromStr for Kill {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (when, append) = text.split_once(" append ").ok_or(text)?;
        let all = [When::Before, When::During, When::After];
        let when = all.into_iter().find(|one| format!("{one:?}") == when);
        Ok(Self(
            when.ok_or(text)?,
            append.parse().map_err(|_| text.to_owned())?,
        ))
    }
}

/// Ends this process as a power cut would.
pub(crate) fn die() -> ! {
    let pid = std::process::id().to_string();
    drop(Command::new("kill").args(["-9", &pid]).status());
    loop {
        thread::park();
    }
}

/// A journal that kills its own process at an append. What drops records counts as one, too.
#[derive(Debug)]
pub(crate) struct Deadly<J> {
    kept: J,
    appends: AtomicU64,
    kill: Option<Kill>,
}

impl<J> Deadly<J> {
    pub(crate) fn new(kept: J, kill: Option<Kill>) -> Self {
        Self {
            kept,
            appends: AtomicU64::new(0),
            kill,
        }
    }

    fn pass(&self, when: When, append: u64) {
        if self.kill == Some(Kill(when, append)) {
            die();
        }
    }

    async fn around(
        &self,
        write: impl Future<Output = Result<(), JournalError>>,
    ) -> Result<(), JournalError> {
        let append = self.appends.fetch_add(1, Ordering::Relaxed) + 1;
        self.pass(When::Before, append);
        if self.kill == Some(Kill(When::During, append)) {
            let die = async {
                tokio::task::yield_now().await;
                die();
            };
            return tokio::join!(write, die).0;
        }
        write.await?;
        self.pass(When::After, append);
        Ok(())
    }
}

#[async_trait]
impl<J: Journal> Layer for Deadly<J> {
    type Within = J;

    fn within(&self) -> &J {
        &self.kept
    }

    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        self.around(self.kept.append(thread, head, records, durability))
            .await
    }

    async fn compact(
        &self,
        thread: &ThreadId,
        snapshot: Record,
        trim: u64,
    ) -> Result<(), JournalError> {
        self.around(self.kept.compact(thread, snapshot, trim)).await
    }
}

/// A source of numbers that are the same in each run of the test.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// Returns a level by its name, as [`Debug`] writes it.
pub(crate) fn level(name: &str) -> Durability {
    let all = [Durability::Sync, Durability::Step, Durability::Exit];
    let found = all.into_iter().find(|level| format!("{level:?}") == name);
    found.unwrap()
}
