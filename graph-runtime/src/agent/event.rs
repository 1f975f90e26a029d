//! What an agent tells while it is at work, for whoever listens to the run.

use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use super::message::Given;
use super::model::ToolCall;

/// Something that an agent does while it is at work, as an [`Event::Agent`](crate::Event::Agent) tells it.
///
/// Each is told once, as it happens: what a visit had done before it was taken up again, be it after a
/// failed attempt or a crash, is not told again.
///
/// **What becomes void.** If the attempt fails ([`Attempted`](crate::Event::Attempted),
/// [`Caught`](crate::Event::Caught), or the run's error), so does the turn that was under way: the pieces
/// that this node [`Said`](Self::Said) since its last other event are in no log, and may come again. What
/// was told before that stands. Pieces are also told before a check of the output sees the whole;
/// who must show nothing else shows the message of the step.
///
/// ```
/// use handoffs_runtime::agent::AgentEvent;
/// use handoffs_runtime::{Event, Runnable};
///
/// /// Shows what a terminal shows of an agent at work.
/// fn show<G: Runnable>(event: &Event<G>) {
///     match event {
///         Event::Agent { event: AgentEvent::Said(piece), .. } => print!("{piece}"),
///         Event::Agent { event: AgentEvent::Called(call), .. } => println!("\n[{} ..]", call.tool),
///         Event::Attempted { .. } => println!("\n(Sorry, once more:)"),
///         _ => {}
///     }
/// }
/// ```
///
/// The run goes on only when all is told: a slow listener holds the model up, and loses nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentEvent {
    /// Its model said this, as the next piece of its turn. A model that does not stream says nothing in
    /// pieces.
    Said(String),
    /// It calls a tool.
    Called(ToolCall),
    /// The call came back. One that did not was cut off, with its attempt.
    #[non_exhaustive]
    Returned {
        /// The call.
        call: ToolCall,
        /// What came of it.
        given: Given,
    },
    /// Its model wants this handoff as well, and another one of the same turn is made.
    Passed(ToolCall),
    /// Its model made a mistake, is told so, and may try again if it has not made too many.
    #[non_exhaustive]
    Mistake {
        /// The call that was wrong; none if it was the final text.
        call: Option<ToolCall>,
        /// What the model is told.
        told: String,
    },
}

/// Where an agent lays down what it has to tell, for the driver, which looks at it whenever the node
/// waits. So pieces come as they are said, although who says them cannot wait for who listens; and
/// nothing piles up, as the node goes on only when all is told.
///
/// Nothing is behind it if nobody listens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Teller(Option<Arc<Mutex<Vec<AgentEvent>>>>);

impl Teller {
    pub(crate) fn heard() -> Self {
        Self(Some(Arc::default()))
    }

    /// Tells of something, if somebody listens.
    pub(crate) fn tell(&self, event: impl FnOnce() -> AgentEvent) {
        if let Some(told) = &self.0 {
            let event = event();
            told.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(event);
        }
    }

    /// Takes what was told since.
    pub(crate) fn take(&self) -> Vec<AgentEvent> {
        let told = self.0.as_ref();
        told.map(|told| take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner)))
            .unwrap_or_default()
    }
}
