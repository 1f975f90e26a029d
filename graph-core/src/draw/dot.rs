//! The drawing in the language of Graphviz.
//!
//! Nodes are known by their quoted names and never by a number, so a new node adds its own lines and
//! changes no other. `start` and `end` are reserved names, which leaves them free for the two marks.
//!
//! A node that is a graph is drawn as a cluster, in which each name has the node's own and a slash in
//! front. What leads to the node leads to the cluster's start, and what leaves it leaves from the
//! cluster's end; Graphviz cuts these arrows at the border.

use std::fmt::{self, Write as _};

use crate::route::{Branches, Fork, Target};
use crate::topology::{Edge, NodeIndex, NodeKind, NodeShape, Topology};

impl Topology {
    /// Draws the graph for Graphviz.
    ///
    /// A limited edge is dashed, one that a person approves says so and ends in a diamond, the way to an `else` dotted, that of an error red, and a node where a
    /// person works is a hexagon. A fork is a bold arrow to each of its branches, which names the join.
    /// A graph within the graph is a cluster. The documentation of a node is its tooltip.
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
        writeln!(f, "digraph {} {{", Quoted(self.topology.name()))?;
        if self
            .topology
            .nodes()
            .any(|(_, node)| cluster(node).is_some())
        {
            writeln!(f, "    compound=true;")?;
        }
        writeln!(f, "    node [shape=box, style=rounded];")?;
        Part {
            topology: self.topology,
            prefix: "",
            indent: "    ",
        }
        .write(f)?;
        writeln!(f, "}}")
    }
}

/// The graph, or a graph within it.
#[derive(Clone, Copy)]
struct Part<'a> {
    topology: &'a Topology,
    /// What stands in front of each name, a slash at its end.
    prefix: &'a str,
    indent: &'a str,
}

