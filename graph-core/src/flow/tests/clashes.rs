use super::*;

const ARRIVALS: [[FlowEdge; 1]; 2] = [[edge(1, 3)], [edge(2, 3)]];

fn of_two(contracts: [Contract; 4], merges: FieldSet) -> Vec<String> {
    let branches = [branch(&[1], &ARRIVALS[0]), branch(&[2], &ARRIVALS[1])];
    clashes(&Flow {
        merges,
        ..flow(&contracts, &[], &[all(0, &branches, 3)])
    })
}

fn of_each(worker: Contract, merges: FieldSet) -> Vec<String> {
    let workers = [branch(&[1], &ARRIVALS[0])];
    let contracts = [IDLE, worker, IDLE, IDLE];
    clashes(&Flow {
        merges,
        ..flow(&contracts, &[], &[each(0, &workers, 3)])
    })
}

#[test]
fn two_branches_may_not_write_a_field_that_has_no_merge() {
    assert_eq!(
        of_two([WRITER; 4], NONE),
        ["H008: `b` and `c`, in two branches of `a`, may both write `note`, which has no merge"]
    );
    assert!(of_two([WRITER; 4], NOTE).is_empty());
    assert!(of_two([WRITER, WRITER, GIVER, WRITER], NONE).is_empty());
}

#[test]
fn two_branches_may_not_replace_the_same_field() {
    assert_eq!(
        of_two([REPLACER; 4], NOTE),
        ["H008: `b` and `c`, in two branches of `a`, may both replace `note`"]
    );
    assert!(of_two([IDLE, REPLACER, WRITER, IDLE], NOTE).is_empty());
    assert_eq!(of_two([IDLE, REPLACER, WRITER, IDLE], NONE).len(), 1);
}

#[test]
fn a_worker_may_not_write_a_field_that_has_no_merge() {
    assert_eq!(
        of_each(WRITER, NONE),
        ["H008: `b` may write `note` in several branches of `a` at once, and it has no merge"]
    );
    assert_eq!(
        of_each(REPLACER, NOTE),
        ["H008: `b` may replace `note` in several branches of `a` at once"]
    );
    assert!(of_each(WRITER, NOTE).is_empty());
    assert!(of_each(IDLE, NONE).is_empty());
}

#[test]
fn a_node_that_two_branches_share_is_named_once() {
    let arrivals = [edge(3, 4)];
    let branches = [branch(&[1, 3], &arrivals), branch(&[2, 3], &arrivals)];
    let contracts = [IDLE, IDLE, IDLE, WRITER, IDLE];
    let edges = [edge(1, 3), edge(2, 3)];
    assert_eq!(
        clashes(&flow(&contracts, &edges, &[all(0, &branches, 4)])),
        ["H008: `d` may write `note` in several branches of `a` at once, and it has no merge"]
    );
}

#[test]
fn each_later_branch_is_named_once() {
    let arrivals = [[edge(1, 4)], [edge(2, 4)], [edge(3, 4)]];
    let branches = [
        branch(&[1], &arrivals[0]),
        branch(&[2], &arrivals[1]),
        branch(&[3], &arrivals[2]),
    ];
    let contracts = [IDLE, WRITER, WRITER, WRITER, IDLE];
    assert_eq!(
        clashes(&flow(&contracts, &[], &[all(0, &branches, 4)])),
        [
            "H008: `b` and `c`, in two branches of `a`, may both write `note`, which has no merge",
            "H008: `b` and `d`, in two branches of `a`, may both write `note`, which has no merge",
        ]
    );
}

#[test]
fn the_help_says_how_to_get_out() {
    let workers = [branch(&[1], &ARRIVALS[0])];
    let help = |worker: Contract, merges: FieldSet| {
        let contracts = [IDLE, worker, IDLE, IDLE];
        let forks = [each(0, &workers, 3)];
        let flow = Flow {
            merges,
            ..flow(&contracts, &[], &forks)
        };
        let message = flow.clash(0, 0).unwrap();
        message.as_str().lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(
        help(WRITER, NONE),
        "help: write it in one branch only, or after the join; or make it a type that merges: \
         a `Log`, a set, `#[state(merge = f)]`"
    );
    assert_eq!(
        help(REPLACER, NOTE),
        "help: replace it in one branch only, or after the join; or take it as `&mut`, so that \
         the changes merge"
    );
}
