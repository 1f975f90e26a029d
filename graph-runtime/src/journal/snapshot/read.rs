//! Reading a thread: from its snapshot on, where it has one that holds.

use std::sync::Arc;

use super::{Header, Snapshot};
use crate::difference::Difference;
use crate::engine::Legend;
use crate::error::chain;
use crate::journal::fold::{Folded, Past};
use crate::journal::{BranchId, Branches, GraphId, Head, Journal, JournalError, Record, ThreadId};
use crate::plan::Plan;

/// How often a thread is read that is trimmed while it is being read.
const READS: u32 = 8;

/// What is kept of a thread.
#[derive(Clone)]
pub(crate) struct Kept {
    /// The entry before the first that is kept; of a thread that was not trimmed, none with number 0.
    pub(crate) base: Head,
    pub(crate) records: Vec<Record>,
    before: Before,
}

/// What stands for the records before those that are kept.
#[derive(Clone)]
enum Before {
    /// There were none.
    Nothing,
    Snapshot(Record),
    /// Nothing does, for this reason.
    Lost(String),
}

impl Kept {
    /// Keeps only the records up to a number. Returns whether what they add up to is known: not before
    /// the snapshot that stands for those that were trimmed, or the one with which those begin that are
    /// kept.
    pub(crate) fn cut(&mut self, seq: u64) -> bool {
        self.records.retain(|record| record.seq <= seq);
        match &self.before {
            Before::Nothing => true,
            Before::Snapshot(snapshot) if snapshot.seq <= seq => true,
            Before::Snapshot(late) => match self.beginning(late) {
                Some(early) => {
                    self.before = Before::Snapshot(early);
                    true
                }
                None => false,
            },
            Before::Lost(_) => false,
        }
    }

    /// Checks that something stands for what was trimmed, so that the records can be gone on with.
    pub(crate) fn check_before(&self, thread: &ThreadId) -> Result<(), JournalError> {
        match &self.before {
            Before::Lost(why) => {
                let reason = format!("the entries before it are missing, and {why}");
                Err(JournalError::damaged(thread, self.base.seq + 1, reason))
            }
            Before::Nothing | Before::Snapshot(_) => Ok(()),
        }
    }

    /// Returns the snapshot of the first record that is kept, if a later one knows it.
    fn beginning(&self, late: &Record) -> Option<Record> {
        let early = Header::open(late).ok()?.beginning.record()?;
        let Header { head, .. } = Header::open(&early).ok()?;
        let mut records = self.records.iter();
        let is_kept = records.any(|record| Head::new(record.seq, record.hash) == head);
        is_kept.then_some(early)
    }
}

/// Reads all that is kept of a thread.
pub(crate) async fn kept(journal: &dyn Journal, thread: &ThreadId) -> Result<Kept, JournalError> {
    for _ in 0..READS {
        let records = journal.read(thread, 0).await?;
        let Some(first) = records.first().filter(|first| first.seq != 1) else {
            return Ok(Kept {
                base: Head::of(thread),
                records,
                before: Before::Nothing,
            });
        };
        let before = match journal.snapshot(thread).await {
            Ok(Some(snapshot)) => match stands_for(&snapshot, first.seq, &records) {
                Ok(true) => Before::Snapshot(snapshot),
                // It is newer than what was read.
                Ok(false) => continue,
                Err(why) => Before::Lost(format!("the snapshot does not stand for them: {why}")),
            },
            Ok(None) => Before::Lost("there is no snapshot that stands for them".to_owned()),
            // A layer of the journal could not open it.
            Err(error) if error.thread().is_some() => {
                let why = chain(&error);
                Before::Lost(format!("the snapshot does not stand for them: {why}"))
            }
            Err(error) => return Err(error),
        };
        return Ok(Kept {
            base: Head::before(thread, first)?,
            records,
            before,
        });
    }
    Err(JournalError::store(
        "the journal",
        "read",
        format!("thread `{thread}` was trimmed again and again meanwhile"),
    ))
}

/// Returns whether a snapshot takes in the last of these records that it speaks of, or is newer than all of
/// them; says why if it is neither.
fn stands_for(snapshot: &Record, first: u64, records: &[Record]) -> Result<bool, String> {
    let Header { head, .. } = Header::open(snapshot)?;
    let place = head.seq.checked_sub(first).ok_or("it takes in less")?;
    match records.get(usize::try_from(place).unwrap_or(usize::MAX)) {
        Some(last) if last.seq == head.seq && last.hash == head.hash => Ok(true),
        Some(_) => Err("it belongs to other entries".to_owned()),
        None => Ok(false),
    }
}

