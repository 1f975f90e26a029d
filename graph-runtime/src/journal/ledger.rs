//! The end of a thread's journal, to which all paths of one run append.
//!
//! An entry gets its number and its place in the hash chain when it is handed in. While one append is
//! under way, what is handed in meanwhile waits and goes into the next one, together: so the branches
//! of a fork share their appends, and a path that is dropped takes nothing with it that it handed in.
//!
//! With [`Durability::Exit`], all waits until the run comes to rest. What must be on disk before the run
//! goes on is *due*: its append waits for the disk at any level, and takes along what waits.
//!
//! A journal in this process has a *shelf* for the thread. What is put there is written, and becomes a record
//! when somebody reads it.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tracing::Instrument;

use super::line::Line;
use super::open::Turned;
use super::unread::{Unwritten, Writer};
use super::{
    AskId, BranchId, Branches, Durability, Extent, GraphId, Head, Journal, JournalError, Open,
    PlainStep, Record, Recorded, Shelf, ThreadId,
};
use crate::attempt::text;
use crate::clock::Clock;
use crate::plan::Plan;
use crate::telemetry;

/// Where the paths of a run hand in their entries.
pub(crate) struct Ledger {
    journal: Arc<dyn Journal>,
    thread: ThreadId,
    durability: Durability,
    clock: Clock,
    by: Option<Arc<str>>,
    /// The plan of the trunk, if a run hands in its steps.
    plan: Option<Arc<Plan>>,
    desk: Mutex<Desk>,
}

struct Desk {
    /// The last entry that was handed in; its hash is not known as long as there is a shelf.
    tail: Head,
    /// Where entries are put that need not be read yet, and whether it was looked for.
    shelf: Option<Shelf>,
    looked: bool,
    /// The questions that are open behind it.
    open: Open,
    /// What waits for the next append.
    queue: Vec<Record>,
    /// How long the last entry was.
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

/// Waits until an entry is written. It is compiled here, and not with each graph that waits for it, as the future
/// of an `async fn` would be.
#[must_use = "it waits only where it is awaited"]
pub(crate) struct Written<'l> {
    ledger: &'l Ledger,
    seq: u64,
    /// The append that is waited for, with the number of its last record.
    flight: Option<(u64, Flight)>,
}

impl Future for Written<'_> {
    type Output = Result<(), JournalError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let Self {
            ledger,
            seq,
            flight,
        } = &mut *self;
        loop {
            let (last, under_way) = match flight {
                Some(flight) => flight,
                None => match ledger.under_way(*seq, task)? {
                    Some(under_way) => flight.insert(under_way),
                    None => return Poll::Ready(Ok(())),
                },
            };
            let landed = ready!(under_way.poll_unpin(task));
            ledger.landed(*last, landed);
            *flight = None;
        }
    }
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

    /// Goes on with records.
    #[cold]
    fn close_shelf(&mut self) {
        let Some(closed) = self.shelf.take() else {
            return;
        };
        match closed.close(self.tail.seq) {
            Ok(Some(head)) => self.tail = head,
            Ok(None) => (self.failed, self.conflict) = (true, true),
            Err(error) => {
                self.failed = true;
                self.error = Some(error);
            }
        }
    }
}

