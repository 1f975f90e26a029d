//! What was used up: as a node says it, and as the calls of models and tools stand in a journal.

use std::borrow::Cow;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

use super::entry::{Effect, is_zero};

/// What a node used up, as far as it [said so](crate::Context::used).
///
/// ```
/// use handoffs_runtime::Usage;
///
/// let answer = Usage::calls(1) + Usage::tokens(1_200, 300) + Usage::cost_micros(5_400);
/// let all: Usage = [answer, Usage::calls(2)].into_iter().sum();
/// assert_eq!((all.calls, all.output_tokens), (3, 300));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Usage {
    /// Calls of models and tools.
    #[serde(skip_serializing_if = "is_zero")]
    pub calls: u64,
    /// Tokens that models read.
    #[serde(skip_serializing_if = "is_zero")]
    pub input_tokens: u64,
    /// Tokens that models wrote.
    #[serde(skip_serializing_if = "is_zero")]
    pub output_tokens: u64,
    /// What it cost, in millionths of the currency's unit.
    #[serde(skip_serializing_if = "is_zero")]
    pub cost_micros: u64,
    /// Of the calls, those of models that did not say what they used, or have not yet.
    #[serde(skip_serializing_if = "is_zero")]
    pub unmetered: u64,
}

impl Usage {
    /// So many calls of models and tools.
    pub fn calls(calls: u64) -> Self {
        Self {
            calls,
            ..Self::default()
        }
    }

    /// So many tokens that models read and wrote.
    pub fn tokens(input_tokens: u64, output_tokens: u64) -> Self {
        Self {
            input_tokens,
            output_tokens,
            ..Self::default()
        }
    }

    /// So many millionths of the currency's unit.
    pub fn cost_micros(cost_micros: u64) -> Self {
        Self {
            cost_micros,
            ..Self::default()
        }
    }

    /// Returns all tokens, those read and those written.
    pub const fn all_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// Returns whether nothing was used.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Adds up; what is more than a number can hold, is the highest.
impl Add for Usage {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(more.calls),
            input_tokens: self.input_tokens.saturating_add(more.input_tokens),
            output_tokens: self.output_tokens.saturating_add(more.output_tokens),
            cost_micros: self.cost_micros.saturating_add(more.cost_micros),
            unmetered: self.unmetered.saturating_add(more.unmetered),
        }
    }
}

/// Takes off what is counted elsewhere; never below zero.
impl Sub for Usage {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(less.calls),
            input_tokens: self.input_tokens.saturating_sub(less.input_tokens),
            output_tokens: self.output_tokens.saturating_sub(less.output_tokens),
            cost_micros: self.cost_micros.saturating_sub(less.cost_micros),
            unmetered: self.unmetered.saturating_sub(less.unmetered),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, more: Self) {
        *self = *self + more;
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(usages: I) -> Self {
        usages.fold(Self::default(), Add::add)
    }
}

/// A call of a model or of a tool, which is an effect that is done once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Called {
    /// The tool; none if it was the node's model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<Cow<'static, str>>,
    /// How long it took, in milliseconds; 0 until it came back.
    #[serde(skip_serializing_if = "is_zero")]
    pub took_ms: u64,
    /// What it said that it used; none if it said nothing, or has not come back yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// What was used, and how long it took: of something that is under way, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Used {
    /// What was used.
    #[serde(flatten)]
    pub usage: Usage,
    /// How long nodes were at work, or calls took, in milliseconds, all added up.
    #[serde(skip_serializing_if = "is_zero")]
    pub took_ms: u64,
}

impl Used {
    pub(crate) const fn new(usage: Usage, took_ms: u64) -> Self {
        Self { usage, took_ms }
    }

    /// Returns whether nothing was used, and no time.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Counts a call in that began, came back or failed. Until a model says what it used, its call counts
    /// as unmetered: it may never come to that.
    pub(crate) fn take(&mut self, call: &Called, effect: &Effect) {
        let is_model = call.tool.is_none();
        let mut more = Self::default();
        match (effect, call.usage) {
            (Effect::Begun, _) => {
                more.usage.calls = 1;
                more.usage.unmetered = u64::from(is_model);
            }
            (_, None) => more.took_ms = call.took_ms,
            (_, Some(usage)) => {
                self.usage.unmetered = self.usage.unmetered.saturating_sub(u64::from(is_model));
                more = Self::new(usage, call.took_ms);
            }
        }
        *self += more;
    }
}

impl AddAssign for Used {
    fn add_assign(&mut self, more: Self) {
        self.usage += more.usage;
        self.took_ms = self.took_ms.saturating_add(more.took_ms);
    }
}

impl Sub for Used {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        let took_ms = self.took_ms.saturating_sub(less.took_ms);
        Self::new(self.usage - less.usage, took_ms)
    }
}
