//! How a picture comes to be.
//!
//! The branches of a fork and a graph within the graph are pictures of their own, with a frame around
//! them, and one vertex of the picture that they are in; so nothing else comes to lie in the frame. An
//! arrow whose ends lie in different pictures leads from frame to frame, and on to its ends inside.

use std::collections::BTreeMap;

use super::super::layout::{Gaps, Lane, Link, Sketch, layout};
use super::super::scene::{Arrow, Manner, Scene, Thing, line};
use super::super::text::wrapped;
use super::super::{ERROR, IDLE, lap_color};
use super::curve::{Curve, Ends, Point, curve, own_curve};
use super::picture::{FONT, Frame, Kind, LEADING, Picture, Rect, SMALL, Shape, TITLE, width};
use crate::topology::{NodeKind, NodeShape};

/// Within a frame.
const PADDING: f64 = 14.0;
/// The most columns of a line at an arrow.
const COLUMNS: usize = 28;

const GAPS: Gaps = Gaps {
    x: 22.0,
    y: 16.0,
    lane: 6.0,
};

/// What is painted of one graph, while it is put together.
pub(super) struct Painter<'a, 'b> {
    scene: &'b Scene<'a>,
    arrows: Vec<Arrow>,
    /// The way of each arrow, and the region in whose picture it lies.
    routes: BTreeMap<usize, (Option<usize>, Route)>,
}

/// The lanes of an arrow, and where its ends leave their layers.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) lanes: Vec<Lane>,
    pub(super) layers: [(f64, f64); 2],
}

/// The picture of a region, whose curves are not there yet.
struct Part {
    picture: Picture,
    /// Where things are.
    things: BTreeMap<Thing, Rect>,
    /// Where the pictures of regions are, this one included.
    regions: BTreeMap<Option<usize>, Point>,
}

impl Part {
    /// Returns how far to the right of the middle a thing in it is.
    fn aside(&self, thing: Thing) -> f64 {
        let rect = self.things.get(&thing);
        rect.map_or(0.0, |rect| {
            rect.0 + rect.2 / 2.0 - self.picture.size.0 / 2.0
        })
    }

    fn shift(&mut self, by: Point) {
        self.picture.shift(by);
        for rect in self.things.values_mut() {
            rect.0 += by.0;
            rect.1 += by.1;
        }
        for at in self.regions.values_mut() {
            at.0 += by.0;
            at.1 += by.1;
        }
    }
}

/// A vertex of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Vertex {
    Thing(Thing),
    Region(usize),
}

impl<'a, 'b> Painter<'a, 'b> {
    pub(super) fn new(scene: &'b Scene<'a>) -> Self {
        Self {
            scene,
            arrows: scene.arrows(),
            routes: BTreeMap::new(),
        }
    }

    pub(super) fn paint(mut self) -> Picture {
        let part = self.region(None);
        self.finish(part)
    }

    /// Paints a region with all that lies in it.
    fn region(&mut self, region: Option<usize>) -> Part {
        let vertices = self.vertices(region);
        let mut parts: Vec<Part> = Vec::new();
        for vertex in &vertices {
            let part = match vertex {
                Vertex::Thing(thing) => self.thing(*thing),
                Vertex::Region(inner) => {
                    framed(self.region(Some(*inner)), None, None, String::new())
                }
            };
            parts.push(part);
        }
        let places: BTreeMap<_, _> = (vertices.iter().zip(0_usize..))
            .map(|(at, place)| (*at, place))
            .collect();
        let mut sketch = Sketch {
            sizes: (vertices.iter().zip(&parts))
                .map(|(vertex, part)| self.room(*vertex, part.picture.size))
                .collect(),
            links: Vec::new(),
        };
        let mut linked = Vec::new();
        for (index, arrow) in self.arrows.iter().enumerate() {
            let ends = [arrow.from, arrow.to].map(|thing| {
                let vertex = self.vertex_in(thing, region)?;
                places.get(&vertex).copied()
            });
            let [Some(from), Some(to)] = ends else {
                continue;
            };
            if from == to {
                continue;
            }
            sketch.links.push(Link {
                from,
                to,
                label: label_size(&label(arrow)),
                is_back: arrow.is_back,
                aside: (parts[from].aside(arrow.from), parts[to].aside(arrow.to)),
            });
            linked.push(index);
        }
        let drawn = layout(&sketch, GAPS);
        for ((index, lanes), link) in linked.into_iter().zip(drawn.lanes).zip(&sketch.links) {
            let layers = [link.from, link.to].map(|vertex| drawn.layers[vertex]);
            self.routes.insert(index, (region, Route { lanes, layers }));
        }

        let mut whole = Part {
            picture: Picture {
                size: drawn.size,
                ..Picture::default()
            },
            things: BTreeMap::new(),
            regions: BTreeMap::from([(region, (0.0, 0.0))]),
        };
        for (mut part, center) in parts.into_iter().zip(drawn.centers) {
            let size = part.picture.size;
            part.shift((center.0 - size.0 / 2.0, center.1 - size.1 / 2.0));
            whole.picture.add(part.picture);
            whole.things.extend(part.things);
            whole.regions.extend(part.regions);
        }
        whole
    }

