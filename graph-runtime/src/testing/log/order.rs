//! The order of the turns: that of the run, and within a fork branch by branch.

use std::collections::HashMap;

use super::Turn;
use crate::journal::BranchId;

/// What was told, each turn with its place.
#[derive(Default)]
pub(super) struct Told {
    turns: Vec<(Place, Turn)>,
    paths: HashMap<BranchId, Path>,
}

/// How a turn is ordered: by the turns of the paths that it is within, and by branches between them.
type Place = Vec<usize>;

/// How far a path was told.
#[derive(Clone, Default)]
struct Path {
    prefix: Place,
    turns: usize,
}

impl Told {
    /// Tells the next turn on a path through the run.
    pub(super) fn tell(&mut self, branch: &BranchId, mut turn: Turn) {
        turn.line = format!("{}{}", places(branch), turn.line);
        // What leaves this path is over by now, and without a journal the next fork has the same name.
        self.paths
            .retain(|path, _| path == branch || !path.is_on(branch));
        self.open(branch);
        let Some(path) = self.paths.get_mut(branch) else {
            return;
        };
        path.turns += 1;
        let place = path.prefix.iter().copied().chain([path.turns, 0]).collect();
        self.turns.push((place, turn));
    }

    /// Sees to it that a path is known, and those that it leaves.
    fn open(&mut self, branch: &BranchId) {
        if self.paths.contains_key(branch) {
            return;
        }
        let mut prefix = Place::new();
        if let Some(parent) = branch.parent() {
            self.open(&parent);
            if let Some(parent) = self.paths.get(&parent) {
                prefix.clone_from(&parent.prefix);
                prefix.push(parent.turns);
            }
            let index = branch.index().and_then(|index| usize::try_from(index).ok());
            prefix.push(index.unwrap_or_default() + 1);
        }
        self.paths.insert(branch.clone(), Path { prefix, turns: 0 });
    }

    /// Returns the turns in their order.
    pub(super) fn in_order(mut self) -> Vec<Turn> {
        self.turns.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.turns.into_iter().map(|(_, turn)| turn).collect()
    }
}

/// Returns the places of the branches that a path is in: `1.0 ` is the first branch of a fork in the
/// second of one.
fn places(branch: &BranchId) -> String {
    let mut places = Vec::new();
    let mut path = Some(branch.clone());
    while let Some(branch) = path {
        places.extend(branch.index().map(|index| index.to_string()));
        path = branch.parent();
    }
    places.reverse();
    if places.is_empty() {
        String::new()
    } else {
        format!("{} ", places.join("."))
    }
}
