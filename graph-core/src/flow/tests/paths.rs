use super::*;

#[test]
fn a_field_given_on_every_path_is_not_lost() {
    let contracts = [IDLE, GIVER, GIVER, NEEDER];
    assert_eq!(lost(&flow(&contracts, &DIAMOND, &[])), None);
    let brought = Flow {
        given: ACCOUNT,
        ..flow(&[NEEDER], &[], &[])
    };
    assert_eq!(lost(&brought), None);
}

#[test]
fn a_field_given_on_one_path_only_is_lost_on_the_other() {
    let contracts = [IDLE, GIVER, IDLE, NEEDER];
    assert_eq!(
        lost(&flow(&contracts, &DIAMOND, &[])).unwrap(),
        "H007: `d` needs `account`, which is not set on the path `a -> c -> d`"
    );
}

#[test]
fn the_order_of_edges_does_not_matter() {
    let contracts = [IDLE, GIVER, IDLE, NEEDER];
    let edges = [edge(2, 3), edge(0, 1), edge(1, 3), edge(0, 2)];
    assert_eq!(
        lost(&flow(&contracts, &edges, &[])).unwrap(),
        "H007: `d` needs `account`, which is not set on the path `a -> c -> d`"
    );
}

#[test]
fn a_node_that_may_unset_a_field_loses_it_for_those_behind() {
    let edges = [edge(0, 1), edge(1, 2)];
    assert_eq!(
        lost(&flow(&[GIVER, CLEARER, NEEDER], &edges, &[])).unwrap(),
        "H007: `c` needs `account`, which is not set on the path `a -> b -> c`"
    );
}

#[test]
fn what_an_outcome_gives_counts_for_its_edge_alone() {
    let given = FlowEdge {
        gives: ACCOUNT,
        ..edge(0, 1)
    };
    let edges = [given, edge(0, 2)];
    assert_eq!(
        lost(&flow(&[IDLE, NEEDER, NEEDER], &edges, &[])).unwrap(),
        "H007: `c` needs `account`, which is not set on the path `a -> c`"
    );
}

#[test]
fn a_loop_back_to_the_start_does_not_set_what_the_first_visit_lacks() {
    let edges = [edge(0, 1), edge(1, 0)];
    assert_eq!(
        lost(&flow(&[NEEDER, GIVER], &edges, &[])).unwrap(),
        "H007: `a` needs `account`, which is not set when a run starts"
    );
}

#[test]
fn what_cannot_be_reached_loses_nothing_for_others() {
    let edges = [edge(0, 2), edge(1, 2)];
    assert_eq!(lost(&flow(&[GIVER, CLEARER, NEEDER], &edges, &[])), None);
}

#[test]
fn a_node_that_failed_has_given_nothing() {
    let failed = FlowEdge {
        failed: true,
        ..edge(0, 1)
    };
    assert_eq!(
        lost(&flow(&[GIVER, NEEDER], &[failed], &[])).unwrap(),
        "H007: `b` needs `account`, which is not set on the path `a -> b`"
    );
}

#[test]
fn a_node_that_failed_has_unset_nothing() {
    let failed = FlowEdge {
        failed: true,
        ..edge(1, 2)
    };
    let edges = [edge(0, 1), failed];
    assert_eq!(lost(&flow(&[GIVER, CLEARER, NEEDER], &edges, &[])), None);
}

#[test]
fn a_long_path_is_cut_off() {
    let count = 40;
    let names: Vec<_> = (0..count).map(|n| format!("n{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut contracts = vec![IDLE; count];
    contracts[count - 1] = NEEDER;
    let edges: Vec<_> = (1..count).map(|to| edge(to - 1, to)).collect();
    let line = lost(&Flow {
        names: &names,
        ..flow(&contracts, &edges, &[])
    });
    assert!(line.unwrap().ends_with("n30 -> n31 -> …`"));
}
