//! The drawing in the language of Mermaid, which GitHub renders in Markdown.
//!
//! An id is made of the node's name, so a new node leaves the others as they are; two underscores lead
//! from a node to what belongs to it. Mermaid reads Markdown, HTML and its own keywords wherever it
//! can, so whatever could be any of these is escaped.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::scene::{Arrow, Manner, Scene, Thing, bar_name, line};
use super::{ERROR, IDLE, Trail, lap_color};
use crate::topology::{NodeIndex, NodeKind, NodeShape, Topology};

impl Topology {
    /// Draws the graph for Mermaid: a flowchart such as GitHub renders in a block named `mermaid`.
    ///
    /// A way back is dashed, as is the way to an `else`; whatever lies on a loop has the loop's colour,
    /// and an error is red. A node where a person works is a hexagon, a graph within the graph and the
    /// branches of a fork are subgraphs. An arrow leads to the end only where an edge does.
    ///
    /// ```
    /// use handoffs_core::{Edge, NodeShape, Route, Topology};
    ///
    /// let mut desk = Topology::new("Desk");
    /// let triage = desk.node(NodeShape::new("triage"));
    /// desk.start(triage);
    /// desk.edge(Edge::new(triage, "Triaged::Done", Route::end()));
    ///
    /// let drawing = desk.mermaid().to_string();
    /// assert!(drawing.contains(r#"triage -->|"Triaged::Done"| __end"#));
    /// ```
    pub fn mermaid(&self) -> Mermaid<'_> {
        Mermaid {
            topology: self,
            trail: None,
        }
    }
}

/// A drawing for Mermaid, written by its `Display`; [`Topology::mermaid`] returns it.
#[derive(Clone, Copy, Debug)]
pub struct Mermaid<'a> {
    topology: &'a Topology,
    trail: Option<&'a Trail>,
}

impl<'a> Mermaid<'a> {
    /// Shows the path that a thread took: what it came to is bold, the rest is grey.
    pub fn trail(mut self, trail: &'a Trail) -> Self {
        self.trail = Some(trail);
        self
    }
}

impl fmt::Display for Mermaid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scene = Scene::new(self.topology, self.trail);
        let remarks = scene.remarks().map(|remark| format!("; {remark}"));
        let title = scene.title() + &remarks.collect::<String>();
        writeln!(f, "---\ntitle: \"{}\"\n---", Title(&title))?;
        writeln!(f, "flowchart TD")?;
        let mut writer = Writer::default();
        let part = Part {
            scene,
            prefix: String::new(),
            depth: 1,
        };
        part.write(&mut writer);
        f.write_str(&writer.text)?;
        for (style, links) in &writer.links {
            let links: Vec<_> = links.iter().map(usize::to_string).collect();
            writeln!(f, "    linkStyle {} {style}", links.join(","))?;
        }
        for (place, (style, nodes)) in writer.nodes.iter().enumerate() {
            writeln!(f, "    classDef style{place} {style}")?;
            writeln!(f, "    class {} style{place}", nodes.join(","))?;
        }
        Ok(())
    }
}

/// What is written so far, and what is said at the end of it: the looks of arrows and nodes.
#[derive(Default)]
struct Writer {
    text: String,
    /// How many arrows there are; Mermaid knows them by their place.
    arrows: usize,
    links: BTreeMap<String, Vec<usize>>,
    nodes: BTreeMap<String, Vec<String>>,
}

impl Writer {
    fn line(&mut self, depth: usize, text: fmt::Arguments<'_>) {
        // Nothing can fail that writes into a string.
        let _ = writeln!(self.text, "{:1$}{text}", "", 4 * depth);
    }
}

/// The graph, or a graph within it.
struct Part<'a> {
    scene: Scene<'a>,
    /// What stands in front of each id.
    prefix: String,
    depth: usize,
}

