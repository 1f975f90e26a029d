use super::*;

const ARRIVALS: [[FlowEdge; 1]; 2] = [[edge(1, 3)], [edge(2, 3)]];

/// `a => all(b, c) join d`.
fn fork_of_two(contracts: [Contract; 4]) -> Option<String> {
    let branches = [branch(&[1], &ARRIVALS[0]), branch(&[2], &ARRIVALS[1])];
    lost(&flow(&contracts, &[], &[all(0, &branches, 3)]))
}

/// `a => each(items) b join c`, and whether an outcome of `b` gives the field.
fn fork_of_each(contracts: [Contract; 3]) -> Option<String> {
    let arrivals = [edge(1, 2)];
    let worker = [branch(&[1], &arrivals)];
    lost(&flow(&contracts, &[], &[each(0, &worker, 2)]))
}

#[test]
fn what_was_set_before_the_fork_is_set_in_the_branches_and_at_the_join() {
    assert_eq!(fork_of_two([GIVER, NEEDER, NEEDER, NEEDER]), None);
    assert_eq!(fork_of_each([GIVER, NEEDER, NEEDER]), None);
}

#[test]
fn what_one_branch_gives_is_set_at_the_join() {
    assert_eq!(fork_of_two([IDLE, GIVER, IDLE, NEEDER]), None);
    assert_eq!(fork_of_two([IDLE, IDLE, GIVER, NEEDER]), None);
}

#[test]
fn what_one_branch_gives_is_not_set_in_the_other() {
    assert_eq!(
        fork_of_two([IDLE, GIVER, NEEDER, IDLE]).unwrap(),
        "H007: `c` needs `account`, which is not set on the path `a -> c`"
    );
}

#[test]
fn what_no_branch_gives_is_lost_at_the_join() {
    assert_eq!(
        fork_of_two([IDLE, IDLE, IDLE, NEEDER]).unwrap(),
        "H007: `d` needs `account`, which is not set on the path `a -> d`"
    );
}

#[test]
fn what_a_branch_may_unset_is_lost_at_the_join_through_it() {
    let lost = "H007: `d` needs `account`, which is not set on the path `a -> c -> d`";
    assert_eq!(fork_of_two([GIVER, IDLE, CLEARER, NEEDER]).unwrap(), lost);
    assert_eq!(fork_of_two([IDLE, GIVER, CLEARER, NEEDER]).unwrap(), lost);
}

#[test]
fn a_branch_that_leaves_the_field_alone_is_not_blamed() {
    let arrivals = [[edge(1, 4)], [edge(2, 4)], [edge(3, 4)]];
    let branches = [
        branch(&[1], &arrivals[0]),
        branch(&[2], &arrivals[1]),
        branch(&[3], &arrivals[2]),
    ];
    let contracts = [IDLE, GIVER, IDLE, CLEARER, NEEDER];
    assert_eq!(
        lost(&flow(&contracts, &[], &[all(0, &branches, 4)])).unwrap(),
        "H007: `e` needs `account`, which is not set on the path `a -> d -> e`"
    );
}

#[test]
fn each_may_run_no_branch_so_what_it_gives_is_not_set() {
    assert_eq!(
        fork_of_each([IDLE, GIVER, NEEDER]).unwrap(),
        "H007: `c` needs `account`, which is not set on the path `a -> c`"
    );
    assert_eq!(fork_of_each([GIVER, GIVER, NEEDER]), None);
}

#[test]
fn what_a_worker_may_unset_is_lost_at_the_join() {
    assert_eq!(
        fork_of_each([GIVER, CLEARER, NEEDER]).unwrap(),
        "H007: `c` needs `account`, which is not set on the path `a -> b -> c`"
    );
}

#[test]
fn the_outcome_that_forks_may_give() {
    let arrivals = [edge(1, 2)];
    let worker = [branch(&[1], &arrivals)];
    let fork = FlowFork {
        gives: ACCOUNT,
        ..each(0, &worker, 2)
    };
    assert_eq!(lost(&flow(&[IDLE, NEEDER, NEEDER], &[], &[fork])), None);
}

