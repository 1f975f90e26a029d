//! A review in words: for a terminal, and for a pull request.

use std::fmt;

use super::Diff;
use super::change::{Change, EdgeName, Effect};
use crate::authority::Grant;
use crate::route::Target;
use crate::topology::NodeKind;

/// Each line begins with `+` or `-` for what is new or gone, `!` for what loosens the graph, and `~` for
/// all else.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.name, Summary(self))?;
        for change in &self.changes {
            let mark = match (change.effect(), change) {
                (Effect::Loosens, _) => '!',
                (_, Change::NodeAdded { .. } | Change::EdgeAdded { .. }) => '+',
                (_, Change::NodeRemoved { .. } | Change::EdgeRemoved { .. }) => '-',
                _ => '~',
            };
            writeln!(f, "{mark} {change}")?;
        }
        Ok(())
    }
}

/// A difference in Markdown, written by its `Display`; [`Diff::markdown`] returns it.
#[derive(Clone, Copy, Debug)]
pub struct Markdown<'a>(pub(super) &'a Diff);

impl fmt::Display for Markdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let diff = self.0;
        writeln!(f, "### {}\n\n{}.", Plain(&diff.name), Summary(diff))?;
        let parts = [
            (Effect::Loosens, "Loosens"),
            (Effect::Alters, "Alters"),
            (Effect::Tightens, "Tightens"),
        ];
        for (effect, title) in parts {
            let own = diff
                .changes
                .iter()
                .filter(|change| change.effect() == effect);
            for (place, change) in own.enumerate() {
                if place == 0 {
                    writeln!(f, "\n**{title}**\n")?;
                }
                writeln!(f, "- {}", Plain(&change.to_string()))?;
            }
        }
        Ok(())
    }
}

/// How many changes there are.
struct Summary<'a>(&'a Diff);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = &self.0.changes;
        let loose = changes
            .iter()
            .filter(|change| change.effect() == Effect::Loosens)
            .count();
        match changes.len() {
            0 => f.write_str("no change"),
            1 if loose == 1 => f.write_str("1 change, which loosens it"),
            1 => f.write_str("1 change"),
            count if loose == 0 => write!(f, "{count} changes"),
            count if loose == 1 => write!(f, "{count} changes, 1 of which loosens it"),
            count => write!(f, "{count} changes, {loose} of which loosen it"),
        }
    }
}

/// A text without what Markdown would read as its own, but for code in backticks.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, part) in self.0.split('`').enumerate() {
            if place % 2 == 1 {
                write!(f, "`{part}`")?;
                continue;
            }
            for letter in part.chars() {
                if matches!(
                    letter,
                    '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '&'
                ) {
                    f.write_str("\\")?;
                }
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for EdgeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = self.label.replace('`', "'");
        write!(f, "{} -> {} on `{label}`", self.from, self.to)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodeAdded { node } => write!(f, "node {node} is new"),
            Self::NodeRemoved { node, is_human } => {
                let person = if *is_human {
                    ", where a person worked,"
                } else {
                    ""
                };
                write!(f, "node {node}{person} is gone")
            }
            Self::KindChanged {
                node,
                before,
                after,
            } => write!(f, "node {node}: {}, was {}", kind(*after), kind(*before)),
            Self::StartMoved { before, after } => {
                write!(
                    f,
                    "start: {}, was {}",
                    or_none(after.as_deref()),
                    or_none(before.as_deref())
                )
            }
            Self::EdgeAdded { edge } => write!(f, "{edge} is new"),
            Self::EdgeRemoved { edge } => write!(f, "{edge} is gone"),
            Self::Retargeted {
                edge,
                before,
                leaves_human,
            } => {
                let person = if *leaves_human { ", a person" } else { "" };
                write!(f, "{edge}: led to {before}{person}")
            }
            Self::ElseChanged {
                edge,
                before,
                after,
                leaves_human,
            } => {
                let to = |to: &Option<Target<String>>| to.as_ref().map(ToString::to_string);
                let person = if *leaves_human { ", a person" } else { "" };
                let (after, before) = (to(after), to(before));
                write!(
                    f,
                    "{edge}: else {}, was {}{person}",
                    or_none(after.as_deref()),
                    or_none(before.as_deref())
                )
            }
            Self::LimitChanged {
                edge,
                before,
                after,
            } => write!(f, "{edge}: {}", Bound(*after, *before, "time")),
            Self::ConcurrencyChanged {
                edge,
                before,
                after,
            } => write!(f, "{edge}, at a time: {}", Bound(*after, *before, "branch")),
            Self::GuardChanged {
                edge,
                before,
                after,
            } => write!(
                f,
                "{edge}: guard {}, was {}",
                code(after.as_deref()),
                code(before.as_deref())
            ),
            Self::ApprovalChanged {
                edge,
                before,
                after,
            } => write!(
                f,
                "{edge}: approve {}, was {}",
                code(after.as_deref()),
                code(before.as_deref())
            ),
            Self::MayChanged { .. } | Self::GrantChanged { .. } | Self::AuthorityChanged { .. } => {
                self.write_authority(f)
            }
            Self::PatternChanged { edge, before } => {
                write!(f, "{edge}: was on `{}`", before.replace('`', "'"))
            }
            Self::Reordered { node } => write!(f, "edges of {node} are tried in another order"),
            Self::LoopAdded { .. }
            | Self::LoopRemoved { .. }
            | Self::LoopChanged { .. }
            | Self::BoundChanged { .. } => self.write_bound(f),
        }
    }
}

