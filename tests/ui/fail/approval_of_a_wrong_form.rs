use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    refund: u32,
}

fn refund(ticket: &Ticket) -> u32 {
    ticket.refund
}

#[node(Ticket)]
async fn judge() {}

#[node(Ticket)]
async fn pay() {}

#[node(Ticket)]
async fn clerk() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = judge)]
struct RefusedToNowhere {
    #[route(_ => pay(approve = refund))]
    judge: Judge,
    #[route(_ => clerk(approve = refund, limit = 2))]
    pay: Pay,
    #[route(_ => end)]
    clerk: Clerk,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = judge)]
struct NoHandoffs {
    #[route(_ => all(pay, clerk) join last(approve = refund, limit = 1, else = end))]
    #[on_error(then = last(approve = refund, else = end))]
    judge: Judge,
    #[route(_ => last)]
    pay: Pay,
    #[route(_ => last)]
    clerk: Clerk,
    #[route(_ => more)]
    last: Pay,
    #[route(_ => end(approve = refund))]
    #[on_error(then = back(approve = refund, limit = 1, else = end))]
    more: Pay,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = judge)]
struct NoFunctions {
    #[route(_ => pay(approve = |ticket| ticket.refund, else = end))]
    judge: Judge,
    #[route(_ => clerk(approve, else = end))]
    pay: Pay,
    #[route(_ => last(approve = refund, approve = refund, else = end))]
    clerk: Clerk,
    #[route(_ => end)]
    last: Clerk,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = judge)]
struct AskedForEver {
    #[route(_ => pay(approve = refund, else = judge))]
    judge: Judge,
    #[route(_ => end)]
    pay: Pay,
}

fn main() {}
