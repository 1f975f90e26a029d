//! What a node sees of the run it is part of.

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use handoffs_core::__private::Change;
use handoffs_core::{AgentGraph, FieldSet, GraphNode, Outcome, Payload};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::course::Course;
use crate::journal::{Conclusion, Json, ThreadId, keep};

/// What a node sees of the run it is part of: where it stands, and how to ask a person.
///
/// A node takes it as a parameter `cx: &mut Context<'_>`.
pub struct Context<'a> {
    thread: &'a ThreadId,
    /// One more than the entry that brought the run here: it stays the same when the step is repeated.
    seq: u64,
    has_journal: bool,
    /// Whether the driver has to see each step.
    attended: bool,
    /// Whether somebody is told what the node concludes.
    noted: bool,
    pub(crate) course: Course<'a>,
    pub(crate) desk: Arc<Desk>,
    /// The answers that this visit of the node has got so far, by the keys of their questions.
    pub(crate) answers: Vec<(String, Json)>,
    /// The key of a question that an answer did not fit.
    pub(crate) misfit: Option<String>,
    /// The fields that the node changed, and of these the logs that it only appended to.
    pub(crate) changed: FieldSet,
    pub(crate) appended: FieldSet,
    /// The fields that the node replaced.
    pub(crate) replaced: FieldSet,
    /// The item of the branch that the node works in.
    item: Option<Json>,
    /// What the node concluded, if somebody is told.
    pub(crate) concluded: Option<serde_json::Result<Conclusion>>,
}

/// Where a node lays down its question for the driver, which holds the other end while the node has
/// the context.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<Option<Box<Question>>>);

impl Desk {
    /// Takes the question that the node waits for.
    pub(crate) fn take(&self) -> Option<Box<Question>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn lay_down(&self, question: Box<Question>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(question);
    }
}

/// Takes a question back that the driver has not taken: its node goes on without an answer.
struct Withdraw<'a>(&'a Desk);

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

/// A question that a node put to a person.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) key: String,
    pub(crate) text: Json,
}

impl<'a> Context<'a> {
    pub(crate) fn new(thread: &'a ThreadId, has_journal: bool, course: Course<'a>) -> Self {
        Self {
            thread,
            seq: 0,
            has_journal,
            attended: true,
            noted: true,
            course,
            desk: Arc::default(),
            answers: Vec::new(),
            misfit: None,
            changed: FieldSet::EMPTY,
            appended: FieldSet::EMPTY,
            replaced: FieldSet::EMPTY,
            item: None,
            concluded: None,
        }
    }

    /// Gets ready for the next step, of which somebody may be told, by an event or by a trace.
    pub(crate) fn enter(&mut self, seq: u64, listens: bool, traced: bool) {
        self.seq = seq;
        self.noted = self.has_journal || listens;
        self.attended = self.noted || traced;
        self.changed = FieldSet::EMPTY;
        self.appended = FieldSet::EMPTY;
        self.replaced = FieldSet::EMPTY;
    }

    /// Takes an edge without the driver if nobody is told of the step and the edge leads on to
    /// another node, and returns that node.
    #[doc(hidden)]
    #[inline]
    pub fn __pass<G: AgentGraph>(&mut self, edge: usize, state: &G::State) -> Option<G::Node> {
        if self.attended {
            return None;
        }
        let to = self.course.pass(edge, &mut self.changed, state)?;
        G::Node::ALL.get(usize::from(to)).copied()
    }

    /// Returns the thread that the run belongs to.
    pub fn thread(&self) -> &ThreadId {
        self.thread
    }

    /// Returns the name of the node in its graph.
    pub fn node(&self) -> &str {
        self.course.plan.name(self.course.due())
    }

