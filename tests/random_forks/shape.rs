//! Random graphs: a shape that proptest shrinks, and the topology that it is laid out as.

use handoffs::{Edge, NodeIndex, NodeShape, Route, Target, Topology};
use proptest::prelude::*;

/// What a node does to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Push,
    Rewrite,
    Add,
    Insert,
    Remove,
    Put,
    See,
    Plain(usize),
    ReplaceLog,
    ReplaceCount,
    ReplaceSeen,
}

/// The fields, in their order.
pub(crate) const LOG: usize = 0;
pub(crate) const COUNT: usize = 1;
pub(crate) const SEEN: usize = 2;
pub(crate) const NOTES: usize = 3;
pub(crate) const HIGH: usize = 4;
pub(crate) const VISITS: usize = 5;
pub(crate) const PLAIN: usize = 6;
pub(crate) const FIELDS: usize = 9;

impl Op {
    pub(crate) const fn field(self) -> usize {
        match self {
            Self::Push | Self::Rewrite | Self::ReplaceLog => LOG,
            Self::Add | Self::ReplaceCount => COUNT,
            Self::Insert | Self::Remove | Self::ReplaceSeen => SEEN,
            Self::Put => NOTES,
            Self::See => HIGH,
            Self::Plain(place) => PLAIN + place,
        }
    }

    pub(crate) const fn replaces(self) -> bool {
        matches!(
            self,
            Self::ReplaceLog | Self::ReplaceCount | Self::ReplaceSeen
        )
    }

    /// Returns whether only one branch of a fork may do so.
    const fn is_exclusive(self) -> bool {
        self.replaces() || matches!(self, Self::Plain(_))
    }
}

/// How a node fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// Its first so many attempts fail, and it has enough of them.
    Flaky(u32),
    /// It fails depending on what it sees, at each of so many attempts; then it goes on to what
    /// follows, or back to itself, so many times.
    Fails(u32, Option<u32>),
    /// Its first attempt fails, and with it the run.
    Stumbles,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    pub(crate) seed: u64,
    /// The fields that it looks at, a bit each.
    pub(crate) reads: u64,
    pub(crate) ops: Vec<Op>,
    /// How many questions it asks at most.
    pub(crate) asks: u64,
    pub(crate) trouble: Trouble,
    /// Whether it tells the runtime how it changed which field.
    pub(crate) reports: bool,
    /// Whether it does not even count its visits.
    pub(crate) idle: bool,
}

/// A graph without loose ends.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Step(Act),
    Seq(Vec<Shape>),
    Choice(Act, Vec<Shape>),
    /// The body, and behind it a node that may lead back to it so many times.
    Loop(Box<Shape>, Act, u32),
    /// A fork, its branches, and the join.
    All(Act, Vec<Shape>, Act, Options),
    /// A fork, what becomes of each item, and the join.
    Each(Act, Box<Shape>, Act, Options),
}

/// The options of a fork.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    concurrency: Option<u32>,
    limit: Option<u32>,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Push),
        1 => Just(Op::Rewrite),
        2 => Just(Op::Add),
        2 => Just(Op::Insert),
        1 => Just(Op::Remove),
        1 => Just(Op::Put),
        1 => Just(Op::See),
        2 => (0..FIELDS - PLAIN).prop_map(Op::Plain),
        1 => prop_oneof![Just(Op::ReplaceLog), Just(Op::ReplaceCount), Just(Op::ReplaceSeen)],
    ]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        10 => Just(Trouble::None),
        1 => (1..3_u32).prop_map(Trouble::Flaky),
        2 => (1..3_u32, prop::option::of(1..3_u32)).prop_map(|(tries, again)| Trouble::Fails(tries, again)),
        1 => Just(Trouble::Stumbles),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let asks = prop_oneof![8 => Just(0), 1 => 1..3_u64];
    let idle = prop::bool::weighted(0.15);
    let ops = prop::collection::vec(op(), 0..4);
    (
        any::<u16>(),
        0..1_u64 << FIELDS,
        ops,
        asks,
        trouble(),
        prop::bool::weighted(0.8),
        idle,
    )
        .prop_map(|(seed, reads, ops, asks, trouble, reports, idle)| Act {
            seed: seed.into(),
            reads,
            ops: if idle { Vec::new() } else { ops },
            asks,
            trouble,
            reports,
            idle,
        })
}

