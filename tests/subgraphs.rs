//! Graphs as nodes: typed ends, other states, one journal, and every way in which one can be cut off.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    clippy::too_many_arguments,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::{Future, pending};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Place, Stopping, Tally, by_branch, chain, lines, writes};
use futures::StreamExt;
use handoffs::Layer;
use handoffs::prelude::*;
use handoffs::{
    Contract, Counter, Entry, Execute, Inner, Journal, Node, NodeError, NodeKind, Recorded,
    RunError, State, Thread,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

// ---- Nodes that do as they are told.

/// What a node is to do when it is executed, other than to say its name.
#[derive(Clone, Debug)]
enum Act {
    Fail(&'static str),
    Panic(&'static str),
    /// Asks, and says the answer.
    Ask(&'static str),
    /// Waits until it is dropped.
    Hang(Arc<Notify>),
    /// Concludes this.
    Say(Verdict),
}

/// What the nodes of a test share: what each is to do, in turn, and what was done.
#[derive(Clone, Debug, Default)]
struct Desk {
    acts: Arc<Mutex<BTreeMap<&'static str, VecDeque<Act>>>>,
    /// How often each node was executed.
    tally: Tally,
    /// How often each node was executed on each branch.
    places: Tally,
}

impl Desk {
    fn acts(self, node: &'static str, acts: impl IntoIterator<Item = Act>) -> Self {
        let mut all = self.acts.lock().unwrap();
        all.entry(node).or_default().extend(acts);
        drop(all);
        self
    }

    fn says(self, node: &'static str, verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        self.acts(node, verdicts.into_iter().map(Act::Say))
    }

    /// Does what the node is to do, and returns what it concludes and says.
    async fn act(
        &self,
        node: &'static str,
        cx: &mut Context<'_>,
    ) -> Result<(Verdict, String), NodeError> {
        self.tally.count(node);
        self.places.count(format!("{} {}", cx.branch(), cx.node()));
        let act = self
            .acts
            .lock()
            .unwrap()
            .get_mut(node)
            .and_then(|acts| match acts.front()? {
                // It asks until it has its answer.
                Act::Ask(_) => acts.front().cloned(),
                _ => acts.pop_front(),
            });
        match act {
            None => Ok((Verdict::Yes, node.to_owned())),
            Some(Act::Say(verdict)) => Ok((verdict, node.to_owned())),
            Some(Act::Fail(why)) => Err(NodeError::new(io::Error::other(why))),
            Some(Act::Panic(why)) => panic!("{why}"),
            Some(Act::Ask(key)) => {
                let answer: String = cx.ask(key, &format!("{node}?")).await?;
                Ok((Verdict::Yes, format!("{node}: {answer}")))
            }
            Some(Act::Hang(reached)) => {
                reached.notify_one();
                pending().await
            }
        }
    }
}

#[derive(Outcome, Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Yes,
    No,
    Maybe,
}

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Case {
    said: Log<String>,
    sum: Counter,
    stamp: Option<String>,
    #[state(progress)]
    laps: Counter,
}

/// Says its name.
struct Say(&'static str, Desk);

#[node(Case)]
impl Say {
    async fn run(
        &self,
        said: &mut Log<String>,
        sum: &mut Counter,
        laps: &mut Counter,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        let (_, word) = self.1.act(self.0, cx).await?;
        said.push(match cx.failure() {
            None => word,
            Some(failure) => format!(
                "{word} after {} of {} attempts: {}",
                failure.node, failure.attempts, failure.error
            ),
        });
        *sum += 1;
        *laps += 1;
        Ok(())
    }
}

/// Says its name and how it decides.
struct Weigh(&'static str, Desk);

#[node(Case)]
impl Weigh {
    async fn run(
        &self,
        said: &mut Log<String>,
        laps: &mut Counter,
        cx: &mut Context<'_>,
    ) -> Result<Verdict, NodeError> {
        let (verdict, word) = self.1.act(self.0, cx).await?;
        said.push(format!("{word} {verdict:?}").to_lowercase());
        *laps += 1;
        Ok(verdict)
    }
}

fn owned<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

async fn finish<G, J>(thread: &Thread<G, J>, state: G::State) -> G::State
where
    G: handoffs::Runnable,
    J: handoffs::Keep,
{
    let run = thread.run(state).await;
    run.unwrap().finished().unwrap()
}

/// By the graph's own edges, each decision leads where it led.
async fn leads_where_it_led<G, J>(thread: &Thread<G, J>)
where
    G: handoffs::Runnable,
    J: Journal,
{
    let rerouted = thread.reroute().await.unwrap();
    assert!(rerouted.is_same(), "{rerouted:#?}");
    assert!(rerouted.decisions > 0);
}

// ---- The same state: an end that is typed, and a loop of the graph around it.

#[derive(AgentGraph)]
#[graph(state = Case, start = open, outcome = Verdict)]
struct Court {
    #[route(_ => weigh)]
    open: Say,
    #[route(
        Verdict::Yes => end(Verdict::Yes),
        Verdict::Maybe => open(limit = 1, else = end(Verdict::No)),
        Verdict::No => end(Verdict::Maybe),
    )]
    weigh: Weigh,
}

fn court(desk: &Desk) -> Court {
    Court {
        open: Say("open", desk.clone()),
        weigh: Weigh("weigh", desk.clone()),
    }
}

#[derive(AgentGraph)]
#[graph(state = Case, start = plan)]
struct Town {
    #[route(_ => court)]
    plan: Say,
    #[route(
        Verdict::Yes => last,
        Verdict::Maybe => plan(limit = 2, else = end),
        Verdict::No => lost,
    )]
    court: Court,
    #[route(_ => end)]
    lost: Say,
    #[route(_ => end)]
    last: Say,
}

fn town(desk: &Desk) -> Town {
    let say = |name| Say(name, desk.clone());
    Town {
        plan: say("plan"),
        court: court(desk),
        lost: say("lost"),
        last: say("last"),
    }
}

async fn the_graph_around_routes_on_what_a_graph_ended_with(at: &impl Place) {
    use Verdict::{Maybe, No, Yes};
    let cases: [(&str, &[Verdict], &[&str]); 4] = [
        ("yes", &[Yes], &["plan", "open", "weigh yes", "last"]),
        (
            "no",
            &[No, Yes],
            &[
                "plan",
                "open",
                "weigh no",
                "plan",
                "open",
                "weigh yes",
                "last",
            ],
        ),
        (
            "else",
            &[Maybe, Maybe],
            &["plan", "open", "weigh maybe", "open", "weigh maybe", "lost"],
        ),
        (
            "masked",
            &[No, No, No],
            &[
                "plan", "open", "weigh no", "plan", "open", "weigh no", "plan", "open", "weigh no",
            ],
        ),
    ];
    for (name, verdicts, expected) in cases {
        let desk = || Desk::default().says("weigh", verdicts.iter().copied());
        let without = finish(&Runtime::new(town(&desk())).thread("t"), Case::default()).await;
        assert_eq!(without.said, expected, "{name}");
        let thread = Runtime::new(town(&desk())).journal(at.open().await);
        let thread = thread.thread(name);
        assert_eq!(finish(&thread, Case::default()).await, without, "{name}");
        let again = Runtime::new(town(&desk())).journal(at.open().await);
        let again = again.thread(name);
        assert_eq!(again.state().await.unwrap(), without, "{name}");
        assert_eq!(again.status().await.unwrap(), Status::Finished);
        assert_eq!(again.recover().await.unwrap().finished(), Some(without));
    }
}

async fn each_visit_is_a_run_of_its_own_in_the_same_journal(at: &impl Place) {
    use Verdict::{Maybe, No, Yes};
    // The limit of the inner edge counts anew in each visit.
    let desk = Desk::default().says("weigh", [Maybe, No, Maybe, Yes]);
    let thread = Runtime::new(town(&desk))
        .journal(at.open().await)
        .thread("t");
    finish(&thread, Case::default()).await;
    let history = thread.history().await.unwrap();
    let all: Vec<_> = history
        .iter()
        .zip(lines(&history))
        .map(|(entry, line)| format!("{}|{}|{line}", entry.branch, entry.graph.name()))
        .collect();
    assert_eq!(
        all,
        [
            "|Town|started",
            "|Town|plan: _ => court",
            "2.0|Court|started",
            "2.0|Court|open: _ => weigh",
            "2.0|Court|weigh: Verdict::Maybe => open",
            "2.0|Court|open: _ => weigh",
            "2.0|Court|weigh: Verdict::No => end",
            "|Town|court: Verdict::Maybe => plan",
            "|Town|plan: _ => court",
            "9.0|Court|started",
            "9.0|Court|open: _ => weigh",
            "9.0|Court|weigh: Verdict::Maybe => open",
            "9.0|Court|open: _ => weigh",
            "9.0|Court|weigh: Verdict::Yes => end",
            "|Town|court: Verdict::Yes => last",
            "|Town|last: _ => end",
        ]
    );
}

async fn what_a_graph_of_the_same_state_wrote_is_kept_once(at: &impl Place) {
    let thread = Runtime::new(town(&Desk::default())).journal(at.open().await);
    let thread = thread.thread("t");
    let state = finish(&thread, Case::default()).await;
    let history = thread.history().await.unwrap();
    let written: Vec<_> = history.iter().skip(1).map(writes).collect();
    let say = |name: &str, count: u32, laps: u32| {
        vec![
            format!("said += [\"{name}\"]"),
            format!("sum = {count}"),
            format!("laps = {laps}"),
        ]
    };
    assert_eq!(
        written,
        [
            say("plan", 1, 1),
            vec![],
            say("open", 2, 2),
            owned(["said += [\"weigh yes\"]", "laps = 3"]),
            vec![],
            say("last", 3, 4),
        ]
    );
    assert_eq!(thread.state().await.unwrap(), state);
}

#[tokio::test]
async fn whoever_listens_hears_what_happens_within() {
    for journal in [false, true] {
        let runtime = Runtime::new(town(&Desk::default()));
        let mut events = if journal {
            runtime
                .journal(Memory::default())
                .thread("t")
                .stream(Case::default())
        } else {
            runtime.thread("t").stream(Case::default())
        };
        let mut heard = Vec::new();
        while let Some(event) = events.next().await {
            heard.push(match event.unwrap() {
                Event::Entered { node, .. } => format!("{node} begins"),
                Event::Stepped { node, to, .. } => format!("{node} => {to}"),
                Event::Within { node, event, .. } => match event {
                    Inner::Entered { node: within, .. } => format!("{node}/{within} begins"),
                    Inner::Stepped {
                        node: within,
                        to,
                        outcome,
                        ..
                    } => format!(
                        "{node}/{within} {} => {}",
                        outcome.variant,
                        to.as_deref().unwrap_or("end")
                    ),
                    other => panic!("{other:?}"),
                },
                Event::Finished(_) => "finished".to_owned(),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(
            heard,
            [
                "plan begins",
                "plan => court",
                "court begins",
                "court/open begins",
                "court/open () => weigh",
                "court/weigh begins",
                "court/weigh Yes => end",
                "court => last",
                "last begins",
                "last => end",
                "finished",
            ],
            "{journal}"
        );
    }
}

/// Returns how many handoffs are written: steps that led to another node.
fn handoffs(history: &[Entry]) -> u64 {
    let handoff = |entry: &&Entry| match &entry.event {
        Recorded::Stepped { to, fork, .. } => to.is_some() || fork.is_some(),
        Recorded::Caught { to, .. } => to.is_some(),
        _ => false,
    };
    history.iter().filter(handoff).count() as u64
}

#[tokio::test]
async fn the_bound_of_handoffs_counts_what_happens_within() {
    use Verdict::{Maybe, No, Yes};
    assert_eq!(Court::MAX_HANDOFFS, 3);
    // Three visits of the court, with plan before each and one of the others behind the last.
    assert_eq!(Town::MAX_HANDOFFS, 3 + 2 + 1 + 3 * 3);
    let desk = Desk::default().says("weigh", [Maybe, No, Maybe, No, Maybe, Yes]);
    let runtime = Runtime::new(town(&desk)).journal(Memory::default());
    finish(&runtime.thread("t"), Case::default()).await;
    let history = runtime.thread("t").history().await.unwrap();
    assert_eq!(handoffs(&history), Town::MAX_HANDOFFS);
}

// ---- Another state, two levels deep, in a branch and behind a worker.

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Slip {
    lines: Log<String>,
    level: u32,
    key: Option<String>,
}

struct Write(&'static str, Desk);

#[node(Slip)]
impl Write {
    async fn run(
        &self,
        lines: &mut Log<String>,
        level: &mut u32,
        cx: &mut Context<'_>,
    ) -> Result<Verdict, NodeError> {
        let (verdict, word) = self.1.act(self.0, cx).await?;
        lines.push(word);
        *level += 1;
        Ok(verdict)
    }
}

/// The innermost graph.
#[derive(AgentGraph)]
#[graph(state = Slip, start = ink, outcome = Verdict)]
struct Pen {
    #[route(_ => sand)]
    ink: Write,
    #[route(
        Verdict::No => end(Verdict::No),
        Verdict::Yes => end(Verdict::Yes),
        Verdict::Maybe => ink(limit = 2, else = end(Verdict::No)),
    )]
    sand: Write,
}

fn pen(desk: &Desk) -> Pen {
    Pen {
        ink: Write("ink", desk.clone()),
        sand: Write("sand", desk.clone()),
    }
}

fn slip(case: &Case) -> Slip {
    Slip {
        lines: Log::from(vec![format!("after {}", case.said.len())]),
        level: 10,
        key: case.stamp.clone(),
    }
}

#[node(Case)]
async fn file(slip: Slip, said: &mut Log<String>, sum: &mut Counter) {
    said.push(slip.lines.to_vec().join(" "));
    *sum += i64::from(slip.level);
}

/// The graph in the middle, over the outer state; within it one over another.
#[derive(AgentGraph)]
#[graph(state = Case, start = enter, outcome = Verdict)]
struct Office {
    #[route(_ => all(left, pen) join meet)]
    enter: Say,
    #[route(_ => meet)]
    left: Say,
    #[route(_ => meet)]
    #[subgraph(enter = slip, leave = file)]
    pen: Pen,
    #[route(_ => court)]
    meet: Say,
    #[route(
        Verdict::Yes => end(Verdict::Yes),
        Verdict::No => end(Verdict::No),
        Verdict::Maybe => end(Verdict::Maybe),
    )]
    court: Court,
}

fn office(desk: &Desk) -> Office {
    let say = |name| Say(name, desk.clone());
    Office {
        enter: say("enter"),
        left: say("left"),
        pen: pen(desk),
        meet: say("meet"),
        court: court(desk),
    }
}

fn visitors(case: &Case) -> Vec<String> {
    (0..case.sum.get())
        .map(|visitor| format!("v{visitor}"))
        .collect()
}

struct Usher(Desk);

#[node(Case)]
impl Usher {
    async fn run(
        &self,
        visitor: String,
        said: &mut Log<String>,
        laps: &mut Counter,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        self.0.act("usher", cx).await?;
        said.push(visitor);
        *laps += 1;
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Case, start = plan)]
struct City {
    #[route(_ => all(office, usher_all, pen) join done)]
    plan: Say,
    #[route(_ => done)]
    office: Office,
    #[route(_ => each(visitors) usher join ushered)]
    usher_all: Say,
    #[route(_ => booth)]
    usher: Usher,
    #[route(_ => ushered)]
    #[subgraph(enter = slip, leave = file)]
    booth: Pen,
    #[route(_ => done)]
    ushered: Say,
    #[route(_ => done)]
    #[subgraph(enter = slip, leave = file)]
    pen: Pen,
    #[route(
        Verdict::Maybe => done(limit = 1, else = end),
        _ => last,
    )]
    done: Office,
    #[route(_ => end)]
    last: Say,
}

