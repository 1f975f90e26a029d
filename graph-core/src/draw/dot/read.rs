//! A drawing of ours, read back.

use std::collections::HashMap;

use super::name::unescaped;
use super::parse::{Kind, Statement, parse};
use crate::authority::{Grant, May, ScopeShape};
use crate::draw::scene::BACK;
use crate::route::{Branches, Fork, Route, Target};
use crate::topology::{BACK as ERROR_BACK, Edge, NodeIndex, NodeKind, NodeShape, Topology};

/// A text is no drawing that [`Topology::dot`] makes.
///
/// ```
/// use handoffs_core::Topology;
///
/// let error = Topology::from_dot("digraph \"Desk\" {\n    \"a\" -> \"b\";\n}").unwrap_err();
/// assert_eq!(error.to_string(), "line 2: no node is declared as `a`");
/// assert_eq!(error.line(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct DotError {
    line: usize,
    message: String,
}

impl DotError {
    pub(super) fn new(line: usize, message: impl Into<String>) -> Self {
        Self {
            line,
            message: message.into(),
        }
    }

    /// Returns the line that is wrong, from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl Topology {
    /// Reads a drawing that [`dot`](Self::dot) made, with or without a trail.
    ///
    /// What is not drawn does not come back: the names of graphs within are those of their nodes, and
    /// the nodes of a branch stand together. A text with several lines in an edge comes back as one.
    ///
    /// ```
    /// use handoffs_core::{Edge, NodeShape, Route, Topology};
    ///
    /// let mut desk = Topology::new("Desk");
    /// let triage = desk.node(NodeShape::new("triage").doc("Finds the right desk."));
    /// desk.start(triage);
    /// desk.edge(Edge::new(triage, "Again", Route::to(triage).limit(2).or_end()).guard("is_open"));
    /// desk.edge(Edge::new(triage, "_", Route::end()));
    ///
    /// assert_eq!(Topology::from_dot(&desk.dot().to_string()), Ok(desk));
    /// ```
    ///
    /// # Errors
    ///
    /// [`DotError`] when the text is no DOT, or says what no drawing of ours says.
    pub fn from_dot(text: &str) -> Result<Self, DotError> {
        let (name, statements) = parse(text)?;
        Reader::read(name, "", &statements)
    }
}

/// Reads one graph: the whole, or one that is a node of another.
struct Reader<'a> {
    prefix: &'a str,
    topology: Topology,
    nodes: HashMap<String, NodeIndex>,
    /// The join of each bar of a fork, by the bar's name.
    bars: HashMap<String, String>,
    edges: Vec<Draft>,
}

/// An edge whose branches and `else` may still follow.
struct Draft {
    edge: Edge<NodeIndex>,
    to: Target<NodeIndex>,
    fork: Option<Bar>,
    otherwise: Option<Target<NodeIndex>>,
    concurrency: Option<u32>,
    limit: Option<u32>,
    approve: Option<String>,
    back: bool,
    grant: Option<Grant>,
}

struct Bar {
    name: String,
    /// What an `each` lists.
    items: Option<String>,
    entries: Vec<NodeIndex>,
}

/// What stands at an end of an arrow.
enum Place<'a> {
    Start,
    End,
    Node(NodeIndex),
    Fork(&'a str),
    Join(NodeIndex),
}

impl<'a> Reader<'a> {
    fn read(name: String, prefix: &'a str, statements: &[Statement]) -> Result<Topology, DotError> {
        let mut reader = Self {
            prefix,
            topology: Topology::new(name),
            nodes: HashMap::new(),
            bars: HashMap::new(),
            edges: Vec::new(),
        };
        let styles = statements
            .iter()
            .filter(|statement| matches!(statement.kind, Kind::Style(_)));
        for scope in styles
            .filter_map(|style| style.get("scopes"))
            .flat_map(str::lines)
        {
            let (name, doc) = scope.split_once(": ").unwrap_or((scope, ""));
            let scope = ScopeShape::new(name.to_owned()).doc(doc.to_owned());
            reader.topology.scope(scope);
        }
        reader.declare(statements)?;
        reader.lead(statements)?;
        for draft in reader.edges {
            reader.topology.edge(draft.edge());
        }
        Ok(reader.topology)
    }

