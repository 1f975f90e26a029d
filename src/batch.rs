//! Many threads at once: begun, gone on with after a crash, or asked again, with a bar; and where the time
//! went.

use std::fmt;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;

use crate::bar::Bar;
use crate::{Journal, NodeTimes, Reroute, Run, RunError, Runnable, Runtime, Status, ThreadId};

/// Many threads of a runtime at once, so many at a time.
///
/// ```
/// use handoffs::batch::Batch;
/// use handoffs::{Journal, RunError, Runnable, Runtime};
///
/// async fn answer_all<G: Runnable, J: Journal>(
///     runtime: &Runtime<G, J>,
///     tickets: Vec<(String, G::State)>,
/// ) -> Result<(), RunError> {
///     let batch = Batch::new(runtime).at_once(32).show_progress();
///     let done = batch.run(tickets).await?;
///     println!("{done}");
///     for (thread, error) in done.failed() {
///         eprintln!("{thread}: {error}");
///     }
///     println!("{}", batch.times(done.threads()).await?);
///     Ok(())
/// }
/// ```
///
/// The threads are polled by one task, so they overlap where their nodes wait. An error at a node of one
/// keeps no other from its end; one of the journal is one of all threads, and ends the whole.
#[derive(Debug)]
pub struct Batch<'r, G: Runnable, J: Journal> {
    runtime: &'r Runtime<G, J>,
    at_once: usize,
    shows: bool,
}

/// What has become of many threads, in the order in which they were named.
///
/// Its text is a line: `1540 threads in 2.3 s: 1443 finished, 97 wait for a person, 0 failed`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Batched<S> {
    /// Each thread, and how its run came out.
    pub runs: Vec<(ThreadId, Result<Run<S>, RunError>)>,
    /// How long it took in all.
    pub took: Duration,
}

/// What came of each thread.
type Each<T> = Vec<(ThreadId, Result<T, RunError>)>;

impl<'r, G: Runnable, J: Journal> Batch<'r, G, J> {
    /// Takes the threads of a runtime.
    pub const fn new(runtime: &'r Runtime<G, J>) -> Self {
        Self {
            runtime,
            at_once: 16,
            shows: false,
        }
    }

    /// Lets so many threads be under way at once; without it, 16. Steps that end together share one write
    /// to the disk.
    pub fn at_once(self, threads: usize) -> Self {
        Self {
            at_once: threads.max(1),
            ..self
        }
    }

    /// Shows a bar on stderr, if that is a terminal.
    pub fn show_progress(self) -> Self {
        Self {
            shows: true,
            ..self
        }
    }

    /// Brings each thread to its end, or to a person, as [`run_once`](crate::Thread::run_once) does: so a
    /// second call goes on where a first one was cut off.
    ///
    /// # Errors
    ///
    /// [`RunError::Journal`] if the journal cannot be read or written. All other errors are those of a thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves threads that can be recovered.
    pub async fn run<T: Into<ThreadId>>(
        &self,
        states: impl IntoIterator<Item = (T, G::State)>,
    ) -> Result<Batched<G::State>, RunError> {
        let began = Instant::now();
        let states = states.into_iter().map(|(id, state)| (id.into(), state));
        let works = states.map(|(id, state): (ThreadId, _)| {
            let thread = self.runtime.thread(&id);
            (id, async move { thread.run_once(state).await })
        });
        let runs = self.each(works.collect()).await?;
        let took = began.elapsed();
        Ok(Batched { runs, took })
    }

