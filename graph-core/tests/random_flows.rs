//! The data flow against a naive one: on random small graphs with forks, walking every run must say
//! the same.
//!
//! A [`Sketch`] is a graph as plain numbers. The naive side reads the sketch alone: it walks through
//! each branch on its own, run by run, and knows neither sets nor a fixpoint.

use std::collections::{BTreeSet, HashMap};

use handoffs_core::__private::{Flow, FlowBranch, FlowEdge, FlowFork};
use handoffs_core::{Contract, Field, FieldSet};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

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

    fn with_flow<T>(&self, run: impl FnOnce(&Flow<'_>) -> T) -> T {
        let names: Vec<_> = (0..self.nodes.len()).map(|n| format!("n{n}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let contracts: Vec<_> = self.nodes.iter().map(contract).collect();
        let edges: Vec<_> = self.steps.iter().map(Arrow::edge).collect();
        let branches: Vec<Vec<(usize, Vec<usize>, Vec<FlowEdge>)>> = self
            .forks
            .iter()
            .map(|fork| {
                let entries = fork.entries.iter();
                entries
                    .map(|entry| {
                        let nodes = self.branch(*entry);
                        let arrivals = fork.arrivals.iter();
                        let arrivals = arrivals.filter(|arrival| nodes.contains(&arrival.from));
                        let arrivals = arrivals.map(Arrow::edge).collect();
                        (*entry, nodes.into_iter().collect(), arrivals)
                    })
                    .collect()
            })
            .collect();
        let branches: Vec<Vec<_>> = branches
            .iter()
            .map(|branches| {
                let branches = branches.iter();
                branches
                    .map(|(entry, nodes, arrivals)| FlowBranch {
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
        run(&Flow {
            names: &names,
            contracts: &contracts,
            edges: &edges,
            forks: &forks,
            start: 0,
            fields: &FIELDS,
            merges: FieldSet::EMPTY,
            given: set_of(self.given),
        })
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

fn contract(does: &[Does; 2]) -> Contract {
    let of = |kinds: &[Does]| set_of(does.map(|does| kinds.contains(&does)));
    Contract {
        writes: of(&[Does::Write, Does::Change, Does::Give]),
        needs: of(&[Does::Need, Does::Change]),
        gives: of(&[Does::Give]),
        ..Contract::EMPTY
    }
}

/// A field in a run: whether it is set, and whether its value is another than where the branch
/// started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Value {
    set: bool,
    changed: bool,
}

/// How the naive side takes a write that may set or unset, and a join.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// As the specification says: what may be unset is unset.
    Cautious,
    /// As it happens: any value may come, and branches merge in the written order.
    Actual,
}

/// All runs, of one field.
struct Naive<'a> {
    sketch: &'a Sketch,
    field: usize,
    rule: Rule,
    /// Whether the field may be unset on arrival at each node.
    may_lack: Vec<bool>,
    /// The values with which a branch ends, by its entry, its join, and what is set at its start.
    ends: HashMap<(usize, usize, bool), BTreeSet<Value>>,
}

impl<'a> Naive<'a> {
    fn may_lack(sketch: &'a Sketch, field: usize, rule: Rule) -> Vec<bool> {
        let mut naive = Self {
            sketch,
            field,
            rule,
            may_lack: vec![false; sketch.nodes.len()],
            ends: HashMap::new(),
        };
        let set = sketch.given[field];
        let changed = false;
        naive.walk(0, Value { set, changed }, None);
        naive.may_lack
    }

    /// Walks all runs from a node, and returns the values with which they arrive at the join.
    fn walk(&mut self, entry: usize, value: Value, fork: Option<&Fork>) -> BTreeSet<Value> {
        let mut ends = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut left = vec![(entry, value)];
        while let Some((node, before)) = left.pop() {
            if !seen.insert((node, before)) {
                continue;
            }
            self.may_lack[node] |= !before.set;
            let sketch = self.sketch;
            for step in sketch.steps.iter().filter(|step| step.from == node) {
                let after = self.across(step, before);
                left.extend(after.into_iter().map(|after| (step.to, after)));
            }
            for inner in sketch.forks.iter().filter(|inner| inner.from == node) {
                for forked in self.after(node, before, inner.gives[self.field]) {
                    let joined = self.join(inner, forked);
                    left.extend(joined.into_iter().map(|joined| (inner.to, joined)));
                }
            }
            let arrivals = fork.map_or(&[][..], |fork| &fork.arrivals);
            for arrival in arrivals.iter().filter(|arrival| arrival.from == node) {
                ends.extend(self.across(arrival, before));
            }
        }
        ends
    }

    fn across(&self, arrow: &Arrow, before: Value) -> Vec<Value> {
        let gives = arrow.gives[self.field];
        if arrow.failed {
            let had = self.had(arrow.from, before);
            let ran = self.rule == Rule::Cautious || had == before;
            return if ran { vec![had] } else { Vec::new() };
        }
        self.after(arrow.from, before, gives)
    }

    fn does(&self, node: usize) -> Does {
        self.sketch.nodes[node][self.field]
    }

    /// The value as a node that ran has had it.
    fn had(&self, node: usize, before: Value) -> Value {
        let needs = matches!(self.does(node), Does::Need | Does::Change);
        Value {
            set: before.set || needs,
            ..before
        }
    }

    /// The values behind a node. Cautiously, what it needs was set, and what its outcome gives is;
    /// actually, a run ends at a node that lacks what it needs or breaks its promise.
    fn after(&self, node: usize, before: Value, gives: bool) -> Vec<Value> {
        let changed_to = |set: bool| Value { set, changed: true };
        let had = self.had(node, before);
        if self.rule == Rule::Cautious {
            let after = match self.does(node) {
                Does::Nothing | Does::Need | Does::Change => had.set,
                Does::Write => false,
                Does::Give => true,
            };
            return vec![changed_to(after || gives)];
        }
        if had != before {
            return Vec::new();
        }
        let mut after = match self.does(node) {
            Does::Nothing | Does::Need => vec![before],
            Does::Change => vec![before, changed_to(true)],
            Does::Give => vec![changed_to(true)],
            Does::Write => vec![before, changed_to(false), changed_to(true)],
        };
        after.retain(|value| value.set || !gives);
        after
    }

    /// The values at the join, of what the fork started with.
    fn join(&mut self, fork: &Fork, forked: Value) -> BTreeSet<Value> {
        let base = Value {
            set: forked.set,
            changed: false,
        };
        let mut branches = Vec::new();
        for entry in &fork.entries {
            let key = (*entry, fork.to, base.set);
            let ends = match self.ends.get(&key) {
                Some(ends) => ends.clone(),
                None => self.walk(*entry, base, Some(fork)),
            };
            self.ends.insert(key, ends.clone());
            branches.push((*entry, ends));
        }
        let joined = match self.rule {
            Rule::Cautious => vec![self.cautious(fork, base, &branches)],
            Rule::Actual => actual(fork, base, &branches),
        };
        let since = |value: Value| Value {
            set: value.set,
            changed: value.changed || forked.changed,
        };
        joined.into_iter().map(since).collect()
    }

    fn cautious(&self, fork: &Fork, base: Value, branches: &[(usize, BTreeSet<Value>)]) -> Value {
        let is_kept = |(entry, ends): &(usize, BTreeSet<Value>)| {
            let writes = [Does::Write, Does::Change, Does::Give];
            let mut nodes = self.sketch.branch(*entry).into_iter();
            ends.iter().all(|end| end.set) || !nodes.any(|node| writes.contains(&self.does(node)))
        };
        let is_given = |(_, ends): &(usize, BTreeSet<Value>)| ends.iter().all(|end| end.set);
        let some = base.set || !fork.each && branches.iter().any(is_given);
        Value {
            set: some && branches.iter().all(is_kept),
            changed: true,
        }
    }
}

/// Merges one end of each branch in every way; what a merge of two changed values gives may be
/// either. A branch for each item has run not at all, once, or twice.
fn actual(fork: &Fork, base: Value, branches: &[(usize, BTreeSet<Value>)]) -> Vec<Value> {
    let mut joined = BTreeSet::from([base]);
    let mut all = joined.clone();
    for (_, ends) in branches.iter().chain(branches.iter().filter(|_| fork.each)) {
        let mut next = BTreeSet::new();
        for so_far in &joined {
            for end in ends {
                match (so_far.changed, end.changed) {
                    (_, false) => _ = next.insert(*so_far),
                    (false, true) => _ = next.insert(*end),
                    (true, true) => next.extend([*so_far, *end]),
                }
            }
        }
        all.extend(&next);
        joined = next;
    }
    if fork.each { all } else { joined }.into_iter().collect()
}

/// The shape of a region: how many lanes, of how many nodes, and where it hangs.
#[derive(Clone, Debug)]
struct Draft {
    lanes: Vec<usize>,
    each: bool,
    parent: prop::sample::Index,
    from: prop::sample::Index,
    join: prop::sample::Index,
    steps: Vec<Pick>,
    arrivals: Vec<Pick>,
    mixed: bool,
}

#[derive(Clone, Debug)]
struct Pick {
    from: prop::sample::Index,
    to: prop::sample::Index,
    gives: [bool; 2],
    failed: bool,
}

fn gives() -> impl Strategy<Value = [bool; 2]> {
    prop::array::uniform2(prop::bool::weighted(0.15))
}

fn pick() -> impl Strategy<Value = Pick> {
    let ends = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    (ends, gives(), prop::bool::weighted(0.1)).prop_map(|((from, to), gives, failed)| Pick {
        from,
        to,
        gives: gives.map(|gives| gives && !failed),
        failed,
    })
}

fn draft() -> impl Strategy<Value = Draft> {
    let index = any::<prop::sample::Index>;
    let lanes = prop::collection::vec(1..3_usize, 1..4);
    let places = (index(), index(), index());
    let picks = prop::collection::vec(pick(), 0..5);
    let arrivals = prop::collection::vec(pick(), 1..4);
    let flags = (any::<bool>(), prop::bool::weighted(0.2));
    (lanes, places, picks, arrivals, flags).prop_map(
        |(lanes, (parent, from, join), steps, arrivals, (each, mixed))| Draft {
            lanes,
            each,
            parent,
            from,
            join,
            steps,
            arrivals,
            mixed,
        },
    )
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let does = prop_oneof![
        4 => Just(Does::Nothing),
        1 => Just(Does::Write),
        1 => Just(Does::Need),
        1 => Just(Does::Change),
        1 => Just(Does::Give),
    ];
    let nodes = prop::collection::vec(prop::array::uniform2(does), 32);
    let regions = prop::collection::vec(draft(), 1..5);
    let forks = prop::collection::vec(gives(), 5);
    let given = prop::array::uniform2(any::<bool>());
    (nodes, regions, forks, given).prop_map(|(mut nodes, drafts, gives, given)| {
        let mut regions: Vec<Vec<usize>> = Vec::new();
        let (mut steps, mut forks) = (Vec::new(), Vec::new());
        let mut count = 0;
        for (draft, gives) in drafts.iter().zip(gives) {
            let mut lanes: Vec<Vec<usize>> = Vec::new();
            for size in &draft.lanes {
                lanes.push((count..count + size).collect());
                count += size;
            }
            let all: Vec<usize> = lanes.concat();
            // The top region is one lane, so that all of it may be reached.
            if regions.is_empty() || draft.mixed {
                lanes = vec![all.clone()];
            }
            for lane in &lanes {
                // Each lane is a chain to begin with.
                for pair in lane.windows(2) {
                    steps.push(Arrow {
                        from: pair[0],
                        to: pair[1],
                        gives: [false; 2],
                        failed: false,
                    });
                }
            }
            for pick in &draft.steps {
                let from = *pick.from.get(&all);
                let lane = lanes.iter().find(|lane| lane.contains(&from));
                let to = *pick.to.get(lane.unwrap_or(&all));
                steps.push(pick.arrow(from, to));
            }
            if !regions.is_empty() {
                let parent = draft.parent.get(&regions);
                let to = *draft.join.get(parent);
                let last = lanes.iter().filter_map(|lane| lane.last());
                let last = last.map(|from| Arrow {
                    from: *from,
                    to,
                    gives: [false; 2],
                    failed: false,
                });
                let mut arrivals: Vec<_> = last.collect();
                for pick in &draft.arrivals {
                    arrivals.push(pick.arrow(*pick.from.get(&all), to));
                }
                let entries = lanes.iter().map(|lane| lane[0]);
                forks.push(Fork {
                    from: *draft.from.get(parent),
                    to,
                    gives,
                    each: draft.each,
                    entries: entries.take(if draft.each { 1 } else { 3 }).collect(),
                    arrivals,
                });
            }
            regions.push(all);
        }
        nodes.truncate(count);
        Sketch {
            nodes,
            steps,
            forks,
            given,
        }
    })
}

impl Pick {
    fn arrow(&self, from: usize, to: usize) -> Arrow {
        Arrow {
            from,
            to,
            gives: self.gives,
            failed: self.failed,
        }
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
        let set = sketch.with_flow(|flow| flow.set_vec());
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
        let (set, lost) = sketch.with_flow(|flow| {
            let set = flow.set_vec();
            let lost = flow.lost_vec(&set);
            (set, lost)
        });
        for node in 0..sketch.nodes.len() {
            let needs = contract(&sketch.nodes[node]).needs;
            let messages: Vec<_> = lost.iter().filter(|(of, _)| *of == node).collect();
            let field = needs.minus(set[node]).first();
            prop_assert_eq!(messages.len(), usize::from(field.is_some()));
            if let (Some(field), [(_, message)]) = (field, &messages[..]) {
                let path = path_of(message.as_str().lines().next().unwrap_or_default());
                prop_assert_eq!(path.last(), Some(&node));
                prop_assert!(is_honest(&sketch, field, &path), "{:?}", path);
            }
        }
    }
}
