//! A rule by which a node is tried again.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::node_error::{NodeError, find};

/// A rule by which a node is tried again after an error.
///
/// Before each further attempt the runtime waits for a random time between zero and a bound, which
/// begins at the backoff and doubles with each attempt up to the cap ("full jitter": Marc Brooker,
/// *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015). The default is 3 attempts with a
/// backoff of 200 ms and a cap of 10 s.
///
/// An error may say [when to try again](NodeError::retry_after), as a busy model does. That time comes
/// before the wait, whatever the cap: who is asked earlier refuses again, and all who wait must not come
/// back at the same moment. Whoever will not wait that long says so in [`on`](Self::on).
///
/// ```
/// use std::io;
/// use std::time::Duration;
///
/// use handoffs_runtime::{NodeError, Retry};
///
/// let retry = Retry::times(5)
///     .backoff(Duration::from_millis(100))
///     .cap(Duration::from_secs(1))
///     .on(|error: &NodeError| error.to_string().contains("returned"));
/// assert!(retry.fits(&NodeError::new(io::Error::other("no connection"))));
/// assert_eq!(retry.bound(0), Duration::from_millis(100));
/// assert_eq!(retry.bound(1), Duration::from_millis(200));
/// assert_eq!(retry.bound(9), Duration::from_secs(1));
/// ```
#[derive(Clone)]
pub struct Retry {
    times: u32,
    backoff: Duration,
    cap: Duration,
    jitter: bool,
    on: Option<Predicate>,
}

type Predicate = Arc<dyn Fn(&NodeError) -> bool + Send + Sync>;

impl Retry {
    /// Makes that many attempts in all, the first included; of 0, it is 1 nevertheless.
    pub const fn times(times: u32) -> Self {
        Self {
            times: if times == 0 { 1 } else { times },
            backoff: Duration::from_millis(200),
            cap: Duration::from_secs(10),
            jitter: true,
            on: None,
        }
    }

    /// Waits for at most this long before the second attempt, and for twice as long before each next.
    pub const fn backoff(mut self, backoff: Duration) -> Self {
        self.backoff = backoff;
        self
    }

    /// Never waits for longer than this.
    pub const fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Waits for a random part of the bound, which is the default, or for exactly the bound.
    pub const fn jitter(mut self, jitter: bool) -> Self {
        self.jitter = jitter;
        self
    }

    /// Fits the errors of which this is true; without it, a rule fits each error.
    pub fn on(mut self, fits: impl Fn(&NodeError) -> bool + Send + Sync + 'static) -> Self {
        self.on = Some(Arc::new(fits));
        self
    }

    /// Returns how many attempts there are in all, the first included.
    pub const fn attempts(&self) -> u32 {
        self.times
    }

    /// Returns whether the rule is for this error.
    pub fn fits(&self, error: &NodeError) -> bool {
        self.on.as_ref().is_none_or(|on| on(error))
    }

    /// Returns the longest wait before the next attempt, if the rule has given `used` attempts so far.
    pub fn bound(&self, used: u32) -> Duration {
        let backoff = self.backoff.as_nanos();
        let bound = 1u128
            .checked_shl(used)
            .and_then(|factor| backoff.checked_mul(factor));
        match bound {
            Some(bound) => self.cap.min(duration(bound)),
            None if backoff == 0 => Duration::ZERO,
            None => self.cap,
        }
    }

    /// Returns how long to wait before the next attempt, if the rule has given `used` attempts so far.
    ///
    /// The random part comes out of `seed` and `used` alone, so that a repeated run waits as long
    /// as the first. The seed should tell one visit of a node from any other, as an idempotency
    /// key does; otherwise many runs would try again at the same moment.
    pub fn delay(&self, used: u32, seed: &str) -> Duration {
        let bound = self.bound(used);
        if self.jitter {
            part(bound, random(used, seed))
        } else {
            bound
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self::times(3)
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("times", &self.times)
            .field("backoff", &self.backoff)
            .field("cap", &self.cap)
            .field("jitter", &self.jitter)
            .field("on", &self.on.as_ref().map(|_| ".."))
            .finish()
    }
}

/// Returns whether a predicate for errors of one type holds for the error of a node: for the
/// [`NodeError`] itself or for the error that the node returned, which of a graph is that of a node
/// within, however deep. Of an error of another type it does not.
pub(crate) fn fits<E: Error + 'static>(on: fn(&E) -> bool, error: &NodeError) -> bool {
    find(error, |error| error.downcast_ref().map(on)).unwrap_or(false)
}

/// A number of which each bit is as good as thrown.
fn random(used: u32, seed: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    // The number comes first, as it is always of one length.
    hasher.update(&used.to_le_bytes());
    hasher.update(seed.as_bytes());
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Returns `random / 2^64` of a duration.
fn part(of: Duration, random: u64) -> Duration {
    let (nanos, random) = (of.as_nanos(), u128::from(random));
    // In two halves: the product of all has more than 128 bits for durations of more than 500 years.
    let (high, low) = (nanos >> 64, nanos & u128::from(u64::MAX));
    duration(high * random + ((low * random) >> 64))
}

fn duration(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let nanos_of_second = u32::try_from(nanos % SECOND).unwrap_or(0);
    u64::try_from(nanos / SECOND).map_or(Duration::MAX, |secs| Duration::new(secs, nanos_of_second))
}
