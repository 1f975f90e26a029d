//! Small graphs, one change each: what goes on, and what is refused in which words.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use handoffs::prelude::*;
use handoffs::{
    Approval, BuiltGraph, DynContract, DynNode, DynOutcome, GraphBuilder, NodeError, On, Policy,
    RunError, To, async_trait,
};

use super::bytes;
use super::common::{Clock, Place, Stopping, path};

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Walk {
    /// What nodes conclude, as `node=Outcome`, each time that they are executed.
    plan: Log<String>,
    done: Log<String>,
}

impl Walk {
    fn along(plan: &str) -> Self {
        let plan: Vec<_> = plan.split_whitespace().map(str::to_owned).collect();
        let plan = Log::from(plan);
        Self {
            plan,
            ..Self::default()
        }
    }
}

/// A node that concludes what the plan says, or else the first of its outcomes.
struct Step(String, Vec<String>);

#[async_trait]
impl DynNode<Walk> for Step {
    fn outcomes(&self) -> Vec<handoffs::DynVariant> {
        self.1.iter().map(Into::into).collect()
    }

    fn contract(&self) -> DynContract {
        DynContract::new().reads(["plan"]).writes(["done"])
    }

    async fn run(&self, walk: &mut Walk, _: &mut Context<'_>) -> Result<DynOutcome, NodeError> {
        let Self(name, outcomes) = self;
        let before = walk.done.iter().filter(|done| *done == name).count();
        let own = walk.plan.iter().filter_map(|said| said.split_once('='));
        let said = own.filter(|(node, _)| node == name).nth(before);
        let outcome = said.map_or(outcomes[0].as_str(), |(_, outcome)| outcome);
        if outcome == "fail" {
            return Err(NodeError::new("as planned"));
        }
        walk.done.push(name.clone());
        Ok(DynOutcome::new(outcome.to_owned()))
    }
}

/// Builds a graph of lines such as `a Left -> b limit 1 else c`, `a -> b approve may else c`,
/// `a -> all x y join b`, `a error -> c`, `a was old` and `a is Court`, the graph behind the bar.
fn graph(name: &str, lines: &str) -> BuiltGraph<Walk> {
    let (lines, court) = lines.split_once('|').unwrap_or((lines, ""));
    let lines: Vec<Vec<_>> = lines
        .split(';')
        .map(|line| line.split_whitespace().collect())
        .collect();
    let mut names: Vec<&str> = Vec::new();
    for from in lines.iter().map(|line| line[0]) {
        if !names.contains(&from) {
            names.push(from);
        }
    }
    let mut built = GraphBuilder::new(name.to_owned()).start(names[0]);
    if lines.iter().flatten().any(|word| *word == "approve") {
        built = built.question("may", |walk: &Walk| walk.done.len());
    }
    for name in &names {
        let own = lines
            .iter()
            .filter(|line| line[0] == *name && line[2] == "->");
        let mut outcomes: Vec<_> = own.map(|line| line[1].to_owned()).collect();
        outcomes.retain(|outcome| outcome != "error");
        if lines.iter().any(|line| line[0] == *name && line[1] == "->") {
            outcomes.insert(0, "Other".to_owned());
        }
        let within = lines
            .iter()
            .find(|line| line[0] == *name && line[1] == "is");
        built = match within {
            Some(within) => built.subgraph(*name, graph(within[2], court)),
            None => built.dyn_node(*name, Step((*name).to_owned(), outcomes)),
        };
    }
    for line in &lines {
        let (from, rest) = (line[0], &line[1..]);
        match rest {
            ["was", old] => built = built.renamed_from(from, *old),
            ["is", _] => {}
            ["->", to @ ..] => built = built.route(from, "_", lead(to)),
            ["error", "->", to @ ..] => built = built.on_error(from, lead(to)),
            [on, "->", to @ ..] => built = built.route(from, On::outcome(*on), lead(to)),
            _ => panic!("{line:?}"),
        }
    }
    built.build().unwrap()
}

