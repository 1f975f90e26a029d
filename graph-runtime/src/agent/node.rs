//! The node that an agent is.

use std::collections::HashSet;
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
use crate::context::Context;
use crate::error::chain;
use crate::execute::Execute;
use crate::journal::Usage;
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

    /// Gives the agent a tool. Its name must be no other tool's and no handoff's, or the node fails with
    /// [`AgentError::SameName`] before the model is asked.
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
    /// How many turns of the model came before the first that counts: all behind which it gave up.
    before: u32,
    mistakes: u32,
}

impl<'a, S: Conversation, O: Outcome> Visit<'a, S, O> {
    fn new(agent: &'a Agent<S, O>, state: &S, cx: &mut Context<'_>) -> Self {
        let name = cx.node().to_owned();
        let messages: Vec<_> = state.messages().iter().collect();
        let seen = agent.history.view(&name, &messages);
        let tools = agent.tools.iter().map(|tool| tool.spec().name);
        let mut offers = |or_else| -> Vec<_> {
            let handoffs = handoffs::<O>().into_iter();
            let offers = handoffs.map(|(variant, spec)| Offer {
                is_open: cx.offers(O::VARIANTS[variant].name, state, S::MESSAGES, or_else),
                variant,
                spec,
            });
            offers.collect()
        };
        let mut open = offers(false);
        if !can_answer::<O>() && !open.iter().any(|offer| offer.is_open) {
            // Where nothing else is left, what is masked leads where its edge says then.
            open = offers(true);
        }
        Self {
            agent,
            instructions: (agent.instructions)(state),
            seen,
            tools: tools.collect(),
            offers: open,
            turns: Vec::new(),
            before: 0,
            mistakes: 0,
            name,
        }
    }

    /// Checks that the model can tell apart what it is offered.
    fn check(&self) -> Result<(), AgentError> {
        let handoffs = self.offers.iter().map(|offer| &offer.spec.name);
        let mut names: Vec<_> = self.tools.iter().chain(handoffs).collect();
        names.sort();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(same) => Err(AgentError::SameName(same[0].clone())),
            None => Ok(()),
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
        let mut newest = state.messages().iter().filter_map(|message| match message {
            Message::User(text) => Some(text),
            _ => None,
        });
        let Some(newest) = newest.next_back() else {
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
        self.check().map_err(NodeError::new)?;
        let mut turn = 0;
        loop {
            turn += 1;
            if turn - self.before > self.agent.max_turns {
                let error = AgentError::MaxTurns(self.agent.max_turns);
                self.give_up(turn, "turns", error, cx).await?;
            }
            let is_last = turn - self.before == self.agent.max_turns;
            let request = self.request(is_last);
            let mut reply = self.ask(turn, &request, cx).await?;
            distinguish(&mut reply.calls, &self.seen);
            if reply.calls.is_empty() && !reply.text.trim().is_empty() {
                match self.agent.output.check(state, &reply.text).await {
                    Checked::Text(None) => {}
                    Checked::Text(Some(rewritten)) => reply.text = rewritten,
                    Checked::HandOver(outcome) => return Ok(outcome),
                    Checked::Block(why) => {
                        let what = "output";
                        let error = AgentError::Blocked { what, why };
                        self.give_up(turn, "check", error, cx).await?;
                        continue;
                    }
                }
            }
            let tools = if is_last { &[][..] } else { &self.tools };
            let Sorted { todo, outcome } = sort::<O>(&reply, tools, &self.offers);
            let mut calls = Vec::new();
            for (place, (call, todo)) in reply.calls.iter().zip(todo).enumerate() {
                let given = match todo {
                    Todo::Tool(tool) => self.call((turn, place), tool, call, cx).await?,
                    Todo::Handoff => Given::Handoff(receiver(&call.tool)),
                    Todo::Pass => Given::Passed,
                    Todo::Mistake(mistake) => {
                        self.mistake((turn, place), &mistake, cx).await?;
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
                        self.mistake((turn, 0), &mistake, cx).await?;
                        self.seen.push(Said::User(mistake));
                    }
                }
            }
        }
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
            choice: if can_answer::<O>() {
                Choice::Auto
            } else {
                Choice::Required
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
        (turn, place): (u32, usize),
        tool: usize,
        call: &ToolCall,
        cx: &mut Context<'_>,
    ) -> Result<Given, NodeError> {
        let tool = &self.agent.tools[tool];
        // What the model reads of an error is a result like any other.
        let effect = async || {
            Ok::<_, Infallible>(match tool.call(&call.arguments).await {
                Ok(result) => Given::Result(result),
                Err(error) => Given::Error(chain(&error)),
            })
        };
        let key = format!("turn {turn}, call {}", place + 1);
        if tool.may_repeat() {
            cx.once_checked(&key, effect, never_mind).await
        } else {
            cx.once(&key, effect).await
        }
    }

    /// Counts a mistake, and gives up if it is one too many.
    async fn mistake(
        &mut self,
        (turn, place): (u32, usize),
        mistake: &str,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        self.mistakes += 1;
        if self.mistakes <= self.agent.max_mistakes {
            return Ok(());
        }
        let error = AgentError::Mistakes {
            count: self.mistakes,
            last: mistake.to_owned(),
        };
        let at = format!("call {}", place + 1);
        self.give_up(turn, &at, error, cx).await
    }

    /// Fails, and keeps that it did. The next attempt, which is told the turns up to here again, goes on
    /// from here as if none had counted: else no retry could ever come further.
    async fn give_up(
        &mut self,
        turn: u32,
        at: &str,
        error: AgentError,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        let key = format!("turn {turn}, given up: {at}");
        if !cx.has_done(&key) {
            cx.once(&key, async || Ok::<_, Infallible>(())).await?;
            return Err(NodeError::new(error));
        }
        // The turn that was too many has not been made yet.
        let is_made = !matches!(error, AgentError::MaxTurns(_));
        self.before = turn - u32::from(!is_made);
        self.mistakes = 0;
        Ok(())
    }
}

/// Returns by which name the model knows to whom a handoff leads.
fn receiver(tool: &str) -> String {
    tool.strip_prefix("transfer_to_").unwrap_or(tool).to_owned()
}

/// Says of what may be done twice that it was not done.
async fn never_mind<T>() -> Result<Option<T>, Infallible> {
    Ok(None)
}

/// Gives each call an id of its own: some models give none, or the same one again.
fn distinguish(calls: &mut [ToolCall], seen: &[Said]) {
    let before = seen.iter().filter_map(|said| match said {
        Said::Assistant { calls, .. } => Some(calls),
        _ => None,
    });
    let mut taken: HashSet<_> = before.flatten().map(|call| call.id.clone()).collect();
    for call in calls {
        let mut number = taken.len();
        while call.id.is_empty() || taken.contains(&call.id) {
            number += 1;
            call.id = format!("call_{number}");
        }
        taken.insert(call.id.clone());
    }
}

fn can_answer<O: Outcome>() -> bool {
    O::VARIANTS.iter().any(|variant| variant.answer)
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
