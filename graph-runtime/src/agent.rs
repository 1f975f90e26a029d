//! Agents: nodes in which a model decides.

mod event;
mod guard;
mod message;
mod model;
mod node;
mod offer;
mod offers;
mod over;
mod policy;
pub mod prebuilt;
mod priced;
mod record;
mod replay;
mod scripted;
mod tool;
mod turn;
mod view;
mod visit;

pub use event::AgentEvent;
pub(crate) use event::Teller;
pub use guard::{Guardrail, Verdict};
pub use message::{Call, Conversation, Given, Message, Turn};
#[doc(hidden)]
pub use message::{MessageLog, Messages};
pub use model::{Choice, Model, ModelError, Reply, Request, Said, ToolCall, ToolSpec};
pub use node::{Agent, AgentError};
pub use offers::HandoffStyle;
pub use over::{Over, Peer, active, among, resume_at};
pub use policy::{Decision, ToolPolicy, ToolQuestion, ToolRequest};
pub use priced::{Pricing, priced};
pub use record::Recording;
pub use replay::{Replay, ReplayError};
pub use scripted::{Script, ScriptedModel};
pub use tool::{Tool, ToolAnswer, ToolAsks, ToolError, budgeted, tool};
pub use view::History;
