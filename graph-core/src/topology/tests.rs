use super::*;
use crate::check::{Finding, check};
use crate::route::Route;

fn chain(names: &[&'static str]) -> (Topology, Vec<NodeIndex>) {
    let mut topology = Topology::new("Chain");
    let nodes: Vec<_> = names
        .iter()
        .map(|name| topology.node(NodeShape::new(*name)))
        .collect();
    topology.start(nodes[0]);
    for pair in nodes.windows(2) {
        topology.edge(Edge::new(pair[0], "_", Route::to(pair[1])));
    }
    (topology, nodes)
}

#[test]
fn nodes_and_edges_come_back_in_the_order_of_declaration() {
    let (topology, nodes) = chain(&["a", "b", "c"]);

    let names: Vec<_> = topology
        .nodes()
        .map(|(index, node)| (index.0, &*node.name))
        .collect();
    assert_eq!(names, [(0, "a"), (1, "b"), (2, "c")]);
    assert_eq!(topology.start_node(), Some(nodes[0]));
    assert_eq!(topology.edges().len(), 2);
    let from_b: Vec<_> = topology.edges_from(nodes[1]).collect();
    assert_eq!(from_b.len(), 1);
    assert_eq!(from_b[0].0, EdgeIndex(1));
    assert_eq!(from_b[0].1.route, Route::to(nodes[2]));
}

#[test]
fn a_place_without_a_node_is_empty() {
    let (topology, _) = chain(&["a"]);
    assert_eq!(topology.get_node(NodeIndex(7)), None);
    assert_eq!(topology.get_edge(EdgeIndex(7)), None);
    assert_eq!(topology.name_of(NodeIndex(7)), "?");
}

#[test]
fn an_edge_to_a_node_that_was_never_declared_is_left_out_and_reported() {
    let (mut topology, nodes) = chain(&["a"]);
    topology.edge(Edge::new(nodes[0], "_", Route::to(NodeIndex(7))));
    topology.edge(Edge::new(
        nodes[0],
        "_",
        Route::end().limit(1).or_else(NodeIndex(7)),
    ));
    topology.edge(Edge::new(
        nodes[0],
        "_",
        Route::all([nodes[0], NodeIndex(9)], nodes[0]),
    ));
    topology.edge(Edge::new(
        nodes[0],
        "_",
        Route::each("items", NodeIndex(7), nodes[0]),
    ));
    topology.start(NodeIndex(8));

    assert_eq!(topology.edges().len(), 0);
    assert_eq!(topology.start_node(), Some(nodes[0]));
    let texts: Vec<_> = check(&topology)
        .iter()
        .map(|finding| finding.message(&topology))
        .collect();
    // That `a` leads nowhere is no mistake of its own: its edges were left out.
    assert_eq!(
        texts,
        [
            "H001: no node is named `#7`",
            "H001: no node is named `#9`",
            "H001: no node is named `#8`"
        ]
    );
}

#[test]
fn one_node_too_many_is_a_finding_and_never_wraps() {
    let mut topology = Topology::new("Large");
    for _ in 0..Topology::MOST {
        topology.node(NodeShape::new("a"));
    }
    assert!(!topology.is_too_large());

    let none = topology.node(NodeShape::new("b"));
    assert_eq!(topology.get_node(none), None);
    assert_eq!(topology.nodes().len(), Topology::MOST);
    assert_eq!(check(&topology), [Finding::TooLarge]);
}

#[test]
fn one_edge_too_many_is_a_finding_and_never_wraps() {
    let (mut topology, nodes) = chain(&["a"]);
    for _ in 0..Topology::MOST {
        topology.edge(Edge::new(nodes[0], "_", Route::end()));
    }
    assert_eq!(check(&topology), []);

    let none = topology.edge(Edge::new(nodes[0], "_", Route::end()));
    assert_eq!(topology.get_edge(none), None);
    assert_eq!(check(&topology), [Finding::TooLarge]);
}

#[test]
fn only_edges_with_both_ends_on_a_cycle_are_cyclic() {
    let (mut topology, nodes) = chain(&["a", "b", "c"]);
    let back = topology.edge(Edge::new(
        nodes[1],
        "_",
        Route::to(nodes[0]).limit(1).or_end(),
    ));
    let own = topology.edge(Edge::new(
        nodes[2],
        "_",
        Route::to(nodes[2]).limit(1).or_end(),
    ));
    let out = topology.edge(Edge::new(
        nodes[1],
        "_",
        Route::to(nodes[2]).or_else(nodes[0]),
    ));

    let cyclic = topology.cyclic_edges();
    assert_eq!(cyclic, [EdgeIndex(0), back, own]);
    assert!(!cyclic.contains(&out));
}

#[test]
fn a_fork_is_cyclic_once_if_a_branch_or_the_join_leads_back_to_it() {
    let mut topology = Topology::new("Forks");
    let [s, a, b, d] = ["s", "a", "b", "d"].map(|name| topology.node(NodeShape::new(name)));
    topology.start(s);
    let fork = topology.edge(Edge::new(s, "_", Route::all([a, b], d)));
    let first = topology.edge(Edge::new(a, "_", Route::to(d)));
    let second = topology.edge(Edge::new(b, "_", Route::to(d)));
    topology.edge(Edge::new(d, "_", Route::end()));
    assert_eq!(topology.cyclic_edges(), []);

    let back = topology.edge(Edge::new(d, "_", Route::to(s).limit(1).or_end()));
    assert_eq!(topology.cyclic_edges(), [fork, first, second, back]);
}

#[test]
fn regions_nest_and_hold_what_a_branch_goes_through() {
    let mut topology = Topology::new("Forks");
    let [plan, ask, read, sift, facts, sum, lost] =
        ["plan", "ask", "read", "sift", "facts", "sum", "lost"]
            .map(|name| topology.node(NodeShape::new(name)));
    topology.start(plan);
    let outer = topology.edge(Edge::new(plan, "_", Route::all([ask], sum)));
    let inner = topology.edge(Edge::new(
        ask,
        "_",
        Route::each("items", read, facts).or_else(sum),
    ));
    topology.edge(Edge::new(read, "_", Route::to(sift)));
    topology.edge(Edge::new(sift, "_", Route::to(facts)));
    topology.edge(Edge::on_error(
        sift,
        Route::to(read).limit(1).or_else(facts),
    ));
    topology.edge(Edge::new(facts, "_", Route::to(sum)));
    topology.edge(Edge::new(sum, "_", Route::end()));
    topology.edge(Edge::new(lost, "_", Route::all([lost], sum)));

    let regions = topology.regions();
    let of = [None, Some(0), Some(1), Some(1), Some(0), None, None];
    assert_eq!(regions.of, of);
    let [first, second] = regions.list.as_slice() else {
        panic!("{regions:?}");
    };
    assert_eq!((first.parent, first.join), (None, sum));
    assert_eq!((second.parent, second.join), (Some(0), facts));
    assert_eq!(
        (&*first.forks, &*second.forks),
        (&[outer][..], &[inner][..])
    );
    assert_eq!(
        (&*first.nodes, &*second.nodes),
        (&[ask, facts][..], &[read, sift][..])
    );
    assert_eq!(Topology::new("Empty").regions(), Regions::default());
}
