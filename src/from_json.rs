//! A state read from JSON, field by field.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Field, FieldSource, State};

/// Makes a state of its fields as JSON. A field that is not there is read as `null`, or as its
/// `#[serde(default)]`; a key that no field has is an error, as it is a field misspelt.
pub(crate) fn state<S: State>(fields: Map<String, Value>) -> Result<S, String> {
    let is_known = |name: &String| {
        let mut fields = S::FIELDS.iter();
        fields.any(|field| names(field).any(|known| known == name))
    };
    if let Some(unknown) = fields.keys().find(|name| !is_known(name)) {
        let known: Vec<_> = S::FIELDS.iter().map(|field| field.name).collect();
        return Err(format!(
            "the state has no field `{unknown}`; it has {}",
            known.join(", ")
        ));
    }
    S::decode(&mut Object(fields))
}

struct Object(Map<String, Value>);

impl FieldSource for Object {
    type Error = String;

    fn field<T: DeserializeOwned>(&mut self, field: &'static Field) -> Result<T, String> {
        let value = names(field).find_map(|name| self.0.remove(name));
        let is_there = value.is_some();
        serde_json::from_value(value.unwrap_or_default()).map_err(|error| {
            let name = field.name;
            if is_there {
                format!("field `{name}` of the state: {error}")
            } else {
                format!("the state needs a field `{name}`")
            }
        })
    }

    fn has(&self, field: &'static Field) -> bool {
        names(field).any(|name| self.0.contains_key(name))
    }
}

/// Returns the name of a field, and those that it had.
fn names(field: &Field) -> impl Iterator<Item = &'static str> + use<> {
    [field.name]
        .into_iter()
        .chain(field.aliases.iter().copied())
}
