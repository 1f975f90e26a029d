//! The graphs: a desk with a refund that a person approves, and a report that forks.

use std::time::Duration;

use handoffs::prelude::*;
use handoffs::{NodeError, Usage};
use serde::{Deserialize, Serialize};

/// What travels along.
#[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ticket {
    #[serde(default)]
    question: String,
    #[serde(default)]
    notes: Log<String>,
    refund: Option<u32>,
    answer: Option<String>,
}

impl From<&str> for Ticket {
    fn from(question: &str) -> Self {
        Self {
            question: question.to_owned(),
            ..Self::default()
        }
    }
}

/// Which desk the question is for.
#[derive(Outcome)]
pub(crate) enum Triaged {
    Billing,
    Access,
    Unclear,
}

/// What billing makes of a question.
#[derive(Outcome)]
pub(crate) enum Billed {
    /// It is paid back, so many cents.
    #[outcome(gives(refund))]
    Refund {
        cents: u32,
    },
    NotOurs,
}

/// Finds the right desk.
#[node(Ticket)]
pub(crate) async fn triage(question: &str) -> Triaged {
    if question.contains("charged") {
        Triaged::Billing
    } else if question.contains("password") {
        Triaged::Access
    } else {
        Triaged::Unclear
    }
}

/// Charges and refunds.
pub(crate) struct Billing;

#[node(Ticket)]
impl Billing {
    async fn run(
        &self,
        question: &str,
        notes: &mut Log<String>,
        refund: &mut Option<u32>,
        cx: &mut Context<'_>,
    ) -> Billed {
        tokio::time::sleep(Duration::from_millis(250)).await;
        cx.used(Usage::calls(1) + Usage::tokens(400, 20) + Usage::cost_micros(1_300));
        if !question.contains("twice") {
            notes.push("billing: charged once".to_owned());
            return Billed::NotOurs;
        }
        notes.push("billing: charged twice".to_owned());
        *refund = Some(1_250);
        Billed::Refund { cents: 1_250 }
    }
}

/// Sign-in. Its server is down when an account is locked.
#[node(Ticket)]
pub(crate) async fn access(question: &str, mut answer: Out<'_, String>) -> Result<(), NodeError> {
    tokio::time::sleep(Duration::from_millis(40)).await;
    if question.contains("locked") {
        return Err(NodeError::new("the sign-in server does not answer"));
    }
    answer.set("A new password is on its way.".to_owned());
    Ok(())
}

/// Pays money back.
pub(crate) struct Pay;

#[node(Ticket)]
impl Pay {
    async fn run(
        &self,
        refund: &u32,
        mut answer: Out<'_, String>,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        let cents = *refund;
        cx.once("transfer", || async move { Ok::<_, NodeError>(cents) })
            .await?;
        answer.set(format!("We pay {cents} cents back."));
        Ok(())
    }
}

/// What a person is asked who can help.
#[derive(Serialize)]
pub(crate) struct Help {
    customer_asks: String,
}

impl From<&Ticket> for Help {
    fn from(ticket: &Ticket) -> Self {
        Self {
            customer_asks: ticket.question.clone(),
        }
    }
}

/// What the person answers.
#[derive(Deserialize)]
pub(crate) struct Helped(String);

#[node(Ticket)]
impl Helped {
    async fn run(&self, mut answer: Out<'_, String>) {
        answer.set(self.0.clone());
    }
}

/// What is asked before money is paid.
fn may_pay(ticket: &Ticket) -> String {
    format!("pay {} cents back?", ticket.refund.unwrap_or_default())
}

/// The support desk.
#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
pub(crate) struct Desk {
    #[route(Triaged::Billing => billing, Triaged::Access => access, Triaged::Unclear => human)]
    triage: Triage,
    #[route(
        Billed::Refund { .. } => pay(approve = may_pay, else = human),
        Billed::NotOurs => triage(limit = 1, else = human),
    )]
    billing: Billing,
    #[route(_ => end)]
    access: Access,
    #[route(_ => end)]
    pay: Pay,
    #[route(_ => end)]
    human: Human<Help, Helped>,
}

pub(crate) fn desk() -> Desk {
    Desk {
        triage: Triage,
        billing: Billing,
        access: Access,
        pay: Pay,
        human: Human::new(),
    }
}

// ---- A report that two write at the same time, of whom one asks.

#[node(Ticket)]
pub(crate) async fn begin() {}

#[node(Ticket)]
pub(crate) async fn count(notes: &mut Log<String>) {
    notes.push("two tickets".to_owned());
}

pub(crate) struct Remark;

#[node(Ticket)]
impl Remark {
    async fn run(&self, notes: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        let remark: String = cx.ask("remark", "anything to add?").await?;
        notes.push(remark);
        Ok(())
    }
}

#[node(Ticket)]
pub(crate) async fn print(notes: &Log<String>, mut answer: Out<'_, String>) {
    let notes: Vec<_> = notes.iter().map(String::as_str).collect();
    answer.set(notes.join("; "));
}

/// The report of a day.
#[derive(AgentGraph)]
#[graph(state = Ticket, start = begin)]
pub(crate) struct Report {
    #[route(_ => all(count, remark) join print)]
    begin: Begin,
    #[route(_ => print)]
    count: Count,
    #[route(_ => print)]
    remark: Remark,
    #[route(_ => end)]
    print: Print,
}

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the command line only draws it")
)]
pub(crate) fn report() -> Report {
    Report {
        begin: Begin,
        count: Count,
        remark: Remark,
        print: Print,
    }
}
