//! A short number that stands for a value: values that serialise alike have equal fingerprints.
//!
//! The runtime compares fingerprints of the state to see whether a lap of a loop changed anything.
//! The value is walked through its `Serialize` and hashed on the way, without an allocation.

use core::fmt::{self, Display};
use core::hash::{BuildHasher, Hasher};

use foldhash::fast::{FixedState, FoldHasher};
use serde::ser::{self, Serialize, Serializer};

/// Returns the fingerprint of a value, or `None` if its `Serialize` fails.
///
/// The entries of a map count in any order, so two `HashMap`s with the same entries agree. A set
/// serialises as a list, so two equal `HashSet`s may differ; a `BTreeSet` does not.
///
/// ```
/// use handoffs_core::fingerprint;
///
/// assert_eq!(fingerprint(&("refund", 12)), fingerprint(&("refund", 12)));
/// assert_ne!(fingerprint(&("refund", 12)), fingerprint(&("refund", 13)));
/// ```
#[inline]
pub fn fingerprint<T: Serialize + ?Sized>(value: &T) -> Option<u64> {
    Some(walk(value)?.hasher.finish())
}

/// Returns whether JSON would write a value in a way that reads back as another: a number that is not
/// finite, or a `Some` of nothing, becomes `null`.
#[doc(hidden)]
pub fn is_lost_in_json<T: Serialize + ?Sized>(value: &T) -> bool {
    walk(value).is_some_and(|walk| walk.lost)
}

#[inline]
fn walk<T: Serialize + ?Sized>(value: &T) -> Option<Walk> {
    let mut walk = Walk::new();
    value.serialize(&mut walk).ok()?;
    Some(walk)
}

#[inline]
fn hasher() -> FoldHasher {
    FixedState::with_seed(0).build_hasher()
}

/// The tags of what JSON writes as `null`.
const NONE: u8 = 11;
const UNIT: u8 = 13;

/// Feeds what a value serialises as into a hasher; each kind of value begins with a tag of its own.
struct Walk {
    hasher: FoldHasher,
    /// Whether the last thing walked over is nothing: `None` or a unit.
    nothing: bool,
    /// Whether JSON would lose something of what was walked over.
    lost: bool,
}

impl Walk {
    #[inline]
    fn new() -> Self {
        Self {
            hasher: hasher(),
            nothing: false,
            lost: false,
        }
    }

    #[inline]
    fn tag(&mut self, tag: u8) {
        self.nothing = tag == NONE || tag == UNIT;
        self.hasher.write_u8(tag);
    }

    // Apart, or the fingerprint of a number would make room for that of a text.
    #[inline(never)]
    fn text(&mut self, text: &str) {
        self.hasher.write_u64(text.len() as u64);
        self.hasher.write(text.as_bytes());
    }
}

/// The `Serialize` of the value refused.
#[derive(Debug)]
struct Refused;

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value refuses to be serialised")
    }
}

impl core::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

macro_rules! numbers {
    ($($method:ident($type:ty) => $write:ident($tag:literal, $cast:expr);)*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), Refused> {
            self.tag($tag);
            #[allow(clippy::redundant_closure_call, reason = "the cast differs from type to type")]
            self.hasher.$write(($cast)(value));
            Ok(())
        }
    )*};
}

impl<'a> Serializer for &'a mut Walk {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers! {
        serialize_bool(bool) => write_u8(1, u8::from);
        serialize_i8(i8) => write_i64(2, i64::from);
        serialize_i16(i16) => write_i64(2, i64::from);
        serialize_i32(i32) => write_i64(2, i64::from);
        serialize_i64(i64) => write_i64(2, core::convert::identity);
        serialize_i128(i128) => write_i128(3, core::convert::identity);
        serialize_u8(u8) => write_u64(4, u64::from);
        serialize_u16(u16) => write_u64(4, u64::from);
        serialize_u32(u32) => write_u64(4, u64::from);
        serialize_u64(u64) => write_u64(4, core::convert::identity);
        serialize_u128(u128) => write_u128(5, core::convert::identity);
        serialize_char(char) => write_u32(8, u32::from);
    }