fn city(desk: &Desk) -> City {
    let say = |name| Say(name, desk.clone());
    City {
        plan: say("plan"),
        office: office(desk),
        usher_all: say("usher_all"),
        usher: Usher(desk.clone()),
        booth: pen(desk),
        ushered: say("ushered"),
        pen: pen(desk),
        done: office(desk),
        last: say("last"),
    }
}

const OFFICE: [&str; 6] = ["enter", "left", "PEN", "meet", "open", "weigh yes"];

fn city_after() -> Vec<String> {
    let office = |before: usize| {
        OFFICE.map(|word| match word {
            // The branch of the fork within began after `enter`.
            "PEN" => format!("after {} ink sand", before + 1),
            word => word.to_owned(),
        })
    };
    let mut said = owned(["plan"]);
    said.extend(office(1));
    said.extend(owned([
        "usher_all",
        "v0",
        "after 3 ink sand",
        "v1",
        "after 3 ink sand",
        "ushered",
        "after 1 ink sand",
    ]));
    let before = said.len();
    said.extend(office(before));
    said.push("last".to_owned());
    said
}

async fn graphs_in_branches_of_graphs_in_branches_come_to_one_end(at: &impl Place) {
    let without = finish(
        &Runtime::new(city(&Desk::default())).thread("t"),
        Case::default(),
    )
    .await;
    assert_eq!(without.said, city_after());
    let desk = Desk::default();
    let thread = Runtime::new(city(&desk))
        .journal(at.open().await)
        .thread("t");
    assert_eq!(finish(&thread, Case::default()).await, without);
    let again = Runtime::new(city(&desk))
        .journal(at.open().await)
        .thread("t");
    assert_eq!(again.state().await.unwrap(), without);
    // Every entry stands under the graph that wrote it, as deep as that is.
    let history = again.history().await.unwrap();
    let depths: BTreeSet<_> = history
        .iter()
        .map(|entry| {
            let depth = entry.branch.to_string().matches('.').count();
            (entry.graph.name().to_owned(), depth)
        })
        .collect();
    let expected = [
        ("City", 0),
        ("City", 1),
        ("City", 2),
        ("Court", 2),
        ("Court", 3),
        ("Office", 1),
        ("Office", 2),
        ("Office", 3),
        ("Pen", 2),
        ("Pen", 3),
        ("Pen", 4),
    ];
    assert_eq!(
        depths.into_iter().collect::<Vec<_>>(),
        expected.map(|(name, depth)| (name.to_owned(), depth))
    );
    let inner = by_branch(&history);
    assert!(
        inner
            .iter()
            .any(|line| line == "0.0.1.0 sand: Verdict::Yes => end"),
        "{inner:#?}"
    );
}

#[tokio::test]
async fn what_happens_two_levels_deep_is_heard_once() {
    let thread = Runtime::new(city(&Desk::default())).journal(Memory::default());
    let mut events = thread.thread("t").stream(Case::default());
    let mut heard = BTreeMap::<String, u32>::new();
    while let Some(event) = events.next().await {
        if let Event::Within { node, event, .. } = event.unwrap() {
            let mut path = node.to_string();
            let mut event = event;
            while let Inner::Within {
                node,
                event: within,
                ..
            } = event
            {
                path = format!("{path}/{node}");
                event = *within;
            }
            if let Inner::Stepped { node, .. } = event {
                *heard.entry(format!("{path}/{node}")).or_default() += 1;
            }
        }
    }
    let expected = [
        ("booth/ink", 2),
        ("booth/sand", 2),
        ("done/court", 1),
        ("done/court/open", 1),
        ("done/court/weigh", 1),
        ("done/enter", 1),
        ("done/left", 1),
        ("done/meet", 1),
        ("done/pen", 1),
        ("done/pen/ink", 1),
        ("done/pen/sand", 1),
        ("office/court", 1),
        ("office/court/open", 1),
        ("office/court/weigh", 1),
        ("office/enter", 1),
        ("office/left", 1),
        ("office/meet", 1),
        ("office/pen", 1),
        ("office/pen/ink", 1),
        ("office/pen/sand", 1),
        ("pen/ink", 1),
        ("pen/sand", 1),
    ];
    assert_eq!(
        heard,
        expected
            .map(|(path, count)| (path.to_owned(), count))
            .into()
    );
}

