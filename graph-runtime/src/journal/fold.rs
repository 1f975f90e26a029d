//! Where a thread is: the fold of its journal.

mod past;
mod pause;
mod step;

use std::collections::HashMap;
use std::sync::Arc;

use handoffs_core::State;

use super::entry::{Ask, Entry, Failure, Forked, Recorded};
use super::fields::Fields;
use super::snapshot::Snapshot;
use super::{
    AskId, BranchId, GraphId, Head, JournalError, Json, Metering, Open, Record, ThreadId, Used,
    entries,
};
use crate::difference::Difference;
use crate::engine::{Action, Engine, Fact, Refused};
use crate::error::RunError;
use crate::item::Item;
use crate::marks::Marks;
use crate::migration::Migration;
use crate::once::Effects;
use crate::plan::Plan;
pub(super) use past::{Past, rename_ask, rename_field, rename_fields, rename_fork, rename_node};

/// A thread's entries by the path that they belong to, from its snapshot on where it was read so.
#[derive(Debug, Default)]
pub(crate) struct Branches {
    paths: HashMap<BranchId, Vec<Entry>>,
    /// The questions that are closed, and how they came to be.
    closed: HashMap<AskId, &'static str>,
    /// The questions that are open.
    pub(crate) open: Open,
    /// What the entries before these add up to.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// The last entry that was trimmed, if the snapshot stands for entries that are gone.
    pub(super) base: Option<Head>,
    /// The last entry; none if there is none.
    pub(super) head: Option<Head>,
    pub(super) extent: Extent,
    /// What puts entries of other graphs into the words of the one that runs.
    pub(super) migration: Option<Migration>,
}

/// How much was written since the last snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extent {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    /// How many bytes the snapshot has.
    pub(crate) snapshot: u64,
}

/// What the entries of one path through a graph add up to.
#[derive(Debug)]
pub(crate) struct Folded {
    pub(crate) engine: Engine,
    /// The last entry that brought the path to the node which is due: its start, a step or a join.
    pub(crate) arrived: u64,
    /// The fields, which are with the fork while branches are under way.
    pub(super) fields: Fields,
    pub(crate) marks: Marks,
    /// The question that is open, of the node that is due or whether its handoff may be.
    pub(crate) open: Option<Ask>,
    /// The answers that the node which is due has got so far, by the keys of their questions.
    pub(crate) answers: Vec<(String, Json)>,
    /// What the node which is due has done once so far.
    pub(crate) effects: Effects,
    /// What calls of the node which is due have used, of an attempt that was cut off.
    pub(crate) calls: Used,
    /// How many attempts each retry rule has given the node which is due.
    pub(crate) used: Vec<u32>,
    /// The failure for which the path came to the node which is due.
    pub(crate) caught: Option<Failure>,
    /// Why the handoff was refused in whose place the path came to the node which is due.
    pub(crate) refused: Option<String>,
    /// The error on which the path ended, if it did, or why the run was given up.
    pub(crate) error: Option<String>,
    pub(crate) item: Option<Item>,
    pub(crate) fork: Option<FoldedFork>,
    /// The last entry that another graph wrote.
    pub(crate) past: Option<Past>,
}

/// A fork whose branches have not joined yet.
#[derive(Debug)]
pub(crate) struct FoldedFork {
    /// The entry of the step that forked.
    pub(crate) seq: u64,
    pub(crate) forked: Forked,
    /// What the branches lie over.
    pub(crate) under: Arc<Fields>,
    /// How far each branch came.
    pub(crate) branches: Vec<Folded>,
}

impl Branches {
    /// Reads all of a thread's records, and returns its end.
    pub(crate) fn read(
        thread: &ThreadId,
        records: &[Record],
    ) -> Result<(Self, Head), JournalError> {
        let mut branches = Self::default();
        let head = branches.add(thread, Head::of(thread), records)?;
        Ok((branches, head))
    }

    /// Adds records that follow those up to `head`, and returns the end.
    pub(super) fn add(
        &mut self,
        thread: &ThreadId,
        head: Head,
        records: &[Record],
    ) -> Result<Head, JournalError> {
        for entry in entries(thread, head, records)? {
            if let Some((ask, how)) = pause::closed(&entry.event) {
                self.closed.insert(ask, how);
            }
            let turned = self.open.take(&entry.branch, &entry.event);
            for ask in turned.closed() {
                let how = self.closed.entry(ask);
                how.or_insert(match entry.event {
                    Recorded::Abandoned { .. } => "the run was abandoned",
                    _ => "the run has gone on without an answer",
                });
            }
            match self.paths.get_mut(&entry.branch) {
                Some(path) => path.push(entry),
                None => drop(self.paths.insert(entry.branch.clone(), vec![entry])),
            }
        }
        let bytes: usize = records.iter().map(|record| record.body.len()).sum();
        self.extent.entries += records.len() as u64;
        self.extent.bytes += bytes as u64;
        let last = records.last();
        let head = last.map_or(head, |last| Head::new(last.seq, last.hash));
        self.head = Some(head).filter(|head| head.seq > 0);
        Ok(head)
    }

