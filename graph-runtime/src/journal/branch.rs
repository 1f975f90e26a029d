//! Which path through a run an entry belongs to.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path through a run: the trunk, a branch of a fork, or the run of a subgraph.
///
/// Its text names the way there, such as `12.0/15.3`: the branch 0 that began at entry 12, and within
/// it branch 3 that began at entry 15. That of the trunk is empty.
///
/// ```
/// use handoffs_runtime::BranchId;
///
/// let branch: BranchId = "12.0/15.3".parse()?;
/// assert_eq!(branch.parent().unwrap().to_string(), "12.0");
/// assert!(BranchId::TRUNK.parent().is_none());
/// # Ok::<(), handoffs_runtime::BranchIdError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchId(Option<Arc<[Turn]>>);

/// Where a branch leaves its parent: after which entry, and which of the branches there.
type Turn = (u64, u32);

/// A text that names no branch.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` names no branch: `12.0/15.3` would")]
pub struct BranchIdError(String);

impl BranchId {
    /// The path that is no branch.
    pub const TRUNK: Self = Self(None);

    /// Returns whether this is the trunk.
    pub const fn is_trunk(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the branch that leaves this path after an entry.
    pub(crate) fn child(&self, after: u64, index: u32) -> Self {
        let turns = self.turns().iter().copied();
        Self(Some(turns.chain([(after, index)]).collect()))
    }

    /// Becomes another branch of the same fork.
    pub(crate) fn turn_to(&mut self, index: u32) {
        let turns = self.0.as_mut().map(Arc::make_mut);
        if let Some((_, place)) = turns.and_then(<[Turn]>::last_mut) {
            *place = index;
        }
    }

    /// Returns the path that this branch leaves; none for the trunk.
    pub fn parent(&self) -> Option<Self> {
        let (_, parent) = self.turns().split_last()?;
        Some(Self((!parent.is_empty()).then(|| parent.into())))
    }

    /// Returns whether this is that path, or one that leaves it.
    pub(crate) fn is_on(&self, path: &Self) -> bool {
        self.turns().starts_with(path.turns())
    }

    /// Returns which of its fork's branches this is, counted from 0 in the written order, or in the
    /// order of the items; none for the trunk.
    pub fn index(&self) -> Option<u32> {
        self.turns().last().map(|(_, index)| *index)
    }

    /// Returns the entry behind which this branch leaves its parent; none for the trunk.
    pub(crate) fn after(&self) -> Option<u64> {
        self.turns().last().map(|(after, _)| *after)
    }

    fn turns(&self) -> &[Turn] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for BranchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turns = self.turns().iter();
        let turns: Vec<_> = turns
            .map(|(after, index)| format!("{after}.{index}"))
            .collect();
        // `pad` lets a table align it.
        f.pad(&turns.join("/"))
    }
}

impl FromStr for BranchId {
    type Err = BranchIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::TRUNK);
        }
        let turn = |turn: &str| {
            let (after, index) = turn.split_once('.')?;
            Some((after.parse().ok()?, index.parse().ok()?))
        };
        let turns: Option<Arc<[Turn]>> = text.split('/').map(turn).collect();
        turns
            .map(|turns| Self(Some(turns)))
            .ok_or_else(|| BranchIdError(text.to_owned()))
    }
}

impl Serialize for BranchId {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BranchId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_read_back_as_what_it_was() {
        let trunk = BranchId::TRUNK;
        let deep = trunk.child(12, 0).child(15, 3);
        assert_eq!(deep.to_string(), "12.0/15.3");
        assert_eq!(deep.to_string().parse::<BranchId>().unwrap(), deep);
        assert_eq!("".parse::<BranchId>().unwrap(), trunk);
        assert_eq!(deep.parent(), Some(trunk.child(12, 0)));
        assert_eq!(trunk.child(12, 0).parent(), Some(trunk.clone()));
        let mut other = deep.clone();
        other.turn_to(4);
        assert_eq!(other, trunk.child(12, 0).child(15, 4));
        assert_eq!(
            deep,
            trunk.child(12, 0).child(15, 3),
            "a clone is left as it is"
        );
        for text in ["12", "12.0/", "a.b", "1.2.3", "-1.0"] {
            assert!(text.parse::<BranchId>().is_err(), "{text}");
        }
    }
}
