//! The handoffs that a model is offered: an outcome's variants as tools.

use handoffs_core::{FieldSet, Outcome, State, Variant};
use serde_json::{Map, Value, json};

use super::model::ToolSpec;
use crate::context::Context;

/// Returns the variants of an outcome that are handoffs, as tools.
pub(super) fn handoffs<O: Outcome>() -> Vec<(usize, ToolSpec)> {
    let variants = O::VARIANTS.iter().enumerate();
    // What has no tool is not known before the program runs.
    let handoffs = variants.filter(|(_, variant)| !variant.answer && !variant.tool.is_empty());
    handoffs
        .map(|(place, variant)| {
            let parameters = parameters::<O>(place, variant);
            (place, ToolSpec::new(variant.tool, variant.doc, parameters))
        })
        .collect()
}

/// Returns the JSON Schema of a variant's fields, as one object.
pub(super) fn parameters<O: Outcome>(place: usize, variant: &Variant) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut definitions = Map::new();
    for (at, field) in variant.fields.iter().enumerate() {
        let schema = O::schema(place, at).and_then(|text| serde_json::from_str(&text).ok());
        let mut schema: Value = schema.unwrap_or_else(|| json!({}));
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("title");
            // A type that holds itself is described at the root, where its references look for it.
            if let Some(Value::Object(own)) = schema.remove("$defs") {
                definitions.extend(own);
            }
            if !field.doc.is_empty() {
                schema.insert("description".to_owned(), field.doc.into());
            }
        }
        properties.insert(argument(variant, at), schema);
        required.push(argument(variant, at));
    }
    let mut object = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    if let (Some(object), false) = (object.as_object_mut(), definitions.is_empty()) {
        object.insert("$defs".to_owned(), definitions.into());
    }
    object
}

/// Returns the name by which a model knows a variant's field: its own, or `value` for one without.
fn argument(variant: &Variant, at: usize) -> String {
    let name = variant.fields[at].name;
    match (is_tuple(variant), variant.fields.len()) {
        (false, _) => name.to_owned(),
        (true, 1) => "value".to_owned(),
        (true, _) => format!("value_{}", at + 1),
    }
}

fn is_tuple(variant: &Variant) -> bool {
    let first = variant.fields.first();
    first.is_some_and(|field| field.name.starts_with(|first: char| first.is_ascii_digit()))
}

/// Reads the arguments of a handoff as the variant's fields, strictly: nothing is left over, nothing
/// is missing, and no text passes for a number.
pub(super) fn read<O: Outcome>(place: usize, arguments: &str) -> Result<O, String> {
    let variant = O::VARIANTS.get(place).ok_or("there is no such handoff")?;
    let arguments = if arguments.trim().is_empty() && variant.fields.is_empty() {
        "{}"
    } else {
        arguments
    };
    let value: Value = serde_json::from_str(arguments).map_err(|error| error.to_string())?;
    let Value::Object(mut object) = value else {
        return Err("the arguments are no object".to_owned());
    };
    let names: Vec<_> = (0..variant.fields.len())
        .map(|at| argument(variant, at))
        .collect();
    if let Some(unknown) = object.keys().find(|key| !names.contains(key)) {
        return Err(format!("there is no argument `{unknown}`"));
    }
    let payload = if variant.fields.is_empty() {
        Value::Null
    } else if is_tuple(variant) {
        let mut values = Vec::new();
        for name in &names {
            let value = object.remove(name);
            values.push(value.ok_or_else(|| format!("the argument `{name}` is missing"))?);
        }
        Value::Array(values)
    } else {
        Value::Object(object)
    };
    O::decode(place, payload).map_err(|error| error.to_string())
}

/// Closes a schema of an object: no other properties, and no more than a model needs.
pub(super) fn closed(mut schema: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
        object.remove("title");
        if object.get("type").and_then(Value::as_str) == Some("object") {
            object.entry("properties").or_insert_with(|| json!({}));
            object
                .entry("additionalProperties")
                .or_insert(Value::Bool(false));
        }
    }
    schema
}

/// Returns the variant that an agent concludes with its final text, if there is one.
fn answering<O: Outcome>() -> Option<(usize, &'static Variant)> {
    let mut variants = O::VARIANTS.iter().enumerate();
    variants.find(|(_, variant)| variant.answer)
}

/// Returns the schema that a final text has to follow: none if any text will do.
pub(super) fn answer_schema<O: Outcome>() -> Option<Value> {
    let (place, variant) = answering::<O>()?;
    let is_any = variant.fields.is_empty() || is_one_text::<O>(place, variant);
    (!is_any).then(|| parameters::<O>(place, variant))
}

/// Returns whether a variant holds one text and nothing else.
fn is_one_text<O: Outcome>(place: usize, variant: &Variant) -> bool {
    let schema = O::schema(place, 0).and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let is_text = schema.is_some_and(|schema| schema["type"] == "string");
    variant.fields.len() == 1 && is_text
}

/// Takes a final text as the outcome, or says what is wrong with it.
pub(super) fn answer<O: Outcome>(text: &str) -> Result<O, String> {
    let Some((place, variant)) = answering::<O>() else {
        return Err("A text concludes nothing here: call one of the tools.".to_owned());
    };
    if variant.fields.is_empty() {
        return read(place, "{}");
    }
    if text.trim().is_empty() {
        return Err("That was empty: answer, or call one of the tools.".to_owned());
    }
    if is_one_text::<O>(place, variant) {
        let arguments = json!({ argument(variant, 0): text });
        return read(place, &arguments.to_string());
    }
    read(place, text).map_err(|error| format!("The answer does not fit: {error}."))
}

impl Context<'_> {
    /// Returns whether an outcome of this variant can still lead on, if the node changes nothing but
    /// this field: whether some edge that it may match is not masked, or leads on all the same by its
    /// `else`, if that counts.
    pub(super) fn offers<S: State>(
        &mut self,
        variant: &str,
        state: &S,
        changing: usize,
        or_else: bool,
    ) -> bool {
        // What nodes before this one have changed may not have been told yet, where no loop was decided.
        self.course.note_changed(self.step.changed);
        let (plan, node) = (self.course.plan, self.course.due());
        let edges = plan.topology.edges();
        let edges = edges.filter(|(_, edge)| edge.from.0 == node && edge.may_match(variant));
        for (place, edge) in edges {
            let changing = FieldSet::EMPTY.with(changing);
            let leads_on = or_else && edge.route.otherwise().is_some();
            if leads_on || !self.course.is_masked(place.0, state, changing) {
                return true;
            }
            if edge.guard.is_none() {
                // It matches for certain, so none behind it does.
                return false;
            }
        }
        false
    }
}
