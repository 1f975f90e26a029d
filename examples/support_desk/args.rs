//! What the user asks for, from the words of the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::Error;

pub(crate) const USAGE: &str = "\
usage: support_desk \"QUESTION\" [--customer ID] [--thread NAME]   ask one question
       support_desk --file CSV                                 ask all questions of a file
       support_desk inbox                                      list what waits for a person
       support_desk answer THREAD \"TEXT\"                       answer in a person's place
       support_desk history THREAD                             tell what happened in a thread
       support_desk dot                                        draw the graph for Graphviz
       support_desk eval --file CSV                            tell how often triage finds the right desk
       support_desk train --file CSV                           learn the model of triage anew
Each but the last three takes --journal PATH; without it, support_desk.db in the current folder.
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Say how to call it.
    Help,
    /// Ask one question.
    Ask {
        question: String,
        customer: Option<String>,
        thread: Option<String>,
        journal: PathBuf,
    },
    /// Ask all questions of a file.
    File { file: PathBuf, journal: PathBuf },
    /// Answer what a thread asked.
    Answer {
        thread: String,
        answer: String,
        journal: PathBuf,
    },
    /// Tell what happened in a thread.
    History { thread: String, journal: PathBuf },
    /// List the threads that wait for a person.
    Inbox { journal: PathBuf },
    /// Draw the graph.
    Dot,
    /// Judge triage by labelled questions.
    Eval { file: PathBuf },
    /// Learn the model anew.
    Train { file: PathBuf },
}

/// The options, each at most once.
#[derive(Default)]
struct Options {
    journal: Option<String>,
    file: Option<String>,
    customer: Option<String>,
    thread: Option<String>,
}

impl Options {
    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "--journal" => Some(&mut self.journal),
            "--file" => Some(&mut self.file),
            "--customer" => Some(&mut self.customer),
            "--thread" => Some(&mut self.thread),
            _ => None,
        }
    }

    fn journal(&mut self) -> PathBuf {
        let named = self.journal.take();
        named.unwrap_or_else(|| "support_desk.db".to_owned()).into()
    }

    /// Names an option that the command has no use for.
    fn left_over(&self) -> Option<&'static str> {
        let given = [
            ("--journal", &self.journal),
            ("--file", &self.file),
            ("--customer", &self.customer),
            ("--thread", &self.thread),
        ];
        given
            .into_iter()
            .find(|(_, value)| value.is_some())
            .map(|(name, _)| name)
    }
}

/// Reads the words behind the program's name.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command, Error> {
    let (mut options, mut plain) = (Options::default(), Vec::new());
    let mut words = words.into_iter().map(|word| {
        word.into_string()
            .map_err(|word| format!("`{}` is not UTF-8", word.display()))
    });
    while let Some(word) = words.next() {
        let word = word?;
        if word == "--help" || word == "-h" {
            return Ok(Command::Help);
        }
        if word == "--" {
            plain.extend(words.by_ref().collect::<Result<Vec<_>, _>>()?);
            break;
        }
        if !word.starts_with("--") {
            plain.push(word);
            continue;
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        let slot = options
            .slot(name)
            .ok_or_else(|| format!("there is no option `{name}`"))?;
        let value = match value {
            Some(value) => value,
            None => words
                .next()
                .ok_or_else(|| format!("`{name}` wants a value"))??,
        };
        if slot.replace(value).is_some() {
            return Err(format!("`{name}` is given twice").into());
        }
    }
    let plain: Vec<&str> = plain.iter().map(String::as_str).collect();
    let command = command(&plain, &mut options)?;
    match options.left_over() {
        Some(name) => Err(format!("`{name}` does not go with this").into()),
        None => Ok(command),
    }
}

fn command(plain: &[&str], options: &mut Options) -> Result<Command, Error> {
    Ok(match *plain {
        [] => match options.file.take() {
            Some(file) => Command::File {
                file: file.into(),
                journal: options.journal(),
            },
            None => return Err("there is nothing to do".into()),
        },
        ["dot"] => Command::Dot,
        ["inbox"] => Command::Inbox {
            journal: options.journal(),
        },
        ["train"] => match options.file.take() {
            Some(file) => Command::Train { file: file.into() },
            None => return Err("`train` wants `--file CSV`".into()),
        },
        ["eval"] => match options.file.take() {
            Some(file) => Command::Eval { file: file.into() },
            None => return Err("`eval` wants `--file CSV`".into()),
        },
        ["history", thread] => Command::History {
            thread: thread.to_owned(),
            journal: options.journal(),
        },
        ["history", ..] => return Err("`history` wants the name of one thread".into()),
        ["answer", thread, answer] if !answer.trim().is_empty() => Command::Answer {
            thread: thread.to_owned(),
            answer: answer.to_owned(),
            journal: options.journal(),
        },
        ["answer", ..] => return Err("`answer` wants a thread and a text in quotes".into()),
        [question] if question.trim().is_empty() => return Err("the question is empty".into()),
        [question] => Command::Ask {
            question: question.trim().to_owned(),
            customer: options.customer.take(),
            thread: options.thread.take(),
            journal: options.journal(),
        },
        [first, ..] => {
            return Err(format!("`{first} …` is no command; put a question in quotes").into());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Command, String> {
        parse(words.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_forms_of_a_call() {
        let journal = PathBuf::from("support_desk.db");
        let file = PathBuf::from("a.csv");
        let cases = [
            (
                &["my card", "--thread=t"][..],
                Command::Ask {
                    question: "my card".into(),
                    customer: None,
                    thread: Some("t".into()),
                    journal: journal.clone(),
                },
            ),
            (
                &["--file", "a.csv", "--journal", "b.db"],
                Command::File {
                    file: file.clone(),
                    journal: "b.db".into(),
                },
            ),
            (
                &["answer", "t", "yes"],
                Command::Answer {
                    thread: "t".into(),
                    answer: "yes".into(),
                    journal: journal.clone(),
                },
            ),
            (
                &["history", "t"],
                Command::History {
                    thread: "t".into(),
                    journal: journal.clone(),
                },
            ),
            (&["inbox"], Command::Inbox { journal }),
            (&["dot"], Command::Dot),
            (
                &["eval", "--file", "a.csv"],
                Command::Eval { file: file.clone() },
            ),
            (&["train", "--file", "a.csv"], Command::Train { file }),
            (&["--help"], Command::Help),
        ];
        for (words, command) in cases {
            assert_eq!(read(words), Ok(command), "{words:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_call() {
        let cases = [
            (&[][..], "there is nothing to do"),
            (
                &["my", "card"],
                "`my …` is no command; put a question in quotes",
            ),
            (&[" "], "the question is empty"),
            (
                &["answer", "t"],
                "`answer` wants a thread and a text in quotes",
            ),
            (&["history"], "`history` wants the name of one thread"),
            (&["train"], "`train` wants `--file CSV`"),
            (&["eval"], "`eval` wants `--file CSV`"),
            (&["--file"], "`--file` wants a value"),
            (&["--file", "a", "--file", "b"], "`--file` is given twice"),
            (&["--fiel", "a"], "there is no option `--fiel`"),
            (
                &["--file", "a", "--thread", "t"],
                "`--thread` does not go with this",
            ),
            (
                &["dot", "--journal", "b.db"],
                "`--journal` does not go with this",
            ),
        ];
        for (words, wrong) in cases {
            assert_eq!(read(words), Err(wrong.to_owned()), "{words:?}");
        }
    }
}
