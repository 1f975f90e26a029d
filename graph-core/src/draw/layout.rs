//! Where things go in a picture: Sugiyama's method, in layers from top to bottom.
//!
//! Cycles are broken where an arrow leads back, vertices get layers by the longest path to them, and an
//! arrow gets a lane in each layer that it crosses, one of which holds its label: so a label is a
//! vertex like any other, and covers none. Then `order` puts each layer into an order with few
//! crossings, and `place` finds the coordinates.
//!
//! The layers of vertices have even numbers; those between are of lanes alone, so each arrow has one.

mod order;
mod place;

/// What is to be placed.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    /// The width and height of each vertex.
    pub(super) sizes: Vec<(f64, f64)>,
    /// The arrows, none of which leads from a vertex to itself.
    pub(super) links: Vec<Link>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    /// The width and height of the label, if it has one.
    pub(super) label: Option<(f64, f64)>,
    /// Whether it should lead up.
    pub(super) is_back: bool,
    /// How far its ends are to the right of the centres of its vertices.
    pub(super) aside: (f64, f64),
}

/// The room that is left between things.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gaps {
    /// Between two things of one layer.
    pub(super) x: f64,
    /// Between two layers, at least.
    pub(super) y: f64,
    /// The width of an arrow.
    pub(super) lane: f64,
}

/// Where everything is; the upper left corner is the origin.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub(super) size: (f64, f64),
    /// The centre of each vertex.
    pub(super) centers: Vec<(f64, f64)>,
    /// The top and the bottom of each vertex's layer.
    pub(super) layers: Vec<(f64, f64)>,
    /// The lanes of each link, from its tail to its head.
    pub(super) lanes: Vec<Vec<Lane>>,
}

/// Where an arrow crosses a layer, straight down or up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lane {
    pub(super) x: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    /// Whether the arrow's label is here.
    pub(super) is_label: bool,
}

/// What stands in a layer.
#[derive(Clone, Debug)]
struct Cell {
    /// The width and height.
    size: (f64, f64),
    layer: usize,
    /// The cells in the layer above and below that it is connected with, and how far to the right of
    /// such a cell this one would stand if the arrow between them were upright.
    above: Vec<(usize, f64)>,
    below: Vec<(usize, f64)>,
    /// Whether it is the lane of an arrow without its label: two of them in a row want to be straight.
    is_lane: bool,
}

/// Places everything.
pub(super) fn layout(sketch: &Sketch, gaps: Gaps) -> Layout {
    let down = oriented(sketch);
    let ranks = ranks(sketch.sizes.len(), &down);
    let mut cells: Vec<Cell> = (sketch.sizes.iter().zip(&ranks))
        .map(|(size, rank)| Cell::new(*size, 2 * rank))
        .collect();
    // The lanes of each link, from above to below.
    let mut lanes = Vec::new();
    let label_layers = label_layers(sketch, &down, &ranks, gaps);
    for ((link, (upper, lower)), label) in sketch.links.iter().zip(&down).zip(label_layers) {
        let mut own = Vec::new();
        for layer in 2 * ranks[*upper] + 1..2 * ranks[*lower] {
            let has_label = link.label.filter(|_| label == Some(layer));
            let mut cell = Cell::new(has_label.unwrap_or((gaps.lane, 0.0)), layer);
            cell.is_lane = has_label.is_none();
            own.push(cells.len());
            cells.push(cell);
        }
        lanes.push(own);
    }
    for (own, (link, (upper, lower))) in lanes.iter().zip(sketch.links.iter().zip(&down)) {
        let (from, to) = link.aside;
        let (high, low) = if link.from == *upper {
            (from, to)
        } else {
            (to, from)
        };
        let lanes = own.iter().map(|lane| (*lane, 0.0));
        let path: Vec<_> = ([(*upper, high)].into_iter())
            .chain(lanes)
            .chain([(*lower, low)])
            .collect();
        for pair in path.windows(2) {
            let [(above, high), (below, low)] = [pair[0], pair[1]];
            cells[above].below.push((below, low - high));
            cells[below].above.push((above, high - low));
        }
    }

    let layers = order::layers(&cells);
    let xs = place::xs(&cells, &layers, &lanes, gaps.x);
    let ys = place::ys(&cells, &layers, &xs, gaps.y);
    let width = (cells.iter().zip(&xs)).map(|(cell, x)| x + cell.size.0 / 2.0);
    let height = ys.last().map_or(0.0, |(_, bottom)| *bottom);
    Layout {
        size: (width.fold(0.0, f64::max), height),
        centers: (ranks.iter().enumerate())
            .map(|(vertex, rank)| {
                let (top, bottom) = ys[2 * rank];
                // Beside what is much higher it stands where one looks first.
                let height = cells[vertex].size.1;
                let is_small = 3.0 * height < bottom - top;
                let y = if is_small {
                    top + height / 2.0
                } else {
                    f64::midpoint(top, bottom)
                };
                (xs[vertex], y)
            })
            .collect(),
        layers: ranks.iter().map(|rank| ys[2 * rank]).collect(),
        lanes: (lanes.into_iter().zip(sketch.links.iter().zip(&down)))
            .map(|(own, (link, (upper, _)))| {
                let lane = |cell: usize| {
                    let (top, bottom) = ys[cells[cell].layer];
                    let height = cells[cell].size.1;
                    let is_label = !cells[cell].is_lane;
                    // A label has its own height, a line that of its layer.
                    let rest = if is_label {
                        (bottom - top - height) / 2.0
                    } else {
                        0.0
                    };
                    Lane {
                        x: xs[cell],
                        top: top + rest,
                        bottom: bottom - rest,
                        is_label,
                    }
                };
                let mut lanes: Vec<_> = own.into_iter().map(lane).collect();
                if link.from != *upper {
                    lanes.reverse();
                }
                lanes
            })
            .collect(),
    }
}