    fn serialize_f32(self, value: f32) -> Result<(), Refused> {
        self.tag(6);
        self.lost |= !value.is_finite();
        self.hasher.write_u32(value.to_bits());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Refused> {
        self.tag(7);
        self.lost |= !value.is_finite();
        self.hasher.write_u64(value.to_bits());
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Refused> {
        self.tag(9);
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Refused> {
        self.tag(10);
        self.hasher.write_u64(value.len() as u64);
        self.hasher.write(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Refused> {
        self.tag(NONE);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        self.tag(12);
        value.serialize(&mut *self)?;
        self.lost |= self.nothing;
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Refused> {
        self.tag(UNIT);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Refused> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), Refused> {
        self.tag(14);
        self.hasher.write_u32(index);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.serialize_unit_variant(name, index, variant)?;
        value.serialize(&mut *self)?;
        // JSON writes the variant's name around it.
        self.nothing = false;
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Refused> {
        self.tag(15);
        Ok(self)
    }

    fn serialize_tuple(self, len: usize) -> Result<Self, Refused> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Self, Refused> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self, Refused> {
        self.serialize_unit_variant(name, index, variant)?;
        self.serialize_seq(Some(len))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'a>, Refused> {
        self.tag(16);
        Ok(Entries {
            walk: self,
            key: None,
            sum: 0,
        })
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Self, Refused> {
        self.serialize_seq(Some(len))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self, Refused> {
        self.serialize_tuple_variant(name, index, variant, len)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The entries of a map, hashed one by one and added up, so that their order does not count.
struct Entries<'a> {
    walk: &'a mut Walk,
    key: Option<FoldHasher>,
    sum: u64,
}

impl ser::SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        let mut walk = Walk::new();
        key.serialize(&mut walk)?;
        self.walk.lost |= walk.lost;
        self.key = Some(walk.hasher);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let mut walk = Walk::new();
        if let Some(key) = self.key.take() {
            walk.hasher = key;
        }
        value.serialize(&mut walk)?;
        self.walk.lost |= walk.lost;
        self.sum = self.sum.wrapping_add(walk.hasher.finish());
        Ok(())
    }

    fn end(self) -> Result<(), Refused> {
        self.walk.hasher.write_u64(self.sum);
        Ok(())
    }
}

macro_rules! sequences {
    ($($trait:ident::$method:ident,)*) => {$(
        impl ser::$trait for &mut Walk {
            type Ok = ();
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Refused> {
                item.serialize(&mut **self)
            }

            fn end(self) -> Result<(), Refused> {
                self.tag(17);
                Ok(())
            }
        }
    )*};
}

sequences! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

macro_rules! structs {
    ($($trait:ident,)*) => {$(
        impl ser::$trait for &mut Walk {
            type Ok = ();
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                item: &T,
            ) -> Result<(), Refused> {
                self.text(name);
                item.serialize(&mut **self)
            }

            fn end(self) -> Result<(), Refused> {
                self.tag(17);
                Ok(())
            }
        }
    )*};
}

structs! { SerializeStruct, SerializeStructVariant, }

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;

    #[test]
    fn the_order_of_a_maps_entries_does_not_count_but_their_pairing_does() {
        let forward: HashMap<_, _> = (0..100).map(|n| (n, n * n)).collect();
        let backward: HashMap<_, _> = (0..100).rev().map(|n| (n, n * n)).collect();
        assert_eq!(fingerprint(&forward), fingerprint(&backward));

        let swapped = BTreeMap::from([("a", 2), ("b", 1)]);
        assert_ne!(
            fingerprint(&BTreeMap::from([("a", 1), ("b", 2)])),
            fingerprint(&swapped)
        );
    }

    #[test]
    fn what_json_would_write_as_null_and_read_as_another_is_told() {
        assert!(is_lost_in_json(&f64::NAN));
        assert!(is_lost_in_json(&[1.0, f32::INFINITY]));
        assert!(is_lost_in_json(&Some(())));
        assert!(is_lost_in_json(&Some(None::<u8>)));
        assert!(is_lost_in_json(&HashMap::from([("rate", f64::NAN)])));
        assert!(!is_lost_in_json(&(
            None::<u8>,
            (),
            [Some(1.5)],
            Some([None::<u8>])
        )));
        assert!(!is_lost_in_json(&Some(HashMap::from([("a", None::<u8>)]))));
        assert!(!is_lost_in_json(&Some(Ok::<_, ()>(None::<u8>))));
    }

    #[test]
    fn values_that_only_look_alike_when_strung_together_differ() {
        assert_ne!(fingerprint(&("ab", "c")), fingerprint(&("a", "bc")));
        assert_ne!(
            fingerprint(&vec![vec![1], vec![]]),
            fingerprint(&vec![vec![], vec![1]])
        );
        assert_ne!(fingerprint(&Some(0_u8)), fingerprint(&None::<u8>));
        assert_ne!(
            fingerprint(&[Some(()), None]),
            fingerprint(&[None, Some(())])
        );
        assert_ne!(fingerprint(&0.0_f64), fingerprint(&-0.0_f64));
    }
}
