//! `answer`: an answer, laid down for the program that runs the thread.

use serde_json::json;

use super::Verdict;
use super::args::Answer;
use super::error::Error;
use super::journal::Source;
use super::output::Output;
use crate::{Approval, Json, JsonError, submit};

pub(super) async fn run(
    args: &Answer,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    let answer = answer(args)?;
    let journal = source.open().await?;
    let thread = args.thread.as_str().into();
    submit(
        &*journal,
        &thread,
        args.ask,
        answer.clone(),
        args.by.as_deref(),
    )
    .await?;
    if out.is_json() {
        out.json(&json!({ "thread": thread, "ask": args.ask, "submitted": answer }))?;
    } else if answer.is_some() {
        out.line(format!(
            "laid down for question {} of `{thread}`; the next `recover` of its program goes on with it",
            args.ask
        ))?;
    } else {
        out.line(format!("question {} of `{thread}` has no answer", args.ask))?;
    }
    Ok(Verdict::Well)
}

fn answer(args: &Answer) -> Result<Option<Json>, Error> {
    let approval = match &args.refuse {
        _ if args.withdraw => return Ok(None),
        Some(reason) => Some(Approval::refused(reason)),
        None if args.approve => Some(Approval::Approved),
        None => None,
    };
    if let Some(approval) = approval {
        let kept = Json::of(&approval);
        return kept
            .map(Some)
            .map_err(|error: JsonError| Error::Broken(error.to_string()));
    }
    let text = args.json.as_deref().unwrap_or_default();
    let answer = serde_json::from_str(text).map_err(|source| Error::Json {
        what: "the answer",
        source,
    });
    answer.map(Some)
}
