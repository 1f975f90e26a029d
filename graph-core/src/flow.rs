//! Whether the nodes' promises meet: that no handoff loses context (H007).
//!
//! A graph's derive lets the compiler run [`Flow`] over the contracts of its nodes: a forward data flow
//! that keeps, for each node, the fields that are set on *every* path to it, a must-analysis on a lattice
//! of sets (G. Kildall, "A unified approach to global program optimization", POPL 1973). It is a
//! `const fn`, so a context that a handoff would lose is an error of `cargo check`.

use crate::contract::{Contract, FieldSet, same};
use crate::outcome::{Outcome, Variant};
use crate::state::Field;

/// An edge of the data flow: from node to node, with what its outcome gives beyond the node's contract.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the derive writes it as a literal"
)]
pub struct FlowEdge {
    /// The index of the node that the edge leaves.
    pub from: usize,
    /// The index of the node that it leads to.
    pub to: usize,
    /// The fields that the edge's outcome gives.
    pub gives: FieldSet,
}

/// Returns the fields that are set whenever an outcome is one of the variants of these names, or any
/// if none is named.
#[doc(hidden)]
pub const fn given_by<O: Outcome>(fields: &[Field], names: &[&str]) -> FieldSet {
    let variants = O::VARIANTS;
    let mut any = names.is_empty();
    let mut n = 0;
    while n < names.len() {
        // A name that is no variant's is that of a binding or a constant, which may match any.
        any = any || !is_variant(variants, names[n]);
        n += 1;
    }
    let mut given = FieldSet::ALL;
    let mut v = 0;
    while v < variants.len() {
        let mut meant = any;
        let mut n = 0;
        while n < names.len() {
            meant = meant || same(variants[v].name, names[n]);
            n += 1;
        }
        if meant {
            given = given.and(FieldSet::named(fields, variants[v].gives));
        }
        v += 1;
    }
    given
}

const fn is_variant(variants: &[Variant], name: &str) -> bool {
    let mut v = 0;
    while v < variants.len() {
        if same(variants[v].name, name) {
            return true;
        }
        v += 1;
    }
    false
}

/// Returns the message of H011 for a name in `given(..)`, or `None` if a field has it.
#[doc(hidden)]
pub const fn unknown_field(fields: &[Field], name: &str) -> Option<Message> {
    if !FieldSet::named(fields, &[name]).is_empty() {
        return None;
    }
    let message = Message::EMPTY
        .push("H011: the state has no field `")
        .push(name)
        .push("`");
    Some(push_fields(&message, fields))
}

/// Returns the message of H011 for an outcome of which a variant gives what the state has not.
#[doc(hidden)]
pub const fn unknown_gift<O: Outcome>(fields: &[Field]) -> Option<Message> {
    let mut v = 0;
    while v < O::VARIANTS.len() {
        let variant = &O::VARIANTS[v];
        let mut g = 0;
        while g < variant.gives.len() {
            if FieldSet::named(fields, &[variant.gives[g]]).is_empty() {
                let message = Message::EMPTY
                    .push("H011: the outcome `")
                    .push(variant.name)
                    .push("` of this node gives `")
                    .push(variant.gives[g])
                    .push("`, and the state has no such field");
                return Some(push_fields(&message, fields));
            }
            g += 1;
        }
        v += 1;
    }
    None
}

const fn push_fields(message: &Message, fields: &[Field]) -> Message {
    let mut message = (*message).push("\nhelp: the fields are: ");
    let mut f = 0;
    while f < fields.len() {
        let comma = if f == 0 { "`" } else { "`, `" };
        message = message.push(comma).push(fields[f].name);
        f += 1;
    }
    message.push("`")
}

/// The data flow of a graph: the contracts of its nodes along its edges.
#[doc(hidden)]
#[derive(Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the derive writes it as a literal"
)]
pub struct Flow<'a, const N: usize> {
    /// The names of the nodes.
    pub names: [&'static str; N],
    /// What the nodes promise.
    pub contracts: [Contract; N],
    /// The edges from node to node, those of an `else` among them.
    pub edges: &'a [FlowEdge],
    /// The index of the node where a run starts.
    pub start: usize,
    /// The fields of the state.
    pub fields: &'static [Field],
    /// The fields that the caller brings.
    pub given: FieldSet,
}