fn lead(words: &[&str]) -> To {
    let (mut to, mut rest) = match words {
        ["all", rest @ ..] => {
            let join = rest.iter().position(|word| *word == "join").unwrap();
            (
                To::all(rest[..join].iter().copied(), rest[join + 1]),
                &rest[join + 2..],
            )
        }
        ["end", rest @ ..] => (To::end(), rest),
        [node, rest @ ..] => (To::node(*node), rest),
        [] => panic!("a route leads somewhere"),
    };
    loop {
        (to, rest) = match rest {
            [] => return to,
            ["limit", times, rest @ ..] => (to.limit(times.parse().unwrap()), rest),
            ["approve", question, rest @ ..] => (to.approve(*question), rest),
            ["else", node, rest @ ..] => (to.or_else(*node), rest),
            _ => panic!("{rest:?}"),
        };
    }
}

/// Runs the old graph until so many entries are written, and lets the new one go on.
async fn changed(
    place: &impl Place,
    thread: &str,
    [old, new]: [BuiltGraph<Walk>; 2],
    plan: &str,
    whole: u64,
) -> Result<Vec<String>, RunError> {
    let stopping = Stopping::after(place.open().await, whole, false);
    let old = Runtime::new(old).journal(stopping).thread(thread);
    let is_over = old.run(Walk::along(plan)).await.is_ok();
    let before = bytes(place, thread).await;
    assert_eq!(before.len() as u64, whole, "{thread}");
    let new = Runtime::new(new).journal(place.open().await).thread(thread);
    match new.recover().await {
        Ok(run) => {
            let done = run.finished().unwrap();
            assert_eq!(new.state().await.unwrap(), done, "{thread}");
            new.verify(None).await.unwrap();
            assert!(bytes(place, thread).await.starts_with(&before));
            assert_eq!(new.recover().await.unwrap().finished(), Some(done));
            Ok(path(&new.history().await.unwrap()))
        }
        Err(error) => {
            // Whoever asks hears the same, and the thread is left as it was.
            let others = [
                new.state().await.map(drop),
                new.run_once(Walk::default()).await.map(drop),
                new.resume("3".parse().unwrap(), 1).await.map(drop),
                new.status().await.map(drop),
            ];
            for other in others {
                assert_eq!(
                    other.unwrap_err().to_string(),
                    error.to_string(),
                    "{thread}"
                );
            }
            if !is_over {
                let other = new.run(Walk::default()).await.unwrap_err();
                assert_eq!(other.to_string(), error.to_string(), "{thread}");
            }
            assert_eq!(bytes(place, thread).await, before, "{thread}");
            if is_over {
                let _ = new.run(Walk::default()).await.unwrap().finished().unwrap();
            }
            Err(error)
        }
    }
}