    /// Reads the nodes and the bars; a cluster is a node, or has the nodes of branches.
    fn declare(&mut self, statements: &[Statement]) -> Result<(), DotError> {
        for statement in statements {
            match &statement.kind {
                Kind::Node(id, _) => self.node(id, statement)?,
                Kind::Subgraph(id, inner) => {
                    let name = id.strip_prefix("cluster_").unwrap_or(id);
                    if name.ends_with("/join") {
                        self.declare(inner)?;
                        continue;
                    }
                    let shape = NodeShape::new(self.name(name, statement.line)?);
                    let label = shape.name.clone().into_owned();
                    let graph = Reader::read(label, &format!("{name}/"), inner)?;
                    let styles = || {
                        let all = inner.iter();
                        all.filter(|inner| matches!(inner.kind, Kind::Style(_)))
                    };
                    let doc = styles().find_map(|style| style.get("tooltip"));
                    let shape = shape.doc(doc.unwrap_or_default().to_owned()).inner(graph);
                    let shape = shape.may(may(|name| styles().find_map(|style| style.get(name))));
                    self.add(name, shape, statement.line)?;
                }
                Kind::Style(_) | Kind::Arrow(..) => {}
            }
        }
        Ok(())
    }

    fn node(&mut self, id: &str, statement: &Statement) -> Result<(), DotError> {
        let local = self.local(id, statement.line)?;
        if local == "start" || local == "end" {
            return Ok(());
        }
        if local.contains('/') {
            let join = statement.get("join").unwrap_or_default();
            self.bars.insert(id.to_owned(), join.to_owned());
            return Ok(());
        }
        let kind = match (statement.get("shape"), statement.get("peripheries")) {
            (Some("hexagon"), _) => NodeKind::Human,
            (_, Some("2")) => NodeKind::Graph,
            _ => NodeKind::Task,
        };
        let doc = statement.get("tooltip").unwrap_or_default().to_owned();
        let shape =
            NodeShape::new(self.name(id, statement.line)?).may(may(|name| statement.get(name)));
        self.add(id, shape.doc(doc).kind(kind), statement.line)
    }

    fn add(&mut self, id: &str, shape: NodeShape, line: usize) -> Result<(), DotError> {
        let node = self.topology.node(shape);
        match self.nodes.insert(id.to_owned(), node) {
            None => Ok(()),
            Some(_) => Err(DotError::new(line, format!("`{id}` is declared twice"))),
        }
    }

