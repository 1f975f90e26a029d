use super::*;

const MANY: usize = 200;
static STEPS: [FlowEdge; 1_000] = {
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
    assert!(first_line(&LOST.unwrap()).starts_with("H007: `n` needs `account`"));
}

/// `s => all(x) join z`, fifty in a row, of which the last is written first.
static FORKED: Flow<'static> = {
    static NODES: [usize; MANY] = {
        let mut nodes = [0; MANY];
        let mut n = 0;
        while n < MANY {
            nodes[n] = n;
            n += 1;
        }
        nodes
    };
    static ARRIVALS: [FlowEdge; MANY] = {
        let mut arrivals = [edge(0, 0); MANY];
        let mut n = 0;
        while n < MANY {
            arrivals[n] = edge(n, n | 3);
            n += 1;
        }
        arrivals
    };
    static BRANCHES: [[FlowBranch<'static>; 2]; MANY / 4] = {
        let idle = FlowBranch {
            entry: 0,
            nodes: &[],
            arrivals: &[],
        };
        let mut branches = [[idle; 2]; MANY / 4];
        let mut f = 0;
        while f < MANY / 4 {
            let mut b = 0;
            while b < 2 {
                let entry = f * 4 + 1 + b;
                branches[f][b] = FlowBranch {
                    entry,
                    nodes: NODES.split_at(entry).1.split_at(1).0,
                    arrivals: ARRIVALS.split_at(entry).1.split_at(1).0,
                };
                b += 1;
            }
            f += 1;
        }
        branches
    };
    static FORKS: [FlowFork<'static>; MANY / 4] = {
        let none = FlowFork {
            from: 0,
            to: 0,
            gives: NONE,
            each: false,
            branches: &[],
        };
        let mut forks = [none; MANY / 4];
        let mut f = 0;
        while f < MANY / 4 {
            let at = MANY / 4 - 1 - f;
            forks[f].from = at * 4;
            forks[f].to = at * 4 + 3;
            forks[f].branches = &BRANCHES[at];
            f += 1;
        }
        forks
    };
    static STEPS: [FlowEdge; MANY / 4 - 1] = {
        let mut steps = [edge(0, 0); MANY / 4 - 1];
        let mut s = 0;
        while s < MANY / 4 - 1 {
            steps[s] = edge(s * 4 + 3, s * 4 + 4);
            s += 1;
        }
        steps
    };
    Flow {
        edges: &STEPS,
        forks: &FORKS,
        start: 0,
        ..LARGE
    }
};

#[test]
fn fifty_forks_are_within_the_limit_of_the_compiler() {
    const SET: [FieldSet; MANY] = FORKED.set();
    const CLASH: Option<Message> = FORKED.clash(0, 1);
    assert_eq!(SET[..], FORKED.set_vec()[..]);
    assert!(CLASH.is_none());
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
