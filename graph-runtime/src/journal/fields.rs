//! The fields of a state as JSON, put together of what the entries say.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use handoffs_core::{Field, FieldSet, FieldSource, State};
use serde::de::DeserializeOwned;

use super::{Json, JsonError, ThreadId, Write, Writes};
use crate::error::RunError;
use crate::marks::{Bring, Gathered, Marks};

/// The fields of a state as JSON, put together of what the entries say.
///
/// Those of a branch lie over those of the path that forked, and hold only what the branch changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    under: Option<Arc<Fields>>,
    own: Vec<(Cow<'static, str>, Folding)>,
}

/// The JSON of a field: a value, or what lies under it, and the items that were appended since.
#[derive(Clone, Debug, Default)]
struct Folding {
    value: Option<Json>,
    appended: Vec<Json>,
}

impl Fields {
    /// Returns the fields of these names, of which none has a value.
    pub(crate) fn new(names: &[&'static str]) -> Self {
        Self::of_names(names.iter().map(|name| Cow::Borrowed(*name)))
    }

    /// Does the same where no graph tells the names.
    pub(super) fn of_names(names: impl Iterator<Item = Cow<'static, str>>) -> Self {
        let own = names.map(|name| (name, Folding::default()));
        Self {
            under: None,
            own: own.collect(),
        }
    }

    /// Returns the same fields without their values.
    pub(super) fn anew(&self) -> Self {
        Self::of_names(self.own.iter().map(|(name, _)| name.clone()))
    }

    /// Returns the fields that have a value, as JSON.
    pub(super) fn values(&self) -> impl Iterator<Item = (String, Result<Json, JsonError>)> {
        self.own.iter().filter_map(|(name, _)| {
            let json = Json::from_text(self.json(name)?.into_owned());
            Some((name.to_string(), json))
        })
    }

    /// Returns the same fields, to be changed by a branch.
    pub(crate) fn over(under: &Arc<Self>) -> Self {
        let own = under
            .own
            .iter()
            .map(|(name, _)| (name.clone(), Folding::default()));
        Self {
            under: Some(Arc::clone(under)),
            own: own.collect(),
        }
    }

    /// Takes the changes of an entry in, and returns which fields they are.
    pub(crate) fn take(&mut self, writes: &Writes) -> Result<Marks, String> {
        let mut marks = Marks::default();
        for (name, write) in &writes.0 {
            let place = self.own.iter().position(|(field, _)| field == name);
            let place = place.ok_or_else(|| format!("the state has no field `{name}`"))?;
            let folding = &mut self.own[place].1;
            marks.changed = marks.changed.with(place);
            match write {
                Write::Set(value) => {
                    marks.set = marks.set.with(place);
                    *folding = Folding {
                        value: Some(value.clone()),
                        appended: Vec::new(),
                    }
                }
                Write::Append(items) => folding.appended.push(items.clone()),
            }
        }
        Ok(marks)
    }

    /// Takes the changes of those fields in that are there, and returns which they are.
    pub(crate) fn take_known(&mut self, mut writes: Writes) -> Marks {
        let known = |name: &str| self.own.iter().any(|(field, _)| field == name);
        writes.0.retain(|(name, _)| known(name));
        self.take(&writes).unwrap_or_default()
    }

    /// Returns the fields' own values, without what lies under them, in as few writes as there can be.
    pub(super) fn own(&self) -> Result<Writes, JsonError> {
        let own = self.own.iter().filter_map(|(name, own)| {
            let Folding { value, appended } = own;
            let lists = || value.iter().chain(appended).map(Json::as_str);
            let write = match (value, appended.as_slice()) {
                (None, []) => return None,
                (Some(value), []) => Ok(Write::Set(value.clone())),
                (Some(_), _) => Json::from_text(chained(lists())).map(Write::Set),
                (None, _) => Json::from_text(chained(lists())).map(Write::Append),
            };
            Some(write.map(|write| (name.clone(), write)))
        });
        own.collect::<Result<_, _>>().map(Writes)
    }

    /// Returns the fields of these names that a state has.
    pub(crate) fn named(&self, names: &[Cow<'static, str>]) -> FieldSet {
        let place = |name| self.own.iter().position(|(field, _)| field == name);
        names
            .iter()
            .filter_map(place)
            .fold(FieldSet::EMPTY, FieldSet::with)
    }

    /// Brings in what a branch changed, as far as its own entries tell.
    ///
    /// `branch` lies over the same fields as these did when they forked.
    pub(crate) fn bring(&mut self, gathered: &mut Gathered, branch: &Self, marks: Marks) {
        for (field, way) in gathered.bring(marks) {
            let (Some((_, own)), Some((_, theirs))) =
                (self.own.get_mut(field), branch.own.get(field))
            else {
                continue;
            };
            match way {
                Bring::Take if theirs.value.is_some() => *own = theirs.clone(),
                Bring::Take => {
                    // What other branches made of it since the fork is dropped with it.
                    own.value = None;
                    own.appended.clone_from(&theirs.appended);
                }
                Bring::Append => own.appended.extend(theirs.appended.iter().cloned()),
                // The entry of the join says what came of it.
                Bring::Merge | Bring::Drop | Bring::Conflict => {}
            }
        }
    }

    /// Puts these fields, which lie over others, in their place.
    pub(crate) fn settle(self) -> Self {
        let Some(under) = self.under else {
            return self;
        };
        let mut all = Arc::unwrap_or_clone(under);
        for ((_, under), (_, own)) in all.own.iter_mut().zip(self.own) {
            if own.value.is_some() {
                *under = own;
            } else {
                under.appended.extend(own.appended);
            }
        }
        all
    }

    /// Puts the value, or else the lists of items, of a field together.
    fn lists<'a>(&'a self, field: usize, lists: &mut Vec<&'a Json>) {
        let Some((_, own)) = self.own.get(field) else {
            return;
        };
        match (&own.value, &self.under) {
            (Some(value), _) => lists.push(value),
            (None, Some(under)) => under.lists(field, lists),
            (None, None) => {}
        }
        lists.extend(&own.appended);
    }

    /// Returns whether a field has a value.
    pub(super) fn has(&self, name: &str) -> bool {
        let own = self.own.iter().find(|(field, _)| field == name);
        own.is_some_and(|(_, own)| own.value.is_some() || !own.appended.is_empty())
            || self.under.as_ref().is_some_and(|under| under.has(name))
    }

    /// Returns a field's JSON.
    fn json(&self, name: &str) -> Option<Cow<'_, str>> {
        let field = self.own.iter().position(|(field, _)| field == name)?;
        let mut lists = Vec::new();
        self.lists(field, &mut lists);
        match lists.as_slice() {
            [] => None,
            [value] => Some(Cow::Borrowed(value.as_str())),
            lists => Some(Cow::Owned(chained(lists.iter().map(|list| list.as_str())))),
        }
    }

