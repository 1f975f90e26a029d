//! The macros, documented where they are re-exported, so that their examples compile.

/// Makes a struct the state of a graph.
#[doc(inline)]
pub use handoffs_macros::State;

/// Makes an enum what a node can conclude.
#[doc(inline)]
pub use handoffs_macros::Outcome;

/// Makes a struct a graph.
#[doc(inline)]
pub use handoffs_macros::AgentGraph;

/// Makes a function or an `impl` block a node.
#[doc(inline)]
pub use handoffs_macros::node;
