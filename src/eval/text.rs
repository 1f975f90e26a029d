//! Reports and comparisons as text and as Markdown.

use std::fmt::{self, Write as _};

use super::baseline::{Comparison, Moved};
use super::report::{Confusion, Judged, Report, Score};
use crate::Usage;
use crate::table::{Table, escaped, percent};

/// A report or a comparison as Markdown, for a pull request or a README.
#[derive(Clone, Copy, Debug)]
pub struct Markdown<'a, T>(pub(super) &'a T);

impl Report {
    /// Returns the report as Markdown.
    pub fn markdown(&self) -> Markdown<'_, Self> {
        Markdown(self)
    }

    /// What stands above the tables.
    fn head(&self) -> String {
        let (low, high) = self.interval();
        let (all, failed) = (self.cases.len(), self.failed());
        let mut text = format!(
            "{} of {} right, {} (95 % interval: {} to {})",
            self.right(),
            counted(all, "case"),
            percent(Some(self.accuracy())),
            percent(Some(low)),
            percent(Some(high)),
        );
        if failed > 0 {
            let _ = write!(text, "; the node failed on {}", counted(failed, "case"));
        }
        text
    }

    /// What was expected, row by row, and what came out, column by column.
    fn confusion(&self) -> Table {
        let scores = self.scores();
        let failed = self.failed() > 0;
        let columns: Vec<_> = scores
            .iter()
            .map(|score| Some(score.target.as_str()))
            .collect();
        let columns = columns.into_iter().chain(failed.then_some(None));
        let columns: Vec<_> = columns.collect();
        let heads = columns.iter().map(|target| target.unwrap_or("failed"));
        let mut table = Table::new(["expected \\ got"].into_iter().chain(heads));
        for row in scores.iter().filter(|score| score.expected > 0) {
            let cell = |got: Option<&str>| {
                let is = |case: &&Judged| case.expected == row.target && case.got.as_deref() == got;
                match self.cases.iter().filter(is).count() {
                    0 => "·".to_owned(),
                    count => count.to_string(),
                }
            };
            let cells = columns.iter().copied().map(cell);
            table.row([row.target.clone()].into_iter().chain(cells));
        }
        table
    }

    fn targets(&self) -> Table {
        let mut table = Table::new(["target", "cases", "precision", "recall", "F1"]);
        for score in self.scores() {
            let Score {
                target,
                expected,
                precision,
                recall,
                f1,
                ..
            } = score;
            let [precision, recall, f1] = [precision, recall, f1].map(percent);
            table.row([target, expected.to_string(), precision, recall, f1]);
        }
        table
    }

    /// Says which targets no case can have come to, and what was used.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for target in self.unreachable() {
            notes.push(format!("no edge of `{}` leads to `{target}`", self.node));
        }
        if self.usage != Usage::default() {
            let Usage {
                calls,
                input_tokens,
                output_tokens,
                ..
            } = self.usage;
            notes.push(format!(
                "used: {}, {input_tokens} tokens read, {output_tokens} written",
                counted(usize::try_from(calls).unwrap_or(usize::MAX), "call")
            ));
        }
        notes
    }
}

impl Confusion<'_> {
    fn head(&self) -> String {
        let times = counted(self.cases.len(), "case");
        match self.got {
            Some(got) => format!("{} taken for {got}, {times}", self.expected),
            None => format!("{}, where the node failed, {times}", self.expected),
        }
    }
}

impl Judged {
    /// The case on a line: `line 12: where is my card`.
    fn line(&self) -> String {
        named(self.line, self.number, &self.name)
    }
}

fn named(line: Option<u64>, number: u64, name: &str) -> String {
    let at = line.map_or_else(|| format!("case {number}"), |line| format!("line {line}"));
    if name.is_empty() {
        at
    } else {
        format!("{at}: {}", short(name))
    }
}

