use handoffs::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(State, Clone)]
struct Research {
    found: Log<String>,
}

struct Plain;

#[derive(Clone, Serialize)]
struct OnlyWritten;

#[derive(Serialize, Deserialize)]
struct NotCloned {
    text: String,
}

#[node(Research)]
async fn on_a_plain(_item: Plain, _found: &mut Log<String>) {}

#[node(Research)]
async fn on_what_is_only_written(_item: OnlyWritten) {}

#[node(Research)]
async fn on_what_is_not_cloned(_item: Vec<NotCloned>) {}

struct Worker;

#[node(Research)]
impl Worker {
    async fn run(&self, Plain: Plain) {}
}

#[node(Research)]
async fn on_a_missing_type(_item: Missing) {}

fn main() {}
