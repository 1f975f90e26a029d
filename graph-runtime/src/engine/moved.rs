//! A path that was saved, in a graph that may have changed since: by the names of nodes and edges.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Engine, Lap, Position};
use crate::journal::GraphId;
use crate::plan::Plan;

/// What the places of a saved [`Engine`] mean: the nodes and the edges of the graph that it belongs to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Legend {
    pub(crate) graph: GraphId,
    nodes: Vec<String>,
    edges: Vec<Drawn>,
}

/// An edge of a legend.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Drawn {
    from: u16,
    on: String,
    /// The target, which of a fork is the join; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<u16>,
    /// Where the branches of a fork begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entries: Vec<u16>,
}

impl Legend {
    pub(crate) fn of(plan: &Plan) -> Self {
        let edges = plan.edges.iter().zip(0..).map(|(edge, place)| Drawn {
            from: edge.from,
            on: plan
                .edge(place)
                .map_or(Cow::Borrowed(""), |edge| edge.label())
                .into_owned(),
            to: edge.to.node(),
            entries: edge
                .fork
                .as_ref()
                .map_or_else(Vec::new, |fork| fork.entries.clone()),
        });
        Self {
            graph: plan.id.clone(),
            nodes: plan
                .nodes
                .iter()
                .map(|node| node.name.to_string())
                .collect(),
            edges: edges.collect(),
        }
    }

    /// Returns the place that a node has in another graph.
    fn node(&self, plan: &Plan, place: u16) -> Result<u16, String> {
        let name = self.nodes.get(usize::from(place));
        let name = name.ok_or("it speaks of a node that its graph has not")?;
        let found = if self.graph == plan.id {
            Some(place)
        } else {
            plan.find_node(name)
        };
        found
            .filter(|found| usize::from(*found) < plan.nodes.len())
            .ok_or_else(|| format!("the graph has no node `{name}`"))
    }

    /// Returns the place that an edge has in another graph.
    fn edge(&self, plan: &Plan, place: u16) -> Result<u16, String> {
        let edge = self.drawn(place)?;
        let from = self.node(plan, edge.from)?;
        let found = if self.graph == plan.id {
            Some(place)
        } else {
            let to = edge.to.map(|to| self.node(plan, to)).transpose()?;
            plan.find_edge(from, &edge.on, to, !edge.entries.is_empty())
        };
        let leaves = |found: &u16| {
            let edge = plan.edges.get(usize::from(*found));
            edge.is_some_and(|edge| edge.from == from)
        };
        found
            .filter(leaves)
            .ok_or_else(|| format!("node `{}` has no edge `{}`", plan.name(from), edge.on))
    }

    fn drawn(&self, place: u16) -> Result<&Drawn, String> {
        let edge = self.edges.get(usize::from(place));
        edge.ok_or_else(|| "it speaks of an edge that its graph has not".to_owned())
    }

    /// Returns the place of the edge of a fork whose branches are under way: it must still lead to them,
    /// and to the same join.
    fn fork(&self, plan: &Plan, place: u16) -> Result<u16, String> {
        let (found, drawn) = (self.edge(plan, place)?, self.drawn(place)?);
        let edge = &plan.edges[usize::from(found)];
        let to = drawn.to.map(|to| self.node(plan, to)).transpose()?;
        let entries = drawn.entries.iter().map(|entry| self.node(plan, *entry));
        let entries: Vec<_> = entries.collect::<Result<_, _>>()?;
        match &edge.fork {
            Some(fork) if fork.entries == entries && edge.to.node() == to => Ok(found),
            _ => Err(format!(
                "the branches that `{}` of node `{}` led to are under way, and it leads elsewhere",
                drawn.on,
                plan.name(edge.from)
            )),
        }
    }
}

impl Engine {
    /// Returns the same path in a graph that may be another version of the one to which it belonged, or
    /// why it has no place there.
    ///
    /// An edge that is watched only now counts from here.
    pub(crate) fn moved(&self, legend: &Legend, plan: &Plan) -> Result<Self, String> {
        let node = |place| legend.node(plan, place);
        let edge = |place| legend.edge(plan, place);
        let position = match self.position {
            Position::New => Position::New,
            Position::At(due) => Position::At(node(due)?),
            Position::Asking(due, ask) => Position::Asking(node(due)?, ask),
            Position::Failed(due) => Position::Failed(node(due)?),
            Position::Approving {
                from,
                edge: by,
                progress,
                ask,
            } => Position::Approving {
                from: node(from)?,
                edge: edge(by)?,
                progress,
                ask,
            },
            Position::Abandoned => Position::Abandoned,
            Position::Forked(from, by) => Position::Forked(node(from)?, legend.fork(plan, by)?),
            Position::Arrived => Position::Arrived,
            Position::Ended(by, otherwise) => Position::Ended(edge(by)?, otherwise),
        };
        let mut laps = vec![Lap::default(); plan.laps];
        for (lap, place) in self.laps.iter().zip(0..) {
            if *lap != Lap::default()
                && let Some(moved) = laps.get_mut(usize::from(edge(place)?))
            {
                *moved = *lap;
            }
        }
        // What is beyond the last handoffs is the first node, as in an engine that has just begun.
        let mut recent = [plan.start; Self::RECENT as usize];
        for ago in 1..=self.handoffs.min(Self::RECENT.into()) {
            let slot = Self::slot(self.handoffs - ago);
            recent[slot] = node(self.recent[slot])?;
        }
        Ok(Self {
            position,
            join: self.join.map(node).transpose()?,
            laps,
            recent,
            ..self.clone()
        })
    }
}