/// What goes on: the old graph, the new one, the plan, after how many entries, and the path in the end.
const COMPATIBLE: [(&str, &str, &str, &str, u64, &str); 17] = [
    (
        "a node is added behind",
        "a -> b; b -> end",
        "a -> b; b -> c; c -> end",
        "",
        2,
        "a b c",
    ),
    (
        "a node is added before another",
        "a -> b; b -> c; c -> end",
        "a -> b; b -> x; x -> c; c -> end",
        "",
        2,
        "a b x c",
    ),
    (
        "an edge is added",
        "a -> b; b -> end",
        "a X -> c; a -> b; c -> end; b -> end",
        "",
        2,
        "a b",
    ),
    (
        "all stands in another order",
        "a X -> b; a Y -> c; c -> b; b -> end",
        "a Y -> c; b -> end; c -> b; a X -> b",
        "a=Y",
        2,
        "a c b",
    ),
    (
        "a condition is written otherwise",
        "a -> b; b -> end",
        "a X -> b; a Y -> c; b -> end; c -> end",
        "",
        2,
        "a b",
    ),
    (
        "a node is renamed that is due",
        "a -> b; b -> end",
        "a -> c; c was b; c -> end",
        "",
        2,
        "a c",
    ),
    (
        "a node is renamed that is done",
        "a -> b; b -> c; c -> end",
        "a -> x; x was b; x -> c; c -> end",
        "",
        3,
        "a b c",
    ),
    (
        "the first node is renamed",
        "a -> b; b -> end",
        "x was a; x -> b; b -> end",
        "",
        1,
        "x b",
    ),
    (
        "a node is renamed once more",
        "a -> b; b -> end",
        "a -> c; c was x; c was b; c -> end",
        "",
        2,
        "a c",
    ),
    (
        "a limit is raised, and the laps count",
        "a -> b; b X -> a limit 1 else c; b Y -> c; c -> end",
        "a -> b; b X -> a limit 2 else c; b Y -> c; c -> end",
        "b=X b=X b=X",
        3,
        "a b a b a b c",
    ),
    (
        "a limit is lowered, and the laps count",
        "a -> b; b X -> a limit 3 else c; b Y -> c; c -> end",
        "a -> b; b X -> a limit 1 else c; b Y -> c; c -> end",
        "b=X b=X b=X",
        3,
        "a b a b c",
    ),
    (
        "an else that was taken is still one",
        "a -> b; b X -> a limit 1 else c; b Y -> c; c -> end",
        "a -> b; b X -> a limit 5 else c; b Y -> end; c -> end",
        "b=X b=X",
        5,
        "a b a b c",
    ),
    (
        "a branch and the join are renamed",
        "a -> all x y join j; x -> j; y -> j; j -> end",
        "a -> all z y join k; z was x; z -> k; y -> k; k was j; k -> end",
        "",
        3,
        "a x y k",
    ),
    (
        "a fork that has joined has other branches",
        "a -> all x y join j; x -> j; y -> j; j -> k; k -> end",
        "a -> all y z join j; x -> j; y -> j; z X -> j; z Y -> x; j -> k; k -> end",
        "",
        5,
        "a x y j k",
    ),
    (
        "a fork is given another join before a branch is there",
        "a -> all x y join j; x -> j; y -> j; j -> end",
        "a -> all x y join k; x -> k; y -> k; k -> end",
        "",
        2,
        "a x y k",
    ),
    (
        "an error was caught",
        "a -> b; b -> end; b error -> c; c -> end",
        "a -> z; z -> end; z was b; z error -> d; d was c; d -> end",
        "b=fail",
        3,
        "a d",
    ),
    (
        "a node that was none is a graph",
        "a -> b; b -> c; c -> end",
        "a -> b; b is Court; b -> c; c -> end | x -> y; y -> end",
        "",
        2,
        "a x y b c",
    ),
];

pub(super) async fn changes_that_the_path_does_not_contradict_are_taken(place: &impl Place) {
    for (what, old, new, plan, whole, expected) in COMPATIBLE {
        let graphs = [graph("Line", old), graph("Line", new)];
        let path = changed(place, what, graphs, plan, whole).await;
        let path = path.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(path.join(" "), expected, "{what}");
    }
}

