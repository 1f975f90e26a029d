//! A graph that is generic over what its nodes work with, and one over a generic state.
#![deny(warnings, missing_docs, unused, unreachable_pub, unused_qualifications)]

use handoffs::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

trait Ledger: Send + Sync + 'static {
    fn balance(&self) -> i64;
}

#[derive(State, Clone, Debug, Default)]
struct Ticket {
    balance: Option<i64>,
}

#[derive(Outcome)]
enum Billed {
    Paid,
    Owing,
}

struct Billing<L> {
    ledger: L,
}

#[node(Ticket)]
impl<L: Ledger> Billing<L> {
    async fn run(&self, mut balance: Out<'_, i64>) -> Billed {
        balance.set(self.ledger.balance());
        if self.ledger.balance() < 0 { Billed::Owing } else { Billed::Paid }
    }
}

#[node(Ticket)]
async fn remind(_balance: &i64) {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = billing)]
struct Desk<L>
where
    L: Ledger,
{
    #[route(Billed::Paid => end, Billed::Owing => remind)]
    billing: Billing<L>,
    #[route(_ => end)]
    remind: Remind,
}

trait Item: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}

impl Item for u32 {}

#[derive(State, Clone, Debug)]
struct Basket<T: Item> {
    items: Vec<T>,
    last: Option<T>,
}

struct Collect<T>(T);

#[node(Basket<T>)]
impl<T: Item> Collect<T> {
    fn run(&self, items: &mut Vec<T>, last: &mut Option<T>) {
        items.push(self.0.clone());
        *last = items.last().cloned();
    }
}

#[derive(AgentGraph)]
#[graph(state = Basket<T>, start = collect)]
struct Shop<T: Item> {
    #[route(() => end)]
    collect: Collect<T>,
}

struct Book;

impl Ledger for Book {
    fn balance(&self) -> i64 {
        1
    }
}

fn main() {
    let desk = Desk { billing: Billing { ledger: Book }, remind: Remind };
    let _ = Runtime::new(desk).journal(Memory::default());
    let _ = Runtime::new(Shop { collect: Collect(7_u32) });
    assert_eq!(Desk::<Book>::MAX_HANDOFFS, 1);
}
