//! The drawing as SVG, without any other program.
//!
//! All letters have one width, so what a text takes is known without its font. The colours are legible
//! on a light and on a dark ground, of which there is none.

mod curve;
mod painter;
mod picture;

use std::fmt;

use self::curve::{Curve, Piece};
use self::picture::{FONT, Frame, Kind, Picture, SMALL, Shape};
use super::scene::{Scene, line};
use super::{Trail, lap_color};
use crate::topology::Topology;

impl Topology {
    /// Draws the graph as SVG, for a page or a README.
    ///
    /// It shows what [`dot`](Self::dot) shows, and needs no other program. Nothing in it depends on the
    /// ground on which it is shown, nor on the fonts that are there.
    ///
    /// ```
    /// use handoffs_core::{Edge, NodeShape, Route, Topology};
    ///
    /// let mut desk = Topology::new("Desk");
    /// let triage = desk.node(NodeShape::new("triage"));
    /// desk.start(triage);
    /// desk.edge(Edge::new(triage, "_", Route::end()));
    ///
    /// assert!(desk.svg().to_string().starts_with("<svg xmlns="));
    /// ```
    pub fn svg(&self) -> Svg<'_> {
        Svg {
            topology: self,
            trail: None,
        }
    }
}

/// A drawing as SVG, written by its `Display`; [`Topology::svg`] returns it.
#[derive(Clone, Copy, Debug)]
pub struct Svg<'a> {
    topology: &'a Topology,
    trail: Option<&'a Trail>,
}

impl<'a> Svg<'a> {
    /// Shows the path that a thread took: what it came to is bold, the rest is grey.
    pub fn trail(mut self, trail: &'a Trail) -> Self {
        self.trail = Some(trail);
        self
    }
}

/// The colour of lines and of the texts at them.
const INK: &str = "#768390";

const STYLE: &str = "\
text{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;text-anchor:middle}\
.arrow{fill:none}";

impl fmt::Display for Svg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MARGIN: f64 = 12.0;
        const LINE: f64 = 16.0;
        let scene = Scene::new(self.topology, self.trail);
        let picture = Picture::of(&scene);
        let mut texts = vec![(INK, scene.title())];
        texts.extend(scene.legend().map(|(lap, text)| (lap_color(lap), text)));
        texts.extend(scene.remarks().map(|text| (INK, text.into_owned())));
        let widest = texts.iter().map(|(_, text)| picture::width(text, SMALL));
        let width = widest.fold(picture.size.0, f64::max) + 2.0 * MARGIN;
        #[expect(clippy::cast_precision_loss, reason = "no graph has so many loops")]
        let lines = texts.len() as f64 * LINE;
        let height = picture.size.1 + lines + 3.0 * MARGIN;

        writeln!(
            f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\">",
            Number(width),
            Number(height)
        )?;
        writeln!(f, "<title>{}</title>", Xml(&line(self.topology.name())))?;
        writeln!(f, "<style>{STYLE}</style>")?;
        let left = (width - picture.size.0) / 2.0;
        writeln!(f, "<g transform=\"translate({},{MARGIN})\">", Number(left))?;
        for frame in &picture.frames {
            write_frame(f, frame)?;
        }
        for curve in &picture.curves {
            write_curve(f, curve)?;
        }
        for shape in &picture.shapes {
            write_shape(f, shape)?;
        }
        writeln!(f, "</g>")?;
        let mut y = picture.size.1 + 2.0 * MARGIN + LINE / 2.0;
        for (color, text) in texts {
            write_text(f, (width / 2.0, y), SMALL, color, &text)?;
            y += LINE;
        }
        writeln!(f, "</svg>")
    }
}

fn write_frame(f: &mut fmt::Formatter<'_>, frame: &Frame) -> fmt::Result {
    let (x, y, width, height) = frame.rect;
    let dash = if frame.title.is_none() {
        " stroke-dasharray=\"4 4\""
    } else {
        ""
    };
    let color = frame.color.unwrap_or(INK);
    writeln!(f, "<g>{}", Titled(&frame.doc))?;
    writeln!(
        f,
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"{INK}\" fill-opacity=\"0.06\" stroke=\"{color}\"{dash}/>",
        Number(x),
        Number(y),
        Number(width),
        Number(height)
    )?;
    if let Some(title) = &frame.title {
        let at = (x + width / 2.0, y + picture::TITLE / 2.0 + 3.0);
        write_text(f, at, FONT, frame.color.unwrap_or(INK), title)?;
    }
    writeln!(f, "</g>")
}

