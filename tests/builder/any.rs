//! Whatever is described, building it never panics, and what is built runs to an end within its bound.

use handoffs::prelude::*;
use handoffs::{
    BuiltGraph, DynContract, DynNode, DynOutcome, DynVariant, GraphBuilder, NodeError, On, To,
    async_trait,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Walk {
    /// What the nodes draw their outcomes from.
    seed: Log<u8>,
    steps: Log<u8>,
    left: Option<u32>,
}

/// A node with some outcomes, of which it draws one, and perhaps a need.
struct Draw(Vec<String>, bool);

#[async_trait]
impl DynNode<Walk> for Draw {
    fn outcomes(&self) -> Vec<DynVariant> {
        self.0.iter().map(DynVariant::from).collect()
    }

    fn contract(&self) -> DynContract {
        let contract = DynContract::new().reads(["seed"]).writes(["steps"]);
        if self.1 {
            contract.needs(["left"])
        } else {
            contract
        }
    }

    async fn run(&self, walk: &mut Walk, _: &mut Context<'_>) -> Result<DynOutcome, NodeError> {
        let at = walk.steps.len() % walk.seed.len().max(1);
        let drawn = walk.seed.iter().nth(at).copied().unwrap_or(0);
        walk.steps.push(drawn);
        if drawn % 7 == 6 {
            return Err(NodeError::new("drawn"));
        }
        let outcome = &self.0[usize::from(drawn) % self.0.len()];
        Ok(DynOutcome::new(outcome.clone()))
    }
}

/// A part of a description, in the order in which it is said.
#[derive(Clone, Debug)]
enum Say {
    Node(String, Vec<String>, bool),
    Start(String),
    Given(String),
    Guard(String),
    Items(String),
    Route(String, Vec<String>, Option<String>, Leads),
    OnError(String, Leads),
}

#[derive(Clone, Debug)]
struct Leads {
    to: Shape,
    limit: Option<u32>,
    otherwise: Option<String>,
    missing: Option<String>,
}

#[derive(Clone, Debug)]
enum Shape {
    Node(String),
    End,
    Back,
    All(Vec<String>, String),
    Each(String, String, String),
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        16 => "[a-d]",
        1 => Just("end".to_owned()),
        1 => Just(String::new()),
        1 => any::<String>(),
    ]
}

fn leads() -> impl Strategy<Value = Leads> {
    let to = prop_oneof![
        6 => name().prop_map(Shape::Node),
        3 => Just(Shape::End),
        1 => Just(Shape::Back),
        2 => (prop::collection::vec(name(), 0..3), name()).prop_map(|(all, join)| Shape::All(all, join)),
        1 => (name(), name(), name()).prop_map(|(items, worker, join)| Shape::Each(items, worker, join)),
    ];
    let limit = prop::option::of(prop_oneof![0..4_u32, Just(u32::MAX)]);
    let missing = prop::option::weighted(0.2, name());
    (to, limit, prop::option::of(name()), missing).prop_map(|(to, limit, otherwise, missing)| {
        Leads {
            to,
            limit,
            otherwise,
            missing,
        }
    })
}

/// Edges that fit into a graph of the nodes a to d more often than not.
fn likely_leads() -> impl Strategy<Value = Leads> {
    let node = || "[b-d]";
    let to = prop_oneof![
        6 => node().prop_map(Shape::Node),
        5 => Just(Shape::End),
        1 => Just(Shape::Node("a".to_owned())),
        1 => Just(Shape::All(vec!["b".to_owned(), "c".to_owned()], "d".to_owned())),
    ];
    let bound = prop_oneof![
        1 => Just((None, None)),
        1 => (1..4_u32, node()).prop_map(|(limit, node)| (Some(limit), Some(node))),
        3 => (1..4_u32).prop_map(|limit| (Some(limit), Some("end".to_owned()))),
    ];
    (to, bound).prop_map(|(to, (limit, otherwise))| Leads {
        to,
        limit,
        otherwise,
        missing: None,
    })
}

