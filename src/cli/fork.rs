//! `fork`: a thread, or the beginning of it, under a new name.

use serde_json::json;

use super::Verdict;
use super::args::Fork;
use super::error::Error;
use super::journal::{Source, chronicle};
use super::output::Output;
use crate::ThreadId;

pub(super) async fn run(
    args: &Fork,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    let journal = source.open().await?;
    let new = ThreadId::from(&args.new);
    let mut chronicle = chronicle(&*journal, &args.thread.as_str().into()).await?;
    if let Some(seq) = args.at {
        chronicle = chronicle.until(seq)?;
    }
    let from = chronicle.len();
    let head = chronicle.copy_to(&*journal, &new).await?;
    if out.is_json() {
        out.json(
            &json!({ "thread": new, "from": args.thread, "at": from, "head": head.to_string() }),
        )?;
    } else {
        out.line(format!(
            "`{new}` stands where `{}` stood after entry {from}",
            args.thread
        ))?;
    }
    Ok(Verdict::Well)
}
