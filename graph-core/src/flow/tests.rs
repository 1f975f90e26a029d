use super::*;

const FIELDS: [Field; 2] = [Field::__new("note", false), Field::__new("account", false)];
const NONE: FieldSet = FieldSet::EMPTY;
const NOTE: FieldSet = NONE.with(0);
const ACCOUNT: FieldSet = NONE.with(1);
const GIVER: Contract = Contract {
    writes: ACCOUNT,
    gives: ACCOUNT,
    ..Contract::EMPTY
};
const NEEDER: Contract = Contract {
    reads: ACCOUNT,
    needs: ACCOUNT,
    ..Contract::EMPTY
};
const CLEARER: Contract = Contract {
    writes: ACCOUNT,
    ..Contract::EMPTY
};
const WRITER: Contract = Contract {
    writes: NOTE,
    ..Contract::EMPTY
};
const REPLACER: Contract = Contract {
    writes: NOTE,
    replaces: NOTE,
    ..Contract::EMPTY
};
const WORKER: Contract = Contract {
    item: true,
    ..Contract::EMPTY
};
const IDLE: Contract = Contract::EMPTY;

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const DIAMOND: [FlowEdge; 4] = [edge(0, 1), edge(0, 2), edge(1, 3), edge(2, 3)];

const fn edge(from: usize, to: usize) -> FlowEdge {
    FlowEdge {
        from,
        to,
        gives: NONE,
        failed: false,
    }
}

/// A flow that starts at `a`, where nothing is given and nothing merges.
fn flow<'a>(
    contracts: &'a [Contract],
    edges: &'a [FlowEdge],
    forks: &'a [FlowFork<'a>],
) -> Flow<'a> {
    Flow {
        names: &NAMES[..contracts.len().min(NAMES.len())],
        contracts,
        edges,
        forks,
        start: 0,
        fields: &FIELDS,
        merges: NONE,
        given: NONE,
    }
}

