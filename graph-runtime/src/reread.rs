//! What a derived graph answers besides taking steps.

use handoffs_core::Outcome;
use serde::Serialize;

use crate::context::NodeError;
use crate::journal::{Conclusion, Json, JsonError, keep};

/// Reads back what a node has concluded.
#[doc(hidden)]
pub fn reread<O: Outcome>(concluded: &Conclusion) -> Result<O, NodeError> {
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

/// Returns that a graph has no such node.
#[doc(hidden)]
#[cold]
pub fn no_node(node: usize) -> NodeError {
    NodeError::new(format!("the graph has no node {node}"))
}

/// Makes the key under which a result is cached.
#[doc(hidden)]
pub fn cache_key<S, K: Serialize>(key: fn(&S) -> K, state: &S) -> Result<Json, JsonError> {
    keep(&key(state)).map_err(JsonError::from)
}