    /// Keeps of a new state's fields only what differs from these; of a list that begins with the
    /// items known already, only the others.
    pub(crate) fn difference(&self, new: Writes) -> Writes {
        let differing = new.0.into_iter().filter_map(|(name, write)| {
            let (Write::Set(value), Some(known)) = (&write, self.json(&name)) else {
                return Some((name, write));
            };
            if value.as_str() == known {
                return None;
            }
            let appended = appended(&known, value.as_str());
            let appended = appended.and_then(|items| Json::from_text(items).ok());
            Some((name, appended.map_or(write, Write::Append)))
        });
        Writes(differing.collect())
    }

    /// Builds the state.
    pub(crate) fn state<S: State>(&self, thread: &ThreadId) -> Result<S, RunError> {
        S::decode(&mut Reader(self)).map_err(|unreadable| unreadable.of(thread))
    }

    /// Writes what a branch changed into a copy of the state that it began with.
    pub(crate) fn load<S: State>(
        &self,
        state: &mut S,
        marks: Marks,
        thread: &ThreadId,
    ) -> Result<(), RunError> {
        for field in marks.changed.iter() {
            let loaded = if marks.appended().contains(field) {
                state.load(field, true, &mut Tail(self))
            } else {
                state.load(field, false, &mut Reader(self))
            };
            loaded.map_err(|unreadable| unreadable.of(thread))?;
        }
        Ok(())
    }
}

/// Returns lists behind each other as one.
fn chained<'a>(lists: impl Iterator<Item = &'a str>) -> String {
    let items: Vec<&str> = lists.map(inner).filter(|items| !items.is_empty()).collect();
    format!("[{}]", items.join(","))
}

/// Returns what stands between the brackets of a JSON list.
fn inner(list: &str) -> &str {
    let list = list.trim();
    list.strip_prefix('[')
        .and_then(|list| list.strip_suffix(']'))
        .unwrap_or(list)
        .trim()
}

/// Returns the items that `new` has behind those of `old`, as a list, if both are lists and `new` begins like `old`.
fn appended(old: &str, new: &str) -> Option<String> {
    let known = old.strip_prefix('[')?.strip_suffix(']')?;
    let rest = new
        .strip_prefix('[')?
        .strip_suffix(']')?
        .strip_prefix(known)?;
    let rest = if known.is_empty() {
        rest
    } else {
        rest.strip_prefix(',')?
    };
    Some(format!("[{rest}]"))
}

