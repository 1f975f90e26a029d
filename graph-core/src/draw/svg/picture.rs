//! A scene with places: frames, shapes and curves.

use super::super::scene::Scene;
use super::super::text::columns;
use super::curve::{Curve, Point};
use super::painter::Painter;

/// The sizes of letters: in nodes, and elsewhere.
pub(super) const FONT: f64 = 14.0;
pub(super) const SMALL: f64 = 12.0;
/// From line to line.
pub(super) const LEADING: f64 = 15.0;
/// The height of a frame's title.
pub(super) const TITLE: f64 = 26.0;
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub(super) size: Point,
    pub(super) frames: Vec<Frame>,
    pub(super) shapes: Vec<Shape>,
    pub(super) curves: Vec<Curve>,
}

/// The left upper corner, the width and the height.
pub(super) type Rect = (f64, f64, f64, f64);

/// What is around a graph within the graph, which has a title, or around branches.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) rect: Rect,
    pub(super) title: Option<String>,
    pub(super) color: Option<&'static str>,
    pub(super) doc: String,
}

#[derive(Debug)]
pub(super) struct Shape {
    pub(super) rect: Rect,
    pub(super) kind: Kind,
    pub(super) lines: Vec<String>,
    pub(super) color: Option<&'static str>,
    pub(super) is_taken: bool,
    pub(super) is_idle: bool,
    pub(super) doc: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    End,
    Bar,
    Task,
    Human,
    Graph,
}

/// Returns the width of a text in letters of a size.
pub(super) fn width(text: &str, size: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no text is so long")]
    let columns = columns(text) as f64;
    // Of the usual fonts with letters of one width none has wider ones.
    columns * size * 0.603
}

impl Picture {
    pub(super) fn of(scene: &Scene<'_>) -> Self {
        Painter::new(scene).paint()
    }

    pub(super) fn shift(&mut self, by: Point) {
        let rects = (self.frames.iter_mut().map(|frame| &mut frame.rect))
            .chain(self.shapes.iter_mut().map(|shape| &mut shape.rect));
        for rect in rects {
            rect.0 += by.0;
            rect.1 += by.1;
        }
        for curve in &mut self.curves {
            curve.shift(by);
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.frames.extend(other.frames);
        self.shapes.extend(other.shapes);
        self.curves.extend(other.curves);
    }
}
