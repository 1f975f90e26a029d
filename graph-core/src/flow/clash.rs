//! Branches of a fork that would write over each other (H008).

use super::message::Message;
use super::{Flow, FlowBranch};
use crate::contract::FieldSet;

impl Flow<'_> {
    /// Returns the message of H008 if a branch and one before it may write the same field and it has
    /// no merge, or may both replace it; a branch that runs for each item stands beside itself.
    pub const fn clash(&self, fork: usize, branch: usize) -> Option<Message> {
        let forked = &self.forks[fork];
        let one = &forked.branches[branch];
        let before = if forked.each { branch + 1 } else { branch };
        let mut b = 0;
        while b < before {
            let other = &forked.branches[b];
            let written = self.writes(other.nodes).and(self.writes(one.nodes));
            let known = FieldSet::first_of(self.fields.len());
            if let Some(field) = written.minus(self.merges).and(known).first() {
                return Some(self.both_write(forked.from, other, one, field));
            }
            let replaced = self.replaces(other.nodes).and(self.replaces(one.nodes));
            if let Some(field) = replaced.and(known).first() {
                return Some(self.both_replace(forked.from, other, one, field));
            }
            b += 1;
        }
        None
    }

    const fn replaces(&self, nodes: &[usize]) -> FieldSet {
        let mut replaces = FieldSet::EMPTY;
        let mut n = 0;
        while n < nodes.len() {
            replaces = replaces.or(self.contracts[nodes[n]].replaces);
            n += 1;
        }
        replaces
    }

    const fn both_write(
        &self,
        from: usize,
        one: &FlowBranch<'_>,
        other: &FlowBranch<'_>,
        field: usize,
    ) -> Message {
        let (first, second) = (self.writer(one, field), self.writer(other, field));
        let message = self.both(from, first, second, "write", field);
        let message = if first == second {
            message.push(", and it has no merge")
        } else {
            message.push(", which has no merge")
        };
        message.push(
            "\nhelp: write it in one branch only, or after the join; or make it a type that merges: \
             a `Log`, a set, `#[state(merge = f)]`",
        )
    }

    const fn both_replace(
        &self,
        from: usize,
        one: &FlowBranch<'_>,
        other: &FlowBranch<'_>,
        field: usize,
    ) -> Message {
        let (first, second) = (self.replacer(one, field), self.replacer(other, field));
        self.both(from, first, second, "replace", field).push(
            "\nhelp: replace it in one branch only, or after the join; or take it as `&mut`, so that \
             the changes merge",
        )
    }

    const fn both(
        &self,
        from: usize,
        first: usize,
        second: usize,
        verb: &str,
        field: usize,
    ) -> Message {
        let message = Message::EMPTY.push("H008: `").push(self.names[first]);
        if first == second {
            return message
                .push("` may ")
                .push(verb)
                .push(" `")
                .push(self.field_name(field))
                .push("` in several branches of `")
                .push(self.names[from])
                .push("` at once");
        }
        message
            .push("` and `")
            .push(self.names[second])
            .push("`, in two branches of `")
            .push(self.names[from])
            .push("`, may both ")
            .push(verb)
            .push(" `")
            .push(self.field_name(field))
            .push("`")
    }

    /// Returns the first node of a branch that may write a field; there is one.
    const fn writer(&self, branch: &FlowBranch<'_>, field: usize) -> usize {
        let mut n = 0;
        while !self.contracts[branch.nodes[n]].writes.contains(field) {
            n += 1;
        }
        branch.nodes[n]
    }

    /// Returns the first node of a branch that may replace a field; there is one.
    const fn replacer(&self, branch: &FlowBranch<'_>, field: usize) -> usize {
        let mut n = 0;
        while !self.contracts[branch.nodes[n]].replaces.contains(field) {
            n += 1;
        }
        branch.nodes[n]
    }
}
