//! An item of an `each`, which its branch has for as long as it goes.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::journal::{Json, keep};
use crate::node_error::{Kind, NodeError};

/// An item that `each` hands to a branch.
///
/// It is a value of whatever type the worker takes, or what a journal has kept of one.
#[derive(Clone, Debug)]
pub struct Item(Held);

#[derive(Clone)]
enum Held {
    Value(Arc<dyn Value>),
    Json(Json),
}

/// A value that can be written down although its type is not known.
trait Value: Any + Send + Sync {
    fn json(&self) -> serde_json::Result<Json>;
}

impl<T: Serialize + Any + Send + Sync> Value for T {
    fn json(&self) -> serde_json::Result<Json> {
        keep(self)
    }
}

impl Item {
    /// Takes a value.
    pub fn new<T: Serialize + Send + Sync + 'static>(value: T) -> Self {
        Self(Held::Value(Arc::new(value)))
    }

    /// Takes what a journal has kept.
    pub(crate) const fn kept(json: Json) -> Self {
        Self(Held::Json(json))
    }

    /// Writes the item down.
    pub(crate) fn json(&self) -> serde_json::Result<Json> {
        match &self.0 {
            Held::Value(value) => value.json(),
            Held::Json(json) => Ok(json.clone()),
        }
    }

    /// Returns the item as a `T`, which of another type it becomes by way of its JSON.
    pub(crate) fn to<T: Clone + DeserializeOwned + 'static>(&self) -> Result<T, NodeError> {
        if let Held::Value(value) = &self.0 {
            let value: &dyn Any = &**value;
            if let Some(value) = value.downcast_ref::<T>() {
                return Ok(value.clone());
            }
        }
        let json = self.json();
        json.and_then(|json| serde_json::from_str(json.as_str()))
            .map_err(|error| NodeError::of(Kind::WrongItem(error)))
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("a value"),
            Self::Json(json) => json.fmt(f),
        }
    }
}
