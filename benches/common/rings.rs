//! Rings of nodes that hand to each other, and a chain: derived, and the same by hand.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::hint::black_box;

use handoffs::prelude::*;

/// How often the last node of a ring may hand back to the first.
pub(crate) const LAPS: u32 = 1_000_000;

#[derive(State, Clone, Debug, Default)]
pub(crate) struct Work {
    pub(crate) count: u64,
    pub(crate) goal: u64,
    pub(crate) message: String,
    /// What no node looks at.
    pub(crate) ballast: Vec<u8>,
}

impl Work {
    /// A state whose nodes do nothing but count, for so many steps.
    pub(crate) fn empty(goal: u64) -> Self {
        Self {
            goal,
            ..Self::default()
        }
    }

    /// The same, with so many bytes beside.
    pub(crate) fn with_ballast(goal: u64, bytes: usize) -> Self {
        Self {
            ballast: vec![0; bytes],
            ..Self::empty(goal)
        }
    }

    /// A state whose nodes hash a customer's message, the least that a real node does.
    pub(crate) fn hash(goal: u64) -> Self {
        Self::hash_of(goal, 1)
    }

    /// The same with a message that is so many times as long.
    pub(crate) fn hash_of(goal: u64, times: usize) -> Self {
        Self {
            message: "hello, last Tuesday my card was charged twice at the same shop".repeat(times),
            ..Self::empty(goal)
        }
    }
}

#[derive(Outcome)]
pub(crate) enum Next {
    Again,
    Done,
}

/// Hashes the message, and counts one whatever comes of it. It does not branch by what it reads: of a search for
/// words, a processor guessed the same branches rightly or not by where the compiler had put them, and the same loop took 28
/// ns a step or 35.
#[inline(never)]
fn look(message: &str) -> u64 {
    let message = black_box(message);
    if message.is_empty() {
        return 1;
    }
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    1 + u64::from(black_box(hasher.finish()) == 0 && message.len() == 1)
}

/// Two nodes, of which each graph has its own, as graphs of users do: where many share one, the compiler calls it in
/// place of writing it out.
macro_rules! nodes {
    () => {
        #[node(Work)]
        pub(crate) async fn ping(count: &mut u64, message: &str) {
            *count += look(message);
        }

        #[node(Work)]
        pub(crate) async fn pong(count: &mut u64, goal: &u64, message: &str) -> Next {
            *count += look(message);
            if *count >= *goal {
                Next::Done
            } else {
                Next::Again
            }
        }
    };
}

/// A ring, whose last node ends the run when the count is reached, and the same by hand: an enum, a `match` and the
/// same `async fn`s, in a loop that counts the laps of the bounded edge.
macro_rules! ring {
    ($module:ident: $name:ident, $by_hand:ident: $first:ident $(, $from:ident -> $to:ident)+; $last:ident) => {
        mod $module {
            use super::*;

            nodes!();

            #[derive(AgentGraph)]
            #[graph(state = Work, start = $first)]
            pub(crate) struct $name {
                $(#[route(_ => $to)] $from: Ping,)+
                #[route(Next::Done => end, Next::Again => $first(limit = 1_000_000, else = end))]
                $last: Pong,
            }

            impl $name {
                pub(crate) fn new() -> Self {
                    Self { $($from: Ping,)+ $last: Pong }
                }
            }

            pub(crate) async fn $by_hand(mut state: Work) -> Work {
                #[expect(non_camel_case_types, reason = "the names of the fields")]
                enum At { $($from,)+ $last }
                let mut at = At::$first;
                let mut laps = 0;
                loop {
                    at = match at {
                        $(At::$from => {
                            ping(&mut state.count, &state.message).await;
                            At::$to
                        })+
                        At::$last => match pong(&mut state.count, &state.goal, &state.message).await {
                            Next::Again if laps < LAPS => {
                                laps += 1;
                                At::$first
                            }
                            Next::Again | Next::Done => return state,
                        },
                    };
                }
            }
        }

        #[allow(unused_imports, reason = "a bench takes what it measures")]
        pub(crate) use $module::{$by_hand, $name};
    };
}

ring!(ring: Ring, ring_by_hand: ping, ping -> pong; pong);
ring!(ring_of_5: Ring5, ring_of_5_by_hand: a, a -> b, b -> c, c -> d, d -> e; e);
ring!(ring_of_20: Ring20, ring_of_20_by_hand:
    a, a -> b, b -> c, c -> d, d -> e, e -> f, f -> g, g -> h, h -> i, i -> j, j -> k, k -> l, l -> m,
    m -> n, n -> o, o -> p, p -> q, q -> r, r -> s, s -> t; t);

nodes!();

/// Twenty nodes in a row.
#[derive(AgentGraph)]
#[graph(state = Work, start = a)]
#[rustfmt::skip]
pub(crate) struct Chain {
    #[route(_ => b)] a: Ping,
    #[route(_ => c)] b: Ping,
    #[route(_ => d)] c: Ping,
    #[route(_ => e)] d: Ping,
    #[route(_ => f)] e: Ping,
    #[route(_ => g)] f: Ping,
    #[route(_ => h)] g: Ping,
    #[route(_ => i)] h: Ping,
    #[route(_ => j)] i: Ping,
    #[route(_ => k)] j: Ping,
    #[route(_ => l)] k: Ping,
    #[route(_ => m)] l: Ping,
    #[route(_ => n)] m: Ping,
    #[route(_ => o)] n: Ping,
    #[route(_ => p)] o: Ping,
    #[route(_ => q)] p: Ping,
    #[route(_ => r)] q: Ping,
    #[route(_ => s)] r: Ping,
    #[route(_ => t)] s: Ping,
    #[route(_ => end)] t: Ping,
}

pub(crate) const CHAIN: u64 = 20;

impl Chain {
    #[rustfmt::skip]
    pub(crate) fn new() -> Self {
        Self {
            a: Ping, b: Ping, c: Ping, d: Ping, e: Ping, f: Ping, g: Ping, h: Ping, i: Ping, j: Ping,
            k: Ping, l: Ping, m: Ping, n: Ping, o: Ping, p: Ping, q: Ping, r: Ping, s: Ping, t: Ping,
        }
    }
}

/// The same by hand: twenty calls, of which the compiler may make what it likes.
pub(crate) async fn chain_by_hand(mut state: Work) -> Work {
    for _ in 0..CHAIN {
        ping(&mut state.count, &state.message).await;
    }
    state
}
