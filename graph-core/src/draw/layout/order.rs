//! The order of the cells in each layer, with few crossings.

use super::Cell;

/// How often the layers are gone through, down and up.
const SWEEPS: usize = 24;

/// Returns the cells of each layer from left to right.
///
/// The first order is that of a walk from above, which follows the order of declaration. Then each
/// layer in turn is sorted by the mean place of its neighbours, down and up again, and the best of
/// all orders is kept.
pub(super) fn layers(cells: &[Cell]) -> Vec<Vec<usize>> {
    let count = cells.iter().map(|cell| cell.layer + 1).max().unwrap_or(0);
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); count];
    for cell in walk(cells) {
        layers[cells[cell].layer].push(cell);
    }
    let mut places = vec![0.0; cells.len()];
    for layer in &layers {
        note(layer, &mut places);
    }
    let mut fewest = crossings(cells, &layers, &places);
    let mut best = layers.clone();
    for sweep in 0..SWEEPS {
        if fewest == 0 {
            break;
        }
        let is_down = sweep % 2 == 0;
        for turn in 0..count {
            let layer = if is_down { turn } else { count - 1 - turn };
            sort(cells, &mut layers[layer], &mut places, is_down);
        }
        for layer in &mut layers {
            swap(cells, layer, &mut places);
        }
        let found = crossings(cells, &layers, &places);
        if found < fewest {
            fewest = found;
            best.clone_from(&layers);
        }
    }
    best
}

/// Returns all cells as a walk down from each of them meets them.
fn walk(cells: &[Cell]) -> Vec<usize> {
    let mut met = vec![false; cells.len()];
    let mut order = Vec::with_capacity(cells.len());
    let mut roots: Vec<_> = (0..cells.len()).collect();
    roots.sort_by_key(|cell| !cells[*cell].above.is_empty());
    for root in roots {
        let mut stack = vec![root];
        while let Some(cell) = stack.pop() {
            if !std::mem::replace(&mut met[cell], true) {
                order.push(cell);
                stack.extend(cells[cell].below.iter().rev().map(|(low, _)| *low));
            }
        }
    }
    order
}

#[expect(clippy::cast_precision_loss, reason = "no layer has so many cells")]
fn note(layer: &[usize], places: &mut [f64]) {
    for (place, cell) in layer.iter().enumerate() {
        places[*cell] = place as f64;
    }
}

fn sort(cells: &[Cell], layer: &mut [usize], places: &mut [f64], is_down: bool) {
    let mut keys: Vec<_> = (layer.iter())
        .map(|cell| {
            let near = if is_down {
                &cells[*cell].above
            } else {
                &cells[*cell].below
            };
            let mean = mean(near.iter().map(|(near, _)| places[*near]));
            (mean.unwrap_or(places[*cell]), *cell)
        })
        .collect();
    keys.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (slot, (_, cell)) in layer.iter_mut().zip(keys) {
        *slot = cell;
    }
    note(layer, places);
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// Swaps neighbours for as long as that makes crossings fewer.
fn swap(cells: &[Cell], layer: &mut [usize], places: &mut [f64]) {
    const ROUNDS: usize = 4;
    for _ in 0..ROUNDS {
        let mut is_better = false;
        for place in 1..layer.len() {
            let (left, right) = (&cells[layer[place - 1]], &cells[layer[place]]);
            let pairs = [(&left.above, &right.above), (&left.below, &right.below)];
            let count = |turn: bool| -> usize {
                let both = pairs.iter().map(|(left, right)| {
                    let (left, right) = if turn { (right, left) } else { (left, right) };
                    let ends = left.iter().flat_map(|a| right.iter().map(move |b| (a, b)));
                    ends.filter(|(a, b)| places[a.0] > places[b.0]).count()
                });
                both.sum()
            };
            if count(true) < count(false) {
                layer.swap(place - 1, place);
                is_better = true;
            }
        }
        note(layer, places);
        if !is_better {
            return;
        }
    }
}

/// Counts the crossings of all arrows.
fn crossings(cells: &[Cell], layers: &[Vec<usize>], places: &[f64]) -> usize {
    let between = layers.iter().map(|layer| {
        // With the upper ends in order, each pair of lower ends out of order is a crossing.
        let mut ends = Vec::new();
        for cell in layer {
            let mut below: Vec<_> = cells[*cell]
                .below
                .iter()
                .map(|(low, _)| places[*low])
                .collect();
            below.sort_by(f64::total_cmp);
            ends.extend(below);
        }
        inversions(&mut ends)
    });
    between.sum()
}

/// Counts the pairs that are out of order, and sorts.
fn inversions(ends: &mut [f64]) -> usize {
    if ends.len() < 2 {
        return 0;
    }
    let middle = ends.len() / 2;
    let mut count = inversions(&mut ends[..middle]) + inversions(&mut ends[middle..]);
    let (left, right) = ends.split_at(middle);
    let (mut left, mut right) = (left, right);
    let mut sorted = Vec::with_capacity(left.len() + right.len());
    while let ([first, rest @ ..], [other, others @ ..]) = (left, right) {
        if first <= other {
            sorted.push(*first);
            left = rest;
        } else {
            count += left.len();
            sorted.push(*other);
            right = others;
        }
    }
    sorted.extend_from_slice(left);
    sorted.extend_from_slice(right);
    ends.copy_from_slice(&sorted);
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_out_of_order_counts_once() {
        assert_eq!(inversions(&mut [1.0, 2.0, 3.0]), 0);
        assert_eq!(inversions(&mut [3.0, 2.0, 1.0]), 3);
        assert_eq!(inversions(&mut [2.0, 2.0, 1.0, 3.0]), 2);
    }
}
