use crate::check::tests::{check_texts, graph};
use crate::check::{Place, check, max_handoffs};
use crate::route::Route;
use crate::topology::{Edge, EdgeIndex, NodeIndex, NodeShape, Topology};

#[test]
fn nested_forks_with_loops_inside_have_no_findings() {
    let desk = graph(
        "s a b c x y e d",
        &[
            "s a+b>d 2 end",
            "a a 2 d",
            "a d",
            "b x+y>e",
            "x e",
            "y c",
            "c y 1 e",
            "e d",
            "!b d",
            "d s 3 end",
        ],
    );
    check_texts(&desk, &[]);
    assert_eq!(
        desk.regions().of,
        [
            None,
            Some(0),
            Some(0),
            Some(1),
            Some(1),
            Some(1),
            Some(0),
            None
        ]
    );
}

#[test]
fn a_fork_may_join_at_its_own_node() {
    let desk = graph("s a", &["s *a>s 3 end", "a s"]);
    check_texts(&desk, &[]);
    // Each round is a handoff into a branch and one back.
    assert_eq!(max_handoffs(&desk), Some(3 + 4));
}

#[test]
fn forks_with_one_join_share_their_branches() {
    let desk = graph(
        "s a b d",
        &["s a+b>d", "s b>d", "s end", "a b", "b d", "d end"],
    );
    check_texts(&desk, &[]);
    assert_eq!(desk.regions().list.len(), 1);
    assert_eq!(desk.regions().list[0].forks, [EdgeIndex(0), EdgeIndex(1)]);
}

#[test]
fn a_branch_that_can_end_the_run_is_spelled_out() {
    let desk = graph(
        "s a b x d",
        &["s a+b>d", "a d", "b x", "x d", "x end", "d end"],
    );
    assert_eq!(check(&desk)[0].place(), Place::Target(EdgeIndex(4)));
    check_texts(
        &desk,
        &[(
            "H009: the branch `b` of `s` can end the run without reaching the join `d`: \
             `b -> x -> end`",
            "lead to the join, for example `d` in the place of `end`",
        )],
    );
}

#[test]
fn an_else_and_an_error_can_end_the_run_as_well() {
    let desk = graph(
        "s a b d",
        &["s a+b>d", "a d 1 end", "b d", "!b end", "d end"],
    );
    let findings = check(&desk);
    assert_eq!(findings[0].place(), Place::Else(EdgeIndex(1)));
    assert_eq!(findings[1].place(), Place::Target(EdgeIndex(3)));
    let text = |branch: &str| {
        format!(
            "H009: the branch `{branch}` of `s` can end the run without reaching the join `d`: \
             `{branch} -> end`"
        )
    };
    let found: Vec<_> = findings
        .iter()
        .map(|finding| finding.message(&desk))
        .collect();
    assert_eq!(found, [text("a"), text("b")]);
}

#[test]
fn a_branch_that_only_ends_the_run_does_not_starve_the_join_as_well() {
    let desk = graph("s a b d", &["s a+b>d", "a d", "b end", "d end"]);
    check_texts(
        &desk,
        &[(
            "H009: the branch `b` of `s` can end the run without reaching the join `d`: `b -> end`",
            "lead to the join, for example `d` in the place of `end`",
        )],
    );
}

#[test]
fn a_join_starves_and_is_no_trap() {
    let desk = graph("s a b c d", &["s a+b>d", "a d", "b c", "d end"]);
    assert_eq!(check(&desk)[0].place(), Place::Node(NodeIndex(2)));
    check_texts(
        &desk,
        &[(
            "H009: the join `d` starves: no path leads to it from `b` and `c`, in a branch of `s`",
            "`c` has no route: add `#[route(_ => d)]`",
        )],
    );

    let desk = graph("s a d", &["s *a>d", "a a 2", "d end"]);
    check_texts(
        &desk,
        &[(
            "H009: the join `d` starves: no path leads to it from `a`, in a branch of `s`",
            "lead on from here, for example with `_ => d` in the route of `a`",
        )],
    );
}

