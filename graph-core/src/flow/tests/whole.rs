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