impl Part<'_> {
    fn write(&self, writer: &mut Writer) {
        if self.scene.topology.start_node().is_some() {
            writer.line(
                self.depth,
                format_args!("{}((\" \"))", self.id(Thing::Start)),
            );
        }
        self.write_region(writer, None, self.depth);
        if self.scene.has_end() {
            let end = self.id(Thing::End);
            writer.line(self.depth, format_args!("{end}(((\"end\")))"));
        }
        for arrow in self.scene.arrows() {
            self.write_arrow(writer, &arrow);
        }
    }

    fn write_region(&self, writer: &mut Writer, region: Option<usize>, depth: usize) {
        for member in self.scene.members(region) {
            match member {
                Ok(node) => self.write_node(writer, node, depth),
                Err(inner) => {
                    let join = self.id(Thing::Join(self.scene.regions.list[inner].join));
                    writer.line(depth, format_args!("subgraph {join}__branches[\" \"]"));
                    self.write_region(writer, Some(inner), depth + 1);
                    writer.line(depth, format_args!("end"));
                    let style = "fill:none,stroke-dasharray:4 4".to_owned();
                    let styled = writer.nodes.entry(style).or_default();
                    styled.push(format!("{join}__branches"));
                }
            }
        }
    }

    fn write_node(&self, writer: &mut Writer, index: NodeIndex, depth: usize) {
        let Some(node) = self.scene.topology.get_node(index) else {
            return;
        };
        let bar = |writer: &mut Writer, thing| {
            let id = self.id(thing);
            writer.line(depth, format_args!("{id}@{{ shape: fork, label: \" \" }}"));
        };
        if self.scene.is_join(index) {
            bar(writer, Thing::Join(index));
        }
        let id = self.id(Thing::Node(index));
        let label = Label(&self.label(node)).to_string();
        if let Some(inner) = self.scene.inner(node) {
            writer.line(depth, format_args!("subgraph {id}[\"{label}\"]"));
            let part = Part {
                scene: inner,
                prefix: id.clone(),
                depth: depth + 1,
            };
            part.write(writer);
            writer.line(depth, format_args!("end"));
        } else {
            let (open, close) = match node.kind {
                NodeKind::Task => ("(", ")"),
                NodeKind::Human => ("{{", "}}"),
                NodeKind::Graph => ("[[", "]]"),
            };
            writer.line(depth, format_args!("{id}{open}\"{label}\"{close}"));
        }
        if let Some(style) = self.node_style(index, node) {
            writer.nodes.entry(style).or_default().push(id);
        }
        for fork in self.scene.forks_of(index) {
            bar(writer, Thing::Fork(fork));
        }
    }

    fn node_style(&self, index: NodeIndex, node: &NodeShape) -> Option<String> {
        if self.scene.is_idle(node) {
            return Some(format!("stroke:{IDLE},color:{IDLE}"));
        }
        let lap = self.scene.loops.of(index);
        let color = lap.map(|lap| format!("stroke:{}", lap_color(lap)));
        let width = self.scene.trail.map(|_| "stroke-width:3px".to_owned());
        let styles: Vec<_> = color.into_iter().chain(width).collect();
        (!styles.is_empty()).then(|| styles.join(","))
    }

    fn label(&self, node: &NodeShape) -> String {
        let name = line(&node.name).into_owned();
        let lines: Vec<_> = [name].into_iter().chain(self.scene.notes(node)).collect();
        lines.join("\n")
    }

    fn write_arrow(&self, writer: &mut Writer, arrow: &Arrow) {
        let is_bare = matches!(arrow.to, Thing::Fork(_) | Thing::Join(_));
        let shaft = match (
            arrow.manner == Manner::Else || arrow.is_back,
            arrow.is_taken(),
            is_bare,
        ) {
            (true, _, true) => "-.-",
            (true, _, false) => "-.->",
            (false, true, true) => "===",
            (false, true, false) => "==>",
            (false, false, true) => "---",
            (false, false, false) => "-->",
        };
        let lines: Vec<_> = arrow.readable().collect();
        let label = if lines.is_empty() {
            String::new()
        } else {
            format!("|\"{}\"|", Label(&lines.join("\n")))
        };
        let (from, to) = (self.exit(arrow.from), self.entry(arrow.to));
        writer.line(self.depth, format_args!("{from} {shaft}{label} {to}"));
        let color = match arrow.lap {
            _ if arrow.is_idle() => Some(IDLE),
            _ if arrow.on_error => Some(ERROR),
            lap => lap.map(lap_color),
        };
        if let Some(color) = color {
            let styled = writer.links.entry(format!("stroke:{color}")).or_default();
            styled.push(writer.arrows);
        }
        writer.arrows += 1;
    }

    /// Returns the id of what an arrow to a thing leads to: of a subgraph its start.
    fn entry(&self, thing: Thing) -> String {
        self.end_of_arrow(thing, "__start")
    }

    /// Returns the id of what an arrow from a thing leaves from: of a subgraph its end.
    fn exit(&self, thing: Thing) -> String {
        self.end_of_arrow(thing, "__end")
    }

    fn end_of_arrow(&self, thing: Thing, mark: &str) -> String {
        let is_subgraph = self.scene.cluster(thing).is_some();
        let id = self.id(thing);
        if is_subgraph { id + mark } else { id }
    }

    fn id(&self, thing: Thing) -> String {
        let node = |node| {
            let name = word(self.scene.topology.name_of(node));
            if self.prefix.is_empty() {
                name
            } else {
                format!("{}__{name}", self.prefix)
            }
        };
        match thing {
            Thing::Start => format!("{}__start", self.prefix),
            Thing::End => format!("{}__end", self.prefix),
            Thing::Node(at) => node(at),
            Thing::Join(at) => format!("{}__join", node(at)),
            Thing::Fork(edge) => {
                let (at, bar) = bar_name(&self.scene, edge);
                format!("{}__{}", node(at), bar.replace('/', "__"))
            }
        }
    }
}

