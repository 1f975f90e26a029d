//! What a path has done to the fields of the state since its beginning.

use std::borrow::Cow;

use handoffs_core::{FieldSet, State};

/// Moves fields from one state to another, which gives its own for them.
pub(crate) fn take_fields<S: State>(to: &mut S, from: &mut S, fields: FieldSet) {
    for field in fields.iter() {
        to.take(field, from);
    }
}

/// Returns the names of fields.
pub(crate) fn names<S: State>(fields: FieldSet) -> Vec<Cow<'static, str>> {
    let fields = fields.iter().filter_map(|field| S::FIELDS.get(field));
    fields.map(|field| field.name.into()).collect()
}

/// The fields that a path changed since its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) changed: FieldSet,
    /// Of these, all but the logs that it only appended to.
    pub(crate) set: FieldSet,
    /// Of these, those that replace what other branches made of them.
    pub(crate) replaced: FieldSet,
}

impl Marks {
    /// Returns the logs that the path only appended to.
    pub(crate) const fn appended(self) -> FieldSet {
        self.changed.minus(self.set)
    }

    /// Adds what came after.
    #[inline]
    pub(crate) fn add(&mut self, later: Self) {
        self.changed = self.changed.or(later.changed);
        self.set = self.set.or(later.set);
        self.replaced = self.replaced.or(later.replaced);
    }
}

/// What the branches of a fork have made of the fields so far, in their written order.
///
/// The first change of a field gives its value; each further one is brought in by the field's merge.
/// A branch that replaced the field wins over all that merged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) marks: Marks,
    /// The fields whose value no single branch tells, nor the lists that were appended.
    pub(crate) merged: FieldSet,
    /// The fields that a function of the user's merges, also if they are logs that were appended to.
    by_function: FieldSet,
}

/// How a branch's change of a field enters what was gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bring {
    /// The field takes the branch's value.
    Take,
    /// The branch's items go behind those gathered so far.
    Append,
    /// The field's merge brings the branch's value in.
    Merge,
    /// Another branch replaced the field, so this change is dropped.
    Drop,
    /// Two branches replaced the field.
    Conflict,
}

impl Gathered {
    /// Begins with nothing; `by_function` are the fields that a function of the user's merges.
    pub(crate) fn new(by_function: FieldSet) -> Self {
        Self {
            by_function,
            ..Self::default()
        }
    }

    /// Returns how each field that a branch changed enters, and notes it.
    pub(crate) fn bring(&mut self, branch: Marks) -> impl Iterator<Item = (usize, Bring)> {
        let fields = branch.changed.iter();
        fields.map(move |field| (field, self.bring_field(field, branch)))
    }

    fn bring_field(&mut self, field: usize, branch: Marks) -> Bring {
        let one = FieldSet::EMPTY.with(field);
        let Self {
            marks,
            merged,
            by_function,
        } = self;
        if marks.replaced.contains(field) {
            return if branch.replaced.contains(field) {
                Bring::Conflict
            } else {
                Bring::Drop
            };
        }
        let appends = branch.appended().contains(field);
        let is_first = !marks.changed.contains(field);
        if is_first || branch.replaced.contains(field) {
            marks.changed = marks.changed.or(one);
            marks.set = marks.set.minus(one).or(one.when(!appends));
            marks.replaced = marks.replaced.or(branch.replaced.and(one));
            *merged = merged.minus(one);
            return Bring::Take;
        }
        if appends && marks.appended().contains(field) && !by_function.contains(field) {
            return Bring::Append;
        }
        marks.set = marks.set.or(one);
        *merged = merged.or(one);
        Bring::Merge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: FieldSet = FieldSet::EMPTY.with(0);

    const SET: Marks = Marks {
        changed: FIELD,
        set: FIELD,
        replaced: FieldSet::EMPTY,
    };
    const APPENDED: Marks = Marks {
        set: FieldSet::EMPTY,
        ..SET
    };
    const REPLACED: Marks = Marks {
        replaced: FIELD,
        ..SET
    };

    fn way(gathered: &mut Gathered, marks: Marks) -> Bring {
        let (_, way) = gathered.bring(marks).next().unwrap();
        way
    }

    fn brought(branches: &[Marks]) -> (Vec<Bring>, Gathered) {
        let mut gathered = Gathered::default();
        let ways = branches.iter().map(|marks| way(&mut gathered, *marks));
        (ways.collect(), gathered)
    }

    #[test]
    fn a_field_that_one_branch_changed_takes_its_value() {
        let (ways, gathered) = brought(&[SET]);
        assert_eq!(ways, [Bring::Take]);
        assert!(gathered.merged.is_empty());
    }

    #[test]
    fn logs_that_were_only_appended_to_stay_so() {
        let (ways, gathered) = brought(&[APPENDED, APPENDED, APPENDED]);
        assert_eq!(ways, [Bring::Take, Bring::Append, Bring::Append]);
        assert_eq!(gathered.marks, APPENDED);
        assert!(gathered.merged.is_empty());
    }

    #[test]
    fn a_log_with_a_merge_of_its_own_is_merged_by_that_alone() {
        let mut gathered = Gathered::new(FIELD);
        let ways = [APPENDED, APPENDED].map(|marks| way(&mut gathered, marks));
        assert_eq!(ways, [Bring::Take, Bring::Merge]);
        assert_eq!(gathered.marks, SET);
        assert_eq!(gathered.merged, FIELD, "a journal keeps what came of it");
    }

    #[test]
    fn a_log_that_one_branch_wrote_anew_is_merged() {
        for branches in [[APPENDED, SET], [SET, APPENDED], [SET, SET]] {
            let (ways, gathered) = brought(&branches);
            assert_eq!(ways, [Bring::Take, Bring::Merge]);
            assert_eq!(gathered.marks, SET);
            assert_eq!(gathered.merged, FIELD);
        }
    }

    #[test]
    fn a_branch_that_replaces_wins_over_those_before_and_behind_it() {
        let (ways, gathered) = brought(&[SET, SET, REPLACED, SET, APPENDED]);
        assert_eq!(
            ways,
            [
                Bring::Take,
                Bring::Merge,
                Bring::Take,
                Bring::Drop,
                Bring::Drop
            ]
        );
        assert_eq!(gathered.marks, REPLACED);
        assert!(
            gathered.merged.is_empty(),
            "one branch alone tells the value"
        );
        let (ways, _) = brought(&[REPLACED, REPLACED]);
        assert_eq!(ways, [Bring::Take, Bring::Conflict]);
    }

    #[test]
    fn what_is_set_and_then_appended_to_is_set() {
        let mut marks = SET;
        marks.add(APPENDED);
        assert_eq!(marks, SET);
        let mut marks = APPENDED;
        marks.add(SET);
        assert_eq!(marks, SET);
        let mut marks = Marks::default();
        marks.add(APPENDED);
        marks.add(APPENDED);
        assert_eq!(marks, APPENDED);
    }
}