    /// Reads the arrows.
    fn lead(&mut self, statements: &[Statement]) -> Result<(), DotError> {
        for statement in statements {
            match &statement.kind {
                Kind::Arrow(from, to, _) => self.arrow(from, to, statement)?,
                Kind::Subgraph(id, inner) if id.ends_with("/join") => self.lead(inner)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn arrow(&mut self, from: &str, to: &str, arrow: &Statement) -> Result<(), DotError> {
        let from_place = self.place(from, "/end", arrow.line)?;
        let to_place = self.place(to, "/start", arrow.line)?;
        match (from_place, to_place) {
            (Place::Start, Place::Node(node)) => self.topology.start(node),
            (Place::Join(_), Place::Node(_)) => {}
            (Place::Fork(bar), Place::Node(node)) => {
                let fork = self
                    .edges
                    .iter_mut()
                    .filter_map(|draft| draft.fork.as_mut());
                let Some(fork) = fork.into_iter().find(|fork| fork.name == bar) else {
                    let message = format!("no edge leads to the fork `{bar}`");
                    return Err(DotError::new(arrow.line, message));
                };
                fork.entries.push(node);
                let items = arrow
                    .get("label")
                    .and_then(|label| label.strip_prefix("each("));
                fork.items = items
                    .and_then(|items| items.strip_suffix(')'))
                    .map(str::to_owned);
            }
            (Place::Node(node), to_place) => {
                let (target, fork) = match to_place {
                    Place::Node(to) | Place::Join(to) => (Target::Node(to), None),
                    Place::End => (Target::End, None),
                    Place::Fork(bar) => (self.join(bar, arrow.line)?, Some(Bar::new(bar))),
                    Place::Start => return Err(nothing(from, to, arrow.line)),
                };
                let is_else = arrow.get("style") == Some("dotted");
                if is_else {
                    let last = self.edges.last_mut();
                    let Some(last) = last.filter(|last| last.edge.from == node) else {
                        let message = "an `else` follows no edge of its node";
                        return Err(DotError::new(arrow.line, message));
                    };
                    last.otherwise = Some(target);
                } else {
                    self.edges.push(Draft::new(node, target, fork, arrow)?);
                }
            }
            _ => return Err(nothing(from, to, arrow.line)),
        }
        Ok(())
    }

    /// Returns where a bar's branches meet.
    fn join(&self, bar: &str, line: usize) -> Result<Target<NodeIndex>, DotError> {
        let join = self.bars.get(bar).map_or("", |join| join);
        if self.local(join, line)? == "end" {
            return Ok(Target::End);
        }
        let node = self.nodes.get(join).copied();
        let unknown = || DotError::new(line, format!("the fork `{bar}` has no join"));
        node.map(Target::Node).ok_or_else(unknown)
    }

    /// Returns what a name stands for; `mark` is what it has at its end if it is that of a cluster.
    fn place<'t>(&self, id: &'t str, mark: &str, line: usize) -> Result<Place<'t>, DotError> {
        if let Some(node) = self.nodes.get(id) {
            return Ok(Place::Node(*node));
        }
        match self.local(id, line)? {
            "start" => return Ok(Place::Start),
            "end" => return Ok(Place::End),
            _ => {}
        }
        let of = |mark: &str| {
            let node = id.strip_suffix(mark);
            node.and_then(|node| self.nodes.get(node)).copied()
        };
        if let Some(node) = of(mark) {
            return Ok(Place::Node(node));
        }
        if let Some(node) = of("/join") {
            return Ok(Place::Join(node));
        }
        if self.bars.contains_key(id) {
            return Ok(Place::Fork(id));
        }
        Err(DotError::new(
            line,
            format!("no node is declared as `{id}`"),
        ))
    }

    fn local<'t>(&self, id: &'t str, line: usize) -> Result<&'t str, DotError> {
        id.strip_prefix(self.prefix).ok_or_else(|| {
            let prefix = self.prefix.trim_end_matches('/');
            DotError::new(line, format!("`{id}` does not belong to `{prefix}`"))
        })
    }

    fn name(&self, id: &str, line: usize) -> Result<String, DotError> {
        let local = self.local(id, line)?;
        let name = unescaped(local).filter(|_| !local.contains('/'));
        name.ok_or_else(|| DotError::new(line, format!("`{id}` is no name of a node")))
    }
}

/// Reads what a node may do.
fn may<'s>(get: impl Fn(&str) -> Option<&'s str>) -> May {
    let scopes = |name| {
        let scopes = get(name).unwrap_or_default().split(' ');
        scopes.filter(|scope| !scope.is_empty()).map(str::to_owned)
    };
    May::new().uses(scopes("uses")).grants(scopes("grants"))
}

fn nothing(from: &str, to: &str, line: usize) -> DotError {
    let message = format!("an arrow from `{from}` to `{to}` stands for nothing in a graph");
    DotError::new(line, message)
}

impl Bar {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            items: None,
            entries: Vec::new(),
        }
    }
}

