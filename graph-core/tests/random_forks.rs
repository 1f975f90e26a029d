//! The checks of forks against naive ones: on random small graphs, following every branch must say
//! the same.
//!
//! A [`Sketch`] is a graph as plain numbers. The naive side of each test reads the sketch alone and
//! never the topology, so the two share no code. It knows nothing of regions: it carries with each
//! place the joins that are still open there, and explores all that a run can come to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use handoffs_core::{Code, Edge, Finding, NodeShape, Route, Target, Topology, check, max_handoffs};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;

#[derive(Clone, Debug)]
struct Sketch {
    nodes: usize,
    edges: Vec<Arm>,
}

/// An edge; a target of `nodes` or more is the end. With branches it is a fork that joins at `to`.
#[derive(Clone, Debug)]
struct Arm {
    from: usize,
    to: usize,
    branches: Vec<usize>,
    limit: Option<u32>,
    otherwise: Option<usize>,
    on_error: bool,
}

impl Sketch {
    fn topology(&self) -> Topology {
        let mut topology = Topology::new("Sketch");
        let nodes: Vec<_> = (0..self.nodes)
            .map(|node| topology.node(NodeShape::new(format!("n{node}"))))
            .collect();
        let target = |to: usize| {
            nodes
                .get(to)
                .map_or(Target::End, |node| Target::Node(*node))
        };
        topology.start(nodes[0]);
        for arm in &self.edges {
            let mut route = match arm.branches.as_slice() {
                [] => Route::__new(target(arm.to), None, None),
                // One branch or many of one node is the same to a check, so `each` gets its turn.
                [worker] => Route::each("items", nodes[*worker], nodes[arm.to]),
                branches => Route::all(branches.iter().map(|at| nodes[*at]), nodes[arm.to]),
            };
            if let Some(limit) = arm.limit {
                route = route.limit(limit);
            }
            route = match arm.otherwise.map(target) {
                None => route,
                Some(Target::Node(node)) => route.or_else(node),
                Some(Target::End) => route.or_end(),
            };
            topology.edge(if arm.on_error {
                Edge::on_error(nodes[arm.from], route)
            } else {
                Edge::new(nodes[arm.from], "_", route)
            });
        }
        topology
    }

    fn from(&self, node: usize) -> impl Iterator<Item = (usize, &Arm)> {
        let edges = self.edges.iter().enumerate();
        edges.filter(move |(_, arm)| arm.from == node)
    }
}

/// The joins that are open at a place, the innermost last.
type Open = Vec<usize>;

/// Where a branch goes by one way of an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Next {
    At(usize, Open),
    /// At the join of its own branch.
    Arrived,
    Ended,
}

/// By which of the ways of its edge a path goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Main,
    Branch,
    Else,
}

/// All that a run can do next from a place, edge by edge.
fn next(sketch: &Sketch, node: usize, open: &Open) -> Vec<(usize, Way, Next)> {
    let plain = |to: usize| {
        if to >= sketch.nodes {
            Next::Ended
        } else if open.last() == Some(&to) {
            Next::Arrived
        } else {
            Next::At(to, open.clone())
        }
    };
    let mut all = Vec::new();
    for (index, arm) in sketch.from(node) {
        for entry in &arm.branches {
            let inner = open.iter().copied().chain([arm.to]).collect();
            all.push((index, Way::Branch, Next::At(*entry, inner)));
        }
        let main = if arm.branches.is_empty() {
            plain(arm.to)
        } else {
            Next::At(arm.to, open.clone())
        };
        all.push((index, Way::Main, main));
        if let Some(otherwise) = arm.otherwise {
            all.push((index, Way::Else, plain(otherwise)));
        }
    }
    all
}

/// What following every branch brings to light.
#[derive(Debug)]
struct Explored {
    /// The open joins with which each node is met.
    met: BTreeMap<usize, BTreeSet<Open>>,
    /// Whether some branch does not come to its join as it should.
    is_broken: bool,
}