impl Part<'_> {
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            topology,
            indent,
            prefix,
        } = self;
        let mark = |name: &str| Quoted(&format!("{prefix}{name}")).to_string();
        if let Some(start) = topology.start_node() {
            writeln!(f, "{indent}{} [shape=point];", mark("start"))?;
            write!(f, "{indent}{} -> {}", mark("start"), self.entry(start))?;
            let head = self.border("lhead", start);
            if !head.is_empty() {
                write!(f, " [{}]", head.join(", "))?;
            }
            writeln!(f, ";")?;
        }
        for (_, node) in topology.nodes() {
            match cluster(node) {
                Some(inner) => self.write_cluster(f, node, inner)?,
                None => self.write_node(f, node)?,
            }
        }
        if topology.steps().any(|step| step.to == Target::End) {
            write!(f, "{indent}{} [shape=doublecircle", mark("end"))?;
            if !prefix.is_empty() {
                write!(f, ", label=\"end\"")?;
            }
            writeln!(f, "];")?;
        }
        for (_, edge) in topology.edges() {
            self.write_edge(f, edge)?;
        }
        Ok(())
    }

    fn write_cluster(
        self,
        f: &mut fmt::Formatter<'_>,
        node: &NodeShape,
        inner: &Topology,
    ) -> fmt::Result {
        let indent = self.indent;
        let id = self.id(&node.name);
        let name = format!("cluster_{id}");
        writeln!(f, "{indent}subgraph {} {{", Quoted(&name))?;
        write!(f, "{indent}    label={};", Quoted(&node.name))?;
        if !node.doc.is_empty() {
            write!(f, " tooltip={};", Quoted(&node.doc))?;
        }
        writeln!(f)?;
        Part {
            topology: inner,
            prefix: &format!("{id}/"),
            indent: &format!("{indent}    "),
        }
        .write(f)?;
        writeln!(f, "{indent}}}")
    }

    fn write_node(self, f: &mut fmt::Formatter<'_>, node: &NodeShape) -> fmt::Result {
        let id = self.id(&node.name);
        let mut attributes = Vec::new();
        if id != node.name {
            attributes.push(format!("label={}", Quoted(&node.name)));
        }
        match node.kind {
            NodeKind::Human => attributes.push("shape=hexagon, style=solid".to_owned()),
            NodeKind::Graph => attributes.push("style=solid, peripheries=2".to_owned()),
            NodeKind::Task => {}
        }
        if !node.doc.is_empty() {
            attributes.push(format!("tooltip={}", Quoted(&node.doc)));
        }
        write!(f, "{}{}", self.indent, Quoted(&id))?;
        if !attributes.is_empty() {
            write!(f, " [{}]", attributes.join(", "))?;
        }
        writeln!(f, ";")
    }

    fn write_edge(self, f: &mut fmt::Formatter<'_>, edge: &Edge<NodeIndex>) -> fmt::Result {
        let mut label = edge.label().into_owned();
        let join = edge.route.target();
        if let Some(fork) = edge.route.fork() {
            let join = join.map(|node| self.topology.name_of(node));
            let branches = match &fork.branches {
                Branches::All(_) => "all".to_owned(),
                Branches::Each { items, .. } => format!("each({items})"),
            };
            label = format!("{label}, {branches} join {join}");
            if let Some(most) = fork.concurrency {
                label = format!("{label}, {most} at a time");
            }
        }
        if let Some(limit) = edge.route.times() {
            label = format!("{label}, ≤ {limit}");
        }
        if let Some(question) = edge.route.approval() {
            label = format!("{label}, approve = {question}");
        }

        let is_fork = edge.route.fork().is_some();
        let style = match (is_fork, edge.route.times().is_some() || edge.on_error) {
            (false, false) => None,
            (false, true) => Some("style=dashed"),
            (true, false) => Some("style=bold"),
            (true, true) => Some("style=\"bold,dashed\""),
        };
        let color = edge.on_error.then_some("color=red, fontcolor=red");
        // A gate before the node.
        let gate = edge.route.approval().map(|_| "arrowhead=normalodiamond");
        let label = format!("label={}", Quoted(&label));
        let attributes = [Some(label.as_str()), style, color, gate];
        let attributes: Vec<_> = attributes.into_iter().flatten().collect();

        match edge.route.fork().map(Fork::entries) {
            None | Some([]) => self.write_arrow(f, edge.from, *join, &attributes)?,
            Some(entries) => {
                for entry in entries {
                    self.write_arrow(f, edge.from, Target::Node(*entry), &attributes)?;
                }
            }
        }
        if let Some(otherwise) = edge.route.otherwise() {
            let attributes = ["label=\"else\"", "style=dotted"];
            self.write_arrow(f, edge.from, *otherwise, &attributes)?;
        }
        Ok(())
    }

    fn write_arrow(
        self,
        f: &mut fmt::Formatter<'_>,
        from: NodeIndex,
        to: Target<NodeIndex>,
        attributes: &[&str],
    ) -> fmt::Result {
        let to_node = to.node();
        let tail = self.border("ltail", from);
        let (head, to) = match to {
            Target::Node(node) => (self.border("lhead", node), self.entry(node)),
            Target::End => {
                let end = format!("{}end", self.prefix);
                (Vec::new(), Quoted(&end).to_string())
            }
        };
        // Graphviz cuts no arrow at the border of a cluster in which it ends.
        let borders = (to_node != Some(from)).then(|| tail.into_iter().chain(head));
        let attributes = attributes.iter().map(|&text| text.to_owned());
        let attributes: Vec<_> = attributes.chain(borders.into_iter().flatten()).collect();
        let from = self.exit(from);
        writeln!(
            f,
            "{}{from} -> {to} [{}];",
            self.indent,
            attributes.join(", ")
        )
    }

    /// Returns the quoted name of what an arrow to a node leads to.
    fn entry(self, node: NodeIndex) -> String {
        self.end_of_arrow(node, "start")
    }

    /// Returns the quoted name of what an arrow from a node leaves from.
    fn exit(self, node: NodeIndex) -> String {
        self.end_of_arrow(node, "end")
    }

    fn end_of_arrow(self, node: NodeIndex, mark: &str) -> String {
        let id = self.id(self.topology.name_of(node));
        let is_cluster = self.topology.get_node(node).and_then(cluster).is_some();
        let id = if is_cluster {
            format!("{id}/{mark}")
        } else {
            id
        };
        Quoted(&id).to_string()
    }

    /// Returns the attribute that cuts an arrow at the border of a node's cluster, if it is one.
    fn border(self, attribute: &str, node: NodeIndex) -> Vec<String> {
        let shape = self.topology.get_node(node);
        let inner = shape.filter(|node| cluster(node).is_some());
        let cut = inner.map(|node| {
            let cluster = format!("cluster_{}", self.id(&node.name));
            format!("{attribute}={}", Quoted(&cluster))
        });
        cut.into_iter().collect()
    }

    /// Returns what a node is known by. In a drawing with clusters a slash belongs to them.
    fn id(self, name: &str) -> String {
        let has_clusters = || {
            let mut nodes = self.topology.nodes();
            nodes.any(|(_, node)| cluster(node).is_some())
        };
        let name = if name.contains(['/', '%']) && (!self.prefix.is_empty() || has_clusters()) {
            name.replace('%', "%25").replace('/', "%2F")
        } else {
            name.to_owned()
        };
        format!("{}{name}", self.prefix)
    }
}

/// Returns the graph within a node, if it can be drawn: if it starts somewhere, and ends.
fn cluster(node: &NodeShape) -> Option<&Topology> {
    let inner = node.inner.as_deref()?;
    let ends = inner.steps().any(|step| step.to == Target::End);
    (ends && inner.start_node().is_some()).then_some(inner)
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
