//! Which entries ask a person, and which close a question.

use super::entry::{Approval, Ask, AskId, Recorded};

impl Recorded {
    /// Returns the question that this put to a person, of a node or whether a handoff may be.
    pub const fn asks(&self) -> Option<&Ask> {
        match self {
            Self::Asked(ask)
            | Self::Stepped {
                approval: Some(ask),
                ..
            } => Some(ask),
            _ => None,
        }
    }

    pub(super) const fn asks_mut(&mut self) -> Option<&mut Ask> {
        match self {
            Self::Asked(ask)
            | Self::Stepped {
                approval: Some(ask),
                ..
            } => Some(ask),
            _ => None,
        }
    }

    /// Returns the question that this closed: by an answer, or as its time was over.
    pub const fn closes(&self) -> Option<AskId> {
        match self {
            Self::Answered { ask, .. } | Self::Decided { ask, .. } | Self::Expired { ask, .. } => {
                Some(*ask)
            }
            _ => None,
        }
    }
}

impl Ask {
    /// Returns whether no answer is taken any more, at this time in milliseconds since 1970.
    pub(crate) fn has_expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|until| until <= now_ms)
    }
}

impl Approval {
    /// Refuses the handoff, for this reason.
    ///
    /// ```
    /// use handoffs_runtime::Approval;
    ///
    /// assert_eq!(Approval::refused("too much"), Approval::Refused("too much".to_owned()));
    /// ```
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }

    /// What an approval comes to that nobody has given in time.
    pub(crate) fn late() -> Self {
        Self::refused("nobody answered in time")
    }

    /// Returns why the handoff was refused, if it was.
    pub(crate) fn refusal(&self) -> Option<&str> {
        match self {
            Self::Approved => None,
            Self::Refused(reason) => Some(reason),
        }
    }
}
