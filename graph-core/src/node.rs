//! What a graph knows of a node before it runs: its contract, and what it can conclude.

use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::Contract;
use crate::nested::shape_of;
use crate::outcome::Outcome;
use crate::topology::{NodeKind, NodeShape, Topology};
use crate::undo::Undo;

/// A unit of work in a graph over the state `S`, often an agent.
///
/// Write it with `#[node(S)]` on an `async fn` or on an `impl` block: the signature is the contract.
/// This trait is what a graph checks; how the node runs is `Execute`, of the runtime.
#[diagnostic::on_unimplemented(
    message = "H011: `{Self}` is not a node for the state `{S}`",
    label = "not a node of this graph's state",
    note = "write `#[node({S})]` on its `async fn` or `impl` block, and use the graph's own state there"
)]
pub trait Node<S>: Send + Sync + 'static {
    /// What the node can conclude; a graph routes on it.
    type Outcome: Outcome;
    /// What the node reads, may write, needs and gives.
    const CONTRACT: Contract;
    /// Whether the node works by itself or asks a person.
    const KIND: NodeKind = NodeKind::Task;
    /// The most handoffs inside the node: none, unless it is a graph.
    const INNER_HANDOFFS: u64 = 0;

    /// Returns the shape of the graph that the node is, if it is one.
    fn inner() -> Option<Topology> {
        None
    }

    /// Returns the shape of a node of this type.
    #[doc(hidden)]
    fn __shape(name: &'static str, doc: &'static str) -> NodeShape {
        shape_of(
            NodeShape::new(name).doc(doc).kind(Self::KIND),
            Self::inner(),
        )
    }
}

/// A node that works on one item of an `each`, which hands one to each of its branches.
///
/// `#[node]` writes it for a node with a parameter taken by value: that is the item.
#[diagnostic::on_unimplemented(
    message = "H009: `{Self}` takes no item",
    label = "this node takes no item",
    note = "an `each` hands an item to its worker: give the node a parameter by value, as in \
            `async fn research(question: Question)`"
)]
pub trait Worker<S>: Node<S> {
    /// What the node works on. A journal keeps it, and a step that is repeated gets it again.
    type Item: Clone + Serialize + DeserializeOwned + Send + Sync + 'static;
}

/// How a node's parameter `&T` or `&mut T` reads a field: as it is, or the value of an `Option`.
#[diagnostic::on_unimplemented(
    message = "H011: a field of type `{Self}` cannot be taken as `{T}`",
    label = "the field is of type `{Self}`",
    note = "take the field by its own type, or an `Option<T>` field as `&T`: then it must be set before"
)]
pub trait Access<T: ?Sized> {
    /// Whether the field must be set for this.
    const NEEDS: bool;

    /// Returns the value to read, or `None` if the field is not set.
    fn read(&self) -> Option<&T>;
}

/// How a node's parameter `&mut T` writes a field: as it is, or the value of an `Option`.
#[diagnostic::on_unimplemented(
    message = "H011: a field of type `{Self}` cannot be taken as `{T}`",
    label = "the field is of type `{Self}`",
    note = "take the field by its own type, or an `Option<T>` field as `&mut T`: then it must be set before"
)]
pub trait AccessMut<T: ?Sized>: Access<T> {
    /// Returns the value to write, or `None` if the field is not set.
    fn write(&mut self) -> Option<&mut T>;
}

#[diagnostic::do_not_recommend]
impl<T> Access<T> for T {
    const NEEDS: bool = false;

