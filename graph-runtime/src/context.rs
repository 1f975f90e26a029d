//! What a node sees of the run it is part of.

use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_channel::mpsc;
use handoffs_core::__private::Change;
use handoffs_core::{FieldSet, Outcome, Payload, State};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::SemaphorePermit;
use tracing::Span;

#[cfg(feature = "agents")]
use crate::agent::Teller;
use crate::attempt::Pulse;
use crate::budget::{Held, Spent};
use crate::course::Course;
use crate::engine::{Amounts, Engine};
use crate::error::RunError;
use crate::event::Inner;
use crate::item::Item;
use crate::journal::{
    Ask, BranchId, Conclusion, Failure, Json, Recorded, ThreadId, Usage, Used, keep,
};
use crate::marks::Marks;
use crate::node_error::{Kind, NodeError};
use crate::once::Effects;
use crate::pace::Pace;
use crate::plan::LegKind;
use crate::scope::Scope;
use crate::spending::Around;

/// What is told of a step, of which each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    /// Nothing but where it leads.
    Nothing,
    /// Which fields it has changed: those of a branch are merged.
    Changes,
    /// That it was made: the driver has to see it.
    Step,
    /// What the node concluded.
    Outcome,
}

/// What a node sees of the run it is part of: where it stands, and how to ask a person.
///
/// A node takes it as a parameter `cx: &mut Context<'_>`.
pub struct Context<'a> {
    pub(crate) scope: &'a Scope,
    /// The path that the node works on.
    pub(crate) branch: BranchId,
    /// The last entry that brought the path to the node which is due.
    pub(crate) arrived: u64,
    /// What is told of the step.
    told: Told,
    pub(crate) course: Course<'a>,
    pub(crate) desk: &'a Desk,
    /// The answers that this visit of the node has got so far, by the keys of their questions.
    pub(crate) answers: Vec<(String, Json)>,
    /// What is to be written with the next entry, and not before: an answer that is not proven to fit.
    pub(crate) pending: Option<Box<Pending>>,
    /// What this visit of the node has done once.
    pub(crate) effects: Effects,
    /// What the attempt said that it used.
    pub(crate) usage: Usage,
    /// What its calls of models and tools used, and those of attempts that were cut off before it.
    pub(crate) calls: Used,
    /// How long the calls of this attempt took, in milliseconds.
    pub(crate) calls_ms: u64,
    /// The budgets of which little was left since the driver looked, and the nodes that were due.
    pub(crate) near: Vec<(u16, Spent)>,
    /// The node that the graph is, if it is one of another.
    pub(crate) outer: Option<Arc<Around<'a>>>,
    /// The key of a question that an answer did not fit.
    pub(crate) misfit: Option<String>,
    /// What the step that is under way has done to the fields.
    pub(crate) step: Marks,
    /// What the path did to the fields before that, since its beginning.
    pub(crate) before: Marks,
    /// The item of the branch that the node works in.
    pub(crate) item: Option<Item>,
    /// Whether an attempt at the node has failed since the journal was read.
    pub(crate) again: bool,
    /// The failure for which the run came to this node.
    pub(crate) caught: Option<Box<Failure>>,
    /// Why the handoff was refused in whose place the run came to this node.
    pub(crate) refused: Option<String>,
    /// How long a question is open of a node that does not say so itself, as the node around its graph
    /// says.
    pub(crate) patience: Option<Duration>,
    /// What is remembered from one step to the next, if steps are kept.
    pub(crate) pace: Option<Box<Pace>>,
    pub(crate) pulse: Pulse,
    /// The pulse of the node that the graph is, for which each step is a sign of life.
    pub(crate) around: Pulse,
    /// The span of the attempt that is under way; of none, if nobody listens.
    pub(crate) span: Span,
    /// What the node held that hands over, for traces.
    pub(crate) held_before: Option<String>,
    /// The node's leave to be at work, where only so many are at a time.
    pub(crate) permit: Option<SemaphorePermit<'a>>,
    /// Where a graph within tells what happens in it, if somebody listens.
    pub(crate) relay: Option<mpsc::Sender<Inner>>,
    /// What a graph within has left of what its node holds.
    pub(crate) left: Option<Amounts>,
    /// Where an agent tells what it does, if somebody listens.
    #[cfg(feature = "agents")]
    pub(crate) teller: Teller,
    /// What the node concluded, if somebody is told.
    pub(crate) concluded: Option<serde_json::Result<Conclusion>>,
}

