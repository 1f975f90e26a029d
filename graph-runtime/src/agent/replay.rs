//! A model that makes the turns of a recording.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::model::{Model, ModelError, Reply, Request};
use super::offers::HandoffStyle;
use super::record::Exchange;

/// A model that makes the turns of a [`Recording`](super::Recording), and refuses what it was not asked
/// then.
///
/// A request is answered with the first exchange that has the same one and was not used yet. So what
/// agents ask at the same time may come in another order. One that differs is
/// [`Refused`](ModelError::Refused), and the error says in which field, from the exchange that is the
/// next with the same instructions.
///
/// Clones use up the same recording.
#[derive(Clone)]
pub struct Replay(Arc<Inner>);

struct Inner {
    path: PathBuf,
    style: HandoffStyle,
    /// What was not used yet, with its line.
    left: Mutex<Vec<(usize, Exchange)>>,
}

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The file cannot be read.
    #[error("the recording {} cannot be read", path.display())]
    #[non_exhaustive]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of it is no exchange.
    #[error("line {line} of the recording {} is no exchange", path.display())]
    #[non_exhaustive]
    Line {
        /// The file.
        path: PathBuf,
        /// The line; the first is 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
}

impl Replay {
    /// Reads a recording.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or holds something else.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReplayError> {
        let path = path.as_ref().to_owned();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(ReplayError::Read { path, source }),
        };
        let mut left: Vec<(_, Exchange)> = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            match serde_json::from_str(text) {
                Ok(exchange) => left.push((line, exchange)),
                Err(source) => return Err(ReplayError::Line { path, line, source }),
            }
        }
        let style = left.first().map(|(_, exchange)| exchange.style);
        Ok(Self(Arc::new(Inner {
            path,
            style: style.unwrap_or_default(),
            left: Mutex::new(left),
        })))
    }

    /// Returns how many exchanges were not used yet.
    pub fn left(&self) -> usize {
        self.exchanges(|left| left.len())
    }

    fn exchanges<T>(&self, look: impl FnOnce(&mut Vec<(usize, Exchange)>) -> T) -> T {
        look(&mut self.0.left.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self, request: &Request) -> Result<Exchange, ModelError> {
        let path = self.0.path.display();
        self.exchanges(|left| {
            let same = left.iter().position(|(_, then)| then.request == *request);
            if let Some(same) = same {
                return Ok(left.remove(same).1);
            }
            let instructions = &request.instructions;
            let of_agent =
                |(_, then): &&(usize, Exchange)| then.request.instructions == *instructions;
            let Some((line, then)) = left.iter().find(of_agent).or(left.first()) else {
                let text = format!("the recording {path} has no exchange left");
                return Err(ModelError::Refused(text));
            };
            let differs = difference(&then.request, request);
            Err(ModelError::Refused(format!(
                "the recording {path} was asked otherwise: on line {line}, {differs}"
            )))
        })
    }
}

#[async_trait]
impl Model for Replay {
    async fn turn(
        &self,
        request: &Request,
        said: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        let exchange = self.take(request)?;
        for piece in &exchange.said {
            said(piece);
        }
        exchange.turn.again()
    }

    fn handoff_style(&self) -> HandoffStyle {
        self.0.style
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("path", &self.0.path)
            .field("left", &self.left())
            .finish()
    }
}

/// Says in which field two requests differ first.
fn difference(then: &Request, now: &Request) -> String {
    let value = |request| serde_json::to_value(request).unwrap_or_default();
    let (then, now) = (value(then), value(now));
    let (path, then, now) = first(String::new(), Some(&then), Some(&now));
    let shown = |value: Option<&Value>| value.map_or("not there".to_owned(), shortened);
    format!("`{path}` was {}, and is {}", shown(then), shown(now))
}

/// Returns where two values differ first, and their values there.
fn first<'v>(
    path: String,
    then: Option<&'v Value>,
    now: Option<&'v Value>,
) -> (String, Option<&'v Value>, Option<&'v Value>) {
    let within = match (then, now) {
        (Some(Value::Object(then)), Some(Value::Object(now))) => {
            let keys = then.keys().chain(now.keys());
            let key = keys.into_iter().find(|key| then.get(*key) != now.get(*key));
            key.map(|key| {
                let dot = if path.is_empty() { "" } else { "." };
                (format!("{path}{dot}{key}"), then.get(key), now.get(key))
            })
        }
        (Some(Value::Array(then)), Some(Value::Array(now))) => {
            let mut places = 0..then.len().max(now.len());
            let place = places.find(|place| then.get(*place) != now.get(*place));
            place.map(|place| (format!("{path}[{place}]"), then.get(place), now.get(place)))
        }
        _ => None,
    };
    match within {
        Some((path, then, now)) => first(path, then, now),
        None => (path, then, now),
    }
}

/// Shows the beginning of a value.
fn shortened(value: &Value) -> String {
    const MOST: usize = 200;
    let mut text = value.to_string();
    if let Some((end, _)) = text.char_indices().nth(MOST) {
        text.truncate(end);
        text.push_str(" ..");
    }
    text
}