impl Change {
    /// Writes what is said of who may do what.
    fn write_authority(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MayChanged {
                node,
                before,
                after,
            } => write!(f, "node {node}: `{after}`, was `{before}`"),
            Self::GrantChanged {
                edge,
                before,
                after,
            } => {
                let grant = |grant: &Option<Grant>| grant.as_ref().map(ToString::to_string);
                let (after, before) = (grant(after), grant(before));
                write!(
                    f,
                    "{edge}: {}, was {}",
                    code(after.as_deref()),
                    code(before.as_deref())
                )
            }
            Self::AuthorityChanged { graph, now } => {
                let graph = within(graph);
                let now = if *now {
                    "only what they are granted now"
                } else {
                    "anything: there are no scopes now"
                };
                write!(f, "nodes{graph} may do {now}")
            }
            _ => Ok(()),
        }
    }

    /// Writes what is said of loops and bounds.
    fn write_bound(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoopAdded { graph, nodes, laps } => {
                write!(
                    f,
                    "loop of {}{} is new: {}",
                    list(nodes),
                    within(graph),
                    most(*laps, "lap")
                )
            }
            Self::LoopRemoved { graph, nodes } => {
                write!(f, "loop of {}{} is gone", list(nodes), within(graph))
            }
            Self::LoopChanged {
                graph,
                nodes,
                joined,
                before,
                after,
            } => {
                write!(f, "loop of {}{}: ", list(nodes), within(graph))?;
                if !joined.is_empty() {
                    write!(f, "with {} now, ", list(joined))?;
                }
                if before == after {
                    write!(f, "{} as before", most(*after, "lap"))
                } else {
                    write!(f, "{}", Bound(*after, *before, "lap"))
                }
            }
            Self::BoundChanged {
                graph,
                before,
                after,
            } => write!(
                f,
                "a run{}: {}",
                within(graph),
                Bound(*after, *before, "handoff")
            ),
            _ => Ok(()),
        }
    }
}

/// A bound, and what it was.
struct Bound<T>(Option<T>, Option<T>, &'static str);

impl<T: Copy + Into<u64>> fmt::Display for Bound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(after, before, unit) = self;
        let before = before.map_or("without a bound".to_owned(), |before| {
            before.into().to_string()
        });
        write!(f, "{}, was {before}", most(after.map(Into::into), unit))
    }
}

fn most(bound: Option<u64>, unit: &str) -> String {
    match bound {
        None => "no bound".to_owned(),
        Some(1) => format!("at most 1 {unit}"),
        Some(bound) if unit == "branch" => format!("at most {bound} branches"),
        Some(bound) => format!("at most {bound} {unit}s"),
    }
}

fn kind(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Task => "a program",
        NodeKind::Human => "a person",
        NodeKind::Graph => "a graph",
    }
}

fn or_none(name: Option<&str>) -> &str {
    name.unwrap_or("none")
}

fn list(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let mut shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    if names.len() > SHOWN {
        shown.push(format!("{} more", names.len() - SHOWN));
    }
    shown.join(", ")
}

fn within(graph: &str) -> String {
    match graph {
        "" => String::new(),
        _ => format!(" within {graph}"),
    }
}

fn code(text: Option<&str>) -> String {
    text.map_or("none".to_owned(), |text| format!("`{text}`"))
}
