use super::*;
use crate::route::{Branches, Fork, Route, Target};
use crate::topology::{Edge, EdgeIndex, NodeIndex, NodeKind, NodeShape};

/// A graph whose nodes are the words before the colon, and whose edges are written as
/// `from target limit else`, with `-` for what is missing. A name in capitals is a person's. A target
/// `a+b>d` is `all(a, b) join d`, `*a>d` is `each(items) a join d`; a `!` in front is for an error.
pub(super) fn graph(nodes: &str, edges: &[&str]) -> Topology {
    let mut topology = Topology::new("Desk");
    for name in nodes.split(' ') {
        let kind = if name.to_uppercase() == name {
            NodeKind::Human
        } else {
            NodeKind::Task
        };
        topology.node(NodeShape::new(name.to_lowercase()).kind(kind));
    }
    topology.start(NodeIndex(0));
    for edge in edges {
        let words: Vec<_> = edge.split(' ').collect();
        let node = |name: &str| topology.resolve(name).expect("a node of the graph");
        let target = |name: &str| match name {
            "end" => Target::End,
            name => Target::Node(node(name)),
        };
        let (branches, to) = match words[1].split_once('>') {
            Some((branches, join)) => (Some(branches), join),
            None => (None, words[1]),
        };
        let limit = words.get(2).filter(|word| **word != "-");
        let mut route = Route::__new(
            target(to),
            limit.map(|limit| limit.parse().expect("a number")),
            words.get(3).map(|name| target(name)),
        );
        if let Some(branches) = branches {
            let branches = if let Some(worker) = branches.strip_prefix('*') {
                Branches::Each {
                    items: "items".into(),
                    worker: node(worker),
                }
            } else {
                let names = branches.split('+').filter(|name| !name.is_empty());
                Branches::All(names.map(node).collect())
            };
            let (to, times, otherwise) =
                (*route.target(), route.times(), route.otherwise().copied());
            let fork = Some(Fork::new(branches));
            route = Route::__full(to, false, fork, times, None, otherwise, None);
        }
        let edge = match words[0].strip_prefix('!') {
            Some(from) => Edge::on_error(node(from), route),
            None => Edge::new(node(words[0]), "_", route),
        };
        topology.edge(edge);
    }
    topology
}

