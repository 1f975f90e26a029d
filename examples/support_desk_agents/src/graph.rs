//! The graph: what a conversation carries, what each agent can conclude, and where that leads.
//!
//! Read it from the bottom: [`SupportDesk`] is the whole picture.

use handoffs::agent::{Agent, Message, ModelError, schemars::JsonSchema};
use handoffs::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bank::{Bank, MOST};
use crate::models::Models;

/// What a conversation carries from desk to desk.
#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    /// The customer's id, which tools want to know.
    pub(crate) customer: String,
    /// What was said.
    #[state(messages)]
    pub(crate) messages: Log<Message>,
}

impl Ticket {
    /// Opens a ticket, or puts a further question behind what was said before.
    pub(crate) fn ask(mut self, question: &str) -> Self {
        self.messages.push(Message::user(question));
        self
    }

    /// What the customer was told last.
    pub(crate) fn answer(&self) -> &str {
        let mut texts = self.messages.iter().rev().map(Message::text);
        texts.find(|text| !text.is_empty()).unwrap_or_default()
    }
}

// What the agents can conclude. The docs are what their models read.

/// What triage can conclude.
#[derive(Outcome)]
pub(crate) enum Triaged {
    /// Charges, fees, refunds: whatever has to do with money that went out.
    Billing {
        /// What the customer wants, in one sentence.
        reason: String,
    },
    /// Sign-in, passcodes, lost phones and the security of the account.
    Access {
        /// What the customer wants, in one sentence.
        reason: String,
    },
    /// A person has to look at it: a complaint, a threat, or nothing that the desks do.
    Person {
        /// What the person should know.
        reason: String,
    },
    /// What can be answered at once.
    #[outcome(answer)]
    Answered(String),
}

/// What a desk can conclude.
#[derive(Outcome)]
pub(crate) enum Worked {
    /// The question is another desk's.
    WrongDesk {
        /// What triage should know.
        note: String,
    },
    /// A person has to decide.
    Person {
        /// What the person should know.
        reason: String,
    },
    /// The customer is helped.
    #[outcome(answer)]
    Answered(String),
}

/// What a person is asked: the conversation, as far as it matters.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Asked {
    customer: String,
    question: String,
}

impl From<&Ticket> for Asked {
    fn from(ticket: &Ticket) -> Self {
        let mut said = ticket.messages.iter().rev();
        let question = said.find_map(|message| match message {
            Message::User(text) => Some(text.clone()),
            _ => None,
        });
        Self {
            customer: ticket.customer.clone(),
            question: question.unwrap_or_default(),
        }
    }
}

/// What a person answers.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Answer {
    text: String,
}

#[node(Ticket)]
impl Answer {
    fn run(&self, messages: &mut Log<Message>) {
        messages.push(Message::note(&*self.text));
    }
}

/// What one may do at this bank.
#[derive(Scope)]
pub(crate) enum Scopes {
    /// Sees what a customer paid.
    Charges,
    /// Gives money back.
    Refund,
    /// Lets a customer in again.
    Passcode,
}

/// Triage hands over to a desk, with what that may do; a desk that is not the right one hands back, twice
/// at most.
#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage, scopes = Scopes)]
pub(crate) struct SupportDesk {
    #[route(
        Triaged::Billing { .. } => billing(grant(Charges, Refund, spend = 50_000_000)),
        Triaged::Access { .. } => access(grant(Passcode)),
        Triaged::Person { .. } => person,
        Triaged::Answered(_) => end,
    )]
    #[may(grant(Charges, Refund, Passcode))]
    #[retry(times = 3, backoff = "500ms", on = ModelError::is_transient)]
    #[on_error(retry, then = person)]
    triage: Agent<Ticket, Triaged>,

    #[route(
        Worked::WrongDesk { .. } => back(limit = 2, else = person),
        Worked::Person { .. } => person,
        Worked::Answered(_) => end,
    )]
    #[may(use(Charges, Refund))]
    #[retry(times = 3, backoff = "500ms", on = ModelError::is_transient)]
    #[on_error(retry, then = person)]
    billing: Agent<Ticket, Worked>,

    #[route(
        Worked::WrongDesk { .. } => back(limit = 2, else = person),
        Worked::Person { .. } => person,
        Worked::Answered(_) => end,
    )]
    #[may(use(Passcode))]
    #[retry(times = 3, backoff = "500ms", on = ModelError::is_transient)]
    #[on_error(retry, then = person)]
    access: Agent<Ticket, Worked>,

    #[route(_ => end)]
    person: Human<Asked, Answer>,
}

impl SupportDesk {
    /// Makes the desk of these models, over this bank.
    pub(crate) fn new(models: Models, bank: &Bank) -> Self {
        let Models {
            triage,
            billing,
            access,
        } = models;
        Self {
            triage: Agent::new(triage).instructions(
                "You are the front desk of a bank. Find out which desk can help, and hand over. \
                 Do not answer what belongs to a desk.",
            ),
            billing: Agent::new(billing)
                .instructions_from(|ticket: &Ticket| {
                    format!(
                        "You are the billing desk of a bank. The customer's id is {}. Look at the \
                         charges before you refund one; refund at most {MOST}.",
                        ticket.customer,
                    )
                })
                .tool(bank.find_charges())
                .tool(bank.refund()),
            access: Agent::new(access)
                .instructions_from(|ticket: &Ticket| {
                    format!(
                        "You are the access desk of a bank. The customer's id is {}. You can send \
                         a new passcode.",
                        ticket.customer
                    )
                })
                .tool(Bank::send_passcode()),
            person: Human::new(),
        }
    }
}
