//! What is kept of a step, and how it is written.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::{Cache, CacheKey};
use crate::attempt::text;
use crate::error::chain;
use crate::journal::{Conclusion, Writes};

/// What a node concluded and changed, as a cache keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cached {
    version: u32,
    pub(crate) conclusion: Conclusion,
    #[serde(default, skip_serializing_if = "Writes::is_empty")]
    pub(crate) writes: Writes,
    /// Of the changed fields those that replace what other branches made of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) replaced: Vec<Cow<'static, str>>,
}

impl Cached {
    /// The number of the format. A value of another is as good as none.
    const VERSION: u32 = 1;

    pub(crate) const fn new(
        conclusion: Conclusion,
        writes: Writes,
        replaced: Vec<Cow<'static, str>>,
    ) -> Self {
        Self {
            version: Self::VERSION,
            conclusion,
            writes,
            replaced,
        }
    }

    pub(crate) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    /// Reads a value. One that cannot be read is a miss, which is logged.
    pub(crate) fn decode(key: &CacheKey, value: &[u8]) -> Option<Self> {
        match serde_json::from_slice::<Self>(value) {
            Ok(cached) if cached.version == Self::VERSION => return Some(cached),
            Ok(Self { version, .. }) => warn(
                key,
                "the cached result has another format",
                &format!(
                    "format {version}, where this version reads {}",
                    Self::VERSION
                ),
            ),
            Err(error) => warn(key, "the cached result cannot be read", &error.to_string()),
        }
        None
    }

    /// Looks for a result. A cache that fails is a miss, which is logged: no run ends because of it.
    pub(crate) fn find<'c>(cache: &'c dyn Cache, key: &'c CacheKey) -> BoxFuture<'c, Option<Self>> {
        Box::pin(async move {
            let why = match AssertUnwindSafe(cache.get(key)).catch_unwind().await {
                Ok(Ok(value)) => return Self::decode(key, &value?),
                Ok(Err(error)) => chain(&error),
                Err(panic) => text(&*panic),
            };
            warn(key, "the cache could not be read", &why);
            None
        })
    }

    /// Keeps the result. A cache that fails does not keep it, which is logged.
    pub(crate) fn keep<'c>(
        &'c self,
        cache: &'c dyn Cache,
        key: &'c CacheKey,
        ttl: Duration,
    ) -> BoxFuture<'c, ()> {
        Box::pin(async move {
            let value = match self.encode() {
                Ok(value) => value,
                Err(error) => {
                    return warn(key, "the result cannot be cached", &error.to_string());
                }
            };
            let put = AssertUnwindSafe(cache.put(key, value, ttl)).catch_unwind();
            let why = match put.await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => chain(&error),
                Err(panic) => text(&*panic),
            };
            warn(key, "the cache could not be written", &why);
        })
    }
}

/// Logs what went wrong, without the key: it is made of a user's data.
fn warn(key: &CacheKey, what: &str, why: &str) {
    tracing::warn!(graph = key.graph(), node = key.node(), why, "{what}");
}

#[cfg(test)]
mod tests {
    use super::super::{CacheError, MemoryCache};
    use super::*;
    use crate::async_trait;
    use crate::journal::{Json, Write};

    fn key() -> CacheKey {
        CacheKey::new("Desk", "classify", &Json::of("refund").unwrap())
    }

    fn cached() -> Cached {
        let conclusion = Conclusion {
            variant: "Refund".into(),
            payload: Some(Json::of(&12.5).unwrap()),
        };
        let writes = vec![
            ("amount".into(), Write::Set(Json::of(&0.1).unwrap())),
            (
                "log".into(),
                Write::Append(Json::of(&["a\u{0}", "é"]).unwrap()),
            ),
        ];
        Cached::new(conclusion, Writes(writes), Vec::new())
    }

    #[tokio::test]
    async fn a_result_comes_back_as_it_was() {
        let cache = MemoryCache::default();
        assert!(Cached::find(&cache, &key()).await.is_none());
        cached().keep(&cache, &key(), Duration::MAX).await;
        let found = Cached::find(&cache, &key()).await.unwrap();
        assert_eq!(found.encode().unwrap(), cached().encode().unwrap());
        assert_eq!(
            String::from_utf8(found.encode().unwrap()).unwrap(),
            r#"{"version":1,"conclusion":{"variant":"Refund","payload":12.5},"#.to_owned()
                + r#""writes":{"amount":{"set":0.1},"log":{"append":["a\u0000","é"]}}}"#
        );

        let nothing = Conclusion {
            variant: "Done".into(),
            payload: None,
        };
        let small = Cached::new(nothing, Writes::default(), Vec::new());
        let back = Cached::decode(&key(), &small.encode().unwrap()).unwrap();
        assert!(back.writes.is_empty() && back.conclusion.payload.is_none());
    }

    #[test]
    fn what_cannot_be_read_is_a_miss() {
        let whole = cached().encode().unwrap();
        for cut in 0..whole.len() {
            assert!(Cached::decode(&key(), &whole[..cut]).is_none(), "{cut}");
        }
        let newer = String::from_utf8(whole).unwrap().replace(":1,", ":2,");
        let others: [&[u8]; 4] = [newer.as_bytes(), b"{}", b"\xff\xfe", b"null"];
        assert!(
            others
                .iter()
                .all(|other| Cached::decode(&key(), other).is_none())
        );
    }

    /// A cache of which the server is gone.
    #[derive(Debug)]
    struct Gone;

    #[async_trait]
    impl Cache for Gone {
        async fn get(&self, _: &CacheKey) -> Result<Option<Vec<u8>>, CacheError> {
            Err(CacheError::store("gone", "read", "no connection"))
        }

        async fn put(&self, _: &CacheKey, _: Vec<u8>, _: Duration) -> Result<(), CacheError> {
            Err(CacheError::store("gone", "write to", "no connection"))
        }

        async fn clear(&self, _: &str, _: Option<&str>) -> Result<(), CacheError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_cache_that_fails_is_a_miss() {
        cached().keep(&Gone, &key(), Duration::MAX).await;
        assert!(Cached::find(&Gone, &key()).await.is_none());
    }
}
