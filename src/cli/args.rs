//! What can be asked for.

use std::ffi::OsString;
use std::path::Path;
#[cfg(feature = "eval")]
use std::path::PathBuf;

use anstream::ColorChoice;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::error::Error;
use super::layers::Layers;
use super::output::Output;

/// Looks at the journals and the drawings of agent graphs.
#[derive(Debug, Parser)]
#[command(
    name = "handoffs",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(after_help = "\
Examples:
  handoffs --journal support.db threads
  handoffs history customer-42 --journal support.db
  handoffs answer customer-42 9 '\"yes\"'       with HANDOFFS_JOURNAL=support.db
  handoffs diff before.dot after.dot

Exit codes: 0 all is well; 1 a check or a run failed, or what was asked for is not there; \
2 the command makes no sense, or what it was to read is broken.")]
pub(super) struct Args {
    /// The journal: a SQLite file, or the address of a PostgreSQL server
    #[arg(
        long,
        short,
        global = true,
        env = "HANDOFFS_JOURNAL",
        hide_env_values = true,
        value_name = "PLACE",
        display_order = 100
    )]
    pub(super) journal: Option<String>,
    #[command(flatten)]
    pub(super) layers: Layers,
    /// How to print: for people, as JSON (lists as JSON Lines), or for a pull request
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        display_order = 103
    )]
    pub(super) format: Format,
    /// Whether to print in colours
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        display_order = 104,
        help = "Whether to print in colours; with NO_COLOR set, auto does not"
    )]
    pub(super) color: Color,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    #[default]
    Text,
    Json,
    Markdown,
}

/// Whether to print in colours.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    pub(super) fn apply(self) {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::AlwaysAnsi,
            Self::Never => ColorChoice::Never,
        }
        .write_global();
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the threads of a journal, and where they stand
    Threads(Threads),
    /// Show what happened in a thread, entry by entry
    History(History),
    /// Show the state of a thread, also as it was
    Show(Show),
    /// List the questions that wait for a person, over all threads
    Inbox,
    /// Lay an answer to an open question down for the program that runs the thread
    Answer(Answer),
    /// Prove that a thread is what was written, or hand it to an auditor
    #[command(subcommand)]
    Audit(Audit),
    /// Copy a thread, or the beginning of it, under a new name
    Fork(Fork),
    /// Remove threads that are over
    Prune(Prune),
    /// Count threads, steps, handoffs, failures, usage and time
    Stats(Stats),
    /// Draw a graph for Graphviz
    Dot(Draw),
    /// Draw a graph as Mermaid, which GitHub renders
    Mermaid(Draw),
    /// Draw a graph as SVG
    Svg(Draw),
    /// Draw a graph for the terminal
    Ascii(Draw),
    /// Compare two graphs; exits with 1 if the later one is looser
    Diff(Diff),
    /// List graphs with their bounds, and check them and their drawings
    Check(Check),
    /// Run a graph in a new thread
    Run(Run),
    /// Go on with a thread that was cut off, failed, or has got an answer
    Recover(Recover),
    /// Answer a question, and run on
    Resume(Resume),
    /// Ask of recorded decisions where today's edges lead; exits with 1 if elsewhere
    Replay(Replay),
    /// Judge a node by labelled cases; exits with 1 if too few are right
    #[cfg(feature = "eval")]
    Eval(Eval),
    /// Print the completions of a shell
    Completions(Completions),
}

/// The commands that need a graph which can be run.
const RUNNING: &[&str] = &[
    "run",
    "recover",
    "resume",
    "replay",
    #[cfg(feature = "eval")]
    "eval",
];

#[derive(Debug, clap::Args)]
pub(super) struct Threads {
    /// Only those that stand so
    #[arg(long, value_enum)]
    pub(super) status: Vec<Standing>,
    /// Only those of this graph
    #[arg(long)]
    pub(super) graph: Option<String>,
}

/// Where a thread can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Standing {
    /// Cut off, or at work
    Unfinished,
    /// Waiting for a person
    Paused,
    /// Ended with an error
    Failed,
    /// At its end
    Finished,
    /// Given up
    Abandoned,
}

