//! Handoffs that wait for a person's approval.

use super::{Engine, Hop, Position, Refused};
use crate::journal::AskId;
use crate::plan::Plan;

/// The number of a question that has none yet, as entries are counted from 1.
const UNASKED: AskId = AskId(0);

impl Engine {
    /// Holds a handoff back until a person has decided.
    pub(super) const fn await_approval(&mut self, from: u16, edge: u16, progress: Option<u64>) {
        self.position = Position::Approving {
            from,
            edge,
            progress,
            ask: UNASKED,
        };
    }

    /// Notes by which number the question is known whether the handoff may be.
    pub(super) fn asked(&mut self, asked: AskId) -> Result<(), Refused> {
        match &mut self.position {
            Position::Approving { ask, .. } if *ask == UNASKED => {
                *ask = asked;
                Ok(())
            }
            _ => Err(Refused::Impossible("it was asked already")),
        }
    }

    /// Goes on where a handoff waited: to the target of its edge if it was approved, or else to the
    /// `else`. Only what was approved counts as taken.
    pub(crate) fn hand_over(&mut self, plan: &Plan, approved: bool) -> Result<Hop, Refused> {
        let Position::Approving {
            from,
            edge: chosen,
            progress,
            ..
        } = self.position
        else {
            return Err(Refused::Impossible("no handoff waited for approval"));
        };
        let edge = plan.edges.get(usize::from(chosen));
        let edge = edge.ok_or(Refused::Impossible("there is no such edge"))?;
        let to = if approved {
            edge.to
        } else {
            let otherwise = edge.otherwise;
            otherwise.ok_or(Refused::Impossible("a refused handoff has nowhere to go"))?
        };
        // The answer comes before the handoff: from here on, nothing has happened since it was taken.
        self.renew();
        self.answers = self.answers.saturating_add(1);
        if approved {
            self.count(edge, chosen, progress);
        }
        self.go(from, to, chosen, !approved);
        Ok(Hop {
            to,
            masked: None,
            forks: false,
            asks: false,
        })
    }
}
