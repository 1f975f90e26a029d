//! Arrows as curves: down or up through their lanes, with a gap where the label is.

use std::collections::BTreeMap;
use std::fmt;

use super::super::scene::Thing;
use super::Number;
use super::painter::Route;
use super::picture::Rect;

pub(super) type Point = (f64, f64);

/// A piece of a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Piece {
    Move(Point),
    Line(Point),
    /// Two points that pull, and where it ends.
    Bend(Point, Point, Point),
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pair = |at: &Point| format!("{},{}", Number(at.0), Number(at.1));
        match self {
            Self::Move(at) => write!(f, "M{}", pair(at)),
            Self::Line(at) => write!(f, "L{}", pair(at)),
            Self::Bend(a, b, at) => write!(f, "C{} {} {}", pair(a), pair(b), pair(at)),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Curve {
    pub(super) path: Vec<Piece>,
    /// The three corners of the head.
    pub(super) head: Option<[Point; 3]>,
    /// The centre of the label, and its lines.
    pub(super) label: Option<(Point, Vec<String>)>,
    pub(super) color: Option<&'static str>,
    pub(super) dash: Option<&'static str>,
    pub(super) is_taken: bool,
    pub(super) is_idle: bool,
}

impl Curve {
    pub(super) fn shift(&mut self, by: Point) {
        let path = self.path.iter_mut().flat_map(|piece| match piece {
            Piece::Move(at) | Piece::Line(at) => vec![at],
            Piece::Bend(a, b, at) => vec![a, b, at],
        });
        let head = self.head.iter_mut().flatten();
        let label = self.label.iter_mut().map(|(at, _)| at);
        for at in path.chain(head).chain(label) {
            at.0 += by.0;
            at.1 += by.1;
        }
    }
}

/// The ends of arrows at the upper and lower sides of things: they share a side evenly, in the order in
/// which the arrows come, so that none crosses another there.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// By thing and whether it is the lower side: where the other end of the arrow lies, and its place
    /// among all ends.
    sides: BTreeMap<(Thing, bool), Vec<(f64, usize)>>,
    rects: BTreeMap<Thing, Rect>,
    count: usize,
}

impl Ends {
    /// Adds an end at a side, of an arrow that comes from `x`, and returns its place.
    pub(super) fn add(&mut self, side: (Thing, bool), rect: Rect, x: f64) -> usize {
        let place = self.count;
        self.count += 1;
        self.rects.insert(side.0, rect);
        self.sides.entry(side).or_default().push((x, place));
        place
    }

    /// Returns where each end is.
    pub(super) fn spread(self) -> Vec<Point> {
        const STEP: f64 = 14.0;
        let mut points = vec![(0.0, 0.0); self.count];
        for ((thing, is_lower), mut ends) in self.sides {
            let Some((left, top, width, height)) = self.rects.get(&thing).copied() else {
                continue;
            };
            ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let y = if is_lower { top + height } else { top };
            #[expect(clippy::cast_precision_loss, reason = "a side has few ends")]
            let count = ends.len() as f64;
            // An end is where its arrow comes from if that is near, so that the arrow is straight.
            let reach = (width / 2.0 - 8.0).max(1.0).min(STEP * count);
            let step = STEP.min(2.0 * reach / count);
            let (low, high) = (left + width / 2.0 - reach, left + width / 2.0 + reach);
            let mut next = low;
            let mut xs: Vec<_> = (ends.iter())
                .map(|(x, _)| {
                    let x = x.clamp(low, high).max(next);
                    next = x + step;
                    x
                })
                .collect();
            let mut most = high;
            for x in xs.iter_mut().rev() {
                *x = x.min(most);
                most = *x - step;
            }
            for ((_, place), x) in ends.into_iter().zip(xs) {
                points[place] = (x, y);
            }
        }
        points
    }
}

/// Draws an arrow from its first end through its lanes to the other.
pub(super) fn curve(
    route: &Route,
    (from, to): (Point, Point),
    label: Vec<String>,
    has_head: bool,
) -> Curve {
    const HEAD: f64 = 8.0;
    let mut path = vec![Piece::Move(from)];
    let mut at = from;
    let mut middle = None;
    // Within the layer of its end an arrow is upright, so that it stays clear of what is beside it.
    let (leaves, enters) = (route.layers[0], route.layers[1]);
    if let Some(first) = route.lanes.first() {
        let edge = if first.top >= leaves.1 {
            leaves.1
        } else {
            leaves.0
        };
        path.push(Piece::Line((at.0, edge)));
        at = (at.0, edge);
    }
    for lane in &route.lanes {
        let is_down = f64::midpoint(lane.top, lane.bottom) >= at.1;
        let (near, far) = if is_down {
            (lane.top, lane.bottom)
        } else {
            (lane.bottom, lane.top)
        };
        path.push(bend(at, (lane.x, near)));
        if lane.is_label {
            path.push(Piece::Move((lane.x, far)));
            middle = Some((lane.x, f64::midpoint(near, far)));
        } else if lane.top < lane.bottom {
            path.push(Piece::Line((lane.x, far)));
        }
        at = (lane.x, far);
    }
    let is_down = to.1 >= at.1;
    let base = match (has_head, is_down) {
        (false, _) => to.1,
        (true, true) => to.1 - HEAD,
        (true, false) => to.1 + HEAD,
    };
    let edge = if is_down {
        enters.0.min(base)
    } else {
        enters.1.max(base)
    };
    path.push(bend(at, (to.0, edge)));
    path.push(Piece::Line((to.0, base)));
    let head = has_head.then_some([to, (to.0 - 4.0, base), (to.0 + 4.0, base)]);
    Curve {
        path,
        head,
        label: middle.filter(|_| !label.is_empty()).map(|at| (at, label)),
        ..Curve::default()
    }
}

/// Leads on to a point, leaving and arriving upright.
fn bend(from: Point, to: Point) -> Piece {
    if (from.0 - to.0).abs() < 0.05 {
        return Piece::Line(to);
    }
    let middle = f64::midpoint(from.1, to.1);
    Piece::Bend((from.0, middle), (to.0, middle), to)
}

/// Arrows from a thing to itself.
pub(super) mod own_curve {
    use super::{Curve, Piece, Rect};

    /// The room that such an arrow takes beside its thing, and how high it is.
    pub(in super::super) const WIDTH: f64 = 34.0;
    pub(in super::super) const HEIGHT: f64 = 18.0;

    /// Draws an arrow around the right side of a thing, with the label beside it.
    pub(in super::super) fn own_curve(rect: Rect, y: f64, label: Vec<String>, width: f64) -> Curve {
        let right = rect.0 + rect.2;
        let (upper, lower) = (y - HEIGHT / 3.0, y + HEIGHT / 3.0);
        let far = right + WIDTH - 8.0;
        let path = vec![
            Piece::Move((right, upper)),
            Piece::Bend((far, upper - 6.0), (far, lower + 6.0), (right + 8.0, lower)),
        ];
        let (above, below) = ((right + 8.0, lower - 4.0), (right + 8.0, lower + 4.0));
        let at = (right + WIDTH - 10.0 + width / 2.0, y);
        Curve {
            path,
            head: Some([(right, lower), above, below]),
            label: (!label.is_empty()).then_some((at, label)),
            ..Curve::default()
        }
    }
}