fn say() -> impl Strategy<Value = Say> {
    let names = || prop::collection::vec(name(), 0..3);
    prop_oneof![
        4 => (name(), names(), prop::bool::weighted(0.2))
            .prop_map(|(name, outcomes, needs)| Say::Node(name, outcomes, needs)),
        2 => name().prop_map(Say::Start),
        1 => name().prop_map(Say::Given),
        1 => name().prop_map(Say::Guard),
        1 => name().prop_map(Say::Items),
        6 => (name(), names(), prop::option::of(name()), leads())
            .prop_map(|(from, on, guard, to)| Say::Route(from, on, guard, to)),
        1 => (name(), leads()).prop_map(|(from, to)| Say::OnError(from, to)),
    ]
}

fn to(leads: Leads) -> To {
    let to = match leads.to {
        Shape::Node(name) => To::node(name),
        Shape::End => To::end(),
        Shape::Back => To::back(),
        Shape::All(branches, join) => To::all(branches, join).concurrency(1),
        Shape::Each(items, worker, join) => To::each(items, worker, join),
    };
    let to = match leads.limit {
        Some(limit) => to.limit(limit),
        None => to,
    };
    let to = match leads.missing {
        Some(missing) => to.missing(missing),
        None => to,
    };
    match leads.otherwise {
        Some(otherwise) => to.or_else(otherwise),
        None => to,
    }
}

fn said(said: Vec<Say>) -> GraphBuilder<Walk> {
    let builder = GraphBuilder::new("Any");
    said.into_iter().fold(builder, |builder, say| match say {
        Say::Node(name, outcomes, needs) => builder.dyn_node(name, Draw(outcomes, needs)),
        Say::Start(name) => builder.start(name),
        Say::Given(name) => builder.given([name]),
        Say::Guard(name) => builder.guard(name, |walk: &Walk| walk.steps.len().is_multiple_of(2)),
        Say::Items(name) => builder.items(name, |walk: &Walk| vec![0_u8; walk.seed.len()]),
        Say::Route(from, on, guard, leads) => {
            let on = On::any_of(on);
            let on = match guard {
                Some(guard) => on.when(guard),
                None => on,
            };
            builder.route(from, on, to(leads))
        }
        Say::OnError(from, leads) => builder.on_error(from, to(leads)),
    })
}

/// Descriptions that are nearly right: each node has an outcome or two, and a catch-all at the end.
fn likely() -> impl Strategy<Value = Vec<Say>> {
    let nodes = prop::collection::vec(
        (
            likely_leads(),
            likely_leads(),
            prop::option::weighted(0.2, likely_leads()),
        ),
        4,
    );
    // Who leads to the last node, which may need something, looks whether it is there.
    (nodes, prop::bool::weighted(0.4)).prop_map(|(mut nodes, needs)| {
        let to_last = |leads: &mut Leads| {
            if needs && matches!(&leads.to, Shape::Node(name) if name == "d") {
                leads.missing = Some("end".to_owned());
            }
        };
        for (first, rest, _) in &mut nodes {
            to_last(first);
            to_last(rest);
        }
        let mut said = vec![Say::Start("a".to_owned()), Say::Guard("g".to_owned())];
        for ((first, rest, error), name) in nodes.into_iter().zip(["a", "b", "c", "d"]) {
            let name = name.to_owned();
            said.push(Say::Node(
                name.clone(),
                vec!["X".to_owned(), "Y".to_owned()],
                needs && name == "d",
            ));
            let guard = Some("g".to_owned());
            said.push(Say::Route(name.clone(), vec!["X".to_owned()], guard, first));
            said.push(Say::Route(name.clone(), Vec::new(), None, rest));
            said.extend(error.map(|error| Say::OnError(name, error)));
        }
        said
    })
}

