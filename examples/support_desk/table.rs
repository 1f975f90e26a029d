//! The closing report: a table that lines up, and four numbers below it.

use std::{fmt::Write, time::Duration};

use crate::intents::Desk;

/// What a whole file of questions came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    /// Where the questions ended and how many, in the order of the table.
    pub(crate) desks: Vec<(String, usize)>,
    /// How often one node handed over to another.
    pub(crate) handoffs: usize,
    /// How often a limit turned a handoff aside.
    pub(crate) loops_stopped: usize,
    /// How often a person was asked.
    pub(crate) asked_human: usize,
    /// How long it took.
    pub(crate) wall: Duration,
}

impl Totals {
    /// Counts nothing yet: a line for each desk, one for the questions that no desk kept, and one for
    /// those at which a node failed.
    pub(crate) fn new() -> Self {
        let desks = Desk::ALL.iter().map(|desk| desk.name());
        Self {
            desks: desks
                .chain(["human", "failed"])
                .map(|name| (name.to_owned(), 0))
                .collect(),
            ..Self::default()
        }
    }
}

/// Lays the report out, one line a desk. The wall time stands last, as all above it is the same on every run.
pub(crate) fn render(totals: &Totals) -> String {
    let questions: usize = totals.desks.iter().map(|(_, count)| count).sum();
    let rows: Vec<[String; 3]> = totals
        .desks
        .iter()
        .map(|(desk, count)| [desk.clone(), grouped(*count), share(*count, questions)])
        .chain([[
            "all".into(),
            grouped(questions),
            share(questions, questions),
        ]])
        .collect();
    let header = ["desk", "questions", "share"].map(String::from);
    let widths = [0, 1, 2].map(|at| {
        rows.iter()
            .chain([&header])
            .map(|row| row[at].chars().count())
            .max()
            .unwrap_or(0)
    });
    let rule = "─".repeat(widths.iter().sum::<usize>() + 4);

    let mut text = String::new();
    let mut line = |[desk, count, share]: &[String; 3]| {
        let [first, second, third] = widths;
        let _ = writeln!(text, "{desk:<first$}  {count:>second$}  {share:>third$}");
    };
    line(&header);
    rows.iter().for_each(&mut line);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(1, &rule);
    lines.insert(lines.len() - 1, &rule);

    let facts = [
        ("handoffs", grouped(totals.handoffs)),
        ("loops stopped", grouped(totals.loops_stopped)),
        ("asked a human", grouped(totals.asked_human)),
        ("wall time", seconds(totals.wall)),
    ];
    let label = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let value = facts
        .iter()
        .map(|(_, value)| value.len())
        .max()
        .unwrap_or(0);
    let facts = facts.map(|(name, number)| format!("{name:<label$}  {number:>value$}\n"));
    format!("{}\n\n{}", lines.join("\n"), facts.concat())
}

/// A number with a comma after each thousand.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn share(part: usize, all: usize) -> String {
    let tenths = (part * 1_000 + all / 2).checked_div(all).unwrap_or(0);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn seconds(wall: Duration) -> String {
    match wall.as_secs() {
        0..60 => format!("{:.1} s", wall.as_secs_f64()),
        whole => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_the_last_row_adds_up() {
        let totals = Totals {
            desks: [
                ("cards", 498),
                ("transfers", 400),
                ("charges", 1_442),
                ("access", 0),
            ]
            .map(|(desk, count)| (desk.to_owned(), count))
            .into(),
            handoffs: 3_117,
            loops_stopped: 4,
            asked_human: 97,
            wall: Duration::from_millis(2_340),
        };
        let expected = "\
desk       questions    share
─────────────────────────────
cards            498   21.3 %
transfers        400   17.1 %
charges        1,442   61.6 %
access             0    0.0 %
─────────────────────────────
all            2,340  100.0 %

handoffs       3,117
loops stopped      4
asked a human     97
wall time      2.3 s
";
        assert_eq!(render(&totals), expected);
    }

    #[test]
    fn a_report_of_nothing_divides_by_nothing() {
        assert!(
            render(&Totals::default()).contains("all           0  0.0 %"),
            "{}",
            render(&Totals::default())
        );
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn long_runs_are_told_in_minutes() {
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 05 s");
    }
}
