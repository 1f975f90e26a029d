//! All questions of a file, one thread each: begun, gone on with, or only counted.

use std::path::Path;
use std::time::Instant;

use futures::stream::{self, StreamExt, TryStreamExt};
use handoffs::prelude::*;
use handoffs::{Entry, Recorded};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cases::Case;
use crate::graph::Ticket;
use crate::intents::Desk;
use crate::table::Totals;
use crate::{Error, Office};

/// Threads under way at once. Steps that end together share one write to the disk.
const AT_ONCE: usize = 32;

/// Asks all questions, and counts what the journal says became of them.
///
/// The names of the threads follow from the file, so a second call finds what a first one began. What
/// is counted is read from the journal and not from memory: the totals are the same whether one
/// process did it all, or ten that were killed.
///
/// A question at which a node fails keeps no other from its answer: it is counted as failed, and its
/// error is returned beside the totals. What is wrong with the journal is wrong with all questions,
/// and ends the whole.
pub(crate) async fn run(
    office: &Office,
    stem: &str,
    cases: Vec<Case>,
) -> Result<(Totals, Vec<RunError>), Error> {
    let started = Instant::now();
    let digits = cases.len().to_string().len().max(4);
    let bar = ProgressBar::new(cases.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} questions, {eta} left") {
        bar.set_style(style);
    }
    let mut threads = stream::iter(cases)
        .map(|case| {
            one(
                office,
                format!("{stem}-{:0digits$}", case.number),
                case.text,
            )
        })
        .buffer_unordered(AT_ONCE);
    let (mut totals, mut failed) = (Totals::new(), Vec::new());
    while let Some(Done {
        name,
        history,
        error,
    }) = threads.try_next().await?
    {
        count(&mut totals, &history, error.is_some());
        failed.extend(error.map(|error| (name, error)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    totals.wall = started.elapsed();
    // The threads ended in any order.
    failed.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok((totals, failed.into_iter().map(|(_, error)| error).collect()))
}

/// The part of the threads' names that they have from their file: `dev` for `data/dev.csv`.
pub(crate) fn stem(file: &Path) -> String {
    file.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// What became of one question.
struct Done {
    /// The name of its thread.
    name: String,
    history: Vec<Entry>,
    /// Why it has no answer, if a node failed.
    error: Option<RunError>,
}

/// Brings one question to its end, or to a person, wherever it stands; then tells how it went.
async fn one(office: &Office, name: String, question: String) -> Result<Done, Error> {
    let thread = office.thread(name.as_str());
    let ticket = Ticket::new(name.as_str(), question.as_str());
    let error = match thread.run_once(ticket).await {
        // Whether it has ended or waits, its history will tell.
        Ok(_) => None,
        Err(error) if is_of_one_node(&error) => Some(error),
        Err(error) => return Err(error.into()),
    };
    if thread.state().await?.question() != question {
        return Err(format!(
            "thread `{name}` was begun with another question; give each file a journal of its own with `--journal`"
        )
        .into());
    }
    let history = thread.history().await?;
    Ok(Done {
        name,
        history,
        error,
    })
}

/// Tells an error of a node, which other threads need not meet, from one of the journal or the graph.
fn is_of_one_node(error: &RunError) -> bool {
    matches!(
        error,
        RunError::Node { .. }
            | RunError::Panicked { .. }
            | RunError::HandoffLoop { .. }
            | RunError::Encode { .. }
    )
}

/// Adds one thread to the totals. Its question counts for the last desk that kept it, unless it failed.
fn count(totals: &mut Totals, history: &[Entry], failed: bool) {
    let mut desk = None;
    for entry in history {
        match &entry.event {
            Recorded::Stepped {
                node, to, masked, ..
            } => {
                totals.handoffs += usize::from(to.is_some());
                totals.loops_stopped += usize::from(masked.is_some());
                if let Some(at) = Desk::ALL.iter().position(|desk| desk.name() == node) {
                    desk = (to.as_deref() != Some("hand_back")).then_some(at);
                }
            }
            Recorded::Asked(_) => totals.asked_human += 1,
            _ => {}
        }
    }
    let row = match desk {
        _ if failed => Desk::ALL.len() + 1,
        Some(desk) => desk,
        None => Desk::ALL.len(),
    };
    totals.desks[row].1 += 1;
}
