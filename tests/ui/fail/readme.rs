use handoffs::prelude::*;

#[derive(State, Clone, Debug, Default)]
struct Ticket { question: String, answer: Option<String> }

#[derive(Outcome)]
enum Triaged { Billing, Unclear }

#[node(Ticket)]
async fn triage(question: &str) -> Triaged {
    if question.contains("charged") { Triaged::Billing } else { Triaged::Unclear }
}

#[node(Ticket)]
async fn billing(mut answer: Out<'_, String>) { answer.set("We pay it back.".to_owned()) }

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Desk {
    #[route(Triaged::Billing => biling, _ => end)]
    triage: Triage,
    #[route(_ => triage)]
    billing: Billing,
}

#[tokio::main]
async fn main() -> Result<(), RunError> {
    // With `.journal(Sqlite::open("desk.db").await?)` behind it, a run survives kill -9.
    let desk = Runtime::new(Desk { triage: Triage, billing: Billing });
    let ticket = Ticket { question: "I was charged twice".to_owned(), answer: None };
    let ticket = desk.thread("customer-42").run(ticket).await?.finished();
    assert_eq!(ticket.and_then(|ticket| ticket.answer).as_deref(), Some("We pay it back."));
    Ok(())
}
