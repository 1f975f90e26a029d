//! That an edge which looks at what is set may find something missing (H011).

use super::Flow;
use super::message::Message;
use crate::contract::FieldSet;

impl Flow<'_> {
    /// Returns the message of H011 for a handoff that says where to go if a field is missing, and of
    /// which none ever is, given what [`Flow::set`] found and what its outcome gives.
    ///
    /// Such a handoff is as good without it: what is set stays the same.
    pub const fn never_missing(
        &self,
        set: &[FieldSet],
        from: usize,
        gives: FieldSet,
        to: usize,
    ) -> Option<Message> {
        const HELP: &str = "\nhelp: leave `missing` away";
        let needs = self.contracts[to].needs;
        let message = Message::EMPTY.push("H011: ");
        if needs.is_empty() {
            let message = message.push("`").push(self.names[to]);
            return Some(
                message
                    .push("` needs no field that may be unset")
                    .push(HELP),
            );
        }
        let behind = self.contracts[from].after(set[from]).or(gives);
        // That nothing reaches the node is another finding.
        if set[from].same(FieldSet::ALL) || !needs.minus(behind).is_empty() {
            return None;
        }
        let message = message.push("all that `").push(self.names[to]);
        let message = message
            .push("` needs is set behind `")
            .push(self.names[from]);
        Some(message.push("`, on every path to it").push(HELP))
    }
}
