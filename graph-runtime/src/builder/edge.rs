//! An edge by names: when it is taken, and where it leads.

use std::borrow::Cow;

use handoffs_core::{Grant, Route};

use super::name::NodeName;

/// When an edge of a built graph is taken: on which outcomes, and under which guard.
///
/// A text stands for the outcome of that name, and `_` for any.
///
/// ```
/// use handoffs_runtime::On;
///
/// assert_eq!(On::from("Billing"), On::outcome("Billing"));
/// assert_eq!(On::from("_"), On::any());
/// assert_eq!(On::any_of(["Done", "Paid"]).when("is_small").to_string(), "Done | Paid if is_small");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct On {
    /// The names of the outcomes; none if any will do.
    pub(super) outcomes: Vec<String>,
    pub(super) guard: Option<String>,
    shown: Option<String>,
}

impl On {
    /// Takes the edge on any outcome that no route before it takes.
    pub const fn any() -> Self {
        Self {
            outcomes: Vec::new(),
            guard: None,
            shown: None,
        }
    }

    /// Takes the edge on the outcome of this name.
    pub fn outcome(name: impl Into<String>) -> Self {
        Self::any_of([name])
    }

    /// Takes the edge on each of these outcomes; with none of them, it is [`On::any`].
    pub fn any_of(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            outcomes: names.into_iter().map(Into::into).collect(),
            ..Self::any()
        }
    }

    /// Takes it only if the guard of this name holds as well.
    pub fn when(mut self, guard: impl Into<String>) -> Self {
        self.guard = Some(guard.into());
        self
    }

    /// Says how the outcomes are written in drawings, and in what a journal knows the graph by.
    ///
    /// A derived graph writes them as patterns; with the same texts, a built graph is the same graph.
    pub fn shown(mut self, text: impl Into<String>) -> Self {
        self.shown = Some(text.into());
        self
    }

    /// Returns the outcomes as they are written.
    pub(super) fn text(&self) -> Cow<'static, str> {
        match &self.shown {
            Some(text) => text.clone().into(),
            None if self.outcomes.is_empty() => "_".into(),
            None => self.outcomes.join(" | ").into(),
        }
    }
}

impl From<&str> for On {
    fn from(name: &str) -> Self {
        if name == "_" {
            Self::any()
        } else {
            Self::outcome(name)
        }
    }
}

impl std::fmt::Display for On {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())?;
        match &self.guard {
            Some(guard) => write!(f, " if {guard}"),
            None => Ok(()),
        }
    }
}

/// Where an edge of a built graph leads, by the names of nodes: a [`Route`] whose nodes are texts of
/// any kind.
///
/// ```
/// use handoffs_runtime::To;
///
/// let to = To::node("triage").limit(2).or_else(String::from("human"));
/// assert_eq!(to.to_string(), "triage(limit = 2, else = human)");
///
/// let to = To::all(["web", "papers"], "write").concurrency(2);
/// assert_eq!(to.to_string(), "all(web, papers) join write(concurrency = 2)");
///
/// let to = To::each("questions", "research", "write").or_end();
/// assert_eq!(to.to_string(), "each(questions) research join write(else = end)");
///
/// assert_eq!(To::back().limit(2).to_string(), "back(limit = 2)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct To {
    pub(super) route: Route<NodeName>,
    /// Where to go if a field that the node needs is not set.
    pub(super) missing: Option<NodeName>,
}

impl To {
    /// Leads to a node; `end` is the end of the run.
    pub fn node(name: impl Into<NodeName>) -> Self {
        Self::along(Route::to(name.into()))
    }

    /// Ends the run.
    pub const fn end() -> Self {
        Self::along(Route::end())
    }

    /// Leads back to whoever handed over to the node.
    pub const fn back() -> Self {
        Self::along(Route::back())
    }

    /// Forks into a branch for each of these nodes; the run goes on at `join` once all are there.
    pub fn all(
        branches: impl IntoIterator<Item = impl Into<NodeName>>,
        join: impl Into<NodeName>,
    ) -> Self {
        let branches: Vec<NodeName> = branches.into_iter().map(Into::into).collect();
        Self::along(Route::all(branches, join.into()))
    }

    /// Forks into a branch for each item of the list of this name, all of which begin at `worker`;
    /// the run goes on at `join` once all are there.
    pub fn each(
        items: impl Into<String>,
        worker: impl Into<NodeName>,
        join: impl Into<NodeName>,
    ) -> Self {
        Self::along(Route::each(items.into(), worker.into(), join.into()))
    }

    /// Allows the edge `times` times a run.
    pub fn limit(self, times: u32) -> Self {
        self.with(|route| route.limit(times))
    }

    /// Lets a person approve each handoff before it is made, to whom the
    /// [question](crate::GraphBuilder::question) of this name is put. One that is refused takes the
    /// `else`, which has to be there; only a handoff to a node can be approved.
    pub fn approve(self, question: impl Into<String>) -> Self {
        self.with(|route| route.approve(question.into()))
    }

    /// Grants authority to whoever is handed over to: by the target, the branches, or the `else`.
    pub fn grant(self, grant: Grant) -> Self {
        self.with(|route| route.grant(grant))
    }

    /// Lets at most so many branches of a fork run at a time. It means nothing on any other edge.
    pub fn concurrency(self, branches: u32) -> Self {
        self.with(|route| route.concurrency(branches))
    }

    /// Names the node to go to once the edge is masked, or refused; `end` is the end of the run.
    pub fn or_else(self, node: impl Into<NodeName>) -> Self {
        self.with(|route| route.or_else(node.into()))
    }

    /// Ends the run once the edge is masked.
    pub fn or_end(self) -> Self {
        self.with(Route::or_end)
    }

    /// Names the node to go to if a field that the edge's node needs is not set; `end` is the end of the
    /// run. So a path on which nobody is sure to have set the field is no mistake (H007).
    ///
    /// It stands for an edge of its own before this one, on the same outcomes: what else is said here, of a
    /// limit or of a person's approval, is not said of that.
    ///
    /// ```
    /// use handoffs_runtime::To;
    ///
    /// let to = To::node("billing").limit(2).or_end().missing("look_up");
    /// assert_eq!(to.to_string(), "billing(limit = 2, else = end, missing = look_up)");
    /// ```
    pub fn missing(mut self, node: impl Into<NodeName>) -> Self {
        self.missing = Some(node.into());
        self
    }

    const fn along(route: Route<NodeName>) -> Self {
        Self {
            route,
            missing: None,
        }
    }

    fn with(self, change: impl FnOnce(Route<NodeName>) -> Route<NodeName>) -> Self {
        Self {
            route: change(self.route),
            ..self
        }
    }
}

impl<N: Clone + Into<NodeName>> From<Route<N>> for To {
    fn from(route: Route<N>) -> Self {
        Self::along(route.map(Into::into))
    }
}

impl std::fmt::Display for To {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(missing) = &self.missing else {
            return self.route.fmt(f);
        };
        let (route, destination) = (self.route.to_string(), self.route.destination());
        match route.strip_suffix(')').filter(|_| route != destination) {
            Some(options) => write!(f, "{options}, missing = {missing})"),
            None => write!(f, "{destination}(missing = {missing})"),
        }
    }
}