impl Ledger {
    pub(crate) fn new(journal: Arc<dyn Journal>, thread: ThreadId, head: Head, open: Open) -> Self {
        let desk = Desk {
            tail: head,
            shelf: None,
            looked: false,
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
            plan: None,
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

    /// Takes the steps of a run on this graph.
    pub(crate) fn of_run(self, plan: Arc<Plan>) -> Self {
        let plan = Some(plan);
        Self { plan, ..self }
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
        event: Recorded,
    ) -> serde_json::Result<u64> {
        let mut desk = self.desk();
        let desk = &mut *desk;
        let open = desk.open.count();
        let pending = match pending {
            Some(pending) => {
                let (tail, extent, due) = (desk.tail, desk.extent, desk.due);
                let turned = self.put(desk, graph, branch, pending)?;
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

    /// Puts an entry on the desk or the shelf, and returns which questions it turned.
    fn put(
        &self,
        desk: &mut Desk,
        graph: &GraphId,
        branch: &BranchId,
        mut event: Recorded,
    ) -> serde_json::Result<Turned> {
        if !desk.looked {
            desk.looked = true;
            self.find_shelf(desk);
        } else if desk.shelf.is_some() && telemetry::is_append_told() {
            desk.close_shelf();
        }
        let seq = desk.tail.seq + 1;
        if let Some(ask) = event.asks_mut() {
            ask.id = AskId(seq);
        }
        let is_effect = matches!(event, Recorded::Once { .. });
        let turned = desk.open.take(branch, &event);
        let (at_ms, open) = (self.clock.now_ms(), desk.open.count());
        if let Some(shelf) = &desk.shelf {
            let entry = Unwritten {
                at_ms,
                graph: graph.clone(),
                branch: branch.clone(),
                open,
                event,
            };
            if shelf.put(desk.tail.seq, entry) {
                desk.written = seq;
            } else {
                (desk.failed, desk.conflict) = (true, true);
            }
            desk.tail.seq = seq;
            return Ok(turned);
        }
        let line = Line {
            seq,
            at_ms,
            graph,
            prev: &desk.tail.hash,
            branch,
            by: self.by.as_deref(),
            open,
            event: &event,
        };
        let record = match line.record(desk.room) {
            Ok(record) => record,
            Err(error) => {
                desk.open.undo(turned);
                return Err(error);
            }
        };
        desk.room = record.body.len();
        desk.extent.entries += 1;
        desk.extent.bytes += record.body.len() as u64;
        if is_effect {
            desk.due = seq;
        }
        desk.tail = Head::new(seq, record.hash);
        desk.queue.push(record);
        Ok(turned)
    }

    /// Returns whether plain steps can be [put](Self::put_step) on a shelf.
    pub(crate) fn takes_steps(&self) -> bool {
        let desk = self.desk();
        desk.shelf.is_some() && desk.open.count() == 0
    }

    /// Puts a plain step of the trunk on the shelf, with the JSON of the fields that it changed, and returns its
    /// number; none, and nothing has happened, if it has to be handed in.
    pub(crate) fn put_step(&self, step: PlainStep, fields: &[u8]) -> Option<u64> {
        let mut desk = self.desk();
        if desk.open.count() > 0 {
            return None;
        }
        let (head, at_ms) = (desk.tail.seq, self.clock.now_ms());
        if !(desk.shelf.as_ref()?).put_step(head, at_ms, step, fields) {
            return None;
        }
        desk.tail.seq += 1;
        desk.written = desk.tail.seq;
        Some(desk.tail.seq)
    }

    /// Finds the shelf that the journal has for the thread, if steps can be put there.
    fn find_shelf(&self, desk: &mut Desk) {
        let Some(plan) = &self.plan else {
            return;
        };
        if self.durability == Durability::Exit || telemetry::is_append_told() {
            return;
        }
        let run = Writer {
            plan: Arc::clone(plan),
            by: self.by.clone(),
        };
        let found = self.journal.__shelf(&self.thread);
        desk.shelf = found.and_then(|found| found.open(desk.tail, run));
    }

    /// Waits until an entry is written, as far as anybody has to wait for that.
    pub(crate) fn written(&self, seq: u64) -> Written<'_> {
        Written {
            ledger: self,
            seq,
            flight: None,
        }
    }

    /// Takes in what has become of an append. Whoever comes first tells the others.
    fn landed(&self, last: u64, landed: Result<(), Lost>) {
        let mut desk = self.desk();
        let under_way = desk.flight.as_ref().map(|(under_way, _)| *under_way);
        if under_way == Some(last) {
            desk.flight = None;
            desk.land(last, landed);
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
    pub(crate) fn settle(&self) -> Written<'_> {
        self.written(self.last())
    }

    /// Waits until all that was handed in is written, at any level.
    pub(crate) fn flush(&self) -> Written<'_> {
        let last = {
            let mut desk = self.desk();
            if self.durability == Durability::Exit {
                desk.due = desk.tail.seq;
            }
            desk.tail.seq
        };
        self.written(last)
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
        let failed = Recorded::Failed {
            node: "a".into(),
            error: "none".to_owned(),
            took_ms: 0,
            usage: Usage::default(),
        };
        let graph = GraphId("Test#0".into());
        let seq = ledger
            .hand_in(&graph, &BranchId::TRUNK, None, failed)
            .unwrap();
        let error = ledger.written(seq).await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), "it panicked: no disk");
        assert!(ledger.settle().await.is_err(), "nothing more is written");
    }
}