#[test]
fn a_trap_behind_the_join_does_not_name_the_branches() {
    let desk = graph("s a d", &["s *a>d", "a d", "d d 1 s"]);
    check_texts(
        &desk,
        &[
            (
                "H003: `s` and `d` are a trap: no path leads from them to `end`",
                "lead on from here, for example with `_ => end` in the route of `s`",
            ),
            (
                "H004: a handoff loop without a bound: `s -> d -> s`",
                "no limit holds for an `else`; lead it elsewhere, for example `d(limit = 1, else = end)`",
            ),
        ],
    );
}

#[test]
fn a_branch_that_leads_out_is_named_with_both_ways() {
    let desk = graph("s a x d", &["s a>d", "a d", "a x", "d x", "x end", "d end"]);
    assert_eq!(check(&desk)[0].place(), Place::Target(EdgeIndex(2)));
    check_texts(
        &desk,
        &[(
            "H009: `x` is reached both in the branch `a` of `s` and outside of it: \
             `s -> a -> x` and `s -> d -> x`",
            "lead the branch to its join `d`, or to a node of its own",
        )],
    );
}

#[test]
fn a_branch_that_leads_back_to_its_fork_is_no_loop_of_its_own() {
    let desk = graph("s a d", &["s a>d", "a d", "a s", "d end"]);
    check_texts(
        &desk,
        &[(
            "H009: `s` is reached both in the branch `a` of `s` and outside of it: \
             `s -> a -> s`, and the run starts there",
            "lead the branch to its join `d`, or to a node of its own",
        )],
    );
}

#[test]
fn a_branch_that_leads_to_an_outer_join_leaves_its_own() {
    let desk = graph(
        "s a b e d",
        &["s a>d", "a b>e", "b e", "!b d", "e d", "d end"],
    );
    check_texts(
        &desk,
        &[(
            "H009: `d` is reached both in the branch `b` of `a` and outside of it: \
             `a -> b -> d` and `s -> d`",
            "lead the branch to its join `e`, or to a node of its own",
        )],
    );
}

#[test]
fn a_node_in_branches_of_two_forks_is_one_finding() {
    // Whatever `x` leads to is wrong for one of the two.
    let desk = graph(
        "s t a b x d e",
        &["s a>d", "a x", "x d", "d t", "t b>e", "b x", "x e", "e end"],
    );
    check_texts(
        &desk,
        &[(
            "H009: `x` is reached both in the branch `b` of `t` and in the branch `a` of `s`: \
             `t -> b -> x` and `s -> a -> x`",
            "give each fork a node of its own, or the two forks one join",
        )],
    );
}

#[test]
fn a_branch_cannot_begin_outside_of_it() {
    let desk = graph("s a d", &["s a>d", "s a", "a d", "d end"]);
    let findings = check(&desk);
    assert_eq!(findings[0].place(), Place::Branch(EdgeIndex(0), 0));
    check_texts(
        &desk,
        &[(
            "H009: `a` is reached both in the branch `a` of `s` and outside of it: \
             `s -> a` and `s -> a`",
            "lead the branch to its join `d`, or to a node of its own",
        )],
    );
}

#[test]
fn an_inner_fork_needs_a_join_of_its_own() {
    let desk = graph("s a b d", &["s a>d", "a b>d", "b d", "d end"]);
    assert_eq!(check(&desk)[0].place(), Place::Target(EdgeIndex(1)));
    check_texts(
        &desk,
        &[(
            "H009: `a` forks within a branch and has the join of that branch, `d`",
            "give it a join of its own, and lead from that to `d`",
        )],
    );
}

#[test]
fn a_join_is_no_branch() {
    let desk = graph("s a d", &["s a+d>d", "a d", "d end"]);
    assert_eq!(check(&desk)[0].place(), Place::Branch(EdgeIndex(0), 1));
    check_texts(
        &desk,
        &[(
            "H009: the join `d` of `s` is one of its branches",
            "remove it from the branches, or join at another node",
        )],
    );
}

