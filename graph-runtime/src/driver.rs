//! The one loop: does what the engine says and tells it what came of it.
//!
//! A driver follows one path through a graph: the trunk of a run, a branch of a fork, or the run of a
//! graph within. The steps themselves stand in `step`, what follows an error in `failure`.

mod entries;

use std::borrow::Cow;
use std::error::Error;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select};
use handoffs_core::{Grant, NodeIndex};
use tokio::task::coop::unconstrained;
use tracing::Instrument;

use crate::attempt::text;
use crate::context::{Context, Desk};
use crate::course::Course;
use crate::engine::{Action, Engine, Fact, Refused};
use crate::error::{RunError, chain};
use crate::event::Sink;
use crate::execute::Runnable;
use crate::fork::Fork;
use crate::journal::{Ask, BranchId, Folded, JournalError, Ledger, Recorded, ThreadId, Writes};
use crate::marks::Marks;
use crate::node_error::{Kind, NodeError};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::run::Run;
use crate::scope::{Limits, Scope};
use crate::telemetry;

pub(crate) use entries::{HandedIn, node_of};

/// A path through a graph in the hands of the driver.
pub(crate) struct Driver<'a, G: Runnable> {
    pub(crate) graph: &'a G,
    pub(crate) scope: &'a Scope,
    pub(crate) state: G::State,
    pub(crate) cx: Context<'a>,
    pub(crate) sink: Sink<G>,
    /// The question that is open.
    pub(crate) open: Option<Box<Ask>>,
    /// How long the last attempt at a node took, in milliseconds.
    pub(crate) took_ms: u64,
    /// How long calls took of an attempt that was cut off before, in milliseconds.
    pub(crate) cut_off_ms: u64,
    /// How many attempts each retry rule has given the node that is due.
    pub(crate) used: Vec<u32>,
    /// The fork whose branches are due.
    pub(crate) fork: Option<Box<Fork>>,
    /// Whether the graph is a node of another, whose driver writes down what follows an error.
    pub(crate) is_within: bool,
}

/// Where a path is: in which run, and of which graph.
pub(crate) struct Place<'a> {
    pub(crate) scope: &'a Scope,
    /// Where its nodes lay down what keeps them from going on.
    pub(crate) desk: &'a Desk,
    pub(crate) plan: &'a Plan,
    pub(crate) branch: BranchId,
}

/// The fields with which a run begins, whether they are all, and what it is granted.
pub(crate) type Start = (Writes, bool, Option<Grant>);

/// How a path came to rest.
#[derive(Debug)]
pub(crate) enum Done {
    /// At the end of its graph, along this edge or its `else`.
    Ended(u16, bool),
    /// At its join.
    Arrived,
    /// At a question, of all that are open the first.
    Paused(Box<Ask>),
    /// Between two steps, as the runtime was told to stop.
    Stopped,
}

impl<'a, G: Runnable> Driver<'a, G> {
    /// Takes a path up where it stands.
    pub(crate) fn new(
        graph: &'a G,
        place: Place<'a>,
        state: G::State,
        folded: Folded,
        sink: Sink<G>,
    ) -> Self {
        let mut driver = Self::begun(graph, place, state, folded.engine, sink);
        let cx = &mut driver.cx;
        cx.arrived = folded.arrived;
        cx.before = folded.marks;
        cx.answers = folded.answers;
        cx.effects = folded.effects;
        cx.item = folded.item;
        cx.caught = folded.caught.map(Box::new);
        cx.refused = folded.refused;
        cx.calls = folded.calls;
        driver.open = folded.open.map(Box::new);
        driver.cut_off_ms = folded.calls.took_ms;
        driver.used = folded.used;
        driver.fork = folded.fork.map(Fork::folded).map(Box::new);
        driver
    }

    /// Takes up a path that has just begun.
    #[inline]
    pub(crate) fn begun(
        graph: &'a G,
        place: Place<'a>,
        state: G::State,
        engine: Engine,
        sink: Sink<G>,
    ) -> Self {
        let Place {
            scope,
            desk,
            plan,
            branch,
        } = place;
        let watches = !scope.limits.ignore_loops && plan.laps > 0;
        let progress = watches.then(|| Progress::new::<G::State>(plan.writes));
        let course = Course::new(plan, engine, progress);
        Self {
            graph,
            scope,
            state,
            cx: Context::new(scope, desk, branch, course),
            sink,
            open: None,
            took_ms: 0,
            cut_off_ms: 0,
            used: Vec::new(),
            fork: None,
            is_within: false,
        }
    }

    /// Takes up, in the place of a branch that has come to rest, another one of the same fork.
    ///
    /// It is as good as new, and nothing had to be moved for it.
    pub(crate) fn begin_again(&mut self, index: u32, begun: G::State, engine: Engine) {
        // Each field is named, so that none is forgotten.
        let Self {
            graph: _,
            scope: _,
            state,
            cx,
            sink: _,
            open,
            took_ms,
            cut_off_ms,
            used,
            fork,
            is_within: _,
        } = self;
        *state = begun;
        cx.begin_again(index, engine);
        *open = None;
        (*took_ms, *cut_off_ms) = (0, 0);
        used.clear();
        *fork = None;
    }

