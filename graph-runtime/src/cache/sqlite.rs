//! The cache in a file, through `SQLite`.
//!
//! A thread serves the file. Callers hand it jobs and wait for the answers without blocking.

mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::Builder;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use self::store::Store;
use super::{Cache, CacheError, CacheKey, Clock};
use crate::sqlite_file::Joined;

/// A cache in a `SQLite` file of its own: it outlives the process, with no server to install.
///
/// Several processes may have the file open at once; it has to lie on a disk of this machine. Results
/// whose time is over are removed as others are put, and their room is used again; the file does not
/// shrink. After a power cut the last results may be missing. Removing the file is no loss but of time.
///
/// Clones share the open file. Dropping the last one finishes what was begun and closes the file; for
/// that it may block for a moment.
///
/// ```
/// use std::time::Duration;
///
/// use handoffs_runtime::{Cache, CacheKey, Json, SqliteCache};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("cache.db");
/// let key = CacheKey::new("SupportDesk", "classify", &Json::of("refund")?);
///
/// let cache = SqliteCache::open(&path).await?;
/// cache.put(&key, b"{}".to_vec(), Duration::from_hours(1)).await?;
/// drop(cache);
///
/// let cache = SqliteCache::open(&path).await?;
/// assert_eq!(cache.get(&key).await?, Some(b"{}".to_vec()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteCache {
    shared: Arc<Shared>,
    clock: Clock,
}

struct Shared {
    place: Arc<str>,
    /// Stands before the thread, as the thread ends once there can be no more jobs.
    jobs: Sender<Job>,
    #[expect(dead_code, reason = "it is there to be dropped")]
    thread: Joined,
}

type Job = Box<dyn FnOnce(&mut Store) + Send>;

impl SqliteCache {
    /// Opens the cache in a file, and creates the file if there is none.
    ///
    /// # Errors
    ///
    /// - [`CacheError::Foreign`] if the file is no cache, such as a journal, or one that a newer
    ///   version has written. It stays as it is;
    /// - [`CacheError::Corrupt`] if it is damaged;
    /// - [`CacheError::Store`] if it cannot be opened, its folder is missing, or another process
    ///   keeps it locked.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave an empty cache behind.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, CacheError> {
        Self::with_clock(path.as_ref(), Clock::system()).await
    }

    pub(super) async fn with_clock(path: &Path, clock: Clock) -> Result<Self, CacheError> {
        let place: Arc<str> = path.to_string_lossy().into();
        let (jobs, queue) = channel::<Job>();
        let (opened, is_open) = oneshot::channel();
        let file = path.to_owned();
        let work = move || match Store::open(&file) {
            Ok(mut store) => {
                if opened.send(Ok(())).is_ok() {
                    for job in queue {
                        job(&mut store);
                    }
                }
            }
            Err(error) => drop(opened.send(Err(error))),
        };
        // No `Joined` yet: if this future is dropped here, nobody should wait for a file that is locked.
        let thread = Builder::new()
            .name("handoffs-cache".to_owned())
            .spawn(work)
            .map_err(|error| CacheError::store(&*place, "start a thread for", error))?;
        is_open.await.map_err(|_| gone(&place, "open"))??;
        let shared = Shared {
            place,
            jobs,
            thread: Joined::new(thread),
        };
        Ok(Self {
            shared: Arc::new(shared),
            clock,
        })
    }

    /// Gives the thread a job, and waits for its answer.
    async fn ask<T: Send + 'static>(
        &self,
        action: &'static str,
        job: impl FnOnce(&mut Store) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, CacheError> {
        let Shared { place, jobs, .. } = &*self.shared;
        let (answer, answered) = oneshot::channel();
        // The caller may have stopped waiting, so sending may fail.
        let job = move |store: &mut Store| drop(answer.send(job(store)));
        jobs.send(Box::new(job)).map_err(|_| gone(place, action))?;
        let answer = answered.await.map_err(|_| gone(place, action))?;
        answer.map_err(|error| store::failed(place, action, error))
    }
}

#[async_trait]
impl Cache for SqliteCache {
    async fn get(&self, key: &CacheKey) -> Result<Option<Vec<u8>>, CacheError> {
        let (key, now) = (key.clone(), self.clock.now());
        let found = self.ask("read", move |store| store.get(&key, now)).await?;
        found.map_or(Ok(None), |found| {
            let value = found.whole().ok_or_else(|| {
                CacheError::corrupt(&*self.shared.place, "a result is not what was put")
            });
            value.map(Some)
        })
    }

    async fn put(&self, key: &CacheKey, value: Vec<u8>, ttl: Duration) -> Result<(), CacheError> {
        let (key, now, over_at) = (key.clone(), self.clock.now(), self.clock.after(ttl));
        self.ask("write to", move |store| {
            store.put(&key, &value, over_at, now)
        })
        .await
    }

    async fn clear(&self, graph: &str, node: Option<&str>) -> Result<(), CacheError> {
        let (graph, node) = (graph.to_owned(), node.map(str::to_owned));
        self.ask("clear", move |store| store.clear(&graph, node.as_deref()))
            .await
    }
}

impl fmt::Debug for SqliteCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteCache")
            .field("place", &self.shared.place)
            .finish_non_exhaustive()
    }
}

fn gone(place: &str, action: &'static str) -> CacheError {
    let reason = "the thread that serves the file is gone; open it again";
    CacheError::store(place, action, reason)
}
