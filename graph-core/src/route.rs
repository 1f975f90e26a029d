//! Where a node's outcome leads: what an edge function returns.

mod fork;

pub use fork::{Branches, Fork};

use core::fmt;
use std::borrow::Cow;

use crate::authority::Grant;

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
///
/// let route = Route::all(["web", "papers"], "summary").or_end().concurrency(2);
/// assert_eq!(route.to_string(), "all(web, papers) join summary(else = end, concurrency = 2)");
///
/// let route = Route::to("pay").approve("large_refund").or_else("escalate");
/// assert_eq!(route.to_string(), "pay(approve = large_refund, else = escalate)");
///
/// let route = Route::<&str>::back().limit(2).or_end();
/// assert_eq!(route.to_string(), "back(limit = 2, else = end)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route<N> {
    /// The join, if it is a fork.
    target: Target<N>,
    /// Whether it leads back to whoever handed over; the target is then that node, once it is known.
    back: bool,
    fork: Option<Fork<N>>,
    limit: Option<u32>,
    /// The name of the function that says what a person is asked before the handoff.
    approve: Option<Cow<'static, str>>,
    otherwise: Option<Target<N>>,
    grant: Option<Grant>,
}

impl<N> Route<N> {
    /// Leads to `node`.
    pub const fn to(node: N) -> Self {
        Self::__new(Target::Node(node), None, None)
    }

    /// Ends the run.
    pub const fn end() -> Self {
        Self::__new(Target::End, None, None)
    }

    /// Leads back to whoever handed over to the node, as an edge function says: who that was, only a
    /// run knows.
    ///
    /// ```
    /// use handoffs_core::Route;
    ///
    /// assert_eq!(Route::<&str>::back().to_string(), "back");
    /// ```
    pub const fn back() -> Self {
        Self::end().__back()
    }

    /// Leads back to `node`, which hands over to the node that the edge leaves. A graph has one such
    /// edge for each node that does.
    ///
    /// ```
    /// use handoffs_core::{Route, Target};
    ///
    /// let route = Route::back_to("triage").limit(2);
    /// assert_eq!(route.to_string(), "back(limit = 2)");
    /// assert_eq!(route.target(), &Target::Node("triage"));
    /// ```
    pub const fn back_to(node: N) -> Self {
        Self::to(node).__back()
    }

    /// Forks into a branch for each of these nodes; the run goes on at `join` once all are there.
    ///
    /// ```
    /// use handoffs_core::{Route, Target};
    ///
    /// let route = Route::all(["web", "papers"], "summary");
    /// assert_eq!(route.target(), &Target::Node("summary"));
    /// assert_eq!(route.fork().unwrap().entries(), ["web", "papers"]);
    /// ```
    pub fn all(branches: impl IntoIterator<Item = N>, join: N) -> Self {
        Self::forked(Branches::All(branches.into_iter().collect()), join)
    }

    /// Forks into a branch for each item, all of which begin at `worker`; `items` is the name of the
    /// function that lists them. The run goes on at `join` once all are there, at once if there are
    /// none.
    ///
    /// ```
    /// use handoffs_core::Route;
    ///
    /// let route = Route::each("questions", "research", "summary");
    /// assert_eq!(route.to_string(), "each(questions) research join summary");
    /// ```
    pub fn each(items: impl Into<Cow<'static, str>>, worker: N, join: N) -> Self {
        let items = items.into();
        Self::forked(Branches::Each { items, worker }, join)
    }

    fn forked(branches: Branches<N>, join: N) -> Self {
        Self::to(join).forking(branches)
    }

    /// Forks the route, which leads to the join.
    pub(crate) fn forking(mut self, branches: Branches<N>) -> Self {
        self.fork = Some(Fork::new(branches));
        self
    }

    /// Allows the edge `times` times a run.
    pub fn limit(mut self, times: u32) -> Self {
        self.limit = Some(times);
        self
    }

    /// Lets a person approve each handoff before it is made; `question` is the name of the function
    /// that says what the person is asked. One that is refused takes the `else`, which has to be there.
    ///
    /// Only a handoff to a node can be approved, which [`check`](crate::check()) makes sure of.
    ///
    /// ```
    /// use handoffs_core::Route;
    ///
    /// let route = Route::to("pay").approve("large_refund").or_else("escalate");
    /// assert_eq!(route.approval(), Some("large_refund"));
    /// ```
    pub fn approve(mut self, question: impl Into<Cow<'static, str>>) -> Self {
        self.approve = Some(question.into());
        self
    }

    /// Grants authority to whoever is handed over to: by the target, the branches, or the `else`. Without
    /// it nothing is passed on, in a graph that has [scopes](crate::Scope).
    ///
    /// ```
    /// use handoffs_core::{Grant, Route};
    ///
    /// let route = Route::to("billing").limit(2).grant(Grant::of(["Refund"]).calls(3));
    /// assert_eq!(route.to_string(), "billing(limit = 2, grant(Refund, calls = 3))");
    /// ```
    pub fn grant(mut self, grant: Grant) -> Self {
        self.grant = Some(grant);
        self
    }

