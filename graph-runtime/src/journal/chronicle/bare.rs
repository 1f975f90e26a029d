//! A path folded without its graph. What the graph would be asked, such as where an edge leads, the
//! entries tell as well; what they do not tell is not missed, as nothing goes on from here.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::super::entry::{Ask, Entry, Forked, Recorded};
use super::super::snapshot::SavedPath;
use super::super::{BranchId, Branches, Fields, Writes};
use crate::engine::{Action, Legend};
use crate::marks::{Gathered, Marks};
use crate::run::Status;
use handoffs_core::FieldSet;

/// The entry that is not what was written, and what is wrong with it.
type Damage = (u64, String);

/// What the entries of a path add up to, as far as they tell.
#[derive(Clone)]
pub(super) struct Bare {
    fields: Fields,
    marks: Marks,
    /// The last entry that brought the path to where it is.
    arrived: u64,
    at: At,
    /// The node at which the path ended with an error, and the error.
    failed: Option<(String, String)>,
    fork: Option<BareFork>,
}

/// Where a path is.
#[derive(Clone)]
enum At {
    New,
    /// At this node; at the first one if there is no name.
    Node(Option<String>),
    /// At this node, which asked.
    Asking(Option<String>),
    /// Before a handoff that is to be approved.
    Approving,
    Forked,
    Over,
    Abandoned(String),
}

/// A fork whose branches have not joined yet.
#[derive(Clone)]
struct BareFork {
    seq: u64,
    forked: Forked,
    under: Arc<Fields>,
}

/// How all paths stand, taken together.
#[derive(Default)]
struct Standing {
    failed: Option<(String, String)>,
    due: Option<Vec<String>>,
    asks: Vec<Ask>,
}

impl Bare {
    /// Folds the trunk of a thread.
    pub(super) fn trunk(told: &Branches) -> Result<Self, Damage> {
        let fields = Fields::of_names(names(told, &BranchId::TRUNK).into_iter());
        Self::begun(fields, 0).follow(told, &BranchId::TRUNK)
    }

    const fn begun(fields: Fields, arrived: u64) -> Self {
        Self {
            fields,
            marks: Marks {
                changed: FieldSet::EMPTY,
                set: FieldSet::EMPTY,
                replaced: FieldSet::EMPTY,
            },
            arrived,
            at: At::New,
            failed: None,
            fork: None,
        }
    }

    /// Returns the fields after the last step; while branches are under way, those that they lie over.
    pub(super) fn fields(&self) -> &Fields {
        let under = self.fork.as_ref().map(|fork| &*fork.under);
        under.unwrap_or(&self.fields)
    }

    /// Follows a path from where it begins.
    fn follow(mut self, told: &Branches, branch: &BranchId) -> Result<Self, Damage> {
        if !told.begins_anew(branch)
            && let Some(snapshot) = &told.snapshot
            && let (Some(saved), Some(legend)) = (snapshot.path(branch), snapshot.legend(branch))
        {
            let head = snapshot.head.seq;
            self.restore(saved, legend)
                .map_err(|reason| (head, reason))?;
        }
        for entry in told.of(branch) {
            self.take(told, branch, entry)?;
        }
        Ok(self)
    }

    fn restore(&mut self, saved: &SavedPath, legend: &Legend) -> Result<(), String> {
        self.marks = saved.marks(&self.fields)?;
        self.arrived = saved.arrived();
        let (next, error) = saved.next();
        let node = |node| legend.name(node).map(str::to_owned);
        self.at = match next {
            Action::Start => At::New,
            Action::Execute(due) => At::Node(node(due)),
            Action::Wait(asking, _) => At::Asking(node(asking)),
            Action::Approve(..) => At::Approving,
            Action::Branch(_) => At::Forked,
            Action::Arrive | Action::Finish(..) => At::Over,
            Action::Abandon => At::Abandoned(error.unwrap_or_default().to_owned()),
        };
        if let (Some(error), Action::Execute(_) | Action::Branch(_)) = (error, next)
            && (saved.has_failed() || matches!(next, Action::Branch(_)))
        {
            let node = match next {
                Action::Execute(due) => node(due),
                _ => None,
            };
            self.failed = Some((node.unwrap_or_default(), error.to_owned()));
        }
        if let Some((seq, forked, under)) = saved.fork() {
            self.fields.take(under)?;
            self.fork = Some(BareFork {
                seq,
                forked: forked.clone(),
                under: Arc::new(std::mem::take(&mut self.fields)),
            });
        } else {
            self.fields.take(saved.fields())?;
        }
        Ok(())
    }

