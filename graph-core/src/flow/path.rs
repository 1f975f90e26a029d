//! The path on which a node lacks what it needs (H007).

use super::message::Message;
use super::queue::{Queue, Spot};
use super::{Flow, FlowFork};
use crate::contract::FieldSet;

impl Flow<'_> {
    /// Returns the message of H007 for a node, given what [`Flow::set`] found, or `None` if all that
    /// the node needs is set on every path to it.
    pub const fn lost<const N: usize>(&self, set: &[FieldSet; N], node: usize) -> Option<Message> {
        let Some(field) = self.contracts[node].needs.minus(set[node]).first() else {
            return None;
        };
        let mut visits = [[Visit::NONE; 2]; N];
        self.visit_all(field, set, &mut [Spot::NEW; N], &mut visits);
        Some(self.lost_on(field, node, &visits))
    }

    /// Returns the messages of H007 with their nodes, for any number of nodes.
    pub fn lost_vec(&self, set: &[FieldSet]) -> Vec<(usize, Message)> {
        let lacks = |node: usize| self.contracts[node].needs.minus(set[node]).first();
        let nodes = 0..self.names.len();
        let lacking: FieldSet = nodes
            .clone()
            .filter_map(lacks)
            .fold(FieldSet::EMPTY, FieldSet::with);
        let mut messages = Vec::new();
        for field in lacking.iter() {
            let mut visits = vec![[Visit::NONE; 2]; self.names.len()];
            self.visit_all(field, set, &mut self.spots(), &mut visits);
            let lost = nodes.clone().filter(|node| lacks(*node) == Some(field));
            messages.extend(lost.map(|node| (node, self.lost_on(field, node, &visits))));
        }
        messages.sort_by_key(|(node, _)| *node);
        messages
    }

    const fn lost_on(&self, field: usize, node: usize, visits: &[[Visit; 2]]) -> Message {
        let name = self.field_name(field);
        let message = Message::EMPTY
            .push("H007: `")
            .push(self.names[node])
            .push("` needs `")
            .push(name)
            .push("`, which is not set ");
        let message = match Path::to(node, visits) {
            Some(path) if path.len > 1 => path
                .push_to(message.push("on the path `"), self.names)
                .push("`"),
            _ => message.push("when a run starts"),
        };
        message
            .push("\nhelp: let a node before set it, by `")
            .push(name)
            .push(": Out<'_, _>` or, for one outcome, `#[outcome(gives(")
            .push(name)
            .push("))]`; or let the caller bring it, by `#[graph(given(")
            .push(name)
            .push("))]`")
    }

    /// Finds a shortest path from the start to each place.
    ///
    /// A join is reached from the fork, and from a branch that may have unset the field.
    const fn visit_all(
        &self,
        field: usize,
        set: &[FieldSet],
        spots: &mut [Spot],
        visits: &mut [[Visit; 2]],
    ) {
        let links = Queue::new(self, spots);
        let mut tour = Tour {
            visits,
            first: Place::NONE,
            last: Place::NONE,
        };
        tour.visit(Place::NONE, self.start, self.given.contains(field));
        while let Some(place) = tour.next() {
            let before = FieldSet::EMPTY.with(field).when(place.set);
            let mut e = links.edges(place.node).from;
            while e < links.edges(place.node).to {
                let edge = &self.edges[e];
                if edge.from == place.node {
                    tour.visit(place, edge.to, self.across(edge, before).contains(field));
                }
                e += 1;
            }
            let mut f = links.forks(place.node).from;
            while f < links.forks(place.node).to {
                let fork = &self.forks[f];
                if fork.from == place.node {
                    let forked = self.forked(fork, before).contains(field);
                    let mut b = 0;
                    while b < fork.branches.len() {
                        tour.visit(place, fork.branches[b].entry, forked);
                        b += 1;
                    }
                    let gained = !fork.each && self.is_gained(fork, set, field);
                    tour.visit(place, fork.to, forked || gained);
                }
                f += 1;
            }
            let mut f = links.arrivals(place.node).from;
            while f < links.arrivals(place.node).to {
                self.arrive(&self.forks[f], place, field, &mut tour);
                f += 1;
            }
        }
    }

    /// Returns whether some branch sets the field before it ends.
    const fn is_gained(&self, fork: &FlowFork<'_>, set: &[FieldSet], field: usize) -> bool {
        let mut b = 0;
        while b < fork.branches.len() {
            let arrivals = fork.branches[b].arrivals;
            let mut gained = true;
            let mut a = 0;
            while a < arrivals.len() {
                let arrived = self.across(&arrivals[a], set[arrivals[a].from]);
                gained = gained && arrived.contains(field);
                a += 1;
            }
            if gained {
                return true;
            }
            b += 1;
        }
        false
    }

    /// Goes on to the join where a branch ends without the field, which some node of it may have
    /// unset.
    const fn arrive(&self, fork: &FlowFork<'_>, place: Place, field: usize, tour: &mut Tour<'_>) {
        let before = FieldSet::EMPTY.with(field).when(place.set);
        let mut b = 0;
        while b < fork.branches.len() {
            let branch = &fork.branches[b];
            let mut a = 0;
            while a < branch.arrivals.len() {
                let arrival = &branch.arrivals[a];
                if arrival.from == place.node
                    && !self.across(arrival, before).contains(field)
                    && self.writes(branch.nodes).contains(field)
                {
                    tour.visit(place, fork.to, false);
                }
                a += 1;
            }
            b += 1;
        }
    }
}