fn options() -> impl Strategy<Value = Options> {
    let concurrency = prop::option::weighted(0.4, 1..4_u32);
    let limit = prop::option::weighted(0.3, 1..4_u32);
    (concurrency, limit).prop_map(|(concurrency, limit)| Options { concurrency, limit })
}

pub(crate) fn shape() -> impl Strategy<Value = Shape> {
    prop::collection::vec(nested(3), 1..3).prop_map(Shape::Seq)
}

fn nested(depth: u32) -> BoxedStrategy<Shape> {
    let leaf = act().prop_map(Shape::Step);
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = nested(depth - 1);
    let some = || prop::collection::vec(inner.clone(), 1..4);
    let one = inner.clone().prop_map(Box::new);
    prop_oneof![
        2 => leaf,
        2 => some().prop_map(Shape::Seq),
        1 => (act(), some()).prop_map(|(act, shapes)| Shape::Choice(act, shapes)),
        2 => (one.clone(), act(), 1..3_u32).prop_map(|(body, act, laps)| Shape::Loop(body, act, laps)),
        4 => (act(), some(), act(), options())
            .prop_map(|(fork, branches, join, options)| Shape::All(fork, branches, join, options)),
        3 => (act(), one, act(), options())
            .prop_map(|(fork, body, join, options)| Shape::Each(fork, body, join, options)),
    ]
    .boxed()
}

/// A node in its place.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) act: Act,
    /// The edge of each of its outcomes.
    pub(crate) ways: Vec<usize>,
    pub(crate) on_error: Option<usize>,
    /// Whether it lies in a branch of an `each`.
    pub(crate) has_item: bool,
}

/// A shape that was laid out.
#[derive(Clone, Debug)]
pub(crate) struct Laid {
    pub(crate) topology: Topology,
    pub(crate) nodes: Vec<Placed>,
}

impl Laid {
    /// Lays a shape out; if it is lazy, no node makes any progress.
    pub(crate) fn of(shape: &Shape, lazy: bool) -> Self {
        let mut layout = Layout {
            lazy,
            ..Layout::default()
        };
        let around = Around {
            exclusive: u64::MAX,
            has_item: false,
        };
        let start = layout.lay(shape, Target::End, around);
        let mut topology = Topology::new("Random");
        for place in 0..layout.nodes.len() {
            topology.node(NodeShape::new(format!("n{place}")));
        }
        topology.start(start);
        for edge in layout.edges {
            topology.edge(edge);
        }
        Self {
            topology,
            nodes: layout.nodes,
        }
    }

    pub(crate) fn any(&self, holds: impl Fn(&Act) -> bool) -> bool {
        self.nodes.iter().any(|node| holds(&node.act))
    }
}

#[derive(Default)]
struct Layout {
    nodes: Vec<Placed>,
    edges: Vec<Edge<NodeIndex>>,
    lazy: bool,
}

/// What lies around a shape.
#[derive(Clone, Copy)]
struct Around {
    /// The fields that no parallel branch sets or replaces, a bit each.
    exclusive: u64,
    has_item: bool,
}

