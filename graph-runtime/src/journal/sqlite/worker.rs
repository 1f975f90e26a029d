//! A thread that owns a connection, and the way to give it jobs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

use tokio::sync::oneshot;

use crate::journal::JournalError;
use crate::sqlite_file::Joined;

/// Where the answer to a job goes. The caller may have stopped waiting, so sending may fail.
pub(super) type Answer<T> = oneshot::Sender<Result<T, JournalError>>;

/// What a thread gets to begin with.
pub(super) struct Begin<J> {
    pub(super) path: PathBuf,
    pub(super) place: Arc<str>,
    /// To be answered once the file is open.
    pub(super) opened: Answer<()>,
    pub(super) jobs: Receiver<J>,
}

/// A thread that works on one file. Dropping it finishes the jobs it has, and waits for that.
pub(super) struct Worker<J> {
    /// Stands before the thread, as the thread ends once there can be no more jobs.
    jobs: Sender<J>,
    #[expect(dead_code, reason = "it is there to be dropped")]
    thread: Joined,
}

impl<J: Send + 'static> Worker<J> {
    /// Starts a thread, and returns it once it has opened the file.
    pub(super) async fn start(
        name: &str,
        path: &Path,
        place: &Arc<str>,
        work: impl FnOnce(Begin<J>) + Send + 'static,
    ) -> Result<Self, JournalError> {
        let (jobs, queue) = channel();
        let (opened, is_open) = oneshot::channel();
        let begin = Begin {
            path: path.to_owned(),
            place: place.clone(),
            opened,
            jobs: queue,
        };
        // No `Joined` yet: if this future is dropped here, nobody should wait for a file that is locked.
        let thread = Builder::new()
            .name(name.to_owned())
            .spawn(|| work(begin))
            .map_err(|error| JournalError::store(&**place, "start a thread for", error))?;
        is_open.await.map_err(|_| gone(place, "open"))??;
        Ok(Self {
            jobs,
            thread: Joined::new(thread),
        })
    }

    /// Gives the thread a job, and waits for its answer.
    pub(super) async fn ask<T>(
        &self,
        place: &str,
        action: &'static str,
        job: impl FnOnce(Answer<T>) -> J,
    ) -> Result<T, JournalError> {
        let (answer, answered) = oneshot::channel();
        self.jobs
            .send(job(answer))
            .map_err(|_| gone(place, action))?;
        answered.await.map_err(|_| gone(place, action))?
    }
}

fn gone(place: &str, action: &'static str) -> JournalError {
    JournalError::store(
        place,
        action,
        "the thread that serves the file is gone; open it again",
    )
}
