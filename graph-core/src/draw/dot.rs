//! The drawing in the language of Graphviz.
//!
//! Nodes are known by their quoted names and never by a number, so a new node adds its own lines and
//! changes no other. `start` and `end` are reserved names, which leaves them free for the two marks.

use std::fmt::{self, Write as _};

use crate::route::Target;
use crate::topology::{Edge, NodeIndex, NodeKind, NodeShape, Topology};

impl Topology {
    /// Draws the graph for Graphviz.
    ///
    /// A limited edge is dashed, the way to an `else` dotted, and a node where a person works is a
    /// hexagon. The documentation of a node is its tooltip.
    ///
    /// ```
    /// use handoffs_core::{Edge, NodeShape, Route, Topology};
    ///
    /// let mut desk = Topology::new("Desk");
    /// let triage = desk.node(NodeShape::new("triage"));
    /// desk.start(triage);
    /// desk.edge(Edge::new(triage, "_", Route::end()));
    ///
    /// assert!(desk.dot().to_string().contains(r#""triage" -> "end" [label="_"];"#));
    /// ```
    pub fn dot(&self) -> Dot<'_> {
        Dot { topology: self }
    }
}

/// A drawing for Graphviz, written by its `Display`; [`Topology::dot`] returns it.
#[derive(Clone, Copy, Debug)]
pub struct Dot<'a> {
    topology: &'a Topology,
}

impl fmt::Display for Dot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topology = self.topology;
        writeln!(f, "digraph {} {{", Quoted(topology.name()))?;
        writeln!(f, "    node [shape=box, style=rounded];")?;
        if let Some(start) = topology.start_node() {
            writeln!(f, "    \"start\" [shape=point];")?;
            writeln!(f, "    \"start\" -> {};", Quoted(topology.name_of(start)))?;
        }
        for (_, node) in topology.nodes() {
            write_node(f, node)?;
        }
        if topology.steps().any(|step| step.to == Target::End) {
            writeln!(f, "    \"end\" [shape=doublecircle];")?;
        }
        for (_, edge) in topology.edges() {
            self.write_edge(f, edge)?;
        }
        writeln!(f, "}}")
    }
}

impl Dot<'_> {
    fn write_edge(self, f: &mut fmt::Formatter<'_>, edge: &Edge<NodeIndex>) -> fmt::Result {
        let label = edge.label();
        match edge.route.times() {
            None => {
                self.write_arrow(f, edge.from, *edge.route.target())?;
                writeln!(f, " [label={}];", Quoted(&label))?;
            }
            Some(limit) => {
                self.write_arrow(f, edge.from, *edge.route.target())?;
                let label = format!("{label}, ≤ {limit}");
                writeln!(f, " [label={}, style=dashed];", Quoted(&label))?;
            }
        }
        if let Some(otherwise) = edge.route.otherwise() {
            self.write_arrow(f, edge.from, *otherwise)?;
            writeln!(f, " [label=\"else\", style=dotted];")?;
        }
        Ok(())
    }

    fn write_arrow(
        self,
        f: &mut fmt::Formatter<'_>,
        from: NodeIndex,
        to: Target<NodeIndex>,
    ) -> fmt::Result {
        let from = Quoted(self.topology.name_of(from));
        let to = to.map(|node| self.topology.name_of(node)).node();
        write!(f, "    {from} -> {}", Quoted(to.unwrap_or("end")))
    }
}

fn write_node(f: &mut fmt::Formatter<'_>, node: &NodeShape) -> fmt::Result {
    write!(f, "    {}", Quoted(&node.name))?;
    let tooltip = (!node.doc.is_empty()).then(|| format!("tooltip={}", Quoted(&node.doc)));
    let shape = match node.kind {
        NodeKind::Human => Some("shape=hexagon, style=solid"),
        NodeKind::Graph => Some("shape=box, style=solid, peripheries=2"),
        NodeKind::Task => None,
    };
    match (shape, tooltip) {
        (None, None) => writeln!(f, ";"),
        (Some(only), None) => writeln!(f, " [{only}];"),
        (None, Some(only)) => writeln!(f, " [{only}];"),
        (Some(shape), Some(tooltip)) => writeln!(f, " [{shape}, {tooltip}];"),
    }
}

/// A text in quotes, with what would end or change it escaped.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for letter in self.0.chars() {
            match letter {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                // Graphviz refuses a file with a NUL, and a carriage return has no shape.
                '\0' | '\r' => {}
                _ => f.write_char(letter)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests;
