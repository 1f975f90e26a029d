//! What can go wrong with a model's files.

use std::io;
use std::path::PathBuf;

/// Why a model could not be loaded, or a text not be embedded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file cannot be read.
    #[error("`{}` cannot be read", path.display())]
    #[non_exhaustive]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The files are not those of a model of this kind, or damaged.
    #[error("candle cannot work with the model")]
    Model(#[from] candle_core::Error),
    /// The model's words cannot be read, or a text not be cut into them.
    #[error("the tokenizer fails: {0}")]
    Tokenizer(String),
    /// The model speaks in another format than we do.
    #[error("{0}")]
    Unfit(&'static str),
}

impl LoadError {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it is called where a result is mapped"
    )]
    pub(crate) fn tokenizer(error: tokenizers::Error) -> Self {
        Self::Tokenizer(error.to_string())
    }
}
