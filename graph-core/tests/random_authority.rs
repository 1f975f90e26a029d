//! Who may do what, against a walk: on random small graphs, going every way with all that is held must say
//! the same as the check.
//!
//! A [`Sketch`] is a graph as plain numbers, in which a set of scopes is a set of bits. The naive side reads
//! the sketch alone.

use std::collections::BTreeSet;

use handoffs_core::{
    Code, Edge, Finding, Grant, May, NodeShape, Route, ScopeShape, Target, Topology, check,
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

const SCOPES: [&str; 3] = ["read", "write", "pay"];

#[derive(Clone, Debug)]
struct Sketch {
    /// What each node may use, and what it may grant.
    may: Vec<(u8, u8)>,
    edges: Vec<Arm>,
}

/// An edge; a target of as many nodes as there are, or more, is the end.
#[derive(Clone, Debug)]
struct Arm {
    from: usize,
    to: usize,
    otherwise: Option<usize>,
    grant: Option<u8>,
    is_back: bool,
}

fn scopes(bits: u8) -> impl Iterator<Item = &'static str> {
    let scopes = SCOPES.into_iter().enumerate();
    scopes
        .filter(move |(place, _)| bits & (1 << place) != 0)
        .map(|(_, scope)| scope)
}

fn bit(scope: &str) -> u8 {
    let place = SCOPES.iter().position(|own| *own == scope);
    1 << place.expect("it is a scope")
}

impl Sketch {
    fn topology(&self) -> Topology {
        let mut topology = Topology::new("Sketch");
        for scope in SCOPES {
            topology.scope(ScopeShape::new(scope));
        }
        let nodes: Vec<_> = (self.may.iter().enumerate())
            .map(|(node, (uses, grants))| {
                let may = May::new().uses(scopes(*uses)).grants(scopes(*grants));
                topology.node(NodeShape::new(format!("n{node}")).may(may))
            })
            .collect();
        topology.start(nodes[0]);
        let target = |to: usize| {
            nodes
                .get(to)
                .map_or(Target::End, |node| Target::Node(*node))
        };
        for arm in &self.edges {
            let mut route = Route::__new(target(arm.to), Some(2), arm.otherwise.map(target));
            if arm.is_back {
                route = route.__back();
            }
            if let Some(grant) = arm.grant {
                route = route.grant(Grant::of(scopes(grant)));
            }
            topology.edge(Edge::new(nodes[arm.from], "_", route));
        }
        topology
    }

    /// The nodes to which an edge hands over.
    fn receivers(&self, arm: &Arm) -> Vec<usize> {
        let target = Some(arm.to).filter(|_| !arm.is_back);
        let to = target.into_iter().chain(arm.otherwise);
        to.filter(|to| *to < self.may.len() && *to != arm.from)
            .collect()
    }

