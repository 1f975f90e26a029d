//! A path as a snapshot keeps it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::entry::{Ask, AskId, Failure, Forked};
use super::super::fields::Fields;
use super::super::fold::{
    Folded, FoldedFork, rename_ask, rename_field, rename_fields, rename_fork, rename_node,
};
use super::super::writes::Writes;
use super::super::{Json, JsonError, Used};
use crate::difference::Difference;
use crate::engine::{Action, Engine, Legend};
use crate::marks::Marks;
use crate::once::Effects;
use crate::plan::Plan;

/// What the entries of one path add up to, without the paths that have left it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::journal) struct SavedPath {
    /// Which of the snapshot's legends tells the engine's places.
    pub(super) legend: usize,
    engine: Engine,
    arrived: u64,
    /// The fields of the path's own, without those under it; of a path that has forked none.
    #[serde(default, skip_serializing_if = "Writes::is_empty")]
    fields: Writes,
    #[serde(default, skip_serializing_if = "Marked::is_empty")]
    marks: Marked,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<Ask>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    answers: Vec<(String, Json)>,
    #[serde(default, skip_serializing_if = "Effects::is_empty")]
    effects: Effects,
    #[serde(default, skip_serializing_if = "Used::is_empty")]
    calls: Used,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    used: Vec<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caught: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fork: Option<SavedFork>,
}

/// A fork whose branches are under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SavedFork {
    seq: u64,
    forked: Forked,
    /// The fields that the branches lie over: of these, the path's own.
    under: Writes,
}

/// Marks of fields, by their names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Marked {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changed: Vec<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    appended: Vec<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replaced: Vec<Cow<'static, str>>,
}

impl SavedPath {
    /// Saves a path through a graph.
    pub(super) fn of(folded: &Folded, plan: &Plan, legend: usize) -> Result<Self, JsonError> {
        let fork = folded.fork.as_ref().map(|fork| {
            Ok::<_, JsonError>(SavedFork {
                seq: fork.seq,
                forked: fork.forked.clone(),
                under: fork.under.own()?,
            })
        });
        Ok(Self {
            legend,
            engine: folded.engine.clone(),
            arrived: folded.arrived,
            fields: folded.fields.own()?,
            marks: Marked::of(folded.marks, plan),
            open: folded.open.clone(),
            answers: folded.answers.clone(),
            effects: folded.effects.clone(),
            calls: folded.calls,
            used: folded.used.clone(),
            caught: folded.caught.clone(),
            refused: folded.refused.clone(),
            error: folded.error.clone(),
            fork: fork.transpose()?,
        })
    }

    pub(super) const fn open(&self) -> Option<&Ask> {
        self.open.as_ref()
    }

    /// Returns what is next on the path, in the places of the legend, and the error on which it ended.
    pub(in crate::journal) fn next(&self) -> (Action, Option<&str>) {
        (self.engine.next(), self.error.as_deref())
    }

    /// Returns whether the last thing that happened was an error.
    pub(in crate::journal) fn has_failed(&self) -> bool {
        self.engine.has_failed()
    }

    /// Returns the entry with which the path came to the node that is due.
    pub(in crate::journal) const fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Returns the fields that the path itself has values of.
    pub(in crate::journal) const fn fields(&self) -> &Writes {
        &self.fields
    }

    /// Returns whether the path has changed all fields that it has values of; one that began with a state
    /// of its own most often has not.
    pub(in crate::journal) fn has_changed_all(&self) -> bool {
        let changed = &self.marks.changed;
        let mut fields = self.fields.0.iter();
        fields.all(|(name, _)| changed.contains(name))
    }

    /// Returns what the path has done to these fields.
    pub(in crate::journal) fn marks(&self, fields: &Fields) -> Result<Marks, String> {
        self.marks.within(fields)
    }

    /// Returns the fork whose branches are under way, its entry and what they lie over.
    pub(in crate::journal) fn fork(&self) -> Option<(u64, &Forked, &Writes)> {
        let fork = self.fork.as_ref()?;
        Some((fork.seq, &fork.forked, &fork.under))
    }

