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
    /// One of a list, by its place: so a fork allocates nothing for each of its branches.
    Value(Arc<dyn Values>, usize),
    Json(Json),
}

/// Values that can be written down although their type is not known.
trait Values: Send + Sync {
    fn json(&self, place: usize) -> serde_json::Result<Json>;

    fn value(&self, place: usize) -> &dyn Any;
}

impl<T: Serialize + Any + Send + Sync> Values for Vec<T> {
    fn json(&self, place: usize) -> serde_json::Result<Json> {
        keep(&self[place])
    }

    fn value(&self, place: usize) -> &dyn Any {
        &self[place]
    }
}

impl Item {
    /// Takes a value.
    pub fn new<T: Serialize + Send + Sync + 'static>(value: T) -> Self {
        Self(Held::Value(Arc::new(vec![value]), 0))
    }

    /// Takes the values of a list.
    pub(crate) fn list<T: Serialize + Send + Sync + 'static>(values: Vec<T>) -> Vec<Self> {
        let places = 0..values.len();
        let values: Arc<dyn Values> = Arc::new(values);
        let item = |place| Self(Held::Value(Arc::clone(&values), place));
        places.map(item).collect()
    }

    /// Takes what a journal has kept.
    pub(crate) const fn kept(json: Json) -> Self {
        Self(Held::Json(json))
    }

    /// Writes the item down.
    pub(crate) fn json(&self) -> serde_json::Result<Json> {
        match &self.0 {
            Held::Value(values, place) => values.json(*place),
            Held::Json(json) => Ok(json.clone()),
        }
    }

    /// Returns the item as a `T`, which of another type it becomes by way of its JSON.
    pub(crate) fn to<T: Clone + DeserializeOwned + 'static>(&self) -> Result<T, NodeError> {
        if let Held::Value(values, place) = &self.0
            && let Some(value) = values.value(*place).downcast_ref::<T>()
        {
            return Ok(value.clone());
        }
        let json = self.json();
        json.and_then(|json| serde_json::from_str(json.as_str()))
            .map_err(|error| NodeError::of(Kind::WrongItem(error)))
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(..) => f.write_str("a value"),
            Self::Json(json) => json.fmt(f),
        }
    }
}
