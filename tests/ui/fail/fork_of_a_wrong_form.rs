use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

fn messages(ticket: &Ticket) -> Vec<String> {
    ticket.messages.iter().cloned().collect()
}

#[node(Ticket)]
async fn plan() {}

#[node(Ticket)]
async fn web() {}

#[node(Ticket)]
async fn ask() {}

#[node(Ticket)]
async fn sum() {}

macro_rules! graph {
    ($name:ident, $($route:tt)*) => {
        #[derive(AgentGraph)]
        #[graph(state = Ticket, start = plan)]
        struct $name {
            #[route($($route)*)]
            plan: Plan,
            #[route(_ => sum)]
            web: Web,
            #[route(_ => sum)]
            ask: Ask,
            #[route(_ => end)]
            sum: Sum,
        }
    };
}

graph!(NoJoin, _ => all(web, ask));
graph!(NoBranches, _ => all() join sum);
graph!(NoList, _ => all web join sum);
graph!(OptionsBeforeTheJoin, _ => all(web, ask)(limit = 2) join sum);
graph!(OptionsOfABranch, _ => all(web(limit = 2), ask) join sum);
graph!(AnotherWord, _ => all(web, ask) then sum);
graph!(NoNodeToJoinAt, _ => all(web, ask) join);
graph!(JoinAtTheEnd, _ => all(web, ask) join end);
graph!(EndAsABranch, _ => all(web, end) join sum);
graph!(ForkAsABranch, _ => all(web, each(messages) ask) join sum);
graph!(OneNode, _ => web join sum);
graph!(TheEnd, _ => end join sum);
graph!(JoinFirst, _ => join sum);
graph!(NoParentheses, _ => each messages ask join sum);
graph!(NoItems, _ => each() ask join sum);
graph!(AnExpression, _ => each(ticket.messages) ask join sum);
graph!(NoWorker, _ => each(messages) join sum);
graph!(TwoWorkers, _ => each(messages) ask, web join sum);
graph!(UnknownOption, _ => all(web, ask) join sum(parallel = 8));
graph!(NoConcurrency, _ => all(web, ask) join sum(concurrency = 0));
graph!(NoNumber, _ => all(web, ask) join sum(concurrency = many));
graph!(NoFork, _ => web(concurrency = 8));

fn main() {}
