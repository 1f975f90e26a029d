//! Who may do what: scopes, and what is granted of them.

use std::borrow::Cow;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// What the nodes of a graph may be allowed to do: an enum, of which each variant is the name of one thing.
///
/// Derive it. The docs of a variant say what it allows.
///
/// ```
/// # use handoffs_core as handoffs;
/// use handoffs_core::Scope;
///
/// # struct Desk;
/// # impl Scope for Desk {
/// #     const SCOPES: &'static [(&'static str, &'static str)] = &[("Refund", "")];
/// #     fn index(&self) -> usize { 0 }
/// # }
/// # const _: &str = stringify! {
/// #[derive(Scope)]
/// enum Desk {
///     /// Pays money back.
///     Refund,
/// }
/// # };
/// # let refund = Desk;
/// # const _: &str = stringify! {
/// let refund = Desk::Refund;
/// # };
///
/// assert_eq!(refund.name(), "Refund");
/// ```
#[diagnostic::on_unimplemented(
    message = "H011: `{Self}` is no enum of scopes",
    label = "not what nodes may be allowed to do",
    note = "write `#[derive(Scope)]` on an enum whose variants have no fields"
)]
pub trait Scope: Send + Sync + 'static {
    /// The names of the scopes in the order of declaration, each with its documentation.
    const SCOPES: &'static [(&'static str, &'static str)];

    /// Returns the scope's place among all.
    fn index(&self) -> usize;

    /// Returns the scope's name: that of its variant.
    fn name(&self) -> &'static str {
        Self::SCOPES.get(self.index()).map_or("?", |(name, _)| name)
    }
}

/// A scope as the topology knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ScopeShape {
    /// The scope's name.
    pub name: Cow<'static, str>,
    /// Its documentation, if it has any.
    pub doc: Cow<'static, str>,
}

impl ScopeShape {
    /// Names a scope that has no documentation.
    ///
    /// ```
    /// use handoffs_core::ScopeShape;
    ///
    /// let scope = ScopeShape::new("Refund").doc("Pays money back.");
    /// assert_eq!(scope.name, "Refund");
    /// ```
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            doc: Cow::Borrowed(""),
        }
    }

    /// Adds the documentation.
    pub fn doc(mut self, doc: impl Into<Cow<'static, str>>) -> Self {
        self.doc = doc.into();
        self
    }

    /// Returns all scopes of an enum.
    #[doc(hidden)]
    pub fn __all<T: Scope>() -> Vec<Self> {
        let scopes = T::SCOPES.iter();
        scopes
            .map(|(name, doc)| Self::new(*name).doc(*doc))
            .collect()
    }
}

/// Which scopes a node may use, and which it may grant to others.
///
/// ```
/// use handoffs_core::May;
///
/// let may = May::new().uses(["ReadOrders"]).grants(["ReadOrders", "Refund"]);
/// assert_eq!(may.to_string(), "may(use(ReadOrders), grant(ReadOrders, Refund))");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct May {
    /// What it may do itself.
    pub uses: Vec<Cow<'static, str>>,
    /// What it may let those do to whom it hands over.
    pub grants: Vec<Cow<'static, str>>,
}

impl May {
    /// Allows nothing.
    pub const fn new() -> Self {
        Self {
            uses: Vec::new(),
            grants: Vec::new(),
        }
    }

    /// Allows to use these scopes.
    pub fn uses(mut self, scopes: impl IntoIterator<Item = impl Into<Cow<'static, str>>>) -> Self {
        self.uses.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Allows to grant these scopes to others.
    pub fn grants(
        mut self,
        scopes: impl IntoIterator<Item = impl Into<Cow<'static, str>>>,
    ) -> Self {
        self.grants.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Returns whether nothing is allowed.
    pub const fn is_empty(&self) -> bool {
        self.uses.is_empty() && self.grants.is_empty()
    }

    /// Returns whether a scope may be used or granted.
    pub fn names(&self, scope: &str) -> bool {
        self.uses.iter().chain(&self.grants).any(|own| own == scope)
    }
}

impl fmt::Display for May {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |word: &str, scopes: &[Cow<'static, str>]| {
            (!scopes.is_empty()).then(|| format!("{word}({})", scopes.join(", ")))
        };
        let parts = [part("use", &self.uses), part("grant", &self.grants)];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        write!(f, "may({})", parts.join(", "))
    }
}

/// What is granted: some scopes, and how much may be used up with them.
///
/// An edge grants to the node to which it leads, at most so much as the one that hands over has left. What
/// a run begins with is granted by whoever begins it.
///
/// ```
/// use handoffs_core::Grant;
///
/// let grant = Grant::of(["ReadOrders", "Refund"]).spend_micros(50_000_000).calls(20);
/// assert_eq!(grant.to_string(), "grant(ReadOrders, Refund, spend = 50000000, calls = 20)");
/// assert!(grant.has("Refund") && !grant.has("Close"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Grant {
    /// The scopes; none stands for all that there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Cow<'static, [Cow<'static, str>]>>,
    /// The most that may be spent, in millionths of the currency's unit, if there is a bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spend_micros: Option<u64>,
    /// The most calls of tools that need a scope, if there is a bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// How many handoffs from here on may grant something, if there is a bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// When it ends, in milliseconds since 1970 in UTC, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
}