    /// Lets at most so many branches of a fork run at a time. It means nothing on any other route.
    pub fn concurrency(mut self, branches: u32) -> Self {
        if let Some(fork) = &mut self.fork {
            fork.concurrency = Some(branches);
        }
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

    /// Builds a route of its most common parts.
    #[doc(hidden)]
    pub const fn __new(
        target: Target<N>,
        limit: Option<u32>,
        otherwise: Option<Target<N>>,
    ) -> Self {
        Self::__full(target, false, None, limit, None, otherwise, None)
    }

    /// Builds a route of all its parts.
    #[doc(hidden)]
    pub const fn __full(
        target: Target<N>,
        back: bool,
        fork: Option<Fork<N>>,
        limit: Option<u32>,
        approve: Option<Cow<'static, str>>,
        otherwise: Option<Target<N>>,
        grant: Option<Grant>,
    ) -> Self {
        Self {
            target,
            back,
            fork,
            limit,
            approve,
            otherwise,
            grant,
        }
    }

    /// Makes a route one that leads back.
    #[doc(hidden)]
    pub const fn __back(mut self) -> Self {
        self.back = true;
        self
    }

    /// Returns whether the edge leads back to whoever handed over.
    pub const fn is_back(&self) -> bool {
        self.back
    }

    /// Returns where the edge leads; of a fork it is the join.
    pub const fn target(&self) -> &Target<N> {
        &self.target
    }

    /// Returns the branches, if the edge is a fork.
    pub const fn fork(&self) -> Option<&Fork<N>> {
        self.fork.as_ref()
    }

    /// Returns how many times a run may take the edge, if there is a limit.
    pub const fn times(&self) -> Option<u32> {
        self.limit
    }

    /// Returns the name of the function that says what a person is asked, if one has to approve.
    pub fn approval(&self) -> Option<&str> {
        self.approve.as_deref()
    }

    /// Returns what the edge grants, if it grants something.
    pub const fn granted(&self) -> Option<&Grant> {
        self.grant.as_ref()
    }

    /// Returns where the run goes once the edge is masked, or refused, if the edge says so.
    pub const fn otherwise(&self) -> Option<&Target<N>> {
        self.otherwise.as_ref()
    }

    /// Puts other names in the place of the nodes'.
    pub fn map<M>(self, mut rename: impl FnMut(N) -> M) -> Route<M>
    where
        N: Clone,
    {
        Route {
            target: self.target.map(&mut rename),
            back: self.back,
            fork: self.fork.map(|fork| fork.map(&mut rename)),
            limit: self.limit,
            approve: self.approve,
            otherwise: self.otherwise.map(|target| target.map(&mut rename)),
            grant: self.grant,
        }
    }

    /// Returns the same route as it is written: what leads back does not say to whom.
    #[doc(hidden)]
    pub fn __as_written(self) -> Self {
        let target = if self.back { Target::End } else { self.target };
        Self { target, ..self }
    }

    /// Returns the same route, which leads back, to this node.
    pub(crate) fn towards(&self, node: N) -> Self
    where
        N: Clone,
    {
        Self {
            target: Target::Node(node),
            ..self.clone()
        }
    }

    /// Returns the same route with another limit and another `else`.
    pub(crate) fn bounded(&self, limit: Option<u32>, otherwise: Option<Target<N>>) -> Self
    where
        N: Clone,
    {
        Self {
            limit,
            otherwise,
            ..self.clone()
        }
    }
}

impl<N: fmt::Display> Route<N> {
    /// Returns where it leads, without its limit and other options.
    ///
    /// ```
    /// use handoffs_core::Route;
    ///
    /// assert_eq!(Route::to("triage").limit(2).or_end().destination(), "triage");
    /// let route = Route::all(["web", "papers"], "summary").concurrency(2);
    /// assert_eq!(route.destination(), "all(web, papers) join summary");
    /// ```
    pub fn destination(&self) -> String {
        let target = &self.target;
        if self.back {
            return "back".to_owned();
        }
        self.fork.as_ref().map_or_else(
            || target.to_string(),
            |fork| format!("{} join {target}", fork.branches),
        )
    }
}

impl<N: fmt::Display> fmt::Display for Route<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.destination())?;
        let concurrency = self.fork.as_ref().and_then(|fork| fork.concurrency);
        let options = [
            self.limit.map(|limit| format!("limit = {limit}")),
            self.approve
                .as_ref()
                .map(|question| format!("approve = {question}")),
            self.grant.as_ref().map(ToString::to_string),
            self.otherwise.as_ref().map(|to| format!("else = {to}")),
            concurrency.map(|most| format!("concurrency = {most}")),
        ];
        let options: Vec<_> = options.into_iter().flatten().collect();
        if options.is_empty() {
            Ok(())
        } else {
            write!(f, "({})", options.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
