//! What a journal tells, for people to read.

use std::fmt::Write as _;

use handoffs::{AgentGraph, Conclusion, Entry, Recorded, Write};
use serde_json::Value;

use crate::graph::SupportDesk;

/// A value is cut off after so many letters.
const WIDEST: usize = 100;

/// The way that the last run of a thread took: each node, what it concluded, and the edge it chose.
pub(crate) fn path(history: &[Entry]) -> String {
    let is_start = |entry: &Entry| matches!(entry.event, Recorded::Started { .. });
    let last_run = history.iter().rposition(is_start).unwrap_or(0);
    let mut page = String::new();
    for entry in &history[last_run..] {
        match &entry.event {
            Recorded::Stepped {
                node,
                outcome,
                edge,
                on,
                masked,
                to,
                ..
            } => {
                let _ = writeln!(page, "{node:<10} {}", conclusion(outcome));
                let to = to.as_deref().unwrap_or("end");
                let edges = SupportDesk::edges();
                let route = edges.get(usize::from(*edge));
                let route = route.map_or(to.to_owned(), |edge| edge.route.to_string());
                let _ = writeln!(page, "           {on} => {route}");
                if let Some(why) = masked {
                    let _ = writeln!(page, "           on to {to}, as {why}");
                }
            }
            Recorded::Asked(ask) => {
                let _ = writeln!(page, "{:<10} asks, and waits", ask.node);
            }
            Recorded::Answered { answer, .. } => {
                let _ = writeln!(page, "           is answered {}", short(answer.as_str()));
            }
            Recorded::Failed { node, error, .. } => {
                let _ = writeln!(page, "{node:<10} failed: {error}");
            }
            _ => {}
        }
    }
    page
}

/// All that happened in a thread, entry by entry, with what each changed.
pub(crate) fn history(thread: &str, entries: &[Entry]) -> String {
    let mut page = String::new();
    let graph = entries.first().map(|entry| entry.graph.to_string());
    let _ = writeln!(page, "thread {thread}, graph {}", graph.unwrap_or_default());
    for entry in entries {
        let _ = write!(page, "\n{:>4}  ", entry.seq);
        match &entry.event {
            Recorded::Started { writes, .. } => {
                page += "the run began\n";
                changes(&mut page, writes.iter());
            }
            Recorded::Stepped {
                node,
                outcome,
                on,
                masked,
                to,
                writes,
                ..
            } => {
                let to = to.as_deref().unwrap_or("end");
                let _ = writeln!(page, "{node} concluded {}", conclusion(outcome));
                let _ = writeln!(page, "      {on} => {to}");
                if let Some(why) = masked {
                    let _ = writeln!(page, "      not where the edge leads first, as {why}");
                }
                changes(&mut page, writes.iter());
            }
            Recorded::Asked(ask) => {
                let _ = writeln!(page, "{} asked, as question {}", ask.node, ask.id);
                let _ = writeln!(page, "      {}", short(ask.question.as_str()));
            }
            Recorded::Answered { ask, answer, .. } => {
                let _ = writeln!(page, "question {ask} was answered");
                let _ = writeln!(page, "      {}", short(answer.as_str()));
            }
            Recorded::Failed { node, error, .. } => {
                let _ = writeln!(page, "{node} failed: {error}");
            }
            _ => page += "something that this version has no words for\n",
        }
    }
    page
}

fn changes<'a>(page: &mut String, writes: impl Iterator<Item = (&'a str, &'a Write)>) {
    for (field, write) in writes {
        let _ = match write {
            Write::Set(value) => writeln!(page, "      {field} = {}", short(value.as_str())),
            Write::Append(items) => writeln!(page, "      {field} + {}", short(items.as_str())),
            _ => writeln!(page, "      {field} changed"),
        };
    }
}

/// An outcome as one would write it: `Charges { sure: 99, because: "twice" }`.
fn conclusion(outcome: &Conclusion) -> String {
    // A node with one way on concludes `()`.
    let variant = if outcome.variant == "()" {
        "done"
    } else {
        &*outcome.variant
    };
    let payload = outcome.payload.as_ref().map(handoffs::Json::to);
    match payload {
        Some(Ok(Value::Object(fields))) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name}: {value}"))
                .collect();
            format!("{variant} {{ {} }}", fields.join(", "))
        }
        Some(Ok(other)) => format!("{variant}({other})"),
        _ => variant.to_owned(),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(WIDEST) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text.to_owned(),
    }
}
