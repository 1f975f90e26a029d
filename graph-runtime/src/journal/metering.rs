//! What entries add up to of what was used: the fold behind a [`Meter`].
//!
//! It needs no graph, so a node's name is known only when an entry tells it: at the latest with the step that
//! it takes. What the graph within a node has used until then is attributed when the name is known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Recorded};
use super::{BranchId, Used};
use crate::meter::{Meter, Visited};

/// What entries add up to so far, and what has to be known of them to go on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Metering {
    /// What the thread used.
    pub(crate) all: Meter,
    /// What its last run used.
    pub(crate) run: Meter,
    paths: BTreeMap<BranchId, Path>,
}

/// A path that is under way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Path {
    /// The graph, if it is one within, and the path of its node.
    within: Option<(String, BranchId)>,
    /// The node from which the path came to the one that is due.
    from: Option<String>,
    /// The node that is due, if it is known.
    node: Option<String>,
    /// What the calls of the node that is due used, and no entry of the node has said yet.
    calls: Used,
    /// What the graph that the node is has used, while nobody knew the node.
    unnamed: Used,
    /// Whether the node is a graph: then its time is that of the nodes within.
    is_graph: bool,
}

impl Path {
    /// Returns by which names the visit is counted that is under way.
    fn visit(&self) -> Option<Visited> {
        let graph = self.within.as_ref().map(|(graph, _)| graph.as_str());
        let node = self.node.as_deref()?;
        Some(Visited::new(graph, node, self.from.as_deref()))
    }

    /// Goes on to another node, or to none that is known.
    fn go_on(&mut self, from: Option<&str>, to: Option<&str>) {
        *self = Self {
            within: self.within.take(),
            from: from.map(str::to_owned).or_else(|| self.from.take()),
            node: to.map(str::to_owned),
            ..Self::default()
        };
    }
}

impl Metering {
    /// Returns whether nodes or calls said that anything was used.
    pub(super) fn says_anything(&self) -> bool {
        !self.all.total().usage.is_empty()
    }

    /// Takes in the next entry, of whichever path.
    pub(crate) fn take(&mut self, entry: &Entry) {
        let branch = &entry.branch;
        match &entry.event {
            Recorded::Started { .. } => self.start(branch, entry.graph.name()),
            Recorded::Stepped {
                node,
                to,
                took_ms,
                usage,
                ..
            } => {
                self.close(branch, node, Used::new(*usage, *took_ms));
                self.go_on(branch, Some(node), to.as_deref());
            }
            Recorded::Caught {
                failure,
                to,
                usage,
                took_ms,
                ..
            } => {
                self.close(branch, &failure.node, Used::new(*usage, *took_ms));
                self.go_on(branch, Some(&failure.node), to.as_deref());
            }
            Recorded::Joined { to, .. } => self.go_on(branch, None, Some(to)),
            Recorded::Decided { to, .. } => {
                self.path(branch).node = to.as_deref().map(str::to_owned);
            }
            Recorded::Expired { to: Some(to), .. } => {
                self.path(branch).node = Some(to.clone().into_owned());
            }
            Recorded::Attempted {
                node,
                usage,
                took_ms,
                ..
            }
            | Recorded::Failed {
                node,
                usage,
                took_ms,
                ..
            } => self.close(branch, node, Used::new(*usage, *took_ms)),
            Recorded::Used { node, usage } => {
                self.name(branch, node);
                let used = Used::new(*usage, 0);
                self.count(branch, None, |counted| *counted += used);
            }
            Recorded::Once {
                node,
                effect,
                call: Some(call),
                ..
            } => {
                self.name(branch, node);
                self.path(branch).calls.take(call, effect);
                self.count(branch, call.tool.as_deref(), |counted| {
                    counted.take(call, effect);
                });
            }
            // What was copied was used by the other thread.
            Recorded::Copied { .. } => {
                self.all = Meter::default();
                self.run = Meter::default();
            }
            Recorded::Abandoned { .. } => self.paths.clear(),
            Recorded::Asked(_)
            | Recorded::Answered { .. }
            | Recorded::Submitted { .. }
            | Recorded::Expired { .. }
            | Recorded::Once { .. }
            | Recorded::Edited { .. } => {}
        }
    }

    /// Names the node at which a path is, if no entry has told: that with which its graph starts.
    pub(crate) fn start_at(&mut self, node: &str) {
        let trunk = self.paths.get(&BranchId::TRUNK);
        if trunk.is_some_and(|trunk| trunk.node.is_none() && trunk.from.is_none()) {
            self.name(&BranchId::TRUNK, node);
        }
    }

    fn start(&mut self, branch: &BranchId, graph: &str) {
        let Some(around) = branch.parent() else {
            self.paths.clear();
            self.run = Meter::default();
            self.paths.insert(branch.clone(), Path::default());
            return;
        };
        self.path(&around).is_graph = true;
        let path = Path {
            within: Some((graph.to_owned(), around)),
            ..Path::default()
        };
        self.paths.insert(branch.clone(), path);
    }

    /// Returns what is known of a path; a branch of a fork begins where the path around it stands.
    fn path(&mut self, branch: &BranchId) -> &mut Path {
        if !self.paths.contains_key(branch) {
            let around = branch.parent().and_then(|around| self.paths.get(&around));
            let path = match around {
                Some(around) => Path {
                    within: around.within.clone(),
                    from: around.from.clone(),
                    ..Path::default()
                },
                // A snapshot stands for how it came here, and nothing had been used then.
                None => Path {
                    from: Some("?".to_owned()),
                    ..Path::default()
                },
            };
            self.paths.insert(branch.clone(), path);
        }
        self.paths.entry(branch.clone()).or_default()
    }

    /// Notes which node is due on a path.
    fn name(&mut self, branch: &BranchId, node: &str) {
        let path = self.path(branch);
        if path.node.as_deref() == Some(node) {
            return;
        }
        path.node = Some(node.to_owned());
        let unnamed = std::mem::take(&mut path.unnamed);
        if let Some(visit) = path.visit()
            && !unnamed.is_empty()
        {
            self.all.attribute(&visit, unnamed);
            self.run.attribute(&visit, unnamed);
        }
    }

    /// Takes in what a node used up to the end of an attempt, its calls among it.
    fn close(&mut self, branch: &BranchId, node: &str, used: Used) {
        self.name(branch, node);
        let path = self.path(branch);
        let calls = std::mem::take(&mut path.calls);
        let mut rest = used - calls;
        if path.is_graph {
            rest.took_ms = 0;
        }
        if !rest.is_empty() {
            self.count(branch, None, |counted| *counted += rest);
        }
    }

    fn go_on(&mut self, branch: &BranchId, from: Option<&str>, to: Option<&str>) {
        self.path(branch).go_on(from, to);
        let is_below = |path: &BranchId| path != branch && path.is_on(branch);
        if self.paths.len() > 1 {
            self.paths.retain(|path, _| !is_below(path));
        }
    }

    /// Counts something at the node that is due on a path, and at those around its graph.
    fn count(&mut self, branch: &BranchId, tool: Option<&str>, count: impl Fn(&mut Used)) {
        let mut visits = Vec::new();
        let mut at = Some(branch.clone());
        while let Some(branch) = at {
            let path = self.path(&branch);
            match path.visit() {
                Some(visit) => visits.push(visit),
                None => count(&mut path.unnamed),
            }
            at = path.within.as_ref().map(|(_, around)| around.clone());
        }
        self.all.count(&visits, tool, &count);
        self.run.count(&visits, tool, &count);
    }
}