/// Where a node lays down what keeps it from going on, for the driver, which holds the other end while
/// the node has the context.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<Option<Signal>>);

/// What keeps a node from going on.
#[derive(Debug)]
pub(crate) enum Signal {
    /// It asks a person.
    Asks(Box<Question>),
    /// The graph that it is waits for an answer.
    Paused(Box<Ask>),
    /// The graph that it is was told to stop.
    Stopped,
    /// The graph that it is ended with an error that is no failure of a node.
    Broke(Box<RunError>),
}

impl Desk {
    /// Takes the signal that the node waits for.
    pub(crate) fn take(&self) -> Option<Signal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn lay_down(&self, signal: Signal) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(signal);
    }
}

/// Takes a signal back that the driver has not taken: its node goes on without an answer.
struct Withdraw<'a>(&'a Desk);

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

/// What has happened, and is written with the next entry and not before.
#[derive(Debug)]
pub(crate) struct Pending {
    event: Recorded,
    /// Whether the node has read the answer that it is.
    pub(crate) is_heard: bool,
}

impl Pending {
    pub(crate) fn new(event: Recorded) -> Box<Self> {
        Box::new(Self {
            event,
            is_heard: false,
        })
    }

    pub(crate) fn event(&self) -> Recorded {
        self.event.clone()
    }
}

/// A question that a node put to a person.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) key: String,
    pub(crate) text: Json,
}

impl<'a> Context<'a> {
    #[inline]
    pub(crate) fn new(
        scope: &'a Scope,
        desk: &'a Desk,
        branch: BranchId,
        course: Course<'a>,
    ) -> Self {
        Self {
            scope,
            branch,
            arrived: 0,
            told: Told::Outcome,
            course,
            desk,
            answers: Vec::new(),
            pending: None,
            effects: Effects::default(),
            usage: Usage::default(),
            calls: Used::default(),
            calls_ms: 0,
            near: Vec::new(),
            outer: None,
            misfit: None,
            step: Marks::default(),
            before: Marks::default(),
            item: None,
            again: false,
            caught: None,
            refused: None,
            patience: None,
            pace: None,
            pulse: Pulse::default(),
            around: Pulse::default(),
            span: Span::none(),
            held_before: None,
            permit: None,
            relay: None,
            left: None,
            #[cfg(feature = "agents")]
            teller: Teller::default(),
            concluded: None,
        }
    }

    /// Becomes as good as new, for another branch of the same fork.
    pub(crate) fn begin_again(&mut self, index: u32, begun: Engine) {
        // Each field is named, so that none is forgotten.
        let Self {
            scope: _,
            branch,
            arrived,
            told,
            course:
                Course {
                    plan: _,
                    engine,
                    progress,
                },
            desk: _,
            answers,
            pending,
            effects,
            usage,
            calls,
            calls_ms,
            near,
            outer: _,
            misfit,
            step,
            before,
            item,
            again,
            caught,
            refused,
            patience: _,
            pace,
            pulse,
            around: _,
            span,
            held_before,
            permit,
            relay,
            left,
            #[cfg(feature = "agents")]
            teller,
            concluded,
        } = self;
        branch.turn_to(index);
        (*arrived, *calls_ms) = (0, 0);
        (*told, *again) = (Told::Outcome, false);
        *engine = begun;
        if let Some(progress) = progress {
            progress.begin_again();
        }
        answers.clear();
        effects.clear();
        near.clear();
        (*usage, *calls) = (Usage::default(), Used::default());
        (*step, *before) = (Marks::default(), Marks::default());
        (*pending, *caught, *item, *left) = (None, None, None, None);
        (*misfit, *refused, *held_before) = (None, None, None);
        (*permit, *relay, *concluded) = (None, None, None);
        if let Some(pace) = pace {
            pace.begin_again();
        }
        *pulse = Pulse::default();
        *span = Span::none();
        #[cfg(feature = "agents")]
        {
            *teller = Teller::default();
        }
    }

