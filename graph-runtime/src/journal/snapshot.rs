//! What a thread's entries add up to, kept beside them, so that not all of them have to be read.
//!
//! A snapshot says nothing that the entries up to its head do not say. It stands in names and not in
//! places, as entries do, so it outlives a change of the graph.

mod path;
mod read;
mod take;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BranchId, GraphId, Hash, Head, Json, Metering, Open, Record};
use crate::engine::Legend;
pub(super) use path::SavedPath;
pub(crate) use read::{Kept, kept};
pub(crate) use take::unsaved;

/// The number of the format that this version writes; it reads no other.
const FORMAT: u32 = 1;

/// What a thread's entries add up to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    format: u32,
    /// The last entry that is taken in.
    pub(crate) head: Head,
    /// The graphs on whose paths something is under way; the first is that of the trunk.
    legends: Vec<Legend>,
    /// The paths that are under way. What any other came to is part of the one that it has left.
    paths: BTreeMap<BranchId, SavedPath>,
    /// What was used, if anything was that nodes said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) metering: Option<Metering>,
    #[serde(default, skip_serializing_if = "Beginning::is_unknown")]
    beginning: Beginning,
}

/// The snapshot of the first entry that is kept, if those before were trimmed: by it, the state after each
/// one that is kept is known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Beginning {
    /// Nothing was trimmed, or by a version that did not keep it.
    #[default]
    Unknown,
    /// It is the snapshot itself.
    Here,
    /// It is this one.
    Before(Json),
}

impl Beginning {
    const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Returns it as a journal would keep it, if it is another snapshot than the one that says so.
    fn record(&self) -> Option<Record> {
        let Self::Before(snapshot) = self else {
            return None;
        };
        let body = snapshot.as_str().as_bytes();
        let Header { head, .. } = serde_json::from_slice(body).ok()?;
        Some(Record::new(head.seq, Hash::of(body), body.to_vec()))
    }
}

/// What every snapshot says of itself, in whichever format.
#[derive(Debug, Deserialize)]
struct Header {
    format: u32,
    head: Head,
    #[serde(default)]
    beginning: Beginning,
}

impl Header {
    /// Reads what a snapshot says of itself, or says what is wrong with it.
    fn open(record: &Record) -> Result<Self, String> {
        if Hash::of(&record.body) != record.hash {
            return Err("its hash is not that of its content".to_owned());
        }
        let header: Self = serde_json::from_slice(&record.body).map_err(|error| {
            let layer = super::layer::layer_of(&record.body);
            let through = |layer| format!("it was written through `{layer}`");
            layer.map_or_else(|| error.to_string(), through)
        })?;
        if header.head.seq != record.seq || record.seq == 0 {
            return Err("it is another one than its number says".to_owned());
        }
        Ok(header)
    }
}

impl Snapshot {
    /// Reads a snapshot, or says what is wrong with it.
    fn open(record: &Record) -> Result<Self, String> {
        let Header { format, .. } = Header::open(record)?;
        if format != FORMAT {
            return Err(format!(
                "it is of format {format}, and this version reads format {FORMAT}"
            ));
        }
        let snapshot: Self =
            serde_json::from_slice(&record.body).map_err(|error| error.to_string())?;
        if snapshot.legends.is_empty() {
            return Err("it names no graph".to_owned());
        }
        Ok(snapshot)
    }

    /// Says that entries are trimmed up to the one that ends this snapshot, which stays, or up to the one
    /// that ends another, if that could be taken.
    pub(crate) fn beginning_with(self, first: Option<Self>) -> serde_json::Result<Self> {
        let beginning = match first {
            Some(first) if first.head == self.head => Beginning::Here,
            Some(first) => Beginning::Before(Json::approximate(&Self {
                beginning: Beginning::Here,
                ..first
            })?),
            None => Beginning::Unknown,
        };
        Ok(Self { beginning, ..self })
    }

    /// Says where the entries begin that are kept, for a snapshot behind this one.
    fn beginning(&self) -> serde_json::Result<Beginning> {
        match &self.beginning {
            Beginning::Here => Json::approximate(self).map(Beginning::Before),
            known => Ok(known.clone()),
        }
    }

    /// Writes it down as a journal keeps it.
    pub(crate) fn record(&self) -> serde_json::Result<Record> {
        let body = serde_json::to_vec(self)?;
        Ok(Record::new(self.head.seq, Hash::of(&body), body))
    }

    /// Returns the graph of the trunk.
    pub(crate) fn graph(&self) -> Option<&GraphId> {
        self.legends.first().map(|legend| &legend.graph)
    }

    /// Returns the graph of a path that was under way; of the trunk in any case.
    pub(crate) fn graph_of(&self, branch: &BranchId) -> Option<&GraphId> {
        if branch.is_trunk() {
            return self.graph();
        }
        self.legend(branch).map(|legend| &legend.graph)
    }

    /// Returns what the places mean in which a path is saved.
    pub(super) fn legend(&self, branch: &BranchId) -> Option<&Legend> {
        self.legends.get(self.paths.get(branch)?.legend)
    }

    /// Returns the paths that were under way.
    pub(super) fn paths(&self) -> impl Iterator<Item = &BranchId> {
        self.paths.keys()
    }

    /// Returns a path that was under way.
    pub(super) fn path(&self, branch: &BranchId) -> Option<&SavedPath> {
        self.paths.get(branch)
    }

    /// Returns whether a path was under way.
    pub(crate) fn has(&self, branch: &BranchId) -> bool {
        self.paths.contains_key(branch)
    }

    /// Returns the questions that were open.
    fn open_asks(&self) -> Open {
        let asks = self.paths.iter();
        Open::of(asks.filter_map(|(branch, path)| Some((branch, path.open()?))))
    }
}