impl Cell {
    fn new(size: (f64, f64), layer: usize) -> Self {
        Self {
            size,
            layer,
            above: Vec::new(),
            below: Vec::new(),
            is_lane: false,
        }
    }
}

/// Returns the layer of each label: the first from the tail that is not full. An arrow that has the
/// fewest to choose from chooses first; where all are full, it takes the emptiest.
fn label_layers(
    sketch: &Sketch,
    down: &[(usize, usize)],
    ranks: &[usize],
    gaps: Gaps,
) -> Vec<Option<usize>> {
    const FULL: f64 = 640.0;
    let mut used: Vec<f64> = vec![0.0; 2 * sketch.sizes.len() + 1];
    let mut layers = vec![None; sketch.links.len()];
    let mut order: Vec<_> = (0..sketch.links.len()).collect();
    order.sort_by_key(|link| ranks[down[*link].1] - ranks[down[*link].0]);
    for place in order {
        let (link, (upper, lower)) = (&sketch.links[place], down[place]);
        let Some((width, _)) = link.label else {
            continue;
        };
        let width = width + gaps.x;
        let count = ranks[lower] - ranks[upper];
        let free = (0..count).map(|step| {
            if link.from == upper {
                2 * (ranks[upper] + step) + 1
            } else {
                2 * (ranks[lower] - step) - 1
            }
        });
        let first = free.clone().find(|layer| used[*layer] + width <= FULL);
        let emptiest = free.min_by(|a, b| used[*a].total_cmp(&used[*b]));
        if let Some(layer) = first.or(emptiest) {
            used[layer] += width;
            layers[place] = Some(layer);
        }
    }
    layers
}

/// Returns the upper and the lower end of each link, such that nothing leads up.
fn oriented(sketch: &Sketch) -> Vec<(usize, usize)> {
    let mut down: Vec<_> = sketch
        .links
        .iter()
        .map(|link| {
            if link.is_back {
                (link.to, link.from)
            } else {
                (link.from, link.to)
            }
        })
        .collect();
    let mut leaving = vec![Vec::new(); sketch.sizes.len()];
    for (place, (upper, _)) in down.iter().enumerate() {
        leaving[*upper].push(place);
    }
    // What is said to lead back mostly suffices; where it does not, a walk turns what leads back to it.
    let mut turned = Vec::new();
    let mut met = vec![false; leaving.len()];
    let mut is_open = vec![false; leaving.len()];
    for root in 0..leaving.len() {
        if std::mem::replace(&mut met[root], true) {
            continue;
        }
        is_open[root] = true;
        let mut path = vec![(root, 0)];
        while let Some((vertex, next)) = path.last_mut() {
            let Some(link) = leaving[*vertex].get(*next) else {
                is_open[*vertex] = false;
                path.pop();
                continue;
            };
            *next += 1;
            let (_, lower) = down[*link];
            if is_open[lower] {
                turned.push(*link);
            } else if !std::mem::replace(&mut met[lower], true) {
                is_open[lower] = true;
                path.push((lower, 0));
            }
        }
    }
    for link in turned {
        let (upper, lower) = down[link];
        down[link] = (lower, upper);
    }
    down
}

/// Returns the longest path to each vertex. A vertex to which nothing leads stands right above the
/// first that it leads to.
fn ranks(vertices: usize, down: &[(usize, usize)]) -> Vec<usize> {
    let mut leaving = vec![Vec::new(); vertices];
    let mut open = vec![0; vertices];
    for (upper, lower) in down {
        leaving[*upper].push(*lower);
        open[*lower] += 1;
    }
    let is_source: Vec<bool> = open.iter().map(|open| *open == 0).collect();
    let mut queue: Vec<_> = (0..vertices).filter(|vertex| is_source[*vertex]).collect();
    let mut ranks = vec![0; vertices];
    let mut next = 0;
    while let Some(vertex) = queue.get(next).copied() {
        next += 1;
        for lower in &leaving[vertex] {
            ranks[*lower] = ranks[*lower].max(ranks[vertex] + 1);
            open[*lower] -= 1;
            if open[*lower] == 0 {
                queue.push(*lower);
            }
        }
    }
    for vertex in (0..vertices).filter(|vertex| is_source[*vertex]) {
        let first = leaving[vertex].iter().map(|lower| ranks[*lower]).min();
        ranks[vertex] = first.map_or(0, |first| first - 1);
    }
    ranks
}

#[cfg(test)]
mod tests;
