//! Why there is no evaluation.

use std::error::Error;
use std::path::PathBuf;

use crate::UnknownNode;

use super::case::Place;

/// Why there is no evaluation. What a node fails with is none of these: it stands in the
/// [`Report`](super::Report).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The graph has no such node.
    #[error("{0}; {help}", help = .0.help())]
    Node(UnknownNode),
    /// A file is missing or may not be read or written.
    #[error("cannot {doing} `{path}`", path = .path.display())]
    #[non_exhaustive]
    File {
        /// What was to be done: `read the cases in`, `write the report to`.
        doing: &'static str,
        /// The file as it was named.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A case cannot be read.
    #[error("{place}: {problem}")]
    #[non_exhaustive]
    Case {
        /// Where it stands.
        place: Place,
        /// What is wrong with it.
        problem: String,
    },
    /// A case of which the user's own function makes nothing.
    #[error("{place}: {reason}")]
    #[non_exhaustive]
    Refused {
        /// Where it stands.
        place: Place,
        /// What the function says.
        reason: Box<dyn Error + Send + Sync>,
    },
    /// A case expects what no run can come to.
    #[error("{place}: `{graph}` has no node `{expected}`; {help}")]
    #[non_exhaustive]
    Target {
        /// Where it stands.
        place: Place,
        /// The graph.
        graph: String,
        /// What the case expects.
        expected: String,
        /// What may have been meant, and the names of the nodes.
        help: String,
    },
    /// There are no cases.
    #[error("there is no case to judge `{node}` by")]
    #[non_exhaustive]
    Empty {
        /// The node.
        node: String,
    },
    /// A report that was kept cannot be read.
    #[error("`{path}` holds no report of an evaluation: {problem}", path = .path.display())]
    #[non_exhaustive]
    Kept {
        /// The file as it was named.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The report to compare with is of another node.
    #[error("a report of `{theirs}` cannot be compared with one of `{ours}`")]
    #[non_exhaustive]
    Other {
        /// The node of this report.
        ours: String,
        /// The node of the other.
        theirs: String,
    },
}

impl From<UnknownNode> for EvalError {
    fn from(unknown: UnknownNode) -> Self {
        Self::Node(unknown)
    }
}