#[test]
fn a_fork_needs_branches_that_differ_and_may_run() {
    let mut desk = graph("s a d", &["s >d", "s a+a>d", "a d", "d end"]);
    let route = Route::each("items", NodeIndex(1), NodeIndex(2)).concurrency(0);
    let each = desk.edge(Edge::new(NodeIndex(0), "_", route));
    let places: Vec<_> = check(&desk)
        .iter()
        .map(super::super::finding::Finding::place)
        .collect();
    assert_eq!(
        places,
        [
            Place::Target(EdgeIndex(0)),
            Place::Concurrency(each),
            Place::Branch(EdgeIndex(1), 1),
        ]
    );
    check_texts(
        &desk,
        &[
            (
                "H011: a fork of `s` has no branches",
                "name a branch, or hand over without a fork: `d`",
            ),
            (
                "H011: a fork of `s` has a concurrency of 0, so no branch can ever run",
                "allow at least one, or remove it",
            ),
            (
                "H011: a fork of `s` has the branch `a` twice",
                "remove one of them; what runs a node several times is `each`",
            ),
        ],
    );
}

#[test]
fn a_join_is_reached_through_its_fork_and_a_branch_by_nothing_else() {
    let desk = graph("s a d", &["s end", "a end", "d end"]);
    assert_eq!(check(&desk).len(), 2);
    let desk = graph("s a d", &["s a>d", "a d", "d end"]);
    check_texts(&desk, &[]);
}

#[test]
fn a_loop_through_a_fork_is_bounded_with_the_fork_kept() {
    let desk = graph("d s a b", &["d s", "s a+b>d", "a d", "b d", "s end"]);
    check_texts(
        &desk,
        &[(
            "H004: a handoff loop without a bound: `d -> s -> d`",
            "bound it, for example `all(a, b) join d(limit = 3, else = end)`",
        )],
    );
    let desk = graph("d s a b", &["d s", "s a+b>d 3 end", "a d", "b d", "s end"]);
    check_texts(&desk, &[]);
    // Three times into a branch or past it, and from there and from the start three steps at most.
    assert_eq!(max_handoffs(&desk), Some(3 + 4 * 2));
}

#[test]
fn a_loop_in_a_branch_is_led_to_the_join() {
    let desk = graph("s a b d", &["s a>d", "a b", "b a", "b d", "d end"]);
    check_texts(
        &desk,
        &[(
            "H004: a handoff loop without a bound: `a -> b -> a`",
            "bound it, for example `a(limit = 3, else = d)`",
        )],
    );
}

#[test]
fn in_a_branch_what_is_stranded_is_led_to_the_join() {
    let desk = graph("s a b d", &["s a>d", "a b 1", "b d 1", "d end"]);
    check_texts(
        &desk,
        &[
            (
                "H005: `a` is stranded when its limits are used up: no way is left to the join `d`",
                "say where to go then, for example `b(limit = 1, else = d)`",
            ),
            (
                "H005: `b` is stranded when its limits are used up: no way is left to the join `d`",
                "remove the limit: at the join the branch is over",
            ),
        ],
    );
    let desk = graph("s a d x", &["s a>d 1", "a d", "d end", "d x", "x end"]);
    check_texts(
        &desk,
        &[(
            "H005: `s` is stranded when its limits are used up: no way is left to `end`",
            "say where to go then, for example `all(a) join d(limit = 1, else = end)`",
        )],
    );
}

