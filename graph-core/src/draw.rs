//! Drawings of a graph, as text for other programs to render, for a page and for a terminal.
//!
//! A drawing is kept in the user's repository and compared with the graph in a test, so each writer
//! is deterministic and a small change of the graph is a small change of the text. What all of them
//! show stands in `scene`; where it goes in a picture, in `layout`.

mod ascii;
mod dot;
mod layout;
mod mermaid;
mod scene;
mod svg;
mod text;
mod trail;

pub use ascii::Ascii;
pub use dot::{Dot, DotError};
pub use mermaid::Mermaid;
pub use svg::Svg;
pub use trail::Trail;

/// The colours of loops, which are legible on a light and on a dark ground; of more loops than
/// colours, some share one.
const LAPS: [&str; 6] = [
    "#218bff", "#bf8700", "#2da44e", "#a475f9", "#1b9aaa", "#e16f24",
];

/// The colour of errors.
const ERROR: &str = "#e5534b";

/// The colour of what a thread did not come to.
const IDLE: &str = "#afb8c1";

/// Returns the colour of a loop.
fn lap_color(lap: usize) -> &'static str {
    LAPS[lap % LAPS.len()]
}
