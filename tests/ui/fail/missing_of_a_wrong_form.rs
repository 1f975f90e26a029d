use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    account: Option<String>,
    refund: u32,
}

#[derive(Outcome)]
enum Looked {
    #[outcome(gives(account))]
    Found,
    Nobody,
}

#[node(Ticket)]
async fn triage() {}

#[node(Ticket)]
async fn look_up() -> Looked {
    Looked::Nobody
}

#[node(Ticket)]
async fn pay(_account: &String, _refund: &u32) {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct UnknownNames {
    #[route(_ => pay(missing = clrek))]
    triage: Triage,
    #[route(_ => end)]
    pay: Pay,
    #[route(_ => end)]
    clerk: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct NoNames {
    #[route(_ => pay(missing))]
    triage: Triage,
    #[route(_ => last(missing = 3, limit = 1, else = end))]
    pay: Triage,
    #[route(_ => more(missing = end, missing = end))]
    last: Triage,
    #[route(_ => end)]
    more: Pay,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct NoHandoffs {
    #[route(_ => all(left, right) join pay(missing = end))]
    #[on_error(then = pay(missing = last))]
    triage: Triage,
    #[route(_ => pay)]
    left: Triage,
    #[route(_ => pay)]
    right: Triage,
    #[route(_ => last)]
    pay: Pay,
    #[route(_ => end(missing = last))]
    #[on_error(then = back(limit = 1, missing = end, else = end))]
    last: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = look_up)]
struct NeverMissing {
    // It needs no field that is an `Option`.
    #[route(
        Looked::Nobody => triage(missing = end),
        // By this outcome it is given.
        Looked::Found => pay(missing = triage),
    )]
    look_up: LookUp,
    #[route(_ => pay(missing = end))]
    triage: Triage,
    // Who paid had an account.
    #[route(_ => again(missing = end))]
    pay: Pay,
    #[route(_ => end)]
    again: Pay,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Rounds {
    #[route(_ => pay(limit = 2, missing = clerk, else = end))]
    triage: Triage,
    #[route(_ => end)]
    pay: Pay,
    #[route(_ => triage)]
    clerk: Triage,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = clerk)]
struct RoundByTheOther {
    #[route(_ => triage)]
    clerk: Triage,
    #[route(_ => pay(missing = clerk))]
    triage: Triage,
    #[route(_ => end)]
    pay: Pay,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct LostBehindTheOther {
    #[route(_ => pay(missing = clerk))]
    triage: Triage,
    #[route(_ => end)]
    pay: Pay,
    #[route(_ => again)]
    clerk: Triage,
    #[route(_ => end)]
    again: Pay,
}

fn main() {}
