//! What happens next: facts in, actions out.
//!
//! The engine is a value. It knows no async, no clock and no state, only the plan of a graph and
//! where a run stands in it, so a run can be replayed from its journal by feeding it the same facts.

mod approval;
mod authority;
mod branches;
mod frames;
mod moved;
mod retrace;

use std::sync::Arc;

use handoffs_core::Target;
use serde::{Deserialize, Serialize};

use crate::journal::{AskId, Masked};
use crate::plan::{Leg, LegKind, Plan, PlanEdge};

pub use frames::Amounts;
use frames::Frames;
pub(crate) use moved::Legend;

/// Where a path through a graph stands, and what it has used up.
///
/// A run has one such path. Where it forks, each branch has one of its own, which begins with the
/// counts of the path that forked; behind the join, the highest count of any branch holds. So a limit
/// bounds how often its edge is taken on any one path through the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Engine {
    position: Position,
    /// The node at which the path ends: the join of the fork that it is a branch of.
    join: Option<u16>,
    /// How often each edge was taken; none if no edge can be masked.
    laps: Vec<Lap>,
    handoffs: u64,
    /// Counts the inputs from outside; after one, an edge may be taken from old progress again.
    epoch: u32,
    /// The highest epoch so far, of this path or any that was joined to it.
    last_epoch: u32,
    /// How many answers the path has got.
    answers: u32,
    /// Who handed over to whom and holds what, if something leads back or needs authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frames: Option<Box<Frames>>,
    /// The nodes of the last handoffs, in a ring, for the text of an error.
    recent: [u16; Engine::RECENT as usize],
}

/// How often an edge was taken, and from what progress the last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Lap {
    taken: u32,
    epoch: u32,
    progress: Option<u64>,
}

impl Lap {
    /// Returns why the edge cannot be taken from this progress, if it cannot.
    #[inline]
    fn mask(&self, limit: Option<u32>, epoch: u32, progress: Option<u64>) -> Option<Masked> {
        if self.taken == 0 {
            None
        } else if limit.is_some_and(|limit| self.taken >= limit) {
            Some(Masked::Limit)
        } else if progress.is_some() && self.epoch == epoch && self.progress == progress {
            Some(Masked::NoProgress)
        } else {
            None
        }
    }

    #[inline]
    fn count(&mut self, epoch: u32, progress: Option<u64>) {
        *self = Self {
            taken: self.taken.saturating_add(1),
            epoch,
            progress,
        };
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Position {
    /// Nothing has begun.
    New,
    /// A node is due.
    At(u16),
    /// A node waits for an answer.
    Asking(u16, AskId),
    /// A node has concluded, and the handoff of its edge waits for a person's approval.
    Approving {
        from: u16,
        edge: u16,
        /// What was made of the state when it was asked, where a loop is watched.
        progress: Option<u64>,
        ask: AskId,
    },
    /// A node is due again after an error.
    Failed(u16),
    /// The path has forked at a node, along this edge, and goes on when the branches have joined.
    Forked(u16, u16),
    /// The path came to its join.
    Arrived,
    /// The path came to the end, along this edge or its `else`.
    Ended(u16, bool),
    /// Somebody gave the run up.
    Abandoned,
}

/// What the driver is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Begin a run.
    Start,
    /// Execute this node.
    Execute(u16),
    /// Wait for the answer to this question of this node.
    Wait(u16, AskId),
    /// Wait for the answer whether the handoff of this edge may be.
    Approve(u16, AskId),
    /// Bring the branches of the fork of this edge to their join.
    Branch(u16),
    /// Nothing more: the branch came to its join.
    Arrive,
    /// Nothing more: the run is over. It ended along this edge, or its `else`.
    Finish(u16, bool),
    /// Nothing more: somebody gave the run up.
    Abandon,
}

/// What has happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact {
    /// A run was begun.
    Started,
    /// The node that was due asked a person, or one was asked whether its handoff may be.
    Asked(AskId),
    /// The question was answered.
    Answered,
    /// Nobody answered the question of the node in time, and the node is due again.
    Expired,
    /// The run ended with an error at the node that was due, or where branches were to join.
    Failed,
    /// Somebody changed the state from outside.
    Edited,
    /// Somebody gave the run up.
    Abandoned,
}

/// Which way the run went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    /// The edge, which of those that stand for one that leads back is the one to whoever handed over.
    pub(crate) edge: u16,
    /// The node, which of a fork is the join.
    pub(crate) to: Target<u16>,
    pub(crate) masked: Option<Masked>,
    pub(crate) forks: bool,
    /// Whether the run does not go there before a person has approved it.
    pub(crate) asks: bool,
}

