//! What happens in a run, as it happens.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures_channel::mpsc;
use futures_util::future::FusedFuture;
use futures_util::sink::SinkExt;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use handoffs_core::{Edge, Target};

#[cfg(feature = "agents")]
use crate::agent::AgentEvent;
use crate::budget::Spent;
use crate::error::RunError;
use crate::execute::Runnable;
use crate::journal::{Approval, Ask, AskId, BranchId, Conclusion, Masked};
use crate::run::Run;

/// Something that happened in a run.
#[non_exhaustive]
pub enum Event<G: Runnable> {
    /// A node begins to work.
    #[non_exhaustive]
    Entered {
        /// The path through the run.
        branch: BranchId,
        /// The node.
        node: G::Node,
    },
    /// A node concluded, the journal has it, and the run goes on along an edge.
    #[non_exhaustive]
    Stepped {
        /// The path through the run.
        branch: BranchId,
        /// The node.
        node: G::Node,
        /// What the node concluded.
        outcome: Conclusion,
        /// The edge that the node's outcome chose.
        edge: Edge<G::Node>,
        /// Where the run goes: the edge's target, which of a fork is the join, or its `else` if it was masked.
        to: Target<G::Node>,
        /// Why the edge was masked, if it was.
        masked: Option<Masked>,
        /// How many branches the run forks into, if it does.
        branches: Option<u32>,
        /// Whether the node was not executed, as its result was in the cache.
        cached: bool,
        /// The question whether the handoff may be, if the run does not go there before a person says so.
        approval: Option<Ask>,
    },
    /// An attempt at a node failed, and there will be another.
    #[non_exhaustive]
    Attempted {
        /// The path through the run.
        branch: BranchId,
        /// The node.
        node: G::Node,
        /// The error and its causes.
        error: String,
        /// How long the run waits before the next attempt.
        delay: Duration,
    },
    /// A node failed, and the run goes on along its error edge.
    #[non_exhaustive]
    Caught {
        /// The path through the run.
        branch: BranchId,
        /// The node.
        node: G::Node,
        /// The error and its causes.
        error: String,
        /// The error edge.
        edge: Edge<G::Node>,
        /// Where the run goes: the edge's target, or its `else` if it was masked.
        to: Target<G::Node>,
        /// Why the edge was masked, if it was.
        masked: Option<Masked>,
    },
    /// A person decided about a handoff, or nobody did in time, and the run goes on.
    #[non_exhaustive]
    Decided {
        /// The path through the run.
        branch: BranchId,
        /// The node that hands over.
        node: G::Node,
        /// The question.
        ask: AskId,
        /// What was decided.
        approval: Approval,
        /// Where the run goes: the edge's target, or its `else` if it was refused.
        to: Target<G::Node>,
    },
    /// All branches of a fork came to the join, and the run goes on there.
    #[non_exhaustive]
    Joined {
        /// The path that had forked.
        branch: BranchId,
        /// The join.
        to: G::Node,
    },
    /// Something happened in a graph that is a node of this one.
    #[non_exhaustive]
    Within {
        /// The path through the run on which the node is.
        branch: BranchId,
        /// The node.
        node: G::Node,
        /// What happened.
        event: Inner,
    },
    /// Of a [`Budget`](crate::Budget), 80 % or more is used up. It is told once.
    #[non_exhaustive]
    Budget {
        /// The path through the run on which that was found.
        branch: BranchId,
        /// The node.
        node: G::Node,
        /// How much of which budget is used up.
        spent: Spent,
    },
    /// An agent says something, or calls a tool.
    #[cfg(feature = "agents")]
    #[non_exhaustive]
    Agent {
        /// The path through the run.
        branch: BranchId,
        /// The node.
        node: G::Node,
        /// What the agent does.
        event: AgentEvent,
    },
    /// The run pauses until a person answers. It is the last event.
    Paused(Ask),
    /// The run reached the end, with this state. It is the last event.
    Finished(G::State),
}

