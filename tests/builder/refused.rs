//! What is no graph is not built, and all that is wrong is said in one go.

use std::time::Duration;

use handoffs::prelude::*;
use handoffs::{
    BuildErrors, BuildPlace, DynContract, DynNode, DynOutcome, DynVariant, Edge, GraphBuilder,
    NodeError, NodeShape, On, Policy, Route, RoutePart, To, Topology, async_trait, check,
};

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Case {
    notes: Log<String>,
    account: Option<String>,
    refund: Option<u32>,
    total: u32,
    numbers: Vec<u32>,
}

/// A node with these outcomes, which touches nothing.
struct Fork(&'static [&'static str]);

#[async_trait]
impl DynNode<Case> for Fork {
    fn outcomes(&self) -> Vec<DynVariant> {
        self.0.iter().map(|name| DynVariant::new(*name)).collect()
    }

    fn contract(&self) -> DynContract {
        DynContract::new()
    }

    async fn run(&self, _: &mut Case, _: &mut Context<'_>) -> Result<DynOutcome, NodeError> {
        Ok(DynOutcome::new(self.0[0]))
    }
}

const LETTERS: &[&str] = &["A", "B", "C"];

type Arm = (&'static str, fn() -> Route<&'static str>);

/// Graphs that are wrong in their shape: nodes, and the routes of each in order.
fn wrong_shapes() -> Vec<(&'static str, &'static [&'static str], Vec<Arm>)> {
    vec![
        (
            "a node that nothing reaches",
            &["a", "b"],
            vec![("a", Route::end), ("b", Route::end)],
        ),
        (
            "a node without a route",
            &["a", "b"],
            vec![("a", || Route::to("b"))],
        ),
        (
            "a trap of two",
            &["a", "b"],
            vec![("a", || Route::to("b")), ("b", || Route::to("a"))],
        ),
        (
            "a loop without a bound",
            &["a", "b"],
            vec![
                ("a", || Route::to("b")),
                ("b", || Route::to("a")),
                ("b", Route::end),
            ],
        ),
        (
            "stranding",
            &["a", "b"],
            vec![("a", || Route::to("b").limit(2)), ("b", Route::end)],
        ),
        (
            "a limit of 0",
            &["a", "b"],
            vec![
                ("a", || Route::to("b").limit(0)),
                ("a", Route::end),
                ("b", Route::end),
            ],
        ),
        (
            "an else that is never taken",
            &["a", "b"],
            vec![("a", || Route::to("b").or_end()), ("b", Route::end)],
        ),
        (
            "two nodes of one name",
            &["a", "b", "b"],
            vec![("a", || Route::to("b")), ("b", Route::end)],
        ),
        (
            "a reserved name",
            &["a", "join"],
            vec![("a", || Route::to("join")), ("join", Route::end)],
        ),
        (
            "a branch that ends the run",
            &["a", "b", "c", "d"],
            vec![
                ("a", || Route::all(["b", "c"], "d")),
                ("b", || Route::to("d")),
                ("c", || Route::to("d")),
                ("c", Route::end),
                ("d", Route::end),
            ],
        ),
        (
            "a join that starves",
            &["a", "b", "c", "d"],
            vec![
                ("a", || Route::all(["b", "c"], "d")),
                ("b", || Route::to("d")),
                ("c", || Route::to("c").limit(3)),
                ("d", Route::end),
            ],
        ),
        (
            "a node in two regions",
            &["a", "b", "c", "d"],
            vec![
                ("a", || Route::all(["b", "c"], "d")),
                ("a", || Route::to("b")),
                ("b", || Route::to("d")),
                ("c", || Route::to("d")),
                ("d", Route::end),
            ],
        ),
        (
            "no branch, one twice, and no concurrency",
            &["a", "b", "d"],
            vec![
                ("a", || Route::all([], "d")),
                ("a", || Route::all(["b", "b"], "d").concurrency(0)),
                ("b", || Route::to("d")),
                ("d", Route::end),
            ],
        ),
    ]
}

#[test]
fn the_rules_of_the_shape_are_those_of_the_core() {
    for (what, nodes, arms) in wrong_shapes() {
        let mut topology = Topology::new("G");
        let mut builder = GraphBuilder::<Case>::new("G").start("a");
        for node in nodes {
            topology.node(NodeShape::new(*node));
            let outcomes = arms.iter().filter(|(from, _)| from == node).count();
            builder = builder.dyn_node(*node, Fork(&LETTERS[..outcomes.max(1)]));
        }
        topology.start(topology.resolve("a").unwrap());
        let mut tried = vec![0; nodes.len()];
        for (from, route) in &arms {
            let place = nodes.iter().position(|node| node == from).unwrap();
            let on = LETTERS[tried[place]];
            tried[place] += 1;
            builder = builder.route(*from, on, route());
            let edge = Edge::new(*from, on, route()).map(|name| topology.resolve(name).unwrap());
            topology.edge(edge);
        }
        let found: Vec<_> = check(&topology)
            .iter()
            .map(|found| found.message(&topology))
            .collect();
        assert!(!found.is_empty(), "{what}");
        let errors = builder.build().unwrap_err();
        let messages: Vec<_> = errors
            .iter()
            .map(|error| error.message().to_owned())
            .collect();
        assert_eq!(messages, found, "{what}");
    }
}

/// The errors as one reads them.
fn read(errors: &BuildErrors) -> Vec<String> {
    errors
        .iter()
        .map(|error| format!("{:?} {error}; {}", error.place(), error.help()))
        .collect()
}

fn refused(builder: GraphBuilder<Case>) -> Vec<String> {
    read(&builder.build().unwrap_err())
}

/// A builder with nodes that have the outcomes A, B and C.
fn with(nodes: &[&str]) -> GraphBuilder<Case> {
    let builder = GraphBuilder::new("G").start(nodes[0]);
    nodes.iter().fold(builder, |builder, node| {
        builder.dyn_node(*node, Fork(LETTERS))
    })
}

#[test]
fn names_that_do_not_exist() {
    let errors = refused(
        with(&["triage", "billing"])
            .start("traige")
            .route("triage", "A", To::node("biling"))
            .route(
                "triage",
                "B",
                To::node("billing").limit(2).or_else("humans"),
            )
            .route("triage", "C", To::node("end"))
            .route("biling", "_", To::end())
            .policy("x-ray", Policy::new())
            .given(["acount"]),
    );
    assert_eq!(
        errors,
        [
            "Graph H001: no node is named `x-ray`; the nodes are: `triage`, `billing`",
            "Start H001: no node is named `traige`; did you mean `triage`?",
            "Route(3, From) H001: no node is named `biling`; did you mean `billing`?",
            "Route(0, Target) H001: no node is named `biling`; did you mean `billing`?",
            "Route(1, Else) H001: no node is named `humans`; the nodes are: `triage`, `billing`",
            "Given(0) H011: the state has no field `acount`; \
             the fields are: `notes`, `account`, `refund`, `total`, `numbers`",
        ]
    );
}

#[test]
fn a_route_of_a_misspelt_node_is_one_error() {
    let errors = refused(with(&["billing"]).route("billing", "_", To::end()).route(
        "biling",
        "A",
        To::end(),
    ));
    assert_eq!(
        errors,
        ["Route(1, From) H001: no node is named `biling`; did you mean `billing`?"]
    );
}

#[test]
fn outcomes_that_nobody_takes() {
    let errors = refused(
        with(&["a", "b", "c"])
            .route("a", On::outcome("A").when("is_big"), To::node("b"))
            .route("a", "B", To::node("c"))
            .route("b", "_", To::end())
            .route("b", "A", To::end())
            .route("c", "A", To::end())
            .route("c", On::any_of(["A", "B"]), To::end())
            .route("c", "D", To::end())
            .guard("is_small", |_| true),
    );
    assert_eq!(
        errors,
        [
            "Node(0) H006: no route of `a` takes the outcomes `A`, `C`; \
             add a route without a guard, or one on any outcome, which is written `_`",
            "Route(3, Outcome) H006: the route of `b` on `A` is never taken: \
             those before it take all that it would; \
             remove it, or move it before the route that takes the same",
            "Route(5, Outcome) H006: `A` of `c` never comes to this route: one before it takes it; \
             remove it, or move it before the route that takes the same",
            "Route(6, Outcome) H006: `c` has no outcome `D`; the outcomes are: `A`, `B`, `C`",
            "Route(0, Guard) H011: no guard is named `is_big`; the guards are: `is_small`",
        ]
    );
}

#[node(Case)]
fn look_up(mut account: Out<'_, String>) {
    account.set("Ada".to_owned());
}

#[node(Case)]
fn pay(account: &str, total: &mut u32) {
    *total += u32::try_from(account.len()).unwrap_or(0);
}

#[node(Case)]
fn count(total: &mut u32) {
    *total += 1;
}

#[node(Case)]
fn double(number: u32, notes: &mut Log<String>) {
    notes.push((number * 2).to_string());
}

#[test]
fn context_that_is_lost_and_branches_that_clash() {
    let errors = refused(
        GraphBuilder::new("G")
            .start("count")
            .node("count", Count)
            .node("look_up", LookUp)
            .node("pay", Pay)
            .node("again", Count)
            .node("meet", Count)
            .route("count", "()", To::all(["look_up", "again", "pay"], "meet"))
            .route("look_up", "_", To::node("meet"))
            .route("again", "_", To::node("meet"))
            .route("pay", "_", To::node("meet"))
            .route("meet", "_", To::end()),
    );
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(errors[0].starts_with("Node(2) H007: "), "{errors:#?}");
    assert!(
        errors[0].contains("`account`") && errors[0].contains("count -> pay"),
        "{errors:#?}"
    );
    assert!(
        errors[1].starts_with("Route(0, Branch(2)) H008: "),
        "{errors:#?}"
    );
    assert!(errors[1].contains("`total`"), "{errors:#?}");
}

#[test]
fn what_the_caller_brings_counts_as_set() {
    let pay = || {
        GraphBuilder::new("G")
            .start("pay")
            .node("pay", Pay)
            .route("pay", "_", To::end())
    };
    assert!(pay().build().is_err());
    let graph = pay().given(["account"]).build().unwrap();
    assert_eq!(graph.max_handoffs(), 0);
}

#[test]
fn items_of_another_type_or_for_nobody() {
    let fork = |items: &str, worker: &str| {
        GraphBuilder::new("G")
            .start("begin")
            .node("begin", Count)
            .worker("double", Double)
            .node("count", Count)
            .node("done", LookUp)
            .items("numbers", |case: &Case| case.numbers.clone())
            .items("notes", |case: &Case| case.notes.to_vec())
            .route("begin", "_", To::each(items, worker, "done"))
            .route("double", "_", To::node("done"))
            .route("count", "_", To::node("done"))
            .route("done", "_", To::end())
    };
    let only = |builder: GraphBuilder<Case>, code: &str| {
        let errors = builder.build().unwrap_err();
        let mut found = read(&errors)
            .into_iter()
            .filter(|error| error.contains(code));
        let first = found.next().unwrap_or_else(|| panic!("{errors}"));
        assert_eq!(found.next(), None, "beside: {first}");
        first
    };
    assert_eq!(
        only(fork("notes", "double"), "H011"),
        "Route(0, Items) H011: `notes` lists items of type `alloc::string::String`, \
         and `double` takes one of type `u32`; list what the worker takes",
    );
    assert_eq!(
        only(fork("numbrs", "double"), "H011"),
        "Route(0, Items) H011: no list of items is named `numbrs`; did you mean `numbers`?",
    );
    assert_eq!(
        only(fork("numbers", "count"), "Branch(0)) H009"),
        "Route(0, Branch(0)) H009: `count` takes no item; an `each` hands an item to its worker: \
         name a node that was added with `worker`, or fork with `all`",
    );
    let errors = refused(
        GraphBuilder::new("G")
            .start("double")
            .node("double", Double)
            .route("double", "_", To::end()),
    );
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(errors[0].starts_with("Node(0) H009: "), "{errors:#?}");
    assert_eq!(
        errors[1],
        "Node(0) H011: `double` takes an item, and nobody knows of which type; \
         add it with `worker` in the place of `node`",
    );
}

#[test]
fn what_is_said_twice_or_in_the_wrong_place() {
    let errors = refused(
        with(&["a", "b"])
            .guard("g", |_| true)
            .guard("g", |_| false)
            .items("i", |case| case.numbers.clone())
            .items("i", |case| case.numbers.clone())
            .route("a", On::any().when("g"), To::node("b"))
            .route("a", "_", To::end())
            .route("b", "_", To::end())
            .on_error("a", To::back())
            .on_error("b", To::node("a"))
            .on_error("b", To::end())
            .policy("b", Policy::new().cache(Duration::from_secs(1))),
    );
    assert_eq!(
        errors,
        [
            "OnError(1, Target) H004: a handoff loop without a bound: `a -> b -> a`; \
             bound it, for example `a(limit = 3, else = end)`",
            "Guard(1) H011: two guards are named `g`; rename one of them",
            "Items(1) H011: two lists of items are named `i`; rename one of them",
            "Node(1) H011: the results of `b` are kept under no key; say under which, with `cache`",
            "OnError(2, From) H011: `b` says more than once where an error leads; keep one of them",
        ]
    );
    let errors = refused(
        with(&["a"])
            .route("a", "_", To::end())
            .on_error("a", To::back()),
    );
    assert_eq!(
        errors,
        ["OnError(0, Target) H011: nothing hands over to `a`; \
          name the node to go to after an error, or end the run"]
    );
    let errors = refused(with(&["a"]).route("a", "_", To::back()));
    assert_eq!(
        errors,
        ["Route(0, Target) H011: nothing hands over to `a`; name the node to go to"]
    );
    let fork = To::all(["b", "c"], "a").limit(1).or_end();
    let errors = refused(
        with(&["a", "b", "c"])
            .route("a", "_", To::end())
            .route("b", "_", To::node("a"))
            .route("c", "_", To::node("a"))
            .on_error("a", fork),
    );
    assert_eq!(
        errors,
        [
            "OnError(0, Target) H011: an error leads to no fork; lead it to one node, and fork behind it"
        ]
    );
}

#[test]
fn a_former_name_that_is_in_use() {
    let errors = refused(
        with(&["a", "b"])
            .route("a", "_", To::node("b"))
            .route("b", "_", To::end())
            .renamed_from("a", "b")
            .renamed_from("b", "old")
            .renamed_from("a", "old")
            .renamed_from("c", "older")
            .graph_renamed_from("G"),
    );
    assert_eq!(
        errors,
        [
            "Graph H001: no node is named `c`; the nodes are: `a`, `b`",
            "Graph H011: `G` is the name that the graph has now; remove it",
            "Node(0) H011: `b` cannot be a former name of `a`: a node has it now; remove it, or give that \
             node another name: nobody could tell whose an old entry is",
            "Node(1) H011: `old` is given twice as a former name; remove it",
        ]
    );
}

#[test]
fn an_empty_graph() {
    let errors = refused(GraphBuilder::new("G"));
    assert_eq!(
        errors,
        ["Start H011: nothing says at which node a run starts; declare a node and start there"]
    );
}

#[test]
fn the_errors_can_be_walked_and_printed() {
    let errors = with(&["a"])
        .route("a", "A", To::node("b"))
        .build()
        .unwrap_err();
    assert_eq!(
        errors
            .codes()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["H001", "H006"]
    );
    assert_eq!(
        errors.to_string(),
        "the graph cannot be built\n\
         H001: no node is named `b`\n  help: the nodes are: `a`\n\
         H006: no route of `a` takes the outcomes `B`, `C`\n  \
         help: add a route without a guard, or one on any outcome, which is written `_`"
    );
    let first = errors.into_iter().next().unwrap();
    assert_eq!(first.place(), BuildPlace::Route(0, RoutePart::Target));
}

#[test]
fn what_may_be_missing_is_said_where_something_may() {
    let desk = || {
        GraphBuilder::new("G")
            .start("a")
            .node("a", Count)
            .node("look_up", LookUp)
            .node("pay", Pay)
            .route("pay", "_", To::end())
    };
    let misspelt = desk()
        .route("a", "_", To::node("pay").missing("lok_up"))
        .route("look_up", "_", To::node("pay"));
    assert_eq!(
        refused(misspelt),
        ["Route(1, Missing) H001: no node is named `lok_up`; did you mean `look_up`?"]
    );
    let never = desk()
        .route("a", "_", To::node("pay").missing("look_up"))
        .route("look_up", "_", To::node("pay").missing("b"))
        .node("b", Count)
        .route("b", "_", To::node("c").missing("a"))
        .node("c", Count)
        .route("c", "_", To::end())
        .guard("big and a field is missing", |_| true);
    assert_eq!(
        refused(never),
        [
            "Route(3, Missing) H004: a handoff loop without a bound: `a -> look_up -> b -> a`; \
             no limit holds for a `missing`; lead it elsewhere, for example `missing = pay`",
            "Guard(0) H011: a guard named `big and a field is missing` reads like the `missing` of \
             an edge; rename it",
            "Route(2, Missing) H011: all that `pay` needs is set behind `look_up`, on every path to \
             it; leave `missing` away",
            "Route(3, Missing) H011: `c` needs no field that may be unset; leave `missing` away",
        ]
    );
    let misplaced = GraphBuilder::new("G")
        .start("a")
        .node("a", Count)
        .node("b", Count)
        .node("pay", Pay)
        .dyn_node("c", Fork(&["A", "B"]))
        .route("a", "_", To::all(["b"], "pay").missing("end"))
        .on_error("a", To::node("pay").missing("end"))
        .route("b", "_", To::node("pay"))
        .route("pay", "_", To::node("c"))
        .route("c", "A", To::back().limit(1).or_end().missing("a"))
        .route("c", "B", To::end().missing("b"));
    let said = "`missing` is for a route that hands over to one node, by its name";
    assert_eq!(
        refused(misplaced),
        [
            format!(
                "Route(0, Missing) H011: {said}; put a node before the fork, and say it of the handoff to that node"
            ),
            format!(
                "OnError(0, Missing) H011: {said}; lead the error to a node that needs nothing, and decide there"
            ),
            format!(
                "Route(3, Missing) H011: {said}; remove it: who handed over had all that it needs"
            ),
            format!("Route(4, Missing) H011: {said}; remove it: the end needs nothing"),
        ]
    );
}

#[test]
fn what_may_be_missing_is_looked_for() {
    let graph = GraphBuilder::new("G")
        .start("count")
        .node("count", Count)
        .node("look_up", LookUp)
        .node("pay", Pay)
        .route(
            "count",
            "_",
            To::node("pay").limit(2).or_end().missing("look_up"),
        )
        .route("look_up", "_", To::node("pay"))
        .route("pay", "_", To::node("count").limit(1).or_end())
        .build()
        .unwrap();
    let after = |account: Option<&str>| {
        let case = Case {
            account: account.map(str::to_owned),
            ..Case::default()
        };
        graph.after("count", "()", &case).unwrap().to_string()
    };
    assert_eq!(after(None), "look_up");
    assert_eq!(after(Some("Ada")), "pay(limit = 2, else = end)");
}
