//! What a node tells while it is at work, on its way to whoever listens to the run.

#[cfg(feature = "agents")]
use std::future::poll_fn;
#[cfg(feature = "agents")]
use std::pin::Pin;
#[cfg(feature = "agents")]
use std::task::Poll;

use futures_channel::mpsc;
use futures_util::StreamExt;
use futures_util::future::{Either, select};

#[cfg(feature = "agents")]
use crate::agent::Teller;
use crate::event::{Event, Inner, Sink};
use crate::execute::Runnable;
use crate::journal::BranchId;

/// Tells what happens in a graph within until its work is done.
pub(crate) async fn relay<G: Runnable, T>(
    mut work: impl Future<Output = T> + Unpin,
    mut events: mpsc::Receiver<Inner>,
    sink: &mut Sink<G>,
    branch: BranchId,
    node: G::Node,
) -> T {
    loop {
        match select(&mut work, events.next()).await {
            Either::Left((ended, _)) => return ended,
            Either::Right((None, _)) => return work.await,
            Either::Right((Some(event), _)) => {
                let (branch, node) = (branch.clone(), node.clone());
                let within = Event::Within {
                    branch,
                    node,
                    event,
                };
                sink.emit(within).await;
            }
        }
    }
}

/// Tells what an agent does until its work is done.
///
/// All is told before the work goes on, which is polled once more then: it may have been woken.
#[cfg(feature = "agents")]
pub(crate) async fn hear<G: Runnable, T>(
    mut work: impl Future<Output = T> + Unpin,
    teller: &Teller,
    sink: &mut Sink<G>,
    branch: BranchId,
    node: G::Node,
) -> T {
    loop {
        let (polled, events) = poll_fn(|task| {
            let polled = Pin::new(&mut work).poll(task);
            let events = teller.take();
            if polled.is_pending() && events.is_empty() {
                return Poll::Pending;
            }
            Poll::Ready((polled, events))
        })
        .await;
        for event in events {
            let (branch, node) = (branch.clone(), node.clone());
            let told = Event::Agent {
                branch,
                node,
                event,
            };
            sink.emit(told).await;
        }
        if let Poll::Ready(ended) = polled {
            return ended;
        }
    }
}
