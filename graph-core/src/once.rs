//! How generated code uses a type of the user without saying twice that it is the wrong one.
//!
//! A wrong type is reported where one assertion names it: a path through a trait such as
//! [`Kept`], at the user's token. Whatever else generated code does with the type goes through the
//! wrappers here. The compiler takes their own method if its bounds hold, and else that of the trait
//! beside, whose bounds always hold and whose body no program reaches, since none compiles.

use core::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::ser::{Serialize, Serializer};

use crate::node::{Access, AccessMut, Out, Replace};
use crate::outcome::{Conclusion, Outcome, Variant};
use crate::state::{Field, FieldSource};
use crate::undo::Undo;

/// A type of which a journal can keep a field of the state.
#[diagnostic::on_unimplemented(
    message = "H011: a journal cannot keep a field of type `{Self}`",
    label = "`Serialize` or `Deserialize` is missing",
    note = "write `#[derive(Serialize, Deserialize)]` on the type, with both from `serde`"
)]
pub trait Kept {
    /// The assertion.
    const KEPT: () = ();
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Kept for T {}

/// A type that an outcome can carry.
#[diagnostic::on_unimplemented(
    message = "H011: an outcome cannot carry a `{Self}`",
    label = "`Serialize` is missing",
    note = "a journal keeps what an outcome carries: write `#[derive(Serialize)]` on the type, with it from `serde`"
)]
pub trait Carried {
    /// The assertion.
    const CARRIED: () = ();
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> Carried for T {}

/// What an outcome carries, to be serialised.
#[derive(Debug)]
pub struct Carry<'a, T: ?Sized>(pub &'a T);

impl<'a, T: Serialize + ?Sized> Carry<'a, T> {
    /// Returns the value.
    #[inline]
    pub fn value(self) -> &'a T {
        self.0
    }
}

/// Stands in for a value that cannot be serialised.
pub trait Uncarried: Sized {
    /// Returns nothing to serialise.
    fn value(self) -> &'static () {
        &()
    }
}

impl<T: ?Sized> Uncarried for Carry<'_, T> {}

/// The type of what an outcome carries, of which a model may want to know the JSON Schema.
#[derive(Debug)]
pub struct Schemed<T: ?Sized>(PhantomData<fn() -> Box<T>>);

impl<T: ?Sized> Schemed<T> {
    /// Names the type.
    #[expect(clippy::new_without_default, reason = "only generated code makes one")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema + ?Sized> Schemed<T> {
    /// Describes the type.
    pub fn schema(self) -> Option<String> {
        let generator = schemars::generate::SchemaSettings::draft2020_12()
            .with(|settings| {
                settings.inline_subschemas = true;
                settings.meta_schema = None;
            })
            .into_generator();
        serde_json::to_string(&generator.into_root_schema_for::<T>()).ok()
    }
}

/// Says nothing of a type that has no schema.
pub trait Unschemed: Sized {
    /// Returns nothing.
    fn schema(self) -> Option<String> {
        None
    }
}

impl<T: ?Sized> Unschemed for Schemed<T> {}

/// A field to be read from a source.
#[derive(Debug)]
pub struct Load<T>(PhantomData<fn() -> T>);

impl<T> Load<T> {
    /// Names the type.
    #[expect(clippy::new_without_default, reason = "only generated code makes one")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: DeserializeOwned> Load<T> {
    /// Reads the field.
    ///
    /// # Errors
    ///
    /// Fails as the source does.
    #[inline]
    pub fn load<F: FieldSource>(
        self,
        source: &mut F,
        field: &'static Field,
    ) -> Result<T, F::Error> {
        source.field(field)
    }
}

/// Stands in for the reading of a type that cannot be deserialised.
pub trait Unloaded<T>: Sized {
    /// Is never reached.
    ///
    /// # Errors
    ///
    /// None.
    fn load<F: FieldSource>(self, _: &mut F, _: &'static Field) -> Result<T, F::Error> {
        unreached()
    }
}

impl<T> Unloaded<T> for Load<T> {}

/// What a node's function returned.
#[derive(Debug)]
pub struct Returned<C>(pub C);

impl<C: Conclusion> Returned<C> {
    /// Returns it.
    #[inline]
    pub fn concluded(self) -> C {
        self.0
    }
}

impl Returned<Unfit> {
    /// Is never reached.
    pub fn outcome<O>(self) -> O {
        unreached()
    }
}

/// What becomes of a value that is what it should be.
pub trait Fit<O>: Sized {
    /// Returns it.
    fn outcome(self) -> O;
}

impl<O> Fit<O> for Returned<O> {
    #[inline]
    fn outcome(self) -> O {
        self.0
    }
}

