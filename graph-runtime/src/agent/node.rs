//! The node that an agent is.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use handoffs_core::__private::Change;
use handoffs_core::{Contract, FieldSet, Log, Node, Outcome};

use super::guard::{Checked, Guardrail, Guards};
use super::message::{Call, Conversation, Given, Message, Turn};
use super::model::{Choice, Model, Reply, Request, Said, ToolCall};
use super::offer::{answer, answer_schema, handoffs};
use super::tool::Tool;
use super::turn::{Offer, Sorted, Todo, sort};
use super::view::{History, own};
use crate::context::{Context, NodeError};
use crate::error::chain;
use crate::execute::Execute;
use crate::journal::Usage;

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
    model: Arc<dyn Model>,
    instructions: Arc<dyn Fn(&S) -> String + Send + Sync>,
    tools: Vec<Arc<dyn Tool>>,
    history: History,
    max_turns: u32,
    max_mistakes: u32,
    input: Guards<S, O>,
    output: Guards<S, O>,
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
}

impl<S: Sync + 'static, O: 'static> Agent<S, O> {
    /// Makes an agent of a model.
    pub fn new(model: impl Model) -> Self {
        Self {
            model: Arc::new(model),
            instructions: Arc::new(|_| String::new()),
            tools: Vec::new(),
            history: History::default(),
            max_turns: 10,
            max_mistakes: 3,
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

    /// Gives the agent a tool.
    pub fn tool(mut self, tool: impl Tool) -> Self {
        self.tools.push(Arc::new(tool));
        self
    }

    /// Says how much of the conversation the model sees; all of it by default.
    pub fn history(mut self, history: History) -> Self {
        self.history = history;
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

    async fn execute(&self, state: &mut S, cx: &mut Context<'_>) -> Result<O, NodeError> {
        let mut visit = Visit::new(self, state, cx);
        let outcome = match visit.enter(state).await? {
            Some(outcome) => outcome,
            None => visit.conclude(state, cx).await?,
        };
        let turns = visit.turns;
        let messages: &mut Log<Message> = state.messages_mut();
        messages.extend(turns.into_iter().map(Message::Agent));
        cx.__changed(FieldSet::EMPTY.with(S::MESSAGES), Change::Appended);
        cx.__concluded(&outcome);
        Ok(outcome)
    }
}

/// One visit of an agent: the turns that it takes until it concludes.
struct Visit<'a, S, O> {
    agent: &'a Agent<S, O>,
    name: String,
    instructions: String,
    seen: Vec<Said>,
    tools: Vec<String>,
    offers: Vec<Offer>,
    turns: Vec<Turn>,
    mistakes: u32,
}

impl<'a, S: Conversation, O: Outcome> Visit<'a, S, O> {
    fn new(agent: &'a Agent<S, O>, state: &S, cx: &mut Context<'_>) -> Self {
        let name = cx.node().to_owned();
        let messages: Vec<_> = state.messages().iter().collect();
        let seen = agent.history.view(&name, &messages);
        let tools = agent.tools.iter().map(|tool| tool.spec().name);
        let offers = handoffs::<O>().into_iter().map(|(variant, spec)| Offer {
            is_open: cx.offers(O::VARIANTS[variant].name, state, S::MESSAGES),
            variant,
            spec,
        });
        Self {
            agent,
            instructions: (agent.instructions)(state),
            seen,
            tools: tools.collect(),
            offers: offers.collect(),
            turns: Vec::new(),
            mistakes: 0,
            name,
        }
    }

    /// Checks what the user wants, and returns the outcome if that is one already.
    async fn enter(&mut self, state: &S) -> Result<Option<O>, NodeError> {
        let said = self.seen.iter_mut().rev();
        let mut texts = said.filter_map(|said| match said {
            Said::User(text) => Some(text),
            _ => None,
        });
        // The newest message as the model sees it; a package that came with a handoff stands behind it.
        let newest = state.messages().iter().filter_map(|message| match message {
            Message::User(text) => Some(text),
            _ => None,
        });
        let Some(newest) = newest.last() else {
            return Ok(None);
        };
        match self.agent.input.check(state, newest).await {
            Checked::Text(None) => Ok(None),
            Checked::Text(Some(rewritten)) => {
                if let Some(shown) = texts.find(|text| *text == newest) {
                    *shown = rewritten;
                }
                Ok(None)
            }
            Checked::HandOver(outcome) => Ok(Some(outcome)),
            Checked::Block(why) => Err(blocked("input", why)),
        }
    }

    async fn conclude(&mut self, state: &S, cx: &mut Context<'_>) -> Result<O, NodeError> {
        for turn in 1..=self.agent.max_turns {
            let request = self.request(turn == self.agent.max_turns);
            let mut reply = self.ask(turn, &request, cx).await?;
            if reply.calls.is_empty() {
                match self.agent.output.check(state, &reply.text).await {
                    Checked::Text(None) => {}
                    Checked::Text(Some(rewritten)) => reply.text = rewritten,
                    Checked::HandOver(outcome) => return Ok(outcome),
                    Checked::Block(why) => return Err(blocked("output", why)),
                }
            }
            let Sorted { todo, outcome } = sort::<O>(&reply, &self.tools, &self.offers);
            let mut calls = Vec::new();
            for (call, todo) in reply.calls.iter().zip(todo) {
                let given = match todo {
                    Todo::Tool(place) => self.call(turn, place, call, cx).await?,
                    Todo::Handoff => Given::Handoff(self.receiver(&call.tool)),
                    Todo::Pass => Given::Passed,
                    Todo::Mistake(mistake) => {
                        self.mistake(&mistake)?;
                        Given::Error(mistake)
                    }
                };
                calls.push(Call::new(&*call.id, &*call.tool, &*call.arguments, given));
            }
            let has_called = !calls.is_empty();
            let said = Turn::new(self.name.clone(), &*reply.text, calls);
            own(&said, &mut self.seen);
            self.turns.push(said);
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
            if !has_called {
                match answer::<O>(&reply.text) {
                    Ok(outcome) => return Ok(outcome),
                    Err(mistake) => {
                        self.mistake(&mistake)?;
                        self.seen.push(Said::User(mistake));
                    }
                }
            }
        }
        Err(NodeError::new(AgentError::MaxTurns(self.agent.max_turns)))
    }

    fn request(&self, is_last: bool) -> Request {
        let open = self.offers.iter().filter(|offer| offer.is_open);
        let handoffs = open.map(|offer| offer.spec.clone());
        let tools = self.agent.tools.iter().filter(|_| !is_last);
        let mut messages = self.seen.clone();
        if is_last && self.agent.max_turns > 1 {
            messages.push(Said::User(
                "This is your last turn: conclude now.".to_owned(),
            ));
        }
        let answer = answer_schema::<O>();
        Request {
            instructions: self.instructions.clone(),
            messages,
            tools: tools.map(|tool| tool.spec()).chain(handoffs).collect(),
            choice: match O::VARIANTS.iter().any(|variant| variant.answer) {
                true => Choice::Auto,
                false => Choice::Required,
            },
            answer,
        }
    }

    /// Asks the model. Its reply is kept, so that a visit that is taken up again goes on behind it; but
    /// nothing is lost if it is asked twice.
    async fn ask(
        &self,
        turn: u32,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<Reply, NodeError> {
        let mut is_new = false;
        let ask = async || {
            is_new = true;
            self.agent.model.turn(request, &|_| {}).await
        };
        let key = format!("turn {turn}");
        let reply: Reply = cx.once_checked(&key, ask, never_mind).await?;
        if let (true, Some(usage)) = (is_new, reply.usage) {
            cx.used(usage + Usage::calls(1));
        } else if is_new {
            cx.used(Usage::calls(1));
        }
        Ok(reply)
    }

    /// Calls a tool, once, unless it may be repeated.
    async fn call(
        &self,
        turn: u32,
        place: usize,
        call: &ToolCall,
        cx: &mut Context<'_>,
    ) -> Result<Given, NodeError> {
        let tool = &self.agent.tools[place];
        // What the model reads of an error is a result like any other.
        let effect = async || {
            Ok::<_, Infallible>(match tool.call(&call.arguments).await {
                Ok(result) => Given::Result(result),
                Err(error) => Given::Error(chain(&error)),
            })
        };
        let key = format!("turn {turn}, {}", call.id);
        if tool.may_repeat() {
            cx.once_checked(&key, effect, never_mind).await
        } else {
            cx.once(&key, effect).await
        }
    }

    fn mistake(&mut self, mistake: &str) -> Result<(), NodeError> {
        self.mistakes += 1;
        if self.mistakes > self.agent.max_mistakes {
            return Err(NodeError::new(AgentError::Mistakes {
                count: self.mistakes,
                last: mistake.to_owned(),
            }));
        }
        Ok(())
    }

    fn receiver(&self, tool: &str) -> String {
        tool.strip_prefix("transfer_to_").unwrap_or(tool).to_owned()
    }
}

/// Says of what may be done twice that it was not done.
async fn never_mind<T>() -> Result<Option<T>, Infallible> {
    Ok(None)
}

fn blocked(what: &'static str, why: String) -> NodeError {
    NodeError::new(AgentError::Blocked { what, why })
}

impl<S, O> Clone for Agent<S, O> {
    fn clone(&self) -> Self {
        Self {
            model: Arc::clone(&self.model),
            instructions: Arc::clone(&self.instructions),
            tools: self.tools.clone(),
            history: self.history.clone(),
            max_turns: self.max_turns,
            max_mistakes: self.max_mistakes,
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