/// Runs a graph, and sees that it ends within its bound.
async fn run(graph: BuiltGraph<Walk>, seed: Vec<u8>) {
    let most = graph.max_handoffs();
    let forks = graph
        .topology()
        .edges()
        .any(|(_, edge)| edge.route.fork().is_some());
    let walk = Walk {
        left: seed
            .first()
            .map(|drawn| u32::from(*drawn))
            .filter(|drawn| drawn % 2 == 0),
        seed: Log::from(seed),
        ..Walk::default()
    };
    // A bound that is high is not run out here.
    if most > 1000 {
        return;
    }
    // A loop without progress is stopped, and a node that fails without a fallback ends its run.
    if let Ok(run) = Runtime::new(graph).thread("t").run(walk).await {
        let Run::Finished(walk) = run else {
            panic!("nobody is asked");
        };
        // Branches are paths of their own, whose steps add up.
        assert!(forks || walk.steps.len() as u64 <= most + 1);
    }
}

/// Failures are printed, and become tests by hand.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn nothing_panics(says in prop::collection::vec(say(), 0..24)) {
        match said(says).build() {
            Ok(graph) => prop_assert!(graph.topology().dot().to_string().starts_with("digraph")),
            Err(errors) => {
                prop_assert!(errors.iter().len() > 0);
                for error in &errors {
                    let code = error.code().to_string();
                    prop_assert!(error.message().starts_with(&code), "{}", error);
                }
            }
        }
    }
}

#[test]
fn what_is_built_runs_to_an_end() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let built = std::cell::Cell::new(0);
    let looks = std::cell::Cell::new(0);
    let seed = prop::collection::vec(any::<u8>(), 1..8);
    let ran = TestRunner::new(config(3000)).run(&(likely(), seed), |(says, seed)| {
        if let Ok(graph) = said(says).build() {
            built.set(built.get() + 1);
            let missing = |(_, edge): (_, &handoffs::Edge<_>)| edge.label().ends_with("missing");
            let looks_for = graph.topology().edges().any(missing);
            looks.set(looks.get() + u32::from(looks_for));
            runtime.block_on(run(graph, seed));
        }
        Ok(())
    });
    ran.unwrap();
    assert!(
        built.get() >= 100,
        "only {} of them were graphs",
        built.get()
    );
    assert!(
        looks.get() >= 20,
        "only {} of them look for what may be missing",
        looks.get()
    );
}

#[test]
fn ten_thousand_nodes_are_built() {
    let names: Vec<_> = (0..10_000).map(|n| format!("node {n}")).collect();
    let mut builder = GraphBuilder::<Walk>::new("Long").start("node 0");
    for name in &names {
        builder = builder.dyn_node(name, Draw(vec!["X".to_owned(), "Y".to_owned()], false));
    }
    for pair in names.windows(2) {
        builder = builder
            .route(&pair[0], "X", To::node(&pair[1]))
            .route(&pair[0], "_", To::end());
    }
    let builder = builder.route(&names[9_999], "_", To::end());
    let begun = std::time::Instant::now();
    let graph = builder.build().unwrap();
    // Ten times as long as it takes, so that only what grows with the square is caught.
    assert!(begun.elapsed().as_secs() < 6, "{:?}", begun.elapsed());
    assert_eq!(graph.max_handoffs(), 9_999);
}

#[test]
fn a_graph_that_is_too_large_is_told_so_and_nothing_else() {
    let mut builder = GraphBuilder::<Walk>::new("Long").start("node 0");
    for n in 0..70_000 {
        builder = builder
            .dyn_node(format!("node {n}"), Draw(vec!["X".to_owned()], false))
            .route(
                format!("node {n}"),
                "_",
                To::node(format!("node {}", n + 1)),
            );
    }
    let errors = builder.build().unwrap_err();
    assert_eq!(errors.iter().len(), 1, "{}", errors.iter().len());
    assert!(
        errors.to_string().contains("the graph is too large"),
        "{errors}"
    );
}