#[test]
fn an_error_is_no_way_to_rely_on() {
    let desk = graph("a b", &["a b", "!b end"]);
    check_texts(
        &desk,
        &[(
            "H003: `a` and `b` are a trap: no path leads from them to `end`",
            "`b` has no route: add `#[route(_ => end)]`",
        )],
    );
    let desk = graph("a b", &["a b 1", "!a end", "b end"]);
    assert_eq!(
        check(&desk)[0].message(&desk),
        "H005: `a` is stranded when its limits are used up: no way is left to `end`"
    );
    let desk = graph("a b", &["a b", "b end", "!b a"]);
    check_texts(
        &desk,
        &[(
            "H004: a handoff loop without a bound: `a -> b -> a`",
            "bound it, for example `a(limit = 3, else = end)`",
        )],
    );
}

#[test]
fn the_else_of_a_fork_is_useless_off_every_loop() {
    let desk = graph("s a d", &["s a>d - end", "a d", "d end"]);
    check_texts(
        &desk,
        &[(
            "H011: `else = end` is never taken: the edge has no limit, and lies on no loop",
            "remove it, or give the edge a `limit`",
        )],
    );
}

#[test]
fn the_limit_of_a_fork_counts_once_for_all_its_steps() {
    let desk = graph(
        "s a b c d",
        &["s a+b+c>d 2 end", "a d", "b d", "c d", "d s"],
    );
    check_texts(&desk, &[]);
    // Two rounds of three handoffs, and the way into a branch is the limited one: 2 + 3 * 2.
    assert_eq!(max_handoffs(&desk), Some(8));
}

#[test]
fn deep_nests_and_long_branches_are_checked_without_recursion() {
    let mut desk = Topology::new("Deep");
    let nodes: Vec<_> = (0..10_001)
        .map(|n| desk.node(NodeShape::new(format!("n{n}"))))
        .collect();
    desk.start(nodes[0]);
    // The first half forks, each into the next node, and the second half are the joins.
    for at in 0..5_000 {
        let join = nodes[10_000 - at];
        desk.edge(Edge::new(nodes[at], "_", Route::all([nodes[at + 1]], join)));
        if at > 0 {
            desk.edge(Edge::new(join, "_", Route::to(nodes[10_001 - at])));
        }
    }
    desk.edge(Edge::new(nodes[5_000], "_", Route::to(nodes[5_001])));
    desk.edge(Edge::new(nodes[10_000], "_", Route::end()));
    assert_eq!(check(&desk), []);
    assert_eq!(max_handoffs(&desk), Some(10_000));
    assert_eq!(desk.regions().list.len(), 5_000);

    desk.edge(Edge::new(nodes[5_000], "_", Route::end()));
    let findings = check(&desk);
    assert_eq!(findings.len(), 1);
    assert_eq!(
        findings[0].message(&desk),
        "H009: the branch `n5000` of `n4999` can end the run without reaching the join `n5001`: \
         `n5000 -> end`",
    );
}

#[test]
fn a_branch_that_is_wrong_all_over_is_told_in_little_memory() {
    let mut desk = Topology::new("Wrong");
    let nodes: Vec<_> = (0..10_000)
        .map(|n| desk.node(NodeShape::new(format!("n{n}"))))
        .collect();
    desk.start(nodes[0]);
    desk.edge(Edge::new(nodes[0], "_", Route::all([nodes[2]], nodes[1])));
    desk.edge(Edge::new(nodes[1], "_", Route::end()));
    for pair in nodes[2..].windows(2) {
        desk.edge(Edge::new(pair[0], "_", Route::to(pair[1])));
        desk.edge(Edge::new(pair[0], "_", Route::end()));
        desk.edge(Edge::new(pair[0], "_", Route::to(nodes[0])));
    }
    desk.edge(Edge::new(nodes[9_999], "_", Route::to(nodes[1])));
    let findings = check(&desk);
    assert_eq!(findings.len(), 200);
    assert_eq!(
        findings[20].message(&desk),
        "H009: `n0` is reached both in the branch `n2` of `n0` and outside of it: \
         `n0 -> n2 -> n3 -> n4 -> n5 -> n6 -> .. -> n18 -> n19 -> n20 -> n21 -> n22 -> n0`, \
         and the run starts there",
    );
}