/// Follows every branch until nothing new is met, or a node is met with two lists of open joins.
fn explore(sketch: &Sketch) -> Explored {
    let mut met: BTreeMap<usize, BTreeSet<Open>> = BTreeMap::new();
    let mut rest = vec![(0, Open::new())];
    let mut is_broken = false;
    while let Some((node, open)) = rest.pop() {
        if !met.entry(node).or_default().insert(open.clone()) {
            continue;
        }
        // A branch that begins at its join, or a fork with the join of its own branch.
        is_broken |= open.last() == Some(&node);
        // More would be met for ever, with more and more joins open.
        is_broken |= met[&node].len() > 1;
        if is_broken {
            break;
        }
        for (_, _, next) in next(sketch, node, &open) {
            match next {
                Next::At(to, open) => rest.push((to, open)),
                Next::Ended => is_broken |= !open.is_empty(),
                Next::Arrived => {}
            }
        }
    }
    Explored { met, is_broken }
}

/// The nodes from which a path leads to the end, or in a branch to the join, if nothing fails. With
/// `lasting` it takes no limited edge but to the end.
fn concluding(sketch: &Sketch, explored: &Explored, lasting: bool) -> BTreeSet<usize> {
    let mut good: BTreeSet<usize> = BTreeSet::new();
    loop {
        let better = explored.met.iter().find(|(node, opens)| {
            let open = opens.first().expect("met with some joins open");
            !good.contains(node)
                && next(sketch, **node, open)
                    .into_iter()
                    .any(|(index, way, next)| {
                        let arm = &sketch.edges[index];
                        let is_spent = lasting
                            && way != Way::Else
                            && arm.limit.is_some()
                            && next != Next::Ended;
                        let is_good = match next {
                            Next::At(to, _) => good.contains(&to),
                            Next::Arrived | Next::Ended => true,
                        };
                        way != Way::Branch && !arm.on_error && !is_spent && is_good
                    })
        });
        match better {
            Some((node, _)) => good.insert(*node),
            None => return good,
        };
    }
}

/// Whether some path without limited steps comes back to where it was: each step of a fork counts.
fn has_free_cycle(sketch: &Sketch) -> bool {
    let mut arrows = BTreeSet::new();
    for arm in &sketch.edges {
        if arm.limit.is_none() {
            arrows.extend(arm.branches.iter().map(|to| (arm.from, *to)));
            arrows.insert((arm.from, arm.to));
        }
        arrows.extend(arm.otherwise.map(|to| (arm.from, to)));
    }
    // Whatever leads nowhere is on no cycle.
    loop {
        let before = arrows.len();
        let froms: BTreeSet<_> = arrows.iter().map(|(from, _)| *from).collect();
        arrows.retain(|(_, to)| froms.contains(to));
        if arrows.len() == before {
            return !arrows.is_empty();
        }
    }
}

/// Follows every path through every run, with the counts of each: at each node the worst edge is
/// chosen, and any edge may be masked at any time.
///
/// It also sees to it that no path is left without a way on. Its join is where the caller goes on: a
/// path through a branch goes on behind it with its own counts, which is the most that any run can
/// do, as a run goes on with counts that are at least as high.
struct Adversary<'a> {
    sketch: &'a Sketch,
    known: HashMap<(usize, Open, Vec<u32>), u64>,
}

