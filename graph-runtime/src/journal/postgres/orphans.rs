//! Appends that nobody waits for any more.
//!
//! The server carries out what it was sent, also when the caller has gone. Whoever takes the thread up
//! right after that, by the same journal, is to read what has become of it for good.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::pool::Line;

/// Counts the appends that may still be under way although their futures were dropped.
#[derive(Clone, Default)]
pub(super) struct Orphans(Arc<Inner>);

#[derive(Default)]
struct Inner {
    count: AtomicUsize,
    none_left: Notify,
}

impl Orphans {
    /// Returns what looks after an append: if it is dropped before the append is done, that is an orphan.
    pub(super) fn under_way(&self) -> UnderWay<'_> {
        UnderWay {
            line: None,
            orphans: self,
        }
    }

    /// Waits until no orphan is under way.
    pub(super) async fn settled(&self) {
        while self.0.count.load(Ordering::SeqCst) > 0 {
            let mut none_left = pin!(self.0.none_left.notified());
            none_left.as_mut().enable();
            // The last one may have ended before this began to listen.
            if self.0.count.load(Ordering::SeqCst) > 0 {
                none_left.await;
            }
        }
    }
}

pub(super) struct UnderWay<'a> {
    line: Option<Line>,
    orphans: &'a Orphans,
}

impl UnderWay<'_> {
    /// Keeps the connection on which the append is.
    pub(super) fn on(&mut self, line: Line) -> &Line {
        self.line.insert(line)
    }

    /// Gives the connection back, as the append is done.
    pub(super) fn done(mut self) -> Option<Line> {
        self.line.take()
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        // Outside of a runtime there is nobody who could wait; the connection goes back as it is.
        let (Some(line), Ok(runtime)) = (self.line.take(), Handle::try_current()) else {
            return;
        };
        self.orphans.0.count.fetch_add(1, Ordering::SeqCst);
        let counted = Counted(Arc::clone(&self.orphans.0));
        runtime.spawn(async move {
            // A connection does one thing after the other: this is answered when the append is through.
            // If the connection is lost, nothing more can be learnt.
            let _ = line.batch_execute("").await;
            drop(line);
            drop(counted);
        });
    }
}

/// An orphan, which counts as long as its task is there.
struct Counted(Arc<Inner>);

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.none_left.notify_waiters();
        }
    }
}
