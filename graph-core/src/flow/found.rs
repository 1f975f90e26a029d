//! What the data flow found, said by the compiler where the user wrote it.

use super::given::{unknown_field, unknown_gift};
use super::message::Message;
use super::table::{Gift, Promise};
use super::{Flow, Hand};
use crate::contract::FieldSet;

/// What the data flow found of a graph of `N` nodes. Its checks panic with what is wrong, which the compiler
/// reports at the caller.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Found<'a, const N: usize> {
    flow: Flow<'a>,
    nodes: &'a [Promise],
    gifts: &'a [Gift],
    set: [FieldSet; N],
    hands: [Hand; N],
}

impl<'a, const N: usize> Found<'a, N> {
    /// Runs the data flow. Whether each node is handed its item is found out of a graph in which each has its
    /// place, in or outside of branches, and some take one.
    pub const fn of(
        flow: Flow<'a>,
        nodes: &'a [Promise],
        gifts: &'a [Gift],
        has_places: bool,
    ) -> Self {
        let hands = if has_places && flow.takes_items() {
            flow.hands()
        } else {
            [Hand::Unreached; N]
        };
        Self {
            flow,
            nodes,
            gifts,
            set: flow.set(),
            hands,
        }
    }

    /// Asserts that what the node may conclude gives fields that the state has.
    #[track_caller]
    pub const fn gives(&self, node: usize) {
        say(unknown_gift(self.nodes[node].variants, self.flow.fields).as_ref());
    }

    /// Asserts that a field has the name of one that the caller is to bring.
    #[track_caller]
    pub const fn given(&self, field: &str) {
        say(unknown_field(self.flow.fields, field).as_ref());
    }

    /// Asserts that a node has what it needs.
    #[track_caller]
    pub const fn node(&self, node: usize) {
        say(self.flow.lost(&self.set, node).as_ref());
        say(self.flow.itemless(&self.hands, node).as_ref());
    }

    /// Asserts that a branch does not write over one before it.
    #[track_caller]
    pub const fn branch(&self, fork: usize, branch: usize) {
        say(self.flow.clash(fork, branch).as_ref());
    }

    /// Asserts that something may be missing where an edge looks for it.
    #[track_caller]
    pub const fn missing(&self, edge: usize, to: usize) {
        let gift = &self.gifts[edge];
        let message = self
            .flow
            .never_missing(&self.set, gift.from, gift.gives, to);
        say(message.as_ref());
    }

    /// Asserts all of that, but for what may be missing: what is never missing of one node may be of another.
    #[track_caller]
    pub const fn all(&self) {
        let mut node = 0;
        while node < N {
            self.node(node);
            node += 1;
        }
        let mut fork = 0;
        while fork < self.flow.forks.len() {
            let mut branch = 0;
            while branch < self.flow.forks[fork].branches.len() {
                self.branch(fork, branch);
                branch += 1;
            }
            fork += 1;
        }
    }
}

#[track_caller]
const fn say(message: Option<&Message>) {
    if let Some(message) = message {
        panic!("{}", message.as_str());
    }
}
