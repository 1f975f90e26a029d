//! What the topology knows of a node: what a reader of a drawing would ask.

use std::borrow::Cow;
use std::fmt;

use super::Topology;
use crate::authority::May;

/// A node's place in its topology, in the order of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub u16);

impl NodeIndex {
    pub(crate) fn slot(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for NodeIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who does a node's work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeKind {
    /// A program does: a function, a type with a `run`, an agent.
    #[default]
    Task,
    /// A person does: the run pauses until the answer is there.
    Human,
    /// Another graph does.
    Graph,
}

/// A node as the topology knows it.
///
/// ```
/// use handoffs_core::{NodeKind, NodeShape};
///
/// let desk = NodeShape::new("human").doc("Somebody who can help.").kind(NodeKind::Human);
/// assert_eq!(desk.name, "human");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NodeShape {
    /// The node's name, the field's in a derived graph.
    pub name: Cow<'static, str>,
    /// The first line of its documentation, if it has any.
    pub doc: Cow<'static, str>,
    /// Who does the work.
    pub kind: NodeKind,
    /// The graph that does the work, if one does and its shape is known.
    pub inner: Option<Box<Topology>>,
    /// The names that the node had in older versions of the graph.
    pub renamed_from: Vec<Cow<'static, str>>,
    /// What the node may do, and let others do, in a graph that has scopes.
    pub may: May,
}

impl NodeShape {
    /// Names a node that has no documentation and is not a person.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            doc: Cow::Borrowed(""),
            kind: NodeKind::Task,
            inner: None,
            renamed_from: Vec::new(),
            may: May::new(),
        }
    }

    /// Says what the node may do, and let others do.
    ///
    /// ```
    /// use handoffs_core::{May, NodeShape};
    ///
    /// let desk = NodeShape::new("billing").may(May::new().uses(["Refund"]));
    /// assert!(desk.may.names("Refund"));
    /// ```
    pub fn may(mut self, may: May) -> Self {
        self.may = may;
        self
    }

    /// Adds a name that the node had in an older version of the graph: what a journal keeps under that
    /// name is this node's. It can be taken away when no thread with entries of the old name is to be
    /// run any more.
    ///
    /// ```
    /// use handoffs_core::NodeShape;
    ///
    /// let desk = NodeShape::new("triage").renamed_from("intake");
    /// assert_eq!(desk.renamed_from, ["intake"]);
    /// ```
    pub fn renamed_from(mut self, old: impl Into<Cow<'static, str>>) -> Self {
        self.renamed_from.push(old.into());
        self
    }

    /// Adds the first line of the documentation.
    pub fn doc(mut self, doc: impl Into<Cow<'static, str>>) -> Self {
        self.doc = doc.into();
        self
    }

    /// Says who does the work.
    pub fn kind(mut self, kind: NodeKind) -> Self {
        self.kind = kind;
        self
    }

    /// Says which graph does the work.
    ///
    /// ```
    /// use handoffs_core::{NodeKind, NodeShape, Topology};
    ///
    /// let desk = NodeShape::new("billing").inner(Topology::new("Billing"));
    /// assert_eq!(desk.kind, NodeKind::Graph);
    /// ```
    pub fn inner(mut self, graph: Topology) -> Self {
        self.kind = NodeKind::Graph;
        self.inner = Some(Box::new(graph));
        self
    }
}
