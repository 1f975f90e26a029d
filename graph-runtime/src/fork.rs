//! The branches of a fork: they go their ways at the same time, and what they made of the state is put
//! together in the written order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::vec::IntoIter;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, poll_fn};
use futures_util::stream::FuturesUnordered;
use handoffs_core::{FieldSet, State};

use crate::attempt::text;
use crate::context::Desk;
use crate::driver::{Done, Driver, Place};
use crate::engine::{Engine, Refused};
use crate::error::RunError;
use crate::event::Event;
use crate::execute::Runnable;
use crate::item::Item;
use crate::journal::{Ask, Folded, FoldedFork, Recorded, Writes};
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

/// What the branches of a fork share: which of them are still to go their ways, and what came of the others.
struct Forking<'a, S> {
    /// The step that forked.
    seq: u64,
    branches: u32,
    /// The branch that begins next.
    next: u32,
    items: IntoIter<Item>,
    /// How far each branch came, where a journal tells.
    folded: IntoIter<Folded>,
    base: &'a S,
    gathering: Gathering<'a, S>,
    all: Engine,
    /// The branch whose changes are brought in next.
    due: u32,
    /// Those that came back before one that was written before them.
    early: BTreeMap<u32, Back<S>>,
    /// The question that was asked first, of all that are open.
    asks: Option<Box<Ask>>,
    is_stopped: bool,
    rested: u32,
}

/// Where a branch begins.
struct Beginning {
    seq: u64,
    /// Which branch it is, and of how many.
    index: u32,
    of: u32,
    item: Option<Item>,
    folded: Option<Box<Folded>>,
}

/// A branch that came to its join, with what it changed of the state.
struct Back<S> {
    state: S,
    marks: Marks,
    engine: Engine,
}

/// Takes hold of what the branches share.
fn held<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: State> Forking<'_, S> {
    /// Returns where the next branch begins.
    fn begin(&mut self) -> Option<Beginning> {
        if !self.is_more() {
            return None;
        }
        let index = self.next;
        self.next += 1;
        Some(Beginning {
            seq: self.seq,
            index,
            of: self.branches,
            item: self.items.next(),
            folded: self.folded.next().map(Box::new),
        })
    }

    /// Returns whether there are branches that have not begun.
    const fn is_more(&self) -> bool {
        self.next < self.branches
    }

    /// Returns whether it is time that other tasks have their turn, once a branch has come to rest.
    const fn is_turn_over(&self) -> bool {
        self.rested.is_multiple_of(BRANCHES_A_TURN)
    }

    /// Brings in what a branch changed that has come to the join, as soon as its turn comes.
    fn bring(&mut self, index: u32, state: &mut S, marks: Marks, engine: &Engine) {
        if index != self.due {
            // It may be long until then, so no more is kept than that.
            let mut changed = self.base.branch(FieldSet::EMPTY);
            take_fields(&mut changed, state, marks.changed);
            let back = Back {
                state: changed,
                marks,
                engine: engine.clone(),
            };
            self.early.insert(index, back);
            return;
        }
        self.all.absorb(engine);
        self.gathering.bring(state, marks);
        self.due += 1;
        while let Some(mut back) = self.early.remove(&self.due) {
            self.all.absorb(&back.engine);
            self.gathering.bring(&mut back.state, back.marks);
            self.due += 1;
        }
    }
}

