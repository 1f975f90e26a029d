//! The checks against naive ones: on random small graphs, walking every path must say the same.
//!
//! A [`Sketch`] is a graph as plain numbers. The naive side of each test reads the sketch alone and
//! never the topology, so the two share no code.

use std::collections::{BTreeSet, HashMap};

use handoffs_core::{
    Code, Edge, Finding, NodeIndex, NodeShape, Route, Target, Topology, check, max_handoffs,
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

#[derive(Clone, Debug)]
struct Sketch {
    nodes: usize,
    edges: Vec<Arm>,
}

/// An edge; a target of `nodes` or more is the end.
#[derive(Clone, Debug)]
struct Arm {
    from: usize,
    to: usize,
    limit: Option<u32>,
    otherwise: Option<usize>,
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
            let route = Route::__new(target(arm.to), arm.limit, arm.otherwise.map(target));
            topology.edge(Edge::new(nodes[arm.from], "_", route));
        }
        topology
    }

    /// The arrows that pass a filter on `(from, to, is limited)`; the end is `nodes`.
    fn arrows(&self, wanted: impl Fn(usize, usize, bool) -> bool) -> BTreeSet<(usize, usize)> {
        let mut arrows = BTreeSet::new();
        for arm in &self.edges {
            let ways = [(Some(arm.to), arm.limit.is_some()), (arm.otherwise, false)];
            for (to, is_limited) in ways {
                if let Some(to) = to.map(|to| to.min(self.nodes))
                    && wanted(arm.from, to, is_limited)
                {
                    arrows.insert((arm.from, to));
                }
            }
        }
        arrows
    }

    fn all(&self) -> BTreeSet<(usize, usize)> {
        self.arrows(|_, _, _| true)
    }

    fn free(&self) -> BTreeSet<(usize, usize)> {
        self.arrows(|_, _, is_limited| !is_limited)
    }

    /// What is left when all limits are used up. An edge to the end never is.
    fn lasting(&self) -> BTreeSet<(usize, usize)> {
        self.arrows(|_, to, is_limited| !is_limited || to == self.nodes)
    }

    fn reached(&self) -> BTreeSet<usize> {
        let mut reached = walk(&self.all(), 0);
        reached.remove(&self.nodes);
        reached
    }

    fn trapped(&self) -> BTreeSet<usize> {
        let all = self.all();
        let is_trapped = |node: &usize| !walk(&all, *node).contains(&self.nodes);
        self.reached().into_iter().filter(is_trapped).collect()
    }
}

/// Everything that a walk from a node meets, the node included.
fn walk(arrows: &BTreeSet<(usize, usize)>, from: usize) -> BTreeSet<usize> {
    let mut met = BTreeSet::from([from]);
    loop {
        let next = arrows
            .iter()
            .find(|(a, b)| met.contains(a) && !met.contains(b));
        match next {
            Some((_, to)) => met.insert(*to),
            None => return met,
        };
    }
}

/// Whether some path comes back to a node that it has met.
fn has_cycle(arrows: &BTreeSet<(usize, usize)>) -> bool {
    fn extends(arrows: &BTreeSet<(usize, usize)>, path: &mut Vec<usize>) -> bool {
        let at = path[path.len() - 1];
        arrows
            .iter()
            .filter(|(from, _)| *from == at)
            .any(|(_, to)| {
                if path.contains(to) {
                    return true;
                }
                path.push(*to);
                let found = extends(arrows, path);
                path.pop();
                found
            })
    }
    arrows
        .iter()
        .any(|(from, _)| extends(arrows, &mut vec![*from]))
}

/// The longest path in arrows between nodes, in a graph without cycles.
fn longest_path(arrows: &BTreeSet<(usize, usize)>, end: usize) -> u64 {
    fn from(arrows: &BTreeSet<(usize, usize)>, end: usize, at: usize) -> u64 {
        let next = arrows.iter().filter(|(a, b)| *a == at && *b != end);
        next.map(|(_, to)| 1 + from(arrows, end, *to))
            .max()
            .unwrap_or(0)
    }
    (0..end)
        .map(|node| from(arrows, end, node))
        .max()
        .unwrap_or(0)
}

