//! One arm of a route, and the two ways on which it can lead.

use std::borrow::Cow;
use std::fmt;

use crate::route::Route;

/// An edge's place in its topology, in the order of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeIndex(pub u16);

impl EdgeIndex {
    pub(crate) fn slot(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for EdgeIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One of the ways on which an edge leads: to its target, which of a fork is the join, to a branch of
/// a fork, or, once it is masked, to its `else`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Way {
    /// The edge.
    pub edge: EdgeIndex,
    /// Whether this is the way to the `else`.
    pub is_else: bool,
    /// The place of the branch among those of the edge's fork, if it is the way to one.
    pub branch: Option<usize>,
}

/// The guard of an edge that is taken if a field is missing. No function has such a name.
const MISSING: &str = "a field is missing";

/// Returns whether a guard of this name is that of an edge which is taken if a field is missing.
#[doc(hidden)]
pub fn reads_as_missing(guard: &str) -> bool {
    guard.ends_with(MISSING)
}

/// What an edge says that leads back after an error.
pub(crate) const BACK: &str = "error, back";

/// One arm of a route: from a node, on an outcome or on an error, to a target.
///
/// ```
/// use handoffs_core::{Edge, Route};
///
/// let edge = Edge::new("triage", "Triaged::Access", Route::to("access")).guard("knows_account");
/// assert_eq!(edge.label(), "Triaged::Access if knows_account");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Edge<N> {
    /// The node whose outcome is matched.
    pub from: N,
    /// The pattern that the outcome matches, as the user wrote it; `error` if it is taken on an error.
    pub on: Cow<'static, str>,
    /// The variants of the outcome that the pattern names; none if it may match any.
    pub outcomes: Cow<'static, [Cow<'static, str>]>,
    /// The name of the guard that must hold as well.
    pub guard: Option<Cow<'static, str>>,
    /// Where the edge leads.
    pub route: Route<N>,
    /// Whether it is taken when the node has failed for good.
    pub on_error: bool,
}

impl<N> Edge<N> {
    /// Leads from a node, on an outcome, on a route.
    pub fn new(from: N, on: impl Into<Cow<'static, str>>, route: Route<N>) -> Self {
        Self {
            from,
            on: on.into(),
            outcomes: Cow::Borrowed(&[]),
            guard: None,
            route,
            on_error: false,
        }
    }

    /// Leads from a node that has failed for good, on a route.
    ///
    /// ```
    /// use handoffs_core::{Edge, Route};
    ///
    /// let edge = Edge::on_error("search", Route::to("human"));
    /// assert_eq!(edge.label(), "error");
    /// ```
    pub const fn on_error(from: N, route: Route<N>) -> Self {
        Self {
            from,
            on: Cow::Borrowed(if route.is_back() { BACK } else { "error" }),
            outcomes: Cow::Borrowed(&[]),
            guard: None,
            route,
            on_error: true,
        }
    }

    /// Leads a node that has failed for good back to whoever handed over to it: it is taken only if that
    /// is where its route leads.
    ///
    /// ```
    /// use handoffs_core::{Edge, Route};
    ///
    /// let edge = Edge::back("search", Route::to("plan").limit(1).or_else("human"));
    /// assert!(edge.on_error && edge.is_back());
    /// ```
    pub const fn back(from: N, route: Route<N>) -> Self {
        Self::on_error(from, route.__back())
    }

    /// Returns whether this edge leads back to whoever handed over to its node.
    pub const fn is_back(&self) -> bool {
        self.route.is_back()
    }

    /// Says which variants of the outcome the pattern names.
    ///
    /// ```
    /// use handoffs_core::{Edge, Route};
    ///
    /// let edge = Edge::new("triage", "Triaged::Access", Route::to("access")).outcomes(["Access"]);
    /// assert!(edge.may_match("Access") && !edge.may_match("Billing"));
    /// ```
    pub fn outcomes(
        mut self,
        variants: impl IntoIterator<Item = impl Into<Cow<'static, str>>>,
    ) -> Self {
        self.outcomes = variants.into_iter().map(Into::into).collect();
        self
    }

    /// Returns whether an outcome of this variant may match the pattern. None matches that of an error.
    pub fn may_match(&self, variant: &str) -> bool {
        let is_named = self.outcomes.iter().any(|outcome| outcome == variant);
        !self.on_error && (self.outcomes.is_empty() || is_named)
    }

    /// Names the guard that must hold as well.
    pub fn guard(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.guard = Some(name.into());
        self
    }

    /// Takes the edge only if a field is missing that the node of the edge behind it needs.
    ///
    /// ```
    /// use handoffs_core::{Edge, Route};
    ///
    /// let edge = Edge::new("triage", "Triaged::Billing", Route::to("look_up")).if_missing();
    /// assert_eq!(edge.label(), "Triaged::Billing if a field is missing");
    ///
    /// let edge = Edge::new("triage", "_", Route::to("look_up")).guard("is_open").if_missing();
    /// assert_eq!(edge.label(), "_ if is_open and a field is missing");
    /// ```
    pub fn if_missing(mut self) -> Self {
        self.guard = Some(match self.guard {
            None => Cow::Borrowed(MISSING),
            Some(guard) => Cow::Owned(format!("{guard} and {MISSING}")),
        });
        self
    }

    /// Puts other names in the place of the nodes'.
    pub fn map<M>(self, mut rename: impl FnMut(N) -> M) -> Edge<M>
    where
        N: Clone,
    {
        Edge {
            from: rename(self.from),
            on: self.on,
            outcomes: self.outcomes,
            guard: self.guard,
            route: self.route.map(rename),
            on_error: self.on_error,
        }
    }

    /// Returns the condition as one reads it: the pattern, and the guard if there is one.
    pub fn label(&self) -> Cow<'_, str> {
        match &self.guard {
            None => Cow::Borrowed(&self.on),
            Some(guard) => Cow::Owned(format!("{} if {guard}", self.on)),
        }
    }
}
