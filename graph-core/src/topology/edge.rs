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

/// One of the ways on which an edge leads: to its target, or, once it is masked, to its `else`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Way {
    /// The edge.
    pub edge: EdgeIndex,
    /// Whether this is the way to the `else`.
    pub is_else: bool,
}

/// One arm of a route: from a node, on an outcome, to a target.
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
    /// The pattern that the outcome matches, as the user wrote it.
    pub on: Cow<'static, str>,
    /// The name of the guard that must hold as well.
    pub guard: Option<Cow<'static, str>>,
    /// Where the edge leads.
    pub route: Route<N>,
}

impl<N> Edge<N> {
    /// Leads from a node, on an outcome, on a route.
    pub fn new(from: N, on: impl Into<Cow<'static, str>>, route: Route<N>) -> Self {
        Self {
            from,
            on: on.into(),
            guard: None,
            route,
        }
    }

    /// Builds an edge of all its parts; the derive writes its tables with this.
    #[doc(hidden)]
    pub const fn __new(
        from: N,
        on: &'static str,
        guard: Option<&'static str>,
        route: Route<N>,
    ) -> Self {
        let guard = match guard {
            Some(guard) => Some(Cow::Borrowed(guard)),
            None => None,
        };
        Self {
            from,
            on: Cow::Borrowed(on),
            guard,
            route,
        }
    }

    /// Names the guard that must hold as well.
    pub fn guard(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.guard = Some(name.into());
        self
    }

    /// Puts other names in the place of the nodes'.
    pub fn map<M>(self, mut rename: impl FnMut(N) -> M) -> Edge<M> {
        Edge {
            from: rename(self.from),
            on: self.on,
            guard: self.guard,
            route: self.route.map(rename),
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
