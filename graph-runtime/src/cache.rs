//! The cache: results of nodes, to be used again where their key is the same.

// Stands before its users, as a macro is known only after it.
#[doc(hidden)]
#[cfg_attr(test, macro_use)]
pub mod suite;

mod cached;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

pub(crate) use self::cached::Cached;
pub use self::memory::MemoryCache;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteCache;
pub use self::suite::CachePlace;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use crate::journal::{Hash, Json};

/// What a result is found by: the graph, the node, and the key that the node's `key` function made
/// of the state.
///
/// ```
/// use handoffs_runtime::{CacheKey, Json};
///
/// let key = CacheKey::new("SupportDesk", "classify", &Json::of(&("refund", "de"))?);
/// assert_eq!(key.node(), "classify");
/// assert_eq!(key.key(), r#"["refund","de"]"#);
/// assert_eq!(key.digest(), key.clone().digest());
/// # Ok::<(), handoffs_runtime::JsonError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CacheKey {
    graph: Arc<str>,
    node: Arc<str>,
    key: Arc<str>,
}

impl CacheKey {
    /// Puts a key together.
    pub fn new(graph: impl Into<Arc<str>>, node: impl Into<Arc<str>>, key: &Json) -> Self {
        Self {
            graph: graph.into(),
            node: node.into(),
            key: key.as_str().into(),
        }
    }

    /// Returns the graph's name.
    pub fn graph(&self) -> &str {
        &self.graph
    }

    /// Returns the node's name.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Returns the key within the node, as JSON.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns a hash of all three, which is the same on every machine.
    pub fn digest(&self) -> Hash {
        let mut bytes = Vec::new();
        for part in [&self.graph, &self.node, &self.key] {
            // With its length, so that no part can pass for the end of the one before.
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Hash::of(&bytes)
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key is made of a user's data: it does not belong into a log.
        f.debug_struct("CacheKey")
            .field("graph", &self.graph)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// A store of results.
///
/// An implementation keeps what it is given and does not read it. Its promises are these:
///
/// - what was put under a key comes back byte for byte, or not at all;
/// - it does not come back once its time is over;
/// - results of other graphs, nodes and keys do not come back in its place.
///
/// A cache may forget anything at any time.
///
/// A layer around another cache is a cache as well:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::Duration;
///
/// use handoffs_runtime::{Cache, CacheError, CacheKey, async_trait};
///
/// /// Counts the hits of the cache within.
/// #[derive(Debug)]
/// struct Metered<C> {
///     within: C,
///     hits: AtomicU64,
/// }
///
/// #[async_trait]
/// impl<C: Cache> Cache for Metered<C> {
///     async fn get(&self, key: &CacheKey) -> Result<Option<Vec<u8>>, CacheError> {
///         let found = self.within.get(key).await?;
///         self.hits.fetch_add(u64::from(found.is_some()), Ordering::Relaxed);
///         Ok(found)
///     }
///
///     async fn put(&self, key: &CacheKey, value: Vec<u8>, ttl: Duration) -> Result<(), CacheError> {
///         self.within.put(key, value, ttl).await
///     }
///
///     async fn clear(&self, graph: &str, node: Option<&str>) -> Result<(), CacheError> {
///         self.within.clear(graph, node).await
///     }
/// }
/// ```
#[async_trait]
pub trait Cache: fmt::Debug + Send + Sync + 'static {
    /// Returns what was put under this key, unless its time is over.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    async fn get(&self, key: &CacheKey) -> Result<Option<Vec<u8>>, CacheError>;

    /// Keeps a value for `ttl`, in place of what was there; for ever if that is [`Duration::MAX`].
    ///
    /// # Errors
    ///
    /// Fails if the store does; then the key has its value from before, the new one, or none.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the key with its value from before, the new one, or none.
    async fn put(&self, key: &CacheKey, value: Vec<u8>, ttl: Duration) -> Result<(), CacheError>;

    /// Forgets the results of a node, or of all nodes of a graph: what one does when a node has
    /// learnt to answer better.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    async fn clear(&self, graph: &str, node: Option<&str>) -> Result<(), CacheError>;
}

#[async_trait]
impl<C: Cache + ?Sized> Cache for Arc<C> {
    async fn get(&self, key: &CacheKey) -> Result<Option<Vec<u8>>, CacheError> {
        (**self).get(key).await
    }

    async fn put(&self, key: &CacheKey, value: Vec<u8>, ttl: Duration) -> Result<(), CacheError> {
        (**self).put(key, value, ttl).await
    }

    async fn clear(&self, graph: &str, node: Option<&str>) -> Result<(), CacheError> {
        (**self).clear(graph, node).await
    }
}

/// Why a cache could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The file is something else than a cache of ours.
    #[error("`{place}` is no cache: {reason}")]
    #[non_exhaustive]
    Foreign {
        /// Where the cache was looked for.
        place: String,
        /// What was found there.
        reason: String,
    },
    /// The store is damaged.
    #[error(
        "the cache `{place}` is damaged; remove it, as it holds nothing that cannot be made again"
    )]
    #[non_exhaustive]
    Corrupt {
        /// Where the cache is kept.
        place: String,
        /// What the store says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store failed in another way.
    #[error("could not {action} the cache `{place}`")]
    #[non_exhaustive]
    Store {
        /// Where the cache is kept.
        place: String,
        /// What was being done.
        action: &'static str,
        /// What the store says.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl CacheError {
    /// Says that the file is something else than a cache.
    pub fn foreign(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Foreign {
            place: place.into(),
            reason: reason.into(),
        }
    }

    /// Says that the store is damaged.
    pub fn corrupt(
        place: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Corrupt {
            place: place.into(),
            source: source.into(),
        }
    }

    /// Says that the store failed while doing something, such as "write to".
    pub fn store(
        place: impl Into<String>,
        action: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Store {
            place: place.into(),
            action,
            source: source.into(),
        }
    }
}

/// Where a cache has the time from: milliseconds since 1970 in UTC.
#[derive(Clone)]
struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// The machine's clock.
    fn system() -> Self {
        Self(Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            // Before 1970, nothing is over yet.
            since.map_or(0, millis)
        }))
    }

    fn now(&self) -> u64 {
        (self.0)()
    }

    /// Returns the first moment at which something is over that was put now.
    fn after(&self, ttl: Duration) -> u64 {
        self.now().saturating_add(millis(ttl))
    }
}

/// Rounds up, so that nothing is over too early.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
