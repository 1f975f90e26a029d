//! Whether a node that takes an item is handed one (H009).

use super::Flow;
use super::message::Message;
use super::queue::{Queue, Spot};

/// Whose item a node has at hand: that of the branch of an `each`, by the worker that it starts with.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hand {
    /// Nothing leads to the node.
    Unreached,
    /// The item of this worker's branch, on every path.
    Of(usize),
    /// None, or not the same on every path.
    Empty,
}

impl Hand {
    const fn is_of(self, worker: usize) -> bool {
        matches!(self, Self::Of(whose) if whose == worker)
    }

    const fn is_unreached(self) -> bool {
        matches!(self, Self::Unreached)
    }

    const fn meet(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unreached, hand) | (hand, Self::Unreached) => hand,
            (Self::Of(one), Self::Of(other)) if one == other => self,
            _ => Self::Empty,
        }
    }

    const fn same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Unreached, Self::Unreached) | (Self::Empty, Self::Empty) => true,
            (Self::Of(one), Self::Of(other)) => one == other,
            _ => false,
        }
    }
}

impl Flow<'_> {
    /// Returns, for each of the `N` nodes, whose item it has at hand.
    pub const fn hands<const N: usize>(&self) -> [Hand; N] {
        let mut hands = [Hand::Unreached; N];
        self.find_hands(&mut hands, &mut [Spot::NEW; N]);
        hands
    }

    /// Returns the same for any number of nodes.
    pub fn hands_vec(&self) -> Vec<Hand> {
        let mut hands = vec![Hand::Unreached; self.names.len()];
        self.find_hands(&mut hands, &mut self.spots());
        hands
    }

    /// Returns the message of H009 for a node that takes an item and is not always handed its own,
    /// given what [`Flow::hands`] found.
    pub const fn itemless(&self, hands: &[Hand], node: usize) -> Option<Message> {
        let hand = hands[node];
        if !self.contracts[node].item || hand.is_unreached() || hand.is_of(node) {
            return None;
        }
        let message = Message::EMPTY
            .push("H009: `")
            .push(self.names[node])
            .push("` takes an item, and ");
        let message = match self.empty_handed(hands, node) {
            Some(from) => message
                .push("`")
                .push(self.names[from])
                .push("` hands it none"),
            None => message.push("a run that starts there has none"),
        };
        Some(
            message
                .push("\nhelp: lead to it by `each(items) ")
                .push(self.names[node])
                .push(" join ..`"),
        )
    }

    /// Returns whether some node takes an item.
    pub const fn takes_items(&self) -> bool {
        let mut n = 0;
        while n < self.contracts.len() {
            if self.contracts[n].item {
                return true;
            }
            n += 1;
        }
        false
    }

    const fn find_hands(&self, hands: &mut [Hand], spots: &mut [Spot]) {
        let mut queue = Queue::new(self, spots);
        hand_over(hands, &mut queue, self.start, Hand::Empty);
        while let Some(node) = queue.pop() {
            let hand = hands[node];
            let mut e = queue.edges(node).from;
            while e < queue.edges(node).to {
                if self.edges[e].from == node {
                    hand_over(hands, &mut queue, self.edges[e].to, hand);
                }
                e += 1;
            }
            let mut f = queue.forks(node).from;
            while f < queue.forks(node).to {
                let fork = &self.forks[f];
                if fork.from == node {
                    let mut b = 0;
                    while b < fork.branches.len() {
                        let entry = fork.branches[b].entry;
                        let its = if fork.each { Hand::Of(entry) } else { hand };
                        hand_over(hands, &mut queue, entry, its);
                        b += 1;
                    }
                    hand_over(hands, &mut queue, fork.to, hand);
                }
                f += 1;
            }
        }
    }

    /// Returns the first node that leads to `node` without the item of its branch; none does if a
    /// run starts there.
    const fn empty_handed(&self, hands: &[Hand], node: usize) -> Option<usize> {
        let mut e = 0;
        while e < self.edges.len() {
            let edge = &self.edges[e];
            if edge.to == node && lacks(hands, edge.from, node) {
                return Some(edge.from);
            }
            e += 1;
        }
        let mut f = 0;
        while f < self.forks.len() {
            let fork = &self.forks[f];
            let mut leads = fork.to == node;
            let mut b = 0;
            while b < fork.branches.len() {
                leads = leads || !fork.each && fork.branches[b].entry == node;
                b += 1;
            }
            if leads && lacks(hands, fork.from, node) {
                return Some(fork.from);
            }
            f += 1;
        }
        None
    }
}

const fn lacks(hands: &[Hand], from: usize, worker: usize) -> bool {
    !hands[from].is_unreached() && !hands[from].is_of(worker)
}

const fn hand_over(hands: &mut [Hand], queue: &mut Queue<'_>, node: usize, hand: Hand) {
    let met = hands[node].meet(hand);
    if !met.same(hands[node]) {
        hands[node] = met;
        queue.push(node);
    }
}