#[test]
fn a_drawing_shows_a_graph_within_as_a_cluster() {
    let dot = City::topology().dot().to_string();
    let clusters: Vec<_> = dot
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("subgraph \"cluster_")?
                .strip_suffix("\" {")
        })
        // Those of branches are named after their joins.
        .filter(|cluster| !cluster.ends_with("/join"))
        .collect();
    let expected = [
        "office",
        "office/pen",
        "office/court",
        "booth",
        "pen",
        "done",
        "done/pen",
        "done/court",
    ];
    assert_eq!(clusters, expected, "{dot}");
    assert!(
        dot.contains(r#""office/court/weigh" [label="weigh""#),
        "{dot}"
    );
}

// ---- Cut off anywhere.

/// How many steps each branch has written of each node.
fn written(history: &[Entry]) -> BTreeMap<String, u32> {
    let mut written = BTreeMap::new();
    for entry in history {
        if let Recorded::Stepped { node, .. } = &entry.event {
            *written
                .entry(format!("{} {node}", entry.branch))
                .or_default() += 1;
        }
    }
    written
}

/// Checks that whatever was executed since `before` is what was written since.
fn each_step_was_executed_once(desk: &Desk, before: &[Entry], after: &[Entry], case: &str) {
    let before = written(before);
    let mut new = written(after);
    for (step, count) in &mut new {
        *count -= before.get(step).copied().unwrap_or(0);
    }
    // Where a graph is the node, there is nothing to execute but what is within.
    let executed = desk.places.all();
    new.retain(|step, count| {
        let name = step.rsplit(' ').next().unwrap();
        let is_graph = ["office", "done", "court", "pen", "booth"].contains(&name);
        *count > 0 && !is_graph
    });
    assert_eq!(executed, new, "{case}");
}

async fn whatever_append_a_run_dies_at_its_graphs_go_on_where_they_were(at: &impl Place) {
    let expected = finish(
        &Runtime::new(city(&Desk::default())).thread("t"),
        Case::default(),
    )
    .await;
    let mut cases = 0;
    'all: for append in 0.. {
        for keeps_last in [false, true] {
            let name = format!("{append} {keeps_last}");
            let journal = Stopping::after(at.open().await, append, keeps_last);
            let thread = Runtime::new(city(&Desk::default())).journal(journal);
            match thread.thread(&*name).run(Case::default()).await {
                Ok(_) => break 'all,
                Err(RunError::Journal { .. }) => {}
                Err(error) => panic!("{name}: {error:?}"),
            }
            cases += 1;
            let desk = Desk::default();
            let thread = Runtime::new(city(&desk)).journal(at.open().await);
            let thread = thread.thread(&*name);
            let before = thread.history().await.unwrap();
            if before.is_empty() {
                let error = thread.recover().await.unwrap_err();
                assert!(matches!(error, RunError::UnknownThread { .. }), "{error:?}");
                continue;
            }
            assert!(thread.reroute().await.unwrap().is_same(), "{name}");
            let state = thread.recover().await;
            let state = state.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_eq!(state.finished().as_ref(), Some(&expected), "{name}");
            let after = thread.history().await.unwrap();
            each_step_was_executed_once(&desk, &before, &after, &name);
            assert_eq!(thread.state().await.unwrap(), expected, "{name}");
            leads_where_it_led(&thread).await;
        }
    }
    assert!(cases > 40, "{cases}");
}

// ---- Pauses within.

async fn questions_of_graphs_within_are_answered_in_any_order_on_any_machine(at: &impl Place) {
    let desk = || {
        Desk::default()
            .acts("left", [Act::Ask("l")])
            .acts("usher", [Act::Ask("u")])
            .acts("sand", [Act::Ask("s")])
    };
    let thread = |name: String| async move {
        Runtime::new(city(&desk()))
            .journal(at.open().await)
            .thread(name)
    };
    let mut ends = Vec::new();
    for seed in 0..6_usize {
        let name = format!("t{seed}");
        let asked = thread(name.clone()).await.run(Case::default()).await;
        let first = asked.unwrap().paused().unwrap();
        let mut rounds = 0;
        let end = loop {
            let reopened = thread(name.clone()).await;
            let asks = reopened.asks().await.unwrap();
            assert!(asks.is_sorted_by_key(|ask| ask.id));
            if rounds == 0 {
                assert_eq!(asks[0], first);
                let nodes: Vec<_> = asks.iter().map(|ask| &*ask.node).collect();
                assert_eq!(nodes.len(), 5, "{nodes:?}");
                assert_eq!(
                    reopened.status().await.unwrap(),
                    Status::Paused(first.clone())
                );
            }
            let ask = asks[(seed * 7 + rounds) % asks.len()].clone();
            rounds += 1;
            let reopened = thread(name.clone()).await;
            let answer = format!("{} answered", ask.key);
            let run = reopened.resume(ask.id, answer).await.unwrap();
            let error = reopened.resume(ask.id, "again").await.unwrap_err();
            assert!(matches!(error, RunError::NotAsked { .. }), "{error:?}");
            match run {
                Run::Paused(next) => {
                    assert_ne!(next.id, ask.id);
                    // Nothing is lost and nothing moves without an answer.
                    assert_eq!(reopened.recover().await.unwrap(), Run::Paused(next));
                }
                Run::Finished(state) => break state,
            }
        };
        // left twice, the ushers, and sand in five pens.
        assert_eq!(rounds, 2 + 2 + 5, "{name}");
        assert_eq!(thread(name).await.state().await.unwrap(), end);
        ends.push(end);
    }
    assert!(ends.windows(2).all(|two| two[0] == two[1]));
    let said = ends[0].said.to_vec().join("|");
    assert!(
        said.contains("left: l answered|after 2 ink sand: s answered|meet"),
        "{said}"
    );
}

