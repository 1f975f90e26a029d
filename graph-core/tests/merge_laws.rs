//! The laws that let forks nest: how branches are grouped makes no difference to what they merge to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;

use handoffs_core::{Counter, Log, Max, Merge, Min};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

/// A type to be merged, with the values that the checks need.
trait Value: Merge + Clone + PartialEq + Debug {}

impl<T: Merge + Clone + PartialEq + Debug> Value for T {}

/// Merges branches as a fork does: the first that changed the value gives it as it is.
fn join<T: Value>(base: &T, branches: &[T]) -> T {
    let mut changed = branches.iter().filter(|branch| *branch != base);
    let mut merged = changed.next().unwrap_or(base).clone();
    for branch in changed {
        merged.merge(base, branch);
    }
    merged
}

fn check_laws<T: Value>(base: &T, branches: &[T], cuts: &[bool]) {
    for branch in branches {
        let mut merged = branch.clone();
        merged.merge(base, base);
        assert_eq!(
            &merged, branch,
            "a branch that changed nothing changes nothing"
        );

        let mut merged = base.clone();
        merged.merge(base, branch);
        assert_eq!(&merged, branch, "the first branch is merged as it is");
    }
    // Some of the branches are forks themselves, whose branches meet before.
    let mut groups = vec![Vec::new()];
    for (branch, cut) in branches.iter().zip(cuts) {
        groups.last_mut().expect("a group").push(branch.clone());
        if *cut {
            groups.push(Vec::new());
        }
    }
    let forks: Vec<T> = groups.iter().map(|group| join(base, group)).collect();
    assert_eq!(
        join(base, &forks),
        join(base, branches),
        "{base:?}, {groups:?}"
    );
}

fn hashed<K: Clone + Eq + Hash, V: Clone>(map: &BTreeMap<K, V>) -> HashMap<K, V> {
    map.clone().into_iter().collect()
}

const BRANCHES: usize = 5;

/// Returns what a value was, what each branch made of it, and where groups of branches end.
fn cases<T: Debug>(
    values: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = (T, Vec<T>, Vec<bool>)> {
    (
        values.clone(),
        vec(values, BRANCHES),
        vec(any::<bool>(), BRANCHES),
    )
}

proptest! {
    #[test]
    fn of_logs((base, tails, cuts) in cases(vec(0..9_u8, 0..4))) {
        let base = Log::from(base);
        let branches = tails.into_iter().map(|tail| {
            let mut branch = base.clone();
            branch.extend(tail);
            branch
        });
        let branches: Vec<_> = branches.collect();
        check_laws(&base, &branches, &cuts);
    }

    #[test]
    fn of_sets((base, branches, cuts) in cases(btree_set(0..5_u8, 0..5))) {
        check_laws(&base, &branches, &cuts);
        let hashed = |set: &BTreeSet<u8>| set.iter().copied().collect::<HashSet<_>>();
        let branches: Vec<_> = branches.iter().map(hashed).collect();
        check_laws(&hashed(&base), &branches, &cuts);
    }

    #[test]
    fn of_maps((base, branches, cuts) in cases(btree_map(0..4_u8, 0..3_u8, 0..4))) {
        check_laws(&base, &branches, &cuts);
        let branches: Vec<_> = branches.iter().map(hashed).collect();
        check_laws(&hashed(&base), &branches, &cuts);
    }

    #[test]
    fn of_counters((base, branches, cuts) in cases(-9..9_i64)) {
        let branches: Vec<_> = branches.into_iter().map(Counter::new).collect();
        check_laws(&Counter::new(base), &branches, &cuts);
    }

    #[test]
    fn of_extremes((base, branches, cuts) in cases(option::of(0..4_u8))) {
        let max = |value: &Option<u8>| value.map(Max::new).unwrap_or_default();
        let min = |value: &Option<u8>| value.map(Min::new).unwrap_or_default();
        let (greatest, least): (Vec<_>, Vec<_>) = branches.iter().map(|it| (max(it), min(it))).unzip();
        check_laws(&max(&base), &greatest, &cuts);
        check_laws(&min(&base), &least, &cuts);
    }

    #[test]
    fn a_counter_stops_at_the_ends(base: i64, so_far: i64, branch: i64) {
        let mut merged = Counter::new(so_far);
        merged.merge(&Counter::new(base), &Counter::new(branch));
        let exact = i128::from(so_far) + i128::from(branch) - i128::from(base);
        let clamped = exact.clamp(i64::MIN.into(), i64::MAX.into());
        prop_assert_eq!(i128::from(merged.get()), clamped);
    }

    #[test]
    fn journals_keep_a_value_as_what_it_is_around(number: i64, seen in option::of(any::<i32>())) {
        let counter = serde_json::to_string(&Counter::new(number)).unwrap();
        prop_assert_eq!(&counter, &number.to_string());
        prop_assert_eq!(serde_json::from_str::<Counter>(&counter).unwrap(), number);
        let (max, min) = seen.map_or_else(Default::default, |seen| (Max::new(seen), Min::new(seen)));
        let json = serde_json::to_string(&(max, min)).unwrap();
        prop_assert_eq!(&json, &serde_json::to_string(&(seen, seen)).unwrap());
        prop_assert_eq!(serde_json::from_str::<(Max<i32>, Min<i32>)>(&json).unwrap(), (max, min));
    }
}

#[test]
fn of_two_branches_that_change_one_key_the_later_wins() {
    let base = BTreeMap::from([("a", 1), ("b", 1), ("c", 1)]);
    let left = BTreeMap::from([("a", 2), ("b", 2)]);
    let right = BTreeMap::from([("a", 3), ("c", 3), ("d", 3)]);
    assert_eq!(join(&base, &[left.clone(), right.clone()]), right);
    assert_eq!(
        join(&base, &[right, left]),
        BTreeMap::from([("a", 2), ("b", 2), ("d", 3)])
    );
}

#[test]
fn what_cannot_be_compared_takes_no_place() {
    let base = Max::new(0.5);
    let mut merged = Max::new(0.7);
    merged.merge(&base, &Max::new(f64::NAN));
    assert_eq!(merged, Max::new(0.7));
    let mut least = Min::default();
    least.see(0.5);
    least.see(f64::NAN);
    assert_eq!(least.into_inner(), Some(0.5));
    assert_eq!(Max::from(3).get(), Some(&3));
}

#[test]
fn a_counter_is_used_as_a_number() {
    let mut counter = Counter::from(3);
    counter += 2;
    counter -= 1;
    counter.add(i64::MAX);
    assert_eq!(
        (counter.to_string(), i64::from(counter)),
        (i64::MAX.to_string(), i64::MAX)
    );
}
