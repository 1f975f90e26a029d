//! A state as a JSON object, field by field.

use serde_json::{Map, Value};

use super::error::Error;
use crate::{Field, State};

/// Builds a state of a JSON object. A field that is not in it is read as `null`.
pub(super) fn decode<S: State>(text: &str) -> Result<S, Error> {
    let fields: Map<String, Value> = serde_json::from_str(text).map_err(|source| Error::Json {
        what: "the state",
        source,
    })?;
    crate::from_json::state(fields).map_err(Error::Usage)
}

/// Writes a state down as a JSON object.
pub(super) fn encode<S: State>(state: &S) -> Result<Value, Error> {
    let field = |(place, field): (usize, &Field)| {
        let value = state.encode(place, 0, serde_json::value::Serializer);
        let value =
            value.map_err(|error| Error::Broken(format!("field `{}`: {error}", field.name)))?;
        Ok((field.name.to_owned(), value))
    };
    let fields = S::FIELDS.iter().enumerate().map(field);
    Ok(Value::Object(fields.collect::<Result<_, Error>>()?))
}