/// The most handoffs that a run can make if at each node the worst edge is chosen, and any edge may
/// be masked at any time.
struct Adversary<'a> {
    sketch: &'a Sketch,
    known: HashMap<(usize, Vec<u32>), u64>,
}

impl Adversary<'_> {
    fn most_handoffs(sketch: &Sketch) -> u64 {
        let budgets = sketch
            .edges
            .iter()
            .map(|arm| arm.limit.unwrap_or(0))
            .collect();
        Adversary {
            sketch,
            known: HashMap::new(),
        }
        .from(0, budgets)
    }

    fn from(&mut self, at: usize, budgets: Vec<u32>) -> u64 {
        if at >= self.sketch.nodes {
            return 0;
        }
        if let Some(known) = self.known.get(&(at, budgets.clone())) {
            return *known;
        }
        let mut most = 0;
        for (index, arm) in self
            .sketch
            .edges
            .iter()
            .enumerate()
            .filter(|(_, arm)| arm.from == at)
        {
            let may_take = arm.limit.is_none() || budgets[index] > 0;
            let target = may_take.then(|| {
                let mut left = budgets.clone();
                left[index] = left[index].saturating_sub(1);
                (arm.to, left)
            });
            let otherwise = arm.otherwise.map(|to| (to, budgets.clone()));
            for (to, left) in target.into_iter().chain(otherwise) {
                let counts = u64::from(to < self.sketch.nodes);
                most = most.max(counts + self.from(to, left));
            }
        }
        self.known.insert((at, budgets), most);
        most
    }
}

/// Any graph: most of them are wrong in some way.
fn any_sketch() -> impl Strategy<Value = Sketch> {
    (1..=6_usize).prop_flat_map(|nodes| {
        // Two numbers beyond the nodes both mean the end, so that enough edges lead there.
        let to = 0..nodes + 2;
        let limit = prop::option::of(1..=3_u32);
        let otherwise = prop::option::of(to.clone());
        let arm = (0..nodes, to, limit, otherwise).prop_map(|(from, to, limit, otherwise)| Arm {
            from,
            to,
            limit,
            otherwise,
        });
        prop::collection::vec(arm, 0..=10).prop_map(move |edges| Sketch { nodes, edges })
    })
}

/// A graph that is mostly right: what is free leads forward, what is limited leads anywhere.
fn tame_sketch(limited: usize) -> impl Strategy<Value = Sketch> {
    let tree = prop::collection::vec(any::<prop::sample::Index>(), 0..=5);
    tree.prop_flat_map(move |tree| {
        let nodes = tree.len() + 1;
        let forward = (0..nodes, 0..=nodes, prop::option::weighted(0.3, 0..=nodes)).prop_map(
            move |(from, jump, otherwise)| Arm {
                from,
                to: from + 1 + jump,
                limit: None,
                otherwise: otherwise.map(|jump| from + 1 + jump),
            },
        );
        let limited_arm = (
            0..nodes,
            0..nodes,
            1..=3_u32,
            prop::option::weighted(0.8, 0..=nodes),
        )
            .prop_map(|(from, to, limit, otherwise)| Arm {
                from,
                to,
                limit: Some(limit),
                otherwise: otherwise.map(|jump| from + 1 + jump),
            });
        let ends = prop::collection::vec(prop::bool::weighted(0.7), nodes);
        let free = prop::collection::vec(forward, 0..=4);
        let limited = prop::collection::vec(limited_arm, 0..=limited);
        (Just(tree), ends, free, limited).prop_map(move |(tree, ends, free, limited)| {
            let arm = |from, to| Arm {
                from,
                to,
                limit: None,
                otherwise: None,
            };
            let parents = tree
                .iter()
                .enumerate()
                .map(|(at, parent)| arm(parent.index(at + 1), at + 1));
            let ends = ends
                .into_iter()
                .enumerate()
                .filter(|(_, ends)| *ends)
                .map(|(at, _)| arm(at, nodes));
            let edges = parents.chain(ends).chain(free).chain(limited).collect();
            Sketch { nodes, edges }
        })
    })
}

