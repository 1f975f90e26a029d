//! What happens when an agent graph runs.
//!
//! This crate is the part of [`handoffs`](https://docs.rs/handoffs) that executes: an engine that
//! decides, a driver that does, and journals that remember. Use it through the facade.

mod error;
mod event;
mod run;
mod runtime;
mod thread;

mod course;
mod driver;
mod engine;
mod plan;
mod progress;

mod builder;

mod context;
mod execute;
mod human;

#[allow(dead_code, reason = "the driver does not call it yet")]
mod attempt;
mod policy;

#[allow(dead_code, reason = "the driver does not use it yet")]
mod cache;

mod journal;

mod testing;

pub use async_trait::async_trait;
pub use builder::{
    At, BuildError, BuildErrors, BuiltGraph, DynContract, DynNode, DynOutcome, DynVariant,
    GraphBuilder, NodeName, On, Part, To,
};
pub use attempt::TimeoutKind;
#[cfg(feature = "sqlite")]
pub use cache::SqliteCache;
pub use cache::{Cache, CacheError, CacheKey, CachePlace, MemoryCache};
pub use context::{Context, NodeError};
pub use error::RunError;
pub use event::{Event, EventStream};
pub use execute::{Execute, Runnable};
pub use human::{Human, Question};
#[cfg(feature = "sqlite")]
pub use journal::Sqlite;
pub use journal::{
    Ask, AskId, Conclusion, Entry, GraphId, Hash, Journal, JournalError, JournalPlace, Json,
    JsonError, Masked, Memory, Record, Recorded, ThreadId, Write, Writes,
};
pub use policy::{Policy, Retry};
pub use run::{Run, Status};
pub use runtime::{Ephemeral, Keep, Runtime};
pub use testing::TestContext;
pub use thread::Thread;

/// What the macros' output is made of. No part of the public API: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::cache::suite as cache_rules;
    pub use crate::execute::{conclude, is_set, keep_promises, read, route_of, settle, write};
    pub use crate::journal::suite as journal_rules;
    pub use crate::policy::fits;
}
