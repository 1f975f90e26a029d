//! Exchanges with a model, written to a file.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::model::{Model, ModelError, Reply, Request};
use super::offers::HandoffStyle;
use crate::error::chain;

/// A model whose exchanges are written to a file, so that a real conversation becomes a test:
/// [`Replay`](super::Replay) makes the same turns without it.
///
/// Each exchange is a line of JSON: what was asked, the pieces in which it was said, and the reply or the
/// error. A line is written when the exchange is over, at once and as a whole, behind those that are
/// there; to record anew, delete the file. A turn that is dropped, as its run is, leaves none. Requests
/// hold what was said, and no keys.
///
/// Clones write to the same file, so that one recording can hold what several agents say to each other.
///
/// ```
/// use handoffs_runtime::agent::{Model, Recording, Replay, Request, Script, ScriptedModel};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("talk.jsonl");
/// let real = ScriptedModel::new([Script::say("Hello.")]);
/// let recording = Recording::new(real, &path)?;
/// recording.turn(&Request::default(), &|_| {}).await?;
///
/// let replay = Replay::open(&path)?;
/// let reply = replay.turn(&Request::default(), &|_| {}).await?;
/// assert_eq!(reply.text, "Hello.");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Recording<M> {
    model: M,
    file: Arc<Mutex<File>>,
    path: PathBuf,
}

impl<M: Model> Recording<M> {
    /// Records a model's exchanges in a file, behind those that it holds.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be opened, or ends in the middle of a line.
    pub fn new(model: M, path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(&path)?;
        if file.metadata()?.len() > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                let text = format!("{} ends in the middle of a line", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        }
        Ok(Self {
            model,
            file: Arc::new(Mutex::new(file)),
            path,
        })
    }

    fn write(&self, exchange: &Exchange) -> io::Result<()> {
        let mut line = serde_json::to_string(exchange)?;
        line.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes())
    }
}

#[async_trait]
impl<M: Model> Model for Recording<M> {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn provider(&self) -> &str {
        self.model.provider()
    }

    async fn turn(
        &self,
        request: &Request,
        said: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        let pieces = Mutex::new(Vec::new());
        let heard = |piece: &str| {
            let mut pieces = pieces.lock().unwrap_or_else(PoisonError::into_inner);
            pieces.push(piece.to_owned());
            drop(pieces);
            said(piece);
        };
        let turn = self.model.turn(request, &heard).await;
        let exchange = Exchange {
            request: request.clone(),
            style: self.model.handoff_style(),
            said: pieces.into_inner().unwrap_or_else(PoisonError::into_inner),
            turn: match &turn {
                Ok(reply) => Taken::Reply(reply.clone()),
                Err(error) => Taken::of(error),
            },
        };
        if let Err(error) = self.write(&exchange) {
            let path = self.path.display();
            let text = format!("the exchange cannot be recorded in {path}: {error}");
            return Err(ModelError::Refused(text));
        }
        turn
    }

    fn handoff_style(&self) -> HandoffStyle {
        self.model.handoff_style()
    }
}

impl<M: fmt::Debug> fmt::Debug for Recording<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("model", &self.model)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A line of a recording.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Exchange {
    pub(super) request: Request,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) style: HandoffStyle,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) said: Vec<String>,
    #[serde(flatten)]
    pub(super) turn: Taken,
}

/// What came of a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Taken {
    Reply(Reply),
    Busy { retry_after_ms: Option<u64> },
    Unreachable(String),
    Refused(String),
    Unreadable(String),
}

impl Taken {
    fn of(error: &ModelError) -> Self {
        match error {
            ModelError::Busy { retry_after } => Self::Busy {
                retry_after_ms: retry_after
                    .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            },
            ModelError::Unreachable(source) => Self::Unreachable(chain(&**source)),
            ModelError::Refused(text) => Self::Refused(text.clone()),
            ModelError::Unreadable(text) => Self::Unreadable(text.clone()),
        }
    }

    pub(super) fn again(self) -> Result<Reply, ModelError> {
        Err(match self {
            Self::Reply(reply) => return Ok(reply),
            Self::Busy { retry_after_ms } => {
                ModelError::busy(retry_after_ms.map(Duration::from_millis))
            }
            Self::Unreachable(text) => ModelError::Unreachable(text.into()),
            Self::Refused(text) => ModelError::Refused(text),
            Self::Unreadable(text) => ModelError::Unreadable(text),
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_default(style: &HandoffStyle) -> bool {
    *style == HandoffStyle::default()
}
