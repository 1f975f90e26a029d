//! What outcomes give, and fields that no state has (H011).

use super::message::Message;
use crate::contract::{FieldSet, same};
use crate::outcome::{Outcome, Variant};
use crate::state::Field;

/// Returns the fields that are set whenever an outcome is one of the variants of these names, or any
/// if none is named.
#[doc(hidden)]
pub const fn given_by<O: Outcome>(fields: &[Field], names: &[&str]) -> FieldSet {
    let variants = O::VARIANTS;
    let mut any = names.is_empty();
    let mut n = 0;
    while n < names.len() {
        // A name that is no variant's is that of a binding or a constant, which may match any.
        any = any || !is_variant(variants, names[n]);
        n += 1;
    }
    let mut given = FieldSet::ALL;
    let mut v = 0;
    while v < variants.len() {
        let mut meant = any;
        let mut n = 0;
        while n < names.len() {
            meant = meant || same(variants[v].name, names[n]);
            n += 1;
        }
        if meant {
            given = given.and(FieldSet::named(fields, variants[v].gives));
        }
        v += 1;
    }
    given
}

const fn is_variant(variants: &[Variant], name: &str) -> bool {
    let mut v = 0;
    while v < variants.len() {
        if same(variants[v].name, name) {
            return true;
        }
        v += 1;
    }
    false
}

/// Returns the message of H011 for a name in `given(..)`, or `None` if a field has it.
#[doc(hidden)]
pub const fn unknown_field(fields: &[Field], name: &str) -> Option<Message> {
    if !FieldSet::named(fields, &[name]).is_empty() {
        return None;
    }
    let message = Message::EMPTY
        .push("H011: the state has no field `")
        .push(name)
        .push("`");
    Some(push_fields(&message, fields))
}

/// Returns the message of H011 for an outcome of which a variant gives what the state has not.
#[doc(hidden)]
pub const fn unknown_gift<O: Outcome>(fields: &[Field]) -> Option<Message> {
    let mut v = 0;
    while v < O::VARIANTS.len() {
        let variant = &O::VARIANTS[v];
        let mut g = 0;
        while g < variant.gives.len() {
            if FieldSet::named(fields, &[variant.gives[g]]).is_empty() {
                let message = Message::EMPTY
                    .push("H011: the outcome `")
                    .push(variant.name)
                    .push("` of this node gives `")
                    .push(variant.gives[g])
                    .push("`, and the state has no such field");
                return Some(push_fields(&message, fields));
            }
            g += 1;
        }
        v += 1;
    }
    None
}

const fn push_fields(message: &Message, fields: &[Field]) -> Message {
    let mut message = (*message).push("\nhelp: the fields are: ");
    let mut f = 0;
    while f < fields.len() {
        let comma = if f == 0 { "`" } else { "`, `" };
        message = message.push(comma).push(fields[f].name);
        f += 1;
    }
    message.push("`")
}
