//! Why a record could not be sealed or opened.

use std::error::Error;

/// Why a record could not be sealed, or does not open. [`JournalError`](crate::JournalError) says
/// which record it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The record is not sealed at all.
    #[error(
        "it is not sealed, so anybody may have written it; to seal a journal, copy it into a sealed one"
    )]
    Unsealed,
    /// The record was changed, or moved, or the key is another one.
    #[error(
        "it does not open with key `{key}`: it was changed, or sealed for another place or context, or \
         with another key of that name; open the journal with the right key and context, or restore it \
         from a backup",
        // Anybody may have written that name.
        key = .key.escape_debug()
    )]
    #[non_exhaustive]
    Refused {
        /// The name of the key.
        key: String,
    },
    /// The key that sealed the record is not at hand.
    #[error(
        "it is sealed with key `{key}`, which is not at hand; add that key to the ring",
        key = .key.escape_debug()
    )]
    #[non_exhaustive]
    UnknownKey {
        /// The name of the key.
        key: String,
    },
    /// The record is cut off, or has a form that this version does not know.
    #[error("{reason}; update `handoffs`, or restore the journal from a backup")]
    #[non_exhaustive]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The key provider failed. Nothing is known to be wrong with the record.
    #[error("the key provider failed; see to it and try again")]
    #[non_exhaustive]
    Keys {
        /// What it says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It could not be sealed with the means at hand.
    #[error("could not {action}")]
    #[non_exhaustive]
    Failed {
        /// What could not be done.
        action: &'static str,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl SealError {
    /// Says that a record was changed or moved, or that the key is another one.
    pub fn refused(key: impl Into<String>) -> Self {
        Self::Refused { key: key.into() }
    }

    /// Says that the key that sealed a record is not at hand.
    pub fn unknown_key(key: impl Into<String>) -> Self {
        Self::UnknownKey { key: key.into() }
    }

    /// Says that a record is cut off, or of an unknown form.
    pub fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed {
            reason: reason.into(),
        }
    }

    /// Says that the key provider failed.
    pub fn keys(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Keys {
            source: source.into(),
        }
    }

    /// Says that something could not be done, such as "draw a nonce".
    pub fn failed(action: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed {
            action,
            source: source.into(),
        }
    }
}