impl<const N: usize> Flow<'_, N> {
    /// Returns, for each node, the fields that are set on every path to it.
    pub const fn set(&self) -> [FieldSet; N] {
        let mut set = [FieldSet::ALL; N];
        set[self.start] = self.given;
        // Sets only shrink, so this ends after at most 64 rounds a node.
        let mut changed = true;
        while changed {
            changed = false;
            let mut e = 0;
            while e < self.edges.len() {
                let FlowEdge { from, to, gives } = self.edges[e];
                let met = set[to].and(self.contracts[from].after(set[from]).or(gives));
                if !met.same(set[to]) {
                    set[to] = met;
                    changed = true;
                }
                e += 1;
            }
        }
        set
    }

    /// Returns the message of H007 for a node, given what [`Flow::set`] found, or `None` if all that
    /// the node needs is set on every path to it.
    pub const fn lost(&self, set: &[FieldSet; N], node: usize) -> Option<Message> {
        let Some(field) = self.contracts[node].needs.minus(set[node]).first() else {
            return None;
        };
        let name = if field < self.fields.len() {
            self.fields[field].name
        } else {
            "?"
        };
        let message = Message::EMPTY
            .push("H007: `")
            .push(self.names[node])
            .push("` needs `")
            .push(name)
            .push("`, which is not set ");
        let message = match self.path_without(field, node) {
            Some(path) if path.len > 1 => {
                push_path(message.push("on the path `"), &path, &self.names).push("`")
            }
            _ => message.push("when a run starts"),
        };
        Some(
            message
                .push("\nhelp: let a node before set it, by `")
                .push(name)
                .push(": Out<'_, _>` or, for one outcome, `#[outcome(gives(")
                .push(name)
                .push("))]`; or let the caller bring it, by `#[graph(given(")
                .push(name)
                .push("))]`"),
        )
    }

    /// Finds a shortest path from the start at whose end, on arrival at `node`, `field` is not set.
    ///
    /// A place of the search is a node together with whether the field is set on arrival, since a
    /// node may unset it again.
    const fn path_without(&self, field: usize, node: usize) -> Option<Path> {
        const NONE: usize = usize::MAX;
        let mut came_from = [[(NONE, 0); N]; 2];
        let mut depth = [[NONE; N]; 2];
        depth[self.given.contains(field) as usize][self.start] = 0;
        let mut round = 0;
        while round <= 2 * N && depth[0][node] == NONE {
            let mut e = 0;
            while e < self.edges.len() {
                let FlowEdge { from, to, gives } = self.edges[e];
                let mut was = 0;
                while was < 2 {
                    if depth[was][from] == round {
                        let before = FieldSet::EMPTY.with(field).when(was == 1);
                        let after = self.contracts[from].after(before).or(gives);
                        let is = after.contains(field) as usize;
                        if depth[is][to] == NONE {
                            depth[is][to] = round + 1;
                            came_from[is][to] = (from, was);
                        }
                    }
                    was += 1;
                }
                e += 1;
            }
            round += 1;
        }
        if depth[0][node] == NONE {
            return None;
        }
        let mut path = Path {
            nodes: [0; Path::SHOWN],
            len: depth[0][node] + 1,
        };
        let mut at = (node, 0);
        let mut left = path.len;
        while left > 0 {
            left -= 1;
            if left < Path::SHOWN {
                path.nodes[left] = at.0;
            }
            if left > 0 {
                at = came_from[at.1][at.0];
            }
        }
        Some(path)
    }
}

/// A path of nodes, of which a message shows the first.
struct Path {
    nodes: [usize; Path::SHOWN],
    len: usize,
}

impl Path {
    const SHOWN: usize = 32;
}

const fn push_path(mut message: Message, path: &Path, names: &[&str]) -> Message {
    let mut i = 0;
    while i < path.len {
        if i > 0 {
            message = message.push(" -> ");
        }
        if i == Path::SHOWN {
            return message.push("…");
        }
        message = message.push(names[path.nodes[i]]);
        i += 1;
    }
    message
}

