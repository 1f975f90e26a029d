//! What happens when an agent graph runs.
//!
//! This crate is the part of [`handoffs`](https://docs.rs/handoffs) that executes: an engine that
//! decides, a driver that does, and journals that remember. Use it through the facade.

mod difference;
mod error;
mod event;
mod run;
mod runtime;
mod thread;

mod budget;
mod clock;
mod course;
mod engine;
mod meter;
mod migration;
mod plan;
mod progress;

#[cfg(feature = "agents")]
pub mod agent;
mod builder;

mod cached;
mod driver;
mod failure;
mod fork;
mod relay;
mod scope;
mod spending;
mod step;
mod subgraph;
pub mod telemetry;

mod any_graph;
mod authority;
mod context;
mod execute;
mod human;
mod item;
mod marks;
mod node_error;
mod once;
mod pace;
mod pause;
mod reread;

mod attempt;
mod cache;
mod policy;

mod journal;
#[cfg(feature = "sqlite")]
mod sqlite_file;

mod testing;
mod times;

pub use async_trait::async_trait;
pub use attempt::TimeoutKind;
pub use authority::{Authority, Denied, Needs};
pub use budget::{Budget, BudgetOf, Resource, Spent};
pub use builder::{
    AnyNode, BuildError, BuildErrors, BuildPlace, BuiltGraph, DynContract, DynNode, DynOutcome,
    DynVariant, GraphBuilder, NodeName, On, RoutePart, To,
};
#[cfg(feature = "sqlite")]
pub use cache::SqliteCache;
pub use cache::{Cache, CacheError, CacheKey, CachePlace, MemoryCache};
pub use context::Context;
#[cfg(feature = "postgres")]
pub use deadpool;
pub use difference::Difference;
pub use engine::Amounts;
pub use error::RunError;
pub use event::{Event, EventStream, Inner};
pub use execute::{Execute, Known, Runnable};
pub use human::{Human, Question};
pub use item::Item;
#[cfg(feature = "zstd")]
pub use journal::Compressed;
#[cfg(feature = "sqlite")]
pub use journal::Sqlite;
pub use journal::{
    Approval, Ask, AskId, BranchId, BranchIdError, Called, Charge, Chronicle, Conclusion,
    Durability, Effect, Entry, Export, Failure, Forked, GraphId, Hash, HashError, Head, Journal,
    JournalError, JournalPlace, Json, JsonError, Layer, Masked, Memory, Overview, Record, Recorded,
    Retention, Summary, ThreadId, Usage, Used, Waiting, Write, Writes, copy_thread, inbox,
    overview, submit, trail_of, verify_export, verify_export_from,
};
#[cfg(feature = "seal")]
pub use journal::{ChaCha, KeyProvider, KeyRing, SealError, SealKey, Sealed, Sealer, Slot};
#[cfg(feature = "postgres")]
pub use journal::{Postgres, PostgresOptions, PostgresServer};
pub use meter::Meter;
pub use node_error::NodeError;
pub use policy::{Policy, Retry};
pub use run::{Run, Status};
pub use runtime::{Ephemeral, Keep, Runtime, UnknownEdge};
pub use testing::{Coverage, Decided, RunLog, ScriptedNode, TestContext, Trial, Tried};
pub use thread::{Handoff, NoHandoff, Reroute, Rerouted, Thread};
pub use times::{NodeTime, NodeTimes};
#[cfg(feature = "postgres")]
pub use tokio_postgres;
pub use tokio_util::sync::CancellationToken;

/// What the macros' output and the facade are made of. No part of the public API: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::any_graph::Within;
    pub use crate::cache::suite as cache_rules;
    pub use crate::error::chain;
    pub use crate::execute::{Known, conclude, is_set, keep_promises, read, settle, write};
    pub use crate::item::Item;
    pub use crate::journal::suite as journal_rules;
    pub use crate::journal::{Conclusion as Concluded, Json, JsonError, Shelf};
    pub use crate::policy::{Policy, Retry};
    pub use crate::reread::{cache_key, items, no_node, predicate, question, repick};
    pub use crate::subgraph::subgraph;

    /// What `assert_route!` is made of.
    pub mod route_shown {
        pub use crate::testing::{Led, Shown, Unshown, assert_led};

        /// A route with names in the place of nodes.
        pub type Expected = handoffs_core::Route<String>;
    }
}
