//! How two branches' values of one field become one.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, Hash};

use crate::log::Log;

/// A type whose values from parallel branches can be put together.
///
/// Both branches start from the same `base`; `self` is what the branches merged so far have made of
/// it, and `branch` what the next one has, in the written order of the branches.
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
    note = "use a `Log`, a set, or implement `Merge` for the type"
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