/// The beginning of a text, on one line.
fn short(text: &str) -> String {
    const MOST: usize = 90;
    let words: Vec<_> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, node `{}`: {}", self.graph, self.node, self.head())?;
        write!(
            f,
            "\n{}\n{}",
            self.confusion().text(),
            self.targets().text()
        )?;
        for confusion in self.confusions() {
            writeln!(f, "\n{}", confusion.head())?;
            for case in confusion.cases.iter().take(self.examples) {
                writeln!(f, "  {}", case.line())?;
                if let Some(error) = &case.error {
                    writeln!(f, "    {}", short(error))?;
                }
            }
        }
        for (place, note) in self.notes().iter().enumerate() {
            writeln!(f, "{}{note}", if place == 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Markdown<'_, Report> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        writeln!(
            f,
            "**{}, node `{}`**: {}\n",
            escaped(&report.graph),
            report.node,
            report.head()
        )?;
        let (confusion, targets) = (report.confusion(), report.targets());
        write!(f, "{}\n{}", confusion.markdown(), targets.markdown())?;
        for confusion in report.confusions() {
            writeln!(f, "\n{}:\n", escaped(&confusion.head()))?;
            for case in confusion.cases.iter().take(report.examples) {
                let error = case.error.as_ref();
                let error = error.map_or_else(String::new, |error| format!(" ({})", short(error)));
                writeln!(f, "- {}", escaped(&(case.line() + &error)))?;
            }
        }
        for note in report.notes() {
            writeln!(f, "\n{note}")?;
        }
        Ok(())
    }
}

impl Comparison {
    /// Returns the comparison as Markdown.
    pub fn markdown(&self) -> Markdown<'_, Self> {
        Markdown(self)
    }

    fn head(&self) -> String {
        let mut text = format!(
            "{} better, {} worse, {} wrong in another way: {} to {} of {} right",
            self.better.len(),
            self.worse.len(),
            self.otherwise.len(),
            self.before,
            self.after,
            counted(self.common, "common case"),
        );
        for (count, what) in [(self.new, "new"), (self.gone, "gone")] {
            if count > 0 {
                let _ = write!(text, "; {count} {what}");
            }
        }
        text
    }

    fn recalls(&self) -> Table {
        let mut table = Table::new(["target", "cases", "right before", "right now", "change"]);
        for sum in &self.targets {
            let (before, after) = (sum.before, sum.after);
            let change = match after.cmp(&before) {
                std::cmp::Ordering::Equal => "·".to_owned(),
                std::cmp::Ordering::Greater => format!("+{}", after - before),
                std::cmp::Ordering::Less => format!("-{}", before - after),
            };
            table.row([
                sum.target.clone(),
                sum.cases.to_string(),
                before.to_string(),
                after.to_string(),
                change,
            ]);
        }
        table
    }

    fn lists(&self) -> [(&'static str, &[Moved]); 3] {
        [
            ("worse", &self.worse),
            ("better", &self.better),
            ("wrong in another way", &self.otherwise),
        ]
    }
}

impl Moved {
    fn head(&self) -> String {
        let to = |got: &Option<String>| got.clone().unwrap_or_else(|| "failed".to_owned());
        format!("{} -> {}", to(&self.before), to(&self.after))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "compared with the baseline: {}", self.head())?;
        write!(f, "\n{}", self.recalls().text())?;
        for (what, cases) in self.lists() {
            if !cases.is_empty() {
                writeln!(f, "\n{what}:")?;
            }
            for case in cases {
                let line = named(case.line, case.number, &case.name);
                writeln!(f, "  {}, expected {}: {line}", case.head(), case.expected)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Markdown<'_, Comparison> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comparison = self.0;
        writeln!(f, "**Compared with the baseline**: {}\n", comparison.head())?;
        write!(f, "{}", comparison.recalls().markdown())?;
        for (what, cases) in comparison.lists() {
            if cases.is_empty() {
                continue;
            }
            writeln!(f, "\n{}:\n", first_large(what))?;
            for case in cases {
                let line = named(case.line, case.number, &case.name);
                let moved = format!("{}, expected {}: {line}", case.head(), case.expected);
                writeln!(f, "- {}", escaped(&moved))?;
            }
        }
        Ok(())
    }
}

fn first_large(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + rest
}