/// A fact that cannot have happened where the run stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A masked edge was insisted on, and it says no other way.
    Loop {
        edge: u16,
        why: Masked,
        cycle: Vec<u16>,
        laps: u32,
    },
    /// The fact does not follow from what happened before.
    Impossible(&'static str),
}

impl Engine {
    const RECENT: u16 = 32;

    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            position: Position::New,
            join: None,
            laps: vec![Lap::default(); plan.laps],
            handoffs: 0,
            epoch: 0,
            last_epoch: 0,
            answers: 0,
            frames: Frames::of(plan),
            recent: [plan.start; Self::RECENT as usize],
        }
    }

    /// Returns a path that begins at a node.
    pub(crate) fn at(plan: &Plan, node: u16) -> Self {
        Self {
            position: Position::At(node),
            ..Self::new(plan)
        }
    }

    /// Returns what is to be done next.
    #[inline]
    pub(crate) const fn next(&self) -> Action {
        match self.position {
            Position::New => Action::Start,
            Position::At(node) | Position::Failed(node) => Action::Execute(node),
            Position::Asking(node, ask) => Action::Wait(node, ask),
            Position::Approving { edge, ask, .. } => Action::Approve(edge, ask),
            Position::Forked(_, edge) => Action::Branch(edge),
            Position::Arrived => Action::Arrive,
            Position::Ended(edge, otherwise) => Action::Finish(edge, otherwise),
            Position::Abandoned => Action::Abandon,
        }
    }

    /// Returns whether the last thing that happened was an error.
    pub(crate) const fn has_failed(&self) -> bool {
        matches!(self.position, Position::Failed(_))
    }

    /// Returns how many handoffs the path has taken.
    pub(crate) const fn handoffs(&self) -> u64 {
        self.handoffs
    }

    /// Returns the node from which the path came to the one that is due; none at its beginning.
    pub(crate) fn came_from(&self) -> Option<u16> {
        (self.handoffs > 0).then(|| self.recent[Self::slot(self.handoffs - 1)])
    }

    /// Returns the node that handed over to the one that is due, if one did and something of the graph
    /// leads back.
    pub(crate) fn caller(&self) -> Option<u16> {
        self.frames.as_ref()?.caller()
    }

    /// Returns the edge that stands for the chosen one where the path is: of those that lead back the one
    /// to whoever handed over.
    #[inline]
    pub(crate) fn resolve(&self, plan: &Plan, chosen: u16) -> Result<u16, Refused> {
        let found = plan.back_to(chosen, self.caller());
        found.ok_or(Refused::Impossible("nobody had handed over to the node"))
    }

    /// Takes a fact in.
    pub(crate) fn on(&mut self, plan: &Plan, fact: Fact) -> Result<(), Refused> {
        match (self.position, fact) {
            (_, Fact::Started) if self.may_start() => {
                let epoch = self.last_epoch + 1;
                *self = Self {
                    position: Position::At(plan.start),
                    epoch,
                    last_epoch: epoch,
                    ..Self::new(plan)
                };
            }
            (Position::At(node) | Position::Failed(node), Fact::Asked(ask)) => {
                self.position = Position::Asking(node, ask);
            }
            (Position::Approving { .. }, Fact::Asked(asked)) => self.asked(asked)?,
            // That nobody came in time is news from outside as well.
            (Position::Asking(node, _), Fact::Answered | Fact::Expired) => {
                self.renew();
                self.answers = self.answers.saturating_add(1);
                self.position = Position::At(node);
            }
            (Position::At(node) | Position::Failed(node), Fact::Failed) => {
                self.position = Position::Failed(node);
            }
            // The branches have come to the join, and cannot be put together.
            (Position::Forked(..), Fact::Failed) => {}
            (
                Position::At(_)
                | Position::Failed(_)
                | Position::Asking(..)
                | Position::Approving { .. }
                | Position::Ended(..)
                | Position::Abandoned,
                Fact::Edited,
            ) => self.renew(),
            (
                Position::At(_)
                | Position::Failed(_)
                | Position::Asking(..)
                | Position::Approving { .. }
                | Position::Forked(..),
                Fact::Abandoned,
            ) => self.position = Position::Abandoned,
            (_, Fact::Started) => return Err(Refused::Impossible("a run began within a run")),
            (_, Fact::Asked(_)) => return Err(Refused::Impossible("no node was due to ask")),
            (_, Fact::Answered | Fact::Expired) => {
                return Err(Refused::Impossible("no question was open"));
            }
            (_, Fact::Failed) => return Err(Refused::Impossible("no node was due to fail")),
            (_, Fact::Edited) => return Err(Refused::Impossible("it was edited within a step")),
            (_, Fact::Abandoned) => {
                return Err(Refused::Impossible("there was no run to abandon"));
            }
        }
        Ok(())
    }

    /// Returns whether a run may begin. One that has forked may have failed in a branch, which is for
    /// the caller to know.
    const fn may_start(&self) -> bool {
        matches!(
            self.position,
            Position::New
                | Position::Ended(..)
                | Position::Abandoned
                | Position::Failed(_)
                | Position::Forked(..)
        )
    }

    fn renew(&mut self) {
        self.last_epoch += 1;
        self.epoch = self.last_epoch;
    }

    /// Takes the decision of the node that was due in, and returns the way that the run goes on.
    pub(crate) fn decide(
        &mut self,
        plan: &Plan,
        chosen: u16,
        progress: Option<u64>,
    ) -> Result<Hop, Refused> {
        let chosen = self.resolve(plan, chosen)?;
        let (from, edge) = self.leaving(plan, chosen)?;
        let mut hop = Hop {
            edge: chosen,
            to: edge.to,
            masked: self.mask(edge, chosen, progress),
            forks: edge.fork.is_some(),
            asks: false,
        };
        if let Some(why) = hop.masked {
            let Some(otherwise) = edge.otherwise else {
                let laps = self.laps[usize::from(chosen)].taken;
                let cycle = self.cycle(from, edge.to);
                return Err(Refused::Loop {
                    edge: chosen,
                    why,
                    cycle,
                    laps,
                });
            };
            hop.to = otherwise;
            hop.forks = false;
        } else if edge.approve {
            // It counts as taken once it is approved.
            hop.asks = true;
        }
        self.take(plan, chosen, hop, progress);
        Ok(hop)
    }

    /// Takes a decision in that was made before, by another graph: it stands, whatever would be decided now.
    pub(crate) fn relive(
        &mut self,
        plan: &Plan,
        chosen: u16,
        hop: Hop,
        progress: Option<u64>,
    ) -> Result<(), Refused> {
        self.leaving(plan, chosen)?;
        self.take(plan, chosen, hop, progress);
        Ok(())
    }

    /// Takes the way that was decided.
    fn take(&mut self, plan: &Plan, chosen: u16, hop: Hop, progress: Option<u64>) {
        let edge = &plan.edges[usize::from(chosen)];
        let from = edge.from;
        if hop.masked.is_none() && !hop.asks {
            self.count(edge, chosen, progress);
        }
        if hop.asks {
            self.await_approval(from, chosen, progress);
        } else if hop.forks {
            self.position = Position::Forked(from, chosen);
            if let Some(frames) = &mut self.frames {
                frames.fork(plan, from, chosen);
            }
        } else {
            self.follow(plan, hop.to, chosen, hop.masked.is_some());
        }
    }

    /// Goes along an edge, or to its `else`.
    fn follow(&mut self, plan: &Plan, to: Target<u16>, chosen: u16, otherwise: bool) {
        let edge = &plan.edges[usize::from(chosen)];
        self.go(edge.from, to, chosen, otherwise);
        match (&mut self.frames, to) {
            (Some(frames), _) if edge.is_back && !otherwise => frames.go_back(),
            // The end of a branch hands over to nobody: what is left goes to the join with the rest.
            (Some(frames), Target::Node(to)) if Some(to) != self.join => {
                frames.hand_over(plan, edge.from, to, chosen);
            }
            _ => {}
        }
    }

    /// Returns whether a way leaves the node which is due, and leads on to another without the driver; any other
    /// is left to [`decide`](Self::decide).
    #[inline]
    pub(crate) fn may_go(&self, leg: &Leg) -> bool {
        let is_due = matches!(self.position, Position::At(node) if node == leg.from);
        is_due && leg.kind != LegKind::Driven && Some(leg.to) != self.join
    }

    /// Counts that a watched edge is taken, and returns whether it can be: one that is masked, or of which the
    /// step is not kept, is not counted.
    #[inline]
    pub(crate) fn count_lap(
        &mut self,
        plan: &Plan,
        chosen: usize,
        progress: Option<u64>,
        keep: impl FnOnce() -> bool,
    ) -> bool {
        let (Some(edge), Some(lap)) = (plan.edges.get(chosen), self.laps.get_mut(chosen)) else {
            return false;
        };
        let is_free = lap.mask(edge.limit, self.epoch, progress).is_none() && keep();
        if is_free {
            lap.count(self.epoch, progress);
        }
        is_free
    }

    /// Goes a way that it may go, and returns the node to which it leads.
    #[inline]
    pub(crate) fn go_on(&mut self, leg: &Leg) -> u16 {
        self.recent[Self::slot(self.handoffs)] = leg.from;
        self.handoffs += 1;
        self.position = Position::At(leg.to);
        leg.to
    }

    /// Returns whether it is noted who hands over to whom.
    #[inline]
    pub(crate) const fn has_frames(&self) -> bool {
        self.frames.is_some()
    }

    /// Notes who handed over along an edge, if something leads back.
    pub(crate) fn note_handoff(&mut self, plan: &Plan, chosen: u16, leg: &Leg) {
        if let Some(frames) = &mut self.frames {
            frames.hand_over(plan, leg.from, leg.to, chosen);
        }
    }

    /// Returns the node that is due and an edge that leaves it.
    fn leaving<'p>(&self, plan: &'p Plan, chosen: u16) -> Result<(u16, &'p PlanEdge), Refused> {
        let (Position::At(from) | Position::Failed(from)) = self.position else {
            return Err(Refused::Impossible("no node was due"));
        };
        match plan.edges.get(usize::from(chosen)) {
            Some(edge) if edge.from == from => Ok((from, edge)),
            _ => Err(Refused::Impossible("the edge does not leave the node")),
        }
    }

    /// Returns how often an edge was taken on this path, if that is counted.
    pub(crate) fn taken(&self, plan: &Plan, edge: u16) -> Option<u32> {
        let is_watched = plan.is_watched(edge);
        let lap = self.laps.get(usize::from(edge)).filter(|_| is_watched)?;
        Some(lap.taken)
    }

    /// Returns whether an edge cannot be taken from this progress.
    #[cfg(feature = "agents")]
    pub(crate) fn is_masked(&self, plan: &Plan, edge: u16, progress: Option<u64>) -> bool {
        let Ok(edge) = self.resolve(plan, edge) else {
            return true;
        };
        let place = plan.edges.get(usize::from(edge));
        place.is_some_and(|planned| self.mask(planned, edge, progress).is_some())
    }

    /// Returns why an edge cannot be taken, if it cannot.
    fn mask(&self, edge: &PlanEdge, chosen: u16, progress: Option<u64>) -> Option<Masked> {
        if !edge.watched {
            return None;
        }
        self.laps[usize::from(chosen)].mask(edge.limit, self.epoch, progress)
    }

    fn count(&mut self, edge: &PlanEdge, chosen: u16, progress: Option<u64>) {
        if edge.watched {
            self.laps[usize::from(chosen)].count(self.epoch, progress);
        }
    }

    fn go(&mut self, from: u16, to: Target<u16>, edge: u16, otherwise: bool) {
        self.position = match to {
            Target::Node(to) => {
                self.recent[Self::slot(self.handoffs)] = from;
                self.handoffs += 1;
                if Some(to) == self.join {
                    Position::Arrived
                } else {
                    Position::At(to)
                }
            }
            Target::End => Position::Ended(edge, otherwise),
        };
    }

    /// Returns the way of the last lap: from `to` over the nodes that followed it to `from`, and to `to` again.
    fn cycle(&self, from: u16, to: Target<u16>) -> Vec<u16> {
        let Target::Node(to) = to else {
            return vec![from];
        };
        let mut back = vec![to, from];
        let remembered = self.handoffs.min(Self::RECENT.into());
        for ago in 1..=remembered {
            if *back.last().unwrap_or(&to) == to {
                break;
            }
            back.push(self.recent[Self::slot(self.handoffs - ago)]);
        }
        back.reverse();
        back
    }

    #[inline]
    fn slot(handoffs: u64) -> usize {
        let [low, ..] = handoffs.to_le_bytes();
        usize::from(u16::from(low) % Self::RECENT)
    }
}

impl Refused {
    /// Writes a cycle as the names of its nodes.
    pub(crate) fn cycle_text(plan: &Plan, cycle: &[u16]) -> Arc<str> {
        let names: Vec<_> = cycle.iter().map(|node| plan.name(*node)).collect();
        names.join(" -> ").into()
    }
}

#[cfg(test)]
mod tests;
