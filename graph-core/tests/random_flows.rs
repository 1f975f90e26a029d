//! The data flow against a naive one: on random small graphs with forks, walking every run must say
//! the same.
//!
//! A [`Sketch`] is a graph as plain numbers. The naive side reads the sketch alone: it walks through
//! each branch on its own, run by run, and knows neither sets nor a fixpoint.

#[path = "random_flows/draw.rs"]
mod draw;
#[path = "random_flows/naive.rs"]
mod naive;

use std::collections::BTreeSet;

use handoffs_core::__private::{Flow, FlowBranch, FlowEdge, FlowFork, Message};
use handoffs_core::{Contract, Field, FieldSet};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use draw::sketch;
use naive::{Naive, Rule};

const FIELDS: [Field; 2] = [Field::__new("note", false), Field::__new("account", false)];

#[derive(Clone, Debug)]
struct Sketch {
    /// What the nodes do, field by field.
    nodes: Vec<[Does; 2]>,
    steps: Vec<Arrow>,
    forks: Vec<Fork>,
    given: [bool; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Nothing,
    /// It may set or unset the field.
    Write,
    Need,
    /// It needs the field and leaves another value.
    Change,
    Give,
}

#[derive(Clone, Copy, Debug)]
struct Arrow {
    from: usize,
    to: usize,
    gives: [bool; 2],
    failed: bool,
}

#[derive(Clone, Debug)]
struct Fork {
    from: usize,
    to: usize,
    gives: [bool; 2],
    each: bool,
    entries: Vec<usize>,
    /// The steps to the join from any node of its region.
    arrivals: Vec<Arrow>,
}

impl Sketch {
    /// The nodes that a branch may run.
    fn branch(&self, entry: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut left = vec![entry];
        while let Some(node) = left.pop() {
            if found.insert(node) {
                let steps = self.steps.iter().filter(|step| step.from == node);
                left.extend(steps.map(|step| step.to));
                for fork in self.forks.iter().filter(|fork| fork.from == node) {
                    left.extend(&fork.entries);
                    left.push(fork.to);
                }
            }
        }
        found
    }

    /// Whether no two branches share a node, but that one is of a fork within the other.
    fn is_apart(&self) -> bool {
        let forks = self.forks.iter();
        let branches: Vec<_> = forks
            .flat_map(|fork| {
                fork.entries
                    .iter()
                    .map(move |entry| (fork, self.branch(*entry)))
            })
            .collect();
        branches.iter().enumerate().all(|(at, (fork, one))| {
            branches[..at].iter().all(|(before, other)| {
                let is_within = other.contains(&fork.from) || one.contains(&before.from);
                is_within || one.is_disjoint(other)
            })
        })
    }

    /// The nodes of a branch, its arrivals, and its entry.
    fn parts(&self, fork: &Fork, entry: usize) -> (Vec<usize>, Vec<FlowEdge>, usize) {
        let nodes = self.branch(entry);
        let arrivals = fork.arrivals.iter();
        let arrivals = arrivals.filter(|arrival| nodes.contains(&arrival.from));
        let arrivals = arrivals.map(Arrow::edge).collect();
        (nodes.into_iter().collect(), arrivals, entry)
    }