/// What is refused: the old graph, the new one, the plan, after how many entries, and the text.
const REFUSED: [(&str, &str, &str, &str, u64, &str); 13] = [
    (
        "renamed",
        "a -> b; b -> c; c -> end",
        "a -> x; x -> c; c -> end",
        "",
        2,
        "entry 2 names the node `b`, which the graph does not have; if it has another name now, write \
      `#[node(renamed_from = \"b\")]` on its field",
    ),
    (
        "renamed and done",
        "a -> b; b -> c; c -> end",
        "x -> c; c -> end",
        "",
        3,
        "entry 2 names the node `a`, which the graph does not have; if it has another name now, write \
      `#[node(renamed_from = \"a\")]` on its field",
    ),
    (
        "started elsewhere",
        "a -> b; b -> end",
        "x -> a; a -> b; b -> end",
        "",
        2,
        "entry 2 says that the run began at `a`, and the graph starts at `x`; start it there",
    ),
    (
        "edge gone",
        "a X -> c; a Y -> b; b -> c; c -> end",
        "a Y -> b; b -> c; c -> end",
        "a=X",
        2,
        "entry 2 took the edge `X => c` of node `a`, which the graph does not have; keep such an edge",
    ),
    (
        "which edge",
        "a -> b; b -> end",
        "a X -> b; a Y -> b; b -> end",
        "",
        2,
        "entry 2 took the edge `_ => b` of node `a`, which the graph does not have; keep such an edge",
    ),
    (
        "leads elsewhere",
        "a -> b; b -> end",
        "a -> c; c X -> b; c Y -> end; b -> end",
        "",
        2,
        "entry 2 took the edge `_` of node `a` to `b`, and it says `c` now; lead it there as before",
    ),
    (
        "ended",
        "a -> end",
        "a -> b; b -> end",
        "",
        2,
        "entry 2 took the edge `_` of node `a` to `end`, and it says `b` now; lead it there as before",
    ),
    (
        "else elsewhere",
        "a -> b; b X -> a limit 1 else c; b Y -> c; c -> end",
        "a -> b; b X -> a limit 1 else d; b Y -> c; c -> end; d -> end",
        "b=X b=X",
        5,
        "entry 5 took the edge `X` of node `b` to `c`, and it says `a(limit = 1, else = d)` now; lead it \
      there as before",
    ),
    (
        "another branch",
        "a -> all x y join j; x -> j; y -> j; j -> end",
        "a -> all x z join j; x -> j; y -> j; z X -> j; z Y -> y; j -> end",
        "",
        2,
        "entry 2 forked at node `a` into the branches `x`, `y`, which are under way, and the graph forks \
      into `x`, `z`; let those branches join first, with the graph that wrote them",
    ),
    (
        "other order",
        "a -> all x y join j; x -> j; y -> j; j -> end",
        "a -> all y x join j; x -> j; y -> j; j -> end",
        "",
        3,
        "entry 2 forked at node `a` into the branches `x`, `y`, which are under way, and the graph forks \
      into `y`, `x`; let those branches join first, with the graph that wrote them",
    ),
    (
        "no fork any more",
        "a -> all x y join j; x -> j; y -> j; j -> end",
        "a -> x; x -> y; y -> j; j -> end",
        "",
        5,
        "entry 2 took the edge `_` of node `a` to `all(x, y)`, and it says `x` now; lead it there as before",
    ),
    (
        "a graph under way",
        "a -> b; b is Court; b -> c; c -> end | x -> y; y -> end",
        "a -> b; b -> c; c -> end",
        "",
        4,
        "entry 2 is of node `b`, which was a graph over the same state and is none now; keep it one, or let \
      the thread pass it first",
    ),
    (
        "a graph that is done",
        "a -> b; b is Court; b -> c; c -> end | x -> y; y -> end",
        "a -> b; b -> c; c -> end",
        "",
        6,
        "entry 6 is of node `b`, which was a graph over the same state and is none now; keep it one, or let \
      the thread pass it first",
    ),
];

pub(super) async fn a_handoff_that_waits_for_approval_goes_where_it_leads_now(place: &impl Place) {
    let old = "a -> b approve may else c; b -> end; c -> end";
    let new = "a -> x approve may else y; x was b; x -> end; y was c; y -> end";
    let unsaid = "a -> x limit 3 else y; x was b; x -> end; y was c; y -> end";
    let cases = [
        ("approved", new, Approval::Approved, "a x"),
        ("refused", new, Approval::refused("no"), "a y"),
        (
            "refused, and not asked any more",
            unsaid,
            Approval::refused("no"),
            "a y",
        ),
    ];
    for (what, new, approval, expected) in cases {
        let thread = Runtime::new(graph("Line", old)).journal(place.open().await);
        let ask = thread
            .thread(what)
            .run(Walk::default())
            .await
            .unwrap()
            .paused()
            .unwrap();
        let thread = Runtime::new(graph("Line", new))
            .journal(place.open().await)
            .thread(what);
        assert_eq!(thread.asks().await.unwrap().first(), Some(&ask));
        let done = thread
            .resume(ask.id, approval)
            .await
            .unwrap()
            .finished()
            .unwrap();
        assert_eq!(thread.state().await.unwrap(), done, "{what}");
        assert_eq!(
            path(&thread.history().await.unwrap()).join(" "),
            expected,
            "{what}"
        );
    }
    let thread = Runtime::new(graph("Line", old)).journal(place.open().await);
    let ask = thread
        .thread("t")
        .run(Walk::default())
        .await
        .unwrap()
        .paused()
        .unwrap();
    let before = bytes(place, "t").await;
    let without = graph("Line", "a -> b; b X -> c; b Y -> end; c -> end");
    let thread = Runtime::new(without)
        .journal(place.open().await)
        .thread("t");
    let error = thread.resume(ask.id, Approval::Approved).await.unwrap_err();
    assert_eq!(
        plain(&error),
        "thread `t` belongs to the graph `Line` and not to `Line`: entry 2 took the edge `_` of node `a` to \
         `b, or to its `else`, as a person decides`, and it says `b` now; lead it there as before; or run \
         it with the graph that wrote it, or begin another thread"
    );
    assert_eq!(bytes(place, "t").await, before);
}