    /// What is held where, on every walk from the start.
    fn walked(&self) -> BTreeSet<(usize, u8)> {
        let (uses, grants) = self.may[0];
        let mut known = BTreeSet::new();
        let mut queue = vec![(0, uses | grants)];
        while let Some((node, held)) = queue.pop() {
            if !known.insert((node, held)) {
                continue;
            }
            let passes_on = held & self.may[node].1;
            for arm in self.edges.iter().filter(|arm| arm.from == node) {
                let granted = arm.grant.unwrap_or(0) & passes_on;
                queue.extend(self.receivers(arm).into_iter().map(|to| (to, granted)));
            }
        }
        known
    }
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let bits = || prop_oneof![2 => Just(0_u8), 3 => 0..8_u8];
    let may = prop::collection::vec((bits(), bits()), 1..=5);
    may.prop_flat_map(move |may| {
        let nodes = may.len();
        let arm = (
            0..nodes,
            0..=nodes,
            prop::option::weighted(0.3, 0..=nodes),
            prop::option::weighted(0.7, bits()),
            prop::bool::weighted(0.1),
        );
        let arm = arm.prop_map(|(from, to, otherwise, grant, is_back)| Arm {
            from,
            to,
            otherwise,
            grant,
            is_back,
        });
        let arms = prop::collection::vec(arm, 0..=9);
        (Just(may), arms).prop_map(|(may, edges)| Sketch { may, edges })
    })
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 4_096,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_edge_is_refused_exactly_for_what_its_node_may_not_grant(sketch in sketch()) {
        let topology = sketch.topology();
        let mut found = BTreeSet::new();
        for finding in check(&topology) {
            if let Finding::GrantsBeyond { edge, at, .. } = finding {
                let edge_of = topology.get_edge(edge).expect("it is an edge");
                let scope = edge_of.route.granted().expect("it grants").named()[at].to_string();
                found.insert((usize::from(edge.0), bit(&scope)));
            }
        }
        let mut expected = BTreeSet::new();
        for (place, arm) in sketch.edges.iter().enumerate() {
            let beyond = arm.grant.unwrap_or(0) & !sketch.may[arm.from].1;
            if !sketch.receivers(arm).is_empty() {
                expected.extend(scopes(beyond).map(|scope| (place, bit(scope))));
            }
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn what_no_walk_grants_a_node_is_found_and_nothing_else(sketch in sketch()) {
        let topology = sketch.topology();
        let findings = check(&topology);
        let walked = sketch.walked();
        let reached: BTreeSet<_> = walked.iter().map(|(node, _)| *node).collect();
        let lacks = |node: usize, scope: u8| {
            let mut held = walked.iter().filter(|(at, _)| *at == node);
            held.all(|(_, held)| held & scope == 0)
        };
        let mut accused = BTreeSet::new();
        for finding in &findings {
            if let Finding::UsesUngranted { node, scope, .. }
            | Finding::GrantsUngranted { node, scope, .. } = finding
            {
                let (node, scope) = (usize::from(node.0), bit(scope));
                prop_assert!(lacks(node, scope), "{}", finding.message(&topology));
                prop_assert!(reached.contains(&node));
                prop_assert!(accused.insert((node, scope)), "it was said before");
            }
        }
        let goes_beyond: u8 = findings
            .iter()
            .filter_map(|finding| match finding {
                Finding::GrantsBeyond { edge, at, .. } => {
                    let edge = topology.get_edge(*edge)?;
                    Some(bit(edge.route.granted()?.named().get(*at)?))
                }
                _ => None,
            })
            .fold(0, |all, scope| all | scope);
        for node in reached {
            let (uses, grants) = sketch.may[node];
            for scope in scopes(uses | grants).map(bit) {
                let is_said = accused.iter().any(|(_, said)| *said == scope) || goes_beyond & scope != 0;
                prop_assert!(!lacks(node, scope) || is_said, "n{} lacks {}", node, scope);
            }
        }
    }

    #[test]
    fn in_a_graph_that_is_right_every_node_has_what_it_names(sketch in sketch()) {
        // It is made right: edges grant what their nodes may, and nodes name what they get.
        let mut right = sketch.clone();
        for arm in &mut right.edges {
            arm.grant = arm.grant.map(|grant| grant & sketch.may[arm.from].1);
        }
        loop {
            let walked = right.walked();
            let before = right.may.clone();
            for (node, (uses, grants)) in right.may.iter_mut().enumerate() {
                let held = walked.iter().filter(|(at, _)| *at == node);
                let held = held.fold(0, |all, (_, held)| all | held);
                if walked.iter().any(|(at, _)| *at == node) {
                    (*uses, *grants) = (*uses & held, *grants & held);
                }
            }
            for arm in &mut right.edges {
                arm.grant = arm.grant.map(|grant| grant & right.may[arm.from].1);
            }
            if before == right.may {
                break;
            }
        }
        let findings = check(&right.topology());
        let of_authority = findings.iter().find(|finding| finding.code() == Code::H010);
        prop_assert!(of_authority.is_none(), "{of_authority:?}");
    }

    #[test]
    fn the_order_of_edges_changes_no_finding(sketch in sketch(), seed in any::<u64>()) {
        let mut other = sketch.clone();
        let count = other.edges.len().max(1);
        other.edges.rotate_left(usize::try_from(seed).unwrap_or(0) % count);
        let said = |sketch: &Sketch| {
            let topology = sketch.topology();
            let findings = check(&topology).into_iter();
            let findings = findings.filter(|finding| finding.code() == Code::H010);
            findings.map(|finding| finding.message(&topology)).collect::<BTreeSet<_>>()
        };
        prop_assert_eq!(said(&sketch), said(&other));
    }
}
