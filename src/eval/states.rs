//! A case that is all said in a line of JSON.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::case::Case;
use crate::{Conclusion, Json, State};

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
    let case = Case::new(crate::from_json::state(state)?, expected).named(name);
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