#[derive(Debug, clap::Args)]
pub(super) struct History {
    /// The thread
    pub(super) thread: String,
    /// Only the last entries
    #[arg(long, value_name = "ENTRIES")]
    pub(super) last: Option<usize>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The thread
    pub(super) thread: String,
    /// As it was after this entry
    #[arg(long, value_name = "SEQ")]
    pub(super) at: Option<u64>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing is run: the next `recover` of the program that has the graph takes the answer. Until its node has \
taken it, another `answer` replaces it, so one that does not fit does no harm.

Examples:
  handoffs answer customer-42 9 '{\"amount\": 12}'
  handoffs answer customer-42 9 --approve --by alice
  handoffs answer customer-42 9 --refuse 'too much'
  handoffs answer customer-42 9 --withdraw")]
pub(super) struct Answer {
    /// The thread
    pub(super) thread: String,
    /// The number of the question; `inbox` tells it
    pub(super) ask: crate::AskId,
    /// The answer, as JSON
    #[arg(
        group = "what",
        required_unless_present_any = ["approve", "refuse", "withdraw"]
    )]
    pub(super) json: Option<String>,
    /// Approve of the handoff that is asked about
    #[arg(long, group = "what")]
    pub(super) approve: bool,
    /// Refuse the handoff that is asked about, for this reason
    #[arg(long, group = "what", value_name = "REASON")]
    pub(super) refuse: Option<String>,
    /// Take back what was laid down and not taken yet
    #[arg(long, group = "what")]
    pub(super) withdraw: bool,
    /// Who answers, for the record
    #[arg(long, value_name = "NAME")]
    pub(super) by: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Check the hashes of threads: of one, or of all
    Verify(Verify),
    /// Print a thread as JSON Lines, byte for byte what is hashed
    Export(Export),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --head it is not seen if entries are missing at the end, or if all were written anew. Note heads \
