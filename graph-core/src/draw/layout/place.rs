//! The coordinates of the cells, layer by layer.

use super::Cell;

/// How often the layers are gone through, down and up.
const SWEEPS: usize = 30;

/// Returns the centre of each cell, from left to right.
///
/// Each layer in turn is moved to where its neighbours are, as near as the order and the gaps let it:
/// the sum of the squared distances is the least. The lanes of one arrow pull each other the most, so
/// that a long arrow is straight.
pub(super) fn xs(cells: &[Cell], layers: &[Vec<usize>], gap: f64) -> Vec<f64> {
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
            let layer = if is_down { turn } else { layers.len() - 1 - turn };
            let wishes: Vec<_> = (layers[layer].iter())
                .map(|cell| wish(cells, *cell, &xs, is_last || is_down, is_last || !is_down))
                .collect();
            settle(cells, &layers[layer], &wishes, gap, &mut xs);
        }
    }
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
    for other in near {
        let pull = match (own.is_lane, cells[*other].is_lane) {
            (true, true) => 8.0,
            (true, false) | (false, true) => 2.0,
            (false, false) => 1.0,
        };
        sum += pull * xs[*other];
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

/// Returns the top and the bottom of each layer. The more an arrow moves aside between two layers, the
/// more room is between them.
pub(super) fn ys(
    cells: &[Cell],
    layers: &[Vec<usize>],
    xs: &[f64],
    gap: f64,
) -> Vec<(f64, f64)> {
    const STEEPEST: f64 = 12.0;
    const MOST: f64 = 2.0;
    let mut top = 0.0;
    let mut ys = Vec::with_capacity(layers.len());
    for layer in layers {
        let height = layer.iter().map(|cell| cells[*cell].size.1).fold(0.0, f64::max);
        ys.push((top, top + height));
        let ways = layer.iter().flat_map(|cell| {
            let below = cells[*cell].below.iter();
            below.map(|other| (xs[*other] - xs[*cell]).abs())
        });
        let aside = ways.fold(0.0, f64::max);
        top += height + gap.max((aside / STEEPEST).min(MOST * gap));
    }
    ys
}