    /// Returns the same path as the graph that runs would have saved it, as far as names go.
    pub(super) fn renamed(&self, plan: &Plan) -> Result<Self, Difference> {
        let mut path = self.clone();
        rename_fields(&mut path.fields, plan)?;
        let Marked {
            changed,
            appended,
            replaced,
        } = &mut path.marks;
        let mut marked = changed.iter_mut().chain(appended).chain(replaced);
        marked.try_for_each(|name| rename_field(name, plan))?;
        if let Some(ask) = &mut path.open {
            rename_ask(ask, plan)?;
        }
        if let Some(failure) = &mut path.caught {
            rename_node(&mut failure.node, plan)?;
        }
        if let Some(fork) = &mut path.fork {
            rename_fork(&mut fork.forked, plan)?;
            rename_fields(&mut fork.under, plan)?;
        }
        Ok(path)
    }

    /// Returns whether the path was over or had failed, or else how many branches were under way, and
    /// after which entry they had left it.
    pub(in crate::journal) fn rest(&self) -> Result<bool, (u64, u32)> {
        match (self.engine.next(), &self.fork) {
            (Action::Finish(..) | Action::Abandon, _) => Ok(true),
            // The branches could not be joined.
            (_, Some(_)) if self.error.is_some() => Ok(true),
            (_, Some(fork)) => Err((fork.seq, fork.forked.branches)),
            _ => Ok(self.engine.has_failed()),
        }
    }

    /// Returns whether the path waited for this question, whether a handoff may be.
    pub(in crate::journal) fn asks_approval(&self, ask: AskId) -> bool {
        matches!(self.engine.next(), Action::Approve(_, asked) if asked == ask)
    }

    /// Returns the path as it was saved, which was `begun`; or says why it has no place in the graph.
    pub(super) fn restore(
        &self,
        legend: &Legend,
        plan: &Plan,
        begun: Folded,
    ) -> Result<Folded, Difference> {
        let unfit = |reason: String| Difference::Snapshot {
            reason: reason.into(),
        };
        let mut fields = begun.fields;
        let marks = self.marks.within(&fields).map_err(unfit)?;
        let engine = self.engine.moved(legend, plan)?;
        let fork = match (&self.fork, engine.next()) {
            (Some(fork), Action::Branch(_)) => {
                fields.take(&fork.under).map_err(unfit)?;
                Some(FoldedFork {
                    seq: fork.seq,
                    forked: fork.forked.clone(),
                    under: Arc::new(std::mem::take(&mut fields)),
                    branches: Vec::new(),
                })
            }
            (None, Action::Branch(_)) | (Some(_), _) => {
                let reason = "it has branches where nothing had forked, or none";
                return Err(unfit(reason.to_owned()));
            }
            (None, _) => {
                fields.take(&self.fields).map_err(unfit)?;
                None
            }
        };
        Ok(Folded {
            engine,
            arrived: self.arrived,
            fields,
            marks,
            open: self.open.clone(),
            answers: self.answers.clone(),
            effects: self.effects.clone(),
            calls: self.calls,
            used: self.used.clone(),
            caught: self.caught.clone(),
            refused: self.refused.clone(),
            error: self.error.clone(),
            item: begun.item,
            past: begun.past,
            fork,
        })
    }
}

impl Marked {
    fn of(marks: Marks, plan: &Plan) -> Self {
        let names = |fields: handoffs_core::FieldSet| {
            let names = fields.iter().filter_map(|field| plan.fields.get(field));
            names.map(|name| Cow::Borrowed(*name)).collect()
        };
        Self {
            changed: names(marks.changed),
            appended: names(marks.appended()),
            replaced: names(marks.replaced),
        }
    }

    fn is_empty(&self) -> bool {
        self.changed.is_empty()
    }

    fn within(&self, fields: &Fields) -> Result<Marks, String> {
        let named = |names: &[Cow<'static, str>]| {
            let found = fields.named(names);
            if found.iter().count() == names.len() {
                Ok(found)
            } else {
                Err(format!("the state has not all of the fields {names:?}"))
            }
        };
        let changed = named(&self.changed)?;
        Ok(Marks {
            changed,
            set: changed.minus(named(&self.appended)?),
            replaced: named(&self.replaced)?,
        })
    }
}
