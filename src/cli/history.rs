//! `history`: what happened in a thread, entry by entry.

use super::args::History;
use super::error::Error;
use super::journal::{Source, chronicle};
use super::output::{Output, Table, note};
use super::{Verdict, text};
use crate::{Approval, Effect, Entry, Recorded, Usage, Write};

pub(super) async fn run(
    args: &History,
    source: &Source<'_>,
    out: &mut Output,
) -> Result<Verdict, Error> {
    let journal = source.open().await?;
    let chronicle = chronicle(&*journal, &args.thread.as_str().into()).await?;
    let entries = chronicle.entries()?;
    let first = args
        .last
        .map_or(0, |last| entries.len().saturating_sub(last));
    let entries = &entries[first..];
    if chronicle.base().seq > 0 {
        let trimmed = text::count(chronicle.base().seq, "entry");
        note(format!("the first {trimmed} of the thread were trimmed"));
    }
    if out.is_json() {
        for entry in entries {
            out.json(entry)?;
        }
        return Ok(Verdict::Well);
    }
    let mut table = Table::new([
        "seq#", "time", "branch", "node", "what", "edge", "to", "changed", "used", "took#", "by",
    ]);
    for entry in entries {
        let Line {
            node,
            what,
            edge,
            to,
            used,
            took_ms,
        } = Line::of(entry);
        table.row([
            entry.seq.to_string(),
            text::time(entry.at_ms),
            entry.branch.to_string(),
            node.to_owned(),
            text::short(&what),
            text::short(&edge),
            to,
            changed(entry),
            used.map(text::usage).unwrap_or_default(),
            took_ms.map(text::took).unwrap_or_default(),
            entry.by.as_deref().unwrap_or_default().to_owned(),
        ]);
    }
    out.table(&table)?;
    Ok(Verdict::Well)
}

/// What a table says of an entry.
#[derive(Default)]
struct Line<'a> {
    node: &'a str,
    what: String,
    edge: String,
    to: String,
    used: Option<&'a Usage>,
    took_ms: Option<u64>,
}

impl<'a> Line<'a> {
    fn of(entry: &'a Entry) -> Self {
        match &entry.event {
            Recorded::Stepped {
                node,
                outcome,
                on,
                masked,
                to,
                fork,
                approval,
                cached,
                took_ms,
                usage,
                ..
            } => {
                let payload = outcome.payload.as_ref();
                let payload = payload
                    .map(|payload| format!(" {payload}"))
                    .unwrap_or_default();
                let cached = if *cached { " (cached)" } else { "" };
                let masked = masked
                    .map(|why| format!(", else: {why}"))
                    .unwrap_or_default();
                let to = match (fork, approval) {
                    (Some(fork), _) => branches(fork),
                    (None, Some(ask)) => format!("{}, if {} approves", name(to.as_deref()), ask.id),
                    (None, None) => name(to.as_deref()),
                };
                Self {
                    node,
                    what: format!("{}{payload}{cached}", outcome.variant),
                    edge: format!("{on}{masked}"),
                    to,
                    used: Some(usage),
                    took_ms: Some(*took_ms),
                }
            }
            Recorded::Caught {
                failure,
                on,
                usage,
                masked,
                to,
                took_ms,
                ..
            } => Self {
                node: &failure.node,
                what: format!("failed: {}", failure.error),
                edge: match masked {
                    Some(why) => format!("{on}, else: {why}"),
                    None => on.to_string(),
                },
                to: name(to.as_deref()),
                used: Some(usage),
                took_ms: Some(*took_ms),
            },
            Recorded::Attempted {
                node,
                error,
                usage,
                took_ms,
                ..
            } => Self {
                node,
                what: format!("tried again after: {error}"),
                used: Some(usage),
                took_ms: Some(*took_ms),
                ..Self::default()
            },
            Recorded::Failed {
                node,
                error,
                usage,
                took_ms,
                ..
            } => Self {
                node,
                what: format!("failed: {}", text::cause(error)),
                used: Some(usage),
                took_ms: Some(*took_ms),
                ..Self::default()
            },
            event => Self::aside(event),
        }
    }

    /// What is no visit of a node.
    fn aside(event: &'a Recorded) -> Self {
        let plain = |what: String| Self {
            what,
            ..Self::default()
        };
        match event {
            Recorded::Started { .. } => plain("started".to_owned()),
            Recorded::Joined { to, .. } => Self {
                what: "joined".to_owned(),
                to: to.to_string(),
                ..Self::default()
            },
            Recorded::Asked(ask) => Self {
                node: &ask.node,
                what: format!("asks {}", ask.question),
                ..Self::default()
            },
            Recorded::Submitted { ask, answer, .. } => plain(match answer {
                Some(answer) => format!("answer to {ask} laid down: {answer}"),
                None => format!("answer to {ask} taken back"),
            }),
            Recorded::Answered { ask, answer, .. } => plain(format!("{ask} answered: {answer}")),
            Recorded::Decided {
                ask, approval, to, ..
            } => Self {
                what: match approval {
                    Approval::Approved => format!("{ask} approved"),
                    Approval::Refused(why) => format!("{ask} refused: {why}"),
                },
                to: name(to.as_deref()),
                ..Self::default()
            },
            Recorded::Expired { ask, to, .. } => Self {
                what: format!("nobody answered {ask} in time"),
                to: to.as_deref().unwrap_or_default().to_owned(),
                ..Self::default()
            },
            Recorded::Once {
                node, key, effect, ..
            } => Self {
                node,
                what: match effect {
                    Effect::Begun => format!("once {key}: begun"),
                    Effect::Done(result) => format!("once {key}: done, {result}"),
                    Effect::Failed(error) => format!("once {key}: failed, {error}"),
                    _ => format!("once {key}"),
                },
                ..Self::default()
            },
            Recorded::Edited { why, .. } => plain(format!("edited: {why}")),
            Recorded::Abandoned { why, .. } => plain(format!("abandoned: {why}")),
            Recorded::Copied { from, head, .. } => {
                plain(format!("copied from {from}, up to entry {}", head.seq))
            }
            other => plain(kind(other)),
        }
    }
}

/// Names what happened as its JSON does: of an entry about which there is no more to say yet.
fn kind(event: &Recorded) -> String {
    let value = serde_json::to_value(event).unwrap_or_default();
    let mut kinds = value.as_object().into_iter().flat_map(|kinds| kinds.keys());
    kinds.next().cloned().unwrap_or_default()
}

fn name(to: Option<&str>) -> String {
    to.unwrap_or("end").to_owned()
}

fn branches(fork: &crate::Forked) -> String {
    let begin: Vec<&str> = fork.begin.iter().map(AsRef::as_ref).collect();
    if fork.items.is_empty() && fork.branches > 0 {
        return begin.join(" + ");
    }
    format!("{} × {}", fork.branches, begin.join(", "))
}

/// Names the fields that an entry changes; those that were only appended to with a plus.
fn changed(entry: &Entry) -> String {
    // With all of them a run begins.
    let writes = entry
        .writes()
        .filter(|_| !matches!(entry.event, Recorded::Started { .. }));
    let fields = writes.into_iter().flat_map(crate::Writes::iter);
    let fields = fields.map(|(name, write)| match write {
        Write::Append(_) => format!("{name}+"),
        _ => name.to_owned(),
    });
    fields.collect::<Vec<_>>().join(", ")
}
