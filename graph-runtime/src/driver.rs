//! The one loop: does what the engine says and tells it what came of it.

use std::any::Any;
use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::poll_fn;
use handoffs_core::{AgentGraph, Edge, FieldSet, GraphNode, State};
use tracing::Instrument;

use crate::context::{Context, Kind, NodeError, Question};
use crate::course::{Course, place};
use crate::engine::{Action, Fact, Hop, Refused};
use crate::error::RunError;
use crate::event::{Event, Sink};
use crate::execute::Runnable;
use crate::journal::{
    Ask, AskId, Conclusion, Entry, Fields, Hash, Head, Journal, JournalError, Record, Recorded,
    ThreadId, Writes,
};
use crate::run::Run;

/// A run in the hands of the driver.
pub(crate) struct Driver<'a, G: AgentGraph> {
    pub(crate) graph: &'a G,
    pub(crate) thread: &'a ThreadId,
    pub(crate) journal: Option<&'a dyn Journal>,
    pub(crate) head: Head,
    /// The last entry that brought the run to the node which is due.
    pub(crate) arrived: u64,
    pub(crate) state: G::State,
    pub(crate) cx: Context<'a>,
    /// The question that is open.
    pub(crate) open: Option<Ask>,
    /// What is to be written with the next entry, and not before: an answer that is not proven to fit.
    pub(crate) pending: Option<Recorded>,
    /// How long the logs were before the step that is under way.
    pub(crate) marks: Vec<usize>,
}

