//! A small support desk with a command line: the commands of `handoffs`, and those that need its graphs.
//!
//! ```text
//! export HANDOFFS_JOURNAL=desk.db
//! cargo run --features cli --example desk -- check
//! cargo run --features cli --example desk -- run Desk --thread bo --state '{"question": "charged twice"}'
//! cargo run --features cli --example desk -- inbox
//! cargo run --features cli --example desk -- resume bo 3 '"approved"'
//! cargo run --features cli --example desk -- replay
//! ```

mod graph;

use graph::{Desk, Report, desk};

handoffs::cli::main!(Desk = desk(), Report);
