//! Where a thread is: the fold of its journal.

use std::borrow::Cow;
use std::fmt;

use handoffs_core::{Field, FieldSource, State};
use serde::de::DeserializeOwned;

use super::entry::{Ask, Entry, GraphId, Hash, Recorded, Write, Writes};
use super::{JournalError, Json, Record, ThreadId};
use crate::engine::{Action, Engine, Fact, Refused};
use crate::error::RunError;
use crate::plan::Plan;

/// The end of a thread's journal, to which the next record is appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
}

impl Head {
    /// Returns the head of a thread without records. Its hash is that of the thread's name, so that
    /// no thread's records pass for another's.
    fn of(thread: &ThreadId) -> Self {
        Self {
            seq: 0,
            hash: Hash::of(thread.as_str().as_bytes()),
        }
    }
}

/// What a thread's journal adds up to.
#[derive(Debug)]
pub(crate) struct Folded {
    pub(crate) engine: Engine,
    pub(crate) head: Head,
    /// The last entry that brought the run to the node which is due: its start, or a step.
    pub(crate) arrived: u64,
    pub(crate) fields: Fields,
    /// The question that is open.
    pub(crate) open: Option<Ask>,
    /// The answers that the node which is due has got so far, by the keys of their questions.
    pub(crate) answers: Vec<(String, Json)>,
    /// The questions that were answered.
    pub(crate) answered: Vec<super::AskId>,
    /// The error on which the run ended, if it did.
    pub(crate) failure: Option<String>,
}

/// Reads a thread's entries, and checks that each is what was written and follows the one before.
pub(crate) fn entries(thread: &ThreadId, records: &[Record]) -> Result<Vec<Entry>, JournalError> {
    let mut head = Head::of(thread);
    let mut entries = Vec::with_capacity(records.len());
    for record in records {
        let damaged = |reason: String| JournalError::damaged(thread, record.seq, reason);
        if record.seq != head.seq + 1 {
            return Err(damaged(format!("it follows record {}", head.seq)));
        }
        if Hash::of(&record.body) != record.hash {
            return Err(damaged("its hash is not that of its content".to_owned()));
        }
        let entry: Entry = serde_json::from_slice(&record.body)
            .map_err(|error| damaged(format!("it is no entry: {error}")))?;
        if entry.prev != head.hash || entry.seq != record.seq {
            return Err(damaged(
                "it does not belong behind the record before it".to_owned(),
            ));
        }
        head = Head {
            seq: record.seq,
            hash: record.hash,
        };
        entries.push(entry);
    }
    Ok(entries)
}

impl Folded {
    /// Folds a thread's journal, as the graph of `plan` wrote it.
    pub(crate) fn new<S: State>(
        plan: &Plan,
        thread: &ThreadId,
        records: &[Record],
    ) -> Result<Self, RunError> {
        let journal = |source| RunError::Journal {
            thread: thread.clone(),
            node: None,
            source,
        };
        let mut folded = Self {
            engine: Engine::new(plan),
            head: Head::of(thread),
            arrived: 0,
            fields: Fields::new::<S>(),
            open: None,
            answers: Vec::new(),
            answered: Vec::new(),
            failure: None,
        };
        for entry in entries(thread, records).map_err(journal)? {
            if entry.graph != plan.id {
                return Err(other_graph(thread, entry.graph, plan));
            }
            let seq = entry.seq;
            if matches!(
                entry.event,
                Recorded::Started { .. } | Recorded::Stepped { .. }
            ) {
                folded.arrived = seq;
            }
            folded
                .take(plan, entry.event)
                .map_err(|reason| journal(JournalError::damaged(thread, seq, reason)))?;
        }
        if let Some(last) = records.last() {
            folded.head = Head {
                seq: last.seq,
                hash: last.hash,
            };
        }
        Ok(folded)
    }

    fn take(&mut self, plan: &Plan, event: Recorded) -> Result<(), String> {
        let fact = match event {
            Recorded::Started { writes } => {
                self.fields.take(writes)?;
                self.answers.clear();
                self.failure = None;
                Fact::Started
            }
            stepped @ Recorded::Stepped { .. } => return self.step(plan, stepped),
            Recorded::Asked(ask) => {
                let id = ask.id;
                self.open = Some(ask);
                Fact::Asked(id)
            }
            Recorded::Answered { ask, answer } => {
                let question = self.open.take().filter(|open| open.id == ask);
                let question = question.ok_or_else(|| format!("question {ask} was not open"))?;
                self.answers.push((question.key, answer));
                self.answered.push(ask);
                Fact::Answered
            }
            Recorded::Failed { error, .. } => {
                self.failure = Some(error);
                Fact::Failed
            }
        };
        self.engine
            .on(plan, fact)
            .map_err(|refused| reason(&refused))
    }