    fn read(&self) -> Option<&T> {
        Some(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T> AccessMut<T> for T {
    fn write(&mut self) -> Option<&mut T> {
        Some(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T> Access<T> for Option<T> {
    const NEEDS: bool = true;

    fn read(&self) -> Option<&T> {
        self.as_ref()
    }
}

#[diagnostic::do_not_recommend]
impl<T> AccessMut<T> for Option<T> {
    fn write(&mut self) -> Option<&mut T> {
        self.as_mut()
    }
}

macro_rules! unsized_reads {
    ($($owned:ty as $borrowed:ty, for <$($param:ident)?>;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($param)?> Access<$borrowed> for $owned {
            const NEEDS: bool = false;

            fn read(&self) -> Option<&$borrowed> {
                Some(self)
            }
        }

        #[diagnostic::do_not_recommend]
        impl<$($param)?> Access<$borrowed> for Option<$owned> {
            const NEEDS: bool = true;

            fn read(&self) -> Option<&$borrowed> {
                self.as_deref()
            }
        }
    )*};
}

unsized_reads! {
    String as str, for <>;
    Vec<T> as [T], for <T>;
}

/// Returns whether reading a field as `T` needs it to be set; the field's type is inferred from the path.
#[doc(hidden)]
pub const fn needs<S, T: ?Sized, F: Access<T>>(_: fn(&S) -> &F) -> bool {
    F::NEEDS
}

/// Returns whether writing a field as `T` needs it to be set; the field's type is inferred from the path.
#[doc(hidden)]
pub const fn needs_mut<S, T: ?Sized, F: AccessMut<T>>(_: fn(&S) -> &F) -> bool {
    F::NEEDS
}

/// Returns that a field can be given; its type is inferred from the path.
#[doc(hidden)]
pub const fn gives<S, T, F: Given<T>>(_: fn(&S) -> &F) -> bool {
    F::GIVEN
}

/// A field that a parameter `Out<'_, T>` can stand for.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "H011: `Out<'_, {T}>` cannot set a field of type `{Self}`",
    label = "the field is of type `{Self}`",
    note = "`Out<'_, T>` stands for a field of type `Option<T>`; any other field is always set, so take it as `&mut`"
)]
pub trait Given<T> {
    /// That it can.
    const GIVEN: bool = true;
}

#[diagnostic::do_not_recommend]
impl<T> Given<T> for Option<T> {}

/// Returns that a field can be replaced; its type is inferred from the path.
#[doc(hidden)]
pub const fn replaces<S, T, F: Replaced<T>>(_: fn(&S) -> &F) -> bool {
    F::REPLACED
}

/// A field that a parameter `Replace<'_, T>` can stand for.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "H011: `Replace<'_, {T}>` cannot replace a field of type `{Self}`",
    label = "the field is of type `{Self}`",
    note = "`Replace<'_, T>` stands for a field of the very type `T`: write `Replace<'_, {Self}>`"
)]
pub trait Replaced<T> {
    /// That it can.
    const REPLACED: bool = true;
}

#[diagnostic::do_not_recommend]
impl<T> Replaced<T> for T {}

/// A field that a node promises to set: it holds a value when the node returns.
///
/// As a parameter of a node, `account: Out<'_, Account>` stands for the field
/// `account: Option<Account>`. A node that returns without having set it fails, in its own name. The value
/// that the field holds already is copied only for [`get_mut`](Self::get_mut).
///
/// ```
/// use handoffs_core::Out;
///
/// fn look_up(mut name: Out<'_, String>) {
///     if name.get().is_none() {
///         name.set("Ada".to_owned());
///     }
/// }
///
/// let mut name = None;
/// look_up(Out::new(&mut name));
/// assert_eq!(name.as_deref(), Some("Ada"));
/// ```
pub struct Out<'a, T> {
    field: &'a mut Option<T>,
    /// Where what the field held before is kept, if somebody may want it back.
    before: Option<Before<'a, Option<T>>>,
}

/// A place for what a field was before it was set.
type Before<'a, F> = &'a mut Option<F>;

impl<'a, T> Out<'a, T> {
    /// Makes a promise to set `field`; in a unit test of a node, any local variable will do.
    pub fn new(field: &'a mut Option<T>) -> Self {
        Self {
            field,
            before: None,
        }
    }

    /// Makes a promise to set a field that can be put back.
    #[inline]
    pub(crate) fn undoable(undo: &'a mut Undo<'_, Option<T>>) -> Self {
        Self {
            field: undo.field,
            before: Some(&mut undo.before),
        }
    }

    /// Sets the field.
    #[inline]
    pub fn set(&mut self, value: T) {
        let was = self.field.replace(value);
        if let Some(before) = &mut self.before
            && before.is_none()
        {
            **before = Some(was);
        }
    }

    /// Returns the value that the field holds so far, to be changed.
    pub fn get_mut(&mut self) -> Option<&mut T>
    where
        T: Clone,
    {
        if let Some(before) = &mut self.before
            && before.is_none()
        {
            **before = Some(self.field.clone());
        }
        self.field.as_mut()
    }