/// A text that a `const fn` can put together; what does not fit is cut off.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Message {
    bytes: [u8; Message::CAPACITY],
    len: usize,
}

impl Message {
    const CAPACITY: usize = 1024;
    const EMPTY: Self = Self {
        bytes: [0; Self::CAPACITY],
        len: 0,
    };

    const fn push(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        if self.len + text.len() <= Self::CAPACITY {
            let mut i = 0;
            while i < text.len() {
                self.bytes[self.len] = text[i];
                self.len += 1;
                i += 1;
            }
        }
        self
    }

    /// Returns the text.
    pub const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            // Only whole strings are pushed, so this cannot happen; a const fn may not panic for it.
            Err(_) => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Field; 2] = [Field::__new("note", false), Field::__new("account", false)];
    const ACCOUNT: FieldSet = FieldSet::EMPTY.with(1);
    const GIVER: Contract = Contract {
        writes: ACCOUNT,
        gives: ACCOUNT,
        ..Contract::EMPTY
    };
    const NEEDER: Contract = Contract {
        reads: ACCOUNT,
        needs: ACCOUNT,
        ..Contract::EMPTY
    };
    const CLEARER: Contract = Contract {
        writes: ACCOUNT,
        ..Contract::EMPTY
    };

    const DIAMOND: [FlowEdge; 4] = [edge(0, 1), edge(0, 2), edge(1, 3), edge(2, 3)];

    const fn edge(from: usize, to: usize) -> FlowEdge {
        FlowEdge {
            from,
            to,
            gives: FieldSet::EMPTY,
        }
    }

    fn lost<const N: usize>(
        contracts: [Contract; N],
        edges: &'static [FlowEdge],
        given: FieldSet,
    ) -> Option<String> {
        let names = ["a", "b", "c", "d"];
        let names = core::array::from_fn(|n| names[n]);
        let flow = Flow {
            names,
            contracts,
            edges,
            start: 0,
            fields: &FIELDS,
            given,
        };
        let set = flow.set();
        let message = (0..N).find_map(|node| flow.lost(&set, node))?;
        Some(message.as_str().lines().next().unwrap().to_owned())
    }

    #[test]
    fn a_field_given_on_every_path_is_not_lost() {
        let contracts = [Contract::EMPTY, GIVER, GIVER, NEEDER];
        assert_eq!(lost(contracts, &DIAMOND, FieldSet::EMPTY), None);
        assert_eq!(lost([NEEDER], &[], ACCOUNT), None);
    }

    #[test]
    fn a_field_given_on_one_path_only_is_lost_on_the_other() {
        let contracts = [Contract::EMPTY, GIVER, Contract::EMPTY, NEEDER];
        assert_eq!(
            lost(contracts, &DIAMOND, FieldSet::EMPTY).unwrap(),
            "H007: `d` needs `account`, which is not set on the path `a -> c -> d`"
        );
    }

    #[test]
    fn a_node_that_may_unset_a_field_loses_it_for_those_behind() {
        assert_eq!(
            lost(
                [GIVER, CLEARER, NEEDER],
                &const { [edge(0, 1), edge(1, 2)] },
                FieldSet::EMPTY
            )
            .unwrap(),
            "H007: `c` needs `account`, which is not set on the path `a -> b -> c`"
        );
    }

    #[test]
    fn what_an_outcome_gives_counts_for_its_edge_alone() {
        const EDGES: [FlowEdge; 2] = [
            FlowEdge {
                from: 0,
                to: 1,
                gives: ACCOUNT,
            },
            edge(0, 2),
        ];
        let contracts = [Contract::EMPTY, NEEDER, NEEDER];
        assert_eq!(
            lost(contracts, &EDGES, FieldSet::EMPTY).unwrap(),
            "H007: `c` needs `account`, which is not set on the path `a -> c`"
        );
    }

    #[test]
    fn a_loop_back_to_the_start_does_not_set_what_the_first_visit_lacks() {
        assert_eq!(
            lost(
                [NEEDER, GIVER],
                &const { [edge(0, 1), edge(1, 0)] },
                FieldSet::EMPTY
            )
            .unwrap(),
            "H007: `a` needs `account`, which is not set when a run starts"
        );
    }
}
