//! The file that the editor writes, and how it becomes a graph.

use std::fmt::Write as _;

use handoffs::{AnyNode, BuildErrors, BuildPlace, BuiltGraph, On, RoutePart, To};
use serde::Deserialize;
use serde_json::Value;

use crate::nodes::{Mail, TYPES, begin};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Workflow {
    name: String,
    start: String,
    nodes: Vec<Node>,
    routes: Vec<Edge>,
    #[serde(default)]
    on_error: Vec<OnError>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    config: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edge {
    from: String,
    /// The outcomes; any, if there are none.
    #[serde(default)]
    on: Vec<String>,
    #[serde(rename = "if")]
    guard: Option<String>,
    to: Target,
    limit: Option<u32>,
    #[serde(rename = "else")]
    otherwise: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnError {
    node: String,
    to: Target,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Target {
    /// A node, or `end`.
    Node(String),
    All {
        all: Vec<String>,
        join: String,
    },
    Each {
        each: String,
        worker: String,
        join: String,
    },
}

impl Target {
    fn leads(self) -> To {
        match self {
            Self::Node(name) => To::node(name),
            Self::All { all, join } => To::all(all, join),
            Self::Each { each, worker, join } => To::each(each, worker, join),
        }
    }
}

impl Edge {
    fn leads(self) -> To {
        let mut to = self.to.leads();
        if let Some(limit) = self.limit {
            to = to.limit(limit);
        }
        if let Some(otherwise) = self.otherwise {
            to = to.or_else(otherwise);
        }
        to
    }

    fn on(&self) -> On {
        let on = On::any_of(&self.on);
        match &self.guard {
            Some(guard) => on.when(guard),
            None => on,
        }
    }
}

/// Reads a description and builds its graph, or returns all that is wrong with it, each with its place.
pub(crate) fn graph(description: &str) -> Result<BuiltGraph<Mail>, String> {
    let workflow: Workflow =
        serde_json::from_str(description).map_err(|error| format!("{error}\n"))?;
    let mut graph = begin(workflow.name).start(workflow.start);
    let mut wrong = String::new();
    for (place, Node { name, kind, config }) in workflow.nodes.into_iter().enumerate() {
        match make(&kind, config) {
            Ok(node) => graph = graph.any_node(name, node),
            Err(complaint) => {
                let _ = writeln!(wrong, "nodes[{place}].{complaint}");
            }
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let forks: Vec<_> = workflow
        .routes
        .iter()
        .map(|edge| is_fork(&edge.to))
        .collect();
    for edge in workflow.routes {
        graph = graph.route(edge.from.clone(), edge.on(), edge.leads());
    }
    for OnError { node, to } in workflow.on_error {
        graph = graph.on_error(node, to.leads());
    }
    graph.build().map_err(|errors| complaint(&errors, &forks))
}

fn make(kind: &str, config: Value) -> Result<AnyNode<Mail>, String> {
    let Some((_, make)) = TYPES.iter().find(|(name, _)| *name == kind) else {
        let types = TYPES.map(|(name, _)| format!("`{name}`")).join(", ");
        return Err(format!(
            "type: no type of nodes is named `{kind}`\n  help: the types are: {types}"
        ));
    };
    make(config).map_err(|error| format!("config: {error}"))
}

const fn is_fork(target: &Target) -> bool {
    !matches!(target, Target::Node(_))
}

/// Writes each error with its place in the file.
fn complaint(errors: &BuildErrors, forks: &[bool]) -> String {
    let mut text = String::new();
    for error in errors {
        let _ = writeln!(text, "{}{error}", path(error.place(), forks));
        if !error.help().is_empty() {
            let _ = writeln!(text, "  help: {}", error.help());
        }
    }
    text
}

fn path(place: BuildPlace, forks: &[bool]) -> String {
    match place {
        BuildPlace::Start => "start: ".to_owned(),
        BuildPlace::Node(node) => format!("nodes[{node}]: "),
        BuildPlace::Route(route, part) => {
            let is_fork = forks.get(route).copied().unwrap_or_default();
            format!("routes[{route}].{}: ", key(part, is_fork))
        }
        BuildPlace::OnError(error, RoutePart::From) => format!("on_error[{error}].node: "),
        BuildPlace::OnError(error, part) => format!("on_error[{error}].{}: ", key(part, false)),
        // The rest is no part of the file.
        _ => String::new(),
    }
}

fn key(part: RoutePart, is_fork: bool) -> String {
    match part {
        RoutePart::From => "from".to_owned(),
        RoutePart::Outcome => "on".to_owned(),
        RoutePart::Guard => "if".to_owned(),
        RoutePart::Items => "to.each".to_owned(),
        RoutePart::Branch(branch) => format!("to[{branch}]"),
        RoutePart::Else => "else".to_owned(),
        RoutePart::Limit => "limit".to_owned(),
        _ if is_fork => "to.join".to_owned(),
        _ => "to".to_owned(),
    }
}
