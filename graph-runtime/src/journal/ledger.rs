//! The end of a thread's journal, to which all paths of one run append.
//!
//! An entry gets its number and its place in the hash chain when it is handed in. While one append is
//! under way, what is handed in meanwhile waits and goes into the next one, together: so the branches
//! of a fork share their appends, and a path that is dropped takes nothing with it that it handed in.
//!
//! With [`Durability::Exit`], all waits until the run comes to rest. What must be on disk before the run
//! goes on is *due*: its append waits for the disk at any level, and takes along what waits.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tracing::Instrument;

use super::entry::Line;
use super::open::Turned;
use super::{
    AskId, BranchId, Branches, Durability, Extent, GraphId, Hash, Head, Journal, JournalError,
    Open, Record, Recorded, ThreadId,
};
use crate::attempt::text;
use crate::clock::Clock;
use crate::telemetry;

/// The most room that an entry is given, lest a small one that follows a large one takes as much.
const MOST_ROOM: usize = 1_024;

/// Where the paths of a run hand in their entries.
pub(crate) struct Ledger {
    journal: Arc<dyn Journal>,
    thread: ThreadId,
    durability: Durability,
    clock: Clock,
    by: Option<Arc<str>>,
    desk: Mutex<Desk>,
}

struct Desk {
    /// The last entry that was handed in.
    tail: Head,
    /// The questions that are open behind it.
    open: Open,
    /// What waits for the next append.
    queue: Vec<Record>,
    /// How much room the next entry is given: one is about as long as the one before.
    room: usize,
    /// The append that is under way, with the number of its last record.
    flight: Option<(u64, Flight)>,
    /// The last record that is known to be in the journal.
    written: u64,
    /// How much there is behind the last snapshot, with all that was handed in.
    extent: Extent,
    /// The last entry that has to be on disk before the run goes on.
    due: u64,
    /// Whether an append has failed: then nothing more is written.
    failed: bool,
    /// Whether that was for another worker.
    conflict: bool,
    /// Why, until somebody takes it.
    error: Option<JournalError>,
}

/// An append. It is shared, so that it goes on when a path that waits for it is dropped.
type Flight = Shared<BoxFuture<'static, Result<(), Lost>>>;

/// The error of an append, for whoever comes first.
#[derive(Clone)]
struct Lost(Arc<Mutex<Option<JournalError>>>);

impl Desk {
    /// Takes in what has become of the append that ends with this record.
    fn land(&mut self, last: u64, landed: Result<(), Lost>) {
        match landed {
            Ok(()) => self.written = last,
            Err(Lost(error)) => {
                let error = error.lock().unwrap_or_else(PoisonError::into_inner).take();
                self.failed = true;
                self.conflict = error.as_ref().is_some_and(JournalError::is_conflict);
                self.error = error;
            }
        }
    }
}

impl Ledger {
    pub(crate) fn new(journal: Arc<dyn Journal>, thread: ThreadId, head: Head, open: Open) -> Self {
        let desk = Desk {
            tail: head,
            open,
            queue: Vec::new(),
            room: 0,
            flight: None,
            written: head.seq,
            extent: Extent::default(),
            due: 0,
            failed: false,
            conflict: false,
            error: None,
        };
        Self {
            journal,
            thread,
            durability: Durability::default(),
            clock: Clock::default(),
            by: None,
            desk: Mutex::new(desk),
        }
    }

    /// Writes at this level, and dates the entries by this clock.
    pub(crate) fn keeping(self, durability: Durability, clock: Clock) -> Self {
        Self {
            durability,
            clock,
            ..self
        }
    }

    /// Counts on from what there is behind the last snapshot.
    pub(crate) fn behind(self, extent: Extent) -> Self {
        self.desk().extent = extent;
        self
    }

    /// Names who is behind the entries.
    pub(crate) fn by(self, by: Option<Arc<str>>) -> Self {
        Self { by, ..self }
    }

    /// Returns the journal itself.
    pub(crate) fn journal(&self) -> &dyn Journal {
        &*self.journal
    }

    /// Returns the number of the last entry that was handed in.
    pub(crate) fn last(&self) -> u64 {
        self.desk().tail.seq
    }

