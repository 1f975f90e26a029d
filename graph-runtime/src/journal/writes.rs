//! The fields that an entry changes.

use std::borrow::Cow;
use std::fmt;

use handoffs_core::{Field, FieldSet, FieldValue, State};
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::json::{Json, JsonError, keep};

/// The fields that an entry changes, by their names.
#[derive(Clone, Debug, Default)]
pub struct Writes(pub(crate) Vec<(Cow<'static, str>, Write)>);

/// How an entry changes a field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Write {
    /// The field has this value.
    Set(Json),
    /// These items were appended to the log that the field is.
    Append(Json),
}

impl Writes {
    /// Takes the fields of `changed` from the state; of those in `appended`, the items after their marks.
    pub(crate) fn of<S: State>(
        state: &S,
        changed: FieldSet,
        appended: FieldSet,
        mark: impl Fn(usize) -> usize,
    ) -> Result<Self, (&'static Field, serde_json::Error)> {
        let fields = S::FIELDS
            .iter()
            .enumerate()
            .filter(|(index, _)| changed.contains(*index));
        let writes = fields.map(|(index, field)| {
            let value = FieldValue::new(state, index);
            let write = if appended.contains(index) {
                keep(&value.since(mark(index))).map(Write::Append)
            } else {
                keep(&value).map(Write::Set)
            };
            write
                .map(|write| (field.name.into(), write))
                .map_err(|error| (field, error))
        });
        writes.collect::<Result<_, _>>().map(Self)
    }

    /// Writes the same as JSON behind `text`, nothing if there is none, and returns whether it reads back as what
    /// it was; if not, [`of`](Self::of) says why.
    pub(crate) fn put<S: State>(
        state: &S,
        changed: FieldSet,
        appended: FieldSet,
        mark: impl Fn(usize) -> usize,
        text: &mut Vec<u8>,
    ) -> bool {
        let mut before: &[u8] = b"{";
        for index in changed.iter() {
            let Some(field) = S::FIELDS.get(index) else {
                return false;
            };
            let value = FieldValue::new(state, index);
            text.extend_from_slice(before);
            before = b"},";
            let is_put = if appended.contains(index) {
                put(text, field.name, "append", &value.since(mark(index)))
            } else {
                put(text, field.name, "set", &value)
            };
            if !is_put {
                return false;
            }
        }
        if !text.is_empty() {
            text.extend_from_slice(b"}}");
        }
        true
    }

    /// Returns whether no field was changed.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how a field is changed, if it is.
    pub fn get(&self, field: &str) -> Option<&Write> {
        let found = self.0.iter().find(|(name, _)| name == field);
        found.map(|(_, write)| write)
    }

    /// Gives a field a value, in place of the change that there was, if there was one.
    pub fn set(&mut self, field: impl Into<String>, value: Json) {
        let field = field.into();
        let found = self.0.iter_mut().find(|(name, _)| *name == field);
        match found {
            Some((_, write)) => *write = Write::Set(value),
            None => self.0.push((field.into(), Write::Set(value))),
        }
    }

    /// Takes a field's change away, and returns it, if there was one.
    pub fn remove(&mut self, field: &str) -> Option<Write> {
        let place = self.0.iter().position(|(name, _)| name == field)?;
        Some(self.0.remove(place).1)
    }

    /// Gives a changed field another name, in place of what was known under that name, and returns whether
    /// there is such a field.
    pub fn rename(&mut self, field: &str, name: impl Into<String>) -> bool {
        let Some(write) = self.remove(field) else {
            return false;
        };
        let name = name.into();
        self.remove(&name);
        self.0.push((name.into(), write));
        true
    }

    /// Makes another value of a changed field's, or, of a log that was appended to, another list of the
    /// list of new items. Returns whether there is such a field.
    ///
    /// ```
    /// use handoffs_runtime::{JsonError, Writes};
    ///
    /// /// Prices were in euros, and are in cents now.
    /// fn in_cents(writes: &mut Writes) -> Result<bool, JsonError> {
    ///     writes.change("price", |euros: f64| (euros * 100.0).round() as u64)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the value is no `T`, or if JSON cannot hold what was made of it; then it is as it was.
    pub fn change<T: DeserializeOwned, U: Serialize>(
        &mut self,
        field: &str,
        change: impl FnOnce(T) -> U,
    ) -> Result<bool, JsonError> {
        let found = self.0.iter_mut().find(|(name, _)| name == field);
        let Some((_, Write::Set(value) | Write::Append(value))) = found else {
            return Ok(false);
        };
        *value = Json::of(&change(value.to()?))?;
        Ok(true)
    }

    /// Returns the changed fields by name, in the order of declaration.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Write)> {
        self.0.iter().map(|(name, write)| (name.as_ref(), write))
    }
}

/// Writes one field, but for the brace behind it.
fn put<T: Serialize>(text: &mut Vec<u8>, name: &str, way: &str, value: &T) -> bool {
    if serde_json::to_writer(&mut *text, name).is_err() {
        return false;
    }
    for part in [":{\"", way, "\":"] {
        text.extend_from_slice(part.as_bytes());
    }
    let begin = text.len();
    if serde_json::to_writer(&mut *text, value).is_err() {
        return false;
    }
    // What is lost is written as `null`; whether it is, needs a second look.
    let written = std::str::from_utf8(&text[begin..]);
    written.is_ok_and(|written| !written.contains("null"))
}

impl Serialize for Writes {
    /// Writes a map, in the order of the fields.
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Writes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;

        impl<'de> Visitor<'de> for Map {
            type Value = Writes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Writes, A::Error> {
                let mut writes = Vec::new();
                while let Some((name, write)) = map.next_entry::<String, Write>()? {
                    writes.push((name.into(), write));
                }
                Ok(Writes(writes))
            }
        }

        deserializer.deserialize_map(Map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(writes: &Writes) -> String {
        serde_json::to_string(writes).unwrap()
    }

    #[test]
    fn writes_are_put_right_by_name() {
        let text = r#"{"price":{"set":2},"log":{"append":[1,2]},"gone":{"set":null}}"#;
        let mut writes: Writes = serde_json::from_str(text).unwrap();
        assert!(matches!(writes.get("log"), Some(Write::Append(_))));
        assert!(writes.remove("gone").is_some());
        assert!(writes.remove("gone").is_none());
        assert!(writes.change("price", |euros: u64| euros * 100).unwrap());
        let more = |items: Vec<u32>| items.into_iter().map(|item| item.to_string());
        let changed = writes.change("log", |items| more(items).collect::<Vec<_>>());
        assert!(changed.unwrap());
        assert!(!writes.change("gone", |none: ()| none).unwrap());
        assert_eq!(
            json(&writes),
            r#"{"price":{"set":200},"log":{"append":["1","2"]}}"#
        );

        assert!(writes.rename("price", "cents"));
        assert!(!writes.rename("price", "cents"));
        assert!(writes.rename("cents", "log"), "in place of what was there");
        writes.set("note", Json::of("new").unwrap());
        writes.set("log", Json::of(&7).unwrap());
        assert_eq!(json(&writes), r#"{"log":{"set":7},"note":{"set":"new"}}"#);
    }

    #[test]
    fn what_cannot_be_changed_is_as_it_was() {
        let mut writes: Writes = serde_json::from_str(r#"{"price":{"set":"12"}}"#).unwrap();
        writes.change("price", |price: u32| price).unwrap_err();
        writes.change("price", |_: String| f64::NAN).unwrap_err();
        assert_eq!(json(&writes), r#"{"price":{"set":"12"}}"#);
    }
}
