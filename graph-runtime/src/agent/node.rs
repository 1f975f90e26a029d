//! The node that an agent is.

use std::fmt;
use std::sync::Arc;

use handoffs_core::__private::Change;
use handoffs_core::{Contract, FieldSet, Log, Node, Outcome};

use super::guard::{Guardrail, Guards};
use super::message::{Conversation, Message};
use super::model::Model;
use super::offers::HandoffStyle;
use super::over::Peer;
use super::tool::Tool;
use super::view::History;
use super::visit::Visit;
use crate::budget::Budget;
use crate::context::Context;
use crate::execute::Execute;
use crate::node_error::NodeError;

/// A node in which a model decides.
///
/// What it can conclude is what its model can do: each variant of the outcome `O` is a handoff, offered
/// to the model as a tool with the variant's docs and fields. So a model cannot hand over to what does
/// not exist, and an edge that is masked is not offered.
///
/// It reads the conversation that the state holds, and adds its turns to it when it has concluded.
///
/// ```
/// use handoffs_core::Outcome;
/// use handoffs_runtime::agent::{Agent, Conversation, History, ScriptedModel, Tool};
///
/// fn triage<S: Conversation, O: Outcome>(model: ScriptedModel, search: impl Tool) -> Agent<S, O> {
///     Agent::new(model)
///         .instructions("Find out which desk can help.")
///         .tool(search)
///         .history(History::last(20))
///         .max_turns(6)
/// }
/// ```
pub struct Agent<S, O> {
    pub(super) model: Arc<dyn Model>,
    pub(super) instructions: Arc<dyn Fn(&S) -> String + Send + Sync>,
    pub(super) tools: Vec<Arc<dyn Tool>>,
    pub(super) history: History,
    pub(super) style: Option<HandoffStyle>,
    pub(super) max_turns: u32,
    pub(super) max_mistakes: u32,
    pub(super) budget: Budget,
    /// To whom it may hand over, if that is known only when the program runs.
    pub(super) peers: Option<Arc<[Peer]>>,
    pub(super) input: Guards<S, O>,
    pub(super) output: Guards<S, O>,
}

/// Why an agent came to no conclusion.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// It took more turns than it may.
    #[error("the agent came to no conclusion within {0} turns")]
    MaxTurns(u32),
    /// A check let a text not pass.
    #[error("a check of the {what} blocked: {why}")]
    #[non_exhaustive]
    Blocked {
        /// Which text: the `input` or the `output`.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// Its model made more mistakes than it may; the last one is told.
    #[error("the model made {count} mistakes; the last one: {last}")]
    #[non_exhaustive]
    Mistakes {
        /// How many.
        count: u32,
        /// The last one, as the model was told of it.
        last: String,
    },
    /// Two of its tools have one name, or one is named like a handoff: a model could not tell them apart.
    #[error("the agent has two tools named `{0}`, handoffs among them")]
    SameName(String),
}

impl<S: Sync + 'static, O: 'static> Agent<S, O> {
    /// Makes an agent of a model.
    pub fn new(model: impl Model) -> Self {
        Self {
            model: Arc::new(model),
            instructions: Arc::new(|_| String::new()),
            tools: Vec::new(),
            history: History::default(),
            style: None,
            max_turns: 10,
            max_mistakes: 3,
            budget: Budget::new(),
            peers: None,
            input: Guards::default(),
            output: Guards::default(),
        }
    }

    /// Says what the agent is, and what it is to do.
    pub fn instructions(self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.instructions_from(move |_| text.clone())
    }

    /// Says what the agent is, and what it is to do, by the state.
    pub fn instructions_from(
        mut self,
        text: impl Fn(&S) -> String + Send + Sync + 'static,
    ) -> Self {
        self.instructions = Arc::new(text);
        self
    }

    /// Gives the agent a tool. Its name must be no other tool's and no handoff's, or the node fails with
    /// [`AgentError::SameName`] before the model is asked.
    pub fn tool(mut self, tool: impl Tool) -> Self {
        self.tools.push(Arc::new(tool));
        self
    }

