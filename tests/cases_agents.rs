//! Cases from the field, part A, in which a model speaks: what it is offered, what comes of its turns,
//! and what the next one sees of them.
//!
//! The numbers are those of the project's collection of cases; what does not apply, and why, stands
//! in `COMPATIBILITY.md`.
#![cfg(feature = "agents")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::chain;
use futures::StreamExt;
use handoffs::agent::{
    Agent, Call, Decision, Given, History, Message, Request, Said, Script, ScriptedModel, Tool,
    ToolPolicy, ToolRequest, Turn, Verdict, tool,
};
use handoffs::prelude::*;
use handoffs::{Approval, Event, RunError, async_trait};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Talk {
    #[state(messages)]
    messages: Log<Message>,
}

// ---- A hands over to B, and B back to A.

#[derive(Outcome, Debug, PartialEq)]
enum FromA {
    B,
    /// For a third one.
    C,
    #[outcome(answer)]
    Done(String),
}

#[derive(Outcome, Debug, PartialEq)]
enum FromB {
    A,
    /// With what it is about.
    C {
        bar: String,
        age: i32,
    },
    #[outcome(answer)]
    Done(String),
}

#[derive(Outcome, Debug, PartialEq)]
enum FromC {
    #[outcome(answer)]
    Done(String),
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = a)]
struct Three {
    #[route(FromA::B => b, FromA::C => c, FromA::Done(_) => end)]
    a: Agent<Talk, FromA>,
    #[route(
        FromB::A => a(limit = 5, else = end),
        FromB::C { .. } => c,
        FromB::Done(_) => end,
    )]
    b: Agent<Talk, FromB>,
    #[route(_ => end)]
    c: Agent<Talk, FromC>,
}

/// What each of the three says.
#[derive(Clone)]
struct Models {
    a: ScriptedModel,
    b: ScriptedModel,
    c: ScriptedModel,
}

type Scripts<const N: usize> = [Script; N];

fn models<const A: usize, const B: usize, const C: usize>(
    a: Scripts<A>,
    b: Scripts<B>,
    c: Scripts<C>,
) -> Models {
    Models {
        a: ScriptedModel::new(a),
        b: ScriptedModel::new(b),
        c: ScriptedModel::new(c),
    }
}

impl Models {
    fn graph(&self) -> Three {
        Three {
            a: Agent::new(self.a.clone()).instructions("You are A."),
            b: Agent::new(self.b.clone()).instructions("You are B."),
            c: Agent::new(self.c.clone()).instructions("You are C."),
        }
    }

    fn asked(&self) -> usize {
        [&self.a, &self.b, &self.c]
            .map(|model| model.requests().len())
            .iter()
            .sum()
    }
}

fn says(text: &str) -> Script {
    Script::say(text)
}

fn calls(name: &str) -> Script {
    Script::call(name, json!({}))
}

fn to(name: &str) -> Script {
    calls(&format!("transfer_to_{name}"))
}