    /// Returns what lies directly in a region, in the order in which it would be read.
    fn vertices(&self, region: Option<usize>) -> Vec<Vertex> {
        let scene = self.scene;
        let mut vertices = Vec::new();
        if region.is_none() && scene.topology.start_node().is_some() {
            vertices.push(Vertex::Thing(Thing::Start));
        }
        let forks = scene.topology.edges().map(|(index, _)| Thing::Fork(index));
        let bars = (forks.chain(scene.topology.nodes().map(|(index, _)| Thing::Join(index))))
            .filter(|bar| self.is_there(*bar) && self.region_of(*bar) == region);
        let bars: Vec<_> = bars.collect();
        let is_fork = |bar: &&Thing| matches!(bar, Thing::Fork(_));
        vertices.extend(bars.iter().filter(is_fork).map(|bar| Vertex::Thing(*bar)));
        for member in scene.members(region) {
            vertices.push(match member {
                Ok(node) => Vertex::Thing(Thing::Node(node)),
                Err(inner) => Vertex::Region(inner),
            });
        }
        let joins = bars.iter().filter(|bar| !is_fork(bar));
        vertices.extend(joins.map(|bar| Vertex::Thing(*bar)));
        if region.is_none() && scene.has_end() {
            vertices.push(Vertex::Thing(Thing::End));
        }
        vertices
    }

    fn is_there(&self, bar: Thing) -> bool {
        match bar {
            Thing::Fork(edge) => {
                let edge = self.scene.topology.get_edge(edge);
                edge.is_some_and(|edge| edge.route.fork().is_some())
            }
            Thing::Join(node) => self.scene.is_join(node),
            _ => true,
        }
    }

    /// Returns the region in which a thing is drawn: the bars with the branches that they belong to.
    fn region_of(&self, thing: Thing) -> Option<usize> {
        let regions = &self.scene.regions;
        let of = |slot: u16| regions.of.get(usize::from(slot)).copied().flatten();
        let inside =
            |is_its: &dyn Fn(usize) -> bool| (0..regions.list.len()).find(|at| is_its(*at));
        match thing {
            Thing::Start | Thing::End => None,
            Thing::Node(node) => of(node.0),
            Thing::Fork(edge) => {
                inside(&|at| regions.list[at].forks.contains(&edge)).or_else(|| {
                    let edge = self.scene.topology.get_edge(edge)?;
                    of(edge.from.0)
                })
            }
            Thing::Join(node) => inside(&|at| regions.list[at].join == node).or_else(|| of(node.0)),
        }
    }

    /// Returns the vertex of a region's picture that is a thing, or has it in it.
    fn vertex_in(&self, thing: Thing, region: Option<usize>) -> Option<Vertex> {
        let own = self.region_of(thing);
        if own == region {
            return Some(Vertex::Thing(thing));
        }
        let regions = &self.scene.regions.list;
        let mut around = std::iter::successors(own, |at| regions[*at].parent);
        let inner = around.find(|at| regions[*at].parent == region)?;
        Some(Vertex::Region(inner))
    }

