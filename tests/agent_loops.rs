//! Agents that pass a conversation on in circles: who gets nowhere is stopped, who gets on never is.
#![cfg(feature = "agents")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(clippy::ptr_arg, reason = "so routes and nodes are written")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use common::{Counting, Stopping, chain, path};
use handoffs::agent::{
    Agent, Given, Message, Model, ModelError, Reply, Request, Script, ScriptedModel, ToolCall,
    Turn, tool,
};
use handoffs::prelude::*;
use handoffs::{Journal, RunError, Runnable};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A conversation in which only `found` counts as progress.
#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Talk {
    #[state(messages)]
    messages: Log<Message>,
    #[state(progress)]
    found: u32,
    /// Changes all the time, and counts for nothing.
    noise: u32,
}

/// A conversation in which everything counts, so that each turn is progress.
#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Chatter {
    #[state(messages)]
    messages: Log<Message>,
}

fn asked(text: &str) -> Talk {
    Talk {
        messages: vec![Message::user(text)].into(),
        ..Talk::default()
    }
}

/// Hands over as long as it is offered to, to whatever comes first, and answers where it cannot. It says
/// the same to the same request, whatever went before: so nothing is lost with it in a crash.
#[derive(Debug)]
struct Eager;

#[async_trait]
impl Model for Eager {
    async fn turn(
        &self,
        request: &Request,
        _: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        let over = request
            .tools
            .iter()
            .find(|tool| tool.name.starts_with("transfer_to_"));
        Ok(match over {
            Some(tool) => Reply::default().call(ToolCall::new("1", &*tool.name, "{}")),
            None => Reply::text("I do it myself."),
        })
    }
}

fn turns(messages: &Log<Message>) -> Vec<&Turn> {
    let turns = messages.iter().filter_map(|message| match message {
        Message::Agent(turn) => Some(turn),
        _ => None,
    });
    turns.collect()
}

fn speakers(messages: &Log<Message>) -> String {
    let turns = turns(messages);
    let names: Vec<_> = turns.iter().map(|turn| &*turn.agent).collect();
    names.join(" ")
}

fn last(messages: &Log<Message>) -> &str {
    messages.last().unwrap().text()
}

#[derive(Outcome)]
enum Over {
    Next,
    #[outcome(answer)]
    Done(String),
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = a)]
struct Pair {
    #[route(Over::Next => b, Over::Done(_) => end)]
    a: Agent<Talk, Over>,
    #[route(Over::Next => a(limit = 20), Over::Done(_) => end)]
    b: Agent<Talk, Over>,
}

fn pair() -> Pair {
    Pair {
        a: Agent::new(Eager),
        b: Agent::new(Eager),
    }
}