impl Adversary<'_> {
    fn most_handoffs(sketch: &Sketch) -> Result<u64, TestCaseError> {
        let limits = sketch.edges.iter().map(|arm| arm.limit.unwrap_or(0));
        let mut adversary = Adversary {
            sketch,
            known: HashMap::new(),
        };
        adversary.from(0, Open::new(), limits.collect())
    }

    fn from(&mut self, at: usize, open: Open, left: Vec<u32>) -> Result<u64, TestCaseError> {
        let key = (at, open, left);
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let (_, open, left) = &key;
        let mut most = 0;
        let mut has_way = false;
        for (index, way, next) in next(self.sketch, at, open) {
            let arm = &self.sketch.edges[index];
            let mut left = left.clone();
            if way != Way::Else && arm.limit.is_some() {
                if left[index] == 0 {
                    continue;
                }
                left[index] -= 1;
            }
            has_way |= !arm.on_error;
            let handoffs = match next {
                Next::At(to, open) => 1 + self.from(to, open, left)?,
                Next::Arrived => {
                    let mut outer = open.clone();
                    let join = outer.pop().expect("arrived at a join");
                    1 + self.from(join, outer, left)?
                }
                Next::Ended => {
                    prop_assert!(open.is_empty(), "a branch ends the run");
                    0
                }
            };
            most = most.max(handoffs);
        }
        // To the end an edge leads however often it was taken before, so it is never used up.
        prop_assert!(has_way, "a path is left at n{} without a way on", at);
        self.known.insert(key, most);
        Ok(most)
    }
}

/// Any graph: most of them are wrong in some way.
fn any_sketch() -> impl Strategy<Value = Sketch> {
    (2..=6_usize).prop_flat_map(|nodes| {
        // Two numbers beyond the nodes both mean the end, so that enough edges lead there.
        let to = 0..nodes + 2;
        let branches = prop_oneof![
            2 => Just(Vec::new()),
            1 => prop::collection::vec(0..nodes, 1..=2),
        ];
        let limit = prop::option::weighted(0.3, 1..=3_u32);
        let otherwise = prop::option::weighted(0.3, to.clone());
        let on_error = prop::bool::weighted(0.1);
        let arm = (0..nodes, to, branches, limit, otherwise, on_error).prop_map(
            move |(from, to, mut branches, limit, otherwise, on_error)| {
                branches.sort_unstable();
                branches.dedup();
                Arm {
                    from,
                    to: if branches.is_empty() { to } else { to % nodes },
                    branches,
                    limit,
                    otherwise,
                    on_error,
                }
            },
        );
        prop::collection::vec(arm, 1..=8).prop_map(move |edges| Sketch { nodes, edges })
    })
}

/// What a tame graph is made of: each growth puts something in the place of an edge.
#[derive(Clone, Debug)]
struct Growth {
    at: Index,
    kind: u8,
    limit: u32,
    pick: Index,
}

/// A graph that is right but for details: it begins as one node that ends, and grows by nodes, forks,
/// loops and errors in places where they may be.
fn tame_sketch() -> impl Strategy<Value = Sketch> {
    let growth =
        (any::<Index>(), 0..8_u8, 1..=3_u32, any::<Index>()).prop_map(|(at, kind, limit, pick)| {
            Growth {
                at,
                kind,
                limit,
                pick,
            }
        });
    prop::collection::vec(growth, 1..=7).prop_map(|growths| {
        const END: usize = usize::MAX;
        let arm = |from, to| Arm {
            from,
            to,
            branches: Vec::new(),
            limit: None,
            otherwise: None,
            on_error: false,
        };
        let mut nodes = 1;
        let mut edges = vec![arm(0, END)];
        // The nodes of one stretch, which may hand back to those before them.
        let mut stretch = vec![0];
        let mut stretches = 1;
        for growth in growths {
            let plain: Vec<_> = (0..edges.len())
                .filter(|at| edges[*at].branches.is_empty() && edges[*at].limit.is_none())
                .collect();
            let at = plain[growth.at.index(plain.len())];
            let (from, to) = (edges[at].from, edges[at].to);
            let here = stretch[from];
            match growth.kind {
                // A node on the way.
                0 | 1 => {
                    edges[at].to = nodes;
                    edges.push(arm(nodes, to));
                    stretch.push(here);
                    nodes += 1;
                }
                // A second way, past or through a new node.
                2 => {
                    edges.push(arm(from, nodes));
                    edges.push(arm(nodes, to));
                    stretch.push(here);
                    nodes += 1;
                }
                // A fork into one or two branches, in the place of the way or in front of it.
                3..=5 => {
                    let (join, branches) = (nodes, 1 + growth.pick.index(2));
                    edges[at].to = join;
                    edges[at].branches = (1..=branches).map(|branch| join + branch).collect();
                    if growth.kind == 5 {
                        edges[at].limit = Some(growth.limit);
                        edges[at].otherwise = Some(to);
                    }
                    edges.push(arm(join, to));
                    stretch.push(here);
                    for branch in 1..=branches {
                        edges.push(arm(join + branch, join));
                        stretch.push(stretches);
                    }
                    stretches += 1;
                    nodes += 1 + branches;
                }
                // A limited way to anywhere in the same stretch; on a fork there would be no other.
                6 => {
                    let near: Vec<_> = (0..nodes).filter(|node| stretch[*node] == here).collect();
                    let mut back = arm(from, near[growth.pick.index(near.len())]);
                    back.limit = Some(growth.limit);
                    back.otherwise = Some(to);
                    edges.push(back);
                }
                _ => {
                    let mut error = arm(from, to);
                    error.on_error = true;
                    edges.push(error);
                }
            }
        }
        for edge in &mut edges {
            edge.to = edge.to.min(nodes);
            edge.otherwise = edge.otherwise.map(|to| to.min(nodes));
        }
        Sketch { nodes, edges }
    })
}

