//! Questions from a CSV file.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// One question of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// Its place in the file, from 1; a stable part of the thread's name.
    pub(crate) number: usize,
    /// What the customer wrote.
    pub(crate) text: String,
    /// The intent that a person gave it, where the file has a column `category`.
    pub(crate) category: Option<String>,
}

/// Reads all questions of a CSV file with a column `text` and, if it likes, a column `category`.
pub(crate) fn load(path: impl AsRef<Path>) -> Result<Vec<Case>, CasesError> {
    let path = path.as_ref();
    let file = std::fs::File::open(path).map_err(|source| CasesError::Open {
        path: path.into(),
        source,
    })?;
    read(path, file)
}

fn read(path: &Path, from: impl std::io::Read) -> Result<Vec<Case>, CasesError> {
    let broken = |source: csv::Error| CasesError::Row {
        path: path.into(),
        line: source.position().map_or(1, csv::Position::line),
        problem: plainly(&source),
    };
    let mut reader = csv::Reader::from_reader(from);
    let header = reader.headers().map_err(broken)?.clone();
    let column = |wanted: &str| {
        header
            .iter()
            .position(|name| name.trim_start_matches('\u{feff}').trim() == wanted)
    };
    let Some(text) = column("text") else {
        return Err(CasesError::Column {
            path: path.into(),
            found: header.iter().map(String::from).collect(),
        });
    };
    let category = column("category");

    let mut cases = Vec::new();
    for (index, row) in reader.records().enumerate() {
        let row = row.map_err(broken)?;
        let question = row.get(text).map_or("", str::trim);
        if question.is_empty() {
            let line = row.position().map_or(0, csv::Position::line);
            return Err(CasesError::Row {
                path: path.into(),
                line,
                problem: "the column `text` is empty".into(),
            });
        }
        cases.push(Case {
            number: index + 1,
            text: question.to_owned(),
            category: category
                .and_then(|at| row.get(at))
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(String::from),
        });
    }
    if cases.is_empty() {
        Err(CasesError::Empty { path: path.into() })
    } else {
        Ok(cases)
    }
}

fn plainly(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => {
            format!(
                "the header has {expected_len} columns and this row {len}; text with a comma needs quotes"
            )
        }
        csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8".into(),
        csv::ErrorKind::Io(io) => io.to_string(),
        _ => error.to_string(),
    }
}

/// Why a file of questions could not be read.
#[derive(Debug)]
pub(crate) enum CasesError {
    /// The file is missing or may not be read.
    Open {
        /// The file as the user named it.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The header has no column `text`.
    Column {
        /// The file as the user named it.
        path: PathBuf,
        /// The columns that it does have.
        found: Vec<String>,
    },
    /// One row is no good.
    Row {
        /// The file as the user named it.
        path: PathBuf,
        /// The line where the row begins, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// There is a header, and nothing below it.
    Empty {
        /// The file as the user named it.
        path: PathBuf,
    },
}

impl fmt::Display for CasesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, .. } => {
                write!(f, "cannot open the questions in `{}`", path.display())
            }
            Self::Column { path, found } => write!(
                f,
                "`{}` has no column `text`; its first line names: {}",
                path.display(),
                if found.is_empty() {
                    "nothing".into()
                } else {
                    found.join(", ")
                },
            ),
            Self::Row {
                path,
                line,
                problem,
            } => write!(f, "`{}`, line {line}: {problem}", path.display()),
            Self::Empty { path } => write!(f, "`{}` holds no question", path.display()),
        }
    }
}

impl std::error::Error for CasesError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Where the banking77 files are, or `None` with a word about it, so that a test can pass over.
#[cfg(test)]
pub(crate) fn data_folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/banking77");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "skipped: {} is absent, so there are no real questions to test with",
        folder.display()
    );
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(csv: &str) -> Result<Vec<Case>, String> {
        read(Path::new("questions.csv"), csv.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn quoted_commas_and_line_breaks_stay_in_one_question() {
        let found = cases("text,category\n\"Where, please,\nis my card?\",card_arrival\nHello,\n")
            .expect("a good file");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].text, "Where, please,\nis my card?");
        assert_eq!(found[0].category.as_deref(), Some("card_arrival"));
        assert_eq!((found[1].number, found[1].category.as_deref()), (2, None));
    }

    #[test]
    fn the_column_of_categories_may_be_absent() {
        assert_eq!(
            cases("id,text\n7,Hello\n").expect("a good file")[0].category,
            None
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = load("no/such/file.csv").expect_err("there is no such file");
        assert_eq!(
            error.to_string(),
            "cannot open the questions in `no/such/file.csv`"
        );
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn a_missing_column_is_named_with_those_that_are_there() {
        assert_eq!(
            cases("question,label\nHello,greeting\n"),
            Err(
                "`questions.csv` has no column `text`; its first line names: question, label"
                    .into()
            )
        );
    }

    #[test]
    fn a_row_with_too_many_fields_is_named_by_its_line() {
        let error = cases("text,category\nfine,a\nHello, you,b\n")
            .expect_err("three fields under two columns");
        assert!(
            error.starts_with("`questions.csv`, line 3: the header has 2 columns and this row 3"),
            "{error}"
        );
    }

    #[test]
    fn an_empty_question_is_named_by_its_line() {
        assert_eq!(
            cases("text,category\n\"two\nlines\",a\n  ,b\n"),
            Err("`questions.csv`, line 4: the column `text` is empty".into())
        );
    }

    #[test]
    fn bytes_that_are_not_text_are_named_by_their_line() {
        let error =
            read(Path::new("q.csv"), &b"text\nfine\n\xff\xfe\n"[..]).expect_err("not UTF-8");
        assert_eq!(error.to_string(), "`q.csv`, line 3: the text is not UTF-8");
    }

    #[test]
    fn a_file_without_questions_is_an_error() {
        assert_eq!(
            cases("text,category\n"),
            Err("`questions.csv` holds no question".into())
        );
    }
}
