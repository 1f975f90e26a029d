use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    account: Option<String>,
    refund: Option<u32>,
}

#[derive(Outcome)]
enum Triaged {
    #[outcome(gives(account))]
    Known,
    Unknown,
}

#[node(Ticket)]
async fn triage() -> Triaged {
    Triaged::Unknown
}

#[node(Ticket)]
async fn look_up(mut account: Out<'_, String>) {
    account.set("Ada".to_owned());
}

#[node(Ticket)]
async fn forget(account: &mut Option<String>) {
    *account = None;
}

#[node(Ticket)]
async fn billing(_account: &String) {}

#[node(Ticket)]
async fn pay(_account: &mut String, _refund: &u32) {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct OnOnePath {
    #[route(Triaged::Known => look_up, _ => greet)]
    triage: Triage,
    #[route(_ => billing)]
    look_up: LookUp,
    #[route(_ => billing)]
    greet: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = look_up)]
struct UnsetOnTheWay {
    #[route(_ => forget)]
    look_up: LookUp,
    #[route(_ => billing)]
    forget: Forget,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct GivenByOneVariantOnly {
    #[route(Triaged::Known => billing, Triaged::Unknown => pay)]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
    #[route(_ => end)]
    pay: Pay,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = billing)]
struct NotBroughtByTheCaller {
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = pay, given(account))]
struct TwoFieldsOneGiven {
    #[route(_ => end)]
    pay: Pay,
}

fn main() {}
