//! The one loop: does what the engine says and tells it what came of it.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::PoisonError;
use std::task::Poll;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use futures::future::poll_fn;
use handoffs_core::{AgentGraph, Edge, FieldSet, GraphNode, State, Target};
use serde_json::value::RawValue;
use tracing::Instrument;

use crate::context::{Context, Desk, Kind, NodeError, Place, Question};
use crate::engine::{Action, Engine, Fact, Hop, Plan, Refused};
use crate::error::RunError;
use crate::event::{Event, Sink};
use crate::execute::Runnable;
use crate::journal::{
    Ask, AskId, Conclusion, Entry, Fields, Hash, Head, Journal, JournalError, Record, Recorded, ThreadId, Writes,
};
use crate::progress::Progress;
use crate::run::Run;

/// Steps between two points at which a run lets other tasks have their turn.
const STEPS_A_TURN: u32 = 64;

/// A run in the hands of the driver.
pub(crate) struct Driver<'a, G: AgentGraph> {
    pub(crate) graph: &'a G,
    pub(crate) plan: &'a Plan,
    pub(crate) thread: &'a ThreadId,
    pub(crate) journal: Option<&'a dyn Journal>,
    pub(crate) head: Head,
    pub(crate) engine: Engine,
    pub(crate) state: G::State,
    /// What the node that is due has been answered.
    pub(crate) answers: Vec<(String, Box<RawValue>)>,
    /// What is to be written with the next entry, and not before: an answer that is not proven to fit.
    pub(crate) pending: Option<Recorded>,
    /// What counts as progress, if loops are watched.
    pub(crate) progress: Option<Progress>,
}

/// What came of executing a node.
enum Came {
    Decided { edge: usize, changed: FieldSet, appended: FieldSet, concluded: Option<serde_json::Result<Conclusion>> },
    Asked(Question),
    Failed(NodeError),
}

