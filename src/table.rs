//! Tables of figures: the first column to the left, all others to the right.

use std::fmt::Write as _;

/// A table of which the first column names the row.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<T: Into<String>>(head: impl IntoIterator<Item = T>) -> Self {
        let mut table = Self { rows: Vec::new() };
        table.row(head);
        table
    }

    pub(crate) fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Lays the table out for a terminal, a line a row.
    pub(crate) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let _ = match place {
                    0 => write!(line, "{cell:<width$}"),
                    _ => write!(line, "  {cell:>width$}"),
                };
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    /// Writes the table as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        for (place, row) in self.rows.iter().enumerate() {
            let cells: Vec<_> = row.iter().map(|cell| escaped(cell)).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
            if place == 0 {
                let rules = (0..row.len()).map(|column| if column == 0 { "---" } else { "---:" });
                let rules: Vec<_> = rules.collect();
                let _ = writeln!(text, "|{}|", rules.join("|"));
            }
        }
        text
    }
}

/// A text that Markdown shows as it is, also within a table.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => escaped.push(' '),
            '|' | '*' | '_' | '`' | '<' | '[' | ']' | '\\' | '#' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// A share in percent: `91.9 %`; of nothing, `-`.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_pipes_do_not_break_them() {
        let mut table = Table::new(["desk", "got"]);
        table.row(["a|b", "1,234"]);
        table.row(["über", "7"]);
        assert_eq!(table.text(), "desk    got\na|b   1,234\nüber      7\n");
        assert_eq!(
            table.markdown(),
            "| desk | got |\n|---|---:|\n| a\\|b | 1,234 |\n| über | 7 |\n"
        );
    }

    #[test]
    fn of_nothing_there_is_no_share() {
        assert_eq!(percent(Some(0.919)), "91.9 %");
        assert_eq!(percent(None), "-");
    }
}
