use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

trait Work {
    fn run(&self);
}

struct Billing;

#[node(Ticket)]
impl Work for Billing {
    fn run(&self) {}
}

struct Access;

#[node(Ticket)]
impl Access {
    async fn work(&self) {}
}

struct Static;

#[node(Ticket)]
impl Static {
    async fn run(_messages: &Log<String>) {}
}

struct Mutable;

#[node(Ticket)]
impl Mutable {
    async fn run(&mut self) {}
}

struct Owned;

#[node(Ticket)]
impl Owned {
    async fn run(self) {}
}

#[node(Ticket)]
struct Unit;

#[node(Ticket)]
async fn generic<T: Clone>(_messages: &Log<T>) {}

#[node(Ticket)]
async fn generic_by_impl(_messages: &impl Clone) {}

fn main() {}
