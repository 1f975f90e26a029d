use super::*;
use crate::authority::{Grant, May, ScopeShape};
use crate::route::Route;
use crate::topology::{Edge, NodeIndex, NodeShape};

/// The nodes `a`, `b`, `c` and the person `h`, with these edges.
fn graph(edges: impl Fn([NodeIndex; 4]) -> Vec<Edge<NodeIndex>>) -> Topology {
    let mut graph = Topology::new("Desk");
    let [a, b, c] = ["a", "b", "c"].map(|name| graph.node(NodeShape::new(name)));
    let h = graph.node(NodeShape::new("h").kind(NodeKind::Human));
    graph.start(a);
    for edge in edges([a, b, c, h]) {
        graph.edge(edge);
    }
    graph
}

/// The lines of a difference, without the first.
#[track_caller]
fn assert_lines(before: &Topology, after: &Topology, lines: &[&str]) {
    let diff = before.diff(after).to_string();
    assert_eq!(diff.lines().skip(1).collect::<Vec<_>>(), lines, "{diff}");
}

#[test]
fn the_same_graph_differs_in_nothing() {
    let desk = graph(|[a, b, ..]| vec![Edge::new(a, "_", Route::to(b))]);
    let diff = desk.diff(&desk);
    assert!(diff.is_empty() && !diff.loosens());
    assert_eq!(diff.to_string(), "Desk: no change\n");
}

#[test]
fn nodes_and_edges_come_and_go() {
    let before = graph(|[a, b, ..]| vec![Edge::new(a, "_", Route::to(b))]);
    let mut after = Topology::new("Desk");
    let [a, b, d] = ["a", "b", "d"].map(|name| after.node(NodeShape::new(name)));
    after.start(b);
    after.edge(Edge::new(a, "X", Route::to(d)).guard("is_open"));
    after.edge(Edge::on_error(b, Route::end()));
    assert_lines(
        &before,
        &after,
        &[
            "- node c is gone",
            "! node h, where a person worked, is gone",
            "+ node d is new",
            "~ start: b, was a",
            "- a -> b on `_` is gone",
            "+ a -> d on `X if is_open` is new",
            "+ b -> end on `error` is new",
        ],
    );
}

#[test]
fn an_edge_is_recognised_when_one_thing_of_it_is_another() {
    let before = graph(|[a, b, c, h]| {
        vec![
            Edge::new(a, "X", Route::to(b).limit(2).or_else(h)),
            Edge::new(a, "Y", Route::to(c)).guard("is_open"),
            Edge::new(a, "Z", Route::to(h)),
            Edge::new(a, "W", Route::all([b, c], h).concurrency(2)),
            Edge::new(a, "V", Route::to(c).limit(3)),
        ]
    });
    let after = graph(|[a, b, c, h]| {
        vec![
            Edge::new(a, "X", Route::to(b).limit(3).or_end()),
            Edge::new(a, "Y", Route::to(c)),
            Edge::new(a, "Z", Route::to(b)),
            Edge::new(a, "W", Route::all([b, c], h).concurrency(1)),
            Edge::new(a, "U", Route::to(c).limit(2)),
        ]
    });
    assert_lines(
        &before,
        &after,
        &[
            "! a -> b on `X`: at most 3 times, was 2",
            "! a -> b on `X`: else end, was h, a person",
            "! a -> c on `Y`: guard none, was `is_open`",
            "! a -> b on `Z`: led to h, a person",
            "~ a -> all(b, c) join h on `W`, at a time: at most 1 branch, was 2",
            "~ a -> c on `U`: was on `V`",
            "~ a -> c on `U`: at most 2 times, was 3",
        ],
    );
    assert!(before.diff(&after).loosens());
    let tightened = after.diff(&before);
    assert!(
        !tightened
            .changes
            .iter()
            .any(|change| matches!(change, Change::EdgeAdded { .. }))
    );
}

#[test]
fn a_new_loop_and_a_loop_that_grows_are_told() {
    let chain = |[a, b, c, _]: [NodeIndex; 4]| {
        vec![
            Edge::new(a, "_", Route::to(b)),
            Edge::new(b, "_", Route::to(c)),
            Edge::new(c, "_", Route::end()),
        ]
    };
    let with = |from: usize, to: usize| {
        graph(move |nodes| {
            let back = Edge::new(nodes[from], "Again", Route::to(nodes[to]).limit(2).or_end());
            chain(nodes).into_iter().chain([back]).collect()
        })
    };
    assert_lines(
        &graph(chain),
        &with(1, 0),
        &[
            "+ b -> a on `Again` is new",
            "! loop of a, b is new: at most 2 laps",
            "! a run: at most 6 handoffs, was 2",
        ],
    );
    assert_lines(
        &with(1, 0),
        &with(2, 0),
        &[
            "- b -> a on `Again` is gone",
            "+ c -> a on `Again` is new",
            "! loop of a, b, c: with c now, at most 2 laps as before",
            "! a run: at most 8 handoffs, was 6",
        ],
    );
    assert_lines(
        &with(1, 0),
        &graph(chain),
        &[
            "- b -> a on `Again` is gone",
            "~ loop of a, b is gone",
            "~ a run: at most 2 handoffs, was 6",
        ],
    );
}

