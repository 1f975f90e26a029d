use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
    account: Option<String>,
}

#[node(Ticket)]
async fn reads(_message: &Log<String>) {}

#[node(Ticket)]
async fn writes(_acount: &mut Option<String>) {}

#[node(Ticket)]
async fn gives(_refund: Out<'_, String>) {}

fn main() {}