/// Stands in for what no node can return.
pub trait Unconcluded: Sized {
    /// Is never reached.
    fn concluded(self) -> Unfit {
        unreached()
    }
}

impl<C> Unconcluded for Returned<C> {}

/// The outcome of a node that returns what no node can.
#[derive(Debug)]
pub enum Unfit {}

#[diagnostic::do_not_recommend]
impl Outcome for Unfit {
    const VARIANTS: &'static [Variant] = &[];

    fn variant(&self) -> usize {
        0
    }

    fn encode<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.serialize_unit()
    }
}

/// A reference to a field, to be taken as a `T`.
#[derive(Debug)]
pub struct Take<F, T: ?Sized>(F, PhantomData<fn(&T)>);

impl<F, T: ?Sized> Take<F, T> {
    /// Refers to a field.
    pub const fn new(field: F) -> Self {
        Self(field, PhantomData)
    }
}

impl<'a, F: Access<T>, T: ?Sized> Take<&'a F, T> {
    /// Returns the value to read, or `None` if the field is not set.
    #[inline]
    pub fn read(self) -> Option<&'a T> {
        self.0.read()
    }
}

impl<'a, F: AccessMut<T>, T: ?Sized> Take<&'a mut F, T> {
    /// Returns the value to write, or `None` if the field is not set.
    #[inline]
    pub fn write(self) -> Option<&'a mut T> {
        self.0.write()
    }
}

impl<'a, T> Take<&'a mut Undo<'_, Option<T>>, T> {
    /// Returns the promise to set the field.
    #[inline]
    pub fn out(self) -> Out<'a, T> {
        Out::undoable(self.0)
    }
}

impl<'a, T> Take<&'a mut T, T> {
    /// Returns the right to replace the field, which is noted once it is used.
    #[inline]
    pub fn replace(self, noted: &'a mut bool) -> Replace<'a, T> {
        Replace::__noted(self.0, noted)
    }
}

/// Stands in for the ways to take a field by a type that it does not have.
pub trait Untaken<'a, T: ?Sized + 'a>: Sized {
    /// Is never reached.
    fn read(self) -> Option<&'a T> {
        unreached()
    }

    /// Is never reached.
    fn write(self) -> Option<&'a mut T> {
        unreached()
    }

    /// Is never reached.
    fn out(self) -> Out<'a, T>
    where
        T: Sized,
    {
        unreached()
    }

    /// Is never reached.
    fn replace(self, _: &'a mut bool) -> Replace<'a, T>
    where
        T: Sized,
    {
        unreached()
    }
}

impl<'a, F, T: ?Sized + 'a> Untaken<'a, T> for Take<F, T> {}

/// What an `each` can hand to its worker.
#[diagnostic::on_unimplemented(
    message = "H011: `{Self}` cannot be the item that a node works on",
    label = "not an item",
    note = "a journal keeps the item, and a repeated step gets it again: write \
            `#[derive(Clone, Serialize, Deserialize)]` on the type, which must also be `Send` and `Sync`"
)]
pub trait Handed {
    /// The type itself.
    type Item: Clone + Serialize + DeserializeOwned + Send + Sync + 'static;
}

#[diagnostic::do_not_recommend]
impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> Handed for T {
    type Item = T;
}

/// An impl that holds for no type. Between two the compiler does not choose by itself, so it says of
/// a type that it is no item, and not bound by bound what the one impl wants of it.
#[diagnostic::do_not_recommend]
impl<T> Handed for T
where
    Nowhere<T>: Never,
{
    type Item = ();
}

/// A type for which [`Never`] is not implemented.
#[derive(Debug)]
pub struct Nowhere<T>(PhantomData<T>);

/// A trait that nothing implements.
pub trait Never {}

/// An item to be fetched from the context.
#[derive(Debug)]
pub struct Fetch<T>(PhantomData<fn() -> T>);

impl<T> Fetch<T> {
    /// Names the type.
    #[expect(clippy::new_without_default, reason = "only generated code makes one")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Handed> Fetch<T> {
    /// Returns what the context answered.
    ///
    /// # Errors
    ///
    /// Fails as the context does.
    #[inline]
    pub fn fetched<E>(self, answer: Result<T, E>) -> Result<T, E> {
        answer
    }
}

/// Stands in for the fetching of what can be no item.
pub trait Unfetched<T>: Sized {
    /// Is never reached.
    ///
    /// # Errors
    ///
    /// None.
    fn fetched<E>(self, _: Result<(), E>) -> Result<T, E> {
        unreached()
    }
}

impl<T> Unfetched<T> for Fetch<T> {}

pub(crate) fn unreached() -> ! {
    unreachable!("a wrong type was reported, so this did not compile")
}
