use super::*;

#[test]
fn a_worker_has_the_item_of_its_branch_on_every_lap() {
    // `a => each(items) b join d`, and `b -> c -> b`.
    let arrivals = [edge(1, 3)];
    let worker = [branch(&[1, 2], &arrivals)];
    let edges = [edge(1, 2), edge(2, 1)];
    let contracts = [IDLE, WORKER, IDLE, IDLE];
    let forks = [each(0, &worker, 3)];
    let flow = flow(&contracts, &edges, &forks);
    assert!(itemless(&flow).is_empty());
    assert_eq!(
        flow.hands::<4>(),
        [Hand::Empty, Hand::Of(1), Hand::Of(1), Hand::Empty]
    );
}

#[test]
fn a_nested_fork_keeps_the_item() {
    // Within the branch of `b`: `b => all(c) join d`, and `d -> b`.
    let (arrivals, inner) = ([edge(3, 4)], [edge(2, 3)]);
    let (worker, inner) = ([branch(&[1, 2, 3], &arrivals)], [branch(&[2], &inner)]);
    let forks = [each(0, &worker, 4), all(1, &inner, 3)];
    let contracts = [IDLE, WORKER, IDLE, IDLE, IDLE];
    let edges = [edge(3, 1)];
    assert!(itemless(&flow(&contracts, &edges, &forks)).is_empty());
}

#[test]
fn a_node_that_takes_an_item_wants_an_each() {
    let hands_none = ["H009: `b` takes an item, and `a` hands it none"];
    let contracts = [IDLE, WORKER, IDLE];
    let plain = [edge(0, 1)];
    assert_eq!(itemless(&flow(&contracts, &plain, &[])), hands_none);
    let arrivals = [edge(1, 2)];
    let branches = [branch(&[1], &arrivals)];
    let forks = [all(0, &branches, 2)];
    assert_eq!(itemless(&flow(&contracts, &[], &forks)), hands_none);
    let help = flow(&contracts, &plain, &[]);
    let help = help.itemless(&help.hands_vec(), 1).unwrap();
    assert_eq!(
        help.as_str().lines().nth(1).unwrap(),
        "help: lead to it by `each(items) b join ..`"
    );
}

#[test]
fn a_run_does_not_start_with_an_item() {
    assert_eq!(
        itemless(&flow(&[WORKER], &[], &[])),
        ["H009: `a` takes an item, and a run that starts there has none"]
    );
}

#[test]
fn the_item_of_another_worker_is_none_of_its_own() {
    // `a => each(items) b join d`, and `b -> c`, which takes an item as well.
    let arrivals = [edge(2, 3)];
    let worker = [branch(&[1, 2], &arrivals)];
    let edges = [edge(1, 2)];
    let contracts = [IDLE, WORKER, WORKER, IDLE];
    assert_eq!(
        itemless(&flow(&contracts, &edges, &[each(0, &worker, 3)])),
        ["H009: `c` takes an item, and `b` hands it none"]
    );
}

#[test]
fn a_join_has_the_item_of_the_fork_alone() {
    let arrivals = [edge(1, 2)];
    let worker = [branch(&[1], &arrivals)];
    let contracts = [IDLE, WORKER, WORKER];
    assert_eq!(
        itemless(&flow(&contracts, &[], &[each(0, &worker, 2)])),
        ["H009: `c` takes an item, and `a` hands it none"]
    );
}

#[test]
fn what_cannot_be_reached_has_another_error() {
    assert!(itemless(&flow(&[IDLE, WORKER], &[edge(1, 1)], &[])).is_empty());
}
