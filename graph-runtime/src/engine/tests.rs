use handoffs_core::{Edge, Field, NodeIndex, NodeShape, Route, Topology};

use super::*;

const FIELDS: &[Field] = &[Field::__new("count", false)];

/// A graph of nodes `a`, `b`, .. with these edges, as from, to (or the end) and limit, and a graph's `else`s to the end.
fn plan(nodes: usize, edges: &[(u16, Option<u16>, Option<u32>, bool)]) -> Plan {
    let mut topology = Topology::new("Test");
    for name in ["a", "b", "c"].iter().take(nodes) {
        topology.node(NodeShape::new(*name));
    }
    topology.start(NodeIndex(0));
    for (from, to, limit, or_end) in edges {
        let mut route = to.map_or(Route::end(), |to| Route::to(NodeIndex(to)));
        if let Some(times) = limit {
            route = route.limit(*times);
        }
        if *or_end {
            route = route.or_end();
        }
        topology.edge(Edge::new(NodeIndex(*from), "_", route));
    }
    Plan::new(topology, FIELDS, Vec::new())
}

fn started(plan: &Plan) -> Engine {
    let mut engine = Engine::new(plan);
    engine.on(plan, Fact::Started).unwrap();
    engine
}

#[test]
fn an_edge_is_taken_as_often_as_its_limit_allows_and_then_its_else() {
    let plan = plan(2, &[(0, Some(1), None, false), (1, Some(0), Some(2), true)]);
    let mut engine = started(&plan);
    for lap in 0..2 {
        engine.decide(&plan, 0, None).unwrap();
        let hop = engine.decide(&plan, 1, Some(lap)).unwrap();
        assert_eq!((hop.to, hop.masked), (Target::Node(0), None));
    }
    engine.decide(&plan, 0, None).unwrap();
    let hop = engine.decide(&plan, 1, Some(2)).unwrap();
    assert_eq!((hop.to, hop.masked), (Target::End, Some(Masked::Limit)));
    assert_eq!(engine.next(), Action::Finish(1, true));
    assert_eq!(engine.handoffs(), 5);
}

#[test]
fn a_ring_without_progress_is_stopped_after_one_lap_and_named() {
    let ring = [
        (0, Some(1), None, false),
        (1, Some(2), None, false),
        (2, Some(0), Some(9), false),
    ];
    let plan = plan(3, &ring);
    let mut engine = started(&plan);
    for edge in [0, 1, 2, 0, 1] {
        engine.decide(&plan, edge, Some(7)).unwrap();
    }
    let before = engine.clone();
    let Err(Refused::Loop {
        edge,
        why,
        cycle,
        laps,
    }) = engine.decide(&plan, 2, Some(7))
    else {
        panic!("the loop goes on");
    };
    assert_eq!((edge, why, laps), (2, Masked::NoProgress, 1));
    assert_eq!(&*Refused::cycle_text(&plan, &cycle), "a -> b -> c -> a");
    assert_eq!(engine, before, "a refused decision changes nothing");
}

#[test]
fn a_loop_that_makes_progress_goes_on_to_its_limit() {
    let plan = plan(
        1,
        &[(0, Some(0), Some(1_000), true), (0, None, None, false)],
    );
    let mut engine = started(&plan);
    for progress in 0..1_000 {
        assert_eq!(
            engine.decide(&plan, 0, Some(progress)).unwrap().masked,
            None
        );
    }
    assert_eq!(
        engine.decide(&plan, 0, Some(1_000)).unwrap().masked,
        Some(Masked::Limit)
    );
}

#[test]
fn what_is_not_known_to_be_without_progress_is_not_masked() {
    let plan = plan(1, &[(0, Some(0), Some(5), true)]);
    let mut engine = started(&plan);
    engine.decide(&plan, 0, None).unwrap();
    assert_eq!(engine.decide(&plan, 0, None).unwrap().masked, None);
}

#[test]
fn an_answer_from_outside_opens_an_edge_that_only_lacked_progress() {
    let plan = plan(2, &[(0, Some(1), None, false), (1, Some(0), Some(9), true)]);
    let mut engine = started(&plan);
    for edge in [0, 1, 0] {
        engine.decide(&plan, edge, Some(7)).unwrap();
    }
    engine.on(&plan, Fact::Asked(AskId(5))).unwrap();
    assert_eq!(engine.next(), Action::Wait(1, AskId(5)));
    engine.on(&plan, Fact::Answered).unwrap();
    assert_eq!(engine.decide(&plan, 1, Some(7)).unwrap().masked, None);
}

