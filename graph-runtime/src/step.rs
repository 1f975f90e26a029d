//! A step: a node is executed, the route is evaluated, the step is written down, and then the run goes on.

use std::mem::take;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use futures_channel::mpsc;
use futures_util::future::poll_fn;
use handoffs_core::{FieldSet, State};
use tracing::{Instrument, Span};

#[cfg(feature = "agents")]
use crate::agent::Teller;
use crate::attempt::{Broken, Pulse, discard, guarded, text};
use crate::context::Signal;
use crate::course::place;
use crate::driver::{Done, Driver, HandedIn};
use crate::engine::Hop;
use crate::error::RunError;
use crate::event::Event;
use crate::execute::Runnable;
use crate::fork::Fork;
use crate::journal::{AskId, Conclusion, Forked, Recorded, Usage, Used, Writes};
use crate::marks::{names, take_fields};
use crate::node_error::{Kind, NodeError};
#[cfg(feature = "agents")]
use crate::relay::hear;
use crate::relay::relay;
use crate::telemetry::{self, Moved};

/// What came of an attempt at a node: the edge that its outcome chose, or what kept it from concluding.
pub(crate) type Attempt = Result<Result<usize, NodeError>, Signal>;

/// What is known of a step before it is decided where it leads.
pub(crate) struct Step {
    pub(crate) edge: usize,
    pub(crate) outcome: Option<Conclusion>,
    /// Whether the node was not executed.
    pub(crate) cached: bool,
}

/// What was made of a step: one that is to be decided, or, if the node has not concluded, how the path came to rest,
/// if it did.
pub(crate) type Made = Result<ControlFlow<Option<Done>, Step>, RunError>;

/// A step that is decided, and not written yet.
struct Taken<G: Runnable> {
    handed_in: Option<HandedIn>,
    fork: Option<Box<Fork>>,
    told: Option<Box<Event<G>>>,
    /// The span of the handoff.
    span: Span,
}

