//! What is asked before a tool runs.

use async_trait::async_trait;
use handoffs_core::Grant;
use serde::Serialize;

use crate::authority::Needs;
use crate::journal::ThreadId;

/// Decides before each call of a tool whether it may be made.
///
/// An agent asks it with [`Agent::policy`](super::Agent::policy), after it has seen that the node holds what
/// the tool [needs](super::Tool::needs). A call that was begun is not checked again, however often its step
/// is repeated.
///
/// ```
/// use handoffs_runtime::agent::{Decision, ToolPolicy, ToolRequest};
///
/// /// Lets a person see what costs more than a hundred.
/// struct FourEyes;
///
/// #[handoffs_runtime::async_trait]
/// impl ToolPolicy for FourEyes {
///     async fn check(&self, request: &ToolRequest<'_>) -> Decision {
///         match request.needs {
///             Some(needs) if needs.cost_micros > 100_000_000 => {
///                 Decision::needs_approval("it may cost more than a hundred")
///             }
///             _ => Decision::Allow,
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait ToolPolicy: Send + Sync + 'static {
    /// Decides about a call.
    async fn check(&self, request: &ToolRequest<'_>) -> Decision;
}

/// A call of a tool that is to be made.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ToolRequest<'a> {
    /// The thread.
    pub thread: &'a ThreadId,
    /// The node: the agent that calls.
    pub node: &'a str,
    /// The tool's name.
    pub tool: &'a str,
    /// The arguments as the model wrote them, which need not be right.
    pub arguments: &'a str,
    /// What the tool says that it needs.
    pub needs: Option<&'a Needs>,
    /// What the agent holds, with what is left of it, if there is authority.
    pub held: Option<&'a Grant>,
}

/// Whether a tool may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// It may.
    Allow,
    /// It may not, by this rule: the model is told, and the journal keeps it.
    #[non_exhaustive]
    Deny {
        /// The rule.
        rule: String,
    },
    /// A person decides: the run pauses with a [`ToolQuestion`], to be resumed with an
    /// [`Approval`](crate::Approval).
    #[non_exhaustive]
    NeedsApproval {
        /// Why.
        why: String,
    },
}

impl Decision {
    /// Denies a call by a rule.
    pub fn deny(rule: impl Into<String>) -> Self {
        Self::Deny { rule: rule.into() }
    }

    /// Lets a person decide.
    pub fn needs_approval(why: impl Into<String>) -> Self {
        Self::NeedsApproval { why: why.into() }
    }
}

/// What a person is asked before a tool is called.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ToolQuestion {
    /// The tool's name.
    pub tool: String,
    /// The arguments as the model wrote them.
    pub arguments: String,
    /// Why a person is asked.
    pub why: String,
}

impl ToolQuestion {
    pub(super) fn new(tool: &str, arguments: &str, why: String) -> Self {
        Self {
            tool: tool.to_owned(),
            arguments: arguments.to_owned(),
            why,
        }
    }
}