impl<G: Runnable> Driver<'_, G> {
    /// Begins a run in the thread, of whose state the journal knows `fields`.
    pub(crate) async fn start(&mut self, known: &Fields) -> Result<(), RunError> {
        if self.journal.is_some() {
            let all = (0..<G::State as State>::FIELDS.len()).fold(FieldSet::EMPTY, FieldSet::with);
            let writes = known.difference(self.writes(all, FieldSet::EMPTY, &[])?);
            self.append(Recorded::Started { writes }).await?;
        }
        self.tell(Fact::Started)
    }

    /// Hands the answer that is pending to the node that asked.
    pub(crate) fn resume(&mut self, open: Option<Ask>) -> Result<(), RunError> {
        if let (Some(open), Some(Recorded::Answered { answer, .. })) = (open, &self.pending) {
            self.answers.push((open.key, answer.clone()));
        }
        self.tell(Fact::Answered)
    }

    fn tell(&mut self, fact: Fact) -> Result<(), RunError> {
        match self.engine.on(self.plan, fact) {
            Ok(_) => Ok(()),
            Err(refused) => Err(self.refused(refused)),
        }
    }

    /// Runs until the end or a pause. An error at a node is written to the journal.
    pub(crate) async fn drive(mut self, sink: &mut impl Sink<G>) -> Result<Run<G::State>, RunError> {
        let span = tracing::info_span!("run", graph = G::NAME, thread = %self.thread);
        async {
            // One guard for the whole run and not one a step: what panicked is known from the engine.
            let ended = AssertUnwindSafe(self.advance(sink)).catch_unwind().await;
            let error = match ended {
                Ok(Ok(Some(ask))) => return Ok(Run::Paused(ask)),
                Ok(Ok(None)) => return Ok(Run::Finished(self.state)),
                Ok(Err(error)) => error,
                Err(panic) => RunError::Panicked {
                    thread: self.thread.clone(),
                    node: self.due(),
                    message: panic_text(&*panic),
                },
            };
            self.record_failure(&error).await;
            Err(error)
        }
        .instrument(span)
        .await
    }

    async fn advance(&mut self, sink: &mut impl Sink<G>) -> Result<Option<Ask>, RunError> {
        let mut steps = 0;
        loop {
            let node = match self.engine.next() {
                Action::Execute(node) => node,
                Action::Wait(_, ask) => return Err(self.waiting(ask)),
                Action::Start | Action::Finish => return Ok(None),
            };
            let name = self.node(node)?;
            sink.emit(|| Event::Entered { node: name }).await;
            let marks = self.marks();
            match self.execute(name).await {
                Came::Decided { edge, changed, appended, concluded } => {
                    if let Some(progress) = &mut self.progress {
                        progress.changed(changed);
                    }
                    let chosen = u16::try_from(edge).unwrap_or(u16::MAX);
                    // What cannot be kept must not be decided, so it is encoded first.
                    let kept = match concluded {
                        Some(outcome) => {
                            let outcome = outcome.map_err(|error| self.unencoded("the outcome", error))?;
                            Some((outcome, self.writes(changed, appended, &marks)?))
                        }
                        None => None,
                    };
                    let (hop, progress) = self.decide(chosen)?;
                    if let Some((outcome, writes)) = kept {
                        let stepped = self.stepped(name, outcome, chosen, hop, progress, writes)?;
                        self.append(stepped).await?;
                        self.answers.clear();
                    }
                    let to = match hop.to {
                        Target::Node(to) => Target::Node(self.node(to)?),
                        Target::End => Target::End,
                    };
                    tracing::debug!(from = name.name(), to = %to, masked = ?hop.masked, "handoff");
                    if let Some(edge) = G::EDGES.get(edge) {
                        sink.emit(|| Event::Stepped { node: name, edge, to, masked: hop.masked }).await;
                    }
                }
                Came::Asked(question) => return self.ask(name, question).await.map(Some),
                Came::Failed(error) => return Err(self.node_error(name, error)),
            }
            steps += 1;
            if steps % STEPS_A_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Executes a node until it concludes, fails or asks.
    async fn execute(&mut self, node: G::Node) -> Came {
        let place = Place {
            thread: self.thread,
            node: node.name(),
            seq: self.head.seq + 1,
            has_journal: self.journal.is_some(),
        };
        let desk = Desk { answers: core::mem::take(&mut self.answers), ..Desk::default() };
        let mut cx = Context::new(&place, &desk);
        let step = {
            let span = tracing::debug_span!("node", node = node.name());
            let mut step = pin!(self.graph.step(node, &mut self.state, &mut cx).instrument(span));
            // A question leaves the node's future pending for ever; then it is dropped.
            poll_fn(|task| match step.as_mut().poll(task) {
                Poll::Ready(step) => Poll::Ready(Ok(step)),
                Poll::Pending => {
                    let asked = desk.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
                    asked.map_or(Poll::Pending, |question| Poll::Ready(Err(question)))
                }
            })
            .await
        };
        let Context { changed, appended, concluded, .. } = cx;
        self.answers = desk.answers;
        match step {
            Ok(Ok(edge)) => Came::Decided { edge, changed, appended, concluded },
            Ok(Err(error)) => Came::Failed(error),
            Err(question) => Came::Asked(question),
        }
    }

    fn decide(&mut self, edge: u16) -> Result<(Hop, Option<u64>), RunError> {
        let progress = match &mut self.progress {
            Some(progress) if self.plan.is_watched(edge) => progress.fingerprint(&self.state),
            _ => None,
        };
        match self.engine.on(self.plan, Fact::Decided { edge, progress }) {
            Ok(Some(hop)) => Ok((hop, progress)),
            Ok(None) => Err(self.node_error(G::START, NodeError::new("the engine took no decision"))),
            Err(refused) => Err(self.refused(refused)),
        }
    }

    async fn ask(&mut self, node: G::Node, question: Question) -> Result<Ask, RunError> {
        let answered = u64::from(self.pending.is_some());
        let id = AskId(self.head.seq + 1 + answered);
        let ask = Ask { id, node: node.name().into(), key: question.key, question: question.text };
        self.tell(Fact::Asked(id))?;
        self.append(Recorded::Asked(ask.clone())).await?;
        tracing::debug!(node = node.name(), ask = %id, "paused");
        Ok(ask)
    }

    /// Appends an entry, and before it the one that is pending.
    async fn append(&mut self, event: Recorded) -> Result<(), RunError> {
        let Some(journal) = self.journal else { return Ok(()) };
        let mut head = self.head;
        let mut records = Vec::with_capacity(2);
        for event in self.pending.take().into_iter().chain([event]) {
            let entry = Entry::new(head.seq + 1, now_ms(), self.plan.id.clone(), head.hash, event);
            let body = serde_json::to_vec(&entry).map_err(|error| self.unencoded("an entry", error))?;
            let record = Record::new(entry.seq, Hash::of(&body), body);
            head = Head { seq: record.seq, hash: record.hash };
            records.push(record);
        }
        let appended = journal.append(self.thread, self.head.seq, records).await;
        appended.map_err(|source| RunError::Journal { thread: self.thread.clone(), source })?;
        self.head = head;
        Ok(())
    }

    /// Writes down that the run ended with an error, unless the error is that nothing can be written,
    /// or that nothing has happened.
    async fn record_failure(&mut self, error: &RunError) {
        let keep = matches!(
            error,
            RunError::Node { .. } | RunError::Panicked { .. } | RunError::HandoffLoop { .. } | RunError::Encode { .. }
        );
        if !keep || self.journal.is_none() {
            return;
        }
        let failed = Recorded::Failed { node: self.due().into(), error: chain(error) };
        if let Err(unwritten) = self.append(failed).await {
            // The run is lost to the first error already, and the thread stands where it stood.
            tracing::error!(error = %chain(&unwritten), "could not write down how the run ended");
        }
    }

    fn marks(&self) -> Vec<usize> {
        if self.journal.is_none() {
            return Vec::new();
        }
        let fields = 0..<G::State as State>::FIELDS.len();
        fields.map(|field| self.state.mark(field).unwrap_or(0)).collect()
    }

    fn writes(&self, changed: FieldSet, appended: FieldSet, marks: &[usize]) -> Result<Writes, RunError> {
        let mark = |field: usize| marks.get(field).copied().unwrap_or(0);
        Writes::of(&self.state, changed, appended, mark)
            .map_err(|(field, error)| self.unencoded(&format!("field `{}`", field.name), error))
    }

    fn stepped(
        &self,
        node: G::Node,
        outcome: Conclusion,
        edge: u16,
        hop: Hop,
        progress: Option<u64>,
        writes: Writes,
    ) -> Result<Recorded, RunError> {
        let on = G::EDGES.get(usize::from(edge)).map(Edge::label).unwrap_or_default();
        let to = match hop.to {
            Target::Node(to) => Some(self.node(to)?.name().into()),
            Target::End => None,
        };
        let (node, masked) = (node.name().into(), hop.masked);
        Ok(Recorded::Stepped { node, outcome, edge, on, masked, to, progress, writes })
    }

    fn node(&self, index: u16) -> Result<G::Node, RunError> {
        let node = G::Node::ALL.get(usize::from(index)).copied();
        node.ok_or_else(|| RunError::Journal {
            thread: self.thread.clone(),
            source: JournalError::damaged(self.thread, self.head.seq, format!("there is no node {index}")),
        })
    }

    /// Returns the name of the node that is due.
    fn due(&self) -> String {
        match self.engine.next() {
            Action::Execute(node) | Action::Wait(node, _) => self.plan.name(node).to_owned(),
            Action::Start | Action::Finish => self.plan.name(self.plan.start).to_owned(),
        }
    }

    fn waiting(&self, ask: AskId) -> RunError {
        RunError::Waiting { thread: self.thread.clone(), node: self.due(), ask }
    }

    fn refused(&self, refused: Refused) -> RunError {
        let thread = self.thread.clone();
        match refused {
            Refused::Loop { edge, why, cycle, laps } => RunError::HandoffLoop {
                thread,
                node: self.due(),
                cycle: Refused::cycle_text(self.plan, &cycle),
                laps,
                edge: G::EDGES.get(usize::from(edge)).map(|edge| format!("{} => {}", edge.label(), edge.route)).unwrap_or_default(),
                why,
            },
            Refused::Impossible(reason) => {
                let source = JournalError::damaged(self.thread, self.head.seq, reason);
                RunError::Journal { thread, source }
            }
        }
    }

    fn node_error(&self, node: G::Node, error: NodeError) -> RunError {
        let (thread, node) = (self.thread.clone(), node.name().to_owned());
        match error.0 {
            Kind::Returned(source) => RunError::Node { thread, node, source },
            Kind::NoJournal => RunError::NoJournal { node },
            Kind::WrongAnswer(source) => match &self.pending {
                Some(Recorded::Answered { ask, .. }) => {
                    RunError::WrongAnswer { thread, node, ask: *ask, source: source.into() }
                }
                _ => RunError::Node { thread, node, source: source.into() },
            },
            kind => RunError::Node { thread, node, source: Box::new(NodeError(kind)) },
        }
    }

    fn unencoded(&self, what: &str, error: serde_json::Error) -> RunError {
        RunError::Encode {
            thread: self.thread.clone(),
            node: self.due(),
            what: what.to_owned(),
            source: error.into(),
        }
    }
}

/// Returns an error's message and those of its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// Returns the time in milliseconds since 1970; a clock that stands before it counts as 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
