//! The first graph.

use handoffs::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Account {
    name: String,
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Refund(u32);

#[derive(State, Clone, Debug, Default)]
struct Ticket {
    messages: Log<String>,
    account: Option<Account>,
    #[state(progress)]
    refund: Option<Refund>,
}

#[derive(Outcome)]
enum Triaged {
    /// Charges, invoices and refunds.
    Billing { reason: String },
    /// Sign-in and account security.
    Access,
    /// Nobody here can help.
    #[allow(dead_code)]
    Unclear,
}
#[derive(Outcome)]
enum Billed {
    #[allow(dead_code)]
    Done,
    WrongDesk,
}

#[node(Ticket)]
async fn triage(
    messages: &Log<String>,
    mut account: Out<'_, Account>,
) -> Result<Triaged, std::io::Error> {
    account.set(Account { name: "Ada".into() });
    if messages.last().is_some_and(|m| m.contains("sign")) {
        return Ok(Triaged::Access);
    }
    Ok(Triaged::Billing {
        reason: "charge".into(),
    })
}

struct Billing;
#[node(Ticket)]
impl Billing {
    async fn run(
        &self,
        account: &Account,
        _refund: &mut Option<Refund>,
        messages: &mut Log<String>,
        cx: &mut Context<'_>,
    ) -> Result<Billed, std::io::Error> {
        messages.push(format!("{} {}", account.name, cx.node()));
        Ok(Billed::WrongDesk)
    }
}
#[node(Ticket)]
async fn access() {}

#[derive(Serialize, Deserialize)]
struct Question(String);
impl From<&Ticket> for Question {
    fn from(t: &Ticket) -> Self {
        Question(t.messages.last().cloned().unwrap_or_default())
    }
}
#[derive(Serialize, Deserialize)]
struct Answer(String);
#[node(Ticket)]
impl Answer {
    fn run(&self, messages: &mut Log<String>) {
        messages.push(self.0.clone())
    }
}

fn knows_account(t: &Ticket) -> bool {
    t.account.is_some()
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct SupportDesk {
    #[route(
        Triaged::Billing { .. } => billing,
        Triaged::Access if knows_account => access,
        _ => human,
    )]
    triage: Triage,
    #[route(
        Billed::Done => end,
        Billed::WrongDesk => triage(limit = 2, else = human),
    )]
    billing: Billing,
    #[route(_ => end)]
    access: Access,
    #[route(_ => end)]
    human: Human<Question, Answer>,
}

#[test]
fn a_wrong_desk_goes_back_at_most_twice() {
    let edge = SupportDesk::after_billing(&Ticket::default(), &Billed::WrongDesk);
    assert_eq!(
        edge,
        Route::to(SupportDeskNode::Triage)
            .limit(2)
            .or_else(SupportDeskNode::Human)
    );
    println!("{}", SupportDesk::topology().dot());
    println!("{}", SupportDesk::MAX_HANDOFFS);
}

#[tokio::test]
async fn it_runs() {
    let desk = SupportDesk {
        triage: Triage,
        billing: Billing,
        access: Access,
        human: Human::new(),
    };
    let runtime = Runtime::new(desk).journal(Memory::default());
    let t = runtime.thread("a");
    let r = t
        .run(Ticket {
            messages: vec!["sign in".into()].into(),
            ..Default::default()
        })
        .await
        .unwrap();
    println!("{r:?}");
    let t = runtime.thread("b");
    let r = t
        .run(Ticket {
            messages: vec!["charged".into()].into(),
            ..Default::default()
        })
        .await
        .unwrap();
    println!("{r:?}");
}
