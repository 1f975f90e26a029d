//! The rules on both caches, and what only one of them can do.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// A clock that stands still.
#[derive(Clone, Default)]
pub(super) struct Hands(Arc<AtomicU64>);

impl Hands {
    pub(super) fn clock(&self) -> Clock {
        let hands = self.0.clone();
        Clock(Arc::new(move || hands.load(Ordering::Relaxed)))
    }

    pub(super) fn pass(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

pub(super) fn key(text: &str) -> CacheKey {
    CacheKey::new("Desk", "node", &Json::of(text).unwrap())
}

pub(super) const HOUR: Duration = Duration::from_hours(1);

struct InMemory(Hands, MemoryCache);

impl InMemory {
    fn with_room(room: usize) -> Self {
        let hands = Hands::default();
        let cache = MemoryCache::with_clock(room, hands.clock());
        Self(hands, cache)
    }

    async fn put(&self, text: &str, ttl: Duration) {
        self.1.put(&key(text), text.into(), ttl).await.unwrap();
    }

    /// Which of these are there; looking at them is a use of each.
    async fn has<const N: usize>(&self, texts: [&str; N]) -> [bool; N] {
        let mut has = [false; N];
        for (text, has) in texts.iter().zip(&mut has) {
            *has = self.1.get(&key(text)).await.unwrap().is_some();
        }
        has
    }
}

impl CachePlace for InMemory {
    type Cache = MemoryCache;

    async fn open(&self) -> MemoryCache {
        self.1.clone()
    }

    async fn pass(&self, time: Duration) {
        self.0.pass(millis(time));
    }
}

cache_suite!(memory_keeps_the_rules, InMemory::with_room(100));
// The suite does not need a clock of ours.
cache_suite!(a_cache_behind_a_layer_keeps_the_rules, InTime::default());

/// A cache with the machine's clock, shared by an `Arc`.
#[derive(Default)]
struct InTime(Arc<MemoryCache>);

impl CachePlace for InTime {
    type Cache = Arc<dyn Cache>;

    async fn open(&self) -> Arc<dyn Cache> {
        self.0.clone()
    }
}

#[tokio::test]
async fn a_result_is_there_up_to_the_last_millisecond() {
    let place = InMemory::with_room(9);
    place.put("a", Duration::from_secs(1)).await;
    place.put("less than one", Duration::from_nanos(1)).await;
    assert_eq!(place.has(["a", "less than one"]).await, [true, true]);
    place.0.pass(999);
    assert_eq!(place.has(["a", "less than one"]).await, [true, false]);
    place.0.pass(1);
    assert_eq!(place.has(["a"]).await, [false]);
}

#[tokio::test]
async fn the_one_that_was_not_used_for_longest_goes() {
    let place = InMemory::with_room(3);
    for text in ["a", "b", "c"] {
        place.put(text, HOUR).await;
    }
    assert_eq!(place.has(["a"]).await, [true]);
    place.put("d", HOUR).await;
    assert_eq!(
        place.has(["a", "b", "c", "d"]).await,
        [true, false, true, true]
    );
    // What is put again takes its own place, and is as good as used.
    place.put("a", HOUR).await;
    assert_eq!(place.has(["c", "d"]).await, [true, true]);
    place.put("e", HOUR).await;
    assert_eq!(
        place.has(["a", "c", "d", "e"]).await,
        [false, true, true, true]
    );
}

#[tokio::test]
async fn what_is_over_goes_first() {
    let place = InMemory::with_room(3);
    place.put("old", HOUR).await;
    place.put("over", Duration::from_millis(5)).await;
    place.put("used", HOUR).await;
    place.0.pass(5);
    place.put("new", HOUR).await;
    assert_eq!(place.has(["old", "used", "new"]).await, [true; 3]);
}

#[tokio::test]
async fn a_cache_never_holds_more_than_it_has_room_for() {
    for room in [0, 1, 7] {
        let place = InMemory::with_room(room);
        for n in 0..50 {
            place.put(&n.to_string(), HOUR).await;
            assert!(place.1.len() <= room);
        }
        assert_eq!(place.has(["49"]).await, [room > 0]);
        assert_eq!(
            format!("{:?}", place.1),
            format!("MemoryCache {{ room: {room}, results: {room}, .. }}")
        );
    }
}

#[test]
fn a_keys_digest_is_the_same_for_ever() {
    // It stands in files.
    assert_eq!(
        key("refund").digest().to_string(),
        "5904a9d5eefec595635e97be8f332b8e23a0c894b44046a1c8d12b12099a83c8"
    );
    assert_eq!(
        format!("{:?}", key("secret")),
        "CacheKey { graph: \"Desk\", node: \"node\", .. }"
    );
}

#[test]
fn errors_say_what_to_do() {
    let texts = [
        CacheError::foreign("cache.db", "it is a picture").to_string(),
        CacheError::corrupt("cache.db", "page 7").to_string(),
        CacheError::store("cache.db", "write to", "no room").to_string(),
    ];
    assert_eq!(
        texts,
        [
            "`cache.db` is no cache: it is a picture",
            "the cache `cache.db` is damaged; remove it, as it holds nothing that cannot be made again",
            "could not write to the cache `cache.db`",
        ]
    );
}