/// A place of the search: a node together with whether the field is set on arrival, since a node may
/// unset it again.
#[derive(Clone, Copy)]
struct Place {
    node: usize,
    set: bool,
}

impl Place {
    const NONE: Self = Self {
        node: usize::MAX,
        set: false,
    };

    const fn is_none(self) -> bool {
        self.node == usize::MAX
    }
}

/// What is known of a place: how far from the start it is, where the path comes from, and which
/// place is next in the queue.
#[derive(Clone, Copy)]
struct Visit {
    depth: usize,
    came_from: Place,
    next: Place,
}

impl Visit {
    const NONE: Self = Self {
        depth: usize::MAX,
        came_from: Place::NONE,
        next: Place::NONE,
    };
}

/// A breadth-first walk over places.
struct Tour<'a> {
    visits: &'a mut [[Visit; 2]],
    first: Place,
    last: Place,
}

impl Tour<'_> {
    const fn visit(&mut self, from: Place, node: usize, set: bool) {
        if self.visits[node][set as usize].depth != usize::MAX {
            return;
        }
        let place = Place { node, set };
        self.visits[node][set as usize] = Visit {
            depth: if from.is_none() {
                0
            } else {
                self.visits[from.node][from.set as usize].depth + 1
            },
            came_from: from,
            next: Place::NONE,
        };
        if self.first.is_none() {
            self.first = place;
        } else {
            self.visits[self.last.node][self.last.set as usize].next = place;
        }
        self.last = place;
    }

    const fn next(&mut self) -> Option<Place> {
        let place = self.first;
        if place.is_none() {
            return None;
        }
        self.first = self.visits[place.node][place.set as usize].next;
        Some(place)
    }
}

/// A path of nodes, of which a message shows the first.
struct Path {
    nodes: [usize; Path::SHOWN],
    len: usize,
}

impl Path {
    const SHOWN: usize = 32;

    /// Returns the path to a node on arrival at which the field is not set.
    const fn to(node: usize, visits: &[[Visit; 2]]) -> Option<Self> {
        let depth = visits[node][0].depth;
        if depth == usize::MAX {
            return None;
        }
        let mut path = Self {
            nodes: [0; Self::SHOWN],
            len: depth + 1,
        };
        let mut at = Place { node, set: false };
        let mut left = path.len;
        while left > 0 {
            left -= 1;
            if left < Self::SHOWN {
                path.nodes[left] = at.node;
            }
            at = visits[at.node][at.set as usize].came_from;
        }
        Some(path)
    }

    const fn push_to(&self, mut message: Message, names: &[&str]) -> Message {
        let mut i = 0;
        while i < self.len {
            if i > 0 {
                message = message.push(" -> ");
            }
            if i == Self::SHOWN {
                return message.push("…");
            }
            message = message.push(names[self.nodes[i]]);
            i += 1;
        }
        message
    }
}
