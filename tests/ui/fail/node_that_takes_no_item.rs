use handoffs::Worker;
use handoffs::prelude::*;

#[derive(State, Clone)]
struct Research {
    found: Log<String>,
}

#[node(Research)]
async fn summarise(found: &Log<String>) {}

#[node(Research)]
async fn look_up(question: String, found: &mut Log<String>) {}

fn each<W: Worker<Research>>(_: W) {}

fn main() {
    each(Summarise);
    each(LookUp);
}
