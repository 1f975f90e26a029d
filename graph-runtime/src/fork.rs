//! The branches of a fork: they go their ways at the same time, and what they made of the state is put
//! together in the written order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, poll_fn};
use futures_util::stream::FuturesUnordered;
use handoffs_core::{FieldSet, State};

use crate::attempt::text;
use crate::context::Desk;
use crate::driver::{Done, Driver};
use crate::engine::{Engine, Refused};
use crate::error::RunError;
use crate::event::{Event, Sink};
use crate::execute::Runnable;
use crate::item::Item;
use crate::journal::{Ask, BranchId, Fields, Folded, FoldedFork, Recorded, Writes};
use crate::marks::{Bring, Gathered, Marks, take_fields};
use crate::plan::PlanFork;
use crate::telemetry;

/// Branches that come to rest before other tasks have their turn.
const BRANCHES_A_TURN: u32 = 64;

/// A fork whose branches are due.
#[derive(Debug)]
pub(crate) struct Fork {
    /// What its branches are known by: the entry of the step that forked.
    pub(crate) seq: u64,
    branches: u32,
    items: Vec<Item>,
    /// How far each branch came, where a journal tells.
    folded: Vec<Folded>,
}

impl Fork {
    /// Makes a fork of which no branch has begun; what its branches are known by, is known once its
    /// step is written.
    pub(crate) const fn new(branches: u32, items: Vec<Item>) -> Self {
        Self {
            seq: 0,
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

impl<S: State> Back<S> {
    /// Keeps of the state what the branch changed, as it may be long until its turn comes.
    fn wait(&mut self, base: &S) {
        let mut changed = base.branch(FieldSet::EMPTY);
        take_fields(&mut changed, &mut self.state, self.marks.changed);
        self.state = changed;
    }
}

/// Which branch came to rest, and how.
type Rested<S> = Result<(u32, Rest<S>), RunError>;

/// How a branch came to rest.
#[expect(clippy::large_enum_variant, reason = "nearly all of them come back")]
enum Rest<S> {
    Back(Back<S>),
    Paused(Box<Ask>),
    Stopped,
}

impl<G: Runnable, K: Sink<G>> Driver<'_, G, K> {
    /// Brings the branches of a fork to their join, and goes on there; or comes to rest, if one of
    /// them pauses or stops.
    pub(crate) async fn branch_out(&mut self, edge: u16) -> Result<Option<Done>, RunError> {
        let (Some(fork), Some(plan)) = (self.fork.take(), self.plan().fork(edge)) else {
            return Err(self.refused(Refused::Impossible("nothing had forked")));
        };
        let mut gathering = Gathering::new(&self.state, self.plan().by_function);
        let mut all = self.cx.course.engine.clone();
        let mut asks: Option<Box<Ask>> = None;
        let mut is_stopped = false;
        // Those that came back before one that was written before them.
        let mut early: BTreeMap<u32, Back<_>> = BTreeMap::new();
        let mut next = 0;
        let most = plan.concurrency.unwrap_or(usize::MAX).max(1);
        let mut failed = None;
        let mut rested_so_far = 0_u32;
        {
            let mut branches = self.branches(edge, plan, *fork);
            let mut under_way = FuturesUnordered::new();
            loop {
                let rested = if under_way.len() < most
                    && let Some(mut branch) = branches.next()
                {
                    // Many a branch never waits for anything. One that does is polled once more when
                    // it has its place among the others.
                    match poll_fn(|task| Poll::Ready(branch.as_mut().poll(task))).await {
                        Poll::Ready(rested) => rested,
                        Poll::Pending => {
                            under_way.push(branch);
                            continue;
                        }
                    }
                } else {
                    match under_way.next().await {
                        Some(rested) => rested,
                        None => break,
                    }
                };
                match rested {
                    Ok((index, Rest::Back(back))) if index == next => {
                        all.absorb(&back.engine);
                        gathering.bring(back);
                        next += 1;
                        while let Some(back) = early.remove(&next) {
                            all.absorb(&back.engine);
                            gathering.bring(back);
                            next += 1;
                        }
                    }
                    Ok((index, Rest::Back(mut back))) => {
                        back.wait(&self.state);
                        early.insert(index, back);
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
                rested_so_far += 1;
                if rested_so_far.is_multiple_of(BRANCHES_A_TURN) {
                    tokio::task::yield_now().await;
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
            Err(unmerged) => {
                let unmerged = self.unmerged(unmerged);
                return Err(self.record(unmerged).await);
            }
        };
        if let Some(mut state) = state {
            take_fields(&mut self.state, &mut state, gathered.marks.changed);
        }
        self.cx.before.add(gathered.marks);
        if let Some(progress) = &mut self.cx.course.progress {
            progress.changed(gathered.marks.changed);
        }
        let writes = if self.scope.ledger.is_some() {
            match self.writes(gathered.merged, FieldSet::EMPTY) {
                Ok(writes) => writes,
                Err(unencoded) => return Err(self.record(unencoded).await),
            }
        } else {
            Writes::default()
        };
        let plan = self.plan();
        let joined = self.cx.course.engine.joined(plan, all);
        let join = joined.map_err(|refused| self.refused(refused))?;
        let to = self.kept_name(join);
        let seq = self.append(Recorded::Joined { to, writes }).await?;
        self.settle(seq);
        self.cx.caught = None;
        telemetry::joined(plan.name(join));
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
    ) -> impl Iterator<Item = BoxFuture<'f, Rested<G::State>>> + Send {
        let Fork {
            seq,
            branches,
            items,
            folded,
        } = fork;
        let mut items = items.into_iter();
        let mut folded = folded.into_iter();
        (0..branches).map(move |index| {
            let item = items.next().or_else(|| self.cx.item.clone());
            let folded = folded.next().map(Box::new);
            // All that it needs is made where it is used: a move would make room for it twice.
            Box::pin(async move {
                let desk = Desk::default();
                let begun = match folded {
                    Some(folded) => Some(*folded),
                    None => self.begun(edge, (index, branches), seq, item),
                };
                let id = self.cx.branch.child(seq, index);
                let (state, begun) = self.branch_state(plan, begun)?;
                let mut driver = self.branch(&desk, id, state, begun);
                let done = driver.drive().await?;
                driver.branch_rested(index, done)
            }) as BoxFuture<'f, _>
        })
    }

    /// Returns how a branch begins of which no journal tells.
    fn begun(&self, edge: u16, place: (u32, u32), seq: u64, item: Option<Item>) -> Option<Folded> {
        let engine = &self.cx.course.engine;
        let engine = engine.branch_of(self.plan(), edge, place)?;
        Some(Folded::begun(engine, Fields::default(), seq, item))
    }

    /// Returns a branch's copy of the state, with what a journal tells of it.
    fn branch_state(
        &self,
        plan: &PlanFork,
        begun: Option<Folded>,
    ) -> Result<(G::State, Folded), RunError> {
        let thread = &self.scope.thread;
        let begun =
            begun.ok_or_else(|| RunError::impossible(thread, "the fork has no such branch"))?;
        let mut state = self.state.branch(plan.fields.or(begun.marks.changed));
        begun.fields().load(&mut state, begun.marks, thread)?;
        Ok((state, begun))
    }

    /// Takes a branch up where it stands.
    fn branch<'f>(
        &'f self,
        desk: &'f Desk,
        branch: BranchId,
        state: G::State,
        begun: Folded,
    ) -> Driver<'f, G, K> {
        let (scope, plan, sink) = (self.scope, self.plan(), self.sink.clone());
        let mut driver = Driver::new(self.graph, scope, desk, plan, branch, state, begun, sink);
        driver.cx.around = self.cx.around.clone();
        driver.cx.patience = self.cx.patience;
        driver.cx.outer = self.cx.outer.clone();
        driver
    }

    /// Returns what a branch has come to that came to rest.
    fn branch_rested(self, index: u32, done: Done) -> Rested<G::State> {
        let rest = match done {
            Done::Arrived => Rest::Back(Back {
                marks: self.cx.marks(),
                state: self.state,
                engine: self.cx.course.engine,
            }),
            Done::Paused(ask) => Rest::Paused(ask),
            Done::Stopped => Rest::Stopped,
            Done::Ended(..) => {
                let reason = "a branch ended without its join";
                return Err(RunError::impossible(&self.scope.thread, reason));
            }
        };
        Ok((index, rest))
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
    fn new(base: &'a S, by_function: FieldSet) -> Self {
        Self {
            base,
            state: None,
            gathered: Gathered::new(by_function),
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
            self.gathered.bring(back.marks).for_each(drop);
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
