//! Steps, fallbacks and forks as they are folded.

use std::sync::Arc;

use super::past::{Told, began_at};
use super::{Folded, FoldedFork, Path, Unfolded};
use crate::engine::{Action, Engine, Fact};
use crate::error::RunError;
use crate::item::Item;
use crate::journal::entry::{Entry, Recorded};
use crate::journal::{Fields, JournalError};
use crate::marks::Gathered;
use crate::plan::Plan;

impl Folded {
    /// Decides as the run did, and sees whether it then went where the entry says.
    pub(super) fn step(&mut self, path: &Path<'_>, entry: &Entry) -> Result<(), Unfolded> {
        let Recorded::Stepped {
            node,
            edge,
            on,
            masked,
            to,
            fork,
            progress,
            writes,
            replaced,
            cached,
            approval,
            left,
            ..
        } = &entry.event
        else {
            return Err("it is no step".into());
        };
        let due = self.due(path, entry, node)?;
        let inner = path.plan.node(due).and_then(|node| node.inner.as_ref());
        // What an attempt had written that a cached result came before is no part of the state.
        let direct = inner.filter(|inner| inner.is_direct && !cached);
        if let Some(inner) = direct {
            self.adopt(path, &inner.plan)?;
        }
        if let Some(left) = left {
            self.engine.put(*left);
        }
        if path.is_past(entry) {
            if direct.is_none() && !cached {
                self.keeps_within(path, entry, node, writes)?;
            }
            let told = Told {
                on,
                on_error: false,
                masked: *masked,
                to: to.as_deref(),
                fork: fork.as_ref(),
                asks: approval.is_some(),
                progress: *progress,
            };
            self.relive(path, entry, &told)?;
        } else {
            let hop = self.engine.decide(path.plan, *edge, *progress)?;
            let went = hop.to.node().filter(|_| !hop.forks);
            let went = went.map(|to| path.plan.name(to));
            let asks = hop.asks == approval.is_some();
            let forks = hop.forks == fork.is_some();
            if went != to.as_deref() || hop.masked != *masked || !forks || !asks {
                let (went, to) = (went.unwrap_or("end"), to.as_deref().unwrap_or("end"));
                return Err(format!(
                    "it says that `{node}` led to `{to}`, and by this graph it leads to `{went}`"
                )
                .into());
            }
        }
        let mut marks = self.fields.take(writes)?;
        marks.replaced = self.fields.named(replaced);
        self.marks.add(marks);
        self.settle(entry.seq);
        self.caught = None;
        if let Some(ask) = approval {
            self.engine.on(path.plan, Fact::Asked(ask.id))?;
            self.open = Some(ask.clone());
        }
        if let Some(forked) = fork {
            self.fork = Some(FoldedFork {
                seq: entry.seq,
                forked: forked.clone(),
                under: Arc::new(std::mem::take(&mut self.fields)),
                branches: Vec::new(),
            });
        }
        Ok(())
    }

    /// Takes over what the run of a subgraph with the same state has changed.
    fn adopt(&mut self, path: &Path<'_>, inner: &Plan) -> Result<(), Unfolded> {
        let branch = path.branch.child(self.arrived, 0);
        let under = Arc::new(std::mem::take(&mut self.fields));
        let begun = Folded::begun(Engine::new(inner), Fields::over(&under), 0, None);
        let within = path.all.follow(inner, path.thread, &branch, begun)?;
        self.marks.add(within.marks);
        drop(under);
        self.fields = within.fields.settle();
        Ok(())
    }

    pub(super) fn catch(&mut self, path: &Path<'_>, entry: &Entry) -> Result<(), Unfolded> {
        let Recorded::Caught {
            failure,
            edge,
            on,
            masked,
            to,
            progress,
            left,
            ..
        } = &entry.event
        else {
            return Err("it is no fallback".into());
        };
        self.due(path, entry, &failure.node)?;
        if let Some(left) = left {
            self.engine.put(*left);
        }
        if path.is_past(entry) {
            let told = Told {
                on,
                on_error: true,
                masked: *masked,
                to: to.as_deref(),
                fork: None,
                asks: false,
                progress: *progress,
            };
            self.relive(path, entry, &told)?;
        } else {
            let hop = self.engine.decide(path.plan, *edge, *progress)?;
            let went = hop.to.node().map(|to| path.plan.name(to));
            if went != to.as_deref() || hop.masked != *masked || hop.forks {
                return Err("its error edge leads elsewhere by this graph".into());
            }
        }
        self.settle(entry.seq);
        self.caught = Some(failure.clone());
        Ok(())
    }

    /// Puts together what the branches have made of the state, as the run did.
    pub(super) fn join(&mut self, path: &Path<'_>, entry: &Entry) -> Result<(), Unfolded> {
        let Recorded::Joined { to, writes } = &entry.event else {
            return Err("it is no join".into());
        };
        if path.is_past(entry) {
            self.joins(path, entry, to)?;
        }
        let fork = self.fork.take().ok_or("nothing had forked")?;
        let mut all = self.engine.clone();
        let mut gathered = Gathered::new(path.plan.by_function);
        let mut fields = Fields::over(&fork.under);
        for index in 0..fork.forked.branches {
            let branch = self.branch(path, &fork, index)?;
            if branch.engine.next() != Action::Arrive {
                return Err(format!("branch {index} had not come to the join").into());
            }
            all.absorb(&branch.engine);
            fields.bring(&mut gathered, &branch.fields, branch.marks);
        }
        let joined = self.engine.joined(path.plan, all)?;
        if path.plan.name(joined) != to {
            return Err("the fork has another join by this graph".into());
        }
        fields.take(writes)?;
        drop(fork);
        self.fields = fields.settle();
        self.marks.add(gathered.marks);
        self.settle(entry.seq);
        Ok(())
    }

    /// Follows the branches of a fork as far as they came.
    pub(super) fn branches(
        &self,
        path: &Path<'_>,
        fork: &FoldedFork,
    ) -> Result<Vec<Self>, RunError> {
        let branches = 0..fork.forked.branches;
        branches
            .map(|index| {
                self.branch(path, fork, index).map_err(|error| match error {
                    Unfolded::Other(error) => error,
                    Unfolded::Damaged(reason) => {
                        let source = JournalError::damaged(path.thread, fork.seq, reason);
                        RunError::journal(path.thread, None, source)
                    }
                })
            })
            .collect()
    }

    fn branch(&self, path: &Path<'_>, fork: &FoldedFork, index: u32) -> Result<Self, Unfolded> {
        let Action::Branch(edge) = self.engine.next() else {
            return Err("nothing had forked".into());
        };
        let place = (index, fork.forked.branches);
        let entry = began_at(path.plan, edge, fork, index);
        let begun = entry.and_then(|entry| self.engine.branch_at(path.plan, edge, entry, place));
        let engine = begun.ok_or("the fork has fewer branches by this graph")?;
        let item = match fork.forked.items.get(index as usize) {
            Some(item) => Some(Item::kept(item.clone())),
            None => self.item.clone(),
        };
        let fields = Fields::over(&fork.under);
        let begun = Self::begun(engine, fields, fork.seq, item);
        let branch = path.branch.child(fork.seq, index);
        Ok(path.all.follow(path.plan, path.thread, &branch, begun)?)
    }
}