    /// Returns a text that is the same whenever this step is repeated, after a crash, an error or a
    /// question to a person, and differs from that of any other step: what payment services and the like ask for.
    pub fn idempotency_key(&self) -> String {
        let (thread, seq, node) = (self.thread, self.seq, self.node());
        if self.has_journal {
            return format!("{thread}/{seq}/{node}");
        }
        // Without a journal `seq` is the number of the run, and its steps are its handoffs.
        let step = self.course.engine.handoffs() + 1;
        format!("{thread}/{seq}.{step}/{node}")
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
    /// serialised, or if the answer is no `A`; the run then stays paused at this question.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the question.
    pub async fn ask<Q, A>(&mut self, key: &str, question: &Q) -> Result<A, NodeError>
    where
        Q: Serialize + ?Sized,
        A: DeserializeOwned,
    {
        if let Some((_, answer)) = self.answers.iter().find(|(asked, _)| asked == key) {
            return serde_json::from_str(answer.as_str()).map_err(|source| {
                self.misfit = Some(key.to_owned());
                NodeError::of(Kind::WrongAnswer(source))
            });
        }
        if !self.has_journal {
            return Err(NodeError::of(Kind::NoAnswer(key.to_owned())));
        }
        let text = keep(question).map_err(NodeError::new)?;
        self.desk.lay_down(Box::new(Question {
            key: key.to_owned(),
            text,
        }));
        let _withdraw = Withdraw(&self.desk);
        // The driver sees the question, takes it and drops this future.
        pending().await
    }

    /// Notes how a field changed.
    #[doc(hidden)]
    #[inline]
    pub fn __changed(&mut self, field: FieldSet, change: Change) {
        match change {
            Change::None => {}
            Change::Appended => {
                // What was set anew in the same step is kept whole, whatever was appended to it.
                self.appended = self.appended.or(field.minus(self.changed));
                self.changed = self.changed.or(field);
            }
            Change::Set => self.__set(field),
        }
    }

    /// Notes that fields may have any value now.
    #[doc(hidden)]
    #[inline]
    pub fn __set(&mut self, fields: FieldSet) {
        self.appended = self.appended.minus(fields);
        self.changed = self.changed.or(fields);
    }

    /// Notes that where branches meet, what this one made of a field stands.
    #[doc(hidden)]
    #[inline]
    pub fn __replaced(&mut self, field: FieldSet) {
        self.replaced = self.replaced.or(field);
    }

    /// Returns the item that the node works on.
    #[doc(hidden)]
    pub fn __item<T: DeserializeOwned>(&self) -> Result<T, NodeError> {
        let item = self
            .item
            .as_ref()
            .ok_or_else(|| NodeError::of(Kind::NoItem))?;
        serde_json::from_str(item.as_str()).map_err(NodeError::new)
    }

    /// Notes what the node concluded.
    #[doc(hidden)]
    #[inline]
    pub fn __concluded<O: Outcome>(&mut self, outcome: &O) {
        if self.noted {
            let variant = O::VARIANTS
                .get(outcome.variant())
                .map_or("?", |variant| variant.name);
            let payload = match Json::approximate(&Payload(outcome)) {
                Ok(payload) => Ok((payload.as_str() != "null").then_some(payload)),
                // A run that is not written down does not end because of what cannot be.
                Err(_) if !self.has_journal => Ok(None),
                Err(error) => Err(error),
            };
            self.concluded = Some(payload.map(|payload| Conclusion {
                variant: variant.into(),
                payload,
            }));
        }
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("thread", self.thread)
            .field("node", &self.node())
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}

/// Why a node did not conclude.
///
/// Any error that a node returns turns into one of these; the runtime adds thread and node.
#[derive(Debug)]
pub struct NodeError(Box<Kind>);

/// The ways in which a node can fail.
#[derive(Debug)]
pub(crate) enum Kind {
    /// The node returned an error.
    Returned(Box<dyn Error + Send + Sync>),
    /// A field that the node needs is not set.
    Unset(&'static str),
    /// The node returned without having set a field that it promised.
    Broken(&'static str),
    /// The answer does not fit the question.
    WrongAnswer(serde_json::Error),
    /// There is no answer to the question of this key, and no journal to wait for one in.
    NoAnswer(String),
    /// The node works on an item, and is in no branch of an `each`.
    NoItem,
}

impl NodeError {
    /// Wraps the error that a node returned.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::of(Kind::Returned(error.into()))
    }

    #[cold]
    pub(crate) fn of(kind: Kind) -> Self {
        Self(Box::new(kind))
    }

    pub(crate) fn into_kind(self) -> Kind {
        *self.0
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Returned(_) => f.write_str("the node returned an error"),
            Kind::Unset(field) => write!(f, "the node needs `{field}`, which is not set"),
            Kind::Broken(field) => {
                write!(
                    f,
                    "the node promised to set `{field}` and returned without having done so"
                )
            }
            Kind::WrongAnswer(_) => f.write_str("the answer does not fit the question"),
            Kind::NoItem => f.write_str("the node takes an item, and no `each` has handed it one"),
            Kind::NoAnswer(key) => write!(
                f,
                "the node asks `{key}`, and there is neither an answer nor a journal to wait in",
            ),
        }
    }
}

impl Error for NodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            Kind::Returned(error) => Some(error.as_ref()),
            Kind::WrongAnswer(error) => Some(error),
            Kind::Unset(_) | Kind::Broken(_) | Kind::NoAnswer(_) | Kind::NoItem => None,
        }
    }
}
