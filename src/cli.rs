//! The command line `handoffs` (feature `cli`).
//!
//! `cargo install handoffs --features cli` gives the program `handoffs`, which looks at journals and
//! drawings without the types of whoever wrote them:
//!
//! ```text
//! export HANDOFFS_JOURNAL=support.db
//! handoffs threads                       # where each thread stands
//! handoffs history customer-42           # what happened in one, entry by entry
//! handoffs show customer-42 --at 7       # its state after entry 7
//! handoffs inbox                         # what waits for a person
//! handoffs answer customer-42 9 '"yes"'  # laid down for the program's next `recover`
//! handoffs audit verify                  # that nothing was rewritten
//! handoffs stats                         # steps, edges, failures, usage, durations
//! handoffs diff main.dot branch.dot      # exits with 1 if something is loosened
//! ```
//!
//! A journal that is [sealed](crate::Sealed) is opened with a file of its keys, `--keys FILE`; a
//! [compressed](crate::Compressed) one is read as it is. What the commands write is not compressed.
//!
//! A binary of your own gets the same commands and those that need graphs with [`main!`]:
//!
//! ```no_run
//! # use handoffs::prelude::*;
//! # #[derive(State, Clone, Debug, Default)]
//! # struct Ticket { question: String }
//! # #[node(Ticket)]
//! # async fn triage(question: &str) { let _ = question; }
//! # #[derive(AgentGraph)]
//! # #[graph(state = Ticket, start = triage)]
//! # struct Newsroom { #[route(_ => end)] triage: Triage }
//! # #[derive(AgentGraph)]
//! # #[graph(state = Ticket, start = triage)]
//! # struct SupportDesk { #[route(_ => end)] triage: Triage }
//! // src/bin/desk.rs: `cargo run --bin desk -- svg SupportDesk > desk.svg`
//! handoffs::cli::main!(SupportDesk = SupportDesk { triage: Triage }, Newsroom);
//! ```
//!
//! Exit codes: 0 is well; 1 says that a check failed, a run failed, or what was asked for is not there; 2
//! that the command makes no sense or what it was to read is broken. With `--format json` each command
//! prints JSON, whose field names stay: lists as JSON Lines, anything else as one value.

mod answer;
mod args;
mod audit;
mod check;
mod diff;
mod draw;
mod error;
#[cfg(feature = "eval")]
mod eval;
mod fork;
mod graph;
mod history;
mod inbox;
mod journal;
mod layers;
mod output;
mod prune;
mod replay;
mod run;
mod show;
mod state;
mod stats;
mod text;
mod threads;

use std::error::Error as StdError;
use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use crate::{AgentGraph, Journal, Runnable};

use args::{Args, Command};
use error::Error;
use graph::{Drawn, Graphs, Runs};
use journal::Source;
use output::Output;

/// Writes `main` of a program with the commands of [`handoffs`](self) for these graphs.
///
/// Of a graph alone the shape is known, so it can be drawn, compared and checked. With an expression that
/// builds it, it can be run as well, and its journals can be asked where today's edges would have led:
///
/// ```no_run
/// # use handoffs::prelude::*;
/// # #[derive(State, Clone, Debug, Default)]
/// # struct Ticket { question: String }
/// # #[node(Ticket)]
/// # async fn triage(question: &str) { let _ = question; }
/// # #[derive(AgentGraph)]
/// # #[graph(state = Ticket, start = triage)]
/// # struct Desk { #[route(_ => end)] triage: Triage }
/// # #[derive(AgentGraph)]
/// # #[graph(state = Ticket, start = triage)]
/// # struct Newsroom { #[route(_ => end)] triage: Triage }
/// # fn key() -> Result<String, std::env::VarError> { std::env::var("KEY") }
/// # fn desk(_: String) -> Desk { Desk { triage: Triage } }
/// handoffs::cli::main!(Newsroom, Desk = desk(key()?));
/// ```
///
/// The expression is evaluated when the graph is to run, and may use `?` on any error. What else there is
/// to say, [`Cli`] takes.
#[doc(inline)]
pub use crate::__cli_main as main;

/// What [`main!`] makes, for a program that has more to say: a journal of its own, or layers over it.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use handoffs::cli::Cli;
/// # use handoffs::prelude::*;
/// # #[derive(State, Clone, Debug, Default)]
/// # struct Ticket { question: String }
/// # #[node(Ticket)]
/// # async fn triage(question: &str) { let _ = question; }
/// # #[derive(AgentGraph)]
/// # #[graph(state = Ticket, start = triage)]
/// # struct Desk { #[route(_ => end)] triage: Triage }
///
/// fn main() -> ExitCode {
///     Cli::new()
///         .runs(|| Ok(Desk { triage: Triage }))
///         .journal("support.db")
///         .main()
/// }
/// ```
#[derive(Default)]
#[must_use = "it does nothing before `main`"]
pub struct Cli {
    graphs: Graphs,
    journal: Option<String>,
    layer: Option<Layer>,
}

/// Puts layers over a journal that was opened.
type Layer = Box<dyn Fn(Arc<dyn Journal>) -> Arc<dyn Journal> + Send + Sync>;

impl Cli {
    /// The commands that need no graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a graph whose shape alone is known.
    pub fn draws<G: AgentGraph>(mut self) -> Self {
        self.graphs.add(Drawn::of(G::topology()));
        self
    }