/// Something that happened in a graph that is a node of another, whose nodes go by their names.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Inner {
    /// A node begins to work.
    #[non_exhaustive]
    Entered {
        /// The path through the run.
        branch: BranchId,
        /// The node.
        node: Cow<'static, str>,
    },
    /// A node concluded, and the run goes on along an edge.
    #[non_exhaustive]
    Stepped {
        /// The path through the run.
        branch: BranchId,
        /// The node.
        node: Cow<'static, str>,
        /// What the node concluded.
        outcome: Conclusion,
        /// The edge that the outcome chose.
        edge: Edge<Cow<'static, str>>,
        /// Where the run goes; none at the graph's end.
        to: Option<Cow<'static, str>>,
        /// Why the edge that the outcome chose was masked, if it was.
        masked: Option<Masked>,
        /// How many branches the run forks into, if it does.
        branches: Option<u32>,
        /// Whether the node was not executed, as its result was in the cache.
        cached: bool,
        /// The question whether the handoff may be, if the run does not go there before a person says so.
        approval: Option<Ask>,
    },
    /// An attempt at a node failed, and there will be another.
    #[non_exhaustive]
    Attempted {
        /// The path through the run.
        branch: BranchId,
        /// The node.
        node: Cow<'static, str>,
        /// The error and its causes.
        error: String,
        /// How long the run waits before the next attempt.
        delay: Duration,
    },
    /// A node failed, and the run goes on along its error edge.
    #[non_exhaustive]
    Caught {
        /// The path through the run.
        branch: BranchId,
        /// The node.
        node: Cow<'static, str>,
        /// The error and its causes.
        error: String,
        /// The error edge.
        edge: Edge<Cow<'static, str>>,
        /// Where the run goes; none at the graph's end.
        to: Option<Cow<'static, str>>,
        /// Why the edge was masked, if it was.
        masked: Option<Masked>,
    },
    /// A person decided about a handoff, or nobody did in time, and the run goes on.
    #[non_exhaustive]
    Decided {
        /// The path through the run.
        branch: BranchId,
        /// The node that hands over.
        node: Cow<'static, str>,
        /// The question.
        ask: AskId,
        /// What was decided.
        approval: Approval,
        /// Where the run goes; none at the graph's end.
        to: Option<Cow<'static, str>>,
    },
    /// All branches of a fork came to the join.
    #[non_exhaustive]
    Joined {
        /// The path that had forked.
        branch: BranchId,
        /// The join.
        to: Cow<'static, str>,
    },
    /// Something happened in a graph that is a node of this one.
    #[non_exhaustive]
    Within {
        /// The path through the run on which the node is.
        branch: BranchId,
        /// The node.
        node: Cow<'static, str>,
        /// What happened.
        event: Box<Inner>,
    },
    /// Of a [`Budget`](crate::Budget), 80 % or more is used up. It is told once.
    #[non_exhaustive]
    Budget {
        /// The path through the run on which that was found.
        branch: BranchId,
        /// The node.
        node: Cow<'static, str>,
        /// How much of which budget is used up.
        spent: Spent,
    },
    /// An agent says something, or calls a tool.
    #[cfg(feature = "agents")]
    #[non_exhaustive]
    Agent {
        /// The path through the run.
        branch: BranchId,
        /// The node.
        node: Cow<'static, str>,
        /// What the agent does.
        event: AgentEvent,
    },
}

impl Inner {
    /// Tells of a graph within what its own driver tells; nothing of its end, which its node's step tells.
    pub(crate) fn of<G: Runnable>(event: Event<G>) -> Option<Self> {
        let name = |node: G::Node| Cow::Owned(node.to_string());
        Some(match event {
            Event::Entered { branch, node } => Self::Entered {
                branch,
                node: name(node),
            },
            Event::Stepped {
                branch,
                node,
                outcome,
                edge,
                to,
                masked,
                branches,
                cached,
                approval,
            } => Self::Stepped {
                branch,
                node: name(node),
                outcome,
                edge: edge.map(name),
                to: to.node().map(name),
                masked,
                branches,
                cached,
                approval,
            },
            Event::Attempted {
                branch,
                node,
                error,
                delay,
            } => Self::Attempted {
                branch,
                node: name(node),
                error,
                delay,
            },
            Event::Caught {
                branch,
                node,
                error,
                edge,
                to,
                masked,
            } => Self::Caught {
                branch,
                node: name(node),
                error,
                edge: edge.map(name),
                to: to.node().map(name),
                masked,
            },
            Event::Decided {
                branch,
                node,
                ask,
                approval,
                to,
            } => Self::Decided {
                branch,
                node: name(node),
                ask,
                approval,
                to: to.node().map(name),
            },
            Event::Joined { branch, to } => Self::Joined {
                branch,
                to: name(to),
            },
            Event::Within {
                branch,
                node,
                event,
            } => Self::Within {
                branch,
                node: name(node),
                event: Box::new(event),
            },
            Event::Budget {
                branch,
                node,
                spent,
            } => Self::Budget {
                branch,
                node: name(node),
                spent,
            },
            #[cfg(feature = "agents")]
            Event::Agent {
                branch,
                node,
                event,
            } => Self::Agent {
                branch,
                node: name(node),
                event,
            },
            Event::Paused(_) | Event::Finished(_) => return None,
        })
    }
}

