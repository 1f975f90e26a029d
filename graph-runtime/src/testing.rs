//! What tests of nodes, edges and graphs need.

mod context;
mod coverage;
mod log;
mod route;
mod scripted;
mod trial;

pub use context::TestContext;
pub use coverage::Coverage;
pub use log::RunLog;
pub use route::{Led, Shown, Unshown, assert_led};
pub use scripted::ScriptedNode;
pub use trial::{Decided, Trial, Tried};
