//! A run's way through its graph: the plan, where the run stands in it, and what counts as progress.

use handoffs_core::{FieldSet, State};

use crate::engine::{Action, Engine, Hop, Refused};
use crate::plan::{Leg, LegKind, Plan};
use crate::progress::Progress;

/// Handoffs between two points at which a run lets other tasks have their turn, which takes some 0.3 µs: nodes that do
/// not wait for anything are at work for some 10 µs of their own in between, if they are short.
const HANDOFFS_A_TURN: u64 = 512;

/// A run's way through its graph.
#[derive(Debug)]
pub(crate) struct Course<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) engine: Engine,
    /// What counts as progress, if loops are watched.
    pub(crate) progress: Option<Progress>,
}

impl<'a> Course<'a> {
    pub(crate) const fn new(plan: &'a Plan, engine: Engine, progress: Option<Progress>) -> Self {
        Self {
            plan,
            engine,
            progress,
        }
    }

    /// Returns the node that is due, which is the first one where none is.
    pub(crate) fn due(&self) -> u16 {
        match self.engine.next() {
            Action::Execute(node) | Action::Wait(node, _) => node,
            Action::Branch(edge) | Action::Finish(edge, _) | Action::Approve(edge, _) => {
                self.plan.edges[usize::from(edge)].from
            }
            Action::Start | Action::Arrive | Action::Abandon => self.plan.start,
        }
    }

    /// Takes in that fields have changed, ahead of the decision that tells it.
    #[cfg(feature = "agents")]
    pub(crate) fn note_changed(&mut self, fields: FieldSet) {
        if let Some(progress) = &mut self.progress {
            progress.changed(fields);
        }
    }

    /// Returns whether a decision for an edge would find it masked if only these fields changed before.
    #[cfg(feature = "agents")]
    pub(crate) fn is_masked<S: State>(&mut self, edge: u16, state: &S, changing: FieldSet) -> bool {
        let progress = self.progress.as_mut();
        let progress = progress.filter(|progress| !progress.watches(changing));
        let progress = progress.and_then(|progress| progress.fingerprint(state));
        self.engine.is_masked(self.plan, edge, progress)
    }

    /// Takes a decision in, and returns the way on, and the progress on which it depended.
    pub(crate) fn decide<S: State>(
        &mut self,
        edge: usize,
        changed: FieldSet,
        state: &S,
    ) -> Result<(Hop, Option<u64>), Refused> {
        let edge = self.engine.resolve(self.plan, place(edge))?;
        let progress = self.progress.as_mut().and_then(|progress| {
            progress.changed(changed);
            let watched = self.plan.is_watched(edge);
            if watched {
                progress.fingerprint(state)
            } else {
                None
            }
        });
        let hop = self.engine.decide(self.plan, edge, progress)?;
        Ok((hop, progress))
    }

    /// Returns the way of an edge that a decision chose, if it may lead on to another node without using up
    /// the turn.
    #[inline]
    pub(crate) fn leg(&self, edge: usize) -> Option<&'a Leg> {
        let leg = self.plan.legs.get(edge)?;
        let is_turn = ends_turn(self.engine.handoffs() + 1);
        (!is_turn && self.engine.may_go(leg)).then_some(leg)
    }

    /// Counts that a watched edge is taken after these fields have changed, and returns whether it can be.
    #[inline]
    pub(crate) fn count_lap<S: State>(
        &mut self,
        edge: usize,
        changed: FieldSet,
        state: &S,
    ) -> bool {
        let progress = self.progress.as_mut().and_then(|progress| {
            progress.changed(changed);
            progress.fingerprint(state)
        });
        (self.engine).count_lap(self.plan, edge, progress, || true)
    }

    /// Does what there is to do where an edge is taken, but to go along it, once the step is kept: `keep` gets the
    /// progress on which it depended, and says whether that has succeeded, as this does.
    pub(crate) fn keep_pass<S: State>(
        &mut self,
        edge: usize,
        leg: &Leg,
        changed: FieldSet,
        state: &S,
        keep: impl FnOnce(Option<u64>) -> bool,
    ) -> bool {
        let is_watched = leg.kind == LegKind::Watched;
        let progress = self.progress.as_mut().and_then(|progress| {
            progress.changed(changed);
            if is_watched {
                progress.fingerprint(state)
            } else {
                None
            }
        });
        let is_kept = if is_watched {
            let keep = || keep(progress);
            self.engine.count_lap(self.plan, edge, progress, keep)
        } else {
            keep(None)
        };
        if is_kept && self.engine.has_frames() {
            self.note_handoff(edge, leg);
        }
        is_kept
    }

    /// Notes who hands over along an edge.
    #[inline(never)]
    pub(crate) fn note_handoff(&mut self, edge: usize, leg: &Leg) {
        self.engine.note_handoff(self.plan, place(edge), leg);
    }

    /// Returns whether it is time that other tasks have their turn.
    pub(crate) const fn is_turn_over(&self) -> bool {
        ends_turn(self.engine.handoffs())
    }
}

const fn ends_turn(handoffs: u64) -> bool {
    handoffs.is_multiple_of(HANDOFFS_A_TURN)
}

/// Returns an edge's place as the engine counts it; a place beyond its range is no edge's.
#[inline]
pub(crate) fn place(edge: usize) -> u16 {
    u16::try_from(edge).unwrap_or(u16::MAX)
}
