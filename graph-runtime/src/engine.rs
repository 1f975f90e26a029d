//! What happens next: facts in, actions out.
//!
//! The engine is a value. It knows no async, no clock and no state, only the plan of a graph and
//! where a run stands in it, so a run can be replayed from its journal by feeding it the same facts.

use std::sync::Arc;

use handoffs_core::Target;
use serde::{Deserialize, Serialize};

use crate::journal::{AskId, Masked};
use crate::plan::{Plan, PlanEdge};

/// Where a run stands, and what it has used up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Engine {
    position: Position,
    /// How often each edge was taken.
    laps: Vec<Lap>,
    handoffs: u64,
    /// Counts the inputs from outside; after one, an edge may be taken from old progress again.
    epoch: u32,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Position {
    /// Nothing has begun.
    New,
    /// A node is due.
    At(u16),
    /// A node waits for an answer.
    Asking(u16, AskId),
    /// A node is due again after an error.
    Failed(u16),
    /// The run is over.
    Ended,
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
    /// Nothing more: the run is over.
    Finish,
}

/// What has happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact {
    /// A run was begun.
    Started,
    /// The node that was due asked a person.
    Asked(AskId),
    /// The question was answered.
    Answered,
    /// The run ended with an error at the node that was due.
    Failed,
}

/// Which way the run went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) to: Target<u16>,
    pub(crate) masked: Option<Masked>,
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
            laps: vec![Lap::default(); plan.edges.len()],
            handoffs: 0,
            epoch: 0,
            recent: [plan.start; Self::RECENT as usize],
        }
    }

    /// Returns what is to be done next.
    #[inline]
    pub(crate) const fn next(&self) -> Action {
        match self.position {
            Position::New => Action::Start,
            Position::At(node) | Position::Failed(node) => Action::Execute(node),
            Position::Asking(node, ask) => Action::Wait(node, ask),
            Position::Ended => Action::Finish,
        }
    }

    /// Returns whether the last thing that happened was an error.
    pub(crate) const fn has_failed(&self) -> bool {
        matches!(self.position, Position::Failed(_))
    }

    /// Returns how many handoffs the run has taken.
    pub(crate) const fn handoffs(&self) -> u64 {
        self.handoffs
    }

    /// Takes a fact in.
    pub(crate) fn on(&mut self, plan: &Plan, fact: Fact) -> Result<(), Refused> {
        match (self.position, fact) {
            (Position::New | Position::Ended | Position::Failed(_), Fact::Started) => {
                *self = Self {
                    epoch: self.epoch + 1,
                    ..Self::new(plan)
                };
                self.position = Position::At(plan.start);
            }
            (Position::At(node) | Position::Failed(node), Fact::Asked(ask)) => {
                self.position = Position::Asking(node, ask);
            }
            (Position::Asking(node, _), Fact::Answered) => {
                self.epoch += 1;
                self.position = Position::At(node);
            }
            (Position::At(node) | Position::Failed(node), Fact::Failed) => {
                self.position = Position::Failed(node);
            }
            (_, Fact::Started) => return Err(Refused::Impossible("a run began within a run")),
            (_, Fact::Asked(_)) => return Err(Refused::Impossible("no node was due to ask")),
            (_, Fact::Answered) => return Err(Refused::Impossible("no question was open")),
            (_, Fact::Failed) => return Err(Refused::Impossible("no node was due to fail")),
        }
        Ok(())
    }

    /// Takes the decision of the node that was due in, and returns the way that the run goes on.
    pub(crate) fn decide(
        &mut self,
        plan: &Plan,
        chosen: u16,
        progress: Option<u64>,
    ) -> Result<Hop, Refused> {
        let (from, edge) = self.leaving(plan, chosen)?;
        let mut hop = Hop {
            to: edge.to,
            masked: self.mask(edge, chosen, progress),
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
        } else {
            self.count(edge, chosen, progress);
        }
        self.go(from, hop.to);
        Ok(hop)
    }

    /// Takes a decision in if it leads on to another node, unmasked; any other is left to [`decide`](Self::decide).
    #[inline]
    pub(crate) fn pass(
        &mut self,
        plan: &Plan,
        chosen: u16,
        progress: impl FnOnce() -> Option<u64>,
    ) -> Option<u16> {
        let (from, edge) = self.leaving(plan, chosen).ok()?;
        let to = edge.to.node()?;
        if edge.watched {
            let progress = progress();
            if self.mask(edge, chosen, progress).is_some() {
                return None;
            }
            self.count(edge, chosen, progress);
        }
        self.go(from, edge.to);
        Some(to)
    }

    /// Returns the node that is due and an edge that leaves it.
    #[inline]
    fn leaving<'p>(&self, plan: &'p Plan, chosen: u16) -> Result<(u16, &'p PlanEdge), Refused> {
        let (Position::At(from) | Position::Failed(from)) = self.position else {
            return Err(Refused::Impossible("no node was due"));
        };
        match plan.edges.get(usize::from(chosen)) {
            Some(edge) if edge.from == from => Ok((from, edge)),
            _ => Err(Refused::Impossible("the edge does not leave the node")),
        }
    }

    /// Returns why an edge cannot be taken, if it cannot.
    #[inline]
    fn mask(&self, edge: &PlanEdge, chosen: u16, progress: Option<u64>) -> Option<Masked> {
        let lap = self.laps[usize::from(chosen)];
        if !edge.watched || lap.taken == 0 {
            None
        } else if edge.limit.is_some_and(|limit| lap.taken >= limit) {
            Some(Masked::Limit)
        } else if progress.is_some() && lap.epoch == self.epoch && lap.progress == progress {
            Some(Masked::NoProgress)
        } else {
            None
        }
    }

    #[inline]
    fn count(&mut self, edge: &PlanEdge, chosen: u16, progress: Option<u64>) {
        if edge.watched {
            let lap = &mut self.laps[usize::from(chosen)];
            *lap = Lap {
                taken: lap.taken.saturating_add(1),
                epoch: self.epoch,
                progress,
            };
        }
    }

    #[inline]
    fn go(&mut self, from: u16, to: Target<u16>) {
        self.position = match to {
            Target::Node(to) => {
                self.recent[Self::slot(self.handoffs)] = from;
                self.handoffs += 1;
                Position::At(to)
            }
            Target::End => Position::Ended,
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