pub(super) async fn a_refused_handoff_whose_else_is_gone_is_a_difference(place: &impl Place) {
    let old = "a -> b approve may else c; b -> end; c -> end";
    let new = "a -> b; b X -> c; b Y -> end; c -> end";
    let thread = Runtime::new(graph("Line", old)).journal(place.open().await);
    let thread = thread.thread("t");
    let ask = thread.run(Walk::default()).await.unwrap().paused().unwrap();
    let stopping = Stopping::after(place.open().await, 1, false);
    let stopping = Runtime::new(graph("Line", old)).journal(stopping);
    let no = Approval::refused("no");
    stopping.thread("t").resume(ask.id, no).await.unwrap_err();
    let before = bytes(place, "t").await;
    let runtime = Runtime::new(graph("Line", new)).journal(place.open().await);
    let error = runtime.thread("t").recover().await.unwrap_err();
    assert_eq!(
        plain(&error),
        "thread `t` belongs to the graph `Line` and not to `Line`: entry 3 took the edge `_` of node `a` to \
         `c`, and it says `b` now; lead it there as before; or run it with the graph that wrote it, or begin \
         another thread"
    );
    assert_eq!(bytes(place, "t").await, before);
}

/// Fails, and asks when it is taken up again.
#[derive(Clone, Default)]
struct Moody(Arc<AtomicBool>);

#[node(Walk)]
impl Moody {
    async fn run(&self, done: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        if !self.0.swap(true, Ordering::Relaxed) {
            return Err(NodeError::new("not yet"));
        }
        done.push(cx.ask("what", &"And now?").await?);
        Ok(())
    }
}

pub(super) async fn nobody_begins_over_a_thread_that_failed_and_asks_now(place: &impl Place) {
    for is_trimmed in [false, true] {
        let within = GraphBuilder::new("Court").start("x");
        let within = within.node("x", Moody::default());
        let within = within.route("x", "_", To::end()).build().unwrap();
        let old = GraphBuilder::new("Line").start("a").subgraph("a", within);
        let old = old.route("a", "_", To::end()).build().unwrap();
        let name = format!("trimmed: {is_trimmed}");
        let runtime = Runtime::new(old).journal(place.open().await);
        let old = runtime.thread(&name);
        old.run(Walk::default()).await.unwrap_err();
        let ask = old.recover().await.unwrap().paused().unwrap();
        if is_trimmed {
            old.trim(1).await.unwrap();
        }
        let before = bytes(place, &name).await;
        let other = Runtime::new(graph("Other", "a -> end")).journal(place.open().await);
        let refused = other.thread(&name).run(Walk::default()).await;
        assert!(refused.is_err(), "{name}: it waits for an answer");
        assert_eq!(bytes(place, &name).await, before);
        let done = old.resume(ask.id, "this").await.unwrap();
        assert_eq!(done.finished().unwrap().done.len(), 1);
    }
}

