//! Steps that are kept without the driver: what a path remembers from one to the next.

use std::time::Duration;

use handoffs_core::{FieldSet, State};
use tokio::time::Instant;

use crate::journal::Writes;
use crate::marks::Marks;

/// What a path remembers from one step to the next, to say what a step did and how long it took.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Whether plain steps may be kept without the driver.
    pub(crate) is_on: bool,
    /// When the attempt began that is under way, if anybody wants to know how long it takes.
    begun: Option<Instant>,
    /// How long the logs were before the step that is under way.
    lengths: Vec<usize>,
    /// The fields that a step changed, as JSON.
    fields: Vec<u8>,
}

impl Pace {
    /// Notes how long the logs are before a step, if there is a journal to keep what they grow by.
    pub(crate) fn measure<S: State>(&mut self, state: &S) {
        let fields = 0..S::FIELDS.len();
        self.lengths.clear();
        self.lengths
            .extend(fields.map(|field| state.mark(field).unwrap_or(0)));
    }

    /// Returns how long a log was before the step.
    pub(crate) fn length(&self, field: usize) -> usize {
        self.lengths.get(field).copied().unwrap_or(0)
    }

    /// Begins an attempt whose time counts.
    pub(crate) fn begin(&mut self) {
        self.begun = Some(Instant::now());
    }

    /// Ends the attempt, and returns how long it took, in milliseconds.
    pub(crate) fn end(&mut self) -> u64 {
        let begun = self.begun.take();
        begun.map_or(0, |begun| whole_ms(begun.elapsed()))
    }

    /// Returns what time it is, and how long the attempt has taken so far, in milliseconds.
    pub(crate) fn lap(&self) -> (Instant, u64) {
        let now = Instant::now();
        let took = self.begun.map(|begun| now.saturating_duration_since(begun));
        (now, took.map_or(0, whole_ms))
    }

    /// Writes the fields down that a step changed, and returns whether they can be kept so.
    pub(crate) fn write<S: State>(&mut self, state: &S, marks: Marks) -> bool {
        let Self {
            lengths, fields, ..
        } = self;
        let length = |field: usize| lengths.get(field).copied().unwrap_or(0);
        fields.clear();
        Writes::put(state, marks.changed, marks.appended(), length, fields)
    }

    /// Returns the fields that the step changed, as JSON.
    pub(crate) fn fields(&self) -> &[u8] {
        &self.fields
    }

    /// Begins the attempt that follows a step which was kept.
    pub(crate) fn go_on<S: State>(&mut self, now: Instant, state: &S, changed: FieldSet) {
        self.begun = Some(now);
        for field in changed.iter() {
            if let Some(length) = self.lengths.get_mut(field) {
                *length = state.mark(field).unwrap_or(0);
            }
        }
    }

    /// Forgets all, for another path.
    pub(crate) fn begin_again(&mut self) {
        // Each field is named, so that none is forgotten.
        let Self {
            is_on,
            begun,
            lengths,
            fields,
        } = self;
        (*is_on, *begun) = (false, None);
        lengths.clear();
        fields.clear();
    }
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
