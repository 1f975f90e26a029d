//! What an agent graph is, and whether it is right.
//!
//! This crate is the part of [`handoffs`](https://docs.rs/handoffs) that the macros and the runtime
//! share. It knows no async runtime, no I/O and no clock. Use it through the facade.

mod authority;
mod fingerprint;
mod log;
mod merge;
mod probe;
mod state;
mod undo;

mod contract;
mod decode;
mod flow;
mod nested;
mod node;
mod once;
mod outcome;
mod route;

mod check;
pub mod diff;
mod draw;
mod graph;
mod topology;

pub use authority::{Grant, May, Scope, ScopeShape};
pub use check::{Code, Finding, Place, UnknownNode, check, max_handoffs, max_visits, nearest};
pub use contract::{Contract, FieldSet};
pub use draw::{Ascii, Dot, DotError, Mermaid, Svg, Trail};
pub use fingerprint::fingerprint;
pub use graph::{AgentGraph, GraphNode};
pub use log::{Iter as LogIter, Log};
pub use merge::{Counter, Max, Merge, Min};
pub use node::{Access, AccessMut, Node, Out, Replace, Worker};
pub use outcome::{Outcome, Payload, Variant, VariantField};
pub use route::{Branches, Fork, Route, Target};
pub use state::{Field, FieldSource, FieldValue, State};
pub use topology::{
    Edge, EdgeIndex, NodeIndex, NodeKind, NodeShape, Region, Regions, Topology, Way,
};

/// What the macros' output is made of. No part of the public API: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::decode::{Recall, Unrecalled, recall};
    pub use crate::fingerprint::is_lost_in_json;
    pub use crate::flow::{
        Flow, FlowBranch, FlowEdge, FlowFork, Found, Gift, Hand, Message, Promise, contracts,
    };
    pub use crate::graph::{node_at, route_of};
    pub use crate::nested::{all_handoffs, leaves};
    pub use crate::node::{Change, Compared, Draft, Uncompared, gives, needs, needs_mut, replaces};
    pub use crate::once::{
        Carried, Carry, Fetch, Fit, Handed, Kept, Load, Returned, Schemed, Take, Uncarried,
        Unconcluded, Unfetched, Unloaded, Unschemed, Untaken,
    };
    pub use crate::outcome::{Conclusion, no_variant};
    pub use crate::probe::{
        Copied, Joined, Loaded, Loading, Merged, Merging, Needed, Plain, Probe, Spare, Uncopied,
        Unkeepable, Unkept, Unmerged, Unmerging, Whole,
    };
    pub use crate::topology::{Extra, LedBack, Row, Table, lead_back, reads_as_missing, ways};
    pub use crate::undo::Undo;
}