// By hand, because a derive would ask it of the graph, which is no part of an event.
impl<G: Runnable<State: fmt::Debug>> fmt::Debug for Event<G> {
    #[expect(clippy::too_many_lines, reason = "one variant after the other")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entered { branch, node } => f
                .debug_struct("Entered")
                .field("branch", branch)
                .field("node", node)
                .finish(),
            Self::Stepped {
                branch,
                node,
                outcome,
                edge,
                to,
                masked,
                branches,
                cached,
                approval,
            } => f
                .debug_struct("Stepped")
                .field("branch", branch)
                .field("node", node)
                .field("outcome", outcome)
                .field("edge", edge)
                .field("to", to)
                .field("masked", masked)
                .field("branches", branches)
                .field("cached", cached)
                .field("approval", approval)
                .finish(),
            Self::Attempted {
                branch,
                node,
                error,
                delay,
            } => f
                .debug_struct("Attempted")
                .field("branch", branch)
                .field("node", node)
                .field("error", error)
                .field("delay", delay)
                .finish(),
            Self::Caught {
                branch,
                node,
                error,
                edge,
                to,
                masked,
            } => f
                .debug_struct("Caught")
                .field("branch", branch)
                .field("node", node)
                .field("error", error)
                .field("edge", edge)
                .field("to", to)
                .field("masked", masked)
                .finish(),
            Self::Decided {
                branch,
                node,
                ask,
                approval,
                to,
            } => f
                .debug_struct("Decided")
                .field("branch", branch)
                .field("node", node)
                .field("ask", ask)
                .field("approval", approval)
                .field("to", to)
                .finish(),
            Self::Joined { branch, to } => f
                .debug_struct("Joined")
                .field("branch", branch)
                .field("to", to)
                .finish(),
            Self::Within {
                branch,
                node,
                event,
            } => f
                .debug_struct("Within")
                .field("branch", branch)
                .field("node", node)
                .field("event", event)
                .finish(),
            Self::Budget {
                branch,
                node,
                spent,
            } => f
                .debug_struct("Budget")
                .field("branch", branch)
                .field("node", node)
                .field("spent", spent)
                .finish(),
            #[cfg(feature = "agents")]
            Self::Agent {
                branch,
                node,
                event,
            } => f
                .debug_struct("Agent")
                .field("branch", branch)
                .field("node", node)
                .field("event", event)
                .finish(),
            Self::Paused(ask) => f.debug_tuple("Paused").field(ask).finish(),
            Self::Finished(state) => f.debug_tuple("Finished").field(state).finish(),
        }
    }
}

/// The events of a run in order; the run advances as the stream is polled, and stops when it is dropped.
pub type EventStream<G> = Pin<Box<dyn Stream<Item = Result<Event<G>, RunError>> + Send>>;

/// Makes a stream of a run, which tells a listener what happens in it.
///
/// Events come first, so that the last one is last, whatever branches had still to tell when another
/// one ended the run.
pub(crate) fn streamed<G, R>(run: impl FnOnce(Sink<G>) -> R) -> EventStream<G>
where
    G: Runnable,
    R: Future<Output = Result<Run<G::State>, RunError>> + Send + 'static,
{
    let (sender, mut events) = mpsc::channel(0);
    let mut run = run(Sink::Stream(sender)).boxed().fuse();
    let mut last = None;
    Box::pin(stream::poll_fn(move |task| {
        loop {
            match events.poll_next_unpin(task) {
                Poll::Ready(Some(event)) => return Poll::Ready(Some(Ok(event))),
                Poll::Ready(None) if last.is_some() || run.is_terminated() => {
                    return Poll::Ready(last.take());
                }
                _ => {}
            }
            match run.poll_unpin(task) {
                Poll::Ready(Ok(Run::Finished(state))) => {
                    last = Some(Ok(Event::Finished(state)));
                }
                Poll::Ready(Ok(Run::Paused(ask))) => last = Some(Ok(Event::Paused(ask))),
                Poll::Ready(Err(error)) => last = Some(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }))
}

/// Where a driver's events go. Each path of a run has a clone of its own.
pub(crate) enum Sink<G: Runnable> {
    /// Nobody listens.
    Silent,
    /// The stream's other end.
    Stream(mpsc::Sender<Event<G>>),
    /// The driver of the graph around this one.
    Around(mpsc::Sender<Inner>),
}

impl<G: Runnable> Clone for Sink<G> {
    fn clone(&self) -> Self {
        match self {
            Self::Silent => Self::Silent,
            Self::Stream(events) => Self::Stream(events.clone()),
            Self::Around(events) => Self::Around(events.clone()),
        }
    }
}

impl<G: Runnable> Sink<G> {
    /// Returns whether anybody listens. Nobody need make an event otherwise.
    #[inline]
    pub(crate) const fn listens(&self) -> bool {
        !matches!(self, Self::Silent)
    }

    /// Tells an event to whoever listens.
    pub(crate) async fn emit(&mut self, event: Event<G>) {
        match self {
            Self::Silent => {}
            // The receiver lives in the same stream as this run, so it is never gone before it.
            Self::Stream(events) => drop(events.send(event).await),
            Self::Around(events) => {
                if let Some(event) = Inner::of(event) {
                    let _ = events.send(event).await;
                }
            }
        }
    }
}