pub(super) async fn a_run_begins_anew_over_one_that_ended_as_nobody_approved(place: &impl Place) {
    for is_trimmed in [false, true] {
        let clock = Clock::default();
        let question = |walk: &Walk| walk.done.len();
        let old = GraphBuilder::new("Line")
            .start("a")
            .question("may", question);
        let old = old.dyn_node("a", Step("a".to_owned(), vec!["Other".to_owned()]));
        let old = old.dyn_node("b", Step("b".to_owned(), vec!["Other".to_owned()]));
        let old = old.policy("a", Policy::new().answer(Duration::from_mins(1)));
        let old = old.route("a", "_", To::node("b").approve("may").or_end());
        let old = old.route("b", "_", To::end()).build().unwrap();
        let name = format!("trimmed: {is_trimmed}");
        let runtime = Runtime::new(old).journal(place.open().await);
        let old = runtime.clock(clock.tells()).thread(&name);
        assert!(old.run(Walk::default()).await.unwrap().paused().is_some());
        if is_trimmed {
            old.trim(1).await.unwrap();
        }
        clock.seconds(61);
        assert!(old.recover().await.unwrap().finished().is_some());
        let other = Runtime::new(graph("Other", "a -> end")).journal(place.open().await);
        let done = other.thread(&name).run(Walk::default()).await.unwrap();
        assert!(done.finished().is_some());
    }
}

/// A thread whose entries are gone, save the last ones.
pub(super) async fn a_thread_that_was_trimmed_goes_on_by_what_is_left_of_it(place: &impl Place) {
    for (what, old, new, plan, whole, _) in COMPATIBLE {
        if what.contains("another join") {
            // Nothing tells any more whether a branch had come to the old one: it is refused.
            continue;
        }
        let mut states = Vec::new();
        for is_trimmed in [false, true] {
            let what = format!("{what}, {is_trimmed}");
            let stopping = Stopping::after(place.open().await, whole, false);
            let runtime = Runtime::new(graph("Line", old)).journal(stopping);
            let _ = runtime.thread(&what).run(Walk::along(plan)).await;
            if is_trimmed {
                let runtime = Runtime::new(graph("Line", old)).journal(place.open().await);
                runtime.thread(&what).trim(1).await.unwrap();
            }
            let runtime = Runtime::new(graph("Line", new)).journal(place.open().await);
            let thread = runtime.thread(&what);
            let done = thread.recover().await;
            let done = done
                .unwrap_or_else(|error| panic!("{what}: {error}"))
                .finished()
                .unwrap();
            assert_eq!(thread.state().await.unwrap(), done, "{what}");
            thread.verify(None).await.unwrap();
            states.push(done);
        }
        assert_eq!(states[0], states[1], "{what}");
    }
}

pub(super) async fn a_run_begins_anew_over_one_that_was_trimmed_and_is_over(place: &impl Place) {
    let runtime = Runtime::new(graph("Line", "a -> b; b -> end")).journal(place.open().await);
    let _ = runtime.thread("t").run(Walk::default()).await.unwrap();
    runtime.thread("t").trim(1).await.unwrap();
    let failed = Runtime::new(graph("Line", "a -> b; b -> end")).journal(place.open().await);
    failed
        .thread("f")
        .run(Walk::along("b=fail"))
        .await
        .unwrap_err();
    failed.thread("f").trim(1).await.unwrap();

    let other = Runtime::new(graph("Track", "x -> y; y -> end")).journal(place.open().await);
    for thread in [other.thread("t"), other.thread("f")] {
        thread.state().await.unwrap_err();
        let done = thread
            .run(Walk::default())
            .await
            .unwrap()
            .finished()
            .unwrap();
        assert_eq!(done.done.len(), 2);
        assert_eq!(thread.state().await.unwrap(), done);
    }
}

/// Returns an error's text without the fingerprints.
pub(super) fn plain(error: &RunError) -> String {
    let text = error.to_string();
    let mut parts = text.split('#');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let is_print = part.len() > 16 && part.as_bytes()[..16].iter().all(u8::is_ascii_hexdigit);
        text + if is_print { &part[16..] } else { "#" } + if is_print { "" } else { part }
    })
}

pub(super) async fn changes_that_the_path_contradicts_are_refused_and_named(place: &impl Place) {
    for (what, old, new, plan, whole, expected) in REFUSED {
        let graphs = [graph("Line", old), graph("Line", new)];
        let refused = changed(place, what, graphs, plan, whole).await;
        let error = refused.map_err(|error| plain(&error));
        assert_eq!(
            error.unwrap_err(),
            format!(
                "thread `{what}` belongs to the graph `Line` and not to `Line`: {expected}; or run it \
                 with the graph that wrote it, or begin another thread"
            ),
        );
    }
}
