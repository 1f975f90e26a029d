//! Who handed over to whom, so that what leads back finds its way.

use serde::{Deserialize, Serialize};

/// The nodes that handed over, on the way to the node that is due: the last one to it, the one before to
/// that, up to where the path began. Who goes back takes the last one off, so whoever is gone back to stands
/// where it stood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Frames(Vec<u16>);

impl Frames {
    /// Returns who handed over to the node that is due.
    pub(super) fn caller(&self) -> Option<u16> {
        self.0.last().copied()
    }

    /// Notes that a node handed over to another. To itself none does.
    pub(super) fn hand_over(&mut self, from: u16, to: u16) {
        if from != to {
            self.0.push(from);
        }
    }

    /// Notes that the run went back.
    pub(super) fn go_back(&mut self) {
        self.0.pop();
    }

    /// Returns the same frames with other places for the nodes.
    pub(super) fn moved<E>(&self, node: impl FnMut(u16) -> Result<u16, E>) -> Result<Self, E> {
        let moved = self.0.iter().copied().map(node);
        moved.collect::<Result<_, _>>().map(Self)
    }
}

impl FromIterator<u16> for Frames {
    fn from_iter<I: IntoIterator<Item = u16>>(nodes: I) -> Self {
        Self(nodes.into_iter().collect())
    }
}
