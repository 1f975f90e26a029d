//! The turns of a run, as its stream of events tells them.

use handoffs_core::Target;

use super::order::Told;
use super::{Along, Taken, Turn, Waiting};
use crate::error::{RunError, chain};
use crate::event::{Event, Inner};
use crate::execute::Runnable;
use crate::journal::{Approval, Ask, BranchId, Masked};
use crate::run::Run;

/// Tells what happened before the run came to rest.
pub(super) fn tell<G: Runnable>(event: Event<G>, waiting: &mut Vec<Waiting>, told: &mut Told) {
    match event {
        Event::Stepped {
            branch,
            node,
            edge,
            to,
            masked,
            branches,
            cached,
            approval,
            ..
        } => {
            let (node, to) = (node.to_string(), name(to));
            let on = edge.label().into_owned();
            let edge = edge.map(|node| node.to_string());
            let entries = edge.route.fork().map(|fork| fork.entries().to_vec());
            let line = stepped(
                &node,
                &on,
                to.as_deref(),
                branches,
                masked,
                cached,
                approval.as_ref(),
            );
            let edge = Along::Edge(Box::new(edge));
            let mut turn = Turn::plain(line);
            if let Some(ask) = approval {
                let ask = ask.id;
                waiting.push(Waiting { ask, node, edge });
            } else {
                let is_else = masked.is_some();
                turn.to = match (branches, entries) {
                    (Some(_), Some(entries)) => entries,
                    _ => to.into_iter().collect(),
                };
                turn.taken = Some(Taken { edge, is_else });
            }
            told.tell(&branch, turn);
        }
        Event::Caught {
            branch,
            node,
            error,
            edge,
            to,
            masked,
        } => {
            let to = name(to);
            let turn = Turn {
                line: caught(&node.to_string(), to.as_deref(), &error),
                to: to.into_iter().collect(),
                taken: Some(Taken {
                    edge: Along::Edge(Box::new(edge.map(|node| node.to_string()))),
                    is_else: masked.is_some(),
                }),
            };
            told.tell(&branch, turn);
        }
        Event::Decided {
            branch,
            node,
            ask,
            approval,
            to,
        } => {
            let to = name(to);
            let known = waiting.iter().find(|waiting| waiting.ask == ask);
            let edge = known.map_or_else(
                || Along::Approved(node.to_string(), to.clone()),
                |waiting| waiting.edge.clone(),
            );
            let turn = Turn {
                line: decided(&node.to_string(), &approval, to.as_deref()),
                to: to.into_iter().collect(),
                taken: Some(Taken {
                    edge,
                    is_else: approval != Approval::Approved,
                }),
            };
            told.tell(&branch, turn);
        }
        Event::Attempted {
            branch,
            node,
            error,
            ..
        } => told.tell(&branch, Turn::plain(attempted(&node.to_string(), &error))),
        Event::Joined { branch, to } => told.tell(&branch, joined(to.to_string())),
        Event::Within { event, .. } => tell_inner(event, told),
        // What an agent does on its way is no turn of the run.
        #[cfg(feature = "agents")]
        Event::Agent { .. } => {}
        Event::Entered { .. } | Event::Paused(_) | Event::Finished(_) => {}
    }
}

/// Tells what happened in a graph within, whose edges are not those of the graph.
fn tell_inner(event: Inner, told: &mut Told) {
    let (branch, turn) = match event {
        Inner::Stepped {
            branch,
            node,
            outcome,
            to,
            masked,
            branches,
            cached,
            approval,
        } => {
            let to = to.map(String::from);
            let on = &outcome.variant;
            let line = stepped(
                &node,
                on,
                to.as_deref(),
                branches,
                masked,
                cached,
                approval.as_ref(),
            );
            let to = to.filter(|_| approval.is_none() && branches.is_none());
            let to = to.into_iter().collect();
            (
                branch,
                Turn {
                    line,
                    to,
                    taken: None,
                },
            )
        }
        Inner::Caught {
            branch,
            node,
            error,
            to,
        } => {
            let line = caught(&node, to.as_deref(), &error);
            let to = to.map(String::from).into_iter().collect();
            (
                branch,
                Turn {
                    line,
                    to,
                    taken: None,
                },
            )
        }
        Inner::Decided {
            branch,
            node,
            approval,
            to,
            ..
        } => {
            let line = decided(&node, &approval, to.as_deref());
            let to = to.map(String::from).into_iter().collect();
            (
                branch,
                Turn {
                    line,
                    to,
                    taken: None,
                },
            )
        }
        Inner::Attempted {
            branch,
            node,
            error,
            ..
        } => (branch, Turn::plain(attempted(&node, &error))),
        Inner::Joined { branch, to } => (branch, joined(to.into())),
        Inner::Within { event, .. } => return tell_inner(*event, told),
        #[cfg(feature = "agents")]
        Inner::Agent { .. } => return,
        Inner::Entered { .. } => return,
    };
    told.tell(&branch, turn);
}

/// Tells how a run came to rest; that it finished, the last step says.
pub(super) fn tell_last<S>(run: &Result<Run<S>, RunError>, told: &mut Told) {
    let line = match run {
        Ok(Run::Finished(_)) => return,
        Ok(Run::Paused(ask)) => asked(ask),
        Err(error) => failed(error.node().unwrap_or("the run"), &chain(error)),
    };
    told.tell(&BranchId::TRUNK, Turn::plain(line));
}

fn name<N: ToString>(to: Target<N>) -> Option<String> {
    to.node().map(|node| node.to_string())
}

pub(super) fn stepped(
    node: &str,
    on: &str,
    to: Option<&str>,
    branches: Option<u32>,
    masked: Option<Masked>,
    cached: bool,
    approval: Option<&Ask>,
) -> String {
    let to = match branches {
        Some(1) => "1 branch".to_owned(),
        Some(branches) => format!("{branches} branches"),
        None => to.unwrap_or("end").to_owned(),
    };
    let mut line = format!("{node}: {on} => {to}");
    let more = [
        masked.map(|why| format!(", as {why}")),
        cached.then(|| ", from the cache".to_owned()),
        approval.map(|ask| format!(", if approved: {}", ask.question)),
    ];
    line.extend(more.into_iter().flatten());
    line
}

pub(super) fn caught(node: &str, to: Option<&str>, error: &str) -> String {
    let to = to.unwrap_or("end");
    format!("{node} failed => {to}: {error}")
}

pub(super) fn decided(node: &str, approval: &Approval, to: Option<&str>) -> String {
    let to = to.unwrap_or("end");
    match approval {
        Approval::Approved => format!("{node} may hand over => {to}"),
        Approval::Refused(why) => format!("{node} may not hand over => {to}: {why}"),
    }
}

pub(super) fn attempted(node: &str, error: &str) -> String {
    format!("{node} failed, and is tried again: {error}")
}

pub(super) fn joined(to: String) -> Turn {
    Turn {
        line: format!("joined at {to}"),
        to: vec![to],
        taken: None,
    }
}

pub(super) fn asked(ask: &Ask) -> String {
    format!("{} asks {}", ask.node, ask.question)
}

pub(super) fn failed(node: &str, error: &str) -> String {
    format!("{node} failed: {error}")
}