async fn an_answer_of_a_wrong_type_leaves_the_question_within_open(at: &impl Place) {
    let desk = Desk::default().acts("weigh", [Act::Ask("w")]);
    let thread = Runtime::new(town(&desk))
        .journal(at.open().await)
        .thread("t");
    let ask = thread.run(Case::default()).await.unwrap().paused().unwrap();
    assert_eq!((&*ask.node, &*ask.key), ("weigh", "w"));
    let before = thread.history().await.unwrap().len();
    let error = thread.resume(ask.id, 12).await.unwrap_err();
    let RunError::WrongAnswer { node, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(node, "weigh");
    assert_eq!(thread.history().await.unwrap().len(), before);
    assert_eq!(thread.status().await.unwrap(), Status::Paused(ask.clone()));
    let state = thread
        .resume(ask.id, "go")
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(state.said, ["plan", "open", "weigh: go yes", "last"]);
}

#[tokio::test]
async fn without_a_journal_a_question_within_is_refused() {
    let desk = Desk::default().acts("weigh", [Act::Ask("w")]);
    let error = Runtime::new(town(&desk))
        .thread("t")
        .run(Case::default())
        .await;
    let error = error.unwrap_err();
    let RunError::NoJournal { node, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(node, "weigh");
}

// ---- Failures within.

#[derive(AgentGraph)]
#[graph(state = Case, start = plan)]
struct Careful {
    #[route(_ => court)]
    plan: Say,
    #[route(Verdict::Yes => last, _ => end)]
    #[retry(times = 3, backoff = "1s", jitter = false)]
    #[on_error(then = mend)]
    court: Court,
    #[route(_ => end)]
    mend: Say,
    #[route(_ => end)]
    last: Say,
}

fn careful(desk: &Desk) -> Careful {
    let say = |name| Say(name, desk.clone());
    Careful {
        plan: say("plan"),
        court: court(desk),
        mend: say("mend"),
        last: say("last"),
    }
}

/// Lets the waits of retries pass at once.
async fn paused<T>(run: impl Future<Output = T>) -> T {
    tokio::time::pause();
    let done = run.await;
    tokio::time::resume();
    done
}

async fn another_attempt_goes_on_where_the_graph_within_failed(at: &impl Place) {
    let desk = Desk::default().acts("weigh", [Act::Fail("once"), Act::Panic("twice")]);
    let thread = Runtime::new(careful(&desk))
        .journal(at.open().await)
        .thread("t");
    let state = paused(Box::pin(finish(&thread, Case::default()))).await;
    assert_eq!(state.said, ["plan", "open", "weigh yes", "last"]);
    let executed = [("last", 1), ("open", 1), ("plan", 1), ("weigh", 3)];
    assert_eq!(
        desk.tally.all(),
        executed
            .map(|(node, count)| (node.to_owned(), count))
            .into()
    );
    let again = Runtime::new(careful(&desk))
        .journal(at.open().await)
        .thread("t");
    assert_eq!(again.state().await.unwrap(), state);
    assert_eq!(again.recover().await.unwrap().finished(), Some(state));
    let history = again.history().await.unwrap();
    let started = lines(&history)
        .iter()
        .filter(|line| *line == "started")
        .count();
    assert_eq!(started, 2, "{:#?}", lines(&history));
}

#[tokio::test(start_paused = true)]
async fn without_a_journal_another_attempt_begins_the_graph_within_anew() {
    let desk = Desk::default().acts("weigh", [Act::Fail("once"), Act::Panic("twice")]);
    let thread = Runtime::new(careful(&desk)).thread("t");
    let state = finish(&thread, Case::default()).await;
    assert_eq!(state.said, ["plan", "open", "weigh yes", "last"]);
    assert_eq!(desk.tally.of("open"), 3);
}

async fn a_fallback_reads_why_the_graph_failed_and_its_writes_are_gone(at: &impl Place) {
    let fails = || {
        let fails = ["one", "two", "three"].map(Act::Fail);
        Desk::default().acts("weigh", fails)
    };
    let expected = "mend after court of 3 attempts: node `weigh` of thread `t` failed";
    let desk = fails();
    let thread = Runtime::new(careful(&desk))
        .journal(at.open().await)
        .thread("t");
    let state = paused(Box::pin(finish(&thread, Case::default()))).await;
    assert_eq!(state.said.len(), 2, "{state:?}");
    assert!(state.said[1].starts_with(expected), "{state:?}");
    assert!(state.said[1].ends_with("three"), "{state:?}");
    assert_eq!(state.sum.get(), 2, "nothing of the failed graph is left");
    let again = Runtime::new(careful(&desk))
        .journal(at.open().await)
        .thread("t");
    assert_eq!(again.state().await.unwrap(), state);
    assert_eq!(desk.tally.of("open"), 1);
}

/// A graph in which an error within is nobody's to handle.
async fn an_error_within_names_the_inner_node_and_recover_tries_only_that_again(at: &impl Place) {
    for (name, act, text) in [
        ("fail", Act::Fail("no ink"), "no ink"),
        ("panic", Act::Panic("spilt"), "spilt"),
    ] {
        let desk = Desk::default().acts("weigh", [act]);
        let thread = Runtime::new(town(&desk))
            .journal(at.open().await)
            .thread(name);
        let error = thread.run(Case::default()).await.unwrap_err();
        assert_eq!(error.node(), Some("court"), "{error:?}");
        let said = chain(&error);
        for part in ["node `court`", "node `weigh`", text] {
            assert!(said.contains(part), "`{part}` is missing in: {said}");
        }
        let again = Runtime::new(town(&desk))
            .journal(at.open().await)
            .thread(name);
        let status = again.status().await.unwrap();
        let Status::Failed { node, error, .. } = &status else {
            panic!("{status:?}");
        };
        assert_eq!(*node, TownNode::Court);
        assert!(error.contains(text), "{error}");
        let state = again.recover().await.unwrap().finished().unwrap();
        assert_eq!(state.said, ["plan", "open", "weigh yes", "last"]);
        assert_eq!(again.state().await.unwrap(), state);
        assert_eq!((desk.tally.of("open"), desk.tally.of("weigh")), (1, 2));
    }
}

async fn after_an_error_within_another_run_may_begin(at: &impl Place) {
    let desk = Desk::default().acts("weigh", [Act::Fail("no ink")]);
    let thread = Runtime::new(town(&desk))
        .journal(at.open().await)
        .thread("t");
    thread.run(Case::default()).await.unwrap_err();
    let state = finish(&thread, Case::default()).await;
    assert_eq!(state.said, ["plan", "open", "weigh yes", "last"]);
    assert_eq!(thread.state().await.unwrap(), state);
    assert_eq!(desk.tally.of("open"), 2);
}

/// Dies at an append within, while attempts are made.
async fn whatever_append_a_run_with_retries_dies_at_it_goes_on(at: &impl Place) {
    let fails = || Desk::default().acts("weigh", [Act::Fail("once"), Act::Fail("twice")]);
    let mut died = 0;
    'all: for append in 1.. {
        for keeps_last in [false, true] {
            let name = format!("{append} {keeps_last}");
            let desk = fails();
            let journal = Stopping::after(at.open().await, append, keeps_last);
            let thread = Runtime::new(careful(&desk)).journal(journal).thread(&*name);
            match paused(Box::pin(thread.run(Case::default()))).await {
                Ok(_) => break 'all,
                Err(RunError::Journal { .. }) => died += 1,
                Err(error) => panic!("{name}: {error:?}"),
            }
            let thread = Runtime::new(careful(&desk)).journal(at.open().await);
            let thread = thread.thread(&*name);
            let before = thread.history().await.unwrap();
            desk.places.clear();
            let state = paused(Box::pin(thread.recover())).await;
            let state = state.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let state = state.finished().unwrap();
            assert_eq!(state.said, ["plan", "open", "weigh yes", "last"], "{name}");
            let after = thread.history().await.unwrap();
            let (before, after) = (written(&before), written(&after));
            for (step, count) in desk.places.all() {
                if !step.ends_with("weigh") {
                    let of = |steps: &BTreeMap<_, _>| steps.get(&step).copied().unwrap_or(0);
                    assert_eq!(count, of(&after) - of(&before), "{name}: {step}");
                }
            }
            assert_eq!(thread.state().await.unwrap(), state, "{name}");
            leads_where_it_led(&thread).await;
        }
    }
    assert!(died > 12, "{died}");
}

// ---- A conflict is nobody's failure.

async fn a_conflict_within_is_no_failure_of_the_node(at: &impl Place) {
    let reached = Arc::new(Notify::new());
    let desk = Desk::default().acts("weigh", [Act::Hang(Arc::clone(&reached))]);
    let slow = Runtime::new(careful(&desk))
        .journal(at.open().await)
        .thread("t");
    let fast = Runtime::new(careful(&desk))
        .journal(at.open().await)
        .thread("t");
    // The slow worker is dropped, and its place is taken by one that does not know of the fast one.
    let stale = Stale::of(at.open().await);
    let third = Runtime::new(careful(&desk))
        .journal(stale.clone())
        .thread("t");
    tokio::select! {
        ended = slow.run(Case::default()) => panic!("{ended:?}"),
        () = reached.notified() => {}
    }
    stale.freeze().await;
    let won = fast.recover().await.unwrap().finished().unwrap();
    let error = third.recover().await.unwrap_err();
    assert!(error.is_conflict(), "{error:?}");
    assert_eq!(won.said, ["plan", "open", "weigh yes", "last"]);
    assert_eq!(desk.tally.of("mend"), 0);
    // hung, won, and executed once more by the loser, who then saw that it was late.
    assert_eq!(desk.tally.of("weigh"), 3);
    assert_eq!(fast.state().await.unwrap(), won);
    let history = fast.history().await.unwrap();
    let attempts = |entry: &&Entry| {
        matches!(
            entry.event,
            Recorded::Attempted { .. } | Recorded::Caught { .. } | Recorded::Failed { .. }
        )
    };
    assert_eq!(history.iter().filter(attempts).count(), 0);
}

/// A journal that shows what a thread was when it was frozen.
#[derive(Clone, Debug)]
struct Stale<J> {
    kept: J,
    frozen: Arc<Mutex<Option<Vec<handoffs::Record>>>>,
}

impl<J: Journal> Stale<J> {
    fn of(kept: J) -> Self {
        Self {
            kept,
            frozen: Arc::default(),
        }
    }

    async fn freeze(&self) {
        let records = self.kept.read(&"t".into(), 0).await.unwrap();
        *self.frozen.lock().unwrap() = Some(records);
    }
}

#[async_trait::async_trait]
impl<J: Journal> Layer for Stale<J> {
    type Within = J;

    fn within(&self) -> &J {
        &self.kept
    }

    async fn append(
        &self,
        thread: &handoffs::ThreadId,
        head: u64,
        records: Vec<handoffs::Record>,
        durability: handoffs::Durability,
    ) -> Result<(), handoffs::JournalError> {
        self.kept.append(thread, head, records, durability).await
    }

    async fn read(
        &self,
        _: &handoffs::ThreadId,
        _: u64,
    ) -> Result<Vec<handoffs::Record>, handoffs::JournalError> {
        Ok(self.frozen.lock().unwrap().clone().unwrap())
    }
}

// ---- A graph within that takes too long.

#[derive(AgentGraph)]
#[graph(state = Case, start = plan)]
struct Timed {
    #[route(_ => court)]
    plan: Say,
    #[route(Verdict::Yes => last, _ => end)]
    #[timeout("1h")]
    #[retry(times = 2, backoff = "1ms", jitter = false)]
    court: Court,
    #[route(_ => end)]
    last: Say,
}

async fn a_graph_that_takes_too_long_is_stopped_and_goes_on_where_it_was(at: &impl Place) {
    let reached = Arc::new(Notify::new());
    let desk = Desk::default().acts("weigh", [Act::Hang(Arc::clone(&reached))]);
    let timed = Timed {
        plan: Say("plan", desk.clone()),
        court: court(&desk),
        last: Say("last", desk.clone()),
    };
    let thread = Runtime::new(timed).journal(at.open().await).thread("t");
    let late = async {
        reached.notified().await;
        // The clock stands still for the graph only: what writes the journal knows nothing of it.
        paused(tokio::time::advance(Duration::from_hours(1))).await;
    };
    let (state, ()) = tokio::join!(finish(&thread, Case::default()), late);
    assert_eq!(state.said, ["plan", "open", "weigh yes", "last"]);
    assert_eq!((desk.tally.of("open"), desk.tally.of("weigh")), (1, 2));
    assert_eq!(thread.state().await.unwrap(), state);
}

// ---- A graph in the middle that tries the innermost again.

#[derive(AgentGraph)]
#[graph(state = Case, start = first, outcome = Verdict)]
struct Middle {
    #[route(_ => pen)]
    first: Say,
    #[route(Verdict::Yes => end(Verdict::Yes), _ => end(Verdict::No))]
    #[subgraph(enter = slip, leave = file_or_fail)]
    #[retry(times = 2, backoff = "1s", jitter = false)]
    pen: Pen,
}

/// Fails on a slip without a second line of ink.
#[node(Case)]
async fn file_or_fail(
    slip: Slip,
    said: &mut Log<String>,
    cx: &mut Context<'_>,
) -> Result<(), NodeError> {
    let is_first = slip.lines.len() < 4;
    if is_first {
        return Err(NodeError::new(io::Error::other("too short")));
    }
    said.push(format!("{} at {}", slip.lines.len(), cx.node()));
    Ok(())
}

#[derive(AgentGraph)]
#[graph(state = Case, start = middle)]
struct Outermost {
    #[route(Verdict::Yes => last, _ => end)]
    #[retry(times = 2, backoff = "1s", jitter = false)]
    middle: Middle,
    #[route(_ => end)]
    last: Say,
}

fn outermost(desk: &Desk) -> Outermost {
    Outermost {
        middle: Middle {
            first: Say("first", desk.clone()),
            pen: pen(desk),
        },
        last: Say("last", desk.clone()),
    }
}

async fn attempts_at_two_levels_repeat_nothing_that_is_written(at: &impl Place) {
    // Two attempts of the middle's, and then two more after the outermost has tried again.
    let fails = ["1", "2", "3"].map(Act::Fail);
    let sand = [Act::Say(Verdict::Maybe)];
    let desk = Desk::default().acts("ink", fails).acts("sand", sand);
    let thread = Runtime::new(outermost(&desk))
        .journal(at.open().await)
        .thread("t");
    let state = paused(Box::pin(finish(&thread, Case::default()))).await;
    assert_eq!(state.said, ["first", "5 at pen", "last"]);
    let executed = [("first", 1), ("ink", 5), ("last", 1), ("sand", 2)];
    assert_eq!(
        desk.tally.all(),
        executed
            .map(|(node, count)| (node.to_owned(), count))
            .into()
    );
    let again = Runtime::new(outermost(&desk))
        .journal(at.open().await)
        .thread("t");
    assert_eq!(again.state().await.unwrap(), state);
}

/// The graph is through, and only what takes it over fails.
async fn what_fails_when_a_graph_is_left_does_not_run_it_again(at: &impl Place) {
    let desk = Desk::default();
    let thread = Runtime::new(outermost(&desk))
        .journal(at.open().await)
        .thread("t");
    let error = paused(Box::pin(thread.run(Case::default())))
        .await
        .unwrap_err();
    let said = chain(&error);
    for part in ["node `middle`", "node `pen`", "too short"] {
        assert!(said.contains(part), "`{part}` is missing in: {said}");
    }
    assert_eq!((desk.tally.of("ink"), desk.tally.of("sand")), (1, 1));
    paused(Box::pin(thread.recover())).await.unwrap_err();
    assert_eq!((desk.tally.of("ink"), desk.tally.of("sand")), (1, 1));
}

// ---- Attempts at a graph that forks, and that waits for a person.

#[derive(AgentGraph)]
#[graph(state = Case, start = plan)]
struct Bureau {
    #[route(_ => office)]
    plan: Say,
    #[route(_ => last)]
    #[timeout("1h")]
    #[retry(times = 3, backoff = "1ms", jitter = false)]
    office: Office,
    #[route(_ => end)]
    last: Say,
}

fn bureau(desk: &Desk) -> Bureau {
    Bureau {
        plan: Say("plan", desk.clone()),
        office: office(desk),
        last: Say("last", desk.clone()),
    }
}

const BUREAU: [&str; 8] = [
    "plan",
    "enter",
    "left",
    "after 2 ink sand",
    "meet",
    "open",
    "weigh yes",
    "last",
];

async fn branches_within_that_are_through_are_not_gone_again(at: &impl Place) {
    let fails = [Act::Fail("once"), Act::Fail("twice")];
    let desk = Desk::default().acts("sand", fails);
    let thread = Runtime::new(bureau(&desk))
        .journal(at.open().await)
        .thread("t");
    let state = finish(&thread, Case::default()).await;
    assert_eq!(state.said, BUREAU);
    assert_eq!(thread.state().await.unwrap(), state);
    for node in [
        "plan", "enter", "left", "ink", "meet", "open", "weigh", "last",
    ] {
        assert_eq!(desk.tally.of(node), 1, "{node}");
    }
    assert_eq!(desk.tally.of("sand"), 3);
}

async fn another_attempt_keeps_what_was_asked_and_answered(at: &impl Place) {
    // `left` asks; `sand` fails beside it, twice.
    let fails = [Act::Fail("once"), Act::Fail("twice")];
    let desk = Desk::default()
        .acts("left", [Act::Ask("l")])
        .acts("sand", fails);
    let thread = Runtime::new(bureau(&desk))
        .journal(at.open().await)
        .thread("t");
    let ask = thread.run(Case::default()).await.unwrap().paused().unwrap();
    assert_eq!(thread.asks().await.unwrap().len(), 1);
    assert_eq!((desk.tally.of("left"), desk.tally.of("sand")), (1, 3));
    let state = thread
        .resume(ask.id, "yes")
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(state.said[2], "left: yes");
    assert_eq!(thread.state().await.unwrap(), state);
}

/// Asks, and then hangs once.
struct Slowly(Desk, Arc<Notify>);

#[node(Case)]
impl Slowly {
    async fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        let answer: String = cx.ask("slowly", "how?").await?;
        if self.0.tally.count("slowly") == 0 {
            self.1.notify_one();
            return pending().await;
        }
        said.push(answer);
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Case, start = slowly)]
struct Snail {
    #[route(_ => end)]
    slowly: Slowly,
}

