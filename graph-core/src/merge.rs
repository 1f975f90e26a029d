//! How two branches' values of one field become one.

use core::fmt;
use core::ops::{AddAssign, SubAssign};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::log::Log;

/// A type whose values from parallel branches can be put together.
///
/// Both branches start from the same `base`; `self` is what the branches merged so far have made of
/// it, and `branch` what the next one has, in the written order of the branches. The first branch
/// that changed a field gives its value as it is; each further one is merged into it. So that it
/// makes no difference how forks are nested in each other, a merge should keep three laws:
///
/// - a branch that equals `base` changes nothing;
/// - into a `self` that equals `base`, a branch is merged as it is;
/// - branches merged one by one are the same as groups of them merged first, and then the groups.
///
/// Implement it for a type of your own, or name a function at the field: `#[state(merge = f)]`.
///
/// ```
/// use handoffs_core::{Log, Merge};
///
/// let base = Log::from(vec!["question"]);
/// let mut left = base.clone();
/// left.push("from left");
/// let mut right = base.clone();
/// right.push("from right");
///
/// left.merge(&base, &right);
/// assert_eq!(left, Log::from(vec!["question", "from left", "from right"]));
/// ```
#[diagnostic::on_unimplemented(
    message = "two branches may both write a `{Self}`, which has no merge",
    note = "use a `Log`, a set, a map, a `Counter`, `Max` or `Min`, or implement `Merge` for the type"
)]
pub trait Merge {
    /// Brings into `self` what `branch` has made of `base`.
    fn merge(&mut self, base: &Self, branch: &Self);
}

impl<T: Clone> Merge for Log<T> {
    /// Appends what the branch appended.
    fn merge(&mut self, base: &Self, branch: &Self) {
        self.extend(branch.since(base.len()).cloned());
    }
}

impl<T: Clone + Ord> Merge for BTreeSet<T> {
    /// Adds what the branch added and removes what it removed.
    fn merge(&mut self, base: &Self, branch: &Self) {
        self.retain(|item| branch.contains(item) || !base.contains(item));
        self.extend(branch.difference(base).cloned());
    }
}

impl<T: Clone + Eq + Hash, H: BuildHasher> Merge for HashSet<T, H> {
    /// Adds what the branch added and removes what it removed.
    fn merge(&mut self, base: &Self, branch: &Self) {
        self.retain(|item| branch.contains(item) || !base.contains(item));
        self.extend(branch.difference(base).cloned());
    }
}

impl<K: Clone + Ord, V: Clone + PartialEq> Merge for BTreeMap<K, V> {
    /// Inserts what the branch inserted or changed, and removes what it removed.
    fn merge(&mut self, base: &Self, branch: &Self) {
        self.retain(|key, _| branch.contains_key(key) || !base.contains_key(key));
        let changed = branch
            .iter()
            .filter(|(key, value)| base.get(*key) != Some(*value));
        self.extend(changed.map(|(key, value)| (key.clone(), value.clone())));
    }
}

impl<K: Clone + Eq + Hash, V: Clone + PartialEq, H: BuildHasher> Merge for HashMap<K, V, H> {
    /// Inserts what the branch inserted or changed, and removes what it removed.
    fn merge(&mut self, base: &Self, branch: &Self) {
        self.retain(|key, _| branch.contains_key(key) || !base.contains_key(key));
        let changed = branch
            .iter()
            .filter(|(key, value)| base.get(*key) != Some(*value));
        self.extend(changed.map(|(key, value)| (key.clone(), value.clone())));
    }
}

/// A number to which each branch adds its part.
///
/// Merging adds up what each branch added to it, or took from it. It stops at the ends of an `i64`
/// and does not wrap.
///
/// ```
/// use handoffs_core::{Counter, Merge};
///
/// let base = Counter::new(10);
/// let (mut left, mut right) = (base, base);
/// left += 2;
/// right += 3;
///
/// left.merge(&base, &right);
/// assert_eq!(left.get(), 15);
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Counter(i64);

impl Counter {
    /// Starts at a number.
    pub const fn new(start: i64) -> Self {
        Self(start)
    }

    /// Returns the number.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Adds to the number.
    pub const fn add(&mut self, more: i64) {
        self.0 = self.0.saturating_add(more);
    }
}