    /// Returns the last entry that was read behind the snapshot.
    pub(super) fn last(&self) -> Option<&Entry> {
        let last = self.paths.values().filter_map(|path| path.last());
        last.max_by_key(|entry| entry.seq)
    }

    /// Returns the graph that the thread runs.
    pub(super) fn graph(&self) -> Option<&GraphId> {
        self.graph_of(&BranchId::TRUNK)
    }

    /// Returns the graph of a path.
    pub(super) fn graph_of(&self, branch: &BranchId) -> Option<&GraphId> {
        let last = self.of(branch).last();
        let snapshot = || self.snapshot.as_ref()?.graph_of(branch);
        last.map(|entry| &entry.graph).or_else(snapshot)
    }

    /// Returns whether anything was written on a path.
    pub(super) fn has(&self, branch: &BranchId) -> bool {
        self.paths.contains_key(branch)
    }

    /// Returns whether anything was written on a path that is under way, also if a snapshot stands for it.
    pub(crate) fn has_begun(&self, branch: &BranchId) -> bool {
        let snapshot = self.snapshot.as_ref();
        self.has(branch) || snapshot.is_some_and(|snapshot| snapshot.has(branch))
    }

    /// Returns whether a snapshot stands for some of the entries.
    pub(crate) const fn is_behind_a_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Returns the last entry that is not kept any more, as far as that was found out.
    pub(crate) const fn base(&self) -> Option<Head> {
        self.base
    }

    /// Notes that a snapshot was taken of all that there is.
    pub(crate) fn snapshot_taken(&mut self, bytes: u64) {
        self.extent = Extent {
            snapshot: bytes,
            ..Extent::default()
        };
    }

    pub(crate) const fn extent(&self) -> Extent {
        self.extent
    }

    /// Returns how a question came to be closed, if it is.
    pub(crate) fn why_closed(&self, ask: AskId) -> Option<&'static str> {
        self.closed.get(&ask).copied()
    }

    /// Puts entries of other graphs into the words of the one that runs, where they are folded.
    pub(crate) fn migrating(self, migration: Option<Migration>) -> Self {
        Self { migration, ..self }
    }

    /// Returns the questions that were asked on a path, or on one that leaves it, and not answered.
    pub(super) fn open_below(&self, branch: &BranchId) -> Vec<Ask> {
        self.open.on(branch)
    }

    /// Returns whether any entry says that something was used.
    pub(super) fn says_used(&self) -> bool {
        let snapshot = self.snapshot.as_ref();
        let before = snapshot.is_some_and(|snapshot| snapshot.metering.is_some());
        let mut entries = self.paths.values().flatten();
        before || entries.any(|entry| entry.event.says_used())
    }

    /// Adds up what was used, in a thread whose graph starts with this node, if anybody knows.
    pub(crate) fn metering(&self, start: Option<&str>) -> Metering {
        let snapshot = self.snapshot.as_ref();
        let metering = snapshot.and_then(|snapshot| snapshot.metering.clone());
        let mut metering = metering.unwrap_or_default();
        let mut entries: Vec<_> = self.paths.values().flatten().collect();
        entries.sort_by_key(|entry| entry.seq);
        for entry in entries {
            metering.take(entry);
        }
        if let Some(start) = start {
            metering.start_at(start);
        }
        metering
    }

    /// Returns the entries of a path, from where all fields were written on.
    pub(super) fn of(&self, branch: &BranchId) -> &[Entry] {
        let all = self.paths.get(branch).map(Vec::as_slice);
        let all = all.unwrap_or_default();
        &all[all.iter().rposition(is_whole).unwrap_or(0)..]
    }

    /// Returns all entries of a path.
    pub(super) fn all_of(&self, branch: &BranchId) -> &[Entry] {
        self.paths.get(branch).map_or(&[], Vec::as_slice)
    }

    /// Returns all paths, also those for which a snapshot stands.
    pub(super) fn branches(&self) -> impl Iterator<Item = &BranchId> {
        let saved = self.snapshot.iter().flat_map(|saved| saved.paths());
        let saved = saved.filter(|path| !self.paths.contains_key(*path));
        self.paths.keys().chain(saved)
    }

    /// Returns whether nothing counts of a path that is not among these entries.
    pub(super) fn begins_anew(&self, branch: &BranchId) -> bool {
        self.of(branch).first().is_some_and(is_whole)
    }

    /// Folds the entries of the trunk, or of the run of a subgraph.
    pub(crate) fn fold(
        &self,
        plan: &Plan,
        thread: &ThreadId,
        branch: &BranchId,
    ) -> Result<Folded, RunError> {
        let begun = Folded::begun(Engine::new(plan), Fields::new(&plan.fields), 0, None);
        self.follow(plan, thread, branch, begun)
    }

    /// Follows a path from where it begins.
    fn follow(
        &self,
        plan: &Plan,
        thread: &ThreadId,
        branch: &BranchId,
        begun: Folded,
    ) -> Result<Folded, RunError> {
        let restored = if self.begins_anew(branch) {
            Ok(begun)
        } else {
            self.restore(plan, branch, begun)
        };
        let mut folded = restored.map_err(|(graph, why)| self.unfit(plan, thread, graph, why))?;
        let path = Path {
            all: self,
            plan,
            thread,
            branch,
        };
        for entry in self.of(branch) {
            if path.is_past(entry) {
                folded.past = Some(path.past(entry));
            }
            let entry = path.translate(entry)?;
            folded.take(&path, &entry).map_err(|error| match error {
                Unfolded::Damaged(reason) => {
                    let source = JournalError::damaged(thread, entry.seq, reason);
                    RunError::journal(thread, None, source)
                }
                Unfolded::Other(error) => error,
            })?;
        }
        if let Some(fork) = folded.fork.take() {
            let branches = folded.branches(&path, &fork)?;
            folded.fork = Some(FoldedFork { branches, ..fork });
        }
        folded.stands(&path)?;
        Ok(folded)
    }
}

