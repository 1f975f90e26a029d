//! Labelled cases, and the files that they are read from.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::error::EvalError;
use crate::{Conclusion, JsonError, Outcome, State};

/// A state, and the node to which it should lead.
///
/// ```
/// use handoffs::eval::Case;
///
/// let case = Case::new("my card was charged twice", "charges").named("charged twice");
/// assert_eq!(case.expected(), "charges");
/// ```
#[derive(Clone, Debug)]
pub struct Case<S> {
    pub(super) state: S,
    pub(super) expected: String,
    pub(super) name: String,
    pub(super) outcome: Option<Conclusion>,
    pub(super) place: Place,
}

/// Where a case stands: its file and line, or its number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, and the line there, from 1.
    pub(super) line: Option<(Arc<str>, u64)>,
    /// The place among the cases, from 1.
    pub(super) number: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.line {
            Some((file, line)) => write!(f, "`{file}`, line {line}"),
            None => write!(f, "case {}", self.number),
        }
    }
}

impl<S> Case<S> {
    /// Expects a state to lead to a node; to the `end`; or to a fork, in the words of its edge:
    /// `all(web, papers) join summary`.
    pub fn new(state: S, expected: impl Into<String>) -> Self {
        Self {
            state,
            expected: expected.into(),
            name: String::new(),
            outcome: None,
            place: Place::default(),
        }
    }

    /// Names the case, best by the text that a person wrote: the name is shown where the node errs, and by
    /// it the case is found again in another report. Without one, a case is known by its line.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..self
        }
    }

    /// Says what the node concluded: so it is not asked, and its route is judged alone. The state is then
    /// that behind the node.
    ///
    /// ```
    /// use handoffs::Outcome;
    /// use handoffs::eval::Case;
    ///
    /// # #[derive(Clone, Debug)]
    /// # struct Ticket;
    /// #[derive(Outcome)]
    /// enum Billed { Done, WrongDesk }
    ///
    /// let case = Case::new(Ticket, "triage").concluding(&Billed::WrongDesk)?;
    /// # Ok::<(), handoffs::JsonError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if a field of the outcome cannot be serialised.
    pub fn concluding<O: Outcome>(self, outcome: &O) -> Result<Self, JsonError> {
        Ok(self.concluded(Conclusion::of(outcome)?))
    }

    /// Says the same of an outcome as a journal keeps it.
    pub fn concluded(self, outcome: Conclusion) -> Self {
        Self {
            outcome: Some(outcome),
            ..self
        }
    }

    /// Returns where the case should lead.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// Returns the state, and where it should lead.
    #[cfg(feature = "cli")]
    pub(crate) fn into_parts(self) -> (S, String) {
        (self.state, self.expected)
    }
}

/// What the function that makes a case of a row may return: a case, or a `Result` with one.
pub trait IntoCase<S> {
    /// Returns the case, or why there is none.
    ///
    /// # Errors
    ///
    /// Returns the error of a `Result`.
    fn into_case(self) -> Result<Case<S>, Box<dyn Error + Send + Sync>>;
}

impl<S> IntoCase<S> for Case<S> {
    fn into_case(self) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(self)
    }
}

impl<S, E: Into<Box<dyn Error + Send + Sync>>> IntoCase<S> for Result<Case<S>, E> {
    fn into_case(self) -> Result<Case<S>, Box<dyn Error + Send + Sync>> {
        self.map_err(Into::into)
    }
}

/// Reads cases from a CSV file, a row each. The first line names the columns, of which a row is made by its
/// `Deserialize`; the function makes a case of the row.
///
/// ```no_run
/// use handoffs::eval::{Case, read_csv};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Row { text: String, category: String }
///
/// # fn desk_of(category: &str) -> Result<&'static str, String> { Ok("cards") }
/// # fn main() -> Result<(), handoffs::eval::EvalError> {
/// let cases = read_csv("dev.csv", |row: Row| {
///     desk_of(&row.category).map(|desk| Case::new(row.text, desk))
/// })?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Fails if the file cannot be read, and at the first row that is none, with its line.
pub fn read_csv<S, R, C>(
    path: impl AsRef<Path>,
    mut case: impl FnMut(R) -> C,
) -> Result<Vec<Case<S>>, EvalError>
where
    R: DeserializeOwned,
    C: IntoCase<S>,
{
    let path = path.as_ref();
    let mut cases = Cases::of(path);
    let text = read(path)?;
    let mut reader = csv::Reader::from_reader(&*text);
    let header = reader.headers();
    let header = header
        .map_err(|error| cases.broken(&text, &error, None))?
        .clone();
    let mut row = csv::StringRecord::new();
    loop {
        let read = reader.read_record(&mut row);
        if !read.map_err(|error| cases.broken(&text, &error, None))? {
            return Ok(cases.found);
        }
        let read = row.deserialize(Some(&header));
        let read: R = read.map_err(|error| cases.broken(&text, &error, Some(&header)))?;
        cases.push(line_of(&text, row.position()), case(read))?;
    }
}