    fn take(&mut self, told: &Branches, branch: &BranchId, entry: &Entry) -> Result<(), Damage> {
        let seq = entry.seq;
        let damaged = |reason: String| (seq, reason);
        match &entry.event {
            Recorded::Started { writes, whole, .. } => {
                self.drop_branches();
                if *whole {
                    self.fields = self.fields.anew();
                }
                self.fields.take(writes).map_err(damaged)?;
                self.marks = Marks::default();
                self.settle(seq, At::Node(None));
            }
            Recorded::Stepped {
                to,
                fork,
                writes,
                replaced,
                cached,
                approval,
                ..
            } => {
                if !cached && writes.is_empty() {
                    self.adopt(told, &branch.child(self.arrived, 0))?;
                }
                let mut marks = self.fields.take(writes).map_err(damaged)?;
                marks.replaced = self.fields.named(replaced);
                self.marks.add(marks);
                let at = match (approval, fork) {
                    (Some(_), _) => At::Approving,
                    (None, Some(_)) => At::Forked,
                    (None, None) => leads(to.as_deref()),
                };
                self.settle(seq, at);
                self.fork = fork.as_ref().map(|forked| BareFork {
                    seq,
                    forked: forked.clone(),
                    under: Arc::new(std::mem::take(&mut self.fields)),
                });
            }
            Recorded::Joined { to, writes } => {
                self.join(told, branch, writes, seq)?;
                self.settle(seq, leads(Some(to)));
            }
            Recorded::Caught { to, .. } | Recorded::Decided { to, .. } => {
                self.settle(seq, leads(to.as_deref()));
            }
            Recorded::Expired { to, .. } if matches!(self.at, At::Approving) => {
                self.settle(seq, leads(to.as_deref()));
            }
            Recorded::Expired { .. } | Recorded::Answered { .. } => {
                if let At::Asking(node) = &mut self.at {
                    self.at = At::Node(node.take());
                }
            }
            Recorded::Asked(ask) => {
                self.at = At::Asking(Some(ask.node.to_string()));
                self.failed = None;
            }
            Recorded::Attempted { node, .. }
            | Recorded::Once { node, .. }
            | Recorded::Used { node, .. } => {
                if let At::Node(at) = &mut self.at {
                    *at = Some(node.to_string());
                }
            }
            Recorded::Failed { node, error, .. } => {
                self.failed = Some((node.to_string(), error.clone()));
                if let At::Node(at) = &mut self.at {
                    *at = Some(node.to_string());
                }
            }
            Recorded::Edited { writes, .. } => {
                let marks = self.fields.take(writes).map_err(damaged)?;
                self.marks.add(marks);
            }
            Recorded::Abandoned { why } => {
                self.drop_branches();
                self.settle(seq, At::Abandoned(why.clone()));
            }
            Recorded::Submitted { .. } | Recorded::Copied { .. } => {}
        }
        Ok(())
    }

    fn settle(&mut self, seq: u64, at: At) {
        self.arrived = seq;
        self.at = at;
        self.failed = None;
    }

    fn drop_branches(&mut self) {
        if let Some(fork) = self.fork.take() {
            self.fields = Arc::unwrap_or_clone(fork.under);
        }
    }

    /// Takes over what the run of a graph within has changed, if it has the same state: the entry of the
    /// step tells of that of any other.
    fn adopt(&mut self, told: &Branches, branch: &BranchId) -> Result<(), Damage> {
        if !told.has_begun(branch) || !is_direct(told, branch) {
            return Ok(());
        }
        let under = Arc::new(std::mem::take(&mut self.fields));
        let within = Self::begun(Fields::over(&under), 0).follow(told, branch)?;
        self.marks.add(within.marks);
        drop(under);
        self.fields = within.fields.settle();
        Ok(())
    }

    /// Puts together what the branches have made of the state.
    fn join(
        &mut self,
        told: &Branches,
        branch: &BranchId,
        writes: &Writes,
        seq: u64,
    ) -> Result<(), Damage> {
        let fork = self.fork.take();
        let fork = fork.ok_or_else(|| (seq, "nothing had forked".to_owned()))?;
        // Which fields a function merges only the graph knows, but what comes of them stands in the entry.
        let mut gathered = Gathered::new(FieldSet::EMPTY);
        let mut fields = Fields::over(&fork.under);
        for index in 0..fork.forked.branches {
            let branch = Self::branch(told, branch, &fork, index)?;
            fields.bring(&mut gathered, &branch.fields, branch.marks);
        }
        let merged = fields.take(writes).map_err(|reason| (seq, reason))?;
        drop(fork);
        self.fields = fields.settle();
        let mut marks = gathered.marks;
        marks.changed = marks.changed.or(merged.changed);
        marks.set = marks.set.or(merged.changed);
        self.marks.add(marks);
        Ok(())
    }

