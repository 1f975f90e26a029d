//! Prebuilt graphs of agents, and the agent that a conversation goes on with.
#![cfg(feature = "agents")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(clippy::ptr_arg, reason = "so routes and nodes are written")]

mod common;

use std::fmt::Write as _;

use common::path;
use handoffs::agent::prebuilt::{
    Part, escalating, planner_executor, react, router, supervisor, swarm, writer_reviewer,
};
use handoffs::agent::{
    Agent, Message, ModelError, Over, Script, ScriptedModel, Tool, active, among, tool,
};
use handoffs::prelude::*;
use handoffs::{BuiltGraph, GraphBuilder, Runnable, Thread, To, Worker};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Talk {
    #[state(messages)]
    messages: Log<Message>,
    plan: Log<String>,
    done: Log<String>,
}

fn asked(text: &str) -> Talk {
    Talk {
        messages: vec![Message::user(text)].into(),
        ..Talk::default()
    }
}

/// Returns the items of a conversation, as providers count them: each call and each result is one.
fn items(talk: &Talk) -> Vec<String> {
    let mut items = Vec::new();
    for message in &talk.messages {
        if !message.text().is_empty() {
            items.push(message.text().to_owned());
        }
        if let Message::Agent(turn) = message {
            for call in &turn.calls {
                items.push(format!("{}: {}", turn.agent, call.tool));
                items.push(call.given.text().into_owned());
            }
        }
    }
    items
}

fn say(text: &str) -> Script {
    Script::say(text)
}

fn to(name: &str) -> Script {
    Script::call(format!("transfer_to_{name}"), json!({}))
}

fn agent<const N: usize>(script: [Script; N]) -> (Agent<Talk, Over>, ScriptedModel) {
    let model = ScriptedModel::new(script);
    (Agent::new(model.clone()), model)
}

#[derive(Deserialize, JsonSchema)]
struct Sum {
    a: i64,
    b: i64,
}

fn add() -> impl Tool {
    tool("add", "Adds two numbers.", async |sum: Sum| {
        Ok::<_, std::io::Error>(sum.a + sum.b)
    })
}

/// Says something in a thread, as who goes on with the conversation.
async fn turn(thread: &Thread<BuiltGraph<Talk>, Memory>, text: &str) -> Talk {
    let mut talk = thread.state().await.unwrap_or_default();
    talk.messages.push(Message::user(text));
    thread.run(talk).await.unwrap().finished().unwrap()
}

fn offered(model: &ScriptedModel, request: usize) -> Vec<String> {
    let request = &model.requests()[request];
    request.tools.iter().map(|tool| tool.name.clone()).collect()
}

