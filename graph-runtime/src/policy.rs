//! What a node asks of the runtime: to be tried again, to be stopped, to be remembered.

mod retry;

use std::time::Duration;

use crate::node_error::NodeError;

pub use self::retry::Retry;
pub(crate) use self::retry::fits;

/// What a node asks of the runtime: when to try it again, when to give up on it, and for how long
/// its result holds.
///
/// The default asks for nothing: one attempt, as long as it takes, never cached.
///
/// ```
/// use std::time::Duration;
///
/// use handoffs_runtime::{Policy, Retry};
///
/// let policy = Policy::new()
///     .retry(Retry::times(3))
///     .timeout(Duration::from_secs(30))
///     .idle(Duration::from_secs(5));
/// assert_eq!(policy.hard_timeout(), Some(Duration::from_secs(30)));
/// assert_eq!(policy.retries().len(), 1);
/// assert!(!policy.is_plain());
/// assert!(Policy::new().is_plain());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Policy {
    retries: Vec<Retry>,
    timeout: Option<Duration>,
    idle: Option<Duration>,
    answer: Option<Duration>,
    cache: Option<Duration>,
}

impl Policy {
    /// Asks for nothing.
    pub const fn new() -> Self {
        Self {
            retries: Vec::new(),
            timeout: None,
            idle: None,
            answer: None,
            cache: None,
        }
    }

    /// Adds a rule by which the node is tried again. Of several, the first that fits an error counts.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retries.push(retry);
        self
    }

    /// Stops an attempt that takes longer than this.
    ///
    /// It is stopped where it waits: a node that never awaits anything cannot be. The run then has to
    /// be within a tokio runtime with timers (`enable_time`).
    pub const fn timeout(mut self, after: Duration) -> Self {
        self.timeout = Some(after);
        self
    }

    /// Stops an attempt that has given no heartbeat for this long.
    ///
    /// The time counts from the beginning of the attempt or from its last heartbeat; for the rest it
    /// is as with [`timeout`](Self::timeout). With both, whichever is first stops the attempt.
    pub const fn idle(mut self, after: Duration) -> Self {
        self.idle = Some(after);
        self
    }

    /// Closes a question of the node that nobody has answered for this long, by the clock of the
    /// [runtime](crate::Runtime::clock); without it, questions are open for ever.
    ///
    /// Nobody waits meanwhile: it is [`recover`](crate::Thread::recover) that finds the time to be over.
    /// The node has then failed with [`TimeoutKind::Answer`](crate::TimeoutKind::Answer), so a retry
    /// asks again, and an error edge leads on. A handoff that was to be approved is refused.
    /// Of a graph within, it holds for the questions of the nodes that say nothing else.
    pub const fn answer(mut self, after: Duration) -> Self {
        self.answer = Some(after);
        self
    }

    /// Keeps the node's result for this long, to be used again where its key is the same.
    /// [`Duration::MAX`] keeps it for ever.
    pub const fn cache(mut self, ttl: Duration) -> Self {
        self.cache = Some(ttl);
        self
    }

    /// Returns the rules by which the node is tried again, in the order in which they are looked at.
    pub fn retries(&self) -> &[Retry] {
        &self.retries
    }

    /// Returns how long an attempt may take.
    pub const fn hard_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Returns how long an attempt may go without a heartbeat.
    pub const fn idle_timeout(&self) -> Option<Duration> {
        self.idle
    }

    /// Returns for how long a question to a person is open; none if it is for ever.
    pub const fn answer_timeout(&self) -> Option<Duration> {
        self.answer
    }

    /// Returns for how long a result is kept; none if it is not.
    pub const fn cache_ttl(&self) -> Option<Duration> {
        self.cache
    }

    /// Returns whether nothing is asked.
    pub const fn is_plain(&self) -> bool {
        self.retries.is_empty()
            && self.timeout.is_none()
            && self.idle.is_none()
            && self.answer.is_none()
            && self.cache.is_none()
    }

    /// Returns which rule gives the node another attempt after this error, by its place in
    /// [`retries`](Self::retries), and how long to wait before it.
    ///
    /// `used` says how many attempts each rule has given in this visit of the node so far; a rule
    /// that it is too short for has given none. The first rule that fits the error decides alone:
    /// once it has no attempt left, the node has failed, whatever later rules say. The same `seed`
    /// gives the same delay.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use handoffs_runtime::{NodeError, Policy, Retry};
    ///
    /// let policy = Policy::new().retry(Retry::times(2).jitter(false));
    /// let error = NodeError::new("no connection");
    /// let wait = Duration::from_millis(200);
    /// assert_eq!(policy.retry_for(&error, &[], "customer-42/7"), Some((0, wait)));
    /// assert_eq!(policy.retry_for(&error, &[1], "customer-42/7"), None);
    /// ```
    pub fn retry_for(
        &self,
        error: &NodeError,
        used: &[u32],
        seed: &str,
    ) -> Option<(usize, Duration)> {
        let index = self.retries.iter().position(|retry| retry.fits(error))?;
        let retry = &self.retries[index];
        let used = used.get(index).copied().unwrap_or(0);
        // The first attempt was given by no rule.
        (used < retry.attempts() - 1).then(|| {
            let after = error.retry_after().unwrap_or_default();
            (index, after.saturating_add(retry.delay(used, seed)))
        })
    }
}

#[cfg(test)]
mod tests;