fn all<'a>(from: usize, branches: &'a [FlowBranch<'a>], to: usize) -> FlowFork<'a> {
    FlowFork {
        from,
        to,
        gives: NONE,
        each: false,
        branches,
    }
}

fn each<'a>(from: usize, worker: &'a [FlowBranch<'a>; 1], to: usize) -> FlowFork<'a> {
    FlowFork {
        each: true,
        ..all(from, worker, to)
    }
}

/// A branch that starts with the first of its nodes.
fn branch<'a>(nodes: &'a [usize], arrivals: &'a [FlowEdge]) -> FlowBranch<'a> {
    FlowBranch {
        entry: nodes[0],
        nodes,
        arrivals,
    }
}

fn first_line(message: Message) -> String {
    message.as_str().lines().next().unwrap().to_owned()
}

/// Returns what H007 says first.
fn lost(flow: &Flow<'_>) -> Option<String> {
    let mut lost = flow.lost_vec(&flow.set_vec()).into_iter();
    lost.next().map(|(_, message)| first_line(message))
}

fn clashes(flow: &Flow<'_>) -> Vec<String> {
    let forks = flow.forks.iter().enumerate();
    let branches = forks.flat_map(|(f, fork)| (0..fork.branches.len()).map(move |b| (f, b)));
    let clashes = branches.filter_map(|(f, b)| flow.clash(f, b));
    clashes.map(first_line).collect()
}

fn itemless(flow: &Flow<'_>) -> Vec<String> {
    let hands = flow.hands_vec();
    let nodes = 0..flow.names.len();
    let messages = nodes.filter_map(|node| flow.itemless(&hands, node));
    messages.map(first_line).collect()
}

mod paths {
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
}

mod joins {
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
    fn nested(contracts: [Contract; 6]) -> Option<String> {
        let (to_f, from_c, from_d) = ([edge(4, 5)], [edge(2, 4)], [edge(3, 4)]);
        let outer = [branch(&[1, 2, 3, 4], &to_f)];
        let inner = [branch(&[2], &from_c), branch(&[3], &from_d)];
        let (outer, inner) = (all(0, &outer, 5), all(1, &inner, 4));
        let found = lost(&flow(&contracts, &[], &[outer, inner]));
        assert_eq!(found, lost(&flow(&contracts, &[], &[inner, outer])));
        found
    }

    #[test]
    fn what_a_nested_branch_gives_is_set_at_both_joins() {
        assert_eq!(nested([IDLE, IDLE, GIVER, IDLE, NEEDER, NEEDER]), None);
    }

    #[test]
    fn what_a_nested_branch_unsets_is_lost_at_both_joins() {
        assert_eq!(
            nested([GIVER, NEEDER, IDLE, CLEARER, IDLE, NEEDER]).unwrap(),
            "H007: `f` needs `account`, which is not set on the path `a -> b -> d -> e -> f`"
        );
        assert_eq!(nested([GIVER, NEEDER, IDLE, CLEARER, GIVER, NEEDER]), None);
    }
}

mod clashes {
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
            [
                "H008: `b` and `c`, in two branches of `a`, may both write `note`, which has no merge"
            ]
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
}

mod items {
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
}

mod whole {
    use super::*;

    fn contract(
        contracts: &[Contract],
        edges: &[FlowEdge],
        ends: &[FlowEdge],
        given: FieldSet,
    ) -> Contract {
        let flow = Flow {
            given,
            ..flow(contracts, edges, &[])
        };
        flow.contract(&flow.set_vec(), ends)
    }

    #[test]
    fn a_graph_reads_writes_and_replaces_what_its_nodes_do() {
        let whole = contract(&[NEEDER, REPLACER], &[edge(0, 1)], &[edge(1, 0)], ACCOUNT);
        let expected = Contract {
            reads: ACCOUNT,
            writes: NOTE,
            needs: ACCOUNT,
            replaces: NOTE,
            ..Contract::EMPTY
        };
        assert_eq!(whole, expected);
    }

    #[test]
    fn a_graph_gives_what_is_set_at_every_end() {
        let ends = [edge(0, 0), edge(1, 0)];
        let whole = contract(&[IDLE, GIVER], &[edge(0, 1)], &ends, NONE);
        assert_eq!((whole.writes, whole.gives), (ACCOUNT, NONE));
        let whole = contract(&[IDLE, GIVER], &[edge(0, 1)], &ends[1..], NONE);
        assert_eq!((whole.writes, whole.gives), (ACCOUNT, ACCOUNT));
        let failed = FlowEdge {
            failed: true,
            ..edge(1, 0)
        };
        let whole = contract(&[IDLE, GIVER], &[edge(0, 1)], &[failed], NONE);
        assert_eq!(whole.gives, NONE);
    }

    #[test]
    fn a_graph_may_unset_what_it_needs() {
        let inner = contract(&[NEEDER, CLEARER], &[edge(0, 1)], &[edge(1, 0)], ACCOUNT);
        assert_eq!((inner.needs, inner.unsets), (ACCOUNT, ACCOUNT));
        let edges = [edge(0, 1), edge(1, 2)];
        assert_eq!(
            lost(&flow(&[GIVER, inner, NEEDER], &edges, &[])).unwrap(),
            "H007: `c` needs `account`, which is not set on the path `a -> b -> c`"
        );
        let kept = contract(&[CLEARER, GIVER], &[edge(0, 1)], &[edge(1, 0)], ACCOUNT);
        assert_eq!((kept.unsets, kept.gives), (NONE, ACCOUNT));
    }
}

mod size {
    use super::*;

    const MANY: usize = 200;
    const STEPS: [FlowEdge; 1_000] = {
        let mut steps = [edge(0, 0); 1_000];
        let mut e = 0;
        while e < 1_000 {
            // Against the order of edges, and across the graph.
            let from = MANY - 1 - e / 5;
            steps[e].from = from;
            steps[e].to = if e % 5 == 0 && from > 0 {
                from - 1
            } else {
                (from * 37 + e * 101) % MANY
            };
            e += 1;
        }
        steps
    };
    const CONTRACTS: [Contract; MANY] = {
        let mut contracts = [Contract::EMPTY; MANY];
        let mut n = 0;
        while n < MANY {
            contracts[n].writes = FieldSet::EMPTY.with(n % 64);
            n += 1;
        }
        contracts
    };
    const LARGE: Flow<'static> = Flow {
        names: &["n"; MANY],
        contracts: &CONTRACTS,
        edges: &STEPS,
        forks: &[],
        start: MANY - 1,
        fields: &FIELDS,
        merges: NONE,
        given: FieldSet::ALL,
    };

    #[test]
    fn two_hundred_nodes_are_within_the_limit_of_the_compiler() {
        const SET: [FieldSet; MANY] = LARGE.set();
        const HANDS: [Hand; MANY] = LARGE.hands();
        assert_eq!(SET[..], LARGE.set_vec()[..]);
        assert_eq!(HANDS[..], LARGE.hands_vec()[..]);
        assert_eq!(SET[0], SET[0].minus(FieldSet::named(&FIELDS, &["account"])));
    }

    #[test]
    fn a_path_through_two_hundred_nodes_is_within_the_limit_of_the_compiler() {
        const LOST: Option<Message> = {
            let mut contracts = CONTRACTS;
            contracts[0].needs = FieldSet::EMPTY.with(1);
            let flow = Flow {
                contracts: &contracts,
                ..LARGE
            };
            flow.lost(&flow.set::<MANY>(), 0)
        };
        assert!(first_line(LOST.unwrap()).starts_with("H007: `n` needs `account`"));
    }

    #[test]
    fn ten_thousand_nodes_are_fine_at_run_time() {
        // 2,500 forks in a row, `s => all(x, y) join z`, of which the last is written first.
        let count = 10_000;
        let names = vec!["n"; count];
        let mut contracts = vec![IDLE; count];
        contracts[2] = GIVER;
        contracts[count - 3] = CLEARER;
        contracts[count - 1] = NEEDER;
        let arrivals: Vec<_> = (0..count).map(|from| [edge(from, from | 3)]).collect();
        let nodes: Vec<_> = (0..count).collect();
        let of = |node: usize| branch(&nodes[node..=node], &arrivals[node]);
        let firsts = (0..count).step_by(4).rev();
        let branches: Vec<_> = firsts.clone().map(|s| [of(s + 1), of(s + 2)]).collect();
        let forks = firsts.clone().zip(&branches);
        let forks: Vec<_> = forks.map(|(s, pair)| all(s, pair, s + 3)).collect();
        let edges = firsts.filter(|s| *s > 0).map(|s| edge(s - 1, s));
        let edges: Vec<_> = edges.collect();
        let large = Flow {
            names: &names,
            ..flow(&[], &edges, &forks)
        };
        let large = Flow {
            contracts: &contracts,
            ..large
        };
        let set = large.set_vec();
        assert_eq!(set[3], FieldSet::ALL.and(ACCOUNT));
        assert_eq!(set[count - 1], NONE);
        let lost = large.lost_vec(&set);
        assert_eq!(lost.len(), 1);
        assert!(clashes(&large).is_empty());
        assert!(itemless(&large).is_empty());
    }
}