/// A text and a call in one turn.
fn says_and(text: &str, script: Script) -> Script {
    script.text(text)
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// A tool that returns a text, and counts how often it is called.
fn counted(name: &str, result: &'static str, count: &Arc<AtomicU32>) -> impl Tool + use<> {
    let count = Arc::clone(count);
    tool(name.to_owned(), "", move |_: Nothing| {
        count.fetch_add(1, Ordering::Relaxed);
        async move { Ok::<_, std::io::Error>(result) }
    })
}

fn gives(name: &str, result: &'static str) -> impl Tool + use<> {
    counted(name, result, &Arc::default())
}

fn asked(text: &str) -> Talk {
    let messages = Log::from(vec![Message::user(text)]);
    Talk { messages }
}

async fn run(graph: Three, text: &str) -> Result<Talk, RunError> {
    let run = Runtime::new(graph).thread("t").run(asked(text)).await?;
    Ok(run.finished().unwrap())
}

fn turns(talk: &Talk) -> Vec<Turn> {
    let turns = talk.messages.iter().filter_map(|message| match message {
        Message::Agent(turn) => Some(turn.clone()),
        _ => None,
    });
    turns.collect()
}

fn all_calls(talk: &Talk) -> Vec<Call> {
    turns(talk)
        .into_iter()
        .flat_map(|turn| turn.calls)
        .collect()
}

fn texts(talk: &Talk) -> Vec<String> {
    let messages = talk.messages.iter();
    messages.map(|message| message.text().to_owned()).collect()
}

fn user(text: &str) -> Said {
    Said::User(text.to_owned())
}

fn offered(request: &Request) -> Vec<&str> {
    request.tools.iter().map(|tool| &*tool.name).collect()
}

fn refusal(call: &Call) -> &str {
    match &call.given {
        Given::Error(error) => error,
        given => panic!("{given:?}"),
    }
}

// ---- Core transfer.

/// A1.
#[tokio::test]
async fn a1_a_tool_then_a_handoff_then_an_answer() {
    let models = models([calls("f"), says_and("m", to("b"))], [says("done")], []);
    let mut graph = models.graph();
    graph.a = graph.a.tool(gives("f", "f output"));
    let talk = run(graph, "user_message").await.unwrap();
    assert_eq!(texts(&talk).last().unwrap(), "done");
    assert_eq!(turns(&talk).last().unwrap().agent, "b");
    assert_eq!(models.asked(), 3);
    // Seven items: a call and its output are one here, as are a text and the calls that came with it.
    let items = [
        "user_message",
        "f",
        "f output",
        "m",
        "transfer_to_b",
        r#"{"assistant":"b"}"#,
        "done",
    ];
    let mut found = Vec::new();
    for message in &talk.messages {
        found.extend(Some(message.text().to_owned()).filter(|text| !text.is_empty()));
        if let Message::Agent(turn) = message {
            for call in &turn.calls {
                found.extend([call.tool.clone(), call.given.text().into_owned()]);
            }
        }
    }
    assert_eq!(found, items);
}

/// A2.
#[tokio::test]
async fn a2_the_output_of_a_handoff_names_the_receiver_whose_instructions_come_next() {
    let models = models([to("b")], [says("done")], []);
    let talk = run(models.graph(), "hello").await.unwrap();
    let call = &all_calls(&talk)[0];
    assert_eq!(
        (&*call.id, &*call.given.text()),
        ("call_1", r#"{"assistant":"b"}"#)
    );
    assert_eq!(models.b.requests()[0].instructions, "You are B.");
}

/// A5: what starts and what is handed over are events; tools are told by the log.
#[tokio::test]
async fn a5_three_visits_two_handoffs_two_tools_and_one_end() {
    let models = models(
        [
            calls("f"),
            says_and("m", calls("f").and_call("transfer_to_b", json!({}))),
            says("done"),
        ],
        [says_and("m", to("a"))],
        [],
    );
    let mut graph = models.graph();
    let count = Arc::default();
    graph.a = graph.a.tool(counted("f", "", &count));
    let runtime = Runtime::new(graph);
    let mut events = runtime.thread("t").stream(asked("hello"));
    let (mut entered, mut handed_over, mut ended) = (0, 0, 0);
    while let Some(event) = events.next().await {
        match event.unwrap() {
            Event::Entered { .. } => entered += 1,
            Event::Stepped {
                to: Target::Node(_),
                ..
            } => handed_over += 1,
            Event::Stepped { .. } => ended += 1,
            _ => {}
        }
    }
    let tools = count.load(Ordering::Relaxed);
    assert_eq!((entered, tools, handed_over, ended), (3, 2, 2, 1));
}

/// A6.
#[tokio::test]
async fn a6_an_answer_with_a_handoff_is_a_handoff() {
    let models = models([says_and(r#"{"a":"final"}"#, to("b"))], [says("done")], []);
    let talk = run(models.graph(), "hello").await.unwrap();
    assert_eq!(texts(&talk), ["hello", r#"{"a":"final"}"#, "done"]);
    assert_eq!(turns(&talk)[1].agent, "b");
}

// ---- Names, schemas and what is offered.

/// A11: in a name that is a variant's there is nothing to warn of. Two that are one, A12:
/// `tests/ui/fail/tool_name_that_is_taken.rs`.
#[test]
fn a11_a_variant_becomes_a_tool_named_after_it() {
    #[derive(Outcome)]
    enum Asked {
        RefundAgent,
    }
    assert_eq!(Asked::VARIANTS[0].tool, "transfer_to_refund_agent");
}

/// A13: handoffs of one name do not compile; a tool is known when the agent is visited.
#[tokio::test]
async fn a13_a_tool_that_is_named_like_another_or_like_a_handoff_is_an_error_before_the_model_is_asked()
 {
    for (one, other) in [("f", "f"), ("transfer_to_b", "f")] {
        let models = models([says("done")], [], []);
        let mut graph = models.graph();
        graph.a = graph.a.tool(gives(one, "")).tool(gives(other, ""));
        let error = chain(&run(graph, "hello").await.unwrap_err());
        assert!(
            error.ends_with(&format!("two tools named `{one}`, handoffs among them")),
            "{error}"
        );
        assert_eq!(models.asked(), 0);
    }
}

/// A15: an edge is disabled when it is masked.
#[tokio::test]
async fn a15_a_disabled_edge_is_not_offered_and_a_call_of_it_is_refused_in_words() {
    #[derive(AgentGraph)]
    #[graph(state = Talk, start = a)]
    struct Pair {
        #[route(FromA::B => b, FromA::C => a(limit = 1, else = end), FromA::Done(_) => end)]
        a: Agent<Talk, FromA>,
        #[route(_ => end)]
        b: Agent<Talk, FromC>,
    }

    let a = ScriptedModel::new([to("c"), to("c"), to("b")]);
    let b = ScriptedModel::new([says("done")]);
    let pair = Pair {
        a: Agent::new(a.clone()),
        b: Agent::new(b),
    };
    let run = Runtime::new(pair).thread("t").run(asked("hello")).await;
    let talk = run.unwrap().finished().unwrap();
    let offered: Vec<_> = a
        .requests()
        .iter()
        .map(|request| offered(request).join(","))
        .collect();
    assert_eq!(
        offered,
        [
            "transfer_to_b,transfer_to_c",
            "transfer_to_b",
            "transfer_to_b"
        ]
    );
    assert!(refusal(&all_calls(&talk)[1]).starts_with("transfer_to_c is not possible any more"));
    assert_eq!(texts(&talk).last().unwrap(), "done");
}

/// A16: there is a tool for each target and not one with an `enum` of them. It says the same.
#[tokio::test]
async fn a16_the_tools_are_exactly_the_targets_that_are_enabled() {
    let models = models([to("b")], [says("done")], []);
    run(models.graph(), "hello").await.unwrap();
    assert_eq!(
        offered(&models.a.requests()[0]),
        ["transfer_to_b", "transfer_to_c"]
    );
    assert_eq!(
        offered(&models.b.requests()[0]),
        ["transfer_to_a", "transfer_to_c"]
    );
}

// ---- What a handoff carries.

/// A node of the program that takes what a handoff brought.
fn payload(talk: &Talk) -> Vec<Value> {
    let calls = all_calls(talk).into_iter();
    let over = calls.filter(|call| matches!(call.given, Given::Handoff(_)));
    over.map(|call| serde_json::from_str(&call.arguments).unwrap())
        .collect()
}

/// A18: the payload is the receiver's before its model is asked, and comes once.
#[tokio::test]
async fn a18_a_payload_has_a_closed_schema_and_reaches_the_receiver_once() {
    let bar = json!({ "bar": "test_input", "age": 25 });
    let models = models(
        [to("b")],
        [Script::call("transfer_to_c", bar.clone())],
        [says("done")],
    );
    let talk = run(models.graph(), "hello").await.unwrap();
    let schema = &models.b.requests()[0].tools[1].parameters;
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], json!(["bar", "age"]));
    assert_eq!(payload(&talk), [json!({}), bar]);
    let seen = &models.c.requests()[0].messages;
    let with = seen
        .iter()
        .filter(|said| matches!(said, Said::User(text) if text.contains("test_input")));
    assert_eq!(with.count(), 1);
}

/// A19: the model is told, and after the mistakes that it may make the node fails.
#[tokio::test]
async fn a19_a_payload_that_does_not_fit_is_rejected_without_coercion() {
    let bad = ["{", "", "null", r#"{"bar":"Alice","age":"25"}"#];
    let wrong = bad.map(|text| Script::default().and_call_raw("transfer_to_c", text));
    let [one, two, three, four] = wrong;
    let good = Script::call("transfer_to_c", json!({ "bar": "Alice", "age": 25 }));
    let models = models([to("b")], [one, two, three, four, good], [says("done")]);
    let mut graph = models.graph();
    graph.b = graph.b.max_mistakes(4);
    let talk = run(graph, "hello").await.unwrap();
    let calls = all_calls(&talk);
    assert_eq!(calls.len(), 6);
    for call in &calls[1..5] {
        assert!(refusal(call).starts_with("the arguments of transfer_to_c do not fit"));
    }
    assert_eq!(models.c.requests().len(), 1);
}

/// A20: nothing of the visit is kept, and it is the caller's turn still.
#[tokio::test]
async fn a20_where_a_payload_never_fits_no_transfer_is_recorded_and_the_caller_is_still_active() {
    let wrong = || Script::call("transfer_to_b", json!({ "x": 1 }));
    let models = models([wrong(), wrong(), to("b")], [says("done")], []);
    let mut graph = models.graph();
    graph.a = graph.a.max_mistakes(1);
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let error = thread.run(asked("hello")).await.unwrap_err();
    assert!(
        chain(&error).contains("the model made 2 mistakes"),
        "{error:?}"
    );
    assert_eq!(thread.state().await.unwrap(), asked("hello"));
    let Status::Failed { node, .. } = thread.status().await.unwrap() else {
        panic!()
    };
    assert_eq!(node, ThreeNode::A);
    // Taken up again, it goes on behind its mistakes, and neither turns nor mistakes are forgotten.
    let talk = thread.recover().await.unwrap().finished().unwrap();
    assert_eq!((models.asked(), all_calls(&talk).len()), (4, 3));
}

// ---- Several calls in one turn.

/// A23: six messages there; here four, as a call and its result are one.
#[tokio::test]
async fn a23_tools_and_a_handoff_in_one_turn_are_all_done_once() {
    let turn = calls("tool1")
        .and_call("tool2", json!({}))
        .and_call("transfer_to_b", json!({}));
    let models = models([turn], [says("done")], []);
    let (one, two) = (Arc::default(), Arc::default());
    let mut graph = models.graph();
    graph.a = graph
        .a
        .tool(counted("tool1", "tool1", &one))
        .tool(counted("tool2", "tool2", &two));
    let talk = run(graph, "hello").await.unwrap();
    assert_eq!(
        (one.load(Ordering::Relaxed), two.load(Ordering::Relaxed)),
        (1, 1)
    );
    let given: Vec<_> = all_calls(&talk)
        .into_iter()
        .map(|call| call.given)
        .collect();
    let expected = [
        Given::Result("tool1".into()),
        Given::Result("tool2".into()),
        Given::Handoff("b".into()),
    ];
    assert_eq!(given, expected);
    let seen = &models.b.requests()[0].messages;
    let expected = [
        user("hello"),
        user("[a] said: (tool1 returned: tool1)\n(tool2 returned: tool2)"),
        user("[a] hands over to you."),
    ];
    assert_eq!(*seen, expected);
}

/// A24.
#[tokio::test]
async fn a24_the_output_of_a_tool_comes_before_that_of_the_handoff() {
    let models = models(
        [calls("t").and_call("transfer_to_b", json!({}))],
        [says("done")],
        [],
    );
    let mut graph = models.graph();
    graph.a = graph.a.tool(gives("t", "R"));
    let talk = run(graph, "hello").await.unwrap();
    let given: Vec<_> = all_calls(&talk)
        .iter()
        .map(|call| call.given.text().into_owned())
        .collect();
    assert_eq!(given, ["R", r#"{"assistant":"b"}"#]);
}

/// A26.
#[tokio::test]
async fn a26_a_second_target_is_passed_over_and_that_is_kept() {
    let models = models(
        [to("b").and_call("transfer_to_c", json!({}))],
        [says("done")],
        [],
    );
    let talk = run(models.graph(), "hello").await.unwrap();
    let calls = all_calls(&talk);
    assert_eq!(calls[0].given, Given::Handoff("b".into()));
    assert_eq!(
        (&*calls[1].tool, &calls[1].given),
        ("transfer_to_c", &Given::Passed)
    );
    assert_eq!(
        (models.b.requests().len(), models.c.requests().len()),
        (1, 0)
    );
}

/// A28.
#[tokio::test]
async fn a28_what_is_thought_with_the_handoff_is_in_the_receivers_context() {
    let thought = "I need to hand this off to another agent";
    let models = models([says_and(thought, to("b"))], [says("done")], []);
    run(models.graph(), "hello").await.unwrap();
    let said = user(&format!("[a] said: {thought}"));
    assert!(models.b.requests()[0].messages.contains(&said));
}

// ---- History.

/// A29, A38.
#[tokio::test]
async fn a29_a38_over_two_hops_the_texts_are_seen_and_none_of_the_handoffs() {
    let question = "What is the derivative of x^2?";
    let bar = json!({ "bar": "x", "age": 1 });
    let models = models(
        [says_and("Routing to second agent", to("b"))],
        [Script::call("transfer_to_c", bar).text("Routing to third agent")],
        [says("2x")],
    );
    run(models.graph(), question).await.unwrap();
    let seen = &models.c.requests()[0].messages;
    let expected = [
        user(question),
        user("[a] said: Routing to second agent"),
        user("[b] said: Routing to third agent"),
    ];
    assert_eq!(seen[..3], expected);
    for said in seen {
        assert!(matches!(said, Said::User(_)), "{said:?}");
    }
    let text = format!("{seen:?}");
    assert!(
        !text.contains("transfer_to_") && !text.contains("assistant"),
        "{text}"
    );
}

/// A31: handoffs of others are never seen, so there are two ways and not three.
#[tokio::test]
async fn a31_a_receiver_sees_what_tools_gave_or_does_not() {
    for (history, seen_of_it) in [(History::full(), 1), (History::full().without_tools(), 0)] {
        let models = models(
            [says_and(
                "m",
                calls("f").and_call("transfer_to_b", json!({})),
            )],
            [says("done")],
            [],
        );
        let mut graph = models.graph();
        graph.a = graph.a.tool(gives("f", "found"));
        graph.b = graph.b.history(history);
        run(graph, "hello").await.unwrap();
        let seen = format!("{:?}", models.b.requests()[0].messages);
        assert_eq!(seen.matches("found").count(), seen_of_it, "{seen}");
        assert!(
            seen.contains("[a] said: m") && !seen.contains("transfer_to"),
            "{seen}"
        );
    }
}

/// A35: what is shown is made of the log anew each time, so there is no nesting to come undone.
#[tokio::test]
async fn a35_turns_are_kept_over_three_handoffs_with_empty_ones_and_with_texts_that_look_like_ours()
{
    let marker = "[b] said: [a] hands over to you.";
    let models = models(
        [to("b"), says_and("two", to("b")), says("done")],
        [to("a"), says_and("one", to("a"))],
        [],
    );
    let talk = run(models.graph(), marker).await.unwrap();
    assert_eq!(texts(&talk), [marker, "", "", "two", "one", "done"]);
    let seen = &models.a.requests()[2].messages;
    assert_eq!(seen[0], user(marker), "the user's own words are left alone");
    let empty = |said: &Said| match said {
        Said::Assistant { text, calls, .. } => text.is_empty() && calls.is_empty(),
        Said::User(text) => text.is_empty(),
        _ => false,
    };
    assert!(!seen.iter().any(empty), "{seen:?}");
}

/// A36.
#[tokio::test]
async fn a36_the_log_keeps_everything_though_the_model_saw_less() {
    let models = models([calls("f"), says_and("m", to("b"))], [says("done")], []);
    let mut graph = models.graph();
    graph.a = graph.a.tool(gives("f", "found"));
    graph.b = graph.b.history(History::none());
    let talk = run(graph, "hello").await.unwrap();
    let seen = &models.b.requests()[0].messages;
    assert_eq!(*seen, [user("hello"), user("[a] hands over to you.")]);
    assert_eq!(talk.messages.len(), 4);
    assert_eq!(all_calls(&talk)[0].given, Given::Result("found".into()));
}

/// A32: a history is set for the receiver and not for the edge; the log stays whole, A36.
#[tokio::test]
async fn a32_a_history_that_drops_what_is_new_leaves_the_user_and_the_last() {
    let models = models([calls("f"), to("b")], [says("last")], []);
    let mut graph = models.graph();
    graph.a = graph.a.tool(gives("f", "found"));
    graph.b = graph.b.history(History::none());
    let talk = run(graph, "hello").await.unwrap();
    let visible: Vec<_> = texts(&talk)
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    assert_eq!(visible, ["hello", "last"]);
}

// ---- Control.

/// A40: who asks is in the question.
#[tokio::test]
async fn a40_an_approval_behind_a_handoff_belongs_to_the_one_who_got_it() {
    fn wanted(talk: &Talk) -> usize {
        talk.messages.len()
    }

    #[derive(AgentGraph)]
    #[graph(state = Talk, start = triage)]
    struct Approved {
        #[route(
            FromA::B => delegate(approve = wanted, else = end),
            FromA::C | FromA::Done(_) => end,
        )]
        triage: Agent<Talk, FromA>,
        #[route(FromA::B => last(approve = wanted, else = end), FromA::C | FromA::Done(_) => end)]
        delegate: Agent<Talk, FromA>,
        #[route(_ => end)]
        last: Agent<Talk, FromC>,
    }

    let model = |script| Agent::new(ScriptedModel::new([script]));
    let graph = Approved {
        triage: model(to("b")),
        delegate: model(to("b")),
        last: Agent::new(ScriptedModel::new([says("done")])),
    };
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let first = thread.run(asked("hello")).await.unwrap().paused().unwrap();
    assert_eq!(first.node, "triage");
    let second = thread.resume(first.id, Approval::Approved).await.unwrap();
    let second = second.paused().unwrap();
    assert_eq!(second.node, "delegate");
    let end = thread.resume(second.id, Approval::Approved).await.unwrap();
    assert_eq!(texts(&end.finished().unwrap()).last().unwrap(), "done");
}

/// A40, of tools: who asks is who calls, and nothing is called before.
#[tokio::test]
async fn a40_an_approval_of_a_tool_belongs_to_the_agent_that_calls_it() {
    struct FourEyes;

    #[async_trait]
    impl ToolPolicy for FourEyes {
        async fn check(&self, _: &ToolRequest<'_>) -> Decision {
            Decision::needs_approval("four eyes")
        }
    }

    let models = models([calls("f"), to("b")], [calls("g"), says("done")], []);
    let [f, g] = <[Arc<AtomicU32>; 2]>::default();
    let mut graph = models.graph();
    graph.a = graph.a.tool(counted("f", "", &f)).policy(FourEyes);
    graph.b = graph.b.tool(counted("g", "", &g)).policy(FourEyes);
    let called = || (f.load(Ordering::Relaxed), g.load(Ordering::Relaxed));
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let first = thread.run(asked("hello")).await.unwrap().paused().unwrap();
    assert_eq!((&*first.node, called()), ("a", (0, 0)));
    let run = thread.resume(first.id, Approval::Approved).await.unwrap();
    let second = run.paused().unwrap();
    assert_eq!((&*second.node, called()), ("b", (1, 0)));
    assert!(second.question.as_str().contains(r#""tool":"g""#));
    let run = thread.resume(second.id, Approval::Approved).await.unwrap();
    assert_eq!(texts(&run.finished().unwrap()).last().unwrap(), "done");
    assert_eq!(called(), (1, 1));
}

/// A45, A52: a name that nobody has is an error that the model reads, and never the first agent.
#[tokio::test]
async fn a45_a52_a_target_that_nobody_knows_is_refused_and_never_the_first_one() {
    let models = models([to("nobody"), says("I stay.")], [], []);
    let talk = run(models.graph(), "hello").await.unwrap();
    assert_eq!(
        refusal(&all_calls(&talk)[0]),
        "transfer_to_nobody is not a valid tool, try one of [transfer_to_b, transfer_to_c]."
    );
    assert_eq!(texts(&talk).last().unwrap(), "I stay.");
    assert_eq!(models.asked(), 2);
}

/// A27: a branch sees what was said before the fork, and of the branches nothing but its own.
#[tokio::test]
async fn a27_a_branch_holds_its_own_calls_alone_and_the_join_what_all_of_them_said() {
    #[derive(Outcome)]
    enum Asked {
        Both,
    }

    #[derive(AgentGraph)]
    #[graph(state = Talk, start = supervisor)]
    struct FanOut {
        #[route(_ => all(left, right) join report)]
        supervisor: Agent<Talk, Asked>,
        #[route(_ => report)]
        left: Agent<Talk, FromC>,
        #[route(_ => report)]
        right: Agent<Talk, FromC>,
        #[route(_ => end)]
        report: Agent<Talk, FromC>,
    }

    let models = models(
        [calls("f"), says("found left")],
        [calls("g"), says("found right")],
        [says("done")],
    );
    let graph = FanOut {
        supervisor: Agent::new(ScriptedModel::new([to("both")])),
        left: Agent::new(models.a.clone()).tool(gives("f", "of f")),
        right: Agent::new(models.b.clone()).tool(gives("g", "of g")),
        report: Agent::new(models.c.clone()),
    };
    let run = Runtime::new(graph).thread("t").run(asked("hello")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!(texts(&talk).last().unwrap(), "done");
    let seen =
        |model: &ScriptedModel, request: usize| format!("{:?}", model.requests()[request].messages);
    let (left, right) = (seen(&models.a, 1), seen(&models.b, 1));
    assert!(left.contains("of f") && !left.contains("of g"), "{left}");
    assert!(right.contains("of g") && !right.contains("of f"), "{right}");
    let report = seen(&models.c, 0);
    assert!(
        report.contains("found left") && report.contains("found right"),
        "{report}"
    );
}

// ---- Loops and limits.

/// A47: of 20 messages one says that it is the last turn.
#[tokio::test]
async fn a47_an_agent_that_comes_to_no_end_is_stopped_after_ten_turns() {
    let model = ScriptedModel::new((0..20).map(|_| calls("f")));
    let count = Arc::default();
    let graph = Three {
        a: Agent::new(model.clone()).tool(counted("f", "again", &count)),
        b: Agent::new(ScriptedModel::new([])),
        c: Agent::new(ScriptedModel::new([])),
    };
    let error = run(graph, "hello").await.unwrap_err();
    assert!(chain(&error).ends_with("the agent came to no conclusion within 10 turns"));
    let requests = model.requests();
    assert_eq!((requests.len(), requests[9].messages.len()), (10, 19 + 1));
    assert_eq!(offered(&requests[9]), ["transfer_to_b", "transfer_to_c"]);
    assert_eq!(
        count.load(Ordering::Relaxed),
        9,
        "what is not offered is not called"
    );
}

/// A47: the handler, whose value is the end's.
#[tokio::test]
async fn a47_an_error_edge_leads_on_from_an_agent_that_comes_to_no_end() {
    #[node(Talk)]
    fn excuse(messages: &mut Log<Message>) {
        messages.push(Message::note("We shall write to you."));
    }

    #[derive(AgentGraph)]
    #[graph(state = Talk, start = a)]
    struct Excused {
        #[route(_ => end)]
        #[on_error(then = excuse)]
        a: Agent<Talk, FromC>,
        #[route(_ => end)]
        excuse: Excuse,
    }

    let model = ScriptedModel::new((0..3).map(|_| calls("f")));
    let a = Agent::new(model).tool(gives("f", "")).max_turns(3);
    let runtime = Runtime::new(Excused { a, excuse: Excuse });
    let run = runtime.thread("t").run(asked("hello")).await.unwrap();
    let talk = run.finished().unwrap();
    assert_eq!(texts(&talk), ["hello", "We shall write to you."]);
}

/// A50.
#[tokio::test]
async fn a50_two_loops_and_an_exit_are_heard_in_order() {
    let bar = json!({ "bar": "exit", "age": 1 });
    let models = models(
        [to("b"), to("b"), to("b")],
        [
            to("a").text("loop"),
            to("a").text("loop"),
            Script::call("transfer_to_c", bar).text("exit"),
        ],
        [says("done")],
    );
    let talk = run(models.graph(), "hello").await.unwrap();
    let sources = talk.messages.iter().map(|message| match message {
        Message::Agent(turn) => turn.agent.to_string(),
        _ => "user".to_owned(),
    });
    assert_eq!(sources.collect::<Vec<_>>().join(","), "user,a,b,a,b,a,b,c");
}

// ---- What is not in the collection, and was found missing beside it.

#[tokio::test]
async fn calls_without_ids_or_with_one_and_the_same_are_told_apart() {
    use handoffs::agent::{Model, ModelError, Reply, ToolCall};

    /// A model that gives its calls no ids worth the name.
    #[derive(Debug)]
    struct Careless(&'static str);

    #[async_trait::async_trait]
    impl Model for Careless {
        async fn turn(
            &self,
            request: &Request,
            _: &(dyn for<'s> Fn(&'s str) + Send + Sync),
        ) -> Result<Reply, ModelError> {
            if request.messages.len() > 4 {
                return Ok(Reply::text("done"));
            }
            let call = |tool: &str| ToolCall::new(self.0, tool, "{}");
            Ok(Reply::default().call(call("one")).call(call("two")))
        }
    }

    for id in ["", "same"] {
        let mut graph = models([], [], []).graph();
        let agent = Agent::new(Careless(id));
        graph.a = agent.tool(gives("one", "1")).tool(gives("two", "2"));
        let talk = run(graph, "hello").await.unwrap();
        let calls = all_calls(&talk);
        let given: Vec<_> = calls
            .iter()
            .map(|call| call.given.text().into_owned())
            .collect();
        assert_eq!(given, ["1", "2", "1", "2"], "{id:?}");
        let mut ids: Vec<_> = calls.iter().map(|call| &call.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4, "{ids:?}");
        assert!(ids.iter().all(|id| !id.is_empty()));
    }
}

#[tokio::test]
async fn an_empty_reply_is_no_answer_and_is_asked_about() {
    let models = models([says(""), says(" "), says("done")], [], []);
    let talk = run(models.graph(), "hello").await.unwrap();
    assert_eq!(texts(&talk).last().unwrap(), "done");
    let seen = &models.a.requests()[1].messages;
    let word = user("That was empty: answer, or call one of the tools.");
    assert_eq!(*seen, [user("hello"), word], "no empty turn is shown");
}

#[tokio::test]
async fn an_answer_without_fields_is_any_text() {
    #[derive(Outcome)]
    enum Told {
        #[outcome(answer)]
        Done,
    }

    #[derive(AgentGraph)]
    #[graph(state = Talk, start = a)]
    struct Teller {
        #[route(_ => end)]
        a: Agent<Talk, Told>,
    }

    for text in ["All is well.", ""] {
        let model = ScriptedModel::new([says(text)]);
        let runtime = Runtime::new(Teller {
            a: Agent::new(model.clone()),
        });
        let run = runtime.thread("t").run(asked("hello")).await.unwrap();
        assert_eq!(texts(&run.finished().unwrap()), ["hello", text]);
        assert_eq!(model.requests()[0].answer, None);
    }
}

#[tokio::test]
async fn a_blocked_answer_fails_the_node_and_a_retry_asks_anew() {
    let models = models([says("bomb"), says("peace")], [], []);
    let mut graph = models.graph();
    graph.a = graph.a.output(|_: &Talk, text: &str| match text {
        "bomb" => Verdict::Block("no bombs".to_owned()),
        _ => Verdict::Pass,
    });
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let error = thread.run(asked("hello")).await.unwrap_err();
    assert!(chain(&error).ends_with("no bombs"));
    let talk = thread.recover().await.unwrap().finished().unwrap();
    assert_eq!(texts(&talk), ["hello", "peace"]);
}

#[tokio::test]
async fn an_agent_that_used_up_its_turns_gets_as_many_again_when_it_is_taken_up() {
    let script = (0..9).map(|_| calls("f")).chain([says("done")]);
    let model = ScriptedModel::new(script);
    let count = Arc::default();
    let mut graph = models([], [], []).graph();
    graph.a = Agent::new(model.clone())
        .tool(counted("f", "", &count))
        .max_turns(4);
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    assert!(thread.run(asked("hello")).await.is_err());
    assert!(thread.recover().await.is_err());
    assert_eq!(model.left(), 2, "eight turns were made, none of them twice");
    let talk = thread.recover().await.unwrap().finished().unwrap();
    assert_eq!(texts(&talk).last().unwrap(), "done");
    // In the fourth and the eighth turn there was no tool to call.
    assert_eq!((turns(&talk).len(), count.load(Ordering::Relaxed)), (10, 7));
}
