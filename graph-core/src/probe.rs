//! What the code derived for a state asks of each field's type.
//!
//! The compiler prefers a type's own method to that of a trait, and the trait of the type to that of
//! a reference to it. So the derive need not guess by a type's name: each wrapper here has its
//! methods for a [`Log`] or an `Option` itself, and a trait each for the types beyond.

use core::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::ser::{Serialize, Serializer};

use crate::fingerprint::fingerprint;
use crate::log::Log;
use crate::merge::Merge;
use crate::once::unreached;
use crate::state::{Field, FieldSource};

/// A borrowed field, of which the derived code asks what only its type can tell..
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

/// A field of the state that forks, to be copied for a branch that does not touch it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Spare<'a, T>(pub &'a T);

impl<T: Default> Spare<'_, T> {
    /// Makes a value that costs less than a copy.
    #[inline]
    pub fn copy(&self) -> T {
        T::default()
    }
}

/// What becomes of a field that has no default.
#[doc(hidden)]
pub trait Copied<T> {
    /// Copies the value.
    fn copy(&self) -> T;
}

impl<T: Clone> Copied<T> for Spare<'_, T> {
    #[inline]
    fn copy(&self) -> T {
        self.0.clone()
    }
}

/// A field of the state that forks, to be copied for a branch.
#[doc(hidden)]
#[derive(Debug)]
pub struct Needed<'a, T>(pub &'a T);

impl<T: Clone> Needed<'_, T> {
    /// Copies the value.
    #[inline]
    pub fn copy(&self) -> T {
        self.0.clone()
    }
}

/// Stands in for the copy of a field that cannot be cloned, which is reported elsewhere.
#[doc(hidden)]
pub trait Uncopied<T> {
    /// Is never reached.
    fn copy(&self) -> T {
        unreached()
    }
}

impl<T> Uncopied<T> for &Spare<'_, T> {}
impl<T> Uncopied<T> for &Needed<'_, T> {}

/// Whether a type is [`Merge`].
#[doc(hidden)]
#[derive(Debug)]
pub struct Merging<T>(PhantomData<fn() -> T>);

impl<T: Merge> Merging<T> {
    /// That it is.
    pub const MERGES: bool = true;
}

/// What [`Merging`] says of any other type.
#[doc(hidden)]
pub trait Unmerging {
    /// That it is not.
    const MERGES: bool = false;
}

impl<T> Unmerging for Merging<T> {}

/// A field of a state into which a branch is merged.
#[doc(hidden)]
#[derive(Debug)]
pub struct Joined<'a, T> {
    /// What the branches before it have made of the field.
    pub so_far: &'a mut T,
    /// The field before the fork.
    pub base: &'a T,
    /// The field as the branch left it.
    pub branch: &'a T,
}

impl<T: Clone + Serialize> Joined<'_, Log<T>> {
    /// Appends what the branch appended, or all that it wrote anew. To write anew what there was
    /// before the fork is to change nothing.
    pub fn merge(&mut self, appended: bool) -> bool {
        if appended || begins_with(self.branch, self.base) {
            self.so_far.merge(self.base, self.branch);
        } else if self.so_far.len() == self.base.len() && begins_with(self.so_far, self.base) {
            self.so_far.clone_from(self.branch);
        } else {
            self.so_far.extend(self.branch.iter().cloned());
        }
        true
    }
}

/// Returns whether a log begins with the items of another. It is the items that count, and not where
/// they are kept: a log that was read back from a journal is the same log.
fn begins_with<T: Serialize>(log: &Log<T>, other: &Log<T>) -> bool {
    let is_same = |(one, other): (&T, &T)| {
        let one = fingerprint(one);
        one.is_some() && one == fingerprint(other)
    };
    log.continues(other) || log.len() >= other.len() && log.iter().zip(other.iter()).all(is_same)
}

/// What becomes of a field whose type has a merge.
#[doc(hidden)]
pub trait Merged {
    /// Merges the branch.
    fn merge(&mut self, appended: bool) -> bool;
}

impl<T: Merge> Merged for Joined<'_, T> {
    fn merge(&mut self, _: bool) -> bool {
        self.so_far.merge(self.base, self.branch);
        true
    }
}

/// What becomes of a field whose type has none.
#[doc(hidden)]
pub trait Unmerged {
    /// Leaves the field as it is.
    fn merge(&mut self, _: bool) -> bool {
        false
    }
}

impl<T> Unmerged for &mut Joined<'_, T> {}

/// A field to be read from a source.
#[doc(hidden)]
#[derive(Debug)]
pub struct Loading<'a, T>(pub &'a mut T);

impl<T: DeserializeOwned> Loading<'_, Log<T>> {
    /// Reads the log, or the items to append to it.
    ///
    /// # Errors
    ///
    /// Fails as the source does.
    pub fn load<F: FieldSource>(
        &mut self,
        appended: bool,
        source: &mut F,
        field: &'static Field,
    ) -> Result<(), F::Error> {
        if appended {
            self.0.extend(source.field::<Vec<T>>(field)?);
        } else {
            *self.0 = source.field(field)?;
        }
        Ok(())
    }
}

/// How a field that is read as a whole is.
#[doc(hidden)]
pub trait Loaded {
    /// Reads the field.
    ///
    /// # Errors
    ///
    /// Fails as the source does.
    fn load<F: FieldSource>(
        &mut self,
        appended: bool,
        source: &mut F,
        field: &'static Field,
    ) -> Result<(), F::Error>;
}

impl<T: DeserializeOwned> Loaded for Loading<'_, T> {
    fn load<F: FieldSource>(
        &mut self,
        _: bool,
        source: &mut F,
        field: &'static Field,
    ) -> Result<(), F::Error> {
        *self.0 = source.field(field)?;
        Ok(())
    }
}

/// Stands in for the reading of a field that cannot be deserialised, which is reported elsewhere.
#[doc(hidden)]
pub trait Unkeepable {
    /// Is never reached.
    ///
    /// # Errors
    ///
    /// None.
    fn load<F: FieldSource>(
        &mut self,
        _: bool,
        _: &mut F,
        _: &'static Field,
    ) -> Result<(), F::Error> {
        unreached()
    }
}

impl<T> Unkeepable for &mut Loading<'_, T> {}
