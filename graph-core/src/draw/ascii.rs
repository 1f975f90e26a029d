//! The drawing for a terminal: one node below the other, each with its edges, and rails at the left for
//! what leads back up.
//!
//! The branches of graphs whose edges have long conditions do not fit side by side into 80 columns, so
//! they stand one below the other.

mod rails;

use std::borrow::Cow;
use std::fmt;

use self::rails::{Row, Up, railed};
use super::Trail;
use super::scene::{Arrow, Manner, Scene, Thing, line};
use super::text::{columns, wrapped};
use crate::route::Branches;
use crate::topology::{NodeIndex, NodeKind, Topology};

/// How wide a drawing is if nothing forces it to be wider.
const WIDTH: usize = 80;

impl Topology {
    /// Draws the graph for a terminal, in 80 columns unless names are too long for that.
    ///
    /// The nodes stand in the order in which a run comes to them, each with its edges below. What leads
    /// back up has a rail at the left.
    ///
    /// ```
    /// use handoffs_core::{Edge, NodeShape, Route, Topology};
    ///
    /// let mut desk = Topology::new("Desk");
    /// let triage = desk.node(NodeShape::new("triage"));
    /// let billing = desk.node(NodeShape::new("billing"));
    /// desk.start(triage);
    /// desk.edge(Edge::new(triage, "_", Route::to(billing)));
    /// desk.edge(Edge::new(billing, "Billed::Done", Route::end()));
    /// desk.edge(Edge::new(billing, "Billed::WrongDesk", Route::to(triage).limit(2).or_end()));
    ///
    /// assert_eq!(
    ///     desk.ascii().to_string(),
    ///     "Desk: at most 5 handoffs
    ///
    ///    ● start
    /// ╭▶ triage
    /// │  └──▶ billing
    /// │
    /// │  billing
    /// │  ├─ Billed::Done ───────────▶ end
    /// ╰┄ └─ Billed::WrongDesk, ≤ 2 ┄▶ triage ↑
    ///       else ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄▶ end
    ///
    /// ⟲ triage, billing: at most 2 laps
    /// ",
    /// );
    /// ```
    pub fn ascii(&self) -> Ascii<'_> {
        Ascii {
            topology: self,
            trail: None,
        }
    }
}

/// A drawing for a terminal, written by its `Display`; [`Topology::ascii`] returns it.
#[derive(Clone, Copy, Debug)]
pub struct Ascii<'a> {
    topology: &'a Topology,
    trail: Option<&'a Trail>,
}

impl<'a> Ascii<'a> {
    /// Shows the path that a thread took: counts and times stand at what it came to.
    pub fn trail(mut self, trail: &'a Trail) -> Self {
        self.trail = Some(trail);
        self
    }
}

impl fmt::Display for Ascii<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scene = Scene::new(self.topology, self.trail);
        writeln!(f, "{}\n", scene.title())?;
        for line in lines(&scene, WIDTH) {
            writeln!(f, "{}", line.trim_end())?;
        }
        let laps = scene.legend().map(|(_, text)| text);
        let remarks = scene.remarks().map(Cow::into_owned);
        for (place, text) in laps.chain(remarks).enumerate() {
            let blank = if place == 0 { "\n" } else { "" };
            writeln!(f, "{blank}{text}")?;
        }
        Ok(())
    }
}

/// Returns the lines of a graph.
fn lines(scene: &Scene<'_>, width: usize) -> Vec<String> {
    let order = order(scene);
    let mut places = vec![0; order.len()];
    for (place, node) in order.iter().enumerate() {
        places[usize::from(node.0)] = place;
    }
    let arrows = scene.arrows();
    let list = List {
        scene,
        arrows: &arrows,
        places,
        // Rails take room, but how many there are is known only when the rows are.
        width: width.saturating_sub(12).max(30),
    };
    let mut rows = Vec::new();
    if let Some(start) = scene.topology.start_node() {
        let name = scene.topology.name_of(start);
        let follows = order.first() == Some(&start);
        let to = if follows {
            String::new()
        } else {
            format!(" ──▶ {}", line(name))
        };
        rows.push(Row::plain(format!("● start{to}")));
    }
    for (place, node) in order.iter().enumerate() {
        if place > 0 {
            rows.push(Row::default());
        }
        list.node(*node, &mut rows);
    }
    railed(&rows)
}

/// Returns the nodes in the order in which a run comes to them: each before those that it leads to,
/// but for what leads back.
fn order(scene: &Scene<'_>) -> Vec<NodeIndex> {
    let topology = scene.topology;
    let mut leading = vec![Vec::new(); topology.nodes().len()];
    for step in topology.steps() {
        if let Some(to) = step.to.node().filter(|_| !scene.loops.is_back(step.way)) {
            leading[usize::from(step.from.0)].push(to);
        }
    }
    for targets in &mut leading {
        targets.sort_unstable();
    }
    // Whoever is left last stands first.
    let mut left = Vec::new();
    let mut met = vec![false; leading.len()];
    let nodes: Vec<_> = topology.nodes().map(|(index, _)| index).collect();
    for root in nodes.into_iter().rev().chain(topology.start_node()) {
        if std::mem::replace(&mut met[usize::from(root.0)], true) {
            continue;
        }
        let mut path = vec![(root, leading[usize::from(root.0)].len())];
        while let Some((node, rest)) = path.last_mut() {
            if *rest == 0 {
                left.push(*node);
                path.pop();
                continue;
            }
            *rest -= 1;
            let to = leading[usize::from(node.0)][*rest];
            if !std::mem::replace(&mut met[usize::from(to.0)], true) {
                path.push((to, leading[usize::from(to.0)].len()));
            }
        }
    }
    left.reverse();
    left
}

