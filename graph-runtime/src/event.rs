//! What happens in a run, as it happens.

use std::fmt;
use std::pin::Pin;

use futures_util::Stream;
use futures_channel::mpsc;
use futures_util::sink::SinkExt;
use handoffs_core::{AgentGraph, Edge, Target};

use crate::error::RunError;
use crate::journal::{Ask, Conclusion, Masked};

/// Something that happened in a run.
#[non_exhaustive]
pub enum Event<G: AgentGraph> {
    /// A node begins to work.
    #[non_exhaustive]
    Entered {
        /// The node.
        node: G::Node,
    },
    /// A node concluded, the journal has it, and the run goes on along an edge.
    #[non_exhaustive]
    Stepped {
        /// The node.
        node: G::Node,
        /// What the node concluded.
        outcome: Conclusion,
        /// The edge that the node's outcome chose.
        edge: &'static Edge<G::Node>,
        /// Where the run goes: the edge's target, or its `else` if it was masked.
        to: Target<G::Node>,
        /// Why the edge was masked, if it was.
        masked: Option<Masked>,
    },
    /// The run pauses until a person answers. It is the last event.
    Paused(Ask),
    /// The run reached the end, with this state. It is the last event.
    Finished(G::State),
}

// By hand, because a derive would ask it of the graph, which is no part of an event.
impl<G: AgentGraph<State: fmt::Debug>> fmt::Debug for Event<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entered { node } => f.debug_struct("Entered").field("node", node).finish(),
            Self::Stepped {
                node,
                outcome,
                edge,
                to,
                masked,
            } => f
                .debug_struct("Stepped")
                .field("node", node)
                .field("outcome", outcome)
                .field("edge", edge)
                .field("to", to)
                .field("masked", masked)
                .finish(),
            Self::Paused(ask) => f.debug_tuple("Paused").field(ask).finish(),
            Self::Finished(state) => f.debug_tuple("Finished").field(state).finish(),
        }
    }
}

/// The events of a run in order; the run advances as the stream is polled, and stops when it is dropped.
pub type EventStream<G> = Pin<Box<dyn Stream<Item = Result<Event<G>, RunError>> + Send>>;

/// Where a driver's events go.
pub(crate) trait Sink<G: AgentGraph>: Send {
    /// Whether anybody listens.
    const LISTENS: bool;

    /// Takes an event; it is only made if somebody wants it.
    fn emit(&mut self, event: impl FnOnce() -> Event<G> + Send) -> impl Future<Output = ()> + Send;
}

/// Nobody listens.
pub(crate) struct Silent;

impl<G: AgentGraph> Sink<G> for Silent {
    const LISTENS: bool = false;

    async fn emit(&mut self, _: impl FnOnce() -> Event<G> + Send) {}
}

impl<G: AgentGraph> Sink<G> for mpsc::Sender<Event<G>> {
    const LISTENS: bool = true;

    async fn emit(&mut self, event: impl FnOnce() -> Event<G> + Send) {
        // The receiver lives in the same stream as this run, so it is never gone before it.
        let _ = self.send(event()).await;
    }
}
