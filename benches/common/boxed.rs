//! A ring that is built at run time, and what every graph that is made at run time comes down to: a table of boxed
//! futures.

use std::future::Future;
use std::pin::Pin;

use handoffs::{BuiltGraph, GraphBuilder, To};

use crate::rings::{LAPS, Next, Ping, Pong, Work, ping, pong};

/// `Ring`, built at run time.
pub(crate) fn built_ring() -> BuiltGraph<Work> {
    let back = To::node("ping").limit(LAPS).or_end();
    let ring = GraphBuilder::new("Ring")
        .node("ping", Ping)
        .node("pong", Pong)
        .start("ping")
        .route("ping", "_", To::node("pong"))
        .route("pong", "Done", To::end())
        .route("pong", "Again", back);
    ring.build().expect("a graph")
}

type Step = Box<dyn for<'w> Fn(&'w mut Work) -> Pin<Box<dyn Future<Output = Next> + Send + 'w>>>;

/// The steps by their numbers, and where each outcome leads.
pub(crate) struct Table(Vec<(Step, [usize; 2])>);

impl Table {
    pub(crate) fn ring() -> Self {
        let ping: Step = Box::new(|work| {
            Box::pin(async {
                ping(&mut work.count, &work.message).await;
                Next::Again
            })
        });
        let pong: Step =
            Box::new(|work| Box::pin(pong(&mut work.count, &work.goal, &work.message)));
        Self(vec![(ping, [1, 2]), (pong, [0, 2])])
    }

    pub(crate) async fn run(&self, mut work: Work) -> Work {
        let mut at = 0;
        while let Some((step, next)) = self.0.get(at) {
            at = match step(&mut work).await {
                Next::Again => next[0],
                Next::Done => next[1],
            };
        }
        work
    }
}
