//! What a node promises about the state's fields, read off its signature.

use core::fmt;

use crate::state::{Field, State};

/// A set of fields of a state, by their index in `State::FIELDS`; a state has 64 at most.
///
/// ```
/// use handoffs_core::FieldSet;
///
/// let set = FieldSet::EMPTY.with(0).with(2);
/// assert!(set.contains(2) && !set.contains(1));
/// assert_eq!(set.iter().collect::<Vec<_>>(), [0, 2]);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FieldSet(u64);

impl FieldSet {
    /// No field.
    pub const EMPTY: Self = Self(0);
    /// Each field.
    pub const ALL: Self = Self(u64::MAX);
    /// The most fields that a state can have.
    pub const CAPACITY: usize = 64;

    /// Returns the first `count` fields.
    pub const fn first_of(count: usize) -> Self {
        if count >= Self::CAPACITY {
            Self::ALL
        } else {
            Self((1 << count) - 1)
        }
    }

    /// Returns the fields of these names; a name that no field has is passed over.
    pub const fn named(fields: &[Field], names: &[&str]) -> Self {
        let mut set = Self::EMPTY;
        let mut n = 0;
        while n < names.len() {
            let mut f = 0;
            while f < fields.len() {
                if same(fields[f].name.as_bytes(), names[n].as_bytes()) {
                    set = set.with(f);
                }
                f += 1;
            }
            n += 1;
        }
        set
    }

    /// Returns the fields of which what several branches wrote is merged.
    pub const fn merging(fields: &[Field]) -> Self {
        let mut set = Self::EMPTY;
        let mut f = 0;
        while f < fields.len() {
            if fields[f].merges {
                set = set.with(f);
            }
            f += 1;
        }
        set
    }

    /// Adds a field; an index beyond [`FieldSet::CAPACITY`] is passed over.
    pub const fn with(self, field: usize) -> Self {
        if field < Self::CAPACITY {
            Self(self.0 | 1 << field)
        } else {
            self
        }
    }

    /// Returns the fields in either.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the fields in both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns the fields that are not in `other`.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns this set if `keep` holds, or no field.
    pub const fn when(self, keep: bool) -> Self {
        if keep { self } else { Self::EMPTY }
    }

    /// Returns whether a field is in the set.
    pub const fn contains(self, field: usize) -> bool {
        field < Self::CAPACITY && self.0 >> field & 1 == 1
    }

    /// Returns whether both have the same fields; `==` is not for constants.
    pub(crate) const fn same(self, other: Self) -> bool {
        self.0 == other.0
    }

    /// Returns whether each of these fields has a value.
    pub fn are_set(self, state: &impl State) -> bool {
        self.iter().all(|field| state.is_set(field))
    }

    /// Returns whether no field is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the lowest index in the set.
    pub const fn first(self) -> Option<usize> {
        if self.0 == 0 {
            None
        } else {
            Some(self.0.trailing_zeros() as usize)
        }
    }

    /// Returns the indices in the set, ascending.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let next = Self(rest).first()?;
            rest &= rest - 1;
            Some(next)
        })
    }
}

impl fmt::Debug for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.write_str("all fields");
        }
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Returns whether two texts are the same.
pub(crate) const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut i = 0;
    while i < left.len() {
        if left[i] != right[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// What a node reads, may write, needs and gives; `#[node]` reads it off the signature.
///
/// | parameter | the field is |
/// |---|---|
/// | `&T` for a field of type `T` | read |
/// | `&T` for a field of type `Option<T>` | read, and needed: it must be set before |
/// | `&mut T` for a field of type `T` | written; an `Option` may be left unset, so it no longer counts as set |
/// | `&mut T` for a field of type `Option<T>` | written and needed |
/// | `Out<'_, T>` for a field of type `Option<T>` | written and given: it is set when the node returns |
/// | `Replace<'_, T>` for a field of type `T` | written, and replaced where branches meet |
/// | `T`, by value | no field, but the item of the branch that the node works in |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "macros write it as a literal, and a further kind would change what a contract is"
)]
pub struct Contract {
    /// The fields that the node sees.
    pub reads: FieldSet,
    /// The fields that the node may change.
    pub writes: FieldSet,
    /// The `Option` fields that must be set before the node runs.
    pub needs: FieldSet,
    /// The `Option` fields that are set after the node, whatever its outcome.
    pub gives: FieldSet,
    /// The fields whose value the node replaces: where branches join, it wins over what is merged.
    pub replaces: FieldSet,
    /// The fields that may be unset after the node although it needs them. No signature says so; it
    /// comes about in a graph that is a node of another.
    pub unsets: FieldSet,
    /// Whether the node takes an item, which the `each` that leads to it hands over.
    pub item: bool,
}

impl Contract {
    /// A node that touches nothing.
    pub const EMPTY: Self = Self {
        reads: FieldSet::EMPTY,
        writes: FieldSet::EMPTY,
        needs: FieldSet::EMPTY,
        gives: FieldSet::EMPTY,
        replaces: FieldSet::EMPTY,
        unsets: FieldSet::EMPTY,
        item: false,
    };

    /// Returns what is set after the node if it fails, since it has then written nothing.
    ///
    /// A node that ran had what it needs; where it has not, that is one error, its own.
    pub(crate) const fn ran(&self, before: FieldSet) -> FieldSet {
        before.or(self.needs)
    }

    /// Returns what is set after the node, of what was set before it.
    pub(crate) const fn after(&self, before: FieldSet) -> FieldSet {
        let may_unset = self.writes.minus(self.needs).or(self.unsets);
        self.ran(before).minus(may_unset).or(self.gives)
    }
}
