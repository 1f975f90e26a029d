//! The name of a node in a graph that is built at run time.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The name of a node in a graph that is built at run time; it is cheap to clone.
///
/// ```
/// use handoffs_runtime::NodeName;
///
/// let billing = NodeName::from("billing");
/// assert_eq!(billing.as_str(), "billing");
/// assert_eq!(billing.to_string(), "billing");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for NodeName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for NodeName {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<&String> for NodeName {
    fn from(name: &String) -> Self {
        Self(name.as_str().into())
    }
}

impl From<&Self> for NodeName {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

impl Borrow<str> for NodeName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
