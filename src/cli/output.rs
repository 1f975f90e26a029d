//! What is printed: for people, for programs, and into pull requests.

use std::io::{self, BufWriter, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::Style;
use comfy_table::{CellAlignment, ContentArrangement, presets};
use serde::Serialize;

use super::args::Format;
use super::error::Error;

/// Where a command prints to.
pub(super) struct Output {
    pub(super) format: Format,
    to: BufWriter<AutoStream<io::Stdout>>,
    /// How many columns the terminal has, if it is one.
    width: Option<u16>,
}

impl Output {
    pub(super) fn new(format: Format) -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let width = terminal_size::terminal_size().map(|(width, _)| width.0);
        Self {
            format,
            to: BufWriter::new(AutoStream::new(stdout, ColorChoice::global())),
            width: width.filter(|_| is_terminal),
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints a line.
    pub(super) fn line(&mut self, line: impl AsRef<str>) -> Result<(), Error> {
        writeln!(self.to, "{}", line.as_ref())?;
        Ok(())
    }

    /// Prints a text as it is.
    pub(super) fn text(&mut self, text: impl std::fmt::Display) -> Result<(), Error> {
        write!(self.to, "{text}")?;
        Ok(())
    }

    /// Prints a value as a line of JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), Error> {
        serde_json::to_writer(&mut self.to, value).map_err(io::Error::from)?;
        self.line("")
    }

    /// Prints a table, without the columns that are empty.
    pub(super) fn table(&mut self, table: &Table) -> Result<(), Error> {
        let text = table.text(self.format, self.width);
        match text.split_once('\n') {
            Some((head, rows)) if self.format == Format::Text => {
                let bold = Style::new().bold();
                self.line(format!("{bold}{head}{bold:#}"))?;
                self.line(rows)
            }
            _ => self.line(text),
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.to.flush()?;
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Prints a note for people, which is no part of what a program reads.
pub(super) fn note(text: impl AsRef<str>) {
    let dimmed = Style::new().dimmed();
    let text = format!("{dimmed}{}{dimmed:#}\n", text.as_ref());
    // If nobody reads it, nobody is to be told.
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// A table for people.
pub(super) struct Table {
    head: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

impl Table {
    /// A table with these columns; those whose name ends with `#` hold numbers.
    pub(super) fn new<const N: usize>(head: [&'static str; N]) -> Self {
        let column = |name: &'static str| match name.strip_suffix('#') {
            Some(name) => (name, Align::Right),
            None => (name, Align::Left),
        };
        Self {
            head: head.map(column).to_vec(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row<const N: usize>(&mut self, row: [String; N]) {
        self.rows.push(row.into());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn text(&self, format: Format, width: Option<u16>) -> String {
        let columns: Vec<_> = (0..self.head.len())
            .filter(|column| self.rows.iter().any(|row| !row[*column].is_empty()))
            .collect();
        let mut table = comfy_table::Table::new();
        match format {
            Format::Markdown => {
                table.load_style(presets::ASCII_MARKDOWN);
            }
            Format::Text | Format::Json => {
                table.load_style(presets::NOTHING);
                if let Some(width) = width {
                    table.set_content_arrangement(ContentArrangement::Dynamic);
                    table.set_width(width);
                }
            }
        }
        let is_text = format == Format::Text;
        table.set_header(columns.iter().map(|column| {
            let (name, _) = self.head[*column];
            if is_text {
                name.to_uppercase()
            } else {
                name.to_owned()
            }
        }));
        for row in &self.rows {
            table.add_row(columns.iter().map(|column| match format {
                Format::Markdown => row[*column].replace('|', "\\|").replace('\n', " "),
                Format::Text | Format::Json => row[*column].clone(),
            }));
        }
        for (place, column) in columns.iter().enumerate() {
            if let Some(shown) = table.column_mut(place) {
                if is_text {
                    let left = u16::from(place > 0);
                    shown.set_padding((left, 1));
                }
                if self.head[*column].1 == Align::Right {
                    shown.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        table.trim_fmt()
    }
}
