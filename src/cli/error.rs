//! What goes wrong with a command, and what it exits with.

use std::error::Error as StdError;
use std::io;

use crate::{DotError, JournalError, RunError, ThreadId};

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The command makes no sense.
    #[error("{0}")]
    Usage(String),
    /// What was asked for is not there.
    #[error("{0}")]
    Missing(String),
    /// What was to be read is broken.
    #[error("{0}")]
    Broken(String),
    #[error("`{path}` cannot be read")]
    File { path: String, source: io::Error },
    #[error("`{path}` is no drawing of ours")]
    Dot { path: String, source: DotError },
    #[error("{what} is no JSON")]
    Json {
        what: &'static str,
        source: serde_json::Error,
    },
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the graph `{graph}` cannot be built")]
    Build {
        graph: String,
        source: Box<dyn StdError + Send + Sync>,
    },
    #[cfg(feature = "eval")]
    #[error(transparent)]
    Eval(#[from] crate::eval::EvalError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// Says that there is no such thread.
    pub(super) fn no_thread(thread: &ThreadId) -> Self {
        Self::Missing(format!(
            "there is no thread `{thread}`; `threads` lists those that are"
        ))
    }

    pub(super) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Returns the layer without which a journal cannot be read, if that is what is wrong.
    pub(super) fn layer(&self) -> Option<&'static str> {
        match self {
            Self::Journal(JournalError::Layered { layer, .. })
            | Self::Run(RunError::Journal {
                source: JournalError::Layered { layer, .. },
                ..
            }) => Some(layer),
            _ => None,
        }
    }

    pub(super) const fn code(&self) -> u8 {
        match self {
            Self::Missing(_) => 1,
            Self::Run(error) => match error {
                RunError::Journal { .. } | RunError::WrongAnswer { .. } => 2,
                _ => 1,
            },
            _ => 2,
        }
    }

    /// Prints the error with its causes, and the journal if one was looked at.
    pub(super) fn print(&self, journal: Option<&str>) {
        use std::io::Write;

        let bold = clap::builder::styling::Style::new()
            .bold()
            .fg_color(Some(clap::builder::styling::AnsiColor::Red.into()));
        let mut last = self.to_string();
        let mut lines = vec![format!("{bold}error:{bold:#} {last}")];
        let mut cause = self.source();
        while let Some(error) = cause {
            let because = error.to_string();
            if because != last {
                lines.push(format!("  because: {because}"));
                last = because;
            }
            cause = error.source();
        }
        if let Some(layer) = self.layer() {
            lines.push(format!("  help: {}", super::layers::help(layer)));
        }
        let is_of_a_journal = matches!(self, Self::Run(_) | Self::Journal(_) | Self::Missing(_));
        if let Some(journal) = journal.filter(|_| is_of_a_journal) {
            lines.push(format!("  journal: {}", super::journal::shown(journal)));
        }
        let text = lines.join("\n") + "\n";
        // If nobody reads it, nobody is to be told.
        let _ = anstream::stderr().write_all(text.as_bytes());
    }
}
