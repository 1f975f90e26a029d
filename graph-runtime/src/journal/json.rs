//! How a journal writes values down: as JSON that reads back as what it was.

use std::fmt;
use std::sync::Arc;

use handoffs_core::__private::is_lost_in_json;
use serde::de::DeserializeOwned;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// A value as JSON, as a journal keeps it.
///
/// ```
/// use handoffs_runtime::Json;
///
/// let json = Json::of(&("refund", 12))?;
/// assert_eq!(json.as_str(), r#"["refund",12]"#);
/// assert_eq!(json.to::<(String, u32)>()?.1, 12);
/// # Ok::<(), handoffs_runtime::JsonError>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Arc<RawValue>);

/// Why a value is no JSON, or JSON no such value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(#[from] serde_json::Error);

impl Json {
    /// Writes a value down.
    ///
    /// # Errors
    ///
    /// Fails if the value's `Serialize` does, and if JSON would change the value: it has no numbers
    /// that are not finite, and no `Some` of nothing.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, JsonError> {
        Ok(keep(value)?)
    }

    /// Returns the JSON.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Reads the value back.
    ///
    /// # Errors
    ///
    /// Fails if the JSON is no `T`.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        Ok(serde_json::from_str(self.as_str())?)
    }

    /// Takes a text that is known to be JSON.
    pub(crate) fn from_text(text: String) -> Result<Self, JsonError> {
        Ok(Self(RawValue::from_string(text)?.into()))
    }

    /// Writes a value down as JSON has it, even if it reads back as another.
    pub(crate) fn approximate<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Self> {
        to_raw_value(value).map(|json| Self(json.into()))
    }
}

impl PartialEq for Json {
    /// Compares the text.
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes a value as JSON, or refuses one that JSON would change.
pub(crate) fn keep<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Json> {
    let json = Json::approximate(value)?;
    // What is lost is written as `null`, so most values need no second look.
    if json.as_str().contains("null") && is_lost_in_json(value) {
        return Err(serde_json::Error::custom(
            "a number that is not finite, or a `Some` of nothing, would read back as another value",
        ));
    }
    Ok(json)
}
