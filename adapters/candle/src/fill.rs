//! Arguments that fit a schema: the braces, names and kinds are ours, the values the model's.

use handoffs::agent::ModelError;
use serde_json::{Map, Value, json};

use crate::session::{Session, Spent};

/// The most tokens of one text.
const LONGEST: usize = 48;

/// Has the model write an object with what this schema requires. What is not required is left out.
pub(crate) fn object(
    session: &mut Session<'_>,
    schema: &Value,
    spent: &mut Spent,
) -> Result<Value, ModelError> {
    let mut object = Map::new();
    session.read("{", spent)?;
    let required = schema["required"].as_array().into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        let comma = if object.is_empty() { "" } else { ", " };
        session.read(&format!("{comma}{}: ", Value::from(name)), spent)?;
        let value = value(session, name, &schema["properties"][name], spent)?;
        object.insert(name.to_owned(), value);
    }
    session.read("}", spent)?;
    Ok(object.into())
}

fn value(
    session: &mut Session<'_>,
    name: &str,
    schema: &Value,
    spent: &mut Spent,
) -> Result<Value, ModelError> {
    if let Some(value) = schema.get("const") {
        session.read(&value.to_string(), spent)?;
        return Ok(value.clone());
    }
    if let Some(choices) = schema["enum"].as_array() {
        return choose(session, choices, spent);
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        kind => vec![kind.clone()],
    };
    for kind in kinds.iter().filter_map(Value::as_str) {
        match kind {
            "string" => {
                session.read("\"", spent)?;
                let text = session.write(&['"', '\n'], LONGEST, spent, |_| {})?;
                session.read("\"", spent)?;
                return Ok(text.trim_end_matches('\\').trim().into());
            }
            "integer" | "number" => return Ok(session.write_number(spent)?.into()),
            "boolean" => return choose(session, &[json!(true), json!(false)], spent),
            "object" => return object(session, schema, spent),
            _ => {}
        }
    }
    let refusal = format!("the local model cannot fill in `{name}`, of the schema {schema}");
    Err(ModelError::Refused(refusal))
}

/// Has the model choose: what is likeliest is taken.
fn choose(
    session: &mut Session<'_>,
    choices: &[Value],
    spent: &mut Spent,
) -> Result<Value, ModelError> {
    let mut best = None;
    for choice in choices {
        let likelihood = session.likelihood(&choice.to_string(), spent)?;
        if best.is_none_or(|(most, _)| likelihood > most) {
            best = Some((likelihood, choice));
        }
    }
    let none = || ModelError::Refused("there is nothing to choose from".to_owned());
    let (_, choice) = best.ok_or_else(none)?;
    session.read(&choice.to_string(), spent)?;
    Ok(choice.clone())
}