impl Draft {
    fn new(
        from: NodeIndex,
        to: Target<NodeIndex>,
        fork: Option<Bar>,
        arrow: &Statement,
    ) -> Result<Self, DotError> {
        let mut lines = arrow.get("label").unwrap_or("_").split('\n').peekable();
        // Of an arm `_` with a limit or a guard, these alone are shown.
        let first = match arrow.get("on") {
            Some(_) => lines.next(),
            None => lines.next_if(|line| !is_more(line)),
        };
        let on = arrow.get("on").or(first).unwrap_or("_").to_owned();
        let mut edge = Edge::new(from, on, Route::end());
        edge.on_error = arrow.get("class") == Some("error");
        let back = edge.on_error && edge.on == ERROR_BACK;
        let mut draft = Self {
            edge,
            to,
            fork,
            otherwise: None,
            concurrency: None,
            limit: None,
            approve: None,
            back,
            grant: None,
        };
        for text in lines {
            draft.line(text, arrow.line)?;
        }
        Ok(draft)
    }

    fn line(&mut self, text: &str, line: usize) -> Result<(), DotError> {
        match More::read(text) {
            Some(More::Guard(guard)) => self.edge.guard = Some(guard.to_owned().into()),
            Some(More::Limit(limit)) => self.limit = Some(limit),
            Some(More::Approve(question)) => self.approve = Some(question.to_owned()),
            Some(More::Grant(grant)) => self.grant = Some(grant),
            Some(More::Back) => self.back = true,
            Some(More::AtATime(most)) => self.concurrency = Some(most),
            Some(More::Taken) => {}
            None => {
                let message = format!("`{text}` says nothing of an edge");
                return Err(DotError::new(line, message));
            }
        }
        Ok(())
    }

    fn edge(self) -> Edge<NodeIndex> {
        let fork = self.fork.map(|bar| {
            let branches = match (bar.items, &*bar.entries) {
                (Some(items), [worker]) => Branches::Each {
                    items: items.into(),
                    worker: *worker,
                },
                _ => Branches::All(bar.entries),
            };
            Fork {
                branches,
                concurrency: self.concurrency,
            }
        });
        let route = Route::__full(
            self.to,
            self.back,
            fork,
            self.limit,
            self.approve.map(Into::into),
            self.otherwise,
            self.grant,
        );
        let mut edge = self.edge;
        edge.route = route;
        edge
    }
}

/// What a line in a label says that is not the pattern.
enum More<'a> {
    Guard(&'a str),
    Limit(u32),
    Approve(&'a str),
    AtATime(u32),
    /// It leads back.
    Back,
    /// What it grants.
    Grant(Grant),
    /// How often it was taken.
    Taken,
}

impl<'a> More<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let number = |text: Option<&str>| text.and_then(|text| text.parse().ok());
        if let Some(guard) = text.strip_prefix("if ") {
            Some(Self::Guard(guard))
        } else if let Some(grant) = read_grant(text) {
            Some(Self::Grant(grant))
        } else if text == BACK {
            Some(Self::Back)
        } else if let Some(question) = text.strip_prefix("approve = ") {
            Some(Self::Approve(question))
        } else if let Some(limit) = number(text.strip_prefix("≤ ")) {
            Some(Self::Limit(limit))
        } else if let Some(most) = number(text.strip_suffix(" at a time")) {
            Some(Self::AtATime(most))
        } else {
            let taken = text.strip_suffix('×')?.parse::<u64>();
            taken.is_ok().then_some(Self::Taken)
        }
    }
}

/// Reads what an edge grants.
fn read_grant(text: &str) -> Option<Grant> {
    let parts = text.strip_prefix("grant(")?.strip_suffix(')')?;
    let mut scopes = Vec::new();
    let mut grant = Grant::all();
    for part in parts.split(", ") {
        let Some((name, amount)) = part.split_once(" = ") else {
            scopes.push(part.to_owned().into());
            continue;
        };
        let amount: u64 = amount.parse().ok()?;
        match name {
            "spend" => grant.spend_micros = Some(amount),
            "calls" => grant.calls = Some(amount),
            "depth" => grant.depth = Some(u32::try_from(amount).ok()?),
            _ => return None,
        }
    }
    grant.scopes = Some(scopes.into());
    Some(grant)
}

/// Returns whether a line says something else than a pattern.
pub(super) fn is_more(text: &str) -> bool {
    More::read(text).is_some()
}