    /// What the flow finds: what is set, and the messages of H007.
    fn found(&self) -> (Vec<FieldSet>, Vec<(usize, Message)>) {
        let names: Vec<_> = (0..self.nodes.len()).map(|n| format!("n{n}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let contracts: Vec<_> = self.nodes.iter().copied().map(contract).collect();
        let edges: Vec<_> = self.steps.iter().map(Arrow::edge).collect();
        let owned: Vec<Vec<_>> = self
            .forks
            .iter()
            .map(|fork| {
                let entries = fork.entries.iter();
                entries.map(|entry| self.parts(fork, *entry)).collect()
            })
            .collect();
        let branches: Vec<Vec<_>> = owned
            .iter()
            .map(|branches| {
                let branches = branches.iter();
                branches
                    .map(|(nodes, arrivals, entry)| FlowBranch {
                        entry: *entry,
                        nodes,
                        arrivals,
                    })
                    .collect()
            })
            .collect();
        let forks: Vec<_> = self
            .forks
            .iter()
            .zip(&branches)
            .map(|(fork, branches)| FlowFork {
                from: fork.from,
                to: fork.to,
                gives: set_of(fork.gives),
                each: fork.each,
                branches,
            })
            .collect();
        let flow = Flow {
            names: &names,
            contracts: &contracts,
            edges: &edges,
            forks: &forks,
            start: 0,
            fields: &FIELDS,
            merges: FieldSet::EMPTY,
            given: set_of(self.given),
        };
        let set = flow.set_vec();
        let lost = flow.lost_vec(&set);
        (set, lost)
    }
}

impl Arrow {
    fn edge(&self) -> FlowEdge {
        FlowEdge {
            from: self.from,
            to: self.to,
            gives: set_of(self.gives),
            failed: self.failed,
        }
    }
}

fn set_of(fields: [bool; 2]) -> FieldSet {
    let all = FieldSet::EMPTY.with(0).when(fields[0]);
    all.or(FieldSet::EMPTY.with(1).when(fields[1]))
}

fn contract(does: [Does; 2]) -> Contract {
    let of = |kinds: &[Does]| set_of(does.map(|does| kinds.contains(&does)));
    Contract {
        writes: of(&[Does::Write, Does::Change, Does::Give]),
        needs: of(&[Does::Need, Does::Change]),
        gives: of(&[Does::Give]),
        ..Contract::EMPTY
    }
}

/// Whether a path of H007 is one of the graph on which the field is not set at the end.
fn is_honest(sketch: &Sketch, field: usize, path: &[usize]) -> bool {
    let needs = |node: usize| matches!(sketch.nodes[node][field], Does::Need | Does::Change);
    let after = |node: usize, set: bool| match sketch.nodes[node][field] {
        Does::Nothing => set,
        Does::Write => false,
        _ => true,
    };
    let mut may_be = BTreeSet::from([sketch.given[field]]);
    for pair in path.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let mut next = BTreeSet::new();
        for set in may_be {
            let arrivals = sketch.forks.iter().flat_map(|fork| &fork.arrivals);
            let arrows = sketch.steps.iter().chain(arrivals);
            for arrow in arrows.filter(|arrow| (arrow.from, arrow.to) == (from, to)) {
                let failed = arrow.failed && (set || needs(from));
                let went = !arrow.failed && after(from, set);
                next.insert(failed || went || arrow.gives[field]);
            }
            for fork in sketch.forks.iter().filter(|fork| fork.from == from) {
                if fork.to == to || fork.entries.contains(&to) {
                    next.insert(after(from, set) || fork.gives[field]);
                }
            }
        }
        may_be = next;
    }
    path[0] == 0 && may_be.contains(&false)
}

fn path_of(line: &str) -> Vec<usize> {
    let Some((_, path)) = line.split_once("on the path `") else {
        return vec![0];
    };
    let nodes = path.trim_end_matches('`').split(" -> ");
    nodes
        .map(|name| name.trim_start_matches('n').parse().expect("a number"))
        .collect()
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 2_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource(
            "proptest-regressions",
        ))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_the_flow_says_is_set_is_set_on_every_run(sketch in sketch()) {
        let (set, _) = sketch.found();
        for field in 0..2 {
            let actual = Naive::may_lack(&sketch, field, Rule::Actual);
            let cautious = Naive::may_lack(&sketch, field, Rule::Cautious);
            for node in 0..sketch.nodes.len() {
                let is_set = set[node].contains(field);
                prop_assert!(!(is_set && actual[node]), "n{node}, field {field}");
                prop_assert!(!(is_set && cautious[node]), "n{node}, field {field}");
                // What two branches share is looked at once for both, which may say less.
                if sketch.is_apart() {
                    prop_assert_eq!(is_set, !cautious[node], "n{}, field {}", node, field);
                }
            }
        }
    }

    #[test]
    fn the_path_on_which_a_field_is_lost_is_one_of_the_graph(sketch in sketch()) {
        let (set, lost) = sketch.found();
        for (node, set) in set.iter().enumerate() {
            let needs = contract(sketch.nodes[node]).needs;
            let messages: Vec<_> = lost.iter().filter(|(of, _)| *of == node).collect();
            let field = needs.minus(*set).first();
            prop_assert_eq!(messages.len(), usize::from(field.is_some()));
            if let (Some(field), [(_, message)]) = (field, &messages[..]) {
                let path = path_of(message.as_str().lines().next().unwrap_or_default());
                prop_assert_eq!(path.last(), Some(&node));
                prop_assert!(is_honest(&sketch, field, &path), "{:?}", path);
            }
        }
    }
}