#[track_caller]
pub(super) fn check_texts(topology: &Topology, expected: &[(&str, &str)]) {
    let found: Vec<_> = check(topology)
        .iter()
        .map(|finding| (finding.message(topology), finding.help(topology)))
        .collect();
    let found: Vec<_> = found
        .iter()
        .map(|(message, help)| (message.as_str(), help.as_str()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_sound_graph_has_no_findings() {
    let desk = graph(
        "triage billing access HUMAN",
        &[
            "triage billing",
            "triage access",
            "triage human",
            "billing end",
            "billing triage 2 human",
            "access end",
            "human end",
        ],
    );
    check_texts(&desk, &[]);
    assert_eq!(max_handoffs(&desk), Some(2 + 3 + 1));
}

#[test]
fn an_unreachable_node_is_named_with_what_hangs_on_it() {
    let desk = graph("a b c d", &["a end", "b c", "c end", "d end"]);
    check_texts(
        &desk,
        &[
            (
                "H002: no path leads from `a` to `b`, nor to `c` behind it",
                "lead an edge to `b`, or remove them",
            ),
            (
                "H002: no path leads from `a` to `d`",
                "lead an edge to `d`, or remove it",
            ),
        ],
    );
}

#[test]
fn an_unreachable_trap_is_unreachable_and_no_trap() {
    let desk = graph("a b", &["a end", "b b 1"]);
    check_texts(
        &desk,
        &[(
            "H002: no path leads from `a` to `b`",
            "lead an edge to `b`, or remove it",
        )],
    );
}

#[test]
fn an_else_reaches_and_ends_like_any_edge() {
    let desk = graph("a b", &["a a 1 b", "b b 1 end"]);
    check_texts(&desk, &[]);
}

#[test]
fn a_node_without_a_route_is_told_to_end() {
    let desk = graph("a", &[]);
    check_texts(
        &desk,
        &[(
            "H003: `a` is a trap: no path leads from it to `end`",
            "it has no route: add `#[route(_ => end)]`",
        )],
    );
}

#[test]
fn a_trap_is_reported_once_at_its_first_node() {
    let desk = graph("a b c d", &["a end", "a d", "d c", "b c", "a b"]);
    let findings = check(&desk);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].place(), Place::Node(NodeIndex(1)));
    check_texts(
        &desk,
        &[(
            "H003: `b`, `c` and `d` are a trap: no path leads from them to `end`",
            "`c` has no route: add `#[route(_ => end)]`",
        )],
    );
}

#[test]
fn two_traps_that_do_not_hang_together_are_two_findings() {
    let desk = graph("a b c", &["a end", "a b", "a c", "b b 1"]);
    check_texts(
        &desk,
        &[
            (
                "H003: `b` is a trap: no path leads from it to `end`",
                "lead on from here, for example with `_ => end` in the route of `b`",
            ),
            (
                "H003: `c` is a trap: no path leads from it to `end`",
                "it has no route: add `#[route(_ => end)]`",
            ),
        ],
    );
}

#[test]
fn a_loop_is_spelled_out_and_its_help_names_a_person() {
    let desk = graph(
        "triage billing access HUMAN",
        &[
            "triage billing",
            "triage access",
            "triage human",
            "billing triage",
            "billing end",
            "access end",
            "human end",
        ],
    );
    let findings = check(&desk);
    assert_eq!(findings[0].place(), Place::Target(EdgeIndex(3)));
    check_texts(
        &desk,
        &[(
            "H004: a handoff loop without a bound: `triage -> billing -> triage`",
            "bound it, for example `triage(limit = 3, else = human)`",
        )],
    );
    assert_eq!(max_handoffs(&desk), None);
}

#[test]
fn without_a_person_the_help_names_where_the_catch_all_arm_leads() {
    let mut desk = Topology::new("Desk");
    let [triage, billing, access, clerk] =
        ["triage", "billing", "access", "clerk"].map(|name| desk.node(NodeShape::new(name)));
    desk.start(triage);
    desk.edge(Edge::new(triage, "Triaged::Billing", Route::to(billing)));
    desk.edge(Edge::new(triage, "Triaged::Access", Route::to(access)));
    desk.edge(Edge::new(triage, "_", Route::to(clerk)));
    desk.edge(Edge::new(billing, "Billed::WrongDesk", Route::to(triage)));
    desk.edge(Edge::new(billing, "Billed::Done", Route::end()));
    desk.edge(Edge::new(access, "_", Route::end()));
    desk.edge(Edge::new(clerk, "_", Route::end()));

    check_texts(
        &desk,
        &[(
            "H004: a handoff loop without a bound: `triage -> billing -> triage`",
            "bound it, for example `triage(limit = 3, else = clerk)`",
        )],
    );
}

#[test]
fn a_person_who_hands_back_is_not_proposed() {
    let desk = graph(
        "a b ASK c",
        &["a b", "b a", "b ask 1 end", "ask a 1 end", "b c", "c end"],
    );
    check_texts(
        &desk,
        &[(
            "H004: a handoff loop without a bound: `a -> b -> a`",
            "bound it, for example `a(limit = 3, else = c)`",
        )],
    );
}

#[test]
fn a_self_loop_is_a_loop() {
    let desk = graph("a", &["a a", "a end"]);
    check_texts(
        &desk,
        &[(
            "H004: a handoff loop without a bound: `a -> a`",
            "bound it, for example `a(limit = 3, else = end)`",
        )],
    );
}

#[test]
fn an_else_that_closes_a_loop_is_where_the_error_points() {
    let desk = graph("a b c", &["a b", "a end", "b c 2 a", "c end"]);
    let findings = check(&desk);
    assert_eq!(findings[0].place(), Place::Else(EdgeIndex(2)));
    check_texts(
        &desk,
        &[(
            "H004: a handoff loop without a bound: `a -> b -> a`",
            "no limit holds for an `else`; lead it elsewhere, for example `c(limit = 2, else = end)`",
        )],
    );
}

#[test]
fn every_independent_loop_is_reported_in_one_go() {
    let desk = graph(
        "a b c",
        &["c a", "b a", "a c", "c b", "a b", "b c", "c end"],
    );
    let loops: Vec<_> = check(&desk)
        .iter()
        .map(|finding| finding.message(&desk))
        .collect();
    assert_eq!(
        loops,
        [
            "H004: a handoff loop without a bound: `a -> b -> a`",
            "H004: a handoff loop without a bound: `a -> c -> a`",
            "H004: a handoff loop without a bound: `b -> c -> b`",
        ],
    );
}

#[test]
fn parallel_edges_that_close_a_loop_are_one_finding_with_both() {
    let desk = graph("a b", &["a b", "b a", "b a - a", "b end"]);
    let ways: Vec<_> = match check(&desk).as_slice() {
        [Finding::UnboundedLoop { closed_by, .. }] => closed_by
            .iter()
            .map(|way| (way.edge.0, way.is_else))
            .collect(),
        other => panic!("{other:?}"),
    };
    assert_eq!(ways, [(1, false), (2, false), (2, true)]);
}

#[test]
fn a_node_with_nothing_but_limited_edges_is_stranded() {
    let desk = graph(
        "triage billing HUMAN",
        &[
            "triage billing",
            "triage human",
            "billing triage 2",
            "human end",
        ],
    );
    assert_eq!(check(&desk)[0].place(), Place::Target(EdgeIndex(2)));
    check_texts(
        &desk,
        &[(
            "H005: `billing` is stranded when its limits are used up: no way is left to `end`",
            "say where to go then, for example `triage(limit = 2, else = human)`",
        )],
    );
}

#[test]
fn a_sender_of_a_stranded_node_is_not_blamed_as_well() {
    let desk = graph(
        "a b c",
        &[
            "a b", "b c", "c a 1", "c b 1", "b a 1 c", "c c 1", "a end 1",
        ],
    );
    let stranded: Vec<_> = check(&desk).iter().map(Finding::place).collect();
    assert_eq!(stranded, [Place::Target(EdgeIndex(2))]);
}

#[test]
fn a_way_into_a_trap_is_the_traps_fault() {
    let desk = graph("a b c", &["a b", "a c 1", "c end"]);
    let codes: Vec<_> = check(&desk).iter().map(Finding::code).collect();
    assert_eq!(codes, [Code::H003]);
}

#[test]
fn a_limited_edge_to_the_end_strands_nobody() {
    check_texts(&graph("a", &["a end 1"]), &[]);
}

#[test]
fn a_limit_of_zero_is_refused_at_the_number() {
    let desk = graph("a", &["a a 0 end"]);
    assert_eq!(check(&desk)[0].place(), Place::Limit(EdgeIndex(0)));
    check_texts(
        &desk,
        &[(
            "H011: an edge of `a` has a limit of 0, so it can never be taken",
            "allow it at least once, or remove it",
        )],
    );
}

#[test]
fn a_second_node_of_one_name_is_refused_once() {
    // The second `b` is unreachable as well, but only because its name leads to the first.
    let desk = graph("a b b", &["a b", "b end"]);
    check_texts(
        &desk,
        &[("H011: two nodes are named `b`", "rename one of them")],
    );
}

#[test]
fn a_word_of_the_routes_is_no_name() {
    let desk = graph("a end", &["a end"]);
    check_texts(
        &desk,
        &[(
            "H011: `end` is a reserved word and no name for a node",
            "rename it; these words have a meaning in a route: \
             `end`, `back`, `all`, `each`, `start`, `join`",
        )],
    );
}

#[test]
fn a_graph_without_a_start_is_asked_for_one() {
    let mut desk = Topology::new("Desk");
    check_texts(
        &desk,
        &[(
            "H011: nothing says at which node a run starts",
            "declare a node and start there",
        )],
    );
    desk.node(NodeShape::new("a"));
    assert_eq!(
        check(&desk)[0].help(&desk),
        "name it, for example `start = a`"
    );
    assert_eq!(max_handoffs(&desk), Some(0));
}

#[test]
fn a_long_list_of_nodes_is_cut() {
    let names: Vec<_> = (0..20).map(|n| format!("n{n}")).collect();
    let mut desk = graph(&names.join(" "), &[]);
    for n in 1..20 {
        desk.edge(Edge::new(NodeIndex(0), "_", Route::to(NodeIndex(n))));
    }
    assert_eq!(
        check(&desk)[0].message(&desk),
        "H003: `n0`, `n1`, `n2`, `n3`, `n4`, `n5`, `n6`, `n7` and 12 more are a trap: \
         no path leads from them to `end`",
    );
}

#[test]
fn the_bound_adds_components_along_the_heaviest_way() {
    // Two loops, each of two nodes: 2 + 3 * 1 inside the first, 1 + 2 * 1 inside the second.
    let desk = graph(
        "a b c d",
        &["a b", "b a 2 c", "b c", "c d", "d c 1 end", "a d"],
    );
    check_texts(&desk, &[]);
    assert_eq!(max_handoffs(&desk), Some(5 + 1 + 3));
}

#[test]
fn the_bound_of_the_whole_graph_counts_where_it_is_tighter() {
    // By components it would be 1 + 2 * 1 for `a` and `b`, and one handoff more to `c`. But a run
    // that leaves for `c` is not at `b` in the end.
    let desk = graph("a b c", &["a b", "a c", "b a 1 end", "c end"]);
    check_texts(&desk, &[]);
    assert_eq!(max_handoffs(&desk), Some(3));
}

#[test]
fn the_bound_saturates() {
    let most = u32::MAX;
    let edges: Vec<_> = ["a b", "b c", "c d"]
        .into_iter()
        .map(str::to_owned)
        .chain((0..4).map(|_| format!("d a {most} end")))
        .collect();
    let edges: Vec<_> = edges.iter().map(String::as_str).collect();
    let b = 4 * u64::from(most);
    assert_eq!(
        max_handoffs(&graph("a b c d", &edges)),
        Some(b + (b + 1) * 3)
    );
}

#[test]
fn a_chain_of_any_depth_is_checked_without_recursion() {
    let mut desk = Topology::new("Deep");
    let nodes: Vec<_> = (0..20_000)
        .map(|n| desk.node(NodeShape::new(format!("n{n}"))))
        .collect();
    desk.start(nodes[0]);
    for pair in nodes.windows(2) {
        desk.edge(Edge::new(pair[0], "_", Route::to(pair[1])));
    }
    desk.edge(Edge::new(nodes[19_999], "_", Route::end()));
    assert_eq!(check(&desk), []);
    assert_eq!(max_handoffs(&desk), Some(19_999));

    desk.edge(Edge::new(nodes[19_999], "_", Route::to(nodes[0])));
    assert_eq!(check(&desk).len(), 1);
}

#[test]
fn a_former_name_that_is_taken_or_given_twice_is_refused() {
    let mut desk = Topology::new("Desk");
    let shapes = [
        NodeShape::new("a").renamed_from("b").renamed_from("x"),
        NodeShape::new("b").renamed_from("y").renamed_from("x"),
    ];
    let [a, b] = shapes.map(|shape| desk.node(shape));
    desk.start(a);
    desk.edge(Edge::new(a, "_", Route::to(b)));
    desk.edge(Edge::new(b, "_", Route::end()));
    for old in ["Help", "Desk", "Help"] {
        desk.renamed_from(old);
    }
    check_texts(
        &desk,
        &[
            (
                "H011: `Desk` is the name that the graph has now",
                "remove it",
            ),
            ("H011: `Help` is given twice as a former name", "remove it"),
            (
                "H011: `b` cannot be a former name of `a`: a node has it now",
                "remove it, or give that node another name: nobody could tell whose an old entry is",
            ),
            ("H011: `x` is given twice as a former name", "remove it"),
        ],
    );
}