    /// Runs the trunk until it comes to rest, is cancelled or out of time; begins with `start`, if that is
    /// given: with fields of the state, which may be all.
    pub(crate) async fn run(
        &mut self,
        way: &'static str,
        start: Option<Box<Start>>,
    ) -> Result<Done, RunError> {
        let scope = self.scope;
        let graph = self.plan().topology.name();
        let Some(watched) = telemetry::run(graph, scope, way) else {
            return self.run_to_rest(start).await;
        };
        // Boxed, as a run that nobody watches has no room for it.
        let (span, work) = (watched.span(), Box::pin(self.run_to_rest(start)));
        let done = work.instrument(span).await;
        watched.rested(graph, scope, &done);
        done
    }

    async fn run_to_rest(&mut self, start: Option<Box<Start>>) -> Result<Done, RunError> {
        if let Some(start) = start {
            let (writes, whole, grant) = *start;
            self.start(writes, whole, grant).await?;
        }
        let limits = &self.scope.limits;
        let is_bounded = limits.cancel.is_some() || limits.deadline.is_some();
        let done = if is_bounded {
            Box::pin(self.bounded()).await
        } else {
            self.drive().await
        };
        let Some(ledger) = &self.scope.ledger else {
            return done;
        };
        flushed(ledger, &self.scope.thread, self.due_name(), done).await
    }

    /// Returns what a run has come to that came to rest.
    pub(crate) fn rested(self, done: Done) -> Result<Run<G::State>, RunError> {
        match done {
            Done::Ended(..) => Ok(Run::Finished(self.state)),
            Done::Paused(ask) => Ok(Run::Paused(*ask)),
            Done::Stopped if let Some((node, spent)) = self.scope.spending.over() => {
                Err(RunError::Budget {
                    thread: self.scope.thread.clone(),
                    node: node.clone(),
                    recoverable: self.scope.ledger.is_some(),
                    spent: Box::new(spent.clone()),
                })
            }
            Done::Stopped => Err(RunError::Drained {
                thread: self.scope.thread.clone(),
                node: self.due_name().to_owned(),
                recoverable: self.scope.ledger.is_some(),
            }),
            Done::Arrived => {
                let thread = &self.scope.thread;
                Err(RunError::impossible(thread, "the trunk has no join"))
            }
        }
    }

    async fn bounded(&mut self) -> Result<Done, RunError> {
        let Limits {
            cancel, deadline, ..
        } = &*self.scope.limits;
        let stopped = {
            let cancelled = async {
                match cancel {
                    Some(cancel) => cancel.cancelled().await,
                    None => pending().await,
                }
                None
            };
            let late = async {
                match deadline {
                    Some(after) => tokio::time::sleep(*after).await,
                    None => pending().await,
                }
                *deadline
            };
            // A run that never waits for anything must see that it is to stop.
            let (cancelled, late) = (pin!(unconstrained(cancelled)), pin!(unconstrained(late)));
            match select(select(cancelled, late), pin!(self.drive())).await {
                Either::Left((stop, _)) => stop.factor_first().0,
                Either::Right((done, _)) => return done,
            }
        };
        let thread = self.scope.thread.clone();
        let node = self.due_name().to_owned();
        let recoverable = self.scope.ledger.is_some();
        Err(match stopped {
            None => RunError::Cancelled {
                thread,
                node,
                recoverable,
            },
            Some(after) => RunError::Deadline {
                thread,
                node,
                recoverable,
                after,
            },
        })
    }

    /// Begins a run with what it is granted, and writes down the fields of its state, which are all, if it is
    /// `whole`.
    pub(crate) async fn start(
        &mut self,
        writes: Writes,
        whole: bool,
        grant: Option<Grant>,
    ) -> Result<(), RunError> {
        let root = || self.plan().has_scopes().then(Grant::all);
        let grant = grant.or_else(root);
        self.cx.before = Marks::default();
        self.fork = None;
        let seq = if self.scope.ledger.is_some() {
            let started = Recorded::Started {
                writes,
                whole,
                grant: grant.clone(),
            };
            Box::pin(self.append(started)).await?
        } else {
            0
        };
        // What the run before had left behind is no concern of this one.
        self.settle(seq);
        self.cx.caught = None;
        self.tell(Fact::Started)?;
        let Course { plan, engine, .. } = &mut self.cx.course;
        engine.grant(plan, grant.as_ref());
        Ok(())
    }

