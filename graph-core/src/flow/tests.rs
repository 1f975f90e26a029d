mod clashes;
mod items;
mod joins;
mod paths;
mod size;
mod whole;

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

fn first_line(message: &Message) -> String {
    message.as_str().lines().next().unwrap().to_owned()
}

/// Returns what H007 says first.
fn lost(flow: &Flow<'_>) -> Option<String> {
    let mut lost = flow.lost_vec(&flow.set_vec()).into_iter();
    lost.next().map(|(_, message)| first_line(&message))
}

fn clashes(flow: &Flow<'_>) -> Vec<String> {
    let forks = flow.forks.iter().enumerate();
    let branches = forks.flat_map(|(f, fork)| (0..fork.branches.len()).map(move |b| (f, b)));
    let clashes = branches.filter_map(|(f, b)| flow.clash(f, b));
    clashes.map(|message| first_line(&message)).collect()
}

fn itemless(flow: &Flow<'_>) -> Vec<String> {
    let hands = flow.hands_vec();
    let nodes = 0..flow.names.len();
    let messages = nodes.filter_map(|node| flow.itemless(&hands, node));
    messages.map(|message| first_line(&message)).collect()
}
