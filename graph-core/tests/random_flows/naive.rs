//! Walks every run, branch by branch.

use std::collections::{BTreeSet, HashMap};

use super::{Arrow, Does, Fork, Sketch};

/// A field in a run: whether it is set, and whether its value is another than where the branch
/// started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Value {
    set: bool,
    changed: bool,
}

/// How the naive side takes a write that may set or unset, and a join.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// As the specification says: what may be unset is unset.
    Cautious,
    /// As it happens: any value may come, and branches merge in the written order.
    Actual,
}

/// All runs, of one field.
pub(super) struct Naive<'a> {
    sketch: &'a Sketch,
    field: usize,
    rule: Rule,
    /// Whether the field may be unset on arrival at each node.
    may_lack: Vec<bool>,
    /// The values with which a branch ends, by its entry, its join, and what is set at its start.
    ends: HashMap<(usize, usize, bool), BTreeSet<Value>>,
}

impl<'a> Naive<'a> {
    pub(super) fn may_lack(sketch: &'a Sketch, field: usize, rule: Rule) -> Vec<bool> {
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
