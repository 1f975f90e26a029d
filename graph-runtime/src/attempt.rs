//! One attempt at a node: a panic is caught, and a timeout ends it.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::policy::Policy;

/// Which of a node's timeouts ended an attempt, or the wait for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeoutKind {
    /// The attempt took too long.
    Hard,
    /// The attempt gave no heartbeat for too long.
    Idle,
    /// Nobody answered the node's question in time.
    Answer,
}

impl fmt::Display for TimeoutKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hard => "hard",
            Self::Idle => "idle",
            Self::Answer => "answer",
        })
    }
}

/// Why an attempt has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It was stopped.
    Timeout {
        kind: TimeoutKind,
        /// What the policy allows, and not what it took.
        after: Duration,
    },
    /// It panicked, with this text.
    Panicked(String),
}

/// The heartbeat of a node's attempts. Clones beat as one.
///
/// Where nobody listens, there is nothing behind it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse(Option<Arc<Beats>>);

#[derive(Debug)]
struct Beats {
    since: Instant,
    /// When it last beat, in nanoseconds since `since`: enough for 584 years.
    last: AtomicU64,
    /// The pulse of the node around the graph that the node is in.
    around: Pulse,
}

impl Pulse {
    /// Makes the pulse of a node: one that can be felt if the node has an idle timeout, or a node
    /// around its graph.
    pub(crate) fn of(policy: &Policy, around: &Self) -> Self {
        if policy.idle_timeout().is_none() {
            return around.clone();
        }
        Self(Some(Arc::new(Beats {
            since: Instant::now(),
            last: AtomicU64::new(0),
            around: around.clone(),
        })))
    }

    /// Returns whether anybody feels it.
    pub(crate) const fn is_felt(&self) -> bool {
        self.0.is_some()
    }

    /// Shows that the attempt is alive.
    pub(crate) fn beat(&self) {
        if let Some(beats) = &self.0 {
            let now = u64::try_from(beats.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
            // Of two threads, the later beat holds.
            beats.last.fetch_max(now, Ordering::Relaxed);
            beats.around.beat();
        }
    }

    /// Returns when it last beat.
    fn last(&self) -> Option<Instant> {
        let beats = self.0.as_ref()?;
        let last = Duration::from_nanos(beats.last.load(Ordering::Relaxed));
        beats.since.checked_add(last)
    }
}

/// Makes one attempt: drives `work` until it is done, panics, or is out of time.
///
/// When this returns, `work` is dropped, unless it was lent (a `Pin<&mut _>` is a future, too, and
/// keeps this one small). A timeout ends it only where it waits: work that never awaits anything
/// cannot be stopped, and if it comes back with a result, however late, that is what counts.
/// `pulse` has to be that of the policy, and the idle time begins anew. With a timeout there has to
/// be a tokio runtime with timers; without one, no timer is made and nothing is allocated.
///
/// A panic can only be caught where panics unwind (`panic = "unwind"`, the default).
pub(crate) async fn guarded<T>(
    policy: &Policy,
    pulse: &Pulse,
    work: impl Future<Output = T>,
) -> Result<T, Broken> {
    let mut work = pin!(Some(work));
    pulse.beat();
    let mut timer = Timer::start(policy, pulse);
    let ended = std::future::poll_fn(|cx| {
        let Some(running) = work.as_mut().as_pin_mut() else {
            // It is taken out only below, after the end.
            return Poll::Pending;
        };
        // What the panic may have left half done is the node's copy of the state, which nobody reads.
        match catch_unwind(AssertUnwindSafe(|| running.poll(cx))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => timer
                .as_mut()
                .map_or(Poll::Pending, |timer| timer.poll(pulse, cx).map(Err)),
            Err(panic) => Poll::Ready(Err(Broken::Panicked(text(&*panic)))),
        }
    })
    .await;
    discard(work);
    ended
}

/// Drops a future. Its destructors are the node's as well: the hook has reported their panic, and what
/// came before it counts.
pub(crate) fn discard<F>(mut work: Pin<&mut Option<F>>) {
    let _ = catch_unwind(AssertUnwindSafe(|| work.set(None)));
}

/// The timeouts of one attempt.
struct Timer {
    hard: Option<(Instant, Duration)>,
    idle: Option<Duration>,
    /// Fires at the earliest moment at which one of the two may be over. A heartbeat does not move
    /// it: it is set anew only when it fires too early.
    sleep: Pin<Box<Sleep>>,
}

impl Timer {
    /// Sets the timer if the policy has a timeout that ever comes.
    fn start(policy: &Policy, pulse: &Pulse) -> Option<Self> {
        if policy.hard_timeout().is_none() && policy.idle_timeout().is_none() {
            return None;
        }
        let hard = policy.hard_timeout().and_then(|after| {
            let at = Instant::now().checked_add(after)?;
            Some((at, after))
        });
        let (at, _) = next(hard, policy.idle_timeout(), pulse)?;
        Some(Self {
            hard,
            idle: policy.idle_timeout(),
            sleep: Box::pin(sleep_until(at)),
        })
    }

    fn poll(&mut self, pulse: &Pulse, cx: &mut Context<'_>) -> Poll<Broken> {
        loop {
            // Work that uses up tokio's budget for the task each time must not hold back the timer.
            let sleep = pin!(unconstrained(self.sleep.as_mut()));
            if sleep.poll(cx).is_pending() {
                return Poll::Pending;
            }
            let Some((at, broken)) = next(self.hard, self.idle, pulse) else {
                return Poll::Pending;
            };
            if at <= Instant::now() {
                return Poll::Ready(broken);
            }
            self.sleep.as_mut().reset(at);
        }
    }
}

/// Returns which timeout comes first, as things stand, and when.
fn next(
    hard: Option<(Instant, Duration)>,
    idle: Option<Duration>,
    pulse: &Pulse,
) -> Option<(Instant, Broken)> {
    let idle = idle.and_then(|after| Some((pulse.last()?.checked_add(after)?, after)));
    let hard = hard.map(|(at, after)| (at, TimeoutKind::Hard, after));
    let idle = idle.map(|(at, after)| (at, TimeoutKind::Idle, after));
    let first = hard.into_iter().chain(idle).min_by_key(|(at, ..)| *at);
    first.map(|(at, kind, after)| (at, Broken::Timeout { kind, after }))
}

/// What a panic says.
pub(crate) fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
        .to_owned()
}

#[cfg(test)]
mod tests;
