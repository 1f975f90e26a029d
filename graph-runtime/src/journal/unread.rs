//! Entries that nobody has read yet: kept as they were handed in, and made JSON once somebody does.
//!
//! What is in the memory of one process needs to be neither text nor hashed before it is read. So a journal
//! [in memory](super::Memory) takes what happened as it is, and the records that it returns are those that any
//! other journal would have been given.

use std::sync::Arc;

use super::line::Line;
use super::{BranchId, Conclusion, GraphId, Head, Record, Recorded, Usage, Writes};
use crate::plan::Plan;

/// The entries at the end of a thread that nobody has read yet, all of one run.
pub(super) struct Unread {
    /// The last entry before them.
    head: Head,
    run: Writer,
    entries: Vec<Kept>,
    /// The fields that plain steps changed, as JSON, one step's behind the other's.
    texts: Vec<u8>,
}

/// The run that hands entries in.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    /// The plan of the trunk.
    pub(super) plan: Arc<Plan>,
    /// Who is behind the entries.
    pub(super) by: Option<Arc<str>>,
}

enum Kept {
    Step {
        at_ms: u64,
        step: PlainStep,
        /// Where the text of its fields ends.
        end: usize,
    },
    Any(Box<Unwritten>),
}

/// A step of the trunk of which there is no more to say than this, while no question is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainStep {
    pub(crate) took_ms: u64,
    /// The variant of the outcome, which has no payload.
    pub(crate) variant: &'static str,
    pub(crate) edge: u16,
    pub(crate) progress: Option<u64>,
}

/// An entry of any kind, without what the chain adds to it.
pub(super) struct Unwritten {
    pub(super) at_ms: u64,
    pub(super) graph: GraphId,
    pub(super) branch: BranchId,
    pub(super) open: u32,
    pub(super) event: Recorded,
}

impl Unread {
    pub(super) const fn behind(head: Head, run: Writer) -> Self {
        Self {
            head,
            run,
            entries: Vec::new(),
            texts: Vec::new(),
        }
    }

    /// Returns the number of the last entry.
    pub(super) const fn last(&self) -> u64 {
        self.head.seq + self.entries.len() as u64
    }

    /// Returns the last entry if all are read.
    pub(super) fn head(&self) -> Option<Head> {
        self.entries.is_empty().then_some(self.head)
    }

    pub(super) fn put(&mut self, entry: Unwritten) {
        self.entries.push(Kept::Any(Box::new(entry)));
    }

    /// Puts a step behind the others, with the JSON of the fields that it changed.
    pub(super) fn put_step(&mut self, at_ms: u64, step: PlainStep, fields: &[u8]) {
        self.texts.extend_from_slice(fields);
        let end = self.texts.len();
        self.entries.push(Kept::Step { at_ms, step, end });
    }

    /// Makes records of all entries, or leaves all as they are.
    pub(super) fn read(&mut self) -> serde_json::Result<Vec<Record>> {
        let (mut head, mut room, mut begin) = (self.head, 0, 0);
        let mut records = Vec::with_capacity(self.entries.len());
        for kept in &self.entries {
            let unwritten;
            let entry = match kept {
                Kept::Any(entry) => &**entry,
                Kept::Step { at_ms, step, end } => {
                    unwritten = step.entry(*at_ms, &self.run.plan, &self.texts[begin..*end])?;
                    begin = *end;
                    &unwritten
                }
            };
            let line = Line {
                seq: head.seq + 1,
                at_ms: entry.at_ms,
                graph: &entry.graph,
                prev: &head.hash,
                branch: &entry.branch,
                by: self.run.by.as_deref(),
                open: entry.open,
                event: &entry.event,
            };
            let record = line.record(room)?;
            room = record.body.len();
            head = Head::new(record.seq, record.hash);
            records.push(record);
        }
        *self = Self::behind(head, self.run.clone());
        Ok(records)
    }
}

impl PlainStep {
    /// Returns the entry that the step is.
    fn entry(&self, at_ms: u64, plan: &Plan, fields: &[u8]) -> serde_json::Result<Unwritten> {
        let planned = plan.edges.get(usize::from(self.edge));
        let writes = match fields {
            [] => Writes::default(),
            fields => serde_json::from_slice(fields)?,
        };
        let event = Recorded::Stepped {
            node: plan.kept_name(planned.map_or(u16::MAX, |edge| edge.from)),
            outcome: Conclusion::new(self.variant, None),
            edge: self.edge,
            on: plan.edge_label(self.edge),
            masked: None,
            to: planned
                .and_then(|edge| edge.to.node())
                .map(|to| plan.kept_name(to)),
            fork: None,
            progress: self.progress,
            writes,
            replaced: Vec::new(),
            cached: false,
            approval: None,
            authority: None,
            left: None,
            took_ms: self.took_ms,
            usage: Usage::default(),
        };
        Ok(Unwritten {
            at_ms,
            graph: plan.id.clone(),
            branch: BranchId::TRUNK,
            open: 0,
            event,
        })
    }
}
