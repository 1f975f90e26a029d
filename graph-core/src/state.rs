//! The state that travels along the edges, seen field by field.

use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::Serializer;

use crate::fingerprint::fingerprint;
use crate::log::Log;

/// The state of a graph: one struct that every node reads from and writes to, field by field.
///
/// Derive it. Each field's type must be `Clone`, `Send`, `Sync` and serialisable both ways, since a
/// journal keeps each field under its name; a [`Log`] field is kept as what each step appended.
/// Fields marked `#[state(progress)]` are what counts as progress when the runtime looks for
/// handoff loops; with none marked, all fields count.
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

    /// Returns the length of a [`Log`] field, or `None` for a field of any other type.
    fn mark(&self, field: usize) -> Option<usize>;

    /// Returns whether a field has a value: `false` only for an `Option` that is `None`.
    fn is_set(&self, field: usize) -> bool;

    /// Returns a number that changes when the field's value does, or `None` if the value cannot be
    /// serialised. Of a [`Log`] it looks at the length and the newest item only.
    fn fingerprint(&self, field: usize) -> Option<u64>;

    /// Writes a field; of a [`Log`] only the items after the mark `since`.
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
}

/// A field of a [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Field {
    /// The field's name in the struct, under which journals keep it.
    pub name: &'static str,
    /// Whether it is marked `#[state(progress)]`.
    pub progress: bool,
}

impl Field {
    #[doc(hidden)]
    pub const fn __new(name: &'static str, progress: bool) -> Self {
        Self { name, progress }
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
}

/// One field of a state as a value to serialise; of a [`Log`], the items after a mark.
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

    /// Takes, of a [`Log`], only the items after `mark`.
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

/// A borrowed field, of which the derived code asks what only its type can tell.
///
/// For a `Log` and an `Option` the methods of `Probe` itself answer, for any other type those of
/// [`Plain`]: the compiler prefers the former, so the derive need not guess by a type's name.
#[doc(hidden)]
#[derive(Debug)]
pub struct Probe<'a, T>(pub &'a T);

impl<T> Probe<'_, Option<T>> {
    /// Returns whether the option holds a value.
    pub fn is_set(&self) -> bool {
        self.0.is_some()
    }
}

impl<T: Serialize> Probe<'_, Log<T>> {
    /// Returns the length.
    pub fn mark(&self) -> Option<usize> {
        Some(self.0.len())
    }

    /// Hashes the length and the newest item: all that can differ in a log that only grows.
    pub fn fingerprint(&self) -> Option<u64> {
        fingerprint(&(self.0.len(), self.0.last()))
    }

    /// Writes the items after `since`.
    ///
    /// # Errors
    ///
    /// Fails if an item's `Serialize` or the serialiser does.
    pub fn encode<Z: Serializer>(&self, since: usize, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.0.since(since))
    }
}

/// What [`Probe`] answers for a field of an ordinary type.
#[doc(hidden)]
pub trait Plain {
    /// Returns that the value is set.
    fn is_set(&self) -> bool {
        true
    }

    /// Returns that there is nothing to mark.
    fn mark(&self) -> Option<usize> {
        None
    }
}

impl<T> Plain for Probe<'_, T> {}

/// What [`Probe`] answers for a field that is serialised as a whole.
#[doc(hidden)]
pub trait Whole {
    /// Hashes the value.
    fn fingerprint(&self) -> Option<u64>;

    /// Writes the value.
    ///
    /// # Errors
    ///
    /// Fails if the value's `Serialize` or the serialiser does.
    fn encode<Z: Serializer>(&self, since: usize, serializer: Z) -> Result<Z::Ok, Z::Error>;
}

impl<T: Serialize> Whole for Probe<'_, T> {
    #[inline]
    fn fingerprint(&self) -> Option<u64> {
        fingerprint(self.0)
    }

    fn encode<Z: Serializer>(&self, _: usize, serializer: Z) -> Result<Z::Ok, Z::Error> {
        self.0.serialize(serializer)
    }
}

/// Stands in for [`Whole`] on a field that cannot be serialised, which is reported elsewhere.
#[doc(hidden)]
pub trait Unkept {
    /// Returns that the value cannot be serialised.
    fn fingerprint(&self) -> Option<u64> {
        None
    }

    /// Writes nothing.
    ///
    /// # Errors
    ///
    /// Fails if the serialiser does.
    fn encode<Z: Serializer>(&self, _: usize, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.serialize_unit()
    }
}

impl<T> Unkept for &Probe<'_, T> {}