impl Layout {
    /// Lays a shape out before what follows it, and returns where it begins.
    fn lay(&mut self, shape: &Shape, next: Target<NodeIndex>, around: Around) -> NodeIndex {
        match shape {
            Shape::Step(act) => {
                let node = self.node(act, around);
                self.way(node, to(next));
                self.error(node, next);
                node
            }
            Shape::Seq(shapes) => {
                let lay = |next, shape| Target::Node(self.lay(shape, next, around));
                let first = shapes.iter().rev().fold(next, lay);
                first.node().expect("there is a shape")
            }
            Shape::Choice(act, shapes) => {
                let entries: Vec<_> = shapes
                    .iter()
                    .map(|shape| self.lay(shape, next, around))
                    .collect();
                let node = self.node(act, around);
                for entry in entries {
                    self.way(node, Route::to(entry));
                }
                self.error(node, next);
                node
            }
            Shape::Loop(body, act, laps) => {
                let node = self.node(act, around);
                let entry = self.lay(body, Target::Node(node), around);
                self.way(node, to(next));
                self.way(node, otherwise(Route::to(entry).limit(*laps), next));
                self.error(node, next);
                entry
            }
            Shape::All(fork, branches, join, options) => {
                let join = self.lay(&Shape::Step(join.clone()), next, around);
                let node = self.node(fork, around);
                let mut entries = Vec::new();
                for (place, branch) in branches.iter().enumerate() {
                    let is_its = |field: &usize| {
                        (fork.seed + *field as u64) % branches.len() as u64 == place as u64
                    };
                    let fields = (0..FIELDS)
                        .filter(is_its)
                        .fold(0, |set, field| set | 1 << field);
                    let around = Around {
                        exclusive: around.exclusive & fields,
                        ..around
                    };
                    entries.push(self.lay(branch, Target::Node(join), around));
                }
                self.fork(node, Route::all(entries, join), join, *options);
                node
            }
            Shape::Each(fork, body, join, options) => {
                let join = self.lay(&Shape::Step(join.clone()), next, around);
                let node = self.node(fork, around);
                let within = Around {
                    exclusive: 0,
                    has_item: true,
                };
                let worker = self.lay(body, Target::Node(join), within);
                self.fork(node, Route::each("items", worker, join), join, *options);
                node
            }
        }
    }

    fn node(&mut self, act: &Act, around: Around) -> NodeIndex {
        let mut act = act.clone();
        if self.lazy {
            act.idle = true;
            act.ops.clear();
        }
        act.ops
            .retain(|op| !op.is_exclusive() || around.exclusive >> op.field() & 1 == 1);
        self.nodes.push(Placed {
            act,
            ways: Vec::new(),
            on_error: None,
            has_item: around.has_item,
        });
        NodeIndex(u16::try_from(self.nodes.len() - 1).expect("few nodes"))
    }

    fn way(&mut self, from: NodeIndex, route: Route<NodeIndex>) {
        let ways = &mut self.nodes[usize::from(from.0)].ways;
        let on = ["First", "Second", "Third"][ways.len()];
        ways.push(self.edges.len());
        self.edges.push(Edge::new(from, on, route));
    }

    fn fork(
        &mut self,
        from: NodeIndex,
        mut route: Route<NodeIndex>,
        join: NodeIndex,
        options: Options,
    ) {
        if let Some(most) = options.concurrency {
            route = route.concurrency(most);
        }
        if let Some(limit) = options.limit {
            route = route.limit(limit).or_else(join);
        }
        self.way(from, route);
        self.error(from, Target::Node(join));
    }

    fn error(&mut self, from: NodeIndex, next: Target<NodeIndex>) {
        let node = &mut self.nodes[usize::from(from.0)];
        let Trouble::Fails(_, again) = node.act.trouble else {
            return;
        };
        node.on_error = Some(self.edges.len());
        let route = match again {
            Some(limit) => otherwise(Route::to(from).limit(limit), next),
            None => to(next),
        };
        self.edges.push(Edge::on_error(from, route));
    }
}

fn to(target: Target<NodeIndex>) -> Route<NodeIndex> {
    match target {
        Target::Node(node) => Route::to(node),
        Target::End => Route::end(),
    }
}

fn otherwise(route: Route<NodeIndex>, target: Target<NodeIndex>) -> Route<NodeIndex> {
    match target {
        Target::Node(node) => route.or_else(node),
        Target::End => route.or_end(),
    }
}