    /// Decides as the run did, and sees whether it then went where the entry says.
    fn step(&mut self, plan: &Plan, stepped: Recorded) -> Result<(), String> {
        let Recorded::Stepped {
            node,
            edge,
            masked,
            to,
            progress,
            writes,
            ..
        } = stepped
        else {
            return Err("it is no step".to_owned());
        };
        let due = match self.engine.next() {
            Action::Execute(due) => plan.name(due),
            _ => return Err("no node was due".to_owned()),
        };
        if due != node {
            return Err(format!("node `{node}` took a step when `{due}` was due"));
        }
        let hop = self
            .engine
            .decide(plan, edge, progress)
            .map_err(|refused| reason(&refused))?;
        let went = hop.to.node().map(|to| plan.name(to));
        if went != to.as_deref() || hop.masked != masked {
            let (went, to) = (went.unwrap_or("end"), to.as_deref().unwrap_or("end"));
            return Err(format!(
                "it says that `{node}` led to `{to}`, and by this graph it leads to `{went}`"
            ));
        }
        self.fields.take(writes)?;
        self.answers.clear();
        self.failure = None;
        Ok(())
    }
}

fn reason(refused: &Refused) -> String {
    match refused {
        Refused::Loop { .. } => "a masked edge was taken".to_owned(),
        Refused::Impossible(reason) => (*reason).to_owned(),
    }
}

fn other_graph(thread: &ThreadId, recorded: GraphId, plan: &Plan) -> RunError {
    RunError::OtherGraph {
        thread: thread.clone(),
        recorded,
        graph: plan.id.clone(),
    }
}

/// The fields of a state as JSON, put together of what the entries say.
#[derive(Clone, Debug)]
pub(crate) struct Fields(Vec<(&'static str, Folding)>);

/// The JSON of a field: a value, and the items that were appended to it since.
#[derive(Clone, Debug, Default)]
struct Folding {
    value: Option<Json>,
    appended: Vec<Json>,
}

impl Fields {
    fn new<S: State>() -> Self {
        Self(
            S::FIELDS
                .iter()
                .map(|field| (field.name, Folding::default()))
                .collect(),
        )
    }

    fn take(&mut self, writes: Writes) -> Result<(), String> {
        for (name, write) in writes.0 {
            let field = self.0.iter_mut().find(|(field, _)| *field == name);
            let (_, folding) = field.ok_or_else(|| format!("the state has no field `{name}`"))?;
            match write {
                Write::Set(value) => {
                    *folding = Folding {
                        value: Some(value),
                        appended: Vec::new(),
                    }
                }
                Write::Append(items) => folding.appended.push(items),
            }
        }
        Ok(())
    }

    /// Returns a field's JSON.
    fn json(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, folding) = self.0.iter().find(|(field, _)| *field == name)?;
        let value = folding.value.as_ref()?.as_str();
        if folding.appended.is_empty() {
            return Some(Cow::Borrowed(value));
        }
        let lists = core::iter::once(value).chain(folding.appended.iter().map(Json::as_str));
        let items: Vec<&str> = lists.map(inner).filter(|items| !items.is_empty()).collect();
        Some(Cow::Owned(format!("[{}]", items.join(","))))
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
            let appended = appended(&known, value.as_str()).and_then(Json::from_text);
            Some((name, appended.map_or(write, Write::Append)))
        });
        Writes(differing.collect())
    }

    /// Builds the state.
    pub(crate) fn state<S: State>(&self, thread: &ThreadId) -> Result<S, RunError> {
        S::decode(&mut Reader(self)).map_err(|Unreadable { field, source }| RunError::Decode {
            thread: thread.clone(),
            field,
            source: source.into(),
        })
    }
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

struct Unreadable {
    field: &'static str,
    source: serde_json::Error,
}

impl FieldSource for Reader<'_> {
    type Error = Unreadable;

    fn field<T: DeserializeOwned>(&mut self, field: &'static Field) -> Result<T, Unreadable> {
        // What was never written reads as `null`: an `Option` is `None`, any other type objects.
        let json = self.0.json(field.name).unwrap_or(Cow::Borrowed("null"));
        serde_json::from_str(&json).map_err(|source| Unreadable {
            field: field.name,
            source,
        })
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
        Fields(
            names
                .iter()
                .map(|name| (*name, Folding::default()))
                .collect(),
        )
    }

    #[test]
    fn what_was_appended_stands_behind_what_was_set() {
        let mut known = fields(&["log", "note"]);
        known
            .take(writes(&[("log", "[]", false), ("note", "\"a\"", false)]))
            .unwrap();
        known.take(writes(&[("log", "[1, 2]", true)])).unwrap();
        known
            .take(writes(&[("log", "[]", true), ("note", "\"b\"", false)]))
            .unwrap();
        known.take(writes(&[("log", "[[3]]", true)])).unwrap();
        assert_eq!(known.json("log").as_deref(), Some("[1, 2,[3]]"));
        assert_eq!(known.json("note").as_deref(), Some("\"b\""));

        known.take(writes(&[("log", "[9]", false)])).unwrap();
        assert_eq!(
            known.json("log").as_deref(),
            Some("[9]"),
            "a list that was replaced"
        );
    }

    #[test]
    fn a_field_that_the_state_does_not_have_is_refused() {
        let refused = fields(&["answer"]).take(writes(&[("note", "1", false)]));
        assert_eq!(refused.unwrap_err(), "the state has no field `note`");
    }

    #[test]
    fn of_a_new_state_only_the_difference_is_kept() {
        let mut known = fields(&["log", "note", "count", "first"]);
        known
            .take(writes(&[
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
