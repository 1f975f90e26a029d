//! What a node may do where it is: checked before it does it, with what is left of what it was granted.

use std::borrow::Cow;

use handoffs_core::{Grant, May};

use crate::context::Context;
use crate::engine::{Amounts, Hop};
use crate::journal::Charge;

/// What a tool, or a side effect, needs: a scope, and money at most.
///
/// ```
/// use handoffs_runtime::Needs;
///
/// let needs = Needs::scope("Refund").at_most(50_000_000);
/// assert_eq!(needs.to_string(), "`Refund`, and at most 50.000000");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Needs {
    /// The scope.
    pub scope: Cow<'static, str>,
    /// The most that a call costs, in millionths of the currency's unit.
    pub cost_micros: u64,
}

impl Needs {
    /// Needs a scope, and costs nothing.
    pub fn scope(scope: impl Into<Cow<'static, str>>) -> Self {
        Self {
            scope: scope.into(),
            cost_micros: 0,
        }
    }

    /// Costs so much at most, in millionths of the currency's unit.
    pub const fn at_most(mut self, cost_micros: u64) -> Self {
        self.cost_micros = cost_micros;
        self
    }

    pub(crate) fn charge(&self) -> Charge {
        Charge {
            scope: self.scope.clone(),
            reserved_micros: self.cost_micros,
            spent_micros: None,
        }
    }
}

impl std::fmt::Display for Needs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`", self.scope)?;
        match self.cost_micros {
            0 => Ok(()),
            cost => write!(f, ", and at most {}", Micros(cost)),
        }
    }
}

/// An amount of money, as a person reads it.
struct Micros(u64);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(micros) = self;
        write!(f, "{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

/// Why something may not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The node may not use the scope, whoever grants it.
    #[error("`{node}` may not use `{scope}`; add it to what the node may use")]
    #[non_exhaustive]
    NotUsed {
        /// The node.
        node: String,
        /// The scope.
        scope: Cow<'static, str>,
    },
    /// The node was not granted the scope on the way that the run took.
    #[error("`{node}` was not granted `{scope}` on the way that the run took")]
    #[non_exhaustive]
    NotGranted {
        /// The node.
        node: String,
        /// The scope.
        scope: Cow<'static, str>,
    },
    /// What was granted has ended.
    #[error("what `{node}` was granted has expired")]
    #[non_exhaustive]
    Expired {
        /// The node.
        node: String,
    },
    /// Less is left than it may cost.
    #[error("`{scope}` may cost {}, and {} is left of what `{node}` was granted", Micros(*.cost_micros), Micros(*.left_micros))]
    #[non_exhaustive]
    Spent {
        /// The node.
        node: String,
        /// The scope.
        scope: Cow<'static, str>,
        /// The most that it costs, in millionths of the currency's unit.
        cost_micros: u64,
        /// What is left.
        left_micros: u64,
    },
    /// No call is left.
    #[error("no call is left of what `{node}` was granted, so `{scope}` cannot be used")]
    #[non_exhaustive]
    NoCallLeft {
        /// The node.
        node: String,
        /// The scope.
        scope: Cow<'static, str>,
    },
}

/// What the node may do that is at work; [`Context::authority`] returns it.
#[derive(Clone, Copy, Debug)]
pub struct Authority<'a> {
    node: &'a str,
    held: Option<&'a Grant>,
    /// What the graph says that the node may do, if it has scopes.
    may: Option<&'a May>,
    now_ms: u64,
}

impl Authority<'_> {
    /// Returns what the node holds, with what is left of it; none in a graph without authority.
    pub const fn held(&self) -> Option<&Grant> {
        self.held
    }

    /// Checks that the node may do something now.
    ///
    /// Where a graph has no scopes, and nobody granted anything, it may.
    ///
    /// # Errors
    ///
    /// [`Denied`] says what is missing.
    pub fn check(&self, needs: &Needs) -> Result<(), Denied> {
        let node = || self.node.to_owned();
        let scope = || needs.scope.clone();
        if self.may.is_some_and(|may| !may.uses.contains(&needs.scope)) {
            let (node, scope) = (node(), scope());
            return Err(Denied::NotUsed { node, scope });
        }
        let Some(held) = self.held else {
            return match self.may {
                None => Ok(()),
                Some(_) => Err(Denied::NotGranted {
                    node: node(),
                    scope: scope(),
                }),
            };
        };
        if !held.has(&needs.scope) {
            let (node, scope) = (node(), scope());
            return Err(Denied::NotGranted { node, scope });
        }
        if held.expires_ms.is_some_and(|at| at <= self.now_ms) {
            return Err(Denied::Expired { node: node() });
        }
        if held.calls == Some(0) {
            let (node, scope) = (node(), scope());
            return Err(Denied::NoCallLeft { node, scope });
        }
        match held.spend_micros {
            Some(left_micros) if left_micros < needs.cost_micros => Err(Denied::Spent {
                node: node(),
                scope: scope(),
                cost_micros: needs.cost_micros,
                left_micros,
            }),
            _ => Ok(()),
        }
    }
}

impl Context<'_> {
    /// Returns what the node may do, and what is left of what it was granted.
    ///
    /// ```
    /// use handoffs_runtime::{Context, Needs, NodeError};
    ///
    /// fn may_refund(cx: &Context<'_>) -> Result<(), NodeError> {
    ///     cx.authority().check(&Needs::scope("Refund")).map_err(NodeError::new)
    /// }
    /// ```
    pub fn authority(&self) -> Authority<'_> {
        let (plan, node) = (self.course.plan, self.course.due());
        Authority {
            node: plan.name(node),
            held: self.course.engine.held(),
            may: plan.has_scopes().then(|| plan.may(node)),
            now_ms: self.scope.limits.clock.now_ms(),
        }
    }

    /// Takes what a graph within has left of what its node holds, ahead of the decision behind it.
    pub(crate) fn take_left(&mut self) -> Option<Amounts> {
        let left = self.left.take()?;
        self.course.engine.put(left);
        Some(left)
    }

    /// Notes what the node holds that is about to hand over, if somebody traces it.
    pub(crate) fn note_held(&mut self) {
        let held = self.course.engine.held();
        let held = held.filter(|_| crate::telemetry::is_traced());
        self.held_before = held.map(ToString::to_string);
    }

    /// Returns what the node holds to which a hop led.
    pub(crate) fn held_next(&self, hop: Hop) -> Option<Grant> {
        let is_there = !hop.forks && !hop.asks && hop.to.node().is_some();
        self.course.engine.held().filter(|_| is_there).cloned()
    }

    /// Returns what was held before a hop, and what is behind it, if somebody traces it.
    pub(crate) fn held_around(&self, hop: Hop) -> (Option<&str>, Option<Grant>) {
        let before = self.held_before.as_deref();
        (before, before.and_then(|_| self.held_next(hop)))
    }
}
