//! All questions of a file, one thread each: begun, gone on with, or only counted.

use std::io::{IsTerminal, stderr};
use std::path::Path;

use handoffs::batch::Batch;
use handoffs::prelude::*;
use handoffs::{Entry, Recorded};

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
    let digits = cases.len().to_string().len().max(4);
    let name = |case: &Case| format!("{stem}-{:0digits$}", case.number);
    let batch = Batch::new(office).at_once(AT_ONCE).show_progress();
    let tickets = cases
        .iter()
        .map(|case| (name(case), Ticket::new(name(case), case.text.as_str())));
    let done = batch.run(tickets).await?;
    if stderr().is_terminal() {
        eprintln!("{}", batch.times(done.threads()).await?);
    }
    let (mut totals, mut failed) = (Totals::new(), Vec::new());
    for (case, (name, run)) in cases.iter().zip(done.runs) {
        let thread = office.thread(&name);
        if thread.state().await?.question() != case.text {
            return Err(format!(
                "thread `{name}` was begun with another question; give each file a journal of its own with `--journal`"
            )
            .into());
        }
        count(&mut totals, &thread.history().await?, run.is_err());
        failed.extend(run.err());
    }
    totals.wall = done.took;
    Ok((totals, failed))
}

/// The part of the threads' names that they have from their file: `dev` for `data/dev.csv`.
pub(crate) fn stem(file: &Path) -> String {
    file.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
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