#[derive(AgentGraph)]
#[graph(state = Case, start = snail)]
struct Garden {
    #[route(_ => end)]
    #[timeout("1h")]
    #[retry(times = 2, backoff = "1ms", jitter = false)]
    snail: Snail,
}

async fn an_answer_outlives_the_attempt_that_took_it(at: &impl Place) {
    let (desk, reached) = (Desk::default(), Arc::new(Notify::new()));
    let slowly = Slowly(desk.clone(), Arc::clone(&reached));
    let garden = Garden {
        snail: Snail { slowly },
    };
    let thread = Runtime::new(garden).journal(at.open().await).thread("t");
    let ask = thread.run(Case::default()).await.unwrap().paused().unwrap();
    let late = async {
        reached.notified().await;
        paused(tokio::time::advance(Duration::from_hours(1))).await;
    };
    let (run, ()) = tokio::join!(thread.resume(ask.id, "calmly"), late);
    let state = run.unwrap().finished().expect("it was answered");
    assert_eq!(state.said, ["calmly"]);
    assert_eq!(thread.state().await.unwrap(), state);
}

// ---- A graph within a node of one's own, as the docs of `Execute` have it.

struct Announced<N>(N);

impl<S: State, N: Node<S>> Node<S> for Announced<N> {
    type Outcome = N::Outcome;
    const CONTRACT: Contract = N::CONTRACT;
    const KIND: NodeKind = N::KIND;
}

impl<S: State, N: Execute<S>> Execute<S> for Announced<N> {
    const REPORTS: bool = N::REPORTS;

    async fn execute(&self, state: &mut S, cx: &mut Context<'_>) -> Result<N::Outcome, NodeError> {
        self.0.execute(state, cx).await
    }
}

#[derive(AgentGraph)]
#[graph(state = Case, start = plan)]
struct Fair {
    #[route(_ => all(court, other) join last)]
    plan: Say,
    #[route(_ => last)]
    court: Announced<Court>,
    #[route(_ => last)]
    other: Say,
    #[route(_ => end)]
    last: Say,
}

async fn a_graph_in_a_node_of_ones_own_keeps_what_it_writes(at: &impl Place) {
    let desk = Desk::default();
    let fair = || Fair {
        plan: Say("plan", desk.clone()),
        court: Announced(court(&desk)),
        other: Say("other", desk.clone()),
        last: Say("last", desk.clone()),
    };
    let expected = ["plan", "open", "weigh yes", "other", "last"];
    let state = finish(&Runtime::new(fair()).thread("t"), Case::default()).await;
    assert_eq!(state.said, expected);
    let thread = Runtime::new(fair()).journal(at.open().await).thread("t");
    let state = finish(&thread, Case::default()).await;
    assert_eq!(state.said, expected);
    assert_eq!(thread.state().await.unwrap(), state);
}

#[tokio::test(start_paused = true)]
async fn a_graph_in_a_node_of_ones_own_does_not_wait_for_its_own_turn() {
    let desk = Desk::default();
    let fair = Fair {
        plan: Say("plan", desk.clone()),
        court: Announced(court(&desk)),
        other: Say("other", desk.clone()),
        last: Say("last", desk.clone()),
    };
    let thread = Runtime::new(fair).concurrency(1).thread("t");
    let run = thread.run(Case::default());
    let run = tokio::time::timeout(Duration::from_secs(1), run).await;
    let _ = run.expect("it goes on").unwrap();
}

async fn a_question_within_a_node_of_ones_own_can_be_answered(at: &impl Place) {
    let desk = Desk::default().acts("weigh", [Act::Ask("w")]);
    let fair = Fair {
        plan: Say("plan", desk.clone()),
        court: Announced(court(&desk)),
        other: Say("other", desk.clone()),
        last: Say("last", desk.clone()),
    };
    let thread = Runtime::new(fair).journal(at.open().await).thread("t");
    let ask = thread.run(Case::default()).await.unwrap().paused().unwrap();
    assert_eq!(thread.status().await.unwrap(), Status::Paused(ask.clone()));
    let error = thread.run(Case::default()).await.unwrap_err();
    assert!(matches!(error, RunError::Waiting { .. }), "{error:?}");
    let run = thread.resume(ask.id, "go").await.unwrap();
    let state = run.finished().unwrap();
    let expected = ["plan", "open", "weigh: go yes", "other", "last"];
    assert_eq!(state.said, expected);
    assert_eq!(thread.state().await.unwrap(), state);
    assert_eq!(thread.status().await.unwrap(), Status::Finished);
}