impl<G: Runnable> Driver<'_, G> {
    /// Begins a run in the thread, of whose state the journal knows `fields`.
    pub(crate) async fn start(&mut self, known: &Fields) -> Result<(), RunError> {
        if self.journal.is_some() {
            let all = FieldSet::first_of(<G::State as State>::FIELDS.len());
            let writes = known.difference(self.writes(all, FieldSet::EMPTY)?);
            self.append(Recorded::Started { writes }).await?;
            self.arrived = self.head.seq;
        }
        self.tell(Fact::Started)
    }

    /// Hands the answer that is pending to the node that asked.
    pub(crate) fn resume(&mut self) -> Result<(), RunError> {
        if let (Some(open), Some(Recorded::Answered { answer, .. })) =
            (self.open.take(), &self.pending)
        {
            self.cx.answers.push((open.key, answer.clone()));
        }
        self.tell(Fact::Answered)
    }

    fn tell(&mut self, fact: Fact) -> Result<(), RunError> {
        let Course { plan, engine, .. } = &mut self.cx.course;
        engine
            .on(plan, fact)
            .map_err(|refused| self.refused(refused))
    }

    /// Runs until the end or a pause. An error at a node is written to the journal.
    pub(crate) async fn drive(
        mut self,
        sink: &mut impl Sink<G>,
    ) -> Result<Run<G::State>, RunError> {
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
                    node: self.due().name().to_owned(),
                    recoverable: self.journal.is_some(),
                    message: panic_text(&*panic),
                },
            };
            let error = self.blame(error);
            self.record_failure(&error).await;
            Err(error)
        }
        .instrument(span)
        .await
    }

    /// Advances to the end of the run, or to a question.
    async fn advance<K: Sink<G>>(&mut self, sink: &mut K) -> Result<Option<Ask>, RunError> {
        loop {
            let node = match self.cx.course.engine.next() {
                Action::Execute(node) => node_at::<G>(node),
                Action::Finish => return Ok(None),
                Action::Wait(_, ask) => {
                    let open = self.open.take().filter(|open| open.id == ask);
                    let lost = || Refused::Impossible("the question that is open was not asked");
                    return open.map(Some).ok_or_else(|| self.refused(lost()));
                }
                Action::Start => {
                    return Err(self.refused(Refused::Impossible("no run was begun")));
                }
            };
            if K::LISTENS {
                sink.emit(|| Event::Entered { node }).await;
            }
            self.mark();
            let traced = tracing::enabled!(tracing::Level::DEBUG);
            self.cx.enter(self.arrived + 1, K::LISTENS, traced);
            let edge = match self.execute(node).await {
                Ok(Ok(edge)) => edge,
                Ok(Err(error)) => return Err(self.node_error(error)),
                Err(question) => return self.ask(*question).await.map(Some),
            };
            let node = self.due();
            let outcome = self.concluded()?;
            let told = if K::LISTENS { outcome.clone() } else { None };
            let hop = self.decide(node, edge, outcome).await?;
            if let (Some(outcome), Some(edge)) = (told, G::EDGES.get(edge)) {
                let (to, masked) = (hop.to.map(node_at::<G>), hop.masked);
                let stepped = || Event::Stepped {
                    node,
                    outcome,
                    edge,
                    to,
                    masked,
                };
                sink.emit(stepped).await;
            }
            if self.cx.course.is_turn_over() {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Executes nodes, from `node` to one whose step has to be seen, until that concludes, fails or asks.
    async fn execute(&mut self, node: G::Node) -> Result<Result<usize, NodeError>, Box<Question>> {
        let span = tracing::debug_span!("node", node = node.name());
        let desk = Arc::clone(&self.cx.desk);
        let mut step = pin!(self.graph.step(node, &mut self.state, &mut self.cx));
        // A question leaves the node's future pending for ever; then it is dropped.
        poll_fn(|task| {
            let _entered = span.enter();
            match step.as_mut().poll(task) {
                Poll::Ready(step) => Poll::Ready(Ok(step)),
                Poll::Pending => match desk.take() {
                    Some(question) => Poll::Ready(Err(question)),
                    None => Poll::Pending,
                },
            }
        })
        .await
    }

    /// Takes what the node concluded, if somebody is told.
    fn concluded(&mut self) -> Result<Option<Conclusion>, RunError> {
        let concluded = self.cx.concluded.take().transpose();
        concluded.map_err(|error| self.unencoded("the outcome", error))
    }

    /// Decides where the run goes, and writes the step to the journal, if there is one, before it
    /// goes there.
    async fn decide(
        &mut self,
        node: G::Node,
        edge: usize,
        outcome: Option<Conclusion>,
    ) -> Result<Hop, RunError> {
        // What cannot be kept must not be decided, so it is encoded first.
        let kept = match (self.journal, outcome) {
            (Some(_), Some(outcome)) => {
                Some((outcome, self.writes(self.cx.changed, self.cx.appended)?))
            }
            _ => None,
        };
        let decided = self.cx.course.decide(edge, self.cx.changed, &self.state);
        let (hop, progress) = decided.map_err(|refused| self.refused(refused))?;
        let to = hop.to.map(node_at::<G>);
        tracing::debug!(from = node.name(), %to, masked = ?hop.masked, "handoff");
        if let Some((outcome, writes)) = kept {
            let stepped = Recorded::Stepped {
                node: node.name().into(),
                outcome,
                edge: place(edge),
                on: G::EDGES.get(edge).map(Edge::label).unwrap_or_default(),
                masked: hop.masked,
                to: to.node().map(|to| to.name().into()),
                progress,
                writes,
            };
            self.append(stepped).await?;
            self.arrived = self.head.seq;
            self.cx.answers.clear();
        }
        Ok(hop)
    }

    async fn ask(&mut self, question: Question) -> Result<Ask, RunError> {
        let node = self.due();
        let answered = u64::from(self.pending.is_some());
        let id = AskId(self.head.seq + 1 + answered);
        let ask = Ask {
            id,
            node: node.name().into(),
            key: question.key,
            question: question.text,
        };
        self.tell(Fact::Asked(id))?;
        self.append(Recorded::Asked(ask.clone())).await?;
        tracing::debug!(node = node.name(), ask = %id, "paused");
        Ok(ask)
    }

    /// Appends an entry, and before it the one that is pending.
    async fn append(&mut self, event: Recorded) -> Result<(), RunError> {
        let Some(journal) = self.journal else {
            return Ok(());
        };
        let node = node_of(&event);
        let mut head = self.head;
        let mut records = Vec::with_capacity(2);
        for event in self.pending.clone().into_iter().chain([event]) {
            let entry = Entry::new(
                head.seq + 1,
                now_ms(),
                self.cx.course.plan.id.clone(),
                head.hash,
                event,
            );
            let body =
                serde_json::to_vec(&entry).map_err(|error| self.unencoded("an entry", error))?;
            let record = Record::new(entry.seq, Hash::of(&body), body);
            head = Head {
                seq: record.seq,
                hash: record.hash,
            };
            records.push(record);
        }
        let appended = journal.append(self.thread, self.head.seq, records).await;
        appended.map_err(|source| RunError::Journal {
            thread: self.thread.clone(),
            node: node.map(Cow::into_owned),
            source,
        })?;
        self.head = head;
        self.pending = None;
        Ok(())
    }

    /// Writes down that the run ended with an error, unless the error is that nothing can be written,
    /// or that nothing has happened.
    async fn record_failure(&mut self, error: &RunError) {
        let keep = matches!(
            error,
            RunError::Node { .. }
                | RunError::Panicked { .. }
                | RunError::HandoffLoop { .. }
                | RunError::Encode { .. }
        );
        if !keep || self.journal.is_none() {
            return;
        }
        let failed = Recorded::Failed {
            node: self.due().name().into(),
            error: chain(error),
        };
        if let Err(unwritten) = self.append(failed).await {
            // The run is lost to the first error already, and the thread stands where it stood.
            tracing::error!(error = %chain(&unwritten), "could not write down how the run ended");
        }
    }

    /// Notes how long the logs are before a step, if there is a journal to keep what they grow by.
    fn mark(&mut self) {
        if self.journal.is_some() {
            let fields = 0..<G::State as State>::FIELDS.len();
            self.marks.clear();
            self.marks
                .extend(fields.map(|field| self.state.mark(field).unwrap_or(0)));
        }
    }

    fn writes(&self, changed: FieldSet, appended: FieldSet) -> Result<Writes, RunError> {
        let mark = |field: usize| self.marks.get(field).copied().unwrap_or(0);
        Writes::of(&self.state, changed, appended, mark)
            .map_err(|(field, error)| self.unencoded(&format!("field `{}`", field.name), error))
    }

    /// Returns the node that is due.
    fn due(&self) -> G::Node {
        node_at::<G>(self.cx.course.due())
    }

    /// Returns the thread and the name of the node that is due, for the text of an error.
    fn whereabouts(&self) -> (ThreadId, String) {
        (self.thread.clone(), self.due().name().to_owned())
    }

    fn refused(&self, refused: Refused) -> RunError {
        let thread = self.thread.clone();
        match refused {
            Refused::Loop {
                edge,
                why,
                cycle,
                laps,
            } => RunError::HandoffLoop {
                thread,
                node: self.due().name().to_owned(),
                cycle: Refused::cycle_text(self.cx.course.plan, &cycle),
                laps,
                edge: G::EDGES
                    .get(usize::from(edge))
                    .map(|edge| format!("{} => {}", edge.label(), edge.route))
                    .unwrap_or_default(),
                why,
            },
            Refused::Impossible(reason) => {
                let source = JournalError::damaged(self.thread, self.head.seq, reason);
                let node = Some(self.due().name().to_owned());
                RunError::Journal {
                    thread,
                    node,
                    source,
                }
            }
        }
    }

    fn node_error(&self, error: NodeError) -> RunError {
        let (thread, node) = self.whereabouts();
        let recoverable = self.journal.is_some();
        match error.into_kind() {
            Kind::Returned(source) => RunError::Node {
                thread,
                node,
                recoverable,
                source,
            },
            Kind::NoAnswer(_) => RunError::NoJournal { thread, node },
            Kind::WrongAnswer(source) => RunError::Node {
                thread,
                node,
                recoverable,
                source: source.into(),
            },
            kind => RunError::Node {
                thread,
                node,
                recoverable,
                source: Box::new(NodeError::of(kind)),
            },
        }
    }

    /// Says that the answer which is pending does not fit, if a node failed on that, in whatever
    /// words of its own it says so.
    fn blame(&self, error: RunError) -> RunError {
        // The answer that is pending came last.
        let is_misfit = self.cx.misfit.as_ref() == self.cx.answers.last().map(|(key, _)| key);
        let (true, Some(Recorded::Answered { ask, .. })) = (is_misfit, &self.pending) else {
            return error;
        };
        let source = match error {
            RunError::Node { source, .. } => source,
            RunError::Panicked { message, .. } => format!("the node panicked: {message}").into(),
            other => return other,
        };
        let ((thread, node), ask) = (self.whereabouts(), *ask);
        RunError::WrongAnswer {
            thread,
            node,
            ask,
            source,
        }
    }

    fn unencoded(&self, what: &str, error: serde_json::Error) -> RunError {
        RunError::Encode {
            thread: self.thread.clone(),
            node: Some(self.due().name().to_owned()),
            what: what.to_owned(),
            source: error.into(),
        }
    }
}

/// Returns the node that an entry is about.
fn node_of(event: &Recorded) -> Option<Cow<'static, str>> {
    match event {
        Recorded::Stepped { node, .. } | Recorded::Failed { node, .. } => Some(node.clone()),
        Recorded::Asked(ask) => Some(ask.node.clone()),
        Recorded::Started { .. } | Recorded::Answered { .. } => None,
    }
}

/// Returns a node by its index, which came from this graph's own plan.
pub(crate) fn node_at<G: AgentGraph>(index: u16) -> G::Node {
    let node = G::Node::ALL.get(usize::from(index));
    node.copied().unwrap_or(G::START)
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
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// Returns the time in milliseconds since 1970; a clock that stands before it counts as 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