impl Grant {
    /// Grants all scopes, without a bound.
    pub const fn all() -> Self {
        Self {
            scopes: None,
            spend_micros: None,
            calls: None,
            depth: None,
            expires_ms: None,
        }
    }

    /// Grants these scopes, without a bound.
    pub fn of(scopes: impl IntoIterator<Item = impl Into<Cow<'static, str>>>) -> Self {
        Self {
            scopes: Some(scopes.into_iter().map(Into::into).collect()),
            ..Self::all()
        }
    }

    /// Bounds what may be spent, in millionths of the currency's unit.
    pub const fn spend_micros(mut self, most: u64) -> Self {
        self.spend_micros = Some(most);
        self
    }

    /// Bounds how many calls there may be of tools that need a scope.
    pub const fn calls(mut self, most: u64) -> Self {
        self.calls = Some(most);
        self
    }

    /// Bounds how many handoffs in a row may grant something: with 0, nothing is passed on.
    pub const fn depth(mut self, handoffs: u32) -> Self {
        self.depth = Some(handoffs);
        self
    }

    /// Says when it ends.
    pub fn expires(mut self, at: SystemTime) -> Self {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.expires_ms = Some(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Returns whether a scope is granted.
    pub fn has(&self, scope: &str) -> bool {
        let scopes = self.scopes.as_ref();
        scopes.is_none_or(|scopes| scopes.iter().any(|own| own == scope))
    }

    /// Returns the scopes that are named.
    pub fn named(&self) -> &[Cow<'static, str>] {
        self.scopes.as_deref().unwrap_or_default()
    }

    /// Returns what is left of this grant where another one holds as well: the scopes that both name, and the
    /// smaller of each amount.
    ///
    /// ```
    /// use handoffs_core::Grant;
    ///
    /// let house = Grant::of(["ReadOrders", "Refund"]).spend_micros(50_000_000);
    /// let visitor = Grant::of(["Refund", "Close"]).calls(20).within(&house);
    /// assert_eq!(visitor.to_string(), "grant(Refund, spend = 50000000, calls = 20)");
    /// ```
    pub fn within(&self, bound: &Self) -> Self {
        let scopes = match (&self.scopes, &bound.scopes) {
            (Some(own), Some(_)) => {
                let both = own.iter().filter(|scope| bound.has(scope)).cloned();
                Some(both.collect())
            }
            (own, bound) => own.clone().or_else(|| bound.clone()),
        };
        Self {
            scopes,
            spend_micros: least(self.spend_micros, bound.spend_micros),
            calls: least(self.calls, bound.calls),
            depth: least(self.depth, bound.depth),
            expires_ms: least(self.expires_ms, bound.expires_ms),
        }
    }

    /// Builds a grant of all the parts that an edge can say; the derive writes its tables with this.
    #[doc(hidden)]
    pub const fn __new(
        scopes: &'static [Cow<'static, str>],
        spend_micros: Option<u64>,
        calls: Option<u64>,
        depth: Option<u32>,
    ) -> Self {
        Self {
            scopes: Some(Cow::Borrowed(scopes)),
            spend_micros,
            calls,
            depth,
            expires_ms: None,
        }
    }
}

/// Returns the smaller of two bounds, of which none is none.
fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    one.into_iter().chain(other).min()
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scopes = match &self.scopes {
            None => vec!["_".to_owned()],
            Some(scopes) => scopes.iter().map(ToString::to_string).collect(),
        };
        let amounts = [
            ("spend", self.spend_micros),
            ("calls", self.calls),
            ("depth", self.depth.map(u64::from)),
            ("expires", self.expires_ms),
        ];
        let amounts = amounts
            .into_iter()
            .filter_map(|(name, amount)| Some(format!("{name} = {}", amount?)));
        let parts: Vec<_> = scopes.into_iter().chain(amounts).collect();
        write!(f, "grant({})", parts.join(", "))
    }
}
