//! How a journal writes values down: as JSON that reads back as what it was.

use handoffs_core::__private::is_lost_in_json;
use serde::Serialize;
use serde::ser::Error;
use serde_json::value::{RawValue, to_raw_value};

/// Writes a value as JSON, or refuses one that JSON would change.
pub(crate) fn keep<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Box<RawValue>> {
    let json = to_raw_value(value)?;
    // What is lost is written as `null`, so most values need no second look.
    if json.get().contains("null") && is_lost_in_json(value) {
        return Err(serde_json::Error::custom(
            "a number that is not finite, or a `Some` of nothing, would read back as another value",
        ));
    }
    Ok(json)
}