#[test]
fn a_new_run_in_a_thread_has_all_its_limits_again() {
    let plan = plan(1, &[(0, Some(0), Some(1), true)]);
    let mut engine = started(&plan);
    engine.decide(&plan, 0, Some(1)).unwrap();
    assert_eq!(
        engine.decide(&plan, 0, Some(2)).unwrap().masked,
        Some(Masked::Limit)
    );
    engine.on(&plan, Fact::Started).unwrap();
    assert_eq!(engine.decide(&plan, 0, Some(1)).unwrap().masked, None);
}

#[test]
fn passing_and_deciding_lead_the_same_way() {
    let plan = plan(
        2,
        &[
            (0, Some(1), None, false),
            (1, Some(0), Some(2), true),
            (1, None, None, false),
        ],
    );
    let (mut passed, mut decided) = (started(&plan), started(&plan));
    for (edge, progress) in [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3), (1, 3)] {
        let leg = &plan.legs[usize::from(edge)];
        let is_taken = passed.may_go(leg)
            && (leg.kind == LegKind::Free
                || passed.count_lap(&plan, usize::from(edge), Some(progress), || true));
        let to = is_taken.then(|| passed.go_on(leg));
        let unmasked = match decided.decide(&plan, edge, Some(progress)).unwrap() {
            Hop {
                to, masked: None, ..
            } => to.node(),
            Hop { .. } => None,
        };
        assert_eq!(to, unmasked);
        if to.is_some() {
            assert_eq!(passed, decided);
        }
    }
}

#[test]
fn facts_that_cannot_have_happened_are_refused() {
    let plan = plan(2, &[(0, Some(1), None, false), (1, None, None, false)]);
    let mut engine = Engine::new(&plan);
    assert!(engine.decide(&plan, 0, None).is_err(), "before the start");
    engine.on(&plan, Fact::Started).unwrap();
    assert!(
        engine.on(&plan, Fact::Started).is_err(),
        "in the middle of a run"
    );
    assert!(
        engine.on(&plan, Fact::Answered).is_err(),
        "without a question"
    );
    assert!(
        engine.decide(&plan, 1, None).is_err(),
        "an edge of another node"
    );
    assert!(
        engine.decide(&plan, 9, None).is_err(),
        "an edge that is none"
    );
    engine.on(&plan, Fact::Failed).unwrap();
    assert!(engine.has_failed());
    engine.decide(&plan, 0, None).unwrap();
    engine.decide(&plan, 1, None).unwrap();
    assert!(engine.decide(&plan, 1, None).is_err(), "after the end");
}

#[test]
fn a_graph_is_named_after_all_that_its_journals_rely_on() {
    let base = plan(2, &[(0, Some(1), None, false), (1, Some(0), Some(2), true)]).id;
    let same = plan(2, &[(0, Some(1), None, false), (1, Some(0), Some(2), true)]).id;
    let looser = plan(2, &[(0, Some(1), None, false), (1, Some(0), Some(3), true)]).id;
    let shorter = plan(2, &[(0, Some(1), None, false)]).id;
    assert_eq!(base, same);
    assert!(base != looser && base != shorter && looser != shorter);
    assert_eq!(base.name(), "Test");
}

#[test]
fn an_engine_is_a_value_that_can_be_written_down_in_the_middle_of_a_run() {
    let plan = plan(2, &[(0, Some(1), None, false), (1, Some(0), Some(2), true)]);
    let mut engine = started(&plan);
    for (edge, progress) in [(0, 1), (1, 1), (0, 2)] {
        engine.decide(&plan, edge, Some(progress)).unwrap();
    }
    let json = serde_json::to_string(&engine).unwrap();
    let mut read: Engine = serde_json::from_str(&json).unwrap();
    assert_eq!(read, engine);
    assert_eq!(
        read.decide(&plan, 1, Some(1)),
        engine.decide(&plan, 1, Some(1))
    );
}

/// `s` forks into `b` and `c`, which join at `d`; `b` may go round, and `d` goes back to `s`.
fn forking() -> Plan {
    let mut topology = Topology::new("Forking");
    let node = |topology: &mut Topology, name| topology.node(NodeShape::new(name));
    let [s, b, c, d] = ["s", "b", "c", "d"].map(|name| node(&mut topology, name));
    topology.start(s);
    for (from, route) in [
        (s, Route::all([b, c], d)),
        (b, Route::to(b).limit(3).or_else(d)),
        (b, Route::to(d)),
        (c, Route::to(d)),
        (d, Route::to(s).limit(2).or_end()),
    ] {
        topology.edge(Edge::new(from, "_", route));
    }
    assert_eq!(handoffs_core::check(&topology), []);
    Plan::new(topology, FIELDS, Vec::new())
}