    /// Goes on until the path comes to rest. An error at a node is written to the journal.
    pub(crate) async fn drive(&mut self) -> Result<Done, RunError> {
        // A node's own panic is caught where the node is executed; this is for what else is the user's:
        // a `Serialize` of a field, a function that makes a key.
        let panic = match AssertUnwindSafe(self.follow()).catch_unwind().await {
            Ok(done) => return done,
            Err(panic) => text(&*panic),
        };
        let error = self.node_error(NodeError::of(Kind::Panicked(panic)));
        Err(Box::pin(self.record(error)).await)
    }

    async fn follow(&mut self) -> Result<Done, RunError> {
        loop {
            match self.cx.course.engine.next() {
                Action::Execute(_) | Action::Branch(_) if self.scope.is_draining() => {
                    return Ok(Done::Stopped);
                }
                Action::Execute(node) => {
                    if self.cx.is_overspent() {
                        return Ok(Done::Stopped);
                    }
                    if let Some(done) = self.step(node).await? {
                        return Ok(done);
                    }
                }
                Action::Branch(edge) => {
                    // Boxed, as a path that does not fork has no room for it.
                    if let Some(done) = Box::pin(self.branch_out(edge)).await? {
                        return Ok(done);
                    }
                }
                Action::Finish(edge, otherwise) => return Ok(Done::Ended(edge, otherwise)),
                Action::Arrive => return Ok(Done::Arrived),
                Action::Wait(_, ask) => {
                    if let Some(done) = Box::pin(self.wait(ask)).await? {
                        return Ok(done);
                    }
                }
                Action::Approve(_, ask) => {
                    if let Some(done) = Box::pin(self.hand_over(ask)).await? {
                        return Ok(done);
                    }
                }
                Action::Start => {
                    return Err(self.refused(Refused::Impossible("no run was begun")));
                }
                Action::Abandon => {
                    return Err(self.refused(Refused::Impossible("the run was given up")));
                }
            }
        }
    }

    pub(crate) fn tell(&mut self, fact: Fact) -> Result<(), RunError> {
        let Course { plan, engine, .. } = &mut self.cx.course;
        engine
            .on(plan, fact)
            .map_err(|refused| self.refused(refused))
    }

    pub(crate) fn plan(&self) -> &'a Plan {
        self.cx.course.plan
    }

    /// Returns the name of the node that is due.
    pub(crate) fn due_name(&self) -> &'a str {
        self.plan().name(self.cx.course.due())
    }

    pub(crate) fn node(&self, index: u16) -> G::Node {
        self.graph.node(usize::from(index))
    }

    /// Returns the name of a node as an entry keeps it.
    pub(crate) fn kept_name(&self, index: u16) -> Cow<'static, str> {
        self.plan().kept_name(index)
    }

    pub(crate) fn refused(&self, refused: Refused) -> RunError {
        let thread = self.scope.thread.clone();
        match refused {
            Refused::Loop {
                edge,
                why,
                cycle,
                laps,
            } => RunError::HandoffLoop {
                thread,
                node: self.due_name().to_owned(),
                cycle: Refused::cycle_text(self.plan(), &cycle),
                laps,
                edge: self.edge_text(edge),
                why,
            },
            Refused::Impossible(reason) => {
                let last = self.scope.ledger.as_ref().map_or(0, |ledger| ledger.last());
                let source = JournalError::damaged(&thread, last, reason);
                RunError::journal(&thread, Some(self.due_name().to_owned()), source)
            }
        }
    }

    /// Returns an edge as it is written in the graph.
    fn edge_text(&self, edge: u16) -> String {
        let plan = self.plan();
        let Some(edge) = plan.edge(edge) else {
            return String::new();
        };
        let name = |node: NodeIndex| Arc::<str>::from(plan.name(node.0));
        let route = edge.route.clone().map(name);
        format!("{} => {route}", edge.label())
    }

    pub(crate) fn unencoded(
        &self,
        what: &str,
        error: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> RunError {
        RunError::Encode {
            thread: self.scope.thread.clone(),
            node: Some(self.due_name().to_owned()),
            what: what.to_owned(),
            source: error.into(),
        }
    }
}

/// Sees to it that all that was handed in is in the journal, once the run has come to rest, at the node that is due.
fn flushed<'s>(
    ledger: &'s Ledger,
    thread: &'s ThreadId,
    due: &'s str,
    done: Result<Done, RunError>,
) -> BoxFuture<'s, Result<Done, RunError>> {
    Box::pin(async move {
        // What was handed in is finished, whatever has become of the path that did.
        let Err(source) = ledger.flush().await else {
            return done;
        };
        match done {
            // Each step was written before: nothing is lost but what the error itself says.
            Err(error) if !ledger.is_at_exit() || error.is_of_the_journal() => Err(error),
            done => {
                if let Err(error) = done {
                    tracing::error!(error = %chain(&error), "could not write down how the run ended");
                }
                let node = Some(due.to_owned());
                Err(RunError::journal(thread, node, source))
            }
        }
    })
}
