//! Pauses: questions to a person, of a node or before a handoff, the answers, and what follows when nobody
//! answers in time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tracing::{Instrument, Span};

use crate::attempt::{TimeoutKind, text};
use crate::context::{Pending, Question};
use crate::driver::{Done, Driver};
use crate::engine::{Action, Fact, Refused};
use crate::error::RunError;
use crate::event::Event;
use crate::execute::Runnable;
use crate::journal::{Approval, Ask, AskId, Json, Recorded, Usage};
use crate::node_error::{Kind, NodeError};
use crate::telemetry::{self, Moved};

/// The key of the question whether a handoff may be.
const APPROVE: &str = "approve";

impl<G: Runnable> Driver<'_, G> {
    /// Asks a person what a node wants to know.
    pub(crate) async fn ask(&mut self, question: Question) -> Result<Ask, RunError> {
        self.note_used()?;
        let mut ask = self.new_ask(question.key, question.text);
        ask.id = AskId(self.append(Recorded::Asked(ask.clone())).await?);
        self.tell(Fact::Asked(ask.id))?;
        telemetry::paused(&ask, self.scope.limits.trace_content);
        Ok(ask)
    }

    /// Makes the question whether the handoff of an edge may be, to be written with its step.
    pub(crate) fn approval_of(&self, edge: usize) -> Result<Ask, RunError> {
        if self.scope.ledger.is_none() {
            return Err(RunError::NoJournal {
                thread: self.scope.thread.clone(),
                node: self.due_name().to_owned(),
            });
        }
        let question = catch_unwind(AssertUnwindSafe(|| self.graph.question(edge, &self.state)));
        let question = question.map_err(|panic| {
            let panicked = NodeError::of(Kind::Panicked(text(&*panic)));
            self.node_error(panicked)
        })?;
        let question = match question {
            Some(Ok(question)) => question,
            Some(Err(error)) => {
                return Err(self.unencoded("the question whether a handoff may be", error));
            }
            None => {
                let none = Refused::Impossible("the edge does not say what a person is asked");
                return Err(self.refused(none));
            }
        };
        Ok(self.new_ask(APPROVE.to_owned(), question))
    }

    /// Returns a question of the node that is due, or was; its number is that of its entry.
    fn new_ask(&self, key: String, question: Json) -> Ask {
        let expires = self.patience().map(|patience| {
            let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
            self.now_ms().saturating_add(patience)
        });
        Ask {
            id: AskId(0),
            node: self.due_name().to_owned().into(),
            key,
            question,
            expires_ms: expires,
            submitted: None,
        }
    }

    /// Returns for how long the questions of the node are open that is due, or was.
    fn patience(&self) -> Option<Duration> {
        let node = self.plan().node(self.cx.course.due());
        let own = node.and_then(|node| node.policy.answer_timeout());
        own.or(self.cx.patience)
    }

    fn now_ms(&self) -> u64 {
        self.scope.limits.clock.now_ms()
    }

    /// Notes that a handoff waits for a person, by this question.
    pub(crate) fn await_approval(&mut self, ask: Ask) -> Result<(), RunError> {
        self.tell(Fact::Asked(ask.id))?;
        telemetry::paused(&ask, self.scope.limits.trace_content);
        self.open = Some(Box::new(ask));
        Ok(())
    }

    /// Takes the question that is open, which must be this one.
    fn opened(&mut self, ask: AskId) -> Result<Box<Ask>, RunError> {
        let open = self.open.take().filter(|open| open.id == ask);
        let lost = "the question that is open was not asked";
        open.ok_or_else(|| self.refused(Refused::Impossible(lost)))
    }

    /// Returns the answer to the question that is open: the one with which the run is resumed, or one that
    /// was laid down in time.
    fn answer_to(&self, open: &Ask) -> Option<Json> {
        let given = self.scope.answer_to(open.id);
        given.or_else(|| open.submitted.clone())
    }

    /// Hands an answer to the node that asked, if it is there; lets the node fail, if none may come any
    /// more; and comes to rest otherwise.
    pub(crate) async fn wait(&mut self, ask: AskId) -> Result<Option<Done>, RunError> {
        let open = self.opened(ask)?;
        if let Some(answer) = self.answer_to(&open) {
            self.cx.answers.push((open.key, answer.clone()));
            self.cx.pending = Some(Pending::new(Recorded::Answered { ask, answer }));
            telemetry::answered(&open.node, ask);
            self.tell(Fact::Answered)?;
            return Ok(None);
        }
        if !open.has_expired(self.now_ms()) {
            return Ok(Some(Done::Paused(open)));
        }
        // Written together with what comes of it.
        self.cx.pending = Some(Pending::new(Recorded::Expired { ask, to: None }));
        telemetry::expired(&open.node, ask);
        self.tell(Fact::Expired)?;
        let after = self.patience().unwrap_or_default();
        let late = NodeError::of(Kind::TimedOut(TimeoutKind::Answer, after));
        self.failed(late).await
    }

    /// Goes on where a handoff waited for a person, if there is a decision, or none may come any more;
    /// comes to rest otherwise.
    pub(crate) async fn hand_over(&mut self, ask: AskId) -> Result<Option<Done>, RunError> {
        let open = self.opened(ask)?;
        let answer = self.answer_to(&open);
        let is_late = answer.is_none() && open.has_expired(self.now_ms());
        let approval = match answer {
            Some(answer) => answer.to().map_err(|error| RunError::WrongAnswer {
                thread: self.scope.thread.clone(),
                node: open.node.clone().into_owned(),
                ask,
                source: error.into(),
            })?,
            None if is_late => Approval::late(),
            None => return Ok(Some(Done::Paused(open))),
        };
        let (plan, node) = (self.plan(), self.cx.course.due());
        let edge = match self.cx.course.engine.next() {
            Action::Approve(edge, _) => Some(edge),
            _ => None,
        };
        let refusal = approval.refusal().map(str::to_owned);
        self.cx.note_held();
        let hop = self.cx.course.engine.hand_over(plan, refusal.is_none());
        let hop = hop.map_err(|refused| self.refused(refused))?;
        let to = hop.to.node().map(|to| self.kept_name(to));
        let decision = match &approval {
            _ if is_late => "expired",
            Approval::Approved => "approved",
            Approval::Refused(_) => "refused",
        };
        telemetry::decided(plan.name(node), to.as_deref(), ask, decision);
        let span = edge.map_or_else(Span::none, |edge| {
            telemetry::handoff(&Moved {
                plan,
                from: node,
                edge,
                hop,
                branches: &[],
                many: None,
                concluded: None,
                content: false,
                decision: Some(decision),
                lap: self.cx.course.engine.taken(plan, edge),
                usage: Usage::default(),
                held: self.cx.held_around(hop),
            })
        });
        let decided = if is_late {
            Recorded::Expired { ask, to }
        } else {
            let approval = approval.clone();
            Recorded::Decided { ask, approval, to }
        };
        let seq = self.append(decided).instrument(span).await?;
        self.settle(seq);
        self.cx.refused = refusal;
        if self.sink.listens() {
            let (branch, node) = (self.cx.branch.clone(), self.node(node));
            let to = hop.to.map(|to| self.node(to));
            let decided = Event::Decided {
                branch,
                node,
                ask,
                approval,
                to,
            };
            self.sink.emit(decided).await;
        }
        Ok(None)
    }
}
