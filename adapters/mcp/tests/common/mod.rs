//! The server of the tests: the example `bank_server`, in a process of its own.
#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::missing_panics_doc, reason = "helpers of tests may panic")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use handoffs_mcp::McpServer;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

/// A bank, and where it writes down what it does.
#[derive(Debug)]
pub(crate) struct Bank {
    pub(crate) server: McpServer,
    folder: TempDir,
}

/// Starts a bank, with these words on its command line.
pub(crate) async fn bank(words: &[&str]) -> Bank {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(&ledger(folder.path()));
    command.args(words);
    let server = McpServer::spawn(command).await.unwrap();
    Bank { server, folder }
}

/// Returns the command that starts a bank with this ledger.
pub(crate) fn command(ledger: &Path) -> Command {
    // Beside `deps`, where the tests are.
    let test = env::current_exe().unwrap();
    let target = test.parent().and_then(Path::parent).unwrap();
    let program = target.join("examples/bank_server");
    assert!(
        program.exists(),
        "{} is missing: `cargo test -p handoffs-mcp` builds it, `--test` alone does not",
        program.display()
    );
    let mut command = Command::new(program);
    command.arg(ledger);
    command
}

pub(crate) fn ledger(folder: &Path) -> PathBuf {
    folder.join("ledger")
}

/// Returns what a bank has done.
pub(crate) fn read(ledger: &Path) -> Vec<String> {
    let text = fs::read_to_string(ledger).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

impl Bank {
    pub(crate) fn ledger(&self) -> Vec<String> {
        read(&ledger(self.folder.path()))
    }

    /// Waits until the bank has done this: it works at its own pace.
    pub(crate) async fn until(&self, expected: &[&str]) {
        let done = async {
            while self.ledger() != expected {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let done = timeout(Duration::from_secs(30), done).await;
        done.unwrap_or_else(|_| panic!("{:?}", self.ledger()));
    }
}
