//! Checks of what comes to an agent's model, and of what it answers.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

/// What a check makes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict<O> {
    /// It may pass as it is.
    Pass,
    /// This stands in its place.
    Rewrite(String),
    /// It may not pass, for this reason, and the node fails.
    Block(String),
    /// The agent concludes this in place of going on.
    HandOver(O),
}

/// A check of what comes to an agent's model, or of what it answers.
///
/// An [`Agent`](super::Agent) checks the newest message of the user before its model is asked, whether
/// the run begins with it or comes by a handoff, and a final text before it is the agent's answer. Any
/// `Fn(&S, &str) -> Verdict<O>` is one.
///
/// ```
/// use handoffs_runtime::agent::{Guardrail, Verdict};
///
/// fn no_card_numbers<S>(_: &S, text: &str) -> Verdict<()> {
///     let digits = text.chars().filter(char::is_ascii_digit).count();
///     if digits >= 16 {
///         Verdict::Block("there is a card number in it".to_owned())
///     } else {
///         Verdict::Pass
///     }
/// }
///
/// fn is_guardrail<S: Sync>(_: impl Guardrail<S, ()>) {}
/// is_guardrail::<String>(no_card_numbers);
/// ```
#[async_trait]
pub trait Guardrail<S, O>: Send + Sync {
    /// Checks a text.
    async fn check(&self, state: &S, text: &str) -> Verdict<O>;
}

#[async_trait]
impl<S, O, F> Guardrail<S, O> for F
where
    S: Sync,
    F: Fn(&S, &str) -> Verdict<O> + Send + Sync,
{
    async fn check(&self, state: &S, text: &str) -> Verdict<O> {
        self(state, text)
    }
}

/// Checks that follow each other.
pub(super) struct Guards<S, O>(Vec<Arc<dyn Guardrail<S, O>>>);

/// What is left of a text behind all checks.
pub(super) enum Checked<O> {
    /// The text, if a check has rewritten it.
    Text(Option<String>),
    Block(String),
    HandOver(O),
}

impl<S: Sync + 'static, O: 'static> Guards<S, O> {
    pub(super) fn add(&mut self, guard: impl Guardrail<S, O> + 'static) {
        self.0.push(Arc::new(guard));
    }

    /// Checks a text, by each check what the one before has left of it.
    pub(super) async fn check(&self, state: &S, text: &str) -> Checked<O> {
        let mut rewritten = None;
        for guard in &self.0 {
            let text = rewritten.as_deref().unwrap_or(text);
            match guard.check(state, text).await {
                Verdict::Pass => {}
                Verdict::Rewrite(text) => rewritten = Some(text),
                Verdict::Block(why) => return Checked::Block(why),
                Verdict::HandOver(outcome) => return Checked::HandOver(outcome),
            }
        }
        Checked::Text(rewritten)
    }
}

impl<S, O> Default for Guards<S, O> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S, O> Clone for Guards<S, O> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S, O> fmt::Debug for Guards<S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.len().fmt(f)
    }
}
