//! Drawings of random graphs, right and wrong ones: DOT read back is the graph, SVG is XML, Graphviz
//! accepts what is for it, and each of them shows every node.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use handoffs_core::{
    Branches, Edge, Grant, May, NodeIndex, NodeKind, NodeShape, Route, ScopeShape, Target,
    Topology, Trail,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;

/// The names of nodes: what is usual, and what a language of drawings could take for its own.
const NAMES: [&str; 16] = [
    "triage",
    "hand_back",
    "end",
    "a/b",
    "say \"hi\"",
    "ü ≤ 日本",
    "a -> b",
    "%2F",
    "graph",
    "x[y]",
    "<b>",
    "a&b",
    "_",
    "1. one",
    "C:\\new",
    "#;",
];

/// What edges say: patterns, guards and items.
const TEXTS: [&str; 12] = [
    "_",
    "Triaged::Billing { .. }",
    "A | B",
    "≤ 2",
    "if so",
    "3×",
    "2 at a time",
    "else",
    "\"<&>\"",
    "back",
    "grant(Pay)",
    "each(x)",
];

/// What nodes may be allowed to do.
const SCOPES: [&str; 3] = ["Read", "orders:write", "Pay"];

fn scopes(bits: u64) -> impl Iterator<Item = &'static str> {
    let scopes = SCOPES.into_iter().enumerate();
    scopes
        .filter(move |(place, _)| bits & (1 << place) != 0)
        .map(|(_, scope)| scope)
}

fn grant(bits: u64) -> Grant {
    let mut grant = Grant::of(scopes(bits));
    grant.spend_micros = (bits & 8 != 0).then_some(50_000_000);
    grant.calls = (bits & 16 != 0).then_some(3);
    grant.depth = (bits & 32 != 0).then_some(1);
    if grant.named().is_empty() {
        Grant::of(["Pay"])
    } else {
        grant
    }
}

#[derive(Clone, Debug)]
struct Arm {
    from: Index,
    to: Option<Index>,
    on: &'static str,
    guard: Option<&'static str>,
    /// Branches, and whether they are those of an `each`.
    fork: Option<(Vec<Index>, bool)>,
    concurrency: Option<u32>,
    limit: Option<u32>,
    otherwise: Option<Target<Index>>,
    /// Whether it is taken on an error, and leads back.
    error: Option<bool>,
    /// Whether it leads back otherwise.
    back: bool,
    grant: Option<u64>,
}

fn text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(TEXTS.to_vec())
}

fn arm() -> impl Strategy<Value = Arm> {
    let to = || prop::option::weighted(0.8, any::<Index>());
    let fork = (prop::collection::vec(any::<Index>(), 1..=3), any::<bool>());
    let ends = (any::<Index>(), to(), prop::option::weighted(0.3, to()));
    let words = (text(), prop::option::weighted(0.2, text()));
    let numbers = (
        prop::option::weighted(0.3, 1..5_u32),
        prop::option::weighted(0.5, 1..5_u32),
    );
    let fork = prop::option::weighted(0.3, fork);
    let error = prop::option::weighted(0.2, any::<bool>());
    let authority = (
        prop::bool::weighted(0.1),
        prop::option::weighted(0.3, any::<u64>()),
    );
    (ends, words, numbers, fork, error, authority).prop_map(
        |(ends, words, numbers, fork, error, authority)| Arm {
            back: authority.0,
            grant: authority.1,
            from: ends.0,
            to: ends.1,
            otherwise: ends.2.map(|to| to.map_or(Target::End, Target::Node)),
            on: words.0,
            guard: words.1,
            concurrency: numbers.0,
            limit: numbers.1,
            fork,
            error,
        },
    )
}

fn graph(depth: u32) -> BoxedStrategy<Topology> {
    let names = prop::sample::subsequence(NAMES.to_vec(), 1..=6).prop_shuffle();
    let inner = match depth {
        0 => Just(None).boxed(),
        _ => prop::option::weighted(0.5, graph(depth - 1)).boxed(),
    };
    let arms = prop::collection::vec(arm(), 0..=9);
    let start = prop::option::weighted(0.9, any::<Index>());
    (names, inner, arms, start, any::<u64>())
        .prop_map(|(names, inner, arms, start, kinds)| {
            build(&names, inner.as_ref(), &arms, start, kinds)
        })
        .boxed()
}