fn some_sketch() -> impl Strategy<Value = Sketch> {
    prop_oneof![any_sketch(), tame_sketch(), bent_sketch()]
}

/// A tame graph with one edge led elsewhere, so that exactly one thing is wrong, or nothing.
fn bent_sketch() -> impl Strategy<Value = Sketch> {
    let sketch = tame_sketch();
    (sketch, any::<Index>(), any::<Index>()).prop_map(|(mut sketch, at, to)| {
        let at = at.index(sketch.edges.len());
        let is_fork = !sketch.edges[at].branches.is_empty();
        sketch.edges[at].to = to.index(sketch.nodes + usize::from(!is_fork));
        sketch
    })
}

fn sketch_and_shuffle() -> impl Strategy<Value = (Sketch, Sketch)> {
    some_sketch().prop_flat_map(|sketch| {
        let nodes = sketch.nodes;
        let shuffled = Just(sketch.edges.clone()).prop_shuffle();
        (
            Just(sketch),
            shuffled.prop_map(move |edges| Sketch { nodes, edges }),
        )
    })
}

fn has(findings: &[Finding], code: Code) -> bool {
    findings.iter().any(|finding| finding.code() == code)
}

fn is_starved(finding: &Finding) -> bool {
    matches!(finding, Finding::Starved { .. })
}

fn messages(topology: &Topology) -> Vec<String> {
    check(topology)
        .iter()
        .map(|finding| finding.message(topology))
        .collect()
}

/// Many cases, as graphs are small; what ever failed is kept beside this file, to be checked in.
fn config() -> ProptestConfig {
    let regressions = FileFailurePersistence::WithSource("proptest-regressions");
    ProptestConfig {
        cases: 3000,
        failure_persistence: Some(Box::new(regressions)),
        ..ProptestConfig::default()
    }
}

