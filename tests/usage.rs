//! What an entry says a step has cost: what was used, and how long it took.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::io;
use std::time::Duration;

use common::{Place, Tally};
use handoffs::prelude::*;
use handoffs::{NodeError, Recorded, Usage};

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Chat {
    said: Log<String>,
}

/// Calls a model, which takes its time and fails as often as it is told.
struct Model(u32, Tally);

#[node(Chat)]
impl Model {
    async fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        cx.used(Usage::calls(1) + Usage::tokens(100, 0));
        tokio::time::sleep(Duration::from_millis(20)).await;
        if self.1.count(cx.node()) < self.0 {
            return Err(NodeError::new(io::Error::other("overloaded")));
        }
        cx.used(Usage::tokens(0, 7));
        cx.used(Usage::cost_micros(5_400));
        said.push("hello".to_owned());
        Ok(())
    }
}

#[node(Chat)]
fn quick(said: &mut Log<String>) {
    said.push("at once".to_owned());
}

#[derive(AgentGraph)]
#[graph(state = Chat, start = within)]
struct Inner {
    #[route(_ => end)]
    within: Model,
}

#[derive(AgentGraph)]
#[graph(state = Chat, start = first)]
struct Desk {
    #[route(_ => quick)]
    #[retry(times = 3, backoff = "1ms")]
    first: Model,
    #[route(_ => inner)]
    quick: Quick,
    #[route(_ => caught)]
    inner: Inner,
    #[route(_ => last)]
    #[on_error(then = last)]
    caught: Model,
    #[route(_ => end)]
    last: Model,
}

async fn each_attempt_says_what_it_used_and_each_step_how_long_it_took(place: &impl Place) {
    let tally = Tally::default();
    let model = |fails: u32| Model(fails, tally.clone());
    let desk = Desk {
        first: model(2),
        quick: Quick,
        inner: Inner { within: model(0) },
        caught: model(9),
        last: model(1),
    };
    let runtime = Runtime::new(desk).journal(place.open().await);
    let thread = runtime.thread("t");
    thread.run(Chat::default()).await.unwrap_err();
    thread.recover().await.unwrap().finished().unwrap();

    let asked = Usage::calls(1) + Usage::tokens(100, 0);
    let whole = asked + Usage::tokens(0, 7) + Usage::cost_micros(5_400);
    let none = Usage::default();
    let mut told = Vec::new();
    for entry in thread.history().await.unwrap() {
        told.push(match entry.event {
            Recorded::Stepped {
                node,
                usage,
                took_ms,
                ..
            } => {
                let is_quick = node == "quick";
                assert_eq!(took_ms >= 15, !is_quick, "{node} took {took_ms} ms");
                (node.into_owned(), usage)
            }
            Recorded::Attempted { usage, .. } => ("attempted".to_owned(), usage),
            Recorded::Caught { usage, on, .. } => {
                assert_eq!(on, "error");
                ("caught".to_owned(), usage)
            }
            Recorded::Failed { usage, .. } => ("failed".to_owned(), usage),
            _ => continue,
        });
    }
    let told: Vec<_> = told
        .iter()
        .map(|(what, usage)| (what.as_str(), *usage))
        .collect();
    assert_eq!(
        told,
        [
            ("attempted", asked),
            ("attempted", asked),
            ("first", whole),
            ("quick", none),
            ("within", whole),
            // What was used within stands there.
            ("inner", none),
            ("caught", asked),
            ("failed", asked),
            ("last", whole),
        ]
    );
    let all: Usage = told.iter().map(|(_, usage)| *usage).sum();
    assert_eq!(
        (all.calls, all.input_tokens, all.output_tokens),
        (7, 700, 21)
    );
    assert_eq!(all.cost_micros, 16_200);
}

on_every_journal! {
    each_attempt_says_what_it_used_and_each_step_how_long_it_took
}