impl<G: Runnable> Driver<'_, G> {
    /// Makes one step, or one attempt at it, and returns how the path came to rest, if it did.
    ///
    /// What happens seldom is boxed, so that the many paths that are under way at a time are small.
    pub(crate) async fn step(&mut self, node: u16) -> Result<Option<Done>, RunError> {
        let planned = self.plan().node(node);
        let span = planned.map(|planned| telemetry::node(planned, &self.cx.branch, &self.used));
        let Some(span) = span.filter(|span| !span.is_disabled()) else {
            return self.step_in(node).await;
        };
        Box::pin(self.traced(node, span)).await
    }

    /// Makes the step within its span.
    async fn traced(&mut self, node: u16, span: Span) -> Result<Option<Done>, RunError> {
        self.cx.span = span.clone();
        let done = self.step_in(node).instrument(span.clone()).await;
        self.cx.span = Span::none();
        if let Err(error) = &done {
            telemetry::step_failed(&span, error);
        }
        done
    }

    /// Makes the step.
    ///
    /// It is several functions, each of which is given what it needs, as a future has room for all that is in it
    /// where it waits, and for more than one thing at a time.
    async fn step_in(&mut self, node: u16) -> Result<Option<Done>, RunError> {
        if self.sink.listens() {
            let (branch, node) = (self.cx.branch.clone(), self.node(node));
            Box::pin(self.sink.emit(Event::Entered { branch, node })).await;
        }
        let caches = self.caches(node);
        self.get_ready(caches);
        let made = if caches {
            Box::pin(self.cached(node)).await?
        } else {
            self.executed(node).await?
        };
        match made {
            ControlFlow::Continue(step) => self.conclude(step).await,
            ControlFlow::Break(done) => Ok(done),
        }
    }

    /// Gets ready for the step.
    fn get_ready(&mut self, caches: bool) {
        let is_kept = self.scope.ledger.is_some() || caches;
        if is_kept {
            let pace = self.cx.pace.get_or_insert_default();
            pace.measure(&self.state);
        }
        let noted = is_kept || self.sink.listens() || !self.cx.span.is_disabled();
        self.cx.enter(noted, telemetry::is_listened());
        self.set_pace(caches);
    }

    /// Executes the node.
    pub(crate) async fn executed(&mut self, node: u16) -> Made {
        let before = self.before(node);
        let edge = match self.permitted(node).await {
            Ok(Ok(edge)) => edge,
            Ok(Err(error)) => {
                self.undo(before);
                return Box::pin(self.failed(error)).await.map(ControlFlow::Break);
            }
            Err(signal) => {
                let done = Box::pin(self.rest(signal)).await;
                return done.map(|done| ControlFlow::Break(Some(done)));
            }
        };
        let unencoded = match self.concluded(edge) {
            Ok(step) => return Ok(ControlFlow::Continue(step)),
            Err(unencoded) => unencoded,
        };
        Err(Box::pin(self.record(unencoded)).await)
    }

    /// Decides where the run goes, and goes on once that is written.
    async fn conclude(&mut self, step: Step) -> Result<Option<Done>, RunError> {
        let taken = match self.decide(step) {
            Ok(taken) => taken,
            Err(error) => return Err(Box::pin(self.record(error)).await),
        };
        if let Some(handed_in) = taken.handed_in {
            let seq = handed_in.seq;
            self.written(handed_in).instrument(taken.span).await?;
            self.settle(seq);
        } else {
            self.settle(0);
        }
        self.cx.caught = None;
        if let Some(mut fork) = taken.fork {
            fork.seq = self.cx.fork_place();
            self.fork = Some(fork);
        }
        if let Some(told) = taken.told {
            Box::pin(self.sink.emit(*told)).await;
        }
        if self.cx.course.is_turn_over() {
            tokio::task::yield_now().await;
        }
        Ok(None)
    }

    /// Keeps the fields that an attempt at a node may leave changed although it fails.
    fn before(&self, node: u16) -> Option<Box<(FieldSet, G::State)>> {
        let fields = self.plan().node(node)?.undone?;
        Some(Box::new((fields, self.state.branch(fields))))
    }

    /// Puts the fields back that an attempt may have changed.
    fn undo(&mut self, before: Option<Box<(FieldSet, G::State)>>) {
        if let Some(mut before) = before {
            let (fields, state) = &mut *before;
            take_fields(&mut self.state, state, *fields);
        }
    }

    /// Makes an attempt at a node as soon as one more may be at work.
    pub(crate) async fn permitted(&mut self, node: u16) -> Attempt {
        // A graph within takes a permit for each node of its own. One of which the plan does not know
        // gives this one back.
        let is_graph = self.plan().node(node).is_some_and(|node| node.is_graph);
        let permits = self.scope.limits.permits.as_ref();
        if let Some(permits) = permits.filter(|_| !is_graph) {
            self.cx.permit = permits.acquire().await.ok();
        }
        let has_budget = self.scope.limits.budgets.is_some();
        if self.scope.ledger.is_some() || has_budget {
            self.cx.pace.get_or_insert_default().begin();
        }
        self.cx.calls_ms = 0;
        let attempt = self.attempt(node).await;
        self.took_ms = self.cx.pace.as_mut().map_or(0, |pace| pace.end());
        self.cx.permit = None;
        if has_budget && !is_graph {
            self.cx.spend_time(self.took_ms);
        }
        if !self.cx.near.is_empty() {
            Box::pin(self.tell_near()).await;
        }
        attempt
    }

    /// Tells of the budgets of which little is left.
    async fn tell_near(&mut self) {
        for (node, spent) in take(&mut self.cx.near) {
            let (branch, node) = (self.cx.branch.clone(), self.node(node));
            let near = Event::Budget {
                branch,
                node,
                spent,
            };
            self.sink.emit(near).await;
        }
    }

    /// Executes nodes, from `node` to one whose step has to be seen, until that concludes, fails or asks.
    async fn attempt(&mut self, node: u16) -> Attempt {
        let Self {
            graph,
            state,
            cx,
            sink,
            ..
        } = self;
        let plan = cx.course.plan;
        let Some(planned) = plan.node(node) else {
            return Ok(Err(NodeError::new("there is no such node")));
        };
        let desk = cx.desk;
        cx.pulse = Pulse::of(&planned.policy, &cx.around);
        let pulse = cx.pulse.clone();
        let mut events = None;
        if planned.inner.is_some() && sink.listens() {
            let (sender, receiver) = mpsc::channel(0);
            cx.relay = Some(sender);
            events = Some(receiver);
        }
        let branch = sink.listens().then(|| cx.branch.clone());
        #[cfg(feature = "agents")]
        let teller = branch.is_some().then(Teller::heard).unwrap_or_default();
        #[cfg(feature = "agents")]
        cx.teller.clone_from(&teller);
        let mut step = pin!(Some(graph.step(usize::from(node), state, cx)));
        let ended = {
            // A signal leaves the node's future pending for ever; then it is dropped.
            let work = poll_fn(|task| {
                let Some(step) = step.as_mut().as_pin_mut() else {
                    // It is taken out only below, after the end.
                    return Poll::Pending;
                };
                match step.poll(task) {
                    Poll::Ready(step) => Poll::Ready(Ok(step)),
                    Poll::Pending => match desk.take() {
                        Some(signal) => Poll::Ready(Err(signal)),
                        None => Poll::Pending,
                    },
                }
            });
            let work = pin!(guarded(&planned.policy, &pulse, work));
            match (branch, events) {
                (Some(branch), Some(events)) => {
                    let node = graph.node(usize::from(node));
                    Box::pin(relay(work, events, sink, branch, node)).await
                }
                #[cfg(feature = "agents")]
                (Some(branch), None) => {
                    let node = graph.node(usize::from(node));
                    Box::pin(hear(work, &teller, sink, branch, node)).await
                }
                _ => work.await,
            }
        };
        // Lent to the guard, it is still there.
        discard(step);
        ended.unwrap_or_else(|broken| {
            Ok(Err(NodeError::of(match broken {
                Broken::Panicked(message) => Kind::Panicked(message),
                Broken::Timeout { kind, after } => Kind::TimedOut(kind, after),
            })))
        })
    }

    /// Comes to rest at what the node waits for.
    async fn rest(&mut self, signal: Signal) -> Result<Done, RunError> {
        match signal {
            Signal::Asks(question) => self
                .ask(*question)
                .await
                .map(|ask| Done::Paused(Box::new(ask))),
            Signal::Paused(ask) => Ok(Done::Paused(ask)),
            Signal::Stopped => {
                self.note_used()?;
                Ok(Done::Stopped)
            }
            Signal::Broke(error) => Err(*error),
        }
    }

    /// Takes what the node concluded, if somebody is told.
    fn concluded(&mut self, edge: usize) -> Result<Step, RunError> {
        let concluded = self.cx.concluded.take().transpose();
        let outcome = concluded.map_err(|error| self.unencoded("the outcome", error))?;
        Ok(Step {
            edge,
            outcome,
            cached: false,
        })
    }

    /// Decides where the run goes, and hands the step in, if there is a journal: before it is written,
    /// the run must not go there.
    fn decide(&mut self, step: Step) -> Result<Taken<G>, RunError> {
        let Step {
            edge,
            outcome,
            cached,
        } = step;
        // It may be another than that with which the attempt began, as nobody had to see the steps between.
        let node = self.cx.course.due();
        let has_journal = self.scope.ledger.is_some();
        // What cannot be kept must not be decided, so it is encoded first.
        let writes = if has_journal && !self.is_direct(node, cached) {
            let marks = self.cx.step;
            self.writes(marks.changed, marks.appended())?
        } else {
            Writes::default()
        };
        let changed = self.cx.step.changed;
        let left = self.cx.take_left();
        self.cx.note_held();
        let decided = self.cx.course.decide(edge, changed, &self.state);
        let (hop, progress) = decided.map_err(|refused| self.refused(refused))?;
        let edge = usize::from(hop.edge);
        let replaced = self.cx.step.replaced;
        self.cx.flush();
        let (forked, fork) = if hop.forks {
            let (forked, fork) = self.forked(edge)?;
            (Some(forked), Some(Box::new(fork)))
        } else {
            (None, None)
        };
        let approval = if hop.asks {
            Some(self.approval_of(edge)?)
        } else {
            None
        };
        let span = if telemetry::is_told() {
            self.tell_step(node, edge, hop, outcome.as_ref(), forked.as_ref(), cached)
        } else {
            Span::none()
        };
        let mut taken = Taken {
            handed_in: None,
            fork,
            told: None,
            span,
        };
        let Some(outcome) = outcome else {
            return Ok(taken);
        };
        if self.sink.listens() {
            let branches = forked.as_ref().map(|forked| forked.branches);
            let told = self.stepped(node, edge, &outcome, hop, branches, cached);
            taken.told = told.map(Box::new);
        }
        if has_journal {
            let to = hop.to.node().filter(|_| !hop.forks);
            let stepped = Recorded::Stepped {
                node: self.kept_name(node),
                outcome,
                edge: place(edge),
                on: self.plan().edge_label(place(edge)),
                masked: hop.masked,
                to: to.map(|to| self.kept_name(to)),
                fork: forked,
                progress,
                writes,
                replaced: names::<G::State>(replaced),
                cached,
                approval: approval.clone(),
                authority: self.cx.held_next(hop),
                left,
                usage: self.usage(),
                took_ms: self.took(),
            };
            let handed_in = self.hand_in(stepped)?;
            if let Some(mut ask) = approval {
                // It is known by the number of its entry.
                ask.id = AskId(handed_in.seq);
                if let Some(Event::Stepped { approval, .. }) = taken.told.as_deref_mut() {
                    *approval = Some(ask.clone());
                }
                self.await_approval(ask)?;
            }
            taken.handed_in = Some(handed_in);
        }
        Ok(taken)
    }

    /// Tells of a step in traces, and returns the span of its handoff.
    fn tell_step(
        &self,
        node: u16,
        edge: usize,
        hop: Hop,
        outcome: Option<&Conclusion>,
        forked: Option<&Forked>,
        cached: bool,
    ) -> Span {
        let (plan, edge, usage) = (self.plan(), place(edge), self.used());
        telemetry::concluded(&self.cx.span, outcome, cached, usage);
        telemetry::stepped(plan.topology.name(), plan.name(node), usage);
        if hop.asks {
            // It is none before it is approved.
            return Span::none();
        }
        let fork = plan.fork(edge).filter(|_| hop.forks);
        telemetry::handoff(&Moved {
            plan,
            from: node,
            edge,
            hop,
            branches: fork.map_or(&[], |fork| &fork.entries),
            many: forked.map(|forked| forked.branches),
            concluded: outcome,
            content: self.scope.limits.trace_content,
            decision: None,
            lap: self.cx.course.engine.taken(plan, edge),
            usage,
            held: self.cx.held_around(hop),
        })
    }

    /// Notes that another node is due, or none.
    pub(crate) fn settle(&mut self, seq: u64) {
        if self.scope.ledger.is_some() {
            self.cx.arrived = seq;
        }
        self.cx.answers.clear();
        self.cx.refused = None;
        self.cx.effects.clear();
        self.cx.usage = Usage::default();
        self.cx.calls = Used::default();
        self.cut_off_ms = 0;
        self.cx.again = false;
        self.used.clear();
    }

    /// Returns whether a node's writes stand in the entries of the graph that it is.
    fn is_direct(&self, node: u16, cached: bool) -> bool {
        let inner = self.plan().node(node).and_then(|node| node.inner.as_ref());
        !cached && inner.is_some_and(|inner| inner.is_direct)
    }

    /// Lists the branches of a fork, with the items of an `each`, as an entry keeps them and as the run
    /// goes on with them.
    fn forked(&self, edge: usize) -> Result<(Forked, Fork), RunError> {
        let fork = self.plan().fork(place(edge));
        if let Some(fork) = fork.filter(|fork| !fork.is_each) {
            let branches = u32::try_from(fork.entries.len()).unwrap_or(u32::MAX);
            let begin = fork.entries.iter().map(|node| self.kept_name(*node));
            let forked = Forked {
                branches,
                begin: begin.collect(),
                items: Vec::new(),
            };
            return Ok((forked, Fork::new(branches, Vec::new())));
        }
        let items = catch_unwind(AssertUnwindSafe(|| self.graph.items(edge, &self.state)));
        let items = items.map_err(|panic| {
            let panicked = NodeError::of(Kind::Panicked(text(&*panic)));
            self.node_error(panicked)
        })?;
        let mut kept = Vec::new();
        if self.scope.ledger.is_some() {
            for (index, item) in items.iter().enumerate() {
                let json = item
                    .json()
                    .map_err(|error| self.unencoded(&format!("item {index} of a fork"), error))?;
                kept.push(json);
            }
        }
        let branches = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let begin = fork.into_iter().flat_map(|fork| &fork.entries);
        let forked = Forked {
            branches,
            begin: begin.map(|node| self.kept_name(*node)).collect(),
            items: kept,
        };
        Ok((forked, Fork::new(branches, items)))
    }

    /// Tells of a step.
    fn stepped(
        &self,
        node: u16,
        edge: usize,
        outcome: &Conclusion,
        hop: Hop,
        branches: Option<u32>,
        cached: bool,
    ) -> Option<Event<G>> {
        let edge = self.plan().edge(place(edge))?.clone();
        Some(Event::Stepped {
            branch: self.cx.branch.clone(),
            node: self.node(node),
            outcome: outcome.clone(),
            edge: edge.map(|node| self.node(node.0)),
            to: hop.to.map(|to| self.node(to)),
            masked: hop.masked,
            branches,
            cached,
            approval: None,
        })
    }
}
