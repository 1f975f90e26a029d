use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

#[derive(Outcome)]
enum Triaged {
    Billing,
    Access,
}

#[node(Ticket)]
async fn triage() -> Triaged {
    Triaged::Access
}

#[node(Ticket)]
async fn billing(_messages: Log<String>) {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Desk {
    #[route(Triaged::Billing => biling, _ => end)]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
    #[route(_ => access(limit = 2, else = human), _ -> end)]
    access: Billing,
}

fn main() {
    let edge = Desk::after_billing(&ticket(), &());
    assert_eq!(edge, Route::to(DeskNode::Triage));
    assert_eq!(Desk::MAX_HANDOFFS, 3);
    let desk = Desk { triage: Triage, billing: Billing, access: Billing };
    let runtime = Runtime::new(desk).journal(Memory::default());
    drop(runtime.thread("a").run(ticket()));
}

fn ticket() -> Ticket {
    Ticket { messages: Log::default() }
}
