//! A shop in which all happens that can: a graph within, a question, a fork, a loop that is stopped, retries,
//! an error edge, and a handoff that is approved.

use std::io;

use handoffs::prelude::*;
use handoffs::{Counter, NodeError, Usage};

/// What goes through the shop.
#[derive(State, Clone, Debug, Default)]
pub(crate) struct Order {
    pub(crate) pieces: Vec<u32>,
    pub(crate) packed: Counter,
    pub(crate) name: Option<String>,
    #[state(progress)]
    pub(crate) weighed: Counter,
}

pub(crate) fn pieces(order: &Order) -> Vec<u32> {
    order.pieces.clone()
}

pub(crate) fn is_dear(order: &Order) -> String {
    format!("{} pieces", order.pieces.len())
}

#[node(Order)]
pub(crate) async fn greet() {}

#[node(Order)]
pub(crate) async fn look(cx: &mut Context<'_>, mut name: Out<'_, String>) -> Result<(), NodeError> {
    name.set(cx.ask("name", "Who are you?").await?);
    Ok(())
}

#[derive(AgentGraph)]
#[graph(state = Order, start = greet)]
pub(crate) struct Counterside {
    #[route(_ => look)]
    greet: Greet,
    #[route(_ => end)]
    look: Look,
}

#[node(Order)]
pub(crate) async fn split() {}

#[node(Order)]
pub(crate) async fn pack(piece: u32, packed: &mut Counter) {
    *packed += i64::from(piece);
}

#[derive(Outcome)]
pub(crate) enum Weighed {
    Light,
    Fine,
}

/// Finds it too light as often as it is asked; each time it has counted something new.
#[node(Order)]
pub(crate) async fn weigh(weighed: &mut Counter, name: &String) -> Weighed {
    *weighed += 1;
    if name == "fine" {
        Weighed::Fine
    } else {
        Weighed::Light
    }
}

/// Its line is always down.
#[node(Order)]
pub(crate) async fn bill() -> Result<(), io::Error> {
    Err(io::Error::other("the line is down"))
}

#[node(Order)]
pub(crate) async fn clerk(cx: &mut Context<'_>) {
    cx.used(Usage::tokens(20, 3) + Usage::cost_micros(7));
}

#[node(Order)]
pub(crate) async fn ship() {}

#[derive(AgentGraph)]
#[graph(state = Order, start = counter)]
pub(crate) struct Shop {
    #[route(_ => split)]
    counter: Counterside,
    #[route(_ => each(pieces) pack join weigh)]
    split: Split,
    #[route(_ => weigh)]
    pack: Pack,
    #[route(Weighed::Fine => clerk, Weighed::Light => split(limit = 1, else = bill))]
    weigh: Weigh,
    #[route(_ => ship)]
    #[on_error(then = clerk)]
    #[retry(times = 2)]
    bill: Bill,
    #[route(_ => ship(approve = is_dear, else = end))]
    clerk: Clerk,
    #[route(_ => end)]
    ship: Ship,
}

pub(crate) fn shop() -> Shop {
    Shop {
        counter: Counterside {
            greet: Greet,
            look: Look,
        },
        split: Split,
        pack: Pack,
        weigh: Weigh,
        bill: Bill,
        clerk: Clerk,
        ship: Ship,
    }
}

pub(crate) fn order() -> Order {
    Order {
        pieces: vec![2, 3],
        ..Order::default()
    }
}
