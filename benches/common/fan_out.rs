//! A fan-out whose workers do next to nothing, and the same by hand.

use std::hint::black_box;

use handoffs::prelude::*;
use tokio::task::JoinSet;

#[derive(State, Clone, Debug, Default)]
pub(crate) struct Numbers {
    numbers: Vec<u64>,
    squares: Log<u64>,
}

impl Numbers {
    pub(crate) fn of(items: u64) -> Self {
        Self {
            numbers: (0..items).collect(),
            ..Self::default()
        }
    }
}

fn numbers(state: &Numbers) -> Vec<u64> {
    state.numbers.clone()
}

#[node(Numbers)]
pub(crate) async fn split() {}

#[node(Numbers)]
pub(crate) async fn square(number: u64, squares: &mut Log<u64>) {
    squares.push(black_box(number) * number);
}

#[node(Numbers)]
pub(crate) async fn gather(squares: &Log<u64>) {
    black_box(squares.len());
}

#[derive(AgentGraph)]
#[graph(state = Numbers, start = split)]
pub(crate) struct FanOut {
    #[route(_ => each(numbers) square join gather)]
    split: Split,
    #[route(_ => gather)]
    square: Square,
    #[route(_ => end)]
    gather: Gather,
}

pub(crate) const FAN_OUT: FanOut = FanOut {
    split: Split,
    square: Square,
    gather: Gather,
};

/// The same by hand: a task an item, and the results in the order of items.
pub(crate) async fn join_set(state: Numbers) -> Vec<u64> {
    let mut tasks = JoinSet::new();
    for (place, number) in state.numbers.into_iter().enumerate() {
        tasks.spawn(async move { (place, black_box(number) * number) });
    }
    let mut squares = vec![0; tasks.len()];
    while let Some(done) = tasks.join_next().await {
        let (place, square) = done.expect("a task");
        squares[place] = square;
    }
    squares
}