/// Joins branches, in the order in which they came back.
fn join(plan: &Plan, engine: &mut Engine, branches: &[Engine]) -> u16 {
    let mut all = engine.clone();
    for branch in branches {
        assert_eq!(branch.next(), Action::Arrive);
        all.absorb(branch);
    }
    engine.joined(plan, all).unwrap()
}

#[test]
fn a_fork_waits_for_its_branches_and_goes_on_at_the_join() {
    let plan = forking();
    let mut engine = started(&plan);
    let hop = engine.decide(&plan, 0, Some(0)).unwrap();
    assert_eq!((hop.to, hop.forks), (Target::Node(3), true));
    assert_eq!(engine.next(), Action::Branch(0));
    assert_eq!(
        engine.branch_of(&plan, 0, (2, 2)),
        None,
        "it has two branches"
    );

    let mut left = engine.branch_of(&plan, 0, (0, 2)).unwrap();
    let mut right = engine.branch_of(&plan, 0, (1, 2)).unwrap();
    assert_eq!(
        (left.next(), right.next()),
        (Action::Execute(1), Action::Execute(2))
    );
    left.decide(&plan, 2, None).unwrap();
    right.decide(&plan, 3, None).unwrap();
    assert_eq!(join(&plan, &mut engine, &[right, left]), 3);
    assert_eq!(engine.next(), Action::Execute(3));
    assert_eq!(engine.handoffs(), 2, "to a branch, and to the join");
}

#[test]
fn behind_a_join_the_highest_count_of_any_branch_holds() {
    let plan = forking();
    let mut engine = started(&plan);
    for laps in [2, 1] {
        engine.decide(&plan, 0, None).unwrap();
        let mut left = engine.branch_of(&plan, 0, (0, 2)).unwrap();
        let mut right = engine.branch_of(&plan, 0, (1, 2)).unwrap();
        for _ in 0..laps {
            assert_eq!(left.decide(&plan, 1, None).unwrap().masked, None);
        }
        left.decide(&plan, 2, None).unwrap();
        right.decide(&plan, 3, None).unwrap();
        join(&plan, &mut engine, &[left, right]);
        engine.decide(&plan, 4, None).unwrap();
    }
    engine.decide(&plan, 0, None).unwrap();
    let mut left = engine.branch_of(&plan, 0, (0, 2)).unwrap();
    let hop = left.decide(&plan, 1, None).unwrap();
    assert_eq!(
        hop.masked,
        Some(Masked::Limit),
        "three laps, in two branches"
    );
    assert_eq!(left.next(), Action::Arrive, "its `else` is the join");
}

#[test]
fn a_fork_without_branches_is_a_handoff_to_its_join() {
    let plan = forking();
    let mut engine = started(&plan);
    engine.decide(&plan, 0, None).unwrap();
    join(&plan, &mut engine, &[]);
    assert_eq!((engine.next(), engine.handoffs()), (Action::Execute(3), 1));
    assert_eq!(engine.caller(), None, "nothing leads back");
}

#[test]
fn what_stood_before_a_fork_says_nothing_of_progress_within_a_branch() {
    let plan = forking();
    let mut engine = started(&plan);
    engine.decide(&plan, 0, Some(7)).unwrap();
    let mut left = engine.branch_of(&plan, 0, (0, 2)).unwrap();
    assert_eq!(left.decide(&plan, 1, Some(7)).unwrap().masked, None);
    let hop = left.decide(&plan, 1, Some(7)).unwrap();
    assert_eq!(hop.masked, Some(Masked::NoProgress), "within it does");
    let right = engine.branch_of(&plan, 0, (1, 2)).unwrap();
    let mut right = Engine { ..right };
    right.decide(&plan, 3, None).unwrap();
    join(&plan, &mut engine, &[left, right]);
    engine.decide(&plan, 4, Some(7)).unwrap();
    engine.decide(&plan, 0, Some(7)).unwrap();
    let mut again = engine.branch_of(&plan, 0, (0, 2)).unwrap();
    assert_eq!(
        again.decide(&plan, 1, Some(7)).unwrap().masked,
        None,
        "another item"
    );
}
