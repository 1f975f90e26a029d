//! Drawings of a graph, as text for other programs to render.
//!
//! A drawing is kept in the user's repository and compared with the graph in a test, so each writer
//! is deterministic and a small change of the graph is a small change of the text.

mod dot;

pub use dot::Dot;