fn write_shape(f: &mut fmt::Formatter<'_>, shape: &Shape) -> fmt::Result {
    let (x, y, width, height) = shape.rect;
    let (middle, center) = (x + width / 2.0, y + height / 2.0);
    let stroke = shape.color.unwrap_or("#57606a");
    let thick = if shape.is_taken { 2.5 } else { 1.2 };
    let faint = if shape.is_idle {
        " opacity=\"0.45\""
    } else {
        ""
    };
    let look = format!("fill=\"#f6f8fa\" stroke=\"{stroke}\" stroke-width=\"{thick}\"");
    writeln!(f, "<g{faint}>{}", Titled(&shape.doc))?;
    let (x, y, right, bottom) = (Number(x), Number(y), Number(x + width), Number(y + height));
    match shape.kind {
        Kind::Start => writeln!(
            f,
            "<circle cx=\"{}\" cy=\"{}\" r=\"6\" fill=\"{INK}\"/>",
            Number(middle),
            Number(center)
        )?,
        Kind::End => {
            let at = format!("cx=\"{}\" cy=\"{}\"", Number(middle), Number(center));
            writeln!(
                f,
                "<circle {at} r=\"9\" fill=\"none\" stroke=\"{INK}\" stroke-width=\"1.5\"/>"
            )?;
            writeln!(f, "<circle {at} r=\"5\" fill=\"{INK}\"/>")?;
        }
        Kind::Bar => writeln!(
            f,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"2\" fill=\"{INK}\"/>",
            Number(width),
            Number(height)
        )?,
        Kind::Human => {
            let (near, far) = (
                Number(shape.rect.0 + 12.0),
                Number(shape.rect.0 + width - 12.0),
            );
            let middle = Number(center);
            writeln!(
                f,
                "<path d=\"M{x},{middle} L{near},{y} H{far} L{right},{middle} L{far},{bottom} H{near} Z\" {look}/>"
            )?;
        }
        Kind::Task | Kind::Graph => {
            let rect = |inset: f64, look: &str, f: &mut fmt::Formatter<'_>| {
                writeln!(
                    f,
                    "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\" {look}/>",
                    Number(shape.rect.0 + inset),
                    Number(shape.rect.1 + inset),
                    Number(width - 2.0 * inset),
                    Number(height - 2.0 * inset),
                    Number(8.0 - inset),
                )
            };
            rect(0.0, &look, f)?;
            if shape.kind == Kind::Graph {
                rect(3.0, &format!("fill=\"none\" stroke=\"{stroke}\""), f)?;
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a node has few lines")]
    let first = center - (shape.lines.len().saturating_sub(1)) as f64 * picture::LEADING / 2.0;
    for (place, text) in shape.lines.iter().enumerate() {
        let size = if place == 0 { FONT } else { SMALL };
        #[expect(clippy::cast_precision_loss, reason = "a node has few lines")]
        let y = first + place as f64 * picture::LEADING;
        write_text(f, (middle, y), size, "#1f2328", text)?;
    }
    writeln!(f, "</g>")
}

fn write_curve(f: &mut fmt::Formatter<'_>, curve: &Curve) -> fmt::Result {
    let color = curve.color.unwrap_or(INK);
    let dash = match curve.dash {
        Some(dash) => format!(" stroke-dasharray=\"{dash}\""),
        None => String::new(),
    };
    let width = if curve.is_taken { 2.5 } else { 1.3 };
    let faint = if curve.is_idle {
        " opacity=\"0.45\""
    } else {
        ""
    };
    writeln!(
        f,
        "<g{faint}><path class=\"arrow\" d=\"{}\" stroke=\"{color}\" stroke-width=\"{width}\"{dash}/>",
        Path(&curve.path)
    )?;
    if let Some([tip, left, right]) = curve.head {
        let head = [Piece::Move(tip), Piece::Line(left), Piece::Line(right)];
        writeln!(f, "<path d=\"{}Z\" fill=\"{color}\"/>", Path(&head))?;
    }
    if let Some((at, lines)) = &curve.label {
        #[expect(clippy::cast_precision_loss, reason = "a label has few lines")]
        let first = at.1 - (lines.len().saturating_sub(1)) as f64 * picture::LEADING / 2.0;
        for (place, text) in lines.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a label has few lines")]
            let y = first + place as f64 * picture::LEADING;
            write_text(f, (at.0, y), SMALL, color, text)?;
        }
    }
    writeln!(f, "</g>")
}

/// Writes a text around a point. Where the middle of letters lies is not asked of the reader of the
/// SVG, as not all know it.
fn write_text(
    f: &mut fmt::Formatter<'_>,
    (x, y): (f64, f64),
    size: f64,
    color: &str,
    text: &str,
) -> fmt::Result {
    writeln!(
        f,
        "<text x=\"{}\" y=\"{}\" font-size=\"{size}\" fill=\"{color}\">{}</text>",
        Number(x),
        Number(y + size * 0.35),
        Xml(text)
    )
}

/// A number as short as it can be in a picture: with one digit behind the point.
pub(super) struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = (self.0 * 10.0).round() / 10.0;
        // There is no need for two zeros.
        write!(f, "{}", if rounded == 0.0 { 0.0 } else { rounded })
    }
}

/// Pieces, one after the other.
struct Path<'a>(&'a [Piece]);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| write!(f, "{piece}"))
    }
}

/// A tooltip, if there is something to say.
struct Titled<'a>(&'a str);

impl fmt::Display for Titled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, "<title>{}</title>", Xml(self.0))
    }
}

/// A text in XML, without what XML cannot hold.
struct Xml<'a>(&'a str);

impl fmt::Display for Xml<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '\n' | '\t' => write!(f, "{letter}")?,
                '\u{fffe}' | '\u{ffff}' => {}
                _ if letter.is_control() => {}
                _ => write!(f, "{letter}")?,
            }
        }
        Ok(())
    }
}
