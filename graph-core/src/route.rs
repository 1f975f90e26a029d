//! Where a node's outcome leads: what an edge function returns.

use core::fmt;

/// Where an edge leads: to a node, or to the end of the run.
///
/// ```
/// use handoffs_core::Target;
///
/// assert_eq!(Target::Node("billing").to_string(), "billing");
/// assert_eq!(Target::<&str>::End.to_string(), "end");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an edge leads to a node or to the end; there is no third"
)]
pub enum Target<N> {
    /// To this node.
    Node(N),
    /// To the end of the run.
    End,
}

impl<N> Target<N> {
    /// Returns the node, or `None` for the end.
    pub fn node(self) -> Option<N> {
        match self {
            Self::Node(node) => Some(node),
            Self::End => None,
        }
    }

    /// Puts another name in the place of the node's.
    pub fn map<M>(self, rename: impl FnOnce(N) -> M) -> Target<M> {
        match self {
            Self::Node(node) => Target::Node(rename(node)),
            Self::End => Target::End,
        }
    }
}

impl<N: fmt::Display> fmt::Display for Target<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.fmt(f),
            Self::End => f.write_str("end"),
        }
    }
}

/// What an edge says: where to go, how often at most, and where to go instead after that.
///
/// A derived graph has an edge function for each node, `after_<node>(&state, &outcome)`, which
/// returns the route that the graph's own run would take. It is a plain value, so an edge is tested
/// with `assert_eq!`, without a runtime:
///
/// ```
/// use handoffs_core::Route;
///
/// let route = Route::to("triage").limit(2).or_else("human");
/// assert_eq!(route.to_string(), "triage(limit = 2, else = human)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route<N> {
    target: Target<N>,
    limit: Option<u32>,
    otherwise: Option<Target<N>>,
}

impl<N> Route<N> {
    /// Leads to `node`.
    pub const fn to(node: N) -> Self {
        Self {
            target: Target::Node(node),
            limit: None,
            otherwise: None,
        }
    }

    /// Ends the run.
    pub const fn end() -> Self {
        Self {
            target: Target::End,
            limit: None,
            otherwise: None,
        }
    }

    /// Allows the edge `times` times a run.
    pub fn limit(mut self, times: u32) -> Self {
        self.limit = Some(times);
        self
    }

    /// Names the node to go to once the edge is masked.
    pub fn or_else(mut self, node: N) -> Self {
        self.otherwise = Some(Target::Node(node));
        self
    }

    /// Ends the run once the edge is masked.
    pub fn or_end(mut self) -> Self {
        self.otherwise = Some(Target::End);
        self
    }

    /// Builds a route of all its parts; the derive writes its tables with this.
    #[doc(hidden)]
    pub const fn __new(
        target: Target<N>,
        limit: Option<u32>,
        otherwise: Option<Target<N>>,
    ) -> Self {
        Self {
            target,
            limit,
            otherwise,
        }
    }

    /// Returns where the edge leads.
    pub const fn target(&self) -> &Target<N> {
        &self.target
    }

    /// Returns how many times a run may take the edge, if there is a limit.
    pub const fn times(&self) -> Option<u32> {
        self.limit
    }

    /// Returns where the run goes once the edge is masked, if the edge says so.
    pub const fn otherwise(&self) -> Option<&Target<N>> {
        self.otherwise.as_ref()
    }

    /// Puts other names in the place of the nodes'.
    pub fn map<M>(self, mut rename: impl FnMut(N) -> M) -> Route<M> {
        Route {
            target: self.target.map(&mut rename),
            limit: self.limit,
            otherwise: self.otherwise.map(|target| target.map(&mut rename)),
        }
    }
}

impl<N: fmt::Display> fmt::Display for Route<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            limit,
            otherwise,
        } = self;
        match (limit, otherwise) {
            (None, None) => write!(f, "{target}"),
            (Some(limit), None) => write!(f, "{target}(limit = {limit})"),
            (None, Some(otherwise)) => write!(f, "{target}(else = {otherwise})"),
            (Some(limit), Some(otherwise)) => {
                write!(f, "{target}(limit = {limit}, else = {otherwise})")
            }
        }
    }
}