    /// Gets ready for the next step, of which somebody may be told, by an entry, an event or a trace.
    pub(crate) fn enter(&mut self, is_noted: bool, is_traced: bool) {
        // A failure and what was done once are of one node, and each step is a sign of life for a node around.
        let is_of_one = self.caught.is_some() || !self.effects.is_empty();
        let is_special = is_of_one || self.around.is_felt() || self.scope.limits.budgets.is_some();
        self.told = if is_noted {
            Told::Outcome
        } else if is_traced || is_special {
            Told::Step
        } else if self.outer.is_some() || !self.branch.is_trunk() {
            Told::Changes
        } else {
            Told::Nothing
        };
        self.flush();
    }

    /// Lets the driver see the step that is under way.
    pub(crate) fn show_step(&mut self) {
        self.told = self.told.max(Told::Step);
    }

    /// Counts what the step has done to what the path has done.
    pub(crate) fn flush(&mut self) {
        self.before.add(std::mem::take(&mut self.step));
    }

    /// Returns what the path has done to the fields since its beginning.
    pub(crate) fn marks(&self) -> Marks {
        let mut marks = self.before;
        marks.add(self.step);
        marks
    }

    /// Takes an edge without the driver if nobody is told of the step and the edge leads on to
    /// another node, and returns that node.
    #[doc(hidden)]
    #[expect(
        clippy::inline_always,
        reason = "it is part of the one loop of a graph, which each step goes round"
    )]
    #[inline(always)]
    pub fn __pass<S: State>(&mut self, edge: usize, state: &S) -> Option<usize> {
        if self.told >= Told::Step {
            return self.keep_pace(edge, state);
        }
        let leg = self.course.leg(edge)?;
        if leg.kind == LegKind::Watched {
            let step = std::mem::take(&mut self.step);
            // Whoever is told of more does not come here, and of less asks nobody.
            if self.told == Told::Changes {
                self.before.add(step);
            }
            if !self.course.count_lap(edge, step.changed, state) {
                return None;
            }
        }
        if self.course.engine.has_frames() {
            self.course.note_handoff(edge, leg);
        }
        Some(usize::from(self.course.engine.go_on(leg)))
    }

    /// Returns the thread that the run belongs to.
    pub fn thread(&self) -> &ThreadId {
        &self.scope.thread
    }

    /// Returns the name of the node in its graph.
    pub fn node(&self) -> &str {
        self.course.plan.name(self.course.due())
    }

    /// Returns the path through the run that the node works on.
    pub fn branch(&self) -> &BranchId {
        &self.branch
    }

    /// Returns how the node failed from which the run came here along an error edge; none if it came
    /// otherwise.
    pub fn failure(&self) -> Option<&Failure> {
        self.caught.as_deref()
    }

    /// Returns why the handoff was [refused](crate::Approval::Refused) in whose place the run came here
    /// along the edge's `else`; none if it came otherwise.
    pub fn refusal(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Returns the item that an `each` handed to the branch which the node works in: as the type of
    /// the list's items, or as any other that can be read from their JSON.
    ///
    /// A node that `#[node]` wrote takes its item as a parameter by value. One that is written by hand,
    /// or a [`DynNode`](crate::DynNode), says in its contract that it takes an item, and gets it here:
    ///
    /// ```
    /// use handoffs_core::{Contract, Node, State, Worker};
    /// use handoffs_runtime::{Context, Execute, NodeError};
    ///
    /// /// Says on which page of a document it is at work.
    /// struct Page;
    ///
    /// impl<S: State> Node<S> for Page {
    ///     type Outcome = ();
    ///     const CONTRACT: Contract = Contract { item: true, ..Contract::EMPTY };
    /// }
    ///
    /// impl<S: State> Worker<S> for Page {
    ///     type Item = u32;
    /// }
    ///
    /// impl<S: State> Execute<S> for Page {
    ///     async fn execute(&self, _: &mut S, cx: &mut Context<'_>) -> Result<(), NodeError> {
    ///         let page: u32 = cx.item()?;
    ///         println!("{} is at work on page {page}", cx.node());
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails in no branch of an `each`, and if the item is no `T`.
    pub fn item<T: Clone + DeserializeOwned + 'static>(&self) -> Result<T, NodeError> {
        let item = self.item.as_ref();
        item.ok_or_else(|| NodeError::of(Kind::NoItem))?.to()
    }

    /// Shows that the node is alive: its idle timeout begins anew, and that of a node around its graph,
    /// for which the beginning of each step does as much.
    pub fn heartbeat(&self) {
        self.pulse.beat();
    }

    /// Returns a text that is the same whenever this step is repeated, after a crash, an error or a
    /// question to a person, and differs from that of any other step: what payment services and the like ask for.
    pub fn idempotency_key(&self) -> String {
        let (thread, node, branch) = (self.thread(), self.node(), &self.branch);
        let slash = if branch.is_trunk() { "" } else { "/" };
        if self.scope.ledger.is_some() {
            let seq = self.arrived + 1;
            return format!("{thread}/{branch}{slash}{seq}/{node}");
        }
        // Without a journal the steps of a run are its handoffs.
        let (run, step) = (self.scope.run + 1, self.course.engine.handoffs() + 1);
        format!("{thread}/{branch}{slash}{run}.{step}/{node}")
    }

    /// Returns what a branch that leaves the path here is known by.
    pub(crate) fn place(&self) -> u64 {
        if self.scope.ledger.is_some() {
            self.arrived
        } else {
            self.course.engine.handoffs()
        }
    }

    /// Returns what the branches of a fork are known by that the path has come to. Without a journal it
    /// is the next handoff, as this one is what a graph within the node before is known by.
    pub(crate) fn fork_place(&self) -> u64 {
        self.place() + u64::from(self.scope.ledger.is_none())
    }

    /// Asks a person, and returns the answer.
    ///
    /// As long as there is none, this does not return: the run pauses, to be resumed with an answer
    /// in a day or a year, on any machine. The node then runs again from its beginning, and the
    /// question with this `key` is answered at once. So ask before you do anything that should not
    /// be done twice. A [`Human`](crate::Human) node is nothing but one such question.
    ///
    /// # Errors
    ///
    /// Fails if the runtime has no journal to keep the question in, if the question cannot be
    /// serialised, or if the answer is no `A`; the run then stays paused at this question. One that is no
    /// `A` and was written before the node read it, as an attempt had failed first, is asked for anew.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the question.
    pub async fn ask<Q, A>(&mut self, key: &str, question: &Q) -> Result<A, NodeError>
    where
        Q: Serialize + ?Sized,
        A: DeserializeOwned,
    {
        // Of a question that was asked anew, the last answer counts.
        let answers = self.answers.iter().enumerate();
        let answered = answers.rev().find(|(_, (asked, _))| asked == key);
        if let Some((place, (_, answer))) = answered {
            // The answer that is pending came last.
            let pending = self.pending.as_mut();
            let pending = pending.filter(|_| place + 1 == self.answers.len());
            match (serde_json::from_str(answer.as_str()), pending) {
                (Ok(answer), pending) => {
                    if let Some(pending) = pending {
                        pending.is_heard = true;
                    }
                    return Ok(answer);
                }
                (Err(source), Some(_)) => {
                    self.misfit = Some(key.to_owned());
                    return Err(NodeError::of(Kind::WrongAnswer(source)));
                }
                // It was written before anybody had read it, with an attempt that failed.
                (Err(error), None) => {
                    let node = self.node();
                    tracing::warn!(thread = %self.thread(), node, key, %error, "the answer does not fit, and is asked for anew");
                }
            }
        }
        if self.scope.ledger.is_none() {
            return Err(NodeError::of(Kind::NoAnswer(key.to_owned())));
        }
        let text = keep(question).map_err(NodeError::new)?;
        let key = key.to_owned();
        self.rest(Signal::Asks(Box::new(Question { key, text })))
            .await
    }

    /// Waits for the driver, which takes the signal and drops the node.
    pub(crate) async fn rest<T>(&self, signal: Signal) -> T {
        self.desk.lay_down(signal);
        let _withdraw = Withdraw(self.desk);
        pending().await
    }

    /// Says what the node has used: calls, tokens, money. It adds up, and stands in the entry of the step,
    /// of the attempt if that fails, or before the question if the node [asks](Self::ask) and pauses.
    ///
    /// What an attempt used that a crash cuts off, is lost with it; that of a call which goes through
    /// [`once`](Self::once), as those of agents do, is not.
    pub fn used(&mut self, usage: Usage) {
        self.usage += usage;
        self.spend(None, &Held::new(), |used| used.usage += usage);
    }

    /// Notes how a field changed.
    #[doc(hidden)]
    #[inline]
    pub fn __changed(&mut self, field: FieldSet, change: Change) {
        match change {
            Change::None => {}
            // What was set anew in the same step is kept whole, whatever was appended to it.
            Change::Appended => self.step.changed = self.step.changed.or(field),
            Change::Set => self.__set(field),
        }
    }

    /// Returns whether it matters if a field that a node sets anew is set to what it was.
    #[doc(hidden)]
    #[inline]
    pub fn __compares(&self) -> bool {
        self.told >= Told::Changes
    }

    /// Notes that fields may have any value now.
    #[doc(hidden)]
    #[inline]
    pub fn __set(&mut self, fields: FieldSet) {
        self.step.changed = self.step.changed.or(fields);
        self.step.set = self.step.set.or(fields);
    }

    /// Notes that where branches meet, what this one made of a field stands.
    #[doc(hidden)]
    #[inline]
    pub fn __replaced(&mut self, field: FieldSet) {
        self.__set(field);
        self.step.replaced = self.step.replaced.or(field);
    }

    /// Hands the next node that is executed with this context an item, and returns the one before.
    #[doc(hidden)]
    pub fn __swap_item(&mut self, item: Option<Item>) -> Option<Item> {
        std::mem::replace(&mut self.item, item)
    }

    /// Notes what the node concluded.
    #[doc(hidden)]
    #[inline]
    pub fn __concluded<O: Outcome>(&mut self, outcome: &O) {
        if self.told == Told::Outcome {
            let variant = O::VARIANTS.get(outcome.variant());
            let is_plain = variant.is_some_and(|variant| variant.fields.is_empty());
            let variant = variant.map_or("?", |variant| variant.name);
            if is_plain && is_null(outcome) {
                self.concluded = Some(Ok(Conclusion::new(variant, None)));
                return;
            }
            let payload = match Json::approximate(&Payload(outcome)) {
                Ok(payload) => Ok((payload.as_str() != "null").then_some(payload)),
                // A run that is not written down does not end because of what cannot be.
                Err(_) if self.scope.ledger.is_none() => Ok(None),
                Err(error) => Err(error),
            };
            self.concluded = Some(payload.map(|payload| Conclusion {
                variant: variant.into(),
                payload,
            }));
        }
    }
}

/// Returns whether the payload of an outcome is nothing, without making room for it.
fn is_null<O: Outcome>(outcome: &O) -> bool {
    let mut text = *b"----";
    serde_json::to_writer(&mut text[..], &Payload(outcome)).is_ok() && text == *b"null"
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("thread", self.thread())
            .field("branch", &self.branch)
            .field("node", &self.node())
            .finish_non_exhaustive()
    }
}