    /// Hands an entry in, right behind the one that was pending if there is any, and returns its number. A
    /// question gets the number of its entry. An effect that is done once is due.
    ///
    /// # Errors
    ///
    /// Fails if an entry cannot be written as JSON; then none is handed in.
    pub(crate) fn hand_in(
        &self,
        graph: &GraphId,
        branch: &BranchId,
        pending: Option<Recorded>,
        event: &mut Recorded,
    ) -> serde_json::Result<u64> {
        let mut desk = self.desk();
        let desk = &mut *desk;
        let open = desk.open.count();
        let pending = match pending {
            Some(mut pending) => {
                let (tail, extent, due) = (desk.tail, desk.extent, desk.due);
                let turned = self.put(desk, graph, branch, &mut pending)?;
                Some((tail, extent, due, turned))
            }
            None => None,
        };
        if let Err(error) = self.put(desk, graph, branch, event) {
            if let Some((tail, extent, due, turned)) = pending {
                desk.queue.pop();
                (desk.tail, desk.extent, desk.due) = (tail, extent, due);
                desk.open.undo(turned);
            }
            return Err(error);
        }
        telemetry::pauses(graph.name(), open, desk.open.count());
        Ok(desk.tail.seq)
    }

    /// Puts an entry on the desk, and returns which questions it turned.
    fn put(
        &self,
        desk: &mut Desk,
        graph: &GraphId,
        branch: &BranchId,
        event: &mut Recorded,
    ) -> serde_json::Result<Turned> {
        let seq = desk.tail.seq + 1;
        if let Some(ask) = event.asks_mut() {
            ask.id = AskId(seq);
        }
        let is_effect = matches!(event, Recorded::Once { .. });
        let turned = desk.open.take(branch, event);
        let line = Line {
            seq,
            at_ms: self.clock.now_ms(),
            graph,
            prev: &desk.tail.hash,
            branch,
            by: self.by.as_deref(),
            open: desk.open.count(),
            event,
        };
        let body = match line.to_json(desk.room) {
            Ok(body) => on_one_line(body),
            Err(error) => {
                desk.open.undo(turned);
                return Err(error);
            }
        };
        desk.room = body.len().min(MOST_ROOM) + 16;
        desk.extent.entries += 1;
        desk.extent.bytes += body.len() as u64;
        if is_effect {
            desk.due = seq;
        }
        let hash = Hash::of(&body);
        desk.tail = Head { seq, hash };
        desk.queue.push(Record::new(seq, hash, body));
        Ok(turned)
    }

    /// Waits until an entry is written, as far as anybody has to wait for that.
    pub(crate) async fn written(&self, seq: u64) -> Result<(), JournalError> {
        loop {
            let under_way = poll_fn(|task| Poll::Ready(self.under_way(seq, task))).await?;
            let Some((last, flight)) = under_way else {
                return Ok(());
            };
            let landed = flight.await;
            let mut desk = self.desk();
            // Whoever comes first tells the others.
            if desk
                .flight
                .as_ref()
                .is_some_and(|(under_way, _)| *under_way == last)
            {
                desk.flight = None;
                desk.land(last, landed);
            }
        }
    }

    /// Returns the append that has to be waited for until an entry is written, if any has.
    fn under_way(
        &self,
        seq: u64,
        task: &mut Context<'_>,
    ) -> Result<Option<(u64, Flight)>, JournalError> {
        let mut desk = self.desk();
        loop {
            if desk.written >= seq {
                return Ok(None);
            }
            if desk.failed {
                return Err(self.failure(&mut desk));
            }
            if self.durability == Durability::Exit && seq > desk.due {
                return Ok(None);
            }
            if let Some(flight) = &desk.flight {
                return Ok(Some(flight.clone()));
            }
            self.depart(&mut desk, task);
        }
    }

    /// Waits until all that was handed in is written, as far as anybody has to wait for that.
    pub(crate) async fn settle(&self) -> Result<(), JournalError> {
        self.written(self.last()).await
    }

    /// Waits until all that was handed in is written, at any level.
    pub(crate) async fn flush(&self) -> Result<(), JournalError> {
        let last = {
            let mut desk = self.desk();
            if self.durability == Durability::Exit {
                desk.due = desk.tail.seq;
            }
            desk.tail.seq
        };
        self.written(last).await
    }

    /// Returns whether entries wait for the run to come to rest.
    pub(crate) fn is_at_exit(&self) -> bool {
        self.durability == Durability::Exit
    }

    /// Returns how much there is behind the last snapshot.
    pub(crate) fn extent(&self) -> Extent {
        self.desk().extent
    }

    /// Reads what this run and those before it have written, once all of it is, and returns its end.
    ///
    /// # Errors
    ///
    /// [`JournalError::Conflict`] if another worker has written since; all others as the journal's.
    pub(crate) async fn read(&self, graph: &GraphId) -> Result<(Branches, Head), JournalError> {
        self.read_on(None, graph).await
    }

