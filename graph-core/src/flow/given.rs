//! What outcomes give, and fields that no state has (H011).

use super::message::Message;
use crate::contract::{FieldSet, same};
use crate::outcome::Variant;
use crate::state::Field;

/// Returns the fields that are set whenever an outcome is one of the variants of these names, which have `|`
/// between them, or any if none is named.
pub(super) const fn given_by(variants: &[Variant], fields: &[Field], names: &str) -> FieldSet {
    if give_nothing(variants) {
        return FieldSet::EMPTY;
    }
    let mut any = names.is_empty();
    let mut given = FieldSet::ALL;
    let mut rest = names.as_bytes();
    while !rest.is_empty() {
        let (name, behind) = first_name(rest);
        match find(variants, name) {
            Some(variant) => given = given.and(FieldSet::named(fields, variant.gives)),
            // A name that is no variant's is that of a binding or a constant, which may match any.
            None => any = true,
        }
        rest = behind;
    }
    let mut v = 0;
    while any && v < variants.len() {
        given = given.and(FieldSet::named(fields, variants[v].gives));
        v += 1;
    }
    given
}

/// Returns whether none of these variants gives anything, so that it does not matter which are meant.
const fn give_nothing(variants: &[Variant]) -> bool {
    let mut v = 0;
    while v < variants.len() && variants[v].gives.is_empty() {
        v += 1;
    }
    v > 0 && v == variants.len()
}

/// Splits off the first of some names with `|` between them.
const fn first_name(names: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    while end < names.len() && names[end] != b'|' {
        end += 1;
    }
    let (name, rest) = names.split_at(end);
    match rest {
        [_, rest @ ..] => (name, rest),
        [] => (name, rest),
    }
}

const fn find<'a>(variants: &'a [Variant], name: &[u8]) -> Option<&'a Variant> {
    let mut v = 0;
    while v < variants.len() {
        if same(variants[v].name.as_bytes(), name) {
            return Some(&variants[v]);
        }
        v += 1;
    }
    None
}

/// Returns the message of H011 for a name in `given(..)`, or `None` if a field has it.
pub(super) const fn unknown_field(fields: &[Field], name: &str) -> Option<Message> {
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
pub(super) const fn unknown_gift(variants: &[Variant], fields: &[Field]) -> Option<Message> {
    let mut v = 0;
    while v < variants.len() {
        let variant = &variants[v];
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