#[tokio::test]
async fn two_that_hand_over_to_each_other_stop_after_a_lap_and_the_one_whose_edge_is_masked_answers()
 {
    let run = Runtime::new(pair()).thread("t").run(asked("help")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!(speakers(&talk.messages), "a b a b");
    assert_eq!(last(&talk.messages), "I do it myself.");
}

#[tokio::test]
async fn a_model_that_insists_on_a_masked_handoff_is_told_so_and_may_still_answer() {
    let over = || Script::call("transfer_to_next", json!({}));
    let a = ScriptedModel::new([over(), over()]);
    let b = ScriptedModel::new([over(), over(), over(), Script::say("Then I do it.")]);
    let pair = Pair {
        a: Agent::new(a),
        b: Agent::new(b.clone()),
    };
    let run = Runtime::new(pair).thread("t").run(asked("help")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!(speakers(&talk.messages), "a b a b b b");
    assert_eq!(last(&talk.messages), "Then I do it.");
    let given = &turns(&talk.messages)[4].calls[0].given;
    assert!(matches!(given, Given::Error(text) if text.contains("nothing has changed")));
}

#[tokio::test]
async fn where_loops_are_not_watched_the_limit_stops_them() {
    let runtime = Runtime::new(pair()).watch_loops(false);
    let run = runtime.thread("t").run(asked("help")).await.unwrap();
    let talk = run.finished().unwrap();
    assert_eq!(
        turns(&talk.messages).len(),
        42,
        "twenty times back, and the last answers"
    );
    assert_eq!(last(&talk.messages), "I do it myself.");
}

#[tokio::test]
async fn rings_of_three_and_of_six_stop_after_a_lap() {
    #[derive(AgentGraph)]
    #[graph(state = Talk, start = a)]
    struct OfThree {
        #[route(Over::Next => b, Over::Done(_) => end)]
        a: Agent<Talk, Over>,
        #[route(Over::Next => c, Over::Done(_) => end)]
        b: Agent<Talk, Over>,
        #[route(Over::Next => a(limit = 9), Over::Done(_) => end)]
        c: Agent<Talk, Over>,
    }

    #[derive(AgentGraph)]
    #[graph(state = Talk, start = a)]
    struct OfSix {
        #[route(Over::Next => b, Over::Done(_) => end)]
        a: Agent<Talk, Over>,
        #[route(Over::Next => c, Over::Done(_) => end)]
        b: Agent<Talk, Over>,
        #[route(Over::Next => d, Over::Done(_) => end)]
        c: Agent<Talk, Over>,
        #[route(Over::Next => e, Over::Done(_) => end)]
        d: Agent<Talk, Over>,
        #[route(Over::Next => f, Over::Done(_) => end)]
        e: Agent<Talk, Over>,
        #[route(Over::Next => a(limit = 9), Over::Done(_) => end)]
        f: Agent<Talk, Over>,
    }

    let agent = || Agent::new(Eager);
    let three = OfThree {
        a: agent(),
        b: agent(),
        c: agent(),
    };
    let run = Runtime::new(three).thread("t").run(asked("help")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!(speakers(&talk.messages), "a b c a b c");

    let six = OfSix {
        a: agent(),
        b: agent(),
        c: agent(),
        d: agent(),
        e: agent(),
        f: agent(),
    };
    let run = Runtime::new(six).thread("t").run(asked("help")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!(speakers(&talk.messages), "a b c d e f a b c d e f");
    assert_eq!(last(&talk.messages), "I do it myself.");
}

#[tokio::test]
async fn one_that_can_only_hand_over_takes_the_else_of_its_masked_edge() {
    #[derive(Outcome)]
    enum Only {
        Next,
    }

    #[derive(AgentGraph)]
    #[graph(state = Talk, start = a)]
    struct Escaping {
        #[route(Over::Next => b, Over::Done(_) => end)]
        a: Agent<Talk, Over>,
        #[route(Only::Next => a(limit = 9, else = churn))]
        b: Agent<Talk, Only>,
        #[route(_ => end)]
        churn: Churn,
    }

    let escaping = Escaping {
        a: Agent::new(Eager),
        b: Agent::new(Eager),
        churn: Churn,
    };
    let run = Runtime::new(escaping).thread("t").run(asked("help")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!(
        (speakers(&talk.messages).as_str(), talk.found),
        ("a b a b", 1)
    );
}

/// A node between two agents that changes what does not count.
#[node(Talk)]
fn fidget(noise: &mut u32) {
    *noise += 1;
}

/// A node that goes on changing what counts.
#[node(Talk)]
fn churn(found: &mut u32) {
    *found += 1;
}

#[tokio::test]
async fn a_change_that_does_not_count_as_progress_is_none() {
    #[derive(AgentGraph)]
    #[graph(state = Talk, start = a)]
    struct Fidgety {
        #[route(Over::Next => fidget, Over::Done(_) => end)]
        a: Agent<Talk, Over>,
        #[route(_ => b)]
        fidget: Fidget,
        #[route(Over::Next => a(limit = 20), Over::Done(_) => end)]
        b: Agent<Talk, Over>,
    }

    let graph = Fidgety {
        a: Agent::new(Eager),
        fidget: Fidget,
        b: Agent::new(Eager),
    };
    let run = Runtime::new(graph).thread("t").run(asked("help")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!(
        (speakers(&talk.messages).as_str(), talk.noise),
        ("a b a b", 2)
    );
}

#[tokio::test]
async fn changes_without_end_stop_at_the_limit() {
    #[derive(AgentGraph)]
    #[graph(state = Talk, start = a)]
    struct Churning {
        #[route(Over::Next => churn, Over::Done(_) => end)]
        a: Agent<Talk, Over>,
        #[route(_ => b)]
        churn: Churn,
        #[route(Over::Next => a(limit = 4), Over::Done(_) => end)]
        b: Agent<Talk, Over>,
    }

    let graph = Churning {
        a: Agent::new(Eager),
        churn: Churn,
        b: Agent::new(Eager),
    };
    let run = Runtime::new(graph).thread("t").run(asked("help")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!(
        (speakers(&talk.messages).as_str(), talk.found),
        ("a b a b a b a b a b", 5)
    );
    assert_eq!(last(&talk.messages), "I do it myself.");
}

#[tokio::test]
async fn where_every_word_counts_as_progress_talk_stops_at_the_limit() {
    #[derive(AgentGraph)]
    #[graph(state = Chatter, start = a)]
    struct Chat {
        #[route(Over::Next => b, Over::Done(_) => end)]
        a: Agent<Chatter, Over>,
        #[route(Over::Next => a(limit = 3), Over::Done(_) => end)]
        b: Agent<Chatter, Over>,
    }

    let chat = Chat {
        a: Agent::new(Eager),
        b: Agent::new(Eager),
    };
    let run = Runtime::new(chat).thread("t").run(Chatter::default()).await;
    let chatter = run.unwrap().finished().unwrap();
    assert_eq!(speakers(&chatter.messages), "a b a b a b a b");
    assert_eq!(last(&chatter.messages), "I do it myself.");
}

// ---- Who gets on.

#[derive(Outcome)]
enum Reviewed {
    /// The draft is not good enough.
    Writer { remark: String },
    #[outcome(answer)]
    Fine(String),
}

#[derive(Outcome)]
enum Written {
    /// The draft is ready to be read.
    Reviewer,
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = writer)]
struct Review {
    #[route(_ => typeset)]
    writer: Agent<Talk, Written>,
    #[route(_ => reviewer)]
    typeset: Churn,
    #[route(Reviewed::Writer { .. } => writer(limit = 20), Reviewed::Fine(_) => end)]
    reviewer: Agent<Talk, Reviewed>,
}

/// Scripts of a writer who needs five rounds.
fn review() -> (ScriptedModel, ScriptedModel) {
    let ready =
        |round| Script::call("transfer_to_reviewer", json!({})).text(format!("draft {round}"));
    let remark = |round| {
        Script::call(
            "transfer_to_writer",
            json!({ "remark": format!("no {round}") }),
        )
    };
    let reviews = (1..6).map(remark).chain([Script::say("Fine.")]);
    (
        ScriptedModel::new((0..6).map(ready)),
        ScriptedModel::new(reviews),
    )
}

#[tokio::test]
async fn a_writer_and_a_reviewer_whose_five_rounds_improve_something_are_never_stopped() {
    let (writer, reviewer) = review();
    let review = Review {
        writer: Agent::new(writer.clone()),
        typeset: Churn,
        reviewer: Agent::new(reviewer.clone()),
    };
    let run = Runtime::new(review).thread("t").run(asked("write")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!((talk.found, last(&talk.messages)), (6, "Fine."));
    let seen = writer.requests()[5].messages.clone();
    assert!(
        format!("{seen:?}").contains("no 5"),
        "the last remark comes with the handoff"
    );
}

#[derive(Outcome)]
enum Hubbed {
    One,
    Two,
    #[outcome(answer)]
    Done(String),
}

#[derive(Outcome)]
enum Worked {
    /// With what was found.
    Hub { result: u32 },
}

/// Takes down what a worker has found.
#[node(Talk)]
fn note_it(found: &mut u32) {
    *found += 1;
}

#[tokio::test]
async fn a_hub_that_gets_results_is_never_stopped() {
    #[derive(AgentGraph)]
    #[graph(state = Talk, start = hub)]
    struct Star {
        #[route(Hubbed::One => one(limit = 8), Hubbed::Two => two(limit = 8), Hubbed::Done(_) => end)]
        hub: Agent<Talk, Hubbed>,
        #[route(_ => note_it)]
        one: Agent<Talk, Worked>,
        #[route(_ => note_it)]
        two: Agent<Talk, Worked>,
        #[route(_ => hub)]
        note_it: NoteIt,
    }

    let to = |name: &str| Script::call(format!("transfer_to_{name}"), json!({}));
    let hub = ["one", "two", "one", "one", "two", "two"]
        .map(to)
        .into_iter();
    let hub = ScriptedModel::new(hub.chain([Script::say("That is all.")]));
    let worker = || {
        let result = |number| Script::call("transfer_to_hub", json!({ "result": number }));
        Agent::new(ScriptedModel::new((0..3).map(result)))
    };
    let graph = Star {
        hub: Agent::new(hub),
        one: worker(),
        two: worker(),
        note_it: NoteIt,
    };
    let run = Runtime::new(graph).thread("t").run(asked("help")).await;
    let talk = run.unwrap().finished().unwrap();
    assert_eq!((talk.found, last(&talk.messages)), (6, "That is all."));
}

// ---- The same after a crash.

/// Runs a pair until it is over, if need be again.
async fn finish<G, J>(graph: G, journal: J) -> Result<(Talk, Vec<String>), RunError>
where
    G: Runnable<State = Talk>,
    J: Journal,
{
    let thread = Runtime::new(graph).journal(journal).thread("t");
    let run = thread.run_once(asked("help")).await?;
    Ok((run.finished().unwrap(), path(&thread.history().await?)))
}

#[tokio::test]
async fn wherever_a_crash_cuts_them_off_two_that_get_nowhere_stop_after_the_same_lap() {
    let counting = Counting::<Memory>::default();
    let undisturbed = finish(pair(), counting.clone()).await.unwrap();
    assert_eq!(undisturbed.1, ["a", "b", "a", "b"]);
    for last in 0..counting.appends() {
        for keeps_last in [false, true] {
            let disk = Memory::default();
            let cut = finish(pair(), Stopping::after(disk.clone(), last, keeps_last)).await;
            assert!(cut.is_err(), "append {last}");
            let recovered = finish(pair(), disk).await.unwrap();
            assert_eq!(recovered, undisturbed, "append {last}, kept: {keeps_last}");
        }
    }
}

/// Says what comes next by the turns that it sees of itself, so that nothing is lost with it in a crash.
#[derive(Debug)]
struct Steady(bool);

#[async_trait]
impl Model for Steady {
    async fn turn(
        &self,
        request: &Request,
        _: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        let own = format!("{:?}", request.messages)
            .matches("Assistant")
            .count();
        let id = format!("turn_{own}");
        let call =
            |tool: &str, arguments: &str| Reply::default().call(ToolCall::new(id, tool, arguments));
        Ok(match self.0 {
            true => call("transfer_to_reviewer", "{}"),
            false if own < 5 => call("transfer_to_writer", r#"{"remark":"again"}"#),
            false => Reply::text("Fine."),
        })
    }
}

#[tokio::test]
async fn wherever_a_crash_cuts_them_off_a_writer_and_a_reviewer_come_to_their_end() {
    let review = || Review {
        writer: Agent::new(Steady(true)),
        typeset: Churn,
        reviewer: Agent::new(Steady(false)),
    };
    let counting = Counting::<Memory>::default();
    let undisturbed = finish(review(), counting.clone()).await.unwrap();
    assert_eq!((undisturbed.0.found, undisturbed.1.len()), (6, 18));
    for last in 0..counting.appends() {
        let disk = Memory::default();
        let cut = finish(review(), Stopping::after(disk.clone(), last, last % 2 == 0)).await;
        assert!(cut.is_err(), "append {last}");
        assert_eq!(
            finish(review(), disk).await.unwrap(),
            undisturbed,
            "append {last}"
        );
    }
}

// ---- A message of the user opens the edge again.

#[tokio::test]
async fn a_new_run_opens_a_masked_edge_again() {
    let thread = Runtime::new(pair()).journal(Memory::default()).thread("t");
    let mut talk = thread.run(asked("help")).await.unwrap().finished().unwrap();
    talk.messages.push(Message::user("and now?"));
    let talk = thread.run(talk).await.unwrap().finished().unwrap();
    assert_eq!(speakers(&talk.messages), "a b a b a b a b");
}

#[derive(Serialize)]
struct Anything;

impl From<&Talk> for Anything {
    fn from(_: &Talk) -> Self {
        Self
    }
}

#[derive(Deserialize)]
struct Word(String);

#[node(Talk)]
impl Word {
    fn run(&self, messages: &mut Log<Message>) {
        messages.push(Message::user(&*self.0));
    }
}

#[tokio::test]
async fn an_answer_of_a_person_opens_a_masked_edge_again() {
    #[derive(AgentGraph)]
    #[graph(state = Talk, start = a)]
    struct Asking {
        #[route(Over::Next => b, Over::Done(_) => person(limit = 1, else = end))]
        a: Agent<Talk, Over>,
        #[route(Over::Next => a(limit = 20), Over::Done(_) => person(limit = 1, else = end))]
        b: Agent<Talk, Over>,
        #[route(_ => a)]
        person: Human<Anything, Word>,
    }

    let graph = Asking {
        a: Agent::new(Eager),
        b: Agent::new(Eager),
        person: Human::new(),
    };
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let ask = thread.run(asked("help")).await.unwrap().paused().unwrap();
    let before = thread.state().await.unwrap();
    assert_eq!(speakers(&before.messages), "a b a b");
    let run = thread.resume(ask.id, "It is the blue one.").await.unwrap();
    let talk = run.finished().unwrap();
    assert_eq!(speakers(&talk.messages), "a b a b a b a b");
}

// ---- Whatever a model says.

/// A turn of a model that says anything.
#[derive(Clone, Debug)]
struct Raving {
    text: String,
    calls: Vec<(usize, usize, usize)>,
}

const NAMES: [&str; 6] = [
    "f",
    "fails",
    "transfer_to_next",
    "transfer_to_with",
    "transfer_to_x",
    "",
];
const ARGUMENTS: [&str; 8] = [
    "{}",
    "",
    "null",
    "{",
    r#"{"n":1}"#,
    r#"{"n":"1"}"#,
    r#"{"n":1,"m":2}"#,
    "\"\\u0000\"",
];
const IDS: [&str; 4] = ["", "1", "2", "1"];

/// Says what it was told to say, and then the same again from the start.
#[derive(Debug)]
struct Madness(Vec<Raving>, Arc<AtomicU32>);

#[async_trait]
impl Model for Madness {
    async fn turn(
        &self,
        _: &Request,
        _: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        let at = self.1.fetch_add(1, Ordering::Relaxed) as usize;
        let raving = &self.0[at % self.0.len()];
        let calls = raving.calls.iter();
        let calls = calls.map(|(id, name, arguments)| {
            ToolCall::new(IDS[*id], NAMES[*name], ARGUMENTS[*arguments])
        });
        Ok(calls.fold(Reply::text(&*raving.text), Reply::call))
    }
}

#[derive(Outcome)]
enum Any {
    Next,
    With {
        n: u32,
    },
    #[outcome(answer)]
    Done(String),
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = a)]
struct Mad {
    #[route(Any::Next | Any::With { .. } => b, Any::Done(_) => end)]
    a: Agent<Talk, Any>,
    #[route(
        Any::Next => a(limit = 2),
        Any::With { .. } => a(limit = 2, else = end),
        Any::Done(_) => end,
    )]
    b: Agent<Talk, Any>,
}

fn raving() -> impl Strategy<Value = Raving> {
    let call = (0..IDS.len(), 0..NAMES.len(), 0..ARGUMENTS.len());
    let calls = prop::collection::vec(call, 0..4);
    ("[ a-z\"{}]{0,4}", calls).prop_map(|(text, calls)| Raving { text, calls })
}

async fn check_madness(one: &[Raving], other: &[Raving], most: u32) {
    #[derive(Deserialize, schemars::JsonSchema)]
    struct Nothing {}

    let agent = |ravings: Vec<Raving>| {
        let model = Madness(ravings, Arc::default());
        let works = tool("f", "", async |_: Nothing| Ok::<_, std::io::Error>("done"));
        let fails = tool("fails", "", async |_: Nothing| {
            Err::<String, _>(std::io::Error::other("it failed"))
        });
        Agent::new(model)
            .tool(works)
            .tool(fails)
            .max_mistakes(most)
            .max_turns(5)
    };
    let mad = || Mad {
        a: agent(one.to_vec()),
        b: agent(other.to_vec()),
    };
    let thread = Runtime::new(mad()).journal(Memory::default()).thread("t");
    let with_journal = thread
        .run(asked("help"))
        .await
        .map(|run| run.finished().unwrap());
    let without = Runtime::new(mad()).thread("t").run(asked("help")).await;
    let without = without.map(|run| run.finished().unwrap());
    let error = with_journal
        .as_ref()
        .map_or_else(|error| chain(error), |_| String::new());
    match (&with_journal, &without) {
        (Ok(with_journal), Ok(without)) => assert_eq!(with_journal, without),
        (Err(_), Err(_)) => {}
        differ => panic!("{differ:?}"),
    }
    if let Some((_, rest)) = error.split_once("the model made ") {
        assert!(
            rest.starts_with(&format!("{} mistakes", most + 1)),
            "{error}"
        );
    } else {
        assert!(
            error.is_empty() || error.ends_with("no conclusion within 5 turns"),
            "{error}"
        );
    }
    // Each call in the log has its result by its type; so what is left is that the log says what was done.
    let talk = thread.state().await.unwrap();
    let visits = path(&thread.history().await.unwrap()).len();
    let mut ends = 0;
    for turn in turns(&talk.messages) {
        let handoffs = turn
            .calls
            .iter()
            .filter(|call| matches!(call.given, Given::Handoff(_)));
        let handoffs = handoffs.count();
        let passed = turn.calls.iter().any(|call| call.given == Given::Passed);
        assert!(handoffs <= 1 && (handoffs == 1 || !passed), "{turn:?}");
        ends += usize::from(handoffs == 1 || turn.calls.is_empty() && !turn.text.trim().is_empty());
        for call in &turn.calls {
            assert!(!call.id.is_empty());
            let is_tool = call.tool == "f" || call.tool == "fails";
            match &call.given {
                Given::Result(text) => assert_eq!((&*call.tool, &**text), ("f", "done")),
                Given::Error(_) => {}
                Given::Handoff(_) | Given::Passed => assert!(!is_tool),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(ends, visits, "each visit in the log came to one conclusion");
}

fn config() -> ProptestConfig {
    let regressions = FileFailurePersistence::Direct("tests/agent_loops.proptest-regressions");
    ProptestConfig {
        cases: 256,
        failure_persistence: Some(Box::new(regressions)),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_a_model_says_the_log_is_whole_and_no_bound_is_passed(
        one in prop::collection::vec(raving(), 1..8),
        other in prop::collection::vec(raving(), 1..8),
        most in 0..6_u32,
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tokio.block_on(check_madness(&one, &other, most));
    }
}
