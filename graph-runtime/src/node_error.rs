//! Why a node did not conclude.

use std::error::Error;
use std::fmt;
use std::time::Duration;

#[cfg(feature = "agents")]
use crate::agent::ModelError;
use crate::attempt::TimeoutKind;
use crate::error::RunError;

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
    /// The same, and it said when to try again.
    Later(Duration, Box<dyn Error + Send + Sync>),
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
    /// The item is not what the node takes.
    WrongItem(serde_json::Error),
    /// The node, or a guard of one of its edges, panicked.
    Panicked(String),
    /// Nobody knows whether an effect was done.
    Unknown(String),
    /// An effect was done, and its result cannot be kept.
    Unkept(String, serde_json::Error),
    /// What was kept of an effect is no result of it.
    WrongResult(String, serde_json::Error),
    /// An attempt took too long.
    TimedOut(TimeoutKind, Duration),
    /// The graph that the node is ended with an error.
    Within(Box<RunError>),
}

impl NodeError {
    /// Wraps the error that a node returned.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::of(Kind::Returned(error.into()))
    }

    /// Wraps the error that a node returned, of which a service said when to ask again: no retry comes
    /// before that.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use handoffs_runtime::{NodeError, Policy, Retry};
    ///
    /// let error = NodeError::later(Duration::from_secs(20), "429: slow down");
    /// let policy = Policy::new().retry(Retry::times(2).jitter(false));
    /// let wait = Duration::from_millis(20_200);
    /// assert_eq!(policy.retry_for(&error, &[], "customer-42/7"), Some((0, wait)));
    /// ```
    pub fn later(after: Duration, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::of(Kind::Later(after, error.into()))
    }

    /// Returns when to try again, if whoever caused the error said so: [`later`](Self::later), or a
    /// [busy model](crate::agent::ModelError::Busy), also of a node within a graph that the node is.
    pub fn retry_after(&self) -> Option<Duration> {
        find(self, |error| {
            if let Some(Kind::Later(after, _)) = error.downcast_ref().map(Self::kind) {
                return Some(*after);
            }
            #[cfg(feature = "agents")]
            if let Some(ModelError::Busy { retry_after }) = error.downcast_ref() {
                return *retry_after;
            }
            None
        })
    }

    #[cold]
    pub(crate) fn of(kind: Kind) -> Self {
        Self(Box::new(kind))
    }

    /// Returns whether the node panicked, or one of the graph that it is.
    pub fn is_panic(&self) -> bool {
        match &*self.0 {
            Kind::Panicked(_) => true,
            Kind::Within(error) => matches!(**error, RunError::Panicked { .. }),
            _ => false,
        }
    }

    /// Returns whether nobody knows if something was done that is done [once](crate::Context::once): the
    /// attempt that began it was cut off. It is not done again, and so is every repeat of the step the same.
    ///
    /// Whoever can find out does so with [`Context::once_checked`](crate::Context::once_checked).
    pub fn is_unknown(&self) -> bool {
        self.unknown().is_some()
    }

    /// Returns the effect of which nobody knows whether it was done, also where an error of the node's
    /// own stands around it, or a graph.
    pub(crate) fn unknown(&self) -> Option<&str> {
        let mut cause: Option<&(dyn Error + 'static)> = Some(self);
        while let Some(error) = cause {
            let within = match error.downcast_ref().map(Self::kind) {
                Some(Kind::Unknown(key)) => return Some(key),
                Some(Kind::Within(error)) => Some(&**error),
                _ => error.downcast_ref(),
            };
            if let Some(RunError::Unknown { effect, .. }) = within {
                return Some(effect);
            }
            cause = error.source();
        }
        None
    }

    /// Returns which of the node's timeouts ended the attempt, if one did.
    pub fn timeout(&self) -> Option<TimeoutKind> {
        match &*self.0 {
            Kind::TimedOut(timeout, _) => Some(*timeout),
            Kind::Within(error) => match **error {
                RunError::TimedOut { kind, .. } => Some(kind),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns whether another attempt would come to the same end, as it is the graph, the state or a
    /// kept value that is wrong.
    pub(crate) fn is_hopeless(&self) -> bool {
        match &*self.0 {
            Kind::Unset(_)
            | Kind::Broken(_)
            | Kind::WrongAnswer(_)
            | Kind::NoAnswer(_)
            | Kind::NoItem
            | Kind::WrongItem(_)
            | Kind::Unkept(..)
            | Kind::WrongResult(..) => true,
            Kind::Within(error) if matches!(**error, RunError::NotGiven { .. }) => true,
            _ => self.is_unknown(),
        }
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }

    pub(crate) fn into_kind(self) -> Kind {
        *self.0
    }
}

/// Looks for something in the error of a node and in the error that the node returned, which of a graph is
/// that of a node within, however deep.
pub(crate) fn find<T>(
    error: &NodeError,
    look: impl Fn(&(dyn Error + 'static)) -> Option<T>,
) -> Option<T> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let found = look(error);
        if found.is_some() {
            return found;
        }
        let is_around = error.is::<NodeError>() || error.is::<RunError>();
        cause = error.source().filter(|_| is_around);
    }
    None
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Returned(_) | Kind::Later(..) => f.write_str("the node returned an error"),
            Kind::Unset(field) => write!(f, "the node needs `{field}`, which is not set"),
            Kind::Broken(field) => {
                write!(
                    f,
                    "the node promised to set `{field}` and returned without having done so"
                )
            }
            Kind::WrongAnswer(_) => f.write_str("the answer does not fit the question"),
            Kind::NoItem => f.write_str("the node takes an item, and no `each` has handed it one"),
            Kind::WrongItem(_) => f.write_str("the item is not what the node takes"),
            Kind::Panicked(message) => write!(f, "the node panicked: {message}"),
            Kind::TimedOut(TimeoutKind::Hard, after) => {
                write!(f, "the node took longer than {after:?}")
            }
            Kind::TimedOut(TimeoutKind::Idle, after) => {
                write!(f, "the node gave no heartbeat for {after:?}")
            }
            Kind::TimedOut(TimeoutKind::Answer, after) => {
                write!(f, "nobody answered the node within {after:?}")
            }
            Kind::Within(error) => error.fmt(f),
            Kind::Unknown(key) => write!(f, "nobody knows whether effect `{key}` was done"),
            Kind::Unkept(key, _) => {
                write!(f, "effect `{key}` was done, and its result cannot be kept")
            }
            Kind::WrongResult(key, _) => {
                write!(f, "what was kept of effect `{key}` is no result of it")
            }
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
            Kind::Returned(error) | Kind::Later(_, error) => Some(error.as_ref()),
            Kind::WrongAnswer(error)
            | Kind::WrongItem(error)
            | Kind::Unkept(_, error)
            | Kind::WrongResult(_, error) => Some(error),
            Kind::Within(error) => error.source(),
            Kind::Unset(_)
            | Kind::Broken(_)
            | Kind::NoAnswer(_)
            | Kind::NoItem
            | Kind::Unknown(_)
            | Kind::Panicked(_)
            | Kind::TimedOut(..) => None,
        }
    }
}