proptest! {
    // Drawing takes far longer than checking.
    #![proptest_config(ProptestConfig { cases: 200, ..config() })]

    #[test]
    fn a_drawing_read_back_is_the_graph_and_svg_is_xml(sketch in some_sketch()) {
        let topology = sketch.topology();
        let drawing = topology.dot().to_string();
        let read = Topology::from_dot(&drawing);
        prop_assert!(read.is_ok(), "{read:?}\n{drawing}");
        let diff = topology.diff(&read.expect("it is right"));
        prop_assert!(diff.is_empty(), "{diff}{drawing}");
        let svg = topology.svg().to_string();
        prop_assert!(roxmltree::Document::parse(&svg).is_ok(), "{svg}");
        let others = [topology.mermaid().to_string(), topology.ascii().to_string()];
        for (_, node) in topology.nodes() {
            let shown = others.iter().all(|text| text.contains(&*node.name));
            let text = format!(">{}</text>", node.name);
            prop_assert!(shown && svg.contains(&text));
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_branch_is_refused_exactly_if_some_way_through_it_misses_the_join(sketch in some_sketch()) {
        let findings = check(&sketch.topology());
        let refused = findings
            .iter()
            .any(|finding| finding.code() == Code::H009 && !is_starved(finding));
        // A branch that is the join is wrong by itself, whether the fork is reached or not.
        let is_join = sketch.edges.iter().any(|arm| arm.branches.contains(&arm.to));
        prop_assert_eq!(refused, is_join || explore(&sketch).is_broken);
    }

    #[test]
    fn regions_are_the_joins_that_are_open(sketch in some_sketch()) {
        let explored = explore(&sketch);
        if explored.is_broken {
            return Ok(());
        }
        let regions = sketch.topology().regions();
        for node in 0..sketch.nodes {
            let mut joins = Vec::new();
            let mut at = regions.of[node];
            while let Some(region) = at {
                joins.push(usize::from(regions.list[region].join.0));
                at = regions.list[region].parent;
            }
            joins.reverse();
            let expected = explored.met.get(&node).and_then(BTreeSet::first);
            prop_assert_eq!(joins, expected.cloned().unwrap_or_default());
        }
        for (index, region) in regions.list.iter().enumerate() {
            let nodes: Vec<_> = (0..sketch.nodes)
                .filter(|node| regions.of[*node] == Some(index))
                .collect();
            let listed: Vec<_> = region.nodes.iter().map(|node| usize::from(node.0)).collect();
            prop_assert_eq!(listed, nodes);
            for fork in &region.forks {
                let arm = &sketch.edges[usize::from(fork.0)];
                prop_assert_eq!(arm.to, usize::from(region.join.0));
                prop_assert_eq!(regions.of[arm.from], region.parent);
            }
        }
        let forks = sketch.edges.iter();
        let forks = forks.filter(|arm| !arm.branches.is_empty());
        let reached = forks.filter(|arm| explored.met.contains_key(&arm.from)).count();
        let listed: usize = regions.list.iter().map(|region| region.forks.len()).sum();
        prop_assert_eq!(listed, reached);
    }

    #[test]
    fn what_starves_or_traps_are_the_nodes_that_no_path_concludes(sketch in some_sketch()) {
        let explored = explore(&sketch);
        if explored.is_broken {
            return Ok(());
        }
        let mut found = BTreeSet::new();
        for finding in check(&sketch.topology()) {
            let (node, others, join) = match finding {
                Finding::Trap { node, others, .. } => (node, others, None),
                Finding::Starved { node, others, join, .. } => (node, others, Some(join)),
                _ => continue,
            };
            for node in std::iter::once(node).chain(others) {
                let node = usize::from(node.0);
                let open = explored.met[&node].first().and_then(|open| open.last());
                prop_assert_eq!(open.copied(), join.map(|join| usize::from(join.0)));
                prop_assert!(found.insert(node));
            }
        }
        let good = concluding(&sketch, &explored, false);
        let bad: BTreeSet<_> = explored.met.keys().copied().filter(|at| !good.contains(at)).collect();
        prop_assert_eq!(found, bad);
    }

    #[test]
    fn a_loop_is_found_exactly_if_some_free_path_comes_back(sketch in some_sketch()) {
        let explored = explore(&sketch);
        let topology = sketch.topology();
        let findings = check(&topology);
        if explored.is_broken || has(&findings, Code::H002) {
            return Ok(());
        }
        let found = has(&findings, Code::H004);
        prop_assert_eq!(found, has_free_cycle(&sketch));
        prop_assert_eq!(max_handoffs(&topology).is_none(), found);
    }

    #[test]
    fn the_order_of_edges_changes_no_finding((sketch, shuffled) in sketch_and_shuffle()) {
        let (one, other) = (sketch.topology(), shuffled.topology());
        prop_assert_eq!(messages(&one), messages(&other));
        prop_assert_eq!(one.regions().of, other.regions().of);
    }

    #[test]
    fn what_is_accepted_has_a_way_on_when_all_limits_are_used_up(sketch in some_sketch()) {
        if check(&sketch.topology()).is_empty() {
            let explored = explore(&sketch);
            let lasting = concluding(&sketch, &explored, true);
            prop_assert_eq!(lasting, (0..sketch.nodes).collect());
        }
    }

    #[test]
    fn no_path_through_a_run_exceeds_the_bound_or_misses_its_join(sketch in some_sketch()) {
        let topology = sketch.topology();
        if !check(&topology).is_empty() {
            return Ok(());
        }
        let bound = max_handoffs(&topology).expect("an accepted graph has a bound");
        let most = Adversary::most_handoffs(&sketch)?;
        prop_assert!(most <= bound, "{} > {}", most, bound);
    }

    #[test]
    fn what_the_help_proposes_for_a_loop_is_accepted(sketch in some_sketch()) {
        let topology = sketch.topology();
        let findings = check(&topology);
        let [finding @ Finding::UnboundedLoop { closed_by, .. }] = findings.as_slice() else {
            return Ok(());
        };
        let [way] = closed_by.as_slice() else { return Ok(()) };
        let mut mended = sketch.clone();
        let arm = &mut mended.edges[usize::from(way.edge.0)];
        let help = finding.help(&topology);
        let otherwise = help.split("else = ").nth(1).and_then(|rest| rest.split(')').next());
        let otherwise = otherwise.expect("the help proposes an else");
        if !way.is_else {
            arm.limit = Some(3);
        }
        arm.otherwise = Some(otherwise[1..].parse().unwrap_or(sketch.nodes));
        let left = messages(&mended.topology());
        if way.is_else {
            prop_assert!(!left.iter().any(|message| message.starts_with("H004")), "{:?}", left);
        } else {
            prop_assert_eq!(left, Vec::<String>::new());
        }
    }

    #[test]
    fn what_the_help_proposes_for_a_stranded_node_is_accepted(sketch in some_sketch()) {
        let topology = sketch.topology();
        let findings = check(&topology);
        let [finding @ Finding::Stranded { edges, .. }] = findings.as_slice() else {
            return Ok(());
        };
        let mut mended = sketch.clone();
        let arm = &mut mended.edges[usize::from(edges[0].0)];
        let help = finding.help(&topology);
        match help.split("else = ").nth(1).and_then(|rest| rest.split(')').next()) {
            Some(name) => arm.otherwise = Some(name[1..].parse().unwrap_or(sketch.nodes)),
            None => arm.limit = None,
        }
        prop_assert_eq!(messages(&mended.topology()), Vec::<String>::new(), "{}", help);
    }
}

/// Tests on accepted graphs say nothing if hardly any graph is accepted.
#[test]
fn enough_random_graphs_with_forks_are_accepted() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let strategy = tame_sketch();
    let mut accepted = [0; 3];
    for _ in 0..1000 {
        let sketch = strategy.new_tree(&mut runner).expect("a graph").current();
        let topology = sketch.topology();
        if check(&topology).is_empty() {
            let regions = topology.regions().list;
            let is_nested = regions.iter().any(|region| region.parent.is_some());
            let is_cyclic = !topology.cyclic_edges().is_empty();
            accepted[0] += usize::from(!regions.is_empty());
            accepted[1] += usize::from(is_nested);
            accepted[2] += usize::from(is_cyclic && !regions.is_empty());
        }
    }
    assert!(accepted.iter().all(|count| *count > 100), "{accepted:?}");
}
