//! What is wrong with a graph that was to be built: all of it, in one go.

use std::fmt;

use handoffs_core::Code;

/// Everything that is wrong with a graph, in the order of the codes.
///
/// ```
/// use handoffs_core::State;
/// use handoffs_runtime::{Execute, GraphBuilder, To};
///
/// # fn example<Ticket: State>(greet: impl Execute<Ticket>) {
/// let built = GraphBuilder::new("Greetings")
///     .node("greet", greet)
///     .start("gret")
///     .route("greet", "_", To::end())
///     .build();
/// assert_eq!(
///     built.unwrap_err().to_string(),
///     "the graph cannot be built\n\
///      H001: no node is named `gret`\n  help: did you mean `greet`?",
/// );
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Listed(.0))]
pub struct BuildErrors(pub(super) Vec<BuildError>);

/// One thing that is wrong with a graph that was to be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BuildError {
    code: Code,
    at: BuildPlace,
    message: String,
    help: String,
}

/// The part of a description to which a [`BuildError`] points. The numbers count the calls of the
/// builder's methods from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuildPlace {
    /// The graph as a whole.
    Graph,
    /// The name in `start`.
    Start,
    /// One of the names in `given`.
    Given(usize),
    /// A node, by the order in which they were added.
    Node(usize),
    /// A part of a `route`.
    Route(usize, RoutePart),
    /// A part of an `on_error`.
    OnError(usize, RoutePart),
    /// A `guard`.
    Guard(usize),
    /// A list of `items`.
    Items(usize),
    /// A `question`.
    Question(usize),
}

/// The part of a route to which a [`BuildError`] points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RoutePart {
    /// The node that it leaves.
    From,
    /// One of the outcomes on which it is taken, or all of them.
    Outcome,
    /// Its guard.
    Guard,
    /// Where it leads; of a fork the join.
    Target,
    /// One of the branches of a fork; of an `each` its worker.
    Branch(usize),
    /// The items of an `each`.
    Items,
    /// Where it leads once it is masked.
    Else,
    /// Where it leads if a field that its node needs is not set.
    Missing,
    /// Its limit.
    Limit,
    /// The bound on how many branches run at a time.
    Concurrency,
    /// The question before its handoff.
    Approval,
    /// One of the scopes that it grants.
    Grant(usize),
}

impl BuildErrors {
    /// Returns the errors in the order of their codes.
    pub fn iter(&self) -> std::slice::Iter<'_, BuildError> {
        self.0.iter()
    }

    /// Returns the codes of the errors, in order.
    pub fn codes(&self) -> Vec<Code> {
        self.iter().map(BuildError::code).collect()
    }
}

struct Listed<'a>(&'a [BuildError]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the graph cannot be built")?;
        for error in self.0 {
            write!(f, "\n{error}")?;
            if !error.help.is_empty() {
                write!(f, "\n  help: {}", error.help)?;
            }
        }
        Ok(())
    }
}

impl<'a> IntoIterator for &'a BuildErrors {
    type Item = &'a BuildError;
    type IntoIter = std::slice::Iter<'a, BuildError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for BuildErrors {
    type Item = BuildError;
    type IntoIter = std::vec::IntoIter<BuildError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl BuildError {
    pub(super) fn new(
        code: Code,
        at: BuildPlace,
        message: impl fmt::Display,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code,
            at,
            message: format!("{code}: {message}"),
            help: help.into(),
        }
    }

    /// Takes a message that begins with its code, and may end with a line of help.
    pub(super) fn worded(code: Code, at: BuildPlace, text: &str) -> Self {
        let (message, help) = text.split_once("\nhelp: ").unwrap_or((text, ""));
        Self {
            code,
            at,
            message: message.to_owned(),
            help: help.to_owned(),
        }
    }

    /// Puts another help in place of the one that the message brought.
    pub(super) fn or_help(mut self, help: Option<&str>) -> Self {
        if let Some(help) = help {
            help.clone_into(&mut self.help);
        }
        self
    }

    /// Returns the number of the rule.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the part of the description that is wrong.
    pub fn place(&self) -> BuildPlace {
        self.at
    }

    /// Returns what is wrong, beginning with the code.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns how to mend it; empty if there is nothing to add.
    pub fn help(&self) -> &str {
        &self.help
    }
}
