//! A bank's support desk, run on real questions.
//!
//! What it teaches, in the order in which to read it:
//!
//! - `graph.rs`: a state, typed outcomes, nodes whose signatures are contracts, and a graph that is
//!   checked while it compiles. Its tests show how edges and nodes are tested without a runtime.
//! - `main.rs`, here: a runtime with a journal, a run, a person's answer days later, and errors.
//! - `batch.rs`: many threads at once, going on where a crash cut them off.
//! - `show.rs`: what a journal tells afterwards.
//! - `evaluate.rs`: how often triage finds the right desk, on questions that people have labelled.
//!
//! The rest is the bank's own business and knows nothing of the framework: a small classifier learned
//! from `train.csv` (`classify.rs`, `train.rs`, `model.tsv`), accounts (`bank.rs`), and what the desks
//! answer (`desks.rs`). No network, no key, no server:
//!
//! ```text
//! cargo run --example support_desk -- "my card was charged twice"
//! cargo run --example support_desk -- --file ../shared/data/banking77/dev.csv
//! cargo run --example support_desk -- inbox
//! cargo run --example support_desk -- answer dev-0042 "It is on its way."
//! cargo run --example support_desk -- history dev-0042
//! cargo run --example support_desk -- dot | dot -Tsvg > desk.svg
//! cargo run --example support_desk -- eval --file ../shared/data/banking77/dev.csv
//! ```
//!
//! Kill the second one whenever you like, and start it again: it goes on where it was, and ends with
//! the same table. Then break the graph, and see what `cargo check --example support_desk` says:
//!
//! - `_ => triage` in `hand_back`, without the limit: a handoff loop without a bound;
//! - `start = triage`: nothing finds the account that the desks need;
//! - take an arm away, or misspell a node.

mod args;
mod bank;
mod batch;
mod cases;
mod classify;
mod desks;
mod evaluate;
mod graph;
mod intents;
mod show;
mod table;
mod train;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use handoffs::Recorded;
use handoffs::prelude::*;

use args::Command;
use graph::{Answer, Question, SupportDesk, Ticket};

/// The desk together with the journal that its runs are written to.
type Office = Runtime<SupportDesk, Sqlite>;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Customers write under this id if none is named.
const CUSTOMER: &str = "customer-42";

#[tokio::main]
async fn main() -> ExitCode {
    let command = match args::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(wrong) => {
            complain(&*wrong);
            complain_with(args::USAGE);
            return ExitCode::from(2);
        }
    };
    let Page { text, failed } = match obey(command).await {
        Ok(page) => page,
        Err(error) => {
            complain(&*error);
            return ExitCode::FAILURE;
        }
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever reads may have had enough, as `head` has after ten lines.
        Err(closed) if closed.kind() != std::io::ErrorKind::BrokenPipe => {
            complain(&closed);
            return ExitCode::FAILURE;
        }
        _ => {}
    }
    for error in &failed {
        complain(error);
    }
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What there is to read.
struct Page {
    text: String,
    /// Why some questions of a file have no answer. They are told last, behind all that went well.
    failed: Vec<RunError>,
}

/// Does what is asked, and returns what there is to read.
async fn obey(command: Command) -> Result<Page, Error> {
    let text = match command {
        Command::Help => args::USAGE.to_owned(),
        Command::Ask {
            question,
            customer,
            thread,
            journal,
        } => {
            let customer = customer.as_deref().unwrap_or(CUSTOMER);
            let thread = thread.unwrap_or_else(|| fresh_name(&question));
            ask(&journal, &thread, customer, &question).await?
        }
        Command::File { file, journal } => {
            let cases = cases::load(&file)?;
            let office = open(&journal).await?;
            let (totals, failed) = batch::run(&office, &batch::stem(&file), cases).await?;
            let text = table::render(&totals);
            return Ok(Page { text, failed });
        }
        Command::Answer {
            thread,
            answer,
            journal,
        } => reply(&journal, &thread, answer).await?,
        Command::History { thread, journal } => {
            let entries = open_existing(&journal)
                .await?
                .thread(thread.as_str())
                .history()
                .await?;
            match entries.as_slice() {
                [] => return Err(unknown(&thread, &journal)),
                entries => show::history(&thread, entries),
            }
        }
        Command::Inbox { journal } => inbox(&journal).await?,
        Command::Dot => <SupportDesk as handoffs::AgentGraph>::topology()
            .dot()
            .to_string(),
        Command::Eval { file } => {
            let report = evaluate::file(&SupportDesk::open()?, &file).await?;
            report.markdown().to_string()
        }
        Command::Train { file } => learn(&file).await?,
    };
    let failed = Vec::new();
    Ok(Page { text, failed })
}

/// Opens the desk, and the journal; if there is none yet, an empty one.
async fn open(journal: &Path) -> Result<Office, Error> {
    Ok(Runtime::new(SupportDesk::open()?).journal(Sqlite::open(journal).await?))
}