/// Returns whether an entry says what all fields are with which a run begins.
const fn is_whole(entry: &Entry) -> bool {
    matches!(entry.event, Recorded::Started { whole: true, .. })
}

/// A path through a graph, of whose thread all entries are at hand.
struct Path<'a> {
    all: &'a Branches,
    plan: &'a Plan,
    thread: &'a ThreadId,
    branch: &'a BranchId,
}

/// Why an entry could not be folded.
enum Unfolded {
    Damaged(String),
    Other(RunError),
}

impl From<String> for Unfolded {
    fn from(reason: String) -> Self {
        Self::Damaged(reason)
    }
}

impl From<&str> for Unfolded {
    fn from(reason: &str) -> Self {
        Self::Damaged(reason.to_owned())
    }
}

impl From<RunError> for Unfolded {
    fn from(error: RunError) -> Self {
        Self::Other(error)
    }
}

impl From<Refused> for Unfolded {
    fn from(refused: Refused) -> Self {
        Self::Damaged(match refused {
            Refused::Loop { .. } => "a masked edge was taken".to_owned(),
            Refused::Impossible(reason) => reason.to_owned(),
        })
    }
}

impl Folded {
    /// Returns a path of which nothing is written yet.
    pub(crate) fn begun(engine: Engine, fields: Fields, arrived: u64, item: Option<Item>) -> Self {
        Self {
            engine,
            arrived,
            fields,
            marks: Marks::default(),
            open: None,
            answers: Vec::new(),
            effects: Effects::default(),
            calls: Used::default(),
            used: Vec::new(),
            caught: None,
            refused: None,
            error: None,
            item,
            fork: None,
            past: None,
        }
    }

    /// Returns the state after the last step; while branches are under way, that with which they began.
    pub(crate) fn state<S: State>(&self, thread: &ThreadId) -> Result<S, RunError> {
        let state = self.fields().state(thread);
        state.map_err(|error| match (&self.past, error) {
            (Some(past), RunError::Decode { field, .. }) if !self.fields().has(field) => {
                past.differs(thread, Difference::NoValue { field })
            }
            (_, error) => error,
        })
    }

    /// Returns the fields after the last step; while branches are under way, those that they lie over.
    pub(crate) fn fields(&self) -> &Fields {
        let under = self.fork.as_ref().map(|fork| &*fork.under);
        under.unwrap_or(&self.fields)
    }

