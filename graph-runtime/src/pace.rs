//! Steps that are kept without the driver: what a path remembers from one to the next.

use std::borrow::Cow;
use std::mem::take;
use std::time::Duration;

use handoffs_core::{FieldSet, State};
use tokio::time::Instant;

use crate::context::Context;
use crate::course::place;
use crate::driver::Driver;
use crate::execute::Runnable;
use crate::journal::{Conclusion, PlainStep, Writes};
use crate::marks::Marks;
use crate::telemetry;

/// What a path remembers from one step to the next, to say what a step did and how long it took.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Whether plain steps may be kept without the driver.
    is_on: bool,
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
    fn lap(&self) -> (Instant, u64) {
        let now = Instant::now();
        let took = self.begun.map(|begun| now.saturating_duration_since(begun));
        (now, took.map_or(0, whole_ms))
    }

    /// Writes the fields down that a step changed, and returns whether they can be kept so.
    fn write<S: State>(&mut self, state: &S, marks: Marks) -> bool {
        let mut fields = take(&mut self.fields);
        fields.clear();
        let length = |field| self.length(field);
        let is_kept = Writes::put(state, marks.changed, marks.appended(), length, &mut fields);
        self.fields = fields;
        is_kept
    }

    /// Returns the fields that the step changed, as JSON.
    fn fields(&self) -> &[u8] {
        &self.fields
    }

    /// Begins the attempt that follows a step which was kept.
    fn go_on<S: State>(&mut self, now: Instant, state: &S, changed: FieldSet) {
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

impl Context<'_> {
    /// Takes an edge without the driver where a journal takes what the step did as it is, if there is no more to
    /// say of it, and returns the node to which it leads.
    #[inline(never)]
    pub(crate) fn keep_pace<S: State>(&mut self, edge: usize, state: &S) -> Option<usize> {
        let is_plain = self.is_plain();
        let pace = self.pace.as_deref_mut().filter(|pace| pace.is_on)?;
        let ledger = self.scope.ledger.as_deref()?;
        let leg = self.course.leg(edge)?;
        let Some(Ok(Conclusion {
            variant: Cow::Borrowed(variant),
            payload: None,
        })) = self.concluded
        else {
            return None;
        };
        let marks = self.step;
        if !is_plain || !pace.write(state, marks) {
            return None;
        }
        let (now, took_ms) = pace.lap();
        let keep = |progress| {
            let edge = place(edge);
            let step = PlainStep {
                took_ms,
                variant,
                edge,
                progress,
            };
            let seq = ledger.put_step(step, pace.fields());
            self.arrived = seq.unwrap_or(self.arrived);
            seq.is_some()
        };
        if !(self.course).keep_pass(edge, leg, marks.changed, state, keep) {
            return None;
        }
        pace.go_on(now, state, marks.changed);
        self.flush();
        Some(usize::from(self.course.engine.go_on(leg)))
    }

    /// Returns whether nothing is left that the node which is due is to be told, but what the state says.
    fn is_fresh(&self) -> bool {
        let Self {
            answers,
            item,
            again,
            caught,
            refused,
            misfit,
            around,
            outer,
            ..
        } = self;
        let is_told = item.is_some() || caught.is_some() || refused.is_some() || misfit.is_some();
        answers.is_empty()
            && !is_told
            && !again
            && !around.is_felt()
            && outer.is_none()
            && self.branch.is_trunk()
            && self.scope.limits.budgets.is_none()
            && self.is_plain()
    }

    /// Returns whether the step has done no more than to change fields.
    fn is_plain(&self) -> bool {
        self.pending.is_none()
            && self.effects.is_empty()
            && self.usage.is_empty()
            && self.calls.is_empty()
            && self.near.is_empty()
            && self.left.is_none()
            && self.step.replaced.is_empty()
    }
}

impl<G: Runnable> Driver<'_, G> {
    /// Says whether the plain steps that come are kept without the driver.
    pub(crate) fn set_pace(&mut self, caches: bool) {
        let is_on = self.may_pace(caches);
        if let Some(pace) = &mut self.cx.pace {
            pace.is_on = is_on;
        }
    }

    /// Returns whether the plain steps that come may be kept without the driver: nobody has to be told of them,
    /// nothing is left over from what came before, and there is a place for them.
    fn may_pace(&self, caches: bool) -> bool {
        let limits = &self.scope.limits;
        let is_watched = self.sink.listens() || telemetry::is_told() || limits.drain.is_some();
        !caches
            && !is_watched
            && !self.is_within
            && self.used.is_empty()
            && self.cut_off_ms == 0
            && self.cx.is_fresh()
            && !self.plan().has_scopes()
            && (self.scope.ledger.as_ref()).is_some_and(|ledger| ledger.takes_steps())
    }
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
