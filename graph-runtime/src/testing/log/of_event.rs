//! The turns of a run, as its stream of events tells them.

use handoffs_core::Edge;

use super::order::Told;
use super::{Along, Home, Hop, Taken, Turn, Waiting};
use crate::error::{RunError, chain};
use crate::event::{Event, Inner};
use crate::execute::Runnable;
use crate::journal::{Approval, Ask, BranchId, Masked};
use crate::run::Run;

/// Tells what happened before the run came to rest.
pub(super) fn tell<G: Runnable>(event: Event<G>, waiting: &mut Vec<Waiting>, told: &mut Told) {
    if let Some(event) = Inner::of(event) {
        tell_in(&mut Vec::new(), event, waiting, told);
    }
}

/// Tells what happened in a graph that is a node, which is a node in turn, along this path.
fn tell_in(path: &mut Vec<String>, event: Inner, waiting: &mut Vec<Waiting>, told: &mut Told) {
    let taken = |edge: Edge<_>, is_else| Taken {
        home: Home::Path(path.clone()),
        edge: Along::Edge(Box::new(edge.map(String::from))),
        is_else,
    };
    let (branch, turn) = match event {
        Inner::Stepped {
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
            let entries = edge.route.fork().map(|fork| fork.entries().to_vec());
            let line = stepped(
                &node,
                &edge.label(),
                to.as_deref(),
                branches,
                masked,
                cached,
                approval.as_ref(),
            );
            let mut turn = Turn::plain(line);
            let taken = taken(edge, masked.is_some());
            if let Some(ask) = approval {
                let (ask, node) = (ask.id, node.into());
                waiting.push(Waiting { ask, node, taken });
            } else {
                let entries = entries.filter(|_| branches.is_some());
                turn.hop = Hop::new(node, entries.unwrap_or_else(|| Vec::from_iter(to)));
                turn.taken = Some(taken);
            }
            (branch, turn)
        }
        Inner::Caught {
            branch,
            node,
            error,
            edge,
            to,
            masked,
        } => {
            let turn = Turn {
                line: caught(&node, to.as_deref(), &error),
                hop: Hop::new(node, to),
                taken: Some(taken(edge, masked.is_some())),
            };
            (branch, turn)
        }
        Inner::Decided {
            branch,
            node,
            ask,
            approval,
            to,
        } => {
            let to = to.map(String::from);
            let known = waiting.iter().find(|waiting| waiting.ask == ask);
            let mut taken = known.map_or_else(
                || Taken {
                    home: Home::Path(path.clone()),
                    edge: Along::Approved(node.to_string(), to.clone()),
                    is_else: false,
                },
                |waiting| waiting.taken.clone(),
            );
            taken.is_else = approval != Approval::Approved;
            let turn = Turn {
                line: decided(&node, &approval, to.as_deref()),
                hop: Hop::new(node, to),
                taken: Some(taken),
            };
            (branch, turn)
        }
        Inner::Attempted {
            branch,
            node,
            error,
            ..
        } => (branch, Turn::plain(attempted(&node, &error))),
        Inner::Joined { branch, to } => (branch, joined(to.into())),
        Inner::Within { node, event, .. } => {
            path.push(node.into());
            tell_in(path, *event, waiting, told);
            path.pop();
            return;
        }
        // What an agent does on its way is no turn of the run.
        #[cfg(feature = "agents")]
        Inner::Agent { .. } => return,
        Inner::Entered { .. } | Inner::Budget { .. } => return,
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
        hop: Hop {
            from: None,
            to: vec![to],
        },
        taken: None,
    }
}

pub(super) fn asked(ask: &Ask) -> String {
    format!("{} asks {}", ask.node, ask.question)
}

pub(super) fn failed(node: &str, error: &str) -> String {
    format!("{node} failed: {error}")
}