fn sketch_and_shuffle() -> impl Strategy<Value = (Sketch, Sketch)> {
    any_sketch().prop_flat_map(|sketch| {
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

fn slots<'a>(nodes: impl IntoIterator<Item = &'a NodeIndex>) -> Vec<usize> {
    nodes.into_iter().map(|node| usize::from(node.0)).collect()
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
        cases: 4000,
        failure_persistence: Some(Box::new(regressions)),
        ..ProptestConfig::default()
    }
}

proptest! {
    // Drawing takes far longer than checking.
    #![proptest_config(ProptestConfig { cases: 200, ..config() })]

    #[test]
    fn a_drawing_read_back_is_the_graph_and_svg_is_xml(sketch in prop_oneof![any_sketch(), tame_sketch(4)]) {
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
    fn an_unbounded_loop_is_found_exactly_if_some_path_comes_back(sketch in any_sketch()) {
        let topology = sketch.topology();
        let found = has(&check(&topology), Code::H004);
        prop_assert_eq!(found, has_cycle(&sketch.free()));
        prop_assert_eq!(max_handoffs(&topology).is_none(), found);
    }

    #[test]
    fn every_loop_named_is_one_and_closing_none_of_them_leaves_none(sketch in any_sketch()) {
        let mut free = sketch.free();
        let topology = sketch.topology();
        let mut closing = BTreeSet::new();
        for finding in check(&topology) {
            let Finding::UnboundedLoop { nodes, closed_by, .. } = finding else { continue };
            let nodes = slots(&nodes);
            prop_assert_eq!(nodes.iter().min(), nodes.first());
            prop_assert_eq!(nodes.iter().collect::<BTreeSet<_>>().len(), nodes.len());
            for (from, to) in nodes.iter().zip(nodes.iter().cycle().skip(1)) {
                prop_assert!(free.contains(&(*from, *to)));
            }
            let last = (nodes[nodes.len() - 1], nodes[0]);
            prop_assert!(closing.insert(last), "one way closes two loops");
            prop_assert!(!closed_by.is_empty());
            for way in closed_by {
                let arm = &sketch.edges[usize::from(way.edge.0)];
                let to = if way.is_else { arm.otherwise } else { Some(arm.to) };
                prop_assert_eq!((arm.from, to), (last.0, Some(last.1)));
            }
        }
        free.retain(|arrow| !closing.contains(arrow));
        prop_assert!(!has_cycle(&free));
    }

    #[test]
    fn the_order_of_edges_changes_no_finding((sketch, shuffled) in sketch_and_shuffle()) {
        prop_assert_eq!(messages(&sketch.topology()), messages(&shuffled.topology()));
    }

    #[test]
    fn unreachable_nodes_are_those_that_no_walk_meets(sketch in any_sketch()) {
        let reached = sketch.reached();
        let expected: Vec<_> = (0..sketch.nodes).filter(|node| !reached.contains(node)).collect();
        let mut found = Vec::new();
        for finding in check(&sketch.topology()) {
            if let Finding::Unreachable { node, behind, .. } = finding {
                let from_here = walk(&sketch.all(), usize::from(node.0));
                let behind = slots(&behind);
                prop_assert!(behind.iter().all(|node| from_here.contains(node)));
                found.push(usize::from(node.0));
                found.extend(behind);
            }
        }
        found.sort_unstable();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn trapped_nodes_are_those_that_no_walk_leads_to_the_end(sketch in any_sketch()) {
        let mut found = Vec::new();
        let mut groups = Vec::new();
        for finding in check(&sketch.topology()) {
            if let Finding::Trap { node, others, .. } = finding {
                let group = slots(std::iter::once(&node).chain(&others));
                prop_assert!(group.is_sorted());
                found.extend(group.clone());
                groups.push(group);
            }
        }
        found.sort_unstable();
        prop_assert_eq!(found, sketch.trapped().into_iter().collect::<Vec<_>>());

        // A group hangs together, and no two of them do.
        let trapped = sketch.trapped();
        let both_ways: BTreeSet<_> = sketch
            .all()
            .into_iter()
            .filter(|(from, _)| trapped.contains(from))
            .flat_map(|(from, to)| [(from, to), (to, from)])
            .collect();
        for group in groups {
            let together: Vec<_> = walk(&both_ways, group[0]).into_iter().collect();
            prop_assert_eq!(together, group);
        }
    }

    #[test]
    fn stranded_nodes_are_the_causes_of_all_that_is_left_without_a_way(sketch in any_sketch()) {
        let findings = check(&sketch.topology());
        // Traps and loops are findings of their own; what leads there is mended with them.
        let mut goals = sketch.trapped();
        goals.insert(sketch.nodes);
        let mut causes = Vec::new();
        for finding in &findings {
            match finding {
                Finding::UnboundedLoop { nodes, .. } => goals.extend(slots(nodes)),
                Finding::Stranded { node, edges, .. } => {
                    prop_assert!(!edges.is_empty());
                    causes.push(usize::from(node.0));
                }
                _ => {}
            }
        }
        let without_a_way = |sketch: &Sketch| -> BTreeSet<usize> {
            let lasting = sketch.lasting();
            let is_stranded = |node: &usize| walk(&lasting, *node).is_disjoint(&goals);
            sketch.reached().into_iter().filter(is_stranded).collect()
        };
        let stranded = without_a_way(&sketch);
        prop_assert_eq!(stranded.is_empty(), causes.is_empty());
        prop_assert!(causes.iter().all(|node| stranded.contains(node)));

        let mut mended = sketch.clone();
        for arm in &mut mended.edges {
            if causes.contains(&arm.from) {
                prop_assert!(arm.limit.is_some() && arm.otherwise.is_none());
                arm.otherwise = Some(sketch.nodes);
            }
        }
        prop_assert!(without_a_way(&mended).is_empty());
    }

    #[test]
    fn what_the_help_proposes_for_a_loop_is_accepted(sketch in any_sketch()) {
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
            // What the `else` led to may now be out of reach, but the loop is gone.
            prop_assert!(!left.iter().any(|message| message.starts_with("H004")), "{:?}", left);
        } else {
            prop_assert_eq!(left, Vec::<String>::new());
        }
    }

    #[test]
    fn no_run_exceeds_the_bound(sketch in prop_oneof![any_sketch(), tame_sketch(4)]) {
        let topology = sketch.topology();
        if !check(&topology).is_empty() {
            return Ok(());
        }
        let bound = max_handoffs(&topology).expect("an accepted graph has a bound");
        prop_assert!(Adversary::most_handoffs(&sketch) <= bound);
    }

    #[test]
    fn without_limits_some_run_meets_the_bound(sketch in tame_sketch(0)) {
        let topology = sketch.topology();
        if check(&topology).is_empty() {
            prop_assert_eq!(max_handoffs(&topology), Some(Adversary::most_handoffs(&sketch)));
        }
    }

    #[test]
    fn the_bound_is_never_looser_than_that_of_the_whole_graph(
        sketch in prop_oneof![any_sketch(), tame_sketch(4)],
    ) {
        if let Some(bound) = max_handoffs(&sketch.topology()) {
            let b: u64 = sketch.edges.iter().filter_map(|arm| arm.limit).map(u64::from).sum();
            let l = longest_path(&sketch.free(), sketch.nodes);
            prop_assert!(bound <= b + (b + 1) * l, "{} > {} + {} * {}", bound, b, b + 1, l);
        }
    }

    #[test]
    fn cyclic_edges_are_those_that_a_walk_can_take_again(sketch in any_sketch()) {
        let topology = sketch.topology();
        let found: Vec<_> = topology.cyclic_edges().iter().map(|edge| usize::from(edge.0)).collect();
        let all = sketch.all();
        let comes_back = |arm: &Arm| arm.to < sketch.nodes && walk(&all, arm.to).contains(&arm.from);
        let expected: Vec<_> = (0..sketch.edges.len())
            .filter(|edge| comes_back(&sketch.edges[*edge]))
            .collect();
        prop_assert_eq!(found, expected);
    }
}

/// Tests on accepted graphs say nothing if hardly any graph is accepted.
#[test]
fn enough_random_graphs_are_accepted() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let strategy = tame_sketch(4);
    let accepted = (0..1000)
        .filter(|_| {
            let sketch = strategy.new_tree(&mut runner).expect("a graph").current();
            let is_cyclic = has_cycle(&sketch.all());
            check(&sketch.topology()).is_empty() && is_cyclic
        })
        .count();
    assert!(accepted > 200, "{accepted} of 1000");
}
