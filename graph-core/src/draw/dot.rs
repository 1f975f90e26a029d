//! The drawing in the language of Graphviz.
//!
//! Nodes are known by their quoted names and never by a number, so a new node adds its own lines and
//! changes no other. A slash leads from a node to what belongs to it: `x/start` and `x/end` are the
//! marks of the graph that is the node `x`, `x/all` and `x/each` the bars of its forks, `x/join` is that
//! of its branches. All of these are reserved names, so they are free; a slash in a name is escaped.
//!
//! A node that is a graph is drawn as a cluster. What leads to the node leads to the cluster's start,
//! and what leaves it leaves from the cluster's end; Graphviz cuts these arrows at the border. The nodes
//! of branches are a cluster too, named after their join.
//!
//! What `read` reads back, it finds in names, labels, shapes, and in the attributes `class`, `join`,
//! `scopes`, `uses` and `grants`, which Graphviz ignores.

mod name;
mod parse;
mod read;

use std::fmt;

use self::name::{Quoted, escaped};
use super::scene::{Arrow, Manner, Scene, Thing, bar_name, line};
use super::{ERROR, IDLE, Trail, lap_color};
use crate::route::Target;
use crate::topology::{EdgeIndex, NodeIndex, NodeKind, NodeShape, Topology};

pub use read::DotError;

impl Topology {
    /// Draws the graph for Graphviz.
    ///
    /// A way back is dashed, the way to an `else` dotted, an error red. Whatever lies on a loop has the
    /// loop's colour, and the bounds stand below the graph. A fork leads to a bar, from which its
    /// branches leave, and these meet at the bar of their join. A node where a person works is a
    /// hexagon, and a graph within the graph a cluster. The documentation of a node is its tooltip. An
    /// arrow without a label is the arm `_`.
    ///
    /// ```
    /// use handoffs_core::{Edge, NodeShape, Route, Topology};
    ///
    /// let mut desk = Topology::new("Desk");
    /// let triage = desk.node(NodeShape::new("triage"));
    /// desk.start(triage);
    /// desk.edge(Edge::new(triage, "Triaged::Done", Route::end()));
    ///
    /// let drawing = desk.dot().to_string();
    /// assert!(drawing.contains(r#""triage" -> "end" [label="Triaged::Done"];"#));
    /// assert_eq!(Topology::from_dot(&drawing), Ok(desk));
    /// ```
    pub fn dot(&self) -> Dot<'_> {
        Dot {
            topology: self,
            trail: None,
        }
    }
}

/// A drawing for Graphviz, written by its `Display`; [`Topology::dot`] returns it.
#[derive(Clone, Copy, Debug)]
pub struct Dot<'a> {
    topology: &'a Topology,
    trail: Option<&'a Trail>,
}

impl<'a> Dot<'a> {
    /// Shows the path that a thread took: what it came to is bold, the rest is grey.
    pub fn trail(mut self, trail: &'a Trail) -> Self {
        self.trail = Some(trail);
        self
    }
}

impl fmt::Display for Dot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scene = Scene::new(self.topology, self.trail);
        writeln!(f, "digraph {} {{", Quoted(&line(self.topology.name())))?;
        writeln!(f, "    compound=true; fontname=\"sans-serif\";")?;
        writeln!(
            f,
            "    node [shape=box, style=rounded, fontname=\"sans-serif\"];"
        )?;
        writeln!(f, "    edge [fontname=\"sans-serif\", fontsize=11];")?;
        let part = Part {
            scene,
            prefix: String::new(),
            indent: "    ".to_owned(),
        };
        part.write(f)?;
        part.write_legend(f)?;
        writeln!(f, "}}")
    }
}

/// The attributes of a statement, as they are written.
#[derive(Default)]
struct Attributes(Vec<String>);

impl Attributes {
    fn add(&mut self, name: &str, value: impl fmt::Display) {
        self.0.push(format!("{name}={value}"));
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            f.write_str(";")
        } else {
            write!(f, " [{}];", self.0.join(", "))
        }
    }
}

