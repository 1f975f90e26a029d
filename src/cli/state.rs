//! A state of a JSON object, field by field.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::Error;
use crate::{Field, FieldSource, State};

/// Builds a state of a JSON object. A field that is not in it is read as `null`.
pub(super) fn decode<S: State>(text: &str) -> Result<S, Error> {
    let fields: Map<String, Value> = serde_json::from_str(text).map_err(|source| Error::Json {
        what: "the state",
        source,
    })?;
    let known = || S::FIELDS.iter().map(|field| field.name);
    if let Some(unknown) = fields
        .keys()
        .find(|name| known().all(|known| known != *name))
    {
        let known: Vec<_> = known().collect();
        return Err(Error::Usage(format!(
            "the state has no field `{unknown}`; it has {}",
            known.join(", ")
        )));
    }
    S::decode(&mut Object(fields))
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

struct Object(Map<String, Value>);

impl FieldSource for Object {
    type Error = Error;

    fn field<T: DeserializeOwned>(&mut self, field: &'static Field) -> Result<T, Error> {
        let value = self.0.remove(field.name);
        let is_there = value.is_some();
        serde_json::from_value(value.unwrap_or_default()).map_err(|error| {
            let name = field.name;
            Error::Usage(if is_there {
                format!("field `{name}` of the state: {error}")
            } else {
                format!("the state needs a field `{name}`")
            })
        })
    }

    fn has(&self, field: &'static Field) -> bool {
        self.0.contains_key(field.name)
    }
}
