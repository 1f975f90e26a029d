//! From what a derive writes down to the steps of a data flow.

use super::FlowEdge;
use super::given::given_by;
use crate::contract::{Contract, FieldSet};
use crate::outcome::Variant;
use crate::state::Field;
use crate::topology::{Extra, Row, Table};

/// What a node promises of the state's fields: by itself, and with what it may conclude.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the derive writes it as a literal"
)]
pub struct Promise {
    /// What it promises whatever it concludes.
    pub contract: Contract,
    /// What it may conclude.
    pub variants: &'static [Variant],
}

/// What is set behind an edge whatever its node does.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Gift {
    /// The index of the node that the edge leaves.
    pub(super) from: usize,
    /// The fields that its outcome gives.
    pub(super) gives: FieldSet,
    /// The fields that were seen to be set.
    finds: FieldSet,
    /// Whether the edge is taken when the node fails.
    failed: bool,
}

impl Gift {
    const NONE: Self = Self {
        from: 0,
        gives: FieldSet::EMPTY,
        finds: FieldSet::EMPTY,
        failed: false,
    };

    /// Returns the fields.
    pub const fn fields(&self) -> FieldSet {
        self.gives.or(self.finds)
    }
}

impl Table {
    /// Returns what each of the `E` edges gives.
    pub const fn gifts<const E: usize>(&self, nodes: &[Promise], fields: &[Field]) -> [Gift; E] {
        let mut gifts = [Gift::NONE; E];
        let mut e = 0;
        while e < E {
            let Row(from, _, _, outcomes) = self.rows[e];
            gifts[e].from = from as usize;
            gifts[e].gives = given_by(nodes[from as usize].variants, fields, outcomes);
            e += 1;
        }
        let mut x = 0;
        while x < self.extras.len() {
            let e = self.extras[x].0 as usize;
            match &self.extras[x].1 {
                Extra::OnError => {
                    gifts[e].failed = true;
                    gifts[e].gives = FieldSet::EMPTY;
                }
                Extra::Finds => gifts[e].finds = nodes[self.rows[e].1 as usize].contract.needs,
                _ => {}
            }
            x += 1;
        }
        gifts
    }
}

impl FlowEdge {
    /// Returns the steps along these edges, each to this node.
    #[doc(hidden)]
    pub const fn all<const N: usize>(steps: &[(u16, u16)], gifts: &[Gift]) -> [Self; N] {
        let mut edges = [Self::NONE; N];
        let mut s = 0;
        while s < N {
            let (edge, to) = steps[s];
            let gift = &gifts[edge as usize];
            edges[s] = Self {
                from: gift.from,
                to: to as usize,
                gives: gift.fields(),
                failed: gift.failed,
            };
            s += 1;
        }
        edges
    }

    const NONE: Self = Self {
        from: 0,
        to: 0,
        gives: FieldSet::EMPTY,
        failed: false,
    };
}

/// Returns the contracts of the `N` nodes.
#[doc(hidden)]
pub const fn contracts<const N: usize>(nodes: &[Promise]) -> [Contract; N] {
    let mut contracts = [Contract::EMPTY; N];
    let mut n = 0;
    while n < N {
        contracts[n] = nodes[n].contract;
        n += 1;
    }
    contracts
}
