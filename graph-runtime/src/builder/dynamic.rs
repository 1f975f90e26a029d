//! Nodes that are known only when the program runs: their outcomes and fields are names.

use std::borrow::Cow;

use async_trait::async_trait;
use handoffs_core::{NodeKind, State};
use serde::Serialize;

use crate::context::Context;
use crate::journal::{Json, JsonError};
use crate::node_error::NodeError;

/// A node whose outcomes and contract are known only at run time, such as the "HTTP call" or the
/// "prompt" of a product's own editor.
///
/// It works on a copy of the fields that it says it touches. What it wrote to the fields that it says
/// it writes enters the state when it has concluded; anything else is dropped. So a failed attempt
/// leaves no trace, and no node touches what the checks did not see. Write a node that is known at
/// build time with `#[node]`: its signature says all this, and it copies less.
///
/// ```
/// use handoffs_runtime::{Context, DynContract, DynNode, DynOutcome, NodeError, async_trait};
/// # use handoffs_core::State;
///
/// /// Chooses one of its outcomes by chance.
/// struct Toss {
///     sides: Vec<String>,
/// }
///
/// #[async_trait]
/// impl<S: State> DynNode<S> for Toss {
///     fn outcomes(&self) -> Vec<handoffs_runtime::DynVariant> {
///         self.sides.iter().map(Into::into).collect()
///     }
///
///     fn contract(&self) -> DynContract {
///         DynContract::new()
///     }
///
///     async fn run(&self, _: &mut S, cx: &mut Context<'_>) -> Result<DynOutcome, NodeError> {
///         let side = cx.idempotency_key().len() % self.sides.len();
///         Ok(DynOutcome::new(self.sides[side].clone()))
///     }
/// }
/// ```
#[async_trait]
pub trait DynNode<S: State>: Send + Sync + 'static {
    /// Returns what the node can conclude; there is at least one outcome.
    fn outcomes(&self) -> Vec<DynVariant>;

    /// Returns what the node reads, writes, needs and gives.
    fn contract(&self) -> DynContract;

    /// Returns whether the node works by itself or asks a person.
    fn kind(&self) -> NodeKind {
        NodeKind::Task
    }

    /// Runs the node on the fields that its contract names. Of other fields it may see a default.
    ///
    /// # Errors
    ///
    /// Whatever keeps the node from concluding.
    async fn run(&self, state: &mut S, cx: &mut Context<'_>) -> Result<DynOutcome, NodeError>;
}

/// An outcome that a [`DynNode`] declares.
///
/// ```
/// use handoffs_runtime::DynVariant;
///
/// let found = DynVariant::new("Found").gives(["account"]);
/// assert_eq!(found.name(), "Found");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DynVariant {
    pub(super) name: String,
    pub(super) gives: Vec<String>,
}

impl DynVariant {
    /// Names an outcome.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            gives: Vec::new(),
        }
    }

    /// Promises that these fields are set whenever the node concludes this.
    pub fn gives(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.gives.extend(fields.into_iter().map(Into::into));
        self
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<T: Into<String>> From<T> for DynVariant {
    fn from(name: T) -> Self {
        Self::new(name)
    }
}

/// What a [`DynNode`] reads, writes, needs and gives, by the names of fields.
///
/// ```
/// use handoffs_runtime::DynContract;
///
/// let contract = DynContract::new().reads(["messages"]).needs(["account"]).gives(["refund"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DynContract {
    pub(super) reads: Vec<String>,
    pub(super) writes: Vec<String>,
    pub(super) needs: Vec<String>,
    pub(super) gives: Vec<String>,
    pub(super) item: bool,
}

impl DynContract {
    /// A node that touches nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The node sees these fields.
    pub fn reads(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.reads.extend(fields.into_iter().map(Into::into));
        self
    }

    /// The node may change these fields, and may unset those that are an `Option`.
    pub fn writes(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.writes.extend(fields.into_iter().map(Into::into));
        self
    }

    /// The node sees these fields, and they must be set before it runs.
    pub fn needs(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.needs.extend(fields.into_iter().map(Into::into));
        self
    }

    /// The node may change these fields, and they are set after it, whatever it concludes.
    pub fn gives(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.gives.extend(fields.into_iter().map(Into::into));
        self
    }

    /// The node works on an item, which it gets with [`Context::item`].
    pub fn takes_item(mut self) -> Self {
        self.item = true;
        self
    }
}

/// What a [`DynNode`] concluded: the name of an outcome, and what the receiver is told.
///
/// ```
/// use handoffs_runtime::DynOutcome;
///
/// let outcome = DynOutcome::new("Billing").with(&("double charge", 12))?;
/// assert_eq!(outcome.name(), "Billing");
/// # Ok::<(), handoffs_runtime::JsonError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DynOutcome {
    pub(super) name: Cow<'static, str>,
    pub(super) payload: Option<Json>,
}

impl DynOutcome {
    /// Concludes the outcome of this name.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            payload: None,
        }
    }

    /// Adds what the receiver is told.
    ///
    /// # Errors
    ///
    /// Fails as [`Json::of`] does.
    pub fn with<T: Serialize + ?Sized>(mut self, payload: &T) -> Result<Self, JsonError> {
        self.payload = Some(Json::of(payload)?);
        Ok(self)
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }
}