#[tokio::test]
async fn b56_a_swarm_goes_on_with_who_spoke_last() {
    let (alice, _) = agent([
        to("bob"),
        Script::call("add", json!({ "a": 5, "b": 7 })),
        say("12"),
    ]);
    let (bob, pirate) = agent([say("Ahoy, matey!"), to("alice")]);
    let parts = [
        Part::agent("alice", "Adds numbers.", alice.tool(add())),
        Part::agent("bob", "Talks like a pirate.", bob),
    ];
    let graph = swarm("Swarm", 5, parts).build().unwrap();
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let talk = turn(&thread, "I want to talk to Bob.").await;
    let first = items(&talk);
    assert_eq!(first.len(), 4);
    assert_eq!(first[first.len() - 2], r#"{"assistant":"bob"}"#);
    assert_eq!(active(&talk.messages), Some("bob"));

    let talk = turn(&thread, "What is 5 + 7?").await;
    let second = items(&talk);
    assert_eq!(second.len(), 10);
    assert_eq!(second[second.len() - 4], r#"{"assistant":"alice"}"#);
    assert_eq!(second[second.len() - 2], "12");
    assert_eq!(active(&talk.messages), Some("alice"));
    assert_eq!(
        path(&thread.history().await.unwrap())[3..],
        ["resume", "bob", "alice"]
    );
    assert_eq!(pirate.requests()[1].tools[0].description, "Adds numbers.");
}

#[tokio::test]
async fn a17_in_a_swarm_everyone_is_offered_everyone_but_itself() {
    let (a, of_a) = agent([to("b")]);
    let (b, of_b) = agent([to("c")]);
    let (c, of_c) = agent([say("I am c.")]);
    let part = |name: &str, agent| Part::agent(name, format!("Is {name}."), agent);
    let graph = swarm("Mesh", 1, [part("a", a), part("b", b), part("c", c)]);
    let graph = graph.build().unwrap();
    let run = Runtime::new(graph).thread("t").run(asked("hello")).await;
    assert!(run.unwrap().finished().is_some());
    assert_eq!(offered(&of_a, 0), ["transfer_to_b", "transfer_to_c"]);
    assert_eq!(offered(&of_b, 0), ["transfer_to_a", "transfer_to_c"]);
    assert_eq!(offered(&of_c, 0), ["transfer_to_a", "transfer_to_b"]);
}

#[tokio::test]
async fn in_a_swarm_a_handoff_that_was_made_as_often_as_it_may_is_not_offered() {
    let (a, of_a) = agent([to("b"), say("I stay.")]);
    let (b, of_b) = agent([to("a")]);
    let parts = [Part::agent("a", "", a), Part::agent("b", "", b)];
    let graph = swarm("Pair", 1, parts).build().unwrap();
    let run = Runtime::new(graph).thread("t").run(asked("hello")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!(items(&talk).last().unwrap(), "I stay.");
    assert_eq!(offered(&of_a, 1), [""; 0]);
    assert_eq!(of_b.requests().len(), 1);
}

#[tokio::test]
async fn one_agent_calls_its_tools_until_it_answers() {
    let (agent, model) = agent([
        Script::call("add", json!({ "a": 1, "b": 2 })),
        Script::call("add", json!({ "a": 3, "b": 3 })),
        say("6"),
    ]);
    let graph = react("Sums", agent.tool(add())).build().unwrap();
    let run = Runtime::new(graph)
        .thread("t")
        .run(asked("1 + 2 + 3?"))
        .await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!(
        items(&talk)[1..],
        ["agent: add", "3", "agent: add", "6", "6"]
    );
    assert_eq!(
        offered(&model, 0),
        ["add"],
        "there is nobody to hand over to"
    );
}

#[tokio::test]
async fn a_router_hands_over_once_and_can_be_a_node_of_another_graph() {
    let (first, model) = agent([to("billing")]);
    let (billing, _) = agent([say("Paid.")]);
    let parts = [
        Part::agent("billing", "Money.", billing),
        Part::node("archive", "Everything else.", Archive),
    ];
    let graph = router("Router", first, parts).build().unwrap();
    let outer = GraphBuilder::new("Outer")
        .subgraph("desk", graph)
        .node("archive", Archive)
        .start("desk")
        .route("desk", "_", To::node("archive"))
        .route("archive", "_", To::end())
        .build()
        .unwrap();
    let run = Runtime::new(outer).thread("t").run(asked("refund")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!(items(&talk).last().unwrap(), "Paid.");
    assert_eq!(talk.done.iter().collect::<Vec<_>>(), ["archived"]);
    assert_eq!(
        offered(&model, 0),
        ["transfer_to_billing", "transfer_to_archive"]
    );
}

#[node(Talk)]
fn archive(done: &mut Log<String>) {
    done.push("archived".to_owned());
}

#[tokio::test]
async fn a_supervisor_gets_each_result_back_and_asks_nobody_more_often_than_it_may() {
    let (chief, model) = agent([to("search"), to("archive"), to("search"), say("Done.")]);
    let (search, searched) = agent([say("Found one."), say("Found two.")]);
    let workers = || {
        [
            Part::agent("search", "Finds things.", search.clone()),
            Part::node("archive", "Archives.", Archive),
        ]
    };
    let graph = supervisor("Team", 2, chief, workers()).build().unwrap();
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let talk = thread.run(asked("go")).await.unwrap().finished().unwrap();
    assert_eq!(
        path(&thread.history().await.unwrap()),
        [
            "supervisor",
            "search",
            "supervisor",
            "archive",
            "supervisor",
            "search",
            "supervisor"
        ]
    );
    assert_eq!(items(&talk).last().unwrap(), "Done.");
    assert_eq!(offered(&model, 3), ["transfer_to_archive"]);
    assert_eq!(searched.left(), 0);
}

#[node(Talk)]
fn plan(plan: &mut Log<String>) {
    plan.extend(["dig", "plant"].map(str::to_owned));
}

#[node(Talk)]
fn carry_out(step: String, done: &mut Log<String>) {
    done.push(format!("{step} done"));
}

#[node(Talk)]
fn report(done: &Log<String>, messages: &mut Log<Message>) {
    messages.push(Message::note(done.to_vec().join(", ")));
}

fn steps(talk: &Talk) -> Vec<String> {
    talk.plan.to_vec()
}

fn is_worker<S: State>(_: &impl Worker<S>) {}

#[tokio::test]
async fn a_plan_is_carried_out_step_by_step_at_the_same_time() {
    is_worker::<Talk>(&CarryOut);
    let graph = planner_executor("Plan", Plan, steps, CarryOut, Report);
    let graph = graph.build().unwrap();
    let run = Runtime::new(graph).thread("t").run(asked("a garden")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!(items(&talk).last().unwrap(), "dig done, plant done");
}

#[tokio::test]
async fn a_reviewer_sends_drafts_back_as_often_as_it_may_and_has_the_last_word() {
    let draft = |number: u32| say(&format!("Draft {number}."));
    let writer = ScriptedModel::new((1..=6).map(draft));
    let back = |number: u32| to("writer").text(format!("{number} is too long."));
    let reviews = (1..=5).map(back).chain([say("Fine.")]);
    let reviewer = ScriptedModel::new(reviews);
    let graph = writer_reviewer(
        "Paper",
        5,
        Agent::new(writer.clone()),
        Agent::new(reviewer.clone()),
    );
    let graph = graph.build().unwrap();
    let run = Runtime::new(graph).thread("t").run(asked("write")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!(items(&talk).last().unwrap(), "Fine.");
    assert_eq!((writer.left(), reviewer.left()), (0, 0));
    assert_eq!(
        offered(&reviewer, 5),
        [""; 0],
        "the five rounds are used up"
    );
    let seen = format!("{:?}", writer.requests()[5].messages);
    assert!(seen.contains("5 is too long."), "{seen}");
}

#[derive(Serialize, Deserialize)]
struct Shown;

impl From<&Talk> for Shown {
    fn from(_: &Talk) -> Self {
        Self
    }
}

#[derive(Serialize, Deserialize)]
struct Advice(String);

#[node(Talk)]
impl Advice {
    fn run(&self, messages: &mut Log<Message>) {
        messages.push(Message::note(self.0.clone()));
    }
}

#[tokio::test]
async fn what_fails_for_good_goes_to_a_person() {
    let model = ScriptedModel::with_errors([Err(ModelError::busy(None))]);
    let graph = react("Desk", Agent::new(model));
    let person = Human::<Shown, Advice>::new();
    let graph = escalating(graph, ["agent"], "person", person)
        .build()
        .unwrap();
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let ask = thread.run(asked("help")).await.unwrap().paused().unwrap();
    let talk = thread
        .resume(ask.id, Advice("I do it.".into()))
        .await
        .unwrap();
    assert_eq!(items(&talk.finished().unwrap()), ["help", "I do it."]);
}

/// `HANDOFFS_BLESS=1` rewrites the page.
#[test]
fn the_page_of_prebuilt_graphs_shows_what_they_are() {
    let silent = || agent([]).0;
    let part = |name: &str| Part::agent(name, format!("Is {name}."), silent());
    let person = Human::<Shown, Advice>::new;
    let graphs = [
        (
            "`react`: one agent calls its tools until it answers.",
            react("React", silent()),
        ),
        (
            "`router`: an agent hands each conversation to the part that fits, or answers itself.",
            router("Router", silent(), [part("billing"), part("access")]),
        ),
        (
            "`swarm`: everyone may hand over to everyone else, and a run begins with who spoke last.",
            swarm("Swarm", 3, [part("a"), part("b"), part("c")]),
        ),
        (
            "`supervisor`: workers go back to whoever asked them.",
            supervisor("Supervisor", 3, silent(), [part("search"), part("write")]),
        ),
        (
            "`planner_executor`: each step of a plan is carried out at the same time.",
            planner_executor("PlannerExecutor", Plan, steps, CarryOut, Report),
        ),
        (
            "`writer_reviewer`: a draft is sent back so many times at most.",
            writer_reviewer("WriterReviewer", 5, silent(), silent()),
        ),
        (
            "`escalating`: whoever fails for good is followed by a person.",
            escalating(react("Escalating", silent()), ["agent"], "person", person()),
        ),
    ];
    let mut page = "# Prebuilt graphs\n\nWhat `handoffs::agent::prebuilt` builds, as `tests/prebuilt.rs` draws it.\n".to_owned();
    for (about, graph) in graphs {
        let drawn = graph.build().unwrap().topology().mermaid().to_string();
        write!(page, "\n{about}\n\n```mermaid\n{drawn}```\n").unwrap();
    }
    let path = "docs/prebuilt.md";
    if std::env::var_os("HANDOFFS_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(path, page).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(path).unwrap();
    let is_same = kept.lines().eq(page.lines());
    assert!(
        is_same,
        "`{path}` is stale; set HANDOFFS_BLESS=1 to redraw it:\n{page}"
    );
}

#[tokio::test]
async fn agents_among_others_are_checked_as_any_node_is() {
    let (a, _) = agent([]);
    let unrouted = GraphBuilder::new("Half")
        .any_node("a", among(a, [handoffs::agent::Peer::new("b", "")]))
        .start("a")
        .route("a", "b", To::end())
        .build();
    let errors = unrouted.unwrap_err().to_string();
    assert!(
        errors.contains("H006") && errors.contains("Answer"),
        "{errors}"
    );
}

// ---- The agent that a conversation goes on with, in a derived graph.

#[derive(Outcome)]
enum Coordinated {
    Specialist,
    #[outcome(answer)]
    Done(String),
}

#[derive(Outcome)]
enum Specialised {
    Coordinator,
    #[outcome(answer)]
    Done(String),
}

#[derive(Outcome)]
enum Resumed {
    Coordinator,
    Specialist,
}

#[node(Talk)]
fn resume(messages: &Log<Message>) -> Resumed {
    match active(messages) {
        Some("specialist") => Resumed::Specialist,
        _ => Resumed::Coordinator,
    }
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = coordinator)]
struct Off {
    #[route(Coordinated::Specialist => specialist(limit = 3), Coordinated::Done(_) => end)]
    coordinator: Agent<Talk, Coordinated>,
    #[route(Specialised::Coordinator => coordinator, Specialised::Done(_) => end)]
    specialist: Agent<Talk, Specialised>,
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = resume)]
struct On {
    #[route(Resumed::Coordinator => coordinator, Resumed::Specialist => specialist)]
    resume: Resume,
    #[route(Coordinated::Specialist => specialist(limit = 3), Coordinated::Done(_) => end)]
    coordinator: Agent<Talk, Coordinated>,
    #[route(Specialised::Coordinator => coordinator, Specialised::Done(_) => end)]
    specialist: Agent<Talk, Specialised>,
}

/// Makes two turns of a conversation, and returns how often each was asked after each of them.
async fn two_turns<G: Runnable<State = Talk>>(
    graph: G,
    (coordinator, specialist): (&ScriptedModel, &ScriptedModel),
) -> [(usize, usize); 2] {
    let count = || (coordinator.requests().len(), specialist.requests().len());
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let mut talk = thread.run(asked("one")).await.unwrap().finished().unwrap();
    let first = count();
    talk.messages.push(Message::user("two"));
    assert!(thread.run(talk).await.unwrap().finished().is_some());
    [first, count()]
}

fn models<const C: usize, const S: usize>(
    coordinator: [Script; C],
    specialist: [Script; S],
) -> (ScriptedModel, ScriptedModel) {
    (
        ScriptedModel::new(coordinator),
        ScriptedModel::new(specialist),
    )
}

#[tokio::test]
async fn a4_the_next_turn_enters_where_the_last_one_ended_if_the_graph_says_so() {
    // Off.
    let (c, s) = models([to("specialist"), say("Again me.")], [say("Done.")]);
    let off = Off {
        coordinator: Agent::new(c.clone()),
        specialist: Agent::new(s.clone()),
    };
    assert_eq!(two_turns(off, (&c, &s)).await, [(1, 1), (2, 1)]);

    let on = |c: &ScriptedModel, s: &ScriptedModel| On {
        resume: Resume,
        coordinator: Agent::new(c.clone()),
        specialist: Agent::new(s.clone()),
    };
    let (c, s) = models([to("specialist")], [say("Done."), say("Still me.")]);
    assert_eq!(two_turns(on(&c, &s), (&c, &s)).await, [(1, 1), (1, 2)]);

    // The specialist hands back.
    let (c, s) = models(
        [to("specialist"), say("Done."), say("Still me.")],
        [to("coordinator")],
    );
    assert_eq!(two_turns(on(&c, &s), (&c, &s)).await, [(2, 1), (3, 1)]);
}

#[tokio::test]
async fn a9_where_the_last_one_cannot_hand_over_the_nearest_that_can_goes_on() {
    #[derive(Outcome)]
    enum Root {
        Sub,
    }

    #[derive(Outcome)]
    enum Sub {
        Single,
        #[outcome(answer)]
        Done(String),
    }

    #[derive(Outcome)]
    enum Single {
        #[outcome(answer)]
        Done(String),
    }

    #[derive(Outcome)]
    enum At {
        Root,
        Sub,
    }

    #[node(Talk)]
    fn begin(messages: &Log<Message>) -> At {
        match active(messages) {
            // It is single, and cannot transfer back.
            Some("sub" | "single") => At::Sub,
            _ => At::Root,
        }
    }

    #[derive(AgentGraph)]
    #[graph(state = Talk, start = begin)]
    struct Tree {
        #[route(At::Root => root, At::Sub => sub)]
        begin: Begin,
        #[route(_ => sub)]
        root: Agent<Talk, Root>,
        #[route(Sub::Single => single, Sub::Done(_) => end)]
        sub: Agent<Talk, Sub>,
        #[route(_ => end)]
        single: Agent<Talk, Single>,
    }

    let (sub, single) = models([to("single"), say("I go on.")], [say("Done.")]);
    let tree = Tree {
        begin: Begin,
        root: Agent::new(ScriptedModel::new([to("sub")])),
        sub: Agent::new(sub.clone()),
        single: Agent::new(single.clone()),
    };
    assert_eq!(two_turns(tree, (&sub, &single)).await, [(1, 1), (2, 1)]);
}
