//! A state read from JSON, field by field.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::case::Case;
use crate::{Conclusion, Field, FieldSource, Json, State};

/// A line that says all of a case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    state: Map<String, Value>,
    expected: String,
    #[serde(default)]
    name: String,
    outcome: Option<Said>,
}

/// What a node concluded: the variant alone, or with its fields.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Variant(String),
    Whole {
        variant: String,
        payload: Option<Value>,
    },
}

/// Makes a case of a line.
pub(super) fn case<S: State>(line: Line) -> Result<Case<S>, String> {
    let Line {
        state,
        expected,
        name,
        outcome,
    } = line;
    let case = Case::new(from_json(state)?, expected).named(name);
    Ok(match outcome {
        None => case,
        Some(Said::Variant(variant)) => case.concluded(Conclusion::new(variant, None)),
        Some(Said::Whole { variant, payload }) => {
            let payload = payload.map(|payload| Json::of(&payload)).transpose();
            let payload = payload.map_err(|error| error.to_string())?;
            case.concluded(Conclusion::new(variant, payload))
        }
    })
}

/// Makes a state of its fields as JSON. A key that no field has is an error, as it is a field misspelt.
fn from_json<S: State>(fields: Map<String, Value>) -> Result<S, String> {
    let names = || S::FIELDS.iter().map(|field| field.name);
    for name in fields.keys() {
        let is_field = |field: &Field| field.name == name || field.aliases.contains(&name.as_str());
        if !S::FIELDS.iter().any(is_field) {
            let help = match handoffs_core::nearest(name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    let names: Vec<_> = names().map(|name| format!("`{name}`")).collect();
                    format!("its fields are {}", names.join(", "))
                }
            };
            return Err(format!("the state has no field `{name}`; {help}"));
        }
    }
    S::decode(&mut Object(fields))
}

struct Object(Map<String, Value>);

impl Object {
    fn take(&mut self, field: &Field) -> Option<Value> {
        let mut names = [field.name]
            .into_iter()
            .chain(field.aliases.iter().copied());
        names.find_map(|name| self.0.remove(name))
    }
}

impl FieldSource for Object {
    type Error = String;

    fn field<T: DeserializeOwned>(&mut self, field: &'static Field) -> Result<T, String> {
        let value = self.take(field);
        let is_there = value.is_some();
        let value = serde_json::from_value(value.unwrap_or_default());
        value.map_err(|error| {
            if is_there {
                format!("field `{}` of the state: {error}", field.name)
            } else {
                format!("the state lacks field `{}`", field.name)
            }
        })
    }

    fn has(&self, field: &'static Field) -> bool {
        let names = [field.name]
            .into_iter()
            .chain(field.aliases.iter().copied());
        names.into_iter().any(|name| self.0.contains_key(name))
    }
}
