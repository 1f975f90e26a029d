use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
    count: u32,
}

#[derive(State, Clone, serde::Serialize, serde::Deserialize)]
struct Small {
    count: u32,
}

#[node(Small)]
async fn add(count: &mut u32) {
    *count += 1;
}

#[derive(AgentGraph)]
#[graph(state = Small, start = add)]
struct Adder {
    #[route(_ => end)]
    add: Add,
}

fn enter(ticket: &Ticket) -> Small {
    Small { count: ticket.count }
}

fn enter_by_value(ticket: Ticket) -> Small {
    Small { count: ticket.count }
}

fn enter_another(ticket: &Ticket) -> u32 {
    ticket.count
}

#[node(Ticket)]
async fn leave(small: Small, count: &mut u32) {
    *count = small.count;
}

#[node(Ticket)]
async fn leave_another(text: String) {
    drop(text);
}

#[node(Ticket)]
async fn leave_without() {}

#[derive(Outcome)]
enum Left {
    Well,
}

#[node(Ticket)]
async fn leave_with_an_outcome(small: Small) -> Left {
    drop(small);
    Left::Well
}

#[node(Small)]
async fn leave_of_another_state(small: Small) {
    drop(small);
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = adder)]
struct ByValue {
    #[route(_ => end)]
    #[subgraph(enter = enter_by_value, leave = leave)]
    adder: Adder,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = adder)]
struct AnotherState {
    #[route(_ => end)]
    #[subgraph(enter = enter_another, leave = leave)]
    adder: Adder,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = adder)]
struct AnotherItem {
    #[route(_ => end)]
    #[subgraph(enter = enter, leave = leave_another)]
    adder: Adder,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = adder)]
struct NoItem {
    #[route(_ => end)]
    #[subgraph(enter = enter, leave = leave_without)]
    adder: Adder,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = adder)]
struct AnOutcome {
    #[route(_ => end)]
    #[subgraph(enter = enter, leave = leave_with_an_outcome)]
    adder: Adder,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = adder)]
struct OfAnotherState {
    #[route(_ => end)]
    #[subgraph(enter = enter, leave = leave_of_another_state)]
    adder: Adder,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = adder)]
struct NoFunction {
    #[route(_ => end)]
    #[subgraph(enter = enter, leave = leave_it)]
    adder: Adder,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = adder)]
struct NoGraph {
    #[route(_ => end)]
    #[subgraph(enter = enter, leave = leave)]
    adder: Add,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = adder)]
struct WithoutItsAttribute {
    #[route(_ => end)]
    adder: Adder,
}

fn main() {}
