//! The work list of a data flow, in memory that the caller brings: an array where the compiler runs it,
//! a vector at run time.

use super::Flow;

/// Where in a list the entries of a node stand, perhaps with others between them.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Span {
    const EMPTY: Self = Self { from: 0, to: 0 };

    /// Adds an index that is higher than those before.
    const fn add(&mut self, index: usize) {
        if self.to == 0 {
            self.from = index;
        }
        self.to = index + 1;
    }
}

/// What the work list knows of a node.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    edges: Span,
    forks: Span,
    arrivals: Span,
    next: usize,
    queued: bool,
    reached: bool,
}

impl Spot {
    pub(super) const NEW: Self = Self {
        edges: Span::EMPTY,
        forks: Span::EMPTY,
        arrivals: Span::EMPTY,
        next: usize::MAX,
        queued: false,
        reached: false,
    };
}

/// Nodes to look at, first come, first served.
pub(super) struct Queue<'a> {
    spots: &'a mut [Spot],
    first: usize,
    last: usize,
}

impl<'a> Queue<'a> {
    /// Returns an empty queue over the edges of `flow`; there is a new spot for each node.
    pub(super) const fn new(flow: &Flow<'_>, spots: &'a mut [Spot]) -> Self {
        let mut e = 0;
        while e < flow.edges.len() {
            spots[flow.edges[e].from].edges.add(e);
            e += 1;
        }
        let mut f = 0;
        while f < flow.forks.len() {
            let fork = &flow.forks[f];
            spots[fork.from].forks.add(f);
            let mut b = 0;
            while b < fork.branches.len() {
                let arrivals = fork.branches[b].arrivals;
                let mut a = 0;
                while a < arrivals.len() {
                    spots[arrivals[a].from].arrivals.add(f);
                    a += 1;
                }
                b += 1;
            }
            f += 1;
        }
        let first = usize::MAX;
        Self {
            spots,
            first,
            last: first,
        }
    }

    /// Queues a node, which is then reached; one that waits already keeps its place.
    pub(super) const fn push(&mut self, node: usize) {
        let spot = &mut self.spots[node];
        spot.reached = true;
        if spot.queued {
            return;
        }
        spot.queued = true;
        spot.next = usize::MAX;
        if self.first == usize::MAX {
            self.first = node;
        } else {
            self.spots[self.last].next = node;
        }
        self.last = node;
    }

    pub(super) const fn pop(&mut self) -> Option<usize> {
        let node = self.first;
        if node == usize::MAX {
            return None;
        }
        self.spots[node].queued = false;
        self.first = self.spots[node].next;
        Some(node)
    }

    /// Returns whether the node has ever been queued.
    pub(super) const fn reached(&self, node: usize) -> bool {
        self.spots[node].reached
    }

    /// Returns where the edges that leave the node stand.
    pub(super) const fn edges(&self, node: usize) -> Span {
        self.spots[node].edges
    }

    /// Returns where the forks that leave the node stand.
    pub(super) const fn forks(&self, node: usize) -> Span {
        self.spots[node].forks
    }

    /// Returns where the forks stand at whose join the node arrives.
    pub(super) const fn arrivals(&self, node: usize) -> Span {
        self.spots[node].arrivals
    }
}
