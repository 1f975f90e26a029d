//! What follows an error at a node: another attempt, its error edge, or the end of the run.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use handoffs_core::FieldSet;
use tracing::Instrument;

use crate::context::Pending;
use crate::driver::{Done, Driver};
use crate::engine::Fact;
use crate::error::{RunError, chain};
use crate::event::Event;
use crate::execute::Runnable;
use crate::journal::{Failure, Recorded};
use crate::marks::Marks;
use crate::node_error::{Kind, NodeError};
use crate::telemetry::{self, Moved};

impl<G: Runnable> Driver<'_, G> {
    /// Tries the node again, goes on along its error edge, or ends the run.
    pub(crate) async fn failed(&mut self, error: NodeError) -> Result<Option<Done>, RunError> {
        let error = match self.misfit(error) {
            Ok(error) => error,
            Err(misfit) => return Err(misfit),
        };
        if let Kind::NoAnswer(_) = error.kind() {
            return Err(self.node_error(error));
        }
        telemetry::node_failed(&self.cx.span, &error, self.used());
        // What the failed attempt noted of the fields it wrote is void.
        self.cx.step = Marks::default();
        self.cx.concluded = None;
        let node = self.cx.course.due();
        if let Some(planned) = self.plan().node(node)
            && !error.is_hopeless()
        {
            let key = self.cx.idempotency_key();
            if let Some((rule, delay)) = planned.policy.retry_for(&error, &self.used, &key) {
                return self.try_again(node, &error, rule, delay).await;
            }
        }
        let caller = self.cx.course.engine.caller();
        if let Some(edge) = self.plan().error_edge(node, caller) {
            return self.catch(node, &error, edge).await;
        }
        let error = self.node_error(error);
        Err(self.record(error).await)
    }

    /// Writes down that there will be another attempt, and waits for its time.
    async fn try_again(
        &mut self,
        node: u16,
        error: &NodeError,
        rule: usize,
        delay: Duration,
    ) -> Result<Option<Done>, RunError> {
        if self.used.len() <= rule {
            self.used.resize(rule + 1, 0);
        }
        self.used[rule] = self.used[rule].saturating_add(1);
        let text = chain(error);
        let graph = self.plan().topology.name();
        telemetry::used(graph, self.plan().name(node), self.used());
        telemetry::tried_again(self.plan().name(node), &text, delay);
        let attempted = Recorded::Attempted {
            node: self.kept_name(node),
            rule: u32::try_from(rule).unwrap_or(u32::MAX),
            error: text.clone(),
            delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            usage: self.usage(),
            took_ms: self.took(),
        };
        self.append(attempted).await?;
        self.cx.again = true;
        if self.sink.listens() {
            let (branch, node) = (self.cx.branch.clone(), self.node(node));
            let attempted = Event::Attempted {
                branch,
                node,
                error: text,
                delay,
            };
            self.sink.emit(attempted).await;
        }
        if !delay.is_zero() {
            match &self.scope.limits.drain {
                Some(drain) => drop(drain.run_until_cancelled(tokio::time::sleep(delay)).await),
                None => tokio::time::sleep(delay).await,
            }
        }
        Ok(None)
    }

    /// Goes on along an error edge, where the node's failure can be read.
    async fn catch(
        &mut self,
        node: u16,
        error: &NodeError,
        edge: u16,
    ) -> Result<Option<Done>, RunError> {
        let changed = FieldSet::EMPTY;
        let left = self.cx.take_left();
        self.cx.note_held();
        let decided = self
            .cx
            .course
            .decide(usize::from(edge), changed, &self.state);
        let (hop, progress) = match decided {
            Ok(decided) => decided,
            Err(refused) => {
                let refused = self.refused(refused);
                return Err(self.record(refused).await);
            }
        };
        let attempts = self
            .used
            .iter()
            .fold(1, |sum: u32, used| sum.saturating_add(*used));
        let failure = Failure {
            node: self.kept_name(node),
            error: chain(error),
            attempts,
            unknown: error.unknown().map(str::to_owned),
        };
        let graph = self.plan().topology.name();
        telemetry::used(graph, self.plan().name(node), self.used());
        let span = telemetry::handoff(&Moved {
            plan: self.plan(),
            from: node,
            edge,
            hop,
            branches: &[],
            many: None,
            concluded: None,
            content: false,
            decision: None,
            lap: self.cx.course.engine.taken(self.plan(), edge),
            usage: self.used(),
            held: self.cx.held_around(hop),
        });
        let caught = Recorded::Caught {
            failure: failure.clone(),
            edge,
            on: self.plan().edge_label(edge),
            usage: self.usage(),
            took_ms: self.took(),
            masked: hop.masked,
            to: hop.to.node().map(|to| self.kept_name(to)),
            progress,
            authority: self.cx.held_next(hop),
            left,
        };
        let seq = self.append(caught).instrument(span).await?;
        self.settle(seq);
        let along = self.sink.listens().then(|| self.plan().edge(edge).cloned());
        if let Some(edge) = along.flatten() {
            let (branch, node) = (self.cx.branch.clone(), self.node(node));
            let edge = edge.map(|node| self.node(node.0));
            let to = hop.to.map(|to| self.node(to));
            let error = failure.error.clone();
            let caught = Event::Caught {
                branch,
                node,
                error,
                edge,
                to,
                masked: hop.masked,
            };
            self.sink.emit(caught).await;
        }
        self.cx.caught = Some(Box::new(failure));
        Ok(None)
    }

    /// Writes down that the path ended with an error at the node that is due, and returns the error.
    pub(crate) async fn record(&mut self, error: RunError) -> RunError {
        telemetry::loop_stopped(self.plan().topology.name(), &error);
        if error.is_of_a_node() && self.scope.ledger.is_some() {
            let failed = Recorded::Failed {
                node: Cow::Owned(self.due_name().to_owned()),
                error: chain(&error),
                usage: self.usage(),
                took_ms: self.took(),
            };
            let written = if self.is_within {
                // It goes into one append with what follows around the graph: a crash between the two
                // would have the node do once more what has failed for good, or ask once more.
                self.hand_in(failed).map(drop)
            } else {
                self.append(failed).await.map(drop)
            };
            if let Err(unwritten) = written {
                // The run is lost to the first error already, and the thread stands where it stood.
                tracing::error!(error = %chain(&unwritten), "could not write down how the run ended");
            }
            // Nothing comes of it but that the driver's own view stays true.
            let _ = self.tell(Fact::Failed);
        }
        error
    }

    /// Says that the answer which is pending does not fit, if a node failed on that, in whatever
    /// words of its own it says so.
    fn misfit(&self, error: NodeError) -> Result<NodeError, RunError> {
        // The answer that is pending came last.
        let is_misfit = self.cx.misfit.as_ref() == self.cx.answers.last().map(|(key, _)| key);
        let pending = self.cx.pending.as_deref().map(Pending::event);
        let (true, Some(Recorded::Answered { ask, .. })) = (is_misfit, pending) else {
            return Ok(error);
        };
        Err(RunError::WrongAnswer {
            thread: self.scope.thread.clone(),
            node: self.due_name().to_owned(),
            ask,
            source: match error.into_kind() {
                Kind::Returned(source) | Kind::Later(_, source) => source,
                Kind::WrongAnswer(source) => source.into(),
                kind => Box::new(NodeError::of(kind)),
            },
        })
    }

    pub(crate) fn node_error(&self, error: NodeError) -> RunError {
        let (thread, node) = (self.scope.thread.clone(), self.due_name().to_owned());
        let recoverable = self.scope.ledger.is_some();
        let source: Box<dyn Error + Send + Sync> = match error.into_kind() {
            Kind::NoAnswer(_) => return RunError::NoJournal { thread, node },
            Kind::Panicked(message) => {
                return RunError::Panicked {
                    thread,
                    node,
                    recoverable,
                    message,
                };
            }
            Kind::TimedOut(kind, after) => {
                return RunError::TimedOut {
                    thread,
                    node,
                    recoverable,
                    kind,
                    after,
                };
            }
            Kind::Unknown(effect) => {
                return RunError::Unknown {
                    thread,
                    node,
                    recoverable,
                    effect,
                };
            }
            Kind::Unkept(effect, source) => {
                return RunError::Encode {
                    thread,
                    node: Some(node),
                    what: format!("the result of effect `{effect}`"),
                    source: source.into(),
                };
            }
            // The retry of a node around the graph has to see it.
            kind @ Kind::Later(..) if self.is_within => Box::new(NodeError::of(kind)),
            Kind::Returned(source) | Kind::Later(_, source) => source,
            Kind::Within(error) => error,
            Kind::WrongAnswer(source) => source.into(),
            kind => Box::new(NodeError::of(kind)),
        };
        RunError::Node {
            thread,
            node,
            recoverable,
            source,
        }
    }
}