#[test]
fn another_order_of_edges_is_told_and_another_order_of_nodes_is_not() {
    let before = graph(|[a, b, c, _]| {
        vec![
            Edge::new(a, "X", Route::to(b)),
            Edge::new(a, "_", Route::to(c)),
        ]
    });
    let after = graph(|[a, b, c, _]| {
        vec![
            Edge::new(a, "_", Route::to(c)),
            Edge::new(a, "X", Route::to(b)),
        ]
    });
    assert_lines(
        &before,
        &after,
        &["~ edges of a are tried in another order"],
    );

    let mut turned = Topology::new("Desk");
    let h = turned.node(NodeShape::new("h").kind(NodeKind::Human));
    let [c, b, a] = ["c", "b", "a"].map(|name| turned.node(NodeShape::new(name)));
    turned.start(a);
    turned.edge(Edge::new(h, "_", Route::end()));
    turned.edge(Edge::new(a, "X", Route::to(b)));
    turned.edge(Edge::new(a, "_", Route::to(c)));
    assert_lines(&before, &turned, &["+ h -> end on `_` is new"]);
}

#[test]
fn a_graph_within_is_compared_by_its_path() {
    let outer = |limit| {
        let mut inner = Topology::new("Inner");
        let look = inner.node(NodeShape::new("look"));
        inner.start(look);
        inner.edge(Edge::new(look, "_", Route::to(look).limit(limit).or_end()));
        let mut outer = Topology::new("Outer");
        let desk = outer.node(NodeShape::new("desk").inner(inner));
        outer.start(desk);
        outer.edge(Edge::new(desk, "_", Route::end()));
        outer
    };
    assert_lines(
        &outer(3),
        &outer(1),
        &[
            "~ desk/look -> look on `_`: at most 1 time, was 3",
            "~ loop of look within desk: at most 1 lap, was 3",
            "~ a run within desk: at most 1 handoff, was 3",
        ],
    );
}

#[test]
fn markdown_puts_what_loosens_first_and_escapes_names() {
    let before = graph(|[a, b, ..]| vec![Edge::new(a, "X_*", Route::to(b).limit(2))]);
    let mut after = graph(|[a, b, ..]| vec![Edge::new(a, "X_*", Route::to(b).limit(3))]);
    after.node(NodeShape::new("pay_out"));
    assert_eq!(
        before.diff(&after).markdown().to_string(),
        "### Desk

2 changes, 1 of which loosens it.

**Loosens**

- a -\\> b on `X_*`: at most 3 times, was 2

**Alters**

- node pay\\_out is new
",
    );
}

#[test]
fn a_person_who_is_no_longer_asked_loosens() {
    let desk = |question: Option<&'static str>| {
        graph(|[a, b, c, _]| {
            let route = Route::to(b).or_else(c);
            let route = match question {
                Some(question) => route.approve(question),
                None => route,
            };
            vec![Edge::new(a, "X", route)]
        })
    };
    let changes = |before, after| desk(before).diff(&desk(after));
    let gone = changes(Some("is_right"), None);
    assert!(gone.loosens());
    assert!(
        gone.to_string().contains("approve none, was `is_right`"),
        "{gone}"
    );
    assert!(!changes(None, Some("is_right")).loosens());
    assert!(!changes(Some("is_right"), Some("is_fair")).loosens());
    assert!(!changes(Some("is_right"), Some("is_fair")).is_empty());
}

#[test]
fn what_is_granted_besides_loosens_and_what_is_granted_no_more_tightens() {
    let desk = |uses: &[&'static str], grant: Option<Grant>| {
        let mut desk = Topology::new("Desk");
        for scope in ["Read", "Refund"] {
            desk.scope(ScopeShape::new(scope));
        }
        let may = May::new().grants(["Read", "Refund"]);
        let triage = desk.node(NodeShape::new("triage").may(may));
        let may = May::new().uses(uses.iter().copied());
        let billing = desk.node(NodeShape::new("billing").may(may));
        desk.start(triage);
        let route = Route::to(billing);
        let route = match grant {
            Some(grant) => route.grant(grant),
            None => route,
        };
        desk.edge(Edge::new(triage, "_", route));
        desk.edge(Edge::new(billing, "_", Route::end()));
        desk
    };
    let said = |before: &Topology, after: &Topology| {
        let diff = before.diff(after);
        (diff.loosens(), diff.to_string())
    };
    let little = desk(&["Read"], Some(Grant::of(["Read"]).calls(3)));
    let much = desk(
        &["Read", "Refund"],
        Some(Grant::of(["Read", "Refund"]).calls(3)),
    );
    let (loosens, text) = said(&little, &much);
    assert!(loosens);
    assert_eq!(
        text,
        "Desk: 2 changes, 2 of which loosen it\n\
         ! node billing: `may(use(Read, Refund))`, was `may(use(Read))`\n\
         ! triage -> billing on `_`: `grant(Read, Refund, calls = 3)`, was `grant(Read, calls = 3)`\n"
    );
    assert!(!said(&much, &little).0);
    assert!(
        said(
            &little,
            &desk(&["Read"], Some(Grant::of(["Read"]).calls(4)))
        )
        .0
    );
    assert!(said(&little, &desk(&["Read"], Some(Grant::of(["Read"])))).0);
    assert!(
        !said(
            &little,
            &desk(&["Read"], Some(Grant::of(["Read"]).calls(2).depth(1)))
        )
        .0
    );
    assert!(!said(&little, &desk(&["Read"], None)).0);

    let mut without = Topology::new("Desk");
    without.node(NodeShape::new("triage"));
    let mut with = without.clone();
    with.scope(ScopeShape::new("Read"));
    assert!(with.diff(&without).loosens() && !without.diff(&with).loosens());
}