impl Branches {
    /// Reads a thread, from its snapshot on if it has one that holds, which is of this graph if one is
    /// named, and returns its end.
    pub(crate) async fn load(
        journal: &dyn Journal,
        thread: &ThreadId,
        graph: Option<&GraphId>,
    ) -> Result<(Self, Head), JournalError> {
        let pass_over = |reason: &str| {
            tracing::warn!(%thread, reason, "the snapshot is passed over, and all entries are read");
        };
        for _ in 0..READS {
            let record = match journal.snapshot(thread).await {
                Ok(Some(record)) => record,
                Ok(None) => break,
                // A layer of the journal could not open it.
                Err(error) if error.thread().is_some() => {
                    pass_over(&chain(&error));
                    break;
                }
                Err(error) => return Err(error),
            };
            let snapshot = match Snapshot::open(&record) {
                Ok(snapshot) => snapshot,
                Err(reason) => {
                    pass_over(&reason);
                    break;
                }
            };
            if graph.is_some() && snapshot.graph() != graph {
                // Its entries tell whether the graph has changed in a way that they can bear.
                tracing::debug!(%thread, "the snapshot is of another graph, and all entries are read");
                break;
            }
            let head = snapshot.head;
            let records = journal.read(thread, head.seq - 1).await?;
            match records.first() {
                Some(first) if first.seq == head.seq && first.hash == head.hash => {
                    let size = record.body.len();
                    return Self::behind(thread, snapshot, size, &records);
                }
                // The thread was trimmed meanwhile.
                Some(first) if first.seq > head.seq => {}
                _ => {
                    pass_over("it belongs to other entries");
                    break;
                }
            }
        }
        Self::load_whole(journal, thread).await
    }

    /// Reads all that is kept of a thread, and the snapshot only if it stands for what was trimmed.
    pub(crate) async fn load_whole(
        journal: &dyn Journal,
        thread: &ThreadId,
    ) -> Result<(Self, Head), JournalError> {
        let kept = kept(journal, thread).await?;
        Self::of_kept(thread, kept)
    }

    /// Puts a thread together of what is kept of it.
    pub(crate) fn of_kept(thread: &ThreadId, kept: Kept) -> Result<(Self, Head), JournalError> {
        kept.check_before(thread)?;
        let Kept {
            base,
            records,
            before,
        } = kept;
        let Before::Snapshot(record) = before else {
            return Self::read(thread, &records);
        };
        let snapshot = Snapshot::open(&record).map_err(|reason| {
            let reason = format!(
                "the entries up to {} were trimmed, and the snapshot that stands for them cannot be \
                 read: {reason}",
                base.seq
            );
            JournalError::damaged(thread, record.seq, reason)
        })?;
        let behind = records.partition_point(|known| known.seq < snapshot.head.seq);
        let records = records.get(behind..).unwrap_or_default();
        let (mut told, head) = Self::behind(thread, snapshot, record.body.len(), records)?;
        told.base = Some(base);
        Ok((told, head))
    }

    /// Reads all entries that are kept of a thread, and nothing of what was trimmed before them.
    pub(crate) fn of_entries(thread: &ThreadId, kept: &Kept) -> Result<Self, JournalError> {
        let mut told = Self::default();
        told.add(thread, kept.base, &kept.records)?;
        told.base = Some(kept.base);
        Ok(told)
    }

    /// Reads what was written since these entries were read, and returns the end.
    pub(crate) async fn read_on(
        mut self,
        journal: &dyn Journal,
        thread: &ThreadId,
        graph: &GraphId,
    ) -> Result<(Self, Head), JournalError> {
        let from = self.head.unwrap_or_else(|| Head::of(thread));
        let records = journal.read(thread, from.seq).await?;
        match records.first() {
            // The thread was trimmed meanwhile.
            Some(first) if first.seq != from.seq + 1 => {
                Self::load(journal, thread, Some(graph)).await
            }
            _ => {
                let head = self.add(thread, from, &records)?;
                Ok((self, head))
            }
        }
    }

    /// Puts a thread together of a snapshot and its records, of which the first is the last that the
    /// snapshot takes in.
    fn behind(
        thread: &ThreadId,
        snapshot: Snapshot,
        size: usize,
        records: &[Record],
    ) -> Result<(Self, Head), JournalError> {
        let mut told = Self::default();
        let from = snapshot.head;
        let records = records.get(1..).unwrap_or_default();
        told.open = snapshot.open_asks();
        told.snapshot = Some(Arc::new(snapshot));
        told.extent.snapshot = size as u64;
        let head = told.add(thread, from, records)?;
        Ok((told, head))
    }

    /// Returns what a snapshot says of a path, which was `begun`, or says why it does not fit.
    pub(crate) fn restore(
        &self,
        plan: &Plan,
        branch: &BranchId,
        begun: Folded,
    ) -> Result<Folded, (GraphId, Difference)> {
        let Some(snapshot) = &self.snapshot else {
            return Ok(begun);
        };
        let Some(saved) = snapshot.paths.get(branch) else {
            return Ok(begun);
        };
        let Some(legend) = snapshot.legends.get(saved.legend) else {
            let reason = "a path is on no graph".into();
            return Err((plan.id.clone(), Difference::Snapshot { reason }));
        };
        let Legend { graph, .. } = legend;
        if !plan.is_known_as(graph) {
            let name = graph.name().into();
            return Err((graph.clone(), Difference::Graph { name }));
        }
        let unfit = |difference| (graph.clone(), difference);
        if *graph == plan.id {
            return saved.restore(legend, plan, begun).map_err(unfit);
        }
        if self.migration.is_some() {
            let reason =
                "`Runtime::migrate` does not see into it; let the thread come to its end first";
            let reason = reason.into();
            return Err(unfit(Difference::Snapshot { reason }));
        }
        let renamed = saved.renamed(plan).map_err(unfit)?;
        let mut folded = renamed.restore(legend, plan, begun).map_err(unfit)?;
        folded.past = Some(Past::of(snapshot.head.seq, graph.clone(), plan));
        Ok(folded)
    }
}