/// Reads a state's fields from their JSON.
struct Reader<'a>(&'a Fields);

/// Reads of a state's fields the items that were appended over what lies under them.
struct Tail<'a>(&'a Fields);

struct Unreadable {
    field: &'static str,
    source: serde_json::Error,
}

impl Unreadable {
    fn of(self, thread: &ThreadId) -> RunError {
        RunError::Decode {
            thread: thread.clone(),
            field: self.field,
            source: self.source.into(),
        }
    }
}

fn read<T: DeserializeOwned>(field: &'static Field, json: &str) -> Result<T, Unreadable> {
    serde_json::from_str(json).map_err(|source| Unreadable {
        field: field.name,
        source,
    })
}

impl FieldSource for Reader<'_> {
    type Error = Unreadable;

    fn field<T: DeserializeOwned>(&mut self, field: &'static Field) -> Result<T, Unreadable> {
        // What was never written reads as `null`: an `Option` is `None`, any other type objects.
        let json = self.0.json(field.name).unwrap_or(Cow::Borrowed("null"));
        read(field, &json)
    }

    fn has(&self, field: &'static Field) -> bool {
        self.0.has(field.name)
    }
}

impl FieldSource for Tail<'_> {
    type Error = Unreadable;

    fn field<T: DeserializeOwned>(&mut self, field: &'static Field) -> Result<T, Unreadable> {
        let own = self.0.own.iter().find(|(name, _)| name == field.name);
        let lists = own.map_or(&[][..], |(_, own)| &own.appended);
        read(field, &chained(lists.iter().map(Json::as_str)))
    }
}

impl fmt::Debug for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(fields: &[(&'static str, &str, bool)]) -> Writes {
        let write = |(name, json, append): &(&'static str, &str, bool)| {
            let json = Json::from_text((*json).to_owned()).unwrap();
            let write = if *append {
                Write::Append(json)
            } else {
                Write::Set(json)
            };
            (Cow::Borrowed(*name), write)
        };
        Writes(fields.iter().map(write).collect())
    }

    fn fields(names: &[&'static str]) -> Fields {
        Fields::new(names)
    }

    #[test]
    fn what_was_appended_stands_behind_what_was_set() {
        let mut known = fields(&["log", "note"]);
        known
            .take(&writes(&[("log", "[]", false), ("note", "\"a\"", false)]))
            .unwrap();
        known.take(&writes(&[("log", "[1, 2]", true)])).unwrap();
        known
            .take(&writes(&[("log", "[]", true), ("note", "\"b\"", false)]))
            .unwrap();
        known.take(&writes(&[("log", "[[3]]", true)])).unwrap();
        assert_eq!(known.json("log").as_deref(), Some("[1, 2,[3]]"));
        assert_eq!(known.json("note").as_deref(), Some("\"b\""));

        known.take(&writes(&[("log", "[9]", false)])).unwrap();
        assert_eq!(
            known.json("log").as_deref(),
            Some("[9]"),
            "a list that was replaced"
        );
    }

    #[test]
    fn a_field_that_the_state_does_not_have_is_refused() {
        let refused = fields(&["answer"]).take(&writes(&[("note", "1", false)]));
        assert_eq!(refused.unwrap_err(), "the state has no field `note`");
    }

    #[test]
    fn of_a_new_state_only_the_difference_is_kept() {
        let mut known = fields(&["log", "note", "count", "first"]);
        known
            .take(&writes(&[
                ("log", "[1]", false),
                ("note", "\"a\"", false),
                ("count", "1", false),
            ]))
            .unwrap();
        let new = [
            ("log", "[1,2,3]", false),
            ("note", "\"a\"", false),
            ("count", "12", false),
            ("first", "[]", false),
        ];
        let kept = serde_json::to_string(&known.difference(writes(&new))).unwrap();
        let expected = r#"{"log":{"append":[2,3]},"count":{"set":12},"first":{"set":[]}}"#;
        assert_eq!(kept, expected);
    }

    #[test]
    fn only_a_list_that_begins_with_the_known_items_was_appended_to() {
        assert_eq!(appended("[]", "[1]").as_deref(), Some("[1]"));
        assert_eq!(appended("[1]", "[1,2]").as_deref(), Some("[2]"));
        assert_eq!(appended("[1]", "[12]"), None, "another number");
        assert_eq!(appended("[1,2]", "[1]"), None, "a shorter list");
        assert_eq!(appended("{}", "{\"a\":1}"), None, "no list");
    }
}
