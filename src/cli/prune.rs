//! `prune`: the threads that are over, and are not to be kept.

use std::time::SystemTime;

use serde_json::json;

use super::args::Prune;
use super::error::Error;
use super::journal::Source;
use super::output::{Output, note};
use super::{Verdict, text};
use crate::Retention;

pub(super) async fn run(
    args: &Prune,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    let journal = source.open().await?;
    let mut retention = Retention::new();
    if let Some(threads) = args.keep_last {
        retention = retention.keep_last(threads);
    }
    if let Some(age) = args.older_than {
        retention = retention.older_than(age);
    }
    let now = SystemTime::now();
    let threads = if args.yes {
        retention.apply(&*journal, now).await?
    } else {
        retention.preview(&*journal, now).await?
    };
    for thread in &threads {
        if out.is_json() {
            out.json(&json!({ "thread": thread, "removed": args.yes }))?;
        } else {
            out.line(thread.as_str())?;
        }
    }
    let count = text::count(threads.len() as u64, "thread");
    if args.yes {
        note(format!("{count} removed"));
    } else {
        note(format!("{count} to be removed; nothing was, without --yes"));
    }
    Ok(Verdict::Well)
}