fn build(
    names: &[&'static str],
    inner: Option<&Topology>,
    arms: &[Arm],
    start: Option<Index>,
    kinds: u64,
) -> Topology {
    let mut graph = Topology::new("Any \"graph\"");
    for scope in scopes(kinds >> 32) {
        graph.scope(ScopeShape::new(scope).doc(if scope == "Pay" { "Pays: money." } else { "" }));
    }
    let nodes: Vec<_> = (names.iter().enumerate())
        .map(|(place, name)| {
            let may = kinds >> (40 + 2 * place);
            let shape =
                NodeShape::new(*name).may(May::new().uses(scopes(may)).grants(scopes(may >> 3)));
            graph.node(match (kinds >> (3 * place)) % 8 {
                0 => shape.kind(NodeKind::Human),
                1 => shape.kind(NodeKind::Graph),
                2 => shape.doc("Says \"so\".\nAnd <more>."),
                3 if inner.is_some() => {
                    let mut inner = inner.cloned().expect("it is some");
                    // A drawing has no name for the graph within but that of its node.
                    rename(&mut inner, name);
                    shape.inner(inner)
                }
                _ => shape,
            })
        })
        .collect();
    if let Some(start) = start {
        graph.start(*start.get(&nodes));
    }
    for arm in arms {
        graph.edge(edge(arm, &nodes));
    }
    graph
}

fn rename(graph: &mut Topology, name: &str) {
    let mut named = Topology::new(name.to_owned());
    for (_, node) in graph.nodes() {
        named.node(node.clone());
    }
    if let Some(start) = graph.start_node() {
        named.start(start);
    }
    for scope in graph.scopes() {
        named.scope(scope.clone());
    }
    for (_, edge) in graph.edges() {
        named.edge(edge.clone());
    }
    *graph = named;
}

fn edge(arm: &Arm, nodes: &[NodeIndex]) -> Edge<NodeIndex> {
    let get = |index: &Index| *index.get(nodes);
    let to = arm.to.as_ref().map(get);
    let mut route = match (&arm.fork, to) {
        (Some((entries, true)), Some(join)) => Route::each("items_of(x)", get(&entries[0]), join),
        (Some((entries, false)), Some(join)) => Route::all(entries.iter().map(get), join),
        (_, to) => Route::__new(to.map_or(Target::End, Target::Node), None, None),
    };
    if let Some(most) = arm.concurrency {
        route = route.concurrency(most);
    }
    if let Some(limit) = arm.limit {
        route = route.limit(limit);
    }
    route = match &arm.otherwise {
        None => route,
        Some(Target::End) => route.or_end(),
        Some(Target::Node(node)) => route.or_else(get(node)),
    };
    if let Some(bits) = arm.grant {
        route = route.grant(grant(bits));
    }
    if arm.back && arm.fork.is_none() && arm.error.is_none() {
        route = route.__back();
    }
    let from = get(&arm.from);
    let mut edge = match arm.error {
        None => Edge::new(from, arm.on, route),
        Some(false) => Edge::on_error(from, route),
        Some(true) => Edge::back(from, route),
    };
    edge.guard = arm.guard.map(Into::into);
    edge
}

/// What of a graph can be seen in a drawing: its nodes in an order of their own, edges by names.
type Seen = (
    String,
    Option<String>,
    Vec<(String, String, NodeKind, May, Option<Box<Seen2>>)>,
    Vec<Edge<String>>,
    Vec<ScopeShape>,
);

/// A graph within.
#[derive(Clone, Debug, PartialEq)]
struct Seen2(Seen);

fn seen(graph: &Topology) -> Seen {
    let mut nodes: Vec<_> = (graph.nodes())
        .map(|(_, node)| {
            let inner = node.inner.as_deref().filter(|inner| is_drawn(inner));
            let inner = inner.map(|inner| Box::new(Seen2(seen(inner))));
            (
                node.name.to_string(),
                node.doc.to_string(),
                node.kind,
                node.may.clone(),
                inner,
            )
        })
        .collect();
    nodes.sort_by(|a, b| a.0.cmp(&b.0));
    let name = |node| graph.name_of(node).to_owned();
    let edges = graph
        .edges()
        .map(|(_, edge)| edge.clone().map(name))
        .collect();
    (
        graph.name().to_owned(),
        graph.start_node().map(name),
        nodes,
        edges,
        graph.scopes().to_vec(),
    )
}

/// A graph within is drawn if it starts and ends somewhere.
fn is_drawn(graph: &Topology) -> bool {
    let ends = graph.edges().any(|(_, edge)| {
        let targets = [Some(edge.route.target()), edge.route.otherwise()];
        targets.into_iter().flatten().any(|to| *to == Target::End)
    });
    ends && graph.start_node().is_some()
}

/// A trail that comes to every second node and edge.
fn trail(graph: &Topology) -> Trail {
    let mut trail = Trail::new();
    for (index, node) in graph.nodes().filter(|(index, _)| index.0 % 2 == 0) {
        trail.visit(&node.name, Duration::from_millis(u64::from(index.0)));
    }
    for (index, edge) in graph.edges().filter(|(index, _)| index.0 % 2 == 0) {
        trail.take("", index, edge.guard.is_some());
    }
    trail
}

fn letters(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_whitespace())
        .collect()
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource(
            "proptest-regressions",
        ))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_drawing_for_graphviz_read_back_is_the_graph(graph in graph(2)) {
        let drawing = graph.dot().to_string();
        let read = Topology::from_dot(&drawing);
        prop_assert!(read.is_ok(), "{read:?}\n{drawing}");
        let read = read.unwrap();
        prop_assert_eq!(seen(&read), seen(&graph), "{}", drawing);
        // The order of the nodes is now that of the drawing, and stays so.
        prop_assert_eq!(Topology::from_dot(&read.dot().to_string()), Ok(read.clone()));
        prop_assert!(graph.diff(&read).is_empty(), "{}", graph.diff(&read));

        let walked = graph.dot().trail(&trail(&graph)).to_string();
        let read = Topology::from_dot(&walked).map(|read| seen(&read));
        prop_assert_eq!(read, Ok(seen(&graph)), "{}", walked);
    }

    #[test]
    fn each_drawing_shows_every_node_and_svg_is_xml(graph in graph(2)) {
        let trail = trail(&graph);
        let svg = graph.svg().to_string();
        let walked = graph.svg().trail(&trail).to_string();
        for svg in [&svg, &walked] {
            let document = roxmltree::Document::parse(svg);
            prop_assert!(document.is_ok(), "{document:?}\n{svg}");
            let document = document.unwrap();
            let texts: Vec<_> = document.descendants().filter_map(|node| node.text()).collect();
            for (_, node) in graph.nodes() {
                let is_shown = texts.iter().any(|text| text.starts_with(&*node.name));
                prop_assert!(is_shown, "{}\n{svg}", node.name);
            }
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
        let ascii = [graph.ascii().to_string(), graph.ascii().trail(&trail).to_string()];
        let ascii = ascii.map(|text| letters(&text));
        let mermaid = graph.mermaid().trail(&trail).to_string();
        for (_, node) in graph.nodes() {
            prop_assert!(ascii.iter().all(|text| text.contains(&letters(&node.name))), "{}", node.name);
        }
        let boxes = mermaid.lines().filter(|line| !line.contains(" -") && !line.contains(" ="));
        prop_assert!(boxes.count() > graph.nodes().len(), "{mermaid}");
    }

    #[test]
    fn what_differs_is_what_was_changed(graph in graph(1), at in any::<Index>(), limit in 5..9_u32) {
        prop_assert!(graph.diff(&graph).is_empty());
        let count = graph.edges().len();
        prop_assume!(count > 0);
        let changed = at.index(count);
        let mut after = Topology::new(graph.name().to_owned());
        for (_, node) in graph.nodes() {
            after.node(node.clone());
        }
        if let Some(start) = graph.start_node() {
            after.start(start);
        }
        for (place, (_, edge)) in graph.edges().enumerate() {
            let mut edge = edge.clone();
            if place == changed {
                edge.route = edge.route.limit(limit);
            }
            after.edge(edge);
        }
        let (there, back) = (graph.diff(&after), after.diff(&graph));
        prop_assert!(!there.is_empty() && !back.is_empty());
        let before = graph.edges().nth(changed).and_then(|(_, edge)| edge.route.times());
        // A limit where there was none makes the formula of the laps larger, and so may loosen too.
        prop_assert!(before.is_none() || there.loosens(), "{}", there);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(digraph|subgraph|->|[a-z\"/;{}\\[\\]=<>\\\\ \n]){0,60}") {
        let _ = Topology::from_dot(&text);
    }
}

#[test]
fn a_branch_of_all_and_one_of_each_are_not_the_same() {
    let mut graph = Topology::new("Forks");
    let [a, b, c] = ["a", "b", "c"].map(|name| graph.node(NodeShape::new(name)));
    graph.edge(Edge::new(a, "_", Route::all([b], c)));
    graph.edge(Edge::new(a, "_", Route::each("", b, c)));
    let read = Topology::from_dot(&graph.dot().to_string()).unwrap();
    let forks = read
        .edges()
        .map(|(_, edge)| edge.route.fork().unwrap().branches.clone());
    assert!(matches!(
        &forks.collect::<Vec<_>>()[..],
        [Branches::All(_), Branches::Each { .. }]
    ));
}

/// Gives a drawing to Graphviz, and returns what it complains of.
fn complaints(drawing: &str) -> Option<String> {
    let dot = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut dot = match dot {
        Ok(dot) => dot,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("{error}"),
    };
    let mut stdin = dot.stdin.take().expect("a pipe");
    stdin.write_all(drawing.as_bytes()).expect("it reads");
    drop(stdin);
    let output = dot.wait_with_output().expect("it ends");
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() || !complaints.is_empty(),
        "dot failed without a word"
    );
    Some(complaints)
}

#[test]
fn graphviz_accepts_every_drawing() {
    if complaints("digraph {}").is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI needs Graphviz: the program `dot`"
        );
        eprintln!("skipped: there is no program `dot` (Graphviz)");
        return;
    }
    let mut runner = proptest::test_runner::TestRunner::new(cases(40));
    let result = runner.run(&graph(2), |graph| {
        let drawing = graph.dot().trail(&trail(&graph)).to_string();
        let said = complaints(&drawing).unwrap_or_default();
        // Where an arrow to a cluster comes from within it, a graph that is wrong may show one uncut.
        let said: Vec<_> = said
            .lines()
            .filter(|line| {
                !line.contains("is inside head cluster") && !line.contains("is inside tail cluster")
            })
            .collect();
        prop_assert!(said.is_empty(), "{said:?}\n{drawing}");
        Ok(())
    });
    result.unwrap();
}
