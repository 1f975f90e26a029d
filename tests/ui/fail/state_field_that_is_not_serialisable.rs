use handoffs::prelude::*;

#[derive(Clone)]
struct Account {
    name: String,
}

#[derive(State, Clone)]
struct Ticket {
    account: Option<Account>,
    main: Account,
    accounts: Log<Account>,
    count: u32,
}

#[node(Ticket)]
async fn triage(_count: &u32) {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Desk {
    #[route(_ => end)]
    triage: Triage,
}

fn main() {}
