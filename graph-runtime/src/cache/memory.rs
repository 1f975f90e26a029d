//! The cache that is gone with the process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{Cache, CacheError, CacheKey, Clock};

/// A cache in memory, for a bounded number of results.
///
/// When it is full, those go whose time is over; if there are none, the one that was not used for
/// longest goes. For that a put into a full cache looks at each of them: a few microseconds for a
/// thousand, which is what the default holds. Clones share their results.
///
/// ```
/// use std::time::Duration;
///
/// use handoffs_runtime::{Cache, CacheKey, Json, MemoryCache};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = MemoryCache::new(100);
/// let key = CacheKey::new("SupportDesk", "classify", &Json::of("refund")?);
/// cache.put(&key, b"{}".to_vec(), Duration::from_hours(1)).await?;
/// assert_eq!(cache.get(&key).await?, Some(b"{}".to_vec()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryCache {
    slots: Arc<Mutex<Slots>>,
    clock: Clock,
}

struct Slots {
    room: usize,
    /// Counts the uses.
    uses: u64,
    all: HashMap<CacheKey, Slot>,
}

struct Slot {
    /// Shared, so that a large value is not copied under the lock.
    value: Arc<Vec<u8>>,
    /// The first moment at which it is over.
    over_at: u64,
    /// The number of its last use.
    used: u64,
}

impl MemoryCache {
    /// Makes a cache for that many results; with 0, it keeps nothing.
    pub fn new(room: usize) -> Self {
        Self::with_clock(room, Clock::system())
    }

    pub(super) fn with_clock(room: usize, clock: Clock) -> Self {
        let slots = Slots {
            room,
            uses: 0,
            all: HashMap::new(),
        };
        Self {
            slots: Arc::new(Mutex::new(slots)),
            clock,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots().all.len()
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        // Nothing that could panic half-way runs under the lock, so what a poisoned one guards is whole.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryCache {
    fn default() -> Self {
        Self::new(1000)
    }
}

impl Slots {
    fn get(&mut self, key: &CacheKey, now: u64) -> Option<Arc<Vec<u8>>> {
        let slot = self.all.get_mut(key)?;
        if slot.over_at <= now {
            self.all.remove(key);
            return None;
        }
        self.uses += 1;
        slot.used = self.uses;
        Some(slot.value.clone())
    }

    fn put(&mut self, key: &CacheKey, value: Vec<u8>, over_at: u64, now: u64) {
        self.all.remove(key);
        self.make_room(now);
        if self.room > 0 && over_at > now {
            self.uses += 1;
            let slot = Slot {
                value: Arc::new(value),
                over_at,
                used: self.uses,
            };
            self.all.insert(key.clone(), slot);
        }
    }

    /// Makes room for one more.
    fn make_room(&mut self, now: u64) {
        if self.all.len() < self.room {
            return;
        }
        self.all.retain(|_, slot| slot.over_at > now);
        if self.all.len() < self.room {
            return;
        }
        let oldest = self.all.iter().min_by_key(|(_, slot)| slot.used);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.all.remove(&key);
        }
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &CacheKey) -> Result<Option<Vec<u8>>, CacheError> {
        let found = self.slots().get(key, self.clock.now());
        Ok(found.map(Arc::unwrap_or_clone))
    }

    async fn put(&self, key: &CacheKey, value: Vec<u8>, ttl: Duration) -> Result<(), CacheError> {
        let (over_at, now) = (self.clock.after(ttl), self.clock.now());
        self.slots().put(key, value, over_at, now);
        Ok(())
    }

    async fn clear(&self, graph: &str, node: Option<&str>) -> Result<(), CacheError> {
        let is_meant =
            |key: &CacheKey| key.graph() == graph && node.is_none_or(|node| key.node() == node);
        self.slots().all.retain(|key, _| !is_meant(key));
        Ok(())
    }
}

impl fmt::Debug for MemoryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The results are made of a user's data: they do not belong into a log.
        let slots = self.slots();
        f.debug_struct("MemoryCache")
            .field("room", &slots.room)
            .field("results", &slots.all.len())
            .finish_non_exhaustive()
    }
}
