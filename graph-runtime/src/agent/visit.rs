//! One visit of an agent: the turns that it takes until it concludes.

mod ask;
mod call;

use std::collections::HashSet;
use std::convert::Infallible;

use handoffs_core::Outcome;

use super::event::{AgentEvent, Teller};
use super::guard::Checked;
use super::message::{Call, Conversation, Given, Message, Turn};
use super::model::{Choice, Request, Said, ToolCall};
use super::node::{Agent, AgentError};
use super::offer::{answer, answer_schema, handoffs};
use super::offers::{Offer, Offers, receiver};
use super::over::Over;
use super::turn::{Sorted, Todo, sort};
use super::view::own;
use crate::budget::{BudgetOf, Held};
use crate::context::Context;
use crate::node_error::NodeError;
use crate::telemetry::{offered, passed};

/// One visit of an agent: the turns that it takes until it concludes.
pub(super) struct Visit<'a, S, O> {
    agent: &'a Agent<S, O>,
    name: String,
    instructions: String,
    seen: Vec<Said>,
    tools: Vec<String>,
    offers: Offers,
    turns: Vec<Turn>,
    /// How many turns of the model came before the first that counts: all behind which it gave up.
    before: u32,
    mistakes: u32,
}

impl<'a, S: Conversation, O: Outcome> Visit<'a, S, O> {
    /// Begins a visit, with word of what the run came here for, if anything went wrong.
    pub(super) fn new(
        agent: &'a Agent<S, O>,
        note: Option<&str>,
        state: &S,
        cx: &mut Context<'_>,
    ) -> Self {
        let name = cx.node().to_owned();
        let messages: Vec<_> = state.messages().iter().collect();
        let mut seen = agent.history.view(&name, &messages);
        seen.extend(note.map(|note| Said::User(note.to_owned())));
        let tools = agent.tools.iter().map(|tool| tool.spec().name);
        let mut offers = |or_else| -> Vec<_> {
            let mut is_open = |name| cx.offers(name, state, S::MESSAGES, or_else);
            if let Some(peers) = &agent.peers {
                let offers = peers.iter().map(|peer| Offer {
                    is_open: is_open(&peer.name),
                    variant: Over::TO,
                    spec: peer.spec(),
                    fixed: Some(peer.arguments()),
                });
                return offers.collect();
            }
            let handoffs = handoffs::<O>().into_iter();
            let offers = handoffs.map(|(variant, spec)| Offer {
                is_open: is_open(O::VARIANTS[variant].name),
                variant,
                spec,
                fixed: None,
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
            offers: Offers {
                style: agent.style.unwrap_or_else(|| agent.model.handoff_style()),
                all: open,
            },
            turns: Vec::new(),
            before: 0,
            mistakes: 0,
            name,
        }
    }

    /// Makes the visit, and returns what it came to, and its turns.
    pub(super) async fn make(
        mut self,
        state: &S,
        cx: &mut Context<'_>,
    ) -> Result<(O, Vec<Turn>), NodeError> {
        let outcome = match self.enter(state).await? {
            Some(outcome) => outcome,
            None => self.conclude(state, cx).await?,
        };
        Ok((outcome, self.turns))
    }

    /// Returns the budgets of the agent's own.
    fn budgets(&self, cx: &Context<'_>) -> Held {
        let own = self.agent.budget.of(BudgetOf::Node(cx.counted_as()));
        own.into_iter().collect()
    }

    /// Checks that the model can tell apart what it is offered.
    fn check(&self) -> Result<(), AgentError> {
        let tools = self.tools.iter().map(String::as_str);
        let mut names: Vec<_> = tools.chain(self.offers.names()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(same) => Err(AgentError::SameName(same[0].to_owned())),
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
        let open = self.offers.open().map(|offer| &*offer.spec.name);
        offered(&cx.span, &*self.agent.model, &self.tools, open);
        let mut turn = 0;
        loop {
            turn += 1;
            if turn - self.before > self.agent.max_turns {
                let error = AgentError::MaxTurns(self.agent.max_turns);
                self.give_up(turn, "turns", error, cx).await?;
            }
            let is_last = turn - self.before == self.agent.max_turns;
            let request = self.request(is_last);
            let (mut reply, is_new) = self.ask(turn, &request, cx).await?;
            // What was told of a reply that was kept is not told again.
            let teller = if is_new {
                cx.teller.clone()
            } else {
                Teller::default()
            };
            distinguish(&mut reply.calls, &self.seen);
            for call in &mut reply.calls {
                self.offers.heard(call);
            }
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
                    Todo::Handoff => Given::Handoff(receiver(&call.tool).to_owned()),
                    Todo::Pass => {
                        passed(&self.name, &call.tool);
                        teller.tell(|| AgentEvent::Passed(call.clone()));
                        Given::Passed
                    }
                    Todo::Mistake(mistake) => {
                        teller.tell(|| AgentEvent::Mistake {
                            call: Some(call.clone()),
                            told: mistake.clone(),
                        });
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
                        teller.tell(|| AgentEvent::Mistake {
                            call: None,
                            told: mistake.clone(),
                        });
                        self.mistake((turn, 0), &mistake, cx).await?;
                        self.seen.push(Said::User(mistake));
                    }
                }
            }
        }
    }

    fn request(&self, is_last: bool) -> Request {
        let tools = self.agent.tools.iter().filter(|_| !is_last);
        let mut messages = self.seen.clone();
        self.offers.shown(&mut messages);
        if is_last && self.agent.max_turns > 1 {
            messages.push(Said::User(
                "This is your last turn: conclude now.".to_owned(),
            ));
        }
        let answer = answer_schema::<O>();
        Request {
            instructions: self.instructions.clone(),
            messages,
            tools: tools
                .map(|tool| tool.spec())
                .chain(self.offers.specs())
                .collect(),
            choice: if can_answer::<O>() {
                Choice::Auto
            } else {
                Choice::Required
            },
            answer,
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