    fn thing(&self, thing: Thing) -> Part {
        let bare = |kind, size: Point| {
            let shape = Shape {
                rect: (0.0, 0.0, size.0, size.1),
                kind,
                lines: Vec::new(),
                color: None,
                is_taken: false,
                is_idle: false,
                doc: String::new(),
            };
            part(thing, shape, size)
        };
        match thing {
            Thing::Start => bare(Kind::Start, (12.0, 12.0)),
            Thing::End => bare(Kind::End, (18.0, 18.0)),
            Thing::Fork(_) | Thing::Join(_) => {
                let ends = self
                    .arrows
                    .iter()
                    .filter(|arrow| arrow.from == thing || arrow.to == thing);
                #[expect(clippy::cast_precision_loss, reason = "a bar has few arrows")]
                let width = (ends.count() as f64 * 14.0).clamp(48.0, 200.0);
                bare(Kind::Bar, (width, 5.0))
            }
            Thing::Node(index) => {
                let Some(node) = self.scene.topology.get_node(index) else {
                    return bare(Kind::Task, (20.0, 20.0));
                };
                let lap = self.scene.loops.of(index).map(lap_color);
                let color = if self.scene.is_idle(node) {
                    Some(IDLE)
                } else {
                    lap
                };
                match self.scene.inner(node) {
                    Some(inner) => {
                        let picture = Picture::of(&inner);
                        let part = Part {
                            picture,
                            things: BTreeMap::new(),
                            regions: BTreeMap::new(),
                        };
                        let title = self.lines(node).join(" · ");
                        framed(part, Some((thing, title)), color, node.doc.to_string())
                    }
                    None => self.node(thing, node, color),
                }
            }
        }
    }

    fn node(&self, thing: Thing, node: &NodeShape, color: Option<&'static str>) -> Part {
        let lines = self.lines(node);
        let mut widest = 0.0_f64;
        for (place, text) in lines.iter().enumerate() {
            widest = widest.max(width(text, if place == 0 { FONT } else { SMALL }));
        }
        let (kind, edge) = match node.kind {
            NodeKind::Task => (Kind::Task, 12.0),
            NodeKind::Human => (Kind::Human, 18.0),
            NodeKind::Graph => (Kind::Graph, 14.0),
        };
        #[expect(clippy::cast_precision_loss, reason = "a node has few lines")]
        let height = 32.0 + (lines.len() - 1) as f64 * LEADING;
        let size = ((widest + 2.0 * edge).max(44.0), height);
        let is_idle = self.scene.is_idle(node);
        let shape = Shape {
            rect: (0.0, 0.0, size.0, size.1),
            kind,
            lines,
            color,
            is_taken: self.scene.trail.is_some() && !is_idle,
            is_idle,
            doc: node.doc.to_string(),
        };
        part(thing, shape, size)
    }

    /// Returns what is written in a node.
    fn lines(&self, node: &NodeShape) -> Vec<String> {
        let name = line(&node.name).into_owned();
        [name].into_iter().chain(self.scene.notes(node)).collect()
    }

    /// Returns the room for a vertex: on both sides that for arrows from it to itself, so that it
    /// stands in the middle.
    fn room(&self, vertex: Vertex, size: Point) -> Point {
        let Vertex::Thing(thing) = vertex else {
            return size;
        };
        let own = self
            .arrows
            .iter()
            .filter(|arrow| arrow.from == thing && arrow.to == thing);
        let (mut beside, mut height) = (0.0_f64, 0.0);
        for arrow in own {
            let label = label_size(&label(arrow)).unwrap_or_default();
            beside = beside.max(own_curve::WIDTH + label.0);
            height += label.1.max(own_curve::HEIGHT) + LEADING / 2.0;
        }
        (size.0 + 2.0 * beside, size.1.max(height))
    }

