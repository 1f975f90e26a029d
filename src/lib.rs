#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// What a graph is.
pub use handoffs_core::{
    AgentGraph, Contract, Counter, Edge, Field, FieldSet, FieldSource, FieldValue, GraphNode, Log,
    LogIter, Max, Merge, Min, Node, NodeKind, Out, Outcome, Payload, Replace, Route, State, Target,
    Variant, Worker,
};

// Who may do what in it.
pub use handoffs_core::{Grant, May, Scope, ScopeShape};
pub use handoffs_runtime::{Amounts, Authority, Denied, Needs};

// Its shape as data, and whether it is right.
pub use handoffs_core::{
    Access, AccessMut, Branches, Code, EdgeIndex, Finding, Fork, NodeIndex, NodeShape, Place,
    Region, Regions, Topology, UnknownNode, Way, check, max_handoffs, max_visits,
};

// How it is drawn, and how it differs from another.
pub use handoffs_core::{Ascii, Dot, DotError, Mermaid, Svg, Trail, diff};
pub use handoffs_runtime::trail_of;

// What happens when it runs.
pub use handoffs_runtime::{
    CancellationToken, Context, Difference, Ephemeral, Event, EventStream, Execute, Failure,
    Handoff, Human, Inner, Item, Keep, Known, NoHandoff, NodeError, NodeTime, NodeTimes, Question,
    Reroute, Rerouted, Run, RunError, Runnable, Runtime, Status, Thread, TimeoutKind,
};

// Results that are used again.
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub use handoffs_runtime::SqliteCache;
pub use handoffs_runtime::{Cache, CacheError, CacheKey, MemoryCache};

// The same graphs, built at run time.
pub use handoffs_runtime::{
    AnyNode, BuildError, BuildErrors, BuildPlace, BuiltGraph, DynContract, DynNode, DynOutcome,
    DynVariant, GraphBuilder, NodeName, On, Policy, Retry, RoutePart, To,
};

// What it is remembered by.
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub use handoffs_runtime::Sqlite;
pub use handoffs_runtime::{
    Approval, Ask, AskId, BranchId, BranchIdError, Charge, Conclusion, Durability, Effect, Entry,
    Forked, GraphId, Hash, Journal, JournalError, Json, JsonError, Layer, Masked, Memory, Record,
    Recorded, ThreadId, Usage, Write, Writes, copy_thread,
};
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub use handoffs_runtime::{Postgres, PostgresOptions, PostgresServer};

/// The crates in whose terms a [`Postgres`] journal is given a server or a pool, in the versions that it
/// takes.
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub mod postgres {
    #[doc(no_inline)]
    pub use handoffs_runtime::{deadpool, tokio_postgres};
}

// What it used up, and what it may use up.
pub use handoffs_runtime::{Budget, BudgetOf, Called, Meter, Resource, Spent, UnknownEdge, Used};

// How that is proven.
pub use handoffs_runtime::{Export, HashError, Head, verify_export, verify_export_from};

// What a run tells of itself.
#[doc(inline)]
pub use handoffs_runtime::telemetry;

// What is done with its threads, whatever graphs they run.
pub use handoffs_runtime::{
    Chronicle, Overview, Retention, Summary, Waiting, inbox, overview, submit,
};

// How it lies on the disk: layers over any journal.
#[cfg(feature = "zstd")]
#[cfg_attr(docsrs, doc(cfg(feature = "zstd")))]
pub use handoffs_runtime::Compressed;
#[cfg(feature = "seal")]
#[cfg_attr(docsrs, doc(cfg(feature = "seal")))]
pub use handoffs_runtime::{
    ChaCha, KeyProvider, KeyRing, SealError, SealKey, Sealed, Sealer, Slot,
};

/// Agents: nodes in which a model decides.
#[cfg(feature = "agents")]
#[cfg_attr(docsrs, doc(cfg(feature = "agents")))]
pub mod agent {
    #[doc(inline)]
    pub use handoffs_runtime::agent::*;
    /// Describes the arguments of tools and the fields of outcomes to models.
    #[doc(no_inline)]
    pub use schemars;
}

#[cfg(any(feature = "batch", feature = "cli"))]
mod bar;
#[cfg(feature = "cli")]
#[cfg_attr(docsrs, doc(cfg(feature = "cli")))]
pub mod cli;
#[cfg(any(feature = "cli", feature = "eval"))]
mod from_json;
#[cfg(feature = "eval")]
mod table;

#[cfg(feature = "batch")]
#[cfg_attr(docsrs, doc(cfg(feature = "batch")))]
pub mod batch;

#[cfg(feature = "eval")]
#[cfg_attr(docsrs, doc(cfg(feature = "eval")))]
pub mod eval;

pub mod testing;

/// What an implementation of [`Journal`] or [`DynNode`] needs, so that no other crate is.
#[doc(no_inline)]
pub use handoffs_runtime::async_trait;

mod macros;
pub use macros::{AgentGraph, Outcome, Scope, State, node};

/// What nearly every file that defines or runs a graph needs.
///
/// ```
/// use handoffs::prelude::*;
/// ```
pub mod prelude {
    pub use crate::{AgentGraph, Outcome, Scope, State, node};
    pub use crate::{
        Ask, Context, Event, Human, Log, Memory, Out, Replace, Route, Run, RunError, Runtime,
        Status, Target,
    };

    #[cfg(feature = "postgres")]
    pub use crate::Postgres;
    #[cfg(feature = "sqlite")]
    pub use crate::Sqlite;
}

/// What the macros' output is made of. No part of the public API: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use handoffs_core::__private::*;
    pub use handoffs_core::{
        AgentGraph, Contract, Field, FieldSet, FieldSource, Grant, GraphNode, May, Node, NodeKind,
        NodeShape, Out, Outcome, Route, Scope, ScopeShape, State, Topology, Variant, VariantField,
        Worker,
    };
    pub use handoffs_runtime::__private::*;
    #[cfg(feature = "agents")]
    pub use handoffs_runtime::agent::{Conversation, MessageLog, Messages};
    pub use handoffs_runtime::{Context, Execute, NodeError, Runnable};
    pub use serde;

    /// Passes on what only agents need, or says what is missing.
    #[cfg(feature = "agents")]
    #[macro_export]
    #[doc(hidden)]
    macro_rules! __with_agents {
        ($($item:tt)*) => { $($item)* };
    }

    #[cfg(not(feature = "agents"))]
    #[macro_export]
    #[doc(hidden)]
    macro_rules! __with_agents {
        ($($item:tt)*) => {
            ::core::compile_error!(
                "H011: a conversation needs the cargo feature `agents` of `handoffs`"
            );
        };
    }

    pub use __with_agents as with_agents;
}