    fn take(&mut self, path: &Path<'_>, entry: &Entry) -> Result<(), Unfolded> {
        let fact = match &entry.event {
            Recorded::Started {
                writes,
                whole,
                grant,
            } => {
                // The run before may have ended within a branch.
                self.drop_branches();
                if *whole {
                    self.fields = Fields::new(&path.plan.fields);
                }
                self.fields.take(writes)?;
                self.marks = Marks::default();
                self.settle(entry.seq);
                self.caught = None;
                self.engine.on(path.plan, Fact::Started)?;
                self.engine.grant(path.plan, grant.as_ref());
                return Ok(());
            }
            Recorded::Stepped { .. } => return self.step(path, entry),
            Recorded::Caught { .. } => return self.catch(path, entry),
            Recorded::Joined { .. } => return self.join(path, entry),
            Recorded::Attempted { rule, .. } => {
                self.calls = Used::default();
                let rule = usize::try_from(*rule).unwrap_or(usize::MAX);
                if rule >= self.used.len() {
                    // A rule that the graph no longer has counts for nobody.
                    self.used.resize(rule.saturating_add(1).min(64), 0);
                }
                if let Some(used) = self.used.get_mut(rule) {
                    *used = used.saturating_add(1);
                }
                return Ok(());
            }
            Recorded::Asked(ask) => {
                self.open = Some(ask.clone());
                Fact::Asked(ask.id)
            }
            Recorded::Submitted { ask, answer } => {
                let mut question = self.close(*ask)?;
                question.submitted.clone_from(answer);
                self.open = Some(question);
                return Ok(());
            }
            Recorded::Answered { ask, answer } => {
                let question = self.close(*ask)?;
                self.answers.push((question.key, answer.clone()));
                Fact::Answered
            }
            Recorded::Decided { .. } => return self.decided(path, entry),
            Recorded::Expired { .. } => return self.expired(path, entry),
            Recorded::Edited { writes, .. } => {
                let marks = self.fields.take(writes)?;
                self.marks.add(marks);
                Fact::Edited
            }
            Recorded::Abandoned { why } => {
                self.drop_branches();
                self.settle(entry.seq);
                self.open = None;
                self.caught = None;
                self.refused = None;
                self.error = Some(why.clone());
                Fact::Abandoned
            }
            // What was copied is folded as what was written.
            Recorded::Copied { .. } | Recorded::Used { .. } => return Ok(()),
            Recorded::Once {
                node,
                key,
                effect,
                charge,
                call,
            } => {
                // A node that goes on with an answer has the question open until it has read that.
                if !matches!(self.engine.next(), Action::Wait(waiting, _) if path.plan.name(waiting) == node)
                {
                    self.due(path, entry, node)?;
                }
                if let Some(charge) = charge {
                    self.engine.charge(effect, charge);
                }
                self.effects.take(key, effect, charge.as_ref());
                if let Some(call) = call {
                    self.calls.take(call, effect);
                }
                return Ok(());
            }
            Recorded::Failed { error, .. } => {
                // Whoever takes the run up again has seen the error, so the node is tried anew.
                self.used.clear();
                self.calls = Used::default();
                self.error = Some(error.clone());
                Fact::Failed
            }
        };
        Ok(self.engine.on(path.plan, fact)?)
    }

    /// Forgets what branches that have not joined have made of the state.
    fn drop_branches(&mut self) {
        if let Some(fork) = self.fork.take() {
            self.fields = Arc::unwrap_or_clone(fork.under);
        }
    }

    /// Notes that another node is due, or none.
    fn settle(&mut self, seq: u64) {
        self.arrived = seq;
        self.refused = None;
        self.answers.clear();
        self.effects.clear();
        self.calls = Used::default();
        self.used.clear();
        self.error = None;
    }

    /// Returns the node that is due, which must have this name.
    fn due(&self, path: &Path<'_>, entry: &Entry, name: &str) -> Result<u16, Unfolded> {
        let Action::Execute(due) = self.engine.next() else {
            return Err("no node was due".into());
        };
        let due_name = path.plan.name(due);
        if due_name == name {
            Ok(due)
        } else if path.is_past(entry) {
            Err(self.not_due(path, entry, name, due_name))
        } else {
            Err(format!("node `{name}` took a step when `{due_name}` was due").into())
        }
    }
}

impl Branches {
    /// Says that a snapshot has no place in a graph.
    fn unfit(
        &self,
        plan: &Plan,
        thread: &ThreadId,
        graph: GraphId,
        difference: Difference,
    ) -> RunError {
        let head = self
            .snapshot
            .as_ref()
            .map_or(0, |snapshot| snapshot.head.seq);
        if graph != plan.id {
            return Past::of(head, graph, plan).differs(thread, difference);
        }
        let reason = format!("the snapshot that ends with it does not fit: it {difference}");
        RunError::journal(thread, None, JournalError::damaged(thread, head, reason))
    }
}