impl Merge for Counter {
    /// Adds what the branch added.
    fn merge(&mut self, base: &Self, branch: &Self) {
        let sum = i128::from(self.0) + i128::from(branch.0) - i128::from(base.0);
        let end = if sum < 0 { i64::MIN } else { i64::MAX };
        self.0 = i64::try_from(sum).unwrap_or(end);
    }
}

impl AddAssign<i64> for Counter {
    fn add_assign(&mut self, more: i64) {
        self.add(more);
    }
}

impl SubAssign<i64> for Counter {
    fn sub_assign(&mut self, less: i64) {
        self.0 = self.0.saturating_sub(less);
    }
}

impl From<i64> for Counter {
    fn from(start: i64) -> Self {
        Self(start)
    }
}

impl From<Counter> for i64 {
    fn from(counter: Counter) -> Self {
        counter.0
    }
}

impl PartialEq<i64> for Counter {
    fn eq(&self, other: &i64) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The greatest value that any branch has seen, or none yet.
///
/// Merging keeps the greatest of the values that the branches came to. A value that cannot be compared,
/// such as a `NaN`, never takes the place of another. Journals keep it as the value, or `null`.
///
/// ```
/// use handoffs_core::{Max, Merge};
///
/// let base = Max::default();
/// let (mut left, mut right) = (base, base);
/// left.see(0.7);
/// right.see(0.9);
/// right.see(0.5);
///
/// left.merge(&base, &right);
/// assert_eq!(left, Max::new(0.9));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Max<T>(Option<T>);

/// The least value that any branch has seen, or none yet.
///
/// Merging keeps the least of the values that the branches came to. A value that cannot be compared,
/// such as a `NaN`, never takes the place of another. Journals keep it as the value, or `null`.
///
/// ```
/// use handoffs_core::{Min, Merge};
///
/// let base = Min::default();
/// let (mut left, mut right) = (base, base);
/// left.see(0.7);
/// right.see(0.1);
/// right.see(0.5);
///
/// left.merge(&base, &right);
/// assert_eq!(left, Min::new(0.1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Min<T>(Option<T>);

macro_rules! extreme {
    ($name:ident, $word:literal, $better:tt) => {
        impl<T> $name<T> {
            /// Starts with a value.
            pub const fn new(value: T) -> Self {
                Self(Some(value))
            }

            /// Returns the value, or `None` if none was seen yet.
            pub const fn get(&self) -> Option<&T> {
                self.0.as_ref()
            }

            /// Returns the value itself, or `None` if none was seen yet.
            pub fn into_inner(self) -> Option<T> {
                self.0
            }
        }

        impl<T: PartialOrd> $name<T> {
            #[doc = concat!("Takes a value in if it is ", $word, " than the one so far.")]
            pub fn see(&mut self, value: T) {
                if self.0.as_ref().is_none_or(|so_far| value $better *so_far) {
                    self.0 = Some(value);
                }
            }
        }

        impl<T: Clone + PartialOrd> Merge for $name<T> {
            /// Takes in the value that the branch came to.
            fn merge(&mut self, base: &Self, branch: &Self) {
                if branch == base {
                    // The branch saw nothing new, whatever another has set the field to.
                } else if self == base {
                    self.clone_from(branch);
                } else if let Some(value) = branch.get() {
                    self.see(value.clone());
                }
            }
        }

        impl<T> Default for $name<T> {
            fn default() -> Self {
                Self(None)
            }
        }

        impl<T> From<T> for $name<T> {
            fn from(value: T) -> Self {
                Self::new(value)
            }
        }

        impl<T: Serialize> Serialize for $name<T> {
            fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                self.0.serialize(serializer)
            }
        }

        impl<'de, T: Deserialize<'de>> Deserialize<'de> for $name<T> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Option::deserialize(deserializer).map(Self)
            }
        }
    };
}

extreme!(Max, "greater", >);
extreme!(Min, "less", <);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_keep_both_branches_additions_and_removals() {
        let base = BTreeSet::from([1, 2, 3]);
        let mut left = BTreeSet::from([1, 2, 3, 4]);
        let right = BTreeSet::from([2, 3, 5]);
        left.merge(&base, &right);
        assert_eq!(left, BTreeSet::from([2, 3, 4, 5]));

        let base = HashSet::from([1]);
        let mut left = base.clone();
        left.merge(&base, &HashSet::from([2]));
        assert_eq!(left, HashSet::from([2]));
    }
}
