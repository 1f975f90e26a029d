//! The branches of a fork: they go their ways at the same time, and what they made of the state is put
//! together in the written order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use handoffs_core::{FieldSet, State};

use crate::attempt::text;
use crate::driver::{Done, Driver};
use crate::engine::{Action, Engine, Refused};
use crate::error::RunError;
use crate::event::{Event, Sink};
use crate::execute::Runnable;
use crate::item::Item;
use crate::journal::{Ask, Fields, Folded, FoldedFork, Recorded};
use crate::marks::{Bring, Gathered, Marks};
use crate::plan::PlanFork;

/// A fork whose branches are due.
#[derive(Debug)]
pub(crate) struct Fork {
    /// What its branches are known by: the entry of the step that forked.
    seq: u64,
    branches: u32,
    items: Vec<Item>,
    /// How far each branch came, where a journal tells.
    folded: Vec<Folded>,
}

impl Fork {
    pub(crate) const fn new(seq: u64, branches: u32, items: Vec<Item>) -> Self {
        Self {
            seq,
            branches,
            items,
            folded: Vec::new(),
        }
    }

    /// Takes a fork up where the journal left it.
    pub(crate) fn folded(fork: FoldedFork) -> Self {
        let items = fork.forked.items.into_iter().map(Item::kept);
        Self {
            seq: fork.seq,
            branches: fork.forked.branches,
            items: items.collect(),
            folded: fork.branches,
        }
    }
}

/// A branch that came to its join.
struct Back<S> {
    state: S,
    marks: Marks,
    engine: Engine,
}

/// How a branch came to rest.
enum Rest<S> {
    Back(Back<S>),
    Paused(Ask),
    Stopped,
}

impl<'a, G: Runnable, K: Sink<G>> Driver<'a, G, K> {
    /// Brings the branches of a fork to their join, and goes on there; or comes to rest, if one of
    /// them pauses or stops.
    pub(crate) async fn branch_out(&mut self, edge: u16) -> Result<Option<Done>, RunError> {
        let (Some(fork), Some(plan)) = (self.fork.take(), self.plan().fork(edge)) else {
            return Err(self.refused(Refused::Impossible("nothing had forked")));
        };
        let mut gathering = Gathering::new(&self.state);
        let mut all = self.cx.course.engine.clone();
        let mut asks: Option<Ask> = None;
        let mut is_stopped = false;
        // Those that came back before one that was written before them.
        let mut early = BTreeMap::new();
        let mut next = 0;
        let most = plan.concurrency.unwrap_or(usize::MAX).max(1);
        let mut failed = None;
        {
            let branches = self.branches(edge, plan, fork);
            let mut branches = std::pin::pin!(stream::iter(branches).buffer_unordered(most));
            while let Some(rested) = branches.next().await {
                match rested {
                    Ok((index, Rest::Back(back))) => {
                        early.insert(index, back);
                        while let Some(back) = early.remove(&next) {
                            all.absorb(&back.engine);
                            gathering.bring(back);
                            next += 1;
                        }
                    }
                    Ok((_, Rest::Paused(ask))) => {
                        let is_first = asks.as_ref().is_none_or(|first| ask.id < first.id);
                        if is_first {
                            asks = Some(ask);
                        }
                    }
                    Ok((_, Rest::Stopped)) => is_stopped = true,
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
            // Whatever is still under way is dropped here.
        }
        if let Some(error) = failed {
            if let Some(ledger) = &self.scope.ledger {
                // What the others had handed in is kept; the first error is the one that counts.
                let _ = ledger.settle().await;
            }
            return Err(error);
        }
        if is_stopped {
            return Ok(Some(Done::Stopped));
        }
        if let Some(ask) = asks {
            return Ok(Some(Done::Paused(ask)));
        }
        let gathered = gathering.finish();
        self.join(gathered, all).await?;
        Ok(None)
    }

    /// Goes on at the join.
    async fn join(
        &mut self,
        gathered: Result<(Option<G::State>, Gathered), Unmerged>,
        all: Engine,
    ) -> Result<(), RunError> {
        let (state, gathered) = match gathered {
            Ok(gathered) => gathered,
            Err(unmerged) => return Err(self.unmerged(unmerged)),
        };
        if let Some(mut state) = state {
            for field in gathered.marks.changed.iter() {
                self.state.take(field, &mut state);
            }
        }
        self.cx.before.add(gathered.marks);
        if let Some(progress) = &mut self.cx.course.progress {
            progress.changed(gathered.marks.changed);
        }
        let writes = if self.scope.ledger.is_some() {
            self.writes(gathered.merged, FieldSet::EMPTY)?
        } else {
            crate::journal::Writes::default()
        };
        let plan = self.plan();
        let joined = self.cx.course.engine.joined(plan, all);
        let join = joined.map_err(|refused| self.refused(refused))?;
        let to = self.kept_name(join);
        let seq = self.append(Recorded::Joined { to, writes }).await?;
        self.settle(seq);
        self.cx.caught = None;
        tracing::debug!(to = plan.name(join), "joined");
        if self.sink.listens() {
            let (branch, to) = (self.cx.branch.clone(), self.node(join));
            self.sink.emit(|| Event::Joined { branch, to }).await;
        }
        Ok(())
    }

    /// Returns the ways of the branches, each to be gone when its turn comes.
    fn branches<'f>(
        &'f self,
        edge: u16,
        plan: &'f PlanFork,
        fork: Fork,
    ) -> impl Iterator<Item = BoxFuture<'f, Result<(u32, Rest<G::State>), RunError>>>
    + Send
    + use<'f, 'a, G, K> {
        let Fork {
            seq,
            branches,
            items,
            folded,
        } = fork;
        let mut items = items.into_iter();
        let mut folded = folded.into_iter();
        let (graph, scope, around) = (self.graph, self.scope, self.plan());
        let (base, engine) = (&self.state, &self.cx.course.engine);
        let (parent, own_item) = (&self.cx.branch, &self.cx.item);
        (0..branches).map(move |index| {
            let item = items.next().or_else(|| own_item.clone());
            let folded = folded.next();
            let sink = self.sink.clone();
            Box::pin(async move {
                let branch = parent.child(seq, index);
                let folded = match folded {
                    Some(folded) => folded,
                    None => {
                        let engine = engine.branch_of(around, edge, index);
                        let engine = engine.ok_or_else(|| {
                            RunError::impossible(&scope.thread, "the fork has no such branch")
                        })?;
                        Folded::begun(engine, Fields::default(), seq, item)
                    }
                };
                let mut state = base.branch(plan.fields.or(folded.marks.changed));
                folded
                    .so_far()
                    .load(&mut state, folded.marks, &scope.thread)?;
                if folded.engine.next() == Action::Arrive {
                    let back = Back {
                        state,
                        marks: folded.marks,
                        engine: folded.engine,
                    };
                    return Ok((index, Rest::Back(back)));
                }
                let mut driver = Driver::new(graph, scope, around, branch, state, folded, sink);
                let done = driver.drive().await?;
                Ok((
                    index,
                    match done {
                        Done::Arrived => Rest::Back(Back {
                            marks: driver.cx.marks(),
                            state: driver.state,
                            engine: driver.cx.course.engine,
                        }),
                        Done::Paused(ask) => Rest::Paused(ask),
                        Done::Stopped => Rest::Stopped,
                        Done::Ended(..) => {
                            let reason = "a branch ended without its join";
                            return Err(RunError::impossible(&scope.thread, reason));
                        }
                    },
                ))
            }) as BoxFuture<'f, _>
        })
    }

    fn unmerged(&self, unmerged: Unmerged) -> RunError {
        let (thread, node) = (self.scope.thread.clone(), self.due_name().to_owned());
        match unmerged {
            Unmerged::Field(field, reason) => RunError::Unmerged {
                thread,
                node,
                field: G::State::FIELDS.get(field).map_or("?", |field| field.name),
                reason,
            },
            Unmerged::Panicked(message) => RunError::Panicked {
                thread,
                node,
                recoverable: self.scope.ledger.is_some(),
                message,
            },
        }
    }
}

/// What the branches have made of the state so far, in their written order.
struct Gathering<'a, S> {
    base: &'a S,
    state: Option<S>,
    gathered: Gathered,
    failed: Option<Unmerged>,
}