/// A node that runs a graph and does not say so.
struct Disguised<N>(N);

impl<S: State, N: Node<S>> Node<S> for Disguised<N> {
    type Outcome = N::Outcome;
    const CONTRACT: Contract = N::CONTRACT;
}

impl<S: State, N: Execute<S>> Execute<S> for Disguised<N> {
    const REPORTS: bool = N::REPORTS;

    async fn execute(&self, state: &mut S, cx: &mut Context<'_>) -> Result<N::Outcome, NodeError> {
        self.0.execute(state, cx).await
    }
}

#[derive(AgentGraph)]
#[graph(state = Case, start = court)]
struct Mask {
    #[route(_ => end)]
    court: Disguised<Court>,
}

#[tokio::test(start_paused = true)]
async fn a_graph_of_which_nobody_knows_does_not_wait_for_its_own_turn() {
    let court = Disguised(court(&Desk::default()));
    let thread = Runtime::new(Mask { court }).concurrency(1).thread("t");
    let run = thread.run(Case::default());
    let run = tokio::time::timeout(Duration::from_secs(1), run).await;
    let _ = run.expect("it goes on").unwrap();
}

// ---- A graph whose result is used again.

fn by_sum(case: &Case) -> i64 {
    case.sum.get()
}

#[derive(AgentGraph)]
#[graph(state = Case, start = plan)]
struct Archive {
    #[route(_ => court)]
    plan: Say,
    #[route(Verdict::Yes => pen, _ => end)]
    #[cache(key = by_sum, ttl = "1h")]
    court: Court,
    #[route(Verdict::Yes => last, _ => end)]
    #[subgraph(enter = slip, leave = file)]
    #[cache(key = by_sum, ttl = "1h")]
    pen: Pen,
    #[route(_ => end)]
    last: Say,
}

async fn the_result_of_a_graph_is_used_again_with_all_that_it_wrote(at: &impl Place) {
    let desk = Desk::default();
    let archive = || Archive {
        plan: Say("plan", desk.clone()),
        court: court(&desk),
        pen: pen(&desk),
        last: Say("last", desk.clone()),
    };
    let runtime = Runtime::new(archive()).journal(at.open().await);
    let first = finish(&runtime.thread("first"), Case::default()).await;
    let expected = ["plan", "open", "weigh yes", "after 3 ink sand", "last"];
    assert_eq!(first.said, expected);
    let second = runtime.thread("second");
    assert_eq!(finish(&second, Case::default()).await, first);
    for node in ["open", "weigh", "ink", "sand"] {
        assert_eq!(desk.tally.of(node), 1, "{node}");
    }
    let again = Runtime::new(archive()).journal(at.open().await);
    for name in ["first", "second"] {
        assert_eq!(again.thread(name).state().await.unwrap(), first, "{name}");
    }
    let history = second.history().await.unwrap();
    assert!(history.iter().all(|entry| entry.branch.is_trunk()));
}

/// What an attempt had written before another thread's result came is not there twice.
async fn a_result_takes_the_place_of_what_a_failed_attempt_wrote(at: &impl Place) {
    let desk = Desk::default().acts("weigh", [Act::Fail("gone")]);
    let archive = Archive {
        plan: Say("plan", desk.clone()),
        court: court(&desk),
        pen: pen(&desk),
        last: Say("last", desk.clone()),
    };
    let runtime = Runtime::new(archive).journal(at.open().await);
    let late = runtime.thread("late");
    let error = late.run(Case::default()).await.unwrap_err();
    assert!(chain(&error).contains("gone"), "{error:?}");
    let first = finish(&runtime.thread("first"), Case::default()).await;
    let state = late.recover().await.unwrap().finished().unwrap();
    assert_eq!(state, first);
    assert_eq!(late.state().await.unwrap(), state);
}

// ---- A graph that ends with what it did not keep.

#[derive(Outcome, Clone, Copy, Debug)]
enum Pressed {
    #[outcome(gives(stamp))]
    Done,
}

#[derive(AgentGraph)]
#[graph(state = Slip, start = ink, outcome = Pressed)]
struct Mill {
    #[route(_ => end(Pressed::Done))]
    ink: Write,
}

#[derive(AgentGraph)]
#[graph(state = Case, start = press)]
struct Careless {
    #[route(_ => end)]
    #[subgraph(enter = slip, leave = file)]
    #[on_error(then = last)]
    press: Mill,
    #[route(_ => end)]
    last: Say,
}

async fn what_was_taken_from_a_graph_that_broke_its_promise_is_put_back(at: &impl Place) {
    let desk = Desk::default();
    let careless = Careless {
        press: Mill {
            ink: Write("ink", desk.clone()),
        },
        last: Say("last", desk.clone()),
    };
    let thread = Runtime::new(careless).journal(at.open().await).thread("t");
    let state = finish(&thread, Case::default()).await;
    assert_eq!(state.said.len(), 1, "{:?}", state.said);
    assert_eq!(state.sum, 1);
    assert_eq!(thread.state().await.unwrap(), state);
}

// ---- A sign of life within is one of the graph.

struct Alive(u32);

#[node(Case)]
impl Alive {
    async fn run(&self, cx: &mut Context<'_>) {
        for _ in 0..self.0 {
            tokio::time::sleep(Duration::from_secs(3)).await;
            cx.heartbeat();
        }
    }
}

#[derive(AgentGraph)]
#[graph(state = Case, start = one)]
struct Pulses {
    #[route(_ => all(two, three) join four)]
    one: Alive,
    #[route(_ => four)]
    two: Alive,
    #[route(_ => four)]
    three: Alive,
    #[route(_ => end)]
    four: Alive,
}

#[derive(AgentGraph)]
#[graph(state = Case, start = pulses)]
struct Watched {
    #[route(_ => end)]
    #[timeout(idle = "5s")]
    pulses: Pulses,
}

#[derive(AgentGraph)]
#[graph(state = Case, start = watched)]
struct Guarded {
    #[route(_ => end)]
    #[timeout(idle = "5s")]
    watched: Watched,
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_within_is_one_of_the_graphs_around() {
    let guarded = |one, two| Guarded {
        watched: Watched {
            pulses: Pulses {
                one: Alive(one),
                two: Alive(two),
                three: Alive(0),
                four: Alive(1),
            },
        },
    };
    for (one, two) in [(4, 0), (1, 4)] {
        let run = Runtime::new(guarded(one, two))
            .thread("t")
            .run(Case::default())
            .await;
        run.unwrap_or_else(|error| panic!("{one}, {two}: {}", chain(&error)))
            .finished()
            .unwrap();
    }
}

// ---- What nobody writes is seen all the same, within a graph in a branch.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Folder {
    said: Log<String>,
    /// Read by guards, lists of items, keys and ways in alone.
    title: String,
    #[state(merge = longest)]
    text: String,
}

fn longest(merged: &mut String, _: &String, branch: &String) {
    if branch.len() > merged.len() {
        merged.clone_from(branch);
    }
}

fn has_title(folder: &Folder) -> bool {
    folder.title == "bees"
}

fn letters(folder: &Folder) -> Vec<String> {
    folder.title.chars().map(String::from).collect()
}

fn by_title(folder: &Folder) -> String {
    folder.title.clone()
}

fn page(folder: &Folder) -> Slip {
    Slip {
        lines: Log::from(vec![format!("on {}", folder.title)]),
        ..Slip::default()
    }
}

#[node(Folder)]
async fn take_page(slip: Slip, said: &mut Log<String>) {
    said.extend(slip.lines.iter().cloned());
}

#[node(Folder)]
fn idle() {}

