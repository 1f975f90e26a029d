//! How the code derived for an outcome reads a variant's fields back.
//!
//! The fields of a variant are a list of cells, one in the other: `(Cell<A>, (Cell<B>, ()))`. So
//! generated code needs no visitor of its own, which would have to repeat the enum's generics.

use core::any::type_name;
use core::fmt;
use core::marker::PhantomData;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};

/// Names the type of a field, and makes the cell for it.
#[derive(Debug)]
pub struct Recall<T>(PhantomData<fn() -> T>);

impl<T> Recall<T> {
    /// Names the type.
    #[expect(clippy::new_without_default, reason = "only generated code makes one")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// Makes the cell of a type that is known to be lost.
    pub const fn lost(self) -> Lost<T> {
        Lost(PhantomData)
    }
}

impl<T: DeserializeOwned> Recall<T> {
    /// Makes the cell.
    pub const fn cell(self) -> Cell<T> {
        Cell(None)
    }
}

/// Makes the cell of what can be written and not be read.
pub trait Unrecalled<T>: Sized {
    /// Makes the cell.
    fn cell(self) -> Lost<T> {
        Lost(PhantomData)
    }
}

impl<T> Unrecalled<T> for Recall<T> {}

/// Where a field's value is put.
#[derive(Debug)]
pub struct Cell<T>(Option<T>);

/// Where the value of a field that cannot be deserialised would be put.
#[derive(Debug)]
pub struct Lost<T>(PhantomData<fn() -> T>);

/// Where a field's value is put, if it has one.
pub trait Slot {
    /// The field's type.
    type Value;

    /// Reads the value.
    ///
    /// # Errors
    ///
    /// Fails if it is not of the field's type.
    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error>;

    /// Returns the value, if one was read.
    fn value(self) -> Option<Self::Value>;
}

impl<T: DeserializeOwned> Slot for Cell<T> {
    type Value = T;

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        self.0 = Some(T::deserialize(deserializer)?);
        Ok(())
    }

    fn value(self) -> Option<T> {
        self.0
    }
}

impl<T> Slot for Lost<T> {
    type Value = T;

    fn read<'de, D: Deserializer<'de>>(&mut self, _: D) -> Result<(), D::Error> {
        Err(D::Error::custom(format_args!(
            "`{}` cannot be read back, as it has no `Deserialize` that owns what it reads",
            type_name::<T>()
        )))
    }

    fn value(self) -> Option<T> {
        None
    }
}

/// The slots of a variant's fields, in the order of declaration.
pub trait Slots {
    /// The values, one in the other.
    type Values;

    /// Reads the value of the field at `index` of those that are left.
    ///
    /// # Errors
    ///
    /// Fails if it is not of the field's type.
    fn read<'de, D: Deserializer<'de>>(
        &mut self,
        index: usize,
        deserializer: D,
    ) -> Result<(), D::Error>;

    /// Returns the values.
    ///
    /// # Errors
    ///
    /// Fails with the place, from the end, of a field that has none.
    fn values(self) -> Result<Self::Values, usize>;

    /// How many there are.
    const COUNT: usize;
}

impl Slots for () {
    type Values = ();
    const COUNT: usize = 0;

    fn read<'de, D: Deserializer<'de>>(&mut self, _: usize, _: D) -> Result<(), D::Error> {
        Ok(())
    }

    fn values(self) -> Result<(), usize> {
        Ok(())
    }
}

impl<S: Slot, R: Slots> Slots for (S, R) {
    type Values = (S::Value, R::Values);
    const COUNT: usize = 1 + R::COUNT;

    fn read<'de, D: Deserializer<'de>>(
        &mut self,
        index: usize,
        deserializer: D,
    ) -> Result<(), D::Error> {
        match index.checked_sub(1) {
            None => self.0.read(deserializer),
            Some(rest) => self.1.read(rest, deserializer),
        }
    }

    fn values(self) -> Result<Self::Values, usize> {
        let value = self.0.value().ok_or(Self::COUNT)?;
        Ok((value, self.1.values()?))
    }
}

/// Reads the fields of a variant from what [`Outcome::encode`](crate::Outcome::encode) wrote: by the
/// names of the fields, or one by one where they have none.
///
/// # Errors
///
/// Fails if a field is missing, or not of its type.
pub fn recall<'de, D: Deserializer<'de>, S: Slots>(
    payload: D,
    variant: &'static str,
    names: Option<&'static [&'static str]>,
    slots: S,
) -> Result<S::Values, D::Error> {
    let fields = Fields {
        variant,
        names: names.unwrap_or_default(),
        slots,
    };
    match names {
        Some(names) => payload.deserialize_struct(variant, names, fields),
        None => payload.deserialize_tuple(S::COUNT, fields),
    }
}

/// The fields of a variant, to be visited.
struct Fields<S> {
    variant: &'static str,
    names: &'static [&'static str],
    slots: S,
}

impl<S: Slots> Fields<S> {
    fn values<E: Error>(self) -> Result<S::Values, E> {
        self.slots.values().map_err(|from_end| {
            let index = S::COUNT - from_end;
            match self.names.get(index) {
                Some(name) => E::missing_field(name),
                None => E::custom(format_args!(
                    "`{}` carries {} values, and number {} is missing",
                    self.variant,
                    S::COUNT,
                    index + 1
                )),
            }
        })
    }
}

impl<'de, S: Slots> Visitor<'de> for Fields<S> {
    type Value = S::Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the fields of the outcome `{}`", self.variant)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<S::Values, A::Error> {
        while let Some(index) = map.next_key_seed(Name(self.names))? {
            match index {
                Some(index) => map.next_value_seed(At(&mut self.slots, index))?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        self.values()
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<S::Values, A::Error> {
        for index in 0..S::COUNT {
            if items
                .next_element_seed(At(&mut self.slots, index))?
                .is_none()
            {
                break;
            }
        }
        self.values()
    }
}

/// The place of a field, to be read into.
struct At<'a, S>(&'a mut S, usize);

impl<'de, S: Slots> DeserializeSeed<'de> for At<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.read(self.1, deserializer)
    }
}

/// The names of the fields, of which one is read; `None` is one that is not among them.
#[derive(Clone, Copy)]
struct Name(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| *known == name))
    }

    fn visit_u64<E: Error>(self, index: u64) -> Result<Self::Value, E> {
        let index = usize::try_from(index).ok();
        Ok(index.filter(|index| *index < self.0.len()))
    }
}