    /// Gives the agent several tools, such as all those of a server, as [`tool`](Self::tool) gives it one.
    pub fn tools<T: Tool>(mut self, tools: impl IntoIterator<Item = T>) -> Self {
        let tools = tools.into_iter();
        self.tools.extend(tools.map(|tool| Arc::new(tool) as _));
        self
    }

    /// Says how much of the conversation the model sees; all of it by default.
    pub fn history(mut self, history: History) -> Self {
        self.history = history;
        self
    }

    /// Says how the handoffs are shown to the model; by default as [it](Model::handoff_style) says.
    pub fn handoff_style(mut self, style: HandoffStyle) -> Self {
        self.style = Some(style);
        self
    }

    /// Checks the newest message of the user before the model is asked.
    pub fn input(mut self, guard: impl Guardrail<S, O> + 'static) -> Self {
        self.input.add(guard);
        self
    }

    /// Checks a final text before it is the agent's answer.
    pub fn output(mut self, guard: impl Guardrail<S, O> + 'static) -> Self {
        self.output.add(guard);
        self
    }

    /// Says how many turns the model may take in one visit; 10 by default. In the last one it is offered
    /// handoffs alone.
    pub fn max_turns(mut self, turns: u32) -> Self {
        self.max_turns = turns.max(1);
        self
    }

    /// Says how many mistakes the model may make in one visit: calls of what does not exist or is not
    /// possible, arguments that do not fit; 3 by default. One more, and the node fails.
    pub fn max_mistakes(mut self, mistakes: u32) -> Self {
        self.max_mistakes = mistakes;
        self
    }

    /// Says what the agent may use up in a run, in all its visits.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }
}

impl<S: Conversation, O: Outcome> Node<S> for Agent<S, O> {
    type Outcome = O;
    const CONTRACT: Contract = Contract {
        reads: FieldSet::first_of(S::FIELDS.len()),
        writes: FieldSet::EMPTY.with(S::MESSAGES),
        ..Contract::EMPTY
    };
}

impl<S: Conversation, O: Outcome> Execute<S> for Agent<S, O> {
    const REPORTS: bool = true;
    const IS_AGENT: bool = true;

    async fn execute(&self, state: &mut S, cx: &mut Context<'_>) -> Result<O, NodeError> {
        let note = came_for(cx);
        let (outcome, turns) = Visit::new(self, note.as_deref(), state, cx)
            .make(state, cx)
            .await?;
        let messages: &mut Log<Message> = state.messages_mut();
        messages.extend(note.map(Message::Note));
        messages.extend(turns.into_iter().map(Message::Agent));
        cx.__changed(FieldSet::EMPTY.with(S::MESSAGES), Change::Appended);
        cx.__concluded(&outcome);
        Ok(outcome)
    }
}

/// Says for what the run came to the agent, if it was for something that another node could not do.
fn came_for(cx: &Context<'_>) -> Option<String> {
    if let Some(failure) = cx.failure() {
        let note = format!("{} could not do its part: {}.", failure.node, failure.error);
        return Some(match &failure.unknown {
            Some(effect) => format!("{note} Nobody knows whether `{effect}` was done."),
            None => note,
        });
    }
    let refusal = cx.refusal()?;
    Some(format!("The handoff was refused: {refusal}."))
}

impl<S, O> Clone for Agent<S, O> {
    fn clone(&self) -> Self {
        Self {
            model: Arc::clone(&self.model),
            instructions: Arc::clone(&self.instructions),
            tools: self.tools.clone(),
            history: self.history.clone(),
            style: self.style,
            max_turns: self.max_turns,
            max_mistakes: self.max_mistakes,
            budget: self.budget,
            peers: self.peers.clone(),
            input: self.input.clone(),
            output: self.output.clone(),
        }
    }
}

impl<S, O> fmt::Debug for Agent<S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("model", &self.model)
            .field("tools", &self.tools)
            .finish_non_exhaustive()
    }
}