struct Note(&'static str);

#[node(Folder)]
impl Note {
    fn run(&self, said: &mut Log<String>) {
        said.push(self.0.to_owned());
    }
}

#[node(Folder)]
fn spell(letter: String, said: &mut Log<String>) {
    said.push(letter);
}

struct Once(Tally);

#[node(Folder)]
impl Once {
    fn run(&self, said: &mut Log<String>) {
        said.push(format!("computed {}", self.0.count("computed")));
    }
}

#[derive(AgentGraph)]
#[graph(state = Folder, start = look)]
struct ByGuard {
    #[route(_ if has_title => seen, _ => lost)]
    look: Idle,
    #[route(_ => end)]
    seen: Note,
    #[route(_ => end)]
    lost: Note,
}

#[derive(AgentGraph)]
#[graph(state = Folder, start = look)]
struct ByItems {
    #[route(_ => each(letters) spell join done)]
    look: Idle,
    #[route(_ => done)]
    spell: Spell,
    #[route(_ => end)]
    done: Idle,
}

#[derive(AgentGraph)]
#[graph(state = Folder, start = pen)]
struct ByEnter {
    #[route(_ => end)]
    #[subgraph(enter = page, leave = take_page)]
    pen: Pen,
}

#[derive(AgentGraph)]
#[graph(state = Folder, start = once)]
struct ByKey {
    #[route(_ => end)]
    #[cache(key = by_title, ttl = "1h")]
    once: Once,
}

#[derive(AgentGraph)]
#[graph(state = Folder, start = fork)]
struct Deeper {
    #[route(_ => all(guard, items) join done)]
    fork: Idle,
    #[route(_ => done)]
    guard: ByGuard,
    #[route(_ => done)]
    items: ByItems,
    #[route(_ => end)]
    done: Idle,
}

#[derive(AgentGraph)]
#[graph(state = Folder, start = fork)]
struct Shelf {
    #[route(_ => all(guard, items, enter, key, deeper, pen, wrapped) join done)]
    fork: Idle,
    #[route(_ => done)]
    guard: ByGuard,
    #[route(_ => done)]
    items: ByItems,
    #[route(_ => done)]
    enter: ByEnter,
    #[route(_ => done)]
    key: ByKey,
    #[route(_ => done)]
    deeper: Deeper,
    #[route(_ => done)]
    #[subgraph(enter = page, leave = take_page)]
    pen: Pen,
    #[route(_ => done)]
    wrapped: Announced<ByGuard>,
    #[route(_ => end)]
    done: Idle,
}

fn shelf(tally: &Tally) -> Shelf {
    let desk = Desk::default();
    let guard = || ByGuard {
        look: Idle,
        seen: Note("seen"),
        lost: Note("lost"),
    };
    let items = || ByItems {
        look: Idle,
        spell: Spell,
        done: Idle,
    };
    Shelf {
        fork: Idle,
        guard: guard(),
        items: items(),
        enter: ByEnter { pen: pen(&desk) },
        key: ByKey {
            once: Once(tally.clone()),
        },
        deeper: Deeper {
            fork: Idle,
            guard: guard(),
            items: items(),
            done: Idle,
        },
        pen: pen(&desk),
        wrapped: Announced(guard()),
        done: Idle,
    }
}

async fn a_graph_in_a_branch_sees_all_that_its_guards_and_keys_look_at(at: &impl Place) {
    let folder = |title: &str| Folder {
        title: title.to_owned(),
        ..Folder::default()
    };
    let expected = [
        "seen",
        "b",
        "e",
        "e",
        "s",
        "on bees",
        "ink",
        "sand",
        "computed 0",
        "seen",
        "b",
        "e",
        "e",
        "s",
        "on bees",
        "ink",
        "sand",
        "seen",
    ];
    let without = Runtime::new(shelf(&Tally::default())).thread("t");
    let without = finish(&without, folder("bees")).await;
    assert_eq!(without.said, expected);
    let runtime = Runtime::new(shelf(&Tally::default())).journal(at.open().await);
    let state = finish(&runtime.thread("t"), folder("bees")).await;
    assert_eq!(state, without);
    assert_eq!(runtime.thread("t").state().await.unwrap(), state);
    // Another title is another key.
    let state = finish(&runtime.thread("u"), folder("wasps")).await;
    assert!(
        state.said.iter().any(|said| said == "computed 1"),
        "{state:?}"
    );
}

// ---- What a graph within replaces.

struct Rewrite(&'static str);

#[node(Folder)]
impl Rewrite {
    fn run(&self, mut text: Replace<'_, String>, mut said: Replace<'_, Log<String>>) {
        text.set(self.0.to_owned());
        said.set(Log::from(vec![self.0.to_owned()]));
    }
}

struct Lengthen(&'static str);

#[node(Folder)]
impl Lengthen {
    fn run(&self, text: &mut String, said: &mut Log<String>) {
        text.push_str(self.0);
        said.push(self.0.to_owned());
    }
}

#[derive(AgentGraph)]
#[graph(state = Folder, start = first)]
struct Editor {
    #[route(_ => second)]
    first: Lengthen,
    #[route(_ => end)]
    second: Rewrite,
}

#[derive(AgentGraph)]
#[graph(state = Folder, start = begin)]
struct Press {
    #[route(_ => all(before, editor, after) join done)]
    begin: Lengthen,
    #[route(_ => done)]
    before: Lengthen,
    #[route(_ => done)]
    editor: Editor,
    #[route(_ => done)]
    after: Lengthen,
    #[route(_ => end)]
    done: Idle,
}

async fn what_a_graph_in_a_branch_replaces_drops_what_others_made_of_it(at: &impl Place) {
    let press = || Press {
        begin: Lengthen("begin"),
        before: Lengthen("before"),
        editor: Editor {
            first: Lengthen("first"),
            second: Rewrite("new"),
        },
        after: Lengthen("long after"),
        done: Idle,
    };
    let without = finish(&Runtime::new(press()).thread("t"), Folder::default()).await;
    assert_eq!(&*without.text, "new");
    assert_eq!(without.said, ["new"]);
    let thread = Runtime::new(press()).journal(at.open().await).thread("t");
    assert_eq!(finish(&thread, Folder::default()).await, without);
    let again = Runtime::new(press()).journal(at.open().await).thread("t");
    assert_eq!(again.state().await.unwrap(), without);
}

// ---- What a graph within is given, and gives.

#[node(Slip)]
fn seal(key: &str, lines: &mut Log<String>) {
    lines.push(format!("sealed by {key}"));
}

#[derive(AgentGraph)]
#[graph(state = Slip, start = seal, given(key))]
struct Safe {
    #[route(_ => end)]
    seal: Seal,
}

#[node(Case)]
fn stamp(mut stamp: Out<'_, String>) {
    stamp.set("blue".to_owned());
}

#[node(Case)]
fn show(stamp: &str, said: &mut Log<String>) {
    said.push(format!("stamped {stamp}"));
}

/// Gives the stamp on each of its ways.
#[derive(AgentGraph)]
#[graph(state = Case, start = choose, outcome = Verdict)]
struct Stamps {
    #[route(Verdict::Yes => one, _ => other)]
    choose: Weigh,
    #[route(_ => end(Verdict::Yes))]
    one: Stamp,
    #[route(_ => end(Verdict::No))]
    other: Stamp,
}

/// Needs it.
#[derive(AgentGraph)]
#[graph(state = Case, start = show, given(stamp))]
struct Shows {
    #[route(_ => end)]
    show: Show,
}

#[derive(AgentGraph)]
#[graph(state = Case, start = stamps)]
struct Stamped {
    #[route(_ => show)]
    stamps: Stamps,
    #[route(_ => shows)]
    show: Show,
    #[route(_ => safe)]
    shows: Shows,
    #[route(_ => end)]
    #[subgraph(enter = slip, leave = file)]
    safe: Safe,
}

#[derive(AgentGraph)]
#[graph(state = Case, start = safe)]
struct Unstamped {
    #[route(_ => end)]
    #[subgraph(enter = slip, leave = file)]
    #[on_error(then = mend(limit = 1, else = end))]
    safe: Safe,
    #[route(_ => end)]
    mend: Say,
}

#[derive(AgentGraph)]
#[graph(state = Case, start = safe)]
struct Unhandled {
    #[route(_ => end)]
    #[subgraph(enter = slip, leave = file)]
    safe: Safe,
}

async fn what_a_graph_gives_the_one_around_it_may_rely_on(at: &impl Place) {
    for verdict in [Verdict::Yes, Verdict::No] {
        let desk = Desk::default().says("choose", [verdict]);
        let graph = Stamped {
            stamps: Stamps {
                choose: Weigh("choose", desk.clone()),
                one: Stamp,
                other: Stamp,
            },
            show: Show,
            shows: Shows { show: Show },
            safe: Safe { seal: Seal },
        };
        let thread = Runtime::new(graph).journal(at.open().await);
        let thread = thread.thread(format!("{verdict:?}"));
        let state = finish(&thread, Case::default()).await;
        assert_eq!(
            state.said.iter().skip(1).collect::<Vec<_>>(),
            ["stamped blue", "stamped blue", "after 3 sealed by blue"]
        );
    }
}

async fn what_a_graph_within_is_given_is_checked_when_it_begins(at: &impl Place) {
    let thread = Runtime::new(Unhandled {
        safe: Safe { seal: Seal },
    });
    let thread = thread.journal(at.open().await).thread("t");
    let error = thread.run(Case::default()).await.unwrap_err();
    assert_eq!(error.node(), Some("safe"));
    assert!(chain(&error).contains("given(key)"), "{}", chain(&error));
    let Status::Failed { node, .. } = thread.status().await.unwrap() else {
        panic!();
    };
    assert_eq!(node, UnhandledNode::Safe);

    let graph = Unstamped {
        safe: Safe { seal: Seal },
        mend: Say("mend", Desk::default()),
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("u");
    let state = finish(&thread, Case::default()).await;
    assert!(state.said[0].contains("given(key)"), "{state:?}");
    assert_eq!(thread.state().await.unwrap(), state);
}

// ---- Another shape of a graph within.

mod later {
    use super::{Case, Say, Verdict, Weigh};
    use handoffs::prelude::*;

    #[derive(AgentGraph)]
    #[graph(state = Case, start = open, outcome = Verdict)]
    pub(super) struct Court {
        #[route(_ => weigh)]
        pub(super) open: Say,
        #[route(
            Verdict::Yes => end(Verdict::Yes),
            Verdict::Maybe => open(limit = 2, else = end(Verdict::No)),
            Verdict::No => end(Verdict::Maybe),
        )]
        pub(super) weigh: Weigh,
    }

    #[derive(AgentGraph)]
    #[graph(state = Case, start = plan)]
    pub(super) struct Town {
        #[route(_ => court)]
        pub(super) plan: Say,
        #[route(
            Verdict::Yes => last,
            Verdict::Maybe => plan(limit = 2, else = end),
            Verdict::No => lost,
        )]
        pub(super) court: Court,
        #[route(_ => end)]
        pub(super) lost: Say,
        #[route(_ => end)]
        pub(super) last: Say,
    }
}

