//! What a node can conclude.

use core::error::Error;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::Serializer;

/// What a node can conclude: an enum, of which a graph routes each variant.
///
/// Derive it. The docs of a variant tell a reader, and a model, when to choose it; its fields are
/// what the receiver is told. The fields must be serialisable, since journals keep them; one that
/// cannot be deserialised makes [`Outcome::decode`] fail for its variant.
/// `#[outcome(gives(account))]` on a variant promises that this field of the state is set whenever
/// the node concludes it. `#[outcome(answer)]` marks the one that an agent concludes with its final
/// text.
#[diagnostic::on_unimplemented(
    message = "H011: `{Self}` is not an outcome",
    label = "not what a node can conclude",
    note = "write `#[derive(Outcome)]` on the enum, or return `()` from a node with one way on"
)]
pub trait Outcome: Send + Sync + 'static {
    /// The variants in the order of declaration.
    const VARIANTS: &'static [Variant];

    /// Returns the index of this value's variant in [`Outcome::VARIANTS`].
    fn variant(&self) -> usize;

    /// Writes the fields of this value's variant: a map, a sequence for a tuple variant, or a unit.
    ///
    /// # Errors
    ///
    /// Fails if a field's own `Serialize` or the serialiser does.
    fn encode<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error>;

    /// Returns the JSON Schema of a field of a variant, as JSON, if the field's type has one and the
    /// cargo feature `schema` is on.
    ///
    /// Model providers check the arguments of a call against it.
    fn schema(variant: usize, field: usize) -> Option<String> {
        let _ = (variant, field);
        None
    }

    /// Reads what [`Outcome::encode`] wrote for a value of this variant.
    ///
    /// # Errors
    ///
    /// Fails if there is no such variant, if the payload is not that of the variant, or if it carries
    /// what cannot be deserialised.
    fn decode<'de, D: Deserializer<'de>>(variant: usize, payload: D) -> Result<Self, D::Error>
    where
        Self: Sized,
    {
        no_variant(variant, payload)
    }
}

/// Says that a variant is not there to be read back.
#[doc(hidden)]
#[cold]
pub fn no_variant<'de, O: Outcome, D: Deserializer<'de>>(
    variant: usize,
    _: D,
) -> Result<O, D::Error> {
    Err(match O::VARIANTS.get(variant) {
        Some(variant) => D::Error::custom(format_args!(
            "the outcome `{}` has no way to be read back",
            variant.name
        )),
        None => D::Error::custom(format_args!("there is no outcome number {variant}")),
    })
}

/// A variant of an [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Variant {
    /// The variant's name.
    pub name: &'static str,
    /// The name of the tool by which a model chooses the variant, such as `transfer_to_billing`.
    pub tool: &'static str,
    /// The variant's documentation.
    pub doc: &'static str,
    /// The fields of the state that are set whenever a node concludes this.
    pub gives: &'static [&'static str],
    /// The variant's fields.
    pub fields: &'static [VariantField],
    /// Whether it is what an agent concludes that answers in place of handing over; marked with
    /// `#[outcome(answer)]`.
    pub answer: bool,
}

/// A field of a variant of an [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VariantField {
    /// The field's name; that of a tuple variant's is its place, such as `0`.
    pub name: &'static str,
    /// The field's documentation.
    pub doc: &'static str,
}

impl VariantField {
    #[doc(hidden)]
    pub const fn __new(name: &'static str, doc: &'static str) -> Self {
        Self { name, doc }
    }
}

impl Variant {
    #[doc(hidden)]
    pub const fn __new(
        name: &'static str,
        tool: &'static str,
        doc: &'static str,
        gives: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            tool,
            doc,
            gives,
            fields: &[],
            answer: false,
        }
    }

    #[doc(hidden)]
    pub const fn __fields(self, fields: &'static [VariantField]) -> Self {
        Self { fields, ..self }
    }

    #[doc(hidden)]
    pub const fn __answer(self) -> Self {
        Self {
            answer: true,
            ..self
        }
    }
}

/// The fields of an outcome's variant as a value to serialise.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a, O>(pub &'a O);

impl<O: Outcome> Serialize for Payload<'_, O> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        self.0.encode(serializer)
    }
}

impl Outcome for () {
    const VARIANTS: &'static [Variant] = &[Variant::__new("()", "done", "", &[])];

    fn variant(&self) -> usize {
        0
    }

    fn encode<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.serialize_unit()
    }

    fn decode<'de, D: Deserializer<'de>>(_: usize, payload: D) -> Result<Self, D::Error> {
        <()>::deserialize(payload)
    }
}

/// What a node's function may return: an outcome, or a `Result` with one.
#[diagnostic::on_unimplemented(
    message = "H011: a node cannot return `{Self}`",
    label = "not what a node can conclude",
    note = "return an enum with `#[derive(Outcome)]`, or `()` from a node with one way on; \
            or a `Result` of either and an error that is `Error + Send + Sync`, or a text"
)]
#[doc(hidden)]
pub trait Conclusion {
    /// The outcome.
    type Outcome: Outcome;

    /// Separates the outcome from the error.
    ///
    /// # Errors
    ///
    /// Returns the error that the node's function returned.
    fn conclude(self) -> Result<Self::Outcome, Box<dyn Error + Send + Sync>>;
}

impl<O: Outcome> Conclusion for O {
    type Outcome = O;

    fn conclude(self) -> Result<O, Box<dyn Error + Send + Sync>> {
        Ok(self)
    }
}

impl<O: Outcome, E: Into<Box<dyn Error + Send + Sync>>> Conclusion for Result<O, E> {
    type Outcome = O;

    fn conclude(self) -> Result<O, Box<dyn Error + Send + Sync>> {
        self.map_err(Into::into)
    }
}
