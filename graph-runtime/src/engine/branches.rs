//! The paths of branches: how they begin, and what is left of them at the join.

use handoffs_core::Target;

use super::{Engine, Position, Refused};
use crate::plan::Plan;

impl Engine {
    /// Returns the path of a branch of the fork at which this path stands, by its place and how many there
    /// are, or `None` if it has no such branch.
    pub(crate) fn branch_of(&self, plan: &Plan, edge: u16, place: (u32, u32)) -> Option<Self> {
        let (index, _) = place;
        let fork = plan.fork(edge)?;
        let entry = if fork.is_each {
            0
        } else {
            usize::try_from(index).ok()?
        };
        self.branch_at(plan, edge, *fork.entries.get(entry)?, place)
    }

    /// Returns the path of a branch that begins at a node, of a fork at which this path stands.
    pub(crate) fn branch_at(
        &self,
        plan: &Plan,
        edge: u16,
        entry: u16,
        place: (u32, u32),
    ) -> Option<Self> {
        let edge = plan.edges.get(usize::from(edge))?;
        let mut branch = self.branch(edge.from, entry, edge.to.node()?);
        let frames = self.frames.as_ref();
        branch.frames = frames.map(|frames| Box::new(frames.branch(plan, entry, place)));
        Some(branch)
    }

    /// Returns the path of a branch that begins at a node.
    pub(super) fn branch(&self, from: u16, entry: u16, join: u16) -> Self {
        // An item is an input from outside, as it were: no two branches begin alike.
        let mut branch = Self {
            epoch: self.last_epoch + 1,
            last_epoch: self.last_epoch + 1,
            answers: 0,
            join: Some(join),
            // To a branch nobody hands over.
            frames: self.frames.as_ref().map(|_| Box::default()),
            ..self.clone()
        };
        branch.go(from, Target::Node(entry), 0, false);
        branch
    }

    /// Takes in what a branch has used up, which has come to its join.
    pub(crate) fn absorb(&mut self, branch: &Self) {
        for (lap, of_branch) in self.laps.iter_mut().zip(&branch.laps) {
            if of_branch.taken > lap.taken {
                *lap = *of_branch;
            }
        }
        if branch.handoffs > self.handoffs {
            self.handoffs = branch.handoffs;
            self.recent = branch.recent;
        }
        if let (Some(frames), Some(of_branch)) = (&mut self.frames, &branch.frames) {
            frames.absorb(of_branch);
        }
        self.last_epoch = self.last_epoch.max(branch.last_epoch);
        self.answers = self.answers.saturating_add(branch.answers);
    }

    /// Goes on at the join, with what the branches have used up: `all` began as a copy of this path,
    /// and [absorbed](Self::absorb) each of them.
    pub(crate) fn joined(&mut self, plan: &Plan, all: Self) -> Result<u16, Refused> {
        let Position::Forked(from, edge) = self.position else {
            return Err(Refused::Impossible("nothing had forked"));
        };
        let join = plan
            .edges
            .get(usize::from(edge))
            .and_then(|edge| edge.to.node());
        let join = join.ok_or(Refused::Impossible("the fork has no join"))?;
        let has_branches = all.handoffs > self.handoffs;
        let was_answered = all.answers > self.answers;
        if let Some(frames) = &mut self.frames {
            let returned = all.frames.as_deref().filter(|_| has_branches);
            frames.join(plan, from, join, returned);
        }
        *self = Self {
            position: self.position,
            join: self.join,
            epoch: self.epoch,
            frames: self.frames.take(),
            ..all
        };
        if was_answered {
            self.renew();
        }
        if has_branches {
            self.position = Position::At(join);
        } else {
            self.go(from, Target::Node(join), edge, false);
        }
        Ok(join)
    }
}