/// Words that mean something of their own to Mermaid, or are the names of marks.
const WORDS: [&str; 32] = [
    "end",
    "start",
    "all",
    "each",
    "join",
    "graph",
    "subgraph",
    "style",
    "class",
    "classDef",
    "click",
    "linkStyle",
    "default",
    "flowchart",
    "direction",
    "href",
    "call",
    "interpolate",
    "title",
    "TB",
    "TD",
    "BT",
    "RL",
    "LR",
    "x",
    "o",
    "v",
    "accTitle",
    "accDescr",
    "_self",
    "_blank",
    "_parent",
];

/// Returns a name as a word that Mermaid takes for an id, each name as another.
fn word(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let is_plain = |at: Option<usize>| {
        let letter = at.and_then(|at| letters.get(at));
        letter.is_some_and(char::is_ascii_alphanumeric)
    };
    let is_taken = WORDS.contains(&name);
    let mut word = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let is_inside = is_plain(at.checked_sub(1)) && is_plain(Some(at + 1));
        let is_kept = match letter {
            '_' => is_inside && letters.get(at + 1) != Some(&'Z'),
            _ => letter.is_ascii_alphanumeric(),
        };
        if is_kept && !(is_taken && at == 0) {
            word.push(*letter);
        } else {
            let _ = write!(word, "_Z{:X}_", u32::from(*letter));
        }
    }
    if word.is_empty() {
        word.push_str("_Z_");
    }
    word
}

/// A text in quotes, with all escaped that Mermaid would read as its own, as HTML or as Markdown.
struct Label<'a>(&'a str);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, line) in self.0.lines().enumerate() {
            if place > 0 {
                f.write_str("<br/>")?;
            }
            let number = line.find(|letter: char| !letter.is_ascii_digit());
            let mut before = ' ';
            for (at, letter) in line.char_indices() {
                let after = line[at + letter.len_utf8()..].chars().next().unwrap_or(' ');
                let is_escaped = match letter {
                    '"' | '#' | '<' | '>' | '&' | '`' | '*' | '~' | '\\' | '$' | ';' | '['
                    | ']' => true,
                    '_' => !(before.is_alphanumeric() && after.is_alphanumeric()),
                    '.' | ')' => at > 0 && number == Some(at) && after == ' ',
                    '-' | '+' | '=' => at == 0,
                    _ => false,
                };
                if is_escaped {
                    write!(f, "#{};", u32::from(letter))?;
                } else {
                    f.write_char(letter)?;
                }
                before = letter;
            }
        }
        Ok(())
    }
}

/// A text within quotes in YAML.
struct Title<'a>(&'a str);

impl fmt::Display for Title<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '"' | '\\' => write!(f, "\\{letter}")?,
                _ => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