    fn branch(
        told: &Branches,
        branch: &BranchId,
        fork: &BareFork,
        index: u32,
    ) -> Result<Self, Damage> {
        let begin = fork.forked.begin.as_slice();
        // All branches of an `each` begin at the same node.
        let begin = begin.get(index as usize).or(begin.first());
        let mut branched = Self::begun(Fields::over(&fork.under), fork.seq);
        branched.at = At::Node(begin.map(ToString::to_string));
        branched.follow(told, &branch.child(fork.seq, index))
    }

    /// Tells where a thread stands of which this is the trunk.
    pub(super) fn status(&self, told: &Branches) -> Result<Status<Vec<String>>, Damage> {
        let standing = self.standing(told, &BranchId::TRUNK)?;
        if let Some((node, error)) = standing.failed {
            let node = Some(node).filter(|node| !node.is_empty());
            let node = node.into_iter().collect();
            return Ok(Status::Failed { node, error });
        }
        if let Some(due) = standing.due {
            return Ok(Status::Unfinished(due));
        }
        if let Some(first) = standing.asks.into_iter().next() {
            return Ok(Status::Paused(first));
        }
        Ok(match &self.at {
            At::Abandoned(why) => Status::Abandoned { why: why.clone() },
            At::New => Status::New,
            _ => Status::Finished,
        })
    }

    fn standing(&self, told: &Branches, branch: &BranchId) -> Result<Standing, Damage> {
        let mut standing = Standing::default();
        match &self.at {
            At::New | At::Over | At::Abandoned(_) => {}
            At::Asking(_) | At::Approving => standing.asks = told.open.on(branch),
            At::Node(node) => {
                let inner = branch.child(self.arrived, 0);
                let mut is_due = true;
                if told.has_begun(&inner) {
                    let fields = Fields::of_names(names(told, &inner).into_iter());
                    let within = Self::begun(fields, 0).follow(told, &inner)?;
                    let within = within.standing(told, &inner)?;
                    is_due = within.due.is_some() || within.failed.is_some();
                    standing.asks = within.asks;
                }
                is_due |= standing.asks.is_empty();
                if is_due {
                    standing.due = Some(node.iter().cloned().collect());
                    if let Some(failed) = &self.failed {
                        standing.failed = Some(failed.clone());
                        standing.due = None;
                    }
                }
            }
            At::Forked => {
                let Some(fork) = &self.fork else {
                    return Ok(standing);
                };
                let mut due: Vec<String> = Vec::new();
                for index in 0..fork.forked.branches {
                    let bare = Self::branch(told, branch, fork, index)?;
                    let child = branch.child(fork.seq, index);
                    let rested = bare.standing(told, &child)?;
                    standing.failed = standing.failed.or(rested.failed);
                    standing.asks.extend(rested.asks);
                    for node in rested.due.unwrap_or_default() {
                        if !due.contains(&node) {
                            due.push(node);
                        }
                    }
                }
                standing.asks.sort_by_key(|ask| ask.id);
                if standing.asks.is_empty() {
                    standing.failed = standing.failed.or_else(|| self.failed.clone());
                    standing.due = Some(due);
                }
            }
        }
        Ok(standing)
    }
}

fn leads(to: Option<&str>) -> At {
    to.map_or(At::Over, |to| At::Node(Some(to.to_owned())))
}

/// Returns the names of all fields that the state of a path has, as far as they were ever written.
fn names(told: &Branches, root: &BranchId) -> Vec<Cow<'static, str>> {
    let mut names = Vec::new();
    let mut known = HashSet::new();
    let mut all: Vec<_> = told
        .branches()
        .filter(|path| shares(told, path, root))
        .collect();
    all.sort();
    for path in all {
        let saved = told.snapshot.as_ref().and_then(|saved| saved.path(path));
        let under = saved.and_then(SavedPath::fork).map(|(_, _, under)| under);
        let saved = saved.map(SavedPath::fields).into_iter().chain(under);
        let entries = told.all_of(path).iter().filter_map(Entry::writes);
        for (name, _) in saved.chain(entries).flat_map(|writes| &writes.0) {
            if known.insert(name.clone()) {
                names.push(name.clone());
            }
        }
    }
    names
}

/// Returns whether a path works on the state of another one, from which it comes.
fn shares(told: &Branches, path: &BranchId, root: &BranchId) -> bool {
    let mut path = path.clone();
    while path != *root {
        let Some(parent) = path.parent().filter(|_| is_direct(told, &path)) else {
            return false;
        };
        path = parent;
    }
    true
}

/// Returns whether a path works on the state of the one that it leaves. A branch of a fork does; the run of
/// a graph within if it begins with no fields of its own.
fn is_direct(told: &Branches, path: &BranchId) -> bool {
    let saved = told.snapshot.as_ref().and_then(|saved| saved.path(path));
    match (told.all_of(path).first().map(|entry| &entry.event), saved) {
        (Some(Recorded::Started { writes, .. }), _) => writes.is_empty(),
        (_, Some(saved)) => saved.has_changed_all(),
        (_, None) => true,
    }
}
