//! What a derived graph answers besides taking steps.

use std::error::Error;

use handoffs_core::Outcome;
use serde::Serialize;

use crate::item::Item;
use crate::journal::{Conclusion, Json, JsonError, keep};
use crate::node_error::NodeError;
use crate::policy::fits;

/// Reads back what a node has concluded.
fn reread<O: Outcome>(concluded: &Conclusion) -> Result<O, NodeError> {
    let variants = O::VARIANTS.iter();
    let variant = variants
        .zip(0..)
        .find(|(variant, _)| variant.name == concluded.variant);
    let Some((_, variant)) = variant else {
        let message = format!("the node has no outcome `{}`", concluded.variant);
        return Err(NodeError::new(message));
    };
    let payload = concluded.payload.as_ref().map_or("null", Json::as_str);
    let mut payload = serde_json::Deserializer::from_str(payload);
    O::decode(variant, &mut payload).map_err(NodeError::new)
}

/// Picks the edge that a node's conclusion chose, once more.
#[doc(hidden)]
pub fn repick<S, O: Outcome>(
    concluded: &Conclusion,
    state: &S,
    pick: fn(&S, &O) -> usize,
) -> Result<usize, NodeError> {
    Ok(pick(state, &reread(concluded)?))
}

/// Returns that a graph has no such node.
#[doc(hidden)]
#[cold]
pub fn no_node(node: usize) -> NodeError {
    NodeError::new(format!("the graph has no node {node}"))
}

/// Takes the items that an `each` has listed.
#[doc(hidden)]
pub fn items<T: Serialize + Send + Sync + 'static>(listed: Vec<T>) -> Vec<Item> {
    Item::list(listed)
}

/// A type of which a key of a cache can be.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "H011: a cache cannot keep a key of type `{Self}`",
    label = "`Serialize` is missing",
    note = "write `#[derive(Serialize)]` on the type, with it from `serde`; a tuple of fields will do as well"
)]
pub trait Key: Serialize {}

#[diagnostic::do_not_recommend]
impl<K: Serialize> Key for K {}

/// Makes the key under which a result is cached.
#[doc(hidden)]
pub fn cache_key<S, K: Key>(key: fn(&S) -> K, state: &S) -> Result<Json, JsonError> {
    keep(&key(state)).map_err(JsonError::from)
}

/// A type of which a question to a person can be, whether a handoff may be.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "H011: a person cannot be asked a `{Self}`",
    label = "`Serialize` is missing",
    note = "write `#[derive(Serialize)]` on the type, with it from `serde`; a tuple of fields will do as well"
)]
pub trait Asked: Serialize {}

#[diagnostic::do_not_recommend]
impl<Q: Serialize> Asked for Q {}

/// Makes the question whether a handoff may be.
#[doc(hidden)]
pub fn question<S, Q: Asked>(question: fn(&S) -> Q, state: &S) -> Result<Json, JsonError> {
    keep(&question(state)).map_err(JsonError::from)
}

/// An error at which a predicate of `#[retry(on = ..)]` can look.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "H011: a predicate of `retry` looks at an error, and `{Self}` is none",
    label = "not an `Error`",
    note = "take a reference to the error that the node returns, or to a `NodeError`"
)]
pub trait Seen: Error + 'static {}

#[diagnostic::do_not_recommend]
impl<E: Error + 'static> Seen for E {}

/// Makes a predicate for the error of a node of one for errors of some type.
#[doc(hidden)]
pub fn predicate<E: Seen>(on: fn(&E) -> bool) -> Box<dyn Fn(&NodeError) -> bool + Send + Sync> {
    Box::new(move |error| fits(on, error))
}
