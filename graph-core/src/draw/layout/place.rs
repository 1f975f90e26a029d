//! The coordinates of the cells, layer by layer.

use super::Cell;

/// How often the layers are gone through, down and up.
const SWEEPS: usize = 30;

/// Returns the centre of each cell, from left to right.
///
/// Each layer in turn is moved to where its neighbours are, as near as the order and the gaps let it:
/// the sum of the squared distances is the least. The lanes of one arrow pull each other the most, so
/// that a long arrow is straight.
pub(super) fn xs(
    cells: &[Cell],
    layers: &[Vec<usize>],
    lanes: &[Vec<usize>],
    gap: f64,
) -> Vec<f64> {
    let mut xs = vec![0.0; cells.len()];
    for layer in layers {
        let mut at = 0.0;
        for cell in layer {
            let half = cells[*cell].size.0 / 2.0;
            xs[*cell] = at + half;
            at += 2.0 * half + gap;
        }
        for cell in layer {
            xs[*cell] -= at / 2.0;
        }
    }
    for sweep in 0..SWEEPS {
        let is_last = sweep + 6 > SWEEPS;
        let is_down = sweep % 2 == 0;
        for turn in 0..layers.len() {
            let layer = if is_down {
                turn
            } else {
                layers.len() - 1 - turn
            };
            let wishes: Vec<_> = (layers[layer].iter())
                .map(|cell| wish(cells, *cell, &xs, is_last || is_down, is_last || !is_down))
                .collect();
            settle(cells, &layers[layer], &wishes, gap, &mut xs);
        }
    }
    straighten(cells, layers, lanes, gap, &mut xs);
    let left = (cells.iter().zip(&xs)).map(|(cell, x)| x - cell.size.0 / 2.0);
    let left = left.fold(f64::INFINITY, f64::min);
    for x in &mut xs {
        *x -= left;
    }
    xs
}

/// Returns where a cell would like to be, and how much.
fn wish(cells: &[Cell], cell: usize, xs: &[f64], above: bool, below: bool) -> (f64, f64) {
    let own = &cells[cell];
    let near = (own.above.iter().filter(|_| above)).chain(own.below.iter().filter(|_| below));
    let (mut sum, mut weight) = (0.0, 0.0);
    for (other, aside) in near {
        let pull = match (own.is_lane, cells[*other].is_lane) {
            (true, true) => 8.0,
            (true, false) | (false, true) => 2.0,
            (false, false) => 1.0,
        };
        sum += pull * (xs[*other] + aside);
        weight += pull;
    }
    if weight > 0.0 {
        (sum / weight, weight)
    } else {
        (xs[cell], 0.1)
    }
}

/// Moves the cells of a layer to where they would like to be, in their order and with their gaps.
///
/// Cells that would overlap are moved as one, to the mean of their wishes (pool adjacent violators).
fn settle(cells: &[Cell], layer: &[usize], wishes: &[(f64, f64)], gap: f64, xs: &mut [f64]) {
    // The place of each cell if the first stands at 0 and no gap is wider than it must be.
    let mut offsets = Vec::with_capacity(layer.len());
    let mut last: Option<(f64, f64)> = None;
    for cell in layer {
        let half = cells[*cell].size.0 / 2.0;
        let offset = last.map_or(0.0, |(offset, other)| offset + other + gap + half);
        offsets.push(offset);
        last = Some((offset, half));
    }
    // Groups that move as one: the mean of the wishes, their weight, and how many cells.
    let mut groups: Vec<(f64, f64, usize)> = Vec::new();
    for ((wish, weight), offset) in wishes.iter().zip(&offsets) {
        let mut group = (wish - offset, *weight, 1);
        while let Some(before) = groups.pop_if(|before| before.0 > group.0) {
            let weight = before.1 + group.1;
            let mean = (before.0 * before.1 + group.0 * group.1) / weight;
            group = (mean, weight, before.2 + group.2);
        }
        groups.push(group);
    }
    let mut at = 0;
    for (mean, _, count) in groups {
        for place in at..at + count {
            xs[layer[place]] = mean + offsets[place];
        }
        at += count;
    }
}

/// Moves the lanes of each arrow, or of as long a part of it as there is room for, onto one line.
fn straighten(
    cells: &[Cell],
    layers: &[Vec<usize>],
    lanes: &[Vec<usize>],
    gap: f64,
    xs: &mut [f64],
) {
    const ROUNDS: usize = 3;
    let mut places = vec![0; cells.len()];
    for layer in layers {
        for (place, cell) in layer.iter().enumerate() {
            places[*cell] = place;
        }
    }
    // Between which two places a cell can stand while its neighbours stay where they are.
    let room = |cell: usize, xs: &[f64]| {
        let layer = &layers[cells[cell].layer];
        let half = |cell: usize| cells[cell].size.0 / 2.0;
        let left = places[cell]
            .checked_sub(1)
            .and_then(|place| layer.get(place));
        let right = layer.get(places[cell] + 1);
        (
            left.map_or(f64::MIN, |left| xs[*left] + half(*left) + gap + half(cell)),
            right.map_or(f64::MAX, |right| {
                xs[*right] - half(*right) - gap - half(cell)
            }),
        )
    };
    for _ in 0..ROUNDS {
        for lanes in lanes {
            let mut rest = &lanes[..];
            while !rest.is_empty() {
                let (mut low, mut high) = (f64::MIN, f64::MAX);
                let mut length = 0;
                for cell in rest {
                    let (left, right) = room(*cell, xs);
                    if left.max(low) > right.min(high) {
                        break;
                    }
                    (low, high) = (left.max(low), right.min(high));
                    length += 1;
                }
                let (run, next) = rest.split_at(length.max(1));
                if length > 1 {
                    let mut wishes: Vec<_> = run.iter().map(|cell| xs[*cell]).collect();
                    wishes.sort_by(f64::total_cmp);
                    let x = wishes[wishes.len() / 2].clamp(low, high);
                    for cell in run {
                        xs[*cell] = x;
                    }
                }
                rest = next;
            }
        }
    }
}

/// Returns the top and the bottom of each layer. The more an arrow moves aside between two layers, the
/// more room is between them.
pub(super) fn ys(cells: &[Cell], layers: &[Vec<usize>], xs: &[f64], gap: f64) -> Vec<(f64, f64)> {
    const STEEPEST: f64 = 9.0;
    const MOST: f64 = 2.5;
    let mut top = 0.0;
    let mut ys = Vec::with_capacity(layers.len());
    for layer in layers {
        let height = layer
            .iter()
            .map(|cell| cells[*cell].size.1)
            .fold(0.0, f64::max);
        ys.push((top, top + height));
        let ways = layer.iter().flat_map(|cell| {
            let below = cells[*cell].below.iter();
            below.map(|(other, aside)| (xs[*other] - xs[*cell] - aside).abs())
        });
        let aside = ways.fold(0.0, f64::max);
        top += height + gap.max((aside / STEEPEST).min(MOST * gap));
    }
    ys
}