/// Why the branches' changes cannot be put together.
enum Unmerged {
    Field(usize, &'static str),
    Panicked(String),
}

impl<'a, S: State> Gathering<'a, S> {
    fn new(base: &'a S) -> Self {
        Self {
            base,
            state: None,
            gathered: Gathered::default(),
            failed: None,
        }
    }

    /// Brings in what the next branch changed.
    fn bring(&mut self, mut back: Back<S>) {
        if self.failed.is_some() {
            return;
        }
        let Some(state) = &mut self.state else {
            // The first branch's copy of the state takes in what the others changed.
            self.gathered.bring(back.marks);
            self.state = Some(back.state);
            return;
        };
        let base = self.base;
        let Self { gathered, .. } = self;
        let brought = catch_unwind(AssertUnwindSafe(|| {
            for (field, way) in gathered.bring(back.marks) {
                let appended = back.marks.appended.contains(field);
                match way {
                    Bring::Take => state.take(field, &mut back.state),
                    Bring::Append | Bring::Merge => {
                        if !state.merge(field, base, &back.state, appended) {
                            return Err(Unmerged::Field(field, "its type has no merge"));
                        }
                    }
                    Bring::Drop => {}
                    Bring::Conflict => {
                        return Err(Unmerged::Field(field, "two branches replaced it"));
                    }
                }
            }
            Ok(())
        }));
        self.failed = match brought {
            Ok(brought) => brought.err(),
            Err(panic) => Some(Unmerged::Panicked(text(&*panic))),
        };
    }

    fn finish(self) -> Result<(Option<S>, Gathered), Unmerged> {
        match self.failed {
            None => Ok((self.state, self.gathered)),
            Some(failed) => Err(failed),
        }
    }
}