impl<G: Runnable> Driver<'_, G> {
    /// Brings the branches of a fork to their join, and goes on there; or comes to rest, if one of
    /// them pauses or stops.
    pub(crate) async fn branch_out(&mut self, edge: u16) -> Result<Option<Done>, RunError> {
        let (Some(fork), Some(plan)) = (self.fork.take(), self.plan().fork(edge)) else {
            return Err(self.refused(Refused::Impossible("nothing had forked")));
        };
        let forking = Mutex::new(Forking {
            seq: fork.seq,
            branches: fork.branches,
            next: 0,
            items: fork.items.into_iter(),
            folded: fork.folded.into_iter(),
            base: &self.state,
            gathering: Gathering::new(&self.state, self.plan().by_function),
            all: self.cx.course.engine.clone(),
            due: 0,
            early: BTreeMap::new(),
            asks: None,
            is_stopped: false,
            rested: 0,
        });
        let most = plan.concurrency.unwrap_or(usize::MAX).max(1);
        let mut failed = None;
        {
            let mut under_way = FuturesUnordered::new();
            loop {
                let is_more = held(&forking).is_more();
                let rested = if is_more && under_way.len() < most {
                    let mut work = self.work(edge, plan, &forking);
                    // Many a branch never waits for anything. One that does is polled once more when
                    // it has its place among the others.
                    match poll_fn(|task| Poll::Ready(work.as_mut().poll(task))).await {
                        Poll::Ready(rested) => rested,
                        Poll::Pending => {
                            under_way.push(work);
                            continue;
                        }
                    }
                } else {
                    match under_way.next().await {
                        Some(rested) => rested,
                        None => break,
                    }
                };
                if let Err(error) = rested {
                    failed = Some(error);
                    break;
                }
                if held(&forking).is_turn_over() {
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
        let Forking {
            gathering,
            all,
            asks,
            is_stopped,
            ..
        } = forking.into_inner().unwrap_or_else(PoisonError::into_inner);
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
            self.sink.emit(Event::Joined { branch, to }).await;
        }
        Ok(())
    }

    /// Goes the ways of branches, one after the other, until none is left or the turn is over. While one of
    /// them waits, the others are for somebody else.
    fn work<'f, 'b: 'f>(
        &'f self,
        edge: u16,
        plan: &'f PlanFork,
        forking: &'f Mutex<Forking<'b, G::State>>,
    ) -> BoxFuture<'f, Result<(), RunError>> {
        Box::pin(async move {
            let Some(beginning) = held(forking).begin() else {
                return Ok(());
            };
            let desk = Desk::default();
            let mut index = beginning.index;
            let mut driver = self.branch(&desk, edge, plan, beginning)?;
            loop {
                let done = driver.drive().await?;
                let next = {
                    let mut forking = held(forking);
                    driver.branch_rested(index, done, &mut forking)?;
                    if forking.is_turn_over() {
                        None
                    } else {
                        forking.begin()
                    }
                };
                let Some(beginning) = next else {
                    return Ok(());
                };
                index = beginning.index;
                match beginning {
                    Beginning {
                        folded: None,
                        seq,
                        of,
                        item,
                        ..
                    } => {
                        let engine = self.branch_engine(edge, (index, of))?;
                        driver.begin_again(index, self.state.branch(plan.fields), engine);
                        driver.cx.arrived = seq;
                        driver.cx.item = item.or_else(|| self.cx.item.clone());
                    }
                    folded => driver = self.branch(&desk, edge, plan, folded)?,
                }
            }
        })
    }

    /// Takes a branch up where it stands.
    fn branch<'f>(
        &'f self,
        desk: &'f Desk,
        edge: u16,
        plan: &PlanFork,
        beginning: Beginning,
    ) -> Result<Driver<'f, G>, RunError> {
        let Beginning {
            seq,
            index,
            of,
            item,
            folded,
        } = beginning;
        let place = Place {
            scope: self.scope,
            desk,
            plan: self.plan(),
            branch: self.cx.branch.child(seq, index),
        };
        let (graph, sink) = (self.graph, self.sink.clone());
        let mut driver = if let Some(folded) = folded {
            let state = self.branch_state(plan, &folded)?;
            Driver::new(graph, place, state, *folded, sink)
        } else {
            let engine = self.branch_engine(edge, (index, of))?;
            let state = self.state.branch(plan.fields);
            let mut driver = Driver::begun(graph, place, state, engine, sink);
            driver.cx.arrived = seq;
            driver.cx.item = item.or_else(|| self.cx.item.clone());
            driver
        };
        driver.cx.around = self.cx.around.clone();
        driver.cx.patience = self.cx.patience;
        driver.cx.outer.clone_from(&self.cx.outer);
        Ok(driver)
    }

    fn branch_engine(&self, edge: u16, place: (u32, u32)) -> Result<Engine, RunError> {
        let engine = &self.cx.course.engine;
        let engine = engine.branch_of(self.plan(), edge, place);
        let lost = "the fork has no such branch";
        engine.ok_or_else(|| RunError::impossible(&self.scope.thread, lost))
    }

    /// Returns a branch's copy of the state, with what a journal tells of it.
    fn branch_state(&self, plan: &PlanFork, folded: &Folded) -> Result<G::State, RunError> {
        let mut state = self.state.branch(plan.fields.or(folded.marks.changed));
        let fields = folded.fields();
        fields.load(&mut state, folded.marks, &self.scope.thread)?;
        Ok(state)
    }

    /// Notes how a branch came to rest.
    fn branch_rested(
        &mut self,
        index: u32,
        done: Done,
        forking: &mut Forking<'_, G::State>,
    ) -> Result<(), RunError> {
        match done {
            Done::Arrived => {
                let (marks, engine) = (self.cx.marks(), &self.cx.course.engine);
                forking.bring(index, &mut self.state, marks, engine);
            }
            Done::Paused(ask) => {
                let first = forking.asks.as_ref();
                if first.is_none_or(|first| ask.id < first.id) {
                    forking.asks = Some(ask);
                }
            }
            Done::Stopped => forking.is_stopped = true,
            Done::Ended(..) => {
                let reason = "a branch ended without its join";
                return Err(RunError::impossible(&self.scope.thread, reason));
            }
        }
        forking.rested += 1;
        Ok(())
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

    /// Brings in what the next branch changed, and leaves it a state that is of no use.
    fn bring(&mut self, branch: &mut S, marks: Marks) {
        let Self {
            base,
            state,
            gathered,
            failed: None,
        } = self
        else {
            return;
        };
        let brought = catch_unwind(AssertUnwindSafe(|| {
            let state = state.get_or_insert_with(|| base.branch(FieldSet::EMPTY));
            for (field, way) in gathered.bring(marks) {
                let appended = marks.appended().contains(field);
                match way {
                    Bring::Take => state.take(field, branch),
                    Bring::Append | Bring::Merge => {
                        if !state.merge(field, base, branch, appended) {
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
