//! `audit`: whether threads are what was written, for whoever has to prove it.

use futures_util::StreamExt;
use serde_json::json;

use super::args::{Audit, Export, Verify};
use super::error::Error;
use super::journal::{Source, chronicle, chronicles, reason};
use super::output::{Output, Table, note};
use super::{Verdict, text};

pub(super) async fn run(
    args: &Audit,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    match args {
        Audit::Verify(args) => verify(args, source, out).await,
        Audit::Export(args) => export(args, source, out).await,
    }
}

async fn verify(args: &Verify, source: &Source<'_>, out: &mut Output) -> Result<Verdict, Error> {
    let journal = source.open().await?;
    let named: Vec<String> = args.thread.iter().cloned().collect();
    let mut threads = chronicles(&*journal, &named).await?;
    let mut table = Table::new(["thread", "entries#", "trimmed#", "head", "damage"]);
    let mut damaged = false;
    while let Some((thread, chronicle)) = threads.next().await {
        let verified = chronicle.and_then(|chronicle| {
            let head = chronicle.verify(args.head)?;
            Ok((head, chronicle.base().seq))
        });
        match verified {
            Ok((head, trimmed)) if out.is_json() => {
                out.json(
                    &json!({ "thread": thread, "head": head.to_string(), "trimmed": trimmed }),
                )?;
            }
            Ok((head, trimmed)) => {
                let trimmed = if trimmed > 0 {
                    trimmed.to_string()
                } else {
                    String::new()
                };
                let none = String::new();
                table.row([
                    thread.to_string(),
                    head.seq.to_string(),
                    trimmed,
                    head.to_string(),
                    none,
                ]);
            }
            Err(error) => {
                damaged = true;
                let why = reason(error)?;
                if out.is_json() {
                    out.json(&json!({ "thread": thread, "damage": why }))?;
                } else {
                    let none = String::new;
                    table.row([thread.to_string(), none(), none(), none(), why]);
                }
            }
        }
    }
    if !out.is_json() {
        if table.is_empty() {
            note("no threads");
        } else {
            out.table(&table)?;
        }
    }
    Ok(Verdict::failed_if(damaged))
}

async fn export(args: &Export, source: &Source<'_>, out: &mut Output) -> Result<Verdict, Error> {
    let journal = source.open().await?;
    let chronicle = chronicle(&*journal, &args.thread.as_str().into()).await?;
    let export = chronicle.export()?;
    export.write_to(&mut *out)?;
    if export.base().seq > 0 {
        let gone = text::count(export.base().seq, "entry");
        note(format!(
            "the first {gone} were trimmed; the export follows {}",
            export.base()
        ));
    }
    note(format!(
        "keep this apart from the export: {}",
        export.head()
    ));
    Ok(Verdict::Well)
}