async fn another_shape_of_the_inner_graph_makes_another_graph_which_may_go_on(at: &impl Place) {
    let desk = Desk::default().acts("weigh", [Act::Fail("no ink")]);
    let thread = Runtime::new(town(&desk))
        .journal(at.open().await)
        .thread("t");
    thread.run(Case::default()).await.unwrap_err();
    let say = |name| Say(name, desk.clone());
    let later = later::Town {
        plan: say("plan"),
        court: later::Court {
            open: say("open"),
            weigh: Weigh("weigh", desk.clone()),
        },
        lost: say("lost"),
        last: say("last"),
    };
    let later = Runtime::new(later).journal(at.open().await);
    let recorded = thread.history().await.unwrap()[0].graph.clone();
    assert_eq!((recorded.name(), later.graph_id().name()), ("Town", "Town"));
    assert_ne!(recorded, *later.graph_id());
    // It is a limit that has changed, and the path says nothing against that.
    let _ = later
        .thread("t")
        .recover()
        .await
        .unwrap()
        .finished()
        .unwrap();
}

// ---- Cases from the field, part B 51, 53, 54 (LangGraph).

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Child {
    said: Log<String>,
}

#[derive(Outcome, Clone, Copy, Debug, PartialEq)]
enum Jump {
    ToB,
    On,
}

#[node(Child)]
fn a_child(said: &mut Log<String>) {
    said.push("a_child_state".to_owned());
}

#[node(Child)]
fn b_child(said: &mut Log<String>) {
    said.push("b_child_state".to_owned());
}

#[derive(AgentGraph)]
#[graph(state = Child, start = a, outcome = Jump)]
struct Children {
    #[route(_ => b)]
    a: AChild,
    #[route(_ => end(Jump::ToB))]
    b: BChild,
}

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Parent {
    said: Log<String>,
    /// The child knows nothing of it.
    user_name: Option<String>,
}

fn to_child(parent: &Parent) -> Child {
    Child {
        said: parent.said.clone(),
    }
}

#[node(Parent)]
fn from_child(child: Child, said: &mut Log<String>, mut user_name: Out<'_, String>) {
    said.extend(child.said.last().cloned());
    user_name.set("Meow".to_owned());
}

#[node(Parent)]
fn node_a(said: &mut Log<String>) {
    said.push("node_a_parent".to_owned());
}

#[node(Parent)]
fn node_b(said: &mut Log<String>, user_name: &str) {
    assert_eq!(user_name, "Meow");
    said.push("node_b_parent".to_owned());
}

#[derive(AgentGraph)]
#[graph(state = Parent, start = children)]
struct Parents {
    #[route(Jump::ToB => b, Jump::On => a)]
    #[subgraph(enter = to_child, leave = from_child)]
    children: Children,
    #[route(_ => end)]
    a: NodeA,
    #[route(_ => end)]
    b: NodeB,
}

/// B51: the child's last word is where the parent goes on, and what it left is what the parent takes.
async fn b51_a_child_names_by_its_end_where_its_parent_goes_on_and_leaves_what_is_taken(
    at: &impl Place,
) {
    let graph = Parents {
        children: Children {
            a: AChild,
            b: BChild,
        },
        a: NodeA,
        b: NodeB,
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    let parent = Parent {
        said: Log::from(owned(["init_state"])),
        user_name: None,
    };
    let parent = finish(&thread, parent).await;
    assert_eq!(
        parent.said,
        ["init_state", "b_child_state", "node_b_parent"]
    );
    assert_eq!(parent.user_name.as_deref(), Some("Meow"));
}

#[derive(AgentGraph)]
#[graph(state = Case, start = work, outcome = Verdict)]
struct Jumper {
    #[route(
        Verdict::Yes => rest,
        Verdict::No => end(Verdict::No),
        Verdict::Maybe => end(Verdict::No),
    )]
    work: Weigh,
    #[route(_ => end(Verdict::Yes))]
    rest: Say,
}

#[derive(AgentGraph)]
#[graph(state = Case, start = first)]
struct Caller {
    #[route(Verdict::Yes => between, _ => out)]
    first: Jumper,
    #[route(_ => second)]
    between: Say,
    #[route(Verdict::Yes => after, _ => out)]
    second: Jumper,
    #[route(_ => end)]
    after: Say,
    #[route(_ => end)]
    out: Say,
}

/// B53: whichever child jumps out, what stands behind its call never runs.
async fn b53_of_two_children_the_one_that_jumps_out_ends_what_would_have_come_after(
    at: &impl Place,
) {
    let (yes, no) = (Act::Say(Verdict::Yes), Act::Say(Verdict::No));
    let cases: [(&str, Vec<Act>, &[&str]); 3] = [
        ("first", vec![no.clone()], &["work no", "out"]),
        (
            "second",
            vec![yes.clone(), no],
            &["work yes", "rest", "between", "work no", "out"],
        ),
        (
            "none",
            vec![yes.clone(), yes],
            &["work yes", "rest", "between", "work yes", "rest", "after"],
        ),
    ];
    for (name, acts, expected) in cases {
        let desk = Desk::default().acts("work", acts);
        let say = |name| Say(name, desk.clone());
        let jumper = || Jumper {
            work: Weigh("work", desk.clone()),
            rest: say("rest"),
        };
        let graph = Caller {
            first: jumper(),
            between: say("between"),
            second: jumper(),
            after: say("after"),
            out: say("out"),
        };
        let thread = Runtime::new(graph).journal(at.open().await).thread(name);
        let state = finish(&thread, Case::default()).await;
        assert_eq!(state.said, expected, "{name}");
    }
}

#[derive(AgentGraph)]
#[graph(state = Case, start = inner_1)]
struct Nested {
    #[route(_ => inner_2)]
    inner_1: Say,
    #[route(_ => end)]
    inner_2: Say,
}

#[derive(AgentGraph)]
#[graph(state = Case, start = outer_0)]
struct Parallel {
    #[route(_ => all(inner, outer_1) join outer_2)]
    outer_0: Say,
    #[route(_ => outer_2)]
    inner: Nested,
    #[route(_ => outer_2)]
    outer_1: Say,
    #[route(_ => end)]
    outer_2: Say,
}

/// B54: a child waits for a person while a node beside it is done, which is then not run again.
async fn b54_what_ran_beside_a_child_that_paused_is_not_run_again(at: &impl Place) {
    let desk = Desk::default().acts(" and there", [Act::Ask("go on")]);
    let runtime = |journal| {
        let say = |name| Say(name, desk.clone());
        Runtime::new(Parallel {
            outer_0: say(""),
            inner: Nested {
                inner_1: say("got here"),
                inner_2: say(" and there"),
            },
            outer_1: say(" and parallel"),
            outer_2: say(" and back again"),
        })
        .journal(journal)
    };
    let thread = runtime(at.open().await).thread("t");
    let ask = thread.run(Case::default()).await.unwrap().paused().unwrap();
    assert_eq!(ask.node, "inner_2");
    assert_eq!(desk.tally.of(" and parallel"), 1);
    let done = thread.history().await.unwrap();
    let said: Vec<_> = done.iter().flat_map(writes).collect();
    assert!(
        said.contains(&"said += [\" and parallel\"]".to_owned()),
        "{said:?}"
    );

    let thread = runtime(at.open().await).thread("t");
    let mut events = thread.resume_stream(ask.id, "yes").unwrap();
    let (mut entered, mut state) = (Vec::new(), None);
    while let Some(event) = events.next().await {
        match event.unwrap() {
            Event::Entered { node, .. } => entered.push(node.to_string()),
            Event::Finished(end) => state = Some(end),
            _ => {}
        }
    }
    assert_eq!(entered, ["inner", "outer_2"]);
    let said = state.unwrap().said.to_vec().concat();
    assert_eq!(said, "got here and there: yes and parallel and back again");
    for (node, count) in [
        ("got here", 1),
        (" and parallel", 1),
        (" and back again", 1),
    ] {
        assert_eq!(desk.tally.of(node), count, "{node}");
    }
}

on_every_journal! {
    the_graph_around_routes_on_what_a_graph_ended_with
    each_visit_is_a_run_of_its_own_in_the_same_journal
    what_a_graph_of_the_same_state_wrote_is_kept_once
    graphs_in_branches_of_graphs_in_branches_come_to_one_end
    whatever_append_a_run_dies_at_its_graphs_go_on_where_they_were
    questions_of_graphs_within_are_answered_in_any_order_on_any_machine
    an_answer_of_a_wrong_type_leaves_the_question_within_open
    another_attempt_goes_on_where_the_graph_within_failed
    a_fallback_reads_why_the_graph_failed_and_its_writes_are_gone
    an_error_within_names_the_inner_node_and_recover_tries_only_that_again
    after_an_error_within_another_run_may_begin
    whatever_append_a_run_with_retries_dies_at_it_goes_on
    a_conflict_within_is_no_failure_of_the_node
    a_graph_that_takes_too_long_is_stopped_and_goes_on_where_it_was
    attempts_at_two_levels_repeat_nothing_that_is_written
    what_fails_when_a_graph_is_left_does_not_run_it_again
    what_a_graph_gives_the_one_around_it_may_rely_on
    what_a_graph_within_is_given_is_checked_when_it_begins
    another_shape_of_the_inner_graph_makes_another_graph_which_may_go_on
    branches_within_that_are_through_are_not_gone_again
    another_attempt_keeps_what_was_asked_and_answered
    an_answer_outlives_the_attempt_that_took_it
    a_graph_in_a_node_of_ones_own_keeps_what_it_writes
    the_result_of_a_graph_is_used_again_with_all_that_it_wrote
    a_graph_in_a_branch_sees_all_that_its_guards_and_keys_look_at
    what_a_graph_in_a_branch_replaces_drops_what_others_made_of_it
    a_question_within_a_node_of_ones_own_can_be_answered
    a_result_takes_the_place_of_what_a_failed_attempt_wrote
    what_was_taken_from_a_graph_that_broke_its_promise_is_put_back
    b51_a_child_names_by_its_end_where_its_parent_goes_on_and_leaves_what_is_taken
    b53_of_two_children_the_one_that_jumps_out_ends_what_would_have_come_after
    b54_what_ran_beside_a_child_that_paused_is_not_run_again
}
