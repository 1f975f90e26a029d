//! A path as a snapshot keeps it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::entry::{Ask, Failure, Forked, Writes};
use super::super::fields::Fields;
use super::super::fold::{Folded, FoldedFork, rename_field, rename_fields, rename_node};
use super::super::{Json, JsonError};
use crate::difference::Difference;
use crate::engine::{Action, Engine, Legend};
use crate::marks::Marks;
use crate::once::Effects;
use crate::plan::Plan;

/// What the entries of one path add up to, without the paths that have left it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SavedPath {
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

/// How a path had come to rest.
pub(in crate::journal) enum Rest {
    /// With an error.
    Failed,
    /// At an end, or given up.
    Over,
    /// At a fork, the entry of which has this number, with so many branches.
    Forked(u64, u32),
    /// It is under way, or unknown.
    None,
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

    /// Returns how the path had come to rest.
    pub(super) fn rest(&self) -> Rest {
        match (self.engine.next(), &self.fork) {
            _ if self.engine.has_failed() => Rest::Failed,
            (Action::Finish(..) | Action::Abandon, _) => Rest::Over,
            (Action::Branch(_), Some(_)) if self.error.is_some() => Rest::Failed,
            (Action::Branch(_), Some(fork)) => Rest::Forked(fork.seq, fork.forked.branches),
            _ => Rest::None,
        }
    }

    /// Returns the path as it was saved, which was `begun`; or says why it has no place in the graph.
    pub(super) fn restore(
        &self,
        legend: &Legend,
        plan: &Plan,
        begun: Folded,
    ) -> Result<Folded, Difference> {
        if legend.graph != plan.id {
            let mut renamed = self.clone();
            renamed.rename(plan)?;
            return renamed.restored(legend, plan, begun);
        }
        self.restored(legend, plan, begun)
    }

    /// Puts the names that nodes and fields have now into what was saved.
    fn rename(&mut self, plan: &Plan) -> Result<(), Difference> {
        rename_fields(&mut self.fields, plan)?;
        let Marked {
            changed,
            appended,
            replaced,
        } = &mut self.marks;
        let mut marked = changed.iter_mut().chain(appended).chain(replaced);
        marked.try_for_each(|name| rename_field(name, plan))?;
        if let Some(open) = &mut self.open {
            rename_node(&mut open.node, plan)?;
        }
        if let Some(caught) = &mut self.caught {
            rename_node(&mut caught.node, plan)?;
        }
        if let Some(fork) = &mut self.fork {
            rename_fields(&mut fork.under, plan)?;
            let mut begin = fork.forked.begin.iter_mut();
            begin.try_for_each(|name| rename_node(name, plan))?;
        }
        Ok(())
    }

    fn restored(&self, legend: &Legend, plan: &Plan, begun: Folded) -> Result<Folded, Difference> {
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
            appended: names(marks.appended),
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
        Ok(Marks {
            changed: named(&self.changed)?,
            appended: named(&self.appended)?,
            replaced: named(&self.replaced)?,
        })
    }
}
