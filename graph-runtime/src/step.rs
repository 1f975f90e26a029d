//! A step: a node is executed, the route is evaluated, the step is written down, and then the run goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_channel::mpsc;
use futures_util::StreamExt;
use futures_util::future::{Either, poll_fn, select};
use handoffs_core::{FieldSet, Target};

use crate::attempt::{Broken, Pulse, guarded, text};
use crate::context::{Kind, NodeError, Question, Signal};
use crate::course::place;
use crate::driver::{Done, Driver};
use crate::engine::{Fact, Hop};
use crate::error::RunError;
use crate::event::{Event, Sink};
use crate::execute::Runnable;
use crate::fork::Fork;
use crate::item::Item;
use crate::journal::{Ask, AskId, Conclusion, Forked, Json, Recorded};

/// What came of an attempt at a node: the edge that its outcome chose, or what kept it from concluding.
type Attempt = Result<Result<usize, NodeError>, Signal>;

/// What is known of a step before it is decided where it leads.
pub(crate) struct Step {
    pub(crate) edge: usize,
    pub(crate) outcome: Option<Conclusion>,
    /// Whether the node was not executed.
    pub(crate) cached: bool,
}

impl<G: Runnable, K: Sink<G>> Driver<'_, G, K> {
    /// Makes one step, or one attempt at it, and returns how the path came to rest, if it did.
    pub(crate) async fn step(&mut self, node: u16) -> Result<Option<Done>, RunError> {
        if self.sink.listens() {
            let (branch, node) = (self.cx.branch.clone(), self.node(node));
            self.sink.emit(|| Event::Entered { branch, node }).await;
        }
        let caches = self.caches(node);
        let is_kept = self.scope.ledger.is_some() || caches;
        if is_kept {
            self.measure();
        }
        let traced = tracing::enabled!(tracing::Level::DEBUG);
        self.cx.enter(is_kept || self.sink.listens(), traced);
        let key = if caches { self.cache_key(node) } else { None };
        let hit = match &key {
            Some(key) => self.look_up(node, key).await,
            None => None,
        };
        let step = match hit {
            Some(step) => step,
            None => match self.attempt(node).await {
                Err(signal) => return self.rest(signal).await.map(Some),
                Ok(Err(error)) => return self.failed(error).await,
                Ok(Ok(edge)) => Step {
                    edge,
                    outcome: self.concluded()?,
                    cached: false,
                },
            },
        };
        // It may be another, as nobody had to see the steps between.
        let node = self.cx.course.due();
        if let (Some(key), Some(outcome), false) = (&key, &step.outcome, step.cached) {
            self.remember(node, key, outcome).await;
        }
        self.go_on(node, step).await?;
        if self.cx.course.is_turn_over() {
            tokio::task::yield_now().await;
        }
        Ok(None)
    }

    /// Executes nodes, from `node` to one whose step has to be seen, until that concludes, fails or asks.
    async fn attempt(&mut self, node: u16) -> Attempt {
        let Self {
            graph,
            scope,
            state,
            cx,
            sink,
            ..
        } = self;
        let plan = cx.course.plan;
        let Some(planned) = plan.node(node) else {
            return Ok(Err(NodeError::new("there is no such node")));
        };
        // A graph within takes a permit for each node of its own.
        let permits = scope.limits.permits.as_ref();
        let _permit = match permits.filter(|_| planned.inner.is_none()) {
            Some(permits) => permits.acquire().await.ok(),
            None => None,
        };
        let span = tracing::debug_span!("node", node = &*planned.name);
        let desk = Arc::clone(&cx.desk);
        cx.pulse = Pulse::of(&planned.policy);
        let pulse = cx.pulse.clone();
        let mut events = None;
        if planned.inner.is_some() && sink.listens() {
            let (sender, receiver) = mpsc::channel(0);
            cx.relay = Some(sender);
            events = Some(receiver);
        }
        let branch = events.is_some().then(|| cx.branch.clone());
        let mut step = pin!(graph.step(usize::from(node), state, cx));
        // A signal leaves the node's future pending for ever; then it is dropped.
        let work = poll_fn(|task| {
            let _entered = span.enter();
            match step.as_mut().poll(task) {
                Poll::Ready(step) => Poll::Ready(Ok(step)),
                Poll::Pending => match desk.take() {
                    Some(signal) => Poll::Ready(Err(signal)),
                    None => Poll::Pending,
                },
            }
        });
        let mut work = pin!(guarded(&planned.policy, &pulse, work));
        let ended = loop {
            let Some(events) = &mut events else {
                break work.await;
            };
            match select(work.as_mut(), events.next()).await {
                Either::Left((ended, _)) => break ended,
                Either::Right((Some(event), _)) => {
                    let branch = branch.clone().unwrap_or_default();
                    let node = graph.node(usize::from(node));
                    let within = || Event::Within {
                        branch,
                        node,
                        event,
                    };
                    sink.emit(within).await;
                }
                Either::Right((None, _)) => break work.await,
            }
        };
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
            Signal::Asks(question) => self.ask(*question).await.map(Done::Paused),
            Signal::Paused(ask) => Ok(Done::Paused(*ask)),
            Signal::Stopped => Ok(Done::Stopped),
            Signal::Broke(error) => Err(*error),
        }
    }

    async fn ask(&mut self, question: Question) -> Result<Ask, RunError> {
        let node = self.due_name();
        let mut ask = Ask {
            id: AskId(0),
            node: node.to_owned().into(),
            key: question.key,
            question: question.text,
        };
        ask.id = AskId(self.append(Recorded::Asked(ask.clone())).await?);
        self.tell(Fact::Asked(ask.id))?;
        tracing::debug!(node, ask = %ask.id, "paused");
        Ok(ask)
    }

    /// Takes what the node concluded, if somebody is told.
    fn concluded(&mut self) -> Result<Option<Conclusion>, RunError> {
        let concluded = self.cx.concluded.take().transpose();
        concluded.map_err(|error| self.unencoded("the outcome", error))
    }

    /// Decides where the run goes, and writes the step to the journal, if there is one, before it
    /// goes there.
    async fn go_on(&mut self, node: u16, step: Step) -> Result<(), RunError> {
        let Step {
            edge,
            outcome,
            cached,
        } = step;
        let has_journal = self.scope.ledger.is_some();
        let told = outcome.clone().filter(|_| self.sink.listens());
        // What cannot be kept must not be decided, so it is encoded first.
        let writes = if has_journal && !self.is_direct(node, cached) {
            let marks = self.cx.step;
            self.writes(marks.changed, marks.appended)
        } else {
            Ok(crate::journal::Writes::default())
        };
        let writes = match writes {
            Ok(writes) => writes,
            Err(error) => return Err(self.record(error).await),
        };
        let changed = self.cx.step.changed;
        let decided = self.cx.course.decide(edge, changed, &self.state);
        let (hop, progress) = match decided {
            Ok(decided) => decided,
            Err(refused) => {
                let refused = self.refused(refused);
                return Err(self.record(refused).await);
            }
        };
        let replaced = self.cx.step.replaced;
        self.cx.flush();
        let mut forked = None;
        if hop.forks {
            let items = match self.items(edge) {
                Ok(items) => items,
                Err(error) => return Err(self.record(error).await),
            };
            let fork = self.plan().fork(place(edge));
            let entries = fork.map_or(0, |fork| fork.entries.len());
            let branches = items.as_ref().map_or(entries, |(items, _)| items.len());
            let branches = u32::try_from(branches).unwrap_or(u32::MAX);
            let (items, kept) = items.unwrap_or_default();
            let made = Forked {
                branches,
                items: kept,
            };
            forked = Some((made, items));
        }
        let branches = forked.as_ref().map(|(forked, _)| forked.branches);
        let to = hop.to;
        tracing::debug!(from = self.plan().name(node), to = %to.map(|to| self.plan().name(to)), masked = ?hop.masked, "handoff");
        let mut seq = 0;
        if let (Some(outcome), true) = (outcome, has_journal) {
            let on = self.plan().edge(place(edge));
            let stepped = Recorded::Stepped {
                node: self.kept_name(node),
                outcome,
                edge: place(edge),
                on: on
                    .map(|edge| edge.label().into_owned())
                    .unwrap_or_default()
                    .into(),
                masked: hop.masked,
                to: to
                    .node()
                    .filter(|_| !hop.forks)
                    .map(|to| self.kept_name(to)),
                fork: forked.as_ref().map(|(forked, _)| forked.clone()),
                progress,
                writes,
                replaced: names::<G>(replaced),
                cached,
            };
            seq = self.append(stepped).await?;
        }
        self.settle(seq);
        self.cx.caught = None;
        if let Some((forked, items)) = forked {
            let seq = self.cx.place();
            self.fork = Some(Fork::new(seq, forked.branches, items));
        }
        if let Some(outcome) = told {
            self.emit_step(node, edge, outcome, hop, branches, cached)
                .await;
        }
        Ok(())
    }

    /// Notes that another node is due, or none.
    pub(crate) fn settle(&mut self, seq: u64) {
        if self.scope.ledger.is_some() {
            self.cx.arrived = seq;
        }
        self.cx.answers.clear();
        self.used.clear();
    }

    /// Returns whether a node's writes stand in the entries of the graph that it is.
    fn is_direct(&self, node: u16, cached: bool) -> bool {
        let inner = self.plan().node(node).and_then(|node| node.inner.as_ref());
        !cached && inner.is_some_and(|inner| inner.is_direct)
    }

    /// Lists the items of an `each`, and writes them down if there is a journal.
    #[expect(clippy::type_complexity, reason = "the items, and how they are kept")]
    fn items(&self, edge: usize) -> Result<Option<(Vec<Item>, Vec<Json>)>, RunError> {
        let fork = self.plan().fork(place(edge));
        if !fork.is_some_and(|fork| fork.is_each) {
            return Ok(None);
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
        Ok(Some((items, kept)))
    }

    async fn emit_step(
        &mut self,
        node: u16,
        edge: usize,
        outcome: Conclusion,
        hop: Hop,
        branches: Option<u32>,
        cached: bool,
    ) {
        let plan = self.plan();
        let Some(edge) = plan.edge(place(edge)) else {
            return;
        };
        let edge = edge.clone().map(|node| self.node(node.0));
        let (branch, node) = (self.cx.branch.clone(), self.node(node));
        let to: Target<G::Node> = hop.to.map(|to| self.node(to));
        let stepped = || Event::Stepped {
            branch,
            node,
            outcome,
            edge,
            to,
            masked: hop.masked,
            branches,
            cached,
        };
        self.sink.emit(stepped).await;
    }
}

/// Returns the names of fields.
pub(crate) fn names<G: Runnable>(fields: FieldSet) -> Vec<std::borrow::Cow<'static, str>> {
    use handoffs_core::State;
    let fields = fields
        .iter()
        .filter_map(|field| G::State::FIELDS.get(field));
    fields.map(|field| field.name.into()).collect()
}
