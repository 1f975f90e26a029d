//! The turns of a thread, as its journal tells them.

use super::of_event::{asked, attempted, caught, decided, failed, joined, stepped};
use super::order::Told;
use super::{Along, Home, Hop, Taken, Turn, Waiting};
use crate::journal::{Approval, AskId, Entry, Recorded};
use crate::times::Forks;

/// What was read so far, as far as later entries refer to it.
#[derive(Default)]
struct Read {
    waiting: Vec<Waiting>,
    forks: Forks,
}

/// Tells what a journal's entries say.
pub(super) fn tell(entries: &[Entry], told: &mut Told) {
    let mut read = Read::default();
    for entry in entries {
        if let Some(turn) = read.turn(entry) {
            told.tell(&entry.branch, turn);
        }
    }
}

impl Read {
    /// Returns what an entry says, unless it is only for the runtime.
    fn turn(&mut self, entry: &Entry) -> Option<Turn> {
        let home = if self.forks.is_within(&entry.branch) {
            Home::Graph(entry.graph.name().to_owned())
        } else {
            Home::Path(Vec::new())
        };
        let is_within = matches!(home, Home::Graph(_));
        let taken = |edge, node: &str, is_else| Taken {
            home,
            edge: Along::Place(edge, node.to_owned()),
            is_else,
        };
        let owned = |to: &Option<_>| to.as_deref().map(str::to_owned);
        Some(match &entry.event {
            Recorded::Stepped {
                node,
                edge,
                on,
                masked,
                to,
                fork,
                cached,
                approval,
                ..
            } => {
                let line = stepped(
                    node,
                    on,
                    to.as_deref(),
                    fork.as_ref().map(|fork| fork.branches),
                    *masked,
                    *cached,
                    approval.as_ref(),
                );
                let mut turn = Turn::plain(line);
                let taken = taken(*edge, node, masked.is_some());
                if let Some(fork) = fork {
                    self.forks.note(entry);
                    turn.hop = Hop::new(&**node, fork.begin.iter().map(ToString::to_string));
                } else if approval.is_none() {
                    turn.hop = Hop::new(&**node, owned(to));
                }
                if approval.is_some() {
                    self.waiting.push(Waiting {
                        ask: AskId(entry.seq),
                        node: node.to_string(),
                        taken,
                    });
                } else {
                    turn.taken = Some(taken);
                }
                turn
            }
            Recorded::Caught {
                failure,
                edge,
                masked,
                to,
                ..
            } => Turn {
                line: caught(&failure.node, to.as_deref(), &failure.error),
                hop: Hop::new(&*failure.node, owned(to)),
                taken: Some(taken(*edge, &failure.node, masked.is_some())),
            },
            Recorded::Decided {
                ask, approval, to, ..
            } => self.decided(*ask, approval, owned(to)),
            Recorded::Expired { ask, to } if self.waits(*ask).is_some() => {
                let refused = Approval::refused("nobody answered in time");
                self.decided(*ask, &refused, owned(to))
            }
            Recorded::Expired { ask, .. } => Turn::plain(format!("nobody answered {ask} in time")),
            Recorded::Joined { to, .. } => joined(to.to_string()),
            Recorded::Attempted { node, error, .. } => Turn::plain(attempted(node, error)),
            Recorded::Asked(ask) => Turn::plain(asked(ask)),
            Recorded::Submitted {
                answer: Some(answer),
                ..
            } => Turn::plain(format!("laid down {answer}")),
            Recorded::Submitted { .. } => Turn::plain("took the answer back".to_owned()),
            Recorded::Answered { answer, .. } => Turn::plain(format!("answered {answer}")),
            Recorded::Failed { node, error, .. } => Turn::plain(failed(node, error)),
            // That a graph within has started is no turn of a run.
            Recorded::Started { .. } if is_within => return None,
            Recorded::Started { .. } => Turn::plain("started".to_owned()),
            Recorded::Edited { why, .. } => Turn::plain(format!("edited: {why}")),
            Recorded::Abandoned { why } => Turn::plain(format!("abandoned: {why}")),
            Recorded::Copied { from, .. } => Turn::plain(format!("copied from {from}")),
            Recorded::Once { .. } | Recorded::Used { .. } => return None,
        })
    }

    fn waits(&self, ask: AskId) -> Option<&Waiting> {
        self.waiting.iter().find(|waiting| waiting.ask == ask)
    }

    /// Says what was decided about a handoff.
    fn decided(&self, ask: AskId, approval: &Approval, to: Option<String>) -> Turn {
        let waits = self.waits(ask);
        let node = waits.map_or("a handoff", |waiting| &waiting.node);
        Turn {
            line: decided(node, approval, to.as_deref()),
            hop: Hop {
                from: waits.map(|waiting| waiting.node.clone()),
                to: to.into_iter().collect(),
            },
            taken: waits.map(|waiting| Taken {
                is_else: *approval != Approval::Approved,
                ..waiting.taken.clone()
            }),
        }
    }
}
