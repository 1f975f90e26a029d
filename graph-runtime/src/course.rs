//! A run's way through its graph: the plan, where the run stands in it, and what counts as progress.

use handoffs_core::State;

use crate::engine::{Engine, Hop, Plan, Refused};
use crate::progress::Progress;

/// Steps between two points at which a run lets other tasks have their turn.
const STEPS_A_TURN: u32 = 256;

/// A run's way through its graph.
#[derive(Debug)]
pub(crate) struct Course<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) engine: Engine,
    /// What counts as progress, if loops are watched.
    pub(crate) progress: Option<Progress>,
    /// Steps since other tasks last had their turn.
    steps: u32,
}

impl<'a> Course<'a> {
    pub(crate) const fn new(plan: &'a Plan, engine: Engine, progress: Option<Progress>) -> Self {
        Self { plan, engine, progress, steps: 0 }
    }

    /// Takes a decision in, and returns the way on, and the progress on which it depended.
    pub(crate) fn decide<S: State>(
        &mut self,
        edge: usize,
        state: &S,
    ) -> Result<(Hop, Option<u64>), Refused> {
        let edge = place(edge);
        let progress = match &mut self.progress {
            Some(progress) if self.plan.is_watched(edge) => progress.fingerprint(state),
            _ => None,
        };
        let hop = self.engine.decide(self.plan, edge, progress)?;
        Ok((hop, progress))
    }

    /// Takes a decision in if it leads on to another node and neither masks an edge nor uses up the
    /// turn, and returns that node.
    #[inline]
    pub(crate) fn pass<S: State>(&mut self, edge: usize, state: &S) -> Option<u16> {
        if self.is_turn_over() {
            return None;
        }
        let progress = &mut self.progress;
        let fingerprint = || progress.as_mut()?.fingerprint(state);
        self.engine.pass(self.plan, place(edge), fingerprint)
    }

    /// Counts a step, and returns whether other tasks should have their turn.
    #[inline]
    pub(crate) fn is_turn_over(&mut self) -> bool {
        self.steps = self.steps.wrapping_add(1);
        self.steps.is_multiple_of(STEPS_A_TURN)
    }
}

/// Returns an edge's place as the engine counts it; a place beyond its range is no edge's.
#[inline]
pub(crate) fn place(edge: usize) -> u16 {
    u16::try_from(edge).unwrap_or(u16::MAX)
}