where whoever can write to the journal cannot: `handoffs audit verify --format json > heads.jsonl`.")]
pub(super) struct Verify {
    /// The thread; all if there is none
    pub(super) thread: Option<String>,
    /// The head that was noted earlier, as 12:5f0c…, by which the thread has to come
    #[arg(long, requires = "thread")]
    pub(super) head: Option<crate::Head>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The thread
    pub(super) thread: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Fork {
    /// The thread
    pub(super) thread: String,
    /// The name of the new one
    pub(super) new: String,
    /// Only up to this entry
    #[arg(long, value_name = "SEQ")]
    pub(super) at: Option<u64>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Only threads that are over are removed: those that are unfinished, failed or wait for an answer stay. \
Without --yes nothing is removed, and what would be is listed.

Examples:
  handoffs prune --older-than 30d
  handoffs prune --older-than 30d --keep-last 1000 --yes")]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
pub(super) struct Prune {
    /// Keep the last threads that were written to
    #[arg(long, group = "which", value_name = "THREADS")]
    pub(super) keep_last: Option<usize>,
    /// Keep what was written to within this time, as 30d, 12h or 1w
    #[arg(long, group = "which", value_name = "AGE", value_parser = super::text::age)]
    pub(super) older_than: Option<std::time::Duration>,
    /// Do remove them
    #[arg(long)]
    pub(super) yes: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Stats {
    /// Only these threads
    pub(super) threads: Vec<String>,
    /// Only those of this graph
    #[arg(long)]
    pub(super) graph: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Draw {
    /// A graph of this program, or a DOT file of ours; `-` is the standard input
    pub(super) graph: Option<String>,
    /// Show the path that this thread took
    #[arg(long, value_name = "THREAD")]
    pub(super) overlay: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  handoffs diff before.dot after.dot
  git show main:docs/desk.dot | desk diff - SupportDesk --format markdown")]
pub(super) struct Diff {
    /// What was: a DOT file of ours, or a graph of this program
    pub(super) before: String,
    /// What is now; the graph of this program if there is one
    pub(super) after: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Graphs of this program, or DOT files of ours; all of this program if there are none
    pub(super) graphs: Vec<String>,
    /// A DOT file that has to be the drawing of the graph whose name it carries
    #[arg(long, value_name = "FILE")]
    pub(super) against: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// The graph
    pub(super) graph: String,
    /// The thread
    #[arg(long)]
    pub(super) thread: String,
    /// The state with which the run begins, as a JSON object
    #[arg(long, value_name = "JSON")]
    pub(super) state: String,
    /// Who is behind it, for the record
    #[arg(long, value_name = "NAME")]
    pub(super) by: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Recover {
    /// The thread
    pub(super) thread: String,
    /// The graph, if the thread does not tell
    #[arg(long)]
    pub(super) graph: Option<String>,
    /// Who is behind it, for the record
    #[arg(long, value_name = "NAME")]
    pub(super) by: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Resume {
    #[command(flatten)]
    pub(super) recover: Recover,
    /// The number of the question; `inbox` tells it
    pub(super) ask: crate::AskId,
    /// The answer, as JSON
    #[arg(value_name = "JSON")]
    pub(super) answer: String,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "No node is executed, and nothing is written.")]
pub(super) struct Replay {
    /// Only these threads
    pub(super) threads: Vec<String>,
    /// The graph whose edges are asked; by default that of each thread
    #[arg(long, value_name = "GRAPH")]
    pub(super) against: Option<String>,
}

#[cfg(feature = "eval")]
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eval Desk triage --cases dev.csv --state '{\"question\": \"{text}\"}' --expected category
  eval Desk triage --cases cases.jsonl --baseline base.json --threshold 0.9

A line of JSON Lines is {\"state\": {..}, \"expected\": \"billing\"}, with \"outcome\" for the route alone.")]
pub(super) struct Eval {
    /// The graph
    pub(super) graph: String,
    /// The node
    pub(super) node: String,
    /// The cases: a CSV file with `--state`, or JSON Lines that say their states
    #[arg(long, value_name = "FILE")]
    pub(super) cases: PathBuf,
    /// The state of a row, as a JSON object in whose texts `{column}` stands for the row's
    #[arg(long, value_name = "JSON")]
    pub(super) state: Option<String>,
    /// The column that says where a row should lead
    #[arg(
        long,
        value_name = "COLUMN",
        default_value = "expected",
        requires = "state"
    )]
    pub(super) expected: String,
    /// The column by which a row is shown and found again; by default those of `--state`
    #[arg(long, value_name = "COLUMN", requires = "state")]
    pub(super) name: Option<String>,
    /// What the labels stand for: a CSV file with the columns `label` and `node`
    #[arg(long, value_name = "FILE", requires = "state")]
    pub(super) labels: Option<PathBuf>,
    /// Compare with a report that was kept; exits with 1 if fewer are right
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    /// Keep the report in a file
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// Exit with 1 if a smaller share is right
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(super) threshold: Option<f64>,
    /// How many cases are under way at once
    #[arg(long, value_name = "CASES", default_value_t = 8)]
    pub(super) at_once: usize,
}

/// Reads a number from 0 to 1.
#[cfg(feature = "eval")]
fn share(text: &str) -> Result<f64, String> {
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "it is a number from 0 to 1".to_owned())
}

#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// The shell
    pub(super) shell: Shell,
}

impl Args {
    /// Reads the arguments. Without graphs that run, the commands that need them do not show.
    pub(super) fn read(args: &[OsString], can_run: bool) -> Result<Self, clap::Error> {
        let mut command = command(can_run);
        let matches = command.try_get_matches_from_mut(args)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

fn command(can_run: bool) -> clap::Command {
    let mut command = Args::command();
    if !can_run {
        for name in RUNNING {
            command = command.mut_subcommand(name, |command| command.hide(true));
        }
    }
    command
}

/// Prints the completions of a shell.
pub(super) fn complete(shell: Shell, can_run: bool, out: &mut Output) -> Result<(), Error> {
    let name = std::env::args_os().next();
    let name = name.as_deref().map(Path::new);
    let name = name.and_then(|name| name.file_stem()?.to_str());
    let mut script = Vec::new();
    let name = name.unwrap_or("handoffs");
    clap_complete::generate(shell, &mut command(can_run), name, &mut script);
    out.text(String::from_utf8_lossy(&script))
}