struct List<'a, 'b> {
    scene: &'b Scene<'a>,
    arrows: &'b [Arrow],
    /// The place of each node in the list.
    places: Vec<usize>,
    width: usize,
}

impl List<'_, '_> {
    fn node(&self, index: NodeIndex, rows: &mut Vec<Row>) {
        let Some(node) = self.scene.topology.get_node(index) else {
            return;
        };
        let kind = match node.kind {
            NodeKind::Task => "",
            NodeKind::Human => " (human)",
            NodeKind::Graph => " (graph)",
        };
        let notes = self.scene.notes(node).map(|note| format!("  {note}"));
        let (name, notes) = (line(&node.name), notes.collect::<String>());
        let mut row = Row::plain(format!("{name}{kind}{notes}"));
        row.node = Some(index);
        rows.push(row);

        let own = self.arrows.iter();
        let own: Vec<_> = own
            .filter(|arrow| arrow.from == Thing::Node(index))
            .collect();
        let gutter = if own.is_empty() { "   " } else { "│  " };
        if let Some(inner) = self.scene.inner(node) {
            for text in lines(&inner, self.width.saturating_sub(3)) {
                rows.push(Row::plain(format!(
                    "{}┊ {text}",
                    &gutter[..gutter.len() - 1]
                )));
            }
        }
        let labels: Vec<String> = own.iter().map(|arrow| label(arrow)).collect();
        let most = self.width / 2;
        let widest = labels
            .iter()
            .map(|label| columns(label))
            .max()
            .unwrap_or(0)
            .min(most);
        let last = own.iter().rposition(|arrow| arrow.manner != Manner::Else);
        for (place, (arrow, label)) in own.iter().zip(&labels).enumerate() {
            let is_else = arrow.manner == Manner::Else;
            let below = if Some(place) < last { "│  " } else { "   " };
            let begin = match (is_else, Some(place) == last) {
                (true, _) => below,
                (false, true) => "└─ ",
                (false, false) => "├─ ",
            };
            rows.push(self.edge(arrow, label, (begin, below), widest));
        }
    }

    /// Returns the row of an arrow, in which labels take `widest` columns.
    fn edge(&self, arrow: &Arrow, label: &str, (begin, below): (&str, &str), widest: usize) -> Row {
        let up = self.up(arrow);
        let stroke = match (arrow.manner, up.is_some()) {
            (Manner::Else, _) | (_, true) => "┄",
            _ => "─",
        };
        let mark = if up.is_some() { " ↑" } else { "" };
        let room = self.width.saturating_sub(widest + 6).max(20);
        let targets = wrapped(&format!("{}{mark}", self.target(arrow)), room);
        let labels = wrapped(label, widest.max(1));
        let mut row = Row {
            up,
            ..Row::default()
        };
        for place in 0..labels.len().max(targets.len()) {
            let label = labels.get(place).map_or("", |label| label);
            let fill = widest - columns(label).min(widest);
            let target = targets.get(place).map_or("", |target| target);
            row.lines.push(match place {
                0 if label.is_empty() => {
                    let begin = begin.trim_end();
                    let fill = if widest == 0 { 1 } else { widest + 3 };
                    format!("{begin}{}▶ {target}", stroke.repeat(fill))
                }
                0 => format!("{begin}{label} {}▶ {target}", stroke.repeat(fill + 1)),
                _ => format!("{below}{label}{}{target}", " ".repeat(fill + 4)),
            });
        }
        row
    }

    fn target(&self, arrow: &Arrow) -> String {
        let name = |node| line(self.scene.topology.name_of(node)).into_owned();
        match arrow.to {
            Thing::Start => "start".to_owned(),
            Thing::End => "end".to_owned(),
            Thing::Node(node) => name(node),
            Thing::Join(node) => format!("join {}", name(node)),
            Thing::Fork(edge) => {
                let Some(edge) = self.scene.topology.get_edge(edge) else {
                    return String::new();
                };
                let join = edge.route.target().map(name);
                let branches = edge.route.fork().map(|fork| match &fork.branches {
                    Branches::All(nodes) => {
                        Branches::All(nodes.iter().copied().map(name).collect())
                    }
                    Branches::Each { items, worker } => Branches::Each {
                        items: items.clone(),
                        worker: name(*worker),
                    },
                });
                let branches = branches.map(|branches| branches.to_string());
                format!("{} join {join}", line(&branches.unwrap_or_default()))
            }
        }
    }

    /// Returns to which node an arrow leads up, if it does.
    fn up(&self, arrow: &Arrow) -> Option<Up> {
        let (Thing::Node(from), Thing::Node(to) | Thing::Join(to)) = (arrow.from, arrow.to) else {
            return None;
        };
        let place = |node: NodeIndex| self.places.get(usize::from(node.0));
        (place(to) <= place(from)).then_some(Up(to))
    }
}

fn label(arrow: &Arrow) -> String {
    arrow.readable().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