    /// Adds a graph that can be run as well, with what builds it.
    pub fn runs<G: AgentGraph + Runnable>(
        mut self,
        build: impl Fn() -> Result<G, Box<dyn StdError + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        let runs = Runs::new(build);
        self.graphs
            .add(Drawn::of(<G as AgentGraph>::topology()).run_by(runs));
        self
    }

    /// Says which journal is meant if neither `--journal` nor `HANDOFFS_JOURNAL` does: the path of a file,
    /// or the address of a server.
    pub fn journal(mut self, place: impl Into<String>) -> Self {
        self.journal = Some(place.into());
        self
    }

    /// Puts layers over the journal, such as `Sealed` or `Compressed`.
    pub fn layer(
        mut self,
        over: impl Fn(Arc<dyn Journal>) -> Arc<dyn Journal> + Send + Sync + 'static,
    ) -> Self {
        self.layer = Some(Box::new(over));
        self
    }

    /// Does what the program's arguments say.
    pub fn main(self) -> ExitCode {
        self.main_from(std::env::args_os())
    }

    /// Does what these arguments say, of which the first is the program's name.
    pub fn main_from(self, args: impl IntoIterator<Item = impl Into<OsString>>) -> ExitCode {
        let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
        let args = match Args::read(&args, self.graphs.can_run()) {
            Ok(args) => args,
            Err(error) => {
                // What was asked for, such as `--help`, is printed to stdout.
                let code = if error.use_stderr() { 2 } else { 0 };
                // If nobody reads it, nobody is to be told.
                let _ = error.print();
                return ExitCode::from(code);
            }
        };
        args.color.apply();
        let place = args.journal.clone().or_else(|| self.journal.clone());
        let mut out = Output::new(args.format);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let done = match runtime {
            Ok(runtime) => runtime.block_on(self.run(args, &mut out)),
            Err(error) => Err(Error::Io(error)),
        };
        let done = done.and_then(|verdict| out.flush().map(|()| verdict));
        match done {
            Ok(Verdict::Well) => ExitCode::SUCCESS,
            Ok(Verdict::Failed) => ExitCode::from(1),
            // Whoever reads has had enough.
            Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
            Err(error) => {
                let _ = out.flush();
                error.print(place.as_deref());
                ExitCode::from(error.code())
            }
        }
    }

    async fn run(&self, args: Args, out: &mut Output) -> Result<Verdict, Error> {
        let graphs = &self.graphs;
        let place = args.journal.as_deref().or(self.journal.as_deref());
        let source = Source::new(place, &args.layers, self.layer.as_deref());
        match args.command {
            Command::Threads(args) => threads::run(&args, &source, out).await,
            Command::History(args) => history::run(&args, &source, out).await,
            Command::Show(args) => show::run(&args, &source, out).await,
            Command::Inbox => inbox::run(&source, out).await,
            Command::Answer(args) => answer::run(&args, &source, out).await,
            Command::Audit(args) => audit::run(&args, &source, out).await,
            Command::Fork(args) => fork::run(&args, &source, out).await,
            Command::Prune(args) => prune::run(&args, &source, out).await,
            Command::Stats(args) => stats::run(&args, &source, out).await,
            Command::Dot(args) => draw::run(draw::Kind::Dot, &args, graphs, &source, out).await,
            Command::Mermaid(args) => {
                draw::run(draw::Kind::Mermaid, &args, graphs, &source, out).await
            }
            Command::Svg(args) => draw::run(draw::Kind::Svg, &args, graphs, &source, out).await,
            Command::Ascii(args) => draw::run(draw::Kind::Ascii, &args, graphs, &source, out).await,
            Command::Diff(args) => diff::run(&args, graphs, out),
            Command::Check(args) => check::run(&args, graphs, out),
            Command::Run(args) => run::run(&args, graphs, &source, out).await,
            Command::Recover(args) => run::recover(&args, graphs, &source, out).await,
            Command::Resume(args) => run::resume(&args, graphs, &source, out).await,
            Command::Replay(args) => replay::run(&args, graphs, &source, out).await,
            #[cfg(feature = "eval")]
            Command::Eval(args) => eval::run(&args, graphs, out).await,
            Command::Completions(args) => {
                args::complete(args.shell, graphs.can_run(), out)?;
                Ok(Verdict::Well)
            }
        }
    }
}

impl fmt::Debug for Cli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cli")
            .field("graphs", &self.graphs)
            .field("journal", &self.journal)
            .finish_non_exhaustive()
    }
}

/// What a command that was carried out has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Well,
    Failed,
}

impl Verdict {
    const fn failed_if(failed: bool) -> Self {
        if failed { Self::Failed } else { Self::Well }
    }
}

/// See [`cli::main!`](crate::cli::main).
#[macro_export]
#[doc(hidden)]
macro_rules! __cli_main {
    ($($graph:ty $(= $build:expr)?),* $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            let cli = $crate::cli::Cli::new();
            $(let cli = $crate::__cli_graph!(cli, $graph $(, $build)?);)*
            cli.main()
        }
    };
}

#[macro_export]
#[doc(hidden)]
macro_rules! __cli_graph {
    ($cli:ident, $graph:ty) => {
        $cli.draws::<$graph>()
    };
    ($cli:ident, $graph:ty, $build:expr) => {
        $cli.runs::<$graph>(|| ::core::result::Result::Ok($build))
    };
}