/// The graph, or a graph within it.
struct Part<'a> {
    scene: Scene<'a>,
    /// What stands in front of each name, a slash at its end.
    prefix: String,
    indent: String,
}

impl Part<'_> {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indent = &self.indent;
        let scopes = self.scene.topology.scopes().iter();
        let scopes: Vec<_> = scopes
            .map(|scope| match &*scope.doc {
                "" => scope.name.to_string(),
                doc => format!("{}: {}", scope.name, line(doc)),
            })
            .collect();
        if !scopes.is_empty() {
            writeln!(f, "{indent}scopes={};", Quoted(&scopes.join("\n")))?;
        }
        if self.scene.topology.start_node().is_some() {
            writeln!(f, "{indent}{} [shape=point];", self.quoted(Thing::Start))?;
        }
        self.write_region(f, None, indent)?;
        if self.scene.has_end() {
            let mut attributes = Attributes::default();
            attributes.add("shape", "doublecircle");
            attributes.add("label", "end");
            attributes.add("fontsize", "10");
            attributes.add("width", "0.4");
            attributes.add("fixedsize", "true");
            writeln!(f, "{indent}{}{attributes}", self.quoted(Thing::End))?;
        }
        for arrow in self.scene.arrows() {
            // The arrow behind the bar of a join stands with the bar.
            if arrow.manner != Manner::Joined {
                self.write_arrow(f, &arrow, &self.indent)?;
            }
        }
        Ok(())
    }

    /// Writes the nodes of a region in the order of declaration, and a region within it where its
    /// first node is.
    fn write_region(
        &self,
        f: &mut fmt::Formatter<'_>,
        region: Option<usize>,
        indent: &str,
    ) -> fmt::Result {
        for member in self.scene.members(region) {
            match member {
                Ok(node) => self.write_node(f, node, indent)?,
                Err(inner) => {
                    let join = self.id(Thing::Join(self.scene.regions.list[inner].join));
                    let name = format!("cluster_{join}");
                    writeln!(f, "{indent}subgraph {} {{", Quoted(&name))?;
                    let style = format!("style=\"rounded,dashed\"; color=\"{IDLE}\"");
                    writeln!(f, "{indent}    {style}; label=\"\";")?;
                    self.write_region(f, Some(inner), &format!("{indent}    "))?;
                    writeln!(f, "{indent}}}")?;
                }
            }
        }
        Ok(())
    }

    fn write_node(
        &self,
        f: &mut fmt::Formatter<'_>,
        index: NodeIndex,
        indent: &str,
    ) -> fmt::Result {
        let Some(node) = self.scene.topology.get_node(index) else {
            return Ok(());
        };
        if self.scene.is_join(index) {
            self.write_bar(f, Thing::Join(index), None, indent)?;
        }
        match self.scene.inner(node) {
            Some(inner) => self.write_cluster(f, node, inner, indent)?,
            None => self.write_plain(f, index, node, indent)?,
        }
        if self.scene.is_join(index) {
            self.write_arrow(f, &self.scene.joined(index), indent)?;
        }
        for fork in self.scene.forks_of(index) {
            self.write_bar(f, Thing::Fork(fork), Some(fork), indent)?;
        }
        Ok(())
    }

    fn write_bar(
        &self,
        f: &mut fmt::Formatter<'_>,
        bar: Thing,
        fork: Option<EdgeIndex>,
        indent: &str,
    ) -> fmt::Result {
        let mut attributes = Attributes::default();
        attributes.add("label", "\"\"");
        attributes.add("width", "0.9");
        attributes.add("height", "0.05");
        attributes.add("style", "filled");
        attributes.add("fillcolor", "black");
        let edge = fork.and_then(|fork| self.scene.topology.get_edge(fork));
        if let Some(edge) = edge {
            let join = edge.route.target().map(Thing::Node);
            attributes.add(
                "join",
                match join {
                    Target::Node(node) => self.quoted(node),
                    Target::End => self.quoted(Thing::End),
                },
            );
        }
        writeln!(f, "{indent}{}{attributes}", self.quoted(bar))
    }

    fn write_cluster(
        &self,
        f: &mut fmt::Formatter<'_>,
        node: &NodeShape,
        inner: Scene<'_>,
        indent: &str,
    ) -> fmt::Result {
        let id = self.node_id(node);
        let name = format!("cluster_{id}");
        writeln!(f, "{indent}subgraph {} {{", Quoted(&name))?;
        write!(f, "{indent}    style=solid; ")?;
        if self.scene.is_idle(node) {
            write!(f, "color=\"{IDLE}\"; fontcolor=\"{IDLE}\"; ")?;
        } else {
            f.write_str("color=black; ")?;
        }
        write!(f, "label={};", Quoted(&self.label(node)))?;
        if !node.doc.is_empty() {
            write!(f, " tooltip={};", Quoted(&node.doc))?;
        }
        for (name, scopes) in scopes_of(node) {
            write!(f, " {name}={scopes};")?;
        }
        writeln!(f)?;
        Part {
            scene: inner,
            prefix: format!("{id}/"),
            indent: format!("{indent}    "),
        }
        .write(f)?;
        writeln!(f, "{indent}}}")
    }

    fn write_plain(
        &self,
        f: &mut fmt::Formatter<'_>,
        index: NodeIndex,
        node: &NodeShape,
        indent: &str,
    ) -> fmt::Result {
        let id = self.node_id(node);
        let label = self.label(node);
        let mut attributes = Attributes::default();
        if id != label {
            attributes.add("label", Quoted(&label));
        }
        let is_taken = self.scene.trail.is_some() && !self.scene.is_idle(node);
        match node.kind {
            NodeKind::Human => {
                attributes.add("shape", "hexagon");
                attributes.add("style", "solid");
            }
            NodeKind::Graph => {
                attributes.add("style", "solid");
                attributes.add("peripheries", "2");
            }
            NodeKind::Task => {}
        }
        if is_taken {
            attributes.add("penwidth", "2.5");
        }
        if self.scene.is_idle(node) {
            attributes.add("color", format_args!("\"{IDLE}\""));
            attributes.add("fontcolor", format_args!("\"{IDLE}\""));
        } else if let Some(lap) = self.scene.loops.of(index) {
            attributes.add("color", format_args!("\"{}\"", lap_color(lap)));
        }
        if !node.doc.is_empty() {
            attributes.add("tooltip", Quoted(&node.doc));
        }
        for (name, scopes) in scopes_of(node) {
            attributes.add(name, scopes);
        }
        writeln!(f, "{indent}{}{attributes}", Quoted(&id))
    }

    /// Returns what is written in a node: its name, what it may do, and what the trail says of it.
    fn label(&self, node: &NodeShape) -> String {
        let name = node.name.to_string();
        let lines: Vec<_> = [name].into_iter().chain(self.scene.notes(node)).collect();
        lines.join("\n")
    }

    fn write_arrow(&self, f: &mut fmt::Formatter<'_>, arrow: &Arrow, indent: &str) -> fmt::Result {
        let mut attributes = Attributes::default();
        let lines: Vec<_> = arrow.readable().collect();
        if !lines.is_empty() {
            attributes.add("label", Quoted(&lines.join("\n")));
        }
        if let Some(on) = arrow.lines.first().filter(|on| read::is_more(on)) {
            // What looks like a limit or a guard, and is none.
            attributes.add("on", Quoted(on));
        }
        if arrow.on_error {
            attributes.add("class", "error");
        }
        match arrow.manner {
            Manner::Else => attributes.add("style", "dotted"),
            _ if arrow.is_back => attributes.add("style", "dashed"),
            _ => {}
        }
        if arrow.is_back {
            // Or else Graphviz would find ways back of its own.
            attributes.add("constraint", "false");
        }
        if arrow.is_taken() {
            attributes.add("penwidth", "2.5");
        }
        let color = match arrow.lap {
            _ if arrow.is_idle() => Some(IDLE),
            _ if arrow.on_error => Some(ERROR),
            lap => lap.map(lap_color),
        };
        if let Some(color) = color {
            attributes.add("color", format_args!("\"{color}\""));
            if arrow.on_error || arrow.is_idle() {
                attributes.add("fontcolor", format_args!("\"{color}\""));
            }
        }
        if matches!(arrow.to, Thing::Fork(_) | Thing::Join(_)) {
            attributes.add("arrowhead", "none");
        }
        // Graphviz cuts no arrow at the border of a cluster in which it ends.
        if arrow.from != arrow.to {
            self.cut(&mut attributes, "ltail", arrow.from);
            self.cut(&mut attributes, "lhead", arrow.to);
        }
        let (from, to) = (self.exit(arrow.from), self.entry(arrow.to));
        writeln!(f, "{indent}{from} -> {to}{attributes}")
    }

    fn write_legend(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The lines end within a tag, where blanks do not count.
        writeln!(f, "    label=<{}<BR", Html(&self.scene.title()))?;
        for (lap, text) in self.scene.legend() {
            let color = lap_color(lap);
            writeln!(f, "    /><FONT COLOR=\"{color}\">{}</FONT><BR", Html(&text))?;
        }
        for text in self.scene.remarks() {
            writeln!(f, "    />{}<BR", Html(&text))?;
        }
        writeln!(f, "    />>;")
    }

    /// Returns the quoted name of what an arrow to a thing leads to.
    fn entry(&self, thing: Thing) -> String {
        self.end_of_arrow(thing, "start")
    }

    /// Returns the quoted name of what an arrow from a thing leaves from.
    fn exit(&self, thing: Thing) -> String {
        self.end_of_arrow(thing, "end")
    }

    fn end_of_arrow(&self, thing: Thing, mark: &str) -> String {
        match self.scene.cluster(thing) {
            Some(node) => Quoted(&format!("{}/{mark}", self.node_id(node))).to_string(),
            None => self.quoted(thing),
        }
    }

    /// Cuts an arrow at the border of a cluster, if it leads from one or to one.
    fn cut(&self, attributes: &mut Attributes, name: &str, thing: Thing) {
        if let Some(node) = self.scene.cluster(thing) {
            let cluster = format!("cluster_{}", self.node_id(node));
            attributes.add(name, Quoted(&cluster));
        }
    }

    fn quoted(&self, thing: Thing) -> String {
        Quoted(&self.id(thing)).to_string()
    }

    /// Returns what a thing is known by.
    fn id(&self, thing: Thing) -> String {
        let name = |node| escaped(self.scene.topology.name_of(node));
        let name = match thing {
            Thing::Start => "start".to_owned(),
            Thing::End => "end".to_owned(),
            Thing::Node(node) => name(node),
            Thing::Join(node) => format!("{}/join", name(node)),
            Thing::Fork(edge) => {
                let (node, bar) = bar_name(&self.scene, edge);
                format!("{}/{bar}", name(node))
            }
        };
        format!("{}{name}", self.prefix)
    }

    fn node_id(&self, node: &NodeShape) -> String {
        format!("{}{}", self.prefix, escaped(&node.name))
    }
}

/// Returns the attributes that say what a node may do.
fn scopes_of(node: &NodeShape) -> impl Iterator<Item = (&'static str, String)> {
    let all = [("uses", &node.may.uses), ("grants", &node.may.grants)];
    let all = all.into_iter().filter(|(_, scopes)| !scopes.is_empty());
    all.map(|(name, scopes)| (name, Quoted(&scopes.join(" ")).to_string()))
}

/// A text in what Graphviz takes for HTML.
struct Html<'a>(&'a str);

impl fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                _ => write!(f, "{letter}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
