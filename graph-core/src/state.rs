//! The state that travels along the edges, seen field by field.

use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::Serializer;

use crate::contract::FieldSet;
use crate::node::Change;

/// The state of a graph: one struct that every node reads from and writes to, field by field.
///
/// Derive it. Each field's type must be `Clone`, `Send`, `Sync` and serialisable both ways, since a
/// journal keeps each field under its name; a [`Log`](crate::Log) field is kept as what each step appended.
/// Fields marked `#[state(progress)]` are what counts as progress when the runtime looks for
/// handoff loops; with none marked, all fields count.
///
/// A state that changes over time goes on with the journals of its older versions: a field that was
/// renamed says so with `#[serde(alias = "old_name")]`, and one that was added is an `Option` or marked
/// `#[serde(default)]` (or `default = "function"`). Both are serde's attributes, so the struct needs
/// serde's derives beside this one.
///
/// The methods are plumbing between the derive and the runtime; `field` is an index into
/// [`State::FIELDS`], and an index beyond it is answered as an empty, unset field.
#[diagnostic::on_unimplemented(
    message = "H011: `{Self}` is not a state",
    note = "write `#[derive(State)]` on the struct"
)]
pub trait State: Clone + Send + Sync + 'static {
    /// The fields in the order of declaration.
    const FIELDS: &'static [Field];

    /// Returns the length of a [`Log`](crate::Log) field, or `None` for a field of any other type.
    fn mark(&self, field: usize) -> Option<usize>;

    /// Returns whether a field has a value: `false` only for an `Option` that is `None`.
    fn is_set(&self, field: usize) -> bool;

    /// Returns a number that changes when the field's value does, or `None` if the value cannot be
    /// serialised. Of a [`Log`](crate::Log) it looks at the length and the newest item only.
    fn fingerprint(&self, field: usize) -> Option<u64>;

    /// Writes a field; of a [`Log`](crate::Log) only the items after the mark `since`.
    ///
    /// # Errors
    ///
    /// Fails if the field's own `Serialize` or the serialiser does.
    fn encode<Z: Serializer>(
        &self,
        field: usize,
        since: usize,
        serializer: Z,
    ) -> Result<Z::Ok, Z::Error>;

    /// Builds a state of the fields that `source` holds.
    ///
    /// # Errors
    ///
    /// Fails if the source has no value for a field, or one that does not fit the field's type.
    fn decode<F: FieldSource>(source: &mut F) -> Result<Self, F::Error>;

    /// Returns a copy for a branch of a fork, which touches no field but these.
    ///
    /// Any other field may be its type's `Default` in place of a copy, and is if the type has one,
    /// so that a fork copies no more than its branches can see.
    fn branch(&self, fields: FieldSet) -> Self;

    /// Moves one field's value over; `from` keeps what stood here before.
    fn take(&mut self, field: usize, from: &mut Self);

    /// Tells how a field of `after`, which came of this state, differs from the one here.
    ///
    /// A state that is written by hand may leave this as it is: each field then counts as set anew.
    #[doc(hidden)]
    fn change(&self, field: usize, after: &Self) -> Change {
        let _ = (field, after);
        Change::Set
    }

    /// Brings what a branch has made of a field of `base` into this state, in which the branches
    /// written before it are merged, and returns whether the field's type has a merge.
    ///
    /// `appended` tells of a [`Log`](crate::Log) that the branch only appended to it. Of a log that it wrote
    /// anew, and which does not begin with what there was before, all is appended.
    fn merge(&mut self, field: usize, base: &Self, branch: &Self, appended: bool) -> bool;

    /// Reads one field; with `appended`, of a [`Log`](crate::Log) the items to append to it.
    ///
    /// # Errors
    ///
    /// Fails if the source has no value for the field, or one that does not fit its type.
    fn load<F: FieldSource>(
        &mut self,
        field: usize,
        appended: bool,
        source: &mut F,
    ) -> Result<(), F::Error>;
}

/// A field of a [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Field {
    /// The field's name in the struct, under which journals keep it.
    pub name: &'static str,
    /// Whether it is marked `#[state(progress)]`.
    pub progress: bool,
    /// Whether what several branches of a fork wrote to it can be put together: its type is
    /// [`Merge`](crate::Merge), or it is marked `#[state(merge = f)]`.
    pub merges: bool,
    /// The names under which older entries of a journal may keep it: those of `#[serde(alias = "..")]`.
    pub aliases: &'static [&'static str],
    /// Whether it is marked `#[state(merge = f)]`.
    by_function: bool,
    /// The field's type as it is written; empty if that is not known.
    ty: &'static str,
}

impl Field {
    #[doc(hidden)]
    pub const fn __new(name: &'static str, progress: bool) -> Self {
        Self {
            name,
            progress,
            merges: false,
            aliases: &[],
            by_function: false,
            ty: "",
        }
    }

    /// Adds the names under which older entries may keep the field.
    #[doc(hidden)]
    pub const fn __aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// Says how the field's type is written.
    #[doc(hidden)]
    pub const fn __typed(self, ty: &'static str) -> Self {
        Self { ty, ..self }
    }

    /// Returns the field's type as it is written, by which a journal tells two versions of a state apart.
    #[doc(hidden)]
    pub const fn __ty(&self) -> &'static str {
        self.ty
    }

    #[doc(hidden)]
    pub const fn __merging(self, merges: bool) -> Self {
        Self { merges, ..self }
    }

    /// Says that what branches wrote to the field is put together by a function of the user's.
    #[doc(hidden)]
    pub const fn __merged_by_function(self) -> Self {
        Self {
            merges: true,
            by_function: true,
            ..self
        }
    }

    /// Returns whether only the function of the user's knows what branches have made of the field,
    /// also of a log to which they only appended.
    #[doc(hidden)]
    pub const fn __is_merged_by_function(&self) -> bool {
        self.by_function
    }
}

/// Where the fields of a state are read from, for instance the fold of a journal.
pub trait FieldSource {
    /// Why a field could not be read.
    type Error;

    /// Returns the value of a field.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or if it is no `T`.
    fn field<T: DeserializeOwned>(&mut self, field: &'static Field) -> Result<T, Self::Error>;

    /// Returns whether there is a value of a field, so that one marked `#[serde(default)]` need not have
    /// one. By default there is one of each.
    fn has(&self, field: &'static Field) -> bool {
        let _ = field;
        true
    }
}

/// One field of a state as a value to serialise; of a [`Log`](crate::Log), the items after a mark.
///
/// ```
/// # use handoffs_core::{FieldValue, State};
/// fn to_json<S: State>(state: &S, field: usize) -> serde_json::Result<String> {
///     serde_json::to_string(&FieldValue::new(state, field))
/// }
/// ```
#[derive(Clone, Copy)]
pub struct FieldValue<'a, S> {
    state: &'a S,
    field: usize,
    since: usize,
}

impl<'a, S: State> FieldValue<'a, S> {
    /// Takes the whole field.
    pub fn new(state: &'a S, field: usize) -> Self {
        Self {
            state,
            field,
            since: 0,
        }
    }

    /// Takes, of a [`Log`](crate::Log), only the items after `mark`.
    pub fn since(self, mark: usize) -> Self {
        Self {
            since: mark,
            ..self
        }
    }
}

impl<S: State> Serialize for FieldValue<'_, S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        self.state.encode(self.field, self.since, serializer)
    }
}

impl<S: State> fmt::Debug for FieldValue<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = S::FIELDS.get(self.field).map(|field| field.name);
        f.debug_struct("FieldValue")
            .field("field", &name)
            .field("since", &self.since)
            .finish()
    }
}