#[test]
fn the_outcome_that_arrives_may_give() {
    let giving = FlowEdge {
        gives: ACCOUNT,
        ..edge(1, 3)
    };
    let contracts = [IDLE, CLEARER, IDLE, NEEDER];
    let (first, second) = ([giving], [edge(2, 3)]);
    let branches = [branch(&[1], &first), branch(&[2], &second)];
    assert_eq!(lost(&flow(&contracts, &[], &[all(0, &branches, 3)])), None);
    let first = [giving, edge(1, 3)];
    let branches = [branch(&[1], &first), branch(&[2], &second)];
    assert_eq!(
        lost(&flow(&contracts, &[], &[all(0, &branches, 3)])).unwrap(),
        "H007: `d` needs `account`, which is not set on the path `a -> d`"
    );
}

#[test]
fn a_worker_that_fails_before_the_join_has_unset_nothing() {
    let failed = [FlowEdge {
        failed: true,
        ..edge(1, 2)
    }];
    let worker = [branch(&[1], &failed)];
    let contracts = [GIVER, CLEARER, NEEDER];
    assert_eq!(lost(&flow(&contracts, &[], &[each(0, &worker, 2)])), None);
}

#[test]
fn a_plain_way_into_the_join_counts_as_well() {
    let branches = [branch(&[1], &ARRIVALS[0]), branch(&[2], &ARRIVALS[1])];
    let contracts = [IDLE, GIVER, IDLE, NEEDER, IDLE];
    let edges = [edge(0, 4), edge(4, 3)];
    assert_eq!(
        lost(&flow(&contracts, &edges, &[all(0, &branches, 3)])).unwrap(),
        "H007: `d` needs `account`, which is not set on the path `a -> e -> d`"
    );
}

#[test]
fn a_loop_inside_a_branch_loses_what_a_lap_unsets() {
    // `a => all(b) join d`, and `b -> c -> b`, where `c` unsets what `b` needs.
    let arrivals = [edge(1, 3)];
    let branches = [branch(&[1, 2], &arrivals)];
    let edges = [edge(1, 2), edge(2, 1)];
    let contracts = [GIVER, NEEDER, CLEARER, IDLE];
    assert_eq!(
        lost(&flow(&contracts, &edges, &[all(0, &branches, 3)])).unwrap(),
        "H007: `b` needs `account`, which is not set on the path `a -> b -> c -> b`"
    );
}

#[test]
fn a_loop_over_the_whole_fork_loses_what_the_join_unsets() {
    let branches = [branch(&[1], &ARRIVALS[0]), branch(&[2], &ARRIVALS[1])];
    let contracts = [IDLE, IDLE, NEEDER, CLEARER];
    let (edges, forks) = ([edge(3, 0)], [all(0, &branches, 3)]);
    let brought = Flow {
        given: ACCOUNT,
        ..flow(&contracts, &edges, &forks)
    };
    assert_eq!(
        lost(&brought).unwrap(),
        "H007: `c` needs `account`, which is not set on the path `a -> d -> a -> c`"
    );
}

/// `a => all(b) join f`, within it `b => all(c, d) join e`, and `e` arrives at `f`.
fn nested(contracts: &[Contract; 6]) -> Option<String> {
    let (to_f, from_c, from_d) = ([edge(4, 5)], [edge(2, 4)], [edge(3, 4)]);
    let outer = [branch(&[1, 2, 3, 4], &to_f)];
    let inner = [branch(&[2], &from_c), branch(&[3], &from_d)];
    let (outer, inner) = (all(0, &outer, 5), all(1, &inner, 4));
    let found = lost(&flow(contracts, &[], &[outer, inner]));
    assert_eq!(found, lost(&flow(contracts, &[], &[inner, outer])));
    found
}

#[test]
fn what_a_nested_branch_gives_is_set_at_both_joins() {
    assert_eq!(nested(&[IDLE, IDLE, GIVER, IDLE, NEEDER, NEEDER]), None);
}

#[test]
fn what_a_nested_branch_unsets_is_lost_at_both_joins() {
    assert_eq!(
        nested(&[GIVER, NEEDER, IDLE, CLEARER, IDLE, NEEDER]).unwrap(),
        "H007: `f` needs `account`, which is not set on the path `a -> b -> d -> e -> f`"
    );
    assert_eq!(nested(&[GIVER, NEEDER, IDLE, CLEARER, GIVER, NEEDER]), None);
}
