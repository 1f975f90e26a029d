use handoffs::Execute;
use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    account: Option<String>,
}

#[node(Ticket)]
async fn greet() {}

#[node(Ticket)]
async fn billing(account: &str) {
    let _ = account;
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = first)]
struct Two<A: Execute<Ticket, Outcome = ()>, B: Execute<Ticket, Outcome = ()>> {
    #[route(_ => second)]
    first: A,
    #[route(_ => end)]
    second: B,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = fine)]
struct Desk {
    #[route(_ => loses)]
    fine: Two<Greet, Greet>,
    #[route(_ => end)]
    loses: Two<Greet, Billing>,
}

fn main() {}