    /// Adds the curves, now that all their ends have places.
    fn finish(&mut self, part: Part) -> Picture {
        let mut picture = part.picture;
        let mut ends = Ends::default();
        let mut routes = Vec::new();
        for (index, (region, route)) in std::mem::take(&mut self.routes) {
            let arrow = &self.arrows[index];
            let at = part.regions.get(&region).copied().unwrap_or_default();
            let route = route.shifted(at);
            let rects = [arrow.from, arrow.to].map(|thing| part.things.get(&thing).copied());
            let ([Some(from), Some(to)], Some(first), Some(last)) = (
                rects,
                route.lanes.first().copied(),
                route.lanes.last().copied(),
            ) else {
                continue;
            };
            let leaves = ends.add((arrow.from, first.top >= route.layers[0].1), from, first.x);
            let enters = ends.add((arrow.to, last.top >= route.layers[1].1), to, last.x);
            routes.push((arrow, route, leaves, enters));
        }
        let ends = ends.spread();
        for (arrow, route, leaves, enters) in routes {
            let label = label(arrow);
            let curve = curve(&route, (ends[leaves], ends[enters]), label, has_head(arrow));
            picture.curves.push(styled(curve, arrow));
        }
        let mut lowest: BTreeMap<Thing, f64> = BTreeMap::new();
        for arrow in self.arrows.iter().filter(|arrow| arrow.from == arrow.to) {
            let Some(rect) = part.things.get(&arrow.from).copied() else {
                continue;
            };
            let own = |other: &&Arrow| other.from == arrow.from && other.to == arrow.to;
            let heights = self.arrows.iter().filter(own).map(|other| {
                let label = label_size(&label(other)).unwrap_or_default();
                label.1.max(own_curve::HEIGHT) + LEADING / 2.0
            });
            let total: f64 = heights.sum();
            let top = lowest
                .entry(arrow.from)
                .or_insert(rect.1 + (rect.3 - total) / 2.0);
            let lines = label(arrow);
            let size = label_size(&lines).unwrap_or_default();
            let height = size.1.max(own_curve::HEIGHT) + LEADING / 2.0;
            let curve = own_curve::own_curve(rect, *top + height / 2.0, lines, size.0);
            *top += height;
            picture.curves.push(styled(curve, arrow));
        }
        picture
    }
}

impl Route {
    fn shifted(mut self, by: Point) -> Self {
        for lane in &mut self.lanes {
            lane.x += by.0;
            lane.top += by.1;
            lane.bottom += by.1;
        }
        self.layers = self.layers.map(|(top, bottom)| (top + by.1, bottom + by.1));
        self
    }
}

/// Returns a thing with its shape.
fn part(thing: Thing, shape: Shape, size: Point) -> Part {
    Part {
        things: BTreeMap::from([(thing, shape.rect)]),
        picture: Picture {
            size,
            shapes: vec![shape],
            ..Picture::default()
        },
        regions: BTreeMap::new(),
    }
}

/// Puts a frame around a picture; of a graph within the graph it is that of its node.
fn framed(
    mut part: Part,
    node: Option<(Thing, String)>,
    color: Option<&'static str>,
    doc: String,
) -> Part {
    let top = if node.is_some() { TITLE } else { PADDING };
    let inner = part.picture.size;
    let (thing, title) = node.unzip();
    let wide = title.as_ref().map_or(0.0, |title| width(title, FONT));
    let size = (inner.0.max(wide) + 2.0 * PADDING, inner.1 + top + PADDING);
    part.shift(((size.0 - inner.0) / 2.0, top));
    part.picture.size = size;
    let rect = (0.0, 0.0, size.0, size.1);
    part.things.extend(thing.map(|thing| (thing, rect)));
    let frame = Frame {
        rect,
        title,
        color,
        doc,
    };
    part.picture.frames.insert(0, frame);
    part
}

fn label(arrow: &Arrow) -> Vec<String> {
    arrow
        .readable()
        .flat_map(|line| wrapped(&line, COLUMNS))
        .collect()
}

fn label_size(lines: &[String]) -> Option<Point> {
    let widest = lines
        .iter()
        .map(|line| width(line, SMALL))
        .fold(0.0, f64::max);
    #[expect(clippy::cast_precision_loss, reason = "a label has few lines")]
    let height = lines.len() as f64 * LEADING;
    (!lines.is_empty()).then_some((widest + 8.0, height + 5.0))
}

/// Returns whether an arrow has a head: at a bar it has none.
fn has_head(arrow: &Arrow) -> bool {
    !matches!(arrow.to, Thing::Fork(_) | Thing::Join(_))
}

fn styled(mut curve: Curve, arrow: &Arrow) -> Curve {
    curve.color = match arrow.lap {
        _ if arrow.on_error => Some(ERROR),
        lap => lap.map(lap_color),
    };
    curve.dash = match arrow.manner {
        Manner::Else => Some("1.5 4"),
        _ if arrow.is_back => Some("6 4"),
        _ => None,
    };
    curve.is_taken = arrow.is_taken();
    curve.is_idle = arrow.is_idle();
    curve
}