    /// Goes on with each of these threads that was cut off, as [`recover`](crate::Thread::recover) does. One
    /// that failed, has ended or waits for a person is left as it is, and is not among what is returned.
    ///
    /// ```
    /// use handoffs::batch::Batch;
    /// use handoffs::{Journal, Runnable, Runtime};
    ///
    /// /// What a program does first when it is started again.
    /// async fn go_on<G: Runnable, J: Journal>(
    ///     runtime: &Runtime<G, J>,
    /// ) -> Result<(), Box<dyn std::error::Error>> {
    ///     let done = Batch::new(runtime).recover(runtime.threads().await?).await?;
    ///     println!("{done}");
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::Journal`] if the journal cannot be read or written. All other errors are those of a thread,
    /// such as one that another graph wrote.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves threads that can be recovered.
    pub async fn recover(
        &self,
        threads: impl IntoIterator<Item = ThreadId>,
    ) -> Result<Batched<G::State>, RunError> {
        let began = Instant::now();
        let works = threads.into_iter().map(|id| {
            let thread = self.runtime.thread(&id);
            let work = async move {
                Ok(match thread.status().await? {
                    Status::Unfinished(_) => Some(thread.recover().await?),
                    _ => None,
                })
            };
            (id, work)
        });
        let runs = self.each(works.collect()).await?.into_iter();
        let runs = runs.filter_map(|(id, run)| Some((id, run.transpose()?)));
        Ok(Batched {
            runs: runs.collect(),
            took: began.elapsed(),
        })
    }

    /// Asks of each decision in these threads where it would lead today, as
    /// [`reroute`](crate::Thread::reroute) does.
    ///
    /// # Errors
    ///
    /// [`RunError::Journal`] if the journal cannot be read. All other errors are those of a thread.
    pub async fn reroute(
        &self,
        threads: impl IntoIterator<Item = ThreadId>,
    ) -> Result<Vec<(ThreadId, Result<Reroute, RunError>)>, RunError> {
        let works = threads.into_iter().map(|id| {
            let thread = self.runtime.thread(&id);
            (id, async move { thread.reroute().await })
        });
        self.each(works.collect()).await
    }

    /// Returns how long the nodes took in these threads, by what the journal keeps: to the millisecond.
    ///
    /// # Errors
    ///
    /// Fails if one of the threads cannot be read.
    pub async fn times(
        &self,
        threads: impl IntoIterator<Item = ThreadId>,
    ) -> Result<NodeTimes, RunError> {
        let works = threads.into_iter().map(|id| {
            let thread = self.runtime.thread(&id);
            let work = async move {
                let mut times = NodeTimes::default();
                times.add_history(&thread.history().await?);
                Ok(times)
            };
            (id, work)
        });
        let mut all = NodeTimes::default();
        for (_, times) in self.each(works.collect()).await? {
            all.merge(&times?);
        }
        Ok(all)
    }

    /// Does what is to be done with each thread, so many at a time, and returns what came of it in the order
    /// of the threads.
    async fn each<T, F>(&self, works: Vec<(ThreadId, F)>) -> Result<Each<T>, RunError>
    where
        F: Future<Output = Result<T, RunError>>,
    {
        let bar = Bar::new(self.shows, works.len(), "threads");
        let works = works.into_iter().enumerate();
        let mut under_way = stream::iter(works)
            .map(|(place, (id, work))| async move { (place, id, work.await) })
            .buffer_unordered(self.at_once);
        let (mut done, mut failed) = (Vec::new(), 0_u64);
        while let Some((place, id, came_of)) = under_way.next().await {
            if let Err(error) = &came_of {
                failed += 1;
                bar.say(format!("{failed} failed"));
                if matches!(error, RunError::Journal { .. }) {
                    return came_of.map(|_| Vec::new());
                }
            }
            bar.step();
            done.push((place, (id, came_of)));
        }
        done.sort_by_key(|(place, _)| *place);
        Ok(done.into_iter().map(|(_, thread)| thread).collect())
    }
}

impl<S> Batched<S> {
    /// Returns the threads that came to neither their end nor a person, and why.
    pub fn failed(&self) -> impl Iterator<Item = (&ThreadId, &RunError)> {
        let runs = self.runs.iter();
        runs.filter_map(|(id, run)| Some((id, run.as_ref().err()?)))
    }

    /// Returns the names of all the threads.
    pub fn threads(&self) -> Vec<ThreadId> {
        self.runs.iter().map(|(id, _)| id.clone()).collect()
    }
}

impl<S> fmt::Display for Batched<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut finished, mut paused) = (0_u64, 0_u64);
        for (_, run) in &self.runs {
            match run {
                Ok(Run::Finished(_)) => finished += 1,
                Ok(Run::Paused(_)) => paused += 1,
                Err(_) => {}
            }
        }
        write!(
            f,
            "{} threads in {:.1} s: {finished} finished, {paused} wait for a person, {} failed",
            self.runs.len(),
            self.took.as_secs_f64(),
            self.failed().count()
        )
    }
}