/// Reads cases from a file of JSON Lines, a line each. A row is made of a line by its `Deserialize`; the
/// function makes a case of the row. Empty lines are passed over.
///
/// # Errors
///
/// Fails if the file cannot be read, and at the first line that is no row, with its number.
pub fn read_jsonl<S, R, C>(
    path: impl AsRef<Path>,
    mut case: impl FnMut(R) -> C,
) -> Result<Vec<Case<S>>, EvalError>
where
    R: DeserializeOwned,
    C: IntoCase<S>,
{
    let path = path.as_ref();
    let mut cases = Cases::of(path);
    for (line, text) in (1..).zip(read(path)?.split(|byte| *byte == b'\n')) {
        let text = str::from_utf8(text);
        let text = text.map_err(|_| cases.wrong(line, "the text is not UTF-8"))?;
        if text.trim().is_empty() {
            continue;
        }
        let row = serde_json::from_str(text);
        let row: R = row.map_err(|error| cases.wrong(line, of_one_line(&error)))?;
        cases.push(line, case(row))?;
    }
    Ok(cases.found)
}

/// Reads cases from a file of JSON Lines that say all: the `state`, field by field; what is `expected`; and
/// if they like, a `name`, and the `outcome` that the node concluded, for its route alone.
///
/// ```json
/// {"state": {"question": "my card was charged twice"}, "expected": "charges"}
/// {"state": {"question": ""}, "outcome": "WrongDesk", "expected": "triage", "name": "hands back"}
/// {"state": {"question": ""}, "outcome": {"variant": "Refund", "payload": {"amount": 12}}, "expected": "pay"}
/// ```
///
/// A field that is not there is that of `#[serde(default)]`, or an `Option` without a value.
///
/// # Errors
///
/// Fails if the file cannot be read, and at the first line that is no case, with its number.
pub fn read_states<S: State>(path: impl AsRef<Path>) -> Result<Vec<Case<S>>, EvalError> {
    read_jsonl(path, super::states::case)
}

/// The cases of a file.
struct Cases<S> {
    file: Arc<str>,
    found: Vec<Case<S>>,
}

impl<S> Cases<S> {
    fn of(path: &Path) -> Self {
        Self {
            file: path.display().to_string().into(),
            found: Vec::new(),
        }
    }

    fn place(&self, line: u64) -> Place {
        Place {
            line: Some((Arc::clone(&self.file), line)),
            number: self.found.len() as u64 + 1,
        }
    }

    fn push(&mut self, line: u64, case: impl IntoCase<S>) -> Result<(), EvalError> {
        let place = self.place(line);
        match case.into_case() {
            Ok(case) => {
                self.found.push(Case { place, ..case });
                Ok(())
            }
            Err(reason) => Err(EvalError::Refused { place, reason }),
        }
    }

    fn wrong(&self, line: u64, problem: impl Into<String>) -> EvalError {
        EvalError::Case {
            place: self.place(line),
            problem: problem.into(),
        }
    }

    /// Says what is wrong with a row, without what the crate `csv` says of records and bytes.
    fn broken(
        &self,
        text: &[u8],
        error: &csv::Error,
        header: Option<&csv::StringRecord>,
    ) -> EvalError {
        let problem = match error.kind() {
            csv::ErrorKind::UnequalLengths {
                expected_len, len, ..
            } => format!(
                "the first line has {expected_len} columns and this one {len}; text with a comma needs quotes"
            ),
            csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8".to_owned(),
            csv::ErrorKind::Io(error) => error.to_string(),
            csv::ErrorKind::Deserialize { err, .. } => {
                let column = err
                    .field()
                    .and_then(|field| header?.get(usize::try_from(field).ok()?));
                match (column, header) {
                    (Some(column), _) => format!("column `{column}`: {}", err.kind()),
                    (None, Some(header)) => {
                        let columns: Vec<_> =
                            header.iter().map(|name| format!("`{name}`")).collect();
                        format!("{}; the columns are {}", err.kind(), columns.join(", "))
                    }
                    (None, None) => err.kind().to_string(),
                }
            }
            _ => error.to_string(),
        };
        self.wrong(line_of(text, error.position()), problem)
    }
}

/// Reads a file, without the mark with which some programs begin a text in UTF-8.
fn read(path: &Path) -> Result<Vec<u8>, EvalError> {
    let mut text = std::fs::read(path).map_err(|source| EvalError::File {
        doing: "read the cases in",
        path: path.to_owned(),
        source,
    })?;
    if text.starts_with(b"\xef\xbb\xbf") {
        text.drain(..3);
    }
    Ok(text)
}

/// Returns the line on which a row begins. To the crate `csv`, a row begins right behind the one before, also
/// if there are empty lines between.
fn line_of(text: &[u8], position: Option<&csv::Position>) -> u64 {
    let begin = position.and_then(|position| usize::try_from(position.byte()).ok());
    let (before, rest) = text.split_at(begin.unwrap_or(0).min(text.len()));
    let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let ends = before.iter().chain(blank).filter(|byte| **byte == b'\n');
    ends.count() as u64 + 1
}

/// What is wrong with a line of JSON, which always says that it is line 1.
fn of_one_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line 1 column {}", error.column());
    match text.strip_suffix(&place) {
        Some(text) => format!("{text}, at column {}", error.column()),
        None => text,
    }
}
