//! A path that was saved, in a graph that may have changed since: by the names of nodes and edges.

use serde::{Deserialize, Serialize};

use super::{Engine, Lap, Position};
use crate::difference::Difference;
use crate::journal::GraphId;
use crate::plan::{Plan, PlanEdge};

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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    on_error: bool,
}

impl Legend {
    pub(crate) fn of(plan: &Plan) -> Self {
        let drawn = |(planned, place): (&PlanEdge, u16)| {
            let edge = plan.edge(place);
            Drawn {
                from: planned.from,
                on: edge.map_or_else(String::new, |edge| edge.label().into_owned()),
                to: planned.to.node(),
                entries: planned
                    .fork
                    .as_ref()
                    .map_or_else(Vec::new, |fork| fork.entries.clone()),
                on_error: edge.is_some_and(|edge| edge.on_error),
            }
        };
        let edges = plan.edges.iter().zip(0..).map(drawn);
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

    /// Returns the name of a node.
    pub(crate) fn name(&self, node: u16) -> Option<&str> {
        self.nodes.get(usize::from(node)).map(String::as_str)
    }

    /// Returns the place that a node has in another graph.
    fn node(&self, plan: &Plan, place: u16) -> Result<u16, Difference> {
        let name = self.nodes.get(usize::from(place));
        let name = name.ok_or_else(|| damaged("it speaks of a node that its graph has not"))?;
        let found = if self.graph == plan.id {
            Some(place)
        } else {
            plan.find_node(name)
        };
        let found = found.filter(|found| usize::from(*found) < plan.nodes.len());
        found.ok_or_else(|| Difference::NodeGone {
            node: name.as_str().into(),
        })
    }

    /// Returns the place that an edge has in another graph, which was taken: the edge with the same
    /// condition, or else the only one that leads the same way. If its `else` was taken instead, it is
    /// all the same where it leads.
    fn edge(&self, plan: &Plan, place: u16, otherwise: bool) -> Result<u16, Difference> {
        let (drawn, from, to) = self.drawn(plan, place)?;
        if self.graph == plan.id {
            let own = plan.edges.get(usize::from(place));
            return match own {
                Some(own) if own.from == from => Ok(place),
                _ => Err(damaged("it speaks of an edge that its graph has not")),
            };
        }
        let leads = |edge: &u16| {
            let edge = plan.edges.get(usize::from(*edge));
            edge.is_some_and(|edge| {
                edge.to.node() == to && edge.fork.is_some() != drawn.entries.is_empty()
            })
        };
        let alike = plan.edges_from(from, |edge| {
            edge.on_error == drawn.on_error && edge.label() == drawn.on
        });
        let alike: Vec<_> = alike.collect();
        let same = alike.iter().copied().find(|edge| otherwise || leads(edge));
        if let Some(edge) = same {
            return Ok(edge);
        }
        let name = |to: Option<u16>| to.map_or("end", |to| plan.name(to)).into();
        let (node, on) = (plan.name(from).into(), drawn.on.as_str().into());
        if let Some(edge) = alike
            .first()
            .and_then(|edge| plan.edges.get(usize::from(*edge)))
        {
            let (was, now) = (name(to), name(edge.to.node()));
            return Err(Difference::LeadsElsewhere { node, on, was, now });
        }
        let mut same_way = plan
            .edges_from(from, |edge| edge.on_error == drawn.on_error)
            .filter(leads);
        let only = same_way.next().filter(|_| same_way.next().is_none());
        only.ok_or_else(|| Difference::EdgeGone {
            node,
            on,
            to: name(to),
        })
    }

    /// Returns an edge of this legend, and the places that the nodes have in another graph from which and
    /// to which it leads.
    fn drawn(&self, plan: &Plan, place: u16) -> Result<(&Drawn, u16, Option<u16>), Difference> {
        let drawn = self.edges.get(usize::from(place));
        let drawn = drawn.ok_or_else(|| damaged("it speaks of an edge that its graph has not"))?;
        let to = drawn.to.map(|to| self.node(plan, to)).transpose()?;
        Ok((drawn, self.node(plan, drawn.from)?, to))
    }

    /// Returns the place of the edge of a fork whose branches are under way: it must still lead to them.
    fn fork(&self, plan: &Plan, place: u16) -> Result<u16, Difference> {
        let found = self.edge(plan, place, false)?;
        let (drawn, from, _) = self.drawn(plan, place)?;
        let entries = drawn.entries.iter().map(|entry| self.node(plan, *entry));
        let was: Vec<_> = entries.collect::<Result<_, _>>()?;
        let now = plan.fork(found).map_or(&[][..], |fork| &fork.entries);
        if was == now {
            return Ok(found);
        }
        let listed = |nodes: &[u16]| {
            let names: Vec<_> = nodes.iter().map(|node| plan.name(*node)).collect();
            names.join(", ").into()
        };
        Err(Difference::Branches {
            node: plan.name(from).into(),
            was: listed(&was),
            now: listed(now),
        })
    }
}

fn damaged(reason: &str) -> Difference {
    Difference::Snapshot {
        reason: reason.into(),
    }
}

impl Engine {
    /// Returns the same path in a graph that may be another version of the one to which it belonged, or
    /// why it has no place there.
    ///
    /// An edge that is watched only now counts from here.
    pub(crate) fn moved(&self, legend: &Legend, plan: &Plan) -> Result<Self, Difference> {
        let node = |place| legend.node(plan, place);
        let edge = |place, otherwise| legend.edge(plan, place, otherwise);
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
                edge: edge(by, false)?,
                progress,
                ask,
            },
            Position::Abandoned => Position::Abandoned,
            Position::Forked(from, by) => Position::Forked(node(from)?, legend.fork(plan, by)?),
            Position::Arrived => Position::Arrived,
            Position::Ended(by, otherwise) => Position::Ended(edge(by, otherwise)?, otherwise),
        };
        let mut laps = vec![Lap::default(); plan.laps];
        for (lap, place) in self.laps.iter().zip(0..) {
            if *lap != Lap::default()
                && let Some(moved) = laps.get_mut(usize::from(edge(place, false)?))
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
        let frames = match (&self.frames, plan.goes_back) {
            (None, false) => None,
            (Some(frames), _) => Some(Box::new(frames.moved(node)?)),
            // Nothing led back so far; as far as the last handoffs tell, each was to another node.
            (None, true) => {
                let last = (1..=self.handoffs.min(Self::RECENT.into())).rev();
                let callers = last.map(|ago| recent[Self::slot(self.handoffs - ago)]);
                Some(Box::new(callers.collect()))
            }
        };
        Ok(Self {
            frames,
            position,
            join: self.join.map(node).transpose()?,
            laps,
            recent,
            ..self.clone()
        })
    }
}