/// Opens the desk with a journal that is expected to be there.
async fn open_existing(journal: &Path) -> Result<Office, Error> {
    if !journal.exists() {
        let there = journal.display();
        return Err(format!(
            "there is no journal `{there}`; ask a question first, or name another one with `--journal`"
        )
        .into());
    }
    open(journal).await
}

/// Asks a question in a thread of its own, or goes on with a conversation.
///
/// To ask the same question again is safe, however the first time ended: it is the same run, and what
/// it has paid, it does not pay again. A run that failed is tried again at the step that failed, under
/// the same idempotency key. Beginning another run in its place would book under another key.
async fn ask(journal: &Path, name: &str, customer: &str, text: &str) -> Result<String, Error> {
    let office = open(journal).await?;
    let thread = office.thread(name);
    let status = thread.status().await?;
    let ended = if let Status::New = status {
        thread.run_once(Ticket::new(customer, text)).await?
    } else {
        let ticket = thread.state().await?;
        match status {
            _ if ticket.question() == text => thread.recover().await?,
            Status::Failed { node, .. } | Status::Unfinished(node) => {
                let open = ticket.question();
                return Err(format!(
                    "thread `{name}` has a question before this one, and its run came only as far as `{node}`; \
                     ask `{open}` again to go on with it, or take another thread"
                )
                .into());
            }
            // A thread that waits for a person refuses a new run, and says so.
            _ => thread.run(ticket.ask_again(text)).await?,
        }
    };
    let mut page = show::path(&thread.history().await?);
    page.push('\n');
    page += &outcome(name, ended)?;
    let _ = writeln!(page, "\njournal  {}, thread {name}", journal.display());
    Ok(page)
}

/// What a run came to: the answer, or the question that it waits for.
fn outcome(thread: &str, run: Run<Ticket>) -> Result<String, Error> {
    match run {
        Run::Finished(ticket) => Ok(format!("{}\n", ticket.answer().unwrap_or("(no answer)"))),
        Run::Paused(ask) => {
            let Question { decide, .. } = ask.question.to()?;
            Ok(format!(
                "A colleague is asked:  {decide}\nAnswer with:           answer {thread} \"…\"\n"
            ))
        }
    }
}

/// Answers the question that a thread waits for.
async fn reply(journal: &Path, name: &str, answer: String) -> Result<String, Error> {
    let office = open_existing(journal).await?;
    let thread = office.thread(name);
    let ask = match thread.status().await? {
        Status::Paused(ask) => ask.id,
        Status::New => return Err(unknown(name, journal)),
        _ => {
            // The runtime itself knows best why a question is not open any more.
            let asked =
                thread
                    .history()
                    .await?
                    .into_iter()
                    .rev()
                    .find_map(|entry| match entry.event {
                        Recorded::Asked(ask) => Some(ask.id),
                        _ => None,
                    });
            asked.ok_or_else(|| format!("thread `{name}` has not asked anything"))?
        }
    };
    let ended = thread.resume(ask, Answer(answer)).await?;
    Ok(show::path(&thread.history().await?) + "\n" + &outcome(name, ended)?)
}

/// Lists the threads that wait for a person.
async fn inbox(journal: &Path) -> Result<String, Error> {
    let office = open_existing(journal).await?;
    let mut page = String::new();
    for name in office.threads().await? {
        if let Status::Paused(ask) = office.thread(name.as_str()).status().await? {
            let Question { asked, decide, .. } = ask.question.to()?;
            let _ = writeln!(page, "{name}\n  {asked}\n  {decide}\n");
        }
    }
    if page.is_empty() {
        page += "Nobody waits for an answer.\n";
    }
    Ok(page)
}

/// Learns the model of triage anew.
async fn learn(file: &Path) -> Result<String, Error> {
    const MODEL: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/support_desk/model.tsv"
    );
    let cases = cases::load(file)?;
    let (learned, held_back) = train::hold_back(&cases);
    let trial = classify::Classifier::parse(&train::train(&learned)?)?;
    let report = evaluate::questions(&SupportDesk::with(trial), &held_back).await?;
    let text = train::train(&cases)?;
    std::fs::write(MODEL, &text).map_err(|error| format!("cannot write `{MODEL}`: {error}"))?;
    let (bytes, all) = (text.len(), cases.len());
    Ok(format!(
        "A model of four fifths, asked the fifth held back:\n\n{report}\n\
         {MODEL}: {bytes} bytes, from all {all} questions\n"
    ))
}

/// A thread's name made of a question and the time: `my-card-was-charged-1763719200123`.
fn fresh_name(question: &str) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut words = classify::words(question);
    words.truncate(4);
    words.push(now.as_millis().to_string());
    words.join("-")
}

fn unknown(thread: &str, journal: &Path) -> Error {
    let there = journal.display();
    format!("no thread in `{there}` is named `{thread}`").into()
}

/// Says what went wrong, and what caused it.
fn complain(error: &(dyn std::error::Error + 'static)) {
    let mut text = format!("error: {error}\n");
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = writeln!(text, "  because: {error}");
        cause = error.source();
    }
    complain_with(&text);
}

fn complain_with(text: &str) {
    // Where not even an error can be written, there is nobody to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