    /// Does the same, and reads only what was written since `told` was read.
    pub(crate) async fn read_on(
        &self,
        told: Option<Branches>,
        graph: &GraphId,
    ) -> Result<(Branches, Head), JournalError> {
        self.flush().await?;
        let written = self.desk().written;
        let (journal, thread) = (&*self.journal, &self.thread);
        let (told, head) = match told {
            Some(told) => told.read_on(journal, thread, graph).await?,
            None => Branches::load(journal, thread, Some(graph)).await?,
        };
        if head.seq == written {
            Ok((told, head))
        } else {
            Err(JournalError::conflict(&self.thread, written))
        }
    }

    /// Sends what waits on its way. An append that waits for nothing has landed when this returns.
    fn depart(&self, desk: &mut Desk, task: &mut Context<'_>) {
        let (journal, thread) = (Arc::clone(&self.journal), self.thread.clone());
        let (head, records) = (
            desk.written,
            std::mem::replace(&mut desk.queue, Vec::with_capacity(1)),
        );
        let durability = if desk.due > head {
            Durability::Sync
        } else {
            self.durability
        };
        let bytes = records.iter().map(|record| record.body.len()).sum();
        let span = telemetry::append(&thread, records.len(), bytes);
        let (begun, told) = (telemetry::begun(), span.clone());
        let append = async move {
            // Not that of the `Arc`, which is a layer around it.
            let append = Journal::append(&*journal, &thread, head, records, durability);
            let append = AssertUnwindSafe(append);
            let appended = append.catch_unwind().await.unwrap_or_else(|panic| {
                let panicked = format!("it panicked: {}", text(&*panic));
                Err(JournalError::store("the journal", "append to", panicked))
            });
            telemetry::appended(begun, appended.is_ok());
            appended.map_err(|error| {
                telemetry::append_failed(&told, &error);
                Lost(Arc::new(Mutex::new(Some(error))))
            })
        };
        let mut append = if span.is_disabled() {
            append.boxed()
        } else {
            append.instrument(span).boxed()
        };
        let last = desk.tail.seq;
        match append.as_mut().poll(task) {
            Poll::Ready(landed) => desk.land(last, landed),
            Poll::Pending => desk.flight = Some((last, append.shared())),
        }
    }

    /// Returns why nothing more is written: the error itself to whoever asks first.
    #[cold]
    fn failure(&self, desk: &mut Desk) -> JournalError {
        if let Some(error) = desk.error.take() {
            error
        } else if desk.conflict {
            JournalError::conflict(&self.thread, desk.written)
        } else {
            let ended = "an earlier append of this run failed";
            JournalError::store("the journal", "append to", ended)
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes one line of an entry, so that each is a line of an export. Values that were JSON before may
/// have brought line breaks along. In a text JSON escapes them, so these mean no more than a blank does.
pub(super) fn on_one_line(mut body: Vec<u8>) -> Vec<u8> {
    // Each byte is written, so that the compiler takes many at a time.
    for byte in &mut body {
        *byte = if matches!(*byte, b'\n' | b'\r') {
            b' '
        } else {
            *byte
        };
    }
    body
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::journal::{Layer, Memory, Usage};

    #[derive(Debug, Default)]
    struct Panicking(Memory);

    #[async_trait]
    impl Layer for Panicking {
        type Within = Memory;

        fn within(&self) -> &Memory {
            &self.0
        }

        async fn append(
            &self,
            _: &ThreadId,
            _: u64,
            _: Vec<Record>,
            _: Durability,
        ) -> Result<(), JournalError> {
            panic!("no disk")
        }
    }

    #[tokio::test]
    async fn a_journal_that_panics_is_an_error_to_all_who_wait() {
        let thread = ThreadId::new("t");
        let head = Head::of(&thread);
        let journal = Arc::new(Panicking::default());
        let ledger = Ledger::new(journal, thread, head, Open::default());
        let mut failed = Recorded::Failed {
            node: "a".into(),
            error: "none".to_owned(),
            took_ms: 0,
            usage: Usage::default(),
        };
        let graph = GraphId("Test#0".into());
        let seq = ledger
            .hand_in(&graph, &BranchId::TRUNK, None, &mut failed)
            .unwrap();
        let error = ledger.written(seq).await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), "it panicked: no disk");
        assert!(ledger.settle().await.is_err(), "nothing more is written");
    }
}