    /// Returns the value that the field holds so far.
    pub const fn get(&self) -> Option<&T> {
        self.field.as_ref()
    }
}

impl<T: fmt::Debug> fmt::Debug for Out<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Out").field(&self.get()).finish()
    }
}

/// A field that a node writes to the exclusion of other branches: where branches meet, what it made
/// of the field stands, and what they made of it is dropped.
///
/// As a parameter of a node, `verdict: Replace<'_, Log<Finding>>` stands for the field
/// `verdict: Log<Finding>`, which would otherwise be merged. A node that leaves the field alone
/// replaces nothing. Two branches of one fork that may both replace a field are refused (H008).
///
/// ```
/// use handoffs_core::{Log, Replace};
///
/// fn start_over(mut findings: Replace<'_, Log<&str>>) {
///     if findings.get().len() > 1 {
///         findings.set(Log::new());
///     }
/// }
///
/// let mut findings = Log::from(vec!["a rumour", "another"]);
/// start_over(Replace::new(&mut findings));
/// assert!(findings.is_empty());
/// ```
#[derive(Debug)]
pub struct Replace<'a, T> {
    field: &'a mut T,
    noted: Option<&'a mut bool>,
}

impl<'a, T> Replace<'a, T> {
    /// Takes `field`; in a unit test of a node, any local variable will do.
    pub fn new(field: &'a mut T) -> Self {
        Self { field, noted: None }
    }

    /// Takes `field`, and sets `noted` once it is replaced.
    #[doc(hidden)]
    pub fn __noted(field: &'a mut T, noted: &'a mut bool) -> Self {
        Self {
            field,
            noted: Some(noted),
        }
    }

    /// Replaces the value.
    pub fn set(&mut self, value: T) {
        *self.get_mut() = value;
    }

    /// Returns the value to be changed: from here on it counts as replaced.
    pub fn get_mut(&mut self) -> &mut T {
        if let Some(noted) = &mut self.noted {
            **noted = true;
        }
        self.field
    }

    /// Returns the value that the field holds so far.
    pub fn get(&self) -> &T {
        self.field
    }
}

/// The field before and after a node ran on a copy of it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Draft<'a, T> {
    /// The field as it was.
    pub before: &'a T,
    /// The field as the node left it.
    pub after: &'a T,
}

/// How a node's write to a field is kept.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a field is left, continued or replaced"
)]
pub enum Change {
    /// The field is as it was.
    None,
    /// A log was appended to.
    Appended,
    /// The field has another value.
    Set,
}

impl Change {
    /// Returns whether the field is another than it was. Only then does the node's copy enter the
    /// state, so that the state and its journal agree whatever a type's `PartialEq` overlooks.
    #[inline]
    pub const fn is_one(self) -> bool {
        !matches!(self, Self::None)
    }

    /// Returns the change, which is one even if the value is as it was.
    #[inline]
    pub const fn or_set(self) -> Self {
        match self {
            Self::None => Self::Set,
            change => change,
        }
    }
}

// As with `Probe`, the compiler picks the first that fits: a log, a type that can be compared, any type.
impl<T> Draft<'_, crate::Log<T>> {
    /// Tells how a log changed.
    pub fn change(&self) -> Change {
        if !self.after.continues(self.before) {
            Change::Set
        } else if self.after.len() > self.before.len() {
            Change::Appended
        } else {
            Change::None
        }
    }
}

/// How a field of a type that can be compared changed.
#[doc(hidden)]
pub trait Compared {
    /// Tells how the field changed.
    fn change(&self) -> Change;
}

impl<T: PartialEq> Compared for Draft<'_, T> {
    fn change(&self) -> Change {
        if self.before == self.after {
            Change::None
        } else {
            Change::Set
        }
    }
}

/// How a field of a type that cannot be compared changed: it counts as changed.
#[doc(hidden)]
pub trait Uncompared {
    /// Tells that the field may have changed.
    fn change(&self) -> Change;
}

impl<T> Uncompared for &Draft<'_, T> {
    fn change(&self) -> Change {
        Change::Set
    }
}
